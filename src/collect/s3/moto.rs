//! Against a real S3 implementation.

mod faults;
mod many;

use std::collections::HashSet;
use std::io::Write as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use aws_sdk_s3::Client;
use tokio::sync::{mpsc, watch};

use super::bucket::Listing;
use super::*;
use crate::aws::moto::{self, Moto};
use crate::clock::Clock;
use crate::collect::outlet::Shared;
use crate::collect::registry::Registry;
use crate::collect::{Batch, Progress, Summary};
use crate::config::Source;
use crate::event::delivery::DigestRead;
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
        self.put_all(vec![(key.to_owned(), body)]);
    }

    fn put_all(&self, objects: Vec<(String, Vec<u8>)>) {
        let client = self.bucket(NAME).client;
        self.0.runtime.block_on(async {
            for some in objects.chunks(16) {
                let puts: Vec<_> = some
                    .iter()
                    .map(|(key, body)| client.put_object().bucket(NAME).key(key).body(body.clone().into()).send())
                    .map(|put| tokio::spawn(async move { put.await.map(drop) }))
                    .collect();
                for put in puts {
                    put.await.expect("no panic").expect("an object");
                }
            }
        });
    }

    fn put_signed(&self, key: &str, body: Vec<u8>, signature: &str) {
        let put = self.bucket(NAME).client.put_object().bucket(NAME).key(key).body(body.into());
        self.0.runtime.block_on(put.metadata("signature", signature).send()).expect("an object");
    }

    /// One run over the bucket: its summary, and the events that were sent.
    fn once(&self, bucket: Bucket, prefix: &str, trail: &mut Trail) -> Summary {
        once(&self.0.runtime, bucket, prefix, trail, usize::MAX)
    }
}

fn bucket_at(endpoint: &str, name: &str) -> Bucket {
    Bucket { client: Client::from_conf(moto::config(endpoint).build()), name: name.to_owned() }
}

/// A run that is killed when so many events are durable.
fn once(
    runtime: &tokio::runtime::Runtime,
    bucket: Bucket,
    prefix: &str,
    trail: &mut Trail,
    events_max: usize,
) -> Summary {
    let ids = Arc::clone(&trail.ids);
    let mut positions = Positions::new();
    trail.events.iter().for_each(|event| positions.fold(event));
    let seen = Arc::new(move |id: &EventId| ids.lock().expect("held shortly").contains(id));
    let shared = Shared {
        registry: Registry::new(positions, seen),
        progress: Arc::new(Progress::default()),
        clock: Clock::Fixed(Stamp::parse("2026-11-21T12:00:00Z").expect("an instant")),
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
        decompressed_bytes_max: 4 << 20,
        world: Default::default(),
    };
    let setting = Setting::new(source, shared.clock, Marks::default(), lines);
    let handle = runtime.handle().clone();
    let thread = std::thread::spawn(move || {
        let mut outlet = Outlet::new("trail", tx, shared);
        // Closed is what a kill looks like from here.
        let ended = read_bucket(Ok(bucket), &setting, Mode::Once, Wire { runtime: handle, shutdown }, &mut outlet);
        (ended.is_ok(), outlet.finish())
    });
    let room = trail.events.len().saturating_add(events_max);
    'durable: while let Some(batch) = rx.blocking_recv() {
        for event in batch.events {
            if trail.events.len() >= room {
                break 'durable;
            }
            let mut ids = trail.ids.lock().expect("held shortly");
            if event.id == EventId::PENDING || ids.insert(event.id) {
                trail.events.push(event);
            }
        }
    }
    drop(rx);
    let (is_whole, summary) = thread.join().expect("reading does not panic");
    assert!(is_whole || events_max < usize::MAX, "somebody takes the events");
    summary
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
    moto.put("AWSLogs/o-1a/123456789012/Config/eu-west-1/2026/11/20/x.json.gz", gzip("of another service\n"));
    let summary = moto.once(moto.bucket(NAME), "", &mut trail);
    assert_eq!(trail.lines(), ["one", "two", "three", "elsewhere"]);
    assert_eq!((trail.own(action::POSITION), trail.own(action::OBJECT)), (2, 4));
    assert!(summary.failures.is_empty(), "{summary:?}");
    // The cursor follows the events it speaks of.
    let place = |what: &str| trail.events.iter().position(|e| e.what.action == what || e.raw.as_deref() == Some(what));
    assert!(place("three") < place(action::POSITION) && place(action::POSITION) < place("elsewhere"));

    let before = trail.events.len();
    moto.once(moto.bucket(NAME), "", &mut trail);
    assert_eq!(trail.events.len(), before, "nothing new, nothing said");

    moto.put(&key("0930", "late"), gzip("late\n"));
    moto.once(moto.bucket(NAME), "AWSLogs/", &mut trail);
    assert_eq!(trail.lines().last(), Some(&"late"));
    assert_eq!((trail.events.len(), trail.own(action::POSITION)), (before + 2, 2), "a late key moves no cursor");
}

