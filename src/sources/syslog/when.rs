//! From a stamp as it is written to an instant: the year and the zone that it leaves out.
//!
//! **Year.** The first record has `year`, or the latest year in which it is not over a day later than the
//! file's time of change. From there on records go forward: one over half a year before the last one
//! lies beyond New Year; less is disorder. None gets over a day later than it is read.
//!
//! **Zone.** A local time that the clock showed twice is the earlier one, unless that would be before
//! the last record.

use chrono::{Datelike, NaiveDateTime, TimeDelta};

use super::stamp::{Written, Yearless};
use crate::event::Stamp;
use crate::sources::Year;
use crate::sources::zone::{Utc, Zone};

/// A `when`, and whether all of it is written in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct When {
    pub(super) at: Stamp,
    pub(super) is_guessed: bool,
}

/// Finds the instants of one stream's stamps, in order.
#[derive(Debug)]
pub(super) struct Whens {
    zone: Zone,
    year: Year,
    last: Option<Last>,
    /// What [`Whens::within`] said last: lines that came together were observed together.
    within: Option<(Stamp, Option<NaiveDateTime>)>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    local: NaiveDateTime,
    at: Stamp,
}

/// Further back than this is another year, not disorder.
const DISORDER_MAX: TimeDelta = TimeDelta::days(183);
/// Clocks that are written to one log agree to this.
const JITTER_MAX: TimeDelta = TimeDelta::minutes(5);
const DAY: TimeDelta = TimeDelta::days(1);

impl Whens {
    pub(super) fn new(zone: Zone, year: Year) -> Self {
        Self { zone, year, last: None, within: None }
    }

    /// The instant of the last stamp, for lines that have none.
    pub(super) fn last(&self) -> Option<Stamp> {
        self.last.map(|last| last.at)
    }

    pub(super) fn find(&mut self, written: Written, observed: Stamp) -> Option<When> {
        let (local, at, is_guessed) = match written {
            Written::Instant(at) => (self.zone.to_local(at), at, false),
            Written::Local(local) => {
                let (at, is_guessed) = self.utc(local);
                (local, at, is_guessed)
            }
            Written::Yearless(stamp) => {
                let local = self.dated(stamp, observed)?;
                let (at, is_guessed) = self.utc(local);
                (local, at, is_guessed || matches!(self.year, Year::NotAfter(_)))
            }
        };
        self.last = Some(Last { local, at });
        Some(When { at, is_guessed })
    }

    fn dated(&mut self, stamp: Yearless, observed: Stamp) -> Option<NaiveDateTime> {
        match (self.last, self.year) {
            // A file that is followed goes on after its time of change was read.
            (Some(last), _) => {
                let limit = self.within(observed)?;
                after(stamp, last.local).filter(|dated| *dated <= limit).or_else(|| not_after(stamp, limit))
            }
            (None, Year::NotAfter(latest)) => not_after(stamp, self.within(latest)?),
            (None, Year::First(year)) => stamp.in_year(year).or_else(|| not_after(stamp, self.within(observed)?)),
        }
    }

    /// What the clock on the wall shows a day after an instant.
    fn within(&mut self, latest: Stamp) -> Option<NaiveDateTime> {
        match self.within {
            Some((same, limit)) if same == latest => limit,
            _ => {
                let limit = self.zone.to_local(latest).checked_add_signed(DAY);
                self.within = Some((latest, limit));
                limit
            }
        }
    }

    fn utc(&self, local: NaiveDateTime) -> (Stamp, bool) {
        match (self.zone.to_utc(local), self.last) {
            (Utc::One(at), _) => (at, false),
            (Utc::Skipped(at), _) => (at, true),
            (Utc::Two(earlier, later), Some(last)) if earlier.plus(JITTER_MAX) < last.at => (later, true),
            (Utc::Two(earlier, _), _) => (earlier, true),
        }
    }
}

/// The year that lets records go on from the last one.
fn after(stamp: Yearless, last: NaiveDateTime) -> Option<NaiveDateTime> {
    let in_year = |year| stamp.in_year(year);
    let year = last.year();
    // A straggler of New Year's Eve that comes after the first of January.
    let is_begun = last.ordinal() > 2;
    let straggler = if is_begun { None } else { in_year(year - 1).filter(|dated| *dated + DAY >= last) };
    let same = || in_year(year).filter(|dated| *dated >= last || *dated + DISORDER_MAX >= last);
    straggler.or_else(same).or_else(|| in_year(year + 1)).or_else(|| in_year(year))
}

/// The latest year in which the stamp is not later than `limit`. 29 February may be eight years back.
fn not_after(stamp: Yearless, limit: NaiveDateTime) -> Option<NaiveDateTime> {
    (0..=8).filter_map(|back| stamp.in_year(limit.year() - back)).find(|dated| *dated <= limit)
}

