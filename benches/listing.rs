//! What it takes to list a bucket with a million objects, and to read one of 50 MB: memory, requests and keys a second.
//!
//! `cargo bench --bench listing` (`KEYS=…` for another number) serves generated pages from the loopback interface and
//! lists them twice: once with everything new, and once with everything known. Each case runs in a process of its own.
//! Its state is what its memory has grown by at its peak (VmHWM) since one object had been read, without what a page
//! and the objects on their way take in any case, which the case `few` shows. It fails where a promise is broken.

#![expect(clippy::print_stdout, reason = "its result is what it prints")]

use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use whodid::clock::Clock;
use whodid::collect::{CHANNEL_BATCHES, Collector, Mode, Positions};
use whodid::config::Source;
use whodid::config::source::{DECOMPRESSED_BYTES_MAX, From};
use whodid::event::Family;
use whodid::sources;
use whodid::sources::secrets::Marks;
use whodid::sources::zone::Zone;

#[path = "../tests/generate/bucket.rs"]
mod bucket;

use bucket::{Bucket, Objects};

const MIB: f64 = 1024.0 * 1024.0;

/// Issue 6: listing 1,000,000 keys takes at most this, and one object of 50 MB.
const STATE_MIB_MAX: f64 = 32.0;
const OBJECT_MIB_MAX: f64 = 64.0;

/// Name, what it is, how many prefixes it is listed by, and its objects.
type Case = (&'static str, &'static str, usize, fn(usize) -> Objects);

const CASES: &[Case] = &[
    ("few", "1,000 objects: what any listing takes", 1, |_| one_hour(1_000)),
    ("hour", "all keys within one overlap of one region", 1, one_hour),
    ("minute", "all keys of one minute", 1, one_minute),
    ("regions", "all keys over 100 accounts, 10 regions each, and days", 1_000, many_regions),
    ("flat", "all keys in no layout", 1, flat),
];

/// Of a key in its region: the minute of a day, and what tells keys of a minute apart.
fn key(account: usize, region: usize, day: usize, minute: usize, nth: usize) -> String {
    let (account, region) = (100_000_000_000 + account, format!("eu-west-{region}"));
    let time = format!("202611{day:02}T{:02}{:02}Z", minute / 60, minute % 60);
    format!(
        "AWSLogs/{account}/CloudTrail/{region}/2026/11/{day:02}/{account}_CloudTrail_{region}_{time}_{nth:016}.json.gz"
    )
}

fn objects(count: usize, key: impl Fn(usize) -> String + Send + Sync + 'static) -> Objects {
    Objects { count, key: Box::new(key), body: Arc::from([]) }
}

fn one_hour(count: usize) -> Objects {
    objects(count, move |n| key(1, 1, 20, 600 + n * 60 / count, n))
}

fn one_minute(count: usize) -> Objects {
    objects(count, |n| key(1, 1, 20, 600, n))
}

fn many_regions(count: usize) -> Objects {
    let each = count / 1_000;
    objects(each * 1_000, move |n| {
        let (region, nth) = (n / each, n % each);
        let minute = nth * 20 * 24 * 60 / each;
        key(region / 10, region % 10, 1 + minute / 1_440, minute % 1_440, nth)
    })
}

fn flat(count: usize) -> Objects {
    objects(count, |n| format!("export/of/some/tool/that/keeps/no/layout/at/all/part-{n:012}.json"))
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--read") {
        return read(&args[at + 1], args[at + 2].parse().expect("a number"));
    }
    if args.iter().any(|arg| arg == "--test") {
        // `cargo test --benches` only wants to know that it starts.
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "a measurement has no configuration")]
    let count = std::env::var("KEYS").ok().and_then(|keys| keys.parse().ok()).unwrap_or(1_000_000);
    let mut broken = Vec::new();
    let mut few = 0.0;
    for (name, what, prefixes, make) in CASES {
        let objects = make(count);
        let count = objects.count;
        let server = Bucket::start(objects);
        let [state, first, second, events] = in_own_process(&server, *prefixes);
        let pages = server.asked.pages.load(Ordering::Relaxed);
        if *name == "few" {
            few = state;
        }
        let state = state - few;
        println!(
            "{name:<8} {:>5.1} MiB of state, {:>8.0} keys/s new, {:>8.0} keys/s known, {pages} pages, {events} events   {what}",
            state / MIB,
            count as f64 / first,
            count as f64 / second,
        );
        if state / MIB > STATE_MIB_MAX {
            broken.push(format!("{name}: {:.1} MiB of state", state / MIB));
        }
    }
    let body = large_object();
    let packed = body.len();
    let server = Bucket::start(Objects { count: 1, key: Box::new(|_| key(1, 1, 20, 600, 0)), body: body.into() });
    let [grown, first, _, events] = in_own_process(&server, 1);
    println!(
        "large    {:>5.1} MiB more for one object of {:.1} MB packed, {events} events, {first:.1} s",
        grown / MIB,
        packed as f64 / 1e6
    );
    if grown / MIB > OBJECT_MIB_MAX {
        broken.push(format!("large: {:.1} MiB", grown / MIB));
    }
    assert!(broken.is_empty(), "promises that are broken: {broken:?}");
}

