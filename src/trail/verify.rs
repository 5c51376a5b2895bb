//! (being built)

use std::path::{Path, PathBuf};

/// What a trail is checked against.
#[derive(Debug, Clone, Default)]
pub struct Against {
    /// The verifier key `<name>+<id>+<base64>`. Without one no signature can be checked.
    pub key: Option<String>,
    /// Checkpoints known from elsewhere (the second place, an anchor): signed notes.
    pub anchors: Vec<Vec<u8>>,
}

/// The verdict as exit code of `trail verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All that is signed is there and unchanged.
    Whole = 0,
    /// Something was changed or damaged.
    Altered = 1,
    /// Something is missing: the tail was cut, a segment is gone, or an anchor knows more.
    Incomplete = 2,
    /// The signature is wrong, or there was no key to check it with.
    Untrusted = 3,
    /// There is nothing to look at, or it may not be read.
    Unusable = 4,
}

/// Whether the checkpoint was signed by the expected key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    Good,
    Bad,
    /// No key was given.
    NotChecked,
}

/// One thing that is wrong, most telling first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub exit: Exit,
    /// The file, and the byte in it where it begins.
    pub path: PathBuf,
    pub byte: Option<u64>,
    /// The first entry concerned.
    pub seq: Option<u64>,
    pub text: String,
}

/// What verification found.
#[derive(Debug, Clone)]
pub struct Report {
    pub origin: Option<String>,
    /// Entries below this are proven by the signed checkpoint.
    pub complete_to: u64,
    /// Whole lines that lie there in all.
    pub lines: u64,
    pub bytes: u64,
    pub signature: Signature,
    /// How many anchors were given, and the highest size among them.
    pub anchors: usize,
    pub anchored_to: Option<u64>,
    pub findings: Vec<Finding>,
}

impl Report {
    pub fn exit(&self) -> Exit {
        todo!()
    }
}

/// Checks a copy of a trail; `folder` is a data folder or its `trail`. `progress` gets the bytes done
/// and the bytes there are.
pub fn verify(_folder: &Path, _against: &Against, _progress: &mut dyn FnMut(u64, u64)) -> Report {
    todo!()
}
