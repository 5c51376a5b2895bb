//! shadow's tools for users: useradd, usermod, userdel, passwd, chage, chfn, chsh.
//!
//! ```text
//! new user: name=bob, UID=1002, GID=1002, home=/home/bob, shell=/bin/bash, from=/dev/pts/0
//! add 'bob' to group 'sudo'
//! change user 'bob' shell from '/bin/sh' to '/bin/bash'
//! delete user 'bob'
//! ```
//!
//! Old versions quote like `` `bob' ``. These tools check names before they write them: a name holds no quote.

use super::form::{self, Form, failure, success, unknown};
use super::groups;
use super::reading::{AUTHENTICATION, CONFIGURATION, IAM, Reading, quoted};

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    tell(message).or_else(|| form::find(FORMS, message))
}

fn tell(message: &str) -> Option<Reading<'_>> {
    let (first, rest) = message.split_once(' ')?;
    match first {
        "new" => match rest.strip_prefix("user: ") {
            Some(fields) => Some(new_user(fields)),
            None => groups::read(message),
        },
        "add" | "delete" => membership(message).or_else(|| delete(rest).filter(|_| first == "delete")),
        "change" => change(rest),
        "lock" | "unlock" => {
            let (user, what) = quoted(rest.strip_prefix("user ")?)?;
            let action = if first == "lock" { "account.lock" } else { "account.unlock" };
            Some(on(user, Reading::success(action, IAM)).with("property", what.trim_start()))
        }
        "changed" => changed(rest),
        "password" => password(rest),
        "failed" => failed(rest),
        "removed" | "remove" => removed(rest),
        "group" => groups::read(message),
        _ => None,
    }
}

fn on<'a>(user: &'a str, reading: Reading<'a>) -> Reading<'a> {
    Reading { target: Some(user), ..reading }
}

/// `name=bob, UID=1002, …` in the order in which the tool writes them.
fn new_user(fields: &str) -> Reading<'_> {
    let mut reading = Reading::success("user.add", IAM);
    for (key, value) in groups::fields(fields) {
        match key {
            "name" => reading.target = Some(value),
            "UID" => reading.target_uid = Some(value),
            "GID" => reading.gid = Some(value),
            "home" => reading.detail.push(("home", value)),
            "shell" => reading.detail.push(("shell", value)),
            "from" => reading.tty = Some(value).filter(|tty| *tty != "none"),
            _ => {}
        }
    }
    reading
}

/// `add 'bob' to group 'sudo'`, `delete 'bob' from shadow group 'sudo'`.
fn membership(message: &str) -> Option<Reading<'_>> {
    let (is_add, rest) = match message.strip_prefix("add ") {
        Some(rest) => (true, rest),
        None => (false, message.strip_prefix("delete ")?),
    };
    let (user, rest) = quoted(rest)?;
    let rest = rest.strip_prefix(if is_add { " to " } else { " from " })?;
    // The same once more, for the file that holds group passwords.
    let (is_shadow, rest) = rest.strip_prefix("shadow ").map_or((false, rest), |rest| (true, rest));
    let (group, rest) = quoted(rest.strip_prefix("group ")?)?;
    if !rest.is_empty() {
        return None;
    }
    let action = match (is_add, is_shadow) {
        (true, false) => "group.member.add",
        (false, false) => "group.member.remove",
        (true, true) => "group.shadow.member.add",
        (false, true) => "group.shadow.member.remove",
    };
    Some(Reading { group: Some(group), ..on(user, Reading::success(action, IAM)) })
}

/// `user 'bob'`, `user 'bob' from group …`.
fn delete(rest: &str) -> Option<Reading<'_>> {
    let (user, _) = quoted(rest.strip_prefix("user ")?)?;
    Some(on(user, Reading::success("user.remove", IAM)))
}

