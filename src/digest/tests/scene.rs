//! What a bucket holds as the events that reading it gives, and what a judge makes of them.

use std::collections::BTreeMap;

use super::chain::{BUCKET, Chain, FINGERPRINT, Object, Objects, REGION, hex, public_key};
use super::{at, aws_key};
use crate::digest::{Bounds, Conclusion, Judge, Looked};
use crate::event::delivery::{DigestRead, DigestsMissing, Judged, ObjectRead, PublicKey, Verdict};
use crate::event::own::{self, action};
use crate::event::{Event, Stamp};

/// When all was read.
pub(crate) const READ_AT: &str = "2026-11-20T15:05:00Z";
/// An hour later, so that what is not there is missing; digests of the last two hours are not yet.
pub(crate) const LOOKED_AT: &str = "2026-11-20T16:10:00Z";

/// Verdicts by origin, and hours without digest by their beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) verdicts: BTreeMap<String, (Verdict, Option<String>)>,
    pub(crate) missing: BTreeMap<Stamp, (Stamp, u64)>,
}

pub(crate) fn s3(key: &str) -> String {
    format!("s3://{BUCKET}/{key}")
}

pub(crate) fn object_read(origin: &str, content: &[u8]) -> Event {
    let sha256 = hex(&<sha2::Sha256 as sha2::Digest>::digest(content));
    let read = ObjectRead { origin: origin.to_owned(), sha256, bytes: content.len() as u64, records: 1 };
    read.to_event("trail", at(READ_AT), at(READ_AT))
}

pub(crate) fn digest_read(origin: &str, object: &Object) -> Event {
    let sha256 = hex(&<sha2::Sha256 as sha2::Digest>::digest(&object.content));
    let read = DigestRead { origin: origin.to_owned(), sha256, signature: object.signature.clone() };
    read.to_event("trail", at(READ_AT), at(READ_AT), &object.content)
}

pub(crate) fn damaged(origin: &str, problem: &str) -> Event {
    let facts = [("origin", origin.into()), ("problem", problem.into())];
    own::with_detail(action::DAMAGED, "trail", at(READ_AT), facts)
}

pub(crate) fn key_event() -> Event {
    let key: PublicKey = aws_key(&public_key());
    assert_eq!((key.fingerprint.as_str(), key.region.as_str()), (FINGERPRINT, REGION));
    key.to_event("trail", at(READ_AT))
}

/// Logs, then digests, then the key: as a pass reads them.
pub(crate) fn events(objects: &Objects) -> Vec<Event> {
    let is_digest = |key: &str| key.contains("CloudTrail-Digest");
    let logs =
        objects.iter().filter(|(key, _)| !is_digest(key)).map(|(key, object)| object_read(&s3(key), &object.content));
    let digests = objects.iter().filter(|(key, _)| is_digest(key)).map(|(key, object)| digest_read(&s3(key), object));
    logs.chain(digests).chain([key_event()]).collect()
}

/// A trail in memory: what is concluded is written behind what was read, and read again.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    pub(crate) judge: Judge,
    pub(crate) written: Vec<Event>,
}

impl Scene {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self { judge: Judge::new(bounds), written: Vec::new() }
    }

    pub(crate) fn read(&mut self, event: Event) {
        self.judge.take(self.written.len() as u64, &event);
        self.written.push(event);
    }

    /// Settles until nothing more is said; how much was.
    pub(crate) fn settle(&mut self, looked: Looked) -> usize {
        let before = self.written.len();
        for _ in 0..10 {
            let said = self.judge.settle(looked);
            if said.is_empty() {
                return self.written.len() - before;
            }
            said.iter().map(|one: &Conclusion| one.to_event(at(LOOKED_AT))).for_each(|event| self.read(event));
        }
        panic!("says the same again and again");
    }

    /// Another process that reads the same trail.
    pub(crate) fn restarted(&self, bounds: Bounds) -> Self {
        let mut scene = Self::new(bounds);
        self.written.iter().for_each(|event| scene.read(event.clone()));
        scene
    }

    /// What the newest events say.
    pub(crate) fn outcome(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for (seq, event) in self.written.iter().enumerate() {
            if let Some(Judged { origin, verdict, reason, replaces, evidence, .. }) = Judged::of(event) {
                assert!(replaces.is_none_or(|replaces| replaces < seq as u64));
                assert!(evidence.iter().all(|place| *place < seq as u64), "evidence comes before a verdict");
                let before = outcome.verdicts.insert(origin, (verdict, reason));
                assert_eq!(before.is_some(), replaces.is_some(), "a correction says so");
            }
            if let Some(DigestsMissing { from, to, hours, .. }) = DigestsMissing::of(event) {
                outcome.missing.insert(from, (to, hours));
            }
        }
        outcome.missing.retain(|_, (_, hours)| *hours > 0);
        outcome
    }
}

/// What comes of reading all of it at once.
pub(crate) fn judge(events: &[Event], looked: Looked) -> Outcome {
    let mut scene = Scene::default();
    events.iter().for_each(|event| scene.read(event.clone()));
    scene.settle(looked);
    scene.outcome()
}

pub(crate) fn looked() -> Looked {
    Looked::Until(at(LOOKED_AT))
}

impl Outcome {
    /// All digests and logs of a chain are as they should be, but for these.
    pub(crate) fn assert_all_verified_but(
        &self,
        chain: &Chain,
        but: &[(&str, Option<Verdict>)],
        missing: &[(&str, &str, u64)],
    ) {
        let mut expected: BTreeMap<String, Verdict> =
            chain.digests.iter().chain(&chain.logs).map(|key| (s3(key), Verdict::Verified)).collect();
        for (key, verdict) in but {
            let origin = if key.starts_with("s3://") { (*key).to_owned() } else { s3(key) };
            match verdict {
                Some(verdict) => drop(expected.insert(origin, *verdict)),
                None => drop(expected.remove(&origin)),
            }
        }
        let verdicts: BTreeMap<_, _> =
            self.verdicts.iter().map(|(origin, (verdict, _))| (origin.clone(), *verdict)).collect();
        assert_eq!(verdicts, expected);
        let expected: BTreeMap<_, _> = missing.iter().map(|(from, to, hours)| (at(from), (at(to), *hours))).collect();
        assert_eq!(self.missing, expected);
    }

    pub(crate) fn reason(&self, key: &str) -> &str {
        self.verdicts.get(&s3(key)).and_then(|(_, reason)| reason.as_deref()).unwrap_or_default()
    }
}
