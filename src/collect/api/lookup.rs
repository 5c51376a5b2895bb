//! CloudTrail's event history: what LookupEvents tells of the last 90 days, region by region.
//!
//! Time is read window by window, from old to new. A window's events are sent oldest first, and then the cursor says
//! that the region is complete to its end; so a kill between any two calls costs one window, which is read again, and
//! the ids of its records leave out what is known. The newest [`LATE_SECONDS`] are never complete: events arrive late.
//!
//! Invariant: the event that moves a region's cursor follows all events up to it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::json;

use super::window::{self, HELD_EVENTS, Read, Window};
use super::{Halt, Wire, open};
use crate::aws::cloudtrail::{Api, Category, Found};
use crate::collect::notice::Notice;
use crate::collect::outlet::{Closed, Outlet, Pushed};
use crate::collect::positions::cursor_event;
use crate::collect::setting::Setting;
use crate::collect::{Alarm, Mode};
use crate::config::source::{LOOKUP_DAYS, Lookup};
use crate::event::Stamp;
use crate::sources::Identity;

/// "CloudTrail typically delivers events within 5 to 15 minutes" (user guide, event history).
const LATE_SECONDS: i64 = 15 * 60;

/// What comes later than that is looked for so often, so far back.
const DEEP_EVERY: i64 = 60 * 60;
const DEEP_SECONDS: i64 = 3 * 60 * 60;

const DAY: i64 = 24 * 60 * 60;
const HISTORY_SECONDS: i64 = LOOKUP_DAYS as i64 * DAY;

/// A reading that begins 90 days ago has not lost what AWS forgets while it goes on.
const FORGETTING_SECONDS: i64 = 60 * 60;

/// Windows begin with an hour, and grow to a day where little happens.
const WINDOW_SECONDS: i64 = 60 * 60;
const WINDOW_SECONDS_MAX: i64 = DAY;

/// While following, the cursor is written when it has moved so far: a cursor a minute and region would be most of
/// a quiet account's trail.
const CURSOR_STEP: i64 = 10 * 60;

/// Insight events are rare; asking for them takes turns from the others.
const INSIGHTS_EVERY: Duration = Duration::from_secs(15 * 60);

/// Between readings of a region that fails.
const BACKOFF_MAX: Duration = Duration::from_secs(15 * 60);

/// Reads all regions, each in a thread of its own, because each has calls of its own.
pub(in crate::collect) fn read(
    setting: &Setting,
    lookup: &Lookup,
    mode: Mode,
    wire: &Wire,
    outlet: &mut Outlet,
) -> Result<(), Closed> {
    read_by(setting, lookup, mode, wire, &|region| open(wire, &lookup.api, region), outlet)
}

/// `open` gives the API of a region.
pub(super) fn read_by(
    setting: &Setting,
    lookup: &Lookup,
    mode: Mode,
    wire: &Wire,
    open: &(dyn Fn(Option<&str>) -> Result<Api, Halt> + Sync),
    outlet: &mut Outlet,
) -> Result<(), Closed> {
    let regions: Vec<Option<&str>> = match lookup.regions.as_slice() {
        [] => vec![None],
        regions => regions.iter().map(|region| Some(region.as_str())).collect(),
    };
    let unread = AtomicUsize::new(regions.len());
    let unread = &unread;
    let ended = thread::scope(|scope| {
        let running: Vec<_> = regions
            .into_iter()
            .map(|region| {
                let mut beside = outlet.beside();
                scope.spawn(move || {
                    let _alarm = Alarm::of(&beside);
                    let ended = follow(setting, lookup, mode, wire, || open(region), region, unread, &mut beside);
                    (ended, beside.finish())
                })
            })
            .collect();
        running.into_iter().map(|thread| thread.join().map_err(|_| ())).collect::<Vec<_>>()
    });
    let mut result = Ok(());
    let mut panicked = false;
    for ended in ended {
        match ended {
            Ok((ended, summary)) => {
                result = result.and(ended);
                outlet.absorb(summary);
            }
            Err(()) => panicked = true,
        }
    }
    if panicked {
        outlet.failed(outlet.source().to_owned().as_str(), "a thread of this source stopped unexpectedly")?;
    }
    result?;
    // Who follows has told so when it was, and may have been told to stop before.
    if mode != Mode::Follow {
        outlet.progress.drained(setting.name());
    }
    Ok(())
}