/// `user 'bob' shell from '/bin/sh' to '/bin/bash'`, `user name 'bob' to 'bobby'`, `user 'bob' password`.
fn change(rest: &str) -> Option<Reading<'_>> {
    if let Some(rest) = rest.strip_prefix("user name ") {
        let (user, rest) = quoted(rest)?;
        let (new, _) = quoted(rest.strip_prefix(" to ")?)?;
        return Some(on(user, Reading::success("user.change", IAM)).with("property", "name").with("to", new));
    }
    let Some(rest) = rest.strip_prefix("user ") else {
        // `'bob' to 'bobby' in group 'sudo'`: the member got another name.
        let (user, rest) = quoted(rest)?;
        let (new, rest) = quoted(rest.strip_prefix(" to ")?)?;
        let (_, rest) = rest.split_once("group ")?;
        let reading = Reading { group: Some(quoted(rest)?.0), ..Reading::success("group.member.rename", IAM) };
        return Some(on(user, reading).with("to", new));
    };
    let (user, rest) = quoted(rest)?;
    let rest = rest.strip_prefix(' ')?;
    if rest == "password" {
        return Some(on(user, Reading::success("password.change", IAM)));
    }
    let (property, values) = rest.split_once(" from ").unwrap_or((rest, ""));
    let reading = on(user, Reading::success("user.change", IAM)).with("property", property);
    let Some((from, rest)) = quoted(values) else { return Some(reading) };
    let to = rest.strip_prefix(" to ").and_then(quoted).map_or("", |(to, _)| to);
    Some(reading.with("from", from).with("to", to))
}

/// What follows `changed`: chage, chfn and chsh.
fn changed(rest: &str) -> Option<Reading<'_>> {
    if let Some(user) = rest.strip_prefix("password expiry for ") {
        let reading = Reading::success("user.change", IAM).with("property", "password expiry");
        return Some(on(user, reading));
    }
    let (user, rest) = quoted(rest.strip_prefix("user ")?)?;
    let reading = on(user, Reading::success("user.change", IAM));
    match rest.strip_prefix(" shell to ") {
        Some(shell) => Some(reading.with("property", "shell").with("to", quoted(shell).map_or(shell, |(to, _)| to))),
        None => (rest == " information").then(|| reading.with("property", "information")),
    }
}

/// `for 'bob' changed by 'root'`: passwd without PAM.
fn password(rest: &str) -> Option<Reading<'_>> {
    let (user, by) = rest.strip_prefix("for ")?.rsplit_once(" changed by ")?;
    let bare = |text| quoted(text).map_or(text, |(inner, _)| inner);
    Some(Reading { user: Some(bare(by)), ..on(bare(user), Reading::success("password.change", IAM)) })
}

/// `adding user 'bob', data deleted`, `adding user 'bob', exit code: 9`.
fn failed(rest: &str) -> Option<Reading<'_>> {
    let (user, reason) = quoted(rest.strip_prefix("adding user ")?)?;
    let reading = Reading::failure("user.add", IAM);
    Some(Reading { reason: Some(reason.trim_start_matches([',', ' '])), ..on(user, reading) })
}

/// `group 'bob' owned by 'bob'`: the group that only this user was in goes with the user.
fn removed(rest: &str) -> Option<Reading<'_>> {
    let (is_shadow, rest) = rest.strip_prefix("shadow ").map_or((false, rest), |rest| (true, rest));
    let (group, rest) = quoted(rest.strip_prefix("group ")?)?;
    let owner = rest.strip_prefix(" owned by ").and_then(quoted).map(|(owner, _)| owner);
    let action = if is_shadow { "group.shadow.remove" } else { "group.remove" };
    Some(Reading { group: Some(group), target: owner, ..Reading::success(action, IAM) })
}

