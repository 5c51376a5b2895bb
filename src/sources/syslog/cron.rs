//! cron, crontab, anacron, atd: which commands ran for whom, and who changed the tables.
//!
//! ```text
//! (root) CMD (   cd / && run-parts --report /etc/cron.hourly)
//! (alice) REPLACE (alice)
//! Job `cron.daily' started
//! ```

use super::form::{self, Form, failure, success, unknown};
use super::reading::{AUTHENTICATION, CONFIGURATION, HOST, PROCESS, Reading};

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    if message.starts_with('(') {
        return table(message);
    }
    form::find(FORMS, message)
}

/// `(who) VERB (what)[: error]`, as `log_it` of every cron writes it.
fn table(message: &str) -> Option<Reading<'_>> {
    let (user, rest) = message.strip_prefix('(')?.split_once(") ")?;
    let (verb, rest) = rest.split_once(" (").unwrap_or((rest, ""));
    let (inner, error) = match rest.strip_suffix(')') {
        Some(inner) => (inner, ""),
        None => rest.rsplit_once("): ").unwrap_or((rest, "")),
    };
    let by = |reading| Reading { user: Some(user), ..reading };
    let on_table = |action| {
        let target = Some(inner).filter(|target| *target != user);
        Reading { target, ..by(Reading::success(action, CONFIGURATION)) }
    };
    Some(match verb {
        "CMD" | "START" => command(by(Reading::success("cron.command", PROCESS)), inner),
        "CMDEND" | "END" => command(by(Reading::of("cron.command_end", PROCESS)), inner),
        "CMDOUT" => Reading { reason: Some(inner), ..by(Reading::of("cron.output", PROCESS)) },
        "BEGIN EDIT" => on_table("cron.edit"),
        "END EDIT" => on_table("cron.edit_end"),
        "REPLACE" => on_table("cron.replace"),
        "LIST" => on_table("cron.list"),
        "DELETE" => on_table("cron.delete"),
        // Here the name is that of the table, or cron's own.
        "RELOAD" => Reading { object: Some(inner), ..Reading::of("cron.reload", CONFIGURATION) }.with("table", user),
        "INFO" | "info" | "STARTUP" | "SET HOST" | "GET HOST" | "pam_message" => {
            Reading { reason: Some(inner), ..Reading::of("cron.info", HOST) }
        }
        "MAIL" => Reading { reason: Some(inner), ..by(Reading::of("cron.mail", PROCESS)) },
        "AUTH" => Reading { reason: Some(inner), ..by(Reading::failure("cron.refused", CONFIGURATION)) },
        _ => trouble(user, verb, inner)?.with("error", error),
    })
}

/// What cron could not do. It calls itself CRON; other names are those of users, or of tables in `*system*`.
fn trouble<'a>(user: &'a str, verb: &'a str, inner: &'a str) -> Option<Reading<'a>> {
    let is_shouted = verb.split(' ').next().is_some_and(|word| word.len() > 1 && word.bytes().all(is_shout));
    let is_known = ["error", "bad ", "failed", "grandchild ", "can't ", "No ", "NULL ", "context_", "get", "This "]
        .iter()
        .any(|start| verb.starts_with(start));
    if !is_shouted && !is_known {
        return None;
    }
    let reading = Reading::failure("cron.error", PROCESS);
    let user = Some(user).filter(|user| *user != "CRON" && !user.starts_with('*'));
    let is_told = matches!(verb, "ERROR" | "error" | "DEATH" | "PAM ERROR" | "WARNING") || verb.starts_with("FAILED ");
    Some(match is_told || inner.is_empty() {
        true => Reading { user, reason: Some(if inner.is_empty() { verb } else { inner }), ..reading },
        false => Reading { user, reason: Some(verb), object: Some(inner), ..reading },
    })
}

fn is_shout(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'\'' | b'(' | b')' | b'>' | b'_' | b'-')
}

/// `object` is the program where the line names one by its path.
fn command<'a>(reading: Reading<'a>, text: &'a str) -> Reading<'a> {
    let text = text.trim_start_matches(' ');
    let object = text.split([' ', ';', '|', '&', '>']).next().filter(|word| word.starts_with('/'));
    Reading { command: Some(text), object, ..reading }
}

/// anacron, busybox's crond, atd.
pub(super) const FORMS: &[Form] = &[
    success("cron.command", PROCESS, "USER {user} pid {child} cmd {command*}"),
    success("cron.command", PROCESS, "USER {user} pid   {child} cmd {command*}"),
    failure("cron.error", PROCESS, "user {user}: {reason*}"),
    unknown("cron.info", HOST, "crond: {reason*}"),
    unknown("cron.info", HOST, "crond ({_*}) started, log level {level}").because("started"),
    unknown("anacron.start", HOST, "Anacron {version} started on {date}").because("started"),
    unknown("anacron.start", HOST, "Anacron started on {date}").because("started"),
    unknown("anacron.job.plan", PROCESS, "Will run job `{object*}' in {minutes} min."),
    unknown("anacron.job.plan", PROCESS, "Will run job `{object*}'"),
    success("anacron.job.start", PROCESS, "Job `{object*}' started"),
    unknown("anacron.job.end", PROCESS, "Job `{object*}' terminated"),
    unknown("anacron.job.end", PROCESS, "Job `{object*}' terminated (mailing output)"),
    failure("anacron.job.end", PROCESS, "Job `{object*}' terminated (exit status: {exit}){_*}"),
    failure("anacron.job.end", PROCESS, "Job `{object*}' terminated due to signal {signal}"),
    failure("anacron.job.end", PROCESS, "Job `{object*}' terminated due to signal {signal} (mailing output)"),
    failure("anacron.job.end", PROCESS, "Job `{object*}' terminated abnormally{_*}"),
    unknown("anacron.job.plan", PROCESS, "Job `{object*}' locked by another anacron - skipping").because("locked"),
    unknown("cron.info", HOST, "Jobs will be executed sequentially").because("jobs one after another"),
    unknown("cron.info", HOST, "Updated timestamp for job `{object*}' to {date}"),
    unknown("anacron.end", HOST, "Normal exit ({count} job run)").because("normal exit"),
    unknown("anacron.end", HOST, "Normal exit ({count} jobs run)").because("normal exit"),
    unknown("anacron.end", HOST, "Received {reason*}"),
    unknown("anacron.end", HOST, "Exited").because("exited"),
    failure("anacron.end", HOST, "Aborted").because("aborted"),
    unknown("cron.mail", PROCESS, "Tried to mail output of job `{object*}', {reason*}"),
    failure("cron.error", PROCESS, "Invalid syntax in {object} on line {line} - skipping this line")
        .because("invalid syntax"),
    failure("cron.error", PROCESS, "Can't {reason*}"),
    failure("cron.error", PROCESS, "Error {reason*}"),
    success("at.command", PROCESS, "Starting job {count} ({object}) for user '{user*}' ({uid})"),
    unknown("at.command_end", PROCESS, "pid {child} exited with status {exit}."),
    unknown("at.command_end", PROCESS, "pid {child} killed with signal {signal}."),
    failure("at.error", PROCESS, "Userid {uid} not found - aborting job {job*} ({object*})").because("no such user"),
    failure("at.error", PROCESS, "could not lock job {job}: {reason*}"),
    failure("at.error", PROCESS, "File {object*} is in wrong format - aborting").because("wrong format"),
    failure("at.error", AUTHENTICATION, "Job {job*} ({object*}): {reason*}"),
    failure("cron.error", PROCESS, "Cannot {reason*}"),
];
