//! sftp-server and sshd's internal-sftp: which files somebody touched.
//!
//! ```text
//! session opened for local user ana from [203.0.113.7]
//! open "/srv/a b" flags WRITE,CREATE,TRUNCATE mode 0644
//! sent status Permission denied
//! ```
//!
//! Paths are what the client sent; sftp-server writes them between quotes without escaping what is within.

use super::form::{self, Form, failure, success, unknown};
use super::reading::{FILE, Reading, SESSION};

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    form::find(FORMS, message.strip_prefix("error: ").or_else(|| message.strip_prefix("fatal: ")).unwrap_or(message))
}

/// sftp-server.c
pub(super) const FORMS: &[Form] = &[
    success("sftp.session.start", SESSION, "session opened for local user {user*} from [{host}]"),
    success("sftp.session.end", SESSION, "session closed for local user {user*} from [{host}]"),
    unknown("sftp.open", FILE, "open \"{object*}\" flags {flags} mode {mode}"),
    unknown("sftp.close", FILE, "close \"{object*}\" bytes read {read_bytes} written {written_bytes}"),
    unknown("sftp.close", FILE, "forced close \"{object*}\" bytes read {read_bytes} written {written_bytes}"),
    unknown("sftp.list", FILE, "opendir \"{object*}\""),
    unknown("sftp.close", FILE, "closedir \"{object*}\""),
    unknown("sftp.close", FILE, "forced closedir \"{object*}\""),
    unknown("sftp.remove", FILE, "remove name \"{object*}\""),
    unknown("sftp.mkdir", FILE, "mkdir name \"{object*}\" mode {mode}"),
    unknown("sftp.rmdir", FILE, "rmdir name \"{object*}\""),
    unknown("sftp.rename", FILE, "rename old \"{object*}\" new \"{to*}\""),
    unknown("sftp.rename", FILE, "posix-rename old \"{object*}\" new \"{to*}\""),
    unknown("sftp.link", FILE, "symlink old \"{object*}\" new \"{to*}\""),
    unknown("sftp.link", FILE, "hardlink old \"{object*}\" new \"{to*}\""),
    unknown("sftp.change", FILE, "set \"{object*}\" size {size}"),
    unknown("sftp.change", FILE, "set \"{object*}\" mode {mode}"),
    unknown("sftp.change", FILE, "set \"{object*}\" modtime {modified}"),
    unknown("sftp.change", FILE, "set \"{object*}\" owner {owner} group {owner_group}"),
    unknown("sftp.stat", FILE, "stat name \"{object*}\""),
    unknown("sftp.stat", FILE, "lstat name \"{object*}\""),
    unknown("sftp.stat", FILE, "statvfs \"{object*}\""),
    unknown("sftp.stat", FILE, "realpath \"{object*}\""),
    unknown("sftp.stat", FILE, "readlink \"{object*}\""),
    unknown("sftp.stat", FILE, "expand \"{object*}\""),
    unknown("sftp.stat", FILE, "home-directory \"{object*}\""),
    unknown("sftp.stat", FILE, "limits"),
    unknown("sftp.stat", FILE, "users-groups-by-id: {reason*}"),
    unknown("sftp.sync", FILE, "fsync \"{object*}\""),
    unknown("sftp.copy", FILE, "copy-data from \"{object*}\" ({_*}) to \"{to*}\" ({_*})"),
    unknown("sftp.status", FILE, "sent status {reason*}"),
    unknown("sftp.start", SESSION, "received client version {version}"),
    failure("sftp.refused", FILE, "Refusing {request} request in read-only mode").because("read-only mode"),
    failure("sftp.refused", FILE, "Refusing denylisted {request} request").because("on the list of denied requests"),
    failure("sftp.refused", FILE, "Refusing blacklisted {request} request").because("on the list of denied requests"),
    failure("sftp.refused", FILE, "Refusing non-allowlisted {request} request")
        .because("not on the list of allowed requests"),
    failure("sftp.refused", FILE, "Refusing non-whitelisted {request} request")
        .because("not on the list of allowed requests"),
    failure("sftp.error", FILE, "bad message from {host} local user {user*}").because("bad message"),
    failure("sftp.error", FILE, "process_{_}: {reason*}"),
    failure("sftp.error", FILE, "Unknown extended request \"{request*}\"").because("unknown request"),
    failure("sftp.error", FILE, "Unknown message {request}").because("unknown message"),
    failure("sftp.error", FILE, "chdir to \"{object*}\" failed: {reason*}"),
    failure("sftp.error", FILE, "Malformed SSH_CONNECTION variable: {reason*}"),
];
