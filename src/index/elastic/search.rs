//! Answers queries in any process that may read the position and ask the cluster.
//!
//! An answer has three parts: what the cluster finds among the entries that the position says it has; entries whose
//! documents it took in reduced form only, which the matcher in memory looks at; and the rest of the trail
//! (`index::tail`). Where a query cannot be said exactly there, the matcher looks at each hit, too.
//!
//! Every request also counts the documents that ought to be there: an index that lost some is an error, as are shards
//! that do not answer, and never a smaller answer.

use std::ops::{Bound, Range};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value as Json, json};

use super::lower::range;
use super::{Effort, Lowered, Position, field, lower};
use crate::cluster::{Body, Cluster, Failure, Method};
use crate::config::index::Elastic;
use crate::event::Stamp;
use crate::event::fields::Kind;
use crate::index::nearest::{Nearest, Order, Place};
use crate::index::tail::{self, Asked, Page};
use crate::index::tally::{self, By, Tally};
use crate::index::{Damage, Entries, Hit, Hits, Index, IndexError, Search};
use crate::query::Subject;

/// `index.max_result_window`: more in one answer is refused.
const PAGE: usize = 10_000;

/// How often indices may be dropped while they are asked before that counts as damage.
const TRIES: usize = 3;

/// Reads a cluster and the trail it has a view of.
pub struct Searcher<E> {
    data: PathBuf,
    trail: E,
    settings: Elastic,
    /// From the first question on, until a login is refused: then its file is read again.
    cluster: Mutex<Option<Arc<Cluster>>>,
}

/// A search and the parts that answer it.
pub(super) struct Plan<'s> {
    pub(super) asked: Asked<'s>,
    pub(super) tail: Range<u64>,
    position: Position,
    origin: String,
    /// The indices that can hold a match, and how many documents they hold of this trail.
    indices: Vec<String>,
    events: u64,
    effort: Effort,
    pub(super) lowered: Lowered,
}

/// What a cluster finds.
struct Found {
    places: Vec<Place>,
    total: u64,
    /// Entries that are there in reduced form only.
    reduced: Vec<Place>,
}

impl<E: Entries> Searcher<E> {
    /// Asks nothing yet.
    pub fn open(data: &Path, trail: E, settings: &Elastic) -> Self {
        Self { data: data.to_owned(), trail, settings: settings.clone(), cluster: Mutex::default() }
    }

