//! Keys of a bucket in which CloudTrail delivers: what folders mean, and which keys say when they were delivered.
//!
//! `[prefix/]AWSLogs/[o-…/]ACCOUNT/CloudTrail/REGION/2026/11/20/ACCOUNT_CloudTrail_REGION_20261120T1015Z_Ab3d….json.gz`,
//! and the same with `CloudTrail-Insight`, `CloudTrail-Digest` (whose names end in trail, home region and time) and
//! whatever else CloudTrail will deliver.
//!
//! The minute is that of delivery, and what follows it is random: keys of one minute do not arrive in
//! order, and a key may arrive after those of later minutes.
//!
//! Invariant: only a key that AWS would have made has a minute. Anybody who may write to the bucket chooses the names
//! of their objects, and must not be able to lead a cursor past what is still to come.

use chrono::{DateTime, TimeDelta, Utc};
use percent_encoding::percent_decode_str;

use crate::collect::names::{self, Kind};
use crate::event::Stamp;

/// How far before the last key a listing begins again. AWS gives no promise; half an hour is the common
/// advice, and the ids of the records make a longer overlap harmless.
const OVERLAP_MINUTES: i64 = 60;

/// A backfill digest has the time of what it covers and comes later. There are 24 digests a day, and a trail's name
/// stands before the time: their listings begin with a day.
const DIGEST_OVERLAP_MINUTES: i64 = 7 * 24 * 60;

/// What a folder of a bucket is by its name, below `AWSLogs/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::collect) enum Level {
    /// `AWSLogs`
    Logs,
    /// `o-a1b2c3`
    Organisation,
    /// `123456789012`
    Account,
    /// `CloudTrail`, `CloudTrail-Insight`, `CloudTrail-Digest`
    Trail,
    Other,
}

pub(in crate::collect) fn level(name: &str) -> Level {
    match name {
        "AWSLogs" => Level::Logs,
        name if is_trail(name) => Level::Trail,
        name if name.starts_with("o-") => Level::Organisation,
        name if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()) => Level::Account,
        _ => Level::Other,
    }
}

fn is_trail(name: &str) -> bool {
    name.strip_prefix("CloudTrail").is_some_and(|kind| kind.is_empty() || kind.starts_with('-'))
}

