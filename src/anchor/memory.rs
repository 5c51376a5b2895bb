//! What the trail says of each anchor: whether it was failing, and since when.
//!
//! Folded from whodid's own events, so that a restart neither tells a failure twice nor forgets that one is over.

use std::collections::BTreeMap;

use memchr::memmem;
use serde::Deserialize;

use super::standing::{Failing, Standing};
use crate::config;
use crate::event::own::action;
use crate::event::{Event, Family, Stamp};

/// The anchors that were failing, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory(BTreeMap<String, Standing>);

/// What all actions about anchors begin with.
const ABOUT: &[u8] = b"anchor.";

/// `detail.whodid` of those events.
#[derive(Deserialize)]
struct Facts {
    #[serde(rename = "type")]
    kind: String,
    to: String,
    sent: Option<u64>,
    since: Stamp,
    count: u64,
    told: Option<Stamp>,
    error: String,
    #[serde(default)]
    conflict: bool,
}

impl Memory {
    /// Takes a line of the trail, in the trail's order. Most are not about anchors.
    pub fn fold_line(&mut self, line: &[u8]) {
        if memmem::find(line, ABOUT).is_some()
            && memmem::find(line, Family::Whodid.name().as_bytes()).is_some()
            && let Ok(event) = Event::decode(line)
        {
            self.fold(&event);
        }
    }

    /// The same for an event.
    pub fn fold(&mut self, event: &Event) {
        let Some(name) = event.what.object.as_ref().filter(|_| event.source.kind == Family::Whodid) else { return };
        match event.what.action.as_str() {
            action::ANCHOR_BACK => drop(self.0.remove(name)),
            action::ANCHOR_FAILED | action::ANCHOR_CONFLICT | action::ANCHOR_RESTATED => {
                let facts = event.detail.get("whodid").and_then(|facts| Facts::deserialize(facts).ok());
                if let Some(Facts { kind, to, sent, since, count, told, error, conflict }) = facts {
                    let failing = Some(Failing { since, count, error, told, is_conflict: conflict });
                    let standing = Standing { kind, to, size: sent, failing, ..Standing::default() };
                    self.0.insert(name.clone(), standing);
                }
            }
            _ => {}
        }
    }

    /// How an anchor was when the trail was told last.
    pub fn failing(&self, name: &str) -> Option<Failing> {
        self.0.get(name)?.failing.clone()
    }

    /// Forgets those that are not configured any more: nobody will ever say that they are back.
    pub fn keep(&mut self, anchors: &[config::Anchor]) {
        self.0.retain(|name, _| anchors.iter().any(|anchor| anchor.name == *name));
    }

    /// The events that a new segment of the trail begins with.
    pub fn restated(&self, now: Stamp) -> Vec<Event> {
        self.0.iter().map(|(name, standing)| standing.event(name, action::ANCHOR_RESTATED, now)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anchor::AnchorError;
    use crate::event;

    fn at(time: &str) -> Stamp {
        Stamp::parse(&format!("2026-11-20T{time}Z")).expect("an instant")
    }

    #[test]
    fn the_trail_says_what_was_known() {
        let mut standing = Standing { kind: "file".to_owned(), to: "/mnt/x".to_owned(), ..Standing::default() };
        let failed = standing.failed("vault", Some(7), &AnchorError::Gone, at("10:00:00")).expect("an event");
        let mut memory = Memory::default();
        let line = |mut event: Event| event::encode(&mut event).0;
        memory.fold_line(&line(failed));
        assert_eq!(memory.failing("vault"), standing.failing);
        let mut restated = Memory::default();
        for event in memory.restated(at("11:00:00")) {
            restated.fold_line(&line(event));
        }
        assert_eq!(restated, memory);
        let back = standing.took("vault", 8, at("11:30:00")).expect("an event");
        memory.fold_line(&line(back));
        assert_eq!(memory, Memory::default());
        restated.keep(&[]);
        assert_eq!(restated, Memory::default());
    }
}
