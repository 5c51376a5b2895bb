//! Why an index could not answer or take in.

use std::io;
use std::path::PathBuf;

use tantivy::TantivyError;
use tantivy::directory::error::{LockError, OpenDirectoryError, OpenReadError, OpenWriteError};

#[cfg(feature = "elastic")]
use crate::cluster::Failure;
use crate::event::Stamp;
use crate::trail::TrailError;

/// Why an index could not answer. A check that meets one is UNKNOWN.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    // Mend what is named, then ask again.
    #[error("no trail at {0}: nothing was ever collected there")]
    NoTrail(PathBuf),
    #[error("{path} may not be read by this user ({source}): add them to the group that owns it")]
    Permission { path: PathBuf, source: io::Error },
    #[error("more than {most} links bear on the answer: name a shorter time")]
    Links { most: usize },

    #[error("there are more than {most} groups to count: name a shorter time, or fewer fields")]
    Groups { most: usize },

    #[error(
        "the index has nothing of {to} and before any more: name a later --since, or keep more (`keep_days` under [index])"
    )]
    Dropped { to: Stamp },

    // Ask again later.
    #[error("the index is {by} events behind the trail: start `whodid run`, or wait until it has caught up")]
    Behind { by: u64 },
    #[error("another process writes the index at {0}")]
    Busy(PathBuf),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },

    // Rebuild.
    #[error("the index at {path} cannot be used: {damage}; `whodid index rebuild` makes it anew from the trail")]
    Damaged { path: PathBuf, damage: Damage },

    // Stop.
    #[error("{path}: the search engine failed: {source}")]
    Engine { path: PathBuf, source: Box<TantivyError> },
    #[error("entry {seq} of the trail is no event that this version can read: {source}")]
    Entry { seq: u64, source: serde_json::Error },
    #[cfg(feature = "elastic")]
    #[error(transparent)]
    Cluster(#[from] Failure),
    #[error(transparent)]
    Trail(TrailError),
    #[error("entry {seq} of the trail was handed to the index after {next}: entries come in their order")]
    Order { seq: u64, next: u64 },
}

/// What is wrong with an index that lies on the disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    #[error("its position is unreadable ({0})")]
    Position(serde_json::Error),
    #[error("it was made by another version")]
    Version,
    #[error("it has events up to {index} where the trail ends at {trail}")]
    Ahead { index: u64, trail: u64 },
    #[error("it is a view of another trail")]
    OtherTrail,
    #[error("a partition is missing")]
    Missing,
    #[error("its last commit is lost: complete to {found} instead of {expected}")]
    Lost { found: u64, expected: u64 },
    #[error("{0}")]
    Engine(Box<TantivyError>),

    // Of a cluster.
    #[error("its index {0} is gone (`whodid index reconcile` puts it there again)")]
    Gone(String),
    #[error("{found} events are there instead of {expected} (`whodid index reconcile` finds out which, and mends it)")]
    Count { found: u64, expected: u64 },
    #[error("its index {0} has other fields than this version wrote")]
    OtherFields(String),
    #[error("its indices are named by {0}, which is no longer what the configuration says")]
    OtherNames(String),
    #[error("entry {seq} of the trail is another one than was written")]
    OtherEntry { seq: u64 },
}

impl From<TrailError> for IndexError {
    fn from(error: TrailError) -> Self {
        match error {
            TrailError::NoTrail(path) => Self::NoTrail(path),
            TrailError::Permission { path, source } => Self::Permission { path, source },
            TrailError::Io { path, source } => Self::Io { path, source },
            error => Self::Trail(error),
        }
    }
}

impl IndexError {
    /// Whether the same call may succeed later without anybody doing anything.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Behind { .. } | Self::Busy(_) | Self::Io { .. } => true,
            #[cfg(feature = "elastic")]
            Self::Cluster(failure) => failure.is_passing(),
            _ => false,
        }
    }

    /// Whether a rebuild mends it.
    pub fn needs_rebuild(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }

    pub(super) fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Permission { path, source },
            _ => Self::Io { path, source },
        }
    }

    pub(super) fn damaged(path: impl Into<PathBuf>, damage: Damage) -> Self {
        Self::Damaged { path: path.into(), damage }
    }

    /// What went wrong while the engine worked at `path`.
    pub(super) fn engine(path: impl Into<PathBuf>, error: TantivyError) -> Self {
        let path = path.into();
        match error {
            TantivyError::LockFailure(LockError::LockBusy, _) => Self::Busy(path),
            TantivyError::DataCorruption(_) | TantivyError::IncompatibleIndex(_) => {
                Self::Damaged { path, damage: Damage::Engine(Box::new(error)) }
            }
            TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(_) | OpenReadError::IncompatibleIndex(_))
            | TantivyError::OpenDirectoryError(OpenDirectoryError::DoesNotExist(_)) => {
                Self::Damaged { path, damage: Damage::Engine(Box::new(error)) }
            }
            error => match system_error(&error) {
                Some(source) => Self::io(path, source),
                None => Self::Engine { path, source: Box::new(error) },
            },
        }
    }
}

/// The system's own error inside one of the engine's, where there is one.
fn system_error(error: &TantivyError) -> Option<io::Error> {
    let shared = match error {
        TantivyError::IoError(io_error)
        | TantivyError::LockFailure(LockError::IoError(io_error), _)
        | TantivyError::OpenReadError(OpenReadError::IoError { io_error, .. })
        | TantivyError::OpenWriteError(OpenWriteError::IoError { io_error, .. })
        | TantivyError::OpenDirectoryError(OpenDirectoryError::IoError { io_error, .. }) => io_error,
        _ => return None,
    };
    // The engine shares its errors, and an io::Error cannot be cloned: kind and text are what callers use.
    shared
        .raw_os_error()
        .map(io::Error::from_raw_os_error)
        .or_else(|| Some(io::Error::new(shared.kind(), shared.to_string())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn of(error: TantivyError) -> IndexError {
        IndexError::engine("data/index", error)
    }

    #[test]
    fn errors_of_the_engine_are_sorted_by_what_the_caller_does() {
        let denied = || Arc::new(io::Error::from(io::ErrorKind::PermissionDenied));
        let full = Arc::new(io::Error::from(io::ErrorKind::StorageFull));
        let lock = TantivyError::LockFailure(LockError::IoError(denied()), None);
        assert!(matches!(of(lock), IndexError::Permission { .. }));
        let open = OpenReadError::IoError { io_error: denied(), filepath: "meta.json".into() };
        assert!(matches!(of(open.into()), IndexError::Permission { .. }));
        assert!(of(TantivyError::IoError(full)).is_transient());
        assert!(of(TantivyError::LockFailure(LockError::LockBusy, None)).is_transient());
        assert!(of(OpenReadError::FileDoesNotExist("meta.json".into()).into()).needs_rebuild());
    }
}
