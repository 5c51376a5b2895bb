//! **whodid**: who did what, when, and can you prove it?
//!
//! The modules stand in the order in which data meets them; `ARCHITECTURE.md` draws the map.
//! Who may import whom is a table in `tests/tidy.rs`, and that test fails on a broken rule.

/// The vocabulary: the event, its fields and their aliases, ids, canonical bytes.
pub mod event;

/// The one place that reads time.
pub mod clock;

/// Files that are either the old or the new one, whatever happens.
pub mod durable;

/// Bytes to events; pure, one file per source.
pub mod sources;

/// The query language: text to syntax tree to a matcher in memory.
pub mod query;

/// `whodid.toml`, saved queries and alerts: every error at once, with its line.
pub mod config;

#[cfg(feature = "aws")]
/// A client of AWS as the machine is set up, and its errors in words.
pub mod aws;

/// Bytes and positions from files, folders, S3, standard input, and whoever hands records over.
pub mod collect;

/// The append-only, signed, Merkle-hashed log: the only truth.
pub mod trail;

/// Who was behind what: joins a login with what followed on it.
pub mod link;

/// CloudTrail's digest files: proof of what was delivered, and that nothing is missing.
pub mod digest;

/// What stands open, since when, and for how long it did.
pub mod exposure;

/// Logins paired with their ends, as `last` does it.
pub mod sessions;

#[cfg(feature = "elastic")]
/// Speaks to an Elasticsearch or OpenSearch cluster, and says its errors in words.
pub mod cluster;

/// Views of the trail that answer queries.
pub mod index;

/// Sensu's checks of Elasticsearch, taken unchanged: options to request to answer to one line.
pub mod es_query;

/// Which saved query is due at a given instant.
pub mod schedule;

/// Query result and thresholds to a finding.
pub mod check;

/// States, changes of state, and telling people.
pub mod alert;

/// The newest checkpoint, left where nobody here can take it back.
pub mod anchor;

/// Cosigns the checkpoints of other hosts' trails.
pub mod witness;

/// A command, with a record before it starts and one when it has ended.
pub mod exec;

/// The wiring of all of it, and the order of shutdown.
pub mod pipeline;

/// One thin file per subcommand.
pub mod cli;
