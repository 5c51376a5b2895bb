//! Follows what is acknowledged, and has written what follows from it and no record says by itself.
//!
//! A start reads the trail from its beginning, conclusions included, and then says only what is not there yet:
//! so a kill at any instant leaves the conclusions as they would have been without it, and a run with nothing
//! new writes nothing. Nobody waits for it but the end of a pass, so that alerts see what was concluded.

use std::sync::Arc;
use std::time::Duration;

use memchr::memmem::{Finder, find};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{error, warn};

use crate::clock::Clock;
use crate::event::link::Link;
use crate::event::{Event, Stamp};
use crate::link::cloud::Keys;
use crate::link::{Bounds, Held, Joiner};
use crate::trail::{Reader, TrailError};

use super::order::Order;
use super::writer::Reached;

/// One kind of conclusions. Its events are a function of what it took, its own events among it.
pub(super) trait Concluder: Send {
    /// What a line has in it that it may want; others are not even parsed. What is in a record counts as well as what
    /// was read out of it, so a line of CloudTrail's that does not hold its record is wanted by all.
    fn wanted(&self) -> &'static [&'static str];

    /// Takes the entry at a place of the trail, with its record however long that is.
    fn take(&mut self, seq: u64, event: &Event);

    /// Events to be written now. They are taken for written.
    fn settle(&mut self, now: Stamp, history: History) -> Vec<Event>;

    /// All that was collected is taken, and no more comes.
    fn all_is_collected(&mut self) {}

    /// What it holds, and what it had to let go; for whoever joins.
    fn held(&self) -> Option<Held> {
        None
    }
}

/// Whether everything that was ever written was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum History {
    Whole,
    /// What came before the first entry that is kept is not known.
    Partial,
}

/// Who was behind what.
pub(super) fn links() -> Box<dyn Concluder> {
    Box::new(Joiner::new(Bounds::default()))
}

impl Concluder for Joiner {
    fn wanted(&self) -> &'static [&'static str] {
        &[
            "\"kind\":\"auth\"",
            "\"kind\":\"journal\"",
            "\"kind\":\"wtmp",
            "\"kind\":\"exec\"",
            "\"kind\":\"ansible\"",
            "\"action\":\"link\"",
        ]
    }

    fn take(&mut self, seq: u64, event: &Event) {
        Self::take(self, seq, event);
    }

    fn settle(&mut self, _: Stamp, history: History) -> Vec<Event> {
        let links = match history {
            History::Whole => Self::settle(self),
            History::Partial => self.settle_without_history(),
        };
        links.iter().map(Link::to_event).collect()
    }

    fn held(&self) -> Option<Held> {
        Some(Self::held(self))
    }
}

/// Who is behind the keys that AWS gives.
pub(super) fn keys() -> Box<dyn Concluder> {
    Box::new(Keys::new(crate::link::cloud::Bounds::default()))
}

impl Concluder for Keys {
    /// What gives a key, is in two accounts, or names a user by an id: of a million ordinary calls few. An event's
    /// own fields have plain quotes; those of the record have a backslash before each.
    fn wanted(&self) -> &'static [&'static str] {
        &[
            "\"action\":\"AssumeRo",
            "\"action\":\"GetSessionToken\"",
            "\"action\":\"GetFederationToken\"",
            "\"action\":\"GetRoleCredentials\"",
            "\"action\":\"CreateToken",
            "\\\"sharedEventID\\\"",
            "\\\"onBehalfOf\\\"",
            "\"action\":\"link\"",
        ]
    }

    fn take(&mut self, seq: u64, event: &Event) {
        Self::take(self, seq, event);
    }

    fn settle(&mut self, _: Stamp, history: History) -> Vec<Event> {
        let links = match history {
            History::Whole => Self::settle(self),
            History::Partial => self.settle_without_history(),
        };
        links.iter().map(Link::to_event).collect()
    }

    fn held(&self) -> Option<Held> {
        Some(Held { facts: Self::held(self), forgotten: self.forgotten(), ..Held::default() })
    }
}

/// Records of one login come within a second or two, and what follows is concluded once.
const PAUSE: Duration = Duration::from_secs(1);

/// What is missing shows by the time alone.
const QUIET: Duration = Duration::from_secs(60);

/// Events of one order: the writer takes in records between two.
const EVENTS: usize = 256;

/// Between two looks at whether it is time to stop.
const LINES: u64 = 4_096;

/// How much is still read when it is time to stop. The next start reads more.
const LAST_LINES: u64 = 200_000;

/// How far conclusions are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Concluded {
    pub(super) complete_to: u64,
    pub(super) held: Held,
    /// All that was collected is looked through, or never will be in this run.
    pub(super) is_done: bool,
}

pub(super) struct Concluding {
    pub(super) concluders: Vec<Box<dyn Concluder>>,
    pub(super) clock: Clock,
    pub(super) trail: Arc<Reader>,
    /// Kept until the last event is written: the writer waits for it.
    pub(super) orders: Sender<Order>,
    pub(super) reached: watch::Receiver<Reached>,
    pub(super) concluded: watch::Sender<Concluded>,
    pub(super) shutdown: watch::Receiver<bool>,
}

