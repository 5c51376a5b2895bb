//! The two records of a run, in the form that [`crate::sources::run_record`] reads.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use serde_json::{Map, Value as Json, json};

use super::Job;
use crate::event::Stamp;
use crate::sources::run_record::{self, RECORD_BYTES_MAX};

/// One run, before and after.
pub(super) struct Run {
    path: String,
    facts: Map<String, Json>,
    command: String,
}

/// How a command ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Exit(i32),
    Signal(String),
    NotStarted { error: String, code: u8 },
}

/// 80 bits: nobody meets the same one twice.
const ID_BYTES: usize = 10;

const NAME_BYTES_MAX: usize = 256;

/// Longer commands are lists of files; how long it was is said.
const COMMAND_BYTES_MAX: usize = 16 << 10;

impl Run {
    /// `around` is what the environment says of the runs around this one.
    pub(super) fn new(job: &Job, around: Option<&OsStr>) -> Self {
        let words = std::iter::once(&job.program).chain(&job.arguments);
        let command = words.map(quoted).collect::<Vec<_>>().join(" ");
        let path = path(around, &id());
        let own_name = || Path::new(&job.program).file_name().unwrap_or(&job.program).to_string_lossy().into_owned();
        let name = job.name.clone().unwrap_or_else(own_name);
        let mut facts = Map::new();
        let mut know = |name: &str, value: Option<Json>| facts.extend(value.map(|value| (name.to_owned(), value)));
        know("whodid", Some(json!("exec")));
        know("run", Some(json!(path)));
        know("host", Some(json!(job.host)));
        know("uid", Some(json!(rustix::process::getuid().as_raw())));
        know("pid", Some(json!(std::process::id())));
        know("tty", tty().map(Json::from));
        know("cwd", std::env::current_dir().ok().map(|cwd| json!(cwd.to_string_lossy())));
        know(
            "sudo_user",
            std::env::var_os("SUDO_USER").map(|user| json!(cut(&user.to_string_lossy(), NAME_BYTES_MAX))),
        );
        know("name", Some(json!(cut(&name, NAME_BYTES_MAX))));
        Self { path, facts, command }
    }

    /// For `WHODID_RUN`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn start(&self, now: Stamp) -> Vec<u8> {
        self.line("run.start", now, Map::new())
    }

    pub(super) fn finish(&self, now: Stamp, took: Duration, child: Option<u32>, ended: &Ended) -> Vec<u8> {
        let mut facts = Map::new();
        facts.insert("seconds".to_owned(), json!(took.as_millis() as f64 / 1_000.0));
        facts.extend(child.map(|child| ("child".to_owned(), json!(child))));
        match ended {
            Ended::Exit(code) => facts.insert("exit".to_owned(), json!(code)),
            Ended::Signal(name) => facts.insert("signal".to_owned(), json!(name)),
            Ended::NotStarted { error, code } => {
                facts.insert("error".to_owned(), json!(error));
                facts.insert("exit".to_owned(), json!(code))
            }
        };
        self.line("run.finish", now, facts)
    }

    /// With as much of the command as fits: what JSON escapes may be six times as long.
    fn line(&self, action: &str, now: Stamp, more: Map<String, Json>) -> Vec<u8> {
        let mut facts = self.facts.clone();
        facts.extend(more);
        facts.insert("action".to_owned(), json!(action));
        facts.insert("time".to_owned(), json!(now));
        let mut most = COMMAND_BYTES_MAX;
        loop {
            let command = cut(&self.command, most);
            facts.insert("command".to_owned(), json!(command));
            if command.len() < self.command.len() {
                facts.insert("command_bytes".to_owned(), json!(self.command.len()));
            }
            // A map with strings for keys always serialises.
            let mut line = serde_json::to_vec(&facts).unwrap_or_default();
            line.push(b'\n');
            if line.len() <= RECORD_BYTES_MAX || most == 0 {
                return line;
            }
            most /= 2;
        }
    }
}

/// A record for people: without its secrets.
pub(super) fn shown(record: &[u8]) -> String {
    String::from_utf8_lossy(&run_record::without_secrets(record.trim_ascii_end())).into_owned()
}

