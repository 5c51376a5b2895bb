//! Sealing: a segment that is signed to its end becomes a compressed one.
//!
//! Order: write the sealed file under a temporary name, `fsync`, read it again and compare the hash of
//! every line with its tile, rename, `fsync` the folder, and only then delete the plain file. So there is
//! a whole one at every instant; while both are there the plain one is read, and the sealed one is
//! compared again before the plain one goes.
//!
//! A [`Sealer`] shares the writer's lock and nothing else: it runs beside it and never holds it up.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use super::checkpoint::{self, Checkpoint};
use super::error::Damage;
use super::layout::{FILE_MODE, Layout, names, read_small};
use super::lock::Lock;
use super::origin::Origin;
use super::sealed::Packer;
use super::segment::{self, Cursor, Segment, Step};
use super::tiles::{Leaves, Tiles};
use super::tree::{self, Hash};
use super::{TrailError, Writer};
use crate::durable;
use crate::event::Stamp;

/// Seals segments. As long as it lives no other writer can come.
#[derive(Debug)]
pub struct Sealer {
    layout: Layout,
    tiles: Tiles,
    _lock: Arc<Lock>,
}

/// What sealing came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub segments: u64,
    /// What they held, and what they take now.
    pub bytes: u64,
    pub stored: u64,
    /// Segments that were left as they are, because what they hold is not what was signed.
    pub refused: Vec<TrailError>,
}

/// Signed entries in a row.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    first: u64,
    upto: u64,
}

impl Writer {
    /// For another thread: it seals what this writer has left behind.
    pub fn sealer(&self) -> Sealer {
        Sealer { layout: self.layout.clone(), tiles: Tiles::new(&self.layout), _lock: Arc::clone(&self.lock) }
    }
}

impl Sealer {
    /// For sealing by hand: takes the lock, so that nothing else writes meanwhile.
    pub fn open(data: &Path, command: &str, now: Stamp) -> Result<Self, TrailError> {
        let layout = Layout::new(data);
        Origin::read(&layout)?.ok_or_else(|| TrailError::NoTrail(data.to_owned()))?;
        let lock = Arc::new(Lock::take(data, command, now)?);
        Ok(Self { tiles: Tiles::new(&layout), layout, _lock: lock })
    }

    /// Seals every segment but the newest, oldest first. `goes_on` is asked now and then: once it says no,
    /// the segment at hand stays plain.
    pub fn seal(&self, goes_on: &mut dyn FnMut() -> bool) -> Result<Outcome, TrailError> {
        self.clean()?;
        let (firsts, signed) = (segment::list(&self.layout)?, self.signed()?);
        let plain = segment::plain(&self.layout)?;
        let mut outcome = Outcome::default();
        for pair in firsts.windows(2) {
            let &[first, upto] = pair else { continue };
            if upto > signed || plain.binary_search(&first).is_err() {
                continue;
            }
            match self.one(Stretch { first, upto }, goes_on) {
                Ok(Some((bytes, stored))) => {
                    outcome.segments += 1;
                    outcome.bytes += bytes;
                    outcome.stored += stored;
                }
                Ok(None) => break,
                Err(error @ TrailError::Damaged { .. }) => outcome.refused.push(error),
                Err(error) => return Err(error),
            }
        }
        Ok(outcome)
    }

    /// One segment; none when it was time to stop. Returns its bytes, and those of the sealed file.
    fn one(&self, stretch: Stretch, goes_on: &mut dyn FnMut() -> bool) -> Result<Option<(u64, u64)>, TrailError> {
        let (plain, sealed) = (self.layout.segment(stretch.first), self.layout.sealed(stretch.first));
        // Left by one who was killed before the plain file was deleted.
        if !self.is_sound(stretch, &sealed)? {
            let temporary = self.layout.sealing(stretch.first);
            match self.pack(stretch, &temporary, goes_on) {
                Ok(true) => {}
                stopped => {
                    delete(&temporary)?;
                    return stopped.map(|_| None);
                }
            }
            if !self.is_sound(stretch, &temporary)? {
                delete(&temporary)?;
                return Err(TrailError::malformed(&sealed, "what was written of it reads back as something else"));
            }
            durable::publish(&temporary, &sealed).map_err(|error| TrailError::sync(&sealed, error))?;
        }
        let size =
            |path: &Path| fs::metadata(path).map(|found| found.len()).map_err(|error| TrailError::io(path, error));
        let sizes = (size(&plain)?, size(&sealed)?);
        // The cache first: it is of no use alone, and nobody would look for it.
        delete(&segment::cache(&self.layout, stretch.first))?;
        delete(&plain)?;
        Ok(Some(sizes))
    }

