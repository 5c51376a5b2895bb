//! How fast lines become events, durable entries, and searchable.
//!
//! `cargo bench` makes an auth.log of a million lines (`LINES=…` for another number; the same lines each
//! time) and runs each stage in a process of its own, so that its peak memory is its own. Each line of
//! the result says events/s, MB/s of the log, processor time per event, and peak memory; the shares at the
//! end say where the next step is to be found.

#![expect(clippy::print_stdout, reason = "its result is what it prints")]

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use whodid::event::{self, Event, Family, Lineage, Stamp};
use whodid::sources::secrets::Marks;
use whodid::sources::zone::Zone;
use whodid::sources::{self, Identity, Stream, Year};
use whodid::trail::{Line, Reader};

#[path = "../tests/generate/auth_log.rs"]
mod auth_log;
mod stage;
mod whole;

use stage::{Measured, Stage, in_own_process, shares, timed, was_asked};

const STAGES: &[Stage] = &[
    Stage { name: "read", what: "read the lines, and nothing else", run: read },
    Stage { name: "decode", what: "decode alone, one thread", run: decode },
    Stage { name: "encode", what: "decode, encode and hash, one thread", run: encode },
    Stage { name: "durable", what: "collected, deduplicated, fsynced, signed", run: durable },
    Stage { name: "searchable", what: "the same, linked, searchable, and old segments compressed", run: searchable },
];

/// Every form of message that there is, which is nothing that one log has: how much dearer rare lines are.
const FORMS: Stage = Stage { name: "forms", what: "decode alone, of every line of the fixtures", run: decode };

fn main() {
    if was_asked(STAGES.iter().chain([&FORMS])) {
        return;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let log = write_log(folder.path());
    let bytes = log.metadata().expect("it is there").len() as f64;
    let results: Vec<Measured> = STAGES.iter().map(|stage| in_own_process(stage, &log, bytes)).collect();
    shares(STAGES, &results);
    let forms = write_forms(folder.path());
    in_own_process(&FORMS, &forms, forms.metadata().expect("it is there").len() as f64);
}

/// The fixtures of the auth log, over and over.
fn write_forms(folder: &Path) -> PathBuf {
    const LINES: usize = 300_000;
    let fixtures =
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sources/auth")).expect("fixtures");
    let inputs =
        fixtures.map(|entry| entry.expect("readable").path()).filter(|path| path.extension() == Some("in".as_ref()));
    let once: Vec<u8> = inputs.flat_map(|path| std::fs::read(path).expect("readable")).collect();
    let times = LINES / once.split(|byte| *byte == b'\n').count();
    let path = folder.join("forms.log");
    File::create(&path).and_then(|mut file| file.write_all(&once.repeat(times))).expect("written");
    path
}

fn write_log(folder: &Path) -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "a measurement has no configuration")]
    let lines = std::env::var("LINES").ok().and_then(|lines| lines.parse().ok()).unwrap_or(1_000_000);
    let path = folder.join("auth.log");
    let mut file = BufWriter::new(File::create(&path).expect("a file"));
    for line in auth_log::AuthLog::new(1).take(lines) {
        writeln!(file, "{line}").expect("written");
    }
    file.into_inner().expect("written").sync_all().expect("on disk");
    path
}

fn read(log: &Path) -> (u64, f64) {
    timed(|| BufReader::with_capacity(1 << 18, File::open(log).expect("the log")).split(b'\n').count() as u64)
}

/// Hands every block of events to `each`.
fn decoded(log: &Path, mut each: impl FnMut(&mut Vec<Event>)) {
    let now = Stamp::parse("2026-12-31T00:00:00Z").expect("an instant");
    let mut decoder = sources::decoder(Stream {
        name: "auth".into(),
        family: Family::Auth,
        origin: "auth.log".into(),
        host: "web-1".to_owned(),
        identity: Identity::Place { lineage: Lineage::new("web-1", Family::Auth, b"bench"), generation: 0 },
        start: 0,
        zone: Zone::UTC,
        year: Year::NotAfter(now),
        marks: Marks::default(),
        world: Default::default(),
    });
    let mut file = File::open(log).expect("the log");
    let (mut block, mut events) = (vec![0; 64 << 10], Vec::new());
    loop {
        match file.read(&mut block).expect("readable") {
            0 => break decoder.finish(now, &mut events),
            n => decoder.push(&block[..n], now, &mut events),
        }
        each(&mut events);
        events.clear();
    }
    each(&mut events);
}

fn decode(log: &Path) -> (u64, f64) {
    timed(|| {
        let mut count = 0;
        decoded(log, |events| count += events.len() as u64);
        count
    })
}

fn encode(log: &Path) -> (u64, f64) {
    timed(|| encoded(log))
}

fn encoded(log: &Path) -> u64 {
    let mut count = 0;
    decoded(log, |events| {
        for event in events {
            let (bytes, blob) = event::encode(event);
            let line = Line::new(event.id, bytes, blob).expect("a line of the trail");
            count += u64::from(!line.bytes().is_empty());
        }
    });
    count
}

/// Until the last line is acknowledged; the program goes on and compresses what it has left behind.
fn durable(log: &Path) -> (u64, f64) {
    let lines = read(log).0;
    collected(log, false, lines)
}

fn searchable(log: &Path) -> (u64, f64) {
    collected(log, true, u64::MAX)
}

/// All of the program, until it ends or so many entries are acknowledged.
fn collected(log: &Path, views: bool, enough: u64) -> (u64, f64) {
    let folder = tempfile::tempdir_in(log.parent().expect("in a folder")).expect("a folder");
    let path = log.to_str().expect("UTF-8");
    let source = format!("type = \"auth\"\ntz = \"UTC\"\nyear = 2026\npaths = [{path:?}]");
    let (begin, data) = (Instant::now(), folder.path().join("data"));
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    // Looks 500 times a second: a run takes seconds.
    let watching = std::thread::spawn(move || {
        let acknowledged = || Reader::open(&data).and_then(|trail| trail.acknowledged()).unwrap_or(0);
        while stopped.recv_timeout(Duration::from_millis(2)) == Err(RecvTimeoutError::Timeout) {
            if acknowledged() >= enough {
                break;
            }
        }
        begin.elapsed().as_secs_f64()
    });
    let report = whole::run(folder.path(), &source, views);
    drop(stop);
    (report.added.records, watching.join().expect("it only looks"))
}
