//! Harm of every kind, and what verification says of it.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::*;
use crate::event::{Event, Family, Lineage, encode};
use crate::trail::Line;
use crate::trail::bench::Bench;

fn filled() -> Bench {
    let bench = Bench::new();
    bench.fill(700);
    bench
}

fn of(report: &Report) -> (Exit, Option<u64>) {
    (report.exit(), report.findings.first().and_then(|finding| finding.seq))
}

#[test]
fn a_whole_trail_is_whole() {
    let bench = filled();
    let report = bench.verify();
    assert_eq!(report.findings, []);
    assert_eq!((report.exit(), report.complete_to, report.lines), (Exit::Whole, 700, 700));
    assert!(bench.segments().len() > 2);
    assert_eq!(bench.verify_here().anchored_to, Some(700));
    let without_key = verify(bench.data(), &Against::default(), &mut |_, _| {});
    assert_eq!((without_key.exit(), without_key.complete_to), (Exit::Untrusted, 700));
    let trail = verify(&bench.path("trail"), &Against::default(), &mut |_, _| {});
    assert_eq!(trail.complete_to, 700);
}

#[test]
fn where_there_is_no_trail_nothing_is_verified() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(verify(folder.path(), &Against::default(), &mut |_, _| {}).exit(), Exit::Unusable);
}

/// One place in so many; each of them where time does not matter (`docs/testing.md`).
fn every(usual: usize) -> usize {
    if std::env::var_os("WHODID_LONG").is_some() { 1 } else { usual }
}

/// One byte in every file that is signed or is a part of the proof, at many places.
#[test]
fn any_flipped_byte_is_found_and_the_first_bad_entry_is_named() {
    let bench = filled();
    let segments = bench.segments();
    let mut first = 0;
    for name in &segments {
        let bytes = bench.read(name);
        for at in (0..bytes.len()).step_by(every(211)).chain([bytes.len() - 1]) {
            bench.flip(name, at);
            let report = bench.verify();
            let lines_before = memchr::memchr_iter(b'\n', &bytes[..at]).count() as u64;
            assert_eq!(of(&report), (Exit::Altered, Some(first + lines_before)), "{name} {at} {report:?}");
            bench.write(name, &bytes);
        }
        first += memchr::memchr_iter(b'\n', &bytes).count() as u64;
    }
    let tiles = ["tile/0/000", "tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2"];
    for name in tiles.into_iter().chain(["checkpoint", "origin"]).map(|name| format!("trail/{name}")) {
        let bytes = bench.read(&name);
        for at in (0..bytes.len()).step_by(every(31)) {
            bench.flip(&name, at);
            let report = bench.verify();
            assert_ne!(report.exit(), Exit::Whole, "{name} {at}");
            assert!(report.findings.iter().all(|finding| finding.seq.is_none()), "no entry is accused: {report:?}");
            bench.write(&name, &bytes);
        }
    }
    assert_eq!(bench.verify().exit(), Exit::Whole);
}

/// Changes whole lines of the second segment.
fn edited(bench: &Bench, edit: impl FnOnce(&mut Vec<&[u8]>)) -> Report {
    let name = &bench.segments()[1];
    let bytes = bench.read(name);
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    edit(&mut lines);
    bench.write(name, &lines.concat());
    let report = bench.verify();
    bench.write(name, &bytes);
    report
}

