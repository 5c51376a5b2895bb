//! The index template: explicit types, and no field that nobody asked for.
//!
//! `dynamic` is false and `detail` one keyword field, so that CloudTrail's hundreds of paths are no fields;
//! names of the Elastic Common Schema are aliases. All that is used is in the core of every version.

use std::sync::LazyLock;

use serde_json::{Map, Value as Json, json};

use sha2::{Digest as _, Sha256};

use super::{compared, field};
use crate::config::index::Elastic;
use crate::event::fields::{FIELDS, Kind};

/// The body of `PUT _index_template/<name>`.
pub fn template(settings: &Elastic) -> Json {
    json!({
        "index_patterns": [settings.names.all()],
        "priority": 200,
        "template": {
            "settings": {"index": {"refresh_interval": "1s", "codec": "best_compression"}},
            "mappings": {"dynamic": false, "properties": properties()}
        },
        "_meta": {"made_by": "whodid", "schema": fingerprint()}
    })
}

/// Of the mapping and of how values become terms: documents of another one need a rebuild.
pub(super) fn fingerprint() -> &'static str {
    static FINGERPRINT: LazyLock<String> = LazyLock::new(|| {
        let hash = Sha256::new().chain_update(TERMS_VERSION.to_be_bytes()).chain_update(properties().to_string());
        data_encoding::HEXLOWER.encode(hash.finalize().get(..8).unwrap_or_default())
    });
    &FINGERPRINT
}

/// To be raised when the same mapping would hold other terms.
const TERMS_VERSION: u32 = 1;

fn properties() -> Json {
    let mut properties = Map::new();
    let keyword = || json!({"type": "keyword"});
    for (name, mapping) in [
        (field::TRAIL, keyword()),
        (field::SEQ, json!({"type": "long"})),
        (field::LEAF, json!({"type": "keyword", "index": false, "doc_values": false})),
        (field::DETAIL, json!({"type": "keyword", "doc_values": false})),
        (field::HAS, keyword()),
        (field::REDUCED, json!({"type": "boolean"})),
    ] {
        properties.insert(name.to_owned(), mapping);
    }
    for known in FIELDS {
        let name = compared(known);
        let mapping = match known.kind {
            Kind::Keyword => keyword(),
            Kind::Text => json!({"type": "text", "analyzer": "whitespace", "norms": false}),
            Kind::Number | Kind::Time => json!({"type": "long"}),
            Kind::Ip => json!({"type": "ip"}),
        };
        insert(&mut properties, &name, mapping);
        // What people name: a date for the eye, and the words of a text.
        let seen = match known.kind {
            Kind::Time => {
                insert(&mut properties, known.name, json!({"type": "date"}));
                known.name
            }
            Kind::Text => {
                insert(&mut properties, known.name, json!({"type": "alias", "path": name}));
                &name
            }
            Kind::Keyword | Kind::Number | Kind::Ip => &name,
        };
        for alias in known.aliases.iter().filter(|alias| !alias.starts_with('_')) {
            insert(&mut properties, alias, json!({"type": "alias", "path": seen}));
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
