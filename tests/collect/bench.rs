//! The trail in memory, the decoder of plain lines, and the vocabulary of these tests.

use std::collections::HashSet;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use whodid::clock::Clock;
use whodid::collect::{Batch, CHANNEL_BATCHES, Collector, Mode, Positions, Progress, Summary};
use whodid::config::Source;
use whodid::config::source::{DECOMPRESSED_BYTES_MAX, From};
use whodid::event::{Event, EventId, Family, Stamp};
use whodid::sources::secrets::Marks;
use whodid::sources::zone::Zone;
use whodid::sources::{Decoder, Identity, Stream};

/// A folder of logs and what the trail holds of them.
pub(crate) struct Bench {
    pub(crate) logs: Logs,
    pub(crate) trail: Trail,
    runtime: Runtime,
}

/// The folder of logs, for whoever writes there.
#[derive(Clone)]
pub(crate) struct Logs(Arc<tempfile::TempDir>);

impl std::ops::Deref for Bench {
    type Target = Logs;

    fn deref(&self) -> &Logs {
        &self.logs
    }
}

impl Logs {
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let mut file = fs::File::create(self.path(name)).expect("a file");
        file.write_all(content.as_ref()).expect("room");
    }

    pub(crate) fn append(&self, name: &str, content: impl AsRef<[u8]>) {
        let mut file = fs::OpenOptions::new().append(true).create(true).open(self.path(name)).expect("a file");
        file.write_all(content.as_ref()).expect("room");
    }

    #[expect(clippy::disallowed_methods, reason = "what logrotate does")]
    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("renames");
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("removes");
    }

    pub(crate) fn gzip(&self, from: &str, to: &str) {
        let content = fs::read(self.path(from)).expect("a file");
        self.write(to, gzip(&content));
    }

    pub(crate) fn open_append(&self, name: &str) -> fs::File {
        fs::OpenOptions::new().append(true).create(true).open(self.path(name)).expect("a file")
    }
}

/// What would be durable.
#[derive(Clone, Default)]
pub(crate) struct Trail {
    pub(crate) events: Vec<Event>,
    ids: Arc<Mutex<HashSet<EventId>>>,
}

impl Trail {
    /// What the writer does with a batch; `room` cuts it off as a kill would.
    fn append(&mut self, batch: Batch, room: &mut usize) {
        assert!(!batch.events.is_empty() && batch.events.len() <= 2_000, "{} events", batch.events.len());
        for mut event in batch.events {
            if *room == 0 {
                return;
            }
            if event.id == EventId::PENDING {
                event.id = EventId::of_own("test", self.events.len() as u64);
            }
            let mut ids = self.ids.lock().expect("no test panics while it holds this");
            if !ids.insert(event.id) {
                assert!(batch.replay, "{:?} is doubled in a batch that promised to be new", event.raw);
                continue;
            }
            drop(ids);
            *room -= 1;
            self.events.push(event);
        }
    }

    /// Folded from the trail as a new segment would restore them.
    fn positions(&self) -> Positions {
        let mut whole = Positions::new();
        self.events.iter().for_each(|event| whole.fold(event));
        let mut restored = Positions::new();
        for mut event in whole.position_events(Stamp::from_unix(0, 0)) {
            restored.fold_line(&whodid::event::encode(&mut event).0);
        }
        restored
    }

