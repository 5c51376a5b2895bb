//! Reading, without a lock, up to what is acknowledged, also while the writer runs.
//!
//! [`Reader::lines`] goes forward through the segments; [`Reader::event`] finds one entry, and where a
//! full tile has its hash, compares: what is shown is what was signed, or an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::checkpoint::{self, Checkpoint};
use super::error::Damage;
use super::layout::{self, Layout};
use super::note::Note;
use super::origin::Origin;
use super::pruned::{self, Pruned};
use super::segment::{self, Cursor, Segment, Step};
use super::tile::WIDTH;
use super::tiles::Tiles;
use super::{Mode, TrailError, acknowledged, blob, keys, tree};
use crate::event::{Event, Stamp};

/// Reads a trail up to its last acknowledged entry, without a lock.
#[derive(Debug)]
pub struct Reader {
    pub(super) layout: Layout,
    origin: Origin,
    pub(super) tiles: Tiles,
    /// By their first entry; opened when they are needed.
    segments: Mutex<BTreeMap<u64, Arc<Segment>>>,
    /// What was found to be accounted for.
    pruned: Mutex<Option<Pruned>>,
}

/// Lines of the trail in order, read in large pieces.
#[derive(Debug)]
pub struct Lines<'r> {
    reader: &'r Reader,
    cursor: Option<Cursor>,
    next: u64,
    upto: u64,
}

/// Facts about a trail.
#[derive(Debug, Clone)]
pub struct Stat {
    pub origin: String,
    pub mode: Mode,
    pub made: Stamp,
    /// Acknowledged entries.
    pub size: u64,
    /// The first entry that is kept; those before it were pruned.
    pub kept_from: u64,
    /// Entries covered by the checkpoint, whose signature is not checked here.
    pub signed: u64,
    /// Lower-case hex of the signed root.
    pub root: String,
    pub segments: u64,
    pub bytes: u64,
    /// The first one kept and the last acknowledged entry.
    pub first: Option<Event>,
    pub last: Option<Event>,
}

/// Open files of segments that were read last.
const OPEN_MAX: usize = 64;

impl Reader {
    /// Opens the trail of a data folder.
    pub fn open(data: &Path) -> Result<Self, TrailError> {
        let layout = Layout::new(data);
        let origin = Origin::read(&layout)?.ok_or_else(|| TrailError::NoTrail(data.to_owned()))?;
        Ok(Self { tiles: Tiles::new(&layout), layout, origin, segments: Mutex::default(), pruned: Mutex::default() })
    }

    /// The same, where an answer is about the present: what stands still is never out of date.
    pub fn open_as(data: &Path, mode: Mode) -> Result<Self, TrailError> {
        let this = Self::open(data)?;
        match this.mode() == mode {
            true => Ok(this),
            false => Err(TrailError::Mode { path: data.to_owned(), recorded: this.mode() }),
        }
    }

    pub fn origin(&self) -> &str {
        &self.origin.origin
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.layout.data
    }

    pub fn mode(&self) -> Mode {
        self.origin.mode
    }

    /// How many entries are acknowledged, as of this call.
    pub fn acknowledged(&self) -> Result<u64, TrailError> {
        match acknowledged::read(&self.layout)? {
            Some(size) => Ok(size),
            // In a copy without it: what was signed is there.
            None => Ok(self.checkpoint()?.size),
        }
    }

    /// The first entry of the newest segment, which begins with all that a start must know.
    pub fn newest_segment(&self) -> Result<u64, TrailError> {
        segment::list(&self.layout)?.last().copied().ok_or_else(|| TrailError::missing(self.layout.segment(0)))
    }

    /// The first entry that is kept: 0 until something is pruned.
    pub fn first(&self) -> Result<u64, TrailError> {
        let Some(named) = pruned::read(&self.layout)? else { return Ok(0) };
        let mut proven = self.pruned.lock().unwrap_or_else(PoisonError::into_inner);
        if *proven != Some(named) {
            *proven = pruned::accounted(&self.layout, &self.tiles, self.signed()?)?;
        }
        Ok(proven.map_or(0, |pruned| pruned.first))
    }

