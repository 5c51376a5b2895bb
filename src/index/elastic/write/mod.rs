//! Takes the trail in: one writer, of the one process that writes.
//!
//! Life of an entry: it is read from the trail, becomes a document, and travels in a [`Batch`] with its neighbours;
//! several batches are on their way at a time. A batch has landed when the cluster has confirmed every document
//! of it ([`deliver`]). The position moves over batches that landed in their order, so it is the contiguous prefix
//! of what is confirmed, and only after a refresh: what it counts can be found.
//!
//! Killed anywhere, the next writer begins at the old position and creates again what is there already: the
//! cluster refuses that by the document's id, and what lies there is compared ([`conflict`]).

mod batch;
mod conflict;
mod deliver;
mod mending;
mod outcome;
mod setup;
mod tempo;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tracing::{info, warn};

use super::Position;
use crate::cluster::{Body, Failure, Method};
use crate::config::index::{Elastic, Names};
use crate::event::Stamp;
use crate::index::{Damage, Entries, IndexError, View};
use batch::Batch;
pub(super) use deliver::Courier;
use deliver::Landed;
pub(super) use mending::Mending;
use tempo::Tempo;

/// So often, at the least, what was written is made visible and the position moves while much is taken in.
const MOVE_AFTER: Duration = Duration::from_secs(10);

/// Indices that one request may name: an address has 4 KiB.
const REFRESHED_AT_ONCE: usize = 50;

/// The one writer of a trail into a cluster.
pub struct Writer {
    data: PathBuf,
    origin: String,
    settings: Elastic,
    courier: Arc<Courier>,
    position: Position,
    tempo: Tempo,
    /// Documents that the cluster took only in part.
    reduced: u64,
    /// Whether the position was compared with the trail.
    is_checked: bool,
}

impl Writer {
    /// Opens the view of a trail in a cluster, or begins one: looks at the version, puts the template there.
    pub fn open(data: &Path, origin: &str, settings: &Elastic) -> Result<Self, IndexError> {
        let cluster = Arc::new(super::access::connect(settings)?);
        let uuid = setup::prepare(&cluster, settings)?;
        let pattern = settings.names.pattern();
        let position = match Position::read(data, origin) {
            Ok(Some(position)) if !position.is_of(&uuid) => {
                warn!(cluster = cluster.name(), "It is another cluster than before: everything is written to it.");
                Position::start(origin, &uuid, pattern)
            }
            Ok(Some(position)) if position.pattern != pattern => {
                warn!(
                    before = position.pattern,
                    now = pattern,
                    "Indices have other names: everything is written again."
                );
                if let Ok(before) = Names::new(&position.pattern) {
                    super::forget::forget_all(&cluster, &before, origin)?;
                }
                Position::start(origin, &uuid, pattern)
            }
            Ok(Some(position)) => position,
            Ok(None) => Position::start(origin, &uuid, pattern),
            // What an earlier version wrote is known by its mark, and replaced.
            Err(error) if error.needs_rebuild() => {
                warn!(%error, "Everything is written to the cluster again.");
                Position::start(origin, &uuid, pattern)
            }
            Err(error) => return Err(error),
        };
        Ok(Self {
            data: data.to_owned(),
            origin: origin.to_owned(),
            tempo: Tempo::new(settings.in_flight, settings.batch_bytes),
            courier: Arc::new(Courier::new(cluster, settings)),
            settings: settings.clone(),
            position,
            reduced: 0,
            is_checked: false,
        })
    }

    /// Deletes what the cluster has of this trail, and begins anew.
    pub fn rebuild(data: &Path, origin: &str, settings: &Elastic) -> Result<Self, IndexError> {
        let cluster = Arc::new(super::access::connect(settings)?);
        let uuid = setup::prepare(&cluster, settings)?;
        // In this order: what is not forgotten would be taken for what is written now.
        super::forget::forget_all(&cluster, &settings.names, origin)?;
        Position::start(origin, &uuid, settings.names.pattern()).write(data)?;
        Self::open(data, origin, settings)
    }

    /// How many documents the cluster took only in part since this writer was opened.
    pub fn reduced(&self) -> u64 {
        self.reduced
    }

