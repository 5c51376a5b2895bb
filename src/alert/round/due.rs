//! Which slots of an alert are due: those after its last verdict, and those that events came in for late.

use std::ops::Bound;

use chrono::TimeDelta;

use super::Round;
use crate::check::{State, Unknown};
use crate::event::link::Link;
use crate::event::own::action;
use crate::event::{Event, Stamp};
use crate::index::{Index, Search};
use crate::query::ast::Ast;
use crate::query::people::{is_link, keyed, proof};

/// Slots of one evaluation; of more the newest. A week of every minute.
const SLOTS_MAX: usize = 10_080;

/// A verdict of the future is from a clock that was wrong; one that was a little ahead is waited for.
const AHEAD: TimeDelta = TimeDelta::minutes(10);

/// What a link about a key says of calls after it.
const KEY_LASTS: TimeDelta = TimeDelta::hours(36);

fn is_about_key(event: &Event) -> bool {
    Link::of(event).is_some_and(|link| link.facts.for_key.is_some())
}

/// What came in late.
pub(super) struct Late {
    /// Oldest first.
    pub(super) slots: Vec<Stamp>,
    /// There were more.
    pub(super) is_cut: bool,
    pub(super) hits: u64,
    pub(super) complete_to: u64,
}

impl Round<'_> {
    /// The last slot that has a verdict, be it written or not.
    pub(super) fn last(&self) -> Option<Stamp> {
        let held = self.held.filter(|held| held.evaluated.state != State::Unknown).map(|held| held.evaluated.slot);
        held.max(self.recall.judged.last).filter(|last| !is_ahead(*last, self.now))
    }

    /// The slots after the last verdict; the first time only the newest.
    pub(super) fn new_slots(&self, last: Stamp) -> (Vec<Stamp>, bool) {
        match self.last() {
            Some(judged) => {
                let slots = self.question.alert.schedule.slots_between(judged, last, SLOTS_MAX);
                (slots.slots, slots.is_cut)
            }
            None => (vec![last], false),
        }
    }

    /// Those that nothing was said of yet, not even that they are not known.
    pub(super) fn unsaid_slots(&self, last: Stamp) -> Vec<Stamp> {
        let judged = &self.recall.judged;
        let written = judged.written.as_ref().map(|written| written.slot);
        let held = self.held.map(|held| held.evaluated.slot);
        match held.max(written).max(judged.last).filter(|said| !is_ahead(*said, self.now)) {
            Some(said) => self.question.alert.schedule.slots_between(said, last, SLOTS_MAX).slots,
            None => vec![last],
        }
    }

    /// What the verdicts cover; none where they are those of another definition.
    pub(super) fn seen(&self) -> Option<u64> {
        let judged = &self.recall.judged;
        let held = self.held.filter(|held| held.evaluated.state != State::Unknown).map(|held| held.evaluated.seq);
        (judged.definition == self.definition()).then(|| judged.seen.max(held.unwrap_or(0)))
    }

    /// Slots judged before into whose windows events came in since, and with them the last one.
    pub(super) fn late(&self, index: &dyn Index) -> Result<Late, Unknown> {
        let (Some(first), Some(last), Some(seen)) = (self.recall.judged.first, self.last(), self.seen()) else {
            return Ok(Late { slots: Vec::new(), is_cut: false, hits: 0, complete_to: u64::MAX });
        };
        let question = &self.question;
        let mut query = if question.is_fixed() { question.base(last) } else { question.scope() };
        let mut since = first.minus(question.reach());
        if question.is_joined() {
            // A link says anew who was behind an event, at whose time it is, or behind the calls of two days.
            query = Ast::Or(vec![query, is_link()]);
            since = keyed::since(since);
        }
        if question.is_proven() {
            query = Ast::Or(vec![query, proof::is_verdict()]);
        }
        let since = Bound::Excluded(since);
        let search = Search { query, since, until: Bound::Included(last), from_seq: seen };
        let window = question.window();
        let mut spans: Vec<(Stamp, Stamp)> = Vec::new();
        let mut hits = 0;
        let complete_to = index.each(&search, &mut |hit| {
            hits += 1;
            let when = hit.event.when;
            let (begin, end) = match hit.event.what.action.as_str() {
                action::LINK if is_about_key(&hit.event) => (when, when.plus(KEY_LASTS)),
                action::DIGEST_VERDICT => (proof::since(when), when),
                _ => (when, when),
            };
            let end = end.plus(window);
            match spans.last_mut() {
                Some(last) if begin <= last.1 => *last = (last.0.min(begin), last.1.max(end)),
                _ => spans.push((begin, end)),
            }
            true
        })?;
        let (slots, is_cut) = self.slots_in(&spans, first, last);
        Ok(Late { slots, is_cut, hits, complete_to })
    }

    /// The slots of spans in which an event counts: from its instant on, until the window has passed.
    fn slots_in(&self, spans: &[(Stamp, Stamp)], first: Stamp, last: Stamp) -> (Vec<Stamp>, bool) {
        if spans.is_empty() {
            return (Vec::new(), false);
        }
        let (mut slots, mut is_cut) = (vec![last], false);
        for (begin, end) in spans.iter().rev() {
            let most = SLOTS_MAX.saturating_sub(slots.len());
            let instant = TimeDelta::microseconds(1);
            let from = begin.minus(instant).max(first.minus(instant));
            // Spans may share a slot: the later one has it.
            let until = end.minus(instant).min(slots.last().map_or(last, |slot| slot.minus(instant)));
            let found = self.question.alert.schedule.slots_between(from, until, most);
            slots.extend(found.slots.into_iter().rev());
            is_cut |= found.is_cut;
        }
        slots.reverse();
        (slots, is_cut)
    }
}

pub(in crate::alert) fn is_ahead(slot: Stamp, now: Stamp) -> bool {
    slot.minus(AHEAD) > now
}
