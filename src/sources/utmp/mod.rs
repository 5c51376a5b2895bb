//! utmp records: `wtmp` and `utmp` say who was logged in, `btmp` who tried in vain.
//!
//! A binary record's `raw` is its fields as a line of text, and `raw_base64` its exact bytes. What is no
//! record comes as `unparsed` events of at most [`PIECE_BYTES_MAX`] bytes: text as it is, anything else in
//! readable form with its bytes. A run of zeros is tagged [`ZEROS`]: a crash leaves them, and so does
//! whoever wipes records to hide a login.
//!
//! Invariant: what an event holds is decided by the bytes from its place on ([`record`]), so any split of
//! the input and any event to resume after give the same events.

mod meaning;
mod record;

use std::mem;

use super::ids::Ids;
use super::plain::UNPARSED;
use super::{Decoder, Stream};
use crate::event::{Event, Family, Stamp};
use record::{Found, Layout};

/// Marks bytes that are all zero where a record should be.
pub const ZEROS: &str = "zeros";

/// A whole number of records of either size, and short enough for a line of the trail.
pub const PIECE_BYTES_MAX: usize = 9_600;

/// Decodes wtmp, utmp and btmp, of any machine.
pub struct Utmp {
    stream: Stream,
    ids: Ids,
    /// From the first byte on that is in no event yet.
    held: Vec<u8>,
    /// Offset of the first held byte.
    pos: u64,
    /// How many held bytes are known to begin no record.
    scanned: usize,
}

/// Which family this is, if it is utmp at all: the records look alike, so the name decides, or else a
/// terminal that only failures have.
pub(super) fn family(name: &str, head: &[u8]) -> Option<Family> {
    let records = records(head)?;
    let file = name.rsplit('/').next().unwrap_or(name);
    let fails = || records.iter().any(|record| record.line().ends_with(":notty"));
    let is_btmp = file.contains("btmp") || !file.contains("tmp") && fails();
    Some(if is_btmp { Family::Btmp } else { Family::Wtmp })
}

/// The records from the beginning on, leading zeros aside; `None` if none of them has a time.
fn records(head: &[u8]) -> Option<Vec<record::Record<'_>>> {
    let zeros = head.iter().take_while(|byte| **byte == 0).count();
    // A big-endian record begins with a zero of its own.
    let starts = [0, zeros.saturating_sub(1), zeros];
    let mut rest = starts.into_iter().filter_map(|at| head.get(at..)).find(|rest| layout(rest).is_some())?;
    let mut records = Vec::new();
    while let Some(layout) = layout(rest) {
        let (bytes, after) = rest.split_at_checked(layout.size())?;
        records.push(layout.read(bytes));
        rest = after;
    }
    records.iter().any(record::Record::is_timed).then_some(records)
}

fn layout(bytes: &[u8]) -> Option<Layout> {
    match record::find(bytes, true) {
        Found::Record(layout) => Some(layout),
        Found::Nothing | Found::Undecided => None,
    }
}

impl Utmp {
    pub fn new(stream: Stream) -> Self {
        let ids = Ids::new(&stream);
        Self { pos: stream.start, stream, ids, held: Vec::new(), scanned: 0 }
    }

    /// Hands out everything that is decided.
    fn drain(&mut self, is_end: bool, observed: Stamp, out: &mut Vec<Event>) {
        let mut held = mem::take(&mut self.held);
        let (mut start, mut at) = (0, self.scanned);
        while at < held.len() {
            match record::find(held.get(at..).unwrap_or_default(), is_end) {
                Found::Undecided => break,
                Found::Nothing => at += 1,
                Found::Record(layout) => {
                    self.piece(held.get(start..at).unwrap_or_default(), observed, out);
                    start = at;
                    at += layout.size();
                    self.record(layout, held.get(start..at).unwrap_or_default(), observed, out);
                    start = at;
                }
            }
            if at - start == PIECE_BYTES_MAX {
                self.piece(held.get(start..at).unwrap_or_default(), observed, out);
                start = at;
            }
        }
        if is_end {
            self.piece(held.get(start..).unwrap_or_default(), observed, out);
            start = held.len();
        }
        self.scanned = at - start;
        held.drain(..start);
        self.held = held;
    }

    fn record(&mut self, layout: Layout, bytes: &[u8], observed: Stamp, out: &mut Vec<Event>) {
        let record = layout.read(bytes);
        let mut event = self.event(bytes, observed);
        let pos = event.source.pos.unwrap_or_default();
        if pos.is_multiple_of(layout.size() as u64) {
            event.set_detail("index", pos / layout.size() as u64);
        }
        meaning::fill(&mut event, &record);
        event.raw_base64 = Some(data_encoding::BASE64.encode(bytes));
        out.push(event);
    }

    /// What is no record.
    fn piece(&mut self, bytes: &[u8], observed: Stamp, out: &mut Vec<Event>) {
        if bytes.is_empty() {
            return;
        }
        let mut event = self.event(bytes, observed);
        match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => event.raw = Some(text.to_owned()),
            _ => {
                event.raw = Some(dotted(bytes));
                event.raw_base64 = Some(data_encoding::BASE64.encode(bytes));
            }
        }
        if bytes.iter().all(|byte| *byte == 0) {
            event.tag(ZEROS);
            event.raw = Some(format!("({} bytes of zeros)", bytes.len()));
        }
        out.push(event);
    }

    /// An event of nothing but the next bytes.
    fn event(&mut self, bytes: &[u8], observed: Stamp) -> Event {
        let pos = self.pos;
        self.pos += bytes.len() as u64;
        let id = self.ids.next(pos, bytes);
        let mut event = Event::new(id, UNPARSED, observed, observed, self.stream.source(pos, self.pos));
        event.place.host = Some(self.stream.host.clone());
        event
    }
}

/// The words among the bytes, with a dot for anything between them.
pub(super) fn dotted(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        match byte {
            b' '..=b'~' => out.push(char::from(*byte)),
            _ if out.ends_with('.') => {}
            _ => out.push('.'),
        }
    }
    out
}

impl Decoder for Utmp {
    fn push(&mut self, bytes: &[u8], observed: Stamp, out: &mut Vec<Event>) {
        self.held.extend_from_slice(bytes);
        self.drain(false, observed, out);
    }

    fn finish(&mut self, observed: Stamp, out: &mut Vec<Event>) {
        self.drain(true, observed, out);
    }

    fn next(&self) -> u64 {
        self.pos
    }
}
