//! What is concluded, as own events (`docs/events.md`).
//!
//! `exposure.closed` is about an opening (`what.object` is its id) and has the time of the call that closed the
//! last of it; `exposure.world` is about the opening that let everybody in together with what was open before, and
//! has its time. Of several about one event the newest counts; a conclusion that later evidence has overturned is
//! said again as `withdrawn`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use super::ledger::Call;
use crate::event::own::{self, action};
use crate::event::{Event, EventId, Exposure, Family, Outcome, Stamp};

/// `detail.whodid` of `exposure.closed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Closed {
    /// Places of the opening and of the call that closed the last of it.
    pub opening: u64,
    pub closing: u64,
    pub opened: Stamp,
    pub closed: Stamp,
    /// Seconds.
    pub stood_s: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<String>,
    /// The calls.
    pub opened_with: String,
    pub closed_with: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What was open.
    pub open: Vec<Exposure>,
    /// To everybody, by itself or together with others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub world: bool,
}

/// `detail.whodid` of `exposure.world`. The event has `who` and, in `what.exposes`, all that was open then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Completed {
    /// The place of the opening that made it everybody.
    pub opening: u64,
    /// Places of the openings that were there before.
    pub with: Vec<u64>,
    pub opened: Stamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    #[serde(skip)]
    open: Vec<Exposure>,
}

/// What a conclusion is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    about: EventId,
    action: &'static str,
}

/// A conclusion, or that there is none.
#[derive(Debug, Clone)]
pub(super) struct Saying {
    pub(super) key: Key,
    pub(super) digest: [u8; 16],
    facts: Option<Facts>,
    /// The opening.
    call: Option<Arc<Call>>,
}

#[derive(Debug, Clone)]
enum Facts {
    Closed(Box<Closed>),
    Completed(Box<Completed>),
}

/// The id of the `exposure.world` about an opening: what closes it names it.
pub(super) fn id_of_completed(opening: EventId) -> EventId {
    EventId::new(Family::Whodid, &[action::EXPOSURE_WORLD.as_bytes(), opening.to_string().as_bytes()], 0)
}

impl Key {
    pub(super) fn closed(about: EventId) -> Self {
        Self { about, action: action::EXPOSURE_CLOSED }
    }

    pub(super) fn completed(about: EventId) -> Self {
        Self { about, action: action::EXPOSURE_WORLD }
    }

    /// All that is ever said because of one opening.
    pub(super) fn all_about(opening: EventId) -> [Self; 3] {
        [Self::closed(opening), Self::completed(opening), Self::closed(id_of_completed(opening))]
    }
}

impl Closed {
    pub(super) fn new(opening: &Call, open: Vec<Exposure>, end: &Call) -> Self {
        Self {
            opening: opening.seq,
            closing: end.seq,
            opened: opening.when,
            closed: end.when,
            stood_s: (end.when.micros() - opening.when.micros()) / 1_000_000,
            opened_by: opening.by(),
            closed_by: end.by(),
            opened_with: opening.action.clone(),
            closed_with: end.action.clone(),
            resource: opening.object.clone(),
            open,
            world: opening.is_world(),
        }
    }

    /// None for another event.
    pub fn of(event: &Event) -> Option<Self> {
        let is_ours = event.source.kind == Family::Whodid && event.what.action == action::EXPOSURE_CLOSED;
        let detail = event.detail.get(Family::Whodid.detail_key()).filter(|_| is_ours)?;
        Self::deserialize(detail).ok()
    }

    /// `open for 6 h 12 min: opened by alice@203.0.113.7 at …, closed by bob@203.0.113.8`
    fn text(&self) -> String {
        let by = |who: &Option<String>| who.as_deref().map(|who| format!(" by {who}")).unwrap_or_default();
        let (opened, closed) = (by(&self.opened_by), by(&self.closed_by));
        format!("open for {}: opened{opened} at {}, closed{closed}", span(self.stood_s), self.opened)
    }
}

/// Two units are as exact as anybody reads.
fn span(seconds: i64) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let mut rest = seconds.max(0);
    let mut words: Vec<String> = Vec::new();
    for (unit, size) in units {
        if rest >= size && words.len() < 2 {
            words.push(format!("{} {unit}", rest / size));
            rest %= size;
        }
    }
    if words.is_empty() { "0 s".to_owned() } else { words.join(" ") }
}

