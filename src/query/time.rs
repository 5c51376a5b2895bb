//! Times in a query: plain dates, instants, and date math such as `now-15m/m` or `2026-11-20||+1d/d`.
//!
//! A time is either an exact instant or a whole unit. `2026-11`, `2026-11-20T10:11` and whatever ends
//! in a rounding `/d` are whole units; an RFC 3339 instant, and math without a final rounding, are
//! exact. All is UTC, to the microsecond, which is what indexes can tell apart; weeks begin on Monday.
//! Results stay within the years 0000 to 9999.

use std::ops::Bound;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use crate::event::Stamp;

/// A time as it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Time {
    anchor: Anchor,
    math: Vec<Step>,
}

/// What a [`Time`] is once "now" is known: an instant, or a unit from its start up to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: Stamp,
    /// First instant after the unit; absent for an exact instant.
    pub(super) end: Option<Stamp>,
}

#[derive(Debug, Clone, PartialEq)]
enum Anchor {
    Now,
    Instant(DateTime<Utc>),
    /// Start of a unit that was named by leaving out what is smaller.
    Whole(NaiveDateTime, Unit),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// Signed number of units.
    Shift(i64, Unit),
    Round(Unit),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
}

/// Why a text is no time.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TimeProblem {
    #[error("it is no date, instant or date math")]
    Shape,
    #[error("the calendar has no such date")]
    NoSuchDate,
    #[error("\"{0}\" is no unit: y, M (month), w, d, h, m (minute) or s")]
    Unit(char),
    #[error("a unit must follow the number: 15m")]
    NoUnit,
    #[error("`||` must stand between a date and its math: {0}")]
    NoBars(String),
    #[error("date math takes at most {AMOUNT_DIGITS_MAX} digits and {STEPS_MAX} steps")]
    TooMuch,
}

/// Enough for thirty years of seconds.
const AMOUNT_DIGITS_MAX: usize = 9;

/// Nobody needs more than a few.
const STEPS_MAX: usize = 16;

/// The bounds of `--since A --until B`. A whole unit (`2026-11-20`, `now/h`) counts from its start to its
/// end; a leading sign means `now`: `-30m`.
pub fn bounds(
    since: Option<&str>,
    until: Option<&str>,
    now: Stamp,
) -> Result<(Bound<Stamp>, Bound<Stamp>), TimeProblem> {
    let span = |text: Option<&str>| text.map(|text| from_now(text).map(|time| time.at(now))).transpose();
    let since = span(since)?.map_or(Bound::Unbounded, |span| Bound::Included(span.start));
    let until = span(until)?.map_or(Bound::Unbounded, |span| match span.end {
        Some(end) => Bound::Excluded(end),
        None => Bound::Included(span.start),
    });
    Ok((since, until))
}

fn from_now(text: &str) -> Result<Time, TimeProblem> {
    match text.starts_with(['-', '+']) {
        true => Time::parse(&format!("now{text}")),
        false => Time::parse(text),
    }
}

impl Time {
    pub(super) fn parse(text: &str) -> Result<Self, TimeProblem> {
        if let Some(math) = text.strip_prefix("now") {
            return Ok(Self { anchor: Anchor::Now, math: steps(math)? });
        }
        let (date, math) = text.split_once("||").unwrap_or((text, ""));
        let anchor = anchor(date).map_err(|problem| forgotten_bars(text).unwrap_or(problem))?;
        Ok(Self { anchor, math: steps(math)? })
    }

    pub(super) fn depends_on_now(&self) -> bool {
        self.anchor == Anchor::Now
    }

    pub(super) fn at(&self, now: Stamp) -> Span {
        let (mut at, mut whole) = match self.anchor {
            Anchor::Now => (now.instant().naive_utc(), None),
            Anchor::Instant(instant) => (instant.naive_utc(), None),
            Anchor::Whole(start, unit) => (start, Some(unit)),
        };
        for step in &self.math {
            (at, whole) = match *step {
                Step::Shift(amount, unit) => (unit.shift(at, amount), None),
                Step::Round(unit) => (unit.floor(at), Some(unit)),
            };
        }
        Span { start: stamp(at), end: whole.map(|unit| stamp(unit.shift(at, 1))) }
    }
}

