//! `whodid run` into a cluster that fails. While it fails the trail takes in everything; afterwards the cluster has
//! each entry of the trail once, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::process::Child;
use std::time::Duration;

use serde_json::{Value as Json, json};
use whodid::event::Event;
use whodid::trail::tree;

use super::proxy::{Faults, Proxy};
use super::{Kind, Server, in_turn, own, shared};
use crate::generate::auth_log::AuthLog;
use crate::program::{Place, stop, until};

const SEED: u64 = 7;

/// A host whose log is taken in, and whose indices have a prefix of their own.
struct Host {
    place: Place,
    prefix: String,
    log: AuthLog,
    lines: usize,
}

impl Host {
    /// `settings`: more lines of `[index]`.
    fn new(url: &str, prefix: &str, settings: &str) -> Self {
        let place = Place::new(&format!(
            "[index]\ntype = \"elastic\"\nnodes = [\"{url}\"]\npattern = \"{prefix}-%Y.%m.%d\"\n{settings}\n\
             [[source]]\nname = \"auth\"\ntype = \"auth\"\npaths = [\"log/auth.log\"]\ntz = \"UTC\"\nyear = 2026\n"
        ));
        place.write("log/auth.log", b"");
        Self { place, prefix: prefix.to_owned(), log: AuthLog::new(SEED), lines: 0 }
    }

    /// Somebody logs in, guesses, works: so many lines of it.
    fn log(&mut self, lines: usize) {
        let more: String = self.log.by_ref().take(lines).map(|line| line + "\n").collect();
        let mut file = fs::File::options().append(true).open(self.place.path("log/auth.log")).expect("it is there");
        std::io::Write::write_all(&mut file, more.as_bytes()).expect("written");
        self.lines += lines;
    }

    fn status(&self) -> Json {
        let bytes = fs::read(self.place.path("data/status.json")).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// The entries of the trail.
    fn trail(&self) -> Vec<(Event, String)> {
        let bytes = if self.place.path("data/trail/segment").exists() { self.place.trail() } else { Vec::new() };
        // The last line may be on its way.
        bytes
            .split_inclusive(|byte| *byte == b'\n')
            .filter_map(|line| line.strip_suffix(b"\n"))
            .map(|line| (Event::decode(line).expect("an event"), tree::leaf(line).to_string()))
            .collect()
    }

    /// Whatever becomes of the cluster, what is logged is stored.
    #[track_caller]
    fn until_stored(&self) {
        let stored = |(event, _): &(Event, String)| event.source.kind.to_string() == "auth";
        until("the trail has every line", || self.trail().iter().filter(|entry| stored(entry)).count() == self.lines);
    }

    #[track_caller]
    fn until_indexed(&self) {
        self.until_stored();
        let size = self.trail().len() as u64;
        until("the cluster has what the trail has", || self.indexed() >= size);
    }

    fn indexed(&self) -> u64 {
        self.status()["indexed"].as_u64().unwrap_or(0)
    }

    /// Ends the program, and compares what the cluster has with the trail: place, hash and id of every entry.
    #[track_caller]
    fn is_whole(&self, running: Child, server: &Server) {
        self.until_indexed();
        stop(running);
        // Its own end is an entry, too.
        self.place.run(&["run", "--once"]).code(0);
        self.place.verify();
        let trail: Vec<(u64, String, String)> =
            (0_u64..).zip(self.trail()).map(|(seq, (event, leaf))| (seq, leaf, event.id.to_string())).collect();
        let documents = documents(server, &self.prefix);
        assert_eq!(documents.len(), trail.len());
        assert_eq!(documents, trail);
        let found = self.place.search("source.kind:auth");
        let ids: BTreeSet<String> = found.iter().map(|event| event.id.to_string()).collect();
        assert_eq!((found.len(), ids.len()), (self.lines, self.lines));
        self.place.run(&["index", "reconcile", "--check"]).code(0);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let said = fs::read_to_string(self.place.path("stderr")).unwrap_or_default();
            eprintln!("{}\nthe program said:\n{said}", self.status());
        }
    }
}

/// Place, hash and id of every document, in the order of the trail; those that are there twice are there twice.
fn documents(server: &Server, prefix: &str) -> Vec<(u64, String, String)> {
    let indices = format!("{prefix}-*");
    let (status, said) = server.ask("POST", &format!("/{indices}/_refresh"), None);
    assert_eq!(status, 200, "{said}");
    let mut found: Vec<(u64, String, String)> = Vec::new();
    loop {
        let after = found.last().map_or(-1, |(seq, ..)| *seq as i64);
        let body = json!({
            "size": 5000, "sort": ["seq"], "_source": ["leaf"], "query": {"range": {"seq": {"gt": after}}}
        });
        let (status, said) = server.ask("POST", &format!("/{indices}/_search"), Some(&body));
        assert_eq!(status, 200, "{said}");
        let hits = said["hits"]["hits"].as_array().expect("hits");
        if hits.is_empty() {
            break;
        }
        found.extend(hits.iter().map(|hit| {
            let id = hit["_id"].as_str().and_then(|id| id.split_once('-')).expect("trail and event").1;
            let leaf = hit["_source"]["leaf"].as_str().expect("a hash");
            (hit["sort"][0].as_u64().expect("a place"), leaf.to_owned(), id.to_owned())
        }));
    }
    let (_, counted) = server.ask("GET", &format!("/{indices}/_count"), None);
    // What is there twice may have been cut off by a page.
    assert_eq!(counted["count"], found.len(), "some are there twice");
    found
}

