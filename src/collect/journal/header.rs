//! What a journal file says of itself: which numbers its records have.
//!
//! The first bytes of a file (systemd's "Journal File Format"), all numbers little-endian:
//!
//! | at | bytes | what |
//! |---:|---:|---|
//! | 0 | 8 | `LPKSHHRH` |
//! | 72 | 16 | the sequence |
//! | 152 | 8 | how many records |
//! | 160 | 8 | number of the last one |
//! | 168 | 8 | number of the first one |
//!
//! journalctl ends without a word where a file is damaged; these numbers tell that there was more. They are not
//! followed into the file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::config::source::Journal;

const HEADER_BYTES: usize = 176;

/// The numbers of a file's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) first: u64,
    pub(super) last: u64,
}

/// The numbers in every file of a journal that can be read, by their sequences.
pub(super) fn tails(journal: &Journal) -> Vec<(String, Tail)> {
    files(journal).iter().filter_map(|path| tail(path)).collect()
}

/// The files of a journal that is named by files or a folder; of the machine's own, none.
fn files(journal: &Journal) -> Vec<PathBuf> {
    let in_folder = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let mut files = journal.files.clone();
    for path in journal.directory.iter().flat_map(|folder| in_folder(folder)) {
        // journald keeps its files in a folder that is named after the machine.
        if path.is_dir() { files.extend(in_folder(&path)) } else { files.push(path) }
    }
    let is_journal = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "journal");
    files.retain(|path| journal.files.contains(path) || is_journal(path));
    files
}

/// The sequence of a file and the numbers of its records; none if it holds none, or is no journal file.
fn tail(path: &Path) -> Option<(String, Tail)> {
    let mut head = [0; HEADER_BYTES];
    File::open(path).ok()?.read_exact(&mut head).ok()?;
    parse(&head)
}

fn parse(head: &[u8; HEADER_BYTES]) -> Option<(String, Tail)> {
    let number = |at: usize| Some(u64::from_le_bytes(head.get(at..at + 8)?.try_into().ok()?));
    let is_journal = head.starts_with(b"LPKSHHRH") && number(152)? > 0;
    let sequence = data_encoding::HEXLOWER.encode(head.get(72..88)?);
    let tail = Tail { first: number(168)?, last: number(160)? };
    (is_journal && (1..=tail.last).contains(&tail.first)).then_some((sequence, tail))
}

/// What the files of one sequence hold together.
pub(super) fn last(tails: Vec<(String, Tail)>) -> BTreeMap<String, Tail> {
    let mut all: BTreeMap<String, Tail> = BTreeMap::new();
    for (sequence, tail) in tails {
        let known = all.entry(sequence).or_insert(tail);
        *known = Tail { first: known.first.min(tail.first), last: known.last.max(tail.last) };
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_nonsense_is_not() {
        let mut head = [0; HEADER_BYTES];
        assert_eq!(parse(&head), None);
        head[..8].copy_from_slice(b"LPKSHHRH");
        head[72..88].copy_from_slice(&[0xab; 16]);
        head[152] = 3;
        head[160] = 9;
        head[168] = 7;
        assert_eq!(parse(&head), Some(("ab".repeat(16), Tail { first: 7, last: 9 })));
        head[168] = 10;
        assert_eq!(parse(&head), None);
    }
}
