//! How far every stream has been read: a fold over the events of the trail.
//!
//! A record's event says which stream it is from and how far that stream is covered; own events say
//! the rest (cursors of S3 prefixes, ends of streams, failures that were reported). So the trail is the
//! only memory: [`Positions::fold`] over all of it, or over its tail from a segment's first events on
//! ([`Positions::position_events`]), gives the same positions, whatever was killed when.
//!
//! Invariant: every byte of a stream below `next` is covered by events that were folded.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use super::standing::{self, Standing, Standings};
use crate::event::own::{self, action};
use crate::event::{Event, EventId, Family, Lineage, Stamp};

/// Streams that are remembered; the one that rested longest is forgotten first. A year of weekly rotation
/// of eighteen logs fits. A forgotten stream that turns up again is known by the ids of its records.
const STREAMS_MAX: usize = 1_024;

/// Which content stream: a head, and which of the streams with that head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    pub lineage: Lineage,
    pub generation: u32,
}

/// How far one stream is covered, and how to know it again.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// The source's name in the configuration.
    pub source: String,
    pub family: Family,
    /// Where it was read from last.
    pub origin: String,
    /// All bytes below are covered.
    pub next: u64,
    /// The furthest record of which there is an event: its place and the event's id.
    pub pos: u64,
    pub id: EventId,
    /// When that event was read.
    pub observed: Stamp,
    /// Nothing will follow: a gap was recorded at its end.
    pub ended: bool,
    /// Orders streams by when they last went on.
    touched: u64,
}

/// Every stream, cursor and failure that the trail knows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Positions {
    streams: HashMap<StreamId, Position>,
    /// The last key of S3 that was read, by source and prefix; the last cursor of a journal, by source and origin.
    cursors: BTreeMap<(String, String), String>,
    /// Failures that were reported and have not ended, by source and origin.
    failures: BTreeMap<(String, String), String>,
    standings: Standings,
    clock: u64,
}

impl Positions {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one event of the trail, in the trail's order.
    pub fn fold(&mut self, event: &Event) {
        let source = &event.source;
        if source.kind == Family::Whodid {
            if is_ours(&event.what.action)
                && let Some(detail) = event.detail.get(Family::Whodid.detail_key())
                && let Ok(facts) = Facts::deserialize(detail)
            {
                self.fold_own(&event.what.action, facts);
            }
            return;
        }
        if let (Some(lineage), Some(pos), Some(next)) = (source.lineage, source.pos, source.next) {
            let id = StreamId { lineage, generation: source.generation };
            self.advance(
                id,
                &source.name,
                source.kind,
                &source.origin,
                Step { pos, next, id: event.id, observed: event.observed },
            );
        } else if source.kind == Family::Journal && source.pos.is_none() {
            self.fold_journal(&source.name, &source.origin, event.raw.as_deref());
        }
    }

    /// The same for an event's line, without reading more of it than positions need.
    /// A line that is no event has no position: it changes nothing.
    pub fn fold_line(&mut self, line: &[u8]) {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else { return };
        let source = &line.source;
        if source.kind == Family::Whodid {
            if is_ours(&line.what.action)
                && let Some(detail) = line.detail
                && let Ok(OwnDetail { whodid }) = serde_json::from_str(detail.get())
            {
                self.fold_own(&line.what.action, whodid);
            }
            return;
        }
        if let (Some(lineage), Some(pos), Some(next)) = (source.lineage, source.pos, source.next) {
            let id = StreamId { lineage, generation: source.generation };
            self.advance(
                id,
                &source.name,
                source.kind,
                &source.origin,
                Step { pos, next, id: line.id, observed: line.observed },
            );
        } else if source.kind == Family::Journal && source.pos.is_none() {
            self.fold_journal(&source.name, &source.origin, line.raw.as_deref());
        }
    }

    /// The events that open a new segment: from them alone, `fold` restores everything.
    pub fn position_events(&self, now: Stamp) -> Vec<Event> {
        let mut streams: Vec<_> = self.streams.iter().collect();
        streams.sort_unstable_by_key(|(_, at)| at.touched);
        let streams = streams.into_iter().map(|(id, at)| stream_event(*id, at, now));
        let cursors = self.cursors.iter().map(|((source, prefix), cursor)| cursor_event(source, prefix, cursor, now));
        let failures = self.failures.iter().map(|((source, origin), problem)| {
            let facts = [("origin", json!(origin)), ("failed", json!(problem))];
            position_event(source, now, facts)
        });
        let standings = self.standings.facts().into_iter().map(|(source, facts)| position_event(source, now, facts));
        streams.chain(cursors).chain(failures).chain(standings).collect()
    }

    pub fn stream(&self, id: StreamId) -> Option<&Position> {
        self.streams.get(&id)
    }

