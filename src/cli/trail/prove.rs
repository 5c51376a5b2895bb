//! `whodid trail prove`: one entry, proven to whoever has the public key and nothing else of the trail.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::ArgGroup;

use super::super::say;
use super::super::settings::Place;
use super::tell;
use crate::config::Config;
use crate::event::{EventId, escape};
use crate::index::{Index as _, Search};
use crate::pipeline::views;
use crate::query::Query;
use crate::trail::note::{NoteError, VerifierKey};
use crate::trail::proof::{Proof, ProofError};
use crate::trail::{Exit, Proven, Reader, TrailError};

/// Prove that one entry is in the signed trail, and check such a proof
///
/// Writes a C2SP tlog-proof, which together with the entry's exact bytes (--line) and the public key
/// shows that this entry was signed at this place; the rest of the trail is not needed.
///
///   whodid trail prove ID --out entry.tlog-proof --line entry.json
///   whodid trail prove --check entry.tlog-proof --line entry.json --key KEY
///
/// Exit 0: proven. 1: it is another entry, or proof or trail were altered. 3: not signed by the
/// key, or no key given. 4: no such entry, not signed yet, not readable, or wrong usage.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, group = ArgGroup::new("which").required(true).args(["id", "seq", "check"]))]
pub(super) struct Prove {
    /// The event's id
    id: Option<EventId>,

    /// The place of the entry in the trail instead, from 0
    #[arg(long, value_name = "N")]
    seq: Option<u64>,

    /// Where the proof goes [default: standard output]
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    out: Option<PathBuf>,

    /// The exact bytes of the entry: written here, or with --check read from here (one line feed at the end is no part)
    #[arg(long, value_name = "FILE")]
    line: Option<PathBuf>,

    /// Check this proof
    #[arg(long, value_name = "FILE", requires = "line")]
    check: Option<PathBuf>,

    /// The public key, or the file that holds it [default: the one in the key folder, on the machine that signs]
    #[arg(long, value_name = "KEY", requires = "check")]
    key: Option<String>,
}

/// A longest path and a checkpoint with many signatures; a longest entry.
const PROOF_BYTES_MAX: u64 = 64 << 10;
const LINE_BYTES_MAX: u64 = 64 << 10;

impl Prove {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<Exit> {
        match (&self.check, &self.line) {
            (Some(proof), Some(line)) => check(proof, line, self.key.as_deref(), place),
            _ => self.prove(place),
        }
    }

    fn prove(self, place: &Place) -> anyhow::Result<Exit> {
        let config = place.settings()?;
        let trail = Reader::open(&config.data)?;
        let seq = match (&self.id, self.seq) {
            (Some(id), _) => find(&config, &trail, id)?,
            (None, seq) => seq.unwrap_or_default(),
        };
        let Proven { proof, signed, line } = match trail.prove(seq) {
            Err(error @ TrailError::Damaged { .. }) => {
                say::aside(format_args!("whodid: {}", escape::line(&error.to_string())));
                return Ok(Exit::Altered);
            }
            proven => proven?,
        };
        if let Some(path) = &self.line {
            write(path, &line)?;
        }
        match &self.out {
            Some(path) => write(path, proof.to_string().as_bytes())?,
            None => io::stdout().lock().write_all(proof.to_string().as_bytes())?,
        }
        say::aside(format_args!("entry {seq} of the {signed} that are signed"));
        Ok(Exit::Whole)
    }
}

/// By the index; where that does not know it, by reading the trail.
fn find(config: &Config, trail: &Reader, id: &EventId) -> anyhow::Result<u64> {
    if let Some(seq) = indexed(config, id)
        && trail.event(seq).is_ok_and(|event| event.id == *id)
    {
        return Ok(seq);
    }
    match trail.place_of(id)? {
        Some(seq) => Ok(seq),
        None => bail!("no entry of this trail has the id {id}"),
    }
}

/// An index that cannot answer is no reason not to look further.
fn indexed(config: &Config, id: &EventId) -> Option<u64> {
    let query = Query::parse(&format!("id:{id}")).ok()?.at(config.clock.now());
    let index = views::plain_searcher(config, Reader::open(&config.data).ok()?);
    index.search(&Search::all(query), 1).ok()?.newest.first().map(|hit| hit.seq)
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    // Where it goes is the user's choice, also a device: so it is written as it stands.
    fs::File::create(path).and_then(|mut file| file.write_all(bytes)).with_context(|| path.display().to_string())
}

fn check(proof: &Path, line: &Path, key: Option<&str>, place: &Place) -> anyhow::Result<Exit> {
    let bytes = read(proof, PROOF_BYTES_MAX)?;
    let line = read(line, LINE_BYTES_MAX)?;
    let line = line.strip_suffix(b"\n").unwrap_or(&line);
    let Some(key) = known_key(key, place)? else {
        return tell("UNTRUSTED no key was given (--key)\n", Exit::Untrusted);
    };
    let verified = Proof::parse(&bytes).and_then(|proof| Ok((proof.index, proof.verify(line, &key)?)));
    match verified {
        Ok((index, checkpoint)) => {
            let (size, origin) = (checkpoint.size, escape::line(&checkpoint.origin));
            tell(&format!("PROVEN entry {index} of the {size} that were signed\ntrail      {origin}\n"), Exit::Whole)
        }
        Err(error) => {
            let (word, exit) = match &error {
                ProofError::Checkpoint(NoteError::Unsigned(_) | NoteError::Wrong(_)) => ("UNTRUSTED", Exit::Untrusted),
                _ => ("ALTERED", Exit::Altered),
            };
            tell(&format!("{word} {}\n", escape::line(&error.to_string())), exit)
        }
    }
}

/// The key that was given, or on the machine that signs its own.
fn known_key(given: Option<&str>, place: &Place) -> anyhow::Result<Option<VerifierKey>> {
    let text = match given {
        Some(given) => super::key(given)?,
        None => {
            let config = place.settings()?;
            let Ok(trail) = Reader::open(&config.data) else { return Ok(None) };
            let Ok(text) = fs::read_to_string(trail.key_places(&config.keys).0) else { return Ok(None) };
            text.trim().to_owned()
        }
    };
    // Below the key of the log there may be that of an epoch.
    let text = text.lines().next().unwrap_or_default();
    Ok(Some(VerifierKey::parse(text).context("the key that was given")?))
}

fn read(path: &Path, most: u64) -> anyhow::Result<Vec<u8>> {
    let name = || path.display().to_string();
    let mut bytes = Vec::new();
    let file = fs::File::open(path).with_context(name)?;
    io::Read::read_to_end(&mut io::Read::take(file, most + 1), &mut bytes).with_context(name)?;
    match bytes.len() as u64 > most {
        true => bail!("{}: it is far too long", path.display()),
        false => Ok(bytes),
    }
}
