//! Cuts a stream into the exact bytes of its records.
//!
//! A record is an object in the list `Records` of an object, as CloudTrail writes it, in a bare list,
//! or on its own (JSON Lines, or one object). Only the record at hand is held, never the whole object.
//! What is no record comes as it is, in pieces where it is long, and reading goes on at the next
//! object that begins as a record of CloudTrail does.
//!
//! Invariants: every byte is handed out once, in order, except blanks and the brackets, commas and the
//! name `Records` around records; what is handed out depends on the content alone, not on its splits;
//! at most [`RECORD_BYTES_MAX`] bytes and one push are held; time is linear in the input.

use super::beginning::{Beginning, beginning};
use super::scan::{Met, Scan};

/// CloudTrail's own limit for a record is 1 MiB; a longer one than this is damage or an attack.
pub(super) const RECORD_BYTES_MAX: usize = 16 << 20;

/// What is no record is cut into pieces of this size.
pub(super) const PIECE_BYTES_MAX: usize = 1 << 20;

/// One record, or what is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut<'a> {
    /// Offset of its first byte.
    pub(super) pos: u64,
    pub(super) bytes: &'a [u8],
    pub(super) kind: CutKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CutKind {
    /// An object of balanced brackets; a parser may still refuse it.
    Record,
    /// The same, but found while looking for one behind damage: it may be a part of another record.
    Salvaged,
    /// Bytes between records, or a record that is damaged.
    Other,
    /// A piece of bytes that are too many for one event.
    Piece,
}

impl CutKind {
    pub(super) fn is_record(self) -> bool {
        matches!(self, Self::Record | Self::Salvaged)
    }
}

#[derive(Debug)]
pub(super) struct Records {
    start: u64,
    /// Offset of the first held byte.
    pos: u64,
    held: Vec<u8>,
    /// The first held byte that was not handed out and is no bracket or comma between records.
    from: usize,
    /// The next held byte to look at.
    at: usize,
    state: State,
    /// What is open around the records; nothing at the top.
    levels: Vec<Level>,
    /// After damage nobody knows which brackets are open: any may close.
    is_lost: bool,
    /// A record that begins before this offset was salvaged.
    doubtful: u64,
    /// How many bytes were looked at again after damage.
    again: u64,
    /// Whether a piece of the same bytes was handed out already.
    in_pieces: bool,
}

#[derive(Debug)]
enum State {
    Between,
    /// In an object that may be a record, or hold a list of them.
    Object(Scan),
    /// Among the other members of an object that held records.
    Members(Scan),
    /// After damage: looking for the next record.
    Seeking,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    List,
    /// The object with `Records`.
    Envelope,
}

/// `jq -s` wraps whole files into a list; nobody wraps them deeper.
const LEVELS_MAX: usize = 8;

/// How often each byte may be looked at again after damage, on average. Damage within the string of a
/// record makes it swallow the beginning of the next; crafted damage could do so with all of them.
const AGAIN_MAX: u64 = 4;

