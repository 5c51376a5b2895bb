//! Records of other people's CloudTrail, where they are at hand: whatever lies below `WHODID_DATA`, or
//! in `../shared/data`.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use whodid::event::{Event, Family, Lineage, Stamp};
use whodid::sources::secrets::Marks;
use whodid::sources::zone::Zone;
use whodid::sources::{self, Identity, Stream, Year};

/// How much has to agree with what others read out of the same records.
const AGREE_PERCENT: usize = 97;

fn files() -> Vec<PathBuf> {
    let data = std::env::var_os("WHODID_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    let (mut files, mut folders) = (Vec::new(), vec![data]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for path in entries.map(|entry| entry.expect("readable").path()) {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

fn content(path: &Path) -> Vec<u8> {
    let packed = fs::read(path).expect("readable");
    let mut content = Vec::new();
    match flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut content) {
        Ok(_) => content,
        Err(_) => packed,
    }
}

pub(crate) fn decode(bytes: &[u8]) -> Vec<Event> {
    let observed = Stamp::parse("2026-11-20T12:00:00Z").expect("an instant");
    let mut decoder = sources::decoder(Stream {
        name: "data".into(),
        family: Family::Cloudtrail,
        origin: "data".into(),
        host: "example".to_owned(),
        identity: Identity::Place { lineage: Lineage::new("example", Family::Cloudtrail, b""), generation: 0 },
        start: 0,
        zone: Zone::UTC,
        year: Year::NotAfter(observed),
        marks: Marks::default(),
        world: Default::default(),
    });
    let mut events = Vec::new();
    for part in bytes.chunks(1000) {
        decoder.push(part, observed, &mut events);
    }
    decoder.finish(observed, &mut events);
    events
}

fn parsed(event: &Event) -> Value {
    serde_json::from_str(event.raw.as_deref().expect("a record")).expect("JSON")
}

#[test]
fn every_record_of_every_file_becomes_its_event() {
    let (mut objects, mut records, mut identities) = (0, 0, Identities::default());
    for path in files() {
        let content = content(&path);
        let name = path.to_string_lossy();
        let is_ours = sources::detect(&name, &content) == Some(Family::Cloudtrail);
        let Ok(Value::Object(mut object)) = serde_json::from_slice(&content) else { continue };
        let Some(Value::Array(expected)) = object.remove("Records").filter(|_| is_ours) else { continue };
        let events = decode(&content);
        let unparsed = events.iter().filter(|event| event.what.action == "unparsed").count();
        assert_eq!(unparsed, 0, "{name}");
        assert_eq!(events.iter().map(parsed).collect::<Vec<_>>(), expected, "{name}: each record once, in order");
        for (event, record) in events.iter().zip(&expected) {
            assert_eq!(Some(event.what.action.as_str()), record["eventName"].as_str(), "{name}");
            assert_eq!(Some(event.when), record["eventTime"].as_str().and_then(Stamp::parse), "{name}");
            identities.note(event, record);
        }
        objects += 1;
        records += expected.len();
    }
    println!("{records} records in {objects} objects\n{}", identities.table());
}

/// For each type of identity: records, those without a name, those without an object.
#[derive(Default)]
struct Identities(BTreeMap<String, [usize; 3]>);

impl Identities {
    /// Nobody is named only where the record names nobody.
    fn note(&mut self, event: &Event, record: &Value) {
        let kind = record["userIdentity"]["type"].as_str().unwrap_or("none");
        let [all, nameless, without_object] = self.0.entry(kind.to_owned()).or_default();
        *all += 1;
        *nameless += usize::from(event.who.name.is_none());
        *without_object += usize::from(event.what.object.is_none());
        let identity = &record["userIdentity"];
        let names_nobody = ["userName", "arn", "invokedBy"].iter().all(|name| identity[name].is_null());
        assert!(event.who.name.is_some() || kind == "none" || names_nobody, "nobody in {record}");
        assert_eq!(event.what.object, event.what.objects.first().cloned(), "{record}");
        let arns = record["resources"].as_array().into_iter().flatten().filter_map(|resource| resource["ARN"].as_str());
        for arn in arns.filter(|arn| !arn.is_empty()) {
            assert!(event.what.objects.iter().any(|object| object == arn), "no {arn} of {record}");
        }
        let ip = record["sourceIPAddress"].as_str().unwrap_or_default();
        let is_placed = event.who.ip.is_some() || event.who.service.is_some() || event.who.host.is_some();
        assert_eq!(is_placed, !ip.is_empty() || event.who.service.is_some(), "{record}");
    }

    fn table(&self) -> String {
        let row = |(kind, [all, nameless, without_object]): (&String, &[usize; 3])| {
            format!("{kind:20} {all:6} records, {nameless} without a name, {without_object} without an object\n")
        };
        self.0.iter().map(row).collect()
    }
}

/// Records within the examples of other people's rules: one a line, under `event`.
#[test]
fn records_of_rule_tests_become_events() {
    let (mut seen, mut identities) = (0, Identities::default());
    for path in files().iter().filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")) {
        for line in fs::read_to_string(path).expect("text").lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let record = &line["event"];
            if record["eventSource"].is_null() {
                continue;
            }
            let events = decode(record.to_string().as_bytes());
            let actions: Vec<_> = events.iter().map(|event| event.what.action.as_str()).collect();
            assert_eq!(actions, [record["eventName"].as_str().expect("a name")], "{record}");
            let is_failed = !record["errorCode"].is_null() || !record["errorMessage"].is_null();
            assert_eq!(events[0].outcome.as_str() == "failure", is_failed || says_failure(record), "{record}");
            identities.note(&events[0], record);
            seen += 1;
        }
    }
    println!("{seen} records of rule tests\n{}", identities.table());
}

