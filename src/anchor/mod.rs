//! Anchors: the newest signed checkpoint is left where the trail's owner cannot take it back.
//!
//! A [`Worker`] per anchor waits until the trail is signed further, takes the checkpoint as it lies there then,
//! and hands it to one [`Place`]; what failed is tried again, always with what is newest. [`Standing`] is how an
//! anchor is, and says which events tell so. Nothing here knows who stores those events.
//!
//! Adding a kind is one file here with `new`, `send` and `probe`, one arm for each in [`Place`], and a variant of
//! [`To`] in `config/anchor.rs`.
//!
//! Invariants: nobody waits for an anchor, and no checkpoint waits but the newest; a checkpoint that is sent
//! twice does no harm; a checkpoint that was taken makes no event, or there would be a next one for ever.

mod file;
mod memory;
mod standing;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use crate::config;
use crate::config::anchor::To;
use crate::trail::checkpoint::Checkpoint;

pub use memory::Memory;
pub use standing::{Failing, Standing, Standings};
pub use worker::{LAST_MAX, Worker};

use file::AnchorFile;

/// A signed checkpoint on its way.
#[derive(Debug, Clone)]
pub struct Signed {
    pub checkpoint: Checkpoint,
    /// The note as it lies in the trail, with all its signatures.
    pub note: Arc<str>,
}

/// Why an anchor did not take a checkpoint. All of these are tried again: what is wrong may be mended elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorError {
    #[error("it did not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    #[error("it still hangs at what it was given before")]
    Hangs,
    #[error("{0}")]
    Io(String),
    #[error("it is no regular file")]
    NotAFile,
    #[error("it is not there any more: is it mounted? Make it again (`touch`) to go on")]
    Gone,
    #[error("it was cut from {before} bytes to {now}: somebody removed checkpoints")]
    Cut { before: u64, now: u64 },
    #[error("the checkpoint of the trail cannot be read: {0}")]
    Trail(String),
}

/// What was found out without leaving anything there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// It can be reached and written.
    Good,
    /// How far that could be seen.
    Partly(String),
}

/// Where checkpoints go: one variant for each type in the configuration.
#[derive(Debug)]
enum Place {
    File(AnchorFile),
}

impl Place {
    /// `known` is the size that was taken last, if any ever was.
    fn new(to: &To, known: Option<u64>) -> Self {
        match to {
            To::File { path } => Self::File(AnchorFile::new(path, known)),
            To::S3(_) | To::Syslog(_) => Self::File(AnchorFile::new("/dev/null".as_ref(), known)),
        }
    }

    /// Returns when the checkpoint is as safe there as this kind can make it. May be given up at any point.
    async fn send(&mut self, signed: &Signed) -> Result<(), AnchorError> {
        match self {
            Self::File(file) => file.send(signed).await,
        }
    }

    async fn probe(&mut self) -> Result<Probe, AnchorError> {
        match self {
            Self::File(file) => file.probe().await,
        }
    }
}

/// Whether an anchor can be reached and written; nothing is left there.
pub async fn probe(anchor: &config::Anchor) -> Result<Probe, AnchorError> {
    let mut place = Place::new(&anchor.to, None);
    match tokio::time::timeout(PROBE_MAX, place.probe()).await {
        Ok(probed) => probed,
        Err(_) => Err(AnchorError::Timeout(PROBE_MAX)),
    }
}

/// Somebody waits for it.
const PROBE_MAX: Duration = Duration::from_secs(10);
