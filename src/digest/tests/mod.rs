//! Digests that are what they should be, and digests with every byte of them changed.

mod cases;
pub(crate) mod chain;
mod hostile;
mod scene;

use chain::{Chain, FINGERPRINT, REGION, public_key, public_key_info};

use super::file::File;
use super::key::{Keys, Signed};
use crate::event::Stamp;
use crate::event::delivery::PublicKey;

const BEGIN: &str = "2026-11-20T09:00:00Z";

fn at(text: &str) -> Stamp {
    Stamp::parse(text).expect("an instant")
}

fn aws_key(value: &str) -> PublicKey {
    PublicKey {
        fingerprint: FINGERPRINT.to_owned(),
        value: value.to_owned(),
        region: REGION.to_owned(),
        valid_from: at("2026-11-01T00:00:00Z"),
        valid_until: at("2026-12-01T00:00:00Z"),
    }
}

fn keys(key: &PublicKey) -> Keys {
    let mut keys = Keys::default();
    keys.add(3, key);
    keys
}

/// The second digest of a chain, and its signature.
fn second() -> (Vec<u8>, String) {
    let chain = Chain::hours(BEGIN, 2);
    let digest = &chain.objects[&chain.digests[1]];
    (digest.content.clone(), digest.signature.clone().expect("signed"))
}

fn check(keys: &Keys, content: &[u8], signature: &str) -> Option<Signed> {
    let file = File::parse(content).ok()?;
    Some(keys.check(&file, REGION, false, signature))
}

#[test]
fn a_signature_is_checked_with_either_form_of_key() {
    let (content, signature) = second();
    assert_ne!(public_key(), public_key_info());
    for value in [public_key(), public_key_info()] {
        let keys = keys(&aws_key(&value));
        assert_eq!(check(&keys, &content, &signature), Some(Signed::By(3)));
        assert_eq!(check(&keys, &content, &signature.to_uppercase()), Some(Signed::By(3)));
        assert_eq!(check(&keys, &content, ""), Some(Signed::Not));
        assert_eq!(check(&keys, &content, "no hexadecimal"), Some(Signed::Not));
    }
}

#[test]
fn a_key_signs_only_while_it_is_valid() {
    let (content, signature) = second();
    let check = |key: PublicKey| check(&keys(&key), &content, &signature);
    let key = aws_key(&public_key());
    assert_eq!(check(PublicKey { valid_until: at("2026-11-20T09:59:59Z"), ..key.clone() }), Some(Signed::Expired));
    // A digest of until eleven may be signed until one.
    assert_eq!(check(PublicKey { valid_from: at("2026-11-20T13:00:00Z"), ..key.clone() }), Some(Signed::By(3)));
    assert_eq!(check(PublicKey { valid_from: at("2026-11-20T13:00:01Z"), ..key.clone() }), Some(Signed::Expired));
    // Which key it should be is known where others of that region and time are.
    let other = PublicKey { fingerprint: "8eba".to_owned(), ..key };
    assert_eq!(check(other.clone()), Some(Signed::UnknownKey));
    assert_eq!(check(PublicKey { region: "us-east-1".to_owned(), ..other }), Some(Signed::NoKey));
    assert_eq!(super::tests::check(&Keys::default(), &content, &signature), Some(Signed::NoKey));
}

#[test]
fn nothing_that_was_changed_is_signed() {
    let (content, signature) = second();
    let keys_ = keys(&aws_key(&public_key()));
    let is_signed =
        |keys: &Keys, content: &[u8], signature: &str| matches!(check(keys, content, signature), Some(Signed::By(_)));
    assert!(is_signed(&keys_, &content, &signature));
    for i in 0..content.len() {
        let mut changed = content.clone();
        changed[i] ^= 1 << (i % 8);
        assert!(!is_signed(&keys_, &changed, &signature), "byte {i} of the digest");
    }
    let bytes = data_encoding::HEXLOWER.decode(signature.as_bytes()).expect("hexadecimal");
    for i in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[i] ^= 1 << (i % 8);
        assert!(!is_signed(&keys_, &content, &chain::hex(&changed)), "byte {i} of the signature");
    }
    let der = data_encoding::BASE64.decode(public_key().as_bytes()).expect("base64");
    for i in 0..der.len() {
        let mut changed = der.clone();
        changed[i] ^= 1 << (i % 8);
        let keys = keys(&aws_key(&data_encoding::BASE64.encode(&changed)));
        assert!(!is_signed(&keys, &content, &signature), "byte {i} of the key");
    }
}
