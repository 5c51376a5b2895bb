//! `whodid cloudtrail verify`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Subcommand;
use memchr::memmem::Finder;
use serde_json::{Value as Json, json};

use super::say;
use super::settings::Place;
use crate::digest::{Counts, Judge, Looked, Report, Told};
use crate::event::delivery::{DigestsMissing, PublicKey, listed};
use crate::event::own::action;
use crate::event::{Event, Stamp, escape};
use crate::query;
use crate::trail::Reader;

/// Prove what AWS CloudTrail delivered
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(Verify),
}

/// Check every object and digest of a time against CloudTrail's signatures, from the trail alone
///
/// Works without any network and trusts no verdict that was stored before; `whodid trail verify` says whether the
/// trail itself is unchanged.
///
/// Exit 0: all that was delivered is proven. 1: wrong usage. 2: something is altered, unlisted or missing, or an hour
/// has no digest. 3: something could not be checked (no key, no digest yet, before the first digest).
#[derive(Debug, clap::Args)]
struct Verify {
    /// Deliveries from then on: a date, an instant, or a time before now (-90d) [default: the first digest]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<String>,

    /// Up to then; a date means its whole day [default: three hours before the newest entry of the trail]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<String>,

    /// CloudTrail's public keys, as `aws cloudtrail list-public-keys` prints them, instead of those in the trail
    #[arg(long = "keys", value_name = "FILE")]
    keys: Vec<PathBuf>,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// What the verdict is as an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Proven = 0,
    Usage = 1,
    Bad = 2,
    Incomplete = 3,
}

/// Digests of the last hours are on their way.
const ON_THEIR_WAY: chrono::TimeDelta = chrono::TimeDelta::hours(3);

const WANTED: [&str; 6] = [
    "\"action\":\"source.object\"",
    "\"action\":\"source.damaged\"",
    "\"action\":\"source.failed\"",
    "\"action\":\"source.back\"",
    "\"action\":\"digest.read\"",
    "\"action\":\"digest.key\"",
];

impl Args {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let Command::Verify(verify) = self.command;
        let exit = verify.run(place).unwrap_or_else(|error| {
            say::aside(format_args!("whodid: {}", escape::line(&say::causes(&error))));
            match error.is::<WrongUsage>() {
                true => Exit::Usage,
                false => Exit::Incomplete,
            }
        });
        Ok(ExitCode::from(exit as u8))
    }
}

/// What was asked for cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongUsage(String);

impl Verify {
    fn run(self, place: &Place) -> anyhow::Result<Exit> {
        let config = place.settings()?;
        let trail = Reader::open(&config.data)?;
        let stat = trail.stat()?;
        let Some(last) = stat.last.as_ref().map(|event| event.observed) else { bail!("the trail is empty") };
        let (from, to) = self.span(config.clock.now(), last)?;
        let mut judge = Judge::of_time(from, to);
        for (n, key) in self.file_keys()?.iter().enumerate() {
            judge.take_key(u64::MAX - n as u64, key);
        }
        let reading = Reading::of(&trail, &mut judge, self.keys.is_empty())?;
        if stat.kept_from > 0 {
            judge.history_is_partial();
        }
        let mut report = judge.report(from, to, Looked::All(last));
        if self.from.is_some() {
            report.notes.append(&mut report.starts);
        }
        if to > last {
            report.notes.push(format!("The trail ends at {last}: what came later is not in it."));
        }
        if stat.kept_from > 0 {
            let kept = stat.first.map(|event| event.observed.to_string()).unwrap_or_default();
            report.notes.push(format!("Entries before {} were pruned, observed before {kept}.", stat.kept_from));
        }
        report.notes.extend(reading.failing());
        let exit = exit(&report);
        let text = if self.json { format!("{:#}\n", document(&report, exit)) } else { text(&report, exit) };
        match io::stdout().lock().write_all(text.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(exit),
        }
    }

