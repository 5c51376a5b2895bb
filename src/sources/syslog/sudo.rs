//! sudo: who ran what as whom, and who was not let.
//!
//! ```text
//!    alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/apt upgrade
//!    carol : user NOT in sudoers ; TTY=pts/1 ; PWD=/home/carol ; USER=root ; COMMAND=/usr/bin/cat /etc/shadow
//!    alice : (command continued) the rest of a command that was too long for one message
//! ```
//!
//! The fields come in sudo's order: reason, HOST, TTY, CHROOT, PWD or CWD, USER, GROUP, TSID, EXIT or SIGNAL,
//! ENV, COMMAND; since 1.9.16 how it ended comes after COMMAND. PWD, ENV and COMMAND are free text. They are cut
//! at the first mark of what comes next; a mark that comes twice is told by `detail.auth.ambiguous`, and
//! `what.command` has all of the text after the first.
//!
//! `… COMMAND=/bin/x ; EXIT=1` is written when `/bin/x` ended, and when it is run with the words `;` and `EXIT=1`.
//! So it stays a command, with `detail.auth.exit` and `ambiguous`: nobody hides what they ran.

use super::ansible::{self, Mark};
use super::reading::{AMBIGUOUS, PROCESS, Reading};
use crate::event::Outcome;

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    let message = message.trim_start_matches(' ');
    let Some((user, rest)) = message.split_once(" : ").filter(|(user, _)| !user.starts_with("unable to ")) else {
        return of_itself(message);
    };
    if let Some(command) = rest.strip_prefix("(command continued) ") {
        let reading = Reading::of("sudo.continued", PROCESS);
        return Some(Reading { user: Some(user), command: Some(command), ..reading });
    }
    let (reason, fields) = reason(rest);
    let Some(fields) = fields else {
        return Some(Reading { user: Some(user), reason, ..Reading::of("sudo.error", PROCESS) });
    };
    let line = Line::read(fields);
    let mut reading = Reading {
        user: Some(user),
        reason,
        tty: line.tty.filter(|tty| *tty != "unknown"),
        cwd: line.cwd,
        became: line.user,
        group: line.group,
        command: line.command,
        detail: line.detail,
        ..Reading::of("sudo.command", PROCESS)
    };
    judge(&mut reading, line.exit);
    Some(reading)
}

/// What sudo says of itself names nobody.
fn of_itself(message: &str) -> Option<Reading<'_>> {
    const BEGINNINGS: &[&str] = &[
        "unable to ",
        "pam_",
        "error",
        "PAM ",
        "no ",
        "sorry, ",
        "a terminal is required",
        "a password is required",
        "parse error",
        "problem with defaults entries",
        "ldap_",
        "unknown ",
        "timestamp ",
        "time stamp ",
        "ignoring time stamp ",
        "Account ",
        "account ",
        "setre",
        "seteuid",
        "audit",
        "fatal error",
        "/",
    ];
    let is_known = BEGINNINGS.iter().any(|start| message.starts_with(start));
    is_known.then(|| Reading { reason: Some(message), ..Reading::of("sudo.error", PROCESS) })
}

/// What stands before the fields, and the fields.
fn reason(text: &str) -> (Option<&str>, Option<&str>) {
    let is_field = |text: &str| {
        ["TTY=", "HOST=", "CHROOT=", "PWD=", "CWD=", "USER=", "GROUP=", "COMMAND="]
            .iter()
            .any(|key| text.starts_with(key))
    };
    if is_field(text) {
        return (None, Some(text));
    }
    let mut cuts = text.match_indices(SEPARATOR);
    match cuts
        .find_map(|(at, _)| Some((text.get(..at)?, text.get(at + SEPARATOR.len()..).filter(|rest| is_field(rest))?)))
    {
        Some((reason, fields)) => (Some(reason), Some(fields)),
        None => (Some(text), None),
    }
}

const SEPARATOR: &str = " ; ";

/// The fields of one message.
#[derive(Debug, Default)]
struct Line<'a> {
    tty: Option<&'a str>,
    cwd: Option<&'a str>,
    user: Option<&'a str>,
    group: Option<&'a str>,
    command: Option<&'a str>,
    exit: Option<&'a str>,
    detail: Vec<(&'static str, &'a str)>,
}

