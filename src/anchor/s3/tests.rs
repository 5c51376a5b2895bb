//! Requests as they arrive, and every answer that matters.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;

use super::*;
use crate::anchor::bench::{ORIGIN, block_on, forked, signed};
use crate::aws::moto;
use crate::trail::note::SignerKey;

pub(super) fn bucket(endpoint: &str, lock: Option<Lock>) -> Bucket {
    Bucket {
        bucket: "anchors".to_owned(),
        prefix: "whodid/".to_owned(),
        region: None,
        endpoint: Some(endpoint.to_owned()),
        path_style: true,
        lock,
    }
}

pub(super) fn store(endpoint: &str, lock: Option<Lock>) -> Store {
    let config = moto::config(endpoint)
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(2)).build())
        .build();
    Store { client: Some(Client::from_conf(config)), ..Store::new(&bucket(endpoint, lock)) }
}

/// One request: its line, its headers, its body.
struct Request {
    line: String,
    headers: BTreeMap<String, String>,
    body: String,
}

/// Answers each request with the next of these (status and body); 0 is no answer at all.
fn answering(answers: Vec<(u16, String)>) -> (String, mpsc::Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
    let (tx, requests) = mpsc::channel();
    thread::spawn(move || {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().expect("a connection");
            tx.send(read_request(&mut stream)).unwrap_or_default();
            if status != 0 {
                let length = body.len();
                write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
                    .expect("answered");
            }
        }
    });
    (endpoint, requests)
}

fn read_request(stream: &mut TcpStream) -> Request {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let n = stream.read(&mut piece).expect("read");
        bytes.extend_from_slice(&piece[..n]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut lines = head.lines();
        let line = lines.next().expect("a request").to_owned();
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").map_or(0, |length| length.parse().expect("a number"));
        if body.len() >= length || n == 0 {
            return Request { line, headers, body: body.to_owned() };
        }
    }
}

fn error(code: &str) -> String {
    format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>as it says</Message></Error>")
}

fn put(store: &mut Store, signed: &Signed) -> Result<(), AnchorError> {
    block_on(store.send(signed))
}

#[test]
fn the_headers_that_protect_the_object_are_sent() {
    let (endpoint, requests) = answering(vec![(200, String::new()), (200, String::new())]);
    let mut locked = store(&endpoint, Some(Lock { mode: LockMode::Compliance, days: 30 }));
    assert_eq!(put(&mut locked, &signed(42)), Ok(()));
    let request = requests.recv().expect("a request");
    assert!(request.line.starts_with("PUT /anchors/whodid/abcdefgh/00000000000000000042"), "{}", request.line);
    let header = |name: &str| request.headers.get(name).map(String::as_str);
    assert_eq!(header("if-none-match"), Some("*"));
    assert_eq!(header("x-amz-object-lock-mode"), Some("COMPLIANCE"));
    assert_eq!(header("x-amz-object-lock-retain-until-date"), Some("2026-12-20T12:00:00Z"));
    // Object Lock asks for one of them.
    assert!(request.headers.keys().any(|name| name.starts_with("x-amz-checksum-")), "{:?}", request.headers);
    assert!(request.body.contains(&*signed(42).note), "{}", request.body);

    assert_eq!(put(&mut store(&endpoint, None), &signed(43)), Ok(()));
    let request = requests.recv().expect("a request");
    assert!(request.headers.keys().all(|name| !name.contains("lock")), "{:?}", request.headers);
}

#[test]
fn a_name_that_is_taken_is_looked_at() {
    let taken = || (412, error("PreconditionFailed"));
    let there = |there: Option<(u16, String)>| {
        let (endpoint, _requests) = answering([taken()].into_iter().chain(there).collect());
        put(&mut store(&endpoint, None), &signed(42))
    };
    assert_eq!(there(Some((200, signed(42).note.to_string()))), Ok(()));
    // The same checkpoint with one more signature is the same.
    let (_, mut note) = Checkpoint::parse_note(signed(42).note.as_bytes()).expect("ours");
    note.add_signature(&SignerKey::from_seed(&format!("{ORIGIN}/epoch/1"), &[9; 32]).expect("a name")).expect("a key");
    assert_eq!(there(Some((200, note.to_string()))), Ok(()));
    let name = "s3://anchors/whodid/abcdefgh/00000000000000000042".to_owned();
    for other in [forked(42, "other").note.to_string(), String::new(), "x".repeat(100_000)] {
        assert_eq!(there(Some((200, other))), Err(AnchorError::Other(name.clone())));
    }
    assert_eq!(there(Some((403, error("AccessDenied")))), Err(AnchorError::Unreadable(name)));
}

#[test]
fn what_was_not_answered_and_is_there_was_taken() {
    let answers = vec![(0, String::new()), (412, error("PreconditionFailed")), (403, error("AccessDenied"))];
    let (endpoint, _requests) = answering(answers);
    let mut store = store(&endpoint, None);
    assert!(matches!(put(&mut store, &signed(42)), Err(AnchorError::Io(_))));
    assert_eq!(put(&mut store, &signed(42)), Ok(()));
    assert_eq!(store.unanswered, None);
}

#[test]
fn every_refusal_says_what_to_do() {
    let cases = [
        (403, "AccessDenied", "allow s3:PutObject"),
        (404, "NoSuchBucket", "correct its name"),
        (301, "PermanentRedirect", "set `region`"),
        (409, "ConditionalRequestConflict", "ConditionalRequestConflict: as it says"),
        (501, "NotImplemented", "NotImplemented: as it says"),
        (503, "SlowDown", "SlowDown: as it says"),
        (400, "InvalidRequest", "InvalidRequest: as it says"),
    ];
    for (status, code, expected) in cases {
        let (endpoint, _requests) = answering(vec![(status, error(code))]);
        let refused = put(&mut store(&endpoint, None), &signed(1)).expect_err("refused").to_string();
        assert!(refused.contains(expected), "{refused}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let refused = put(&mut store(&format!("http://{nobody}"), None), &signed(1)).expect_err("nobody listens");
    assert!(matches!(refused, AnchorError::Io(_)), "{refused}");
}
