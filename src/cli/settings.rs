//! The settings that every command begins with.

use std::path::PathBuf;
use std::sync::Arc;

use super::say;
use crate::clock::Clock;
use crate::config::{Config, Machine};
use crate::event::escape;
use crate::query::People;

/// Where the settings are: the global options.
#[derive(Debug, Clone, Default)]
pub(super) struct Place {
    pub(super) config: Option<PathBuf>,
    pub(super) data: Option<PathBuf>,
}

impl Place {
    /// Reads them, with everything that is wrong with them as the error. What may not be meant, and that
    /// time stands still, is said on stderr.
    pub(super) fn settings(&self) -> anyhow::Result<Config> {
        let config = Config::discover(self.config.as_deref(), self.data.as_deref())?;
        for warning in &config.warnings {
            say::aside(format_args!("warning: {warning}"));
        }
        if let Clock::Fixed(now) = config.clock {
            let file = config.file.as_deref().unwrap_or_else(|| std::path::Path::new("the configuration"));
            say::aside(format_args!(
                "note: time stands still at {now} ([replay] in {})",
                escape::line(&file.to_string_lossy())
            ));
        }
        Ok(config)
    }

    /// The settings if any were named, else only what the machine says of itself.
    pub(super) fn clock_machine_and_people(&self) -> anyhow::Result<(Clock, Machine, Arc<People>)> {
        let mut machine = Machine::look();
        if self.config.is_none() {
            return Ok((Clock::System, machine, Arc::default()));
        }
        let config = self.settings()?;
        machine.host = config.host;
        Ok((config.clock, machine, config.people))
    }
}
