//! Verification: believes nothing, needs a copy of the folder and the public key.
//!
//! One pass reads every stored byte ([`walk`]): lines become leaves, leaves tiles and a root, and the
//! root must be the signed one. What is stored of the tree serves to name the first bad entry, and only
//! where it adds up to the signature itself.
//!
//! What a sound trail says twice is found as well ([`doubles`]): the writer never does that.
//!
//! Keys are followed from the one that is given to those that it vouches for ([`chains`]).
//!
//! The key alone proves that what is there is whole up to the signed size. A tail that was cut back to
//! an earlier checkpoint, and an older copy, show only against an anchor: a checkpoint known from
//! elsewhere.

mod anchors;
mod chains;
mod doubles;
mod walk;
mod witnesses;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::TrailError;
use super::checkpoint::{self, Checkpoint};
use super::layout::{Layout, read_small};
use super::note::{Note, NoteError};
use super::origin::Origin;
use super::segment::{self, Segment};
use super::succession::Chain;
use super::tree::Hash;
use anchors::Whose;
use chains::{Given, Keys};
use witnesses::Hearing;

pub use witnesses::Vouched;

/// What a trail is checked against.
#[derive(Debug, Clone, Default)]
pub struct Against {
    /// The verifier key `<name>+<id>+<base64>`, any one of the log's; in a second line perhaps that of an epoch.
    /// Without one no signature can be checked.
    pub key: Option<String>,
    /// The verifier key of an epoch, where it is not in `key`. Without one the epochs are only consistent.
    pub epoch_key: Option<String>,
    /// Checkpoints known from elsewhere (the second memory, an anchor): signed notes.
    pub anchors: Vec<Vec<u8>>,
    /// Files and folders with more of them: notes, or lines of a log.
    pub anchor_files: Vec<PathBuf>,
    /// The public keys of witnesses whose cosignatures must be here.
    pub witnesses: Vec<String>,
}

/// The verdict as exit code of `trail verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All that is signed is there and unchanged.
    Whole = 0,
    /// Something was changed or damaged.
    Altered = 1,
    /// Something is missing: the tail was cut, a segment is gone, or an anchor knows more.
    Incomplete = 2,
    /// The signature is wrong, or there was no key to check it with.
    Untrusted = 3,
    /// There is nothing to look at, or it may not be read.
    Unusable = 4,
}

/// Whether the checkpoint was signed by the expected key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    Good,
    Bad,
    /// No key was given.
    NotChecked,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub exit: Exit,
    /// The file, and the byte in it where it begins.
    pub path: PathBuf,
    pub byte: Option<u64>,
    /// The first entry concerned.
    pub seq: Option<u64>,
    pub text: String,
}

/// The keys of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogKeys {
    /// How many followed one another.
    pub count: u64,
    /// Which of them was given.
    pub given: Option<u64>,
}

/// Who vouches for the first epoch that counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Beginning {
    /// There are no epochs.
    #[default]
    None,
    /// The key of the log alone: whoever has it could have made all of them.
    ByLog,
    /// The auditor, who had the key of one from elsewhere.
    Given,
}

/// The epochs, whose keys are destroyed one after the other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Epochs {
    pub vouched: Beginning,
    /// How many there were, with the open one; how many were closed, the last one at which size.
    pub count: u64,
    pub closed: u64,
    pub closed_to: u64,
    /// The epoch whose key was given.
    pub given: Option<u64>,
    /// Entries below this cannot be changed by anybody, with whatever key is left, without it showing here.
    pub protected_to: u64,
}

/// What verification found.
#[derive(Debug, Clone)]
pub struct Report {
    pub origin: Option<String>,
    /// Entries below this are proven by the signed checkpoint, or by an anchor that knows more.
    pub complete_to: u64,
    /// Whole lines that lie there in all.
    pub lines: u64,
    /// Entries below this were pruned: a signed entry says so, and the tiles hold their hashes.
    pub pruned: u64,
    pub bytes: u64,
    pub signature: Signature,
    pub keys: LogKeys,
    pub epochs: Epochs,
    /// How many anchors of this trail were given, and the highest size among them.
    pub anchors: usize,
    pub anchored_to: Option<u64>,
    /// For each witness that was named, what it saw.
    pub witnesses: Vec<Vouched>,
    /// Most telling first; of alike ones that of the first entry.
    pub findings: Vec<Finding>,
}

impl Exit {
    /// What was changed tells more than what is missing, and that more than who signed.
    fn weight(self) -> u8 {
        match self {
            Self::Unusable => 0,
            Self::Altered => 1,
            Self::Incomplete => 2,
            Self::Untrusted => 3,
            Self::Whole => 4,
        }
    }
}

