//! The files of [`succession`](super::succession) on the disk: written at their end, never elsewhere.
//!
//! Opening reads the end alone: the newest record and what a crash left behind it. The chain as a whole
//! is the business of `trail verify`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use super::TrailError;
use super::error::Damage;
use super::layout::{self, FILE_MODE};
use super::notes;
use super::succession::Record;
use crate::durable;

/// More than two records of the longest names, and the beginning of a third.
const END_BYTES: u64 = 32 << 10;

/// A file of records that is written.
#[derive(Debug)]
pub(super) struct Records {
    path: PathBuf,
    file: File,
    end: u64,
}

/// The newest record of a file.
#[derive(Debug)]
pub(super) struct Newest {
    pub(super) record: Record,
    bytes: Vec<u8>,
    end: u64,
}

impl Records {
    /// A file with its first record, there as a whole or not at all.
    pub(super) fn begin(path: PathBuf, first: &str) -> Result<Self, TrailError> {
        durable::replace(&path, first.as_bytes(), FILE_MODE).map_err(|error| TrailError::io(&path, error))?;
        Self::open(path, first.len() as u64)
    }

    /// A file whose newest record is known. What a crash left behind it is cut.
    pub(super) fn resume(path: PathBuf, newest: &Newest) -> Result<Self, TrailError> {
        let this = Self::open(path, newest.end)?;
        let failed = |error| TrailError::io(&this.path, error);
        if this.file.metadata().map_err(failed)?.len() > this.end {
            this.file.set_len(this.end).map_err(failed)?;
            this.file.sync_all().map_err(|error| TrailError::sync(&this.path, error))?;
        }
        Ok(this)
    }

    fn open(path: PathBuf, end: u64) -> Result<Self, TrailError> {
        let file = layout::open_to_write(&path).map_err(|error| TrailError::io(&path, error))?;
        Ok(Self { path, file, end })
    }

    /// One more record, durably.
    pub(super) fn append(&mut self, record: &str) -> Result<(), TrailError> {
        if let Err(error) = self.file.write_all_at(record.as_bytes(), self.end) {
            // Gives back what the half of it took.
            self.file.set_len(self.end).unwrap_or_default();
            return Err(TrailError::io(&self.path, error));
        }
        self.file.sync_data().map_err(|error| TrailError::sync(&self.path, error))?;
        self.end += record.len() as u64;
        Ok(())
    }

    /// Makes the newest record durable once more: after a failed sync a file may show what is not on the disk.
    pub(super) fn write_again(&self, newest: &Newest) -> Result<(), TrailError> {
        let at = newest.end - newest.bytes.len() as u64;
        self.file.write_all_at(&newest.bytes, at).map_err(|error| TrailError::io(&self.path, error))?;
        self.file.sync_data().map_err(|error| TrailError::sync(&self.path, error))
    }
}

impl Newest {
    /// The file up to the end of this record.
    pub(super) fn file(&self, path: &Path) -> Result<Vec<u8>, TrailError> {
        let mut bytes = std::fs::read(path).map_err(|error| TrailError::io(path, error))?;
        bytes.truncate(self.end as usize);
        Ok(bytes)
    }
}

/// The newest record of a file, signed by its own key at least; none where there is no file.
pub(super) fn newest(path: &Path) -> Result<Option<Newest>, TrailError> {
    let failed = |error| TrailError::io(path, error);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let length = file.metadata().map_err(failed)?.len();
    let from = length.saturating_sub(END_BYTES);
    let mut bytes = vec![0; (length - from) as usize];
    file.read_exact_at(&mut bytes, from).map_err(failed)?;
    let begins: Vec<usize> = memchr::memmem::find_iter(&bytes, b"\nwhodid ").map(|at| at + 1).collect();
    let skip = if from == 0 { 0 } else { begins.iter().rev().nth(2).copied().unwrap_or_default() };
    let mut newest: Option<Newest> = None;
    let tail = bytes.get(skip..).unwrap_or_default();
    for (at, read) in notes::read(tail) {
        let record = read.and_then(|(note_bytes, note)| {
            let record = Record::parse(note.text())?;
            note.verify(&record.key)?;
            Ok((record, note_bytes))
        });
        match record {
            Ok((record, note_bytes)) => {
                let end = from + (skip + at + note_bytes.len()) as u64;
                newest = Some(Newest { record, bytes: note_bytes.to_vec(), end });
            }
            Err(_)
                if newest
                    .as_ref()
                    .is_some_and(|newest| newest.record.is_before_torn(tail.get(at..).unwrap_or_default())) =>
            {
                break;
            }
            Err(error) => return Err(TrailError::damaged(path, Damage::Note(error))),
        }
    }
    newest.map(Some).ok_or_else(|| TrailError::malformed(path, "it holds no record of a key"))
}

/// The first record of a file; who signed it is not checked.
pub(super) fn first(path: &Path) -> Result<Option<Record>, TrailError> {
    let failed = |error| TrailError::io(path, error);
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => io::Read::read_to_end(&mut io::Read::take(file, END_BYTES), &mut bytes).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let note = notes::read(&bytes).next().and_then(|(_, read)| read.ok());
    Ok(note.and_then(|(_, note)| Record::parse(note.text()).ok()))
}
