//! One event as the cluster takes it in.
//!
//! What is compared is what the embedded index holds, value for value; beside it stands what people read
//! there: texts as they are, cut where no one reads on. No value that an event can have is refused: keywords
//! and words are short, numbers are whole, times that no calendar takes are ignored.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::template::fingerprint;
use super::{compared, field};
use crate::event::fields::{self, FIELDS, Kind, Value};
use crate::event::{Event, Stamp, detail, text};
use crate::index::term;

/// Of a longer text, people are shown only so much: they have the trail.
const SHOWN_BYTES_MAX: usize = 32_766;

/// Why a cluster refused a document; it has said all by then.
const REASON_BYTES_MAX: usize = 1_000;

/// The document of an entry of a trail; `leaf` is its hash there.
pub fn document(trail: &str, seq: u64, event: &Event, leaf: &str) -> Json {
    let mut document = start(trail, seq, &event.id.to_string(), event.when, leaf);
    let mut has = Vec::new();
    for known in FIELDS {
        let (mut values, mut shown, mut numbers) = (Vec::new(), Vec::new(), BTreeSet::new());
        known.each(event, &mut |value| {
            // A cluster counts each value of a list once, but for numbers.
            if let Value::Number(number) = value
                && !numbers.insert(number)
            {
                return;
            }
            values.push(compared_value(known.kind, value));
            shown.extend(shown_value(known.kind, value));
        });
        if values.is_empty() {
            continue;
        }
        if known.kind == Kind::Text {
            has.push(json!(known.name));
        }
        if !shown.is_empty() {
            insert(&mut document, known.name, shown);
        }
        insert(&mut document, &compared(known), values);
    }
    if !has.is_empty() {
        document.insert(field::HAS.to_owned(), has.into());
    }
    let mut terms = BTreeSet::new();
    detail::each(event, &mut |path, value| {
        let mut term = String::new();
        term::push_detail(&mut term, path, value);
        terms.insert(term);
    });
    if !terms.is_empty() {
        document.insert(field::DETAIL.to_owned(), terms.into_iter().collect());
    }
    document.into()
}

/// The least that is said of an entry whose document the cluster refuses: it is found by being reduced, and looked
/// at in the trail.
pub(super) fn reduced(trail: &str, seq: u64, id: &str, when: Stamp, leaf: &str, reason: &str) -> Json {
    let mut document = start(trail, seq, id, when, leaf);
    document.insert(field::REDUCED.to_owned(), true.into());
    document.insert(field::INDEX_ERROR.to_owned(), cut(reason, REASON_BYTES_MAX).into());
    document.into()
}

/// What every document has, whole or reduced.
fn start(trail: &str, seq: u64, id: &str, when: Stamp, leaf: &str) -> Map<String, Json> {
    let mut document = Map::new();
    for (name, value) in [
        (field::TRAIL, json!(trail)),
        (field::SEQ, json!(seq)),
        (field::LEAF, json!(leaf)),
        (field::SCHEMA, json!(fingerprint())),
        (field::DAY, json!(when.day().to_string())),
        ("id", json!(id)),
        ("when", json!(when.to_string())),
        (field::MICROS, json!({"when": when.micros()})),
    ] {
        document.insert(name.to_owned(), value);
    }
    document
}

/// The id of a document: several trails may hold the same record.
pub(super) fn id(trail: &str, event: &Event) -> String {
    let tag = Sha256::digest(trail);
    format!("{}-{}", HEXLOWER.encode(tag.get(..TAG_BYTES).unwrap_or_default()), event.id)
}

const TAG_BYTES: usize = 5;

/// Whether a document stands for an entry in its reduced form.
pub(super) fn is_reduced_of(source: &Json, seq: u64, leaf: &str) -> bool {
    source.get(field::REDUCED) == Some(&Json::Bool(true))
        && source.get(field::SEQ).and_then(Json::as_u64) == Some(seq)
        && source.get(field::LEAF).and_then(Json::as_str) == Some(leaf)
}

fn compared_value(kind: Kind, value: Value<'_>) -> Json {
    match value {
        Value::Str(value) if kind == Kind::Text => {
            let mut words = String::new();
            for word in text::words(value) {
                if !words.is_empty() {
                    words.push(' ');
                }
                words.push_str(&word);
            }
            words.into()
        }
        Value::Str(value) => json!(fields::searchable(value)),
        Value::Number(number) => json!(number),
        Value::Ip(address) => json!(address.to_canonical().to_string()),
        Value::Time(time) => json!(time.micros()),
    }
}

