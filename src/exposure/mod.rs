//! What stands open, since when, and for how long it did.
//!
//! An [`Exposures`] takes what changes opened and closed (`what.exposes`, `what.closes`) in any order, puts them in
//! the order of when they happened, and says of each opening when the last of what it let in was closed
//! (`exposure.closed`), and where openings of several calls let everybody in together (`exposure.world`). It reads
//! no clock and does no I/O; where that is kept is not its affair.
//!
//! Invariants: the newest conclusions are a function of the set of events, whatever order they arrived in, as far
//! as [`Bounds`] reach (what they let go of is counted). CloudTrail's times are whole seconds: of two changes of
//! one second the closing counts as the later one only where it cannot be the earlier one, because an opening that
//! is taken for closed is worse than one that is taken for open.

mod ledger;
mod matching;
mod said;
mod scope;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::event::{Event, Family};
use ledger::{At, Call, Ledger};
use scope::{Level, Scope};

pub use said::{Closed, Completed};
use said::{Key, Saying};

/// How much is kept, in networks and principals that were opened or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub openings: usize,
    pub closings: usize,
}

impl Default for Bounds {
    /// Some 100 MB in the worst case. Closings are kept for openings that arrive after them.
    fn default() -> Self {
        Self { openings: 200_000, closings: 100_000 }
    }
}

#[derive(Debug, Default)]
pub struct Exposures {
    bounds: Bounds,
    ledgers: BTreeMap<Scope, Ledger>,
    /// By when they happened, so that the oldest go first; with their size.
    openings: BTreeMap<At, (Scope, usize)>,
    closings: BTreeMap<At, (Scope, usize)>,
    held: (usize, usize),
    /// Ledgers whose conclusions may be others now.
    touched: BTreeSet<Scope>,
    said: HashMap<Key, Said>,
    /// What is to be said of openings that were let go before it was, and what had been said of them by then.
    parting: BTreeMap<Key, (Saying, Option<Said>)>,
    forgotten: u64,
}

#[derive(Debug, Clone, Copy)]
struct Said {
    digest: [u8; 16],
    /// Its place, once it is known.
    seq: Option<u64>,
}

impl Exposures {
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// Takes the event at a place of the trail: a change, or a conclusion that is there.
    pub fn take(&mut self, seq: u64, event: &Event) {
        match event.source.kind {
            Family::Whodid => {
                if let Some(saying) = Saying::of(event) {
                    self.hear(&saying, seq);
                    self.said.insert(saying.key, Said { digest: saying.digest, seq: Some(seq) });
                }
            }
            Family::Cloudtrail => self.take_change(seq, event),
            _ => {}
        }
    }

    /// Of an opening that is gone the trail itself may have said what is to be said of it.
    fn hear(&mut self, saying: &Saying, seq: u64) {
        match self.parting.get_mut(&saying.key) {
            // It is what was known of then.
            Some((_, Some(before))) if before.digest == saying.digest => before.seq = Some(seq),
            Some(_) => drop(self.parting.remove(&saying.key)),
            None => {}
        }
    }

    fn take_change(&mut self, seq: u64, event: &Event) {
        let what = &event.what;
        if what.exposes.is_empty() && what.closes.is_empty() {
            return;
        }
        let scope = Scope::of(event);
        let call = Arc::new(Call::of(seq, event));
        if !what.closes.is_empty() && self.closings.insert(call.at, (scope.clone(), what.closes.len())).is_none() {
            self.held.1 += what.closes.len();
            self.close(&scope, &call);
        }
        if !what.exposes.is_empty() && self.openings.insert(call.at, (scope.clone(), what.exposes.len())).is_none() {
            self.held.0 += what.exposes.len();
            let wide = scope.levels().into_iter().filter(|level| *level != scope);
            let above: Vec<_> = wide.filter_map(|level| self.ledgers.get(&level)).map(Ledger::closings).collect();
            let above: Vec<_> = above.into_iter().flatten().cloned().collect();
            let ledger = self.ledgers.entry(scope.clone()).or_default();
            ledger.open(&call, &above);
            self.touched.insert(scope.clone());
        }
        while let Some(at) = self.ledgers.get(&scope).and_then(Ledger::opening_too_many) {
            self.let_opening_go(at);
        }
        while let Some(at) = self.ledgers.get(&scope).and_then(Ledger::closing_too_many) {
            self.let_closing_go(at);
        }
        self.let_go();
        self.drop_said();
    }

    /// A closing reaches the thing itself, and what is within it.
    fn close(&mut self, scope: &Scope, call: &Arc<Call>) {
        self.ledgers.entry(scope.clone()).or_default().keep_closing(call);
        let within: Vec<_> = match scope.level() {
            Level::Thing => vec![scope.clone()],
            Level::Whole => self
                .ledgers
                .range(scope.clone()..)
                .map(|(at, _)| at.clone())
                .take_while(|at| scope.is_around(at))
                .collect(),
        };
        for at in within {
            if let Some(ledger) = self.ledgers.get_mut(&at)
                && ledger.close(call)
            {
                self.touched.insert(at);
            }
        }
    }

