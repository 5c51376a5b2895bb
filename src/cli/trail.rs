//! `whodid trail init|verify|prove|cat|stat|seal|hold|rotate-key|adopt`.

mod adopt;
mod hold;
mod init;
mod prove;
mod rotate;
mod verify;

use std::fs;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use super::say;
use super::settings::Place;
use crate::event::escape;
use crate::trail::{Exit, Reader, Sealer};
use adopt::Adopt;
use hold::Hold;
use init::Init;
use rotate::RotateKey;

/// Prove, print and describe the trail
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(Init),
    Verify(verify::Verify),
    Prove(prove::Prove),
    Cat(Cat),
    /// Say which trail it is, how long, and how far it is signed
    Stat,
    /// Compress what is signed to its end, as `whodid run` does by itself
    ///
    /// The sealed files are zstd: `zstdcat` prints their events. Not while `whodid run` works there.
    Seal,
    Hold(Hold),
    Adopt(Adopt),
    RotateKey(RotateKey),
}

/// Print entries as they are stored, oldest first
#[derive(Debug, clap::Args)]
struct Cat {
    /// The first entry [default: the first that is kept]
    #[arg(long, value_name = "N")]
    from: Option<u64>,

    /// How many
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    limit: u64,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Init(init) => init.run(place),
            Command::Verify(verify) => Ok(code(verify.run(place))),
            Command::Prove(prove) => Ok(code(prove.run(place))),
            Command::Cat(cat) => cat.run(place),
            Command::Stat => stat(place),
            Command::Seal => seal(place),
            Command::Hold(hold) => hold.run(place),
            Command::Adopt(adopt) => adopt.run(place),
            Command::RotateKey(rotate) => rotate.run(place),
        }
    }
}

/// Whatever keeps a command that judges from looking is a verdict too.
fn code(judged: anyhow::Result<Exit>) -> ExitCode {
    let exit = judged.unwrap_or_else(|error| {
        say::aside(format_args!("whodid: {}", escape::line(&say::causes(&error))));
        Exit::Unusable
    });
    ExitCode::from(exit as u8)
}

/// The exit code is the verdict, whoever reads the words: `whodid trail verify | head -1`.
fn tell(text: &str, exit: Exit) -> anyhow::Result<Exit> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(exit),
    }
}

/// A key is given as itself or as a file.
fn key(text: &str) -> anyhow::Result<String> {
    let text = match Path::new(text).is_file() {
        true => fs::read_to_string(text).with_context(|| text.to_owned())?,
        false => text.to_owned(),
    };
    Ok(text.trim().to_owned())
}

impl Cat {
    fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let trail = Reader::open(&place.settings()?.data)?;
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let mut out = BufWriter::with_capacity(1 << 16, stdout.lock());
        let mut lines = trail.lines(self.from.map_or_else(|| trail.first(), Ok)?)?;
        let mut left = self.limit;
        while left > 0
            && let Some((_, line)) = lines.next()?
        {
            print(&mut out, line, is_terminal)?;
            left -= 1;
        }
        out.flush()?;
        Ok(ExitCode::SUCCESS)
    }
}

/// To a terminal goes the same JSON with everything hostile spelled out.
fn print(out: &mut impl Write, line: &[u8], is_terminal: bool) -> io::Result<()> {
    match std::str::from_utf8(line) {
        Ok(text) if is_terminal => out.write_all(escape::json(text).as_bytes())?,
        _ => out.write_all(line)?,
    }
    out.write_all(b"\n")
}

fn stat(place: &Place) -> anyhow::Result<ExitCode> {
    let config = place.settings()?;
    let trail = Reader::open(&config.data)?;
    let (stat, hold) = (trail.stat()?, trail.hold()?);
    let kept = match (stat.kept_from, hold) {
        (0, None) => "all".to_owned(),
        (from, None) => format!("entries from {from} on"),
        (from, Some(reason)) => format!("entries from {from} on; nothing is deleted: {reason}"),
    };
    let when = |event: &Option<crate::event::Event>| {
        event.as_ref().map_or("none".to_owned(), |event| format!("observed {}", event.observed))
    };
    let rows = [
        ("trail", stat.origin.clone()),
        ("folder", config.data.display().to_string()),
        ("made", format!("{} ({})", stat.made, stat.mode)),
        ("entries", format!("{} in {} segments, {} bytes", stat.size, stat.segments, stat.bytes)),
        ("kept", kept),
        ("first", when(&stat.first)),
        ("last", when(&stat.last)),
        ("signed", format!("{} entries, root {}", stat.signed, stat.root)),
    ];
    let mut out = io::stdout().lock();
    for (name, value) in rows {
        writeln!(out, "{name:<8} {}", escape::line(&value))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn seal(place: &Place) -> anyhow::Result<ExitCode> {
    let config = place.settings()?;
    let outcome = Sealer::open(&config.data, "whodid trail seal", config.clock.now())?.seal(&mut || true)?;
    for error in &outcome.refused {
        eprintln!("whodid: {}", escape::line(&error.to_string()));
    }
    say::aside(format_args!(
        "{} segments sealed: {} bytes now take {}",
        outcome.segments, outcome.bytes, outcome.stored
    ));
    Ok(if outcome.refused.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