#[test]
fn lines_cannot_be_dropped_added_swapped_or_doubled() {
    let bench = filled();
    let second: u64 = bench.segments()[1]
        .split('/')
        .next_back()
        .and_then(|name| name.strip_suffix(".jsonl")?.parse().ok())
        .expect("a number");
    let expected = (Exit::Altered, Some(second + 5));
    let other = edited(&bench, |lines| lines.swap(5, 9));
    assert_eq!(of(&other), expected, "{other:?}");
    // Whatever moves the following entries shows where the next segment begins, or before.
    for report in [
        edited(&bench, |lines| {
            lines.remove(5);
        }),
        edited(&bench, |lines| lines.insert(5, b"{}\n")),
        edited(&bench, |lines| lines.insert(6, lines[5])),
        edited(&bench, |lines| lines[5] = b"\r\n"),
    ] {
        assert!(matches!(report.exit(), Exit::Altered | Exit::Incomplete), "{report:?}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let bench = filled();
    let segments = bench.segments();
    let last = segments.last().expect("a segment").clone();
    let bytes = bench.read(&last);
    bench.cut(&last, 1);
    assert_eq!(of(&bench.verify()), (Exit::Altered, Some(699)));
    let line = bytes.len() - 1 - memchr::memrchr(b'\n', &bytes[..bytes.len() - 1]).expect("lines");
    bench.cut(&last, line - 1);
    assert_eq!(of(&bench.verify()), (Exit::Incomplete, Some(699)));
    bench.delete(&last);
    assert_eq!(bench.verify().exit(), Exit::Incomplete);
    bench.write(&last, &bytes);
    bench.delete(&segments[1]);
    assert_eq!(bench.verify().exit(), Exit::Incomplete);
    let bench = filled();
    bench.delete("trail/tile/0/001");
    assert_eq!(of(&bench.verify()), (Exit::Incomplete, None));
    bench.delete("trail/checkpoint");
    assert_eq!(bench.verify().exit(), Exit::Incomplete);
}

#[test]
fn a_missing_tile_at_the_edge_is_named_like_any_other() {
    let bench = filled();
    for name in ["trail/tile/0/002.p/188", "trail/tile/1/000.p/2"] {
        let bytes = bench.read(name);
        bench.delete(name);
        let report = bench.verify();
        assert_eq!(of(&report), (Exit::Incomplete, None), "{report:?}");
        assert!(bench.try_open().is_err());
        bench.write(name, &bytes);
    }
}

#[test]
fn segments_that_cannot_be_listed_are_no_verdict_about_them() {
    let bench = filled();
    bench.delete("trail/segment");
    bench.write("trail/segment", b"no folder");
    assert_eq!(bench.verify().exit(), Exit::Unusable);
}

/// Segments end, tiles are outgrown and checkpoints replaced between any two steps of it.
#[test]
fn a_writer_at_work_raises_no_alarm() {
    let mut bench = Bench::new();
    bench.segment_bytes = 3_000;
    bench.fill(1);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut writer, opened) = bench.open();
            bench.fill_on(&mut writer, opened.size, 1_000);
            is_done.store(true, Relaxed);
        });
        while !is_done.load(Relaxed) {
            let report = bench.verify();
            assert_eq!(report.findings, []);
        }
    });
}

/// What is acknowledged can be read at once, whatever segment it went to.
#[test]
fn readers_keep_up_with_a_writer_at_work() {
    let mut bench = Bench::new();
    bench.segment_bytes = 3_000;
    bench.fill(1);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut writer, opened) = bench.open();
            bench.fill_on(&mut writer, opened.size, 1_000);
            is_done.store(true, Relaxed);
        });
        let reader = bench.reader();
        let mut next = 0;
        while !is_done.load(Relaxed) {
            for found in reader.scan(next).expect("a trail") {
                let (seq, event) = found.expect("an entry");
                assert_eq!((seq, event.id), (next, bench.id(next)));
                next += 1;
            }
            let upto = reader.acknowledged().expect("a number");
            for seq in [0, upto / 2, upto - 1] {
                assert_eq!(bench.reader().event(seq).expect("an entry").id, bench.id(seq));
                assert_eq!(reader.event(seq).expect("an entry").id, bench.id(seq));
            }
            assert!(bench.reader().stat().expect("readable").size >= upto);
        }
    });
}

#[test]
fn a_tail_cut_to_an_earlier_checkpoint_shows_against_an_anchor() {
    let bench = Bench::new();
    bench.fill(300);
    let old = bench.read("trail/checkpoint");
    bench.fill(100);
    let known = std::fs::read(bench.reader().key_places(&bench.keys()).1).expect("a checkpoint");
    bench.write("trail/checkpoint", &old);
    // The older tree is still the beginning of what is there.
    let alone = bench.verify();
    assert_eq!((alone.exit(), alone.complete_to), (Exit::Whole, alone.epochs.closed_to));
    assert!((300..400).contains(&alone.complete_to), "what epochs closed is known to be there: {alone:?}");
    let whole = bench.verify_here();
    assert_eq!((whole.exit(), whole.complete_to, whole.anchors), (Exit::Whole, 400, 1));
    let last = bench.segments().pop().expect("a segment");
    bench.cut(&last, 20);
    let report = bench.verify_here();
    assert_eq!(report.exit(), Exit::Incomplete, "{report:?}");
    assert!(!known.is_empty());
}

#[test]
fn another_key_is_not_believed() {
    let (bench, other) = (filled(), filled());
    let (vkey, _) = other.reader().key_places(&other.keys());
    let key = Some(std::fs::read_to_string(vkey).expect("a key").trim().to_owned());
    let report = verify(bench.data(), &Against { key, ..Against::default() }, &mut |_, _| {});
    assert_eq!((report.exit(), report.signature), (Exit::Untrusted, Signature::Bad));
    let report = verify(bench.data(), &Against { key: Some("x".into()), ..Against::default() }, &mut |_, _| {});
    assert_eq!(report.exit(), Exit::Untrusted);
}

