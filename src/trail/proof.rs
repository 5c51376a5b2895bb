//! C2SP tlog-proof: one entry, where it is in the tree, and who signed the tree, in one file.
//!
//! ```text
//! c2sp.org/tlog-proof@v1 LF
//! index <n> LF
//! <base64 hash> LF            leaf sibling upward, none for a tree of one
//! LF
//! <the signed checkpoint, verbatim>
//! ```

use std::fmt;

use super::checkpoint::Checkpoint;
use super::note::{NoteError, VerifierKey};
use super::tree::{self, Hash};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub index: u64,
    pub path: Vec<Hash>,
    /// The signed note.
    pub checkpoint: String,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    #[error("it is no proof of inclusion: {0}")]
    Malformed(&'static str),
    #[error("its checkpoint cannot be believed: {0}")]
    Checkpoint(#[from] NoteError),
    #[error("the entry is not at place {index} of the {size} that were signed")]
    NotIncluded { index: u64, size: u64 },
}

const HEADER: &str = "c2sp.org/tlog-proof@v1\n";

/// A tree of 2^64 leaves has no longer path.
const PATH_MAX: usize = 64;

impl Proof {
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        let malformed = ProofError::Malformed;
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8"))?;
        let rest = text.strip_prefix(HEADER).ok_or(malformed("its first line is another"))?;
        let (head, checkpoint) = rest.split_once("\n\n").ok_or(malformed("it holds no checkpoint"))?;
        let mut lines = head.split('\n');
        let index = lines.next().and_then(|line| line.strip_prefix("index ")?.parse().ok());
        let index = index.ok_or(malformed("its second line is not `index <n>`"))?;
        let path: Option<Vec<Hash>> = lines.map(|line| Hash::from_base64(line.as_bytes())).collect();
        let path = path.filter(|path| path.len() <= PATH_MAX).ok_or(malformed("a hash cannot be read"))?;
        let this = Self { index, path, checkpoint: checkpoint.to_owned() };
        if this.to_string() == text { Ok(this) } else { Err(malformed("it is not written in the one form")) }
    }

    /// Whether `line` is the entry that this proof is about, in a tree that `key` signed.
    pub fn verify(&self, line: &[u8], key: &VerifierKey) -> Result<Checkpoint, ProofError> {
        let checkpoint = Checkpoint::verify(self.checkpoint.as_bytes(), key)?;
        let (size, root) = (checkpoint.size, checkpoint.root);
        match tree::is_included(tree::leaf(line), self.index, size, &self.path, root) {
            true => Ok(checkpoint),
            false => Err(ProofError::NotIncluded { index: self.index, size }),
        }
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::trail::note::SignerKey;

    const LINES: [&[u8]; 5] = [b"a", b"b", b"c", b"d", b"e"];

    fn key() -> SignerKey {
        SignerKey::from_seed("org/host/id", &[3; 32]).expect("a good name")
    }

    fn proof(index: u64) -> Proof {
        let leaves = LINES.map(tree::leaf);
        let mut stored = |subtree: tree::Subtree| {
            let first = (subtree.index << subtree.level) as usize;
            Ok::<_, Infallible>(tree::fold(&leaves[first..first + (1 << subtree.level)]))
        };
        let path = tree::inclusion(index, 5, &mut stored).unwrap_or_else(|never| match never {});
        let checkpoint = Checkpoint { origin: "org/host/id".to_owned(), size: 5, root: tree::fold(&leaves) };
        Proof { index, path, checkpoint: checkpoint.sign(&key()).expect("a good text") }
    }

    #[test]
    fn proves_each_entry_at_its_place_and_no_other() {
        for (index, line) in LINES.iter().enumerate() {
            let proof = proof(index as u64);
            let read = Proof::parse(proof.to_string().as_bytes());
            assert_eq!(read.as_ref(), Ok(&proof));
            assert!(proof.verify(line, &key().verifier()).is_ok());
            for other in LINES.iter().filter(|other| *other != line) {
                assert!(proof.verify(other, &key().verifier()).is_err());
            }
        }
    }

    #[test]
    fn any_changed_byte_or_cut_fails() {
        let bytes = proof(2).to_string().into_bytes();
        let holds = |bytes: &[u8]| Proof::parse(bytes).is_ok_and(|p| p.verify(b"c", &key().verifier()).is_ok());
        assert!(holds(&bytes));
        for i in 0..bytes.len() {
            assert!(!holds(&bytes[..i]), "cut at {i}");
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[i] ^= 1 << bit;
                assert!(!holds(&changed), "byte {i} bit {bit}");
            }
        }
    }

    #[test]
    fn a_tree_of_one_has_an_empty_path() {
        let checkpoint = Checkpoint { origin: "org/host/id".to_owned(), size: 1, root: tree::leaf(b"a") };
        let proof = Proof { index: 0, path: Vec::new(), checkpoint: checkpoint.sign(&key()).expect("a good text") };
        let text = proof.to_string();
        assert!(text.starts_with("c2sp.org/tlog-proof@v1\nindex 0\n\norg/host/id\n1\n"));
        assert_eq!(Proof::parse(text.as_bytes()).as_ref(), Ok(&proof));
        assert!(proof.verify(b"a", &key().verifier()).is_ok());
    }
}