#[cfg(test)]
mod tests {
    use super::super::stamp;
    use super::*;

    fn instant(text: &str) -> Stamp {
        Stamp::parse(text).expect("an instant")
    }

    /// Reads the stamps in order; a `?` marks a guess.
    fn check(zone: &str, year: Year, pairs: &[(&str, &str)]) {
        let mut whens = Whens::new(zone.parse().expect("a zone"), year);
        for (text, expect) in pairs {
            let written = stamp::read(text).expect("a stamp").0;
            let when = whens.find(written, instant("2026-11-20T12:00:00Z")).expect("a day of some year");
            let mark = if when.is_guessed { "?" } else { "" };
            assert_eq!(format!("{}{mark}", when.at), *expect, "{text} in {zone}");
        }
    }

    fn not_after(text: &str) -> Year {
        Year::NotAfter(instant(text))
    }

    #[test]
    fn a_stamp_is_not_over_a_day_later_than_its_file() {
        check("UTC", not_after("2026-11-20T12:00:00Z"), &[("Nov 21 11:59:59", "2026-11-21T11:59:59Z?")]);
        check("UTC", not_after("2026-11-20T12:00:00Z"), &[("Nov 21 12:00:01", "2025-11-21T12:00:01Z?")]);
        check("UTC", not_after("2027-01-01T00:10:00Z"), &[("Dec 31 23:59:59", "2026-12-31T23:59:59Z?")]);
        check("UTC", not_after("2026-11-20T12:00:00Z"), &[("Feb 29 01:00:00", "2024-02-29T01:00:00Z?")]);
        check("UTC", not_after("1903-11-20T12:00:00Z"), &[("Feb 29 01:00:00", "1896-02-29T01:00:00Z?")]);
    }

    #[test]
    fn new_year_goes_forward_and_disorder_does_not() {
        let stamps = [
            ("Dec 31 23:59:58", "2025-12-31T23:59:58Z?"),
            ("Jan  1 00:00:00", "2026-01-01T00:00:00Z?"),
            ("Dec 31 23:59:59", "2025-12-31T23:59:59Z?"),
            ("Jan  1 00:00:01", "2026-01-01T00:00:01Z?"),
            ("Oct  3 08:00:00", "2026-10-03T08:00:00Z?"),
            ("Sep  1 08:00:00", "2026-09-01T08:00:00Z?"),
        ];
        check("UTC", not_after("2026-11-20T12:00:00Z"), &stamps);
    }

    #[test]
    fn a_file_that_is_followed_past_new_year_goes_on() {
        // The file's time of change was read when it was opened.
        let stamps = [("Dec 31 23:59:58", "2025-12-31T23:59:58Z?"), ("Jan  9 00:00:01", "2026-01-09T00:00:01Z?")];
        check("UTC", not_after("2025-12-31T12:00:00Z"), &stamps);
    }

    #[test]
    fn a_given_year_is_that_of_the_first_record_and_no_guess() {
        let stamps = [("Dec 31 23:59:58", "2019-12-31T23:59:58Z"), ("Jan  1 00:00:01", "2020-01-01T00:00:01Z")];
        check("UTC", Year::First(2019), &stamps);
        check("-02:00", Year::First(2019), &[("Feb 21 21:54:44", "2019-02-21T23:54:44Z")]);
    }

    #[test]
    fn full_stamps_date_the_others() {
        let stamps = [
            ("2021-03-01T10:00:00.5+01:00", "2021-03-01T09:00:00.500Z"),
            ("Mar  1 09:00:01", "2021-03-01T09:00:01Z?"),
            ("2021-03-01T09:00:02", "2021-03-01T09:00:02Z"),
        ];
        check("UTC", not_after("2026-11-20T12:00:00Z"), &stamps);
    }

    #[test]
    fn doubled_hours_are_told_apart_by_order_and_marked() {
        let stamps = [
            ("2026-10-25 01:59:00", "2026-10-24T23:59:00Z"),
            ("2026-10-25 02:30:00", "2026-10-25T00:30:00Z?"),
            ("2026-10-25 02:29:58", "2026-10-25T00:29:58Z?"),
            ("2026-10-25 02:05:00", "2026-10-25T01:05:00Z?"),
            ("2026-10-25 02:30:00", "2026-10-25T01:30:00Z?"),
            ("2026-10-25 03:00:00", "2026-10-25T02:00:00Z"),
            ("2026-03-29 02:30:00", "2026-03-29T01:30:00Z?"),
        ];
        check("Europe/Berlin", not_after("2026-11-20T12:00:00Z"), &stamps);
    }
}
