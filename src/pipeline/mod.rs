//! The wiring: collect -> trail -> index -> alerts. The only place that spawns the data tasks.
//!
//! Four parts run side by side and share nothing but channels: the collectors (tasks and threads of
//! [`crate::collect`]), the writer ([`writer`], the only one that appends), the index ([`follow`], which
//! reads what is acknowledged) and the alerts ([`watch`], which ask the index and order own events from
//! the writer). When a later part fails the earlier ones go on; when the writer fails all stop. A fifth
//! ([`seal`]) compresses what the writer has left behind, and deletes what need not be kept ([`retention`]);
//! a sixth ([`anchoring`]) carries signed checkpoints away; a seventh ([`concluding`]) says what follows from several records.
//!
//! Order of shutdown: collecting ends and all it has read becomes durable; what follows is concluded; the alerts finish; the
//! last own event is written; the trail is signed; the last checkpoint is left at the anchors while the index catches up; the
//! status is written.

mod adopt;
mod anchoring;
mod concluding;
mod door;
mod encode;
mod exposing;
mod follow;
mod hold;
mod marks;
mod opening;
mod order;
mod proving;
mod retention;
mod rotate;
mod seal;
mod status;
pub mod views;
mod watch;
mod writer;

use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch as signal};
use tokio::task::{JoinError, JoinHandle};
use tracing::warn;

use crate::alert::Memory;
use crate::anchor::{self, Standings};
use crate::collect::{CHANNEL_BATCHES, Collector, Mode, Positions, Progress, Summary};
use crate::config::{Config, Source};
use crate::event::EventId;
use crate::index::IndexError;
use crate::sources;
use crate::trail::{self, BadLine, Identity, Reader, Seen, TrailError};

pub use adopt::adopt;
use anchoring::{Anchoring, With};
use concluding::{Concluded, Concluder, Concluding};
use door::{Attendant, Door};
use follow::{Follower, Indexed};
pub use hold::hold;
use opening::{InForce, Opening};
use proving::Proving;
use retention::Retention;
pub use rotate::rotate_key;
use seal::Sealing;
use status::Reporter;
pub use watch::Watched;
use watch::Watcher;
pub use writer::Added;
use writer::{Input, Reached, Stage};

/// What to do.
pub struct Plan {
    pub config: Config,
    /// Those of the configuration, or files named by hand.
    pub sources: Vec<Source>,
    pub mode: Mode,
    /// Shows how far reading is.
    pub progress: Arc<Progress>,
    /// Without views nothing is indexed and no alert is evaluated: the next run does both.
    pub views: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    pub read: Vec<Summary>,
    pub added: Added,
    /// Entries of the trail now.
    pub size: u64,
    pub watched: Watched,
    /// Whether the index has all of it.
    pub indexed: Result<(), IndexError>,
    /// What every anchor has.
    pub anchors: Standings,
}

