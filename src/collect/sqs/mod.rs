//! CloudTrail objects as the messages of a queue name them.
//!
//! ```text
//! receive ─► envelope ─► fetch, decode ─► outlet ─► writer: durable ─┐
//!    └─────► keeper: kept from others while that takes ──────────────┴─► deleted
//! ```
//!
//! A message is deleted only when the events of all its objects are durable; until then the keeper extends the
//! time that it is nobody else's. So no kill loses an object, and what is received twice stores nothing twice,
//! because every record has an id of its own.
//!
//! A message that leads nowhere is not lost either: what cannot be understood, names another bucket or an object
//! that is gone or stays unreadable is stored as `source.set_aside` with its whole body before it is deleted. What
//! is denied or throttled says nothing about the message: it goes back, and the source is failing.

mod envelope;
mod keeper;
mod look;
#[cfg(test)]
mod moto;
mod objects;
mod queue;
mod unread;
mod work;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::Mode;
use super::api::is_of_api;
use super::outlet::{Closed, Outlet};
use super::positions::Positions;
use super::setting::Setting;
use super::wire::{self, Wire};
use crate::aws;
use crate::config::source::Queue as Configured;
use keeper::Keeper;
pub use look::look;
use objects::Objects;
use queue::{Queue, QueueError, Received, TOGETHER};
use unread::Unread;

/// How long what takes.
#[derive(Debug, Clone, Copy)]
struct Pace {
    /// A message that is worked on is kept from others for so long at a time. A kill delays its messages by no more.
    visibility: Duration,
    /// The longest that SQS waits for a message: fewer requests, and none that misses one.
    poll: Duration,
    /// Of a run that ends when nothing is there.
    poll_once: Duration,
    /// A message whose object cannot be read comes back after about so long at first.
    away: Duration,
    /// Before a queue or a bucket that fails is asked again.
    backoff: Duration,
}

const PACE: Pace = Pace {
    visibility: Duration::from_secs(120),
    poll: Duration::from_secs(20),
    poll_once: Duration::from_secs(2),
    away: Duration::from_secs(30),
    backoff: Duration::from_secs(1),
};
const AWAY_MAX: Duration = Duration::from_secs(15 * 60);
const BACKOFF_MAX: Duration = Duration::from_secs(5 * 60);

/// A run ends when so many polls in a row came back empty.
const EMPTY_POLLS: u32 = 2;
/// And it tries so often.
const TRIES: u32 = 5;

/// The end waits so long for messages that are being received: nobody else would get them for a while.
const RECEIVED_WITHIN: Duration = Duration::from_millis(500);

/// Messages whose events are on their way to the disk; more are not received.
const WAITING_MAX: usize = 100;
/// Messages that a run which ends cannot read, and keeps until it does.
const PARKED_MAX: usize = 1_000;

/// Why work stopped before its end.
type Halt = wire::Halt<Refused>;

/// Nothing can be read for now.
#[derive(Debug)]
struct Refused {
    origin: String,
    problem: String,
    is_passing: bool,
}

/// Reads what the queue names until it is empty, or until it is time to stop.
pub(super) fn read(
    setting: &Setting,
    configured: &Configured,
    mode: Mode,
    wire: Wire,
    outlet: &mut Outlet,
) -> Result<(), Closed> {
    let opened = wire.until_told(async {
        let queue = Queue::open(configured, PACE.visibility).await.map_err(|error| error.to_string())?;
        let objects = Objects::open(configured).await.map_err(|error| error.to_string())?;
        Ok::<_, String>((queue, objects))
    });
    match opened {
        Ok(Ok((queue, objects))) => Sqs::new(setting, configured, mode, wire, (queue, objects), PACE).run(outlet),
        Ok(Err(problem)) => outlet.failed(&configured.url, &problem),
        Err(_) => Ok(()),
    }
}

impl Pace {
    /// Longer each time, and not all at once.
    fn away(self, receives: u64) -> Duration {
        let tries = u32::try_from(receives.saturating_sub(1)).unwrap_or(u32::MAX);
        self.away / 2 + aws::full_jitter(self.away / 2, tries, AWAY_MAX)
    }
}

struct Sqs<'a> {
    setting: &'a Setting,
    configured: &'a Configured,
    mode: Mode,
    pace: Pace,
    wire: Wire,
    queue: Queue,
    objects: Objects,
    keeper: Keeper,
    unread: Unread,
    /// What was passed over, and how often.
    passed: BTreeMap<&'static str, u64>,
    /// Messages that are received while others are worked on.
    next: Option<JoinHandle<Result<Vec<Received>, QueueError>>>,
}

impl<'a> Sqs<'a> {
    fn new(
        setting: &'a Setting,
        configured: &'a Configured,
        mode: Mode,
        wire: Wire,
        (queue, objects): (Queue, Objects),
        pace: Pace,
    ) -> Self {
        let keeper = Keeper::start(queue.clone(), &wire.runtime, wire.shutdown.clone());
        let (unread, passed) = (Unread::default(), BTreeMap::new());
        Self { setting, configured, mode, pace, wire, queue, objects, keeper, unread, passed, next: None }
    }

