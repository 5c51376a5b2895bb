//! Bytes to events. Pure: no files, no clock, no threads.
//!
//! A source is one file (a folder where the family is large) with a [`Decoder`]. Adding one is that
//! file, a line in [`decoder`], a fixture folder `tests/sources/<name>/`, a line in `docs/sources.md`
//! and an `examples/<name>.toml`.
//!
//! Invariants, tested for every source: any split of the input gives the same events; every byte of
//! the input is in the `raw` of some event (blank lines aside); nothing panics.

pub mod ansible;
pub mod by_line;
pub mod cloudtrail;
pub mod exec;
pub mod ids;
pub mod journal;
pub mod lastlog;
pub mod lastlog2;
pub mod lines;
pub mod plain;
mod remote_host;
pub mod rows;
pub mod run_record;
pub mod secrets;
pub mod syslog;
pub mod utmp;
pub mod wtmpdb;
pub mod zone;

use std::sync::Arc;

use crate::event::world::World;
use crate::event::{Event, Family, Lineage, Source, Stamp};
use secrets::Marks;
use zone::Zone;

/// Which stream is being decoded, and what its records do not say themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct Stream {
    /// The source's name in the configuration.
    pub name: Arc<str>,
    pub family: Family,
    /// The path or object it is read from.
    pub origin: Arc<str>,
    /// `where.host` for records that name none.
    pub host: String,
    pub identity: Identity,
    /// Offset at which decoding begins.
    pub start: u64,
    /// For stamps without an offset.
    pub zone: Zone,
    /// For stamps without a year: the year, or an instant that no record is a day later than.
    pub year: Year,
    /// What stands where a secret was.
    pub marks: Marks,
    /// Which networks a change to a cloud's rules opens to everybody.
    pub world: World,
}

/// What makes the same record have the same id when it is read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Its place in a content stream.
    Place { lineage: Lineage, generation: u32 },
    /// All bytes of the stream up to its end: standard input.
    Content,
}

/// How a stamp without a year gets one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Year {
    /// `--year`: the year of the first record.
    First(i32),
    /// The file's time of change, or the present.
    NotAfter(Stamp),
}

/// Turns a stream's bytes into events.
pub trait Decoder: Send {
    /// Takes the next bytes; appends the events of every record that is now complete.
    fn push(&mut self, bytes: &[u8], observed: Stamp, out: &mut Vec<Event>);

    /// The stream ends here and will not go on: an unfinished last record is an event of its own.
    fn finish(&mut self, observed: Stamp, out: &mut Vec<Event>);

    /// Lowest offset that is not yet covered by events handed out: where to resume.
    fn next(&self) -> u64;
}

/// The decoder of a stream. A family without one gives plain lines, each an `unparsed` event.
pub fn decoder(stream: Stream) -> Box<dyn Decoder> {
    match stream.family {
        Family::Auth => Box::new(syslog::Syslog::new(stream)),
        Family::Journal => Box::new(journal::Journal::new(stream)),
        Family::Wtmp | Family::Btmp => Box::new(utmp::Utmp::new(stream)),
        Family::Lastlog => Box::new(lastlog::Lastlog::new(stream)),
        Family::Wtmpdb => Box::new(wtmpdb::Wtmpdb::new(stream)),
        Family::Lastlog2 => Box::new(lastlog2::Lastlog2::new(stream)),
        Family::Cloudtrail => Box::new(cloudtrail::Cloudtrail::new(stream)),
        Family::Exec | Family::Ansible => Box::new(run_record::Records::new(stream)),
        Family::Whodid => Box::new(plain::Plain::new(stream)),
    }
}

/// What a file is, by the first [`HEAD_BYTES`] of its unpacked content; its name decides where the
/// content leaves several.
pub fn detect(name: &str, head: &[u8]) -> Option<Family> {
    if let Some(family) = utmp::family(name, head) {
        return Some(family);
    }
    if let Some(family) = run_record::family(head) {
        return Some(family);
    }
    if syslog::is_auth(head) {
        return Some(Family::Auth);
    }
    if let Some(family) = rows::family(head) {
        return Some(family);
    }
    if journal::is_journal(head) || journal::is_journal_file(head) {
        return Some(Family::Journal);
    }
    if cloudtrail::is_cloudtrail(head) {
        return Some(Family::Cloudtrail);
    }
    lastlog::is_lastlog(head).then_some(Family::Lastlog)
}

/// How much of a file [`detect`] wants to see.
pub const HEAD_BYTES: u64 = 64 << 10;

impl Stream {
    /// The `source` of an event whose record lies at `pos..next`.
    pub fn source(&self, pos: u64, next: u64) -> Source {
        let (lineage, generation) = match self.identity {
            Identity::Place { lineage, generation } => (Some(lineage), generation),
            Identity::Content => (None, 0),
        };
        Source {
            name: Arc::clone(&self.name),
            kind: self.family,
            origin: Arc::clone(&self.origin),
            lineage,
            generation,
            pos: Some(pos),
            next: Some(next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream for tests, in UTC.
    pub(super) fn stream(family: Family) -> Stream {
        Stream {
            name: family.name().into(),
            family,
            origin: "test".into(),
            host: "example".to_owned(),
            identity: Identity::Place { lineage: Lineage::new("example", family, b"test"), generation: 0 },
            start: 0,
            zone: Zone::UTC,
            year: Year::NotAfter(Stamp::from_unix(1_795_176_000, 0)),
            marks: Marks::default(),
            world: Default::default(),
        }
    }
}
