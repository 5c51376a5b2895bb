//! A signed checkpoint as one line, for logs that keep lines.
//!
//! ```text
//! checkpoint <origin> <size> <root> <base64> [- <name> <base64>]…
//! ```
//!
//! Each base64 is that of a signature line (key id ‖ signature), in the order of the note; one without a name is by
//! the key whose name is the origin. [`find`] gives back the note that [`write`] was given, byte for byte.
//! Who signed it is not checked.

use std::fmt::Write as _;

use data_encoding::BASE64;
use memchr::memmem;

use super::checkpoint::Checkpoint;

/// What such a line begins with, wherever it stands in a line of a log.
const WORD: &str = "checkpoint ";

/// A key id with an Ed25519 signature, or with a time and one (a cosignature). No other is written; what has another
/// length was cut.
const SIGNATURE_BYTES: [usize; 2] = [68, 76];

const DASH: &str = "— ";

/// None for what is no signed checkpoint.
pub fn write(note: &str) -> Option<String> {
    let (checkpoint, _) = Checkpoint::parse_note(note.as_bytes()).ok()?;
    let Checkpoint { origin, size, root } = &checkpoint;
    let mut line = format!("{WORD}{origin} {size} {}", root.to_base64());
    let (_, signatures) = note.split_once("\n\n")?;
    for signature in signatures.lines() {
        let (name, base64) = signature.strip_prefix(DASH)?.split_once(' ')?;
        match name == origin {
            true => write!(line, " {base64}").ok()?,
            false => write!(line, " - {name} {base64}").ok()?,
        }
    }
    // So that nothing is left somewhere that nobody can use.
    (find(line.as_bytes()).as_deref() == Some(note)).then_some(line)
}

/// The note in a line of a log, whatever stands before it. A line that was cut may have lost signatures.
pub fn find(line: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(line).ok()?;
    memmem::find_iter(line, WORD).find_map(|at| {
        // The word may stand there as the kind of message, too.
        let (before, rest) = text.split_at_checked(at)?;
        let is_word = !before.ends_with(|c: char| c.is_alphanumeric());
        read(rest.strip_prefix(WORD).filter(|_| is_word)?)
    })
}

fn read(text: &str) -> Option<String> {
    let mut words = text.trim_end().split(' ');
    let (origin, size, root) = (words.next()?, words.next()?, words.next()?);
    let mut note = format!("{origin}\n{size}\n{root}\n\n");
    let unsigned = note.len();
    while let Some(word) = words.next() {
        let (name, base64) = match word {
            "-" => (words.next().unwrap_or_default(), words.next().unwrap_or_default()),
            base64 => (origin, base64),
        };
        let signed = format!("{note}{DASH}{name} {base64}\n");
        // The rest is somebody else's, or was cut.
        if !is_whole(base64) || Checkpoint::parse_note(signed.as_bytes()).is_err() {
            break;
        }
        note = signed;
    }
    (note.len() > unsigned).then_some(note)
}

fn is_whole(base64: &str) -> bool {
    BASE64.decode(base64.as_bytes()).is_ok_and(|bytes| SIGNATURE_BYTES.contains(&bytes.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::note::{Note, SignerKey};
    use crate::trail::tree;

    fn note() -> String {
        let key = |name: &str, seed| SignerKey::from_seed(name, &[seed; 32]).expect("a good name");
        let checkpoint = Checkpoint { origin: "example.org/web-1/abc".to_owned(), size: 7, root: tree::leaf(b"x") };
        let mut note = Note::sign(checkpoint.to_string(), &key("example.org/web-1/abc", 1)).expect("a good text");
        note.add_signature(&key("example.org/web-1/abc/epoch/3", 2)).expect("a key");
        note.add_signature(&key("example.org/web-1/abc", 3)).expect("a key");
        note.add_signature(&key("witness.example.org/-", 4)).expect("a key");
        note.to_string()
    }

    #[test]
    fn the_note_comes_back_byte_for_byte() {
        let (note, line) = (note(), write(&note()).expect("a checkpoint"));
        assert!(line.is_ascii() && !line.contains('\n'), "{line}");
        for before in [
            "",
            "<85>1 2026-11-20T10:00:00.000000Z web-1 whodid 7 checkpoint - ",
            "Nov 20 10:00:00 web-1 whodid[7]: ",
            "2026-11-20T10:00:00+00:00 web-1 whodid 7 checkpoint -  ",
            "checkpoint of what? ",
        ] {
            for after in ["", " ", "\r"] {
                assert_eq!(
                    find(format!("{before}{line}{after}").as_bytes()).as_deref(),
                    Some(note.as_str()),
                    "{before}"
                );
            }
        }
    }

    #[test]
    fn what_was_cut_keeps_the_signatures_that_are_whole() {
        let (note, line) = (note(), write(&note()).expect("a checkpoint"));
        let first = note.split_inclusive('\n').take(5).collect::<String>();
        let mut found = 0;
        for end in 0..line.len() {
            if let Some(cut) = find(&line.as_bytes()[..end]) {
                assert!(note.starts_with(&cut) && cut.len() >= first.len(), "{cut}");
                found += 1;
            }
        }
        assert!(found > 100);
    }

    #[test]
    fn other_lines_are_none() {
        let line = write(&note()).expect("a checkpoint");
        for other in [
            "checkpoint ".to_owned(),
            "a checkpoint was taken at 10:00".to_owned(),
            line.replace("checkpoint", "mycheckpoint"),
            line.replace(" 7 ", " 07 "),
            line.replace("abc 7", "abc  7"),
            "\u{fffd}".repeat(9),
        ] {
            assert_eq!(find(other.as_bytes()), None, "{other}");
        }
        assert_eq!(find(b"checkpoint \xff"), None);
        assert_eq!(write("no note"), None);
    }
}
