//! An index that knows who was behind an event and what is proven of where it was read: it resolves `who.person`,
//! `who.chain` and `source.digest` for the index within, which knows none of them.
//!
//! A query that names them takes further searches: for the links and verdicts that can matter, then the query itself, in
//! which each such test became a list of places, keys or objects and tests on the record (`query::people`). The trail may
//! grow between both. So the others are asked only for what lies before the place that the first was
//! complete to: the answer is that of one state of the trail, whole up to there. It is not behind: that
//! place was the trail's end after the question had come.
//!
//! A link has the time of the event that it is about, so that both are found within the same bounds; one about a key is
//! looked for two days before, and a verdict has the time of the object's delivery.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::{By, Hit, Hits, Index, IndexError, Search, Tally};
use crate::event::fields::FieldRef;
use crate::event::link::{Facts, Link};
use crate::event::{Family, Stamp};
use crate::query::People;
use crate::query::ast::{Ast, Places};
use crate::query::people::keyed::{self, ByKey};
use crate::query::people::proof::{self, Proven};
use crate::query::people::{Tie, Wanted, about};

/// Links that one query may look through: about a hundred bytes each.
const LINKS_MAX: usize = 2_000_000;

/// For how many events links are looked up at a time.
const BATCH: usize = 4_096;

/// See the module's text.
pub struct Joined<I> {
    inner: I,
    people: Arc<People>,
}

impl<I: Index> Joined<I> {
    pub fn new(inner: I, people: Arc<People>) -> Self {
        Self { inner, people }
    }

    /// The search without joined fields, and the place that the answer has to end at; none if it has none.
    fn resolve(&self, search: &Search) -> Result<Option<(Search, u64)>, IndexError> {
        let Some(mut wanted) = Wanted::of(&search.query, &self.people) else { return Ok(None) };
        let mut complete_to = None;
        if let Some(query) = wanted.links() {
            let (since, until) = (keyed::from(search.since), keyed::to(search.until));
            let search = Search { query, since, until, from_seq: 0 };
            complete_to = Some(self.gather(&mut wanted, &search)?);
        }
        if let Some(query) = wanted.verdicts() {
            // All of it is as of one place of the trail.
            let query = match complete_to {
                Some(end) => Ast::And(vec![Ast::Places(Places::before(end)), query]),
                None => query,
            };
            let since = match search.since {
                Bound::Included(first) | Bound::Excluded(first) => Bound::Included(proof::since(first)),
                Bound::Unbounded => Bound::Unbounded,
            };
            let reached = self.gather(&mut wanted, &Search { query, since, until: Bound::Unbounded, from_seq: 0 })?;
            complete_to = complete_to.or(Some(reached));
        }
        let complete_to = complete_to.unwrap_or(u64::MAX);
        let query = Ast::And(vec![Ast::Places(Places::before(complete_to)), wanted.resolve()]);
        Ok(Some((Search { query, ..search.clone() }, complete_to)))
    }

    /// Links and verdicts lie before what they are about: of those, as many as the index has to keep.
    fn each_kept(&self, search: &Search, each: &mut dyn FnMut(Hit) -> bool) -> Result<u64, IndexError> {
        match self.inner.each(search, each) {
            Err(IndexError::Dropped { to }) => {
                self.inner.each(&Search { since: Bound::Excluded(to), ..search.clone() }, each)
            }
            done => done,
        }
    }

    fn gather(&self, wanted: &mut Wanted<'_>, search: &Search) -> Result<u64, IndexError> {
        let complete_to = self.each_kept(search, &mut |hit| {
            wanted.take(hit.seq, &hit.event);
            wanted.len() <= LINKS_MAX
        })?;
        if wanted.len() > LINKS_MAX {
            return Err(IndexError::Links { most: LINKS_MAX });
        }
        Ok(complete_to)
    }
}

impl<I: Index> Index for Joined<I> {
    fn search(&self, search: &Search, limit: usize) -> Result<Hits, IndexError> {
        match self.resolve(search)? {
            None => self.inner.search(search, limit),
            Some((search, complete_to)) => Ok(Hits { complete_to, ..self.inner.search(&search, limit)? }),
        }
    }

    fn count(&self, search: &Search) -> Result<(u64, u64), IndexError> {
        match self.resolve(search)? {
            None => self.inner.count(search),
            Some((search, complete_to)) => Ok((self.inner.count(&search)?.0, complete_to)),
        }
    }