impl Report {
    /// The verdict, by the most telling finding; without a key it is untrusted at best.
    pub fn exit(&self) -> Exit {
        let without = if self.signature == Signature::NotChecked { Exit::Untrusted } else { Exit::Whole };
        self.findings.iter().map(|finding| finding.exit).min_by_key(|exit| exit.weight()).unwrap_or(without)
    }

    fn new() -> Self {
        Self {
            origin: None,
            complete_to: 0,
            lines: 0,
            pruned: 0,
            bytes: 0,
            signature: Signature::NotChecked,
            keys: LogKeys::default(),
            epochs: Epochs::default(),
            anchors: 0,
            anchored_to: None,
            witnesses: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn find(&mut self, exit: Exit, path: impl Into<PathBuf>, text: impl Into<String>) {
        self.findings.push(Finding { exit, path: path.into(), byte: None, seq: None, text: text.into() });
    }

    fn find_at_byte(&mut self, exit: Exit, path: &Path, byte: u64, text: impl Into<String>) {
        self.findings.push(Finding { exit, path: path.to_owned(), byte: Some(byte), seq: None, text: text.into() });
    }

    fn find_at(&mut self, exit: Exit, path: &Path, (seq, byte): (u64, u64), text: impl Into<String>) {
        let (seq, byte) = (Some(seq), Some(byte));
        self.findings.push(Finding { exit, path: path.to_owned(), byte, seq, text: text.into() });
    }

    /// What could not be read at all.
    fn fail(&mut self, layout: &Layout, error: &TrailError) {
        match error {
            TrailError::Damaged { path, damage } => self.find(Exit::Altered, path, damage.to_string()),
            _ => self.find(Exit::Unusable, &layout.trail, error.to_string()),
        }
    }
}

/// A signed tree that the stored one must have as its beginning.
#[derive(Debug, Clone)]
struct Known {
    size: u64,
    root: Hash,
    by: By,
    /// Where it was found.
    path: Arc<Path>,
}

/// Where a tree was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Checkpoint,
    Anchor,
    /// The record of a key of the log, and of an epoch.
    Key(u64),
    Epoch(u64),
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint => f.write_str("the checkpoint"),
            Self::Anchor => f.write_str("an anchor"),
            Self::Key(number) => write!(f, "the beginning of key {number}"),
            Self::Epoch(number) => write!(f, "the beginning of epoch {number}"),
        }
    }
}

/// Checks a copy of a trail; `folder` is a data folder or its `trail`. `progress` gets the bytes done
/// and the bytes there are.
pub fn verify(folder: &Path, against: &Against, progress: &mut dyn FnMut(u64, u64)) -> Report {
    let layout = Layout::of_copy(folder);
    let mut report = Report::new();
    if is_nothing(&layout) {
        report.find(Exit::Unusable, folder, "there is no trail");
        return report;
    }
    let given = Given::parse(against, &mut report, folder);
    // The checkpoint first: a writer at work begins new segments and epochs, and what is signed is there before that.
    let bytes = checkpoint_bytes(&layout, &mut report);
    let keys = Keys::read(&layout, given.log.as_ref(), &mut report);
    let signed = bytes.and_then(|bytes| signed(&layout, &bytes, &keys, &mut report));
    let checkpoint = signed.iter().map(|(Checkpoint { size, root, .. }, _)| (*size, *root));
    let mut known: Vec<Known> = checkpoint
        .map(|(size, root)| Known { size, root, by: By::Checkpoint, path: layout.checkpoint().into() })
        .collect();
    known.extend(keys.known(&layout));
    known.extend(chains::epochs(&layout, &keys, given.epoch.as_ref(), signed.as_ref(), &mut report));
    known.extend(anchors(&layout, against, &keys, &mut report, folder));
    let walked = segment::list(&layout).and_then(|firsts| {
        let bytes = |first: &u64| Segment::open(&layout, *first).and_then(|segment| segment.bytes()).unwrap_or(0);
        report.bytes = firsts.iter().map(bytes).sum();
        walk::walk(&layout, &firsts, known, &mut report, progress)
    });
    if let Err(error) = walked {
        report.fail(&layout, &error);
    }
    report.findings.sort_by_key(|finding| (finding.exit.weight(), finding.seq.unwrap_or(u64::MAX)));
    report
}

/// Neither a name nor a signature nor entries; what may not be looked at is something.
fn is_nothing(layout: &Layout) -> bool {
    let is_missing = |path: PathBuf| matches!(path.try_exists(), Ok(false));
    is_missing(layout.origin())
        && is_missing(layout.checkpoint())
        && segment::list(layout).is_ok_and(|firsts| firsts.is_empty())
}