    /// The records, as text.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.events.iter().filter(|e| e.source.kind != Family::Whodid).filter_map(|e| e.raw.clone()).collect()
    }

    /// Our own events.
    pub(crate) fn own(&self, action: &str) -> Vec<&Event> {
        self.events.iter().filter(|e| e.source.kind == Family::Whodid && e.what.action == action).collect()
    }

    fn cut(&self, events: usize) -> Self {
        let events: Vec<_> = self.events.iter().take(events).cloned().collect();
        let ids = events.iter().map(|event| event.id).collect();
        Self { events, ids: Arc::new(Mutex::new(ids)) }
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let folder = tempfile::tempdir().expect("a folder");
        Self { logs: Logs(Arc::new(folder)), trail: Trail::default(), runtime: runtime.expect("a runtime") }
    }

    pub(crate) fn source(&self, patterns: &[&str]) -> Source {
        let paths = patterns.iter().map(|p| self.path(p).to_string_lossy().into_owned()).collect();
        source("auth", Family::Auth, From::Files { paths })
    }

    /// One run to the end; returns what it says it did.
    pub(crate) fn once(&mut self, patterns: &[&str]) -> Summary {
        self.run(Mode::Once, self.source(patterns), usize::MAX)
    }

    pub(crate) fn ingest(&mut self, names: &[&str]) -> Summary {
        self.run(Mode::Ingest, self.source(names), usize::MAX)
    }

    /// A run of which only the first `durable` events reach the trail.
    pub(crate) fn run(&mut self, mode: Mode, source: Source, durable: usize) -> Summary {
        let mut room = durable;
        let (tx, mut rx) = mpsc::channel(CHANNEL_BATCHES);
        let (_tell, shutdown) = watch::channel(false);
        let collector = self.trail.collector(mode, tx, shutdown);
        let trail = &mut self.trail;
        let mut summaries = self.runtime.block_on(async {
            let running = tokio::spawn(collector.run(vec![source]));
            while let Some(batch) = rx.recv().await {
                trail.append(batch, &mut room);
            }
            running.await.expect("collecting does not panic")
        });
        summaries.pop().expect("one source, one summary")
    }

    /// Starts following; the trail is taken along and comes back from [`Following::stop`].
    pub(crate) fn follow(&mut self, patterns: &[&str]) -> Following<'_> {
        let source = self.source(patterns);
        let (tx, rx) = mpsc::channel(CHANNEL_BATCHES);
        let (tell, shutdown) = watch::channel(false);
        let collector = self.trail.collector(Mode::Follow, tx, shutdown);
        let running = self.runtime.spawn(collector.run(vec![source]));
        Following { bench: self, rx, tell, running }
    }

    /// Every one of these lines once, and no others; says which are not.
    pub(crate) fn expect_once(&self, expected: Vec<String>) {
        let mut count: std::collections::BTreeMap<String, i64> = expected.into_iter().map(|line| (line, 1)).collect();
        self.trail.lines().into_iter().for_each(|line| *count.entry(line).or_default() -= 1);
        let wrong: Vec<_> = count.into_iter().filter(|(_, n)| *n != 0).collect();
        let some = wrong.get(..wrong.len().min(8));
        assert!(wrong.is_empty(), "{} lines are missing (1), double or odd (-1): {some:?}", wrong.len());
    }

    /// Does `scenario` for every number of events after which it may be killed, lets a second run end
    /// it, and expects these lines, each once.
    pub(crate) fn survives(scenario: impl Fn(&mut Self), then: impl Fn(&mut Self), expected: &[&str]) {
        let mut all = Self::new();
        scenario(&mut all);
        for durable in 0..=all.trail.events.len() {
            let mut bench = Self::new();
            scenario(&mut bench);
            bench.trail = bench.trail.cut(durable);
            then(&mut bench);
            let mut lines = bench.trail.lines();
            lines.sort();
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            assert_eq!(lines, expected, "killed after {durable} events");
        }
    }
}

impl Trail {
    fn collector(&self, mode: Mode, tx: mpsc::Sender<Batch>, shutdown: watch::Receiver<bool>) -> Collector {
        let ids = Arc::clone(&self.ids);
        Collector {
            positions: self.positions(),
            seen: Arc::new(move |id| ids.lock().expect("no test panics while it holds this").contains(id)),
            mode,
            clock: Clock::System,
            decoder: lines,
            marks: Marks::default(),
            tx,
            progress: Arc::new(Progress::default()),
            shutdown,
        }
    }
}

/// A collector that follows, step by step.
pub(crate) struct Following<'a> {
    pub(crate) bench: &'a mut Bench,
    rx: mpsc::Receiver<Batch>,
    tell: watch::Sender<bool>,
    running: tokio::task::JoinHandle<Vec<Summary>>,
}

