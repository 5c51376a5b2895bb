//! Checkpoints that were kept elsewhere, out of whatever they were kept in.
//!
//! A file of notes, one checkpoint alone, a log with lines of [`oneline`], or a folder of such files: all are read
//! line by line, and what is no checkpoint is passed over. So a log may hold everything else, and a file of notes
//! one that was torn. A file with none is an error all the same, and so is a signature that is wrong.
//!
//! Of each checkpoint its size and its root are kept, nothing else: as many as there are files and days.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use super::{Against, By, Exit, Finding, Known, Report};
use crate::trail::checkpoint::{self, Checkpoint};
use crate::trail::note::{Note, NoteError};
use crate::trail::oneline;

/// Whose a checkpoint is.
pub(super) enum Whose {
    Ours,
    /// Signed by a key before the one that is trusted, as the copy says. It has to fit, and makes nothing whole:
    /// a later key vouches for none before it.
    Before,
    /// Of another trail: a log may be that of many machines.
    Others,
    /// Signed under the name that the trail had before it was adopted, which it left at this size.
    Lost {
        from: u64,
    },
    /// It says that it is ours.
    Wrong(NoteError),
}

/// Longer lines of a log are passed over.
const LINE_BYTES_MAX: u64 = 65_536;

/// More of them, of one file, say nothing new.
const FINDINGS_MAX: u64 = 10;

/// What a line begins with that is a signature.
const SIGNATURE: &[u8] = "— ".as_bytes();

/// The anchors that were given, and what is wrong with them; `whose` checks the signatures.
pub(super) fn gather(
    against: &Against,
    folder: &Path,
    whose: &dyn Fn(&Checkpoint, &Note) -> Whose,
    report: &mut Report,
) -> Vec<Known> {
    let mut gathered = Gathered { whose, report, known: Vec::new(), lost: BTreeMap::new() };
    for bytes in &against.anchors {
        gathered.file(bytes.as_slice(), folder, "anchor");
    }
    for path in &against.anchor_files {
        gathered.path(path);
    }
    gathered.tell_lost();
    let mut known = gathered.known;
    known.sort_unstable_by_key(|known| (known.size, known.root));
    known.dedup_by(|a, b| (a.size, a.root) == (b.size, b.root));
    known
}

struct Gathered<'g> {
    whose: &'g dyn Fn(&Checkpoint, &Note) -> Whose,
    report: &'g mut Report,
    known: Vec<Known>,
    /// Of each name that the trail left, and at which size, the anchor that knows most.
    lost: BTreeMap<(String, u64), (u64, Arc<Path>)>,
}

/// What one file holds.
#[derive(Default)]
struct Held {
    ours: u64,
    others: u64,
    wrong: u64,
}