/// Why the program stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    #[error(transparent)]
    Trail(#[from] TrailError),
    #[error("an event cannot be stored: {0}")]
    Line(#[from] BadLine),
    #[error("the system gives no more threads: {0}")]
    Thread(#[source] io::Error),
    #[error("the {0} ended unexpectedly; what was acknowledged is safe")]
    Died(&'static str),
}

/// How long the last messages of a stopping program may take: they are sent again after the next start.
const LAST_MESSAGES: Duration = Duration::from_secs(10);

/// Makes the trail and its keys ahead of the first run; says which they are.
pub fn init(config: &Config) -> Result<Identity, TrailError> {
    trail::init(opening::how(config, "whodid trail init"))
}

/// Collects, keeps, indexes and watches until there is nothing more to do or it is time to stop.
pub async fn run(plan: Plan, shutdown: signal::Receiver<bool>) -> Result<Report, PipelineError> {
    let Plan { config, mut sources, mode, progress, views } = plan;
    for source in &mut sources {
        // Records of one machine have one name for it, whichever log they come from.
        source.host.get_or_insert_with(|| config.host.clone());
    }
    let (trail, opened) = trail::Writer::open(opening::how(&config, opening::command(mode)))?;
    let reader = Arc::new(Reader::open(&config.data)?);
    let marks = marks::of(&config.keys, reader.origin())?;
    let (positions, in_force, alerts, mut anchors) = remembered(&reader)?;
    anchors.keep(&config.anchors);
    let seen = Arc::new(Mutex::new(Seen::open(&config.data, &reader)?));

    let (batch_tx, batches) = mpsc::channel(CHANNEL_BATCHES);
    let (order_tx, orders) = mpsc::channel(1);
    let (reached_tx, reached) = signal::channel(Reached::new(opened.size));
    let (indexed_tx, indexed) = signal::channel(Indexed::default());
    let (signed_tx, signed) = signal::channel(opened.signed);
    let (concluded_tx, concluded) = signal::channel(Concluded::default());
    let anchoring = Anchoring::start(With {
        config: &config,
        trail: &reader,
        memory: &anchors,
        orders: order_tx.clone(),
        signed,
        reached: reached.clone(),
        shutdown: shutdown.clone(),
        mode,
    });
    let sealing = Sealing {
        sealer: trail.sealer(),
        retention: Retention {
            pruner: trail.pruner(),
            keep: trail::Keep { days: config.keep.days, bytes: config.keep.bytes },
            trail: Arc::clone(&reader),
            seen: Arc::clone(&seen),
            orders: order_tx.downgrade(),
            first: Some(order_tx.clone()),
            clock: config.clock,
            reached: reached.clone(),
        },
        reached: reached.clone(),
        shutdown: shutdown.clone(),
    };
    let stage = Stage {
        day: reader.begun()?.unwrap_or_else(|| config.clock.now()).day(),
        trail,
        seen: Arc::clone(&seen),
        positions: positions.clone(),
        alerts: alerts.clone(),
        anchors,
        opening: Opening::new(&config, mode, &opened, &in_force),
        clock: config.clock,
        reached: reached_tx,
        signed: signed_tx,
        shutdown: shutdown.clone(),
        added: Added::default(),
    };
    let writer = spawn("write", move |runtime| writer::run(stage, Input { batches, orders }, runtime))?;
    let sealing = spawn("seal", move |runtime| seal::run(sealing, runtime))?;
    let follower =
        Follower { config: config.clone(), trail: Arc::clone(&reader), reached: reached.clone(), indexed: indexed_tx };
    let follower = if views { Some(spawn("index", move |runtime| follow::run(follower, runtime))?) } else { None };
    let is_linking = views && config.link;
    let mut concluders = concluders(is_linking);
    concluders.push(Box::new(Proving::new(&progress, &sources, mode)));
    let concluding = Concluding {
        concluders,
        clock: config.clock,
        trail: Arc::clone(&reader),
        orders: order_tx.clone(),
        reached: reached.clone(),
        concluded: concluded_tx,
        shutdown: shutdown.clone(),
    };
    // Unused, it goes at once: the writer waits for whoever may still order something.
    let concluding = match views {
        true => Some(spawn("conclude", move |runtime| concluding::run(concluding, runtime))?),
        false => {
            drop(concluding);
            None
        }
    };
    let reporter = Reporter::new(&config, &sources, mode, Arc::clone(&progress), anchoring.standings());
    let (end_reports, ended) = oneshot::channel();
    let reporting = tokio::spawn(reporter.keep_reporting(
        reached.clone(),
        indexed.clone(),
        is_linking.then(|| concluded.clone()),
        ended,
    ));

    let (stop, stopped) = signal::channel(false);
    tokio::spawn(stop_with(shutdown, reached.clone(), stop));
    match Door::open(&config.data) {
        Ok(door) => {
            let origin = reader.origin().to_owned();
            let attendant = Attendant { origin, clock: config.clock, orders: order_tx.downgrade() };
            tokio::spawn(door.attend(attendant, stopped.clone()));
        }
        // All but that works.
        Err(error) => warn!(%error, "There is no local socket: `whodid trail hold` will have to wait for the end."),
    }
    let collector = Collector {
        positions,
        seen: Arc::new(move |id| holds(&seen, id)),
        mode,
        clock: config.clock,
        decoder: sources::decoder,
        marks,
        tx: batch_tx,
        progress,
        shutdown: stopped,
    };
    let collecting = tokio::spawn(collector.run(sources));
    let watcher =
        Watcher { config, trail: reader, alerts, orders: order_tx, reached: reached.clone(), concluded, indexed };
    let (read, watched) = match (mode, views) {
        (Mode::Follow, true) => watch_while(collecting, watcher).await,
        (Mode::Once | Mode::Ingest, true) => (collecting.await, watcher.once().await),
        (_, false) => {
            drop(watcher);
            (collecting.await, Watched::default())
        }
    };
    // Nobody orders events any more, so the writer ends; then the index, which sees that it did.
    let added = join(writer, "writer").await?;
    join(sealing, "sealing").await?;
    if let Some(concluding) = concluding {
        join(concluding, "concluding").await?;
    }
    // An index may have to wait for others; what proves the trail does not wait for it.
    let anchors = anchoring.finish().await;
    let indexed = match follower {
        Some(follower) => join(follower, "index").await?,
        None => Ok(()),
    };
    drop(end_reports);
    join_task(reporting.await, "reporter")?;
    let size = reached.borrow().acknowledged;
    Ok(Report { read: join_task(read, "collector")?, added: added?, size, watched, indexed, anchors })
}

fn concluders(is_linking: bool) -> Vec<Box<dyn Concluder>> {
    let links = if is_linking { vec![concluding::links(), concluding::keys()] } else { Vec::new() };
    links.into_iter().chain([exposing::exposures()]).collect()
}

/// Collecting stops when it is time to, and when the writer has ended: a collector that has nothing to send
/// would never notice.
async fn stop_with(
    mut shutdown: signal::Receiver<bool>,
    mut reached: signal::Receiver<Reached>,
    stop: signal::Sender<bool>,
) {
    tokio::select! {
        _ = shutdown.wait_for(|is_time| *is_time) => {}
        () = follow::until_ended(&mut reached) => {}
    }
    stop.send_replace(true);
}

/// The alerts are watched as long as anything is collected; a message on its way is given a moment.
async fn watch_while(
    collecting: JoinHandle<Vec<Summary>>,
    watcher: Watcher,
) -> (Result<Vec<Summary>, JoinError>, Watched) {
    let (stop, stopped) = signal::channel(false);
    let mut watching = tokio::spawn(watcher.follow(stopped));
    let read = collecting.await;
    stop.send_replace(true);
    if tokio::time::timeout(LAST_MESSAGES, &mut watching).await.is_err() {
        watching.abort();
    }
    (read, Watched::default())
}

/// What the trail says that every start must know, from the beginning of its newest segment.
fn remembered(trail: &Reader) -> Result<(Positions, InForce, Memory, anchor::Memory), TrailError> {
    let (mut positions, mut in_force) = (Positions::new(), InForce::default());
    let (mut alerts, mut anchors) = (Memory::default(), anchor::Memory::default());
    let mut lines = trail.lines(trail.newest_segment()?)?;
    while let Some((_, line)) = lines.next()? {
        positions.fold_line(line);
        in_force.fold_line(line);
        alerts.fold_line(line);
        anchors.fold_line(line);
    }
    Ok((positions, in_force, alerts, anchors))
}

/// Whether an event is in the trail. Where that cannot be known it is taken for new: the writer asks again,
/// and stops at the same error before it could double anything.
fn holds(seen: &Mutex<Seen>, id: &EventId) -> bool {
    let answer = writer::lock(seen).contains(std::slice::from_ref(id));
    answer.ok().and_then(|known| known.first().copied()).unwrap_or(false)
}

type Running<T> = thread::JoinHandle<T>;

fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce(&Handle) -> T + Send + 'static,
) -> Result<Running<T>, PipelineError> {
    let runtime = Handle::current();
    thread::Builder::new().name(name.to_owned()).spawn(move || work(&runtime)).map_err(PipelineError::Thread)
}

async fn join<T: Send + 'static>(running: Running<T>, name: &'static str) -> Result<T, PipelineError> {
    let joined = tokio::task::spawn_blocking(move || running.join()).await;
    joined.ok().and_then(Result::ok).ok_or(PipelineError::Died(name))
}

fn join_task<T>(joined: Result<T, JoinError>, name: &'static str) -> Result<T, PipelineError> {
    joined.map_err(|_| PipelineError::Died(name))
}

#[cfg(test)]
mod tests;
