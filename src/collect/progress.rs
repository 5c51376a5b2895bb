//! How far collecting has come: for a progress bar, `status.json` and metrics.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Shared between the collectors, who write it, and whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    bytes_done: AtomicU64,
    bytes_total: AtomicU64,
    events: AtomicU64,
    sources: Mutex<BTreeMap<String, SourceState>>,
}

/// What is known about one source now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceState {
    /// What cannot be read, and why, by origin. Empty when all goes well.
    pub failing: BTreeMap<String, String>,
    /// Everything that was there has been read at least once.
    pub drained: bool,
    pub events: u64,
}

impl Progress {
    /// Bytes as they lie on disk or in the bucket: read so far, and known of.
    pub fn bytes(&self) -> (u64, u64) {
        let done = self.bytes_done.load(Relaxed);
        (done, self.bytes_total.load(Relaxed).max(done))
    }

    /// Events handed on.
    pub fn events(&self) -> u64 {
        self.events.load(Relaxed)
    }

    pub fn sources(&self) -> BTreeMap<String, SourceState> {
        self.lock().clone()
    }

    pub(super) fn expect_bytes(&self, bytes: u64) {
        self.bytes_total.fetch_add(bytes, Relaxed);
    }

    pub(super) fn read_bytes(&self, bytes: u64) {
        self.bytes_done.fetch_add(bytes, Relaxed);
    }

    pub(super) fn sent(&self, source: &str, events: u64) {
        self.events.fetch_add(events, Relaxed);
        self.with(source, |state| state.events += events);
    }

    pub(super) fn failing(&self, source: &str, origin: &str, problem: &str) {
        self.with(source, |state| {
            state.failing.insert(origin.to_owned(), problem.to_owned());
        });
    }

    pub(super) fn back(&self, source: &str, origin: &str) {
        self.with(source, |state| {
            state.failing.remove(origin);
        });
    }

    pub(super) fn drained(&self, source: &str) {
        self.with(source, |state| state.drained = true);
    }

    fn with(&self, source: &str, change: impl FnOnce(&mut SourceState)) {
        let mut sources = self.lock();
        match sources.get_mut(source) {
            Some(state) => change(state),
            None => change(sources.entry(source.to_owned()).or_default()),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, SourceState>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
