//! A query as Elasticsearch and OpenSearch take it (Query DSL).
//!
//! Every construct has a counterpart that means the same for our documents, but for expressions that
//! Lucene cannot take. There the query asks for more than was meant, and says so: whoever searches looks
//! at each hit once more. What asks for more inside a NOT would find less, so there less is asked.

use std::net::IpAddr;
use std::ops::Bound;

use ipnet::IpNet;
use serde_json::{Value as Json, json};

use super::{compared, field, lucene};
use crate::event::Stamp;
use crate::event::fields::{self, FieldRef, Kind};
use crate::index::term;
use crate::query::ast::{Ast, Regex, Test, Wildcard, WildcardPart};

/// A query in their terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Lowered {
    pub query: Json,
    /// Whether it finds just what was asked for, and not more.
    pub is_exact: bool,
}

/// The query for a tree.
pub fn lower(ast: &Ast) -> Lowered {
    let mut lowering = Lowering { is_exact: true };
    let query = lowering.ast(ast, More);
    Lowered { query, is_exact: lowering.is_exact }
}

/// Which side to err on where a test cannot be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    More,
    Less,
}
use Side::{Less, More};

impl Side {
    fn other(self) -> Self {
        match self {
            More => Less,
            Less => More,
        }
    }
}

struct Lowering {
    is_exact: bool,
}

impl Lowering {
    fn ast(&mut self, ast: &Ast, side: Side) -> Json {
        match ast {
            Ast::All => everything(),
            Ast::Nothing => nothing(),
            Ast::And(all) => json!({"bool": {"filter": self.each(all, side)}}),
            Ast::Or(any) => json!({"bool": {"should": self.each(any, side), "minimum_should_match": 1}}),
            Ast::Not(ast) => not(self.ast(ast, side.other())),
            Ast::Leaf { field: FieldRef::Known(field), test } => self.known(field, test, side),
            Ast::Leaf { field: FieldRef::Detail(path), test } => detail_test(path, test),
            Ast::Places(places) => ranges(places),
        }
    }

    fn each(&mut self, asts: &[Ast], side: Side) -> Vec<Json> {
        asts.iter().map(|ast| self.ast(ast, side)).collect()
    }

    fn known(&mut self, known: &fields::Field, test: &Test, side: Side) -> Json {
        let name = compared(known);
        match test {
            Test::Exists if known.kind == Kind::Text => json!({"term": {field::HAS: known.name}}),
            Test::Exists => json!({"exists": {"field": name}}),
            Test::Keyword(value) => json!({"term": {name: value}}),
            Test::AnyOf(values) => json!({"terms": {name: **values}}),
            Test::Words(words) => phrase(&name, words),
            Test::Wildcard(pattern) => json!({"wildcard": {name: {"value": wildcard("", pattern)}}}),
            Test::Regex(regex) => self.regex(&name, regex, side),
            Test::KeywordRange(lower, upper) => range(&name, lower.as_ref().map(json_of), upper.as_ref().map(json_of)),
            Test::Number(number) => json!({"term": {name: number}}),
            Test::NumberRange(lower, upper) => range(&name, lower.as_ref().map(json_of), upper.as_ref().map(json_of)),
            Test::Ip(address) => json!({"term": {name: address.to_string()}}),
            Test::Cidr(network) => cidr(&name, network),
            Test::IpRange(lower, upper) => addresses(&name, lower, upper),
            Test::TimeRange(lower, upper) => {
                range(&name, lower.map(Stamp::micros).map(Json::from), upper.map(Stamp::micros).map(Json::from))
            }
        }
    }

    fn regex(&mut self, name: &str, regex: &Regex, side: Side) -> Json {
        match lucene::expression(regex) {
            Some(expression) => json!({"regexp": {name: {"value": expression, "flags": "NONE"}}}),
            None => {
                self.is_exact = false;
                if side == More { json!({"exists": {"field": name}}) } else { nothing() }
            }
        }
    }
}

/// TODO of this part: long lists.
fn ranges(places: &crate::query::ast::Places) -> Json {
    let each = places
        .ranges()
        .iter()
        .map(|places| range(field::SEQ, Bound::Included(json!(places.start)), Bound::Excluded(json!(places.end))));
    json!({"bool": {"should": each.collect::<Vec<_>>(), "minimum_should_match": 1}})
}

fn json_of<T: serde::Serialize>(value: T) -> Json {
    json!(value)
}

fn everything() -> Json {
    json!({"match_all": {}})
}

fn nothing() -> Json {
    json!({"match_none": {}})
}

fn not(query: Json) -> Json {
    json!({"bool": {"must_not": [query]}})
}

/// Our words hold no blank, so blanks between them cut them apart again.
fn phrase(name: &str, words: &[String]) -> Json {
    match words {
        [] => nothing(),
        [only] => json!({"term": {name: only}}),
        words => json!({"match_phrase": {name: {"query": words.join(" "), "analyzer": "whitespace"}}}),
    }
}

