//! A segment: entries one after the other, each on a line, in a file named after its first entry.
//!
//! It is plain while it is the newest, and some time later sealed ([`super::sealed`]): nobody who reads
//! sees a difference, bytes are counted as in the plain file. While both files are there the plain one is
//! read: the sealed one was not compared with the tiles yet.
//!
//! [`Cursor`] reads forward, whoever asks: a reader, the writer when it opens, a verification.
//! [`Segment`] finds one line among hundreds of thousands: it knows where every 256th begins, from
//! the cache beside it or by reading through the file once, or where the lines of each frame do.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::TrailError;
use super::layout::{FILE_MODE, Layout, names};
use super::sealed::Sealed;
use super::tile;
use crate::event::LEAF_BYTES_MAX;

/// Lines between two remembered starts: as many as a tile has hashes.
pub(super) const BLOCK_LINES: u64 = tile::WIDTH as u64;

/// Read at once.
const CHUNK_BYTES: usize = 256 << 10;

/// One segment, opened for reading.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) first: u64,
    pub(super) path: PathBuf,
    content: Content,
    /// Where some of the lines begin, as far as that is known; the first is line 0.
    starts: Mutex<Vec<Start>>,
}

/// The place of a line in its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Start {
    pub(super) line: u64,
    pub(super) byte: u64,
}

#[derive(Debug)]
enum Content {
    Plain(File),
    Sealed(Sealed),
}

/// Reads whole lines forward.
#[derive(Debug)]
pub(super) struct Cursor {
    segment: Arc<Segment>,
    /// Of the first byte in the buffer.
    offset: u64,
    buffer: Vec<u8>,
    at: usize,
}

/// What comes next in a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// A line without its LF, and where it begins.
    Line(u64, &'a [u8]),
    /// What begins here is no line: it has no end, or is longer than a line can be.
    Torn(u64),
    /// The file ends here.
    End(u64),
}

/// The first entries of all segments, in order.
pub(super) fn list(layout: &Layout) -> Result<Vec<u64>, TrailError> {
    let read = || names(&layout.segments()).map(|names| firsts(&names, ENDINGS));
    let mut found = read()?;
    // The system lists so many names in one step. Of more it could miss one that is sealed meanwhile.
    while found.len() > LISTED_AT_ONCE {
        let again = read()?;
        if again == found {
            break;
        }
        found = again;
    }
    Ok(found)
}

/// Those of which there is a plain file.
pub(super) fn plain(layout: &Layout) -> Result<Vec<u64>, TrailError> {
    Ok(firsts(&names(&layout.segments())?, &ENDINGS[..1]))
}

fn firsts(names: &[String], endings: &[&str]) -> Vec<u64> {
    let first = |name: &String| {
        let digits = endings.iter().find_map(|ending| name.strip_suffix(ending))?;
        digits.parse().ok().filter(|_| digits.len() == 20)
    };
    let mut firsts: Vec<u64> = names.iter().filter_map(first).collect();
    firsts.dedup();
    firsts
}

/// Plain and sealed.
const ENDINGS: &[&str] = &[".jsonl", ".jsonl.zst"];

const LISTED_AT_ONCE: usize = 200;

/// The file that remembers where every 256th line begins.
pub(super) fn cache(layout: &Layout, first: u64) -> PathBuf {
    layout.segment(first).with_extension("blocks")
}

