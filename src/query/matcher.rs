//! The engine in memory, and the reference for the others: does this event match?
//!
//! It compares what indexes can tell apart: the searchable part of a keyword, words of a text, times
//! to the microsecond.

use std::cell::OnceCell;
use std::ops::{Bound, RangeBounds};

use super::ast::{Ast, Test};
use super::network;
use super::people::Attribution;
use crate::event::fields::{self, FieldRef, Kind, Value};
use crate::event::{Event, Stamp, detail, text};

/// Whether one event matches one query.
pub fn matches(ast: &Ast, event: &Event) -> bool {
    Subject::new(event).matches(ast)
}

/// An event that several queries are asked about: what lies below `detail` is read once, if at all.
#[derive(Debug)]
pub struct Subject<'e> {
    event: &'e Event,
    place: Option<u64>,
    by: Option<&'e Attribution>,
    detail: OnceCell<Vec<(String, String)>>,
}

impl<'e> Subject<'e> {
    pub fn new(event: &'e Event) -> Self {
        Self { event, place: None, by: None, detail: OnceCell::new() }
    }

    /// An event of the trail; without its place it lies at none of [`Ast::Places`].
    pub fn placed(event: &'e Event, place: u64) -> Self {
        Self { place: Some(place), ..Self::new(event) }
    }

    /// The same with who was behind it; without that, joined fields have no value.
    pub fn by(self, by: &'e Attribution) -> Self {
        Self { by: Some(by), ..self }
    }

    pub fn matches(&self, ast: &Ast) -> bool {
        match ast {
            Ast::All => true,
            Ast::Nothing => false,
            Ast::And(all) => all.iter().all(|ast| self.matches(ast)),
            Ast::Or(any) => any.iter().any(|ast| self.matches(ast)),
            Ast::Not(ast) => !self.matches(ast),
            Ast::Leaf { field, test } => self.has(field, test),
            Ast::Places(places) => self.place.is_some_and(|place| places.contains(place)),
        }
    }

    /// Whether any value of the field passes.
    fn has(&self, field: &FieldRef, test: &Test) -> bool {
        match field {
            FieldRef::Known(known) if known.is_joined() => {
                let values = self.by.map(|by| by.values(known)).unwrap_or_default();
                values.iter().any(|value| keyword_passes(test, fields::searchable(value)))
            }
            FieldRef::Known(known) => {
                let mut found = false;
                known.each(self.event, &mut |value| found = found || passes(test, known.kind, value));
                found
            }
            FieldRef::Detail(path) => {
                self.detail().iter().any(|(at, value)| at == path && passes(test, Kind::Keyword, Value::Str(value)))
            }
        }
    }

    /// The values at a path below `detail`.
    pub(super) fn detail_at<'s>(&'s self, path: &'s str) -> impl Iterator<Item = &'s str> {
        self.detail().iter().filter(move |(at, _)| at == path).map(|(_, value)| value.as_str())
    }

    fn detail(&self) -> &[(String, String)] {
        self.detail.get_or_init(|| {
            let mut values = Vec::new();
            detail::each(self.event, &mut |path, value| values.push((path.to_owned(), value.to_owned())));
            values
        })
    }
}

/// A test of another kind than the value's passes nothing; the parser makes none.
fn passes(test: &Test, kind: Kind, value: Value<'_>) -> bool {
    match value {
        Value::Str(text) if kind == Kind::Text => text_passes(test, text),
        Value::Str(keyword) => keyword_passes(test, fields::searchable(keyword)),
        Value::Number(number) => match test {
            Test::Exists => true,
            Test::Number(want) => number == *want,
            Test::NumberRange(lower, upper) => (*lower, *upper).contains(&number),
            _ => false,
        },
        Value::Ip(address) => {
            let address = address.to_canonical();
            match test {
                Test::Exists => true,
                Test::Ip(want) => address == *want,
                Test::Cidr(network) => network.contains(&address),
                Test::IpRange(lower, upper) => network::in_range(address, lower, upper),
                _ => false,
            }
        }
        Value::Time(time) => match test {
            Test::Exists => true,
            Test::TimeRange(lower, upper) => {
                let micros = |bound: &Bound<Stamp>| bound.map(Stamp::micros);
                (micros(lower), micros(upper)).contains(&time.micros())
            }
            _ => false,
        },
    }
}

pub(super) fn keyword_passes(test: &Test, keyword: &str) -> bool {
    match test {
        Test::Exists => true,
        Test::Keyword(want) => keyword == want,
        Test::AnyOf(wanted) => wanted.contains(keyword),
        Test::Wildcard(wildcard) => wildcard.matches(keyword),
        Test::Regex(regex) => regex.compiled.is_match(keyword),
        Test::KeywordRange(lower, upper) => {
            let (lower, upper) = (lower.as_ref(), upper.as_ref());
            // Named in full: crates that compare their own types with str make the short form ambiguous.
            RangeBounds::<str>::contains::<str>(&(lower.map(String::as_str), upper.map(String::as_str)), keyword)
        }
        _ => false,
    }
}

fn text_passes(test: &Test, value: &str) -> bool {
    let mut words = text::words(value);
    match test {
        Test::Exists => true,
        Test::Words(want) => match want.as_slice() {
            [] => false,
            [only] => words.any(|word| word == *only),
            phrase => words.collect::<Vec<_>>().windows(phrase.len()).any(|run| run == phrase),
        },
        Test::Wildcard(wildcard) => words.any(|word| wildcard.matches(&word)),
        Test::Regex(regex) => words.any(|word| regex.compiled.is_match(&word)),
        _ => false,
    }
}
