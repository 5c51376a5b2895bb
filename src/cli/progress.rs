//! A progress bar on a terminal; nothing in a pipe or a log.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Shows how far something is until it is dropped.
pub(super) struct Bar {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What a bar shows: done, total (0 where it is not known), and a word.
pub(super) type Look = dyn Fn() -> (u64, u64, String) + Send + Sync;

const TICK: Duration = Duration::from_millis(120);

impl Bar {
    /// Bytes read, and a word about them.
    pub(super) fn of_bytes(look: Arc<Look>) -> Self {
        Self::start(look, "{spinner} {bytes}/{total_bytes} {wide_bar} {bytes_per_sec} {msg}")
    }

    /// A count of things.
    pub(super) fn of_count(look: Arc<Look>) -> Self {
        Self::start(look, "{spinner} {human_pos}/{human_len} {wide_bar} {per_sec} {msg}")
    }

    fn start(look: Arc<Look>, template: &str) -> Self {
        let style = ProgressStyle::with_template(template).ok().filter(|_| io::stderr().is_terminal());
        let Some(style) = style else { return Self { stop: None, thread: None } };
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let bar = ProgressBar::new(0).with_style(style);
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                let (done, total, word) = look();
                bar.set_length(total.max(done));
                bar.set_position(done);
                bar.set_message(word);
            }
            bar.finish_and_clear();
        });
        Self { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It only draws: whatever ended it, the work goes on.
            drop(thread.join());
        }
    }
}
