//! Against the fake of CloudTrail's API: what is read, whatever is killed when and whatever is answered.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use super::*;
use crate::aws::cloudtrail_fake::{Answer, Call, Fake, record};
use crate::clock::Clock;
use crate::collect::outlet::{Closed, Outlet, Shared};
use crate::collect::registry::Registry;
use crate::collect::setting::Setting;
use crate::collect::{BROKEN, Batch, Mode, Positions, Progress, Summary};
use crate::config::Source;
use crate::config::source::{self, From as Place, Lookup};
use crate::event::delivery::PublicKey;
use crate::event::own::action;
use crate::event::{Event, EventId, Family, Stamp};
use crate::sources::secrets::Marks;

const NOW: i64 = 1_795_176_000;
const DAY: i64 = 24 * 60 * 60;
const REGION: &str = "eu-central-1";
const ACCOUNT: &str = "111122223333";

/// What was stored, as the trail stores it: an id once.
#[derive(Default)]
struct Trail {
    events: Vec<Event>,
    ids: Arc<Mutex<HashSet<EventId>>>,
    /// Batches until the writer is killed.
    lives: Option<usize>,
}

impl Trail {
    /// Every record's eventID, in the order of the trail.
    fn records(&self) -> Vec<String> {
        let of = |event: &Event| {
            let raw = event.raw.as_deref().filter(|_| event.source.kind == Family::Cloudtrail)?;
            let record: serde_json::Value = serde_json::from_str(raw).ok()?;
            Some(record["eventID"].as_str()?.to_owned())
        };
        self.events.iter().filter_map(of).collect()
    }

    fn own(&self, action: &str) -> Vec<&Event> {
        self.events.iter().filter(|event| event.what.action == action).collect()
    }

    fn positions(&self) -> Positions {
        let mut positions = Positions::new();
        self.events.iter().for_each(|event| positions.fold(event));
        positions
    }

    fn sorted(&self) -> Vec<String> {
        let mut records = self.records();
        records.sort();
        records
    }
}

struct Account {
    fake: Fake,
    runtime: Runtime,
}

impl Account {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Self { fake: Fake::start(), runtime: runtime.expect("a runtime") }
    }

    fn put(&self, seconds: i64, id: &str) {
        self.fake.put(REGION, seconds, id, &record(ACCOUNT, REGION, seconds, id));
    }

    /// One run of a source at an instant.
    fn run(
        &self,
        now: i64,
        mode: Mode,
        trail: &mut Trail,
        work: impl FnOnce(&Setting, &Wire, &mut Outlet) -> Result<(), Closed> + Send,
    ) -> Summary {
        let (_tell, shutdown) = watch::channel(false);
        self.run_until(now, mode, trail, shutdown, work)
    }

    fn run_until(
        &self,
        now: i64,
        mode: Mode,
        trail: &mut Trail,
        shutdown: watch::Receiver<bool>,
        work: impl FnOnce(&Setting, &Wire, &mut Outlet) -> Result<(), Closed> + Send,
    ) -> Summary {
        let clock = Clock::Fixed(Stamp::from_unix(now, 0));
        let ids = Arc::clone(&trail.ids);
        let seen = Arc::new(move |id: &EventId| ids.lock().expect("held shortly").contains(id));
        let registry = Registry::new(trail.positions(), seen);
        let shared = Shared { registry, progress: Arc::new(Progress::default()), clock, mode };
        let (tx, mut rx) = mpsc::channel::<Batch>(1);
        let wire = Wire { runtime: self.runtime.handle().clone(), shutdown };
        let setting = Setting::new(source(), clock, Marks::default(), crate::sources::decoder);
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                let mut outlet = Outlet::new("aws", tx, shared);
                // Killed: nobody takes events any more.
                work(&setting, &wire, &mut outlet).unwrap_or_default();
                outlet.finish()
            });
            while let Some(batch) = rx.blocking_recv() {
                if let Some(lives) = &mut trail.lives {
                    if *lives == 0 {
                        drop(rx);
                        break;
                    }
                    *lives -= 1;
                }
                for event in batch.events {
                    if event.id == EventId::PENDING || trail.ids.lock().expect("held shortly").insert(event.id) {
                        trail.events.push(event);
                    }
                }
            }
            thread.join().expect("reading does not panic")
        })
    }

    fn lookup(&self, now: i64, trail: &mut Trail, regions: &[&str], since: i64) -> Summary {
        let lookup = history(regions, since);
        let endpoint = self.fake.endpoint.clone();
        self.run(now, Mode::Once, trail, move |setting, wire, outlet| {
            let open = |region: Option<&str>| Ok(Api::of_test(&endpoint, region.unwrap_or(REGION)));
            lookup::read_by(setting, &lookup, Mode::Once, wire, &open, outlet)
        })
    }
}

