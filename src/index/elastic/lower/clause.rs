//! One test of one field.

use std::net::IpAddr;
use std::ops::Bound;

use ipnet::IpNet;
use serde_json::{Value as Json, json};

use super::{Effort, any_of, everything, lucene, nothing};
use crate::event::Stamp;
use crate::event::fields::{Field, FieldRef, Kind};
use crate::index::elastic::{compared, field};
use crate::index::term;
use crate::query::ast::{Regex, Test, Wildcard, WildcardPart};

/// What a cluster counts for one test at most: by the index and by columns.
pub(super) const CLAUSE: usize = 2;

/// `index.max_terms_count`.
pub(super) const VALUES_MAX: usize = 65_536;

/// Amazon's smallest nodes take bodies of 10 MiB.
const LIST_BYTES_MAX: usize = 4 << 20;

/// What a test became.
#[derive(Debug)]
pub(super) struct Clause {
    pub(super) meaning: Meaning,
    /// Finds at least what passes, in one clause.
    pub(super) more: Json,
    /// How many clauses a cluster counts for `meaning`.
    pub(super) weight: usize,
}

#[derive(Debug)]
pub(super) enum Meaning {
    Query(Json),
    /// One of these values: any two such tests of one field are one.
    AnyOf {
        field: String,
        values: Vec<Json>,
    },
    /// No cluster takes it.
    Unsaid,
}

impl Clause {
    pub(super) fn query(query: Json, more: Json) -> Self {
        Self { meaning: Meaning::Query(query), more, weight: CLAUSE }
    }

    pub(super) fn unsaid(more: Json) -> Self {
        Self { meaning: Meaning::Unsaid, more, weight: CLAUSE }
    }

    pub(super) fn any_of(field: String, values: Vec<Json>, more: Json) -> Self {
        let bytes = |value: &Json| value.as_str().map_or(20, str::len);
        if values.iter().map(bytes).sum::<usize>() > LIST_BYTES_MAX {
            return Self::unsaid(more);
        }
        let weight = CLAUSE * values.len().div_ceil(VALUES_MAX);
        Self { meaning: Meaning::AnyOf { field, values }, more, weight }
    }

    /// The query that finds just what passes.
    pub(super) fn exact(&self) -> Option<Json> {
        match &self.meaning {
            Meaning::Unsaid => None,
            Meaning::Query(query) => Some(query.clone()),
            Meaning::AnyOf { field, values } => match values.as_slice() {
                [only] => Some(json!({"term": {field: only}})),
                values => Some(any_of(values.chunks(VALUES_MAX).map(|some| json!({"terms": {field: some}})).collect())),
            },
        }
    }
}

pub(super) fn clause(field: &FieldRef, test: &Test, effort: Effort) -> Clause {
    match field {
        FieldRef::Known(known) => of_known(known, test, effort),
        FieldRef::Detail(path) => of_detail(path, test, effort),
    }
}

fn of_known(known: &Field, test: &Test, effort: Effort) -> Clause {
    let name = compared(known);
    let exists = match known.kind {
        Kind::Text => json!({"term": {field::HAS: known.name}}),
        _ => json!({"exists": {"field": name}}),
    };
    let query = match test {
        Test::Exists => exists.clone(),
        Test::Keyword(value) => return Clause::any_of(name, vec![json!(value)], exists),
        Test::AnyOf(values) => return Clause::any_of(name, values.iter().map(|value| json!(value)).collect(), exists),
        Test::Number(number) => return Clause::any_of(name, vec![json!(number)], exists),
        Test::Words(words) => match words.as_slice() {
            [] => nothing(),
            [only] => return Clause::any_of(name, vec![json!(only)], exists),
            words => {
                let weight = CLAUSE.max(words.len());
                return Clause { weight, ..Clause::query(phrase(&name, words), exists) };
            }
        },
        Test::Wildcard(_) | Test::Regex(_) if effort == Effort::Coarse => return Clause::unsaid(exists),
        Test::Wildcard(pattern) => json!({"wildcard": {name: {"value": wildcard("", pattern)}}}),
        Test::Regex(regex) => match expression(&name, regex) {
            Some(query) => query,
            None => return Clause::unsaid(exists),
        },
        Test::KeywordRange(lower, upper) => range(&name, lower.as_ref().map(json_of), upper.as_ref().map(json_of)),
        Test::NumberRange(lower, upper) => range(&name, lower.map(Json::from), upper.map(Json::from)),
        Test::Ip(address) => json!({"term": {name: address.to_string()}}),
        Test::Cidr(network) => addresses(
            &name,
            Bound::Included(network.network()),
            Bound::Included(network.broadcast()),
            matches!(network, IpNet::V4(_)),
        ),
        Test::IpRange(lower, upper) => addresses(&name, *lower, *upper, is_v4(lower) || is_v4(upper)),
        Test::TimeRange(lower, upper) => {
            range(&name, lower.map(Stamp::micros).map(Json::from), upper.map(Stamp::micros).map(Json::from))
        }
    };
    let weight = if query.get("bool").is_some() { 2 * CLAUSE } else { CLAUSE };
    Clause { weight, ..Clause::query(query, exists) }
}

