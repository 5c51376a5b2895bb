//! What witnesses saw: cosigned checkpoints count as anchors, wherever they lie.
//!
//! A cosignature is as good in the copy as anywhere else, because the copy's owner cannot make one. But who
//! owns the copy can leave cosignatures out: so a witness that was named and says nothing is a finding.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use super::anchors::Whose;
use super::{By, Exit, Known, Report, read_checkpoint};
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
        is_cosigned.then(|| Known { size, root, path: Arc::from(path), by: By::Anchor })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::bench::Bench;
    use crate::trail::cosignature::Cosigner;
    use crate::trail::note::SignerKey;
    use crate::trail::tree;
    use crate::trail::verify::{Against, verify};

    fn witness(number: u8) -> Cosigner {
        Cosigner::from_seed(&format!("witness.example.org/{number}"), &[number; 32]).expect("a good name")
    }

    fn at(second: i64) -> Stamp {
        Stamp::from_unix(1_795_176_000 + second, 0)
    }

    /// A trail of 500 entries; a witness saw 300 of them, another one 200 and all.
    fn filled() -> Bench {
        let bench = Bench::new();
        for (more, number, size) in [(200, 2, 200), (100, 1, 300), (200, 2, 500)] {
            bench.fill(more);
            keep(&bench, &bench.read("trail/checkpoint"), number, size);
        }
        bench
    }

    fn keep(bench: &Bench, checkpoint: &[u8], number: u8, second: u64) {
        let mut note = Note::parse(checkpoint).expect("a checkpoint");
        note.add(witness(number).cosign(note.text(), at(second.cast_signed())));
        let before =
            if bench.names("trail").contains(&"cosigned".to_owned()) { bench.read("trail/cosigned") } else { vec![] };
        bench.write("trail/cosigned", &[before, note.to_string().into_bytes()].concat());
    }

    fn heard(bench: &Bench, witnesses: &[u8]) -> Report {
        let witnesses = witnesses.iter().map(|number| witness(*number).verifier().to_string()).collect();
        let against = Against { key: Some(bench.key()), witnesses, ..Against::default() };
        verify(bench.data(), &against, &mut |_, _| {})
    }

    #[test]
    fn the_newest_that_each_witness_saw_is_told_and_anchors_what_is_here() {
        let bench = filled();
        let report = heard(&bench, &[1, 2]);
        assert_eq!(
            (report.exit(), report.anchored_to, report.findings.as_slice()),
            (Exit::Whole, Some(500), [].as_slice())
        );
        let seen: Vec<_> = report.witnesses.iter().map(|vouched| vouched.seen).collect();
        assert_eq!(seen, [Some((300, at(300))), Some((500, at(500)))]);
        assert_eq!(heard(&bench, &[1]).anchored_to, Some(300));
        assert_eq!(heard(&bench, &[]).anchored_to, None);
    }

    #[test]
    fn a_witness_that_says_nothing_here_is_a_finding() {
        let bench = filled();
        let report = heard(&bench, &[1, 3]);
        assert_eq!((report.exit(), report.witnesses[1].seen), (Exit::Incomplete, None));
        bench.write("trail/cosigned", b"");
        assert_eq!(heard(&bench, &[2]).exit(), Exit::Incomplete);
    }

    #[test]
    fn a_cut_or_rewritten_trail_shows_against_what_a_witness_saw() {
        let bench = filled();
        // An older copy of the same trail, to which somebody added what the witness said later.
        let old = bench.copy();
        bench.fill(50);
        keep(&bench, &bench.read("trail/checkpoint"), 1, 550);
        old.write("trail/cosigned", &bench.read("trail/cosigned"));
        assert_eq!(heard(&old, &[1]).exit(), Exit::Incomplete);
        assert_eq!(heard(&bench, &[1]).exit(), Exit::Whole);

        let secret = String::from_utf8(bench.key_file("key")).expect("a key");
        let key = SignerKey::parse(secret.trim()).expect("ours");
        let forked = Checkpoint { origin: key.name().to_owned(), size: 400, root: tree::empty() };
        keep(&bench, forked.sign(&key).expect("a text").as_bytes(), 1, 560);
        let report = heard(&bench, &[1]);
        assert_eq!(report.exit(), Exit::Altered, "{report:?}");
        assert!(report.findings[0].path.ends_with("trail/cosigned"), "{report:?}");
    }

    #[test]
    fn what_is_bent_or_of_others_vouches_for_nothing() {
        let bench = filled();
        let theirs = SignerKey::from_seed("example.org/web-2/other", &[5; 32]).expect("a name");
        let theirs = Checkpoint { origin: theirs.name().to_owned(), size: 999, root: tree::empty() }.sign(&theirs);
        keep(&bench, theirs.expect("a text").as_bytes(), 1, 600);
        let report = heard(&bench, &[1]);
        assert_eq!((report.exit(), report.anchored_to), (Exit::Whole, Some(300)), "{report:?}");
        // A cosignature of one tree under the checkpoint of another.
        let text = String::from_utf8(bench.read("trail/cosigned")).expect("a text");
        let line = text.lines().find(|line| line.starts_with("— witness.example.org/1")).expect("a cosignature");
        let newest = String::from_utf8(bench.read("trail/checkpoint")).expect("a text");
        bench.write("trail/cosigned", format!("{newest}{line}\n").as_bytes());
        let report = heard(&bench, &[1]);
        assert_eq!((report.exit(), report.witnesses[0].seen), (Exit::Untrusted, None), "{report:?}");
    }
}
