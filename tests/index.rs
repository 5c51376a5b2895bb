//! The embedded index from the outside: it answers exactly as the matcher in memory does, in every state
//! that a writer, a reader or a crash can leave it in.

use std::fs;
use std::ops::Bound;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use tempfile::TempDir;
use whodid::event::{Event, Stamp, encode};
use whodid::index::embedded::{Searcher, Writer, folder};
use whodid::index::{Entries, Entry, Index, IndexError, Search};
use whodid::query::Subject;
use whodid::query::ast::Ast;
use whodid::trail::tree::{self, Hash};

use crate::generate;

mod joined;
mod recovery;

pub(crate) const ORIGIN: &str = "example.org/web-1/test";

/// A trail in memory.
pub(crate) struct Trail {
    events: Vec<Event>,
    leaves: Vec<Hash>,
    first: AtomicU64,
    acknowledged: AtomicU64,
}

impl Trail {
    /// Of events as the trail gives them back.
    pub(crate) fn new(events: Vec<Event>) -> Self {
        let acknowledged = AtomicU64::new(events.len() as u64);
        let stored = |mut event: Event| {
            let line = encode(&mut event).0;
            (Event::decode(&line).expect("an event reads back"), tree::leaf(&line))
        };
        let (events, leaves) = events.into_iter().map(stored).unzip();
        Self { events, leaves, first: AtomicU64::new(0), acknowledged }
    }

    /// From now on asking for an earlier entry is an error of the test.
    fn prune(&self, first: u64) {
        self.first.store(first, Ordering::SeqCst);
    }

    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    pub(crate) fn acknowledge(&self, upto: u64) {
        self.acknowledged.store(upto, Ordering::SeqCst);
    }
}

impl Entries for &Trail {
    fn origin(&self) -> Result<String, IndexError> {
        Ok(ORIGIN.to_owned())
    }

    fn first(&self) -> Result<u64, IndexError> {
        Ok(self.first.load(Ordering::SeqCst))
    }

    fn acknowledged(&self) -> Result<u64, IndexError> {
        Ok(self.acknowledged.load(Ordering::SeqCst))
    }

    fn event(&self, seq: u64) -> Result<Event, IndexError> {
        assert!(seq >= self.first()?, "{seq} was pruned");
        Ok(self.events[seq as usize].clone())
    }

    fn entries<'e>(
        &'e self,
        from: u64,
    ) -> Result<Box<dyn Iterator<Item = Result<Entry, IndexError>> + 'e>, IndexError> {
        let hashed = self.scan(from)?.map(|entry| {
            let (seq, event) = entry?;
            Ok(Entry { seq, event, leaf: self.leaf(seq)? })
        });
        Ok(Box::new(hashed))
    }

    fn leaf(&self, seq: u64) -> Result<Hash, IndexError> {
        Ok(self.leaves[seq as usize])
    }

    fn scan<'e>(
        &'e self,
        from: u64,
    ) -> Result<Box<dyn Iterator<Item = Result<(u64, Event), IndexError>> + 'e>, IndexError> {
        let acknowledged = self.acknowledged()?;
        assert!(from >= self.first()?, "{from} was pruned");
        Ok(Box::new((from..acknowledged).map(|seq| Ok((seq, self.events[seq as usize].clone())))))
    }
}

/// Draws from the generators with a fixed seed.
pub(crate) struct Draw(TestRunner);

impl Draw {
    pub(crate) fn new() -> Self {
        Self(TestRunner::deterministic())
    }

    pub(crate) fn from<S: Strategy>(&mut self, strategy: S) -> S::Value {
        strategy.new_tree(&mut self.0).expect("a strategy gives values").current()
    }

    pub(crate) fn events(&mut self, count: u32) -> Vec<Event> {
        (0..count).map(|n| self.event(n)).collect()
    }

