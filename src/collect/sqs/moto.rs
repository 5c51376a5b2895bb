//! Against a real implementation of S3, SNS and SQS.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use aws_sdk_s3::types::{Event as Happening, NotificationConfiguration, QueueConfiguration, TopicConfiguration};
use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use serde_json::{Value as Json, json};
use tokio::sync::{mpsc, oneshot, watch};

use super::*;
use crate::aws::moto::{self, Moto};
use crate::clock::Clock;
use crate::collect::outlet::Shared;
use crate::collect::registry::Registry;
use crate::collect::s3::bucket::Bucket;
use crate::collect::{Batch, Positions, Progress, Summary};
use crate::config::Source;
use crate::config::source::From;
use crate::event::delivery::DigestRead;
use crate::event::own::action;
use crate::event::{Event, EventId, Family};
use crate::sources::secrets::Marks;

const BUCKET: &str = "audit";
const DAY: &str = "AWSLogs/o-1a/111122223333/CloudTrail/us-east-1/2026/11/20";
const QUEUE_ARN: &str = "arn:aws:sqs:us-east-1:123456789012:cloudtrail";

/// Short enough for a test, long enough for a busy machine.
const QUICK: Pace = Pace {
    visibility: Duration::from_secs(6),
    poll: Duration::from_secs(5),
    poll_once: Duration::ZERO,
    away: Duration::from_millis(200),
    backoff: Duration::from_millis(10),
};

/// A server of its own, with one bucket and one queue.
struct World {
    moto: Moto,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    url: String,
}

/// Whatever the trail would hold.
#[derive(Clone, Default)]
struct Trail {
    events: Arc<Mutex<Vec<Event>>>,
    ids: Arc<Mutex<HashSet<EventId>>>,
}

/// A source that is being read.
struct Running {
    thread: thread::JoinHandle<Summary>,
    batches: mpsc::Receiver<Batch>,
    stop: watch::Sender<bool>,
    progress: Arc<Progress>,
}

impl World {
    fn start() -> Self {
        let moto = Moto::start();
        let s3 = aws_sdk_s3::Client::from_conf(moto::config(&moto.endpoint).build());
        let sqs = sqs_at(&moto.endpoint);
        let url = moto.runtime.block_on(async {
            s3.create_bucket().bucket(BUCKET).send().await.expect("a bucket");
            let queue = sqs.create_queue().queue_name("cloudtrail").send().await.expect("a queue");
            queue.queue_url.expect("an address")
        });
        Self { moto, s3, sqs, url }
    }

    fn put(&self, key: &str, line: &str) {
        let body = format!("{{\"Records\":[{{\"eventID\":\"{line}\",\"eventName\":\"{line}\"}}]}}").into_bytes();
        let put = self.s3.put_object().bucket(BUCKET).key(key).body(body.into());
        self.moto.runtime.block_on(put.send()).expect("an object");
    }

    fn send(&self, body: impl ToString) {
        let send = self.sqs.send_message().queue_url(&self.url).message_body(body.to_string());
        self.moto.runtime.block_on(send.send()).expect("sent");
    }

    /// As S3 tells the queue, or a topic, of what happens in the bucket.
    fn notify(&self, to: NotificationConfiguration) {
        let put = self.s3.put_bucket_notification_configuration().bucket(BUCKET).notification_configuration(to);
        self.moto.runtime.block_on(put.send()).expect("configured");
    }

