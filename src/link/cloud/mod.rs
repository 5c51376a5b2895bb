//! Who is behind a temporary key of AWS: joins the call that gave it with whoever called.
//!
//! A record that gives a key (`AssumeRole` and its like) names the key and, by the caller's own key, the call before:
//! so a chain leads from a user through any number of roles and accounts, and one link about the key stands for all
//! calls that are made with it. The same call is in two accounts under one `sharedEventID`, and only that of the caller says
//! who they are: the other one, which knows an account and an id, gets a link of its own. Users of Identity Center
//! are told by an id alone in most records: those get a link by the name that they signed in with. What a service does by
//! itself has nobody behind it, and no link.
//!
//! Invariants: the newest links are a function of the set of records, whatever order they arrived in, as far as
//! nothing arrived later than what is kept ([`Bounds`]; what was let go too early is counted). A key that was let go
//! leaves its chain to those that go on from it. A circle of keys is no chain. Beyond the bounds a start may say again what
//! was said of what was let go.

mod call;
mod chain;
mod kept;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use crate::event::link::{Confidence, Facts, Link, Via};
use crate::event::{Event, EventId, Family};

use super::digest;
use call::{Call, Caller, Center, Given, Place};
use chain::Chain;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Keys, some 600 bytes each.
    pub keys: usize,
    /// Calls that more than one account has.
    pub calls: usize,
    /// Users of Identity Center, and records that name one by the id alone.
    pub users: usize,
    /// For how long after it was read.
    pub kept_micros: i64,
}

impl Default for Bounds {
    /// A session of `GetSessionToken` lasts 36 hours, others 12; as long again for what is delivered late.
    fn default() -> Self {
        Self { keys: 128 << 10, calls: 64 << 10, users: 64 << 10, kept_micros: 2 * KEY_LASTS }
    }
}

/// 36 hours.
const KEY_LASTS: i64 = 36 * 3_600_000_000;

const KEYS: usize = 0;
const CALLS: usize = 1;
const USERS: usize = 2;

/// Keys on the way from one to whoever is at the beginning.
const DEPTH_MAX: usize = 256;

/// Records of one call, or of one user, that wait for the one that says more.
const WAITING_OF_ONE: usize = 256;

/// Keys that one call gave.
const KEYS_OF_ONE: usize = 16;

/// See the module's text.
#[derive(Debug, Default)]
pub struct Keys {
    bounds: Bounds,
    given: HashMap<Arc<str>, Known>,
    calls: HashMap<Arc<str>, Shared>,
    users: HashMap<Arc<str>, User>,
    /// By key: what goes on from it.
    follow: HashMap<Arc<str>, BTreeSet<Node>>,
    /// As they came, with when they were read: keys, calls, users.
    came: [VecDeque<(i64, Node)>; 3],
    newest: i64,
    /// What may have changed since links were last asked for.
    dirty: BTreeSet<Node>,
    said: HashMap<Subject, Said>,
    pending: BTreeMap<Subject, Concluded>,
    waiting: usize,
    forgotten: u64,
}

/// What something is concluded about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Node {
    Key(Arc<str>),
    /// By `sharedEventID`.
    Call(Arc<str>),
    User(Arc<str>),
}

/// What a link is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Subject {
    Key(Arc<str>),
    Event(EventId),
}

#[derive(Debug)]
enum Known {
    Given(Box<Entry>),
    /// Only what a link said: the call is in the trail no longer, or was let go.
    Told(Arc<Chain>),
}

/// The fullest record of how a key was given.
#[derive(Debug)]
struct Entry {
    place: Place,
    caller: Arc<Caller>,
    /// Where the caller is told: the same, or in the other account.
    told: Place,
    given: Given,
    shared: Option<Arc<str>>,
    /// The chain of the caller's key, when that was let go.
    before: Option<Arc<Chain>>,
    /// The key under which it stands in [`Keys::follow`].
    follows: Option<Arc<str>>,
}

/// One call, as several accounts have it.
#[derive(Debug, Default)]
struct Shared {
    best: Option<(Place, Arc<Caller>)>,
    poor: Vec<Place>,
    keys: Vec<Arc<str>>,
    before: Option<Arc<Chain>>,
    follows: Option<Arc<str>>,
}

#[derive(Debug, Default)]
struct User {
    name: Option<(u8, Arc<str>, Place)>,
    wanting: Vec<(Place, Option<IpAddr>, Option<Arc<str>>)>,
}

#[derive(Debug, Clone, Copy)]
struct Said {
    digest: [u8; 16],
    /// The place of the link, once it is known.
    seq: Option<u64>,
}

#[derive(Debug)]
struct Concluded {
    subject: Subject,
    place: Place,
    facts: Option<Facts>,
}

