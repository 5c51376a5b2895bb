//! Retention: whole sealed segments go, oldest first, with the records that only they name.
//!
//! Order: the ids of what goes are durable in `seen/` (nothing could make them anew); the event
//! `trail.pruned` is durable and signed; `trail/pruned` names it; then records, then segments, oldest
//! first. So what is missing is always accounted for by a signed entry, and what a kill left undone is
//! done by the next writer. Tiles stay: they prove the rest. The newest two segments stay: a start
//! reads the newest, and a clock that jumps ahead leaves something. A hold stops every step.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;

use super::blob::Fresh;
use super::layout::Layout;
use super::lock::Lock;
use super::pruned::{self, Pruned};
use super::segment::{self, Cursor, Segment, Step};
use super::{Reader, TrailError, Writer, hold};
use crate::durable;
use crate::event::{Event, Stamp};

/// How much is kept; what is not said is kept for good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// Since the newest entry of a segment was observed.
    pub days: Option<u64>,
    /// Of segments as they lie on the disk.
    pub bytes: Option<u64>,
}

/// What is to be pruned: entries from `from` to before `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub from: u64,
    pub to: u64,
    /// What their segments take on the disk.
    pub bytes: u64,
    pub why: String,
}

/// Prunes. Lives beside the writer, as a [`super::Sealer`] does.
#[derive(Debug)]
pub struct Pruner {
    layout: Layout,
    fresh: Arc<Fresh>,
    _lock: Arc<Lock>,
}

/// A hundred years: more is for good.
const DAYS_MAX: u64 = 36_525;

impl Writer {
    /// For the thread that seals.
    pub fn pruner(&self) -> Pruner {
        Pruner { layout: self.layout.clone(), fresh: Arc::clone(&self.fresh), _lock: Arc::clone(&self.lock) }
    }
}

impl Pruner {
    /// The oldest segments that need not be kept any more; none while a hold is on.
    pub fn due(&self, keep: Keep, reader: &Reader, now: Stamp) -> Result<Option<Due>, TrailError> {
        if keep == Keep::default() || hold::read(&self.layout)?.is_some() {
            return Ok(None);
        }
        let gone = pruned::read(&self.layout)?.map_or(0, |pruned| pruned.first);
        let mut firsts = segment::list(&self.layout)?;
        firsts.retain(|first| *first >= gone);
        let sizes = firsts.iter().map(|first| self.size(*first)).collect::<Result<Vec<u64>, TrailError>>()?;
        let oldest_kept = keep.days.map(|days| now.minus(TimeDelta::days(days.min(DAYS_MAX) as i64)));
        let mut total: u64 = sizes.iter().sum();
        let mut due: Option<Due> = None;
        for ((pair, size), _) in firsts.windows(2).zip(sizes).zip(2..firsts.len()) {
            let &[first, next] = pair else { continue };
            // One that could not be sealed is not what was signed: a human decides.
            if self.layout.segment(first).exists() {
                break;
            }
            let why = match (keep.bytes.filter(|most| total > *most), oldest_kept) {
                (Some(most), _) => format!("more than {most} bytes"),
                (None, Some(oldest)) if self.observed(reader, next - 1)? < oldest => {
                    format!("older than {} days", keep.days.unwrap_or_default())
                }
                _ => break,
            };
            total -= size;
            let due = due.get_or_insert(Due { from: first, to: first, bytes: 0, why });
            due.to = next;
            due.bytes += size;
        }
        Ok(due)
    }

    /// Notes the signed event that says what is pruned; false while it is not signed yet. It is entry
    /// `from` or a later one.
    pub fn note(&self, due: &Due, reader: &Reader, from: u64) -> Result<bool, TrailError> {
        let signed = reader.signed()?;
        let mut lines = reader.lines(from)?;
        while let Some((seq, line)) = lines.next()? {
            if seq >= signed {
                break;
            }
            if pruned::told_by(line) == Some(due.to) {
                return pruned::write(&self.layout, Pruned { first: due.to, event: seq }).map(|()| true);
            }
        }
        Ok(false)
    }

    /// Deletes what was noted as pruned and is still there. Returns how many segments that were. Once
    /// `goes_on` says no, the rest is left to the next writer.
    pub fn carry_out(&self, goes_on: &mut dyn FnMut() -> bool) -> Result<u64, TrailError> {
        let Some(pruned) =
            pruned::read(&self.layout)?.filter(|_| hold::read(&self.layout).is_ok_and(|hold| hold.is_none()))
        else {
            return Ok(0);
        };
        let (gone, kept): (Vec<u64>, Vec<u64>) =
            segment::list(&self.layout)?.into_iter().partition(|first| *first < pruned.first);
        // The end of each segment is the beginning of the next.
        if gone.is_empty() || kept.first() != Some(&pruned.first) {
            return Ok(0);
        }
        if !self.delete_records(&gone, &kept, goes_on)? {
            return Ok(0);
        }
        for first in &gone {
            for path in [segment::cache(&self.layout, *first), self.layout.segment(*first), self.layout.sealed(*first)]
            {
                delete(&path)?;
            }
        }
        let folder = self.layout.segments();
        durable::sync_folder(&folder).map_err(|error| TrailError::sync(folder, error))?;
        Ok(gone.len() as u64)
    }

    /// What the writer kept up to here is in entries by now: the next pass reads it there.
    pub fn end_pass(&self) {
        self.fresh.clear();
    }

    /// Records that no kept entry names, and none that is just being written.
    fn delete_records(
        &self,
        gone: &[u64],
        kept: &[u64],
        goes_on: &mut dyn FnMut() -> bool,
    ) -> Result<bool, TrailError> {
        let mut records = HashSet::new();
        for first in gone {
            if !goes_on() {
                return Ok(false);
            }
            self.each_record(*first, &mut |record| records.extend([record]))?;
        }
        for first in kept {
            if records.is_empty() {
                return Ok(true);
            }
            if !goes_on() {
                return Ok(false);
            }
            self.each_record(*first, &mut |record| {
                records.remove(&record);
            })?;
        }
        for record in records {
            self.fresh.unless_kept(&record, || delete(&self.layout.blobs().join(&record)))?;
        }
        Ok(true)
    }

    fn each_record(&self, first: u64, found: &mut dyn FnMut(String)) -> Result<(), TrailError> {
        let mut cursor = Cursor::new(&Arc::new(Segment::open(&self.layout, first)?), 0);
        while let Step::Line(_, line) = cursor.next()? {
            if memchr::memmem::find(line, b"\"raw_blob\":").is_some()
                && let Ok(Event { raw_blob: Some(blob), .. }) = Event::decode(line)
                && super::blob::is_name(&blob.sha256)
            {
                found(blob.sha256);
            }
        }
        Ok(())
    }

    fn observed(&self, reader: &Reader, seq: u64) -> Result<Stamp, TrailError> {
        let event = Event::decode(&reader.line(seq)?);
        let wrong = |_| TrailError::malformed(&self.layout.segments(), "the last entry of a segment is no event");
        event.map(|event| event.observed).map_err(wrong)
    }

    fn size(&self, first: u64) -> Result<u64, TrailError> {
        let size = |path: &Path| match fs::metadata(path) {
            Ok(found) => Ok(found.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(TrailError::io(path, error)),
        };
        Ok(size(&self.layout.segment(first))? + size(&self.layout.sealed(first))?)
    }
}

fn delete(path: &Path) -> Result<(), TrailError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(TrailError::io(path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