fn named(fault: &str) -> String {
    format!("faults-{fault}")
}

in_turn!(down_for_the_whole_ingest_and_back, OpenSearch2);
fn down_for_the_whole_ingest_and_back(kind: Kind) {
    let server = shared(kind);
    let mut proxy = Proxy::before(server, SEED, Faults::default());
    proxy.close();
    let mut host = Host::new(&proxy.url, &named("down"), "");
    host.log(1_500);
    let running = host.place.start(&["run"]);
    host.until_stored();
    host.log(500);
    host.until_stored();
    assert_eq!(host.indexed(), 0);
    proxy.open();
    host.is_whole(running, server);
}

in_turn!(storms_of_429, OpenSearch3);
fn storms_of_429(kind: Kind) {
    let server = shared(kind);
    let proxy = Proxy::before(server, SEED, Faults::default());
    let mut host = Host::new(&proxy.url, &named("storm"), "batch = \"64KiB\"");
    host.log(500);
    let running = host.place.start(&["run"]);
    host.until_indexed();
    proxy.set(Faults { busy: 100, retry_after: Some(1), ..Faults::default() });
    host.log(1_000);
    host.until_stored();
    until("it is told to come later", || proxy.dealt().busy >= 3);
    proxy.set(Faults { busy: 40, ..Faults::default() });
    host.log(500);
    host.until_indexed();
    // Whoever asks later is answered.
    proxy.set(Faults::default());
    host.is_whole(running, server);
}

in_turn!(one_to_fifty_documents_of_a_hundred_fail, Elasticsearch7);
fn one_to_fifty_documents_of_a_hundred_fail(kind: Kind) {
    let server = shared(kind);
    for percent in [1, 10, 50] {
        let proxy = Proxy::before(server, SEED, Faults { documents: percent, ..Faults::default() });
        let mut host = Host::new(&proxy.url, &named(&format!("documents-{percent}")), "");
        host.log(1_000);
        let running = host.place.start(&["run"]);
        host.is_whole(running, server);
        let failed = proxy.dealt().documents;
        assert!(failed >= percent * 3, "{failed} for {percent} %");
    }
}

in_turn!(answers_are_lost_after_what_was_asked_was_done, Elasticsearch9);
fn answers_are_lost_after_what_was_asked_was_done(kind: Kind) {
    let server = shared(kind);
    let proxy = Proxy::before(server, SEED, Faults { lost: 20, cut: 10, ..Faults::default() });
    let mut host = Host::new(&proxy.url, &named("lost"), "batch = \"64KiB\"");
    host.log(1_000);
    let running = host.place.start(&["run"]);
    host.until_stored();
    host.log(1_000);
    host.until_stored();
    host.until_indexed();
    proxy.set(Faults::default());
    host.is_whole(running, server);
    let dealt = proxy.dealt();
    assert!(dealt.lost >= 3 && dealt.cut >= 3, "{dealt:?}");
}

in_turn!(answers_that_drip_in_too_late, OpenSearch2);
fn answers_that_drip_in_too_late(kind: Kind) {
    let server = shared(kind);
    let proxy = Proxy::before(server, SEED, Faults::default());
    let mut host = Host::new(&proxy.url, &named("slow"), "timeout = \"2s\"\nbatch = \"64KiB\"");
    host.log(200);
    let running = host.place.start(&["run"]);
    host.until_indexed();
    proxy.set(Faults { slow: 50, slowness: Duration::from_secs(4), ..Faults::default() });
    host.log(800);
    host.until_stored();
    until("answers are slow", || proxy.dealt().slow >= 3);
    proxy.set(Faults { slow: 100, slowness: Duration::from_millis(200), ..Faults::default() });
    host.is_whole(running, server);
}

in_turn!(requests_are_too_large, Elasticsearch7);
fn requests_are_too_large(kind: Kind) {
    let server = shared(kind);
    let proxy = Proxy::before(server, SEED, Faults { bytes_max: Some(30_000), ..Faults::default() });
    let mut host = Host::new(&proxy.url, &named("large"), "compress = false");
    host.log(1_000);
    let running = host.place.start(&["run"]);
    host.is_whole(running, server);
    assert!(proxy.dealt().too_large >= 1);
}

