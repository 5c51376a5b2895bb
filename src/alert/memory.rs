//! What the trail says of each alert: its state, what was judged, and whom it is still to be told.
//!
//! A view, folded from whodid's own events and stored nowhere else. Each segment of the trail begins
//! with events that restate it ([`Memory::restated`]), as it does for positions and definitions: so the
//! newest segments are enough, however old the trail is, and no index has to be there to know it.
//!
//! Invariant: folding the events that an evaluation states gives what the engine went on with.

use std::collections::{BTreeMap, BTreeSet};

use memchr::memmem;
use serde::{Deserialize, Serialize};

use crate::check::{Key, State};
use crate::event::own::action;
use crate::event::{Event, Family, Stamp};

use super::change::{self, Change, Evaluated, Fact, Group, Told};

/// Every alert that was ever evaluated, by id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory(BTreeMap<String, Recall>);

/// One alert.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recall {
    pub(super) judged: Judged,
    /// Since when the state is not known, if it is not.
    pub(super) doubt: Option<Doubt>,
    /// Those that are not OK.
    pub(super) groups: BTreeMap<Key, Firing>,
    /// Messages that some channel has neither taken nor finally refused.
    pub(super) unsent: BTreeMap<Stamp, Unsent>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Judged {
    pub(super) definition: String,
    /// The first slot judged under this definition: those before it were never due.
    pub(super) first: Option<Stamp>,
    /// The last slot that has a verdict.
    pub(super) last: Option<Stamp>,
    /// Its verdicts cover the trail up to here.
    pub(super) seen: u64,
    /// The last verdict as it was written, not known ones included.
    pub(super) written: Option<Evaluated>,
    /// The newest message that came to its end.
    pub(super) told: Option<Stamp>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Doubt {
    pub(super) since: Stamp,
    pub(super) reason: String,
    pub(super) is_told: bool,
}

/// A group that is not OK.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Firing {
    pub(super) state: State,
    pub(super) since: Stamp,
    /// As of `since`.
    pub(super) value: u64,
    /// Somebody is waiting to hear that it is over.
    pub(super) is_told: bool,
}

/// A message that is still to be sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Unsent {
    pub(super) changes: Vec<Change>,
    /// Channels it has to go to.
    pub(super) left: BTreeSet<String>,
}

/// `alert.restated`: a part of a [`Recall`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Restated {
    Judged(Judged, Option<Doubt>),
    Firing(Group, Firing),
    /// The n-th change of a message.
    Unsent {
        n: usize,
        left: BTreeSet<String>,
        change: Change,
    },
}

impl Memory {
    /// Takes a line of the trail, in the trail's order. Most are not about alerts.
    pub fn fold_line(&mut self, line: &[u8]) {
        if memmem::find(line, Family::Whodid.name().as_bytes()).is_some()
            && ACTIONS.iter().any(|action| memmem::find(line, action.as_bytes()).is_some())
            && let Ok(event) = Event::decode(line)
        {
            self.fold(&event);
        }
    }

    /// The same for an event.
    pub fn fold(&mut self, event: &Event) {
        let Some((alert, fact)) = Fact::read(event) else { return };
        let recall = self.0.entry(alert.to_owned()).or_default();
        match fact {
            Fact::Evaluated(evaluated) => recall.judged.fold(evaluated),
            Fact::Changed(change) => recall.change(change),
            Fact::Told(told) => recall.told(&told),
            Fact::Restated(restated) => recall.restate(restated),
        }
    }

    /// The events that a new segment of the trail begins with.
    pub fn restated(&self, now: Stamp) -> Vec<Event> {
        let event = |alert: &str, part: Restated| change::stated(action::ALERT_RESTATED, alert, now, &part);
        self.0
            .iter()
            .flat_map(|(alert, recall)| recall.parts().into_iter().map(move |part| event(alert, part)))
            .collect()
    }

    /// Messages that some channel has still to take.
    pub fn unsent(&self) -> u64 {
        self.0.values().map(|recall| recall.unsent.len() as u64).sum()
    }

    pub(super) fn alerts(&self) -> impl Iterator<Item = (&String, &Recall)> {
        self.0.iter()
    }

    pub fn of(&self, alert: &str) -> Option<&Recall> {
        self.0.get(alert)
    }
}

