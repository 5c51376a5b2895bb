//! Every byte that was written beside every byte that the trail holds.
//!
//! All that the writer wrote, in order, is one string. A stream of the trail is a stretch of it: its records
//! stand at their positions from the stretch's beginning on. So each byte of the string is covered by one
//! record, by several (doubled), or by none (lost, or its line's end, which no record holds).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::Read as _;
use std::ops::Range;
use std::path::PathBuf;
use std::process::Command;

use memchr::memmem;
use whodid::event::own::action;
use whodid::event::{Event, Family, Lineage};

use super::Scene;
use super::style::Gaps;

type StreamKey = (Lineage, u32);

/// A record of the log, as the trail has it.
#[derive(Debug)]
pub(super) struct Record {
    stream: StreamKey,
    pos: usize,
    pub(super) raw: Vec<u8>,
}

/// What a `source.gap` says.
#[derive(Debug)]
pub(super) struct Gap {
    stream: StreamKey,
    next: u64,
    problem: String,
}

pub(super) struct Proof {
    written: Vec<u8>,
    /// How many records hold each byte.
    covered: Vec<u8>,
    /// Where each stream ends.
    ends: HashMap<StreamKey, usize>,
    /// What lies in files at the end, and what was read for sure: it must be covered.
    required: Vec<Range<usize>>,
    pub(super) gaps: Vec<Gap>,
}

impl Scene {
    /// All events of the trail that came from the log.
    pub(super) fn records(&self) -> Vec<Record> {
        self.events().filter_map(record).collect()
    }

    pub(super) fn trail_bytes(&self) -> u64 {
        let segments = fs::read_dir(self.place.path("data/trail/segment")).into_iter().flatten();
        segments.filter_map(|segment| segment.ok()?.metadata().ok()).map(|segment| segment.len()).sum()
    }

    fn events(&self) -> impl Iterator<Item = Event> {
        let trail = self.place.trail();
        // The end may be half a line: somebody is writing.
        let whole = memchr::memrchr(b'\n', &trail).map_or(0, |end| end);
        let lines: Vec<Vec<u8>> = trail[..whole].split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        lines.into_iter().filter(|line| !line.is_empty()).map(|line| Event::decode(&line).expect("an event"))
    }

    /// What all files hold now, unpacked.
    fn files(&self) -> Vec<Vec<u8>> {
        self.paths().into_iter().map(|path| content(&path)).collect()
    }

    fn paths(&self) -> Vec<PathBuf> {
        let folders = ["log", "store"].map(|name| self.place.path(name));
        let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
        entries.map(|entry| entry.expect("readable").path()).filter(|path| path.exists()).collect()
    }

    /// `WHODID_KEEP` names a folder into which everything is copied before it is judged.
    pub(super) fn keep(&self) {
        if let Some(to) = std::env::var_os("WHODID_KEEP") {
            let to = PathBuf::from(to).join(self.style.name);
            fs::create_dir_all(&to).expect("a folder");
            let copied = Command::new("cp").arg("-a").arg(self.place.path(".")).arg(&to).status();
            assert!(copied.expect("cp is there").success());
        }
    }

    /// No whole line that stands in a file may be missing from the trail; says in which files those are that do.
    pub(super) fn expect_read(&self, missing: &[&Vec<u8>]) {
        let Some(line) = missing.first() else { return };
        let holds = |path: &PathBuf| memmem::find(&content(path), line).map(|at| (path.clone(), at));
        let files: Vec<_> = self.paths().iter().filter_map(holds).collect();
        self.keep();
        panic!("{} lines are not read, {:?} of {files:?}", missing.len(), String::from_utf8_lossy(line));
    }

    /// The lines that stand in files with their end, and do not begin a file in their middle.
    pub(super) fn whole_lines_in_files(&self) -> HashSet<Vec<u8>> {
        let written = self.writer.hold().written.clone();
        let all: HashSet<&[u8]> = written.split(|byte| *byte == b'\n').collect();
        let files = self.files();
        let lines = files.iter().flat_map(|file| {
            let whole = memchr::memrchr(b'\n', file).map_or(0, |end| end);
            file[..whole].split(|byte| *byte == b'\n')
        });
        lines.filter(|line| !line.is_empty() && all.contains(line)).map(<[u8]>::to_vec).collect()
    }
}

