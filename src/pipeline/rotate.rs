//! Replacing the key of the log: by the writer that runs, else by one for this alone.

use anyhow::ensure;
use serde_json::json;

use crate::config::Config;
use crate::event::{Event, Stamp};
use crate::trail::{Reader, Rotated, TrailError, Writer};

use super::door::{self, Caller, Request};
use super::hold::append;
use super::opening;
use super::order::{Done, Order};

/// Replaces the key of the log and records it.
pub fn rotate_key(config: &Config) -> anyhow::Result<Rotated> {
    let now = config.clock.now();
    // Nothing is made where nothing was collected.
    Reader::open(&config.data)?;
    let (mut writer, opened) = match Writer::open(opening::how(config, "whodid trail rotate-key")) {
        Err(held @ TrailError::Held { .. }) => {
            return door::ask(&config.data, &Request::RotateKey).unwrap_or(Err(held.into()));
        }
        opened => opened?,
    };
    ensure!(!opened.is_new, "nothing was collected there yet: there is nothing that the key has signed");
    append(&mut writer, opening::untold(&opened, now))?;
    let rotated = writer.rotate_key()?;
    append(&mut writer, vec![said(&rotated, &opened.origin, Caller::this(), now)])?;
    Ok(rotated)
}

/// For the writer that runs; the answer is the [`Rotated`].
pub(super) fn order(origin: &str, caller: Caller, now: Stamp) -> (Order, Done) {
    let origin = origin.to_owned();
    Order::new(
        move |trail| {
            let rotated = trail.rotate_key()?;
            Ok((vec![said(&rotated, &origin, caller, now)], json!(rotated)))
        },
        // Signed by the new key at once, so that the auditor's file names it when the answer comes.
        |trail| match trail.sign() {
            Err(error) if error.is_retryable() => Ok(()),
            signed => signed.map(drop),
        },
    )
}

fn said(rotated: &Rotated, origin: &str, caller: Caller, now: Stamp) -> Event {
    let mut said = opening::rotated(rotated, origin, now);
    caller.enter(&mut said);
    said
}
