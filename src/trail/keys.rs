//! The keys of a trail, outside its folder, and the second memory of what was signed.
//!
//! ```text
//! <keys>/<trail id>.key    the private key (0600): whoever has it can sign
//! <keys>/<trail id>.vkey   the public key, for the auditor
//! <keys>/<trail id>.last   the last signed checkpoint
//! ```
//!
//! A copy of the data folder never holds them. When the folder is put back to an older state, `.last`
//! still knows what was signed later.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::TrailError;
use super::checkpoint::Checkpoint;
use super::layout::{FILE_MODE, Layout, read_small};
use super::note::{SignerKey, VerifierKey};
use super::origin::Origin;
use crate::durable;

const SECRET_MODE: u32 = 0o600;
const SECRET_FOLDER_MODE: u32 = 0o700;

/// A key or a checkpoint with its signature is shorter.
const BYTES_MAX: u64 = 16_384;

/// The opened keys of one trail.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) signer: SignerKey,
    pub(super) verifier: VerifierKey,
    last: PathBuf,
}

/// Where the keys of one trail lie.
struct Places {
    key: PathBuf,
    vkey: PathBuf,
    last: PathBuf,
}

impl Places {
    fn new(folder: &Path, trail_id: &str) -> Self {
        let place = |ending: &str| folder.join(format!("{trail_id}.{ending}"));
        Self { key: place("key"), vkey: place("vkey"), last: place("last") }
    }
}

impl Keys {
    /// Makes the keys of a new trail, and remembers that nothing is signed yet.
    pub(super) fn make(folder: &Path, layout: &Layout, origin: &Origin) -> Result<Self, TrailError> {
        create_folder(folder, layout)?;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| TrailError::io("/dev/urandom", error.into()))?;
        let places = Places::new(folder, origin.id());
        let signer = SignerKey::from_seed(&origin.origin, &seed)
            .map_err(|error| TrailError::Key { path: places.key.clone(), reason: error.to_string() })?;
        let this = Self { verifier: signer.verifier(), signer, last: places.last };
        write(&places.key, &format!("{}\n", this.signer.to_secret_text()), SECRET_MODE)?;
        write(&places.vkey, &format!("{}\n", this.verifier), FILE_MODE)?;
        Ok(this)
    }

    /// Reads the keys of a trail that is there.
    pub(super) fn load(folder: &Path, layout: &Layout, origin: &Origin) -> Result<Self, TrailError> {
        let Places { key: path, last, .. } = Places::new(folder, origin.id());
        let bad = |reason: String| TrailError::Key { path: path.clone(), reason };
        let Some(text) = read_small(&path, BYTES_MAX)? else {
            return Err(bad(format!(
                "the key of the trail in {} is not there: bring it back, or begin a new trail in another data folder",
                layout.data.display()
            )));
        };
        let mode = fs::metadata(&path).map_err(|error| TrailError::io(&path, error))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(bad(format!("others may read this key (mode {:04o}): `chmod 600` it", mode & 0o7777)));
        }
        let text = String::from_utf8(text).map_err(|_| bad("it is no text".to_owned()))?;
        let signer = SignerKey::parse(text.trim_end_matches('\n')).map_err(|error| bad(error.to_string()))?;
        match signer.name() == origin.origin {
            true => Ok(Self { verifier: signer.verifier(), signer, last }),
            false => Err(bad(format!("it is the key of {}, this trail is {}", signer.name(), origin.origin))),
        }
    }

    /// What was signed last, as the second memory knows it.
    pub(super) fn last(&self) -> Result<Checkpoint, TrailError> {
        let bad = |reason: String| TrailError::Key { path: self.last.clone(), reason };
        let bytes = read_small(&self.last, BYTES_MAX)?.ok_or_else(|| {
            bad("the memory of what was signed last is missing, so an older copy of the trail could not be told: \
                 bring it back, or copy the trail's `checkpoint` there if you know it to be the newest"
                .to_owned())
        })?;
        Checkpoint::verify(&bytes, &self.verifier).map_err(|error| bad(error.to_string()))
    }

    pub(super) fn remember(&self, signed: &str) -> Result<(), TrailError> {
        write(&self.last, signed, SECRET_MODE)
    }

    pub(super) fn memory(&self) -> &Path {
        &self.last
    }
}

/// Where the public key and the last signed checkpoint of a trail lie, for those who verify on this machine.
pub(super) fn public_places(folder: &Path, origin: &Origin) -> (PathBuf, PathBuf) {
    let places = Places::new(folder, origin.id());
    (places.vkey, places.last)
}

fn create_folder(folder: &Path, layout: &Layout) -> Result<(), TrailError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let failed = |error| TrailError::io(folder, error);
    fs::DirBuilder::new().recursive(true).mode(SECRET_FOLDER_MODE).create(folder).map_err(failed)?;
    let real = |path: &Path| fs::canonicalize(path).map_err(|error| TrailError::io(path, error));
    match real(folder)?.starts_with(real(&layout.data)?) {
        true => Err(TrailError::Key {
            path: folder.to_owned(),
            reason: "keys must not lie in the data folder: a copy of it would hold them".to_owned(),
        }),
        false => Ok(()),
    }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), TrailError> {
    durable::replace(path, text.as_bytes(), mode).map_err(|error| TrailError::io(path, error))
}
