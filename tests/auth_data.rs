//! Auth logs of other people, where they are at hand: whatever lies below `WHODID_DATA`, or in `../shared/data`.
//!
//! What Beats' `system.auth` module made of the same lines (`NAME-expected.json`, one flat document for each
//! line, found by `log.offset`) is compared field by field; where ours differs, [`DIFFERENT`] says why.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use whodid::event::{Event, Family, Lineage, Stamp};
use whodid::sources::secrets::Marks;
use whodid::sources::zone::Zone;
use whodid::sources::{self, Identity, Stream, Year};

/// File, field, and why ours is another.
const DIFFERENT: &[(&str, &str, &str)] = &[
    ("test.log", "user.name", "useradd acts on this user: what.target.name; who did it is not in the line"),
    ("test.log", "user.id", "the id of the user that was made: what.target.id"),
    ("test.log", "event.action", "`Invalid user` comes before the attempt itself, which is the ssh.login"),
    ("timestamp.log", "user.id", "`(uid=0)` behind a name is the id of the program: userauth3 is not root"),
];

/// Lines that no event is made of, and why.
const UNREAD: &[(&str, &str)] = &[("pam: user nobody logged out.", "no program calls itself so; made up for the test")];

/// How many lines in a thousand may be unparsed.
const UNPARSED_PER_MILLE: usize = 10;

