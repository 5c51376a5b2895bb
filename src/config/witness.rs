//! `witness.toml`: which logs a witness watches, where it listens, where it remembers.
//!
//! Not part of `whodid.toml`: a witness runs on another host, for other people's trails. Whoever can write
//! this file decides whose checkpoints are cosigned.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Machine;
use super::definitions;
use super::file::join;
use super::problem::Problems;
use super::section::{Document, Key, Section, Shape, Table};

/// Everything that a witness was configured with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// By which its cosignatures are known.
    pub name: String,
    pub listen: SocketAddr,
    /// Folder of what it has cosigned.
    pub state: PathBuf,
    /// File of its private key; never below `state`.
    pub key: PathBuf,
    /// The verifier keys of the logs. Several of one name are keys that followed one another.
    pub logs: Vec<String>,
    pub connections_max: usize,
    pub timeout: Duration,
}

/// The name of the file.
pub const FILE_NAME: &str = "witness.toml";

/// Each takes a file and at most some ten KiB.
const CONNECTIONS_MAX: u64 = 10_000;

impl Witness {
    /// Reads the file named by `--config`; without one, `witness.toml` in the user's configuration folder or
    /// in `/etc/whodid`.
    pub fn discover(config: Option<&Path>) -> Result<Self, Problems> {
        let machine = Machine::look();
        let found = machine.config_folders().map(|folder| folder.join(FILE_NAME)).find(|file| file.exists());
        let fallback = || machine.system_config_folder().join(FILE_NAME);
        let file = config.map(Path::to_owned).or(found).unwrap_or_else(fallback);
        let text = definitions::read(&file).map_err(|error| Problems::one(definitions::unreadable(&file, &error)))?;
        Self::parse(&file, &text)
    }

    fn parse(file: &Path, text: &str) -> Result<Self, Problems> {
        let document = Document::parse(file, text);
        let folder = file.parent().unwrap_or(Path::new(""));
        let read = read(document.top(&TOP), folder);
        Problems::check(document.into_problems())?;
        // Whatever kept it from being read was reported.
        read.ok_or_else(|| Problems::one(definitions::problem(file, "it cannot be read", "mend the file")))
    }
}

fn read(mut top: Section<'_, '_>, folder: &Path) -> Option<Witness> {
    let name = top.required(&NAME);
    let fits = |c: char| c.is_ascii_graphic() && c != '+';
    if let Some(name) = name.as_deref().filter(|name| name.is_empty() || !name.chars().all(fits)) {
        top.report_key(
            "name",
            format!("`name`: \"{name}\" cannot be the name of a key"),
            "such as witness.example.org",
        );
    }
    let listen = top.or_default(&LISTEN).unwrap_or_default();
    let address = listen.parse::<SocketAddr>();
    if address.is_err() {
        let advice = "address and port, such as \"127.0.0.1:2026\" or \"[::1]:2026\"";
        top.report_key("listen", format!("`listen`: \"{listen}\" is nowhere to listen"), advice);
    }
    let state = top.required(&STATE).map(|path| join(folder, &path));
    let key = top.or_default(&KEY).map(|path| join(folder, &path));
    if let (Some(state), Some(key)) = (&state, &key)
        && key.starts_with(state)
    {
        top.report_key("key", "`key` lies within `state`: a copy of the state would hold it", "put it elsewhere");
    }
    let connections = top.or_default(&CONNECTIONS).unwrap_or_default();
    if !(1..=CONNECTIONS_MAX).contains(&connections) {
        let advice = format!("1 to {CONNECTIONS_MAX}");
        top.report_key("connections_max", format!("`connections_max`: {connections} is out of range"), advice);
    }
    let timeout = top.or_default(&TIMEOUT);
    let mut logs = Vec::new();
    for mut log in top.sections(&LOG) {
        logs.extend(log.required(&LOG_KEY).map(|key| key.trim().to_owned()));
        log.finish();
    }
    if logs.is_empty() {
        top.report("there is no [[log]]: nothing would be cosigned", "add one for each trail, with its verifier key");
    }
    top.finish();
    Some(Witness {
        name: name?,
        listen: address.ok()?,
        state: state?,
        key: key?,
        logs,
        connections_max: usize::try_from(connections).ok()?,
        timeout: timeout?,
    })
}

