//! Epochs: a second signature whose keys are destroyed one after the other.
//!
//! ```text
//! <keys>/<trail id>.epoch        the key of the open epoch (0600)
//! <keys>/<trail id>.epoch.next   only while an epoch is being closed
//! <data>/trail/epochs            how one followed the other: see `succession`
//! ```
//!
//! Every checkpoint is signed by the key of the log and by that of the open epoch. Closing an epoch at the
//! tree that was just signed: (1) the next key is durable as `.epoch.next`; (2) the record, signed by the old
//! key and the new one, is durable in `epochs`; (3) the old key is overwritten in place, durably; (4) the next
//! one gets its name. A kill between any two of them is mended at the next opening: a next key whose record
//! is not there is destroyed, one whose record is there takes its place.
//!
//! Invariant: nobody can sign for a closed epoch any more, whatever they find on this machine. Epochs are
//! counted; no clock has a part in them.

use std::path::{Path, PathBuf};

use super::TrailError;
use super::checkpoint::Checkpoint;
use super::error::Damage;
use super::layout::Layout;
use super::note::{Note, SignerKey, VerifierKey};
use super::records::{self, Newest, Records};
use super::secret::{SecretFile, random_key};
use super::succession::{Kind, Record};

/// After so many checkpoints of one process an epoch ends: four minutes of a busy trail.
const CHECKPOINTS_MAX: u32 = 256;

/// At the end of a run an epoch ends if so many entries were signed since it began.
const ENTRIES_MIN: u64 = 256;

/// The open epoch.
#[derive(Debug)]
pub(super) struct Epoch {
    records: Records,
    secret: SecretFile,
    /// How it began.
    open: Record,
    signer: SignerKey,
    /// The key of the next one, whose record is there while this one still has its name.
    next: Option<(Record, SignerKey)>,
    /// Signed by this process in this epoch.
    checkpoints: u32,
    /// The first key of the trail under this name: what an auditor gets.
    first: Option<VerifierKey>,
}

/// What the epochs of a trail are opened with.
pub(super) struct Known<'k> {
    pub(super) layout: &'k Layout,
    /// `<keys>/<trail id>.epoch`
    pub(super) secret: PathBuf,
    pub(super) log: &'k SignerKey,
    /// The checkpoint, whose other signature was verified.
    pub(super) signed: &'k Checkpoint,
    pub(super) note: &'k Note,
    /// An auditor was given the key of an epoch.
    pub(super) is_published: bool,
}

impl Epoch {
    /// The open epoch of a trail; the first one where there was none.
    pub(super) fn open(known: &Known<'_>) -> Result<Self, TrailError> {
        let path = known.layout.epochs();
        let secret = SecretFile::new(known.secret.clone());
        match records::newest(&path)? {
            Some(newest) => Self::resume(known, path, secret, &newest),
            // Somebody took it away: a new beginning would hide that.
            None if known.is_published || secret.read()?.is_some() => Err(TrailError::missing(path)),
            None => Self::begin(known, path, secret),
        }
    }

    fn begin(known: &Known<'_>, path: PathBuf, secret: SecretFile) -> Result<Self, TrailError> {
        secret.unstage()?;
        let Checkpoint { origin, size, root } = known.signed.clone();
        let signer = random_key(&Kind::Epoch.key_name(&origin, 0))?;
        let open = Record { kind: Kind::Epoch, origin, number: 0, size, root, key: signer.verifier() };
        let text = open.sign(&[known.log, &signer]).map_err(|error| TrailError::signing(&path, error))?;
        secret.stage(&signer)?;
        let records = Records::begin(path, &text)?;
        secret.replace()?;
        let first = Some(signer.verifier());
        Ok(Self { records, secret, open, signer, next: None, checkpoints: 0, first })
    }

    fn resume(known: &Known<'_>, path: PathBuf, secret: SecretFile, newest: &Newest) -> Result<Self, TrailError> {
        let open = newest.record.clone();
        check_continued(known.layout, (known.signed, known.note), &open)?;
        let records = Records::resume(path, newest)?;
        let signer = match secret.read()?.filter(|key| key.verifier() == open.key) {
            Some(signer) => {
                secret.unstage()?;
                signer
            }
            None => {
                let next = secret.next()?.filter(|key| key.verifier() == open.key);
                let signer = next.ok_or_else(|| lost(secret.path(), open.number))?;
                records.write_again(newest)?;
                secret.replace()?;
                signer
            }
        };
        let first = records::first(&known.layout.epochs())?;
        let first = first.filter(|first| first.origin == open.origin).map(|first| first.key);
        Ok(Self { records, secret, open, signer, next: None, checkpoints: 0, first })
    }

    pub(super) fn signer(&self) -> &SignerKey {
        &self.signer
    }

    pub(super) fn first(&self) -> Option<&VerifierKey> {
        self.first.as_ref()
    }

    /// One more checkpoint was signed.
    pub(super) fn count(&mut self) {
        self.checkpoints += 1;
    }

    /// It has signed enough.
    pub(super) fn is_spent(&self) -> bool {
        self.checkpoints >= CHECKPOINTS_MAX
    }

    /// It has seen enough to be closed at the end of a run.
    pub(super) fn is_worth_closing(&self, size: u64) -> bool {
        size.saturating_sub(self.open.size) >= ENTRIES_MIN
    }

    /// Ends this epoch at a tree that it signed, and begins the next; one without entries goes on. May be
    /// called again after a full disk.
    pub(super) fn close(&mut self, size: u64, root: super::tree::Hash) -> Result<(), TrailError> {
        self.finish()?;
        if size == self.open.size {
            self.checkpoints = 0;
            return Ok(());
        }
        let number = self.open.number + 1;
        let next = random_key(&Kind::Epoch.key_name(&self.open.origin, number))?;
        let record = Record { number, size, root, key: next.verifier(), ..self.open.clone() };
        let text =
            record.sign(&[&self.signer, &next]).map_err(|error| TrailError::signing(self.secret.path(), error))?;
        self.secret.stage(&next)?;
        self.records.append(&text)?;
        self.next = Some((record, next));
        self.finish()
    }

    /// Whatever a full disk kept from being done: the record of the next epoch stands.
    pub(super) fn finish(&mut self) -> Result<(), TrailError> {
        if self.next.is_none() {
            return Ok(());
        }
        self.secret.replace()?;
        if let Some((open, signer)) = self.next.take() {
            (self.open, self.signer, self.checkpoints) = (open, signer, 0);
        }
        Ok(())
    }
}

/// The checkpoint must continue what the epochs closed: signed by the open one, or the very tree that it began with.
pub(super) fn check_continued(
    layout: &Layout,
    (signed, note): (&Checkpoint, &Note),
    open: &Record,
) -> Result<(), TrailError> {
    let damage = match signed.size {
        size if size < open.size => Damage::Behind { size, closed: open.size },
        size if size == open.size && signed.root != open.root => Damage::Forked { size },
        size if size == open.size => return Ok(()),
        _ => match note.verify(&open.key) {
            Ok(_) => return Ok(()),
            Err(error) => Damage::Note(error),
        },
    };
    Err(TrailError::damaged(layout.checkpoint(), damage))
}

fn lost(path: &Path, number: u64) -> TrailError {
    let reason = format!(
        "the key of epoch {number} is not there: bring it back; if it is lost, `whodid trail adopt` goes on \
         with the trail under a new name and says so in it"
    );
    TrailError::Key { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests;