    /// Conclusions that are to be said now. They are taken for said.
    pub fn settle(&mut self) -> Vec<Event> {
        self.say(false)
    }

    /// Takes for granted what was said before of openings whose history may be gone.
    pub fn settle_without_history(&mut self) -> Vec<Event> {
        self.say(true)
    }

    fn say(&mut self, is_granted: bool) -> Vec<Event> {
        let mut events = Vec::new();
        for (saying, before) in std::mem::take(&mut self.parting).into_values() {
            self.say_one(&saying, before, is_granted, &mut events);
        }
        for scope in std::mem::take(&mut self.touched) {
            let Some(ledger) = self.ledgers.get_mut(&scope) else { continue };
            let (sayings, missed) = ledger.conclusions();
            self.forgotten += missed;
            for saying in sayings {
                let before = self.said.get(&saying.key).copied();
                self.say_one(&saying, before, is_granted, &mut events);
            }
        }
        self.drop_said();
        events
    }

    fn say_one(&mut self, saying: &Saying, before: Option<Said>, is_granted: bool, events: &mut Vec<Event>) {
        if !is_news(saying, before) {
            return;
        }
        let seq = before.and_then(|before| before.seq);
        self.said.insert(saying.key, Said { digest: saying.digest, seq });
        match before {
            None => events.push(saying.to_event()),
            Some(_) if is_granted => {}
            Some(before) => events.push(saying.to_correction(before.seq)),
        }
    }

    /// Changes that had to be forgotten: closings that nothing was kept for, and openings nobody closed.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn let_go(&mut self) {
        while self.held.1 > self.bounds.closings {
            let Some(at) = self.closings.keys().next().copied() else { break };
            self.let_closing_go(at);
        }
        while self.held.0 > self.bounds.openings {
            // What is closed is not missed once that is said.
            let is_over = |at: &At, scope: &Scope| self.ledgers.get(scope).is_some_and(|ledger| ledger.is_closed(*at));
            let old = self.openings.iter().take(LOOKED_AT);
            let closed = old.clone().find(|(at, (scope, _))| is_over(at, scope)).map(|(at, _)| *at);
            let Some(at) = closed.or_else(|| self.openings.keys().next().copied()) else { break };
            self.let_opening_go(at);
        }
    }

    fn let_closing_go(&mut self, at: At) {
        let Some((scope, size)) = self.closings.remove(&at) else { return };
        self.held.1 -= size;
        self.forgotten += 1;
        self.forget(&scope, |ledger| ledger.forget_closing(at));
    }

    /// What is not said of it yet is kept for the next settling: while a trail is read from its start, that is
    /// after all of it, and the trail may say it still.
    fn let_opening_go(&mut self, at: At) {
        let Some((scope, size)) = self.openings.remove(&at) else { return };
        self.held.0 -= size;
        if let Some(ledger) = self.ledgers.get(&scope) {
            self.forgotten += u64::from(!ledger.is_closed(at));
            let sayings = if self.touched.contains(&scope) { ledger.conclusions_about(at) } else { Vec::new() };
            for saying in sayings {
                let before = self.said.get(&saying.key).copied();
                if is_news(&saying, before) {
                    self.parting.insert(saying.key, (saying, before));
                }
            }
        }
        if self.parting.len() > PARTING_MAX {
            self.forgotten += u64::from(self.parting.pop_first().is_some());
        }
        self.forget(&scope, |ledger| ledger.forget_opening(at));
        for key in Key::all_about(at.id) {
            self.said.remove(&key);
        }
    }

    /// What was said of openings that are not kept, now and then: it is as many as are kept, or twice as many.
    fn drop_said(&mut self) {
        if self.said.len() <= SAID_MAX.max(self.openings.len() * 6) {
            return;
        }
        let kept: HashSet<Key> = self.openings.keys().flat_map(|at| Key::all_about(at.id)).collect();
        self.said.retain(|key, _| kept.contains(key));
    }

    fn forget(&mut self, scope: &Scope, forget: impl FnOnce(&mut Ledger)) {
        if let Some(ledger) = self.ledgers.get_mut(scope) {
            forget(ledger);
            if ledger.is_empty() {
                self.ledgers.remove(scope);
            }
        }
    }
}

fn is_news(saying: &Saying, before: Option<Said>) -> bool {
    before.map_or(saying.is_conclusion(), |before| before.digest != saying.digest)
}

/// What is to be said of openings that are gone already; a trail says it soon after.
const PARTING_MAX: usize = 10_000;

/// Conclusions that are remembered at least, with or without their opening.
const SAID_MAX: usize = 1_024;

/// The oldest openings, among which a closed one is looked for.
const LOOKED_AT: usize = 64;

#[cfg(test)]
mod tests;
