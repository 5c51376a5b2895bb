//! Why the trail could not be written, read or opened, grouped by what the caller does.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::Mode;
use super::agent::AgentError;
use super::note::NoteError;
use super::succession::Broken;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrailError {
    // Mend what is named, then start again.
    #[error("no trail at {0}: nothing was ever collected there")]
    NoTrail(PathBuf),
    #[error("{path} may not be used by this user ({source}): run as the owner, or join the group that owns it")]
    Permission { path: PathBuf, source: io::Error },
    #[error("{path} is held by {holder}: stop that first, or use another data folder")]
    Held { path: PathBuf, holder: Holder },
    #[error("{path} holds a {recorded} trail and this configuration is {}: use another data folder", recorded.other())]
    Mode { path: PathBuf, recorded: Mode },
    #[error("\"{name}\" cannot be part of a trail's name: use letters, digits, '.', '-' and '_', at most 255")]
    Name { name: String },
    #[error("{path}: {reason}")]
    Key { path: PathBuf, reason: String },
    #[error("{path} is not adopted: {reason}")]
    Adoption { path: PathBuf, reason: String },

    // Wait until there is room, then call again: nothing was lost.
    #[error(
        "no room to write {path} ({source}): free some space; a writer at work goes on by itself, else start it again"
    )]
    Full { path: PathBuf, source: io::Error },

    // Sign later: everything else goes on.
    #[error("{0}; what is stored is safe, and is signed as soon as that is possible")]
    Signer(AgentError),

    // Do not go on with this folder: a human decides.
    #[error("{path}: {damage}; this is not repaired, so that no change goes unseen: `whodid trail verify` tells more")]
    Damaged { path: PathBuf, damage: Damage },
    #[error(
        "rolled back: {path} is signed up to entry {have}, but up to {known} was signed before \
         (remembered in {remembered}): this is an older copy; bring back the newer one. If there is none, \
         `whodid trail adopt --reason TEXT` goes on with this one under a new name, and records what was lost"
    )]
    RolledBack { path: PathBuf, have: u64, known: u64, remembered: PathBuf },

    // The state on disk is unknown: end the process, the next start recovers.
    #[error("{path} could not be made durable ({source}): stopping, because what is on disk is unknown")]
    Sync { path: PathBuf, source: io::Error },
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("the trail stopped after an earlier error")]
    Stopped,

    // The caller asked for what is not there.
    #[error("there is no entry {seq}: the trail ends at {size}")]
    Beyond { seq: u64, size: u64 },
    #[error("entry {seq} was pruned: entries from {first} on are kept")]
    Pruned { seq: u64, first: u64 },
    #[error("entry {seq} is not signed yet: the checkpoint covers {size}; a writer at work signs within a second")]
    NotSigned { seq: u64, size: u64 },
}

/// Who holds the trail, as it wrote it down itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holder {
    /// Absent while the holder is just starting, and where the file was deleted.
    pub text: Option<String>,
}

/// What does not agree with what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    #[error("the file is missing")]
    Missing,
    #[error("it cannot be read as what it is ({0})")]
    Malformed(&'static str),
    #[error("entry {seq} at byte {byte} is not what was signed")]
    Changed { seq: u64, byte: u64 },
    #[error("the frame that holds the lines from byte {byte} on cannot be decompressed")]
    Frame { byte: u64 },
    #[error("it ends before entry {seq}, and there were {size}")]
    Cut { seq: u64, size: u64 },
    #[error("entry {seq} should follow here, but the next one is {found}")]
    Hole { seq: u64, found: u64 },
    #[error("entry {seq} is no event that this version can read ({reason})")]
    Entry { seq: u64, reason: String },
    #[error("the hashes do not add up to what was signed")]
    Root,
    #[error("the tiles do not prove entry {seq} under the signed root")]
    Unproven { seq: u64 },
    #[error("what it signs is not the tree that was signed before, of {size} entries")]
    Forked { size: u64 },
    #[error("it signs {size} entries, and an epoch was closed at {closed}")]
    Behind { size: u64, closed: u64 },
    #[error("the keys do not follow one another: {0}")]
    Chain(Broken),
    #[error("it cannot be believed: {0}")]
    Note(NoteError),
}

impl TrailError {
    /// The same call may be made again, and nothing was lost.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Signer(_))
    }

    pub(super) fn missing(path: impl Into<PathBuf>) -> Self {
        Self::Damaged { path: path.into(), damage: Damage::Missing }
    }

    pub(super) fn malformed(path: &Path, what: &'static str) -> Self {
        Self::Damaged { path: path.to_owned(), damage: Damage::Malformed(what) }
    }

    pub(super) fn damaged(path: impl Into<PathBuf>, damage: Damage) -> Self {
        Self::Damaged { path: path.into(), damage }
    }

    /// After it nobody knows what is on disk, so it is never tried again.
    pub(super) fn sync(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Sync { path: path.into(), source }
    }

    /// An error after which the same call must not be made again.
    pub(super) fn last(self) -> Self {
        match self {
            Self::Full { path, source } => Self::Sync { path, source },
            other => other,
        }
    }

    /// Why something that goes to `path` could not be signed.
    pub(super) fn signing(path: impl Into<PathBuf>, error: NoteError) -> Self {
        match error {
            NoteError::Agent(error) => Self::Signer(error),
            error => Self::io(path, io::Error::other(error)),
        }
    }

    /// Sorts an error of the system by what the caller can do about it.
    pub(super) fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Permission { path, source },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { path, source },
            _ => Self::Io { path, source },
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => f.write_str(text),
            None => f.write_str("another process, which has not written its name there"),
        }
    }
}
