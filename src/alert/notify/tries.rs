//! How often a message is tried, and how long between.

use std::time::Duration;

use tokio::time::sleep;

use super::Refused;

/// The pauses between attempts: one more attempt than pauses, and then it failed.
#[derive(Debug, Clone, Copy)]
pub struct Tries {
    pauses: &'static [Duration],
}

impl Tries {
    /// For a daemon: a receiver that restarts, or is down for ten minutes, still hears of it.
    pub const PATIENT: Self = Self {
        pauses: &[
            Duration::from_secs(1),
            Duration::from_secs(5),
            Duration::from_secs(30),
            Duration::from_secs(120),
            Duration::from_secs(600),
        ],
    };

    /// For a run that somebody waits for.
    pub const BRIEF: Self = Self { pauses: &[Duration::from_secs(1), Duration::from_secs(4)] };

    #[cfg(test)]
    pub(super) const AT_ONCE: Self = Self { pauses: &[Duration::ZERO, Duration::ZERO] };

    pub(super) fn start(self) -> Trying {
        Trying { attempts: 1, pauses: self.pauses.iter() }
    }
}

/// One message that is being tried.
pub(super) struct Trying {
    pub(super) attempts: u32,
    pauses: std::slice::Iter<'static, Duration>,
}

impl Trying {
    /// Waits for the next attempt; false when there is none, or when it would end the same way.
    pub(super) async fn again(&mut self, error: &Refused) -> bool {
        let Some(pause) = self.pauses.next().filter(|_| !error.is_final()) else { return false };
        tracing::debug!(%error, ?pause, "A message is tried again.");
        sleep(*pause).await;
        self.attempts += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    async fn tried(tries: Tries, answers: &[Result<(), Refused>]) -> (u32, bool, Duration) {
        let start = Instant::now();
        let mut answers = answers.iter().cloned();
        let mut trying = tries.start();
        loop {
            match answers.next().unwrap_or(Err(Refused::Status(503))) {
                Err(error) if trying.again(&error).await => {}
                outcome => return (trying.attempts, outcome.is_ok(), start.elapsed()),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_and_not_for_ever() {
        let seconds = Duration::from_secs;
        assert_eq!(tried(Tries::PATIENT, &[Ok(())]).await, (1, true, seconds(0)));
        assert_eq!(tried(Tries::PATIENT, &[Err(Refused::Status(500)), Ok(())]).await, (2, true, seconds(1)));
        let timeout = || Err(Refused::Timeout(seconds(10)));
        assert_eq!(tried(Tries::PATIENT, &[timeout(), timeout(), Ok(())]).await, (3, true, seconds(6)));
        assert_eq!(tried(Tries::PATIENT, &[Err(Refused::Status(404)), Ok(())]).await, (1, false, seconds(0)));
        assert_eq!(tried(Tries::PATIENT, &[]).await, (6, false, seconds(756)));
        assert_eq!(tried(Tries::BRIEF, &[]).await, (3, false, seconds(5)));
    }
}
