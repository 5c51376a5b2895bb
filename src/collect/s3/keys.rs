//! Names of CloudTrail objects: what they say about account, region and time of delivery.
//!
//! `[prefix/]AWSLogs/[o-…/]ACCOUNT/CloudTrail/REGION/2026/11/20/ACCOUNT_CloudTrail_REGION_20261120T1015Z_Ab3d….json.gz`
//!
//! The minute is that of delivery, and what follows it is random: keys of one minute do not arrive in
//! order, and a key may arrive after those of later minutes.

use chrono::{NaiveDateTime, TimeDelta};

/// How far before the last key a listing begins again. AWS gives no promise; half an hour is the common
/// advice, and the ids of the records make a longer overlap harmless.
const OVERLAP: TimeDelta = TimeDelta::minutes(60);

/// What a folder of a bucket is by its name, below `AWSLogs/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::collect) enum Level {
    /// `AWSLogs`
    Logs,
    /// `o-a1b2c3`
    Organisation,
    /// `123456789012`
    Account,
    /// `CloudTrail`
    Trail,
    Other,
}

pub(in crate::collect) fn level(name: &str) -> Level {
    match name {
        "AWSLogs" => Level::Logs,
        "CloudTrail" => Level::Trail,
        name if name.starts_with("o-") => Level::Organisation,
        name if !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit()) => Level::Account,
        _ => Level::Other,
    }
}

/// The last folder of a prefix that ends in `/`.
pub(super) fn last_folder(prefix: &str) -> &str {
    prefix.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// Whether a prefix leads into one region's folder: `…/CloudTrail/eu-west-1/…`.
pub(super) fn is_in_region(prefix: &str) -> bool {
    let folders: Vec<_> = prefix.split('/').collect();
    folders.iter().position(|folder| *folder == "CloudTrail").is_some_and(|at| folders.len() > at + 2)
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

/// Where to begin a listing so that keys which arrived late are met: the first possible key of
/// [`OVERLAP`] before the given one's minute.
pub(super) fn start_after(cursor: &str) -> Option<String> {
    let (folder, name) = cursor.rsplit_once('/')?;
    let mut parts = name.splitn(5, '_');
    let (account, kind, region, minute) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let delivered = NaiveDateTime::parse_from_str(minute, "%Y%m%dT%H%MZ").ok()?;
    let from = delivered.checked_sub_signed(OVERLAP)?;
    let region_folder = folder.rsplitn(4, '/').nth(3)?;
    let day = from.format("%Y/%m/%d");
    Some(format!("{region_folder}/{day}/{account}_{kind}_{region}_{}", from.format("%Y%m%dT%H%MZ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_begins_an_hour_before_the_cursor_also_over_midnight() {
        let key =
            "p/AWSLogs/o-1/12/CloudTrail/eu-west-1/2026/11/20/12_CloudTrail_eu-west-1_20261120T0015Z_Ab3_d.json.gz";
        let expected = "p/AWSLogs/o-1/12/CloudTrail/eu-west-1/2026/11/19/12_CloudTrail_eu-west-1_20261119T2315Z";
        assert_eq!(start_after(key).as_deref(), Some(expected));
        assert!(expected < key);
        for other in
            ["", "a/b/c", "x/2026/11/20/12_CloudTrail_eu-west-1_now_x.json.gz", "12_CloudTrail_r_20261120T0015Z_x"]
        {
            assert_eq!(start_after(other), None, "{other}");
        }
    }

    #[test]
    fn prefixes_say_where_they_lead() {
        assert!(is_in_region("AWSLogs/12/CloudTrail/eu-west-1/"));
        assert!(is_in_region("AWSLogs/12/CloudTrail/eu-west-1/2026/11/"));
        assert!(!is_in_region("AWSLogs/12/CloudTrail/"));
        assert!(!is_in_region("AWSLogs/12/"));
        assert_eq!(level(last_folder("a/AWSLogs/o-x/")), Level::Organisation);
        assert_eq!(level(last_folder("AWSLogs/12/")), Level::Account);
    }
}