/// The cache of starts, written anew.
pub(super) fn new_cache(layout: &Layout, first: u64, bytes: &[u8]) -> io::Result<File> {
    let path = cache(layout, first);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

impl Segment {
    pub(super) fn open(layout: &Layout, first: u64) -> Result<Self, TrailError> {
        let path = layout.segment(first);
        match File::open(&path) {
            Ok(file) => {
                let starts = Mutex::new(remembered(layout, first, &file));
                Ok(Self { first, path, content: Content::Plain(file), starts })
            }
            // A plain file is deleted after the sealed one is there: whoever comes between finds this.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let sealed = Self::open_sealed(first, layout.sealed(first))?;
                sealed.ok_or_else(|| TrailError::missing(path))
            }
            Err(error) => Err(TrailError::io(path, error)),
        }
    }

    /// The sealed file of a segment, whatever else there is; none if it is not there.
    pub(super) fn open_sealed(first: u64, path: PathBuf) -> Result<Option<Self>, TrailError> {
        Ok(Sealed::open(&path)?.map(|sealed| {
            let starts = Mutex::new(sealed.starts());
            Self { first, path, content: Content::Sealed(sealed), starts }
        }))
    }

    /// Whether no byte changed that its lines do not show.
    pub(super) fn is_as_written(&self) -> Result<bool, TrailError> {
        match &self.content {
            Content::Plain(_) => Ok(true),
            Content::Sealed(sealed) => sealed.is_as_written(),
        }
    }

    /// Bytes of its lines, sealed or not.
    pub(super) fn bytes(&self) -> Result<u64, TrailError> {
        match &self.content {
            Content::Plain(file) => {
                file.metadata().map(|found| found.len()).map_err(|error| TrailError::io(&self.path, error))
            }
            Content::Sealed(sealed) => Ok(sealed.bytes()),
        }
    }

    /// Where the line of an entry begins; none when the segment ends before it.
    pub(super) fn find(self: &Arc<Self>, seq: u64) -> Result<Option<u64>, TrailError> {
        let wanted = seq - self.first;
        let Start { line: mut number, byte } = self.nearest(wanted);
        let mut cursor = Cursor::new(self, byte);
        loop {
            let at = cursor.position();
            if number == wanted {
                return Ok(Some(at));
            }
            let Step::Line(..) = cursor.next()? else { return Ok(None) };
            number += 1;
            if number.is_multiple_of(BLOCK_LINES) {
                self.remember(Start { line: number, byte: cursor.position() });
            }
        }
    }

    /// What was remembered may be wrong: it is found anew.
    pub(super) fn forget(&self) {
        *self.starts() = vec![Start::default()];
    }

    /// The last remembered line at or before one.
    fn nearest(&self, line: u64) -> Start {
        let starts = self.starts();
        let after = starts.partition_point(|start| start.line <= line);
        after.checked_sub(1).and_then(|at| starts.get(at)).copied().unwrap_or_default()
    }

    fn remember(&self, start: Start) {
        let mut starts = self.starts();
        if starts.last().is_none_or(|last| last.line < start.line) {
            starts.push(start);
        }
    }

    fn starts(&self) -> MutexGuard<'_, Vec<Start>> {
        self.starts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, TrailError> {
        match &self.content {
            Content::Plain(file) => file.read_at(buffer, offset).map_err(|error| TrailError::io(&self.path, error)),
            Content::Sealed(sealed) => sealed.read_at(buffer, offset),
        }
    }
}

/// The cache, as far as it can be right: it begins at 0 and rises, and a line ends before each start.
fn remembered(layout: &Layout, first: u64, file: &File) -> Vec<Start> {
    let bytes = std::fs::read(cache(layout, first)).unwrap_or_default();
    let starts: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
    let rises = starts.first() == Some(&0) && starts.is_sorted_by(|a, b| a < b);
    let mut before = [0];
    let ends = |start: &u64| *start == 0 || (file.read_exact_at(&mut before, start - 1).is_ok() && before == *b"\n");
    match rises && starts.last().is_some_and(ends) {
        true => (0..).step_by(tile::WIDTH).zip(starts).map(|(line, byte)| Start { line, byte }).collect(),
        false => vec![Start::default()],
    }
}

impl Cursor {
    pub(super) fn new(segment: &Arc<Segment>, offset: u64) -> Self {
        Self { segment: Arc::clone(segment), offset, buffer: Vec::new(), at: 0 }
    }

    /// Where the next line begins.
    pub(super) fn position(&self) -> u64 {
        self.offset + self.at as u64
    }

