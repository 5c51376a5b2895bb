//! PAM: what single modules say, as tables. What all of them write alike is in [`super::pam`].

use super::form::{self, Form, failure, success, unknown};
use super::reading::{AUTHENTICATION, CONFIGURATION, IAM, Reading, SESSION};

/// What a module says of the attempt; the name of the module does not matter.
pub(super) fn read(text: &str) -> Option<Reading<'_>> {
    form::find(FORMS, text)
}

/// Linux-PAM 1.7 by module, then those of others.
pub(super) const FORMS: &[Form] = &[
    // pam_unix
    failure("auth.unknown_user", AUTHENTICATION, "check pass; user ({user*}) unknown")
        .because("check pass; user unknown"),
    failure("auth.unknown_user", AUTHENTICATION, "could not identify user (from uid={uid})")
        .because("could not identify user"),
    failure("password.change", IAM, "password not changed for {target*} on {_}"),
    success("password.change", IAM, "password changed for {target*} on {_}"),
    failure("password.change", IAM, "user not authenticated").because("user not authenticated"),
    failure("password.change", IAM, "password - {reason*}"),
    failure("password.change", IAM, "user password changed by another process").because("changed by another process"),
    failure("password.change", IAM, "user shadow entry expired").because("shadow entry expired"),
    failure("password.change", IAM, "Can not get username").because("no user name"),
    failure("auth.failure", AUTHENTICATION, "expired password for user {user*} (root enforced)")
        .because("root enforced"),
    unknown("auth.expiry", AUTHENTICATION, "password for user {user*} will expire in {days} days"),
    unknown("auth.more_failures", AUTHENTICATION, "service({_}) ignoring max retries; {reason*}"),
    failure("auth.error", AUTHENTICATION, "unix_chkpwd abnormal exit: {reason*}"),
    failure("auth.error", AUTHENTICATION, "unix_update abnormal exit: {reason*}"),
    failure("auth.error", AUTHENTICATION, "helper binary execve failed: {reason*}"),
    // pam_faillock, pam_tally, pam_tally2
    failure("auth.unknown_user", AUTHENTICATION, "User unknown: {user*}").because("user unknown"),
    failure("auth.unknown_user", AUTHENTICATION, "User unknown").because("user unknown"),
    failure("auth.unknown_user", AUTHENTICATION, "user unknown").because("user unknown"),
    failure("auth.error", AUTHENTICATION, "Error {_} the tally file for {user*}: {reason*}"),
    failure("auth.failure", AUTHENTICATION, "user {user*} ({uid}) has time limit [{_*}s left] since last failure")
        .because("time limit since the last failure"),
    unknown("account.unlock.request", IAM, "Tally overflowed for user {target*}"),
    success("account.unlock", IAM, "user {target*} ({target_uid}) tally reset"),
    // pam_access, pam_nologin, pam_time, pam_limits, pam_securetty, pam_listfile, pam_shells, pam_lastlog
    failure("auth.denied", AUTHENTICATION, "access denied for user `{user*}' from `{host}'").because("access denied"),
    failure("auth.denied", AUTHENTICATION, "access denied: tty '{tty}' is not secure !")
        .because("terminal is not secure"),
    failure("auth.denied", AUTHENTICATION, "Refused user {user*} for service {_}").because("refused by list"),
    failure("auth.denied", AUTHENTICATION, "User has an invalid shell '{object*}'").because("invalid shell"),
    failure("auth.denied", AUTHENTICATION, "user {user*} inactive for {days} days - denied").because("inactive"),
    failure("auth.denied", AUTHENTICATION, "No logins allowed for '{user*}'").because("no logins allowed"),
    failure("auth.denied", AUTHENTICATION, "Too many logins (max {max}) for {user*}").because("too many logins"),
    failure("auth.denied", AUTHENTICATION, "Too many system logins (max {max})").because("too many system logins"),
    failure("auth.denied", AUTHENTICATION, "User {user*} processes are running. Exclusive login not allowed")
        .because("exclusive login"),
    failure("auth.denied", AUTHENTICATION, "User {user*} with exclusive login already logged in")
        .because("exclusive login"),
    failure("auth.denied", AUTHENTICATION, "denied access to {user}@{host} as {as*}").because("rhosts"),
    success("auth.success", AUTHENTICATION, "allowed access to {user}@{host} as {as*}").because("rhosts"),
    // pam_wheel, pam_succeed_if, pam_rootok
    failure("auth.denied", AUTHENTICATION, "Access denied to '{as*}' for '{user*}'").because("not in the group"),
    success("auth.allowed", AUTHENTICATION, "Access granted to '{as*}' for '{user*}'").because("in the group"),
    unknown("auth.notice", AUTHENTICATION, "Ignoring access request '{as*}' for '{user*}'"),
    success("auth.allowed", AUTHENTICATION, "requirement \"{reason*}\" was met by user \"{user*}\""),
    failure("auth.unknown_user", AUTHENTICATION, "error retrieving information about user {user*}")
        .because("error retrieving information"),
    failure("auth.unknown_user", AUTHENTICATION, "unknown user {user*}").because("unknown user"),
    failure("auth.unknown_user", AUTHENTICATION, "open_session username '{user*}' does not exist")
        .because("does not exist"),
    failure("auth.unknown_user", AUTHENTICATION, "open_session unknown user '{user*}'").because("unknown user"),
    failure("auth.unknown_user", AUTHENTICATION, "error: login user-name '{user*}' does not exist")
        .because("does not exist"),
    failure("auth.error", SESSION, "set_loginuid failed").because("set_loginuid failed"),
    failure("auth.error", SESSION, "Error writing /proc/self/loginuid: {reason*}"),
    failure("auth.error", SESSION, "Cannot open /proc/self/loginuid: {reason*}"),
    failure("auth.error", SESSION, "Unable to look up user \"{user*}\"").because("unable to look up user"),
    // pam_timestamp, pam_exec, pam_warn, pam_userdb
    success(
        "auth.success",
        AUTHENTICATION,
        "timestamp file `{object*}' is only {seconds} seconds old, allowing access to {service} for user {user*}",
    ),
    failure(
        "auth.failure",
        AUTHENTICATION,
        "timestamp file `{object*}' has unacceptable age ({seconds} seconds), disallowing access to {service} for user {user*}",
    ),
    failure(
        "auth.failure",
        AUTHENTICATION,
        "timestamp file `{object*}' is older than oldest login, disallowing access to {service} for user {user*}",
    ),
    unknown("auth.exec", AUTHENTICATION, "Calling {command*} ..."),
    failure("auth.exec", AUTHENTICATION, "{object} failed: exit code {exit}"),
    failure("auth.exec", AUTHENTICATION, "{object} failed: caught signal {signal*}"),
    unknown(
        "auth.notice",
        AUTHENTICATION,
        "function=[{function}] flags={flags} service=[{_*}] terminal=[{tty*}] user=[{user*}] ruser=[{ruser*}] rhost=[{_*}]",
    ),
    failure("auth.failure", AUTHENTICATION, "user `{user*}' denied access (incorrect password)")
        .because("incorrect password"),
    failure("auth.unknown_user", AUTHENTICATION, "user `{user*}' not found in the database")
        .because("not in the database"),
    success("auth.success", AUTHENTICATION, "user '{user*}' granted access"),
    // pam_pwhistory, pam_pwquality, pam_cracklib, pam_passwdqc
    failure("password.change", IAM, "bad password: {reason*}"),
    failure("password.change", IAM, "Password has been already used{_*}").because("already used"),
    failure("password.change", IAM, "pam_get_authtok_verify returned error: {reason*}"),
    failure("auth.error", AUTHENTICATION, "pam_get_authtok returned error: {reason*}"),
    // pam_sss
    failure("auth.denied", AUTHENTICATION, "Access denied for user {user*}: {reason*}"),
    failure("password.change", IAM, "Password change failed for user {target*}: {reason*}"),
    failure("auth.failure", AUTHENTICATION, "Authentication failed for user {user*}: {reason*}"),
    failure("auth.error", AUTHENTICATION, "Request to sssd failed. {reason*}"),
    unknown("auth.notice", AUTHENTICATION, "User info message: {reason*}"),
    // pam_krb5 of both families
    success("auth.success", AUTHENTICATION, "user {user*} authenticated as {principal}"),
    failure("auth.failure", AUTHENTICATION, "user {user*} not authenticated: {reason*}"),
    success("auth.success", AUTHENTICATION, "authentication succeeds for '{user*}' ({principal*})"),
    failure("auth.failure", AUTHENTICATION, "authentication fails for '{user*}' ({principal*}): {reason*}"),
    failure("auth.failure", AUTHENTICATION, "(user {user*}) {reason*}"),
    failure("auth.failure", AUTHENTICATION, "TGT verification failed for '{user*}'").because("TGT verification failed"),
    success("auth.success", AUTHENTICATION, "TGT verified using key for '{principal*}'"),
    failure("auth.unknown_user", AUTHENTICATION, "error resolving user name '{user*}' to uid/gid pair")
        .because("no such user"),
    success("password.change", IAM, "user {target*} changed Kerberos password"),
    // pam_ldap of nslcd and of PADL
    failure("auth.failure", AUTHENTICATION, "Authentication failure; user={user*}").because("authentication failure"),
    failure("auth.failure", AUTHENTICATION, "Invalid credentials; user={user*}").because("invalid credentials"),
    success("auth.success", AUTHENTICATION, "nslcd authentication; user={user*}"),
    success("auth.allowed", AUTHENTICATION, "nslcd authorisation; user={user*}"),
    failure(
        "auth.unknown_user",
        AUTHENTICATION,
        "User not known to the underlying authentication module; user={user*}",
    )
    .because("user unknown"),
    failure("auth.denied", AUTHENTICATION, "Permission denied; user={user*}").because("permission denied"),
    failure("auth.failure", AUTHENTICATION, "error trying to bind as user \"{user*}\" ({reason*})"),
    failure("auth.error", AUTHENTICATION, "ldap_{_} {reason*}"),
    // pam_winbind
    success("auth.success", AUTHENTICATION, "user '{user*}' OK"),
    failure("auth.failure", AUTHENTICATION, "user '{user*}' denied access ({reason*})"),
    failure("auth.failure", AUTHENTICATION, "request {_} failed: {_*}, PAM error: {_*}, Error message was: {reason*}"),
    failure("auth.failure", AUTHENTICATION, "request {_} failed: {reason*}"),
    failure("auth.error", AUTHENTICATION, "internal module error (retval = {reason*}, user = '{user*}')"),
    failure("auth.error", AUTHENTICATION, "internal module error (retval = {reason*}, user = `{user*}'"),
    unknown("auth.notice", AUTHENTICATION, "getting password ({_*})"),
    unknown("auth.notice", AUTHENTICATION, "pam_get_item returned a password"),
    // pam_google_authenticator, pam_oath, pam_u2f, pam_duo
    success("auth.success", AUTHENTICATION, "Accepted google_authenticator for {user*}").because("one-time code"),
    failure("auth.failure", AUTHENTICATION, "Invalid verification code for {user*}")
        .because("invalid verification code"),
    failure("auth.failure", AUTHENTICATION, "Invalid verification code").because("invalid verification code"),
    failure("auth.failure", AUTHENTICATION, "Trying to reuse a previously used time-based code. {_*}")
        .because("reused code"),
    failure("auth.failure", AUTHENTICATION, "Too many concurrent login attempts{_*}").because("too many attempts"),
    failure("auth.error", AUTHENTICATION, "Failed to read \"{object*}\" for \"{user*}\""),
    failure("auth.error", AUTHENTICATION, "Secret file permissions ({_}) are more permissive than {_*}")
        .because("secret file that others may read"),
    unknown("auth.notice", AUTHENTICATION, "No secret configured for user {user*}, asking for code anyway."),
    failure("auth.failure", AUTHENTICATION, "One-time password not authorized to login as user '{user*}'")
        .because("one-time password"),
    success("auth.success", AUTHENTICATION, "Successful Duo login for '{user*}' from {host}"),
    success("auth.success", AUTHENTICATION, "Successful Duo login for '{user*}'"),
    failure("auth.failure", AUTHENTICATION, "Failed Duo login for '{user*}' from {host}"),
    failure("auth.failure", AUTHENTICATION, "Aborted Duo login for '{user*}' from {host}: {reason*}"),
    failure("auth.failure", AUTHENTICATION, "Aborted Duo login for '{user*}': {reason*}"),
    success("auth.success", AUTHENTICATION, "Skipped Duo login for '{user*}' from {host}: {reason*}"),
    success("auth.success", AUTHENTICATION, "Skipped Duo login for '{user*}': {reason*}"),
    success("auth.success", AUTHENTICATION, "Failsafe Duo login for '{user*}' from {host}: {reason*}"),
    success("auth.success", AUTHENTICATION, "Failsafe Duo login for '{user*}': {reason*}"),
    // pam_systemd, pam_mkhomedir, pam_env, pam_motd, pam_selinux
    failure("session.error", SESSION, "Failed to create session: {reason*}"),
    failure("session.error", SESSION, "Failed to release session: {reason*}"),
    failure("session.error", SESSION, "Failed to get user record: {reason*}"),
    failure("session.error", SESSION, "pam_putenv: {reason*}"),
    unknown("auth.notice", SESSION, "Creating directory '{object*}'."),
    unknown("auth.notice", SESSION, "deprecated reading of user environment enabled")
        .because("deprecated reading of user environment enabled"),
    unknown("auth.notice", SESSION, "Unable to open env file: {object}: {reason*}"),
    unknown("auth.notice", SESSION, "Unable to open env file: {object*}"),
    failure("auth.denied", SESSION, "Security context {from} is not allowed for {to*}").because("security context"),
    // Any module's quarrels with its own settings.
    unknown("auth.setting", CONFIGURATION, "unknown option: {reason*}"),
    unknown("auth.setting", CONFIGURATION, "unrecognized option {reason*}"),
    unknown("auth.setting", CONFIGURATION, "cannot determine user name{_*}"),
];

