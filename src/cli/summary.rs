//! What one pass over the sources came to, on the first screen: what was read from where, what is in the
//! trail now, which alerts fire and who is behind them, and what to type next.

use std::collections::BTreeMap;
use std::path::Path;

use super::table::table;
use crate::alert::Standing;
use crate::check::{self, Answer, GROUPS_SHOWN, Key, State};
use crate::collect::{Read, Summary};
use crate::config::Config;
use crate::event::escape;
use crate::pipeline::{Report, Watched};

/// Of one source; more are counted.
const FILES_SHOWN: usize = 8;

pub(super) fn of(config: &Config, report: &Report) -> String {
    let mut text = read(&report.read);
    text.push_str(&stored(config, report));
    if !report.watched.alerts.is_empty() {
        text.push_str(&alerts(config, &report.watched));
        text.push_str(&next(config, &report.watched));
    }
    text
}

fn read(sources: &[Summary]) -> String {
    let row = |source: &Summary, read: &Read| {
        let known = if read.known > 0 { format!(", {} known", read.known) } else { String::new() };
        let note = read.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
        let what = format!("{} events{known}", read.events);
        [source.source.clone(), what, bytes(read.bytes), format!("{}{note}", read.origin)]
    };
    let mut rows = Vec::new();
    for source in sources {
        // Those that say something first.
        let mut files: Vec<&Read> = source.read.iter().collect();
        files.sort_by_key(|read| (read.note.is_none(), read.events == 0));
        rows.extend(files.iter().take(FILES_SHOWN).map(|read| row(source, read)));
        if let Some(more) = files.get(FILES_SHOWN..).filter(|more| !more.is_empty()) {
            let events: u64 = more.iter().map(|read| read.events).sum();
            let total: u64 = more.iter().map(|read| read.bytes).sum();
            rows.push([
                source.source.clone(),
                format!("{events} events"),
                bytes(total),
                format!("{} more", more.len()),
            ]);
        }
        for failure in &source.failures {
            let problem = format!("{} {}", failure.origin, failure.problem);
            rows.push([source.source.clone(), "FAILED".to_owned(), String::new(), problem]);
        }
    }
    match rows.is_empty() {
        true => "Nothing was there to read.\n".to_owned(),
        false => table(["SOURCE", "READ", "SIZE", "FROM"], rows),
    }
}

fn bytes(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

fn stored(config: &Config, report: &Report) -> String {
    let added = &report.added;
    let known = if added.known > 0 { format!(", {} were there already", added.known) } else { String::new() };
    let data = config.data.display().to_string();
    let mut text = format!(
        "\nStored {} new events and {} of whodid's own{known}: {} in the trail at {}, all signed.\n",
        added.records,
        added.own,
        report.size,
        escape::line(&data)
    );
    if let Err(error) = &report.indexed {
        text.push_str(&format!("The index is not complete: {}\n", escape::line(&error.to_string())));
    }
    for (name, standing) in &report.anchors {
        let how = match (&standing.failing, standing.size) {
            (Some(failing), _) => format!("FAILED: {}", failing.error),
            (None, Some(size)) => format!("has the checkpoint over {size}"),
            (None, None) => "has no checkpoint yet".to_owned(),
        };
        text.push_str(&format!(
            "Anchor {} ({}) {}\n",
            escape::line(name),
            escape::line(&standing.to),
            escape::line(&how)
        ));
    }
    text
}

fn alerts(config: &Config, watched: &Watched) -> String {
    let (skipped, judged): (Vec<&Standing>, Vec<&Standing>) =
        watched.alerts.iter().partition(|alert| alert.skipped.is_some());
    let count = |state: State| judged.iter().filter(|alert| alert.state == state).count();
    let counted: Vec<String> = [State::Critical, State::Warning, State::Unknown, State::Ok]
        .into_iter()
        .filter(|state| count(*state) > 0)
        .map(|state| format!("{} {state}", count(state)))
        .collect();
    let counted = if counted.is_empty() { "none applies here".to_owned() } else { counted.join(", ") };
    let mut text = format!("\nAlerts at {}: {counted}\n", config.clock.now());
    for alert in worst_first(&judged) {
        text.push_str(&format!("\n{:<8} {}: {}\n", alert.state, escape::line(&alert.id), escape::line(&alert.title)));
        if let Some(unknown) = alert.unknown() {
            text.push_str(&format!("         {}\n", escape::line(&unknown.to_string())));
        }
        alert.answer().into_iter().for_each(|answer| text.push_str(&groups(answer)));
    }
    text.push_str(&skips(&skipped));
    if watched.sent + watched.failed + watched.unsent > 0 {
        let Watched { sent, failed, unsent, .. } = watched;
        text.push_str(&format!("\nMessages: {sent} sent, {failed} failed, {unsent} still to be sent\n"));
    }
    text
}

/// What does not apply here, by reason.
fn skips(skipped: &[&Standing]) -> String {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for alert in skipped {
        by_reason.entry(alert.skipped.as_deref().unwrap_or_default()).or_default().push(&alert.id);
    }
    let line = |(reason, ids): (&str, Vec<&str>)| {
        format!("Skipped, because {}: {}\n", escape::line(reason), escape::line(&ids.join(", ")))
    };
    let lines: String = by_reason.into_iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

/// Who is behind a number.
fn groups(answer: &Answer) -> String {
    let mut text = String::new();
    let firing = answer.groups.iter().filter(|group| group.level.state != State::Ok);
    for group in firing.take(GROUPS_SHOWN) {
        let indent = match &group.key {
            Key::Whole => "         ",
            key => {
                text.push_str(&format!("         {}: {}\n", escape::line(&key.to_string()), group.level.value));
                "           "
            }
        };
        for row in &group.rows {
            text.push_str(&format!("{indent}{}\n", escape::line(&row.text())));
        }
    }
    text
}

fn worst_first<'a>(alerts: &[&'a Standing]) -> Vec<&'a Standing> {
    let mut firing: Vec<&Standing> = alerts.iter().copied().filter(|alert| alert.state != State::Ok).collect();
    firing.sort_by(|a, b| b.state.cmp(&a.state).then_with(|| a.id.cmp(&b.id)));
    firing
}

/// Two commands that work when they are pasted.
fn next(config: &Config, watched: &Watched) -> String {
    let all: Vec<&Standing> = watched.alerts.iter().filter(|alert| alert.skipped.is_none()).collect();
    let worst = worst_first(&all).into_iter().find(|alert| alert.finding.is_some());
    let Some(worst) = worst else { return String::new() };
    let Some(alert) = config.alerts.get(&worst.id) else { return String::new() };
    let program = std::env::args().next().unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned());
    let with = config.file.as_deref().map(|file| format!(" --config {}", quoted(file))).unwrap_or_default();
    format!(
        "\nNext:\n  {program} search{with} --saved {} --since -{}\n  {program} check{with} {}\n",
        alert.query,
        check::span(alert.window),
        alert.id,
        program = quoted(Path::new(&program)),
    )
}

/// As a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@".contains(c);
    match text.chars().all(is_plain) {
        true => text.into_owned(),
        false => format!("'{}'", escape::line(&text).replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_pasted_as_they_are() {
        assert_eq!(quoted(Path::new("examples/a-b_1.toml")), "examples/a-b_1.toml");
        assert_eq!(quoted(Path::new("it's here")), "'it'\\''s here'");
        assert_eq!([bytes(9_999), bytes(10_000), bytes(12_345_678)], ["9999 B", "10 kB", "12 MB"]);
    }
}
