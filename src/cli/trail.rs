//! `whodid trail verify|cat|stat`.

use std::fs;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use anyhow::Context as _;
use clap::Subcommand;

use super::progress::Bar;
use super::say;
use super::settings::Place;
use crate::event::escape;
use crate::trail::{self, Against, Exit, Reader, Report, Signature};

/// Prove, print and describe the trail
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Verify(Verify),
    Cat(Cat),
    /// Say which trail it is, how long, and how far it is signed
    Stat,
}

/// Check every stored byte against what was signed; works on a copy, without any network
///
/// Exit 0: whole up to the signed size. 1: altered; the first bad entry is named. 2: incomplete.
/// 3: not signed by the key, or no key given. 4: nothing to look at, or wrong usage.
#[derive(Debug, clap::Args)]
struct Verify {
    /// A copy of a data folder, or of its `trail` [default: the data folder]
    folder: Option<PathBuf>,

    /// The public key, or the file that holds it [default: the one in the key folder, on the machine that signs]
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    /// A checkpoint of this trail that was kept elsewhere: without one, nobody can tell a tail that was cut back
    #[arg(long = "anchor", value_name = "FILE")]
    anchors: Vec<PathBuf>,
}

/// Print entries as they are stored, oldest first
#[derive(Debug, clap::Args)]
struct Cat {
    /// The first entry
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,

    /// How many
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    limit: u64,
}

impl Args {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Verify(verify) => Ok(verify.run(place)),
            Command::Cat(cat) => cat.run(place),
            Command::Stat => stat(place),
        }
    }
}

impl Verify {
    /// Whatever keeps it from looking is a verdict too.
    fn run(self, place: &Place) -> ExitCode {
        match self.verify(place) {
            Ok(exit) => ExitCode::from(exit as u8),
            Err(error) => {
                say::aside(format_args!("whodid: {}", escape::line(&say::causes(&error))));
                ExitCode::from(Exit::Unusable as u8)
            }
        }
    }

    fn verify(self, place: &Place) -> anyhow::Result<Exit> {
        let mut against = Against { key: None, anchors: Vec::new() };
        for anchor in &self.anchors {
            against.anchors.push(fs::read(anchor).with_context(|| anchor.display().to_string())?);
        }
        let named = self.key.as_deref().map(key).transpose()?;
        let folder = match self.folder {
            Some(folder) => folder,
            None => {
                let config = place.settings()?;
                against.know_ours(&config.data, &config.keys);
                config.data
            }
        };
        against.key = named.or(against.key);
        let done = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
        let look = Arc::clone(&done);
        let bar = Bar::of_bytes(Arc::new(move || (look.0.load(Relaxed), look.1.load(Relaxed), String::new())));
        let report = trail::verify(&folder, &against, &mut |bytes, all| {
            done.0.store(bytes, Relaxed);
            done.1.store(all, Relaxed);
        });
        drop(bar);
        io::stdout().lock().write_all(verdict(&report).as_bytes())?;
        Ok(report.exit())
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

impl Against {
    /// What the machine that signs knows itself; another user may not be able to read it.
    fn know_ours(&mut self, data: &Path, keys: &Path) {
        let Ok(trail) = Reader::open(data) else { return };
        let (key, last) = trail.key_places(keys);
        self.key = fs::read_to_string(key).ok().map(|key| key.trim().to_owned());
        self.anchors.extend(fs::read(last));
    }
}

fn verdict(report: &Report) -> String {
    let exit = report.exit();
    let word = match exit {
        Exit::Whole => "WHOLE",
        Exit::Altered => "ALTERED",
        Exit::Incomplete => "INCOMPLETE",
        Exit::Untrusted => "UNTRUSTED",
        Exit::Unusable => "UNUSABLE",
    };
    let mut text =
        format!("{word} complete to {}; {} entries, {} bytes\n", report.complete_to, report.lines, report.bytes);
    if let Some(origin) = &report.origin {
        text.push_str(&format!("trail      {}\n", escape::line(origin)));
    }
    text.push_str(match report.signature {
        Signature::Good => "signature  good\n",
        Signature::Bad => "signature  not by this key\n",
        Signature::NotChecked => "signature  not checked: no key was given (--key)\n",
    });
    match report.anchored_to {
        Some(size) => text.push_str(&format!("anchors    {}, the newest at {size}\n", report.anchors)),
        None => text
            .push_str("anchors    none: a tail cut back to an earlier checkpoint, or an older copy, would not show\n"),
    }
    for finding in &report.findings {
        let byte = finding.byte.map(|byte| format!(" at byte {byte}")).unwrap_or_default();
        let path = finding.path.display().to_string();
        text.push_str(&format!("{}{byte}: {}\n", escape::line(&path), escape::line(&finding.text)));
    }
    text
}

impl Cat {
    fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let trail = Reader::open(&place.settings()?.data)?;
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let mut out = BufWriter::with_capacity(1 << 16, stdout.lock());
        let mut lines = trail.lines(self.from)?;
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
    let stat = Reader::open(&config.data)?.stat()?;
    let when = |event: &Option<crate::event::Event>| {
        event.as_ref().map_or("none".to_owned(), |event| format!("observed {}", event.observed))
    };
    let rows = [
        ("trail", stat.origin.clone()),
        ("folder", config.data.display().to_string()),
        ("made", format!("{} ({})", stat.made, stat.mode)),
        ("entries", format!("{} in {} segments, {} bytes", stat.size, stat.segments, stat.bytes)),
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
