//! Every source decodes what lies in `tests/sources/<family>/` as it is written beside it.
//!
//! `NAME.in` is a file as a machine wrote it, `NAME.events.json` the events it must become, one a line;
//! `UPDATE=1 cargo test --test it sources` writes those, for the diff to be read. `NAME.toml` may say what
//! the file does not: `tz`, `year`, `not_after` and `host`.
//!
//! What holds for every source is tried on every input: any split gives the same events; every byte
//! that is not blank is in some event; decoding goes on from any event as if it had never stopped.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde::Deserialize;
use whodid::event::{Event, EventId, Family, Lineage, Stamp};
use whodid::sources::secrets::Marks;
use whodid::sources::zone::Zone;
use whodid::sources::{self, Identity, Stream, Year};

/// When all fixtures are read.
const OBSERVED: &str = "2026-11-20T12:00:00Z";

/// The random splits tried for each file; one byte at a time is tried too.
const SPLITS: u32 = 64;

struct Fixture {
    path: PathBuf,
    family: Family,
    input: Vec<u8>,
    beside: Beside,
}

/// `NAME.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Beside {
    tz: Option<String>,
    year: Option<i32>,
    not_after: Option<String>,
    host: Option<String>,
}

impl Fixture {
    fn read(path: PathBuf, family: Family) -> Self {
        let input = fs::read(&path).expect("a readable fixture");
        let beside = match fs::read_to_string(path.with_extension("toml")) {
            Ok(text) => toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
            Err(_) => Beside::default(),
        };
        Self { path, family, input, beside }
    }

    fn stream(&self, start: u64) -> Stream {
        let name = self.path.file_name().expect("a file").to_string_lossy().into_owned();
        let Beside { tz, year, not_after, host } = &self.beside;
        let not_after = not_after.as_deref().unwrap_or(OBSERVED);
        let lineage = Lineage::new("example", self.family, name.as_bytes());
        Stream {
            name: self.family.name().into(),
            family: self.family,
            origin: name.into(),
            host: host.as_deref().unwrap_or("example").to_owned(),
            identity: Identity::Place { lineage, generation: 0 },
            start,
            zone: tz.as_deref().map_or(Zone::UTC, |tz| tz.parse().expect("a zone")),
            year: year.map_or(Year::NotAfter(instant(not_after)), Year::First),
            marks: Marks::default(),
            world: Default::default(),
        }
    }

    /// The events from an offset on, with the input cut into these parts.
    fn decode<'a>(&self, start: usize, parts: impl Iterator<Item = &'a [u8]>) -> Vec<Event> {
        let mut decoder = sources::decoder(self.stream(start as u64));
        let mut events = Vec::new();
        for part in parts {
            decoder.push(part, instant(OBSERVED), &mut events);
        }
        decoder.finish(instant(OBSERVED), &mut events);
        assert_eq!(decoder.next(), self.input.len() as u64, "{}: all is covered", self.path.display());
        events
    }

    fn events(&self) -> Vec<Event> {
        self.decode(0, std::iter::once(self.input.as_slice()))
    }

    /// Whether nothing is written here.
    fn is_blank(&self, bytes: &[u8]) -> bool {
        match self.family {
            Family::Lastlog => bytes.iter().all(|byte| *byte == 0),
            _ => bytes.trim_ascii().is_empty(),
        }
    }

    /// Whether its records have places in it from which decoding can begin.
    fn resumes(&self) -> bool {
        !matches!(self.family, Family::Cloudtrail | Family::Wtmpdb)
    }
}

fn instant(text: &str) -> Stamp {
    Stamp::parse(text).expect("an instant")
}

fn each(mut check: impl FnMut(&Fixture)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sources");
    for family in Family::ALL {
        let Ok(folder) = fs::read_dir(root.join(family.name())) else { continue };
        let mut inputs: Vec<_> = folder.map(|entry| entry.expect("readable").path()).collect();
        inputs.retain(|path| path.extension().is_some_and(|ending| ending == "in"));
        inputs.sort();
        for path in inputs {
            check(&Fixture::read(path, family));
        }
    }
}

