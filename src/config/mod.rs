//! `whodid.toml`, saved queries and alerts: text to [`Config`], valid by construction.
//!
//! Every problem of every file is found in one pass and reported with its line and what to do
//! ([`Problems`]); unknown keys are refused, because a mistyped setting that is ignored is a control
//! that does not run. Without any configuration the defaults read what the machine has.
//!
//! It reads files and asks the machine for its name and zone ([`Machine`]); it opens no source, no
//! trail and no network. Whoever can write the configuration decides what is collected and whom
//! alerts tell; so each file's hash is kept ([`Config::files`]) and a change of it is an event.

pub mod alert;
mod alert_file;
pub mod anchor;
mod assemble;
mod channel;
mod cloudtrail;
mod definitions;
pub mod example;
mod file;
pub mod index;
pub mod intake;
mod lists;
mod machine;
mod person;
mod problem;
pub mod prove;
mod queue;
pub mod saved;
mod section;
mod setting;
mod settings;
mod signing;
pub mod source;
pub mod witness;

pub use alert::{Alert, Channel};
pub use anchor::Anchor;
pub use definitions::Kind;
pub use index::Index;
pub use intake::Intake;
pub use machine::Machine;
pub use problem::{Problem, Problems};
pub use saved::SavedQuery;
pub use signing::Signing;
pub use source::Source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::query::{Lists, People, Query, QueryError};

use assemble::{Place, assemble};

/// Everything that was configured, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it comes from; none when the defaults are in force.
    pub file: Option<PathBuf>,
    /// Folder of the trail and its indexes.
    pub data: PathBuf,
    /// Folder of the signing key; never below `data`.
    pub keys: PathBuf,
    pub org: String,
    /// The name of this machine.
    pub host: String,
    pub clock: Clock,
    pub sources: Vec<Source>,
    /// Where records are handed over that no log holds; none where that is turned off, and in a replay.
    pub intake: Option<Intake>,
    pub queries: BTreeMap<String, SavedQuery>,
    /// Those that are not disabled.
    pub alerts: BTreeMap<String, Alert>,
    pub channels: BTreeMap<String, Channel>,
    pub anchors: Vec<Anchor>,
    /// Who is who, when the trail is read.
    pub people: Arc<People>,
    /// What queries may name; those that are known and not set among them.
    pub lists: Lists,
    /// Where events are found again.
    pub index: Index,
    /// How much of the trail is kept.
    pub keep: Keep,
    /// Whether it is said who was behind what.
    pub link: bool,
    /// Who signs it.
    pub signing: Signing,
    /// A check is UNKNOWN when the writer was not heard of for this long.
    pub stale_after: Duration,
    /// Every definition in force and its hash: a change of one is an event.
    pub files: Vec<Defined>,
    /// What is allowed, but probably not meant.
    pub warnings: Vec<Problem>,
}

/// How much of the trail is kept; what is not said is kept for good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// Since the newest entry of a segment was observed.
    pub days: Option<u64>,
    /// Of segments as they lie on the disk.
    pub bytes: Option<u64>,
}

/// A definition in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defined {
    pub kind: Kind,
    /// Id of the query or alert; `whodid.toml` for the configuration.
    pub id: String,
    /// The file; for one in the binary, its path in whodid's own repository.
    pub path: PathBuf,
    /// Of the file and of the lists it names, in lower-case hex.
    pub sha256: String,
}

/// The name of the configuration file.
pub const FILE_NAME: &str = "whodid.toml";

impl Config {
    /// Reads the file named by `--config`; without one, `whodid.toml` in the user's configuration
    /// folder, else in `/etc/whodid`, else nothing but the defaults. `--data` goes before `data`.
    pub fn discover(config: Option<&Path>, data: Option<&Path>) -> Result<Self, Problems> {
        Self::discover_on(&Machine::look(), config, data)
    }

    /// Reads a query with the lists that are in force.
    pub fn query(&self, text: &str) -> Result<Query, QueryError> {
        Query::parse_with(text, &self.lists)
    }

    /// The same on a machine that says so of itself.
    pub fn discover_on(machine: &Machine, config: Option<&Path>, data: Option<&Path>) -> Result<Self, Problems> {
        let file = match config {
            Some(file) => Some(file.to_owned()),
            None => machine.config_folders().map(|folder| folder.join(FILE_NAME)).find(|file| file.exists()),
        };
        let folder = match &file {
            Some(file) => file.parent().map(Path::to_owned),
            None => machine.config_folder.clone(),
        };
        let text = match &file {
            Some(file) => {
                definitions::read(file).map_err(|error| Problems::one(definitions::unreadable(file, &error)))?
            }
            None => String::new(),
        };
        let place = Place { machine, file: file.as_deref(), folder: folder.as_deref(), data };
        assemble(&place, &text)
    }
}
