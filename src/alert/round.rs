//! One alert at one instant: which slots are due, what they say, and what to state of it.
//!
//! Due are the slots after the last verdict, those missed while whodid was down among them, and earlier
//! ones into whose windows events came in since. Nothing here is remembered: [`Recall`] goes in, events
//! and a verdict that may still wait for its like come out.

mod changes;
mod due;
mod verdicts;

use crate::check::{Question, Row, State, Unknown, rows, sweep};
use crate::event::{Event, Stamp};
use crate::index::Index;

use super::change::{Change, Evaluated};
use super::memory::Recall;
use super::track::{Judgement, SIGHTS_MAX, Step, Track};

pub(super) use due::is_ahead;
pub(super) use verdicts::Held;
use verdicts::joined;

/// How often the slots are judged again because of what came in meanwhile.
const TRIES: usize = 3;

/// An alert to evaluate.
pub(super) struct Round<'a> {
    pub(super) question: Question<'a>,
    pub(super) recall: &'a Recall,
    /// Verdicts since the last one written, which it covers.
    pub(super) held: Option<&'a Held>,
    pub(super) now: Stamp,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) events: Vec<Event>,
    pub(super) held: Option<Held>,
    /// The index may answer if it is asked again soon.
    pub(super) is_transient: bool,
}

/// What the index was asked, and said.
struct Judged {
    judgements: Vec<Judgement>,
    steps: Vec<(Step, Vec<Row>)>,
    seq: u64,
    left_out: usize,
}

