//! shadow's tools for groups: groupadd, groupmod, groupdel, gpasswd.
//!
//! ```text
//! new group: name=docker, GID=998
//! group changed in /etc/group (group docker/998, new name: dock)
//! group 'docker' removed
//! user bob added by root to group docker
//! ```
//!
//! Most of them say the same for each file they write; only one of these lines is the change itself, and
//! the others are `group.file.*`.

use super::accounts;
use super::form::{self, Form, failure, success};
use super::reading::{IAM, Reading, quoted};
use crate::event::Outcome;

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    if let Some((change, file)) = of_file(message) {
        let reading = tell(change).or_else(|| form::find(FORMS, change))?;
        let action = if reading.outcome == Outcome::Success { "group.file.change" } else { reading.action };
        return Some(Reading { action, object: Some(file), ..reading });
    }
    tell(message).or_else(|| form::find(FORMS, message)).or_else(|| form::find(accounts::FORMS, message))
}

/// gpasswd of today says its change once more for each file: `… in /etc/gshadow`.
fn of_file(message: &str) -> Option<(&str, &str)> {
    let (change, name) = message.rsplit_once(" in /")?;
    let file = message.get(change.len() + " in ".len()..)?;
    (message.contains(" group ") && !name.contains([' ', ')'])).then_some((change, file))
}

fn tell(message: &str) -> Option<Reading<'_>> {
    let (first, rest) = message.split_once(' ')?;
    match first {
        "new" => Some(added("group.add", rest.strip_prefix("group: ")?)),
        "group" => group(rest),
        "user" => member(rest),
        "members" | "administrators" | "password" => settings(first, rest),
        "add" | "remove" => named_member(first, rest),
        "change" => {
            let (group, rest) = quoted(rest.strip_prefix("group ")?)?;
            let reading = Reading::success("group.change", IAM).with("property", rest.trim_start());
            Some(Reading { group: Some(group), ..reading })
        }
        _ => None,
    }
}

/// `name=bob, UID=1002`: in a home folder's path, `, ` begins the next field only where a key follows.
pub(super) fn fields(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let (key, after) = text.split_once('=')?;
        let is_key =
            |text: &str| ["name=", "UID=", "GID=", "home=", "shell=", "from="].iter().any(|k| text.starts_with(k));
        let end = after.match_indices(", ").map(|(at, _)| at).find(|at| after.get(at + 2..).is_some_and(is_key));
        let value = match end {
            Some(at) => {
                rest = after.get(at + 2..);
                after.get(..at)?
            }
            None => after,
        };
        Some((key, value))
    })
}

fn added<'a>(action: &'static str, text: &'a str) -> Reading<'a> {
    let mut reading = Reading::success(action, IAM);
    for (key, value) in fields(text) {
        match key {
            "name" => reading.group = Some(value),
            "GID" => reading.gid = Some(value),
            _ => {}
        }
    }
    reading
}

/// What follows `group`.
fn group(rest: &str) -> Option<Reading<'_>> {
    if let Some(rest) = rest.strip_prefix("added to ") {
        let (file, fields) = rest.split_once(": ")?;
        return Some(Reading { object: Some(file), ..added("group.file.add", fields) });
    }
    if let Some(rest) = rest.strip_prefix("changed in ") {
        return changed(rest);
    }
    let (group, rest) = quoted(rest)?;
    let reading = match rest.strip_prefix(" removed")? {
        "" => Reading::success("group.remove", IAM),
        from => Reading { object: from.strip_prefix(" from "), ..Reading::success("group.file.remove", IAM) },
    };
    Some(Reading { group: Some(group), ..reading })
}

/// `/etc/group (group docker/998, new name: dock)`
fn changed(rest: &str) -> Option<Reading<'_>> {
    let (file, rest) = rest.split_once(" (group ")?;
    let (group, change) = rest.strip_suffix(')').unwrap_or(rest).split_once(", ").unwrap_or((rest, ""));
    let (group, gid) = group.split_once('/').map_or((group, None), |(group, gid)| (group, Some(gid)));
    let action = if file == "/etc/group" { "group.change" } else { "group.file.change" };
    let reading = Reading::success(action, IAM).with("change", change);
    Some(Reading { object: Some(file), group: Some(group), gid, ..reading })
}

/// gpasswd: `bob added by root to group docker`.
fn member(rest: &str) -> Option<Reading<'_>> {
    let (rest, group, action) = match rest.rsplit_once(" to group ") {
        Some((rest, group)) => (rest, group, "group.member.add"),
        None => {
            let (rest, group) = rest.rsplit_once(" from group ")?;
            (rest, group, "group.member.remove")
        }
    };
    let verb = if action.ends_with("add") { " added by " } else { " removed by " };
    let (target, user) = rest.rsplit_once(verb)?;
    let reading = Reading::success(action, IAM);
    Some(Reading { user: Some(user), target: Some(target), group: Some(group), ..reading })
}

/// gpasswd: `members of group docker set by root to bob,carol`, `password of group docker changed by root`.
fn settings<'a>(what: &'a str, rest: &'a str) -> Option<Reading<'a>> {
    let rest = rest.strip_prefix("of group ")?;
    let reading = Reading::success("group.change", IAM).with("property", what);
    let verbs = [" set by ", " changed by ", " removed by "];
    let (group, by) = verbs.iter().find_map(|verb| rest.split_once(verb))?;
    let (user, to) = by.split_once(" to ").unwrap_or((by, ""));
    Some(Reading { user: Some(user), group: Some(group), ..reading }.with("to", to))
}

/// gpasswd of old: `add member bob to group docker by root`.
fn named_member<'a>(verb: &str, rest: &'a str) -> Option<Reading<'a>> {
    let (rest, user) = rest.strip_prefix("member ")?.rsplit_once(" by ")?;
    let (action, mark) = match verb {
        "add" => ("group.member.add", " to group "),
        _ => ("group.member.remove", " from group "),
    };
    let (target, group) = rest.split_once(mark)?;
    let reading = Reading::success(action, IAM);
    Some(Reading { user: Some(user), target: Some(target), group: Some(group), ..reading })
}

/// gpasswd about access, and what it failed to do.
pub(super) const FORMS: &[Form] = &[
    success("group.change", IAM, "access to group {group} restricted by {user}").marked("property", "access"),
    failure("group.member.add", IAM, "{user} failed to add user {target} to group {group}: {reason*}"),
    failure("group.member.add", IAM, "{user} failed to add user {target} to group {group}"),
    failure("group.member.remove", IAM, "{user} failed to remove user {target} from group {group}: {reason*}"),
    failure("group.member.remove", IAM, "{user} failed to remove user {target} from group {group}"),
    failed("password", "{user} failed to remove password of group {group}: {reason*}"),
    failed("password", "{user} failed to remove password of group {group}"),
    failed("access", "{user} failed to restrict access to group {group}: {reason*}"),
    failed("access", "{user} failed to restrict access to group {group}"),
    failed("administrators", "{user} failed to set the administrators of group {group} to {to}: {reason*}"),
    failed("administrators", "{user} failed to set the administrators of group {group} to {to*}"),
    failed("members", "{user} failed to set the members of group {group} to {to}: {reason*}"),
    failed("members", "{user} failed to set the members of group {group} to {to*}"),
    failed("password", "{user} failed to change password of group {group}: {reason*}"),
    failed("password", "{user} failed to change password of group {group}"),
];

const fn failed(property: &'static str, pattern: &'static str) -> Form {
    failure("group.change", IAM, pattern).marked("property", property)
}
