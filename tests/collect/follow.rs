//! Files that change while they are followed.

use std::io::Write as _;

use whodid::event::own::action;

use super::bench::{Bench, Logs};

#[test]
fn lines_arrive_as_they_are_written_and_half_ones_wait() {
    let mut bench = Bench::new();
    bench.write("auth.log", "a\nb");
    let mut following = bench.follow(&["auth.log"]);
    following.until(1);
    following.bench.append("auth.log", "b\nc\n");
    following.until(3);
    following.stop();
    assert_eq!(bench.trail.lines(), ["a", "bb", "c"]);
}

#[test]
fn a_file_may_appear_later_and_a_glob_may_match_more() {
    let mut bench = Bench::new();
    let mut following = bench.follow(&["*.log"]);
    following.until_own(action::SOURCE_FAILED, 1);
    following.bench.write("a.log", "a\n");
    following.until(1);
    following.until_own(action::SOURCE_BACK, 1);
    following.bench.write("b.log", "b\n");
    following.until(2);
    following.stop();
    assert_eq!(bench.trail.own(action::SOURCE_FAILED).len(), 1);
}

#[test]
fn rename_and_create_with_a_writer_that_lags() {
    for patterns in [&["auth.log"][..], &["auth.log*"]] {
        let mut bench = Bench::new();
        bench.write("auth.log", "a\n");
        let mut following = bench.follow(patterns);
        following.until(1);
        following.bench.append("auth.log", "b\nhal");
        following.bench.rename("auth.log", "auth.log.1");
        following.bench.append("auth.log.1", "f\nc\n");
        following.bench.write("auth.log", "d\n");
        following.until(5);
        following.bench.append("auth.log.1", "late\n");
        following.until(6);
        following.bench.append("auth.log", "e\n");
        following.until(7);
        following.stop();
        let mut lines = bench.trail.lines();
        lines.sort();
        assert_eq!(lines, ["a", "b", "c", "d", "e", "half", "late"], "{patterns:?}");
        let before = bench.trail.events.len();
        bench.once(patterns);
        assert_eq!(bench.trail.events.len(), before, "{patterns:?}");
    }
}

#[test]
fn rotated_twice_between_two_looks() {
    let mut bench = Bench::new();
    bench.write("auth.log", "a\n");
    let mut following = bench.follow(&["auth.log"]);
    following.until(1);
    let logs = &*following.bench;
    logs.rename("auth.log", "auth.log.2");
    logs.write("auth.log.1", "b\n");
    logs.append("auth.log.2", "tail\n");
    logs.write("auth.log", "c\n");
    following.until(4);
    following.stop();
    assert_eq!(bench.trail.lines(), ["a", "tail", "b", "c"]);
    assert!(bench.trail.own(action::GAP).is_empty());
}

#[test]
fn rotated_and_packed_at_once() {
    for patterns in [&["auth.log"][..], &["auth.log*"]] {
        let mut bench = Bench::new();
        bench.write("auth.log", "a\nb\n");
        let mut following = bench.follow(patterns);
        following.until(2);
        following.bench.gzip("auth.log", "auth.log.1.gz");
        following.bench.remove("auth.log");
        following.bench.write("auth.log", "c\n");
        following.until(3);
        following.stop();
        bench.once(patterns);
        assert_eq!(bench.trail.lines(), ["a", "b", "c"], "{patterns:?}");
        assert!(bench.trail.own(action::GAP).is_empty());
    }
}

#[test]
fn copytruncate_is_read_on_from_the_copy_and_recorded_as_a_gap() {
    for patterns in [&["auth.log"][..], &["auth.log*"]] {
        let mut bench = Bench::new();
        bench.write("auth.log", "a\nb\n");
        let mut following = bench.follow(patterns);
        following.until(2);
        following.bench.write("auth.log.1", "a\nb\nmissed\n");
        following.bench.write("auth.log", "");
        following.until_own(action::GAP, 1);
        following.until(3);
        following.bench.append("auth.log", "c\n");
        following.until(4);
        following.stop();
        bench.once(patterns);
        assert_eq!(bench.trail.lines(), ["a", "b", "missed", "c"], "{patterns:?}");
        let gap = bench.trail.own(action::GAP)[0];
        assert_eq!(gap.detail["whodid"]["certain"], false);
    }
}

