//! All that is known of a time, counted and listed, for an auditor.
//!
//! Made anew from what was read: no verdict that was stored before is asked.

use std::collections::BTreeMap;

use serde::Serialize;

use super::judge::{Everything, Judge, Whose};
use super::key::Relied;
use super::known::{Finding, Known, Looked};
use super::name::Trail;
use super::spans::Span;
use crate::event::Stamp;
use crate::event::delivery::{DigestsMissing, Verdict};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    pub from: Stamp,
    pub to: Stamp,
    pub places: Vec<Place>,
    /// Hours without digest.
    pub missing: Vec<DigestsMissing>,
    /// Keys of CloudTrail's that digests were proven with.
    pub keys: Vec<Relied>,
    /// What could not be checked, in sentences.
    pub notes: Vec<String>,
    /// Where chains begin, in sentences.
    pub starts: Vec<String>,
}

/// What lies at one place of one account and region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    pub root: String,
    pub account: String,
    pub region: String,
    pub objects: Counts,
    pub trails: Vec<TrailReport>,
    /// All that is not verified, each with its reason.
    pub findings: Vec<Told>,
}

/// The digests of one trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrailReport {
    pub trail: String,
    pub home: String,
    pub backfill: bool,
    pub digests: Counts,
    /// Where chains begin, and what they begin with.
    pub starts: Vec<Stamp>,
    pub first: Option<Stamp>,
    pub last: Option<Stamp>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub verified: u64,
    pub unlisted: u64,
    pub altered: u64,
    pub missing: u64,
    pub pending: u64,
}

/// An object or digest that is not verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// `digest` or `object`.
    pub kind: &'static str,
    pub origin: String,
    pub when: Stamp,
    /// `pending` where it cannot be decided.
    pub verdict: &'static str,
    pub reason: Option<String>,
    pub digest: Option<String>,
}

impl Counts {
    fn add(&mut self, verdict: Option<Verdict>) {
        *match verdict {
            Some(Verdict::Verified) => &mut self.verified,
            Some(Verdict::Unlisted) => &mut self.unlisted,
            Some(Verdict::Altered) => &mut self.altered,
            Some(Verdict::Missing) => &mut self.missing,
            None => &mut self.pending,
        } += 1;
    }

    /// What is certainly not as it was delivered.
    pub fn bad(&self) -> u64 {
        self.unlisted + self.altered + self.missing
    }
}

impl Report {
    pub fn is_bad(&self) -> bool {
        let is_bad =
            |place: &Place| place.objects.bad() > 0 || place.trails.iter().any(|trail| trail.digests.bad() > 0);
        !self.missing.is_empty() || self.places.iter().any(is_bad)
    }

    /// Whether something could not be decided, or there was nothing to look at.
    pub fn is_incomplete(&self) -> bool {
        let is_pending =
            |place: &Place| place.objects.pending > 0 || place.trails.iter().any(|trail| trail.digests.pending > 0);
        !self.notes.is_empty() || self.places.iter().any(is_pending)
    }
}

impl Judge {
    /// What is known of objects delivered, and digests that end, from `from` up to `to`.
    pub fn report(&mut self, from: Stamp, to: Stamp, looked: Looked) -> Report {
        let Everything { scopes, strays, missing, keys } = self.everything(looked, Span { start: from, end: to });
        let mut report = Report { from, to, places: Vec::new(), missing, keys, notes: Vec::new(), starts: Vec::new() };
        for (whose, known) in scopes {
            if let Some(place) = place(whose, known, &mut report) {
                report.places.push(place);
            }
        }
        let strays: Vec<_> = strays.into_iter().filter(|stray| (from..to).contains(&stray.when)).collect();
        if !strays.is_empty() {
            let mut digests = Counts::default();
            strays.iter().for_each(|stray| digests.add(stray.verdict));
            let trail = TrailReport {
                trail: String::new(),
                home: String::new(),
                backfill: false,
                digests,
                starts: Vec::new(),
                first: None,
                last: None,
            };
            let findings = strays.into_iter().map(Told::from).collect();
            let (root, account, region) = (String::new(), String::new(), String::new());
            report.places.push(Place {
                root,
                account,
                region,
                objects: Counts::default(),
                trails: vec![trail],
                findings,
            });
        }
        if report.places.is_empty() {
            report
                .notes
                .push("Nothing of CloudTrail's was delivered in this time, as far as this trail knows.".to_owned());
        }
        let unplaced = self.unplaced();
        if unplaced > 0 {
            report.notes.push(format!(
                "Of {unplaced} objects neither name nor folder says whose they are: no digest can prove them."
            ));
        }
        let refused = self.let_go().refused;
        if refused > 0 {
            report.notes.push(format!("The content of {refused} digests is not in this trail."));
        }
        report
    }
}

/// None where nothing is of this time.
fn place(whose: Whose, known: Known, report: &mut Report) -> Option<Place> {
    let (from, to) = (report.from, report.to);
    let Whose { root, account, region } = whose;
    let mut objects = Counts::default();
    let mut digests: BTreeMap<Trail, Counts> = BTreeMap::new();
    let mut findings = Vec::new();
    let is_within = |found: &Finding| match found.is_digest {
        // That of an hour ends with it.
        true => from < found.when && found.when <= to,
        false => from <= found.when && (found.when < to || found.is_undated),
    };
    for found in known.findings.into_iter().filter(is_within) {
        match (found.is_digest, &found.trail) {
            (true, Some(trail)) => digests.entry(trail.clone()).or_default().add(found.verdict),
            _ => objects.add(found.verdict),
        }
        if found.verdict != Some(Verdict::Verified) {
            findings.push(Told::from(found));
        }
    }
    findings.sort_by(|a, b| (a.when, a.kind, &a.origin).cmp(&(b.when, b.kind, &b.origin)));
    let mut trails = Vec::new();
    let mut is_proven = false;
    for (trail, of) in known.trails {
        let span = of.proven.iter().find(|span| span.end > from && span.start < to);
        is_proven |= span.is_some() && !trail.is_backfill;
        let counts = digests.remove(&trail).unwrap_or_default();
        let (first, last) = (of.proven.first(), of.proven.last());
        if counts == Counts::default() && span.is_none() {
            continue;
        }
        if let Some(first) = first.filter(|first| *first > from && !trail.is_backfill) {
            let before = match of.begins_within {
                Some(_) => "it names one before it, which is not in this trail",
                None => "validation began then",
            };
            report.starts.push(format!(
                "The first digest of {account} {region} {} begins at {first}: {before}; what was delivered before it \
                 cannot be proven.",
                trail.name
            ));
        }
        trails.push(TrailReport {
            trail: trail.name,
            home: trail.home,
            backfill: trail.is_backfill,
            digests: counts,
            starts: of.starts.into_iter().filter(|start| from <= *start && *start < to).collect(),
            first,
            last,
        });
    }
    if objects == Counts::default() && trails.is_empty() {
        return None;
    }
    if !is_proven {
        report.notes.push(format!("No valid digest of {account} {region} is in this trail for that time ({root})."));
    }
    Some(Place { root, account, region, objects, trails, findings })
}

impl From<Finding> for Told {
    fn from(found: Finding) -> Self {
        Self {
            kind: if found.is_digest { "digest" } else { "object" },
            origin: found.origin,
            when: found.when,
            verdict: found.verdict.map_or("pending", Verdict::as_str),
            reason: found.reason,
            digest: found.digest,
        }
    }
}
