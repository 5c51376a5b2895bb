//! What was read of one account and region at one place.
//!
//! The order of reading does not matter. What is decided and too old to matter for what comes is let go
//! ([`Scope::let_go`]); what follows from the rest says [`super::known`].

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::file::{File, Hash};
use super::key::Signed;
use super::known::Known;
use super::name::{self, Kind, Name, Trail};
use super::spans::{Span, Spans};
use crate::event::Stamp;
use crate::event::delivery::Verdict;

/// How far behind the newest digest what is decided is still kept, for what comes out of order.
const KEPT: TimeDelta = TimeDelta::hours(6);

/// The clock here may be that much behind.
const AHEAD: TimeDelta = TimeDelta::hours(1);

/// What digests list that are not known to be CloudTrail's.
const UNPROVEN_MAX: usize = 50_000;

/// The same of digests that are known not to be: a key that comes late may show that they are.
const REFUTED_MAX: usize = 1_000;

/// What is listed, in units of the memory that a digest takes.
const LISTED_UNIT: usize = 6;

/// Contents and signatures of one object: somebody who writes it again and again fills no memory.
const READINGS_MAX: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) root: String,
    pub(super) region: String,
    /// By what follows the root in their names.
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) digests: BTreeMap<String, Digest>,
    pub(super) trails: BTreeMap<Trail, Track>,
    /// Objects that were delivered up to here may have been let go undecided.
    pub(super) let_go_to: Option<Stamp>,
    pub(super) is_changed: bool,
}

/// What remains of a trail's digests that were let go.
#[derive(Debug, Default, Clone)]
pub(super) struct Track {
    pub(super) covered: Spans,
    /// Where chains begin.
    pub(super) starts: BTreeSet<Stamp>,
    /// Backfill digests up to here were let go.
    pub(super) let_go_to: Option<Stamp>,
}

#[derive(Debug)]
pub(super) struct Object {
    /// By its name; when it was first seen where that says no time, or one that was not yet.
    pub(super) delivered: Stamp,
    pub(super) claim: Claim,
    pub(super) is_listed_always: bool,
    pub(super) forms: Forms,
    /// Each content that was read, and where the trail says so.
    pub(super) contents: BTreeMap<Hash, u64>,
    pub(super) damaged: Option<(u64, String)>,
}

/// What an object's name is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    Possible,
    /// It is not one of CloudTrail's names.
    Misnamed,
    /// It was there before the time in its name.
    Future,
}

/// Whether it was read as `.gz`, without, or both.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forms {
    pub(super) packed: bool,
    pub(super) plain: bool,
}

#[derive(Debug)]
pub(super) struct Digest {
    pub(super) trail: Trail,
    /// By its name.
    pub(super) end: Stamp,
    pub(super) forms: Forms,
    pub(super) readings: Vec<Reading>,
    pub(super) damaged: Option<(u64, String)>,
}

#[derive(Debug)]
pub(super) struct Reading {
    pub(super) seq: u64,
    pub(super) observed: Stamp,
    pub(super) hash: Hash,
    pub(super) signature: Option<String>,
    pub(super) is: Is,
    pub(super) signed: Option<Signed>,
}

#[derive(Debug)]
pub(super) enum Is {
    /// A digest where it should be.
    Digest(Box<Content>),
    /// One that should be elsewhere.
    Moved(String),
    Not(String),
}

#[derive(Debug)]
pub(super) struct Content {
    pub(super) file: File,
    /// Of the digest before it.
    pub(super) previous: Option<String>,
    /// What it lists that lies in this scope.
    pub(super) listed: Vec<(String, Hash)>,
    /// What it lists was let go before it was known to be CloudTrail's.
    pub(super) is_let_go: bool,
}

impl Scope {
    pub(super) fn new(name: &Name) -> Self {
        Self { root: name.root.clone(), region: name.region.clone(), ..Self::default() }
    }

