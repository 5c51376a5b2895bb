//! sudo: who ran what as whom, and who was not let.
//!
//! ```text
//!    alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/apt upgrade
//!    carol : user NOT in sudoers ; TTY=pts/1 ; PWD=/home/carol ; USER=root ; COMMAND=/usr/bin/cat /etc/shadow
//!    alice : (command continued) the rest of a command that was too long for one message
//! ```
//!
//! The fields come in sudo's order: reason, HOST, TTY, CHROOT, PWD, USER, GROUP, TSID, EXIT or SIGNAL, ENV,
//! COMMAND. PWD, ENV and COMMAND are free text. They are cut at the first mark of what comes next; a mark
//! that comes twice is told by `detail.auth.ambiguous`, and `what.command` has all of the text after the first.

use super::ansible::{self, Mark};
use super::reading::{AMBIGUOUS, PROCESS, Reading};
use crate::event::Outcome;

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    let message = message.trim_start_matches(' ');
    let Some((user, rest)) = message.split_once(" : ").filter(|(user, _)| !user.starts_with("unable to ")) else {
        // What sudo says of itself names nobody.
        let is_known = ["unable to ", "pam_", "error"].iter().any(|start| message.starts_with(start));
        return is_known.then(|| Reading { reason: Some(message), ..Reading::of("sudo.error", PROCESS) });
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

/// What stands before the fields, and the fields.
fn reason(text: &str) -> (Option<&str>, Option<&str>) {
    let is_field = |text: &str| ["TTY=", "HOST=", "CHROOT=", "PWD=", "USER="].iter().any(|key| text.starts_with(key));
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
        if is_forged {
            line.detail.push(AMBIGUOUS);
        }
        line
    }

    fn set(&mut self, key: &str, value: &'a str) {
        match key {
            "TTY" => self.tty = Some(value),
            "PWD" => self.cwd = Some(value),
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

/// In sudo's order.
const KEYS: &[&str] = &["HOST", "TTY", "CHROOT", "PWD", "USER", "GROUP", "TSID", "EXIT", "SIGNAL", "ENV", "COMMAND"];

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
    match command {
        "list" => reading.action = "sudo.list",
        "validate" => reading.action = "sudo.validate",
        _ => reading.object = command.split(' ').next(),
    }
    mark(reading, command);
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