    fn cluster(&self) -> Result<Arc<Cluster>, IndexError> {
        let mut known = self.cluster.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some(cluster) => Ok(Arc::clone(cluster)),
            None => Ok(Arc::clone(known.insert(Arc::new(super::access::connect(&self.settings)?)))),
        }
    }

    fn damaged(&self, damage: Damage) -> IndexError {
        IndexError::damaged(super::folder(&self.data), damage)
    }

    fn plan<'s>(&self, search: &'s Search) -> Result<Plan<'s>, IndexError> {
        let origin = self.trail.origin()?;
        // In this order: what the cluster has was acknowledged before.
        let position = match Position::read(&self.data, &origin)? {
            Some(position) => position,
            None => Position::start(&origin, "", ""),
        };
        let complete_to = position.complete_to;
        let (asked, tail) = tail::split(&self.trail, search, complete_to, |damage| self.damaged(damage))?;
        self.compare(&position)?;
        let mut plan = Plan {
            asked,
            tail,
            origin,
            indices: Vec::new(),
            events: 0,
            effort: Effort::Fine,
            lowered: lower(&search.query, Effort::Fine),
            position,
        };
        let Asked { span, from_seq, .. } = plan.asked;
        if span.is_empty() || from_seq >= complete_to {
            return Ok(plan);
        }
        if let Some(to) = plan.position.dropped_to.filter(|to| span.first <= *to) {
            return Err(IndexError::Dropped { to: Stamp::from_micros(to) });
        }
        for (name, held) in plan.position.within(span.first, span.last) {
            plan.indices.push(name.to_owned());
            plan.events += held.events;
        }
        Ok(plan)
    }

    /// A trail that was put back to an older state, and grew again, is not the one that the cluster has.
    fn compare(&self, position: &Position) -> Result<(), IndexError> {
        let Some(last) = position.complete_to.checked_sub(1) else { return Ok(()) };
        if position.leaf.is_empty() || last < self.trail.first()? || self.trail.leaf(last)?.to_string() == position.leaf
        {
            return Ok(());
        }
        Err(self.damaged(Damage::OtherEntry { seq: last }))
    }

    /// A plan and what the first request for it finds.
    fn begin<'s>(&self, search: &'s Search, order: Order, size: usize) -> Result<(Plan<'s>, Found), IndexError> {
        let mut plan = self.plan(search)?;
        for _ in 1..TRIES {
            match self.find(&mut plan, order, None, size) {
                Ok(found) => return Ok((plan, found)),
                // Indices of days that need not be kept any more may go meanwhile: then there is a newer position.
                Err(error) if error.needs_rebuild() => {
                    let fresh = self.plan(search)?;
                    if fresh.position == plan.position {
                        return Err(error);
                    }
                    plan = fresh;
                }
                Err(error) => return Err(error),
            }
        }
        let found = self.find(&mut plan, order, None, size)?;
        Ok((plan, found))
    }

    /// The first matches behind a place. Those that are reduced come with the first page, all of them.
    fn find(&self, plan: &mut Plan<'_>, order: Order, after: Option<Place>, size: usize) -> Result<Found, IndexError> {
        if plan.indices.is_empty() {
            return Ok(Found { places: Vec::new(), total: 0, reduced: Vec::new() });
        }
        let mut requests = vec![sorted(plan.matching(), order, after, size)];
        if after.is_none() {
            requests.push(sorted(plan.reduced(), Order::OldestFirst, None, PAGE));
        }
        let answers = match self.ask(plan, &requests) {
            Err(IndexError::Cluster(failure)) if plan.effort == Effort::Fine && is_too_much(&failure) => {
                plan.effort = Effort::Coarse;
                plan.lowered = lower(&plan.asked.search.query, Effort::Coarse);
                if let Some(request) = requests.first_mut() {
                    *request = sorted(plan.matching(), order, after, size);
                }
                self.ask(plan, &requests)?
            }
            answers => answers?,
        };
        let mut answers = answers.iter().map(|answer| self.places(answer));
        let (places, total) = answers.next().unwrap_or_else(|| Err(self.garbled()))?;
        let (mut reduced, count) = answers.next().transpose()?.unwrap_or_default();
        while (reduced.len() as u64) < count {
            let request = sorted(plan.reduced(), Order::OldestFirst, reduced.last().copied(), PAGE);
            let answers = self.ask(plan, &[request])?;
            let more = answers.first().map_or_else(|| Err(self.garbled()), |answer| self.places(answer))?.0;
            if more.is_empty() {
                return Err(self.garbled());
            }
            reduced.extend(more);
        }
        let mut judged = Vec::new();
        for place in reduced {
            if self.passes(plan, place.seq)? {
                judged.push(place);
            }
        }
        Ok(Found { places, total, reduced: judged })
    }

    /// Several searches of the same indices, which have to hold what they should.
    pub(super) fn ask(&self, plan: &Plan<'_>, requests: &[Json]) -> Result<Vec<Json>, IndexError> {
        let cluster = self.cluster()?;
        // One copy of a shard answers all of them: what it counts it also searches.
        let header = json!({"index": plan.indices, "allow_partial_search_results": false, "preference": "whodid"});
        let header = header.to_string();
        let whole = json!({"size": 0, "track_total_hits": true, "query": {"bool": {"filter": plan.held()}}});
        let mut lines = String::new();
        for request in requests.iter().chain([&whole]) {
            lines.push_str(&header);
            lines.push('\n');
            lines.push_str(&request.to_string());
            lines.push('\n');
        }
        let asked = cluster.ask(Method::Post, "/_msearch", Body::Lines(lines.into()));
        let mut answer = asked.inspect_err(|failure| {
            if matches!(failure, Failure::Denied { .. }) {
                *self.cluster.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
        })?;
        let mut answers = match answer.get_mut("responses").map(Json::take) {
            Some(Json::Array(answers)) if answers.len() == requests.len() + 1 => answers,
            _ => return Err(self.garbled()),
        };
        for answer in &answers {
            cluster.judge(answer).map_err(|failure| match failure.is("index_not_found_exception") {
                true => self.damaged(Damage::Gone(named(&failure))),
                false => failure.into(),
            })?;
            let failed = answer.pointer("/_shards/failed").and_then(Json::as_u64);
            if failed != Some(0) || answer.get("timed_out").and_then(Json::as_bool) != Some(false) {
                let problem = "some shards did not answer".to_owned();
                return Err(Failure::Cut { node: cluster.name(), problem }.into());
            }
        }
        let found = answers.pop().as_ref().and_then(total).ok_or_else(|| self.garbled())?;
        if found != plan.events {
            return Err(self.damaged(Damage::Count { found, expected: plan.events }));
        }
        Ok(answers)
    }

    fn places(&self, answer: &Json) -> Result<(Vec<Place>, u64), IndexError> {
        let hits = answer.pointer("/hits/hits").and_then(Json::as_array).ok_or_else(|| self.garbled())?;
        let place = |hit: &Json| {
            let sort = hit.get("sort")?;
            Some(Place { when: sort.get(0)?.as_i64()?, seq: sort.get(1)?.as_u64()? })
        };
        let places = hits.iter().map(place).collect::<Option<Vec<_>>>().ok_or_else(|| self.garbled())?;
        Ok((places, total(answer).ok_or_else(|| self.garbled())?))
    }

    fn garbled(&self) -> IndexError {
        let node = self.cluster().map(|cluster| cluster.name()).unwrap_or_default();
        Failure::Garbled { node }.into()
    }

    /// Whether the entry is a match, by the matcher.
    fn passes(&self, plan: &Plan<'_>, seq: u64) -> Result<bool, IndexError> {
        let hit = tail::hit(&self.trail, seq)?;
        Ok(hit.is_some_and(|hit| Subject::placed(&hit.event, seq).matches(&plan.asked.search.query)))
    }

    /// Of those that the cluster found, those that match.
    fn judged(&self, plan: &Plan<'_>, places: Vec<Place>) -> Result<Vec<Place>, IndexError> {
        if plan.lowered.is_exact {
            return Ok(places);
        }
        let mut matching = Vec::new();
        for place in places {
            if self.passes(plan, place.seq)? {
                matching.push(place);
            }
        }
        Ok(matching)
    }

    /// Offers the matches of the cluster, at least as many as are kept; all are counted.
    fn offer(&self, search: &Search, nearest: &mut Nearest, limit: usize) -> Result<Range<u64>, IndexError> {
        let size = limit.min(PAGE);
        let (mut plan, found) = self.begin(search, Order::NewestFirst, size)?;
        tail::matches(&self.trail, &plan.asked, &plan.tail, &mut |place| nearest.offer(place))?;
        found.reduced.into_iter().for_each(|place| nearest.offer(place));
        let (total, mut places, mut size, mut offered) = (found.total, found.places, size, 0);
        loop {
            // Without a limit that many are all that is asked for; a page that is not full is the last.
            let next = places.last().copied().filter(|_| places.len() == size);
            offered += places.len();
            let is_enough = plan.lowered.is_exact && offered >= limit;
            self.judged(&plan, places)?.into_iter().for_each(|place| nearest.offer(place));
            if is_enough || (next.is_none() && size > 0) {
                break;
            }
            size = PAGE;
            places = self.find(&mut plan, Order::NewestFirst, next, size)?.places;
        }
        if plan.lowered.is_exact {
            nearest.seen += total.saturating_sub(offered as u64);
        }
        Ok(plan.tail)
    }
}

