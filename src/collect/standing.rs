//! Which file stands at a path, and which stream was read from it last.
//!
//! A file that is the same and holds another stream was emptied in between: that is all that shows that
//! somebody copied and truncated it while nobody looked.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::positions::StreamId;

/// Paths that are remembered; the one that rested longest is forgotten first.
const PATHS_MAX: usize = 1_024;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    /// [`super::content::Print::mark`].
    pub(super) file: String,
    pub(super) stream: StreamId,
    /// The stream broke off here, and an event says so.
    pub(super) ended: bool,
    touched: u64,
}

/// By source and path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Standings {
    paths: BTreeMap<(String, String), Standing>,
    clock: u64,
}

impl Standings {
    pub(super) fn at(&self, source: &str, origin: &str) -> Option<&Standing> {
        self.paths.get(&(source.to_owned(), origin.to_owned()))
    }

    pub(super) fn set(&mut self, source: &str, origin: &str, file: &str, stream: StreamId, ended: bool) {
        self.clock += 1;
        let standing = Standing { file: file.to_owned(), stream, ended, touched: self.clock };
        self.paths.insert((source.to_owned(), origin.to_owned()), standing);
        if self.paths.len() > PATHS_MAX
            && let Some(oldest) = self.paths.iter().min_by_key(|(_, at)| at.touched).map(|(key, _)| key.clone())
        {
            self.paths.remove(&oldest);
        }
    }

    /// Source and facts of the events that remember all of it, in the order in which it came.
    pub(super) fn facts(&self) -> Vec<(&str, Vec<(&'static str, Json)>)> {
        let mut paths: Vec<_> = self.paths.iter().collect();
        paths.sort_unstable_by_key(|(_, at)| at.touched);
        let facts_of =
            |((_, origin), at): (&'_ (String, String), &'_ Standing)| facts(origin, &at.file, at.stream, at.ended);
        paths.into_iter().map(|path| (path.0.0.as_str(), facts_of(path))).collect()
    }
}

/// What an event says of a path.
pub(super) fn facts(origin: &str, file: &str, stream: StreamId, ended: bool) -> Vec<(&'static str, Json)> {
    let mut facts = vec![
        ("origin", json!(origin)),
        ("file", json!(file)),
        ("lineage", json!(stream.lineage)),
        ("generation", json!(stream.generation)),
    ];
    if ended {
        facts.push(("ended", json!(true)));
    }
    facts
}
