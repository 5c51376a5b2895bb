//! C2SP tlog-checkpoint: which tree a signature is about.
//!
//! ```text
//! <origin> LF
//! <size, decimal> LF
//! <base64 of the root> LF
//! ```
//!
//! No extension lines. Signed as a [`Note`] whose key has the origin as its name.

use std::fmt;

use super::note::{self, Note, NoteError, SignerKey, VerifierKey};
use super::tree::Hash;

/// A name, a number, a hash and some signatures are shorter.
pub const BYTES_MAX: u64 = 16_384;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

impl Checkpoint {
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let malformed = |what| Err(NoteError::Malformed(what));
        let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or_default().split('\n').collect();
        let [origin, size, root] = lines.as_slice() else {
            return malformed("a checkpoint has three lines: origin, size and root");
        };
        if !note::is_key_name(origin) {
            return malformed("the origin of the checkpoint is empty or holds a space or a plus sign");
        }
        let (Ok(size), Some(root)) = (size.parse::<u64>(), Hash::from_base64(root.as_bytes())) else {
            return malformed("the size or the root of the checkpoint cannot be read");
        };
        let this = Self { origin: (*origin).to_owned(), size, root };
        // A sign or leading zeros would make two texts of one checkpoint.
        if this.to_string() == text { Ok(this) } else { malformed("the checkpoint is not written in the one form") }
    }

    /// Reads a signed checkpoint without checking who signed it.
    pub fn parse_note(bytes: &[u8]) -> Result<(Self, Note), NoteError> {
        let note = Note::parse(bytes)?;
        Ok((Self::parse(note.text())?, note))
    }

    /// Reads a checkpoint that this key signed, under its own name.
    pub fn verify(bytes: &[u8], key: &VerifierKey) -> Result<Self, NoteError> {
        let (checkpoint, note) = Self::parse_note(bytes)?;
        note.verify(key)?;
        if checkpoint.origin != key.name() {
            return Err(NoteError::Unsigned(checkpoint.origin));
        }
        Ok(checkpoint)
    }

    /// The signed form.
    pub fn sign(&self, key: &SignerKey) -> Result<String, NoteError> {
        self.sign_by(&[key])
    }

    /// The form with several signatures, as it is stored: of the log's key and of the open epoch's.
    pub fn sign_by(&self, keys: &[&SignerKey]) -> Result<String, NoteError> {
        Note::sign_by(self.to_string(), keys).map(|note| note.to_string())
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::tree;

    #[test]
    fn published_vector() {
        let key = SignerKey::from_seed("trail.example.org/host-1", &std::array::from_fn(|i| i as u8)).expect("a name");
        let leaves = [
            r#"{"seq":0,"v":1,"what":"trail.genesis"}"#,
            r#"{"seq":1,"v":1,"what":"ssh.login.fail","who":"root"}"#,
            r#"{"seq":2,"v":1,"what":"ssh.login.ok","who":"alice"}"#,
        ];
        let root = tree::fold(&leaves.map(|line| tree::leaf(line.as_bytes())));
        let checkpoint = Checkpoint { origin: key.name().to_owned(), size: 3, root };
        let signed = checkpoint.sign(&key).expect("a good text");
        assert_eq!(
            signed,
            "trail.example.org/host-1\n3\nX/s4u/dI504i0jmP4M2Fgrj/xe1442r7zisyu+z2ewo=\n\n\
             — trail.example.org/host-1 8MjiAKx88xJc6ne3c7pLUF+wvOhvT4jghOD4lYTqvlhWjRGXTmbOlxNVz\
             +QPKRD+8GxFbxzGR4LE8zSozolTDwzegA4=\n"
        );
        assert_eq!(Checkpoint::verify(signed.as_bytes(), &key.verifier()), Ok(checkpoint));
    }

    #[test]
    fn a_checkpoint_has_one_form() {
        let root = tree::empty().to_base64();
        assert!(Checkpoint::parse(&format!("a/b\n10\n{root}\n")).is_ok());
        for bad in [
            format!("a/b\n010\n{root}\n"),
            format!("a/b\n+10\n{root}\n"),
            format!("a/b\n10\n{root}\nmore\n"),
            format!("a/b\n10\n{root}"),
            format!("a b\n10\n{root}\n"),
            format!("a+b\n10\n{root}\n"),
            format!("\n10\n{root}\n"),
            format!("a/b\n18446744073709551616\n{root}\n"),
            "a/b\n10\nAAAA\n".to_owned(),
        ] {
            assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_key_of_another_trail_is_not_believed() {
        let ours = SignerKey::from_seed("org/host/ours", &[1; 32]).expect("a name");
        let theirs = Checkpoint { origin: "org/host/theirs".to_owned(), size: 0, root: tree::empty() };
        let signed = theirs.sign(&ours).expect("a good text");
        assert_eq!(
            Checkpoint::verify(signed.as_bytes(), &ours.verifier()),
            Err(NoteError::Unsigned("org/host/theirs".to_owned()))
        );
    }
}
