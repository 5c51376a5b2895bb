//! Who was behind an event, by an index and by looking at each event: both say the same, whatever of the
//! trail is indexed, and in whatever order events and links came in.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use whodid::event::delivery::{Judged, Verdict};
use whodid::event::fields::{self, FieldRef};
use whodid::event::link::{Confidence, Facts, Link};
use whodid::event::{Event, Family, Lineage, Stamp};
use whodid::index::embedded::{Searcher, Writer};
use whodid::index::{Hit, Hits, Index, IndexError, Joined, Search};
use whodid::link::{Bounds, Joiner};
use whodid::query::ast::Ast;
use whodid::query::people::{Person, Tie};
use whodid::query::{Attribution, People, Subject};
use whodid::sources::secrets::Marks;
use whodid::sources::zone::Zone;
use whodid::sources::{self, Identity, Stream, Year};

use super::{Draw, ORIGIN, Trail, data, size};
use crate::generate;
use crate::program::people as people_of_program;

fn people() -> Arc<People> {
    let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
    Arc::new(People::new(vec![
        Person {
            name: "Ana Example".into(),
            unix: list(&["alice", "root@web-1", "bob@web-2"]),
            keys: list(&["tcp"]),
            aws: list(&["alice", "web-2"]),
            ..Person::default()
        },
        Person {
            name: "bob".into(),
            unix: list(&["Alice", "a b"]),
            certificates: list(&["::/0"]),
            email: list(&["web-1"]),
            ..Person::default()
        },
        Person { name: "alice".into(), keys: list(&["root", "0.0.0.0/0"]), ..Person::default() },
    ]))
}

/// Names that meet those of events and of people.
fn name() -> impl Strategy<Value = String> {
    select(&["root", "alice", "Alice", "bob", "web-1", "a b", "AND", "*", "tcp", "::/0", "é"][..])
        .prop_map(str::to_owned)
}

fn actor() -> impl Strategy<Value = (Option<String>, Option<String>, Option<String>, String, Vec<String>)> {
    let kind = proptest::option::of(select(&["user", "user", "root", "role"][..]).prop_map(str::to_owned));
    let host = proptest::option::of(select(&["web-1", "web-2"][..]).prop_map(str::to_owned));
    let actions =
        ["ssh.login", "ssh.disconnect", "ssh.subsystem", "auth.failure", "sudo.command", "su.session", "AssumeRole"];
    let action = select(actions.to_vec()).prop_map(str::to_owned);
    let category = select(vec![vec![], vec!["authentication".to_owned()]]);
    (kind, proptest::option::of(name()), host, action, category)
}

/// Events whose actors meet, and links about some of them: late ones, several about one, and some that take back.
fn told(draw: &mut Draw, count: u32) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut newest: HashMap<u64, u64> = HashMap::new();
    let (mut keys, mut judged) = (HashMap::new(), HashMap::new());
    for ordinal in 0..count {
        let mut event = draw.event(ordinal);
        if draw.from(0..4_u8) > 0 {
            let (kind, name, host, action, category) = draw.from(actor());
            (event.who.kind, event.who.name, event.place.host) = (kind, name, host);
            (event.what.action, event.what.category) = (action, category);
        }
        if draw.from(0..6_u8) == 0 {
            event.who.key = Some(draw.from(name()));
        }
        if draw.from(0..3_u8) == 0 {
            call(draw, &mut event);
        }
        events.push(event);
        if draw.from(0..8_u8) == 0 {
            events.push(verdict(draw, &mut judged, events.len() as u64));
        }
        if draw.from(0..4_u8) == 0
            && let Some(link) = about_key(draw, events.last().expect("one"), &mut keys, events.len() as u64)
        {
            events.push(link);
        }
        while draw.from(0..3_u8) == 0 {
            let target = draw.from(0..events.len() as u64);
            let about = &events[target as usize];
            if matches!(about.source.kind, Family::Whodid | Family::Cloudtrail) {
                continue;
            }
            let mut facts = draw.from(facts(target, about.who.name.clone()));
            facts.replaces = newest.insert(target, events.len() as u64);
            let is_suspect = about.tags.iter().any(|tag| tag == "when_suspect");
            let link = Link { target: about.id, when: about.when, observed: about.observed, is_suspect, facts };
            events.push(link.to_event());
        }
    }
    events
}

/// Keys of AWS, each of the session of that name.
const KEYS: [(&str, &str); 4] = [("ASIA1", "alice"), ("ASIA2", "web-1"), ("ASIA3", "bob"), ("ASIA4", "Alice")];

