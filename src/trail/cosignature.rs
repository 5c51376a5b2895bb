//! C2SP tlog-cosignature v1: a witness states which tree of a log was the largest consistent one it had seen, and when.
//!
//! ```text
//! signature: <time, 8 bytes big-endian> ‖ <Ed25519 over the message, 64 bytes>       key type 4
//!
//! message:   cosignature/v1 LF
//!            time <seconds since 1970, decimal> LF
//!            <text of the checkpoint>
//! ```
//!
//! The message does not name the witness, so a key must never serve two names. Keys are written as those of
//! other signers are ([`super::note`]), with 4 for the type.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature as Ed25519, Signer as _, SigningKey, VerifyingKey};

use super::note::{self, Note, NoteError, PRIVATE, Signature};
use crate::event::Stamp;

/// The public key of a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessKey {
    name: String,
    key: VerifyingKey,
}

/// The private key of a witness. Never printed.
pub struct Cosigner {
    name: String,
    key: SigningKey,
}

/// Ed25519 over time and text.
const COSIGNATURE: u8 = 4;

const TIME_BYTES: usize = 8;

/// A witness may have several keys and forms of signature; more than this is nonsense.
const LINES_MAX: usize = 16;

/// The first second of the year 10000: what is later was written by no clock.
const TIME_END: u64 = 253_402_300_800;

impl WitnessKey {
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::BadKey("the key of a witness is `<name>+<key id>+<base64>`"));
        };
        if !note::is_key_name(name) {
            return Err(NoteError::BadKey("its name is empty or holds a space"));
        }
        let bytes = note::key_bytes(key, COSIGNATURE)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| NoteError::BadKey("it is no point of the curve"))?;
        let this = Self { name: name.to_owned(), key };
        match id == HEXLOWER.encode(&this.id()) {
            true => Ok(this),
            false => Err(NoteError::BadKey("its key id does not belong to it: was it mistyped?")),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// When this witness cosigned the note; of several times the newest. Signatures of others are ignored, a
    /// wrong one of this witness is not.
    pub fn cosigned(&self, note: &Note) -> Result<Stamp, NoteError> {
        let mut newest = None;
        for signature in note.signatures_of(&self.name, self.id()) {
            let time = self.time(signature, note.text()).ok_or_else(|| NoteError::Wrong(self.name.clone()))?;
            newest = newest.max(Some(time));
        }
        newest.ok_or_else(|| NoteError::Unsigned(self.name.clone()))
    }

    /// The checkpoint with what this witness answered to it, and when that was: lines of others are left out.
    pub fn take(&self, checkpoint: &Note, lines: &str) -> Result<(Note, Stamp), NoteError> {
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed("it does not end in a line feed"))?;
        let mut cosigned = checkpoint.clone();
        // Whatever it had of this witness is older.
        cosigned.drop_signatures_of(&self.name, self.id());
        for line in lines.split('\n').take(LINES_MAX) {
            let signature = Signature::parse(line)?;
            if signature.is_of(&self.name, self.id()) {
                cosigned.add(signature);
            }
        }
        let at = self.cosigned(&cosigned)?;
        Ok((cosigned, at))
    }

    /// The time of a signature that holds.
    fn time(&self, signature: &[u8], text: &str) -> Option<Stamp> {
        let (time, signature) = signature.split_first_chunk::<TIME_BYTES>()?;
        let time = Some(u64::from_be_bytes(*time)).filter(|time| *time < TIME_END)?;
        let signature = Ed25519::from_slice(signature).ok()?;
        self.key.verify_strict(message(time, text).as_bytes(), &signature).ok()?;
        Some(Stamp::from_unix(time.cast_signed(), 0))
    }

    fn id(&self) -> [u8; 4] {
        note::key_id(&self.name, COSIGNATURE, self.key.as_bytes())
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[COSIGNATURE], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id()), BASE64.encode(&key))
    }
}

impl Cosigner {
    /// The key of a name from 32 secret random bytes.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        if !note::is_key_name(name) {
            return Err(NoteError::BadKey("its name is empty or holds a space or a plus sign"));
        }
        Ok(Self { name: name.to_owned(), key: SigningKey::from_bytes(seed) })
    }

    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.strip_prefix(PRIVATE).unwrap_or_default().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::BadKey("a signer key is `PRIVATE+KEY+<name>+<key id>+<base64>`"));
        };
        let this = Self::from_seed(name, &*note::key_bytes(key, COSIGNATURE)?)?;
        match id == HEXLOWER.encode(&this.verifier().id()) {
            true => Ok(this),
            false => Err(NoteError::BadKey("its key id does not belong to it: was the file changed?")),
        }
    }

    pub fn verifier(&self) -> WitnessKey {
        WitnessKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    /// States that the checkpoint in this text is the newest one seen at `now`.
    pub fn cosign(&self, text: &str, now: Stamp) -> Signature {
        // A clock before 1970 tells no time.
        let time = u64::try_from(now.instant().timestamp()).unwrap_or(0);
        let signature = self.key.sign(message(time, text).as_bytes());
        let bytes = [time.to_be_bytes().as_slice(), signature.to_bytes().as_slice()].concat();
        Signature::new(&self.name, self.verifier().id(), bytes)
    }

    /// The private form, for the one file that holds it.
    pub fn to_secret_text(&self) -> String {
        let key = [&[COSIGNATURE], self.key.as_bytes().as_slice()].concat();
        format!("{PRIVATE}{}+{}+{}", self.name, HEXLOWER.encode(&self.verifier().id()), BASE64.encode(&key))
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cosigner({})", self.verifier())
    }
}

