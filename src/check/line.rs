//! A finding as the one line that Nagios, Sensu and their kin read.
//!
//! ```text
//! CRITICAL aws/security-group-open-to-world: 1 >= 1 in 1h: alice@203.0.113.7 Authorize… sg-0a1b tcp/22 to 0.0.0.0/0 on … at 2026-11-20T11:44:07Z | 'count'=1;;1;0;
//! ```
//!
//! Much of it was written by whoever is being watched: so it is ASCII, without control characters and
//! without `|`, which begins the numbers; whatever else stands there is spelled out as `\u{…}`.

use std::time::Duration;

use super::{Answer, Finding, Group, Key, Question, State};
use crate::config::alert::Compare;
use crate::event::{Stamp, escape};

/// Old checkers read 1 KiB of a line; the numbers after `|` have their own room.
const TEXT_BYTES_MAX: usize = 900;

/// One part of it, so that a long name does not push out all others.
const PART_BYTES_MAX: usize = 240;

/// The line, without its end. `since` is when the recorded state began, if it is the same.
pub fn line(question: &Question<'_>, finding: &Finding, since: Option<Stamp>) -> String {
    let mut text = format!("{} {}: ", finding.state(), plain(&question.alert.id));
    match &finding.answer {
        Err(unknown) => text.push_str(&plain(&unknown.to_string())),
        Ok(answer) => text.push_str(&answered(question, answer)),
    }
    if let Some(since) = since {
        text.push_str(&format!(" (since {since})"));
    }
    let text = cut(&text, TEXT_BYTES_MAX);
    match &finding.answer {
        Err(_) => text,
        Ok(answer) => format!("{text} | {}", numbers(question, answer)),
    }
}

fn answered(question: &Question<'_>, answer: &Answer) -> String {
    let verdict = answer.verdict;
    let window = span(question.alert.window);
    if verdict.state == State::Ok {
        return format!("{} in {window}, {} for {}", verdict.value, limits(question), verdict_name(question));
    }
    let limit = match verdict.state {
        State::Critical => question.alert.limits.critical(),
        _ => question.alert.limits.warn(),
    };
    let limit = limit.map(|limit| format!(" {} {limit}", question.alert.compare.symbol())).unwrap_or_default();
    let mut text = format!("{}{limit} in {window}", verdict.value);
    if let Some(group) = answer.groups.first() {
        text.push_str(&described(group));
    }
    if verdict.firing > 1 {
        text.push_str(&format!(" ({} more groups)", verdict.firing - 1));
    }
    if let Some(doubt) = &answer.doubt {
        text.push_str(&format!("; {}", plain(&doubt.to_string())));
    }
    text
}

fn described(group: &Group) -> String {
    let key = match &group.key {
        Key::Whole => String::new(),
        key => format!(" for {}", plain(&key.to_string())),
    };
    let newest = group.rows.first().map(|row| format!(": {}", plain(&row.text()))).unwrap_or_default();
    format!("{key}{newest}")
}

fn verdict_name(question: &Question<'_>) -> &'static str {
    match question.alert.limits.critical() {
        Some(_) => "CRITICAL",
        None => "WARNING",
    }
}

/// `>= 10`: where it becomes worse.
fn limits(question: &Question<'_>) -> String {
    let limit = question.alert.limits.critical().or(question.alert.limits.warn());
    limit.map(|limit| format!("{} {limit}", question.alert.compare.symbol())).unwrap_or_default()
}

/// `'count'=17;10;20;0;` and with `by` how many groups fire.
fn numbers(question: &Question<'_>, answer: &Answer) -> String {
    let limits = question.alert.limits;
    let range = |limit: Option<u64>| limit.map(|limit| range(question.alert.compare, limit)).unwrap_or_default();
    let (warn, critical) = (range(limits.warn()), range(limits.critical()));
    let mut text = format!("'{}'={};{warn};{critical};0;", question.measure_name(), answer.verdict.value);
    if !question.alert.by.is_empty() {
        text.push_str(&format!(" 'groups'={};;;0;", answer.verdict.firing));
    }
    text
}

/// A range in the form of the Nagios plugin guidelines; for `>=` the limit itself, which graphs show.
fn range(compare: Compare, limit: u64) -> String {
    match compare {
        Compare::Greater | Compare::AtLeast => limit.to_string(),
        Compare::Less => format!("{limit}:"),
        Compare::AtMost => format!("{}:", limit.saturating_add(1)),
        Compare::Equal => format!("@{limit}:{limit}"),
        Compare::NotEqual => format!("{limit}:{limit}"),
    }
}

/// `whodid check --all`: the worst state, a line that counts them, and one for each.
pub fn summary(findings: &[(Question<'_>, Finding)]) -> (State, String) {
    let worst = findings.iter().map(|(_, finding)| finding.state()).max().unwrap_or(State::Unknown);
    let count = |state: State| findings.iter().filter(|(_, finding)| finding.state() == state).count();
    let all = [State::Critical, State::Warning, State::Unknown, State::Ok];
    let counted = all.map(|state| format!("{} {}", count(state), state.name().to_lowercase())).join(", ");
    let numbers = all.map(|state| format!("'{}'={};;;0;", state.name().to_lowercase(), count(state))).join(" ");
    let what = if findings.is_empty() { "no alert applies here".to_owned() } else { counted };
    let mut text = format!("{worst} whodid: {what} | {numbers}");
    let mut sorted: Vec<&(Question<'_>, Finding)> = findings.iter().collect();
    sorted.sort_by(|a, b| b.1.state().cmp(&a.1.state()).then_with(|| a.0.alert.id.cmp(&b.0.alert.id)));
    for (question, finding) in sorted {
        let line = line(question, finding, None);
        text.push('\n');
        // Of all lines only the first may have numbers: others are read as text.
        text.push_str(line.split(" | ").next().unwrap_or_default());
    }
    (worst, text)
}

/// `1h30m`
pub fn span(span: Duration) -> String {
    let mut seconds = span.as_secs();
    let mut text = String::new();
    for (unit, size) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        if seconds >= size {
            text.push_str(&format!("{}{unit}", seconds / size));
            seconds %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Text from outside as ASCII that neither ends the line nor begins the numbers.
fn plain(text: &str) -> String {
    let text = cut(text, PART_BYTES_MAX);
    let mut out = String::with_capacity(text.len());
    for c in escape::line(&text).chars() {
        match c {
            '|' => out.push_str("\\u{7c}"),
            ' '..='~' => out.push(c),
            c => out.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
        }
    }
    out
}

fn cut(text: &str, most: usize) -> String {
    match text.len() <= most {
        true => text.to_owned(),
        false => format!("{}...", text.get(..text.floor_char_boundary(most)).unwrap_or_default()),
    }
}