/// To the microsecond, and within the years that can be written.
fn stamp(at: NaiveDateTime) -> Stamp {
    Stamp::from_micros(at.clamp(first(), last()).and_utc().timestamp_micros())
}

fn first() -> NaiveDateTime {
    NaiveDate::from_ymd_opt(0, 1, 1).unwrap_or_default().and_time(NaiveTime::MIN)
}

fn last() -> NaiveDateTime {
    let midnight = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or_default().and_time(NaiveTime::MIN);
    midnight + TimeDelta::days(1) - TimeDelta::microseconds(1)
}

impl Unit {
    fn of(letter: char) -> Result<Self, TimeProblem> {
        Ok(match letter {
            'y' => Self::Year,
            'M' => Self::Month,
            'w' => Self::Week,
            'd' => Self::Day,
            'h' | 'H' => Self::Hour,
            'm' => Self::Minute,
            's' => Self::Second,
            other => return Err(TimeProblem::Unit(other)),
        })
    }

    /// Moves by whole units; a month later than January 31 is the last day of February.
    fn shift(self, at: NaiveDateTime, amount: i64) -> NaiveDateTime {
        let edge = if amount < 0 { first() } else { last() };
        let moved = match self {
            Self::Year => shift_months(at, amount.saturating_mul(12)),
            Self::Month => shift_months(at, amount),
            Self::Week => shift_seconds(at, amount, 7 * 86_400),
            Self::Day => shift_seconds(at, amount, 86_400),
            Self::Hour => shift_seconds(at, amount, 3_600),
            Self::Minute => shift_seconds(at, amount, 60),
            Self::Second => shift_seconds(at, amount, 1),
        };
        moved.unwrap_or(edge).clamp(first(), last())
    }

    /// Start of the unit that holds `at`.
    fn floor(self, at: NaiveDateTime) -> NaiveDateTime {
        use chrono::Timelike as _;
        let (date, time) = (at.date(), at.time());
        let midnight = |date: Option<NaiveDate>| date.map_or_else(first, |date| date.and_time(NaiveTime::MIN));
        let clock = |h, m, s| date.and_time(NaiveTime::from_hms_opt(h, m, s).unwrap_or_default());
        match self {
            Self::Year => midnight(NaiveDate::from_ymd_opt(date.year(), 1, 1)),
            Self::Month => midnight(date.with_day(1)),
            Self::Week => midnight(date.checked_sub_days(Days::new(u64::from(date.weekday().num_days_from_monday())))),
            Self::Day => midnight(Some(date)),
            Self::Hour => clock(time.hour(), 0, 0),
            Self::Minute => clock(time.hour(), time.minute(), 0),
            Self::Second => clock(time.hour(), time.minute(), time.second()),
        }
    }
}

fn shift_months(at: NaiveDateTime, amount: i64) -> Option<NaiveDateTime> {
    let months = Months::new(u32::try_from(amount.unsigned_abs()).ok()?);
    if amount < 0 { at.checked_sub_months(months) } else { at.checked_add_months(months) }
}

fn shift_seconds(at: NaiveDateTime, amount: i64, unit: i64) -> Option<NaiveDateTime> {
    at.checked_add_signed(TimeDelta::try_seconds(amount.checked_mul(unit)?)?)
}