impl<E: Entries> Index for Searcher<E> {
    fn search(&self, search: &Search, limit: usize) -> Result<Hits, IndexError> {
        let mut nearest = Nearest::new(Order::NewestFirst, limit);
        let tail = self.offer(search, &mut nearest, limit)?;
        tail::hits(&self.trail, nearest, tail.end)
    }

    fn count(&self, search: &Search) -> Result<(u64, u64), IndexError> {
        let mut nearest = Nearest::new(Order::NewestFirst, 0);
        let tail = self.offer(search, &mut nearest, 0)?;
        Ok((nearest.seen, tail.end))
    }

    fn each(&self, search: &Search, each: &mut dyn FnMut(Hit) -> bool) -> Result<u64, IndexError> {
        let (mut plan, found) = self.begin(search, Order::OldestFirst, PAGE)?;
        let mut beside = found.reduced;
        tail::matches(&self.trail, &plan.asked, &plan.tail, &mut |place| beside.push(place))?;
        let complete_to = plan.tail.end;
        let mut first = Some(found.places);
        let mut page = |after| {
            let places = match first.take() {
                Some(places) => places,
                None => self.find(&mut plan, Order::OldestFirst, after, PAGE)?.places,
            };
            let next = places.last().copied().filter(|_| places.len() == PAGE);
            Ok(Page { places: self.judged(&plan, places)?, next })
        };
        tail::in_order(&self.trail, beside, &mut page, each)?;
        Ok(complete_to)
    }

    fn tally(&self, search: &Search, by: &By) -> Result<Tally, IndexError> {
        if let Some(columns) = super::tally::columns(by)
            && let Some(tally) = self.counted(search, by, &columns)?
        {
            return Ok(tally);
        }
        tally::of_each(by, |each| self.each(search, each))
    }
}

