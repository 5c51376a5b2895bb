//! Files that are either the old or the new one, whatever happens.
//!
//! Write a temporary file beside the target, fsync it, rename it, fsync the folder. After a failed
//! fsync Linux marks the pages clean, so an error here is never retried: the caller stops.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Replaces `path` with `bytes`, durably. `mode` is that of the new file.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    stage(path, bytes, mode, Sync::Durable)
}

/// Replaces `path` at once for readers, but not durably: for caches that can be rebuilt.
pub fn swap(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    stage(path, bytes, mode, Sync::Cache)
}

/// Gives a durable file its final name in the same folder, durably.
pub fn publish(temporary: &Path, path: &Path) -> io::Result<()> {
    #[expect(clippy::disallowed_methods, reason = "the folder is made durable next")]
    fs::rename(temporary, path)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sync {
    Durable,
    Cache,
}

fn stage(path: &Path, bytes: &[u8], mode: u32, sync: Sync) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    file.write_all(bytes)?;
    if sync == Sync::Durable {
        file.sync_all()?;
    }
    #[expect(clippy::disallowed_methods, reason = "the file is durable, or a cache")]
    fs::rename(&temporary, path)?;
    if sync == Sync::Durable {
        // The new name stands, and whether it lasts is unknown: room on the disk does not mend that.
        sync_folder(path.parent().unwrap_or(Path::new("."))).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Makes the names in a folder durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}
