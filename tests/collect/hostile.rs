//! Files that are not what they seem.

use std::os::unix::fs::symlink;

use whodid::collect::Mode;
use whodid::config::Source;
use whodid::config::source::From;
use whodid::event::delivery::ObjectRead;
use whodid::event::own::action;
use whodid::event::{Event, Family};

use super::bench::{Bench, gzip, source};

fn many_lines() -> String {
    (0..3_000_u32).map(|n| format!("line {}\n", n.wrapping_mul(2_654_435_761))).collect()
}

#[test]
fn a_corrupt_gzip_gives_what_is_good_and_says_so_once() {
    let packed = gzip(many_lines().as_bytes());
    let mut bench = Bench::new();
    bench.write("auth.log.1.gz", &packed[..packed.len() / 2]);
    for _ in 0..2 {
        bench.once(&["auth.log*"]);
    }
    let got = bench.trail.lines();
    assert!(got.len() > 1_000 && many_lines().starts_with(&got[..got.len() - 1].join("\n")));
    assert_eq!(bench.trail.own(action::DAMAGED).len(), 1);
    bench.write("auth.log.1.gz", b"\x1f\x8b\x08garbage");
    for _ in 0..2 {
        bench.once(&["auth.log*"]);
    }
    assert_eq!(bench.trail.own(action::DAMAGED).len(), 2);
}

#[test]
fn a_bomb_is_stopped() {
    let mut bench = Bench::new();
    bench.write("auth.log.1.gz", gzip("line\n".repeat(100_000).as_bytes()));
    let mut bomb = bench.source(&["auth.log.1.gz"]);
    bomb.decompressed_bytes_max = 1_000;
    bench.run(Mode::Once, bomb, usize::MAX);
    assert_eq!(bench.trail.lines().len(), 200);
    let problem = bench.trail.own(action::DAMAGED)[0].reason.clone().expect("a reason");
    assert!(problem.contains("decompressed_bytes_max"), "{problem}");
}

