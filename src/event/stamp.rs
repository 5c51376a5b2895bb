//! An instant in UTC as an event writes it: RFC 3339, `Z`, with 0, 3, 6 or 9 digits of a second.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stamp(DateTime<Utc>);

impl Stamp {
    pub fn new(instant: DateTime<Utc>) -> Self {
        Self(instant)
    }

    /// Seconds and nanoseconds since 1970; what lies outside chrono's years becomes 1970.
    pub fn from_unix(seconds: i64, nanos: u32) -> Self {
        Self(DateTime::from_timestamp(seconds, nanos).unwrap_or_default())
    }

    pub fn instant(self) -> DateTime<Utc> {
        self.0
    }

    pub fn day(self) -> NaiveDate {
        self.0.date_naive()
    }

    /// Microseconds since 1970: what indexes compare.
    pub fn micros(self) -> i64 {
        self.0.timestamp_micros()
    }

    pub fn from_micros(micros: i64) -> Self {
        Self(DateTime::from_timestamp_micros(micros).unwrap_or_default())
    }

    /// Reads RFC 3339 with any offset.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|t| Self(t.with_timezone(&Utc)))
    }

    pub fn plus(self, delta: TimeDelta) -> Self {
        Self(self.0.checked_add_signed(delta).unwrap_or(DateTime::<Utc>::MAX_UTC))
    }

    pub fn minus(self, delta: TimeDelta) -> Self {
        Self(self.0.checked_sub_signed(delta).unwrap_or(DateTime::<Utc>::MIN_UTC))
    }

    /// Writes the text form into `out` and returns how much of it was used.
    fn write(self, out: &mut [u8; 40]) -> usize {
        let t = self.0;
        let year = t.year();
        if !(0..=9999).contains(&year) {
            let text = t.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
            let n = text.len().min(out.len());
            out[..n].copy_from_slice(&text.as_bytes()[..n]);
            return n;
        }
        out[..20].copy_from_slice(b"0000-00-00T00:00:00Z");
        digits(&mut out[0..4], year.unsigned_abs());
        digits(&mut out[5..7], t.month());
        digits(&mut out[8..10], t.day());
        digits(&mut out[11..13], t.hour());
        digits(&mut out[14..16], t.minute());
        digits(&mut out[17..19], t.second());
        // chrono writes a leap second as 59 and a nanosecond count above a billion.
        let nanos = t.nanosecond() % 1_000_000_000;
        let (width, value) = match nanos {
            0 => return 20,
            n if n % 1_000_000 == 0 => (3, n / 1_000_000),
            n if n % 1_000 == 0 => (6, n / 1_000),
            n => (9, n),
        };
        out[19] = b'.';
        digits(&mut out[20..20 + width], value);
        out[20 + width] = b'Z';
        21 + width
    }
}

fn digits(out: &mut [u8], mut value: u32) {
    for slot in out.iter_mut().rev() {
        *slot = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 40];
        let n = self.write(&mut text);
        f.pad(std::str::from_utf8(&text[..n]).map_err(|_| fmt::Error)?)
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; 40];
        let n = self.write(&mut text);
        to.serialize_str(std::str::from_utf8(&text[..n]).map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 instant"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_as_precise_as_it_needs_to_be() {
        for text in [
            "2026-11-20T10:11:12Z",
            "2026-11-20T10:11:12.123Z",
            "2026-11-20T10:11:12.123456Z",
            "2026-11-20T10:11:12.123456789Z",
            "1969-12-31T23:59:59Z",
        ] {
            assert_eq!(Stamp::parse(text).map(|s| s.to_string()).as_deref(), Some(text));
        }
    }

    #[test]
    fn offsets_become_utc() {
        assert_eq!(
            Stamp::parse("2026-11-20T10:11:12+02:00").map(|s| s.to_string()).as_deref(),
            Some("2026-11-20T08:11:12Z")
        );
    }
}
