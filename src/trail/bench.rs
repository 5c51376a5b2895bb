//! What tests of the trail share: a folder with a trail in it, and ways to do it harm.

use std::fs;
use std::path::{Path, PathBuf};

use super::verify::{Against, Report, verify};
use super::{Line, Open, Opened, Reader, Sealer, TrailError, Writer};
use crate::durable;
use crate::event::{Event, EventId, Family, Source, Stamp, encode};

pub(super) struct Bench {
    _folder: tempfile::TempDir,
    root: PathBuf,
    pub(super) segment_bytes: u64,
}

pub(super) fn now() -> Stamp {
    Stamp::from_unix(1_795_176_000, 0)
}

/// An event as a line; `raw` as long as it is wanted.
pub(super) fn event(id: EventId, raw: &str) -> Line {
    let source = Source {
        name: "auth".into(),
        kind: Family::Auth,
        origin: "auth.log".into(),
        lineage: None,
        generation: 0,
        pos: None,
        next: None,
    };
    let mut event = Event::new(id, "unparsed", now(), now(), source);
    event.keep_raw(raw.as_bytes());
    let (bytes, blob) = encode(&mut event);
    Line::new(id, bytes, blob).expect("a line")
}

impl Bench {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { root: folder.path().to_owned(), _folder: folder, segment_bytes: 20_000 }
    }

    pub(super) fn data(&self) -> &'static Path {
        // Tests end soon, and a path of static life keeps them short.
        Box::leak(self.root.join("data").into_boxed_path())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.data().join(name)
    }

    pub(super) fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    pub(super) fn settings(&self) -> Open {
        let open = Open::new(self.data(), self.keys(), "example.org", "web-1", now());
        Open { segment_bytes: self.segment_bytes, ..open }
    }

    pub(super) fn try_open(&self) -> Result<(Writer, Opened), TrailError> {
        Writer::open(self.settings())
    }

    pub(super) fn open(&self) -> (Writer, Opened) {
        self.try_open().expect("a trail")
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::open(self.data()).expect("a trail")
    }

    /// The id of the n-th event that [`Self::fill`] writes.
    pub(super) fn id(&self, n: u64) -> EventId {
        EventId::new(Family::Auth, &[&n.to_be_bytes()], 0)
    }

    /// Appends events in groups, with a new segment where one is wanted, and signs.
    pub(super) fn fill(&self, count: u64) {
        let (mut writer, opened) = self.open();
        self.fill_on(&mut writer, opened.size, count);
        writer.sign().expect("signed");
    }

    pub(super) fn fill_on(&self, writer: &mut Writer, from: u64, count: u64) {
        for n in from..from + count {
            let raw = format!("line {n} {}", "x".repeat(n as usize % 40));
            writer.append(vec![event(self.id(n), &raw)]).expect("room");
            if n % 7 == 0 || n + 1 == from + count {
                writer.commit().expect("room");
                if writer.wants_new_segment() {
                    writer.end_segment().and_then(|()| writer.begin_segment()).expect("room");
                }
            }
        }
    }

    /// As the auditor: with the public key.
    pub(super) fn verify(&self) -> Report {
        self.verify_against(vec![])
    }

    /// As on the machine itself: with the second memory too.
    pub(super) fn verify_here(&self) -> Report {
        self.verify_against(vec![self.key_file("last")])
    }

    fn verify_against(&self, anchors: Vec<Vec<u8>>) -> Report {
        verify(self.data(), &Against { key: Some(self.key()), anchors, ..Against::default() }, &mut |_, _| {})
    }

    /// The public key, as the auditor has it.
    pub(super) fn key(&self) -> String {
        String::from_utf8(self.key_file("vkey")).expect("a key").trim().to_owned()
    }

    /// The folder as it is now, with its keys.
    pub(super) fn copy(&self) -> Self {
        let copy = Self::new();
        let mut todo = vec![PathBuf::new()];
        while let Some(below) = todo.pop() {
            fs::create_dir_all(copy.root.join(&below)).expect("a folder");
            for entry in fs::read_dir(self.root.join(&below)).expect("readable") {
                let entry = entry.expect("readable");
                let name = below.join(entry.file_name());
                match entry.path().is_dir() {
                    true => todo.push(name),
                    false => drop(fs::copy(entry.path(), copy.root.join(name)).expect("copied")),
                }
            }
        }
        copy
    }

    pub(super) fn key_file(&self, ending: &str) -> Vec<u8> {
        let names = super::layout::names(&self.keys()).expect("readable");
        let name = names.iter().find(|name| name.ends_with(ending)).expect("there");
        fs::read(self.keys().join(name)).expect("readable")
    }

    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("readable")
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) {
        durable::swap(&self.path(name), bytes, 0o640).expect("writable");
    }

    pub(super) fn flip(&self, name: &str, byte: usize) {
        let mut bytes = self.read(name);
        let at = byte % bytes.len();
        bytes[at] ^= 1;
        self.write(name, &bytes);
    }

    pub(super) fn cut(&self, name: &str, by: usize) {
        let bytes = self.read(name);
        self.write(name, &bytes[..bytes.len() - by]);
    }

    pub(super) fn delete(&self, name: &str) {
        let path = self.path(name);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("deleted");
    }

    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        super::layout::names(&self.path(folder)).expect("readable")
    }

    /// Seals all but the newest segment, and returns the sealed ones' names.
    pub(super) fn seal(&self) -> Vec<String> {
        self.sealer().seal(&mut || true).expect("room");
        self.sealed()
    }

    pub(super) fn sealer(&self) -> Sealer {
        Sealer::open(self.data(), "a test", now()).expect("a trail")
    }

    /// The names of the sealed segments, below the data folder.
    pub(super) fn sealed(&self) -> Vec<String> {
        let names = self.names("trail/segment").into_iter().filter(|name| name.ends_with(".zst"));
        names.map(|name| format!("trail/segment/{name}")).collect()
    }

    /// All entries as they are read.
    pub(super) fn lines(&self, from: u64) -> Vec<(u64, String)> {
        let reader = self.reader();
        let mut lines = reader.lines(from).expect("a trail");
        let mut all = Vec::new();
        while let Some((seq, line)) = lines.next().expect("readable") {
            all.push((seq, String::from_utf8_lossy(line).into_owned()));
        }
        all
    }

    /// The names of the plain segments, below the data folder.
    pub(super) fn segments(&self) -> Vec<String> {
        let names = self.names("trail/segment").into_iter().filter(|name| name.ends_with(".jsonl"));
        names.map(|name| format!("trail/segment/{name}")).collect()
    }
}
