//! What the name of an object says: whose it is, when it was delivered, and where another object of the same bucket lies.
//!
//! `[prefix/]AWSLogs/[o-…/]ACCOUNT/CloudTrail/REGION/2026/11/20/ACCOUNT_CloudTrail_REGION_20261120T1015Z_Ab3d….json.gz`
//! and `…/ACCOUNT/CloudTrail-Digest/REGION/2026/11/20/ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOME_20261120T110000Z.json.gz`,
//! with `_backfill` after the time where that is what it is. A name is a claim of whoever wrote the object.

use chrono::NaiveDateTime;

use crate::event::Stamp;

/// An object's place, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// Everything before the folders of CloudTrail: `s3://audit/AWSLogs/111122223333/`; the folder where there are none.
    pub(super) root: String,
    /// The rest, without `.gz`.
    pub(super) tail: String,
    pub(super) account: String,
    pub(super) region: String,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Records, and the minute of their delivery.
    Log {
        delivered: Stamp,
        is_listed_always: bool,
    },
    /// What lies where records do and is not named as CloudTrail names them.
    Misnamed,
    Digest {
        trail: Trail,
        end: Stamp,
    },
}

/// Whose digests follow one another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Trail {
    pub(super) name: String,
    pub(super) home: String,
    pub(super) is_backfill: bool,
}

pub(super) const S3: &str = "s3://";
const LOGS: &str = "CloudTrail";
const DIGESTS: &str = "CloudTrail-Digest";
const BACKFILL: &str = "_backfill";
/// Folders between the root and the file: kind, region, year, month, day.
const FOLDERS: usize = 5;

/// AWS allows 1,024 bytes of a key and 63 of a bucket; a path may be longer.
const ORIGIN_BYTES_MAX: usize = 8_192;

impl Name {
    /// None where the name is not CloudTrail's.
    pub(super) fn parse(origin: &str) -> Option<Self> {
        if origin.len() > ORIGIN_BYTES_MAX {
            return None;
        }
        let plain = origin.strip_suffix(".gz").unwrap_or(origin);
        let (folder, file) = plain.rsplit_once('/').unwrap_or(("", plain));
        let (account, rest) = file.strip_suffix(".json")?.split_once('_')?;
        if account.is_empty() || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (what, rest) = rest.split_once('_')?;
        let (region, rest) = rest.split_once('_')?;
        let kind = match what {
            DIGESTS => {
                let (rest, is_backfill) = rest.strip_suffix(BACKFILL).map_or((rest, false), |rest| (rest, true));
                let (rest, end) = rest.rsplit_once('_')?;
                // A trail's name may have underscores in it; a region's has none.
                let (name, home) = rest.rsplit_once('_')?;
                let trail = Trail { name: name.to_owned(), home: home.to_owned(), is_backfill };
                Kind::Digest { trail, end: instant(end, "%Y%m%dT%H%M%SZ")? }
            }
            what if what == LOGS || what.starts_with("CloudTrail-") => {
                let (minute, _) = rest.split_once('_')?;
                Kind::Log { delivered: instant(minute, "%Y%m%dT%H%MZ")?, is_listed_always: what == LOGS }
            }
            _ => return None,
        };
        let root = root(plain, folder, account, what, region);
        let tail = plain.strip_prefix(root)?.to_owned();
        Some(Self { root: root.to_owned(), tail, account: account.to_owned(), region: region.to_owned(), kind })
    }
}

impl Name {
    /// Of an object with records, whatever it is called; None where neither its name nor its folders say whose it is.
    pub(super) fn of_object(origin: &str) -> Option<Self> {
        match Self::parse(origin) {
            // Of a copy nobody knows how it was made: its name alone counts.
            Some(name) if name.tail.contains('/') || !origin.starts_with(S3) => Some(name),
            name => Self::misnamed(origin).or(name),
        }
    }

    fn misnamed(origin: &str) -> Option<Self> {
        let plain = origin.strip_suffix(".gz").unwrap_or(origin);
        if origin.len() > ORIGIN_BYTES_MAX {
            return None;
        }
        let (above, account, region) = plain.match_indices("/CloudTrail/").find_map(|(at, found)| {
            let above = plain.get(..at)?;
            let account = above.rsplit('/').next()?;
            let (region, _) = plain.get(at + found.len()..)?.split_once('/')?;
            let is_account = !account.is_empty() && account.bytes().all(|byte| byte.is_ascii_digit());
            (is_account && !region.is_empty()).then_some((above, account, region))
        })?;
        let root = plain.get(..above.len() + 1)?.to_owned();
        let tail = plain.strip_prefix(root.as_str())?.to_owned();
        Some(Self { root, tail, account: account.to_owned(), region: region.to_owned(), kind: Kind::Misnamed })
    }
}

