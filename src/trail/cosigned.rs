//! The file `trail/cosigned`: what witnesses answered, for those who verify a copy.
//!
//! ```text
//! <note> <note> …      a checkpoint with the log's signatures and the cosignature of one witness
//! ```
//!
//! Of each witness the newest of each day (UTC, by the witness's clock) stays, for [`DAYS_MAX`] days: enough to
//! say what it saw when, and bounded. Whoever can write the folder can delete it: that a witness saw more must
//! then be asked of the witness.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::layout::{FILE_MODE, Layout, read_small};
use super::note::Note;
use super::{TrailError, cosignature, notes};
use crate::durable;

/// Of one witness.
const DAYS_MAX: usize = 400;

/// A note has some 500 bytes; of a few dozen witnesses they fit.
pub(super) const BYTES_MAX: u64 = 16 << 20;

const SECONDS_A_DAY: u64 = 86_400;

/// Only one process has the trail, and several of its threads may have something to keep.
static WRITING: Mutex<()> = Mutex::new(());

/// Adds a cosigned checkpoint, durably; an older one of the same witness and day goes.
pub fn keep(data: &Path, cosigned: &Note) -> Result<(), TrailError> {
    let path = Layout::new(data).cosigned();
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let bytes = read_small(&path, BYTES_MAX)?.unwrap_or_default();
    // What is no note is no cosignature either.
    let kept: Vec<Note> = notes::read(&bytes).filter_map(|(_, note)| Some(note.ok()?.1)).collect();
    let text: String = with(kept, cosigned.clone()).iter().map(Note::to_string).collect();
    durable::replace(&path, text.as_bytes(), FILE_MODE).map_err(|error| TrailError::io(path, error))
}

fn with(mut kept: Vec<Note>, new: Note) -> Vec<Note> {
    let of =
        |note: &Note| cosignature::claimed(note).map(|(name, id, time)| ((name.to_owned(), id), time / SECONDS_A_DAY));
    let Some((witness, day)) = of(&new) else { return kept };
    kept.retain(|note| of(note).is_some_and(|(who, when)| who != witness || when != day));
    kept.push(new);
    let theirs = |note: &Note| of(note).is_some_and(|(who, _)| who == witness);
    let more = kept.iter().filter(|note| theirs(note)).count().saturating_sub(DAYS_MAX);
    for _ in 0..more {
        if let Some(oldest) = kept.iter().position(theirs) {
            kept.remove(oldest);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Stamp;
    use crate::trail::cosignature::Cosigner;
    use crate::trail::note::SignerKey;

    fn note(size: u64, witness: u8, day: i64, second: i64) -> Note {
        let key = SignerKey::from_seed("org/host/trail", &[7; 32]).expect("a good name");
        let witness = Cosigner::from_seed(&format!("w{witness}"), &[witness; 32]).expect("a good name");
        let mut note = Note::sign(format!("org/host/trail\n{size}\n"), &key).expect("a good text");
        note.add(witness.cosign(note.text(), Stamp::from_unix(day * 86_400 + second, 0)));
        note
    }

    fn sizes(data: &Path) -> Vec<String> {
        let bytes = std::fs::read(data.join("trail/cosigned")).expect("readable");
        let read = notes::read(&bytes).map(|(_, note)| note.expect("a note").1);
        read.map(|note| note.text().lines().nth(1).expect("a size").to_owned()).collect()
    }

    #[test]
    fn one_a_day_and_witness_stays_and_the_newest_is_among_them() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("trail")).expect("a folder");
        for (size, witness, day, second) in
            [(1, 1, 0, 5), (2, 1, 0, 900), (3, 2, 0, 901), (4, 1, 1, 0), (5, 1, 1, 10), (6, 1, 1, 20), (7, 2, 1, 30)]
        {
            keep(folder.path(), &note(size, witness, day, second)).expect("a disk");
        }
        assert_eq!(sizes(folder.path()), ["2", "3", "6", "7"]);
    }

    #[test]
    fn the_oldest_days_go() {
        let mut kept = Vec::new();
        for day in 0..DAYS_MAX as i64 + 3 {
            kept = with(kept, note(day as u64, 1, day, 0));
        }
        assert_eq!(kept.len(), DAYS_MAX);
        assert!(kept[0].text().contains("\n3\n"));
    }
}
