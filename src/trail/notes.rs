//! A file of notes, one after the other: checkpoints that were kept, keys that followed one another.
//!
//! ```text
//! <note> <note> …        `cat checkpoint >> kept` makes one
//! ```
//!
//! No text of ours holds an empty line or begins a line with a dash, so a note ends where, after its
//! signatures, a line is none. Empty lines between two notes are passed over.

use super::note::{Note, NoteError};

/// The notes of a file, with the byte at which each begins. What is no note is an error, and the last item.
pub fn read(bytes: &[u8]) -> impl Iterator<Item = (usize, Result<(&[u8], Note), NoteError>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += bytes.get(at..)?.iter().take_while(|byte| **byte == b'\n').count();
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        let (begin, length) = (at, first(rest));
        let note = rest.get(..length).unwrap_or(rest);
        let parsed = Note::parse(note);
        at = if parsed.is_ok() { at + length } else { bytes.len() };
        Some((begin, parsed.map(|parsed| (note, parsed))))
    })
}

/// How long the first note is.
fn first(bytes: &[u8]) -> usize {
    let (mut end, mut is_signed) = (0, false);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let is_signature = line.starts_with("— ".as_bytes());
        if is_signed && !is_signature {
            break;
        }
        is_signed |= is_signature;
        end += line.len();
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::note::SignerKey;

    fn note(text: &str) -> String {
        let key = SignerKey::from_seed("org/host/trail", &[7; 32]).expect("a good name");
        let other = SignerKey::from_seed("org/host/other", &[8; 32]).expect("a good name");
        let mut note = Note::sign(text.to_owned(), &key).expect("a good text");
        note.add_signature(&other).expect("no agent");
        note.to_string()
    }

    #[test]
    fn notes_are_read_in_their_order_with_or_without_a_line_between() {
        let (one, two) = (note("a\n1\n"), note("b\n2\n"));
        let text = format!("{one}{two}\n\n{one}");
        let read: Vec<_> = read(text.as_bytes()).map(|(at, note)| (at, note.map(|(bytes, _)| bytes))).collect();
        let third = one.len() + two.len() + 2;
        let expected = [(0, &one), (one.len(), &two), (third, &one)];
        assert_eq!(read, expected.map(|(at, note)| (at, Ok(note.as_bytes()))));
    }

    #[test]
    fn what_is_no_note_is_named_and_ends_the_file() {
        let good = note("a\n1\n");
        let cut = good.strip_suffix('\n').expect("a line feed");
        for bad in ["text without a signature\n", cut, "\n\nx"] {
            let text = format!("{good}{bad}");
            let read: Vec<_> = read(text.as_bytes()).collect();
            assert_eq!(read.len(), 2, "{bad:?}");
            assert!(read[0].1.is_ok() && read[1].1.is_err(), "{bad:?}");
        }
        assert_eq!(super::read(b"\n\n").count(), 0);
    }
}
