//! What somebody may do to a bucket, and what is said of it. Each case in the order of reading, and in any other.

use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::sample::Index;

use super::chain::{Chain, Object, Objects};
use super::scene::{Outcome, Scene, damaged, digest_read, events, judge, key_event, looked, object_read, s3};
use super::{BEGIN, at};
use crate::digest::{Bounds, Looked};
use crate::event::delivery::Verdict::{Altered, Missing, Unlisted, Verified};
use crate::event::delivery::{DigestRead, Judged};
use crate::event::{Event, Stamp};

/// What was read after somebody did it, and until when nothing more came.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) chain: Chain,
    pub(crate) events: Vec<Event>,
    pub(crate) looked: Looked,
}

fn case(name: &'static str, chain: &Chain, objects: &Objects) -> Case {
    Case { name, chain: chain.clone(), events: events(objects), looked: looked() }
}

/// Six hours, from nine to three.
fn six() -> Chain {
    Chain::hours(BEGIN, 6)
}

fn without(chain: &Chain, keys: &[&String]) -> Objects {
    let mut objects = chain.objects.clone();
    keys.iter().for_each(|key| drop(objects.remove(*key)));
    objects
}

fn changed(chain: &Chain, key: &str, change: impl Fn(&mut Object)) -> Objects {
    let mut objects = chain.objects.clone();
    change(objects.get_mut(key).expect("is there"));
    objects
}

fn intact() -> Case {
    let chain = six();
    case("intact", &chain, &chain.objects)
}

fn log_altered() -> Case {
    let chain = six();
    let objects = changed(&chain, &chain.logs[2], |log| log.content.push(b' '));
    case("a log altered", &chain, &objects)
}

fn log_deleted() -> Case {
    let chain = six();
    case("a log deleted", &chain, &without(&chain, &[&chain.logs[2]]))
}

fn digest_deleted() -> Case {
    let chain = six();
    case("a digest deleted", &chain, &without(&chain, &[&chain.digests[2]]))
}

fn two_deleted() -> Case {
    let chain = six();
    case("two digests in a row deleted", &chain, &without(&chain, &[&chain.digests[2], &chain.digests[3]]))
}

fn newest_deleted() -> Case {
    let chain = six();
    let gone: Vec<_> = chain.digests.iter().skip(3).collect();
    Case {
        looked: Looked::Until(at("2026-11-20T17:10:00Z")),
        ..case("the newest three digests deleted", &chain, &without(&chain, &gone))
    }
}

/// After two hours of which whodid has read.
fn all_deleted() -> Case {
    let chain = six();
    let gone: Vec<_> = chain.digests.iter().skip(2).chain(chain.logs.iter().skip(2)).collect();
    Case {
        looked: Looked::Until(at("2026-11-20T17:10:00Z")),
        ..case("everything deleted", &chain, &without(&chain, &gone))
    }
}

/// Before whodid has read anything.
fn no_digest_ever() -> Case {
    let chain = six();
    let gone: Vec<_> = chain.digests.iter().collect();
    case("all digests deleted", &chain, &without(&chain, &gone))
}

fn forged() -> (Case, String) {
    let mut chain = six();
    let key = chain.logs[2].replace("_0000", "_f0r9");
    let record = chain.objects[&chain.logs[2]].clone();
    chain.objects.insert(key.clone(), record);
    (case("a forged object listed nowhere", &chain, &chain.objects), key)
}

fn moved(to: impl Fn(&str) -> String) -> Case {
    let chain = six();
    let mut case = case("a digest moved", &chain, &without(&chain, &[&chain.digests[2]]));
    let digest = &chain.objects[&chain.digests[2]];
    case.events.insert(0, digest_read(&to(&s3(&chain.digests[2])), digest));
    case
}

fn wrong_signature(which: usize) -> Case {
    let chain = six();
    let objects = changed(&chain, &chain.digests[which], |digest| {
        let signature = digest.signature.take().expect("signed");
        let (first, rest) = signature.split_at(1);
        digest.signature = Some(format!("{}{rest}", if first == "0" { "1" } else { "0" }));
    });
    case("a wrong signature", &chain, &objects)
}

