//! `status.json`: written once a second, so that a check in another process knows whether silence means peace.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::sleep;
use tracing::warn;

use crate::anchor::{self, Standings};
use crate::check::status::{self, FILE_NAME, Health, Links, Source, Status, VERSION};
use crate::clock::Clock;
use crate::collect::{Mode, Progress, SourceState};
use crate::config::{self, Config};
use crate::durable;
use crate::event::Stamp;
use crate::link::Held;

use super::concluding::Concluded;
use super::follow::Indexed;
use super::writer::Reached;

/// Whoever may read the trail may read it.
const MODE: u32 = 0o640;

pub(super) struct Reporter {
    path: PathBuf,
    clock: Clock,
    of: Of,
    progress: Arc<Progress>,
    anchors: watch::Receiver<Standings>,
    /// Since when each source has not been well.
    since: BTreeMap<String, Stamp>,
    is_failing: bool,
}

/// Whose health is reported.
enum Of {
    Sources(Vec<config::Source>),
    /// Files fed by hand say nothing about the configured sources: what the last run said stays.
    Earlier(Option<Status>),
}

/// Of every source, while the trail waits for room.
const FULL: &str = "cannot be stored: the disk is full";

/// Of every source, while nobody signs what was stored.
const UNSIGNED: &str = "is stored, but cannot be signed: the messages of the writer say why";

const EVERY: Duration = Duration::from_secs(1);

impl Reporter {
    pub(super) fn new(
        config: &Config,
        sources: &[config::Source],
        mode: Mode,
        progress: Arc<Progress>,
        anchors: watch::Receiver<Standings>,
    ) -> Self {
        let path = config.data.join(FILE_NAME);
        let of = match mode {
            Mode::Once | Mode::Follow => Of::Sources(sources.to_vec()),
            Mode::Ingest => Of::Earlier(fs::read(&path).ok().and_then(|bytes| Status::parse(&bytes))),
        };
        Self { path, clock: config.clock, of, progress, anchors, since: BTreeMap::new(), is_failing: false }
    }

    /// Reports until it is told that all has ended, and once more then.
    pub(super) async fn keep_reporting(
        mut self,
        reached: watch::Receiver<Reached>,
        indexed: watch::Receiver<Indexed>,
        concluded: Option<watch::Receiver<Concluded>>,
        mut ended: oneshot::Receiver<()>,
    ) {
        loop {
            let has_ended = tokio::select! {
                _ = &mut ended => true,
                () = sleep(EVERY) => false,
            };
            let (reached, indexed) = (*reached.borrow(), *indexed.borrow());
            self.report(reached, indexed, concluded.as_ref().map(|concluded| *concluded.borrow()));
            if has_ended {
                return;
            }
        }
    }

    /// Says how things are. It is a cache: that it cannot be written is said once, and stops nothing.
    fn report(&mut self, reached: Reached, indexed: Indexed, concluded: Option<Concluded>) {
        let now = self.clock.now();
        let (alive, sources) = match &self.of {
            Of::Sources(sources) => {
                let states = self.progress.sources();
                let health = |name: &str| match () {
                    () if reached.is_full => (Health::Failing, Some(FULL.to_owned())),
                    () if reached.is_unsigned => (Health::Failing, Some(UNSIGNED.to_owned())),
                    () => health(states.get(name)),
                };
                let of = |source: &config::Source| self::source(source, health(&source.name), &mut self.since, now);
                (now, sources.iter().map(of).collect())
            }
            Of::Earlier(Some(status)) => (status.alive, status.sources.clone()),
            Of::Earlier(None) => (now, Vec::new()),
        };
        let replay = self.clock.is_replay();
        let anchors = self.anchors.borrow().iter().map(|(name, standing)| self::anchor(name, standing)).collect();
        let (acknowledged, indexed) = (reached.acknowledged, indexed.complete_to);
        let links = concluded.map(links);
        let status = Status { v: VERSION, alive, replay, acknowledged, indexed, links, sources, anchors };
        let written = durable::swap(&self.path, &status.to_bytes(), MODE);
        if let (Err(error), false) = (&written, self.is_failing) {
            warn!(path = %self.path.display(), %error, "The status cannot be written; checks will be UNKNOWN.");
        }
        self.is_failing = written.is_err();
    }
}

fn source(
    source: &config::Source,
    (health, reason): (Health, Option<String>),
    since: &mut BTreeMap<String, Stamp>,
    now: Stamp,
) -> Source {
    let since = match health {
        Health::Ok => {
            since.remove(&source.name);
            None
        }
        _ => Some(*since.entry(source.name.clone()).or_insert(now)),
    };
    Source { name: source.name.clone(), kind: source.family, state: health, since, reason }
}

fn links(concluded: Concluded) -> Links {
    let Concluded { complete_to, held: Held { late, forgotten, .. }, .. } = concluded;
    Links { complete_to, late, forgotten }
}

fn anchor(name: &str, standing: &anchor::Standing) -> status::Anchor {
    let anchor::Standing { kind, to, size, at, failing, .. } = standing.clone();
    let failing = failing.map(|anchor::Failing { since, count, error, .. }| status::Failing { since, count, error });
    status::Anchor { name: name.to_owned(), kind, to, size, at, failing }
}

fn health(state: Option<&SourceState>) -> (Health, Option<String>) {
    let Some(state) = state else { return (Health::Failing, Some("it was not looked at yet".to_owned())) };
    let mut failing = state.failing.iter();
    match failing.next() {
        Some((origin, problem)) => {
            let more = match failing.count() {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            };
            (Health::Failing, Some(format!("{origin} {problem}{more}")))
        }
        None if state.drained => (Health::Ok, None),
        None => (Health::Failing, Some("what is there has not been read to its end yet".to_owned())),
    }
}
