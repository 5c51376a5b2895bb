//! What all collectors of one run share: positions, which stream is being read by whom, and which
//! ids are on their way to the trail.
//!
//! Invariant: at most one reader sends events of a stream at a time, and a stream's generation is
//! decided by one reader at a time. So neither a file under two names nor two files with one head can
//! double or mix anything.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::positions::{Positions, StreamId};
use crate::event::{Event, EventId, Lineage};

/// Answers whether the trail holds an event already.
pub type Seen = Arc<dyn Fn(&EventId) -> bool + Send + Sync>;

/// Ids that were sent and that [`Seen`] may not know yet: several times what the channel and the
/// writer's batch can hold.
const IDS_ON_THEIR_WAY: usize = 65_536;

pub(super) struct Registry {
    state: Mutex<State>,
    released: Condvar,
    opening: Mutex<()>,
    seen: Seen,
}

struct State {
    positions: Positions,
    claimed: HashSet<StreamId>,
    on_their_way: HashSet<EventId>,
    order: VecDeque<EventId>,
}

/// The right to send a stream's events, until it is dropped.
pub(super) struct Claim {
    registry: Arc<Registry>,
    pub(super) id: StreamId,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.registry.lock().claimed.remove(&self.id);
        self.registry.released.notify_all();
    }
}

impl Registry {
    pub(super) fn new(positions: Positions, seen: Seen) -> Arc<Self> {
        let state = State { positions, claimed: HashSet::new(), on_their_way: HashSet::new(), order: VecDeque::new() };
        Arc::new(Self { state: Mutex::new(state), released: Condvar::new(), opening: Mutex::new(()), seen })
    }

    /// Held while it is decided which stream a file is.
    pub(super) fn opening(&self) -> MutexGuard<'_, ()> {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn claim(self: &Arc<Self>, id: StreamId) -> Option<Claim> {
        self.lock().claimed.insert(id).then(|| Claim { registry: Arc::clone(self), id })
    }

    /// A stream that nobody knows: the next generation of its head. None while a reader has begun with
    /// another new stream of that head and has sent nothing yet: the two may be the same.
    pub(super) fn claim_new(self: &Arc<Self>, lineage: Lineage) -> Option<Claim> {
        let mut state = self.lock();
        let unknown = |id: &StreamId| id.lineage == lineage && state.positions.stream(*id).is_none();
        if state.claimed.iter().any(unknown) {
            return None;
        }
        let known = state.positions.generations(lineage).into_iter().map(|(id, _)| id.generation).max();
        let id = StreamId { lineage, generation: known.map_or(0, |last| last.saturating_add(1)) };
        state.claimed.insert(id);
        Some(Claim { registry: Arc::clone(self), id })
    }

    /// Waits until some reader lets go of a stream, or a while.
    pub(super) fn wait_for_release(&self, at_most: Duration) {
        let state = self.lock();
        drop(self.released.wait_timeout(state, at_most).unwrap_or_else(PoisonError::into_inner));
    }

    /// Runs a question on the positions.
    pub(super) fn positions<T>(&self, question: impl FnOnce(&Positions) -> T) -> T {
        question(&self.lock().positions)
    }

    /// The trail holds it, or it is on its way there.
    pub(super) fn knows(&self, id: &EventId) -> bool {
        self.lock().on_their_way.contains(id) || (self.seen)(id)
    }

    /// These events go to the trail now, in this order.
    pub(super) fn send(&self, events: &[Event]) {
        let mut state = self.lock();
        for event in events {
            state.positions.fold(event);
            if event.id != EventId::PENDING && state.on_their_way.insert(event.id) {
                state.order.push_back(event.id);
            }
        }
        while state.order.len() > IDS_ON_THEIR_WAY {
            if let Some(oldest) = state.order.pop_front() {
                state.on_their_way.remove(&oldest);
            }
        }
    }

    /// The trail holds this event already: it says how far its stream is covered.
    pub(super) fn recall(&self, event: &Event) {
        self.lock().positions.fold(event);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
