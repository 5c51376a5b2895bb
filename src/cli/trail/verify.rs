//! `whodid trail verify`: the verdict, as text or as one JSON document.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde_json::{Value as Json, json};

use super::super::progress::Bar;
use super::super::settings::Place;
use crate::event::escape;
use crate::trail::{self, Against, Beginning, Epochs, Exit, LogKeys, Reader, Report, Signature, Vouched};

/// Check every stored byte against what was signed; works on a copy, without any network
///
/// Exit 0: all that was signed is there and unchanged. 1: altered; the first bad entry is named.
/// 2: incomplete. 3: not signed by the key, or no key given. 4: nothing to look at, or wrong usage.
///
/// WHOLE is said only where a checkpoint kept elsewhere (--anchor) knows no more than is here;
/// without one it is COMPLETE to the signed size, and what came later cannot be checked.
#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// A copy of a data folder, or of its `trail` [default: the data folder]
    folder: Option<PathBuf>,

    /// The public key, or the file that holds it [default: the one in the key folder, on the machine that signs]
    #[arg(long, value_name = "KEY")]
    key: Option<String>,

    /// The public key of an epoch, where the file with the key does not hold it: what it closed nobody can change
    #[arg(long = "epoch-key", value_name = "KEY")]
    epoch_key: Option<String>,

    /// Checkpoints of this trail that were kept elsewhere: without one, nobody can tell a tail that was cut back
    ///
    /// A checkpoint, a file of them, a log that has them among its lines, or a folder of such files (objects of a
    /// bucket that were copied).
    #[arg(long = "anchor", value_name = "FILE")]
    anchors: Vec<PathBuf>,

    /// The public key of a witness, or the file that holds it: its cosignatures count as anchors, and none at
    /// all is a finding
    #[arg(long = "witness", value_name = "KEY")]
    witnesses: Vec<String>,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<Exit> {
        let mut against = Against { anchor_files: self.anchors, ..Against::default() };
        for witness in &self.witnesses {
            against.witnesses.push(super::key(witness)?);
        }
        let named = self.key.as_deref().map(super::key).transpose()?;
        let folder = match self.folder {
            Some(folder) => folder,
            None => {
                let config = place.settings()?;
                against.know_ours(&config.data, &config.keys);
                config.data
            }
        };
        against.key = named.or(against.key);
        against.epoch_key = self.epoch_key.as_deref().map(super::key).transpose()?;
        let done = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
        let look = Arc::clone(&done);
        let bar = Bar::of_bytes(Arc::new(move || (look.0.load(Relaxed), look.1.load(Relaxed), String::new())));
        let report = trail::verify(&folder, &against, &mut |bytes, all| {
            done.0.store(bytes, Relaxed);
            done.1.store(all, Relaxed);
        });
        drop(bar);
        let text = if self.json { format!("{:#}\n", document(&report)) } else { text(&report) };
        super::tell(&text, report.exit())
    }
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

/// "Whole" says that nothing is missing, which only an anchor can know.
fn verdict(report: &Report) -> &'static str {
    match report.exit() {
        Exit::Whole if is_anchored(report) => "whole",
        Exit::Whole => "complete",
        other => word(other),
    }
}

fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Whole => "whole",
        Exit::Altered => "altered",
        Exit::Incomplete => "incomplete",
        Exit::Untrusted => "untrusted",
        Exit::Unusable => "unusable",
    }
}

/// Whether an anchor reaches as far as what is here.
fn is_anchored(report: &Report) -> bool {
    report.anchored_to.is_some_and(|size| size >= report.complete_to)
}