    /// A request to SNS, for which there is no client here.
    fn sns(&self, form: &str) -> String {
        let host = self.moto.endpoint.strip_prefix("http://").expect("plain");
        let scope =
            "AWS4-HMAC-SHA256 Credential=test/20261120/us-east-1/sns/aws4_request, SignedHeaders=host, Signature=x";
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nAuthorization: {scope}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        );
        let mut stream = TcpStream::connect(host).expect("moto listens");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer
    }

    /// Messages that anybody could receive, and those that somebody has.
    fn counts(&self) -> (u64, u64) {
        let (free, taken) = (Attribute::ApproximateNumberOfMessages, Attribute::ApproximateNumberOfMessagesNotVisible);
        let ask = self.sqs.get_queue_attributes().queue_url(&self.url);
        let ask = ask.attribute_names(free.clone()).attribute_names(taken.clone());
        let answer = self.moto.runtime.block_on(ask.send()).expect("an answer").attributes.expect("attributes");
        let count = |name| answer.get(name).and_then(|n| n.parse().ok()).expect("a number");
        (count(&free), count(&taken))
    }

    fn wait_for(&self, counts: (u64, u64)) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.counts() != counts {
            assert!(Instant::now() < deadline, "{:?} and not {counts:?}", self.counts());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn start_reading(&self, trail: &Trail, mode: Mode, s3: &str) -> Running {
        let configured = Configured {
            url: self.url.clone(),
            buckets: vec![BUCKET.to_owned()],
            region: None,
            endpoint: None,
            s3_region: None,
            s3_endpoint: None,
            path_style: true,
            receives_max: 2,
        };
        self.start_with(configured, trail, mode, s3)
    }

    fn start_with(&self, configured: Configured, trail: &Trail, mode: Mode, s3: &str) -> Running {
        let queue = Queue { client: self.sqs.clone(), url: configured.url.clone(), visibility: QUICK.visibility };
        // What fails is tried again here and not in the SDK, so that a test need not wait for both.
        let client = moto::config(s3).retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled()).build();
        let bucket = Bucket { client: aws_sdk_s3::Client::from_conf(client), name: String::new() };
        let mut positions = Positions::new();
        trail.events.lock().expect("held shortly").iter().for_each(|event| positions.fold(event));
        let ids = Arc::clone(&trail.ids);
        let seen = Arc::new(move |id: &EventId| ids.lock().expect("held shortly").contains(id));
        let progress = Arc::new(Progress::default());
        let registry = Registry::new(positions, seen);
        let shared = Shared { registry, progress: Arc::clone(&progress), clock: Clock::System, mode };
        let source = Source {
            name: "trail".to_owned(),
            family: Family::Cloudtrail,
            from: From::Sqs(configured.clone()),
            host: None,
            zone: crate::sources::zone::Zone::UTC,
            year: None,
            decompressed_bytes_max: 1 << 20,
            world: Default::default(),
        };
        let setting = Setting::new(source, Clock::System, Marks::default(), crate::sources::decoder);
        let (tx, batches) = mpsc::channel(4);
        let (stop, shutdown) = watch::channel(false);
        let runtime = self.moto.runtime.handle().clone();
        let thread = thread::spawn(move || {
            let mut outlet = Outlet::new("trail", tx, shared);
            let made = (queue, Objects::new(bucket));
            let sqs = Sqs::new(&setting, &configured, mode, Wire { runtime, shutdown }, made, QUICK);
            sqs.run(&mut outlet).unwrap_or_default();
            outlet.finish()
        });
        Running { thread, batches, stop, progress }
    }

    /// One run to its end, with a writer that takes everything.
    fn once(&self, trail: &Trail) -> Summary {
        self.once_from(trail, &self.moto.endpoint)
    }

    fn once_from(&self, trail: &Trail, s3: &str) -> Summary {
        let mut running = self.start_reading(trail, Mode::Once, s3);
        while let Some(batch) = running.batches.blocking_recv() {
            trail.take(batch).into_iter().for_each(|durable| durable.send(()).expect("somebody waits"));
        }
        running.thread.join().expect("reading does not panic")
    }
}

impl Trail {
    /// Keeps the events, as the writer does it; who waits for them is for the caller to tell.
    fn take(&self, batch: Batch) -> Vec<oneshot::Sender<()>> {
        let mut ids = self.ids.lock().expect("held shortly");
        let new = batch.events.into_iter().filter(|event| event.id == EventId::PENDING || ids.insert(event.id));
        self.events.lock().expect("held shortly").extend(new);
        batch.durable
    }