/// Values of one path lie between it and what follows it in the order of bytes.
fn detail_test(path: &str, test: &Test) -> Json {
    let mut start = String::new();
    term::push_path(&mut start, path);
    match test {
        Test::Exists => json!({"prefix": {field::DETAIL: {"value": start}}}),
        Test::Keyword(value) => json!({"term": {field::DETAIL: format!("{start}{value}")}}),
        Test::Wildcard(pattern) => json!({"wildcard": {field::DETAIL: {"value": wildcard(&start, pattern)}}}),
        // The parser makes no other test of a path.
        _ => nothing(),
    }
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

fn range(name: &str, lower: Bound<Json>, upper: Bound<Json>) -> Json {
    let mut bounds = serde_json::Map::new();
    let mut bound = |bound, included: &str, excluded: &str| match bound {
        Bound::Included(value) => drop(bounds.insert(included.to_owned(), value)),
        Bound::Excluded(value) => drop(bounds.insert(excluded.to_owned(), value)),
        Bound::Unbounded => {}
    };
    bound(lower, "gte", "gt");
    bound(upper, "lte", "lt");
    json!({"range": {name: bounds}})
}

const FIRST_V4: &str = "0.0.0.0";
const LAST_V4: &str = "255.255.255.255";

/// There, too, IPv4 lies in the middle of IPv6; here a range holds addresses of its own version only.
fn addresses(name: &str, lower: &Bound<IpAddr>, upper: &Bound<IpAddr>) -> Json {
    let text = |bound: &Bound<IpAddr>| bound.map(|address| json!(address.to_string()));
    let is_v4 = [lower, upper].into_iter().any(|bound| match bound {
        Bound::Included(address) | Bound::Excluded(address) => address.is_ipv4(),
        Bound::Unbounded => false,
    });
    let closed = |bound: Bound<Json>, end: &str| match bound {
        Bound::Unbounded => Bound::Included(json!(end)),
        bound => bound,
    };
    match is_v4 {
        true => range(name, closed(text(lower), FIRST_V4), closed(text(upper), LAST_V4)),
        false => without_v4(name, range(name, text(lower), text(upper))),
    }
}

fn cidr(name: &str, network: &IpNet) -> Json {
    let term = json!({"term": {name: network.to_string()}});
    match network {
        IpNet::V4(_) => term,
        IpNet::V6(_) => without_v4(name, term),
    }
}

fn without_v4(name: &str, query: Json) -> Json {
    let v4 = range(name, Bound::Included(json!(FIRST_V4)), Bound::Included(json!(LAST_V4)));
    json!({"bool": {"filter": [query], "must_not": [v4]}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parse;

    fn of(query: &str) -> Json {
        let lowered = lower(&parse(query, Stamp::from_micros(0)).expect(query));
        assert!(lowered.is_exact, "{query}");
        lowered.query
    }

    #[test]
    fn each_construct_has_its_counterpart() {
        for (query, expected) in [
            ("*", json!({"match_all": {}})),
            ("who.name:root", json!({"term": {"who.name": "root"}})),
            ("user.name:ro*t?", json!({"wildcard": {"who.name": {"value": "ro*t?"}}})),
            (r"who.name:a\**", json!({"wildcard": {"who.name": {"value": r"a\**"}}})),
            ("Failed", json!({"term": {"words.raw": "failed"}})),
            (
                "\"Failed password\"",
                json!({"match_phrase": {"words.raw": {"query": "failed password", "analyzer": "whitespace"}}}),
            ),
            ("raw:*", json!({"term": {"has": "raw"}})),
            ("who.ip:*", json!({"exists": {"field": "who.ip"}})),
            ("who.port:>=1024", json!({"range": {"who.port": {"gte": 1024}}})),
            ("where.host:[a TO n}", json!({"range": {"where.host": {"gte": "a", "lt": "n"}}})),
            ("who.ip:10.0.0.0/8", json!({"term": {"who.ip": "10.0.0.0/8"}})),
            ("who.ip:>10.0.0.1", json!({"range": {"who.ip": {"gt": "10.0.0.1", "lte": "255.255.255.255"}}})),
            (
                "who.ip:\"::/0\"",
                json!({"bool": {"filter": [{"term": {"who.ip": "::/0"}}],
                    "must_not": [{"range": {"who.ip": {"gte": "0.0.0.0", "lte": "255.255.255.255"}}}]}}),
            ),
            ("when:1970-01-01T00:00:01", json!({"range": {"micros.when": {"gte": 1_000_000, "lt": 2_000_000}}})),
            ("auth.x\\=y:z", json!({"term": {"detail": r"auth.x\=y=z"}})),
            ("auth.x:*", json!({"prefix": {"detail": {"value": "auth.x="}}})),
            (r"auth.x\\:a?", json!({"wildcard": {"detail": {"value": r"auth.x\\\\=a?"}}})),
            (
                "a -b",
                json!({"bool": {"filter": [
                {"term": {"words.raw": "a"}}, {"bool": {"must_not": [{"term": {"words.raw": "b"}}]}}]}}),
            ),
            (
                "a OR b",
                json!({"bool": {"minimum_should_match": 1, "should": [
                {"term": {"words.raw": "a"}}, {"term": {"words.raw": "b"}}]}}),
            ),
            ("who.name:/a+/", json!({"regexp": {"who.name": {"value": "(a)+", "flags": "NONE"}}})),
        ] {
            assert_eq!(of(query), expected, "{query}");
        }
    }

    #[test]
    fn what_cannot_be_said_asks_for_more_and_inside_not_for_less() {
        let lowered = |query: &str| lower(&parse(query, Stamp::from_micros(0)).expect(query));
        let more = lowered(r"who.name:/\w+/");
        assert_eq!(more, Lowered { query: json!({"exists": {"field": "who.name"}}), is_exact: false });
        let not = lowered(r"NOT who.name:/\w+/");
        assert_eq!(not.query, json!({"bool": {"must_not": [{"match_none": {}}]}}));
        let twice = lowered(r"NOT (NOT who.name:/\w+/)");
        assert_eq!(twice.query["bool"]["must_not"][0]["bool"]["must_not"][0], json!({"exists": {"field": "who.name"}}));
    }
}
