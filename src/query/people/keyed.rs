//! Links about temporary keys of AWS, and the calls that each counts for.
//!
//! A session lasts 36 hours at most. To be exact in an index too, a link counts by UTC days: for the calls of the day
//! on which the key was given and of the two days after.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::event::fields::{FieldRef, searchable};
use crate::event::{Event, Family, Stamp};
use crate::query::ast::{Ast, Test};

use super::any_of;
use super::own::{either, is, known};

/// Days after the one on which a key was given.
const DAYS: i64 = 2;

const DAY: i64 = 24 * 3_600_000_000;

const KEY: &str = "who.key";

fn day(stamp: Stamp) -> i64 {
    stamp.micros().div_euclid(DAY)
}

fn begin(day: i64) -> Stamp {
    Stamp::from_micros(day.saturating_mul(DAY))
}

/// From when on links about keys can matter for calls from `first` on.
pub fn since(first: Stamp) -> Stamp {
    begin(day(first) - DAYS)
}

/// Until when links about keys can matter for calls until `last`: of the same day, whatever the hour.
pub fn until(last: Stamp) -> Stamp {
    begin(day(last).saturating_add(1))
}

/// The key, as far as engines compare it, by which it is known who made a call; none of an event that is none.
pub fn key_of(event: &Event) -> Option<&str> {
    event.who.key.as_deref().filter(|_| event.source.kind == Family::Cloudtrail).map(searchable)
}

/// What is known of each key, by the day on which it was given; of several the one at the last place counts.
#[derive(Debug)]
pub struct ByKey<T>(BTreeMap<String, BTreeMap<i64, (u64, T)>>);

impl<T> Default for ByKey<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> ByKey<T> {
    /// Takes what the link at a place says of a key that was given then.
    pub fn take(&mut self, key: &str, given: Stamp, seq: u64, what: T) {
        let days = self.0.entry(searchable(key).to_owned()).or_default();
        if days.get(&day(given)).is_none_or(|(known, _)| *known < seq) {
            days.insert(day(given), (seq, what));
        }
    }

    /// What counts for a call, and the place of the link that says so.
    pub fn of(&self, event: &Event) -> Option<&(u64, T)> {
        Self::on(self.0.get(key_of(event)?)?, day(event.when))
    }

    fn on(days: &BTreeMap<i64, (u64, T)>, day: i64) -> Option<&(u64, T)> {
        days.range(day - DAYS..=day).map(|(_, what)| what).max_by_key(|(seq, _)| *seq)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The test for calls with a key of which something holds.
    pub(super) fn test(&self, holds: impl Fn(&T) -> bool) -> Ast {
        let mut keys: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
        for (key, days) in &self.0 {
            let all: BTreeSet<i64> = days.keys().flat_map(|day| *day..=*day + DAYS).collect();
            for day in all {
                if Self::on(days, day).is_some_and(|(_, what)| holds(what)) {
                    keys.entry(day).or_default().insert(key);
                }
            }
        }
        let of = |(day, keys): (i64, BTreeSet<&str>)| {
            let times = Test::TimeRange(Bound::Included(begin(day)), Bound::Excluded(begin(day.saturating_add(1))));
            Ast::And(vec![
                Ast::Leaf { field: known("when"), test: times },
                any_of(known(KEY), keys.into_iter().map(str::to_owned)),
            ])
        };
        let any = either(keys.into_iter().map(of).collect());
        if any == Ast::Nothing { any } else { Ast::And(vec![is_cloud(), any]) }
    }
}

/// Calls of which only a link about their key says who made them.
pub(super) fn by_key_alone() -> Ast {
    Ast::And(vec![is_cloud(), Ast::Leaf { field: known(KEY), test: Test::Exists }])
}

/// The same test of a time, with all times at which keys were given that can matter for it.
pub(super) fn widened(field: &FieldRef, test: &Test) -> Ast {
    let test = match test {
        Test::TimeRange(first, last) => Test::TimeRange(from(*first), to(*last)),
        other => other.clone(),
    };
    Ast::Leaf { field: field.clone(), test }
}

/// [`since`] of a bound.
pub fn from(first: Bound<Stamp>) -> Bound<Stamp> {
    match first {
        Bound::Included(first) | Bound::Excluded(first) => Bound::Included(since(first)),
        Bound::Unbounded => Bound::Unbounded,
    }
}

/// [`until`] of a bound.
pub fn to(last: Bound<Stamp>) -> Bound<Stamp> {
    match last {
        Bound::Included(last) | Bound::Excluded(last) => Bound::Excluded(until(last)),
        Bound::Unbounded => Bound::Unbounded,
    }
}

fn is_cloud() -> Ast {
    is("source.kind", Family::Cloudtrail.name().to_owned())
}
