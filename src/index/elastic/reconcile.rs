//! Compares what a cluster has of a trail with the trail, entry by entry, and mends it.
//!
//! Both are read once, in the order of the trail, side by side. A document is right if it is what the entry makes:
//! every field of it, in the index where it belongs, and once. What is compared is what is kept of a document; a
//! cluster that searches otherwise than it keeps is beyond that.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate};
use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::write::{Courier, Mending};
use super::{Held, Position, access, document, field, forget};
use crate::cluster::{Body, Cluster, Failure, Method};
use crate::config::index::Elastic;
use crate::event::Stamp;
use crate::index::{Damage, Entries, Entry, IndexError};

/// Documents that are read at a time; fewer where they are long.
const PAGE: usize = 500;

/// Documents that are deleted at a time.
const WRONG_AT_ONCE: usize = 1_000;

/// Documents that may claim one place of the trail: more cannot be told apart page by page.
const OF_ONE_PLACE_MAX: usize = 5_000;

/// What to compare, and whether to mend it.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// Bounds on `when`.
    pub since: Bound<Stamp>,
    pub until: Bound<Stamp>,
    pub mends: bool,
}

/// What was found, by the UTC day of `when`.
#[derive(Debug, Default)]
pub struct Report {
    pub days: BTreeMap<NaiveDate, Day>,
    /// Entries before this place were compared; the others the cluster does not have yet.
    pub compared_to: u64,
    /// Where the trail ended.
    pub acknowledged: u64,
}

#[derive(Debug, Default)]
pub struct Day {
    /// Events of the trail, and documents of the cluster.
    pub entries: u64,
    pub documents: u64,
    /// Documents that were not there, were not what the entry makes, or belong to no entry.
    pub missing: u64,
    pub changed: u64,
    pub extra: u64,
    trail: Sha256,
    cluster: Sha256,
}

impl Day {
    /// Over what the entries of the day make, in the order of the trail; in hex.
    pub fn trail_hash(&self) -> String {
        hex(&self.trail)
    }

    /// Over what the cluster has.
    pub fn cluster_hash(&self) -> String {
        hex(&self.cluster)
    }

    pub fn is_same(&self) -> bool {
        self.missing + self.changed + self.extra == 0
    }
}

impl Report {
    pub fn is_same(&self) -> bool {
        self.days.values().all(Day::is_same)
    }
}

/// Compares, and mends what is asked for. Nobody else may write meanwhile.
pub fn reconcile(
    data: &std::path::Path,
    settings: &Elastic,
    trail: &dyn Entries,
    scope: Scope,
) -> Result<Report, IndexError> {
    let origin = trail.origin()?;
    let cluster = Arc::new(access::connect(settings)?);
    let acknowledged = trail.acknowledged()?;
    let Some(position) = Position::read(data, &origin)? else { return Err(IndexError::Behind { by: acknowledged }) };
    if position.pattern != settings.names.pattern() {
        return Err(IndexError::damaged(cluster.name(), Damage::OtherNames(position.pattern)));
    }
    let upto = position.complete_to;
    if upto > acknowledged {
        return Err(IndexError::damaged(cluster.name(), Damage::Ahead { index: upto, trail: acknowledged }));
    }
    let mut comparing = Comparing::new(&cluster, settings, &origin, position, scope);
    comparing.run(trail, upto, acknowledged)?;
    Ok(comparing.report)
}

/// Mends everything, and counts again what the cluster has: after the trail was put back to an older state.
pub(super) fn repair(
    cluster: &Arc<Cluster>,
    settings: &Elastic,
    origin: &str,
    trail: &dyn Entries,
    mut position: Position,
) -> Result<Position, IndexError> {
    let acknowledged = trail.acknowledged()?;
    let upto = position.complete_to.min(acknowledged);
    let held = std::mem::take(&mut position.indices);
    let scope = Scope { since: Bound::Unbounded, until: Bound::Unbounded, mends: true };
    position.complete_to = upto;
    position.leaf =
        upto.checked_sub(1).map(|last| trail.leaf(last)).transpose()?.map(|leaf| leaf.to_string()).unwrap_or_default();
    position.indices = held;
    let mut comparing = Comparing::new(cluster, settings, origin, position, scope);
    comparing.run(trail, upto, acknowledged)?;
    let Comparing { mut position, counted, .. } = comparing;
    position.indices = counted;
    Ok(position)
}

/// A document as it was found.
#[derive(Debug)]
struct Found {
    index: String,
    id: String,
    seq: u64,
    source: Json,
}

struct Comparing<'c> {
    cluster: &'c Arc<Cluster>,
    settings: &'c Elastic,
    origin: &'c str,
    position: Position,
    scope: Scope,
    report: Report,
    /// What the entries come to.
    counted: BTreeMap<String, Held>,
    mending: Mending,
    /// Documents to delete: index and id.
    wrong: Vec<(String, String)>,
}