impl Keys {
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// Takes the event at a place of the trail: a record, or a link that is there.
    pub fn take(&mut self, seq: u64, event: &Event) {
        if event.source.kind == Family::Whodid {
            if let Some(link) = Link::of(event).filter(|link| link.facts.is_of_cloud()) {
                self.take_link(seq, link);
            }
            return;
        }
        let Some(call) = Call::of(seq, event) else { return };
        self.newest = self.newest.max(call.place.observed.micros());
        let caller = Arc::new(call.caller);
        if let Some(center) = call.center {
            self.take_center(center, call.place, &caller);
        }
        if let Some(shared) = &call.shared {
            self.take_shared(shared, call.place, &caller, call.given.as_ref());
        }
        if let Some(given) = call.given.filter(|_| caller.told() > 0) {
            self.take_given(given, call.place, caller, call.shared);
        }
        self.let_go();
    }

    /// Links that are to be said now. They are taken for said.
    pub fn settle(&mut self) -> Vec<Link> {
        let mut concluded: Vec<Concluded> = std::mem::take(&mut self.pending).into_values().collect();
        concluded.extend(std::mem::take(&mut self.dirty).iter().flat_map(|node| self.conclude(node)));
        concluded.into_iter().filter_map(|concluded| self.news(concluded)).collect()
    }

    /// Takes for granted what was said before of what may rest on records that are gone.
    pub fn settle_without_history(&mut self) -> Vec<Link> {
        let nodes: Vec<Node> = self.dirty.iter().cloned().collect();
        for concluded in nodes.iter().flat_map(|node| self.conclude(node)).collect::<Vec<_>>() {
            if let Some(said) = self.said.get_mut(&concluded.subject) {
                said.digest = digest(&facts_or_nothing(&concluded));
            }
        }
        self.settle()
    }

    /// Keys that are known.
    pub fn held(&self) -> u64 {
        self.given.len() as u64
    }

    /// What was let go because there was too much of it, and not because it was over.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn take_link(&mut self, seq: u64, link: Link) {
        let facts = Facts { replaces: None, ..link.facts };
        let said = Said { digest: digest(&facts), seq: Some(seq) };
        let subject = match &facts.for_key {
            Some(key) => Subject::Key(Arc::from(key.as_str())),
            None => Subject::Event(link.target),
        };
        if self.pending.get(&subject).is_some_and(|waits| digest(&facts_or_nothing(waits)) == said.digest) {
            self.pending.remove(&subject);
        }
        if let Subject::Key(key) = &subject
            && !matches!(self.given.get(key), Some(Known::Given(_)))
        {
            let node = Node::Key(Arc::clone(key));
            match Chain::told(&facts) {
                Some(chain) => {
                    if self.given.insert(Arc::clone(key), Known::Told(Arc::new(chain))).is_none() {
                        self.came[KEYS].push_back((link.observed.micros(), node.clone()));
                    }
                }
                None => drop(self.given.remove(key)),
            }
            self.touch_followers(&node);
        }
        self.said.insert(subject, said);
    }

    fn take_given(&mut self, given: Given, place: Place, caller: Arc<Caller>, shared: Option<Arc<str>>) {
        let (key, node) = (Arc::clone(&given.key), Node::Key(Arc::clone(&given.key)));
        match self.given.get(&key) {
            Some(Known::Given(known)) if rank(&known.place, &known.caller) >= rank(&place, &caller) => return,
            Some(known) => {
                if let Known::Given(known) = known {
                    self.unfollow(known.follows.clone(), &node);
                }
            }
            None => self.came[KEYS].push_back((place.observed.micros(), node.clone())),
        }
        let entry = Entry { place, caller, told: place, given, shared, before: None, follows: None };
        self.given.insert(key, Known::Given(Box::new(entry)));
        self.follow(&node);
        self.touch(node);
    }

    fn take_shared(&mut self, id: &Arc<str>, place: Place, caller: &Arc<Caller>, given: Option<&Given>) {
        let node = Node::Call(Arc::clone(id));
        let call = self.calls.entry(Arc::clone(id)).or_insert_with(|| {
            self.came[CALLS].push_back((place.observed.micros(), node.clone()));
            Shared::default()
        });
        if let Some(given) = given.filter(|given| !call.keys.contains(&given.key)) {
            // One call gives one key; whoever makes records up may say otherwise.
            match call.keys.len() < KEYS_OF_ONE {
                true => call.keys.push(Arc::clone(&given.key)),
                false => self.forgotten += 1,
            }
        }
        let is_poor = caller.is_foreign && caller.key.is_none();
        if is_poor {
            match call.poor.len() < WAITING_OF_ONE {
                true => call.poor.push(place),
                false => self.forgotten += 1,
            }
        }
        let is_better = caller.told() > 1
            && call.best.as_ref().is_none_or(|(known, best)| rank(known, best) < rank(&place, caller));
        if is_better {
            call.best = Some((place, Arc::clone(caller)));
            call.before = None;
        }
        if is_better || is_poor {
            let keys = if is_better { call.keys.clone() } else { Vec::new() };
            self.follow(&node);
            self.touch(node);
            for key in keys.into_iter().map(Node::Key) {
                self.follow(&key);
                self.touch(key);
            }
        }
    }

    fn take_center(&mut self, center: Center, place: Place, caller: &Caller) {
        let node = Node::User(Arc::clone(&center.user));
        let user = self.users.entry(center.user).or_insert_with(|| {
            self.came[USERS].push_back((place.observed.micros(), node.clone()));
            User::default()
        });
        if let Some((sure, name)) = center.name {
            let rank = |sure: u8, place: &Place| (sure, std::cmp::Reverse((place.when.micros(), place.id)));
            if user.name.as_ref().is_none_or(|(known, _, at)| rank(*known, at) < rank(sure, &place)) {
                user.name = Some((sure, name, place));
                self.dirty.insert(node.clone());
            }
        }
        if center.is_wanting {
            match user.wanting.len() < WAITING_OF_ONE {
                true => {
                    user.wanting.push((place, caller.ip, caller.id.clone()));
                    self.waiting += 1;
                }
                false => {
                    // The newest ones are those that may still be asked for.
                    user.wanting.remove(0);
                    user.wanting.push((place, caller.ip, caller.id.clone()));
                }
            }
            self.dirty.insert(node);
        }
    }
}

