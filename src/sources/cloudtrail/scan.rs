//! Follows the grammar of JSON (RFC 8259) through one object, byte by byte, without keeping any of it.
//!
//! It says where the object ends, and where it cannot be JSON any more, as early as that shows: what
//! comes after damage can then still be read. It does not judge what scalars and escapes are made of;
//! that is for the parser of the whole record.
//!
//! Invariants: no recursion, and a bit of memory for each level of depth; where it stops depends on the
//! bytes alone, not on how they are split.

/// What was met on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Met {
    /// The byte that closes the object.
    End,
    /// The `[` of the list that is the object's member `Records`.
    Records,
    /// This is no JSON, from the next byte on.
    Broken,
}

#[derive(Debug)]
pub(super) struct Scan {
    want: Want,
    open: Open,
    key: Key,
}

/// What may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    Key,
    KeyOrEnd,
    Colon,
    Value,
    ValueOrEnd,
    CommaOrEnd,
    /// The rest of a string.
    Text(Of),
    /// The rest of a string, whose next byte is escaped.
    Escaped(Of),
    /// The rest of a number, or of `true`, `false`, `null`.
    Scalar,
}

/// What a string is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Key,
    Value,
}

/// The member of the outermost object in which the scan is.
#[derive(Debug, Default)]
struct Key {
    /// How many came before it.
    before: u64,
    /// How much of [`RECORDS`] its name has; none when it is another name.
    records: Option<usize>,
}

const RECORDS: &[u8] = b"Records";

impl Scan {
    /// Begins at the object's `{`.
    pub(super) fn object() -> Self {
        Self { want: Want::Value, open: Open::default(), key: Key::default() }
    }

    /// Begins within an object, where a member may come.
    pub(super) fn members() -> Self {
        let mut open = Open::default();
        open.push(Bracket::Brace);
        Self { want: Want::KeyOrEnd, open, key: Key::default() }
    }

    /// Whether the outermost object has members before the one that was met last.
    pub(super) fn has_members_before(&self) -> bool {
        self.key.before > 1
    }

    /// Goes through the bytes until something is met; says how many of them it took.
    pub(super) fn run(&mut self, bytes: &[u8]) -> (usize, Option<Met>) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if let Want::Text(of) = self.want {
                let text = bytes.get(at..).unwrap_or_default();
                let plain = memchr::memchr2(b'"', b'\\', text).unwrap_or(text.len());
                let (span, rest) = text.split_at(plain);
                // A line feed in a string: it was never closed.
                if has_control(span) {
                    let control = span.iter().position(|b| *b < 0x20).unwrap_or(plain);
                    return (at + control, Some(Met::Broken));
                }
                self.key_text(of, span);
                at += plain;
                match rest.first() {
                    None => break,
                    Some(b'"') => self.want = if of == Of::Key { Want::Colon } else { Want::CommaOrEnd },
                    Some(_) => self.want = Want::Escaped(of),
                }
                at += 1;
                continue;
            }
            match self.step(byte) {
                Step::Next => at += 1,
                Step::Again => {}
                Step::Met(Met::Broken) => return (at, Some(Met::Broken)),
                Step::Met(met) => return (at + 1, Some(met)),
            }
        }
        (at, None)
    }

    fn step(&mut self, byte: u8) -> Step {
        match (self.want, byte) {
            (Want::Escaped(of), _) => {
                self.key_text(of, b"\\");
                self.go(Want::Text(of))
            }
            (Want::Scalar, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'+' | b'-' | b'.') => Step::Next,
            (Want::Scalar, _) => {
                self.want = Want::CommaOrEnd;
                Step::Again
            }
            (_, b' ' | b'\t' | b'\n' | b'\r') => Step::Next,
            (Want::Key | Want::KeyOrEnd, b'"') => self.begin_key(),
            (Want::KeyOrEnd, b'}') | (Want::ValueOrEnd, b']') => self.close(byte),
            (Want::Colon, b':') => self.go(Want::Value),
            (Want::Value | Want::ValueOrEnd, _) => self.begin_value(byte),
            (Want::CommaOrEnd, b',') if self.open.inner() == Some(Bracket::Brace) => self.go(Want::Key),
            (Want::CommaOrEnd, b',') => self.go(Want::Value),
            (Want::CommaOrEnd, b'}' | b']') => self.close(byte),
            _ => Step::Met(Met::Broken),
        }
    }

    fn go(&mut self, want: Want) -> Step {
        self.want = want;
        Step::Next
    }

    fn begin_value(&mut self, byte: u8) -> Step {
        match byte {
            b'{' => {
                self.open.push(Bracket::Brace);
                self.go(Want::KeyOrEnd)
            }
            b'[' => {
                let is_records = self.open.depth == 1 && self.key.records == Some(RECORDS.len());
                self.open.push(Bracket::Square);
                self.want = Want::ValueOrEnd;
                if is_records { Step::Met(Met::Records) } else { Step::Next }
            }
            b'"' => self.go(Want::Text(Of::Value)),
            b'0'..=b'9' | b'-' | b't' | b'f' | b'n' => self.go(Want::Scalar),
            _ => Step::Met(Met::Broken),
        }
    }

    fn close(&mut self, byte: u8) -> Step {
        let bracket = if byte == b'}' { Bracket::Brace } else { Bracket::Square };
        if self.open.inner() != Some(bracket) {
            return Step::Met(Met::Broken);
        }
        self.open.pop();
        if self.open.depth == 0 {
            return Step::Met(Met::End);
        }
        self.go(Want::CommaOrEnd)
    }

    fn begin_key(&mut self) -> Step {
        if self.open.depth == 1 {
            self.key.before += 1;
            self.key.records = Some(0);
        }
        self.go(Want::Text(Of::Key))
    }

    /// Compares what came of a key with `Records`.
    fn key_text(&mut self, of: Of, span: &[u8]) {
        if of == Of::Key && self.open.depth == 1 {
            self.key.records = self.key.records.and_then(|have| {
                let rest = RECORDS.get(have..)?;
                rest.starts_with(span).then_some(have + span.len())
            });
        }
    }
}