impl Completed {
    pub(super) fn new(opening: &Call, mut with: Vec<u64>, open: Vec<Exposure>) -> Self {
        with.sort_unstable();
        with.dedup();
        Self {
            opening: opening.seq,
            with,
            opened: opening.when,
            opened_by: opening.by(),
            resource: opening.object.clone(),
            open,
        }
    }

    fn text(&self) -> String {
        let thing = self.resource.as_deref().unwrap_or("it");
        format!("with what was open before, {thing} lets everybody in")
    }
}

impl Saying {
    pub(super) fn closed(about: EventId, opening: &Arc<Call>, facts: Option<Closed>) -> Self {
        Self::new(Key::closed(about), opening, facts.map(Box::new).map(Facts::Closed))
    }

    pub(super) fn completed(opening: &Arc<Call>, facts: Option<Completed>) -> Self {
        Self::new(Key::completed(opening.at.id), opening, facts.map(Box::new).map(Facts::Completed))
    }

    fn new(key: Key, opening: &Arc<Call>, facts: Option<Facts>) -> Self {
        Self { key, digest: digest(&json_of(facts.as_ref())), facts, call: Some(Arc::clone(opening)) }
    }

    /// Whether there is anything to say where nothing was said before.
    pub(super) fn is_conclusion(&self) -> bool {
        self.facts.is_some()
    }

    /// What an event of ours says; none for others.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let action =
            [action::EXPOSURE_CLOSED, action::EXPOSURE_WORLD].into_iter().find(|it| *it == event.what.action)?;
        let about = event.what.object.as_deref()?.parse().ok()?;
        let mut detail = event.detail.get(Family::Whodid.detail_key())?.as_object()?.clone();
        detail.remove(REPLACES);
        Some(Self { key: Key { about, action }, digest: digest(&detail), facts: None, call: None })
    }

    /// For the first time.
    pub(super) fn to_event(&self) -> Event {
        let mut event = self.event(json_of(self.facts.as_ref()));
        if let Some(Facts::Completed(facts)) = &self.facts {
            event.id = id_of_completed(self.key.about);
            event.what.world = true;
            event.what.exposes.clone_from(&facts.open);
        }
        event
    }

    /// Again, because evidence that came later changes it. It does not let everybody in once more.
    pub(super) fn to_correction(&self, replaces: Option<u64>) -> Event {
        let mut detail = json_of(self.facts.as_ref());
        if let Some(replaces) = replaces {
            detail.insert(REPLACES.to_owned(), Json::from(replaces));
        }
        self.event(detail)
    }

    fn event(&self, detail: Map<String, Json>) -> Event {
        let closed = match &self.facts {
            Some(Facts::Closed(facts)) => Some(facts),
            _ => None,
        };
        let opened = self.call.as_ref().map_or_else(|| Stamp::from_micros(0), |call| call.when);
        let when = closed.map_or(opened, |facts| facts.closed);
        let mut event = own::event(self.key.action, &self.key.about.to_string(), when);
        if let Some(call) = &self.call {
            event.observed = call.observed.max(when);
            (event.place.account, event.place.region) = (call.account.clone(), call.region.clone());
            if let Some(Facts::Completed(_)) = &self.facts {
                event.who = call.who.clone();
            }
        }
        if self.facts.is_some() {
            event.outcome = Outcome::Success;
        }
        event.reason = match &self.facts {
            Some(Facts::Closed(facts)) => Some(facts.text()),
            Some(Facts::Completed(facts)) => Some(facts.text()),
            None => Some("evidence that came later overturns it".to_owned()),
        };
        event.detail = Map::from_iter([(Family::Whodid.detail_key().to_owned(), Json::Object(detail))]);
        event
    }
}

const REPLACES: &str = "replaces";

fn json_of(facts: Option<&Facts>) -> Map<String, Json> {
    // Strings, numbers and lists: they always serialise.
    let json = match facts {
        Some(Facts::Closed(facts)) => serde_json::to_value(facts),
        Some(Facts::Completed(facts)) => serde_json::to_value(facts),
        None => Ok(Json::from_iter([("withdrawn".to_owned(), Json::Bool(true))])),
    };
    match json.unwrap_or_default() {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}

fn digest(detail: &Map<String, Json>) -> [u8; 16] {
    // In one order, whatever order the entry had.
    let sorted: BTreeMap<_, _> = detail.iter().collect();
    let full: [u8; 32] = Sha256::digest(serde_json::to_vec(&sorted).unwrap_or_default()).into();
    let mut short = [0; 16];
    short.iter_mut().zip(full).for_each(|(short, byte)| *short = byte);
    short
}
