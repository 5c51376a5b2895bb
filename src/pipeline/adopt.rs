//! Going on under a new name: a writer for the event that says so.

use anyhow::ensure;

use crate::config::Config;
use crate::event::own::action;
use crate::trail::{self, Adopt, Adopted, HOLD_REASON_BYTES_MAX, TrailError, Writer};

use super::door::Caller;
use super::hold::append;
use super::opening;

/// Adopts the trail of a configuration and records it. Not while another writer works there.
pub fn adopt(config: &Config, reason: &str, without_old_key: bool) -> anyhow::Result<Adopted> {
    let reason = reason.trim();
    ensure!(!reason.is_empty(), "an adoption needs a reason: it stands in the trail");
    ensure!(reason.len() as u64 <= HOLD_REASON_BYTES_MAX, "the reason has more than {HOLD_REASON_BYTES_MAX} bytes");
    let open = opening::how(config, "whodid trail adopt");
    let adopted = trail::adopt(&open, &Adopt { reason: reason.to_owned(), without_old_key })?;
    let (mut writer, opened) = match Writer::open(open) {
        // Who was faster has been told of it, and records it.
        Err(TrailError::Held { .. }) => return Ok(adopted),
        opened => opened?,
    };
    let mut said = opening::untold(&opened, config.clock.now());
    for event in said.iter_mut().filter(|event| event.what.action == action::ADOPTED) {
        Caller::this().enter(event);
    }
    append(&mut writer, said)?;
    Ok(adopted)
}