/// What goes on from what.
impl Keys {
    /// Files a node under the key that its chain goes on from.
    fn follow(&mut self, node: &Node) {
        let (key, slot) = match node {
            Node::Key(name) => {
                let Some(Known::Given(entry)) = self.given.get(name) else { return };
                let key = self.caller_of(entry).1.key.clone();
                let Some(Known::Given(entry)) = self.given.get_mut(name) else { return };
                (key, &mut entry.follows)
            }
            Node::Call(name) => {
                let Some(call) = self.calls.get_mut(name) else { return };
                let key = call.best.as_ref().filter(|_| !call.poor.is_empty()).and_then(|(_, best)| best.key.clone());
                (key, &mut call.follows)
            }
            Node::User(_) => return,
        };
        if *slot != key {
            let before = std::mem::replace(slot, key.clone());
            self.unfollow(before, node);
            if let Some(key) = key {
                self.follow.entry(key).or_default().insert(node.clone());
            }
        }
    }

    fn unfollow(&mut self, key: Option<Arc<str>>, node: &Node) {
        let Some(key) = key else { return };
        if let Some(all) = self.follow.get_mut(&key) {
            all.remove(node);
            if all.is_empty() {
                self.follow.remove(&key);
            }
        }
    }

    /// It may have changed, and so may all that goes on from it. What is marked already has marked those.
    fn touch(&mut self, node: Node) {
        if self.dirty.insert(node.clone()) {
            self.touch_followers(&node);
        }
    }

    fn touch_followers(&mut self, node: &Node) {
        let mut rest = vec![node.clone()];
        while let Some(node) = rest.pop() {
            let Node::Key(key) = &node else { continue };
            for next in self.follow.get(key).into_iter().flatten() {
                if self.dirty.insert(next.clone()) {
                    rest.push(next.clone());
                }
            }
        }
    }
}

/// Who it was.
impl Keys {
    fn conclude(&self, node: &Node) -> Vec<Concluded> {
        match node {
            Node::Key(key) => {
                let Some(Known::Given(entry)) = self.given.get(key) else { return Vec::new() };
                let facts = self.chain_of(key).map(|chain| Facts {
                    for_key: Some(key.to_string()),
                    session: entry.given.session.as_deref().map(str::to_owned),
                    ..chain.facts(&entry.place)
                });
                vec![Concluded { subject: Subject::Key(Arc::clone(key)), place: entry.place, facts }]
            }
            Node::Call(id) => {
                let Some(call) = self.calls.get(id) else { return Vec::new() };
                let chain = call.best.as_ref().and_then(|(place, best)| {
                    let mut chain = self.chain_before(place, best, call.before.as_ref())?;
                    chain.by(Via::Shared, place);
                    Some(chain)
                });
                let of = |place: &Place| Concluded {
                    subject: Subject::Event(place.id),
                    place: *place,
                    facts: chain.as_ref().map(|chain| chain.facts(place)),
                };
                call.poor.iter().map(of).collect()
            }
            Node::User(id) => {
                let Some(user) = self.users.get(id) else { return Vec::new() };
                let of = |(place, ip, id): &(Place, Option<IpAddr>, Option<Arc<str>>)| {
                    let facts = user.name.as_ref().map(|(_, name, taught)| {
                        let mut chain = Chain::of_center(name, id.as_ref(), *ip);
                        chain.by(Via::Signin, taught);
                        chain.facts(place)
                    });
                    Concluded { subject: Subject::Event(place.id), place: *place, facts }
                };
                user.wanting.iter().map(of).collect()
            }
        }
    }

