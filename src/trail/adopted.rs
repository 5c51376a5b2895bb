//! An adoption that no event of the trail tells of yet: `trail/adopted`, which is usually not there.
//!
//! One JSON object. It comes into force together with the new name, and is deleted once the event
//! `trail.adopted` is durable: so a kill between the two leaves no adoption untold.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use super::TrailError;
use super::layout::{Layout, read_small};
use crate::event::own::action;
use crate::event::{Event, Family};

/// A trail goes on under a new name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adopted {
    /// The old name and the new one.
    pub from: String,
    pub to: String,
    /// Entries that were found signed, and stay.
    pub size: u64,
    /// The checkpoint that was found, and the last one that the second memory knew, as they stand there.
    pub found: String,
    pub known: Option<String>,
    /// Entries that had been signed under the old name and are not here, as far as the second memory knows.
    pub lost: u64,
    /// What the second memory knew is not the tree that was found, or its beginning.
    pub forked: bool,
    /// The old key vouches for the new one.
    pub with_old_key: bool,
    pub reason: String,
}

/// Two checkpoints and a reason, escaped.
pub(super) const BYTES_MAX: u64 = 256 << 10;

impl Adopted {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Numbers and texts can always be written.
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Whether an entry of the trail tells of it.
    pub(super) fn is_told_by(&self, line: &[u8]) -> bool {
        memchr::memmem::find(line, action::ADOPTED.as_bytes()).is_some()
            && Event::decode(line).is_ok_and(|event| {
                event.source.kind == Family::Whodid
                    && event.what.action == action::ADOPTED
                    && event.what.object.as_deref() == Some(&self.to)
            })
    }
}

/// What was not told.
pub(super) fn read(layout: &Layout) -> Result<Option<Adopted>, TrailError> {
    let path = layout.adopted();
    let Some(bytes) = read_small(&path, BYTES_MAX)? else { return Ok(None) };
    let malformed = || TrailError::malformed(&path, "it should tell of an adoption");
    Adopted::parse(&bytes).map(Some).ok_or_else(malformed)
}

/// It is told.
pub(super) fn delete(layout: &Layout) -> Result<(), TrailError> {
    let path = layout.adopted();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(TrailError::io(path, error)),
        _ => Ok(()),
    }
}
