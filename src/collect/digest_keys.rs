//! Keys that sign CloudTrail's digests, from a file: what `aws cloudtrail list-public-keys` printed.
//!
//! For machines that cannot ask AWS, and for the digests of accounts that are gone.

use std::fs::{self, File};
use std::io::Read as _;
use std::time::SystemTime;

use super::Mode;
use super::outlet::{Closed, Outlet, Pushed};
use super::setting::Setting;
use super::stop::{Stop, Woken};
use super::watch::Watch;
use crate::event::delivery::PublicKey;
use crate::event::delivery::listed::{self, ListedError};

#[derive(Debug, thiserror::Error)]
enum KeysError {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error(transparent)]
    Listed(#[from] ListedError),
}

/// Reads the file, and when following again after each change.
pub(super) fn read(setting: &Setting, path: &str, mode: Mode, stop: Stop, outlet: &mut Outlet) -> Result<(), Closed> {
    let mut watch = Watch::new(stop);
    let mut read: Option<(SystemTime, u64)> = None;
    loop {
        let print = fs::metadata(path).and_then(|meta| Ok((meta.modified()?, meta.len()))).ok();
        if print.is_none() || print != read {
            match keys(path) {
                Ok(keys) => {
                    let (mut sent, mut known) = (0, 0);
                    for key in &keys {
                        match outlet.push(key.to_event(outlet.source(), outlet.clock.now()), true)? {
                            Pushed::Sent => sent += 1,
                            Pushed::Known => known += 1,
                        }
                    }
                    outlet.works(path)?;
                    outlet.note_read(path, print.map_or(0, |(_, bytes)| bytes), sent, known, None);
                    read = print;
                }
                Err(error) => outlet.failed(path, &error.to_string())?,
            }
            outlet.flush()?;
            outlet.progress.drained(setting.name());
        }
        if mode != Mode::Follow || watch.wait() == Woken::Stop {
            return Ok(());
        }
    }
}

fn keys(path: &str) -> Result<Vec<PublicKey>, KeysError> {
    let mut text = Vec::new();
    File::open(path)?.take(listed::BYTES_MAX + 1).read_to_end(&mut text)?;
    Ok(listed::read(&text)?)
}
