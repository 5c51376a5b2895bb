//! The keys that followed one another: which may have signed what, and what nobody can sign any more.
//!
//! From the key that was given the chain of the log is followed forward; so are the epochs, from the key of
//! one that was given. Every record of both says which tree was signed when its key began: these trees join
//! those that the walk compares. Of the epochs only these are kept in memory, 72 bytes each.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::{Against, Beginning, By, Epochs, Exit, Known, Report};
use crate::trail::TrailError;
use crate::trail::checkpoint::Checkpoint;
use crate::trail::layout::{Layout, read_small};
use crate::trail::note::{Note, NoteError, VerifierKey};
use crate::trail::notes;
use crate::trail::succession::{Broken, Chain, Follow, Link, Record, Tie};

/// Thousands of keys of one log.
const KEYS_BYTES_MAX: u64 = 16 << 20;

/// A record of the longest names is shorter.
const RECORD_BYTES_MAX: usize = 16 << 10;

/// Of the epochs' file at a time.
const WINDOW_BYTES: usize = 1 << 20;

/// Both files begin with one: they are there with it, or not at all.
const NO_RECORD: &str = "it holds no record of a key";

/// At one size there are two, unless somebody plays.
const IN_FORCE_MAX: usize = 16;

/// The keys that were given.
#[derive(Default)]
pub(super) struct Given {
    pub(super) log: Option<VerifierKey>,
    pub(super) epoch: Option<VerifierKey>,
}

/// The keys of the log.
pub(super) struct Keys {
    /// As the copy names them; where it does not, the one that was given.
    all: Chain,
    /// Those that the given key vouches for. None where no key was given.
    pub(super) trusted: Option<Chain>,
}

impl Given {
    /// A key of the log, and perhaps one of an epoch below it, as in the file `.vkey`.
    pub(super) fn parse(against: &Against, report: &mut Report, place: &Path) -> Self {
        let mut lines = against.key.as_deref().unwrap_or_default().lines().map(str::trim);
        let mut read = |what: &str, text: Option<&str>| {
            let parsed = VerifierKey::parse(text?);
            if let Err(error) = &parsed {
                report.find(Exit::Untrusted, place, format!("the key {what}that was given: {error}"));
            }
            Some(parsed)
        };
        let log = against.key.as_ref().and_then(|_| read("", lines.next()));
        let epoch = read("of an epoch ", against.epoch_key.as_deref().map(str::trim).or(lines.next()));
        if log.as_ref().is_some_and(Result::is_err) {
            report.signature = super::Signature::Bad;
        }
        Self { log: log.and_then(Result::ok), epoch: epoch.and_then(Result::ok) }
    }
}

impl Keys {
    /// The chain of the log as the copy has it.
    pub(super) fn read(layout: &Layout, given: Option<&VerifierKey>, report: &mut Report) -> Self {
        let path = layout.keys();
        let all = match read_small(&path, KEYS_BYTES_MAX) {
            Ok(Some(bytes)) => {
                let (chain, end) = Chain::read(&bytes);
                if let Some(broken) = end.broken {
                    report.find_at_byte(exit(&broken), &path, end.at as u64, text(&broken, chain.links().len() as u64));
                } else if chain.links().is_empty() {
                    report.find(Exit::Incomplete, &path, NO_RECORD);
                }
                chain
            }
            Ok(None) => given.cloned().map_or_else(Chain::default, Chain::of_one),
            Err(error) => {
                report.fail(layout, &error);
                Chain::default()
            }
        };
        report.keys.count = all.links().len() as u64;
        let trusted = given.map(|key| {
            let trusted = all.from(key);
            report.keys.given = trusted.as_ref().and_then(|chain| chain.links().first().map(|link| link.record.number));
            trusted.unwrap_or_else(|| Chain::of_one(key.clone()))
        });
        Self { all, trusted }
    }

