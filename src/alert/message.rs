//! What people are told: one screen of text, and the same as JSON for a webhook.
//!
//! Names, commands and addresses were written by whoever is being watched: in the text every one is
//! escaped, in the JSON they are strings and nothing else.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value as Json;

use crate::check::{GROUPS_SHOWN, Key, Question, ROWS_SHOWN, Row, State, span};
use crate::config::Config;
use crate::config::saved::Severity;
use crate::event::{Stamp, escape};

use super::change::{Change, Kind};
use super::memory::{Recall, Unsent};

/// One message to one or more channels.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// When the evaluation was that it tells of; with the alert's id its name.
    pub id: Stamp,
    pub kind: Kind,
    pub alert: String,
    pub title: String,
    pub severity: Severity,
    pub controls: Vec<String>,
    /// The machine and organisation that watch.
    pub host: String,
    pub org: String,
    /// What the state is as of this message.
    pub state: State,
    /// The worst it tells of; another than `state` where that is over.
    pub worst: State,
    /// What it tells of, worst first; at most [`GROUPS_SHOWN`].
    pub changes: Vec<Change>,
    /// How many changes it tells of.
    pub total: usize,
    /// Where it goes.
    pub channels: BTreeSet<String>,
    measure: &'static str,
    compare: &'static str,
    warn: Option<u64>,
    critical: Option<u64>,
    window: String,
    /// Id of the saved query.
    query: String,
    search: String,
}

/// The form of the JSON.
const VERSION: u8 = 1;

impl Message {
    pub(super) fn of(question: &Question<'_>, config: &Config, recall: &Recall, id: Stamp, unsent: &Unsent) -> Self {
        let (state, _) = recall.state();
        let worst = unsent.changes.iter().map(|change| change.to).max().unwrap_or(state);
        let kind = if worst == State::Ok && state == State::Ok { Kind::Resolved } else { Kind::Changed };
        let channels = unsent.left.clone();
        Self::new(question, config, Told { id, kind, state, worst, channels, changes: unsent.changes.clone() })
    }

    /// What is not OK, again.
    pub(super) fn reminder(question: &Question<'_>, config: &Config, recall: &Recall, now: Stamp) -> Self {
        let (state, _) = recall.state();
        let still = |group: &Key, state: State, since: Stamp| {
            let slot = recall.judged.last.unwrap_or(since);
            Change { group: group.clone(), since: Some(since), ..Change::new(state, state, slot) }
        };
        let groups = recall.groups.iter();
        let mut changes: Vec<Change> =
            groups.map(|(key, group)| Change { value: group.value, ..still(key, group.state, group.since) }).collect();
        if let Some(doubt) = &recall.doubt {
            let reason = Some(doubt.reason.clone());
            changes.push(Change { reason, ..still(&Key::Whole, State::Unknown, doubt.since) });
        }
        let channels = question.alert.notify.iter().cloned().collect();
        let told = Told { id: now, kind: Kind::Reminder, state, worst: state, channels, changes };
        Self::new(question, config, told)
    }

    fn new(question: &Question<'_>, config: &Config, told: Told) -> Self {
        Self::telling(question, &config.host, &config.org, told)
    }

    /// A message about nothing, for tests of what carries it.
    #[cfg(test)]
    pub(super) fn plain(question: &Question<'_>, id: Stamp, channels: &[&str]) -> Self {
        let channels = channels.iter().map(|name| (*name).to_owned()).collect();
        let (kind, state) = (Kind::Changed, State::Critical);
        let told = Told { id, kind, state, worst: state, channels, changes: Vec::new() };
        Self::telling(question, "web-1", "example.org", told)
    }

    fn telling(question: &Question<'_>, host: &str, org: &str, told: Told) -> Self {
        let (alert, query) = (question.alert, question.query);
        let Told { id, kind, state, worst, channels, mut changes } = told;
        let total = changes.len();
        changes.sort_by(|a, b| b.to.cmp(&a.to).then(b.value.cmp(&a.value)).then(a.slot.cmp(&b.slot)));
        changes.truncate(GROUPS_SHOWN);
        let first = changes.iter().map(|change| change.slot).min().unwrap_or(id).minus(question.window());
        let last = changes.iter().map(|change| change.slot).max().unwrap_or(id);
        Self {
            id,
            kind,
            alert: alert.id.clone(),
            title: query.title.clone(),
            severity: query.severity,
            controls: query.controls.clone(),
            host: host.to_owned(),
            org: org.to_owned(),
            state,
            worst,
            changes,
            total,
            channels,
            measure: question.measure_name(),
            compare: alert.compare.symbol(),
            warn: alert.limits.warn(),
            critical: alert.limits.critical(),
            window: span(alert.window),
            query: query.id.clone(),
            search: format!("whodid search --saved {} --since {first} --until {last}", query.id),
        }
    }

    /// `CRITICAL aws/root-activity: The root user was used: root@203.0.113.7 ConsoleLogin at …`
    pub fn headline(&self) -> String {
        let mut line = format!("{} {}: {}", self.shown(), self.alert, escape::line(&self.title));
        if let Some(change) = self.changes.first() {
            line.push_str(&group(&change.group));
            if let Some(row) = change.rows.first() {
                line.push_str(&format!(": {}", escape::line(&row.text())));
            } else if let Some(reason) = &change.reason {
                line.push_str(&format!(": {}", escape::line(reason)));
            }
        }
        if self.total > 1 {
            line.push_str(&format!(" (and {} more)", self.total - 1));
        }
        line
    }

