//! The anchors' tasks, and the desk that has the trail told of them.
//!
//! Nobody waits for an anchor but the end of a run, and that not for long. A run that ends by itself stays
//! open until every anchor was tried once with what was collected, so that a failure is told in the same run.
//! After the last event there is only the last checkpoint: what fails then the next start tells.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::warn;

use crate::anchor::{self, LAST_MAX, Standing, Standings, Worker};
use crate::check::status::{FILE_NAME, Status};
use crate::collect::Mode;
use crate::config::Config;
use crate::event::{Event, escape};
use crate::trail::Reader;

use super::order::Order;
use super::writer::Reached;

/// Events that wait to be stored: an anchor has one an hour, and one when that is over.
const EVENTS: usize = 16;

/// How long a run that ends by itself stays open for its anchors.
const TRIED_WITHIN: Duration = Duration::from_secs(10);

/// The anchors at work.
pub(super) struct Anchoring {
    standings: Arc<watch::Sender<Standings>>,
    /// What the last of them should be.
    signed: Option<watch::Receiver<u64>>,
    workers: JoinSet<()>,
}

/// What they work with.
pub(super) struct With<'a> {
    pub(super) config: &'a Config,
    pub(super) trail: &'a Arc<Reader>,
    /// What the trail says of them.
    pub(super) memory: &'a anchor::Memory,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) signed: watch::Receiver<u64>,
    pub(super) reached: watch::Receiver<Reached>,
    pub(super) shutdown: watch::Receiver<bool>,
    pub(super) mode: Mode,
}

impl Anchoring {
    /// Without any anchor it holds nothing.
    pub(super) fn start(with: With<'_>) -> Self {
        let With { config, trail, memory, orders, signed, reached, shutdown, mode } = with;
        let standings = Arc::new(watch::Sender::new(remembered(config, memory)));
        let mut workers = JoinSet::new();
        // Where nobody looks, nothing is signed for it.
        let looks = (!config.anchors.is_empty()).then(|| signed.clone());
        let (tell, told) = mpsc::channel(EVENTS);
        for anchor in &config.anchors {
            let worker = Worker {
                anchor: anchor.clone(),
                trail: Arc::clone(trail),
                signed: signed.clone(),
                standings: Arc::clone(&standings),
                tell: tell.clone(),
                clock: config.clock,
            };
            workers.spawn(worker.work());
        }
        if !config.anchors.is_empty() {
            let tried = Tried { standings: standings.subscribe(), signed, reached };
            let until = async move {
                tokio::select! {
                    () = stopped(shutdown) => {}
                    () = tried.wait(mode) => {}
                }
            };
            tokio::spawn(tell_trail(told, orders, until));
        }
        Self { standings, signed: looks, workers }
    }

    pub(super) fn standings(&self) -> watch::Receiver<Standings> {
        self.standings.subscribe()
    }

    /// After the last signature: waits until it is everywhere, or until that took too long.
    pub(super) async fn finish(mut self) -> Standings {
        let all = async { while self.workers.join_next().await.is_some() {} };
        // Those that hang are left behind.
        drop(timeout(LAST_MAX, all).await);
        self.workers.abort_all();
        let standings = self.standings.borrow().clone();
        let signed = self.signed.map_or(0, |signed| *signed.borrow());
        for (name, _) in standings.iter().filter(|(_, standing)| standing.size < Some(signed) && signed > 0) {
            warn!(anchor = %escape::line(name), "The last checkpoint is not there; the next start sends it.");
        }
        standings
    }
}

/// How the anchors were when the last run ended: sizes from its status, failures from the trail.
fn remembered(config: &Config, memory: &anchor::Memory) -> Standings {
    let status = fs::read(config.data.join(FILE_NAME)).ok().and_then(|bytes| Status::parse(&bytes));
    let before = status.map(|status| status.anchors).unwrap_or_default();
    let standing = |anchor: &crate::config::Anchor| {
        let mut standing = Standing { failing: memory.failing(&anchor.name), ..Standing::new(anchor) };
        // One that leads elsewhere now has nothing yet.
        let same = before.iter().find(|old| (&old.name, &old.to) == (&anchor.name, &standing.to));
        if let Some(old) = same {
            (standing.size, standing.at) = (old.size, old.at);
        }
        (anchor.name.clone(), standing)
    };
    config.anchors.iter().map(standing).collect()
}

/// A sender that is gone is as good as a stop.
async fn stopped(mut shutdown: watch::Receiver<bool>) {
    drop(shutdown.wait_for(|is_time| *is_time).await);
}

struct Tried {
    standings: watch::Receiver<Standings>,
    signed: watch::Receiver<u64>,
    reached: watch::Receiver<Reached>,
}

impl Tried {
    /// Returns when nothing more is collected; in a run that ends by itself, when every anchor was tried with all
    /// of it, or that took too long.
    async fn wait(mut self, mode: Mode) {
        let is_over = self.reached.wait_for(|reached| reached.drained).await.is_err();
        if is_over || mode == Mode::Follow {
            return;
        }
        let size = *self.signed.borrow();
        let is_tried = |standing: &Standing| standing.size.max(standing.tried).is_some_and(|tried| tried >= size);
        let all = self.standings.wait_for(|standings| size == 0 || standings.values().all(is_tried));
        drop(timeout(TRIED_WITHIN, all).await);
    }
}

/// Has events stored until it is time to stop; then those that were said before, and no more: the writer ends
/// when nobody orders anything.
async fn tell_trail(mut told: mpsc::Receiver<Event>, orders: mpsc::Sender<Order>, until: impl Future<Output = ()>) {
    tokio::pin!(until);
    loop {
        tokio::select! {
            biased;
            Some(event) = told.recv() => if !store(&orders, event).await { return },
            () = &mut until => break,
        }
    }
    while let Ok(event) = told.try_recv() {
        if !store(&orders, event).await {
            return;
        }
    }
}

/// False when nothing is stored any more.
async fn store(orders: &mpsc::Sender<Order>, event: Event) -> bool {
    let name = event.what.object.clone().unwrap_or_default();
    let (order, durable) = Order::of(vec![event]);
    let is_stored = orders.send(order).await.is_ok() && matches!(durable.await, Ok(Ok(_)));
    if !is_stored {
        warn!(anchor = %escape::line(&name), "The trail is ending and was not told of this anchor; the next start tells it.");
    }
    is_stored
}
