//! A query's answer held against an alert's limits: a [`Finding`], with the numbers that decided.
//!
//! [`check`] answers for the window that ends now, as `whodid check NAME` does; [`sweep`] goes through
//! many slots in one pass over the events, for catching up, late arrivals and replays. Nothing here
//! remembers anything or tells anybody: that is `alert`.
//!
//! Invariants: what could not be answered is [`State::Unknown`] with its reason, never OK; memory is
//! bounded by named limits, and beyond one the answer is unknown, never a wrong number.

mod fact;
mod key;
mod line;
mod question;
mod row;
mod starts;
pub mod status;
mod sweep;
mod tally;
mod unknown;

pub use key::{Key, Part};
pub use line::{line, span, summary};
pub use question::Question;
pub use row::Row;
pub use status::{Freshness, Status};
pub use sweep::{Sight, Sweep, Verdict, rows, sweep};
pub use tally::{Level, Tally};
pub use unknown::Unknown;

use std::ops::Bound;

use crate::config::alert::Measure;
use crate::event::Stamp;
use crate::index::{Index, Search};

/// How bad it is, least first. A state that is not known may hide any other but a critical one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    Ok,
    Warning,
    Unknown,
    Critical,
}

impl State {
    /// The exit code that Nagios, Sensu and their kin read.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Unknown => "UNKNOWN",
            Self::Critical => "CRITICAL",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What is known about one alert at the end of one window.
#[derive(Debug)]
pub struct Finding {
    /// The window is (slot - window, slot].
    pub slot: Stamp,
    pub answer: Result<Answer, Unknown>,
}

/// The numbers, and who is behind them.
#[derive(Debug)]
pub struct Answer {
    pub verdict: Verdict,
    /// Worst first, at most [`GROUPS_SHOWN`] of those that fire; without `by` always the one.
    pub groups: Vec<Group>,
    /// The answer covers the trail up to here.
    pub complete_to: u64,
    /// What may be missing, where that cannot make it better.
    pub doubt: Option<Unknown>,
}

/// One group of events and its number.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    pub key: Key,
    pub level: Level,
    /// The newest of its events, newest first.
    pub rows: Vec<Row>,
}

/// Of more groups only the number is shown: a message is read by a person.
pub const GROUPS_SHOWN: usize = 10;

/// Events shown for each group.
pub const ROWS_SHOWN: usize = 3;

impl Finding {
    pub fn state(&self) -> State {
        self.answer.as_ref().map_or(State::Unknown, |answer| answer.verdict.state)
    }
}

/// Everything `whodid check` says: the answer for the window that ends now, and whether it can be trusted.
pub fn check(question: &Question<'_>, index: &dyn Index, freshness: &Freshness<'_>) -> Finding {
    let now = freshness.now;
    match freshness.judge(question, index) {
        Err(doubt) if !doubt.leaves_answers() => Finding { slot: now, answer: Err(doubt) },
        judged => doubted(question, evaluate(question, index, now), judged.err()),
    }
}

/// More events than are known can only make a growing number worse: what is critical stays so.
fn doubted(question: &Question<'_>, finding: Finding, doubt: Option<Unknown>) -> Finding {
    let Some(doubt) = doubt else { return finding };
    let answer = match finding.answer {
        Ok(answer) if answer.verdict.state == State::Critical && question.only_grows() => {
            Ok(Answer { doubt: Some(doubt), ..answer })
        }
        Ok(_) => Err(doubt),
        Err(unknown) => Err(unknown),
    };
    Finding { answer, ..finding }
}

/// The answer of the index for the window that ends at `slot`.
pub fn evaluate(question: &Question<'_>, index: &dyn Index, slot: Stamp) -> Finding {
    let is_plain = question.alert.by.is_empty() && question.alert.measure == Measure::Count;
    if let Err(unset) = question.answerable() {
        return Finding { slot, answer: Err(unset.into()) };
    }
    let answer = if is_plain { count(question, index, slot) } else { tally(question, index, slot) };
    Finding { slot, answer }
}

/// A plain number needs no events in memory, however many there are.
fn count(question: &Question<'_>, index: &dyn Index, slot: Stamp) -> Result<Answer, Unknown> {
    let search = Search {
        query: question.base(slot),
        since: Bound::Excluded(slot.minus(question.window())),
        until: Bound::Included(slot),
        from_seq: 0,
    };
    let mut hits = index.search(&search, ROWS_SHOWN)?;
    index.attribute(&mut hits.newest, hits.complete_to)?;
    let level = Level { value: hits.total, state: question.judge(hits.total) };
    let group = Group { key: Key::Whole, level, rows: hits.newest.iter().map(Row::of).collect() };
    let verdict = Verdict { state: level.state, value: level.value, firing: u64::from(level.state != State::Ok) };
    Ok(Answer { verdict, groups: vec![group], complete_to: hits.complete_to, doubt: None })
}

fn tally(question: &Question<'_>, index: &dyn Index, slot: Stamp) -> Result<Answer, Unknown> {
    let mut found = None;
    let complete_to = sweep(question, index, &[slot], None, &mut |at| {
        found = Some((at.now.verdict(), at.worst(GROUPS_SHOWN)));
    })?;
    let Some((verdict, worst)) = found else { return Err(Unknown::Slot(slot)) };
    let sights: Vec<Sight> = worst.iter().flat_map(|(_, _, sights)| sights.iter().copied()).collect();
    let rows = rows(question, index, &sights)?;
    let groups = worst.into_iter().map(|(key, level, sights)| Group {
        key,
        level,
        rows: sights.iter().filter_map(|sight| rows.get(&sight.seq).cloned()).collect(),
    });
    Ok(Answer { verdict, groups: groups.collect(), complete_to, doubt: None })
}

#[cfg(test)]
pub(crate) mod bench;
#[cfg(test)]
mod tests;