/// The life of one region. `unread`: regions that have not been read whole yet; with the last one the source is.
#[expect(clippy::too_many_arguments, reason = "what all regions have, and what is one's own")]
fn follow(
    setting: &Setting,
    lookup: &Lookup,
    mode: Mode,
    wire: &Wire,
    open: impl Fn() -> Result<Api, Halt>,
    region: Option<&str>,
    unread: &AtomicUsize,
    outlet: &mut Outlet,
) -> Result<(), Closed> {
    let mut is_whole = false;
    let mut opened: Option<(Api, Vec<Way<'_>>)> = None;
    let mut failures = 0;
    loop {
        let began = Instant::now();
        let known = opened.as_ref().map(|(api, _)| api.region().to_owned());
        let origin = address(known.as_deref().or(region).unwrap_or("(no region)"));
        let read = match &mut opened {
            Some((_, ways)) => ways.iter_mut().try_for_each(|way| way.round(mode, outlet)),
            None => open().and_then(|api| {
                let ways = Way::all(&api, setting, lookup, wire, outlet);
                let (_, ways) = opened.insert((api, ways));
                ways.iter_mut().try_for_each(|way| way.round(mode, outlet))
            }),
        };
        match read {
            Ok(()) => {
                failures = 0;
                outlet.works(&origin)?;
                outlet.flush()?;
                if !is_whole && unread.fetch_sub(1, Ordering::AcqRel) == 1 {
                    outlet.progress.drained(setting.name());
                }
                is_whole = true;
            }
            Err(Halt::Told) => return Ok(()),
            Err(Halt::Closed(closed)) => return Err(closed),
            Err(Halt::Failed(error)) => {
                failures += 1;
                outlet.flush()?;
                outlet.failed(&origin, &error.to_string())?;
            }
        }
        // A busy account's last quarter of an hour takes a while to read; half of all calls are left to others.
        let pause = lookup.poll.max(began.elapsed()).saturating_mul(1 << failures.min(10));
        if mode != Mode::Follow || wire.pause(pause.min(BACKOFF_MAX.max(lookup.poll))).is_err() {
            return Ok(());
        }
    }
}

/// `cloudtrail://eu-central-1/LookupEvents`: where a region's events come from, whosever they are.
fn address(region: &str) -> String {
    format!("cloudtrail://{region}/LookupEvents")
}

/// One region's events of one category, and how far they were read.
struct Way<'a> {
    setting: &'a Setting,
    lookup: &'a Lookup,
    wire: &'a Wire,
    api: Api,
    category: Category,
    /// What the cursor is of.
    place: String,
    /// All seconds up to this one are complete; none before the first reading.
    complete: Option<i64>,
    /// And that is what the trail knows of it.
    said: Option<i64>,
    /// When the hours before the newest events were read last, in seconds since 1970.
    deep: i64,
    /// How long a window is now.
    length: i64,
    /// When it was read last.
    read: Option<Instant>,
}

impl<'a> Way<'a> {
    fn all(api: &Api, setting: &'a Setting, lookup: &'a Lookup, wire: &'a Wire, outlet: &Outlet) -> Vec<Self> {
        let categories = [Category::Management, Category::Insight];
        let wanted = |category: &Category| lookup.insights || *category == Category::Management;
        let ways = categories.into_iter().filter(wanted).map(|category| {
            let place = match category {
                Category::Management => address(api.region()),
                Category::Insight => format!("{}?category=insight", address(api.region())),
            };
            let cursor = outlet.registry.positions(|p| p.cursor(setting.name(), &place).and_then(Stamp::parse));
            let complete = cursor.map(|at| at.instant().timestamp());
            let api = api.clone();
            let (said, deep, length, read) = (complete, 0, WINDOW_SECONDS, None);
            Self { setting, lookup, wire, api, category, place, complete, said, deep, length, read }
        });
        ways.collect()
    }

    /// Reads all that is not complete, up to now.
    fn round(&mut self, mode: Mode, outlet: &mut Outlet) -> Result<(), Halt> {
        let is_due = self.read.is_none_or(|last| last.elapsed() >= INSIGHTS_EVERY);
        if self.category == Category::Insight && !is_due {
            return Ok(());
        }
        let now = outlet.clock.now().instant().timestamp();
        let (mut from, is_deep) = self.begin(now);
        // Where a window ends that was cut off one that was too large.
        let mut cut = None;
        while from <= now {
            from = self.forgotten(from, outlet)?;
            let to = cut.unwrap_or(from.saturating_add(self.length - 1)).clamp(from, now.max(from));
            let window = Window { from, to };
            match self.window(window, outlet)? {
                Read::TooLarge(at) => {
                    cut = Some(at);
                    self.length = to - at;
                }
                Read::Whole(events) => {
                    if events < HELD_EVENTS / 4 && window.seconds() >= self.length {
                        self.length = (2 * self.length).min(WINDOW_SECONDS_MAX);
                    }
                    cut = None;
                    let complete = to.min(now - LATE_SECONDS);
                    self.complete = Some(self.complete.map_or(complete, |before| before.max(complete)));
                    self.say(mode, to < now - LATE_SECONDS, outlet)?;
                    from = to + 1;
                }
            }
        }
        self.say(mode, mode != Mode::Follow, outlet)?;
        if is_deep {
            self.deep = now;
        }
        self.read = Some(Instant::now());
        Ok(())
    }

