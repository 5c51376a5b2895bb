//! Hours of a trail without a digest, over all places where copies of its digests lie: which they are, and what was
//! said of them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::judge::Whose;
use super::known::{LATE, Looked, TrailKnown};
use super::name::Trail;
use super::spans::{Span, Spans};
use crate::event::Stamp;
use crate::event::delivery::DigestsMissing;

/// Digests follow one another to the second.
const BETWEEN: TimeDelta = TimeDelta::minutes(1);

const HOUR: TimeDelta = TimeDelta::hours(1);
/// A trail that stays without digests is told of each hour for a day, then once a day.
const HOURS_OF_DAY: u64 = 24;

/// One trail's digests, wherever copies of them lie.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Whole {
    account: String,
    region: String,
    trail: String,
    home: String,
}

/// What is known of them, from all those places.
#[derive(Debug, Default)]
struct Together {
    proven: Spans,
    /// Those and what they make likely.
    covered: Spans,
    starts: BTreeSet<Stamp>,
    is_read: bool,
    is_suspended: bool,
}

/// All trails that write digests.
#[derive(Debug, Default)]
pub(super) struct Trails(BTreeMap<Whole, Together>);

impl Trails {
    /// What is known of the trails in one place. `is_read`: by a source that still reads; `is_suspended`: something
    /// there cannot be read just now.
    pub(super) fn add(
        &mut self,
        whose: &Whose,
        trails: &BTreeMap<Trail, TrailKnown>,
        is_read: bool,
        is_suspended: bool,
    ) {
        for (trail, known) in trails.iter().filter(|(trail, _)| !trail.is_backfill) {
            let whole = Whole {
                account: whose.account.clone(),
                region: whose.region.clone(),
                trail: trail.name.clone(),
                home: trail.home.clone(),
            };
            let together = self.0.entry(whole).or_default();
            together.is_read |= is_read;
            together.is_suspended |= is_suspended;
            together.proven.extend(&known.proven);
            together.covered.extend(&known.proven);
            together.covered.extend(&known.taken);
            together.starts.extend(&known.starts);
        }
    }

    /// Hours without a digest. `since`: what ended before it is not known, and not missed.
    pub(super) fn runs(&self, looked: Looked, within: Option<Span>, since: Option<Stamp>) -> Vec<DigestsMissing> {
        let mut runs = Vec::new();
        for (whole, Together { proven, covered, starts, is_read, is_suspended }) in &self.0 {
            let (Some(first), Some(last)) = (proven.first(), proven.last()) else { continue };
            let due = looked.at().filter(|_| *is_read && !is_suspended).map_or(last, |at| last.max(at.minus(LATE)));
            let until = within.map_or(due, |within| due.min(within.end.max(first)));
            for gap in covered.gaps(Span { start: first, end: until }) {
                let is_open = gap.end == until && gap.end > last;
                let gap = within.map_or(gap, |within| Span { start: gap.start.max(within.start), end: gap.end });
                let Some(hours) = hours(gap, is_open && within.is_none(), is_open) else { continue };
                let to =
                    if is_open { gap.start.plus(HOUR * i32::try_from(hours).unwrap_or(i32::MAX)) } else { gap.end };
                if since.is_some_and(|since| to <= since) {
                    continue;
                }
                let reason = match (is_open, starts.contains(&gap.end)) {
                    (true, _) => format!("No digest was there since {}.", gap.start),
                    (false, true) => {
                        "Validation begins again after it: it was off, or the digests before were deleted.".to_owned()
                    }
                    (false, false) => "The digests before and after it are there.".to_owned(),
                };
                runs.push(whole.missing((gap.start, to), hours, reason, None));
            }
        }
        runs
    }

    /// Whether there is a digest of the time after an instant.
    fn is_there(&self, whole: &Whole, from: Stamp) -> bool {
        self.0.get(whole).is_some_and(|together| together.covered.around(from).is_some())
    }
}

impl Whole {
    fn missing(&self, (from, to): (Stamp, Stamp), hours: u64, reason: String, replaces: Option<u64>) -> DigestsMissing {
        let Self { account, region, trail, home } = self.clone();
        DigestsMissing { account, region, trail, home, from, to, hours, reason: Some(reason), replaces }
    }
}

/// Digests that are missing in a time; none for what is shorter than can be.
fn hours(gap: Span, is_told_daily: bool, is_open: bool) -> Option<u64> {
    let missing = gap.end.instant() - gap.start.instant();
    if missing < BETWEEN {
        return None;
    }
    let whole = u64::try_from(missing.num_hours()).ok()?;
    let is_more = missing > HOUR * i32::try_from(whole).ok()? + BETWEEN;
    match is_open {
        false => Some((whole + u64::from(is_more)).max(1)),
        true if is_told_daily && whole > HOURS_OF_DAY => Some(whole / HOURS_OF_DAY * HOURS_OF_DAY),
        true => Some(whole).filter(|whole| *whole > 0),
    }
}

/// What was said of missing hours, by trail and by when they begin.
#[derive(Debug, Default)]
pub(super) struct Said(BTreeMap<(Whole, Stamp), Words>);

#[derive(Debug)]
struct Words {
    to: Stamp,
    hours: u64,
    /// The place of the event, once it is known.
    seq: Option<u64>,
}

impl Said {
    /// Takes what stands at a place of the trail.
    pub(super) fn take(&mut self, seq: u64, missing: DigestsMissing) {
        let (to, hours) = (missing.to, missing.hours);
        let key = key(missing);
        let is_newer = self.0.get(&key).and_then(|said| said.seq).is_none_or(|known| known < seq);
        if is_newer {
            self.0.insert(key, Words { to, hours, seq: Some(seq) });
        }
    }

    /// What is to be said of these. It is taken for said.
    pub(super) fn news(&mut self, runs: Vec<DigestsMissing>, trails: &Trails) -> Vec<DigestsMissing> {
        let mut news = Vec::new();
        let mut current = BTreeSet::new();
        for mut run in runs {
            let key = key(run.clone());
            current.insert(key.clone());
            let before = self.0.get(&key);
            if before.is_some_and(|said| said.to == run.to && said.hours == run.hours) {
                continue;
            }
            run.replaces = before.and_then(|said| said.seq);
            self.0.insert(key, Words { to: run.to, hours: run.hours, seq: run.replaces });
            news.push(run);
        }
        news.extend(self.no_longer(&current, trails));
        news
    }

    /// Hours that were said to be missing, and whose digest came after all: it is there for the time after `from`.
    fn no_longer(&mut self, current: &BTreeSet<(Whole, Stamp)>, trails: &Trails) -> Vec<DigestsMissing> {
        let mut over = Vec::new();
        for (key, said) in &mut self.0 {
            let (whole, from) = key;
            if said.hours == 0 || !trails.is_there(whole, *from) || current.contains(key) {
                continue;
            }
            over.push(whole.missing((*from, *from), 0, "Its digest is there by now.".to_owned(), said.seq));
            (said.to, said.hours) = (*from, 0);
        }
        over
    }

    /// Lets go of the first ones of too many.
    pub(super) fn keep(&mut self, most: usize) {
        while self.0.len() > most {
            self.0.pop_first();
        }
    }
}

fn key(missing: DigestsMissing) -> (Whole, Stamp) {
    let DigestsMissing { account, region, trail, home, from, .. } = missing;
    (Whole { account, region, trail, home }, from)
}