    fn event(&mut self, ordinal: u32) -> Event {
        let mut event = self.from(generate::event());
        event.id = whodid::event::EventId::new(whodid::event::Family::Auth, &[b"generated"], ordinal);
        if self.from(0..20_u8) == 0 {
            event.tag("when_suspect");
            event.observed = generate::now();
        }
        event
    }

    pub(crate) fn search(&mut self, size: u64) -> Search {
        let query = self.from(prop_oneof![generate::leaf(), generate::ast()]);
        let mut search = Search::all(query);
        if self.from(0..3_u8) == 0 {
            (search.since, search.until) = self.from((bound(), bound()));
        }
        if self.from(0..4_u8) == 0 {
            search.from_seq = self.from(0..=size);
        }
        search
    }
}

fn bound() -> impl Strategy<Value = Bound<Stamp>> {
    let instant = prop_oneof![
        Just("2026-11-20T10:11:12Z"),
        Just("2026-11-20T10:11:12.000001Z"),
        Just("2026-11-19T00:00:00Z"),
        Just("2026-11-21T00:00:00Z"),
        Just("1970-01-01T00:00:00Z"),
    ];
    let instant = instant.prop_map(|text| Stamp::parse(text).expect("an instant"));
    (instant, 0..3_u8).prop_map(|(instant, kind)| match kind {
        0 => Bound::Unbounded,
        1 => Bound::Included(instant),
        _ => Bound::Excluded(instant),
    })
}

/// The reference: every event is asked.
pub(crate) struct Reference<'t> {
    trail: &'t Trail,
    subjects: Vec<Subject<'t>>,
}

impl<'t> Reference<'t> {
    pub(crate) fn new(trail: &'t Trail) -> Self {
        Self { trail, subjects: trail.events.iter().map(Subject::new).collect() }
    }

    /// Places of the matches, oldest first.
    fn matches(&self, search: &Search) -> Vec<u64> {
        let micros = |bound: Bound<Stamp>| bound.map(Stamp::micros);
        let times = (micros(search.since), micros(search.until));
        let acknowledged = self.trail.acknowledged.load(Ordering::SeqCst);
        let mut found: Vec<(i64, u64)> = Vec::new();
        for seq in search.from_seq..acknowledged {
            let when = self.trail.events[seq as usize].when.micros();
            use std::ops::RangeBounds as _;
            if times.contains(&when) && self.subjects[seq as usize].matches(&search.query) {
                found.push((when, seq));
            }
        }
        found.sort_unstable();
        found.into_iter().map(|(_, seq)| seq).collect()
    }

    #[track_caller]
    pub(crate) fn check(&self, searcher: &dyn Index, search: &Search, limit: usize) {
        let expected = self.matches(search);
        let acknowledged = self.trail.acknowledged.load(Ordering::SeqCst);
        let shown = || search.query.to_string();

        let counted = searcher.count(search).expect("countable");
        assert_eq!(counted, (expected.len() as u64, acknowledged), "count of {}", shown());

        let hits = searcher.search(search, limit).expect("searchable");
        let newest: Vec<u64> = hits.newest.iter().map(|hit| hit.seq).collect();
        let wanted: Vec<u64> = expected.iter().rev().take(limit).copied().collect();
        assert_eq!(newest, wanted, "newest of {}", shown());
        assert_eq!((hits.total, hits.complete_to), (expected.len() as u64, acknowledged), "{}", shown());
        assert!(hits.newest.iter().all(|hit| hit.event == self.trail.events[hit.seq as usize]));

        let (mut all, stop) = (Vec::new(), 1 + limit * 3);
        let each = searcher.each(search, &mut |hit| {
            all.push(hit.seq);
            all.len() < stop
        });
        assert_eq!(each.expect("searchable"), acknowledged);
        assert_eq!(all, expected.into_iter().take(stop).collect::<Vec<_>>(), "each of {}", shown());
    }

