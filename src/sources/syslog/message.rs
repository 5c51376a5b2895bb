//! Which program's messages are read where.

use super::header::Header;
use super::pam::Speaker;
use super::reading::{HOST, Reading};
use super::{accounts, become_root, cron, groups, login, logind, pam, polkit, sshd, su, sudo};
use crate::event::Event;

/// Puts what the message says into the event; one that nobody knows leaves it as it is.
pub(super) fn tell(header: &Header<'_>, event: &mut Event) {
    let Some(program) = header.program else {
        if let Some(reading) = repeated_last(header.message) {
            reading.fill(event);
        }
        return;
    };
    let (name, module) = with_module(program);
    if name.len() < program.len() {
        event.place.service = Some(name.to_owned());
    }
    let (message, times) = repeated(header.message);
    if let Some(reading) = read(name, module, message) {
        reading.fill(event);
        if let Some(times) = times {
            event.set_detail("repeated", times);
        }
    }
}

fn read<'a>(program: &'a str, module: Option<&'a str>, message: &'a str) -> Option<Reading<'a>> {
    if let Some(module) = module {
        return pam::told(Speaker { module, service: program, kind: "" }, message);
    }
    if message.starts_with("pam_")
        && let Some(reading) = pam::read(message)
    {
        return Some(reading);
    }
    match program {
        "sshd" | "sshd-session" | "sshd-auth" => sshd::read(message),
        "sudo" => sudo::read(message),
        "CRON" | "cron" | "crond" | "crontab" | "/USR/SBIN/CRON" | "anacron" => cron::read(message),
        "systemd-logind" | "elogind-daemon" => logind::read(message),
        "su" => su::read(message),
        "useradd" | "usermod" | "userdel" | "newusers" | "adduser" | "deluser" => accounts::read(message),
        "passwd" | "chpasswd" | "chage" | "chfn" | "chsh" => accounts::read(message),
        "groupadd" | "groupmod" | "groupdel" | "gpasswd" | "addgroup" | "delgroup" => groups::read(message),
        "unix_chkpwd" => pam::chkpwd(message),
        "pkexec" => become_root::pkexec(message),
        "doas" => become_root::doas(message),
        "polkitd" | "polkit-agent-helper-1" => polkit::read(message),
        "login" => login::read(message),
        "dropbear" => login::dropbear(message),
        _ => None,
    }
}

/// Whether an auth log is where a line like this is found.
pub(super) fn is_of_auth(header: &Header<'_>) -> bool {
    let Some(program) = header.program else { return false };
    let known = [
        "sshd",
        "sshd-session",
        "sshd-auth",
        "sudo",
        "su",
        "CRON",
        "systemd-logind",
        "useradd",
        "usermod",
        "userdel",
        "groupadd",
        "groupmod",
        "groupdel",
        "gpasswd",
        "passwd",
        "chage",
        "chfn",
        "chsh",
        "chpasswd",
        "unix_chkpwd",
        "polkitd",
        "pkexec",
        "doas",
        "login",
        "dropbear",
    ];
    known.contains(&program) || header.message.starts_with("pam_") || with_module(program).1.is_some()
}

/// `sshd(pam_unix)`, as PAM of old named itself, and `polkitd(authority=local)`.
fn with_module(program: &str) -> (&str, Option<&str>) {
    match program.strip_suffix(')').and_then(|text| text.split_once('(')) {
        Some((name, module)) if !name.is_empty() => (name, Some(module).filter(|module| module.starts_with("pam_"))),
        _ => (program, None),
    }
}

/// `message repeated 3 times: [ … ]`: rsyslog's word for the same message again.
fn repeated(message: &str) -> (&str, Option<u32>) {
    let cut = || {
        let (times, rest) = message.strip_prefix("message repeated ")?.split_once(" times: [")?;
        let inner = rest.strip_suffix(']')?;
        Some((inner.strip_prefix(' ').unwrap_or(inner), times.parse().ok()?))
    };
    cut().map_or((message, None), |(inner, times): (&str, u32)| (inner, Some(times)))
}

/// `last message repeated 3 times`: which message that was is not in this record.
fn repeated_last(message: &str) -> Option<Reading<'_>> {
    let times = message.strip_prefix("last message repeated ")?.strip_suffix(" times")?;
    times.bytes().all(|b| b.is_ascii_digit()).then(|| Reading::of("log.repeated", HOST).with("repeated", times))
}