impl Records {
    pub(super) fn new(start: u64) -> Self {
        Self {
            start,
            pos: start,
            held: Vec::new(),
            from: 0,
            at: 0,
            state: State::Between,
            levels: Vec::new(),
            is_lost: start > 0,
            doubtful: start,
            again: 0,
            in_pieces: false,
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Cut<'_>)) {
        self.held.extend_from_slice(bytes);
        self.run(Input::GoesOn, &mut each);
        self.held.drain(..self.from);
        self.pos += self.from as u64;
        self.at -= self.from;
        self.from = 0;
    }

    pub(super) fn finish(&mut self, mut each: impl FnMut(Cut<'_>)) {
        while self.from < self.held.len() {
            self.run(Input::Ends, &mut each);
            if matches!(self.state, State::Object(_) | State::Members(_)) {
                self.break_off();
            }
        }
    }

    /// Offset of the first byte that was not handed out.
    pub(super) fn next(&self) -> u64 {
        self.pos + self.from as u64
    }

    fn run(&mut self, input: Input, each: &mut impl FnMut(Cut<'_>)) {
        loop {
            let goes_on = match &mut self.state {
                State::Between => self.between(),
                State::Object(_) | State::Members(_) => self.object(each),
                State::Seeking => self.seek(input, each),
            };
            if !goes_on {
                return;
            }
        }
    }

    /// One byte between records. False when there is none.
    fn between(&mut self) -> bool {
        let Some(&byte) = self.held.get(self.at) else { return false };
        let level = self.levels.last().copied();
        match (byte, level) {
            (b' ' | b'\t' | b'\n' | b'\r', _) | (b',', Some(_)) => {}
            (b'{', None | Some(Level::List)) => {
                self.begin(State::Object(Scan::object()));
                return true;
            }
            (b'"', Some(Level::Envelope)) => {
                self.begin(State::Members(Scan::members()));
                return true;
            }
            (b'[', None | Some(Level::List)) if self.levels.len() < LEVELS_MAX => self.levels.push(Level::List),
            (b']', Some(Level::List)) | (b'}', Some(Level::Envelope)) => drop(self.levels.pop()),
            (b',' | b'[' | b']' | b'}', _) if self.is_lost => {}
            _ if self.is_byte_order_mark(byte) => {}
            _ => {
                self.break_off();
                return true;
            }
        }
        self.at += 1;
        self.from = self.at;
        true
    }

    fn is_byte_order_mark(&self, byte: u8) -> bool {
        let offset = usize::try_from(self.pos + self.at as u64).unwrap_or(usize::MAX);
        b"\xef\xbb\xbf".get(offset) == Some(&byte)
    }

    fn begin(&mut self, state: State) {
        self.in_pieces = false;
        self.state = state;
    }

    /// The next bytes of an object. False when there are none.
    fn object(&mut self, each: &mut impl FnMut(Cut<'_>)) -> bool {
        let limit = if self.in_pieces { PIECE_BYTES_MAX } else { RECORD_BYTES_MAX };
        let room = limit.saturating_sub(self.at - self.from);
        if room == 0 {
            self.hand_out_pieces(self.at, each);
            return true;
        }
        let end = self.held.len().min(self.at + room);
        let bytes = self.held.get(self.at..end).unwrap_or_default();
        let (State::Object(scan) | State::Members(scan)) = &mut self.state else { return true };
        let (taken, met) = scan.run(bytes);
        self.at += taken;
        match met {
            Some(Met::End) => self.end_object(each),
            Some(Met::Records) => self.begin_records(each),
            Some(Met::Broken) => self.break_off(),
            None => return self.at < self.held.len(),
        }
        true
    }

    fn end_object(&mut self, each: &mut impl FnMut(Cut<'_>)) {
        let is_members = matches!(self.state, State::Members(_));
        if is_members {
            self.levels.pop();
        }
        if is_members || self.in_pieces {
            // The brace that closes an envelope is no part of its members.
            let end = if is_members { self.at - 1 } else { self.at };
            self.hand_out(end, each);
        } else if let Some(bytes) = self.held.get(self.from..self.at) {
            let pos = self.pos + self.from as u64;
            let kind = if pos < self.doubtful { CutKind::Salvaged } else { CutKind::Record };
            each(Cut { pos, bytes, kind });
        }
        self.from = self.at;
        self.state = State::Between;
    }

    fn begin_records(&mut self, each: &mut impl FnMut(Cut<'_>)) {
        if self.levels.len() + 2 > LEVELS_MAX {
            return;
        }
        let (is_envelope, has_others) = match &self.state {
            State::Object(scan) => (false, scan.has_members_before()),
            State::Members(scan) => (true, scan.has_members_before()),
            _ => return,
        };
        if !is_envelope {
            self.levels.push(Level::Envelope);
        }
        self.levels.push(Level::List);
        if has_others || self.in_pieces {
            self.hand_out(self.at, each);
        }
        self.from = self.at;
        self.state = State::Between;
    }

    /// What lies at `at` cannot be: the next record is looked for, from the second byte of the damage on,
    /// for a string that was never closed swallows the beginning of what follows.
    fn break_off(&mut self) {
        if self.levels.is_empty() {
            self.is_lost = true;
        }
        let is_object = matches!(self.state, State::Object(_));
        if matches!(self.state, State::Between) {
            self.in_pieces = false;
        }
        self.state = State::Seeking;
        let broken = self.pos + self.at as u64;
        self.doubtful = self.doubtful.max(broken);
        let looked_at = (self.at - self.from) as u64;
        let budget = AGAIN_MAX * (broken - self.start);
        if self.again + looked_at <= budget {
            self.again += looked_at;
            self.at = if is_object && !self.in_pieces { self.from + 1 } else { self.from };
        }
    }

    /// Looks for the beginning of a record. False when all held bytes were looked at.
    fn seek(&mut self, input: Input, each: &mut impl FnMut(Cut<'_>)) -> bool {
        let rest = self.held.get(self.at..).unwrap_or_default();
        let Some(brace) = memchr::memchr(b'{', rest) else {
            self.at = self.held.len();
            return self.seek_on(input, each);
        };
        self.at += brace;
        match beginning(rest.get(brace..).unwrap_or_default()) {
            Beginning::Other => self.at += 1,
            Beginning::Unclear if input == Input::GoesOn => return self.seek_on(input, each),
            Beginning::Unclear => self.at += 1,
            Beginning::Record => {
                self.doubtful = self.doubtful.max(self.pos + self.at as u64 + 1);
                self.resume(each);
            }
            // A whole file follows. What it holds is as certain as in any file, if it was not within another.
            Beginning::Envelope => {
                self.levels.clear();
                self.is_lost = true;
                self.resume(each);
            }
        }
        true
    }

    fn seek_on(&mut self, input: Input, each: &mut impl FnMut(Cut<'_>)) -> bool {
        match input {
            Input::GoesOn => {
                while self.at - self.from >= PIECE_BYTES_MAX {
                    self.hand_out_pieces(self.from + PIECE_BYTES_MAX, each);
                }
            }
            Input::Ends => {
                self.hand_out(self.held.len(), each);
                self.begin(State::Between);
            }
        }
        false
    }

    /// Goes on with the object that begins at `at`.
    fn resume(&mut self, each: &mut impl FnMut(Cut<'_>)) {
        self.hand_out(self.at, each);
        while self.levels.last() == Some(&Level::Envelope) {
            self.levels.pop();
        }
        self.begin(State::Object(Scan::object()));
    }

    /// Hands out everything before `end` as what is no record.
    fn hand_out(&mut self, end: usize, each: &mut impl FnMut(Cut<'_>)) {
        if self.in_pieces || end - self.from >= PIECE_BYTES_MAX {
            self.hand_out_pieces(end, each);
            return;
        }
        let bytes = self.held.get(self.from..end).unwrap_or_default();
        let blank = bytes.len() - bytes.trim_ascii_start().len();
        let bytes = bytes.trim_ascii();
        if !bytes.is_empty() {
            each(Cut { pos: self.pos + (self.from + blank) as u64, bytes, kind: CutKind::Other });
        }
        self.from = end;
    }

    fn hand_out_pieces(&mut self, end: usize, each: &mut impl FnMut(Cut<'_>)) {
        self.in_pieces = true;
        let mut pos = self.pos + self.from as u64;
        for bytes in self.held.get(self.from..end).unwrap_or_default().chunks(PIECE_BYTES_MAX) {
            each(Cut { pos, bytes, kind: CutKind::Piece });
            pos += bytes.len() as u64;
        }
        self.from = end;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    GoesOn,
    Ends,
}

#[cfg(test)]
mod tests;
