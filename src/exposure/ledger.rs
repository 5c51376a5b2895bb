//! The openings and closings of one thing, and what follows from them.
//!
//! Of each part of an opening the earliest closing that means it is kept; which that is does not depend on the
//! order in which they arrive.
//!
//! Everything in a log may be forged, so no change costs more than a bounded part of what is kept here, and what is
//! kept has a bound of its own ([`PARTS_MAX`], [`CLOSINGS_MAX`]); below these bounds they change nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::matching::Part;
use super::said::{self, Closed, Completed, Saying};
use crate::event::world::{World, is_world_of};
use crate::event::{Event, EventId, Exposure, Stamp, Who};

/// When something happened, and what tells apart what happened in one second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) micros: i64,
    pub(super) id: EventId,
}

/// One change.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) at: At,
    pub(super) seq: u64,
    pub(super) when: Stamp,
    pub(super) observed: Stamp,
    pub(super) who: Who,
    pub(super) action: String,
    pub(super) object: Option<String>,
    pub(super) account: Option<String>,
    pub(super) region: Option<String>,
    opens: Vec<Part>,
    closes: Vec<Part>,
    /// It alone let everybody in.
    is_world: bool,
}

#[derive(Debug, Default)]
pub(super) struct Ledger {
    openings: BTreeMap<At, Opening>,
    closings: BTreeMap<At, Arc<Call>>,
    /// Openings of which something is open.
    standing: BTreeSet<At>,
    /// The others, by when the last of them was closed: an earlier closing may still change that.
    ended: BTreeSet<(At, At)>,
    /// Openings about which there may be news.
    touched: BTreeSet<At>,
    /// What all openings let in.
    parts: usize,
}

#[derive(Debug)]
struct Opening {
    call: Arc<Call>,
    /// For each part, what closed it first.
    closed: Vec<Option<Arc<Call>>>,
}

/// What is open together is looked at up to this many networks.
const TOGETHER_MAX: usize = 256;

/// Openings of one thing that are looked at again for one settling, whether they completed the world.
const COMPLETED_MAX: usize = 64;

/// Networks and principals that are kept of one thing. EC2 lets a group have at most 1,000 rules.
const PARTS_MAX: usize = 1_000;

/// Closings of one thing that are kept for openings that arrive late.
const CLOSINGS_MAX: usize = 1_000;

impl At {
    const FIRST: Self = Self { micros: i64::MIN, id: EventId::from_bytes([0; 16]) };

    pub(super) fn of(when: Stamp, id: EventId) -> Self {
        Self { micros: when.micros(), id }
    }

    fn begin_of_second(self) -> Self {
        Self { micros: self.micros, ..Self::FIRST }
    }
}

impl Call {
    pub(super) fn of(seq: u64, event: &Event) -> Self {
        Self {
            at: At::of(event.when, event.id),
            seq,
            when: event.when,
            observed: event.observed,
            who: event.who.clone(),
            action: event.what.action.clone(),
            object: event.what.object.clone(),
            account: event.place.account.clone(),
            region: event.place.region.clone(),
            opens: event.what.exposes.iter().map(Part::of).collect(),
            closes: event.what.closes.iter().map(Part::of).collect(),
            is_world: event.what.world,
        }
    }

    /// Whether it closed a part that another call had opened.
    fn has_closed(&self, opening: &Self, part: &Part) -> bool {
        let is_later = |closing: &Part| {
            self.at.micros > opening.at.micros || (self.at.micros == opening.at.micros && part.must_be_before(closing))
        };
        self.at.id != opening.at.id
            && self.closes.iter().any(|closing| is_later(closing) && part.is_meant_by(closing))
            // What it puts in the place of what was there may let in the same.
            && !self.opens.iter().any(|opened| part.is_within(opened))
    }
}

impl Ledger {
    pub(super) fn closings(&self) -> impl Iterator<Item = &Arc<Call>> {
        self.closings.values()
    }

    /// Takes an opening; closings are its own and those of what it is within.
    pub(super) fn open(&mut self, call: &Arc<Call>, above: &[Arc<Call>]) {
        let mut opening = Opening { call: Arc::clone(call), closed: vec![None; call.opens.len()] };
        let later = self.closings.range(call.at.begin_of_second()..).map(|(_, closing)| closing);
        for closing in later.chain(above) {
            opening.close(closing);
        }
        match opening.end() {
            Some(end) => drop(self.ended.insert((end.at, call.at))),
            None => drop(self.standing.insert(call.at)),
        }
        self.parts += opening.closed.len();
        self.openings.insert(call.at, opening);
        self.touched.insert(call.at);
    }

