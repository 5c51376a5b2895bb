//! What is given to people who look at a cluster names only what lies there.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use whodid::config::index::Elastic;
use whodid::event::fields;
use whodid::index::elastic::template;
use whodid::query::Query;

fn examples(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

fn objects() -> Vec<Json> {
    let text = fs::read_to_string(examples("kibana/whodid.ndjson")).expect("readable");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The type of a field of the template.
fn mapped(name: &str) -> Option<String> {
    let template = template(&Elastic::at(Vec::new()));
    let path = format!("/template/mappings/properties/{}/type", name.replace('.', "/properties/"));
    template.pointer(&path).and_then(Json::as_str).map(str::to_owned)
}

/// JSON that stands in JSON as text.
fn inner(object: &Json, pointer: &str) -> Json {
    object.pointer(pointer).and_then(Json::as_str).map_or(Json::Null, |text| serde_json::from_str(text).expect(pointer))
}

#[test]
fn every_field_that_is_shown_is_in_the_template() {
    let mut shown = Vec::new();
    for object in objects() {
        shown.extend(object.pointer("/attributes/timeFieldName").cloned());
        shown.extend(object.pointer("/attributes/columns").and_then(Json::as_array).cloned().unwrap_or_default());
        let state = inner(&object, "/attributes/visState");
        let aggregations = state.get("aggs").and_then(Json::as_array).cloned().unwrap_or_default();
        for field in aggregations.iter().filter_map(|aggregation| aggregation.pointer("/params/field")) {
            let name = field.as_str().expect("a name");
            let kind = mapped(name).unwrap_or_else(|| panic!("{name} is not in the template"));
            assert!(matches!(kind.as_str(), "keyword" | "date" | "ip" | "long"), "{name} is {kind}: no groups of that");
        }
    }
    assert!(shown.len() > 20, "{shown:?}");
    for name in shown.iter().map(|name| name.as_str().expect("a name")) {
        assert!(mapped(name).is_some(), "{name} is not in the template");
        assert!(fields::named(name).is_some(), "{name} is no field of events");
    }
}

#[test]
fn every_query_that_is_shown_is_one_of_ours_too() {
    let mut queries = 0;
    for object in objects() {
        let source = inner(&object, "/attributes/kibanaSavedObjectMeta/searchSourceJSON");
        if let Some(query) = source.pointer("/query/query").and_then(Json::as_str).filter(|query| !query.is_empty()) {
            Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
            queries += 1;
        }
    }
    assert!(queries > 5);
}

#[test]
fn every_object_that_is_named_is_there() {
    let objects = objects();
    let is_there = |kind: &str, id: &str| objects.iter().any(|object| object["type"] == kind && object["id"] == id);
    let named = objects.iter().flat_map(|object| object["references"].as_array().cloned().unwrap_or_default());
    let mut count = 0;
    for reference in named {
        let (kind, id) = (reference["type"].as_str().expect("a type"), reference["id"].as_str().expect("an id"));
        assert!(is_there(kind, id), "{kind} {id}");
        count += 1;
    }
    assert!(count > 10);
}

#[test]
fn policies_and_roles_are_for_the_indices_that_whodid_makes() {
    for name in fs::read_dir(examples("elasticsearch")).expect("readable") {
        let path = name.expect("readable").path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let text = fs::read_to_string(&path).expect("readable");
            let json: Json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let is_ilm = json.pointer("/policy/phases").is_some();
            assert!(is_ilm || text.contains("\"whodid-*\""), "{}", path.display());
        }
    }
}
