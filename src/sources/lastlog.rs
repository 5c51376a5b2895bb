//! lastlog: `/var/log/lastlog`, one record for each user number, overwritten at each login (glibc's `bits/utmp.h`).
//!
//! ```text
//!         292 bytes  296 bytes
//! seconds     0  4       0  8   since 1970; zeros where nobody logged in
//! line        4 32       8 32   the terminal, text up to a NUL
//! host       36 256     40 256
//! ```
//!
//! x86-64 writes 292 bytes, aarch64 and others without a 32-bit past 296, each in its own byte order. The
//! record of user number N lies at N times its size. Nothing in the file says which size it is: the first
//! record shows it, and the rest of the file follows.
//!
//! An id comes from the host, the number and the record, not from a place in a stream: the file is a state
//! that is read again and again, and each state of a record is one event.

use super::ids::Ids;
use super::plain::UNPARSED;
use super::remote_host;
use super::{Decoder, Stream};
use crate::event::{Event, EventId, Family, Outcome, Stamp};

/// Which machine's record it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    time: Width,
    is_big_endian: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Width {
    Four = 4,
    Eight = 8,
}

const LINE: usize = 32;
const HOST: usize = 256;

/// The longest record.
pub const RECORD_BYTES_MAX: usize = Width::Eight as usize + LINE + HOST;

/// Damage comes in pieces that fit a line of the trail.
const PIECE_BYTES_MAX: usize = 8_192;

/// 1990-01-01 and the end of 32 bits without a sign.
const FIRST_SECOND: i64 = 631_152_000;
const LAST_SECOND: i64 = u32::MAX as i64;

impl Layout {
    /// The shorter ones first: where a place could be either, they are what most machines write.
    pub const ALL: [Self; 4] = [
        Self { time: Width::Four, is_big_endian: false },
        Self { time: Width::Four, is_big_endian: true },
        Self { time: Width::Eight, is_big_endian: false },
        Self { time: Width::Eight, is_big_endian: true },
    ];

    /// How long a record is.
    pub fn size(self) -> usize {
        self.time as usize + LINE + HOST
    }

    /// Whether a record of some user may lie at this place.
    pub fn is_place(self, pos: u64) -> bool {
        pos.is_multiple_of(self.size() as u64)
    }

    fn read(self, bytes: &[u8]) -> Option<Record<'_>> {
        let (time, rest) = bytes.get(..self.size())?.split_at(self.time as usize);
        let (line, host) = rest.split_at(LINE);
        let fold = |seconds: u64, byte: &u8| seconds << 8 | u64::from(*byte);
        let seconds = if self.is_big_endian { time.iter().fold(0, fold) } else { time.iter().rev().fold(0, fold) };
        Some(Record { seconds: seconds.cast_signed(), line, host })
    }

    /// Whether these bytes look like a record: a right time, and text that ends in NULs only.
    fn fits(self, bytes: &[u8]) -> bool {
        self.read(bytes).is_some_and(|record| {
            (FIRST_SECOND..=LAST_SECOND).contains(&record.seconds)
                && is_text(record.line)
                && is_text(record.host)
                && (record.line.first() != Some(&0) || record.host.first() != Some(&0))
        })
    }
}

struct Record<'a> {
    seconds: i64,
    line: &'a [u8],
    host: &'a [u8],
}

/// Text without control characters, then NULs only.
fn is_text(field: &[u8]) -> bool {
    let text = text(field);
    let rest = field.get(text.len()..).unwrap_or_default();
    !text.iter().any(u8::is_ascii_control) && rest.iter().all(|byte| *byte == 0)
}

fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// Decodes a lastlog file from its beginning or from any place of a record.
pub struct Lastlog {
    stream: Stream,
    ids: Ids,
    layout: Option<Layout>,
    held: Vec<u8>,
    /// Offset of the first held byte.
    pos: u64,
    /// How many held bytes are known to be no record.
    scanned: usize,
}

impl Lastlog {
    pub fn new(stream: Stream) -> Self {
        let ids = Ids::new(&stream);
        Self { pos: stream.start, stream, ids, layout: None, held: Vec::new(), scanned: 0 }
    }

    /// The same for a file of which an earlier part showed the layout.
    pub fn of_layout(stream: Stream, layout: Layout) -> Self {
        Self { layout: Some(layout), ..Self::new(stream) }
    }

    fn drain(&mut self, is_end: bool, observed: Stamp, out: &mut Vec<Event>) {
        let held = std::mem::take(&mut self.held);
        let (mut start, mut at) = (0, self.scanned);
        while at < held.len() {
            let rest = held.get(at..).unwrap_or_default();
            let place = self.pos + (at - start) as u64;
            let may_be = |layout: &Layout| layout.is_place(place) && self.layout.is_none_or(|known| known == *layout);
            // Less would let the split of the input decide.
            if rest.len() < RECORD_BYTES_MAX && !is_end {
                break;
            }
            let here = Layout::ALL.into_iter().filter(may_be).find(|layout| layout.fits(rest));
            if let Some(layout) = here {
                self.piece(held.get(start..at).unwrap_or_default(), observed, out);
                start = at;
                at += layout.size();
                self.layout = Some(layout);
                self.record(layout, held.get(start..at).unwrap_or_default(), observed, out);
                start = at;
                continue;
            }
            // Where nobody logged in there are zeros, and they come in long runs.
            let step = self.to_next_place(place).clamp(1, rest.len());
            let is_zeros = rest.iter().take(step).all(|byte| *byte == 0);
            at += step;
            if at - start >= PIECE_BYTES_MAX || is_zeros {
                self.piece(held.get(start..at).unwrap_or_default(), observed, out);
                start = at;
            }
        }
        if is_end {
            self.piece(held.get(start..).unwrap_or_default(), observed, out);
            start = held.len();
        }
        self.scanned = at.saturating_sub(start);
        self.held = held.get(start..).unwrap_or_default().to_vec();
    }

