//! Objects, digests and trails that somebody made so that nothing is said.

use super::chain::{Chain, Object};
use super::scene::{LOOKED_AT, Scene, digest_read, events, judge, key_event, looked, object_read, s3};
use super::{BEGIN, at};
use crate::digest::{Bounds, Judge, Looked};
use crate::event::delivery::DigestRead;
use crate::event::delivery::Verdict::{Altered, Missing, Unlisted, Verified};

fn six() -> Chain {
    Chain::hours(BEGIN, 6)
}

const FORGED: [&str; 3] = [
    "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/20/notes.json.gz",
    "AWSLogs/111122223333/CloudTrail/eu-west-1/111122223333_CloudTrail_eu-west-1_20261120T1015Z_f.json.gz",
    "AWSLogs/111122223333/CloudTrail/eu-west-1/2030/01/01/111122223333_CloudTrail_eu-west-1_20300101T1015Z_f.json.gz",
];

#[test]
fn a_name_that_cannot_be_is_unlisted_at_once() {
    let chain = six();
    for key in FORGED {
        let mut events = events(&chain.objects);
        events.insert(0, object_read(&s3(key), b"{}"));
        judge(&events, Looked::Behind).assert_all_verified_but(&chain, &[(key, Some(Unlisted))], &[]);
        // Whatever time is asked for before it was seen.
        for (from, to) in [(BEGIN, "2026-11-20T12:00:00Z"), (BEGIN, "2026-11-20T15:00:00Z")] {
            let mut judge = Judge::of_time(at(from), at(to));
            events.iter().enumerate().for_each(|(seq, event)| judge.take(seq as u64, event));
            let report = judge.report(at(from), at(to), Looked::All(at(LOOKED_AT)));
            assert_eq!(report.places[0].objects.unlisted, 1, "{key}");
            assert!(report.is_bad());
        }
        let (from, to) = (at("2026-11-20T16:00:00Z"), at("2026-11-20T17:00:00Z"));
        let mut judge = Judge::of_time(from, to);
        events.iter().enumerate().for_each(|(seq, event)| judge.take(seq as u64, event));
        assert!(!judge.report(from, to, Looked::All(at(LOOKED_AT))).is_bad(), "it was there before that time");
    }
}

#[test]
fn what_nothing_can_prove_is_pending() {
    let chain = six();
    let foreign = FORGED[0].replace("111122223333", "444455556666");
    let nobody = "AWSLogs/x.json.gz";
    let elsewhere = chain.logs[1].replace("eu-west-1", "us-east-1");
    for key in [foreign.as_str(), nobody, &elsewhere] {
        let mut events = events(&chain.objects);
        events.push(object_read(&s3(key), b"{}"));
        judge(&events, looked()).assert_all_verified_but(&chain, &[], &[]);
        let mut judge = Judge::of_time(at(BEGIN), at("2026-11-20T15:00:00Z"));
        events.iter().enumerate().for_each(|(seq, event)| judge.take(seq as u64, event));
        let report = judge.report(at(BEGIN), at("2026-11-20T15:00:00Z"), Looked::All(at(LOOKED_AT)));
        assert!(!report.is_bad() && report.is_incomplete(), "{key}: {report:?}");
        assert_eq!(report.places.iter().map(|place| place.objects.pending).sum::<u64>(), u64::from(key != nobody));
    }
}

