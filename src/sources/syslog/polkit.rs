//! polkitd: who was asked for a password on somebody's behalf, and what for.
//!
//! ```text
//! Operator of unix-session:2 successfully authenticated as unix-user:root to gain ONE-SHOT authorization for
//!   action org.example.do for unix-process:77:1234 [sh -c x] (owned by unix-user:alice)
//! Registered Authentication Agent for unix-session:2 (system bus name :1.5 [agent], object path /x, locale C)
//! ```

use super::form::{self, Form, failure, success, unknown};
use super::reading::{AUTHENTICATION, CONFIGURATION, Reading, SESSION};

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    let (first, rest) = message.split_once(' ')?;
    match first {
        "Operator" => operator(rest),
        "ALLOWING" => decision(Reading::success("polkit.decide", AUTHENTICATION), rest),
        "DENYING" => decision(Reading::failure("polkit.decide", AUTHENTICATION), rest),
        "Registered" => agent("polkit.agent.register", rest),
        "Unregistered" => agent("polkit.agent.unregister", rest),
        _ => form::find(FORMS, message),
    }
}

/// The command in brackets is the subject's own: what surrounds it is read from both ends.
fn operator(rest: &str) -> Option<Reading<'_>> {
    let (operator, rest) = rest.strip_prefix("of ")?.split_once(' ')?;
    let (reading, rest) = match rest.strip_prefix("successfully authenticated as unix-user:") {
        Some(rest) => (Reading::success("polkit.authorize", AUTHENTICATION), rest),
        None => {
            let rest = rest.strip_prefix("FAILED to authenticate ")?;
            (Reading::failure("polkit.authorize", AUTHENTICATION), rest.strip_prefix("as unix-user:").unwrap_or(rest))
        }
    };
    // A failure names nobody whom they became: `to gain authorization …`.
    let (became, rest) = match rest.strip_prefix("to gain ") {
        Some(rest) => ("", rest),
        None => rest.split_once(" to gain ").unwrap_or(("", rest)),
    };
    let kind = rest.split_once(" authorization for action ").map_or("", |(kind, _)| kind);
    let (_, rest) = rest.split_once("authorization for action ")?;
    let (action, rest) = rest.split_once(" for ")?;
    let (subject, owner) = rest.rsplit_once(" (owned by ")?;
    let (subject, command) = subject_and_command(subject);
    let owner = owner.strip_suffix(')')?;
    let user = owner.strip_prefix("unix-user:").or(Some(owner)).filter(|user| *user != "<unknown>");
    let reading = Reading { user, became: Some(became), object: Some(action), ..reading };
    let reading = reading.with("authorization", kind).with("subject", subject);
    Some(Reading { session: operator.strip_prefix("unix-session:"), command, ..reading })
}

/// `unix-process:77:1234 [sh -c x]`
fn subject_and_command(text: &str) -> (&str, Option<&str>) {
    match text.split_once(" [") {
        Some((subject, command)) => (subject, command.strip_suffix(']').filter(|command| *command != "<unknown>")),
        None => (text, None),
    }
}

/// `action org.x for unix-process:7:1 [id] owned by unix-user:ana (check requested by system-bus-name::1.9 [pkexec id])`
///
/// Both commands are free text: only one cut may do.
fn decision<'a>(reading: Reading<'a>, rest: &'a str) -> Option<Reading<'a>> {
    let (action, rest) = rest.strip_prefix("action ")?.split_once(" for ")?;
    let reading = Reading { object: Some(action), ..reading };
    let found = form::find(DECISION, rest)?;
    if found.user.is_none() {
        return Some(reading.with(super::reading::AMBIGUOUS.0, super::reading::AMBIGUOUS.1));
    }
    let user =
        found.user.map(|user| user.strip_prefix("unix-user:").unwrap_or(user)).filter(|user| *user != "<unknown>");
    Some(Reading { user, command: found.command, ..reading })
}

const DECISION: &[Form] =
    &[unknown("polkit.decide", AUTHENTICATION, "{_} [{command*}] owned by {user} (check requested by {_} [{_*}])")];

fn agent<'a>(action: &'static str, rest: &'a str) -> Option<Reading<'a>> {
    let (subject, _) = rest.strip_prefix("Authentication Agent for ")?.split_once([' ', ','])?;
    let session = subject.strip_prefix("unix-session:");
    Some(Reading { session, object: Some(subject), ..Reading::of(action, SESSION) })
}

/// polkitd about itself.
pub(super) const FORMS: &[Form] = &[
    unknown("polkit.info", CONFIGURATION, "Loading {reason*}"),
    unknown("polkit.info", CONFIGURATION, "Finished {reason*}"),
    unknown("polkit.info", CONFIGURATION, "Acquired {reason*}"),
    unknown("polkit.info", CONFIGURATION, "Reloading {reason*}"),
    unknown("polkit.info", CONFIGURATION, "Collecting {reason*}"),
    unknown("polkit.info", CONFIGURATION, "Loaded {reason*}"),
    unknown("polkit.info", CONFIGURATION, "Lost {reason*}"),
    unknown("polkit.info", CONFIGURATION, "Entering {reason*}"),
    unknown("polkit.info", CONFIGURATION, "Exiting {reason*}"),
    unknown("polkit.info", CONFIGURATION, "Handling {reason*}"),
    unknown("polkit.info", CONFIGURATION, "Started polkitd {reason*}"),
    unknown("polkit.info", CONFIGURATION, "started daemon {reason*}"),
    unknown("polkit.info", CONFIGURATION, "Shutting {reason*}"),
    failure("polkit.error", CONFIGURATION, "Error {reason*}"),
    failure("polkit.error", CONFIGURATION, "Terminating runaway script after {seconds} seconds")
        .because("runaway script"),
    failure("polkit.error", CONFIGURATION, "fatal {reason*}"),
    unknown("polkit.rule", AUTHENTICATION, "{object}: {reason*}"),
    success("polkit.revoke", AUTHENTICATION, "Revoked {reason*}"),
    failure("polkit.error", CONFIGURATION, "Identity {reason*}"),
    failure("polkit.error", CONFIGURATION, "Returned result {reason*}"),
];
