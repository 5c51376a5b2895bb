//! The way out of a collector: events in batches of bounded size, in order.

use std::sync::Arc;

use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;

use super::notice::Notice;
use super::positions::{StreamId, standing_event};
use super::progress::Progress;
use super::registry::Registry;
use super::{Batch, Failure, Mode, Read, Summary};
use crate::clock::Clock;
use crate::event::{Event, EventId, escape};

/// The receiver is gone: the program is stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nobody takes events any more")]
pub(super) struct Closed;

/// More would only wait: the writer commits after 1 MiB, and a batch is held several times in memory.
const BATCH_EVENTS: usize = 2_000;
const BATCH_RAW_BYTES: usize = 1 << 20;

/// Lines of a summary for one source; beyond, they are added up in one.
const SUMMARY_LINES_MAX: usize = 10_000;

pub(super) struct Outlet {
    source: String,
    tx: Sender<Batch>,
    pub(super) registry: Arc<Registry>,
    pub(super) progress: Arc<Progress>,
    pub(super) clock: Clock,
    mode: Mode,
    /// Where word is left of digests that were read, if anybody asks for their keys.
    #[cfg(feature = "aws")]
    pub(super) wants: Option<super::api::Wants>,
    waiting: Vec<Event>,
    raw_bytes: usize,
    replay: bool,
    summary: Summary,
}

/// What the outlets of all sources share.
pub(super) struct Shared {
    pub(super) registry: Arc<Registry>,
    pub(super) progress: Arc<Progress>,
    pub(super) clock: Clock,
    pub(super) mode: Mode,
}

/// What one push did with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    Sent,
    /// The trail holds it.
    Known,
}

impl Outlet {
    pub(super) fn new(source: &str, tx: Sender<Batch>, shared: Shared) -> Self {
        let Shared { registry, progress, clock, mode } = shared;
        let summary = Summary { source: source.to_owned(), ..Summary::default() };
        let source = source.to_owned();
        Self {
            source,
            tx,
            registry,
            progress,
            clock,
            mode,
            #[cfg(feature = "aws")]
            wants: None,
            waiting: Vec::new(),
            raw_bytes: 0,
            replay: false,
            summary,
        }
    }

    /// Another way out of the same source, for a thread beside this one.
    pub(super) fn beside(&self) -> Self {
        let Self { source, tx, registry, progress, clock, mode, .. } = self;
        let shared =
            Shared { registry: Arc::clone(registry), progress: Arc::clone(progress), clock: *clock, mode: *mode };
        Self {
            #[cfg(feature = "aws")]
            wants: self.wants.clone(),
            ..Self::new(source, tx.clone(), shared)
        }
    }

    /// Leaves word that a digest was read, whose key may not be known yet.
    pub(super) fn read_digest(&self, origin: &str, content: &[u8]) {
        #[cfg(feature = "aws")]
        if let Some(wants) = &self.wants {
            wants.digest(origin, content, self.clock.now());
        }
        #[cfg(not(feature = "aws"))]
        let (_, _) = (origin, content);
    }

    /// Takes over what another one of the same source read, and what it could not.
    pub(super) fn absorb(&mut self, summary: Summary) {
        for Read { origin, bytes, events, known, note } in summary.read {
            self.note_read(&origin, bytes, events, known, note.as_deref());
        }
        let room = SUMMARY_LINES_MAX.saturating_sub(self.summary.failures.len());
        self.summary.failures.extend(summary.failures.into_iter().take(room));
    }

    /// Hands on an event. `replay`: the trail may hold it already.
    pub(super) fn push(&mut self, event: Event, replay: bool) -> Result<Pushed, Closed> {
        if replay && self.registry.knows(&event.id) {
            self.registry.recall(&event);
            return Ok(Pushed::Known);
        }
        let full = self.waiting.len() >= BATCH_EVENTS || self.raw_bytes >= BATCH_RAW_BYTES;
        match self.waiting.last_mut() {
            // A record is covered only by the last of its events: a crash may fall between them.
            Some(last) if same_record(last, &event) => last.source.next = last.source.next.min(event.source.pos),
            _ if full => self.flush()?,
            _ => {}
        }
        self.raw_bytes += event.raw.as_ref().map_or(0, String::len) + event.raw_base64.as_ref().map_or(0, String::len);
        self.replay |= replay;
        self.waiting.push(event);
        Ok(Pushed::Sent)
    }

    /// Hands on what a collector itself has to say.
    pub(super) fn say(&mut self, notice: Notice) -> Result<(), Closed> {
        let event = notice.event(self.clock.now());
        self.push(event, false).map(|_| ())
    }

