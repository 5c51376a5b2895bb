//! The one process that appends.
//!
//! One group of entries: blobs, then the lines in one write at the end of the newest segment, then
//! `fdatasync`, then the number of acknowledged entries. One signature: tiles, checkpoint, second
//! memory, each durable before the next. Every step can be made again after a full disk.
//!
//! Invariants: what is acknowledged is on disk; every segment but the newest is signed to its end;
//! after an error that leaves the disk unknown nothing is written any more.

use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::acknowledged::Acknowledged;
use super::checkpoint::Checkpoint;
use super::epoch::Epoch;
use super::keys::Keys;
use super::layout::{FILE_MODE, Layout};
use super::lock::Lock;
use super::segment::{self, BLOCK_LINES};
use super::tile::{self, Edge, Tile};
use super::tiles::{Filled, Tiles};
use super::tree::Hash;
use super::unrecorded::Recovered;
use super::{Adopted, Line, Mode, Rotated, Signing, TrailError, adopted, blob, unrecorded};
use crate::durable;
use crate::event::{Oversized, Stamp};

/// How to open a trail for writing.
#[derive(Debug, Clone)]
pub struct Open {
    pub data: PathBuf,
    /// Where the signing keys lie; never beneath `data`.
    pub keys: PathBuf,
    /// With the host, the name of a new trail: `<org>/<host>/<trail id>`.
    pub org: String,
    pub host: String,
    pub mode: Mode,
    pub now: Stamp,
    /// What a second writer is told about this one: `whodid run`.
    pub command: String,
    /// Where a segment ends; [`Writer::SEGMENT_BYTES`] but in tests.
    pub segment_bytes: u64,
    /// Who signs.
    pub signing: Signing,
}

/// What was found when a trail was opened.
#[derive(Debug, Clone)]
pub struct Opened {
    /// Nothing is in it: the caller appends `trail.genesis` first.
    pub is_new: bool,
    pub origin: String,
    /// How many entries there are; all of them are durable.
    pub size: u64,
    /// How many of them were signed before.
    pub signed: u64,
    /// What could not be kept: for each, the caller appends `trail.recovered` with the first entries.
    /// Those that an earlier writer could not tell of any more come first.
    pub recovered: Vec<Recovered>,
    /// The key of the log was replaced, and no entry tells of it: the caller appends `trail.key_rotated`.
    pub rotated: Option<Rotated>,
    /// The trail has a new name, and no entry tells of it: the caller appends `trail.adopted`.
    pub adopted: Option<Adopted>,
}

/// The one process that appends. Dropping it frees the trail for another; it does not sign.
#[derive(Debug)]
pub struct Writer {
    pub(super) layout: Layout,
    pub(super) keys: Keys,
    pub(super) epoch: Epoch,
    pub(super) segment_bytes: u64,
    pub(super) tail: Tail,
    pub(super) acknowledged: Acknowledged,
    /// What readers were told.
    pub(super) told: u64,
    /// The tree over all durable entries.
    pub(super) edge: Edge,
    pub(super) tiles: Tiles,
    /// Full tiles that are not written yet.
    pub(super) full: Vec<Filled>,
    pub(super) signed: u64,
    pub(super) pending: Pending,
    /// What was recovered is told by the next entries.
    pub(super) is_untold: bool,
    /// An error left the disk in an unknown state.
    pub(super) is_stopped: bool,
    /// Shared with who seals: until both are gone no other writer comes.
    pub(super) lock: Arc<Lock>,
    /// Shared with who prunes.
    pub(super) fresh: Arc<blob::Fresh>,
}

/// The newest segment.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) first: u64,
    pub(super) path: PathBuf,
    pub(super) file: File,
    /// Where the next line goes.
    pub(super) end: u64,
    /// The cache of starts; none when it could not be written, which costs readers time and nothing else.
    pub(super) starts: Option<File>,
}

/// Entries that are not durable yet.
#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    /// Of each line, where its successor begins in `bytes`.
    ends: Vec<usize>,
    leaves: Vec<Hash>,
    blobs: Vec<Oversized>,
}

impl Open {
    /// The usual settings: a live trail with segments of the normal size.
    pub fn new(data: impl Into<PathBuf>, keys: impl Into<PathBuf>, org: &str, host: &str, now: Stamp) -> Self {
        Self {
            data: data.into(),
            keys: keys.into(),
            org: org.to_owned(),
            host: host.to_owned(),
            mode: Mode::Live,
            now,
            command: "whodid".to_owned(),
            segment_bytes: Writer::SEGMENT_BYTES,
            signing: Signing::default(),
        }
    }
}

impl Writer {
    /// A segment that has reached this size is followed by a new one.
    pub const SEGMENT_BYTES: u64 = 256 << 20;

    pub fn origin(&self) -> &str {
        self.keys.signer.name()
    }

