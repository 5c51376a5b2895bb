//! How fast a trail is compressed, read at random, and verified.
//!
//! `cargo bench --bench proof` makes a trail of 400,000 entries (`ENTRIES=…` for another number).

#![expect(clippy::print_stdout, reason = "its result is what it prints")]

use std::path::Path;
use std::time::{Duration, Instant};

use whodid::event::{Event, EventId, Family, Source, Stamp, encode};
use whodid::trail::{Against, Line, Open, Reader, Sealer, Writer, verify};

const PER_COMMIT: u64 = 1_500;
const READS: u64 = 5_000;

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        // `cargo test --benches` only wants to know that it starts.
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "a measurement has no configuration")]
    let entries = std::env::var("ENTRIES").ok().and_then(|entries| entries.parse().ok()).unwrap_or(400_000);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let data = folder.path().join("data");
    append(folder.path(), &data, entries);
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
}

fn line(n: u64) -> Line {
    let now = Stamp::from_unix(1_795_176_000, 0);
    let source = Source {
        name: "auth".to_owned(),
        kind: Family::Auth,
        origin: "auth.log".to_owned(),
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

fn append(folder: &Path, data: &Path, entries: u64) {
    let open = Open::new(data, folder.join("keys"), "example.org", "web-1", Stamp::from_unix(1_795_176_000, 0));
    let (mut writer, _) = Writer::open(Open { segment_bytes: 64 << 20, ..open }).expect("a trail");
    let (mut waits, begin) = (Vec::new(), Instant::now());
    for from in (0..entries).step_by(PER_COMMIT as usize) {
        writer.append((from..entries.min(from + PER_COMMIT)).map(line).collect()).expect("room");
        let begin = Instant::now();
        writer.commit().expect("room");
        waits.push(begin.elapsed());
        if writer.wants_new_segment() {
            writer.end_segment().and_then(|()| writer.begin_segment()).expect("room");
        }
    }
    writer.sign().expect("room");
    let speed = entries as f64 / begin.elapsed().as_secs_f64();
    let (half, most) = percentiles(waits);
    println!(
        "appended {entries} entries, {speed:.0}/s on one thread; a commit of {PER_COMMIT} takes {half:.1?}, 99 of 100 below {most:.1?}"
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
