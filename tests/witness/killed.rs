//! SIGKILL at every call with which a witness changes what it remembers: it never cosigns two histories.

use whodid::trail::checkpoint::Checkpoint;
use whodid::trail::note::SignerKey;
use whodid::trail::submission::Submission;
use whodid::trail::tree::{self, Hash, Subtree};

use super::*;

const ORIGIN: &str = "example.org/web-1/trail";

/// Calls that change a file or make it durable.
const CALLS: &[&str] = &["openat", "write", "fsync", "rename", "unlink"];

fn key() -> SignerKey {
    SignerKey::from_seed(ORIGIN, &[1; 32]).expect("a good name")
}

/// Histories are alike up to leaf 5.
fn submission(old: u64, size: u64, history: &str) -> Vec<u8> {
    let leaf = |i: u64| tree::leaf(format!("{}{i}", if i < 5 { "" } else { history }).as_bytes());
    let leaves: Vec<Hash> = (0..size).map(leaf).collect();
    let mut stored = |Subtree { level, index }: Subtree| {
        let first = (index << level) as usize;
        Ok::<_, std::convert::Infallible>(tree::fold(&leaves[first..first + (1 << level)]))
    };
    let proof = tree::consistency(old, size, &mut stored).unwrap_or_else(|never| match never {});
    let checkpoint = Checkpoint { origin: ORIGIN.into(), size, root: tree::fold(&leaves) };
    let checkpoint = checkpoint.sign(&key()).expect("a good text");
    Submission { old, proof, checkpoint }.to_string().into_bytes()
}

impl Host {
    /// Under strace, which does something to it at the n-th of these calls at what it remembers of the log. False if
    /// it ended when it started.
    fn start_under(&mut self, what: &str, call: &str, nth: usize, paths: &[PathBuf]) -> bool {
        let program = self.command(&[]);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-q", "-o"]).arg(self.path("trace")).arg("-e").arg(format!("trace={call}"));
        strace.arg("-e").arg(format!("inject={call}:{what}:when={nth}"));
        for path in paths {
            strace.arg("-P").arg(path);
        }
        strace.arg(program.get_program()).args(program.get_args());
        let log = fs::File::create(self.path("stderr")).expect("a file");
        let mut running = strace.stdin(Stdio::null()).stderr(log).spawn().expect("strace runs");
        let mut has_ended = false;
        until("the witness listens, or was killed", || {
            has_ended = running.try_wait().expect("its state").is_some();
            has_ended || self.said().contains("Listening.")
        });
        self.running = Some(running);
        !has_ended
    }

    /// The witness itself, beneath strace.
    fn child(&self) -> rustix::process::Pid {
        self.child_of(self.running.as_ref().expect("it runs"))
    }

    fn child_of(&self, strace: &Child) -> rustix::process::Pid {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", strace.id())).expect("its children");
        let child = children.trim().parse().expect("a number");
        rustix::process::Pid::from_raw(child).expect("a process")
    }
}

/// A witness that cosigned five entries and was stopped, and the paths at which it remembers that.
fn remembering() -> (Host, [PathBuf; 3]) {
    let mut host = Host::new();
    host.watch(&[key().verifier().to_string()]);
    host.start();
    host.watch(&[key().verifier().to_string()]);
    assert_eq!(host.post(&submission(0, 5, "")).0, 200);
    host.stop();
    let logs = host.path("state/log");
    let log = fs::read_dir(&logs).expect("a folder").next().expect("a log").expect("readable").path();
    (host, [log.clone(), log.with_extension("tmp"), logs])
}

#[test]
#[ignore = "needs strace"]
fn after_a_full_disk_it_goes_on_and_after_a_failing_one_it_ends() {
    let (mut host, paths) = remembering();
    assert!(host.start_under("error=ENOSPC", "write", 1, &paths));
    assert_eq!(host.post(&submission(5, 10, "a")).0, 503);
    assert_eq!(host.post(&submission(5, 10, "b")).0, 200, "nothing was cosigned before");
    let child = host.child();
    rustix::process::kill_process(child, rustix::process::Signal::TERM).expect("it runs");
    assert!(host.running.take().expect("it runs").wait().expect("it ended").success());

    assert!(host.start_under("error=EIO", "fsync", 1, &paths));
    assert_eq!(host.post(&submission(10, 12, "b")).0, 500);
    let ended = host.running.take().expect("it runs").wait().expect("it ended");
    assert_eq!(ended.code(), Some(1), "{}", host.said());
    host.start();
    assert_eq!(host.post(&submission(10, 12, "b")).0, 200);
    host.stop();
}

#[test]
#[ignore = "needs strace"]
fn a_witness_killed_anywhere_never_cosigns_two_histories() {
    let (mut host, paths) = remembering();
    let log = paths[0].clone();
    let known = fs::read(&log).expect("readable");
    let (mut kills, mut lost) = (0, 0);
    for call in CALLS {
        for nth in 1.. {
            write(&log, &known);
            let listens = host.start_under("signal=SIGKILL", call, nth, &paths);
            let first = if listens { host.post(&submission(5, 10, "a")).0 } else { 0 };
            let mut running = host.running.take().expect("it runs");
            if first == 200 {
                // Nothing killed it, and nothing will.
                let child = host.child_of(&running);
                rustix::process::kill_process(child, rustix::process::Signal::KILL).expect("it runs");
            }
            running.wait().expect("it ended");
            host.start();
            let second = host.post(&submission(5, 10, "b")).0;
            assert!((first, second) != (200, 200), "{call} {nth}: both were cosigned");
            let history = if second == 200 { "b" } else { "a" };
            assert_eq!(host.post(&submission(10, 12, history)).0, 200, "{call} {nth}: it goes on with one of them");
            assert_ne!(host.post(&submission(10, 13, if history == "a" { "b" } else { "a" })).0, 200);
            host.stop();
            if first == 200 {
                break;
            }
            kills += 1;
            lost += usize::from(second == 200);
        }
    }
    eprintln!("{kills} kills, after {lost} of them the first history was not remembered");
    assert!(kills >= 4 && lost > 0 && lost < kills, "{kills} kills, {lost} before it was remembered");
}
