//! The numbers of a window that moves forward in time, group by group.
//!
//! [`Tally::take`] is given events in the order of their time, [`Tally::advance`] moves the window's
//! end to a slot. What a step costs depends on what changed, not on how much is in the window.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;

use super::fact::Fact;
use super::question::delta;
use super::starts::{Start, Starts};
use super::sweep::{Sight, Verdict};
use super::{Key, Question, State, Unknown};
use crate::config::alert::Measure;
use crate::event::Stamp;

/// A number and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    pub value: u64,
    pub state: State,
}

/// See the module's text.
#[derive(Debug)]
pub struct Tally<'q> {
    question: Question<'q>,
    window: i64,
    /// For `new`: how long a value that left the window stays known.
    known: Option<i64>,
    starts: Option<Starts>,
    /// Oldest first.
    inside: VecDeque<Item>,
    groups: HashMap<Rc<Key>, Group>,
    /// Values outside the window that are still known, by when they were last seen.
    aging: BTreeSet<(i64, Rc<Key>, Rc<str>)>,
    /// How many groups have each number.
    values: BTreeMap<u64, usize>,
    firing: BTreeMap<Rc<Key>, Level>,
    /// Groups whose number may be another since the last slot.
    touched: BTreeSet<Rc<Key>>,
    is_changed: bool,
    /// Keys and values in memory, and their bytes.
    held: (usize, usize),
}

/// One event in one group, with one value of the measure's field.
#[derive(Debug)]
struct Item {
    when: i64,
    seq: u64,
    key: Rc<Key>,
    value: Option<Rc<str>>,
    /// Which start it is, if it is one.
    start: Option<u64>,
}

#[derive(Debug, Default)]
struct Group {
    /// In the window.
    items: u64,
    values: HashMap<Rc<str>, Seen>,
    /// How many of the values count.
    counting: u64,
    /// What was last judged.
    judged: u64,
}

/// A value of a group.
#[derive(Debug, Default)]
struct Seen {
    inside: u64,
    /// When it was last seen before the window, while it counts as known.
    left: Option<i64>,
}

/// Events of one window in memory: 40 bytes each.
pub(super) const EVENTS_MAX: usize = 1_000_000;

/// Groups and values of one window in memory.
pub(super) const KEYS_MAX: usize = 100_000;

/// What their texts may take.
pub(super) const KEY_BYTES_MAX: usize = 32 << 20;

impl<'q> Tally<'q> {
    pub(super) fn new(question: &Question<'q>) -> Self {
        let micros = |span| delta(span).num_microseconds().unwrap_or(i64::MAX);
        let mut tally = Self {
            question: *question,
            window: micros(question.alert.window),
            known: None,
            starts: None,
            inside: VecDeque::new(),
            groups: HashMap::new(),
            aging: BTreeSet::new(),
            values: BTreeMap::new(),
            firing: BTreeMap::new(),
            touched: BTreeSet::new(),
            is_changed: false,
            held: (0, 0),
        };
        match &question.alert.measure {
            Measure::Count | Measure::Distinct(_) => {}
            Measure::New { known, .. } => tally.known = Some(micros(*known)),
            Measure::Unmatched(unmatched) => tally.starts = Some(Starts::new(micros(unmatched.within), unmatched.late)),
        }
        if question.alert.by.is_empty() {
            // Without `by` there is always a number, and it may be zero.
            tally.touched.insert(Rc::new(Key::Whole));
        }
        tally
    }

    /// An event at or after those before.
    pub(super) fn take(&mut self, fact: &Fact) -> Result<(), Unknown> {
        match (&self.question.alert.measure, &mut self.starts) {
            (Measure::Unmatched(_), Some(starts)) => {
                let closed: Vec<Start> =
                    fact.finishes.iter().filter_map(|value| starts.close(fact.when, value)).collect();
                for value in fact.values.iter().filter(|_| fact.is_start) {
                    starts.open(fact.when, fact.seq, &fact.keys, value.clone());
                }
                closed.iter().for_each(|start| self.take_back(start));
            }
            (Measure::Count, _) => {
                for key in &fact.keys {
                    self.enter(Item { when: fact.when, seq: fact.seq, key: Rc::clone(key), value: None, start: None })?;
                }
            }
            _ => {
                for key in &fact.keys {
                    for value in &fact.values {
                        let (key, value) = (Rc::clone(key), value.clone());
                        self.enter(Item { when: fact.when, seq: fact.seq, key, value, start: None })?;
                    }
                }
            }
        }
        let events = self.inside.len() + self.starts.as_ref().map_or(0, Starts::len);
        if events > EVENTS_MAX {
            return Err(Unknown::TooMany { what: "events in one window", most: EVENTS_MAX });
        }
        Ok(())
    }

