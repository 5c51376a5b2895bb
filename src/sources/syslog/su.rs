//! su: of util-linux, of shadow, of busybox and of the BSDs; runuser.
//!
//! | written | by |
//! |---------|----|
//! | `(to root) alice on pts/0`, `FAILED SU (to root) alice on pts/0` | util-linux |
//! | `Successful su for root by alice`, `FAILED su for root by alice` | shadow |
//! | `+ /dev/pts/0 alice:root`, `- /dev/pts/0 alice:root` | shadow, besides the line above: `su.terminal`; busybox alone |
//! | `alice to root on /dev/pts/0`, `BAD SU alice to root on /dev/pts/0` | BSD |
//!
//! The one who asks has a local account; the name asked for may be any text.

use super::form::{self, Form, failure, success, unknown};
use super::reading::{AUTHENTICATION, AUTHENTICATION_SESSION, Reading, SESSION};

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    form::find(FORMS, message)
}

pub(super) const FORMS: &[Form] = &[
    success("su.session", AUTHENTICATION_SESSION, "(to {as*}) {user} on {tty}"),
    success("su.session", AUTHENTICATION_SESSION, "(to {as*})  on {tty}"),
    failure("su.session", AUTHENTICATION_SESSION, "FAILED SU (to {as*}) {user} on {tty}"),
    failure("su.session", AUTHENTICATION_SESSION, "FAILED SU (to {as*})  on {tty}"),
    failure("su.session", AUTHENTICATION_SESSION, "FAILED RUNUSER (to {as*}) {user} on {tty}"),
    success("su.session", AUTHENTICATION_SESSION, "Successful su for {as*} by {user}"),
    failure("su.session", AUTHENTICATION_SESSION, "FAILED su for {as*} by {user}"),
    failure("su.session", AUTHENTICATION_SESSION, "BAD SU {user} to {as*} on {tty}"),
    success("su.terminal", SESSION, "+ {tty} {user}:{as*}"),
    failure("su.terminal", SESSION, "- {tty} {user}:{as*}"),
    success("su.terminal", SESSION, "+ {tty} {user}-{as*}"),
    failure("su.terminal", SESSION, "- {tty} {user}-{as*}"),
    // src/su.c and src/suauth.c of shadow
    failure("su.refused", AUTHENTICATION_SESSION, "SU by {user} to restricted account {as*}")
        .because("restricted account"),
    failure("su.refused", AUTHENTICATION_SESSION, "DENIED su from '{user}' to '{as*}' ({object})")
        .because("denied by list"),
    unknown("su.rule", AUTHENTICATION, "NO password asked for su from '{user}' to '{as*}' ({object})")
        .because("no password asked"),
    unknown("su.rule", AUTHENTICATION, "su from '{user}' to '{as*}': asking for user's own password ({object})")
        .because("asked for the user's own password"),
    failure("su.refused", AUTHENTICATION_SESSION, "No passwd entry for user '{as*}'").because("no such user"),
    failure("su.refused", AUTHENTICATION_SESSION, "Overlong user name '{as*}'").because("overlong name"),
    failure("su.refused", AUTHENTICATION_SESSION, "Authentication failed for {as*}").because("authentication failed"),
    unknown("su.rule", AUTHENTICATION, "Change user from '{from}' to '{as*}' as requested by PAM"),
    failure("su.error", SESSION, "Will not execute {command*}"),
    failure("su.error", SESSION, "Cannot execute {command*}"),
    failure("su.error", SESSION, "Cannot determine the user name of the caller (UID {uid})"),
    failure("su.error", SESSION, "There is no UID 0 user.").because("there is no UID 0 user"),
    failure("su.error", SESSION, "pam_{_}: {reason*}"),
    failure("su.error", SESSION, "pam_get_item: {reason*}"),
    success("su.session", AUTHENTICATION_SESSION, "{user} to {as*} on {tty}"),
];
