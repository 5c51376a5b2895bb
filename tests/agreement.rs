//! What others made of real logs, and what whodid makes of them.
//!
//! The logs belong to other projects and are not copied here. `WHODID_DATA` names the folder that holds them,
//! each project in a folder of its own; without the folder these tests pass and say so.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use whodid::event::fields::{self, FieldRef};
use whodid::event::{Event, Family, Lineage, Stamp};
use whodid::sources::secrets::Marks;
use whodid::sources::{self, Identity, Stream, Year};

/// Of a hundred values that Filebeat's module `system` reads, so many have to be the same here.
const AGREE_MIN: f64 = 0.97;

/// Of a log that is long enough to be one of a day, this share of lines is known.
const KNOWN_MIN: f64 = 0.9;
const SAMPLE_LINES: usize = 100;

fn data() -> Option<PathBuf> {
    let named = std::env::var_os("WHODID_DATA").map(PathBuf::from);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let near = ["../shared/data", "../../shared/data"].map(|path| root.join(path));
    let found = named.into_iter().chain(near).find(|path| path.is_dir());
    if found.is_none() {
        eprintln!("no folder of real logs: WHODID_DATA names none");
    }
    found
}

fn decode(content: &[u8], zone: &str) -> Vec<Event> {
    let now = Stamp::parse("2026-11-20T12:00:00Z").expect("an instant");
    let mut decoder = sources::decoder(Stream {
        name: "auth".into(),
        family: Family::Auth,
        origin: "agreement".into(),
        host: "example".into(),
        identity: Identity::Place { lineage: Lineage::new("example", Family::Auth, b"agreement"), generation: 0 },
        start: 0,
        zone: zone.parse().expect("a zone"),
        year: Year::NotAfter(now),
        marks: Marks::default(),
        world: Default::default(),
    });
    let mut events = Vec::new();
    decoder.push(content, now, &mut events);
    decoder.finish(now, &mut events);
    events
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.expect("readable").path()) {
        match path.is_dir() {
            true => files_below(&path, found),
            false => found.push(path),
        }
    }
    found.sort();
}

/// The values of a field by its ECS name.
fn values(event: &Event, name: &str) -> Vec<String> {
    let Some(FieldRef::Known(field)) = fields::resolve(name) else { panic!("{name} is no field") };
    let mut values = Vec::new();
    field.each(event, &mut |value| {
        values.push(match value {
            fields::Value::Str(text) => text.to_owned(),
            fields::Value::Number(number) => number.to_string(),
            fields::Value::Ip(ip) => ip.to_string(),
            fields::Value::Time(at) => at.to_string(),
        });
    });
    values
}

/// What whodid has where Filebeat has `field`; where it files a new user under `user`, that user is the target here.
fn ours(event: &Event, field: &str) -> Vec<String> {
    let is_account = event.what.category.iter().any(|category| category == "iam");
    match field {
        "user.name" if is_account => values(event, "user.target.name"),
        "user.id" if is_account => values(event, "user.target.id"),
        "system.auth.ssh.method" => detail(event, "method"),
        "system.auth.useradd.home" => detail(event, "home"),
        "system.auth.useradd.shell" => detail(event, "shell"),
        "system.auth.sudo.command" => values(event, "what.command"),
        "system.auth.sudo.pwd" => values(event, "where.cwd"),
        "system.auth.sudo.tty" => values(event, "where.tty"),
        "system.auth.sudo.user" => values(event, "who.as.name"),
        "system.auth.sudo.error" => values(event, "reason"),
        // To the millisecond.
        "@timestamp" => vec![Stamp::from_micros(event.when.micros() / 1000 * 1000).to_string()],
        name => values(event, name),
    }
}

fn detail(event: &Event, key: &str) -> Vec<String> {
    let value = event.detail.get("auth").and_then(|auth| auth.get(key)).and_then(Value::as_str);
    value.map(str::to_owned).into_iter().collect()
}

fn theirs(field: &str, value: &Value) -> String {
    match value {
        Value::String(text) if field == "@timestamp" => Stamp::parse(text).expect("an instant").to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Fields that both have. Their `event.action` and `event.category` are of another vocabulary.
const COMPARED: &[&str] = &[
    "@timestamp",
    "event.outcome",
    "group.id",
    "group.name",
    "host.hostname",
    "log.offset",
    "process.name",
    "process.pid",
    "source.address",
    "source.domain",
    "source.ip",
    "source.port",
    "system.auth.ssh.method",
    "system.auth.sudo.command",
    "system.auth.sudo.error",
    "system.auth.sudo.pwd",
    "system.auth.sudo.tty",
    "system.auth.sudo.user",
    "system.auth.useradd.home",
    "system.auth.useradd.shell",
    "user.effective.name",
    "user.name",
];

/// Those by which people are found.
const REQUIRED: &[&str] =
    &["user.name", "source.address", "source.port", "event.outcome", "process.name", "host.hostname"];

#[test]
fn auth_logs_read_as_filebeat_reads_them() {
    let Some(data) = data() else { return };
    let mut files = Vec::new();
    files_below(&data, &mut files);
    let mut tally: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for expected in files.iter().filter(|path| path.to_string_lossy().ends_with(".log-expected.json")) {
        if !expected.parent().is_some_and(|folder| folder.ends_with("auth/test")) {
            continue;
        }
        let log = PathBuf::from(expected.to_string_lossy().trim_end_matches("-expected.json"));
        let events = decode(&fs::read(&log).expect("readable"), "-02:00");
        let records: Vec<Value> = serde_json::from_slice(&fs::read(expected).expect("readable")).expect("JSON");
        assert_eq!(events.len(), records.len(), "{}", log.display());
        for (event, record) in events.iter().zip(&records) {
            for field in COMPARED {
                let Some(value) = record.get(*field) else { continue };
                let agrees = ours(event, field).contains(&theirs(field, value));
                let (same, all) = tally.entry(field).or_default();
                *same += usize::from(agrees);
                *all += 1;
                if !agrees {
                    println!("{field}: {value}, here {:?}: {:?}", ours(event, field), event.raw);
                }
            }
        }
    }
    for (field, (same, all)) in &tally {
        println!("{field}: {same} of {all}");
    }
    for field in REQUIRED {
        if let Some((same, all)) = tally.get(field) {
            assert!(*same as f64 >= AGREE_MIN * *all as f64, "{field}: {same} of {all}");
        }
    }
}

/// The share of lines that some decoder knows, in every file that whodid takes for an auth log.
#[test]
fn most_lines_of_real_auth_logs_are_known() {
    let Some(data) = data() else { return };
    let mut files = Vec::new();
    files_below(&data, &mut files);
    for path in files.iter().filter(|path| path.extension().is_some_and(|ending| ending == "log")) {
        let content = fs::read(path).expect("readable");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if sources::detect(&name, &content) != Some(Family::Auth) {
            continue;
        }
        let events = decode(&content, "UTC");
        let unknown: Vec<&str> = events
            .iter()
            .filter(|event| event.what.action == "unparsed")
            .filter_map(|event| event.raw.as_deref())
            .collect();
        let known = events.len() - unknown.len();
        let share = known as f64 / events.len().max(1) as f64;
        let is_sample = events.len() < SAMPLE_LINES;
        println!("{}: {known} of {} lines ({:.1} %)", path.display(), events.len(), share * 100.0);
        unknown.iter().take(10).for_each(|line| println!("  {line}"));
        assert!(is_sample || share >= KNOWN_MIN, "{}: {known} of {} lines", path.display(), events.len());
    }
}
