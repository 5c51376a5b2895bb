//! One event as the cluster takes it in.

use serde_json::{Map, Value as Json, json};

use super::{compared, field};
use crate::event::Event;
use crate::event::fields::{self, FIELDS, Kind, Value};
use crate::event::{detail, text};
use crate::index::term;

/// The document of an entry: `line` is what the trail holds, `leaf` its hash there.
pub fn document(trail: &str, seq: u64, event: &Event, line: &str, leaf: &str) -> Json {
    let mut document = Map::new();
    for (name, value) in
        [(field::TRAIL, json!(trail)), (field::SEQ, json!(seq)), (field::LINE, json!(line)), (field::LEAF, json!(leaf))]
    {
        document.insert(name.to_owned(), value);
    }
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
