//! Measures against numbers counted by hand and against a slow count; what is not known is never OK.

use std::time::Duration;

use super::bench::*;
use super::status::{Health, Source};
use super::*;
use crate::config::SavedQuery;
use crate::config::alert::{Alert, Compare, Limits, Unmatched};
use crate::event::{Event, Exposure, Family, Named, Outcome};

fn memory(events: impl IntoIterator<Item = Event>) -> Memory {
    Memory { events: events.into_iter().collect(), is_broken: false }
}

fn logins(times: &[&str]) -> Memory {
    memory(times.iter().map(|time| event(time, "ssh.login", "alice")))
}

#[track_caller]
fn value(alert: &Alert, query: &SavedQuery, memory: &Memory, slot: &str) -> u64 {
    let question = Question::new(alert, query);
    evaluate(&question, memory, at(slot)).answer.expect("an answer").verdict.value
}

#[test]
fn a_window_is_open_at_its_start_and_closed_at_its_end() {
    let (alert, query) = (alert("x"), saved("x", "*"));
    let memory = logins(&["11:30", "11:30:01", "12:00", "12:00:01"]);
    assert_eq!(value(&alert, &query, &memory, "12:00"), 2);
    // The same by way of groups, which go through the sweep.
    let grouped = Alert { by: vec![field("who.name")], ..alert };
    assert_eq!(value(&grouped, &query, &memory, "12:00"), 2);
}

#[test]
fn each_comparison_judges_equality_as_its_sign_says() {
    use State::{Critical, Ok, Warning};
    for (compare, states) in [
        (Compare::Greater, [Ok, Ok, Warning, Warning, Critical]),
        (Compare::AtLeast, [Ok, Warning, Warning, Critical, Critical]),
        (Compare::Less, [Critical, Critical, Critical, Ok, Ok]),
        (Compare::AtMost, [Critical, Critical, Critical, Critical, Ok]),
        (Compare::Equal, [Ok, Warning, Ok, Critical, Ok]),
        (Compare::NotEqual, [Critical, Critical, Critical, Warning, Critical]),
    ] {
        let alert = Alert { compare, limits: limits(1, 3), ..alert("x") };
        let query = saved("x", "*");
        let question = Question::new(&alert, &query);
        assert_eq!([0, 1, 2, 3, 4].map(|value| question.judge(value)), states, "{}", compare.symbol());
    }
}

#[test]
fn groups_have_numbers_and_states_of_their_own() {
    let alert = Alert { by: vec![field("who.name"), field("who.ip")], limits: limits(2, 3), ..alert("x") };
    let query = saved("x", "what.action:ssh.login");
    let login = |time, who, ip| with_ip(event(time, "ssh.login", who), ip);
    let memory = memory([
        login("11:40", "alice", "203.0.113.7"),
        login("11:41", "bob", "203.0.113.8"),
        login("11:42", "alice", "203.0.113.7"),
        login("11:43", "alice", "203.0.113.9"),
        login("11:44", "alice", "::ffff:203.0.113.7"),
        event("11:45", "ssh.login", "carol"),
        event("11:46", "ssh.login", "carol"),
    ]);
    let finding = evaluate(&Question::new(&alert, &query), &memory, at("12:00"));
    let answer = finding.answer.expect("an answer");
    let groups: Vec<(String, u64, State)> =
        answer.groups.iter().map(|group| (group.key.to_string(), group.level.value, group.level.state)).collect();
    assert_eq!(
        groups,
        [
            ("who.ip=203.0.113.7 who.name=alice".into(), 3, State::Critical),
            ("no who.ip who.name=carol".into(), 2, State::Warning),
        ]
    );
    assert_eq!(answer.verdict, Verdict { state: State::Critical, value: 3, firing: 2 });
    let newest: Vec<u64> = answer.groups[0].rows.iter().map(|row| row.seq).collect();
    assert_eq!(newest, [4, 2, 0]);
}

