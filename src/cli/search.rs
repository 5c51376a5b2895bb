//! `whodid search QUERY`.

use std::io::{self, BufWriter, IsTerminal as _};
use std::process::ExitCode;
use std::time::Instant;

use clap::ArgGroup;

use super::output::{Format, Printer};
use super::query::saved;
use super::say;
use super::settings::Place;
use super::span::Span;
use crate::config::Config;
use crate::index::{Hits, Index as _, Search};
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

    /// How many events to show; the count on stderr is of all
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
        let started = Instant::now();
        let index = views::searcher(&config, Reader::open(&config.data)?);
        let mut hits = index.search(&search, self.limit)?;
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

    fn print(&self, hits: &Hits) -> io::Result<()> {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let mut printer = Printer::new(self.format, BufWriter::new(stdout.lock()), is_terminal)?;
        hits.newest.iter().try_for_each(|hit| printer.event(&hit.event, &hit.by))?;
        printer.finish()
    }
}
