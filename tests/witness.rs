//! A log and its witness, as two installations on loopback.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::program::{Place, Said, stop, until};

mod hostile;
mod interop;
mod killed;

/// An installation of a witness, running or not.
struct Host {
    folder: TempDir,
    running: Option<Child>,
    address: String,
}

impl Host {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), running: None, address: "127.0.0.1:0".into() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The keys of the logs it watches; what changes is read at its next start.
    fn watch(&self, keys: &[String]) {
        let logs: String = keys.iter().map(|key| format!("[[log]]\nkey = \"{key}\"\n")).collect();
        let top = format!("name = \"witness.example.org\"\nlisten = \"{}\"\nstate = \"state\"\n", self.address);
        write(&self.path("witness.toml"), format!("{top}timeout = \"1s\"\nconnections_max = 8\n{logs}").as_bytes());
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_whodid"));
        command.arg("--config").arg(self.path("witness.toml")).arg("witness").args(args).stdin(Stdio::null());
        command
    }

    fn key(&self) -> String {
        let said = Said::from(self.command(&["--print-key"]).output().expect("it runs"));
        said.code(0);
        said.out_of().trim().to_owned()
    }

    /// Starts it; from the second time on at the same address.
    fn start(&mut self) {
        let log = fs::File::create(self.path("stderr")).expect("a file");
        self.running = Some(self.command(&[]).stderr(log).spawn().expect("it runs"));
        let said = || fs::read_to_string(self.path("stderr")).unwrap_or_default();
        until("the witness listens", || said().contains("Listening."));
        let address = said().split("address=").nth(1).and_then(|rest| rest.split(' ').next().map(str::to_owned));
        self.address = address.expect("an address");
    }

    fn stop(&mut self) {
        assert!(stop(self.running.take().expect("it runs")).success(), "{}", self.said());
    }

    fn said(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap_or_default()
    }

    fn conflicts(&self) -> Vec<String> {
        let names = fs::read_dir(self.path("state/conflicts")).expect("a folder");
        names.map(|entry| entry.expect("readable").file_name().into_string().expect("a name")).collect()
    }

    /// One request as it stands; the status line's number, and what follows the head.
    fn ask(&self, request: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        // It may answer and close before it has read all.
        drop(stream.write_all(request));
        answer(&mut stream)
    }

    fn post(&self, body: &[u8]) -> (u16, String) {
        let head = format!(
            "POST /add-checkpoint HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.ask(&[head.as_bytes(), body].concat())
    }
}

/// A witness that a failed test leaves behind ends with it.
impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut running) = self.running.take() {
            drop(running.kill());
            drop(running.wait());
        }
    }
}

fn answer(stream: &mut TcpStream) -> (u16, String) {
    let mut bytes = Vec::new();
    drop(stream.read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let code = text.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    (code, text)
}

fn write(path: &Path, bytes: &[u8]) {
    fs::File::create(path).and_then(|mut file| file.write_all(bytes)).expect("written");
}

/// A trail with entries and without an anchor yet: its key is what the witness is to be told.
fn place() -> Place {
    let place = Place::with_auth_log();
    grow(&place, 3);
    place.run(&["run", "--once"]).code(0);
    place
}

fn log_key(place: &Place) -> String {
    let keys = fs::read_dir(place.path("keys")).expect("keys").map(|entry| entry.expect("readable").path());
    let path = keys.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "vkey")).expect("a key");
    let text = fs::read_to_string(path).expect("readable");
    text.lines().next().expect("a line").to_owned()
}

/// Lines that were not there before.
fn grow(place: &Place, lines: usize) {
    let path = place.path("log/auth.log");
    let before = fs::read_to_string(&path).unwrap_or_default();
    let from = before.lines().count();
    let more: String = (from..from + lines)
        .map(|n| format!("Nov 20 10:{:02}:{:02} web-1 app[{n}]: entry\n", n / 60 % 60, n % 60))
        .collect();
    place.write("log/auth.log", (before + &more).as_bytes());
}

