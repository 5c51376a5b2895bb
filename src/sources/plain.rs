//! Lines that nobody reads more closely: each is an `unparsed` event.

use super::ids::Ids;
use super::lines::{Line, Lines, Part};
use super::{Decoder, Stream};
use crate::event::{Event, Stamp, tag};

/// The action of a record that is kept as it is.
pub const UNPARSED: &str = "unparsed";

/// The decoder of families that have no other.
pub struct Plain {
    lines: Lines,
    records: Records,
}

struct Records {
    stream: Stream,
    ids: Ids,
}

impl Plain {
    pub fn new(stream: Stream) -> Self {
        let lines = Lines::new(stream.start);
        let ids = Ids::new(&stream);
        Self { lines, records: Records { stream, ids } }
    }
}

impl Decoder for Plain {
    fn push(&mut self, bytes: &[u8], observed: Stamp, out: &mut Vec<Event>) {
        let Self { lines, records } = self;
        lines.push(bytes, |line| out.extend(records.event(line, observed)));
    }

    fn finish(&mut self, observed: Stamp, out: &mut Vec<Event>) {
        let Self { lines, records } = self;
        lines.finish(|line| out.extend(records.event(line, observed)));
    }

    fn next(&self) -> u64 {
        self.lines.next()
    }
}

impl Records {
    fn event(&mut self, line: Line<'_>, observed: Stamp) -> Option<Event> {
        if line.part == Part::Whole && line.bytes.trim_ascii().is_empty() {
            return None;
        }
        let id = self.ids.next(line.pos, line.bytes);
        let source = self.stream.source(line.pos, line.next);
        let mut event = Event::new(id, UNPARSED, observed, observed, source);
        event.place.host = Some(self.stream.host.clone());
        event.keep_raw(line.bytes);
        if line.part != Part::Whole {
            event.tag(tag::LINE_PIECE);
        }
        Some(event)
    }
}
