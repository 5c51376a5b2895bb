//! Scenes of what is opened and closed, and that no order, batch or restart changes what is concluded.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::event::own::action;
use crate::event::{EventId, Exposure, Source, Stamp, Who};

/// `10:00:00 alice sg-1 + tcp/22 0.0.0.0/0 sgr-1 - rule=sgr-2`: who did what to a thing; `+` opens, `-` closes.
fn change(number: usize, line: &str) -> Event {
    let mut words = line.split(' ');
    let mut word = || words.next().expect("a word");
    let when = Stamp::parse(&format!("2026-11-20T{}Z", word())).expect("a time");
    let source = Source {
        name: "trail".into(),
        kind: Family::Cloudtrail,
        origin: "test".into(),
        lineage: None,
        generation: 0,
        pos: None,
        next: None,
    };
    let id = EventId::new(Family::Cloudtrail, &[line.as_bytes(), &number.to_be_bytes()], 0);
    let mut event = Event::new(id, "Change", when, when, source);
    event.who = Who { name: Some(word().to_owned()), ..Who::default() };
    let thing = word();
    event.what.provider = Some(if thing.starts_with("b") { "s3" } else { "ec2" }.to_owned() + ".amazonaws.com");
    event.what.object = Some(thing.to_owned());
    event.place.account = Some("111122223333".to_owned());
    event.place.region = Some("eu-central-1".to_owned());
    if thing == "b*" {
        event.what.action = "PutAccountPublicAccessBlock".to_owned();
    }
    let words: Vec<&str> = words.collect();
    let groups = words.chunk_by(|_, next| !matches!(*next, "+" | "-"));
    for group in groups {
        let (sign, words) = group.split_first().expect("a sign");
        let exposure = exposure(words);
        if *sign == "+" { event.what.exposes.push(exposure) } else { event.what.closes.push(exposure) }
    }
    event.what.world = crate::event::world::is_world(&event.what.exposes, Default::default());
    event
}

fn exposure(words: &[&str]) -> Exposure {
    let mut exposure = Exposure::default();
    for word in words {
        match *word {
            "*" => exposure.principal = Some("*".to_owned()),
            cidr if cidr.contains('.') || cidr.contains("::") => exposure.cidr = Some(cidr.to_owned()),
            ports if ports.starts_with("tcp/") => {
                let port = ports.trim_start_matches("tcp/").parse().ok();
                (exposure.protocol, exposure.from, exposure.to) = (Some("tcp".to_owned()), port, port);
            }
            rule => exposure.rule = Some(rule.to_owned()),
        }
    }
    exposure
}

/// What is concluded at last: `12:00:00 closed sg-1 after 7200` and `… world sg-1`, in the order of time.
fn newest(events: &[Event], changes: &[Event]) -> Vec<String> {
    let mut newest: BTreeMap<(String, String, String), String> = BTreeMap::new();
    for event in events {
        let about = event.what.object.clone().expect("an object");
        let named = changes.iter().find_map(|change| {
            let is_it = change.id.to_string() == about;
            let is_world = said::id_of_completed(change.id).to_string() == about;
            let of = format!("{} {}", change.when, change.what.object.as_deref().unwrap_or_default());
            is_it.then(|| of.clone()).or_else(|| is_world.then(|| format!("{of} of all")))
        });
        let named = named.unwrap_or_else(|| panic!("about nothing: {about}"));
        let said = match (Closed::of(event), event.what.action.as_str()) {
            (Some(closed), _) => format!("closed after {} by {}", closed.stood_s, closed.closed_by.unwrap_or_default()),
            (None, action::EXPOSURE_WORLD) if event.detail["whodid"].get("withdrawn").is_none() => "world".to_owned(),
            _ => String::new(),
        };
        newest.insert((named, event.what.action.clone(), about), said);
    }
    newest
        .into_iter()
        .filter(|(_, said)| !said.is_empty())
        .map(|((named, ..), said)| format!("{named} {said}"))
        .collect()
}

fn changes(lines: &[&str]) -> Vec<Event> {
    lines.iter().enumerate().map(|(number, line)| change(number, line)).collect()
}

