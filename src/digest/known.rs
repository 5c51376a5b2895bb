//! What follows from what was read of one account and region: valid digests, and a finding for each object.
//!
//! A function of what was read, the keys, and the time until which nothing more is expected.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::file::Hash;
use super::key::{Keys, Signed};
use super::name::{self, Kind, Name, Trail};
use super::scope::{Claim, Content, Is, Object, Reading, Scope};
use super::spans::{Span, Spans};
use crate::event::Stamp;
use crate::event::delivery::Verdict;

/// A digest is in the bucket within an hour or two after its hour: AWS promises no time, and its own tool takes keys
/// that become valid up to two hours after the end. Later than this it is missing, until it comes.
pub(super) const LATE: TimeDelta = TimeDelta::hours(2);

/// What a digest lists was read before it in the same pass; a pass, or messages of a queue, may take this long.
const READ: TimeDelta = TimeDelta::hours(1);

/// And this long at most if all that is there was read.
const PASS: TimeDelta = TimeDelta::hours(6);

/// Keys are fetched with each pass; one that is not among them after a day will not come.
const KEYS: TimeDelta = TimeDelta::hours(24);

/// A trail without any digest for this long is taken for ended: it is no longer waited for before an object is unlisted.
const ENDED: TimeDelta = TimeDelta::days(7);

/// Digests list objects of their hour, and late ones in the next.
const NEXT: TimeDelta = TimeDelta::hours(2);

/// Until when what is missing can be known to be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    /// Reading is behind: what is not there yet may come.
    Behind,
    /// All that was there at this time was read, except what came in the last moments.
    Until(Stamp),
    /// All that was there at this time was read.
    All(Stamp),
}

impl Looked {
    pub(super) fn at(self) -> Option<Stamp> {
        match self {
            Self::Behind => None,
            Self::Until(at) | Self::All(at) => Some(at),
        }
    }

    fn is_past(self, instant: Stamp, grace: TimeDelta) -> bool {
        self.at().is_some_and(|at| instant.plus(grace) <= at)
    }

    /// Whether what a digest lists would have been read by now.
    fn is_read(self, end: Stamp, observed: Stamp) -> bool {
        let is_all = matches!(self, Self::All(_));
        self.is_past(observed, READ) || (is_all && self.is_past(end, PASS))
    }
}

/// What is known of an object or digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) origin: String,
    pub(super) is_digest: bool,
    pub(super) trail: Option<Trail>,
    /// Of its delivery; of a digest the end.
    pub(super) when: Stamp,
    /// Its name says no time that can be: it was delivered at `when`, or before.
    pub(super) is_undated: bool,
    /// None while it cannot be decided.
    pub(super) verdict: Option<Verdict>,
    pub(super) reason: Option<String>,
    pub(super) digest: Option<String>,
    pub(super) evidence: Vec<u64>,
}

/// What is known of a scope.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) findings: Vec<Finding>,
    pub(super) trails: BTreeMap<Trail, TrailKnown>,
}

#[derive(Debug, Default, Clone)]
pub(super) struct TrailKnown {
    /// Times of valid digests.
    pub(super) proven: Spans,
    /// Times of digests that are there and are not known to be valid.
    pub(super) taken: Spans,
    /// Those of them that may still turn out to be valid.
    pub(super) undecided: Spans,
    pub(super) starts: BTreeSet<Stamp>,
    pub(super) ends: BTreeSet<Stamp>,
    /// The first digest names one before it, which was never seen.
    pub(super) begins_within: Option<Stamp>,
}

/// A digest that is valid.
struct Valid<'a> {
    tail: &'a str,
    trail: &'a Trail,
    reading: &'a Reading,
    content: &'a Content,
    origin: String,
}

enum State {
    Valid,
    Altered(String),
    Pending(String),
}

