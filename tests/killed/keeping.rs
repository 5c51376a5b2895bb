//! The same while segments are sealed, and while old ones are deleted.

use std::fs;
use std::process::Command;

use super::rolling::{self, in_a_process_of_its_own};
use super::{Again, CALLS};
use crate::generate::auth_log::AuthLog;
use crate::program::Place;

const ONE_KILL_IN: usize = 16;

/// A trail of plain segments, and what is to be done to it.
fn rolled(program: fn(&Place) -> Command) -> Again {
    let again = Again { place: Place::with_auth_log(), program: in_a_process_of_its_own };
    let log: String = AuthLog::new(1).take(rolling::LINES).map(|line| line + "\n").collect();
    again.place.write("log/auth.log", log.as_bytes());
    again.recovers(&"nothing");
    Again { program, ..again }
}

fn segments(again: &Again, ending: &str) -> usize {
    let names = fs::read_dir(again.place.path("data/trail/segment")).expect("segments");
    names
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().ends_with(ending)))
        .count()
}

#[test]
#[ignore = "needs strace"]
fn segments_are_sealed_whole_wherever_the_program_was_killed() {
    let again = rolled(|place| place.command(&["trail", "seal"]));
    again.shell("mkdir was && cp -a data keys was");
    again.survives_kills(ONE_KILL_IN);
    assert!(segments(&again, ".zst") > 3, "there were too few segments");
    assert_eq!((segments(&again, ".jsonl"), segments(&again, ".tmp")), (1, 0));
}

#[test]
#[ignore = "needs strace"]
fn what_is_not_deleted_stays_proven_wherever_the_program_was_killed() {
    let again = rolled(|place| place.command(&["run", "--once"]));
    again.place.run(&["trail", "seal"]).code(0);
    let before = again.place.trail();
    let config = fs::read_to_string(again.place.path("whodid.toml")).expect("a configuration");
    again.place.write("whodid.toml", (config + "[trail]\nkeep_bytes = 1\n").as_bytes());
    again.place.write("log/auth.log", b"");
    again.shell("mkdir was && cp -a data keys was");
    let spots = again.spots(CALLS, ONE_KILL_IN);
    let mut kills = 0;
    for spot in &spots {
        again.put_back();
        kills += usize::from(again.run("signal=SIGKILL", spot).code_of().is_none());
        again.is_proven(spot);
        again.place.run(&["run", "--once"]).code(0);
        again.is_proven(spot);
        assert!(segments(&again, ".zst") < 3, "after {spot:?}: nothing was deleted");
        let left = again.place.trail();
        let old = left
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| memchr::memmem::find(line, b"auth.log").is_some());
        assert!(before.ends_with(&old.collect::<Vec<_>>().concat()), "after {spot:?}: something else is left");
    }
    eprintln!("{kills} kills at {} spots", spots.len());
    assert!(kills * 4 > spots.len() * 3, "only {kills} kills at {} spots", spots.len());
}