/// Gives them in this order, settled after each of these, with what was said read back as a trail would.
fn run(changes: &[Event], order: &[usize], settled: &[bool], restarts: bool) -> Vec<Event> {
    let mut trail: Vec<Event> = Vec::new();
    let mut exposures = Exposures::default();
    let mut read = 0;
    let settle = |exposures: &mut Exposures, trail: &mut Vec<Event>, read: &mut usize| {
        loop {
            for (seq, event) in (0..).zip(trail.iter()).skip(*read) {
                exposures.take(seq, event);
            }
            *read = trail.len();
            let said = exposures.settle();
            if said.is_empty() {
                return;
            }
            trail.extend(said);
        }
    };
    for (place, at) in order.iter().enumerate() {
        trail.push(changes[*at].clone());
        if settled.get(place).copied().unwrap_or(false) {
            settle(&mut exposures, &mut trail, &mut read);
            if restarts {
                (exposures, read) = (Exposures::default(), 0);
            }
        }
    }
    settle(&mut exposures, &mut trail, &mut read);
    let size = trail.len();
    let (mut again, mut from_start) = (Exposures::default(), 0);
    settle(&mut again, &mut trail, &mut from_start);
    assert_eq!(trail.len(), size, "a restart says nothing twice");
    trail.into_iter().filter(|event| event.source.kind == Family::Whodid).collect()
}

fn check(lines: &[&str], expected: &[&str]) {
    let changes = changes(lines);
    let order: Vec<usize> = (0..changes.len()).collect();
    let said = run(&changes, &order, &[], false);
    let expected: Vec<String> = expected.iter().map(|line| format!("2026-11-20T{line}")).collect();
    assert_eq!(newest(&said, &changes), expected, "{lines:?}");
}

#[test]
fn an_opening_stands_until_all_it_let_in_is_closed() {
    let open = "10:00:00 alice sg-1 + tcp/22 0.0.0.0/0 + tcp/80 0.0.0.0/0";
    check(&[open], &[]);
    check(&[open, "11:00:00 bob sg-1 - tcp/22 0.0.0.0/0"], &[]);
    check(
        &[open, "11:00:00 bob sg-1 - tcp/22 0.0.0.0/0", "12:00:00 carol sg-1 - tcp/80 0.0.0.0/0"],
        &["10:00:00Z sg-1 closed after 7200 by carol"],
    );
    check(&[open, "10:30:00 bob sg-1 -"], &["10:00:00Z sg-1 closed after 1800 by bob"]);
    // Another thing, and what came before.
    check(&[open, "10:30:00 bob sg-2 -", "09:00:00 bob sg-1 -"], &[]);
}

#[test]
fn a_rule_is_closed_by_its_id_whatever_it_has_become() {
    check(
        &["10:00:00 alice sg-1 + tcp/22 0.0.0.0/0 sgr-1", "10:01:00 bob sg-1 - sgr-1 + tcp/22 198.51.100.0/24 sgr-1"],
        &["10:00:00Z sg-1 closed after 60 by bob"],
    );
    // Changed into something that lets in the same and more.
    check(&["10:00:00 alice sg-1 + tcp/22 198.51.100.0/24 sgr-1", "10:01:00 bob sg-1 - sgr-1 + 0.0.0.0/0 sgr-1"], &[]);
    check(&["10:00:00 alice sg-1 + tcp/22 0.0.0.0/0 sgr-1", "10:01:00 bob sg-1 - tcp/22 0.0.0.0/0 sgr-2"], &[]);
}

#[test]
fn of_one_second_the_opening_is_the_later_one_unless_it_cannot_be() {
    check(&["10:00:00 alice sg-1 + tcp/22 0.0.0.0/0", "10:00:00 alice sg-1 - tcp/22 0.0.0.0/0"], &[]);
    check(
        &["10:00:00 alice sg-1 + tcp/22 0.0.0.0/0 sgr-1", "10:00:00 bob sg-1 - sgr-1"],
        &["10:00:00Z sg-1 closed after 0 by bob"],
    );
    check(&["10:00:00 alice sg-1 + 0.0.0.0/0", "10:00:00 bob sg-1 -"], &["10:00:00Z sg-1 closed after 0 by bob"]);
}

