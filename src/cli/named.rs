//! Files named by hand, for `decode` and `ingest`.

use std::io::{self, BufRead as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::collect;
use crate::config::Machine;
use crate::config::source::{DECOMPRESSED_BYTES_MAX, From, Journal, Source};
use crate::event::{Family, UnknownFamily};
use crate::sources;
use crate::sources::zone::Zone;

#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// Files, or folders of CloudTrail objects; gzip is unpacked; `-`, or nothing, is standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// What they are: auth, journal, wtmp, btmp, lastlog, wtmpdb, lastlog2, cloudtrail, exec, ansible, or auto to look at their names
    /// and contents
    #[arg(long = "type", value_name = "TYPE", default_value = "auto")]
    kind: Kind,

    /// The zone of stamps without one: Europe/Berlin, -02:00 [default: this machine's]
    #[arg(long, value_name = "ZONE", allow_hyphen_values = true)]
    tz: Option<Zone>,

    /// The year of the first record, where stamps have none [default: reckoned from the file's time of change]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i32).range(1970..=9999))]
    year: Option<i32>,

    /// The machine, where records name none [default: this one]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Auto,
    Is(Family),
}

impl FromStr for Kind {
    type Err = UnknownFamily;

    fn from_str(text: &str) -> Result<Self, UnknownFamily> {
        match text {
            "auto" => Ok(Self::Auto),
            "whodid" => Err(UnknownFamily(text.to_owned())),
            text => text.parse().map(Self::Is),
        }
    }
}

/// What to read, and what cannot be.
pub(super) struct Chosen {
    pub(super) sources: Vec<Source>,
    /// Each a line for stderr.
    pub(super) refused: Vec<String>,
}

impl Named {
    /// One source for each file, so that each is decoded as what it is.
    pub(super) fn choose(&self, machine: &Machine) -> Chosen {
        let mut chosen = Chosen { sources: Vec::new(), refused: Vec::new() };
        let stdin = [PathBuf::from("-")];
        let files = if self.files.is_empty() { &stdin[..] } else { &self.files[..] };
        for file in files {
            let from = match file.to_str() {
                Some("-") => From::Stdin,
                Some(path) => From::Files { paths: vec![path.to_owned()] },
                None => {
                    chosen.refused.push(format!("{}: the name is not UTF-8: rename it", file.display()));
                    continue;
                }
            };
            match self.family(file) {
                Ok(Family::Journal) => chosen.sources.push(self.source(Family::Journal, journal(file, from), machine)),
                Ok(family) => chosen.sources.push(self.source(family, from, machine)),
                Err(problem) => chosen.refused.push(format!("{} {problem}", file.display())),
            }
        }
        chosen
    }

    fn source(&self, family: Family, from: From, machine: &Machine) -> Source {
        Source {
            name: family.name().to_owned(),
            family,
            from,
            host: self.host.clone(),
            zone: self.tz.unwrap_or(machine.zone),
            year: self.year,
            decompressed_bytes_max: DECOMPRESSED_BYTES_MAX,
            world: Default::default(),
        }
    }

    fn family(&self, file: &Path) -> Result<Family, String> {
        if let Kind::Is(family) = self.kind {
            return Ok(family);
        }
        if file == Path::new("-") {
            let head = collect::head_of(&first_of_stdin()?, sources::HEAD_BYTES);
            if sources::rows::is_database(&head) {
                return Err("is a database: name its file".to_owned());
            }
            return sniff(file, &head);
        }
        if file.is_dir() {
            return Ok(if holds_journal(file) { Family::Journal } else { Family::Cloudtrail });
        }
        sniff(file, &collect::head(file, sources::HEAD_BYTES).map_err(|error| error.to_string())?)
    }
}

/// journald's own files and their folders are read by journalctl, lines of JSON are not.
fn journal(file: &Path, from: From) -> From {
    let is_own = || collect::head(file, sources::HEAD_BYTES).is_ok_and(|head| sources::journal::is_journal_file(&head));
    match from {
        From::Files { .. } if file.is_dir() => {
            From::Journal(Journal { directory: Some(file.to_owned()), ..Journal::default() })
        }
        From::Files { .. } if is_own() => From::Journal(Journal { files: vec![file.to_owned()], ..Journal::default() }),
        other => other,
    }
}

/// `/var/log/journal` has a folder for each machine.
fn holds_journal(folder: &Path) -> bool {
    let has = |pattern: &str| {
        let pattern = format!("{}/{pattern}", glob::Pattern::escape(&folder.to_string_lossy()));
        glob::glob(&pattern).is_ok_and(|mut found| found.next().is_some())
    };
    has("*.journal") || has("*/*.journal")
}

fn sniff(file: &Path, head: &[u8]) -> Result<Family, String> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    sources::detect(&name, head).ok_or_else(|| "is of no type that is known: name it with --type".to_owned())
}

/// Looks at what has arrived without taking it.
fn first_of_stdin() -> Result<Vec<u8>, String> {
    let mut stdin = io::stdin().lock();
    stdin.fill_buf().map(<[u8]>::to_vec).map_err(|error| format!("cannot be read: {error}"))
}
