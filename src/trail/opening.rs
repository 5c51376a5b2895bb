//! Opening a trail for writing: what is signed is checked, what lies beyond is recovered.
//!
//! Order: folders, lock, name, keys, checkpoint, second memory, tiles, newest segment. Nothing is
//! changed before all that is signed was found as it was signed. Older segments are checked as far as
//! their names go; `trail verify` reads them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;

use super::acknowledged::{self, Acknowledged};
use super::adopted::{self, Adopted};
use super::checkpoint::Checkpoint;
use super::epoch::{self, Epoch};
use super::error::Damage;
use super::keys::Keys;
use super::layout::{self, FILE_MODE, Layout};
use super::lock::Lock;
use super::note::Note;
use super::origin::Origin;
use super::segment::{self, BLOCK_LINES, Cursor, Segment, Step};
use super::tile::{self, Edge};
use super::tiles::{Filled, Leaves, Tiles};
use super::tree::{self, Hash};
use super::unrecorded::Recovered;
use super::writer::{Open, Opened, Tail, Writer, keep_checkpoint};
use super::{Rotated, TrailError, adopt, checkpoint, pruned, seal, unrecorded};
use crate::durable;
use crate::event::Event;
use crate::event::own::action;

impl Writer {
    /// Takes the lock, checks the folder against what was signed, recovers what lies beyond that.
    pub fn open(open: Open) -> Result<(Self, Opened), TrailError> {
        let layout = Layout::new(&open.data);
        layout::create_folder(&layout.data).map_err(|error| TrailError::io(&layout.data, error))?;
        let lock = Lock::take(&open.data, &open.command, open.now)?;
        layout.create_folders()?;
        adopt::finish(&layout, &open.keys)?;
        let (origin, mut keys) = match Origin::read_note(&layout)? {
            Some((origin, note)) => {
                let keys = Keys::load(&open.keys, &layout, (&origin, &note), &open.signing)?;
                note.verify(&keys.verifier)
                    .map_err(|error| TrailError::damaged(layout.origin(), Damage::Note(error)))?;
                (origin, keys)
            }
            None => make(&layout, &open)?,
        };
        if origin.mode != open.mode {
            return Err(TrailError::Mode { path: open.data, recorded: origin.mode });
        }
        let tiles = Tiles::new(&layout);
        let (signed, note) = signed(&layout, &keys, &tiles)?;
        let edge = Edge::load(signed.size, |tile| tiles.expect(tile))?;
        if edge.root() != signed.root {
            return Err(TrailError::damaged(layout.trail.join("tile"), Damage::Root));
        }
        let newest = newest(&layout, &tiles, signed.size)?;
        seal::undo(&layout, newest)?;
        let untold = unrecorded::read(&layout)?;
        let adopted = adopted::read(&layout)?;
        let untold_from = untold.first().map(|earlier| earlier.at);
        let found = scan(&layout, &tiles, (newest, edge), untold_from, adopted.as_ref())?;
        let adopted = adopted.filter(|_| !found.tells_of_adoption);
        let epoch = Epoch::open(&epoch::Known {
            layout: &layout,
            secret: keys.epoch().to_owned(),
            log: &keys.signer,
            signed: &signed,
            note: &note,
            is_published: keys.is_epoch_published()?,
        })?;
        if note.verify(&keys.verifier).is_ok() {
            keys.publish(epoch.first())?;
        }
        let told = acknowledged::read(&layout)?.unwrap_or(0);
        let now = found.set_aside(&layout, told)?;
        let recovered: Vec<Recovered> = untold.iter().skip(found.recoveries).cloned().chain(now).collect();
        unrecorded::write(&layout, &untold, &recovered)?;
        let size = found.edge.size();
        let acknowledged = Acknowledged::open(&layout)?;
        acknowledged.tell(size)?;
        if adopted.is_none() {
            adopted::delete(&layout)?;
        }
        let is_untold = !recovered.is_empty() || adopted.is_some();
        let rotated = Rotated::newest(&keys.chain).filter(|last| last.size == signed.size && !found.tells_of_rotation);
        let opened =
            Opened { is_new: size == 0, origin: origin.origin, size, signed: signed.size, recovered, rotated, adopted };
        let writer = Self {
            tail: found.tail(&layout)?,
            full: found.full,
            edge: found.edge,
            layout,
            keys,
            epoch,
            segment_bytes: open.segment_bytes,
            acknowledged,
            told: size,
            tiles,
            signed: signed.size,
            pending: super::writer::Pending::default(),
            is_untold,
            is_stopped: false,
            lock: Arc::new(lock),
            fresh: Arc::default(),
        };
        Ok((writer, opened))
    }
}