    /// What has landed is kept, whatever comes then.
    fn take_in_and_drop(&mut self, trail: &dyn Entries, upto: u64, now: Stamp) -> Result<u64, IndexError> {
        let acknowledged = trail.acknowledged()?;
        if !self.is_checked {
            self.check_against(trail, acknowledged)?;
            self.is_checked = true;
        }
        let upto = upto.min(acknowledged);
        // What was pruned before it was taken in is nobody's answer any more.
        let first = trail.first()?;
        if self.position.complete_to < first.min(upto) {
            self.position.complete_to = first.min(upto);
            self.position.leaf.clear();
            self.position.write(&self.data)?;
        }
        let kept_from = self.settings.keep_days.map(|days| kept_from(now, days));
        if self.position.complete_to < upto {
            let courier = Arc::clone(&self.courier);
            courier.cluster().block_on(self.take_in(trail, upto, kept_from))?;
        }
        if let Some(kept_from) = kept_from {
            self.drop_before(kept_from)?;
        }
        Ok(self.position.complete_to)
    }

    /// A trail that was put back to an older state may have grown again since: then the entry before the position is
    /// another one, and what of the cluster is of this trail has to be looked through.
    fn check_against(&mut self, trail: &dyn Entries, acknowledged: u64) -> Result<(), IndexError> {
        let complete_to = self.position.complete_to;
        let beyond =
            super::forget::count_from(self.courier.cluster(), &self.settings.names, &self.origin, acknowledged)?;
        let damage = match complete_to.checked_sub(1) {
            _ if beyond > 0 => Damage::Ahead { index: acknowledged + beyond, trail: acknowledged },
            _ if complete_to > acknowledged => Damage::Ahead { index: complete_to, trail: acknowledged },
            Some(last) if last >= trail.first()? && !self.position.leaf.is_empty() => {
                if trail.leaf(last)?.to_string() == self.position.leaf {
                    return Ok(());
                }
                Damage::OtherEntry { seq: last }
            }
            _ => return Ok(()),
        };
        let error = IndexError::damaged(self.courier.cluster().name(), damage);
        warn!(%error, "What the cluster has is compared with the trail.");
        let cluster = Arc::clone(self.courier.cluster());
        self.position = super::reconcile::repair(&cluster, &self.settings, &self.origin, trail, self.position.clone())?;
        self.position.write(&self.data)
    }

    /// Reads, sends, and moves the position as batches land.
    async fn take_in(&mut self, trail: &dyn Entries, upto: u64, kept_from: Option<i64>) -> Result<(), IndexError> {
        let mut reading = Reading::new(trail, self.position.complete_to, upto, kept_from)?;
        let mut on_their_way: JoinSet<(Batch, Result<Landed, Failure>)> = JoinSet::new();
        let mut landed: BTreeMap<u64, Batch> = BTreeMap::new();
        let (mut failure, mut unseen, mut moved) = (None, self.position.clone(), Instant::now());
        loop {
            while failure.is_none() && on_their_way.len() < self.tempo.in_flight() {
                let Some(batch) = reading.batch(&self.origin, &self.settings.names, self.tempo.batch_bytes())? else {
                    break;
                };
                let courier = Arc::clone(&self.courier);
                on_their_way.spawn(async move {
                    let mut batch = batch;
                    let landed = courier.deliver(&mut batch).await;
                    (batch, landed)
                });
            }
            let Some(joined) = on_their_way.join_next().await else { break };
            match joined {
                Ok((batch, Ok(done))) => {
                    self.tempo.landed(done.pushed_back, done.bytes_max);
                    self.reduced += done.reduced;
                    if let Some(reason) = done.reason {
                        let events = done.reduced;
                        warn!(
                            events,
                            reason, "The cluster refuses events as they are: they are found all the same, but slower."
                        );
                    }
                    landed.insert(batch.from, batch);
                }
                Ok((_, Err(error))) => {
                    self.tempo.landed(true, None);
                    failure.get_or_insert(IndexError::Cluster(error));
                }
                Err(died) => {
                    failure.get_or_insert(IndexError::Cluster(Failure::Setup(format!("a thread died: {died}"))));
                }
            }
            while let Some(batch) = landed.remove(&unseen.complete_to) {
                batch.count(&mut unseen);
            }
            if moved.elapsed() >= MOVE_AFTER && unseen.complete_to > self.position.complete_to {
                self.show(&unseen).await?;
                moved = Instant::now();
            }
        }
        if unseen.complete_to > self.position.complete_to {
            self.show(&unseen).await?;
        }
        failure.map_or(Ok(()), Err)
    }

