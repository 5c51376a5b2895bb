//! The command line: one thin file per subcommand.
//!
//! A command reads the settings, calls the rooms that do the work and prints. What it prints to a
//! terminal is escaped: everything in a log was written by somebody. Results go to stdout, everything
//! else to stderr.
//!
//! Exit codes: 0 done, 1 not done, 2 wrong usage. `check` has those of Nagios ([`crate::check::State`]),
//! `trail verify` and `trail prove` their own ([`crate::trail::Exit`]), and so has `cloudtrail verify`.

mod alert;
mod check;
mod cloudtrail;
mod completions;
mod config;
mod decode;
mod doctor;
mod es_query;
mod exec;
mod index;
mod ingest;
mod named;
pub mod output;
mod progress;
mod query;
mod run;
mod say;
mod search;
mod sessions;
mod settings;
mod span;
mod summary;
mod table;
mod trail;
mod witness;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, CommandFactory as _, Parser, Subcommand, ValueEnum};
use tracing_subscriber::filter::LevelFilter;

use crate::check::State;
use crate::es_query::Kind;
use crate::event::escape;
use crate::trail::Exit;

/// Who did what, when, and can you prove it? An audit trail from the logs you already have.
///
/// whodid reads auth logs, login records and CloudTrail objects, keeps what they say as who/what/when
/// events in an append-only, signed trail, answers queries about them, and tells you when an alert fires.
#[derive(Debug, Parser)]
#[command(name = "whodid", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// The configuration; without it `whodid.toml` in the user's configuration folder, else in
    /// /etc/whodid, else the logs that this machine has
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The folder of the trail and its index; goes before `data` in the configuration
    #[arg(long, global = true, value_name = "FOLDER")]
    data: Option<PathBuf>,

    /// Say more on stderr; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,

    /// How stderr is written: text for people, json for a log collector
    #[arg(long, global = true, value_name = "FORM", default_value = "text")]
    log_format: LogFormat,

    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  whodid run --once                          read what is there, evaluate the alerts, and end
  whodid search 'who.name:alice AND outcome:failure' --since -24h
  whodid exec -- ansible-playbook site.yml   run it, with its start and end in the trail
  whodid check aws/security-group-open-to-world
  whodid decode /var/log/auth.log            normalise to stdout, store nothing
  whodid check-es-query-count --help         Sensu's check of Elasticsearch, taken unchanged
  whodid trail verify                        is everything still as it was written?";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Exec(exec::Args),
    Ingest(ingest::Args),
    Decode(decode::Args),
    Search(search::Args),
    Sessions(sessions::Args),
    Check(check::Args),
    Query(query::Args),
    Alert(alert::Args),
    Trail(trail::Args),
    Cloudtrail(cloudtrail::Args),
    Witness(witness::Args),
    Index(index::Args),
    Config(config::Args),
    Doctor(doctor::Args),
    Completions(completions::Args),
}

/// What the arguments ask for.
pub enum Invocation {
    Command(Box<Cli>),
    /// Help, the version or an error was printed.
    Said(ExitCode),
}

/// Reads the arguments; the first one is the program's name.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Invocation {
    let args: Vec<OsString> = args.into_iter().collect();
    // Another program's options, which mean other things: -h is a host.
    if let Some(called) = es_query::Called::of(&args) {
        return Invocation::Said(called.run());
    }
    let error = match Cli::try_parse_from(&args) {
        Ok(cli) => return Invocation::Command(Box::new(cli)),
        Err(error) => error,
    };
    let code = match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(wrong_usage(&args)),
    };
    match error.print() {
        Ok(()) => Invocation::Said(code),
        Err(_) => Invocation::Said(ExitCode::FAILURE),
    }
}

