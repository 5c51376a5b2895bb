//! The event: who did what, when, where, with what outcome, and which record says so.
//!
//! One event is one JSON object on one line of the trail. This module is the vocabulary that all
//! others share: the types ([`Event`] and its parts), the table of fields that can be searched
//! ([`fields`]), ids ([`EventId`]), and the other shapes an event takes on the way out ([`ecs`]).
//! It does no I/O and reads no clock.
//!
//! Invariants: an event that was stored never changes; the same record read twice gives the same
//! [`EventId`]; `raw`, `raw_base64` or `raw_blob` holds the exact bytes of the record.

pub mod delivery;
pub mod detail;
pub mod ecs;
pub mod escape;
mod family;
pub mod fields;
mod fit;
mod id;
pub mod link;
pub mod own;
mod stamp;
pub mod tag;
pub mod text;
pub mod world;

pub use family::{Family, UnknownFamily};
pub use fit::{LEAF_BYTES_MAX, Oversized, encode};
pub use id::{EventId, Lineage};
pub use stamp::Stamp;

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Map;

/// The version of the event's form that this program writes.
pub const VERSION: u8 = 1;

/// One normalised event; `docs/events.md` explains every field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub v: u8,
    pub id: EventId,
    /// When it happened, as precise as the source is.
    pub when: Stamp,
    /// When it was read.
    pub observed: Stamp,
    #[serde(default, skip_serializing_if = "Who::is_empty")]
    pub who: Who,
    pub what: What,
    #[serde(default, rename = "where", skip_serializing_if = "Where::is_empty")]
    pub place: Where,
    #[serde(default)]
    pub outcome: Outcome,
    /// Why the outcome is what it is, in the source's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub trust: Trust,
    pub source: Source,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What the source alone knows, keyed by family, then by the field's own name there.
    /// For a record that is JSON itself this is empty in the trail: see [`Event::detail_tree`].
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub detail: Map<String, serde_json::Value>,
    /// The record as text. When the record is not UTF-8, this is its readable form and
    /// `raw_base64` holds the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// The exact bytes of a record that is not UTF-8 text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_base64: Option<String>,
    /// Where the exact bytes of a record lie that is too long for a line of the trail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_blob: Option<RawBlob>,
}

/// The acting identity. For sudo: the user who typed it, and in `as` whom they became.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Who {
    /// `user`, `role`, `service`, `root`, `account`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub as_: Option<Named>,
    /// The address they came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The name of the machine they came from, where the source gives a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Fingerprint of the key, or access key id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The AWS service that called on somebody's behalf.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// A name and an id for one user, group or role.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Named {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// What was done, and to what.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct What {
    /// `subject.verb`, or the API's own event name for CloudTrail.
    pub action: String,
    /// ECS categories: `authentication`, `session`, `process`, `iam`, …
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub category: Vec<String>,
    /// The service that was called: `ec2.amazonaws.com`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The one thing acted on: a path, a group, a security group's id, an alert's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Everything acted on, `object` first; empty for sources that name one thing at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The run that it belongs to, after the runs around it; outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<String>,
    /// The user acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Named>,
    /// The group acted on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Named>,
    /// What a change opened, and to whom.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exposes: Vec<Exposure>,
    /// What a change closed of what was open; what an entry leaves out is any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub closes: Vec<Exposure>,
    /// It let everybody in.
    #[serde(skip_serializing_if = "is_false")]
    pub world: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// One opening: a network or a principal, and the ports it may now reach.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Exposure {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
    /// Who may use it: an account, an ARN, a service, or `*` for everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// `tcp`, `udp`, `icmp`, a number, or `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// First and last port; both absent for protocols without ports and for `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
    /// What lets it in: the id or number of a rule, a statement's id, or `policy`, `acl`, ….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// The machine, program or cloud region where it happened.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Where {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The program that wrote the record: `sshd`, `sudo`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Success,
    Failure,
    #[default]
    Unknown,
}