const ORIGINS: [&str; 4] = [
    "s3://audit/1_CloudTrail_eu-west-1_20261120T1000Z_a.json.gz",
    "s3://audit/1_CloudTrail_eu-west-1_20261120T1005Z_b.json.gz",
    "/var/log/1_CloudTrail_eu-west-1_20261120T1010Z_c.json",
    "-",
];

/// A call that is made with a key, or without.
fn call(draw: &mut Draw, event: &mut Event) {
    let (key, session) = draw.from(select(KEYS.to_vec()));
    event.source.kind = Family::Cloudtrail;
    event.source.origin = draw.from(select(ORIGINS.to_vec())).into();
    event.who.kind = Some(draw.from(select(vec!["role", "role", "user", "account"])).to_owned());
    event.who.name = Some(session.to_owned());
    event.who.session = draw.from(proptest::option::of(Just(session.to_owned())));
    event.who.key = draw.from(proptest::option::weighted(0.8, Just(key.to_owned())));
    // Most within a few days, so that keys count for some calls and not for others.
    let hours = draw.from(0..150_i64);
    event.when = generate::now().minus(chrono::TimeDelta::hours(hours));
}

/// What is known of the key of a call, beside it.
fn about_key(draw: &mut Draw, about: &Event, newest: &mut HashMap<String, u64>, place: u64) -> Option<Event> {
    let key = about.who.key.clone().filter(|_| about.source.kind == Family::Cloudtrail)?;
    let session = KEYS.iter().find(|(known, _)| *known == key).map(|(_, session)| (*session).to_owned());
    let mut facts = draw.from(facts(place - 1, session.clone()));
    (facts.host, facts.certificate, facts.session) = (None, None, session);
    facts.replaces = newest.insert(key.clone(), place);
    facts.aws = draw.from(proptest::collection::vec(name(), 0..2));
    facts.email = draw.from(proptest::option::of(name()));
    facts.for_key = Some(key);
    let link = Link { target: about.id, when: about.when, observed: about.observed, is_suspect: false, facts };
    Some(link.to_event())
}

/// What was found of an object, at some time after its delivery.
fn verdict(draw: &mut Draw, newest: &mut HashMap<String, u64>, place: u64) -> Event {
    let origin = draw.from(select(ORIGINS.to_vec())).to_owned();
    let verdict = draw.from(select(Verdict::ALL.to_vec()));
    let replaces = newest.insert(origin.clone(), place);
    let judged = Judged { origin, verdict, reason: None, digest: None, evidence: Vec::new(), replaces };
    let when = Stamp::from_unix(4_000_000_000, 0);
    judged.to_event(when, when)
}

fn facts(target: u64, acting: Option<String>) -> impl Strategy<Value = Facts> {
    let known = (proptest::option::of(name()), proptest::option::of(name()), 0..8_u8);
    (name(), known, select(&["web-1", "web-2"][..]), proptest::collection::vec(name(), 0..3)).prop_map(
        move |(account, (key, certificate, odd), host, between)| {
            let mut facts = Facts::new(target, Confidence::High);
            if odd == 0 {
                return facts;
            }
            facts.chain.push(format!("{account}@203.0.113.7"));
            facts.chain.extend(between.into_iter().chain(acting.clone()));
            facts.account = (odd > 1).then_some(account);
            facts.host = (odd > 2).then(|| host.to_owned());
            (facts.key, facts.certificate) = (key.filter(|_| odd == 3), certificate.filter(|_| odd > 5));
            facts
        },
    )
}

fn query() -> impl Strategy<Value = Ast> {
    let field = |name| FieldRef::Known(fields::named(name).expect("a field"));
    let joined = select(vec![field("who.person"), field("who.chain"), field("source.digest")]).prop_flat_map(|field| {
        let word = select(&["verified", "altered", "unlisted", "missing", "pending"][..]).prop_map(str::to_owned);
        let named = match field.name() == "source.digest" {
            true => word.boxed(),
            false => {
                prop_oneof![2 => name(), 1 => Just("Ana Example".to_owned()), 1 => Just("alice@203.0.113.7".to_owned())]
                    .boxed()
            }
        };
        let named = named.prop_map(whodid::query::ast::Test::Keyword);
        let test = prop_oneof![3 => named, 3 => generate::test(&field)];
        test.prop_map(move |test| Ast::Leaf { field: field.clone(), test })
    });
    prop_oneof![4 => joined, 1 => generate::leaf()].prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Ast::And),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Ast::Or),
            inner.prop_map(|ast| Ast::Not(Box::new(ast))),
        ]
    })
}

