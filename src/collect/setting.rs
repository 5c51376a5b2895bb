//! One source's settings, with what the machine adds to them, and the decoders they give.

use std::time::Duration;

use super::content::Print;
use super::unpack::Members;
use crate::clock::Clock;
use crate::config::Source;
use crate::config::source::From;
use crate::event::{Event, Family, Stamp};
use crate::sources::run_record::{self, Sender};
use crate::sources::secrets::Marks;
use crate::sources::{Decoder, Identity, Stream, Year};

pub(super) struct Setting {
    pub(super) source: Source,
    pub(super) host: String,
    pub(super) clock: Clock,
    marks: Marks,
    make: fn(Stream) -> Box<dyn Decoder>,
}

impl Setting {
    pub(super) fn new(source: Source, clock: Clock, marks: Marks, make: fn(Stream) -> Box<dyn Decoder>) -> Self {
        let host = source.host.clone().unwrap_or_else(this_host);
        Self { source, host, clock, marks, make }
    }

    /// The same source, read from another place.
    pub(super) fn elsewhere(&self, from: From) -> Self {
        let source = Source { from, ..self.source.clone() };
        Self { source, host: self.host.clone(), clock: self.clock, marks: self.marks.clone(), make: self.make }
    }

    pub(super) fn name(&self) -> &str {
        &self.source.name
    }

    /// A decoder for the content of a file from `start` on.
    pub(super) fn decoder(&self, identity: Identity, origin: &str, start: u64, print: &Print) -> Box<dyn Decoder> {
        // In a replay the present is fixed, and a file's time of change may lie after it.
        let not_after = match self.clock {
            Clock::System => print.modified(),
            Clock::Fixed(now) => print.modified().min(now),
        };
        self.decoder_not_after(identity, origin, start, Year::NotAfter(not_after))
    }

    /// A decoder for bytes that have no time of change.
    pub(super) fn decoder_now(&self, identity: Identity, origin: &str) -> Box<dyn Decoder> {
        self.decoder_not_after(identity, origin, 0, Year::NotAfter(self.clock.now()))
    }

    /// The event of a record that somebody handed over.
    pub(super) fn received(&self, record: &[u8], sender: &Sender, now: Stamp) -> Event {
        run_record::received(record, sender, &self.marks, self.name(), &self.host, now)
    }

    /// How long a file has rested. In a replay, where time stands still, as long as one likes.
    pub(super) fn rested(&self, print: &Print) -> Duration {
        match self.clock {
            Clock::System => {
                let micros = self.clock.now().micros().saturating_sub(print.modified().micros());
                Duration::from_micros(u64::try_from(micros).unwrap_or(0))
            }
            Clock::Fixed(_) => Duration::MAX,
        }
    }

    /// What may follow a gzip member here.
    pub(super) fn members(&self) -> Members {
        match self.source.family {
            Family::Cloudtrail => Members::One,
            _ => Members::Many,
        }
    }

    /// A stream whose records have a time of their own.
    pub(super) fn stream(&self, identity: Identity, origin: &str, start: u64) -> Stream {
        self.stream_not_after(identity, origin, start, Year::NotAfter(self.clock.now()))
    }

    fn decoder_not_after(&self, identity: Identity, origin: &str, start: u64, not_after: Year) -> Box<dyn Decoder> {
        (self.make)(self.stream_not_after(identity, origin, start, not_after))
    }

    fn stream_not_after(&self, identity: Identity, origin: &str, start: u64, not_after: Year) -> Stream {
        Stream {
            name: self.source.name.as_str().into(),
            family: self.source.family,
            origin: origin.into(),
            host: self.host.clone(),
            identity,
            start,
            zone: self.source.zone,
            year: self.source.year.map_or(not_after, Year::First),
            marks: self.marks.clone(),
            world: self.source.world,
        }
    }
}

/// The name of this machine.
fn this_host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
