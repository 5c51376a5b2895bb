//! Takes the trail in: one writer, in one thread, of the one process that writes.
//!
//! Life of an entry: it is read from the trail, becomes a document, and goes to the partition of its
//! day if that one is open. If not, it waits; when enough wait, or at a commit, their partitions are
//! opened in turn, at most [`OPEN_MAX`] at a time. So at any moment an open partition has everything
//! before the next entry, and can be committed as complete to it.
//!
//! A commit goes through the partitions first and replaces `position` last. Killed in between, the next
//! writer reads from the old position, and each partition skips what it has. After any error all that
//! was not committed is dropped and the next call reads again from the position.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use tracing::{info, warn};

use super::document::Document;
use super::in_flight::InFlight;
use super::intake::Intake;
use super::partition::{self, Partition};
use super::position::Position;
use super::schema::Layout;
use crate::event::{Event, Stamp};
use crate::index::{Damage, Entries, IndexError, View};

/// [`Writer::catch_up`] commits after this many events: large segments are cheaper than many,
/// and a kill costs no more than reading them again.
const COMMIT_EVENTS: u64 = crate::index::STEP_EVENTS;

/// How many partitions take in at once: live events are of today, late ones mostly of yesterday.
const OPEN_MAX: usize = 2;

/// How many bytes of documents may wait for a partition to be opened.
const WAITING_BYTES_MAX: usize = 16 << 20;

/// How many bytes of documents may wait for the engine's threads.
const IN_FLIGHT_BYTES_MAX: usize = 8 << 20;

/// The one writer of an index.
pub struct Writer {
    data: PathBuf,
    folder: PathBuf,
    origin: String,
    /// As on disk, but for `partitions`, which may be ahead of it.
    position: Position,
    /// The place after the last entry that was taken in.
    next: u64,
    /// The first entry that was kept when pruned partitions were looked for.
    pruned: u64,
    /// The one used last is the last.
    open: Vec<Intake>,
    waiting: BTreeMap<NaiveDate, Vec<(u64, Document)>>,
    waiting_bytes: usize,
    in_flight: InFlight,
}

impl View for Writer {
    fn complete_to(&self) -> u64 {
        Writer::complete_to(self)
    }

    fn catch_up(&mut self, trail: &dyn Entries, upto: u64, _: Stamp) -> Result<u64, IndexError> {
        Writer::catch_up(self, trail, upto)
    }
}

impl Writer {
    /// Opens the index of a data folder, or begins one. What does not open is moved aside, and its
    /// events are taken in again; what is an index of another trail than that of `origin` is deleted.
    pub fn open(data: &Path, origin: &str) -> Result<Self, IndexError> {
        let folder = super::folder(data);
        create_folder(&folder)?;
        let position = match Position::read(&folder, origin) {
            Ok(Some(position)) => checked(data, &folder, position)?,
            Ok(None) => begin(&folder, origin)?,
            Err(error) if error.needs_rebuild() => {
                warn!(%error, "The index is made anew from the trail.");
                begin(&folder, origin)?
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            data: data.to_owned(),
            folder,
            origin: origin.to_owned(),
            next: position.complete_to,
            pruned: 0,
            position,
            open: Vec::new(),
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            in_flight: InFlight::new(IN_FLIGHT_BYTES_MAX),
        })
    }

    /// Deletes the index of a data folder and begins one.
    pub fn rebuild(data: &Path, origin: &str) -> Result<Self, IndexError> {
        let folder = super::folder(data);
        create_folder(&folder)?;
        begin(&folder, origin)?;
        Self::open(data, origin)
    }

    /// Every event before this place can be found.
    pub fn complete_to(&self) -> u64 {
        self.position.complete_to
    }

    /// Takes in the trail up to a place and commits; returns what the index is complete to.
    ///
    /// Whoever wants to be able to stop asks for a nearer place. Damage that is met is mended as by
    /// [`Self::open`]; after any other error the same call may be made again.
    pub fn catch_up(&mut self, trail: &dyn Entries, upto: u64) -> Result<u64, IndexError> {
        match self.try_catch_up(trail, upto) {
            Err(error) if error.needs_rebuild() => {
                warn!(%error, "The index is mended.");
                *self = match error {
                    IndexError::Damaged { damage: Damage::Ahead { .. }, .. } => {
                        Self::rebuild(&self.data, &self.origin)?
                    }
                    _ => Self::open(&self.data, &self.origin)?,
                };
                self.try_catch_up(trail, upto)
            }
            done => done,
        }
    }

