//! What the program says of itself, on stderr.

use std::fmt;
use std::io::{self, IsTerminal as _};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::event::escape;

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
