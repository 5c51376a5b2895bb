//! Bytes and positions from files, folders, S3 and standard input, decoded and handed on as events.
//!
//! One owned thread per source reads, decodes and sends [`Batch`]es over a bounded channel; whoever
//! takes them makes them durable. Nothing here is remembered on disk: [`Positions`] are folded from the
//! trail's own events. A source that fails says so in an event and leaves the others alone.
//!
//! Invariant: what was sent up to any batch is enough to go on from there without loss or doubles.

#[cfg(feature = "aws")]
mod api;
mod behind;
mod content;
mod database;
mod digest_keys;
mod files;
mod flow;
mod folder;
mod identify;
mod intake;
mod journal;
mod lastlog;
mod names;
mod notice;
mod object;
mod once;
mod outlet;
mod packing;
mod positions;
mod progress;
mod reader;
mod registry;
#[cfg(feature = "aws")]
mod s3;
mod setting;
mod siblings;
mod sqlite;
#[cfg(feature = "aws")]
mod sqs;
mod standing;
mod state;
mod stdin;
mod stop;
mod tail;
mod unpack;
mod watch;
mod wire;

use std::sync::Arc;
use std::{io, thread};

use tokio::runtime::Handle;
use tokio::sync::mpsc::Sender;
use tokio::sync::{oneshot, watch as signal};

#[cfg(feature = "aws")]
pub use api::look_at_trail;
pub use content::Unreadable;
pub use files::{head, head_of};
pub use journal::look as look_at_journal;
pub use positions::{Position, Positions, StreamId};
pub use progress::{Progress, SourceState};
pub use registry::Seen;
#[cfg(feature = "aws")]
pub use s3::look as look_at_bucket;
#[cfg(feature = "aws")]
pub use sqs::look as look_at_queue;

use crate::clock::Clock;
use crate::config::Source;
use crate::config::source::From;
use crate::event::{Event, Family};
use crate::sources::secrets::Marks;
use crate::sources::{Decoder, Stream};
use outlet::{Outlet, Shared};
use registry::Registry;
use setting::Setting;
use stop::Stop;
use wire::Wire;

/// Events of one source, in order.
#[derive(Debug)]
pub struct Batch {
    /// The source's name in the configuration.
    pub source: String,
    pub events: Vec<Event>,
    /// The trail may hold some of these already: ask the set of seen ids.
    pub replay: bool,
    /// Told when all of it is durable; dropped if it never will be.
    pub durable: Vec<oneshot::Sender<()>>,
}

/// Batches that may wait for the writer: it works on one while the next is decoded, and a few more
/// smooth the steps of `fdatasync`. In bytes: at most a few MiB.
pub const CHANNEL_BATCHES: usize = 4;

/// When a source has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// What is there is read; the end of a live file may be half a line, which waits for the next time.
    Once,
    /// Goes on until shutdown.
    Follow,
    /// Files named by hand: read to their last byte, whatever it is.
    Ingest,
}

/// What was read from where, and what could not be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    pub source: String,
    pub read: Vec<Read>,
    pub failures: Vec<Failure>,
}

/// One file or object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    pub origin: String,
    /// Unpacked.
    pub bytes: u64,
    /// Handed on.
    pub events: u64,
    /// Left out, because the trail holds them.
    pub known: u64,
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub origin: String,
    /// Goes after the origin: `/var/log/wtmp` "is missing: …".
    pub problem: String,
}

/// Everything that collecting needs from outside.
pub struct Collector {
    pub positions: Positions,
    pub seen: Seen,
    pub mode: Mode,
    pub clock: Clock,
    /// Gives the decoder of a stream: `sources::decoder`.
    pub decoder: fn(Stream) -> Box<dyn Decoder>,
    /// What stands where a secret was.
    pub marks: Marks,
    pub tx: Sender<Batch>,
    pub progress: Arc<Progress>,
    /// Becomes true when it is time to stop.
    pub shutdown: signal::Receiver<bool>,
}

