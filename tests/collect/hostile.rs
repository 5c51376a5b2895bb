//! Files that are not what they seem.

use std::os::unix::fs::symlink;

use whodid::collect::Mode;
use whodid::config::source::From;
use whodid::event::Family;
use whodid::event::own::action;

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

#[test]
fn objects_in_folders_are_read_by_name_and_once() {
    let mut bench = Bench::new();
    let day = "AWSLogs/1/CloudTrail/eu-west-1/2026/11/20";
    std::fs::create_dir_all(bench.path(day)).expect("folders");
    std::fs::create_dir_all(bench.path("AWSLogs/1/CloudTrail-Digest/eu-west-1")).expect("folders");
    symlink(bench.path("AWSLogs"), bench.path("AWSLogs/circle")).expect("a link");
    bench.write(&format!("{day}/b.json"), "two\n");
    bench.write(&format!("{day}/a.json.gz"), gzip(b"one\n"));
    bench.write(&format!("{day}/c.json.gz"), [gzip(b"three\n"), gzip(b"hidden\n")].concat());
    bench.write(&format!("{day}/notes.txt"), "no\n");
    bench.write("AWSLogs/1/CloudTrail-Digest/eu-west-1/d.json", "no\n");
    let trail = |bench: &Bench| {
        let paths = vec![bench.path("AWSLogs").to_string_lossy().into_owned()];
        source("trail", Family::Cloudtrail, From::Files { paths })
    };
    let from = trail(&bench);
    let summary = bench.run(Mode::Once, from, usize::MAX);
    assert_eq!(bench.trail.lines(), ["one", "two", "three"]);
    assert!(summary.read.iter().any(|r| r.origin.ends_with("CloudTrail-Digest")), "{summary:?}");
    let damaged = bench.trail.own(action::DAMAGED);
    assert!(damaged[0].reason.as_deref().is_some_and(|r| r.contains("second gzip member")));
    let before = bench.trail.events.len();
    let from = trail(&bench);
    bench.run(Mode::Once, from, usize::MAX);
    assert_eq!(bench.trail.events.len(), before);
}
