//! The keys that sign digests, asked for when a digest turns up whose key is not known yet.
//!
//! Each key is a `digest.key` event, stored once. A region is asked for the time of the digest; a key that AWS does
//! not give is not asked for again for a while.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::BASE64;
use serde::Deserialize;

use super::{Halt, Wire};
use crate::aws::cloudtrail::Api;
use crate::collect::outlet::{Closed, Outlet};
use crate::config::source;
use crate::event::Stamp;
use crate::event::delivery::PublicKey;

/// When a key that was not given, or a region that refused, is asked for again.
const AGAIN: Duration = Duration::from_secs(60 * 60);

/// A digest is delivered up to two hours behind the end of its time; a backfill digest is signed when it is made, and
/// says of its key an hour around that.
const BEFORE: TimeDelta = TimeDelta::hours(1);
const AFTER: TimeDelta = TimeDelta::hours(2);

/// Regions that are named by digests, and keys of one region: AWS has some thirty, and a key lives for weeks.
const KNOWN_MAX: usize = 100_000;

/// Which keys are known, and how to ask for others.
pub(in crate::collect) struct Keys {
    wire: Wire,
    api: source::Api,
    /// Region and fingerprint.
    known: HashSet<(String, String)>,
    /// When a key was asked for in vain.
    missed: HashMap<(String, String), Instant>,
    /// When a region refused.
    refused: HashMap<String, Instant>,
    apis: HashMap<String, Api>,
}

/// What a digest says of its key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Digest {
    digest_public_key_fingerprint: String,
    digest_end_time: Stamp,
}

impl Keys {
    pub(in crate::collect) fn new(wire: Wire, api: source::Api) -> Self {
        let (known, missed) = (HashSet::new(), HashMap::new());
        Self { wire, api, known, missed, refused: HashMap::new(), apis: HashMap::new() }
    }

    /// To be called with every digest that was read: its key (path or object's key) and its unpacked content.
    /// What is no digest wants no key. False when it is time to stop.
    pub(in crate::collect) fn want(&mut self, key: &str, content: &[u8], outlet: &mut Outlet) -> Result<bool, Closed> {
        let wire = self.wire.clone();
        let api = self.api.clone();
        self.want_by(key, content, outlet, |region| wire.open(&api, Some(region)))
    }

    pub(super) fn want_by(
        &mut self,
        key: &str,
        content: &[u8],
        outlet: &mut Outlet,
        open: impl Fn(&str) -> Result<Api, Halt>,
    ) -> Result<bool, Closed> {
        let Some(region) = region_of(key) else { return Ok(true) };
        let Ok(digest) = serde_json::from_slice::<Digest>(content) else { return Ok(true) };
        let wanted = (region.to_owned(), digest.digest_public_key_fingerprint);
        let is_recent = |at: Option<&Instant>| at.is_some_and(|at| at.elapsed() < AGAIN);
        if self.known.contains(&wanted) || is_recent(self.missed.get(&wanted)) || is_recent(self.refused.get(region)) {
            return Ok(true);
        }
        let origin = format!("cloudtrail://{region}/ListPublicKeys");
        match self.ask(region, digest.digest_end_time.instant(), outlet, open) {
            Ok(()) => {
                outlet.works(&origin)?;
                if !self.known.contains(&wanted) {
                    self.missed.retain(|_, at| at.elapsed() < AGAIN);
                    self.missed.insert(wanted, Instant::now());
                }
            }
            Err(Halt::Told) => return Ok(false),
            Err(Halt::Closed(closed)) => return Err(closed),
            Err(Halt::Failed(error)) => {
                self.refused.insert(region.to_owned(), Instant::now());
                outlet.failed(&origin, &error.to_string())?;
            }
        }
        Ok(true)
    }

    fn ask(
        &mut self,
        region: &str,
        end: DateTime<Utc>,
        outlet: &mut Outlet,
        open: impl Fn(&str) -> Result<Api, Halt>,
    ) -> Result<(), Halt> {
        let api = match self.apis.get(region) {
            Some(api) => api.clone(),
            None => {
                let api = open(region)?;
                self.apis.insert(region.to_owned(), api.clone());
                api
            }
        };
        let (from, to) = (end.checked_sub_signed(BEFORE).unwrap_or(end), end.checked_add_signed(AFTER).unwrap_or(end));
        let keys = self.wire.wait(api.public_keys(from, to))?;
        if self.known.len() > KNOWN_MAX {
            self.known.clear();
        }
        for key in keys {
            self.known.insert((region.to_owned(), key.fingerprint.clone()));
            let key = PublicKey {
                fingerprint: key.fingerprint,
                value: BASE64.encode(&key.value),
                region: region.to_owned(),
                valid_from: Stamp::new(key.valid_from),
                valid_until: Stamp::new(key.valid_until),
            };
            outlet.push(key.to_event(outlet.source(), outlet.clock.now()), true)?;
        }
        Ok(())
    }
}

/// The digest's own region: `…/CloudTrail-Digest/eu-central-1/2026/…`, or in its name where it lies in no such folder:
/// `111122223333_CloudTrail-Digest_eu-central-1_main_us-east-1_20261121T090000Z.json.gz`.
fn region_of(key: &str) -> Option<&str> {
    let fits = |region: &&str| {
        region.contains('-') && region.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let mut folders = key.split('/');
    let by_folder = folders.find(|folder| *folder == "CloudTrail-Digest").and_then(|_| folders.next());
    let by_name = || key.rsplit('/').next()?.split_once("_CloudTrail-Digest_")?.1.split('_').next();
    by_folder.filter(fits).or_else(by_name).filter(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_says_its_region_by_its_folder_or_its_name() {
        let name = "111122223333_CloudTrail-Digest_eu-west-1_main_us-east-1_20261121T090000Z.json.gz";
        let key = format!("p/AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/11/21/{name}");
        for key in [key.as_str(), name, &format!("/srv/digests/{name}")] {
            assert_eq!(region_of(key), Some("eu-west-1"), "{key}");
        }
        for other in [
            "",
            "AWSLogs/1/CloudTrail/eu-west-1/x.json.gz",
            "CloudTrail-Digest",
            "CloudTrail-Digest/../x",
            "a_CloudTrail-Digest_",
        ] {
            assert_eq!(region_of(other), None, "{other}");
        }
    }
}
