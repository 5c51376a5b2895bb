//! The door of a running writer: a local socket by which other commands have something done in its trail.
//!
//! ```text
//! <data>/socket    stream, 0600
//! request          one line of JSON, answered by one line: {"done":…} or {"error":"…"}
//! ```
//!
//! Only the user that runs the writer, and root, are heard. Who asked is what the kernel says of the other
//! end (`SO_PEERCRED`, unix(7)), never what the request says. The writer holds the lock of the folder, so a
//! socket that is found there was left behind.

use std::fs::{self, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream as Blocking;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::WeakSender;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tracing::warn;

use crate::clock::Clock;
use crate::event::Event;

use super::hold::Switch;
use super::order::Order;
use super::rotate;

/// What can be asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Request {
    Hold { on: bool, reason: String },
    RotateKey,
}

/// Who asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub(super) uid: u32,
    pub(super) pid: Option<u32>,
}

impl Caller {
    /// This process, for what it does itself.
    pub(super) fn this() -> Self {
        Self { uid: rustix::process::getuid().as_raw(), pid: Some(std::process::id()) }
    }

    /// Writes into an event who it was.
    pub(super) fn enter(self, event: &mut Event) {
        event.who.id = Some(self.uid.to_string());
        event.place.pid = self.pid;
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Done(Json),
    Error(String),
}

/// What a listener needs to have something done.
#[derive(Clone)]
pub(super) struct Attendant {
    pub(super) origin: String,
    pub(super) clock: Clock,
    /// Weak: the writer ends when nobody else orders anything.
    pub(super) orders: WeakSender<Order>,
}

pub(super) struct Door {
    listener: UnixListener,
    path: PathBuf,
}

const FILE_NAME: &str = "socket";
const MODE: u32 = 0o600;

/// A reason of 4 KiB with every byte escaped is shorter.
const REQUEST_BYTES_MAX: u64 = 64 << 10;

/// How long a caller may take to say what they want.
const REQUEST_TIME: Duration = Duration::from_secs(5);

/// How long the writer may take: a full disk keeps it waiting.
const ANSWER_TIME: Duration = Duration::from_secs(60);

/// More wait in the backlog of the socket.
const CALLERS_MAX: usize = 16;

impl Door {
    /// Only for who holds the lock of the folder.
    pub(super) fn open(data: &Path) -> io::Result<Self> {
        let path = data.join(FILE_NAME);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(MODE))?;
        Ok(Self { listener, path })
    }

    /// Hears callers until it is time to stop.
    pub(super) async fn attend(self, attendant: Attendant, mut closed: watch::Receiver<bool>) {
        let places = Arc::new(Semaphore::new(CALLERS_MAX));
        let attending = async {
            loop {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                match self.listener.accept().await {
                    Ok((stream, _)) => {
                        let attendant = attendant.clone();
                        tokio::spawn(async move {
                            attendant.serve(stream).await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        // Out of descriptors, most likely: others need them more.
                        warn!(%error, "A caller at the local socket could not be heard.");
                        tokio::time::sleep(REQUEST_TIME).await;
                    }
                }
            }
        };
        tokio::select! {
            () = attending => {}
            _ = closed.wait_for(|is_time| *is_time) => {}
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        fs::remove_file(&self.path).unwrap_or_default();
    }
}

impl Attendant {
    async fn serve(&self, stream: UnixStream) {
        let Some(caller) = heard(&stream) else { return };
        let (from, mut to) = stream.into_split();
        let mut line = String::new();
        let mut from = tokio::io::BufReader::new(from.take(REQUEST_BYTES_MAX));
        let answer = match timeout(REQUEST_TIME, from.read_line(&mut line)).await {
            Ok(Ok(_)) => match serde_json::from_str(&line) {
                Ok(request) => self.answer(request, caller).await,
                Err(error) => Answer::Error(format!("that is no request: {error}")),
            },
            _ => return,
        };
        let mut line = serde_json::to_vec(&answer).unwrap_or_default();
        line.push(b'\n');
        // Whoever asked may be gone; what was asked is done all the same.
        timeout(REQUEST_TIME, to.write_all(&line)).await.ok();
    }

    async fn answer(&self, request: Request, caller: Caller) -> Answer {
        let Some(orders) = self.orders.upgrade() else { return Answer::Error("the writer is stopping".to_owned()) };
        let now = self.clock.now();
        let asked = match request {
            Request::Hold { on, reason } => {
                Switch::new(on, &reason).map(|switch| switch.order(&self.origin, caller, now))
            }
            Request::RotateKey => Ok(rotate::order(&self.origin, caller, now)),
        };
        let (order, done) = match asked {
            Ok(order) => order,
            Err(error) => return Answer::Error(error.to_string()),
        };
        let answer = async {
            orders.send(order).await.ok()?;
            done.await.ok()
        };
        match timeout(ANSWER_TIME, answer).await {
            Ok(Some(Ok(answer))) => Answer::Done(answer),
            Ok(Some(Err(error))) => Answer::Error(error.to_string()),
            Ok(None) => Answer::Error("the writer has stopped".to_owned()),
            Err(_) => {
                Answer::Error("the writer has not answered yet; it may be waiting for room on the disk".to_owned())
            }
        }
    }
}

/// Who is at the other end, if they may ask.
fn heard(stream: &UnixStream) -> Option<Caller> {
    let peer = stream.peer_cred().ok()?;
    let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
    let ours = rustix::process::geteuid().as_raw();
    [0, ours].contains(&peer.uid()).then_some(Caller { uid: peer.uid(), pid })
}

/// Asks the writer of a folder; none if there is none that listens.
pub(super) fn ask<T: DeserializeOwned>(data: &Path, request: &Request) -> Option<anyhow::Result<T>> {
    let stream = Blocking::connect(data.join(FILE_NAME)).ok()?;
    Some(exchange(stream, request))
}

fn exchange<T: DeserializeOwned>(mut stream: Blocking, request: &Request) -> anyhow::Result<T> {
    stream.set_read_timeout(Some(ANSWER_TIME + REQUEST_TIME))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream.take(REQUEST_BYTES_MAX)).read_line(&mut answer)?;
    match serde_json::from_str(&answer) {
        Ok(Answer::Done(answer)) => Ok(serde_json::from_value(answer)?),
        Ok(Answer::Error(error)) => Err(anyhow::anyhow!(error)),
        Err(_) => Err(anyhow::anyhow!("the writer ended before it answered: `whodid trail stat` says how things are")),
    }
}
