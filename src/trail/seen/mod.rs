//! The ids of all entries: "is it in the trail already?"
//!
//! New ids are held in memory; every [`IDS_IN_MEMORY`] they become a sorted file beside the trail
//! ([`file`]), and files of like size are merged, so that there are few. All of it is a cache: what is
//! missing or damaged is made anew from the trail. Only the ids of pruned entries cannot be made anew: for
//! them the files are the truth, so they are made durable ([`Seen::settle`]) before anything is pruned. If
//! they are lost all the same, records of that time that are fed again are taken for new.
//!
//! Invariant: an id that is in the trail below `upto`, and not pruned, is always found.

mod file;

use std::collections::HashSet;
use std::path::Path;

use serde::Deserialize;
use tracing::warn;

use super::error::Damage;
use super::layout::Layout;
use super::{Reader, TrailError, acknowledged, pruned};
use crate::durable;
use crate::event::EventId;
use file::IdFile;

/// Answers "is this id in the trail already?". Held by the process that holds the [`super::Writer`].
#[derive(Debug)]
pub struct Seen {
    layout: Layout,
    origin: String,
    /// Oldest first, without a hole between them.
    files: Vec<IdFile>,
    /// Ids of the entries after the last file.
    recent: HashSet<EventId>,
    /// The first entry after the last file.
    filed: u64,
    upto: u64,
    /// How many ids are held in memory.
    most: usize,
}

/// 4 MiB in a file, some ten of memory.
const IDS_IN_MEMORY: usize = 256 << 10;

/// A file is merged with the one before it unless that is this much larger.
const GROWTH: u64 = 3;

/// Writes the ids of pruned entries, which nothing else knows, to `folder` for a trail that goes on under
/// another name; all others are made anew from the trail.
pub(super) fn rename(layout: &Layout, (old, new): (&str, &str), folder: &Path) -> Result<(), TrailError> {
    let kept = pruned::read(layout)?.map_or(0, |pruned| pruned.first);
    let size = acknowledged::read(layout)?.unwrap_or(u64::MAX);
    for file in file::usable(layout, old, kept, size)?.iter().filter(|file| file.first < kept) {
        file.rename(new, folder)?;
    }
    Ok(())
}

#[derive(Deserialize)]
struct OnlyId {
    id: EventId,
}

impl Seen {
    /// Opens the set beside a trail and brings it up to the acknowledged size.
    pub fn open(data: &Path, reader: &Reader) -> Result<Self, TrailError> {
        Self::open_with(data, reader, IDS_IN_MEMORY)
    }

    fn open_with(data: &Path, reader: &Reader, most: usize) -> Result<Self, TrailError> {
        let layout = Layout::new(data);
        let kept = reader.first()?;
        let files = file::usable(&layout, reader.origin(), kept, reader.acknowledged()?)?;
        let filed = files.last().map_or(0, |last| last.upto);
        if filed < kept || !files.iter().map(|file| file.first).eq(ends(&files)) {
            warn!(folder = %layout.seen().display(), "Ids of pruned entries are lost: such a record is new if it is read again.");
        }
        let upto = filed.max(kept);
        let origin = reader.origin().to_owned();
        let mut this = Self { layout, origin, files, recent: HashSet::new(), filed: upto, upto, most };
        let mut lines = reader.lines(upto)?;
        while let Some((seq, line)) = lines.next()? {
            let OnlyId { id } = serde_json::from_slice(line).map_err(|error| {
                TrailError::damaged(this.layout.segments(), Damage::Entry { seq, reason: error.to_string() })
            })?;
            this.insert(&[id], seq + 1)?;
        }
        Ok(this)
    }

    /// Which of these are in the trail, in the order asked.
    pub fn contains(&self, ids: &[EventId]) -> Result<Vec<bool>, TrailError> {
        ids.iter().map(|id| self.holds(id)).collect()
    }