fn with_anchor(place: &Place, host: &Host, key: &str) {
    let before = fs::read_to_string(place.path("whodid.toml")).expect("readable");
    let before = before.split("[[anchor]]").next().expect("a beginning").to_owned();
    let anchor = format!(
        "[[anchor]]\nname = \"far\"\ntype = \"witness\"\nevery = \"1s\"\nurl = \"http://{}\"\nkey = \"{key}\"\n",
        host.address
    );
    place.write("whodid.toml", (before + &anchor).as_bytes());
}

/// A log that a running witness watches.
fn pair() -> (Place, Host, String) {
    let (place, mut host) = (place(), Host::new());
    host.watch(&[log_key(&place)]);
    let key = host.key();
    host.start();
    with_anchor(&place, &host, &key);
    (place, host, key)
}

fn signed(place: &Place) -> u64 {
    let checkpoint = fs::read_to_string(place.path("data/trail/checkpoint")).expect("a checkpoint");
    checkpoint.lines().nth(1).and_then(|size| size.parse().ok()).expect("a size")
}

fn cosigned(place: &Place) -> String {
    fs::read_to_string(place.path("data/trail/cosigned")).unwrap_or_default()
}

/// What the trail was told of its anchor, in the order of the alphabet.
fn told(place: &Place) -> Vec<String> {
    let mut told: Vec<String> =
        place.search("what.action:anchor.*").iter().map(|event| event.what.action.clone()).collect();
    told.sort();
    told
}

fn verify(place: &Place, key: &str) -> Said {
    place.run(&["trail", "verify", &place.path("data").to_string_lossy(), "--key", &log_key(place), "--witness", key])
}

fn copy(from: &Place, what: &str, to: &Place) {
    let target = to.path(what);
    drop(fs::remove_dir_all(&target));
    let done = Command::new("cp").arg("-a").arg(from.path(what)).arg(&target).status().expect("cp");
    assert!(done.success());
}

#[test]
fn a_trail_that_is_cosigned_is_whole_by_its_witness_alone() {
    let (place, mut host, key) = pair();
    for _ in 0..3 {
        grow(&place, 30);
        place.run(&["run", "--once"]).code(0);
        assert!(cosigned(&place).contains(&format!("\n{}\n", signed(&place))), "{}", cosigned(&place));
    }
    assert_eq!(told(&place), [""; 0]);
    let said = verify(&place, &key);
    said.code(0).out_holds("WHOLE to").out_holds(&format!("witness.example.org saw {} entries at 2", signed(&place)));
    let json = place.run(&["trail", "verify", "--witness", &key, "--json"]);
    json.code(0).out_holds("\"name\": \"witness.example.org\"");

    // Somebody who leaves the cosignatures out, or bends them.
    let kept = cosigned(&place);
    fs::remove_file(place.path("data/trail/cosigned")).expect("removed");
    verify(&place, &key).code(2).out_holds("no cosignature of witness.example.org");
    let line = kept.lines().rfind(|line| line.starts_with("— witness")).expect("a cosignature");
    let bent = line.chars().rev().enumerate().map(|(i, c)| if i == 20 { if c == 'A' { 'B' } else { 'A' } } else { c });
    let bent: String = bent.collect::<Vec<_>>().into_iter().rev().collect();
    place.write("data/trail/cosigned", kept.replace(line, &bent).as_bytes());
    verify(&place, &key).code(3).out_holds("the signature of witness.example.org is wrong");
    let other = Host::new();
    other.watch(&[log_key(&place)]);
    place.write("data/trail/cosigned", kept.as_bytes());
    verify(&place, &other.key()).code(2);
    verify(&place, "nonsense").code(3);

    host.stop();
    assert!(host.conflicts().is_empty(), "{}", host.said());
}

