//! Whether anything is in the trail twice: an event by its id, or bytes of a source by their place.
//!
//! Ids are sorted in runs, which wait in an unnamed temporary file and are merged at the end: 12 MiB of
//! memory for any number of entries, and 24 bytes of disk for each. Of streams only as many are followed
//! as the writer itself remembers; a record of one that was forgotten is still known by its id.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::str::FromStr;

use data_encoding::HEXLOWER;
use memchr::memmem::Finder;
use serde::Deserialize;

use crate::event::{EventId, Lineage};

/// More of them say nothing new.
pub(super) const FINDINGS_MAX: usize = 100;

/// Entries that are sorted at once.
const RUN_ENTRIES: usize = 512 << 10;

/// An id and the number of its entry.
const ENTRY_BYTES: usize = 24;

/// Read at once from each run that is merged, at least and at most; together 16 MiB up to 4,096 runs.
const WINDOW_BYTES: std::ops::RangeInclusive<usize> = 4 << 10..=256 << 10;
const WINDOWS_BYTES: usize = 16 << 20;

/// As many as the writer remembers of (`collect::positions`).
const STREAMS_MAX: usize = 1_024;

/// Looks at every entry once, in order.
pub(super) struct Doubles {
    ids: Ids,
    streams: Streams,
    source: Finder<'static>,
}

impl Doubles {
    pub(super) fn new() -> Self {
        Self { ids: Ids::new(RUN_ENTRIES), streams: Streams::default(), source: Finder::new(SOURCE) }
    }

    /// Takes in the next entry. Gives how far its stream was covered before, if it says again what was there.
    pub(super) fn take(&mut self, seq: u64, line: &[u8]) -> io::Result<Option<Again>> {
        let Some((id, stretch)) = read(line, &self.source) else { return Ok(None) };
        self.ids.push(id, seq)?;
        Ok(stretch.and_then(|stretch| self.streams.take(stretch)))
    }

    /// The first entries that have the id of an earlier one, each with that earlier one.
    pub(super) fn finish(self) -> io::Result<BTreeMap<u64, u64>> {
        self.ids.finish()
    }
}

/// The key under which the events of this program name their source; in no text can these bytes stand,
/// because there a quote has a backslash before it.
const SOURCE: &[u8] = b"\"source\":";

#[derive(Deserialize)]
struct Whole {
    id: EventId,
    source: Source,
}

#[derive(Deserialize)]
struct Source {
    lineage: Option<Lineage>,
    #[serde(default)]
    generation: u32,
    pos: Option<u64>,
    next: Option<u64>,
}

/// A record's place in its stream.
struct Stretch {
    stream: (Lineage, u32),
    pos: u64,
    next: u64,
}

/// The id and the place of an entry; what is no event has neither. Only so much is parsed as is needed:
/// the program writes the id near the beginning, and `source` before everything that holds records.
fn read(line: &[u8], source: &Finder<'_>) -> Option<(EventId, Option<Stretch>)> {
    let Whole { id, source } = match quick(line, source) {
        Some(found) => found,
        None => serde_json::from_slice(line).ok()?,
    };
    let Source { lineage, generation, pos, next } = source;
    let stretch = lineage.zip(pos.zip(next));
    Some((id, stretch.map(|(lineage, (pos, next))| Stretch { stream: (lineage, generation), pos, next })))
}

/// The members where [`crate::event::encode`] writes them; none where anything is otherwise.
fn quick(line: &[u8], source: &Finder<'_>) -> Option<Whole> {
    let (event, rest) = id(line.strip_prefix(b"{\"v\":1,\"id\":\"")?)?;
    let rest = rest.get(source.find(rest)? + SOURCE.len()..)?;
    let rest = text(rest.strip_prefix(b"{\"name\":\"")?)?;
    let rest = text(rest.strip_prefix(b",\"kind\":\"")?)?;
    let mut rest = text(rest.strip_prefix(b",\"origin\":\"")?)?;
    let mut source = Source { lineage: None, generation: 0, pos: None, next: None };
    if let Some(lineage) = rest.strip_prefix(b",\"lineage\":\"") {
        let (lineage, after) = id(lineage)?;
        (source.lineage, rest) = (Some(lineage), after);
    }
    if let Some((generation, after)) = number(rest, b",\"generation\":") {
        (source.generation, rest) = (u32::try_from(generation).ok()?, after);
    }
    for (name, slot) in [(b",\"pos\":".as_slice(), &mut source.pos), (b",\"next\":", &mut source.next)] {
        if let Some((value, after)) = number(rest, name) {
            (*slot, rest) = (Some(value), after);
        }
    }
    rest.starts_with(b"}").then_some(Whole { id: event, source })
}

/// What follows a text that holds no escape.
fn text(rest: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr2(b'"', b'\\', rest)?;
    rest.get(end..)?.strip_prefix(b"\"")
}

/// An id to its quote, and what follows.
fn id<T: FromStr>(rest: &[u8]) -> Option<(T, &[u8])> {
    let (id, rest) = rest.split_at_checked(26)?;
    Some((std::str::from_utf8(id).ok()?.parse().ok()?, rest.strip_prefix(b"\"")?))
}

