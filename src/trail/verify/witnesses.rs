//! What witnesses saw: cosigned checkpoints count as anchors, wherever they lie.
//!
//! A cosignature is as good in the copy as anywhere else, because the copy's owner cannot make one. But who
//! owns the copy can leave cosignatures out: so a witness that was named and says nothing is a finding.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use super::anchors::Whose;
use super::{Exit, Known, Report, read_checkpoint};
use crate::event::Stamp;
use crate::trail::checkpoint::Checkpoint;
use crate::trail::cosignature::WitnessKey;
use crate::trail::cosigned;
use crate::trail::layout::{Layout, read_small};
use crate::trail::note::{Note, NoteError};
use crate::trail::notes;

/// What a witness that was named saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    pub witness: String,
    /// The largest tree that it cosigned, and when; none where no cosignature of it is here.
    pub seen: Option<(u64, Stamp)>,
}

/// Collects what the named witnesses cosigned.
#[derive(Default)]
pub(super) struct Hearing {
    heard: RefCell<Vec<Heard>>,
}

struct Heard {
    key: WitnessKey,
    seen: Option<(u64, Stamp)>,
    /// The first one whose cosignature does not hold.
    wrong: Option<(u64, NoteError)>,
}

impl Hearing {
    pub(super) fn new(witnesses: &[String], folder: &Path, report: &mut Report) -> Self {
        let mut heard = Vec::new();
        for text in witnesses {
            match WitnessKey::parse(text) {
                Ok(key) => heard.push(Heard { key, seen: None, wrong: None }),
                Err(error) => report.find(Exit::Untrusted, folder, format!("the key of a witness: {error}")),
            }
        }
        Self { heard: RefCell::new(heard) }
    }

    /// Takes a checkpoint of this trail, whoever kept it. True if a witness vouches for it.
    pub(super) fn hear(&self, checkpoint: &Checkpoint, note: &Note) -> bool {
        let mut is_cosigned = false;
        for Heard { key, seen, wrong } in self.heard.borrow_mut().iter_mut() {
            match key.cosigned(note) {
                Ok(at) => {
                    *seen = (*seen).max(Some((checkpoint.size, at)));
                    is_cosigned = true;
                }
                // Not every note is cosigned, nor by everybody.
                Err(NoteError::Unsigned(_)) => {}
                Err(error) => drop(wrong.get_or_insert((checkpoint.size, error))),
            }
        }
        is_cosigned
    }

    /// What lies in the copy itself: `trail/cosigned`, and the checkpoint. Without a witness nothing of it is read.
    pub(super) fn copy(
        &self,
        layout: &Layout,
        whose: &dyn Fn(&Checkpoint, &Note) -> Whose,
        report: &mut Report,
    ) -> Vec<Known> {
        let mut known = Vec::new();
        if self.heard.borrow().is_empty() {
            return known;
        }
        let path = layout.cosigned();
        let bytes = read_small(&path, cosigned::BYTES_MAX).unwrap_or_else(|error| {
            report.fail(layout, &error);
            None
        });
        for (at, note) in notes::read(&bytes.unwrap_or_default()) {
            match note {
                Ok((_, note)) => known.extend(self.take(&note, &path, whose)),
                Err(error) => report.find(Exit::Altered, &path, format!("at byte {at}: {error}")),
            }
        }
        // Where it cannot be read is said elsewhere.
        if let Ok(Some(bytes)) = read_checkpoint(layout)
            && let Ok(note) = Note::parse(&bytes)
        {
            known.extend(self.take(&note, &layout.checkpoint(), whose));
        }
        report.anchored_to = report.anchored_to.max(known.iter().map(|known| known.size).max());
        known
    }

    fn take(&self, note: &Note, path: &Path, whose: &dyn Fn(&Checkpoint, &Note) -> Whose) -> Option<Known> {
        let checkpoint = Checkpoint::parse(note.text()).ok()?;
        let is_ours = matches!(whose(&checkpoint, note), Whose::Ours);
        let Checkpoint { size, root, .. } = checkpoint;
        let is_cosigned = is_ours && self.hear(&checkpoint, note);
        is_cosigned.then(|| Known { size, root, path: Arc::from(path), is_anchor: true })
    }

    /// What was heard, and what is wrong with it.
    pub(super) fn tell(self, layout: &Layout, report: &mut Report) {
        for Heard { key, seen, wrong } in self.heard.into_inner() {
            let path = layout.cosigned();
            if let Some((size, error)) = &wrong {
                report.find(Exit::Untrusted, &path, format!("a cosigned checkpoint for {size} entries: {error}"));
            }
            if seen.is_none() && wrong.is_none() {
                let text = format!("no cosignature of {} is here: what it saw cannot be compared", key.name());
                report.find(Exit::Incomplete, &path, text);
            }
            report.witnesses.push(Vouched { witness: key.name().to_owned(), seen });
        }
    }
}
