//! CloudTrail objects straight from a bucket, by listing it.
//!
//! Per account and region, a cursor remembers the last key that was read; each listing begins an hour of
//! deliveries before it, because keys do not arrive in order, and ids leave out what is known. What is
//! remembered is one cursor per account and region, never the objects.
//!
//! Invariant: the event that moves a cursor follows the events of every object up to it, so that no kill
//! can leave an object behind. An object that cannot be read holds its cursor back.

pub(super) mod bucket;
mod discover;
pub(super) mod keys;
mod look;
#[cfg(test)]
mod moto;

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::future::Future;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch::Receiver;
use tokio::task::JoinHandle;

use super::api::is_of_api;
use super::notice::Notice;
use super::object::{self, About};
use super::outlet::{Closed, Outlet};
use super::positions::{Positions, cursor_event};
use super::setting::Setting;
use super::{Mode, Outside};
use crate::config::source::From;
use bucket::{Bucket, Listed, Listing, S3Error};
use discover::other_kind;
pub use look::look;
pub(super) use look::look_into;

/// Objects that are fetched ahead while one is decoded: enough to hide a round trip.
const FETCHES: usize = 8;
/// And what they may hold together; a larger object is fetched alone.
const FETCH_BYTES: u64 = 64 << 20;
/// AWS writes at most 50 MB; something else is not loaded into memory.
const OBJECT_BYTES_MAX: u64 = 256 << 20;

/// New accounts and regions are rare: every so many listings they are looked for.
const LISTINGS_PER_DISCOVERY: u32 = 10;

/// The SDK has tried three times already when an error arrives here.
const TRIES: u32 = 3;
const BACKOFF: Duration = Duration::from_secs(1);
/// Between listings of a bucket that fails.
const BACKOFF_MAX: Duration = Duration::from_secs(15 * 60);

/// Why reading stopped before its end.
enum Halt {
    Closed(Closed),
    /// It is time to stop.
    Told,
    Failed(S3Error),
}

impl std::convert::From<Closed> for Halt {
    fn from(closed: Closed) -> Self {
        Self::Closed(closed)
    }
}

/// Reads the bucket once, or again and again.
pub(super) fn read(setting: &Setting, mode: Mode, outside: Outside, outlet: &mut Outlet) -> Result<(), Closed> {
    let wire = Wire { runtime: outside.runtime, shutdown: outside.shutdown };
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
        Ok(bucket) => S3 { setting, prefix, wire, bucket, regions: Vec::new(), flat: HashSet::new(), listings: 0 },
        Err(Halt::Failed(error)) => return outlet.failed(&origin, &error.to_string()),
        Err(_) => return Ok(()),
    };
    let mut failures = 0;
    loop {
        match source.listing(mode, outlet) {
            Ok(()) => {
                failures = 0;
                outlet.works(&origin)?;
                forget_others(name, outlet)?;
                outlet.progress.drained(setting.name());
            }
            Err(Halt::Told) => return Ok(()),
            Err(Halt::Closed(closed)) => return Err(closed),
            Err(Halt::Failed(error)) => {
                failures += 1;
                outlet.failed(&origin, &error.to_string())?;
            }
        }
        let pause = poll.saturating_mul(1 << failures.min(10)).min(BACKOFF_MAX.max(*poll));
        if mode != Mode::Follow || source.wire.pause(pause).is_err() {
            return Ok(());
        }
    }
}

/// Failures of a bucket that this source no longer reads are over.
fn forget_others(bucket: &str, outlet: &mut Outlet) -> Result<(), Closed> {
    let here = format!("s3://{bucket}/");
    let failing = |positions: &Positions| {
        let all = positions.failures(outlet.source()).map(|(origin, _)| origin.to_owned());
        all.filter(|origin| !origin.starts_with(&here) && !is_of_api(origin)).collect::<Vec<_>>()
    };
    let others = outlet.registry.positions(failing);
    others.iter().try_for_each(|origin| outlet.works(origin))
}

/// Waiting for the network from an owned thread, and for the end.
struct Wire {
    runtime: Handle,
    shutdown: Receiver<bool>,
}

impl Wire {
    fn wait<T>(&self, work: impl Future<Output = Result<T, S3Error>>) -> Result<T, Halt> {
        let mut shutdown = self.shutdown.clone();
        self.runtime.block_on(async {
            tokio::select! {
                done = work => done.map_err(Halt::Failed),
                _ = shutdown.wait_for(|stop| *stop) => Err(Halt::Told),
            }
        })
    }

    fn pause(&self, time: Duration) -> Result<(), Halt> {
        self.wait(async {
            tokio::time::sleep(time).await;
            Ok(())
        })
    }