    fn of(&self, action: &str) -> Vec<Event> {
        let events = self.events.lock().expect("held shortly");
        events.iter().filter(|event| event.what.action == action).cloned().collect()
    }

    /// The names of the calls, sorted.
    fn calls(&self) -> Vec<String> {
        let events = self.events.lock().expect("held shortly");
        let calls = events.iter().filter(|event| event.source.kind == Family::Cloudtrail);
        let mut calls: Vec<String> = calls.map(|event| event.what.action.clone()).collect();
        calls.sort();
        calls
    }
}

impl Running {
    /// The next batch with somebody who waits for it, and with what came before it.
    fn until_handed_over(&mut self, trail: &Trail) -> Vec<oneshot::Sender<()>> {
        loop {
            let batch = self.batches.blocking_recv().expect("it goes on");
            let durable = trail.take(batch);
            if !durable.is_empty() {
                return durable;
            }
        }
    }

    fn stop(self) -> Summary {
        let Self { thread, mut batches, stop, .. } = self;
        stop.send(true).expect("somebody listens");
        while batches.blocking_recv().is_some() {}
        thread.join().expect("reading does not panic")
    }

    fn wait_until_drained(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !self.progress.sources().values().any(|source| source.drained) {
            assert!(Instant::now() < deadline, "it is not drained");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait_until_failing(&self) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let sources = self.progress.sources();
            if let Some((origin, problem)) = sources.values().find_map(|source| source.failing.iter().next()) {
                return format!("{origin} {problem}");
            }
            assert!(Instant::now() < deadline, "it does not fail");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn sqs_at(endpoint: &str) -> aws_sdk_sqs::Client {
    use aws_sdk_sqs::config::{BehaviorVersion, Config, Credentials, Region};
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .credentials_provider(Credentials::new("test", "test", None, None, "test"));
    aws_sdk_sqs::Client::from_conf(config.build())
}

fn key(name: &str) -> String {
    format!("{DAY}/111122223333_CloudTrail_us-east-1_20261120T1015Z_{name}.json.gz")
}

fn created(key: &str) -> Json {
    let key = key.replace('%', "%25").replace('+', "%2B").replace(' ', "+");
    json!({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
                        "s3": {"bucket": {"name": BUCKET}, "object": {"key": key}}}]})
}

/// Somebody at whose place every request is answered the same.
fn answering(status: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut head = [0; 8_192];
            if stream.read(&mut head).is_ok() {
                let length = body.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                // Who has gone needs no answer.
                stream.write_all(answer.as_bytes()).unwrap_or_default();
            }
        }
    });
    format!("http://{address}")
}

/// Hands requests on to moto, and the answers back only after a while.
fn slow(endpoint: &str, delay: Duration) -> String {
    let upstream = endpoint.strip_prefix("http://").expect("plain").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut here = stream.expect("a connection");
            let mut there = TcpStream::connect(&upstream).expect("moto listens");
            let (mut from_here, mut to_there) = (here.try_clone().expect("a socket"), there.try_clone().expect("one"));
            thread::spawn(move || std::io::copy(&mut from_here, &mut to_there));
            thread::spawn(move || {
                let mut head = [0; 1];
                if there.read_exact(&mut head).is_ok() {
                    thread::sleep(delay);
                    drop(here.write_all(&head).and_then(|()| std::io::copy(&mut there, &mut here)));
                }
            });
        }
    });
    format!("http://{address}")
}

