//! Why nothing can be said.

use crate::event::{Family, Stamp};
use crate::index::IndexError;
use crate::query::Unset;

/// The reason of a state that is UNKNOWN, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unknown {
    #[error(transparent)]
    Index(#[from] IndexError),

    // The question is not whole.
    #[error(transparent)]
    Unset(#[from] Unset),

    // The question is too large for an exact answer in bounded memory.
    #[error("more than {most} {what}: narrow the query or shorten the window")]
    TooMany { what: &'static str, most: usize },

    // The answer may lack events.
    #[error("no {} source is configured and the trail holds no such event", families(.0))]
    NoSource(Vec<Family>),
    #[error("whodid has not collected here yet (no status): start `whodid run`")]
    NoStatus,
    #[error("`whodid run` was last heard of at {alive}: is it running?")]
    Stale { alive: Stamp },
    #[error("source {name} is failing: {reason}")]
    Source { name: String, reason: String },

    #[error("nothing was due at {0}")]
    Slot(Stamp),
}

impl Unknown {
    /// Nobody watches what the alert is about, or has said what it is about: it is not broken, it does not apply here.
    pub fn is_unwatched(&self) -> bool {
        matches!(self, Self::NoSource(_) | Self::Unset(_))
    }

    /// What is critical in spite of it is critical: the picture is current, only not whole.
    pub(super) fn leaves_answers(&self) -> bool {
        matches!(self, Self::Source { .. })
    }
}

fn families(families: &[Family]) -> String {
    families.iter().map(|family| family.name()).collect::<Vec<_>>().join(" or ")
}