/// What these tools say besides: refusals, and files that they could not write.
pub(super) const FORMS: &[Form] = &[
    success("group.admin.rename", IAM, "change admin '{target}' to '{to}' in shadow group '{group}'"),
    failure("password.change", IAM, "incorrect password for {target*}").because("incorrect password"),
    failure("password.change", IAM, "incorrect password for `{target*}'").because("incorrect password"),
    failure("password.change", IAM, "password locked for '{target*}'").because("password locked"),
    failure("password.change", IAM, "now < minimum age for '{target*}'").because("changed too recently"),
    failure("password.change", IAM, "can't view or modify password information for {target*}").because("not allowed"),
    failure("password.change", IAM, "root is not authorized by SELinux to change the password of {target*}")
        .because("SELinux"),
    failure("password.change", IAM, "Failed to crypt password with previous salt of user '{target*}'"),
    failure("user.change", IAM, "can't change shell for '{target*}'").because("not allowed"),
    failure("user.change", IAM, "Cannot determine the user name of the caller (UID {uid})").because("caller unknown"),
    failure("user.change", IAM, "can't setuid(0)").because("can't setuid(0)"),
    success(
        "user.defaults",
        CONFIGURATION,
        "useradd defaults: GROUP={gid}, HOME={home*}, SHELL={shell*}, INACTIVE={inactive}, EXPIRE={expire*}, SKEL={skel*}",
    ),
    failure("user.add", IAM, "failed to add user {target*} to {object}"),
    failure("user.add", IAM, "failed to add user {target*}"),
    failure("user.add", IAM, "failed to prepare the new {object} entry '{target*}'"),
    failure("group.add", IAM, "failed to add group {group} to {object}"),
    failure("group.add", IAM, "failed to add group {group}"),
    failure("group.remove", IAM, "failed to remove group {group} from {object}"),
    failure("group.remove", IAM, "failed to remove group {group}"),
    failure("account.error", IAM, "failed to change {object} ({reason*})"),
    failure("account.error", IAM, "failed to unlock {object*}").because("failed to unlock"),
    failure("account.error", IAM, "failed to remove {object*}").because("failed to remove"),
    failure("account.error", IAM, "failed to {reason*}"),
    failure("account.error", IAM, "failure while writing changes to {object*}").because("failure while writing"),
    failure("account.error", IAM, "failure while closing read-only {object*}").because("failure while closing"),
    failure("account.error", IAM, "cannot open {object}: {reason*}"),
    failure("account.error", IAM, "cannot open {object*}").because("cannot open"),
    failure("account.error", IAM, "cannot delete {object*}").because("cannot delete"),
    failure("account.error", IAM, "Cannot remove {object}: {reason*}"),
    failure("account.error", IAM, "{object} not owned by {_}, not removed").because("not owned"),
    failure("account.error", IAM, "can't find the shadow password file").because("no shadow file"),
    failure("account.error", IAM, "no more available {reason*}"),
    failure("account.error", IAM, "Error checking available {reason*}"),
    failure("account.error", IAM, "shadow: unknown configuration item {reason*}"),
    failure("account.error", IAM, "unknown configuration item {reason*}"),
    failure("account.error", IAM, "cannot {reason*}"),
    failure("account.error", IAM, "{_}: sss_cache {reason*}"),
    failure("auth.error", AUTHENTICATION, "pam_{_}: {reason*}"),
    // pwck, grpck, vipw, vigr, logoutd
    success("user.line.remove", IAM, "delete passwd line '{object*}'"),
    success("user.line.remove", IAM, "delete shadow line '{object*}'"),
    success("group.line.remove", IAM, "delete group line '{object*}'"),
    success("group.line.add", IAM, "add group '{group}' to '{object}'"),
    success("group.member.remove", IAM, "delete member '{target}' from group '{group}'"),
    success("group.shadow.member.remove", IAM, "delete member '{target}' from shadow group '{group}'"),
    success("group.shadow.admin.remove", IAM, "delete admin '{target}' from shadow group '{group}'"),
    unknown("account.file.edit", IAM, "file {object*} edited"),
    // newgrp, sg
    success("group.switch", AUTHENTICATION, "user '{user}' (login '{login}' on {tty}) switched to group '{group*}'"),
    success("group.return", AUTHENTICATION, "user '{user}' (login '{login}' on {tty}) returned to group '{group*}'"),
    failure("group.switch", AUTHENTICATION, "Invalid password for group '{group}' from '{user}'")
        .because("invalid password"),
    failure("group.switch", AUTHENTICATION, "Failed to crypt password with previous salt of group '{group}'"),
    failure("group.switch", AUTHENTICATION, "unknown GID '{gid}' used by user '{user}'").because("unknown GID"),
    failure("group.switch", AUTHENTICATION, "GID '{gid}' does not exist").because("unknown GID"),
];
