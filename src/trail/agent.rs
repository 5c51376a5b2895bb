//! Signing by an ssh-agent, which never gives the key away (draft-ietf-sshm-ssh-agent; RFC 4251 §5, RFC 8709).
//!
//! ```text
//! -> u32 length, 13, string (string "ssh-ed25519", string key), string text, u32 0
//! <- u32 length, 14, string (string "ssh-ed25519", string signature)     or length 1, 5: refused
//! ```
//!
//! A string is a u32 length and so many bytes; numbers are big-endian. An Ed25519 signature of an agent
//! is one over the bytes as they are, and so a note's.
//!
//! Nothing that an agent answers is believed: lengths are bounded, and a signature is verified before
//! it is used. Each signature has its own connection, so that an agent may go and come back.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ed25519_dalek::{Signature, VerifyingKey};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, connect, socket};

use super::note::NoteError;

/// One key of one agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    socket: PathBuf,
    key: VerifyingKey,
}

/// Why an agent did not sign. It may do so later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    #[error("the signing agent at {socket} is away ({why}): start it, or mend `agent` under [trail]")]
    Away { socket: PathBuf, why: io::ErrorKind },
    #[error("the signing agent at {socket} does not answer within {} seconds", ANSWER_TIME.as_secs())]
    Silent { socket: PathBuf },
    #[error("the signing agent at {socket} does not have the key `agent_key`: `ssh-add` it, or unlock the agent")]
    Keyless { socket: PathBuf },
    #[error("the signing agent at {socket} has the key and refuses to sign with it")]
    Refused { socket: PathBuf },
    #[error("the signing agent at {socket} answers with what cannot be used: {what}")]
    Nonsense { socket: PathBuf, what: &'static str },
}

/// What an agent may take for one answer; who has to be asked by it is not there in time anyway.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// OpenSSH's own bound of a message.
const ANSWER_BYTES_MAX: usize = 256 << 10;

const ALGORITHM: &[u8] = b"ssh-ed25519";

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// What an answer says, or that it says nothing that can be read.
type Read<T> = Result<T, &'static str>;

impl Agent {
    pub fn new(socket: &Path, key: &[u8; 32]) -> Result<Self, NoteError> {
        let key = VerifyingKey::from_bytes(key).map_err(|_| NoteError::BadKey("it is no point of the curve"))?;
        Ok(Self { socket: socket.to_owned(), key })
    }

    pub(super) fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The signature of the text, verified.
    pub(super) fn sign(&self, text: &[u8]) -> Result<[u8; 64], AgentError> {
        let blob = key_blob(self.key.as_bytes());
        let answer = self.ask(&sign_request(&blob, text))?;
        let Some(signature) = signature(&answer).map_err(|what| self.nonsense(what))? else {
            return Err(self.refusal(&blob));
        };
        let is_ours = self.key.verify_strict(text, &Signature::from_bytes(&signature)).is_ok();
        is_ours.then_some(signature).ok_or_else(|| self.nonsense("the signature is not one of this key over this text"))
    }

    /// Why it refused, as far as it says so: a locked agent shows no keys.
    fn refusal(&self, blob: &[u8]) -> AgentError {
        let socket = self.socket.clone();
        let listed = self.ask(&message(&[REQUEST_IDENTITIES]));
        match listed.map(|answer| lists(&answer, blob)) {
            Ok(Ok(true)) => AgentError::Refused { socket },
            Ok(Ok(false)) => AgentError::Keyless { socket },
            Ok(Err(what)) => self.nonsense(what),
            Err(error) => error,
        }
    }

    fn nonsense(&self, what: &'static str) -> AgentError {
        AgentError::Nonsense { socket: self.socket.clone(), what }
    }

    /// One message there and one back, without its length.
    fn ask(&self, request: &[u8]) -> Result<Vec<u8>, AgentError> {
        let deadline = Instant::now() + ANSWER_TIME;
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AgentError::Silent { socket: self.socket.clone() },
            why => AgentError::Away { socket: self.socket.clone(), why },
        };
        let mut stream = open(&self.socket).map_err(failed)?;
        stream.set_write_timeout(Some(ANSWER_TIME)).map_err(failed)?;
        stream.write_all(request).map_err(failed)?;
        let mut length = [0; 4];
        read_until(deadline, &mut stream, &mut length).map_err(failed)?;
        let length = u32::from_be_bytes(length) as usize;
        if length == 0 || length > ANSWER_BYTES_MAX {
            return Err(self.nonsense("its length is not that of an answer"));
        }
        let mut answer = vec![0; length];
        read_until(deadline, &mut stream, &mut answer).map_err(failed)?;
        Ok(answer)
    }
}

/// Connecting to an agent that is stopped would wait without end once its queue is full.
fn open(path: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::from(socket(AddressFamily::UNIX, SocketType::STREAM, None)?);
    stream.set_nonblocking(true)?;
    connect(&stream, &SocketAddrUnix::new(path)?)?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// A timeout of the socket is for each read alone: who sends a byte now and then would hold us for ever.
fn read_until(deadline: Instant, stream: &mut UnixStream, mut into: &mut [u8]) -> io::Result<()> {
    while !into.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(into) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => into = into.get_mut(read..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn key_blob(key: &[u8; 32]) -> Vec<u8> {
    [string(ALGORITHM), string(key)].concat()
}

fn sign_request(blob: &[u8], text: &[u8]) -> Vec<u8> {
    message(&[&[SIGN_REQUEST], string(blob).as_slice(), &string(text), &[0; 4]].concat())
}

fn message(content: &[u8]) -> Vec<u8> {
    string(content)
}

fn string(bytes: &[u8]) -> Vec<u8> {
    // Keys, and checkpoints of at most some KiB.
    [&(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

/// The signature in an answer; none if the agent refuses.
fn signature(answer: &[u8]) -> Read<Option<[u8; 64]>> {
    let mut content = match answer.split_first() {
        Some((&FAILURE, _)) => return Ok(None),
        Some((&SIGN_RESPONSE, content)) => content,
        _ => return Err("it is no answer to the request for a signature"),
    };
    let mut signature = take_string(&mut content)?;
    if take_string(&mut signature)? != ALGORITHM {
        return Err("the signature is of another kind than Ed25519");
    }
    let bytes = take_string(&mut signature)?.try_into().map_err(|_| "the signature has not 64 bytes")?;
    match content.is_empty() && signature.is_empty() {
        true => Ok(Some(bytes)),
        false => Err("something follows the signature"),
    }
}

/// Whether an answer lists a key.
fn lists(answer: &[u8], blob: &[u8]) -> Read<bool> {
    let Some((&IDENTITIES_ANSWER, mut content)) = answer.split_first() else {
        return Err("it is no list of keys");
    };
    let mut is_listed = false;
    for _ in 0..take_number(&mut content)? {
        is_listed |= take_string(&mut content)? == blob;
        let _comment = take_string(&mut content)?;
    }
    Ok(is_listed)
}

fn take_number(from: &mut &[u8]) -> Read<u32> {
    let (number, rest) = from.split_first_chunk().ok_or("it ends in the middle of a number")?;
    *from = rest;
    Ok(u32::from_be_bytes(*number))
}

fn take_string<'b>(from: &mut &'b [u8]) -> Read<&'b [u8]> {
    let length = take_number(from)? as usize;
    let (string, rest) = from.split_at_checked(length).ok_or("a part of it is longer than the whole")?;
    *from = rest;
    Ok(string)
}

#[cfg(test)]
mod tests;