#[test]
fn a_policy_that_lets_in_the_same_again_leaves_the_first_opening_standing() {
    check(
        &["10:00:00 alice b + * policy", "11:00:00 bob b + * policy - policy", "12:00:00 carol b - policy"],
        &["10:00:00Z b closed after 7200 by carol", "11:00:00Z b closed after 3600 by carol"],
    );
    check(&["10:00:00 alice b + * acl", "12:00:00 carol b - policy"], &[]);
}

#[test]
fn what_is_closed_for_the_whole_is_closed_for_its_parts() {
    let object = "10:00:00 alice b/key + * object-acl";
    check(&[object, "11:00:00 bob b -"], &["10:00:00Z b/key closed after 3600 by bob"]);
    check(&[object, "11:00:00 bob b* - * object-acl"], &["10:00:00Z b/key closed after 3600 by bob"]);
    check(&["11:00:00 bob b* - * object-acl", object], &["10:00:00Z b/key closed after 3600 by bob"]);
    check(&[object, "11:00:00 bob b/other -", "11:00:00 bob bb -"], &[]);
    check(&["10:00:00 alice b + * policy", "11:00:00 bob b/key -"], &[]);
}

#[test]
fn two_halves_of_different_calls_are_the_world_while_both_stand() {
    let (low, high) = ("10:00:00 alice sg-1 + tcp/22 0.0.0.0/1", "11:00:00 bob sg-1 + tcp/22 128.0.0.0/1");
    check(&[low, high], &["11:00:00Z sg-1 world"]);
    check(&[low, "11:00:00 bob sg-2 + tcp/22 128.0.0.0/1"], &[]);
    check(&[low, "11:00:00 bob sg-1 + tcp/80 128.0.0.0/1"], &[]);
    check(&[low, "10:30:00 carol sg-1 - tcp/22 0.0.0.0/1", high], &["10:00:00Z sg-1 closed after 1800 by carol"]);
    check(
        &[low, high, "12:00:00 carol sg-1 - tcp/22 0.0.0.0/1"],
        &[
            "10:00:00Z sg-1 closed after 7200 by carol",
            "11:00:00Z sg-1 world",
            "11:00:00Z sg-1 of all closed after 3600 by carol",
        ],
    );
    // Everybody was in already.
    check(&["09:00:00 alice sg-1 + tcp/22 0.0.0.0/0", low, high], &[]);
}

#[test]
fn evidence_that_comes_later_corrects() {
    let lines = [
        "10:00:00 alice sg-1 + tcp/22 0.0.0.0/1",
        "11:00:00 bob sg-1 + tcp/22 128.0.0.0/1",
        "13:00:00 dave sg-1 - tcp/22 0.0.0.0/1",
        "10:30:00 carol sg-1 - tcp/22 0.0.0.0/1",
    ];
    let changes = changes(&lines);
    let said = run(&changes, &[0, 1, 2, 3], &[true; 4], false);
    assert_eq!(newest(&said, &changes), ["2026-11-20T10:00:00Z sg-1 closed after 1800 by carol"]);
    let withdrawn: Vec<_> = said.iter().filter(|event| event.detail["whodid"].get("withdrawn").is_some()).collect();
    assert_eq!(withdrawn.len(), 2, "{said:#?}");
    assert!(withdrawn.iter().all(|event| event.detail["whodid"]["replaces"].is_u64() && !event.what.world));
    let first = said.iter().find(|event| event.what.action == action::EXPOSURE_WORLD).expect("said");
    assert_eq!((first.id, first.what.world), (said::id_of_completed(changes[1].id), true));
    assert_eq!((first.who.name.as_deref(), first.what.exposes.len()), (Some("bob"), 2));
}

