//! `--since` and `--until`.

use std::ops::Bound;

use anyhow::Context as _;

use crate::event::Stamp;
use crate::query;

#[derive(Debug, clap::Args)]
pub(super) struct Span {
    /// From then on: a date (2026-11-20), an instant (2026-11-20T10:11:12Z), or a time before now (-30m, -90d)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,

    /// Up to then; a date means its whole day
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<String>,
}

impl Span {
    pub(super) fn bounds(&self, now: Stamp) -> anyhow::Result<(Bound<Stamp>, Bound<Stamp>)> {
        let (since, _) = query::bounds(self.since.as_deref(), None, now).context("--since")?;
        let (_, until) = query::bounds(None, self.until.as_deref(), now).context("--until")?;
        Ok((since, until))
    }
}
