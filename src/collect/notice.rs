//! What a collector has to say about its source: failed, back, a gap, damage.
//!
//! The text says where, what and what to do. Names from outside are escaped by whoever prints them;
//! events keep them as they are.

use serde_json::{Value as Json, json};

use super::positions::StreamId;
use crate::event::own::{self, action};
use crate::event::{Event, EventId, Family, Stamp};

/// An own event about a source, being put together.
#[derive(Debug, Clone)]
pub(super) struct Notice {
    action: &'static str,
    source: String,
    origin: String,
    facts: Vec<(&'static str, Json)>,
    problem: Option<String>,
    /// Bytes that go with it.
    kept: Option<Vec<u8>>,
}

impl Notice {
    /// The origin cannot be read, and that was not so before.
    pub(super) fn failed(source: &str, origin: &str, problem: &str) -> Self {
        Self::new(action::SOURCE_FAILED, source, origin).problem(problem)
    }

    /// The origin can be read again.
    pub(super) fn back(source: &str, origin: &str) -> Self {
        Self::new(action::SOURCE_BACK, source, origin)
    }

    /// Records may be missing here; whether any are cannot be known.
    pub(super) fn gap(source: &str, origin: &str, problem: &str) -> Self {
        Self::new(action::GAP, source, origin).problem(problem).fact("certain", json!(false))
    }

    /// The bytes are not what they should be; what could be read of them was read.
    pub(super) fn damaged(source: &str, origin: &str, problem: &str) -> Self {
        Self::new(action::DAMAGED, source, origin).problem(problem)
    }

    /// A message leads nowhere, and will not be looked at again.
    pub(super) fn set_aside(source: &str, origin: &str, problem: &str) -> Self {
        Self::new(action::SET_ASIDE, source, origin).problem(problem)
    }

    fn new(action: &'static str, source: &str, origin: &str) -> Self {
        Self {
            action,
            source: source.to_owned(),
            origin: origin.to_owned(),
            facts: Vec::new(),
            problem: None,
            kept: None,
        }
    }

    fn problem(mut self, problem: &str) -> Self {
        self.problem = Some(problem.to_owned());
        self
    }

    /// Whether it is certain that records are missing.
    pub(super) fn certain(mut self, certain: bool) -> Self {
        self.facts.retain(|(key, _)| *key != "certain");
        self.fact("certain", json!(certain))
    }

    pub(super) fn fact(mut self, key: &'static str, value: Json) -> Self {
        self.facts.push((key, value));
        self
    }

    /// Keeps bytes beside the event.
    pub(super) fn keep(mut self, bytes: Vec<u8>) -> Self {
        self.kept = Some(bytes);
        self
    }

    pub(super) fn stream(self, id: StreamId) -> Self {
        self.fact("lineage", json!(id.lineage)).fact("generation", json!(id.generation))
    }

    pub(super) fn event(self, now: Stamp) -> Event {
        let Self { action, source, origin, facts, problem, kept } = self;
        let named = [("source", json!(source)), ("origin", json!(origin))];
        let said = problem.iter().map(|problem| ("problem", json!(problem)));
        let facts = named.into_iter().chain(said).chain(facts).collect::<Vec<_>>();
        let mut event = own::with_detail(action, &source, now, facts);
        event.reason = problem;
        match kept.map(String::from_utf8) {
            Some(Ok(text)) => event.raw = Some(text),
            // Packed bytes are no text with a few wrong bytes: read as text they would only be three times as long.
            Some(Err(bytes)) => event.raw_base64 = Some(data_encoding::BASE64.encode(bytes.as_bytes())),
            None => {}
        }
        event
    }

    /// The same with an id of its own instead of its place in the trail: what makes it the same notice
    /// when the same bytes are read again, so that it is stored once.
    pub(super) fn event_once(self, now: Stamp, key: &[&[u8]]) -> Event {
        let parts: Vec<&[u8]> =
            [self.action.as_bytes(), self.source.as_bytes()].into_iter().chain(key.iter().copied()).collect();
        let id = EventId::new(Family::Whodid, &parts, 0);
        let mut event = self.event(now);
        event.id = id;
        event
    }
}
