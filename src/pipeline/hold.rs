//! Switching the legal hold: by the writer that runs, else by one for this event alone.

use anyhow::{Context as _, ensure};
use serde_json::{Value as Json, json};

use crate::config::Config;
use crate::event::own::{self, action};
use crate::event::{self, Event, EventId, Stamp};
use crate::trail::{HOLD_REASON_BYTES_MAX, Line, Reader, TrailError, Writer};

use super::door::{self, Caller, Request};
use super::opening;
use super::order::{Done, Order};

/// The hold goes on or off.
pub(super) struct Switch {
    is_on: bool,
    reason: String,
}

/// Switches the hold and records it.
pub fn hold(config: &Config, is_on: bool, reason: &str) -> anyhow::Result<()> {
    let switch = Switch::new(is_on, reason)?;
    let now = config.clock.now();
    // Nothing is made where nothing was collected.
    Reader::open(&config.data)?;
    let opened = Writer::open(opening::how(config, "whodid trail hold"));
    let (mut writer, opened) = match opened {
        Err(held @ TrailError::Held { .. }) => {
            let request = Request::Hold { on: is_on, reason: switch.reason };
            return door::ask(&config.data, &request).unwrap_or(Err(held.into()));
        }
        opened => opened?,
    };
    ensure!(!opened.is_new, "nothing was collected there yet: there is nothing to hold");
    let untold = opening::untold(&opened, now).into_iter();
    let events = untold.chain([switch.said(&opened.origin, Caller::this(), now)]).collect();
    switch.before(&mut writer)?;
    append(&mut writer, events)?;
    switch.after(&mut writer)?;
    Ok(())
}

impl Switch {
    pub(super) fn new(is_on: bool, reason: &str) -> anyhow::Result<Self> {
        let reason = reason.trim();
        ensure!(!reason.is_empty(), "a hold needs a reason: it stands in the trail");
        ensure!(reason.len() as u64 <= HOLD_REASON_BYTES_MAX, "the reason has more than {HOLD_REASON_BYTES_MAX} bytes");
        Ok(Self { is_on, reason: reason.to_owned() })
    }

    pub(super) fn order(self, origin: &str, caller: Caller, now: Stamp) -> (Order, Done) {
        let said = self.said(origin, caller, now);
        let (is_on, reason) = (self.is_on, self.reason.clone());
        Order::new(
            move |trail| self.before(trail).map(|()| (vec![said], Json::Null)),
            move |trail| Self { is_on, reason }.after(trail),
        )
    }

    /// On: the file first, so that nothing goes from then on.
    fn before(&self, trail: &mut Writer) -> Result<(), TrailError> {
        if self.is_on { trail.hold(&self.reason) } else { Ok(()) }
    }

    /// Off: the event first.
    fn after(&self, trail: &mut Writer) -> Result<(), TrailError> {
        if self.is_on { Ok(()) } else { trail.release() }
    }

    fn said(&self, origin: &str, caller: Caller, now: Stamp) -> Event {
        let facts = [("hold", json!(if self.is_on { "on" } else { "off" })), ("reason", json!(self.reason))];
        let mut said = own::with_detail(action::HOLD, origin, now, facts);
        caller.enter(&mut said);
        said
    }
}

/// Records events of ours by a writer that does nothing else.
pub(super) fn append(writer: &mut Writer, events: Vec<Event>) -> anyhow::Result<()> {
    for mut event in events {
        event.id = EventId::of_own(writer.origin(), writer.next_seq());
        let (bytes, blob) = event::encode(&mut event);
        writer.append(vec![Line::new(event.id, bytes, blob)?])?;
    }
    writer.commit().context("it could not be recorded")?;
    writer.sign()?;
    Ok(())
}