    /// The streams that begin with this head; the one that went furthest first.
    pub fn generations(&self, lineage: Lineage) -> Vec<(StreamId, Position)> {
        let mut known: Vec<_> =
            self.streams.iter().filter(|(id, _)| id.lineage == lineage).map(|(id, at)| (*id, at.clone())).collect();
        known.sort_unstable_by_key(|(id, at)| std::cmp::Reverse((at.next, *id)));
        known
    }

    /// The streams of a source that were last read from one of the origins that `wanted` accepts; the
    /// one that went on last comes first.
    pub fn at_origin(&self, source: &str, wanted: impl Fn(&str) -> bool) -> Vec<(StreamId, Position)> {
        let mut known: Vec<_> = self
            .streams
            .iter()
            .filter(|(_, at)| at.source == source && wanted(&at.origin))
            .map(|(id, at)| (*id, at.clone()))
            .collect();
        known.sort_unstable_by_key(|(_, at)| std::cmp::Reverse(at.touched));
        known
    }

    /// What stood at a path of a source when it was read last.
    pub(super) fn standing(&self, source: &str, origin: &str) -> Option<&Standing> {
        self.standings.at(source, origin)
    }

    /// The last key that was read below a prefix of an S3 source.
    pub fn cursor(&self, source: &str, prefix: &str) -> Option<&str> {
        self.cursors.get(&(source.to_owned(), prefix.to_owned())).map(String::as_str)
    }

    /// What was reported about an origin and has not ended.
    pub fn failure(&self, source: &str, origin: &str) -> Option<&str> {
        self.failures.get(&(source.to_owned(), origin.to_owned())).map(String::as_str)
    }

    /// Every failure of a source that was reported and has not ended, with its origin.
    pub fn failures<'a>(&'a self, source: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.failures
            .iter()
            .filter(move |((of, _), _)| of == source)
            .map(|((_, origin), problem)| (origin.as_str(), problem.as_str()))
    }

    fn advance(&mut self, id: StreamId, source: &str, family: Family, origin: &str, step: Step) {
        self.clock += 1;
        let touched = self.clock;
        let Some(at) = self.streams.get_mut(&id) else {
            let (source, origin) = (source.to_owned(), origin.to_owned());
            let Step { pos, next, id: event, observed } = step;
            let ended = false;
            let at = Position { source, family, origin, next, pos, id: event, observed, ended, touched };
            self.streams.insert(id, at);
            self.forget();
            return;
        };
        at.touched = touched;
        at.next = at.next.max(step.next);
        if step.pos >= at.pos {
            at.pos = step.pos;
            at.id = step.id;
            at.observed = step.observed;
            at.ended = false;
        }
        for (have, new) in [(&mut at.source, source), (&mut at.origin, origin)] {
            if have != new {
                new.clone_into(have);
            }
        }
    }

    /// A record that journalctl gave has no offset: where it stands is in the record itself.
    fn fold_journal(&mut self, source: &str, origin: &str, raw: Option<&str>) {
        if let Some(Ok(InJournal { cursor })) = raw.map(serde_json::from_str::<InJournal<'_>>) {
            self.cursors.insert((source.to_owned(), origin.to_owned()), cursor.into_owned());
        }
    }

    fn forget(&mut self) {
        if self.streams.len() > STREAMS_MAX
            && let Some(oldest) = self.streams.iter().min_by_key(|(_, at)| at.touched).map(|(id, _)| *id)
        {
            self.streams.remove(&oldest);
        }
    }

    fn fold_own(&mut self, action: &str, facts: Facts<'_>) {
        let Facts { source, origin, .. } = &facts;
        let key = || (source.to_string(), origin.as_deref().unwrap_or_default().to_owned());
        match action {
            action::SOURCE_FAILED => {
                self.failures.insert(key(), facts.problem.as_deref().unwrap_or_default().to_owned());
            }
            action::SOURCE_BACK => {
                self.failures.remove(&key());
            }
            action::GAP => {
                if let Some(at) = facts.stream().and_then(|id| self.streams.get_mut(&id)) {
                    at.ended = true;
                }
                if let (Some(stream), Some(file)) = (facts.stream(), &facts.file) {
                    self.standings.set(source, origin.as_deref().unwrap_or_default(), file, stream, true);
                }
            }
            action::POSITION => self.fold_position(facts),
            _ => {}
        }
    }

    fn fold_position(&mut self, facts: Facts<'_>) {
        let source = facts.source.to_string();
        let origin = facts.origin.as_deref().unwrap_or_default();
        if let (Some(prefix), Some(cursor)) = (&facts.prefix, &facts.cursor) {
            self.cursors.insert((source, prefix.to_string()), cursor.to_string());
        } else if let Some(problem) = &facts.failed {
            self.failures.insert((source, origin.to_owned()), problem.to_string());
        } else if let (Some(id), Some(file)) = (facts.stream(), &facts.file) {
            self.standings.set(&source, origin, file, id, facts.ended);
        } else if let (Some(id), Some(family), Some(pos), Some(next), Some(event), Some(observed)) =
            (facts.stream(), facts.family, facts.pos, facts.next, facts.id, facts.read)
        {
            self.advance(id, &source, family, origin, Step { pos, next, id: event, observed });
            if facts.ended
                && let Some(at) = self.streams.get_mut(&id)
            {
                at.ended = true;
            }
        }
    }
}

