//! `whodid config check|example`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};

use super::alert::unset;
use super::settings::Place;
use crate::check::Question;
use crate::config::{Config, example};
use crate::event::escape;

/// Check the configuration, or print an example of one
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read the configuration, all queries and all alerts, and say what is wrong with them
    Check,
    /// Print a commented example with every key
    Example {
        /// Of which file
        #[arg(default_value = "config")]
        of: Of,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Of {
    /// whodid.toml
    Config,
    /// queries/<domain>/<id>.toml
    Query,
    /// alerts/<domain>/<id>.toml
    Alert,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let mut out = io::stdout().lock();
        match self.command {
            Command::Check => out.write_all(summary(&place.settings()?).as_bytes())?,
            Command::Example { of } => {
                let text = match of {
                    Of::Config => example::config(),
                    Of::Query => example::query(),
                    Of::Alert => example::alert(),
                };
                out.write_all(text.as_bytes())?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What is in force, so that an operator sees that it is what they meant.
fn summary(config: &Config) -> String {
    let file = config.file.as_ref().map_or("none, the defaults are in force".into(), |file| file.to_string_lossy());
    let sources = config.sources.iter().map(|source| format!("{} ({})", source.name, source.family));
    let sources = match config.sources.is_empty() {
        true => "none: this machine has no log that is known; name one with [[source]]".to_owned(),
        false => sources.collect::<Vec<_>>().join(", "),
    };
    let anchors = config.anchors.iter().map(|anchor| format!("{} ({}: {})", anchor.name, anchor.to.kind(), anchor.to));
    let anchors = match config.anchors.is_empty() {
        true => "none: whoever has this machine can write the past anew; name a place with [[anchor]]".to_owned(),
        false => anchors.collect::<Vec<_>>().join(", "),
    };
    let lines = [
        ("config", file.into_owned()),
        ("data", config.data.to_string_lossy().into_owned()),
        ("keys", config.keys.to_string_lossy().into_owned()),
        ("sources", sources),
        ("anchors", anchors),
        ("queries", config.queries.len().to_string()),
        ("alerts", config.alerts.len().to_string()),
    ];
    let is_watched =
        |question: &Question<'_>| config.sources.iter().any(|source| question.query.sources.contains(&source.family));
    let unset = unset(config, is_watched);
    lines
        .iter()
        .map(|(name, value)| format!("{name:<8} {}\n", escape::line(value)))
        .chain(unset.map(|(why, ids)| format!("         not evaluated, because {why}: {ids}\n")))
        .chain(["ok\n".to_owned()])
        .collect()
}