fn backfilled() -> Case {
    let mut chain = Chain::new(BEGIN);
    chain.hour(1).hour(1);
    let late = chain.log(TimeDelta::minutes(30));
    chain.digest(&[]).hour(1).backfill(&[late]).hour(1).hour(1);
    let later = chain.logs[1].clone();
    chain.backfill(&[later]);
    case("a backfill chain", &chain, &chain.objects)
}

fn second_member() -> Case {
    let mut case = intact();
    let origin = s3(&case.chain.logs[2]);
    case.events.push(damaged(&origin, "a second gzip member follows the first"));
    Case { name: "a second gzip member", ..case }
}

fn quiet() -> Case {
    let mut chain = Chain::new(BEGIN);
    chain.hour(1).hour(0).hour(0).hour(3).hour(0).hour(0);
    case("quiet hours", &chain, &chain.objects)
}

fn switched_off() -> Case {
    let mut chain = Chain::new(BEGIN);
    chain.hour(1).hour(1).off(2).hour(1).hour(1);
    case("validation switched off for two hours", &chain, &chain.objects)
}

pub(crate) fn all() -> Vec<Case> {
    vec![
        intact(),
        log_altered(),
        log_deleted(),
        digest_deleted(),
        two_deleted(),
        newest_deleted(),
        all_deleted(),
        no_digest_ever(),
        forged().0,
        moved(|origin| origin.replace("/11/20/", "/11/19/")),
        wrong_signature(2),
        backfilled(),
        second_member(),
        quiet(),
        switched_off(),
    ]
}

fn outcome(case: &Case) -> Outcome {
    judge(&case.events, case.looked)
}

#[test]
fn what_is_intact_is_verified() {
    for case in [intact(), quiet(), backfilled()] {
        outcome(&case).assert_all_verified_but(&case.chain, &[], &[]);
    }
}

#[test]
fn an_altered_log_is_altered() {
    let case = log_altered();
    let outcome = outcome(&case);
    outcome.assert_all_verified_but(&case.chain, &[(&case.chain.logs[2], Some(Altered))], &[]);
    assert!(outcome.reason(&case.chain.logs[2]).starts_with("Its content has the hash "), "{outcome:?}");
}

#[test]
fn a_deleted_log_is_missing() {
    let case = log_deleted();
    let outcome = outcome(&case);
    outcome.assert_all_verified_but(&case.chain, &[(&case.chain.logs[2], Some(Missing))], &[]);
    assert_eq!(outcome.reason(&case.chain.logs[2]), "A signed digest lists it, and it was not there.");
}

#[test]
fn a_deleted_digest_is_missing_and_so_is_its_hour() {
    let case = digest_deleted();
    let but = [(case.chain.digests[2].as_str(), Some(Missing)), (&case.chain.logs[2], None)];
    outcome(&case).assert_all_verified_but(&case.chain, &but, &[("2026-11-20T11:00:00Z", "2026-11-20T12:00:00Z", 1)]);
}

#[test]
fn two_deleted_in_a_row_are_two_hours() {
    let case = two_deleted();
    let chain = &case.chain;
    // Of the first of them nobody knows the name.
    let but = [
        (chain.digests[2].as_str(), None),
        (&chain.digests[3], Some(Missing)),
        (&chain.logs[2], None),
        (&chain.logs[3], None),
    ];
    outcome(&case).assert_all_verified_but(chain, &but, &[("2026-11-20T11:00:00Z", "2026-11-20T13:00:00Z", 2)]);
}

#[test]
fn the_newest_deleted_are_known_by_the_time() {
    let case = newest_deleted();
    let but: Vec<_> =
        case.chain.digests[3..].iter().chain(&case.chain.logs[3..]).map(|key| (key.as_str(), None)).collect();
    let at_ten_past = |hour: u32| Looked::Until(at(&format!("2026-11-20T{hour}:10:00Z")));
    for (hour, hours) in [(14, 0), (15, 1), (16, 2), (17, 3), (18, 4)] {
        let to = format!("2026-11-20T{}:00:00Z", 12 + hours);
        let runs = [("2026-11-20T12:00:00Z", to.as_str(), hours)];
        let expected = if hours == 0 { &[][..] } else { &runs };
        judge(&case.events, at_ten_past(hour)).assert_all_verified_but(&case.chain, &but, expected);
    }
    // Whoever has not looked knows nothing.
    judge(&case.events, Looked::Behind).assert_all_verified_but(&case.chain, &but, &[]);
}

