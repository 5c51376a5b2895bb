//! A trail with everything in it that a trail can have, and copies of it to do harm to.

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use whodid::event::{Event, EventId, Family, Lineage, Source, Stamp, encode, own};
use whodid::trail::checkpoint::Checkpoint;
use whodid::trail::note::SignerKey;
use whodid::trail::notes;
use whodid::trail::tile::{self, Edge};
use whodid::trail::{Keep, Line, Open, Opened, Reader, Sealer, TrailError, Writer, tree};

use crate::random::Random;

/// Entries in all, and when an anchor was kept for the first time.
pub(super) const SIZE: usize = 700;
pub(super) const OLD_SIZE: usize = 400;

/// A record of this entry lies beside the segments.
const LONG: u64 = 123;

pub(super) struct Trail {
    folder: TempDir,
    host: &'static str,
}

/// What became of the segments of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Sealed,
    /// Sealed, and all but the newest two are gone; one more entry says so.
    Pruned,
}

/// A copy of its data folder.
pub(super) struct Copied<'t> {
    folder: TempDir,
    trail: &'t Trail,
}

pub(super) fn now() -> Stamp {
    Stamp::from_unix(1_795_176_000, 0)
}

pub(super) fn line(host: &str, n: u64) -> Line {
    let lineage = Lineage::new(host, Family::Auth, b"head");
    let raw = match n {
        LONG => "long ".repeat(20_000),
        _ => format!("{host} entry {n} {}", "x".repeat(n as usize % 40)),
    };
    let id = EventId::of_record(Family::Auth, lineage, 0, n * 50, raw.as_bytes(), 0);
    let source = Source {
        name: "auth".into(),
        kind: Family::Auth,
        origin: "auth.log".into(),
        lineage: Some(lineage),
        generation: 0,
        pos: Some(n * 50),
        next: Some(n * 50 + 50),
    };
    let mut event = Event::new(id, "unparsed", now(), now(), source);
    event.keep_raw(raw.as_bytes());
    let (bytes, blob) = encode(&mut event);
    Line::new(id, bytes, blob).expect("a line")
}

impl Trail {
    pub(super) fn new(host: &'static str) -> Self {
        let this = Self { folder: quick_folder(), host };
        this.fill(0, OLD_SIZE);
        copy(&this.data(), &this.path("old"));
        fs::copy(this.data().join("trail/checkpoint"), this.old_anchor()).expect("copied");
        fs::copy(this.key("key"), this.path("retired")).expect("copied");
        fs::copy(this.key("vkey"), this.path("first.vkey")).expect("copied");
        this.open(&this.data()).0.rotate_key().expect("room");
        this.fill(OLD_SIZE, SIZE);
        fs::copy(this.data().join("trail/checkpoint"), this.anchor()).expect("copied");
        copy(&this.data(), &this.path("sealed"));
        let sealer = unheld(|| Sealer::open(&this.path("sealed"), "test", now()));
        assert!(sealer.seal(&mut || true).expect("sealed").segments > 3);
        drop(sealer);
        copy(&this.path("sealed"), &this.path("pruned"));
        this.prune(&this.path("pruned"));
        this
    }

    /// As the program does it when `keep_bytes` says so.
    fn prune(&self, data: &Path) {
        let (mut writer, _) = self.open(data);
        let pruner = writer.pruner();
        let reader = Reader::open(data).expect("a trail");
        let due = pruner.due(Keep { days: None, bytes: Some(1) }, &reader, now()).expect("readable").expect("segments");
        let facts = [("from", due.from.into()), ("to", due.to.into()), ("why", due.why.clone().into())];
        let mut event = own::with_detail(own::action::PRUNED, writer.origin(), now(), facts);
        event.id = EventId::of_own(writer.origin(), writer.next_seq());
        let at = writer.next_seq();
        writer.append(vec![Line::new(event.id, encode(&mut event).0, None).expect("a line")]).expect("room");
        writer.commit().and_then(|_| writer.sign()).expect("signed");
        assert!(pruner.note(&due, &reader, at).expect("readable"));
        assert!(pruner.carry_out(&mut || true).expect("room") > 1);
    }

    fn fill(&self, from: usize, to: usize) {
        let (mut writer, opened) = self.open(&self.data());
        assert_eq!(opened.size, from as u64);
        for n in from..to {
            writer.append(vec![line(self.host, n as u64)]).expect("room");
            writer.commit().expect("room");
            if writer.wants_new_segment() {
                writer.end_segment().and_then(|()| writer.begin_segment()).expect("room");
            }
        }
        writer.sign().expect("signed");
    }

    fn open(&self, data: &Path) -> (Writer, Opened) {
        let open = Open::new(data, self.path("keys"), "example.org", self.host, now());
        unheld(|| Writer::open(Open { segment_bytes: 20_000, ..open.clone() }))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// As it was when the old anchor was kept.
    pub(super) fn old(&self) -> PathBuf {
        self.path("old")
    }

    pub(super) fn anchor(&self) -> PathBuf {
        self.path("anchor")
    }

    pub(super) fn old_anchor(&self) -> PathBuf {
        self.path("old-anchor")
    }

    /// The keys that the auditor was given at the beginning.
    pub(super) fn vkey(&self) -> PathBuf {
        self.path("first.vkey")
    }

    pub(super) fn signer(&self) -> SignerKey {
        self.signer_of("key")
    }

    /// Of the open epoch.
    pub(super) fn epoch(&self) -> SignerKey {
        self.signer_of("epoch")
    }

    fn signer_of(&self, ending: &str) -> SignerKey {
        let text = fs::read_to_string(self.key(ending)).expect("a key");
        SignerKey::parse(text.trim()).expect("a key")
    }

    /// The key of the log that was replaced when the old anchor had been kept.
    pub(super) fn retired(&self) -> SignerKey {
        let text = fs::read_to_string(self.path("retired")).expect("a key");
        SignerKey::parse(text.trim()).expect("a key")
    }

    fn key(&self, ending: &str) -> PathBuf {
        let keys = fs::read_dir(self.path("keys")).expect("keys").map(|entry| entry.expect("readable").path());
        let mut found = keys.filter(|path| path.extension().is_some_and(|e| e == ending));
        found.next().expect("a key")
    }
}

impl<'t> Copied<'t> {
    pub(super) fn of(trail: &'t Trail, form: Form) -> Self {
        let this = Self { folder: quick_folder(), trail };
        let from = match form {
            Form::Plain => "data",
            Form::Sealed => "sealed",
            Form::Pruned => "pruned",
        };
        copy(&trail.path(from), &this.data());
        this
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(super) fn trail(&self) -> &'t Trail {
        self.trail
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.data().join("trail").join(name)
    }

