//! Random events and random queries that are likely to meet.
//!
//! Both draw from the same pools, so that most tests have hits and near misses. Strategies of
//! proptest: they shrink, and a failing seed is kept. What is in the pools is what has hurt indexes
//! before: values longer than the searchable limit that differ only beyond it, empty strings, syntax
//! as text, letters whose lower case is longer, IPv4 inside IPv6, equal instants, instants that differ
//! by a nanosecond, years at both ends of the calendar.

use std::ops::Bound;

use ipnet::IpNet;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};
use whodid::event::fields::{self, FIELDS, FieldRef, Kind};
use whodid::event::{Event, Exposure, Family, Lineage, Named, Outcome, Source, Stamp, Trust, text};
use whodid::query::ast::{Ast, Test, Wildcard, WildcardPart};

pub(crate) mod auth_log;
pub(crate) mod cloudtrail;
mod pool;

use pool::*;

/// What "now" is wherever generated queries are reckoned.
pub(crate) fn now() -> Stamp {
    instant("2026-11-20T12:00:00Z")
}

/// Events with different ids, in no order of time.
pub(crate) fn events(most: usize) -> impl Strategy<Value = Vec<Event>> {
    vec(event(), 0..=most).prop_map(|mut events| {
        for (event, ordinal) in events.iter_mut().zip(0..) {
            event.id = id(ordinal);
        }
        events
    })
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    let family = select(Family::ALL.as_slice());
    let body = family.prop_flat_map(|family| (Just(family), body(family)));
    let numbers = (maybe(port()), maybe(number()), maybe(number()));
    let lists = (vec(keyword(), 0..3), vec(keyword(), 0..3), exposures());
    let closed = (exposures(), any::<bool>());
    let marks = (select(&[Outcome::Success, Outcome::Failure, Outcome::Unknown]), trust());
    let facts = (numbers, lists, closed, marks);
    (body, (time(), time()), vec(maybe(keyword()), 24), maybe(address()), facts, maybe(sentence())).prop_map(
        |((family, (raw, detail)), (when, observed), names, ip, (numbers, lists, closed, marks), command)| {
            let mut event = Event::new(id(0), "", when, observed, source(family, numbers.2));
            name(&mut event, names);
            event.who.ip = ip;
            event.who.port = numbers.0;
            event.place.pid = numbers.1.and_then(|n| u32::try_from(n).ok());
            (event.what.category, event.tags, event.what.exposes) = lists;
            (event.what.closes, event.what.world) = closed;
            (event.outcome, event.trust) = marks;
            event.what.command = command;
            event.raw = raw;
            event.detail = detail;
            event
        },
    )
}

/// A tree that the parser could have made.
pub(crate) fn ast() -> impl Strategy<Value = Ast> {
    let leaf = prop_oneof![20 => leaf(), 1 => Just(Ast::All), 1 => Just(Ast::Nothing)];
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..5).prop_map(Ast::And),
            vec(inner.clone(), 2..5).prop_map(Ast::Or),
            inner.prop_map(|ast| match ast {
                Ast::All => Ast::Nothing,
                other => Ast::Not(Box::new(other)),
            }),
        ]
    })
}

/// One test on one field, of every kind the field knows.
pub(crate) fn leaf() -> impl Strategy<Value = Ast> {
    field().prop_flat_map(|field| test(&field).prop_map(move |test| Ast::Leaf { field: field.clone(), test }))
}

/// Text of a query as people and machines mistype it.
pub(crate) fn query_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        select(PIECES).prop_map(str::to_owned),
        keyword().prop_filter("short", |text| text.len() < 100),
        any::<char>().prop_map(String::from),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

// ------------------------------------------------------------------------------------------ events

fn source(family: Family, pos: Option<i64>) -> Source {
    Source {
        name: family.name().into(),
        kind: family,
        origin: format!("/var/log/{family}").into(),
        lineage: pos.map(|_| Lineage::new("host", family, b"head")),
        generation: 0,
        pos: pos.and_then(|n| u64::try_from(n).ok()),
        next: None,
    }
}

/// Hands out names, field by field.
fn name(event: &mut Event, names: Vec<Option<String>>) {
    let mut names = names.into_iter();
    let mut next = move || names.next().flatten();
    event.what.action = next().unwrap_or_default();
    let Event { who, what, place, .. } = event;
    for slot in [&mut who.kind, &mut who.name, &mut who.id, &mut who.host, &mut who.session, &mut who.key] {
        *slot = next();
    }
    for slot in [&mut who.service, &mut what.provider, &mut what.object, &mut place.host, &mut place.service] {
        *slot = next();
    }
    for slot in [&mut place.tty, &mut place.cwd, &mut place.account, &mut place.region, &mut event.reason] {
        *slot = next();
    }
    for slot in [&mut who.as_, &mut what.target, &mut what.group] {
        *slot = next().map(|name| Named { name: Some(name), id: next() });
    }
}

