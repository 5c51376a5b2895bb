//! The checks that Sensu's plugin for Elasticsearch has (`sensu-plugins-elasticsearch` 4.2.2), taken unchanged:
//! options to request to answer to one line and an exit code.
//!
//! Pure: no connection, no clock, no printing. Facts about the plugin are from its public source, from the option
//! parser that it uses (Ruby's `optparse` by way of `mixlib-cli`), and from runs of it on real servers.
//!
//! Invariant: what could not be looked at is never OK. Where the plugin says OK all the same, ours says UNKNOWN or a
//! word on stderr, unless `--strict-compat` asks for the plugin's own answer.

mod answer;
mod arguments;
mod details;
mod kibana;
mod options;
mod request;
mod ruby;
mod strftime;
mod verdict;
mod window;

#[cfg(test)]
mod tests;

pub use answer::{Failure, Reply};
pub use details::details;
pub use options::{Asked, Options, Refusal, parse, usage};
pub use request::{Body, Request};
pub use verdict::Finding;

use crate::event::Stamp;

/// Which of the plugin's checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Count,
    Exists,
    Average,
    Ratio,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Count, Self::Exists, Self::Average, Self::Ratio];

    /// As the command is called.
    pub fn command(self) -> &'static str {
        match self {
            Self::Count => "check-es-query-count",
            Self::Exists => "check-es-query-exists",
            Self::Average => "check-es-query-average",
            Self::Ratio => "check-es-query-ratio",
        }
    }

    /// The first word of its line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Count => "ESQueryCount",
            Self::Exists => "ESQueryExists",
            Self::Average => "ESQueryAverage",
            Self::Ratio => "ESQueryRatio",
        }
    }

    /// By the name of a program, with or without the plugin's `.rb`.
    pub fn of_program(name: &str) -> Option<Self> {
        let name = name.strip_suffix(".rb").unwrap_or(name);
        Self::ALL.into_iter().find(|kind| kind.command() == name)
    }
}

/// Asks what the options ask for; `ask` is one round trip to the cluster, `note` takes words for stderr.
pub fn check(
    options: &Options,
    now: Stamp,
    ask: &mut dyn FnMut(&Request) -> Result<Reply, Failure>,
    note: &mut dyn FnMut(String),
) -> Finding {
    verdict::check(options, now, ask, note).unwrap_or_else(Finding::of_failure)
}
