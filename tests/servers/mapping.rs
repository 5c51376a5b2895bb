//! CloudTrail's parameters are no fields: however many paths records have, and whatever types stand there, the mapping
//! stays as it is, nothing is refused, and every path is searched.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value as Json, json};
use whodid::config::prove;
use whodid::config::saved::Example;
use whodid::event::{Event, Family, detail};
use whodid::index::elastic::{Searcher, Writer};
use whodid::index::{Index as _, Search, View as _};
use whodid::query::parse;
use whodid::sources;

use super::engines::settings;
use super::{Kind, each_kind, shared};
use crate::generate::{self, cloudtrail::CloudTrail};
use crate::index::{ORIGIN, Trail, data, size};

/// Distinct paths below `detail`, and the fields of an index that are enough for them.
const PATHS: usize = 3_000;
const FIELDS_MAX: usize = 150;

/// Of all paths, one in so many is searched in the usual run.
const ONE_PATH_IN: usize = 15;

each_kind!(three_thousand_paths_of_any_type_are_searched);
fn three_thousand_paths_of_any_type_are_searched(kind: Kind) {
    let events: Vec<Event> = records().into_iter().map(decoded).collect();
    let trail = Trail::new(events);
    let expected = paths(&trail);
    assert!(expected.len() >= PATHS, "{}", expected.len());
    let (server, prefix) = (shared(kind), "mapping");
    let (data, settings) = (data(), settings(server, prefix));
    let mut writer = Writer::open(data.path(), ORIGIN, &settings).expect("a cluster");
    assert_eq!(writer.catch_up(&&trail, size(&trail), generate::now()).expect("it takes in"), size(&trail));
    assert_eq!(writer.reduced(), 0, "no document is refused");

    let (_, mappings) = server.ask("GET", &format!("/{prefix}-*/_mapping"), None);
    for (index, mapping) in mappings.as_object().expect("indices") {
        let fields = fields(&mapping["mappings"]);
        assert!((50..=FIELDS_MAX).contains(&fields), "{index} has {fields} fields");
    }

    let searcher = Searcher::open(data.path(), &trail, &settings);
    let is_long = std::env::var_os("WHODID_LONG").is_some();
    for (path, seqs) in expected.iter().step_by(if is_long { 1 } else { ONE_PATH_IN }) {
        let query = parse(&format!("{path}:*"), generate::now()).unwrap_or_else(|error| panic!("{path}: {error}"));
        let hits = searcher.search(&Search::all(query), 10_000).expect("searchable");
        let mut found: Vec<u64> = hits.newest.iter().map(|hit| hit.seq).collect();
        found.sort_unstable();
        assert_eq!(&found, seqs, "{path}");
    }
}

/// Fields and their other names; objects are none.
fn fields(mapping: &Json) -> usize {
    let properties = mapping.get("properties").and_then(Json::as_object);
    let each = properties.into_iter().flat_map(|properties| properties.values());
    each.map(|field| fields(field) + usize::from(field.get("properties").is_none())).sum()
}

/// Which entries have a value at each path.
fn paths(trail: &Trail) -> BTreeMap<String, Vec<u64>> {
    let mut paths = BTreeMap::<String, Vec<u64>>::new();
    for (seq, event) in (0..).zip(trail.events()) {
        detail::each(event, &mut |path, _| {
            let seqs = paths.entry(path.to_owned()).or_default();
            if seqs.last() != Some(&seq) {
                seqs.push(seq);
            }
        });
    }
    paths
}

fn decoded(raw: String) -> Event {
    let example = Example { name: "a call".to_owned(), matches: true, family: Family::Cloudtrail, raw };
    prove::decode(&example, generate::now(), sources::decoder).pop().expect("one event")
}

/// Calls whose parameters have names that come again with another type: a text, a number, a list, an object.
fn records() -> Vec<String> {
    let parameters = |n: usize| {
        let mut text = String::from("{");
        for place in 0..10 {
            let name = (n * 5 + place) % PATHS;
            let value = match (n + place) % 6 {
                0 => json!(format!("value {name}")),
                1 => json!(name),
                2 => json!(name.is_multiple_of(2)),
                3 => json!([name, format!("{name}"), null]),
                4 => json!({"deeper": {"items": [{"key": name}]}}),
                _ => json!(format!("2026-11-20T10:00:{:02}Z", name % 60)),
            };
            write!(text, "{}\"p{name}\":{value}", if place == 0 { "" } else { "," }).expect("memory");
        }
        text + "}"
    };
    let with = |(n, record): (usize, String)| {
        let (start, rest) = record.split_once("\"requestParameters\":").expect("every call has them");
        let (_, rest) = rest.split_once(",\"responseElements\":").expect("and an answer");
        format!("{start}\"requestParameters\":{},\"responseElements\":{rest}", parameters(n))
    };
    CloudTrail::new(3).take(PATHS / 5).enumerate().map(with).collect()
}
