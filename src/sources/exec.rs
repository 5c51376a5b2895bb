//! Commands that `whodid exec` ran: one record before, one after.
//!
//! ```text
//! {"whodid":"exec","action":"run.start","run":"k3q7zvtm", …,"name":"deploy","command":"make install"}
//! {"whodid":"exec","action":"run.finish","run":"k3q7zvtm", …,"child":413,"seconds":12.5,"exit":2}
//! ```
//!
//! `exit` is the command's exit code, `signal` the name of what ended it instead, `error` why it could not be
//! started. The frame is that of [`super::run_record`].

use super::run_record::Facts;
use crate::event::{Event, Outcome};

/// Fills in what the record says; an action that is none of ours leaves it `unparsed`.
pub(super) fn fill(facts: &Facts<'_>, event: &mut Event) {
    let outcome = match facts.text("action") {
        Some("run.start") => Outcome::Success,
        Some("run.finish") => {
            event.reason = reason(facts);
            match facts.number("exit") {
                Some(0) => Outcome::Success,
                None if event.reason.is_none() => Outcome::Unknown,
                _ => Outcome::Failure,
            }
        }
        _ => return,
    };
    event.what.action = facts.owned("action").unwrap_or_default();
    event.what.category = vec!["process".to_owned()];
    event.what.object = facts.owned("name");
    event.what.command = facts.owned("command");
    event.outcome = outcome;
}

fn reason(facts: &Facts<'_>) -> Option<String> {
    let error = facts.text("error").map(|error| format!("it could not be started: {error}"));
    let signal = facts.text("signal").map(|signal| format!("ended by {signal}"));
    let exit = facts.number("exit").filter(|code| *code != 0).map(|code| format!("exit code {code}"));
    error.or(signal).or(exit)
}