impl Scope {
    /// What follows from what was read.
    pub(super) fn known(&mut self, keys: &Keys, looked: Looked, since: Option<Stamp>) -> Known {
        self.check_signatures(keys);
        let mut known = Known::default();
        let valid = self.digests_known(looked, since, &mut known);
        self.objects_known(&valid, looked, since, &mut known);
        let proven: BTreeSet<u64> = valid.iter().map(|one| one.reading.seq).collect();
        self.bound_unproven(&proven);
        known
    }

    /// A digest that was read without its signature may have it in the one that follows: if it is right, it matters
    /// not who said it.
    fn check_signatures(&mut self, keys: &Keys) {
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for reading in self.digests.values().flat_map(|digest| &digest.readings) {
            if let Is::Digest(content) = &reading.is
                && let (Some(previous), Some(signature)) = (&content.previous, &content.file.previous_signature)
            {
                told.entry(previous.clone()).or_default().insert(signature.clone());
            }
        }
        for (tail, digest) in &mut self.digests {
            let is_backfill = digest.trail.is_backfill;
            for reading in digest.readings.iter_mut().filter(|reading| reading.signed.is_none()) {
                let Is::Digest(content) = &reading.is else { continue };
                let check = |signature: &str| keys.check(&content.file, &self.region, is_backfill, signature);
                reading.signed = match &reading.signature {
                    Some(signature) => Some(check(signature)),
                    None => {
                        let told = told.get(tail).into_iter().flatten().map(|signature| check(signature));
                        // That one is wrong says nothing: whoever wrote the next one may have made it up.
                        let told: Vec<_> = told.filter(|signed| *signed != Signed::Not).collect();
                        let by = told.iter().find(|signed| matches!(signed, Signed::By(_)));
                        by.or(told.first()).copied()
                    }
                };
            }
        }
    }

