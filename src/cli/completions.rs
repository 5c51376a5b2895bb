//! `whodid completions SHELL`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

/// Print a completion script for your shell
///
/// For example: whodid completions bash > /etc/bash_completion.d/whodid
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    shell: Shell,
}

impl Args {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Cli::command(), "whodid", &mut script);
        io::stdout().lock().write_all(&script)?;
        Ok(ExitCode::SUCCESS)
    }
}
