//! Writes the seeds into `corpus/`: what the program itself writes, which the fuzzer then changes.
//!
//! `cargo run --example seeds` in this folder.

use std::convert::Infallible;
use std::fs;
use std::path::Path;

use whodid_fuzz::trail::checkpoint::Checkpoint;
use whodid_fuzz::trail::note::{Note, SignerKey};
use whodid_fuzz::trail::proof::Proof;
use whodid_fuzz::trail::tree::{self, Frontier, Hash, Subtree};
use whodid_fuzz::{Small, signer};

fn seed(target: &str, name: &str, bytes: &[u8]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(format!("seed-{name}"));
    fs::File::create(path).and_then(|mut file| std::io::Write::write_all(&mut file, bytes)).expect("written");
}

fn checkpoint(size: u64, root: Hash) -> String {
    Checkpoint { origin: signer().name().to_owned(), size, root }.sign(&signer()).expect("a good text")
}

fn leaf(n: u64) -> Hash {
    tree::leaf(format!("entry {n}").as_bytes())
}

fn proof(index: u64, size: u64) -> String {
    let mut subtree = |subtree: Subtree| {
        let mut frontier = Frontier::default();
        let first = subtree.index << subtree.level;
        (first..first + (1 << subtree.level)).for_each(|n| frontier.push(leaf(n)));
        Ok::<_, Infallible>(frontier.root())
    };
    let root = tree::root(size, &mut subtree).unwrap_or_else(|never| match never {});
    let path = tree::inclusion(index, size, &mut subtree).unwrap_or_else(|never| match never {});
    Proof { index, path, checkpoint: checkpoint(size, root) }.to_string()
}

fn main() {
    let plain = Small::new();
    let text = fs::read(&plain.segments()[1]).expect("readable");
    seed("segment", "whole", &text);
    let few: Vec<u8> = text.split_inclusive(|byte| *byte == b'\n').take(3).flatten().copied().collect();
    seed("segment", "few", &few);
    seed("segment", "empty-lines", b"\n\n\r\n{}\n");
    let sealed = Small::sealed();
    seed("sealed", "whole", &fs::read(&sealed.segments()[1]).expect("readable"));
    seed("sealed", "first", &fs::read(&sealed.segments()[0]).expect("readable"));
    for (which, name) in (0..).zip(["0/000", "0/001.p/44", "1/000.p/1"]) {
        let tile = fs::read(plain.data().join("trail/tile").join(name)).expect("readable");
        seed("tile", &which.to_string(), &[&[which], tile.as_slice()].concat());
    }
    let (empty, some) = (checkpoint(0, tree::empty()), checkpoint(700, tree::empty()));
    seed("note", "checkpoint", some.as_bytes());
    seed("note", "file", format!("{empty}{some}\n{empty}").as_bytes());
    let mut twice = Note::sign("example.org/web-1/fuzz\n1\nx\n".to_owned(), &signer()).expect("a good text");
    twice.add_signature(&SignerKey::from_seed("example.org/other", &[8; 32]).expect("a good name")).expect("a good name");
    seed("note", "two-signatures", twice.to_string().as_bytes());
    seed("note", "key", signer().verifier().to_string().as_bytes());
    seed("note", "secret", signer().to_secret_text().expect("a seed").as_bytes());
    seed("proof", "5-of-13", proof(5, 13).as_bytes());
    seed("proof", "0-of-1", proof(0, 1).as_bytes());
}
