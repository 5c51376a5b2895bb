//! The facts of one machine in the order in which they happened, and what followed from each.
//!
//! A fact that arrives late is put in its place: what came after it is taken back and done again. As much as
//! that is kept; what is older than the oldest kept fact can change nothing any more, and is counted.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::fact::{Act, At, Fact};
use super::rules::{Fold, GRACE, Verdict};
use super::state::{Changes, Key, State};
use crate::event::EventId;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Facts of one machine that later ones can still be put between.
    pub facts: usize,
    /// Open logins of one machine.
    pub logins: u64,
    /// Machines.
    pub hosts: usize,
    /// Facts of all machines.
    pub facts_of_all: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { facts: 65_536, logins: 1 << 20, hosts: 4_096, facts_of_all: 128 << 10 }
    }
}

/// Attempts with accounts that do not exist: of a connection, they come just before its login.
const STRANGERS: usize = 16_384;
const STRANGER_FOR: i64 = 120_000_000;

#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    pub(super) state: State,
    steps: VecDeque<Step>,
    /// The place of the newest fact that was let go.
    base: Option<At>,
    waiting: Vec<Arc<Fact>>,
    strangers: BTreeMap<At, (u32, Arc<str>)>,
    by_pid: BTreeSet<(u32, At)>,
    /// Facts that came too late.
    pub(super) late: u64,
}

#[derive(Debug, Clone)]
struct Step {
    fact: Arc<Fact>,
    changes: Changes,
    verdict: Verdict,
}

impl Layer {
    pub(super) fn take(&mut self, fact: &Arc<Fact>) {
        if fact.act == Act::Stranger {
            return self.take_stranger(fact);
        }
        if self.base.is_some_and(|base| fact.at <= base) {
            self.late += 1;
            return;
        }
        self.waiting.push(Arc::clone(fact));
    }

    /// Remembers it, and looks at the login again that followed on it.
    fn take_stranger(&mut self, fact: &Fact) {
        let (Some(pid), Some(user)) = (fact.pid, &fact.user) else { return };
        self.strangers.insert(fact.at, (pid, Arc::clone(user)));
        self.by_pid.insert((pid, fact.at));
        if self.strangers.len() > STRANGERS
            && let Some((at, (pid, _))) = self.strangers.pop_first()
        {
            self.by_pid.remove(&(pid, at));
        }
        let is_its = |step: &Step| step.fact.act == Act::Login && step.fact.pid == Some(pid);
        let later = self.steps.iter().rev().take_while(|step| step.fact.at > fact.at);
        if let Some(login) = later.filter(|step| is_its(step)).last() {
            let at = login.fact.at;
            self.take_back_to(at);
        }
    }

    fn was_stranger(&self, fact: &Fact) -> bool {
        let (Act::Login, Some(pid), Some(user)) = (fact.act, fact.pid, &fact.user) else { return false };
        if self.by_pid.is_empty() {
            return false;
        }
        let before = self.by_pid.range(..(pid, fact.at)).rev().take_while(|(of, _)| *of == pid);
        let recent = before.take_while(|(_, at)| at.micros >= fact.at.micros - STRANGER_FOR);
        recent.filter_map(|(_, at)| self.strangers.get(at)).any(|(_, name)| name == user)
    }

    /// Takes back everything from this place on: it waits again.
    fn take_back_to(&mut self, at: At) {
        while let Some(step) = self.steps.pop_back_if(|step| step.fact.at >= at) {
            self.state.take_back(step.changes);
            self.waiting.push(step.fact);
        }
    }

    /// Puts in its place what waits. Calls `changed` with each fact that was looked at, and what is known of it.
    pub(super) fn settle(&mut self, bounds: Bounds, mut changed: impl FnMut(&Arc<Fact>, &Verdict)) {
        let Some(first) = self.waiting.iter().map(|fact| fact.at).min() else { return };
        self.take_back_to(first);
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_unstable_by_key(|fact| fact.at);
        waiting.dedup_by_key(|fact| fact.at);
        for fact in waiting {
            let marks = self.state.marks;
            let was_stranger = self.was_stranger(&fact);
            let fold =
                Fold { state: &mut self.state, fact: &fact, logins_max: bounds.logins, was_stranger, closed: None };
            let verdict = fold.run();
            changed(&fact, &verdict);
            let changes = self.state.changes(marks);
            self.steps.push_back(Step { fact, changes, verdict });
        }
    }

    /// Lets go of the oldest facts; nothing can be put before them any more.
    pub(super) fn trim(&mut self, facts: usize) {
        while self.steps.len() > facts {
            let Some(step) = self.steps.pop_front() else { return };
            self.base = Some(step.fact.at);
            self.state.forget(&Key::Explained(step.fact.at));
        }
        if let Some(base) = self.base {
            self.state.sweep(base.micros - GRACE);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    pub(super) fn is_explained(&self, at: At) -> bool {
        self.state.get(&Key::Explained(at)).is_some()
    }

    /// What is known of a fact, while it is kept.
    pub(super) fn verdict(&self, at: At) -> Option<(&Arc<Fact>, &Verdict)> {
        let place = self.steps.binary_search_by_key(&at, |step| step.fact.at).ok()?;
        self.steps.get(place).map(|step| (&step.fact, &step.verdict))
    }

    pub(super) fn oldest(&self) -> Option<At> {
        self.steps.front().map(|step| step.fact.at)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = EventId> {
        let steps = self.steps.iter().map(|step| step.fact.at.id);
        steps.chain(self.waiting.iter().map(|fact| fact.at.id))
    }
}

/// When anything was heard of a machine, in minutes.
#[derive(Debug, Default)]
pub(super) struct Heard {
    steps: BTreeSet<i64>,
    last: Option<i64>,
}

const MINUTE: i64 = 60_000_000;

/// 40 days.
const HEARD_MAX: usize = 57_600;

/// In minutes: a machine that was not heard of for longer may have been off.
const SILENCE_MAX: i64 = 24 * 60;

impl Heard {
    /// True if that is news.
    pub(super) fn note(&mut self, micros: i64) -> bool {
        let step = micros.div_euclid(MINUTE);
        if self.last.replace(step) == Some(step) || !self.steps.insert(step) {
            return false;
        }
        if self.steps.len() > HEARD_MAX {
            self.steps.pop_first();
        }
        true
    }

    /// Whether there was something to hear both before and after, so that silence about this moment means something.
    pub(super) fn covers(&self, micros: i64) -> bool {
        let step = micros.div_euclid(MINUTE);
        let beyond = GRACE / MINUTE + 1;
        let before = self.steps.range(step - SILENCE_MAX..=step - beyond).next().is_some();
        let after = self.steps.range(step + beyond..=step + SILENCE_MAX).next().is_some();
        before && after
    }
}
