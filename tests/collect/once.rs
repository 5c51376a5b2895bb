//! Runs that end: rotation while nobody looked, copies, packed files, files fed again.

use whodid::event::own::action;

use super::bench::Bench;

/// Lines that are not the same.
fn lines(names: &[&str]) -> String {
    names.iter().map(|name| format!("{name}\n")).collect()
}

#[test]
fn a_second_run_goes_on_where_the_first_ended_and_a_third_adds_nothing() {
    let mut bench = Bench::new();
    bench.write("auth.log", lines(&["a", "b"]));
    bench.once(&["auth.log"]);
    bench.append("auth.log", lines(&["c"]));
    let summary = bench.once(&["auth.log"]);
    assert_eq!((summary.read[0].bytes, summary.read[0].events), (2, 1));
    assert_eq!(bench.trail.lines(), ["a", "b", "c"]);
    let before = bench.trail.events.len();
    bench.once(&["auth.log"]);
    assert_eq!(bench.trail.events.len(), before);
}

#[test]
fn the_same_content_under_other_names_and_packed_is_read_once() {
    let mut bench = Bench::new();
    bench.write("auth.log", lines(&["a", "b", "c"]));
    bench.once(&["auth.log"]);
    bench.write("copy", lines(&["a", "b", "c"]));
    bench.rename("auth.log", "auth.log.1");
    bench.gzip("auth.log.1", "auth.log.2.gz");
    for mode in 0..3 {
        match mode {
            0 => bench.once(&["*"]),
            1 => bench.ingest(&["copy", "auth.log.1", "auth.log.2.gz"]),
            _ => bench.once(&["auth.log.2.gz"]),
        };
        assert_eq!(bench.trail.lines(), ["a", "b", "c"], "{mode}");
    }
}

#[test]
fn copies_in_one_run_are_read_once_in_whatever_order() {
    let whole = lines(&["a", "b", "c", "d"]);
    for order in [["1", "2.gz", "3"], ["3", "1", "2.gz"], ["2.gz", "3", "1"]] {
        let mut bench = Bench::new();
        bench.write("1", &whole);
        bench.gzip("1", "2.gz");
        bench.write("3", lines(&["a", "b"]));
        for name in order {
            bench.ingest(&[name]);
        }
        assert_eq!(bench.trail.lines(), ["a", "b", "c", "d"], "{order:?}");
        let mut bench = Bench::new();
        bench.write("1", &whole);
        bench.gzip("1", "2.gz");
        bench.write("3", lines(&["a", "b"]));
        bench.ingest(&order);
        assert_eq!(bench.trail.lines(), ["a", "b", "c", "d"], "{order:?} at once");
    }
}

#[test]
fn a_longer_copy_adds_what_it_has_more() {
    let mut bench = Bench::new();
    bench.write("a", lines(&["a", "b"]));
    bench.ingest(&["a"]);
    bench.write("b", lines(&["a", "b", "c"]));
    bench.ingest(&["b"]);
    assert_eq!(bench.trail.lines(), ["a", "b", "c"]);
}

#[test]
fn a_shorter_copy_that_goes_its_own_way_adds_only_that() {
    let mut bench = Bench::new();
    bench.write("auth.log", lines(&["a", "b", "c", "d"]));
    bench.once(&["auth.log"]);
    bench.write("auth.log", lines(&["a", "b"]));
    bench.once(&["auth.log"]);
    bench.append("auth.log", lines(&["x"]));
    bench.once(&["auth.log"]);
    bench.append("auth.log", lines(&["y"]));
    bench.once(&["auth.log"]);
    bench.once(&["auth.log"]);
    assert_eq!(bench.trail.lines(), ["a", "b", "c", "d", "x", "y"]);
}

#[test]
fn streams_with_the_same_head_stay_apart() {
    let mut bench = Bench::new();
    bench.write("a.log", lines(&["# header", "a1", "a2"]));
    bench.write("b.log", lines(&["# header", "b1", "b2"]));
    bench.once(&["*.log"]);
    bench.append("a.log", lines(&["a3"]));
    bench.append("b.log", lines(&["b3"]));
    bench.once(&["*.log"]);
    let mut got = bench.trail.lines();
    got.sort();
    assert_eq!(got, ["# header", "# header", "a1", "a2", "a3", "b1", "b2", "b3"]);
}

#[test]
fn half_a_line_waits_for_its_end() {
    let mut bench = Bench::new();
    bench.write("auth.log", "a\nb");
    let summary = bench.once(&["auth.log"]);
    assert!(summary.read[0].note.as_deref().is_some_and(|note| note.contains("1 bytes wait")), "{summary:?}");
    assert_eq!(bench.trail.lines(), ["a"]);
    bench.append("auth.log", "b\n");
    bench.once(&["auth.log"]);
    assert_eq!(bench.trail.lines(), ["a", "bb"]);
    bench.write("by-hand", "one\nlast");
    bench.ingest(&["by-hand"]);
    assert_eq!(bench.trail.lines(), ["a", "bb", "one", "last"]);
}

