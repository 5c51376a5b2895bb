//! Lines that nobody reads more closely: each is an `unparsed` event.

use super::Stream;
use super::by_line::{ByLine, Tell};
use super::ids::Ids;
use super::lines::{Line, Part};
use crate::event::{Event, Stamp, tag};

/// The action of a record that is kept as it is.
pub const UNPARSED: &str = "unparsed";

/// The decoder of families that have no other.
pub type Plain = ByLine<Records>;

pub struct Records {
    stream: Stream,
    ids: Ids,
}

impl Tell for Records {
    fn new(stream: Stream) -> Self {
        Self { ids: Ids::new(&stream), stream }
    }

    fn event(&mut self, line: Line<'_>, observed: Stamp) -> Event {
        let id = self.ids.next(line.pos, line.bytes);
        let source = self.stream.source(line.pos, line.next);
        let mut event = Event::new(id, UNPARSED, observed, observed, source);
        event.place.host = Some(self.stream.host.clone());
        event.keep_raw(line.bytes);
        if line.part != Part::Whole {
            event.tag(tag::LINE_PIECE);
        }
        event
    }
}
