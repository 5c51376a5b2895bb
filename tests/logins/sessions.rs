//! `whodid sessions` says what last(1) says.

use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;
use whodid::event::{Family, Lineage, Stamp};
use whodid::sessions::{Ending, Session, Sessions};
use whodid::sources::zone::Zone;
use whodid::sources::{self, Identity, Stream, Year};

use super::{login, logout, wtmp};
use crate::program::Place;

const NINE: u32 = 1_795_078_800;

/// A record as x86-64 writes it (`src/sources/utmp/record.rs`).
fn record(type_: u16, pid: u32, line: &str, user: &str, host: &str, seconds: u32) -> Vec<u8> {
    let mut bytes = vec![0; 384];
    bytes[..2].copy_from_slice(&type_.to_le_bytes());
    bytes[4..8].copy_from_slice(&pid.to_le_bytes());
    for (at, text) in [(8, line), (44, user), (76, host)] {
        bytes[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    bytes[340..344].copy_from_slice(&seconds.to_le_bytes());
    bytes
}

fn boot(seconds: u32) -> Vec<u8> {
    record(2, 0, "~", "reboot", "6.12.48", seconds)
}

fn shutdown(seconds: u32) -> Vec<u8> {
    record(1, 0, "~", "shutdown", "6.12.48", seconds)
}

fn open(line: &str, user: &str, seconds: u32) -> Vec<u8> {
    record(7, 100, line, user, "203.0.113.7", seconds)
}

fn close(line: &str, seconds: u32) -> Vec<u8> {
    record(8, 100, line, "", "", seconds)
}

/// The sessions of a file, as the library pairs them.
fn paired(bytes: &[u8]) -> Vec<Session> {
    let observed = Stamp::from_unix(1_795_176_000, 0);
    let mut decoder = sources::decoder(Stream {
        name: "wtmp".into(),
        family: Family::Wtmp,
        origin: "wtmp".into(),
        host: "web-1".to_owned(),
        identity: Identity::Place { lineage: Lineage::new("web-1", Family::Wtmp, b"wtmp"), generation: 0 },
        start: 0,
        zone: Zone::UTC,
        year: Year::NotAfter(observed),
        marks: Default::default(),
        world: Default::default(),
    });
    let mut events = Vec::new();
    decoder.push(bytes, observed, &mut events);
    decoder.finish(observed, &mut events);
    let mut sessions = Sessions::default();
    // Whatever the order in which they are handed over.
    events.iter().enumerate().rev().for_each(|(seq, event)| sessions.take(seq as u64, event));
    sessions.paired()
}

/// user, terminal, from when, how it ended, and when or after how many minutes.
type Told = (String, String, String, &'static str, String);

fn ours(bytes: &[u8]) -> Vec<Told> {
    let stamp = |stamp: Stamp| stamp.instant().format("%a %b %e %H:%M:%S %Y").to_string();
    let mut told: Vec<Told> = paired(bytes)
        .into_iter()
        .map(|session| {
            let end = match session.ending {
                Ending::Open => String::new(),
                Ending::Logout => stamp(session.end.expect("an end")),
                Ending::Down if session.user == "reboot" => stamp(session.end.expect("an end")),
                _ => minutes(session.duration_s.expect("an end") / 60),
            };
            (session.user, session.tty.expect("a terminal"), stamp(session.login), session.ending.as_str(), end)
        })
        .collect();
    told.sort();
    told
}

fn minutes(minutes: i64) -> String {
    match minutes / 1440 {
        0 => format!("({:02}:{:02})", minutes / 60, minutes % 60),
        days => format!("({days}+{:02}:{:02})", minutes / 60 % 24, minutes % 60),
    }
}

/// What last(1) of util-linux says of a file; None where there is no such program.
fn last(path: &Path) -> Option<Vec<Told>> {
    let version = Command::new("last").arg("--version").output().ok()?;
    String::from_utf8_lossy(&version.stdout).contains("util-linux").then_some(())?;
    let output = Command::new("last").args(["-F", "-w", "-f"]).arg(path).env("TZ", "UTC").output().ok()?;
    let day = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \w{3} [ \d]\d [\d:]{8} \d{4}";
    let line = Regex::new(&format!(r"^(\S+)\s+(system boot|\S+)\s.*?({day})\s+(.*?)\s*$")).expect("valid");
    let end = Regex::new(&format!(r"^- (?:({day})|(crash|down))\s+(\(.*\))$")).expect("valid");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let rows = text.lines().take_while(|row| !row.is_empty()).map(|row| {
        let row = line.captures(row).unwrap_or_else(|| panic!("{row}"));
        let (how, when) = match end.captures(&row[4]) {
            None => ("open", String::new()),
            Some(end) => match (end.get(1), end.get(2).map(|word| word.as_str())) {
                (Some(when), _) => (if &row[1] == "reboot" { "down" } else { "logout" }, when.as_str().to_owned()),
                (_, Some("crash")) => ("crash", end[3].to_owned()),
                _ => ("down", end[3].to_owned()),
            },
        };
        (row[1].to_owned(), row[2].to_owned(), row[3].to_owned(), how, when)
    });
    let mut told: Vec<Told> = rows.collect();
    told.sort();
    Some(told)
}

#[track_caller]
fn compare(bytes: &[u8]) -> usize {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::io::Write::write_all(&mut file.as_file(), bytes).expect("room");
    let ours = ours(bytes);
    if let Some(mut last) = last(file.path()) {
        // It takes a machine that crashed for one that is still running, or for one that the next shutdown ended.
        let crashed: Vec<&str> =
            ours.iter().filter(|row| row.0 == "reboot" && row.3 == "crash").map(|row| row.2.as_str()).collect();
        last.retain(|row| row.0 != "reboot" || !crashed.contains(&row.2.as_str()));
        let comparable: Vec<&Told> = ours.iter().filter(|row| row.0 != "reboot" || row.3 != "crash").collect();
        assert_eq!(comparable, last.iter().collect::<Vec<_>>());
    }
    ours.len()
}

#[test]
fn histories_say_what_last_says() {
    let history = [
        boot(NINE),
        open("tty1", "alice", NINE + 60),
        open("pts/0", "bob", NINE + 120),
        close("pts/0", NINE + 4_000),
        // The terminal is taken without a logout.
        open("pts/1", "carol", NINE + 200),
        open("pts/1", "dave", NINE + 300),
        shutdown(NINE + 90_000),
        boot(NINE + 90_060),
        open("tty1", "alice", NINE + 90_100),
        // It crashes.
        boot(NINE + 100_000),
        open("tty1", "alice", NINE + 100_100),
    ];
    assert_eq!(compare(&history.concat()), 9);
}

#[test]
fn random_histories_say_what_last_says() {
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut sessions = 0;
    for _ in 0..150 {
        let mut now = NINE;
        let mut bytes = Vec::new();
        for _ in 0..random(60) + 1 {
            now += 1 + u32::try_from(random(40_000)).expect("small");
            let line = ["tty1", "pts/0", "pts/1", "pts/2"][random(4) as usize];
            let user = ["alice", "bob", "carol"][random(3) as usize];
            let next = match random(20) {
                0 => boot(now),
                1 => {
                    bytes.extend(shutdown(now));
                    now += 30;
                    boot(now)
                }
                2..8 => close(line, now),
                _ => open(line, user, now),
            };
            bytes.extend(next);
        }
        sessions += compare(&bytes);
    }
    println!("{sessions} sessions as last says");
}

/// Sample files of machines, where they are at hand: below `WHODID_DATA`, or in `../shared/data`.
#[test]
fn sample_files_say_what_last_says() {
    let data = std::env::var_os("WHODID_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), Into::into);
    if let Ok(bytes) = fs::read(data.join("plaso/test_data/utmp/utmp")) {
        println!("{} sessions as last says", compare(&bytes));
    }
    for name in ["hosts", "day"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sources/wtmp").join(name).with_extension("in");
        assert!(!paired(&fs::read(path).expect("a fixture")).is_empty());
    }
}

#[test]
fn a_clock_that_was_set_does_not_lengthen_a_session() {
    let history = [
        boot(NINE),
        open("tty1", "alice", NINE + 60),
        record(4, 0, "|", "date", "", NINE + 100),
        record(3, 0, "{", "date", "", NINE + 3_700),
        close("tty1", NINE + 3_760),
        open("tty1", "bob", NINE + 3_800),
        close("tty1", NINE + 3_900),
    ];
    let told: Vec<_> = paired(&history.concat())
        .into_iter()
        .filter(|session| session.user != "reboot")
        .map(|session| (session.user, session.duration_s, session.clock_changed_s))
        .collect();
    assert_eq!(told, [("bob".to_owned(), Some(100), 0), ("alice".to_owned(), Some(100), 3_600)]);
}

#[test]
fn all_sources_are_listed_together() {
    let place = Place::new("");
    let history = [boot(NINE), open("pts/0", "ana", NINE + 60), close("pts/0", NINE + 660)].concat();
    place.write("wtmp", &history);
    let database = wtmp(&place.path("wtmp.db"));
    let ben = login(&database, "ben", 100);
    logout(&database, ben, 130);
    login(&database, "carl", 140);
    drop(database);
    place.write(
        "auth.log",
        b"2026-11-19T10:00:00+00:00 web-1 sshd[7]: pam_unix(sshd:session): session opened for user dora(uid=1000) by (uid=0)\n\
          2026-11-19T10:00:01+00:00 web-1 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by dora(uid=1000)\n\
          2026-11-19T10:05:00+00:00 web-1 sshd[7]: pam_unix(sshd:session): session closed for user dora\n",
    );
    place.run(&["ingest", "wtmp", "wtmp.db", "auth.log"]).code(0);
    let said = place.run(&["sessions"]);
    said.code(0);
    let rows: Vec<Vec<&str>> = said.out_of().lines().skip(1).map(|row| row.split_whitespace().collect()).collect();
    let short: Vec<String> = rows.iter().map(|row| format!("{} {}", row[0], row[row.len() - 1])).collect();
    assert_eq!(short, ["carl wtmpdb", "dora auth", "ben wtmpdb", "ana wtmp", "reboot wtmp"], "{}", said.out_of());
    assert!(
        said.out_of().contains("00:10:00") && said.out_of().contains("00:30:00") && said.out_of().contains("00:05:00")
    );
    let said = place.run(&["sessions", "--user", "ben", "--json"]);
    said.code(0).out_holds("\"duration_s\":1800").out_holds("\"ending\":\"logout\"");
    place.run(&["sessions", "--since", "2026-11-19T10:00:00Z", "--user", "ben"]).code(0).err_holds("0 sessions");
}
