//! The alerts' task: evaluates when something is due, has it stored, and lets messages go.
//!
//! Order of one round: the index is asked (on a thread that may block), what came of it is made durable
//! by the trail's writer, and only then are people told; what became of a message is stored again. So a
//! kill at any instant loses no message: the trail says what was not sent.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{error, info, warn};

use crate::alert::notify::{Delivered, Outbox, Tries};
use crate::alert::{Engine, Evaluation, Memory, Patience, Standing, Which};
use crate::clock::Clock;
use crate::config::Config;
use crate::event::{Event, Stamp, escape};
use crate::index::Index;
use crate::trail::Reader;

use super::concluding::Concluded;
use super::follow::Indexed;
use super::order::Order;
use super::views;
use super::writer::Reached;

/// How the alerts are after one pass.
#[derive(Debug, Default)]
pub struct Watched {
    /// Every alert, also those that do not apply here; empty when nothing was evaluated.
    pub alerts: Vec<Standing>,
    /// Messages that were taken, and those that failed for good.
    pub sent: u64,
    pub failed: u64,
    /// Messages that are still on their way: the next start sends them.
    pub unsent: u64,
}

pub(super) struct Watcher {
    pub(super) config: Config,
    pub(super) trail: Arc<Reader>,
    /// What the trail says of the alerts.
    pub(super) alerts: Memory,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) reached: watch::Receiver<Reached>,
    pub(super) concluded: watch::Receiver<Concluded>,
    pub(super) indexed: watch::Receiver<Indexed>,
}

/// Collecting what gathered while the program was down goes first; what comes later is found as late.
const START_AFTER: Duration = Duration::from_secs(30);

/// The longest sleep: the clock may be set, the machine may have slept.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// Where time stands still nothing becomes due, but events come in.
const REPLAY_EVERY: Duration = Duration::from_secs(10);

/// Between two tries of an index that could not answer, and how many there are before that is stated.
const RETRY_AFTER: Duration = Duration::from_secs(5);
const RETRIES_MAX: u32 = 12;

/// How long one pass waits for an index that makes no progress.
const INDEX_PATIENCE: Duration = Duration::from_secs(30);

/// How long one pass waits for its messages. What is still on its way then is sent by the next start.
const ONCE_MESSAGES: Duration = Duration::from_secs(60);

/// The pipeline is ending: nothing can be stored any more.
struct Ending;

impl Watcher {
    /// Evaluates what is due until it is time to stop.
    pub(super) async fn follow(self, stop: watch::Receiver<bool>) {
        self.desk(Tries::PATIENT).follow(stop).await;
    }

    /// Evaluates every alert once, after all was collected.
    pub(super) async fn once(mut self) -> Watched {
        if self.reached.wait_for(|reached| reached.drained).await.is_err() {
            return Watched::default();
        }
        // Some look for conclusions. Where nothing is concluded, nobody speaks for it any more.
        drop(self.concluded.wait_for(|concluded| concluded.is_done).await);
        self.wait_for_index().await;
        self.desk(Tries::BRIEF).once().await
    }

    /// Searches work without, but go through what the index lacks.
    async fn wait_for_index(&mut self) {
        let upto = self.reached.borrow().acknowledged;
        while self.indexed.borrow_and_update().complete_to < upto {
            if !matches!(timeout(INDEX_PATIENCE, self.indexed.changed()).await, Ok(Ok(()))) {
                return;
            }
        }
    }

    fn desk(self, tries: Tries) -> Desk {
        let index = views::searcher(&self.config, self.trail);
        Desk::new(self.config, self.alerts, Arc::new(index), self.orders, tries)
    }
}

/// A sender that is gone is as good as a stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|is_time| *is_time).await);
}

fn patience(retries: u32) -> Patience {
    if retries < RETRIES_MAX { Patience::Again } else { Patience::Over }
}

/// Everything that a round needs.
struct Desk {
    clock: Clock,
    /// None while a thread has it, and for good after it panicked or could not be stored.
    engine: Option<Engine>,
    index: Arc<dyn Index>,
    orders: mpsc::Sender<Order>,
    outbox: Outbox,
    /// Alerts that do not apply here: said once.
    said: BTreeSet<String>,
    sent: u64,
    failed: u64,
}

impl Desk {
    fn new(config: Config, alerts: Memory, index: Arc<dyn Index>, orders: mpsc::Sender<Order>, tries: Tries) -> Self {
        let config = Arc::new(config);
        Self {
            clock: config.clock,
            outbox: Outbox::start(&config.channels, tries),
            engine: Some(Engine::new(config, alerts)),
            index,
            orders,
            said: BTreeSet::new(),
            sent: 0,
            failed: 0,
        }
    }