#[test]
fn everything_deleted_shows_where_something_was_read_before() {
    let case = all_deleted();
    let but: Vec<_> =
        case.chain.digests[2..].iter().chain(&case.chain.logs[2..]).map(|key| (key.as_str(), None)).collect();
    outcome(&case).assert_all_verified_but(&case.chain, &but, &[("2026-11-20T11:00:00Z", "2026-11-20T15:00:00Z", 4)]);
    assert_eq!(outcome(&no_digest_ever()), Outcome::default(), "nothing is proven, and nothing is known to be wrong");
}

#[test]
fn what_no_digest_lists_is_unlisted() {
    let (case, key) = forged();
    let outcome = outcome(&case);
    outcome.assert_all_verified_but(&case.chain, &[(&key, Some(Unlisted))], &[]);
    assert_eq!(outcome.reason(&key), "The digests of its time are whole, and none lists it.");
    // As long as the next digest may list it nothing is said.
    for digests in 0..=6 {
        let mut events = case.events.clone();
        let mut seen = 0;
        events.retain(|event| {
            DigestRead::of(event).is_none() || {
                seen += 1;
                seen <= digests
            }
        });
        let verdict = judge(&events, Looked::Behind).verdicts.get(&s3(&key)).map(|(verdict, _)| *verdict);
        assert_eq!(verdict, (digests >= 4).then_some(Unlisted), "{digests} digests");
    }
}

#[test]
fn a_moved_digest_proves_nothing() {
    let other_day = |origin: &str| origin.replace("/11/20/", "/11/19/");
    let other_bucket = |origin: &str| origin.replace("s3://audit/", "s3://audit-2/");
    let other_hour = |origin: &str| origin.replace("T120000Z", "T173000Z");
    let other_trail = |origin: &str| origin.replace("_all_", "_some_");
    for to in [&other_day as &dyn Fn(&str) -> String, &other_bucket, &other_hour, &other_trail] {
        let case = moved(to);
        let moved = to(&s3(&case.chain.digests[2]));
        let outcome = outcome(&case);
        let but =
            [(case.chain.digests[2].as_str(), Some(Missing)), (&moved, Some(Altered)), (&case.chain.logs[2], None)];
        outcome.assert_all_verified_but(&case.chain, &but, &[("2026-11-20T11:00:00Z", "2026-11-20T12:00:00Z", 1)]);
        let reason = outcome.verdicts[&moved].1.as_deref().unwrap_or_default();
        assert!(reason.starts_with("It was moved: it says that it is s3://audit/"), "{reason}");
    }
}

#[test]
fn a_wrong_signature_proves_nothing() {
    for which in [0, 2, 5] {
        let case = wrong_signature(which);
        let outcome = outcome(&case);
        let but = [(case.chain.digests[which].as_str(), Some(Altered)), (&case.chain.logs[which], None)];
        outcome.assert_all_verified_but(&case.chain, &but, &[]);
        assert!(outcome.reason(&case.chain.digests[which]).starts_with("Its signature is not by"), "{outcome:?}");
    }
}

#[test]
fn more_behind_the_end_is_altered() {
    let case = second_member();
    outcome(&case).assert_all_verified_but(&case.chain, &[(&case.chain.logs[2], Some(Altered))], &[]);
}

#[test]
fn hours_in_which_validation_was_off_are_hours_without_digest() {
    let case = switched_off();
    outcome(&case).assert_all_verified_but(&case.chain, &[], &[("2026-11-20T11:00:00Z", "2026-11-20T13:00:00Z", 2)]);
}

