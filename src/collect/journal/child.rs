//! `journalctl` as a child: its arguments, its output, its last words.
//!
//! Nothing else reads journald's files: their form is its own and changes. The child's standard output is read
//! as it comes, so a reader that waits makes it wait. What it says on standard error is kept, as far as it
//! tells anything.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{self, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::collect::Mode;
use crate::config::source::Journal;

const PROGRAM: &str = "journalctl";

/// What it says last tells why it ended; it may complain about each of many files.
const WORDS_MAX: usize = 32;
const WORD_BYTES_MAX: u64 = 1_024;

/// How long a child whose output has ended may take to end, and how often that is looked at.
const END_TIME: Duration = Duration::from_secs(5);
const END_LOOK: Duration = Duration::from_millis(5);

/// How the journal is named in events and messages: by the command that reads it.
pub(super) fn origin(journal: &Journal) -> String {
    [PROGRAM.to_owned()].into_iter().chain(places(journal)).collect::<Vec<_>>().join(" ")
}

/// Which journal, as arguments.
fn places(journal: &Journal) -> Vec<String> {
    let Journal { directory, files, namespace, merge, matches } = journal;
    let directory = directory.iter().map(|path| format!("--directory={}", path.display()));
    let files = files.iter().map(|path| format!("--file={}", path.display()));
    let namespace = namespace.iter().map(|name| format!("--namespace={name}"));
    let merge = merge.then(|| "--merge".to_owned());
    directory.chain(files).chain(namespace).chain(merge).chain(matches.iter().cloned()).collect()
}

/// What is asked of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ask<'a> {
    /// Everything from the record of this cursor on, that one too: that it comes shows that it is still there.
    From(Option<&'a str>),
    /// The newest record alone.
    Newest,
    /// This record alone, without its long fields.
    Short(&'a str),
}

pub(super) struct Child {
    process: process::Child,
    out: ChildStdout,
    words: Arc<Mutex<VecDeque<String>>>,
    listener: Option<JoinHandle<()>>,
}

impl Child {
    pub(super) fn start(journal: &Journal, ask: Ask<'_>, mode: Mode) -> io::Result<Self> {
        let mut command = Command::new(PROGRAM);
        command.args(["--output=json", "--no-pager"]);
        let cursor = match ask {
            Ask::From(cursor) => {
                command.arg("--all");
                if mode == Mode::Follow {
                    // It shows but the last ten otherwise, and with a cursor the first ten.
                    command.args(["--follow", "--no-tail"]);
                }
                cursor
            }
            Ask::Newest => {
                command.arg("--lines=1");
                None
            }
            Ask::Short(cursor) => {
                command.arg("--lines=1");
                Some(cursor)
            }
        };
        command.args(cursor.map(|cursor| format!("--cursor={cursor}")));
        command.args(places(journal));
        command.env("LC_ALL", "C.UTF-8").env_remove("SYSTEMD_LOG_LEVEL");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn()?;
        let (out, err) = (process.stdout.take(), process.stderr.take());
        let words = Arc::new(Mutex::new(VecDeque::new()));
        let heard = Arc::clone(&words);
        let listener = thread::Builder::new().name("hear journalctl".to_owned());
        let listener = listener.spawn(move || err.into_iter().for_each(|err| listen(err, &heard)));
        match (out, listener) {
            (Some(out), Ok(listener)) => Ok(Self { process, out, words, listener: Some(listener) }),
            (out, listener) => {
                drop(out);
                process.kill()?;
                process.wait()?;
                Err(listener.err().unwrap_or_else(|| io::Error::other("it has no output")))
            }
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.out.as_fd()
    }

    pub(super) fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.out.read(to)
    }

    /// What it said on standard error since the last time.
    pub(super) fn words(&self) -> Vec<String> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).drain(..).collect()
    }

    /// Waits for a child whose output has ended; how it ended, and its last words.
    pub(super) fn end(mut self) -> io::Result<(ExitStatus, Vec<String>)> {
        let began = Instant::now();
        let status = loop {
            match self.process.try_wait()? {
                Some(status) => break status,
                // It has nothing to do any more.
                None if began.elapsed() > END_TIME => {
                    self.process.kill()?;
                    break self.process.wait()?;
                }
                None => thread::sleep(END_LOOK),
            }
        };
        if let Some(listener) = self.listener.take() {
            // It ends with the child, and does not panic.
            drop(listener.join());
        }
        Ok((status, self.words()))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail only for a child that was waited for already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn listen(err: impl io::Read, words: &Mutex<VecDeque<String>>) {
    let mut err = BufReader::new(err);
    let mut line = Vec::new();
    loop {
        line.clear();
        match err.by_ref().take(WORD_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        if !text.is_empty() {
            let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
            if words.len() == WORDS_MAX {
                words.pop_front();
            }
            words.push_back(text);
        }
    }
}

/// Why there is no child.
pub(super) fn not_started(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "cannot be run: there is no journalctl here (install systemd, or remove this source)".to_owned()
        }
        _ => format!("cannot be run: {error}"),
    }
}

/// Why it ended, in words.
pub(super) fn ended(status: ExitStatus, words: &[String]) -> String {
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    };
    match words.is_empty() {
        true => how,
        false => format!("{how}: {}", words.join(" ")),
    }
}