#[test]
#[ignore = "needs moto"]
fn whoever_may_write_cannot_lead_a_cursor_past_what_is_to_come() {
    let moto = Store::start();
    let mut trail = Trail::default();
    let region = DAY.trim_end_matches("2026/11/20");
    let hostile = [
        format!("{region}2099/01/01/123456789012_CloudTrail_eu-west-1_20990101T0000Z_x.json.gz"),
        format!("{DAY}/999999999999_CloudTrail_eu-west-1_20261120T1000Z_x.json.gz"),
        format!("{region}9999/11/20/123456789012_CloudTrail_eu-west-1_20261120T1000Z_x.json.gz"),
        format!("{region}zzz.json.gz"),
    ];
    for (n, key) in hostile.iter().enumerate() {
        moto.put(key, gzip(&format!("hostile {n}\n")));
    }
    moto.once(moto.bucket(NAME), "", &mut trail);
    assert_eq!((trail.lines().len(), trail.own(action::POSITION)), (4, 0), "they are read, and no more");
    for minute in ["1000", "1300"] {
        moto.put(&key(minute, "a"), gzip(&format!("at {minute}\n")));
        moto.once(moto.bucket(NAME), "", &mut trail);
        assert!(trail.lines().contains(&format!("at {minute}").as_str()));
    }
    assert_eq!(trail.own(action::POSITION), 2);
}

#[test]
#[ignore = "needs moto"]
fn insights_are_records_and_digests_come_after_all_records() {
    let moto = Store::start();
    let mut trail = Trail::default();
    let name =
        |kind: &str, rest: &str| format!("AWSLogs/12/{kind}/eu-west-1/2026/11/20/12_{kind}_eu-west-1_{rest}.json.gz");
    moto.put(&name("CloudTrail-Insight", "20261120T1000Z_a"), gzip("insight\n"));
    moto.put("AWSLogs/13/CloudTrail/r/2026/11/20/13_CloudTrail_r_20261120T1000Z_a.json.gz", gzip("other account\n"));
    let digest = |trail: &str, time: &str| name("CloudTrail-Digest", &format!("{trail}_us-east-1_20261120T{time}Z"));
    moto.put_signed(&digest("zeta", "101530"), gzip("{}"), "5f00ab");
    moto.put(&digest("zeta", "111530_backfill"), [gzip("{}"), gzip("{}")].concat());
    moto.once(moto.bucket(NAME), "", &mut trail);
    assert_eq!(trail.lines(), ["insight", "other account", "{}", "{}"]);
    let digests: Vec<_> = trail.events.iter().filter_map(DigestRead::of).collect();
    let signatures: Vec<_> = digests.iter().map(|digest| digest.signature.as_deref()).collect();
    assert_eq!(signatures, [Some("5f00ab"), None]);
    assert_eq!((trail.own(action::POSITION), trail.own(action::OBJECT), trail.own(action::DAMAGED)), (3, 2, 1));

    // Of another trail, whose name comes before: by name it is behind the cursor.
    moto.put_signed(&digest("alpha", "121530"), gzip("{}"), "5f00ac");
    moto.once(moto.bucket(NAME), "", &mut trail);
    assert_eq!(trail.own(action::DIGEST), 3);
    let before = trail.events.len();
    moto.once(moto.bucket(NAME), "", &mut trail);
    assert_eq!(trail.events.len(), before);
}

#[test]
#[ignore = "needs moto"]
fn a_bomb_is_stopped_and_the_others_are_read() {
    let moto = Store::start();
    let mut trail = Trail::default();
    moto.put(&key("1000", "bomb"), gzip(&"line\n".repeat(2 << 20)));
    moto.put(&key("1001", "b"), gzip("after\n"));
    moto.put(&key("1002", "tail"), [gzip("first\n"), gzip("hidden\n")].concat());
    let summary = moto.once(moto.bucket(NAME), "", &mut trail);
    assert!(summary.read[0].note.as_deref().is_some_and(|note| note.contains("decompressed_bytes_max")), "{summary:?}");
    assert_eq!(summary.read[0].bytes, 4 << 20);
    assert_eq!((trail.own(action::DAMAGED), trail.own(action::OBJECT)), (2, 2));
    let kept: Vec<_> = trail.events.iter().filter_map(|event| event.raw_base64.clone()).collect();
    assert_eq!(kept, [data_encoding::BASE64.encode(&gzip("hidden\n"))]);
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
    moto.put("export/odd \u{1}+%41\u{e4}.json", b"of an odd name".to_vec());
    moto.put("export/broken.json.gz", gzip("whole")[..12].to_vec());
    let mut trail = Trail::default();
    for _ in 0..2 {
        moto.once(moto.bucket(NAME), "export", &mut trail);
        assert_eq!(trail.lines().iter().filter(|line| line.starts_with("line")).count(), 1_050);
        assert_eq!((trail.own(action::DAMAGED), trail.own(action::POSITION)), (1, 1), "that there is no layout");
        assert!(trail.lines().contains(&"of an odd name"));
    }
    // What lies where CloudTrail would have it does not end that.
    moto.put("export/AWSLogs/1/CloudTrail/x/y", b"no".to_vec());
    moto.put("export/zz.json", b"behind it".to_vec());
    moto.once(moto.bucket(NAME), "export", &mut trail);
    assert_eq!((trail.lines().last(), trail.own(action::POSITION)), (Some(&"behind it"), 1));
}

#[test]
#[ignore = "needs moto"]
fn a_folder_at_the_root_hides_none_one_level_down_and_what_is_not_looked_into_is_said() {
    let moto = Store::start();
    let mut trail = Trail::default();
    moto.put("AWSLogs/1/CloudTrail/x/y", b"no".to_vec());
    moto.put(&format!("audit/{}", key("1000", "a")), gzip("below\n"));
    for _ in 0..2 {
        let summary = moto.once(moto.bucket(NAME), "", &mut trail);
        assert_eq!((trail.lines(), summary.failures.len()), (vec!["below"], 0), "{summary:?}");
    }
    moto.put_all((0..50).map(|n| (format!("folder-{n}/x.txt"), b"no".to_vec())).collect());
    let summary = moto.once(moto.bucket(NAME), "", &mut trail);
    assert!(summary.failures[0].problem.starts_with("has more than 50 folders"), "{summary:?}");
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
