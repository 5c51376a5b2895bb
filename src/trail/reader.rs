//! (being built)

use std::path::Path;

use super::{Mode, TrailError};
use crate::event::{Event, Stamp};

/// Reads a trail up to its last acknowledged entry, without a lock.
#[derive(Debug)]
pub struct Reader {}

/// Lines of the trail in order, read in large pieces.
#[derive(Debug)]
pub struct Lines<'r> {
    _reader: &'r Reader,
}

/// Facts about a trail.
#[derive(Debug, Clone)]
pub struct Stat {
    pub origin: String,
    pub mode: Mode,
    pub made: Stamp,
    /// Acknowledged entries.
    pub size: u64,
    /// Entries covered by the checkpoint, whose signature is not checked here.
    pub signed: u64,
    /// Lower-case hex of the signed root.
    pub root: String,
    pub segments: u64,
    pub bytes: u64,
    /// The first and the last acknowledged entry.
    pub first: Option<Event>,
    pub last: Option<Event>,
}

impl Reader {
    /// Opens the trail of a data folder.
    pub fn open(_data: &Path) -> Result<Self, TrailError> {
        todo!()
    }

    pub fn origin(&self) -> &str {
        todo!()
    }

    pub fn mode(&self) -> Mode {
        todo!()
    }

    /// How many entries are acknowledged, as of this call.
    pub fn acknowledged(&self) -> Result<u64, TrailError> {
        todo!()
    }

    /// The exact bytes of an entry, without the LF.
    pub fn line(&self, _seq: u64) -> Result<Vec<u8>, TrailError> {
        todo!()
    }

    /// An entry as event, with the bytes of a record that lies in a blob back in `raw`.
    pub fn event(&self, _seq: u64) -> Result<Event, TrailError> {
        todo!()
    }

    /// The entries from one on as they are stored, up to what is acknowledged as of this call.
    pub fn lines(&self, _from: u64) -> Result<Lines<'_>, TrailError> {
        todo!()
    }

    /// The same as events, as [`Self::event`] gives them.
    pub fn scan(&self, _from: u64) -> Result<impl Iterator<Item = Result<(u64, Event), TrailError>> + '_, TrailError> {
        Ok(std::iter::empty())
    }

    pub fn stat(&self) -> Result<Stat, TrailError> {
        todo!()
    }
}

impl Lines<'_> {
    /// The next entry and its place; `None` at the end.
    #[expect(clippy::should_implement_trait, reason = "it lends from its buffer, which Iterator cannot")]
    pub fn next(&mut self) -> Result<Option<(u64, &[u8])>, TrailError> {
        todo!()
    }
}
