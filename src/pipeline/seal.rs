//! The sealing thread: what the writer has left behind becomes compressed segments, and the oldest go
//! when they need not be kept.
//!
//! It holds up nobody and nobody waits for it but the end of the program. When there is no room, or a
//! segment is not what was signed, that segment stays plain and is tried again after the next one.

use std::time::Duration;

use rustix::process::nice;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::trail::Sealer;

use super::retention::Retention;
use super::writer::Reached;

/// How often it is looked whether anything need not be kept any more.
const LOOK_EVERY: Duration = Duration::from_secs(3_600);

/// Whatever else wants the processor goes first.
const NICE: i32 = 10;

pub(super) struct Sealing {
    pub(super) sealer: Sealer,
    pub(super) retention: Retention,
    pub(super) reached: watch::Receiver<Reached>,
    pub(super) shutdown: watch::Receiver<bool>,
}

/// Seals what was left over, then each segment after the next one has begun, until the writer has ended.
pub(super) fn run(mut sealing: Sealing, runtime: &Handle) {
    // On Linux this is about the thread. Elsewhere it would be about the whole process.
    if cfg!(target_os = "linux") {
        nice(NICE).map(drop).unwrap_or_default();
    }
    let shutdown = sealing.shutdown.clone();
    let mut goes_on = move || !*shutdown.borrow();
    sealing.retention.pass(runtime, &mut goes_on);
    loop {
        let begun = sealing.reached.borrow_and_update().segments;
        if !sealing.pass(&mut goes_on) {
            return;
        }
        sealing.retention.pass(runtime, &mut goes_on);
        let news = sealing.reached.wait_for(|reached| reached.segments != begun);
        // Made where it is awaited: a timer needs the runtime around it.
        let is_over = runtime.block_on(async { timeout(LOOK_EVERY, news).await.is_ok_and(|news| news.is_err()) });
        if is_over {
            return;
        }
    }
}

impl Sealing {
    /// False when it makes no sense to go on.
    fn pass(&self, goes_on: &mut dyn FnMut() -> bool) -> bool {
        match self.sealer.seal(goes_on) {
            Ok(outcome) => {
                for error in &outcome.refused {
                    error!(%error, "A segment is not sealed.");
                }
                if outcome.segments > 0 {
                    let (segments, bytes, stored) = (outcome.segments, outcome.bytes, outcome.stored);
                    info!(segments, bytes, stored, "Segments were sealed.");
                }
                goes_on()
            }
            Err(error) if error.is_retryable() => {
                warn!(%error, "Segments stay as they are for now.");
                true
            }
            Err(error) => {
                error!(%error, "No segment is sealed any more; the trail goes on.");
                false
            }
        }
    }
}
