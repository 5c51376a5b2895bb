//! How fast a trail is written, compressed, read at random, and verified, and what memory that takes.
//!
//! `cargo bench --bench proof` makes a trail of 400,000 entries (`ENTRIES=…` for another number), and one of
//! 10,000,000 short ones (`MANY=…`, some 1.5 GB), which is verified in a process of its own.
//! What the disk does alone is said first: no commit can be faster than its `fdatasync(2)`.

#![expect(clippy::print_stdout, reason = "its result is what it prints")]

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use whodid::event::{Event, EventId, Family, Source, Stamp, encode};
use whodid::trail::{Against, Line, Open, Reader, Sealer, Writer, verify};

const PER_COMMIT: usize = 1_500;
const READS: u64 = 5_000;
const SYNCS: usize = 500;

/// What no verification may take, whatever the length of the trail.
const PEAK_MIB_MAX: f64 = 64.0;

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        // `cargo test --benches` only wants to know that it starts.
        return;
    }
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--verify") {
        let folder = Path::new(&args[at + 1]);
        return many_verified(folder);
    }
    let entries = asked("ENTRIES", 400_000);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    syncs(folder.path());
    let data = folder.path().join("data");
    append(folder.path(), &data, PER_COMMIT, (0..entries).map(line));
    let trail = Reader::open(&data).expect("a trail");
    let bytes = trail.stat().expect("readable").bytes as f64;
    random("plain", &trail, entries);
    checked("plain", folder.path(), &data, bytes);

    let sealer = Sealer::open(&data, "a bench", Stamp::from_unix(0, 0)).expect("a trail");
    let begin = Instant::now();
    let outcome = sealer.seal(&mut || true).expect("room");
    let took = begin.elapsed().as_secs_f64();
    let (from, to) = (outcome.bytes as f64, outcome.stored as f64);
    println!("compressed {:.0} MB to {:.0} MB, {:.0} MB/s", from / 1e6, to / 1e6, from / took / 1e6);
    let trail = Reader::open(&data).expect("a trail");
    random("compressed", &trail, entries);
    checked("compressed", folder.path(), &data, bytes);
    many(asked("MANY", 10_000_000));
}

fn asked(name: &str, otherwise: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a measurement has no configuration")]
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(otherwise)
}

/// The disk by itself: as many bytes as a commit writes, and one page.
fn syncs(folder: &Path) {
    for bytes in [4 << 10, PER_COMMIT * 600] {
        let mut file = File::create(folder.join("sync")).expect("a file");
        let block = vec![b'x'; bytes];
        let sync = |_| {
            file.write_all(&block).expect("room");
            let begin = Instant::now();
            file.sync_data().expect("a disk");
            begin.elapsed()
        };
        let (half, most) = percentiles((0..SYNCS).map(sync).collect());
        let rate = 1.0 / half.as_secs_f64();
        println!(
            "the disk: fdatasync of {} KiB takes {half:.1?} ({rate:.0}/s), 99 of 100 below {most:.1?}",
            bytes >> 10
        );
        std::fs::remove_file(folder.join("sync")).expect("removed");
    }
}

/// A trail of so many entries that what is kept of each would show.
fn many(entries: u64) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    append(folder.path(), &folder.path().join("data"), 20_000, (0..entries).map(short));
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).arg("--verify").arg(folder.path()).output().expect("it runs");
    print!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// In a process of its own, so that its peak memory is its own.
fn many_verified(folder: &Path) {
    let data = folder.join("data");
    let segments = std::fs::read_dir(data.join("trail/segment")).expect("a trail");
    let bytes: u64 = segments.map(|entry| entry.and_then(|entry| entry.metadata()).expect("readable").len()).sum();
    checked("many", folder, &data, bytes as f64);
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let peak = peak.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0;
    println!("many: peak {peak:.0} MiB");
    assert!(peak <= PEAK_MIB_MAX, "more than {PEAK_MIB_MAX} MiB");
}

/// What verification looks at, and little more: a hundred bytes.
fn short(n: u64) -> Line {
    let id = EventId::new(Family::Auth, &[&n.to_be_bytes()], 0);
    let text = format!(r#"{{"v":1,"id":"{id}","source":{{"name":"a","kind":"auth","origin":"b"}}}}"#);
    Line::new(id, text.into_bytes(), None).expect("a line")
}

fn line(n: u64) -> Line {
    let now = Stamp::from_unix(1_795_176_000, 0);
    let source = Source {
        name: "auth".into(),
        kind: Family::Auth,
        origin: "auth.log".into(),
        lineage: None,
        generation: 0,
        pos: Some(n),
        next: Some(n + 1),
    };
    let id = EventId::new(Family::Auth, &[&n.to_be_bytes()], 0);
    let mut event = Event::new(id, "ssh.login", now, now, source);
    // As long as an event of an auth.log is: some 600 bytes.
    event.keep_raw(format!("Nov 20 10:00:00 web-1 sshd[{n}]: Failed password for root {}", "y".repeat(320)).as_bytes());
    let (bytes, blob) = encode(&mut event);
    Line::new(id, bytes, blob).expect("a line")
}

fn append(folder: &Path, data: &Path, per_commit: usize, lines: impl Iterator<Item = Line>) {
    let open = Open::new(data, folder.join("keys"), "example.org", "web-1", Stamp::from_unix(1_795_176_000, 0));
    let (mut writer, _) = Writer::open(Open { segment_bytes: 64 << 20, ..open }).expect("a trail");
    let (mut waits, begin, mut lines) = (Vec::new(), Instant::now(), lines.peekable());
    while lines.peek().is_some() {
        writer.append(lines.by_ref().take(per_commit).collect()).expect("room");
        let begin = Instant::now();
        writer.commit().expect("room");
        waits.push(begin.elapsed());
        if writer.wants_new_segment() {
            writer.end_segment().and_then(|()| writer.begin_segment()).expect("room");
        }
    }
    let entries = writer.sign().expect("room");
    let speed = entries as f64 / begin.elapsed().as_secs_f64();
    let (half, most) = percentiles(waits);
    println!(
        "appended {entries} entries, {speed:.0}/s on one thread; a commit of {per_commit} takes {half:.1?}, 99 of 100 below {most:.1?}"
    );
}

fn random(what: &str, trail: &Reader, entries: u64) {
    let read = |n: u64| {
        let begin = Instant::now();
        trail.line(n.wrapping_mul(2_654_435_761) % entries).expect("a line");
        begin.elapsed()
    };
    let round = || percentiles((0..READS).map(read).collect());
    // The first one warms the caches.
    let (_cold, (half, most)) = (round(), round());
    println!("{what}: one entry in {half:.1?}, 99 of 100 below {most:.1?}");
}

fn checked(what: &str, folder: &Path, data: &Path, bytes: f64) {
    let trail = Reader::open(data).expect("a trail");
    let (key, _) = trail.key_places(&folder.join("keys"));
    let key = std::fs::read_to_string(key).expect("a key").trim().to_owned();
    let begin = Instant::now();
    let report = verify(data, &Against { key: Some(key), ..Against::default() }, &mut |_, _| {});
    let took = begin.elapsed().as_secs_f64();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    println!("{what}: verified {:.0} MB/s, {:.0} entries/s", bytes / took / 1e6, report.lines as f64 / took);
}

/// The median, and what 99 of 100 are below.
fn percentiles(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    (at(50), at(99))
}