    pub(super) fn next(&mut self) -> Result<Step<'_>, TrailError> {
        let length = loop {
            let held = self.buffer.get(self.at..).unwrap_or_default();
            if let Some(length) = memchr::memchr(b'\n', held) {
                break Some(length);
            }
            if held.len() > LEAF_BYTES_MAX || !self.fill()? {
                break None;
            }
        };
        let (start, at) = (self.position(), self.at);
        match length {
            Some(length) if length <= LEAF_BYTES_MAX => {
                self.at += length + 1;
                Ok(Step::Line(start, &self.buffer[at..at + length]))
            }
            None if at == self.buffer.len() => Ok(Step::End(start)),
            _ => Ok(Step::Torn(start)),
        }
    }

    /// Whether nothing follows in this file, as far as it is written now.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.at == self.buffer.len() && !self.fill().unwrap_or(true)
    }

    fn fill(&mut self) -> Result<bool, TrailError> {
        self.offset = self.position();
        self.buffer.drain(..self.at);
        self.at = 0;
        let held = self.buffer.len();
        self.buffer.resize(held + CHUNK_BYTES, 0);
        let read = self.segment.read_at(&mut self.buffer[held..], self.offset + held as u64);
        self.buffer.truncate(held + read.as_ref().copied().unwrap_or(0));
        read.map(|read| read > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::durable;
    use crate::trail::layout::FILE_MODE;

    fn segment(bytes: &[u8]) -> (tempfile::TempDir, Layout, Arc<Segment>) {
        let folder = tempfile::tempdir().expect("a folder");
        let layout = Layout::new(folder.path());
        layout.create_folders().expect("folders");
        durable::swap(&layout.segment(7), bytes, FILE_MODE).expect("a file");
        let segment = Arc::new(Segment::open(&layout, 7).expect("a segment"));
        (folder, layout, segment)
    }

    #[test]
    fn lines_come_whole_or_not_at_all() {
        let (_folder, _, lines) = segment(b"one\n\nthree\nhal");
        let mut cursor = Cursor::new(&lines, 0);
        for expected in [Step::Line(0, b"one"), Step::Line(4, b""), Step::Line(5, b"three"), Step::Torn(11)] {
            assert_eq!(cursor.next().expect("readable"), expected);
        }
        let long = [vec![b'x'; LEAF_BYTES_MAX], vec![b'\n'], vec![b'y'; LEAF_BYTES_MAX + 1], vec![b'\n']].concat();
        let (_folder, _, lines) = segment(&long);
        let mut cursor = Cursor::new(&lines, 0);
        assert!(matches!(cursor.next(), Ok(Step::Line(0, _))));
        assert_eq!(cursor.next().expect("readable"), Step::Torn(LEAF_BYTES_MAX as u64 + 1));
    }

    #[test]
    fn every_line_is_found_whatever_the_cache_says() {
        let text: Vec<String> = (0..1000).map(|i| "x".repeat(i % 90)).collect();
        let bytes: String = text.iter().map(|line| format!("{line}\n")).collect();
        let starts: Vec<u64> = text
            .iter()
            .scan(0, |at, line| {
                *at += line.len() as u64 + 1;
                Some(*at - line.len() as u64 - 1)
            })
            .collect();
        let cached = |wanted: &[u64]| wanted.iter().flat_map(|start| start.to_le_bytes()).collect::<Vec<u8>>();
        let right = cached(&[0, starts[256], starts[512]]);
        for cache_bytes in [vec![], right.clone(), right[..17].to_vec(), cached(&[0, 5, 4]), cached(&[0, 1 << 60])] {
            let (_folder, layout, _) = segment(bytes.as_bytes());
            durable::swap(&cache(&layout, 7), &cache_bytes, FILE_MODE).expect("a file");
            let segment = Arc::new(Segment::open(&layout, 7).expect("a segment"));
            for line in [999, 0, 256, 255, 511, 512, 513, 700] {
                assert_eq!(segment.find(7 + line as u64).expect("readable"), Some(starts[line]), "{line}");
            }
            assert_eq!(segment.find(7 + 1000).expect("readable"), Some(bytes.len() as u64));
            assert_eq!(segment.find(7 + 1001).expect("readable"), None);
        }
    }
}
