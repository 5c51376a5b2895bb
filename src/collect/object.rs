//! One CloudTrail object on its way, from a folder, a bucket or a queue: its records and then what it was, or a digest.
//!
//! Invariants: that an object was read is stated after its records, and only of content that came to its end
//! undamaged. What follows a packed object's first member is never read as records: it is kept beside the event that
//! says so, as it is.

use std::io::{self, BufRead, Read as _};

use data_encoding::HEXLOWER;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::content::READ_BYTES;
use super::names::{self, Kind};
use super::notice::Notice;
use super::outlet::{Closed, Outlet, Pushed};
use super::setting::Setting;
use super::unpack::{Rest, Unpack};
use crate::event::delivery::{DigestRead, ObjectRead};
use crate::event::{Event, Stamp};
use crate::sources::{Decoder, Identity};

/// So much of what should not be there is kept; how long it was is said in any case.
pub(super) const QUARANTINE_BYTES_MAX: usize = 8 << 20;

/// A digest of an hour in which 50,000 objects were delivered. It is held whole, because it is kept whole.
const DIGEST_BYTES_MAX: u64 = 32 << 20;

/// What comes with an object's bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) origin: &'a str,
    /// `x-amz-meta-signature`, where it was read from a place that has metadata.
    pub(super) signature: Option<&'a str>,
}

/// How reading an object came to its end.
#[derive(Debug)]
pub(super) enum Ended {
    /// All that is there was read; damage, if there was any, was said.
    Read,
    /// It was time to stop, or the stream broke: nothing was stated of it. What was sent of it is known when it is
    /// read again.
    Stopped,
    Broken(io::Error),
}

/// Reads an object to its end. `goes_on` is asked now and then, with the unpacked bytes so far.
pub(super) fn read(
    from: impl BufRead,
    about: About<'_>,
    setting: &Setting,
    outlet: &mut Outlet,
    goes_on: impl Fn(u64) -> bool,
) -> Result<Ended, Closed> {
    let mut limit = setting.source.decompressed_bytes_max;
    if Kind::of(about.origin) == Kind::Digest {
        limit = limit.min(DIGEST_BYTES_MAX);
    }
    let mut from = Unpack::new(from, setting.members(), limit);
    let mut object = Object::new(setting, about);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(_) if !goes_on(object.bytes) => return Ok(Ended::Stopped),
            Ok(n) => object.push(buffer.get(..n).unwrap_or_default(), outlet)?,
            Err(error) => return Ok(Ended::Broken(error)),
        }
    }
    let problem = from.damage().map(ToString::to_string);
    let rest = match from.rest(QUARANTINE_BYTES_MAX) {
        Ok(rest) => rest,
        Err(error) => return Ok(Ended::Broken(error)),
    };
    object.end(problem, rest, outlet)?;
    Ok(Ended::Read)
}

struct Object<'a> {
    about: About<'a>,
    content: Content,
    /// Of its delivery, if its name says it.
    when: Option<Stamp>,
    clock: crate::clock::Clock,
    hash: Sha256,
    bytes: u64,
}

enum Content {
    Records(Records),
    Digest(Vec<u8>),
}

struct Records {
    decoder: Box<dyn Decoder>,
    events: Vec<Event>,
    sent: u64,
    known: u64,
}

impl<'a> Object<'a> {
    fn new(setting: &Setting, about: About<'a>) -> Self {
        let content = match Kind::of(about.origin) {
            Kind::Digest => Content::Digest(Vec::new()),
            Kind::Records => {
                let decoder = setting.decoder_now(Identity::Content, about.origin);
                Content::Records(Records { decoder, events: Vec::new(), sent: 0, known: 0 })
            }
        };
        let when = names::delivered(about.origin);
        Self { about, content, when, clock: setting.clock, hash: Sha256::new(), bytes: 0 }
    }

    fn push(&mut self, bytes: &[u8], outlet: &mut Outlet) -> Result<(), Closed> {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
        match &mut self.content {
            Content::Digest(content) => content.extend_from_slice(bytes),
            Content::Records(records) => {
                records.decoder.push(bytes, self.clock.now(), &mut records.events);
                records.hand_on(outlet)?;
            }
        }
        Ok(())
    }

    /// The content is over. `problem`: it is damaged; `rest`: it came to its end, but that is not the end.
    fn end(self, problem: Option<String>, rest: Option<Rest>, outlet: &mut Outlet) -> Result<(), Closed> {
        let Self { about, content, when, clock, hash, bytes } = self;
        let now = clock.now();
        let sha256 = HEXLOWER.encode(&hash.finalize());
        let is_whole = problem.is_none() || rest.is_some();
        let (mut problem, mut rest) = (problem, rest);
        let (mut sent, mut known) = (0, 0);
        match content {
            Content::Records(mut records) => {
                records.decoder.finish(now, &mut records.events);
                records.hand_on(outlet)?;
                (sent, known) = (records.sent, records.known);
                if is_whole {
                    let read = ObjectRead { origin: about.origin.to_owned(), sha256, bytes, records: sent + known };
                    outlet.push(read.to_event(outlet.source(), when.unwrap_or(now), now), true)?;
                }
            }
            Content::Digest(content) if !is_whole => drop(content),
            Content::Digest(content) if is_json_object(&content) => {
                let signature = about.signature.map(str::to_owned);
                let read = DigestRead { origin: about.origin.to_owned(), sha256, signature };
                outlet.read_digest(about.origin, &content);
                let event = read.to_event(outlet.source(), when.unwrap_or(now), now, &content);
                match outlet.push(event, true)? {
                    Pushed::Sent => sent = 1,
                    Pushed::Known => known = 1,
                }
            }
            Content::Digest(content) => {
                let what = "the content of this digest is no JSON object, which AWS never writes: it proves nothing";
                problem.get_or_insert_with(|| what.to_owned());
                rest.get_or_insert_with(|| Rest::of(&content, QUARANTINE_BYTES_MAX));
            }
        }
        if let Some(problem) = &problem {
            damaged(about.origin, problem, rest, outlet)?;
        }
        outlet.note_read(about.origin, bytes, sent, known, problem.as_deref());
        Ok(())
    }
}

impl Records {
    fn hand_on(&mut self, outlet: &mut Outlet) -> Result<(), Closed> {
        for event in self.events.drain(..) {
            match outlet.push(event, true)? {
                Pushed::Sent => self.sent += 1,
                Pushed::Known => self.known += 1,
            }
        }
        Ok(())
    }
}

fn is_json_object(content: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(content).is_ok()
}

/// Says what is wrong with an object, and keeps what should not be there.
fn damaged(origin: &str, problem: &str, rest: Option<Rest>, outlet: &mut Outlet) -> Result<(), Closed> {
    // The name of an object is unique, wherever it lies.
    let name = origin.rsplit('/').next().unwrap_or(origin);
    let notice = Notice::damaged(outlet.source(), origin, problem);
    match rest {
        None => outlet.say_once(notice, &[name.as_bytes(), problem.as_bytes()]),
        Some(rest) => {
            let sha256 = rest.sha256.clone();
            let key = [name.as_bytes(), problem.as_bytes(), sha256.as_bytes()];
            outlet.say_once(quarantine(notice, rest), &key)
        }
    }
}

/// A notice with bytes that were not read as what they claim to be.
pub(super) fn quarantine(notice: Notice, rest: Rest) -> Notice {
    let facts = json!({"bytes": rest.bytes, "kept": rest.kept.len(), "sha256": rest.sha256});
    notice.fact("quarantined", facts).keep(rest.kept)
}
