//! Which changes of state are stated, and which of them are told.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{Judged, Round};
use crate::alert::change::Change;
use crate::alert::track::{Step, standing};
use crate::check::State;
use crate::event::Stamp;

/// For how many slots a state lasted is counted so far.
const OCCURRENCES_MAX: usize = 1_000;

impl Round<'_> {
    /// The changes to state, with whom to tell of each.
    pub(super) fn changes(&self, judged: &Judged) -> Vec<Change> {
        let steps: Vec<Step> = judged.steps.iter().map(|(step, _)| step.clone()).collect();
        let stands = standing(&steps);
        let oldest = self.now.minus(TimeDelta::from_std(self.question.alert.lateness).unwrap_or(TimeDelta::MAX));
        let mut told: BTreeMap<_, bool> =
            self.recall.groups.iter().map(|(key, group)| (key.clone(), group.is_told)).collect();
        let mut changes: Vec<Change> = self.known_again(judged).into_iter().collect();
        for (i, (step, rows)) in judged.steps.iter().enumerate() {
            let was_told = told.get(&step.key).copied().unwrap_or(false);
            let is_rise = step.to > step.from;
            let is_told = match (is_rise, step.over) {
                // What is over can still be told, what goes on must be.
                (true, _) => step.slot >= oldest || stands.contains(&i),
                (false, _) => was_told,
            };
            if !step.over {
                told.insert(step.key.clone(), (was_told || is_told) && step.to != State::Ok);
            }
            let mut change = Change::new(step.from, step.to, step.slot);
            change.group.clone_from(&step.key);
            change.rows.clone_from(rows);
            (change.value, change.late, change.over) = (step.value, step.late, step.over);
            change.withheld = is_rise && !is_told;
            if let Some(since) = step.since {
                change.since = Some(since);
                change.occurrences = self.occurrences(since, step.slot);
            }
            if is_told {
                (change.message, change.notify) = self.addressed();
            }
            changes.push(change);
        }
        changes
    }

    /// The end of not knowing, told to whom its beginning was.
    fn known_again(&self, judged: &Judged) -> Option<Change> {
        let doubt = self.recall.doubt.as_ref()?;
        let judgement = judged.judgements.last()?;
        let mut change = Change::new(State::Unknown, self.recall.worst(), judgement.slot);
        change.value = judgement.now.value;
        change.since = Some(doubt.since);
        change.occurrences = self.occurrences(doubt.since, judgement.slot);
        if doubt.is_told {
            (change.message, change.notify) = self.addressed();
        }
        Some(change)
    }

    /// A message, where anybody is to be told.
    pub(super) fn addressed(&self) -> (Option<Stamp>, Vec<String>) {
        let notify = &self.question.alert.notify;
        ((!notify.is_empty()).then_some(self.now), notify.clone())
    }

    /// How many slots there were from one to before another.
    fn occurrences(&self, since: Stamp, slot: Stamp) -> u64 {
        let instant = TimeDelta::microseconds(1);
        let (after, until) = (since.minus(instant), slot.minus(instant));
        self.question.alert.schedule.slots_between(after, until, OCCURRENCES_MAX).slots.len() as u64
    }
}