/// libpam itself, in the name of any program.
pub(super) fn library(message: &str) -> Option<Reading<'_>> {
    form::find(LIBRARY, message)
}

pub(super) const LIBRARY: &[Form] = &[
    failure("auth.error", CONFIGURATION, "PAM unable to dlopen({object*}): {reason*}"),
    failure("auth.error", CONFIGURATION, "PAM unable to {reason*}"),
    failure("auth.error", CONFIGURATION, "PAM adding faulty module: {object*}").because("faulty module"),
    failure("auth.error", CONFIGURATION, "PAM bad jump in stack{_*}").because("bad jump in stack"),
    failure("auth.error", CONFIGURATION, "PAM error {reason*}"),
    failure("auth.error", CONFIGURATION, "PAM no modules loaded for `{service}' service").because("no modules loaded"),
    failure("auth.error", CONFIGURATION, "PAM pam_{_}: {reason*}"),
    failure("auth.error", CONFIGURATION, "PAM _pam_{_}: {reason*}"),
];

/// unix_chkpwd, unix_update and pwhistory_helper, which read the files for pam_unix.
pub(super) fn helper(message: &str) -> Option<Reading<'_>> {
    form::find(HELPERS, message)
}

pub(super) const HELPERS: &[Form] = &[
    failure("auth.check", AUTHENTICATION, "password check failed for user ({user*})").because("password check failed"),
    failure("auth.unknown_user", AUTHENTICATION, "check pass; user unknown").because("check pass; user unknown"),
    failure("auth.unknown_user", AUTHENTICATION, "could not obtain user info ({user*})")
        .because("could not obtain user info"),
    failure("auth.check", AUTHENTICATION, "inappropriate use of Unix helper binary [UID={uid}]")
        .because("called by hand"),
    failure("auth.check", AUTHENTICATION, "mismatch of {reason*}"),
    failure("auth.check", AUTHENTICATION, "user mismatch detected: {reason*}"),
    unknown("auth.check", AUTHENTICATION, "no password supplied").because("no password supplied"),
    success("password.change", IAM, "password changed for {target*}"),
];