    /// How many objects and digests it holds.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.objects.len(), self.digests.values().map(Digest::weight).sum())
    }

    fn object(&mut self, name: &Name, is_packed: bool, observed: Stamp) -> Option<&mut Object> {
        let claim = Claim::of(&name.kind, observed);
        let (delivered, is_listed_always) = match (&name.kind, claim) {
            (Kind::Digest { .. }, _) => return None,
            (Kind::Misnamed, _) => (observed, true),
            (Kind::Log { is_listed_always, .. }, Claim::Future) => (observed, *is_listed_always),
            (Kind::Log { delivered, is_listed_always }, _) => (*delivered, *is_listed_always),
        };
        self.is_changed = true;
        let object = self.objects.entry(name.tail.clone()).or_insert_with(|| Object {
            delivered,
            claim,
            is_listed_always,
            forms: Forms::default(),
            contents: BTreeMap::new(),
            damaged: None,
        });
        object.forms.add(is_packed);
        // In any order of reading it is what it was when it was first seen.
        if claim != Claim::Possible && (object.claim == Claim::Possible || delivered < object.delivered) {
            (object.claim, object.delivered) = (claim, delivered);
        }
        Some(object)
    }

    pub(super) fn take_object(&mut self, (seq, observed): (u64, Stamp), name: &Name, is_packed: bool, hash: Hash) {
        let Some(object) = self.object(name, is_packed, observed) else { return };
        if object.contents.len() < READINGS_MAX {
            let place = object.contents.entry(hash).or_insert(seq);
            *place = seq.min(*place);
        }
    }

    /// What could not be read to its end, or had more behind it.
    pub(super) fn take_damage(&mut self, (seq, observed): (u64, Stamp), name: &Name, is_packed: bool, problem: &str) {
        let slot = match &name.kind {
            Kind::Log { .. } | Kind::Misnamed => {
                self.object(name, is_packed, observed).map(|object| &mut object.damaged)
            }
            Kind::Digest { .. } => self.digest(name, is_packed).map(|digest| &mut digest.damaged),
        };
        let Some(slot) = slot else { return };
        let damaged = (seq, problem.chars().take(300).collect());
        *slot = Some(slot.take().map_or(damaged.clone(), |known| known.min(damaged)));
    }

    /// What it takes of memory.
    pub(super) fn take_digest(&mut self, read: Read<'_>, name: &Name) -> usize {
        let Read { seq, observed, origin, signature, content } = read;
        let is = self.content(origin, content, name);
        let Some(digest) = self.digest(name, origin.ends_with(".gz")) else { return 1 };
        let weight = 1 + is.listed() / LISTED_UNIT;
        let hash = Hash::of(content);
        let known =
            digest.readings.iter_mut().find(|known| known.hash == hash && known.signature.as_deref() == signature);
        if let Some(known) = known {
            known.seq = known.seq.min(seq);
            known.observed = known.observed.min(observed);
            if matches!(&known.is, Is::Digest(content) if content.is_let_go) {
                known.is = is;
            }
        } else if digest.readings.len() < READINGS_MAX {
            let signature = signature.map(str::to_owned);
            digest.readings.push(Reading { seq, observed, hash, signature, is, signed: None });
        }
        weight
    }

    /// Lets go of what digests list that nobody proved, the longest lists first. `proven`: places of valid ones.
    pub(super) fn bound_unproven(&mut self, proven: &BTreeSet<u64>) {
        let (mut refuted, mut open) = (Vec::new(), Vec::new());
        for reading in self.digests.values_mut().flat_map(|digest| &mut digest.readings) {
            if proven.contains(&reading.seq) {
                continue;
            }
            let Is::Digest(content) = &mut reading.is else { continue };
            match reading.signed {
                Some(Signed::Not | Signed::Expired) => refuted.push(content),
                _ => open.push(content),
            }
        }
        for (mut lists, most) in [(refuted, REFUTED_MAX), (open, UNPROVEN_MAX)] {
            let mut sum: usize = lists.iter().map(|content| content.listed.len()).sum();
            if sum <= most {
                continue;
            }
            lists.sort_by_key(|content| std::cmp::Reverse(content.listed.len()));
            for content in lists {
                if sum <= most {
                    break;
                }
                sum -= content.listed.len();
                content.listed = Vec::new();
                content.is_let_go = true;
            }
        }
    }

    fn digest(&mut self, name: &Name, is_packed: bool) -> Option<&mut Digest> {
        let Kind::Digest { trail, end } = &name.kind else { return None };
        self.is_changed = true;
        let digest = self.digests.entry(name.tail.clone()).or_insert_with(|| Digest {
            trail: trail.clone(),
            end: *end,
            forms: Forms::default(),
            readings: Vec::new(),
            damaged: None,
        });
        digest.forms.add(is_packed);
        Some(digest)
    }

    fn content(&self, origin: &str, content: &[u8], name: &Name) -> Is {
        let mut file = match File::parse(content) {
            Ok(file) => file,
            Err(error) => return Is::Not(format!("It is not a digest: {error}.")),
        };
        if !name::is_at(origin, &file.bucket, &file.object) {
            return Is::Moved(format!("It was moved: it says that it is s3://{}/{}.", file.bucket, file.object));
        }
        if file.account.trim_start_matches('0') != name.account.trim_start_matches('0') {
            return Is::Not(format!("It is of account {}.", file.account));
        }
        let own = file.object.clone();
        let tail = |bucket: &str, key: &str| {
            let origin = name::beside(origin, &own, bucket, key)?;
            origin.strip_suffix(".gz").unwrap_or(&origin).strip_prefix(self.root.as_str()).map(str::to_owned)
        };
        let previous = file.previous.as_ref().and_then(|previous| tail(&previous.bucket, &previous.object));
        let logs = std::mem::take(&mut file.logs);
        let listed = logs.iter().filter_map(|log| Some((tail(&log.bucket, &log.object)?, log.hash))).collect();
        Is::Digest(Box::new(Content { file, previous, listed, is_let_go: false }))
    }

    /// Looks again at what could not be checked for want of a key.
    pub(super) fn keys_changed(&mut self) {
        for reading in self.digests.values_mut().flat_map(|digest| &mut digest.readings) {
            if !matches!(reading.signed, Some(Signed::By(_))) {
                reading.signed = None;
                self.is_changed = true;
            }
        }
    }

    /// Lets go of digests that are valid, whose objects are all there and verified, and which are old; with their
    /// objects. `is_said`: whether a verdict stands in the trail. What was let go is given back by its origin.
    pub(super) fn let_go(&mut self, known: &Known, is_said: impl Fn(&str, Verdict) -> bool) -> Vec<String> {
        let newest = known.trails.values().filter_map(|of| of.proven.last()).max();
        let Some(limit) = newest.map(|newest| newest.minus(KEPT)) else { return Vec::new() };
        let verified: BTreeSet<&str> = known
            .findings
            .iter()
            .filter(|found| found.verdict == Some(Verdict::Verified) && is_said(&found.origin, Verdict::Verified))
            .map(|found| found.origin.as_str())
            .collect();
        let is_done =
            |forms: Forms, tail: &str| forms.origins(&self.root, tail).all(|origin| verified.contains(origin.as_str()));
        let mut done = Vec::new();
        for (tail, digest) in &self.digests {
            let [Reading { is: Is::Digest(content), .. }] = digest.readings.as_slice() else { continue };
            if digest.damaged.is_some() {
                continue;
            }
            let is_object_done = |(tail, _): &(String, Hash)| {
                self.objects.get(tail).is_some_and(|object| {
                    object.contents.len() == 1 && object.damaged.is_none() && is_done(object.forms, tail)
                })
            };
            let previous_is_done = match &content.previous {
                None => true,
                Some(previous) => {
                    let end = match Name::parse(&format!("{}{previous}", self.root)).map(|name| name.kind) {
                        Some(Kind::Digest { end, .. }) => end,
                        _ => continue,
                    };
                    let track = self.trails.get(&digest.trail);
                    let is_let_go = track
                        .is_some_and(|track| track.covered.reaches(end) || track.let_go_to.is_some_and(|to| end <= to));
                    is_let_go || self.digests.get(previous).is_some_and(|digest| is_done(digest.forms, previous))
                }
            };
            let is_old = content.file.end <= limit;
            if is_old && previous_is_done && is_done(digest.forms, tail) && content.listed.iter().all(is_object_done) {
                done.push(tail.clone());
            }
        }
        let mut origins = Vec::new();
        for tail in done {
            let Some(digest) = self.digests.remove(&tail) else { continue };
            origins.extend(digest.forms.origins(&self.root, &tail));
            let track = self.trails.entry(digest.trail.clone()).or_default();
            for reading in digest.readings {
                let Is::Digest(content) = reading.is else { continue };
                if digest.trail.is_backfill {
                    track.let_go_to = track.let_go_to.max(Some(content.file.end));
                } else {
                    track.covered.add(Span { start: content.file.start, end: content.file.end });
                    if content.previous.is_none() {
                        track.starts.insert(content.file.start);
                    }
                }
                for (tail, _) in content.listed {
                    if let Some(object) = self.objects.remove(&tail) {
                        origins.extend(object.forms.origins(&self.root, &tail));
                    }
                }
            }
        }
        origins
    }

    /// Lets go of the older half of all objects, decided or not.
    pub(super) fn halve_objects(&mut self) -> Vec<String> {
        let mut times: Vec<_> = self.objects.values().map(|object| object.delivered).collect();
        times.sort_unstable();
        let Some(to) = times.get(times.len() / 2).copied() else { return Vec::new() };
        self.let_go_to = self.let_go_to.max(Some(to));
        let mut origins = Vec::new();
        let root = &self.root;
        self.objects.retain(|tail, object| {
            let is_kept = object.delivered > to;
            if !is_kept {
                origins.extend(object.forms.origins(root, tail));
            }
            is_kept
        });
        origins
    }

    /// Lets go of the older half of all digests; objects up to there are no longer missed.
    pub(super) fn halve_digests(&mut self) -> Vec<String> {
        let mut times: Vec<_> = self.digests.values().map(Digest::age).collect();
        times.sort_unstable();
        let Some(to) = times.get(times.len() / 2).copied() else { return Vec::new() };
        self.let_go_to = self.let_go_to.max(Some(to));
        let mut origins = Vec::new();
        for (tail, digest) in std::mem::take(&mut self.digests) {
            if digest.age() > to {
                self.digests.insert(tail, digest);
                continue;
            }
            origins.extend(digest.forms.origins(&self.root, &tail));
            let track = self.trails.entry(digest.trail.clone()).or_default();
            let is_valid = |reading: &&Reading| matches!(reading.signed, Some(Signed::By(_)));
            for reading in digest.readings.iter().filter(is_valid) {
                if let (Is::Digest(content), false) = (&reading.is, digest.trail.is_backfill) {
                    track.covered.add(Span { start: content.file.start, end: content.file.end });
                }
            }
            track.let_go_to = track.let_go_to.max(Some(digest.end));
        }
        origins
    }
}