#[test]
fn what_comes_late_corrects_what_was_said() {
    let case = backfilled();
    let is_backfill = |event: &Event| DigestRead::of(event).is_some_and(|digest| digest.origin.contains("_backfill"));
    let (late, first): (Vec<_>, Vec<_>) = case.events.iter().cloned().partition(is_backfill);
    let mut scene = Scene::default();
    first.into_iter().for_each(|event| scene.read(event));
    scene.settle(looked());
    let origin = s3(&case.chain.logs[2]);
    assert_eq!(scene.outcome().verdicts[&origin].0, Unlisted);
    let told = scene.written.len() - 1;
    late.into_iter().for_each(|event| scene.read(event));
    scene.settle(looked());
    let last = scene.written.iter().filter_map(Judged::of).rfind(|judged| judged.origin == origin).expect("said");
    assert_eq!(last.verdict, Verified);
    assert!(last.replaces.is_some_and(|replaces| replaces <= told as u64));
    // The digest of an hour, a day later.
    let case = digest_deleted();
    let mut scene = Scene::default();
    case.events.iter().for_each(|event| scene.read(event.clone()));
    scene.settle(looked());
    assert_eq!(scene.outcome().missing.len(), 1);
    let digest = &case.chain.digests[2];
    scene.read(digest_read(&s3(digest), &case.chain.objects[digest]));
    scene.settle(looked());
    scene.outcome().assert_all_verified_but(&case.chain, &[], &[]);
}

#[test]
fn without_metadata_the_next_digest_vouches() {
    let chain = six();
    let mut objects = chain.objects.clone();
    objects.values_mut().for_each(|object| object.signature = None);
    // Of the newest nobody knows whether it is signed.
    let (newest, log) = (&chain.digests[5], &chain.logs[5]);
    judge(&events(&objects), looked()).assert_all_verified_but(&chain, &[(newest, None), (log, None)], &[]);
    let a_day_later = Looked::Until(at("2026-11-21T15:05:00Z"));
    assert_eq!(judge(&events(&objects), a_day_later).verdicts[&s3(newest)].0, Altered);
    objects.insert(newest.clone(), chain.objects[newest].clone());
    judge(&events(&objects), looked()).assert_all_verified_but(&chain, &[], &[]);
    // In a copy on a disk too.
    let copied = |event: Event| {
        let text = serde_json::to_string(&event).expect("serialises").replace("s3://audit/AWSLogs", "/copy/AWSLogs");
        Event::decode(text.as_bytes()).expect("an event")
    };
    let outcome = judge(&events(&objects).into_iter().map(copied).collect::<Vec<_>>(), looked());
    assert_eq!(outcome.verdicts.len(), 12);
    assert!(outcome.verdicts.values().all(|(verdict, _)| *verdict == Verified), "{outcome:?}");
}

#[test]
fn without_a_key_nothing_is_proven_and_nothing_is_wrong() {
    let case = intact();
    let mut scene = Scene::default();
    case.events.iter().filter(|event| event.what.action != "digest.key").for_each(|event| scene.read(event.clone()));
    assert_eq!(scene.settle(looked()), 0);
    scene.read(key_event());
    scene.settle(looked());
    scene.outcome().assert_all_verified_but(&case.chain, &[], &[]);
}

#[test]
fn two_contents_of_one_object_are_not_both_right() {
    let mut case = intact();
    let origin = s3(&case.chain.logs[2]);
    case.events.push(object_read(&origin, b"{\"Records\":[]}"));
    outcome(&case).assert_all_verified_but(&case.chain, &[(&case.chain.logs[2], Some(Altered))], &[]);
}

#[test]
fn after_pruning_nothing_is_concluded_of_what_came_before() {
    let chain = six();
    // Of the first three hours only the digests are left.
    let objects = without(&chain, &chain.logs[..3].iter().collect::<Vec<_>>());
    let mut scene = Scene::default();
    events(&objects).into_iter().for_each(|mut event| {
        event.observed = at("2026-11-20T12:00:00Z");
        scene.read(event);
    });
    scene.judge.history_is_partial();
    scene.settle(looked());
    let but: Vec<_> = chain.logs[..3].iter().map(|key| (key.as_str(), None)).collect();
    scene.outcome().assert_all_verified_but(&chain, &but, &[]);
}

#[test]
fn a_trail_that_stays_silent_is_told_of_once_a_day() {
    let chain = Chain::hours(BEGIN, 2);
    let mut scene = Scene::default();
    events(&chain.objects).into_iter().for_each(|event| scene.read(event));
    let mut now = at("2026-11-20T12:00:00Z");
    let mut said = Vec::new();
    for _ in 0..24 * 5 {
        now = now.plus(TimeDelta::hours(1));
        let before = scene.written.len();
        scene.settle(Looked::Until(now));
        let hours = scene.outcome().missing.values().map(|(_, hours)| *hours).sum::<u64>();
        if scene.written[before..].iter().any(|event| event.what.action == "digest.missing") {
            said.push(hours);
        }
    }
    let expected: Vec<u64> = (1..=24).chain([48, 72, 96]).collect();
    assert_eq!(said, expected);
}