    /// Many searches against an index as it lies there.
    #[track_caller]
    pub(crate) fn check_many(&self, draw: &mut Draw, searcher: &dyn Index, searches: usize) {
        for _ in 0..searches {
            let search = draw.search(self.trail.events.len() as u64);
            let limit = draw.from(0..40_usize);
            self.check(searcher, &search, limit);
        }
    }
}

pub(crate) fn data() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

#[expect(clippy::disallowed_methods, reason = "a test damages files, it does not keep them")]
fn put(path: &Path, content: impl AsRef<[u8]>) {
    std::fs::write(path, content).expect("writable");
}

fn position(data: &Path) -> std::path::PathBuf {
    folder(data).join("position")
}

pub(crate) fn size(trail: &Trail) -> u64 {
    trail.events.len() as u64
}

#[test]
fn answers_as_the_matcher_does_in_every_state() {
    let mut draw = Draw::new();
    let trail = Trail::new(draw.events(2_000));
    let reference = Reference::new(&trail);
    let data = data();
    let searcher = Searcher::open(data.path(), &trail);

    // Before there is an index.
    trail.acknowledge(300);
    reference.check_many(&mut draw, &searcher, 100);

    // Half taken in, the rest not.
    let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
    for upto in [250, 300, 700] {
        trail.acknowledge(upto);
        assert_eq!(writer.catch_up(&&trail, upto).expect("it takes in"), upto);
    }
    trail.acknowledge(1_000);
    reference.check_many(&mut draw, &searcher, 250);

    // Killed after the partitions were committed and before the position was.
    let before = std::fs::read(position(data.path())).expect("a position");
    trail.acknowledge(1_400);
    assert_eq!(writer.catch_up(&&trail, 1_200).expect("it takes in"), 1_200);
    drop(writer);
    put(&position(data.path()), before);
    let reader = Searcher::open(data.path(), &trail);
    reference.check_many(&mut draw, &searcher, 100);
    reference.check_many(&mut draw, &reader, 150);

    // Opened again, all taken in.
    trail.acknowledge(2_000);
    let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
    assert_eq!(writer.complete_to(), 700);
    assert_eq!(writer.catch_up(&&trail, size(&trail)).expect("it takes in"), 2_000);
    reference.check_many(&mut draw, &searcher, 300);

    // Made anew.
    drop(writer);
    let mut writer = Writer::rebuild(data.path(), ORIGIN).expect("an index");
    reference.check_many(&mut draw, &searcher, 20);
    assert_eq!(writer.catch_up(&&trail, size(&trail)).expect("it takes in"), 2_000);
    reference.check_many(&mut draw, &searcher, 200);
}

/// Commits, merges and the deletion of files go on while somebody reads.
#[test]
fn a_reader_beside_the_writer_misses_nothing() {
    let trail = Trail::new(Draw::new().events(400));
    trail.acknowledge(0);
    let data = data();
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
            for upto in (0..=400).step_by(8) {
                trail.acknowledge(upto);
                writer.catch_up(&&trail, upto.saturating_sub(4)).expect("it takes in");
            }
        });
        let searcher = Searcher::open(data.path(), &trail);
        let mut rounds = 0;
        while rounds < 20 || !writing.is_finished() {
            let (count, complete_to) = searcher.count(&Search::all(Ast::All)).expect("countable");
            assert_eq!(count, complete_to);
            let (mut seen, mut all) = (std::collections::HashSet::new(), Search::all(Ast::All));
            all.from_seq = 100;
            let complete_to = searcher.each(&all, &mut |hit| seen.insert(hit.seq)).expect("searchable");
            assert_eq!(seen.len() as u64, complete_to.saturating_sub(100));
            rounds += 1;
        }
    });
}

