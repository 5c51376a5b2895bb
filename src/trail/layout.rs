//! Where everything of a trail lies, and who may read it.
//!
//! ```text
//! <data>/lock                              held by the one writer, names it
//! <data>/trail/origin                      name, mode and birth of the trail
//! <data>/trail/segment/<first entry>.jsonl entries, one a line; 20 digits
//! <data>/trail/segment/<first entry>.blocks  a cache: where every 256th line begins
//! <data>/trail/segment/<first entry>.jsonl.zst  the same entries, sealed: one of the two, or both for a moment
//! <data>/trail/acknowledged                how many entries are durable
//! <data>/trail/tile/<level>/<n>            hashes
//! <data>/trail/checkpoint                  the signed size and root
//! <data>/trail/cosigned                    checkpoints with the cosignatures of witnesses
//! <data>/trail/keys                        how one key of the log followed the other
//! <data>/trail/epochs                      the same of the keys of epochs
//! <data>/trail/blob/<sha256>               records that are longer than a line
//! <data>/trail/quarantine/                 what a crash left behind unfinished
//! <data>/trail/recovered                   of these, what no event tells of yet
//! <data>/trail/adopted                     that the trail has a new name, if no event tells of it yet
//! <data>/trail/adopting/                   what of that is not in its place yet; adopting.tmp/: not in force
//! <data>/trail/pruned                      the first entry that is kept, if not all are
//! <data>/trail/hold                        why nothing may be pruned
//! <data>/trail/seen/                       a cache: the ids of all entries, sorted
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::TrailError;

/// The group may read: a monitoring user runs `check`.
pub(super) const FOLDER_MODE: u32 = 0o750;
pub(super) const FILE_MODE: u32 = 0o640;

/// The folders and files of one trail.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) data: PathBuf,
    pub(super) trail: PathBuf,
}

impl Layout {
    pub(super) fn new(data: &Path) -> Self {
        Self { data: data.to_owned(), trail: data.join("trail") }
    }

    /// Of a data folder or of its `trail`, whichever this is.
    pub(super) fn of_copy(folder: &Path) -> Self {
        let this = Self::new(folder);
        match this.trail.is_dir() {
            true => this,
            false => Self { data: folder.to_owned(), trail: folder.to_owned() },
        }
    }

    pub(super) fn create_folders(&self) -> Result<(), TrailError> {
        for folder in [self.data.clone(), self.segments(), self.blobs(), self.quarantine(), self.seen()] {
            create_folder(&folder).map_err(|error| TrailError::io(folder, error))?;
        }
        Ok(())
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.data.join("lock")
    }

    pub(super) fn origin(&self) -> PathBuf {
        self.trail.join("origin")
    }

    pub(super) fn segments(&self) -> PathBuf {
        self.trail.join("segment")
    }

    pub(super) fn segment(&self, first: u64) -> PathBuf {
        self.segments().join(format!("{first:020}.jsonl"))
    }

    pub(super) fn sealed(&self, first: u64) -> PathBuf {
        self.segments().join(format!("{first:020}.jsonl.zst"))
    }

    /// Where a sealed segment is written before it is compared.
    pub(super) fn sealing(&self, first: u64) -> PathBuf {
        self.segments().join(format!("{first:020}.jsonl.zst.tmp"))
    }

    pub(super) fn acknowledged(&self) -> PathBuf {
        self.trail.join("acknowledged")
    }

    pub(super) fn checkpoint(&self) -> PathBuf {
        self.trail.join("checkpoint")
    }

    pub(super) fn cosigned(&self) -> PathBuf {
        self.trail.join("cosigned")
    }

    pub(super) fn keys(&self) -> PathBuf {
        self.trail.join("keys")
    }

    pub(super) fn epochs(&self) -> PathBuf {
        self.trail.join("epochs")
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.trail.join("blob")
    }

    pub(super) fn quarantine(&self) -> PathBuf {
        self.trail.join("quarantine")
    }

    pub(super) fn recovered(&self) -> PathBuf {
        self.trail.join("recovered")
    }

    pub(super) fn adopted(&self) -> PathBuf {
        self.trail.join("adopted")
    }

    pub(super) fn adopting(&self) -> PathBuf {
        self.trail.join("adopting")
    }

    pub(super) fn adopting_staged(&self) -> PathBuf {
        self.trail.join("adopting.tmp")
    }

    pub(super) fn pruned(&self) -> PathBuf {
        self.trail.join("pruned")
    }

    pub(super) fn hold(&self) -> PathBuf {
        self.trail.join("hold")
    }

    pub(super) fn seen(&self) -> PathBuf {
        self.trail.join("seen")
    }
}

pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)
}

/// A file that is written in place; made if it is not there.
pub(super) fn open_to_write(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE_MODE).open(path)
}

/// A small file as a whole, if it is there; what is longer than `most` is none of ours.
pub(super) fn read_small(path: &Path, most: u64) -> Result<Option<Vec<u8>>, TrailError> {
    let failed = |error| TrailError::io(path, error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut io::Read::take(file, most + 1), &mut bytes).map_err(failed)?;
    match bytes.len() as u64 > most {
        true => Err(TrailError::malformed(path, "it is far too long")),
        false => Ok(Some(bytes)),
    }
}

/// The names of the files in a folder, sorted; none where there is no folder.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, TrailError> {
    let failed = |error| TrailError::io(folder, error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    names.sort_unstable();
    Ok(names)
}
