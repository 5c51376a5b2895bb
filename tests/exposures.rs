//! What each call opens and closes, as a table: `tests/exposure/truth.jsonl`, a case a line.
//!
//! `exposes` and `closes` are written as they would be said: `tcp/22 to 0.0.0.0/0 by sgr-1`. Which call is the end of
//! which opening is in `tests/exposure/pairs.jsonl`.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use whodid::event::world::World;
use whodid::event::{Event, Exposure, Family, Lineage, Stamp};
use whodid::exposure::{Bounds, Closed, Exposures};
use whodid::sources::secrets::Marks;
use whodid::sources::zone::Zone;
use whodid::sources::{self, Identity, Stream, Year};

#[derive(Deserialize)]
struct Case {
    case: String,
    #[serde(flatten)]
    call: Call,
    /// The configured prefixes.
    #[serde(default)]
    prefix: [u8; 2],
    #[serde(default)]
    exposes: Vec<String>,
    #[serde(default)]
    closes: Vec<String>,
    #[serde(default)]
    world: bool,
}

#[derive(Deserialize)]
struct Call {
    /// Service and name of the call.
    call: String,
    #[serde(default)]
    request: Value,
    #[serde(default)]
    response: Value,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    case: String,
    open: Call,
    close: Call,
    closed: bool,
}

fn read<T: DeserializeOwned>(table: &str) -> Vec<T> {
    let lines = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn cases() -> Vec<Case> {
    read(include_str!("exposure/truth.jsonl"))
}

fn decode(call: &Call, time: &str, [v4, v6]: [u8; 2]) -> Event {
    let (service, action) = call.call.split_once(' ').expect("service and call");
    let record = json!({
        "eventVersion": "1.09",
        "userIdentity": {"type": "IAMUser", "userName": "alice", "accountId": "111122223333"},
        "eventTime": format!("2026-11-20T{time}Z"),
        "eventSource": format!("{service}.amazonaws.com"),
        "eventName": action,
        "awsRegion": "eu-central-1",
        "requestParameters": call.request,
        "responseElements": call.response,
        "errorCode": call.error,
        "eventID": time,
        "recipientAccountId": "111122223333",
    });
    let observed = Stamp::parse("2026-11-20T12:00:00Z").expect("an instant");
    let mut decoder = sources::decoder(Stream {
        name: "trail".into(),
        family: Family::Cloudtrail,
        origin: "test".into(),
        host: "example".to_owned(),
        identity: Identity::Place { lineage: Lineage::new("example", Family::Cloudtrail, b"x"), generation: 0 },
        start: 0,
        zone: Zone::UTC,
        year: Year::NotAfter(observed),
        marks: Marks::default(),
        world: World { v4, v6 },
    });
    let mut events = Vec::new();
    decoder.push(record.to_string().as_bytes(), observed, &mut events);
    decoder.finish(observed, &mut events);
    assert_eq!(events.len(), 1, "{}", call.call);
    events.remove(0)
}

fn said(exposure: &Exposure) -> String {
    let Exposure { cidr, principal, protocol, from, to, rule } = exposure;
    let mut words = Vec::new();
    match (protocol, from, to) {
        (Some(protocol), Some(from), Some(to)) if from == to => words.push(format!("{protocol}/{from}")),
        (Some(protocol), Some(from), Some(to)) => words.push(format!("{protocol}/{from}-{to}")),
        (Some(protocol), None, None) => words.push(protocol.clone()),
        (None, None, None) => {}
        ports => words.push(format!("{ports:?}")),
    }
    match (cidr, principal) {
        (Some(cidr), None) => words.push(format!("to {cidr}")),
        (None, Some(principal)) => words.push(format!("to {principal}")),
        (Some(cidr), Some(principal)) => words.push(format!("to {principal} from {cidr}")),
        (None, None) => {}
    }
    words.extend(rule.iter().map(|rule| format!("by {rule}")));
    if words.is_empty() { "anything".to_owned() } else { words.join(" ") }
}

#[test]
fn every_call_opens_and_closes_what_it_says() {
    let cases = cases();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        let what = decode(&case.call, "10:00:00", case.prefix).what;
        let exposes: Vec<_> = what.exposes.iter().map(said).collect();
        let closes: Vec<_> = what.closes.iter().map(said).collect();
        if (&exposes, &closes, what.world) != (&case.exposes, &case.closes, case.world) {
            wrong.push(format!("{}: exposes {exposes:?} closes {closes:?} world {}", case.case, what.world));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Both answers are in the table, and no case twice.
#[test]
fn the_table_has_what_must_and_what_must_not() {
    let cases = cases();
    let names: std::collections::BTreeSet<_> = cases.iter().map(|case| &case.case).collect();
    assert_eq!(names.len(), cases.len());
    let world = cases.iter().filter(|case| case.world).count();
    assert!(world >= 20 && cases.len() - world >= 20, "{world} of {}", cases.len());
}

#[test]
fn each_opening_has_its_end_and_no_other() {
    let pairs: Vec<Pair> = read(include_str!("exposure/pairs.jsonl"));
    let mut wrong = Vec::new();
    for Pair { case, open, close, closed } in &pairs {
        let (open, close) = (decode(open, "10:00:00", [0, 0]), decode(close, "11:00:00", [0, 0]));
        assert!(!open.what.exposes.is_empty(), "{case}");
        let mut exposures = Exposures::new(Bounds::default());
        exposures.take(0, &open);
        exposures.take(1, &close);
        let ends: Vec<_> = exposures.settle().iter().filter_map(Closed::of).collect();
        let is_closed = ends.iter().any(|end| (end.opening, end.closing, end.stood_s) == (0, 1, 3_600));
        if is_closed != *closed || ends.len() > 1 {
            wrong.push(format!("{case}: {ends:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
