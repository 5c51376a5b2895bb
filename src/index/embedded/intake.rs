//! One partition as the writer sees it.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use tantivy::directory::META_LOCK;
use tantivy::indexer::IndexWriterOptions;
use tantivy::merge_policy::LogMergePolicy;
use tantivy::store::Compressor;
use tantivy::{Index, IndexSettings, IndexWriter};

use super::document::Document;
use super::files::Owned;
use super::partition;
use super::schema::Layout;
use crate::durable;
use crate::index::IndexError;

/// Of one partition. Measured on 2 cores: a second thread makes nothing faster, because reading the trail
/// and merging use the other core, and it doubles the segments of a commit (70 ms instead of 12).
const THREADS: usize = 1;

/// What a thread gathers before it writes a segment. The engine's least is 15 MB; with more, segments get
/// larger and merges fewer. Two partitions take in at once, within the 400 MB of the whole program.
const THREAD_BYTES: usize = 32_000_000;

/// Merging a segment again that is this large costs more than searching in it apart.
const MERGED_EVENTS_MAX: usize = 1_000_000;

/// A partition that takes in events.
pub(super) struct Intake {
    pub(super) day: NaiveDate,
    folder: PathBuf,
    writer: IndexWriter<Document>,
    /// The place of the trail that its last commit was complete to: it has everything before.
    pub(super) complete_to: u64,
    has_new: bool,
}

impl Intake {
    /// Opens the partition of a day below `index`, or makes it.
    pub(super) fn open(index: &Path, day: NaiveDate) -> Result<Self, IndexError> {
        let folder = index.join(day.to_string());
        create(index, &folder).map_err(|error| IndexError::io(&folder, error))?;
        let (writer, complete_to) = start(&folder).map_err(|error| IndexError::engine(&folder, error))?;
        Ok(Self { day, folder, writer, complete_to, has_new: false })
    }

    pub(super) fn add(&mut self, document: Document) -> Result<(), IndexError> {
        self.has_new = true;
        match self.writer.add_document(document) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed_in_thread(error)),
        }
    }

    /// The engine says only that a thread of it failed; the thread's own error comes with a commit.
    fn failed_in_thread(&mut self, error: tantivy::TantivyError) -> IndexError {
        let cause = self.writer.prepare_commit().err();
        self.failed(cause.unwrap_or(error))
    }

    /// Makes durable and visible what was added, and with it that the partition is complete to `place`.
    pub(super) fn commit(&mut self, place: u64) -> Result<(), IndexError> {
        if !self.has_new {
            return Ok(());
        }
        self.try_commit(place).map_err(|error| self.failed(error))?;
        self.complete_to = place;
        self.has_new = false;
        Ok(())
    }

    fn try_commit(&mut self, place: u64) -> tantivy::Result<()> {
        let mut commit = self.writer.prepare_commit()?;
        commit.set_payload(&place.to_string());
        commit.commit()?;
        Ok(())
    }

    /// Lets merges that have begun come to their end. What was not committed is lost.
    pub(super) fn close(self) -> Result<(), IndexError> {
        let Self { folder, writer, .. } = self;
        writer.wait_merging_threads().map_err(|error| IndexError::engine(folder, error))
    }

    fn failed(&self, error: tantivy::TantivyError) -> IndexError {
        IndexError::engine(&self.folder, error)
    }
}

fn create(index: &Path, folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(super::FOLDER_MODE).create(folder)?;
    // Readers cannot make it.
    File::create(folder.join(&META_LOCK.filepath))?;
    durable::sync_folder(folder)?;
    durable::sync_folder(index)
}

fn start(folder: &Path) -> tantivy::Result<(IndexWriter<Document>, u64)> {
    let files = Owned::open(folder)?;
    let index = match Index::exists(&files)? {
        true => Index::open(files)?,
        false => Index::create(files, Layout::of_this_version().schema.clone(), settings())?,
    };
    Layout::prepare(&index);
    let options = IndexWriterOptions::builder()
        .num_worker_threads(THREADS)
        .memory_budget_per_thread(THREAD_BYTES)
        .num_merge_threads(1)
        .build();
    let writer = index.writer_with_options(options)?;
    let mut merges = LogMergePolicy::default();
    merges.set_max_docs_before_merge(MERGED_EVENTS_MAX);
    writer.set_merge_policy(Box::new(merges));
    Ok((writer, partition::complete_to(&index)?))
}

/// Nothing is stored, so there is nothing to compress.
fn settings() -> IndexSettings {
    IndexSettings {
        docstore_compression: Compressor::None,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    }
}
