//! Waiting until something may have changed in some folders: inotify where there is any, and a slow
//! poll for file systems that do not notify and for links that lead elsewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::stop::{Stop, Woken};

/// How late a change is seen that inotify does not tell.
pub(super) const POLL: Duration = Duration::from_secs(1);

/// A busy file changes thousands of times a second; it is read this often.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Watch {
    stop: Stop,
    #[cfg(target_os = "linux")]
    inotify: Option<linux::Folders>,
}

impl Watch {
    pub(super) fn new(stop: Stop) -> Self {
        Self {
            stop,
            #[cfg(target_os = "linux")]
            inotify: linux::Folders::new(),
        }
    }

    pub(super) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Watches these folders, and no others.
    pub(super) fn folders(&mut self, wanted: BTreeSet<PathBuf>) {
        #[cfg(target_os = "linux")]
        if let Some(inotify) = &mut self.inotify {
            inotify.watch(wanted);
        }
        #[cfg(not(target_os = "linux"))]
        drop(wanted);
    }

    /// Waits for a change or the next poll.
    pub(super) fn wait(&mut self) -> Woken {
        #[cfg(target_os = "linux")]
        if let Some(inotify) = &mut self.inotify {
            let woken = self.stop.wait(Some(inotify.as_fd()), Some(POLL));
            if woken != Woken::Ready {
                return woken;
            }
            inotify.drain();
            return match self.stop.wait(None, Some(PAUSE)) {
                Woken::Time => Woken::Ready,
                other => other,
            };
        }
        self.stop.wait(None, Some(POLL))
    }
}

/// The folder that holds a path.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::{BTreeMap, BTreeSet};
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::path::PathBuf;

    use inotify::{Inotify, WatchDescriptor, WatchMask};

    pub(super) struct Folders {
        inotify: Inotify,
        watched: BTreeMap<PathBuf, WatchDescriptor>,
    }

    impl Folders {
        /// Without inotify (out of instances, a sandbox) the slow poll does it alone.
        pub(super) fn new() -> Option<Self> {
            match Inotify::init() {
                Ok(inotify) => Some(Self { inotify, watched: BTreeMap::new() }),
                Err(error) => {
                    tracing::info!(%error, "No inotify: files are polled every second.");
                    None
                }
            }
        }

        pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
            self.inotify.as_fd()
        }

        pub(super) fn watch(&mut self, wanted: BTreeSet<PathBuf>) {
            let gone: Vec<_> = self.watched.keys().filter(|path| !wanted.contains(*path)).cloned().collect();
            for path in gone {
                if let Some(descriptor) = self.watched.remove(&path) {
                    // It fails if the folder was deleted: then there is no watch either.
                    self.inotify.watches().remove(descriptor).unwrap_or_default();
                }
            }
            let mask = WatchMask::MODIFY | WatchMask::CREATE | WatchMask::MOVE | WatchMask::DELETE | WatchMask::ATTRIB;
            for path in wanted {
                // Adding a watch again is cheap, and needed when the folder was replaced.
                if let Ok(descriptor) = self.inotify.watches().add(&path, mask | WatchMask::ONLYDIR) {
                    self.watched.insert(path, descriptor);
                }
            }
        }

        /// Throws the events away: what changed is seen by looking.
        pub(super) fn drain(&mut self) {
            let mut buffer = [0; 4_096];
            loop {
                let told = self.inotify.read_events(&mut buffer).map(Iterator::count);
                match told {
                    Ok(1..) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    _ => return,
                }
            }
        }
    }
}
