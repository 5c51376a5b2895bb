//! The index template: explicit types, and no field that nobody asked for.
//!
//! `dynamic` is false and `detail` one keyword field, so that CloudTrail's hundreds of paths are no fields;
//! names of the Elastic Common Schema are aliases. All that is used is in the core of every version: of
//! codecs that is the default one, because Elasticsearch 9 packs more densely only by a library of the system.
//!
//! Texts are there twice: as people read them, which costs no index, and as words, which cost no space in
//! the stored document. Whoever searches a text in Kibana names it as ECS does: `message`.

use std::sync::LazyLock;

use serde_json::{Map, Value as Json, json};

use sha2::{Digest as _, Sha256};

use super::{compared, field};
use crate::config::index::Elastic;
use crate::event::fields::{FIELDS, Kind};

/// The body of `PUT _index_template/<name>`.
pub fn template(settings: &Elastic) -> Json {
    let mut index = json!({
        "number_of_shards": settings.shards,
        // Whoever answers a query asks for a refresh of its own; this one is for people who look.
        "refresh_interval": "5s",
        "query": {"default_field": [format!("{}.raw", field::WORDS)]},
    });
    if let Some(index) = index.as_object_mut() {
        match settings.replicas.parse::<u64>() {
            Ok(replicas) => index.insert("number_of_replicas".to_owned(), replicas.into()),
            Err(_) => index.insert("auto_expand_replicas".to_owned(), json!(settings.replicas)),
        };
        // OpenSearch takes no such setting: its policies name the indices that they are for.
        if let Some(policy) = &settings.lifecycle {
            index.insert("lifecycle".to_owned(), json!({"name": policy}));
        }
    }
    json!({
        "index_patterns": [settings.names.all()],
        "priority": 200,
        "template": {"settings": {"index": index}, "mappings": marked()},
        "_meta": {"made_by": "whodid", "schema": fingerprint()}
    })
}

/// The mapping, with the mark by which it is known again.
pub(super) fn marked() -> Json {
    marked_for([fingerprint()])
}

/// The same, with the marks of other versions that write there too.
pub(super) fn marked_for<'s>(schemas: impl IntoIterator<Item = &'s str>) -> Json {
    let schemas: Vec<&str> = schemas.into_iter().collect();
    let mut mappings = mappings();
    if let Some(mappings) = mappings.as_object_mut() {
        mappings.insert("_meta".to_owned(), json!({"made_by": "whodid", "schemas": schemas}));
    }
    mappings
}

/// Of the mapping and of how values become terms: documents of another one need a rebuild.
pub(super) fn fingerprint() -> &'static str {
    static FINGERPRINT: LazyLock<String> = LazyLock::new(|| {
        let hash = Sha256::new().chain_update(TERMS_VERSION.to_be_bytes()).chain_update(mappings().to_string());
        data_encoding::HEXLOWER.encode(hash.finalize().get(..8).unwrap_or_default())
    });
    &FINGERPRINT
}

/// To be raised when the same mapping would hold other terms.
const TERMS_VERSION: u32 = 1;

fn mappings() -> Json {
    json!({
        "dynamic": false,
        // Times are written as RFC 3339: what looks like a date in a name is none.
        "date_detection": false,
        "properties": properties()
    })
}

fn properties() -> Json {
    let mut properties = Map::new();
    let keyword = || json!({"type": "keyword"});
    let kept = || json!({"type": "keyword", "index": false, "doc_values": false});
    for (name, mapping) in [
        (field::TRAIL, keyword()),
        (field::SEQ, json!({"type": "long"})),
        (field::LEAF, kept()),
        (field::SCHEMA, kept()),
        (field::DAY, keyword()),
        (field::REDUCED, json!({"type": "boolean"})),
        (field::INDEX_ERROR, kept()),
        // Terms are looked for, never counted.
        (field::DETAIL, json!({"type": "keyword", "doc_values": false})),
        (field::HAS, json!({"type": "keyword", "doc_values": false})),
    ] {
        properties.insert(name.to_owned(), mapping);
    }
    // Joined fields are in no document (`index::Joined`).
    for known in FIELDS.iter().filter(|known| !known.is_joined()) {
        let name = compared(known);
        let mapping = match known.kind {
            Kind::Keyword => keyword(),
            Kind::Text => {
                json!({"type": "text", "analyzer": "whitespace", "search_analyzer": "standard", "norms": false})
            }
            Kind::Number | Kind::Time => json!({"type": "long"}),
            Kind::Ip => json!({"type": "ip"}),
        };
        insert(&mut properties, &name, mapping);
        // What people read: a date, and a text as it is.
        let shown = match known.kind {
            Kind::Time => Some(json!({"type": "date", "ignore_malformed": true})),
            Kind::Text => Some(json!({"type": "text", "index": false, "norms": false})),
            Kind::Keyword | Kind::Number | Kind::Ip => None,
        };
        let aliased = match known.kind {
            Kind::Time => known.name,
            _ => &name,
        };
        if let Some(shown) = shown {
            insert(&mut properties, known.name, shown);
        }
        for alias in known.aliases.iter().filter(|alias| !alias.starts_with('_')) {
            insert(&mut properties, alias, json!({"type": "alias", "path": aliased}));
        }
    }
    properties.into()
}

