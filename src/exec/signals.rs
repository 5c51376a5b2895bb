//! Signals of a run: who gets them.
//!
//! The command is in our process group, as if it ran alone: what the terminal sends (Ctrl-C, Ctrl-\, Ctrl-Z,
//! a change of its size, that it is gone) reaches both, so only what a process sent to us is passed on. Who
//! sends to the whole group reaches the command twice. We end when the command has ended, whatever comes.
//!
//! When the command stops we stop too, unless nobody could wake us (a group without a shell that controls
//! it), and when we go on it does. A signal that was ignored when we began stays ignored (nohup(1)).

use std::fs;
use std::io;
use std::process::{Child, ExitStatus};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpgid, getpgrp, getsid, kill_process};
use signal_hook::consts::signal::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH,
};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};
use signal_hook::low_level::signal_name;

/// What is caught, from before the command begins.
pub(super) struct Signals(Option<SignalsInfo<WithOrigin>>);

const PASSED_ON: [i32; 9] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT];

/// What the terminal sends to all of a group does not reach all of it at the same instant.
const SETTLED: Duration = Duration::from_millis(10);

/// Between us and the shell there are scripts, not more.
const ANCESTORS_MAX: usize = 64;

impl Signals {
    pub(super) fn catch() -> Self {
        let ignored = ignored();
        let caught = PASSED_ON.into_iter().filter(|signal| ignored & (1 << (signal - 1)) == 0);
        // Without them the command runs as well, and we end before it at the first one.
        Self(SignalsInfo::with_exfiltrator(caught.chain([SIGCHLD]), WithOrigin::default()).ok())
    }
}

/// Waits for the end of the command.
pub(super) fn watch(mut child: Child, signals: Signals) -> io::Result<ExitStatus> {
    let Signals(Some(mut signals)) = signals else { return child.wait() };
    let pid = Pid::from_child(&child);
    for origin in &mut signals {
        match origin.signal {
            SIGCHLD => {
                if let Some(status) = child.try_wait()? {
                    return Ok(status);
                }
                sleep(SETTLED);
                if is_stopped(pid) {
                    stop();
                }
            }
            signal => {
                if is_for_us_alone(&origin, pid) {
                    pass_on(pid, signal);
                }
                if signal == SIGTSTP {
                    stop();
                }
            }
        }
    }
    child.wait()
}

pub(super) fn name(signal: i32) -> String {
    signal_name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned)
}

/// The kernel sends to the whole group of the terminal; what the command itself sends is not for it.
fn is_for_us_alone(origin: &Origin, child: Pid) -> bool {
    let is_from_child = origin.process.as_ref().is_some_and(|sender| sender.pid == child.as_raw_nonzero().get());
    origin.cause != Cause::Kernel && !is_from_child
}

/// The number is the command's as long as nobody has waited for it.
fn pass_on(pid: Pid, signal: i32) {
    if let Some(signal) = Signal::from_named_raw(signal) {
        // One that may not be told (it became another user) or is about to be gone.
        kill_process(pid, signal).unwrap_or_default();
    }
}

/// Until somebody wakes us: not where nobody would.
fn stop() {
    if is_controlled() {
        kill_process(rustix::process::getpid(), Signal::STOP).unwrap_or_default();
    }
}

/// Whether a shell looks after our group: an ancestor of the same session in another group.
fn is_controlled() -> bool {
    let (group, session) = (getpgrp(), getsid(None).ok());
    let mut parent = rustix::process::getppid();
    for _ in 0..ANCESTORS_MAX {
        let Some(pid) = parent else { return false };
        if getpgid(Some(pid)).is_ok_and(|of| of != group) {
            return getsid(Some(pid)).ok() == session;
        }
        parent = stat(pid, 1).and_then(|pid| Pid::from_raw(pid.parse().ok()?));
    }
    false
}

fn is_stopped(pid: Pid) -> bool {
    stat(pid, 0).is_some_and(|state| state == "T")
}

/// A field of `/proc/<pid>/stat` behind the name, which stands in brackets.
fn stat(pid: Pid, field: usize) -> Option<String> {
    let text = fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let text = String::from_utf8_lossy(&text);
    let (_, fields) = text.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(field).map(str::to_owned)
}

/// The signals that are ignored now, a bit each.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
