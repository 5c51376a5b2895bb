//! sudo's log in JSON (`Defaults log_format=json`, and sudo_logsrvd):
//!
//! ```text
//! @cee:{"sudo":{"accept":{"submituser":"ana","command":"/usr/bin/id","runuser":"root","ttyname":"/dev/pts/0",…}}}
//! ```
//!
//! JSON says where a value ends, so nothing here can be taken for something else. A message that is cut off
//! in the middle is no JSON, and stays unread.

use serde_json::{Map, Value};

use super::reading::{PROCESS, Reading};
use super::sudo;
use crate::event::{Event, Family, Outcome};

/// Fills the event if the message is one of these.
pub(super) fn tell(program: &str, message: &str, event: &mut Event) -> bool {
    let Some(text) = message.strip_prefix("@cee:").filter(|_| matches!(program, "sudo" | "sudo_logsrvd")) else {
        return false;
    };
    let Ok(Value::Object(whole)) = serde_json::from_str(text.trim_start()) else { return false };
    let Some(Value::Object(inner)) = whole.get("sudo") else { return false };
    let Some((kind, Value::Object(fields))) = inner.iter().next() else { return false };
    let command = command(fields);
    let Some(reading) = read(kind, fields, command.as_deref()) else { return false };
    reading.fill(event);
    if let Some(code) = fields.get("exit_value").and_then(Value::as_i64) {
        event.set_detail_of(Family::Auth, "exit", code.to_string());
    }
    true
}

fn read<'a>(kind: &str, fields: &'a Map<String, Value>, command: Option<&'a str>) -> Option<Reading<'a>> {
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    let outcome = match kind {
        "accept" => Outcome::Success,
        "reject" | "alert" => Outcome::Failure,
        "exit" => Outcome::Unknown,
        _ => return None,
    };
    let mut reading = Reading {
        outcome,
        reason: text("reason"),
        user: text("submituser"),
        became: text("runuser"),
        group: text("rungroup"),
        tty: text("ttyname"),
        cwd: text("runcwd").or_else(|| text("submitcwd")),
        command,
        object: text("command"),
        detail: vec![("format", "json")],
        ..Reading::of(if kind == "exit" { "sudo.exit" } else { "sudo.command" }, PROCESS)
    };
    for (key, name) in DETAILS {
        if let Some(value) = text(key) {
            reading = reading.with(name, value);
        }
    }
    if command.is_none() {
        reading.action = "sudo.error";
        return Some(reading);
    }
    if kind == "accept" {
        sudo::name(&mut reading);
    }
    Some(reading)
}

/// Keys of sudo, and what they are called in `detail.auth`.
const DETAILS: &[(&str, &str)] = &[
    ("submithost", "host"),
    ("runchroot", "chroot"),
    ("iolog_path", "tsid"),
    ("signal", "signal"),
    ("uuid", "uuid"),
    ("peeraddr", "peer"),
];

/// The program's path and what it was given. `runargv` names the program as it was typed.
fn command(fields: &Map<String, Value>) -> Option<String> {
    let mut command = fields.get("command")?.as_str()?.to_owned();
    let arguments = fields.get("runargv").and_then(Value::as_array).into_iter().flatten().skip(1);
    for argument in arguments.filter_map(Value::as_str) {
        command.push(' ');
        command.push_str(argument);
    }
    Some(command)
}
