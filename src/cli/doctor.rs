//! `whodid doctor`: what can be read here, what cannot, and how to mend it.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio::runtime::Builder;

use super::settings::Place;
use crate::anchor::{Probe, probe};
use crate::check::status::{FILE_NAME, Health, Status};
use crate::config::source::From;
use crate::config::{Config, Source, source};
use crate::event::{Family, escape};
use crate::index::{Index as _, Search};
use crate::pipeline::views;
use crate::query::ast::Ast;
use crate::trail::{Mode, Reader, TrailError};
use crate::{collect, sources};

/// A service that hangs is said to, rather than waited for.
#[cfg(feature = "aws")]
const TRAIL_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(15);

/// Say what can be read here, what cannot, and how to mend it
///
/// It changes nothing. Exit 0 when everything works, 1 when something does not.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

impl Args {
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let config = place.settings()?;
        let mut findings = Findings::default();
        findings.configuration(&config);
        config.sources.iter().for_each(|source| findings.source(source));
        findings.anchors(&config)?;
        findings.keys(&config);
        findings.trail(&config);
        findings.writer(&config);
        io::stdout().lock().write_all(findings.text.as_bytes())?;
        Ok(if findings.bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

#[derive(Default)]
struct Findings {
    text: String,
    bad: usize,
}

impl Findings {
    fn good(&mut self, what: &str, how: impl Display) {
        self.add("ok", what, &how);
    }

    fn note(&mut self, what: &str, how: impl Display) {
        self.add("note", what, &how);
    }

    fn bad(&mut self, what: &str, how: impl Display) {
        self.bad += 1;
        self.add("BAD", what, &how);
    }

    fn add(&mut self, verdict: &str, what: &str, how: &dyn Display) {
        let how = how.to_string();
        self.text.push_str(&format!("{verdict:<5} {:<14} {}\n", escape::line(what), escape::line(&how)));
    }

    fn configuration(&mut self, config: &Config) {
        match &config.file {
            Some(file) => self.good("config", file.display()),
            None => {
                self.note("config", "none: the defaults are in force (`whodid config example` shows every setting)")
            }
        }
        if config.sources.is_empty() {
            self.bad(
                "sources",
                "none: this machine has no auth.log, secure, journal, wtmp or btmp: name a source with [[source]]",
            );
        }
    }

    fn source(&mut self, source: &Source) {
        match &source.from {
            From::Stdin => self.note(&source.name, "standard input"),
            From::S3 { .. } | From::Sqs(_) => self.asked(&source.name, &source.from),
            From::Lookup(lookup) => {
                let regions = if lookup.regions.is_empty() {
                    "the configured region".to_owned()
                } else {
                    lookup.regions.join(", ")
                };
                self.note(
                    &source.name,
                    format!(
                        "LookupEvents of {regions} is not asked from here: `whodid run --once` says whether it can be"
                    ),
                );
            }
            From::Trail { trail, then } => {
                self.cloudtrail(&source.name, trail);
                // What is left to the trail is known when it has been asked.
                if !matches!(&**then, From::S3 { bucket, .. } if bucket.is_empty()) {
                    self.asked(&source.name, then);
                }
            }
            From::DigestKeys { path } => match fs::File::open(path) {
                Ok(_) => self.good(&source.name, path),
                Err(error) => self.bad(&source.name, format!("{path}: {error}{}", who_may_read(Path::new(path)))),
            },
            From::Intake(intake) => self.note(&source.name, format!("{}", intake.socket.display())),
            From::Journal(journal) => match collect::look_at_journal(journal) {
                Ok(found) => self.good(&source.name, found),
                Err(problem) => self.bad(&source.name, problem),
            },
            From::Files { paths } => paths.iter().for_each(|path| self.path(source, path)),
        }
    }

    /// The bucket, or the queue and its buckets: are they there, and which permission lacks?
    #[cfg(feature = "aws")]
    fn asked(&mut self, name: &str, from: &From) {
        let runtime = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return self.bad(name, error),
        };
        let look = async {
            match from {
                From::Sqs(queue) => collect::look_at_queue(queue).await,
                bucket => vec![collect::look_at_bucket(bucket).await],
            }
        };
        let looked = runtime.block_on(async { tokio::time::timeout(TRAIL_TIMEOUT, look).await });
        for found in looked.unwrap_or_else(|_| vec![Err("AWS does not answer".to_owned())]) {
            match found {
                Ok(found) => self.good(name, found),
                Err(problem) => self.bad(name, problem),
            }
        }
    }

    #[cfg(not(feature = "aws"))]
    fn asked(&mut self, name: &str, _: &From) {
        self.bad(name, "AWS cannot be asked: this whodid was built without the feature aws");
    }

    /// The trail is asked how it fares.
    #[cfg(feature = "aws")]
    fn cloudtrail(&mut self, name: &str, trail: &source::Trail) {
        let runtime = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return self.bad(name, error),
        };
        let looked = async { tokio::time::timeout(TRAIL_TIMEOUT, collect::look_at_trail(trail)).await };
        match runtime.block_on(looked) {
            Ok(Ok(found)) => self.good(name, format!("the trail {} {found}", trail.name)),
            Ok(Err(problem)) => self.bad(name, format!("the trail {} {problem}", trail.name)),
            Err(_) => self.bad(name, format!("the trail {}: CloudTrail does not answer", trail.name)),
        }
    }

