//! `whodid query list|test|explain|fields`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use super::settings::Place;
use super::table::table;
use crate::config::prove::{ExampleResult, Verdict, test_examples};
use crate::config::{Config, SavedQuery};
use crate::event::fields::{FIELDS, Kind};
use crate::event::{Event, escape};
use crate::query::explain;
use crate::sources;

/// List, test and explain queries
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the saved queries: those in the binary and those in `queries/` beside the configuration
    List,
    /// Run the examples of saved queries: each must or must not match
    Test {
        /// Which ones; without any, all
        ids: Vec<String>,
    },
    /// Say in words what a query looks for
    Explain {
        /// A query, or the id of a saved one
        query: String,
    },
    /// List the fields that a query can name, and their other names
    Fields,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let mut out = io::stdout().lock();
        match self.command {
            Command::List => out.write_all(list(&place.settings()?).as_bytes())?,
            Command::Test { ids } => return test(&place.settings()?, &ids, &mut out),
            Command::Explain { query } => {
                let config = place.settings()?;
                let (saved, query) = match config.queries.get(&query) {
                    Some(saved) => (Some(saved), saved.query.clone()),
                    None => (None, config.query(&query)?),
                };
                out.write_all(about(saved).as_bytes())?;
                writeln!(out, "{}", explain(&query.at(config.clock.now())))?;
                if let Err(unset) = query.answerable() {
                    writeln!(out, "{unset}; until then it finds nothing")?;
                }
            }
            Command::Fields => out.write_all(fields().as_bytes())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn list(config: &Config) -> String {
    let row = |query: &SavedQuery| {
        let lists = query.query.lists().keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        [query.id.clone(), query.severity.name().to_owned(), query.controls.join(", "), lists, query.title.clone()]
    };
    table(["ID", "SEVERITY", "CONTROLS", "LISTS", "TITLE"], config.queries.values().map(row))
}

fn about(saved: Option<&SavedQuery>) -> String {
    saved.map_or(String::new(), |saved| {
        let text = [&saved.title, &saved.description, &saved.text];
        text.iter().flat_map(|text| text.trim().lines()).map(|line| format!("{}\n", escape::line(line))).collect()
    })
}

fn fields() -> String {
    let kind = |kind: Kind| match kind {
        Kind::Keyword => "keyword",
        Kind::Text => "text",
        Kind::Number => "number",
        Kind::Ip => "ip",
        Kind::Time => "time",
    };
    let known = FIELDS.iter().map(|field| {
        [field.name.to_owned(), kind(field.kind).to_owned(), field.aliases.join(", "), field.doc.to_owned()]
    });
    let open = ["detail.<family>.<path>", "keyword", "<family>.<path>", "what only this source knows"];
    table(["FIELD", "KIND", "ALSO", "WHAT IT HOLDS"], known.chain([open.map(str::to_owned)]))
}

fn test(config: &Config, ids: &[String], out: &mut impl io::Write) -> anyhow::Result<ExitCode> {
    let chosen: Vec<&SavedQuery> = match ids {
        [] => config.queries.values().collect(),
        ids => ids.iter().map(|id| saved(config, id)).collect::<anyhow::Result<_>>()?,
    };
    let (mut kept, mut broken) = (0, 0);
    for query in &chosen {
        for result in test_examples(query, config.clock.now(), &config.people, sources::decoder) {
            match result.is_kept() {
                true => kept += 1,
                false => {
                    broken += 1;
                    write!(out, "{}", complaint(query, &result))?;
                }
            }
        }
    }
    writeln!(out, "{} queries, {kept} examples as promised, {broken} not", chosen.len())?;
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn complaint(query: &SavedQuery, result: &ExampleResult) -> String {
    let must = if result.must_match { "must match" } else { "must not match" };
    let problem = match &result.verdict {
        Verdict::Kept => return String::new(),
        Verdict::NotOneRecord(count) => format!("it is {count} records; an example is one"),
        Verdict::Broken(event) => format!("{must}; it was read as {}", as_json(event)),
    };
    format!("{}: example \"{}\": {}\n", escape::line(&query.id), escape::line(&result.name), escape::line(&problem))
}

fn as_json(event: &Event) -> String {
    serde_json::to_string(event).unwrap_or_default()
}

/// The saved query of this id, or an error that lists where to find the others.
pub(super) fn saved<'c>(config: &'c Config, id: &str) -> anyhow::Result<&'c SavedQuery> {
    let nearest = nearest(id, config.queries.keys());
    config.queries.get(id).with_context(|| format!("no saved query \"{id}\"{nearest}; `whodid query list` lists them"))
}

/// `: did you mean "…"?`
pub(super) fn nearest<'k>(id: &str, known: impl IntoIterator<Item = &'k String>) -> String {
    let scored = known.into_iter().map(|known| (strsim::jaro_winkler(id, known), known));
    let best = scored.filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, known)| format!(": did you mean \"{known}\"?")).unwrap_or_default()
}