fn insert(properties: &mut Map<String, Json>, name: &str, mapping: Json) {
    match name.split_once('.') {
        None => drop(properties.insert(name.to_owned(), mapping)),
        Some((first, rest)) => {
            let object = properties.entry(first).or_insert_with(|| json!({"properties": {}}));
            if let Some(below) = object.get_mut("properties").and_then(Json::as_object_mut) {
                insert(below, rest, mapping);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::fields::{self, FieldRef};

    /// As a cluster counts them: objects and aliases too.
    fn count(properties: &Json) -> usize {
        let each = properties.as_object().into_iter().flat_map(Map::values);
        each.map(|field| 1 + field.get("properties").map_or(0, count)).sum()
    }

    fn at<'p>(properties: &'p Json, name: &str) -> Option<&'p Json> {
        match name.split_once('.') {
            None => properties.get(name),
            Some((first, rest)) => at(properties.get(first)?.get("properties")?, rest),
        }
    }

    #[test]
    fn the_number_of_fields_is_small_and_stays_so() {
        let fields = count(&properties());
        assert!((100..=150).contains(&fields), "{fields}");
    }

    #[test]
    fn every_name_of_a_query_is_there_but_those_that_are_joined() {
        let properties = properties();
        for known in FIELDS {
            for name in [known.name].iter().chain(known.aliases).filter(|name| !name.starts_with('_')) {
                assert_eq!(at(&properties, name).is_some(), !known.is_joined(), "{name}");
            }
        }
        let alias = |name: &str| at(&properties, name).and_then(|field| field["path"].as_str());
        assert_eq!(alias("@timestamp"), Some("when"));
        assert_eq!(alias("message"), Some("words.raw"));
        assert_eq!(alias("source.ip"), Some("who.ip"));
        assert!(matches!(fields::resolve("source.ip"), Some(FieldRef::Known(known)) if known.name == "who.ip"));
    }

    #[test]
    fn every_path_of_an_alias_is_a_field() {
        fn aliases<'p>(properties: &'p Json, found: &mut Vec<&'p str>) {
            for field in properties.as_object().into_iter().flat_map(Map::values) {
                found.extend(field["path"].as_str());
                field.get("properties").into_iter().for_each(|below| aliases(below, found));
            }
        }
        let properties = properties();
        let mut paths = Vec::new();
        aliases(&properties, &mut paths);
        assert!(paths.len() > 30);
        for path in paths {
            let target = at(&properties, path).and_then(|field| field["type"].as_str());
            assert!(target.is_some_and(|kind| kind != "alias"), "{path}");
        }
    }

    #[test]
    fn settings_are_as_configured() {
        let settings = |replicas: &str, lifecycle: Option<&str>| {
            let settings = Elastic {
                shards: 3,
                replicas: replicas.to_owned(),
                lifecycle: lifecycle.map(str::to_owned),
                ..Elastic::at(Vec::new())
            };
            let body = template(&settings);
            assert_eq!(body["index_patterns"], json!(["whodid-*"]));
            body["template"]["settings"]["index"].clone()
        };
        let index = settings("0-1", None);
        assert_eq!((&index["auto_expand_replicas"], &index["number_of_shards"]), (&json!("0-1"), &json!(3)));
        assert!(index.get("number_of_replicas").is_none() && index.get("lifecycle").is_none());
        let index = settings("2", Some("audit"));
        assert_eq!((&index["number_of_replicas"], &index["lifecycle"]["name"]), (&json!(2), &json!("audit")));
        assert!(index.get("auto_expand_replicas").is_none());
    }
}