impl Recall {
    /// The state of the whole, and since when: UNKNOWN before anything was judged.
    pub fn state(&self) -> (State, Option<Stamp>) {
        if let Some(doubt) = &self.doubt {
            return (State::Unknown, Some(doubt.since));
        }
        let worst = self.groups.values().max_by_key(|group| (group.state, std::cmp::Reverse(group.since)));
        match (worst, self.judged.last) {
            (Some(worst), _) => (worst.state, Some(worst.since)),
            (None, Some(_)) => (State::Ok, None),
            (None, None) => (State::Unknown, None),
        }
    }

    /// The worst state of its groups, as far as they are known.
    pub(super) fn worst(&self) -> State {
        self.groups.values().map(|group| group.state).max().unwrap_or(State::Ok)
    }

    fn change(&mut self, change: Change) {
        if change.is_doubt() {
            self.doubt = (change.to == State::Unknown).then(|| Doubt {
                since: change.slot,
                reason: change.reason.clone().unwrap_or_default(),
                is_told: change.message.is_some(),
            });
        } else if change.to == State::Ok {
            if !change.over {
                self.groups.remove(&change.group);
            }
        } else if !change.over {
            let was_told = self.groups.get(&change.group).is_some_and(|before| before.is_told);
            let firing = Firing {
                state: change.to,
                since: change.slot,
                value: change.value,
                is_told: was_told || change.message.is_some(),
            };
            self.groups.insert(change.group.clone(), firing);
        }
        if let Some(message) = change.message.filter(|_| !change.notify.is_empty()) {
            let unsent = self.unsent.entry(message).or_default();
            unsent.left.extend(change.notify.iter().cloned());
            unsent.changes.push(change);
        }
    }

    fn told(&mut self, told: &Told) {
        self.judged.told = self.judged.told.max(Some(told.message));
        if let Some(unsent) = self.unsent.get_mut(&told.message) {
            unsent.left.remove(&told.channel);
            if unsent.left.is_empty() {
                self.unsent.remove(&told.message);
            }
        }
    }

    fn parts(&self) -> Vec<Restated> {
        let mut parts = vec![Restated::Judged(self.judged.clone(), self.doubt.clone())];
        let firing = |(group, firing): (&Key, &Firing)| Restated::Firing(Group { group: group.clone() }, *firing);
        parts.extend(self.groups.iter().map(firing));
        for unsent in self.unsent.values() {
            let part = |(n, change): (usize, &Change)| Restated::Unsent {
                n,
                left: unsent.left.clone(),
                change: change.clone(),
            };
            parts.extend(unsent.changes.iter().enumerate().map(part));
        }
        parts
    }

    /// What is restated replaces what is known, so that it may be read on top of it.
    fn restate(&mut self, part: Restated) {
        match part {
            Restated::Judged(judged, doubt) => (self.judged, self.doubt) = (judged, doubt),
            Restated::Firing(Group { group }, firing) => drop(self.groups.insert(group, firing)),
            Restated::Unsent { n, left, change } => {
                let Some(message) = change.message else { return };
                let unsent = self.unsent.entry(message).or_default();
                unsent.left = left;
                unsent.changes.truncate(n);
                unsent.changes.push(change);
            }
        }
    }
}

impl Judged {
    fn fold(&mut self, evaluated: Evaluated) {
        let from = evaluated.from.unwrap_or(evaluated.slot);
        if self.definition != evaluated.definition {
            self.definition.clone_from(&evaluated.definition);
            self.first = None;
        }
        if evaluated.state != State::Unknown {
            self.seen = self.seen.max(evaluated.seq);
            self.first = Some(self.first.map_or(from, |first| first.min(from)));
        }
        if evaluated.supersedes.is_none() {
            if evaluated.state != State::Unknown {
                // Not the newest: a clock that was ahead, and was set, must not end all evaluation.
                self.last = Some(evaluated.slot);
            }
            self.written = Some(evaluated);
        }
    }
}

const ACTIONS: [&str; 5] = [
    action::ALERT_EVALUATED,
    action::ALERT_CHANGED,
    action::ALERT_RESTATED,
    action::NOTIFY_SENT,
    action::NOTIFY_FAILED,
];
