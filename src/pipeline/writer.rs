//! The writer's thread: events in, durable entries of the trail out.
//!
//! A group is whatever has arrived while the last one was made durable, up to [`GROUP_BYTES`]: a quiet
//! log is written at once, a busy one in few steps. Order of one group: left out what the trail holds,
//! encoded and hashed, appended, `fdatasync`, acknowledged. A signature follows within [`SIGN_AFTER`].
//!
//! Invariant: what is acknowledged is on disk, and nothing is in the trail twice.

use std::collections::HashSet;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::NaiveDate;
use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use crate::alert::Memory;
use crate::anchor;
use crate::clock::Clock;
use crate::collect::{Batch, Positions};
use crate::event::{Event, EventId, Family};
use crate::trail::{Line, Seen, TrailError, Writer};

use super::opening::Opening;
use super::order::{Order, Waiting};
use super::{PipelineError, encode};

/// A larger group gains nothing: one `fdatasync` of a MiB costs little more than that of a line.
const GROUP_BYTES: usize = 1 << 20;

/// The longest that an acknowledged entry waits for its signature.
const SIGN_AFTER: Duration = Duration::from_secs(1);

/// A new day begins a new segment if the last one holds this much: less is not worth a file.
const DAY_BYTES_MIN: u64 = 64 << 10;

/// How often who could not sign is asked again.
const SIGNER_RETRY: Duration = Duration::from_secs(5);

/// How often a full disk is tried again.
const FULL_RETRY: Duration = Duration::from_secs(1);

/// How far the trail is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reached {
    /// Entries that are durable.
    pub(super) acknowledged: u64,
    /// Segments that this run began.
    pub(super) segments: u64,
    /// Collecting has ended, and all that was collected is durable.
    pub(super) drained: bool,
    /// There is no room: nothing goes on before there is.
    pub(super) is_full: bool,
    /// What is stored cannot be signed.
    pub(super) is_unsigned: bool,
}

impl Reached {
    pub(super) fn new(acknowledged: u64) -> Self {
        Self { acknowledged, ..Self::default() }
    }
}

/// What this run added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Added {
    pub records: u64,
    pub own: u64,
    /// Left out, because the trail held them.
    pub known: u64,
    /// Entries that could not be signed any more: the next run does it.
    pub unsigned: u64,
}

pub(super) struct Stage {
    pub(super) trail: Writer,
    pub(super) seen: Arc<Mutex<Seen>>,
    pub(super) positions: Positions,
    pub(super) alerts: Memory,
    pub(super) anchors: anchor::Memory,
    pub(super) opening: Opening,
    /// When the newest segment began, in UTC.
    pub(super) day: NaiveDate,
    pub(super) clock: Clock,
    pub(super) reached: watch::Sender<Reached>,
    /// How many entries are signed, for those who carry checkpoints away.
    pub(super) signed: watch::Sender<u64>,
    pub(super) shutdown: watch::Receiver<bool>,
    pub(super) added: Added,
}

/// Where events come from.
pub(super) struct Input {
    pub(super) batches: Receiver<Batch>,
    pub(super) orders: Receiver<Order>,
}

/// One group on its way.
#[derive(Default)]
struct Group {
    lines: Vec<Line>,
    bytes: usize,
    waiting: Vec<Waiting>,
    /// Those who wait for what they handed over.
    durable: Vec<oneshot::Sender<()>>,
}

enum Arrived {
    Batch(Batch),
    Order(Order),
    /// Collecting has ended.
    Drained,
    SignatureDue,
    /// Nobody will send anything any more.
    Ended,
}

/// Takes events until all who send have ended; then says so and signs.
pub(super) fn run(mut stage: Stage, mut input: Input, runtime: &Handle) -> Result<Added, PipelineError> {
    let mut group = Group::default();
    if stage.opening.is_due() {
        stage.encode(Vec::new(), &mut group)?;
    }
    let mut sign_at = None;
    loop {
        if !group.is_empty() {
            stage.write(std::mem::take(&mut group), runtime)?;
            sign_at.get_or_insert_with(|| Instant::now() + SIGN_AFTER);
        }
        match runtime.block_on(input.next(sign_at, stage.is_drained())) {
            Arrived::Batch(batch) => stage.take(batch, &mut group)?,
            Arrived::Order(order) => stage.obey(order, &mut group)?,
            Arrived::Drained => {
                // What fails to be carried away can still be told before the run ends.
                if stage.signed.receiver_count() > 0 {
                    stage.sign(runtime)?;
                    sign_at = None;
                }
                stage.reached.send_modify(|reached| reached.drained = true);
            }
            Arrived::SignatureDue => {
                sign_at = match stage.sign(runtime)? {
                    true => None,
                    false => Some(Instant::now() + SIGNER_RETRY),
                };
            }
            Arrived::Ended => break,
        }
        while group.bytes < GROUP_BYTES {
            if let Ok(batch) = input.batches.try_recv() {
                stage.take(batch, &mut group)?;
            } else if let Ok(order) = input.orders.try_recv() {
                stage.obey(order, &mut group)?;
            } else {
                break;
            }
        }
    }
    stage.end(runtime)
}