    /// Moves the end of the window; every event up to there was taken.
    pub(super) fn advance(&mut self, slot: Stamp) -> Result<(), Unknown> {
        let end = slot.micros();
        while let Some(start) = self.starts.as_mut().and_then(|starts| starts.pop_unmatched(end)) {
            for key in &start.keys {
                let (when, seq, number) = (start.when, start.seq, Some(start.number));
                self.enter(Item { when, seq, key: Rc::clone(key), value: None, start: number })?;
            }
        }
        let begin = end.saturating_sub(self.window);
        while self.inside.front().is_some_and(|item| item.when <= begin) {
            if let Some(item) = self.inside.pop_front() {
                self.leave(&item);
                if let (Some(number), Some(starts)) = (item.start, &mut self.starts) {
                    starts.forget(number);
                }
            }
        }
        self.forget(begin);
        self.judge();
        Ok(())
    }

    fn enter(&mut self, item: Item) -> Result<(), Unknown> {
        if !self.groups.contains_key(&item.key) {
            self.hold(item.key.bytes())?;
            *self.values.entry(0).or_default() += 1;
        }
        let group = self.groups.entry(Rc::clone(&item.key)).or_default();
        group.items += 1;
        if let Some(value) = &item.value {
            let is_new = !group.values.contains_key(value);
            group.change(value, |seen| seen.inside += 1);
            if is_new {
                self.hold(value.len())?;
            }
        }
        self.touched.insert(Rc::clone(&item.key));
        self.inside.push_back(item);
        Ok(())
    }

    fn leave(&mut self, item: &Item) {
        let Some(group) = self.groups.get_mut(&item.key) else { return };
        group.items -= 1;
        if let Some(value) = &item.value {
            let (known, aging) = (self.known.is_some(), &mut self.aging);
            let entry = |when| (when, Rc::clone(&item.key), Rc::clone(value));
            group.change(value, |seen| {
                seen.inside -= 1;
                if known {
                    if let Some(before) = seen.left.replace(item.when) {
                        aging.remove(&entry(before));
                    }
                    aging.insert(entry(item.when));
                }
            });
            self.drop_if_unused(&item.key, value);
        }
        self.touched.insert(Rc::clone(&item.key));
    }

    /// A start that was counted has its finish after all.
    fn take_back(&mut self, start: &Start) {
        let first = self.inside.partition_point(|item| item.when < start.when);
        let of_start = |item: &&Item| item.start == Some(start.number);
        let count = self.inside.iter().skip(first).take_while(|item| item.when == start.when).filter(of_start).count();
        for _ in 0..count {
            let place = self.inside.iter().skip(first).position(|item| item.start == Some(start.number));
            if let Some(item) = place.and_then(|place| self.inside.remove(first + place)) {
                self.leave(&item);
            }
        }
    }

    /// Values that were last seen too long before the window are not known any more.
    fn forget(&mut self, begin: i64) {
        let Some(known) = self.known else { return };
        let oldest = begin.saturating_sub(known);
        while self.aging.first().is_some_and(|(left, ..)| *left <= oldest) {
            let Some((_, key, value)) = self.aging.pop_first() else { return };
            if let Some(group) = self.groups.get_mut(&key) {
                group.change(&value, |seen| seen.left = None);
            }
            self.drop_if_unused(&key, &value);
            self.touched.insert(key);
        }
    }

    fn drop_if_unused(&mut self, key: &Rc<Key>, value: &Rc<str>) {
        let Some(group) = self.groups.get_mut(key) else { return };
        if group.values.get(value).is_some_and(|seen| seen.inside == 0 && seen.left.is_none()) {
            group.values.remove(value);
            self.release(value.len());
        }
    }