impl<'c> Comparing<'c> {
    fn new(
        cluster: &'c Arc<Cluster>,
        settings: &'c Elastic,
        origin: &'c str,
        position: Position,
        scope: Scope,
    ) -> Self {
        Self {
            cluster,
            settings,
            origin,
            position,
            scope,
            report: Report::default(),
            counted: BTreeMap::new(),
            mending: Mending::new(Courier::new(Arc::clone(cluster), settings), settings.batch_bytes),
            wrong: Vec::new(),
        }
    }

    fn run(&mut self, trail: &dyn Entries, upto: u64, acknowledged: u64) -> Result<(), IndexError> {
        let all = self.settings.names.all();
        self.cluster.ask(Method::Post, &format!("/{all}/_refresh?allow_no_indices=true"), Body::None)?;
        // What was pruned nobody can compare, and nobody asks for.
        let first = trail.first()?;
        let mut documents = Documents::new(self.cluster, &all, self.query(), first);
        for entry in trail.entries(first)? {
            let entry = entry?;
            if entry.seq >= acknowledged {
                break;
            }
            while let Some(before) = documents.next_before(entry.seq)? {
                self.extra(&before)?;
            }
            let mut here = Vec::new();
            while let Some(document) = documents.next_before(entry.seq + 1)? {
                here.push(document);
            }
            match entry.seq < upto {
                true => self.settle(&entry, here)?,
                false => self.beyond(&entry, here)?,
            }
        }
        while let Some(document) = documents.next_before(u64::MAX)? {
            self.extra(&document)?;
        }
        self.mend()?;
        self.report.compared_to = upto;
        self.report.acknowledged = acknowledged;
        Ok(())
    }

    /// What was on its way when the writer ended may be there; the writer will send it again.
    fn beyond(&mut self, entry: &Entry, here: Vec<Found>) -> Result<(), IndexError> {
        let leaf = entry.leaf.to_string();
        for found in here {
            let is_same = found.source.get(field::LEAF).and_then(Json::as_str) == Some(&leaf);
            if !(is_same && self.is_in_place(entry, &found)) {
                self.extra(&found)?;
            }
        }
        Ok(())
    }

    fn is_in_place(&self, entry: &Entry, found: &Found) -> bool {
        found.index == self.settings.names.of(&entry.event) && found.id == document::id(self.origin, &entry.event)
    }

    fn settle(&mut self, entry: &Entry, here: Vec<Found>) -> Result<(), IndexError> {
        use std::ops::RangeBounds as _;
        let when = entry.event.when.micros();
        let micros = |bound: Bound<Stamp>| bound.map(Stamp::micros);
        if self.position.dropped_to.is_some_and(|dropped_to| when <= dropped_to) {
            // It may be there or not: no search reaches back that far.
            if here.iter().any(|found| self.is_in_place(entry, found)) {
                self.count(entry);
            }
            return Ok(());
        }
        if (micros(self.scope.since), micros(self.scope.until)).contains(&when) {
            return self.compare(entry, here);
        }
        // It only says that it is of the time that is asked about.
        for found in here {
            match self.is_in_place(entry, &found) {
                true => {
                    self.day(when).changed += 1;
                    self.again(entry)?;
                }
                false => self.extra(&found)?,
            }
        }
        Ok(())
    }

    fn count(&mut self, entry: &Entry) {
        let held = Held::one(entry.event.when.micros());
        let index = self.settings.names.of(&entry.event);
        self.counted.entry(index).and_modify(|known| known.unite(held)).or_insert(held);
    }

    fn day(&mut self, when: i64) -> &mut Day {
        self.report.days.entry(day_of(when)).or_default()
    }

    /// Documents of this trail that claim to be of the time that is asked about.
    fn query(&self) -> Json {
        let micros = |bound: Bound<Stamp>| bound.map(|stamp| json!(stamp.micros()));
        let mut range = serde_json::Map::new();
        match micros(self.scope.since) {
            Bound::Included(value) => drop(range.insert("gte".to_owned(), value)),
            Bound::Excluded(value) => drop(range.insert("gt".to_owned(), value)),
            Bound::Unbounded => {}
        }
        match micros(self.scope.until) {
            Bound::Included(value) => drop(range.insert("lte".to_owned(), value)),
            Bound::Excluded(value) => drop(range.insert("lt".to_owned(), value)),
            Bound::Unbounded => {}
        }
        let mut filter = vec![forget::is_of(self.origin)];
        if !range.is_empty() {
            filter.push(json!({"range": {format!("{}.when", field::MICROS): range}}));
        }
        json!({"bool": {"filter": filter}})
    }

    fn compare(&mut self, entry: &Entry, here: Vec<Found>) -> Result<(), IndexError> {
        self.count(entry);
        let (when, leaf) = (entry.event.when.micros(), entry.leaf.to_string());
        let expected = document::document(self.origin, entry.seq, &entry.event, &leaf);
        let day = self.day(when);
        day.entries += 1;
        day.trail.update(expected.to_string());
        let mut is_there = false;
        for found in here {
            if !self.is_in_place(entry, &found) {
                self.extra(&found)?;
                continue;
            }
            is_there = true;
            let day = self.day(when);
            day.documents += 1;
            day.cluster.update(found.source.to_string());
            if found.source != expected && !document::is_reduced_of(&found.source, entry.seq, &leaf) {
                day.changed += 1;
                self.again(entry)?;
            }
        }
        if !is_there {
            self.day(when).missing += 1;
            self.again(entry)?;
        }
        Ok(())
    }