/// 10,000 records that gzip cannot make much shorter: 50 MB.
fn large_object() -> Vec<u8> {
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut state = 1_u64;
    write!(to, "{{\"Records\":[").expect("memory");
    for n in 0..10_000 {
        let separator = if n == 0 { "" } else { "," };
        let noise: String = (0..420)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                format!("{:016x}", (state >> 7) ^ state.rotate_left(29))
            })
            .collect();
        write!(
            to,
            "{separator}{{\"eventVersion\":\"1.11\",\"userIdentity\":{{\"type\":\"IAMUser\",\"userName\":\"alice\"}},\
             \"eventTime\":\"2026-11-20T10:00:00Z\",\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"PutObject\",\
             \"requestParameters\":{{\"key\":\"{noise}{noise}\"}},\"eventID\":\"{n}\",\"recipientAccountId\":\"1\"}}"
        )
        .expect("memory");
    }
    write!(to, "]}}").expect("memory");
    to.finish().expect("memory")
}

fn in_own_process(server: &Bucket, prefixes: usize) -> [f64; 4] {
    let program = std::env::current_exe().expect("this program");
    let mut child = Command::new(program);
    child.args(["--read", &server.endpoint, &prefixes.to_string()]);
    child
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let output = child.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = said.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let Ok(numbers) = numbers.try_into() else {
        panic!("it said {said:?} {}", String::from_utf8_lossy(&output.stderr));
    };
    numbers
}

/// The child: reads the bucket twice, and says by how much its memory grew, how long each listing took, and how many
/// events there were.
fn read(endpoint: &str, prefixes: usize) {
    // One object is read first, so that clients, threads and tables are there.
    let warm = Bucket::start(one_hour(1));
    let mut events = 0;
    collect(&warm.endpoint, &mut events, || bucket::listings(&warm.endpoint) >= 1);
    let before = peak_bytes();
    events = 0;
    let begin = Instant::now();
    let mut ends = Vec::new();
    collect(endpoint, &mut events, || {
        if bucket::listings(endpoint) >= prefixes * (ends.len() + 1) {
            ends.push(begin.elapsed().as_secs_f64());
        }
        ends.len() >= 2
    });
    println!("{} {} {} {events}", peak_bytes() - before, ends[0], ends[1] - ends[0]);
}

/// Follows a bucket until `is_enough`.
fn collect(endpoint: &str, events: &mut u64, mut is_enough: impl FnMut() -> bool) {
    let from = From::S3 {
        bucket: "audit".to_owned(),
        prefix: String::new(),
        region: Some("eu-west-1".to_owned()),
        endpoint: Some(endpoint.to_owned()),
        path_style: true,
        poll: Duration::from_millis(1),
    };
    let source = Source {
        name: "trail".to_owned(),
        family: Family::Cloudtrail,
        from,
        host: None,
        zone: Zone::UTC,
        year: None,
        decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
        world: Default::default(),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (tx, mut rx) = mpsc::channel(CHANNEL_BATCHES);
        let (stop, shutdown) = watch::channel(false);
        let collector = Collector {
            positions: Positions::new(),
            seen: Arc::new(|_| false),
            mode: Mode::Follow,
            clock: Clock::System,
            decoder: sources::decoder,
            marks: Marks::default(),
            tx,
            progress: Arc::default(),
            shutdown,
        };
        let running = tokio::spawn(collector.run(vec![source]));
        let mut look = tokio::time::interval(Duration::from_millis(20));
        loop {
            tokio::select! {
                batch = rx.recv() => match batch {
                    Some(batch) => *events += batch.events.len() as u64,
                    None => break,
                },
                _ = look.tick() => {
                    if is_enough() {
                        stop.send(true).expect("it listens");
                    }
                }
            }
        }
        running.await.expect("no panic");
    });
}

fn peak_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    let kib: f64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number");
    kib * 1024.0
}
