//! What whodid states of the objects in which CloudTrail delivers: those it read, their digests, the keys that
//! sign these, and what came of checking.
//!
//! Each is an own event whose facts are in `detail.whodid` (`docs/events.md`). What states what was read has an id
//! of its own, so that it is stored once, however often the same bytes are read. Of several verdicts about one
//! object the newest counts.

pub mod listed;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::own::{self, action};
use super::{Event, EventId, Family, Stamp};

/// An object that holds records was read to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRead {
    /// Where it lies: `s3://bucket/key`, or a path. The `source.origin` of its records.
    pub origin: String,
    /// Of the unpacked content, in lower-case hex.
    pub sha256: String,
    /// Of the unpacked content.
    pub bytes: u64,
    /// Events in it, those that the trail had already among them.
    pub records: u64,
}

/// A digest file was read. The event's `raw` is its unpacked content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestRead {
    pub origin: String,
    /// Of the unpacked content, in lower-case hex.
    pub sha256: String,
    /// The object's metadata `x-amz-meta-signature`, in hex: of the newest digest it stands nowhere else. None where
    /// it was read from a place without metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

/// A key of CloudTrail's that signs digests, as `ListPublicKeys` gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    pub fingerprint: String,
    /// DER in base64: PKCS #1, or SubjectPublicKeyInfo.
    pub value: String,
    pub region: String,
    pub valid_from: Stamp,
    pub valid_until: Stamp,
}

/// What checking an object against the digests came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// The object: `source.origin` of its records, or of a digest.
    pub origin: String,
    pub verdict: Verdict,
    /// Why, in a sentence; none for `verified`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The digest that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Places of the events that it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<u64>,
    /// The place of the verdict about the same object that this one corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<u64>,
}

/// Hours of a trail in one account and region of which there is no digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DigestsMissing {
    pub account: String,
    pub region: String,
    pub trail: String,
    /// The region that the trail was made in.
    pub home: String,
    pub from: Stamp,
    pub to: Stamp,
    /// None: the digest of what begins at `from` came after all.
    pub hours: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The place of what was said before about what begins at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<u64>,
}

/// What is proven of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// A signed digest lists it with this content. Of a digest: its signature and its place in the chain are right.
    Verified,
    /// The digests of its time are whole, and none lists it.
    Unlisted,
    /// A signed digest lists it with another content. Of a digest: its signature is wrong, or it was moved.
    Altered,
    /// A signed digest lists it, and it was not there to be read. Of a digest: the next one names it.
    Missing,
}

impl Verdict {
    pub const ALL: [Self; 4] = [Self::Verified, Self::Unlisted, Self::Altered, Self::Missing];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Unlisted => "unlisted",
            Self::Altered => "altered",
            Self::Missing => "missing",
        }
    }
}

impl ObjectRead {
    /// `when`: of its delivery.
    pub fn to_event(&self, source: &str, when: Stamp, observed: Stamp) -> Event {
        let id = [source, &self.origin, &self.sha256];
        stated(action::OBJECT, source, (when, observed), self, Some(&id))
    }

    /// None for another event.
    pub fn of(event: &Event) -> Option<Self> {
        facts(event, action::OBJECT)
    }
}

impl DigestRead {
    /// `when`: the end of the time that it covers. `content` becomes `raw`.
    pub fn to_event(&self, source: &str, when: Stamp, observed: Stamp, content: &[u8]) -> Event {
        let id = [source, &self.origin, &self.sha256, self.signature.as_deref().unwrap_or_default()];
        let mut event = stated(action::DIGEST, source, (when, observed), self, Some(&id));
        event.keep_raw(content);
        event
    }

    /// None for another event.
    pub fn of(event: &Event) -> Option<Self> {
        facts(event, action::DIGEST)
    }
}

impl PublicKey {
    pub fn to_event(&self, source: &str, observed: Stamp) -> Event {
        let id = [&self.region, &self.fingerprint, &self.value].map(String::as_str);
        stated(action::DIGEST_KEY, source, (observed, observed), self, Some(&id))
    }

    /// None for another event.
    pub fn of(event: &Event) -> Option<Self> {
        facts(event, action::DIGEST_KEY)
    }
}

