//! Takes what was read and says what is proven of it, once, and again where later evidence changes it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::file::Hash;
use super::hours::{self, Trails};
use super::key::{Keys, Relied};
use super::known::{Finding, Known, Looked, TrailKnown};
use super::name::{Kind, Name, Trail};
use super::scope::{Claim, Read, Scope};
use super::spans::Span;
use crate::event::delivery::{DigestRead, DigestsMissing, Judged, ObjectRead, PublicKey, Verdict};
use crate::event::own::action;
use crate::event::{Event, Family, Stamp};

/// How much is held. An object takes about 250 bytes, a digest about 1 kB, and so do six objects that it lists.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Objects that are not yet proven, or were within the last six hours.
    pub objects: usize,
    /// The same of digests, those that list many counted several times.
    pub digests: usize,
    /// Accounts times regions times places.
    pub scopes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { objects: 250_000, digests: 100_000, scopes: 50_000 }
    }
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conclusion {
    /// When it was delivered, and what came of checking it.
    Judged(Stamp, Judged),
    Missing(DigestsMissing),
}

/// What was let go although it was not decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LetGo {
    pub objects: u64,
    pub digests: u64,
    /// Digests whose content is not in the trail, and accounts beyond the bound.
    pub refused: u64,
}

#[derive(Debug, Default)]
pub struct Judge {
    bounds: Bounds,
    keys: Keys,
    scopes: BTreeMap<Whose, Held>,
    /// What was read as a digest and has no digest's name.
    strays: BTreeMap<String, Stray>,
    said: BTreeMap<String, Said>,
    said_missing: hours::Said,
    /// Whether there was more before the first event; when that was observed.
    is_partial: bool,
    first: Option<Stamp>,
    /// What was taken since it was last looked, in events; digests that list many are several.
    taken: usize,
    let_go: LetGo,
    /// Places of which something cannot be read just now: nothing is concluded there from what did not come.
    suspended: BTreeSet<Whose>,
    /// Objects of which neither name nor folder says whose they are.
    unplaced: u64,
    /// Sources that still read; None: all that ever did.
    sources: Option<BTreeSet<String>>,
    /// For one look back at a time: nothing is let go, and what is of another time is not taken.
    window: Option<Window>,
}

#[derive(Debug)]
struct Window {
    span: Span,
    /// The newest digests before it: what comes first in it follows them.
    before: BTreeMap<(Whose, Trail), Before>,
}

/// Readings of a digest, and the end that it has by its name.
#[derive(Debug)]
struct Before {
    end: Stamp,
    readings: Vec<(u64, Event)>,
}

/// Whose objects they are, and where they lie.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Whose {
    pub(super) root: String,
    pub(super) account: String,
    pub(super) region: String,
}

impl Whose {
    fn of(name: &Name) -> Self {
        Self { root: name.root.clone(), account: name.account.clone(), region: name.region.clone() }
    }
}

#[derive(Debug)]
struct Held {
    scope: Scope,
    trails: BTreeMap<Trail, TrailKnown>,
    /// Something waits for the time to pass; when it was looked at last.
    waits: bool,
    /// It was looked at without saying what was found.
    is_untold: bool,
    looked: Option<Stamp>,
    /// Whether a source that still reads brought digests of it.
    is_read: bool,
}

#[derive(Debug)]
struct Stray {
    seq: u64,
    when: Stamp,
    reason: String,
}

#[derive(Debug)]
struct Said {
    verdict: Verdict,
    reason: Option<String>,
    /// The place of the verdict, once it is known.
    seq: Option<u64>,
}

/// What is taken before what is decided is let go.
const TAKEN_MAX: usize = 20_000;

/// Time alone decides little: so often it is looked whether it did.
const PAUSE: TimeDelta = TimeDelta::seconds(60);

/// Digests that end so long after a time decide about the last objects in it.
const AFTER: TimeDelta = TimeDelta::hours(3);