/// The event that remembers which file stands at a path, and which stream is read from it.
pub(super) fn standing_event(source: &str, origin: &str, file: &str, stream: StreamId, now: Stamp) -> Event {
    position_event(source, now, standing::facts(origin, file, stream, false))
}

/// The event that remembers how far an S3 prefix was read.
pub(super) fn cursor_event(source: &str, prefix: &str, cursor: &str, now: Stamp) -> Event {
    position_event(source, now, [("prefix", json!(prefix)), ("cursor", json!(cursor))])
}

fn stream_event(id: StreamId, at: &Position, now: Stamp) -> Event {
    let mut facts = vec![
        ("origin", json!(at.origin)),
        ("family", json!(at.family)),
        ("lineage", json!(id.lineage)),
        ("generation", json!(id.generation)),
        ("pos", json!(at.pos)),
        ("next", json!(at.next)),
        ("id", json!(at.id)),
        ("read", json!(at.observed)),
    ];
    if at.ended {
        facts.push(("ended", json!(true)));
    }
    position_event(&at.source, now, facts)
}

fn position_event(source: &str, now: Stamp, facts: impl IntoIterator<Item = (&'static str, Json)>) -> Event {
    let facts = [("source", json!(source))].into_iter().chain(facts);
    own::with_detail(action::POSITION, source, now, facts)
}

fn is_ours(name: &str) -> bool {
    matches!(name, action::POSITION | action::GAP | action::SOURCE_FAILED | action::SOURCE_BACK)
}

struct Step {
    pos: u64,
    next: u64,
    id: EventId,
    observed: Stamp,
}

/// `detail.whodid` of the events that carry positions.
#[derive(Deserialize)]
struct Facts<'a> {
    #[serde(borrow, default)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    origin: Option<Cow<'a, str>>,
    #[serde(borrow)]
    problem: Option<Cow<'a, str>>,
    #[serde(borrow)]
    failed: Option<Cow<'a, str>>,
    #[serde(borrow)]
    prefix: Option<Cow<'a, str>>,
    #[serde(borrow)]
    cursor: Option<Cow<'a, str>>,
    #[serde(borrow)]
    file: Option<Cow<'a, str>>,
    family: Option<Family>,
    lineage: Option<Lineage>,
    #[serde(default)]
    generation: u32,
    pos: Option<u64>,
    next: Option<u64>,
    id: Option<EventId>,
    read: Option<Stamp>,
    #[serde(default)]
    ended: bool,
}

impl Facts<'_> {
    fn stream(&self) -> Option<StreamId> {
        self.lineage.map(|lineage| StreamId { lineage, generation: self.generation })
    }
}

/// What positions need of an event's line.
#[derive(Deserialize)]
struct Line<'a> {
    id: EventId,
    observed: Stamp,
    #[serde(borrow)]
    what: LineWhat<'a>,
    #[serde(borrow)]
    source: LineSource<'a>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    #[serde(borrow)]
    raw: Option<Cow<'a, str>>,
}

/// A record of the journal.
#[derive(Deserialize)]
struct InJournal<'a> {
    #[serde(borrow, rename = "__CURSOR")]
    cursor: Cow<'a, str>,
}

#[derive(Deserialize)]
struct LineWhat<'a> {
    #[serde(borrow, default)]
    action: Cow<'a, str>,
}

#[derive(Deserialize)]
struct LineSource<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    kind: Family,
    #[serde(borrow)]
    origin: Cow<'a, str>,
    lineage: Option<Lineage>,
    #[serde(default)]
    generation: u32,
    pos: Option<u64>,
    next: Option<u64>,
}