/// Values of one path lie between it and what follows it in the order of bytes.
fn of_detail(path: &str, test: &Test, effort: Effort) -> Clause {
    let mut start = String::new();
    term::push_path(&mut start, path);
    let exists = json!({"prefix": {field::DETAIL: {"value": start}}});
    let one = |value: &String| json!(format!("{start}{value}"));
    let any_of = |values, exists| Clause::any_of(field::DETAIL.to_owned(), values, exists);
    match test {
        Test::Exists => Clause::query(exists.clone(), exists),
        Test::Keyword(value) => any_of(vec![one(value)], exists),
        Test::AnyOf(values) => any_of(values.iter().map(one).collect(), exists),
        Test::Wildcard(pattern) if effort == Effort::Fine => {
            Clause::query(json!({"wildcard": {field::DETAIL: {"value": wildcard(&start, pattern)}}}), exists)
        }
        // The parser makes no other test of a path.
        _ => Clause::unsaid(exists),
    }
}

fn json_of<T: serde::Serialize>(value: T) -> Json {
    json!(value)
}

/// Our words hold no blank, so blanks between them cut them apart again.
fn phrase(name: &str, words: &[String]) -> Json {
    json!({"match_phrase": {name: {"query": words.join(" "), "analyzer": "whitespace"}}})
}

fn expression(name: &str, regex: &Regex) -> Option<Json> {
    lucene::expression(regex).map(|expression| json!({"regexp": {name: {"value": expression, "flags": "NONE"}}}))
}

fn wildcard(start: &str, pattern: &Wildcard) -> String {
    let mut written = String::new();
    let literal = |text: &str, written: &mut String| {
        for c in text.chars() {
            if matches!(c, '*' | '?' | '\\') {
                written.push('\\');
            }
            written.push(c);
        }
    };
    literal(start, &mut written);
    for part in &pattern.parts {
        match part {
            WildcardPart::Literal(text) => literal(text, &mut written),
            WildcardPart::One => written.push('?'),
            WildcardPart::Many => written.push('*'),
        }
    }
    written
}

pub(in crate::index::elastic) fn range(name: &str, lower: Bound<Json>, upper: Bound<Json>) -> Json {
    let mut bounds = serde_json::Map::new();
    let mut bound = |bound, included: &str, excluded: &str| match bound {
        Bound::Included(value) => drop(bounds.insert(included.to_owned(), value)),
        Bound::Excluded(value) => drop(bounds.insert(excluded.to_owned(), value)),
        Bound::Unbounded => {}
    };
    bound(lower, "gte", "gt");
    bound(upper, "lte", "lt");
    match bounds.is_empty() {
        true => everything(),
        false => json!({"range": {name: bounds}}),
    }
}

const FIRST_V4: &str = "0.0.0.0";
const LAST_V4: &str = "255.255.255.255";

fn is_v4(bound: &Bound<IpAddr>) -> bool {
    match bound {
        Bound::Included(address) | Bound::Excluded(address) => address.is_ipv4(),
        Bound::Unbounded => false,
    }
}

/// There, too, IPv4 lies in the middle of IPv6; here a range holds addresses of its own version only.
fn addresses(name: &str, lower: Bound<IpAddr>, upper: Bound<IpAddr>, is_v4: bool) -> Json {
    let text = |bound: Bound<IpAddr>| bound.map(|address| json!(address.to_string()));
    let closed = |bound: Bound<Json>, end: &str| match bound {
        Bound::Unbounded => Bound::Included(json!(end)),
        bound => bound,
    };
    match is_v4 {
        true => range(name, closed(text(lower), FIRST_V4), closed(text(upper), LAST_V4)),
        false => {
            let v4 = range(name, Bound::Included(json!(FIRST_V4)), Bound::Included(json!(LAST_V4)));
            json!({"bool": {"filter": [range(name, text(lower), text(upper))], "must_not": [v4]}})
        }
    }
}