    /// What has to go if it is more than is kept of one thing: what was closed first, else what is oldest.
    pub(super) fn opening_too_many(&self) -> Option<At> {
        let is_too_many = self.parts > PARTS_MAX && self.openings.len() > 1;
        let oldest = || self.ended.first().map(|(_, at)| *at).or_else(|| self.standing.first().copied());
        is_too_many.then(oldest).flatten()
    }

    pub(super) fn closing_too_many(&self) -> Option<At> {
        self.closings.keys().next().copied().filter(|_| self.closings.len() > CLOSINGS_MAX)
    }

    pub(super) fn keep_closing(&mut self, call: &Arc<Call>) {
        self.closings.insert(call.at, Arc::clone(call));
    }

    /// Whether that changes anything.
    pub(super) fn close(&mut self, call: &Arc<Call>) -> bool {
        // What ended before is none of its business.
        let ended = self.ended.range((call.at, At::FIRST)..).map(|(_, opening)| *opening);
        let meant: Vec<At> = self.standing.iter().copied().chain(ended).collect();
        let mut is_changed = false;
        for at in meant {
            let Some(opening) = self.openings.get_mut(&at) else { continue };
            let before = opening.end().map(|end| end.at);
            if !opening.close(call) {
                continue;
            }
            is_changed = true;
            self.touched.insert(at);
            if let Some(before) = before {
                self.ended.remove(&(before, at));
            }
            if let Some(end) = opening.end() {
                self.ended.insert((end.at, at));
                self.standing.remove(&at);
            }
        }
        is_changed
    }

    pub(super) fn forget_opening(&mut self, at: At) {
        if let Some(opening) = self.openings.remove(&at) {
            self.parts = self.parts.saturating_sub(opening.closed.len());
            opening.end().map(|end| self.ended.remove(&(end.at, at)));
        }
        self.standing.remove(&at);
        self.touched.remove(&at);
    }

    pub(super) fn forget_closing(&mut self, at: At) {
        self.closings.remove(&at);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.openings.is_empty() && self.closings.is_empty()
    }

    pub(super) fn is_closed(&self, at: At) -> bool {
        self.openings.get(&at).is_none_or(|opening| opening.end().is_some())
    }

    /// What is to be said as of now of openings that were touched since this was last asked, and how many were too
    /// many to look at.
    pub(super) fn conclusions(&mut self) -> (Vec<Saying>, u64) {
        let mut found: Vec<Saying> = Vec::new();
        let touched = std::mem::take(&mut self.touched);
        for at in &touched {
            self.openings.get(at).into_iter().for_each(|opening| opening.conclude(&mut found));
        }
        // What was touched may have been the rest of the world for what came after it.
        let Some(first) = touched.first() else { return (found, 0) };
        let after = || self.openings.range(first..).filter(|(_, opening)| opening.may_complete());
        let (own, others): (Vec<_>, Vec<_>) = after().partition(|(at, _)| touched.contains(at));
        let count = own.len() + others.len();
        for (_, opening) in own.into_iter().chain(others).take(COMPLETED_MAX) {
            self.complete(opening, &mut found);
        }
        (found, count.saturating_sub(COMPLETED_MAX) as u64)
    }

    /// What is to be said of one opening.
    pub(super) fn conclusions_about(&self, at: At) -> Vec<Saying> {
        let mut found = Vec::new();
        if let Some(opening) = self.openings.get(&at) {
            opening.conclude(&mut found);
            if opening.may_complete() {
                self.complete(opening, &mut found);
            }
        }
        found
    }

    /// Whether an opening let everybody in only together with what was open already.
    fn complete(&self, opening: &Opening, found: &mut Vec<Saying>) {
        let call = &opening.call;
        let before = self.open_before(call);
        let (mut completed, mut closed) = (None, None);
        if completes(opening, &before) {
            let earlier = before.iter().filter_map(|(other, at)| other.call.opens.get(*at));
            let open: Vec<_> = call.opens.iter().chain(earlier).map(|part| part.exposure.clone()).collect();
            closed =
                last_of(opening, &before).map(|end| Closed { world: true, ..Closed::new(call, open.clone(), &end) });
            let with = before.iter().map(|(other, _)| other.call.seq).collect();
            completed = Some(Completed::new(call, with, open));
        }
        found.push(Saying::completed(call, completed));
        // Of what never stood nothing is closed; what was said to stand and does not is withdrawn, and over.
        found.push(Saying::closed(said::id_of_completed(call.at.id), call, closed));
    }

