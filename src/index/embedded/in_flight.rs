//! Bounds the memory of documents that wait for the engine.
//!
//! The engine's own queue counts documents, and a hostile record makes one of some megabytes.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// How many bytes are on their way, shared by whoever adds and whoever takes out.
#[derive(Debug, Clone)]
pub(super) struct InFlight {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    bytes_max: usize,
    bytes: Mutex<usize>,
    is_less: Condvar,
}

/// Gives its bytes back when dropped.
#[derive(Debug)]
pub(super) struct Ticket {
    shared: Arc<Shared>,
    bytes: usize,
}

impl InFlight {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { shared: Arc::new(Shared { bytes_max, bytes: Mutex::new(0), is_less: Condvar::new() }) }
    }

    /// Waits until there is room. One that is too large alone passes when nothing else is on its way.
    pub(super) fn enter(&self, bytes: usize) -> Ticket {
        let Shared { bytes_max, bytes: on_the_way, is_less } = &*self.shared;
        let guard = on_the_way.lock().unwrap_or_else(PoisonError::into_inner);
        let mut guard = is_less
            .wait_while(guard, |on_the_way| *on_the_way > 0 && *on_the_way + bytes > *bytes_max)
            .unwrap_or_else(PoisonError::into_inner);
        *guard += bytes;
        Ticket { shared: Arc::clone(&self.shared), bytes }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let Shared { bytes_max, bytes, is_less } = &*self.shared;
        let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, half) = (*bytes, bytes_max / 2);
        *bytes = before.saturating_sub(self.bytes);
        // Waking is a system call, so it is done when half the room is free and not for each document;
        // who needs more than half waits for all of it.
        if (before > half && *bytes <= half) || *bytes == 0 {
            is_less.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_no_room_waits_for_it() {
        let in_flight = InFlight::new(10);
        let first = in_flight.enter(100);
        let other = in_flight.clone();
        let waiting = std::thread::spawn(move || drop(other.enter(1)));
        drop(first);
        waiting.join().expect("it found room");
        assert_eq!(*in_flight.shared.bytes.lock().expect("not poisoned"), 0);
    }
}
