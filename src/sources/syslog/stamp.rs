//! The stamp at the beginning of a line, as it is written: what it leaves out is found in [`super::when`].
//!
//! | written | what is missing |
//! |---------|-----------------|
//! | `Nov 20 10:11:12`, also with a fraction of a second | year and zone |
//! | `Nov 20 2026 10:11:12` | zone |
//! | `2026-11-20T10:11:12.123456`, also with a space for the `T` | zone |
//! | `2026-11-20T10:11:12.123456+02:00`, `Z`, `+0200` | nothing |

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};

use crate::event::Stamp;

/// A stamp as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// Without year and zone.
    Yearless(Yearless),
    /// Without zone.
    Local(NaiveDateTime),
    Instant(Stamp),
}

/// Month and day, and the time of that day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Yearless {
    month: u32,
    day: u32,
    clock: Clock,
}

/// A leap second is the first second of the next minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Clock {
    time: NaiveTime,
    is_leap: bool,
}

impl Yearless {
    /// In a year; `None` for 29 February in most of them.
    pub(super) fn in_year(self, year: i32) -> Option<NaiveDateTime> {
        NaiveDate::from_ymd_opt(year, self.month, self.day).map(|date| self.clock.on(date))
    }
}

impl Clock {
    fn on(self, date: NaiveDate) -> NaiveDateTime {
        let at = date.and_time(self.time);
        if self.is_leap { at + TimeDelta::seconds(1) } else { at }
    }
}

/// The stamp that a text begins with, and the text after it.
pub(super) fn read(text: &str) -> Option<(Written, &str)> {
    let mut cursor = Cursor(text.as_bytes());
    let written = match text.as_bytes().first()? {
        b'0'..=b'9' => iso(&mut cursor)?,
        _ => traditional(&mut cursor)?,
    };
    // What follows a stamp is a space, or nothing.
    if !matches!(cursor.0.first(), None | Some(b' ')) {
        return None;
    }
    Some((written, text.get(text.len() - cursor.0.len()..)?))
}

/// RFC 3164 §4.1.2, and what some daemons make of it.
fn traditional(cursor: &mut Cursor<'_>) -> Option<Written> {
    let month = cursor.month()?;
    cursor.take(b' ')?;
    cursor.skip(b' ');
    let day = cursor.number(1, 2)?;
    cursor.take(b' ')?;
    let year = cursor.year_and_space();
    let clock = cursor.clock()?;
    // A leap year has every day there is.
    NaiveDate::from_ymd_opt(2024, month, day)?;
    match year {
        Some(year) => Some(Written::Local(clock.on(NaiveDate::from_ymd_opt(year, month, day)?))),
        None => Some(Written::Yearless(Yearless { month, day, clock })),
    }
}

