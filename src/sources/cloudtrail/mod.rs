//! AWS CloudTrail: `{"Records":[…]}` objects, bare lists of records, JSON Lines, or one record.
//!
//! Each record becomes one event that keeps the record's exact bytes. [`records`] cuts them out of the
//! stream, [`record`] reads one. What is no record, cannot be parsed or is nested deeper than serde_json
//! allows (128 levels) becomes `unparsed` events that hold the bytes.
//!
//! Ids: a record is known by (recipient account, `eventID`), wherever it is read, so that the doubles of
//! organisation trails and overlapping listings are one event. Another record under the same `eventID`
//! (CloudTrail marks a revision by `addendum`) is an event of its own: its content is part of its id.
//! A record without an `eventID`, and bytes that are no record, are known by their place.

mod beginning;
mod exposure;
mod record;
mod records;
mod scan;
mod tree;
mod what;
mod who;

use std::collections::HashMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

pub use self::beginning::is_cloudtrail;
use self::records::{Cut, CutKind, Records};
use super::ids::Ids;
use super::plain::UNPARSED;
use super::{Decoder, Stream};
use crate::event::{Event, EventId, Family, Stamp, tag};

/// Decodes a CloudTrail object.
pub struct Cloudtrail {
    records: Records,
    reader: Reader,
}

impl Cloudtrail {
    pub fn new(stream: Stream) -> Self {
        let reader = Reader { ids: Ids::new(&stream), known: Known::default(), stream };
        Self { records: Records::new(reader.stream.start), reader }
    }
}

impl Decoder for Cloudtrail {
    fn push(&mut self, bytes: &[u8], observed: Stamp, out: &mut Vec<Event>) {
        let Self { records, reader } = self;
        records.push(bytes, |cut| out.push(reader.event(cut, observed)));
    }

    fn finish(&mut self, observed: Stamp, out: &mut Vec<Event>) {
        let Self { records, reader } = self;
        records.finish(|cut| out.push(reader.event(cut, observed)));
    }

    fn next(&self) -> u64 {
        self.records.next()
    }
}

struct Reader {
    stream: Stream,
    ids: Ids,
    known: Known,
}

impl Reader {
    fn event(&mut self, cut: Cut<'_>, observed: Stamp) -> Event {
        let source = self.stream.source(cut.pos, cut.pos + cut.bytes.len() as u64);
        let content: [u8; 32] = Sha256::digest(cut.bytes).into();
        let by_place = self.ids.next(cut.pos, &content);
        let mut event = match parse(cut) {
            Some(record) => {
                let id = self.known.id(&record, &content).unwrap_or(by_place);
                record::event(&record, id, observed, source)
            }
            None => Event::new(by_place, UNPARSED, observed, observed, source),
        };
        event.keep_raw(cut.bytes);
        match cut.kind {
            CutKind::Record | CutKind::Other => {}
            CutKind::Salvaged => event.tag(tag::SALVAGED),
            CutKind::Piece => event.tag(tag::LINE_PIECE),
        }
        event
    }
}

fn parse(cut: Cut<'_>) -> Option<Value> {
    match cut.kind {
        CutKind::Record | CutKind::Salvaged => serde_json::from_slice(cut.bytes).ok(),
        CutKind::Other | CutKind::Piece => None,
    }
}

/// The records of this stream by their `eventID`, each with a part of its content's hash.
#[derive(Default)]
struct Known(HashMap<EventId, [u8; 8]>);

/// Some 40 MB, and far more records than an object has. A revision that is further away within one
/// stream than this is taken for a double.
const KNOWN_MAX: usize = 1 << 20;

impl Known {
    /// The id of a record that has an `eventID`.
    fn id(&mut self, record: &Value, content: &[u8; 32]) -> Option<EventId> {
        let event_id = tree::text(record, "eventID")?;
        let account = tree::text(record, "recipientAccountId").unwrap_or_default();
        let key = [account.as_bytes(), event_id.as_bytes()];
        let id = EventId::new(Family::Cloudtrail, &key, 0);
        let mut mark = [0; 8];
        mark.iter_mut().zip(content).for_each(|(mark, byte)| *mark = *byte);
        if self.0.len() >= KNOWN_MAX {
            self.0.clear();
        }
        let first = *self.0.entry(id).or_insert(mark);
        let is_revision = first != mark || record.get("addendum").is_some_and(|addendum| !addendum.is_null());
        Some(if is_revision { EventId::new(Family::Cloudtrail, &[key[0], key[1], content], 0) } else { id })
    }
}
