//! PAM: what its modules say in the name of any program.
//!
//! ```text
//! pam_unix(sshd:session): session opened for user alice(uid=1001) by (uid=0)
//! pam_unix(sudo:session): session closed for user root
//! pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.7  user=alice
//! pam_unix(passwd:chauthtok): password changed for bob
//! ```
//!
//! These lines accompany what the program says itself (`Accepted …`, `COMMAND=…`), so their actions are
//! others: nothing is counted twice.

use super::form::is_no_terminal;
use super::pam_forms;
use super::reading::{AMBIGUOUS, AUTHENTICATION, IAM, Reading, SESSION};

/// Which module speaks, and for whom: `pam_unix(sshd:session)`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speaker<'a> {
    pub(super) module: &'a str,
    pub(super) service: &'a str,
    pub(super) kind: &'a str,
}

/// `pam_unix(service:type): …`, also without the parentheses.
pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    let (head, text) = message.split_once(": ")?;
    let (module, inner) = match head.split_once('(') {
        Some((module, inner)) => (module, inner.strip_suffix(')')?),
        None => (head, ""),
    };
    let (service, kind) = inner.rsplit_once(':').unwrap_or((inner, ""));
    told(Speaker { module, service, kind }, text)
}

pub(super) fn told<'a>(speaker: Speaker<'a>, text: &'a str) -> Option<Reading<'a>> {
    let reading = tell(speaker.service, text).or_else(|| pam_forms::read(text)).or_else(|| notice(speaker, text))?;
    Some(reading.with("module", speaker.module).with("service", speaker.service).with("type", speaker.kind))
}

/// What a module says that has no form of its own; `pam_authenticate: …` is no module but a function.
fn notice<'a>(speaker: Speaker<'_>, text: &'a str) -> Option<Reading<'a>> {
    let is_module = !speaker.service.is_empty() && speaker.module.starts_with("pam_");
    is_module.then(|| Reading { reason: Some(text), ..Reading::of("auth.notice", AUTHENTICATION) })
}

fn tell<'a>(service: &str, text: &'a str) -> Option<Reading<'a>> {
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    match first {
        "session" => session(service, rest),
        "authentication" => match rest.split_once(' ')? {
            ("failure;", fields) => attempt(Reading::failure("auth.failure", AUTHENTICATION), service, fields),
            ("success;", fields) => attempt(Reading::success("auth.success", AUTHENTICATION), service, fields),
            _ => None,
        },
        "check" => (rest == "pass; user unknown").then(|| unknown_user("", text)),
        "bad" => Some(unknown_user(bracketed(rest.strip_prefix("username ")?)?, "bad username")),
        "password" => password(rest),
        "new" => rest
            .starts_with("password not acceptable")
            .then(|| Reading { reason: Some(text), ..Reading::failure("password.change", IAM) }),
        "auth" => {
            let user = bracketed(rest.strip_prefix("could not identify password for ")?)?;
            Some(Reading { user: Some(user), ..failure("no password was given") })
        }
        "conversation" => (rest == "failed").then(|| failure("conversation failed")),
        "account" => {
            let (user, reason) = rest.rsplit_once(" has expired")?;
            let reason = reason.trim_matches([' ', '(', ')']);
            Some(Reading { user: Some(user), ..failure(if reason.is_empty() { "account expired" } else { reason }) })
        }
        "expired" => {
            let (user, reason) = rest.strip_prefix("password for user ")?.rsplit_once(" (")?;
            Some(Reading { user: Some(user), ..failure(reason.strip_suffix(')')?) })
        }
        "could" => {
            let user = rest.strip_prefix("not identify user (from getpwnam(")?.strip_suffix("))")?;
            Some(unknown_user(user, "could not identify user"))
        }
        "user" => user(rest),
        "Consecutive" => {
            let user = rest.strip_prefix("login failures for user ")?.strip_suffix(" account temporarily locked")?;
            Some(locked(user, "too many failed logins"))
        }
        "requirement" => {
            let (requirement, user) = rest.split_once("\" not met by user \"")?;
            let reason = requirement.strip_prefix('"')?;
            let reading = Reading::failure("auth.requirement", AUTHENTICATION);
            Some(Reading { user: Some(user.strip_suffix('"')?), reason: Some(reason), ..reading })
        }
        "received" => received(rest),
        _ if rest.starts_with("more authentication failure") => more_failures_of(service, text),
        _ => None,
    }
}