/// `raw` and `detail` of a family.
fn body(family: Family) -> BoxedStrategy<(Option<String>, serde_json::Map<String, Json>)> {
    if family.record_is_json() {
        let record = (json_map(), keyword(), address()).prop_map(|(mut record, name, ip)| {
            record.insert("eventName".into(), json!(name));
            record.insert("sourceIPAddress".into(), json!(ip.to_string()));
            record.insert("requestParameters".into(), json!({"items": [{"cidrIp": "0.0.0.0/0"}, {"cidrIp": name}]}));
            Json::Object(record).to_string()
        });
        let broken = record.clone().prop_map(|text| text.get(1..).unwrap_or_default().to_owned());
        let raw = prop_oneof![8 => record.prop_map(Some), 1 => broken.prop_map(Some), 1 => Just(None)];
        return raw.prop_map(|raw| (raw, serde_json::Map::new())).boxed();
    }
    let key = family.detail_key().to_owned();
    let detail =
        maybe(json_map()).prop_map(move |map| map.map(|map| (key.clone(), Json::Object(map))).into_iter().collect());
    (maybe(sentence()), detail).boxed()
}

fn json_map() -> impl Strategy<Value = serde_json::Map<String, Json>> + Clone {
    let scalar = prop_oneof![
        4 => short_keyword().prop_map(Json::String),
        1 => number().prop_map(|n| json!(n)),
        1 => select(vec![json!(null), json!(true), json!(false), json!(1.5), json!(u64::MAX)]),
    ];
    let value = scalar.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Json::Array),
            vec((select(KEYS), inner), 0..3)
                .prop_map(|pairs| Json::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    });
    vec((select(KEYS), value), 0..5).prop_map(|pairs| pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
}

fn exposures() -> impl Strategy<Value = Vec<Exposure>> {
    let one = (maybe(keyword()), maybe(keyword()), maybe(number()), maybe(number()), vec(maybe(keyword()), 2))
        .prop_map(|(cidr, protocol, from, to, mut names)| {
            let (rule, principal) = (names.pop().flatten(), names.pop().flatten());
            Exposure { cidr, principal, protocol, from, to, rule }
        });
    prop_oneof![6 => vec(one.clone(), 0..3), 1 => vec(one, 60..80)]
}

fn trust() -> impl Strategy<Value = Trust> {
    select(&[Trust::Kernel, Trust::Journal, Trust::Signed, Trust::Claimed, Trust::Own])
}

// ----------------------------------------------------------------------------------------- queries

fn field() -> impl Strategy<Value = FieldRef> {
    let path = prop_oneof![
        select(DETAIL_PATHS).prop_map(str::to_owned),
        (select(Family::ALL.as_slice()), select(KEYS)).prop_map(|(f, key)| format!("{}.{key}", f.detail_key())),
        (select(Family::ALL.as_slice()), select(KEYS), select(KEYS))
            .prop_map(|(f, key, inner)| format!("{}.{key}.{inner}", f.detail_key())),
    ];
    // Joined fields have no value in an event alone: `tests/index/joined.rs` asks for them.
    let stored: Vec<_> = FIELDS.iter().filter(|field| !field.is_joined()).collect();
    let known = select(stored).prop_map(FieldRef::Known);
    let often = select(&["raw", "when", "who.ip", "who.name", "what.command"]);
    let often = often.prop_map(|name| FieldRef::Known(fields::named(name).expect("a field")));
    prop_oneof![5 => known, 2 => often, 2 => path.prop_map(FieldRef::Detail)]
}

pub(crate) fn test(field: &FieldRef) -> BoxedStrategy<Test> {
    let exists = Just(Test::Exists);
    match field.kind() {
        Kind::Keyword if matches!(field, FieldRef::Detail(_)) => {
            prop_oneof![1 => exists, 5 => keyword_value(field).prop_map(Test::Keyword), 3 => wildcard(short_keyword())]
                .boxed()
        }
        Kind::Keyword => {
            let ranges = range(keyword_value(field)).prop_map(|(a, b)| Test::KeywordRange(a, b));
            let values = keyword_value(field).prop_map(Test::Keyword);
            prop_oneof![1 => exists, 5 => values, 3 => wildcard(short_keyword()), 2 => regex(KEYWORD_REGEXES), 2 => ranges].boxed()
        }
        Kind::Text => {
            let word = select(words_of_sentences());
            prop_oneof![1 => exists, 5 => phrase().prop_map(Test::Words), 3 => wildcard(word), 2 => regex(WORD_REGEXES)]
                .boxed()
        }
        Kind::Number => {
            let any = prop_oneof![number(), port().prop_map(i64::from)];
            let ranges = range(any.clone()).prop_map(|(a, b)| Test::NumberRange(a, b));
            prop_oneof![1 => exists, 4 => any.prop_map(Test::Number), 4 => ranges].boxed()
        }
        Kind::Ip => {
            let address = address().prop_map(|ip| ip.to_canonical());
            let ranges = range(address.clone()).prop_filter("one version", |(a, b)| match (inner(a), inner(b)) {
                (Some(a), Some(b)) => a.is_ipv4() == b.is_ipv4(),
                _ => true,
            });
            let networks = select(NETWORKS).prop_map(|text| Test::Cidr(text.parse::<IpNet>().expect("a network")));
            prop_oneof![1 => exists, 3 => address.prop_map(Test::Ip), 3 => networks, 3 => ranges.prop_map(|(a, b)| Test::IpRange(a, b))]
                .boxed()
        }
        Kind::Time => {
            let micros = time().prop_map(|time| Stamp::from_micros(time.micros()));
            prop_oneof![1 => exists, 6 => range(micros).prop_map(|(a, b)| Test::TimeRange(a, b))].boxed()
        }
    }
}