    fn run(mut self, outlet: &mut Outlet) -> Result<(), Closed> {
        let ended = match self.rounds(outlet) {
            Err(Halt::Closed(closed)) => Err(closed),
            _ => outlet.flush(),
        };
        if let Some(mut next) = self.next.take() {
            // What has been received meanwhile is held by the keeper, and goes back at once.
            let received = async { tokio::time::timeout(RECEIVED_WITHIN, &mut next).await.is_ok() };
            if !self.wire.see_through(received) {
                next.abort();
            }
        }
        let Self { wire, keeper, .. } = self;
        wire.see_through(keeper.end());
        ended
    }

    fn rounds(&mut self, outlet: &mut Outlet) -> Result<(), Halt> {
        let (mut failures, mut empty) = (0, 0);
        loop {
            let is_once = self.mode != Mode::Follow;
            match self.round(outlet) {
                Ok(received) => {
                    failures = 0;
                    empty = if received == 0 { empty + 1 } else { 0 };
                    self.is_well(received, outlet)?;
                    if is_once && (empty == EMPTY_POLLS || self.unread.len() > PARKED_MAX) {
                        return Ok(());
                    }
                }
                Err(Halt::Failed(Refused { origin, problem, is_passing })) => {
                    failures += 1;
                    outlet.failed(&origin, &problem)?;
                    if is_once && (!is_passing || failures == TRIES) {
                        return Ok(());
                    }
                    let pause = aws::full_jitter(self.pace.backoff, failures, BACKOFF_MAX);
                    self.wire.pause(pause)?;
                }
                Err(halt) => return Err(halt),
            }
        }
    }

    /// Ten messages at most, with all that they name. How many there were.
    fn round(&mut self, outlet: &mut Outlet) -> Result<usize, Halt> {
        let messages = self.receive()?;
        let received = messages.len();
        let mut durable = Vec::new();
        let ended = self.work(messages, &mut durable, outlet);
        if !durable.is_empty() {
            outlet.hand_over(Vec::new(), durable)?;
        }
        ended?;
        match self.keeper.standing.borrow().problem.clone() {
            Some(problem) => Err(self.failed(&problem)),
            None => Ok(received),
        }
    }

    /// The next messages; nobody else gets them while the keeper holds them.
    fn receive(&mut self) -> Result<Vec<Received>, Halt> {
        let mut standing = self.keeper.standing.clone();
        let room =
            self.wire.until_told(async move { standing.wait_for(|now| now.waiting < WAITING_MAX).await.is_ok() })?;
        if !room {
            return Err(Halt::Told);
        }
        let poll = if self.mode == Mode::Follow { self.pace.poll } else { self.pace.poll_once };
        if self.next.is_none() {
            self.next = Some(self.receiving(poll));
        }
        let Self { next, wire, .. } = self;
        let Some(coming) = next else { return Ok(Vec::new()) };
        let received = wire.until_told(coming)?.unwrap_or_else(|_| Ok(Vec::new()));
        self.next = None;
        let received = received.map_err(|error| self.failed(&error))?;
        // Where there were as many as SQS gives at once there are likely more.
        if received.len() == TOGETHER {
            self.next = Some(self.receiving(Duration::ZERO));
        }
        Ok(received)
    }

    fn receiving(&self, poll: Duration) -> JoinHandle<Result<Vec<Received>, QueueError>> {
        let (queue, holder) = (self.queue.clone(), self.keeper.holder());
        self.wire.runtime.spawn(async move {
            let messages = queue.receive(poll).await?;
            holder.hold(messages.iter().map(|message| message.ticket.clone()).collect()).await;
            Ok(messages)
        })
    }

    fn failed(&self, error: &QueueError) -> Halt {
        let origin = self.configured.url.clone();
        Halt::Failed(Refused { origin, problem: error.to_string(), is_passing: error.is_passing() })
    }

    /// The queue answers, and what it named was looked at.
    fn is_well(&mut self, received: usize, outlet: &mut Outlet) -> Result<(), Closed> {
        outlet.works(&self.configured.url)?;
        self.unread.tidy(outlet)?;
        self.forget_others(outlet)?;
        // Fewer than were asked for: no more were there.
        if received < TOGETHER {
            outlet.progress.drained(self.setting.name());
        }
        if !self.passed.is_empty() {
            let counts: Vec<_> = self.passed.iter().map(|(what, count)| format!("{count} {what}")).collect();
            outlet.note_read(&self.configured.url, 0, 0, 0, Some(&format!("passed over: {}", counts.join(", "))));
        }
        Ok(())
    }

    /// Failures of queues and buckets that this source no longer reads are over.
    fn forget_others(&self, outlet: &mut Outlet) -> Result<(), Closed> {
        let Configured { url, buckets, .. } = self.configured;
        let is_ours = |origin: &str| {
            let bucket = origin.strip_prefix("s3://");
            origin == url || is_of_api(origin) || bucket.is_some_and(|bucket| buckets.iter().any(|ours| ours == bucket))
        };
        let failing = |positions: &Positions| {
            let all = positions.failures(outlet.source()).map(|(origin, _)| origin.to_owned());
            all.filter(|origin| !is_ours(origin)).collect::<Vec<_>>()
        };
        let others = outlet.registry.positions(failing);
        others.iter().try_for_each(|origin| outlet.works(origin))
    }
}
