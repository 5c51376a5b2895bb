//! The window: from when to when, and the indices that it names.

use std::collections::BTreeSet;

use chrono::{DateTime, Months, TimeDelta, Utc};

use super::Failure;
use super::options::Options;
use super::strftime::{has_hours, strftime};
use crate::event::Stamp;

/// So many names fill a megabyte: whoever asks for more asks for all.
const INDICES_MAX: usize = 20_000;

/// When it ends: now, less the offset.
pub(super) fn end(options: &Options, now: Stamp) -> Result<DateTime<Utc>, Failure> {
    let offset = TimeDelta::try_seconds(options.offset_seconds);
    offset.and_then(|offset| now.instant().checked_sub_signed(offset)).ok_or_else(|| too_far("--offset"))
}

/// What Elasticsearch is told of its start; none where the window has no length.
pub(super) fn start_expression(options: &Options, end: DateTime<Utc>) -> Option<String> {
    let mut text = format!("{}||", seconds(end));
    let mut has = false;
    for (number, unit) in units(options).into_iter().filter(|(number, _)| *number != 0) {
        has = true;
        text.push_str(&format!("-{number}{unit}"));
    }
    has.then_some(text)
}

fn units(options: &Options) -> [(i64, char); 5] {
    [(options.minutes, 'm'), (options.hours, 'h'), (options.days, 'd'), (options.weeks, 'w'), (options.months, 'M')]
}

/// As it stands in the request.
pub(super) fn seconds(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S").to_string()
}

/// The names, each once; `_all` where none are given. Words about them go to `note`.
pub(super) fn indices(
    options: &Options,
    end: DateTime<Utc>,
    note: &mut dyn FnMut(String),
) -> Result<Vec<String>, Failure> {
    if let Some(names) = &options.indices {
        let names: Vec<String> = names.split(',').map(|name| name.trim().to_owned()).collect();
        let is_empty = names.iter().all(String::is_empty);
        return Ok(if is_empty { vec!["_all".to_owned()] } else { names });
    }
    let Some(pattern) = &options.date_index else { return Ok(vec!["_all".to_owned()]) };
    let is_hourly = options.is_hourly || (has_hours(pattern) && !options.is_strict);
    if is_hourly && !options.is_hourly {
        note(format!("\"{pattern}\" names hours: every hour of the window is looked at, as with --repeat-hourly"));
    }
    let step = if is_hourly { TimeDelta::hours(1) } else { TimeDelta::days(1) };
    let (mut names, mut seen) = (Vec::new(), BTreeSet::new());
    let mut add = |at: DateTime<Utc>| {
        let name = strftime(pattern, at);
        if seen.insert(name.clone()) {
            names.push(name);
        }
        names.len() <= INDICES_MAX
    };
    let mut at = start(options, end)?;
    while at <= end {
        if !add(at) {
            return Err(Failure::new(format!(
                "\"{pattern}\" names more than {INDICES_MAX} indices: use -i with a pattern"
            )));
        }
        at = at.checked_add_signed(step).ok_or_else(|| too_far("the window"))?;
    }
    add(end);
    Ok(names)
}

/// In the order in which the expression is reckoned; months are those of the calendar there too.
fn start(options: &Options, end: DateTime<Utc>) -> Result<DateTime<Utc>, Failure> {
    let fixed = [
        TimeDelta::try_minutes(options.minutes),
        TimeDelta::try_hours(options.hours),
        TimeDelta::try_days(options.days),
        TimeDelta::try_weeks(options.weeks),
    ];
    let mut at = Some(end);
    for delta in fixed {
        at = at.zip(delta).and_then(|(at, delta)| at.checked_sub_signed(delta));
    }
    let months = u32::try_from(options.months.unsigned_abs()).ok().map(Months::new);
    let start = at.zip(months).and_then(|(at, months)| match options.months < 0 {
        true => at.checked_add_months(months),
        false => at.checked_sub_months(months),
    });
    // No index is older.
    start.map(|start| start.max(DateTime::UNIX_EPOCH)).ok_or_else(|| too_far("the window"))
}

fn too_far(what: &str) -> Failure {
    Failure::new(format!("{what} reaches too far: there are no logs of that time"))
}
