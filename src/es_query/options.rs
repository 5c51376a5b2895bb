//! Options to settings: every option of the plugin, and three of ours.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use thiserror::Error;

use super::Kind;
use super::arguments::{BadOption, Given, Known, read};
use super::ruby::{self, Numeric};

/// What a command line asks for.
pub enum Asked {
    Check(Box<Options>),
    /// The usage, for stdout; exit 0.
    Help(String),
    Version,
}

/// All that a check needs to know.
#[derive(Clone)]
pub struct Options {
    pub kind: Kind,
    pub host: String,
    pub port: i64,
    pub scheme: Option<String>,
    pub user: Option<String>,
    pub password: Option<String>,
    /// As they were given: `k: v,k: v`.
    pub headers: Option<String>,
    pub timeout_seconds: i64,
    /// `AWS`: requests are signed.
    pub transport: Option<String>,
    pub region: Option<String>,
    /// A file of certificates (ours): the plugin takes what its Ruby finds.
    pub ca: Option<String>,

    pub(super) indices: Option<String>,
    pub(super) date_index: Option<String>,
    pub(super) is_hourly: bool,
    pub(super) types: Option<String>,
    pub(super) timestamp_field: String,
    pub(super) offset_seconds: i64,
    pub(super) minutes: i64,
    pub(super) hours: i64,
    pub(super) days: i64,
    pub(super) weeks: i64,
    pub(super) months: i64,
    pub(super) field: String,
    /// Of `ratio` the divisor.
    pub(super) query: Option<String>,
    pub(super) dividend: Option<String>,
    pub(super) aggregated: Option<String>,
    pub(super) id: Option<String>,
    pub(super) warn: Threshold,
    pub(super) crit: Threshold,
    /// Of `exists`: WARNING where it would be CRITICAL.
    pub(super) is_warning_only: bool,
    pub(super) is_inverted: bool,
    pub(super) is_zero_ok: bool,
    pub(super) kibana_url: Option<String>,
    pub(super) is_strict: bool,
    /// The rows below the line.
    pub has_details: bool,
    /// Words for stderr about what was given.
    pub(super) notes: Vec<String>,
}

/// Of `count` a whole number, else any.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Threshold {
    Whole(i64),
    Any(f64),
}

/// Why a command line asks for nothing: the text is for stdout, as the plugin's is.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Refusal {
    /// The words before are the plugin's.
    #[error("Invalid check argument(s): {0}")]
    Invalid(String),
    #[error("Check failed to run: {0}")]
    Bad(String),
    /// Monitoring takes this exit code for CRITICAL; the plugin has it so.
    #[error("You must supply {option}!\n{usage}")]
    Missing { option: String, usage: String },
}

impl Refusal {
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Invalid(_) | Self::Bad(_) => 3,
            Self::Missing { .. } => 2,
        }
    }
}

impl From<BadOption> for Refusal {
    fn from(bad: BadOption) -> Self {
        match bad {
            BadOption::Invalid(_) => Self::Invalid(bad.to_string()),
            _ => Self::Bad(bad.to_string()),
        }
    }
}

const fn option(long: &'static str, short: Option<char>, value: Option<&'static str>, help: &'static str) -> Known {
    Known { long, short, value, help, is_ours: false }
}

const fn ours(long: &'static str, value: Option<&'static str>, help: &'static str) -> Known {
    Known { long, short: None, value, help, is_ours: true }
}

