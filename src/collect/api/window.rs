//! The events of one window of time, from LookupEvents' pages.
//!
//! Pages come newest first, and the trail wants the oldest first, so a window is held until it is whole. One that is
//! too large to hold is given up, and it is said where its newer half begins, which would have fitted; the smallest
//! window, a second, is handed on page by page, because the times of its events are all the same.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::{Halt, Wire};
use crate::aws::cloudtrail::{Api, ApiError, Category, Found, Lookup};

/// What a window may hold: two hundred pages, and some ten thousand ordinary records.
pub(super) const HELD_EVENTS: usize = 10_000;
const HELD_BYTES: usize = 32 << 20;

/// Pages may be short of events, or empty, and that is no error; a window that has only such pages has no end.
const PAGES_MAX: usize = 5_000;

/// How often a window is begun again because a token of its pages had expired.
const RESTARTS: usize = 3;

/// Seconds since 1970, both ends meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from: i64,
    pub(super) to: i64,
}

/// What came of a window.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// All of it was handed on: so many events.
    Whole(usize),
    /// Nothing was handed on; what is later than this second would have been few enough.
    TooLarge(i64),
}

impl Window {
    pub(super) fn seconds(self) -> i64 {
        self.to - self.from + 1
    }

    /// The last second of the older half of a window that has more than was held down to its oldest event.
    fn cut(self, oldest: Option<&Found>) -> i64 {
        match oldest.and_then(|event| event.when) {
            // Of this second there may be more.
            Some(when) if (self.from..self.to).contains(&when) => when,
            Some(when) if when == self.to => when - 1,
            _ => self.from + (self.to - self.from) / 2,
        }
    }
}

/// Reads a window, and hands on its events in one or more pieces, the oldest first.
pub(super) fn read(
    api: &Api,
    wire: &Wire,
    category: Category,
    window: Window,
    mut each: impl FnMut(Vec<Found>) -> Result<(), Halt>,
) -> Result<Read, Halt> {
    let mut restarts = 0;
    loop {
        match pages(api, wire, category, window, &mut each) {
            Err(Halt::Failed(ApiError::TokenExpired)) if restarts < RESTARTS => restarts += 1,
            other => return other,
        }
    }
}

fn pages(
    api: &Api,
    wire: &Wire,
    category: Category,
    window: Window,
    each: &mut impl FnMut(Vec<Found>) -> Result<(), Halt>,
) -> Result<Read, Halt> {
    let mut ask = Lookup { category, from: window.from, to: window.to, more: None };
    let mut tokens = HashSet::new();
    let mut held: Vec<Found> = Vec::new();
    let (mut bytes, mut sent) = (0, 0);
    loop {
        let page = wire.wait(api.lookup(&ask))?;
        bytes += page.events.iter().map(|event| event.record.as_ref().map_or(0, String::len)).sum::<usize>();
        held.extend(page.events);
        let is_full = held.len() > HELD_EVENTS || bytes > HELD_BYTES;
        match page.more {
            None => break,
            Some(_) if is_full && window.seconds() > 1 => return Ok(Read::TooLarge(window.cut(held.last()))),
            Some(more) => {
                if !tokens.insert(fingerprint(&more)) || tokens.len() > PAGES_MAX {
                    return Err(Halt::Failed(ApiError::Endless));
                }
                ask.more = Some(more);
            }
        }
        if is_full {
            bytes = 0;
            sent += hand_on(&mut held, each)?;
        }
    }
    sent += hand_on(&mut held, each)?;
    Ok(Read::Whole(sent))
}

fn hand_on(held: &mut Vec<Found>, each: &mut impl FnMut(Vec<Found>) -> Result<(), Halt>) -> Result<usize, Halt> {
    let mut events = std::mem::take(held);
    events.reverse();
    let count = events.len();
    each(events)?;
    Ok(count)
}

/// Tokens may be long, and there may be thousands.
fn fingerprint(token: &str) -> u64 {
    let mut hash = DefaultHasher::new();
    token.hash(&mut hash);
    hash.finish()
}