/// Values of the closed vocabularies too, so that those fields have hits.
fn keyword_value(field: &FieldRef) -> BoxedStrategy<String> {
    let any = keyword().prop_map(|text| fields::searchable(&text).to_owned());
    let own: Vec<String> = match field.name().as_str() {
        "id" => (0..4).map(|n| id(n).to_string()).collect(),
        "outcome" => ["success", "failure", "unknown"].map(str::to_owned).to_vec(),
        "trust" => ["kernel", "claimed", "own"].map(str::to_owned).to_vec(),
        "source.kind" | "source.name" => Family::ALL.map(|family| family.name().to_owned()).to_vec(),
        "source.origin" => Family::ALL.map(|family| format!("/var/log/{family}")).to_vec(),
        "source.lineage" => Family::ALL.map(|family| Lineage::new("host", family, b"head").to_string()).to_vec(),
        "who.address" => ADDRESSES.map(str::to_owned).to_vec(),
        _ => return any.boxed(),
    };
    prop_oneof![3 => select(own), 1 => any].boxed()
}

/// Two values in order as bounds; at least one end is closed or open, and something fits between.
fn range<T: Ord + Clone + std::fmt::Debug>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = (Bound<T>, Bound<T>)> {
    let (value, ends) = (std::rc::Rc::new(value), (0..4_u8, any::<bool>(), any::<bool>()));
    (value.clone(), value, ends).prop_map(|(a, b, (open, lower_closed, upper_closed))| {
        let (a, b) = if a <= b { (a, b) } else { (b, a) };
        let closed = a == b;
        let bound =
            |value, is_closed| if is_closed || closed { Bound::Included(value) } else { Bound::Excluded(value) };
        match open {
            0 => (Bound::Unbounded, bound(b, upper_closed)),
            1 => (bound(a, lower_closed), Bound::Unbounded),
            _ => (bound(a, lower_closed), bound(b, upper_closed)),
        }
    })
}

fn inner<T>(bound: &Bound<T>) -> Option<&T> {
    match bound {
        Bound::Included(value) | Bound::Excluded(value) => Some(value),
        Bound::Unbounded => None,
    }
}

/// A value with some of its characters replaced by `?` and `*`, so that it matches that value at least.
fn wildcard(value: impl Strategy<Value = String>) -> impl Strategy<Value = Test> {
    (value, vec(0..8_u8, 12), any::<bool>()).prop_map(|(value, mask, open)| {
        let mut parts: Vec<WildcardPart> = Vec::new();
        for (c, what) in value.chars().zip(mask) {
            match (what, parts.last_mut()) {
                (0, _) => parts.push(WildcardPart::One),
                (1 | 2, Some(WildcardPart::Many)) => {}
                (1 | 2, _) => parts.push(WildcardPart::Many),
                (_, Some(WildcardPart::Literal(text))) => text.push(c),
                _ => parts.push(WildcardPart::Literal(c.to_string())),
            }
        }
        let whole = value.chars().count() <= 12;
        if (open || !whole) && parts.last() != Some(&WildcardPart::Many) {
            parts.push(WildcardPart::Many);
        }
        if !parts.iter().any(|part| !matches!(part, WildcardPart::Literal(_))) || parts == [WildcardPart::Many] {
            parts.insert(0, WildcardPart::One);
        }
        Test::Wildcard(Wildcard { parts })
    })
}

fn regex(sources: &'static [&'static str]) -> impl Strategy<Value = Test> {
    let field = if sources == WORD_REGEXES { "raw" } else { "who.name" };
    select(sources).prop_map(move |source| match whodid::query::parse(&format!("{field}:/{source}/"), now()) {
        Ok(Ast::Leaf { test, .. }) => test,
        other => panic!("{source} is no expression: {other:?}"),
    })
}

/// One to three words as they stand in some sentence, sometimes in the wrong order.
fn phrase() -> impl Strategy<Value = Vec<String>> {
    let words = |sentence: &str| text::words(sentence).map(String::from).collect::<Vec<_>>();
    (select(SENTENCES), any::<prop::sample::Index>(), 1..4_usize, 0..8_u8).prop_map(
        move |(sentence, at, length, order)| {
            let all = words(sentence);
            let at = at.index(all.len());
            let mut run: Vec<_> = all.into_iter().skip(at).take(length).collect();
            if order == 0 {
                run.reverse();
            }
            run
        },
    )
}
