//! SIGKILL, a full disk and a failing disk at every system call with which the program changes a disk.
//!
//! strace counts the calls that each thread makes at one path and kills the program before the n-th, or lets
//! the n-th fail. Afterwards the program runs once more, undisturbed: then every line of the log is in the
//! trail once, no id is there twice, and `trail verify` is content. No sector is torn here and no cache of
//! a disk is lost: strace shows what the program does and in which order, not what a disk makes of it.
//! It counts for each thread: the first calls of the writer's thread at a path that the opening thread has
//! called before are not reached, only the later ones.
//!
//! Usually a sample of all places is tried, a minute's worth. All of them, some ten minutes:
//!
//! ```text
//! WHODID_LONG=1 cargo test --test it killed:: -- --ignored --nocapture --test-threads 2
//! ```

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::process::Command;

use whodid::event::{Event, EventId};

use crate::generate::auth_log::AuthLog;
use crate::program::{Place, Said};

mod adopting;
mod images;
mod keeping;
mod rolling;
mod short;

/// Calls that change a disk or make a change durable; the others change nothing that a kill could leave half done.
const CALLS: &[&str] = &[
    "openat",
    "write",
    "pwrite64",
    "writev",
    "pwritev",
    "copy_file_range",
    "sendfile",
    "fallocate",
    "ftruncate",
    "fdatasync",
    "fsync",
    "syncfs",
    "sync_file_range",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "mkdir",
    "mkdirat",
    "rmdir",
];

/// Calls that a disk can fail.
const FAILING: &[&str] = &["write", "pwrite64", "fdatasync", "fsync"];

/// A few hundred: more than a tile of the tree, so that full ones and those at its edge are written.
const LINES_BEFORE: usize = 230;
/// So many that the second run closes an epoch.
const LINES_AFTER: usize = 260;

/// Longer than a line of the trail can be: it becomes a file of its own.
const LONG_BYTES: usize = 70_000;

/// Of the places, which are tried when time matters: one in so many.
const ONE_FIRST_KILL_IN: usize = 16;
const ONE_KILL_IN: usize = 12;
const ONE_FAILURE_IN: usize = 6;

/// A program that hangs is not waited for.
const SECONDS_MAX: &str = "120";

/// What `timeout` says of a program that it ended itself; strace and it die as their program did.
const HUNG: i32 = 124;

/// The n-th of these calls, in any thread, at this path; at any path where none is named.
#[derive(Debug, Clone)]
struct Spot {
    call: &'static str,
    path: Option<String>,
    nth: usize,
}

impl Spot {
    fn is_sync(&self) -> bool {
        self.call.ends_with("sync")
    }

    /// Its next try begins with another file.
    fn is_at_new_file(&self) -> bool {
        self.path.as_ref().is_some_and(|path| path.ends_with(".tmp"))
    }

    fn is_at_segment(&self) -> bool {
        self.path.as_ref().is_some_and(|path| path.starts_with("data/trail/segment"))
    }

    /// What is there can be lost without harm.
    fn is_at_cache(&self) -> bool {
        self.path.as_ref().is_some_and(|path| path.ends_with(".blocks") || path.starts_with("data/trail/seen"))
    }
}

/// Whose call failed.
#[derive(Debug, PartialEq, Eq)]
enum Thread {
    /// The one that opens the trail, before there is anything to wait with.
    First,
    Other,
}

/// A call that strace saw.
struct Call {
    thread: String,
    name: &'static str,
    path: String,
}

/// An installation that can be put back to where it was.
struct Again {
    place: Place,
    /// What is killed, and runs to its end afterwards.
    program: fn(&Place) -> Command,
}

impl Again {
    /// One that has never run.
    fn fresh() -> Self {
        let this = Self { place: Place::with_auth_log(), program: run_once };
        this.log(1, LINES_BEFORE, true);
        this
    }

    /// One with a trail, whose log has grown since.
    fn grown() -> Self {
        let this = Self { place: Place::with_auth_log(), program: run_once };
        this.log(1, LINES_BEFORE, false);
        this.place.run(&["run", "--once"]).code(0);
        this.shell("mkdir was && cp -a data keys was");
        this.log(1, LINES_BEFORE + LINES_AFTER, true);
        this
    }

    fn log(&self, seed: u64, lines: usize, with_long: bool) {
        let mut text: String = AuthLog::new(seed).take(lines).map(|line| line + "\n").collect();
        if with_long {
            text += &format!("Nov 20 10:12:00 web-1 app[1]: {}\n", "x".repeat(LONG_BYTES));
            text.extend(AuthLog::new(seed + 1).take(20).map(|line| line + "\n"));
        }
        self.place.write("log/auth.log", text.as_bytes());
    }

