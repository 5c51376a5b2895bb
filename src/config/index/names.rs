//! In which index of the cluster an event lies: a function of the event alone.
//!
//! An id is unique within one index only, so whoever writes an event again must find the same one. Days that
//! lie about the time a record was read have an index each. Records that claim another time come of old logs,
//! or of somebody who wants ten thousand indices to be made: they share one for each year, and one for all
//! that is no year of a log.

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, Datelike as _, NaiveDate, TimeDelta, Utc};

use crate::event::{Event, Stamp};

/// strftime of `when` in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    pattern: String,
    /// Before the first date: what all names begin with.
    prefix: String,
}

/// What cannot be the pattern of index names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    #[error("it begins with a date: all indices must have a beginning in common")]
    Prefix,
    #[error("it has no date: nothing could ever be deleted")]
    Date,
    #[error("it has more than a date: %Y, %m, %d, %G, %V, %j and %y are known")]
    Unknown,
    #[error("a cluster takes lower-case letters, digits, dots, hyphens and underscores, and no hyphen first")]
    Character,
}

/// Before the record was read.
const DAYS_BEFORE: i64 = 400;

/// Clocks go wrong, and time zones are mistaken.
const DAYS_AFTER: i64 = 2;

/// Logs on computers that anybody still has.
const FIRST_YEAR: i32 = 2000;

impl Default for Names {
    fn default() -> Self {
        Self { pattern: "whodid-%Y.%m.%d".to_owned(), prefix: "whodid-".to_owned() }
    }
}

impl Names {
    pub fn new(pattern: &str) -> Result<Self, BadPattern> {
        let prefix = pattern.split('%').next().unwrap_or_default();
        if prefix.is_empty() {
            return Err(BadPattern::Prefix);
        }
        let mut dates = 0;
        let mut rest = pattern.split('%').skip(1);
        for part in &mut rest {
            match part.chars().next() {
                Some('Y' | 'm' | 'd' | 'G' | 'V' | 'j' | 'y') => dates += 1,
                _ => return Err(BadPattern::Unknown),
            }
        }
        if dates == 0 {
            return Err(BadPattern::Date);
        }
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
        let literal = |item: Item<'_>| match item {
            Item::Literal(text) => text.chars().all(fits),
            Item::Space(_) | Item::Error => false,
            _ => true,
        };
        let starts_well = prefix.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !starts_well || prefix.len() > PREFIX_BYTES_MAX || !StrftimeItems::new(pattern).all(literal) {
            return Err(BadPattern::Character);
        }
        Ok(Self { pattern: pattern.to_owned(), prefix: prefix.to_owned() })
    }

    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// What the template is for.
    pub fn all(&self) -> String {
        format!("{}*", self.prefix)
    }

    /// The name of the index of an event.
    pub fn of(&self, event: &Event) -> String {
        let (when, observed) = (date(event.when), date(event.observed));
        let (Some(when), Some(observed)) = (when, observed) else { return self.other() };
        let apart = when - observed;
        if apart >= TimeDelta::days(-DAYS_BEFORE) && apart <= TimeDelta::days(DAYS_AFTER) {
            when.format(&self.pattern).to_string()
        } else if (FIRST_YEAR..=observed.year()).contains(&when.year()) {
            format!("{}old-{}", self.prefix, when.year())
        } else {
            self.other()
        }
    }

    fn other(&self) -> String {
        format!("{}other", self.prefix)
    }
}

/// A name may have 255 bytes.
const PREFIX_BYTES_MAX: usize = 100;

/// None for what no calendar of ours has.
fn date(stamp: Stamp) -> Option<NaiveDate> {
    let date = DateTime::<Utc>::from_timestamp_micros(stamp.micros())?.date_naive();
    (1970..=9999).contains(&date.year()).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventId, Family, Source};

    fn named(pattern: &str, when: &str, observed: &str) -> String {
        let source = Source {
            name: "s".into(),
            kind: Family::Auth,
            origin: "o".into(),
            lineage: None,
            generation: 0,
            pos: None,
            next: None,
        };
        let stamp = |text| Stamp::parse(text).expect("an instant");
        let event = Event::new(EventId::PENDING, "x", stamp(when), stamp(observed), source);
        Names::new(pattern).expect("a pattern").of(&event)
    }

    #[test]
    fn an_event_has_its_day_and_what_lies_far_off_its_year() {
        let read = "2026-11-20T10:00:00Z";
        for (when, name) in [
            ("2026-11-20T23:59:59.999999Z", "whodid-2026.11.20"),
            ("2026-11-22T10:00:00Z", "whodid-2026.11.22"),
            ("2026-11-23T10:00:00Z", "whodid-old-2026"),
            ("2025-10-16T00:00:00Z", "whodid-2025.10.16"),
            ("2025-10-15T23:59:59Z", "whodid-old-2025"),
            ("2000-01-01T00:00:00Z", "whodid-old-2000"),
            ("1999-12-31T23:59:59Z", "whodid-other"),
            ("1970-01-01T00:00:00Z", "whodid-other"),
            ("2027-01-01T00:00:00Z", "whodid-other"),
            ("9999-12-31T23:59:59Z", "whodid-other"),
        ] {
            assert_eq!(named("whodid-%Y.%m.%d", when, read), name, "{when}");
        }
        assert_eq!(named("audit-%Y", "2026-11-20T10:00:00Z", read), "audit-2026");
        assert_eq!(named("a_%G.w%V", "2027-01-01T00:00:00Z", "2027-01-01T10:00:00Z"), "a_2026.w53");
    }

    #[test]
    fn a_pattern_has_a_beginning_and_a_date() {
        for (pattern, error) in [
            ("%Y-whodid", BadPattern::Prefix),
            ("whodid", BadPattern::Date),
            ("whodid-%H", BadPattern::Unknown),
            ("whodid-%", BadPattern::Unknown),
            ("Whodid-%Y", BadPattern::Character),
            ("-whodid-%Y", BadPattern::Character),
            ("who did-%Y", BadPattern::Character),
            ("who*did-%Y", BadPattern::Character),
            ("who,did-%Y", BadPattern::Character),
        ] {
            assert_eq!(Names::new(pattern), Err(error), "{pattern}");
        }
        assert_eq!(Names::new("whodid-%Y.%m").expect("a pattern").all(), "whodid-*");
    }
}
