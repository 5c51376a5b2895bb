//! Every kind of harm at many random places, and sound trails of many forms.
//!
//! The library judges in this process, and `verify.py` in one other (`judge.py`), so that a verdict takes
//! milliseconds. `WHODID_PLACES` says how many places of each kind, `WHODID_SEED` which.
//!
//! ```text
//! WHODID_LONG=1 cargo test --release --test it interop:: -- --include-ignored --nocapture
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;
use whodid::trail::{Against, Exit, Open, Report, Sealer, Writer, verify};

use super::harm::{HARM, Needs};
use super::root;
use super::trail::{Copied, Trail, line, now, quick_folder, unheld};
use crate::random::Random;

const PLACES: usize = 10_000;
const PLACES_IN_A_SAMPLE: usize = 50;

/// Of the places, how many `verify.py` looks at as well: it takes ten times as long.
const PLACES_FOR_TWO: usize = 500;
const PLACES_FOR_TWO_IN_A_SAMPLE: usize = 10;

const CLEAN: usize = 10_000;
const CLEAN_IN_A_SAMPLE: usize = 300;

fn times(long: usize, sample: usize) -> usize {
    let asked = std::env::var_os("WHODID_PLACES").and_then(|places| places.to_str()?.parse().ok());
    asked.unwrap_or(if std::env::var_os("WHODID_LONG").is_some() { long } else { sample })
}

/// The exit code of another verifier, where it looks.
type Second<'s> = &'s mut dyn FnMut(&Trail, &Path, &[&Path]) -> Option<i32>;

/// Does harm at random places, and gives what both say of each, without and with an anchor.
fn campaign(long: usize, sample: usize, second: Second<'_>) {
    let mut random = Random::seeded();
    let (trail, other) = (Trail::new("web-1"), Trail::new("web-2"));
    let places = times(long, sample);
    let key = fs::read_to_string(trail.vkey()).expect("a key").trim().to_owned();
    let anchor = trail.anchor();
    let mut judged = 0;
    for harm in HARM {
        let copy = Copied::of(&trail, harm.form);
        let (sound, before) = (Kept::of(&copy.data()), judged);
        for place in 0..if harm.has_places { places } else { 1 } {
            let at = Random::new(random.next());
            (harm.does)(&copy, &other, &mut at.clone());
            let what = format!("{} ({place}, {at:?})", harm.name);
            let alone = judge(&copy.data(), &key, &[]);
            let anchored = judge(&copy.data(), &key, &[&anchor]);
            assert!(!is_sound(&anchored), "{what}: {anchored:#?}");
            match harm.needs {
                Needs::Key | Needs::Epoch => assert!(!is_sound(&alone), "{what}: {alone:#?}"),
                // It cannot be seen, and `whole` needs an anchor that knows of everything.
                Needs::Anchor => assert_eq!((alone.exit(), alone.anchored_to), (Exit::Whole, None), "{what}"),
            }
            for (report, anchors) in [(&alone, &[][..]), (&anchored, &[anchor.as_path()])] {
                if let Some(code) = second(&trail, &copy.data(), anchors) {
                    assert_eq!(code, report.exit() as i32, "{what}, {} anchors: {report:#?}", anchors.len());
                }
            }
            sound.put_back();
            judged += 1;
        }
        assert!(is_sound(&judge(&copy.data(), &key, &[&anchor])), "{}: it was put back", harm.name);
        eprintln!("{}: found at all of {} places, by {}", harm.name, judged - before, harm.needs);
    }
    eprintln!("{} kinds of harm, {judged} places: all found", HARM.len());
}

fn judge(data: &Path, key: &str, anchors: &[&Path]) -> Report {
    let anchors = anchors.iter().map(|path| fs::read(path).expect("readable")).collect();
    verify(data, &Against { key: Some(key.to_owned()), anchors, ..Against::default() }, &mut |_, _| {})
}

fn is_sound(report: &Report) -> bool {
    report.exit() == Exit::Whole
}