/// What each event before a place comes to, found by going through all of them.
fn slowly(trail: &Trail, people: &People, before: u64) -> Vec<Attribution> {
    let mut newest: HashMap<u64, Tie> = HashMap::new();
    let mut keys: Vec<(String, Stamp, Tie)> = Vec::new();
    let mut judged: HashMap<String, Verdict> = HashMap::new();
    for (seq, event) in (0..before).zip(&trail.events) {
        if let Some(Judged { origin, verdict, .. }) = Judged::of(event) {
            judged.insert(origin, verdict);
        }
        let Some(Link { facts, .. }) = Link::of(event) else { continue };
        match facts.for_key.clone() {
            Some(key) => keys.push((key, event.when, Tie { seq, facts })),
            None => drop(newest.insert(facts.seq, Tie { seq, facts })),
        }
    }
    let by = |(seq, event): (u64, &Event)| {
        let is_cloud = event.source.kind == Family::Cloudtrail;
        let tie = match event.who.key.as_ref().filter(|_| is_cloud) {
            None => newest.get(&seq).cloned(),
            Some(key) => {
                let counts = |given: &Stamp| (0..=2).contains(&(event.when.day() - given.day()).num_days());
                let mut its = keys
                    .iter()
                    .filter(|(of, given, _)| fields::searchable(of) == fields::searchable(key) && counts(given));
                its.next_back().map(|(_, _, tie)| tie.clone())
            }
        };
        let mut by = people.attribute(event, tie);
        let origin = event.source.origin.as_ref();
        let pending = || origin.contains("_CloudTrail_").then_some("pending");
        let digest = judged.get(origin).map(|verdict| verdict.as_str()).or_else(pending);
        by.digest = digest.filter(|_| is_cloud).map(str::to_owned).into_iter().collect();
        by
    };
    (0..before).zip(&trail.events).map(by).collect()
}

#[track_caller]
fn check(trail: &Trail, index: &dyn Index, people: &People, searches: Vec<Search>, limit: usize) {
    let acknowledged = trail.acknowledged.load(std::sync::atomic::Ordering::SeqCst);
    let by = slowly(trail, people, acknowledged);
    for search in searches {
        let expected: BTreeSet<u64> = (search.from_seq..acknowledged)
            .filter(|seq| {
                let event = &trail.events[*seq as usize];
                use std::ops::RangeBounds as _;
                let micros = |bound: std::ops::Bound<whodid::event::Stamp>| bound.map(whodid::event::Stamp::micros);
                (micros(search.since), micros(search.until)).contains(&event.when.micros())
                    && Subject::new(event).by(&by[*seq as usize]).matches(&search.query)
            })
            .collect();
        let mut found = BTreeSet::new();
        let complete_to = index.each(&search, &mut |hit| found.insert(hit.seq)).expect("searchable");
        let differing: Vec<_> = found.symmetric_difference(&expected).collect();
        let shown = differing.first().map(|seq| (&trail.events[**seq as usize], &by[**seq as usize]));
        assert!(differing.is_empty(), "{}: {differing:?} {shown:#?}", search.query);
        assert_eq!(complete_to, acknowledged);
        assert_eq!(index.count(&search).expect("countable"), (expected.len() as u64, acknowledged));
        let mut hits = index.search(&search, limit).expect("searchable");
        assert_eq!((hits.total, hits.complete_to), (expected.len() as u64, acknowledged));
        index.attribute(&mut hits.newest, acknowledged).expect("attributable");
        for Hit { seq, by: found, .. } in &hits.newest {
            assert_eq!(*found, by[*seq as usize]);
        }
    }
}

#[test]
fn an_index_knows_who_it_was_as_whoever_looks_at_each_event() {
    let mut draw = Draw::new();
    let trail = Trail::new(told(&mut draw, 900));
    let people = people();
    let by = slowly(&trail, &people, size(&trail));
    let named = by.iter().filter(|by| !by.person.is_empty()).count();
    let linked = by.iter().filter(|by| by.link.is_some()).count();
    let by_key = by.iter().filter_map(|by| by.link.as_ref()).filter(|tie| tie.facts.for_key.is_some()).count();
    let proven = by.iter().filter(|by| !by.digest.is_empty()).count();
    assert!(named > 200 && linked > 100, "{named} named, {linked} linked");
    assert!(by_key > 50 && proven > 100, "{by_key} linked by key, {proven} read from objects");

    let data = data();
    for (upto, indexed) in [(400, 0), (700, 350), (size(&trail), 500), (size(&trail), size(&trail))] {
        trail.acknowledge(upto);
        if indexed > 0 {
            let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
            writer.catch_up(&&trail, indexed).expect("it takes in");
        }
        for people in [Arc::clone(&people), Arc::default()] {
            let index = Joined::new(Searcher::open(data.path(), &trail), Arc::clone(&people));
            let searches = (0..30).map(|_| Search { query: draw.from(query()), ..draw.search(size(&trail)) }).collect();
            check(&trail, &index, &people, searches, 30);
        }
    }
}