/// Readings of one digest.
const SAME_MAX: usize = 8;

const STRAYS_MAX: usize = 10_000;

impl Judge {
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// One that is asked once, by [`Judge::report`], about objects that were delivered within a time.
    pub fn of_time(from: Stamp, to: Stamp) -> Self {
        let window = Window { span: Span { start: from, end: to }, before: BTreeMap::new() };
        Self { window: Some(window), ..Self::default() }
    }

    /// Only what these sources read is waited for; a bucket that nobody reads any more has no newest digest.
    pub fn only_sources(&mut self, names: BTreeSet<String>) {
        self.sources = Some(names);
    }

    /// There were events before the first, which nobody has any more.
    pub fn history_is_partial(&mut self) {
        self.is_partial = true;
    }

    /// Objects that cannot be read just now: nothing is missed where they lie. False where one of them is not a
    /// single object of CloudTrail's, so that nothing may be missed anywhere.
    pub fn suspend<'a>(&mut self, failing: impl Iterator<Item = &'a str>) -> bool {
        let mut are_objects = true;
        self.suspended.clear();
        for origin in failing {
            match Name::of_object(origin) {
                Some(name) => {
                    self.suspended.insert(Whose::of(&name));
                }
                None => are_objects = false,
            }
        }
        are_objects
    }

    /// Objects of which nobody can say whose they are.
    pub(super) fn unplaced(&self) -> u64 {
        self.unplaced
    }

    pub fn let_go(&self) -> LetGo {
        self.let_go
    }

    /// Objects and digests that are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let held = self.scopes.values().map(|held| held.scope.held());
        held.map(|(objects, digests)| objects + digests).sum()
    }

    #[cfg(test)]
    pub(super) fn tidy(&mut self) {
        self.keep_bounds();
    }

    #[cfg(test)]
    pub(super) fn look_after_bounds(&mut self) {
        self.look(Looked::Behind, Purpose::Bounds);
    }

    /// Takes the event at a place of the trail. A digest's `raw` has to be there.
    pub fn take(&mut self, seq: u64, event: &Event) {
        if event.source.kind != Family::Whodid {
            return;
        }
        let at = (seq, event.observed);
        match event.what.action.as_str() {
            action::OBJECT => drop(ObjectRead::of(event).map(|object| self.take_object(at, &object))),
            action::DIGEST => drop(DigestRead::of(event).map(|digest| self.take_digest(seq, event, &digest))),
            action::DIGEST_KEY => drop(PublicKey::of(event).map(|key| self.take_key(seq, &key))),
            action::DAMAGED => self.take_damage(seq, event),
            action::DIGEST_VERDICT => drop(Judged::of(event).map(|judged| self.take_verdict(seq, judged))),
            action::DIGEST_MISSING => {
                DigestsMissing::of(event).into_iter().for_each(|missing| self.said_missing.take(seq, missing));
            }
            _ => return,
        }
        self.first = Some(self.first.map_or(event.observed, |first| first.min(event.observed)));
        self.taken += 1;
        if self.taken >= TAKEN_MAX {
            self.look(Looked::Behind, Purpose::Bounds);
        }
    }

    /// A key that signs digests.
    pub fn take_key(&mut self, seq: u64, key: &PublicKey) {
        self.keys.add(seq, key);
        self.scopes.values_mut().for_each(|held| held.scope.keys_changed());
    }

    fn take_object(&mut self, at: (u64, Stamp), object: &ObjectRead) {
        let Some(hash) = Hash::parse(&object.sha256) else { return };
        let Some(name) = Name::of_object(&object.origin) else {
            let is_of_time = self.window.as_ref().is_none_or(|window| window.is_before(at.1));
            self.unplaced += u64::from(is_of_time);
            return;
        };
        if !self.is_wanted(&name, at.1) {
            return;
        }
        if let Some(Held { scope, .. }) = self.scope(&name) {
            scope.take_object(at, &name, object.origin.ends_with(".gz"), hash);
        }
    }

    fn take_damage(&mut self, seq: u64, event: &Event) {
        let detail = event.detail.get(Family::Whodid.detail_key());
        let text = |key: &str| detail.and_then(|detail| detail.get(key)?.as_str());
        let Some(origin) = text("origin") else { return };
        let Some(name) = Name::of_object(origin).filter(|name| self.is_wanted(name, event.observed)) else { return };
        let problem = text("problem").unwrap_or("it is damaged");
        if let Some(Held { scope, .. }) = self.scope(&name) {
            scope.take_damage((seq, event.observed), &name, origin.ends_with(".gz"), problem);
        }
    }

    fn take_digest(&mut self, seq: u64, event: &Event, digest: &DigestRead) {
        let decoded = event.raw_base64.as_deref().map(|raw| data_encoding::BASE64.decode(raw.as_bytes()));
        let content = match (&decoded, &event.raw) {
            (Some(Ok(bytes)), _) => bytes.as_slice(),
            (None, Some(raw)) => raw.as_bytes(),
            _ => {
                self.let_go.refused += 1;
                return;
            }
        };
        let name = Name::parse(&digest.origin).filter(|name| matches!(name.kind, Kind::Digest { .. }));
        let Some(name) = name else {
            let reason = "Its name is not that of a digest.".to_owned();
            self.strays.insert(digest.origin.clone(), Stray { seq, when: event.when, reason });
            while self.strays.len() > STRAYS_MAX {
                self.strays.pop_first();
            }
            return;
        };
        if let Some(window) = &mut self.window
            && window.sets_aside(seq, event, &name)
        {
            return;
        }
        let is_of = |names: &BTreeSet<String>| event.what.object.as_ref().is_some_and(|source| names.contains(source));
        let is_read = self.sources.as_ref().is_none_or(is_of);
        if let Some(held) = self.scope(&name) {
            held.is_read |= is_read;
            let scope = &mut held.scope;
            let signature = digest.signature.as_deref();
            let read = Read { seq, observed: event.observed, origin: &digest.origin, signature, content };
            let weight = scope.take_digest(read, &name);
            self.taken += weight;
        }
    }

    fn is_wanted(&self, name: &Name, observed: Stamp) -> bool {
        let Some(window) = &self.window else { return true };
        let span = &window.span;
        match &name.kind {
            // When it was delivered nobody knows: it may be of any time before it was seen.
            kind if Claim::of(kind, observed) != Claim::Possible => window.is_before(observed),
            Kind::Misnamed => true,
            Kind::Log { delivered, .. } => (span.start..span.end).contains(delivered),
            Kind::Digest { trail, end } => *end > span.start && (trail.is_backfill || *end <= span.end.plus(AFTER)),
        }
    }

    fn take_verdict(&mut self, seq: u64, judged: Judged) {
        let Judged { origin, verdict, reason, .. } = judged;
        // What is decided there may be let go now that it is said.
        for name in [Name::parse(&origin), Name::of_object(&origin)].iter().flatten() {
            if let Some(held) = self.scopes.get_mut(&Whose::of(name)) {
                held.waits = true;
            }
        }
        let is_newer = self.said.get(&origin).and_then(|said| said.seq).is_none_or(|known| known < seq);
        if is_newer {
            self.said.insert(origin, Said { verdict, reason, seq: Some(seq) });
        }
    }

    fn scope(&mut self, name: &Name) -> Option<&mut Held> {
        let whose = Whose::of(name);
        if self.scopes.len() >= self.bounds.scopes && !self.scopes.contains_key(&whose) {
            self.let_go.refused += 1;
            return None;
        }
        let held = self.scopes.entry(whose).or_insert_with(|| Held {
            scope: Scope::new(name),
            trails: BTreeMap::new(),
            waits: false,
            is_untold: false,
            looked: None,
            is_read: false,
        });
        Some(held)
    }

    /// What is to be said now. It is taken for said.
    pub fn settle(&mut self, looked: Looked) -> Vec<Conclusion> {
        let found = self.look(looked, Purpose::Saying);
        let mut conclusions: Vec<_> = found.into_iter().filter_map(|found| self.news(found)).collect();
        let trails = self.trails();
        let runs = trails.runs(looked, None, self.since());
        conclusions.extend(self.said_missing.news(runs, &trails).into_iter().map(Conclusion::Missing));
        conclusions
    }

    /// What is known of all that changed, or may have by the time.
    fn look(&mut self, looked: Looked, purpose: Purpose) -> Vec<Finding> {
        self.taken = 0;
        let since = self.since();
        let mut found: Vec<Finding> = self.strays.iter().map(|(origin, stray)| stray.finding(origin)).collect();
        let all = looked;
        for (whose, held) in &mut self.scopes {
            let looked = if self.suspended.contains(whose) { Looked::Behind } else { all };
            let is_due = held.waits
                && looked
                    .at()
                    .is_some_and(|at| held.looked.is_none_or(|looked| at >= looked.plus(PAUSE) || at < looked));
            let is_all = matches!(looked, Looked::All(_)) && held.waits;
            let is_untold = held.is_untold && purpose == Purpose::Saying;
            if !held.scope.is_changed && !is_due && !is_all && !is_untold {
                continue;
            }
            held.is_untold = purpose == Purpose::Bounds;
            let mut known = held.scope.known(&self.keys, looked, since);
            held.scope.is_changed = false;
            held.looked = looked.at();
            held.trails.clone_from(&known.trails);
            held.waits = known.findings.iter().any(|found| found.verdict.is_none());
            if self.window.is_none() {
                let said = &self.said;
                let is_said = |origin: &str, verdict: Verdict| {
                    said.get(origin).is_some_and(|said| said.verdict == verdict && said.seq.is_some())
                };
                let origins = held.scope.let_go(&known, is_said);
                origins.iter().for_each(|origin| drop(self.said.remove(origin)));
                if !origins.is_empty() {
                    let gone: BTreeSet<_> = origins.iter().collect();
                    known.findings.retain(|found| !gone.contains(&found.origin));
                    held.trails = held.scope.known(&self.keys, looked, since).trails;
                }
            }
            found.extend(known.findings);
        }
        if self.window.is_none() {
            self.keep_bounds();
        }
        found
    }

    fn keep_bounds(&mut self) {
        loop {
            let (mut objects, mut digests) = (0, 0);
            let (mut most_objects, mut most_digests) = ((0, None), (0, None));
            for (whose, held) in &self.scopes {
                let (o, d) = held.scope.held();
                (objects, digests) = (objects + o, digests + d);
                most_objects = most_objects.max((o, Some(whose)));
                most_digests = most_digests.max((d, Some(whose)));
            }
            let (whose, is_objects) = match (most_objects, most_digests) {
                ((_, Some(whose)), _) if objects > self.bounds.objects => (whose.clone(), true),
                (_, (_, Some(whose))) if digests > self.bounds.digests => (whose.clone(), false),
                _ => break,
            };
            let Some(held) = self.scopes.get_mut(&whose) else { break };
            let origins = if is_objects { held.scope.halve_objects() } else { held.scope.halve_digests() };
            let count = origins.len() as u64;
            match is_objects {
                true => self.let_go.objects += count,
                false => self.let_go.digests += count,
            }
            origins.iter().for_each(|origin| drop(self.said.remove(origin)));
            if count == 0 {
                break;
            }
        }
        // Verdicts about what is not held any more: of what is missing, or was pruned.
        let most = 2 * (self.bounds.objects + self.bounds.digests);
        while self.said.len() > most {
            self.said.pop_first();
        }
        self.said_missing.keep(self.bounds.digests);
    }

    fn news(&mut self, found: Finding) -> Option<Conclusion> {
        let verdict = found.verdict?;
        let before = self.said.get(&found.origin);
        if before.is_some_and(|said| said.verdict == verdict && said.reason == found.reason) {
            return None;
        }
        let replaces = before.and_then(|said| said.seq);
        let said = Said { verdict, reason: found.reason.clone(), seq: replaces };
        self.said.insert(found.origin.clone(), said);
        let Finding { origin, reason, digest, evidence, when, .. } = found;
        Some(Conclusion::Judged(when, Judged { origin, verdict, reason, digest, evidence, replaces }))
    }

    fn trails(&self) -> Trails {
        let mut trails = Trails::default();
        for (whose, held) in &self.scopes {
            trails.add(whose, &held.trails, held.is_read, self.suspended.contains(whose));
        }
        trails
    }

    /// What came before that nobody knows.
    fn since(&self) -> Option<Stamp> {
        self.first.filter(|_| self.is_partial)
    }

    /// All that is known of a time, whatever was said of it.
    pub(super) fn everything(&mut self, looked: Looked, within: Span) -> Everything {
        let before = self.window.take().map(|window| window.before).unwrap_or_default();
        for (seq, event) in before.into_values().flat_map(|before| before.readings) {
            self.take(seq, &event);
        }
        let since = self.since();
        let mut scopes = Vec::new();
        let mut relied = BTreeSet::new();
        for (whose, held) in &mut self.scopes {
            let known = held.scope.known(&self.keys, looked, since);
            held.trails.clone_from(&known.trails);
            for found in
                known.findings.iter().filter(|found| found.is_digest && found.verdict == Some(Verdict::Verified))
            {
                relied.extend(found.evidence.iter().copied());
            }
            scopes.push((whose.clone(), known));
        }
        let strays = self.strays.iter().map(|(origin, stray)| stray.finding(origin)).collect();
        let keys = self.keys.at(&relied).collect();
        Everything { scopes, strays, missing: self.trails().runs(looked, Some(within), since), keys }
    }
}