    /// One screen, each line ended by a line feed.
    pub fn text(&self) -> String {
        let mut text = format!("{} {}: {}\n", self.shown(), self.alert, escape::line(&self.title));
        for change in &self.changes {
            text.push_str(&format!("\n{}\n", self.changed(change)));
            for row in change.rows.iter().take(self.rows_shown()) {
                text.push_str(&format!("  {}\n", escape::line(&row.text())));
            }
        }
        if self.total > self.changes.len() {
            text.push_str(&format!("\nand {} more\n", self.total - self.changes.len()));
        }
        text.push_str(&format!("\nNow {} on {}. To look closer:\n", self.state, escape::line(&self.host)));
        text.push_str(&format!("  {}\n  {}\n", self.search, self.check()));
        text
    }

    /// The body of a webhook.
    pub fn json(&self) -> String {
        let text = self.text();
        let body = Body {
            v: VERSION,
            message: self.id,
            kind: self.kind,
            alert: &self.alert,
            title: &self.title,
            severity: self.severity.name(),
            controls: &self.controls,
            state: self.state,
            worst: self.worst,
            host: &self.host,
            org: &self.org,
            query: &self.query,
            measure: self.measure,
            compare: self.compare,
            warn: self.warn,
            critical: self.critical,
            window: &self.window,
            changes: self.changes.iter().map(part).collect(),
            total: self.total,
            next: [self.search.clone(), self.check()],
            text: &text,
        };
        // It holds only strings, numbers and lists: it always serialises.
        let json = serde_json::to_string(&body).unwrap_or_default();
        escape::json(&json).into_owned()
    }

    /// With many groups one event of each is enough.
    fn rows_shown(&self) -> usize {
        if self.changes.len() > ROWS_SHOWN { 1 } else { ROWS_SHOWN }
    }

    /// The command that shows the events.
    pub fn next(&self) -> &str {
        &self.search
    }

    fn check(&self) -> String {
        format!("whodid check {}", self.alert)
    }

    fn shown(&self) -> String {
        match self.kind {
            Kind::Resolved => "OK again".to_owned(),
            Kind::Reminder => format!("still {}", self.worst),
            // One group is OK again, others are not.
            Kind::Changed if self.worst == State::Ok => format!("still {}", self.state),
            Kind::Changed => self.worst.to_string(),
        }
    }

    /// `CRITICAL for who.ip=203.0.113.7: 17 >= 10 in 30m at 2026-11-20T12:00:00Z, was OK`
    fn changed(&self, change: &Change) -> String {
        let mut line = format!("{}{}", change.to, group(&change.group));
        match (&change.reason, change.to) {
            (Some(reason), _) => line.push_str(&format!(": {}", escape::line(reason))),
            (None, State::Ok) => {}
            (None, to) => {
                let limit = if to == State::Critical { self.critical } else { self.warn };
                let limit = limit.map(|limit| format!(" {} {limit}", self.compare)).unwrap_or_default();
                line.push_str(&format!(": {}{limit} ({}) in {}", change.value, self.measure, self.window));
            }
        }
        match (self.kind, change.since) {
            (Kind::Reminder, Some(since)) => return format!("{line}, since {since}"),
            (_, Some(since)) => line.push_str(&format!(" at {}, was {} since {since}", change.slot, change.from)),
            (_, None) => line.push_str(&format!(" at {}, was {}", change.slot, change.from)),
        }
        if change.late {
            line.push_str("; its events came in late");
        }
        if change.over {
            line.push_str(", and it is over");
        }
        line
    }
}

/// What a message is made of besides its alert.
struct Told {
    id: Stamp,
    kind: Kind,
    state: State,
    worst: State,
    channels: BTreeSet<String>,
    changes: Vec<Change>,
}

#[derive(Serialize)]
struct Body<'m> {
    v: u8,
    message: Stamp,
    kind: Kind,
    alert: &'m str,
    title: &'m str,
    severity: &'static str,
    controls: &'m [String],
    state: State,
    worst: State,
    host: &'m str,
    org: &'m str,
    query: &'m str,
    measure: &'static str,
    compare: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    warn: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    critical: Option<u64>,
    window: &'m str,
    changes: Vec<Part<'m>>,
    total: usize,
    next: [String; 2],
    text: &'m str,
}

#[derive(Serialize)]
struct Part<'m> {
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<Json>,
    from: State,
    to: State,
    slot: Stamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Stamp>,
    occurrences: u64,
    value: u64,
    late: bool,
    over: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'m str>,
    rows: &'m [Row],
}

fn part(change: &Change) -> Part<'_> {
    Part {
        group: change.group.to_json(),
        from: change.from,
        to: change.to,
        slot: change.slot,
        since: change.since,
        occurrences: change.occurrences,
        value: change.value,
        late: change.late,
        over: change.over,
        reason: change.reason.as_deref(),
        rows: &change.rows,
    }
}

fn group(key: &Key) -> String {
    match key {
        Key::Whole => String::new(),
        key => {
            let text = key.to_string();
            let end = text.floor_char_boundary(KEY_BYTES_MAX);
            let more = if end < text.len() { "..." } else { "" };
            format!(" for {}{more}", escape::line(text.get(..end).unwrap_or_default()))
        }
    }
}

/// A longer name of a group is cut in the text; the JSON has it whole.
const KEY_BYTES_MAX: usize = 200;
