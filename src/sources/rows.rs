//! Rows of a database, each a line of JSON: `{"ID":7,"User":"alice","Login":1795176000000000,…}`.
//!
//! Whoever reads the database writes its rows so; exports (`sqlite3 -json`, one row a line) are read too.
//! Ids come from what a row says and from the host, never from its number or its file: a row that was moved
//! to another database has the same id there.
//!
//! What is no such row becomes an `unparsed` event.

use serde_json::{Map, Value as Json};

use super::ids::Ids;
use super::lastlog2::Last;
use super::lines::{Line, Lines, Part};
use super::plain::UNPARSED;
use super::wtmpdb::Sessions;
use super::{Decoder, Stream};
use crate::event::{Event, EventId, Family, Stamp, tag};

/// Makes events of rows; one for each family.
pub trait Read: Send + 'static {
    /// The columns without which it is no such row.
    const COLUMNS: &'static [&'static str];

    /// The events of one row, in the order in which they happened.
    fn events(row: &Row<'_>) -> Vec<Event>;
}

/// One row, and what its events need besides.
pub struct Row<'a> {
    pub columns: &'a Map<String, Json>,
    pub stream: &'a Stream,
    pub observed: Stamp,
    pos: u64,
    next: u64,
}

impl Row<'_> {
    /// A column's text; `None` for NULL and for nothing.
    pub fn text(&self, column: &str) -> Option<&str> {
        self.columns.get(column)?.as_str().filter(|text| !text.is_empty())
    }

    /// A column's number, also where a table without types has it as text.
    pub fn number(&self, column: &str) -> Option<i64> {
        let value = self.columns.get(column)?;
        value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
    }

    /// An event of this row: `key` names the columns that make it the same one whenever it is read.
    pub fn event(&self, action: &str, when: Option<Stamp>, key: &[&str], ordinal: u32) -> Event {
        let parts: Vec<String> =
            key.iter().map(|column| self.columns.get(*column).unwrap_or(&Json::Null).to_string()).collect();
        let parts: Vec<&[u8]> =
            std::iter::once(self.stream.host.as_bytes()).chain(parts.iter().map(String::as_bytes)).collect();
        let id = EventId::new(self.stream.family, &parts, ordinal);
        let source = self.stream.source(self.pos, self.next);
        let mut event = Event::new(id, action, when.unwrap_or(self.observed), self.observed, source);
        if when.is_none() {
            event.tag(tag::WHEN_GUESSED);
        }
        event.judge_when();
        event.place.host = Some(self.stream.host.clone());
        for (column, value) in self.columns.iter().filter(|(_, value)| !value.is_null()) {
            event.set_detail(column, value.clone());
        }
        event
    }
}

/// Decodes rows of one family.
pub struct Rows<R> {
    lines: Lines,
    stream: Stream,
    ids: Ids,
    read: std::marker::PhantomData<fn() -> R>,
}

impl<R: Read> Rows<R> {
    pub fn new(stream: Stream) -> Self {
        let (lines, ids) = (Lines::new(stream.start), Ids::new(&stream));
        Self { lines, ids, stream, read: std::marker::PhantomData }
    }
}

impl<R: Read> Decoder for Rows<R> {
    fn push(&mut self, bytes: &[u8], observed: Stamp, out: &mut Vec<Event>) {
        let Self { lines, stream, ids, .. } = self;
        lines.push(bytes, |line| tell::<R>(line, stream, ids, observed, out));
    }

    fn finish(&mut self, observed: Stamp, out: &mut Vec<Event>) {
        let Self { lines, stream, ids, .. } = self;
        lines.finish(|line| tell::<R>(line, stream, ids, observed, out));
    }

    fn next(&self) -> u64 {
        self.lines.next()
    }
}

fn tell<R: Read>(line: Line<'_>, stream: &Stream, ids: &mut Ids, observed: Stamp, out: &mut Vec<Event>) {
    if line.part == Part::Whole && line.bytes.trim_ascii().is_empty() {
        return;
    }
    let by_place = ids.next(line.pos, line.bytes);
    if line.part == Part::Whole
        && let Some(columns) = columns::<R>(line.bytes)
    {
        let row = Row { columns: &columns, stream, observed, pos: line.pos, next: line.next };
        let mut events = R::events(&row);
        for event in events.iter_mut().filter(|event| event.raw.is_none()) {
            event.keep_raw(line.bytes);
        }
        out.append(&mut events);
        return;
    }
    let mut event = Event::new(by_place, UNPARSED, observed, observed, stream.source(line.pos, line.next));
    event.place.host = Some(stream.host.clone());
    event.keep_raw(line.bytes);
    if line.part != Part::Whole {
        event.tag(tag::LINE_PIECE);
    }
    out.push(event);
}

/// The row that a line is: an object with all of the family's columns and nothing nested.
fn columns<R: Read>(line: &[u8]) -> Option<Map<String, Json>> {
    let Ok(Json::Object(columns)) = serde_json::from_slice(line) else { return None };
    let has_all = R::COLUMNS.iter().all(|name| columns.contains_key(*name));
    let is_flat = columns.values().all(|value| !value.is_object() && !value.is_array());
    (has_all && is_flat).then_some(columns)
}

/// Whose rows these are, or whose database: the schema stands on its first page (sqlite.org/fileformat.html).
pub(super) fn family(head: &[u8]) -> Option<Family> {
    if is_database(head) {
        let holds = |text: &[u8]| memchr::memmem::find(head, text).is_some();
        let is_wtmpdb = holds(b"wtmp(") || holds(b"wtmp (");
        return if is_wtmpdb { Some(Family::Wtmpdb) } else { holds(b"Lastlog2").then_some(Family::Lastlog2) };
    }
    let line = head.split(|byte| *byte == b'\n').next()?;
    match () {
        () if columns::<Sessions>(line).is_some() => Some(Family::Wtmpdb),
        () if columns::<Last>(line).is_some() => Some(Family::Lastlog2),
        () => None,
    }
}

/// Whether a file is a SQLite database.
pub fn is_database(head: &[u8]) -> bool {
    head.starts_with(b"SQLite format 3\0")
}
