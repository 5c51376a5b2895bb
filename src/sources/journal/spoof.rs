//! The event that says who really sent a message that claims to be another program's.

use std::borrow::Cow;

use serde_json::json;

use super::record::Record;
use super::{known_id, session};
use crate::event::{Event, EventId, Trust, Who};

/// The action of the second event of a record whose sender is not who it claims to be.
const SPOOF_SUSPECT: &str = "auth.spoof_suspect";

/// About `event`, whose text claims to be of the program `claimed`; `why` it is not.
pub(super) fn event(record: &Record<'_>, event: &Event, id: EventId, claimed: &str, why: &str) -> Event {
    let mut spoof = Event::new(id, SPOOF_SUSPECT, event.when, event.observed, event.source.clone());
    spoof.judge_when();
    spoof.what.category = vec!["intrusion_detection".to_owned()];
    spoof.what.object = Some(claimed.to_owned());
    spoof.reason = Some(format!("it says that it is {claimed}, but {why}"));
    // journald vouches for this, whatever the text says.
    spoof.trust = Trust::Journal;
    let uid = record.trusted("_UID").map(Cow::into_owned);
    spoof.who = Who {
        kind: uid.as_deref().map(|uid| if uid == "0" { "root" } else { "user" }.to_owned()),
        id: uid,
        session: session(record),
        ..Who::default()
    };
    spoof.place.host.clone_from(&event.place.host);
    spoof.place.service = record.trusted("_COMM").map(Cow::into_owned);
    spoof.place.pid = record.trusted("_PID").and_then(|pid| pid.parse().ok());
    spoof.set_detail("event", json!(event.id));
    if let Some(uid) = known_id(record, "_AUDIT_LOGINUID") {
        spoof.set_detail("loginuid", uid);
    }
    for (key, name) in FIELDS {
        if let Some(value) = record.trusted(name) {
            spoof.set_detail(key, value);
        }
    }
    spoof
}

/// What the event says of the sender, under names that are ours: the record itself is in the other event.
const FIELDS: &[(&str, &str)] = &[
    ("exe", "_EXE"),
    ("comm", "_COMM"),
    ("cmdline", "_CMDLINE"),
    ("uid", "_UID"),
    ("unit", "_SYSTEMD_UNIT"),
    ("transport", "_TRANSPORT"),
];