    fn put_back(&self) {
        self.shell("rm -rf data keys trace && if [ -d was ]; then cp -a was/. .; fi");
    }

    fn shell(&self, script: &str) {
        let done = Command::new("sh").args(["-ec", script]).current_dir(self.place.path("")).status().expect("sh");
        assert!(done.success(), "{script}");
    }

    /// Runs the program under strace, which does something to it at a spot.
    fn run(&self, what: &str, spot: &Spot) -> Said {
        let inject = format!("inject={}:{what}:when={}", spot.call, spot.nth);
        let mut args = vec!["-e".to_owned(), inject];
        if let Some(path) = &spot.path {
            args.extend(["-P".to_owned(), self.place.path(path).to_string_lossy().into_owned()]);
        }
        self.strace(spot.call, &args)
    }

    fn strace(&self, calls: &str, more: &[String]) -> Said {
        let program = (self.program)(&self.place);
        let mut strace = Command::new("timeout");
        strace.args([SECONDS_MAX, "strace", "-f", "-q", "-y", "-s", "0", "-o", "trace"]);
        strace.arg("-e").arg(format!("trace={calls}")).args(more);
        strace.arg(program.get_program()).args(program.get_args()).current_dir(self.place.path(""));
        let said = Said::from(strace.output().expect("strace runs"));
        assert_ne!(said.code_of(), Some(HUNG), "it hangs: {calls} {more:?} {said:#?}");
        said
    }

    /// Whether strace let a call fail, and in which thread.
    fn failed_in(&self) -> Option<Thread> {
        let trace = fs::read_to_string(self.place.path("trace")).expect("strace wrote it");
        let number = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
        let failed = trace.lines().find(|line| line.contains("(INJECTED)")).map(number)?;
        // The first thread is the last one that strace sees.
        let first = trace.lines().last().map(number)?;
        Some(if failed == first { Thread::First } else { Thread::Other })
    }

    /// The calls of the last run below its folder, as they began.
    fn calls(&self) -> Vec<Call> {
        let trace = fs::read_to_string(self.place.path("trace")).expect("strace wrote it");
        let root = format!("{}/", self.place.path("").to_string_lossy().trim_end_matches('/'));
        trace.lines().filter_map(|line| Call::parse(line, &root)).collect()
    }