#[test]
fn distinct_counts_values_and_new_those_that_were_not_there_before() {
    let query = saved("x", "*");
    let from = |time, ip| with_ip(event(time, "ssh.login", "alice"), ip);
    let memory = memory([
        from("09:00", "203.0.113.1"),
        from("11:35", "203.0.113.1"),
        from("11:40", "203.0.113.2"),
        from("11:45", "203.0.113.2"),
        event("11:50", "ssh.login", "alice"),
    ]);
    let distinct = Alert { measure: Measure::Distinct(field("who.ip")), ..alert("x") };
    assert_eq!(value(&distinct, &query, &memory, "12:00"), 2);
    let new = |known| Alert { measure: Measure::New { field: field("who.ip"), known: minutes(known) }, ..alert("x") };
    assert_eq!(value(&new(180), &query, &memory, "12:00"), 1);
    assert_eq!(value(&new(60), &query, &memory, "12:00"), 2, "what was seen three hours ago is forgotten");
}

/// Starts and finishes, each `+` or `-` with a time and a key, and the number at each slot.
#[track_caller]
fn check_unmatched(story: &[(&str, &str, &str)], numbers: &[(&str, u64)]) {
    let alert = Alert { window: minutes(120), measure: unmatched(minutes(30)), ..alert("x") };
    let query = saved("x", "*");
    let action = |sign| if sign == "+" { "run.start" } else { "run.finish" };
    let memory = memory(story.iter().map(|(sign, time, key)| on(event(time, action(*sign), "deploy"), key)));
    for (slot, expected) in numbers {
        assert_eq!(value(&alert, &query, &memory, slot), *expected, "{story:?} at {slot}");
    }
}

#[test]
fn starts_without_finish_count_once_their_time_is_over() {
    let start = ("+", "10:00", "web-1");
    check_unmatched(&[start], &[("10:29", 0), ("10:30", 1), ("11:59", 1), ("12:00", 0)]);
    check_unmatched(&[start, ("-", "10:30", "web-1")], &[("10:29", 0), ("10:30", 0), ("11:00", 0)]);
    check_unmatched(&[start, ("-", "10:31", "web-1")], &[("10:31", 1), ("11:00", 1)]);
    check_unmatched(&[("-", "09:59", "web-1"), start], &[("10:30", 1)]);
    check_unmatched(&[start, ("-", "10:10", "web-2")], &[("10:30", 1)]);
    // In one instant the order of the trail decides.
    check_unmatched(&[start, ("-", "10:00", "web-1")], &[("10:30", 0)]);
    check_unmatched(&[("-", "10:00", "web-1"), start], &[("10:30", 1)]);
    // One finish closes one start, the newest.
    check_unmatched(&[start, ("+", "10:05", "web-1"), ("-", "10:10", "web-1")], &[("10:30", 1), ("10:35", 1)]);
    check_unmatched(
        &[start, ("+", "10:05", "web-1"), ("-", "10:10", "web-1"), ("-", "10:12", "web-1")],
        &[("10:30", 0), ("10:35", 0)],
    );
    check_unmatched(&[start, start], &[("10:30", 2)]);
}

#[test]
fn a_late_finish_takes_its_start_back_where_it_may() {
    let alert = Alert { window: minutes(120), measure: unfinished(minutes(30)), ..alert("x") };
    let query = saved("x", "*");
    let check = |story: &[(&str, &str, &str)], numbers: &[(&str, u64)]| {
        let action = |sign| if sign == "+" { "run.start" } else { "run.finish" };
        let memory = memory(story.iter().map(|(sign, time, key)| on(event(time, action(*sign), "deploy"), key)));
        for (slot, expected) in numbers {
            assert_eq!(value(&alert, &query, &memory, slot), *expected, "{story:?} at {slot}");
        }
    };
    let start = ("+", "10:00", "web-1");
    check(&[start], &[("10:29", 0), ("10:30", 1), ("11:59", 1), ("12:00", 0)]);
    check(&[start, ("-", "10:20", "web-1")], &[("10:30", 0)]);
    check(&[start, ("-", "11:00", "web-1")], &[("10:30", 1), ("10:59", 1), ("11:00", 0), ("11:30", 0)]);
    check(&[start, ("-", "11:00", "web-2")], &[("11:00", 1)]);
    // The newest first, late or not.
    check(&[start, ("+", "11:00", "web-1"), ("-", "11:10", "web-1")], &[("11:05", 1), ("11:40", 1)]);
    check(
        &[start, ("+", "10:10", "web-1"), ("-", "11:10", "web-1"), ("-", "11:20", "web-1")],
        &[("11:00", 2), ("11:10", 1), ("11:20", 0)],
    );
}