    #[cfg(not(feature = "aws"))]
    fn cloudtrail(&mut self, name: &str, _: &source::Trail) {
        self.bad(name, "a trail cannot be asked: this whodid was built without the feature aws");
    }

    fn path(&mut self, source: &Source, path: &str) {
        let literal = [Path::new(path).to_owned()];
        let found: Vec<_> = match Path::new(path).exists() {
            true => literal.into(),
            false => glob::glob(path).into_iter().flatten().flatten().collect(),
        };
        if found.is_empty() {
            let is_glob = path.contains(['*', '?', '[']);
            let problem = format!("{path} {}", if is_glob { "matches no file" } else { "is missing" });
            // A pattern for rotated copies has none on a young machine.
            return if is_glob { self.note(&source.name, problem) } else { self.bad(&source.name, problem) };
        }
        for file in found.iter().filter(|file| !file.is_dir()) {
            let shown = file.display();
            match collect::head(file, sources::HEAD_BYTES) {
                Err(error) => self.bad(&source.name, format!("{shown} {error}{}", who_may_read(file))),
                Ok(head) if head.is_empty() => self.good(&source.name, format!("{shown} (empty)")),
                Ok(head) => self.kind(source, file, &head),
            }
        }
        for folder in found.iter().filter(|file| file.is_dir()) {
            match fs::read_dir(folder) {
                Ok(_) => self.good(&source.name, format!("{} (folder)", folder.display())),
                Err(error) => self.bad(&source.name, format!("{}: {error}{}", folder.display(), who_may_read(folder))),
            }
        }
    }