    /// Writes the sealed file, of lines that are what was signed, and makes it durable.
    fn pack(&self, stretch: Stretch, temporary: &Path, goes_on: &mut dyn FnMut() -> bool) -> Result<bool, TrailError> {
        let failed = |error| TrailError::io(temporary, error);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(temporary);
        let mut packer = file.and_then(|file| Packer::new(BufWriter::new(file))).map_err(failed)?;
        let segment = Arc::new(Segment::open(&self.layout, stretch.first)?);
        let goes_on = self.compare(stretch, &segment, &mut |seq, line| {
            packer.push(line).map_err(failed)?;
            Ok(!seq.is_multiple_of(LINES_BETWEEN_QUESTIONS) || goes_on())
        })?;
        if goes_on {
            let file = packer.finish().and_then(|out| Ok(out.into_inner()?)).map_err(failed)?;
            file.sync_all().map_err(|error| TrailError::sync(temporary, error))?;
        }
        Ok(goes_on)
    }

    /// Whether a sealed file is there and holds exactly the entries that were signed.
    fn is_sound(&self, stretch: Stretch, path: &Path) -> Result<bool, TrailError> {
        let compare = || {
            let Some(segment) = Segment::open_sealed(stretch.first, path.to_owned())? else { return Ok(false) };
            Ok(segment.is_as_written()? && self.compare(stretch, &Arc::new(segment), &mut |_, _| Ok(true))?)
        };
        match compare() {
            Err(TrailError::Damaged { path: damaged, .. }) if damaged == path => Ok(false),
            compared => compared,
        }
    }

    /// Hands every line over that is what was signed, as long as the answer is yes.
    fn compare<F>(&self, stretch: Stretch, segment: &Arc<Segment>, take: &mut F) -> Result<bool, TrailError>
    where
        F: FnMut(u64, &[u8]) -> Result<bool, TrailError>,
    {
        let mut leaves = Leaves::new(&self.tiles, self.signed()?);
        let mut cursor = Cursor::new(segment, 0);
        for seq in stretch.first..stretch.upto {
            let cut = || TrailError::damaged(&segment.path, Damage::Cut { seq, size: stretch.upto });
            let Step::Line(byte, line) = cursor.next()? else { return Err(cut()) };
            if self.leaf(&mut leaves, seq)? != tree::leaf(line) {
                return Err(TrailError::damaged(&segment.path, Damage::Changed { seq, byte }));
            }
            if !take(seq, line)? {
                return Ok(false);
            }
        }
        match cursor.next()? {
            Step::End(_) => Ok(true),
            _ => Err(TrailError::malformed(&segment.path, "it goes on after the entry before the next segment")),
        }
    }

    /// The writer may meanwhile replace the tile at the edge by a longer one.
    fn leaf<'t>(&'t self, leaves: &mut Leaves<'t>, seq: u64) -> Result<Hash, TrailError> {
        loop {
            match leaves.leaf(seq) {
                Err(error) => {
                    let signed = self.signed()?;
                    if signed == leaves.size() {
                        return Err(error);
                    }
                    *leaves = Leaves::new(&self.tiles, signed);
                }
                found => return found,
            }
        }
    }

    /// Deletes what was being written when somebody was killed.
    fn clean(&self) -> Result<(), TrailError> {
        for name in names(&self.layout.segments())?.iter().filter(|name| name.ends_with(".jsonl.zst.tmp")) {
            delete(&self.layout.segments().join(name))?;
        }
        Ok(())
    }

    fn signed(&self) -> Result<u64, TrailError> {
        let path = self.layout.checkpoint();
        let bytes = read_small(&path, checkpoint::BYTES_MAX)?.ok_or_else(|| TrailError::missing(&path))?;
        let parsed = Checkpoint::parse_note(&bytes).map_err(|error| TrailError::damaged(path, Damage::Note(error)))?;
        Ok(parsed.0.size)
    }
}

/// Entries are added to a plain segment: should the newest one be sealed, which no writer does, it is made
/// plain again. The sealed file stays until the segment is sealed anew.
pub(super) fn undo(layout: &Layout, newest: u64) -> Result<(), TrailError> {
    let plain = layout.segment(newest);
    if plain.try_exists().map_err(|error| TrailError::io(&plain, error))? {
        return Ok(());
    }
    let temporary = plain.with_extension("jsonl.tmp");
    let failed = |error| TrailError::io(&temporary, error);
    let mut cursor = Cursor::new(&Arc::new(Segment::open(layout, newest)?), 0);
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&temporary);
    let mut out = BufWriter::new(file.map_err(failed)?);
    while let Step::Line(_, line) = cursor.next()? {
        out.write_all(line).and_then(|()| out.write_all(b"\n")).map_err(failed)?;
    }
    let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(|error| TrailError::sync(&temporary, error))?;
    durable::publish(&temporary, &plain).map_err(|error| TrailError::sync(&plain, error))
}

/// Some hundred milliseconds of work.
const LINES_BETWEEN_QUESTIONS: u64 = 16 << 10;

fn delete(path: &Path) -> Result<(), TrailError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(TrailError::io(path, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
