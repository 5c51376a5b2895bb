//! `whodid exec`: a command, with a record before it starts and one when it has ended.
//!
//! The command comes first: it gets the terminal, the signals and the environment that it would have had
//! alone, and its exit code is ours. Its environment has one variable more, `WHODID_RUN`: the ids of the runs
//! that it belongs to, by which everything within it can name them.
//!
//! Records go to the socket of the writer, else to the spool folder ([`hand_over`]). Where neither takes them
//! the command runs all the same, and stderr says once what is not recorded.
//!
//! No runtime and no threads are here: nothing of ours runs while the command does.

mod hand_over;
mod record;
mod signals;

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus};
use std::time::Instant;

use crate::clock::Clock;
use crate::config::Intake;
use hand_over::Lost;
use record::{Ended, Run};
use signals::Signals;

/// What to run.
#[derive(Debug)]
pub struct Job {
    /// What it is called in the trail; without it, the command's own name.
    pub name: Option<String>,
    pub program: OsString,
    pub arguments: Vec<OsString>,
    /// The name of this machine.
    pub host: String,
}

/// The variable that names the runs around a command.
pub const VARIABLE: &str = "WHODID_RUN";

/// What a shell returns for a command that is not there, and for one that cannot be started.
const NOT_FOUND: u8 = 127;
const NOT_STARTED: u8 = 126;

/// What a shell adds to the number of the signal that ended a command.
const BY_SIGNAL: i32 = 128;

/// Runs it to its end; the exit code to end with. `say` gets what cannot be recorded, and why.
pub fn run(job: &Job, places: &[Intake], clock: Clock, say: &mut dyn FnMut(&str)) -> u8 {
    // Before anything else: from here on a signal waits for the command instead of ending us.
    let signals = Signals::catch();
    let run = Run::new(job, std::env::var_os(VARIABLE).as_deref());
    let mut told = false;
    let mut keep = |record: Vec<u8>| {
        if let Err(Lost { why }) = hand_over::hand_over(places, &record)
            && !std::mem::replace(&mut told, true)
        {
            say(&format!("this is not recorded: {}: {why}", record::shown(&record)));
        }
    };
    let began = Instant::now();
    keep(run.start(clock.now()));
    let mut command = Command::new(&job.program);
    command.args(&job.arguments).env(VARIABLE, run.path());
    let (child, ended) = match command.spawn() {
        Ok(child) => {
            let id = child.id();
            (Some(id), signals::watch(child, signals))
        }
        Err(error) => (None, Err(error)),
    };
    let (ended, code) = judge(ended);
    keep(run.finish(clock.now(), began.elapsed(), child, &ended));
    if let Ended::NotStarted { error, .. } = &ended {
        say(&format!("{}: {error}", job.program.to_string_lossy()));
    }
    code
}

fn judge(ended: io::Result<ExitStatus>) -> (Ended, u8) {
    match ended {
        Ok(status) => {
            let (ended, code) = match (status.code(), status.signal()) {
                (Some(code), _) => (Ended::Exit(code), code),
                (None, Some(signal)) => (Ended::Signal(signals::name(signal)), BY_SIGNAL + signal),
                // waitpid(2) knows no third way to end.
                (None, None) => (Ended::Exit(1), 1),
            };
            (ended, u8::try_from(code).unwrap_or(u8::MAX))
        }
        Err(error) => {
            let code = if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_STARTED };
            (Ended::NotStarted { error: error.to_string(), code }, code)
        }
    }
}
