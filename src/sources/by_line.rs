//! The frame of every decoder whose records are lines.

use super::lines::{Line, Lines, Part};
use super::{Decoder, Stream};
use crate::event::{Event, Stamp};

/// Makes an event of each line of one stream.
pub trait Tell: Send {
    fn new(stream: Stream) -> Self;

    /// A line that is not blank, or a piece of one.
    fn event(&mut self, line: Line<'_>, observed: Stamp) -> Event;
}

/// Cuts the stream into lines and passes over the blank ones.
pub struct ByLine<T> {
    lines: Lines,
    tell: T,
}

impl<T: Tell> ByLine<T> {
    pub fn new(stream: Stream) -> Self {
        Self { lines: Lines::new(stream.start), tell: T::new(stream) }
    }
}

impl<T: Tell> Decoder for ByLine<T> {
    fn push(&mut self, bytes: &[u8], observed: Stamp, out: &mut Vec<Event>) {
        let Self { lines, tell } = self;
        lines.push(bytes, |line| out.extend(event(tell, line, observed)));
    }

    fn finish(&mut self, observed: Stamp, out: &mut Vec<Event>) {
        let Self { lines, tell } = self;
        lines.finish(|line| out.extend(event(tell, line, observed)));
    }

    fn next(&self) -> u64 {
        self.lines.next()
    }
}

fn event(tell: &mut impl Tell, line: Line<'_>, observed: Stamp) -> Option<Event> {
    let is_blank = line.part == Part::Whole && line.bytes.trim_ascii().is_empty();
    (!is_blank).then(|| tell.event(line, observed))
}