    fn span(&self, now: Stamp, last: Stamp) -> anyhow::Result<(Stamp, Stamp)> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let usage = |name: &str, error: &dyn std::fmt::Display| WrongUsage(format!("{name}: {error}"));
        let (from, _) = query::bounds(self.from.as_deref(), None, now).map_err(|error| usage("--from", &error))?;
        let (_, to) = query::bounds(None, self.to.as_deref(), now).map_err(|error| usage("--to", &error))?;
        let from = match from {
            Included(from) | Excluded(from) => from,
            Unbounded => Stamp::from_unix(0, 0),
        };
        let to = match to {
            Included(to) | Excluded(to) => to,
            Unbounded => last.minus(ON_THEIR_WAY),
        };
        if from >= to {
            return Err(WrongUsage(format!("nothing lies between {from} and {to}")).into());
        }
        Ok((from, to))
    }

    fn file_keys(&self) -> anyhow::Result<Vec<PublicKey>> {
        let mut keys = Vec::new();
        for path in &self.keys {
            keys.extend(read_keys(path).with_context(|| path.display().to_string())?);
        }
        Ok(keys)
    }
}

/// What reading the trail said of its sources.
#[derive(Debug, Default)]
struct Reading {
    /// Those that brought something of CloudTrail's.
    sources: BTreeSet<String>,
    /// What cannot be read, by source and origin, since when and why.
    failing: BTreeMap<(String, String), (Stamp, String)>,
}

impl Reading {
    fn of(trail: &Reader, judge: &mut Judge, with_keys: bool) -> anyhow::Result<Self> {
        let wanted = WANTED.map(Finder::new);
        let mut reading = Self::default();
        let mut lines = trail.lines(trail.first()?)?;
        while let Some((seq, line)) = lines.next()? {
            if !wanted.iter().any(|wanted| wanted.find(line).is_some()) {
                continue;
            }
            let Ok(event) = Event::decode(line) else { continue };
            match event.what.action.as_str() {
                action::SOURCE_FAILED | action::SOURCE_BACK => reading.note(&event),
                action::DIGEST_KEY if !with_keys => {}
                _ => {
                    reading.sources.extend(event.what.object.clone());
                    match event.raw_blob.is_some() {
                        true => judge.take(seq, &trail.event(seq)?),
                        false => judge.take(seq, &event),
                    }
                }
            }
        }
        Ok(reading)
    }

    fn note(&mut self, event: &Event) {
        let detail = event.detail.get(event.source.kind.detail_key());
        let origin = detail.and_then(|detail| detail.get("origin")?.as_str()).unwrap_or_default();
        let key = (event.what.object.clone().unwrap_or_default(), origin.to_owned());
        match event.what.action == action::SOURCE_BACK {
            true => drop(self.failing.remove(&key)),
            false => drop(
                self.failing.entry(key).or_insert_with(|| (event.observed, event.reason.clone().unwrap_or_default())),
            ),
        }
    }

    fn failing(self) -> impl Iterator<Item = String> {
        let Self { sources, failing } = self;
        let ours = failing.into_iter().filter(move |((source, _), _)| sources.contains(source));
        ours.map(|((_, origin), (since, why))| format!("{origin} could not be read since {since}: {why}"))
    }
}

fn read_keys(path: &Path) -> anyhow::Result<Vec<PublicKey>> {
    let mut text = Vec::new();
    fs::File::open(path)?.take(listed::BYTES_MAX + 1).read_to_end(&mut text)?;
    Ok(listed::read(&text)?)
}

fn exit(report: &Report) -> Exit {
    match (report.is_bad(), report.is_incomplete()) {
        (true, _) => Exit::Bad,
        (false, true) => Exit::Incomplete,
        (false, false) => Exit::Proven,
    }
}

fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Proven => "proven",
        Exit::Bad => "not as delivered",
        Exit::Incomplete | Exit::Usage => "incomplete",
    }
}

