//! Alerts over a trail in memory: what is stated, what is told, and what a restart goes on with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;

use crate::check::bench::{self, Memory as Trail, at, event, limits, minutes, with_ip};
use crate::check::{Key, State};
use crate::config::alert::Measure;
use crate::config::{Alert, Config};
use crate::event::own::{self, action};
use crate::event::{self, Event, Family, Stamp};
use crate::index::{Hit, Hits, Index, IndexError, Search};
use crate::schedule::Schedule;

use super::change::Fact;
use super::{Change, Engine, Evaluated, Kind, Memory, Patience, Told, Which};

mod arrival;
mod late;
mod telling;
mod unknown;

/// One alert, its trail, and whoever evaluates it.
struct Bench {
    trail: Trail,
    config: Arc<Config>,
    engine: Engine,
}

impl Bench {
    fn new(alert: Alert) -> Self {
        Self::asking(alert, "what.action:sshd.refused")
    }

    fn asking(alert: Alert, query: &str) -> Self {
        let config = bench::config(alert, query);
        let config = Arc::new(config);
        let mut trail = Trail::default();
        // The family is known, and nothing of it matters.
        trail.push(event("2020-01-01T00:00:00Z", "sshd.other", ""));
        Self { trail, engine: Engine::new(Arc::clone(&config), Memory::default()), config }
    }

    fn add(&mut self, when: &str, who: &str) {
        self.trail.push(event(when, "sshd.refused", who));
    }

    /// Evaluates what is due, and stores it as the writer would.
    fn round(&mut self, now: &str) -> Vec<Event> {
        let evaluation = self.engine.evaluate(at(now), &self.trail, Which::All, Patience::Over);
        self.store(&evaluation.events);
        evaluation.events
    }

    fn store(&mut self, events: &[Event]) {
        self.trail.events.extend_from_slice(events);
    }

    /// The program ends without a word and starts again: all that is left is the trail, as lines.
    fn restart(&mut self) {
        let memory = remembered(&self.trail.events);
        assert_eq!(memory, *self.engine.memory(), "what was gone on with is what the trail says");
        self.engine = Engine::new(Arc::clone(&self.config), memory);
    }

    fn state(&self) -> State {
        self.engine.memory().of(ID).map_or(State::Unknown, |recall| recall.state().0)
    }

    /// Takes all messages, as a channel that works would.
    fn deliver(&mut self, now: &str) -> Vec<String> {
        let messages = self.engine.messages(at(now));
        for message in &messages {
            for channel in &message.channels {
                let (message, channel, kind) = (message.id, channel.clone(), message.kind);
                let told = Told { message, channel, kind, attempts: 1, error: None };
                let event = self.engine.told(ID, &told, at(now));
                self.trail.push(event);
            }
        }
        messages.iter().map(super::Message::headline).collect()
    }
}

const ID: &str = "linux/ssh";

fn alert() -> Alert {
    bench::alert(ID)
}

fn remembered(events: &[Event]) -> Memory {
    let mut memory = Memory::default();
    for event in events {
        memory.fold_line(&event::encode(&mut event.clone()).0);
    }
    memory
}

fn changes(events: &[Event]) -> Vec<Change> {
    let change = |event: &Event| match Fact::read(event) {
        Some((_, Fact::Changed(change))) => Some(change),
        _ => None,
    };
    events.iter().filter_map(change).collect()
}

fn evaluated(events: &[Event]) -> Vec<Evaluated> {
    let evaluated = |event: &Event| match Fact::read(event) {
        Some((_, Fact::Evaluated(evaluated))) => Some(evaluated),
        _ => None,
    };
    events.iter().filter_map(evaluated).collect()
}

/// `12:00 OK>CRITICAL 1`, with `late`, `over`, `withheld` and `told`.
fn told(events: &[Event]) -> Vec<String> {
    let mark = |is: bool, name: &'static str| if is { name } else { "" };
    let line = |change: Change| {
        let group = if change.group == Key::Whole { String::new() } else { format!(" {}", change.group) };
        let marks = [
            mark(change.late, " late"),
            mark(change.over, " over"),
            mark(change.withheld, " withheld"),
            mark(change.message.is_some(), " told"),
        ]
        .concat();
        let time = change.slot.to_string().get(11..16).expect("a time").to_owned();
        format!("{time} {}>{} {}{group}{marks}", change.from, change.to, change.value)
    };
    changes(events).into_iter().map(line).collect()
}

