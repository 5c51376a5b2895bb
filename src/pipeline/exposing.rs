//! What stands open, as conclusions of the trail.

use tracing::warn;

use crate::event::{Event, Stamp};
use crate::exposure::{Bounds, Exposures};

use super::concluding::{Concluder, History};

pub(super) fn exposures() -> Box<dyn Concluder> {
    Box::new(Exposing { exposures: Exposures::new(Bounds::default()), told: 0 })
}

struct Exposing {
    exposures: Exposures,
    /// What was forgotten when it was last said.
    told: u64,
}

impl Concluder for Exposing {
    fn wanted(&self) -> &'static [&'static str] {
        &["\"exposes\":[", "\"closes\":[", "\"action\":\"exposure."]
    }

    fn take(&mut self, seq: u64, event: &Event) {
        self.exposures.take(seq, event);
    }

    fn settle(&mut self, _: Stamp, history: History) -> Vec<Event> {
        let events = match history {
            History::Whole => self.exposures.settle(),
            History::Partial => self.exposures.settle_without_history(),
        };
        let forgotten = self.exposures.forgotten();
        // Once, and again when it has doubled.
        if forgotten > self.told.saturating_mul(2) {
            warn!(
                forgotten,
                "Too much was opened and closed to keep all of it: some openings may look as if they still stood."
            );
            self.told = forgotten;
        }
        events
    }
}