    /// The public key in the form `trail verify` takes.
    pub fn verifier_key(&self) -> String {
        self.keys.verifier.to_string()
    }

    /// The place that the next appended line gets: for ids of our own events.
    pub fn next_seq(&self) -> u64 {
        self.edge.size() + self.pending.leaves.len() as u64
    }

    /// How many entries are durable.
    pub fn acknowledged(&self) -> u64 {
        self.told
    }

    /// How many entries are signed.
    pub fn signed(&self) -> u64 {
        self.signed
    }

    /// Takes lines in; they are durable only after [`Self::commit`]. Returns their places.
    pub fn append(&mut self, lines: Vec<Line>) -> Result<Range<u64>, TrailError> {
        self.go_on()?;
        let first = self.next_seq();
        for line in lines {
            self.pending.bytes.extend_from_slice(&line.bytes);
            self.pending.bytes.push(b'\n');
            self.pending.ends.push(self.pending.bytes.len());
            self.pending.leaves.push(line.leaf);
            self.pending.blobs.extend(line.blob);
        }
        Ok(first..self.next_seq())
    }

    /// Bytes taken in and not yet committed.
    pub fn pending_bytes(&self) -> usize {
        self.pending.bytes.len()
    }

    /// Writes what was appended, makes it durable, and acknowledges it to readers. Returns how many
    /// entries are acknowledged. On [`TrailError::Full`] call again when there is room: nothing is lost.
    pub fn commit(&mut self) -> Result<u64, TrailError> {
        self.go_on()?;
        let done = self.write_pending();
        self.stopping(done)?;
        Ok(self.told)
    }

    /// The segment has its size: call [`Self::end_segment`], append what a new one begins with, and call
    /// [`Self::begin_segment`].
    pub fn wants_new_segment(&self) -> bool {
        self.tail.end >= self.segment_bytes
    }

    /// Bytes of durable entries in the newest segment.
    pub fn segment_bytes(&self) -> u64 {
        self.tail.end
    }

    /// Commits and signs, and closes the epoch: a new segment may begin.
    pub fn end_segment(&mut self) -> Result<(), TrailError> {
        self.commit()?;
        self.sign()?;
        let done = self.close_epoch();
        self.stopping(done)
    }

    /// Signs for the last time. An epoch that has seen enough is closed: who comes later cannot sign for it.
    pub fn end(&mut self) -> Result<u64, TrailError> {
        self.sign()?;
        if self.epoch.is_worth_closing(self.signed) {
            let done = self.close_epoch();
            self.stopping(done)?;
        }
        Ok(self.signed)
    }

    /// Begins a segment with the lines appended since [`Self::end_segment`]: it is there with all of them,
    /// or not at all.
    pub fn begin_segment(&mut self) -> Result<u64, TrailError> {
        self.go_on()?;
        let done = match self.tail.first == self.edge.size() {
            // It is there already, and empty.
            true => self.write_pending(),
            false => self.write_segment(),
        };
        self.stopping(done)?;
        Ok(self.told)
    }

    /// Signs all acknowledged entries: tiles, then the checkpoint, then the second memory, each durable
    /// before the next. Does nothing when there is nothing new. Returns the signed size.
    pub fn sign(&mut self) -> Result<u64, TrailError> {
        self.go_on()?;
        let done = self.sign_all();
        self.stopping(done)?;
        Ok(self.signed)
    }

    fn sign_all(&mut self) -> Result<(), TrailError> {
        self.epoch.finish()?;
        if self.signed < self.edge.size() {
            self.sign_edge()?;
        }
        if self.epoch.is_spent() {
            self.close_epoch()?;
        }
        Ok(())
    }

    /// At the tree that was just signed.
    fn close_epoch(&mut self) -> Result<(), TrailError> {
        self.epoch.close(self.signed, self.edge.root())
    }

    fn write_segment(&mut self) -> Result<(), TrailError> {
        self.keep_blobs()?;
        self.tail = Tail::create(&self.layout, self.edge.size(), &self.pending.bytes)?;
        self.take_in();
        match self.tell() {
            // The next commit tells it.
            Err(error) if error.is_retryable() => Ok(()),
            told => told,
        }
    }

    fn keep_blobs(&mut self) -> Result<(), TrailError> {
        while let Some(blob) = self.pending.blobs.last() {
            blob::keep(&self.layout, &self.fresh, blob)?;
            self.pending.blobs.pop();
        }
        Ok(())
    }

    fn write_pending(&mut self) -> Result<(), TrailError> {
        self.keep_blobs()?;
        if !self.pending.leaves.is_empty() {
            self.tail.write(&self.pending.bytes)?;
            self.take_in();
            if std::mem::take(&mut self.is_untold) {
                unrecorded::delete(&self.layout)?;
                adopted::delete(&self.layout)?;
            }
        }
        self.tell()
    }

