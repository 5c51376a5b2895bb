//! Sealing a trail: read as before, whatever was sealed, and whatever a kill left behind.

use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::trail::bench::{Bench, now};
use crate::trail::{Exit, TrailError};

/// Segments of about twenty entries.
fn filled() -> Bench {
    let mut bench = Bench::new();
    bench.segment_bytes = 5_000;
    bench.fill(600);
    bench
}

#[test]
fn a_sealed_trail_is_read_and_verified_as_before() {
    let bench = filled();
    let (before, segments) = (bench.lines(0), bench.segments());
    let open = bench.reader();
    assert_eq!(open.event(3).expect("an event").id, bench.id(3));
    let outcome = bench.sealer().seal(&mut || true).expect("room");
    assert_eq!((outcome.segments, outcome.refused.len()), (segments.len() as u64 - 1, 0));
    assert!(outcome.stored < outcome.bytes);
    let left = bench.names("trail/segment");
    assert_eq!(bench.segments().as_slice(), &segments[segments.len() - 1..]);
    assert_eq!((left.len(), bench.sealed().len()), (segments.len() + 1, segments.len() - 1), "{left:?}");
    for from in [0, 1, 255, 256, 300, 599, 600] {
        assert_eq!(bench.lines(from), before[from.min(600) as usize..]);
    }
    for seq in (0..600).step_by(17) {
        assert_eq!(bench.reader().event(seq).expect("an event").id, bench.id(seq));
        // Opened before: it reads on in the file that has no name any more.
        assert_eq!(open.event(seq).expect("an event").id, bench.id(seq));
    }
    assert_eq!(
        bench.reader().stat().expect("readable").bytes,
        before.iter().map(|(_, line)| line.len() as u64 + 1).sum::<u64>()
    );
    let report = bench.verify();
    assert_eq!((report.exit(), report.complete_to, report.findings), (Exit::Whole, 600, vec![]));
    bench.fill(100);
    assert_eq!(bench.sealer().seal(&mut || true).expect("room").refused.len(), 0);
    assert_eq!((bench.lines(0).len(), bench.verify().exit()), (700, Exit::Whole));
}

#[test]
fn zstdcat_counts_the_events() {
    let bench = filled();
    let firsts = segment::list(&Layout::new(bench.data())).expect("readable");
    for (name, pair) in bench.seal().iter().zip(firsts.windows(2)) {
        let bytes = zstd::decode_all(bench.read(name).as_slice()).expect("frames");
        assert_eq!(memchr::memchr_iter(b'\n', &bytes).count() as u64, pair[1] - pair[0]);
        // Where the tool is installed it agrees.
        if let Ok(out) = Command::new("zstd").args(["-dcq", "--"]).arg(bench.path(name)).output() {
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            assert_eq!(out.stdout, bytes);
        }
    }
}

/// Each state that a kill between two steps leaves, and what could lie there half written.
#[test]
fn a_kill_at_any_step_leaves_a_readable_trail_and_the_next_one_goes_on() {
    let bench = filled();
    let before = bench.lines(0);
    let name = bench.segments().remove(1);
    let (sealed, cache) = (format!("{name}.zst"), name.replace(".jsonl", ".blocks"));
    let (plain, starts) = (bench.read(&name), bench.read(&cache));
    bench.seal();
    let whole = bench.read(&sealed);
    let half = whole[..whole.len() / 2].to_vec();
    let temporary = format!("{sealed}.tmp");
    let last = sealed.rsplit('/').next().expect("a name");
    let first = last.trim_end_matches(".jsonl.zst");
    let check = |what: &str| {
        assert_eq!(bench.lines(0), before, "{what}");
        assert_eq!(bench.verify().findings, [], "{what}");
        let (_, opened) = bench.open();
        assert_eq!((opened.size, opened.recovered), (600, vec![]), "{what}");
        bench.seal();
        assert_eq!(bench.lines(0), before, "{what}");
        let left: Vec<String> =
            bench.names("trail/segment").into_iter().filter(|left| left.starts_with(first)).collect();
        assert_eq!(left, [last], "{what}");
        assert_eq!(bench.read(&sealed), whole);
    };
    let steps = [
        ("the temporary file is half written", vec![(&name, &plain), (&cache, &starts), (&temporary, &half)]),
        ("it is whole", vec![(&name, &plain), (&cache, &starts), (&temporary, &whole)]),
        ("it is renamed", vec![(&name, &plain), (&cache, &starts), (&sealed, &whole)]),
        ("the cache is deleted", vec![(&name, &plain), (&sealed, &whole)]),
        ("the plain file is deleted", vec![(&sealed, &whole)]),
        ("the disk lost what was renamed", vec![(&name, &plain), (&sealed, &half)]),
    ];
    for (what, files) in steps {
        bench.delete(&sealed);
        files.iter().for_each(|(name, bytes)| bench.write(name, bytes));
        check(what);
    }
}