fn text(report: &Report, exit: Exit) -> String {
    let mut text = format!("{}: deliveries from {} to {}\n", word(exit).to_uppercase(), report.from, report.to);
    for place in &report.places {
        let root = escape::line(&place.root);
        text.push_str(&format!("\n{} {}  {root}\n", place.account, escape::line(&place.region)));
        for trail in &place.trails {
            let kind = if trail.backfill { "backfill digests" } else { "digests" };
            text.push_str(&format!("  {kind} of {}: {}\n", escape::line(&trail.trail), counts(&trail.digests)));
            for start in &trail.starts {
                text.push_str(&format!("    a chain begins at {start}\n"));
            }
        }
        text.push_str(&format!("  objects: {}\n", counts(&place.objects)));
        for Told { kind, origin, verdict, reason, .. } in &place.findings {
            let reason = reason.as_deref().unwrap_or_default();
            text.push_str(&format!("  {verdict:<8} {kind:<6} {}: {}\n", escape::line(origin), escape::line(reason)));
        }
    }
    for run in &report.missing {
        let of = format!("{} {} {}", run.account, escape::line(&run.region), escape::line(&run.trail));
        let reason = run.reason.as_deref().unwrap_or_default();
        text.push_str(&format!("\n{} without digest of {of}: {}\n", hours(run.hours), escape::line(reason)));
        for (from, to) in each_hour(run) {
            text.push_str(&format!("  {from} to {to}\n"));
        }
    }
    if !report.keys.is_empty() {
        text.push_str("\nproven with keys\n");
    }
    for key in &report.keys {
        let region = if key.region.is_empty() { "-" } else { &key.region };
        let (region, fingerprint) = (escape::line(region), escape::line(&key.fingerprint));
        text.push_str(&format!(
            "  {fingerprint}  {region}  {} to {}  sha256 {}\n",
            key.valid_from, key.valid_until, key.sha256
        ));
    }
    for note in report.notes.iter().chain(&report.starts) {
        text.push_str(&format!("\nnote: {}", escape::line(note)));
    }
    if !(report.notes.is_empty() && report.starts.is_empty()) {
        text.push('\n');
    }
    text
}

fn hours(hours: u64) -> String {
    if hours == 1 { "1 hour".to_owned() } else { format!("{hours} hours") }
}

fn counts(counts: &Counts) -> String {
    let Counts { verified, unlisted, altered, missing, pending } = counts;
    let all = [
        (verified, "verified"),
        (unlisted, "unlisted"),
        (altered, "altered"),
        (missing, "missing"),
        (pending, "pending"),
    ];
    let said: Vec<_> = all.iter().filter(|(n, _)| **n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if said.is_empty() { "none".to_owned() } else { said.join(", ") }
}

/// The hours of a run; a year of them is a year's list.
fn each_hour(run: &DigestsMissing) -> impl Iterator<Item = (Stamp, Stamp)> {
    let (from, to) = (run.from, run.to);
    let hour = move |n: u64| from.plus(chrono::TimeDelta::hours(i64::try_from(n).unwrap_or(i64::MAX / 3_600_000)));
    (0..run.hours).map(move |n| (hour(n), hour(n + 1).min(to)))
}

/// `docs/cloudtrail-digests.md` explains the members.
fn document(report: &Report, exit: Exit) -> Json {
    let hours: Vec<_> = report
        .missing
        .iter()
        .map(|run| {
            let hours: Vec<_> = each_hour(run).map(|(from, to)| json!({ "from": from, "to": to })).collect();
            json!({
                "account": run.account,
                "region": run.region,
                "trail": run.trail,
                "home": run.home,
                "from": run.from,
                "to": run.to,
                "count": run.hours,
                "hours": hours,
                "reason": run.reason,
            })
        })
        .collect();
    json!({
        "verdict": word(exit),
        "exit": exit as u8,
        "from": report.from,
        "to": report.to,
        "places": report.places,
        "missing": hours,
        "keys": report.keys,
        "notes": report.notes.iter().chain(&report.starts).collect::<Vec<_>>(),
    })
}
