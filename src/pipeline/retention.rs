//! Deletes the oldest segments when they need not be kept any more.
//!
//! Order ([`crate::trail::Pruner`]): ids durable, event durable, event signed, then the deletion. The event
//! goes through the writer as every own event does; this thread only waits for it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Sender, WeakSender};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::clock::Clock;
use crate::event::own::{self, action};
use crate::trail::{Due, Keep, Pruner, Reader, Seen, TrailError};

use super::order::Order;
use super::writer::{Reached, lock};

/// The writer signs within a second.
const SIGNED_RETRY: Duration = Duration::from_millis(200);

pub(super) struct Retention {
    pub(super) pruner: Pruner,
    pub(super) keep: Keep,
    pub(super) trail: Arc<Reader>,
    pub(super) seen: Arc<Mutex<Seen>>,
    /// Weak: the writer ends when nobody else orders anything.
    pub(super) orders: WeakSender<Order>,
    /// But not before the first pass had its say, so that every run prunes.
    pub(super) first: Option<Sender<Order>>,
    pub(super) clock: Clock,
    pub(super) reached: watch::Receiver<Reached>,
}

impl Retention {
    /// What was left undone, and what is due. Failure is told and tried again with the next pass.
    pub(super) fn pass(&mut self, runtime: &Handle, goes_on: &mut dyn FnMut() -> bool) {
        match self.prune(runtime, goes_on) {
            Ok(0) => {}
            Ok(segments) => info!(segments, "Old segments were deleted."),
            Err(error) if error.is_retryable() => warn!(%error, "Nothing old is deleted for now."),
            Err(error) => error!(%error, "Old segments cannot be deleted."),
        }
        self.pruner.end_pass();
    }

    fn prune(&mut self, runtime: &Handle, goes_on: &mut dyn FnMut() -> bool) -> Result<u64, TrailError> {
        let first = self.first.take();
        self.announce(runtime)?;
        drop(first);
        self.pruner.carry_out(goes_on)
    }

    /// Has what is due told by a signed entry.
    fn announce(&self, runtime: &Handle) -> Result<(), TrailError> {
        let Some(due) = self.pruner.due(self.keep, &self.trail, self.clock.now())? else { return Ok(()) };
        // What is deleted cannot be read for its ids again.
        if !lock(&self.seen).settle(due.to)? {
            return Ok(());
        }
        let from = self.trail.acknowledged()?;
        match runtime.block_on(self.tell(&due)) {
            true => self.note(&due, from, runtime),
            false => Ok(()),
        }
    }

    /// Waits for the signature over the event. The writer signs before it ends, so its end is final.
    fn note(&self, due: &Due, from: u64, runtime: &Handle) -> Result<(), TrailError> {
        loop {
            let has_ended = self.reached.has_changed().is_err();
            if self.pruner.note(due, &self.trail, from)? || has_ended {
                return Ok(());
            }
            runtime.block_on(async { sleep(SIGNED_RETRY).await });
        }
    }

    /// Has the event written; false when the writer takes no more orders.
    async fn tell(&self, due: &Due) -> bool {
        let Some(orders) = self.orders.upgrade() else { return false };
        let facts = [
            ("from", json!(due.from)),
            ("to", json!(due.to)),
            ("entries", json!(due.to - due.from)),
            ("bytes", json!(due.bytes)),
            ("why", json!(due.why)),
        ];
        let event = own::with_detail(action::PRUNED, self.trail.origin(), self.clock.now(), facts);
        let (order, done) = Order::of(vec![event]);
        orders.send(order).await.is_ok() && done.await.is_ok()
    }
}

#[cfg(test)]
mod tests;
