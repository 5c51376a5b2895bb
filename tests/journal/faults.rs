//! A journalctl that is not there, fails, or shows only a part.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::program::{Said, stop, until};

/// Puts a journalctl of our own before the real one.
fn fake(place: &Place, script: &str) -> String {
    place.write("bin/journalctl", format!("#!/bin/sh\n{script}\n").as_bytes());
    fs::set_permissions(place.path("bin/journalctl"), fs::Permissions::from_mode(0o755)).expect("ours");
    format!("{}:/usr/bin:/bin", place.path("bin").display())
}

fn run(place: &Place, args: &[&str], path: &str) -> Said {
    place.command(args).env("PATH", path).output().expect("it runs").into()
}

#[test]
fn a_machine_without_journalctl_says_what_to_do() {
    let place = place();
    let path = place.path("nothing").display().to_string();
    run(&place, &["run", "--once"], &path).code(1).err_holds("there is no journalctl here");
    run(&place, &["doctor"], &path).code(1).out_holds("install systemd");
    assert_eq!(notices(&place).len(), 1);
}

#[test]
fn what_journalctl_says_is_in_the_failure() {
    let place = place();
    let path = fake(&place, "echo 'Failed to open journal files: Bad message' >&2; exit 1");
    run(&place, &["run", "--once"], &path).code(1).err_holds("exit code 1: Failed to open journal files: Bad message");
    let path = fake(&place, "kill -9 $$");
    run(&place, &["run", "--once"], &path).code(1).err_holds("was ended by signal 9");
}

#[test]
fn a_user_who_sees_only_a_part_is_told() {
    let place = place();
    let hint = "echo 'Hint: You are currently not seeing messages from other users and the system.' >&2";
    let path = fake(&place, hint);
    run(&place, &["run", "--once"], &path).code(1).err_holds("add the user to the group systemd-journal");
    run(&place, &["doctor"], &path).code(1).out_holds("add the user to the group systemd-journal");
}

#[test]
fn a_journalctl_that_ends_is_started_again() {
    let place = place();
    // The second one lives; both are told where to begin. Asked for one record it has none.
    let script = "case \"$*\" in *--follow*) ;; *) exit 0 ;; esac; \
                  echo \"$@\" >> \"$0.log\"; test \"$(wc -l < \"$0.log\")\" -gt 1 || { echo 'Out of memory' >&2; exit 3; }; \
                  exec sleep 1000";
    let path = fake(&place, script);
    let log = fs::File::create(place.path("stderr")).expect("a file");
    let child = place.command(&["run"]).env("PATH", path).stdout(Stdio::null()).stderr(log).spawn().expect("it runs");
    until("it is back", || place.path("data/trail/segment").is_dir() && notices(&place).len() == 2);
    assert!(stop(child).success());
    let found = notices(&place);
    assert_eq!((found[0].0.as_str(), found[1].0.as_str()), ("source.failed", "source.back"));
    assert!(found[0].1.contains("exit code 3: Out of memory"), "{found:?}");
    let asked = fs::read_to_string(place.path("bin/journalctl.log")).expect("it was run");
    assert!(asked.lines().all(|line| line.contains("--follow --no-tail") && line.contains("--directory=")), "{asked}");
}

#[test]
fn a_journalctl_that_hangs_is_a_journal_that_was_not_read() {
    let place = place();
    let path = fake(&place, "exec sleep 300");
    run(&place, &["run", "--once"], &path).code(1).err_holds("says nothing, and does not end");
    let path = fake(&place, "exec >&-; exec sleep 300");
    run(&place, &["run", "--once"], &path).code(1).err_holds("was ended by signal 9");
}

#[test]
fn lines_that_are_no_records_are_no_events() {
    let place = place();
    let path = fake(&place, "echo '-- No entries --'; echo '{\"a\":'; echo; printf 'half'");
    run(&place, &["run", "--once"], &path).code(0);
    let found = notices(&place);
    assert_eq!((found.len(), found[0].0.as_str()), (1, "source.damaged"), "{found:?}");
}
