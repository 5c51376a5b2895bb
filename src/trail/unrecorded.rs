//! Recoveries that no event of the trail tells of yet: `trail/recovered`, which is usually not there.
//!
//! ```text
//! <entry> <bytes> <lines> <lost> <quarantine file, or -> LF      one for each
//! ```
//!
//! Written before anything is cut off, and deleted once the events are durable. So a kill or a full disk
//! between the two leaves no recovery untold.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::TrailError;
use super::layout::{FILE_MODE, Layout, read_small};
use crate::durable;

/// Thousands of them: nobody is killed so often in a row before the first event.
const BYTES_MAX: u64 = 1 << 20;

const NO_FILE: &str = "-";

/// What lay beyond the last signed entry and was not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Entries before this one were kept.
    pub at: u64,
    /// What was moved to quarantine, in bytes and in pieces that end in a line feed.
    pub bytes: u64,
    pub lines: u64,
    /// Entries that had been acknowledged and are gone: 0 unless the disk lied or somebody cut the file.
    pub lost: u64,
    /// Where it lies now; absent when nothing but the end of the file was missing.
    pub files: Vec<PathBuf>,
}

/// All that were noted, oldest first.
pub(super) fn read(layout: &Layout) -> Result<Vec<Recovered>, TrailError> {
    let path = layout.recovered();
    let Some(bytes) = read_small(&path, BYTES_MAX)? else { return Ok(Vec::new()) };
    let parsed =
        std::str::from_utf8(&bytes).ok().and_then(|text| text.lines().map(|line| parse(layout, line)).collect());
    parsed.ok_or_else(|| TrailError::malformed(&path, "it should tell of recoveries, one on a line"))
}

/// Notes them instead of those that were noted before.
pub(super) fn write(layout: &Layout, before: &[Recovered], recovered: &[Recovered]) -> Result<(), TrailError> {
    if recovered == before {
        return Ok(());
    }
    if recovered.is_empty() {
        return delete(layout);
    }
    let path = layout.recovered();
    let text: String = recovered.iter().map(line).collect();
    durable::replace(&path, text.as_bytes(), FILE_MODE).map_err(|error| TrailError::io(path, error))
}

/// All of them are told.
pub(super) fn delete(layout: &Layout) -> Result<(), TrailError> {
    let path = layout.recovered();
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(TrailError::io(path, error)),
        _ => Ok(()),
    }
}

fn line(recovered: &Recovered) -> String {
    let Recovered { at, bytes, lines, lost, files } = recovered;
    let name = files.first().and_then(|path| path.file_name()).map(|name| name.to_string_lossy());
    format!("{at} {bytes} {lines} {lost} {}\n", name.as_deref().unwrap_or(NO_FILE))
}

fn parse(layout: &Layout, line: &str) -> Option<Recovered> {
    let fields: Vec<&str> = line.split(' ').collect();
    let [at, bytes, lines, lost, name] = fields.as_slice() else { return None };
    let files = if *name == NO_FILE { vec![] } else { vec![layout.quarantine().join(name)] };
    Some(Recovered {
        at: at.parse().ok()?,
        bytes: bytes.parse().ok()?,
        lines: lines.parse().ok()?,
        lost: lost.parse().ok()?,
        files,
    })
}