#[test]
fn a_finish_may_name_its_start_in_another_field() {
    let Measure::Unmatched(measure) = unmatched(minutes(30)) else { panic!("unmatched") };
    let measure = Unmatched { key: field("who.name"), finish_key: Some(field("what.object")), ..*measure };
    let alert = Alert { window: minutes(120), measure: Measure::Unmatched(Box::new(measure)), ..alert("x") };
    let query = saved("x", "*");
    let memory = memory([
        on(event("10:00", "run.start", "alice"), "web-1"),
        on(event("10:01", "run.start", "bob"), "alice"),
        on(event("10:02", "run.finish", "web-1"), "alice"),
    ]);
    assert_eq!(value(&alert, &query, &memory, "11:00"), 1, "alice's has its finish, bob's has none");
}

#[test]
fn a_start_without_key_is_only_finished_by_a_finish_without_key() {
    let alert = Alert { window: minutes(120), measure: unmatched(minutes(30)), ..alert("x") };
    let query = saved("x", "*");
    let memory = memory([
        event("10:00", "run.start", "deploy"),
        on(event("10:01", "run.finish", "deploy"), "web-1"),
        event("10:02", "run.start", "deploy"),
        event("10:03", "run.finish", "deploy"),
    ]);
    assert_eq!(value(&alert, &query, &memory, "11:00"), 1);
}

#[test]
fn only_the_families_of_the_query_are_asked_and_never_its_own_verdicts() {
    let mut query = saved("x", "*");
    let alert = alert("x");
    let own = crate::event::own::event;
    let memory = memory([
        event("11:50", "ssh.login", "alice"),
        own("alert.evaluated", "x", at("11:51")),
        own("notify.failed", "x", at("11:52")),
    ]);
    assert_eq!(value(&alert, &query, &memory, "12:00"), 1);
    query.sources = vec![Family::Whodid];
    assert_eq!(value(&alert, &query, &memory, "12:00"), 1, "notify.failed, but no verdict");
    query.sources = Vec::new();
    assert_eq!(value(&alert, &query, &memory, "12:00"), 2);
}

#[test]
fn a_query_about_now_is_asked_anew_at_each_slot() {
    let alert = Alert { by: vec![field("who.name")], ..alert("x") };
    let query = saved("x", "when:>now-10m");
    let question = Question::new(&alert, &query);
    let memory = logins(&["11:35", "11:44", "11:52"]);
    let mut found = Vec::new();
    let slots = ["11:45", "12:00"].map(at);
    sweep(&question, &memory, &slots, None, &mut |at| found.push(at.now.verdict().value)).expect("an answer");
    assert_eq!(found, [1, 1]);
}

