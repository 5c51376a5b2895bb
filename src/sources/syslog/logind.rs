//! systemd-logind: sessions on a seat or terminal, and what was done to the machine's keys.

use super::form::{self, Form, failure, success, unknown};
use super::reading::{CONFIGURATION, HOST, Reading, SESSION};

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    let mut reading = form::find(FORMS, message)?;
    // Newer versions put quotes around names.
    for place in [&mut reading.session, &mut reading.user, &mut reading.object] {
        *place = place.map(bare);
    }
    Some(reading)
}

fn bare(text: &str) -> &str {
    ['\'', '"'].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote)).unwrap_or(text)
}

/// src/login/ of systemd up to 257, and elogind.
pub(super) const FORMS: &[Form] = &[
    success("session.start", SESSION, "New session {session} of user {user*} with class '{class}' and type '{type}'."),
    success("session.start", SESSION, "New session {session} of user {user*}."),
    success("session.logout", SESSION, "Session {session} logged out. Waiting for processes to exit."),
    success("session.logout", SESSION, "Session {session} logged out."),
    success("session.remove", SESSION, "Removed session {session}."),
    unknown("session.idle", SESSION, "Session {session} of user {user*} is idle, stopping.").because("idle"),
    unknown("session.replace", SESSION, "Existing logind session ID {session} used by new audit session, ignoring.")
        .because("audit session is known already"),
    unknown("session.linger", SESSION, "User {user*} logged in"),
    unknown("session.lock", SESSION, "Locking sessions..."),
    failure("session.error", SESSION, "Failed to start session scope {object}: {reason*}"),
    failure("session.error", SESSION, "Failed to start user slice {object}: {reason*}"),
    failure("session.error", SESSION, "Failed to start user service '{object*}', ignoring: {reason*}"),
    failure("session.error", SESSION, "Failed to stop session scope {object}: {reason*}"),
    failure("session.error", SESSION, "Failed to abandon session scope: {reason*}"),
    failure("session.error", SESSION, "Could not create session: {reason*}"),
    failure("session.error", SESSION, "Failed to {reason*}"),
    unknown("host.seat", HOST, "New seat {object}."),
    unknown("host.seat", HOST, "Removed seat {object}.").because("removed"),
    unknown("host.buttons", HOST, "Watching system buttons on {object*}"),
    unknown("host.key", HOST, "{object} key pressed {reason}."),
    unknown("host.key", HOST, "{object} key pressed."),
    unknown("host.key", HOST, "Secure Attention Key sequence pressed on seat {object}"),
    unknown("host.lid", HOST, "Lid closed.").because("closed"),
    unknown("host.lid", HOST, "Lid opened.").because("opened"),
    unknown("host.dock", HOST, "System docked.").because("docked"),
    unknown("host.dock", HOST, "System undocked.").because("undocked"),
    unknown("system.shutdown", HOST, "System is powering down{_*}").because("is powering down"),
    unknown("system.shutdown", HOST, "System is powered down{_*}").because("is powered down"),
    unknown("system.shutdown", HOST, "System is halting{_*}").because("is halting"),
    unknown("system.reboot", HOST, "System is rebooting{_*}").because("is rebooting"),
    unknown("system.announce", HOST, "The system will {reason*}!"),
    unknown("system.announce", HOST, "System idle. Will {reason*} now."),
    unknown("system.announce", HOST, "System shutdown has been cancelled").because("cancelled"),
    unknown("system.announce", HOST, "Scheduled {reason} at maintenance window {_*}"),
    unknown("system.announce", HOST, "Creating /run/nologin, blocking further logins...").because("no further logins"),
    unknown("system.sleep", HOST, "Operation '{object}' finished.").because("finished"),
    unknown("system.sleep", HOST, "Suspending...").because("suspending"),
    unknown("system.sleep", HOST, "Requested {object} operation is not supported, using regular suspend instead."),
    unknown(
        "system.delay",
        HOST,
        "Delay lock is active (UID {uid}/{user*}, PID {holder}) but inhibitor timeout is reached.",
    )
    .because("inhibitor timeout"),
    unknown("host.config", CONFIGURATION, "Config file reloaded.").because("reloaded"),
    unknown("host.config", CONFIGURATION, "Running in dry run, suppressing action."),
];
