//! From the numbers at each slot to changes of state, group by group.
//!
//! Slots come oldest first. Those that had a verdict before are judged anew because events came in late:
//! there a rise is a change although it may be over by now. From the last of them on the states go on.
//!
//! Invariant: what the groups' states are at the end follows from those at the beginning and from the
//! changes that are not `over`, whatever was left out.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{GROUPS_SHOWN, Key, Level, Question, ROWS_SHOWN, Sight, State, Sweep, Tally, Verdict};
use crate::event::Stamp;

/// Groups that have a state of their own; of more, the best share one.
pub(super) const GROUPS_MAX: usize = 100;

/// A group of a longer name has none either: its events must fit into a line of the trail, whole.
const KEY_BYTES_MAX: usize = 1_024;

/// Changes of one evaluation that are stated; of more, those that led to the present and the newest.
const STEPS_MAX: usize = 1_000;

/// A change of state, before anything is known of messages.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub(super) key: Key,
    pub(super) from: State,
    pub(super) to: State,
    pub(super) slot: Stamp,
    /// When the state that is left had begun, if that is remembered.
    pub(super) since: Option<Stamp>,
    pub(super) value: u64,
    pub(super) late: bool,
    pub(super) over: bool,
    pub(super) sights: Vec<Sight>,
}

/// The verdict at a slot, and for one that was judged before the verdict it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) slot: Stamp,
    pub(super) now: Verdict,
    pub(super) before: Option<Verdict>,
}

/// See the module's text.
pub(super) struct Track<'q> {
    question: Question<'q>,
    /// The last slot that had a verdict.
    judged: Option<Stamp>,
    current: BTreeMap<Key, (State, Stamp)>,
    /// Rises of past slots that go on: how far, and the steps that said so.
    rising: BTreeMap<Key, (State, Vec<usize>)>,
    previous: Option<Stamp>,
    pub(super) steps: Vec<Step>,
    pub(super) judgements: Vec<Judgement>,
}

impl<'q> Track<'q> {
    pub(super) fn new(
        question: &Question<'q>,
        judged: Option<Stamp>,
        current: impl IntoIterator<Item = (Key, (State, Stamp))>,
    ) -> Self {
        Self {
            question: *question,
            judged,
            current: current.into_iter().collect(),
            rising: BTreeMap::new(),
            previous: None,
            steps: Vec::new(),
            judgements: Vec::new(),
        }
    }

    /// Takes the numbers at the next slot.
    pub(super) fn take(&mut self, at: &Sweep<'_, '_>) {
        let is_next = self.previous.is_some_and(|slot| self.question.alert.schedule.next_after(slot) == Some(at.slot));
        if !is_next {
            self.rising.clear();
        }
        let age = self.judged.map(|judged| at.slot.cmp(&judged));
        let before = age.filter(|age| age.is_le()).and(at.before);
        self.judgements.push(Judgement { slot: at.slot, now: at.now.verdict(), before: before.map(Tally::verdict) });
        let is_same = is_next && !at.now.is_changed();
        match (before, age) {
            (Some(before), Some(age)) if age.is_lt() => self.past(at, before),
            (_, Some(age)) if age.is_eq() => self.present(at, true),
            // As long as no number changes no state does.
            _ if !is_same => self.present(at, false),
            _ => {}
        }
        self.previous = Some(at.slot);
    }

    /// A slot that later slots followed: only what rose there is news.
    fn past(&mut self, at: &Sweep<'_, '_>, before: &Tally<'_>) {
        let mut levels = self.levels(at.now);
        let others = levels.contains_key(&Key::Others).then(|| self.levels(before).remove(&Key::Others)).flatten();
        let was = |key: &Key| match key {
            Key::Others => others.map_or(State::Ok, |level| level.state),
            key => before.state(key),
        };
        levels.retain(|key, level| level.state > was(key));
        self.rising.retain(|key, _| levels.contains_key(key));
        for (key, level) in levels {
            if self.rising.get(&key).is_some_and(|(state, _)| *state >= level.state) {
                continue;
            }
            let rising = self.rising.entry(key.clone()).or_insert((level.state, Vec::new()));
            rising.0 = level.state;
            rising.1.push(self.steps.len());
            self.steps.push(Step {
                from: was(&key),
                to: level.state,
                slot: at.slot,
                since: None,
                value: level.value,
                late: true,
                over: true,
                sights: at.sights(&key),
                key,
            });
        }
    }