impl Input {
    /// What was collected goes first, so that `Drained` means all of it.
    async fn next(&mut self, sign_at: Option<Instant>, drained: bool) -> Arrived {
        tokio::select! {
            biased;
            () = sleep_until(sign_at.unwrap_or_else(Instant::now)), if sign_at.is_some() => Arrived::SignatureDue,
            batch = self.batches.recv(), if !drained => batch.map_or(Arrived::Drained, Arrived::Batch),
            order = order(&mut self.orders, drained) => order,
        }
    }
}

/// Once all was collected, the end of the orders is the end: nobody waits for who cannot sign.
async fn order(orders: &mut Receiver<Order>, drained: bool) -> Arrived {
    match orders.recv().await {
        Some(order) => Arrived::Order(order),
        None if drained => Arrived::Ended,
        None => pending().await,
    }
}

impl Group {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.waiting.is_empty() && self.durable.is_empty()
    }
}

impl Stage {
    fn is_drained(&self) -> bool {
        self.reached.borrow().drained
    }

    fn is_full(&self) -> bool {
        self.reached.borrow().is_full
    }

    /// Leaves out what the trail holds, where that may be so.
    fn take(&mut self, batch: Batch, group: &mut Group) -> Result<(), PipelineError> {
        group.durable.extend(batch.durable);
        let mut events = batch.events;
        if batch.replay {
            let before = events.len();
            // Own events without an id are new by nature.
            let ids: Vec<EventId> = events.iter().map(|event| event.id).collect();
            let mut known = lock(&self.seen).contains(&ids)?.into_iter();
            let mut in_group = group.lines.iter().map(Line::id).collect::<HashSet<_>>();
            events.retain(|event| {
                let is_known = known.next().unwrap_or(false);
                event.id == EventId::PENDING || (!is_known && in_group.insert(event.id))
            });
            self.added.known += (before - events.len()) as u64;
        }
        self.encode(events, group)
    }

    fn obey(&mut self, order: Order, group: &mut Group) -> Result<(), PipelineError> {
        if let Some((events, waiting)) = order.begin(&mut self.trail) {
            self.encode(events, group)?;
            group.waiting.push(waiting);
        }
        Ok(())
    }

    /// Events to lines; what opens this run goes before its first one.
    fn encode(&mut self, events: Vec<Event>, group: &mut Group) -> Result<(), PipelineError> {
        let is_due = !events.is_empty() || self.opening.is_due();
        let opening = if is_due { self.opening.take() } else { Vec::new() };
        let mut events: Vec<Event> = opening.into_iter().chain(events).collect();
        for (event, seq) in events.iter_mut().zip(self.trail.next_seq() + group.lines.len() as u64..) {
            match event.source.kind {
                Family::Whodid => self.added.own += 1,
                _ => self.added.records += 1,
            }
            if event.id == EventId::PENDING {
                event.id = EventId::of_own(self.trail.origin(), seq);
            }
            self.positions.fold(event);
            self.alerts.fold(event);
            self.anchors.fold(event);
        }
        let lines = encode::lines(events)?;
        group.bytes += lines.iter().map(Line::stored_bytes).sum::<usize>();
        group.lines.extend(lines);
        Ok(())
    }

    /// Makes a group durable, says so, and begins a new segment where one is due.
    fn write(&mut self, group: Group, runtime: &Handle) -> Result<(), PipelineError> {
        self.store(group, runtime, Writer::commit)?;
        // A segment is signed to its end: without a signature it goes on.
        match (self.trail.wants_new_segment() || self.is_day_over()) && !self.reached.borrow().is_unsigned {
            true => self.roll(runtime),
            false => Ok(()),
        }
    }

