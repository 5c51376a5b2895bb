//! SIGKILL at random moments while a log grows and is rotated: every line is in the trail, once.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::generate::auth_log::AuthLog;

use super::{Place, until};

const LINES: usize = 100_000;
const ROTATIONS: usize = 8;
const KILLS: u64 = 5;

/// Appends the lines, and renames the log away now and then as logrotate does without `copytruncate`.
fn write_and_rotate(log: PathBuf, lines: Vec<String>) {
    let open = || OpenOptions::new().create(true).append(true).open(&log).expect("a log");
    let mut file = open();
    let per_rotation = LINES.div_ceil(ROTATIONS);
    for (i, chunk) in lines.chunks(per_rotation).enumerate() {
        if i > 0 {
            rotate(&log, ROTATIONS);
            file = open();
        }
        for few in chunk.chunks(250) {
            file.write_all(few.concat().as_bytes()).expect("written");
            // A log that grows while it is read, not one that is there at once.
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "it is logrotate here, which does not fsync")]
fn rotate(log: &Path, keep: usize) {
    let name = |i: usize| log.with_file_name(format!("auth.log.{i}"));
    for i in (1..keep).rev() {
        if name(i).exists() {
            fs::rename(name(i), name(i + 1)).expect("renamed");
        }
    }
    fs::rename(log, name(1)).expect("renamed");
}

#[test]
fn every_line_is_there_once_whenever_the_program_was_killed() {
    let place = Place::with_auth_log();
    let lines: Vec<String> = AuthLog::new(7).take(LINES).map(|line| line + "\n").collect();
    let mut expected: BTreeMap<String, u32> = BTreeMap::new();
    for line in &lines {
        *expected.entry(line.trim_end().to_owned()).or_default() += 1;
    }
    let writer = thread::spawn({
        let log = place.path("log/auth.log");
        move || write_and_rotate(log, lines)
    });
    for kill in 0..KILLS {
        let mut child = place.start(&["run"]);
        // Not for luck: the moments at which it dies are to be different ones.
        thread::sleep(Duration::from_millis(400 + 217 * kill));
        child.kill().expect("it runs");
        child.wait().expect("it was killed");
    }
    writer.join().expect("all was written");
    let child = place.start(&["run"]);
    until("all lines are in the trail", || bytecount(&place.trail()) >= LINES as u64);
    assert!(super::stop(child).success());
    place.run(&["run", "--once"]).code(0);
    place.verify();

    let mut found: BTreeMap<String, u32> = BTreeMap::new();
    for line in place.trail().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event = whodid::event::Event::decode(line).expect("an event");
        if &*event.source.name == "auth" {
            *found.entry(event.raw.expect("a line")).or_default() += 1;
        }
    }
    let lost: Vec<_> = expected.iter().filter(|(line, n)| found.get(*line) < Some(n)).take(3).collect();
    let doubled: Vec<_> = found.iter().filter(|(line, n)| expected.get(*line) < Some(n)).take(3).collect();
    assert!(lost.is_empty() && doubled.is_empty(), "lost {lost:#?}, doubled {doubled:#?}");
}

/// Lines that came from the log: own events are few and do not matter for waiting.
fn bytecount(trail: &[u8]) -> u64 {
    trail
        .split(|byte| *byte == b'\n')
        .filter(|line| line.windows(15).any(|part| part == b"\"kind\":\"auth\",\""))
        .count() as u64
}