/// RFC 3339, and ISO 8601 without the offset or its colon.
fn iso(cursor: &mut Cursor<'_>) -> Option<Written> {
    let year = cursor.number(4, 4)?;
    cursor.take(b'-')?;
    let month = cursor.number(2, 2)?;
    cursor.take(b'-')?;
    let day = cursor.number(2, 2)?;
    cursor.any(b"Tt ")?;
    let clock = cursor.clock()?;
    let local = clock.on(NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?);
    let Some(east) = cursor.offset()? else { return Some(Written::Local(local)) };
    let utc = local.checked_sub_signed(TimeDelta::minutes(east))?;
    // Leap days of the first and last year of the calendar are no instants.
    utc.date().checked_add_days(Days::new(1))?;
    Some(Written::Instant(Stamp::new(utc.and_utc())))
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn take(&mut self, byte: u8) -> Option<()> {
        self.any(&[byte]).map(drop)
    }

    fn any(&mut self, of: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        of.contains(first).then(|| self.0 = rest)?;
        Some(*first)
    }

    fn skip(&mut self, byte: u8) {
        while self.take(byte).is_some() {}
    }

    /// A number of so many digits.
    fn number(&mut self, least: usize, most: usize) -> Option<u32> {
        let digits = self.0.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at_checked(digits).filter(|_| digits >= least)?;
        self.0 = rest;
        Some(number.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
    }

    fn month(&mut self) -> Option<u32> {
        const NAMES: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
        let (name, rest) = self.0.split_at_checked(3)?;
        let at = NAMES.chunks(3).zip(1..).find(|(known, _)| *known == name)?.1;
        self.0 = rest;
        Some(at)
    }

    /// `2026 ` between day and time.
    fn year_and_space(&mut self) -> Option<i32> {
        let (number, rest) = self.0.split_at_checked(5)?;
        let year = Cursor(number.strip_suffix(b" ")?).number(4, 4)?;
        self.0 = rest;
        i32::try_from(year).ok()
    }

    /// `10:11:12` and a fraction, of which nine digits count.
    fn clock(&mut self) -> Option<Clock> {
        let hour = self.number(2, 2)?;
        self.take(b':')?;
        let minute = self.number(2, 2)?;
        self.take(b':')?;
        let second = self.number(2, 2)?;
        let nanos = self.fraction()?;
        let is_leap = second == 60;
        let time = NaiveTime::from_hms_nano_opt(hour, minute, if is_leap { 59 } else { second }, nanos)?;
        Some(Clock { time, is_leap })
    }

    fn fraction(&mut self) -> Option<u32> {
        if self.any(b".,").is_none() {
            return Some(0);
        }
        let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        let (fraction, rest) = self.0.split_at_checked(digits).filter(|_| digits > 0)?;
        self.0 = rest;
        let nine = fraction.iter().copied().chain(std::iter::repeat(b'0')).take(9);
        Some(nine.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
    }

    /// Minutes east of UTC; `Some(None)` if there is no offset.
    #[expect(clippy::option_option, reason = "absent and wrong are different here")]
    fn offset(&mut self) -> Option<Option<i64>> {
        let sign = match self.any(b"Zz+-") {
            None => return Some(None),
            Some(b'Z' | b'z') => return Some(Some(0)),
            Some(b'-') => -1,
            Some(_) => 1,
        };
        let hours = self.number(2, 2)?;
        let minutes = match self.take(b':') {
            Some(()) => self.number(2, 2)?,
            None => self.number(2, 2).unwrap_or(0),
        };
        // No clock on earth is further off; more is a forgery.
        (hours <= 23 && minutes <= 59).then(|| Some(sign * i64::from(hours * 60 + minutes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let (written, rest) = read(text).unwrap_or_else(|| panic!("{text}"));
        let got = match written {
            Written::Yearless(stamp) => format!("yearless {}", stamp.in_year(2024).expect("a leap year")),
            Written::Local(local) => format!("local {local}"),
            Written::Instant(stamp) => stamp.to_string(),
        };
        assert_eq!(format!("{got}|{rest}"), expect, "{text}");
    }

    #[test]
    fn stamps_are_read_as_they_are_written() {
        check("Nov 20 10:11:12 h", "yearless 2024-11-20 10:11:12| h");
        check("Nov  2 10:11:12 h", "yearless 2024-11-02 10:11:12| h");
        check("Feb 29 10:11:12.5 h", "yearless 2024-02-29 10:11:12.500| h");
        check("Nov 20 2026 10:11:12 h", "local 2026-11-20 10:11:12| h");
        check("2026-11-20T10:11:12.123456+02:00 h", "2026-11-20T08:11:12.123456Z| h");
        check("2026-11-20T10:11:12-0230", "2026-11-20T12:41:12Z|");
        check("2026-11-20t10:11:12z", "2026-11-20T10:11:12Z|");
        check("2026-11-20T10:11:12.1234567891 h", "local 2026-11-20 10:11:12.123456789| h");
        check("2026-11-20 10:11:12,5 h", "local 2026-11-20 10:11:12.500| h");
        check("2026-12-31T23:59:60Z", "2027-01-01T00:00:00Z|");
    }

    #[test]
    fn what_is_no_stamp_is_refused() {
        for text in [
            "",
            "N",
            "Nov",
            "Nov 20",
            "Nox 20 10:11:12",
            "Nov 31 10:11:12",
            "Feb 30 10:11:12",
            "Nov 20 24:00:00",
            "Nov 20 10:11:12x",
            "Nov 20 10:11",
            "Nov 20 10:11:12.",
            "2026-02-29T10:11:12Z",
            "2026-11-20T10:11:12+2",
            "2026-11-20T10:11:12+24:00",
            "2026-11-20T10:11:12Zx",
            "2026",
            "9999999999999999",
            "Nov 20 10:61:12",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_ends_of_the_calendar_do_no_harm() {
        for text in ["0000-01-01T00:00:00+23:59", "9999-12-31T23:59:60-23:59", "0001-01-01T00:00:00Z"] {
            assert!(read(text).is_some(), "{text}");
        }
    }
}