    /// How many entries are signed, by the checkpoint as it lies there.
    pub fn signed(&self) -> Result<u64, TrailError> {
        Ok(self.checkpoint()?.size)
    }

    /// When the first entry of the newest segment was observed; none while that is empty.
    pub fn begun(&self) -> Result<Option<Stamp>, TrailError> {
        let newest =
            segment::list(&self.layout)?.pop().filter(|newest| self.acknowledged().is_ok_and(|size| *newest < size));
        Ok(newest.map(|newest| self.event(newest)).transpose()?.map(|event| event.observed))
    }

    /// The exact bytes of an entry, without the LF.
    pub fn line(&self, seq: u64) -> Result<Vec<u8>, TrailError> {
        let size = self.acknowledged()?;
        if seq >= size {
            return Err(TrailError::Beyond { seq, size });
        }
        self.is_kept(seq)?;
        Ok(self.locate(seq)?.2)
    }

    /// Where an entry begins and its bytes: those that were signed, where a full tile has their hash.
    fn locate(&self, seq: u64) -> Result<(Arc<Segment>, u64, Vec<u8>), TrailError> {
        let segment = self.segment_of(seq)?;
        let width = WIDTH as u64;
        let proven = seq / width < self.checkpoint()?.size / width;
        let (byte, line) = find(&segment, seq)?;
        if !proven || tree::leaf(&line) == self.tiles.leaf(seq)? {
            return Ok((segment, byte, line));
        }
        // Perhaps only the cache of starts is wrong.
        segment.forget();
        let (at, line) = find(&segment, seq)?;
        match at != byte && tree::leaf(&line) == self.tiles.leaf(seq)? {
            true => Ok((segment, at, line)),
            false => Err(TrailError::damaged(&segment.path, Damage::Changed { seq, byte: at })),
        }
    }

    /// An entry as event, with the bytes of a record that lies in a blob back in `raw`.
    pub fn event(&self, seq: u64) -> Result<Event, TrailError> {
        let line = self.line(seq)?;
        self.decode(seq, &line)
    }

