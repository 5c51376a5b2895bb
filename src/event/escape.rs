//! Text from outside, made safe for a terminal or a log line.
//!
//! Everything in a log was written by somebody: control characters move the cursor, bidi marks
//! reorder what is read, zero-width characters hide. They are shown as `\u{…}`, never sent.

use std::borrow::Cow;

/// One line of plain text: control, bidi, zero-width and line-separating characters are spelled out.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_hostile(c) => {
                out.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// JSON for a terminal: the same document, with every hostile character as an escape of JSON (RFC 8259 §7).
pub fn json(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hostile(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_or_hides_gets_through() {
        assert_eq!(line("a\x1b[31mb\u{202e}c\u{200b}\n"), "a\\u{1b}[31mb\\u{202e}c\\u{200b}\\n");
        assert_eq!(line("plain ä 漢"), "plain ä 漢");
    }

    #[test]
    fn escaped_json_is_the_same_document() {
        let text = "\u{9b}31m \u{202e} \u{e0041} ok";
        let json_text = serde_json::to_string(text).expect("a string is JSON");
        let escaped = json(&json_text);
        assert!(escaped.chars().all(|c| !is_hostile(c)));
        assert_eq!(serde_json::from_str::<String>(&escaped).expect("still JSON"), text);
    }
}