#[test]
#[ignore = "needs moto"]
fn every_envelope_leads_to_its_objects_once() {
    let world = World::start();
    let queue = QueueConfiguration::builder().queue_arn(QUEUE_ARN);
    let queue = queue.events(Happening::from("s3:ObjectCreated:*")).events(Happening::from("s3:ObjectRemoved:*"));
    let topic = world.sns("Action=CreateTopic&Name=cloudtrail");
    let topic = topic.split_once("<TopicArn>").and_then(|(_, rest)| rest.split_once('<')).expect("an ARN").0.to_owned();
    let subscribe = format!("Action=Subscribe&Protocol=sqs&TopicArn={topic}&Endpoint={QUEUE_ARN}");
    world.sns(&subscribe);

    // S3 to SQS, with a key that has to be decoded, and a removal.
    let queue = queue.build().expect("all is set");
    world.notify(NotificationConfiguration::builder().queue_configurations(queue).build());
    world.put(&key("a b+c=d"), "Direct");
    world.put(&key("removed"), "Removed");
    let remove = world.s3.delete_object().bucket(BUCKET).key(key("nothing"));
    world.moto.runtime.block_on(remove.send()).expect("removed");
    world.put("AWSLogs/111122223333/Config/us-east-1/x.json.gz", "NoneOfOurs");
    // S3 to SNS to SQS.
    let told = TopicConfiguration::builder().topic_arn(&topic).events(Happening::from("s3:ObjectCreated:*"));
    let told = told.build().expect("all is set");
    world.notify(NotificationConfiguration::builder().topic_configurations(told).build());
    world.put(&key("sns"), "BySns");
    // From here on nobody tells what is put.
    world.notify(NotificationConfiguration::builder().build());
    world.put(&key("trail"), "ByTrail");
    world.put(&key("bridge"), "ByBridge");
    let of_trail = json!({"s3Bucket": BUCKET, "s3ObjectKey": [key("trail")]}).to_string();
    let encoded: String = of_trail.bytes().map(|byte| format!("%{byte:02X}")).collect();
    world.sns(&format!("Action=Publish&TopicArn={topic}&Message={encoded}"));
    world.send(json!({"detail-type": "Object Created", "source": "aws.s3",
                      "detail": {"bucket": {"name": BUCKET}, "object": {"key": key("bridge")}}}));

    let trail = Trail::default();
    let summary = world.once(&trail);
    assert_eq!(trail.calls(), ["ByBridge", "BySns", "ByTrail", "Direct", "Removed"]);
    assert_eq!(trail.of(action::OBJECT).len(), 5);
    assert!(trail.of(action::SET_ASIDE).is_empty(), "{:?}", trail.of(action::SET_ASIDE));
    assert!(summary.failures.is_empty(), "{summary:?}");
    let note = summary.read.iter().find_map(|read| read.note.clone().filter(|_| read.origin == world.url));
    let note = note.expect("what was passed over is said");
    assert!(
        note.contains("tests of the way here") && note.contains("1 objects that are none of CloudTrail's"),
        "{note}"
    );
    assert_eq!(world.counts(), (0, 0));
}

#[test]
#[ignore = "needs moto"]
fn what_is_told_twice_is_stored_once() {
    let world = World::start();
    let trail = Trail::default();
    for n in 0..12 {
        world.put(&key(&format!("{n:02}")), &format!("Call{n:02}"));
        world.send(created(&key(&format!("{n:02}"))));
        world.send(created(&key(&format!("{n:02}"))));
    }
    world.once(&trail);
    let expected: Vec<String> = (0..12).map(|n| format!("Call{n:02}")).collect();
    assert_eq!(trail.calls(), expected);
    assert_eq!(world.counts(), (0, 0), "what led to nothing new is deleted too");
    world.send(created(&key("03")));
    let before = trail.events.lock().expect("held shortly").len();
    world.once(&trail);
    assert_eq!(trail.events.lock().expect("held shortly").len(), before);
    assert_eq!(world.counts(), (0, 0));
}

#[test]
#[ignore = "needs moto"]
fn a_message_is_kept_until_its_events_are_durable_and_deleted_then() {
    let world = World::start();
    let trail = Trail::default();
    world.put(&key("a"), "One");
    world.send(created(&key("a")));
    world.send("this is none of the four envelopes");
    let mut running = world.start_reading(&trail, Mode::Follow, &world.moto.endpoint);
    let mut held = running.until_handed_over(&trail);
    while held.len() < 2 {
        held.extend(running.until_handed_over(&trail));
    }
    // Far longer than a message would be kept if nobody extended that.
    let until = Instant::now() + 2 * QUICK.visibility;
    while Instant::now() < until {
        assert_eq!(world.counts(), (0, 2), "neither deleted nor given to others");
        thread::sleep(Duration::from_millis(200));
    }
    held.remove(0).send(()).expect("it waits");
    world.wait_for((0, 1));
    held.remove(0).send(()).expect("it waits");
    world.wait_for((0, 0));
    running.stop();
    assert_eq!((trail.calls(), trail.of(action::SET_ASIDE).len()), (vec!["One".to_owned()], 1));
}

