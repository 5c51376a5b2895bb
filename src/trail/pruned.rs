//! What was pruned: `trail/pruned`, which is not there while everything is kept.
//!
//! ```text
//! <first entry that is kept> <entry that says so> LF
//! ```
//!
//! The file only shows the way to the event `trail.pruned`, which is signed: without that event missing
//! entries are damage. It is written after the event is signed and before anything is deleted.

use std::sync::Arc;

use super::layout::{FILE_MODE, Layout, read_small};
use super::segment::{self, Cursor, Segment, Step};
use super::tiles::{Leaves, Tiles};
use super::{TrailError, tree};
use crate::durable;
use crate::event::own::action;
use crate::event::{Event, Family};

/// Entries before `first` are not kept, and entry `event` says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pruned {
    pub(super) first: u64,
    pub(super) event: u64,
}

/// Two numbers, a space and a line feed.
const BYTES_MAX: u64 = 42;

const WHAT: &str = "it should name the first entry that is kept, and a signed entry that says so";

pub(super) fn read(layout: &Layout) -> Result<Option<Pruned>, TrailError> {
    let path = layout.pruned();
    let Some(bytes) = read_small(&path, BYTES_MAX)? else { return Ok(None) };
    let parsed = std::str::from_utf8(&bytes).ok().and_then(|text| {
        let (first, event) = text.strip_suffix('\n')?.split_once(' ')?;
        Some(Pruned { first: first.parse().ok()?, event: event.parse().ok()? })
    });
    parsed.map(Some).ok_or_else(|| TrailError::malformed(&path, WHAT))
}

pub(super) fn write(layout: &Layout, pruned: Pruned) -> Result<(), TrailError> {
    let path = layout.pruned();
    let text = format!("{} {}\n", pruned.first, pruned.event);
    durable::replace(&path, text.as_bytes(), FILE_MODE).map_err(|error| TrailError::io(path, error))
}

/// The first entry that is kept by what an entry says: only `trail.pruned` says so.
pub(super) fn told_by(line: &[u8]) -> Option<u64> {
    memchr::memmem::find(line, action::PRUNED.as_bytes())?;
    let event = Event::decode(line).ok()?;
    let is_ours = event.source.kind == Family::Whodid && event.what.action == action::PRUNED;
    let facts = event.detail.get(Family::Whodid.detail_key()).filter(|_| is_ours)?;
    facts.get("to")?.as_u64()
}

/// What was pruned, as a signed entry says; none while everything is kept. Who only believed the file
/// would let anybody hide entries who can write it.
pub(super) fn accounted(layout: &Layout, tiles: &Tiles, signed: u64) -> Result<Option<Pruned>, TrailError> {
    let Some(pruned) = read(layout)? else { return Ok(None) };
    let wrong = || TrailError::malformed(&layout.pruned(), WHAT);
    let firsts = segment::list(layout)?;
    let first = firsts.iter().rev().find(|first| **first <= pruned.event).copied();
    let segment = Arc::new(Segment::open(layout, first.filter(|_| pruned.event < signed).ok_or_else(wrong)?)?);
    let leaf = Leaves::new(tiles, signed).leaf(pruned.event)?;
    let says_so = || {
        let Some(start) = segment.find(pruned.event)? else { return Ok(false) };
        let mut cursor = Cursor::new(&segment, start);
        let Step::Line(_, line) = cursor.next()? else { return Ok(false) };
        Ok::<_, TrailError>(tree::leaf(line) == leaf && told_by(line) == Some(pruned.first))
    };
    if says_so()? {
        return Ok(Some(pruned));
    }
    // Perhaps only the cache of starts is wrong.
    segment.forget();
    if says_so()? { Ok(Some(pruned)) } else { Err(wrong()) }
}
