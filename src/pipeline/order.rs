//! What the writer is asked for besides collected events: own events, and work on the trail around them.

use serde_json::Value as Json;
use tokio::sync::oneshot;

use crate::event::Event;
use crate::trail::{TrailError, Writer};

/// What work has to tell the trail, and whoever asked for it.
pub(super) type Told = (Vec<Event>, Json);

/// Before the events, of which it may make more. An error is answered, and nothing is written.
type First = Box<dyn FnOnce(&mut Writer) -> Result<Told, TrailError> + Send>;

/// After they are durable.
type Then = Box<dyn FnOnce(&mut Writer) -> Result<(), TrailError> + Send>;

type Answer = oneshot::Sender<Result<Json, TrailError>>;
pub(super) type Done = oneshot::Receiver<Result<Json, TrailError>>;

pub(super) struct Order {
    pub(super) events: Vec<Event>,
    work: Option<(First, Then)>,
    pub(super) done: Answer,
}

/// An order whose events are on their way.
pub(super) struct Waiting {
    then: Option<Then>,
    answer: Json,
    done: Answer,
}

impl Order {
    /// Events, and nothing else.
    pub(super) fn of(events: Vec<Event>) -> (Self, Done) {
        let (done, is_done) = oneshot::channel();
        (Self { events, work: None, done }, is_done)
    }

    /// Work that has to be told.
    pub(super) fn new(
        first: impl FnOnce(&mut Writer) -> Result<Told, TrailError> + Send + 'static,
        then: impl FnOnce(&mut Writer) -> Result<(), TrailError> + Send + 'static,
    ) -> (Self, Done) {
        let (order, done) = Self::of(Vec::new());
        (Self { work: Some((Box::new(first), Box::new(then))), ..order }, done)
    }

    /// The events to write; none if that is the end of it.
    pub(super) fn begin(self, trail: &mut Writer) -> Option<(Vec<Event>, Waiting)> {
        let Self { mut events, work, done } = self;
        let Some((first, then)) = work else {
            return Some((events, Waiting { then: None, answer: Json::Null, done }));
        };
        match first(trail) {
            Ok((more, answer)) => {
                events.extend(more);
                Some((events, Waiting { then: Some(then), answer, done }))
            }
            Err(error) => {
                drop(done.send(Err(error)));
                None
            }
        }
    }
}

impl Waiting {
    /// The events are durable.
    pub(super) fn end(self, trail: &mut Writer) {
        let then = self.then.map_or(Ok(()), |then| then(trail));
        // Whoever asked may have been stopped meanwhile.
        drop(self.done.send(then.map(|()| self.answer)));
    }
}
