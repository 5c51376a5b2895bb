//! The slots of a line of crontab, in a zone.
//!
//! The calendar is walked in local time, where it has no edges; each local time then becomes an
//! instant. A time that the clock shows twice, at the end of summer time, is due twice; one that it
//! skips is due when it would have been, had the clock not been changed. So no hour of real time goes
//! unwatched and no local time is left out.

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, Datelike as _, NaiveDateTime, TimeDelta, Utc};

use super::crontab::{BadCrontab, Crontab};
use crate::event::Stamp;
use crate::sources::zone::{self, Zone};

/// A line of crontab and the zone of the clock it means.
#[derive(Clone)]
pub struct Cron {
    text: String,
    zone: Zone,
    /// Due where either says so: one, or two where a line names days of the month and of the week.
    lines: Vec<cron::Schedule>,
}

/// No zone was ever moved by more than a day (Samoa left out 2011-12-30).
const SHIFT_MAX: TimeDelta = TimeDelta::hours(26);

/// The `cron` crate's calendar.
const YEARS: std::ops::RangeInclusive<i32> = 1971..=2099;

impl Cron {
    pub(super) fn parse(text: &str, zone: Zone) -> Result<Self, BadCrontab> {
        let lines = Crontab::parse(text)?.lines();
        let read = |line: &String| line.parse().map_err(|_| BadCrontab::Never(text.to_owned()));
        Ok(Self { text: text.trim().to_owned(), zone, lines: lines.iter().map(read).collect::<Result<_, _>>()? })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn zone(&self) -> Zone {
        self.zone
    }

    pub(super) fn last_due(&self, now: Stamp) -> Option<Stamp> {
        // A later local time can be an earlier instant.
        let mut local = self.clear_of_shifts(now, SHIFT_MAX) + TimeDelta::seconds(1);
        let mut newest = None;
        loop {
            local = self.local_before(local)?;
            newest = newest.max(self.instants(local).into_iter().flatten().filter(|slot| *slot <= now).max());
            if newest.is_some() && self.is_steady(local) {
                return newest;
            }
        }
    }

    pub(super) fn slots_after(&self, after: Stamp) -> impl Iterator<Item = Stamp> + '_ {
        let local = self.clear_of_shifts(after, -SHIFT_MAX) - TimeDelta::seconds(1);
        Forward { cron: self, after, local: Some(local), waiting: BTreeSet::new(), settled: None }
    }

    /// The local time of an instant, moved away where the clock is changed near it.
    fn clear_of_shifts(&self, at: Stamp, by: TimeDelta) -> NaiveDateTime {
        let local = self.zone.to_local(at);
        if self.is_steady(local) { local } else { local.checked_add_signed(by).unwrap_or(local) }
    }

    /// Whether all earlier local times are earlier instants, and all later ones later.
    fn is_steady(&self, local: NaiveDateTime) -> bool {
        if matches!(self.zone, Zone::Fixed(_)) || self.zone == Zone::UTC {
            return true;
        }
        let (Some(before), Some(after)) = (local.checked_sub_signed(SHIFT_MAX), local.checked_add_signed(SHIFT_MAX))
        else {
            return true;
        };
        match (self.zone.to_utc(before), self.zone.to_utc(after)) {
            (zone::Utc::One(a), zone::Utc::One(b)) => b.instant() - a.instant() == SHIFT_MAX * 2,
            _ => false,
        }
    }

    /// The instants at which the clock shows a local time.
    fn instants(&self, local: NaiveDateTime) -> [Option<Stamp>; 2] {
        match self.zone.to_utc(local) {
            zone::Utc::One(at) | zone::Utc::Skipped(at) => [Some(at), None],
            zone::Utc::Two(a, b) => [Some(a), Some(b)],
        }
    }

    fn local_after(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        let at = on_calendar(local)?;
        self.lines.iter().filter_map(|line| line.after(&at).next()).min().map(|at| at.naive_utc())
    }

    fn local_before(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        let at = on_calendar(local)?;
        self.lines.iter().filter_map(|line| line.after(&at).next_back()).max().map(|at| at.naive_utc())
    }
}

/// A local time as the crate walks it: in UTC, which has no edges.
fn on_calendar(local: NaiveDateTime) -> Option<DateTime<Utc>> {
    YEARS.contains(&local.year()).then(|| local.and_utc())
}

