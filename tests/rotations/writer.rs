//! Whoever writes the log: appends lines, sometimes in halves, and reopens it when told.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Random;
use crate::generate::auth_log::AuthLog;
use crate::program::until;

pub(super) struct Writer {
    log: PathBuf,
    /// While this file is there, somebody waits for the log to be opened anew.
    reopen: PathBuf,
    open: Mutex<Open>,
    lines: AtomicUsize,
    ends: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The log as its writer has it open.
pub(super) struct Open {
    pub(super) file: File,
    /// Everything that was ever written, in order.
    pub(super) written: Vec<u8>,
    /// How much that was when the log was opened.
    pub(super) opened_at: usize,
}

impl Open {
    pub(super) fn again(&mut self, file: File) {
        self.file = file;
        self.opened_at = self.written.len();
    }
}

impl Writer {
    pub(super) fn start(log: PathBuf, reopen: PathBuf, seed: u64) -> Arc<Self> {
        let open = Mutex::new(Open { file: open(&log), written: Vec::new(), opened_at: 0 });
        let (lines, ends, thread) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(None));
        let writer = Arc::new(Self { log, reopen, open, lines, ends, thread });
        let thread = thread::spawn({
            let writer = Arc::clone(&writer);
            move || writer.write(AuthLog::new(seed), &mut Random::new(seed))
        });
        *writer.thread.lock().expect("no panic before") = Some(thread);
        writer
    }

    /// Ends with a whole line.
    pub(super) fn stop(&self) {
        self.ends.store(true, SeqCst);
        let thread = self.thread.lock().expect("no panic before").take().expect("it was started");
        thread.join().expect("the writer does not panic");
    }

    /// Nothing is written while this is held.
    pub(super) fn hold(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open_log(&self) -> File {
        open(&self.log)
    }

    pub(super) fn wait_for_lines(&self, more: usize) {
        let enough = self.lines.load(SeqCst) + more;
        until("the writer writes", || self.lines.load(SeqCst) >= enough);
    }

    /// Names with the time in them are different once a second.
    pub(super) fn wait_for_another_second(&self) {
        let second = || self.log.metadata().map(|log| log.modified().expect("a time")).ok();
        let seconds = |time: std::time::SystemTime| time.duration_since(std::time::UNIX_EPOCH).expect("now").as_secs();
        let before = second().map(seconds);
        until("a second passes", || second().map(seconds) > before);
    }

    fn write(&self, lines: AuthLog, random: &mut Random) {
        for line in lines {
            let line = line + "\n";
            let halves = random.below(6) == 0;
            let (first, second) = line.split_at(if halves { random.below(line.len() as u64) as usize } else { 0 });
            if halves {
                self.append(first);
                // Somebody may look, copy or rotate in between.
                thread::sleep(Duration::from_millis(random.below(4)));
                self.reopen_if_told();
            }
            self.append(second);
            self.lines.fetch_add(1, SeqCst);
            self.reopen_if_told();
            if random.below(3) == 0 {
                thread::sleep(Duration::from_millis(2));
            }
            if self.ends.load(SeqCst) {
                return;
            }
        }
    }

    fn append(&self, text: &str) {
        let mut open = self.hold();
        open.file.write_all(text.as_bytes()).expect("room");
        open.written.extend_from_slice(text.as_bytes());
    }

    fn reopen_if_told(&self) {
        if self.reopen.exists() {
            self.hold().again(self.open_log());
            std::fs::remove_file(&self.reopen).expect("nobody else removes it");
        }
    }
}

fn open(log: &Path) -> File {
    OpenOptions::new().create(true).append(true).open(log).expect("a log")
}
