//! Why the trail could not be written, read or opened, grouped by what the caller does.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::Mode;

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

    // Wait until there is room, then call again: nothing was lost.
    #[error("no room to write {path} ({source}): free some space, writing goes on by itself")]
    Full { path: PathBuf, source: io::Error },

    // Do not go on with this folder: a human decides.
    #[error("{path}: {damage}; this lies below what was signed and is not repaired")]
    Damaged { path: PathBuf, damage: Damage },
    #[error(
        "rolled back: {path} is signed up to entry {have}, but up to {known} was signed before \
         (remembered in {remembered}): this is an older copy; bring back the newer one"
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
}

/// Who holds the trail, as it wrote it down itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holder {
    /// Absent while the holder is just starting.
    pub text: Option<String>,
}

/// What does not agree with what.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    #[error("the file is missing")]
    Missing,
    #[error("the file cannot be read as what it is ({0})")]
    Malformed(&'static str),
}

impl TrailError {
    /// The same call may be made again, and nothing was lost.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Full { .. })
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
            None => f.write_str("another process that is just starting"),
        }
    }
}
