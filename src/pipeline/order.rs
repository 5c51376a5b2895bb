//! What the writer is asked for besides collected events: own events, and work on the trail around them.

use tokio::sync::oneshot;

use crate::event::Event;
use crate::trail::{TrailError, Writer};

/// Before the events: makes them. An error is answered, and nothing is written.
type First = Box<dyn FnOnce(&mut Writer) -> Result<Vec<Event>, TrailError> + Send>;

/// After they are durable.
type Then = Box<dyn FnOnce(&mut Writer) -> Result<(), TrailError> + Send>;

pub(super) type Done = oneshot::Receiver<Result<(), TrailError>>;

pub(super) struct Order {
    first: First,
    then: Then,
    done: oneshot::Sender<Result<(), TrailError>>,
}

/// An order whose events are on their way.
pub(super) struct Waiting {
    then: Then,
    done: oneshot::Sender<Result<(), TrailError>>,
}

impl Order {
    pub(super) fn new(
        first: impl FnOnce(&mut Writer) -> Result<Vec<Event>, TrailError> + Send + 'static,
        then: impl FnOnce(&mut Writer) -> Result<(), TrailError> + Send + 'static,
    ) -> (Self, Done) {
        let (done, is_done) = oneshot::channel();
        (Self { first: Box::new(first), then: Box::new(then), done }, is_done)
    }

    /// Events, and nothing else.
    pub(super) fn of(events: Vec<Event>) -> (Self, Done) {
        Self::new(|_| Ok(events), |_| Ok(()))
    }

    /// The events to write; none if that is the end of it.
    pub(super) fn begin(self, trail: &mut Writer) -> Option<(Vec<Event>, Waiting)> {
        let Self { first, then, done } = self;
        match first(trail) {
            Ok(events) => Some((events, Waiting { then, done })),
            Err(error) => {
                done.send(Err(error)).unwrap_or_default();
                None
            }
        }
    }
}

impl Waiting {
    /// The events are durable.
    pub(super) fn end(self, trail: &mut Writer) {
        // Whoever asked may have been stopped meanwhile.
        self.done.send((self.then)(trail)).unwrap_or_default();
    }
}