#[test]
#[ignore = "needs moto"]
fn a_kill_between_fetch_and_durable_loses_and_doubles_nothing() {
    let world = World::start();
    let trail = Trail::default();
    for name in ["a", "b", "c"] {
        world.put(&key(name), name);
        world.send(created(&key(name)));
    }
    // The first batch arrives, and is lost with the one who took it.
    let mut running = world.start_reading(&trail, Mode::Follow, &world.moto.endpoint);
    let lost = running.batches.blocking_recv().expect("a batch");
    assert!(!lost.events.is_empty());
    drop(lost);
    running.batches.close();
    while running.batches.blocking_recv().is_some() {}
    running.thread.join().expect("it ends");
    world.wait_for((3, 0));
    world.once(&trail);
    assert_eq!(trail.calls(), ["a", "b", "c"]);
    assert_eq!(world.counts(), (0, 0));
}

#[test]
#[ignore = "needs moto"]
fn told_to_stop_it_gives_back_what_is_not_durable_at_once() {
    let world = World::start();
    let trail = Trail::default();
    world.put(&key("a"), "One");
    // More than are received at once: the next ones are received while the first are worked on.
    (0..12).for_each(|_| world.send(created(&key("a"))));
    let slow = slow(&world.moto.endpoint, Duration::from_secs(30));
    let running = world.start_reading(&trail, Mode::Follow, &slow);
    world.wait_for((0, 12));
    running.stop();
    assert_eq!(world.counts(), (12, 0));
    // While it waits for messages that do not come, too.
    world.moto.runtime.block_on(world.sqs.purge_queue().queue_url(&world.url).send()).expect("purged");
    let running = world.start_reading(&trail, Mode::Follow, &slow);
    running.wait_until_drained();
    let began = Instant::now();
    running.stop();
    assert!(began.elapsed() < QUICK.poll, "the end waits for no poll: {:?}", began.elapsed());
    assert!(trail.calls().is_empty());
}

#[test]
#[ignore = "needs moto"]
fn nobody_else_gets_a_message_whose_object_comes_slowly() {
    let world = World::start();
    let trail = Trail::default();
    world.put(&key("a"), "Slow");
    world.send(created(&key("a")));
    let slow = slow(&world.moto.endpoint, 2 * QUICK.visibility);
    let mut running = world.start_reading(&trail, Mode::Once, &slow);
    world.wait_for((0, 1));
    let other = Queue { client: sqs_at(&world.moto.endpoint), url: world.url.clone(), visibility: QUICK.visibility };
    let began = Instant::now();
    while trail.calls().is_empty() {
        let received = world.moto.runtime.block_on(other.receive(Duration::ZERO)).expect("an answer");
        assert!(received.is_empty(), "after {:?}", began.elapsed());
        if let Ok(batch) = running.batches.try_recv() {
            trail.take(batch).into_iter().for_each(|durable| durable.send(()).expect("it waits"));
        }
        thread::sleep(Duration::from_millis(100));
    }
    assert!(began.elapsed() > QUICK.visibility, "it was not slow");
    while let Some(batch) = running.batches.blocking_recv() {
        trail.take(batch).into_iter().for_each(|durable| durable.send(()).expect("it waits"));
    }
    assert_eq!((trail.calls(), world.counts()), (vec!["Slow".to_owned()], (0, 0)));
}

