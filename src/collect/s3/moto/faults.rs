//! Servers that fail in the middle of what they do.

use super::*;
use crate::aws::fault::{Act, Asked, Fault, header};

fn is_listing(asked: &Asked) -> bool {
    asked.target.contains("list-type=2")
}

/// Lines that gzip cannot make much shorter.
fn long(lines: u64) -> String {
    let mix = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (0..lines).map(|n| format!("{:016x}{:016x}{:016x}\n", mix(n), mix(n + lines), mix(n + 2 * lines))).collect()
}

#[test]
#[ignore = "needs moto"]
fn a_body_that_breaks_is_gone_on_with_where_it_broke() {
    let moto = Store::start();
    let text = long(40_000);
    let packed = gzip(&text);
    assert!(packed.len() > 600_000, "{}", packed.len());
    moto.put(&key("1000", "a"), packed);
    // Two answers that break, one of them at once, and one that is not there at all.
    let fault = Fault::before(&moto.0.endpoint, |asked| match header(&asked.headers, "range") {
        _ if is_listing(asked) => Act::Pass,
        None => Act::Cut(300_000),
        Some(range) if range.starts_with("bytes=3") && asked.before % 2 == 0 => Act::Cut(200_000),
        Some(_) if asked.before % 3 == 0 => Act::Close,
        Some(_) => Act::Pass,
    });
    let mut trail = Trail::default();
    let summary = moto.once(bucket_at(&fault.endpoint, NAME), "", &mut trail);
    assert!(summary.failures.is_empty(), "{summary:?}");
    assert_eq!(trail.lines().join("\n") + "\n", text);
    assert_eq!(trail.own(action::OBJECT), 1);
    let asked = fault.asked();
    let resumed: Vec<_> = asked.iter().filter(|asked| header(&asked.headers, "range").is_some()).collect();
    assert!(!resumed.is_empty());
    assert!(resumed.iter().all(|asked| header(&asked.headers, "if-match").is_some_and(|tag| tag.starts_with('"'))));
}

#[test]
#[ignore = "needs moto"]
fn what_cannot_be_read_to_its_end_is_never_taken_for_whole() {
    let moto = Store::start();
    moto.put(&key("1000", "a"), gzip("before\n"));
    moto.put(&key("1001", "breaks"), gzip("never\n"));
    moto.put(&key("1002", "changes"), gzip(&long(2_000)));
    moto.put(&key("1003", "a"), gzip("after\n"));
    let changed = |asked: &Asked| header(&asked.headers, "range").is_some();
    let fault = Fault::before(&moto.0.endpoint, move |asked| match &asked.target {
        target if target.contains("_breaks") => Act::Cut(0),
        target if target.contains("_changes") && changed(asked) => Act::error(412, "PreconditionFailed"),
        target if target.contains("_changes") => Act::Cut(100),
        _ => Act::Pass,
    });
    let mut trail = Trail::default();
    let summary = moto.once(bucket_at(&fault.endpoint, NAME), "", &mut trail);
    assert_eq!(trail.lines(), ["before", "after"]);
    let problems: Vec<_> = summary.failures.iter().map(|failure| failure.problem.as_str()).collect();
    assert!(problems.len() == 2 && problems[1].starts_with("changed while"), "{problems:?}");
    assert_eq!((trail.own(action::OBJECT), trail.own(action::DAMAGED), trail.own(action::SOURCE_FAILED)), (2, 0, 2));
    let cursor = |trail: &Trail| {
        let last = trail.events.iter().rfind(|event| event.what.action == action::POSITION);
        last.and_then(|event| event.detail["whodid"]["cursor"].as_str().map(str::to_owned))
    };
    assert_eq!(cursor(&trail), Some(key("1000", "a")), "held back by what is missing");

    moto.once(moto.bucket(NAME), "", &mut trail);
    assert_eq!((trail.own(action::OBJECT), trail.own(action::SOURCE_BACK)), (4, 2));
    assert_eq!(cursor(&trail), Some(key("1003", "a")), "past what was known already, too");
}

#[test]
#[ignore = "needs moto"]
fn a_region_that_is_denied_or_slow_stops_no_other() {
    let moto = Store::start();
    for region in ["a-1", "b-1", "c-1"] {
        let name = format!("1_CloudTrail_{region}_20261120T1000Z_x.json.gz");
        moto.put(&format!("AWSLogs/1/CloudTrail/{region}/2026/11/20/{name}"), gzip(&format!("{region}\n")));
    }
    let fault = Fault::before(&moto.0.endpoint, |asked| match &asked.target {
        target if is_listing(asked) && target.contains("a-1") => Act::error(403, "AccessDenied"),
        target if is_listing(asked) && target.contains("b-1") => Act::error(503, "SlowDown"),
        _ => Act::Pass,
    });
    let mut trail = Trail::default();
    let summary = moto.once(bucket_at(&fault.endpoint, NAME), "", &mut trail);
    assert_eq!(trail.lines(), ["c-1"]);
    let word = |problem: &str| problem.split(' ').next().map(str::to_owned);
    let told: Vec<_> = summary.failures.iter().map(|f| (f.origin.clone(), word(&f.problem))).collect();
    let place = |region: &str| format!("s3://{NAME}/AWSLogs/1/CloudTrail/{region}/");
    assert_eq!(told, [("a-1", "access"), ("b-1", "asks")].map(|(region, word)| (place(region), Some(word.to_owned()))));
    moto.once(moto.bucket(NAME), "", &mut trail);
    assert_eq!(trail.lines().len(), 3);
    assert_eq!((trail.own(action::SOURCE_FAILED), trail.own(action::SOURCE_BACK)), (2, 2));
}