    /// Makes what was confirmed visible, and then counts on it.
    async fn show(&mut self, reached: &Position) -> Result<(), IndexError> {
        let changed = reached.indices.iter().filter(|(name, held)| self.position.indices.get(*name) != Some(held));
        let names: Vec<&str> = changed.map(|(name, _)| name.as_str()).collect();
        for some in names.chunks(REFRESHED_AT_ONCE) {
            let path = format!("/{}/_refresh", some.join(","));
            let answer = self.courier.cluster().ask_again_async(Method::Post, &path, Body::None).await?;
            let failed = answer.pointer("/_shards/failed").and_then(serde_json::Value::as_u64).unwrap_or(0);
            if failed > 0 {
                let reason = format!("{failed} shards could not be refreshed");
                let node = self.courier.cluster().name();
                return Err(Failure::Busy { node, status: 200, reason, after: None }.into());
            }
        }
        for name in reached.indices.keys().filter(|name| !self.position.indices.contains_key(*name)) {
            if !setup::is_ready(self.courier.cluster(), name).await? {
                return Err(IndexError::damaged(self.courier.cluster().name(), Damage::OtherFields(name.clone())));
            }
        }
        reached.write(&self.data)?;
        self.position = reached.clone();
        Ok(())
    }

    /// Whole indices of events that need not be found any more. The position goes first: what it does not name
    /// nobody asks for.
    fn drop_before(&mut self, kept_from: i64) -> Result<(), IndexError> {
        let old = self.position.indices.iter().filter(|(_, held)| held.last < kept_from);
        let gone: BTreeSet<String> = old.map(|(name, _)| name.clone()).collect();
        for name in &gone {
            if let Some(held) = self.position.indices.remove(name) {
                self.position.dropped_to = self.position.dropped_to.max(Some(held.last));
            }
        }
        if self.settings.deletes {
            self.position.deleting.extend(gone.iter().cloned());
        }
        if !gone.is_empty() {
            self.position.write(&self.data)?;
        }
        while let Some(name) = self.position.deleting.first().cloned() {
            super::forget::forget_before(self.courier.cluster(), &name, &self.origin, kept_from)?;
            info!(
                index = name,
                "All its events are older than they have to be kept: they are deleted from the cluster."
            );
            self.position.deleting.remove(&name);
            self.position.write(&self.data)?;
        }
        Ok(())
    }
}

impl View for Writer {
    fn complete_to(&self) -> u64 {
        self.position.complete_to
    }

    fn catch_up(&mut self, trail: &dyn Entries, upto: u64, now: Stamp) -> Result<u64, IndexError> {
        self.take_in_and_drop(trail, upto, now)
    }
}

/// Days end at midnight, UTC; in microseconds.
fn kept_from(now: Stamp, days: u64) -> i64 {
    const DAY: i64 = 86_400_000_000;
    let today = now.micros().div_euclid(DAY);
    today.saturating_sub(i64::try_from(days).unwrap_or(i64::MAX)).saturating_mul(DAY)
}

/// The trail, cut into batches.
struct Reading<'t> {
    entries: Box<dyn Iterator<Item = Result<crate::index::Entry, IndexError>> + 't>,
    next: u64,
    upto: u64,
    kept_from: Option<i64>,
}

impl<'t> Reading<'t> {
    fn new(trail: &'t dyn Entries, from: u64, upto: u64, kept_from: Option<i64>) -> Result<Self, IndexError> {
        Ok(Self { entries: trail.entries(from)?, next: from, upto, kept_from })
    }

    /// The next entries, some `bytes` of documents.
    fn batch(&mut self, origin: &str, names: &Names, bytes: usize) -> Result<Option<Batch>, IndexError> {
        if self.next >= self.upto {
            return Ok(None);
        }
        let mut batch = Batch::new(self.next);
        while self.next < self.upto && batch.bytes() < bytes {
            let Some(entry) = self.entries.next().transpose()? else { break };
            self.next = entry.seq + 1;
            match self.kept_from.filter(|kept_from| entry.event.when.micros() < *kept_from) {
                Some(_) => batch.skip(&entry),
                None => batch.push(origin, names, &entry),
            }
        }
        if batch.upto == batch.from {
            self.next = self.upto;
            return Ok(None);
        }
        Ok(Some(batch))
    }
}
