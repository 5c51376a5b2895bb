//! The keys that sign digests, asked for when a digest turns up whose key is not known yet.
//!
//! Whoever reads digests only leaves word of them ([`Wants`]); a thread beside asks, so that no reading waits for it.
//! Each key is a `digest.key` event, stored once. A cursor per region says up to when its keys were asked for: what
//! was refused is asked for again after an hour and at the next start, from there on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::BASE64;
use serde::Deserialize;

use super::{Halt, Wire, open};
use crate::aws::cloudtrail::Api;
use crate::collect::Alarm;
use crate::collect::outlet::{Closed, Outlet};
use crate::collect::positions::cursor_event;
use crate::config::source::{self, From as Place};
use crate::event::Stamp;
use crate::event::delivery::PublicKey;

/// When a key that was not given, or a region that refused, is asked for again.
const AGAIN: Duration = Duration::from_secs(60 * 60);

/// A digest is delivered up to two hours behind the end of its time; a backfill digest is signed when it is made, and
/// its key is one of an hour around that.
const BEFORE: TimeDelta = TimeDelta::hours(1);
const AFTER: TimeDelta = TimeDelta::hours(2);

/// 2013-01-01: the year in which CloudTrail began. Whoever may write a digest chooses its times.
const FIRST: i64 = 1_356_998_400;

/// The cursor is written when it has moved so far.
const CURSOR_STEP: TimeDelta = TimeDelta::days(1);

/// AWS has some thirty regions, and a key lives for weeks; who writes digests with random names gets no further.
const KEYS_MAX: usize = 10_000;

/// How soon it is seen that the program stops.
const TICK: Duration = Duration::from_millis(200);

/// Which key, and for which digests: the ends of the times of the first and the last one.
type Wanted = BTreeMap<(String, String), (DateTime<Utc>, DateTime<Utc>)>;

/// Where readers of digests leave word.
#[derive(Clone, Default)]
pub(in crate::collect) struct Wants(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    wanted: Wanted,
    /// Nobody will want anything any more.
    is_over: bool,
}

/// What a digest says of its key.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Digest {
    digest_public_key_fingerprint: String,
    digest_end_time: Stamp,
}

impl Wants {
    /// A digest was read: its key (a path, or an object's key) and its unpacked content. What is no digest wants none,
    /// and neither does one of a time at which there were none.
    pub(in crate::collect) fn digest(&self, key: &str, content: &[u8], now: Stamp) {
        let Some(region) = region_of(key) else { return };
        let Ok(digest) = serde_json::from_slice::<Digest>(content) else { return };
        let end = digest.digest_end_time.instant();
        if end.timestamp() < FIRST || end.signed_duration_since(now.instant()) > AFTER {
            return;
        }
        let mut state = self.lock();
        let wanted = (region.to_owned(), digest.digest_public_key_fingerprint);
        let has_room = state.wanted.len() < KEYS_MAX;
        match state.wanted.get_mut(&wanted) {
            Some((first, last)) => (*first, *last) = (end.min(*first), end.max(*last)),
            None if has_room => drop(state.wanted.insert(wanted, (end, end))),
            None => {}
        }
        self.0.1.notify_all();
    }

    fn end(&self) {
        self.lock().is_over = true;
        self.0.1.notify_all();
    }

