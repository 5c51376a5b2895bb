//! The zone of stamps that name none: an IANA name or an offset such as `-02:00`.

use std::fmt;
use std::str::FromStr;

use chrono::{FixedOffset, MappedLocalTime, NaiveDateTime, Offset as _, TimeZone as _};

use crate::event::Stamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    Named(chrono_tz::Tz),
    Fixed(FixedOffset),
}

/// What a local time means in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Utc {
    One(Stamp),
    /// The clock showed it twice, at the end of summer time: the earlier and the later one.
    Two(Stamp, Stamp),
    /// The clock never showed it, at the start of summer time: read with the offset before the jump.
    Skipped(Stamp),
}

impl Zone {
    pub const UTC: Self = Self::Named(chrono_tz::UTC);

    /// What the clock on the wall shows.
    pub fn to_local(self, at: Stamp) -> NaiveDateTime {
        let utc = at.instant().naive_utc();
        let offset = match self {
            Self::Fixed(offset) => offset,
            Self::Named(tz) => tz.offset_from_utc_datetime(&utc).fix(),
        };
        utc.checked_add_offset(offset).unwrap_or(utc)
    }

    pub fn to_utc(self, local: NaiveDateTime) -> Utc {
        match self {
            Self::Fixed(offset) => Utc::One(stamp(local, offset)),
            Self::Named(tz) => match tz.offset_from_local_datetime(&local) {
                MappedLocalTime::Single(offset) => Utc::One(stamp(local, offset.fix())),
                MappedLocalTime::Ambiguous(a, b) => {
                    let (a, b) = (stamp(local, a.fix()), stamp(local, b.fix()));
                    Utc::Two(a.min(b), a.max(b))
                }
                MappedLocalTime::None => {
                    let before = tz.offset_from_utc_datetime(&(local - chrono::TimeDelta::days(1)));
                    Utc::Skipped(stamp(local, before.fix()))
                }
            },
        }
    }
}

fn stamp(local: NaiveDateTime, offset: FixedOffset) -> Stamp {
    let utc = local.checked_sub_offset(offset).unwrap_or(local);
    Stamp::new(utc.and_utc())
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(tz) => f.write_str(tz.name()),
            Self::Fixed(offset) => offset.fmt(f),
        }
    }
}

/// The text is neither an IANA zone nor an offset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is neither an IANA time zone such as Europe/Berlin nor an offset such as -02:00")]
pub struct UnknownZone(pub String);

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        let unknown = || UnknownZone(text.to_owned());
        if text == "Z" {
            return Ok(Self::UTC);
        }
        if text.starts_with(['+', '-']) {
            return text.parse().map(Self::Fixed).map_err(|_| unknown());
        }
        text.parse().map(Self::Named).map_err(|_| unknown())
    }
}