    async fn follow(mut self, mut stop: watch::Receiver<bool>) {
        let mut wake = Instant::now() + START_AFTER.min(self.until_due());
        let mut which = Which::All;
        let mut retries = 0;
        loop {
            let worked = tokio::select! {
                () = stopped(&mut stop) => break,
                delivered = self.outbox.next() => self.note(&delivered).await,
                () = sleep_until(wake) => match self.round(which, patience(retries)).await {
                    Ok(true) => {
                        retries += 1;
                        wake = Instant::now() + RETRY_AFTER;
                        Ok(())
                    }
                    Ok(false) => {
                        retries = 0;
                        which = if self.clock.is_replay() { Which::All } else { Which::Due };
                        wake = Instant::now() + self.until_due();
                        Ok(())
                    }
                    Err(ending) => Err(ending),
                },
            };
            if let Err(Ending) = worked {
                return;
            }
        }
        // An error means that the writer has ended before: those slots are judged again.
        let now = self.clock.now();
        let held = self.engine.as_mut().map(|engine| engine.flush(now)).unwrap_or_default();
        if self.order(held).await.is_ok() {
            self.finish_messages().await;
        }
    }

    async fn once(mut self) -> Watched {
        let mut retries = 0;
        loop {
            match self.round(Which::All, patience(retries)).await {
                Ok(true) => {
                    retries += 1;
                    sleep(RETRY_AFTER).await;
                }
                Ok(false) => break,
                Err(Ending) => return Watched::default(),
            }
        }
        if timeout(ONCE_MESSAGES, self.finish_messages()).await.is_err() {
            warn!("Messages are still on their way; the next start sends them.");
        }
        self.watched().await
    }

    fn until_due(&self) -> Duration {
        if self.clock.is_replay() {
            return REPLAY_EVERY;
        }
        let now = self.clock.now();
        let due = self.engine.as_ref().and_then(|engine| engine.next_due(now));
        let until = due.and_then(|due| (due.instant() - now.instant()).to_std().ok());
        until.map_or(SLEEP_MAX, |until| until.min(SLEEP_MAX))
    }

    /// Evaluates, stores, and tells. True when the index should be asked again.
    async fn round(&mut self, which: Which, patience: Patience) -> Result<bool, Ending> {
        let now = self.clock.now();
        let evaluation = self.ask(move |engine, index| engine.evaluate(now, index, which, patience)).await?;
        let Evaluation { events, skipped, retry } = evaluation;
        for skipped in skipped {
            if self.said.insert(skipped.id.clone()) {
                info!(alert = %skipped.id, reason = %escape::line(&skipped.reason), "An alert does not apply here.");
            }
        }
        self.order(events).await?;
        self.hand_over(now);
        Ok(retry)
    }

    /// Gives the messages that are to be sent to their channels.
    fn hand_over(&mut self, now: Stamp) {
        let messages = self.engine.as_mut().map(|engine| engine.messages(now)).unwrap_or_default();
        messages.iter().for_each(|message| self.outbox.send(message));
    }

    /// Works with the engine where it may block.
    async fn ask<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Engine, &dyn Index) -> T + Send + 'static,
    ) -> Result<T, Ending> {
        let mut engine = self.engine.take().ok_or(Ending)?;
        let index = Arc::clone(&self.index);
        let working = tokio::task::spawn_blocking(move || {
            let done = work(&mut engine, &*index);
            (engine, done)
        });
        match working.await {
            Ok((engine, done)) => {
                self.engine = Some(engine);
                Ok(done)
            }
            Err(panicked) => {
                error!(error = %panicked, "Alerts are not evaluated any more: restart, and report this.");
                Err(Ending)
            }
        }
    }

    /// Returns when the events are durable.
    async fn order(&mut self, events: Vec<Event>) -> Result<(), Ending> {
        if events.is_empty() {
            return Ok(());
        }
        let (order, durable) = Order::of(events);
        let is_taken = self.orders.send(order).await.is_ok();
        if is_taken && durable.await.is_ok() {
            return Ok(());
        }
        // It goes by what was not stored: nobody may be told of that.
        self.engine = None;
        Err(Ending)
    }

    /// Stores what became of a message.
    async fn note(&mut self, delivered: &Delivered) -> Result<(), Ending> {
        let Delivered { alert, told } = delivered;
        match told.error {
            None => self.sent += 1,
            Some(_) => self.failed += 1,
        }
        let now = self.clock.now();
        let engine = self.engine.as_mut().ok_or(Ending)?;
        let event = engine.told(alert, told, now);
        self.order(vec![event]).await
    }

    /// Until nothing is on its way and nothing waits for room.
    async fn finish_messages(&mut self) {
        loop {
            while !self.outbox.is_idle() {
                let delivered = self.outbox.next().await;
                if self.note(&delivered).await.is_err() {
                    return;
                }
            }
            self.hand_over(self.clock.now());
            if self.outbox.is_idle() {
                return;
            }
        }
    }

    async fn watched(mut self) -> Watched {
        let now = self.clock.now();
        let alerts = self.ask(move |engine, index| engine.standings(now, index)).await.unwrap_or_default();
        let unsent = self.engine.as_ref().map_or(0, |engine| engine.memory().unsent());
        Watched { alerts, sent: self.sent, failed: self.failed, unsent }
    }
}

#[cfg(test)]
mod tests;
