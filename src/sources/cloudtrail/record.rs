//! One record as an event.
//!
//! The record itself stays in `raw`, byte for byte, and is what `detail.cloudtrail` is read from; here
//! only the fields are filled that events of all families share.

use super::insight;
use super::tree::Tree;
use super::what::what;
use super::who::who;
use crate::event::world::World;
use crate::event::{Event, EventId, Outcome, Source, Stamp, Where, tag};
use crate::sources::plain::UNPARSED;

/// The event of a record that was parsed.
pub(super) fn event(record: &Tree<'_>, id: EventId, observed: Stamp, source: Source, prefix: World) -> Event {
    let action = match insight::is_insight(record) {
        true => Some(insight::action(record).to_owned()),
        false => record.text("eventName"),
    };
    let action = action.as_deref().unwrap_or(UNPARSED);
    let claimed = record.text("eventTime").and_then(|text| instant(&text));
    let mut event = Event::new(id, action, claimed.unwrap_or(observed), observed, source);
    if claimed.is_none() {
        event.tag(tag::WHEN_GUESSED);
    }
    event.judge_when();
    (event.outcome, event.reason) = outcome(record, action);
    event.who = if insight::is_insight(record) { insight::who(record) } else { who(record) };
    event.what = what(record, action, event.outcome, prefix);
    event.place = Where {
        account: record.text("recipientAccountId").or_else(|| record.text("userIdentity.accountId")),
        region: record.text("awsRegion"),
        ..Where::default()
    };
    event
}

/// Exports by other tools write a blank for the `T` and leave out the `Z`; CloudTrail's times are UTC.
fn instant(text: &str) -> Option<Stamp> {
    Stamp::parse(text).or_else(|| Stamp::parse(&format!("{}Z", text.replacen(' ', "T", 1))))
}

/// Whether it was done, and if not, why.
fn outcome(record: &Tree<'_>, action: &str) -> (Outcome, Option<String>) {
    if insight::is_insight(record) {
        return (Outcome::Unknown, insight::reason(record));
    }
    let (code, message) = (record.text("errorCode"), record.text("errorMessage"));
    let reason = match (code, message) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (code, message) => code.or(message),
    };
    if reason.is_some() {
        return (Outcome::Failure, reason);
    }
    // Signing in has no error code: the response, or what the service says of it, holds a word under the event's own name.
    let word = |of: &str| record.member(of).member(action).as_str();
    let is = |expected: &str| {
        word("responseElements")
            .or_else(|| word("serviceEventDetails"))
            .is_some_and(|word| word.eq_ignore_ascii_case(expected))
    };
    let outcome = match action {
        _ if is("Failure") => Outcome::Failure,
        // That somebody was asked says nothing of the answer.
        "CredentialChallenge" | UNPARSED => Outcome::Unknown,
        _ if is("Success") => Outcome::Success,
        _ if SIGN_IN.contains(&action) => Outcome::Unknown,
        _ => Outcome::Success,
    };
    (outcome, None)
}

/// Events that are a success only where they say so.
const SIGN_IN: &[&str] = &["ConsoleLogin", "CredentialVerification", "UserAuthentication", "SwitchRole", "CheckMfa"];
