//! The marks that decoders set in `tags`.

use chrono::{NaiveDate, TimeDelta};

use super::{Event, Stamp};

/// `when` cannot be right: it is over a day ahead of `observed`, or before 1990. Filed under `observed`.
pub const WHEN_SUSPECT: &str = "when_suspect";
/// The year, zone or order that `when` rests on is not in the record.
pub const WHEN_GUESSED: &str = "when_guessed";
/// Secrets in the record were replaced before it was hashed: the one exception to "raw is exact".
pub const REDACTED: &str = "redacted";
/// A piece of a line or record that was too long for one event.
pub const LINE_PIECE: &str = "line_piece";
/// The sender of the record is not who its text claims; `auth.spoof_suspect` says who it is.
pub const SPOOF_SUSPECT: &str = "spoof_suspect";
/// A record that was found behind damage: where it begins is a guess.
pub const SALVAGED: &str = "salvaged";

/// No log that is still read was written before.
const FIRST_DAY: NaiveDate = NaiveDate::from_ymd_opt(1990, 1, 1).expect("a day of the calendar");

impl Event {
    /// Marks a `when` that cannot be right. It is kept as it is claimed.
    pub fn judge_when(&mut self) {
        if is_suspect(self.when, self.observed) {
            self.tag(WHEN_SUSPECT);
        }
    }
}

fn is_suspect(when: Stamp, observed: Stamp) -> bool {
    when > observed.plus(TimeDelta::days(1)) || when.day() < FIRST_DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ahead_is_a_clock_and_more_is_suspect() {
        let suspect = |when| is_suspect(Stamp::parse(when).expect("an instant"), Stamp::from_unix(1_795_176_000, 0));
        assert!(!suspect("2026-11-21T12:00:00Z") && suspect("2026-11-21T12:00:00.000001Z"));
        assert!(!suspect("1990-01-01T00:00:00Z") && suspect("1989-12-31T23:59:59Z"));
    }
}