#[test]
fn a_conclusion_tells_who_and_how_long() {
    let changes = changes(&["10:00:00 alice sg-1 + tcp/22 0.0.0.0/0", "16:12:00 bob sg-1 - tcp/22 0.0.0.0/0"]);
    let said = run(&changes, &[0, 1], &[], false);
    let event = &said[0];
    assert_eq!(event.when, changes[1].when);
    let text = "open for 6 h 12 min: opened by alice at 2026-11-20T10:00:00Z, closed by bob";
    assert_eq!(event.reason.as_deref(), Some(text));
    assert_eq!(event.place.region.as_deref(), Some("eu-central-1"));
    let detail = serde_json::json!({
        "opening": 0, "closing": 1, "opened": "2026-11-20T10:00:00Z", "closed": "2026-11-20T16:12:00Z",
        "stood_s": 22_320, "opened_by": "alice", "closed_by": "bob", "opened_with": "Change", "closed_with": "Change",
        "resource": "sg-1", "open": [{"cidr": "0.0.0.0/0", "protocol": "tcp", "from": 22, "to": 22}], "world": true,
    });
    assert_eq!(event.detail["whodid"], detail);
}

/// What was pruned may have explained it: what was said stays said.
#[test]
fn without_history_nothing_that_was_said_is_corrected() {
    let changes = changes(&["10:00:00 alice sg-1 + 0.0.0.0/0", "11:00:00 bob sg-1 -", "12:00:00 carol sg-1 -"]);
    let said = run(&changes, &[0, 1], &[], false);
    let mut later = Exposures::default();
    // The closing of 11:00 is gone.
    [&changes[0], &said[0], &changes[2]].into_iter().zip(7..).for_each(|(event, seq)| later.take(seq, event));
    assert_eq!(later.settle_without_history(), []);
    let mut later = Exposures::default();
    [&changes[0], &changes[2]].into_iter().zip(7..).for_each(|(event, seq)| later.take(seq, event));
    assert_eq!(later.settle_without_history().len(), 1);
}

#[test]
fn what_is_kept_has_a_bound() {
    let mut exposures = Exposures::new(Bounds { openings: 10, closings: 10 });
    for number in 0..100_usize {
        let second = number % 60;
        exposures.take(
            number as u64,
            &change(number, &format!("10:{:02}:{second:02} a sg-{number} + tcp/22 0.0.0.0/0", number / 60)),
        );
        exposures.take(number as u64, &change(number, &format!("11:{:02}:{second:02} a sg-{number} -", number / 60)));
        exposures.settle();
        assert!(exposures.openings.len() <= 10 && exposures.closings.len() <= 10 && exposures.ledgers.len() <= 20);
    }
    assert_eq!(exposures.forgotten(), 90, "closings; the openings were over");
    for number in 0..100_usize {
        exposures.take(number as u64, &change(number, &format!("12:00:00 a sg-{number} + tcp/22 0.0.0.0/0")));
    }
    assert!(exposures.openings.len() <= 10 && exposures.forgotten() > 150);
}

#[test]
fn of_one_thing_a_bounded_number_is_kept_and_looked_at() {
    let mut exposures = Exposures::default();
    for number in 0..3_000_usize {
        let (minute, second) = (number / 60, number % 60);
        let network = format!("{}.{}.0.0/12", number % 200 + 11, number / 200 * 16);
        let line = format!("10:{minute:02}:{second:02} a sg-1 + tcp/22 {network}");
        exposures.take(number as u64, &change(number, &line));
        exposures.take(number as u64, &change(number, &format!("09:{minute:02}:{second:02} a sg-1 - tcp/23 ::/0")));
        exposures.settle();
    }
    assert_eq!((exposures.openings.len(), exposures.closings.len()), (1_000, 1_000));
    assert_eq!(exposures.forgotten(), 2 * 2_000);
    // What is closed goes first, and is not missed.
    exposures.take(5_000, &change(5_000, "11:49:59 a sg-1 - tcp/22 210.224.0.0/12"));
    let before = exposures.forgotten();
    exposures.take(5_001, &change(5_001, "11:59:01 a sg-1 + tcp/22 198.51.100.0/24"));
    assert_eq!((exposures.openings.len(), exposures.forgotten()), (1_000, before));
    assert_eq!(exposures.settle().iter().filter(|event| event.what.action == action::EXPOSURE_CLOSED).count(), 1);
}