#[test]
fn too_much_for_memory_is_unknown_and_never_a_wrong_number() {
    let (query, alert) = (saved("x", "*"), Alert { by: vec![field("what.object")], ..alert("x") });
    let question = Question::new(&alert, &query);
    let mut tally = Tally::new(&question);
    let fact = |seq: u64, object: String| {
        let hit = crate::index::Hit::new(seq, on(event("11:50", "x", "alice"), &object));
        super::fact::Facts::new(&question, None).of(&hit).expect("a fact")
    };
    let refused = (0..).map(|n| tally.take(&fact(n, format!("{n:<9000}")))).position(|taken| taken.is_err());
    assert_eq!(refused, Some(super::tally::KEY_BYTES_MAX / crate::event::fields::SEARCHABLE_BYTES_MAX));

    let mut event = event("11:50", "x", "alice");
    event.tags = (0..200).map(|n| n.to_string()).collect();
    event.what.category = event.tags.clone();
    let alert = Alert { by: vec![field("tags"), field("what.category")], ..alert.clone() };
    let finding = evaluate(&Question::new(&alert, &query), &memory([event]), at("12:00"));
    assert_eq!(finding.state(), State::Unknown);
    let text = finding.answer.expect_err("unknown").to_string();
    assert_eq!(text, "more than 10000 groups of one event: narrow the query or shorten the window");
}

fn status(health: Health) -> Status {
    let reason = (health != Health::Ok).then(|| "Permission denied".to_owned());
    let source = |name: &str, kind, state, reason| Source { name: name.into(), kind, state, since: None, reason };
    Status {
        v: status::VERSION,
        alive: at("11:58"),
        replay: false,
        acknowledged: 7,
        indexed: 7,
        links: None,
        sources: vec![
            source("auth", Family::Auth, health, reason),
            source("logins", Family::Wtmp, Health::Failing, Some("gone".into())),
        ],
        anchors: Vec::new(),
    }
}

#[track_caller]
fn check_now(status: Option<&Status>, memory: &Memory, alert: &Alert) -> (State, String) {
    let query = saved("x", "what.action:ssh.login");
    let question = Question::new(alert, &query);
    let freshness = Freshness { status, now: at("12:00"), stale_after: Duration::from_secs(300) };
    let finding = check(&question, memory, &freshness);
    (finding.state(), line(&question, &finding, None))
}

#[test]
fn what_is_not_known_is_never_ok() {
    let (quiet, loud) = (logins(&[]), logins(&["11:50"]));
    let alert = alert("x");
    let ok = status(Health::Ok);
    assert_eq!(check_now(Some(&ok), &quiet, &alert).0, State::Ok, "another family's failure is not its own");
    assert_eq!(check_now(Some(&ok), &loud, &alert).0, State::Critical);
    let unknown = |status: Option<&Status>, memory: &Memory, says: &str| {
        let (state, line) = check_now(status, memory, &alert);
        assert_eq!(state, State::Unknown, "{says}");
        assert!(line.starts_with("UNKNOWN x: ") && line.contains(says), "{line}");
    };
    unknown(None, &loud, "start `whodid run`");
    let ahead = Status { alive: at("12:05:01"), ..ok.clone() };
    unknown(Some(&ahead), &loud, "last heard of at 2026-11-20T12:05:01Z");
    let stale = Status { alive: at("11:54:59"), ..ok.clone() };
    unknown(Some(&stale), &loud, "last heard of at 2026-11-20T11:54:59Z");
    unknown(Some(&status(Health::Failing)), &quiet, "source auth is failing: Permission denied");
    let none = Status { sources: Vec::new(), ..ok.clone() };
    unknown(Some(&none), &quiet, "no auth source is configured");
    let broken = Memory { is_broken: true, ..logins(&["11:50"]) };
    unknown(Some(&ok), &broken, "another process writes the index");
    unknown(Some(&none), &broken, "another process writes the index");

    let replay = Status { alive: at("01:00"), replay: true, ..ok.clone() };
    assert_eq!(check_now(Some(&replay), &quiet, &alert).0, State::Ok, "time stands still there");
    assert_eq!(check_now(Some(&none), &loud, &alert).0, State::Critical, "fed by hand");
}

