//! The leaves of a query: one test on one field, on one segment.
//!
//! A test that its field's kind does not know matches nothing, as in the matcher; the parser makes none.

pub(super) mod columns;
pub(super) mod phrase;
pub(super) mod postings;

use std::net::IpAddr;
use std::ops::{Bound, RangeInclusive};

use ipnet::IpNet;
use regex_syntax::hir::literal::{ExtractKind, Extractor};
use tantivy::SegmentReader;
use tantivy::schema::Field;

use super::set::Set;
use super::terms::{self, Range, Version};
use crate::index::span::Span;
use crate::query::ast::{Regex, Test, Wildcard, WildcardPart};

/// A test on the values of terms that all begin with `start`, which is no part of the value.
pub(super) fn keyword(
    within: &mut Set,
    segment: &SegmentReader,
    field: Field,
    start: &str,
    test: &Test,
) -> tantivy::Result<()> {
    match test {
        Test::Keyword(value) => postings::exactly(within, segment, field, format!("{start}{value}").as_bytes()),
        Test::AnyOf(values) => {
            let terms = values.iter().map(|value| format!("{start}{value}"));
            postings::any_of(within, segment, field, terms)
        }
        Test::Exists => postings::between(within, segment, field, &[terms::starting_with(start.as_bytes())]),
        Test::KeywordRange(lower, upper) => {
            let (first, end) = terms::starting_with(start.as_bytes());
            let term = |bound: &Bound<String>, open| match bound.as_ref().map(|value| format!("{start}{value}")) {
                Bound::Unbounded => open,
                bound => bound.map(String::into_bytes),
            };
            postings::between(within, segment, field, &[(term(lower, first), term(upper, end))])
        }
        test => pattern(within, segment, field, start, test),
    }
}

/// A test on single words.
pub(super) fn word(within: &mut Set, segment: &SegmentReader, field: Field, test: &Test) -> tantivy::Result<()> {
    pattern(within, segment, field, "", test)
}

/// Wildcards and expressions: every term that may match is asked.
///
/// tantivy would compile an automaton, which a hostile pattern can make large. Walking the sorted terms
/// with the very test that the matcher uses takes time in proportion to the number of different terms.
fn pattern(within: &mut Set, segment: &SegmentReader, field: Field, start: &str, test: &Test) -> tantivy::Result<()> {
    let ranges = |prefixes: Vec<Vec<u8>>| -> Vec<Range> {
        prefixes.iter().map(|prefix| terms::starting_with(&[start.as_bytes(), prefix].concat())).collect()
    };
    // Terms are made of text, and so is `start`.
    let is_passed = |term: &[u8], passes: &dyn Fn(&str) -> bool| {
        term.get(start.len()..).and_then(|value| str::from_utf8(value).ok()).is_some_and(passes)
    };
    match test {
        Test::Wildcard(wildcard) => {
            let passes = |term: &[u8]| is_passed(term, &|value| wildcard.matches(value));
            postings::matching(within, segment, field, &ranges(prefixes_of_wildcard(wildcard)), &passes)
        }
        Test::Regex(regex) => {
            let passes = |term: &[u8]| is_passed(term, &|value| regex.compiled.is_match(value));
            postings::matching(within, segment, field, &ranges(prefixes_of_regex(regex)), &passes)
        }
        _ => nothing(within),
    }
}

pub(super) fn address(within: &mut Set, segment: &SegmentReader, field: Field, test: &Test) -> tantivy::Result<()> {
    let mut between = |lower: Bound<IpAddr>, upper: Bound<IpAddr>| {
        let ranges = match (inner(&lower), inner(&upper)) {
            (Some(a), Some(b)) if a.is_ipv4() != b.is_ipv4() => Vec::new(),
            (Some(a), _) | (None, Some(a)) => terms::addresses(Version::of(a), lower, upper),
            (None, None) => vec![(Bound::Unbounded, Bound::Unbounded)],
        };
        postings::between(within, segment, field, &ranges)
    };
    match test {
        Test::Exists => between(Bound::Unbounded, Bound::Unbounded),
        Test::Ip(ip) => between(Bound::Included(*ip), Bound::Included(*ip)),
        Test::Cidr(network) => {
            let (first, last) = ends(network);
            between(Bound::Included(first), Bound::Included(last))
        }
        Test::IpRange(lower, upper) => between(*lower, *upper),
        _ => nothing(within),
    }
}

