//! Views of the trail that answer queries: [`Index`] and its implementations.
//!
//! An index holds searchable fields and trail sequence numbers; the events themselves are read back
//! from the trail, so that what is seen is what is proven. Any index can be deleted and rebuilt.
//!
//! Invariant: an answer covers every event up to its `complete_to`, or it is an [`IndexError`]. There
//! is no answer that silently misses something.

#[cfg(feature = "elastic")]
pub mod elastic;
pub mod embedded;
mod entries;
mod error;
mod joined;
mod nearest;
mod span;
mod tail;
mod tally;
mod term;

pub use entries::{Entries, Entry};
pub use error::{Damage, IndexError};
pub use joined::Joined;
pub use tail::TAIL_EVENTS_MAX;
pub use tally::{By, GROUPS_MAX, Group, Tally};

use std::ops::Bound;

use crate::event::{Event, Stamp};
use crate::query::Attribution;
use crate::query::ast::Ast;

/// What to look for.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    pub query: Ast,
    /// Bounds on `when`.
    pub since: Bound<Stamp>,
    pub until: Bound<Stamp>,
    /// Only events at this place of the trail or later; 0 for all.
    pub from_seq: u64,
}

impl Search {
    /// A query over the whole trail.
    pub fn all(query: Ast) -> Self {
        Self { query, since: Bound::Unbounded, until: Bound::Unbounded, from_seq: 0 }
    }
}

/// One event that matched, and its place in the trail.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub seq: u64,
    pub event: Event,
    /// Who was behind it; nobody until [`Index::attribute`] was asked.
    pub by: Attribution,
}

impl Hit {
    pub fn new(seq: u64, event: Event) -> Self {
        Self { seq, event, by: Attribution::default() }
    }
}

/// The newest of the events that matched, and how many there are in all.
#[derive(Debug, Clone, PartialEq)]
pub struct Hits {
    /// By `when` to the microsecond, newest first; equal instants by place in the trail, last first.
    pub newest: Vec<Hit>,
    pub total: u64,
    /// The answer covers the trail up to here.
    pub complete_to: u64,
}

/// Answers queries over the whole trail up to its last acknowledged event.
///
/// Blocking: callers in async code use `spawn_blocking`.
pub trait Index: Send + Sync {
    fn search(&self, search: &Search, limit: usize) -> Result<Hits, IndexError>;

    /// Only the number, and the place of the trail that the answer is complete to.
    fn count(&self, search: &Search) -> Result<(u64, u64), IndexError>;

    /// Every match, oldest `when` first (equal instants by place in the trail), in bounded memory.
    /// `each` returns false to stop. Returns the place of the trail that the matches are complete to.
    fn each(&self, search: &Search, each: &mut dyn FnMut(Hit) -> bool) -> Result<u64, IndexError>;

    /// How many matches each value of some fields has, or each combination of values.
    fn tally(&self, search: &Search, by: &By) -> Result<Tally, IndexError> {
        tally::of_each(by, |each| self.each(search, each))
    }

    /// Finds out who was behind some events, by what the trail says before a place of it. An index alone
    /// knows nobody: see [`Joined`].
    fn attribute(&self, _hits: &mut [Hit], _before: u64) -> Result<(), IndexError> {
        Ok(())
    }
}

impl Index for Box<dyn Index> {
    fn search(&self, search: &Search, limit: usize) -> Result<Hits, IndexError> {
        (**self).search(search, limit)
    }

    fn count(&self, search: &Search) -> Result<(u64, u64), IndexError> {
        (**self).count(search)
    }

    fn each(&self, search: &Search, each: &mut dyn FnMut(Hit) -> bool) -> Result<u64, IndexError> {
        (**self).each(search, each)
    }

    fn tally(&self, search: &Search, by: &By) -> Result<Tally, IndexError> {
        (**self).tally(search, by)
    }

    fn attribute(&self, hits: &mut [Hit], before: u64) -> Result<(), IndexError> {
        (**self).attribute(hits, before)
    }
}

/// An index that takes the trail in: the one writer of it.
pub trait View: Send {
    /// Every event before this place can be found.
    fn complete_to(&self) -> u64;

    /// Takes in the trail up to a place, or as far as it comes; returns what the index is complete to. Whoever wants to
    /// be able to stop asks for a nearer place. After an error the same call may be made again.
    fn catch_up(&mut self, trail: &dyn Entries, upto: u64, now: Stamp) -> Result<u64, IndexError>;
}

/// So many events are asked for at a time by whoever shows how far it is.
pub const STEP_EVENTS: u64 = 100_000;
