//! A witness without its network: every answer of the specification, and what is on disk before it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::event::Stamp;
use crate::trail::checkpoint::Checkpoint;
use crate::trail::note::SignerKey;
use crate::trail::tree::{self, Hash, Subtree};

const ORIGIN: &str = "example.org/web-1/trail";

struct Bench {
    folder: TempDir,
    key: SignerKey,
}

fn now() -> Stamp {
    Stamp::from_unix(1_795_176_000, 0)
}

/// Two histories that are alike up to leaf 10.
fn leaves(size: u64, history: &str) -> Vec<Hash> {
    (0..size).map(|i| tree::leaf(format!("{}{i}", if i < 10 { "" } else { history }).as_bytes())).collect()
}

fn root(size: u64, history: &str) -> Hash {
    tree::fold(&leaves(size, history))
}

fn proof(old: u64, new: u64, history: &str) -> Vec<Hash> {
    let leaves = leaves(new, history);
    let mut stored = |Subtree { level, index }: Subtree| {
        let first = (index << level) as usize;
        Ok::<_, std::convert::Infallible>(tree::fold(&leaves[first..first + (1 << level)]))
    };
    tree::consistency(old, new, &mut stored).unwrap_or_else(|never| match never {})
}

impl Bench {
    fn new() -> Self {
        let key = SignerKey::from_seed(ORIGIN, &[1; 32]).expect("a good name");
        Self { folder: tempfile::tempdir().expect("a folder"), key }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn config(&self) -> config::witness::Witness {
        config::witness::Witness {
            name: "witness.example.org".into(),
            listen: "127.0.0.1:0".parse().expect("an address"),
            state: self.path("state"),
            key: self.path("key"),
            logs: vec![self.key.verifier().to_string()],
            connections_max: 4,
            timeout: Duration::from_secs(1),
        }
    }

    fn open(&self) -> Result<Witness, WitnessError> {
        Witness::open(&self.config(), Clock::Fixed(now()))
    }

    #[track_caller]
    fn opened(&self) -> Witness {
        self.open().expect("a witness")
    }

    fn signed(&self, size: u64, history: &str) -> String {
        let checkpoint = Checkpoint { origin: ORIGIN.into(), size, root: root(size, history) };
        checkpoint.sign(&self.key).expect("a good text")
    }

    fn body(&self, old: u64, size: u64, history: &str) -> Vec<u8> {
        let proof = proof(old, size, history);
        Submission { old, proof, checkpoint: self.signed(size, history) }.to_string().into_bytes()
    }

    #[track_caller]
    fn ask(&self, witness: &Witness, old: u64, size: u64, history: &str) -> Answer {
        witness.add_checkpoint(&self.body(old, size, history)).expect("a disk")
    }

    fn conflicts(&self) -> Vec<String> {
        let names = fs::read_dir(self.path("state/conflicts")).expect("a folder");
        let mut names: Vec<String> =
            names.map(|entry| entry.expect("readable").file_name().into_string().expect("a name")).collect();
        names.sort();
        names
    }
}

#[track_caller]
fn is_cosigned(bench: &Bench, witness: &Witness, size: u64, history: &str, answer: &Answer) {
    let Answer::Cosigned(lines) = answer else { panic!("{answer:?}") };
    let signed = bench.signed(size, history) + lines;
    let note = Note::parse(signed.as_bytes()).expect("a note");
    assert_eq!(witness.key().cosigned(&note), Ok(now()));
}

#[test]
fn a_log_that_grows_is_cosigned_and_each_answer_is_that_of_the_specification() {
    let bench = Bench::new();
    let witness = bench.opened();
    assert_eq!(bench.ask(&witness, 3, 20, "a"), Answer::Conflict(0));
    is_cosigned(&bench, &witness, 7, "a", &bench.ask(&witness, 0, 7, "a"));
    is_cosigned(&bench, &witness, 20, "a", &bench.ask(&witness, 7, 20, "a"));
    // The same once more, as after a lost answer.
    is_cosigned(&bench, &witness, 20, "a", &bench.ask(&witness, 20, 20, "a"));
    assert_eq!(bench.ask(&witness, 7, 20, "a"), Answer::Conflict(20));
    assert_eq!(bench.ask(&witness, 0, 30, "a"), Answer::Conflict(20));
    assert!(bench.conflicts().is_empty());

    let wrong = Submission { old: 20, proof: proof(19, 30, "a"), checkpoint: bench.signed(30, "a") };
    assert_eq!(witness.add_checkpoint(wrong.to_string().as_bytes()).expect("a disk"), Answer::Unproven);
    let more = Submission { old: 20, proof: vec![tree::empty()], checkpoint: bench.signed(20, "a") };
    assert_eq!(witness.add_checkpoint(more.to_string().as_bytes()).expect("a disk"), Answer::Unproven);
    let above = Submission { old: 21, proof: vec![], checkpoint: bench.signed(20, "a") };
    assert!(matches!(witness.add_checkpoint(above.to_string().as_bytes()), Ok(Answer::Malformed(_))));

    let other = SignerKey::from_seed("example.org/other", &[1; 32]).expect("a good name");
    let stranger = Checkpoint { origin: "example.org/other".into(), size: 0, root: tree::empty() };
    let unknown = format!("old 0\n\n{}", stranger.sign(&other).expect("a good text"));
    assert_eq!(witness.add_checkpoint(unknown.as_bytes()).expect("a disk"), Answer::UnknownOrigin);
    let forged = SignerKey::from_seed(ORIGIN, &[2; 32]).expect("a good name");
    let forged = Checkpoint { origin: ORIGIN.into(), size: 40, root: root(40, "a") }.sign(&forged).expect("a text");
    let forged = Submission { old: 20, proof: proof(20, 40, "a"), checkpoint: forged };
    assert!(matches!(witness.add_checkpoint(forged.to_string().as_bytes()), Ok(Answer::Untrusted(_))));
    for hostile in ["", "old 0\n\n", "old 0\n\nx\n", "old 20\n\nexample.org/web-1/trail\n1\n\n"] {
        assert!(matches!(witness.add_checkpoint(hostile.as_bytes()), Ok(Answer::Malformed(_))), "{hostile:?}");
    }
    is_cosigned(&bench, &witness, 30, "a", &bench.ask(&witness, 20, 30, "a"));
}

#[test]
fn two_histories_of_one_name_are_never_both_cosigned_and_the_second_is_kept() {
    let bench = Bench::new();
    let witness = bench.opened();
    bench.ask(&witness, 0, 8, "a");
    bench.ask(&witness, 8, 20, "a");
    assert_eq!(bench.ask(&witness, 20, 20, "b"), Answer::Fork);
    assert_eq!(bench.ask(&witness, 20, 25, "b"), Answer::Unproven);
    assert_eq!(bench.ask(&witness, 8, 15, "b"), Answer::Conflict(20));
    // Told and kept once.
    assert_eq!(bench.ask(&witness, 20, 20, "b"), Answer::Fork);
    let kept = bench.conflicts();
    assert_eq!(kept.len(), 3, "{kept:?}");
    let fork = kept.iter().find(|name| name.contains("-fork-20-")).expect("a fork");
    let both = fs::read(bench.path("state/conflicts").join(fork)).expect("readable");
    let notes: Vec<Checkpoint> = crate::trail::notes::read(&both)
        .map(|(_, note)| Checkpoint::verify(note.expect("a note").0, &bench.key.verifier()).expect("signed"))
        .collect();
    assert!(notes.len() == 2 && notes[0].size == notes[1].size && notes[0].root != notes[1].root);
    is_cosigned(&bench, &witness, 30, "a", &bench.ask(&witness, 20, 30, "a"));
}

#[test]
fn what_was_cosigned_is_remembered_over_a_start_and_a_key_never_begins_anew() {
    let bench = Bench::new();
    let key = bench.opened().key();
    bench.ask(&bench.opened(), 0, 20, "a");
    let witness = bench.opened();
    assert_eq!(witness.key(), key);
    assert_eq!(bench.ask(&witness, 0, 12, "b"), Answer::Conflict(20));
    assert!(matches!(bench.open(), Err(WitnessError::Held(_))));
    drop(witness);

    let log = fs::read_dir(bench.path("state/log")).expect("a folder").next().expect("a log").expect("readable").path();
    let good = fs::read(&log).expect("readable");
    let mut bad = good.clone();
    bad[40] ^= 1;
    write(&log, &bad);
    assert!(matches!(bench.open(), Err(WitnessError::State { .. })));
    write(&log, &good);
    drop(bench.opened());

    fs::remove_file(bench.path("state/witness")).expect("removed");
    assert!(matches!(bench.open(), Err(WitnessError::State { .. })));
    write(&bench.path("state/witness"), format!("{key}\n").as_bytes());
    drop(bench.opened());
    fs::remove_file(bench.path("key")).expect("removed");
    assert!(matches!(bench.open(), Err(WitnessError::Key { .. })));
}

#[test]
fn many_at_once_are_cosigned_one_after_the_other() {
    let bench = Arc::new(Bench::new());
    let witness = bench.opened();
    bench.ask(&witness, 0, 10, "a");
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..12)
            .map(|i| {
                let (bench, witness) = (&bench, &witness);
                scope.spawn(move || bench.ask(witness, 10, 11 + i / 2, if i % 2 == 0 { "a" } else { "b" }))
            })
            .collect();
        asking.into_iter().map(|asking| asking.join().expect("no panic")).collect()
    });
    let cosigned = answers.iter().filter(|answer| matches!(answer, Answer::Cosigned(_))).count();
    assert_eq!(cosigned, 1, "{answers:?}");
}