fn data() -> PathBuf {
    std::env::var_os("WHODID_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from)
}

fn files() -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![data()]);
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for path in entries.map(|entry| entry.expect("readable").path()) {
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

/// Their documents were made where local time is two hours behind UTC.
fn decode(bytes: &[u8]) -> Vec<Event> {
    let observed = Stamp::parse("2026-11-20T12:00:00Z").expect("an instant");
    let mut decoder = sources::decoder(Stream {
        name: "data".into(),
        family: Family::Auth,
        origin: "data".into(),
        host: "example".to_owned(),
        identity: Identity::Place { lineage: Lineage::new("example", Family::Auth, b""), generation: 0 },
        start: 0,
        zone: "-02:00".parse::<Zone>().expect("a zone"),
        year: Year::NotAfter(observed),
        marks: Marks::default(),
        world: Default::default(),
    });
    let mut events = Vec::new();
    decoder.push(bytes, observed, &mut events);
    decoder.finish(observed, &mut events);
    events
}

fn is_auth(path: &Path, content: &[u8]) -> bool {
    let name = path.file_name().expect("a file").to_string_lossy();
    sources::detect(&name, content) == Some(Family::Auth) || path.to_string_lossy().contains("/system/auth/")
}

#[test]
fn every_line_of_every_auth_log_is_read_or_listed() {
    let (mut read, mut unparsed, mut logs) = (0, 0, 0);
    for path in files().iter().filter(|path| path.extension().is_some_and(|ending| ending == "log")) {
        let content = fs::read(path).expect("readable");
        if !is_auth(path, &content) {
            continue;
        }
        let events = decode(&content);
        let lines = content.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
        assert_eq!(events.len(), lines, "{}: one line is one event", path.display());
        let mut actions: BTreeMap<&str, usize> = BTreeMap::new();
        for event in &events {
            *actions.entry(&event.what.action).or_default() += 1;
            if event.what.action == "unparsed" {
                let raw = event.raw.as_deref().expect("a line");
                let reason = UNREAD.iter().find(|(line, _)| raw.ends_with(line)).map(|(_, reason)| reason);
                println!("{}: not read: {raw}: {}", path.display(), reason.unwrap_or(&"?"));
                assert!(reason.is_some(), "{raw}");
                unparsed += 1;
            }
        }
        println!("{}: {lines} lines: {actions:?}", path.display());
        read += lines;
        logs += 1;
    }
    println!("{read} lines in {logs} auth logs, {unparsed} unparsed");
    assert!(unparsed <= 1 || unparsed * 1000 <= read * UNPARSED_PER_MILLE);
}

/// What is called an auth log somewhere and is not one: records of the kernel's auditing.
#[test]
fn records_of_the_audit_daemon_are_not_taken_for_auth_logs() {
    let mut seen = 0;
    for path in files().iter().filter(|path| path.to_string_lossy().contains("/auditd/")) {
        let content = fs::read(path).expect("readable");
        if content.starts_with(b"type=") || content.starts_with(b"node=") {
            assert_ne!(sources::detect("x.log", &content), Some(Family::Auth), "{}", path.display());
            println!("{}: records of auditd, which another source would read", path.display());
            seen += 1;
        }
    }
    println!("{seen} files of auditd");
}

#[test]
fn others_read_the_same_out_of_the_same_lines() {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let (mut broken, mut used) = (Vec::new(), BTreeSet::new());
    for path in files().iter().filter(|path| path.to_string_lossy().ends_with("-expected.json")) {
        let log = PathBuf::from(path.to_string_lossy().trim_end_matches("-expected.json"));
        let Ok(content) = fs::read(&log) else { continue };
        if !is_auth(&log, &content) {
            continue;
        }
        let name = log.file_name().expect("a file").to_string_lossy().into_owned();
        let events = decode(&content);
        let documents: Vec<Value> = serde_json::from_slice(&fs::read(path).expect("readable")).expect("a list");
        for document in &documents {
            let event = events.iter().find(|event| event.source.pos == document["log.offset"].as_u64());
            let event = event.unwrap_or_else(|| panic!("{name}: nothing at {}", document["log.offset"]));
            for (field, wanted) in document.as_object().expect("flat") {
                let Some(ours) = ours(event, field) else { continue };
                let wanted = text(wanted);
                let (agree, all) = counts.entry(field.clone()).or_default();
                *all += 1;
                if ours == wanted {
                    *agree += 1;
                    continue;
                }
                let known = DIFFERENT.iter().find(|(file, of, _)| *file == name && *of == field);
                println!("{name}: {field}: {wanted:?}, ours {ours:?}: {}", known.map_or("?", |(_, _, why)| why));
                match known {
                    Some(known) => drop(used.insert(known)),
                    None => broken.push(format!("{name}: {field}: {wanted:?}, ours {ours:?}")),
                }
            }
        }
    }
    let sum = |pick: fn(&(usize, usize)) -> usize| counts.values().map(pick).sum::<usize>();
    for (field, (agree, all)) in &counts {
        println!("{field}: {agree} of {all}");
    }
    println!("{} of {} fields agree", sum(|(agree, _)| *agree), sum(|(_, all)| *all));
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(counts.is_empty() || used.len() == DIFFERENT.len(), "a difference is none any more: {used:?}");
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

/// What ours has for a field of theirs; `None` for fields that are not about the line, such as where an address
/// is on the map, and for the first words of the message (`system.auth.ssh.event`), which ours has in raw.
fn ours(event: &Event, field: &str) -> Option<String> {
    let Event { who, what, place, .. } = event;
    let detail = |key: &str| event.detail.get("auth").and_then(|auth| auth.get(key)).map(text);
    let as_name = || who.as_.as_ref().and_then(|named| named.name.clone());
    let group = || what.group.clone().unwrap_or_default();
    let found = match field {
        "@timestamp" => {
            let there = event.when.instant().with_timezone(&chrono::FixedOffset::west_opt(7200).expect("a zone"));
            Some(there.format("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string())
        }
        "event.action" => Some(what.action.replace('.', "_")),
        "event.category" => Some(what.category.join(" ")),
        "event.outcome" => Some(event.outcome.as_str().to_owned()),
        "host.hostname" => place.host.clone(),
        "process.name" => place.service.clone(),
        "process.pid" => place.pid.map(|pid| pid.to_string()),
        "source.ip" | "system.auth.ssh.dropped_ip" => who.ip.map(|ip| ip.to_string()),
        "source.address" => who.ip.map(|ip| ip.to_string()).or_else(|| who.host.clone()),
        "source.domain" => who.host.clone(),
        "source.port" => who.port.map(|port| port.to_string()),
        "user.name" => who.name.clone(),
        "user.id" => who.id.clone(),
        "user.effective.name" | "system.auth.sudo.user" => as_name(),
        "group.name" => group().name,
        "group.id" => group().id,
        "system.auth.ssh.method" => detail("method"),
        "system.auth.ssh.signature" => Some(format!("{} {}", detail("key_type")?, who.key.clone()?)),
        "system.auth.sudo.command" => what.command.clone(),
        "system.auth.sudo.error" => event.reason.clone(),
        "system.auth.sudo.pwd" => place.cwd.clone(),
        "system.auth.sudo.tty" => place.tty.clone(),
        "system.auth.useradd.home" => detail("home"),
        "system.auth.useradd.shell" => detail("shell"),
        _ => return None,
    };
    Some(found.unwrap_or_default())
}