impl Gathered<'_> {
    fn path(&mut self, path: &Path) {
        let before = self.report.anchors;
        let read = match path.is_dir() {
            true => self.folder(path),
            false => File::open(path).and_then(|file| self.held(BufReader::new(file), path)).map(|held| {
                self.complain(path, "it", &held);
            }),
        };
        match read {
            Err(error) => self.report.find(Exit::Unusable, path, error.to_string()),
            Ok(()) if path.is_dir() && self.report.anchors == before => {
                self.report.find(Exit::Untrusted, path, "no file in it holds a checkpoint of this trail");
            }
            Ok(()) => {}
        }
    }

    /// Objects of a bucket that were copied, each a note.
    fn folder(&mut self, folder: &Path) -> io::Result<()> {
        let mut entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_unstable_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            match entry.file_type()? {
                kind if kind.is_dir() => self.folder(&path)?,
                kind if kind.is_file() => {
                    // What it holds is with the others now; an object that holds none is no fault of the folder.
                    let _held = self.held(BufReader::new(File::open(&path)?), &path)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn file(&mut self, bytes: &[u8], path: &Path, name: &str) {
        // Reading memory does not fail.
        let held = self.held(bytes, path).unwrap_or_default();
        self.complain(path, name, &held);
    }

    /// Something was given to check against, and it was not checked against.
    fn complain(&mut self, path: &Path, name: &str, held: &Held) {
        let text = match held {
            Held { ours: 0, others: 0, wrong: 0 } => format!("{name} holds no checkpoint"),
            Held { ours: 0, others: 1.., wrong: 0 } => {
                format!("{name} holds no checkpoint of this trail, but {} of others", held.others)
            }
            _ => return,
        };
        self.report.find(Exit::Untrusted, path, text);
    }

    fn held(&mut self, mut from: impl BufRead, path: &Path) -> io::Result<Held> {
        let (mut held, shared) = (Held::default(), Arc::from(path));
        let (mut lines, mut at, mut line) = (Lines::default(), 0, Vec::new());
        loop {
            line.clear();
            let begin = at;
            at += from.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? as u64;
            if line.is_empty() {
                break;
            }
            if let Some(note) = lines.push(&line, begin) {
                self.judge(&note, &shared, &mut held);
            }
            if let Some(note) = oneline::find(&line) {
                self.judge(&(begin, note.into_bytes()), &shared, &mut held);
            }
        }
        if let Some(note) = lines.end() {
            self.judge(&note, &shared, &mut held);
        }
        Ok(held)
    }

    fn judge(&mut self, (at, note): &(u64, Vec<u8>), path: &Arc<Path>, held: &mut Held) {
        // What only looks like one, or was torn.
        let Ok((checkpoint, note)) = Checkpoint::parse_note(note) else { return };
        match (self.whose)(&checkpoint, &note) {
            whose @ (Whose::Ours | Whose::Before) => {
                held.ours += 1;
                self.report.anchors += 1;
                let Checkpoint { size, root, .. } = checkpoint;
                if matches!(whose, Whose::Ours) {
                    self.report.anchored_to = self.report.anchored_to.max(Some(size));
                }
                self.known.push(Known { size, root, path: Arc::clone(path), by: By::Anchor });
            }
            Whose::Lost { from } => {
                held.ours += 1;
                self.report.anchors += 1;
                let lost = self.lost.entry((checkpoint.origin, from)).or_insert((0, Arc::clone(path)));
                if checkpoint.size > lost.0 {
                    *lost = (checkpoint.size, Arc::clone(path));
                }
            }
            Whose::Others => held.others += 1,
            Whose::Wrong(error) => {
                held.wrong += 1;
                if held.wrong <= FINDINGS_MAX {
                    let text = format!("an anchor for {} entries: {error}", checkpoint.size);
                    let (exit, path) = (Exit::Untrusted, path.to_path_buf());
                    self.report.findings.push(Finding { exit, path, byte: Some(*at), seq: None, text });
                }
            }
        }
    }
}

impl Gathered<'_> {
    /// The trail was adopted: what had been signed beyond that is not here, and the trail does not say otherwise.
    fn tell_lost(&mut self) {
        for ((origin, from), (upto, path)) in std::mem::take(&mut self.lost) {
            let text = format!(
                "entries {from} to {} of {origin} were lost: the trail goes on at {from} under another name, and its \
                 event trail.adopted says why",
                upto - 1
            );
            let (exit, path) = (Exit::Incomplete, path.to_path_buf());
            self.report.findings.push(Finding { exit, path, byte: None, seq: Some(from), text });
        }
    }
}

/// Finds notes of three lines of text among other lines.
#[derive(Default)]
struct Lines {
    /// The last lines before an empty one, and where the first of them begins.
    text: Vec<(u64, Vec<u8>)>,
    /// Three lines and an empty one, and the signatures that followed so far.
    note: Option<(u64, Vec<u8>)>,
    is_signed: bool,
}

/// Origin, size, root.
const TEXT_LINES: usize = 3;

impl Lines {
    /// Takes a line with its end; gives the note, with where it begins, that ended before it.
    fn push(&mut self, line: &[u8], at: u64) -> Option<(u64, Vec<u8>)> {
        if line.starts_with(SIGNATURE) {
            if let Some((_, note)) = self.note.as_mut().filter(|(_, note)| note.len() as u64 <= checkpoint::BYTES_MAX) {
                note.extend_from_slice(line);
                self.is_signed = true;
            }
            return None;
        }
        let ended = self.end();
        if line != b"\n" {
            if self.text.len() == TEXT_LINES {
                self.text.remove(0);
            }
            // What is longer is none of ours, and its pieces are no lines.
            self.text.push((at, line.to_vec()));
        } else if self.text.len() == TEXT_LINES {
            let begin = self.text.first().map_or(at, |(begin, _)| *begin);
            let mut note: Vec<u8> = self.text.drain(..).flat_map(|(_, line)| line).collect();
            note.push(b'\n');
            self.note = Some((begin, note));
        } else {
            self.text.clear();
        }
        ended
    }

    fn end(&mut self) -> Option<(u64, Vec<u8>)> {
        let is_signed = std::mem::take(&mut self.is_signed);
        self.note.take().filter(|_| is_signed)
    }
}

#[cfg(test)]
mod tests;
