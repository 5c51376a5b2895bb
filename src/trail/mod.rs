//! The trail: an append-only log of events, hashed into a Merkle tree and signed. The only truth.
//!
//! Line `i` of the segments is entry `i` and leaf `i` of the tree. [`Writer`] is the one process that
//! appends; [`Reader`] reads up to the last acknowledged entry, also while the writer runs; [`verify`]
//! believes nothing and needs only a copy of the folder and the public key. The pure parts ([`tree`],
//! [`note`], [`checkpoint`], [`tile`], [`proof`]) follow C2SP (c2sp.org: signed-note, tlog-checkpoint,
//! tlog-tiles, tlog-proof). `docs/trail-format.md` has the byte tables and the order of every step.
//!
//! Invariants: an entry is acknowledged only when it is on disk; what is signed is never changed,
//! moved or repaired; a line is hashed as stored and never written anew.

mod acknowledged;
mod adopt;
mod adopted;
mod agent;
mod blob;
mod cosigned;
mod epoch;
mod error;
mod hold;
mod init;
mod keys;
mod layout;
mod line;
mod lock;
mod opening;
mod origin;
mod prove;
mod prune;
mod pruned;
mod reader;
mod records;
mod rotate;
mod seal;
mod sealed;
mod secret;
mod seen;
mod segment;
mod signing;
mod successors;
mod tiles;
mod unrecorded;
mod verify;
mod writer;

#[cfg(test)]
mod bench;
#[cfg(test)]
mod tests;

pub mod checkpoint;
pub mod cosignature;
pub mod note;
pub mod notes;
pub mod oneline;
pub mod proof;
pub mod submission;
pub mod succession;
pub mod tile;
pub mod tree;

pub use adopt::{Adopt, adopt};
pub use adopted::Adopted;
pub use agent::AgentError;
pub use cosigned::keep as keep_cosigned;
pub use error::{Damage, Holder, TrailError};
pub use hold::HOLD_REASON_BYTES_MAX;
pub use init::{Identity, init};
pub use line::{BadLine, Line};
pub use lock::Lock;
pub use origin::Mode;
pub use prove::Proven;
pub use prune::{Due, Keep, Pruner};
pub use reader::{Lines, Reader, Stat};
pub use rotate::Rotated;
pub use seal::{Outcome, Sealer};
pub use seen::Seen;
pub use signing::Signing;
pub use unrecorded::Recovered;
pub use verify::{Against, Beginning, Epochs, Exit, Finding, LogKeys, Report, Signature, Vouched, verify};
pub use writer::{Open, Opened, Writer};
