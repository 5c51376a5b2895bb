//! login at a terminal, and agetty, which waits there for a name.
//!
//! ```text
//! LOGIN ON tty1 BY alice                                                   util-linux
//! FAILED LOGIN 1 FROM laptop.example.com FOR alice, Authentication failure  util-linux
//! FAILED LOGIN (1) on '/dev/tty1' FOR 'alice', Authentication failure      shadow
//! 'alice' logged in  on '/dev/tty1'                                        shadow
//! ```
//!
//! The name of a failed login is what somebody typed; it stands between marks that are found from both ends.

use super::form::{self, Form, failure, success, unknown};
use super::reading::{AUTHENTICATION, AUTHENTICATION_SESSION, HOST, Reading};

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    form::find(FORMS, message)
}

/// login-utils/login.c of util-linux, src/login.c of shadow.
pub(super) const FORMS: &[Form] = &[
    root("ROOT LOGIN ON {tty} FROM {host}"),
    root("ROOT LOGIN ON {tty}"),
    unknown("login.dialup", AUTHENTICATION_SESSION, "DIALUP AT {tty} BY {user*}"),
    success("login", AUTHENTICATION_SESSION, "LOGIN ON {tty} BY {user*} FROM {host}"),
    success("login", AUTHENTICATION_SESSION, "LOGIN ON {tty} BY {user*}"),
    root("ROOT LOGIN  on '{tty}' from '{host}'"),
    root("ROOT LOGIN  on '{tty}'"),
    root("ROOT LOGIN on '{tty}' from '{host}'"),
    root("ROOT LOGIN on '{tty}'"),
    success("login", AUTHENTICATION_SESSION, "'{user*}' logged in  on '{tty}' from '{host}'"),
    success("login", AUTHENTICATION_SESSION, "'{user*}' logged in  on '{tty}'"),
    failure("login", AUTHENTICATION, "FAILED LOGIN ({count}) on '{tty}' from '{host}' FOR '{user*}', {reason*}"),
    failure("login", AUTHENTICATION, "FAILED LOGIN ({count}) on '{tty}' FOR '{user*}', {reason*}"),
    failure("login", AUTHENTICATION, "FAILED LOGIN {count} FROM {host} FOR {user*}, {reason*}"),
    failure("login", AUTHENTICATION, "FAILED LOGIN SESSION FROM {host} FOR {user*}, {reason*}"),
    failure("login", AUTHENTICATION, "FAILED LOGIN {count} ON {tty} FOR {user*}, {reason*}"),
    failure(
        "login.attempts_exceeded",
        AUTHENTICATION,
        "TOO MANY LOGIN TRIES ({count}) on '{tty}' from '{host}' FOR '{user*}'",
    ),
    failure("login.attempts_exceeded", AUTHENTICATION, "TOO MANY LOGIN TRIES ({count}) on '{tty}' FOR '{user*}'"),
    failure(
        "login.attempts_exceeded",
        AUTHENTICATION,
        "TOO MANY LOGIN TRIES ({count}) FROM {host} FOR {user*}, {reason*}",
    ),
    failure(
        "login.attempts_exceeded",
        AUTHENTICATION,
        "exceeded failure limit for '{user*}'  on '{tty}' from '{host}'",
    ),
    failure("login.attempts_exceeded", AUTHENTICATION, "exceeded failure limit for '{user*}'  on '{tty}'"),
    failure("login.attempts_exceeded", AUTHENTICATION, "REPEATED login failures on '{tty}' from '{host}'"),
    failure("login.attempts_exceeded", AUTHENTICATION, "REPEATED login failures on '{tty}'"),
    failure("login", AUTHENTICATION, "invalid password for '{user*}'  on '{tty}' from '{host}'")
        .because("invalid password"),
    failure("login", AUTHENTICATION, "invalid password for '{user*}'  on '{tty}'").because("invalid password"),
    failure("login", AUTHENTICATION, "invalid password for '{user*}' on '{tty}' from '{host}'")
        .because("invalid password"),
    failure("login", AUTHENTICATION, "invalid password for '{user*}' on '{tty}'").because("invalid password"),
    failure("login", AUTHENTICATION, "LOGIN '{user*}' REFUSED  on '{tty}' from '{host}'").because("refused"),
    failure("login", AUTHENTICATION, "LOGIN '{user*}' REFUSED  on '{tty}'").because("refused"),
    failure("login", AUTHENTICATION, "ILLEGAL ROOT LOGIN  on '{tty}' from '{host}'")
        .because("root may not log in here")
        .by("root"),
    failure("login", AUTHENTICATION, "ILLEGAL ROOT LOGIN  on '{tty}'").because("root may not log in here").by("root"),
    failure("login", AUTHENTICATION, "invalid login time for '{user*}' on '{tty}' from '{host}'")
        .because("invalid time"),
    failure("login", AUTHENTICATION, "invalid login time for '{user*}' on '{tty}'").because("invalid time"),
    failure("auth.notice", AUTHENTICATION, "no shadow password for '{user*}' on '{tty}' from '{host}'")
        .because("no shadow password"),
    failure("auth.notice", AUTHENTICATION, "no shadow password for '{user*}' on '{tty}'").because("no shadow password"),
    unknown("account.unlock", AUTHENTICATION, "login '{user*}' re-enabled after temporary lockout ({count} failures)"),
    failure("auth.unknown_user", AUTHENTICATION, "cannot find user {user*} after update of expired password"),
    failure("auth.unknown_user", AUTHENTICATION, "cannot find user {user*}").because("no such user"),
    failure("login", AUTHENTICATION, "NULL user name. Abort.").because("no user name"),
    failure("login", AUTHENTICATION, "Invalid user name \"{user*}\". Abort.").because("invalid user name"),
    failure("login.error", AUTHENTICATION, "Unable to update utmp entry for {user*}"),
    failure("login.error", AUTHENTICATION, "PAM_ABORT returned from pam_authenticate()"),
    failure("login.error", AUTHENTICATION, "Couldn't initialize PAM: {reason*}"),
    failure("login.error", AUTHENTICATION, "FATAL: {reason*}"),
    failure("login.error", AUTHENTICATION, "chown ({_*}) failed: {reason*}"),
    failure("login.error", AUTHENTICATION, "chmod ({_*}) failed: {reason*}"),
    failure("login.error", AUTHENTICATION, "TIOC{_} {reason*}"),
    failure("login.error", AUTHENTICATION, "No session entry, error {reason*}"),
    failure("login.error", AUTHENTICATION, "groups initialization failed: {reason*}"),
    failure("login.error", AUTHENTICATION, "set{_}() failed"),
    success("session.logout", AUTHENTICATION_SESSION, "logged off user '{user*}' on '{tty}'"),
];

const fn root(pattern: &'static str) -> Form {
    success("login", AUTHENTICATION_SESSION, pattern).by("root")
}

/// agetty of util-linux.
pub(super) fn getty(message: &str) -> Option<Reading<'_>> {
    form::find(GETTY, message)
}

pub(super) const GETTY: &[Form] = &[
    failure("terminal.error", HOST, "/dev/{tty}: {reason*}"),
    failure("terminal.error", HOST, "{tty}: {reason*}"),
    failure("terminal.error", HOST, "setting terminal attributes failed: {reason*}"),
    failure("terminal.error", HOST, "failed to {reason*}"),
    failure("terminal.error", HOST, "could not get terminal name: {reason*}"),
    failure("terminal.error", HOST, "checkname failed: {reason*}"),
    failure("terminal.error", HOST, "bad speed: {reason*}"),
];