/// What people read where that is not what is compared.
fn shown_value(kind: Kind, value: Value<'_>) -> Option<Json> {
    match value {
        Value::Str(text) if kind == Kind::Text => Some(json!(cut(text, SHOWN_BYTES_MAX))),
        Value::Time(time) => Some(json!(time.to_string())),
        _ => None,
    }
}

fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}

/// Below the objects that a dotted name means; a field with one value is no list.
fn insert(document: &mut Map<String, Json>, name: &str, mut values: Vec<Json>) {
    match name.split_once('.') {
        None => {
            let value = if values.len() == 1 { values.remove(0) } else { Json::Array(values) };
            document.insert(name.to_owned(), value);
        }
        Some((first, rest)) => {
            if let Json::Object(below) = document.entry(first).or_insert_with(|| json!({})) {
                insert(below, rest, values);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventId, Exposure, Family, Source};

    fn event() -> Event {
        let source = Source {
            name: "auth".into(),
            kind: Family::Auth,
            origin: "/var/log/auth.log".into(),
            lineage: None,
            generation: 0,
            pos: Some(7),
            next: None,
        };
        let when = Stamp::parse("2026-11-20T10:11:12.123456789Z").expect("an instant");
        let mut event = Event::new(EventId::new(Family::Auth, &[b"x"], 0), "ssh.login", when, when, source);
        event.who.name = Some("alice".to_owned());
        event.who.ip = Some("::ffff:10.0.0.1".parse().expect("an address"));
        event.what.category = vec!["authentication".to_owned(), "session".to_owned()];
        event.raw = Some("Accepted publickey, for Alice".to_owned());
        event
    }

    #[test]
    fn a_document_has_what_is_compared_and_what_is_read() {
        let mut event = event();
        event.set_detail("method", "publickey");
        event.reason = Some("---".to_owned());
        let expected = json!({
            "trail": "example.org/web-1", "seq": 3, "leaf": "00ff", "schema": fingerprint(), "day": "2026-11-20", "id": event.id.to_string(),
            "when": "2026-11-20T10:11:12.123456789Z", "observed": "2026-11-20T10:11:12.123456789Z",
            "micros": {"when": 1_795_169_472_123_456_i64, "observed": 1_795_169_472_123_456_i64},
            "who": {"name": "alice", "ip": "10.0.0.1", "address": "::ffff:10.0.0.1"},
            "what": {"action": "ssh.login", "category": ["authentication", "session"]},
            "outcome": "unknown", "trust": "claimed",
            "source": {"name": "auth", "kind": "auth", "origin": "/var/log/auth.log", "pos": 7},
            "raw": "Accepted publickey, for Alice", "reason": "---",
            "words": {"raw": "accepted publickey for alice", "reason": ""}, "has": ["reason", "raw"],
            "detail": ["auth.method=publickey"],
        });
        assert_eq!(document("example.org/web-1", 3, &event, "00ff"), expected);
    }

    #[test]
    fn a_value_counts_once_and_long_ones_are_cut() {
        let mut event = event();
        let port =
            |from| Exposure { cidr: None, principal: None, protocol: None, from: Some(from), to: None, rule: None };
        event.what.exposes = vec![port(22), port(443), port(22)];
        event.who.name = Some("n".repeat(9_000));
        event.raw = Some("ä ".repeat(20_000));
        let document = document("t", 0, &event, "");
        assert_eq!(document["what"]["exposes"]["from"], json!([22, 443]));
        assert_eq!(document["who"]["name"].as_str().map(str::len), Some(fields::SEARCHABLE_BYTES_MAX));
        assert_eq!(document["raw"].as_str().map(str::len), Some(32_766));
        assert_eq!(document["words"]["raw"].as_str().map(str::len), Some(59_999));
    }

    #[test]
    fn a_reduced_document_has_what_finds_it_and_why() {
        let event = event();
        let why = "é".repeat(800);
        let document = reduced("t", 5, &event.id.to_string(), event.when, "aa", &why);
        let expected = json!({
            "trail": "t", "seq": 5, "leaf": "aa", "schema": fingerprint(), "day": "2026-11-20", "id": event.id.to_string(),
            "when": "2026-11-20T10:11:12.123456789Z", "micros": {"when": 1_795_169_472_123_456_i64},
            "reduced": true, "index_error": "é".repeat(500),
        });
        assert_eq!(document, expected);
    }
}