fn record(event: Event) -> Option<Record> {
    if event.source.kind != Family::Auth {
        return None;
    }
    let stream = (event.source.lineage.expect("of a file"), event.source.generation);
    let pos = usize::try_from(event.source.pos.expect("of a file")).expect("a small file");
    Some(Record { stream, pos, raw: event.raw.expect("a line").into_bytes() })
}

fn gap(event: &Event) -> Option<Gap> {
    if event.source.kind != Family::Whodid || event.what.action != action::GAP {
        return None;
    }
    let detail = &event.detail["whodid"];
    assert_eq!(detail["certain"], false, "{detail}");
    let lineage = serde_json::from_value(detail["lineage"].clone()).expect("a lineage");
    let generation = detail["generation"].as_u64().expect("a generation");
    let stream = (lineage, u32::try_from(generation).expect("a generation"));
    let next = detail["next"].as_u64().expect("a place");
    Some(Gap { stream, next, problem: event.reason.clone().expect("a reason") })
}

fn content(path: &PathBuf) -> Vec<u8> {
    let mut bytes = fs::read(path).expect("a file");
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("gz") => {
            let packed = std::mem::take(&mut bytes);
            flate2::read::MultiGzDecoder::new(packed.as_slice()).read_to_end(&mut bytes).expect("gzip");
        }
        Some("zst") => bytes = zstd::decode_all(bytes.as_slice()).expect("zstd"),
        Some("xz") => bytes = Command::new("xz").arg("-dc").arg(path).output().expect("xz is there").stdout,
        _ => {}
    }
    bytes
}

impl Proof {
    pub(super) fn of(scene: &Scene) -> Self {
        let written = scene.writer.hold().written.clone();
        let places = places(&written);
        let mut covered = vec![0_u8; written.len()];
        let mut streams: BTreeMap<StreamKey, Vec<Record>> = BTreeMap::new();
        scene.records().into_iter().for_each(|record| streams.entry(record.stream).or_default().push(record));
        let mut ends = HashMap::new();
        let mut cuts = HashSet::from([0, written.len()]);
        let files: Vec<_> = scene.files().iter().filter_map(|file| stretch(file, &written, &places)).collect();
        cuts.extend(files.iter().flat_map(|stretch| [stretch.start, stretch.end]));
        for (key, records) in &streams {
            let base = base(records, &written, &places);
            let mut last = None;
            for Record { pos, raw, .. } in records {
                assert!(last < Some(*pos), "the records of a stream are in order: {pos} comes after {last:?}");
                last = Some(*pos);
                let at = base + pos..base + pos + raw.len();
                let is_there = written.get(at.clone()) == Some(raw.as_slice());
                assert!(is_there, "nobody wrote {:?} at {pos} of {key:?}", String::from_utf8_lossy(raw));
                covered[at.clone()].iter_mut().for_each(|count| *count += 1);
                ends.insert(*key, at.end);
                let is_cut = |end: usize| written.get(end) == Some(&b'\n') || cuts.contains(&end);
                let begins = at.start == 0 || written[at.start - 1] == b'\n' || cuts.contains(&at.start);
                let torn = !begins || !is_cut(at.end);
                // What copytruncate cut off, and what is gone, had other ends than what is left.
                assert!(!torn || scene.style.gaps != Gaps::None, "a line was torn: {:?}", String::from_utf8_lossy(raw));
            }
        }
        let required =
            files.into_iter().chain(scene.required.lock().expect("no panic before").iter().cloned()).collect();
        let gaps = scene.events().filter_map(|event| gap(&event)).collect();
        Self { written, covered, ends, required, gaps }
    }

    pub(super) fn lines(&self) -> usize {
        memchr::memchr_iter(b'\n', &self.written).count()
    }

    /// What no record holds, but for ends of lines.
    pub(super) fn lost(&self) -> Vec<Range<usize>> {
        let mut lost: Vec<Range<usize>> = Vec::new();
        for (at, count) in self.covered.iter().enumerate() {
            let is_end = self.written[at] == b'\n';
            match lost.last_mut() {
                Some(last) if last.end == at && (*count == 0) => last.end = at + 1,
                _ if *count == 0 && !is_end => lost.push(at..at + 1),
                _ => {}
            }
        }
        lost
    }

