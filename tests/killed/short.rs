//! Writes that end before all of their bytes are written.
//!
//! No file may grow beyond RLIMIT_FSIZE: the write that would is cut off there, after any number of its
//! bytes, and the next one fails with EFBIG, or SIGXFSZ kills the program. So every byte of what is
//! appended can be the last one that comes to the disk, and no call was made to lie about it. A short write
//! that is followed by ENOSPC, and by room, is in [`super::images`].

use std::process::Command;

use super::{Again, FAILING, HUNG, ONE_FAILURE_IN, SECONDS_MAX, sample};
use crate::program::Said;

/// Limits lie this far apart: a prime, so that they fall on all parts of lines, hashes and notes.
const STEP_BYTES: usize = 251;
const ONE_LIMIT_IN: usize = 40;

/// What comes after the write that was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Fails,
    Dies,
}

/// Runs the program while no file may grow beyond a limit.
fn run_within(again: &Again, limit: usize, then: Then) -> Said {
    let program = (again.program)(&again.place);
    let mut limited = Command::new("timeout");
    limited.args([SECONDS_MAX, "env"]);
    if then == Then::Fails {
        limited.arg("--ignore-signal=XFSZ");
    }
    limited.arg("prlimit").arg(format!("--fsize={limit}")).arg("--core=0");
    limited.arg(program.get_program()).args(program.get_args()).current_dir(again.place.path(""));
    let said = Said::from(limited.output().expect("timeout, env and prlimit"));
    assert_ne!(said.code_of(), Some(HUNG), "it hangs: {limit} {then:?} {said:#?}");
    said
}

fn is_cut_anywhere(then: Then) {
    let again = Again::grown();
    let (_, before) = again.acknowledged();
    let begin = again.place.trail().len();
    again.recovers(&"nothing");
    let end = again.place.trail().len();
    assert!(begin + 40 * STEP_BYTES < end, "too little was appended: {begin} to {end}");
    // Below it are the tiles, notes and records; from there on the segment itself is cut.
    let limits = (1..begin).step_by(16 * STEP_BYTES).chain((begin..end).step_by(STEP_BYTES));
    let (mut cut, mut tried) = (0, 0);
    for limit in sample(limits, ONE_LIMIT_IN) {
        again.put_back();
        let said = run_within(&again, limit, then);
        let what = format!("{limit} bytes, {then:?}");
        let (told, there) = again.acknowledged();
        assert!(told <= there, "after {what}: {told} acknowledged, {there} there");
        assert!(there >= before, "after {what}: {there} of {before} are left");
        assert!(!said.err.contains("panicked"), "after {what}: {}", said.err);
        again.is_proven(&what);
        tried += 1;
        cut += usize::from(again.place.trail().last().is_some_and(|byte| *byte != b'\n'));
        match (then, said.code_of()) {
            (Then::Fails, Some(1)) => assert!(said.err.contains("os error 27"), "no reason after {what}: {said:#?}"),
            (Then::Dies, None) => {}
            _ => panic!("after {what}: {said:#?}"),
        }
        again.recovers(&what);
    }
    eprintln!("{tried} limits, then {then:?}: {cut} entries were cut");
    assert!(cut * 4 > tried, "only {cut} entries were cut at {tried} limits");
}

#[test]
#[ignore = "needs prlimit"]
fn what_is_written_in_part_is_not_acknowledged() {
    is_cut_anywhere(Then::Fails);
}

#[test]
#[ignore = "needs prlimit"]
fn a_program_killed_within_a_write_goes_on() {
    is_cut_anywhere(Then::Dies);
}

#[test]
#[ignore = "needs strace"]
fn calls_that_a_signal_interrupts_are_made_again() {
    let again = Again::grown();
    let spots = again.spots(FAILING, ONE_FAILURE_IN);
    let mut failed = 0;
    for spot in &spots {
        again.put_back();
        again.run("error=EINTR", spot).code(0);
        failed += usize::from(again.failed_in().is_some());
        again.is_whole(spot);
    }
    eprintln!("{failed} calls interrupted");
    assert!(failed * 4 > spots.len() * 3, "only {failed} at {} spots", spots.len());
}
