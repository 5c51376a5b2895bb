//! The keys of a trail, outside its folder, and the second memory of what was signed.
//!
//! ```text
//! <keys>/<trail id>.key          the private key of the log (0600), unless the operator keeps it elsewhere
//! <keys>/<trail id>.key.next     only while it is being replaced
//! <keys>/<trail id>.vkey         for the auditor: the public key of the log, and that of the first epoch
//! <keys>/<trail id>.last         the last signed checkpoint
//! <keys>/<trail id>.epoch        see `epoch`
//! <data>/trail/keys              how one key followed the other: see `succession`
//! ```
//!
//! A copy of the data folder never holds a private one. When the folder is put back to an older state,
//! `.last` still knows what was signed later.
//!
//! Invariant: the key in hand is the one that the newest record in `trail/keys` names.

use std::fs;
use std::path::{Path, PathBuf};

use super::checkpoint::Checkpoint;
use super::error::Damage;
use super::layout::{FILE_MODE, Layout, read_small};
use super::note::{Note, SignerKey, VerifierKey};
use super::origin::Origin;
use super::records::{self, Newest, Records};
use super::secret::{SecretFile, random_key};
use super::succession::{Chain, Kind, Record};
use super::{Signing, TrailError, tree};
use crate::durable;

pub(super) const SECRET_MODE: u32 = 0o600;
const SECRET_FOLDER_MODE: u32 = 0o700;

/// A key or a checkpoint with its signatures is shorter.
pub(super) const BYTES_MAX: u64 = 16_384;

/// Thousands of keys of one log.
pub(super) const CHAIN_BYTES_MAX: u64 = 16 << 20;

/// The opened keys of one trail.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) signer: SignerKey,
    pub(super) verifier: VerifierKey,
    pub(super) chain: Chain,
    pub(super) records: Records,
    /// Where the private one lies, if it is whodid's own.
    pub(super) own: Option<SecretFile>,
    vkey: PathBuf,
    /// The key of the log that an auditor is told.
    told: Option<VerifierKey>,
    last: PathBuf,
    epoch: PathBuf,
}

/// Where the keys of one trail lie.
pub(super) struct Places {
    pub(super) key: PathBuf,
    pub(super) vkey: PathBuf,
    pub(super) last: PathBuf,
    pub(super) epoch: PathBuf,
}

impl Places {
    pub(super) fn new(folder: &Path, trail_id: &str) -> Self {
        let place = |ending: &str| folder.join(format!("{trail_id}.{ending}"));
        Self { key: place("key"), vkey: place("vkey"), last: place("last"), epoch: place("epoch") }
    }

    /// The key of a new log; one that the operator keeps elsewhere is taken as it is.
    pub(super) fn make_log(
        &self,
        layout: &Layout,
        origin: &Origin,
        signing: &Signing,
    ) -> Result<SignerKey, TrailError> {
        let Some(own) = self.own(signing) else { return signing.signer(&self.key, layout, origin) };
        let signer = random_key(&origin.origin)?;
        own.write(&signer)?;
        Ok(signer)
    }

    fn own(&self, signing: &Signing) -> Option<SecretFile> {
        (*signing == Signing::Own).then(|| SecretFile::new(self.key.clone()))
    }

    fn keys(self, signing: &Signing, signer: SignerKey, chain: Chain, records: Records) -> Keys {
        let own = self.own(signing);
        let Self { vkey, last, epoch, .. } = self;
        Keys { verifier: signer.verifier(), signer, chain, records, own, vkey, told: None, last, epoch }
    }
}

impl Keys {
    /// Makes the keys of a new trail.
    pub(super) fn make(folder: &Path, layout: &Layout, origin: &Origin, signing: &Signing) -> Result<Self, TrailError> {
        create_folder(folder, layout)?;
        let places = Places::new(folder, origin.id());
        let signer = places.make_log(layout, origin, signing)?;
        let (chain, records) = begin(layout, &signer)?;
        write(&places.vkey, &format!("{}\n", signer.verifier()), FILE_MODE)?;
        Ok(places.keys(signing, signer, chain, records))
    }

    /// Reads the keys of a trail that is there, whose name is signed as `note` says.
    pub(super) fn load(
        folder: &Path,
        layout: &Layout,
        (origin, note): (&Origin, &Note),
        signing: &Signing,
    ) -> Result<Self, TrailError> {
        let places = Places::new(folder, origin.id());
        let newest = records::newest(&layout.keys())?;
        if let Some(own) = places.own(signing) {
            mend(&own, newest.as_ref(), layout)?;
        }
        let signer = signing.signer(&places.key, layout, origin)?;
        let (chain, records) = match &newest {
            Some(newest) => known(layout, newest)?,
            // More than one key has signed the name, so there were records of them.
            None if note.signers().filter(|name| *name == origin.origin).count() > 1 => {
                return Err(TrailError::missing(layout.keys()));
            }
            None => begin(layout, &signer)?,
        };
        let number = chain.newest().filter(|newest| newest.key != signer.verifier()).map(|newest| newest.number);
        if let Some(number) = number {
            let path = signing.place(&places.key).unwrap_or(&places.key).to_owned();
            let reason = format!(
                "it is {}, and not key {number} of this trail, as its file `keys` says: bring that key back; \
                 if it is lost, `whodid trail adopt` goes on with the trail under a new name and says so in it",
                signer.verifier()
            );
            return Err(TrailError::Key { path, reason });
        }
        Ok(places.keys(signing, signer, chain, records))
    }

