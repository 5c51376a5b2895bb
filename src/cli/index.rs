//! `whodid index rebuild`.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use clap::Subcommand;

use super::progress::Bar;
use super::say;
use super::settings::Place;
use crate::config::Config;
use crate::index::STEP_EVENTS;
use crate::pipeline::views;
use crate::trail::{Lock, Reader};

/// Make the index anew from the trail
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Delete the index and make it anew from the trail, which has everything
    ///
    /// Not while `whodid run` works there. Until it is done, searches go through the trail itself.
    Rebuild,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let config = place.settings()?;
        match self.command {
            Command::Rebuild => rebuild(&config),
        }
    }
}

fn rebuild(config: &Config) -> anyhow::Result<ExitCode> {
    let trail = Reader::open(&config.data)?;
    let _lock = Lock::take(&config.data, "whodid index rebuild", config.clock.now())?;
    let size = trail.acknowledged()?;
    let mut writer = views::rebuild(config, trail.origin())?;
    let done = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&done);
    let _bar = Bar::of_count(Arc::new(move || (seen.load(Relaxed), size, "events".to_owned())));
    let mut complete_to = 0;
    while complete_to < size {
        complete_to = writer.catch_up(&trail, complete_to.saturating_add(STEP_EVENTS).min(size), config.clock.now())?;
        done.store(complete_to, Relaxed);
    }
    say::aside(format_args!("{complete_to} events can be searched"));
    Ok(ExitCode::SUCCESS)
}