/// The part of a path before `CloudTrail/REGION/2026/11/20/FILE`, if its folders are those.
fn root<'a>(plain: &'a str, folder: &'a str, account: &str, what: &str, region: &str) -> &'a str {
    let mut folders = folder.rsplitn(FOLDERS + 1, '/');
    let date = [folders.next(), folders.next(), folders.next()];
    let is_number = |part: &Option<&str>| part.is_some_and(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let is_canonical = date.iter().all(is_number) && folders.next() == Some(region) && folders.next() == Some(what);
    let above = folders.next().filter(|above| is_canonical && above.rsplit('/').next() == Some(account));
    let length = above.map_or_else(|| folder.len(), str::len);
    // With the slash, where there is one.
    plain.get(..length + 1).filter(|root| root.ends_with('/')).unwrap_or_default()
}

fn instant(text: &str, form: &str) -> Option<Stamp> {
    NaiveDateTime::parse_from_str(text, form).ok().map(|instant| Stamp::new(instant.and_utc()))
}

/// Whether an object of that bucket and key was read from where it says. Of a copy in a folder only what follows
/// `AWSLogs/` can be compared, and of a file beside others only its name.
pub(super) fn is_at(origin: &str, bucket: &str, key: &str) -> bool {
    match origin.strip_prefix(S3) {
        Some(place) => place.strip_prefix(bucket).and_then(|rest| rest.strip_prefix('/')) == Some(key),
        None => beside(origin, key, "", key).is_some_and(|expected| plain(&expected) == plain(origin)),
    }
}

/// Where an object lies that is `bucket/key` in S3, seen from one that is `own_key` there and was read from `origin`.
pub(super) fn beside(origin: &str, own_key: &str, bucket: &str, key: &str) -> Option<String> {
    if origin.starts_with(S3) {
        return Some(format!("{S3}{bucket}/{key}"));
    }
    let (folder, _) = origin.rsplit_once('/').unwrap_or(("", origin));
    let (_, file) = key.rsplit_once('/').unwrap_or(("", key));
    let own = plain(logs_part(own_key)?);
    match plain(origin).strip_suffix(own) {
        Some(above) if above.is_empty() || above.ends_with('/') => Some(format!("{above}{}", logs_part(key)?)),
        _ if logs_part(origin).is_some() => None,
        _ if folder.is_empty() && !origin.starts_with('/') => Some(file.to_owned()),
        _ => Some(format!("{folder}/{file}")),
    }
}

/// `AWSLogs/…`.
fn logs_part(path: &str) -> Option<&str> {
    let at = path
        .rmatch_indices("AWSLogs/")
        .map(|(at, _)| at)
        .find(|at| path.get(..*at).is_some_and(|above| above.is_empty() || above.ends_with('/')))?;
    path.get(at..)
}

fn plain(path: &str) -> &str {
    path.strip_suffix(".gz").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str =
        "AWSLogs/o-1/12/CloudTrail/eu-west-1/2026/11/20/12_CloudTrail_eu-west-1_20261120T1015Z_Ab3_d.json.gz";
    const DIGEST: &str = "AWSLogs/o-1/12/CloudTrail-Digest/eu-west-1/2026/11/20/\
                          12_CloudTrail-Digest_eu-west-1_all_of_it_us-east-1_20261120T110001Z_backfill.json.gz";

    #[test]
    fn a_name_says_whose_and_when() {
        let log = Name::parse(&format!("s3://audit/p/{LOG}")).expect("a log");
        assert_eq!(log.root, "s3://audit/p/AWSLogs/o-1/12/");
        assert_eq!((log.account.as_str(), log.region.as_str()), ("12", "eu-west-1"));
        let delivered = Stamp::parse("2026-11-20T10:15:00Z").expect("valid");
        assert_eq!(log.kind, Kind::Log { delivered, is_listed_always: true });
        let digest = Name::parse(&format!("s3://audit/p/{DIGEST}")).expect("a digest");
        assert_eq!((&digest.root, &digest.account, &digest.region), (&log.root, &log.account, &log.region));
        let trail = Trail { name: "all_of_it".to_owned(), home: "us-east-1".to_owned(), is_backfill: true };
        let end = Stamp::parse("2026-11-20T11:00:01Z").expect("valid");
        assert_eq!(digest.kind, Kind::Digest { trail, end });
        // Insights are another stream.
        let insight = Name::parse(&LOG.replace("CloudTrail", "CloudTrail-Insight")).expect("a log");
        assert_eq!(insight.kind, Kind::Log { delivered, is_listed_always: false });
        assert_eq!(insight.root, "AWSLogs/o-1/12/");
        // Beside others in one folder.
        let flat = Name::parse("/logs/12_CloudTrail_eu-west-1_20261120T1015Z_A.json").expect("a log");
        assert_eq!(
            (flat.root.as_str(), flat.tail.as_str()),
            ("/logs/", "12_CloudTrail_eu-west-1_20261120T1015Z_A.json")
        );
        let bare = Name::parse("12_CloudTrail_eu-west-1_20261120T1015Z_A.json").expect("a log");
        assert_eq!(bare.root, "");
        for other in
            ["", "/", "a.json.gz", "12_CloudTrail_eu-west-1_noon_A.json.gz", "x_CloudTrail_r_20261120T1015Z_A.json"]
        {
            assert_eq!(Name::parse(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_not_named_as_records_are_is_known_by_its_folders() {
        let root = "s3://audit/AWSLogs/12/";
        for tail in [
            "CloudTrail/eu-west-1/2026/11/20/evil.json",
            "CloudTrail/eu-west-1/evil.json",
            "CloudTrail/eu-west-1/12_CloudTrail_eu-west-1_20261120T1015Z_A.json",
            "CloudTrail/eu-west-1/2026/11/20/12_CloudTrail_us-east-1_20261120T1015Z_A.json",
            "CloudTrail/eu-west-1/2026/11/20/13_CloudTrail_eu-west-1_20261120T1015Z_A.json",
        ] {
            let name = Name::of_object(&format!("{root}{tail}.gz")).expect("somebody's");
            assert_eq!((name.root.as_str(), name.tail.as_str(), &name.kind), (root, tail, &Kind::Misnamed), "{tail}");
            assert_eq!((name.account.as_str(), name.region.as_str()), ("12", "eu-west-1"), "{tail}");
        }
        let log = format!("s3://audit/{LOG}");
        assert_eq!(Name::of_object(&log), Name::parse(&log));
        for other in ["s3://audit/evil.json.gz", "s3://audit/x/CloudTrail/eu-west-1/evil.json", "/CloudTrail/a"] {
            assert_eq!(Name::of_object(other), None, "{other}");
        }
    }

    #[test]
    fn packed_and_unpacked_are_one() {
        let tail = |origin: &str| Name::parse(origin).map(|name| name.tail);
        assert_eq!(tail(LOG), tail(LOG.trim_end_matches(".gz")));
    }

    #[test]
    fn what_lies_elsewhere_is_noticed() {
        let key = format!("p/{LOG}");
        assert!(is_at(&format!("s3://audit/{key}"), "audit", &key));
        assert!(!is_at(&format!("s3://audit2/{key}"), "audit", &key));
        assert!(!is_at(&format!("s3://audit/x{key}"), "audit", &key));
        assert!(!is_at(&format!("s3://audit/{}", key.replace("/20/", "/21/")), "audit", &key));
        // A copy need not have the prefix, nor be packed.
        assert!(is_at(&format!("/copy/{LOG}"), "audit", &key));
        assert!(is_at(LOG.trim_end_matches(".gz"), "audit", &key));
        assert!(is_at("/flat/12_CloudTrail_eu-west-1_20261120T1015Z_Ab3_d.json.gz", "audit", &key));
        assert!(!is_at("/flat/12_CloudTrail_eu-west-1_20261120T1015Z_Ab3_e.json.gz", "audit", &key));
        assert!(!is_at(&format!("/copy/{}", LOG.replace("/20/", "/21/")), "audit", &key));
    }

    #[test]
    fn an_object_is_found_beside_its_digest() {
        let beside = |origin: &str| beside(origin, DIGEST, "audit", LOG);
        assert_eq!(beside(&format!("s3://audit/{DIGEST}")), Some(format!("s3://audit/{LOG}")));
        assert_eq!(beside(&format!("/copy/{DIGEST}")), Some(format!("/copy/{LOG}")));
        assert_eq!(beside(DIGEST), Some(LOG.to_owned()));
        let (_, file) = DIGEST.rsplit_once('/').expect("a folder");
        let (_, log) = LOG.rsplit_once('/').expect("a folder");
        assert_eq!(beside(&format!("/flat/{file}")), Some(format!("/flat/{log}")));
        assert_eq!(beside(file), Some(log.to_owned()));
    }
}
