//! The index on one machine: tantivy, one partition per UTC day of `when`.
//!
//! ```text
//! <data>/index/embedded/
//!   position            how far the view is complete, and which partitions it is made of
//!   2026-11-20/         one tantivy index: the events of that day
//! <data>/index/damaged/ partitions that did not open, one for each day, kept to find out why
//! ```
//!
//! [`Writer`] takes the trail in, entry by entry, in one thread of the one process that writes.
//! [`Searcher`] answers in any process that may read the files; it never writes. What the writer has
//! not taken in yet, the searcher finds with the matcher in memory.
//!
//! A document holds terms and two columns, no event: its place in the trail leads back to the event.
//! Invariants:
//! * the payload of a partition's commit is the place of the trail that the partition is complete to,
//!   and it goes to disk in the same rename as the documents, so both agree whatever happens;
//! * `position` is replaced after all partitions it speaks of were committed, and names each of them;
//!   so every event before it is in exactly one partition, once;
//! * a partition may be ahead of `position` after a crash: the writer skips what it has, and the
//!   searcher does not look at it.

mod document;
mod evaluate;
mod files;
mod in_flight;
mod intake;
mod leaf;
mod partition;
mod position;
mod schema;
mod search;
mod set;
mod terms;
mod write;

pub use search::Searcher;
pub use write::Writer;

use std::path::{Path, PathBuf};

/// Of folders: the group may read.
const FOLDER_MODE: u32 = 0o750;

/// Where the index of a data folder lies.
pub fn folder(data: &Path) -> PathBuf {
    data.join("index").join("embedded")
}

/// Where a partition goes that does not open.
fn damaged_folder(data: &Path) -> PathBuf {
    data.join("index").join("damaged")
}
