//! `whodid search QUERY`.

use std::io::{self, BufWriter, IsTerminal as _};
use std::ops::Bound;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::ArgGroup;

use super::output::{Format, Printer, counts};
use super::query::saved;
use super::say;
use super::settings::Place;
use super::span::Span;
use crate::config::Config;
use crate::event::fields;
use crate::index::{By, Hits, Index as _, IndexError, Search, Tally};
use crate::pipeline::views;
use crate::query::ast::Ast;
use crate::trail::Reader;

/// Find events, newest first
///
/// The query language is Lucene's: who.name:alice AND what.action:sudo.command AND NOT outcome:success.
/// Bare words search the original text. `whodid query fields` lists the fields.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("what").required(true).args(["query", "saved"]))]
pub(super) struct Args {
    /// What to look for; `*` is everything
    query: Option<String>,

    /// A saved query instead: aws/root-activity
    #[arg(long, value_name = "ID")]
    saved: Option<String>,

    #[command(flatten)]
    span: Span,

    /// Counts instead of events, the largest first: how many there are for each value of a field, or for each
    /// combination of values of several: who.name,who.ip
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    by: Vec<String>,

    /// Counts for each UTC day
    #[arg(long, requires = "by")]
    per_day: bool,

    /// How many events or counts to show; the number on stderr is of all
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,

    /// table: for people; whodid and ecs: one JSON object a line; csv: for spreadsheets
    #[arg(long, value_name = "FORM", default_value = "table")]
    format: Format,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let config = place.settings()?;
        let (since, until) = self.span.bounds(config.clock.now())?;
        let search = Search { query: self.tree(&config)?, since, until, from_seq: 0 };
        let by = self.by()?;
        let started = Instant::now();
        let index = views::searcher(&config, Reader::open(&config.data)?);
        if !by.fields.is_empty() {
            let tally = of_what_is_kept(&search, |search| index.tally(search, &by))?;
            return self.print_counts(&by, &tally, started);
        }
        let mut hits = of_what_is_kept(&search, |search| index.search(search, self.limit))?;
        index.attribute(&mut hits.newest, hits.complete_to)?;
        let took = started.elapsed();
        self.print(&hits)?;
        let shown = hits.newest.len();
        say::aside(format_args!("{shown} of {} events, complete to {}, in {took:.1?}", hits.total, hits.complete_to));
        Ok(ExitCode::SUCCESS)
    }

    fn tree(&self, config: &Config) -> anyhow::Result<Ast> {
        let query = match &self.saved {
            Some(id) => saved(config, id)?.query.clone(),
            None => config.query(self.query.as_deref().unwrap_or("*"))?,
        };
        query.answerable()?;
        Ok(query.at(config.clock.now()))
    }

    fn by(&self) -> anyhow::Result<By> {
        let field = |name: &String| {
            fields::resolve(name).with_context(|| match fields::suggest(name) {
                Some(known) => format!("--by: there is no field `{name}`; did you mean `{known}`?"),
                None => format!("--by: there is no field `{name}`; `whodid query fields` lists them"),
            })
        };
        Ok(By { fields: self.by.iter().map(field).collect::<anyhow::Result<_>>()?, per_day: self.per_day })
    }

    fn print_counts(&self, by: &By, tally: &Tally, started: Instant) -> anyhow::Result<ExitCode> {
        let took = started.elapsed();
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        counts::print(self.format, by, tally, self.limit, BufWriter::new(stdout.lock()), is_terminal)?;
        let (all, shown) = (tally.groups.len(), tally.groups.len().min(self.limit));
        say::aside(format_args!("{shown} of {all} counts, complete to {}, in {took:.1?}", tally.complete_to));
        Ok(ExitCode::SUCCESS)
    }

    fn print(&self, hits: &Hits) -> io::Result<()> {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let mut printer = Printer::new(self.format, BufWriter::new(stdout.lock()), is_terminal)?;
        hits.newest.iter().try_for_each(|hit| printer.event(&hit.event, &hit.by))?;
        printer.finish()
    }
}

/// Who names no beginning means all that is there, and is told where that begins.
fn of_what_is_kept<T>(search: &Search, ask: impl Fn(&Search) -> Result<T, IndexError>) -> Result<T, IndexError> {
    match ask(search) {
        Err(IndexError::Dropped { to }) if search.since == Bound::Unbounded => {
            say::aside(format_args!(
                "the index has nothing of {to} and before any more: this is about what came later"
            ));
            ask(&Search { since: Bound::Excluded(to), ..search.clone() })
        }
        answer => answer,
    }
}
