//! One CloudTrail object on its way, from a folder, a bucket or a queue: its records and then what it was, or a digest.
//!
//! Invariants: that an object was read is stated after its records, and only of content that came to its end
//! undamaged. What follows a packed object's first member is never read as records: it is kept beside the event that
//! says so, as it is.

use std::io::{self, BufRead, Read as _};

use data_encoding::HEXLOWER;
use serde::de::IgnoredAny;
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
    let mut object = Object::new(setting, about, limit);
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
    /// Of a digest, whose content is held; of records it is what packed data may become.
    bytes_max: u64,
}

enum Content {
    Records(Records),
    /// No more than the limit of it.
    Digest(Vec<u8>),
}

struct Records {
    decoder: Box<dyn Decoder>,
    events: Vec<Event>,
    sent: u64,
    known: u64,
}

impl<'a> Object<'a> {
    fn new(setting: &Setting, about: About<'a>, bytes_max: u64) -> Self {
        let content = match Kind::of(about.origin) {
            Kind::Digest => Content::Digest(Vec::new()),
            Kind::Records => {
                let decoder = setting.decoder_now(Identity::Content, about.origin);
                Content::Records(Records { decoder, events: Vec::new(), sent: 0, known: 0 })
            }
        };
        let when = names::delivered(about.origin);
        Self { about, content, when, clock: setting.clock, hash: Sha256::new(), bytes: 0, bytes_max }
    }

    fn push(&mut self, bytes: &[u8], outlet: &mut Outlet) -> Result<(), Closed> {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
        match &mut self.content {
            // One that is not packed has been held to no limit yet.
            Content::Digest(content) => {
                let room = self.bytes_max.saturating_sub(content.len() as u64);
                let room = usize::try_from(room).unwrap_or(usize::MAX);
                content.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            }
            Content::Records(records) => {
                records.decoder.push(bytes, self.clock.now(), &mut records.events);
                records.hand_on(outlet)?;
            }
        }
        Ok(())
    }