    fn again(&mut self, entry: &Entry) -> Result<(), IndexError> {
        match self.scope.mends {
            true => Ok(self.mending.push(self.origin, &self.settings.names, entry)?),
            false => Ok(()),
        }
    }

    fn extra(&mut self, found: &Found) -> Result<(), IndexError> {
        let when = found.source.pointer("/micros/when").and_then(Json::as_i64).unwrap_or_default();
        let day = self.day(when);
        day.documents += 1;
        day.extra += 1;
        day.cluster.update(found.source.to_string());
        if self.scope.mends {
            self.wrong.push((found.index.clone(), found.id.clone()));
        }
        if self.wrong.len() < WRONG_AT_ONCE { Ok(()) } else { self.mend() }
    }

    /// Right ones first: who searches meanwhile finds too much rather than too little.
    fn mend(&mut self) -> Result<(), IndexError> {
        if !self.scope.mends {
            return Ok(());
        }
        self.mending.finish()?;
        forget::delete(self.cluster, self.wrong.iter().map(|(index, id)| (index.as_str(), id.as_str())))?;
        self.wrong.clear();
        let all = self.settings.names.all();
        self.cluster.ask(Method::Post, &format!("/{all}/_refresh?allow_no_indices=true"), Body::None)?;
        Ok(())
    }
}

/// The documents of a trail in its order, some at a time.
struct Documents<'c> {
    cluster: &'c Cluster,
    path: String,
    query: Json,
    /// The place and the ids that were handed out of it: the next page begins there again.
    last: u64,
    seen: Vec<(String, String)>,
    page: VecDeque<Found>,
    page_size: usize,
    is_over: bool,
}

impl<'c> Documents<'c> {
    fn new(cluster: &'c Cluster, indices: &str, query: Json, first: u64) -> Self {
        let path = format!("/{indices}/_search?allow_no_indices=true&allow_partial_search_results=false");
        Self {
            cluster,
            path,
            query,
            last: first,
            seen: Vec::new(),
            page: VecDeque::new(),
            page_size: PAGE,
            is_over: false,
        }
    }

    /// The next one, if it lies before a place.
    fn next_before(&mut self, place: u64) -> Result<Option<Found>, IndexError> {
        while self.page.is_empty() && !self.is_over {
            self.turn()?;
        }
        if self.page.front().is_none_or(|next| next.seq >= place) {
            return Ok(None);
        }
        let next = self.page.pop_front();
        if let Some(next) = &next {
            if next.seq != self.last {
                self.last = next.seq;
                self.seen.clear();
            }
            self.seen.push((next.index.clone(), next.id.clone()));
        }
        Ok(next)
    }

    fn turn(&mut self) -> Result<(), IndexError> {
        let from = json!({"range": {field::SEQ: {"gte": self.last}}});
        if self.seen.len() > OF_ONE_PLACE_MAX {
            let place = self.last;
            let problem = format!(
                "over {OF_ONE_PLACE_MAX} documents claim to be entry {place}: `whodid index rebuild` deletes them"
            );
            return Err(Failure::Setup(problem).into());
        }
        let size = self.page_size + self.seen.len();
        let body = json!({
            "size": size,
            "query": {"bool": {"filter": [self.query, from]}},
            "sort": [{field::SEQ: {"order": "asc", "unmapped_type": "long"}}],
            "track_total_hits": false,
        });
        let answer = match self.cluster.ask(Method::Post, &self.path, Body::json(&body)) {
            // Long records are too much at a time.
            Err(Failure::TooLong { .. } | Failure::Cut { .. } | Failure::Busy { .. }) if self.page_size > 1 => {
                self.page_size /= 2;
                return Ok(());
            }
            answer => answer?,
        };
        let cut = || Failure::Cut { node: self.cluster.name(), problem: "no documents are listed".to_owned() };
        let hits = answer.pointer("/hits/hits").and_then(Json::as_array).ok_or_else(cut)?;
        self.is_over = hits.len() < size;
        for hit in hits {
            let found = found(hit).ok_or_else(cut)?;
            let is_known =
                found.seq == self.last && self.seen.iter().any(|(index, id)| *index == found.index && *id == found.id);
            if !is_known {
                self.page.push_back(found);
            }
        }
        Ok(())
    }
}

fn found(hit: &Json) -> Option<Found> {
    let source = hit.get("_source")?.clone();
    Some(Found {
        index: hit.get("_index")?.as_str()?.to_owned(),
        id: hit.get("_id")?.as_str()?.to_owned(),
        // What it is sorted by: whatever the document says.
        seq: hit.pointer("/sort/0")?.as_u64().unwrap_or(u64::MAX - 1),
        source,
    })
}

fn day_of(micros: i64) -> NaiveDate {
    DateTime::from_timestamp_micros(micros).map(|instant| instant.date_naive()).unwrap_or(NaiveDate::MIN)
}

fn hex(hash: &Sha256) -> String {
    data_encoding::HEXLOWER.encode(&hash.clone().finalize())
}
