//! Who was behind what: joins a login with the terminal, the sudo and the commands that followed on it.
//!
//! A [`Joiner`] takes events of all sources in any order, keeps what they say of each machine in the order of
//! when it happened, and says what it concludes as links ([`crate::event::link`]): a link again when later
//! evidence changed the conclusion. It reads no clock and does no I/O; where links are kept is not its affair.
//!
//! Invariants: the newest links are a function of the set of events, whatever order they arrived in, as far as
//! nothing arrived later than what is kept ([`Bounds`]; what did is counted). What journald vouches for is
//! concluded from nothing else: lines that any user can write to syslog stand in a layer of their own.

pub mod cloud;
mod conclusion;
mod fact;
mod layer;
mod rules;
mod state;
mod who;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::event::link::{Confidence, Facts, Link};
use crate::event::{Event, EventId, Family};
use fact::{At, Fact};
use layer::{Heard, Layer};
use rules::Verdict;

pub use layer::Bounds;

/// Facts that wait before they are put in their places unasked.
const WAITING_MAX: usize = 16_384;

/// What Ansible did on a machine, told by another one.
const TASK: &str = "ansible.task";

/// Suspicions of one machine that are looked at again.
const SUSPECTS_MAX: usize = 4_096;

#[derive(Debug, Default)]
pub struct Joiner {
    bounds: Bounds,
    hosts: BTreeMap<Arc<str>, Host>,
    /// What was said of each fact that is kept.
    said: HashMap<EventId, Said>,
    /// What is concluded since links were last asked for.
    concluded: Conclusions,
    waiting: usize,
    /// Facts of machines beyond the bound.
    refused: u64,
}

/// What the joiner holds, and what it had to let go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    pub hosts: u64,
    pub facts: u64,
    pub logins: u64,
    /// Facts that came too late to be put in their place, or of too many machines.
    pub late: u64,
    /// Logins that were forgotten because too many were open.
    pub forgotten: u64,
}

#[derive(Debug, Default)]
struct Host {
    /// From what the kernel and journald vouch for.
    trusted: Layer,
    /// From everything; none while there is nothing else.
    all: Option<Layer>,
    heard: Heard,
    suspects: BTreeMap<At, ()>,
}

#[derive(Debug, Clone, Copy)]
struct Said {
    digest: [u8; 16],
    /// The place of the link, once it is known.
    seq: Option<u64>,
}

/// Of each machine's facts, what is known now.
#[derive(Debug, Default)]
struct Conclusions(BTreeMap<(Arc<str>, At), Concluded>);

#[derive(Debug)]
struct Concluded {
    fact: Arc<Fact>,
    facts: Option<Facts>,
}

impl Joiner {
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// Takes the event at a place of the trail: evidence, something that somebody did, or a link that is there.
    pub fn take(&mut self, seq: u64, event: &Event) {
        if event.source.kind == Family::Whodid {
            if let Some(link) = Link::of(event).filter(|link| !link.facts.is_of_cloud()) {
                let digest = digest(&Facts { replaces: None, ..link.facts });
                self.said.insert(link.target, Said { digest, seq: Some(seq) });
            }
            return;
        }
        // Anybody may hand over a task for any machine: whoever did was not on that one.
        let Some(name) = event.place.host.as_deref().filter(|_| event.what.action != TASK) else { return };
        if !self.hosts.contains_key(name) {
            if self.hosts.len() >= self.bounds.hosts {
                self.refused += 1;
                return;
            }
            self.hosts.insert(Arc::from(name), Host::default());
        }
        let Some(host) = self.hosts.get_mut(name) else { return };
        if matches!(event.source.kind.name(), "auth" | "journal") {
            host.heard.note(event.when.micros());
        }
        let Some(fact) = Fact::of(seq, event) else { return };
        host.take(Arc::new(fact));
        self.waiting += 1;
        if self.waiting >= WAITING_MAX {
            self.work();
        }
    }

    /// Links that are to be said now. They are taken for said.
    pub fn settle(&mut self) -> Vec<Link> {
        self.work();
        let concluded = std::mem::take(&mut self.concluded);
        concluded.0.into_values().filter_map(|concluded| self.news(&concluded)).collect()
    }

    /// Takes for granted what was said before of facts whose evidence may be gone: links only for facts that have none.
    pub fn settle_without_history(&mut self) -> Vec<Link> {
        self.work();
        for concluded in self.concluded.0.values() {
            if let Some(said) = self.said.get_mut(&concluded.fact.at.id) {
                said.digest = digest_of(concluded);
            }
        }
        self.settle()
    }

    pub fn held(&self) -> Held {
        let mut held = Held { hosts: self.hosts.len() as u64, late: self.refused, ..Held::default() };
        for layer in self.hosts.values().flat_map(Host::layers) {
            held.facts += layer.len() as u64;
            held.logins += layer.state.marks.open;
            held.forgotten += layer.state.marks.forgotten;
            held.late += layer.late;
        }
        held
    }

    /// Puts in their places what waits, and lets go of what is too old.
    fn work(&mut self) {
        self.waiting = 0;
        let mut facts = 0;
        for (name, host) in &mut self.hosts {
            host.settle(name, self.bounds, &self.said, &mut self.concluded);
            facts += host.layers().map(Layer::len).sum::<usize>();
        }
        let share = self.bounds.facts_of_all / self.hosts.len().max(1);
        let most = if facts > self.bounds.facts_of_all { share.min(self.bounds.facts) } else { self.bounds.facts };
        for host in self.hosts.values_mut() {
            host.trim(most);
        }
        let most = 2 * facts + WAITING_MAX;
        if self.said.len() > most || self.concluded.0.len() > most {
            self.let_go();
        }
    }

