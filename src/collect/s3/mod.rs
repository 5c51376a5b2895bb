//! CloudTrail objects and digests straight from a bucket, by listing it.
//!
//! Per account, region and kind, a cursor remembers the last key that was read; each listing begins an hour of
//! deliveries before it (digests: a week), because keys do not arrive in order, and ids leave out what is known. What
//! is remembered is one cursor per account, region and kind, and eight bytes for each object of the overlap.
//!
//! Invariant: the event that moves a cursor follows the events of every object up to it, so that no kill
//! can leave an object behind. An object that cannot be read holds its cursor back, and nothing else.

mod again;
pub(in crate::collect) mod bucket;
mod discover;
pub(in crate::collect) mod keys;
mod known;
mod look;
#[cfg(test)]
mod moto;
mod objects;
mod region;
pub(in crate::collect) mod stream;

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::api::is_of_api;
use super::outlet::{Closed, Outlet};
use super::positions::Positions;
use super::setting::Setting;
use super::{Mode, wire};
use crate::aws;
use crate::config::source::From;
use again::persistently;
use bucket::{Bucket, Page, S3Error};
use known::Known;
pub use look::look;
pub(super) use look::look_into;
use region::Region;
use wire::Wire;

/// New accounts and regions are rare: every so many listings they are looked for.
const LISTINGS_PER_DISCOVERY: u32 = 10;

/// The cursor of a prefix with keys in no layout, once some were read.
const FLAT: &str = "flat";

/// Regions whose first page is asked for while another one is read: most have nothing new.
const LISTINGS_AHEAD: usize = 8;

/// Between listings of a bucket that fails.
const BACKOFF_MAX: Duration = Duration::from_secs(15 * 60);

/// Why reading stopped before its end.
type Halt = wire::Halt<S3Error>;

/// Reads the bucket once, or again and again.
pub(super) fn read(setting: &Setting, mode: Mode, wire: Wire, outlet: &mut Outlet) -> Result<(), Closed> {
    let opened = wire.wait(Bucket::open(&setting.source.from));
    read_bucket(opened, setting, mode, wire, outlet)
}

fn read_bucket(
    opened: Result<Bucket, Halt>,
    setting: &Setting,
    mode: Mode,
    wire: Wire,
    outlet: &mut Outlet,
) -> Result<(), Closed> {
    let From::S3 { bucket: name, prefix, poll, .. } = &setting.source.from else { return Ok(()) };
    let origin = format!("s3://{name}/{prefix}");
    let mut source = match opened {
        Ok(bucket) => S3::new(setting, prefix, wire, bucket),
        Err(Halt::Failed(error)) => return outlet.failed(&origin, &error.to_string()),
        Err(_) => return Ok(()),
    };
    let mut failures = 0;
    loop {
        match source.listing(mode, outlet) {
            Ok(Pace::Kept) => {
                failures = 0;
                outlet.progress.drained(setting.name());
            }
            Ok(Pace::Throttled) => failures += 1,
            Err(Halt::Told) => return Ok(()),
            Err(Halt::Closed(closed)) => return Err(closed),
            Err(Halt::Failed(error)) => {
                failures += 1;
                outlet.failed(&origin, &error.to_string())?;
            }
        }
        let longest = BACKOFF_MAX.max(*poll);
        let pause = if failures == 0 { *poll } else { *poll / 2 + aws::full_jitter(*poll, failures, longest) };
        if mode != Mode::Follow || source.wire.pause(pause).is_err() {
            return Ok(());
        }
    }
}

/// Whether the bucket kept up with what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    Kept,
    Throttled,
}

struct S3<'a> {
    setting: &'a Setting,
    prefix: &'a str,
    wire: Wire,
    bucket: Bucket,
    /// Those of records first, then those of digests; each by name.
    regions: Vec<Region>,
    /// What was read where keys say nothing about accounts and regions.
    flat: Known,
    /// There are such keys, and everything is listed: one object that somebody puts where CloudTrail would have it must
    /// not end the reading of the others.
    is_flat: bool,
    /// Something could not be looked into: it is tried again with the next listing, and fails until then.
    is_undiscovered: bool,
    listings: u32,
    /// Origins that failed in this listing.
    failing: HashSet<String>,
    /// Objects in a row that failed for a passing reason.
    in_a_row: u32,
}

impl<'a> S3<'a> {
    fn new(setting: &'a Setting, prefix: &'a str, wire: Wire, bucket: Bucket) -> Self {
        let (regions, flat, failing) = (Vec::new(), Known::default(), HashSet::new());
        let (is_flat, is_undiscovered) = (false, false);
        Self {
            setting,
            prefix,
            wire,
            bucket,
            regions,
            flat,
            is_flat,
            is_undiscovered,
            listings: 0,
            failing,
            in_a_row: 0,
        }
    }