struct Follower {
    with: Concluding,
    next: u64,
    history: History,
    /// For each concluder, what it wants.
    wanted: Vec<Vec<Finder<'static>>>,
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

/// Concludes until all is collected and looked through, or it is time to stop.
pub(super) fn run(with: Concluding, runtime: &Handle) {
    let concluded = with.concluded.clone();
    let wanted = with.concluders.iter().map(|one| one.wanted().iter().map(Finder::new).collect()).collect();
    let mut follower = Follower { with, next: 0, history: History::Whole, wanted };
    if let Err(Stop::Trail(error)) = follower.follow(runtime) {
        error!(%error, "Nothing is concluded any more (links, exposures, digests); the trail goes on without it.");
    }
    let Held { late, forgotten, .. } = follower.held();
    if late > 0 || forgotten > 0 {
        warn!(late, forgotten, "Not all could be linked: records came too late, or too many sessions were open.");
    }
    concluded.send_modify(|concluded| concluded.is_done = true);
}

impl Follower {
    fn follow(&mut self, runtime: &Handle) -> Result<(), Stop> {
        self.next = self.with.trail.first()?;
        if self.next > 0 {
            self.history = History::Partial;
        }
        loop {
            let reached = *self.with.reached.borrow_and_update();
            self.take_in(reached.acknowledged)?;
            if reached.drained {
                self.with.concluders.iter_mut().for_each(|one| one.all_is_collected());
            }
            let (now, history) = (self.with.clock.now(), std::mem::replace(&mut self.history, History::Whole));
            let events: Vec<_> = self.with.concluders.iter_mut().flat_map(|one| one.settle(now, history)).collect();
            let is_news = !events.is_empty();
            self.write(events, runtime)?;
            let held = self.held();
            self.with.concluded.send_modify(|concluded| (concluded.complete_to, concluded.held) = (self.next, held));
            match (is_news, reached.drained) {
                // What was just written is read before anything is concluded again.
                (true, _) => {}
                (false, true) => return Ok(()),
                (false, false) => runtime.block_on(self.rest())?,
            }
        }
    }

    fn held(&self) -> Held {
        let all = self.with.concluders.iter().filter_map(|one| one.held());
        all.fold(Held::default(), |all, one| Held {
            hosts: all.hosts + one.hosts,
            facts: all.facts + one.facts,
            logins: all.logins + one.logins,
            late: all.late + one.late,
            forgotten: all.forgotten + one.forgotten,
        })
    }

    fn take_in(&mut self, upto: u64) -> Result<(), Stop> {
        // What was pruned meanwhile was taken in before, or is gone for good.
        self.next = self.next.max(self.with.trail.first()?.min(upto));
        if self.next >= upto {
            return Ok(());
        }
        let trail = Arc::clone(&self.with.trail);
        let mut lines = trail.lines(self.next)?;
        while let Some((seq, line)) = lines.next()? {
            if seq >= upto {
                break;
            }
            if seq % LINES == 0 && *self.with.shutdown.borrow() && upto - seq > LAST_LINES {
                return Err(Stop::Ending);
            }
            self.next = seq + 1;
            self.hand_to_those_who_want_it(seq, line);
        }
        Ok(())
    }

    fn hand_to_those_who_want_it(&mut self, seq: u64, line: &[u8]) {
        let is_long = find(line, LONG).is_some();
        let is_veiled = is_long && find(line, b"\"kind\":\"cloudtrail\"").is_some();
        let mut event = None;
        for (one, wanted) in self.with.concluders.iter_mut().zip(&self.wanted) {
            if !is_veiled && !wanted.iter().any(|wanted| wanted.find(line).is_some()) {
                continue;
            }
            let read = || match is_long {
                // Whoever fills a record up must not hide what it says, and a digest of a busy hour is long anyway.
                true => self.with.trail.event(seq).map_err(|error| {
                    error!(%error, seq, "A record cannot be read back from the trail; nothing is concluded from it.");
                }),
                // A line that is no event is not the business of whoever concludes.
                false => Event::decode(line).map_err(drop),
            };
            match event.get_or_insert_with(read) {
                Ok(event) => one.take(seq, event),
                Err(()) => return,
            }
        }
    }

    /// Has events written; returns when they are durable.
    fn write(&self, mut events: Vec<Event>, runtime: &Handle) -> Result<(), Stop> {
        while !events.is_empty() {
            let rest = events.split_off(events.len().min(EVENTS));
            let (order, durable) = Order::of(std::mem::replace(&mut events, rest));
            let is_durable = runtime
                .block_on(async { self.with.orders.send(order).await.is_ok() && matches!(durable.await, Ok(Ok(_))) });
            if !is_durable {
                return Err(Stop::Ending);
            }
        }
        Ok(())
    }

    /// Waits for more and a moment longer, or for a while: the end of collecting ends the wait.
    async fn rest(&mut self) -> Result<(), Stop> {
        let reached = &mut self.with.reached;
        tokio::select! {
            changed = reached.changed() => changed.map_err(|_| Stop::Ending)?,
            () = sleep(QUIET) => return Ok(()),
        }
        let rested = sleep_until(Instant::now() + PAUSE);
        tokio::select! {
            () = rested => Ok(()),
            drained = reached.wait_for(|reached| reached.drained) => drained.map(drop).map_err(|_| Stop::Ending),
        }
    }
}

/// What the line of a record has in it that is too long for a line: the record itself is not in it.
const LONG: &[u8] = b"\"raw_blob\":";
