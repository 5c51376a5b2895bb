//! What was in a table or a file whose records are changed in place, when it was looked at before.
//!
//! [`Memory`] knows each record of this run, so that only what changed is decoded and sent. [`Standing`] is
//! what the trail keeps of it over restarts: how many records there were, and the sum of what they are
//! known by, which tells whether any of them is gone. Neither decides what an event is: a record that is
//! sent again has the same id. [`look_at`] says when to look.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Mode;
use super::files::{self, Scan};
use super::stop::{Stop, Woken};
use super::watch::Watch;

/// A change within the tick of the file system's clock shows in nothing, so a file that changed just before a
/// look is looked at once more; a record that was half written then is whole.
pub(super) const SETTLED: Duration = Duration::from_secs(1);

/// Looks at what paths name: once, or again whenever it may have changed, until it is time to stop.
pub(super) fn look_at<E>(
    paths: &[String],
    mode: Mode,
    stop: Stop,
    mut look: impl FnMut(Scan, &Stop) -> Result<(), E>,
) -> Result<(), E> {
    let mut watch = Watch::new(stop);
    loop {
        let scan = files::scan(paths);
        if mode == Mode::Follow {
            watch.folders(files::folders(paths, &scan.found));
        }
        look(scan, watch.stop())?;
        if mode != Mode::Follow || watch.wait() == Woken::Stop {
            return Ok(());
        }
    }
}

/// Records that are remembered, some 40 bytes each. Those beyond it are decoded at each look, and the set of
/// seen ids leaves them out; that one of them was changed is not noticed.
const RECORDS_MAX: usize = 1 << 18;

/// The records of one file as they were at the last look.
#[derive(Default)]
pub(super) struct Memory {
    records: HashMap<i64, Record>,
    look: u32,
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// Of all of it.
    pub(super) state: u64,
    /// Of what does not change while it is the same record.
    pub(super) identity: u64,
    /// Nothing of it should change any more.
    pub(super) is_final: bool,
    look: u32,
}

impl Record {
    pub(super) fn new(state: u64, identity: u64, is_final: bool) -> Self {
        Self { state, identity, is_final, look: 0 }
    }
}

impl Memory {
    pub(super) fn begin(&mut self) {
        self.look = self.look.wrapping_add(1);
    }

    /// The record as it was, if its state is the same now.
    pub(super) fn same(&mut self, key: i64, state: u64) -> Option<Record> {
        let look = self.look;
        let record = self.records.get_mut(&key).filter(|record| record.state == state)?;
        record.look = look;
        Some(*record)
    }

    /// Remembers a record; what it was before, if it is another now.
    pub(super) fn set(&mut self, key: i64, record: Record) -> Option<Record> {
        if self.records.len() >= RECORDS_MAX && !self.records.contains_key(&key) {
            return None;
        }
        self.records.insert(key, Record { look: self.look, ..record })
    }

    /// The records that were not there at this look, in order; they are forgotten.
    pub(super) fn gone(&mut self) -> Vec<i64> {
        let look = self.look;
        let mut gone: Vec<i64> = self.records.iter().filter(|(_, at)| at.look != look).map(|(key, _)| *key).collect();
        gone.sort_unstable();
        self.records.retain(|_, at| at.look == look);
        gone
    }
}

/// What the trail remembers of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Standing {
    pub(super) records: u64,
    /// The sum of their identities.
    pub(super) sum: u64,
    /// The highest number that was given.
    #[serde(default)]
    pub(super) high: i64,
    /// Of each database beside this one, the sum of what is accounted for: moved there from here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) moved: BTreeMap<String, u64>,
}

impl Standing {
    pub(super) fn add(&mut self, identity: u64) {
        self.records += 1;
        self.sum = self.sum.wrapping_add(identity);
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Numbers as ranges: `3, 7-9`.
pub(super) fn ranges(numbers: &[(i64, i64)]) -> String {
    const SHOWN: usize = 20;
    let mut parts: Vec<String> = numbers
        .iter()
        .take(SHOWN)
        .map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") })
        .collect();
    if numbers.len() > SHOWN {
        parts.push("…".to_owned());
    }
    parts.join(", ")
}

/// Sorted numbers as ranges.
pub(super) fn joined(numbers: &[i64]) -> Vec<(i64, i64)> {
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, to)) if to.checked_add(1) == Some(*number) => *to = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    ranges
}
