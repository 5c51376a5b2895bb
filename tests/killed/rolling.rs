//! The same for segments that follow each other, which take 256 MiB each in the program.
//!
//! So it is a writer of the library that is killed, in a process of its own: this test binary, started
//! with the test [`writes_a_trail_of_small_segments`] and told where to write.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use whodid::event::{Event, EventId, Family, Source, Stamp, encode};
use whodid::trail::{Line, Open, Writer};

use super::Again;
use crate::generate::auth_log::AuthLog;
use crate::program::Place;

pub(super) const LINES: usize = 120;
const LINES_BEFORE: usize = 50;

/// Each is reached after a dozen lines.
const SEGMENT_BYTES: u64 = 4_000;

/// More than one, so that a group can be cut anywhere; fewer than a segment takes.
const GROUP_LINES: usize = 5;

const ONE_KILL_IN: usize = 16;

/// Names the folder of the process to be killed.
const FOLDER: &str = "WHODID_ROLLING";

pub(super) fn in_a_process_of_its_own(place: &Place) -> Command {
    let mut command = Command::new("env");
    let folder = place.path("");
    command.arg(format!("{FOLDER}={}", folder.display())).arg(std::env::current_exe().expect("this binary"));
    command.args(["killed::rolling::writes_a_trail_of_small_segments", "--exact", "--ignored"]);
    command.current_dir(folder);
    command
}

/// A line of the log as the event that it becomes; its id is that of its place.
fn entry(seq: usize, text: &str) -> Line {
    let now = Stamp::from_unix(1_795_176_000, 0);
    let source = Source {
        name: "auth".into(),
        kind: Family::Auth,
        origin: "auth.log".into(),
        lineage: None,
        generation: 0,
        pos: None,
        next: None,
    };
    let id = EventId::new(Family::Auth, &[&seq.to_be_bytes()], 0);
    let mut event = Event::new(id, "unparsed", now, now, source);
    event.keep_raw(text.as_bytes());
    let (bytes, blob) = encode(&mut event);
    Line::new(id, bytes, blob).expect("a line")
}

#[test]
#[ignore = "needs strace"]
fn writes_a_trail_of_small_segments() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let log = fs::read_to_string(folder.join("log/auth.log")).expect("the log");
    let open =
        Open::new(folder.join("data"), folder.join("keys"), "example.org", "web-1", Stamp::from_unix(1_795_176_000, 0));
    let (mut writer, opened) = Writer::open(Open { segment_bytes: SEGMENT_BYTES, ..open }).expect("a trail");
    let held = usize::try_from(opened.size).expect("a few");
    let lines: Vec<(usize, &str)> = log.lines().enumerate().skip(held).collect();
    let mut has_ended = false;
    for group in lines.chunks(GROUP_LINES) {
        writer.append(group.iter().map(|(seq, line)| entry(*seq, line)).collect()).expect("taken in");
        if has_ended { writer.begin_segment() } else { writer.commit() }.expect("written");
        has_ended = writer.wants_new_segment();
        if has_ended {
            writer.end_segment().expect("signed");
        }
    }
    writer.sign().expect("signed");
}

#[test]
#[ignore = "needs strace"]
fn segments_follow_each_other_wherever_the_writer_was_killed() {
    let again = Again { place: Place::with_auth_log(), program: in_a_process_of_its_own };
    let log = |lines| AuthLog::new(1).take(lines).map(|line| line + "\n").collect::<String>();
    again.place.write("log/auth.log", log(LINES_BEFORE).as_bytes());
    again.recovers(&"nothing");
    again.shell("mkdir was && cp -a data keys was");
    again.place.write("log/auth.log", log(LINES).as_bytes());
    again.survives_kills(ONE_KILL_IN);
    let segments = fs::read_dir(again.place.path("data/trail/segment")).expect("segments");
    assert!(segments.count() > 4, "there were too few segments");
}