/// Monitoring systems read 2 as CRITICAL: a mistyped check must be UNKNOWN. 2 of `trail verify` is a verdict too.
fn wrong_usage(args: &[OsString]) -> u8 {
    if args.iter().filter_map(|arg| arg.to_str()).any(|arg| Kind::of_program(arg).is_some()) {
        return State::Unknown.exit_code();
    }
    let lenient = Cli::command().ignore_errors(true).try_get_matches_from(args);
    let named = lenient.ok().and_then(|matches| {
        let (name, below) = matches.subcommand()?;
        Some((name.to_owned(), below.subcommand_name().unwrap_or_default().to_owned()))
    });
    match named.as_ref().map(|(name, below)| (name.as_str(), below.as_str())) {
        Some(("check", _)) => State::Unknown.exit_code(),
        Some(("trail", "verify" | "prove")) => Exit::Unusable as u8,
        Some(("cloudtrail", _)) => cloudtrail::Exit::Usage as u8,
        _ => 2,
    }
}

impl Cli {
    /// Sends what the program says of itself to stderr.
    pub fn start_logging(&self) {
        let level = match self.verbose {
            0 => LevelFilter::WARN,
            1 => LevelFilter::INFO,
            _ => LevelFilter::DEBUG,
        };
        // The daemon's log is where its operator looks; the other commands speak for themselves.
        let level = if self.command.is_daemon() { level.max(LevelFilter::INFO) } else { level };
        let targets = tracing_subscriber::filter::Targets::new()
            .with_default(LevelFilter::WARN.min(level))
            .with_target(env!("CARGO_PKG_NAME"), level);
        say::log_to_stderr(targets, self.log_format == LogFormat::Json);
    }

    /// Does it.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let place = settings::Place { config: self.config, data: self.data };
        match self.command {
            Command::Run(args) => args.run(&place),
            Command::Exec(args) => args.run(&place),
            Command::Ingest(args) => args.run(&place),
            Command::Decode(args) => args.run(&place),
            Command::Search(args) => args.run(&place),
            Command::Sessions(args) => args.run(&place),
            Command::Check(args) => args.run(&place),
            Command::Query(args) => args.run(&place),
            Command::Alert(args) => args.run(&place),
            Command::Trail(args) => args.run(&place),
            Command::Cloudtrail(args) => args.run(&place),
            Command::Witness(args) => args.run(&place),
            Command::Index(args) => args.run(&place),
            Command::Config(args) => args.run(&place),
            Command::Doctor(args) => args.run(&place),
            Command::Completions(args) => args.run(),
        }
    }
}

impl Command {
    fn is_daemon(&self) -> bool {
        match self {
            Self::Run(args) => args.is_daemon(),
            Self::Witness(args) => args.is_daemon(),
            _ => false,
        }
    }
}

/// Prints what went wrong and turns it into the program's answer.
pub fn exit_code(result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        // `whodid search … | head` is no failure.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            for line in say::causes(&error).lines() {
                say::aside(format_args!("whodid: {}", escape::line(line)));
            }
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let is_broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref::<io::Error>().is_some_and(is_broken))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(args: &[&str]) -> Option<String> {
        match parse(args.iter().map(OsString::from)) {
            Invocation::Command(_) => None,
            Invocation::Said(code) => Some(format!("{code:?}")),
        }
    }

    #[test]
    fn the_arguments_are_declared_without_contradictions() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_usage_of_check_is_unknown_and_not_critical() {
        let unknown = Some(format!("{:?}", ExitCode::from(3)));
        assert_eq!(code(&["whodid", "check", "--nonsense"]), unknown);
        assert_eq!(code(&["whodid", "--config", "a.toml", "check"]), unknown);
        assert_eq!(code(&["whodid", "--config", "check", "search"]), Some(format!("{:?}", ExitCode::from(2))));
        assert_eq!(code(&["whodid", "trail", "verify", "--nonsense"]), Some(format!("{:?}", ExitCode::from(4))));
        assert_eq!(code(&["whodid", "check", "aws/root-activity"]), None);
    }
}
