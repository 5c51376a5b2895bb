//! The socket that everybody may write to.
//!
//! ```text
//! /run/whodid/intake   stream, 0666
//! a record             one line of JSON (`sources::run_record`), answered by one line when it is durable:
//!                      {"done":true} or {"error":"…"}
//! ```
//!
//! Records may follow each other without waiting; answers come in their order. A connection ends when it says
//! nothing for a minute: whoever wants to say more connects again.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc::Sender as Tx;
use tokio::sync::{oneshot, watch as signal};
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use super::gate::{Gate, Place};
use super::{Delivery, Names, peer};
use crate::sources::run_record::{RECORD_BYTES_MAX, Sender};

pub(super) struct Listener {
    listener: UnixListener,
    path: PathBuf,
}

/// Why nobody can hand over anything.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unheard {
    #[error("is where another writer listens: set `socket` under [intake] to another path, or `listen = false`")]
    Taken,
    #[error("is no socket, and stands where one should be: remove it, or set `socket` under [intake]")]
    NoSocket,
    #[error("cannot be listened at ({0}): its folder must be ours to write in; or set `socket` under [intake]")]
    Io(#[from] io::Error),
}

const MODE: u32 = 0o666;
const FOLDER_MODE: u32 = 0o755;

/// How long a connection may say nothing, and how long it may take to end a line, or to read an answer.
const IDLE_TIME: Duration = Duration::from_secs(60);
const LINE_TIME: Duration = Duration::from_secs(10);

/// Who is out of descriptors waits.
const ACCEPT_RETRY: Duration = Duration::from_secs(1);

/// What one connection may have on its way: a line of the longest, and a piece of the next.
const HELD_BYTES_MAX: usize = RECORD_BYTES_MAX + READ_BYTES;
const READ_BYTES: usize = 16 << 10;

const DONE: &[u8] = b"{\"done\":true}\n";

impl Listener {
    /// Within a runtime.
    pub(super) fn open(path: &Path) -> Result<Self, Unheard> {
        if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
            fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
            fs::set_permissions(folder, Permissions::from_mode(FOLDER_MODE))?;
        }
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => return Err(Unheard::NoSocket),
            Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => return Err(Unheard::Taken),
            // Left behind by one that was killed.
            Ok(_) => fs::remove_file(path)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Hears everybody until it is time to stop.
    pub(super) async fn attend(self, tx: Tx<Delivery>, mut shutdown: signal::Receiver<bool>) {
        let gate = Arc::new(Gate::default());
        let mut names = Names::new();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = shutdown.wait_for(|stop| *stop) => return,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => admit(stream, &gate, &mut names, &tx),
                Err(error) => {
                    warn!(%error, "Somebody at the intake could not be heard.");
                    sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        fs::remove_file(&self.path).unwrap_or_default();
    }
}

fn admit(stream: UnixStream, gate: &Arc<Gate>, names: &mut Names, tx: &Tx<Delivery>) {
    let Ok(peer) = stream.peer_cred() else { return };
    let Some(place) = gate.enter(peer.uid(), Instant::now()) else {
        // As much as goes in at once: nobody waits for who has too many.
        stream.try_write(&error("too many connections")).map(drop).unwrap_or_default();
        return;
    };
    let sender = Arc::new(peer::look(&peer, names));
    let connection = Connection { stream, place, sender, tx: tx.clone(), held: Vec::new() };
    tokio::spawn(connection.serve());
}

fn error(text: &str) -> Vec<u8> {
    let mut line = serde_json::json!({ "error": text }).to_string().into_bytes();
    line.push(b'\n');
    line
}

struct Connection {
    stream: UnixStream,
    place: Place,
    sender: Arc<Sender>,
    tx: Tx<Delivery>,
    held: Vec<u8>,
}

impl Connection {
    async fn serve(mut self) {
        loop {
            let lines = self.lines();
            if lines.is_empty() {
                if self.held.len() > RECORD_BYTES_MAX {
                    self.answer(&error(&format!("a record has at most {RECORD_BYTES_MAX} bytes"))).await;
                    return;
                }
                if !self.read().await {
                    return;
                }
                continue;
            }
            let count = lines.len();
            if !self.hand_over(lines).await {
                self.answer(&error("the writer is stopping")).await;
                return;
            }
            if !self.answer(&DONE.repeat(count)).await {
                return;
            }
        }
    }

    /// The whole lines that came.
    fn lines(&mut self) -> Vec<Vec<u8>> {
        let Some(end) = memchr::memrchr(b'\n', &self.held) else { return Vec::new() };
        let rest = self.held.split_off(end + 1);
        let whole = std::mem::replace(&mut self.held, rest);
        let lines = whole.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        lines.map(<[u8]>::to_vec).collect()
    }

    /// False at the end, after which half a line is nothing: who sent it was not answered.
    async fn read(&mut self) -> bool {
        let most = (HELD_BYTES_MAX - self.held.len()).min(READ_BYTES);
        let at_most = if self.held.is_empty() { IDLE_TIME } else { LINE_TIME };
        let mut buffer = vec![0; most];
        match timeout(at_most, self.stream.read(&mut buffer)).await {
            Ok(Ok(count @ 1..)) => {
                self.held.extend_from_slice(buffer.get(..count).unwrap_or_default());
                true
            }
            _ => false,
        }
    }

    /// Waits until it is durable; false if it never will be.
    async fn hand_over(&self, lines: Vec<Vec<u8>>) -> bool {
        let bytes = lines.iter().map(Vec::len).sum();
        sleep(self.place.spend(lines.len(), bytes, Instant::now())).await;
        let (done, is_done) = oneshot::channel();
        let delivery = Delivery { sender: Arc::clone(&self.sender), lines, done };
        self.tx.send(delivery).await.is_ok() && is_done.await.is_ok()
    }

    async fn answer(&mut self, text: &[u8]) -> bool {
        matches!(timeout(LINE_TIME, self.stream.write_all(text)).await, Ok(Ok(())))
    }
}
