//! `status.json`: how the writer and its sources are, so that a check knows whether silence means peace.
//!
//! The writer replaces it at most once a second; it is a cache and proves nothing. Form, version 1:
//!
//! ```json
//! {"v":1,"alive":"2026-11-20T12:00:00Z","replay":false,"acknowledged":1841,"indexed":1841,
//!  "links":{"complete_to":1841},
//!  "sources":[{"name":"auth","kind":"auth","state":"ok"},
//!             {"name":"aws","kind":"cloudtrail","state":"failing","since":"…","reason":"…"}],
//!  "anchors":[{"name":"vault","kind":"file","to":"/mnt/vault/web-1","size":1841,"at":"…"}]}
//! ```

use std::ops::Bound;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::question::delta;
use super::{Question, Unknown};
use crate::event::fields::{self, FieldRef};
use crate::event::{Family, Stamp};
use crate::index::{Index, IndexError, Search};
use crate::query::ast::{Ast, Test};

/// In the data folder.
pub const FILE_NAME: &str = "status.json";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub v: u8,
    /// When the writer last said so.
    pub alive: Stamp,
    /// Time stands still in this folder.
    #[serde(default)]
    pub replay: bool,
    /// How many entries of the trail are durable.
    pub acknowledged: u64,
    /// How many of them the index has.
    pub indexed: u64,
    /// Absent where nothing is linked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<Links>,
    pub sources: Vec<Source>,
    /// Where checkpoints are left; that one fails says nothing about events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anchors: Vec<Anchor>,
}

/// How far it is known who was behind what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// How many entries were looked at.
    pub complete_to: u64,
    /// Records that came too late to be linked, and sessions that were forgotten because too many were open.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub late: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub forgotten: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One configured anchor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    pub name: String,
    pub kind: String,
    pub to: String,
    /// How many entries the checkpoint covered that was taken last, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Stamp>,
    /// Since when it takes none, how often that was tried, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing: Option<Failing>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failing {
    pub since: Stamp,
    pub count: u64,
    pub error: String,
}

/// One configured source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Source {
    pub name: String,
    pub kind: Family,
    pub state: Health,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Stamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Ok,
    /// It cannot be read, or is not there.
    Failing,
}

/// The form that this program reads and writes.
pub const VERSION: u8 = 1;

impl Status {
    /// None for what is no status, which is as good as none at all.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().filter(|status: &Self| status.v == VERSION)
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        // It holds only strings, numbers and lists: it always serialises.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Whether an answer can be trusted to be about the present.
#[derive(Debug, Clone, Copy)]
pub struct Freshness<'a> {
    /// None where there is none, or none that can be read.
    pub status: Option<&'a Status>,
    pub now: Stamp,
    pub stale_after: Duration,
}

impl Freshness<'_> {
    /// An error says what is missing for a whole picture.
    pub fn judge(&self, question: &Question<'_>, index: &dyn Index) -> Result<(), Unknown> {
        question.answerable()?;
        let status = self.status.ok_or(Unknown::NoStatus)?;
        let families = &question.query.sources;
        let needed = || status.sources.iter().filter(|source| families.is_empty() || families.contains(&source.kind));
        let is_own = families.contains(&Family::Whodid);
        if needed().next().is_none() && !is_own && !holds(index, families)? {
            return Err(Unknown::NoSource(families.clone()));
        }
        // A clock that was ahead and was set back would make an old word look new for as long.
        let age = (self.now.instant() - status.alive.instant()).abs();
        if !status.replay && age > delta(self.stale_after) {
            return Err(Unknown::Stale { alive: status.alive });
        }
        match needed().find(|source| source.state != Health::Ok) {
            Some(source) => Err(Unknown::Source {
                name: source.name.clone(),
                reason: source.reason.clone().unwrap_or_else(|| "no reason was given".to_owned()),
            }),
            None => Ok(()),
        }
    }
}

/// Whether the trail ever held an event of one of these families: files may have been fed by hand.
pub fn holds(index: &dyn Index, families: &[Family]) -> Result<bool, IndexError> {
    let Some(field) = fields::named("source.kind") else { return Ok(true) };
    let is =
        |family: &Family| Ast::Leaf { field: FieldRef::Known(field), test: Test::Keyword(family.name().to_owned()) };
    let query = Ast::Or(families.iter().map(is).collect());
    let search = Search { query, since: Bound::Unbounded, until: Bound::Unbounded, from_seq: 0 };
    let counted = match index.count(&search) {
        // Of what the index has to keep.
        Err(IndexError::Dropped { to }) => index.count(&Search { since: Bound::Excluded(to), ..search }),
        counted => counted,
    };
    Ok(counted?.0 > 0)
}