    /// Lists everything once and reads what is new. What fails alone is said, and does not stop the others.
    fn listing(&mut self, mode: Mode, outlet: &mut Outlet) -> Result<Pace, Halt> {
        self.failing.clear();
        self.in_a_row = 0;
        if self.is_undiscovered || self.listings.is_multiple_of(LISTINGS_PER_DISCOVERY) {
            self.discover(outlet)?;
        }
        let mut regions = std::mem::take(&mut self.regions);
        let is_flat = self.is_flat || regions.is_empty();
        let read = if is_flat { self.flat(outlet) } else { self.each(&mut regions, outlet) };
        self.regions = regions;
        let pace = read?;
        self.listings = if mode == Mode::Follow { self.listings.wrapping_add(1) } else { 0 };
        self.end_failures(outlet)?;
        outlet.flush()?;
        Ok(pace)
    }

    fn discover(&mut self, outlet: &mut Outlet) -> Result<(), Halt> {
        let layout = self.wire.wait(persistently(|| discover::discover(&self.bucket, self.prefix)))?;
        for prefix in layout.regions {
            if !self.regions.iter().any(|region| region.prefix == prefix) {
                let place = self.address(&prefix);
                let cursor = outlet.registry.positions(|p| p.cursor(self.setting.name(), &place).map(str::to_owned));
                self.regions.push(Region::new(prefix, cursor));
            }
        }
        self.regions.sort_by(|a, b| (a.kind(), &a.prefix).cmp(&(b.kind(), &b.prefix)));
        let place = self.address(self.prefix);
        self.is_flat |= outlet.registry.positions(|p| p.cursor(self.setting.name(), &place) == Some(FLAT));
        let is_all_listed = self.is_flat || self.regions.is_empty();
        self.is_undiscovered = false;
        for (folder, error) in layout.failed {
            if is_all_listed && matches!(error, S3Error::TooManyFolders(_)) {
                continue;
            }
            self.is_undiscovered = true;
            self.fail(&self.address(&folder), &error.to_string(), outlet)?;
        }
        Ok(())
    }

    /// Each region in turn, while the first pages of the next ones are asked for.
    fn each(&mut self, regions: &mut [Region], outlet: &mut Outlet) -> Result<Pace, Halt> {
        let mut pace = Pace::Kept;
        let mut ahead = Ahead(VecDeque::new());
        for at in 0..regions.len() {
            while ahead.0.len() < LISTINGS_AHEAD
                && let Some(next) = regions.get(at + ahead.0.len())
            {
                ahead.0.push_back(self.first_page(next));
            }
            let others: usize = regions.iter().map(|region| region.known.len()).sum();
            let (Some(page), Some(region)) = (ahead.0.pop_front(), regions.get_mut(at)) else { break };
            let address = self.address(&region.prefix);
            let page = self.wire.wait(async { page.await.unwrap_or_else(|gone| Err(S3Error::unreachable(&gone))) });
            let room = known::KEYS_MAX.saturating_sub(others - region.known.len());
            match page.and_then(|page| self.region(region, page, room, outlet)) {
                Ok(()) => {}
                Err(Halt::Failed(error)) if !error.is_of_all() => {
                    if error.is_throttling() {
                        pace = Pace::Throttled;
                    }
                    self.fail(&address, &error.to_string(), outlet)?;
                }
                Err(halt) => return Err(halt),
            }
        }
        Ok(pace)
    }

    fn first_page(&self, region: &Region) -> JoinHandle<Result<Page, S3Error>> {
        let (bucket, listing) = (self.bucket.clone(), region.listing());
        self.wire.runtime.spawn(async move { persistently(|| bucket.list(listing.clone())).await })
    }

    fn fail(&mut self, origin: &str, problem: &str, outlet: &mut Outlet) -> Result<(), Closed> {
        self.failing.insert(origin.to_owned());
        outlet.failed(origin, problem)
    }

    /// Everything was looked at: what did not fail this time works, is gone, or is read no more.
    fn end_failures(&self, outlet: &mut Outlet) -> Result<(), Closed> {
        let over = |positions: &Positions| {
            let all = positions.failures(outlet.source()).map(|(origin, _)| origin.to_owned());
            all.filter(|origin| !self.failing.contains(origin) && !is_of_api(origin)).collect::<Vec<_>>()
        };
        let over = outlet.registry.positions(over);
        over.iter().try_for_each(|origin| outlet.works(origin))
    }

    fn address(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket.name)
    }
}

/// Pages that were asked for; dropping them takes that back.
struct Ahead(VecDeque<JoinHandle<Result<Page, S3Error>>>);

impl Drop for Ahead {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}