    /// How far the next place is where a record may begin.
    fn to_next_place(&self, place: u64) -> usize {
        let to = |layout: &Layout| layout.size() - usize::try_from(place % layout.size() as u64).unwrap_or(0);
        let layouts = Layout::ALL.iter().filter(|layout| self.layout.is_none_or(|known| known == **layout));
        layouts.map(to).min().unwrap_or(1)
    }

    fn record(&mut self, layout: Layout, bytes: &[u8], observed: Stamp, out: &mut Vec<Event>) {
        let Some(record) = layout.read(bytes) else { return };
        let pos = self.pos;
        let uid = pos / layout.size() as u64;
        let id = EventId::new(Family::Lastlog, &[self.stream.host.as_bytes(), &uid.to_be_bytes(), bytes], 0);
        self.ids.next(pos, bytes);
        let mut event = self.event(id, bytes.len(), observed);
        let [line, host] = [record.line, record.host].map(|field| String::from_utf8_lossy(text(field)).into_owned());
        event.what.action = "login.last".to_owned();
        event.what.category = vec!["session".to_owned()];
        event.outcome = Outcome::Success;
        event.when = Stamp::from_unix(record.seconds, 0);
        event.judge_when();
        event.who.kind = Some(if uid == 0 { "root" } else { "user" }.to_owned());
        event.who.id = Some(uid.to_string());
        remote_host::enter(&mut event.who, &host);
        event.place.tty = Some(line.clone()).filter(|line| !line.is_empty());
        event.set_detail("uid", uid);
        for (key, text) in [("line", &line), ("host", &host)].into_iter().filter(|(_, text)| !text.is_empty()) {
            event.set_detail(key, text.as_str());
        }
        event.raw = Some(format!("[{uid}] [{line}] [{host}] [{}]", event.when));
        event.raw_base64 = Some(data_encoding::BASE64.encode(bytes));
        out.push(event);
    }

    /// What is no record. Zeros are nothing: nobody with these numbers logged in.
    fn piece(&mut self, bytes: &[u8], observed: Stamp, out: &mut Vec<Event>) {
        for bytes in bytes.chunks(PIECE_BYTES_MAX) {
            if bytes.iter().all(|byte| *byte == 0) {
                self.pos += bytes.len() as u64;
                continue;
            }
            let key: [&[u8]; 4] = [self.stream.host.as_bytes(), b"piece", &self.pos.to_be_bytes(), bytes];
            let id = EventId::new(Family::Lastlog, &key, 0);
            self.ids.next(self.pos, bytes);
            let mut event = self.event(id, bytes.len(), observed);
            event.raw = Some(super::utmp::dotted(bytes));
            event.raw_base64 = Some(data_encoding::BASE64.encode(bytes));
            out.push(event);
        }
    }

    fn event(&mut self, id: EventId, len: usize, observed: Stamp) -> Event {
        let pos = self.pos;
        self.pos += len as u64;
        let mut event = Event::new(id, UNPARSED, observed, observed, self.stream.source(pos, self.pos));
        event.place.host = Some(self.stream.host.clone());
        event
    }
}

impl Decoder for Lastlog {
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

/// Whether this is a lastlog file: its first bytes that are not zero are a record.
pub fn is_lastlog(head: &[u8]) -> bool {
    let Some(first) = head.iter().position(|byte| *byte != 0) else { return false };
    let places = |layout: Layout| {
        let size = layout.size();
        // A record of the long form that is big-endian begins with zeros of its own.
        [first / size * size, (first / size).saturating_sub(1) * size]
            .into_iter()
            .any(|at| head.get(at..).is_some_and(|bytes| layout.fits(bytes)))
    };
    Layout::ALL.into_iter().any(places)
}

/// What the parts of a file say about its layout: how many records each layout finds.
#[derive(Debug, Default)]
pub struct Votes([usize; Layout::ALL.len()]);

/// A place at which a record of every layout begins is a multiple of this: 292 and 296 have it in common.
pub const STRIDE: u64 = 21_608;

impl Votes {
    /// Takes a part that begins at a multiple of [`STRIDE`].
    pub fn count(&mut self, part: &[u8]) {
        for (votes, layout) in self.0.iter_mut().zip(Layout::ALL) {
            *votes += part.chunks_exact(layout.size()).filter(|record| layout.fits(record)).count();
        }
    }

    /// The layout that finds the most records; of equal ones the first.
    pub fn layout(&self) -> Option<Layout> {
        let counted = self.0.iter().zip(Layout::ALL).rev();
        counted.max_by_key(|(votes, _)| **votes).filter(|(votes, _)| **votes > 0).map(|(_, layout)| layout)
    }
}