fn verdicts(events: &[Event]) -> Vec<String> {
    let time = |stamp: Stamp| stamp.to_string().get(11..16).expect("a time").to_owned();
    let line = |evaluated: Evaluated| {
        let from = evaluated.from.map(|from| format!("{}-", time(from))).unwrap_or_default();
        let value = evaluated.value.map_or("?".to_owned(), |value| value.to_string());
        let was = evaluated.supersedes.map(|was| format!(" was {} {}", was.state, was.value)).unwrap_or_default();
        format!("{from}{} x{} {} {value}{was}", time(evaluated.slot), evaluated.slots, evaluated.state)
    };
    evaluated(events).into_iter().map(line).collect()
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_state_changes_is_told_and_resolved() {
    let mut bench = Bench::new(alert());
    let events = bench.round("12:00");
    assert_eq!(verdicts(&events), ["12:00 x1 OK 0"]);
    assert_eq!(told(&events), NOTHING, "what was never otherwise is no news");
    bench.add("12:03", "mallory");
    let events = bench.round("12:05");
    assert_eq!(told(&events), ["12:05 OK>CRITICAL 1 told"]);
    assert_eq!(verdicts(&events), ["12:05 x1 CRITICAL 1"]);
    let change = changes(&events).remove(0);
    assert_eq!(change.rows.first().and_then(|row| row.who.as_deref()), Some("mallory"));
    let messages = bench.deliver("12:05");
    assert_eq!(messages.len(), 1);
    assert!(messages[0].starts_with("CRITICAL linux/ssh: About linux/ssh: mallory"), "{messages:?}");
    bench.restart();
    assert_eq!(bench.deliver("12:06"), NOTHING, "once is enough");
    assert_eq!(told(&bench.round("12:30")), NOTHING, "the event is in the window still");
    let events = bench.round("12:35");
    assert_eq!(told(&events), ["12:35 CRITICAL>OK 0 told"]);
    assert_eq!(changes(&events)[0].since, Some(at("12:05")));
    assert_eq!(changes(&events)[0].occurrences, 6);
    assert!(bench.deliver("12:35")[0].starts_with("OK again linux/ssh"));
    bench.restart();
    assert_eq!(bench.state(), State::Ok);
}

#[test]
fn the_same_question_again_says_nothing() {
    let mut bench = Bench::new(alert());
    bench.add("11:50", "mallory");
    assert!(!bench.round("12:00").is_empty());
    bench.deliver("12:00");
    for now in ["12:00", "12:02"] {
        bench.restart();
        assert_eq!(bench.round(now), []);
        assert_eq!(bench.deliver(now), NOTHING);
    }
}

#[test]
fn an_alert_about_whodid_itself_comes_to_rest() {
    let mut bench = Bench::asking(alert(), "what.action:alert.*");
    let config = Arc::make_mut(&mut bench.config);
    config.queries.values_mut().for_each(|query| query.sources = vec![Family::Whodid]);
    bench.engine = Engine::new(Arc::clone(&bench.config), Memory::default());
    assert_eq!(told(&bench.round("12:00")), NOTHING);
    bench.store(&[own::event(action::ALERT_CHANGED, "another", at("12:01"))]);
    assert_eq!(told(&bench.round("12:05")), ["12:05 OK>CRITICAL 1 told"]);
    // Its own change is the second one.
    assert_eq!(told(&bench.round("12:05")), NOTHING);
    assert_eq!(bench.round("12:05"), []);
}

#[test]
fn equal_verdicts_share_an_event_for_an_hour() {
    let mut bench = Bench::new(alert());
    assert_eq!(verdicts(&bench.round("12:00")), ["12:00 x1 OK 0"]);
    for minute in (5..60).step_by(5) {
        assert_eq!(bench.round(&format!("12:{minute:02}")), []);
    }
    assert_eq!(verdicts(&bench.round("13:00")), ["12:05-13:00 x12 OK 0"]);
    assert_eq!(bench.round("13:05"), []);
    let events = bench.engine.flush(at("13:06"));
    assert_eq!(verdicts(&events), ["13:05 x1 OK 0"]);
    bench.store(&events);
    bench.restart();
    assert_eq!(bench.round("13:07"), []);
}

#[test]
fn verdicts_that_were_not_written_are_made_again() {
    let mut bench = Bench::new(alert());
    bench.round("12:00");
    bench.round("12:05");
    bench.round("12:10");
    bench.restart();
    bench.add("12:14", "mallory");
    let events = bench.round("12:15");
    assert_eq!(verdicts(&events), ["12:05-12:10 x2 OK 0", "12:15 x1 CRITICAL 1"]);
}

#[test]
fn missed_slots_are_made_up_for() {
    let mut bench = Bench::new(alert());
    bench.round("08:00");
    bench.add("09:01", "mallory");
    bench.restart();
    let events = bench.round("12:00");
    assert_eq!(told(&events), ["09:05 OK>CRITICAL 1 told", "09:35 CRITICAL>OK 0 told"]);
    let slots: u64 = evaluated(&events).iter().map(|evaluated| evaluated.slots).sum();
    assert_eq!(slots, 48, "every slot from 08:05 on has a verdict: {:?}", verdicts(&events));
    assert_eq!(verdicts(&events)[..3], ["08:05-09:00 x12 OK 0", "09:05-09:30 x6 CRITICAL 1", "09:35-10:30 x12 OK 0"]);
    let messages = bench.deliver("12:00");
    assert_eq!(messages.len(), 1, "one message for all of it");
    assert!(messages[0].starts_with("CRITICAL"), "{messages:?}");
    bench.restart();
    assert_eq!(bench.round("12:00"), []);
}

#[test]
fn there_is_an_end_to_what_is_made_up_for() {
    let mut bench = Bench::new(alert());
    bench.round("2026-01-01T00:00:00Z");
    let evaluated = evaluated(&bench.round("2026-11-20T12:00:00Z"));
    let slots: u64 = evaluated.iter().map(|evaluated| evaluated.slots).sum();
    assert_eq!(slots, 10_080);
    assert!(evaluated[0].cut && evaluated[1..].iter().all(|evaluated| !evaluated.cut));
}

#[test]
fn each_group_has_its_own_state() {
    let by = vec![bench::field("who.ip")];
    let mut bench = Bench::new(Alert { by, limits: limits(1, 3), ..alert() });
    let add = |bench: &mut Bench, when: &str, ip: &str| {
        bench.trail.push(with_ip(event(when, "sshd.refused", "root"), ip));
    };
    add(&mut bench, "11:58:01", "198.51.100.1");
    add(&mut bench, "11:58:02", "198.51.100.2");
    let both = bench.round("12:00");
    let expected = ["12:00 OK>WARNING 1 who.ip=198.51.100.1 told", "12:00 OK>WARNING 1 who.ip=198.51.100.2 told"];
    assert_eq!(told(&both), expected);
    bench.deliver("12:00");
    add(&mut bench, "12:04:01", "198.51.100.2");
    add(&mut bench, "12:04:02", "198.51.100.2");
    bench.restart();
    assert_eq!(told(&bench.round("12:05")), ["12:05 WARNING>CRITICAL 3 who.ip=198.51.100.2 told"]);
    assert_eq!(bench.deliver("12:05").len(), 1);
    let expected = ["12:30 WARNING>OK 0 who.ip=198.51.100.1 told", "12:30 CRITICAL>WARNING 2 who.ip=198.51.100.2 told"];
    assert_eq!(told(&bench.round("12:30")), expected);
    assert_eq!(bench.state(), State::Warning);
    bench.restart();
}

#[test]
fn more_groups_than_a_person_can_read_share_a_state() {
    let mut bench = Bench::new(Alert { by: vec![bench::field("who.name")], ..alert() });
    for n in 0..300 {
        bench.add("11:58", &format!("user-{n:03}"));
    }
    let changes = changes(&bench.round("12:00"));
    assert_eq!(changes.len(), super::track::GROUPS_MAX + 1);
    assert!(changes.iter().any(|change| change.group == Key::Others));
    let message = bench.engine.messages(at("12:00")).remove(0);
    assert!(message.text().lines().count() < 45, "{}", message.text());
    assert_eq!(message.total, 101);
    bench.restart();
    assert_eq!(bench.round("12:00"), []);
    assert_eq!(told(&bench.round("12:30")).len(), 101);
    bench.restart();
    assert_eq!(bench.state(), State::Ok);
}

#[test]
fn another_definition_is_judged_from_where_the_old_one_ended() {
    let mut bench = Bench::new(alert());
    bench.round("12:00");
    bench.add("12:06", "mallory");
    let config = Arc::make_mut(&mut bench.config);
    config.alerts.values_mut().for_each(|alert| alert.sha256 = "c".repeat(64));
    bench.restart();
    let events = bench.round("12:20");
    assert_eq!(told(&events), ["12:10 OK>CRITICAL 1 told"]);
    assert_eq!(verdicts(&events), ["12:05 x1 OK 0", "12:10-12:20 x3 CRITICAL 1"]);
    bench.add("11:58", "mallory");
    assert!(verdicts(&bench.round("12:20"))[0].starts_with("12:05"), "12:00 was the old one's");
}

#[test]
fn a_segment_begins_with_all_that_is_remembered() {
    let mut bench = Bench::new(Alert { by: vec![bench::field("who.name")], ..alert() });
    bench.add("11:58", "mallory");
    bench.add("11:59", "trudy");
    bench.round("12:00");
    bench.trail.is_broken = true;
    bench.round("12:05");
    let memory = bench.engine.memory().clone();
    assert!(memory.unsent() > 0);
    let restated = memory.restated(at("12:06"));
    assert_eq!(remembered(&restated), memory, "from the segment alone");
    let mut twice = memory.clone();
    restated.iter().for_each(|event| twice.fold(event));
    assert_eq!(twice, memory, "and on top of what is known");
}

#[test]
fn lines_that_only_look_like_statements_are_not_believed() {
    let mut memory = Memory::default();
    let mut forged = event("12:00", action::ALERT_CHANGED, "whodid");
    forged.what.object = Some(ID.to_owned());
    forged.set_detail("whodid", "x");
    memory.fold_line(&event::encode(&mut forged).0);
    memory.fold_line(b"{\"alert.changed\": \"whodid\"");
    memory.fold(&own::event(action::ALERT_CHANGED, ID, at("12:00")));
    assert_eq!(memory, Memory::default());
}

#[test]
fn too_much_in_one_window_hides_no_other() {
    let mut bench = Bench::new(Alert { measure: Measure::Distinct(bench::field("who.name")), ..alert() });
    bench.round("08:00");
    bench.trail.events.extend((0..100_001).map(|n| event("09:01", "sshd.refused", &format!("u{n}"))));
    bench.add("11:59", "mallory");
    let events = bench.round("12:00");
    assert_eq!(verdicts(&events), ["08:05-11:55 x47 UNKNOWN ?", "12:00 x1 CRITICAL 1"]);
    assert_eq!(told(&events), ["12:00 OK>CRITICAL 1 told"]);
    bench.restart();
    assert_eq!(bench.round("12:00"), []);
}

#[test]
fn the_past_can_be_replayed() {
    let bench = {
        let mut bench = Bench::new(alert());
        bench.add("09:02", "mallory");
        bench
    };
    let slots = bench.config.alerts[ID].schedule.slots_between(at("08:00"), at("12:00"), 1_000).slots;
    let question = crate::check::Question::new(&bench.config.alerts[ID], &bench.config.queries[ID]);
    let history = super::history::replay(&question, &bench.trail, &slots).expect("answered");
    let changes: Vec<_> = history.changes.iter().map(|fired| (fired.slot, fired.to, fired.rows.len())).collect();
    assert_eq!(changes, [(at("09:05"), State::Critical, 1), (at("09:35"), State::Ok, 0)]);
    assert_eq!((history.slots, history.fired), (48, 6));
}

#[test]
fn a_damaged_statement_does_no_harm() {
    let mut bench = Bench::new(Alert { by: vec![bench::field("who.name")], ..alert() });
    bench.add("11:58", "mallory");
    let events = bench.round("12:00");
    let restated = bench.engine.memory().restated(at("12:01"));
    for event in events.iter().chain(&restated) {
        let line = event::encode(&mut event.clone()).0;
        for place in 0..line.len() {
            let mut damaged = line.clone();
            damaged[place] ^= 1;
            Memory::default().fold_line(&damaged);
            Memory::default().fold_line(&damaged[..place]);
        }
    }
}