#[test]
fn rotation_while_nobody_looked_is_caught_up_with() {
    let rotated = |bench: &mut Bench| {
        bench.write("auth.log", lines(&["a", "b"]));
        bench.once(&["auth.log"]);
        bench.append("auth.log", lines(&["c"]));
        bench.rename("auth.log", "auth.log.1");
        bench.write("auth.log", lines(&["d", "e"]));
        bench.rename("auth.log.1", "auth.log.2");
        bench.gzip("auth.log.2", "auth.log.2.gz");
        bench.remove("auth.log.2");
        bench.rename("auth.log", "auth.log.1");
        bench.write("auth.log", lines(&["f"]));
    };
    let mut bench = Bench::new();
    rotated(&mut bench);
    bench.once(&["auth.log"]);
    assert_eq!(bench.trail.lines(), ["a", "b", "c", "d", "e", "f"]);
    let before = bench.trail.events.len();
    bench.once(&["auth.log"]);
    assert_eq!(bench.trail.events.len(), before);
    // Killed after any number of events of the run that catches up.
    for durable in 0..=4 {
        let mut bench = Bench::new();
        rotated(&mut bench);
        let source = bench.source(&["auth.log"]);
        bench.run(whodid::collect::Mode::Once, source, durable);
        bench.once(&["auth.log"]);
        assert_eq!(bench.trail.lines(), ["a", "b", "c", "d", "e", "f"], "killed after {durable}");
        bench.once(&["auth.log"]);
        assert_eq!(bench.trail.lines().len(), 6);
    }
}

#[test]
fn a_kill_after_any_event_loses_and_doubles_nothing() {
    Bench::survives(
        |bench| {
            bench.write("auth.log", lines(&["a", "b", "c"]));
            bench.once(&["auth.log*"]);
            bench.append("auth.log", lines(&["d", "e"]));
            bench.once(&["auth.log*"]);
        },
        |bench| {
            bench.rename("auth.log", "auth.log.1");
            bench.gzip("auth.log.1", "auth.log.1.gz");
            bench.write("auth.log", lines(&["f"]));
            bench.once(&["auth.log*"]);
            bench.once(&["auth.log*"]);
        },
        &["a", "b", "c", "d", "e", "f"],
    );
}

#[test]
fn what_vanished_before_it_was_read_is_a_gap_and_said_once() {
    let mut bench = Bench::new();
    bench.write("auth.log", lines(&["a", "b"]));
    bench.once(&["auth.log"]);
    bench.write("auth.log", lines(&["z"]));
    bench.once(&["auth.log"]);
    bench.once(&["auth.log"]);
    assert_eq!(bench.trail.lines(), ["a", "b", "z"]);
    let gaps = bench.trail.own(action::GAP);
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].detail["whodid"]["certain"], false);
}

#[test]
fn a_gap_before_an_empty_file_is_said_once_too() {
    let mut bench = Bench::new();
    bench.write("auth.log", lines(&["a"]));
    bench.once(&["auth.log"]);
    bench.write("auth.log", "");
    for _ in 0..3 {
        bench.once(&["auth.log"]);
    }
    assert_eq!(bench.trail.own(action::GAP).len(), 1);
}

#[test]
fn a_missing_file_fails_once_and_comes_back_once() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        let summary = bench.once(&["auth.log"]);
        assert!(summary.failures[0].problem.starts_with("is missing"), "{summary:?}");
    }
    assert_eq!(bench.trail.own(action::SOURCE_FAILED).len(), 1);
    bench.write("auth.log", lines(&["a"]));
    for _ in 0..2 {
        assert!(bench.once(&["auth.log"]).failures.is_empty());
    }
    assert_eq!(bench.trail.own(action::SOURCE_BACK).len(), 1);
    assert_eq!(bench.trail.lines(), ["a"]);
}

#[test]
fn files_named_by_hand_each_have_their_result() {
    let mut bench = Bench::new();
    bench.write("good", lines(&["a"]));
    let summary = bench.ingest(&["none", "good"]);
    assert_eq!(summary.read.len(), 1);
    assert!(summary.failures[0].origin.ends_with("/none"));
    assert!(bench.trail.own(action::SOURCE_FAILED).is_empty(), "no source failed");
    assert_eq!(bench.trail.lines(), ["a"]);
}

#[test]
fn a_stream_that_was_forgotten_is_known_by_its_records() {
    let mut bench = Bench::new();
    bench.write("auth.log", lines(&["a", "b"]));
    bench.once(&["auth.log"]);
    // Positions are gone, ids are not.
    for event in &mut bench.trail.events {
        event.source.lineage = None;
    }
    bench.append("auth.log", lines(&["c"]));
    bench.once(&["auth.log"]);
    assert_eq!(bench.trail.lines(), ["a", "b", "c"]);
}
