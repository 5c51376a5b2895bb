//! whodid's own events: start and stop, positions, gaps, evaluations, messages sent.
//!
//! Their id is their place in the trail, which only the writer knows: until then it is
//! [`EventId::PENDING`].

use serde_json::Value as Json;

use super::{Event, EventId, Family, Source, Stamp, Trust};

/// The actions of our own events, so that writer and reader spell them alike (`docs/events.md`).
pub mod action {
    pub const GENESIS: &str = "trail.genesis";
    pub const RECOVERED: &str = "trail.recovered";
    /// The oldest entries are deleted; this says which.
    pub const PRUNED: &str = "trail.pruned";
    /// The trail goes on under a new name.
    pub const ADOPTED: &str = "trail.adopted";
    /// Deleting is forbidden, or allowed again.
    pub const HOLD: &str = "trail.hold";
    /// Another key signs from here on.
    pub const KEY_ROTATED: &str = "trail.key_rotated";
    pub const STARTED: &str = "whodid.started";
    pub const STOPPED: &str = "whodid.stopped";
    pub const CONFIG_CHANGED: &str = "config.changed";
    pub const QUERY_CHANGED: &str = "query.changed";
    pub const ALERT_DEFINED: &str = "alert.defined";
    pub const POSITION: &str = "source.position";
    pub const GAP: &str = "source.gap";
    pub const DAMAGED: &str = "source.damaged";
    /// A message of a queue that leads nowhere; the event holds it.
    pub const SET_ASIDE: &str = "source.set_aside";
    pub const SOURCE_FAILED: &str = "source.failed";
    pub const SOURCE_BACK: &str = "source.back";
    /// How a trail of CloudTrail's fares: when it is first seen, when that changes, and once an hour while it fails.
    pub const TRAIL_STATUS: &str = "cloudtrail.trail_status";
    pub const ALERT_EVALUATED: &str = "alert.evaluated";
    pub const ALERT_CHANGED: &str = "alert.changed";
    /// What is known of an alert, said again at the beginning of a segment.
    pub const ALERT_RESTATED: &str = "alert.restated";
    /// An anchor did not take a checkpoint: the first time, and once an hour while it lasts.
    pub const ANCHOR_FAILED: &str = "anchor.failed";
    /// A witness knows another history of this trail, or more of it: it was put back, or a copy goes on elsewhere.
    pub const ANCHOR_CONFLICT: &str = "anchor.conflict";
    pub const ANCHOR_BACK: &str = "anchor.back";
    /// That an anchor is failing, said again at the beginning of a segment.
    pub const ANCHOR_RESTATED: &str = "anchor.restated";
    pub const NOTIFY_SENT: &str = "notify.sent";
    pub const NOTIFY_FAILED: &str = "notify.failed";
    /// An object of CloudTrail's was read to its end ([`super::super::delivery::ObjectRead`]).
    pub const OBJECT: &str = "source.object";
    pub const DIGEST: &str = "digest.read";
    pub const DIGEST_KEY: &str = "digest.key";
    pub const DIGEST_VERDICT: &str = "digest.verdict";
    /// Hours of which there is no digest.
    pub const DIGEST_MISSING: &str = "digest.missing";
    /// Who was behind another event ([`super::super::link::Link`]).
    pub const LINK: &str = "link";
    /// All that a change let in is closed again ([`crate::exposure`]).
    pub const EXPOSURE_CLOSED: &str = "exposure.closed";
    /// A change let everybody in together with what was open before.
    pub const EXPOSURE_WORLD: &str = "exposure.world";
}

/// An event that whodid itself states; `object` is what it is about (a source's name, an alert's id).
pub fn event(action: &str, object: &str, now: Stamp) -> Event {
    let source = Source {
        name: Family::Whodid.name().into(),
        kind: Family::Whodid,
        origin: Family::Whodid.name().into(),
        lineage: None,
        generation: 0,
        pos: None,
        next: None,
    };
    let mut event = Event::new(EventId::PENDING, action, now, now, source);
    event.trust = Trust::Own;
    event.what.object = Some(object.to_owned());
    event
}

/// The same with facts under `detail.whodid`.
pub fn with_detail(
    action: &str,
    object: &str,
    now: Stamp,
    facts: impl IntoIterator<Item = (&'static str, Json)>,
) -> Event {
    let mut event = event(action, object, now);
    for (key, value) in facts {
        event.set_detail(key, value);
    }
    event
}