    pub(super) fn known(&self, layout: &Layout) -> impl Iterator<Item = Known> {
        let path: Arc<Path> = layout.keys().into();
        self.all.links().iter().map(move |Link { record, .. }| Known {
            size: record.size,
            root: record.root,
            by: By::Key(record.number),
            path: Arc::clone(&path),
        })
    }

    /// The keys that must have signed this name of the trail: each one does when it begins.
    pub(super) fn of_name(&self, origin: &str) -> impl Iterator<Item = &VerifierKey> {
        let trusted = self.trusted.iter().flat_map(|chain| chain.links());
        trusted.map(|link| &link.record).filter(move |record| record.origin == origin).map(|record| &record.key)
    }

    /// All of them, whoever vouches for the first.
    pub(super) fn whole(&self) -> &Chain {
        &self.all
    }

    /// Who vouches where epochs begin, perhaps long before the key that was given.
    fn vouching(&self) -> Option<&Chain> {
        (!self.all.links().is_empty()).then_some(&self.all)
    }
}

/// What is looked for on the way through the epochs.
struct Search<'s> {
    given: Option<&'s VerifierKey>,
    signed: Option<&'s (Checkpoint, Note)>,
    /// Those that may sign a tree of the checkpoint's size.
    in_force: Vec<Link>,
    found: Epochs,
    /// After the one whose key was given: the first that began anew, which the key of the log alone vouches for.
    anew: Option<Record>,
    newest: Option<Record>,
}

/// Follows the epochs, and asks that the checkpoint be signed by the one that was open.
pub(super) fn epochs(
    layout: &Layout,
    keys: &Keys,
    given: Option<&VerifierKey>,
    signed: Option<&(Checkpoint, Note)>,
    report: &mut Report,
) -> Vec<Known> {
    let (mut known, mut is_broken) = (Vec::new(), false);
    let mut search = Search { given, signed, in_force: Vec::new(), found: Epochs::default(), anew: None, newest: None };
    let path: Arc<Path> = layout.epochs().into();
    let mut follow = Follow::epochs(keys.vouching());
    let read = File::open(&path).and_then(|file| {
        each_note(file, |at, taken, rest| {
            let taken = taken.map_err(Broken::Note).and_then(|note| follow.take(&note));
            match taken {
                Ok(link) => {
                    let Record { size, root, number, .. } = link.record;
                    known.push(Known { size, root, by: By::Epoch(number), path: Arc::clone(&path) });
                    search.pass(link);
                    ControlFlow::Continue(())
                }
                Err(_) if rest.is_some_and(|rest| follow.is_torn(rest)) => ControlFlow::Break(()),
                Err(broken) => {
                    report.find_at_byte(exit(&broken), &path, at, text(&broken, known.len() as u64));
                    is_broken = true;
                    ControlFlow::Break(())
                }
            }
        })
    });
    match read {
        Ok(()) => {
            if known.is_empty() && !is_broken {
                report.find(Exit::Incomplete, &*path, NO_RECORD);
            }
            search.end(layout, report);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let names_one = signed.is_some_and(|(checkpoint, note)| epoch_of(checkpoint, note).is_some());
            if names_one || given.is_some() {
                report.find(Exit::Incomplete, &*path, "it is missing, and this trail has epochs");
            }
        }
        Err(error) => report.fail(layout, &TrailError::io(&*path, error)),
    }
    known
}

