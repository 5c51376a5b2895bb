//! `whodid run [--once]`.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use super::progress::Bar;
use super::say;
use super::settings::Place;
use super::summary;
use crate::collect::{Mode, Progress};
use crate::config::{Config, Source};
use crate::event::escape;
use crate::pipeline::{self, Plan, Report};

/// Collect, keep, index and watch until stopped (SIGINT, SIGTERM)
///
/// Without a configuration it reads the logs that this machine has.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Read what is there, evaluate every alert once, and end with a summary
    #[arg(long)]
    once: bool,
}

/// One pass over sources.
pub(super) struct Work {
    pub(super) config: Config,
    pub(super) sources: Vec<Source>,
    pub(super) mode: Mode,
    /// What cannot be read, known before.
    pub(super) refused: Vec<String>,
}

impl Args {
    pub(super) fn is_daemon(&self) -> bool {
        !self.once
    }

    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let config = place.settings()?;
        let mut sources = config.sources.clone();
        let intake = config.intake.as_ref();
        // Nobody has to be listened to by a run that ends; what waits for it is taken in.
        sources.extend(
            intake.filter(|intake| !self.once || intake.spool.is_dir()).map(|intake| intake.source(&config.host)),
        );
        match self.once {
            true => once(Work { config, sources, mode: Mode::Once, refused: Vec::new() }),
            false => follow(config, sources),
        }
    }
}

/// Reads, evaluates, and says what came of it. All was read: 0, whatever the alerts say.
pub(super) fn once(work: Work) -> anyhow::Result<ExitCode> {
    let Work { config, sources, mode, mut refused } = work;
    let runtime = runtime()?;
    let progress = Arc::new(Progress::default());
    let plan = Plan { config: config.clone(), sources, mode, progress: Arc::clone(&progress), views: true };
    let bar = Bar::of_bytes(Arc::new(move || {
        let (done, total) = progress.bytes();
        (done, total, format!("{} events", progress.events()))
    }));
    let ended = runtime.block_on(until_stopped(plan));
    drop(bar);
    let (report, is_stopped) = ended?;
    io::stdout().lock().write_all(summary::of(&config, &report).as_bytes())?;
    refused.extend(unsigned(&report));
    if is_stopped {
        refused.push("stopped before all was read: the same command goes on from there".to_owned());
    }
    for problem in &refused {
        say::aside(format_args!("whodid: {}", escape::line(problem)));
    }
    // What failed while it was read was said then, and stands in the summary.
    let is_whole = refused.is_empty() && report.read.iter().all(|source| source.failures.is_empty());
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn follow(config: Config, sources: Vec<Source>) -> anyhow::Result<ExitCode> {
    let plan = Plan { config, sources, mode: Mode::Follow, progress: Arc::default(), views: true };
    let (report, is_stopped) = runtime()?.block_on(until_stopped(plan))?;
    // Where everything ended by itself, it may be that nothing can be read any more: a supervisor starts it again.
    let is_well = is_stopped || report.read.iter().all(|source| source.failures.is_empty());
    let unsigned = unsigned(&report);
    if let Some(problem) = &unsigned {
        say::aside(format_args!("whodid: {problem}"));
    }
    Ok(if is_well && unsigned.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the signing agent could not sign before the end.
fn unsigned(report: &Report) -> Option<String> {
    let count = report.added.unsigned;
    (count > 0).then(|| format!("{count} entries are stored and not signed: the next run signs them"))
}

/// What came of it, and whether a signal ended it.
async fn until_stopped(plan: Plan) -> anyhow::Result<(Report, bool)> {
    let stopped = stop_on_signals("Stopping: what was read is made durable first.")?;
    let report = pipeline::run(plan, stopped.clone()).await?;
    let is_stopped = *stopped.borrow();
    Ok((report, is_stopped))
}

pub(super) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().context("no threads for the runtime")
}

/// Becomes true at the first signal; the second one ends the program as it would without us.
pub(super) fn stop_on_signals(saying: &'static str) -> anyhow::Result<watch::Receiver<bool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (stop, stopped) = watch::channel(false);
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("{saying}");
        stop.send_replace(true);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        // Whoever asks twice does not want to wait; the trail stands a kill at any instant.
        std::process::exit(130);
    });
    Ok(stopped)
}
