//! The order of a round: evaluated, stored, told, stored.

use std::sync::Mutex;

use tokio::task::JoinHandle;

use super::*;
use crate::check::State;
use crate::check::bench::{self, at};
use crate::event::own::action;
use crate::index::{Hit, Hits, IndexError, Search};

/// A trail in memory that its writer adds to while it is asked.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<bench::Memory>>);

impl Shared {
    fn trail(&self) -> std::sync::MutexGuard<'_, bench::Memory> {
        self.0.lock().expect("not poisoned")
    }

    fn actions(&self) -> Vec<String> {
        self.trail().events.iter().map(|event| event.what.action.clone()).collect()
    }
}

impl Index for Shared {
    fn search(&self, search: &Search, limit: usize) -> Result<Hits, IndexError> {
        self.trail().search(search, limit)
    }

    fn count(&self, search: &Search) -> Result<(u64, u64), IndexError> {
        self.trail().count(search)
    }

    fn each(&self, search: &Search, each: &mut dyn FnMut(Hit) -> bool) -> Result<u64, IndexError> {
        self.trail().each(search, each)
    }
}

/// Stores what is ordered, until nobody orders any more.
fn writer(trail: &Shared) -> (mpsc::Sender<Order>, JoinHandle<()>) {
    let (tx, mut orders) = mpsc::channel::<Order>(1);
    let trail = trail.clone();
    let writing = tokio::spawn(async move {
        while let Some(order) = orders.recv().await {
            trail.trail().events.extend(order.events);
            order.done.send(Ok(serde_json::Value::Null)).expect("somebody waits");
        }
    });
    (tx, writing)
}

fn trail() -> Shared {
    let trail = Shared::default();
    trail.trail().push(bench::event("11:58", "sshd.refused", "mallory"));
    trail
}

fn desk(trail: &Shared, orders: mpsc::Sender<Order>) -> Desk {
    let mut config = bench::config(bench::alert("linux/ssh"), "what.action:sshd.refused");
    config.clock = Clock::Fixed(at("12:00"));
    let mut alerts = Memory::default();
    trail.trail().events.iter().for_each(|event| alerts.fold(event));
    Desk::new(config, alerts, Arc::new(trail.clone()), orders, Tries::BRIEF)
}

#[tokio::test]
async fn one_pass_evaluates_stores_and_tells() {
    let trail = trail();
    let (orders, writing) = writer(&trail);
    let watched = desk(&trail, orders).once().await;
    writing.await.expect("ended");
    let standing = &watched.alerts[0];
    assert_eq!((standing.state, standing.since), (State::Critical, Some(at("12:00"))));
    assert_eq!(standing.answer().expect("answered").groups[0].rows[0].who.as_deref(), Some("mallory"));
    assert_eq!((watched.sent, watched.failed, watched.unsent), (1, 0, 0));
    let stored = ["sshd.refused", action::ALERT_CHANGED, action::ALERT_EVALUATED, action::NOTIFY_SENT];
    assert_eq!(trail.actions(), stored);

    let (orders, writing) = writer(&trail);
    let again = desk(&trail, orders).once().await;
    writing.await.expect("ended");
    assert_eq!((again.alerts[0].state, again.sent), (State::Critical, 0));
    assert_eq!(trail.actions(), stored, "nothing new adds nothing");
}

#[tokio::test]
async fn what_is_not_stored_is_not_told() {
    let trail = trail();
    let (orders, mut received) = mpsc::channel::<Order>(1);
    let full_disk = tokio::spawn(async move { drop(received.recv().await) });
    let mut desk = desk(&trail, orders);
    assert!(desk.round(Which::All, Patience::Over).await.is_err());
    assert!(desk.outbox.is_idle());
    full_disk.await.expect("ended");
    assert!(desk.once().await.alerts.is_empty(), "the pipeline is ending");
}

#[tokio::test]
async fn who_stops_writes_the_verdicts_that_waited() {
    let trail = trail();
    let (orders, writing) = writer(&trail);
    let mut desk = desk(&trail, orders);
    assert!(desk.round(Which::All, Patience::Over).await.is_ok());
    desk.clock = Clock::Fixed(at("12:05"));
    assert!(desk.round(Which::Due, Patience::Over).await.is_ok());
    let (_stop, stopped) = watch::channel(true);
    desk.follow(stopped).await;
    writing.await.expect("ended");
    let mut actions = trail.actions().split_off(3);
    actions.sort();
    assert_eq!(actions, [action::ALERT_EVALUATED, action::NOTIFY_SENT]);
}
