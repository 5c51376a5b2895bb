//! What comes in late, or while nobody looked, or from a clock that was ahead.

use super::*;

#[test]
fn what_comes_in_late_makes_its_slots_due_again() {
    let mut bench = Bench::new(alert());
    for now in ["12:00", "12:05", "12:10"] {
        bench.round(now);
    }
    bench.add("12:04", "mallory");
    let events = bench.round("12:15");
    assert_eq!(told(&events), ["12:05 OK>CRITICAL 1 late told"], "it began when it would have and lasts");
    let expected = ["12:05-12:10 x2 OK 0", "12:05-12:10 x2 CRITICAL 1 was OK 0", "12:15 x1 CRITICAL 1"];
    assert_eq!(verdicts(&events), expected);
    assert_eq!(bench.state(), State::Critical);
    bench.restart();
    assert_eq!(bench.round("12:15"), []);
}

#[test]
fn what_is_late_and_over_is_told_once() {
    let mut bench = Bench::new(alert());
    bench.round("08:00");
    bench.round("12:00");
    bench.add("09:02", "mallory");
    let events = bench.round("12:05");
    assert_eq!(told(&events), ["09:05 OK>CRITICAL 1 late over told"]);
    assert_eq!(verdicts(&events)[..1], ["09:05-09:30 x6 CRITICAL 1 was OK 0"]);
    assert_eq!(bench.state(), State::Ok);
    assert_eq!(bench.deliver("12:05").len(), 1);
    bench.restart();
    assert_eq!(bench.round("12:05"), []);
    // A second late event of the same slots raises no state, only a number.
    bench.add("09:03", "mallory");
    let events = bench.round("12:10");
    assert_eq!(told(&events), NOTHING);
    assert_eq!(verdicts(&events)[..1], ["09:05-09:30 x6 CRITICAL 2 was CRITICAL 1"]);
}

#[test]
fn a_query_that_asks_for_the_time_finds_what_is_late_too() {
    let mut bench = Bench::asking(alert(), "what.action:sshd.refused AND when:>=now-10m");
    for now in ["12:00", "12:05", "12:10"] {
        bench.round(now);
    }
    bench.add("12:04", "mallory");
    let events = bench.round("12:15");
    assert_eq!(told(&events), ["12:05 OK>CRITICAL 1 late told", "12:15 CRITICAL>OK 0 told"]);
    bench.restart();
    assert_eq!(bench.round("12:15"), []);
}

#[test]
fn slots_that_were_never_due_do_not_become_so() {
    let mut bench = Bench::new(alert());
    bench.round("12:00");
    bench.add("08:02", "mallory");
    assert_eq!(told(&bench.round("12:05")), NOTHING);
    bench.add("11:58", "mallory");
    assert_eq!(told(&bench.round("12:10")), ["12:00 OK>CRITICAL 1 late told"]);
}

#[test]
fn what_is_later_than_its_lateness_is_recorded_and_not_sent() {
    let mut bench = Bench::new(Alert { lateness: minutes(60), ..alert() });
    bench.round("08:00");
    bench.round("12:00");
    bench.add("09:02", "mallory");
    let events = bench.round("12:05");
    assert_eq!(told(&events), ["09:05 OK>CRITICAL 1 late over withheld"]);
    assert_eq!(bench.deliver("12:05"), NOTHING);
    bench.restart();
}

#[test]
fn what_began_too_long_ago_and_lasts_is_told_all_the_same() {
    let mut bench = Bench::new(Alert { lateness: minutes(60), window: minutes(600), ..alert() });
    bench.round("08:00");
    bench.restart();
    bench.add("08:02", "mallory");
    let events = bench.round("12:00");
    assert_eq!(told(&events), ["08:05 OK>CRITICAL 1 told"]);
    assert_eq!(bench.deliver("12:00").len(), 1);
}

#[test]
fn nobody_hears_the_end_of_what_nobody_heard_of() {
    let mut bench = Bench::new(Alert { lateness: minutes(60), ..alert() });
    bench.round("08:00");
    bench.add("08:02", "mallory");
    assert_eq!(told(&bench.round("12:00")), ["08:05 OK>CRITICAL 1 withheld", "08:35 CRITICAL>OK 0"]);
    let mut bench = Bench::new(Alert { notify: Vec::new(), ..alert() });
    bench.add("11:55", "mallory");
    assert_eq!(told(&bench.round("12:00")), ["12:00 OK>CRITICAL 1"]);
    assert_eq!(bench.deliver("12:00"), NOTHING);
}

#[test]
fn there_is_an_end_to_what_is_late() {
    let mut bench = Bench::new(Alert { schedule: Schedule::every(Duration::from_secs(1)).expect("valid"), ..alert() });
    bench.round("08:00");
    for minutes in 1..=240 {
        bench.round(&at("08:00").plus(TimeDelta::minutes(minutes)).to_string());
    }
    for hour in 8..12 {
        for minute in [1, 20, 40] {
            bench.add(&format!("{hour:02}:{minute:02}"), "mallory");
        }
    }
    let evaluated = evaluated(&bench.round("12:00:01"));
    assert!(evaluated.iter().any(|evaluated| evaluated.cut && evaluated.supersedes.is_some()));
}

/// A trail to which an event is added while it is being asked.
struct Racing<'t> {
    trail: std::sync::Mutex<&'t mut Trail>,
    /// Before which question, counted from one.
    before: usize,
    asked: std::sync::atomic::AtomicUsize,
    late: Event,
}

impl Index for Racing<'_> {
    fn search(&self, search: &Search, limit: usize) -> Result<Hits, IndexError> {
        self.trail.lock().expect("not poisoned").search(search, limit)
    }

    fn count(&self, search: &Search) -> Result<(u64, u64), IndexError> {
        self.trail.lock().expect("not poisoned").count(search)
    }

    fn each(&self, search: &Search, each: &mut dyn FnMut(Hit) -> bool) -> Result<u64, IndexError> {
        let mut trail = self.trail.lock().expect("not poisoned");
        if self.asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == self.before {
            trail.push(self.late.clone());
        }
        trail.each(search, each)
    }
}

#[test]
fn what_comes_in_while_the_index_is_asked_is_not_lost() {
    // What was late, the sweep, and whether anything was late meanwhile.
    for before in 1..=3 {
        let mut bench = Bench::new(alert());
        bench.round("08:00");
        bench.round("12:00");
        let racing = Racing {
            trail: std::sync::Mutex::new(&mut bench.trail),
            before,
            asked: 0.into(),
            late: event("09:02", "sshd.refused", "mallory"),
        };
        let mut events = bench.engine.evaluate(at("12:05"), &racing, Which::All, Patience::Over).events;
        bench.store(&events);
        events.extend(bench.round("12:10"));
        assert_eq!(told(&events), ["09:05 OK>CRITICAL 1 late over told"], "before question {before}");
    }
}

#[test]
fn a_clock_that_was_ahead_does_not_end_all_evaluation() {
    let mut bench = Bench::new(alert());
    bench.round("12:00");
    bench.round("2030-01-01T00:00:00Z");
    bench.restart();
    bench.add("12:03", "mallory");
    assert_eq!(told(&bench.round("12:05")), ["12:05 OK>CRITICAL 1 told"]);
    bench.restart();
    assert_eq!(bench.round("12:05"), []);
    // A step back of seconds is waited out.
    assert_eq!(bench.round("12:04"), []);
    assert_eq!(told(&bench.round("12:35")), ["12:35 CRITICAL>OK 0 told"]);
}
