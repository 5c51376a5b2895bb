//! `alerts/<domain>/<id>.toml` to [`Alert`].

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::event::fields::{self, FieldRef};
use crate::query::Lists;
use crate::query::lists::Named;
use crate::schedule::Schedule;
use crate::sources::zone::Zone;

use super::alert::{Alert, BadLimits, Channel, Compare, Late, Limits, Measure, Unmatched};
use super::channel;
use super::definitions::Text;
use super::lists;
use super::problem::nearest;
use super::saved;
use super::section::{Document, Key, Section, Shape, Table};
use super::setting::{At, Misread, Setting};

/// What an alert may name.
pub(super) struct Known<'a> {
    /// Ids of the saved queries, those with errors among them: these are reported where they are.
    pub(super) queries: &'a BTreeSet<String>,
    pub(super) channels: &'a BTreeMap<String, Channel>,
    /// What its queries may name.
    pub(super) lists: &'a Lists,
    /// Whom an alert tells that does not say whom.
    pub(super) notify: &'a [String],
}

/// Reads one file; none if anything in it is wrong, and the document says what.
pub(super) fn read(document: &Document<'_>, id: &str, text: &Text, known: &Known<'_>) -> Option<Alert> {
    let mut top = document.top(&ALERT);
    let query = read_query(&mut top, id, known);
    let schedule = read_schedule(&mut top);
    let window = top.required(&WINDOW);
    let measure = read_measure(&mut top, known.lists);
    let by = top.or_default(&BY);
    let (compare, limits) = read_limits(&mut top);
    let notify = if top.has(NOTIFY.declaration.name) {
        channel::read_names(&mut top, &NOTIFY, known.channels)
    } else {
        Some(known.notify.to_vec())
    };
    let renotify = top.optional(&RENOTIFY);
    let lateness = top.or_default(&LATENESS);
    if let (Some(Measure::Unmatched(unmatched)), Some(window)) = (&measure, window)
        && unmatched.within >= window
    {
        top.report_key("within", "`within` must be shorter than `window`", "no start would be old enough to count");
    }
    if let (Some([_, ..]), Some(compare), Some(limits)) = (by.as_deref(), compare, limits)
        && let Err(error) = limits.check_groups(compare)
    {
        top.report_key(
            "by",
            format!("`by`: {error}"),
            "name each group in a query of its own, with an alert without `by`",
        );
    }
    top.finish();
    Some(Alert {
        id: id.to_owned(),
        sha256: measure.as_ref().map(|measure| sha256(&text.sha256, measure))?,
        query: query?,
        schedule: schedule?,
        window: window?,
        measure: measure?,
        by: by?,
        compare: compare?,
        limits: limits?,
        notify: notify?,
        renotify,
        lateness: lateness?,
    })
}

/// Of the file, and of the lists that its own queries name.
fn sha256(of_file: &str, measure: &Measure) -> String {
    let mut named = Named::new();
    if let Measure::Unmatched(unmatched) = measure {
        named.extend([&unmatched.start, &unmatched.finish].into_iter().flat_map(|query| query.lists().clone()));
    }
    lists::sha256(of_file, &named)
}

/// The query it names, else the one of its own id.
fn read_query(top: &mut Section<'_, '_>, id: &str, known: &Known<'_>) -> Option<String> {
    let query = if top.has(QUERY.declaration.name) { top.optional(&QUERY)? } else { id.to_owned() };
    if !known.queries.contains(&query) {
        let near = nearest(&query, known.queries.iter().map(String::as_str));
        // All ids would be a page.
        let advice = near.map_or("`whodid query list` shows them".to_owned(), |near| format!("did you mean `{near}`?"));
        top.report_key("query", format!("there is no query \"{query}\""), advice);
        return None;
    }
    Some(query)
}

