//! Sorted ids of a stretch of entries, in a file.
//!
//! ```text
//! <first entry, 20 digits>-<entry after the last>.ids
//! ids, 16 bytes each, rising
//! SHA-256 over the trail's name, the two numbers (big-endian) and the ids
//! ```
//!
//! Ids are hashes, so the place of one follows nearly from its value: a lookup reads a few KiB.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::durable;
use crate::event::EventId;
use crate::trail::TrailError;
use crate::trail::layout::{FILE_MODE, Layout, create_folder, names};

const ID_BYTES: u64 = 16;
const HASH_BYTES: u64 = 32;

/// Read at once around the place where an id is expected: 8 KiB.
const WINDOW_IDS: u64 = 512;

#[derive(Debug)]
pub(super) struct IdFile {
    pub(super) first: u64,
    pub(super) upto: u64,
    path: PathBuf,
    file: File,
    /// How many ids there are.
    len: u64,
}

impl IdFile {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn holds(&self, id: &EventId) -> Result<bool, TrailError> {
        let (mut low, mut high) = (0, self.len);
        let [head, ..] = id.as_bytes().as_chunks::<8>().0 else { return Ok(false) };
        // The first guess is where it would be among evenly spread values; then the middle.
        let mut guess = ((u128::from(u64::from_be_bytes(*head)) * u128::from(self.len)) >> 64) as u64;
        let mut window = vec![0; (WINDOW_IDS * ID_BYTES) as usize];
        while low < high {
            let from = guess.saturating_sub(WINDOW_IDS / 2).clamp(low, high - 1);
            let count = (high - from).min(WINDOW_IDS);
            let bytes = window.get_mut(..(count * ID_BYTES) as usize).unwrap_or_default();
            self.file.read_exact_at(bytes, from * ID_BYTES).map_err(|error| TrailError::io(&self.path, error))?;
            let ids = bytes.as_chunks::<16>().0;
            match ids.binary_search(id.as_bytes()) {
                Ok(_) => return Ok(true),
                Err(0) => high = from,
                Err(at) if at as u64 == count => low = from + count,
                Err(_) => return Ok(false),
            }
            guess = low.midpoint(high);
        }
        Ok(false)
    }

    fn ids(&self) -> Result<impl Iterator<Item = Result<EventId, TrailError>> + use<'_>, TrailError> {
        let file = File::open(&self.path).map_err(|error| TrailError::io(&self.path, error))?;
        let mut bytes = BufReader::with_capacity(64 << 10, file).take(self.len * ID_BYTES);
        Ok((0..self.len).map(move |_| {
            let mut id = [0; ID_BYTES as usize];
            bytes.read_exact(&mut id).map_err(|error| TrailError::io(&self.path, error))?;
            Ok(EventId::from_bytes(id))
        }))
    }

    pub(super) fn sync(&self) -> Result<(), TrailError> {
        self.file.sync_all().map_err(|error| TrailError::sync(&self.path, error))
    }

    /// The same ids as those of a trail of another name, durably in another folder.
    pub(super) fn rename(&self, origin: &str, folder: &Path) -> Result<(), TrailError> {
        let stretch = self.first..self.upto;
        let path = folder.join(name(&stretch));
        write_to(path, origin, stretch, self.ids()?)?.sync()
    }

    /// What stays is found to be covered by another at the next start.
    pub(super) fn delete(self) {
        fs::remove_file(self.path).unwrap_or_default();
    }
}

/// The files that cover the trail from its beginning without a hole, as far as there are sound ones;
/// all others are deleted. Entries before `kept` are pruned: of them there may be a hole, which nothing
/// can fill any more.
pub(super) fn usable(layout: &Layout, origin: &str, kept: u64, size: u64) -> Result<Vec<IdFile>, TrailError> {
    let mut stretches: Vec<Range<u64>> = Vec::new();
    for name in names(&layout.seen())? {
        match parse(&name) {
            Some(stretch) => stretches.push(stretch),
            None => fs::remove_file(layout.seen().join(name)).unwrap_or_default(),
        }
    }
    // Of several that begin alike the longest first: it is the merged one.
    stretches.sort_by_key(|stretch| (stretch.start, std::cmp::Reverse(stretch.end)));
    let (mut files, mut upto): (Vec<IdFile>, u64) = (Vec::new(), 0);
    for stretch in stretches {
        let path = path(layout, &stretch);
        let follows = stretch.start == upto || (upto..=kept).contains(&stretch.start);
        let fits = follows && stretch.end <= size;
        match fits.then(|| open(path.clone(), origin, stretch)).flatten() {
            Some(file) => {
                upto = file.upto;
                files.push(file);
            }
            None => fs::remove_file(path).unwrap_or_default(),
        }
    }
    Ok(files)
}