    /// Newest first: each valid digest vouches for the one before it.
    fn digests_known(&self, looked: Looked, since: Option<Stamp>, known: &mut Known) -> Vec<Valid<'_>> {
        for (trail, track) in &self.trails {
            let of = known.trails.entry(trail.clone()).or_default();
            of.proven.extend(&track.covered);
            of.starts.extend(&track.starts);
        }
        let is_in_s3 = self.root.starts_with(name::S3);
        let mut vouched: BTreeMap<&str, (Hash, String, u64, Stamp)> = BTreeMap::new();
        let mut valid: Vec<Valid<'_>> = Vec::new();
        let mut newest_first: Vec<_> = self.digests.iter().collect();
        newest_first.sort_by_key(|(tail, digest)| std::cmp::Reverse((digest.end, tail.as_str())));
        for (tail, digest) in newest_first {
            let voucher = vouched.get(tail.as_str());
            let (mut is_valid, mut altered, mut pending) = (None, None, None);
            let mut readings: Vec<_> = digest.readings.iter().collect();
            readings.sort_by_key(|reading| (reading.hash, reading.signature.is_none(), reading.seq));
            for reading in readings {
                match reading.state(voucher.map(|(hash, ..)| *hash), looked, &self.region, is_in_s3) {
                    State::Valid => is_valid = is_valid.or(Some(reading)),
                    State::Altered(reason) => altered = altered.or(Some((reading, reason))),
                    State::Pending(reason) => pending = pending.or(Some((reading, reason))),
                }
            }
            let of = known.trails.entry(digest.trail.clone()).or_default();
            let damaged = digest.damaged.as_ref().map(|(seq, problem)| (*seq, not_whole(problem)));
            let (verdict, reason, seq, reading) = match (damaged, altered, is_valid, pending) {
                (Some((seq, reason)), ..) => (Some(Verdict::Altered), Some(reason), seq, None),
                (None, Some((reading, reason)), ..) => {
                    (Some(Verdict::Altered), Some(reason), reading.seq, Some(reading))
                }
                (None, None, Some(reading), _) => (Some(Verdict::Verified), None, reading.seq, Some(reading)),
                (None, None, None, Some((reading, reason))) => (None, Some(reason), reading.seq, Some(reading)),
                (None, None, None, None) => continue,
            };
            let mut evidence = vec![seq];
            evidence.extend(match reading.and_then(|reading| reading.signed) {
                Some(Signed::By(seq)) => Some(seq),
                _ => voucher.map(|(_, _, seq, _)| *seq),
            });
            for origin in digest.forms.origins(&self.root, tail) {
                known.findings.push(Finding {
                    origin,
                    is_digest: true,
                    trail: Some(digest.trail.clone()),
                    when: digest.end,
                    is_undated: false,
                    verdict,
                    reason: reason.clone(),
                    digest: voucher
                        .filter(|_| verdict != Some(Verdict::Verified))
                        .map(|(_, origin, ..)| origin.clone()),
                    evidence: evidence.clone(),
                });
            }
            let Some(reading) = is_valid else {
                // A copy of another hour's digest says nothing of this one.
                if digest.readings.iter().all(|reading| matches!(reading.is, Is::Moved(_))) && digest.damaged.is_none()
                {
                    continue;
                }
                let span = Span { start: digest.end.minus(TimeDelta::hours(1)), end: digest.end };
                of.taken.add(span);
                if verdict.is_none() {
                    of.undecided.add(span);
                }
                continue;
            };
            let Is::Digest(content) = &reading.is else { continue };
            let origin = digest.forms.origins(&self.root, tail).next().unwrap_or_default();
            of.proven.add(Span { start: content.file.start, end: content.file.end });
            of.ends.insert(content.file.end);
            match (&content.previous, &content.file.previous) {
                (Some(previous), Some(file)) => {
                    vouched.insert(previous, (file.hash, origin.clone(), reading.seq, reading.observed));
                }
                // One in another bucket is another scope's.
                _ => drop(of.starts.insert(content.file.start)),
            }
            valid.push(Valid { tail, trail: &digest.trail, reading, content, origin });
        }
        self.previous_known(&valid, looked, since, known);
        valid
    }

    /// Those that valid digests name and that are not there.
    fn previous_known(&self, valid: &[Valid<'_>], looked: Looked, since: Option<Stamp>, known: &mut Known) {
        for one in valid {
            let Some(previous) = &one.content.previous else { continue };
            let Some(Name { kind: Kind::Digest { end, trail }, .. }) = Name::parse(&format!("{}{previous}", self.root))
            else {
                continue;
            };
            let track = self.trails.get(&trail);
            let is_let_go =
                track.is_some_and(|track| track.covered.reaches(end) || track.let_go_to.is_some_and(|to| end <= to));
            if is_let_go || self.digests.contains_key(previous) {
                continue;
            }
            let Some(of) = known.trails.get_mut(&trail) else { continue };
            let first = match trail.is_backfill {
                false => of.proven.first(),
                // What one lists is known by the objects alone; the first is the first that was seen.
                true => valid.iter().filter(|one| *one.trail == trail).map(|one| one.content.file.end).min(),
            };
            if first.is_none_or(|first| end <= first) {
                of.begins_within = first;
                continue;
            }
            let is_known_of = since.is_none_or(|since| end >= since);
            let is_due = looked.is_past(one.reading.observed, READ) || matches!(looked, Looked::All(_));
            known.findings.push(Finding {
                origin: format!("{}{previous}.gz", self.root),
                is_digest: true,
                trail: Some(trail),
                when: end,
                is_undated: false,
                verdict: (is_due && is_known_of).then_some(Verdict::Missing),
                reason: Some("The next digest names it, and it was not there.".to_owned()),
                digest: Some(one.origin.clone()),
                evidence: vec![one.reading.seq],
            });
        }
    }

    fn objects_known(&self, valid: &[Valid<'_>], looked: Looked, since: Option<Stamp>, known: &mut Known) {
        let mut lists: BTreeMap<&str, Vec<(Hash, &Valid<'_>)>> = BTreeMap::new();
        for one in valid {
            for (tail, hash) in &one.content.listed {
                lists.entry(tail).or_default().push((*hash, one));
            }
        }
        for (tail, object) in &self.objects {
            let listed = lists.remove(tail.as_str()).unwrap_or_default();
            self.object_known(tail, object, &listed, (looked, since), known);
        }
        for (tail, listed) in lists {
            self.absent(tail, &listed, looked, since, known);
        }
    }

    fn object_known(
        &self,
        tail: &str,
        object: &Object,
        listed: &[(Hash, &Valid<'_>)],
        (looked, since): (Looked, Option<Stamp>),
        known: &mut Known,
    ) {
        let is_listed = |hash: &Hash| listed.iter().any(|(listed, _)| listed == hash);
        let odd = object.contents.iter().find(|(hash, _)| !is_listed(hash));
        let mut evidence: Vec<u64> = object.contents.values().copied().collect();
        let first = listed.iter().map(|(_, one)| *one).min_by_key(|one| one.tail);
        evidence.extend(first.map(|one| one.reading.seq));
        let (verdict, reason) = match (first, &object.damaged, odd) {
            (None, ..) => match self.is_unlisted(object, looked, since, &known.trails) {
                Ok(why) => (Some(Verdict::Unlisted), Some(why.to_owned())),
                Err(why) => (None, Some(why.to_owned())),
            },
            (Some(_), Some((seq, problem)), _) => {
                evidence.push(*seq);
                (Some(Verdict::Altered), Some(not_whole(problem)))
            }
            (Some(_), None, Some((hash, _))) => {
                let expected = listed.first().map(|(hash, _)| hash.hex()).unwrap_or_default();
                let reason = format!("Its content has the hash {}; the digest lists {expected}.", hash.hex());
                (Some(Verdict::Altered), Some(reason))
            }
            (Some(_), None, None) => (Some(Verdict::Verified), None),
        };
        evidence.sort_unstable();
        for origin in object.forms.origins(&self.root, tail) {
            known.findings.push(Finding {
                origin,
                is_digest: false,
                trail: first.map(|one| one.trail.clone()),
                when: object.delivered,
                is_undated: object.claim != Claim::Possible,
                verdict,
                reason: reason.clone(),
                digest: first.map(|one| one.origin.clone()),
                evidence: evidence.clone(),
            });
        }
    }

    /// Whether an object that no digest lists would be listed by now, and why; or why not.
    fn is_unlisted(
        &self,
        object: &Object,
        looked: Looked,
        since: Option<Stamp>,
        trails: &BTreeMap<Trail, TrailKnown>,
    ) -> Result<&'static str, &'static str> {
        let at = object.delivered;
        if !object.is_listed_always {
            return Err("Not all of its kind are listed in digests.");
        }
        let mut hourly = trails.iter().filter(|(trail, _)| !trail.is_backfill).map(|(_, of)| of);
        match object.claim {
            Claim::Possible => {}
            Claim::Future => return Ok("It was there long before the time in its name."),
            Claim::Misnamed if hourly.any(|of| of.proven.first().is_some()) => {
                return Ok("Its name is not one that CloudTrail gives, and no digest lists it.");
            }
            Claim::Misnamed => return Err("There is no valid digest beside it."),
        }
        if since.is_some_and(|since| at < since) {
            return Err("Digests of its time may have been pruned from this trail.");
        }
        if self.let_go_to.is_some_and(|to| at <= to) {
            return Err("Digests of its time were let go from memory.");
        }
        let mut is_covered = false;
        for of in hourly {
            let (Some(first), Some(last)) = (of.proven.first(), of.proven.last()) else { continue };
            if first > at || last.plus(ENDED) <= at {
                continue;
            }
            let why = match of.proven.around(at) {
                None => "There is no valid digest of its time.",
                Some(around) => {
                    let after = of.ends.iter().filter(|end| **end > at && **end <= around.end).count();
                    if after >= 2 || around.end >= at.plus(NEXT) {
                        is_covered = true;
                        continue;
                    }
                    "The digests of its time are not all there yet."
                }
            };
            if !of.is_given_up(at, looked) {
                return Err(why);
            }
        }
        match is_covered {
            true => Ok("The digests of its time are whole, and none lists it."),
            false => Err("There is no valid digest of its time."),
        }
    }

    /// An object that digests list and that was not read.
    fn absent(
        &self,
        tail: &str,
        listed: &[(Hash, &Valid<'_>)],
        looked: Looked,
        since: Option<Stamp>,
        known: &mut Known,
    ) {
        let Some(Name { kind: Kind::Log { delivered, .. }, .. }) = Name::parse(&format!("{}{tail}", self.root)) else {
            return;
        };
        let Some((_, by)) = listed.iter().min_by_key(|(_, one)| one.tail) else { return };
        let is_known_of =
            since.is_none_or(|since| delivered >= since) && self.let_go_to.is_none_or(|to| delivered > to);
        let is_due = looked.is_read(by.content.file.end, by.reading.observed);
        known.findings.push(Finding {
            origin: format!("{}{tail}.gz", self.root),
            is_digest: false,
            trail: Some(by.trail.clone()),
            when: delivered,
            is_undated: false,
            verdict: (is_due && is_known_of).then_some(Verdict::Missing),
            reason: Some("A signed digest lists it, and it was not there.".to_owned()),
            digest: Some(by.origin.clone()),
            evidence: vec![by.reading.seq],
        });
    }
}

impl TrailKnown {
    /// Whether the hours about a time that have no valid digest were said to be missing, or their digests altered:
    /// a trail that somebody made for its gaps keeps nothing from being unlisted that another would list.
    fn is_given_up(&self, at: Stamp, looked: Looked) -> bool {
        let next = at.plus(NEXT);
        let is_undecided = self.undecided.iter().any(|span| span.start < next && span.end > at);
        let is_followed = self.proven.last().is_some_and(|last| last > next);
        !is_undecided && (is_followed || looked.is_past(next, LATE))
    }
}

impl Reading {
    /// `named`: the hash by which the next digest names it.
    fn state(&self, named: Option<Hash>, looked: Looked, region: &str, is_in_s3: bool) -> State {
        let content = match &self.is {
            Is::Digest(content) => content,
            Is::Moved(reason) | Is::Not(reason) => return State::Altered(reason.clone()),
        };
        if named.is_some_and(|named| named != self.hash) {
            return State::Altered("The next digest names another content.".to_owned());
        }
        let fingerprint = &content.file.fingerprint;
        if content.is_let_go && (matches!(self.signed, Some(Signed::By(_))) || named.is_some()) {
            return State::Pending("It was read before it could be proven, and what it lists was let go.".to_owned());
        }
        match (self.signed, named) {
            (Some(Signed::By(_)), _) => State::Valid,
            (Some(Signed::Not), _) => State::Altered(format!("Its signature is not by the key {fingerprint}.")),
            (Some(Signed::Expired), _) => {
                State::Altered(format!("The key {fingerprint} was not valid at the time of the digest."))
            }
            // The next one is signed, and names this content: no need to have the key of this one.
            (_, Some(_)) => State::Valid,
            (Some(Signed::UnknownKey), None) if looked.is_past(self.observed, KEYS) => {
                State::Altered(format!("The key {fingerprint} is not among CloudTrail's in {region} of that time."))
            }
            (Some(Signed::NoKey | Signed::UnknownKey), None) => {
                State::Pending(format!("The key {fingerprint} is not known."))
            }
            (None, None) if is_in_s3 && looked.is_past(self.observed, KEYS) => {
                State::Altered("It has no signature, which CloudTrail stores with each.".to_owned())
            }
            (None, None) => {
                State::Pending("No signature was stored with it, and no later digest vouches for it.".to_owned())
            }
        }
    }
}

fn not_whole(problem: &str) -> String {
    format!("It is not as CloudTrail writes it: {problem}")
}