#[test]
fn records_beside_the_segments_are_part_of_it() {
    let bench = Bench::new();
    let (mut writer, _) = bench.open();
    writer.append(vec![crate::trail::bench::event(bench.id(0), &"long ".repeat(20_000))]).expect("room");
    writer.commit().expect("room");
    writer.sign().expect("signed");
    assert_eq!(bench.verify().exit(), Exit::Whole);
    let event = bench.reader().event(0).expect("an event");
    assert_eq!(event.raw.map(|raw| raw.len()), Some(100_000));
    let name = format!("trail/blob/{}", bench.names("trail/blob")[0]);
    bench.flip(&name, 77);
    assert_eq!(of(&bench.verify()), (Exit::Altered, Some(0)));
    assert!(matches!(bench.reader().event(0), Err(TrailError::Damaged { .. })));
    bench.delete(&name);
    assert_eq!(of(&bench.verify()), (Exit::Incomplete, Some(0)));
}

/// With today's keys an entry can say that others are gone; it cannot make them others.
#[test]
fn an_entry_that_tells_of_pruning_hides_no_record() {
    let bench = Bench::new();
    let (mut writer, _) = bench.open();
    let long = crate::trail::bench::event(bench.id(0), &"long ".repeat(20_000));
    let told = |to: u64, seq: u64| {
        let facts = [("to", serde_json::json!(to))];
        let mut event = crate::event::own::with_detail("trail.pruned", "x", crate::trail::bench::now(), facts);
        event.id = bench.id(seq);
        Line::new(event.id, encode(&mut event).0, None).expect("a line")
    };
    writer.append(vec![long, told(u64::MAX, 1)]).expect("room");
    writer.commit().and_then(|_| writer.sign()).expect("signed");
    let name = format!("trail/blob/{}", bench.names("trail/blob")[0]);
    let record = bench.read(&name);
    bench.delete(&name);
    assert_eq!(of(&bench.verify()), (Exit::Incomplete, Some(0)), "nothing is said of what comes later");
    writer.append(vec![told(1, 2)]).expect("room");
    writer.commit().and_then(|_| writer.sign()).expect("signed");
    assert_eq!(bench.verify().findings, [], "it may be gone before its entry");
    bench.write(&name, &record);
    bench.flip(&name, 77);
    assert_eq!(of(&bench.verify()), (Exit::Altered, Some(0)));
}

/// The writer is asked to; the program that feeds it never does.
#[test]
fn what_is_signed_twice_is_named_at_its_second_place() {
    let bench = Bench::new();
    bench.fill(300);
    let (mut writer, _) = bench.open();
    let line = |seq| Line::new(bench.id(seq), bench.reader().line(seq).expect("an entry"), None).expect("a line");
    writer.append(vec![line(17), line(200), line(17)]).expect("room");
    writer.commit().expect("room");
    assert_eq!(bench.verify().findings, [], "what is not signed is not judged");
    writer.sign().expect("signed");
    let report = bench.verify();
    let found: Vec<_> =
        report.findings.iter().map(|finding| (finding.exit, finding.seq, finding.text.as_str())).collect();
    assert_eq!(
        found,
        [
            (Exit::Altered, Some(300), "entry 300 has the id of entry 17"),
            (Exit::Altered, Some(301), "entry 301 has the id of entry 200"),
            (Exit::Altered, Some(302), "entry 302 has the id of entry 17"),
        ]
    );
    assert_eq!((report.exit(), report.complete_to), (Exit::Altered, 303));
    let last = bench.segments().pop().expect("a segment");
    let byte = report.findings[0].byte.expect("a place") as usize;
    assert_eq!(bench.read(&last)[byte..].split(|byte| *byte == b'\n').next(), Some(line(17).bytes()));
}

#[test]
fn bytes_of_a_source_that_are_signed_twice_are_named() {
    let bench = Bench::new();
    let (mut writer, _) = bench.open();
    let mut event = |n: u64, pos: u64| {
        let bytes = crate::trail::bench::event(bench.id(n), "x").bytes().to_vec();
        let mut event = Event::decode(&bytes).expect("an event");
        event.source.lineage = Some(Lineage::new("web-1", Family::Auth, b"head"));
        (event.source.pos, event.source.next) = (Some(pos), Some(pos + 10));
        writer.append(vec![Line::new(bench.id(n), encode(&mut event).0, None).expect("a line")]).expect("room");
    };
    [0, 10, 20, 10, 30].into_iter().zip(0..).for_each(|(pos, n)| event(n, pos));
    writer.commit().expect("room");
    writer.sign().expect("signed");
    let report = bench.verify();
    let found: Vec<_> = report.findings.iter().map(|finding| (finding.seq, finding.text.as_str())).collect();
    assert_eq!(found, [(Some(3), "entry 3 is from byte 10 of its stream, and entries before it reach to byte 30")]);
}