/// A number of at most 19 digits, so that it cannot overflow.
fn number<'l>(rest: &'l [u8], name: &[u8]) -> Option<(u64, &'l [u8])> {
    let rest = rest.strip_prefix(name)?;
    let digits = rest.iter().take(19).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at_checked(digits)?;
    let value = digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    (!digits.is_empty() && !rest.first()?.is_ascii_digit()).then_some((value, rest))
}

/// A record that lies where its stream was covered already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Again {
    pub(super) pos: u64,
    pub(super) covered: u64,
}

/// How far each stream is covered; the one that went on last comes first, because it mostly goes on.
#[derive(Default)]
struct Streams(Vec<((Lineage, u32), u64)>);

impl Streams {
    /// `next` is the lowest place that is not covered yet, so no later record lies below it.
    fn take(&mut self, Stretch { stream, pos, next }: Stretch) -> Option<Again> {
        let Some(at) = self.0.iter().position(|(known, _)| *known == stream) else {
            self.0.truncate(STREAMS_MAX - 1);
            self.0.insert(0, (stream, next));
            return None;
        };
        let covered = &mut self.0[at].1;
        let again = (pos < *covered).then_some(Again { pos, covered: *covered });
        *covered = next.max(*covered);
        self.0[..=at].rotate_right(1);
        again
    }
}

/// An id, in halves that compare as fast as numbers do, and the number of its entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    high: u64,
    low: u64,
    seq: u64,
}

impl Entry {
    fn new(id: EventId, seq: u64) -> Self {
        let both = u128::from_be_bytes(*id.as_bytes());
        Self { high: (both >> 64) as u64, low: both as u64, seq }
    }

    fn is_same_id(&self, other: &Self) -> bool {
        (self.high, self.low) == (other.high, other.low)
    }
}

/// Ids with the numbers of their entries, sorted outside memory.
struct Ids {
    held: Vec<Entry>,
    most: usize,
    spool: Option<File>,
    /// The entries of each run in the spool, one run after the other.
    runs: Vec<u64>,
}

impl Ids {
    fn new(most: usize) -> Self {
        Self { held: Vec::new(), most, spool: None, runs: Vec::new() }
    }

    fn push(&mut self, id: EventId, seq: u64) -> io::Result<()> {
        self.held.push(Entry::new(id, seq));
        if self.held.len() < self.most { Ok(()) } else { self.spill() }
    }

    fn spill(&mut self) -> io::Result<()> {
        self.held.sort_unstable();
        let spool = match &self.spool {
            Some(spool) => spool,
            None => self.spool.insert(unnamed()?),
        };
        let mut out = BufWriter::with_capacity(256 << 10, spool);
        for Entry { high, low, seq } in &self.held {
            for number in [high, low, seq] {
                out.write_all(&number.to_le_bytes())?;
            }
        }
        out.flush()?;
        self.runs.push(self.held.len() as u64);
        self.held.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<BTreeMap<u64, u64>> {
        self.held.sort_unstable();
        let Some(spool) = &self.spool else { return Ok(repeated(self.held.into_iter())) };
        let window = (WINDOWS_BYTES / self.runs.len()).clamp(*WINDOW_BYTES.start(), *WINDOW_BYTES.end());
        let mut start = 0;
        let mut runs = Vec::with_capacity(self.runs.len() + 1);
        for count in &self.runs {
            let end = start + count * ENTRY_BYTES as u64;
            runs.push(Run { spool, window, left: start..end, held: Vec::new() });
            start = end;
        }
        runs.push(Run { spool, window, left: 0..0, held: self.held.into_iter().rev().collect() });
        let mut heads = BinaryHeap::new();
        for (number, run) in runs.iter_mut().enumerate() {
            heads.extend(run.next()?.map(|entry| Reverse((entry, number))));
        }
        let mut failed = None;
        let merged = std::iter::from_fn(|| {
            let Reverse((entry, number)) = heads.pop()?;
            match runs[number].next() {
                Ok(next) => heads.extend(next.map(|next| Reverse((next, number)))),
                Err(error) => {
                    failed = Some(error);
                    return None;
                }
            }
            Some(entry)
        });
        let found = repeated(merged);
        failed.map_or(Ok(found), Err)
    }
}

/// The first entries whose id stands before, with the entry that had it first.
fn repeated(sorted: impl Iterator<Item = Entry>) -> BTreeMap<u64, u64> {
    let mut found = BTreeMap::new();
    let mut first: Option<Entry> = None;
    for entry in sorted {
        match first {
            Some(first) if first.is_same_id(&entry) => {
                found.insert(entry.seq, first.seq);
                if found.len() > FINDINGS_MAX {
                    found.pop_last();
                }
            }
            _ => first = Some(entry),
        }
    }
    found
}

/// One sorted run, read piece by piece.
struct Run<'s> {
    spool: &'s File,
    window: usize,
    /// What is still to be read.
    left: std::ops::Range<u64>,
    /// Last first.
    held: Vec<Entry>,
}

