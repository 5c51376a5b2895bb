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
#[cfg(feature = "aws")]
mod s3;
mod standing;
mod syslog;
mod witness;
mod worker;

#[cfg(test)]
mod bench;

use std::sync::Arc;
use std::time::Duration;

use crate::config;
use crate::config::anchor::To;
use crate::event::Stamp;
use crate::trail::Reader;
use crate::trail::checkpoint::Checkpoint;

pub use memory::Memory;
pub use standing::{Failing, Standing, Standings};
pub use worker::{LAST_MAX, Worker};

use file::AnchorFile;
#[cfg(feature = "aws")]
use s3::Store;
use syslog::SyslogServer;
use witness::WitnessClient;

/// A signed checkpoint on its way.
#[derive(Debug, Clone)]
pub struct Signed {
    pub checkpoint: Checkpoint,
    /// The note as it lies in the trail, with all its signatures.
    pub note: Arc<str>,
    /// When it is sent.
    pub at: Stamp,
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
    #[error("it took the message, but did not end the connection within {} s", .0.as_secs())]
    NotClosed(Duration),
    #[error("{0} is there already with another checkpoint: somebody else wrote there, or signs in this trail's name")]
    Other(String),
    #[error("{0} is there already, and may not be read to see whether it is the same: allow s3:GetObject")]
    Unreadable(String),
    #[error("access is denied ({0}): allow s3:PutObject on its objects, with Object Lock s3:PutObjectRetention too")]
    Denied(String),
    #[error("the bucket does not exist: correct its name or the endpoint")]
    NoBucket,
    #[error("the bucket lies in another region: set `region` to that")]
    WrongRegion,
    #[error("no AWS region is known: set `region`")]
    NoRegion,
    #[error("no AWS credentials were found: give them as for the AWS CLI (environment, ~/.aws, or the machine's role)")]
    NoCredentials,
    #[error("answered {code}: {message}")]
    Answered { code: String, message: String },
    #[error("this whodid was built without S3: build it with the feature `aws`")]
    NotBuilt,
    #[error("the checkpoint of the trail cannot be read: {0}")]
    Trail(String),
    #[error("the checkpoint of the trail cannot be written as one line")]
    NoLine,
    /// Another history of this trail was signed with its key.
    #[error(
        "{what} ({known} entries there, {ours} here): this trail was put back to an older state, or a copy of it \
         goes on elsewhere with the same key"
    )]
    Conflict { ours: u64, known: u64, what: &'static str },
}

impl AnchorError {
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }
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
    #[cfg(feature = "aws")]
    S3(Store),
    Syslog(SyslogServer),
    #[cfg(not(feature = "aws"))]
    NotBuilt,
    Witness(WitnessClient),
}

impl Place {
    /// `known` is the size that was taken last, if any ever was; a place that only is probed has no trail.
    fn new(to: &To, known: Option<u64>, trail: Option<&Arc<Reader>>) -> Self {
        match to {
            To::File { path } => Self::File(AnchorFile::new(path, known)),
            #[cfg(feature = "aws")]
            To::S3(bucket) => Self::S3(Store::new(bucket)),
            #[cfg(not(feature = "aws"))]
            To::S3(_) => Self::NotBuilt,
            To::Syslog(syslog) => Self::Syslog(SyslogServer::new(syslog)),
            To::Witness(witness) => Self::Witness(WitnessClient::new(witness, known, trail)),
        }
    }

    /// Returns when the checkpoint is as safe there as this kind can make it. May be given up at any point.
    async fn send(&mut self, signed: &Signed) -> Result<(), AnchorError> {
        match self {
            Self::File(file) => file.send(signed).await,
            #[cfg(feature = "aws")]
            Self::S3(store) => store.send(signed).await,
            Self::Syslog(server) => server.send(signed).await,
            #[cfg(not(feature = "aws"))]
            Self::NotBuilt => Err(AnchorError::NotBuilt),
            Self::Witness(witness) => witness.send(signed).await,
        }
    }

    async fn probe(&mut self) -> Result<Probe, AnchorError> {
        match self {
            Self::File(file) => file.probe().await,
            #[cfg(feature = "aws")]
            Self::S3(store) => store.probe().await,
            Self::Syslog(server) => server.probe().await,
            #[cfg(not(feature = "aws"))]
            Self::NotBuilt => Err(AnchorError::NotBuilt),
            Self::Witness(witness) => witness.probe().await,
        }
    }
}

/// Whether an anchor can be reached and written; nothing is left there.
pub async fn probe(anchor: &config::Anchor) -> Result<Probe, AnchorError> {
    let mut place = Place::new(&anchor.to, None, None);
    match tokio::time::timeout(PROBE_MAX, place.probe()).await {
        Ok(probed) => probed,
        Err(_) => Err(AnchorError::Timeout(PROBE_MAX)),
    }
}

/// Somebody waits for it.
const PROBE_MAX: Duration = Duration::from_secs(10);
