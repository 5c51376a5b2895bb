//! How often a message is tried, and how long between.

use std::time::Duration;

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
    /// How long to wait for the next attempt; none when there is none, or it would end the same way.
    pub(super) fn pause(&mut self, error: &Refused) -> Option<Duration> {
        let pause = self.pauses.next().filter(|_| !error.is_final())?;
        self.attempts += 1;
        Some(*pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(tries: Tries, answers: &[Result<(), Refused>]) -> (u32, bool, Duration) {
        let mut waited = Duration::ZERO;
        let mut answers = answers.iter().cloned();
        let mut trying = tries.start();
        loop {
            let outcome = answers.next().unwrap_or(Err(Refused::Status(503)));
            match outcome.as_ref().err().and_then(|error| trying.pause(error)) {
                Some(pause) => waited += pause,
                None => return (trying.attempts, outcome.is_ok(), waited),
            }
        }
    }

    #[test]
    fn what_may_pass_is_tried_again_and_not_for_ever() {
        let seconds = Duration::from_secs;
        let timeout = || Err(Refused::Timeout(seconds(10)));
        assert_eq!(tried(Tries::PATIENT, &[Ok(())]), (1, true, seconds(0)));
        assert_eq!(tried(Tries::PATIENT, &[Err(Refused::Status(500)), Ok(())]), (2, true, seconds(1)));
        assert_eq!(tried(Tries::PATIENT, &[timeout(), timeout(), Ok(())]), (3, true, seconds(6)));
        assert_eq!(tried(Tries::PATIENT, &[Err(Refused::Status(404)), Ok(())]), (1, false, seconds(0)));
        assert_eq!(tried(Tries::PATIENT, &[]), (6, false, seconds(756)));
        assert_eq!(tried(Tries::BRIEF, &[]), (3, false, seconds(5)));
    }
}
