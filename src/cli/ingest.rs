//! `whodid ingest FILE…`: one-off backfill.

use std::process::ExitCode;

use super::named::Named;
use super::run::{self, Work};
use super::settings::Place;
use crate::collect::Mode;
use crate::config::Machine;

/// Take files into the trail that no source reads: an old log, a copy from another machine
///
/// What the trail holds already is left out, whatever the file is called now. For example:
/// whodid ingest --host web-2 backup/web-2/auth.log.3.gz
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    named: Named,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let config = place.settings()?;
        let chosen = self.named.choose(&Machine { host: config.host.clone(), ..Machine::look() });
        run::once(Work { config, sources: chosen.sources, mode: Mode::Ingest, refused: chosen.refused })
    }
}