    /// Wide parts of earlier openings that were still open when this one came.
    fn open_before(&self, call: &Call) -> Vec<(&Opening, usize)> {
        let mut open = Vec::new();
        for opening in self.openings.range(..call.at).rev().map(|(_, opening)| opening) {
            for (at, (part, closed)) in opening.call.opens.iter().zip(&opening.closed).enumerate() {
                let is_open = closed.as_ref().is_none_or(|closed| closed.at.micros > call.at.micros);
                if is_open && part.is_wide() {
                    open.push((opening, at));
                }
                if open.len() >= TOGETHER_MAX {
                    return open;
                }
            }
        }
        open
    }
}

fn completes(opening: &Opening, before: &[(&Opening, usize)]) -> bool {
    let own = || opening.wide().map(|(_, part)| part);
    let earlier = || before.iter().filter_map(|(other, at)| other.call.opens.get(*at));
    !before.is_empty() && is_everybody(own().chain(earlier())) && !is_everybody(own()) && !is_everybody(earlier())
}

fn is_everybody<'a>(parts: impl Iterator<Item = &'a Part>) -> bool {
    is_world_of(parts.map(|part| (&part.exposure, part.network)), World::default())
}

/// When the first part went without which it is not everybody any more.
fn last_of(opening: &Opening, before: &[(&Opening, usize)]) -> Option<Arc<Call>> {
    let own = opening.wide().map(|(at, part)| (part, opening.closed.get(at)));
    let earlier = before.iter().filter_map(|(other, at)| Some((other.call.opens.get(*at)?, other.closed.get(*at))));
    let all: Vec<_> = own.chain(earlier).map(|(part, closed)| (part, closed.and_then(Option::as_ref))).collect();
    let mut ends: Vec<&Arc<Call>> = all.iter().filter_map(|(_, closed)| *closed).collect();
    ends.sort_by_key(|end| end.at);
    ends.dedup_by_key(|end| end.at);
    let still = |end: &Arc<Call>| {
        let open = all.iter().filter(|(_, closed)| closed.is_none_or(|closed| closed.at > end.at));
        is_everybody(open.map(|(part, _)| *part))
    };
    // Less and less is open, so halving finds it.
    let first = ends.partition_point(|end| still(end));
    ends.get(first).map(|end| Arc::clone(end))
}

impl Opening {
    fn exposures(&self) -> impl Iterator<Item = &Exposure> {
        self.call.opens.iter().map(|part| &part.exposure)
    }

    /// The wide ones of its parts.
    fn wide(&self) -> impl Iterator<Item = (usize, &Part)> {
        self.call.opens.iter().enumerate().filter(|(_, part)| part.is_wide()).take(TOGETHER_MAX)
    }

    fn may_complete(&self) -> bool {
        !self.call.is_world && self.wide().next().is_some()
    }

    fn conclude(&self, found: &mut Vec<Saying>) {
        let closed = self.end().map(|end| Closed::new(&self.call, self.exposures().cloned().collect(), end));
        found.push(Saying::closed(self.call.at.id, &self.call, closed));
    }

    fn close(&mut self, closing: &Arc<Call>) -> bool {
        let Self { call, closed } = self;
        let mut is_changed = false;
        for (part, closed) in call.opens.iter().zip(closed) {
            let is_earlier = closed.as_ref().is_none_or(|closed| closing.at < closed.at);
            if is_earlier && closing.has_closed(call, part) {
                *closed = Some(Arc::clone(closing));
                is_changed = true;
            }
        }
        is_changed
    }

    /// What closed the last of it.
    fn end(&self) -> Option<&Arc<Call>> {
        let ends: Option<Vec<_>> = self.closed.iter().map(Option::as_ref).collect();
        ends?.into_iter().max_by_key(|end| end.at)
    }
}

impl Call {
    /// `alice@203.0.113.7`
    pub(super) fn by(&self) -> Option<String> {
        let Who { name, id, key, service, ip, .. } = &self.who;
        let name = [name, id, key, service].into_iter().flatten().next();
        match (name, ip) {
            (Some(name), Some(from)) => Some(format!("{name}@{from}")),
            (Some(name), None) => Some(name.clone()),
            (None, from) => from.map(|from| from.to_string()),
        }
    }

    pub(super) fn is_world(&self) -> bool {
        self.is_world
    }
}
