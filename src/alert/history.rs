//! When an alert would have fired, had it been there: `whodid alert test NAME --since 90d`.

use crate::check::{Key, Question, Row, State, Unknown, rows, sweep};
use crate::event::Stamp;
use crate::index::Index;

use super::track::{SIGHTS_MAX, Step, Track};

/// How many slots can be replayed: three months of every minute.
pub const SLOTS_MAX: usize = 150_000;

/// A change of state that would have been.
#[derive(Debug, Clone, PartialEq)]
pub struct Fired {
    pub slot: Stamp,
    pub group: Key,
    pub from: State,
    pub to: State,
    pub value: u64,
    /// The newest of the events that would have led to it.
    pub rows: Vec<Row>,
}

/// What a replay came to.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// Oldest first.
    pub changes: Vec<Fired>,
    /// Changes beyond those that are kept.
    pub left_out: usize,
    /// How many slots were judged, and how many of them were not OK.
    pub slots: usize,
    pub fired: usize,
    /// The answer covers the trail up to here.
    pub complete_to: u64,
}

/// Judges slots as if every event had come in at its time; slots come oldest first, as
/// `alert.schedule.slots_between(since, until, SLOTS_MAX)` gives them.
pub fn replay(question: &Question<'_>, index: &dyn Index, slots: &[Stamp]) -> Result<History, Unknown> {
    let mut track = Track::new(question, None, None);
    let complete_to = sweep(question, index, slots, None, &mut |at| track.take(&at))?;
    let (steps, left_out) = track.kept();
    let mut sights: Vec<_> = steps.iter().rev().flat_map(|step| step.sights.iter().copied()).collect();
    sights.truncate(SIGHTS_MAX);
    let rows = rows(question, index, &sights)?;
    let fired = |step: Step| Fired {
        rows: step.sights.iter().filter_map(|sight| rows.get(&sight.seq).cloned()).collect(),
        slot: step.slot,
        group: step.key,
        from: step.from,
        to: step.to,
        value: step.value,
    };
    Ok(History {
        changes: steps.into_iter().map(fired).collect(),
        left_out,
        slots: track.judgements.len(),
        fired: track.judgements.iter().filter(|judgement| judgement.now.state != State::Ok).count(),
        complete_to,
    })
}