    pub(super) fn expect_whole(&self, expected: Gaps, rotations: u32) {
        let shown = |range: &Range<usize>| {
            String::from_utf8_lossy(&self.written[range.start..range.end.min(range.start + 300)]).into_owned()
        };
        let doubled = self.covered.iter().position(|count| *count > 1);
        assert!(doubled.is_none(), "doubled at {doubled:?}: {}", shown(&(doubled.unwrap_or(0)..self.written.len())));
        let lost = self.lost();
        let missed = lost.iter().find(|lost| self.required.iter().any(|r| r.start < lost.end && lost.start < r.end));
        // A newline at the end of a stretch belongs to it, but is no loss.
        let missed = missed.filter(|lost| {
            let readable = |at: &usize| self.required.iter().any(|r| r.contains(at));
            (lost.start..lost.end).any(|at| self.written[at] != b'\n' && readable(&at))
        });
        assert!(missed.is_none(), "{missed:?} was readable: {}", shown(missed.unwrap_or(&(0..0))));
        for lost in &lost {
            let is_there = |gap: &&Gap| self.ends.get(&gap.stream).is_some_and(|end| end.abs_diff(lost.start) <= 1);
            assert!(
                self.gaps.iter().any(|gap| is_there(&gap)),
                "no gap says that {lost:?} is missing: {}",
                shown(lost)
            );
        }
        match expected {
            Gaps::None => assert!(self.gaps.is_empty() && lost.is_empty(), "{:#?}", self.gaps),
            Gaps::EachRotation => {
                let streams: HashSet<_> = self.gaps.iter().map(|gap| gap.stream).collect();
                let counts = (self.gaps.len(), streams.len());
                assert_eq!(counts, (rotations as usize, rotations as usize), "{:#?}", self.odd_gaps());
            }
            Gaps::WhereLost => {
                // A stream may go on after a gap, in a file that somebody holds, and break off again.
                let places: HashSet<_> = self.gaps.iter().map(|gap| (gap.stream, gap.next)).collect();
                assert_eq!(self.gaps.len(), places.len(), "said twice: {:#?}", self.odd_gaps());
                assert!(self.gaps.iter().all(|gap| gap.problem.contains("may be missing")), "{:#?}", self.gaps);
            }
        }
    }
}

impl Proof {
    /// Those that are not the only ones of their stream, and those without a copy.
    fn odd_gaps(&self) -> Vec<&Gap> {
        let count = |gap: &Gap| self.gaps.iter().filter(|other| other.stream == gap.stream).count();
        self.gaps.iter().filter(|gap| count(gap) > 1 || gap.problem.contains("is not beside it")).collect()
    }
}

/// Where each line begins.
fn places(written: &[u8]) -> HashMap<&[u8], usize> {
    let mut at = 0;
    let mut places = HashMap::new();
    for line in written.split(|byte| *byte == b'\n') {
        places.insert(line, at);
        at += line.len() + 1;
    }
    places
}

/// Where in all that was written a stream begins.
fn base(records: &[Record], written: &[u8], places: &HashMap<&[u8], usize>) -> usize {
    let by_line = |record: &Record| places.get(record.raw.as_slice()).map(|at| at - record.pos);
    if let Some(base) = records.iter().find_map(by_line) {
        return base;
    }
    // A stream of one line that is not whole.
    let record = records.first().expect("a stream has records");
    let mut found = memmem::find_iter(written, &record.raw);
    let base = found.next().expect("somebody wrote it") - record.pos;
    assert!(found.next().is_none(), "{:?} could be anywhere", String::from_utf8_lossy(&record.raw));
    base
}

/// Which stretch of all that was written a file holds.
fn stretch(file: &[u8], written: &[u8], places: &HashMap<&[u8], usize>) -> Option<Range<usize>> {
    let mut at = 0;
    for line in file.split(|byte| *byte == b'\n') {
        if let Some(place) = places.get(line).filter(|_| !line.is_empty()) {
            let start = place - at;
            assert!(written[start..].starts_with(file), "a file holds what was written");
            return Some(start..start + file.len());
        }
        at += line.len() + 1;
    }
    None
}
