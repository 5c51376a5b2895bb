//! Messages that were received: kept from others while they are worked on, deleted when what they led to is
//! durable, given back when it is not.
//!
//! Invariant: a message is deleted only after its events are durable. A message whose keeper dies, or is told
//! to give it back, is received again, and then stores nothing twice.

use std::collections::HashMap;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{self, MissedTickBehavior};

use super::queue::{Queue, QueueError, TOGETHER, Ticket};

/// Orders that may wait: a few for each message that is held.
const ORDERS: usize = 64;

/// How often a message is kept within the time that it would be kept: two failures in a row lose none.
const KEEPS: u32 = 3;

/// How long the end waits for events to become durable when the program stops, and then for the queue.
const END_MAX: Duration = Duration::from_secs(10);

enum Order {
    Hold(Vec<Ticket>),
    /// Deleted when told; given back if that will never be.
    Delete(String, oneshot::Receiver<()>),
    /// Visible again after so long.
    GiveBack(String, Duration),
}

/// How it goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Messages that are neither deleted nor given back.
    pub(super) held: usize,
    /// Those among them whose events are on their way.
    pub(super) waiting: usize,
    /// What the queue last refused.
    pub(super) problem: Option<QueueError>,
}

/// The side that works on the messages. Dropping it gives back what is held.
pub(super) struct Keeper {
    orders: mpsc::Sender<Order>,
    pub(super) standing: watch::Receiver<Standing>,
    task: JoinHandle<()>,
}

impl Keeper {
    pub(super) fn start(queue: Queue, runtime: &Handle, shutdown: watch::Receiver<bool>) -> Self {
        let (orders, incoming) = mpsc::channel(ORDERS);
        let (told, standing) = watch::channel(Standing::default());
        let keeping = Keeping {
            queue,
            told,
            held: HashMap::new(),
            durable: JoinSet::new(),
            deletable: Vec::new(),
            undeleted: None,
            unkept: None,
        };
        Self { orders, standing, task: runtime.spawn(keeping.run(incoming, shutdown)) }
    }

    /// For the task that receives.
    pub(super) fn holder(&self) -> Holder {
        Holder(self.orders.clone())
    }

    /// Deletes the message when told.
    pub(super) async fn delete(&self, id: &str, durable: oneshot::Receiver<()>) {
        self.order(Order::Delete(id.to_owned(), durable)).await;
    }

    pub(super) async fn give_back(&self, id: &str, after: Duration) {
        self.order(Order::GiveBack(id.to_owned(), after)).await;
    }

    async fn order(&self, order: Order) {
        // A keeper that is gone holds nothing, and the queue gives its messages to others in time.
        self.orders.send(order).await.unwrap_or_default();
    }

    /// Deletes what becomes durable, and gives everything else back at once.
    pub(super) async fn end(self) {
        drop(self.orders);
        self.task.await.unwrap_or_default();
    }
}

/// Takes messages into keeping.
pub(super) struct Holder(mpsc::Sender<Order>);

impl Holder {
    pub(super) async fn hold(&self, tickets: Vec<Ticket>) {
        self.0.send(Order::Hold(tickets)).await.unwrap_or_default();
    }
}

struct Keeping {
    queue: Queue,
    told: watch::Sender<Standing>,
    held: HashMap<String, Ticket>,
    durable: JoinSet<(String, bool)>,
    /// Their events are durable.
    deletable: Vec<Ticket>,
    /// What the last deletion, and the last change of visibility, came to.
    undeleted: Option<QueueError>,
    unkept: Option<QueueError>,
}

impl Keeping {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>, mut shutdown: watch::Receiver<bool>) {
        let mut tick = time::interval(self.queue.visibility / KEEPS);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => break,
                },
                Some(durable) = self.durable.join_next() => self.settle(durable.ok()).await,
                _ = tick.tick() => self.tick().await,
            }
            self.tell();
        }
        // Until the program is told to stop, the end waits for the disk; then not for long.
        loop {
            tokio::select! {
                durable = self.durable.join_next() => match durable {
                    Some(durable) => self.settle(durable.ok()).await,
                    None => break,
                },
                _ = tick.tick() => self.tick().await,
                () = told_and_over(&mut shutdown) => break,
            }
            self.tell();
        }
        let rest: Vec<Ticket> = self.held.drain().map(|(_, ticket)| ticket).collect();
        let queue = self.queue.clone();
        let deletable = std::mem::take(&mut self.deletable);
        let last = async move {
            // What cannot be deleted is read again and known; what cannot be given back comes back by itself.
            drop(queue.delete(&deletable).await);
            queue.keep(&rest, Duration::ZERO).await.unwrap_or_default();
        };
        time::timeout(END_MAX, last).await.unwrap_or_default();
        self.tell();
    }

    async fn obey(&mut self, order: Order) {
        match order {
            // A message that comes a second time has a newer receipt, and only that one counts.
            Order::Hold(tickets) => self.held.extend(tickets.into_iter().map(|ticket| (ticket.id.clone(), ticket))),
            Order::Delete(id, durable) => {
                self.durable.spawn(async move { (id, durable.await.is_ok()) });
            }
            Order::GiveBack(id, after) => self.give_back(&id, after).await,
        }
    }

    async fn give_back(&mut self, id: &str, after: Duration) {
        if let Some(ticket) = self.held.remove(id) {
            self.unkept = self.queue.keep(&[ticket], after).await.err();
        }
    }

    /// The events of a message are durable, or never will be; others may be so by now too.
    async fn settle(&mut self, first: Option<(String, bool)>) {
        let mut next = first;
        while let Some((id, is_durable)) = next {
            match (is_durable, self.held.remove(&id)) {
                (true, Some(ticket)) => self.deletable.push(ticket),
                (false, Some(ticket)) => {
                    self.unkept = self.queue.keep(&[ticket], Duration::ZERO).await.err();
                }
                (_, None) => {}
            }
            next =
                (self.deletable.len() < TOGETHER).then(|| self.durable.try_join_next()).flatten().and_then(Result::ok);
        }
        self.delete().await;
    }

    async fn delete(&mut self) {
        if self.deletable.is_empty() {
            return;
        }
        let deleted = self.queue.delete(&self.deletable).await;
        // What is left, and all of it after an error, is tried again with the next tick.
        if let Ok(left) = &deleted {
            self.deletable.retain(|ticket| left.contains(&ticket.id));
        }
        self.undeleted = deleted.err();
    }

    async fn tick(&mut self) {
        self.delete().await;
        let all: Vec<Ticket> = self.held.values().chain(&self.deletable).cloned().collect();
        // With nothing held there is nothing left that was not kept, and nothing that would find out that it goes again.
        self.unkept = match all.as_slice() {
            [] => None,
            all => self.queue.keep(all, self.queue.visibility).await.err(),
        };
    }

    fn tell(&self) {
        let problem = self.undeleted.clone().or_else(|| self.unkept.clone());
        let (held, waiting) = (self.held.len() + self.deletable.len(), self.durable.len());
        let standing = Standing { held, waiting, problem };
        self.told.send_if_modified(|before| std::mem::replace(before, standing.clone()) != standing);
    }
}

async fn told_and_over(shutdown: &mut watch::Receiver<bool>) {
    // An error means that whoever could tell is gone: the program is stopping.
    drop(shutdown.wait_for(|stop| *stop).await);
    time::sleep(END_MAX).await;
}
