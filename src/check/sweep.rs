//! Many slots of one alert in one pass over the events, oldest first.
//!
//! Two numbers are made side by side: one of all events, and one of those that an earlier pass had
//! seen. Their difference is what late arrivals changed, and nothing has to be remembered for it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use super::fact::Facts;
use super::{Key, Level, Question, ROWS_SHOWN, Row, State, Tally, Unknown};
use crate::event::Stamp;
use crate::index::{Hit, Index, Search};
use crate::query::Subject;
use crate::query::ast::Ast;

/// The numbers at one slot.
pub struct Sweep<'t, 'q> {
    pub slot: Stamp,
    pub now: &'t Tally<'q>,
    /// What was known to an earlier pass; none where nobody asked.
    pub before: Option<&'t Tally<'q>>,
}

/// The numbers of one slot in short: what a verdict is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub state: State,
    /// Of the worst group; where none fires, of the largest.
    pub value: u64,
    /// How many groups are not OK.
    pub firing: u64,
}

/// Where an event of a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    pub(super) when: i64,
    pub seq: u64,
    /// The slot at which it was found.
    pub(super) slot: Stamp,
}

impl Sweep<'_, '_> {
    /// The worst groups, and the newest events of each.
    pub fn worst(&self, most: usize) -> Vec<(Key, Level, Vec<Sight>)> {
        let mut levels: Vec<(&Key, Level)> = self.now.levels().collect();
        levels.sort_by(|a, b| (b.1.state, b.1.value).cmp(&(a.1.state, a.1.value)).then_with(|| a.0.cmp(b.0)));
        let shown = levels.into_iter().take(most);
        shown.map(|(key, level)| (key.clone(), level, self.sights(key))).collect()
    }

    pub fn sights(&self, key: &Key) -> Vec<Sight> {
        self.now.sights(key, self.slot, ROWS_SHOWN)
    }
}

/// Hands the numbers at each slot to `each`; slots come oldest first. With `seen`, the numbers of the
/// events before that place of the trail too. Returns the place that all of it is complete to.
pub fn sweep(
    question: &Question<'_>,
    index: &dyn Index,
    slots: &[Stamp],
    seen: Option<u64>,
    each: &mut dyn FnMut(Sweep<'_, '_>),
) -> Result<u64, Unknown> {
    question.answerable()?;
    let at_once = if question.is_fixed() { slots.len() } else { 1 };
    let mut complete_to = u64::MAX;
    for slots in slots.chunks(at_once.max(1)) {
        complete_to = complete_to.min(Pass::new(question, slots, seen, each).run(index)?);
    }
    Ok(complete_to)
}

/// Who was behind events is looked up for so many at a time.
const WAITING_MAX: usize = 4_096;

/// One search and the slots it serves.
struct Pass<'s, 'q> {
    question: &'s Question<'q>,
    facts: Facts<'q>,
    slots: &'s [Stamp],
    seen: u64,
    /// Events that it is not known yet who was behind; none where nobody asks for that.
    waiting: Option<Vec<Hit>>,
    now: Tally<'q>,
    before: Option<Tally<'q>>,
    each: &'s mut dyn FnMut(Sweep<'_, '_>),
}

impl<'s, 'q> Pass<'s, 'q> {
    fn new(
        question: &'s Question<'q>,
        slots: &'s [Stamp],
        seen: Option<u64>,
        each: &'s mut dyn FnMut(Sweep<'_, '_>),
    ) -> Self {
        let pair = slots.first().and_then(|slot| question.pair(*slot));
        Self {
            question,
            facts: Facts::new(question, pair),
            slots,
            seen: seen.unwrap_or(0),
            waiting: question.is_joined().then(Vec::new),
            now: Tally::new(question),
            before: seen.map(|_| Tally::new(question)),
            each,
        }
    }

    fn run(mut self, index: &dyn Index) -> Result<u64, Unknown> {
        let (Some(first), Some(last)) = (self.slots.first(), self.slots.last()) else {
            return Ok(u64::MAX);
        };
        let search = Search {
            query: self.question.base(*first),
            since: Bound::Excluded(first.minus(self.question.reach())),
            until: Bound::Included(*last),
            from_seq: 0,
        };
        let mut failure = None;
        let complete_to = index.each(&search, &mut |hit| {
            let taken = match &mut self.waiting {
                None => self.take(&hit, None),
                Some(waiting) => {
                    waiting.push(hit);
                    if waiting.len() < WAITING_MAX { Ok(()) } else { self.take_waiting(index, &search.query) }
                }
            };
            failure = taken.err();
            failure.is_none()
        })?;
        if let Some(unknown) = failure {
            return Err(unknown);
        }
        self.take_waiting(index, &search.query)?;
        self.judge_until(i64::MAX)?;
        Ok(complete_to)
    }

