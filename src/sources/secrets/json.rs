//! Secrets within a record that is JSON: every text in it is looked at as a command would be, and a member
//! whose name says so is a secret as a whole. All other bytes stay as they are.
//!
//! journald writes a field that is no text as a list of its bytes; that is a text here too.

use std::ops::Range;

use super::{Marks, Redacted, names};

impl Marks {
    /// None if no text of a JSON record holds a secret.
    pub fn redact_json(&self, record: &[u8]) -> Option<Redacted> {
        let mut out: Option<Redacted> = None;
        let mut kept = 0;
        for Text { place, content, is_secret, form } in Texts::of(record) {
            let clean = match is_secret && !content.is_empty() {
                true => Some(self.whole(&content)),
                false => self.replace(&content),
            };
            let (Some(clean), Some(before)) = (clean, record.get(kept..place.start)) else { continue };
            let out = out.get_or_insert_with(Redacted::default);
            out.plain.extend_from_slice(before);
            out.plain.extend_from_slice(&form.write(&clean.plain));
            out.marked.extend_from_slice(before);
            out.marked.extend_from_slice(&form.write(&clean.marked));
            kept = place.end;
        }
        let mut out = out?;
        let rest = record.get(kept..).unwrap_or_default();
        out.plain.extend_from_slice(rest);
        out.marked.extend_from_slice(rest);
        Some(out)
    }
}

/// A text that is a value.
struct Text {
    place: Range<usize>,
    content: Vec<u8>,
    is_secret: bool,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    String,
    Bytes,
}

impl Form {
    fn write(self, content: &[u8]) -> Vec<u8> {
        match self {
            Self::String => serde_json::to_vec(&String::from_utf8_lossy(content)).unwrap_or_default(),
            Self::Bytes => serde_json::to_vec(content).unwrap_or_default(),
        }
    }
}

/// Walks the texts of a record, in order. What is no JSON has none.
struct Texts<'a> {
    record: &'a [u8],
    at: usize,
    /// The name of the member that was last begun says that it is a secret, and so is each text of a list.
    is_secret: bool,
}

impl<'a> Texts<'a> {
    fn of(record: &'a [u8]) -> Self {
        Self { record, at: 0, is_secret: false }
    }

    /// The string that begins here, and where it ends.
    fn string(&self, start: usize) -> Option<(Vec<u8>, usize)> {
        let rest = self.record.get(start..)?;
        let mut is_escaped = false;
        let end = rest.iter().skip(1).position(|byte| {
            let ends = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            ends
        })?;
        let literal = rest.get(..end + 2)?;
        let text: String = serde_json::from_slice(literal).ok()?;
        Some((text.into_bytes(), start + literal.len()))
    }

    /// The list of bytes that begins here, and where it ends.
    fn bytes(&self, start: usize) -> Option<(Vec<u8>, usize)> {
        let rest = self.record.get(start..)?;
        let end = rest.iter().skip(1).position(|byte| !matches!(byte, b'0'..=b'9' | b',' | b' '))? + 1;
        let list = rest.get(..=end).filter(|list| list.ends_with(b"]"))?;
        Some((serde_json::from_slice(list).ok()?, start + list.len()))
    }
}

impl Iterator for Texts<'_> {
    type Item = Text;

    fn next(&mut self) -> Option<Text> {
        loop {
            let rest = self.record.get(self.at..)?;
            let start = self.at + memchr::memchr2(b'"', b'[', rest)?;
            let (read, form) = match self.record.get(start)? {
                b'"' => (self.string(start), Form::String),
                _ => (self.bytes(start), Form::Bytes),
            };
            let Some((content, end)) = read else {
                self.at = start + 1;
                continue;
            };
            self.at = end;
            let after = self.record.get(end..).unwrap_or_default().trim_ascii_start();
            if form == Form::String && after.first() == Some(&b':') {
                self.is_secret = names::is_secret(&content);
                continue;
            }
            return Some(Text { place: start..end, content, is_secret: self.is_secret, form });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &str, expect: &str) {
        let clean = Marks::default().redact_json(record.as_bytes()).map_or(record.into(), |clean| clean.plain);
        assert_eq!(String::from_utf8_lossy(&clean), expect.replace('§', "[REDACTED]"), "{record}");
    }

    #[test]
    fn texts_lose_their_secrets_and_nothing_else_changes() {
        check(r#"{"a": "x --password=b \"q\"", "n":1 }"#, r#"{"a": "x --password=§ \"q\"", "n":1 }"#);
        check(r#"{"MESSAGE":"mysql -phunter2","_CMDLINE":"sudo x"}"#, r#"{"MESSAGE":"mysql -p§","_CMDLINE":"sudo x"}"#);
        check(r#"{"password":"a b","user":"c","token":["x","y"]}"#, r#"{"password":"§","user":"c","token":["§","§"]}"#);
        check(r#"{"a":"no secret","password":""}"#, r#"{"a":"no secret","password":""}"#);
        check("{\"a\":\"x --password=b", "{\"a\":\"x --password=b");
        check("", "");
    }

    #[test]
    fn a_list_of_bytes_is_a_text() {
        let list = |text: &[u8]| serde_json::to_string(text).expect("numbers");
        let record = format!(r#"{{"MESSAGE":{},"n":[1,2]}}"#, list(b"x --password=b\xff y"));
        check(&record, &format!(r#"{{"MESSAGE":{},"n":[1,2]}}"#, list(b"x --password=[REDACTED] y")));
    }
}