/// Beside each, the checks that have it.
const TABLE: &[(&[Kind], Known)] = {
    use Kind::{Average, Count, Exists, Ratio};
    const ALL: &[Kind] = &Kind::ALL;
    const COUNTED: &[Kind] = &[Count, Average, Ratio];
    &[
        (ALL, option("host", Some('h'), Some("HOST"), "the server (localhost)")),
        (ALL, option("port", Some('p'), Some("PORT"), "its port (9200)")),
        (ALL, option("scheme", Some('s'), Some("SCHEME"), "http or https (http; https with a user and a password)")),
        (ALL, option("user", Some('u'), Some("USER"), "who logs in")),
        (ALL, option("password", Some('P'), Some("PASSWORD"), "with which password")),
        (ALL, option("headers", Some('H'), Some("HEADERS"), "sent with every request: 'k: v,k: v'")),
        (ALL, option("timeout", Some('t'), Some("SECONDS"), "how long an answer may take (30)")),
        (ALL, option("transport", None, Some("TRANSPORT"), "AWS: sign the requests (SigV4)")),
        (ALL, option("region", None, Some("REGION"), "for those signatures")),
        (ALL, option("indices", Some('i'), Some("INDEX"), "names or patterns, with commas; goes before -d (_all)")),
        (ALL, option("date-index", Some('d'), Some("PATTERN"), "names by strftime in UTC, over the window")),
        (ALL, option("repeat-daily", None, None, "one index a day (so it is)")),
        (ALL, option("repeat-hourly", None, None, "one index an hour")),
        (ALL, option("ignore-unavailable", None, None, "pass over indices that are missing (so it is)")),
        (ALL, option("types", None, Some("TYPES"), "only documents that say this is what they are, or say nothing")),
        (ALL, option("timestamp-field", None, Some("FIELD"), "the field of the window (@timestamp)")),
        (ALL, option("offset", None, Some("SECONDS"), "the window ends so long ago (0)")),
        (ALL, option("minutes-previous", None, Some("N"), "length of the window; these add up")),
        (ALL, option("hours-previous", None, Some("N"), "")),
        (ALL, option("days-previous", None, Some("N"), "")),
        (ALL, option("weeks-previous", None, Some("N"), "")),
        (ALL, option("months-previous", None, Some("N"), "calendar months")),
        (COUNTED, option("field", Some('f'), Some("FIELD"), "where words without a field are looked for (message)")),
        (&[Count, Average], option("query", Some('q'), Some("QUERY"), "a Lucene query string")),
        (&[Ratio], option("dividend", Some('Q'), Some("QUERY"), "a Lucene query string: what is divided")),
        (&[Ratio], option("divisor", Some('q'), Some("QUERY"), "a Lucene query string: by what")),
        (&[Average], option("aggr-field", Some('a'), Some("FIELD"), "the number whose average it is")),
        (&[Average], option("aggr", None, None, "take the average (so it is)")),
        (&[Exists], option("id", None, Some("ID"), "the document's id")),
        (COUNTED, option("warn", Some('w'), Some("N"), "WARNING above this (0)")),
        (&[Exists], option("warn", Some('w'), None, "WARNING instead of CRITICAL")),
        (COUNTED, option("crit", Some('c'), Some("N"), "CRITICAL above this (0)")),
        (COUNTED, option("invert", None, None, "below instead of above")),
        (&[Exists], option("invert", None, None, "OK where it is not there")),
        (&[Ratio], option("zero", Some('z'), None, "OK where the divisor is 0")),
        (COUNTED, option("kibana-url", None, Some("URL"), "adds a link for whoever is told")),
        (ALL, ours("details", None, "below the line: who did what and when")),
        (ALL, ours("ca", Some("FILE"), "certificates (PEM) beside those of the system")),
        (ALL, ours("strict-compat", None, "the plugin's answer, also where that is harmful")),
        (ALL, option("help", None, None, "this text")),
        (ALL, option("version", None, None, "whodid's version")),
    ]
};

fn known(kind: Kind) -> Vec<&'static Known> {
    TABLE.iter().filter(|(kinds, _)| kinds.contains(&kind)).map(|(_, known)| known).collect()
}

/// Reads what follows the name of the program.
pub fn parse(kind: Kind, program: &str, arguments: &[String]) -> Result<Asked, Refusal> {
    let given = read(&known(kind), arguments)?;
    // Both are done where they stand, whatever is missing.
    if let Some((first, _)) = given.options.iter().find(|(long, _)| matches!(*long, "help" | "version")) {
        return Ok(if *first == "help" { Asked::Help(usage(kind, program)) } else { Asked::Version });
    }
    let mut values = Values { given: &given, strict: given.has("strict-compat"), notes: Vec::new() };
    let options = values.options(kind)?;
    if let Some(option) = missing(&options) {
        return Err(Refusal::Missing { option: option.to_owned(), usage: usage(kind, program) });
    }
    Ok(Asked::Check(Box::new(options)))
}

/// What the plugin names first of that which it must have.
fn missing(options: &Options) -> Option<&'static str> {
    match options.kind {
        Kind::Count => options.query.is_none().then_some("-q QUERY"),
        Kind::Exists => options.id.is_none().then_some("--id ID"),
        Kind::Average => options.aggregated.is_none().then_some("-a FIELD"),
        Kind::Ratio if options.dividend.is_none() => Some("-Q QUERY"),
        Kind::Ratio => options.query.is_none().then_some("-q QUERY"),
    }
}