fn source() -> Source {
    let (host, year) = (None, None);
    let zone = crate::sources::zone::Zone::UTC;
    let from = Place::Stdin;
    Source {
        name: "aws".to_owned(),
        family: Family::Cloudtrail,
        from,
        host,
        zone,
        year,
        decompressed_bytes_max: 1 << 20,
        world: Default::default(),
    }
}

fn history(regions: &[&str], since: i64) -> Lookup {
    Lookup {
        regions: regions.iter().map(|region| (*region).to_owned()).collect(),
        api: source::Api::default(),
        since: Duration::from_secs(since.unsigned_abs()),
        poll: Duration::from_secs(60),
        insights: true,
    }
}

#[test]
fn ten_thousand_events_are_read_once_in_order_though_every_third_call_is_refused() {
    let place = Account::start();
    // Unevenly: most of them within one minute, so that windows have to become smaller.
    let mut expected = Vec::new();
    for n in 0..10_500_i64 {
        let at = if n < 500 { NOW - 3 * DAY + n * 240 } else { NOW - DAY + (n - 500) / 170 };
        let id = format!("{n:05}");
        place.put(at, &id);
        expected.push(id);
    }
    place.fake.interfere(|call| (call.number % 3 == 0).then(Answer::throttled));
    let mut trail = Trail::default();
    let summary = place.lookup(NOW, &mut trail, &[], 4 * DAY);
    assert!(summary.failures.is_empty(), "{:?}", summary.failures);
    assert_eq!(trail.sorted(), expected);
    let whens: Vec<_> =
        trail.events.iter().filter(|event| event.source.kind == Family::Cloudtrail).map(|e| e.when).collect();
    assert!(whens.is_sorted(), "the oldest first");
    let event = trail.events.iter().find(|event| event.source.kind == Family::Cloudtrail).expect("some");
    assert_eq!(&*event.source.origin, "cloudtrail://111122223333/eu-central-1/LookupEvents");
    assert_eq!(event.raw.as_deref(), Some(record(ACCOUNT, REGION, NOW - 3 * DAY, "00000").as_str()));
    let read = summary.read.iter().find(|read| read.events > 0).expect("read");
    assert_eq!((read.events, read.origin.as_str()), (10_500, &*event.source.origin));

    // Read again, all is known, and nothing is said anew.
    let before = trail.events.len();
    place.fake.behave();
    place.lookup(NOW, &mut trail, &[], 4 * DAY);
    assert_eq!(trail.events.len(), before);
}

#[test]
fn a_second_with_more_events_than_a_window_holds_is_read_all_the_same() {
    let place = Account::start();
    for n in 0..10_400_i64 {
        place.put(NOW - DAY, &format!("{n:05}"));
    }
    place.put(NOW - DAY + 1, "later");
    let mut trail = Trail::default();
    place.lookup(NOW, &mut trail, &[], 2 * DAY);
    assert_eq!(trail.records().len(), 10_401);
    assert_eq!(trail.records().last().map(String::as_str), Some("later"));
}