/// Walks local times forward and puts their instants in order where the clock is changed.
struct Forward<'c> {
    cron: &'c Cron,
    after: Stamp,
    /// The newest local time that was looked at; none at the end of the calendar.
    local: Option<NaiveDateTime>,
    waiting: BTreeSet<Stamp>,
    /// No later local time is an instant before this.
    settled: Option<Stamp>,
}

impl Iterator for Forward<'_> {
    type Item = Stamp;

    fn next(&mut self) -> Option<Stamp> {
        loop {
            let is_settled =
                |slot: &Stamp| self.local.is_none() || self.settled.is_some_and(|settled| *slot <= settled);
            if self.waiting.first().is_some_and(is_settled) {
                match self.waiting.pop_first() {
                    Some(slot) if slot > self.after => return Some(slot),
                    _ => continue,
                }
            }
            self.local = self.cron.local_after(self.local?);
            if let Some(local) = self.local {
                self.waiting.extend(self.cron.instants(local).into_iter().flatten());
                if self.cron.is_steady(local) {
                    self.settled = self.waiting.last().copied();
                }
            }
        }
    }
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.zone == other.zone
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({self})")
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.zone)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Schedule;
    use super::*;

    fn at(text: &str) -> Stamp {
        Stamp::parse(text).expect("an instant")
    }

    fn schedule(text: &str, zone: &str) -> Schedule {
        Schedule::cron(text, zone.parse().expect("a zone")).expect("a line of crontab")
    }

    /// The first slots after an instant are these; walking back from each finds the one before.
    #[track_caller]
    fn check(text: &str, zone: &str, after: &str, expected: &[&str]) {
        let schedule = schedule(text, zone);
        let slots: Vec<String> =
            schedule.slots_after(at(after)).take(expected.len()).map(|slot| slot.to_string()).collect();
        assert_eq!(slots, expected, "{text} {zone}");
        for pair in expected.windows(2) {
            let (before, slot) = (at(pair[0]), at(pair[1]));
            assert_eq!(schedule.last_due(slot), Some(slot), "{text} {zone}");
            assert_eq!(schedule.last_due(slot.minus(TimeDelta::microseconds(1))), Some(before), "{text} {zone}");
            assert_eq!(schedule.next_after(before), Some(slot), "{text} {zone}");
        }
    }

    #[test]
    fn lines_mean_what_crontab_says() {
        check("*/5 * * * *", "UTC", "2026-11-20T11:58:00Z", &["2026-11-20T12:00:00Z", "2026-11-20T12:05:00Z"]);
        // 2026-11-20 is a Friday.
        check("0 9 * * 1-5", "UTC", "2026-11-20T08:00:00Z", &["2026-11-20T09:00:00Z", "2026-11-23T09:00:00Z"]);
        for sunday in ["0", "7", "SUN", "sun"] {
            check(
                &format!("0 0 * * {sunday}"),
                "UTC",
                "2026-11-20T00:00:00Z",
                &["2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"],
            );
        }
        check(
            "0 0 13 * 5",
            "UTC",
            "2026-11-07T00:00:00Z",
            &[
                "2026-11-13T00:00:00Z",
                "2026-11-20T00:00:00Z",
                "2026-11-27T00:00:00Z",
                "2026-12-04T00:00:00Z",
                "2026-12-11T00:00:00Z",
                "2026-12-13T00:00:00Z",
            ],
        );
        check("0 12 29 2 *", "UTC", "2026-11-20T00:00:00Z", &["2028-02-29T12:00:00Z", "2032-02-29T12:00:00Z"]);
        check("30 23 31 * *", "UTC", "2026-01-31T23:30:00Z", &["2026-03-31T23:30:00Z", "2026-05-31T23:30:00Z"]);
        check("@monthly", "+05:30", "2026-11-20T00:00:00Z", &["2026-11-30T18:30:00Z", "2026-12-31T18:30:00Z"]);
    }

    #[test]
    fn what_the_clock_shows_twice_is_due_twice() {
        // 03:00 CEST becomes 02:00 CET on 2026-10-25.
        check(
            "30 * * * *",
            "Europe/Berlin",
            "2026-10-24T23:45:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"],
        );
        check(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            &["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"],
        );
    }

    #[test]
    fn what_the_clock_skips_is_due_all_the_same() {
        // 02:00 CET becomes 03:00 CEST on 2026-03-29.
        check(
            "30 * * * *",
            "Europe/Berlin",
            "2026-03-28T23:45:00Z",
            &["2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z"],
        );
        check("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", &["2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"]);
        // A whole day that Samoa left out.
        check(
            "0 12 * * *",
            "Pacific/Apia",
            "2011-12-29T00:00:00Z",
            &["2011-12-29T22:00:00Z", "2011-12-30T22:00:00Z", "2011-12-31T22:00:00Z"],
        );
    }

    #[test]
    fn the_calendar_has_an_end() {
        let yearly = schedule("@yearly", "UTC");
        assert_eq!(yearly.last_due(at("9999-01-01T00:00:00Z")), None);
        assert_eq!(yearly.next_after(at("9999-01-01T00:00:00Z")), None);
        assert_eq!(yearly.last_due(at("1969-01-01T00:00:00Z")), None);
    }

    mod property {
        use proptest::prelude::*;

        use super::*;

        fn field(least: u32, most: u32) -> impl Strategy<Value = String> {
            prop_oneof![
                3 => Just("*".to_owned()),
                2 => (least..=most).prop_map(|n| n.to_string()),
                1 => (1..=most).prop_map(|n| format!("*/{n}")),
                1 => (least..=most, least..=most).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
                1 => (least..=most, least..=most).prop_map(|(a, b)| format!("{a},{b}")),
            ]
        }

        proptest! {
            #![proptest_config(ProptestConfig::with_cases(64))]

            /// Against a clock on the wall that is looked at every minute.
            #[test]
            fn every_minute_that_the_clock_shows_is_judged_alike(
                minute in field(0, 59), hour in field(0, 23), day in field(1, 31), weekday in field(0, 7),
                start in 1_740_000_000_i64..1_900_000_000,
                zone in proptest::sample::select(&["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
            ) {
                use chrono::Timelike as _;
                let text = format!("{minute} {hour} {day} * {weekday}");
                let Ok(schedule) = Schedule::cron(&text, zone.parse().expect("a zone")) else { return Ok(()) };
                let zone: Zone = zone.parse().expect("a zone");
                let from = Stamp::from_unix(start - start % 60, 0);
                let upto = from.plus(TimeDelta::days(3));

                let has = |field: &str, least: u32, number: u32| field.split(',').any(|item| {
                    match (item.strip_prefix("*/"), item.split_once('-')) {
                        _ if item == "*" => true,
                        (Some(step), _) => (number - least).is_multiple_of(step.parse::<u32>().expect("a step")),
                        (_, Some((a, b))) => (a.parse().expect("a")..=b.parse().expect("b")).contains(&number),
                        _ => item.parse() == Ok(number),
                    }
                });
                let shown = |at: Stamp| {
                    let local = zone.to_local(at);
                    let on_day = has(&day, 1, local.day());
                    let sunday = local.weekday().num_days_from_sunday();
                    let on_weekday = has(&weekday, 0, sunday) || (sunday == 0 && has(&weekday, 0, 7));
                    let is_star = day.starts_with('*') || weekday.starts_with('*');
                    let is_day = if is_star { on_day && on_weekday } else { on_day || on_weekday };
                    has(&minute, 0, local.minute()) && has(&hour, 0, local.hour()) && is_day
                };
                let slots = schedule.slots_between(from, upto, usize::MAX - 1).slots;
                let is_skipped = |slot: &Stamp| zone.to_local(*slot) != zone.to_local(slot.minus(TimeDelta::hours(1)))
                    + TimeDelta::hours(1);
                let mut wanted = Vec::new();
                let mut minute_at = from.plus(TimeDelta::minutes(1));
                while minute_at <= upto {
                    if shown(minute_at) {
                        wanted.push(minute_at);
                    }
                    prop_assert_eq!(
                        schedule.last_due(minute_at).filter(|due| *due > from),
                        slots.iter().rev().find(|slot| **slot <= minute_at).copied(),
                        "{} at {}", text, minute_at
                    );
                    minute_at = minute_at.plus(TimeDelta::minutes(29));
                }
                // Only what the clock skipped may be due without being shown.
                let extra: Vec<_> = slots.iter().filter(|slot| !shown(**slot) && !is_skipped(slot)).collect();
                prop_assert!(extra.is_empty(), "{}: {:?}", text, extra);
                let missing: Vec<_> = wanted.iter().filter(|slot| !slots.contains(slot)).collect();
                prop_assert!(missing.is_empty(), "{}: {:?}", text, missing);
            }
        }
    }
}
