//! FTP: vsftpd, proftpd and pure-ftpd, as far as they log to syslog.
//!
//! ```text
//! [ana] OK LOGIN: Client "203.0.113.7"                               vsftpd
//! ftp-1 (203.0.113.7[203.0.113.7]) - USER ana: Login successful.     proftpd
//! (ana@203.0.113.7) [INFO] ana is now logged in                      pure-ftpd
//! ```
//!
//! Names are what somebody typed. vsftpd writes them before the address, which ends the line.

use super::form::{self, Form, failure, success, unknown};
use super::reading::{AUTHENTICATION, AUTHENTICATION_SESSION, FILE, NETWORK, Reading, SESSION};

pub(super) fn vsftpd(message: &str) -> Option<Reading<'_>> {
    let message =
        message.strip_prefix("[pid ").and_then(|rest| rest.split_once("] ")).map_or(message, |(_, rest)| rest);
    form::find(VSFTPD, message)
}

pub(super) fn proftpd(message: &str) -> Option<Reading<'_>> {
    form::find(PROFTPD, message)
}

pub(super) fn pure_ftpd(message: &str) -> Option<Reading<'_>> {
    form::find(PURE_FTPD, message)
}

/// logging.c
pub(super) const VSFTPD: &[Form] = &[
    success("ftp.login", AUTHENTICATION_SESSION, "[{user*}] OK LOGIN: Client \"{host}\""),
    success(
        "ftp.login",
        AUTHENTICATION_SESSION,
        "[{user*}] OK LOGIN: Client \"{host}\", anon password \"{anonymous*}\"",
    ),
    failure("ftp.login", AUTHENTICATION, "[{user*}] FAIL LOGIN: Client \"{host}\""),
    unknown("ftp.connection", NETWORK, "CONNECT: Client \"{host}\""),
    unknown("ftp.connection", NETWORK, "[{user*}] CONNECT: Client \"{host}\""),
    failure("ftp.refused", NETWORK, "CONNECT: Client \"{host}\", \"{reason*}\""),
    success("ftp.upload", FILE, "[{user*}] OK UPLOAD: Client \"{host}\", \"{object*}\", {bytes} bytes, {speed}"),
    failure("ftp.upload", FILE, "[{user*}] FAIL UPLOAD: Client \"{host}\", \"{object*}\", {speed*}"),
    success("ftp.download", FILE, "[{user*}] OK DOWNLOAD: Client \"{host}\", \"{object*}\", {bytes} bytes, {speed}"),
    failure("ftp.download", FILE, "[{user*}] FAIL DOWNLOAD: Client \"{host}\", \"{object*}\", {speed*}"),
    success("ftp.remove", FILE, "[{user*}] OK DELETE: Client \"{host}\", \"{object*}\""),
    failure("ftp.remove", FILE, "[{user*}] FAIL DELETE: Client \"{host}\", \"{object*}\""),
    success("ftp.mkdir", FILE, "[{user*}] OK MKDIR: Client \"{host}\", \"{object*}\""),
    failure("ftp.mkdir", FILE, "[{user*}] FAIL MKDIR: Client \"{host}\", \"{object*}\""),
    success("ftp.rmdir", FILE, "[{user*}] OK RMDIR: Client \"{host}\", \"{object*}\""),
    failure("ftp.rmdir", FILE, "[{user*}] FAIL RMDIR: Client \"{host}\", \"{object*}\""),
    success("ftp.rename", FILE, "[{user*}] OK RENAME: Client \"{host}\", \"{object*}\""),
    failure("ftp.rename", FILE, "[{user*}] FAIL RENAME: Client \"{host}\", \"{object*}\""),
    success("ftp.change", FILE, "[{user*}] OK CHMOD: Client \"{host}\", \"{object*}\""),
    failure("ftp.change", FILE, "[{user*}] FAIL CHMOD: Client \"{host}\", \"{object*}\""),
    unknown("ftp.protocol", NETWORK, "[{user*}] FTP response: Client \"{host}\", \"{reason*}\""),
    unknown("ftp.protocol", NETWORK, "[{user*}] FTP command: Client \"{host}\", \"{reason*}\""),
    unknown("ftp.protocol", NETWORK, "FTP response: Client \"{host}\", \"{reason*}\""),
    unknown("ftp.protocol", NETWORK, "FTP command: Client \"{host}\", \"{reason*}\""),
    unknown("ftp.protocol", NETWORK, "DEBUG: Client \"{host}\", \"{reason*}\""),
];

/// `SERVER (CLIENT[ADDRESS]) - MESSAGE`
pub(super) const PROFTPD: &[Form] = &[
    success("ftp.login", AUTHENTICATION_SESSION, "{_} ({_}[{host}]) - USER {user*}: Login successful."),
    success("ftp.login", AUTHENTICATION_SESSION, "{_} ({_}[{host}]) - ANON {user*}: Login successful."),
    failure("ftp.login", AUTHENTICATION, "{_} ({_}[{host}]) - USER {user*} (Login failed): {reason*}"),
    failure("ftp.login", AUTHENTICATION, "{_} ({_}[{host}]) - USER {user*}: no such user found from {_} [{_}] to {_}")
        .because("no such user"),
    failure(
        "ftp.attempts_exceeded",
        AUTHENTICATION,
        "{_} ({_}[{host}]) - Maximum login attempts ({count}) exceeded, connection refused",
    ),
    failure("ftp.refused", AUTHENTICATION, "{_} ({_}[{host}]) - SECURITY VIOLATION: {reason*}"),
    unknown("ftp.session.start", SESSION, "{_} ({_}[{host}]) - FTP session opened."),
    unknown("ftp.session.end", SESSION, "{_} ({_}[{host}]) - FTP session closed."),
    unknown("ftp.session.start", SESSION, "{_} ({_}[{host}]) - SSH2 session opened."),
    unknown("ftp.session.end", SESSION, "{_} ({_}[{host}]) - SSH2 session closed."),
    unknown("ftp.notice", NETWORK, "{_} ({_}[{host}]) - {reason*}"),
    unknown("ftp.notice", NETWORK, "{_} - {reason*}"),
];

/// `(USER@HOST) [LEVEL] MESSAGE`
pub(super) const PURE_FTPD: &[Form] = &[
    success("ftp.login", AUTHENTICATION_SESSION, "({_}@{host}) [INFO] {user*} is now logged in"),
    failure("ftp.login", AUTHENTICATION, "({_}@{host}) [WARNING] Authentication failed for user [{user*}]"),
    unknown("ftp.connection", NETWORK, "({_}@{_}) [INFO] New connection from {host}"),
    unknown("ftp.session.end", SESSION, "({user}@{host}) [INFO] Logout."),
    unknown("ftp.session.end", SESSION, "({user}@{host}) [INFO] Timeout{_*}").because("timeout"),
    success("ftp.upload", FILE, "({user}@{host}) [NOTICE] {object*} uploaded  ({bytes} bytes, {speed}/sec)"),
    success("ftp.download", FILE, "({user}@{host}) [NOTICE] {object*} downloaded  ({bytes} bytes, {speed}/sec)"),
    success("ftp.remove", FILE, "({user}@{host}) [NOTICE] Deleted {object*}"),
    unknown("ftp.notice", NETWORK, "({_}@{host}) [{_}] {reason*}"),
];
