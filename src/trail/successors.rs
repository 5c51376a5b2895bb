//! The keys of a trail that goes on under a new name, and what becomes of the old ones.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::checkpoint::Checkpoint;
use super::keys::{self, BYTES_MAX, Places};
use super::layout::{FILE_MODE, Layout, read_small};
use super::note::SignerKey;
use super::origin::{self, Origin};
use super::secret::{SecretFile, random_key};
use super::succession::{Kind, Record};
use super::{Signing, TrailError};
use crate::durable;

/// The keys of the new name.
pub(super) struct Successors {
    pub(super) log: SignerKey,
    pub(super) epoch: SignerKey,
    last: PathBuf,
}

impl Successors {
    /// Makes them; `epoch` is the number of the first one.
    pub(super) fn make(
        folder: &Path,
        layout: &Layout,
        origin: &Origin,
        signing: &Signing,
        epoch: u64,
    ) -> Result<Self, TrailError> {
        keys::create_folder(folder, layout)?;
        let places = Places::new(folder, origin.id());
        let log = places.make_log(layout, origin, signing)?;
        let epoch = random_key(&Kind::Epoch.key_name(&origin.origin, epoch))?;
        SecretFile::new(places.epoch).write(&epoch)?;
        keys::write(&places.vkey, &format!("{}\n{}\n", log.verifier(), epoch.verifier()), FILE_MODE)?;
        Ok(Self { log, epoch, last: places.last })
    }

    /// The second memory of the new name.
    pub(super) fn remember(&self, signed: &str) -> Result<(), TrailError> {
        keys::write(&self.last, signed, keys::SECRET_MODE)
    }
}

/// What the second memory of a name knows, if it can be read.
pub(super) fn remembered(folder: &Path, origin: &Origin) -> Result<Option<(Checkpoint, String)>, TrailError> {
    last_of(folder, origin.id())
}

/// Whether this name signed more than the tree that it began with.
pub(super) fn has_signed_beyond(folder: &Path, name: &str, size: u64) -> Result<bool, TrailError> {
    Ok(last_of(folder, origin::id(name))?.is_some_and(|(last, _)| last.size > size))
}

fn last_of(folder: &Path, id: &str) -> Result<Option<(Checkpoint, String)>, TrailError> {
    let Some(bytes) = read_small(&Places::new(folder, id).last, BYTES_MAX)? else { return Ok(None) };
    let parsed = Checkpoint::parse_note(&bytes).ok();
    Ok(parsed.map(|(checkpoint, _)| (checkpoint, String::from_utf8_lossy(&bytes).into_owned())))
}

/// Whether the private key of the open epoch is there.
pub(super) fn has_epoch_key(folder: &Path, origin: &Origin, open: Option<&Record>) -> Result<bool, TrailError> {
    let secret = SecretFile::new(Places::new(folder, origin.id()).epoch);
    let Some(open) = open else { return Ok(true) };
    let is_open = |key: Option<SignerKey>| key.is_some_and(|key| key.verifier() == open.key);
    Ok(is_open(secret.read()?) || is_open(secret.next()?))
}

/// Whether keys of this name were made in this folder by an adoption.
pub(super) fn are_made(folder: &Path, name: &str) -> bool {
    Places::new(folder, origin::id(name)).last.is_file()
}

/// Destroys the private keys of a name. What it signed last is still remembered.
pub(super) fn destroy(folder: &Path, name: &str) -> Result<(), TrailError> {
    let places = Places::new(folder, origin::id(name));
    for path in [places.key, places.epoch] {
        SecretFile::new(path).destroy()?;
    }
    durable::sync_folder(folder).map_err(|error| TrailError::sync(folder, error))
}

/// Deletes what was made public of a name that never came into force.
pub(super) fn forget(folder: &Path, name: &str) -> Result<(), TrailError> {
    let places = Places::new(folder, origin::id(name));
    for path in [places.vkey, places.last] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(TrailError::io(path, error)),
            _ => {}
        }
    }
    Ok(())
}