/// A trail that gets longer before each search.
struct Growing<'t> {
    searcher: Searcher<&'t Trail>,
    trail: &'t Trail,
}

impl Growing<'_> {
    fn grow(&self) {
        let so_far = self.trail.acknowledged.load(std::sync::atomic::Ordering::SeqCst);
        self.trail.acknowledge((so_far + 7).min(size(self.trail)));
    }
}

impl Index for Growing<'_> {
    fn search(&self, search: &Search, limit: usize) -> Result<Hits, IndexError> {
        self.grow();
        self.searcher.search(search, limit)
    }

    fn count(&self, search: &Search) -> Result<(u64, u64), IndexError> {
        self.grow();
        self.searcher.count(search)
    }

    fn each(&self, search: &Search, each: &mut dyn FnMut(Hit) -> bool) -> Result<u64, IndexError> {
        self.grow();
        self.searcher.each(search, each)
    }
}

#[test]
fn an_answer_is_of_one_state_of_a_trail_that_grows_meanwhile() {
    let mut draw = Draw::new();
    let trail = Trail::new(told(&mut draw, 400));
    trail.acknowledge(40);
    let (people, data) = (people(), data());
    let index =
        Joined::new(Growing { searcher: Searcher::open(data.path(), &trail), trail: &trail }, Arc::clone(&people));
    let mut answers = 0;
    while trail.acknowledged.load(std::sync::atomic::Ordering::SeqCst) < size(&trail) {
        let joined = query().prop_filter("joined", whodid::query::people::is_joined);
        let search = Search::all(draw.from(joined));
        let mut found = BTreeSet::new();
        let complete_to = index.each(&search, &mut |hit| found.insert(hit.seq)).expect("searchable");
        let by = slowly(&trail, &people, complete_to);
        let is_found = |seq: &u64| {
            let at = *seq as usize;
            Subject::new(&trail.events[at]).by(&by[at]).matches(&search.query)
        };
        assert_eq!(found, (0..complete_to).filter(is_found).collect(), "{}", search.query);
        answers += usize::from(!found.is_empty());
    }
    assert!(answers > 10, "{answers}");
}

/// The same events and links in another order are the same answers.
#[test]
fn the_order_of_arrival_changes_nothing() {
    let mut draw = Draw::new();
    let told = told(&mut draw, 300);
    let last = |events: &[Event]| -> HashMap<String, Vec<String>> {
        let trail = Trail::new(events.to_vec());
        let data = data();
        let people = people();
        let index = Joined::new(Searcher::open(data.path(), &trail), Arc::clone(&people));
        let mut found = HashMap::new();
        for name in ["alice", "bob", "Ana Example", "root"] {
            for field in ["who.person", "who.chain"] {
                let text = format!("{field}:\"{name}\"");
                let query = whodid::query::parse(&text, generate::now()).expect("a query");
                let mut ids = Vec::new();
                index
                    .each(&Search::all(query), &mut |hit| {
                        ids.push(hit.event.id.to_string());
                        true
                    })
                    .expect("searchable");
                ids.sort();
                found.insert(text, ids);
            }
        }
        found
    };
    // Of the links about one event only the newest is told in any order: which one that is, is their maker's.
    let mut newest: HashMap<u64, Link> = HashMap::new();
    let mut others: Vec<(u64, Event)> = Vec::new();
    for (seq, event) in (0..).zip(told) {
        match Link::of(&event) {
            // Of those about a key the one at the last place counts, which is another one in another order.
            Some(link) if link.facts.for_key.is_some() => {}
            Some(link) => drop(newest.insert(link.facts.seq, link)),
            None => others.push((seq, event)),
        }
    }
    let expected = {
        let mut first = arranged(&others, &newest, &mut |_| 0);
        let found = last(&std::mem::take(&mut first));
        assert!(found.values().filter(|ids| !ids.is_empty()).count() > 4, "{found:?}");
        found
    };
    for _ in 0..6 {
        let events = arranged(&others, &newest, &mut |most| draw.from(0..most));
        assert_eq!(last(&events), expected);
    }
}

