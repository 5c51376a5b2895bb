//! Names of what CloudTrail delivers: whether it holds records or is a digest, and when it was delivered.
//!
//! `ACCOUNT_CloudTrail_REGION_20261120T1015Z_Ab3d….json.gz`, and for digests
//! `ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOMEREGION_20261120T101500Z[_backfill].json.gz`. A trail's name may hold
//! underscores too.

use chrono::NaiveDateTime;

use crate::event::Stamp;

/// The folder, beside `CloudTrail/`, in which digests lie.
pub(super) const DIGESTS: &str = "CloudTrail-Digest";

/// What an object holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Records,
    Digest,
}

impl Kind {
    /// By its path or key: the folder says it, and where that is lost, the name.
    pub(super) fn of(path: &str) -> Self {
        let is_digest = path.split('/').any(|part| part == DIGESTS || is_digest_name(part));
        if is_digest { Self::Digest } else { Self::Records }
    }
}

fn is_digest_name(name: &str) -> bool {
    name.split('_').nth(1) == Some(DIGESTS)
}

/// When an object was delivered; of a digest the end of the time that it covers. None where its name does not say it.
pub(super) fn delivered(path: &str) -> Option<Stamp> {
    let name = path.rsplit('/').next()?;
    let (stem, _) = name.split_once(".json").unwrap_or((name, ""));
    let time = match is_digest_name(stem) {
        true => digest_time(stem)?,
        false => stem.split('_').nth(3).and_then(|minute| NaiveDateTime::parse_from_str(minute, MINUTE).ok())?,
    };
    Some(Stamp::from_unix(time.and_utc().timestamp(), 0))
}

/// A digest's time, from its name without `.json.gz`.
fn digest_time(stem: &str) -> Option<NaiveDateTime> {
    let stem = stem.strip_suffix("_backfill").unwrap_or(stem);
    NaiveDateTime::parse_from_str(stem.rsplit('_').next()?, SECOND).ok()
}

pub(super) const MINUTE: &str = "%Y%m%dT%H%MZ";
const SECOND: &str = "%Y%m%dT%H%M%SZ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_and_when() {
        let told = |path: &str| (Kind::of(path), delivered(path).map(|when| when.to_string()));
        let at = |kind, when: &str| (kind, Some(when.to_owned()));
        for (path, expected) in [
            (
                "s3://b/AWSLogs/12/CloudTrail/eu-west-1/2026/11/20/12_CloudTrail_eu-west-1_20261120T1015Z_A_d.json.gz",
                at(Kind::Records, "2026-11-20T10:15:00Z"),
            ),
            ("12_CloudTrail-Insight_eu-west-1_20261120T1015Z_Abc.json", at(Kind::Records, "2026-11-20T10:15:00Z")),
            (
                "CloudTrail-Digest/eu-west-1/12_CloudTrail-Digest_eu-west-1_my_trail_us-east-1_20261120T101530Z.json.gz",
                at(Kind::Digest, "2026-11-20T10:15:30Z"),
            ),
            (
                "12_CloudTrail-Digest_eu-west-1_t_us-east-1_20261120T101500Z_backfill.json.gz",
                at(Kind::Digest, "2026-11-20T10:15:00Z"),
            ),
            ("/logs/CloudTrail-Digest/renamed.json.gz", (Kind::Digest, None)),
            ("/logs/12_CloudTrail_r_now_x.json.gz", (Kind::Records, None)),
            ("/logs/export.json", (Kind::Records, None)),
            ("", (Kind::Records, None)),
        ] {
            assert_eq!(told(path), expected, "{path}");
        }
    }
}