#[derive(Deserialize)]
struct OwnDetail<'a> {
    #[serde(borrow)]
    whodid: Facts<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::notice::Notice;
    use crate::event::Source;

    fn now() -> Stamp {
        Stamp::from_unix(1_795_000_000, 0)
    }

    fn lineage(head: &str) -> Lineage {
        Lineage::new("web-1", Family::Auth, head.as_bytes())
    }

    fn record(head: &str, generation: u32, pos: u64, next: u64) -> Event {
        let source = Source {
            name: "auth".into(),
            kind: Family::Auth,
            origin: "/var/log/auth \"1\".log".into(),
            lineage: Some(lineage(head)),
            generation,
            pos: Some(pos),
            next: Some(next),
        };
        let id = EventId::of_record(Family::Auth, lineage(head), generation, pos, b"record", 0);
        Event::new(id, "unparsed", now(), now(), source)
    }

    fn history() -> Vec<Event> {
        let gap = Notice::gap("auth", "/var/log/auth.log", "truncated")
            .stream(StreamId { lineage: lineage("b"), generation: 0 })
            .event(now());
        vec![
            record("a", 0, 0, 10),
            record("a", 0, 10, 25),
            record("a", 1, 0, 7),
            record("b", 0, 0, 99),
            gap,
            cursor_event("trail", "AWSLogs/1/CloudTrail/eu-west-1/", "AWSLogs/1/…/k", now()),
            Notice::failed("wtmp", "/var/log/wtmp", "is missing").event(now()),
            Notice::failed("wtmp", "/var/log/wtmp.1", "is missing").event(now()),
            Notice::back("wtmp", "/var/log/wtmp.1").event(now()),
        ]
    }

    fn folded(events: &[Event]) -> Positions {
        let mut positions = Positions::new();
        events.iter().for_each(|event| positions.fold(event));
        positions
    }

    #[test]
    fn position_events_restore_everything() {
        let positions = folded(&history());
        let events = positions.position_events(now());
        let again = folded(&events);
        assert_eq!(again.position_events(now()), events);
        assert_eq!(again.cursors, positions.cursors);
        assert_eq!(again.failures, positions.failures);
        assert_eq!(again.streams.len(), 3);
        for (id, at) in &positions.streams {
            assert_eq!(again.streams[id], Position { touched: again.streams[id].touched, ..at.clone() });
        }
        assert!(again.stream(StreamId { lineage: lineage("b"), generation: 0 }).is_some_and(|at| at.ended));
        assert_eq!(again.failures("wtmp").collect::<Vec<_>>(), [("/var/log/wtmp", "is missing")]);
    }

    #[test]
    fn a_line_folds_like_its_event() {
        let mut by_line = Positions::new();
        for mut event in history() {
            let (line, _) = crate::event::encode(&mut event);
            by_line.fold_line(&line);
        }
        by_line.fold_line(b"not an event");
        assert_eq!(by_line, folded(&history()));
    }

    #[test]
    fn a_record_of_the_journal_says_itself_where_it_stands() {
        let record = |origin: &str, raw: &str| {
            let mut event = record("j", 0, 0, 1);
            event.source = Source {
                kind: Family::Journal,
                origin: origin.into(),
                lineage: None,
                pos: None,
                next: None,
                ..event.source
            };
            event.raw = Some(raw.to_owned());
            event
        };
        let events = [
            record("journalctl", r#"{"__CURSOR":"s=1;i=1","MESSAGE":"\"__CURSOR\":\"s=9\""}"#),
            record("journalctl", r#"{"MESSAGE":"x","__CURSOR":"s=1;i=2"}"#),
            record("journalctl --merge", r#"{"__CURSOR":"s=2;i=7"}"#),
            record("journalctl", "not a record"),
        ];
        let positions = folded(&events);
        assert_eq!(positions.cursor("auth", "journalctl"), Some("s=1;i=2"));
        let again = folded(&positions.position_events(now()));
        assert_eq!(again.cursor("auth", "journalctl --merge"), Some("s=2;i=7"));
        let mut by_line = Positions::new();
        for mut event in events {
            by_line.fold_line(&crate::event::encode(&mut event).0);
        }
        assert_eq!(by_line, positions);
    }

    #[test]
    fn coverage_never_goes_back() {
        let positions = folded(&[record("a", 0, 10, 25), record("a", 0, 0, 10)]);
        let at = positions.stream(StreamId { lineage: lineage("a"), generation: 0 }).expect("folded");
        assert_eq!((at.next, at.pos), (25, 10));
    }

    #[test]
    fn a_record_cannot_pass_for_a_position() {
        let mut forged = record("a", 0, 0, 10);
        forged.what.action = action::POSITION.to_owned();
        forged.detail.insert("whodid".to_owned(), json!({"source": "auth", "prefix": "p", "cursor": "z"}));
        assert_eq!(folded(&[forged]).cursor("auth", "p"), None);
    }

    #[test]
    fn streams_that_rested_longest_are_forgotten() {
        let mut positions = Positions::new();
        for n in 0..=STREAMS_MAX {
            positions.fold(&record(&n.to_string(), 0, 0, 10));
        }
        assert_eq!(positions.streams.len(), STREAMS_MAX);
        assert!(positions.generations(lineage("0")).is_empty());
        assert_eq!(positions.generations(lineage("1")).len(), 1);
    }
}
