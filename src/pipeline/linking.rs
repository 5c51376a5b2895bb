//! The joiner's thread: follows what is acknowledged, and has links written about it.
//!
//! A start reads the trail from its beginning, links included, and then says only what is not there yet: so a
//! kill at any instant leaves the links as they would have been without it, and a run with nothing new writes
//! nothing. Nobody waits for it but the end of a pass, so that alerts see the links.

use std::sync::Arc;
use std::time::Duration;

use memchr::memmem::Finder;
use tokio::runtime::Handle;
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{error, warn};

use crate::event::Event;
use crate::event::link::Link;
use crate::link::{Bounds, Held, Joiner};
use crate::trail::{Reader, TrailError};

use super::order::Order;
use super::writer::Reached;

/// Records of one login come within a second or two, and what follows is concluded once.
const PAUSE: Duration = Duration::from_secs(1);

/// Links of one order: the writer takes in records between two.
const LINKS: usize = 256;

/// Between two looks at whether it is time to stop.
const LINES: u64 = 4_096;

/// How much is still read when it is time to stop. The next start reads more.
const LAST_LINES: u64 = 200_000;

/// What a line has in it that the joiner may want; others are not even parsed.
const WANTED: &[&str] = &[
    "\"kind\":\"auth\"",
    "\"kind\":\"journal\"",
    "\"kind\":\"wtmp",
    "\"kind\":\"exec\"",
    "\"kind\":\"ansible\"",
    "\"action\":\"link\"",
];

/// How far links are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Linked {
    pub(super) complete_to: u64,
    pub(super) held: Held,
    /// All that was collected is linked, or never will be in this run.
    pub(super) is_done: bool,
}

pub(super) struct Linking {
    pub(super) trail: Arc<Reader>,
    /// Kept until the last link is written: the writer waits for it.
    pub(super) orders: Sender<Order>,
    pub(super) reached: watch::Receiver<Reached>,
    pub(super) linked: watch::Sender<Linked>,
    pub(super) shutdown: watch::Receiver<bool>,
}

struct Linker {
    with: Linking,
    joiner: Joiner,
    next: u64,
    /// What came before the first entry that is kept is not known.
    is_partial: bool,
    wanted: Vec<Finder<'static>>,
}

/// Why it goes no further.
enum Stop {
    /// It is time to, or nothing can be written any more.
    Ending,
    Trail(TrailError),
}

impl From<TrailError> for Stop {
    fn from(error: TrailError) -> Self {
        Self::Trail(error)
    }
}

/// Links until all is collected and linked, or it is time to stop.
pub(super) fn run(with: Linking, runtime: &Handle) {
    let linked = with.linked.clone();
    let wanted = WANTED.iter().map(Finder::new).collect();
    let mut linker = Linker { with, joiner: Joiner::new(Bounds::default()), next: 0, is_partial: false, wanted };
    if let Err(Stop::Trail(error)) = linker.follow(runtime) {
        error!(%error, "Nothing is linked any more; the trail goes on without it.");
    }
    let Held { late, forgotten, .. } = linker.joiner.held();
    if late > 0 || forgotten > 0 {
        warn!(late, forgotten, "Not all could be linked: records came too late, or too many sessions were open.");
    }
    linked.send_modify(|linked| linked.is_done = true);
}

impl Linker {
    fn follow(&mut self, runtime: &Handle) -> Result<(), Stop> {
        self.next = self.with.trail.first()?;
        self.is_partial = self.next > 0;
        loop {
            let reached = *self.with.reached.borrow_and_update();
            self.take_in(reached.acknowledged)?;
            let links = match std::mem::take(&mut self.is_partial) {
                true => self.joiner.settle_without_history(),
                false => self.joiner.settle(),
            };
            let is_news = !links.is_empty();
            self.write(&links, runtime)?;
            let held = self.joiner.held();
            self.with.linked.send_modify(|linked| (linked.complete_to, linked.held) = (self.next, held));
            match (is_news, reached.drained) {
                // What was just written is read before anything is concluded again.
                (true, _) => {}
                (false, true) => return Ok(()),
                (false, false) => runtime.block_on(self.rest())?,
            }
        }
    }

    fn take_in(&mut self, upto: u64) -> Result<(), Stop> {
        // What was pruned meanwhile was taken in before, or is gone for good.
        self.next = self.next.max(self.with.trail.first()?.min(upto));
        if self.next >= upto {
            return Ok(());
        }
        let mut lines = self.with.trail.lines(self.next)?;
        while let Some((seq, line)) = lines.next()? {
            if seq >= upto {
                break;
            }
            if seq % LINES == 0 && *self.with.shutdown.borrow() && upto - seq > LAST_LINES {
                return Err(Stop::Ending);
            }
            self.next = seq + 1;
            if self.wanted.iter().any(|wanted| wanted.find(line).is_some())
                && let Ok(event) = Event::decode(line)
            {
                self.joiner.take(seq, &event);
            }
        }
        Ok(())
    }

    /// Has links written; returns when they are durable.
    fn write(&self, links: &[Link], runtime: &Handle) -> Result<(), Stop> {
        for links in links.chunks(LINKS) {
            let (order, durable) = Order::of(links.iter().map(Link::to_event).collect());
            let is_durable = runtime
                .block_on(async { self.with.orders.send(order).await.is_ok() && matches!(durable.await, Ok(Ok(_))) });
            if !is_durable {
                return Err(Stop::Ending);
            }
        }
        Ok(())
    }

    /// Waits for more, and a moment longer: the end of collecting ends the moment.
    async fn rest(&mut self) -> Result<(), Stop> {
        let reached = &mut self.with.reached;
        reached.changed().await.map_err(|_| Stop::Ending)?;
        let rested = sleep_until(Instant::now() + PAUSE);
        tokio::select! {
            () = rested => Ok(()),
            drained = reached.wait_for(|reached| reached.drained) => drained.map(drop).map_err(|_| Stop::Ending),
        }
    }
}
