//! The syntax tree that every engine compiles: one meaning, three engines.
//!
//! A leaf is a [`Test`] on one field. The parser has already resolved names and aliases, checked that
//! the field's kind knows the test, and turned text into values; so an engine never meets a test that
//! it would have to refuse. What each test means is the table in `docs/query.md`.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::{Bound, Range};
use std::sync::Arc;

use ipnet::IpNet;

use crate::event::Stamp;
use crate::event::fields::FieldRef;

#[derive(Debug, Clone, PartialEq)]
pub enum Ast {
    /// `*` or an empty query.
    All,
    /// Matches nothing: an empty `()` cannot be written, but a rewrite may arrive here.
    Nothing,
    And(Vec<Ast>),
    Or(Vec<Ast>),
    Not(Box<Ast>),
    Leaf {
        field: FieldRef,
        test: Test,
    },
    /// The event lies at one of these places of the trail. Nobody can write it: it is what tests of joined
    /// fields become when they are asked ([`super::people`]).
    Places(Places),
}

/// Places of the trail, as ranges that are sorted and do not touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places(Arc<[Range<u64>]>);

impl Places {
    pub fn of(places: impl IntoIterator<Item = u64>) -> Self {
        let mut sorted: Vec<u64> = places.into_iter().collect();
        sorted.sort_unstable();
        let mut ranges: Vec<Range<u64>> = Vec::new();
        for place in sorted {
            match ranges.last_mut() {
                Some(last) if place < last.end => {}
                Some(last) if place == last.end => last.end = place.saturating_add(1),
                _ => ranges.push(place..place.saturating_add(1)),
            }
        }
        Self(ranges.into())
    }

    /// Every place before one.
    pub fn before(end: u64) -> Self {
        let all = Range { start: 0, end };
        Self(if end == 0 { Arc::default() } else { Arc::from([all]) })
    }

    pub fn contains(&self, place: u64) -> bool {
        let after = self.0.partition_point(|range| range.start <= place);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|range| place < range.end)
    }

    /// Whether all places from the first to the last are among them.
    pub fn covers(&self, first: u64, last: u64) -> bool {
        let after = self.0.partition_point(|range| range.start <= first);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|range| last < range.end)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Ranges in rising order.
    pub fn ranges(&self) -> &[Range<u64>] {
        &self.0
    }
}

/// What one value of a field must be; a list matches if any element does.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The field has a value: `field:*`, `_exists_:field`.
    Exists,
    /// Keyword: the whole value, case-sensitive (already cut to the searchable length).
    Keyword(String),
    /// Keyword: one of these whole values (already cut). Lists of people's accounts and keys are long.
    AnyOf(Arc<BTreeSet<String>>),
    /// Text: these words in this order, next to each other (one word or more, already lower-cased).
    Words(Vec<String>),
    /// Keyword: the pattern matches the whole value. Text: it matches one word.
    Wildcard(Wildcard),
    /// The expression matches the whole value (keyword) or one whole word (text).
    Regex(Regex),
    /// Keyword, by the order of bytes.
    KeywordRange(Bound<String>, Bound<String>),
    Number(i64),
    NumberRange(Bound<i64>, Bound<i64>),
    Ip(IpAddr),
    /// A network of the same version: `10.0.0.0/8`.
    Cidr(IpNet),
    IpRange(Bound<IpAddr>, Bound<IpAddr>),
    /// Instants; date math and rounding are already resolved.
    TimeRange(Bound<Stamp>, Bound<Stamp>),
}

/// `*` any run of characters, `?` one character, `\` takes the next one as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wildcard {
    pub parts: Vec<WildcardPart>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WildcardPart {
    Literal(String),
    /// `?`
    One,
    /// `*`
    Many,
}

/// A regular expression that compiled; `source` is what was written between the slashes
/// (there a slash needs a backslash, here it has none).
#[derive(Debug, Clone)]
pub struct Regex {
    pub source: String,
    /// Anchored at both ends; dot matches newline.
    pub compiled: regex::Regex,
}

impl PartialEq for Regex {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_wherever_they_lie() {
        let places = Places::of([7, 3, 4, 4, u64::MAX - 1, 0]);
        assert_eq!(places.ranges(), [0..1, 3..5, 7..8, u64::MAX - 1..u64::MAX]);
        let held: Vec<u64> = (0..10).filter(|place| places.contains(*place)).collect();
        assert_eq!((held, places.len()), (vec![0, 3, 4, 7], 5));
        assert!(places.covers(3, 4) && !places.covers(3, 5) && !places.covers(2, 2));
        assert!(Places::before(0).is_empty() && !Places::before(0).contains(0));
        assert!(Places::before(5).contains(4) && !Places::before(5).contains(5));
    }
}
