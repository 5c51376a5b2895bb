//! An append-only file of notes, best on another mount.
//!
//! ```text
//! <note> <note> …        as `trail::notes` reads them
//! ```
//!
//! Opened anew for each checkpoint, only to append (`chattr +a` allows that) and made durable with
//! `fdatasync`. What a crash left half written is ended by `!` and an empty line, and stays. Several trails may share one file.
//!
//! A file on a mount that went away would be made anew beneath it: so it is made only as long as nothing was ever
//! left there. File systems can hang for ever, so a thread of its own works on it, and nobody waits for that.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;

use tokio::sync::oneshot;

use super::{AnchorError, Probe, Signed};

/// Who may read the trail may read what vouches for it.
const MODE: u32 = 0o640;

/// A checkpoint with its signatures is shorter.
const TAIL_BYTES: u64 = 16_384;

/// Ends what was torn, so that it is no signature by chance, and never was a note.
const TORN: &str = "!\n\n";

#[derive(Debug)]
pub(super) struct AnchorFile {
    ledger: Ledger,
    /// A thread that has not come back; while there is one there is no second.
    away: Option<oneshot::Receiver<Ledger>>,
}

/// The file, and what is known of it.
#[derive(Debug, Clone)]
struct Ledger {
    path: PathBuf,
    /// It was there once: when it is not, that is no reason to make it.
    is_known: bool,
    /// How long it was when it was left.
    bytes: u64,
}

impl AnchorFile {
    pub(super) fn new(path: &Path, known: Option<u64>) -> Self {
        Self { ledger: Ledger { path: path.to_owned(), is_known: known.is_some(), bytes: 0 }, away: None }
    }

    pub(super) async fn send(&mut self, signed: &Signed) -> Result<(), AnchorError> {
        let note = signed.note.clone();
        self.work(move |ledger| ledger.append(&note)).await
    }

    pub(super) async fn probe(&mut self) -> Result<Probe, AnchorError> {
        self.work(|ledger| ledger.probe()).await
    }

    /// Works on a thread that may hang without anybody waiting for it, not even the end of the program.
    async fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Ledger) -> Result<T, AnchorError> + Send + 'static,
    ) -> Result<T, AnchorError> {
        if let Some(away) = &mut self.away {
            match away.try_recv() {
                Ok(ledger) => self.ledger = ledger,
                Err(oneshot::error::TryRecvError::Empty) => return Err(AnchorError::Hangs),
                // It panicked, and what it knew is as it was before.
                Err(oneshot::error::TryRecvError::Closed) => {}
            }
        }
        let (back, away) = oneshot::channel();
        let (done, worked) = oneshot::channel();
        self.away = Some(away);
        let mut ledger = self.ledger.clone();
        let spawned = thread::Builder::new().name("anchor".to_owned()).spawn(move || {
            let outcome = work(&mut ledger);
            // Whoever waited may have given up.
            drop(back.send(ledger));
            drop(done.send(outcome));
        });
        spawned.map_err(|error| AnchorError::Io(error.to_string()))?;
        worked.await.unwrap_or_else(|_| Err(AnchorError::Io("the thread that writes it ended".to_owned())))
    }
}

impl Ledger {
    fn append(&mut self, note: &str) -> Result<(), AnchorError> {
        let failed = |error: io::Error| AnchorError::Io(error.to_string());
        let mut file = self.open()?;
        let length = file.metadata().map_err(failed)?.len();
        if length < self.bytes {
            // Said once; what comes now is anchored all the same.
            let before = std::mem::replace(&mut self.bytes, length);
            return Err(AnchorError::Cut { before, now: length });
        }
        let tail = tail(&file, length).map_err(failed)?;
        if !tail.ends_with(note.as_bytes()) {
            let text = format!("{}{note}", if tail.is_empty() || tail.ends_with(b"\n") { "" } else { TORN });
            // In one write, so that those who share the file do not come between.
            file.write_all(text.as_bytes()).map_err(failed)?;
        }
        // Also where it is there already: perhaps it was not durable.
        file.sync_data().map_err(failed)?;
        self.is_known = true;
        self.bytes = file.metadata().map_err(failed)?.len();
        Ok(())
    }

    /// Never a pipe or a device: those could hang, and keep nothing.
    fn open(&self) -> Result<File, AnchorError> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).mode(MODE).custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
        let opened = match options.open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.is_known => return Err(AnchorError::Gone),
            Err(error) if error.kind() == io::ErrorKind::NotFound => options.create(true).open(&self.path),
            opened => opened,
        };
        let file = opened.map_err(|error| AnchorError::Io(error.to_string()))?;
        match file.metadata() {
            Ok(metadata) if metadata.is_file() => Ok(file),
            Ok(_) => Err(AnchorError::NotAFile),
            Err(error) => Err(AnchorError::Io(error.to_string())),
        }
    }

    fn probe(&self) -> Result<Probe, AnchorError> {
        let known = Self { is_known: true, ..self.clone() };
        match known.open() {
            Ok(_) => Ok(Probe::Good),
            Err(AnchorError::Gone) => {
                let folder = self.path.parent().unwrap_or(Path::new("."));
                let may = rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
                may.map_err(|error| AnchorError::Io(format!("{}: {error}", folder.display())))?;
                Ok(Probe::Partly("it will be made by the first checkpoint".to_owned()))
            }
            Err(error) => Err(error),
        }
    }
}

fn tail(file: &File, length: u64) -> io::Result<Vec<u8>> {
    let from = length.saturating_sub(TAIL_BYTES);
    let mut tail = vec![0; (length - from) as usize];
    file.read_exact_at(&mut tail, from)?;
    Ok(tail)
}

#[cfg(test)]
mod tests;
