//! The legal hold: while `trail/hold` is there nothing is pruned. It holds the reason.

use std::fs;
use std::io;

use super::layout::{FILE_MODE, Layout, read_small};
use super::{Reader, TrailError, Writer};
use crate::durable;

/// A sentence or two.
pub const HOLD_REASON_BYTES_MAX: u64 = 4 << 10;

/// The reason of the hold that is on.
pub(super) fn read(layout: &Layout) -> Result<Option<String>, TrailError> {
    let bytes = read_small(&layout.hold(), HOLD_REASON_BYTES_MAX + 1)?;
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned()))
}

impl Reader {
    /// Why nothing may be pruned, if so.
    pub fn hold(&self) -> Result<Option<String>, TrailError> {
        read(&self.layout)
    }
}

impl Writer {
    /// From now on nothing is pruned. The caller appends `trail.hold` afterwards.
    pub fn hold(&mut self, reason: &str) -> Result<(), TrailError> {
        let path = self.layout.hold();
        durable::replace(&path, format!("{reason}\n").as_bytes(), FILE_MODE)
            .map_err(|error| TrailError::io(path, error))
    }

    /// Ends the hold. The caller has appended and committed `trail.hold` before.
    pub fn release(&mut self) -> Result<(), TrailError> {
        let path = self.layout.hold();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(TrailError::io(path, error)),
            _ => durable::sync_folder(&self.layout.trail).map_err(|error| TrailError::sync(path, error)),
        }
    }
}