impl Search<'_> {
    fn pass(&mut self, link: Link) {
        let record = &link.record;
        if let Some((checkpoint, _)) = self.signed {
            if record.size < checkpoint.size {
                self.in_force.clear();
            }
            if record.size <= checkpoint.size && self.in_force.len() < IN_FORCE_MAX {
                self.in_force.push(link.clone());
            }
        }
        if self.given == Some(&record.key) {
            (self.found.vouched, self.found.given) = (Beginning::Given, Some(record.number));
        } else if self.found.vouched == Beginning::Given {
            if link.tie == Tie::Begins {
                self.anew.get_or_insert_with(|| record.clone());
            }
            if self.anew.is_none() {
                self.found.protected_to = record.size;
            }
        } else {
            self.found.vouched = Beginning::ByLog;
        }
        self.found.count = record.number + 1;
        if link.tie == Tie::Before {
            self.found.closed += 1;
            self.found.closed_to = record.size;
        }
        self.newest = Some(link.record);
    }

    fn end(self, layout: &Layout, report: &mut Report) {
        if self.given.is_some() && self.found.given.is_none() {
            let text = "the key of an epoch that was given is none of these: they are not those that the auditor knew";
            report.find(Exit::Untrusted, layout.epochs(), text);
        }
        // Whoever has a key of the log can adopt the trail at any size, and so cast all closings above it off.
        if let Some(Record { origin, number, size, .. }) = &self.anew {
            let text = format!(
                "epoch {number} begins anew at {size} under the name {origin}: the key of an epoch that was given says \
                 nothing of what comes after. If the trail was adopted, ask for its new public key"
            );
            report.find(Exit::Untrusted, layout.epochs(), text);
        }
        if let (Some((checkpoint, note)), Some(last)) = (self.signed, self.in_force.last()) {
            // Where epochs begin there was none before to sign.
            let is_border = |link: &Link| link.tie == Tie::Begins && link.record.size == checkpoint.size;
            let is_signed = self.in_force.iter().any(|link| is_border(link) || note.verify(&link.record.key).is_ok());
            if !is_signed {
                let number = last.record.number;
                let by = match epoch_of(checkpoint, note) {
                    Some(by) if by != number => format!("it is signed by epoch {by}, and open was epoch {number}"),
                    _ => format!("it is not signed by epoch {number}, which was open"),
                };
                report.find(
                    Exit::Untrusted,
                    layout.checkpoint(),
                    by + ": closings were cut off, or the copy was made in pieces",
                );
            }
        }
        report.epochs = self.found;
    }
}

/// The number of the epoch that signed a checkpoint, by the names of its signatures.
fn epoch_of(checkpoint: &Checkpoint, note: &Note) -> Option<u64> {
    let number = |name: &str| name.strip_prefix(checkpoint.origin.as_str())?.strip_prefix("/epoch/")?.parse().ok();
    note.signers().find_map(number)
}

fn exit(broken: &Broken) -> Exit {
    if broken.is_altered() { Exit::Altered } else { Exit::Untrusted }
}

fn text(broken: &Broken, number: u64) -> String {
    format!("record {number}: {broken}")
}

/// Gives every note of a file with the byte at which it begins, and at the end of the file what is left of
/// it from there. What is no note is the last.
fn each_note(
    mut from: impl Read,
    mut take: impl FnMut(u64, Result<Note, NoteError>, Option<&[u8]>) -> ControlFlow<()>,
) -> io::Result<()> {
    let (mut window, mut before) = (Vec::new(), 0);
    loop {
        let wanted = (WINDOW_BYTES - window.len()) as u64;
        let is_end = (from.by_ref().take(wanted).read_to_end(&mut window)? as u64) < wanted;
        let Some(done) = pass(&window, before, is_end, &mut take) else { return Ok(()) };
        if is_end {
            return Ok(());
        }
        window.drain(..done);
        before += done as u64;
    }
}

/// Gives the notes of one window. How much of it is done, or none once no more are wanted.
fn pass(
    window: &[u8],
    before: u64,
    is_end: bool,
    take: &mut impl FnMut(u64, Result<Note, NoteError>, Option<&[u8]>) -> ControlFlow<()>,
) -> Option<usize> {
    let mut notes = notes::read(window).peekable();
    while let Some((at, note)) = notes.next() {
        let rest = window.get(at..).unwrap_or_default();
        // The end of the last one may not be read yet.
        if notes.peek().is_none() && !is_end && rest.len() <= RECORD_BYTES_MAX {
            return Some(at);
        }
        if take(before + at as u64, note.map(|(_, note)| note), is_end.then_some(rest)).is_break() {
            return None;
        }
    }
    Some(window.len())
}
