//! The one tokeniser: what a "word" of a text field is, for every engine.
//!
//! A word is a longest run of alphanumeric characters (Unicode), lower-cased; of a longer one the
//! first [`WORD_BYTES_MAX`] bytes count.

use std::borrow::Cow;

/// A base64 blob is one word; nobody searches for more of it than this.
pub const WORD_BYTES_MAX: usize = 255;

/// The words of a text, in order.
pub fn words(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()).map(word)
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
    fn a_long_word_is_cut() {
        assert_eq!(words(&"A".repeat(1000)).next().map(|w| w.len()), Some(WORD_BYTES_MAX));
    }
}