/// A trail begins with its keys and a signature over nothing; it is there once its name is.
fn make(layout: &Layout, open: &Open) -> Result<(Origin, Keys), TrailError> {
    if let Some(first) = segment::list(layout)?.into_iter().find(|first| is_used(layout, *first)) {
        let path = layout.segment(first);
        return Err(TrailError::damaged(path, Damage::Malformed("it holds entries of a trail whose `origin` is gone")));
    }
    let origin = Origin::make(open)?;
    let keys = Keys::make(&open.keys, layout, &origin, &open.signing)?;
    let nothing = Checkpoint { origin: origin.origin.clone(), size: 0, root: tree::empty() };
    let signed = nothing.sign(&keys.signer).map_err(|error| TrailError::signing(layout.checkpoint(), error))?;
    keep_checkpoint(layout, &keys, &signed)?;
    Tail::create(layout, 0, &[])?;
    origin.write(layout, &keys.signer)?;
    Ok((origin, keys))
}

fn is_used(layout: &Layout, first: u64) -> bool {
    [layout.segment(first), layout.sealed(first)]
        .iter()
        .any(|path| std::fs::metadata(path).is_ok_and(|found| found.len() > 0))
}

/// The checkpoint, which is at least as new as the second memory knows, and continues what that knows.
fn signed(layout: &Layout, keys: &Keys, tiles: &Tiles) -> Result<(Checkpoint, Note), TrailError> {
    let path = layout.checkpoint();
    let bytes = layout::read_small(&path, checkpoint::BYTES_MAX)?.ok_or_else(|| TrailError::missing(&path))?;
    let (here, note) =
        keys.chain.checkpoint(&bytes).map_err(|error| TrailError::damaged(&path, Damage::Note(error)))?;
    let last = keys.last()?;
    if last.size > here.size {
        let remembered = keys.memory().to_owned();
        return Err(TrailError::RolledBack {
            path: layout.data.clone(),
            have: here.size,
            known: last.size,
            remembered,
        });
    }
    if tiles.root(last.size, here.size)? != last.root {
        return Err(TrailError::damaged(path, Damage::Forked { size: last.size }));
    }
    if last.size < here.size {
        // The process ended between the two.
        keys.remember(&String::from_utf8_lossy(&bytes))?;
    }
    Ok((here, note))
}

/// The newest segment. All before it are signed to their end, so it begins within what is signed.
fn newest(layout: &Layout, tiles: &Tiles, signed: u64) -> Result<u64, TrailError> {
    let firsts = segment::list(layout)?;
    let (Some(oldest), Some(newest)) = (firsts.first(), firsts.last()) else {
        return Err(TrailError::missing(layout.segment(0)));
    };
    let kept_from = pruned::accounted(layout, tiles, signed)?.map_or(0, |pruned| pruned.first);
    match *oldest <= kept_from && *newest <= signed {
        true => Ok(*newest),
        false if *oldest > kept_from => Err(TrailError::missing(layout.segment(kept_from))),
        false => Err(TrailError::damaged(layout.segment(*newest), Damage::Hole { seq: signed, found: *newest })),
    }
}

/// What the newest segment holds.
struct Found {
    segment: Arc<Segment>,
    /// The tree with everything that is whole.
    edge: Edge,
    full: Vec<Filled>,
    /// Where the entries that nobody signed begin.
    signed_end: u64,
    /// Where the next entry goes, and how long the file is.
    end: u64,
    bytes: u64,
    starts: Vec<u64>,
    /// How many of the entries tell of a recovery that was noted as untold.
    recoveries: usize,
    /// One of those that nobody signed tells of a replaced key.
    tells_of_rotation: bool,
    /// One tells of the adoption.
    tells_of_adoption: bool,
}

/// Reads the newest segment: entries that are signed must be what was signed, the others whole events.
fn scan(
    layout: &Layout,
    tiles: &Tiles,
    (first, edge): (u64, Edge),
    untold_from: Option<u64>,
    adopted: Option<&Adopted>,
) -> Result<Found, TrailError> {
    let segment = Arc::new(Segment::open(layout, first)?);
    let mut expected = Leaves::new(tiles, edge.size());
    let bytes = segment.bytes()?;
    let mut found = Found {
        bytes,
        segment,
        edge,
        full: Vec::new(),
        signed_end: 0,
        end: 0,
        starts: Vec::new(),
        recoveries: 0,
        tells_of_rotation: false,
        tells_of_adoption: false,
    };
    let mut cursor = Cursor::new(&found.segment, 0);
    let mut seq = first;
    while let Step::Line(byte, line) = cursor.next()? {
        let leaf = tree::leaf(line);
        if seq < expected.size() {
            if expected.leaf(seq)? != leaf {
                return Err(TrailError::damaged(&found.segment.path, Damage::Changed { seq, byte }));
            }
        } else if Event::decode(line).is_err() {
            break;
        } else {
            found.push(leaf);
            found.tells_of_rotation |= tells_of(line, action::KEY_ROTATED);
        }
        if (seq - first).is_multiple_of(BLOCK_LINES) {
            found.starts.push(byte);
        }
        found.recoveries +=
            usize::from(untold_from.is_some_and(|from| from <= seq) && tells_of(line, action::RECOVERED));
        found.tells_of_adoption |= adopted.is_some_and(|adopted| adopted.size <= seq && adopted.is_told_by(line));
        found.end = byte + line.len() as u64 + 1;
        seq += 1;
        if seq <= expected.size() {
            found.signed_end = found.end;
        }
    }
    if seq < expected.size() {
        return Err(TrailError::damaged(&found.segment.path, Damage::Cut { seq, size: expected.size() }));
    }
    Ok(found)
}

