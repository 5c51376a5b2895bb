//! Real search servers on loopback: the vendors' own node classes, as `tests/servers/prepare` makes them ready.
//!
//! A server is started by the first test that asks for it and serves all others of the test process, each in
//! indices of its own. It ends with the test process, however that ends, because its standard input does; then it
//! also deletes its data. They hold the core only, no modules: no TLS, no users, no ILM, no painless.
//!
//! The path of a test that needs a server holds its name (`…::opensearch_3`), so that `tests/run` can leave out those
//! whose server cannot be had on a machine. By hand, after `tests/servers/prepare opensearch-3`:
//!
//! ```text
//! cargo test --test it servers:: -- --ignored opensearch_3
//! ```

use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value as Json;
use tempfile::TempDir;

mod answers;
mod engines;
mod faults;
mod fronts;
mod mapping;

pub(crate) mod front;
pub(crate) mod http;
pub(crate) mod proxy;
pub(crate) mod sigv4;
pub(crate) mod tls;

/// A test for each kind of server: `each_kind!(name)` for a function `name(kind: Kind)`.
macro_rules! each_kind {
    ($name:ident) => {
        mod $name {
            use crate::servers::Kind;

            #[test]
            #[ignore = "needs a real server"]
            fn opensearch_2() {
                super::$name(Kind::OpenSearch2);
            }

            #[test]
            #[ignore = "needs a real server"]
            fn opensearch_3() {
                super::$name(Kind::OpenSearch3);
            }

            #[test]
            #[ignore = "needs a real server"]
            fn elasticsearch_7() {
                super::$name(Kind::Elasticsearch7);
            }

            #[test]
            #[ignore = "needs a real server"]
            fn elasticsearch_9() {
                super::$name(Kind::Elasticsearch9);
            }
        }
    };
}
pub(crate) use each_kind;

/// The same where the kinds take turns: `in_turn!(name, OpenSearch2)` is tried on that kind, and on all of them when
/// `WHODID_LONG` is set.
macro_rules! in_turn {
    ($name:ident, $turn:ident) => {
        mod $name {
            use crate::servers::Kind;

            pub(super) fn taken(kind: Kind) {
                match kind == Kind::$turn || std::env::var_os("WHODID_LONG").is_some() {
                    true => super::$name(kind),
                    false => eprintln!("left to the long run: WHODID_LONG=1"),
                }
            }

            crate::servers::each_kind!(taken);
        }
    };
}
pub(crate) use in_turn;

/// The servers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    OpenSearch2,
    OpenSearch3,
    Elasticsearch7,
    Elasticsearch9,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] =
        [Self::OpenSearch2, Self::OpenSearch3, Self::Elasticsearch7, Self::Elasticsearch9];

    /// As its folder in `tests/servers` is called.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OpenSearch2 => "opensearch-2",
            Self::OpenSearch3 => "opensearch-3",
            Self::Elasticsearch7 => "elasticsearch-7",
            Self::Elasticsearch9 => "elasticsearch-9",
        }
    }

    pub(crate) fn version(self) -> &'static str {
        match self {
            Self::OpenSearch2 => "2.19.1",
            Self::OpenSearch3 => "3.3.0",
            Self::Elasticsearch7 => "7.17.28",
            Self::Elasticsearch9 => "9.1.0",
        }
    }

    pub(crate) fn is_opensearch(self) -> bool {
        matches!(self, Self::OpenSearch2 | Self::OpenSearch3)
    }
}

/// The server of this kind that all tests of this process share.
pub(crate) fn shared(kind: Kind) -> &'static Server {
    static SERVERS: [OnceLock<Server>; Kind::ALL.len()] = [const { OnceLock::new() }; Kind::ALL.len()];
    let at = Kind::ALL.iter().position(|known| *known == kind).expect("all are listed");
    SERVERS[at].get_or_init(|| Server::start(kind, 0))
}

/// A server for a test that ends it or changes it as a whole.
pub(crate) fn own(kind: Kind) -> Server {
    Server::start(kind, 0)
}

/// A node that runs, or was killed.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    /// `http://127.0.0.1:43211`
    pub(crate) url: String,
    /// Its data; it goes with the server, or with this where that was killed.
    folder: TempDir,
    running: Option<Running>,
}

struct Running {
    node: Child,
    /// The server lives as long as this end of it is open.
    life: Option<ChildStdin>,
}

/// Ten times what the slowest needs on two busy cores.
const START_SECONDS_MAX: u64 = 180;

impl Server {
    /// `port`: 0 for any.
    fn start(kind: Kind, port: u16) -> Self {
        let folder = tempfile::Builder::new().prefix(kind.name()).tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let mut server = Self { kind, url: String::new(), folder: folder.expect("a folder"), running: None };
        server.run(port);
        server
    }

    /// Its address without the scheme: `127.0.0.1:43211`.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Asks it something, in JSON.
    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Json>) -> (u16, Json) {
        let body = body.map(Json::to_string).unwrap_or_default();
        let answer = http::ask(self.address(), method, path, &[("content-type", "application/json")], body.as_bytes());
        let answer = answer.unwrap_or_else(|error| panic!("{} does not answer: {error}", self.kind.name()));
        (answer.status(), answer.json())
    }

    /// Ends it as kill -9 does. Its data stay as they are.
    pub(crate) fn kill(&mut self) {
        let mut running = self.running.take().expect("it runs");
        running.node.kill().expect("it runs");
        running.node.wait().expect("it was killed");
    }

    /// After [`Server::kill`]: the same data at the same address.
    pub(crate) fn restart_on_same_data(&mut self) {
        assert!(self.running.is_none(), "it was killed before");
        let port = self.address().rsplit(':').next().and_then(|port| port.parse().ok());
        self.run(port.expect("it ran before"));
    }

    fn run(&mut self, port: u16) {
        let name = self.kind.name();
        let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/servers").join(name);
        let command = std::fs::read_to_string(made.join("command"))
            .unwrap_or_else(|_| panic!("{name} is not ready to be started: tests/servers/prepare {name}"));
        let mut words = command.lines();
        let log = self.log();
        let file = File::options().create(true).append(true).open(&log).expect("a log");
        let mut node = Command::new(words.next().expect("a program"))
            .args(words)
            .args([&made.join("home"), self.folder.path()])
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file.try_clone().expect("a log"))
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let life = node.stdin.take();
        let said = follow(BufReader::new(node.stdout.take().expect("it is piped")), file);
        self.running = Some(Running { node, life });
        match said.recv_timeout(Duration::from_secs(START_SECONDS_MAX)) {
            Ok(address) => self.url = format!("http://{address}"),
            Err(_) => {
                self.folder.disable_cleanup(true);
                panic!("{name} did not come up; it said:\n{}", tail(&log));
            }
        }
        // It listens before it knows its own cluster.
        let (status, health) = self.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=60s", None);
        assert_eq!(status, 200, "{name}: {health}; it said:\n{}", tail(&log));
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(Running { mut node, life }) = self.running.take() {
            drop(life);
            node.wait().expect("it ends when its input does");
        }
    }
}

/// Keeps what it says, and hands over the address once it is ready.
fn follow(said: impl BufRead + Send + 'static, mut log: File) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in said.lines().map_while(Result::ok) {
            match line.strip_prefix("ready ") {
                Some(address) => sender.send(address.to_owned()).unwrap_or_default(),
                None => writeln!(log, "{line}").expect("a log takes lines"),
            }
        }
    });
    receiver
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    format!("{}\n(all of it: {})", lines[lines.len().saturating_sub(40)..].join("\n"), log.display())
}
