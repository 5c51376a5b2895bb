//! One log as its witness knows it: pure judgement, no disk and no network.
//!
//! The order of the checks is that of the specification, so that each status tells the same as that of any
//! other witness.

use chrono::TimeDelta;

use super::Answer;
use super::state::Evidence;
use crate::event::Stamp;
use crate::trail::checkpoint::Checkpoint;
use crate::trail::note::{Note, NoteError, Signature, VerifierKey};
use crate::trail::submission::Submission;
use crate::trail::tree;

pub(super) struct Log {
    pub(super) origin: String,
    /// Keys that followed one another: any of them may sign.
    pub(super) keys: Vec<VerifierKey>,
    /// What was cosigned last.
    pub(super) known: Option<Known>,
    /// An error left its file in an unknown state.
    pub(super) is_stopped: bool,
    /// When a conflict was told last.
    pub(super) told: Option<Stamp>,
}

/// A checkpoint that was cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) checkpoint: Checkpoint,
    /// With the log's signature and ours.
    pub(super) note: Note,
}

pub(super) enum Checked {
    Continues,
    Refused(Answer, Option<Evidence>),
}

/// The same conflict is told again after this.
const TELL_AGAIN: TimeDelta = TimeDelta::minutes(10);

/// The three lines that a checkpoint begins with; a log may have added more, and none of them is empty.
pub(super) fn checkpoint(text: &str) -> Option<Checkpoint> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (head, more) = lines.split_at_checked(3)?;
    let checkpoint = Checkpoint::parse(&head.concat()).ok()?;
    more.iter().all(|line| *line != "\n").then_some(checkpoint)
}

impl Log {
    pub(super) fn new(origin: &str) -> Self {
        Self { origin: origin.to_owned(), keys: Vec::new(), known: None, is_stopped: false, told: None }
    }

    /// Whether a checkpoint of this log continues what was cosigned last.
    pub(super) fn check(&self, submission: &Submission, note: &Note, checkpoint: &Checkpoint) -> Checked {
        if let Err(error) = self.is_signed(note) {
            return Checked::Refused(Answer::Untrusted(error), None);
        }
        let (old, proof) = (submission.old, submission.proof.as_slice());
        let (size, root) = (checkpoint.size, checkpoint.root);
        if old > size {
            return Checked::Refused(Answer::Malformed("the old size is above that of the checkpoint"), None);
        }
        let known =
            self.known.as_ref().map_or((0, tree::empty()), |known| (known.checkpoint.size, known.checkpoint.root));
        let is_fork = size == known.0 && root != known.1;
        if old != known.0 {
            let older = (size < known.0).then_some(Evidence::Older);
            return Checked::Refused(Answer::Conflict(known.0), is_fork.then_some(Evidence::Fork).or(older));
        }
        if is_fork {
            return Checked::Refused(Answer::Fork, Some(Evidence::Fork));
        }
        match tree::is_consistent(known, (size, root), proof) {
            true => Checked::Continues,
            false => Checked::Refused(Answer::Unproven, Some(Evidence::Unproven)),
        }
    }

    /// The note as it is remembered: with the signatures of its log, and ours.
    pub(super) fn cosigned(&self, mut note: Note, cosignature: Signature) -> Note {
        note.keep_signatures_of(&self.keys);
        note.add(cosignature);
        note
    }

    pub(super) fn is_quiet(&self, now: Stamp) -> bool {
        self.told.is_some_and(|told| now < told.plus(TELL_AGAIN))
    }

    /// By one key at least, and wrongly by none.
    fn is_signed(&self, note: &Note) -> Result<(), NoteError> {
        let mut verdict = Err(NoteError::Unsigned(self.origin.clone()));
        for key in &self.keys {
            match note.verify(key) {
                Ok(_) => verdict = Ok(()),
                Err(NoteError::Unsigned(_)) => {}
                Err(error) => return Err(error),
            }
        }
        verdict
    }
}