pub(super) static TOP: Table = Table {
    name: "",
    shape: Shape::One,
    doc: "",
    keys: &[
        &NAME.declaration,
        &LISTEN.declaration,
        &STATE.declaration,
        &KEY.declaration,
        &CONNECTIONS.declaration,
        &TIMEOUT.declaration,
    ],
    tables: &[&LOG],
};

static NAME: Key<String> = Key::required(
    "name",
    "\"witness.example.org\"",
    "By which its cosignatures are known: an address without scheme, by habit. One key, one name, for good.",
);

static LISTEN: Key<String> = Key::with_default(
    "listen",
    "\"127.0.0.1:2026\"",
    "Where it listens, without TLS: a reverse proxy in front of it adds that. What is sent and answered is\n\
     public and signed; TLS keeps others from delaying it unseen.",
);

static STATE: Key<PathBuf> = Key::required(
    "state",
    "\"/var/lib/whodid-witness\"",
    "Folder of what it has cosigned. Put back to an older state, it could be made to cosign two histories:\n\
     leave it out of restores. Who can write there can do that too.",
);

static KEY: Key<PathBuf> = Key::with_default(
    "key",
    "\"witness.key\"",
    "File of its private key, relative to this file's folder; made at the first start. Never below `state`.\n\
     Who can read it can cosign anything.",
);

static CONNECTIONS: Key<u64> =
    Key::with_default("connections_max", "64", "How many connections are served at once; others wait.");

static TIMEOUT: Key<Duration> = Key::with_default(
    "timeout",
    "\"10s\"",
    "How long a request may take to arrive, and how long a connection may be silent.",
);

static LOG: Table = Table {
    name: "log",
    shape: Shape::Many,
    doc: "A trail whose checkpoints are cosigned. After a rotation of its key: one more table, with the new key.",
    keys: &[&LOG_KEY.declaration],
    tables: &[],
};

static LOG_KEY: Key<String> = Key::required(
    "key",
    "\"example.org/web-1/q7c2…+f0c8e200+AQOhB7/…\"",
    "Its verifier key: the first line of <trail id>.vkey in its key folder.",
);

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Witness, String> {
        Witness::parse(Path::new("/etc/whodid/witness.toml"), text).map_err(|problems| problems.to_string())
    }

    const GOOD: &str = "name = \"witness.example.org\"\nstate = \"state\"\n[[log]]\nkey = \"a+b+c\"\n";

    #[test]
    fn what_is_not_said_is_as_declared() {
        let read = parse(GOOD).expect("good");
        assert_eq!(read.listen.to_string(), "127.0.0.1:2026");
        assert_eq!(read.key, Path::new("/etc/whodid/witness.key"));
        assert_eq!(read.state, Path::new("/etc/whodid/state"));
        assert_eq!((read.connections_max, read.timeout), (64, Duration::from_secs(10)));
        assert_eq!(read.logs, ["a+b+c"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, part) in [
            (GOOD.replace("state = \"state\"", ""), "`state` is missing"),
            (GOOD.replace("witness.example.org", "a b"), ":1: `name`"),
            (GOOD.replace("[[log]]", "listen = \"here\"\n[[log]]"), ":3: `listen`"),
            (GOOD.replace("[[log]]", "key = \"state/key\"\n[[log]]"), ":3: `key` lies within"),
            (GOOD.replace("[[log]]", "connections_max = 0\n[[log]]"), ":3: `connections_max`"),
            (GOOD.replace("[[log]]", "logs = 3\n[[log]]"), ":3: unknown key `logs`"),
            ("name = \"a\"\nstate = \"b\"\n".to_owned(), "no [[log]]"),
            ("name = ".to_owned(), ":1: not valid TOML"),
        ] {
            let problems = parse(&text).expect_err(part);
            assert!(problems.contains(part), "{part}: {problems}");
        }
    }
}