in_turn!(an_index_made_read_only_in_the_middle, Elasticsearch7);
fn an_index_made_read_only_in_the_middle(kind: Kind) {
    let server = shared(kind);
    for (name, block) in [("write", "index.blocks.write"), ("flood", "index.blocks.read_only_allow_delete")] {
        let mut host = Host::new(&server.url, &named(&format!("block-{name}")), "");
        host.log(500);
        let running = host.place.start(&["run"]);
        host.until_indexed();
        let before = host.indexed();
        let indices = format!("/{}-*/_settings", host.prefix);
        let (status, said) = server.ask("PUT", &indices, Some(&json!({block: true})));
        assert_eq!(status, 200, "{said}");
        host.log(500);
        host.until_stored();
        until("the index is said to lag", || host.status()["acknowledged"].as_u64() >= Some(before + 500));
        assert_eq!(host.indexed(), before);
        let (status, said) = server.ask("PUT", &indices, Some(&json!({block: null})));
        assert_eq!(status, 200, "{said}");
        host.is_whole(running, server);
    }
}

in_turn!(a_node_is_killed_and_comes_back, Elasticsearch9);
fn a_node_is_killed_and_comes_back(kind: Kind) {
    let mut server = own(kind);
    let mut host = Host::new(&server.url, &named("killed"), "batch = \"64KiB\"");
    host.log(1_000);
    let running = host.place.start(&["run"]);
    until("something is written", || {
        let (status, counted) = server.ask("GET", "/faults-killed-*/_count", None);
        status == 200 && counted["count"].as_u64() > Some(0)
    });
    host.log(2_000);
    server.kill();
    host.until_stored();
    host.log(500);
    host.until_stored();
    assert!(host.indexed() < 3_500);
    server.restart_on_same_data();
    host.is_whole(running, &server);
}

in_turn!(an_index_that_somebody_else_made_is_not_written_to, OpenSearch3);
fn an_index_that_somebody_else_made_is_not_written_to(kind: Kind) {
    let server = shared(kind);
    let mut host = Host::new(&server.url, &named("foreign"), "");
    // The day of AuthLog.
    let index = format!("/{}-2026.11.01", host.prefix);
    let mapping = json!({"mappings": {"properties": {"who": {"type": "keyword"}}}});
    let (status, said) = server.ask("PUT", &index, Some(&mapping));
    assert_eq!(status, 200, "{said}");
    host.log(500);
    let running = host.place.start(&["run"]);
    host.until_stored();
    until("it says why the index does not work", || {
        let said = fs::read_to_string(host.place.path("stderr")).expect("it says something");
        said.contains("2026.11.01 has other fields than this version writes")
    });
    assert_eq!(host.indexed(), 0);
    let (status, said) = server.ask("DELETE", &index, None);
    assert_eq!(status, 200, "{said}");
    host.is_whole(running, server);
}

in_turn!(an_event_that_a_mapping_refuses_is_found_all_the_same, OpenSearch2);
fn an_event_that_a_mapping_refuses_is_found_all_the_same(kind: Kind) {
    let server = shared(kind);
    let mut host = Host::new(&server.url, &named("mapping"), "");
    let template = host.place.run(&["index", "template"]);
    template.code(0);
    let mut template: Json = serde_json::from_str(template.out_of()).expect("JSON");
    // An index of this version's, but somebody thought better of one field.
    template["template"]["mappings"]["properties"]["who"]["properties"]["ip"] = json!({"type": "long"});
    let (status, said) = server.ask("PUT", &format!("/{}-2026.11.01", host.prefix), Some(&template["template"]));
    assert_eq!(status, 200, "{said}");
    host.log(1_000);
    let running = host.place.start(&["run"]);
    host.until_indexed();
    stop(running);
    host.place.run(&["run", "--once"]).code(0);
    let trail = host.trail();
    let ids = |keeps: fn(&Event) -> bool| -> BTreeSet<String> {
        let kept = trail.iter().filter(|(event, _)| event.source.kind.to_string() == "auth" && keeps(event));
        kept.map(|(event, _)| event.id.to_string()).collect()
    };
    let refused = ids(|event| event.who.ip.is_some());
    let by_alice = ids(|event| event.who.name.as_deref() == Some("alice"));
    assert!(refused.intersection(&by_alice).count() > 10, "both are many");
    assert_eq!(documents(server, &host.prefix).len(), trail.len());
    let reduced = json!({"query": {"term": {"reduced": true}}});
    let (_, counted) = server.ask("POST", &format!("/{}-*/_count", host.prefix), Some(&reduced));
    assert_eq!(counted["count"], refused.len());
    let found = host.place.search("source.kind:auth AND who.name:alice");
    assert_eq!(found.iter().map(|event| event.id.to_string()).collect::<BTreeSet<_>>(), by_alice);
    host.place.verify();
}