    fn each(&self, search: &Search, each: &mut dyn FnMut(Hit) -> bool) -> Result<u64, IndexError> {
        match self.resolve(search)? {
            None => self.inner.each(search, each),
            Some((search, complete_to)) => self.inner.each(&search, each).map(|_| complete_to),
        }
    }

    fn tally(&self, search: &Search, by: &By) -> Result<Tally, IndexError> {
        if by.fields.iter().any(FieldRef::is_joined) {
            return self.tally_joined(search, by);
        }
        match self.resolve(search)? {
            None => self.inner.tally(search, by),
            Some((search, complete_to)) => Ok(Tally { complete_to, ..self.inner.tally(&search, by)? }),
        }
    }

    fn attribute(&self, hits: &mut [Hit], before: u64) -> Result<(), IndexError> {
        hits.chunks_mut(BATCH).try_for_each(|hits| self.attribute_some(hits, before))
    }
}

impl<I: Index> Joined<I> {
    /// Events and links as of one place of the trail.
    fn tally_joined(&self, search: &Search, by: &By) -> Result<Tally, IndexError> {
        let (_, complete_to) = self.count(search)?;
        let query = Ast::And(vec![Ast::Places(Places::before(complete_to)), search.query.clone()]);
        let search = Search { query, ..search.clone() };
        let mut tally = Tally { complete_to, ..Tally::default() };
        let (mut hits, mut problem) = (Vec::with_capacity(BATCH), None);
        let mut add = |hits: &mut Vec<Hit>| {
            self.attribute(hits, complete_to)?;
            hits.drain(..).try_for_each(|hit| tally.add_hit(by, &hit))
        };
        self.each(&search, &mut |hit| {
            hits.push(hit);
            if hits.len() < BATCH {
                return true;
            }
            problem = add(&mut hits).err();
            problem.is_none()
        })?;
        match problem {
            Some(error) => return Err(error),
            None => add(&mut hits)?,
        }
        Ok(tally)
    }

    fn attribute_some(&self, hits: &mut [Hit], before: u64) -> Result<(), IndexError> {
        let (mut newest, mut keys, mut proven) = (HashMap::<u64, Tie>::new(), ByKey::default(), Proven::default());
        // No link is about whodid's own events.
        let others: Vec<&Hit> = hits.iter().filter(|hit| hit.event.source.kind != Family::Whodid).collect();
        let whens = || others.iter().map(|hit| hit.event.when);
        if let (Some(first), Some(last)) = (whens().min(), whens().max()) {
            let given = others.iter().filter_map(|hit| keyed::key_of(&hit.event)).map(str::to_owned);
            let given: BTreeSet<String> = given.collect();
            let (first, last) = (Bound::Included(first), Bound::Included(last));
            let (since, until) = if given.is_empty() { (first, last) } else { (keyed::from(first), keyed::to(last)) };
            let query = about(others.iter().map(|hit| hit.seq), given);
            self.each_kept(&Search { query, since, until, from_seq: 0 }, &mut |hit| {
                let Some(Link { facts, .. }) = Link::of(&hit.event).filter(|_| hit.seq < before) else { return true };
                match facts.for_key.clone() {
                    Some(key) => keys.take(&key, hit.event.when, hit.seq, facts),
                    None => match newest.get(&facts.seq) {
                        Some(known) if known.seq >= hit.seq => {}
                        _ => drop(newest.insert(facts.seq, Tie { seq: hit.seq, facts })),
                    },
                }
                true
            })?;
        }
        let provable = others.iter().filter(|hit| proof::is_provable(&hit.event));
        let (mut origins, mut first) = (BTreeSet::new(), None::<Stamp>);
        for hit in provable {
            origins.insert(hit.event.source.origin.to_string());
            first = Some(first.map_or(hit.event.when, |first| first.min(hit.event.when)));
        }
        if let Some(first) = first {
            let (since, until) = (Bound::Included(proof::since(first)), Bound::Unbounded);
            let search = Search { query: proof::about(origins), since, until, from_seq: 0 };
            self.each_kept(&search, &mut |hit| {
                if hit.seq < before {
                    proven.take(hit.seq, &hit.event);
                }
                true
            })?;
        }
        for hit in hits {
            let link = match keyed::key_of(&hit.event) {
                Some(_) => {
                    keys.of(&hit.event).map(|(seq, facts): &(u64, Facts)| Tie { seq: *seq, facts: facts.clone() })
                }
                None => newest.remove(&hit.seq),
            };
            hit.by = self.people.attribute(&hit.event, link);
            hit.by.digest = proven.of(&hit.event).map(str::to_owned).into_iter().collect();
        }
        Ok(())
    }
}
