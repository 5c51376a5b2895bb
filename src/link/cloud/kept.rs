//! What is kept of keys, calls and users, and what is let go: whatever is over, and the first ones of too many.
//!
//! Invariant: what goes on from something that is let go takes over what it needs of it.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Keys, Known, Node, Subject, facts_or_nothing, rank};
use crate::event::EventId;
use crate::link::digest;

/// What is concluded of what was let go, and may be said further on in the trail.
const PENDING_MAX: usize = 64 << 10;

/// What was said of what was let go is remembered for so many: a late double of its record says nothing new then.
const SAID_MAX: usize = 64 << 10;

impl Keys {
    pub(super) fn let_go(&mut self) {
        for kind in 0..self.came.len() {
            while let Some(node) = self.oldest(kind) {
                self.forget(&node);
            }
        }
        let held = self.given.len() + self.calls.len() + self.waiting;
        if self.said.len() > held + self.pending.len() + SAID_MAX {
            self.forget_said();
        }
    }

    /// What of a kind has to go next: keys and calls that are over, and of all kinds the first ones of too many.
    fn oldest(&mut self, kind: usize) -> Option<Node> {
        let (read, node) = self.came.get(kind)?.front()?;
        let (is_much, lasts) = match node {
            Node::Key(_) => (self.given.len() > self.bounds.keys, self.bounds.kept_micros),
            Node::Call(_) => (self.calls.len() > self.bounds.calls, self.bounds.kept_micros),
            // Who a user is stays true.
            Node::User(_) => (self.users.len() + self.waiting > self.bounds.users, i64::MAX),
        };
        let is_over = *read < self.newest.saturating_sub(lasts);
        if !is_much && !is_over {
            return None;
        }
        self.forgotten += u64::from(!is_over);
        self.came.get_mut(kind)?.pop_front().map(|(_, node)| node)
    }

    fn forget(&mut self, node: &Node) {
        if self.dirty.remove(node) {
            for concluded in self.conclude(node) {
                let is_said = match (&concluded.facts, self.said.get(&concluded.subject)) {
                    (None, None) => true,
                    (_, said) => said.is_some_and(|said| said.digest == digest(&facts_or_nothing(&concluded))),
                };
                if !is_said {
                    self.pending.insert(concluded.subject.clone(), concluded);
                }
            }
            while self.pending.len() > PENDING_MAX {
                self.pending.pop_first();
                self.forgotten += 1;
            }
        }
        match node {
            Node::Key(key) => self.forget_key(key),
            Node::Call(id) => self.forget_call(id),
            Node::User(user) => {
                let wanting = self.users.remove(user).map_or(0, |user| user.wanting.len());
                self.waiting = self.waiting.saturating_sub(wanting);
            }
        }
    }

    /// What goes on from it takes its chain over.
    fn forget_key(&mut self, key: &Arc<str>) {
        let chain = self.chain_of(key).map(Arc::new);
        for node in self.follow.remove(key).unwrap_or_default() {
            match &node {
                Node::Key(next) => {
                    let goes_on = match self.given.get(next) {
                        Some(Known::Given(entry)) => {
                            self.key_before(&entry.place, self.caller_of(entry).1).is_some_and(|before| before == key)
                        }
                        _ => false,
                    };
                    if let Some(Known::Given(entry)) = self.given.get_mut(next) {
                        entry.follows = None;
                        if goes_on && entry.before.is_none() {
                            entry.before.clone_from(&chain);
                        }
                    }
                }
                Node::Call(id) => {
                    let best = self.calls.get(id).and_then(|call| call.best.as_ref());
                    let goes_on = best.is_some_and(|(place, best)| self.key_before(place, best).is_some());
                    if let Some(call) = self.calls.get_mut(id) {
                        call.follows = None;
                        if goes_on && call.before.is_none() {
                            call.before.clone_from(&chain);
                        }
                    }
                }
                Node::User(_) => {}
            }
        }
        if let Some(Known::Given(entry)) = self.given.remove(key) {
            self.unfollow(entry.follows, &Node::Key(Arc::clone(key)));
        }
    }

    /// The keys that the call gave keep its best caller.
    fn forget_call(&mut self, id: &Arc<str>) {
        let Some(call) = self.calls.remove(id) else { return };
        self.unfollow(call.follows, &Node::Call(Arc::clone(id)));
        let Some((place, best)) = call.best else { return };
        for key in &call.keys {
            if let Some(Known::Given(entry)) = self.given.get_mut(key)
                && rank(&entry.told, &entry.caller) < rank(&place, &best)
            {
                (entry.told, entry.caller) = (place, Arc::clone(&best));
            }
        }
    }

    /// Forgets what was said of what is not kept.
    fn forget_said(&mut self) {
        let poor = self.calls.values().flat_map(|call| call.poor.iter());
        let wanting = self.users.values().flat_map(|user| user.wanting.iter().map(|(place, ..)| place));
        let events: HashSet<EventId> = poor.chain(wanting).map(|place| place.id).collect();
        let Self { said, given, pending, .. } = self;
        said.retain(|subject, _| {
            let is_kept = match subject {
                Subject::Key(key) => given.contains_key(key),
                Subject::Event(id) => events.contains(id),
            };
            is_kept || pending.contains_key(subject)
        });
    }
}
