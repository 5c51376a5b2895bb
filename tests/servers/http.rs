//! HTTP/1.1 as the proxies of the tests speak it: whole messages, over a connection each.

use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value as Json;

/// A request or an answer. A body that came in chunks is put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// `POST /_bulk HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub(crate) line: String,
    /// By their names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// More than any test sends or asks for.
const BODY_BYTES_MAX: u64 = 512 << 20;

/// A server that hangs fails its test.
const ANSWER_SECONDS_MAX: u64 = 120;

impl Message {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// Of an answer.
    pub(crate) fn status(&self) -> u16 {
        self.line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    /// Of a request.
    pub(crate) fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    /// Of a request, with its query.
    pub(crate) fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Json {
        match self.body.is_empty() {
            true => Json::Null,
            false => serde_json::from_slice(&self.body)
                .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body))),
        }
    }

    pub(crate) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.bytes())?;
        to.flush()
    }

    /// With a length, whatever it came with.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{}\r\n", self.line);
        let framing = ["content-length", "transfer-encoding", "connection", "expect"];
        for (name, value) in self.headers.iter().filter(|(name, _)| !framing.contains(&name.as_str())) {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("content-length: {}\r\nconnection: close\r\n\r\n", self.body.len());
        [head.as_bytes(), &self.body].concat()
    }
}

/// One request over a connection of its own.
pub(crate) fn ask(
    address: &str,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Message> {
    let mut headers: Vec<(String, String)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    headers.push(("host".to_owned(), address.to_owned()));
    pass(address, &Message { line: format!("{method} {target} HTTP/1.1"), headers, body: body.to_vec() })
}

/// Hands a request to a server and waits for its answer.
pub(crate) fn pass(address: &str, request: &Message) -> io::Result<Message> {
    let mut server = TcpStream::connect(address)?;
    server.set_read_timeout(Some(Duration::from_secs(ANSWER_SECONDS_MAX)))?;
    request.write(&mut server)?;
    let has_body = request.method() != "HEAD";
    read(&mut io::BufReader::new(server), has_body)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// The next message; `None` where the other side closed instead.
pub(crate) fn read(from: &mut impl BufRead, has_body: bool) -> io::Result<Option<Message>> {
    let Some(line) = line(from)? else { return Ok(None) };
    let mut headers = Vec::new();
    while let Some(header) = self::line(from)?.filter(|header| !header.is_empty()) {
        let (name, value) = header.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut message = Message { line, headers, body: Vec::new() };
    let is_chunked = message.header("transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked"));
    let length = message.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    match (has_body, is_chunked) {
        (false, _) => {}
        (true, true) => chunks(from, &mut message.body)?,
        (true, false) => exactly(from, length, &mut message.body)?,
    }
    Ok(Some(message))
}

fn line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    match from.take(1 << 16).read_line(&mut line)? {
        0 => Ok(None),
        _ => Ok(Some(line.trim_end().to_owned())),
    }
}

/// RFC 9112, 7.1.
fn chunks(from: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let size = line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        exactly(from, size, body)?;
        // The end of the chunk, or of the trailers.
        while line(from)?.is_some_and(|line| !line.is_empty()) {}
        if size == 0 {
            return Ok(());
        }
    }
}

fn exactly(from: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    if length.saturating_add(body.len() as u64) > BODY_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    match from.take(length).read_to_end(body)? as u64 == length {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[test]
fn a_body_in_chunks_is_put_together() {
    let mut text =
        &b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: 1\r\n\r\nHTTP"[..];
    let message = read(&mut text, true).expect("it is whole").expect("there is one");
    assert_eq!((message.status(), message.body.as_slice()), (200, &b"abcde"[..]));
    assert_eq!(text, b"HTTP");
}

#[test]
fn a_body_that_is_cut_is_none() {
    for mut text in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
    ] {
        assert!(read(&mut text, true).is_err());
    }
    assert_eq!(read(&mut &b""[..], true).expect("closed in order"), None);
}
