//! One answer from every engine: the same events in a cluster, in the embedded index and in memory.
//!
//! A sample of searches by default; with `WHODID_LONG=1` 50,000 events and 5,000 searches for each server.

use std::collections::BTreeSet;
use std::time::Instant;

use proptest::prelude::*;
use tempfile::TempDir;
use whodid::config::index::{Elastic, Names};
use whodid::config::prove;
use whodid::event::{Event, EventId, Family, fields};
use whodid::index::elastic::{Searcher, Writer};
use whodid::index::{By, Index, Joined, Search, View as _, embedded};
use whodid::query::ast::Ast;
use whodid::sources;

use super::{Kind, Server, each_kind, shared};
use crate::generate;
use crate::index::{Draw, ORIGIN, Reference, Trail, data, size};
use crate::shipped::shipped;

fn is_long() -> bool {
    std::env::var_os("WHODID_LONG").is_some()
}

/// A cluster's indices that begin with a name of the test's own.
pub(crate) fn settings(server: &Server, prefix: &str) -> Elastic {
    let names = Names::new(&format!("{prefix}-%Y.%m.%d")).expect("a pattern");
    Elastic { names, ..Elastic::at(vec![server.url.clone()]) }
}

/// One trail in both indices.
struct Engines<'t> {
    data: TempDir,
    settings: Elastic,
    cluster: Searcher<&'t Trail>,
    embedded: embedded::Searcher<&'t Trail>,
}

impl<'t> Engines<'t> {
    /// Takes in the trail up to a place; the rest is left to the matcher.
    fn of(kind: Kind, prefix: &str, trail: &'t Trail, upto: u64) -> Self {
        let (data, settings) = (data(), settings(shared(kind), prefix));
        let engines = Self {
            cluster: Searcher::open(data.path(), trail, &settings),
            embedded: embedded::Searcher::open(data.path(), trail),
            data,
            settings,
        };
        engines.take_in(trail, upto);
        engines
    }

    fn take_in(&self, trail: &Trail, upto: u64) {
        let mut writer = Writer::open(self.data.path(), ORIGIN, &self.settings).expect("a cluster");
        assert_eq!(writer.catch_up(&trail, upto, generate::now()).expect("it takes in"), upto);
        assert_eq!(writer.reduced(), 0, "no value of an event is refused");
        let mut writer = embedded::Writer::open(self.data.path(), ORIGIN).expect("an index");
        assert_eq!(writer.catch_up(&trail, upto).expect("it takes in"), upto);
    }
}

each_kind!(answers_as_the_matcher_does);
fn answers_as_the_matcher_does(kind: Kind) {
    let (events, searches) = if is_long() { (50_000, 5_000) } else { (1_200, 60) };
    let mut draw = Draw::new();
    let trail = Trail::new(draw.events(events));
    let reference = Reference::new(&trail);
    let started = Instant::now();
    // Nothing there, a part there, all there.
    trail.acknowledge(100);
    let engines = Engines::of(kind, "engines", &trail, 0);
    reference.check_many(&mut draw, &engines.cluster, 5);
    trail.acknowledge(size(&trail));
    let indexed = size(&trail) - size(&trail) / 10;
    engines.take_in(&trail, indexed);
    eprintln!("{}: {indexed} events taken in after {:.1?}", kind.name(), started.elapsed());
    for round in 0..2 {
        for _ in 0..searches / 2 {
            let search = draw.search(size(&trail));
            let limit = draw.from(0..40_usize);
            reference.check(&engines.cluster, &search, limit);
            reference.check(&engines.embedded, &search, limit);
            let by = draw.from(by());
            // The embedded index counts what it hands over, which was compared with the reference.
            let (here, there) = (engines.embedded.tally(&search, &by), engines.cluster.tally(&search, &by));
            assert_eq!(here.expect("countable"), there.expect("countable"), "{:?} of {}", by, search.query);
        }
        if round == 0 {
            engines.take_in(&trail, size(&trail));
        }
    }
    eprintln!("{}: {searches} searches of {events} events after {:.1?}", kind.name(), started.elapsed());
}

/// Fields that are counted by: one without columns in the cluster now and then.
fn by() -> impl Strategy<Value = By> {
    let names = ["who.name", "who.ip", "who.port", "what.exposes.from", "tags", "what.category", "outcome", "raw"];
    let fields = prop::sample::subsequence(names.to_vec(), 1..3);
    (fields, any::<bool>()).prop_map(|(names, per_day)| By {
        fields: names.into_iter().map(|name| fields::resolve(name).expect("a field")).collect(),
        per_day,
    })
}

/// The records that saved queries are proven by, each with an id of its own.
fn examples() -> Vec<Event> {
    let config = shipped();
    let examples = config.queries.values().flat_map(|query| &query.examples);
    let events = examples.flat_map(|example| prove::decode(example, generate::now(), sources::decoder));
    let own =
        |(event, ordinal): (Event, u32)| Event { id: EventId::new(Family::Auth, &[b"example"], ordinal), ..event };
    events.zip(0..).map(own).collect()
}

each_kind!(every_saved_query_finds_the_same);
fn every_saved_query_finds_the_same(kind: Kind) {
    let mut draw = Draw::new();
    let mut events = examples();
    events.extend(draw.events(200));
    let trail = Trail::new(events);
    let engines = Engines::of(kind, "saved", &trail, size(&trail));
    let config = shipped();
    let cluster = Joined::new(engines.cluster, config.people.clone());
    let embedded = Joined::new(engines.embedded, config.people.clone());
    let mut with_hits = 0;
    for (id, query) in &config.queries {
        let search = Search::all(query.proof.at(generate::now()));
        let found = |index: &dyn Index| {
            let mut found = BTreeSet::new();
            let complete_to = index.each(&search, &mut |hit| found.insert(hit.seq)).expect("searchable");
            assert_eq!(index.count(&search).expect("countable"), (found.len() as u64, complete_to), "{id}");
            found
        };
        let (here, there) = (found(&embedded), found(&cluster));
        assert_eq!(here, there, "{id}");
        with_hits += usize::from(!here.is_empty());
    }
    // Those that ask for digests' verdicts find nothing without any.
    assert!(with_hits + 3 >= config.queries.len(), "{with_hits} of {}", config.queries.len());
}

each_kind!(a_node_that_is_away_is_passed_over);
fn a_node_that_is_away_is_passed_over(kind: Kind) {
    let trail = Trail::new(Draw::new().events(300));
    let (data, settings) = (data(), settings(shared(kind), "away"));
    // Nobody listens on the port for discarding (RFC 863).
    let nodes = vec!["http://127.0.0.1:9".to_owned(), settings.nodes[0].clone()];
    let settings = Elastic { nodes, ..settings };
    let mut writer = Writer::open(data.path(), ORIGIN, &settings).expect("one node answers");
    assert_eq!(writer.catch_up(&&trail, size(&trail), generate::now()).expect("it takes in"), size(&trail));
    let cluster = Searcher::open(data.path(), &trail, &settings);
    for _ in 0..3 {
        assert_eq!(cluster.count(&Search::all(Ast::All)).expect("countable"), (size(&trail), size(&trail)));
    }
    let alone = Elastic { nodes: settings.nodes[..1].to_vec(), ..settings };
    let error = Searcher::open(data.path(), &trail, &alone).count(&Search::all(Ast::All)).expect_err("nobody is there");
    assert!(error.is_transient() && error.to_string().contains("127.0.0.1:9 cannot be reached"), "{error}");
}