    /// What was signed last, as the second memory knows it.
    pub(super) fn last(&self) -> Result<Checkpoint, TrailError> {
        let bad = |reason: String| TrailError::Key { path: self.last.clone(), reason };
        let bytes = read_small(&self.last, BYTES_MAX)?.ok_or_else(|| {
            bad("the memory of what was signed last is missing, so an older copy of the trail could not be told: \
                 bring it back. If it is lost, `whodid trail adopt --reason TEXT` goes on under a new name, and \
                 records that nobody knows whether there once was more"
                .to_owned())
        })?;
        self.chain.checkpoint(&bytes).map(|(checkpoint, _)| checkpoint).map_err(|error| bad(error.to_string()))
    }

    pub(super) fn remember(&self, signed: &str) -> Result<(), TrailError> {
        write(&self.last, signed, SECRET_MODE)
    }

    pub(super) fn memory(&self) -> &Path {
        &self.last
    }

    /// Where the key of the open epoch lies.
    pub(super) fn epoch(&self) -> &Path {
        &self.epoch
    }

    /// Whether an auditor may have been given the key of an epoch.
    pub(super) fn is_epoch_published(&self) -> Result<bool, TrailError> {
        let told = read_small(&self.vkey, BYTES_MAX)?.unwrap_or_default();
        // In the second line; a host, too, may have the name "epoch".
        Ok(told.split(|byte| *byte == b'\n').nth(1).is_some_and(|second| !second.is_empty()))
    }

    /// Tells the auditor the newest key of the log, now that it has signed a checkpoint, and that of the first
    /// epoch. Where the trail had another name when its epochs began, what was told then stays.
    pub(super) fn publish(&mut self, epoch: Option<&VerifierKey>) -> Result<(), TrailError> {
        let Some(epoch) = epoch.filter(|_| self.told.as_ref() != Some(&self.verifier)) else { return Ok(()) };
        let text = format!("{}\n{epoch}\n", self.verifier);
        if read_small(&self.vkey, BYTES_MAX)?.is_none_or(|told| told != text.as_bytes()) {
            write(&self.vkey, &text, FILE_MODE)?;
        }
        self.told = Some(self.verifier.clone());
        Ok(())
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

/// The first record of a log: its key, before there was any entry.
fn begin(layout: &Layout, signer: &SignerKey) -> Result<(Chain, Records), TrailError> {
    let (path, key) = (layout.keys(), signer.verifier());
    let origin = signer.name().to_owned();
    let record = Record { kind: Kind::Log, origin, number: 0, size: 0, root: tree::empty(), key: key.clone() };
    let text = record.sign(&[signer]).map_err(|error| TrailError::signing(&path, error))?;
    Ok((Chain::of_one(key), Records::begin(path, &text)?))
}

/// The records of a log as they are there.
fn known(layout: &Layout, newest: &Newest) -> Result<(Chain, Records), TrailError> {
    let path = layout.keys();
    let bytes = read_small(&path, CHAIN_BYTES_MAX)?.ok_or_else(|| TrailError::missing(&path))?;
    let (chain, end) = Chain::read(&bytes);
    match end.broken {
        Some(broken) => Err(TrailError::damaged(path, Damage::Chain(broken))),
        None => Ok((chain, Records::resume(path, newest)?)),
    }
}

/// Ends what a crash interrupted: a key whose record stands takes its place, any other is destroyed.
fn mend(own: &SecretFile, newest: Option<&Newest>, layout: &Layout) -> Result<(), TrailError> {
    let is_newest = |key: Option<SignerKey>| {
        key.is_some_and(|key| newest.is_some_and(|newest| newest.record.key == key.verifier()))
    };
    match newest {
        Some(newest) if !is_newest(own.read()?) => {
            if is_newest(own.next()?) {
                Records::resume(layout.keys(), newest)?.write_again(newest)?;
                own.replace()?;
            }
            Ok(())
        }
        _ => own.unstage(),
    }
}

pub(super) fn create_folder(folder: &Path, layout: &Layout) -> Result<(), TrailError> {
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

pub(super) fn write(path: &Path, text: &str, mode: u32) -> Result<(), TrailError> {
    durable::replace(path, text.as_bytes(), mode).map_err(|error| TrailError::io(path, error))
}
