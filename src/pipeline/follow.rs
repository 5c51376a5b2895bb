//! The index's thread: takes in what the trail has acknowledged.
//!
//! Searches do not wait for it: they go through the rest of the trail themselves. So it commits at most
//! once in [`COMMIT_AFTER`], and when it fails it tries again while the trail goes on.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{error, warn};

use crate::config::Config;
use crate::index::{IndexError, STEP_EVENTS, View};
use crate::trail::Reader;

use super::views;
use super::writer::Reached;

/// A commit costs some 20 ms and a small file for each; a search through what arrives in a second costs less.
const COMMIT_AFTER: Duration = Duration::from_secs(1);

/// Between two tries of an index that does not work.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// How far the index is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Indexed {
    pub(super) complete_to: u64,
}

pub(super) struct Follower {
    pub(super) config: Config,
    pub(super) trail: Arc<Reader>,
    pub(super) reached: watch::Receiver<Reached>,
    pub(super) indexed: watch::Sender<Indexed>,
}

/// Follows the trail until its writer has ended; the last try's failure is the answer.
pub(super) fn run(mut follower: Follower, runtime: &Handle) -> Result<(), IndexError> {
    let mut writer: Option<Box<dyn View>> = None;
    loop {
        match follower.take_in(&mut writer) {
            Ok(()) => {
                if !runtime.block_on(async { follower.rest(COMMIT_AFTER).await && follower.news().await }) {
                    return follower.take_in(&mut writer);
                }
            }
            Err(error) => {
                complain(&error);
                // A cluster that is away may come back; anything else is opened anew.
                if !error.is_transient() {
                    writer = None;
                }
                let has_ended = !runtime.block_on(follower.rest(RETRY_AFTER));
                // An embedded index has nobody to wait for.
                match has_ended && is_about_others(&error) {
                    true => return Err(error),
                    false if has_ended => return follower.take_in(&mut writer),
                    false => {}
                }
            }
        }
    }
}

/// Whether somebody else has to come back first: nobody waits for that at the end.
fn is_about_others(error: &IndexError) -> bool {
    match error {
        #[cfg(feature = "elastic")]
        IndexError::Cluster(_) => true,
        _ => false,
    }
}

impl Follower {
    fn take_in(&mut self, writer: &mut Option<Box<dyn View>>) -> Result<(), IndexError> {
        let upto = self.reached.borrow_and_update().acknowledged;
        // What is opened looks once at the trail that it is a view of, whether there is news or not.
        let mut is_fresh = writer.is_none();
        let writer = match writer {
            Some(writer) => writer,
            None => writer.insert(views::writer(&self.config, self.trail.origin())?),
        };
        let mut complete_to = writer.complete_to();
        // In steps, so that whoever waits for it sees it move.
        while complete_to < upto || std::mem::take(&mut is_fresh) {
            let next = upto.min(complete_to.saturating_add(STEP_EVENTS));
            let reached = writer.catch_up(&*self.trail, next, self.config.clock.now())?;
            self.indexed.send_modify(|indexed| indexed.complete_to = reached);
            if reached == complete_to {
                break;
            }
            complete_to = reached;
        }
        self.indexed.send_modify(|indexed| indexed.complete_to = complete_to);
        Ok(())
    }

    /// Waits until the pause is over; false when the trail's writer has ended.
    async fn rest(&self, pause: Duration) -> bool {
        let rested = sleep_until(Instant::now() + pause);
        let was_drained = self.reached.borrow().drained;
        let (mut news, mut ended) = (self.reached.clone(), self.reached.clone());
        tokio::select! {
            () = rested => {}
            // The alerts of one pass wait for it.
            Ok(_) = news.wait_for(|reached| reached.drained), if !was_drained => {}
            () = until_ended(&mut ended) => return false,
        }
        true
    }

    /// Waits until there is more to do; false when the trail's writer has ended.
    async fn news(&mut self) -> bool {
        self.reached.changed().await.is_ok()
    }
}

/// The writer never says that it ends, but nobody can speak for it any more.
pub(super) async fn until_ended(reached: &mut watch::Receiver<Reached>) {
    while reached.changed().await.is_ok() {}
}

fn complain(error: &IndexError) {
    match error.is_transient() {
        true => warn!(%error, "The index is not up to date; it is tried again."),
        false => error!(%error, "The index does not work; the trail goes on without it."),
    }
}