    /// The spots at the trail and its keys that an undisturbed run comes to, or of each call one in so many.
    fn spots(&self, calls: &[&'static str], one_in: usize) -> Vec<Spot> {
        self.put_back();
        self.strace(&calls.join(","), &[]).code(0);
        let mut counts: BTreeMap<(&'static str, String), BTreeMap<String, usize>> = BTreeMap::new();
        for call in self.calls() {
            if call.path.starts_with("data/trail") || call.path.starts_with("keys") {
                *counts.entry((call.name, call.path)).or_default().entry(call.thread).or_default() += 1;
            }
        }
        let most = |threads: BTreeMap<String, usize>| threads.into_values().max().unwrap_or(0);
        let mut spots: BTreeMap<&str, Vec<Spot>> = BTreeMap::new();
        for ((call, path), threads) in counts {
            let nth = (1..=most(threads)).map(|nth| Spot { call, path: Some(path.clone()), nth });
            spots.entry(call).or_default().extend(nth);
        }
        spots.into_values().flat_map(|spots| sample(spots, one_in)).collect()
    }

    /// Kills the program at every spot, or at one in so many.
    fn survives_kills(&self, one_in: usize) {
        let spots = self.spots(CALLS, one_in);
        let mut kills = 0;
        for spot in &spots {
            self.put_back();
            kills += usize::from(self.run("signal=SIGKILL", spot).code_of().is_none());
            let (told, there) = self.acknowledged();
            assert!(told <= there, "after {spot:?}: {told} acknowledged, {there} there");
            // What was signed stays proven while nobody has mended anything.
            self.is_proven(spot);
            self.recovers(spot);
        }
        eprintln!("{kills} kills at {} spots", spots.len());
        assert!(kills * 4 > spots.len() * 3, "only {kills} kills at {} spots", spots.len());
    }

    /// The program runs to its end, and nothing is missing, doubled or unproven.
    #[track_caller]
    fn recovers(&self, after: &dyn std::fmt::Debug) {
        let said = Said::from((self.program)(&self.place).output().expect("it runs"));
        assert_eq!(said.code_of(), Some(0), "after {after:?}: {said:#?}");
        self.is_whole(after);
    }

    #[track_caller]
    fn is_whole(&self, after: &dyn std::fmt::Debug) {
        let mut ids: HashSet<EventId> = HashSet::new();
        let mut kept: BTreeMap<Vec<u8>, i32> = BTreeMap::new();
        for line in self.place.trail().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let event = Event::decode(line).expect("an event");
            assert!(ids.insert(event.id), "after {after:?}: {} is there twice", event.id);
            if &*event.source.name == "auth" {
                *kept.entry(self.record(&event)).or_default() += 1;
            }
        }
        for line in fs::read(self.place.path("log/auth.log")).expect("the log").split(|byte| *byte == b'\n') {
            if !line.is_empty() {
                *kept.entry(line.to_vec()).or_default() -= 1;
            }
        }
        kept.retain(|_, difference| *difference != 0);
        let wrong: Vec<_> = kept.iter().map(|(line, n)| (String::from_utf8_lossy(line), n)).take(3).collect();
        assert!(wrong.is_empty(), "after {after:?}: lost (-) or doubled (+): {wrong:#?}");
        self.is_proven(after);
    }

    #[track_caller]
    fn is_proven(&self, after: &dyn std::fmt::Debug) {
        let said = self.place.run(&["trail", "verify"]);
        assert_eq!(said.code_of(), Some(0), "after {after:?}: {said:#?}");
    }

    fn record(&self, event: &Event) -> Vec<u8> {
        match &event.raw_blob {
            Some(blob) => fs::read(self.place.path("data/trail/blob").join(&blob.sha256)).expect("the blob"),
            None => event.raw.clone().expect("the line").into_bytes(),
        }
    }

    /// How many entries readers were told of, and how many there are.
    fn acknowledged(&self) -> (usize, usize) {
        let told = fs::read_to_string(self.place.path("data/trail/acknowledged")).unwrap_or_default();
        let told = told.split(' ').next().and_then(|told| told.parse().ok()).unwrap_or(0);
        let there = match self.place.path("data/trail/segment").is_dir() {
            true => self.place.trail().iter().filter(|byte| **byte == b'\n').count(),
            false => 0,
        };
        (told, there)
    }
}

fn run_once(place: &Place) -> Command {
    place.command(&["run", "--once"])
}

impl Call {
    /// `4711 fsync(12</tmp/place/data/trail>) = 0`; a call of whose path nothing is said is none of ours.
    fn parse(line: &str, root: &str) -> Option<Self> {
        let (thread, rest) = line.split_once(' ')?;
        let (name, arguments) = rest.trim_start().split_once('(')?;
        let name = CALLS.iter().find(|known| **known == name)?;
        let (_, path) = arguments.split_once(root)?;
        let path = path.split(['>', '"']).next()?.to_owned();
        Some(Self { thread: thread.to_owned(), name, path })
    }
}

/// One in so many, or all of them.
fn sample<T>(all: impl IntoIterator<Item = T>, one_in: usize) -> impl Iterator<Item = T> {
    all.into_iter().step_by(if is_long() { 1 } else { one_in })
}

fn is_long() -> bool {
    std::env::var_os("WHODID_LONG").is_some()
}

#[test]
#[ignore = "needs strace"]
fn a_new_trail_is_made_whenever_the_program_is_killed() {
    let again = Again::fresh();
    again.strace(&CALLS.join(","), &[]).code(0);
    let made: HashSet<&str> = again.calls().iter().map(|call| call.name).collect();
    let mut kills = 0;
    for call in CALLS.iter().filter(|call| made.contains(*call)) {
        for nth in sample(1.., ONE_FIRST_KILL_IN) {
            let spot = Spot { call, path: None, nth };
            again.put_back();
            if again.run("signal=SIGKILL", &spot).code_of().is_some() {
                break;
            }
            let (told, there) = again.acknowledged();
            assert!(told <= there, "after {spot:?}: {told} acknowledged, {there} there");
            again.recovers(&spot);
            kills += 1;
        }
    }
    eprintln!("{kills} kills of a first run");
    assert!(kills > made.len(), "only {kills} kills");
}

/// The log stays as it is; only the key is replaced, once more in the run that is not disturbed.
#[test]
#[ignore = "needs strace"]
fn a_key_is_replaced_or_not_wherever_the_program_was_killed() {
    let again = Again { place: Place::with_auth_log(), program: run_once };
    again.log(1, LINES_BEFORE, false);
    again.place.run(&["run", "--once"]).code(0);
    again.shell("mkdir was && cp -a data keys was");
    let again = Again { program: |place| place.command(&["trail", "rotate-key"]), ..again };
    again.survives_kills(ONE_KILL_IN);
}

#[test]
#[ignore = "needs strace"]
fn a_trail_goes_on_wherever_the_program_was_killed() {
    Again::grown().survives_kills(ONE_KILL_IN);
}

#[test]
#[ignore = "needs strace"]
fn nothing_is_told_or_signed_before_it_is_durable() {
    let again = Again::grown();
    again.put_back();
    again.strace(&CALLS.join(","), &[]).code(0);
    let mut dirty: HashSet<String> = HashSet::new();
    let (mut told, mut signed, mut destroyed) = (0, 0, 0);
    for Call { name, path, .. } in again.calls() {
        let waits_for: &[&str] = match (name, path.as_str()) {
            ("pwrite64", "data/trail/acknowledged") => {
                told += 1;
                &["data/trail/segment", "data/trail/blob"]
            }
            ("rename", "data/trail/checkpoint.tmp") => {
                signed += 1;
                &["data/trail/segment", "data/trail/tile", "data/trail/checkpoint.tmp"]
            }
            // The key of an epoch is gone only when the record of the next one, and its key, are there to stay.
            ("pwrite64", path) if path.ends_with(".epoch") => {
                destroyed += 1;
                &["data/trail/epochs", "data/trail/checkpoint.tmp", "keys"]
            }
            ("rename", _) if path.starts_with("keys") || path.starts_with("data/trail/blob") => &[path.as_str()],
            _ => &[],
        };
        let early = dirty.iter().find(|dirty| waits_for.iter().any(|first| dirty.starts_with(first)));
        assert_eq!(early, None, "not durable at {name} of {path}");
        match name {
            "write" | "pwrite64" | "ftruncate" if !path.ends_with(".blocks") => drop(dirty.insert(path)),
            "fsync" | "fdatasync" => drop(dirty.remove(&path)),
            "syncfs" => dirty.clear(),
            _ => {}
        }
    }
    assert!(told > 1 && signed > 0, "told {told} times, signed {signed} times");
    assert!(destroyed > 0, "no epoch was closed");
}

/// After a failed sync the kernel takes pages for clean that never came to the disk, and a further sync of
/// the file succeeds: so the next start must write them again before it believes in them.
#[test]
#[ignore = "needs strace"]
fn what_was_not_synced_is_written_again_by_the_next_start() {
    let again = Again::grown();
    again.put_back();
    let segment = "data/trail/segment/00000000000000000000.jsonl";
    let spot = Spot { call: "fdatasync", path: Some(segment.to_owned()), nth: 1 };
    again.run("error=EIO", &spot).code(1).err_holds("could not be made durable");
    again.strace(&CALLS.join(","), &[]).code(0);
    let calls = again.calls();
    let first = |wanted: &[&str]| calls.iter().position(|call| call.path == segment && wanted.contains(&call.name));
    let (written, synced) = (first(&["pwrite64"]).expect("written"), first(&["fsync", "fdatasync"]).expect("synced"));
    assert!(written < synced, "synced without being written");
    again.is_whole(&spot);
}

/// Lets calls fail, each once; whatever the program makes of it, nothing is lost or doubled.
/// Gives back where it failed and what the program said to that.
fn fail(error: &str) -> Vec<(Spot, Thread, Said)> {
    let again = Again::grown();
    let mut failed = Vec::new();
    for spot in again.spots(FAILING, ONE_FAILURE_IN) {
        again.put_back();
        let said = again.run(&format!("error={error}"), &spot);
        let thread = again.failed_in();
        let (told, there) = again.acknowledged();
        let unsynced = usize::from(thread.is_some() && spot.call == "fdatasync" && spot.is_at_segment());
        assert!(told + unsynced <= there, "after {error} at {spot:?}: {told} acknowledged, {there} there");
        again.is_proven(&spot);
        match said.code_of() {
            Some(0) => again.is_whole(&spot),
            Some(1) => assert!(said.err.contains("os error"), "it stopped without a reason at {spot:?}: {said:#?}"),
            _ => panic!("after {error} at {spot:?}: {said:#?}"),
        }
        assert!(!said.err.contains("panicked"), "after {error} at {spot:?}: {}", said.err);
        again.recovers(&spot);
        failed.extend(thread.map(|thread| (spot, thread, said)));
    }
    failed
}

#[test]
#[ignore = "needs strace"]
fn a_disk_that_is_full_is_waited_for() {
    let mut waits = 0;
    for (spot, thread, said) in fail("ENOSPC") {
        if !spot.is_sync() && !spot.is_at_cache() && thread == Thread::Other {
            said.code(0).err_holds("The disk is full.");
            waits += 1;
        }
        // What has its name cannot be written anew, and a sync that failed is not made again.
        if spot.is_sync() && !spot.is_at_cache() && !spot.is_at_new_file() {
            said.code(1);
        }
    }
    assert!(waits > 0, "it never waited");
}

#[test]
#[ignore = "needs strace"]
fn a_disk_that_fails_ends_the_program() {
    for (spot, _, said) in fail("EIO") {
        if !spot.is_at_cache() {
            said.code(1).err_holds("Input/output error");
        }
    }
}
