//! Which times a query can match at all, so that days outside are never opened.

use std::ops::Bound;

use crate::event::Stamp;
use crate::event::fields::FieldRef;
use crate::index::Search;
use crate::query::ast::{Ast, Test};

/// Instants in microseconds since 1970, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Span {
    pub(super) const ALWAYS: Self = Self { first: i64::MIN, last: i64::MAX };
    pub(super) const NEVER: Self = Self { first: i64::MAX, last: i64::MIN };

    /// What may match a search; nothing outside does.
    pub(super) fn of(search: &Search) -> Self {
        let asked = Self::between(&search.since, &search.until);
        asked.and(implied(&search.query))
    }

    pub(super) fn between(lower: &Bound<Stamp>, upper: &Bound<Stamp>) -> Self {
        let first = match lower {
            Bound::Included(time) => Some(time.micros()),
            Bound::Excluded(time) => time.micros().checked_add(1),
            Bound::Unbounded => Some(i64::MIN),
        };
        let last = match upper {
            Bound::Included(time) => Some(time.micros()),
            Bound::Excluded(time) => time.micros().checked_sub(1),
            Bound::Unbounded => Some(i64::MAX),
        };
        first.zip(last).map_or(Self::NEVER, |(first, last)| Self { first, last })
    }

    pub(super) fn is_empty(self) -> bool {
        self.first > self.last
    }

    pub(super) fn covers(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    pub(super) fn contains(self, instant: i64) -> bool {
        self.first <= instant && instant <= self.last
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self { first: self.first.max(other.first), last: self.last.min(other.last) }
    }

    pub(super) fn meets(self, other: Self) -> bool {
        !self.and(other).is_empty()
    }

    /// The shortest span that has all of both.
    pub(super) fn hull(self, other: Self) -> Self {
        match (self.is_empty(), other.is_empty()) {
            (true, _) => other,
            (_, true) => self,
            _ => Self { first: self.first.min(other.first), last: self.last.max(other.last) },
        }
    }
}

fn implied(query: &Ast) -> Span {
    match query {
        Ast::Nothing => Span::NEVER,
        Ast::And(all) => all.iter().map(implied).fold(Span::ALWAYS, Span::and),
        Ast::Or(any) => any.iter().map(implied).fold(Span::NEVER, Span::hull),
        Ast::Leaf { field: FieldRef::Known(field), test: Test::TimeRange(lower, upper) } if field.name == "when" => {
            Span::between(lower, upper)
        }
        Ast::All | Ast::Not(_) | Ast::Leaf { .. } | Ast::Places(_) => Span::ALWAYS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(query: &str) -> Span {
        let now = Stamp::parse("2026-11-20T12:00:00Z").expect("an instant");
        implied(&crate::query::parse(query, now).expect(query))
    }

    fn micros(text: &str) -> i64 {
        Stamp::parse(text).expect("an instant").micros()
    }

    #[test]
    fn only_what_must_hold_bounds_the_times() {
        let day = Span { first: micros("2026-11-20T00:00:00Z"), last: micros("2026-11-20T23:59:59.999999Z") };
        assert_eq!(span("when:2026-11-20"), day);
        assert_eq!(span("a when:2026-11-20 b"), day);
        assert_eq!(span("(a when:2026-11-20) OR (b when:2026-11-20)"), day);
        assert_eq!(span("a OR when:2026-11-20"), Span::ALWAYS);
        assert_eq!(span("NOT when:2026-11-20"), Span::ALWAYS);
        assert_eq!(span("observed:2026-11-20"), Span::ALWAYS);
        assert!(span("when:2026-11-20 when:2026-11-21").is_empty());
        let two = span("when:2026-11-18 OR when:2026-11-20");
        assert_eq!((two.first, two.last), (micros("2026-11-18T00:00:00Z"), day.last));
    }
}
