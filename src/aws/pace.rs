//! How often a service is asked, where it allows so many calls in a second and no more.
//!
//! All who ask the same service share one pace. A call takes the next turn, and turns lie so far apart that no
//! second holds more than allowed; whoever is told to slow down holds back everybody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

#[derive(Debug)]
pub(super) struct Pace {
    spacing: Duration,
    /// When the next turn is.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(spacing: Duration) -> Self {
        Self { spacing, next: Mutex::new(None) }
    }

    /// The one of this place, for the whole process.
    pub(super) fn shared(place: &str, spacing: Duration) -> Arc<Self> {
        static PACES: OnceLock<Mutex<HashMap<String, Arc<Pace>>>> = OnceLock::new();
        let mut paces = PACES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        let pace = paces.entry(place.to_owned()).or_insert_with(|| Arc::new(Self::new(spacing)));
        Arc::clone(pace)
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) {
        sleep_until(self.take(Instant::now())).await;
    }

    /// Nobody has a turn for so long.
    pub(super) fn hold(&self, time: Duration) {
        self.hold_from(Instant::now(), time);
    }

    fn take(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let at = next.map_or(now, |next| next.max(now));
        *next = Some(at + self.spacing);
        at
    }

    fn hold_from(&self, now: Instant, time: Duration) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let until = now + time;
        *next = Some(next.map_or(until, |next| next.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::cloudtrail::SPACING;

    proptest::proptest! {
        /// Whoever asks when, and is told to slow down when: no second holds a third turn, nobody waits for nothing.
        #[test]
        fn no_second_holds_more_than_two(asks in proptest::collection::vec((0_u64..1_500, 0_u64..20), 1..200)) {
            let pace = Pace::new(SPACING);
            let start = Instant::now();
            let mut now = start;
            let mut turns: Vec<Instant> = Vec::new();
            let mut held = start;
            for (wait, told) in asks {
                now += Duration::from_millis(wait);
                if told == 0 {
                    pace.hold_from(now, Duration::from_secs(3));
                    held = now + Duration::from_secs(3);
                }
                let at = pace.take(now);
                proptest::prop_assert!(at >= now && at >= held);
                let earliest = turns.last().map_or(now, |last| now.max(*last + SPACING)).max(held);
                proptest::prop_assert!(at <= earliest);
                turns.push(at);
            }
            for three in turns.windows(3) {
                proptest::prop_assert!(three[2] - three[0] > Duration::from_secs(1));
            }
        }
    }

    #[test]
    fn all_who_ask_the_same_place_share_a_pace() {
        let (one, other) = (Pace::shared("pace test a", SPACING), Pace::shared("pace test b", SPACING));
        let now = Instant::now();
        assert_eq!((one.take(now), other.take(now)), (now, now));
        assert_eq!(Pace::shared("pace test a", SPACING).take(now), now + SPACING);
    }
}