    /// What is durable is told even if the number could not be written the last time.
    fn tell(&mut self) -> Result<(), TrailError> {
        if self.told < self.edge.size() {
            self.acknowledged.tell(self.edge.size())?;
            self.told = self.edge.size();
        }
        Ok(())
    }

    /// What is durable goes into the tree.
    fn take_in(&mut self) {
        let Self { pending, edge, full, tail, .. } = self;
        tail.remember(edge.size(), pending);
        for leaf in pending.leaves.drain(..) {
            let pushed = edge.push(leaf, |tile, hashes| {
                full.push((tile, tile::to_bytes(hashes)));
                Ok::<_, std::convert::Infallible>(())
            });
            pushed.unwrap_or_else(|never| match never {});
        }
        tail.end += pending.bytes.len() as u64;
        pending.bytes.clear();
        pending.ends.clear();
    }

    fn sign_edge(&mut self) -> Result<(), TrailError> {
        let size = self.edge.size();
        // At the higher levels most tiles stay the same from one checkpoint to the next.
        let covered: Vec<Tile> = Tile::partial(self.signed).collect();
        let edge = self.edge.partial().filter(|(tile, _)| !covered.contains(tile));
        let edge = edge.map(|(tile, hashes)| (tile, tile::to_bytes(hashes)));
        let tiles: Vec<Filled> = self.full.iter().cloned().chain(edge).collect();
        let checkpoint = Checkpoint { origin: self.origin().to_owned(), size, root: self.edge.root() };
        let signed = match checkpoint.sign_by(&[&self.keys.signer, self.epoch.signer()]) {
            Ok(signed) => signed,
            Err(error) => {
                // Who signs may be away for long: what would wait for it in memory is written.
                self.tiles.write(&self.full)?;
                self.full.clear();
                return Err(TrailError::signing(self.layout.checkpoint(), error));
            }
        };
        self.tiles.write(&tiles)?;
        keep_checkpoint(&self.layout, &self.keys, &signed)?;
        self.epoch.count();
        self.keys.publish(self.epoch.first())?;
        self.tiles.drop_outgrown(self.signed, size);
        self.full.clear();
        self.signed = size;
        Ok(())
    }

    fn go_on(&self) -> Result<(), TrailError> {
        if self.is_stopped { Err(TrailError::Stopped) } else { Ok(()) }
    }

    /// Every error but a full disk is the last: what is on disk is unknown.
    pub(super) fn stopping<T>(&mut self, done: Result<T, TrailError>) -> Result<T, TrailError> {
        self.is_stopped = done.as_ref().is_err_and(|error| !error.is_retryable());
        done
    }
}

/// The signed checkpoint, then the second memory of it.
pub(super) fn keep_checkpoint(layout: &Layout, keys: &Keys, signed: &str) -> Result<(), TrailError> {
    let path = layout.checkpoint();
    durable::replace(&path, signed.as_bytes(), FILE_MODE).map_err(|error| TrailError::io(path, error))?;
    keys.remember(signed)
}

impl Tail {
    /// A new segment with its first lines; one of that name that is there already is empty. `end` is
    /// before these lines.
    pub(super) fn create(layout: &Layout, first: u64, lines: &[u8]) -> Result<Self, TrailError> {
        let path = layout.segment(first);
        let failed = |error| TrailError::io(&path, error);
        durable::replace(&path, lines, FILE_MODE).map_err(failed)?;
        let file = super::layout::open_to_write(&path).map_err(failed)?;
        let starts = segment::new_cache(layout, first, &[]).ok();
        Ok(Self { first, path, file, end: 0, starts })
    }

    /// Writes lines at the end and makes them durable.
    fn write(&mut self, bytes: &[u8]) -> Result<(), TrailError> {
        if let Err(error) = self.file.write_all_at(bytes, self.end) {
            let error = TrailError::io(&self.path, error);
            if error.is_retryable() {
                // Gives back what the half of it took; whether it works or not, it is written anew.
                self.file.set_len(self.end).unwrap_or_default();
            }
            return Err(error);
        }
        self.file.sync_data().map_err(|error| TrailError::sync(&self.path, error))
    }

    /// Adds the starts of every 256th of the lines that were just written to the cache.
    fn remember(&mut self, seq: u64, pending: &Pending) {
        let starts = std::iter::once(0).chain(pending.ends.iter().copied());
        let starts: Vec<u8> = (seq - self.first..)
            .zip(starts.take(pending.leaves.len()))
            .filter(|(line, _)| line % BLOCK_LINES == 0)
            .flat_map(|(_, start)| (self.end + start as u64).to_le_bytes())
            .collect();
        if let Some(file) = &mut self.starts
            && file.write_all(&starts).is_err()
        {
            self.starts = None;
        }
    }
}
