//! Signed notes, files of them, checkpoints and keys, from any bytes.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use whodid_fuzz::signer;
use whodid_fuzz::trail::checkpoint::Checkpoint;
use whodid_fuzz::trail::note::{Note, SignerKey, VerifierKey};
use whodid_fuzz::trail::{notes, tree};

static KEY: LazyLock<VerifierKey> = LazyLock::new(|| signer().verifier());

/// What the seeds sign; nothing else was ever signed with that key.
const SIZES: [u64; 2] = [0, 700];

fuzz_target!(|bytes: &[u8]| {
    if let Ok(note) = Note::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes, "a note has one form");
    }
    let mut end = 0;
    for (begin, note) in notes::read(bytes) {
        assert!(begin >= end, "notes follow one another");
        end = begin;
        if let Ok((found, note)) = note {
            assert_eq!(bytes.get(begin..begin + found.len()), Some(found));
            assert_eq!(note.to_string().as_bytes(), found);
            end = begin + found.len();
        }
    }
    if let Ok(checkpoint) = Checkpoint::verify(bytes, &KEY) {
        assert!(SIZES.contains(&checkpoint.size) && checkpoint.root == tree::empty(), "a forgery: {checkpoint:?}");
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(VerifierKey::parse(&key.to_string()).expect("its own form"), key);
    }
    if let Ok(key) = SignerKey::parse(text) {
        let secret = key.to_secret_text().expect("a key that was read has its seed");
        assert!(SignerKey::parse(&secret).is_ok());
    }
});