impl Collector {
    /// Reads all sources at once, each in its own thread, until they end or it is time to stop.
    /// The summaries come in the order of the sources.
    pub async fn run(self, sources: Vec<Source>) -> Vec<Summary> {
        let registry = Registry::new(self.positions, self.seen);
        let mut running = Vec::new();
        let mut stoppers = Vec::new();
        for source in sources {
            let name = source.name.clone();
            let shared = Shared {
                registry: Arc::clone(&registry),
                progress: Arc::clone(&self.progress),
                clock: self.clock,
                mode: self.mode,
            };
            let outlet = Outlet::new(&name, self.tx.clone(), shared);
            let setting = Setting::new(source, self.clock, self.marks.clone(), self.decoder);
            let wire = Wire { runtime: Handle::current(), shutdown: self.shutdown.clone() };
            match start(setting, outlet, self.mode, wire) {
                Ok((stopper, summary)) => {
                    stoppers.push(stopper);
                    running.push((name, Some(summary)));
                }
                Err(error) => {
                    tracing::error!(source = %name, %error, "No thread for this source.");
                    running.push((name, None));
                }
            }
        }
        drop(self.tx);
        let stopping = stop_when_told(self.shutdown, stoppers);
        let summaries = gather(running);
        tokio::pin!(stopping, summaries);
        tokio::select! {
            done = &mut summaries => done,
            () = &mut stopping => summaries.await,
        }
    }
}

type Running = (String, Option<oneshot::Receiver<Summary>>);

async fn gather(running: Vec<Running>) -> Vec<Summary> {
    let mut summaries = Vec::with_capacity(running.len());
    for (name, summary) in running {
        let ended = match summary {
            Some(summary) => summary.await.ok(),
            None => None,
        };
        summaries.push(ended.unwrap_or_else(|| broken(&name)));
    }
    summaries
}

const BROKEN: &str = "stopped unexpectedly: see the log of this program";

fn broken(source: &str) -> Summary {
    let failure = Failure { origin: source.to_owned(), problem: BROKEN.to_owned() };
    Summary { source: source.to_owned(), failures: vec![failure], ..Summary::default() }
}

async fn stop_when_told(mut shutdown: signal::Receiver<bool>, stoppers: Vec<stop::Stopper>) {
    // An error means that whoever could tell is gone: the program is stopping.
    let told = shutdown.wait_for(|stop| *stop).await;
    drop(told);
    drop(stoppers);
}

fn start(
    setting: Setting,
    outlet: Outlet,
    mode: Mode,
    wire: Wire,
) -> io::Result<(stop::Stopper, oneshot::Receiver<Summary>)> {
    let (stopper, stop) = stop::pair()?;
    let (done, summary) = oneshot::channel();
    let name: String = format!("read {}", setting.name()).chars().filter(|c| *c != '\0').take(15).collect();
    let alarm = Alarm::of(&outlet);
    thread::Builder::new().name(name).spawn(move || {
        let _alarm = alarm;
        let ended = read(setting, outlet, mode, stop, wire);
        // Nobody waits for the summary any more when the program is stopping.
        done.send(ended).unwrap_or_default();
    })?;
    Ok((stopper, summary))
}

/// Says of a source that it fails when one of its threads panics: the others go on, and nobody else would know.
struct Alarm {
    progress: Arc<Progress>,
    source: String,
}

impl Alarm {
    fn of(outlet: &Outlet) -> Self {
        Self { progress: Arc::clone(&outlet.progress), source: outlet.source().to_owned() }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            self.progress.failing(&self.source, &self.source, BROKEN);
        }
    }
}

/// The life of one source's thread.
fn read(setting: Setting, mut outlet: Outlet, mode: Mode, stop: Stop, wire: Wire) -> Summary {
    #[cfg(feature = "aws")]
    let ended = {
        let (from, beside) = (setting.source.from.clone(), wire.clone());
        api::with_keys(&from, &beside, &mut outlet, |outlet| read_from(setting, outlet, mode, stop, wire))
    };
    #[cfg(not(feature = "aws"))]
    let ended = read_from(setting, &mut outlet, mode, stop, wire);
    let mut summary = outlet.finish();
    if ended.is_err() {
        tracing::debug!(source = %summary.source, "Nobody takes events any more.");
        summary.failures.shrink_to_fit();
    }
    summary
}