/// What vouches for the text of the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// The kernel's own audit records.
    Kernel,
    /// journald's own `_` fields.
    Journal,
    /// A signature of the source's owner that was checked.
    Signed,
    /// Whoever wrote the line; any user can write to syslog.
    Claimed,
    /// whodid itself.
    Own,
}

/// Which record this event comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The source's name in the configuration.
    pub name: Arc<str>,
    pub kind: Family,
    /// The path, bucket and key, or command that it was read from.
    pub origin: Arc<str>,
    /// The content stream: the same for `auth.log`, `auth.log.1` and `auth.log.1.gz`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// Tells streams apart that begin with the same bytes.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// Offset of the record in the (decompressed) stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pos: Option<u64>,
    /// Lowest offset of the stream that is not covered by events up to this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A record that lies in `trail/blob/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RawBlob {
    /// Lower-case hex.
    pub sha256: String,
    pub bytes: u64,
}

impl Event {
    /// An event with nothing known but its record; decoders fill in what they read.
    pub fn new(id: EventId, action: &str, when: Stamp, observed: Stamp, source: Source) -> Self {
        Self {
            v: VERSION,
            id,
            when,
            observed,
            who: Who::default(),
            what: What { action: action.to_owned(), ..What::default() },
            place: Where::default(),
            outcome: Outcome::Unknown,
            reason: None,
            trust: Trust::Claimed,
            source,
            tags: Vec::new(),
            detail: Map::new(),
            raw: None,
            raw_base64: None,
            raw_blob: None,
        }
    }

    /// Keeps the record: as text, and as base64 too where the bytes are not UTF-8.
    pub fn keep_raw(&mut self, record: &[u8]) {
        match std::str::from_utf8(record) {
            Ok(text) => self.raw = Some(text.to_owned()),
            Err(_) => {
                self.raw = Some(String::from_utf8_lossy(record).into_owned());
                self.raw_base64 = Some(data_encoding::BASE64.encode(record));
            }
        }
    }

    /// Parses one line of the trail.
    pub fn decode(line: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(line)
    }

    /// Everything under `detail`: what is stored there, and for a record that is JSON itself the
    /// parsed record under its family's name, beside what the decoder made of it.
    pub fn detail_tree(&self) -> Map<String, serde_json::Value> {
        let mut tree = self.detail.clone();
        if self.source.kind.record_is_json()
            && let Some(raw) = &self.raw
            && let Ok(serde_json::Value::Object(mut record)) = serde_json::from_str(raw)
        {
            let key = self.source.kind.detail_key();
            if let Some(serde_json::Value::Object(made)) = tree.remove(key) {
                record.extend(made);
            }
            tree.insert(key.to_owned(), serde_json::Value::Object(record));
        }
        tree
    }

    /// Sets one value under `detail.<family>`.
    pub fn set_detail(&mut self, key: &str, value: impl Into<serde_json::Value>) {
        self.set_detail_of(self.source.kind, key, value);
    }

    /// The same under another family's name: a message of sshd says the same in a file and in the journal.
    pub fn set_detail_of(&mut self, family: Family, key: &str, value: impl Into<serde_json::Value>) {
        let slot = self.detail.entry(family.detail_key()).or_insert_with(|| serde_json::Value::Object(Map::new()));
        if let serde_json::Value::Object(map) = slot {
            map.insert(key.to_owned(), value.into());
        }
    }

    /// Adds a tag once.
    pub fn tag(&mut self, tag: &str) {
        if !self.tags.iter().any(|have| have == tag) {
            self.tags.push(tag.to_owned());
        }
    }
}

impl Who {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Where {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Named {
    pub fn name(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), id: None }
    }
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Unknown => "unknown",
        }
    }
}

impl Trust {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Journal => "journal",
            Self::Signed => "signed",
            Self::Claimed => "claimed",
            Self::Own => "own",
        }
    }
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}
