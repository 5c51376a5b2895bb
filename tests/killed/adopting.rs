//! The same while a trail is adopted.

use std::fs;
use std::process::Command;

use super::{Again, CALLS, Spot, run_once, sample};
use crate::program::Place;

const ONE_KILL_IN: usize = 9;

const ADOPT: &[&str] = &["trail", "adopt", "--reason", "a backup"];

/// An older copy of the folder, put back; the log has grown since.
fn put_back() -> Again {
    let grown = Again::grown();
    grown.put_back();
    grown.place.run(&["run", "--once"]).code(0);
    // The newer keys, with what they remember, and the older folder.
    grown.shell("rm -rf was/keys data && cp -a keys was/keys");
    grown
}

fn adopt(place: &Place) -> Command {
    place.command(ADOPT)
}

fn keys(again: &Again, ending: &str) -> usize {
    let names = fs::read_dir(again.place.path("keys")).expect("keys");
    names
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().ends_with(ending)))
        .count()
}

#[test]
#[ignore = "needs strace"]
fn a_trail_is_adopted_once_wherever_the_program_was_killed() {
    let mut again = put_back();
    let mut kills = 0;
    for call in CALLS {
        for nth in sample(1.., ONE_KILL_IN) {
            let spot = Spot { call, path: None, nth };
            again.put_back();
            again.program = adopt;
            if again.run("signal=SIGKILL", &spot).code_of().is_some() {
                break;
            }
            again.program = run_once;
            kills += 1;
            // Either it is in force, and every start goes on with it, or it is not, and may be made again.
            if again.place.run(&["run", "--once"]).code_of() == Some(1) {
                again.place.run(&["run", "--once"]).code(1).err_holds("rolled back");
                again.place.run(ADOPT).code(0);
            }
            again.recovers(&spot);
            let trail = again.place.trail();
            let told = trail.windows(15).filter(|part| part == b"\"trail.adopted\"").count();
            assert_eq!(told, 1, "after {spot:?}");
            assert_eq!(
                (keys(&again, ".key"), keys(&again, ".epoch"), keys(&again, ".vkey")),
                (1, 1, 2),
                "after {spot:?}"
            );
            assert!(
                !again.place.path("data/trail/adopting").exists() && !again.place.path("data/trail/adopted").exists()
            );
        }
    }
    eprintln!("{kills} kills of an adoption");
    assert!(kills > 10, "only {kills} kills");
}