impl<'a> Line<'a> {
    fn read(mut text: &'a str) -> Self {
        let mut line = Self::default();
        let mut known = KEYS;
        while let Some((key, value)) = text.split_once('=') {
            let Some(at) = known.iter().position(|known| *known == key) else { break };
            known = known.get(at + 1..).unwrap_or_default();
            let (value, rest) = until_next(value, known);
            line.set(key, value);
            text = rest;
        }
        let is_twice = |text: &str| [" ; COMMAND=", " ; USER="].iter().any(|mark| text.contains(mark));
        let is_forged = [line.user, line.group, line.command].into_iter().flatten().any(is_twice);
        let end = line.command.and_then(end_of);
        if is_forged || end.is_some() {
            line.detail.push(AMBIGUOUS);
        }
        line.detail.extend(end.map(|end| ("exit", end)));
        line
    }

    fn set(&mut self, key: &str, value: &'a str) {
        match key {
            "TTY" => self.tty = Some(value),
            "PWD" | "CWD" => self.cwd = Some(value),
            "USER" => self.user = Some(value),
            "GROUP" => self.group = Some(value),
            "COMMAND" => self.command = Some(value),
            "EXIT" | "SIGNAL" => self.exit = Some(value),
            "HOST" => self.detail.push(("host", value)),
            "CHROOT" => self.detail.push(("chroot", value)),
            "TSID" => self.detail.push(("tsid", value)),
            _ => self.detail.push(("env", value)),
        }
    }
}

/// `… ; EXIT=1` or `… ; SIGNAL=KILL[ ; EXIT=137]` behind a command.
fn end_of(command: &str) -> Option<&str> {
    let (rest, last) = command.rsplit_once(" ; ")?;
    if let Some(code) = last.strip_prefix("EXIT=") {
        let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_digit());
        let signal = rest.rsplit_once(" ; SIGNAL=").map(|(_, signal)| signal).filter(|signal| !signal.contains(' '));
        return signal.or(is_code.then_some(code));
    }
    last.strip_prefix("SIGNAL=").filter(|signal| !signal.is_empty() && !signal.contains(' '))
}

/// In sudo's order.
const KEYS: &[&str] =
    &["HOST", "TTY", "CHROOT", "PWD", "CWD", "USER", "GROUP", "TSID", "EXIT", "SIGNAL", "ENV", "COMMAND"];

/// A value up to the first ` ; KEY=` of a field that may follow it, and the text from that key on.
fn until_next<'a>(text: &'a str, following: &[&str]) -> (&'a str, &'a str) {
    let starts =
        |rest: &str| following.iter().any(|key| rest.strip_prefix(key).is_some_and(|rest| rest.starts_with('=')));
    let cut = text.match_indices(SEPARATOR).find_map(|(at, _)| {
        let rest = text.get(at + SEPARATOR.len()..).filter(|rest| starts(rest))?;
        Some((text.get(..at)?, rest))
    });
    cut.unwrap_or_else(|| (text.strip_suffix(" ;").filter(|_| !following.is_empty()).unwrap_or(text), ""))
}

/// What the reason, the exit and the command make of it.
fn judge<'a>(reading: &mut Reading<'a>, exit: Option<&'a str>) {
    reading.outcome = match reading.reason {
        None => Outcome::Success,
        // sudo goes on after that.
        Some(reason) if reason.starts_with("problem with defaults entries") => Outcome::Unknown,
        Some(_) => Outcome::Failure,
    };
    if let Some((count, _)) = reading.reason.and_then(|reason| reason.split_once(" incorrect password attempt")) {
        reading.detail.push(("attempts", count));
    }
    let Some(command) = reading.command else {
        reading.action = "sudo.error";
        return;
    };
    if let Some(exit) = exit {
        reading.action = "sudo.exit";
        reading.detail.push(("exit", exit));
        // That a command failed does not mean that sudo refused it.
        reading.outcome = Outcome::Unknown;
    }
    reading.object = command.split(' ').next();
    name(reading);
}

/// What the command is for sudo itself, and what it stands for.
pub(super) fn name(reading: &mut Reading<'_>) {
    let Some(command) = reading.command else { return };
    match command {
        "list" => (reading.action, reading.object) = ("sudo.list", None),
        "validate" => (reading.action, reading.object) = ("sudo.validate", None),
        _ => mark(reading, command),
    }
}

/// What a command that was run stands for. One that was refused marks nothing.
fn mark<'a>(reading: &mut Reading<'a>, command: &'a str) {
    if reading.action != "sudo.command" || reading.outcome != Outcome::Success {
        return;
    }
    match ansible::mark(command) {
        Some(Mark::Started(host)) => (reading.action, reading.object) = ("run.start", Some(host)),
        Some(Mark::Finished(host)) => (reading.action, reading.object) = ("run.finish", Some(host)),
        Some(Mark::Task { id, run }) => {
            reading.detail.push(("ansible_become", id));
            reading.run = run;
        }
        None => {}
    }
}