    /// What came since the last time, and whether it is over; waits a while for something.
    fn take(&self) -> (Wanted, bool) {
        let mut state = self.lock();
        if state.wanted.is_empty() && !state.is_over {
            state = self.0.1.wait_timeout(state, TICK).unwrap_or_else(PoisonError::into_inner).0;
        }
        (std::mem::take(&mut state.wanted), state.is_over)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads by `read`, with a thread beside that asks for the keys of the digests in it, where that makes sense.
pub(in crate::collect) fn beside(
    from: &Place,
    wire: &Wire,
    outlet: &mut Outlet,
    read: impl FnOnce(&mut Outlet) -> Result<(), Closed>,
) -> Result<(), Closed> {
    let api = match from {
        Place::Trail { trail, .. } => trail.api.clone(),
        Place::S3 { endpoint: None, .. } => source::Api::default(),
        Place::Sqs(queue) if queue.endpoint.is_none() && queue.s3_endpoint.is_none() => source::Api::default(),
        // Another service than AWS has other keys, or none; files are read without the network.
        _ => return read(outlet),
    };
    beside_by(wire, outlet, |region| open(wire, &api, Some(region)), read)
}

pub(super) fn beside_by(
    wire: &Wire,
    outlet: &mut Outlet,
    open: impl Fn(&str) -> Result<Api, Halt> + Send,
    read: impl FnOnce(&mut Outlet) -> Result<(), Closed>,
) -> Result<(), Closed> {
    let wants = Wants::default();
    outlet.wants = Some(wants.clone());
    let (ended, asked) = thread::scope(|scope| {
        let mut other = outlet.beside();
        let (theirs, wire) = (wants.clone(), wire.clone());
        let asking = scope.spawn(move || {
            let _alarm = Alarm::of(&other);
            let ended = Keys::new(wire, open).answer(&theirs, &mut other);
            (ended, other.finish())
        });
        let until_read = Ending(&wants);
        let ended = read(outlet);
        drop(until_read);
        (ended, asking.join())
    });
    outlet.wants = None;
    match asked {
        Ok((asked, summary)) => {
            outlet.absorb(summary);
            ended.and(asked)
        }
        Err(_) => {
            let origin = outlet.source().to_owned();
            outlet.failed(&origin, "the thread that asks for the keys of digests stopped unexpectedly").and(ended)
        }
    }
}

/// Nobody wants anything after it, also where reading panics: the panic would wait for the other thread.
struct Ending<'a>(&'a Wants);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Which keys are known, and how to ask for others.
struct Keys<O> {
    wire: Wire,
    open: O,
    /// Region and fingerprint.
    known: HashSet<(String, String)>,
    /// When a key was asked for in vain.
    missed: HashMap<(String, String), Instant>,
    regions: HashMap<String, Region>,
}

/// What is known of asking one region.
#[derive(Default)]
struct Region {
    api: Option<Api>,
    refused: Option<Instant>,
    /// Since when keys have not been asked for.
    owed: Option<DateTime<Utc>>,
    /// Up to when they were, as the trail has it.
    cursor: Option<DateTime<Utc>>,
}

impl<O: Fn(&str) -> Result<Api, Halt>> Keys<O> {
    fn new(wire: Wire, open: O) -> Self {
        Self { wire, open, known: HashSet::new(), missed: HashMap::new(), regions: HashMap::new() }
    }

    /// Asks until it is over.
    fn answer(mut self, wants: &Wants, outlet: &mut Outlet) -> Result<(), Closed> {
        let mut open = Wanted::new();
        loop {
            let (new, is_over) = wants.take();
            if open.len() < KEYS_MAX {
                open.extend(new);
            }
            let mut later = Wanted::new();
            for (wanted, ends) in open {
                match self.want(&wanted, ends, outlet) {
                    Ok(true) => {}
                    Ok(false) => drop(later.insert(wanted, ends)),
                    Err(Halt::Told) => return Ok(()),
                    Err(Halt::Closed(closed)) => return Err(closed),
                    // Said already.
                    Err(Halt::Failed(_)) => drop(later.insert(wanted, ends)),
                }
            }
            outlet.flush()?;
            open = later;
            if is_over || self.wire.is_over() {
                return Ok(());
            }
        }
    }

