//! dropbear: logins over SSH on small machines.
//!
//! ```text
//! Password auth succeeded for 'root' from 203.0.113.7:50122
//! Exit (root) from <203.0.113.7:50122>: Disconnect received
//! ```
//!
//! An attempt is one `auth succeeded` or `attempt for` line. Names of users who do not exist are not written.

use super::form::{self, Form, failure, success, unknown};
use super::reading::{AUTHENTICATION, AUTHENTICATION_SESSION, NETWORK, PROCESS, Reading, SESSION};

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    form::find(FORMS, message)
}

/// svr-auth.c, svr-authpasswd.c, svr-authpam.c, svr-authpubkey.c, svr-session.c, svr-chansession.c, svr-main.c
pub(super) const FORMS: &[Form] = &[
    success("ssh.login", AUTHENTICATION_SESSION, "Password auth succeeded for '{user*}' from {host}:{port}")
        .marked("method", "password"),
    success("ssh.login", AUTHENTICATION_SESSION, "PAM password auth succeeded for '{user*}' from {host}:{port}")
        .marked("method", "password"),
    success(
        "ssh.login",
        AUTHENTICATION_SESSION,
        "Pubkey auth succeeded for '{user*}' with {key_type} key {key} from {host}:{port}",
    )
    .marked("method", "publickey"),
    success(
        "ssh.login",
        AUTHENTICATION_SESSION,
        "Pubkey auth succeeded for '{user*}' with key {_} {key} from {host}:{port}",
    )
    .marked("method", "publickey"),
    success("ssh.login", AUTHENTICATION_SESSION, "Auth succeeded with blank password for '{user*}' from {host}:{port}")
        .marked("method", "none"),
    unknown(
        "ssh.auth.partial",
        AUTHENTICATION,
        "Password auth succeeded for '{user*}' from {host}:{port}, extra auth required",
    )
    .marked("method", "password"),
    unknown(
        "ssh.auth.partial",
        AUTHENTICATION,
        "PAM password auth succeeded for '{user*}' from {host}:{port}, extra auth required",
    )
    .marked("method", "password"),
    unknown(
        "ssh.auth.partial",
        AUTHENTICATION,
        "Pubkey auth succeeded for '{user*}' with {key_type} key {key} from {host}:{port}, extra auth required",
    )
    .marked("method", "publickey"),
    failure("ssh.login", AUTHENTICATION, "Bad password attempt for '{user*}' from {host}:{port}")
        .marked("method", "password"),
    failure("ssh.login", AUTHENTICATION, "Bad PAM password attempt for '{user*}' from {host}:{port}")
        .marked("method", "password"),
    failure("ssh.login", AUTHENTICATION, "Too-long password attempt for '{user*}' from {host}:{port}")
        .because("password too long")
        .marked("method", "password"),
    failure("ssh.login", AUTHENTICATION, "Pubkey auth bad signature for '{user*}' with key {key} from {host}:{port}")
        .because("bad signature")
        .marked("method", "publickey"),
    failure("ssh.invalid_user", AUTHENTICATION, "Login attempt for nonexistent user from {host}:{port}"),
    failure("ssh.invalid_user", AUTHENTICATION, "Login attempt for nonexistent user '{user*}' from {host}:{port}"),
    failure("ssh.refused", AUTHENTICATION, "Login attempt with wrong user {user*} from {host}:{port}")
        .because("wrong user"),
    failure(
        "ssh.refused",
        AUTHENTICATION,
        "Logins are restricted to the group {group} but user '{user*}' is not a member",
    )
    .because("not in the group that may log in"),
    failure("ssh.refused", AUTHENTICATION, "User '{user*}' has invalid shell, rejected").because("invalid shell"),
    failure("ssh.refused", AUTHENTICATION, "User '{user*}' has blank password, rejected").because("blank password"),
    failure("ssh.refused", AUTHENTICATION, "User account '{user*}' is locked").because("account is locked"),
    failure("ssh.refused", AUTHENTICATION, "user '{user*}' has invalid shell, rejected").because("invalid shell"),
    failure("ssh.refused", AUTHENTICATION, "user '{user*}' has blank password, rejected").because("blank password"),
    failure("ssh.refused", AUTHENTICATION, "root login rejected").because("root may not log in"),
    unknown("ssh.connection", NETWORK, "Child connection from {host}:{port}"),
    unknown("ssh.logout", AUTHENTICATION_SESSION, "Exit ({user*}) from <{host}:{port}>: {reason*}"),
    failure(
        "ssh.attempts_exceeded",
        AUTHENTICATION,
        "Exit before auth from <{host}:{port}>: (user '{user*}', {count} fails): Max auth tries reached - user '{_*}'",
    ),
    failure(
        "ssh.attempts_exceeded",
        AUTHENTICATION,
        "Exit before auth from <{host}:{port}>: Max auth tries reached - user '{user*}' from {_}",
    )
    .because("too many attempts"),
    unknown(
        "ssh.disconnect",
        NETWORK,
        "Exit before auth from <{host}:{port}>: (user '{user*}', {count} fails): {reason*}",
    ),
    unknown("ssh.disconnect", NETWORK, "Exit before auth from <{host}:{port}>: {reason*}"),
    unknown("ssh.disconnect", NETWORK, "Exit before auth (user '{user*}', {count} fails): {reason*}"),
    unknown("ssh.disconnect", NETWORK, "Exit before auth: {reason*}"),
    unknown("ssh.logout", AUTHENTICATION_SESSION, "Exit ({user*}): {reason*}"),
    success("ssh.session.start", SESSION, "User {user*} executing login shell").marked("session", "shell"),
    success("ssh.session.start", SESSION, "User {user} executing '{command*}'").marked("session", "command"),
    unknown("ssh.forced_command", SESSION, "Command forced to '{command*}'"),
    unknown("ssh.start", PROCESS, "Running in background"),
    unknown("ssh.start", PROCESS, "Not backgrounding"),
    unknown("ssh.stop", PROCESS, "Early exit: {reason*}"),
    unknown("ssh.stop", PROCESS, "Premature exit: {reason*}"),
    unknown("ssh.stop", PROCESS, "Terminated by signal"),
    failure("ssh.error", NETWORK, "pam_{_}() failed, rc={code}, {reason*}"),
    failure("ssh.error", NETWORK, "PAM unknown prompt {reason*}"),
    failure("ssh.error", NETWORK, "{object} must be owned by user or root, and not writable by group or others")
        .because("files that others may write"),
    failure("ssh.error", NETWORK, "Failed {reason*}"),
    failure("ssh.error", NETWORK, "Error {reason*}"),
    unknown("ssh.notice", SESSION, "Port forwarding disabled."),
    unknown("ssh.notice", SESSION, "Agent forwarding disabled."),
    unknown("ssh.notice", SESSION, "X11 forwarding disabled."),
    unknown("ssh.notice", SESSION, "Pty allocation disabled."),
    unknown("ssh.notice", SESSION, "Restrict option set"),
    unknown("ssh.notice", SESSION, "Bad public key options at {object*}"),
    unknown("ssh.notice", NETWORK, "Child connection {reason*}"),
];