/// A digest file as it was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read<'a> {
    pub(super) seq: u64,
    pub(super) observed: Stamp,
    pub(super) origin: &'a str,
    pub(super) signature: Option<&'a str>,
    pub(super) content: &'a [u8],
}

impl Claim {
    pub(super) fn of(kind: &Kind, observed: Stamp) -> Self {
        match kind {
            Kind::Misnamed => Self::Misnamed,
            Kind::Log { delivered, .. } if *delivered > observed.plus(AHEAD) => Self::Future,
            Kind::Log { .. } | Kind::Digest { .. } => Self::Possible,
        }
    }
}

impl Forms {
    fn add(&mut self, is_packed: bool) {
        self.packed |= is_packed;
        self.plain |= !is_packed;
    }

    pub(super) fn origins(self, root: &str, tail: &str) -> impl Iterator<Item = String> {
        let packed = self.packed.then(|| format!("{root}{tail}.gz"));
        let plain = self.plain.then(|| format!("{root}{tail}"));
        packed.into_iter().chain(plain)
    }
}

impl Digest {
    fn weight(&self) -> usize {
        1 + self.readings.iter().map(|reading| reading.is.listed()).sum::<usize>() / LISTED_UNIT
    }

    /// When it ends by its name, but not later than it was there: nobody can have what came before let go by a name.
    fn age(&self) -> Stamp {
        self.readings.iter().map(|reading| reading.observed).min().map_or(self.end, |observed| self.end.min(observed))
    }
}

impl Is {
    fn listed(&self) -> usize {
        match self {
            Self::Digest(content) => content.listed.len(),
            Self::Moved(_) | Self::Not(_) => 0,
        }
    }
}
