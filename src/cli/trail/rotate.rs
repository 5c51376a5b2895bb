//! `whodid trail rotate-key`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::cli::say;
use crate::cli::settings::Place;
use crate::pipeline;

/// Replace the key that signs: the old one signs the new one and is destroyed
///
/// Whoever has the old public key can go on with it: `trail verify` follows the keys from any one of them.
/// The trail records it (`trail.key_rotated`). While `whodid run` works there it does this itself, if asked by
/// the user that runs it, or by root.
#[derive(Debug, clap::Args)]
pub(super) struct RotateKey {}

impl RotateKey {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let rotated = pipeline::rotate_key(&place.settings()?)?;
        let (number, size) = (rotated.number, rotated.size);
        say::aside(format_args!("key {number} signs from entry {size} on; the one before it is destroyed"));
        writeln!(io::stdout().lock(), "{}", rotated.key)?;
        Ok(ExitCode::SUCCESS)
    }
}
