//! One writer at a time: an advisory lock (`flock(2)`) that ends with the process that holds it.
//!
//! The file `lock` names the holder. The folder itself is locked too: deleting the file, as people do
//! with locks that seem to be left over, lets nobody else in.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::TrailError;
use super::error::Holder;
use super::layout::{Layout, open_to_write, read_small};
use crate::event::Stamp;

/// Held as long as this lives.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    _folder: File,
}

/// More than any command's name; what is longer was written by somebody else.
const HOLDER_BYTES_MAX: u64 = 256;

impl Lock {
    /// Takes the lock of a data folder; `command` is what others are told about who has it.
    pub fn take(data: &Path, command: &str, now: Stamp) -> Result<Self, TrailError> {
        let layout = &Layout::new(data);
        let path = layout.lock();
        let file = open_to_write(&path).map_err(|error| TrailError::io(&path, error))?;
        let folder = File::open(data).map_err(|error| TrailError::io(data, error))?;
        let held = || TrailError::Held { holder: holder(layout), path: path.clone() };
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => return Err(held()),
            Err(error) => return Err(TrailError::io(path, error.into())),
        }
        // Some network file systems lock no folders: there the file has to do.
        if let Err(Errno::WOULDBLOCK) = flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            return Err(held());
        }
        let text = format!("{command} (process {}, since {now})\n", process::id());
        // Only a message for others depends on it: a full disk is met where it matters.
        if file.set_len(0).is_ok() {
            file.write_all_at(text.as_bytes(), 0).unwrap_or_default();
        }
        Ok(Self { _file: file, _folder: folder })
    }
}

fn holder(layout: &Layout) -> Holder {
    let bytes = read_small(&layout.lock(), HOLDER_BYTES_MAX).ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    Holder { text: (!text.is_empty()).then_some(text) }
}