    /// Forgets what was said of facts that are not kept. What is concluded of one and not yet said may stand
    /// further on in the trail: it waits for that.
    fn let_go(&mut self) {
        let kept: HashSet<EventId> = self.hosts.values().flat_map(Host::ids).collect();
        let Self { concluded, said, .. } = self;
        concluded.0.retain(|_, concluded| {
            let id = concluded.fact.at.id;
            kept.contains(&id) || said.get(&id).is_none_or(|said| said.digest != digest_of(concluded))
        });
        let waiting: HashSet<EventId> = concluded.0.values().map(|concluded| concluded.fact.at.id).collect();
        said.retain(|id, _| kept.contains(id) || waiting.contains(id));
    }

    fn news(&mut self, concluded: &Concluded) -> Option<Link> {
        let fact = &concluded.fact;
        let before = self.said.get(&fact.at.id).copied();
        let facts = match (&concluded.facts, before) {
            (None, None) => return None,
            (facts, _) => facts.clone().unwrap_or_else(|| nothing(fact.seq)),
        };
        let digest = digest(&facts);
        if before.is_some_and(|before| before.digest == digest) {
            return None;
        }
        self.said.insert(fact.at.id, Said { digest, seq: before.and_then(|before| before.seq) });
        let (when, observed, is_suspect) = fact.stamps();
        let facts = Facts { replaces: before.and_then(|before| before.seq), ..facts };
        Some(Link { target: fact.at.id, when, observed, is_suspect, facts })
    }
}

impl Host {
    fn layers(&self) -> impl Iterator<Item = &Layer> {
        std::iter::once(&self.trusted).chain(&self.all)
    }

    fn ids(&self) -> impl Iterator<Item = EventId> {
        self.layers().flat_map(Layer::ids)
    }

    fn take(&mut self, fact: Arc<Fact>) {
        if fact.is_trusted {
            self.trusted.take(&fact);
        }
        match &mut self.all {
            Some(all) => all.take(&fact),
            None if fact.is_trusted => {}
            None => self.all.insert(self.trusted.clone()).take(&fact),
        }
    }

    fn settle(
        &mut self,
        name: &Arc<str>,
        bounds: Bounds,
        said: &HashMap<EventId, Said>,
        conclusions: &mut Conclusions,
    ) {
        let Self { trusted, all, heard, suspects } = self;
        let has_all = all.is_some();
        let mut conclude = |is_trusted_layer: bool, fact: &Arc<Fact>, verdict: &Verdict| {
            if is_trusted_layer != (fact.is_of_journal || !has_all) {
                return;
            }
            match verdict.suspicion {
                Some(_) => drop(suspects.insert(fact.at, ())),
                None => drop(suspects.remove(&fact.at)),
            }
            let facts = conclusion::of_tie(name, fact, verdict);
            conclusions.note(name, fact, facts, said);
        };
        trusted.settle(bounds, |fact, verdict| conclude(true, fact, verdict));
        if let Some(all) = all {
            all.settle(bounds, |fact, verdict| conclude(false, fact, verdict));
        }
        while suspects.len() > SUSPECTS_MAX {
            suspects.pop_first();
        }
        for at in suspects.keys() {
            let found = trusted.verdict(*at).filter(|(fact, _)| fact.is_of_journal || !has_all);
            let layer = if found.is_some() { Some(&*trusted) } else { all.as_ref() };
            let Some((layer, (fact, verdict))) = layer.and_then(|layer| Some((layer, layer.verdict(*at)?))) else {
                continue;
            };
            let Some(suspicion) = verdict.suspicion else { continue };
            let needs_silence = suspicion != state::Suspicion::LoginOfUnknownAccount;
            let holds = !layer.is_explained(*at) && (!needs_silence || heard.covers(at.micros));
            let facts = holds.then(|| conclusion::of_suspicion(name, fact, suspicion));
            conclusions.note(name, fact, facts, said);
        }
    }

    fn trim(&mut self, facts: usize) {
        let Self { trusted, all, suspects, .. } = self;
        trusted.trim(facts);
        if let Some(all) = all {
            all.trim(facts);
        }
        let oldest = all.as_ref().unwrap_or(trusted).oldest();
        if let Some(oldest) = oldest {
            *suspects = suspects.split_off(&oldest);
        }
    }
}

impl Conclusions {
    /// The last word counts; that nothing is known is only news where something was said.
    fn note(&mut self, host: &Arc<str>, fact: &Arc<Fact>, facts: Option<Facts>, said: &HashMap<EventId, Said>) {
        let key = (Arc::clone(host), fact.at);
        if facts.is_none() && !said.contains_key(&fact.at.id) {
            self.0.remove(&key);
            return;
        }
        self.0.insert(key, Concluded { fact: Arc::clone(fact), facts });
    }
}

/// That nobody is known after all.
fn nothing(seq: u64) -> Facts {
    Facts::new(seq, Confidence::Low)
}

fn digest_of(concluded: &Concluded) -> [u8; 16] {
    match &concluded.facts {
        Some(facts) => digest(facts),
        None => digest(&nothing(concluded.fact.seq)),
    }
}

fn digest(facts: &Facts) -> [u8; 16] {
    // Strings, numbers and lists: they always serialise.
    let full: [u8; 32] = Sha256::digest(serde_json::to_vec(facts).unwrap_or_default()).into();
    let mut short = [0; 16];
    short.copy_from_slice(&full[..16]);
    short
}

#[cfg(test)]
mod tests;