#[test]
fn what_is_critical_stays_so_when_more_may_be_missing() {
    let loud = logins(&["11:50"]);
    let failing = status(Health::Failing);
    let (state, line) = check_now(Some(&failing), &loud, &alert("x"));
    assert_eq!(state, State::Critical);
    assert!(line.contains("; source auth is failing: Permission denied | "), "{line}");
    // More events could make these better, or this one worse.
    let warning = Alert { limits: limits(1, 5), ..alert("x") };
    let below = Alert { compare: Compare::Less, limits: limits(None, 5), ..alert("x") };
    let new = Alert { measure: Measure::New { field: field("who.name"), known: minutes(60) }, ..alert("x") };
    for alert in [warning, below, new] {
        assert_eq!(check_now(Some(&failing), &loud, &alert).0, State::Unknown);
    }
}

#[test]
fn status_goes_to_disk_and_back() {
    let status = status(Health::Failing);
    assert_eq!(Status::parse(&status.to_bytes()), Some(status.clone()));
    assert_eq!(Status::parse(b""), None);
    assert_eq!(Status::parse(&Status { v: 2, ..status }.to_bytes()), None);
}

#[test]
fn the_line_says_who_opened_what_to_whom_and_when() {
    let mut opened = with_ip(event("11:44:07", "AuthorizeSecurityGroupIngress", "alice"), "203.0.113.7");
    opened.what.object = Some("sg-0a1b2c3d4e5f60718".into());
    let any = Exposure {
        cidr: Some("0.0.0.0/0".into()),
        protocol: Some("tcp".into()),
        from: Some(22),
        to: Some(22),
        ..Exposure::default()
    };
    opened.what.exposes = vec![any];
    let (alert, query) = (alert("aws/security-group-open-to-world"), saved("x", "*"));
    let question = Question::new(&alert, &query);
    let text = line(&question, &evaluate(&question, &memory([opened]), at("12:00")), Some(at("11:45")));
    assert_eq!(
        text,
        "CRITICAL aws/security-group-open-to-world: 1 >= 1 in 30m: alice@203.0.113.7 AuthorizeSecurityGroupIngress \
         sg-0a1b2c3d4e5f60718 tcp/22 to 0.0.0.0/0 at 2026-11-20T11:44:07Z (since 2026-11-20T11:45:00Z) | 'count'=1;;1;0;"
    );
    let quiet = line(&question, &evaluate(&question, &memory([]), at("12:00")), None);
    assert_eq!(quiet, "OK aws/security-group-open-to-world: 0 in 30m, >= 1 for CRITICAL | 'count'=0;;1;0;");
}

#[test]
fn rows_name_the_user_acted_on_and_the_failure() {
    let mut added = event("11:40", "group.member.add", "root");
    added.what.target = Some(Named::name("mallory"));
    added.what.group = Some(Named::name("sudo"));
    added.place.host = Some("web-1".into());
    let row = |event: Event| Row::of(&crate::index::Hit::new(7, event));
    assert_eq!(row(added).text(), "root group.member.add mallory sudo on web-1 at 2026-11-20T11:40:00Z");
    let mut denied = event("11:41", "sudo.command", "carol");
    denied.who.as_ = Some(Named::name("root"));
    denied.what.command = Some("/usr/bin/cat /etc/shadow".into());
    denied.outcome = Outcome::Failure;
    let denied = row(denied);
    assert_eq!(denied.text(), "carol as root sudo.command /usr/bin/cat /etc/shadow failed at 2026-11-20T11:41:00Z");
    let json = serde_json::to_string(&denied).expect("JSON");
    assert_eq!(serde_json::from_str::<Row>(&json).expect("a row"), denied);
}

