//! A private key in a file, and how another one takes its place.
//!
//! ```text
//! <path>         PRIVATE+KEY+<name>+<key id>+<base64>
//! <path>.next    the key that is to follow it: there before anything names it
//! ```
//!
//! A key that is replaced is destroyed: overwritten where it lies, made durable so, and only then does its
//! name go to the next one. What a file system or a disk keeps of old bytes elsewhere is out of reach.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::TrailError;
use super::note::SignerKey;
use crate::durable;

const MODE: u32 = 0o600;

/// A key is shorter.
const BYTES_MAX: u64 = 4_096;

/// The file of one private key.
#[derive(Debug)]
pub(super) struct SecretFile {
    path: PathBuf,
    next: PathBuf,
}

impl SecretFile {
    pub(super) fn new(path: PathBuf) -> Self {
        let mut next = path.clone().into_os_string();
        next.push(".next");
        Self { path, next: next.into() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The key; none where none was written, or where it was destroyed.
    pub(super) fn read(&self) -> Result<Option<SignerKey>, TrailError> {
        read(&self.path)
    }

    /// The key that is to follow.
    pub(super) fn next(&self) -> Result<Option<SignerKey>, TrailError> {
        read(&self.next)
    }

    pub(super) fn write(&self, key: &SignerKey) -> Result<(), TrailError> {
        write(&self.path, key)
    }

    /// Keeps the key that is to follow, durably.
    pub(super) fn stage(&self, key: &SignerKey) -> Result<(), TrailError> {
        write(&self.next, key)
    }

    /// Destroys a key that was to follow and that nothing names.
    pub(super) fn unstage(&self) -> Result<(), TrailError> {
        if destroy(&self.next)? {
            fs::remove_file(&self.next).map_err(|error| TrailError::io(&self.next, error))?;
        }
        Ok(())
    }

    /// Destroys the key, and one that was to follow, and deletes what is left.
    pub(super) fn destroy(&self) -> Result<(), TrailError> {
        self.unstage()?;
        if destroy(&self.path)? {
            fs::remove_file(&self.path).map_err(|error| TrailError::io(&self.path, error))?;
        }
        Ok(())
    }

    /// Destroys the key and gives its name to the next one. May be called again after an error.
    pub(super) fn replace(&self) -> Result<(), TrailError> {
        destroy(&self.path)?;
        durable::publish(&self.next, &self.path).map_err(|error| TrailError::sync(&self.path, error))
    }
}

/// A random key of this name.
pub(super) fn random_key(name: &str) -> Result<SignerKey, TrailError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|error| TrailError::io("/dev/urandom", error.into()))?;
    SignerKey::from_seed(name, &seed).map_err(|error| TrailError::io("/dev/urandom", io::Error::other(error)))
}

/// A key that only its owner may read.
pub(super) fn read(path: &Path) -> Result<Option<SignerKey>, TrailError> {
    let failed = |error| TrailError::io(path, error);
    let bad = |reason: String| TrailError::Key { path: path.to_owned(), reason };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(bad(format!("others may read this key (mode {:04o}): `chmod 600` it", mode & 0o7777)));
    }
    // Room for all of it: a text that grows leaves copies of itself behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES_MAX as usize));
    file.take(BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| bad("it is no text".to_owned()))?;
    SignerKey::parse(text.trim_end_matches('\n')).map(Some).map_err(|error| bad(error.to_string()))
}

fn write(path: &Path, key: &SignerKey) -> Result<(), TrailError> {
    let mut text = key.to_secret_text().unwrap_or_default();
    text.push('\n');
    durable::replace(path, text.as_bytes(), MODE).map_err(|error| TrailError::io(path, error))
}

/// Overwrites the bytes of a file where they lie. False where there is none.
fn destroy(path: &Path) -> Result<bool, TrailError> {
    let failed = |error| TrailError::io(path, error);
    let file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(failed(error)),
    };
    let length = file.metadata().map_err(failed)?.len().min(BYTES_MAX);
    file.write_all_at(&vec![0; length as usize], 0).map_err(failed)?;
    file.sync_all().map_err(|error| TrailError::sync(path, error))?;
    Ok(true)
}
