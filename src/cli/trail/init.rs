//! `whodid trail init`.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value as Json, json};

use crate::cli::settings::Place;
use crate::config::Config;
use crate::event::escape;
use crate::pipeline;
use crate::trail::Identity;

/// Make the trail and its keys ahead of the first run, and print what the auditor needs
///
/// Run it as the user that collects. The first run would do the same; what is special about doing it by
/// hand is that the public keys can leave the machine before anything is recorded. A trail that is there
/// already is left as it is, and the same is printed again.
#[derive(Debug, clap::Args)]
pub(super) struct Init {
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

const FOR_THE_AUDITOR: &str = "\
Give these lines to whoever shall check the trail, and keep a copy away from this machine:
`whodid trail verify FOLDER --key FILE` shows with them whether a copy of the folder is as it was signed.";

impl Init {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let config = place.settings()?;
        let identity = pipeline::init(&config)?;
        let text = match self.json {
            true => format!("{:#}\n", document(&config, &identity)),
            false => text(&config, &identity),
        };
        io::stdout().lock().write_all(text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

pub(super) fn text(config: &Config, identity: &Identity) -> String {
    let Identity { origin, mode, made, is_new, key, vkey, verifier_keys } = identity;
    let since = if *is_new { "now" } else { "before; nothing was changed" };
    let key = key.as_deref().map(|key| format!("{}; whoever has it can sign in its name", key.display()));
    let rows = [
        ("trail", origin.clone()),
        ("folder", config.data.display().to_string()),
        ("made", format!("{made} ({mode}), {since}")),
        ("key", key.unwrap_or_else(|| "held by the signing agent".to_owned())),
        ("public", vkey.display().to_string()),
    ];
    let mut text = String::new();
    for (name, value) in rows {
        writeln!(text, "{name:<8} {}", escape::line(&value)).unwrap_or_default();
    }
    write!(text, "\n{FOR_THE_AUDITOR}\n\n").unwrap_or_default();
    for key in verifier_keys {
        writeln!(text, "{}", escape::line(key)).unwrap_or_default();
    }
    text
}

/// `docs/trail-format.md` explains the members.
fn document(config: &Config, identity: &Identity) -> Json {
    let Identity { origin, mode, made, is_new, key, vkey, verifier_keys } = identity;
    let path = |path: &Path| path.to_string_lossy().into_owned();
    json!({
        "trail": origin,
        "folder": path(&config.data),
        "mode": mode.to_string(),
        "made": made.to_string(),
        "new": is_new,
        "key": key.as_deref().map(path),
        "public": path(vkey),
        "verifier_keys": verifier_keys,
    })
}
