//! A number and thresholds to the line and the exit code.

use serde_json::Number;

use super::answer::Counted;
use super::options::{Options, Threshold};
use super::request::{EVERYTHING, Request, Scope};
use super::{Failure, Kind, Reply, kibana, ruby, window};
use crate::event::Stamp;

/// What is printed, and with what the program ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.
    pub exit_code: u8,
    /// Without its line feed.
    pub line: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    Warning,
    Critical,
    Unknown,
}

type Ask<'a> = &'a mut dyn FnMut(&Request) -> Result<Reply, Failure>;

impl Finding {
    /// With the words that the plugin puts before whatever goes wrong.
    pub fn of_failure(failure: Failure) -> Self {
        Self { exit_code: 3, line: format!("Check failed to run: {failure}") }
    }

    fn new(kind: Kind, state: State, message: Option<String>) -> Self {
        let (exit_code, name) = match state {
            State::Ok => (0, "OK"),
            State::Warning => (1, "WARNING"),
            State::Critical => (2, "CRITICAL"),
            State::Unknown => (3, "UNKNOWN"),
        };
        let message = message.map(|message| format!(": {message}")).unwrap_or_default();
        Self { exit_code, line: format!("{} {name}{message}", kind.name()) }
    }
}

pub(super) fn check(
    options: &Options,
    now: Stamp,
    ask: Ask<'_>,
    note: &mut dyn FnMut(String),
) -> Result<Finding, Failure> {
    options.notes.iter().cloned().for_each(&mut *note);
    let end = window::end(options, now)?;
    let scope = Scope { options, indices: window::indices(options, end, note)?, end };
    let mut check = Check { options, scope, now, ask, note };
    match options.kind {
        Kind::Exists => check.exists(),
        _ => check.compared(),
    }
}

struct Check<'a> {
    options: &'a Options,
    scope: Scope<'a>,
    now: Stamp,
    ask: Ask<'a>,
    note: &'a mut dyn FnMut(String),
}

/// What is compared with the thresholds.
#[derive(Debug, Clone, PartialEq)]
enum Measured {
    Whole(u64),
    /// With the digits that the plugin prints.
    Any(f64, String),
}

/// A number, or what is said without one.
enum Outcome {
    Number(Measured),
    Said(State, &'static str),
}

impl Check<'_> {
    fn compared(&mut self) -> Result<Finding, Failure> {
        self.say_what_is_different();
        let (outcome, shards) = match self.measured() {
            Err(missing) if missing.is_missing && self.options.is_strict && !self.options.is_inverted => {
                let what = if self.options.kind == Kind::Average { "average" } else { "count" };
                let text = format!("No results found, {what} was below thresholds");
                return Ok(Finding::new(self.options.kind, State::Ok, Some(text)));
            }
            measured => measured?,
        };
        let (state, message) = match outcome {
            Outcome::Said(state, text) => (state, text.to_owned()),
            Outcome::Number(measured) => {
                let state = self.state(&measured);
                if state == State::Ok && matches!(measured, Measured::Whole(0)) && shards > 0 {
                    self.look_for_the_field();
                }
                (state, self.message(&measured, state))
            }
        };
        Ok(self.unless_nothing_was_there(state, shards, Some(message)))
    }

    /// The number, and of how many shards it is.
    fn measured(&mut self) -> Result<(Outcome, u64), Failure> {
        let query = self.options.query.as_deref().unwrap_or(EVERYTHING);
        match self.options.kind {
            Kind::Average => {
                let field = self.options.aggregated.as_deref().unwrap_or_default();
                let averaged = (self.ask)(&self.scope.average(query, field))?.averaged()?;
                match averaged.value {
                    Some(value) => Ok((Outcome::Number(digits(&value)), averaged.shards)),
                    None if averaged.shards == 0 => Err(self.nothing_there()),
                    None => {
                        Err(Failure::new(format!("no document that was found has a number in \"{field}\": look at -a")))
                    }
                }
            }
            Kind::Ratio => {
                let dividend = self.count(self.options.dividend.as_deref().unwrap_or(EVERYTHING))?;
                let divisor = self.count(query)?;
                let outcome = match divisor.count {
                    0 if self.options.is_zero_ok => {
                        Outcome::Said(State::Ok, "Divisor is 0, ratio check cannot be performed, failing safe with ok")
                    }
                    0 => Outcome::Said(
                        State::Critical,
                        "Divisor is 0, ratio check cannot be performed, raising an alert",
                    ),
                    divisor => {
                        #[expect(clippy::cast_precision_loss, reason = "Ruby's Integer#to_f loses the same")]
                        let ratio = dividend.count as f64 / divisor as f64;
                        Outcome::Number(Measured::Any(ratio, ruby::float(ratio)))
                    }
                };
                Ok((outcome, dividend.shards.min(divisor.shards)))
            }
            Kind::Count | Kind::Exists => {
                let counted = self.count(query)?;
                Ok((Outcome::Number(Measured::Whole(counted.count)), counted.shards))
            }
        }
    }

    fn count(&mut self, query: &str) -> Result<Counted, Failure> {
        (self.ask)(&self.scope.count(query))?.counted()
    }

