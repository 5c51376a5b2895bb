//! Against a real S3 implementation.

use std::collections::HashSet;
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::Client;
use tokio::sync::{mpsc, watch};

use super::bucket::Bucket;
use super::*;
use crate::aws::moto::{self, Moto};
use crate::clock::Clock;
use crate::collect::outlet::Shared;
use crate::collect::registry::Registry;
use crate::collect::{Batch, Progress, Summary};
use crate::config::Source;
use crate::event::own::action;
use crate::event::{Event, EventId, Family, Stamp};
use crate::sources::secrets::Marks;
use crate::sources::{Decoder, Stream};

const NAME: &str = "audit-logs";
const DAY: &str = "AWSLogs/o-1a/123456789012/CloudTrail/eu-west-1/2026/11/20";

/// A server of its own, with one bucket.
struct Store(Moto);

impl Store {
    fn start() -> Self {
        let store = Self(Moto::start());
        let bucket = store.bucket(NAME);
        store.0.runtime.block_on(bucket.client.create_bucket().bucket(NAME).send()).expect("a bucket");
        store
    }

    fn bucket(&self, name: &str) -> Bucket {
        bucket_at(&self.0.endpoint, name)
    }

    fn put(&self, key: &str, body: Vec<u8>) {
        let client = self.bucket(NAME).client;
        let put = client.put_object().bucket(NAME).key(key).body(body.into());
        self.0.runtime.block_on(put.send()).expect("an object");
    }

    /// One run over the bucket: its summary, and the events that were sent.
    fn once(&self, bucket: Bucket, prefix: &str, trail: &mut Trail) -> Summary {
        once(&self.0.runtime, bucket, prefix, trail)
    }
}

fn bucket_at(endpoint: &str, name: &str) -> Bucket {
    Bucket { client: Client::from_conf(moto::config(endpoint).build()), name: name.to_owned() }
}

fn once(runtime: &tokio::runtime::Runtime, bucket: Bucket, prefix: &str, trail: &mut Trail) -> Summary {
    let ids = Arc::clone(&trail.ids);
    let mut positions = Positions::new();
    trail.events.iter().for_each(|event| positions.fold(event));
    let seen = Arc::new(move |id: &EventId| ids.lock().expect("held shortly").contains(id));
    let shared = Shared {
        registry: Registry::new(positions, seen),
        progress: Arc::new(Progress::default()),
        clock: Clock::System,
        mode: Mode::Once,
    };
    let (tx, mut rx) = mpsc::channel::<Batch>(4);
    let (_tell, shutdown) = watch::channel(false);
    let from = From::S3 {
        bucket: bucket.name.clone(),
        prefix: prefix.to_owned(),
        region: None,
        endpoint: None,
        path_style: true,
        poll: Duration::from_secs(1),
    };
    let source = Source {
        name: "trail".to_owned(),
        family: Family::Cloudtrail,
        from,
        host: None,
        zone: crate::sources::zone::Zone::UTC,
        year: None,
        decompressed_bytes_max: 1 << 20,
        world: Default::default(),
    };
    let setting = Setting::new(source, Clock::System, Marks::default(), lines);
    let handle = runtime.handle().clone();
    let thread = std::thread::spawn(move || {
        let mut outlet = Outlet::new("trail", tx, shared);
        let wire = Wire { runtime: handle, shutdown };
        read_bucket(Ok(bucket), &setting, Mode::Once, wire, &mut outlet).expect("somebody takes the events");
        outlet.finish()
    });
    while let Some(batch) = rx.blocking_recv() {
        for event in batch.events {
            let mut ids = trail.ids.lock().expect("held shortly");
            if event.id == EventId::PENDING || ids.insert(event.id) {
                trail.events.push(event);
            }
        }
    }
    thread.join().expect("reading does not panic")
}

#[derive(Default)]
struct Trail {
    events: Vec<Event>,
    ids: Arc<Mutex<HashSet<EventId>>>,
}

impl Trail {
    fn lines(&self) -> Vec<&str> {
        self.events.iter().filter_map(|event| event.raw.as_deref()).collect()
    }

    fn own(&self, action: &str) -> usize {
        self.events.iter().filter(|event| event.what.action == action).count()
    }
}

