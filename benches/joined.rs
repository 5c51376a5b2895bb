//! What it costs to know who was behind events: queries with and without `who.person`, and looking up links.
//!
//! `cargo bench --bench joined` makes a trail of 100,000 events and 20,000 links (`EVENTS=…` for another number,
//! a fifth of it links), and asks it as the tail of the trail, and indexed.

#![expect(clippy::print_stdout, reason = "its result is what it prints")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use whodid::event::link::{Confidence, Facts, Link, Via};
use whodid::event::{Event, EventId, Family, Outcome, Source, Stamp, encode};
use whodid::index::embedded::{self, Searcher};
use whodid::index::{Hit, Index, Joined, Search};
use whodid::query::People;
use whodid::query::people::Person;
use whodid::trail::{Line, Open, Reader, Writer};

/// How many people there are.
const PEOPLE: u64 = 50;

/// Every so manyth event is what root did, with a link.
const LINKED: u64 = 5;

const SHOWN: usize = 100;

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        // `cargo test --benches` only wants to know that it starts.
        return;
    }
    #[expect(clippy::disallowed_methods, reason = "a measurement has no configuration")]
    let events = std::env::var("EVENTS").ok().and_then(|number| number.parse().ok()).unwrap_or(100_000);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let data = folder.path().join("data");
    append(folder.path(), &data, events);
    println!("{events} events and {} links by {PEOPLE} people", events / LINKED);
    ask("in the tail", &data);
    let trail = Reader::open(&data).expect("a trail");
    let begin = Instant::now();
    let mut writer = embedded::Writer::open(&data, trail.origin()).expect("an index");
    writer.catch_up(&trail, trail.acknowledged().expect("readable")).expect("room");
    println!("indexed in {:.1?}", begin.elapsed());
    drop(writer);
    ask("indexed", &data);
}

fn ask(how: &str, data: &Path) {
    let index = Joined::new(Searcher::open(data, Reader::open(data).expect("a trail")), people());
    index.count(&search("*")).expect("an answer");
    for query in [
        "who.name:root what.action:user.add",
        "who.person:\"Person 7\"",
        "who.person:\"Person 7\" what.action:user.add",
        "who.person:*",
        "NOT who.person:*",
        "who.chain:root",
        "who.chain:\"user7@203.0.113.7\"",
    ] {
        let search = search(query);
        let (took, count) = timed(|| index.count(&search).expect("an answer").0);
        let (shown, hits) = timed(|| index.search(&search, SHOWN).expect("an answer"));
        let mut newest = hits.newest;
        let (looked, ()) = timed(|| index.attribute(&mut newest, hits.complete_to).expect("an answer"));
        println!(
            "{how}: {query}: {count} counted in {took:.1?}, newest {} in {shown:.1?}, and who in {looked:.1?}",
            newest.len()
        );
    }
    let (took, named) = timed(|| {
        let mut hits: Vec<Hit> = Vec::new();
        index
            .each(&search("source.kind:auth"), &mut |hit| {
                hits.push(hit);
                true
            })
            .expect("an answer");
        index.attribute(&mut hits, u64::MAX).expect("an answer");
        hits.iter().filter(|hit| !hit.by.person.is_empty()).count()
    });
    println!("{how}: who was behind each, as an alert by who.person asks: {named} named in {took:.1?}");
}

/// The best of three.
fn timed<T>(mut work: impl FnMut() -> T) -> (Duration, T) {
    let mut best: Option<(Duration, T)> = None;
    for _ in 0..3 {
        let begin = Instant::now();
        let done = work();
        let took = begin.elapsed();
        if best.as_ref().is_none_or(|(before, _)| took < *before) {
            best = Some((took, done));
        }
    }
    best.expect("three times")
}

fn search(query: &str) -> Search {
    Search::all(whodid::query::parse(query, Stamp::from_unix(0, 0)).expect("a query"))
}

fn people() -> Arc<People> {
    let person = |n: u64| Person {
        name: format!("Person {n}"),
        unix: vec![format!("user{n}")],
        keys: vec![format!("SHA256:{n}")],
        ..Person::default()
    };
    Arc::new(People::new((0..PEOPLE).map(person).collect()))
}

fn event(n: u64) -> Event {
    // A day of them.
    let when = Stamp::from_micros(1_795_132_800_000_000 + i64::try_from(n * 800_000).expect("small"));
    let source = Source {
        name: "auth".into(),
        kind: Family::Auth,
        origin: "/var/log/auth.log".into(),
        lineage: None,
        generation: 0,
        pos: Some(n),
        next: Some(n + 1),
    };
    let is_root = n.is_multiple_of(LINKED);
    let (action, who) =
        if is_root { ("user.add", "root".to_owned()) } else { ("ssh.login", format!("user{}", n % PEOPLE)) };
    let mut event = Event::new(EventId::new(Family::Auth, &[&n.to_be_bytes()], 0), action, when, when, source);
    event.who.kind = Some(if is_root { "root" } else { "user" }.to_owned());
    event.who.name = Some(who);
    event.place.host = Some(format!("web-{}", n % 7));
    // Most of a log are attempts.
    event.outcome = if is_root || n.is_multiple_of(3) { Outcome::Success } else { Outcome::Failure };
    event.keep_raw(format!("Nov 20 10:00:00 web-1 sshd[{n}]: {} {}", event.what.action, "y".repeat(320)).as_bytes());
    event
}

fn link(target: &Event, seq: u64, n: u64) -> Event {
    let account = format!("user{}", n % PEOPLE);
    let facts = Facts {
        chain: vec![format!("{account}@203.0.113.{}", n % PEOPLE), account.clone(), "root".to_owned()],
        account: Some(account),
        host: target.place.host.clone(),
        key: Some(format!("SHA256:{}", n % PEOPLE)),
        via: vec![Via::Tty],
        evidence: vec![seq.saturating_sub(1)],
        ..Facts::new(seq, Confidence::Medium)
    };
    Link { target: target.id, when: target.when, observed: target.observed, is_suspect: false, facts }.to_event()
}

fn append(folder: &Path, data: &Path, events: u64) {
    let open = Open::new(data, folder.join("keys"), "example.org", "web-1", Stamp::from_unix(1_795_176_000, 0));
    let (mut writer, _) = Writer::open(open).expect("a trail");
    // The genesis is there.
    let mut seq = Reader::open(data).expect("a trail").acknowledged().expect("readable");
    let line = |mut event: Event| {
        let (bytes, blob) = encode(&mut event);
        Line::new(event.id, bytes, blob).expect("a line")
    };
    let mut lines = Vec::new();
    for n in 0..events {
        let about = event(n);
        let target = seq;
        if n.is_multiple_of(LINKED) {
            let mut link = link(&about, target, n / LINKED);
            link.id = EventId::new(Family::Whodid, &[&n.to_be_bytes()], 0);
            lines.extend([line(about), line(link)]);
            seq += 2;
        } else {
            lines.push(line(about));
            seq += 1;
        }
        if lines.len() > 4_000 || n + 1 == events {
            writer.append(std::mem::take(&mut lines)).expect("room");
            writer.commit().expect("room");
        }
    }
    writer.sign().expect("room");
}
