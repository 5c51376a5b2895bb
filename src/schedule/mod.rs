//! When something is due: instants ("slots") from a line of crontab or a fixed interval.
//!
//! Pure arithmetic on time that is handed in; it reads no clock and knows no query. A slot is named by
//! its instant alone, so whoever was down computes the slots that were missed.
//!
//! Invariant: the slots of a schedule are the same whoever asks and whenever.

mod cron;
mod crontab;

pub use cron::Cron;
pub use crontab::BadCrontab;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crate::event::Stamp;
use crate::sources::zone::Zone;

#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// At the multiples of an interval since 1970.
    Every(Interval),
    Cron(Cron),
}

/// A whole number of seconds, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    seconds: i64,
}

/// The slots of a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    /// Oldest first.
    pub slots: Vec<Stamp>,
    /// There were more; these are the newest.
    pub is_cut: bool,
}

/// An interval that no schedule can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an interval is a whole number of seconds, from one second to a hundred years")]
pub struct BadInterval;

/// A hundred years: far beyond any trail, far below where instants overflow.
const SECONDS_MAX: u64 = 36_500 * 86_400;

impl Schedule {
    /// Reads the five fields of crontab, or a name such as `@daily`, as the clock of a zone shows them.
    pub fn cron(text: &str, zone: Zone) -> Result<Self, BadCrontab> {
        Cron::parse(text, zone).map(Self::Cron)
    }

    pub fn every(interval: Duration) -> Result<Self, BadInterval> {
        let is_whole = interval.subsec_nanos() == 0 && (1..=SECONDS_MAX).contains(&interval.as_secs());
        let seconds = i64::try_from(interval.as_secs()).ok().filter(|_| is_whole).ok_or(BadInterval)?;
        Ok(Self::Every(Interval { seconds }))
    }

    /// The newest slot that is not after `now`.
    pub fn last_due(&self, now: Stamp) -> Option<Stamp> {
        match self {
            Self::Every(interval) => Some(interval.floor(now)),
            Self::Cron(cron) => cron.last_due(now),
        }
    }

    /// The first slot after an instant.
    pub fn next_after(&self, after: Stamp) -> Option<Stamp> {
        self.slots_after(after).next()
    }

    /// All slots after an instant, oldest first.
    pub fn slots_after(&self, after: Stamp) -> Box<dyn Iterator<Item = Stamp> + '_> {
        match self {
            Self::Every(interval) => {
                let first = interval.next(interval.floor(after));
                Box::new(std::iter::successors(Some(first), |slot| Some(interval.next(*slot))))
            }
            Self::Cron(cron) => Box::new(cron.slots_after(after)),
        }
    }

    /// The slots in (`after`, `upto`]; of more than `most` the newest.
    pub fn slots_between(&self, after: Stamp, upto: Stamp, most: usize) -> Slots {
        let from = match self {
            // Reckoned, not walked: a second's interval over a year is 31 million steps.
            Self::Every(interval) => after.max(interval.back(interval.floor(upto), most.saturating_add(1))),
            Self::Cron(_) => after,
        };
        let mut slots = VecDeque::new();
        let mut is_cut = false;
        for slot in self.slots_after(from).take_while(|slot| *slot <= upto) {
            slots.push_back(slot);
            if slots.len() > most {
                slots.pop_front();
                is_cut = true;
            }
        }
        Slots { slots: slots.into(), is_cut }
    }
}

impl Interval {
    pub fn as_duration(self) -> Duration {
        Duration::from_secs(self.seconds.unsigned_abs())
    }

    fn floor(self, at: Stamp) -> Stamp {
        let seconds = at.instant().timestamp();
        Stamp::from_unix(seconds - seconds.rem_euclid(self.seconds), 0)
    }

    fn next(self, slot: Stamp) -> Stamp {
        Stamp::from_unix(slot.instant().timestamp().saturating_add(self.seconds), 0)
    }

    fn back(self, slot: Stamp, steps: usize) -> Stamp {
        let steps = i64::try_from(steps).unwrap_or(i64::MAX);
        let seconds = slot.instant().timestamp().saturating_sub(self.seconds.saturating_mul(steps));
        // What lies before 1970 is no slot that anybody waits for.
        Stamp::from_unix(seconds.max(0), 0)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(interval) => write!(f, "every {interval}"),
            Self::Cron(cron) => cron.fmt(f),
        }
    }
}

/// As it is configured, in the largest unit that gives a whole number: `90s`, `5m`, `1d`.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
        let whole = units.iter().find(|(_, size)| self.seconds % size == 0);
        let (unit, size) = whole.unwrap_or(&("s", 1));
        write!(f, "{}{unit}", self.seconds / size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Stamp {
        Stamp::parse(text).expect("an instant")
    }

    fn every(seconds: u64) -> Schedule {
        Schedule::every(Duration::from_secs(seconds)).expect("an interval")
    }

    #[test]
    fn intervals_are_aligned_to_the_epoch() {
        let five = every(300);
        assert_eq!(five.last_due(at("2026-11-20T12:04:59.999Z")), Some(at("2026-11-20T12:00:00Z")));
        assert_eq!(five.last_due(at("2026-11-20T12:05:00Z")), Some(at("2026-11-20T12:05:00Z")));
        assert_eq!(five.next_after(at("2026-11-20T12:05:00Z")), Some(at("2026-11-20T12:10:00Z")));
        assert_eq!(every(7 * 86_400).last_due(at("1970-01-06T00:00:00Z")), Some(at("1970-01-01T00:00:00Z")));
    }

    #[test]
    fn catching_up_has_an_end() {
        let slots = every(300).slots_between(at("2026-11-20T12:00:00Z"), at("2026-11-20T12:15:00Z"), 9);
        let expected = ["12:05", "12:10", "12:15"].map(|time| at(&format!("2026-11-20T{time}:00Z")));
        assert_eq!(slots, Slots { slots: expected.to_vec(), is_cut: false });

        let slots = every(1).slots_between(at("1970-01-01T00:00:00Z"), at("2026-11-20T12:00:00Z"), 2);
        let expected = ["11:59:59", "12:00:00"].map(|time| at(&format!("2026-11-20T{time}Z")));
        assert_eq!(slots, Slots { slots: expected.to_vec(), is_cut: true });

        let cron = Schedule::cron("0 * * * *", Zone::UTC).expect("a line");
        let slots = cron.slots_between(at("2026-11-19T12:00:00Z"), at("2026-11-20T12:59:00Z"), 2);
        let expected = ["11:00", "12:00"].map(|time| at(&format!("2026-11-20T{time}:00Z")));
        assert_eq!(slots, Slots { slots: expected.to_vec(), is_cut: true });
        assert!(cron.slots_between(at("2026-11-20T12:00:00Z"), at("2026-11-20T12:00:00Z"), 2).slots.is_empty());
        assert!(cron.slots_between(at("2026-11-21T12:00:00Z"), at("2026-11-20T12:00:00Z"), 2).slots.is_empty());
    }

    #[test]
    fn what_is_no_interval_is_refused() {
        for bad in [Duration::ZERO, Duration::from_millis(1_500), Duration::from_secs(SECONDS_MAX + 1)] {
            assert_eq!(Schedule::every(bad), Err(BadInterval));
        }
    }
}