/// Calls are cut off one after the other, then the writer is killed after each batch; each time it goes on from what
/// the trail has.
#[test]
fn a_kill_between_any_two_calls_loses_and_doubles_nothing() {
    let filled = || {
        let place = Account::start();
        for n in 0..260_i64 {
            place.put(NOW - 5 * DAY + n * 1_650, &format!("{n:05}"));
        }
        place
    };
    let place = filled();
    let mut whole = Trail::default();
    place.lookup(NOW, &mut whole, &[], 6 * DAY);
    let calls = place.fake.state().calls.len();
    assert!(whole.records().len() == 260 && calls > 12, "{calls}");
    let batches = whole.own(action::POSITION).len();
    assert!(batches > 5, "{batches}");

    for kill in 1..=calls {
        let place = filled();
        let mut trail = Trail::default();
        let (tell, shutdown) = watch::channel(false);
        place.fake.interfere(move |call| {
            (call.number == kill).then(|| {
                tell.send(true).expect("it runs");
                std::thread::sleep(Duration::from_millis(20));
                Answer::of(200, &json!({"Events": []}))
            })
        });
        let (lookup, endpoint) = (history(&[], 6 * DAY), place.fake.endpoint.clone());
        place.run_until(NOW, Mode::Once, &mut trail, shutdown, move |setting, wire, outlet| {
            let open = |_: Option<&str>| Ok(Api::of_test(&endpoint, REGION));
            lookup::read_by(setting, &lookup, Mode::Once, wire, &open, outlet)
        });
        place.fake.behave();
        place.lookup(NOW + 60, &mut trail, &[], 6 * DAY);
        assert_eq!(trail.sorted(), whole.sorted(), "killed at call {kill}");
    }
    for lives in 0..batches {
        let mut trail = Trail { lives: Some(lives), ..Trail::default() };
        place.lookup(NOW, &mut trail, &[], 6 * DAY);
        trail.lives = None;
        place.lookup(NOW + 60, &mut trail, &[], 6 * DAY);
        assert_eq!(trail.sorted(), whole.sorted(), "killed after batch {lives}");
    }
}

#[test]
fn two_regions_have_cursors_of_their_own_and_one_that_is_denied_leaves_the_other_alone() {
    let place = Account::start();
    place.put(NOW - DAY, "here");
    let other = "us-east-1";
    place.fake.put(other, NOW - DAY, "there", &record(ACCOUNT, other, NOW - DAY, "there"));
    place.fake.interfere(|call| (call.region == "us-east-1").then(|| Answer::denied("cloudtrail:LookupEvents")));
    let mut trail = Trail::default();
    let summary = place.lookup(NOW, &mut trail, &[REGION, other], 2 * DAY);
    assert_eq!(trail.records(), ["here"]);
    assert_eq!(summary.failures.len(), 1);
    let failed = trail.own(action::SOURCE_FAILED);
    assert_eq!(failed.len(), 1);
    let reason = failed[0].reason.as_deref().unwrap_or_default();
    assert!(reason.ends_with("allow cloudtrail:LookupEvents"), "{reason}");
    let cursor = |trail: &Trail, region: &str| {
        trail.positions().cursor("aws", &format!("cloudtrail://{region}/LookupEvents")).map(str::to_owned)
    };
    assert_eq!(cursor(&trail, REGION), Some(Stamp::from_unix(NOW - 15 * 60, 0).to_string()));
    assert_eq!(cursor(&trail, other), None);
    place.fake.behave();
    place.lookup(NOW, &mut trail, &[REGION, other], 2 * DAY);
    assert_eq!(trail.records(), ["here", "there"]);
    assert_eq!(trail.own(action::SOURCE_BACK).len(), 1);
}

#[test]
fn events_that_arrive_late_are_met() {
    let place = Account::start();
    place.put(NOW - 60, "prompt");
    let mut trail = Trail::default();
    place.lookup(NOW, &mut trail, &[], DAY);
    // Ten minutes late, and two hours late: the last quarter of an hour is read again always, three hours before it
    // at a start.
    place.put(NOW - 10 * 60, "late");
    place.put(NOW - 2 * 60 * 60, "very late");
    place.lookup(NOW + 120, &mut trail, &[], DAY);
    assert_eq!(trail.sorted(), ["late", "prompt", "very late"]);
    // Earlier than that nothing is asked for again.
    let asked = place.fake.state().calls.len();
    assert_eq!(asked, 2 * (5 + 3), "two categories: five windows of a day, and three of three hours and a quarter");
}

