//! cron and crontab: which commands ran for whom, and who changed the tables.
//!
//! ```text
//! (root) CMD (   cd / && run-parts --report /etc/cron.hourly)
//! (alice) REPLACE (alice)
//! ```

use super::reading::{CONFIGURATION, HOST, PROCESS, Reading};

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    let (user, rest) = message.strip_prefix('(')?.split_once(") ")?;
    let (verb, rest) = rest.split_once(" (").unwrap_or((rest, ""));
    let inner = rest.strip_suffix(')').unwrap_or(rest);
    let by = |reading| Reading { user: Some(user), ..reading };
    let on_table = |action| {
        let target = Some(inner).filter(|target| *target != user);
        Reading { target, ..by(Reading::success(action, CONFIGURATION)) }
    };
    Some(match verb {
        "CMD" => command(by(Reading::success("cron.command", PROCESS)), inner),
        "CMDEND" => command(by(Reading::of("cron.command_end", PROCESS)), inner),
        "CMDOUT" => Reading { reason: Some(inner), ..by(Reading::of("cron.output", PROCESS)) },
        "BEGIN EDIT" => on_table("cron.edit"),
        "END EDIT" => on_table("cron.edit_end"),
        "REPLACE" => on_table("cron.replace"),
        "LIST" => on_table("cron.list"),
        "DELETE" => on_table("cron.delete"),
        // Here the name is that of the table, or cron's own.
        "RELOAD" => Reading { object: Some(inner), ..Reading::of("cron.reload", CONFIGURATION) }.with("table", user),
        "INFO" | "STARTUP" => Reading { reason: Some(inner), ..Reading::of("cron.info", HOST) },
        "MAIL" => Reading { reason: Some(inner), ..by(Reading::of("cron.mail", PROCESS)) },
        _ if verb.starts_with("FAILED ") || verb == "ERROR" || verb.starts_with("AUTH ") => {
            let reason = if inner.is_empty() { verb } else { inner };
            Reading { reason: Some(reason), ..by(Reading::failure("cron.error", PROCESS)) }
        }
        _ => return None,
    })
}

/// `object` is the program where the line names one by its path.
fn command<'a>(reading: Reading<'a>, text: &'a str) -> Reading<'a> {
    let text = text.trim_start_matches(' ');
    let object = text.split([' ', ';', '|', '&', '>']).next().filter(|word| word.starts_with('/'));
    Reading { command: Some(text), object, ..reading }
}