    /// The entries from one on as they are stored, up to what is acknowledged as of this call.
    pub fn lines(&self, from: u64) -> Result<Lines<'_>, TrailError> {
        self.is_kept(from)?;
        Ok(Lines { reader: self, cursor: None, next: from, upto: self.acknowledged()? })
    }

    /// The same as events, as [`Self::event`] gives them.
    pub fn scan(&self, from: u64) -> Result<impl Iterator<Item = Result<(u64, Event), TrailError>> + '_, TrailError> {
        let mut lines = self.lines(from)?;
        Ok(std::iter::from_fn(move || match lines.next() {
            Ok(Some((seq, line))) => Some(self.decode(seq, line).map(|event| (seq, event))),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }))
    }

    /// The same with the hash of each.
    pub fn hashed(
        &self,
        from: u64,
    ) -> Result<impl Iterator<Item = Result<(u64, Event, tree::Hash), TrailError>> + '_, TrailError> {
        let mut lines = self.lines(from)?;
        Ok(std::iter::from_fn(move || match lines.next() {
            Ok(Some((seq, line))) => {
                let leaf = tree::leaf(line);
                Some(self.decode(seq, line).map(|event| (seq, event, leaf)))
            }
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        }))
    }

    pub fn stat(&self) -> Result<Stat, TrailError> {
        let checkpoint = self.checkpoint()?;
        let firsts = segment::list(&self.layout)?;
        let mut bytes = 0;
        for first in &firsts {
            bytes += self.open_segment(*first)?.bytes()?;
        }
        let (size, kept_from) = (self.acknowledged()?, self.first()?);
        let at = |seq: Option<u64>| seq.map(|seq| self.event(seq)).transpose();
        Ok(Stat {
            origin: self.origin.origin.clone(),
            mode: self.origin.mode,
            made: self.origin.made,
            size,
            kept_from,
            signed: checkpoint.size,
            root: checkpoint.root.to_string(),
            segments: firsts.len() as u64,
            bytes,
            first: at((size > kept_from).then_some(kept_from))?,
            last: at(size.checked_sub(1))?,
        })
    }

    /// Where the public key of this trail and the last checkpoint that was signed lie, on the machine that signs.
    pub fn key_places(&self, keys: &Path) -> (PathBuf, PathBuf) {
        keys::public_places(keys, &self.origin)
    }

    /// The signed checkpoint as it lies there, and its note; who signed it is not checked.
    pub fn checkpoint_note(&self) -> Result<(Checkpoint, Note), TrailError> {
        let path = self.layout.checkpoint();
        let bytes = layout::read_small(&path, checkpoint::BYTES_MAX)?.ok_or_else(|| TrailError::missing(&path))?;
        Checkpoint::parse_note(&bytes).map_err(|error| TrailError::damaged(path, Damage::Note(error)))
    }

    fn checkpoint(&self) -> Result<Checkpoint, TrailError> {
        Ok(self.checkpoint_note()?.0)
    }

    fn decode(&self, seq: u64, line: &[u8]) -> Result<Event, TrailError> {
        let mut event = Event::decode(line).map_err(|error| {
            TrailError::damaged(self.layout.segments(), Damage::Entry { seq, reason: error.to_string() })
        })?;
        blob::restore(&self.layout, &mut event)?;
        Ok(event)
    }

    fn is_kept(&self, seq: u64) -> Result<(), TrailError> {
        match self.first()? {
            first if seq < first => Err(TrailError::Pruned { seq, first }),
            _ => Ok(()),
        }
    }

    /// The segment that holds an entry.
    fn segment_of(&self, seq: u64) -> Result<Arc<Segment>, TrailError> {
        let firsts = segment::list(&self.layout)?;
        let first = firsts.iter().rev().find(|first| **first <= seq).copied();
        let Some(first) = first else {
            // It may have been pruned since somebody began to read.
            self.is_kept(seq)?;
            return Err(TrailError::missing(self.layout.segment(seq)));
        };
        self.open_segment(first)
    }

    fn open_segment(&self, first: u64) -> Result<Arc<Segment>, TrailError> {
        let mut open = self.segments.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(segment) = open.get(&first) {
            return Ok(Arc::clone(segment));
        }
        let segment = Arc::new(Segment::open(&self.layout, first)?);
        if open.len() >= OPEN_MAX {
            open.clear();
        }
        open.insert(first, Arc::clone(&segment));
        Ok(segment)
    }
}

/// Where an entry begins, and its bytes.
fn find(segment: &Arc<Segment>, seq: u64) -> Result<(u64, Vec<u8>), TrailError> {
    let cut = || TrailError::damaged(&segment.path, Damage::Cut { seq, size: seq + 1 });
    let start = segment.find(seq)?.ok_or_else(cut)?;
    match Cursor::new(segment, start).next()? {
        Step::Line(at, line) => Ok((at, line.to_vec())),
        Step::Torn(_) | Step::End(_) => Err(cut()),
    }
}

impl Lines<'_> {
    /// The next entry and its place; `None` at the end.
    #[expect(clippy::should_implement_trait, reason = "it lends from its buffer, which Iterator cannot")]
    pub fn next(&mut self) -> Result<Option<(u64, &[u8])>, TrailError> {
        if self.next >= self.upto {
            return Ok(None);
        }
        let seq = self.next;
        self.next += 1;
        if self.cursor.as_mut().is_none_or(Cursor::is_at_end) {
            self.cursor = Some(self.enter(seq)?);
        }
        let cut = TrailError::damaged(self.reader.layout.segments(), Damage::Cut { seq, size: self.upto });
        match self.cursor.as_mut().map(Cursor::next).transpose()? {
            Some(Step::Line(_, line)) => Ok(Some((seq, line))),
            _ => Err(cut),
        }
    }

    /// The segment in which an entry lies: at its beginning, but for the first that is asked for.
    fn enter(&self, seq: u64) -> Result<Cursor, TrailError> {
        let segment = self.reader.segment_of(seq)?;
        if segment.first == seq {
            return Ok(Cursor::new(&segment, 0));
        }
        if self.cursor.is_some() {
            return Err(TrailError::damaged(&segment.path, Damage::Hole { seq, found: segment.first }));
        }
        let (segment, start, _) = self.reader.locate(seq)?;
        Ok(Cursor::new(&segment, start))
    }
}