/// `+1d-2h/d`: signs, numbers (1 if left out), units.
fn steps(text: &str) -> Result<Vec<Step>, TimeProblem> {
    let mut steps = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(operator) = rest.next() {
        if steps.len() == STEPS_MAX {
            return Err(TimeProblem::TooMuch);
        }
        let sign = match operator {
            '+' => 1,
            '-' => -1,
            '/' => {
                let unit = rest.next().ok_or(TimeProblem::NoUnit)?;
                steps.push(Step::Round(Unit::of(unit)?));
                continue;
            }
            _ => return Err(TimeProblem::Shape),
        };
        let mut digits = String::new();
        while let Some(digit) = rest.next_if(char::is_ascii_digit) {
            digits.push(digit);
        }
        if digits.len() > AMOUNT_DIGITS_MAX {
            return Err(TimeProblem::TooMuch);
        }
        let amount = if digits.is_empty() { 1 } else { digits.parse().map_err(|_| TimeProblem::TooMuch)? };
        let unit = rest.next().ok_or(TimeProblem::NoUnit)?;
        steps.push(Step::Shift(sign * amount, Unit::of(unit)?));
    }
    Ok(steps)
}

/// A date or an instant, without math.
fn anchor(text: &str) -> Result<Anchor, TimeProblem> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Ok(Anchor::Instant(instant.with_timezone(&Utc)));
    }
    let whole = WHOLE.iter().find(|(shape, _)| has_shape(text, shape));
    if let Some((shape, unit)) = whole {
        // The missing part is filled from the first instant of any year; a blank may stand for the T.
        let rest = FILL.get(shape.len()..).unwrap_or_default();
        let full = format!("{}{rest}", text.replace(' ', "T"));
        let start = NaiveDateTime::parse_from_str(&full, "%Y-%m-%dT%H:%M:%S").map_err(|_| TimeProblem::NoSuchDate)?;
        return Ok(Anchor::Whole(start, *unit));
    }
    let Some((seconds, rest)) = text.split_at_checked(FULL.len()) else { return Err(TimeProblem::Shape) };
    if !has_shape(seconds, FULL) || !rest.starts_with(['.', 'Z', '+', '-']) {
        return Err(TimeProblem::Shape);
    }
    // A fraction without a zone is UTC, like all of ours; what is RFC 3339 in shape alone has a wrong date.
    let utc = format!("{}{rest}Z", seconds.replace(' ', "T"));
    let instant = DateTime::parse_from_rfc3339(&utc).map_err(|_| TimeProblem::NoSuchDate)?;
    Ok(Anchor::Instant(instant.with_timezone(&Utc)))
}

/// Shapes of a whole unit: 9 is any digit.
const WHOLE: [(&str, Unit); 6] = [
    ("9999", Unit::Year),
    ("9999-99", Unit::Month),
    ("9999-99-99", Unit::Day),
    ("9999-99-99T99", Unit::Hour),
    ("9999-99-99T99:99", Unit::Minute),
    (FULL, Unit::Second),
];

const FULL: &str = "9999-99-99T99:99:99";

const FILL: &str = "0000-01-01T00:00:00";

fn has_shape(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(have, want)| match want {
            b'9' => have.is_ascii_digit(),
            b'T' => have == b'T' || have == b' ',
            _ => have == want,
        })
}