fn tells_of(line: &[u8], what: &str) -> bool {
    memchr::memmem::find(line, what.as_bytes()).is_some()
        && Event::decode(line)
            .is_ok_and(|event| event.source.kind == crate::event::Family::Whodid && event.what.action == what)
}

impl Found {
    fn push(&mut self, leaf: Hash) {
        let Self { edge, full, .. } = self;
        let pushed = edge.push(leaf, |tile, hashes| {
            full.push((tile, tile::to_bytes(hashes)));
            Ok::<_, std::convert::Infallible>(())
        });
        pushed.unwrap_or_else(|never| match never {});
    }

    /// Moves what is not whole to quarantine; `told` is how many entries had been acknowledged.
    fn set_aside(&self, layout: &Layout, told: u64) -> Result<Option<Recovered>, TrailError> {
        let at = self.edge.size();
        let mut recovered =
            Recovered { at, bytes: self.bytes - self.end, lines: 0, lost: told.saturating_sub(at), files: vec![] };
        if recovered.bytes > 0 {
            let (path, lines) = quarantine(layout, &self.segment.path, at, self.end)?;
            recovered.lines = lines;
            recovered.files.push(path);
        }
        Ok((recovered.bytes > 0 || recovered.lost > 0).then_some(recovered))
    }

    /// The segment as the writer needs it: cut to what is whole, and durable.
    fn tail(&self, layout: &Layout) -> Result<Tail, TrailError> {
        let path = self.segment.path.clone();
        let file = layout::open_to_write(&path).map_err(|error| TrailError::io(&path, error))?;
        file.set_len(self.end).map_err(|error| TrailError::io(&path, error))?;
        write_again(&file, self.signed_end..self.end).map_err(|error| TrailError::io(&path, error))?;
        file.sync_all().map_err(|error| TrailError::sync(&path, error))?;
        let cached: Vec<u8> = self.starts.iter().flat_map(|start| start.to_le_bytes()).collect();
        let starts = segment::new_cache(layout, self.segment.first, &cached).ok();
        Ok(Tail { first: self.segment.first, path, file, end: self.end, starts })
    }
}

/// Writes what is there over itself. After a failed sync Linux may show bytes that are not on the disk and
/// take them for written: only bytes that are written again are synced again.
fn write_again(file: &File, range: Range<u64>) -> io::Result<()> {
    let (mut buffer, mut offset) = (vec![0; 64 << 10], range.start);
    while offset < range.end {
        let length = (range.end - offset).min(buffer.len() as u64) as usize;
        file.read_exact_at(&mut buffer[..length], offset)?;
        file.write_all_at(&buffer[..length], offset)?;
        offset += length as u64;
    }
    Ok(())
}

/// Copies the end of a segment to a file of its own, durably. Counts its line feeds.
fn quarantine(layout: &Layout, segment: &std::path::Path, at: u64, from: u64) -> Result<(PathBuf, u64), TrailError> {
    let (path, mut to) = new_file(layout, at)?;
    let file = File::open(segment).map_err(|error| TrailError::io(segment, error))?;
    let (mut buffer, mut offset, mut lines) = (vec![0; 64 << 10], from, 0);
    loop {
        let read = file.read_at(&mut buffer, offset).map_err(|error| TrailError::io(segment, error))?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        to.write_all(bytes).map_err(|error| TrailError::io(&path, error))?;
        lines += memchr::memchr_iter(b'\n', bytes).count() as u64;
        offset += read as u64;
    }
    to.sync_all().map_err(|error| TrailError::sync(&path, error))?;
    durable::sync_folder(&layout.quarantine()).map_err(|error| TrailError::sync(&path, error))?;
    Ok((path, lines))
}

/// Nothing in quarantine is written over.
fn new_file(layout: &Layout, at: u64) -> Result<(PathBuf, File), TrailError> {
    for number in 0_u32.. {
        let path = layout.quarantine().join(format!("{at:020}.{number}"));
        match OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(TrailError::io(path, error)),
        }
    }
    Err(TrailError::missing(layout.quarantine()))
}
