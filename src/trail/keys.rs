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
use std::path::{Path, PathBuf};

use super::checkpoint::Checkpoint;
use super::layout::{FILE_MODE, Layout, read_small};
use super::note::{SignerKey, VerifierKey};
use super::origin::Origin;
use super::{Signing, TrailError};
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
    /// Makes the keys of a new trail; one that the operator keeps elsewhere is taken as it is.
    pub(super) fn make(folder: &Path, layout: &Layout, origin: &Origin, signing: &Signing) -> Result<Self, TrailError> {
        create_folder(folder, layout)?;
        let places = Places::new(folder, origin.id());
        let signer = match signing {
            Signing::Own => {
                let signer = random_key(&origin.origin, &places.key)?;
                let secret = signer.to_secret_text().unwrap_or_default();
                write(&places.key, &format!("{secret}\n"), SECRET_MODE)?;
                signer
            }
            elsewhere => elsewhere.signer(&places.key, layout, origin)?,
        };
        let this = Self { verifier: signer.verifier(), signer, last: places.last };
        write(&places.vkey, &format!("{}\n", this.verifier), FILE_MODE)?;
        Ok(this)
    }

    /// Reads the keys of a trail that is there.
    pub(super) fn load(folder: &Path, layout: &Layout, origin: &Origin, signing: &Signing) -> Result<Self, TrailError> {
        let Places { key, last, .. } = Places::new(folder, origin.id());
        let signer = signing.signer(&key, layout, origin)?;
        Ok(Self { verifier: signer.verifier(), signer, last })
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

/// Where the private key lies; none if an agent holds it.
pub(super) fn private_place(folder: &Path, origin: &Origin, signing: &Signing) -> Option<PathBuf> {
    signing.place(&Places::new(folder, origin.id()).key).map(Path::to_owned)
}

fn random_key(name: &str, path: &Path) -> Result<SignerKey, TrailError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| TrailError::io("/dev/urandom", error.into()))?;
    SignerKey::from_seed(name, &seed)
        .map_err(|error| TrailError::Key { path: path.to_owned(), reason: error.to_string() })
}

fn create_folder(folder: &Path, layout: &Layout) -> Result<(), TrailError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let failed = |error| TrailError::io(folder, error);
    fs::DirBuilder::new().recursive(true).mode(SECRET_FOLDER_MODE).create(folder).map_err(failed)?;
    not_in_data(folder, layout)
}

/// A copy of the data folder must hold no key.
pub(super) fn not_in_data(path: &Path, layout: &Layout) -> Result<(), TrailError> {
    let real = |path: &Path| fs::canonicalize(path).map_err(|error| TrailError::io(path, error));
    match real(path)?.starts_with(real(&layout.data)?) {
        true => Err(TrailError::Key {
            path: path.to_owned(),
            reason: "keys must not lie in the data folder: a copy of it would hold them".to_owned(),
        }),
        false => Ok(()),
    }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), TrailError> {
    durable::replace(path, text.as_bytes(), mode).map_err(|error| TrailError::io(path, error))
}
