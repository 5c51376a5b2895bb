//! Switching the legal hold: a writer for one event.

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::config::Config;
use crate::event::own::{self, action};
use crate::event::{self, Event, EventId};
use crate::trail::{self, HOLD_REASON_BYTES_MAX, Line, Open, Reader, Writer};

use super::opening;

/// Switches the hold and records it. On: the file first, so that nothing goes from then on; off: the event first.
pub fn hold(config: &Config, is_on: bool, reason: &str) -> anyhow::Result<()> {
    let reason = reason.trim();
    ensure!(!reason.is_empty(), "a hold needs a reason: it stands in the trail");
    ensure!(reason.len() as u64 <= HOLD_REASON_BYTES_MAX, "the reason has more than {HOLD_REASON_BYTES_MAX} bytes");
    let now = config.clock.now();
    // Nothing is made where nothing was collected.
    Reader::open(&config.data)?;
    let (mut writer, opened) = Writer::open(Open {
        mode: if config.clock.is_replay() { trail::Mode::Replay } else { trail::Mode::Live },
        command: "whodid trail hold".to_owned(),
        ..Open::new(&config.data, &config.keys, &config.org, &config.host, now)
    })?;
    ensure!(!opened.is_new, "nothing was collected there yet: there is nothing to hold");
    let facts = [("hold", json!(if is_on { "on" } else { "off" })), ("reason", json!(reason))];
    let mut said = own::with_detail(action::HOLD, &opened.origin, now, facts);
    said.place.pid = Some(std::process::id());
    said.who.id = Some(rustix::process::getuid().as_raw().to_string());
    if is_on {
        writer.hold(reason)?;
    }
    let recovered = opened.recovered.iter().map(|recovered| opening::recovered(recovered, &opened.origin, now));
    append(&mut writer, recovered.chain([said]).collect())?;
    if !is_on {
        writer.release()?;
    }
    Ok(())
}

fn append(writer: &mut Writer, events: Vec<Event>) -> anyhow::Result<()> {
    for mut event in events {
        event.id = EventId::of_own(writer.origin(), writer.next_seq());
        let (bytes, blob) = event::encode(&mut event);
        writer.append(vec![Line::new(event.id, bytes, blob)?])?;
    }
    writer.commit().context("the hold could not be recorded")?;
    writer.sign()?;
    Ok(())
}