/// Writes rising ids.
pub(super) fn write(
    layout: &Layout,
    origin: &str,
    stretch: Range<u64>,
    ids: impl Iterator<Item = Result<EventId, TrailError>>,
) -> Result<IdFile, TrailError> {
    let path = path(layout, &stretch);
    create_folder(&layout.seen()).map_err(|error| TrailError::io(&path, error))?;
    write_to(path, origin, stretch, ids)
}

fn write_to(
    path: PathBuf,
    origin: &str,
    stretch: Range<u64>,
    ids: impl Iterator<Item = Result<EventId, TrailError>>,
) -> Result<IdFile, TrailError> {
    let failed = |error| TrailError::io(&path, error);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(FILE_MODE).open(&path);
    let file = file.map_err(failed)?;
    let mut out = BufWriter::with_capacity(64 << 10, &file);
    let (mut hash, mut len) = (begin(origin, &stretch), 0);
    for id in ids {
        let id = id?;
        hash.update(id.as_bytes());
        out.write_all(id.as_bytes()).map_err(failed)?;
        len += 1;
    }
    out.write_all(&hash.finalize()).and_then(|()| out.flush()).map_err(failed)?;
    drop(out);
    Ok(IdFile { first: stretch.start, upto: stretch.end, path, file, len })
}

/// One file of two that follow each other.
pub(super) fn merge(layout: &Layout, origin: &str, one: &IdFile, two: &IdFile) -> Result<IdFile, TrailError> {
    let (mut left, mut right) = (one.ids()?.peekable(), two.ids()?.peekable());
    let ids = std::iter::from_fn(|| match (left.peek(), right.peek()) {
        (Some(Ok(a)), Some(Ok(b))) if a <= b => left.next(),
        (_, Some(_)) => right.next(),
        (_, None) => left.next(),
    });
    let merged = write(layout, origin, one.first..two.upto, ids)?;
    merged
        .file
        .sync_all()
        .and_then(|()| durable::sync_folder(&layout.seen()))
        .map_err(|error| TrailError::io(&merged.path, error))?;
    Ok(merged)
}

fn open(path: PathBuf, origin: &str, stretch: Range<u64>) -> Option<IdFile> {
    let file = File::open(&path).ok()?;
    let len = file.metadata().ok()?.len().checked_sub(HASH_BYTES)? / ID_BYTES;
    is_sound(&file, len, begin(origin, &stretch)).ok()?.then_some(())?;
    Some(IdFile { first: stretch.start, upto: stretch.end, path, file, len })
}

fn is_sound(file: &File, len: u64, mut hash: Sha256) -> io::Result<bool> {
    let mut bytes = BufReader::with_capacity(64 << 10, file);
    let copied = io::copy(&mut (&mut bytes).take(len * ID_BYTES), &mut Hashing(&mut hash))?;
    let mut stored = Vec::new();
    bytes.read_to_end(&mut stored)?;
    Ok(copied == len * ID_BYTES && stored == hash.finalize().as_slice())
}

struct Hashing<'h>(&'h mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn begin(origin: &str, stretch: &Range<u64>) -> Sha256 {
    Sha256::new_with_prefix(origin).chain_update(stretch.start.to_be_bytes()).chain_update(stretch.end.to_be_bytes())
}

fn path(layout: &Layout, stretch: &Range<u64>) -> PathBuf {
    layout.seen().join(name(stretch))
}

fn name(stretch: &Range<u64>) -> String {
    format!("{:020}-{:020}.ids", stretch.start, stretch.end)
}

fn parse(name: &str) -> Option<Range<u64>> {
    let (start, end) = name.strip_suffix(".ids")?.split_once('-')?;
    Some(start.parse().ok()?..end.parse().ok()?)
}