    fn try_catch_up(&mut self, trail: &dyn Entries, upto: u64) -> Result<u64, IndexError> {
        let acknowledged = trail.acknowledged()?;
        if self.next > acknowledged {
            let damage = Damage::Ahead { index: self.next, trail: acknowledged };
            return Err(IndexError::damaged(&self.folder, damage));
        }
        let upto = upto.min(acknowledged);
        // What was pruned before it was taken in is nobody's answer any more.
        self.next = self.next.max(trail.first()?.min(upto));
        while self.next < upto {
            let until = upto.min(self.position.complete_to.saturating_add(COMMIT_EVENTS));
            for entry in trail.scan(self.next)? {
                let (seq, event) = entry.inspect_err(|_| self.forget())?;
                if seq >= until {
                    break;
                }
                self.take_in(seq, &event)?;
            }
            if self.next < until {
                break;
            }
            self.commit()?;
        }
        self.commit()?;
        self.delete_pruned(trail.first()?)?;
        Ok(self.position.complete_to)
    }

    /// Partitions that hold nothing but pruned events go. As in [`begin`] the position goes first.
    fn delete_pruned(&mut self, first: u64) -> Result<(), IndexError> {
        if first == self.pruned {
            return Ok(());
        }
        let mut gone = Vec::new();
        for (path, day) in partitions_in(&self.folder)? {
            let is_open = self.open.iter().any(|intake| intake.day == day);
            if !is_open && !Partition::open(&path)?.reaches(first) {
                gone.push((path, day));
            }
        }
        if !gone.is_empty() {
            let mut left = self.position.partitions.clone();
            left.retain(|day, _| gone.iter().all(|(_, other)| other != day));
            let position = self.position.clone().moved(self.position.complete_to, left);
            position.write(&self.folder)?;
            self.position = position;
        }
        for (path, day) in gone {
            info!(partition = %day, "All its events were pruned: a partition of the index is deleted.");
            fs::remove_dir_all(&path).map_err(|error| IndexError::io(path, error))?;
        }
        self.pruned = first;
        Ok(())
    }

    /// Takes in one entry; entries come in their order.
    pub fn take_in(&mut self, seq: u64, event: &Event) -> Result<(), IndexError> {
        if seq < self.next {
            return Err(IndexError::Order { seq, next: self.next });
        }
        let taken = self.try_take_in(seq, event);
        taken.inspect_err(|_| self.forget())
    }

    /// Makes all that was taken in durable and visible; returns what the index is complete to.
    pub fn commit(&mut self) -> Result<u64, IndexError> {
        let committed = self.try_commit();
        committed.inspect_err(|_| self.forget())
    }

    fn try_take_in(&mut self, seq: u64, event: &Event) -> Result<(), IndexError> {
        let day = partition::day_of(event);
        if seq >= self.listed(day) {
            let document = Document::new(Layout::of_this_version(), seq, event);
            match self.open.iter().position(|intake| intake.day == day) {
                Some(at) => {
                    let intake = self.open.remove(at);
                    self.open.push(intake);
                    self.add(seq, document)?;
                }
                None => {
                    self.waiting_bytes += document.bytes();
                    self.waiting.entry(day).or_default().push((seq, document));
                }
            }
        }
        self.next = seq + 1;
        if self.waiting_bytes > WAITING_BYTES_MAX {
            self.serve_waiting()?;
        }
        Ok(())
    }

    /// What a partition was last known to be complete to; on disk it may be ahead.
    fn listed(&self, day: NaiveDate) -> u64 {
        self.position.partitions.get(&day).copied().unwrap_or(0)
    }

    /// To the partition that was used last, if it has not got it.
    fn add(&mut self, seq: u64, mut document: Document) -> Result<(), IndexError> {
        match self.open.last_mut() {
            Some(intake) if seq >= intake.complete_to => {
                document.enter(&self.in_flight);
                intake.add(document)
            }
            _ => Ok(()),
        }
    }

