//! How far the cluster has the trail, and what lies in which of its indices.
//!
//! `<data>/index/elastic/position` is one JSON object: `{"format":1,"schema":"…","trail":"example.org/web-1/…",
//! "cluster":"…","pattern":"whodid-%Y.%m.%d","complete_to":1841,"leaf":"…","indices":{"whodid-2026.11.20":{"first":…,"last":…,"events":1841}},
//! "dropped_to":…}`. It is written after every document of an entry before `complete_to` was confirmed and can
//! be searched; so what the cluster lacks of `events` was lost there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::durable;
use crate::index::{Damage, IndexError};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    format: u32,
    /// Of the template: documents of another one answer otherwise.
    schema: String,
    /// The origin of the trail.
    trail: String,
    /// `cluster_uuid`, which a cluster that was made anew does not share.
    cluster: String,
    /// Of the names of its indices.
    pub(super) pattern: String,
    /// Every entry before this place is there.
    pub complete_to: u64,
    /// The hash of the entry before that place, in hex: a trail that was put back has another one.
    pub leaf: String,
    pub indices: BTreeMap<String, Held>,
    /// Events up to this instant (microseconds) are there no more, because they need not be kept.
    #[serde(default)]
    pub dropped_to: Option<i64>,
    /// Indices that are named above no more, and still have to be deleted.
    #[serde(default)]
    pub(super) deleting: BTreeSet<String>,
}

/// What an index of the cluster holds of this trail, of entries before `complete_to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// `when` of the oldest and of the newest event, in microseconds.
    pub first: i64,
    pub last: i64,
    pub events: u64,
}

impl Held {
    pub fn one(when: i64) -> Self {
        Self { first: when, last: when, events: 1 }
    }

    pub fn unite(&mut self, other: Self) {
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.events += other.events;
    }
}

const FORMAT: u32 = 1;
const FILE: &str = "position";
const MODE: u32 = 0o640;
const FOLDER_MODE: u32 = 0o750;

/// Where the position of a data folder lies.
pub fn folder(data: &Path) -> PathBuf {
    data.join("index").join("elastic")
}

impl Position {
    /// That of a cluster with nothing in it.
    pub fn start(trail: &str, cluster: &str, pattern: &str) -> Self {
        Self {
            format: FORMAT,
            schema: super::template::fingerprint().to_owned(),
            trail: trail.to_owned(),
            cluster: cluster.to_owned(),
            pattern: pattern.to_owned(),
            complete_to: 0,
            leaf: String::new(),
            indices: BTreeMap::new(),
            dropped_to: None,
            deleting: BTreeSet::new(),
        }
    }

    /// That of one trail; None where nothing was written yet.
    pub fn read(data: &Path, trail: &str) -> Result<Option<Self>, IndexError> {
        let path = folder(data).join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(IndexError::io(path, error)),
        };
        let position: Self =
            serde_json::from_slice(&text).map_err(|error| IndexError::damaged(&path, Damage::Position(error)))?;
        if position.format != FORMAT || position.schema != super::template::fingerprint() {
            return Err(IndexError::damaged(path, Damage::Version));
        }
        if position.trail != trail {
            return Err(IndexError::damaged(path, Damage::OtherTrail));
        }
        Ok(Some(position))
    }

    pub fn write(&self, data: &Path) -> Result<(), IndexError> {
        let folder = folder(data);
        let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&folder);
        made.map_err(|error| IndexError::io(&folder, error))?;
        let path = folder.join(FILE);
        let text = serde_json::to_vec(self).map_err(|error| IndexError::io(&path, error.into()))?;
        durable::replace(&path, &text, MODE).map_err(|error| IndexError::io(path, error))
    }

    pub fn is_of(&self, cluster: &str) -> bool {
        self.cluster == cluster
    }

    /// The indices that can hold events of a span of `when` (microseconds, both ends included).
    pub fn within(&self, first: i64, last: i64) -> impl Iterator<Item = (&str, &Held)> {
        let meets = move |held: &Held| held.first <= last && held.last >= first;
        self.indices.iter().filter(move |(_, held)| meets(held)).map(|(name, held)| (name.as_str(), held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_was_written_and_refuses_the_rest() {
        let data = tempfile::tempdir().expect("a folder");
        assert!(matches!(Position::read(data.path(), "a"), Ok(None)));
        let mut position = Position::start("a", "c", "whodid-%Y.%m.%d");
        position.complete_to = 7;
        position.indices.insert("whodid-2026.11.20".to_owned(), Held { first: 5, last: 9, events: 7 });
        position.write(data.path()).expect("writable");
        assert_eq!(Position::read(data.path(), "a").expect("readable"), Some(position.clone()));
        assert!(Position::read(data.path(), "b").expect_err("another trail").needs_rebuild());
        assert_eq!(position.within(9, 20).count(), 1);
        assert_eq!(position.within(10, 20).count() + position.within(0, 4).count(), 0);
        position.schema = "another".to_owned();
        position.write(data.path()).expect("writable");
        assert!(Position::read(data.path(), "a").expect_err("another version").needs_rebuild());
    }
}
