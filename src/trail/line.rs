//! One entry on its way into the trail.

use super::tree::{self, Hash};
use crate::event::{EventId, LEAF_BYTES_MAX, Oversized};

/// An encoded event with its leaf hash, so that hashing happens on the thread of whoever makes it.
#[derive(Debug, Clone)]
pub struct Line {
    pub(super) id: EventId,
    pub(super) bytes: Vec<u8>,
    pub(super) leaf: Hash,
    pub(super) blob: Option<Oversized>,
}

/// The bytes are no line of the trail. A bug of the caller: `event::encode` makes good ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadLine {
    #[error("the line of event {id} has {bytes} bytes; a line has 1 to {LEAF_BYTES_MAX}")]
    Length { id: EventId, bytes: usize },
    #[error("the line of event {id} holds a line feed")]
    LineFeed { id: EventId },
}

impl Line {
    /// `bytes` without its LF, as `event::encode` gives it.
    pub fn new(id: EventId, bytes: Vec<u8>, blob: Option<Oversized>) -> Result<Self, BadLine> {
        if bytes.is_empty() || bytes.len() > LEAF_BYTES_MAX {
            return Err(BadLine::Length { id, bytes: bytes.len() });
        }
        if memchr::memchr(b'\n', &bytes).is_some() {
            return Err(BadLine::LineFeed { id });
        }
        let leaf = tree::leaf(&bytes);
        Ok(Self { id, bytes, leaf, blob })
    }

    pub fn id(&self) -> EventId {
        self.id
    }

    /// On disk, with the record beside it.
    pub fn stored_bytes(&self) -> usize {
        self.bytes.len() + 1 + self.blob.as_ref().map_or(0, |blob| blob.bytes.len())
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
