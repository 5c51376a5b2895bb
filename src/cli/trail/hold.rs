//! `whodid trail hold`.

use std::process::ExitCode;

use clap::ValueEnum;

use crate::cli::say;
use crate::cli::settings::Place;
use crate::pipeline;

/// Forbid deleting anything of the trail, whatever `[trail]` says, or allow it again
///
/// The trail records who said so and why. While `whodid run` works there it does this itself, if asked by
/// the user that runs it, or by root.
#[derive(Debug, clap::Args)]
pub(super) struct Hold {
    switch: Switch,

    /// The case, the order, who asked: it stands in the trail
    reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Hold {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let config = place.settings()?;
        let is_on = self.switch == Switch::On;
        pipeline::hold(&config, is_on, &self.reason)?;
        say::aside(format_args!("the hold is {}", if is_on { "on: nothing is deleted" } else { "off" }));
        Ok(ExitCode::SUCCESS)
    }
}