/// By the place that it is read from.
fn read_from(setting: Setting, outlet: &mut Outlet, mode: Mode, stop: Stop, wire: Wire) -> Result<(), outlet::Closed> {
    let family = setting.source.family;
    match setting.source.from.clone() {
        From::Files { paths } if family == Family::Cloudtrail => folder::read(&setting, &paths, mode, stop, outlet),
        From::Files { paths } if family == Family::Lastlog => lastlog::read(&setting, &paths, mode, stop, outlet),
        From::Files { paths } if family.is_database() && !(mode == Mode::Ingest && are_lines(&paths)) => {
            database::read(&setting, &paths, mode, stop, outlet)
        }
        From::Files { paths } if mode == Mode::Follow => tail::follow(setting, &paths, stop, outlet),
        From::Files { paths } => once::read(&setting, &paths, mode, &stop, outlet),
        #[cfg(feature = "aws")]
        From::S3 { .. } => s3::read(&setting, mode, wire, outlet),
        #[cfg(feature = "aws")]
        From::Sqs(queue) => sqs::read(&setting, &queue, mode, wire, outlet),
        #[cfg(feature = "aws")]
        From::Lookup(lookup) => api::read_lookup(&setting, &lookup, mode, &wire, outlet),
        #[cfg(feature = "aws")]
        From::Trail { trail, then } => {
            let theirs = wire.clone();
            let go_on = |setting: Setting, outlet: &mut Outlet| read_from(setting, outlet, mode, stop, theirs);
            api::read_trail(&setting, (&trail, *then), mode, &wire, outlet, go_on)
        }
        #[cfg(not(feature = "aws"))]
        From::S3 { .. } | From::Sqs(_) | From::Lookup(_) | From::Trail { .. } => {
            drop(wire);
            outlet.failed("aws", "cannot be read: this whodid was built without the feature aws")
        }
        From::DigestKeys { path } => digest_keys::read(&setting, &path, mode, stop, outlet),
        From::Journal(from) => journal::read(&setting, &from, mode, &stop, outlet),
        From::Stdin => stdin::read(&setting, &stop, outlet),
        From::Intake(intake) => intake::read(&setting, &intake, mode, wire, outlet),
    }
}

/// Whether files named by hand hold a database's rows as lines, and no database.
fn are_lines(paths: &[String]) -> bool {
    let is_lines = |path: &String| head(path.as_ref(), 16).is_ok_and(|head| !crate::sources::rows::is_database(&head));
    paths.iter().all(is_lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::DECOMPRESSED_BYTES_MAX;
    use crate::sources::zone::Zone;

    #[tokio::test]
    async fn a_source_whose_thread_panics_is_failing() {
        let log = tempfile::NamedTempFile::new().expect("a file");
        std::io::Write::write_all(&mut log.as_file(), b"one line\n").expect("room");
        let source = Source {
            name: "auth".to_owned(),
            family: Family::Auth,
            from: From::Files { paths: vec![log.path().to_string_lossy().into_owned()] },
            host: None,
            zone: Zone::UTC,
            year: None,
            decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
            world: Default::default(),
        };
        let (tx, _batches) = tokio::sync::mpsc::channel(CHANNEL_BATCHES);
        let (_stop, shutdown) = signal::channel(false);
        let progress = Arc::new(Progress::default());
        let collector = Collector {
            positions: Positions::new(),
            seen: Arc::new(|_| false),
            mode: Mode::Follow,
            clock: Clock::System,
            decoder: |_| panic!("a decoder with a bug"),
            marks: Marks::default(),
            tx,
            progress: Arc::clone(&progress),
            shutdown,
        };
        let summaries = collector.run(vec![source]).await;
        assert_eq!(summaries[0].failures[0].problem, BROKEN);
        assert_eq!(progress.sources()["auth"].failing.get("auth").map(String::as_str), Some(BROKEN));
    }
}
