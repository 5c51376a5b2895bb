//! An index that knows who was behind an event: it resolves `who.person` and `who.chain` for the index
//! within, which knows neither.
//!
//! A query that names them takes two searches: one for the links that can matter, then the query itself, in
//! which each such test became a list of places and tests on the record (`query::people`). The trail may
//! grow between both. So the second is asked only for what lies before the place that the first was
//! complete to: the answer is that of one state of the trail, whole up to there. It is not behind: that
//! place was the trail's end after the question had come.
//!
//! A link has the time of the event that it is about, so that both are found within the same bounds.

use std::ops::Bound;
use std::sync::Arc;

use super::{Hit, Hits, Index, IndexError, Search};
use crate::event::Family;
use crate::event::link::Link;
use crate::query::People;
use crate::query::ast::{Ast, Places};
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
        let links = Search { query: wanted.links(), from_seq: 0, ..search.clone() };
        let complete_to = self.inner.each(&links, &mut |hit| {
            wanted.take(hit.seq, &hit.event);
            wanted.len() <= LINKS_MAX
        })?;
        if wanted.len() > LINKS_MAX {
            return Err(IndexError::Links { most: LINKS_MAX });
        }
        let query = Ast::And(vec![Ast::Places(Places::before(complete_to)), wanted.resolve()]);
        Ok(Some((Search { query, ..search.clone() }, complete_to)))
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

    fn attribute(&self, hits: &mut [Hit], before: u64) -> Result<(), IndexError> {
        hits.chunks_mut(BATCH).try_for_each(|hits| self.attribute_some(hits, before))
    }
}

impl<I: Index> Joined<I> {
    fn attribute_some(&self, hits: &mut [Hit], before: u64) -> Result<(), IndexError> {
        let mut newest = std::collections::HashMap::new();
        // No link is about whodid's own events.
        let of_others = || hits.iter().filter(|hit| hit.event.source.kind != Family::Whodid);
        let whens = || of_others().map(|hit| hit.event.when);
        if let (Some(first), Some(last)) = (whens().min(), whens().max()) {
            let query = about(of_others().map(|hit| hit.seq));
            let (since, until) = (Bound::Included(first), Bound::Included(last));
            self.inner.each(&Search { query, since, until, from_seq: 0 }, &mut |hit| {
                if let Some(link) = Link::of(&hit.event).filter(|link| hit.seq < before && link.facts.for_key.is_none())
                {
                    let tie = newest.entry(link.facts.seq).or_insert(None::<Tie>);
                    if tie.as_ref().is_none_or(|tie| tie.seq < hit.seq) {
                        *tie = Some(Tie { seq: hit.seq, facts: link.facts });
                    }
                }
                true
            })?;
        }
        for hit in hits {
            hit.by = self.people.attribute(&hit.event, newest.remove(&hit.seq).flatten());
        }
        Ok(())
    }
}