/// The files of a folder as they were.
struct Kept {
    folder: PathBuf,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Kept {
    fn of(folder: &Path) -> Self {
        let files = files(folder).into_iter().map(|path| (path.clone(), fs::read(path).expect("readable")));
        Self { folder: folder.to_owned(), files: files.collect() }
    }

    /// Only what differs is written.
    fn put_back(&self) {
        for path in files(&self.folder) {
            if !self.files.contains_key(&path) {
                fs::remove_file(path).expect("removed");
            }
        }
        for (path, bytes) in &self.files {
            if fs::read(path).ok().as_ref() != Some(bytes) {
                super::trail::write(path, bytes);
            }
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("readable") {
            let entry = entry.expect("readable");
            if entry.file_type().expect("readable").is_dir() {
                folders.push(entry.path())
            } else {
                found.push(entry.path())
            }
        }
    }
    found
}

#[test]
fn harm_at_random_places_is_found() {
    campaign(PLACES, PLACES_IN_A_SAMPLE, &mut |_, _, _| None);
}

/// `verify.py`, asked again and again.
pub(super) struct Python {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Python {
    pub(super) fn start(interpreter: &Path) -> Self {
        let mut command = Command::new(interpreter);
        command.arg(root().join("tests/interop/judge.py")).arg(root().join("examples/verify/verify.py"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
        let (questions, answers) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        Self { child, questions, answers: BufReader::new(answers) }
    }

    pub(super) fn judge(&mut self, data: &Path, key: &Path, anchors: &[&Path]) -> i32 {
        let question: Vec<&str> = [data, key].iter().chain(anchors).map(|path| path.to_str().expect("UTF-8")).collect();
        writeln!(self.questions, "{}", question.join("\t")).expect("it listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        answer.trim().parse().unwrap_or_else(|_| panic!("verify.py said {answer:?} of {question:?}"))
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        self.child.kill().and_then(|()| self.child.wait()).map(drop).unwrap_or_default();
    }
}

/// What `verify.py` says of harm at random places is what `trail verify` says.
pub(super) fn agrees(interpreter: &Path) {
    let mut python = Python::start(interpreter);
    campaign(PLACES_FOR_TWO, PLACES_FOR_TWO_IN_A_SAMPLE, &mut |trail, data, anchors| {
        Some(python.judge(data, &trail.vkey(), anchors))
    });
}

/// A trail that grows by random steps.
struct Growing {
    folder: TempDir,
    key: String,
    size: u64,
    anchors: Vec<Vec<u8>>,
}

impl Growing {
    fn new() -> Self {
        Self { folder: quick_folder(), key: String::new(), size: 0, anchors: Vec::new() }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// One run of a writer: groups, segments and signatures end anywhere.
    fn grow(&mut self, random: &mut Random) {
        let open = Open::new(self.data(), self.folder.path().join("keys"), "example.org", "web-1", now());
        let segment_bytes = 1_000 + random.below(40_000);
        let (mut writer, opened) = unheld(|| Writer::open(Open { segment_bytes, ..open.clone() }));
        assert_eq!(opened.size, self.size);
        self.size += 1 + random.below(150);
        for n in opened.size..self.size {
            writer.append(vec![line("web-1", n)]).expect("room");
            if random.below(4) == 0 || n + 1 == self.size {
                writer.commit().expect("room");
                if writer.wants_new_segment() {
                    writer.end_segment().and_then(|()| writer.begin_segment()).expect("room");
                }
            }
            if random.below(40) == 0 {
                writer.commit().and_then(|_| writer.sign()).expect("signed");
                self.keep();
            }
        }
        writer.sign().expect("signed");
        self.key = writer.verifier_key();
        drop(writer);
        self.keep();
        if random.below(2) == 0 {
            unheld(|| Sealer::open(&self.data(), "a test", now())).seal(&mut || true).expect("sealed");
        }
    }

    fn keep(&mut self) {
        self.anchors.push(fs::read(self.data().join("trail/checkpoint")).expect("signed"));
    }

    fn is_whole(&self, anchors: &[Vec<u8>]) {
        let against = Against { key: Some(self.key.clone()), anchors: anchors.to_vec(), ..Against::default() };
        let report = verify(&self.data(), &against, &mut |_, _| {});
        assert_eq!((report.exit(), report.complete_to), (Exit::Whole, self.size), "{report:#?}");
        assert_eq!(report.findings, []);
    }
}

#[test]
fn sound_trails_raise_no_alarm() {
    let mut random = Random::seeded();
    let (mut verified, mut trails) = (0, 0);
    while verified < times(CLEAN, CLEAN_IN_A_SAMPLE) {
        let mut trail = Growing::new();
        for _ in 0..1 + random.below(6) {
            trail.grow(&mut random);
            let some = trail.anchors.len() - random.index(trail.anchors.len());
            for anchors in [&[][..], &trail.anchors, &trail.anchors[..some], &trail.anchors[some - 1..some]] {
                trail.is_whole(anchors);
                verified += 1;
            }
        }
        trails += 1;
    }
    eprintln!("{verified} verifications of {trails} sound trails: no alarm");
}
