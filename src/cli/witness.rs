//! `whodid witness`: cosigns the checkpoints of other hosts' trails.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::run;
use super::settings::Place;
use crate::clock::Clock;
use crate::config::witness::Witness as Config;
use crate::witness::{self, Limits, Witness};

/// Cosign the checkpoints of other hosts' trails, so that nobody can show two histories of one
///
/// --config names its own file (`witness.toml`), not `whodid.toml`. The key is made at the first start.
/// docs/witness.md tells how to set it up.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the public key, which whoever verifies a trail needs, and end
    #[arg(long)]
    print_key: bool,
}

impl Args {
    pub(super) fn is_daemon(&self) -> bool {
        !self.print_key
    }

    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let config = Config::discover(place.config.as_deref())?;
        let witness = Arc::new(Witness::open(&config, Clock::System)?);
        if self.print_key {
            writeln!(io::stdout(), "{}", witness.key())?;
            return Ok(ExitCode::SUCCESS);
        }
        run::runtime()?.block_on(serve(witness, &config))?;
        Ok(ExitCode::SUCCESS)
    }
}

async fn serve(witness: Arc<Witness>, config: &Config) -> anyhow::Result<()> {
    let stopped = run::stop_on_signals("Stopping: requests on their way are answered first.")?;
    let listener = TcpListener::bind(config.listen).await.with_context(|| config.listen.to_string())?;
    let address = listener.local_addr().with_context(|| config.listen.to_string())?;
    tracing::info!(%address, key = %witness.key(), "Listening.");
    let limits = Limits { connections: config.connections_max, timeout: config.timeout };
    Ok(witness::serve(witness, listener, limits, stopped).await?)
}