/// Why it is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Saying,
    /// To let go of what is held; what is found waits to be said.
    Bounds,
}

impl Window {
    /// Whether its time begins before something was seen.
    fn is_before(&self, observed: Stamp) -> bool {
        observed >= self.span.start
    }

    /// Whether a digest is of another time. The newest before it is kept for later.
    fn sets_aside(&mut self, seq: u64, event: &Event, name: &Name) -> bool {
        let Kind::Digest { trail, end } = &name.kind else { return false };
        if *end > self.span.start {
            return !trail.is_backfill && *end > self.span.end.plus(AFTER);
        }
        let whose = Whose::of(name);
        let before =
            self.before.entry((whose, trail.clone())).or_insert_with(|| Before { end: *end, readings: Vec::new() });
        if before.end < *end {
            *before = Before { end: *end, readings: Vec::new() };
        }
        if before.end == *end && before.readings.len() < SAME_MAX {
            before.readings.push((seq, event.clone()));
        }
        true
    }
}

/// What a report is made of.
pub(super) struct Everything {
    pub(super) scopes: Vec<(Whose, Known)>,
    pub(super) strays: Vec<Finding>,
    pub(super) missing: Vec<DigestsMissing>,
    pub(super) keys: Vec<Relied>,
}

impl Stray {
    fn finding(&self, origin: &str) -> Finding {
        Finding {
            origin: origin.to_owned(),
            is_digest: true,
            trail: None,
            when: self.when,
            is_undated: false,
            verdict: Some(Verdict::Altered),
            reason: Some(self.reason.clone()),
            digest: None,
            evidence: vec![self.seq],
        }
    }
}

impl Conclusion {
    /// The event that states it.
    pub fn to_event(&self, now: Stamp) -> Event {
        match self {
            Self::Judged(when, judged) => judged.to_event(*when, now),
            Self::Missing(missing) => missing.to_event(now),
        }
    }
}