#[test]
fn long_lists_that_nobody_signed_are_not_kept() {
    let mut chain = Chain::new(BEGIN);
    for _ in 0..4 {
        chain.hour(30);
    }
    let mut scene = Scene::default();
    scene.read(key_event());
    // The list of a digest grows while its signature stays.
    let key = &chain.digests[1];
    let text = String::from_utf8(chain.objects[key].content.clone()).expect("JSON");
    let (first, rest) = text.split_once(r#""logFiles":["#).expect("a list");
    let (one, _) = rest.split_once("},").expect("objects");
    let many = vec![format!("{one}}}"); 30_000].join(",");
    let content = format!(r#"{first}"logFiles":[{many},{rest}"#).into_bytes();
    let forged = Object { content, signature: chain.objects[key].signature.clone() };
    scene.read(digest_read(&s3(key), &forged));
    assert!(scene.judge.held() > 5_000, "{}", scene.judge.held());
    events(&chain.objects).into_iter().for_each(|event| scene.read(event));
    scene.settle(looked());
    assert!(scene.judge.held() < 200, "{}", scene.judge.held());
    let verdicts = scene.outcome().verdicts;
    assert_eq!(verdicts[&s3(key)].0, Altered);
    assert!(chain.logs.iter().all(|log| verdicts[&s3(log)].0 == Verified));
}

#[test]
fn long_lists_are_bounded_while_reading() {
    let mut scene = Scene::new(Bounds { digests: 2_000, ..Bounds::default() });
    let mut chain = Chain::hours(BEGIN, 1);
    let listed = vec![chain.logs[0].clone(); 30_000];
    for _ in 0..8 {
        chain.digest(&listed);
    }
    for key in &chain.digests {
        scene.read(digest_read(&s3(key), &chain.objects[key]));
    }
    assert!(scene.judge.held() < 25_000, "{}", scene.judge.held());
}

#[test]
fn what_was_found_while_reading_is_said_later() {
    let chain = six();
    let mut scene = Scene::new(Bounds::default());
    let mut objects = chain.objects.clone();
    objects.get_mut(&chain.logs[2]).expect("is there").content.push(b' ');
    events(&objects).into_iter().for_each(|event| scene.read(event));
    // Twice, as after many events.
    scene.judge.look_after_bounds();
    scene.judge.look_after_bounds();
    scene.settle(Looked::Behind);
    scene.outcome().assert_all_verified_but(&chain, &[(&chain.logs[2], Some(Altered))], &[]);
}

#[test]
fn a_trail_with_a_gap_hides_nothing() {
    let chain = six();
    let forged = chain.logs[2].replace("_0000", "_f0r9");
    let mut decoy = Chain::new(BEGIN);
    decoy.trail = "decoy".to_owned();
    for _ in 0..6 {
        decoy.digest(&[]);
    }
    for gone in [&[2][..], &[2, 3], &[3], &[2, 3, 4, 5]] {
        let mut objects = chain.objects.clone();
        objects.insert(forged.clone(), chain.objects[&chain.logs[2]].clone());
        for (_, key) in decoy.digests.iter().enumerate().filter(|(n, _)| !gone.contains(n)) {
            objects.insert(key.clone(), decoy.objects[key].clone());
        }
        let outcome = judge(&events(&objects), Looked::Until(at("2026-11-20T18:10:00Z")));
        assert_eq!(outcome.verdicts[&s3(&forged)].0, Unlisted, "{gone:?}");
        assert!(!outcome.missing.is_empty());
    }
    // Both at once: nobody could list it.
    let mut objects = chain.objects.clone();
    objects.insert(forged.clone(), chain.objects[&chain.logs[2]].clone());
    objects.remove(&chain.digests[2]);
    assert_eq!(judge(&events(&objects), looked()).verdicts.get(&s3(&forged)), None);
}

#[test]
fn what_digests_listed_that_were_let_go_is_not_unlisted() {
    let chain = Chain::hours(BEGIN, 6);
    let mut scene = Scene::new(Bounds { digests: 5, ..Bounds::default() });
    scene.read(key_event());
    let (digests, logs): (Vec<_>, Vec<_>) =
        events(&chain.objects).into_iter().partition(|event| DigestRead::of(event).is_some());
    digests.into_iter().for_each(|event| scene.read(event));
    scene.settle(Looked::Behind);
    assert!(scene.judge.let_go().digests > 0);
    logs.into_iter().for_each(|event| scene.read(event));
    scene.settle(looked());
    let outcome = scene.outcome();
    assert!(outcome.verdicts.values().all(|(verdict, _)| *verdict == Verified), "{outcome:?}");
}

#[test]
fn one_object_that_cannot_be_read_suspends_only_its_place() {
    let chain = six();
    let mut objects = chain.objects.clone();
    objects.remove(&chain.logs[2]);
    let mut scene = Scene::default();
    events(&objects).into_iter().for_each(|event| scene.read(event));
    let own = s3(&chain.logs[4]);
    assert!(scene.judge.suspend([own.as_str()].into_iter()));
    scene.settle(looked());
    assert_eq!(scene.outcome().verdicts.get(&s3(&chain.logs[2])), None, "it may come");
    let other = own.replace("eu-west-1", "us-east-1");
    assert!(scene.judge.suspend([other.as_str()].into_iter()));
    scene.settle(looked());
    assert_eq!(scene.outcome().verdicts[&s3(&chain.logs[2])].0, Missing);
    assert!(!scene.judge.suspend(["s3://audit"].into_iter()), "a whole bucket");
}
