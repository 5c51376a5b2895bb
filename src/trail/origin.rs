//! (being built)

use std::fmt;

/// Whether a trail records the present or a fixed instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Live,
    /// `[replay] now` in the configuration: time stands still.
    Replay,
}

impl Mode {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Live => Self::Replay,
            Self::Replay => Self::Live,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Replay => "replay",
        })
    }
}