fn id() -> String {
    let mut bytes = [0; ID_BYTES];
    if getrandom::fill(&mut bytes).is_err() {
        // A kernel without randomness: the process is known by its number, and a run by its time.
        bytes = [0; ID_BYTES];
        bytes[..4].copy_from_slice(&std::process::id().to_be_bytes());
    }
    BASE32_NOPAD.encode(&bytes).to_ascii_lowercase()
}

/// The runs around it and itself; those that are too many, or no ids, are left out.
fn path(around: Option<&OsStr>, id: &str) -> String {
    let with = around.map(|around| format!("{}/{id}", around.to_string_lossy()));
    with.filter(|path| run_record::runs(path).is_some()).unwrap_or_else(|| id.to_owned())
}

/// The terminal of standard input, output or error.
fn tty() -> Option<String> {
    let buffer = Vec::new;
    let name = rustix::termios::ttyname(std::io::stdin(), buffer())
        .or_else(|_| rustix::termios::ttyname(std::io::stderr(), buffer()))
        .or_else(|_| rustix::termios::ttyname(std::io::stdout(), buffer()))
        .ok()?;
    let name = name.to_string_lossy();
    Some(name.strip_prefix("/dev/").unwrap_or(&name).to_owned())
}

/// A word as a shell would take it back.
fn quoted(word: &OsString) -> String {
    let word = word.to_string_lossy();
    let is_plain = |c: char| c.is_alphanumeric() || "%+,-./:=@_".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.into_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Outcome;
    use crate::sources::run_record::{Sender, received};
    use crate::sources::secrets::Marks;

    fn job(words: &[&str]) -> Job {
        let mut words = words.iter().map(OsString::from);
        let program = words.next().expect("a program");
        Job { name: None, program, arguments: words.collect(), host: "web-1".to_owned() }
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let run = Run::new(&job(&["/bin/sh", "-c", "echo 'it is'"]), Some(OsStr::new("a1/b2")));
        assert!(run.path().starts_with("a1/b2/") && run.path().len() == 6 + 16);
        let now = Stamp::from_unix(1_795_176_000, 0);
        let finish = run.finish(now, Duration::from_millis(1_500), Some(7), &Ended::Signal("SIGTERM".to_owned()));
        let event = received(&finish, &Sender::default(), &Marks::default(), "intake", "web-1", now);
        assert_eq!((event.what.action.as_str(), event.outcome), ("run.finish", Outcome::Failure));
        assert_eq!(event.what.command.as_deref(), Some(r"/bin/sh -c 'echo '\''it is'\'''"));
        assert_eq!(event.what.object.as_deref(), Some("sh"));
        assert_eq!(event.what.run.join("/"), run.path());
        assert_eq!(event.reason.as_deref(), Some("ended by SIGTERM"));
        assert_eq!(event.detail_tree()["exec"]["seconds"], 1.5);
    }

    #[test]
    fn a_long_command_fits_whatever_is_in_it() {
        for word in ["x".repeat(1 << 20), "\u{1}".repeat(1 << 20), "ä\u{0}".repeat(1 << 18)] {
            let run = Run::new(&job(&["true", &word]), None);
            let line = run.start(Stamp::from_unix(0, 0));
            assert!(line.len() <= RECORD_BYTES_MAX, "{}", line.len());
            let record: Json = serde_json::from_slice(&line).expect("JSON");
            assert!(record["command_bytes"].as_u64() > Some(1 << 19));
        }
    }

    #[test]
    fn what_is_no_list_of_runs_is_not_passed_on() {
        for bad in ["", "a b", "x/../y", &["a"; 8].join("/")] {
            assert_eq!(path(Some(OsStr::new(bad)), "id"), "id", "{bad}");
        }
    }

    #[test]
    fn nobody_reads_a_secret_on_stderr() {
        let run = Run::new(&job(&["mysql", "--password=tiger"]), None);
        let shown = shown(&run.start(Stamp::from_unix(0, 0)));
        assert!(!shown.contains("tiger") && shown.contains("mysql"), "{shown}");
    }
}