#[test]
#[ignore = "needs moto"]
fn what_leads_nowhere_is_set_aside_whole_and_then_deleted() {
    let world = World::start();
    let trail = Trail::default();
    let gone = created(&key("gone")).to_string();
    let foreign = json!({"s3Bucket": "forged", "s3ObjectKey": [key("a")]}).to_string();
    let confirm = json!({"Type": "SubscriptionConfirmation", "SubscribeURL": "https://sns.example.com/"}).to_string();
    for body in ["{\"Records\":[", &gone, &foreign, &foreign, &confirm] {
        world.send(body);
    }
    world.put(&key("a"), "One");
    world.send(json!({"s3Bucket": BUCKET, "s3ObjectKey": [key("a"), key("away")]}));
    let summary = world.once(&trail);
    let aside = trail.of(action::SET_ASIDE);
    let kept: HashSet<_> = aside.iter().filter_map(|event| event.raw.as_deref()).collect();
    assert_eq!(aside.len(), 5, "each once, and a bucket once: {aside:?}");
    assert!([gone.as_str(), &foreign, &confirm, "{\"Records\":["].iter().all(|body| kept.contains(body)), "{kept:?}");
    let reasons: Vec<_> = aside.iter().filter_map(|event| event.reason.as_deref()).collect();
    for says in ["no JSON", "which is gone", "the bucket forged", "SubscribeURL"] {
        assert!(reasons.iter().any(|reason| reason.contains(says)), "{says}: {reasons:?}");
    }
    let gaps: HashSet<_> = trail.of(action::GAP).iter().map(|gap| gap.detail["whodid"]["origin"].to_string()).collect();
    assert!(gaps.len() == 2 && gaps.iter().any(|origin| origin.contains("gone")), "{gaps:?}");
    assert_eq!((trail.calls(), world.counts()), (vec!["One".to_owned()], (0, 0)));
    assert!(summary.failures.is_empty(), "{summary:?}");
}

#[test]
#[ignore = "needs moto"]
fn what_is_denied_waits_and_says_what_to_allow() {
    let world = World::start();
    let trail = Trail::default();
    world.put(&key("a"), "One");
    world.send(created(&key("a")));
    let denies = answering(
        "403 Forbidden",
        "<Error><Code>AccessDenied</Code><Message>User: x is not authorized to perform: kms:Decrypt on resource: y</Message></Error>",
    );
    for _ in 0..3 {
        let summary = world.once_from(&trail, &denies);
        let problem = &summary.failures[0];
        assert_eq!(problem.origin, "s3://audit");
        assert!(problem.problem.contains("AccessDenied: kms:Decrypt") && problem.problem.contains("s3:GetObject"));
        assert_eq!(world.counts(), (1, 0), "however often it was received");
    }
    assert_eq!((trail.of(action::SOURCE_FAILED).len(), trail.of(action::SET_ASIDE).len()), (1, 0));
    world.once(&trail);
    assert_eq!((trail.calls(), world.counts()), (vec!["One".to_owned()], (0, 0)));
    assert_eq!(trail.of(action::SOURCE_BACK).len(), 1);
}

#[test]
#[ignore = "needs moto"]
fn what_stays_unreadable_is_set_aside_after_some_receives() {
    let world = World::start();
    let trail = Trail::default();
    world.send(created(&key("frozen")));
    let archived =
        answering("403 Forbidden", "<Error><Code>InvalidObjectState</Code><Message>archived</Message></Error>");
    world.once_from(&trail, &archived);
    assert_eq!((trail.of(action::SET_ASIDE).len(), world.counts()), (0, (1, 0)));
    world.once_from(&trail, &archived);
    let (aside, gaps) = (trail.of(action::SET_ASIDE), trail.of(action::GAP));
    assert_eq!((aside.len(), gaps.len(), world.counts()), (1, 1, (0, 0)));
    let reason = aside[0].reason.clone().unwrap_or_default();
    assert!(reason.contains("in 2 receives") && reason.contains("InvalidObjectState"), "{reason}");
}