    /// Finds out who was behind the events that wait, as far as is known now and as was known to the earlier pass.
    ///
    /// An event that only the earlier pass found, because a later link says otherwise, is not among them.
    fn take_waiting(&mut self, index: &dyn Index, query: &Ast) -> Result<(), Unknown> {
        let Some(waiting) = &mut self.waiting else { return Ok(()) };
        let mut hits = std::mem::take(waiting);
        let mut before = if self.before.is_some() { hits.clone() } else { Vec::new() };
        index.attribute(&mut hits, u64::MAX)?;
        index.attribute(&mut before, self.seen)?;
        let mut before = before.into_iter();
        for hit in hits {
            let then = before.next();
            let then = then.filter(|then| Subject::placed(&then.event, then.seq).by(&then.by).matches(query));
            self.take(&hit, then.as_ref())?;
        }
        Ok(())
    }

    /// `before` is the same event as the earlier pass found it, where that is not how it is now.
    fn take(&mut self, hit: &Hit, before: Option<&Hit>) -> Result<(), Unknown> {
        let fact = self.facts.of(hit)?;
        self.judge_until(fact.when)?;
        self.now.take(&fact)?;
        match (&mut self.before, before) {
            (Some(_), _) if hit.seq >= self.seen => Ok(()),
            (Some(tally), None) if self.waiting.is_none() => tally.take(&fact),
            (Some(tally), Some(before)) => tally.take(&self.facts.of(before)?),
            _ => Ok(()),
        }
    }

    /// Judges the slots before an instant: all their events were taken.
    fn judge_until(&mut self, when: i64) -> Result<(), Unknown> {
        while let Some((slot, rest)) = self.slots.split_first().filter(|(slot, _)| slot.micros() < when) {
            self.slots = rest;
            self.now.advance(*slot)?;
            if let Some(before) = &mut self.before {
                before.advance(*slot)?;
            }
            (self.each)(Sweep { slot: *slot, now: &self.now, before: self.before.as_ref() });
        }
        Ok(())
    }
}

/// The events that were sighted, by their place in the trail.
pub fn rows(question: &Question<'_>, index: &dyn Index, sights: &[Sight]) -> Result<BTreeMap<u64, Row>, Unknown> {
    let mut by_slot: BTreeMap<Stamp, Vec<Sight>> = BTreeMap::new();
    for sight in sights {
        // Where every slot asks the same, one search finds all.
        let slot = if question.is_fixed() { sights.first().map_or(sight.slot, |first| first.slot) } else { sight.slot };
        by_slot.entry(slot).or_default().push(*sight);
    }
    let mut rows = BTreeMap::new();
    for (slot, sights) in by_slot {
        find(question, index, slot, &sights, &mut rows)?;
    }
    Ok(rows)
}

fn find(
    question: &Question<'_>,
    index: &dyn Index,
    slot: Stamp,
    sights: &[Sight],
    rows: &mut BTreeMap<u64, Row>,
) -> Result<(), Unknown> {
    let whens = || sights.iter().map(|sight| sight.when);
    let (Some(first), Some(last)) = (whens().min(), whens().max()) else { return Ok(()) };
    let mut wanted: BTreeSet<u64> = sights.iter().map(|sight| sight.seq).collect();
    let search = Search {
        query: question.base(slot),
        since: Bound::Included(Stamp::from_micros(first)),
        until: Bound::Included(Stamp::from_micros(last)),
        from_seq: wanted.first().copied().unwrap_or(0),
    };
    let mut found = Vec::new();
    let complete_to = index.each(&search, &mut |hit| {
        if wanted.remove(&hit.seq) {
            found.push(hit);
        }
        !wanted.is_empty()
    })?;
    index.attribute(&mut found, complete_to)?;
    rows.extend(found.iter().map(|hit| (hit.seq, Row::of(hit))));
    Ok(())
}
