//! pkexec and doas: commands as another user, as sudo runs them.
//!
//! ```text
//! alice: Executing command [USER=root] [TTY=/dev/pts/0] [CWD=/home/alice] [COMMAND=/usr/bin/id]
//! alice ran command /usr/bin/id as root from /home/alice
//! ```

use super::reading::{AMBIGUOUS, AUTHENTICATION, PROCESS, Reading};

/// polkit's.
pub(super) fn pkexec(message: &str) -> Option<Reading<'_>> {
    let (user, rest) = message.split_once(": ")?;
    let (text, fields) = rest.split_once(" [USER=")?;
    let (became, fields) = fields.split_once("] [TTY=")?;
    let (tty, fields) = fields.split_once("] [CWD=")?;
    let (cwd, command) = fields.split_once("] [COMMAND=")?;
    let command = command.strip_suffix(']')?;
    let is_ambiguous = command.contains("] [COMMAND=");
    let reading = match text {
        "Executing command" => Reading::success("pkexec.command", PROCESS),
        _ => Reading { reason: Some(text), ..Reading::failure("pkexec.command", PROCESS) },
    };
    let reading = if is_ambiguous { reading.with(AMBIGUOUS.0, AMBIGUOUS.1) } else { reading };
    Some(Reading {
        user: Some(user),
        became: Some(became),
        tty: Some(tty).filter(|tty| *tty != "unknown"),
        cwd: Some(cwd),
        command: Some(command),
        object: command.split(' ').next(),
        ..reading
    })
}

/// OpenBSD's. `as` and `from` are written after the command, so they are read from the right; only a folder
/// whose name holds both words can be taken for them.
pub(super) fn doas(message: &str) -> Option<Reading<'_>> {
    if let Some(user) = message.strip_prefix("failed auth for ") {
        let reading = Reading::failure("auth.failure", AUTHENTICATION).with("service", "doas");
        return Some(Reading { user: Some(user), ..reading });
    }
    if let Some(user) = message.strip_prefix("tty required for ") {
        let reading = Reading::failure("auth.failure", AUTHENTICATION).with("service", "doas");
        return Some(Reading { user: Some(user), reason: Some("tty required"), ..reading });
    }
    if let Some(rest) = message.strip_prefix("command not permitted for ") {
        let (user, command) = rest.split_once(": ")?;
        let reading = Reading::failure("doas.command", PROCESS);
        let reading = Reading { user: Some(user), reason: Some("command not permitted"), ..reading };
        return Some(Reading { command: Some(command), object: command.split(' ').next(), ..reading });
    }
    let (user, rest) = message.split_once(" ran command ")?;
    let (rest, cwd) = rest.rsplit_once(" from ")?;
    let (command, became) = rest.rsplit_once(" as ")?;
    let reading = Reading { user: Some(user), became: Some(became), ..Reading::success("doas.command", PROCESS) };
    let is_ambiguous = command.split_once(" as ").is_some_and(|(_, rest)| rest.contains(" from "));
    let reading = if is_ambiguous { reading.with(AMBIGUOUS.0, AMBIGUOUS.1) } else { reading };
    Some(Reading { command: Some(command), object: command.split(' ').next(), cwd: Some(cwd), ..reading })
}
