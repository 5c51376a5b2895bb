//! The witness: cosigns checkpoints of other hosts' trails, so that nobody can show two histories of one.
//!
//! C2SP tlog-witness. A log sends its newest checkpoint with a proof that it continues what the witness cosigned
//! last; the witness checks that ([`log`]), remembers it ([`state`]) and answers with a cosignature
//! ([`serve`]). It needs no account and no secret of the log: a request is believed for its signatures alone.
//!
//! Invariant: a cosignature leaves only after its checkpoint is durable, and each continues the one before.
//! So whatever is asked, in whatever order, and whenever the process is killed, the trees it ever cosigned
//! under one name are beginnings of one another.

mod log;
mod serve;
mod state;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tracing::{info, warn};

use crate::clock::Clock;
use crate::config;
use crate::trail::cosignature::{Cosigner, WitnessKey};
use crate::trail::note::{Note, NoteError, VerifierKey};
use crate::trail::submission::Submission;
use crate::trail::{Lock, TrailError};

use log::{Checked, Log};
use state::{Evidence, State};

pub use serve::{Limits, serve};

/// Everything that cosigns, and what it has cosigned.
pub struct Witness {
    clock: Clock,
    cosigner: Cosigner,
    /// By origin. What is compared and what is remembered happens under one lock.
    logs: BTreeMap<String, Mutex<Log>>,
    state: State,
    _lock: Lock,
}

/// What a request is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Signature lines, each with its LF.
    Cosigned(String),
    Malformed(&'static str),
    UnknownOrigin,
    /// No signature by a key of this origin.
    Untrusted(NoteError),
    /// What was cosigned last has this size.
    Conflict(u64),
    /// What was cosigned last has the same size and another root.
    Fork,
    /// The proof does not hold.
    Unproven,
}

/// Why a witness cannot work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    #[error("{path}: {reason}")]
    Key { path: PathBuf, reason: String },
    #[error("the key of the {number}. [[log]]: {reason}")]
    LogKey { number: usize, reason: NoteError },
    #[error("{path}: {reason}")]
    State { path: PathBuf, reason: String },
    #[error(transparent)]
    Held(TrailError),
    #[error("no room to write {path} ({source})")]
    Full { path: PathBuf, source: io::Error },
    /// What is on disk is unknown: the process ends, and the next start reads it.
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("the witness stopped after an earlier error")]
    Stopped,
}

impl Witness {
    /// Reads what it has cosigned so far; makes the key at the first start.
    pub fn open(config: &config::witness::Witness, clock: Clock) -> Result<Self, WitnessError> {
        let state = State::open(&config.state)?;
        let lock = Lock::take(&config.state, "whodid witness", clock.now()).map_err(WitnessError::Held)?;
        let cosigner = state.cosigner(&config.name, &config.key)?;
        let mut logs: BTreeMap<String, Log> = BTreeMap::new();
        for (number, key) in (1..).zip(&config.logs) {
            let key = VerifierKey::parse(key).map_err(|reason| WitnessError::LogKey { number, reason })?;
            logs.entry(key.name().to_owned()).or_insert_with(|| Log::new(key.name())).keys.push(key);
        }
        for (origin, log) in &mut logs {
            log.known = state.load(origin, &cosigner.verifier())?;
            let size = log.known.as_ref().map_or(0, |known| known.checkpoint.size);
            info!(origin = %origin, size, keys = log.keys.len(), "Watching a log.");
        }
        let logs = logs.into_iter().map(|(origin, log)| (origin, Mutex::new(log))).collect();
        Ok(Self { clock, cosigner, logs, state, _lock: lock })
    }

    /// The public key, which whoever verifies a trail needs.
    pub fn key(&self) -> WitnessKey {
        self.cosigner.verifier()
    }

    /// How many logs it watches.
    pub fn logs(&self) -> usize {
        self.logs.len()
    }

    /// Judges a request, and cosigns. Blocks for the disk.
    pub fn add_checkpoint(&self, body: &[u8]) -> Result<Answer, WitnessError> {
        let submission = match Submission::parse(body) {
            Ok(submission) => submission,
            Err(what) => return Ok(Answer::Malformed(what)),
        };
        let note = match Note::parse(submission.checkpoint.as_bytes()) {
            Ok(note) => note,
            Err(_) => return Ok(Answer::Malformed("the checkpoint is no signed note")),
        };
        let Some(checkpoint) = log::checkpoint(note.text()) else {
            return Ok(Answer::Malformed("the checkpoint is not of the form that tlog-checkpoint gives it"));
        };
        let Some(log) = self.logs.get(&checkpoint.origin) else { return Ok(Answer::UnknownOrigin) };
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.is_stopped {
            return Err(WitnessError::Stopped);
        }
        match log.check(&submission, &note, &checkpoint) {
            Checked::Continues => {}
            Checked::Refused(answer, evidence) => {
                if let Some(evidence) = evidence {
                    self.keep(&mut log, evidence, &note, checkpoint.size);
                }
                return Ok(answer);
            }
        }
        let cosignature = self.cosigner.cosign(note.text(), self.clock.now());
        let line = format!("{cosignature}\n");
        let kept = log.cosigned(note, cosignature);
        let done = self.state.keep(&checkpoint.origin, &kept);
        // Nobody knows what the next start will find, so nothing more may be said before that.
        log.is_stopped = done.as_ref().is_err_and(|error| !matches!(error, WitnessError::Full { .. }));
        done?;
        log.known = Some(log::Known { checkpoint, note: kept });
        Ok(Answer::Cosigned(line))
    }

    /// What a log signed and should not have is kept for people; that it cannot be kept changes no answer.
    fn keep(&self, log: &mut Log, evidence: Evidence, note: &Note, size: u64) {
        let known = log.known.as_ref();
        let known_size = known.map_or(0, |known| known.checkpoint.size);
        let kept = self.state.keep_conflict(&log.origin, evidence, known.map(|known| &known.note), (note, size));
        let path = match kept {
            Ok(Some(path)) => path.display().to_string(),
            Ok(None) if log.is_quiet(self.clock.now()) => return,
            Ok(None) => "kept already, or there are too many".to_owned(),
            Err(error) => error.to_string(),
        };
        log.told = Some(self.clock.now());
        let what = evidence.what();
        warn!(origin = %log.origin, size, known = known_size, what, kept = %path, "A signed checkpoint does not fit.");
    }
}

#[cfg(test)]
mod tests;