    fn judge(&mut self) {
        self.is_changed = false;
        for key in std::mem::take(&mut self.touched) {
            let value = match self.groups.get_mut(&key) {
                Some(group) => {
                    let value = group.value(&self.question.alert.measure);
                    move_one(&mut self.values, std::mem::replace(&mut group.judged, value), value);
                    value
                }
                None => 0,
            };
            if self.groups.get(&key).is_some_and(|group| group.items == 0 && group.values.is_empty()) {
                self.groups.remove(&key);
                take_one(&mut self.values, value);
                self.release(key.bytes());
            }
            self.set(key, Level { value, state: self.question.judge(value) });
        }
    }

    /// Without `by` the level of the whole is kept whatever it is.
    fn set(&mut self, key: Rc<Key>, level: Level) {
        let is_kept = *key == Key::Whole || level.state != State::Ok;
        let before = match is_kept {
            true => self.firing.insert(key, level),
            false => self.firing.remove(&key),
        };
        self.is_changed |= if is_kept { before != Some(level) } else { true };
    }

    fn hold(&mut self, bytes: usize) -> Result<(), Unknown> {
        self.held.0 += 1;
        self.held.1 += bytes;
        match self.held {
            (keys, _) if keys > KEYS_MAX => Err(Unknown::TooMany { what: "groups and values", most: KEYS_MAX }),
            (_, bytes) if bytes > KEY_BYTES_MAX => {
                Err(Unknown::TooMany { what: "bytes of groups and values", most: KEY_BYTES_MAX })
            }
            _ => Ok(()),
        }
    }

    fn release(&mut self, bytes: usize) {
        self.held.0 -= 1;
        self.held.1 -= bytes;
    }

    /// The groups that fire; without `by` the one, whatever its state.
    pub fn levels(&self) -> impl Iterator<Item = (&Key, Level)> {
        self.firing.iter().map(|(key, level)| (&**key, *level))
    }

    /// The state of one group: OK where nothing is known of it.
    pub fn state(&self, key: &Key) -> State {
        self.firing.get(key).map_or(State::Ok, |level| level.state)
    }

    /// Whether any number is another than at the slot before.
    pub fn is_changed(&self) -> bool {
        self.is_changed
    }

    /// The worst state, and the number behind it.
    pub fn verdict(&self) -> Verdict {
        let worst = self.firing.values().max_by_key(|level| (level.state, level.value));
        let largest = self.values.last_key_value().map_or(0, |(value, _)| *value);
        Verdict {
            state: worst.map_or(State::Ok, |level| level.state),
            value: worst.map_or(largest, |level| level.value),
            firing: self.firing.values().filter(|level| level.state != State::Ok).count() as u64,
        }
    }

    /// Where the newest events of a group are, newest first.
    pub(super) fn sights(&self, key: &Key, slot: Stamp, most: usize) -> Vec<Sight> {
        let mut sights: Vec<Sight> = Vec::new();
        for item in self.inside.iter().rev().filter(|item| *item.key == *key) {
            if sights.len() == most {
                break;
            }
            // One event may be in a group with several values.
            if sights.iter().all(|sight| sight.seq != item.seq) {
                sights.push(Sight { when: item.when, seq: item.seq, slot });
            }
        }
        sights
    }
}

impl Group {
    fn change(&mut self, value: &Rc<str>, change: impl FnOnce(&mut Seen)) {
        let seen = match self.values.get_mut(value) {
            Some(seen) => seen,
            None => self.values.entry(Rc::clone(value)).or_default(),
        };
        let before = seen.counts();
        change(seen);
        self.counting = self.counting + u64::from(seen.counts()) - u64::from(before);
    }

    fn value(&self, measure: &Measure) -> u64 {
        match measure {
            Measure::Count | Measure::Unmatched(_) => self.items,
            Measure::Distinct(_) | Measure::New { .. } => self.counting,
        }
    }
}

impl Seen {
    /// For `distinct` nothing ever counts as known.
    fn counts(&self) -> bool {
        self.inside > 0 && self.left.is_none()
    }
}

fn move_one(values: &mut BTreeMap<u64, usize>, from: u64, to: u64) {
    if from != to {
        take_one(values, from);
        *values.entry(to).or_default() += 1;
    }
}

fn take_one(values: &mut BTreeMap<u64, usize>, value: u64) {
    if let Some(count) = values.get_mut(&value) {
        *count -= 1;
        if *count == 0 {
            values.remove(&value);
        }
    }
}