/// Whole objects of lines, whose text is their id.
fn lines(stream: Stream) -> Box<dyn Decoder> {
    struct Lines(Stream, Vec<u8>);
    impl Decoder for Lines {
        fn push(&mut self, bytes: &[u8], _: Stamp, _: &mut Vec<Event>) {
            self.1.extend_from_slice(bytes);
        }
        fn finish(&mut self, now: Stamp, out: &mut Vec<Event>) {
            for line in self.1.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
                let id = EventId::new(Family::Cloudtrail, &[line], 0);
                let mut event = Event::new(id, "Test", now, now, self.0.source(0, 0));
                event.keep_raw(line);
                out.push(event);
            }
        }
        fn next(&self) -> u64 {
            0
        }
    }
    Box::new(Lines(stream, Vec::new()))
}

fn gzip(content: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content.as_bytes()).expect("writes to memory");
    encoder.finish().expect("writes to memory")
}

fn key(minute: &str, random: &str) -> String {
    format!("{DAY}/123456789012_CloudTrail_eu-west-1_20261120T{minute}Z_{random}.json.gz")
}

#[test]
#[ignore = "needs moto"]
fn objects_are_read_once_in_order_and_late_ones_are_not_missed() {
    let moto = Store::start();
    let mut trail = Trail::default();
    moto.put(&key("1000", "b"), gzip("two\n"));
    moto.put(&key("1000", "a"), gzip("one\n"));
    moto.put(&key("1005", "a"), gzip("three\n"));
    let other = "AWSLogs/o-1a/123456789012/CloudTrail/us-east-1/2026/11/20/\
                 123456789012_CloudTrail_us-east-1_20261120T1000Z_z.json.gz";
    moto.put(other, gzip("elsewhere\n"));
    moto.put("AWSLogs/o-1a/123456789012/CloudTrail-Digest/eu-west-1/2026/x.json.gz", gzip("digest\n"));
    let summary = moto.once(moto.bucket(NAME), "", &mut trail);
    assert_eq!(trail.lines(), ["one", "two", "three", "elsewhere"]);
    assert_eq!(trail.own(action::POSITION), 2);
    assert!(summary.failures.is_empty(), "{summary:?}");
    assert!(summary.read.iter().any(|read| read.origin.ends_with("CloudTrail-Digest/")), "{summary:?}");
    // The cursor follows the events it speaks of.
    let place = |what: &str| trail.events.iter().position(|e| e.what.action == what || e.raw.as_deref() == Some(what));
    assert!(place("three") < place(action::POSITION) && place(action::POSITION) < place("elsewhere"));

    let before = trail.events.len();
    moto.once(moto.bucket(NAME), "", &mut trail);
    assert_eq!(trail.events.len(), before, "nothing new, nothing said");

    moto.put(&key("0930", "late"), gzip("late\n"));
    moto.once(moto.bucket(NAME), "AWSLogs/", &mut trail);
    assert_eq!(trail.lines().last(), Some(&"late"));
    assert_eq!(trail.events.len(), before + 2, "a late key moves no cursor");
}

#[test]
#[ignore = "needs moto"]
fn more_than_a_page_and_keys_of_no_layout() {
    let moto = Store::start();
    let expected: Vec<_> = (0..1_050).map(|n| format!("line {n:04}")).collect();
    for (n, line) in expected.iter().enumerate() {
        moto.put(&format!("export/part-{n:04}.json"), line.clone().into_bytes());
    }
    moto.put("export/readme.txt", b"no".to_vec());
    moto.put("export/broken.json.gz", gzip("whole")[..12].to_vec());
    let mut trail = Trail::default();
    for _ in 0..2 {
        moto.once(moto.bucket(NAME), "export", &mut trail);
        assert_eq!(trail.lines().iter().filter(|line| line.starts_with("line")).count(), 1_050);
        assert_eq!((trail.own(action::DAMAGED), trail.own(action::POSITION)), (1, 0));
    }
}

#[test]
#[ignore = "needs moto"]
fn failures_are_told_apart_and_said_once() {
    let moto = Store::start();
    let mut trail = Trail::default();
    for _ in 0..2 {
        let summary = moto.once(moto.bucket("no-such-bucket"), "", &mut trail);
        assert!(summary.failures[0].problem.starts_with("does not exist"), "{summary:?}");
    }
    assert_eq!(trail.own(action::SOURCE_FAILED), 1);
    moto.once(moto.bucket(NAME), "", &mut trail);
    assert_eq!(trail.own(action::SOURCE_BACK), 1, "what is not read any more does not fail");
}

#[test]
fn an_endpoint_that_is_not_there_is_unreachable() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = free.local_addr().expect("it is bound").port();
    drop(free);
    let bucket = bucket_at(&format!("http://127.0.0.1:{port}"), NAME);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let error = runtime.block_on(bucket.list(Listing::default())).err().expect("nobody listens");
    assert!(error.is_passing() && error.to_string().starts_with("cannot be reached"), "{error}");
}
