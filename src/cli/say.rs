//! What the program says of itself, on stderr.

use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::event::escape;

/// A line for whoever sits there. That nobody reads it is no failure: `whodid search … 2>&1 | head`.
pub(super) fn aside(line: impl fmt::Display) {
    writeln!(io::stderr(), "{line}").unwrap_or_default();
}

/// What went wrong and why, each cause once: many errors name theirs in their own words.
pub(super) fn causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// Every later `tracing` event goes to stderr, one a line.
pub(super) fn log_to_stderr(targets: Targets, json: bool) {
    let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let registry = tracing_subscriber::registry().with(targets);
    let started = match json {
        true => registry.with(layer.json().flatten_event(true)).try_init(),
        false => {
            let ansi = io::stderr().is_terminal();
            registry.with(layer.with_ansi(ansi).with_target(false).fmt_fields(Escaped)).try_init()
        }
    };
    // Only a second call can fail, and the first one serves.
    drop(started);
}

/// Writes `message key=value …` with everything hostile spelled out: paths, names and errors come from outside.
struct Escaped;

impl<'w> FormatFields<'w> for Escaped {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line::default();
        fields.record(&mut line);
        writer.write_str(&escape::line(&line.0))
    }
}

#[derive(Default)]
struct Line(String);

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

impl Line {
    fn add(&mut self, field: &Field, value: &str) {
        if !self.0.is_empty() {
            self.0.push(' ');
        }
        match field.name() {
            "message" => self.0.push_str(value),
            name => {
                self.0.push_str(name);
                self.0.push('=');
                self.0.push_str(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let error = || io::Error::from(io::ErrorKind::NotFound);
        let twice = anyhow::Error::new(error()).context(format!("log: {}", error()));
        assert_eq!(causes(&twice), "log: entity not found");
        let once: anyhow::Result<()> = Err(error()).context("log");
        assert_eq!(causes(&once.expect_err("an error")), "log: entity not found");
    }
}