pub(super) fn number(within: &mut Set, segment: &SegmentReader, column: &str, test: &Test) -> tantivy::Result<()> {
    match test {
        Test::Exists => columns::signed(within, segment, column, i64::MIN..=i64::MAX),
        Test::Number(number) => columns::signed(within, segment, column, *number..=*number),
        Test::NumberRange(lower, upper) => match closed(lower, upper) {
            Some(range) => columns::signed(within, segment, column, range),
            None => nothing(within),
        },
        _ => nothing(within),
    }
}

pub(super) fn time(within: &mut Set, segment: &SegmentReader, column: &str, test: &Test) -> tantivy::Result<()> {
    match test {
        Test::Exists => columns::signed(within, segment, column, i64::MIN..=i64::MAX),
        Test::TimeRange(lower, upper) => {
            let span = Span::between(lower, upper);
            columns::signed(within, segment, column, span.first..=span.last)
        }
        _ => nothing(within),
    }
}

fn nothing(within: &mut Set) -> tantivy::Result<()> {
    within.clear();
    Ok(())
}

fn ends(network: &IpNet) -> (IpAddr, IpAddr) {
    (network.network(), network.broadcast())
}

fn inner<T>(bound: &Bound<T>) -> Option<&T> {
    match bound {
        Bound::Included(value) | Bound::Excluded(value) => Some(value),
        Bound::Unbounded => None,
    }
}

/// The same numbers with both ends included; None where there are none.
fn closed(lower: &Bound<i64>, upper: &Bound<i64>) -> Option<RangeInclusive<i64>> {
    let first = match lower {
        Bound::Included(number) => Some(*number),
        Bound::Excluded(number) => number.checked_add(1),
        Bound::Unbounded => Some(i64::MIN),
    };
    let last = match upper {
        Bound::Included(number) => Some(*number),
        Bound::Excluded(number) => number.checked_sub(1),
        Bound::Unbounded => Some(i64::MAX),
    };
    first.zip(last).map(|(first, last)| first..=last)
}

fn prefixes_of_wildcard(wildcard: &Wildcard) -> Vec<Vec<u8>> {
    match wildcard.parts.first() {
        Some(WildcardPart::Literal(text)) => vec![text.clone().into_bytes()],
        _ => vec![Vec::new()],
    }
}

/// What every match of an expression begins with, one of these; in order, none the start of another.
fn prefixes_of_regex(regex: &Regex) -> Vec<Vec<u8>> {
    let everything = vec![Vec::new()];
    let Ok(hir) = regex_syntax::parse(regex.compiled.as_str()) else { return everything };
    let found = Extractor::new().kind(ExtractKind::Prefix).extract(&hir);
    let Some(literals) = found.literals() else { return everything };
    let mut prefixes: Vec<Vec<u8>> = literals.iter().map(|literal| literal.as_bytes().to_vec()).collect();
    prefixes.sort();
    prefixes.dedup_by(|later, kept| later.starts_with(kept));
    prefixes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stamp;
    use crate::query::ast::Ast;

    fn prefixes(expression: &str) -> Vec<String> {
        let query = crate::query::parse(&format!("who.name:/{expression}/"), Stamp::from_micros(0)).expect(expression);
        let Ast::Leaf { test: Test::Regex(regex), .. } = query else { panic!("{expression} is one test") };
        let found = prefixes_of_regex(&regex);
        found.into_iter().map(|bytes| String::from_utf8(bytes).expect("text")).collect()
    }

    #[test]
    fn an_expression_names_where_its_matches_begin() {
        assert_eq!(prefixes("root"), ["root"]);
        assert_eq!(prefixes("svc-[0-9a-z]+"), ["svc-"]);
        assert_eq!(prefixes("(root|admin.*|adm)"), ["adm", "root"]);
        assert_eq!(prefixes(".*x"), [""]);
        assert_eq!(prefixes("a?b"), ["ab", "b"]);
        assert_eq!(prefixes(""), [""]);
        assert_eq!(prefixes("[ab]c"), ["ac", "bc"]);
    }

    #[test]
    fn numbers_beyond_the_last_are_none() {
        assert_eq!(closed(&Bound::Excluded(i64::MAX), &Bound::Unbounded), None);
        assert_eq!(closed(&Bound::Unbounded, &Bound::Excluded(i64::MIN)), None);
        assert_eq!(closed(&Bound::Excluded(1), &Bound::Excluded(4)), Some(2..=3));
    }
}
