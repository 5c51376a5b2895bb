//! Two thousand objects of an organisation, with everything that goes wrong on the way.

use std::collections::BTreeSet;

use super::*;
use crate::aws::fault::{Act, Asked, Fault};
use crate::event::delivery::ObjectRead;

const ACCOUNTS: [&str; 3] = ["111122223333", "222233334444", "333344445555"];
const REGIONS: [&str; 4] = ["eu-central-1", "eu-west-1", "us-east-1", "us-west-2"];

/// The object of a trail in which the `nth` record of an account's region lies: two in a minute, whose names are in no
/// order.
fn object(trail: &str, account: &str, region: &str, nth: u32) -> (String, Vec<u8>) {
    let minute = nth / 2 * 3;
    let time = format!("20261120T{:02}{:02}Z", minute / 60, minute % 60);
    let random = nth.wrapping_mul(2_654_435_761);
    let name = format!("{account}_CloudTrail_{region}_{time}_{random:08x}.json.gz");
    let key = format!("AWSLogs/{trail}{account}/CloudTrail/{region}/2026/11/20/{name}");
    (key, gzip(&format!("{account} {region} {nth}\n")))
}

fn each(per_region: std::ops::Range<u32>) -> impl Iterator<Item = (&'static str, &'static str, u32)> {
    let regions = ACCOUNTS.iter().flat_map(|account| REGIONS.iter().map(move |region| (*account, *region)));
    regions.flat_map(move |(account, region)| per_region.clone().map(move |nth| (account, region, nth)))
}

/// Errors in the middle of listings, and errors and breaks in the middle of bodies. Some last longer than all tries
/// of one run.
fn plan(asked: &Asked) -> Act {
    let is_listing = asked.target.contains("list-type=2");
    match asked.before {
        n if is_listing && n % 7 == 3 => Act::error(503, "SlowDown"),
        n if is_listing && n % 7 == 5 => Act::Cut(200),
        n if !is_listing && n % 97 == 0 => Act::error(500, "InternalError"),
        n if !is_listing && n % 89 == 0 => Act::Cut(20),
        n if !is_listing && n % 83 == 0 => Act::Close,
        n if n < 900
            && asked.target.contains("o-1a/111122223333")
            && asked.target.contains("us-east-1_20261120T0030Z") =>
        {
            Act::error(500, "InternalError")
        }
        _ => Act::Pass,
    }
}

/// Of every cursor: all objects up to it that were there were read before.
fn assert_contiguous(trail: &Trail, keys: &BTreeSet<String>) {
    let mut read = HashSet::new();
    let mut cursors = 0;
    for event in &trail.events {
        read.extend(ObjectRead::of(event).map(|object| object.origin));
        if event.what.action == action::POSITION {
            cursors += 1;
            let text = |name: &str| event.detail["whodid"][name].as_str().expect("a text").to_owned();
            let (prefix, cursor) = (text("prefix").replace(&format!("s3://{NAME}/"), ""), text("cursor"));
            let until = keys.range(prefix.clone()..=cursor).find(|key| !read.contains(&format!("s3://{NAME}/{key}")));
            assert_eq!(until, None, "below {prefix}");
        }
    }
    assert!(cursors >= 24, "{cursors}");
}

#[test]
#[ignore = "needs moto"]
fn every_event_is_there_once_whatever_fails_and_whenever_it_is_killed() {
    let moto = Store::start();
    // The organisation's trail has everything, an account's own trail two thirds of it once more.
    let of_organisation = each(0..100).map(|(account, region, nth)| object("o-1a/", account, region, nth));
    let of_accounts = each(0..67).map(|(account, region, nth)| object("", account, region, nth));
    let objects: Vec<_> = of_organisation.chain(of_accounts).collect();
    assert_eq!(objects.len(), 2_004);
    let keys: BTreeSet<String> = objects.iter().map(|(key, _)| key.clone()).collect();
    moto.put_all(objects);
    let mut expected: BTreeSet<String> =
        each(0..100).map(|(account, region, nth)| format!("{account} {region} {nth}")).collect();

    let fault = Fault::before(&moto.0.endpoint, plan);
    let mut trail = Trail::default();
    for events_max in [501, 1_003, 1, 250] {
        once(&moto.0.runtime, bucket_at(&fault.endpoint, NAME), "", &mut trail, events_max);
    }
    for _ in 0..2 {
        moto.once(bucket_at(&fault.endpoint, NAME), "", &mut trail);
    }
    let lines = |trail: &Trail| trail.lines().into_iter().map(str::to_owned).collect::<Vec<_>>();
    let once_each = |lines: Vec<String>, expected: &BTreeSet<String>| {
        assert_eq!(lines.len(), expected.len(), "none twice");
        assert_eq!(&lines.into_iter().collect::<BTreeSet<_>>(), expected);
    };
    once_each(lines(&trail), &expected);
    assert_contiguous(&trail, &keys);

    // Keys that come late, behind every cursor (the last minute is 02:27), and some that are new.
    let late =
        each(100..102).map(|(account, region, nth)| (object("o-1a/", account, region, nth - 24), account, region, nth));
    for ((key, _), account, region, nth) in late {
        let line = format!("{account} {region} late {nth}");
        moto.put(&key.replace(".json.gz", "late.json.gz"), gzip(&format!("{line}\n")));
        expected.insert(line);
    }
    moto.once(bucket_at(&fault.endpoint, NAME), "", &mut trail);
    moto.once(bucket_at(&fault.endpoint, NAME), "", &mut trail);
    once_each(lines(&trail), &expected);
    let before = trail.events.len();
    moto.once(moto.bucket(NAME), "", &mut trail);
    assert!(trail.events[before..].iter().all(|event| event.what.action == action::SOURCE_BACK), "nothing new");
}
