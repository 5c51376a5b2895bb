//! Scenes, as logs tell them, and who is found behind them.

mod orders;
mod scenes;

use std::collections::BTreeMap;

use super::{Bounds, Held, Joiner};
use crate::event::link::Link;
use crate::event::{Event, EventId, Family, Lineage, Outcome, Stamp, Trust};
use crate::sources::run_record::{Sender, received};
use crate::sources::secrets::Marks;
use crate::sources::zone::Zone;
use crate::sources::{self, Identity, Stream, Year};

/// When everything is read.
fn observed() -> Stamp {
    instant("2026-11-20T12:00:00Z")
}

fn instant(text: &str) -> Stamp {
    Stamp::parse(text).expect("an instant")
}

/// The events of an auth.log.
fn auth(lines: &str) -> Vec<Event> {
    let lineage = Lineage::new("web-1", Family::Auth, lines.as_bytes());
    let stream = Stream {
        name: "auth".into(),
        family: Family::Auth,
        origin: "auth.log".into(),
        host: "web-1".to_owned(),
        identity: Identity::Place { lineage, generation: 0 },
        start: 0,
        zone: Zone::UTC,
        year: Year::First(2026),
        marks: Marks::default(),
        world: Default::default(),
    };
    let mut events = Vec::new();
    let mut decoder = sources::decoder(stream);
    decoder.push(lines.as_bytes(), observed(), &mut events);
    decoder.finish(observed(), &mut events);
    events
}

/// What journald would vouch for: the same messages, with the session that the kernel knows them by.
fn journal(lines: &str, sessions: &[(u32, &str)]) -> Vec<Event> {
    let mut events = auth(lines);
    for event in &mut events {
        event.trust = Trust::Journal;
        let session = sessions.iter().find(|(pid, _)| event.place.pid == Some(*pid));
        if let Some((_, session)) = session {
            event.who.session = Some((*session).to_owned());
        }
    }
    events
}

/// A record of wtmp.
fn wtmp(when: &str, action: &str, user: Option<&str>, tty: &str, ip: Option<&str>) -> Event {
    let (when, key) = (instant(when), format!("{when}{action}{tty}"));
    let source = auth("Nov 20 09:00:00 web-1 cron[1]: x\n").remove(0).source;
    let id = EventId::new(Family::Wtmp, &[key.as_bytes()], 0);
    let mut event = Event::new(id, action, when, observed(), source);
    event.source.kind = Family::Wtmp;
    event.source.lineage = Some(Lineage::new("web-1", Family::Wtmp, b"wtmp"));
    event.source.pos = None;
    event.outcome = Outcome::Success;
    event.who.name = user.map(str::to_owned);
    event.who.ip = ip.map(|ip| ip.parse().expect("an address"));
    event.place.host = Some("web-1".to_owned());
    event.place.tty = Some(tty.to_owned());
    event
}

/// What is known in the end, of each event: by id, since places differ with the order.
type Known = BTreeMap<EventId, (Link, Vec<EventId>)>;

/// Takes events in batches of a size, and keeps a trail of them and of the links.
fn joined(events: &[Event], batch: usize, bounds: Bounds) -> Known {
    let (mut joiner, mut trail, mut known) = (Joiner::new(bounds), Vec::new(), Known::new());
    for batch in events.chunks(batch) {
        for event in batch {
            joiner.take(trail.len() as u64, event);
            trail.push(event.clone());
        }
        for link in joiner.settle() {
            if let Some((before, _)) = known.get(&link.target) {
                let place =
                    trail.iter().rposition(|event| Link::of(event).is_some_and(|said| said.target == before.target));
                assert_eq!(link.facts.replaces, place.map(|place| place as u64), "{link:?}");
            }
            let mut event = link.to_event();
            event.id = EventId::of_own("test", trail.len() as u64);
            joiner.take(trail.len() as u64, &event);
            trail.push(event);
            let evidence = link.facts.evidence.iter().map(|seq| trail[*seq as usize].id).collect();
            known.insert(link.target, (link, evidence));
        }
    }
    assert_eq!(joiner.settle(), [], "there is nothing more to say");
    // Places differ with the order, and so does what was corrected.
    for (link, evidence) in known.values_mut() {
        link.facts.seq = 0;
        link.facts.replaces = None;
        link.facts.evidence.clear();
        evidence.sort_unstable();
    }
    known.retain(|_, (link, _)| !link.facts.chain.is_empty() || link.facts.contradiction.is_some());
    known
}

/// Each event that has a link, as `action: chain via confidence`, or with its contradiction.
fn told(events: &[Event]) -> Vec<String> {
    let known = joined(events, usize::MAX, Bounds::default());
    let mut sorted: Vec<&Event> = events.iter().collect();
    sorted.sort_by_key(|event| event.when);
    let line = |event: &&Event| {
        let (Link { facts, .. }, _) = known.get(&event.id)?;
        let via: Vec<String> = facts.via.iter().map(|via| format!("{via:?}").to_lowercase()).collect();
        Some(match facts.contradiction {
            Some(contradiction) => format!("{}: {}", event.what.action, contradiction.as_str()),
            None => format!(
                "{}: {} ({}, {:?})",
                event.what.action,
                facts.chain.join(" > "),
                via.join("+"),
                facts.confidence
            ),
        })
    };
    sorted.iter().filter_map(line).collect()
}
