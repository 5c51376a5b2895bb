//! The one tokeniser: what a "word" of a text field is, for every engine.
//!
//! A word is a longest run of alphanumeric characters (Unicode), lower-cased; of a longer one the
//! first [`WORD_BYTES_MAX`] bytes count.

use std::borrow::Cow;

/// A base64 blob is one word; nobody searches for more of it than this.
pub const WORD_BYTES_MAX: usize = 255;

/// The words of a text, in order.
pub fn words(text: &str) -> Words<'_> {
    Words(text)
}

/// The words of what is left of a text.
#[derive(Debug, Clone)]
pub struct Words<'a>(&'a str);

impl<'a> Iterator for Words<'a> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Cow<'a, str>> {
        let rest = self.0;
        let from = alphanumeric(rest, false);
        let run = rest.get(from..).unwrap_or_default();
        let (run, after) = run.split_at(alphanumeric(run, true));
        self.0 = after;
        (!run.is_empty()).then(|| word(run))
    }
}

/// How many bytes at the beginning of a text are (not) alphanumeric. Nearly all text is ASCII: characters are looked
/// at where bytes do not say it.
fn alphanumeric(text: &str, is: bool) -> usize {
    match text.bytes().position(|b| !b.is_ascii() || b.is_ascii_alphanumeric() != is) {
        None => text.len(),
        Some(at) if text.as_bytes().get(at).is_some_and(u8::is_ascii) => at,
        Some(_) => text.find(|c: char| c.is_alphanumeric() != is).unwrap_or(text.len()),
    }
}

fn word(run: &str) -> Cow<'_, str> {
    let lower = if run.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        Cow::Borrowed(run)
    } else {
        Cow::Owned(run.to_lowercase())
    };
    if lower.len() <= WORD_BYTES_MAX {
        return lower;
    }
    let cut = lower.floor_char_boundary(WORD_BYTES_MAX);
    match lower {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(..cut).unwrap_or(text)),
        Cow::Owned(mut text) => {
            text.truncate(cut);
            Cow::Owned(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_lower_case_runs_of_letters_and_digits() {
        let got: Vec<_> = words("Accepted publickey for root_x from 10.0.0.1 — ÄÖ").collect();
        assert_eq!(got, ["accepted", "publickey", "for", "root", "x", "from", "10", "0", "0", "1", "äö"]);
    }

    #[test]
    fn words_are_found_by_bytes_as_by_characters() {
        for text in [
            "",
            " ",
            "a",
            " a ",
            "é",
            " é",
            "aé b",
            "a—b",
            "—é—",
            "x\u{301}y",
            "日本 語x",
            "a\u{a0}b",
            "\u{202e}a1_B-ß",
            "Ⅷx",
        ] {
            let expected =
                text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()).map(str::to_lowercase);
            assert_eq!(words(text).collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{text:?}");
        }
    }

    #[test]
    fn a_long_word_is_cut() {
        assert_eq!(words(&"A".repeat(1000)).next().map(|w| w.len()), Some(WORD_BYTES_MAX));
    }
}