#[test]
fn events_that_arrive_late_while_the_program_is_down_are_met() {
    let place = Account::start();
    place.put(NOW - 60, "prompt");
    let mut trail = Trail::default();
    place.lookup(NOW, &mut trail, &[], DAY);
    place.put(NOW - 2 * 60 * 60, "very late");
    place.lookup(NOW + 10 * 60 * 60, &mut trail, &[], DAY);
    assert_eq!(trail.sorted(), ["prompt", "very late"]);
}

#[test]
fn while_following_a_quiet_minute_costs_a_call_and_no_event() {
    let place = Account::start();
    place.put(NOW - DAY, "old");
    let mut trail = Trail::default();
    place.lookup(NOW, &mut trail, &[], 2 * DAY);
    let (before, asked) = (trail.events.len(), place.fake.state().calls.len());
    let (tell, shutdown) = watch::channel(false);
    let mut polls = 0;
    place.fake.interfere(move |call| {
        polls += usize::from(call.body["EventCategory"] != "insight");
        if polls == 4 {
            tell.send(true).expect("it runs");
        }
        None
    });
    let (mut lookup, endpoint) = (history(&[], 2 * DAY), place.fake.endpoint.clone());
    lookup.poll = Duration::from_millis(1);
    place.run_until(NOW + 60, Mode::Follow, &mut trail, shutdown, move |setting, wire, outlet| {
        let open = |_: Option<&str>| Ok(Api::of_test(&endpoint, REGION));
        lookup::read_by(setting, &lookup, Mode::Follow, wire, &open, outlet)
    });
    assert_eq!(trail.events.len(), before, "a minute moves no cursor");
    assert_eq!(
        place.fake.state().calls.len() - asked,
        4 + 3,
        "three windows of three hours, then one; once for Insight events"
    );
}

#[test]
fn insights_are_read_with_their_own_cursor() {
    let place = Account::start();
    let text = record(ACCOUNT, REGION, NOW - DAY, "burst")
        .replace("\"eventVersion\"", "\"eventType\":\"AwsCloudTrailInsight\",\"eventVersion\"");
    place.fake.put_insight(REGION, NOW - DAY, "burst", &text);
    let mut trail = Trail::default();
    place.lookup(NOW, &mut trail, &[], 2 * DAY);
    assert_eq!(trail.records(), ["burst"]);
    assert!(trail.positions().cursor("aws", "cloudtrail://eu-central-1/LookupEvents?category=insight").is_some());
}

#[test]
fn what_aws_forgot_since_the_last_reading_is_a_gap() {
    let place = Account::start();
    let mut trail = Trail::default();
    place.lookup(NOW - 100 * DAY, &mut trail, &[], DAY);
    place.put(NOW - DAY, "new");
    for _ in 0..2 {
        place.lookup(NOW, &mut trail, &[], DAY);
    }
    assert_eq!(trail.records(), ["new"]);
    let gaps = trail.own(action::GAP);
    assert_eq!(gaps.len(), 2, "one for each category, once");
    let facts = &gaps[0].detail["whodid"];
    let stamp = |seconds| Stamp::from_unix(seconds, 0).to_string();
    assert_eq!(facts["from"], stamp(NOW - 100 * DAY - 15 * 60 + 1));
    assert_eq!(facts["to"], stamp(NOW - 90 * DAY));
}

#[test]
fn a_token_that_expired_begins_its_window_again() {
    let place = Account::start();
    for n in 0..120_i64 {
        place.put(NOW - DAY + n, &format!("{n:03}"));
    }
    let (fake, once) = (place.fake.clone(), AtomicBool::new(true));
    place.fake.interfere(move |call| {
        if call.body["NextToken"].is_string() && once.swap(false, Ordering::Relaxed) {
            fake.expire_tokens();
        }
        None
    });
    let mut trail = Trail::default();
    let summary = place.lookup(NOW, &mut trail, &[], 2 * DAY);
    assert!(summary.failures.is_empty(), "{:?}", summary.failures);
    assert_eq!(trail.records().len(), 120);
}