/// While a trail is read from its start nothing is settled: what was closed goes first even so, and is said once.
#[test]
fn a_restart_lets_go_of_what_was_closed_first() {
    let bounds = Bounds { openings: 10, closings: 100 };
    let standing = change(0, "09:00:00 a sg-standing + tcp/22 0.0.0.0/0");
    let mut trail = vec![standing.clone()];
    for number in 1..30_usize {
        trail.push(change(number, &format!("10:{number:02}:00 a sg-{number} + tcp/22 0.0.0.0/0")));
        trail.push(change(number, &format!("11:{number:02}:00 a sg-{number} -")));
    }
    let mut first = Exposures::new(bounds);
    (0..).zip(&trail).for_each(|(seq, event)| first.take(seq, event));
    let said = first.settle();
    assert_eq!(said.len(), 29, "each once, with or without its opening");
    assert!(first.parting.is_empty() && first.openings.contains_key(&At::of(standing.when, standing.id)));
    trail.extend(said);
    trail.push(change(99, "12:00:00 b sg-standing -"));
    let mut again = Exposures::new(bounds);
    (0..).zip(&trail).for_each(|(seq, event)| again.take(seq, event));
    let said = again.settle();
    assert_eq!(newest(&said, &trail), ["2026-11-20T09:00:00Z sg-standing closed after 10800 by b"]);
    assert_eq!(again.forgotten(), 0);
}

#[test]
fn what_was_said_of_openings_that_are_gone_is_dropped() {
    let mut exposures = Exposures::new(Bounds { openings: 10, closings: 10 });
    for number in 0..3_000_usize {
        let (minute, second) = (number / 60, number % 60);
        exposures.take(0, &change(number, &format!("10:{minute:02}:{second:02} a sg-{number} + tcp/22 0.0.0.0/0")));
        exposures.take(0, &change(number, &format!("11:{minute:02}:{second:02} a sg-{number} -")));
        let said = exposures.settle();
        said.iter().for_each(|event| exposures.take(1, event));
    }
    assert!(exposures.said.len() <= 1_024 + 10, "{}", exposures.said.len());
}

const LINES: &[&str] = &[
    "10:00:00 alice sg-1 + tcp/22 0.0.0.0/1",
    "10:00:00 bob sg-1 + tcp/22 128.0.0.0/1 sgr-1",
    "10:00:01 bob sg-1 + tcp/22 0.0.0.0/0 sgr-2",
    "10:00:01 carol sg-1 - sgr-1",
    "10:00:01 carol sg-1 - tcp/22 0.0.0.0/1",
    "10:00:02 carol sg-1 - sgr-2 + tcp/22 128.0.0.0/1 sgr-2",
    "10:00:02 dave sg-1 + tcp/22 0.0.0.0/1 + tcp/80 ::/0",
    "10:00:03 dave sg-1 - tcp/80 ::/0",
    "10:00:03 dave sg-1 -",
    "10:00:04 alice sg-1 + tcp/22 0.0.0.0/2",
    "10:00:05 alice sg-1 + tcp/22 64.0.0.0/2 - tcp/22 0.0.0.0/1",
    "10:00:06 bob sg-1 - tcp/22 128.0.0.0/1",
    "10:00:01 bob b + * policy",
    "10:00:02 bob b + * policy - policy",
    "10:00:03 bob b/k + * object-acl",
    "10:00:04 bob b* - * object-acl - * policy",
    "10:00:05 bob b -",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_order_batch_or_restart_changes_the_newest_conclusions(
        chosen in proptest::sample::subsequence(LINES, 1..LINES.len()),
        order in proptest::collection::vec(any::<u32>(), LINES.len()),
        settled in proptest::collection::vec(any::<bool>(), LINES.len()),
        restarts in any::<bool>(),
    ) {
        let changes = changes(&chosen);
        let in_order: Vec<usize> = (0..changes.len()).collect();
        let mut other = in_order.clone();
        other.sort_by_key(|at| order[*at]);
        let expected = newest(&run(&changes, &in_order, &[], false), &changes);
        prop_assert_eq!(newest(&run(&changes, &other, &settled, restarts), &changes), expected);
    }
}
