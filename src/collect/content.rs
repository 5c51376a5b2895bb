//! A regular file, opened without ever waiting for it, and its content from any offset.
//!
//! A glob may meet FIFOs, sockets and devices: opening a FIFO waits for a writer, reading a terminal
//! takes what somebody types. Nothing but a regular file is read. Symbolic links are followed: logs
//! are often links.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use rustix::fs::OFlags;

use super::packing::Packing;
use super::unpack::{self, Members, Unpack};
use crate::event::Stamp;

/// Finds a file again while it is open or listed; what it holds is decided by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

/// Changes when a file's content does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Print {
    pub(super) id: FileId,
    pub(super) size: u64,
    modified: (i64, i64),
    /// Where the file system knows it.
    born: Option<Duration>,
}

impl Print {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            id: FileId { device: metadata.dev(), inode: metadata.ino() },
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            born: metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()),
        }
    }

    /// The file's time of change.
    pub(super) fn modified(&self) -> Stamp {
        Stamp::from_unix(self.modified.0, u32::try_from(self.modified.1).unwrap_or(0))
    }

    /// Names the file beyond this run: a number of an inode is given again, with another time of birth.
    pub(super) fn mark(&self) -> String {
        let born = self.born.unwrap_or_default();
        format!("{}@{}.{:09}", self.id.inode, born.as_secs(), born.subsec_nanos())
    }
}

/// Why a file cannot be read, in words that say what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unreadable {
    #[error("is missing: create it or correct the path")]
    Missing,
    #[error("may not be read by this user: join the group that owns it (often adm) or run as root")]
    Denied,
    #[error("is a folder: name a file in it, or a glob such as {0}/*.log")]
    Folder(String),
    #[error("is {0}, not a file: only regular files are read")]
    Special(&'static str),
    #[error("is compressed with {0}, which whodid does not read: unpack it and run whodid ingest on it")]
    Compressed(&'static str),
    #[error("cannot be read: {0}")]
    Io(io::Error),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Io(error),
        }
    }
}

/// A regular file that is open, and whether it is packed.
pub(super) struct Content {
    pub(super) file: File,
    pub(super) print: Print,
    pub(super) packed: bool,
    members: Members,
    limit: u64,
}

impl Content {
    pub(super) fn open(path: &Path, members: Members, limit: u64) -> Result<Self, Unreadable> {
        regular(&path.metadata()?, path)?;
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
        let metadata = file.metadata()?;
        regular(&metadata, path)?;
        let mut magic = [0; 6];
        let n = read_at_least(&file, &mut magic)?;
        if let Some(name) = unpack::foreign_compression(&magic[..n]) {
            return Err(Unreadable::Compressed(name));
        }
        let packed = Packing::of(&magic[..n]).is_some();
        Ok(Self { file, print: Print::of(&metadata), packed, members, limit })
    }

    /// Whether a packer has filled it since it was opened: then it is to be opened again.
    pub(super) fn is_packed_by_now(&self) -> bool {
        let mut magic = [0; 6];
        let read = read_at_least(&self.file, &mut magic).unwrap_or(0);
        !self.packed && Packing::of(magic.get(..read).unwrap_or_default()).is_some()
    }

    /// The content as it is now.
    pub(super) fn look(&self) -> io::Result<Print> {
        Ok(Print::of(&self.file.metadata()?))
    }

    /// The bytes of the file, packed where it is.
    pub(super) fn packed_bytes(&self) -> BufReader<At<'_>> {
        BufReader::with_capacity(READ_BYTES, At { file: &self.file, offset: 0 })
    }

    /// The unpacked content from an offset on.
    pub(super) fn read_from(&self, offset: u64) -> io::Result<Unpack<BufReader<At<'_>>>> {
        let start = if self.packed { 0 } else { offset };
        let from = BufReader::with_capacity(READ_BYTES, At { file: &self.file, offset: start });
        let mut unpack = Unpack::new(from, self.members, self.limit);
        if self.packed {
            io::copy(&mut (&mut unpack).take(offset), &mut io::sink())?;
        }
        Ok(unpack)
    }
}

/// One read of a file: large enough to keep system calls rare, small enough for a core's cache.
pub(super) const READ_BYTES: usize = 128 << 10;

/// Reads a file from a place of its own, so that several readers can share the handle.
pub(super) struct At<'a> {
    file: &'a File,
    offset: u64,
}

impl Read for At<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(to, self.offset)?;
        self.offset += n as u64;
        Ok(n)
    }
}

fn regular(metadata: &Metadata, path: &Path) -> Result<(), Unreadable> {
    let kind = metadata.file_type();
    let special = if kind.is_file() {
        return Ok(());
    } else if kind.is_dir() {
        return Err(Unreadable::Folder(path.to_string_lossy().trim_end_matches('/').to_owned()));
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    Err(Unreadable::Special(special))
}

fn read_at_least(file: &File, to: &mut [u8]) -> io::Result<usize> {
    let mut have = 0;
    while have < to.len() {
        match file.read_at(&mut to[have..], have as u64)? {
            0 => break,
            n => have += n,
        }
    }
    Ok(have)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> Result<Content, Unreadable> {
        Content::open(path, Members::Many, u64::MAX)
    }

    #[test]
    fn nothing_but_a_regular_file_is_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let fifo = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .expect("a FIFO");
        assert!(matches!(open(&fifo), Err(Unreadable::Special("a FIFO"))));
        assert!(matches!(open(Path::new("/dev/null")), Err(Unreadable::Special("a device"))));
        assert!(matches!(open(folder.path()), Err(Unreadable::Folder(_))));
        assert!(matches!(open(&folder.path().join("none")), Err(Unreadable::Missing)));
        let circle = folder.path().join("circle");
        std::os::unix::fs::symlink(&circle, &circle).expect("a link");
        assert!(matches!(open(&circle), Err(Unreadable::Io(_))));
    }
}
