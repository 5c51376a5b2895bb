//! `whodid decode FILE…`: normalise to stdout, store nothing.

use std::io::{self, BufWriter, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};

use super::named::Named;
use super::output::{Format, Printer};
use super::progress::Bar;
use super::say;
use super::settings::Place;
use crate::clock::Clock;
use crate::collect::{CHANNEL_BATCHES, Collector, Mode, Positions, Progress, Summary};
use crate::config::Source;
use crate::event::escape;
use crate::event::own::action;
use crate::query::People;
use crate::sources;
use crate::sources::secrets::Marks;

/// Normalise logs to who/what/when events on stdout, and store nothing
///
/// For example: whodid decode --type auth --tz -02:00 --year 2026 auth.log --format table
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    named: Named,

    /// whodid and ecs: one JSON object a line; table: for people; csv: for spreadsheets
    #[arg(long, value_name = "FORM", default_value = "whodid")]
    format: Format,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let (clock, machine, people) = place.clock_machine_and_people()?;
        let chosen = self.named.choose(&machine);
        let mut refused = chosen.refused;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().context("no threads")?;
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let mut printer = Printer::new(self.format, BufWriter::with_capacity(1 << 16, stdout.lock()), is_terminal)?;
        for mut source in chosen.sources {
            source.host.get_or_insert_with(|| machine.host.clone());
            let summary = decode(&runtime, source, clock, &people, &mut printer)?;
            refused.extend(summary.failures.iter().map(|f| format!("{} {}", f.origin, f.problem)));
        }
        printer.finish()?;
        for problem in &refused {
            say::aside(format_args!("whodid: {}", escape::line(problem)));
        }
        Ok(if refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn decode(
    runtime: &Runtime,
    source: Source,
    clock: Clock,
    people: &People,
    printer: &mut Printer<impl io::Write>,
) -> anyhow::Result<Summary> {
    let (tx, mut batches) = mpsc::channel(CHANNEL_BATCHES);
    let (_stop, shutdown) = watch::channel(false);
    let progress = Arc::new(Progress::default());
    let collector = Collector {
        positions: Positions::new(),
        seen: Arc::new(|_| false),
        mode: Mode::Ingest,
        clock,
        decoder: sources::decoder,
        marks: Marks::default(),
        tx,
        progress: Arc::clone(&progress),
        shutdown,
    };
    let running = runtime.spawn(collector.run(vec![source]));
    let _bar = Bar::of_bytes(Arc::new(move || {
        let (done, total) = progress.bytes();
        (done, total, format!("{} events", progress.events()))
    }));
    while let Some(batch) = batches.blocking_recv() {
        // Positions are for the trail; nothing is stored here.
        for event in batch.events.iter().filter(|event| event.what.action != action::POSITION) {
            // No trail, no links: the record alone says who it was.
            printer.event(event, &people.attribute(event, None))?;
        }
        if batches.is_empty() {
            printer.flush()?;
        }
    }
    runtime.block_on(running)?.pop().context("the reader gave no account of itself")
}