    /// The content is over. `problem`: it is damaged; `rest`: it came to its end, but that is not the end.
    fn end(self, mut problem: Option<String>, mut rest: Option<Rest>, outlet: &mut Outlet) -> Result<(), Closed> {
        let Self { about, content, when, clock, hash, bytes, bytes_max } = self;
        let now = clock.now();
        let sha256 = HEXLOWER.encode(&hash.finalize());
        let is_whole = problem.is_none() || rest.is_some();
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
            Content::Digest(mut content) if bytes > bytes_max => {
                let what =
                    || format!("this digest is longer than {bytes_max} bytes, which AWS never writes: it was not read");
                problem.get_or_insert_with(what);
                content.truncate(QUARANTINE_BYTES_MAX);
                rest.get_or_insert(Rest { kept: content, bytes, sha256 });
            }
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

/// Without building it: as values it would take many times its length.
fn is_json_object(content: &[u8]) -> bool {
    let is_object = |text: &str| text.trim_ascii_start().starts_with('{');
    std::str::from_utf8(content).is_ok_and(|text| is_object(text) && serde_json::from_str::<IgnoredAny>(text).is_ok())
}

/// Says what is wrong with an object, and keeps what should not be there.
fn damaged(origin: &str, problem: &str, rest: Option<Rest>, outlet: &mut Outlet) -> Result<(), Closed> {
    // The name that CloudTrail gives is unique, wherever the object lies; any other says nothing without its folder.
    let name = match names::delivered(origin) {
        Some(_) => origin.rsplit('/').next().unwrap_or(origin),
        None => origin,
    };
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

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::io::{Cursor, Write as _};
    use std::sync::Arc;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tokio::sync::mpsc;

    use super::*;
    use crate::clock::Clock;
    use crate::collect::outlet::Shared;
    use crate::collect::registry::Registry;
    use crate::collect::{Batch, Mode, Positions, Progress};
    use crate::config::Source;
    use crate::config::source::From;
    use crate::event::Family;
    use crate::event::own::action;
    use crate::sources::secrets::Marks;

    const DIGEST: &str = "AWSLogs/1/CloudTrail-Digest/r/2026/11/20/1_CloudTrail-Digest_r_t_r_20261120T101530Z.json";

    /// How often each action was sent for a digest with this content, of which 64 bytes are allowed.
    fn sent(content: &str) -> HashMap<String, usize> {
        let mut actions = HashMap::new();
        events(DIGEST, content.as_bytes())
            .iter()
            .for_each(|event| *actions.entry(event.what.action.to_string()).or_default() += 1);
        actions
    }

    fn events(origin: &str, content: &[u8]) -> Vec<Event> {
        let clock = Clock::Fixed(Stamp::from_unix(1_795_176_000, 0));
        let source = Source {
            name: "aws".to_owned(),
            family: Family::Cloudtrail,
            from: From::Stdin,
            host: None,
            zone: crate::sources::zone::Zone::UTC,
            year: None,
            decompressed_bytes_max: 64,
            world: Default::default(),
        };
        let setting = Setting::new(source, clock, Marks::default(), crate::sources::decoder);
        let registry = Registry::new(Positions::new(), Arc::new(|_: &crate::event::EventId| false));
        let shared = Shared { registry, progress: Arc::new(Progress::default()), clock, mode: Mode::Once };
        let (tx, mut rx) = mpsc::channel::<Batch>(16);
        let mut outlet = Outlet::new("aws", tx, shared);
        let about = About { origin, signature: None };
        let ended = read(Cursor::new(content), about, &setting, &mut outlet, |_| true);
        assert!(matches!(ended, Ok(Ended::Read)), "{ended:?}");
        outlet.finish();
        let mut events = Vec::new();
        while let Some(batch) = rx.blocking_recv() {
            events.extend(batch.events);
        }
        events
    }

    #[test]
    fn damage_is_told_of_each_object_once_and_the_name_alone_tells_them_apart_only_where_cloudtrail_gave_it() {
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(b"{\"Records\":[]}").expect("memory");
        let mut packed = packed.finish().expect("memory");
        packed.truncate(packed.len() - 9);
        let told = |origin: &str| {
            let events = events(origin, &packed);
            let damage: Vec<_> = events.iter().filter(|event| event.what.action == action::DAMAGED).collect();
            assert_eq!(damage.len(), 1, "{origin}");
            damage[0].id
        };
        assert_ne!(told("/export/2026/11/19/part-0.json.gz"), told("/export/2026/11/20/part-0.json.gz"));
        assert_eq!(told("/export/2026/11/19/part-0.json.gz"), told("/export/2026/11/19/part-0.json.gz"));
        let name = "1_CloudTrail_eu-west-1_20261120T1015Z_Abc.json.gz";
        assert_eq!(told(&format!("s3://audit/AWSLogs/1/CloudTrail/eu-west-1/{name}")), told(&format!("/copy/{name}")));
    }

    #[test]
    fn a_plain_digest_is_held_to_the_limit_of_a_packed_one() {
        let digest = |fill: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(fill));
        assert_eq!(digest(56).len(), 64);
        assert_eq!(sent(&digest(56)), HashMap::from([("digest.read".to_owned(), 1)]));
        let damaged = HashMap::from([("source.damaged".to_owned(), 1)]);
        assert_eq!(sent(&digest(57)), damaged);
        // What would be a digest up to the limit is none either.
        assert_eq!(sent(&format!("{}{}", digest(56), " ".repeat(100))), damaged);
    }

    #[test]
    fn a_digest_is_one_json_object() {
        for content in ["{}", " \n{\"a\":[1,{\"b\":null}]}\n"] {
            assert!(is_json_object(content.as_bytes()), "{content}");
        }
        for content in ["", "[]", "1", "\"{}\"", "{", "{}{}", "{\"a\"}", "{a:1}"] {
            assert!(!is_json_object(content.as_bytes()), "{content}");
        }
        assert!(!is_json_object(b"{\"a\":\"\xff\"}"));
    }
}
