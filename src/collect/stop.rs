//! Stopping threads that wait for files: a flag, and a socket that wakes whoever sleeps.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The side of a thread that is to stop.
pub(super) struct Stop {
    flag: Arc<AtomicBool>,
    wake: UnixStream,
}

/// The side that stops it; dropping it stops the thread too.
pub(super) struct Stopper {
    flag: Arc<AtomicBool>,
    /// Never written: closing it is what wakes.
    _wake: UnixStream,
}

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Woken {
    Stop,
    Ready,
    Time,
}

pub(super) fn pair() -> io::Result<(Stopper, Stop)> {
    let (ours, theirs) = UnixStream::pair()?;
    let flag = Arc::new(AtomicBool::new(false));
    Ok((Stopper { flag: Arc::clone(&flag), _wake: ours }, Stop { flag, wake: theirs }))
}

impl Drop for Stopper {
    fn drop(&mut self) {
        self.flag.store(true, Relaxed);
    }
}

impl Stop {
    pub(super) fn is_set(&self) -> bool {
        self.flag.load(Relaxed)
    }

    /// Waits until there is something to read from `ready`, the time is up, or it is time to stop.
    pub(super) fn wait(&self, ready: Option<BorrowedFd<'_>>, at_most: Option<Duration>) -> Woken {
        let timeout = at_most.and_then(|time| Timespec::try_from(time).ok());
        let mut fds = vec![PollFd::from_borrowed_fd(self.wake.as_fd(), PollFlags::IN)];
        fds.extend(ready.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        // A signal interrupts the wait: that is as good as its end.
        let woken = poll(&mut fds, timeout.as_ref()).unwrap_or(0);
        match fds.get(1) {
            _ if self.is_set() || !fds.first().is_none_or(|fd| fd.revents().is_empty()) => Woken::Stop,
            Some(fd) if woken > 0 && !fd.revents().is_empty() => Woken::Ready,
            _ => Woken::Time,
        }
    }
}