    /// The first second that is read now, and whether that is far behind what is complete. After a downtime too: what
    /// came late then belongs before its beginning.
    fn begin(&self, now: i64) -> (i64, bool) {
        let since = i64::try_from(self.lookup.since.as_secs()).unwrap_or(HISTORY_SECONDS);
        let first = now - since.min(HISTORY_SECONDS);
        let Some(complete) = self.complete else { return (first, false) };
        if now - self.deep < DEEP_EVERY {
            return (complete + 1, false);
        }
        ((complete + 1).min(first.max(complete - DEEP_SECONDS)), true)
    }

    /// What AWS has forgotten before it was read is a gap; reading goes on behind it.
    fn forgotten(&self, from: i64, outlet: &mut Outlet) -> Result<i64, Closed> {
        let oldest = outlet.clock.now().instant().timestamp() - HISTORY_SECONDS;
        if from >= oldest - FORGETTING_SECONDS {
            return Ok(from);
        }
        let stamp = |seconds| Stamp::from_unix(seconds, 0).to_string();
        let problem = format!(
            "was not read from {} to {}, and LookupEvents goes back {LOOKUP_DAYS} days only: read a trail's bucket, if there is one",
            stamp(from),
            stamp(oldest)
        );
        let notice = Notice::gap(outlet.source(), &self.place, &problem);
        let notice = notice.fact("from", json!(stamp(from))).fact("to", json!(stamp(oldest)));
        outlet.say_once(notice, &[self.place.as_bytes(), &from.to_be_bytes()])?;
        Ok(oldest)
    }

    fn window(&self, window: Window, outlet: &mut Outlet) -> Result<Read, Halt> {
        window::read(&self.api, self.wire, self.category, window, |events| {
            events.into_iter().try_for_each(|found| self.event(found, outlet))?;
            Ok(())
        })
    }

    /// Decoded by itself, so that what is no record is known by its content, wherever it is met again.
    fn event(&self, found: Found, outlet: &mut Outlet) -> Result<(), Closed> {
        let Found { id, record, .. } = found;
        let Some(record) = record.filter(|record| !record.trim().is_empty()) else {
            let id = id.unwrap_or_default();
            let problem = format!("the event \"{id}\" came without its record (CloudTrailEvent)");
            let notice = Notice::damaged(outlet.source(), &self.place, &problem);
            return outlet.say_once(notice, &[self.place.as_bytes(), id.as_bytes()]);
        };
        let account = serde_json::from_str::<Recipient>(&record).ok().and_then(|of| of.account);
        let account = account.filter(|account| is_account(account)).unwrap_or_else(|| "unknown".to_owned());
        let origin = format!("cloudtrail://{account}/{}/LookupEvents", self.api.region());
        let mut decoder = self.setting.decoder_now(Identity::Content, &origin);
        let mut events = Vec::new();
        let now = outlet.clock.now();
        decoder.push(record.as_bytes(), now, &mut events);
        decoder.finish(now, &mut events);
        let (mut sent, mut known) = (0, 0);
        for event in events {
            match outlet.push(event, true)? {
                Pushed::Sent => sent += 1,
                Pushed::Known => known += 1,
            }
        }
        outlet.note_read(&origin, record.len() as u64, sent, known, None);
        Ok(())
    }

    /// Moves the cursor, behind all that was sent.
    fn say(&mut self, mode: Mode, always: bool, outlet: &mut Outlet) -> Result<(), Closed> {
        let Some(complete) = self.complete else { return Ok(()) };
        let moved = self.said.map_or(i64::MAX, |said| complete - said);
        let is_worth_it = moved >= CURSOR_STEP || (always && moved > 0);
        // What is named by hand has no place to go on from.
        if !is_worth_it || mode == Mode::Ingest {
            return Ok(());
        }
        let cursor = Stamp::from_unix(complete, 0).to_string();
        outlet.push(cursor_event(self.setting.name(), &self.place, &cursor, outlet.clock.now()), false)?;
        outlet.flush()?;
        self.said = Some(complete);
        Ok(())
    }
}

/// Whose event a record is; the rest of it is the decoder's business.
#[derive(Deserialize)]
struct Recipient {
    #[serde(rename = "recipientAccountId")]
    account: Option<String>,
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
