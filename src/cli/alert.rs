//! `whodid alert list|test`.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::ops::Bound;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use super::query::nearest;
use super::say;
use super::settings::Place;
use super::span::Span;
use super::table::table;
use crate::alert::history::{Fired, History, SLOTS_MAX, replay};
use crate::check::{Key, Question, span};
use crate::config::Config;
use crate::config::alert::Alert;
use crate::event::{Stamp, escape};
use crate::pipeline::views;
use crate::query::Unset;
use crate::trail::Reader;

/// List alerts, and try them on the past
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the alerts: those in the binary and those in `alerts/` beside the configuration
    List,
    /// Say when an alert would have fired, had it been there; nothing is sent or stored
    ///
    /// For example: whodid alert test linux/ssh-brute-force --since -90d
    Test {
        /// The alert
        id: String,

        #[command(flatten)]
        span: Span,
    },
}

/// Without `--since`: enough to see whether an alert is too loud.
const DAYS: i64 = 30;

impl Args {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let config = place.settings()?;
        let text = match self.command {
            Command::List => list(&config),
            Command::Test { id, span } => test(&config, &id, &span)?,
        };
        io::stdout().lock().write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

fn list(config: &Config) -> String {
    let row = |alert: &Alert| {
        let limit =
            |limit: Option<u64>| limit.map(|limit| format!("{} {limit}", alert.compare.symbol())).unwrap_or_default();
        [
            alert.id.clone(),
            alert.schedule.to_string(),
            span(alert.window),
            limit(alert.limits.warn()),
            limit(alert.limits.critical()),
            alert.notify.join(", "),
            alert.query.clone(),
        ]
    };
    let header = ["ID", "WHEN", "WINDOW", "WARN", "CRITICAL", "NOTIFY", "QUERY"];
    let unset = unset(config, |_| true).map(|(why, ids)| format!("\nnot evaluated, because {why}: {ids}\n"));
    [table(header, config.alerts.values().map(row))].into_iter().chain(unset).collect()
}

/// Alerts that are not evaluated because nobody has said what they need to know: why, and which.
pub(super) fn unset(
    config: &Config,
    is_meant: impl Fn(&Question<'_>) -> bool,
) -> impl Iterator<Item = (String, String)> {
    let mut by_reason: BTreeMap<Unset, Vec<&str>> = BTreeMap::new();
    let questions = config.alerts.values().filter_map(|alert| {
        let question = Question::new(alert, config.queries.get(&alert.query)?);
        is_meant(&question).then_some(question)
    });
    for question in questions {
        if let Err(unset) = question.answerable() {
            by_reason.entry(unset).or_default().push(&question.alert.id);
        }
    }
    by_reason.into_iter().map(|(unset, ids)| (unset.to_string(), escape::line(&ids.join(", ")).into_owned()))
}

fn test(config: &Config, id: &str, span: &Span) -> anyhow::Result<String> {
    let question = question(config, id)?;
    let now = config.clock.now();
    let (since, until) = span.bounds(now)?;
    let since = at(since).unwrap_or_else(|| now.minus(chrono::TimeDelta::days(DAYS)));
    let until = at(until).unwrap_or(now);
    let slots = question.alert.schedule.slots_between(since, until, SLOTS_MAX);
    if slots.is_cut {
        say::aside(format_args!("note: only the newest {SLOTS_MAX} evaluations are replayed"));
    }
    let index = views::searcher(config, Reader::open(&config.data)?);
    let history = replay(&question, &index, &slots.slots)?;
    Ok(told(&question, &history, (since, until)))
}

fn at(bound: Bound<Stamp>) -> Option<Stamp> {
    match bound {
        Bound::Included(at) | Bound::Excluded(at) => Some(at),
        Bound::Unbounded => None,
    }
}

fn told(question: &Question<'_>, history: &History, (since, until): (Stamp, Stamp)) -> String {
    let mut text = String::new();
    for fired in &history.changes {
        text.push_str(&change(fired));
    }
    if history.left_out > 0 {
        text.push_str(&format!("and {} more changes\n", history.left_out));
    }
    text.push_str(&format!(
        "{}: {} evaluations from {since} to {until}, {} of them not OK, {} changes of state\n",
        escape::line(&question.alert.id),
        history.slots,
        history.fired,
        history.changes.len() + history.left_out,
    ));
    text
}

fn change(fired: &Fired) -> String {
    let group = match &fired.group {
        Key::Whole => String::new(),
        key => format!(" for {}", escape::line(&key.to_string())),
    };
    let mut text = format!("{} {} -> {}{group}: {}\n", fired.slot, fired.from, fired.to, fired.value);
    for row in &fired.rows {
        text.push_str(&format!("  {}\n", escape::line(&row.text())));
    }
    text
}

/// The alert of this id with its query, or an error that says where to find the others.
pub(super) fn question<'c>(config: &'c Config, id: &str) -> anyhow::Result<Question<'c>> {
    let nearest = nearest(id, config.alerts.keys());
    let alert = config.alerts.get(id);
    let alert = alert.with_context(|| format!("no alert \"{id}\"{nearest}; `whodid alert list` lists them"))?;
    let query = config.queries.get(&alert.query).with_context(|| format!("no saved query \"{}\"", alert.query))?;
    Ok(Question::new(alert, query))
}
