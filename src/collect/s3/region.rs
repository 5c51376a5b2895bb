//! One listing after another of a region's keys, and its cursor; and of keys that are laid out in no known way.

use super::again::persistently;
use super::bucket::{Listed, Listing, Page};
use super::keys::{self, Home, Minute};
use super::known::{KEYS_MAX, Known};
use super::objects::Done;
use super::{FLAT, Halt, Pace, S3};
use crate::collect::names::Kind;
use crate::collect::outlet::{Closed, Outlet};
use crate::collect::positions::cursor_event;

/// One account's region, for records or for digests, and how far it was read.
pub(super) struct Region {
    pub(super) prefix: String,
    home: Option<Home>,
    /// The last key up to which everything was read.
    cursor: Option<Cursor>,
    /// Objects of the overlap and beyond that were read by this process.
    pub(super) known: Known,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Cursor {
    minute: Minute,
    key: String,
}

impl Region {
    pub(super) fn new(prefix: String, cursor: Option<String>) -> Self {
        let home = Home::of(&prefix);
        // A key that says nothing about time is no place to begin from.
        let minute = |key: &String| home.as_ref().and_then(|home| home.minute(key));
        let cursor = cursor.and_then(|key| Some(Cursor { minute: minute(&key)?, key }));
        Self { prefix, home, cursor, known: Known::default() }
    }

    pub(super) fn kind(&self) -> Kind {
        self.home.as_ref().map_or(Kind::Records, |home| home.kind)
    }

    /// How to begin.
    pub(super) fn listing(&self) -> Listing {
        let cursor = self.cursor.as_ref().zip(self.home.as_ref());
        let start_after = cursor.and_then(|(cursor, home)| home.start_after(home.overlap(cursor.minute)));
        Listing { prefix: self.prefix.clone(), start_after, ..Listing::default() }
    }

    fn minute(&self, key: &str) -> Option<Minute> {
        self.home.as_ref()?.minute(key)
    }

    /// Moves the cursor forward.
    fn reach(&mut self, cursor: Cursor) {
        if let Some(home) = &self.home {
            self.known.forget_before(home.overlap(cursor.minute));
        }
        self.cursor = Some(cursor);
    }
}

impl S3<'_> {
    /// Lists a region to its end, beginning with a page that is there, and reads what is new. At most `room` objects
    /// are remembered.
    pub(super) fn region(
        &mut self,
        region: &mut Region,
        page: Page,
        room: usize,
        outlet: &mut Outlet,
    ) -> Result<(), Halt> {
        let mut listing = region.listing();
        let mut page = page;
        let mut is_held_back = false;
        loop {
            let listed: Vec<_> = page.objects.into_iter().filter(|object| keys::is_object(&object.key)).collect();
            let minutes: Vec<_> = listed.iter().map(|object| region.minute(&object.key)).collect();
            let is_known = listed.iter().zip(&minutes).map(|(object, minute)| region.known.contains(object, *minute));
            let is_known: Vec<bool> = is_known.collect();
            let new: Vec<_> =
                listed.iter().zip(&is_known).filter(|(_, known)| !**known).map(|(o, _)| o.clone()).collect();
            let mut done = self.objects(new, outlet)?.into_iter();
            let now = outlet.clock.now();
            let mut furthest = None;
            for ((object, minute), is_known) in listed.into_iter().zip(minutes).zip(is_known) {
                if !is_known {
                    match done.next() {
                        Some(Done::Read) if region.known.len() < room => region.known.insert(&object, minute),
                        Some(Done::Read) => {}
                        Some(Done::Later) | None => is_held_back = true,
                    }
                }
                let is_ahead = region.cursor.as_ref().is_none_or(|cursor| cursor.key < object.key);
                if let Some(minute) = minute.filter(|minute| minute.is_past(now))
                    && is_ahead
                    && !is_held_back
                {
                    furthest = Some(Cursor { minute, key: object.key });
                }
            }
            if let Some(cursor) = furthest {
                self.remember(&region.prefix, &cursor.key, outlet)?;
                region.reach(cursor);
            }
            let Some(more) = page.more else { return Ok(()) };
            listing.more = Some(more);
            page = self.wire.wait(persistently(|| self.bucket.list(listing.clone())))?;
        }
    }

    /// Sends the event that moves the cursor, behind those of the objects.
    fn remember(&self, prefix: &str, cursor: &str, outlet: &mut Outlet) -> Result<(), Closed> {
        let place = self.address(prefix);
        outlet.push(cursor_event(self.setting.name(), &place, cursor, outlet.clock.now()), false)?;
        outlet.flush()
    }

    /// Keys that are not laid out as CloudTrail does it: all of them, each time. Digests are read when all records
    /// that were there before them have been.
    pub(super) fn flat(&mut self, outlet: &mut Outlet) -> Result<Pace, Halt> {
        let was_flat = self.is_flat;
        if self.flat_of(Kind::Records, outlet)? {
            self.flat_of(Kind::Digest, outlet)?;
        }
        if self.is_flat && !was_flat {
            self.remember(self.prefix, FLAT, outlet)?;
        }
        Ok(Pace::Kept)
    }

    /// Whether there are digests.
    fn flat_of(&mut self, kind: Kind, outlet: &mut Outlet) -> Result<bool, Halt> {
        let mut listing = Listing { prefix: self.prefix.to_owned(), ..Listing::default() };
        let mut any_digest = false;
        loop {
            let page = self.wire.wait(persistently(|| self.bucket.list(listing.clone())))?;
            let objects = page.objects.into_iter().filter(|object| keys::is_object(&object.key));
            let (wanted, others): (Vec<Listed>, Vec<_>) = objects.partition(|object| Kind::of(&object.key) == kind);
            any_digest |= kind == Kind::Records && !others.is_empty();
            let new: Vec<_> = wanted.into_iter().filter(|object| !self.flat.contains(object, None)).collect();
            let done = self.objects(new.clone(), outlet)?;
            for (object, _) in new.iter().zip(done).filter(|(_, done)| *done == Done::Read) {
                self.is_flat |= !keys::is_below_logs(&object.key);
                if self.flat.len() < KEYS_MAX {
                    self.flat.insert(object, None);
                }
            }
            match page.more {
                Some(more) => listing.more = Some(more),
                None => return Ok(any_digest),
            }
        }
    }
}
