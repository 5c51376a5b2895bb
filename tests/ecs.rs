//! The Elastic Common Schema over every fixture of every source: one mapping has to take all of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value as Json;
use whodid::event::{Event, Family, ecs};

/// What Elasticsearch tells apart; lists hold what their items are.
fn kinds(path: &str, value: &Json, found: &mut Vec<(String, &'static str)>) {
    let kind = match value {
        Json::Null => return,
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(items) => return items.iter().for_each(|item| kinds(path, item, found)),
        Json::Object(below) => {
            for (name, value) in below {
                assert!(!name.trim().is_empty() && !name.contains('.'), "{path}: {name:?}");
                kinds(&format!("{path}.{name}"), value, found);
            }
            "object"
        }
    };
    found.push((path.to_owned(), kind));
}

#[test]
fn every_field_has_one_type_in_all_events() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sources");
    let mut seen: BTreeMap<String, (&str, String)> = BTreeMap::new();
    for family in Family::ALL {
        let Ok(folder) = fs::read_dir(root.join(family.name())) else { continue };
        for path in folder.map(|entry| entry.expect("readable").path()) {
            if !path.to_string_lossy().ends_with(".events.json") {
                continue;
            }
            let text = fs::read_to_string(&path).expect("readable");
            let events: Vec<Event> = serde_json::from_str(&text).expect("events");
            for event in &events {
                let mut doc = ecs::to_ecs(event);
                // Its calls differ in shape: docs/formats.md has it mapped as `flattened`.
                doc.as_object_mut().expect("an object").remove("cloudtrail");
                let mut found = Vec::new();
                kinds("", &doc, &mut found);
                for (field, kind) in found {
                    let here = format!("{}: {}", path.display(), event.id);
                    let (first, place) = seen.entry(field.clone()).or_insert((kind, here.clone()));
                    assert_eq!(*first, kind, "{field}: {place} and {here}");
                }
            }
        }
    }
    assert_eq!(seen.get(".@timestamp").map(|(kind, _)| *kind), Some("string"));
}
