//! (being built)

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{Line, Mode, TrailError};
use crate::event::Stamp;

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
}

/// What was found when a trail was opened.
#[derive(Debug, Clone)]
pub struct Opened {
    /// There was none: the caller appends `trail.genesis` first.
    pub is_new: bool,
    pub origin: String,
    /// How many entries there are; all of them are durable.
    pub size: u64,
    /// How many of them were signed before.
    pub signed: u64,
    /// What could not be kept: the caller appends `trail.recovered`.
    pub recovered: Option<Recovered>,
}

/// What lay beyond the last signed entry and was not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Entries before this one were kept.
    pub at: u64,
    /// What was moved to quarantine, in bytes and in pieces that end in a line feed.
    pub bytes: u64,
    pub lines: u64,
    /// Entries that had been acknowledged and are gone: 0 unless the disk lied or somebody cut the file.
    pub lost: u64,
    /// Where it lies now; absent when nothing but the end of the file was missing.
    pub files: Vec<PathBuf>,
}

/// The one process that appends. Dropping it frees the trail for another; it does not sign.
#[derive(Debug)]
pub struct Writer {}

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
        }
    }
}

impl Writer {
    /// A segment that has reached this size is followed by a new one.
    pub const SEGMENT_BYTES: u64 = 256 << 20;

    /// Takes the lock, checks the folder against what was signed, recovers what lies beyond that.
    pub fn open(_open: Open) -> Result<(Self, Opened), TrailError> {
        todo!()
    }

    pub fn origin(&self) -> &str {
        todo!()
    }

    /// The public key in the form `trail verify` takes.
    pub fn verifier_key(&self) -> String {
        todo!()
    }

    /// The place that the next appended line gets: for ids of our own events.
    pub fn next_seq(&self) -> u64 {
        todo!()
    }

    /// How many entries are durable.
    pub fn acknowledged(&self) -> u64 {
        todo!()
    }

    /// How many entries are signed.
    pub fn signed(&self) -> u64 {
        todo!()
    }

    /// Takes lines in; they are durable only after [`Self::commit`]. Returns their places.
    pub fn append(&mut self, _lines: Vec<Line>) -> Result<std::ops::Range<u64>, TrailError> {
        todo!()
    }

    /// Bytes taken in and not yet committed.
    pub fn pending_bytes(&self) -> usize {
        todo!()
    }

    /// Writes what was appended, makes it durable, and acknowledges it to readers. Returns how many
    /// entries are acknowledged. On [`TrailError::Full`] call again when there is room: nothing is lost.
    pub fn commit(&mut self) -> Result<u64, TrailError> {
        todo!()
    }

    /// The segment has its size: after the next commit call [`Self::roll`], then append the positions.
    pub fn wants_new_segment(&self) -> bool {
        todo!()
    }

    /// Commits, and begins a new segment.
    pub fn roll(&mut self) -> Result<(), TrailError> {
        todo!()
    }

    /// Signs all acknowledged entries: tiles, then the checkpoint, then the second place, each durable
    /// before the next. Does nothing when there is nothing new. Returns the signed size.
    pub fn sign(&mut self) -> Result<u64, TrailError> {
        todo!()
    }
}

#[expect(dead_code, reason = "(being built)")]
fn unused(_: &Path, _: Range<u64>) {}