    /// Opens the partitions that documents wait for, one after the other.
    fn serve_waiting(&mut self) -> Result<(), IndexError> {
        self.waiting_bytes = 0;
        for (day, documents) in std::mem::take(&mut self.waiting) {
            while self.open.len() >= OPEN_MAX {
                let mut oldest = self.open.remove(0);
                self.commit_partition(&mut oldest)?;
                oldest.close()?;
            }
            let (intake, expected) = (Intake::open(&self.folder, day)?, self.listed(day));
            if intake.complete_to < expected {
                let damage = Damage::Lost { found: intake.complete_to, expected };
                return Err(IndexError::damaged(self.folder.join(day.to_string()), damage));
            }
            self.open.push(intake);
            for (seq, document) in documents {
                self.add(seq, document)?;
            }
        }
        Ok(())
    }

    fn try_commit(&mut self) -> Result<u64, IndexError> {
        self.serve_waiting()?;
        if self.next == self.position.complete_to {
            return Ok(self.next);
        }
        let mut open = std::mem::take(&mut self.open);
        for intake in &mut open {
            self.commit_partition(intake)?;
        }
        self.open = open;
        let position = self.position.clone().moved(self.next, self.position.partitions.clone());
        position.write(&self.folder)?;
        self.position = position;
        Ok(self.next)
    }

    fn commit_partition(&mut self, intake: &mut Intake) -> Result<(), IndexError> {
        intake.commit(self.next)?;
        self.position.partitions.insert(intake.day, intake.complete_to);
        Ok(())
    }

    /// Drops all that was not committed.
    fn forget(&mut self) {
        self.open.clear();
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.next = self.position.complete_to;
    }
}

/// Empties a folder and writes the position of an empty index.
fn begin(folder: &Path, origin: &str) -> Result<Position, IndexError> {
    let position = Position::start(folder, origin)?;
    // First the position, so that nobody who reads meanwhile believes that the partitions are complete.
    position.write(folder)?;
    for (path, _) in partitions_in(folder)? {
        fs::remove_dir_all(&path).map_err(|error| IndexError::io(path, error))?;
    }
    Ok(position)
}

/// The position with the partitions that are really there; back at the start if one of them is not.
fn checked(data: &Path, folder: &Path, listed: Position) -> Result<Position, IndexError> {
    let mut found = BTreeMap::new();
    let mut has_lost = false;
    for (path, day) in partitions_in(folder)? {
        let expected = listed.partitions.get(&day).copied();
        match look_at(&path, expected.unwrap_or(0)) {
            Ok(complete_to) => {
                found.insert(day, complete_to);
            }
            Err(error) if error.needs_rebuild() => {
                has_lost |= expected.is_some();
                warn!(%error, partition = %day, "A partition of the index is moved aside and made anew.");
                move_aside(data, &path, day)?;
            }
            Err(error) => return Err(error),
        }
    }
    has_lost |= listed.partitions.keys().any(|day| !found.contains_key(day));
    let complete_to = if has_lost { 0 } else { listed.complete_to };
    let position = listed.clone().moved(complete_to, found);
    if position != listed {
        info!(complete_to, partitions = position.partitions.len(), "The position of the index is corrected.");
        position.write(folder)?;
    }
    Ok(position)
}

fn look_at(path: &Path, expected: u64) -> Result<u64, IndexError> {
    let found = Partition::open(path)?.complete_to;
    if found < expected {
        return Err(IndexError::damaged(path, Damage::Lost { found, expected }));
    }
    Ok(found)
}

fn partitions_in(folder: &Path) -> Result<Vec<(PathBuf, NaiveDate)>, IndexError> {
    let failed = |error| IndexError::io(folder, error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let day = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
        found.extend(day.map(|day| (path, day)));
    }
    Ok(found)
}

/// Keeps one damaged partition for each day.
fn move_aside(data: &Path, path: &Path, day: NaiveDate) -> Result<(), IndexError> {
    let folder = super::damaged_folder(data);
    create_folder(&folder)?;
    let target = folder.join(day.to_string());
    match fs::remove_dir_all(&target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(IndexError::io(target, error)),
        _ => {}
    }
    #[expect(clippy::disallowed_methods, reason = "a folder is moved, not replaced; both ends are made durable below")]
    fs::rename(path, &target).map_err(|error| IndexError::io(path, error))?;
    for folder in [Some(folder.as_path()), path.parent()].into_iter().flatten() {
        crate::durable::sync_folder(folder).map_err(|error| IndexError::io(folder, error))?;
    }
    Ok(())
}

fn create_folder(folder: &Path) -> Result<(), IndexError> {
    let made = DirBuilder::new().recursive(true).mode(super::FOLDER_MODE).create(folder);
    made.map_err(|error| IndexError::io(folder, error))
}
