//! Proofs of inclusion from any bytes, against an entry.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use whodid_fuzz::signer;
use whodid_fuzz::trail::note::VerifierKey;
use whodid_fuzz::trail::proof::Proof;

static KEY: LazyLock<VerifierKey> = LazyLock::new(|| signer().verifier());

/// Entry 5 of the 13 that the seed proves one of.
const INDEX: u64 = 5;
const LINE: &[u8] = b"entry 5";

fuzz_target!(|bytes: &[u8]| {
    let Ok(proof) = Proof::parse(bytes) else { return };
    assert_eq!(proof.to_string().as_bytes(), bytes, "a proof has one form");
    if let Ok(checkpoint) = proof.verify(LINE, &KEY) {
        assert_eq!((proof.index, checkpoint.size), (INDEX, 13), "it proves another place");
    }
    assert!(proof.verify(b"another", &KEY).is_err(), "it proves another entry");
});
