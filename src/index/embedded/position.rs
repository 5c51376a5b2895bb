//! How far the index is complete, and of which partitions it is made.
//!
//! `position` is one JSON object: `{"format":1,"schema":"…","trail":"example.org/web-1/…","made":"…",
//! "complete_to":1841,"partitions":{"2026-11-20":1841}}`. Every event of the trail before `complete_to` lies in one of
//! the partitions; the number of a partition is the one of its last commit. `made` is random and new
//! with each rebuild, `schema` names the form of the documents, `trail` is the origin of the trail.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::schema::Layout;
use crate::durable;
use crate::index::{Damage, IndexError};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    format: u32,
    schema: String,
    trail: String,
    made: String,
    pub(super) complete_to: u64,
    pub(super) partitions: BTreeMap<NaiveDate, u64>,
}

const FORMAT: u32 = 1;
const FILE: &str = "position";
const MODE: u32 = 0o640;

impl Position {
    /// That of an index with nothing in it.
    pub(super) fn start(folder: &Path, origin: &str) -> Result<Self, IndexError> {
        let mut made = [0; 8];
        getrandom::fill(&mut made).map_err(|error| IndexError::io(folder, error.into()))?;
        Ok(Self {
            format: FORMAT,
            schema: Layout::of_this_version().fingerprint.clone(),
            trail: origin.to_owned(),
            made: data_encoding::HEXLOWER.encode(&made),
            complete_to: 0,
            partitions: BTreeMap::new(),
        })
    }

    /// That of the index of one trail; None where there is no index yet.
    pub(super) fn read(folder: &Path, origin: &str) -> Result<Option<Self>, IndexError> {
        let path = folder.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(IndexError::io(path, error)),
        };
        let position: Self =
            serde_json::from_slice(&text).map_err(|error| IndexError::damaged(&path, Damage::Position(error)))?;
        if position.format != FORMAT || position.schema != Layout::of_this_version().fingerprint {
            return Err(IndexError::damaged(path, Damage::Version));
        }
        if position.trail != origin {
            return Err(IndexError::damaged(path, Damage::OtherTrail));
        }
        Ok(Some(position))
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), IndexError> {
        let path = folder.join(FILE);
        let text = serde_json::to_vec(self).map_err(|error| IndexError::io(&path, error.into()))?;
        durable::replace(&path, &text, MODE).map_err(|error| IndexError::io(path, error))
    }

    pub(super) fn moved(self, complete_to: u64, partitions: BTreeMap<NaiveDate, u64>) -> Self {
        Self { complete_to, partitions, ..self }
    }

    /// Whether both speak of the same files.
    pub(super) fn is_of_same_making(&self, other: &Self) -> bool {
        self.made == other.made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_was_written_and_refuses_the_rest() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(matches!(Position::read(folder.path(), "a"), Ok(None)));
        let mut position = Position::start(folder.path(), "a").expect("a position");
        position.complete_to = 7;
        for day in ["2026-11-20", "+10000-01-01", "-0001-12-31"] {
            position.partitions.insert(day.parse().expect("a day"), 7);
        }
        position.write(folder.path()).expect("writable");
        assert_eq!(Position::read(folder.path(), "a").expect("readable"), Some(position.clone()));

        let error = Position::read(folder.path(), "b").expect_err("another trail");
        assert!(error.needs_rebuild(), "{error}");
        position.schema = "another".to_owned();
        position.write(folder.path()).expect("writable");
        let error = Position::read(folder.path(), "a").expect_err("another version");
        assert!(error.needs_rebuild(), "{error}");
        std::fs::File::create(folder.path().join(FILE)).expect("a file");
        assert!(Position::read(folder.path(), "a").expect_err("empty").needs_rebuild());
    }
}