    /// Asks, and asks again if that may help.
    fn try_hard<T, F: Future<Output = Result<T, S3Error>>>(&self, ask: impl Fn() -> F) -> Result<T, Halt> {
        let mut tries = 1;
        loop {
            match self.wait(ask()) {
                Err(Halt::Failed(error)) if error.is_passing() && tries < TRIES => {
                    self.pause(BACKOFF.saturating_mul(1 << tries))?;
                    tries += 1;
                }
                answer => return answer,
            }
        }
    }
}

struct S3<'a> {
    setting: &'a Setting,
    prefix: &'a str,
    wire: Wire,
    bucket: Bucket,
    regions: Vec<Region>,
    /// Objects that were read, as hashes, where keys say nothing about time.
    flat: HashSet<u64>,
    listings: u32,
}

/// One account's region, and how far it was read.
struct Region {
    prefix: String,
    cursor: Option<String>,
    /// Keys of the overlap that were read by this process.
    done: BTreeSet<String>,
}

/// An object on its way.
struct Fetch {
    object: Listed,
    body: JoinHandle<Result<Vec<u8>, S3Error>>,
}

/// What came of one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Read,
    /// It could not be read now.
    Later,
}

impl S3<'_> {
    /// Lists everything once and reads what is new.
    fn listing(&mut self, mode: Mode, outlet: &mut Outlet) -> Result<(), Halt> {
        if self.listings.is_multiple_of(LISTINGS_PER_DISCOVERY) {
            self.discover(outlet)?;
        }
        if self.regions.is_empty() {
            self.flat(outlet)?;
        }
        let mut regions = std::mem::take(&mut self.regions);
        let read = regions.iter_mut().try_for_each(|region| self.region(region, outlet));
        self.regions = regions;
        read?;
        self.listings = if mode == Mode::Follow { self.listings.wrapping_add(1) } else { 0 };
        outlet.flush()?;
        Ok(())
    }

    fn discover(&mut self, outlet: &mut Outlet) -> Result<(), Halt> {
        let layout = self.wire.try_hard(|| discover::discover(&self.bucket, self.prefix))?;
        for prefix in layout.regions {
            if !self.regions.iter().any(|region| region.prefix == prefix) {
                let place = self.address(&prefix);
                let cursor = outlet.registry.positions(|p| p.cursor(self.setting.name(), &place).map(str::to_owned));
                self.regions.push(Region { prefix, cursor, done: BTreeSet::new() });
            }
        }
        if self.listings == 0 {
            for (folder, note) in layout.skipped {
                outlet.note_read(&self.address(&folder), 0, 0, 0, Some(note));
            }
        }
        Ok(())
    }

    fn region(&mut self, region: &mut Region, outlet: &mut Outlet) -> Result<(), Halt> {
        let start_after = region.cursor.as_deref().and_then(keys::start_after);
        let mut listing = Listing { prefix: region.prefix.clone(), start_after, ..Listing::default() };
        let mut held_back = false;
        loop {
            let page = self.wire.try_hard(|| self.bucket.list(listing.clone()))?;
            let new = page.objects.into_iter().filter(|o| keys::is_object(&o.key) && !region.done.contains(&o.key));
            let mut furthest = region.cursor.clone();
            self.objects(new.collect(), outlet, |key, done| {
                held_back |= done == Done::Later;
                if done == Done::Read {
                    region.done.insert(key.to_owned());
                    if !held_back && furthest.as_deref() < Some(key) {
                        furthest = Some(key.to_owned());
                    }
                }
            })?;
            if furthest != region.cursor {
                region.cursor = furthest;
                self.remember(region, outlet)?;
            }
            match page.more {
                Some(more) => listing.more = Some(more),
                None => return Ok(()),
            }
        }
    }

    /// Sends the event that moves the cursor, behind those of the objects.
    fn remember(&self, region: &mut Region, outlet: &mut Outlet) -> Result<(), Closed> {
        let Some(cursor) = &region.cursor else { return Ok(()) };
        // A key that says nothing about time is no place to begin from.
        let Some(overlap) = keys::start_after(cursor) else { return Ok(()) };
        region.done = region.done.split_off(&overlap);
        let place = self.address(&region.prefix);
        outlet.push(cursor_event(self.setting.name(), &place, cursor, outlet.clock.now()), false)?;
        outlet.flush()
    }

    /// Keys that are not laid out as CloudTrail does it: all of them, each time.
    fn flat(&mut self, outlet: &mut Outlet) -> Result<(), Halt> {
        let mut listing = Listing { prefix: self.prefix.to_owned(), ..Listing::default() };
        loop {
            let page = self.wire.try_hard(|| self.bucket.list(listing.clone()))?;
            let wanted = |object: &Listed| {
                let folders = object.key.split('/').find_map(other_kind);
                keys::is_object(&object.key) && folders.is_none() && !self.flat.contains(&fingerprint(object))
            };
            let new: Vec<_> = page.objects.into_iter().filter(wanted).collect();
            let prints: Vec<_> = new.iter().map(fingerprint).collect();
            let mut read = Vec::with_capacity(new.len());
            self.objects(new, outlet, |_, done| read.push(done))?;
            self.flat
                .extend(prints.into_iter().zip(read).filter(|(_, done)| *done == Done::Read).map(|(print, _)| print));
            match page.more {
                Some(more) => listing.more = Some(more),
                None => return Ok(()),
            }
        }
    }

    /// Fetches several at a time and sends their events in the order of the listing.
    fn objects(&self, objects: Vec<Listed>, outlet: &mut Outlet, mut each: impl FnMut(&str, Done)) -> Result<(), Halt> {
        objects.iter().for_each(|object| outlet.progress.expect_bytes(object.bytes));
        let mut todo = VecDeque::from(objects);
        let mut coming: VecDeque<Fetch> = VecDeque::new();
        loop {
            let mut bytes: u64 = coming.iter().map(|fetch| fetch.object.bytes).sum();
            while coming.len() < FETCHES
                && let Some(next) = todo.front()
                && (coming.is_empty() || bytes + next.bytes <= FETCH_BYTES)
            {
                bytes += next.bytes;
                let Some(object) = todo.pop_front() else { break };
                coming.push_back(self.fetch(object));
            }
            let Some(fetch) = coming.pop_front() else { return Ok(()) };
            let done = self.object(fetch, outlet, &mut each);
            if done.is_err() {
                coming.iter().for_each(|fetch| fetch.body.abort());
            }
            done?;
        }
    }

    fn fetch(&self, object: Listed) -> Fetch {
        let (bucket, key, bytes) = (self.bucket.clone(), object.key.clone(), object.bytes);
        let body = self.wire.runtime.spawn(async move {
            if bytes > OBJECT_BYTES_MAX {
                return Ok(Vec::new());
            }
            let mut tries = 1;
            loop {
                match bucket.fetch(&key).await {
                    Err(error) if error.is_passing() && tries < TRIES => {
                        tokio::time::sleep(BACKOFF.saturating_mul(1 << tries)).await;
                        tries += 1;
                    }
                    answer => return answer,
                }
            }
        });
        Fetch { object, body }
    }

    fn object(&self, fetch: Fetch, outlet: &mut Outlet, each: &mut impl FnMut(&str, Done)) -> Result<(), Halt> {
        let Fetch { object, body } = fetch;
        let body = self.wire.wait(async { body.await.unwrap_or_else(|error| Err(S3Error::unreachable(&error))) });
        let origin = self.address(&object.key);
        let done = match body {
            Ok(_) if object.bytes > OBJECT_BYTES_MAX => {
                let problem = format!("is {} bytes long, which no CloudTrail object is: it was not read", object.bytes);
                self.say_once(&origin, &problem, &object, outlet)?;
                Done::Read
            }
            Ok(body) => {
                self.decode(&body, &origin, outlet)?;
                outlet.works(&origin)?;
                Done::Read
            }
            Err(Halt::Failed(S3Error::Gone)) => {
                let notice = Notice::gap(outlet.source(), &origin, &S3Error::Gone.to_string());
                let key = [object.key.as_bytes(), object.tag.as_bytes()];
                outlet.say_once(notice, &key)?;
                Done::Read
            }
            // One object may be encrypted with a key of its own; the others go on.
            Err(Halt::Failed(error @ S3Error::Denied(_))) => {
                outlet.failed(&origin, &error.to_string())?;
                Done::Later
            }
            Err(halt) => return Err(halt),
        };
        outlet.progress.read_bytes(object.bytes);
        each(&object.key, done);
        Ok(())
    }

    fn decode(&self, body: &[u8], origin: &str, outlet: &mut Outlet) -> Result<(), Closed> {
        let about = About { origin, signature: None };
        object::read(body, about, self.setting, outlet, |_| true).map(|_| ())
    }

    fn say_once(&self, origin: &str, problem: &str, object: &Listed, outlet: &mut Outlet) -> Result<(), Closed> {
        let notice = Notice::damaged(outlet.source(), origin, problem);
        outlet.say_once(notice, &[object.key.as_bytes(), object.tag.as_bytes()])?;
        outlet.note_read(origin, 0, 0, 0, Some(problem));
        Ok(())
    }

    fn address(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket.name)
    }
}

/// Names an object and its content in few bytes: there may be millions.
fn fingerprint(object: &Listed) -> u64 {
    let mut hash = DefaultHasher::new();
    (&object.key, &object.tag, object.bytes).hash(&mut hash);
    hash.finish()
}