fn text(report: &Report) -> String {
    let mut text = format!("{} to {}", verdict(report).to_uppercase(), report.complete_to);
    text.push_str(match report.anchored_to {
        _ if report.exit() != Exit::Whole || is_anchored(report) => "",
        Some(_) => "; what came later cannot be checked without a newer anchor",
        None => "; what came later cannot be checked without an anchor",
    });
    text.push_str(&format!("\nentries    {} in {} bytes\n", report.lines, report.bytes));
    if report.pruned > 0 {
        let last = report.pruned - 1;
        text.push_str(&format!("pruned     entries 0 to {last} were pruned, as a signed entry says\n"));
    }
    if let Some(origin) = &report.origin {
        text.push_str(&format!("trail      {}\n", escape::line(origin)));
    }
    text.push_str(match report.signature {
        Signature::Good => "signature  good\n",
        Signature::Bad => "signature  not by this key\n",
        Signature::NotChecked => "signature  not checked: no key was given (--key)\n",
    });
    keys(report, &mut text);
    match report.anchored_to {
        Some(size) => text.push_str(&format!("anchors    {}, the newest at {size}\n", report.anchors)),
        None if report.anchors > 0 => text.push_str(&format!(
            "anchors    {}, none by a key that the one that was given vouches for\n",
            report.anchors
        )),
        None => text
            .push_str("anchors    none: a tail cut back to an earlier checkpoint, or an older copy, would not show\n"),
    }
    for Vouched { witness, seen } in &report.witnesses {
        let witness = escape::line(witness);
        text.push_str(&match seen {
            Some((size, at)) => format!("witness    {witness} saw {size} entries at {at}\n"),
            None => format!("witness    {witness} says nothing here\n"),
        });
    }
    for finding in &report.findings {
        let byte = finding.byte.map(|byte| format!(" at byte {byte}")).unwrap_or_default();
        let path = finding.path.display().to_string();
        text.push_str(&format!("{}{byte}: {}\n", escape::line(&path), escape::line(&finding.text)));
    }
    text
}

/// Which keys followed one another, and what nobody can sign any more.
fn keys(report: &Report, text: &mut String) {
    let Report { keys: LogKeys { count, given }, epochs, .. } = report;
    if let (2.., Some(given)) = (count, given) {
        text.push_str(&format!("keys       {count} followed one another; number {given} was given\n"));
    }
    let Epochs { vouched, closed, closed_to, given, protected_to, .. } = epochs;
    text.push_str(&match (vouched, given) {
        (Beginning::None, _) => "epochs     none: who has the key can write all of it anew\n".to_owned(),
        (Beginning::Given, Some(given)) if *protected_to > 0 => format!(
            "epochs     {closed} closed, followed from epoch {given}; below entry {protected_to} nobody can change \
             anything any more, with whatever key\n"
        ),
        (Beginning::Given, _) => {
            "epochs     none is closed yet: who has the keys can write all of it anew\n".to_owned()
        }
        (Beginning::ByLog, _) => format!(
            "epochs     {closed} closed, up to entry {closed_to}; their beginning is vouched for by the key of the log \
             alone (--epoch-key)\n"
        ),
    });
}

/// `docs/trail-format.md` explains the members.
fn document(report: &Report) -> Json {
    let findings = report.findings.iter().map(|finding| {
        json!({
            "verdict": word(finding.exit),
            "path": finding.path.to_string_lossy(),
            "byte": finding.byte,
            "entry": finding.seq,
            "text": finding.text,
        })
    });
    let witnesses = report.witnesses.iter().map(|Vouched { witness, seen }| {
        json!({ "name": witness, "size": seen.map(|(size, _)| size), "at": seen.map(|(_, at)| at) })
    });
    json!({
        "verdict": verdict(report),
        "exit": report.exit() as u8,
        "complete_to": report.complete_to,
        "trail": report.origin,
        "lines": report.lines,
        "pruned": report.pruned,
        "bytes": report.bytes,
        "signature": match report.signature {
            Signature::Good => "good",
            Signature::Bad => "bad",
            Signature::NotChecked => "not checked",
        },
        "keys": { "count": report.keys.count, "given": report.keys.given },
        "epochs": {
            "vouched": match report.epochs.vouched {
                Beginning::None => None,
                Beginning::ByLog => Some("log key"),
                Beginning::Given => Some("epoch key"),
            },
            "count": report.epochs.count,
            "closed": report.epochs.closed,
            "closed_to": report.epochs.closed_to,
            "given": report.epochs.given,
            "protected_to": report.epochs.protected_to,
        },
        "anchors": { "given": report.anchors, "newest": report.anchored_to },
        "witnesses": witnesses.collect::<Vec<Json>>(),
        "findings": findings.collect::<Vec<Json>>(),
    })
}