/// The events in an order of `choose`, each link somewhere behind its event.
fn arranged(others: &[(u64, Event)], links: &HashMap<u64, Link>, choose: &mut dyn FnMut(usize) -> usize) -> Vec<Event> {
    let mut rest: Vec<&(u64, Event)> = others.iter().collect();
    let mut waiting: Vec<Link> = Vec::new();
    let mut events: Vec<Event> = Vec::new();
    while !rest.is_empty() || !waiting.is_empty() {
        let is_link = rest.is_empty() || (!waiting.is_empty() && choose(3) == 1);
        if is_link {
            events.push(waiting.remove(choose(waiting.len())).to_event());
            continue;
        }
        let (before, event) = rest.remove(choose(rest.len()));
        if let Some(link) = links.get(before) {
            let mut link = link.clone();
            link.facts.seq = events.len() as u64;
            link.facts.replaces = None;
            waiting.push(link);
        }
        events.push(event.clone());
    }
    events
}

/// The events of two machines' logs.
fn logs() -> Vec<Event> {
    let logs = [("web-1", people_of_program::WEB_1), ("web-2", people_of_program::WEB_2)];
    let mut events = Vec::new();
    for (host, lines) in logs {
        let lines = lines.replace("KEY", people_of_program::KEY);
        let now = generate::now();
        let mut decoder = sources::decoder(Stream {
            name: host.into(),
            family: Family::Auth,
            origin: host.into(),
            host: host.to_owned(),
            identity: Identity::Place { lineage: Lineage::new(host, Family::Auth, lines.as_bytes()), generation: 0 },
            start: 0,
            zone: Zone::UTC,
            year: Year::NotAfter(now),
            marks: Marks::default(),
            world: Default::default(),
        });
        decoder.push(lines.as_bytes(), now, &mut events);
        decoder.finish(now, &mut events);
    }
    events
}

/// Records arrive in any order and in parts: links come late, correct one another, and are taken back; in the
/// end every question has the answer that it has when all came in order.
#[test]
fn whatever_order_records_came_in_the_answers_are_the_same() {
    let mut draw = Draw::new();
    let events = logs();
    let people = Arc::new(People::new(vec![Person {
        name: "Ana Example".into(),
        unix: vec!["ana".into()],
        keys: vec![people_of_program::KEY.into()],
        ..Person::default()
    }]));
    let mut corrected = 0;
    let mut answers = |order: Vec<Event>, batch: usize| {
        let (mut joiner, mut trail) = (Joiner::new(Bounds::default()), Vec::new());
        for some in order.chunks(batch) {
            for event in some {
                joiner.take(trail.len() as u64, event);
                trail.push(event.clone());
            }
            for link in joiner.settle() {
                corrected += u32::from(link.facts.replaces.is_some());
                let event = link.to_event();
                joiner.take(trail.len() as u64, &event);
                trail.push(event);
            }
        }
        let trail = Trail::new(trail);
        let data = data();
        let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
        writer.catch_up(&&trail, size(&trail) / 2).expect("it takes in");
        let index = Joined::new(Searcher::open(data.path(), &trail), Arc::clone(&people));
        let questions = [
            "who.person:\"Ana Example\"",
            "who.person:deploy",
            "NOT who.person:* NOT what.action:link",
            "who.chain:root",
            "who.chain:ana*",
            "who.person:*Example what.action:(user.add OR sudo.command)",
        ];
        questions.map(|text| {
            let query = whodid::query::parse(text, generate::now()).expect("a query");
            let mut hits = Vec::new();
            index
                .each(&Search::all(query), &mut |hit| {
                    hits.push(hit);
                    true
                })
                .expect("searchable");
            index.attribute(&mut hits, u64::MAX).expect("attributable");
            let answer = |hit: &Hit| (hit.event.id.to_string(), hit.by.person.clone(), hit.by.chain().to_vec());
            hits.iter().map(answer).collect::<BTreeSet<_>>()
        })
    };
    let expected = answers(events.clone(), events.len());
    assert!(expected.iter().all(|answer| !answer.is_empty()), "{expected:#?}");
    for _ in 0..24 {
        let mut order = events.clone();
        for at in (1..order.len()).rev() {
            order.swap(at, draw.from(0..=at));
        }
        let batch = draw.from(1..6_usize);
        assert_eq!(answers(order, batch), expected);
    }
    assert!(corrected > 20, "{corrected} links were corrected");
}