impl Round<'_> {
    /// `None` when nothing is due.
    pub(super) fn run(&self, index: &dyn Index) -> Option<Outcome> {
        let last = self.question.alert.schedule.last_due(self.now)?;
        let (new, is_cut) = self.new_slots(last);
        let mut late = match self.late(index) {
            Ok(late) => late,
            Err(unknown) => return Some(self.unknown(last, &unknown)),
        };
        for rest in (0..TRIES).rev() {
            let mut slots: Vec<Stamp> = late.slots.iter().chain(&new).copied().collect();
            if slots.is_empty() && self.recall.doubt.is_some() {
                // There is an answer again.
                slots.extend(self.last());
            }
            if slots.is_empty() {
                return None;
            }
            let is_cut = is_cut || late.is_cut;
            let judged = self.judge(index, &slots).and_then(|judged| Ok((judged, self.late(index)?)));
            match judged {
                // The verdicts cover what came in between the two questions, and none of it was late.
                Ok((judged, then)) if then.hits == late.hits => return Some(self.known(judged, is_cut)),
                // Some of it was: what was not asked about is found the next time.
                Ok((judged, _)) if rest == 0 => {
                    let seq = judged.seq.min(late.complete_to);
                    return Some(self.known(Judged { seq, ..judged }, is_cut));
                }
                Ok((_, then)) => late = then,
                // One window that is too full must not hide the present one.
                Err(Unknown::TooMany { .. }) if slots.len() > 1 && !new.is_empty() => {
                    return Some(match self.judge(index, &[last]) {
                        Ok(judged) => self.skipping(judged, &slots),
                        Err(unknown) => self.unknown(last, &unknown),
                    });
                }
                Err(unknown) => return Some(self.unknown(last, &unknown)),
            }
        }
        None
    }

    fn judge(&self, index: &dyn Index, slots: &[Stamp]) -> Result<Judged, Unknown> {
        let current = self.recall.groups.iter().map(|(key, group)| (key.clone(), (group.state, group.since)));
        let mut track = Track::new(&self.question, self.last(), current);
        // Without late events there is nothing to compare with.
        let is_late = slots.first().copied() <= self.last();
        let seen = if is_late { self.seen() } else { None };
        let seq = sweep(&self.question, index, slots, seen, &mut |at| track.take(&at))?;
        let (steps, left_out) = track.kept();
        let mut sights: Vec<_> = steps.iter().rev().flat_map(|step| step.sights.iter().copied()).collect();
        sights.truncate(SIGHTS_MAX);
        let rows = rows(&self.question, index, &sights)?;
        let with_rows = |step: Step| {
            let rows = step.sights.iter().filter_map(|sight| rows.get(&sight.seq).cloned()).collect();
            (step, rows)
        };
        let steps = steps.into_iter().map(with_rows).collect();
        Ok(Judged { judgements: track.judgements, steps, seq, left_out })
    }

    /// The answer, and that it is known again.
    fn known(&self, judged: Judged, is_cut: bool) -> Outcome {
        if judged.left_out > 0 {
            let id = &self.question.alert.id;
            tracing::warn!(alert = %id, left_out = judged.left_out, "Changes of state are too many to be stated.");
        }
        let (late, new): (Vec<Judgement>, Vec<Judgement>) =
            judged.judgements.iter().partition(|judgement| judgement.before.is_some());
        let mut superseding = self.superseding(&late, judged.seq);
        let mut runs = self.runs(&new, judged.seq);
        if is_cut && let Some(first) = superseding.first_mut().or(runs.first_mut()) {
            first.cut = true;
        }
        let held = self.held.map(|held| held.evaluated.clone());
        let verdicts = match superseding.is_empty() {
            true => joined(held.into_iter().chain(runs)),
            // A verdict is written before the one that takes its place.
            false => held.into_iter().chain(superseding).chain(joined(runs)).collect(),
        };
        self.outcome(&self.changes(&judged), verdicts)
    }

    /// The last slot can be judged, those before it cannot.
    fn skipping(&self, judged: Judged, slots: &[Stamp]) -> Outcome {
        let reason = "the windows of these slots hold too many events, so the last slot alone was judged";
        let held = self.held.map(|held| held.evaluated.clone());
        let before = slots.split_last().and_then(|(_, before)| self.not_known(reason, before));
        let last = self.runs(&judged.judgements, judged.seq);
        let verdicts = held.into_iter().chain(before).chain(last).collect();
        self.outcome(&self.changes(&judged), verdicts)
    }

    /// The index could not answer: that is stated, and the slots stay due.
    fn unknown(&self, last: Stamp, unknown: &Unknown) -> Outcome {
        let reason = unknown.to_string();
        let mut changes = Vec::new();
        if self.recall.doubt.is_none() {
            let mut change = Change::new(self.recall.worst(), State::Unknown, last);
            change.reason = Some(reason.clone());
            (change.message, change.notify) = self.addressed();
            changes.push(change);
        }
        let held = self.held.map(|held| held.evaluated.clone());
        let verdict = self.not_known(&reason, &self.unsaid_slots(last));
        let is_transient = matches!(unknown, Unknown::Index(error) if error.is_transient());
        Outcome { is_transient, ..self.outcome(&changes, joined(held.into_iter().chain(verdict))) }
    }

    /// Changes go first: a start that finds them without the verdict only judges again.
    fn outcome(&self, changes: &[Change], mut verdicts: Vec<Evaluated>) -> Outcome {
        let id = &self.question.alert.id;
        let held = if changes.is_empty() { self.hold(&mut verdicts) } else { None };
        let changes = changes.iter().map(|change| change.event(id, self.now));
        let verdicts = verdicts.iter().map(|verdict| verdict.event(id, self.now));
        Outcome { events: changes.chain(verdicts).collect(), held, is_transient: false }
    }

    fn definition(&self) -> String {
        definition(&self.question)
    }
}

/// What a verdict rests on: another alert or query of the same id is another one.
pub(super) fn definition(question: &Question<'_>) -> String {
    let short = |sha256: &str| sha256.get(..DIGITS).unwrap_or(sha256).to_owned();
    format!("{}-{}", short(&question.alert.sha256), short(&question.query.sha256))
}

/// 128 bits of a hash tell definitions apart; the whole one is in the event that defined it.
const DIGITS: usize = 32;
