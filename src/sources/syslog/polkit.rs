//! polkitd: who was asked for a password on somebody's behalf, and what for.
//!
//! ```text
//! Operator of unix-session:2 successfully authenticated as unix-user:root to gain ONE-SHOT authorization for
//!   action org.example.do for unix-process:77:1234 [sh -c x] (owned by unix-user:alice)
//! Registered Authentication Agent for unix-session:2 (system bus name :1.5 [agent], object path /x, locale C)
//! ```

use super::reading::{AUTHENTICATION, CONFIGURATION, Reading, SESSION};

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    let (first, rest) = message.split_once(' ')?;
    match first {
        "Operator" => operator(rest),
        "Registered" => agent("polkit.agent.register", rest),
        "Unregistered" => agent("polkit.agent.unregister", rest),
        "Loading" | "Finished" | "Acquired" | "Reloading" | "Collecting" => {
            Some(Reading { reason: Some(message), ..Reading::of("polkit.info", CONFIGURATION) })
        }
        _ => None,
    }
}

/// The command in brackets is the subject's own: what surrounds it is read from both ends.
fn operator(rest: &str) -> Option<Reading<'_>> {
    let (session, rest) = rest.strip_prefix("of unix-session:")?.split_once(' ')?;
    let (reading, rest) = match rest.strip_prefix("successfully authenticated as unix-user:") {
        Some(rest) => (Reading::success("polkit.authorize", AUTHENTICATION), rest),
        None => {
            let rest = rest.strip_prefix("FAILED to authenticate ")?;
            (Reading::failure("polkit.authorize", AUTHENTICATION), rest.strip_prefix("as unix-user:").unwrap_or(rest))
        }
    };
    let (became, rest) = rest.split_once(" to gain ").unwrap_or(("", rest));
    let (_, rest) = rest.split_once("authorization for action ")?;
    let (action, rest) = rest.split_once(" for ")?;
    let (subject, owner) = rest.rsplit_once(" (owned by unix-user:")?;
    let command = subject.split_once(" [").and_then(|(_, inner)| inner.strip_suffix(']'));
    let reading = Reading { user: owner.strip_suffix(')'), became: Some(became), object: Some(action), ..reading };
    Some(Reading { session: Some(session), command, ..reading })
}

fn agent<'a>(action: &'static str, rest: &'a str) -> Option<Reading<'a>> {
    let (subject, _) = rest.strip_prefix("Authentication Agent for ")?.split_once([' ', ','])?;
    let session = subject.strip_prefix("unix-session:");
    Some(Reading { session, object: Some(subject), ..Reading::of(action, SESSION) })
}
