//! The one place that reads time.
//!
//! A configuration with `[replay] now` fixes it, so that a demo, a test or the investigation of an
//! old folder gives the same answer on every day.

use chrono::Utc;

use crate::event::Stamp;

/// Where "now" comes from; handed to whoever needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    System,
    /// `[replay] now`: time stands still.
    Fixed(Stamp),
}

impl Clock {
    /// The present, to the microsecond: what indexes can tell apart.
    pub fn now(self) -> Stamp {
        match self {
            #[expect(clippy::disallowed_methods, reason = "this is the one place")]
            Self::System => Stamp::from_micros(Utc::now().timestamp_micros()),
            Self::Fixed(now) => now,
        }
    }

    pub fn is_replay(self) -> bool {
        matches!(self, Self::Fixed(_))
    }
}
