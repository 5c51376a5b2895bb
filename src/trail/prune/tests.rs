//! Pruning a trail, what is left of it, and what a kill between two steps leaves.

use std::ops::Range;

use super::*;
use crate::event::own::{self, action};
use crate::event::{EventId, Family, encode};
use crate::trail::bench::{Bench, event, now};
use crate::trail::tiles::Tiles;
use crate::trail::{Exit, Line, Report, Seen};

/// Sealed segments of about twenty entries.
fn filled() -> Bench {
    let mut bench = Bench::new();
    bench.segment_bytes = 5_000;
    bench.fill(600);
    bench.seal();
    bench
}

fn firsts(bench: &Bench) -> Vec<u64> {
    segment::list(&Layout::new(bench.data())).expect("readable")
}

/// An own event, as the writer's thread makes it.
fn tell(writer: &mut Writer, action: &str, facts: Vec<(&'static str, serde_json::Value)>) -> u64 {
    let mut event = own::with_detail(action, "trail", now(), facts);
    let seq = writer.next_seq();
    event.id = EventId::of_own(writer.origin(), seq);
    let line = Line::new(event.id, encode(&mut event).0, None).expect("a line");
    writer.append(vec![line]).expect("room");
    writer.commit().expect("room");
    seq
}

fn say(writer: &mut Writer, due: &Due) -> u64 {
    tell(writer, action::PRUNED, vec![("from", due.from.into()), ("to", due.to.into())])
}

/// All but the newest `count` segments.
fn all_but(bench: &Bench, count: usize) -> Due {
    let to = firsts(bench)[firsts(bench).len() - count];
    Due { from: 0, to, bytes: 0, why: "a test".into() }
}

/// Everything in order, as the pipeline does it.
fn prune(bench: &Bench, due: &Due) {
    let (mut writer, _) = bench.open();
    let reader = bench.reader();
    let mut seen = Seen::open(bench.data(), &reader).expect("a set");
    assert!(seen.settle(due.to).expect("room"));
    let said = say(&mut writer, due);
    let pruner = writer.pruner();
    assert!(!pruner.note(due, &reader, said).expect("readable"), "it is not signed yet");
    writer.sign().expect("room");
    assert!(pruner.note(due, &reader, said).expect("readable"));
    assert!(pruner.carry_out(&mut || true).expect("room") > 0);
    assert_eq!(pruner.carry_out(&mut || true).expect("room"), 0);
}

fn whole(report: &Report, pruned: u64, size: u64) {
    assert_eq!(report.findings, []);
    assert_eq!((report.exit(), report.complete_to, report.pruned), (Exit::Whole, size, pruned));
    assert_eq!(report.lines, size - pruned);
}

#[test]
fn what_is_left_is_read_and_proven_and_goes_on() {
    let bench = filled();
    let before = bench.lines(0);
    let due = all_but(&bench, 5);
    let to = due.to;
    prune(&bench, &due);
    assert_eq!(firsts(&bench)[0], to);
    whole(&bench.verify(), to, 601);
    whole(&bench.verify_here(), to, 601);
    let reader = bench.reader();
    assert_eq!(reader.first().expect("readable"), to);
    assert_eq!(bench.lines(to)[..(600 - to) as usize], before[to as usize..]);
    assert_eq!(reader.event(to).expect("kept").id, bench.id(to));
    for seq in [0, to - 1] {
        assert!(matches!(reader.event(seq), Err(TrailError::Pruned { first, .. }) if first == to));
        assert!(matches!(reader.lines(seq), Err(TrailError::Pruned { first, .. }) if first == to));
    }
    let stat = reader.stat().expect("readable");
    assert_eq!((stat.size, stat.kept_from, stat.first.map(|event| event.id)), (601, to, Some(bench.id(to))));
    bench.fill(300);
    bench.seal();
    whole(&bench.verify(), to, 901);
    let later = all_but(&bench, 3);
    prune(&bench, &Due { from: to, ..later.clone() });
    whole(&bench.verify(), later.to, 902);
    assert!(later.to > 601, "the first trail.pruned was pruned itself");
    bench.open();
}

#[test]
fn without_a_signed_entry_missing_segments_are_damage() {
    let bench = filled();
    let names = bench.sealed();
    let (kept, hidden) = (firsts(&bench)[3], bench.read(&names[0]));
    names[..3].iter().for_each(|name| bench.delete(name));
    let check = |why: &str| {
        let report = bench.verify();
        assert_eq!((report.exit(), report.findings[0].seq), (Exit::Incomplete, Some(0)), "{why} {report:?}");
        assert!(bench.try_open().is_err(), "{why}");
        assert!(matches!(bench.reader().event(0), Err(TrailError::Damaged { .. })), "{why}");
    };
    check("nothing says so");
    bench.write("trail/pruned", format!("{kept} 599\n").as_bytes());
    check("another entry is named");
    bench.write("trail/pruned", format!("{kept} 5000\n").as_bytes());
    check("an entry that is not there is named");
    bench.write("trail/pruned", b"nonsense\n");
    check("it names nothing");
    // Hiding entries that are there does not work either.
    let bench = filled();
    bench.write("trail/pruned", format!("{kept} 599\n").as_bytes());
    assert!(bench.reader().lines(0).is_err() && bench.reader().event(500).is_err());
    assert!(!hidden.is_empty());
}

#[test]
fn more_than_was_pruned_may_not_be_missing() {
    let bench = filled();
    let due = Due { to: firsts(&bench)[3], ..all_but(&bench, 5) };
    prune(&bench, &due);
    let name = bench.sealed().remove(0);
    bench.delete(&name);
    let report = bench.verify();
    assert_eq!((report.exit(), report.complete_to), (Exit::Incomplete, 0));
    assert_eq!(report.findings[0].seq, Some(due.to));
    assert!(bench.try_open().is_err());
}

#[test]
fn the_tiles_of_pruned_entries_are_part_of_the_proof() {
    let bench = filled();
    prune(&bench, &all_but(&bench, 5));
    let tile = "trail/tile/0/000";
    bench.flip(tile, 100);
    assert_eq!(bench.verify().exit(), Exit::Altered);
    bench.flip(tile, 100);
    bench.delete(tile);
    assert_eq!(bench.verify().exit(), Exit::Incomplete);
}

/// What each step leaves if it is the last one.
#[test]
fn a_kill_at_any_step_leaves_a_whole_trail_and_the_next_writer_goes_on() {
    let bench = filled();
    let due = all_but(&bench, 5);
    let oldest = bench.sealed();
    let gone = firsts(&bench).iter().filter(|first| **first < due.to).count();
    {
        let (mut writer, _) = bench.open();
        say(&mut writer, &due);
    }
    // Said, and not even signed.
    assert_eq!((bench.verify().exit(), bench.lines(0).len()), (Exit::Whole, 601));
    let (mut writer, _) = bench.open();
    writer.sign().expect("room");
    let pruner = writer.pruner();
    assert_eq!(pruner.carry_out(&mut || true).expect("room"), 0);
    assert!(pruner.note(&due, &bench.reader(), 600).expect("readable"));
    drop((writer, pruner));
    // Noted: not shown any more, still there, and not due once more.
    let (writer, _) = bench.open();
    let again = writer.pruner().due(Keep { days: None, bytes: Some(1) }, &bench.reader(), now()).expect("readable");
    assert_eq!(again.map(|due| due.from), Some(due.to));
    drop(writer);
    whole(&bench.verify(), 0, 601);
    assert_eq!(bench.reader().first().expect("readable"), due.to);
    for name in &oldest[..2] {
        bench.delete(name);
        let report = bench.verify();
        assert_eq!((report.exit(), report.findings.len(), report.complete_to), (Exit::Whole, 0, 601));
    }
    let (writer, _) = bench.open();
    assert_eq!(writer.pruner().carry_out(&mut || false).expect("room"), 0);
    assert_eq!(writer.pruner().carry_out(&mut || true).expect("room"), gone as u64 - 2);
    whole(&bench.verify(), due.to, 601);
}

#[test]
fn a_hold_stops_every_step() {
    let bench = filled();
    let (mut writer, _) = bench.open();
    writer.hold("case 7").expect("room");
    assert_eq!(bench.reader().hold().expect("readable").as_deref(), Some("case 7"));
    let (pruner, reader) = (writer.pruner(), bench.reader());
    let keep = Keep { days: None, bytes: Some(1) };
    assert_eq!(pruner.due(keep, &reader, now()).expect("readable"), None);
    let due = all_but(&bench, 5);
    let said = say(&mut writer, &due);
    writer.sign().expect("room");
    assert!(pruner.note(&due, &reader, said).expect("room"));
    assert_eq!((pruner.carry_out(&mut || true).expect("room"), firsts(&bench)[0]), (0, 0));
    writer.release().expect("room");
    assert_eq!(reader.hold().expect("readable"), None);
    assert!(pruner.carry_out(&mut || true).expect("room") > 0);
    whole(&bench.verify(), due.to, 601);
}

#[test]
fn age_and_size_say_what_is_due() {
    let bench = filled();
    let (writer, _) = bench.open();
    let (pruner, reader) = (writer.pruner(), bench.reader());
    let due = |days, bytes, later: i64| {
        pruner.due(Keep { days, bytes }, &reader, now().plus(TimeDelta::days(later))).expect("readable")
    };
    let firsts = firsts(&bench);
    assert_eq!(due(None, None, 10_000), None);
    assert_eq!(due(Some(30), None, 30), None);
    let all = due(Some(30), None, 31).expect("old");
    assert_eq!((all.from, all.to, all.why.as_str()), (0, firsts[firsts.len() - 2], "older than 30 days"));
    assert_eq!(due(Some(u64::MAX), None, 10_000), None);
    let sizes: Vec<u64> = bench.sealed().iter().map(|name| bench.read(name).len() as u64).collect();
    let total = sizes.iter().sum::<u64>() + bench.read(&bench.segments()[0]).len() as u64;
    assert_eq!(due(None, Some(total), 0), None);
    let two = due(None, Some(total - sizes[0] - 1), 0).expect("too much");
    assert_eq!((two.to, two.bytes), (firsts[2], sizes[0] + sizes[1]));
    // What could not be sealed is not pruned, nor anything after it.
    let name = bench.sealed()[1].replace(".zst", "");
    bench.write(&name, b"plain\n");
    assert_eq!(due(Some(30), None, 31).map(|due| due.to), Some(firsts[1]));
}

#[test]
fn records_go_with_their_last_entry() {
    let mut bench = Bench::new();
    bench.segment_bytes = 2_000;
    let (mut writer, _) = bench.open();
    let long = |text: &str| text.repeat(20_000);
    let add = |writer: &mut Writer, range: Range<u64>, raw: &str| {
        writer.append(range.map(|n| event(bench.id(n), raw)).collect()).expect("room");
        writer.commit().expect("room");
        writer.end_segment().and_then(|()| writer.begin_segment()).expect("room");
    };
    add(&mut writer, 0..1, &long("only here "));
    add(&mut writer, 1..2, &long("twice "));
    add(&mut writer, 2..3, &long("twice "));
    add(&mut writer, 3..4, "short");
    add(&mut writer, 4..5, "short");
    writer.sealer().seal(&mut || true).expect("room");
    let (pruner, reader) = (writer.pruner(), bench.reader());
    pruner.end_pass();
    assert_eq!(bench.names("trail/blob").len(), 2);
    let due = Due { to: 2, ..all_but(&bench, 3) };
    let said = say(&mut writer, &due);
    writer.sign().expect("room");
    assert!(pruner.note(&due, &reader, said).expect("readable"));
    // Named again by an entry that is just being written.
    let line = event(bench.id(9), &long("only here "));
    writer.append(vec![line]).expect("room");
    writer.commit().expect("room");
    assert_eq!(pruner.carry_out(&mut || true).expect("room"), 2);
    assert_eq!(bench.names("trail/blob").len(), 2);
    writer.sign().expect("room");
    whole(&bench.verify(), 2, 7);
    pruner.end_pass();
    // And now without it.
    let later = Due { from: 2, to: 3, ..due };
    let said = say(&mut writer, &later);
    writer.sign().expect("room");
    assert!(pruner.note(&later, &reader, said).expect("readable"));
    assert_eq!(pruner.carry_out(&mut || true).expect("room"), 1);
    assert_eq!(bench.names("trail/blob").len(), 1);
    whole(&bench.verify(), 3, 8);
}

#[test]
fn ids_of_pruned_entries_are_known_as_long_as_their_files_are_there() {
    let bench = filled();
    let due = all_but(&bench, 5);
    prune(&bench, &due);
    let ids: Vec<EventId> = (0..600).map(|n| bench.id(n)).collect();
    let known = || {
        let seen = Seen::open(bench.data(), &bench.reader()).expect("a set");
        let known = seen.contains(&ids).expect("readable");
        assert!(!seen.contains(&[EventId::new(Family::Auth, &[b"other"], 0)]).expect("readable")[0]);
        known
    };
    assert!(known().iter().all(|known| *known));
    bench.fill(10);
    assert!(known().iter().all(|known| *known));
    bench.delete("trail/seen");
    // What is gone for good is gone; the rest is made anew.
    let left: Vec<bool> = (0..600).map(|n| n >= due.to).collect();
    assert_eq!(known(), left);
    let mut seen = Seen::open(bench.data(), &bench.reader()).expect("a set");
    seen.flush().expect("room");
    assert_eq!(known(), left);
}

/// Tiles are what is left of pruned entries, so nothing may take them away.
#[test]
fn every_tile_of_what_was_pruned_stays() {
    let bench = filled();
    prune(&bench, &all_but(&bench, 3));
    bench.fill(200);
    let tiles = Tiles::new(&Layout::new(bench.data()));
    for seq in (0..512).step_by(31) {
        let line = event(bench.id(seq), &format!("line {seq} {}", "x".repeat(seq as usize % 40)));
        assert_eq!(tiles.leaf(seq).expect("there"), line.leaf);
    }
}