#[test]
fn a_witness_that_was_down_catches_up_and_one_that_forgot_relearns() {
    let (place, mut host, key) = pair();
    place.run(&["run", "--once"]).code(0);
    let old = place.path("old-state");
    let state = host.path("state");
    assert!(Command::new("cp").arg("-a").arg(&state).arg(&old).status().expect("cp").success());
    host.stop();
    grow(&place, 300);
    place.run(&["run", "--once"]).code(0);
    assert_eq!(told(&place), ["anchor.failed"]);
    host.watch(&[log_key(&place)]);
    host.start();
    grow(&place, 5);
    let daemon = place.start(&["run"]);
    until("it is told that the witness is back", || told(&place).contains(&"anchor.back".to_owned()));
    assert!(stop(daemon).success());
    verify(&place, &key).code(0).out_holds("WHOLE to");

    // Put back to what it cosigned first: honest logs do not mind.
    host.stop();
    fs::remove_dir_all(&state).expect("removed");
    assert!(Command::new("mv").arg(&old).arg(&state).status().expect("mv").success());
    host.start();
    grow(&place, 5);
    place.run(&["run", "--once"]).code(0);
    assert_eq!(told(&place), ["anchor.back", "anchor.failed"]);
    verify(&place, &key).code(0).out_holds("WHOLE to");
}

#[test]
fn a_clone_that_goes_on_is_found_by_the_witness() {
    let (place, host, _) = pair();
    place.run(&["run", "--once"]).code(0);
    let clone = Place::with_auth_log();
    for what in ["data", "keys", "log"] {
        copy(&place, what, &clone);
    }
    clone.write("whodid.toml", &fs::read(place.path("whodid.toml")).expect("readable"));
    grow(&place, 40);
    place.run(&["run", "--once"]).code(0);
    assert_eq!(told(&place), [""; 0]);

    // The same name, the same key, another history. It goes on, and says so.
    clone.write("log/auth.log", b"Nov 20 11:00:00 web-1 app[1]: other\n");
    clone.run(&["run", "--once"]).code(0);
    let events = clone.search("what.action:anchor.conflict");
    assert_eq!(events.len(), 1, "{events:#?}");
    let facts = &events[0].detail["whodid"];
    assert!(facts["known"].as_u64() > facts["ours"].as_u64(), "{facts}");
    clone.run(&["check", "whodid/trail-conflict"]).code(2);
    clone.write(
        "log/auth.log",
        (0..90).map(|n| format!("Nov 20 11:00:{:02} web-1 app[{n}]: other\n", n % 60)).collect::<String>().as_bytes(),
    );
    clone.run(&["run", "--once"]).code(0);
    assert!(!cosigned(&clone).contains(&format!("\n{}\n", signed(&clone))));
    clone.verify();

    let kept = host.conflicts();
    assert!(kept.iter().any(|name| name.contains("-older-") || name.contains("-unproven-")), "{kept:?}");
    assert!(host.said().contains("does not fit"), "{}", host.said());
    grow(&place, 40);
    place.run(&["run", "--once"]).code(0);
    assert_eq!(told(&place), [""; 0], "the first one is not disturbed");
}

#[test]
fn a_folder_put_back_with_its_second_memory_is_found_by_the_witness() {
    let (place, _host, key) = pair();
    place.run(&["run", "--once"]).code(0);
    let old = Place::with_auth_log();
    for what in ["data", "keys"] {
        copy(&place, what, &old);
    }
    grow(&place, 50);
    place.run(&["run", "--once"]).code(0);
    let newest = cosigned(&place);
    for what in ["data", "keys"] {
        copy(&old, what, &place);
    }
    // A copy without what the witness says now is sound as far as it goes; with it, it is not.
    verify(&place, &key).code(0);
    place.write("kept", newest.as_bytes());
    let anchored =
        place.run(&["trail", "verify", "--anchor", &place.path("kept").to_string_lossy(), "--witness", &key]);
    anchored.code(2);
    place.write("log/auth.log", b"Nov 20 12:00:00 web-1 app[1]: rewritten\n");
    place.run(&["run", "--once"]).code(0);
    assert_eq!(told(&place), ["anchor.conflict"]);
    place.run(&["check", "whodid/trail-conflict"]).code(2);
}