/// `2026-11-20+1d` and `2026-11-20/d`: what was meant.
fn forgotten_bars(text: &str) -> Option<TimeProblem> {
    let longest = WHOLE.iter().rev().find_map(|(shape, _)| {
        let (date, math) = text.split_at_checked(shape.len())?;
        (has_shape(date, shape) && math.starts_with(['+', '-', '/']) && steps(math).is_ok())
            .then(|| format!("{date}||{math}"))
    });
    longest.map(TimeProblem::NoBars)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, start: &str, end: Option<&str>) {
        let now = Stamp::parse("2026-11-20T10:11:12.123456789Z").expect("an instant");
        let span = Time::parse(text).expect(text).at(now);
        assert_eq!(
            (span.start.to_string().as_str(), span.end.map(|s| s.to_string()).as_deref()),
            (start, end),
            "{text}"
        );
    }

    #[test]
    fn dates_are_whole_units() {
        check("2026", "2026-01-01T00:00:00Z", Some("2027-01-01T00:00:00Z"));
        check("2026-12", "2026-12-01T00:00:00Z", Some("2027-01-01T00:00:00Z"));
        check("2024-02-29", "2024-02-29T00:00:00Z", Some("2024-03-01T00:00:00Z"));
        check("2026-11-20T10", "2026-11-20T10:00:00Z", Some("2026-11-20T11:00:00Z"));
        check("2026-11-20 10:11", "2026-11-20T10:11:00Z", Some("2026-11-20T10:12:00Z"));
        check("2026-11-20T10:11:12", "2026-11-20T10:11:12Z", Some("2026-11-20T10:11:13Z"));
        check("9999", "9999-01-01T00:00:00Z", Some("9999-12-31T23:59:59.999999Z"));
    }

    #[test]
    fn instants_are_exact_to_the_microsecond() {
        check("2026-11-20T10:11:12Z", "2026-11-20T10:11:12Z", None);
        check("2026-11-20T10:11:12.123456789+02:00", "2026-11-20T08:11:12.123456Z", None);
        check("2026-11-20T10:11:12.5", "2026-11-20T10:11:12.500Z", None);
        check("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z", None);
    }

    #[test]
    fn math_moves_and_rounds_in_the_order_written() {
        check("now", "2026-11-20T10:11:12.123456Z", None);
        check("now-15m", "2026-11-20T09:56:12.123456Z", None);
        check("now-15m/m", "2026-11-20T09:56:00Z", Some("2026-11-20T09:57:00Z"));
        check("now/d+8h", "2026-11-20T08:00:00Z", None);
        check("now/w", "2026-11-16T00:00:00Z", Some("2026-11-23T00:00:00Z"));
        check("now-M/M", "2026-10-01T00:00:00Z", Some("2026-11-01T00:00:00Z"));
        check("now/y", "2026-01-01T00:00:00Z", Some("2027-01-01T00:00:00Z"));
        check("2026-11-20||+1d/d", "2026-11-21T00:00:00Z", Some("2026-11-22T00:00:00Z"));
        check("2026-01-31||+1M", "2026-02-28T00:00:00Z", None);
        check("2026-11-20T10:11:12Z||/H", "2026-11-20T10:00:00Z", Some("2026-11-20T11:00:00Z"));
    }

    #[test]
    fn what_leaves_the_calendar_stays_at_its_edge() {
        check("now+999999999y", "9999-12-31T23:59:59.999999Z", None);
        check("now-999999999w", "0000-01-01T00:00:00Z", None);
        check("0000||/w", "0000-01-01T00:00:00Z", Some("0000-01-03T00:00:00Z"));
    }

    #[test]
    fn what_is_no_time_is_refused_with_its_reason() {
        let refused = |text: &str| Time::parse(text).expect_err(text).to_string();
        assert_eq!(refused("yesterday"), "it is no date, instant or date math");
        assert_eq!(refused("2026-02-30"), "the calendar has no such date");
        assert_eq!(refused("2026-02-30T10:00:00Z"), "the calendar has no such date");
        assert_eq!(refused("2026-02-30T10:00:00.5"), "the calendar has no such date");
        assert_eq!(refused("now-15x"), "\"x\" is no unit: y, M (month), w, d, h, m (minute) or s");
        assert_eq!(refused("now-15"), "a unit must follow the number: 15m");
        assert_eq!(refused("2026-11-20+1d"), "`||` must stand between a date and its math: 2026-11-20||+1d");
        assert_eq!(refused("now-1234567890s"), "date math takes at most 9 digits and 16 steps");
        for text in
            ["", "now ", "nowadays", "26", "2026-1-1", "20261120", "2026-11-20T10:11:12X", "ä026", "now||", "||"]
        {
            assert_eq!(Time::parse(text), Err(TimeProblem::Shape), "{text}");
        }
    }
}
