//! One stream on its way: claimed, decoded, handed on.

use std::sync::Arc;

use super::content::Print;
use super::identify::Reading;
use super::notice::Notice;
use super::outlet::{Closed, Outlet, Pushed};
use super::positions::StreamId;
use super::registry::{Claim, Registry};
use super::setting::Setting;
use super::unpack::Damage;
use crate::event::Event;
use crate::sources::{Decoder, Identity};

pub(super) struct Flow {
    id: StreamId,
    claim: Option<Claim>,
    decoder: Box<dyn Decoder>,
    origin: String,
    events: Vec<Event>,
    replay: Replay,
    count: Count,
}

/// Which of the records may be in the trail already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replay {
    /// The stream seems new. Its first record tells: if the trail holds that, the stream was forgotten.
    Ask,
    /// Those that begin at or before this offset.
    UpTo(u64),
    All,
    None,
}

/// What was read of a stream.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Count {
    pub(super) bytes: u64,
    pub(super) events: u64,
    pub(super) known: u64,
}

impl Flow {
    pub(super) fn new(reading: Reading, origin: &str, setting: &Setting, print: &Print) -> Self {
        let id = reading.claim.id;
        let identity = Identity::Place { lineage: id.lineage, generation: id.generation };
        let replay = match (reading.known, reading.replay_to) {
            (true, Some(to)) => Replay::UpTo(to),
            (true, None) => Replay::None,
            (false, _) => Replay::Ask,
        };
        Self {
            id,
            claim: Some(reading.claim),
            decoder: setting.decoder(identity, origin, reading.start, print),
            origin: origin.to_owned(),
            events: Vec::new(),
            replay,
            count: Count::default(),
        }
    }

    pub(super) fn id(&self) -> StreamId {
        self.id
    }

    /// Lets another reader go on with the stream.
    pub(super) fn release(&mut self) {
        self.claim = None;
    }

    /// Takes the stream back; false if somebody else has it.
    pub(super) fn claim_again(&mut self, registry: &Arc<Registry>) -> bool {
        self.claim = registry.claim(self.id);
        self.claim.is_some()
    }

    pub(super) fn push(&mut self, bytes: &[u8], outlet: &mut Outlet) -> Result<(), Closed> {
        self.count.bytes += bytes.len() as u64;
        self.decoder.push(bytes, outlet.clock.now(), &mut self.events);
        self.hand_on(outlet)
    }

    /// The stream will not go on: an unfinished last record goes out as it is.
    pub(super) fn finish(&mut self, outlet: &mut Outlet) -> Result<(), Closed> {
        self.decoder.finish(outlet.clock.now(), &mut self.events);
        self.hand_on(outlet)
    }

    /// Bytes read that are no whole record yet, when `read_to` of the stream was read.
    pub(super) fn held(&self, read_to: u64) -> u64 {
        read_to.saturating_sub(self.decoder.next())
    }

    /// What was read since the last time.
    pub(super) fn take_count(&mut self) -> Count {
        std::mem::take(&mut self.count)
    }

    /// Puts what was read into the summary.
    pub(super) fn note(&mut self, outlet: &mut Outlet) {
        let Count { bytes, events, known } = self.take_count();
        if bytes > 0 {
            outlet.note_read(&self.origin, bytes, events, known, None);
        }
    }

    /// Says that the bytes were damaged, once for this stream.
    pub(super) fn damaged(&self, damage: &Damage, outlet: &mut Outlet) -> Result<(), Closed> {
        let text = damage.to_string();
        let id = self.id();
        let notice = Notice::damaged(outlet.source(), &self.origin, &text).stream(id);
        let lineage = id.lineage.to_string();
        outlet.say_once(notice, &[lineage.as_bytes(), &id.generation.to_be_bytes(), text.as_bytes()])
    }

    fn hand_on(&mut self, outlet: &mut Outlet) -> Result<(), Closed> {
        for event in self.events.drain(..) {
            if self.replay == Replay::Ask {
                self.replay = if outlet.registry.knows(&event.id) { Replay::All } else { Replay::None };
            }
            let replay = match self.replay {
                Replay::UpTo(to) => event.source.pos.is_some_and(|pos| pos <= to),
                Replay::All => true,
                Replay::None | Replay::Ask => false,
            };
            match outlet.push(event, replay)? {
                Pushed::Sent => self.count.events += 1,
                Pushed::Known => self.count.known += 1,
            }
        }
        Ok(())
    }
}
