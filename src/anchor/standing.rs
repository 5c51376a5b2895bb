//! How an anchor is, and which events tell so: the first failure, one an hour while it lasts, the success after it.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::json;

use super::AnchorError;
use crate::config;
use crate::event::own::{self, action};
use crate::event::{Event, Outcome, Stamp};

/// Every anchor by name.
pub type Standings = BTreeMap<String, Standing>;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// What `type` says, and the address.
    pub kind: String,
    pub to: String,
    /// The size of the checkpoint that was taken last, and when; whether any was before is not known where none is.
    pub size: Option<u64>,
    pub at: Option<Stamp>,
    /// The size that was tried last, also in vain.
    pub tried: Option<u64>,
    pub failing: Option<Failing>,
}

/// An anchor that took nothing since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    pub since: Stamp,
    /// How many attempts failed.
    pub count: u64,
    pub error: String,
    /// When the trail was told last; none if it was not.
    pub told: Option<Stamp>,
    /// Another history of this trail is known there.
    pub is_conflict: bool,
}

/// The trail is told again after this time.
const TELL_EVERY: TimeDelta = TimeDelta::hours(1);

impl Standing {
    pub fn new(anchor: &config::Anchor) -> Self {
        Self { kind: anchor.to.kind().to_owned(), to: anchor.to.to_string(), ..Self::default() }
    }

    /// A checkpoint was taken.
    pub(super) fn took(&mut self, name: &str, size: u64, now: Stamp) -> Option<Event> {
        (self.size, self.at, self.tried) = (Some(size), Some(now), Some(size));
        // What the trail was never told of need not be taken back.
        let Failing { since, count, .. } = self.failing.take().filter(|failing| failing.told.is_some())?;
        let facts = [("type", json!(self.kind)), ("to", json!(self.to)), ("since", json!(since))];
        let counts = [("count", json!(count)), ("size", json!(size))];
        let mut event = own::with_detail(action::ANCHOR_BACK, name, now, facts.into_iter().chain(counts));
        event.outcome = Outcome::Success;
        Some(event)
    }

    /// One was not.
    pub(super) fn failed(&mut self, name: &str, size: Option<u64>, error: &AnchorError, now: Stamp) -> Option<Event> {
        self.tried = size.or(self.tried);
        let failing = self.failing.get_or_insert(Failing {
            since: now,
            count: 0,
            error: String::new(),
            told: None,
            is_conflict: false,
        });
        failing.count += 1;
        failing.error = error.to_string();
        // Another history is worse than silence: it is told at once, also where the anchor was failing before.
        let is_worse = error.is_conflict() && !failing.is_conflict;
        failing.is_conflict |= error.is_conflict();
        // A clock that was set back must not silence it.
        let is_due = failing.told.is_none_or(|told| (now.instant() - told.instant()).abs() >= TELL_EVERY);
        if is_due || is_worse {
            failing.told = Some(now);
        }
        let action = if error.is_conflict() { action::ANCHOR_CONFLICT } else { action::ANCHOR_FAILED };
        let mut event = (is_due || is_worse).then(|| self.event(name, action, now));
        if let (Some(event), AnchorError::Conflict { ours, known, .. }) = (&mut event, error) {
            event.set_detail("ours", json!(ours));
            event.set_detail("known", json!(known));
        }
        event
    }

    /// For the beginning of a segment of the trail; nothing for an anchor that is well.
    pub(super) fn event(&self, name: &str, action: &str, now: Stamp) -> Event {
        let facts = [("type", json!(self.kind)), ("to", json!(self.to)), ("sent", json!(self.size))];
        let mut event = own::with_detail(action, name, now, facts);
        if let Some(failing) = &self.failing {
            event.set_detail("since", json!(failing.since));
            event.set_detail("count", json!(failing.count));
            event.set_detail("told", json!(failing.told));
            event.set_detail("error", json!(failing.error));
            event.set_detail("conflict", json!(failing.is_conflict));
            event.reason = Some(failing.error.clone());
        }
        event.outcome = Outcome::Failure;
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> Stamp {
        Stamp::parse(&format!("2026-11-20T{time}Z")).expect("an instant")
    }

    #[test]
    fn the_first_failure_is_told_then_one_an_hour_and_the_end() {
        let mut standing = Standing::default();
        let error = AnchorError::NotAFile;
        let mut told = Vec::new();
        for minute in 0..150 {
            let now = at(&format!("{:02}:{:02}:00", 10 + minute / 60, minute % 60));
            told.extend(standing.failed("vault", Some(7), &error, now).map(|_| minute));
        }
        assert_eq!(told, [0, 60, 120]);
        assert_eq!(standing.failing.as_ref().map(|failing| failing.count), Some(150));
        let back = standing.took("vault", 9, at("13:00:00")).expect("an event");
        assert_eq!(back.what.action, action::ANCHOR_BACK);
        assert_eq!((standing.size, standing.failing.clone()), (Some(9), None));
        assert_eq!(standing.took("vault", 10, at("13:00:01")), None);
    }

    #[test]
    fn another_history_is_told_at_once_and_once_an_hour() {
        let mut standing = Standing::default();
        let conflict = AnchorError::Conflict { ours: 7, known: 9, what: "it cosigned more than is here" };
        assert!(standing.failed("far", Some(7), &AnchorError::Gone, at("12:00:00")).is_some());
        let told = standing.failed("far", Some(7), &conflict, at("12:00:10")).expect("an event");
        assert_eq!(told.what.action, action::ANCHOR_CONFLICT);
        assert_eq!(told.detail["whodid"]["known"], 9);
        assert!(standing.failed("far", Some(7), &conflict, at("12:00:20")).is_none());
        assert!(standing.failed("far", Some(7), &AnchorError::Gone, at("12:00:30")).is_none());
        assert!(standing.failed("far", Some(7), &conflict, at("13:00:20")).is_some());
    }

    #[test]
    fn a_clock_that_is_set_back_silences_nothing() {
        let mut standing = Standing::default();
        assert!(standing.failed("vault", None, &AnchorError::Gone, at("12:00:00")).is_some());
        assert!(standing.failed("vault", None, &AnchorError::Gone, at("11:59:00")).is_none());
        assert!(standing.failed("vault", None, &AnchorError::Gone, at("10:00:00")).is_some());
    }
}