#[test]
fn a_file_cut_off_with_half_a_line_keeps_the_half() {
    let mut bench = Bench::new();
    bench.write("auth.log", "a\nb\nhal");
    let mut following = bench.follow(&["auth.log"]);
    following.until(2);
    following.bench.write("auth.log", "c\n");
    following.until(4);
    following.stop();
    assert_eq!(bench.trail.lines(), ["a", "b", "hal", "c"]);
    assert_eq!(bench.trail.own(action::GAP).len(), 1);
}

#[test]
fn a_file_written_anew_and_longer_is_noticed() {
    let mut bench = Bench::new();
    bench.write("auth.log", "a\nb\n");
    let mut following = bench.follow(&["auth.log"]);
    following.until(2);
    following.bench.write("auth.log", "x\ny\nz\n");
    following.until(5);
    following.stop();
    assert_eq!(bench.trail.lines(), ["a", "b", "x", "y", "z"]);
    assert_eq!(bench.trail.own(action::GAP).len(), 1);
}

#[test]
fn replaced_by_another_file_with_the_old_one_deleted() {
    let mut bench = Bench::new();
    bench.write("auth.log", "a\n");
    let mut following = bench.follow(&["auth.log"]);
    following.until(1);
    following.bench.append("auth.log", "b\n");
    following.bench.write("new", "c\n");
    following.bench.rename("new", "auth.log");
    following.until(3);
    following.bench.remove("auth.log");
    following.bench.write("auth.log", "d\n");
    following.until(4);
    following.stop();
    assert_eq!(bench.trail.lines(), ["a", "b", "c", "d"]);
}

#[test]
fn kills_between_rotations_lose_and_double_nothing() {
    let mut bench = Bench::new();
    let (mut written, mut rotations) = (0, 0);
    let mut expected = Vec::new();
    for round in 0..12 {
        let mut following = bench.follow(&["auth.log"]);
        for step in 0..5 {
            for _ in 0..20 {
                let line = format!("line {written}");
                following.bench.append("auth.log", format!("{line}\n"));
                expected.push(line);
                written += 1;
            }
            if (round + step) % 3 == 0 {
                rotate(following.bench, rotations);
                rotations += 1;
            }
            if step == 2 {
                let some = following.bench.trail.lines().len() + 7;
                following.wait_at_least(some);
            }
        }
        following.kill();
    }
    bench.once(&["auth.log"]);
    bench.expect_once(expected);
}

/// `rotate 40` with `delaycompress`: numbers shifted, every third one packed a rotation later.
fn rotate(logs: &Logs, rotations: usize) {
    for n in (1..40).rev() {
        for ending in ["", ".gz"] {
            if logs.path(&format!("auth.log.{n}{ending}")).exists() {
                logs.rename(&format!("auth.log.{n}{ending}"), &format!("auth.log.{}{ending}", n + 1));
            }
        }
    }
    logs.rename("auth.log", "auth.log.1");
    if rotations % 3 == 2 {
        logs.gzip("auth.log.2", "auth.log.2.gz");
        logs.remove("auth.log.2");
    }
    logs.append("auth.log", "");
}

#[test]
fn a_busy_writer_that_rotates_and_a_reader_that_is_killed() {
    const LINES: usize = 30_000;
    for patterns in [&["auth.log"][..], &["auth.log*"]] {
        let mut bench = Bench::new();
        bench.write("auth.log", "line 000000\n");
        bench.once(patterns);
        let writer = bench.logs.clone();
        let writing = std::thread::spawn(move || {
            let mut rotations = 0;
            for chunk in 0..LINES / 10 {
                // Now and then the half of a line is written before, and the rest after a rotation.
                let lines: String = (1..11).map(|n| format!("line {:06}\n", chunk * 10 + n)).collect();
                let (first, second) = lines.split_at(if chunk % 7 == 0 { lines.len() - 4 } else { lines.len() });
                let mut log = writer.open_append("auth.log");
                log.write_all(first.as_bytes()).expect("room");
                if chunk % 98 == 0 {
                    rotate(&writer, rotations);
                    rotations += 1;
                }
                log.write_all(second.as_bytes()).expect("room");
            }
        });
        let mut kills = 0;
        while !writing.is_finished() {
            let mut following = bench.follow(patterns);
            let enough = (following.bench.trail.lines().len() + 1_500).min(LINES - 100);
            following.wait_at_least(enough);
            following.kill();
            kills += 1;
        }
        writing.join().expect("the writer does not panic");
        bench.once(patterns);
        bench.expect_once((0..=LINES).map(|n| format!("line {n:06}")).collect());
        assert!(bench.trail.own(action::GAP).is_empty(), "{patterns:?}, {kills} kills");
    }
}