fn says_failure(record: &Value) -> bool {
    record["responseElements"]["ConsoleLogin"] == "Failure"
}

/// What Beats and Elastic's integrations made of the same records: `NAME-expected.json`, a list of
/// flat documents or `{"expected":[…]}` of nested ones, each with its record in `event.original`.
#[test]
fn others_read_the_same_out_of_the_same_records() {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for path in files().iter().filter(|path| path.to_string_lossy().ends_with("-expected.json")) {
        let Ok(expected) = serde_json::from_slice::<Value>(&content(path)) else { continue };
        let documents = expected.get("expected").unwrap_or(&expected).as_array().cloned().unwrap_or_default();
        for document in documents.iter().filter(|document| field(document, "event.provider").is_some_and(is_aws)) {
            let Some(original) = field(document, "event.original") else { continue };
            let events = decode(original.as_bytes());
            let [event] = events.as_slice() else { panic!("{}: {} events", path.display(), events.len()) };
            for (name, got) in ours(event) {
                if let Some(wanted) = field(document, name) {
                    let (agree, all) = counts.entry(name).or_default();
                    *all += 1;
                    match got.iter().any(|got| got == wanted) {
                        true => *agree += 1,
                        false => println!("{}: {name}: {wanted}, not {got:?}", path.display()),
                    }
                }
            }
        }
    }
    for (name, (agree, all)) in counts {
        println!("{name}: {agree} of {all}");
        assert!(agree * 100 >= all * AGREE_PERCENT, "{name}: {agree} of {all}");
    }
}

fn is_aws(provider: &str) -> bool {
    provider.ends_with(".amazonaws.com")
}

/// What ours calls the same. They name a role's caller by the role, we by the session.
fn ours(event: &Event) -> [(&'static str, Vec<String>); 4] {
    let role = event.who.as_.as_ref().and_then(|role| role.name.clone());
    [
        ("event.action", vec![event.what.action.clone()]),
        ("event.outcome", vec![event.outcome.as_str().to_owned()]),
        ("user.name", event.who.name.clone().into_iter().chain(role).collect()),
        ("source.ip", event.who.ip.map(|ip| ip.to_string()).into_iter().collect()),
    ]
}

/// A field of a flat or a nested document.
fn field<'a>(document: &'a Value, name: &str) -> Option<&'a str> {
    let nested = || name.split('.').try_fold(document, |tree, key| tree.get(key));
    document.get(name).or_else(nested)?.as_str()
}
