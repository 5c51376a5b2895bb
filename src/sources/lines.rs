//! Bytes to lines, however the bytes are cut.
//!
//! A line is what stands before a LF; a CR before the LF stays in it, because a record's `raw` is
//! exact. The last line without its LF is held until the LF or the stream's end comes. A line longer
//! than [`LINE_BYTES_MAX`] comes as pieces of that size, so that memory is bounded.
//!
//! Invariants: the bytes handed out and the LFs between them are the bytes taken in, in order; where
//! lines and pieces are cut depends on the content alone.

use std::mem;

/// A line of a log is short: rsyslog cuts at 8 KiB, journald at 48 KiB. Only damage or an attack is longer.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// One line, or a piece of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Offset of its first byte.
    pub pos: u64,
    /// Where to resume once this is kept. For every piece but the last it is where the line begins:
    /// whoever began within a line would take the middle of it for a line.
    pub next: u64,
    /// Without the LF.
    pub bytes: &'a [u8],
    pub part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Whole,
    /// A piece of a line that is too long: its beginning, or anything after it.
    First,
    Later,
}

/// Cuts a stream into lines.
#[derive(Debug)]
pub struct Lines {
    /// What came of the present line or piece.
    held: Vec<u8>,
    /// Offset of the first held byte.
    pos: u64,
    /// Offset of the present line's first byte: less than `pos` after a piece of it.
    line: u64,
}

impl Lines {
    /// Begins at an offset at which a line begins.
    pub fn new(start: u64) -> Self {
        Self { held: Vec::new(), pos: start, line: start }
    }

    /// Hands every line that is complete with these bytes to `each`.
    pub fn push(&mut self, mut bytes: &[u8], mut each: impl FnMut(Line<'_>)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            if self.held.is_empty() && line.len() <= LINE_BYTES_MAX {
                self.hand_out(line, 1, &mut each);
            } else {
                self.hold(line, &mut each);
                self.flush(1, &mut each);
            }
        }
        self.hold(bytes, &mut each);
    }

    /// Hands out what is held: no LF will come.
    pub fn finish(&mut self, mut each: impl FnMut(Line<'_>)) {
        if !self.held.is_empty() {
            self.flush(0, &mut each);
        }
    }

    /// Where the first line begins that was not handed out to its end.
    pub fn next(&self) -> u64 {
        self.line
    }

    /// Keeps bytes that hold no LF, and hands out what is too long to keep.
    fn hold(&mut self, mut bytes: &[u8], each: &mut impl FnMut(Line<'_>)) {
        while self.held.len() + bytes.len() > LINE_BYTES_MAX {
            let (now, later) = bytes.split_at(LINE_BYTES_MAX - self.held.len());
            self.held.extend_from_slice(now);
            let part = if self.pos == self.line { Part::First } else { Part::Later };
            each(Line { pos: self.pos, next: self.line, bytes: &self.held, part });
            self.pos += self.held.len() as u64;
            self.held.clear();
            bytes = later;
        }
        self.held.extend_from_slice(bytes);
    }

    /// Hands out what is held as the end of a line.
    fn flush(&mut self, lf: u64, each: &mut impl FnMut(Line<'_>)) {
        let mut held = mem::take(&mut self.held);
        self.hand_out(&held, lf, each);
        held.clear();
        self.held = held;
    }

    fn hand_out(&mut self, bytes: &[u8], lf: u64, each: &mut impl FnMut(Line<'_>)) {
        let part = if self.pos == self.line { Part::Whole } else { Part::Later };
        let next = self.pos + bytes.len() as u64 + lf;
        each(Line { pos: self.pos, next, bytes, part });
        self.pos = next;
        self.line = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = (u64, u64, Vec<u8>, Part);

    fn lines(input: &[u8], cut: usize) -> Vec<Seen> {
        let mut lines = Lines::new(10);
        let mut seen = Vec::new();
        let mut see = |line: Line<'_>| seen.push((line.pos, line.next, line.bytes.to_vec(), line.part));
        for part in input.chunks(cut) {
            lines.push(part, &mut see);
        }
        lines.finish(&mut see);
        assert_eq!(lines.next(), 10 + input.len() as u64);
        seen
    }

    #[test]
    fn lines_stand_where_they_stood_however_they_are_cut() {
        let input = b"one\r\n\ntwo \0\nhalf";
        let whole = lines(input, usize::MAX);
        let bytes: Vec<&[u8]> = whole.iter().map(|line| line.2.as_slice()).collect();
        assert_eq!(bytes, [b"one\r".as_slice(), b"", b"two \0", b"half"]);
        assert_eq!(
            whole.iter().map(|line| (line.0, line.1)).collect::<Vec<_>>(),
            [(10, 15), (15, 16), (16, 22), (22, 26)]
        );
        for cut in 1..input.len() {
            assert_eq!(lines(input, cut), whole, "{cut}");
        }
    }

    #[test]
    fn a_long_line_comes_in_pieces_that_resume_at_its_beginning() {
        let long = 2 * LINE_BYTES_MAX as u64;
        let mut input = b"x\n".to_vec();
        input.resize(2 + 2 * LINE_BYTES_MAX + 3, b'y');
        input.extend_from_slice(b"\nz\n");
        let whole = lines(&input, usize::MAX);
        let places: Vec<_> = whole.iter().map(|line| (line.0, line.1, line.2.len(), line.3)).collect();
        let max = LINE_BYTES_MAX;
        assert_eq!(
            places,
            [
                (10, 12, 1, Part::Whole),
                (12, 12, max, Part::First),
                (12 + max as u64, 12, max, Part::Later),
                (12 + long, 12 + long + 4, 3, Part::Later),
                (12 + long + 4, 12 + long + 6, 1, Part::Whole),
            ]
        );
        for cut in [4096, max - 1, max, max + 1, max + 2] {
            assert_eq!(lines(&input, cut), whole, "{cut}");
        }
    }

    #[test]
    fn a_line_of_just_the_longest_length_is_whole() {
        let mut input = vec![b'y'; LINE_BYTES_MAX];
        assert_eq!(lines(&input, 1000)[0].3, Part::Whole);
        input.push(b'\n');
        assert_eq!(lines(&input, 1000).len(), 1);
        assert_eq!(lines(&input, usize::MAX)[0].3, Part::Whole);
    }
}
