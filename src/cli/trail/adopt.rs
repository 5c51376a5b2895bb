//! `whodid trail adopt`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use super::init;
use crate::cli::settings::Place;
use crate::event::escape;
use crate::pipeline;
use crate::trail::Adopted;

/// Go on with a trail that was put back from a backup, or whose keys are lost, under a new name
///
/// A trail never contradicts what it signed: an older copy of the folder is refused. If nothing newer is
/// left, this gives the trail a new name and new keys, and records in it which entries were lost and why.
/// What sources still hold of them is read again. The old key vouches for the new one, and is destroyed.
#[derive(Debug, clap::Args)]
pub(super) struct Adopt {
    /// What happened, and who decided: it stands in the trail
    #[arg(long, value_name = "TEXT")]
    reason: String,

    /// The old key is lost or not to be believed: it does not vouch for the new one, so that the auditor needs
    /// the new one from you
    #[arg(long)]
    without_old_key: bool,
}

impl Adopt {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let config = place.settings()?;
        let adopted = pipeline::adopt(&config, &self.reason, self.without_old_key)?;
        let identity = pipeline::init(&config)?;
        let text = said(&adopted) + &init::text(&config, &identity);
        io::stdout().lock().write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

fn said(adopted: &Adopted) -> String {
    let Adopted { from, size, lost, known, with_old_key, forked, .. } = adopted;
    let lost = match (known, forked, lost) {
        (None, ..) => "nobody remembers how many were signed".to_owned(),
        (_, true, _) => "others had been signed instead of some of them".to_owned(),
        (_, _, 0) => "none that was signed is lost".to_owned(),
        (_, _, lost) => format!("{lost} more had been signed, and are lost unless their sources still hold them"),
    };
    let vouched = if *with_old_key { "its key vouches for the new one" } else { "no old key vouches for the new one" };
    escape::line(&format!("{from} goes on under a new name: {size} entries stay, {lost}; {vouched}.")).to_string()
        + "\n\n"
}