#[test]
fn a_rotated_key_is_one_more_key() {
    let bench = Bench::new();
    bench.ask(&bench.opened(), 0, 5, "a");
    let new = SignerKey::from_seed(ORIGIN, &[3; 32]).expect("a good name");
    let mut config = bench.config();
    config.logs.push(new.verifier().to_string());
    let witness = Witness::open(&config, Clock::Fixed(now())).expect("a witness");
    let signed = Checkpoint { origin: ORIGIN.into(), size: 9, root: root(9, "a") }.sign(&new).expect("a text");
    let body = Submission { old: 5, proof: proof(5, 9, "a"), checkpoint: signed };
    assert!(matches!(witness.add_checkpoint(body.to_string().as_bytes()), Ok(Answer::Cosigned(_))));
    assert!(matches!(bench.ask(&witness, 9, 12, "a"), Answer::Cosigned(_)));
}

#[test]
fn lines_that_a_log_adds_to_its_checkpoint_are_cosigned_too() {
    let text = format!("{ORIGIN}\n3\n{}\nmore\n", root(3, "a").to_base64());
    assert_eq!(log::checkpoint(&text).map(|checkpoint| checkpoint.size), Some(3));
    assert_eq!(log::checkpoint(&format!("{text}\nmore\n")), None);
    let bench = Bench::new();
    let witness = bench.opened();
    let note = Note::sign(text, &bench.key).expect("a good text");
    let answer = witness.add_checkpoint(format!("old 0\n\n{note}").as_bytes()).expect("a disk");
    let Answer::Cosigned(line) = answer else { panic!("{answer:?}") };
    let note = Note::parse(format!("{note}{line}").as_bytes()).expect("a note");
    assert!(witness.key().cosigned(&note).is_ok());
}

fn write(path: &Path, bytes: &[u8]) {
    fs::File::create(path).and_then(|mut file| io::Write::write_all(&mut file, bytes)).expect("written");
}
