//! Replacing the key of the log: the old key signs the new one, and is destroyed.
//!
//! Order, like the closing of an epoch: everything is signed; the new key is durable as `.key.next`; `origin`
//! is signed by it too; the record is durable in `trail/keys`; the old key is overwritten; the new one gets
//! its name. The caller records `trail.key_rotated` and signs; then `.vkey` names the new key. After a kill
//! the next opening ends what was begun, and says in [`Opened::rotated`](super::Opened) if nothing tells of it yet.

use serde::{Deserialize, Serialize};

use super::note::VerifierKey;
use super::origin::Origin;
use super::secret::random_key;
use super::succession::{Chain, Record};
use super::{TrailError, Writer};

/// One key followed another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotated {
    pub number: u64,
    /// Entries that were signed then.
    pub size: u64,
    /// Verifier keys.
    pub before: String,
    pub key: String,
}

impl Rotated {
    /// The newest rotation of a log, if there was one under this name.
    pub(super) fn newest(chain: &Chain) -> Option<Self> {
        let [.., before, newest] = chain.links() else { return None };
        let (before, newest) = (&before.record, &newest.record);
        (before.origin == newest.origin).then(|| Self::new(newest, &before.key))
    }

    fn new(record: &Record, before: &VerifierKey) -> Self {
        let Record { number, size, key, .. } = record;
        Self { number: *number, size: *size, before: before.to_string(), key: key.to_string() }
    }
}

impl Writer {
    /// Replaces the key of the log by a new one. What was appended must be committed before; the caller
    /// appends `trail.key_rotated` afterwards.
    pub fn rotate_key(&mut self) -> Result<Rotated, TrailError> {
        self.sign()?;
        let done = self.replace_key();
        self.stopping(done)
    }

    fn replace_key(&mut self) -> Result<Rotated, TrailError> {
        let Some(own) = &self.keys.own else {
            return Err(TrailError::Key {
                path: self.layout.keys(),
                reason:
                    "the key of this trail lies elsewhere ([trail] `key` or `agent`), where whodid replaces nothing"
                        .to_owned(),
            });
        };
        let path = self.layout.keys();
        let newest = self.keys.chain.newest().ok_or_else(|| TrailError::missing(&path))?;
        let next = random_key(self.keys.signer.name())?;
        let number = newest.number + 1;
        let record =
            Record { number, size: self.signed, root: self.edge.root(), key: next.verifier(), ..newest.clone() };
        let text = record.sign(&[&self.keys.signer, &next]).map_err(|error| TrailError::signing(&path, error))?;
        own.stage(&next)?;
        Origin::sign_too(&self.layout, &self.keys.chain, &next)?;
        self.keys.records.append(&text)?;
        // From here on the record stands: what is left undone the next opening does.
        own.replace().map_err(TrailError::last)?;
        let rotated = Rotated::new(&record, &self.keys.verifier);
        self.keys.chain.push(record);
        (self.keys.verifier, self.keys.signer) = (next.verifier(), next);
        Ok(rotated)
    }
}