impl Judged {
    /// `when`: of the object's delivery, or the end of a digest's time.
    pub fn to_event(&self, when: Stamp, now: Stamp) -> Event {
        let mut event = stated(action::DIGEST_VERDICT, &self.origin, (when, now), self, None);
        event.reason.clone_from(&self.reason);
        event
    }

    /// None for another event.
    pub fn of(event: &Event) -> Option<Self> {
        facts(event, action::DIGEST_VERDICT)
    }
}

impl DigestsMissing {
    /// About `account/region/trail`, at the end of the hours.
    pub fn to_event(&self, now: Stamp) -> Event {
        let Self { account, region, trail, .. } = self;
        let object = format!("{account}/{region}/{trail}");
        let mut event = stated(action::DIGEST_MISSING, &object, (self.to, now), self, None);
        event.reason.clone_from(&self.reason);
        event.place.account = Some(account.clone());
        event.place.region = Some(region.clone());
        event
    }

    /// None for another event.
    pub fn of(event: &Event) -> Option<Self> {
        facts(event, action::DIGEST_MISSING)
    }
}

/// An own event with these facts; with an id of its own, it is stored once.
fn stated(
    action: &'static str,
    object: &str,
    (when, observed): (Stamp, Stamp),
    facts: &impl Serialize,
    id: Option<&[&str]>,
) -> Event {
    let mut event = own::event(action, object, when);
    event.observed = observed;
    if let Some(id) = id {
        let parts: Vec<&[u8]> = std::iter::once(action).chain(id.iter().copied()).map(str::as_bytes).collect();
        event.id = EventId::new(Family::Whodid, &parts, 0);
    }
    // Strings, numbers and lists: they always serialise.
    let facts = serde_json::to_value(facts).unwrap_or_default();
    event.detail = Map::from_iter([(Family::Whodid.detail_key().to_owned(), facts)]);
    event
}

fn facts<T: DeserializeOwned>(event: &Event, action: &str) -> Option<T> {
    if event.source.kind != Family::Whodid || event.what.action != action {
        return None;
    }
    let detail = event.detail.get(Family::Whodid.detail_key())?;
    T::deserialize(detail).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reads_back_and_is_no_other() {
        let (when, now) = (Stamp::from_unix(1_795_176_000, 0), Stamp::from_unix(1_795_176_009, 0));
        let origin = "s3://audit/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/20/a.json.gz".to_owned();
        let object = ObjectRead { origin: origin.clone(), sha256: "ab".repeat(32), bytes: 14, records: 1 };
        let event = object.to_event("trail", when, now);
        assert_eq!(ObjectRead::of(&event).as_ref(), Some(&object));
        assert_eq!((event.when, event.observed, event.what.object.as_deref()), (when, now, Some("trail")));
        assert_eq!(DigestRead::of(&event), None);
        let digest = DigestRead { origin: origin.clone(), sha256: "cd".repeat(32), signature: None };
        let event = digest.to_event("trail", when, now, b"{}");
        assert_eq!((DigestRead::of(&event), event.raw.as_deref()), (Some(digest), Some("{}")));
        let (fingerprint, value, region) = ("f0".to_owned(), "MA==".to_owned(), "eu-west-1".to_owned());
        let key = PublicKey { fingerprint, value, region, valid_from: when, valid_until: now };
        assert_eq!(PublicKey::of(&key.to_event("trail", now)), Some(key));
        let reason = Some("is listed with another hash".to_owned());
        let judged =
            Judged { origin, verdict: Verdict::Altered, reason, digest: None, evidence: vec![3, 4], replaces: None };
        let event = judged.to_event(when, now);
        assert_eq!((Judged::of(&event), event.id), (Some(judged), EventId::PENDING));
    }

    #[test]
    fn what_was_read_is_stated_once_and_other_content_again() {
        let object = |sha256: &str| {
            let object = ObjectRead { origin: "a".to_owned(), sha256: sha256.to_owned(), bytes: 1, records: 0 };
            object.to_event("trail", Stamp::from_unix(0, 0), Stamp::from_unix(9, 0)).id
        };
        assert_eq!(object("00"), object("00"));
        assert_ne!(object("00"), object("01"));
    }
}
