//! One anchor's task: waits, sends what is newest, and tries again.
//!
//! The trail's own file of the checkpoint is the place where the newest one waits, so nothing is kept here.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use super::{AnchorError, Place, Signed, Standing, Standings};
use crate::clock::Clock;
use crate::config;
use crate::event::{Event, Stamp, escape};
use crate::trail::Reader;

/// The longest that one attempt may take.
const ATTEMPT_MAX: Duration = Duration::from_secs(30);

/// How long the end of a run waits for its last checkpoint: what is not taken by then the next start sends.
pub const LAST_MAX: Duration = Duration::from_secs(10);

/// How often it is tried then: somebody waits.
const LAST_TRIES: u32 = 3;

/// Between two attempts: twice as long each time, and never the same for all who wait for one receiver.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

pub struct Worker {
    pub anchor: config::Anchor,
    pub trail: Arc<Reader>,
    /// How many entries are signed. When nobody can sign any more, the last checkpoint is sent and that is all.
    pub signed: watch::Receiver<u64>,
    pub standings: Arc<watch::Sender<Standings>>,
    /// What the trail is to be told.
    pub tell: mpsc::Sender<Event>,
    pub clock: Clock,
}

impl Worker {
    /// Ends when nobody can sign any more and the last checkpoint is taken, or was tried often enough.
    pub async fn work(mut self) {
        let mut place = Place::new(&self.anchor.to, self.sent(), Some(&self.trail));
        let (mut due, mut failures) = (Instant::now(), 0);
        // How often the last one was tried, once there is a last one.
        let mut last: Option<u32> = None;
        loop {
            let signed = *self.signed.borrow_and_update();
            // A checkpoint over nothing vouches for nothing.
            if signed == 0 || self.sent() == Some(signed) {
                if self.signed.changed().await.is_err() {
                    return;
                }
                continue;
            }
            last = match last {
                Some(LAST_TRIES) => return,
                Some(tries) => {
                    sleep_until(due).await;
                    Some(tries + 1)
                }
                None => self.wait_until(due).await.then_some(1),
            };
            let began = Instant::now();
            if self.attempt(&mut place).await {
                failures = 0;
                due = began + self.anchor.every;
            } else {
                failures += 1;
                due = Instant::now() + if last.is_some() { PAUSE_MIN } else { pause(failures) };
            }
        }
    }

    /// True as soon as nobody can sign any more: then there is no reason to wait for more to send.
    async fn wait_until(&mut self, due: Instant) -> bool {
        loop {
            tokio::select! {
                () = sleep_until(due) => return false,
                changed = self.signed.changed() => if changed.is_err() {
                    return true;
                }
            }
        }
    }

    fn sent(&self) -> Option<u64> {
        self.standings.borrow().get(&self.anchor.name).and_then(|standing| standing.size)
    }

    /// Sends what is newest now, and says how that went. True if it was taken.
    async fn attempt(&self, place: &mut Place) -> bool {
        let (size, outcome) = match newest(&self.trail, self.clock.now()) {
            Ok(signed) => {
                let sent = timeout(ATTEMPT_MAX, place.send(&signed)).await;
                (Some(signed.checkpoint.size), sent.unwrap_or(Err(AnchorError::Timeout(ATTEMPT_MAX))))
            }
            Err(error) => (None, Err(error)),
        };
        self.note(size, &outcome).await;
        outcome.is_ok()
    }

    /// The event goes before anybody can see that this attempt is over.
    async fn note(&self, size: Option<u64>, outcome: &Result<(), AnchorError>) {
        let (name, now) = (&self.anchor.name, self.clock.now());
        let mut standing = self.standings.borrow().get(name).cloned().unwrap_or_else(|| Standing::new(&self.anchor));
        let was_failing = standing.failing.is_some();
        let event = match outcome {
            Ok(()) => standing.took(name, size.unwrap_or_default(), now),
            Err(error) => standing.failed(name, size, error, now),
        };
        if let Some(event) = event {
            // At the end of a run nobody stores it any more: the next start begins with what the trail says.
            drop(self.tell.send(event).await);
        }
        match outcome {
            Err(error) if !was_failing => {
                let error = error.to_string();
                warn!(anchor = %escape::line(name), error = %escape::line(&error), "A checkpoint could not be left there.");
            }
            Ok(()) if was_failing => info!(anchor = %escape::line(name), "Checkpoints are left there again."),
            _ => {}
        }
        self.standings.send_modify(|standings| drop(standings.insert(name.clone(), standing)));
    }
}

/// The checkpoint as it lies there now.
pub(super) fn newest(trail: &Reader, now: Stamp) -> Result<Signed, AnchorError> {
    let (checkpoint, note) = trail.checkpoint_note().map_err(|error| AnchorError::Trail(error.to_string()))?;
    Ok(Signed { checkpoint, note: note.to_string().into(), at: now })
}

/// Half of it is chance.
fn pause(failures: u32) -> Duration {
    let most = PAUSE_MAX.min(PAUSE_MIN.saturating_mul(1 << failures.saturating_sub(1).min(16)));
    let mut random = [0; 2];
    // Without chance it is the longest.
    let share =
        if getrandom::fill(&mut random).is_ok() { f64::from(u16::from_le_bytes(random)) / 65_536.0 } else { 1.0 };
    most.mul_f64(0.5 + share / 2.0)
}