fn read_schedule(top: &mut Section<'_, '_>) -> Option<Schedule> {
    match (top.has("every"), top.has("cron")) {
        (true, true) => {
            top.report_key("cron", "both `every` and `cron` say when it is due", "keep one of them");
            top.optional(&EVERY);
            top.optional(&CRON);
            top.optional(&TZ);
            None
        }
        (false, true) => {
            let (zone, line) = (top.or_default(&TZ), top.optional(&CRON)?);
            let schedule = Schedule::cron(&line, zone?);
            let advice = "minute, hour, day of the month, month, day of the week: \"*/5 * * * *\"";
            schedule.map_err(|error| top.report_key("cron", format!("`cron`: {error}"), advice)).ok()
        }
        (_, false) => {
            let schedule = Schedule::every(top.required(&EVERY)?);
            schedule.map_err(|error| top.report_key("every", format!("`every`: {error}"), "such as \"5m\"")).ok()
        }
    }
}

fn read_measure(top: &mut Section<'_, '_>, lists: &Lists) -> Option<Measure> {
    match top.or_default(&MEASURE)? {
        Made::Count => Some(Measure::Count),
        Made::Distinct => top.required(&FIELD).map(Measure::Distinct),
        Made::New => {
            let (field, known) = (top.required(&FIELD), top.required(&KNOWN));
            Some(Measure::New { field: field?, known: known? })
        }
        Made::Unmatched => {
            let (start, finish) = (top.required(&START), top.required(&FINISH));
            let (key, within) = (top.required(&KEY), top.required(&WITHIN));
            let (finish_key, late) = (top.optional(&FINISH_KEY), top.or_default(&LATE_FINISH));
            let start = start.as_deref().and_then(|text| saved::parse(top, "start", text, lists));
            let finish = finish.as_deref().and_then(|text| saved::parse(top, "finish", text, lists));
            let late = if late? { Late::Ends } else { Late::Counts };
            let (start, finish) = (start?, finish?);
            let unmatched = Unmatched { start, finish, key: key?, finish_key, within: within?, late };
            Some(Measure::Unmatched(Box::new(unmatched)))
        }
    }
}

