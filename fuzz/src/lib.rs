//! What the fuzz targets share: the trail as the program has it, and a small one of which a file is replaced.
//!
//! Whatever lies in that file, nothing may panic, hang or read as what it is not: with any other bytes
//! the verdict is not whole, and no entry can be read or proven that was not signed.

#![expect(dead_code, reason = "the rest of the program is not here")]

#[path = "../../src/durable.rs"]
pub mod durable;
#[path = "../../src/event/mod.rs"]
pub mod event;
#[path = "../../src/trail/mod.rs"]
pub mod trail;

use std::fs;
use std::path::{Path, PathBuf};

use event::{Event, EventId, Family, Source, Stamp, encode};
use trail::note::{SignerKey, VerifierKey};
use trail::{Against, Exit, Line, Open, Reader, Sealer, Writer, verify};

/// A full tile, and a partial one at the edge.
const ENTRIES: u64 = 300;

/// Some segments, of which the second is replaced.
const SEGMENT_BYTES: u64 = 12_000;

/// A signed trail in a folder of its own.
pub struct Small {
    folder: tempfile::TempDir,
    key: String,
    verifier: VerifierKey,
    lines: Vec<Vec<u8>>,
}

fn now() -> Stamp {
    Stamp::from_unix(1_795_176_000, 0)
}

fn line(n: u64) -> Line {
    let id = EventId::new(Family::Auth, &[&n.to_be_bytes()], 0);
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
    event.keep_raw(format!("entry {n}").as_bytes());
    let (bytes, blob) = encode(&mut event);
    Line::new(id, bytes, blob).expect("a line")
}

impl Small {
    /// In memory where there is such a folder: a target writes a file thousands of times a second.
    pub fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.expect("a folder");
        let open = Open::new(folder.path().join("data"), folder.path().join("keys"), "example.org", "web-1", now());
        let (mut writer, _) = Writer::open(Open { segment_bytes: SEGMENT_BYTES, ..open }).expect("a trail");
        for n in 0..ENTRIES {
            writer.append(vec![line(n)]).expect("room");
            writer.commit().expect("room");
            if writer.wants_new_segment() {
                writer.end_segment().and_then(|()| writer.begin_segment()).expect("room");
            }
        }
        writer.sign().expect("signed");
        let key = writer.verifier_key();
        let verifier = VerifierKey::parse(&key).expect("a key");
        let lines = (0..ENTRIES).map(|n| line(n).bytes().to_vec()).collect();
        Self { folder, key, verifier, lines }
    }

    pub fn sealed() -> Self {
        let this = Self::new();
        Sealer::open(&this.data(), "a fuzzer", now()).and_then(|sealer| sealer.seal(&mut || true)).expect("sealed");
        this
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The segments in order.
    pub fn segments(&self) -> Vec<PathBuf> {
        let names = fs::read_dir(self.data().join("trail/segment")).expect("a folder");
        let mut paths: Vec<PathBuf> = names.map(|entry| entry.expect("readable").path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending != "blocks"));
        paths.sort();
        paths
    }

    /// Puts `bytes` in the place of a file, looks at the trail in every way, and puts the file back.
    pub fn with(&self, path: &Path, bytes: &[u8]) {
        let before = fs::read(path).expect("readable");
        write(path, bytes);
        self.look(before == bytes);
        write(path, &before);
    }

    fn look(&self, is_untouched: bool) {
        let against = Against { key: Some(self.key.clone()), ..Against::default() };
        let report = verify(&self.data(), &against, &mut |_, _| {});
        assert_eq!(report.exit() == Exit::Whole, is_untouched, "{report:?}");
        let Ok(reader) = Reader::open(&self.data()) else { return };
        if let Ok(mut lines) = reader.lines(0) {
            // What is read forward is believed as it lies there, so only its order can be relied upon.
            let mut next = 0;
            while let Ok(Some((seq, _))) = lines.next() {
                assert_eq!(seq, next);
                next += 1;
            }
        }
        for seq in [0, 99, 150, 255, 256, ENTRIES - 1] {
            if let Ok(proven) = reader.prove(seq) {
                assert_eq!(proven.line, self.lines[seq as usize]);
                assert!(proven.proof.verify(&proven.line, &self.verifier).is_ok());
            }
        }
    }
}

impl Default for Small {
    fn default() -> Self {
        Self::new()
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::File::create(path).and_then(|mut file| std::io::Write::write_all(&mut file, bytes)).expect("written");
}

/// The key of the seeds in `corpus/note` and `corpus/proof`.
pub fn signer() -> SignerKey {
    SignerKey::from_seed("example.org/web-1/fuzz", &[7; 32]).expect("a good name")
}