#[test]
#[ignore = "needs moto"]
fn a_service_that_asks_to_slow_down_loses_no_message() {
    let world = World::start();
    let trail = Trail::default();
    for name in ["a", "b"] {
        world.put(&key(name), name);
        world.send(created(&key(name)));
    }
    let busy = answering("503 Slow Down", "<Error><Code>SlowDown</Code><Message>busy</Message></Error>");
    let running = world.start_reading(&trail, Mode::Follow, &busy);
    let failing = running.wait_until_failing();
    assert!(failing.starts_with("s3://audit asks to slow down (SlowDown)"), "{failing}");
    running.stop();
    world.wait_for((2, 0));
    world.once(&trail);
    assert_eq!((trail.calls(), world.counts()), (vec!["a".to_owned(), "b".to_owned()], (0, 0)));
}

#[test]
#[ignore = "needs moto"]
fn a_queue_that_is_not_there_is_said_so_once() {
    let world = World::start();
    let trail = Trail::default();
    let elsewhere = World { url: format!("{}-elsewhere", world.url), ..world };
    for _ in 0..2 {
        let summary = elsewhere.once(&trail);
        assert!(summary.failures[0].problem.starts_with("does not exist"), "{summary:?}");
    }
    assert_eq!(trail.of(action::SOURCE_FAILED).len(), 1);
}

#[test]
#[ignore = "needs moto"]
fn whoever_asks_is_told_whether_queue_and_buckets_can_be_read() {
    let world = World::start();
    world.send("one");
    let queue = Queue { client: world.sqs.clone(), url: world.url.clone(), visibility: Duration::ZERO };
    let probe = world.moto.runtime.block_on(queue.probe()).expect("it is there");
    assert_eq!((probe.waiting, probe.receives_before_dead), (Some(1), None));
    assert_eq!(world.counts(), (1, 0), "nothing was taken");
    let policy = json!({"deadLetterTargetArn": QUEUE_ARN, "maxReceiveCount": "5"}).to_string();
    let set = world.sqs.set_queue_attributes().queue_url(&world.url).attributes(Attribute::RedrivePolicy, policy);
    world.moto.runtime.block_on(set.send()).expect("set");
    let probe = world.moto.runtime.block_on(queue.probe()).expect("it is there");
    assert_eq!(probe.receives_before_dead, Some(5));
    let bucket = Bucket { client: world.s3.clone(), name: BUCKET.to_owned() };
    let look = || world.moto.runtime.block_on(crate::collect::s3::look_into(&bucket, "AWSLogs/"));
    assert_eq!(
        look(),
        Ok("s3://audit/AWSLogs/ can be listed; nothing of CloudTrail's is among the first objects".to_owned())
    );
    world.put(&key("a"), "One");
    assert_eq!(look(), Ok("s3://audit/AWSLogs/ can be listed and read".to_owned()));
    let elsewhere = Bucket { client: world.s3.clone(), name: "elsewhere".to_owned() };
    let missing = world.moto.runtime.block_on(crate::collect::s3::look_into(&elsewhere, ""));
    assert!(missing.is_err_and(|problem| problem.starts_with("s3://elsewhere/ does not exist")));
}

#[test]
#[ignore = "needs moto"]
fn a_digest_is_kept_with_its_signature() {
    let world = World::start();
    let trail = Trail::default();
    let digest = "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/11/20/\
                  111122223333_CloudTrail-Digest_us-east-1_t_us-east-1_20261120T101500Z.json.gz";
    let put = world.s3.put_object().bucket(BUCKET).key(digest).metadata("signature", "0a1b");
    let put = put.body(b"{\"logFiles\":[]}".to_vec().into());
    world.moto.runtime.block_on(put.send()).expect("an object");
    world.send(created(digest));
    world.once(&trail);
    let read: Vec<_> = trail.of(action::DIGEST).iter().filter_map(DigestRead::of).collect();
    assert_eq!(read.iter().map(|read| read.signature.as_deref()).collect::<Vec<_>>(), [Some("0a1b")]);
    assert_eq!((trail.calls().len(), world.counts()), (0, (0, 0)));
}