    /// What is in a folder of the trail, in order.
    pub(super) fn list(&self, folder: &str, ending: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.path(folder)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("readable") {
                let path = entry.expect("readable").path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found.retain(|path| path.to_str().is_some_and(|path| path.ends_with(ending)));
        found.sort();
        found
    }

    /// A plain segment that is neither the first nor the last.
    pub(super) fn segment(&self, at: &mut Random) -> PathBuf {
        let segments = self.list("segment", ".jsonl");
        segments[1 + at.index(segments.len() - 2)].clone()
    }

    pub(super) fn edit(&self, path: &Path, edit: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(path).expect("readable");
        edit(&mut bytes);
        write(path, &bytes);
    }

    pub(super) fn edit_text(&self, name: &str, edit: impl FnOnce(&str) -> String) {
        let path = self.path(name);
        let text = fs::read_to_string(&path).expect("readable");
        let edited = edit(&text);
        assert_ne!(text, edited);
        write(&path, edited.as_bytes());
    }

    /// Changes the lines of a segment, each with its LF.
    pub(super) fn edit_lines(&self, path: &Path, edit: impl FnOnce(&mut Vec<Vec<u8>>)) {
        self.edit(path, |bytes| {
            let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            edit(&mut lines);
            *bytes = lines.concat();
        });
    }

    /// What the holder of the key can do: other entries in one segment, with new tiles and a good signature.
    pub(super) fn seal_again(&self, edit: impl FnOnce(&mut Vec<Vec<u8>>)) {
        let segments = self.list("segment", ".jsonl");
        let all: Vec<u8> = segments.iter().flat_map(|path| fs::read(path).expect("readable")).collect();
        let mut lines: Vec<Vec<u8>> = all.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        edit(&mut lines);
        segments.iter().for_each(|path| fs::remove_file(path).expect("removed"));
        write(&segments[0], &lines.concat());
        fs::remove_dir_all(self.path("tile")).expect("removed");
        let mut edge = Edge::default();
        for line in &lines {
            let leaf = tree::leaf(line.strip_suffix(b"\n").expect("a line"));
            let pushed = edge.push(leaf, |tile, hashes| {
                write(&self.path(&tile.path()), &tile::to_bytes(hashes));
                Ok::<_, Infallible>(())
            });
            pushed.unwrap_or_else(|never| match never {});
        }
        edge.partial().for_each(|(tile, hashes)| write(&self.path(&tile.path()), &tile::to_bytes(hashes)));
        self.sign(edge.size(), edge.root(), &[&self.trail.signer(), &self.trail.epoch()]);
    }

    /// A checkpoint under the first key's own name.
    pub(super) fn sign(&self, size: u64, root: tree::Hash, keys: &[&SignerKey]) {
        let signed = Checkpoint { origin: keys[0].name().to_owned(), size, root }.sign_by(keys);
        write(&self.path("checkpoint"), signed.expect("a good text").as_bytes());
    }

    /// Changes the records of a file of keys.
    pub(super) fn edit_records(&self, name: &str, edit: impl FnOnce(&mut Vec<Vec<u8>>)) {
        self.edit(&self.path(name), |bytes| {
            let notes = notes::read(bytes).map(|(_, read)| read.expect("a record").0.to_vec());
            let mut records = notes.collect();
            edit(&mut records);
            *bytes = records.concat();
        });
    }

    /// Entries of epochs that are closed.
    pub(super) fn closed(&self) -> usize {
        let bytes = fs::read(self.path("epochs")).expect("epochs");
        let (_, last) = notes::read(&bytes).last().expect("a record");
        let (_, record) = last.expect("a record");
        record.text().lines().nth(3).and_then(|size| size.parse().ok()).expect("a size")
    }

    pub(super) fn checkpoint(&self) -> Checkpoint {
        let bytes = fs::read(self.path("checkpoint")).expect("readable");
        Checkpoint::parse_note(&bytes).expect("a checkpoint").0
    }
}

/// A process that another test begins holds this one's locks too, until it becomes another program.
pub(super) fn unheld<T>(open: impl Fn() -> Result<T, TrailError>) -> T {
    for _ in 0..500 {
        match open() {
            Err(TrailError::Held { .. }) => std::thread::sleep(Duration::from_millis(10)),
            opened => return opened.expect("a trail"),
        }
    }
    panic!("the trail stays held");
}

/// In memory where there is such a folder: campaigns write thousands of files a second.
pub(super) fn quick_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder")
}

pub(super) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("below a folder")).expect("a folder");
    fs::File::create(path).and_then(|mut file| std::io::Write::write_all(&mut file, bytes)).expect("written");
}

pub(super) fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-r").arg(from).arg(to).status().expect("cp");
    assert!(status.success());
}
