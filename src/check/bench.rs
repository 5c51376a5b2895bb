//! What tests of checks and alerts share: a trail in memory with the matcher as its index, and alerts
//! written as people write them.

use std::collections::BTreeMap;
use std::ops::RangeBounds as _;
use std::path::PathBuf;
use std::time::Duration;

use crate::clock::Clock;
use crate::config::alert::{Alert, Compare, Late, Limits, Measure, Unmatched};
use crate::config::saved::Severity;
use crate::config::{Channel, Config, SavedQuery};
use crate::event::fields::{self, FieldRef};
use crate::event::{Event, EventId, Family, Source, Stamp};
use crate::index::{Hit, Hits, Index, IndexError, Search};
use crate::query::{Query, Subject};
use crate::schedule::Schedule;

pub(crate) fn at(text: &str) -> Stamp {
    let text = if text.len() == 5 { format!("2026-11-20T{text}:00Z") } else { text.to_owned() };
    let text = if text.len() == 8 { format!("2026-11-20T{text}Z") } else { text };
    Stamp::parse(&text).expect("an instant")
}

/// A trail whose every entry is asked.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) events: Vec<Event>,
    pub(crate) is_broken: bool,
}

impl Memory {
    pub(crate) fn push(&mut self, event: Event) -> u64 {
        self.events.push(event);
        self.events.len() as u64 - 1
    }

    fn found(&self, search: &Search) -> Result<Vec<Hit>, IndexError> {
        if self.is_broken {
            return Err(IndexError::Busy(PathBuf::from("index")));
        }
        let bounds = (search.since.map(Stamp::micros), search.until.map(Stamp::micros));
        let mut hits: Vec<Hit> = (0..)
            .zip(&self.events)
            .filter(|(seq, event)| *seq >= search.from_seq && bounds.contains(&event.when.micros()))
            .filter(|(seq, event)| Subject::placed(event, *seq).matches(&search.query))
            .map(|(seq, event)| Hit::new(seq, event.clone()))
            .collect();
        hits.sort_by_key(|hit| (hit.event.when.micros(), hit.seq));
        Ok(hits)
    }
}

impl Index for Memory {
    fn search(&self, search: &Search, limit: usize) -> Result<Hits, IndexError> {
        let mut newest = self.found(search)?;
        newest.reverse();
        let total = newest.len() as u64;
        newest.truncate(limit);
        Ok(Hits { newest, total, complete_to: self.events.len() as u64 })
    }

    fn count(&self, search: &Search) -> Result<(u64, u64), IndexError> {
        Ok((self.found(search)?.len() as u64, self.events.len() as u64))
    }

    fn each(&self, search: &Search, each: &mut dyn FnMut(Hit) -> bool) -> Result<u64, IndexError> {
        self.found(search)?.into_iter().all(each);
        Ok(self.events.len() as u64)
    }
}

/// An event of auth.log.
pub(crate) fn event(when: &str, action: &str, who: &str) -> Event {
    let source = Source {
        name: "auth".into(),
        kind: Family::Auth,
        origin: "auth.log".into(),
        lineage: None,
        generation: 0,
        pos: None,
        next: None,
    };
    let id = EventId::new(Family::Auth, &[when.as_bytes(), action.as_bytes(), who.as_bytes()], 0);
    let mut event = Event::new(id, action, at(when), at(when), source);
    event.who.name = (!who.is_empty()).then(|| who.to_owned());
    event
}

pub(crate) fn with_ip(mut event: Event, ip: &str) -> Event {
    event.who.ip = Some(ip.parse().expect("an address"));
    event
}

pub(crate) fn on(mut event: Event, object: &str) -> Event {
    event.what.object = Some(object.to_owned());
    event
}

pub(crate) fn field(name: &str) -> FieldRef {
    fields::resolve(name).expect("a field")
}

pub(crate) fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// Every five minutes, over half an hour: a count that is critical from 1 on.
pub(crate) fn alert(id: &str) -> Alert {
    Alert {
        id: id.to_owned(),
        query: id.to_owned(),
        schedule: Schedule::every(minutes(5)).expect("an interval"),
        window: minutes(30),
        measure: Measure::Count,
        by: Vec::new(),
        compare: Compare::AtLeast,
        limits: Limits::new(None, Some(1), Compare::AtLeast).expect("limits"),
        notify: vec!["log".to_owned()],
        renotify: None,
        lateness: minutes(7 * 24 * 60),
        sha256: "a".repeat(64),
    }
}

pub(crate) fn limits(warn: impl Into<Option<u64>>, critical: impl Into<Option<u64>>) -> Limits {
    Limits::new(warn.into(), critical.into(), Compare::NotEqual).expect("limits")
}

pub(crate) fn unmatched(within: Duration) -> Measure {
    let query = |text| Query::parse(text).expect("a query");
    Measure::Unmatched(Box::new(Unmatched {
        start: query("what.action:run.start"),
        finish: query("what.action:run.finish"),
        key: field("what.object"),
        finish_key: None,
        within,
        late: Late::Counts,
    }))
}

/// The same, where a late finish takes its start back.
pub(crate) fn unfinished(within: Duration) -> Measure {
    match unmatched(within) {
        Measure::Unmatched(unmatched) => Measure::Unmatched(Box::new(Unmatched { late: Late::Ends, ..*unmatched })),
        other => other,
    }
}

pub(crate) fn saved(id: &str, text: &str) -> SavedQuery {
    SavedQuery {
        id: id.to_owned(),
        title: format!("About {id}"),
        description: String::new(),
        query: Query::parse(text).expect("a query"),
        proof: Query::parse(text).expect("a query"),
        text: text.to_owned(),
        sources: vec![Family::Auth],
        severity: Severity::Medium,
        controls: Vec::new(),
        references: Vec::new(),
        false_positives: Vec::new(),
        examples: Vec::new(),
        sha256: "b".repeat(64),
    }
}

pub(crate) fn log_channel() -> BTreeMap<String, Channel> {
    BTreeMap::from([("log".to_owned(), Channel::Log)])
}

/// One alert and the query it names, which is this text; nothing is collected.
pub(crate) fn config(alert: Alert, query: &str) -> Config {
    Config {
        file: None,
        data: PathBuf::from("data"),
        keys: PathBuf::from("keys"),
        org: "example.org".to_owned(),
        host: "web-1".to_owned(),
        clock: Clock::System,
        sources: Vec::new(),
        intake: None,
        queries: BTreeMap::from([(alert.query.clone(), saved(&alert.query, query))]),
        alerts: BTreeMap::from([(alert.id.clone(), alert)]),
        channels: log_channel(),
        anchors: Vec::new(),
        lists: Default::default(),
        people: std::sync::Arc::default(),
        index: Default::default(),
        keep: crate::config::Keep::default(),
        link: true,
        signing: crate::config::Signing::default(),
        stale_after: minutes(5),
        files: Vec::new(),
        warnings: Vec::new(),
    }
}