    /// The fullest that is known of whoever asked for a key.
    fn caller_of<'k>(&'k self, entry: &'k Entry) -> (&'k Place, &'k Arc<Caller>) {
        let own = (&entry.told, &entry.caller);
        let call = entry.shared.as_ref().and_then(|id| self.calls.get(id));
        match call.and_then(|call| call.best.as_ref()) {
            Some((place, best)) if rank(place, best) > rank(own.0, own.1) => (place, best),
            _ => own,
        }
    }

    /// From the beginning to whoever has the key.
    fn chain_of(&self, key: &Arc<str>) -> Option<Chain> {
        let (mut way, mut seen, mut key) = (Vec::new(), HashSet::new(), key);
        let mut chain = loop {
            let entry = match self.given.get(key)? {
                Known::Told(chain) => break Chain::clone(chain),
                Known::Given(entry) => entry,
            };
            let (place, caller) = self.caller_of(entry);
            if seen.insert(key) {
                way.push((entry, place));
            } else {
                // A circle: nobody began it.
                way.truncate(1);
                let first = way.first().map(|(entry, _)| self.caller_of(entry).1)?;
                break Chain::of(first)?;
            }
            if let Some(before) = &entry.before {
                break Chain::clone(before);
            }
            match self.key_before(&entry.place, caller).filter(|_| way.len() < DEPTH_MAX) {
                Some(before) => key = before,
                None => break Chain::of(caller)?,
            }
        };
        for (entry, caller) in way.into_iter().rev() {
            chain.by(Via::Key, &entry.place);
            if caller.id != entry.place.id {
                chain.by(Via::Shared, caller);
            }
            if let Some(hop) = &entry.given.hop {
                chain.then(hop);
            }
        }
        Some(chain)
    }

    /// The chain of whoever made a call.
    fn chain_before(&self, place: &Place, caller: &Caller, before: Option<&Arc<Chain>>) -> Option<Chain> {
        match (before, self.key_before(place, caller)) {
            (Some(before), _) => Some(Chain::clone(before)),
            (None, Some(key)) => self.chain_of(key),
            (None, None) => Chain::of(caller),
        }
    }

    /// The caller's own key, if it is known how it was given, and it was good at that time.
    fn key_before<'k>(&self, place: &Place, caller: &'k Caller) -> Option<&'k Arc<str>> {
        let key = caller.key.as_ref()?;
        let is_good = match self.given.get(key)? {
            Known::Told(_) => true,
            Known::Given(entry) => {
                let age = place.when.micros().saturating_sub(entry.place.when.micros());
                (0..=KEY_LASTS).contains(&age) && self.caller_of(entry).1.told() > 0
            }
        };
        is_good.then_some(key)
    }

    fn news(&mut self, concluded: Concluded) -> Option<Link> {
        let before = self.said.get(&concluded.subject).copied();
        if concluded.facts.is_none() && before.is_none() {
            return None;
        }
        let facts = facts_or_nothing(&concluded);
        let digest = digest(&facts);
        if before.is_some_and(|before| before.digest == digest) {
            return None;
        }
        let seq = before.and_then(|before| before.seq);
        self.said.insert(concluded.subject, Said { digest, seq });
        let Place { id, when, observed, is_suspect, .. } = concluded.place;
        Some(Link { target: id, when, observed, is_suspect, facts: Facts { replaces: seq, ..facts } })
    }
}

/// Of two records the fuller one counts, then the earlier one.
fn rank(place: &Place, caller: &Caller) -> (u8, std::cmp::Reverse<(i64, EventId)>) {
    (caller.told(), std::cmp::Reverse((place.when.micros(), place.id)))
}

/// What is to be said: that nobody is known after all, too.
fn facts_or_nothing(concluded: &Concluded) -> Facts {
    let nothing = || {
        let mut facts = Facts::new(concluded.place.seq, Confidence::Low);
        match &concluded.subject {
            Subject::Key(key) => facts.for_key = Some(key.to_string()),
            Subject::Event(_) => facts.via = vec![Via::Shared],
        }
        facts
    };
    concluded.facts.clone().unwrap_or_else(nothing)
}

#[cfg(test)]
mod tests;
