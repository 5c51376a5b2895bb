//! Places of the trail: as many as links can matter (`index::Joined`).

use std::ops::{Bound, Range};

use serde_json::{Value as Json, json};

use super::any_of;
use super::clause::{CLAUSE, Clause, VALUES_MAX, range};
use crate::index::elastic::field;
use crate::query::ast::Places;

/// Places that are named one by one: eight bytes each, of the 10 MiB that Amazon's smallest nodes take.
const SINGLE_MAX: u64 = 500_000;

/// Runs of places that are a range of their own.
const RUNS_MAX: usize = 128;

/// Shorter runs are places.
const RUN_MIN: u64 = 8;

pub(super) fn clause(places: &Places) -> Clause {
    let ranges = places.ranges();
    let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else {
        return Clause::query(super::nothing(), super::nothing());
    };
    let hull = within(&(first.start..last.end));
    let (runs, single) = parted(ranges);
    let count: u64 = single.iter().map(length).sum();
    if count > SINGLE_MAX {
        return Clause::unsaid(hull);
    }
    let single: Vec<u64> = single.into_iter().flatten().collect();
    let mut queries: Vec<Json> = runs.iter().map(within).collect();
    queries.extend(single.chunks(VALUES_MAX).map(|some| json!({"terms": {field::SEQ: some}})));
    let weight = CLAUSE * queries.len();
    Clause { weight, ..Clause::query(any_of(queries), hull) }
}

/// The longest runs, and the rest.
fn parted(ranges: &[Range<u64>]) -> (Vec<Range<u64>>, Vec<Range<u64>>) {
    let (mut runs, mut single): (Vec<_>, Vec<_>) = ranges.iter().cloned().partition(|run| length(run) >= RUN_MIN);
    if runs.len() > RUNS_MAX {
        runs.sort_unstable_by_key(|run| std::cmp::Reverse(length(run)));
        single.extend(runs.split_off(RUNS_MAX));
    }
    (runs, single)
}

fn length(run: &Range<u64>) -> u64 {
    run.end - run.start
}

/// Numbers there have a sign; no trail is that long.
fn within(run: &Range<u64>) -> Json {
    let end = |place: u64| json!(place.min(i64::MAX.unsigned_abs()));
    range(field::SEQ, Bound::Included(end(run.start)), Bound::Excluded(end(run.end)))
}