fn read_limits(top: &mut Section<'_, '_>) -> (Option<Compare>, Option<Limits>) {
    let compare = top.or_default(&COMPARE);
    let (warn, critical) = (top.optional(&WARN), top.optional(&CRITICAL));
    let is_misread = (top.has("warn") && warn.is_none()) || (top.has("critical") && critical.is_none());
    let Some(direction) = compare.filter(|_| !is_misread) else { return (compare, None) };
    match Limits::new(warn, critical, direction) {
        Ok(limits) => (compare, Some(limits)),
        Err(error @ BadLimits::Neither) => {
            top.report(error.to_string(), "such as critical = 1");
            (compare, None)
        }
        Err(error @ BadLimits::Order { .. }) => {
            top.report_key("warn", error.to_string(), "a warning comes first");
            (compare, None)
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Count,
    Distinct,
    New,
    Unmatched,
}

impl Setting for Made {
    const KIND: &'static str = "a measure in quotes";

    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, Misread> {
        let all = [Self::Count, Self::Distinct, Self::New, Self::Unmatched];
        Misread::choice(value, "measure", all, |made| match made {
            Self::Count => "count",
            Self::Distinct => "distinct",
            Self::New => "new",
            Self::Unmatched => "unmatched",
        })
    }
}

impl Setting for FieldRef {
    const KIND: &'static str = "the name of a field in quotes";

    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, Misread> {
        let name = value.as_str().ok_or(Misread::Kind)?;
        fields::resolve(name).ok_or_else(|| {
            let advice = match fields::suggest(name) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "docs/query.md lists them".to_owned(),
            };
            Misread::bad(format!("there is no field \"{name}\""), advice)
        })
    }
}

impl Setting for Compare {
    const KIND: &'static str = "a comparison in quotes";

    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, Misread> {
        Misread::choice(value, "comparison", Self::ALL, Self::symbol)
    }
}

/// The file of an alert.
pub(super) static ALERT: Table = Table {
    name: "",
    shape: Shape::One,
    doc: "",
    keys: &[
        &QUERY.declaration,
        &EVERY.declaration,
        &CRON.declaration,
        &TZ.declaration,
        &WINDOW.declaration,
        &MEASURE.declaration,
        &FIELD.declaration,
        &KNOWN.declaration,
        &START.declaration,
        &FINISH.declaration,
        &KEY.declaration,
        &FINISH_KEY.declaration,
        &WITHIN.declaration,
        &LATE_FINISH.declaration,
        &BY.declaration,
        &COMPARE.declaration,
        &WARN.declaration,
        &CRITICAL.declaration,
        &NOTIFY.declaration,
        &RENOTIFY.declaration,
        &LATENESS.declaration,
    ],
    tables: &[],
};

static QUERY: Key<String> = Key::optional(
    "query",
    "\"linux/ssh-brute-force\"",
    "Id of the saved query. Without it: the one with this alert's own id.",
);

static EVERY: Key<Duration> =
    Key::optional("every", "\"5m\"", "How often it is evaluated. Either this or `cron` is required.");

static CRON: Key<String> = Key::optional(
    "cron",
    "\"*/5 * * * *\"",
    "When it is evaluated: minute, hour, day, month and weekday as in crontab, or @hourly, @daily, ….",
);

static TZ: Key<Zone> = Key::with_default("tz", "\"UTC\"", "The zone of the clock that `cron` means.");

static WINDOW: Key<Duration> =
    Key::required("window", "\"30m\"", "How far back an evaluation looks, by the time of the events.");

static MEASURE: Key<Made> = Key::with_default(
    "measure",
    "\"count\"",
    "The number that is judged. count: how many events; distinct: how many values of `field`; new: how many\n\
     values of `field` that were not there in the span `known` before; unmatched: how many starts without finish.",
);

static FIELD: Key<FieldRef> = Key::optional("field", "\"who.ip\"", "For distinct and new: the field.");

static KNOWN: Key<Duration> =
    Key::optional("known", "\"30d\"", "For new: how long before the window a value counts as known.");

static START: Key<String> = Key::optional("start", "\"what.action:run.start\"", "For unmatched: the query of a start.");

static FINISH: Key<String> =
    Key::optional("finish", "\"what.action:run.finish\"", "For unmatched: the query of its finish.");

static KEY: Key<FieldRef> =
    Key::optional("key", "\"what.object\"", "For unmatched: the field that a start and its finish share.");

static FINISH_KEY: Key<FieldRef> = Key::optional(
    "finish_key",
    "\"what.object\"",
    "For unmatched: the field in which a finish has what its start has in `key`, if that is another one.",
);

static LATE_FINISH: Key<bool> = Key::with_default(
    "late_finish",
    "false",
    "For unmatched: a finish that comes later than `within` takes its start back, so that the number is of what is\n\
     unfinished still. Otherwise such a start stays counted until it leaves the window.",
);

static WITHIN: Key<Duration> =
    Key::optional("within", "\"1h\"", "For unmatched: how long a start has for its finish; shorter than `window`.");

static BY: Key<Vec<FieldRef>> =
    Key::with_default("by", "[]", "Fields to group by: one number and one state for each combination of their values.");

static COMPARE: Key<Compare> =
    Key::with_default("compare", "\">=\"", "How the number is held against the limits: > >= < <= == or !=.");

static WARN: Key<u64> = Key::optional("warn", "10", "Limit of WARNING. At least one of the two limits is required.");

static CRITICAL: Key<u64> = Key::optional("critical", "20", "Limit of CRITICAL.");

static NOTIFY: Key<Vec<At<String>>> = Key::optional(
    "notify",
    "[\"oncall\"]",
    "Whom it tells: names of [[notify]] in whodid.toml. Without it: `notify` in [alerts] there.",
);

static RENOTIFY: Key<Duration> =
    Key::optional("renotify", "\"4h\"", "How long a state lasts until it is told again. Without it: told once.");

static LATENESS: Key<Duration> = Key::with_default(
    "lateness",
    "\"7d\"",
    "Events that come in later than this after their time are recorded as \"would have fired\", not sent.",
);