#[test]
fn what_is_decided_and_old_is_let_go() {
    let mut scene = Scene::default();
    let mut chain = Chain::new(BEGIN);
    let mut most = 0;
    for _ in 0..72 {
        let known = chain.objects.clone();
        chain.hour(12);
        let new: Objects = chain
            .objects
            .iter()
            .filter(|(key, _)| !known.contains_key(*key))
            .map(|(k, o)| (k.clone(), o.clone()))
            .collect();
        events(&new).into_iter().for_each(|event| scene.read(event));
        scene.settle(Looked::Until(Stamp::new(chain.now() + TimeDelta::minutes(70))));
        most = most.max(scene.judge.held());
    }
    assert!(most <= 9 * 13, "{most} are held");
    scene.outcome().assert_all_verified_but(&chain, &[], &[]);
    let mut again = scene.restarted(Bounds::default());
    assert_eq!(again.settle(looked()), 0);
    assert!(again.judge.held() <= most, "{}", again.judge.held());
}

#[test]
fn beyond_the_bounds_what_is_old_is_not_decided() {
    let chain = six();
    let mut scene = Scene::new(Bounds { objects: 4, ..Bounds::default() });
    events(&chain.objects).into_iter().for_each(|event| scene.read(event));
    // The bound is kept while reading; here it was all read at once, so first nothing is said.
    scene.judge.tidy();
    scene.settle(looked());
    let outcome = scene.outcome();
    assert!(scene.judge.let_go().objects > 0);
    assert!(
        outcome.verdicts.values().all(|(verdict, _)| *verdict == Verified),
        "none is missing that was let go: {outcome:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever the order, however often something is concluded in between, and whoever starts again.
    #[test]
    fn any_order_comes_to_the_same(
        which in any::<Index>(),
        order in prop::collection::vec(any::<Index>(), 40),
        stops in prop::collection::vec((0usize..40, any::<bool>(), any::<bool>()), 0..4),
    ) {
        let cases = all();
        let case = which.get(&cases);
        let expected = outcome(case);
        let mut rest = case.events.clone();
        let mut scene = Scene::default();
        let mut n = 0;
        while !rest.is_empty() {
            let at = order.get(n).map_or(0, |index| index.index(rest.len()));
            scene.read(rest.swap_remove(at));
            for (_, is_behind, is_restart) in stops.iter().filter(|(stop, ..)| *stop == n) {
                scene.settle(if *is_behind { Looked::Behind } else { case.looked });
                if *is_restart {
                    scene = scene.restarted(Bounds::default());
                }
            }
            n += 1;
        }
        scene.settle(case.looked);
        prop_assert_eq!(scene.outcome(), expected, "{}", case.name);
        let mut again = scene.restarted(Bounds::default());
        prop_assert_eq!(again.settle(case.looked), 0, "a restart says nothing new");
    }

    /// A digest with any bit changed is not verified, and neither is what only it lists.
    #[test]
    fn no_flipped_bit_is_verified(digest in 0usize..6, byte in any::<Index>(), bit in 0u32..8) {
        let chain = six();
        let key = &chain.digests[digest];
        let objects = changed(&chain, key, |object| {
            let byte = byte.get(&(0..object.content.len()).collect::<Vec<_>>()).to_owned();
            object.content[byte] ^= 1 << bit;
        });
        prop_assert!(objects != chain.objects);
        let outcome = judge(&events(&objects), looked());
        let verdict = outcome.verdicts.get(&s3(key)).map(|(verdict, _)| *verdict);
        prop_assert_ne!(verdict, Some(Verified));
        let log = outcome.verdicts.get(&s3(&chain.logs[digest])).map(|(verdict, _)| *verdict);
        prop_assert_eq!(log, None);
        // No byte of any of the others is worth less for it.
        let others = outcome.verdicts.values().filter(|(verdict, _)| *verdict == Verified).count();
        prop_assert_eq!(others, 10);
    }
}
