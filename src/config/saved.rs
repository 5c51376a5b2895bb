//! A saved query: a question with a title, the controls it serves, and examples that prove what it finds.
//!
//! One file `queries/<domain>/<id>.toml`. Its examples are records as a source writes them, so that a
//! test of the query is a test of the decoder too ([`super::prove`]). It may name lists of the operator's; the file
//! says what they are for its examples.

use std::collections::BTreeSet;

use crate::event::Family;
use crate::query::{Lists, Query};

use super::lists;
use super::section::{Document, Key, Section, Shape, Table};
use super::setting::{Misread, Setting};

/// A question that is asked again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedQuery {
    /// Path below `queries/` without the ending.
    pub id: String,
    pub title: String,
    /// What it finds, why that matters, and where to look first.
    pub description: String,
    pub query: Query,
    /// The same with the lists of its own file: what its examples are held against.
    pub proof: Query,
    /// The query as it is written.
    pub text: String,
    /// The families whose events it is about; without a source of one of them it cannot answer.
    pub sources: Vec<Family>,
    pub severity: Severity,
    /// Controls it is evidence for: `CC6.6`, `PCI 1.3`.
    pub controls: Vec<String>,
    pub references: Vec<String>,
    /// What it finds although nothing is wrong.
    pub false_positives: Vec<String>,
    pub examples: Vec<Example>,
    /// Of the file and of the lists it names, in lower-case hex.
    pub sha256: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

/// A record, and whether the query must find the event it becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    pub name: String,
    pub matches: bool,
    pub family: Family,
    /// A line of a log, or a record of CloudTrail as JSON.
    pub raw: String,
}

impl Severity {
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl Setting for Severity {
    const KIND: &'static str = "a severity in quotes";

    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, Misread> {
        Misread::choice(value, "severity", Self::ALL, Self::name)
    }
}

/// Reads one file; none if anything in it is wrong, and the document says what.
pub(super) fn read(
    document: &Document<'_>,
    id: &str,
    sha256: &str,
    in_force: &Lists,
    named: &mut BTreeSet<String>,
) -> Option<SavedQuery> {
    let mut top = document.top(&QUERY);
    let title = top.required(&TITLE);
    let description = top.required(&DESCRIPTION);
    let text = top.required(&TEXT);
    let sources = top.required(&SOURCES);
    let severity = top.or_default(&SEVERITY);
    let controls = top.or_default(&CONTROLS);
    let references = top.or_default(&REFERENCES);
    let false_positives = top.or_default(&FALSE_POSITIVES);
    let examples = top.sections(&EXAMPLE).into_iter().filter_map(|section| read_example(section, sources.as_deref()));
    let examples = examples.collect();
    let own = top.section(&lists::EXAMPLE_LISTS).map(lists::read).unwrap_or_default();
    named.extend(own.names());
    let parse = |lists: &Lists| parse(&top, TEXT.declaration.name, text.as_deref()?, lists);
    let query = parse(&in_force.only(&own.names()));
    let proof = if own.names().is_empty() { query.clone() } else { query.as_ref().and_then(|_| parse(&own.lists())) };
    if let Some(query) = &query {
        own.report_unnamed(document, &query.lists().keys().cloned().collect());
    }
    top.finish();
    Some(SavedQuery {
        id: id.to_owned(),
        title: title?,
        description: description?.trim().to_owned(),
        sha256: query.as_ref().map(|query| lists::sha256(sha256, query.lists()))?,
        query: query?,
        proof: proof?,
        text: text?,
        sources: sources?,
        severity: severity?,
        controls: controls?,
        references: references?,
        false_positives: false_positives?,
        examples,
    })
}

/// Parses a query that stands in a file; what is wrong is reported on its own line there.
pub(super) fn parse(section: &Section<'_, '_>, key: &str, text: &str, lists: &Lists) -> Option<Query> {
    match Query::parse_with(text, lists) {
        Ok(query) => Some(query),
        Err(error) => {
            let advice = error.help().unwrap_or_else(|| "`whodid query explain` shows how it is read".to_owned());
            let what = format!("`{key}`, column {}: {}", error.column(), error.problem());
            section.report_in(key, error.line(), what, advice);
            None
        }
    }
}

fn read_example(mut section: Section<'_, '_>, sources: Option<&[Family]>) -> Option<Example> {
    let name = section.required(&example::NAME);
    let matches = section.required(&example::MATCHES);
    let family = section.required(&example::FAMILY);
    let raw = section.required(&example::RAW);
    if let (Some(family), Some(sources)) = (family, sources)
        && !sources.contains(&family)
        && matches == Some(true)
    {
        section.report_key(
            "family",
            format!("`family`: the query is not about {family} events"),
            format!("add \"{family}\" to `sources`"),
        );
    }
    section.finish();
    Some(Example { name: name?, matches: matches?, family: family?, raw: raw? })
}

/// The file of a saved query.
pub(super) static QUERY: Table = Table {
    name: "",
    shape: Shape::One,
    doc: "",
    keys: &[
        &TITLE.declaration,
        &DESCRIPTION.declaration,
        &TEXT.declaration,
        &SOURCES.declaration,
        &SEVERITY.declaration,
        &CONTROLS.declaration,
        &REFERENCES.declaration,
        &FALSE_POSITIVES.declaration,
    ],
    tables: &[&lists::EXAMPLE_LISTS, &EXAMPLE],
};

static TITLE: Key<String> = Key::required("title", "\"Somebody became root\"", "One line, for lists and messages.");

static DESCRIPTION: Key<String> = Key::required(
    "description",
    "\"A command was run as root by sudo. Look at who.name and what.command.\"",
    "What it finds, why that matters, and what whoever is on call looks at first.",
);

static TEXT: Key<String> =
    Key::required("query", "'what.action:sudo.command AND who.as.name:root'", "The query (docs/query.md).");

static SOURCES: Key<Vec<Family>> = Key::required(
    "sources",
    "[\"auth\"]",
    "The source families it is about: without a source of one of them, an alert is UNKNOWN and not OK.",
);

static SEVERITY: Key<Severity> = Key::with_default("severity", "\"medium\"", "info, low, medium, high or critical.");

static CONTROLS: Key<Vec<String>> =
    Key::with_default("controls", "[]", "Controls it is evidence for: [\"CC6.6\", \"PCI 1.3\"].");

static REFERENCES: Key<Vec<String>> = Key::with_default("references", "[]", "Addresses of pages that explain more.");

static FALSE_POSITIVES: Key<Vec<String>> =
    Key::with_default("false_positives", "[]", "What it finds although nothing is wrong, one sentence each.");

static EXAMPLE: Table = Table {
    name: "example",
    shape: Shape::Many,
    doc: "Records that it must find, or must not; `whodid query test` runs them.",
    keys: &[
        &example::NAME.declaration,
        &example::MATCHES.declaration,
        &example::FAMILY.declaration,
        &example::RAW.declaration,
    ],
    tables: &[],
};

mod example {
    use super::*;

    pub(super) static NAME: Key<String> = Key::required("name", "\"apt as root\"", "What is special about this one.");

    pub(super) static MATCHES: Key<bool> = Key::required("matches", "true", "Whether the query must find it.");

    pub(super) static FAMILY: Key<Family> = Key::required("family", "\"auth\"", "The source family of the record.");

    pub(super) static RAW: Key<String> = Key::required(
        "raw",
        "'2026-11-20T10:11:12+00:00 web-1 sudo: alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/apt update'",
        "The record: a line of a log, one record of CloudTrail as JSON, or one of whodid's own events as the trail has it.",
    );
}