#[test]
fn hostile_answers_are_failures_or_kept_and_never_the_end() {
    type Reply = fn(&Call) -> Option<Answer>;
    let hostile: [(&str, Reply, &str); 4] = [
        (
            "a token that repeats",
            |_| Some(Answer::of(200, &json!({"Events": [], "NextToken": "x"}))),
            "gives pages without end",
        ),
        ("no JSON", |_| Some(Answer { status: 200, body: b"<html>".to_vec(), chunked: false }), "answered 200"),
        ("a token of the wrong type", |_| Some(Answer::of(200, &json!({"Events": {"a": 1}}))), "answered 200"),
        (
            "credentials that expired",
            |_| Some(Answer::error(400, "ExpiredTokenException", "x")),
            "the AWS credentials are not",
        ),
    ];
    for (what, answer, problem) in hostile {
        let place = Account::start();
        place.put(NOW - DAY, "kept");
        place.fake.interfere(answer);
        let mut trail = Trail::default();
        let summary = place.lookup(NOW, &mut trail, &[], 2 * DAY);
        assert!(summary.failures[0].problem.starts_with(problem), "{what}: {:?}", summary.failures);
        assert!(trail.own(action::POSITION).is_empty(), "{what}");
        place.fake.behave();
        place.lookup(NOW, &mut trail, &[], 2 * DAY);
        assert_eq!(trail.records(), ["kept"], "{what}");
    }
}

#[test]
fn events_without_a_right_record_are_kept_and_said_once() {
    let place = Account::start();
    let at = NOW - 60;
    place.fake.put_event(REGION, at, json!({"EventId": "bare"}));
    place.fake.put_event(REGION, at, json!({"EventId": "null", "CloudTrailEvent": null}));
    place.fake.put_event(REGION, at, json!({"EventId": "blank", "CloudTrailEvent": " "}));
    place.fake.put_event(REGION, at, json!({"EventId": "prose", "CloudTrailEvent": "no JSON"}));
    place.fake.put_event(REGION, at, json!({"EventId": "none", "CloudTrailEvent": "{\"eventName\":\"A\"}"}));
    let forged = record("../../etc", REGION, at, "account");
    place.fake.put_event(REGION, at, json!({"EventId": "account", "CloudTrailEvent": forged}));
    place.put(at, "right");
    let mut trail = Trail::default();
    for now in [NOW, NOW + 30] {
        place.lookup(now, &mut trail, &[], DAY);
    }
    assert_eq!(trail.own(action::DAMAGED).len(), 3);
    let raws: Vec<_> = trail.own("unparsed").iter().filter_map(|event| event.raw.clone()).collect();
    assert_eq!(raws, ["no JSON"]);
    assert_eq!(trail.own("A").len(), 1, "known by its content when it is read again");
    assert_eq!(trail.sorted(), ["account", "right"]);
    assert!(trail.events.iter().all(|event| !event.source.origin.contains("..")));
}

const ARN: &str = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/main";

fn described() -> serde_json::Value {
    json!({"Name": "main", "TrailARN": ARN, "HomeRegion": REGION, "S3BucketName": "audit", "S3KeyPrefix": "p", "LogFileValidationEnabled": true})
}

/// One look at the trail; what would then be read.
fn watch_trail(place: &Account, name: &str, then: Place, trail: &mut Trail) -> (Summary, Option<Place>) {
    let wanted = source::Trail { name: name.to_owned(), api: source::Api::default() };
    let endpoint = place.fake.endpoint.clone();
    let read = Arc::new(Mutex::new(None));
    let seen = Arc::clone(&read);
    let summary = place.run(NOW, Mode::Once, trail, move |setting, wire, outlet| {
        let open = |region: Option<&str>| Ok(Api::of_test(&endpoint, region.unwrap_or("us-east-1")));
        trails::read_by(setting, (&wanted, then), Mode::Once, wire, &open, outlet, |setting, _| {
            *seen.lock().expect("held shortly") = Some(setting.source.from);
            Ok(())
        })
    });
    let read = read.lock().expect("held shortly").take();
    (summary, read)
}

fn bucket(name: &str) -> Place {
    let (prefix, region, endpoint) = (String::new(), None, None);
    Place::S3 { bucket: name.to_owned(), prefix, region, endpoint, path_style: false, poll: Duration::from_secs(60) }
}

