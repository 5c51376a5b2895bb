//! The program itself, run as its users run it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use whodid::event::Event;

mod adopt;
mod alerts;
mod bad_input;
mod cloud_people;
mod digests;
mod door;
mod doubles;
mod exec;
mod exposed;
mod init;
mod intake;
mod kept;
mod kills;
mod lists;
pub(crate) mod people;
mod prove;
mod quickstart_run;
mod ssh_agent;
mod usage;

/// A folder with a configuration, as one installation.
pub(crate) struct Place {
    folder: TempDir,
}

/// What a run of the program said.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    status: ExitStatus,
    out: String,
    pub(crate) err: String,
}

impl Said {
    /// None of a program that was killed.
    pub(crate) fn code_of(&self) -> Option<i32> {
        self.status.code()
    }

    pub(crate) fn out_of(&self) -> &str {
        &self.out
    }

    #[track_caller]
    pub(crate) fn code(&self, expected: i32) -> &Self {
        assert_eq!(self.status.code(), Some(expected), "{self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn err_holds(&self, part: &str) -> &Self {
        assert!(self.err.contains(part), "no \"{part}\" in {self:#?}");
        self
    }

    #[track_caller]
    pub(crate) fn out_holds(&self, part: &str) -> &Self {
        assert!(self.out.contains(part), "no \"{part}\" in {self:#?}");
        self
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
        Self { status: output.status, out: text(output.stdout), err: text(output.stderr) }
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whodid"));
    command.stdin(Stdio::null());
    command
}

impl Place {
    /// `rest` is the configuration but for its folders.
    pub(crate) fn new(rest: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        let top = "data = \"data\"\nkeys = \"keys\"\norg = \"example.org\"\nhost = \"web-1\"\n";
        place.write("whodid.toml", format!("{top}{rest}").as_bytes());
        place
    }

    /// One that follows `log/auth.log` and its rotated copies.
    pub(crate) fn with_auth_log() -> Self {
        let place = Self::new(
            "[[source]]\nname = \"auth\"\ntype = \"auth\"\npaths = [\"log/auth.log*\"]\ntz = \"UTC\"\nyear = 2026\n",
        );
        fs::create_dir(place.path("log")).expect("a folder");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        fs::File::create(path).and_then(|mut file| std::io::Write::write_all(&mut file, bytes)).expect("written");
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = program();
        command.current_dir(self.folder.path()).arg("--config").arg(self.path("whodid.toml")).args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        self.command(args).output().expect("it runs").into()
    }

    /// Starts the daemon; its messages go to `stderr` in the folder.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let log = fs::File::create(self.path("stderr")).expect("a file");
        self.command(args).stdout(Stdio::null()).stderr(log).spawn().expect("it runs")
    }

    /// Every event that a query finds.
    #[track_caller]
    pub(crate) fn search(&self, query: &str) -> Vec<Event> {
        let said = self.run(&["search", query, "--format", "whodid", "--limit", "10000000"]);
        said.code(0);
        said.out.lines().map(|line| Event::decode(line.as_bytes()).expect(line)).collect()
    }

    /// The bytes of all segments, one after the other; of a plain and a sealed one the plain.
    pub(crate) fn trail(&self) -> Vec<u8> {
        let names = fs::read_dir(self.path("data/trail/segment")).expect("a trail");
        let names: BTreeSet<PathBuf> = names.map(|entry| entry.expect("readable").path()).collect();
        let read = |path: &PathBuf| {
            let bytes = fs::read(path).expect("readable");
            match path.extension().and_then(|ending| ending.to_str()) {
                Some("jsonl") => bytes,
                Some("zst") if !names.contains(&path.with_extension("")) => {
                    zstd::decode_all(bytes.as_slice()).expect("frames")
                }
                _ => Vec::new(),
            }
        };
        names.iter().flat_map(read).collect()
    }

    #[track_caller]
    pub(crate) fn verify(&self) {
        self.run(&["trail", "verify"]).code(0);
    }
}

/// Waits until something is so; what it waits for is named when it never is.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub(crate) fn stop(mut child: Child) -> ExitStatus {
    let pid = rustix_pid(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
    child.wait().expect("it was stopped")
}

fn rustix_pid(child: &Child) -> rustix::process::Pid {
    rustix::process::Pid::from_child(child)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(bytes).expect("memory");
    gz.finish().expect("memory")
}

fn exists(path: &Path) -> bool {
    path.try_exists().expect("its folder can be read")
}