    /// Remembers which file stands at a path and which stream is read from it, if that is new.
    pub(super) fn stand(&mut self, origin: &str, file: &str, stream: StreamId) -> Result<(), Closed> {
        let is_known = self.registry.positions(|positions| {
            let at = positions.standing(&self.source, origin);
            at.is_some_and(|at| at.file == file && at.stream == stream && !at.ended)
        });
        if is_known {
            return Ok(());
        }
        let event = standing_event(&self.source, origin, file, stream, self.clock.now());
        self.push(event, false).map(|_| ())
    }

    /// The same, unless the trail holds the same words about the same bytes.
    pub(super) fn say_once(&mut self, notice: Notice, key: &[&[u8]]) -> Result<(), Closed> {
        let event = notice.event_once(self.clock.now(), key);
        self.push(event, true).map(|_| ())
    }

    /// Reports a failure, once for as long as it lasts, also over restarts. A file named by hand is no
    /// source that could fail: whoever named it reads the summary.
    pub(super) fn failed(&mut self, origin: &str, problem: &str) -> Result<(), Closed> {
        if !self.summary.failures.iter().any(|failure| failure.origin == origin)
            && self.summary.failures.len() < SUMMARY_LINES_MAX
        {
            self.summary.failures.push(Failure { origin: origin.to_owned(), problem: problem.to_owned() });
        }
        if self.mode == Mode::Ingest {
            return Ok(());
        }
        self.progress.failing(&self.source, origin, problem);
        let reported = self.registry.positions(|p| p.failure(&self.source, origin).map(str::to_owned));
        if reported.as_deref() == Some(problem) {
            return Ok(());
        }
        let (origin_shown, problem_shown) = (escape::line(origin), escape::line(problem));
        tracing::warn!(source = %self.source, origin = %origin_shown, problem = %problem_shown, "Source cannot be read.");
        self.say(Notice::failed(&self.source, origin, problem))?;
        self.flush()
    }

    /// Ends a failure that was reported.
    pub(super) fn works(&mut self, origin: &str) -> Result<(), Closed> {
        self.progress.back(&self.source, origin);
        if self.mode == Mode::Ingest || self.registry.positions(|p| p.failure(&self.source, origin).is_none()) {
            return Ok(());
        }
        tracing::info!(source = %self.source, origin = %escape::line(origin), "Source can be read again.");
        self.say(Notice::back(&self.source, origin))?;
        self.flush()
    }

    /// For the summary: so much was read there.
    pub(super) fn note_read(&mut self, origin: &str, bytes: u64, events: u64, known: u64, note: Option<&str>) {
        let read = &mut self.summary.read;
        let last = read.len() >= SUMMARY_LINES_MAX;
        let origin = if last { "(further ones)" } else { origin };
        match read.iter_mut().rev().take(64).find(|line| line.origin == origin) {
            Some(line) => {
                line.bytes += bytes;
                line.events += events;
                line.known += known;
                if let Some(note) = note {
                    line.note = Some(note.to_owned());
                }
            }
            None => {
                let note = note.map(str::to_owned);
                read.push(Read { origin: origin.to_owned(), bytes, events, known, note });
            }
        }
    }

    /// Sends what is waiting.
    pub(super) fn flush(&mut self) -> Result<(), Closed> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let events = std::mem::take(&mut self.waiting);
        self.registry.send(&events);
        self.progress.sent(&self.source, events.iter().filter(|e| e.id != EventId::PENDING).count() as u64);
        let replay = std::mem::take(&mut self.replay);
        self.raw_bytes = 0;
        self.send(Batch { source: self.source.clone(), events, replay, durable: Vec::new() })
    }

    /// Hands on events that the trail may hold already, for somebody who waits until it does.
    pub(super) fn hand_over(&mut self, events: Vec<Event>, durable: Vec<oneshot::Sender<()>>) -> Result<(), Closed> {
        self.flush()?;
        self.progress.sent(&self.source, events.len() as u64);
        self.send(Batch { source: self.source.clone(), events, replay: true, durable })
    }

    fn send(&self, batch: Batch) -> Result<(), Closed> {
        self.tx.blocking_send(batch).map_err(|_| Closed)
    }

    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// The end: what is waiting goes out, and the summary comes back.
    pub(super) fn finish(mut self) -> Summary {
        // A closed channel means that the program is stopping: the summary is all that is left to give.
        if self.flush().is_err() {
            tracing::debug!(source = %self.source, "Stopped before everything was handed on.");
        }
        self.summary
    }
}

fn same_record(a: &Event, b: &Event) -> bool {
    let (a, b) = (&a.source, &b.source);
    a.lineage.is_some() && (a.lineage, a.generation, a.pos) == (b.lineage, b.generation, b.pos)
}