#[test]
fn a_trail_says_which_bucket_is_read_unless_another_is_named() {
    let place = Account::start();
    place.fake.state().trails.push(described());
    place.fake.state().statuses.insert(ARN.to_owned(), json!({"IsLogging": true}));
    let mut trail = Trail::default();
    let (summary, read) = watch_trail(&place, "main", bucket(""), &mut trail);
    let Some(Place::S3 { bucket: name, prefix, region, .. }) = read else { panic!("a bucket") };
    assert_eq!((name.as_str(), prefix.as_str(), region.as_deref()), ("audit", "p", Some(REGION)));
    assert!(summary.failures.is_empty());
    let (_, read) = watch_trail(&place, ARN, bucket("copy"), &mut trail);
    assert_eq!(read, Some(bucket("copy")));
    // Found by way of another region, its status is asked for at home.
    let calls = place.fake.state().calls.clone();
    assert!(calls.iter().all(|(region, what)| what != "GetTrailStatus" || region == REGION), "{calls:?}");
    let said = trail.own(action::TRAIL_STATUS);
    assert_eq!((said[0].what.object.as_deref(), &said[0].reason), (Some(ARN), &None));
    assert_eq!(said[0].detail["whodid"]["is_logging"], true);
}

#[test]
fn a_trail_that_fails_is_a_failing_source_with_what_to_do() {
    let cases = [
        (
            json!({"IsLogging": false, "StopLoggingTime": NOW}),
            json!({}),
            "records nothing since 2026-11-20T12:00:00Z: aws cloudtrail start-logging --region eu-central-1 --name arn:aws:cloudtrail:eu-central-1:111122223333:trail/main",
        ),
        (
            json!({"IsLogging": true, "LatestDeliveryError": "AccessDenied", "LatestDeliveryTime": NOW}),
            json!({}),
            "cannot deliver to s3://audit (AccessDenied), last at 2026-11-20T12:00:00Z: let the bucket's policy allow it",
        ),
        (
            json!({"IsLogging": true, "LatestDigestDeliveryError": "NoSuchBucket"}),
            json!({}),
            "cannot deliver digests to s3://audit (NoSuchBucket), nothing was delivered yet: let the bucket's policy allow it",
        ),
        (
            json!({"IsLogging": true}),
            json!({"LogFileValidationEnabled": false}),
            "writes no digests, so that nobody can prove what it delivered: aws cloudtrail update-trail --region eu-central-1 --name arn:aws:cloudtrail:eu-central-1:111122223333:trail/main --enable-log-file-validation",
        ),
    ];
    for (status, change, expected) in cases {
        let place = Account::start();
        let mut described = described();
        change.as_object().into_iter().flatten().for_each(|(key, value)| described[key] = value.clone());
        place.fake.state().trails.push(described);
        place.fake.state().statuses.insert(ARN.to_owned(), status);
        let mut trail = Trail::default();
        let (summary, _) = watch_trail(&place, "main", bucket(""), &mut trail);
        assert_eq!(summary.failures[0].problem, expected);
        assert_eq!(trail.own(action::SOURCE_FAILED)[0].reason.as_deref(), Some(expected));
        assert_eq!(trail.own(action::TRAIL_STATUS)[0].reason.as_deref(), Some(expected));
        place.fake.state().trails[0] = self::described();
        place.fake.state().statuses.insert(ARN.to_owned(), json!({"IsLogging": true}));
        watch_trail(&place, "main", bucket(""), &mut trail);
        assert_eq!(trail.own(action::SOURCE_BACK).len(), 1);
    }
}

#[test]
fn a_trail_that_goes_away_is_said_and_one_that_never_was_is_not_read() {
    let place = Account::start();
    place.fake.state().trails.push(described());
    let mut trail = Trail::default();
    let (summary, read) = watch_trail(&place, "main", bucket(""), &mut trail);
    assert!(summary.failures[0].problem.starts_with("is gone"), "{:?}", summary.failures);
    assert!(read.is_some(), "its bucket is still there");
    assert_eq!(trail.own(action::TRAIL_STATUS)[0].detail["whodid"]["gone"], true);
    let (summary, read) = watch_trail(&place, "another", bucket(""), &mut trail);
    assert!(summary.failures[0].problem.starts_with("knows no such trail"), "{:?}", summary.failures);
    assert_eq!(read, None);
}

