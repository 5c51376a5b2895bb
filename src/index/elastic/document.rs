//! One event as the cluster takes it in.

use data_encoding::HEXLOWER;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest as _, Sha256};

use super::{compared, field};
use crate::event::fields::{self, FIELDS, Kind, Value};
use crate::event::{Event, Stamp};
use crate::event::{detail, text};
use crate::index::term;

/// The id of a document: several trails may hold the same record.
pub(super) fn id(trail: &str, event: &Event) -> String {
    let tag = Sha256::digest(trail);
    format!("{}-{}", HEXLOWER.encode(tag.get(..TAG_BYTES).unwrap_or_default()), event.id)
}

const TAG_BYTES: usize = 5;

/// What every document has, whole or reduced.
fn start(trail: &str, seq: u64, leaf: &str) -> Map<String, Json> {
    let known = [(field::TRAIL, json!(trail)), (field::SEQ, json!(seq)), (field::LEAF, json!(leaf))];
    known.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The least that is said of an entry whose document the cluster refuses: it is found by being reduced, and looked
/// at in the trail.
pub(super) fn reduced(trail: &str, seq: u64, id: &str, when: Stamp, leaf: &str, reason: &str) -> Json {
    let mut document = start(trail, seq, leaf);
    insert(&mut document, "id", vec![json!(id)]);
    insert(&mut document, "when", vec![json!(when.to_string())]);
    insert(&mut document, &format!("{}.when", field::MICROS), vec![json!(when.micros())]);
    insert(&mut document, field::REDUCED, vec![json!(true)]);
    insert(&mut document, field::INDEX_ERROR, vec![json!(reason)]);
    document.into()
}

/// Whether a document stands for an entry in its reduced form.
pub(super) fn is_reduced_of(source: &Json, seq: u64, leaf: &str) -> bool {
    source.get(field::REDUCED) == Some(&Json::Bool(true))
        && source.get(field::SEQ).and_then(Json::as_u64) == Some(seq)
        && source.get(field::LEAF).and_then(Json::as_str) == Some(leaf)
}

/// What the cluster keeps of a document beside searching in it.
pub(super) fn kept(document: Json) -> Json {
    document
}

/// The document of an entry whose hash in the trail is `leaf`.
pub(super) fn document(trail: &str, seq: u64, event: &Event, leaf: &str) -> Json {
    let mut document = start(trail, seq, leaf);
    let mut has = Vec::new();
    for known in FIELDS {
        let mut values = Vec::new();
        known.each(event, &mut |value| values.push(compared_value(known.kind, value)));
        if values.is_empty() {
            continue;
        }
        match known.kind {
            Kind::Text => has.push(json!(known.name)),
            // For people, who have no use for microseconds since 1970.
            Kind::Time => known.each(event, &mut |value| {
                if let Value::Time(time) = value {
                    insert(&mut document, known.name, vec![json!(time.to_string())]);
                }
            }),
            Kind::Keyword | Kind::Number | Kind::Ip => {}
        }
        insert(&mut document, &compared(known), values);
    }
    document.insert(field::HAS.to_owned(), has.into());
    let mut terms = Vec::new();
    detail::each(event, &mut |path, value| {
        let mut term = String::new();
        term::push_detail(&mut term, path, value);
        terms.push(json!(term));
    });
    document.insert(field::DETAIL.to_owned(), terms.into());
    document.into()
}

fn compared_value(kind: Kind, value: Value<'_>) -> Json {
    match value {
        Value::Str(value) if kind == Kind::Text => json!(text::words(value).collect::<Vec<_>>().join(" ")),
        Value::Str(value) => json!(fields::searchable(value)),
        Value::Number(number) => json!(number),
        Value::Ip(address) => json!(address.to_canonical().to_string()),
        Value::Time(time) => json!(time.micros()),
    }
}

/// Below the objects that a dotted name means; a field with one value is no list.
fn insert(document: &mut Map<String, Json>, name: &str, mut values: Vec<Json>) {
    let mut at = document;
    let mut parts = name.split('.').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            let value = if values.len() == 1 { values.remove(0) } else { Json::Array(std::mem::take(&mut values)) };
            at.insert(part.to_owned(), value);
            return;
        }
        let below = at.entry(part).or_insert_with(|| json!({}));
        let Json::Object(below) = below else { return };
        at = below;
    }
}
