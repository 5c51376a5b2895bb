//! (being built)

use std::path::Path;

use super::{Reader, TrailError};
use crate::event::EventId;

/// Answers "is this id in the trail already?". Held by the process that holds the [`super::Writer`].
#[derive(Debug)]
pub struct Seen {}

impl Seen {
    /// Opens the set beside a trail and brings it up to the acknowledged size.
    pub fn open(_data: &Path, _reader: &Reader) -> Result<Self, TrailError> {
        todo!()
    }

    /// Which of these are in the trail, in the order asked.
    pub fn contains(&self, _ids: &[EventId]) -> Result<Vec<bool>, TrailError> {
        todo!()
    }

    /// Takes in the ids of entries that were acknowledged; `upto` is the size of the trail with them.
    /// Writes a file now and then.
    pub fn insert(&mut self, _ids: &[EventId], _upto: u64) -> Result<(), TrailError> {
        todo!()
    }

    /// Writes out what is held in memory, so that the next start need not read the trail.
    pub fn flush(&mut self) -> Result<(), TrailError> {
        todo!()
    }
}
