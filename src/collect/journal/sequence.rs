//! Whether records are missing: by the numbers that journald gives them.
//!
//! One journald counts all its records, whichever file they go to. A number that does not come was deleted before
//! it was read, could not be read, or was passed over by a journalctl that follows several files. So a
//! gap is believed only if it is there when the place is read again.

use std::collections::BTreeMap;

use crate::sources::journal::Cursor;

/// Sequences that are told apart: with `--merge`, one or two for each machine.
const SEQUENCES_MAX: usize = 1_024;

/// The last number of each sequence.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    last: BTreeMap<String, u64>,
    /// The gap that the place is being read again for: sequence, and the number after it.
    suspected: Option<(String, u64)>,
}

/// What a record's number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Next,
    /// Numbers are missing: read again from the record before.
    Suspect,
    /// They still are: the first one, and how many.
    Gap {
        first: u64,
        missing: u64,
    },
}

impl Sequences {
    /// Where reading goes on from.
    pub(super) fn resume(&mut self, cursor: &Cursor) {
        self.set(cursor);
    }

    /// Takes the next record's place.
    pub(super) fn step(&mut self, cursor: &Cursor) -> Step {
        let last = self.last.get(&cursor.sequence).copied();
        let missing = last.map_or(0, |last| cursor.number.saturating_sub(last).saturating_sub(1));
        if missing == 0 {
            self.set(cursor);
            return Step::Next;
        }
        let gap = (cursor.sequence.clone(), cursor.number);
        if self.suspected.as_ref() != Some(&gap) {
            self.suspected = Some(gap);
            return Step::Suspect;
        }
        self.set(cursor);
        Step::Gap { first: cursor.number - missing, missing }
    }

    /// The last number that was read.
    pub(super) fn last(&self, sequence: &str) -> Option<u64> {
        self.last.get(sequence).copied()
    }

    fn set(&mut self, cursor: &Cursor) {
        if self.last.len() >= SEQUENCES_MAX {
            self.last.clear();
        }
        // After a clock was set back, files are not read in the order of their numbers.
        let last = self.last.entry(cursor.sequence.clone()).or_default();
        *last = cursor.number.max(*last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sequence: &str, number: u64) -> Cursor {
        Cursor::parse(&format!("s={sequence};i={number:x};b=b;m=1;t=1;x=1")).expect("a cursor")
    }

    #[test]
    fn a_gap_is_believed_when_it_is_seen_twice() {
        let mut sequences = Sequences::default();
        assert_eq!(sequences.step(&at("a", 10)), Step::Next, "where it begins is no gap");
        assert_eq!(sequences.step(&at("b", 1)), Step::Next);
        assert_eq!(sequences.step(&at("a", 11)), Step::Next);
        assert_eq!(sequences.step(&at("a", 15)), Step::Suspect);
        assert_eq!(sequences.step(&at("a", 11)), Step::Next);
        assert_eq!(sequences.step(&at("a", 15)), Step::Gap { first: 12, missing: 3 });
        assert_eq!(sequences.step(&at("a", 16)), Step::Next);
        assert_eq!(sequences.step(&at("b", 2)), Step::Next);
        assert_eq!((sequences.last("a"), sequences.last("c")), (Some(16), None));
    }

    #[test]
    fn what_was_passed_over_comes_when_the_place_is_read_again() {
        let mut sequences = Sequences::default();
        sequences.resume(&at("a", 11));
        assert_eq!(sequences.step(&at("a", 13)), Step::Suspect);
        let again = [11, 12, 13, 14].map(|number| sequences.step(&at("a", number)));
        assert_eq!(again, [Step::Next; 4]);
    }
}
