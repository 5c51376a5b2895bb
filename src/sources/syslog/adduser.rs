//! Debian's adduser and deluser: what they are about to do. What happened is told by the tools that they call
//! (useradd, usermod, gpasswd …), so these lines are `account.tool` and count nothing twice.

use super::form::{self, Form, failure, unknown};
use super::reading::{IAM, Reading};

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    form::find(FORMS, message)
}

pub(super) const FORMS: &[Form] = &[
    unknown("account.tool", IAM, "Adding user `{target}' to group `{group}' ...").marked("step", "add to group"),
    unknown("account.tool", IAM, "Adding user `{target}' ...").marked("step", "add user"),
    unknown("account.tool", IAM, "Adding system user `{target}' (UID {target_uid}) ...").marked("step", "add user"),
    unknown("account.tool", IAM, "Adding new user `{target}' ({target_uid}) with group `{group} ({gid})' ...")
        .marked("step", "add user"),
    unknown("account.tool", IAM, "Adding new user `{target}' (UID {target_uid}) with group `{group}' ...")
        .marked("step", "add user"),
    unknown("account.tool", IAM, "Adding new user `{target}' ({target_uid}) with group `{group}' ...")
        .marked("step", "add user"),
    unknown("account.tool", IAM, "Adding new user `{target}' to supplemental / extra groups `{to*}' ...")
        .marked("step", "add to groups"),
    unknown("account.tool", IAM, "Adding new group `{group}' (GID {gid}) ...").marked("step", "add group"),
    unknown("account.tool", IAM, "Adding new group `{group}' ({gid}) ...").marked("step", "add group"),
    unknown("account.tool", IAM, "Adding new group `{group}' (new group ID) ...").marked("step", "add group"),
    unknown("account.tool", IAM, "Adding group `{group}' (GID {gid}) ...").marked("step", "add group"),
    unknown("account.tool", IAM, "new group '{group}' created with GID {gid}").marked("step", "add group"),
    unknown("account.tool", IAM, "Removing user `{target}' from group `{group}' ...")
        .marked("step", "remove from group"),
    unknown("account.tool", IAM, "Removing user `{target}' ...").marked("step", "remove user"),
    unknown("account.tool", IAM, "Removing group `{group}' ...").marked("step", "remove group"),
    unknown("account.tool", IAM, "Removing directory `{object*}' ...").marked("step", "remove files"),
    unknown("account.tool", IAM, "Removing crontab ...").marked("step", "remove crontab"),
    unknown("account.tool", IAM, "Removing files ...").marked("step", "remove files"),
    unknown("account.tool", IAM, "Looking for files to backup/remove ...").marked("step", "remove files"),
    unknown("account.tool", IAM, "Creating home directory `{object*}' ...").marked("step", "add home"),
    unknown("account.tool", IAM, "Copying files from `{object*}' ...").marked("step", "add home"),
    unknown("account.tool", IAM, "Locking user account `{target}' ...").marked("step", "lock"),
    unknown("account.tool", IAM, "Unlocking user `{target}' ...").marked("step", "unlock"),
    unknown("account.tool", IAM, "Selecting UID from range {_} to {_} ...").marked("step", "select"),
    unknown("account.tool", IAM, "Selecting UID/GID from range {_} to {_} ...").marked("step", "select"),
    unknown("account.tool", IAM, "Selecting GID from range {_} to {_} ...").marked("step", "select"),
    failure("account.tool", IAM, "The user `{target}' {reason*}"),
    failure("account.tool", IAM, "The group `{group}' {reason*}"),
    failure("account.tool", IAM, "The system {reason*}"),
    failure("account.tool", IAM, "No {reason*}"),
    failure("account.tool", IAM, "Only root may {reason*}"),
    failure("account.tool", IAM, "WARNING: {reason*}"),
    failure("account.tool", IAM, "User `{target}' {reason*}"),
    failure("account.tool", IAM, "You may not {reason*}"),
];
