//! How fast CloudTrail's objects become events, durable entries, and searchable; and what trailscraper needs to
//! read the same ones.
//!
//! `cargo bench --bench cloudtrail` writes a folder of objects as CloudTrail lays them out, 200,000 records in all
//! (`RECORDS=…`), and runs each stage in a process of its own. MB are of the unpacked JSON. The peer is measured
//! where `tests/run` has installed it.

#![expect(clippy::print_stdout, reason = "its result is what it prints")]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use whodid::event::{Event, Family, Stamp};
use whodid::sources::secrets::Marks;
use whodid::sources::zone::Zone;
use whodid::sources::{self, Identity, Stream, Year};

#[path = "../tests/generate/cloudtrail.rs"]
mod generate;
#[expect(dead_code, reason = "a measurement has always the same seed")]
#[path = "../tests/random.rs"]
mod random;
mod stage;
mod whole;

use stage::{Stage, in_own_process, shares, timed, was_asked};

const STAGES: &[Stage] = &[
    Stage { name: "read", what: "unpack the objects, and nothing else", run: read },
    Stage { name: "decode", what: "unpacked and decoded, one thread", run: decode },
    Stage { name: "durable", what: "collected, hashed, deduplicated, fsynced, signed", run: durable },
    Stage { name: "searchable", what: "the same, searchable, with all that is concluded", run: searchable },
];

/// What an object of a busy account holds.
const RECORDS_PER_OBJECT: usize = 2_000;

fn main() {
    if was_asked(STAGES) {
        return;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let bytes = write_objects(&folder.path().join("objects"));
    println!("{:.0} MB of records", bytes / 1e6);
    let results: Vec<_> = STAGES.iter().map(|stage| in_own_process(stage, folder.path(), bytes)).collect();
    shares(STAGES, &results);
    peer(folder.path(), bytes);
}

fn write_objects(folder: &Path) -> f64 {
    #[expect(clippy::disallowed_methods, reason = "a measurement has no configuration")]
    let count = std::env::var("RECORDS").ok().and_then(|count| count.parse().ok()).unwrap_or(200_000);
    let records: Vec<String> = generate::CloudTrail::new(1).take(count).collect();
    let mut bytes = 0;
    for (number, records) in records.chunks(RECORDS_PER_OBJECT).enumerate() {
        let (hour, minute) = (number / 12 % 24, number % 12 * 5);
        let day = folder.join("AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11/20");
        fs::create_dir_all(&day).expect("a folder");
        let name = format!("111122223333_CloudTrail_eu-central-1_20261120T{hour:02}{minute:02}Z_{number:016x}.json.gz");
        let content = format!("{{\"Records\":[{}]}}", records.join(","));
        bytes += content.len();
        let mut object = GzEncoder::new(File::create(day.join(name)).expect("a file"), Compression::default());
        object.write_all(content.as_bytes()).and_then(|()| object.finish()).expect("written");
    }
    bytes as f64
}

fn objects(folder: &Path) -> Vec<PathBuf> {
    let day = folder.join("objects/AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11/20");
    let mut found: Vec<_> = fs::read_dir(day).expect("objects").map(|entry| entry.expect("readable").path()).collect();
    found.sort();
    found
}

/// Hands every block of every object to `each`, and none at its end.
fn unpacked(folder: &Path, mut each: impl FnMut(&[u8])) {
    let mut block = vec![0; 64 << 10];
    for path in objects(folder) {
        let mut object = GzDecoder::new(File::open(path).expect("an object"));
        loop {
            let n = object.read(&mut block).expect("gzip");
            each(&block[..n]);
            if n == 0 {
                break;
            }
        }
    }
}

fn read(folder: &Path) -> (u64, f64) {
    timed(|| {
        let mut records = 0;
        unpacked(folder, |block| records += memchr::memmem::find_iter(block, b"\"eventID\"").count() as u64);
        records
    })
}

fn decode(folder: &Path) -> (u64, f64) {
    let now = Stamp::parse("2026-12-31T00:00:00Z").expect("an instant");
    let stream = || Stream {
        name: "cloudtrail".into(),
        family: Family::Cloudtrail,
        origin: "object".into(),
        host: "web-1".to_owned(),
        identity: Identity::Content,
        start: 0,
        zone: Zone::UTC,
        year: Year::NotAfter(now),
        marks: Marks::default(),
        world: Default::default(),
    };
    timed(|| {
        let (mut decoder, mut events, mut count) = (sources::decoder(stream()), Vec::<Event>::new(), 0);
        unpacked(folder, |block| {
            if block.is_empty() {
                decoder.finish(now, &mut events);
                decoder = sources::decoder(stream());
            } else {
                decoder.push(block, now, &mut events);
            }
            count += events.len() as u64;
            events.clear();
        });
        count
    })
}

fn durable(folder: &Path) -> (u64, f64) {
    collected(folder, false)
}

fn searchable(folder: &Path) -> (u64, f64) {
    collected(folder, true)
}

fn collected(folder: &Path, views: bool) -> (u64, f64) {
    let home = tempfile::tempdir_in(folder).expect("a folder");
    let source = format!("type = \"cloudtrail\"\npaths = [{:?}]", folder.join("objects").to_str().expect("UTF-8"));
    timed(|| whole::run(home.path(), &source, views).added.records)
}

/// trailscraper reads all records of the objects to find those of one call that nobody made.
fn peer(folder: &Path, bytes: f64) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-env/bin/trailscraper");
    let begin = Instant::now();
    let ended = Command::new(&program)
        .args(["select", "--log-dir"])
        .arg(folder.join("objects"))
        .args(["--filter-assumed-role-arn", "arn:aws:iam::111122223333:role/Nobody"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match ended {
        Ok(status) if status.success() => {
            let seconds = begin.elapsed().as_secs_f64();
            println!("trailscraper {:>26.1} MB/s   unpacked and read, {seconds:.1} s", bytes / seconds / 1e6);
        }
        other => println!("trailscraper was not measured ({other:?}): target/test-env/bin/pip install trailscraper"),
    }
}