/// A JSON list with one event a line.
fn written(events: &[Event]) -> String {
    let lines: Vec<_> = events.iter().map(|event| serde_json::to_string(event).expect("an event")).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

#[test]
fn every_input_becomes_the_events_beside_it() {
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    let update = std::env::var("UPDATE").is_ok();
    each(|fixture| {
        let got = written(&fixture.events());
        let path = fixture.path.with_extension("events.json");
        if update {
            #[expect(clippy::disallowed_methods, reason = "a fixture, not data")]
            fs::write(&path, &got).expect("a writable fixture");
            return;
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        for (line, (got, expected)) in got.lines().zip(expected.lines()).enumerate() {
            assert_eq!(got, expected, "{}:{}: UPDATE=1 accepts it", path.display(), line + 1);
        }
        assert_eq!(got.lines().count(), expected.lines().count(), "{}: UPDATE=1 accepts it", path.display());
    });
}

#[test]
fn any_split_gives_the_same_events() {
    each(|fixture| {
        let whole = fixture.events();
        let name = fixture.path.display();
        assert_eq!(fixture.decode(0, fixture.input.chunks(1)), whole, "{name}: byte by byte");
        let cuts = prop::collection::vec(any::<Index>(), 0..8);
        let mut runner = TestRunner::new(Config { cases: SPLITS, failure_persistence: None, ..Config::default() });
        let split = runner.run(&cuts, |cuts| {
            let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(fixture.input.len() + 1)).collect();
            at.extend([0, fixture.input.len()]);
            at.sort_unstable();
            let parts = at.windows(2).map(|pair| &fixture.input[pair[0]..pair[1]]);
            prop_assert_eq!(fixture.decode(0, parts), whole.clone());
            Ok(())
        });
        split.unwrap_or_else(|error| panic!("{name}: {error}"));
    });
}

#[test]
fn every_byte_that_is_not_blank_is_in_some_event() {
    each(|fixture| {
        if !fixture.resumes() {
            return;
        }
        let name = fixture.path.display();
        let mut covered = 0;
        // What an event says of a record that another one holds has no record of its own.
        for event in fixture.events().into_iter().filter(|event| event.raw.is_some()) {
            let pos = usize::try_from(event.source.pos.expect("a place")).expect("in memory");
            let next = usize::try_from(event.source.next.expect("a place")).expect("in memory");
            let before = fixture.input.get(covered..pos).unwrap_or_else(|| panic!("{name}: {pos} comes twice"));
            assert!(fixture.is_blank(before), "{name}: {covered}..{pos} is in no event");
            let raw = raw_of(&event);
            let is_redacted = event.tags.iter().any(|tag| tag == "redacted");
            covered = if is_redacted { next } else { pos + raw.len() };
            assert!(is_redacted || fixture.input[pos..covered] == raw, "{name}: the record at {pos} is not exact");
            let is_piece = event.tags.iter().any(|tag| tag == "line_piece");
            let after = fixture.input.get(covered..next.max(covered));
            assert!(is_piece || after.is_some_and(|bytes| bytes.trim_ascii().is_empty()), "{name}: {covered}..{next}");
        }
        assert!(fixture.is_blank(&fixture.input[covered..]), "{name}: the end from {covered} is in no event");
    });
}

fn raw_of(event: &Event) -> Vec<u8> {
    match (&event.raw_base64, &event.raw) {
        (Some(base64), _) => data_encoding::BASE64.decode(base64.as_bytes()).expect("base64"),
        (None, raw) => raw.clone().expect("a record").into_bytes(),
    }
}

#[test]
fn decoding_goes_on_from_any_event() {
    each(|fixture| {
        // A state is read as a whole, never from a place on.
        if !fixture.resumes() || fixture.family == Family::Lastlog {
            return;
        }
        let ids: Vec<EventId> = fixture.events().iter().map(|event| event.id).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{}: ids differ", fixture.path.display());
        for (i, event) in fixture.events().iter().enumerate() {
            let next = usize::try_from(event.source.next.expect("a place")).expect("in memory");
            let rest = fixture.decode(next, std::iter::once(&fixture.input[next..]));
            let new: Vec<_> = rest.iter().map(|event| event.id).filter(|id| !ids[..=i].contains(id)).collect();
            assert_eq!(new, ids[i + 1..], "{}: after the record at {:?}", fixture.path.display(), event.source.pos);
        }
    });
}
