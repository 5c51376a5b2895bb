//! What whodid states about alerts, as facts of its own events: [`Evaluated`], [`Change`], [`Told`].
//!
//! Each is written under `detail.whodid` of an event whose `what.object` is the alert's id, and read back
//! from there: these events are all that is remembered of an alert (`docs/alerts.md` explains the fields).

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::check::{Key, Row, State, Verdict};
use crate::event::own::{self, action};
use crate::event::{Event, Family, Stamp};

/// `alert.evaluated`: the verdict of one slot, or the same verdict of several that follow each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// The definition that was evaluated: hashes of the alert's file and of its query's.
    pub definition: String,
    /// The first slot; absent where it is the last one too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Stamp>,
    /// The last slot.
    pub slot: Stamp,
    /// How many slots of the schedule these are.
    pub slots: u64,
    pub state: State,
    /// Of the worst group; where none fires, of the largest. Absent where the state is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// How many groups are not OK.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firing: Option<u64>,
    /// The verdict covers the trail up to here.
    pub seq: u64,
    /// Why it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Takes the place of an earlier verdict, which this was, because events came in late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<Superseded>,
    /// More slots had been missed than are made up for.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cut: bool,
}

/// A verdict that is no longer the current one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    pub state: State,
    pub value: u64,
}

/// `alert.changed`: a group's state became another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    #[serde(with = "key", default = "whole", skip_serializing_if = "is_whole")]
    pub group: Key,
    pub from: State,
    pub to: State,
    /// At which slot.
    pub slot: Stamp,
    /// When the state that was left had begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Stamp>,
    /// For how many slots it had been so.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub occurrences: u64,
    pub value: u64,
    /// Found by events that came in after the slot had been judged.
    #[serde(default, skip_serializing_if = "is_false")]
    pub late: bool,
    /// It was over before it was found: what the state is now does not follow from it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub over: bool,
    /// It would have fired; nobody is told, because it is older than the alert's `lateness`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub withheld: bool,
    /// Why the state is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The newest of the events that led to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Row>,
    /// The message that tells it; all changes of one evaluation are told in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Stamp>,
    /// The channels it goes to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<String>,
}

/// `notify.sent` and `notify.failed`: what became of a message on one channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    pub message: Stamp,
    pub channel: String,
    pub kind: Kind,
    pub attempts: u32,
    /// Why it failed for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Something became worse, or other than it was.
    Changed,
    /// All is OK again.
    Resolved,
    /// Nothing changed, and it still is not OK.
    Reminder,
}

/// One of whodid's statements about alerts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fact {
    Evaluated(Evaluated),
    Changed(Change),
    Told(Told),
    Restated(super::memory::Restated),
}

impl Fact {
    /// What an event says of an alert, if it is one of whodid's own about one.
    pub(super) fn read(event: &Event) -> Option<(&str, Self)> {
        if event.source.kind != Family::Whodid {
            return None;
        }
        let fact = match event.what.action.as_str() {
            action::ALERT_EVALUATED => Self::Evaluated(facts(event)?),
            action::ALERT_CHANGED => Self::Changed(facts(event)?),
            action::ALERT_RESTATED => Self::Restated(facts(event)?),
            action::NOTIFY_SENT | action::NOTIFY_FAILED => Self::Told(facts(event)?),
            _ => return None,
        };
        Some((event.what.object.as_deref()?, fact))
    }
}

impl Evaluated {
    pub(super) fn event(&self, alert: &str, now: Stamp) -> Event {
        stated(action::ALERT_EVALUATED, alert, now, self)
    }

    /// None where the state is not known.
    pub fn verdict(&self) -> Option<Verdict> {
        let (value, firing) = (self.value?, self.firing?);
        (self.state != State::Unknown).then_some(Verdict { state: self.state, value, firing })
    }
}

impl Change {
    /// Of the alert itself, with nothing more to say of it.
    pub(super) fn new(from: State, to: State, slot: Stamp) -> Self {
        Self {
            group: Key::Whole,
            from,
            to,
            slot,
            since: None,
            occurrences: 0,
            value: 0,
            late: false,
            over: false,
            withheld: false,
            reason: None,
            rows: Vec::new(),
            message: None,
            notify: Vec::new(),
        }
    }

    pub(super) fn event(&self, alert: &str, now: Stamp) -> Event {
        let mut event = stated(action::ALERT_CHANGED, alert, now, self);
        event.reason.clone_from(&self.reason);
        event
    }

    /// It is about whether anything is known, not about a group.
    pub fn is_doubt(&self) -> bool {
        self.to == State::Unknown || self.from == State::Unknown
    }
}

impl Told {
    pub(super) fn event(&self, alert: &str, now: Stamp) -> Event {
        let action = if self.error.is_none() { action::NOTIFY_SENT } else { action::NOTIFY_FAILED };
        stated(action, alert, now, self)
    }
}

pub(super) fn stated(action: &str, alert: &str, now: Stamp, facts: &impl Serialize) -> Event {
    let mut event = own::event(action, alert, now);
    // The facts hold only strings, numbers, lists and maps with string keys: they always serialise.
    let facts = serde_json::to_value(facts).unwrap_or_default();
    event.detail.insert(Family::Whodid.detail_key().to_owned(), facts);
    event
}

fn facts<T: DeserializeOwned>(event: &Event) -> Option<T> {
    T::deserialize(event.detail.get(Family::Whodid.detail_key())?).ok()
}

mod key {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    use crate::check::Key;

    pub(super) fn serialize<S: Serializer>(key: &Key, to: S) -> Result<S::Ok, S::Error> {
        key.to_json().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Key, D::Error> {
        let json = serde_json::Value::deserialize(from)?;
        Key::from_json(Some(&json)).ok_or_else(|| D::Error::custom("not the key of a group"))
    }
}

fn whole() -> Key {
    Key::Whole
}

fn is_whole(key: &Key) -> bool {
    *key == Key::Whole
}

fn is_false(is: &bool) -> bool {
    !*is
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A group as a fact of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Group {
    #[serde(with = "key", default = "whole", skip_serializing_if = "is_whole")]
    pub(super) group: Key,
}
