//! What could not be answered.

use super::*;

#[test]
fn what_could_not_be_answered_is_unknown_and_stays_due() {
    let mut bench = Bench::new(alert());
    bench.round("12:00");
    bench.deliver("12:00");
    bench.add("12:03", "mallory");
    bench.trail.is_broken = true;
    let events = bench.round("12:05");
    assert_eq!(told(&events), ["12:05 OK>UNKNOWN 0 told"]);
    assert_eq!(verdicts(&events), ["12:05 x1 UNKNOWN ?"]);
    assert!(changes(&events)[0].reason.as_deref().is_some_and(|reason| reason.contains("another process")));
    assert_eq!(bench.state(), State::Unknown);
    assert_eq!(bench.round("12:05"), []);
    assert_eq!(bench.round("12:10"), [], "it is the same verdict");
    bench.restart();
    bench.trail.is_broken = false;
    let events = bench.round("12:40");
    assert_eq!(
        told(&events),
        ["12:40 UNKNOWN>OK 0 told", "12:05 OK>CRITICAL 1 told", "12:35 CRITICAL>OK 0 told"],
        "what happened meanwhile is found"
    );
    assert_eq!(verdicts(&events), ["12:05-12:30 x6 CRITICAL 1", "12:35-12:40 x2 OK 0"]);
    bench.restart();
    assert_eq!(bench.state(), State::Ok);
}

#[test]
fn an_answer_to_the_same_slot_ends_the_doubt() {
    let mut bench = Bench::new(alert());
    bench.round("12:00");
    bench.trail.is_broken = true;
    assert_eq!(told(&bench.round("12:01")), ["12:00 OK>UNKNOWN 0 told"]);
    bench.restart();
    bench.trail.is_broken = false;
    let events = bench.round("12:02");
    assert_eq!(told(&events), ["12:00 UNKNOWN>OK 0 told"]);
    assert_eq!(verdicts(&events), NOTHING);
    bench.restart();
    assert_eq!(bench.round("12:03"), []);
}

#[test]
fn an_index_that_may_answer_soon_is_asked_again_first() {
    let mut bench = Bench::new(alert());
    bench.trail.is_broken = true;
    let evaluation = bench.engine.evaluate(at("12:00"), &bench.trail, Which::Due, Patience::Again);
    assert!(evaluation.retry && evaluation.events.is_empty());
    bench.trail.is_broken = false;
    let evaluation = bench.engine.evaluate(at("12:00"), &bench.trail, Which::Due, Patience::Again);
    assert!(!evaluation.retry);
    assert_eq!(verdicts(&evaluation.events), ["12:00 x1 OK 0"]);
}

#[test]
fn an_alert_that_never_had_an_answer_is_not_ok() {
    let mut bench = Bench::new(alert());
    bench.trail.is_broken = true;
    assert_eq!(told(&bench.round("12:00")), ["12:00 OK>UNKNOWN 0 told"]);
    bench.restart();
    assert_eq!(bench.state(), State::Unknown);
}

#[test]
fn an_alert_that_nobody_feeds_is_left_out_and_named() {
    let mut bench = Bench::new(alert());
    bench.trail = Trail::default();
    let evaluation = bench.engine.evaluate(at("12:00"), &bench.trail, Which::All, Patience::Over);
    assert!(evaluation.events.is_empty());
    assert_eq!(evaluation.skipped[0].id, ID);
    assert!(evaluation.skipped[0].reason.starts_with("no auth source"), "{}", evaluation.skipped[0].reason);
    let standing = bench.engine.standings(at("12:00"), &bench.trail).remove(0);
    assert!(standing.skipped.is_some() && standing.finding.is_none());
}
