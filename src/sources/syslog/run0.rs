//! systemd where it speaks of people: run0 (since version 256), user managers, and homes.
//!
//! ```text
//! Started run-p4711-i4712.service - [run0] /usr/bin/id -u.
//! Started user@1001.service - User Manager for UID 1001.
//! ```
//!
//! Who asked for it is in the lines of polkit and PAM; these only name the unit and the command.

use super::form::{self, Form, failure, success, unknown};
use super::reading::{HOST, PROCESS, Reading, SESSION};

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    form::find(FORMS, message)
}

pub(super) const FORMS: &[Form] = &[
    success("run0.command", PROCESS, "Started {unit} - [run0] {command*}."),
    failure("run0.command", PROCESS, "Failed to start {unit} - [run0] {command*}."),
    unknown("run0.command_end", PROCESS, "Stopped {unit} - [run0] {command*}."),
    success("session.manager.start", SESSION, "Started user@{uid}.service - {_*}."),
    success("session.manager.start", SESSION, "Started User Manager for UID {uid}."),
    unknown("session.manager.stop", SESSION, "Stopped user@{uid}.service - {_*}."),
    unknown("session.manager.stop", SESSION, "Stopped User Manager for UID {uid}."),
    failure("session.manager.start", SESSION, "Failed to start user@{uid}.service - {_*}."),
    success("session.scope.start", SESSION, "Started session-{session}.scope - Session {_} of User {user*}."),
    success("session.scope.start", SESSION, "Started Session {session} of user {user*}."),
    success("session.scope.start", SESSION, "Started Session {session} of User {user*}."),
    unknown("session.scope.end", SESSION, "session-{session}.scope: Deactivated successfully."),
    unknown("session.scope.end", SESSION, "session-{session}.scope: Succeeded."),
    unknown("host.notice", HOST, "Startup finished in {reason*}"),
];
