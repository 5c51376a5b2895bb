//! Events to lines of the trail: text and leaf hash, the one part of writing that takes processor time
//! and needs no order. A large batch is shared between threads, a small one is not worth a thread.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread::{self, available_parallelism};

use crate::event::{self, Event};
use crate::trail::{BadLine, Line};

use super::PipelineError;

/// Some 0.7 ms of work, where a thread costs some 0.02 ms.
const EVENTS_PER_THREAD: usize = 500;

/// More would wait for each other's memory.
const THREADS_MAX: usize = 4;

/// The lines of events that have their ids, in their order.
pub(super) fn lines(mut events: Vec<Event>) -> Result<Vec<Line>, PipelineError> {
    let threads = available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    let share = events.len().div_ceil(threads).max(EVENTS_PER_THREAD);
    let mut shares = events.chunks_mut(share);
    let mine = shares.next().unwrap_or_default();
    thread::scope(|scope| {
        let start = |share| thread::Builder::new().name("encode".to_owned()).spawn_scoped(scope, || encode(share));
        let others: Vec<_> = shares.map(start).collect::<Result<_, _>>().map_err(PipelineError::Thread)?;
        let mut all = encode(mine)?;
        for other in others {
            all.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(all)
    })
}

fn encode(events: &mut [Event]) -> Result<Vec<Line>, BadLine> {
    let line = |event: &mut Event| {
        let (bytes, blob) = event::encode(event);
        Line::new(event.id, bytes, blob)
    };
    events.iter_mut().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventId, Family, Stamp, own};

    #[test]
    fn shared_or_not_the_lines_are_the_same_in_the_same_order() {
        let event = |n: u32| {
            let mut event = own::event("x", &n.to_string(), Stamp::from_unix(0, 0));
            event.id = EventId::new(Family::Whodid, &[], n);
            event
        };
        for count in [0, 1, 499, 500, 501, 4_999] {
            let lines = lines((0..count).map(event).collect()).expect("lines");
            let expected: Vec<EventId> = (0..count).map(|n| event(n).id).collect();
            assert_eq!(lines.iter().map(Line::id).collect::<Vec<_>>(), expected);
            assert!(lines.iter().zip(0..count).all(|(line, n)| line.bytes() == event::encode(&mut event(n)).0));
        }
    }
}