#[test]
fn nothing_but_files_is_read_and_the_rest_goes_on() {
    let mut bench = Bench::new();
    std::fs::create_dir(bench.path("folder.log")).expect("a folder");
    symlink(bench.path("loop.log"), bench.path("loop.log")).expect("a link");
    bench.write("real", "a\n");
    symlink(bench.path("real"), bench.path("link.log")).expect("a link");
    bench.write("odd\u{1b}[31m.log", "b\n");
    let summary = bench.once(&["*.log", "folder.log", "real/x.log"]);
    let mut lines = bench.trail.lines();
    lines.sort();
    assert_eq!(lines, ["a", "b"]);
    let problems: Vec<_> = summary.failures.iter().map(|f| f.problem.as_str()).collect();
    assert!(problems.iter().any(|p| p.starts_with("is a folder")), "{problems:?}");
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn packed_by_another_program_is_said_once() {
    let mut bench = Bench::new();
    bench.write("auth.log", "a\n");
    bench.write("auth.log.1.bz2", b"BZh9rest");
    for _ in 0..2 {
        bench.once(&["auth.log*"]);
    }
    assert_eq!(bench.trail.own(action::DAMAGED).len(), 1);
    assert!(bench.trail.own(action::SOURCE_FAILED).is_empty());
}

/// A folder of a trail as it lies in a bucket; its path.
fn trail_folder(bench: &Bench) -> Source {
    let paths = vec![bench.path("AWSLogs").to_string_lossy().into_owned()];
    source("trail", Family::Cloudtrail, From::Files { paths })
}

#[test]
fn objects_in_folders_are_read_by_name_and_once() {
    let mut bench = Bench::new();
    let day = "AWSLogs/1/CloudTrail/eu-west-1/2026/11/20";
    let digests = "AWSLogs/1/CloudTrail-Digest/eu-west-1";
    [day, digests].iter().for_each(|folder| std::fs::create_dir_all(bench.path(folder)).expect("folders"));
    symlink(bench.path("AWSLogs"), bench.path("AWSLogs/circle")).expect("a link");
    bench.write(&format!("{day}/b.json"), "two\n");
    bench.write(&format!("{day}/a.json.gz"), gzip(b"one\n"));
    bench.write(&format!("{day}/c.json.gz"), gzip(b"three\n"));
    bench.write(&format!("{day}/notes.txt"), "no\n");
    let from = trail_folder(&bench);
    bench.run(Mode::Once, from, usize::MAX);
    assert_eq!(bench.trail.lines(), ["one", "two", "three"]);
    let before = bench.trail.events.len();
    let from = trail_folder(&bench);
    bench.run(Mode::Once, from, usize::MAX);
    assert_eq!(bench.trail.events.len(), before);
}

#[test]
fn what_was_read_is_stated_after_its_records() {
    let mut bench = Bench::new();
    std::fs::create_dir_all(bench.path("AWSLogs")).expect("a folder");
    let name = "AWSLogs/1_CloudTrail_eu-west-1_20261120T1015Z_Ab3d.json.gz";
    bench.write(name, gzip(b"one\ntwo\n"));
    bench.write("AWSLogs/broken.json.gz", &gzip(many_lines().as_bytes())[..999]);
    let from = trail_folder(&bench);
    bench.run(Mode::Once, from, usize::MAX);
    let events = &bench.trail.events;
    let objects: Vec<_> = events.iter().filter_map(|event| Some((event, ObjectRead::of(event)?))).collect();
    let [(event, read)] = &objects[..] else { panic!("{objects:?}") };
    // printf 'one\ntwo\n' | sha256sum
    let sha256 = "c3f9c8c283a2b1f2f1896f27a01cbe3cddc0c9d93f752e4639035a0f5b36f6e8";
    let origin = bench.path(name).to_string_lossy().into_owned();
    assert_eq!(*read, ObjectRead { origin, sha256: sha256.to_owned(), bytes: 8, records: 2 });
    assert_eq!(event.when.to_string(), "2026-11-20T10:15:00Z");
    let place = |event: &Event| events.iter().position(|other| other.id == event.id);
    let two = events.iter().find(|event| event.raw.as_deref() == Some("two"));
    assert!(two.and_then(place) < place(event));
}

#[test]
fn what_follows_an_object_is_kept_and_never_read() {
    let mut bench = Bench::new();
    std::fs::create_dir_all(bench.path("AWSLogs")).expect("a folder");
    let hidden = gzip(b"hidden\n");
    bench.write("AWSLogs/a.json.gz", [gzip(b"one\n"), hidden.clone()].concat());
    bench.write("AWSLogs/b.json.gz", [gzip(b"two\n"), b"a tail".to_vec()].concat());
    let long = vec![b'x'; (8 << 20) + 5];
    bench.write("AWSLogs/c.json.gz", [gzip(b"three\n"), long].concat());
    for _ in 0..2 {
        let from = trail_folder(&bench);
        bench.run(Mode::Once, from, usize::MAX);
    }
    assert_eq!(bench.trail.lines().iter().filter(|line| line.len() < 6).count(), 3);
    let damaged = bench.trail.own(action::DAMAGED);
    let told: Vec<_> = damaged
        .iter()
        .map(|event| {
            let facts = &event.detail["whodid"]["quarantined"];
            (
                event.raw_base64.clone(),
                event.raw.as_ref().map(String::len),
                facts["bytes"].as_u64(),
                facts["kept"].as_u64(),
            )
        })
        .collect();
    let hidden_bytes = hidden.len() as u64;
    let full = 8 << 20;
    let expected = [
        (Some(data_encoding::BASE64.encode(&hidden)), None, Some(hidden_bytes), Some(hidden_bytes)),
        (None, Some(6), Some(6), Some(6)),
        (None, Some(full), Some(full as u64 + 5), Some(full as u64)),
    ];
    assert_eq!(told, expected);
    assert!(damaged[0].reason.as_deref().is_some_and(|r| r.contains("second gzip member")));
    assert_eq!(bench.trail.own(action::OBJECT).len(), 3, "the first member of each is whole");

    // Another tail is another finding, though the words are the same.
    bench.write("AWSLogs/b.json.gz", [gzip(b"two\n"), b"a_tail".to_vec()].concat());
    let from = trail_folder(&bench);
    bench.run(Mode::Once, from, usize::MAX);
    assert_eq!(bench.trail.own(action::DAMAGED).len(), 4);
}

#[test]
fn digests_come_after_records_and_are_none() {
    let mut bench = Bench::new();
    let folder = "AWSLogs/1/CloudTrail-Digest/eu-west-1";
    std::fs::create_dir_all(bench.path(folder)).expect("folders");
    let name = |time: &str| format!("{folder}/1_CloudTrail-Digest_eu-west-1_main_us-east-1_{time}.json.gz");
    let digest = br#"{"digestEndTime":"2026-11-20T10:15:30Z","logFiles":[]}"#;
    bench.write(&name("20261120T101530Z"), gzip(digest));
    bench.write(&name("20261120T111530Z_backfill"), [gzip(digest), gzip(b"more")].concat());
    bench.write(&name("20261120T121530Z"), gzip(b"no JSON"));
    bench.write(&name("20261120T131530Z"), &gzip(digest)[..30]);
    bench.write("AWSLogs/z.json.gz", gzip(b"one\n"));
    for _ in 0..2 {
        let from = trail_folder(&bench);
        bench.run(Mode::Once, from, usize::MAX);
    }
    let digests = bench.trail.own(action::DIGEST);
    let told: Vec<_> = digests.iter().map(|event| (event.when.to_string(), event.raw.as_deref())).collect();
    let content = std::str::from_utf8(digest).ok();
    let expected = ["2026-11-20T10:15:30Z", "2026-11-20T11:15:30Z"].map(|when| (when.to_owned(), content));
    assert_eq!(told, expected);
    assert_eq!(bench.trail.events.iter().position(|event| event.raw.as_deref() == Some("one")), Some(0));
    let damaged = bench.trail.own(action::DAMAGED);
    let kept: Vec<_> = damaged.iter().map(|event| event.raw.as_deref().or(event.raw_base64.as_deref())).collect();
    let more = data_encoding::BASE64.encode(&gzip(b"more"));
    assert_eq!(kept, [Some(more.as_str()), Some("no JSON"), None]);
    assert!(damaged[2].reason.as_deref().is_some_and(|r| r.contains("ends in the middle")));
}
