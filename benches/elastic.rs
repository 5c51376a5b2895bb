//! How fast a trail gets into a cluster, beside a bare loop that posts the same documents; and how long saved queries
//! take there and in the embedded index, over the same events.
//!
//! `tests/servers/prepare opensearch-3`, then `cargo bench --bench elastic`: it starts that server itself (`SERVER=…` for
//! another one that was prepared). `EVENTS=…` for another number than a million, `ROUNDS=…` for another than 3 of the
//! first part, which takes a tenth of the events.

#![expect(clippy::print_stdout, reason = "its result is what it prints")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use elasticsearch::http::headers::HeaderMap;
use elasticsearch::http::transport::{SingleNodeConnectionPool, TransportBuilder};
use elasticsearch::http::{Method, request::NdBody};
use whodid::config::index::{Elastic, Names};
use whodid::event::{self, Family, Lineage, Stamp};
use whodid::index::elastic::{self, document};
use whodid::index::{Entries, Index, Search, View as _, embedded};
use whodid::sources::secrets::Marks;
use whodid::sources::zone::Zone;
use whodid::sources::{self, Identity, Stream, Year};
use whodid::trail::{Line, Open, Reader, Writer};

#[path = "../tests/generate/auth_log.rs"]
mod auth_log;

const NOW: &str = "2026-12-31T00:00:00Z";

/// How often a query is asked.
const ASKED: usize = 100;

const QUERIES: &[&str] = &[
    "what.action:ssh.login AND outcome:failure",
    "who.name:root",
    "who.ip:203.0.113.0/28 AND what.action:ssh.*",
    "\"Failed password\" AND who.name:ad*",
    "what.action:sudo.command AND what.command:systemctl",
    "who.name:/(alice|bob)/ AND NOT outcome:failure",
];

fn main() {
    if std::env::args().any(|arg| arg == "--test") {
        // `cargo test --benches` only wants to know that it starts.
        return;
    }
    let (events, rounds) = (number("EVENTS", 1_000_000), number("ROUNDS", 3));
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let server = Server::start(folder.path());
    let data = folder.path().join("data");
    make_trail(folder.path(), &data, events);
    let trail = Reader::open(&data).expect("a trail");

    let some = events / 10;
    let bodies = bodies(&trail, some);
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (a, b) = (post(&server.url, &format!("bare-{round}"), &bodies), take_in(&server.url, round, &trail, some));
        // The first round warms the server.
        if round > 0 {
            bare.push(some as f64 / a.as_secs_f64());
            ours.push(some as f64 / b.as_secs_f64());
        }
    }
    let (bare, ours) = (median(&mut bare), median(&mut ours));
    println!("bare loop of the crate, documents made before   {bare:>8.0} events/s");
    println!("whodid, from the trail, until they can be found {ours:>8.0} events/s, {:.0} %", 100.0 * ours / bare);
    drop(bodies);

    let settings = settings(&server.url, "asked");
    let origin = Entries::origin(&trail).expect("readable");
    let now = Stamp::parse(NOW).expect("an instant");
    let upto = trail.acknowledged().expect("readable");
    let mut writer = elastic::Writer::open(&data, &origin, &settings).expect("a cluster");
    let mut reached = 0;
    while reached < upto {
        reached = writer.catch_up(&trail, upto, now).expect("it takes in");
    }
    let mut writer = embedded::Writer::open(&data, &origin).expect("an index");
    writer.catch_up(&trail, upto).expect("it takes in");
    drop(writer);
    let there = elastic::Searcher::open(&data, Reader::open(&data).expect("a trail"), &settings);
    let here = embedded::Searcher::open(&data, Reader::open(&data).expect("a trail"));
    println!("{upto} events, each query {ASKED} times for its newest 100: p50 and p99 in milliseconds");
    for query in QUERIES {
        let search = Search::all(whodid::query::parse(query, now).expect("a query"));
        let (found, [a50, a99]) = asked(&here, &search);
        let (also, [b50, b99]) = asked(&there, &search);
        assert_eq!(found, also, "{query}");
        println!("embedded {a50:>7.1} {a99:>7.1}   cluster {b50:>7.1} {b99:>7.1}   {found:>7} of {query}");
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a measurement has no configuration")]
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(otherwise)
}

fn settings(url: &str, prefix: &str) -> Elastic {
    let names = Names::new(&format!("{prefix}-%Y.%m.%d")).expect("a pattern");
    Elastic { names, ..Elastic::at(vec![url.to_owned()]) }
}