fn checkpoint_bytes(layout: &Layout, report: &mut Report) -> Option<Vec<u8>> {
    match read_checkpoint(layout) {
        Ok(Some(bytes)) => return Some(bytes),
        Ok(None) => {
            let text = "the checkpoint is missing: nothing says what was signed";
            report.find(Exit::Incomplete, layout.checkpoint(), text);
        }
        Err(error) => report.fail(layout, &error),
    }
    None
}

/// The checkpoint of the copy, whoever signed it: what it covers is compared in any case.
fn signed(layout: &Layout, bytes: &[u8], keys: &Keys, report: &mut Report) -> Option<(Checkpoint, Note)> {
    let path = layout.checkpoint();
    let signed = match Checkpoint::parse_note(bytes) {
        Ok(signed) => signed,
        Err(error) => {
            report.find(Exit::Altered, path, error.to_string());
            return None;
        }
    };
    if let Some(trusted) = &keys.trusted {
        let verified = trusted.checkpoint(bytes);
        report.signature = if verified.is_ok() { Signature::Good } else { Signature::Bad };
        if let Err(error) = verified {
            report.find(Exit::Untrusted, &path, error.to_string());
        }
    }
    report.origin = Some(signed.0.origin.clone());
    name(layout, &signed.0.origin, keys, report);
    Some(signed)
}

fn read_checkpoint(layout: &Layout) -> Result<Option<Vec<u8>>, TrailError> {
    read_small(&layout.checkpoint(), checkpoint::BYTES_MAX)
}

/// The file that names the trail must name the one that was signed, and be signed by every key of the log.
fn name(layout: &Layout, signed: &str, keys: &Keys, report: &mut Report) {
    let path = layout.origin();
    match Origin::read_note(layout) {
        Ok(Some((origin, _))) if origin.origin != signed => {
            report.find(Exit::Altered, path, format!("it names the trail {}, and {signed} was signed", origin.origin));
        }
        Ok(Some((origin, note))) => {
            if let Some(error) = keys.of_name(signed).find_map(|key| note.verify(key).err()) {
                report.find(Exit::Untrusted, path, error.to_string());
            }
            let signers = note.signers().filter(|name| *name == origin.origin).count();
            if signers > 1 && matches!(layout.keys().try_exists(), Ok(false)) {
                report.find(Exit::Incomplete, layout.keys(), "it is missing, and more than one key signed this trail");
            }
        }
        Ok(None) => report.find(Exit::Incomplete, path, "it is missing"),
        Err(error) => report.fail(layout, &error),
    }
}

/// Those that a key signed which was in force then: others say nothing about this trail. Cosigned ones may lie in the
/// copy too.
fn anchors(layout: &Layout, against: &Against, keys: &Keys, report: &mut Report, folder: &Path) -> Vec<Known> {
    let signed = report.origin.clone();
    let whose = |checkpoint: &Checkpoint, note: &Note| match keys.trusted.as_ref() {
        Some(trusted) => match whose(trusted, checkpoint, note) {
            said @ (Whose::Others | Whose::Wrong(_)) => match whose(keys.whole(), checkpoint, note) {
                Whose::Ours => Whose::Before,
                lost @ Whose::Lost { .. } => lost,
                _ => said,
            },
            ours => ours,
        },
        None if signed.as_ref().is_some_and(|signed| checkpoint.origin != *signed) => Whose::Others,
        None => Whose::Ours,
    };
    let hearing = Hearing::new(&against.witnesses, folder, report);
    let heard = |checkpoint: &Checkpoint, note: &Note| {
        let whose = whose(checkpoint, note);
        if matches!(whose, Whose::Ours) {
            hearing.hear(checkpoint, note);
        }
        whose
    };
    let mut known = anchors::gather(against, folder, &heard, report);
    known.extend(hearing.copy(layout, &whose, report));
    hearing.tell(layout, report);
    known
}

/// Whose a checkpoint is, by what a chain of keys says of it.
fn whose(chain: &Chain, checkpoint: &Checkpoint, note: &Note) -> Whose {
    if !chain.links().iter().any(|link| link.record.origin == checkpoint.origin) {
        return Whose::Others;
    }
    match chain.signed(checkpoint, note) {
        Ok(()) => Whose::Ours,
        Err(NoteError::Retired { size, .. }) if checkpoint.size > size && chain.is_left(&checkpoint.origin, size) => {
            Whose::Lost { from: size }
        }
        Err(error) => Whose::Wrong(error),
    }
}

#[cfg(test)]
mod tests;