    /// `WARNING` and `CRITICAL` have no text of their own, and neither has `OK`.
    fn exists(&mut self) -> Result<Finding, Failure> {
        let id = self.options.id.as_deref().unwrap_or_default();
        let found = match self.scope.document(id) {
            Some(request) => match (self.ask)(&request)?.found() {
                Ok(found) => Ok((found, 1)),
                Err(failure) if failure.is_missing => Ok((false, 0)),
                // A name of several indices has no document of its own.
                Err(failure) if failure.is_refused => self.among_all(id),
                Err(failure) => Err(failure),
            },
            None => self.among_all(id),
        };
        let (is_there, shards) = found?;
        let state = match is_there == self.options.is_inverted {
            false => State::Ok,
            true if self.options.is_warning_only => State::Warning,
            true => State::Critical,
        };
        Ok(self.unless_nothing_was_there(state, shards, None))
    }

    fn among_all(&mut self, id: &str) -> Result<(bool, u64), Failure> {
        let counted = (self.ask)(&self.scope.documents(id))?.counted()?;
        Ok((counted.count > 0, counted.shards))
    }

    /// CRITICAL first, and never at the threshold itself.
    fn state(&self, measured: &Measured) -> State {
        let is_beyond = |threshold: Threshold| match self.options.is_inverted {
            true => measured.is_below(threshold),
            false => measured.is_above(threshold),
        };
        match () {
            () if is_beyond(self.options.crit) => State::Critical,
            () if is_beyond(self.options.warn) => State::Warning,
            () => State::Ok,
        }
    }

    fn message(&self, measured: &Measured, state: State) -> String {
        let what = if self.options.kind == Kind::Average { "average" } else { "count" };
        let number = match measured {
            Measured::Whole(number) => number.to_string(),
            Measured::Any(_, digits) => digits.clone(),
        };
        let threshold = match state {
            State::Critical => "critical",
            State::Warning => "warning",
            State::Ok | State::Unknown => return format!("Query {what} ({number}) was ok"),
        };
        let side = if self.options.is_inverted { "below" } else { "above" };
        let link = kibana::suffix(self.options, self.now.instant());
        format!("Query {what} ({number}) was {side} {threshold} threshold.{link}")
    }

    /// The plugin says OK where no index has such a name: nobody looked anywhere.
    fn unless_nothing_was_there(&self, state: State, shards: u64, message: Option<String>) -> Finding {
        if state == State::Ok && shards == 0 && !self.options.is_strict {
            return Finding::new(self.options.kind, State::Unknown, Some(self.nothing_there().to_string()));
        }
        Finding::new(self.options.kind, state, message)
    }

    fn nothing_there(&self) -> Failure {
        let names = &self.scope.indices;
        let first = names.first().map(String::as_str).unwrap_or_default();
        let more = names.last().filter(|_| names.len() > 1).map(|last| format!(" … {last}")).unwrap_or_default();
        Failure::new(format!("there is no index {first}{more}: nothing was looked at; look at -i and -d"))
    }

    fn say_what_is_different(&mut self) {
        if self.scope.start().is_some() {
            return;
        }
        (self.note)(
            match (self.options.kind, self.options.is_strict) {
                (Kind::Average, _) | (_, false) => {
                    "without --*-previous all times are looked at; the plugin drops the query there and counts everything"
                }
                (_, true) => "without --*-previous the query is dropped and everything is counted (--strict-compat)",
            }
            .to_owned(),
        );
    }

    /// A mistyped field finds nothing, which is OK to the plugin.
    fn look_for_the_field(&mut self) {
        let Some(request) = self.scope.field(&self.options.field) else { return };
        // Only a word of advice: whoever may count may not be allowed to ask for this.
        if let Ok(false) = (self.ask)(&request).and_then(|reply| reply.has_field()) {
            (self.note)(format!(
                "no index that was looked at has the field \"{}\": words without a field find nothing; look at -f",
                self.options.field
            ));
        }
    }
}

fn digits(value: &Number) -> Measured {
    match (value.as_u64(), value.as_f64()) {
        (Some(whole), _) => Measured::Whole(whole),
        (None, Some(float)) => Measured::Any(float, ruby::float(float)),
        (None, None) => Measured::Any(f64::NAN, value.to_string()),
    }
}

impl Measured {
    fn is_above(&self, threshold: Threshold) -> bool {
        match (self, threshold) {
            (Self::Whole(number), Threshold::Whole(threshold)) => i128::from(*number) > i128::from(threshold),
            (measured, threshold) => measured.float() > threshold.float(),
        }
    }

    fn is_below(&self, threshold: Threshold) -> bool {
        match (self, threshold) {
            (Self::Whole(number), Threshold::Whole(threshold)) => i128::from(*number) < i128::from(threshold),
            (measured, threshold) => measured.float() < threshold.float(),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "Ruby compares so too, and no average is that exact")]
    fn float(&self) -> f64 {
        match self {
            Self::Whole(number) => *number as f64,
            Self::Any(number, _) => *number,
        }
    }
}

impl Threshold {
    #[expect(clippy::cast_precision_loss, reason = "thresholds are small")]
    fn float(self) -> f64 {
        match self {
            Self::Whole(number) => number as f64,
            Self::Any(number) => number,
        }
    }
}