fn median(numbers: &mut [f64]) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// How many match, and p50 and p99 in milliseconds.
fn asked(index: &dyn Index, search: &Search) -> (u64, [f64; 2]) {
    let mut found = 0;
    let mut took: Vec<f64> = (0..ASKED)
        .map(|_| {
            let begin = Instant::now();
            found = index.search(search, 100).expect("an answer").total;
            begin.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    took.sort_by(f64::total_cmp);
    (found, [took[took.len() / 2], took[took.len() * 99 / 100]])
}

/// Requests as whodid makes them, of the documents that it makes.
fn bodies(trail: &Reader, events: u64) -> Vec<Vec<String>> {
    let origin = Entries::origin(trail).expect("readable");
    let bytes_max = Elastic::at(Vec::new()).batch_bytes;
    let (mut bodies, mut lines, mut bytes) = (Vec::new(), Vec::new(), 0);
    for entry in Entries::entries(trail, 0).expect("readable").take(events as usize) {
        let entry = entry.expect("readable");
        lines.push(format!("{{\"create\":{{\"_id\":\"{}\"}}}}", entry.event.id));
        lines.push(document(&origin, entry.seq, &entry.event, &entry.leaf.to_string()).to_string());
        bytes += lines.last().map_or(0, String::len);
        if bytes > bytes_max {
            bodies.push(std::mem::take(&mut lines));
            bytes = 0;
        }
    }
    bodies.push(lines);
    bodies
}

/// One request after the other, into one index with the fields of the template.
fn post(url: &str, index: &str, bodies: &[Vec<String>]) -> Duration {
    let made = elastic::template(&settings(url, "bare"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("threads");
    let pool = SingleNodeConnectionPool::new(url.parse().expect("an address"));
    let transport = TransportBuilder::new(pool).disable_proxy().build().expect("a client");
    runtime.block_on(async {
        let path = format!("/{index}");
        let send = async |method, path: &str, body: Vec<String>| {
            let sent = transport.send(method, path, HeaderMap::new(), None::<&()>, Some(NdBody::new(body)), None).await;
            let answer = sent.expect("an answer");
            assert!(answer.status_code().is_success(), "{:?}", answer.text().await);
            answer.json::<serde_json::Value>().await.expect("JSON")
        };
        send(Method::Put, &path, vec![made["template"].to_string()]).await;
        let begin = Instant::now();
        for body in bodies {
            let answer = send(Method::Post, &format!("{path}/_bulk"), body.clone()).await;
            assert_eq!(answer["errors"], false);
        }
        send(Method::Post, &format!("{path}/_refresh"), Vec::new()).await;
        begin.elapsed()
    })
}

/// What whodid does, from an empty cluster.
fn take_in(url: &str, round: u64, trail: &Reader, events: u64) -> Duration {
    let data = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let settings = settings(url, &format!("ours-{round}"));
    let origin = Entries::origin(trail).expect("readable");
    let mut writer = elastic::Writer::open(data.path(), &origin, &settings).expect("a cluster");
    let begin = Instant::now();
    let reached = writer.catch_up(trail, events, Stamp::parse(NOW).expect("an instant"));
    assert_eq!(reached.expect("it takes in"), events);
    begin.elapsed()
}

/// A trail of a made-up auth.log.
fn make_trail(folder: &Path, data: &Path, events: u64) {
    let now = Stamp::parse(NOW).expect("an instant");
    let (mut writer, _) =
        Writer::open(Open::new(data, folder.join("keys"), "example.org", "web-1", now)).expect("a trail");
    let mut decoder = sources::decoder(Stream {
        name: "auth".into(),
        family: Family::Auth,
        origin: "auth.log".into(),
        host: "web-1".to_owned(),
        identity: Identity::Place { lineage: Lineage::new("web-1", Family::Auth, b"bench"), generation: 0 },
        start: 0,
        zone: Zone::UTC,
        year: Year::NotAfter(now),
        marks: Marks::default(),
        world: Default::default(),
    });
    let (mut log, mut left) = (auth_log::AuthLog::new(1), events);
    while left > 0 {
        let mut block = String::new();
        for line in log.by_ref().take(4_000) {
            block.push_str(&line);
            block.push('\n');
        }
        let mut decoded = Vec::new();
        decoder.push(block.as_bytes(), now, &mut decoded);
        decoded.truncate(left as usize);
        left -= decoded.len() as u64;
        let lines = decoded.iter_mut().map(|event| {
            let (bytes, blob) = event::encode(event);
            Line::new(event.id, bytes, blob).expect("a line")
        });
        writer.append(lines.collect()).expect("room");
        writer.commit().expect("room");
    }
    writer.sign().expect("room");
}

struct Server {
    node: Child,
    url: String,
}

impl Server {
    fn start(folder: &Path) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a measurement has no configuration")]
        let name = std::env::var("SERVER").unwrap_or_else(|_| "opensearch-3".to_owned());
        let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers").join(&name);
        let command = std::fs::read_to_string(made.join("command"))
            .unwrap_or_else(|_| panic!("{name} is not ready to be started: tests/servers/prepare {name}"));
        let mut words = command.lines();
        let mut node = Command::new(words.next().expect("a program"))
            .args(words)
            .args([&made.join("home"), &folder.join("server")])
            .arg("0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut said = BufReader::new(node.stdout.take().expect("it is piped")).lines().map_while(Result::ok);
        let address = said.find_map(|line| line.strip_prefix("ready ").map(str::to_owned)).expect("it comes up");
        // It goes on talking.
        std::thread::spawn(move || said.for_each(drop));
        println!("{name} on {address}");
        Self { node, url: format!("http://{address}") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.node.stdin.take());
        self.node.wait().expect("it ends when its input does");
    }
}
