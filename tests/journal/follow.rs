//! A journal that grows while it is followed, and a program that is killed.

use std::thread;
use std::time::Duration;

use super::*;
use crate::program::{stop, until};

/// The logins in the trail so far; half a line at its end is on its way.
fn count(place: &Place) -> usize {
    if !place.path("data/trail/segment").is_dir() {
        return 0;
    }
    let trail = place.trail();
    let lines = trail.split(|byte| *byte == b'\n');
    lines.filter(|line| Event::decode(line).is_ok_and(|event| event.what.action == "ssh.login")).count()
}

#[test]
#[ignore = "needs systemd-journal-remote and journalctl"]
fn what_is_appended_arrives() {
    let place = place();
    append_logins(&file(&place, "a.journal"), 1..=3);
    let child = place.start(&["run"]);
    until("the first logins", || count(&place) == 3);
    append_logins(&file(&place, "a.journal"), 4..=6);
    until("the next ones", || count(&place) == 6);
    append_logins(&file(&place, "b.journal"), 7..=8);
    until("those of a new file", || count(&place) == 8);
    assert!(stop(child).success());
    place.run(&["run", "--once"]).code(0);
    assert_eq!((logins(&place), notices(&place)), ((1..=8).collect(), Vec::new()));
    place.verify();
}

#[test]
#[ignore = "needs systemd-journal-remote and journalctl"]
fn nothing_is_lost_or_doubled_when_it_is_killed() {
    let place = place();
    let mut next = 1;
    for round in 0_u64..12 {
        let mut child = place.start(&["run"]);
        for _ in 0..2 {
            let records: Vec<u8> = (next..next + 40)
                .flat_map(|n| if n % 5 == 0 { export(n, &other(n)) } else { export(n, &login(n)) })
                .collect();
            append(&file(&place, "a.journal"), &records);
            next += 40;
            // Somewhere between before the start and after the end of its work.
            thread::sleep(Duration::from_millis(round * 37 % 260));
        }
        child.kill().expect("it runs");
        child.wait().expect("it was killed");
    }
    place.run(&["run", "--once"]).code(0);
    let expected: Vec<u64> = (1..next).filter(|n| n % 5 != 0).collect();
    assert_eq!((logins(&place), notices(&place)), (expected, Vec::new()));
    place.verify();
}
