//! An agent that answers whatever a test wants.

use std::os::unix::net::UnixListener;
use std::thread;

use ed25519_dalek::{Signer as _, SigningKey};

use super::*;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn blob() -> Vec<u8> {
    key_blob(key().verifying_key().as_bytes())
}

/// An answer with a signature, as an honest agent gives it.
fn signed(text: &[u8]) -> Vec<u8> {
    let inner = [string(ALGORITHM), string(&key().sign(text).to_bytes())].concat();
    [&[SIGN_RESPONSE], string(&inner).as_slice()].concat()
}

/// What signing comes to where these bytes come back, one connection each.
fn sign_where(answers: Vec<Vec<u8>>) -> Result<[u8; 64], AgentError> {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("agent");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let serving = thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut length = [0; 4];
            stream.read_exact(&mut length).expect("a length");
            let mut request = vec![0; u32::from_be_bytes(length) as usize];
            stream.read_exact(&mut request).expect("a request");
            // Who has been told enough may have gone.
            stream.write_all(&answer).unwrap_or_default();
        }
    });
    let agent = Agent::new(&socket, key().verifying_key().as_bytes()).expect("a key");
    let signed = agent.sign(b"text\n");
    serving.join().expect("it ends");
    signed
}

fn what(answer: &[u8]) -> &'static str {
    match sign_where(vec![string(answer)]) {
        Err(AgentError::Nonsense { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_honest_signature_is_taken() {
    let expected = key().sign(b"text\n").to_bytes();
    assert_eq!(sign_where(vec![string(&signed(b"text\n"))]), Ok(expected));
}

#[test]
fn the_request_is_as_the_protocol_has_it() {
    let request = sign_request(&blob(), b"ab");
    let length = 1 + 4 + 51 + 4 + 2 + 4;
    assert_eq!(request.split_at(4), (&[0, 0, 0, length][..], request.get(4..).expect("more")));
    assert_eq!(request.get(4..13), Some(&[SIGN_REQUEST, 0, 0, 0, 51, 0, 0, 0, 11][..]));
    assert!(request.ends_with(&[0, 0, 0, 2, b'a', b'b', 0, 0, 0, 0]));
}

#[test]
fn a_signature_over_another_text_is_refused() {
    assert_eq!(what(&signed(b"other\n")), "the signature is not one of this key over this text");
}

#[test]
fn hostile_answers_are_refused() {
    let good = signed(b"text\n");
    let mut other_kind = good.clone();
    other_kind[9] = b'x';
    assert_eq!(what(&other_kind), "the signature is of another kind than Ed25519");
    assert_eq!(what(&[good.as_slice(), b"x"].concat()), "something follows the signature");
    assert_eq!(what(&[IDENTITIES_ANSWER, 0, 0, 0, 0]), "it is no answer to the request for a signature");
    for cut in 1..good.len() {
        assert!(signature(&good[..cut]).is_err(), "{cut}");
        // With just four bytes less, these four are the end of a signature, which is then found to be wrong.
        let bent = [&good[..cut], &[0xff; 4]].concat();
        assert!(signature(&bent).is_err() || bent.len() == good.len(), "{cut}");
    }
    for length in [0, ANSWER_BYTES_MAX as u32 + 1, u32::MAX] {
        let answered = sign_where(vec![length.to_be_bytes().to_vec()]);
        assert!(matches!(answered, Err(AgentError::Nonsense { .. })), "{answered:?}");
    }
}

#[test]
fn an_answer_that_ends_early_is_an_agent_that_is_away() {
    for half in [vec![], vec![0, 0], string(&signed(b"text\n")).split_off(8), string(b"xy")[..5].to_vec()] {
        let answered = sign_where(vec![half]);
        assert!(matches!(answered, Err(AgentError::Away { .. } | AgentError::Nonsense { .. })), "{answered:?}");
    }
}

#[test]
fn a_refusal_says_whether_the_key_is_there() {
    let list = |blobs: &[Vec<u8>]| {
        let keys: Vec<u8> = blobs.iter().flat_map(|blob| [string(blob), string(b"comment")].concat()).collect();
        let count = (blobs.len() as u32).to_be_bytes();
        string(&[&[IDENTITIES_ANSWER], count.as_slice(), &keys].concat())
    };
    let refused = |answer| sign_where(vec![string(&[FAILURE]), answer]).expect_err("refused");
    assert!(matches!(refused(list(&[])), AgentError::Keyless { .. }));
    assert!(matches!(refused(list(&[b"other".to_vec(), blob()])), AgentError::Refused { .. }));
    assert!(matches!(refused(list(&[b"other".to_vec()])), AgentError::Keyless { .. }));
    // Says that there are four thousand million keys, and shows none.
    assert!(matches!(refused(string(&[IDENTITIES_ANSWER, 255, 255, 255, 255])), AgentError::Nonsense { .. }));
    assert!(matches!(refused(string(&[FAILURE])), AgentError::Nonsense { .. }));
}

#[test]
fn no_agent_is_said_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let agent = Agent::new(&folder.path().join("none"), key().verifying_key().as_bytes()).expect("a key");
    assert!(matches!(agent.sign(b"text\n"), Err(AgentError::Away { why: io::ErrorKind::NotFound, .. })));
}