/// A line for every option.
pub fn usage(kind: Kind, program: &str) -> String {
    let mut text = format!("Usage: {program} (options)");
    for known in known(kind) {
        let value = known.value.map(|value| format!(" {value}")).unwrap_or_default();
        let short = known.short.map_or_else(|| "    ".to_owned(), |short| format!("-{short}, "));
        let name = format!("{short}--{}{value}", known.long);
        // A text never fails to take more.
        let whose = if known.is_ours { " (not in the plugin)" } else { "" };
        write!(text, "\n    {name:<32} {}{whose}", known.help).unwrap_or_default();
        text.truncate(text.trim_end().len());
    }
    text
}

impl Given {
    fn has(&self, long: &str) -> bool {
        self.options.iter().any(|(name, _)| *name == long)
    }

    /// Of several the last one, as in the plugin.
    fn value(&self, long: &str) -> Option<&str> {
        self.options.iter().rev().find(|(name, _)| *name == long).and_then(|(_, value)| value.as_deref())
    }
}

struct Values<'g> {
    given: &'g Given,
    strict: bool,
    notes: Vec<String>,
}

impl Values<'_> {
    fn options(&mut self, kind: Kind) -> Result<Options, Refusal> {
        for rest in self.given.rest.iter().collect::<BTreeSet<_>>() {
            self.notes.push(format!("\"{rest}\" belongs to no option and is passed over: are there quotes around it?"));
        }
        let text = |long: &str| self.given.value(long).map(str::to_owned);
        let (host, scheme, user, password) = (text("host"), text("scheme"), text("user"), text("password"));
        let (headers, transport, region, ca) = (text("headers"), text("transport"), text("region"), text("ca"));
        let (indices, date_index, types) = (text("indices"), text("date-index"), text("types"));
        let (timestamp_field, field, dividend) = (text("timestamp-field"), text("field"), text("dividend"));
        let query = if kind == Kind::Ratio { text("divisor") } else { text("query") };
        let (aggregated, id, kibana_url) = (text("aggr-field"), text("id"), text("kibana-url"));
        let has = |long: &str| self.given.has(long);
        let (is_hourly, is_inverted, is_zero_ok) = (has("repeat-hourly"), has("invert"), has("zero"));
        let (is_warning_only, has_details) = (has("warn"), has("details"));
        Ok(Options {
            kind,
            host: host.unwrap_or_else(|| "localhost".to_owned()),
            port: self.whole("port", 9_200)?,
            scheme,
            user,
            password,
            headers,
            timeout_seconds: self.whole("timeout", 30)?,
            transport,
            region,
            ca,
            indices,
            date_index,
            is_hourly,
            types,
            timestamp_field: timestamp_field.unwrap_or_else(|| "@timestamp".to_owned()),
            offset_seconds: self.whole("offset", 0)?,
            minutes: self.whole("minutes-previous", 0)?,
            hours: self.whole("hours-previous", 0)?,
            days: self.whole("days-previous", 0)?,
            weeks: self.whole("weeks-previous", 0)?,
            months: self.whole("months-previous", 0)?,
            field: field.unwrap_or_else(|| "message".to_owned()),
            query,
            dividend,
            aggregated,
            id,
            warn: self.threshold(kind, "warn")?,
            crit: self.threshold(kind, "crit")?,
            is_warning_only,
            is_inverted,
            is_zero_ok,
            kibana_url,
            is_strict: self.strict,
            has_details,
            notes: std::mem::take(&mut self.notes),
        })
    }

    fn whole(&mut self, long: &'static str, default: i64) -> Result<i64, Refusal> {
        let Some(text) = self.given.value(long) else { return Ok(default) };
        self.look_at(long, text, false)?;
        Ok(ruby::to_i(text))
    }

    fn threshold(&mut self, kind: Kind, long: &'static str) -> Result<Threshold, Refusal> {
        let is_float = !matches!(kind, Kind::Count | Kind::Exists);
        let text = self.given.value(long).unwrap_or("0");
        self.look_at(long, text, is_float)?;
        Ok(if is_float { Threshold::Any(ruby::to_f(text)) } else { Threshold::Whole(ruby::to_i(text)) })
    }

    /// For the plugin `--crit ten` is 0: with `--invert` a check that never fires.
    fn look_at(&mut self, long: &str, text: &str, is_float: bool) -> Result<(), Refusal> {
        match ruby::numeric(text, is_float) {
            Numeric::Whole => {}
            Numeric::Not if !self.strict => {
                return Err(Refusal::Bad(format!("invalid argument: --{long} {text}: it takes a number")));
            }
            Numeric::Beginning | Numeric::Not => {
                let taken = if is_float { ruby::float(ruby::to_f(text)) } else { ruby::to_i(text).to_string() };
                self.notes.push(format!("--{long} \"{text}\" is taken for {taken}, as the plugin does"));
            }
        }
        Ok(())
    }
}