    fn holds(&self, id: &EventId) -> Result<bool, TrailError> {
        if self.recent.contains(id) {
            return Ok(true);
        }
        for file in &self.files {
            if file.holds(id)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes in the ids of entries that were acknowledged; `upto` is the size of the trail with them.
    /// Writes a file now and then.
    pub fn insert(&mut self, ids: &[EventId], upto: u64) -> Result<(), TrailError> {
        self.recent.extend(ids);
        self.upto = upto;
        match self.recent.len() >= self.most {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Writes out what is held in memory, so that the next start need not read the trail.
    pub fn flush(&mut self) -> Result<(), TrailError> {
        if self.filed == self.upto {
            return Ok(());
        }
        let mut ids: Vec<EventId> = self.recent.iter().copied().collect();
        ids.sort_unstable();
        let ids = ids.into_iter().map(Ok);
        match file::write(&self.layout, &self.origin, self.filed..self.upto, ids).map(|file| self.files.push(file)) {
            // It stays in memory, and what was half written is no file that is sound.
            Err(error) if error.is_retryable() => return Ok(()),
            written => written?,
        }
        self.recent.clear();
        self.filed = self.upto;
        self.merge()
    }

    /// Makes the ids of all entries before one durable; false when there was no room for them.
    pub fn settle(&mut self, before: u64) -> Result<bool, TrailError> {
        self.flush()?;
        for file in &self.files {
            file.sync()?;
        }
        let folder = self.layout.seen();
        durable::sync_folder(&folder).map_err(|error| TrailError::sync(folder, error))?;
        Ok(self.filed >= before)
    }

    fn merge(&mut self) -> Result<(), TrailError> {
        while let [.., before, last] = self.files.as_slice()
            && before.len() < GROWTH * last.len()
        {
            let merged = match file::merge(&self.layout, &self.origin, before, last) {
                Err(error) if error.is_retryable() => return Ok(()),
                merged => merged?,
            };
            for old in self.files.drain(self.files.len() - 2..) {
                old.delete();
            }
            self.files.push(merged);
        }
        Ok(())
    }
}

/// Where each file should begin: where the one before it ends.
fn ends(files: &[IdFile]) -> impl Iterator<Item = u64> {
    std::iter::once(0).chain(files.iter().map(|file| file.upto)).take(files.len())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::event::Family;
    use crate::trail::bench::{Bench, event};

    fn id(n: u64) -> EventId {
        EventId::new(Family::Auth, &[&n.to_be_bytes()], 0)
    }

    /// A model in memory and the set on disk agree, also after it was opened anew or lost its files.
    #[test]
    fn every_id_of_the_trail_is_found_and_no_other() {
        let bench = Bench::new();
        let mut model = HashSet::new();
        let mut next = 0;
        for round in 0..12_u64 {
            let (mut writer, _) = bench.open();
            let reader = bench.reader();
            if round == 5 {
                bench.delete("trail/seen");
                std::fs::create_dir(bench.path("trail/seen")).expect("a folder");
            }
            let mut seen = Seen::open_with(bench.data(), &reader, 10).expect("a set");
            for size in [1, 3, 17 * round, 2] {
                let events: Vec<_> = (next..next + size).map(|n| event(id(n), &format!("{n}"))).collect();
                let ids: Vec<EventId> = events.iter().map(super::super::Line::id).collect();
                writer.append(events).expect("room");
                writer.commit().expect("room");
                seen.insert(&ids, writer.acknowledged()).expect("room");
                model.extend(ids);
                next += size;
            }
            let asked: Vec<EventId> = (0..next + 50).map(id).collect();
            let expected: Vec<bool> = asked.iter().map(|id| model.contains(id)).collect();
            assert_eq!(seen.contains(&asked).expect("readable"), expected, "{round}");
            assert!(seen.files.len() < 8, "{}", seen.files.len());
            if round % 2 == 0 {
                seen.flush().expect("room");
            }
        }
    }

    #[test]
    fn a_folder_that_was_deleted_is_made_anew() {
        let bench = Bench::new();
        bench.fill(50);
        let mut seen = Seen::open(bench.data(), &bench.reader()).expect("a set");
        bench.delete("trail/seen");
        seen.flush().expect("room");
        assert_eq!(bench.names("trail/seen").len(), 1);
    }

    #[test]
    fn a_damaged_file_is_made_anew() {
        let bench = Bench::new();
        bench.fill(500);
        let reader = bench.reader();
        Seen::open_with(bench.data(), &reader, 100).expect("a set").flush().expect("room");
        for name in bench.names("trail/seen") {
            for byte in [0, 100, 1_000] {
                bench.flip(&format!("trail/seen/{name}"), byte);
                let seen = Seen::open_with(bench.data(), &reader, 100).expect("a set");
                let ids: Vec<EventId> = (0..500).map(|n| bench.id(n)).collect();
                assert!(seen.contains(&ids).expect("readable").iter().all(|held| *held), "{name} {byte}");
            }
        }
    }
}