    /// A slot whose states are those that go on.
    fn present(&mut self, at: &Sweep<'_, '_>, late: bool) {
        let levels = self.levels(at.now);
        let keys: BTreeSet<Key> = levels.keys().chain(self.current.keys()).cloned().collect();
        for key in keys {
            let level = levels.get(&key).copied();
            let (from, since) =
                self.current.get(&key).map_or((State::Ok, None), |(state, since)| (*state, Some(*since)));
            let to = level.map_or(State::Ok, |level| level.state);
            if to == from {
                continue;
            }
            let lasting = self.rising.remove(&key).filter(|(state, _)| *state == to);
            let begun = lasting.and_then(|(_, steps)| self.last_on(&steps, from, since));
            let begun = begun.unwrap_or_else(|| {
                let value = level.map_or_else(|| value_of(at.now, &key), |level| level.value);
                let sights = if to == State::Ok { Vec::new() } else { at.sights(&key) };
                let slot = at.slot;
                self.steps.push(Step { key: key.clone(), from, to, slot, since, value, late, over: false, sights });
                slot
            });
            match to {
                State::Ok => self.current.remove(&key),
                to => self.current.insert(key, (to, begun)),
            };
        }
        self.rising.clear();
    }

    /// A rise that was stated where it began is not over. When the present state began, if it was so.
    fn last_on(&mut self, steps: &[usize], mut from: State, mut since: Option<Stamp>) -> Option<Stamp> {
        let mut begun = None;
        for place in steps {
            let Some(step) = self.steps.get_mut(*place).filter(|step| step.to > from) else { continue };
            (step.over, step.from, step.since) = (false, from, since);
            (from, since, begun) = (step.to, Some(step.slot), Some(step.slot));
        }
        begun
    }

    /// The groups that are not OK; beyond [`GROUPS_MAX`] those that are known already go first, then the
    /// worst, and the rest is one.
    fn levels(&self, tally: &Tally<'_>) -> BTreeMap<Key, Level> {
        let firing = tally.levels().filter(|(_, level)| level.state != State::Ok);
        let (mut own, mut rest): (Vec<_>, Vec<_>) = firing.partition(|(key, _)| key.bytes() <= KEY_BYTES_MAX);
        if own.len() > GROUPS_MAX {
            let rank = |(key, level): &(&Key, Level)| (self.current.contains_key(*key), level.state, level.value);
            own.sort_by(|a, b| rank(b).cmp(&rank(a)).then_with(|| a.0.cmp(b.0)));
            rest.extend(own.drain(GROUPS_MAX..));
        }
        let worst = rest.into_iter().map(|(_, level)| level).max_by_key(|level| (level.state, level.value));
        let mut levels: BTreeMap<Key, Level> = own.into_iter().map(|(key, level)| (key.clone(), level)).collect();
        levels.extend(worst.map(|worst| (Key::Others, worst)));
        levels
    }

    /// The steps to state, and how many were left out.
    pub(super) fn kept(&mut self) -> (Vec<Step>, usize) {
        let steps = std::mem::take(&mut self.steps);
        let left_out = steps.len().saturating_sub(STEPS_MAX);
        if left_out == 0 {
            return (steps, 0);
        }
        let stands = standing(&steps);
        let newest = steps.len() - STEPS_MAX.saturating_sub(stands.len()).min(steps.len());
        let before = steps.len();
        let kept: Vec<Step> = steps
            .into_iter()
            .enumerate()
            .filter(|(i, _)| *i >= newest || stands.contains(i))
            .map(|(_, step)| step)
            .collect();
        let left_out = before - kept.len();
        (kept, left_out)
    }
}

/// Which steps led to the present state of their group.
pub(super) fn standing(steps: &[Step]) -> BTreeSet<usize> {
    let last: BTreeMap<&Key, usize> =
        steps.iter().enumerate().filter(|(_, step)| !step.over).map(|(i, step)| (&step.key, i)).collect();
    last.into_values().collect()
}

/// How many events of steps are looked up: the message shows fewer.
pub(super) const SIGHTS_MAX: usize = GROUPS_SHOWN * ROWS_SHOWN * 10;

/// A group that is OK shows no level; without groups the number is that of the whole.
fn value_of(tally: &Tally<'_>, key: &Key) -> u64 {
    match key {
        Key::Whole => tally.verdict().value,
        Key::Values(_) | Key::Others => 0,
    }
}