/// One run in which these digests are read.
fn keys_for(place: &Account, trail: &mut Trail, now: i64, digests: &[(&str, &str, i64)]) -> Summary {
    let endpoint = place.fake.endpoint.clone();
    let digests: Vec<_> = digests.to_vec();
    place.run(now, Mode::Once, trail, move |_, wire, outlet| {
        let open = move |region: &str| Ok(Api::of_test(&endpoint, region));
        keys::beside_by(wire, outlet, open, |outlet| {
            for (region, fingerprint, end) in digests {
                let key = format!("AWSLogs/{ACCOUNT}/CloudTrail-Digest/{region}/2026/11/20/x.json.gz");
                let end = Stamp::from_unix(end, 0).to_string();
                let digest = json!({"digestPublicKeyFingerprint": fingerprint, "digestEndTime": end}).to_string();
                outlet.read_digest(&key, digest.as_bytes());
            }
            Ok(())
        })
    })
}

fn key(name: &str, from: i64, until: i64) -> serde_json::Value {
    json!({"Fingerprint": name, "Value": "MAA=", "ValidityStartTime": from, "ValidityEndTime": until})
}

fn stored_keys(trail: &Trail) -> Vec<(String, String)> {
    let stored = trail.own(action::DIGEST_KEY).into_iter().filter_map(PublicKey::of);
    let mut stored: Vec<_> = stored.map(|key| (key.region, key.fingerprint)).collect();
    stored.sort();
    stored
}

#[test]
fn keys_are_asked_for_where_and_when_a_digest_needs_them_and_stored_once() {
    let place = Account::start();
    let of_region = vec![key("a", NOW - 9 * DAY, NOW - DAY), key("b", NOW - 2 * DAY, NOW + DAY)];
    place.fake.state().keys.insert(REGION.to_owned(), of_region);
    place.fake.state().keys.insert("us-east-1".to_owned(), vec![key("c", NOW - DAY, NOW)]);
    let mut trail = Trail::default();
    let digests =
        [(REGION, "b", NOW), (REGION, "a", NOW - 5 * DAY), ("us-east-1", "c", NOW - 60), (REGION, "gone", NOW)];
    let name = |region: &str, name: &str| (region.to_owned(), name.to_owned());
    for run in 0..2 {
        let summary = keys_for(&place, &mut trail, NOW, &digests);
        assert!(summary.failures.is_empty(), "{:?}", summary.failures);
        assert_eq!(stored_keys(&trail), [name(REGION, "a"), name(REGION, "b"), name("us-east-1", "c")], "{run}");
    }
    let stored = trail.own(action::DIGEST_KEY).into_iter().filter_map(PublicKey::of).find(|key| key.fingerprint == "a");
    let stored = stored.expect("stored");
    assert_eq!((stored.value.as_str(), stored.valid_from), ("MAA=", Stamp::from_unix(NOW - 9 * DAY, 0)));
    // The next digest of a key that is not known yet, days later.
    place.fake.state().keys.entry(REGION.to_owned()).or_default().push(key("d", NOW + DAY, NOW + 9 * DAY));
    keys_for(&place, &mut trail, NOW + 2 * DAY, &[(REGION, "d", NOW + 2 * DAY)]);
    assert!(stored_keys(&trail).contains(&name(REGION, "d")));
}

#[test]
fn keys_that_may_not_be_asked_for_are_owed_also_over_a_restart() {
    let place = Account::start();
    place
        .fake
        .state()
        .keys
        .insert(REGION.to_owned(), vec![key("a", NOW - 20 * DAY, NOW - 9 * DAY), key("b", NOW - DAY, NOW + DAY)]);
    place.fake.interfere(|_| Some(Answer::denied("cloudtrail:ListPublicKeys")));
    let mut trail = Trail::default();
    let summary = keys_for(&place, &mut trail, NOW, &[(REGION, "a", NOW - 10 * DAY), (REGION, "b", NOW)]);
    assert_eq!(summary.failures.len(), 1);
    assert!(summary.failures[0].problem.ends_with("allow cloudtrail:ListPublicKeys"), "{:?}", summary.failures);
    assert_eq!(place.fake.state().calls.len(), 1, "and not for each digest");
    // The digests are not read again, and another one is: what is owed is given.
    place.fake.behave();
    keys_for(&place, &mut trail, NOW + DAY / 2, &[(REGION, "b", NOW + DAY / 2)]);
    assert_eq!(stored_keys(&trail), [(REGION.to_owned(), "a".to_owned()), (REGION.to_owned(), "b".to_owned())]);
    assert_eq!(trail.own(action::SOURCE_BACK).len(), 1);
}

