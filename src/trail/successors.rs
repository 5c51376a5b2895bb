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

    /// Begins an adoption beside the keys: only what stands here may have keys destroyed.
    pub(super) fn announce(folder: &Path, layout: &Layout, from: &str, to: &str) -> Result<(), TrailError> {
        keys::create_folder(folder, layout)?;
        keys::write(&announcement(folder, to), from, keys::SECRET_MODE)
    }

    /// The second memory of the new name.
    pub(super) fn remember(&self, signed: &str) -> Result<(), TrailError> {
        keys::write(&self.last, signed, keys::SECRET_MODE)
    }
}

/// What the second memory of a name knows, if it can be read.
pub(super) fn remembered(folder: &Path, origin: &Origin) -> Result<Option<(Checkpoint, String)>, TrailError> {
    let Some(bytes) = read_small(&Places::new(folder, origin.id()).last, BYTES_MAX)? else { return Ok(None) };
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

/// Where it stands that one name is on its way to another; the data folder alone is not believed.
fn announcement(folder: &Path, to: &str) -> PathBuf {
    folder.join(format!("{}.adopting", origin::id(to)))
}

/// Whether this adoption was begun with these keys, and is not over.
pub(super) fn is_announced(folder: &Path, from: &str, to: &str) -> Result<bool, TrailError> {
    let said = read_small(&announcement(folder, to), BYTES_MAX)?;
    Ok(said.is_some_and(|said| said == from.as_bytes()))
}

/// The adoption is over, or never came into force.
pub(super) fn revoke(folder: &Path, to: &str) -> Result<(), TrailError> {
    delete(&announcement(folder, to))
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
    delete(&places.vkey)?;
    delete(&places.last)
}

fn delete(path: &Path) -> Result<(), TrailError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(TrailError::io(path, error)),
        _ => Ok(()),
    }
}