#[test]
fn what_is_not_what_was_signed_is_not_sealed() {
    let bench = filled();
    let names = bench.segments();
    bench.flip(&names[2], 100);
    bench.cut(&names[4], 30);
    let harmed = [bench.read(&names[2]), bench.read(&names[4])];
    let outcome = bench.sealer().seal(&mut || true).expect("room");
    assert_eq!((outcome.segments, outcome.refused.len()), (names.len() as u64 - 3, 2));
    assert!(outcome.refused[0].to_string().contains("is not what was signed"), "{}", outcome.refused[0]);
    assert_eq!([bench.read(&names[2]), bench.read(&names[4])], harmed);
    assert_eq!(bench.segments(), [&names[2], &names[4], &names[names.len() - 1]].map(String::as_str));
    assert_eq!(bench.sealed().len(), names.len() - 3);
}

#[test]
fn sealing_stops_when_it_is_told_to_and_never_runs_beside_another_process() {
    let bench = filled();
    let names = bench.names("trail/segment");
    assert_eq!(bench.sealer().seal(&mut || false).expect("room").segments, 0);
    assert_eq!(bench.names("trail/segment"), names);
    let (writer, _) = bench.open();
    let sealer = writer.sealer();
    let beside = Sealer::open(bench.data(), "another", now());
    assert!(matches!(beside, Err(TrailError::Held { .. })));
    drop(writer);
    assert!(matches!(bench.try_open(), Err(TrailError::Held { .. })));
    assert!(sealer.seal(&mut || true).expect("room").segments > 0);
    drop(sealer);
    bench.open();
}

#[test]
fn a_writer_goes_on_in_a_segment_that_somebody_sealed() {
    let bench = filled();
    let newest = bench.segments().pop().expect("a segment");
    let layout = Layout::new(bench.data());
    let first = *segment::list(&layout).expect("readable").last().expect("a segment");
    let sealer = bench.sealer();
    let stretch = Stretch { first, upto: 600 };
    assert!(sealer.one(stretch, &mut || true).expect("room").is_some());
    drop(sealer);
    assert!(!bench.path(&newest).exists());
    assert_eq!((bench.lines(0).len(), bench.verify().findings), (600, vec![]));
    drop(bench.open());
    assert!(bench.path(&newest).exists());
    bench.fill(50);
    bench.seal();
    assert_eq!((bench.lines(0).len(), bench.verify().findings), (650, vec![]));
    bench.open();
}

#[test]
fn a_flip_anywhere_in_a_sealed_file_is_found_and_the_first_bad_event_is_named() {
    let bench = filled();
    let name = bench.seal().remove(1);
    let firsts = segment::list(&Layout::new(bench.data())).expect("readable");
    let bytes = bench.read(&name);
    for at in (0..bytes.len()).step_by(13).chain(bytes.len() - 70..bytes.len()) {
        bench.flip(&name, at);
        let report = bench.verify();
        assert_eq!(report.exit(), Exit::Altered, "{at} {report:?}");
        assert!(report.findings[0].seq.is_none_or(|seq| seq == firsts[1]), "{at} {report:?}");
        bench.write(&name, &bytes);
    }
    // Sealed again by somebody who knows the format: the tiles know better.
    let mut lines: Vec<Vec<u8>> = zstd::decode_all(bytes.as_slice())
        .expect("frames")
        .split_inclusive(|b| *b == b'\n')
        .map(|l| l[..l.len() - 1].to_vec())
        .collect();
    let byte: usize = lines[..3].iter().map(|line| line.len() + 1).sum();
    let last = lines[3].len() - 1;
    lines[3][last - 5] ^= 1;
    let mut packer = Packer::new(Vec::new()).expect("memory");
    lines.iter().for_each(|line| packer.push(line).expect("memory"));
    bench.write(&name, &packer.finish().expect("memory"));
    let report = bench.verify();
    let finding = report.findings.first().expect("a finding");
    assert_eq!((report.exit(), finding.seq, finding.byte), (Exit::Altered, Some(firsts[1] + 3), Some(byte as u64)));
    assert!(matches!(bench.reader().event(firsts[1] + 3), Err(TrailError::Damaged { .. })));
    bench.delete(&name);
    assert_eq!(bench.verify().exit(), Exit::Incomplete);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mixture_of_sealed_and_plain_reads_the_same(plain in prop::collection::vec(any::<bool>(), 40), both in any::<bool>(), from in 0_u64..600) {
        let bench = filled();
        let before = bench.lines(0);
        let kept: Vec<(String, Vec<u8>)> = bench.segments().into_iter().map(|name| (name.clone(), bench.read(&name))).collect();
        let sealed = bench.seal();
        for ((name, bytes), _) in kept.iter().zip(plain).filter(|(_, plain)| *plain) {
            bench.write(name, bytes);
            if !both && sealed.contains(&format!("{name}.zst")) {
                bench.delete(&format!("{name}.zst"));
            }
        }
        prop_assert_eq!(bench.lines(from), &before[from as usize..]);
        prop_assert_eq!(bench.reader().line(from).expect("a line"), before[from as usize].1.as_bytes());
        prop_assert_eq!(bench.verify().findings, vec![]);
    }
}
