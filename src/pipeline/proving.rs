//! What CloudTrail's digests prove, concluded while collecting: the shell around [`crate::digest::Judge`].
//!
//! That something is missing shows by the time alone, and only to somebody who has looked: as long as a source of
//! CloudTrail's has not read all that is there, or fails, nothing is concluded from what did not come; where a single
//! object cannot be read, only in its account and region.

use std::sync::Arc;

use chrono::TimeDelta;
use tracing::warn;

use super::concluding::{Concluder, History};
use crate::collect::{Mode, Progress};
use crate::config::Source;
use crate::digest::{Bounds, Conclusion, Judge, LetGo, Looked};
use crate::event::{Event, Family, Stamp};

/// What was read last is in the trail by then.
const ON_ITS_WAY: TimeDelta = TimeDelta::minutes(2);

pub(super) struct Proving {
    judge: Judge,
    progress: Arc<Progress>,
    /// Those that read objects; none while nobody looks at whole buckets or folders.
    sources: Vec<String>,
    /// Since when they have read all that there is.
    since: Option<Stamp>,
    is_over: bool,
    told: LetGo,
}

impl Proving {
    pub(super) fn new(progress: &Arc<Progress>, sources: &[Source], mode: Mode) -> Self {
        let is_of_cloudtrail = |source: &&Source| mode != Mode::Ingest && source.family == Family::Cloudtrail;
        let sources: Vec<_> = sources.iter().filter(is_of_cloudtrail).map(|source| source.name.clone()).collect();
        let mut judge = Judge::new(Bounds::default());
        judge.only_sources(sources.iter().cloned().collect());
        let progress = Arc::clone(progress);
        Self { judge, progress, sources, since: None, is_over: false, told: LetGo::default() }
    }

    fn looked(&mut self, now: Stamp) -> Looked {
        let states = self.progress.sources();
        let is_drained = |name: &String| states.get(name).is_some_and(|state| state.drained);
        let failing = self.sources.iter().filter_map(|name| states.get(name)).flat_map(|state| state.failing.keys());
        let are_objects = self.judge.suspend(failing.map(String::as_str));
        if self.sources.is_empty() || !are_objects || !self.sources.iter().all(is_drained) {
            self.since = None;
            return Looked::Behind;
        }
        let since = *self.since.get_or_insert(now);
        match self.is_over {
            true => Looked::All(now),
            false if since.plus(ON_ITS_WAY) <= now => Looked::Until(now),
            false => Looked::Behind,
        }
    }
}

impl Concluder for Proving {
    fn wanted(&self) -> &'static [&'static str] {
        &["\"action\":\"source.object\"", "\"action\":\"source.damaged\"", "\"action\":\"digest."]
    }

    fn take(&mut self, seq: u64, event: &Event) {
        self.judge.take(seq, event);
    }

    fn settle(&mut self, now: Stamp, history: History) -> Vec<Event> {
        if history == History::Partial {
            self.judge.history_is_partial();
        }
        let looked = self.looked(now);
        let events = self.judge.settle(looked).iter().map(|conclusion: &Conclusion| conclusion.to_event(now)).collect();
        let let_go = self.judge.let_go();
        if let_go != self.told {
            let LetGo { objects, digests, refused } = let_go;
            warn!(
                objects,
                digests,
                refused,
                "Too much waits for its digest: the oldest stays unproven here. `whodid cloudtrail verify` checks it."
            );
            self.told = let_go;
        }
        events
    }

    fn all_is_collected(&mut self) {
        self.is_over = true;
    }
}
