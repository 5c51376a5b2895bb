//! The saved queries about AWS together: which control has one, what the documents say of them, and what
//! others' rules find in the same records.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use whodid::config::{Config, SavedQuery};
use whodid::event::{Event, Family, Stamp};
use whodid::query::{People, Subject};

use crate::cloudtrail_data;
use crate::shipped::shipped;

fn queries(config: &Config) -> impl Iterator<Item = &SavedQuery> {
    config.queries.values().filter(|query| query.id.starts_with("aws/"))
}

/// The numbers of a benchmark that a query serves.
fn numbers<'q>(query: &'q SavedQuery, benchmark: &str) -> Vec<&'q str> {
    query.controls.iter().filter_map(|control| control.strip_prefix(benchmark)).map(str::trim).collect()
}

/// The monitoring items of the CIS AWS Foundations Benchmark: 3.1 to 3.14 of v1.2, 4.1 to 4.15 of v1.4 to v3.
#[test]
fn every_monitoring_item_of_cis_has_its_query_and_alert() {
    let config = shipped();
    let served = |benchmark| -> BTreeSet<&str> {
        let with_alert = queries(&config).filter(|query| config.alerts.values().any(|alert| alert.query == query.id));
        with_alert.flat_map(|query| numbers(query, benchmark)).collect()
    };
    let missing = |benchmark, chapter: u8, last: u8| -> Vec<String> {
        let served = served(benchmark);
        let items = (1..=last).map(|item| format!("{chapter}.{item}"));
        items.filter(|item| !served.contains(item.as_str())).collect()
    };
    assert_eq!(missing("CIS AWS v1.2 ", 3, 14), [""; 0]);
    assert_eq!(missing("CIS AWS v3 ", 4, 15), [""; 0]);
}

fn row(query: &SavedQuery) -> String {
    let lists = query.query.lists().keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let numbers = |benchmark| numbers(query, benchmark).join(", ");
    format!(
        "| `{}` | {} | {} | {} | {} | {lists} |\n",
        query.id.trim_start_matches("aws/"),
        query.title,
        query.severity,
        numbers("CIS AWS v1.2 "),
        numbers("CIS AWS v3 "),
    )
}

/// `UPDATE=1` writes the table anew.
#[test]
fn every_query_is_in_the_table() {
    const HEADER: &str =
        "| `aws/` | what it finds | severity | CIS v1.2 | CIS v3 | needs the list |\n|---|---|---|---|---|---|\n";
    let config = shipped();
    let expected: String = [HEADER.to_owned()].into_iter().chain(queries(&config).map(row)).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/aws.md");
    let text = fs::read_to_string(&path).expect("docs/aws.md");
    let (before, rows) = text.split_once(HEADER).expect("the table of queries");
    let after = rows.split_once("\n\n").map_or("", |(_, after)| after);
    let whole = format!("{before}{expected}\n{after}");
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever changes the table")]
    if std::env::var("UPDATE").is_ok() {
        let mut file = fs::File::create(&path).expect("writable");
        std::io::Write::write_all(&mut file, whole.as_bytes()).expect("written");
        return;
    }
    assert!(text == whole, "run this test with UPDATE=1");
}

/// A copied example whose id was left as it was: in a trail it would be a revision of the first.
#[test]
fn examples_of_one_query_that_share_an_id_are_the_same_record() {
    let config = shipped();
    let mut seen = BTreeMap::new();
    for query in queries(&config) {
        for example in query.examples.iter().filter(|example| example.family == Family::Cloudtrail) {
            let record: Value =
                serde_json::from_str(&example.raw).unwrap_or_else(|error| panic!("{}: {error}", query.id));
            let id = record["eventID"].as_str().expect("an id").to_owned();
            let here = format!("{}: {}", query.id, example.name);
            if let Some((before, other)) = seen.insert((&query.id, id), (here.clone(), record.clone())) {
                assert_eq!(other, record, "{before} and {here}");
            }
        }
    }
}

fn decode(record: &Value) -> Event {
    let mut events = cloudtrail_data::decode(record.to_string().as_bytes());
    assert_eq!(events.len(), 1, "{record}");
    events.remove(0)
}

/// What others expect of their own rules over their own records, where these are at hand (`WHODID_DATA`, or
/// `../shared/data`).
#[test]
fn queries_agree_with_the_rules_of_others() {
    let (folder, config) = (Path::new(env!("CARGO_MANIFEST_DIR")), shipped());
    let table = fs::read_to_string(folder.join("tests/aws_queries/panther.toml")).expect("the table");
    let table: toml::Table = table.parse().expect("TOML");
    let rules = table["rule"].as_array().expect("rules");
    let text = |table: &toml::Value, key: &str| table.get(key).and_then(toml::Value::as_str).map(str::to_owned);
    let rules: BTreeMap<String, &toml::Value> =
        rules.iter().map(|rule| (text(rule, "rule").expect("its name"), rule)).collect();
    for (name, rule) in &rules {
        let query = text(rule, "query");
        assert!(query.is_some() != rule.get("none").is_some(), "{name}: a query, or why there is none");
        assert!(query.is_none_or(|id| config.queries.contains_key(&id)), "{name}: no such query");
    }
    let data = std::env::var_os("WHODID_DATA").map_or_else(|| folder.join("../shared/data"), Into::into);
    let Ok(cases) = fs::read_to_string(data.join("panther/aws_cloudtrail_tests.dev.jsonl")) else { return };
    let now = Stamp::parse("2026-11-20T12:00:00Z").expect("an instant");
    let (mut agree, mut all, mut without, mut wrong) = (0, 0, 0, Vec::new());
    for case in cases.lines() {
        let case: Value = serde_json::from_str(case).expect("JSON");
        let (name, test) = (case["rule"].as_str().expect("a rule"), case["test"].as_str().expect("a test"));
        let rule = rules.get(name).unwrap_or_else(|| panic!("{name}: which query is it, and if none, why?"));
        let Some(query) = text(rule, "query") else {
            without += 1;
            continue;
        };
        all += 1;
        let (people, event) = (People::default(), decode(&case["event"]));
        let attribution = people.attribute(&event, None);
        let found = Subject::new(&event).by(&attribution).matches(&config.queries[&query].proof.at(now));
        let differs = rule.get("differs").and_then(toml::Value::as_array).into_iter().flatten();
        let known =
            differs.clone().any(|case| text(case, "test").as_deref() == Some(test) && text(case, "why").is_some());
        match (Some(found) == case["expected"].as_bool(), known) {
            (true, false) => agree += 1,
            (false, true) => {}
            (true, true) => wrong.push(format!("{name}: {test}: they agree by now")),
            (false, false) => wrong.push(format!("{name}: {test}: {query} says {found}")),
        }
    }
    println!("{agree} of {all} agree; {without} cases are of rules without a query here");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