    fn store(
        &mut self,
        group: Group,
        runtime: &Handle,
        commit: fn(&mut Writer) -> Result<u64, TrailError>,
    ) -> Result<(), PipelineError> {
        let ids: Vec<EventId> = group.lines.iter().map(Line::id).collect();
        self.trail.append(group.lines)?;
        self.patiently(runtime, commit)?;
        lock(&self.seen).insert(&ids, self.trail.acknowledged())?;
        self.reached.send_modify(|reached| reached.acknowledged = self.trail.acknowledged());
        for waiting in group.waiting {
            waiting.end(&mut self.trail);
        }
        for waiting in group.durable {
            // Whoever waited may have gone.
            waiting.send(()).unwrap_or_default();
        }
        Ok(())
    }

    fn is_day_over(&self) -> bool {
        self.clock.now().day() > self.day && self.trail.segment_bytes() >= DAY_BYTES_MIN
    }

    /// A segment begins with everything that a start must know, and is there with all of it or not at all.
    fn roll(&mut self, runtime: &Handle) -> Result<(), PipelineError> {
        let ended = self.patiently(runtime, Writer::end_segment);
        if !self.is_signed(ended)? {
            return Ok(());
        }
        let now = self.clock.now();
        let mut events = self.positions.position_events(now);
        events.extend(self.opening.in_force(now));
        events.extend(self.alerts.restated(now));
        events.extend(self.anchors.restated(now));
        let mut group = Group::default();
        self.encode(events, &mut group)?;
        self.store(group, runtime, Writer::begin_segment)?;
        self.day = now.day();
        self.reached.send_modify(|reached| reached.segments += 1);
        Ok(())
    }

    /// False if who signs is away.
    fn sign(&mut self, runtime: &Handle) -> Result<bool, PipelineError> {
        let signed = self.patiently(runtime, Writer::sign);
        self.is_signed(signed)
    }

    /// That nobody can sign for now is said, and stops nothing.
    fn is_signed<T>(&mut self, signed: Result<T, PipelineError>) -> Result<bool, PipelineError> {
        let was_unsigned = self.reached.borrow().is_unsigned;
        let is_unsigned = match signed {
            Ok(_) => false,
            Err(PipelineError::Trail(error @ TrailError::Signer(_))) => {
                if !was_unsigned {
                    warn!(%error, "The trail cannot be signed.");
                }
                true
            }
            Err(error) => return Err(error),
        };
        if was_unsigned && !is_unsigned {
            info!("The trail is signed again.");
        }
        self.reached.send_modify(|reached| reached.is_unsigned = is_unsigned);
        Ok(!is_unsigned)
    }

    /// Waits while the disk is full: what was taken in stays where it is, and the collectors wait too.
    fn patiently<T>(
        &mut self,
        runtime: &Handle,
        mut work: impl FnMut(&mut Writer) -> Result<T, TrailError>,
    ) -> Result<T, PipelineError> {
        loop {
            match work(&mut self.trail) {
                Err(error @ TrailError::Full { .. }) if !*self.shutdown.borrow() => {
                    if !self.is_full() {
                        warn!(%error, "The disk is full.");
                        self.reached.send_modify(|reached| reached.is_full = true);
                    }
                    // Made where it is awaited: a timer needs the runtime around it.
                    runtime.block_on(async { sleep(FULL_RETRY).await });
                }
                done => {
                    if done.is_ok() && self.is_full() {
                        info!("There is room again.");
                        self.reached.send_modify(|reached| reached.is_full = false);
                    }
                    let signed = self.trail.signed();
                    self.signed.send_if_modified(|before| std::mem::replace(before, signed) != signed);
                    return Ok(done?);
                }
            }
        }
    }

    /// The last event of a run that added anything, and the signature over all of it.
    fn end(mut self, runtime: &Handle) -> Result<Added, PipelineError> {
        if let Some(stopped) = self.opening.closing(self.added, self.clock.now()) {
            let mut group = Group::default();
            self.encode(vec![stopped], &mut group)?;
            self.write(group, runtime)?;
        }
        let ended = self.patiently(runtime, Writer::end);
        if !self.is_signed(ended)? {
            self.added.unsigned = self.trail.acknowledged() - self.trail.signed();
        }
        if let Err(error) = lock(&self.seen).flush() {
            warn!(%error, "The set of seen ids could not be written; the next start makes it anew.");
        }
        Ok(self.added)
    }
}

pub(super) fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