/// Who cosigned a note and when, by what is written there: nothing of it is checked.
pub(super) fn claimed(note: &Note) -> Option<(&str, [u8; 4], u64)> {
    note.claims(TIME_BYTES + Ed25519::BYTE_SIZE).find_map(|(name, id, bytes)| {
        let (time, _) = bytes.split_first_chunk::<TIME_BYTES>()?;
        Some((name, id, u64::from_be_bytes(*time)))
    })
}

fn message(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::note::{SignerKey, VerifierKey};

    fn cosigner() -> Cosigner {
        Cosigner::from_seed("witness.example.org/w1", &[9; 32]).expect("a good name")
    }

    fn checkpoint() -> Note {
        let key = SignerKey::from_seed("org/host/trail", &[7; 32]).expect("a good name");
        Note::sign("org/host/trail\n3\nX/s4u/dI504i0jmP4M2Fgrj/xe1442r7zisyu+z2ewo=\n".to_owned(), &key)
            .expect("a good text")
    }

    fn at(seconds: i64) -> Stamp {
        Stamp::from_unix(seconds, 0)
    }

    #[test]
    fn keys_read_back_and_are_none_of_another_type() {
        let key = cosigner().verifier().to_string();
        assert_eq!(WitnessKey::parse(&key).map(|key| key.to_string()), Ok(key.clone()));
        let again = Cosigner::parse(&cosigner().to_secret_text()).expect("our own form");
        assert_eq!(again.verifier(), cosigner().verifier());
        assert!(VerifierKey::parse(&key).is_err());
        let log = SignerKey::from_seed("org/host/trail", &[7; 32]).expect("a good name");
        assert!(WitnessKey::parse(&log.verifier().to_string()).is_err());
        assert!(Cosigner::parse(&log.to_secret_text().expect("ours")).is_err());
        assert!(!format!("{:?}", cosigner()).contains("PRIVATE"));
    }

    #[test]
    fn a_cosignature_says_when_and_any_changed_byte_fails() {
        let mut note = checkpoint();
        assert_eq!(cosigner().verifier().cosigned(&note), Err(NoteError::Unsigned("witness.example.org/w1".into())));
        note.add(cosigner().cosign(note.text(), at(1_795_176_000)));
        let bytes = note.to_string().into_bytes();
        let holds = |bytes: &[u8]| Note::parse(bytes).and_then(|note| cosigner().verifier().cosigned(&note));
        assert_eq!(holds(&bytes), Ok(at(1_795_176_000)));
        let (begin, end) = (bytes.len() - 110, bytes.len());
        for i in (0..60).chain(begin..end) {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[i] ^= 1 << bit;
                assert!(holds(&changed).is_err(), "byte {i} bit {bit}");
            }
        }
    }

    #[test]
    fn the_newest_of_several_times_counts_and_a_wrong_one_spoils_all() {
        let mut note = checkpoint();
        for time in [1_795_176_000, 1_795_176_900, 1_795_176_300] {
            note.add(cosigner().cosign(note.text(), at(time)));
        }
        assert_eq!(cosigner().verifier().cosigned(&note), Ok(at(1_795_176_900)));
        note.add(cosigner().cosign("org/host/trail\n4\n", at(1_795_176_950)));
        assert_eq!(cosigner().verifier().cosigned(&note), Err(NoteError::Wrong("witness.example.org/w1".into())));
    }

    /// The example of the specification: key and signature are not ours.
    #[test]
    fn a_line_of_the_specification_has_its_time() {
        let line = "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1\
                    nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";
        let signature = Signature::parse(line).expect("a line");
        assert_eq!(signature.to_string(), line);
        let mut note = checkpoint();
        note.add(signature);
        let bytes: Vec<&[u8]> = note.signatures_of("witness.example.com/w1", [0x8d, 0x66, 0xcf, 0x3f]).collect();
        assert_eq!(bytes[0].len(), TIME_BYTES + 64);
        assert_eq!(bytes[0][..TIME_BYTES], 1_679_315_147_u64.to_be_bytes());
    }
}