impl<E: Entries> Searcher<E> {
    /// None if the cluster can only say more than was asked for.
    fn counted(&self, search: &Search, by: &By, columns: &[(String, Kind)]) -> Result<Option<Tally>, IndexError> {
        let (plan, found) = self.begin(search, Order::OldestFirst, 0)?;
        if !plan.lowered.is_exact {
            return Ok(None);
        }
        let mut tally = Tally { complete_to: plan.tail.end, ..Tally::default() };
        let mut after = None;
        while !plan.indices.is_empty() {
            let mut answers = self.ask(&plan, &[super::tally::request(&plan, columns, after.as_ref())])?;
            let groups = answers.first_mut().and_then(|answer| answer.pointer_mut("/aggregations/groups"));
            let groups = groups.map(Json::take).ok_or_else(|| self.garbled())?;
            let buckets = groups.get("buckets").and_then(Json::as_array).ok_or_else(|| self.garbled())?;
            for bucket in buckets {
                let (group, count) = super::tally::bucket(bucket, by, columns).ok_or_else(|| self.garbled())?;
                tally.add(group, count)?;
            }
            after = groups.get("after_key").cloned();
            if buckets.len() < super::tally::PAGE || after.is_none() {
                break;
            }
        }
        let mut beside = found.reduced;
        tail::matches(&self.trail, &plan.asked, &plan.tail, &mut |place| beside.push(place))?;
        for place in beside {
            if let Some(hit) = tail::hit(&self.trail, place.seq)? {
                tally.add_hit(by, &hit)?;
            }
        }
        Ok(Some(tally))
    }
}

impl Plan<'_> {
    /// What is there of this trail.
    fn held(&self) -> Vec<Json> {
        let before = Bound::Excluded(json!(self.asked.complete_to));
        vec![json!({"term": {field::TRAIL: self.origin}}), range(field::SEQ, Bound::Unbounded, before)]
    }

    /// What can be in the answer, whatever the query.
    fn within(&self) -> Vec<Json> {
        let Asked { span, from_seq, .. } = self.asked;
        let mut filter = self.held();
        if from_seq > 0 {
            filter.push(range(field::SEQ, Bound::Included(json!(from_seq)), Bound::Unbounded));
        }
        let bound = |instant: i64, open: i64| match instant == open {
            true => Bound::Unbounded,
            false => Bound::Included(json!(instant)),
        };
        let (first, last) = (bound(span.first, i64::MIN), bound(span.last, i64::MAX));
        if (&first, &last) != (&Bound::Unbounded, &Bound::Unbounded) {
            filter.push(range(&format!("{}.when", field::MICROS), first, last));
        }
        filter
    }

    /// What the cluster finds. Of reduced documents it knows too little to say.
    pub(super) fn matching(&self) -> Json {
        let mut filter = self.within();
        filter.push(self.lowered.query.clone());
        json!({"bool": {"filter": filter, "must_not": [{"term": {field::REDUCED: true}}]}})
    }

    fn reduced(&self) -> Json {
        let mut filter = self.within();
        filter.push(json!({"term": {field::REDUCED: true}}));
        json!({"bool": {"filter": filter}})
    }
}

/// The request for some documents in the order of time, then of places.
fn sorted(query: Json, order: Order, after: Option<Place>, size: usize) -> Json {
    let direction = match order {
        Order::NewestFirst => "desc",
        Order::OldestFirst => "asc",
    };
    let mut request = json!({
        "query": query,
        "size": size,
        "track_total_hits": true,
        "_source": false,
        "sort": [{format!("{}.when", field::MICROS): direction}, {field::SEQ: direction}],
    });
    if let (Some(Place { when, seq }), Some(request)) = (after, request.as_object_mut()) {
        request.insert("search_after".to_owned(), json!([when, seq]));
    }
    request
}

fn total(answer: &Json) -> Option<u64> {
    let total = answer.pointer("/hits/total")?;
    (total.get("relation")? == "eq").then(|| total.get("value")?.as_u64())?
}

/// Whether the query is more than this cluster takes: some say 400 of it, some 500.
fn is_too_much(failure: &Failure) -> bool {
    matches!(failure.status(), Some(400 | 500))
}

/// Of "no such index [whodid-2026.11.20]" the name.
fn named(failure: &Failure) -> String {
    let text = failure.to_string();
    let name = text.rsplit_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(name, _)| name);
    name.unwrap_or(&text).to_owned()
}
