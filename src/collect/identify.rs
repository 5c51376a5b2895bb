//! Which stream a file's content is: decided by the content, never by name or inode.
//!
//! A stream is known by its head. Of the streams with that head, a file continues the one whose last
//! known record it holds at the same place: records are compared by id, which covers their bytes. A file
//! that ends before that place is a copy if all of its records are known. Anything else is a new stream
//! with that head: a new generation.

use std::io::{self, Read};
use std::sync::Arc;

use super::content::{Content, READ_BYTES};
use super::packing::Packing;
use super::positions::{Position, StreamId};
use super::registry::{Claim, Registry};
use super::setting::Setting;
use crate::event::{Event, Family, Lineage};
use crate::sources::Identity;
use crate::sources::lines::LINE_BYTES_MAX;

/// A head is at most this much of the first line (DESIGN §10).
const HEAD_BYTES: usize = 1_024;
/// Blank lines before the first one are passed over; more than this is a head too.
const BLANK_BYTES: usize = 4_096;
/// A utmp record on most machines; the others' are longer, and their first part is as good a head.
const UTMP_BYTES: usize = 384;
/// Where a record's end is not known, it ends within this.
const RECORD_BYTES: u64 = LINE_BYTES_MAX as u64;

/// What a file turned out to be.
pub(super) enum Identified {
    /// Too short to say; it may still grow.
    TooShort,
    /// Somebody else is reading this stream, or perhaps this one: of two that are new it cannot be told.
    Busy(Option<StreamId>),
    /// Everything in it is known, and it ends before what is known does.
    Copy(StreamId),
    /// To be read from an offset on.
    Read(Reading),
}

impl Identified {
    /// Whether the content is, or begins with, something that is known.
    pub(super) fn is_known(&self) -> bool {
        match self {
            Self::Read(reading) => reading.known,
            Self::Copy(_) | Self::Busy(_) => true,
            Self::TooShort => false,
        }
    }

    /// Which stream it is.
    pub(super) fn stream(&self) -> Option<StreamId> {
        match self {
            Self::Read(reading) => Some(reading.claim.id),
            Self::Copy(id) => Some(*id),
            Self::Busy(id) => *id,
            Self::TooShort => None,
        }
    }
}

pub(super) struct Reading {
    pub(super) claim: Claim,
    pub(super) start: u64,
    /// Whether the stream was known before.
    pub(super) known: bool,
    /// Records up to here may be in the trail, though their stream is not covered to their end.
    pub(super) replay_to: Option<u64>,
}

/// Whether bytes may still be added to the first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Growth {
    MayGrow,
    IsWhole,
}

/// Decides which stream the content is and claims it.
pub(super) fn identify(
    content: &Content,
    origin: &str,
    growth: Growth,
    setting: &Setting,
    registry: &Arc<Registry>,
) -> io::Result<Identified> {
    let Some(head) = head(content, setting.source.family, growth)? else { return Ok(Identified::TooShort) };
    let lineage = Lineage::new(&setting.host, setting.source.family, &head);
    let _one_at_a_time = registry.opening();
    let probe = Probe { content, origin, setting, registry };
    let known = registry.positions(|positions| positions.generations(lineage));
    let mut split = Agreed { records: 0, until: 0 };
    for (id, at) in &known {
        if probe.holds(*id, at)? {
            let Some(claim) = registry.claim(*id) else { return Ok(Identified::Busy(Some(*id))) };
            let (start, replay_to) = (at.next, Some(at.pos));
            return Ok(Identified::Read(Reading { claim, start, known: true, replay_to }));
        }
    }
    for (id, at) in &known {
        match probe.agreement(*id, at)? {
            None => return Ok(Identified::Copy(*id)),
            Some(agreed) if agreed.records > split.records => split = agreed,
            Some(_) => {}
        }
    }
    // The same head alone is no reason to leave anything out: headers are constant. A copy that went its
    // own way later holds what is known once more, and starts to be a stream where it leaves the other.
    let start = if split.records > 1 { split.until } else { 0 };
    let Some(claim) = registry.claim_new(lineage) else { return Ok(Identified::Busy(None)) };
    Ok(Identified::Read(Reading { claim, start, known: false, replay_to: None }))
}

/// The first complete line without its end, or the first utmp record.
fn head(content: &Content, family: Family, growth: Growth) -> io::Result<Option<Vec<u8>>> {
    let bytes = read_up_to(content, BLANK_BYTES + HEAD_BYTES)?;
    // It was empty when it was opened, and a packer has begun to fill it since.
    let is_packed_by_now = !content.packed && Packing::of(&bytes).is_some();
    Ok(if is_packed_by_now { None } else { head_in(&bytes, family, growth) })
}

