//! `whodid check NAME|--all`: a plugin for Nagios, Sensu and their kin.

use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::ArgGroup;

use super::alert::question;
use super::say;
use super::settings::Place;
use crate::alert::{Memory, Recall};
use crate::check::status::FILE_NAME;
use crate::check::{self, Finding, Freshness, Question, State, Status};
use crate::config::Config;
use crate::event::{Stamp, escape};
use crate::index::{Index, Search};
use crate::pipeline::views;
use crate::query::Query;
use crate::trail::{Mode, Reader};

/// Evaluate an alert for the window that ends now; one line, and an exit code for monitoring
///
/// Exit 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. What could not be looked at is UNKNOWN, never OK: no
/// trail, a writer that is not running, a source that cannot be read, an index that does not answer.
/// It writes nothing, and any user who may read the data folder can run it.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("what").required(true).args(["name", "all"]))]
pub(super) struct Args {
    /// The alert: aws/security-group-open-to-world
    name: Option<String>,

    /// Every alert that applies here; the worst state counts
    #[arg(long)]
    all: bool,
}

/// Of the alert's own events the newest: they say what its state is.
const EVENTS_READ: usize = 200;

impl Args {
    /// Whatever goes wrong on the way is an answer: UNKNOWN.
    pub(super) fn run(self, place: &Place) -> anyhow::Result<ExitCode> {
        let name = self.name.clone().unwrap_or_else(|| "whodid".to_owned());
        let (state, text) = self.answer(place).unwrap_or_else(|error| {
            let reason = say::causes(&error).replace('|', "\\u{7c}").replace('\n', "; ");
            (State::Unknown, format!("{} {}: {}", State::Unknown, escape::line(&name), escape::line(&reason)))
        });
        Ok(answered(&mut io::stdout().lock(), state, &text))
    }

    fn answer(&self, place: &Place) -> anyhow::Result<(State, String)> {
        let config = place.settings()?;
        let questions = self.questions(&config)?;
        let trail = Reader::open_as(&config.data, Mode::new(config.clock.is_replay()))?;
        let index = views::searcher(&config, trail);
        let status = status(&config)?;
        let freshness = Freshness { status: status.as_ref(), now: config.clock.now(), stale_after: config.stale_after };
        let ask = |question: &Question<'_>| check::check(question, &index, &freshness);
        if let [question] = questions.as_slice()
            && !self.all
        {
            let finding = ask(question);
            let since = since(question, finding.state(), &index).unwrap_or_default();
            return Ok((finding.state(), check::line(question, &finding, since)));
        }
        let mut found: Vec<(Question<'_>, Finding)> = Vec::new();
        for question in questions {
            let finding = ask(&question);
            match &finding.answer {
                Err(unknown) if unknown.is_unwatched() => {
                    say::aside(format_args!(
                        "{}: skipped: {}",
                        escape::line(&question.alert.id),
                        escape::line(&unknown.to_string())
                    ));
                }
                _ => found.push((question, finding)),
            }
        }
        Ok(check::summary(&found))
    }

    fn questions<'c>(&self, config: &'c Config) -> anyhow::Result<Vec<Question<'c>>> {
        match &self.name {
            Some(id) => Ok(vec![question(config, id)?]),
            None => config.alerts.keys().map(|id| question(config, id)).collect(),
        }
    }
}

/// The exit code is the answer even where nobody takes the line: any other would say OK or WARNING.
fn answered(out: &mut impl Write, state: State, text: &str) -> ExitCode {
    if let Err(error) = writeln!(out, "{text}").and_then(|()| out.flush()) {
        say::aside(format_args!("whodid: the answer could not be printed: {error}"));
    }
    ExitCode::from(state.exit_code())
}

/// Since when the trail says that the alert is in this state.
fn since(question: &Question<'_>, state: State, index: &dyn Index) -> anyhow::Result<Option<Stamp>> {
    let id = question.alert.id.replace(['\\', '"'], "?");
    let told = format!("source.kind:whodid AND what.action:alert.* AND what.object:\"{id}\"");
    let mut memory = Memory::default();
    let hits = index.search(&Search::all(Query::parse(&told)?.at(Stamp::from_unix(0, 0))), EVENTS_READ)?;
    let mut newest = hits.newest;
    newest.sort_by_key(|hit| hit.seq);
    newest.iter().for_each(|hit| memory.fold(&hit.event));
    let recorded = memory.of(&question.alert.id).map(Recall::state);
    Ok(recorded.filter(|(recorded, _)| *recorded == state).and_then(|(_, since)| since))
}

/// None where `whodid run` has not been yet.
fn status(config: &Config) -> anyhow::Result<Option<Status>> {
    match fs::read(config.data.join(FILE_NAME)) {
        Ok(bytes) => Ok(Status::parse(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(anyhow::Error::new(error).context(config.data.join(FILE_NAME).display().to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says that there is no room, or nobody to read.
    struct Closed(io::ErrorKind);

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_answer_that_cannot_be_printed_is_the_same_answer() {
        for kind in [io::ErrorKind::BrokenPipe, io::ErrorKind::StorageFull] {
            for state in [State::Ok, State::Warning, State::Critical, State::Unknown] {
                let code = answered(&mut Closed(kind), state, "CRITICAL a/b: 1");
                assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(state.exit_code())));
            }
        }
    }
}