/// Without an early end, so that many bytes are looked at at once.
fn has_control(span: &[u8]) -> bool {
    span.iter().fold(false, |has, byte| has | (*byte < 0x20))
}

/// What one byte led to.
enum Step {
    Next,
    /// The byte belongs to what comes next.
    Again,
    Met(Met),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Brace,
    Square,
}

/// The brackets that are open, a bit for each.
#[derive(Debug, Default)]
struct Open {
    words: Vec<u64>,
    depth: usize,
}

impl Open {
    fn push(&mut self, bracket: Bracket) {
        let (word, bit) = (self.depth / 64, 1 << (self.depth % 64));
        if self.words.len() <= word {
            self.words.push(0);
        }
        if let Some(word) = self.words.get_mut(word) {
            match bracket {
                Bracket::Brace => *word |= bit,
                Bracket::Square => *word &= !bit,
            }
        }
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    fn inner(&self) -> Option<Bracket> {
        let at = self.depth.checked_sub(1)?;
        let is_brace = self.words.get(at / 64)? & (1 << (at % 64)) != 0;
        Some(if is_brace { Bracket::Brace } else { Bracket::Square })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How far the scan came and what it met, the same for one run and for byte after byte.
    fn check(input: &str, expected: (usize, Option<Met>)) {
        assert_eq!(Scan::object().run(input.as_bytes()), expected, "{input}");
        let mut scan = Scan::object();
        let mut taken = 0;
        for byte in input.as_bytes() {
            let (n, met) = scan.run(&[*byte]);
            taken += n;
            if met.is_some() {
                assert_eq!((taken, met), expected, "{input}");
                return;
            }
        }
        assert_eq!((taken, None), expected, "{input}");
    }

    #[test]
    fn an_object_ends_at_its_own_brace() {
        for object in ["{}", r#"{"a":"}\"]","b":[{},[],-1.5e+3,true,null,{"Records":[1]}]}"#, "{ \"a\" :\n{ } }"] {
            check(object, (object.len(), Some(Met::End)));
            check(&format!("{object}}} more"), (object.len(), Some(Met::End)));
        }
        check(r#"{"a":"#, (5, None));
    }

    #[test]
    fn damage_shows_where_the_grammar_ends() {
        check(r#"{"a":"x},{"b":1}"#, (11, Some(Met::Broken)));
        check("{\"a\":\"x\n\"}", (7, Some(Met::Broken)));
        for broken in ["{,", "{]", "{\"a\"]", "{\"a\":]", "{\"a\":[}", "{\"a\":1 2", "{\"a\":1,}", "{1"] {
            check(broken, (broken.len() - 1, Some(Met::Broken)));
        }
    }

    #[test]
    fn the_records_of_the_outermost_object_are_met() {
        check(r#"{"Records":[{"#, (12, Some(Met::Records)));
        check(r#"{"a":{"Records":[]},"Records" : [{"#, (33, Some(Met::Records)));
        for none in [r#"{"Records":{"a":[]}}"#, r#"{"Record":[]}"#, r#"{"Recordss":[]}"#, r#"{"a":["Records",[]]}"#] {
            check(none, (none.len(), Some(Met::End)));
        }
    }

    #[test]
    fn depth_is_memory_and_no_stack() {
        let depth = 1_000_000;
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(Scan::object().run(deep.as_bytes()), (deep.len(), Some(Met::End)));
    }
}