/// A key as S3 writes it in its notifications, and in listings with `encoding-type=url`: `%` and two hex digits for a
/// byte, `+` for a blank. None where it is not written so.
pub(in crate::collect) fn url_decoded(encoded: &str) -> Option<String> {
    let is_byte = |rest: &str| matches!(rest.as_bytes(), [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    if !encoded.split('%').skip(1).all(is_byte) {
        return None;
    }
    let encoded = encoded.replace('+', " ");
    percent_decode_str(&encoded).decode_utf8().ok().map(String::from)
}

/// The last folder of a prefix that ends in `/`.
pub(in crate::collect) fn last_folder(prefix: &str) -> &str {
    prefix.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// Whether a prefix leads into one region's folder: `…/CloudTrail/eu-west-1/…`.
pub(super) fn is_in_region(prefix: &str) -> bool {
    let folders: Vec<_> = prefix.split('/').collect();
    folders.iter().position(|folder| is_trail(folder)).is_some_and(|at| folders.len() > at + 2)
}

/// Whether a key lies below `AWSLogs/`, where services of AWS deliver.
pub(super) fn is_below_logs(key: &str) -> bool {
    key.rsplit('/').skip(1).any(|folder| level(folder) == Level::Logs)
}

/// A prefix as a folder.
pub(super) fn as_folder(prefix: &str) -> String {
    match prefix {
        "" => String::new(),
        folder if folder.ends_with('/') => folder.to_owned(),
        name => format!("{name}/"),
    }
}

pub(in crate::collect) fn is_object(key: &str) -> bool {
    key.ends_with(".json.gz") || key.ends_with(".json")
}

/// Minutes since 1970, as far as deliveries go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Minute(i64);

impl Minute {
    fn of(stamp: Stamp) -> Self {
        Self(stamp.micros().div_euclid(60_000_000))
    }

    fn format(self, format: &str) -> Option<String> {
        let time: DateTime<Utc> = DateTime::UNIX_EPOCH.checked_add_signed(TimeDelta::try_minutes(self.0)?)?;
        Some(time.format(format).to_string())
    }

    /// Only such keys move a cursor. Whatever a later one were granted would be taken from the overlap: where this
    /// machine's clock is behind, the cursor waits for it, and listings begin earlier.
    pub(super) fn is_past(self, now: Stamp) -> bool {
        self <= Self::of(now)
    }
}

/// One account's region, for records or for digests: what its keys look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Home {
    pub(super) kind: Kind,
    /// `…/ACCOUNT/CloudTrail/REGION/`
    folder: String,
    /// `ACCOUNT_CloudTrail_REGION_`
    stem: String,
}

impl Home {
    /// Of a prefix that leads into a region's folder, or deeper.
    pub(super) fn of(prefix: &str) -> Option<Self> {
        let folders: Vec<_> = prefix.split('/').collect();
        let at = folders.iter().position(|folder| is_trail(folder)).filter(|at| *at > 0)?;
        let [account, trail, region] = folders.get(at - 1..at + 2)? else { return None };
        let folder = folders.get(..at + 2)?.join("/") + "/";
        Some(Self { kind: Kind::of(&folder), stem: format!("{account}_{trail}_{region}_"), folder })
    }

    /// When a key was delivered, if it is one that AWS would have made.
    pub(super) fn minute(&self, key: &str) -> Option<Minute> {
        let (day, name) = key.strip_prefix(&self.folder)?.rsplit_once('/')?;
        if !name.starts_with(&self.stem) || !is_object(name) {
            return None;
        }
        let minute = Minute::of(names::delivered(name)?);
        (minute.format("%Y/%m/%d")? == day).then_some(minute)
    }

    /// The first minute that a listing after this one has to meet again.
    pub(super) fn overlap(&self, cursor: Minute) -> Minute {
        Minute(match self.kind {
            Kind::Records => cursor.0 - OVERLAP_MINUTES,
            // From the beginning of its day on.
            Kind::Digest => (cursor.0 - DIGEST_OVERLAP_MINUTES).div_euclid(24 * 60) * 24 * 60,
        })
    }

    /// Where to begin a listing so that keys of this minute and later are met.
    pub(super) fn start_after(&self, from: Minute) -> Option<String> {
        let Self { kind, folder, stem } = self;
        let day = from.format("%Y/%m/%d")?;
        Some(match kind {
            Kind::Records => format!("{folder}{day}/{stem}{}", from.format(names::MINUTE)?),
            Kind::Digest => format!("{folder}{day}/"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start_after(prefix: &str, cursor: &str) -> Option<String> {
        let home = Home::of(prefix)?;
        home.start_after(home.overlap(home.minute(&format!("{prefix}{cursor}"))?))
    }

    #[test]
    fn keys_are_decoded_as_they_were_written_or_not_at_all() {
        for (written, key) in [
            ("AWSLogs/1/a.json", "AWSLogs/1/a.json"),
            ("a%2Fb+c%2B%01%C3%A4", "a/b c+\u{1}\u{e4}"),
            ("%c3%a4%25", "\u{e4}%"),
            ("", ""),
        ] {
            assert_eq!(url_decoded(written).as_deref(), Some(key), "{written}");
        }
        for broken in ["100%", "a%4", "a%zz", "a%+1", "%ff", "%%41", "%4\u{e4}"] {
            assert_eq!(url_decoded(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_listing_begins_an_hour_before_the_cursor_also_over_midnight() {
        let region = "p/AWSLogs/o-1/12/CloudTrail/eu-west-1/";
        let after = start_after(region, "2026/11/20/12_CloudTrail_eu-west-1_20261120T0015Z_Ab3_d.json.gz");
        let expected = "p/AWSLogs/o-1/12/CloudTrail/eu-west-1/2026/11/19/12_CloudTrail_eu-west-1_20261119T2315Z";
        assert_eq!(after.as_deref(), Some(expected));
        let insight = "AWSLogs/12/CloudTrail-Insight/r/";
        let after = start_after(insight, "2026/11/20/12_CloudTrail-Insight_r_20261120T1015Z_x.json.gz");
        let expected = "AWSLogs/12/CloudTrail-Insight/r/2026/11/20/12_CloudTrail-Insight_r_20261120T0915Z";
        assert_eq!(after.as_deref(), Some(expected));
    }

    #[test]
    fn digests_are_listed_by_days_whatever_their_trail_is_called() {
        let region = "AWSLogs/12/CloudTrail-Digest/r/";
        let name = "2026/11/20/12_CloudTrail-Digest_r_my_trail_us-east-1_20261120T101530Z_backfill.json.gz";
        assert_eq!(start_after(region, name).as_deref(), Some("AWSLogs/12/CloudTrail-Digest/r/2026/11/13/"));
    }

    #[test]
    fn only_a_key_that_aws_would_have_made_has_a_minute() {
        let home = Home::of("AWSLogs/12/CloudTrail/r/").expect("a region");
        let minute = |rest: &str| home.minute(&format!("AWSLogs/12/CloudTrail/r/{rest}"));
        assert!(minute("2026/11/20/12_CloudTrail_r_20261120T1015Z_x.json.gz").is_some());
        for other in [
            "",
            "zzz.json.gz",
            "2026/11/20/12_CloudTrail_r_now_x.json.gz",
            "2026/11/20/12_CloudTrail_r_20261120T1015Z_x.txt",
            // Behind those of its day, or of all days.
            "2026/11/20/99_CloudTrail_r_20261120T1015Z_x.json.gz",
            "2026/11/20/12_CloudTrail_s_20261120T1015Z_x.json.gz",
            "2026/11/21/12_CloudTrail_r_20261120T1015Z_x.json.gz",
            "9999/11/20/12_CloudTrail_r_20261120T1015Z_x.json.gz",
            "2026/11/20/deeper/12_CloudTrail_r_20261120T1015Z_x.json.gz",
        ] {
            assert_eq!(minute(other), None, "{other}");
        }
        assert_eq!(home.minute("AWSLogs/13/CloudTrail/r/2026/11/20/12_CloudTrail_r_20261120T1015Z_x.json.gz"), None);
    }

    #[test]
    fn a_key_of_the_future_is_none_of_the_past() {
        let home = Home::of("AWSLogs/12/CloudTrail/r/").expect("a region");
        let minute = |day: &str, time: &str| {
            home.minute(&format!("AWSLogs/12/CloudTrail/r/{day}/12_CloudTrail_r_{time}Z_x.json.gz")).expect("a minute")
        };
        let now = Stamp::parse("2026-11-20T10:00:00Z").expect("an instant");
        assert!(minute("2026/11/20", "20261120T1000").is_past(now));
        assert!(!minute("2026/11/20", "20261120T1001").is_past(now), "an hour ahead would be the whole overlap");
        assert!(!minute("2099/01/01", "20990101T0000").is_past(now));
    }

    #[test]
    fn prefixes_say_where_they_lead() {
        assert!(is_in_region("AWSLogs/12/CloudTrail/eu-west-1/"));
        assert!(is_in_region("AWSLogs/12/CloudTrail-Digest/eu-west-1/2026/11/"));
        assert!(!is_in_region("AWSLogs/12/CloudTrail/"));
        assert!(!is_in_region("AWSLogs/12/"));
        assert!(is_below_logs("AWSLogs/1/CloudTrail/x/y") && is_below_logs("p/AWSLogs/x.json"));
        assert!(!is_below_logs("export/x.json") && !is_below_logs("x.json") && !is_below_logs("export/AWSLogs"));
        assert_eq!(level(last_folder("a/AWSLogs/o-x/")), Level::Organisation);
        assert_eq!(level(last_folder("AWSLogs/12/")), Level::Account);
        assert_eq!(level("CloudTrail-Insight"), Level::Trail);
        assert_eq!(level("CloudTrails"), Level::Other);
        let deep = Home::of("AWSLogs/12/CloudTrail-Digest/r/2026/11/").expect("a region");
        assert_eq!((deep.kind, deep.folder.as_str()), (Kind::Digest, "AWSLogs/12/CloudTrail-Digest/r/"));
    }
}