impl Following<'_> {
    /// Takes events until this many lines have arrived in all.
    pub(crate) fn until(&mut self, lines: usize) {
        self.wait(|trail| trail.lines().len() >= lines);
        assert_eq!(self.bench.trail.lines().len(), lines, "{:?}", self.bench.trail.lines());
    }

    /// Takes events until there is one of our own of this kind.
    pub(crate) fn until_own(&mut self, action: &str, count: usize) {
        self.wait(|trail| trail.own(action).len() >= count);
    }

    /// Takes events until at least this many lines have arrived.
    pub(crate) fn wait_at_least(&mut self, lines: usize) {
        self.wait(|trail| trail.lines().len() >= lines);
    }

    fn wait(&mut self, enough: impl Fn(&Trail) -> bool) {
        let Self { bench: Bench { trail, runtime, .. }, rx, .. } = self;
        runtime.block_on(async {
            while !enough(trail) {
                let batch = tokio::time::timeout(Duration::from_secs(30), rx.recv()).await;
                let batch = batch.unwrap_or_else(|_| panic!("nothing came; there is {:?}", trail.lines()));
                trail.append(batch.expect("still following"), &mut usize::MAX.clone());
            }
        });
    }

    /// Stops, and takes what was on its way.
    pub(crate) fn stop(self) -> Summary {
        let Self { bench: Bench { trail, runtime, .. }, mut rx, tell, running } = self;
        runtime.block_on(async {
            tell.send(true).expect("it runs");
            while let Some(batch) = rx.recv().await {
                trail.append(batch, &mut usize::MAX.clone());
            }
            running.await.expect("collecting does not panic").pop().expect("a summary")
        })
    }

    /// Stops as a kill does: what was not taken yet is lost.
    pub(crate) fn kill(self) {
        drop(self.rx);
        drop(self.tell);
        drop(self.bench.runtime.block_on(self.running));
    }
}

pub(crate) fn source(name: &str, family: Family, from: From) -> Source {
    Source {
        name: name.to_owned(),
        family,
        from,
        host: Some("web-1".to_owned()),
        zone: Zone::UTC,
        year: None,
        decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
        world: Default::default(),
    }
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).expect("writes to memory");
    encoder.finish().expect("writes to memory")
}

/// Plain lines: one event each, a last one without its end only when the stream is over.
fn lines(stream: Stream) -> Box<dyn Decoder> {
    Box::new(Lines { pos: stream.start, stream, held: Vec::new() })
}

struct Lines {
    stream: Stream,
    pos: u64,
    held: Vec<u8>,
}

impl Lines {
    fn emit(&mut self, record: &[u8], observed: Stamp, out: &mut Vec<Event>) {
        let next = self.pos + record.len() as u64;
        let text = record.strip_suffix(b"\n").unwrap_or(record);
        if !text.is_empty() {
            let id = match self.stream.identity {
                Identity::Place { lineage, generation } => {
                    EventId::of_record(self.stream.family, lineage, generation, self.pos, text, 0)
                }
                Identity::Content => EventId::new(self.stream.family, &[text], 0),
            };
            let mut event = Event::new(id, "unparsed", observed, observed, self.stream.source(self.pos, next));
            event.keep_raw(text);
            out.push(event);
        }
        self.pos = next;
    }
}

impl Decoder for Lines {
    fn push(&mut self, bytes: &[u8], observed: Stamp, out: &mut Vec<Event>) {
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        for record in held.split_inclusive(|b| *b == b'\n') {
            match record.last() {
                Some(b'\n') => self.emit(record, observed, out),
                _ => self.held = record.to_vec(),
            }
        }
    }

    fn finish(&mut self, observed: Stamp, out: &mut Vec<Event>) {
        let held = std::mem::take(&mut self.held);
        self.emit(&held, observed, out);
    }

    fn next(&self) -> u64 {
        self.pos
    }
}