    fn kind(&mut self, source: &Source, file: &Path, head: &[u8]) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let shown = file.display();
        match sources::detect(&name, head) {
            Some(family) if same_form(family, source.family) => self.good(&source.name, shown),
            Some(other) => {
                self.bad(&source.name, format!("{shown} looks like {other}, but type = \"{}\"", source.family));
            }
            None => self.note(
                &source.name,
                format!("{shown} does not look like {}; what is not known is kept as unparsed", source.family),
            ),
        }
    }

    /// Each is asked, all at once.
    fn anchors(&mut self, config: &Config) -> anyhow::Result<()> {
        if config.anchors.is_empty() {
            self.note("anchors", "none: whoever has this machine can write the past anew (docs/anchors.md)");
            return Ok(());
        }
        let runtime = Builder::new_current_thread().enable_all().build().context("no runtime")?;
        let probed = runtime.block_on(async {
            let probes = config.anchors.iter().cloned().map(|anchor| tokio::spawn(async move { probe(&anchor).await }));
            let mut probed = Vec::new();
            for probe in probes.collect::<Vec<_>>() {
                probed.push(probe.await);
            }
            probed
        });
        for (anchor, probed) in config.anchors.iter().zip(probed) {
            match probed? {
                Ok(Probe::Good) => self.good(&anchor.name, &anchor.to),
                Ok(Probe::Partly(how)) => self.note(&anchor.name, format!("{}: {how}", anchor.to)),
                Err(error) => self.bad(&anchor.name, format!("{}: {error}", anchor.to)),
            }
        }
        // What hangs is left behind.
        runtime.shutdown_background();
        Ok(())
    }

    fn keys(&mut self, config: &Config) {
        let path = &config.keys;
        match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.note("keys", format!("{} will be made by the first run", path.display()));
            }
            Err(error) => self.note("keys", format!("{}: {error} (only the writer needs it)", path.display())),
            Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
                let how = format!("{} is open to others: chmod 0700 {}", path.display(), path.display());
                self.bad("keys", how);
            }
            Ok(_) => self.good("keys", path.display()),
        }
    }

    fn trail(&mut self, config: &Config) {
        let reader = match Reader::open_as(&config.data, Mode::new(config.clock.is_replay())) {
            Ok(reader) => reader,
            Err(TrailError::NoTrail(_)) => {
                return self.note("trail", format!("none yet in {}: `whodid run` begins one", config.data.display()));
            }
            Err(error) => return self.bad("trail", error),
        };
        match reader.stat() {
            Ok(stat) => self.good("trail", format!("{} entries in {}", stat.size, config.data.display())),
            Err(error) => self.bad("trail", error),
        }
        match views::plain_searcher(config, reader).count(&Search::all(Ast::All)) {
            Ok((events, _)) => self.good("index", format!("{events} events can be searched")),
            Err(error) => self.bad("index", error),
        }
    }

    fn writer(&mut self, config: &Config) {
        let status = match fs::read(config.data.join(FILE_NAME)) {
            Ok(bytes) => Status::parse(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return self.bad("status", error),
        };
        let Some(status) = status else {
            return self.note("status", "`whodid run` has not written here yet: every check is UNKNOWN");
        };
        let behind = (config.clock.now().instant() - status.alive.instant()).abs();
        match behind.to_std().is_ok_and(|behind| behind > config.stale_after) && !status.replay {
            true => self.bad("status", format!("`whodid run` was last heard of at {}: is it running?", status.alive)),
            false => self.good("status", format!("`whodid run` was last heard of at {}", status.alive)),
        }
        for source in status.sources.iter().filter(|source| source.state != Health::Ok) {
            self.bad(&source.name, source.reason.as_deref().unwrap_or("is failing"));
        }
        for anchor in &status.anchors {
            let has = anchor.size.map_or("no checkpoint".to_owned(), |size| format!("the checkpoint over {size}"));
            match &anchor.failing {
                Some(failing) => {
                    let how = format!("failing since {} ({}); it has {has}", failing.since, failing.error);
                    self.bad(&anchor.name, how);
                }
                None => self.good(&anchor.name, format!("has {has}")),
            }
        }
    }
}

/// wtmp and btmp have one form.
fn same_form(a: Family, b: Family) -> bool {
    a.detail_key() == b.detail_key()
}

/// `; it belongs to user 0 and group 4, mode 0640: add this user to that group`
fn who_may_read(path: &Path) -> String {
    let Ok(metadata) = fs::metadata(path) else { return String::new() };
    let (owner, group, mode) = (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777);
    let advice = if mode & 0o040 == 0 { "run as its owner" } else { "add this user to that group" };
    format!(" (it belongs to user {owner} and group {group}, mode {mode:04o}: {advice})")
}
