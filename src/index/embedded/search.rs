//! Answers queries in any process that may read the files.
//!
//! An answer has two halves: the partitions, as far as `position` says that they are complete, and the
//! rest of the trail, which the matcher in memory goes through. So it always covers the trail up to its
//! last acknowledged entry, however far the writer of the index is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::NaiveDate;

use super::partition::Partition;
use super::position::Position;
use crate::index::nearest::{Nearest, Order, Place};
use crate::index::tail::{self, Asked, Page};
use crate::index::{Damage, Entries, Hit, Hits, Index, IndexError, Search};

/// How many matches [`Index::each`] finds at a time. Each time costs a query; each match 32 bytes.
const PAGE: usize = 1 << 17;

/// How often a writer may replace files while they are opened before that counts as damage.
const TRIES: usize = 5;

/// Reads an index and the trail it is a view of.
pub struct Searcher<E> {
    folder: PathBuf,
    trail: E,
    opened: Mutex<Opened>,
}

/// The partitions at one position.
#[derive(Clone, Default)]
struct Opened {
    /// None before there is an index.
    position: Option<Position>,
    partitions: BTreeMap<NaiveDate, Arc<Partition>>,
}

impl Opened {
    fn complete_to(&self) -> u64 {
        self.position.as_ref().map_or(0, |position| position.complete_to)
    }

    fn has(&self, day: NaiveDate, position: &Position) -> Option<Arc<Partition>> {
        let own = self.position.as_ref()?;
        let is_same = own.is_of_same_making(position) && own.partitions.get(&day) == position.partitions.get(&day);
        self.partitions.get(&day).filter(|_| is_same).cloned()
    }
}

/// A search and the two halves that answer it.
struct Plan<'s> {
    asked: Asked<'s>,
    index: Opened,
    /// The rest of the trail: its end is what the answer is complete to.
    tail: std::ops::Range<u64>,
}

impl<E: Entries> Searcher<E> {
    pub fn open(data: &Path, trail: E) -> Self {
        Self { folder: super::folder(data), trail, opened: Mutex::default() }
    }

    fn plan<'s>(&self, search: &'s Search) -> Result<Plan<'s>, IndexError> {
        // In this order: what the index is complete to was acknowledged before.
        let index = self.opened(&self.trail.origin()?)?;
        let damaged = |damage| IndexError::damaged(&self.folder, damage);
        let (asked, tail) = tail::split(&self.trail, search, index.complete_to(), damaged)?;
        Ok(Plan { asked, index, tail })
    }

    /// The partitions as of the newest position; those that did not change stay open.
    fn opened(&self, origin: &str) -> Result<Opened, IndexError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tries = 0;
        loop {
            let position = Position::read(&self.folder, origin)?;
            if position == opened.position {
                return Ok(opened.clone());
            }
            tries += 1;
            match self.open_at(position, &opened) {
                Ok(fresh) => *opened = fresh,
                // A partition may vanish while it is opened: then there is a newer position.
                Err(error) if !error.needs_rebuild() || tries == TRIES => return Err(error),
                Err(_) => {}
            }
        }
    }

    fn open_at(&self, position: Option<Position>, before: &Opened) -> Result<Opened, IndexError> {
        let mut partitions = BTreeMap::new();
        for (&day, &expected) in position.iter().flat_map(|position| &position.partitions) {
            let kept = position.as_ref().and_then(|position| before.has(day, position));
            let partition = match kept {
                Some(partition) => partition,
                None => Arc::new(self.open_partition(day, expected)?),
            };
            partitions.insert(day, partition);
        }
        Ok(Opened { position, partitions })
    }

    fn open_partition(&self, day: NaiveDate, expected: u64) -> Result<Partition, IndexError> {
        let path = self.folder.join(day.to_string());
        let partition = Partition::open(&path)?;
        if partition.complete_to < expected {
            let damage = Damage::Lost { found: partition.complete_to, expected };
            return Err(IndexError::damaged(path, damage));
        }
        Ok(partition)
    }
}

impl Plan<'_> {
    /// The partitions that can hold a match.
    fn partitions(&self) -> Vec<(NaiveDate, &Partition)> {
        let all = self.index.partitions.iter().map(|(day, partition)| (*day, &**partition));
        let first = self.asked.from_seq;
        all.filter(|(_, partition)| partition.held.meets(self.asked.span) && partition.reaches(first)).collect()
    }
}

impl<E: Entries> Index for Searcher<E> {
    fn search(&self, search: &Search, limit: usize) -> Result<Hits, IndexError> {
        let plan = self.plan(search)?;
        let mut nearest = Nearest::new(Order::NewestFirst, limit);
        tail::matches(&self.trail, &plan.asked, &plan.tail, &mut |place| nearest.offer(place))?;
        let mut partitions = plan.partitions();
        partitions.sort_by_key(|(_, partition)| std::cmp::Reverse(partition.held.last));
        for (day, partition) in partitions {
            let done = match nearest.wants(partition.held.last) {
                true => partition.collect(&plan.asked, &mut nearest),
                false => partition.count(&plan.asked).map(|count| nearest.seen += count),
            };
            done.map_err(|error| self.failed(day, error))?;
        }
        tail::hits(&self.trail, nearest, plan.tail.end)
    }

    fn count(&self, search: &Search) -> Result<(u64, u64), IndexError> {
        let plan = self.plan(search)?;
        let mut total = 0;
        tail::matches(&self.trail, &plan.asked, &plan.tail, &mut |_| total += 1)?;
        for (day, partition) in plan.partitions() {
            total += partition.count(&plan.asked).map_err(|error| self.failed(day, error))?;
        }
        Ok((total, plan.tail.end))
    }

    fn each(&self, search: &Search, each: &mut dyn FnMut(Hit) -> bool) -> Result<u64, IndexError> {
        let plan = self.plan(search)?;
        let mut beside = Vec::new();
        tail::matches(&self.trail, &plan.asked, &plan.tail, &mut |place| beside.push(place))?;
        let mut partitions = plan.partitions();
        partitions.sort_by_key(|(_, partition)| partition.held.first);
        let mut page = |after| self.page(&plan.asked, &partitions, after);
        tail::in_order(&self.trail, beside, &mut page, each)?;
        Ok(plan.tail.end)
    }
}

impl<E: Entries> Searcher<E> {
    /// The oldest matches after a place; the partitions are in the order of their oldest event.
    fn page(
        &self,
        asked: &Asked<'_>,
        partitions: &[(NaiveDate, &Partition)],
        after: Option<Place>,
    ) -> Result<Page, IndexError> {
        let mut page = Nearest::new(Order::OldestFirst, PAGE).after(after);
        for (day, partition) in partitions {
            if after.is_some_and(|after| partition.held.last < after.when) {
                continue;
            }
            if !page.wants(partition.held.first) {
                break;
            }
            partition.collect(asked, &mut page).map_err(|error| self.failed(*day, error))?;
        }
        let places = page.into_sorted();
        let next = places.last().copied().filter(|_| places.len() == PAGE);
        Ok(Page { places, next })
    }

    fn failed(&self, day: NaiveDate, error: tantivy::TantivyError) -> IndexError {
        IndexError::engine(self.folder.join(day.to_string()), error)
    }
}
