//! Records that are longer than a line: `blob/<sha256>`, named by what they hold.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::TrailError;
use super::layout::{FILE_MODE, Layout};
use crate::durable;
use crate::event::{Event, Oversized, RawBlob};

/// The records that the writer kept of late: none of them is deleted, whether its entry is written yet or not.
#[derive(Debug, Default)]
pub(super) struct Fresh(Mutex<HashSet<String>>);

impl Fresh {
    fn add(&self, sha256: &str) {
        self.names().insert(sha256.to_owned());
    }

    pub(super) fn clear(&self) {
        self.names().clear();
    }

    /// Does something to a record that is not kept meanwhile either.
    pub(super) fn unless_kept(
        &self,
        sha256: &str,
        work: impl FnOnce() -> Result<(), TrailError>,
    ) -> Result<(), TrailError> {
        let names = self.names();
        if names.contains(sha256) { Ok(()) } else { work() }
    }

    fn names(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the bytes, durably, before the line that names them is written.
pub(super) fn keep(layout: &Layout, fresh: &Fresh, blob: &Oversized) -> Result<(), TrailError> {
    fresh.add(&blob.sha256);
    let path = layout.blobs().join(&blob.sha256);
    let is_there = std::fs::metadata(&path).is_ok_and(|found| found.len() == blob.bytes.len() as u64);
    if is_there {
        // A process that was killed may have left a name that is not durable yet.
        return durable::sync_folder(&layout.blobs()).map_err(|error| TrailError::sync(path, error));
    }
    durable::replace(&path, &blob.bytes, FILE_MODE).map_err(|error| TrailError::io(path, error))
}

/// Puts the bytes of the record back into an event that was read.
pub(super) fn restore(layout: &Layout, event: &mut Event) -> Result<(), TrailError> {
    if let Some(blob) = &event.raw_blob {
        let bytes = read(layout, blob)?;
        event.keep_raw(&bytes);
    }
    Ok(())
}

/// The bytes, which are those that the entry names.
pub(super) fn read(layout: &Layout, blob: &RawBlob) -> Result<Vec<u8>, TrailError> {
    let path = path(layout, blob)?;
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(TrailError::missing(path)),
        Err(error) => return Err(TrailError::io(path, error)),
    };
    let mut bytes = Vec::new();
    file.take(blob.bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| TrailError::io(&path, error))?;
    match HEXLOWER.encode(&Sha256::digest(&bytes)) == blob.sha256 {
        true => Ok(bytes),
        false => Err(TrailError::malformed(&path, "its content is not what its name says")),
    }
}

pub(super) fn is_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// A name out of an entry is only followed if it is a hash.
fn path(layout: &Layout, blob: &RawBlob) -> Result<PathBuf, TrailError> {
    match is_name(&blob.sha256) {
        true => Ok(layout.blobs().join(&blob.sha256)),
        false => Err(TrailError::malformed(&layout.blobs(), "an entry names a blob that can not be one")),
    }
}
