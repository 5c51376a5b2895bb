//! The examples of a saved query, run: decoded as their source would, and matched in memory.
//!
//! An example is a promise about decoder and query together; either may break it.

use std::collections::BTreeSet;

use crate::event::{Event, Family, Lineage, Stamp};
use crate::query::ast::Ast;
use crate::query::{People, Subject};
use crate::sources::secrets::Marks;
use crate::sources::zone::Zone;
use crate::sources::{Decoder, Identity, Stream, Year};

use super::saved::{Example, SavedQuery};

/// How one example turned out.
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleResult {
    pub name: String,
    /// What the example promises.
    pub must_match: bool,
    pub verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Kept,
    /// The query found it and must not, or the reverse. The event is what the decoder made of the record: the one
    /// that was found, or the first.
    Broken(Box<Event>),
    /// The example is no record, or several.
    NotOneRecord(usize),
}

impl ExampleResult {
    pub fn is_kept(&self) -> bool {
        self.verdict == Verdict::Kept
    }
}

/// Runs every example of a query; `now` is for date math in it, and for records whose stamps lack a year.
/// `decoder` gives the decoder of a stream: `sources::decoder`.
/// A record alone has no links: `people` and its own account say who it was.
pub fn test_examples(
    query: &SavedQuery,
    now: Stamp,
    people: &People,
    decoder: fn(Stream) -> Box<dyn Decoder>,
) -> Vec<ExampleResult> {
    let tree = query.proof.at(now);
    let run = |example: &Example| ExampleResult {
        name: example.name.clone(),
        must_match: example.matches,
        verdict: judge(example, &tree, people, decode(example, now, decoder)),
    };
    query.examples.iter().map(run).collect()
}

/// A record may become several events, as one of the journal that is a forgery: any of them may be found.
fn judge(example: &Example, tree: &Ast, people: &People, mut events: Vec<Event>) -> Verdict {
    let records: BTreeSet<Option<u64>> = events.iter().map(|event| event.source.pos).collect();
    if records.len() != 1 {
        return Verdict::NotOneRecord(records.len());
    }
    let matches = |event: &Event| Subject::new(event).by(&people.attribute(event, None)).matches(tree);
    let found = events.iter().position(matches);
    match found.is_some() == example.matches {
        true => Verdict::Kept,
        false => Verdict::Broken(Box::new(events.swap_remove(found.unwrap_or(0)))),
    }
}

/// The events of an example's record, as if it stood alone in a file.
pub fn decode(example: &Example, now: Stamp, decoder: fn(Stream) -> Box<dyn Decoder>) -> Vec<Event> {
    let record = example.raw.trim_matches('\n');
    if example.family == Family::Whodid {
        // Own events have no other record than the entry itself.
        return Event::decode(record.as_bytes()).into_iter().collect();
    }
    let bytes = match example.family {
        Family::Cloudtrail => format!("{{\"Records\":[{record}]}}"),
        _ => format!("{record}\n"),
    };
    let host = "example";
    let mut decoder = decoder(Stream {
        name: example.family.name().into(),
        family: example.family,
        origin: "example".into(),
        host: host.to_owned(),
        identity: Identity::Place { lineage: Lineage::new(host, example.family, bytes.as_bytes()), generation: 0 },
        start: 0,
        zone: Zone::UTC,
        year: Year::NotAfter(now),
        marks: Marks::default(),
        world: Default::default(),
    });
    let mut events = Vec::new();
    decoder.push(bytes.as_bytes(), now, &mut events);
    decoder.finish(now, &mut events);
    events
}

#[cfg(test)]
mod tests {
    use crate::query::Query;

    use super::super::saved::Severity;
    use super::*;

    /// An event for each word of a line, with the word as its command; a line that begins with `-` is none.
    struct Lines(Stream, String);

    impl Decoder for Lines {
        fn push(&mut self, bytes: &[u8], observed: Stamp, out: &mut Vec<Event>) {
            self.1.push_str(&String::from_utf8_lossy(bytes));
            let text = std::mem::take(&mut self.1);
            for (pos, line) in (0..).zip(text.lines()).filter(|(_, line)| !line.starts_with('-')) {
                for word in line.split(' ') {
                    let source = self.0.source(pos, pos + 1);
                    let mut event = Event::new(crate::event::EventId::PENDING, "x", observed, observed, source);
                    event.what.command = Some(word.to_owned());
                    out.push(event);
                }
            }
        }

        fn finish(&mut self, _: Stamp, _: &mut Vec<Event>) {}

        fn next(&self) -> u64 {
            0
        }
    }

    #[test]
    fn a_promise_is_kept_broken_or_none() {
        let example = |name: &str, matches, raw: &str| Example {
            name: name.to_owned(),
            matches,
            family: Family::Auth,
            raw: raw.to_owned(),
        };
        let text = "what.command:apt";
        let query = SavedQuery {
            id: "a/b".into(),
            title: String::new(),
            description: String::new(),
            query: Query::parse(text).expect("a query"),
            proof: Query::parse(text).expect("a query"),
            text: text.into(),
            sources: vec![Family::Auth],
            severity: Severity::Low,
            controls: Vec::new(),
            references: Vec::new(),
            false_positives: Vec::new(),
            examples: vec![
                example("found", true, "\napt update\n"),
                example("not found", false, "yum update"),
                example("missed", true, "yum update"),
                example("none", true, "-"),
                example("two", false, "a\nb"),
                example("the second of two events", true, "update apt"),
                example("one of two that must not", false, "update apt"),
            ],
            sha256: String::new(),
        };
        let results = test_examples(&query, Stamp::from_unix(0, 0), &People::default(), |stream| {
            Box::new(Lines(stream, String::new()))
        });
        assert_eq!(
            results.iter().map(ExampleResult::is_kept).collect::<Vec<_>>(),
            [true, true, false, false, false, true, false]
        );
        assert!(matches!(&results[2].verdict, Verdict::Broken(event) if event.what.command.as_deref() == Some("yum")));
        assert_eq!([&results[3].verdict, &results[4].verdict], [&Verdict::NotOneRecord(0), &Verdict::NotOneRecord(2)]);
    }
}