impl Run<'_> {
    fn next(&mut self) -> io::Result<Option<Entry>> {
        if self.held.is_empty() && !self.left.is_empty() {
            let most = self.window / ENTRY_BYTES * ENTRY_BYTES;
            let mut bytes = vec![0; most.min((self.left.end - self.left.start) as usize)];
            self.spool.read_exact_at(&mut bytes, self.left.start)?;
            self.left.start += bytes.len() as u64;
            let numbers = bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect::<Vec<u64>>();
            self.held.extend(numbers.as_chunks::<3>().0.iter().rev().map(|&[high, low, seq]| Entry { high, low, seq }));
        }
        Ok(self.held.pop())
    }
}

/// A file that nobody else can open, and that is gone with this process.
fn unnamed() -> io::Result<File> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    let path = std::env::temp_dir().join(format!("whodid-verify-{}", HEXLOWER.encode(&random)));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::event::Family;

    fn id(n: u8) -> EventId {
        EventId::new(Family::Auth, &[&[n]], 0)
    }

    proptest! {
        #[test]
        fn any_list_of_ids_sorted_in_any_runs(ids in proptest::collection::vec(0_u8..60, 0..80), most in 1_usize..20) {
            let mut sorted = Ids::new(most);
            let (mut first, mut expected) = (HashMap::new(), BTreeMap::new());
            for (seq, n) in (0..).zip(&ids) {
                sorted.push(id(*n), seq).expect("room");
                match first.get(n) {
                    Some(first) => drop(expected.insert(seq, *first)),
                    None => drop(first.insert(*n, seq)),
                }
            }
            prop_assert_eq!(sorted.finish().expect("readable"), expected);
        }
    }

    #[test]
    fn an_entry_is_read_alike_in_any_order_of_its_members() {
        let (id, lineage) = (id(1), Lineage::new("web-1", Family::Auth, b"head"));
        let place =
            format!(r#""source":{{"name":"a","kind":"auth","origin":"b","lineage":"{lineage}","pos":7,"next":9}}"#);
        let raw = r#""raw":"\"source\":{\"pos\":1}""#;
        let finder = Finder::new(SOURCE);
        for line in [
            format!(r#"{{"v":1,"id":"{id}",{place},{raw}}}"#),
            format!(r#"{{"v":1,"id":"{id}",{},{raw}}}"#, place.replace("\"b\"", "\"b\\\"c\"")),
            format!(r#"{{"v":1,"id":"{id}",{},{raw}}}"#, place.replace("\"pos\":7", "\"more\":1,\"pos\":7")),
            format!(r#"{{"v":1,"id":"{id}",{},{raw}}}"#, place.replace("\"pos\":7", "\"generation\":0,\"pos\":7")),
            format!(r#"{{"v":1,"id":"{id}",{raw},{place}}}"#),
            format!(r#"{{ {raw}, {place}, "id": "{id}" }}"#),
        ] {
            let (found, stretch) = read(line.as_bytes(), &finder).expect("an event");
            let stretch = stretch.map(|stretch| (stretch.stream, stretch.pos, stretch.next));
            assert_eq!((found, stretch), (id, Some(((lineage, 0), 7, 9))), "{line}");
        }
        for none in ["", "{}", "[1]", r#"{"v":1,"id":"x"}"#, "\u{0}"] {
            assert!(read(none.as_bytes(), &finder).is_none(), "{none}");
        }
    }

    #[test]
    fn the_stream_that_rested_longest_is_forgotten() {
        let mut streams = Streams::default();
        let stream = |generation| Stretch {
            stream: (Lineage::new("web-1", Family::Auth, b"head"), generation),
            pos: 0,
            next: 10,
        };
        for generation in 0..STREAMS_MAX as u32 {
            assert_eq!(streams.take(stream(generation)), None);
        }
        assert!(streams.take(stream(0)).is_some());
        assert_eq!(streams.take(stream(STREAMS_MAX as u32)), None);
        assert!(streams.take(stream(0)).is_some());
        assert_eq!(streams.take(stream(1)), None, "it was forgotten");
        assert_eq!(streams.0.len(), STREAMS_MAX);
    }

    #[test]
    fn a_stream_never_goes_back() {
        let mut streams = Streams::default();
        let stream = (Lineage::new("web-1", Family::Auth, b"head"), 0);
        let mut take = |generation, pos, next| {
            streams.take(Stretch { stream: (stream.0, generation), pos, next }).map(|again| again.covered)
        };
        // Several events of a record, and a record that waits for a later one.
        for (pos, next) in [(0, 0), (0, 10), (20, 10), (10, 30), (30, 40)] {
            assert_eq!(take(0, pos, next), None, "{pos}");
        }
        assert_eq!(take(1, 0, 10), None);
        assert_eq!(take(0, 30, 40), Some(40));
        assert_eq!(take(0, 0, 10), Some(40));
        assert_eq!(take(0, 40, 50), None);
    }
}
