//! The verdicts of slots as they are written: equal ones share an event, new ones supersede.

use chrono::TimeDelta;

use super::Round;
use crate::alert::change::{Evaluated, Superseded};
use crate::alert::track::Judgement;
use crate::check::{State, Verdict};
use crate::event::Stamp;

/// For how long equal verdicts share one event.
const SHARED: TimeDelta = TimeDelta::hours(1);

/// A verdict that was not written yet, because it is the one that was written last.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::alert) struct Held {
    pub(in crate::alert) evaluated: Evaluated,
}

impl Round<'_> {
    /// The verdicts of new slots.
    pub(super) fn runs(&self, judgements: &[Judgement], seq: u64) -> Vec<Evaluated> {
        judgements.iter().map(|judgement| self.evaluated(judgement.slot, judgement.now, seq)).collect()
    }

    /// New verdicts for slots that had another; equal ones of slots that follow each other are one.
    pub(super) fn superseding(&self, judgements: &[Judgement], seq: u64) -> Vec<Evaluated> {
        let superseding = |judgement: &Judgement| {
            let before = judgement.before.filter(|before| *before != judgement.now)?;
            let mut evaluated = self.evaluated(judgement.slot, judgement.now, seq);
            evaluated.supersedes = Some(Superseded { state: before.state, value: before.value });
            Some(evaluated)
        };
        let mut joined: Vec<Evaluated> = Vec::new();
        let next_after = |slot| self.question.alert.schedule.next_after(slot);
        for run in judgements.iter().filter_map(superseding) {
            match joined.last_mut() {
                Some(last) if says_same(last, &run) && next_after(last.slot) == Some(run.slot) => extend(last, &run),
                _ => joined.push(run),
            }
        }
        joined
    }

    /// Slots that could not be judged, in the order of the schedule; none of none.
    pub(super) fn not_known(&self, reason: &str, slots: &[Stamp]) -> Option<Evaluated> {
        let (from, slot) = (*slots.first()?, *slots.last()?);
        Some(Evaluated {
            definition: self.definition(),
            from: (from != slot).then_some(from),
            slot,
            slots: slots.len() as u64,
            state: State::Unknown,
            value: None,
            firing: None,
            seq: self.recall.judged.seen,
            reason: Some(reason.to_owned()),
            supersedes: None,
            cut: false,
        })
    }

    fn evaluated(&self, slot: Stamp, verdict: Verdict, seq: u64) -> Evaluated {
        Evaluated {
            definition: self.definition(),
            from: None,
            slot,
            slots: 1,
            state: verdict.state,
            value: Some(verdict.value),
            firing: Some(verdict.firing),
            seq,
            reason: None,
            supersedes: None,
            cut: false,
        }
    }

    /// The last verdict waits for its like, if it says nothing new.
    pub(super) fn hold(&self, verdicts: &mut Vec<Evaluated>) -> Option<Held> {
        let (last, before) = verdicts.split_last()?;
        let written = before.last().or(self.recall.judged.written.as_ref())?;
        let is_near = written.slot < last.slot && last.slot.minus(SHARED) < written.slot;
        let is_held = is_near && !last.cut && last.supersedes.is_none() && says_same(written, last);
        if is_held { verdicts.pop().map(|evaluated| Held { evaluated }) } else { None }
    }
}

/// Equal verdicts that follow each other, up to an hour of them.
pub(super) fn joined(verdicts: impl IntoIterator<Item = Evaluated>) -> Vec<Evaluated> {
    let mut joined: Vec<Evaluated> = Vec::new();
    for run in verdicts {
        let is_within = |last: &Evaluated| run.slot.minus(SHARED) < last.from.unwrap_or(last.slot);
        match joined.last_mut() {
            Some(last) if !run.cut && run.slot > last.slot && says_same(last, &run) && is_within(last) => {
                extend(last, &run);
            }
            _ => joined.push(run),
        }
    }
    joined
}

fn extend(run: &mut Evaluated, by: &Evaluated) {
    run.from = run.from.or(Some(run.slot));
    run.slot = by.slot;
    run.slots += by.slots;
    run.seq = run.seq.max(by.seq);
}

fn says_same(a: &Evaluated, b: &Evaluated) -> bool {
    let said = |evaluated: &Evaluated| (evaluated.state, evaluated.value, evaluated.firing, evaluated.supersedes);
    // Why it is not known may be told in other words each time.
    said(a) == said(b) && a.definition == b.definition
}