/// Waits until a source is said to fail because one of its threads panicked.
fn is_broken(progress: &Progress) -> bool {
    let until = Instant::now() + Duration::from_secs(20);
    while Instant::now() < until {
        let states = progress.sources();
        if states.get("aws").and_then(|state| state.failing.get("aws")).map(String::as_str) == Some(BROKEN) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

#[test]
fn a_thread_beside_that_panics_is_a_failing_source_at_once() {
    let place = Account::start();
    let mut trail = Trail::default();
    // The reader is not at its end yet when it is told.
    let key = format!("AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/2026/11/20/x.json.gz");
    let digest = json!({"digestPublicKeyFingerprint": "a", "digestEndTime": Stamp::from_unix(NOW, 0)}).to_string();
    let summary = place.run(NOW, Mode::Follow, &mut trail, |_, wire, outlet| {
        let progress = Arc::clone(&outlet.progress);
        keys::beside_by(
            wire,
            outlet,
            |_| panic!("keys with a bug"),
            |outlet| {
                outlet.read_digest(&key, digest.as_bytes());
                assert!(is_broken(&progress), "the keys");
                Ok(())
            },
        )
    });
    assert!(summary.failures[0].problem.ends_with("stopped unexpectedly"), "{:?}", summary.failures);
    // One region of two: the other one goes on until it is time to stop.
    let (tell, shutdown) = watch::channel(false);
    let (two, endpoint) = (history(&["eu-central-1", "us-east-1"], DAY), place.fake.endpoint.clone());
    let summary = place.run_until(NOW, Mode::Follow, &mut trail, shutdown, move |setting, wire, outlet| {
        let progress = Arc::clone(&outlet.progress);
        let stopping = std::thread::spawn(move || {
            let is_broken = is_broken(&progress);
            tell.send(true).expect("it runs");
            is_broken
        });
        let open = |region: Option<&str>| match region {
            Some("us-east-1") => panic!("a region with a bug"),
            _ => Ok(Api::of_test(&endpoint, REGION)),
        };
        let ended = lookup::read_by(setting, &two, Mode::Follow, wire, &open, outlet);
        assert!(stopping.join().expect("no panic"), "the regions");
        ended
    });
    assert!(summary.failures[0].problem.ends_with("stopped unexpectedly"), "{:?}", summary.failures);
}

#[test]
fn a_reading_that_panics_waits_for_no_thread_beside() {
    let place = Account::start();
    place.fake.state().trails.push(described());
    let (name, endpoint) = (ARN.to_owned(), place.fake.endpoint.clone());
    let wanted = source::Trail { name, api: source::Api::default() };
    let (tell, shutdown) = watch::channel(false);
    let (ended, is_over) = std::sync::mpsc::channel::<()>();
    // It would wait for ever.
    let stopping = std::thread::spawn(move || {
        let is_over = is_over.recv_timeout(Duration::from_secs(20)).is_ok();
        tell.send(true).unwrap_or_default();
        is_over
    });
    place.run_until(NOW, Mode::Follow, &mut Trail::default(), shutdown, move |setting, wire, outlet| {
        let read = |_: &str| Ok(Api::of_test(&endpoint, REGION));
        let panicked =
            catch_unwind(AssertUnwindSafe(|| keys::beside_by(wire, outlet, read, |_| panic!("a reader with a bug"))));
        assert!(panicked.is_err());
        let open = |_: Option<&str>| Ok(Api::of_test(&endpoint, REGION));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let then = (&wanted, bucket("audit"));
            trails::read_by(setting, then, Mode::Follow, wire, &open, outlet, |_, _| panic!("a reader with a bug"))
        }));
        assert!(panicked.is_err());
        ended.send(()).expect("it waits");
        Ok(())
    });
    assert!(stopping.join().expect("no panic"));
}