#[test]
fn hostile_text_stays_on_its_line_and_before_the_numbers() {
    for name in [
        "a\nOK b",
        "x|'count'=0;;;",
        "\u{1b}[2Jroot",
        "\u{202e}toor",
        "ä漢",
        &"n".repeat(10_000),
        &"\u{7}".repeat(10_000),
    ] {
        let mut bad = on(event("11:50", name, name), name);
        bad.place.host = Some(name.to_owned());
        bad.what.exposes = vec![Exposure { cidr: Some(name.to_owned()), ..Exposure::default() }; 500];
        for by in [vec![], vec![field("who.name"), field("what.object")]] {
            let (alert, query) = (Alert { by, ..alert("x") }, saved("x", "*"));
            let question = Question::new(&alert, &query);
            let text = line(&question, &evaluate(&question, &memory([bad.clone()]), at("12:00")), None);
            assert!(text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{text}");
            assert_eq!(text.matches('|').count(), 1, "{text}");
            assert!(text.len() < 1_024, "{} bytes", text.len());
            assert!(text.starts_with("CRITICAL x: 1 >= 1 in 30m"), "{text}");
            assert!(text.contains("| 'count'=1;;1;0;"), "{text}");
        }
    }
}

#[test]
fn all_in_one_begin_with_the_worst() {
    let query = saved("x", "*");
    let alerts = [("a", 1), ("b", 9), ("c", 1)].map(|(id, limit)| Alert { limits: limits(None, limit), ..alert(id) });
    let (loud, broken) = (logins(&["11:50"]), Memory { is_broken: true, ..Memory::default() });
    let found = |alert, memory: &Memory| {
        let question = Question::new(alert, &query);
        (question, evaluate(&question, memory, at("12:00")))
    };
    let findings = [found(&alerts[1], &loud), found(&alerts[2], &broken), found(&alerts[0], &loud)];
    let (worst, text) = summary(&findings);
    assert_eq!((worst, worst.exit_code()), (State::Critical, 2));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "CRITICAL whodid: 1 critical, 0 warning, 1 unknown, 1 ok | 'critical'=1;;;0; 'warning'=0;;;0; 'unknown'=1;;;0; 'ok'=1;;;0;"
    );
    assert!(lines[1].starts_with("CRITICAL a: 1 >= 1 in 30m: alice ssh.login at"), "{}", lines[1]);
    assert!(lines[2].starts_with("UNKNOWN c: ") && lines[3].starts_with("OK b: 1 in 30m, >= 9 for CRITICAL"), "{text}");
    assert_eq!(text.matches('|').count(), 1);
    assert_eq!(summary(&findings[..2]).0.exit_code(), 3, "unknown is worse than OK");
    assert_eq!(summary(&[]).0, State::Unknown);
}

#[test]
fn numbers_have_the_ranges_of_the_guidelines() {
    let query = saved("x", "*");
    for (compare, range) in [
        (Compare::Greater, "5"),
        (Compare::AtLeast, "5"),
        (Compare::Less, "5:"),
        (Compare::AtMost, "6:"),
        (Compare::Equal, "@5:5"),
        (Compare::NotEqual, "5:5"),
    ] {
        let limits = Limits::new(None, Some(5), compare).expect("limits");
        let alert = Alert { compare, limits, ..alert("x") };
        let question = Question::new(&alert, &query);
        let text = line(&question, &evaluate(&question, &logins(&[]), at("12:00")), None);
        assert!(text.ends_with(&format!("| 'count'=0;;{range};0;")), "{text}");
    }
    for (seconds, text) in [(0, "0s"), (90, "1m30s"), (5_400, "1h30m"), (604_800, "7d")] {
        assert_eq!(span(Duration::from_secs(seconds)), text);
    }
}

mod joined;
mod property;

/// A list that nobody set is neither empty nor everything.
#[test]
fn a_question_with_a_list_that_is_not_set_has_no_answer() {
    let lists = crate::query::Lists::default().only(&["admins".to_owned()].into());
    let unset = SavedQuery {
        query: crate::query::Query::parse_with("NOT who.name:$admins", &lists).expect("a query"),
        ..saved("x", "*")
    };
    let memory = logins(&["11:50"]);
    for by in [vec![], vec![field("who.name")]] {
        let alert = Alert { by, ..alert("x") };
        let finding = evaluate(&Question::new(&alert, &unset), &memory, at("12:00"));
        assert_eq!(finding.state(), State::Unknown);
        let error = finding.answer.expect_err("no answer");
        assert!(error.is_unwatched(), "{error}");
        assert_eq!(error.to_string(), "a list is not set: set lists.admins in whodid.toml");
    }
}