/// The beginning of a content, if it is still that of the stream: the file may have been emptied since it was
/// identified.
pub(super) fn begins(content: &Content, id: StreamId, setting: &Setting) -> io::Result<Option<Vec<u8>>> {
    let bytes = read_up_to(content, BLANK_BYTES + HEAD_BYTES)?;
    let head = head_in(&bytes, setting.source.family, Growth::IsWhole);
    let is_it = head.is_some_and(|head| Lineage::new(&setting.host, setting.source.family, &head) == id.lineage);
    Ok(is_it.then_some(bytes))
}

fn head_in(bytes: &[u8], family: Family, growth: Growth) -> Option<Vec<u8>> {
    let whole = growth == Growth::IsWhole;
    if matches!(family, Family::Wtmp | Family::Btmp) {
        let bytes = bytes.get(..UTMP_BYTES).unwrap_or(bytes);
        let enough = bytes.len() == UTMP_BYTES || (whole && !bytes.is_empty());
        return enough.then(|| bytes.to_vec());
    }
    let bytes = bytes.get(..BLANK_BYTES + HEAD_BYTES).unwrap_or(bytes);
    let blank = bytes.iter().take(BLANK_BYTES).take_while(|b| matches!(b, b'\n' | b'\r')).count();
    let bytes = bytes.get(blank..).unwrap_or_default();
    let window = bytes.get(..HEAD_BYTES).unwrap_or(bytes);
    match memchr::memchr(b'\n', window) {
        Some(end) => window.get(..end).map(<[u8]>::to_vec),
        None if window.len() == HEAD_BYTES || (whole && !window.is_empty()) => Some(window.to_vec()),
        None => None,
    }
}

fn read_up_to(content: &Content, bytes: usize) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(bytes);
    content.read_from(0)?.take(bytes as u64).read_to_end(&mut head)?;
    Ok(head)
}

struct Probe<'a> {
    content: &'a Content,
    origin: &'a str,
    setting: &'a Setting,
    registry: &'a Arc<Registry>,
}

/// How much of a content is known under one stream.
struct Agreed {
    records: u64,
    /// Where the first record begins that is not.
    until: u64,
}

impl Probe<'_> {
    /// Whether the last known record of a stream stands at its place here.
    fn holds(&self, id: StreamId, at: &Position) -> io::Result<bool> {
        let start = at.pos.min(at.next);
        let end = if at.next > at.pos { at.next } else { at.pos.saturating_add(RECORD_BYTES) };
        let mut decoder = self.setting.decoder(self.identity(id), self.origin, start, &self.content.print);
        let mut events = Vec::new();
        let mut read = 0;
        let mut found = false;
        let mut from = self.content.read_from(start)?.take(end - start);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let n = from.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            read += n as u64;
            decoder.push(&buffer[..n], at_any_time(), &mut events);
            found |= events.drain(..).any(|event: Event| event.id == at.id);
        }
        if start + read < at.next {
            return Ok(false);
        }
        decoder.finish(at_any_time(), &mut events);
        Ok(found || events.iter().any(|event| event.id == at.id))
    }

    /// Reads from the beginning for as long as every record is known. `None`: they all are, and the
    /// content ends before what is known of the stream.
    fn agreement(&self, id: StreamId, at: &Position) -> io::Result<Option<Agreed>> {
        let mut decoder = self.setting.decoder(self.identity(id), self.origin, 0, &self.content.print);
        let mut from = self.content.read_from(0)?;
        let mut buffer = vec![0; READ_BYTES];
        let mut events: Vec<Event> = Vec::new();
        let mut agreed = Agreed { records: 0, until: 0 };
        let mut length = 0;
        loop {
            let n = from.read(&mut buffer)?;
            length += n as u64;
            if n == 0 {
                agreed.until = decoder.next();
                return Ok((length >= at.next).then_some(agreed));
            }
            decoder.push(&buffer[..n], at_any_time(), &mut events);
            for event in events.drain(..) {
                if !self.registry.knows(&event.id) {
                    agreed.until = event.source.pos.unwrap_or(0);
                    return Ok(Some(agreed));
                }
                agreed.records += 1;
            }
        }
    }

    fn identity(&self, id: StreamId) -> Identity {
        Identity::Place { lineage: id.lineage, generation: id.generation }
    }
}

/// Ids do not depend on when a record is read.
fn at_any_time() -> crate::event::Stamp {
    crate::event::Stamp::from_unix(0, 0)
}
