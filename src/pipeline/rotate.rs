//! Replacing the key of the log: a writer for that alone.

use anyhow::ensure;

use crate::config::Config;
use crate::trail::{Reader, Rotated, Writer};

use super::hold::append;
use super::opening;

/// Replaces the key of the log and records it. Not while another writer works there.
pub fn rotate_key(config: &Config) -> anyhow::Result<Rotated> {
    let now = config.clock.now();
    // Nothing is made where nothing was collected.
    Reader::open(&config.data)?;
    let (mut writer, opened) = Writer::open(opening::how(config, "whodid trail rotate-key"))?;
    ensure!(!opened.is_new, "nothing was collected there yet: there is nothing that the key has signed");
    append(&mut writer, opening::untold(&opened, now))?;
    let rotated = writer.rotate_key()?;
    let mut said = opening::rotated(&rotated, &opened.origin, now);
    said.place.pid = Some(std::process::id());
    said.who.id = Some(rustix::process::getuid().as_raw().to_string());
    append(&mut writer, vec![said])?;
    Ok(rotated)
}
