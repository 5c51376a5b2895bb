//! Each user's share of the intake: how many connections, and how much in a second.
//!
//! Who is over their share waits, and nobody else does. Time is an argument.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Connections of one user, and of all; the superuser's are counted apart, so that others cannot take its place.
const OF_ONE_MAX: usize = 32;
const OF_ALL_MAX: usize = 512;

/// A playbook for a thousand hosts gives some hundred results in a second.
const RECORDS_PER_SECOND: f64 = 1_000.0;
const RECORDS_AT_ONCE: f64 = 10_000.0;

/// A result has some 500 bytes.
const BYTES_PER_SECOND: f64 = 1_048_576.0;
const BYTES_AT_ONCE: f64 = 16_777_216.0;

/// Users that are remembered while they have no connection.
const REMEMBERED_MAX: usize = 1_024;

#[derive(Default)]
pub(super) struct Gate(Mutex<HashMap<u32, Account>>);

/// The right to one connection, until it is dropped.
pub(super) struct Place {
    gate: Arc<Gate>,
    uid: u32,
}

struct Account {
    connections: usize,
    records: f64,
    bytes: f64,
    at: Instant,
}

impl Gate {
    /// None if that would be too many.
    pub(super) fn enter(self: &Arc<Self>, uid: u32, now: Instant) -> Option<Place> {
        let mut accounts = self.lock();
        let is_root = |uid: u32| uid == 0;
        let others = accounts.iter().filter(|(of, _)| is_root(**of) == is_root(uid));
        let all: usize = others.map(|(_, account)| account.connections).sum();
        if all >= OF_ALL_MAX {
            return None;
        }
        if accounts.len() >= REMEMBERED_MAX {
            accounts.retain(|_, account| account.connections > 0);
        }
        let account = accounts.entry(uid).or_insert_with(|| Account::new(now));
        if account.connections >= OF_ONE_MAX {
            return None;
        }
        account.connections += 1;
        Some(Place { gate: Arc::clone(self), uid })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Account>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Takes so much from the user's share; how long to wait before it is theirs.
    pub(super) fn spend(&self, records: usize, bytes: usize, now: Instant) -> Duration {
        let mut accounts = self.gate.lock();
        accounts.get_mut(&self.uid).map_or(Duration::ZERO, |account| account.spend(records as f64, bytes as f64, now))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(account) = self.gate.lock().get_mut(&self.uid) {
            account.connections -= 1;
        }
    }
}

impl Account {
    fn new(now: Instant) -> Self {
        Self { connections: 0, records: RECORDS_AT_ONCE, bytes: BYTES_AT_ONCE, at: now }
    }

    fn spend(&mut self, records: f64, bytes: f64, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.records = (self.records + passed * RECORDS_PER_SECOND).min(RECORDS_AT_ONCE) - records;
        self.bytes = (self.bytes + passed * BYTES_PER_SECOND).min(BYTES_AT_ONCE) - bytes;
        // Debts are small: a user has few connections, and each spends once before it waits.
        let behind = (-self.records / RECORDS_PER_SECOND).max(-self.bytes / BYTES_PER_SECOND);
        Duration::from_secs_f64(behind.max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_the_places_of_others() {
        let (gate, now) = (Arc::new(Gate::default()), Instant::now());
        let mut held: Vec<Place> = (0..OF_ONE_MAX).filter_map(|_| gate.enter(1000, now)).collect();
        assert!(held.len() == OF_ONE_MAX && gate.enter(1000, now).is_none());
        assert!(gate.enter(1001, now).is_some(), "another one");
        held.pop();
        assert!(gate.enter(1000, now).is_some(), "a place that became free");
        held.extend((1..100).flat_map(|uid| (0..OF_ONE_MAX).map(move |_| uid)).filter_map(|uid| gate.enter(uid, now)));
        assert!(gate.enter(5000, now).is_none() && gate.enter(0, now).is_some(), "the superuser gets in");
    }

    #[test]
    fn who_is_over_their_share_waits_and_nobody_else_does() {
        let (gate, now) = (Arc::new(Gate::default()), Instant::now());
        let (greedy, modest) = (gate.enter(1, now).expect("room"), gate.enter(2, now).expect("room"));
        assert_eq!(greedy.spend(10_000, 0, now), Duration::ZERO);
        assert_eq!(greedy.spend(500, 0, now), Duration::from_millis(500));
        assert_eq!(modest.spend(500, 0, now), Duration::ZERO);
        assert_eq!(greedy.spend(0, 0, now + Duration::from_millis(500)), Duration::ZERO);
        assert!(modest.spend(1, 32 << 20, now) > Duration::from_secs(15), "long records count too");
    }
}