fn failure(reason: &str) -> Reading<'_> {
    Reading { reason: Some(reason), ..Reading::failure("auth.failure", AUTHENTICATION) }
}

fn unknown_user<'a>(user: &'a str, reason: &'a str) -> Reading<'a> {
    let reading = Reading::failure("auth.unknown_user", AUTHENTICATION);
    Reading { user: Some(user), reason: Some(reason), ..reading }
}

fn locked<'a>(user: &'a str, reason: &'a str) -> Reading<'a> {
    Reading { target: Some(user), reason: Some(reason), ..Reading::success("account.lock", IAM) }
}

fn bracketed(text: &str) -> Option<&str> {
    text.strip_prefix('[')?.strip_suffix(']')
}

/// What follows `session`.
fn session<'a>(service: &str, rest: &'a str) -> Option<Reading<'a>> {
    if let Some(user) = rest.strip_prefix("closed for user ") {
        let reading = Reading::success("session.close", SESSION);
        let (user, uid) = with_uid(user);
        return Some(match becomes_another(service) {
            true => Reading { became: Some(user), became_uid: uid, ..reading },
            false => Reading { user: Some(user), uid, ..reading },
        });
    }
    let rest = rest.strip_prefix("opened for user ")?;
    let (target, by) = match rest.rsplit_once(" by ") {
        Some((target, by)) => (target, with_uid(by)),
        // Without a name before the uid the space is that of ` by `.
        None => (rest, ("", None)),
    };
    let (target, target_uid) = with_uid(target);
    let reading = Reading::success("session.open", SESSION);
    let (by, by_uid) = by;
    if by.is_empty() && becomes_another(service) {
        return Some(Reading { uid: by_uid, became: Some(target), became_uid: target_uid, ..reading });
    }
    // login names the terminal's owner LOGIN until it knows better.
    if by.is_empty() || by == "LOGIN" || by == target {
        return Some(Reading { user: Some(target), uid: target_uid, ..reading });
    }
    // Next to a name, the uid is that of the program: 0 for everybody who uses sudo.
    let uid = by_uid.filter(|uid| (*uid == "0") == (by == "root"));
    Some(Reading { user: Some(by), uid, became: Some(target), became_uid: target_uid, ..reading })
}

/// Services in which the user of the session is not the one who asked for it.
fn becomes_another(service: &str) -> bool {
    let among =
        ["su", "su-l", "sudo", "sudo-i", "doas", "runuser", "runuser-l", "pkexec", "polkit-1", "run0", "systemd-run0"];
    among.contains(&service)
}

/// `alice(uid=1001)`
fn with_uid(text: &str) -> (&str, Option<&str>) {
    let cut = || {
        let (name, uid) = text.strip_suffix(')')?.rsplit_once("(uid=")?;
        (!uid.is_empty() && uid.bytes().all(|byte| byte.is_ascii_digit())).then_some((name, Some(uid)))
    };
    cut().unwrap_or((text, None))
}