    /// Whether the key is known now, or was asked for in vain; false: it is asked for later.
    fn want(
        &mut self,
        wanted: &(String, String),
        (first, last): (DateTime<Utc>, DateTime<Utc>),
        outlet: &mut Outlet,
    ) -> Result<bool, Halt> {
        let is_recent = |at: Option<Instant>| at.is_some_and(|at| at.elapsed() < AGAIN);
        if self.known.contains(wanted) || is_recent(self.missed.get(wanted).copied()) {
            return Ok(true);
        }
        let (name, _) = wanted;
        let place = format!("cloudtrail://{name}/ListPublicKeys");
        let region = self.regions.entry(name.clone()).or_insert_with(|| {
            let cursor = outlet.registry.positions(|p| p.cursor(outlet.source(), &place).and_then(Stamp::parse));
            let (first, now) = (Stamp::from_unix(FIRST, 0).instant(), outlet.clock.now().instant());
            let cursor = cursor.map(|at| at.instant().max(first).min(now));
            Region { owed: cursor, cursor, ..Region::default() }
        });
        let from = earlier(first, BEFORE);
        let from = region.owed.map_or(from, |owed| owed.min(from));
        region.owed = Some(from);
        if is_recent(region.refused) {
            return Ok(false);
        }
        let to = outlet.clock.now().instant().max(last.checked_add_signed(AFTER).unwrap_or(last));
        let asked = region.ask(&self.wire, || (self.open)(name), (from, to));
        let keys = match asked {
            Ok(keys) => keys,
            Err(Halt::Failed(error)) => {
                region.refused = Some(Instant::now());
                // What is owed is remembered, should the program stop before it is given.
                if region.cursor.is_none_or(|cursor| from < cursor) {
                    region.say(&place, from, outlet)?;
                }
                outlet.failed(&place, &error.to_string())?;
                return Err(Halt::Failed(error));
            }
            Err(halt) => return Err(halt),
        };
        if self.known.len() > KEYS_MAX {
            self.known.clear();
        }
        for key in keys {
            self.known.insert((name.clone(), key.fingerprint.clone()));
            let key = PublicKey {
                fingerprint: key.fingerprint,
                value: BASE64.encode(&key.value),
                region: name.clone(),
                valid_from: Stamp::new(key.valid_from),
                valid_until: Stamp::new(key.valid_until),
            };
            outlet.push(key.to_event(outlet.source(), outlet.clock.now()), true)?;
        }
        outlet.works(&place)?;
        (region.owed, region.refused) = (None, None);
        let moved = region.cursor.is_none_or(|cursor| to.signed_duration_since(cursor) >= CURSOR_STEP);
        if moved {
            region.say(&place, to, outlet)?;
        }
        if !self.known.contains(wanted) {
            self.missed.retain(|_, at| at.elapsed() < AGAIN);
            if self.missed.len() < KEYS_MAX {
                self.missed.insert(wanted.clone(), Instant::now());
            }
        }
        Ok(true)
    }
}

impl Region {
    fn ask(
        &mut self,
        wire: &Wire,
        open: impl Fn() -> Result<Api, Halt>,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Vec<crate::aws::cloudtrail::Key>, Halt> {
        let api = match &self.api {
            Some(api) => api.clone(),
            None => self.api.insert(open()?).clone(),
        };
        wire.wait(api.public_keys(from, to))
    }

    fn say(&mut self, place: &str, cursor: DateTime<Utc>, outlet: &mut Outlet) -> Result<(), Closed> {
        let text = Stamp::new(cursor).to_string();
        outlet.push(cursor_event(outlet.source(), place, &text, outlet.clock.now()), false)?;
        self.cursor = Some(cursor);
        Ok(())
    }
}

fn earlier(time: DateTime<Utc>, span: TimeDelta) -> DateTime<Utc> {
    time.checked_sub_signed(span).unwrap_or(time)
}

/// The digest's own region: `…/CloudTrail-Digest/eu-central-1/2026/…`, or in its name where it lies in no such folder:
/// `111122223333_CloudTrail-Digest_eu-central-1_main_us-east-1_20261121T090000Z.json.gz`.
fn region_of(key: &str) -> Option<&str> {
    let fits = |region: &&str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        region.len() < 32 && region.contains('-') && region.chars().all(fits)
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
        let others = [
            "",
            "AWSLogs/1/CloudTrail/eu-west-1/x.json.gz",
            "CloudTrail-Digest",
            "CloudTrail-Digest/../x",
            "a_CloudTrail-Digest_",
        ];
        for other in others {
            assert_eq!(region_of(other), None, "{other}");
        }
    }

    #[test]
    fn digests_of_one_key_are_one_wish_over_their_whole_time() {
        let wants = Wants::default();
        let digest =
            |key: &str, end: &str| format!("{{\"digestPublicKeyFingerprint\":\"{key}\",\"digestEndTime\":\"{end}\"}}");
        let now = Stamp::parse("2026-11-20T09:00:00Z").expect("an instant");
        for (key, end) in [
            ("a", "2026-11-20T10:00:00Z"),
            ("a", "2026-11-20T08:00:00Z"),
            ("b", "2026-11-20T09:00:00Z"),
            // At these times there were none.
            ("a", "2012-12-31T23:59:59Z"),
            ("a", "2026-11-20T11:00:01Z"),
            ("d", "9999-01-01T00:00:00Z"),
        ] {
            wants.digest("CloudTrail-Digest/eu-west-1/x", digest(key, end).as_bytes(), now);
        }
        wants.digest("CloudTrail-Digest/eu-west-1/x", b"{}", now);
        wants.digest("elsewhere", digest("c", "2026-11-20T09:00:00Z").as_bytes(), now);
        let (wanted, is_over) = wants.take();
        let found: Vec<_> =
            wanted.iter().map(|((_, key), (first, last))| (key.as_str(), (*last - *first).num_hours())).collect();
        assert_eq!((found, is_over), (vec![("a", 2), ("b", 0)], false));
        wants.end();
        assert!(wants.take().0.is_empty() && wants.take().1);
    }
}