#[test]
fn what_was_pruned_is_no_answer_and_its_partitions_go() {
    let mut events = Draw::new().events(60);
    for (n, event) in events.iter_mut().enumerate() {
        let day = if n < 20 { 18 } else { 19 };
        event.when = Stamp::parse(&format!("2026-11-{day}T08:00:{:02}Z", n % 60)).expect("an instant");
        event.tags.clear();
    }
    let (trail, data) = (Trail::new(events), data());
    let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
    assert_eq!(writer.catch_up(&&trail, 50).expect("it takes in"), 50);
    drop(writer);
    let searcher = Searcher::open(data.path(), &trail);
    let found = |searcher: &Searcher<&Trail>| {
        let all = Search::all(Ast::All);
        let mut seen = Vec::new();
        let upto = searcher.each(&all, &mut |hit| {
            seen.push(hit.seq);
            true
        });
        let hits = searcher.search(&all, 5).expect("searchable");
        assert_eq!((hits.total, hits.newest.len()), (seen.len() as u64, 5));
        assert_eq!(searcher.count(&all).expect("countable"), (seen.len() as u64, upto.expect("searchable")));
        seen
    };
    let days = || {
        let names = fs::read_dir(folder(data.path())).expect("an index");
        let names = names.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with("2026-")).collect::<std::collections::BTreeSet<_>>()
    };
    let kept = |first: u64| (first..60).collect::<Vec<_>>();
    assert_eq!((found(&searcher), days().len()), (kept(0), 2));
    // Not looked at by any writer yet: half of a partition, the rest of it and half of the next one.
    for first in [10, 30] {
        trail.prune(first);
        assert_eq!((found(&searcher), days().len()), (kept(first), 2));
    }
    let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
    assert_eq!(writer.catch_up(&&trail, 60).expect("it takes in"), 60);
    assert_eq!((found(&searcher), days().len()), (kept(30), 1));
    assert_eq!(found(&Searcher::open(data.path(), &trail)), kept(30));
    drop(writer);
    fs::remove_dir_all(folder(data.path())).expect("deleted");
    let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
    assert_eq!(writer.catch_up(&&trail, 60).expect("it takes in"), 60);
    assert_eq!((found(&searcher), days().len()), (kept(30), 1));
}

/// Queries that have hurt indexes, with the number of events among these few that match.
#[test]
fn odd_values_are_found_exactly() {
    let mut events = Draw::new().events(6);
    for (event, name) in events.iter_mut().zip(["", "nul\0", "a=b", "*", "x", "é"]) {
        event.who.name = Some(name.to_owned());
        event.source.kind = whodid::event::Family::Auth;
        event.detail.clear();
        event.set_detail("a=b", name);
        event.set_detail("list", serde_json::json!([name, 1, null, {"deep": [true]}]));
        event.raw = Some(format!("word {name} word"));
        event.reason = Some("---".to_owned());
    }
    let trail = Trail::new(events);
    let data = data();
    let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
    writer.catch_up(&&trail, 6).expect("it takes in");
    trail.acknowledge(6);
    let searcher = Searcher::open(data.path(), &trail);
    for (query, expected) in [
        ("who.name:\"\"", 1),
        ("who.name:?*", 5),
        ("who.name:/.*/", 6),
        ("who.name:\\*", 1),
        ("who.name:\"a=b\"", 1),
        ("auth.a\\=b:\"a=b\"", 1),
        ("auth.a:\"b=a=b\"", 0),
        ("auth.a\\=b:?", 3),
        ("auth.list:1", 6),
        ("auth.list:*", 6),
        ("auth.list.deep:true", 6),
        ("auth.lis:*", 0),
        ("auth.list.deep.x:*", 0),
        ("reason:*", 6),
        ("reason:/.*/", 0),
        ("\"word word\"", 2),
        ("\"word x word\"", 1),
        ("NOT x", 5),
        ("NOT (x OR NOT word)", 5),
    ] {
        let query: Ast = whodid::query::parse(query, generate::now()).expect(query);
        let (count, _) = searcher.count(&Search::all(query.clone())).expect("countable");
        assert_eq!(count, expected, "{query}");
        Reference::new(&trail).check(&searcher, &Search::all(query), 10);
    }
}