/// `logname= uid=0 euid=0 tty=ssh ruser= rhost=203.0.113.7  user=alice`
///
/// `user` is what somebody typed and comes last; `ruser` may be (a mail server puts it there), and then
/// a second ` rhost=` makes the address anybody's guess.
fn attempt<'a>(reading: Reading<'a>, service: &str, fields: &'a str) -> Option<Reading<'a>> {
    let (logname, rest) = fields.strip_prefix("logname=")?.split_once(" uid=")?;
    let (uid, rest) = rest.split_once(' ')?;
    let (_, rest) = rest.split_once(" tty=").or_else(|| rest.split_once("tty="))?;
    let (tty, rest) = rest.split_once(" ruser=")?;
    let (ruser, rest) = rest.split_once(" rhost=")?;
    let (rhost, user) = match rest.split_once(" user=") {
        Some((rhost, user)) => (rhost.trim_end_matches(' '), user),
        None => (rest.trim_end_matches(' '), ""),
    };
    let is_ambiguous = !ruser.is_empty() && rest.contains(" rhost=");
    let tty = Some(tty).filter(|tty| !is_no_terminal(tty));
    let reading = Reading { tty, ..reading };
    if is_ambiguous {
        return Some(reading.with(AMBIGUOUS.0, AMBIGUOUS.1));
    }
    let is_local = rhost.is_empty() && !ruser.is_empty();
    let reading = match is_local {
        true if user == ruser || user.is_empty() => Reading { user: Some(ruser), uid: Some(uid), ..reading },
        true if becomes_another(service) => {
            Reading { user: Some(ruser), uid: Some(uid), became: Some(user), ..reading }
        }
        _ => Reading { user: Some(user), remote: Some(rhost), ..reading },
    };
    Some(if is_local && logname != ruser { reading.with("logname", logname) } else { reading })
}

/// sshd for PAM: `2 more authentication failures; logname= … rhost=203.0.113.7  user=alice`
pub(super) fn more_failures(rest: &str) -> Option<Reading<'_>> {
    more_failures_of("sshd", rest)
}

fn more_failures_of<'a>(service: &str, rest: &'a str) -> Option<Reading<'a>> {
    if rest.starts_with("service(") {
        return Some(Reading { reason: Some(rest), ..Reading::failure("ssh.error", AUTHENTICATION) });
    }
    let (count, rest) = rest.split_once(" more authentication failure")?;
    let (_, fields) = rest.split_once("; ")?;
    let reading = Reading::failure("auth.more_failures", AUTHENTICATION).with("count", count);
    attempt(reading, service, fields)
}

/// What follows `password`.
fn password(rest: &str) -> Option<Reading<'_>> {
    let user = rest.strip_prefix("changed for ")?;
    Some(Reading { target: Some(user), ..Reading::success("password.change", IAM) })
}

/// What follows `user`.
fn user(rest: &str) -> Option<Reading<'_>> {
    if let Some((user, _)) = rest.strip_prefix('[').and_then(|rest| rest.rsplit_once("] has blank password;")) {
        let reading = Reading::success("auth.success", AUTHENTICATION);
        return Some(Reading { user: Some(user), reason: Some("blank password"), ..reading });
    }
    // pam_tally2: `root (0) tally 5, deny 3`
    let (who, tally) = rest.rsplit_once(" tally ")?;
    let (user, uid) = who.rsplit_once(" (")?;
    let (count, _) = tally.split_once(", deny ")?;
    let reading = Reading { target_uid: uid.strip_suffix(')'), ..locked(user, "too many failed logins") };
    Some(reading.with("count", count))
}

/// pam_sss: `for user alice: 7 (Authentication failure)`
fn received(rest: &str) -> Option<Reading<'_>> {
    let (user, reason) = rest.strip_prefix("for user ")?.rsplit_once(": ")?;
    Some(Reading { user: Some(user), reason: Some(reason), ..Reading::of("auth.answer", AUTHENTICATION) })
}

/// GNOME's keyring, which PAM opens with the login's password: `unlocked login keyring`.
pub(super) fn keyring(text: &str) -> Option<Reading<'_>> {
    match text {
        "unlocked login keyring" => Some(Reading::success("keyring.unlock", AUTHENTICATION)),
        _ if text.starts_with("couldn't unlock")
            || text.starts_with("unable to ")
            || text.starts_with("the password ") =>
        {
            Some(Reading { reason: Some(text), ..Reading::failure("keyring.unlock", AUTHENTICATION) })
        }
        _ => None,
    }
}
