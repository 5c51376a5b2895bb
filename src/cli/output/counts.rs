//! Counts of groups on their way out, the largest first.

use std::cmp::Reverse;
use std::io::{self, Write};

use serde_json::{Map, Value as Json};

use super::{Format, cells};
use crate::cli::table;
use crate::event::escape;
use crate::event::fields::FieldRef;
use crate::index::{By, Group, Tally};

/// In a table what an event has no value in.
const NONE: &str = "-";

const DAY: &str = "day";
const COUNT: &str = "count";

/// Prints at most `limit` groups; equal counts by day and values.
pub(in crate::cli) fn print(
    format: Format,
    by: &By,
    tally: &Tally,
    limit: usize,
    mut out: impl Write,
    is_terminal: bool,
) -> io::Result<()> {
    let mut groups: Vec<(&Group, u64)> = tally.groups.iter().map(|(group, count)| (group, *count)).collect();
    groups.sort_by_key(|(group, count)| (Reverse(*count), *group));
    groups.truncate(limit);
    let day = by.per_day.then(|| DAY.to_owned());
    match format {
        Format::Whodid | Format::Ecs => {
            let names: Vec<String> = by.fields.iter().map(|field| name(field, format)).collect();
            for (group, count) in groups {
                let json = json(&names, group, count).to_string();
                match is_terminal {
                    true => writeln!(out, "{}", escape::json(&json))?,
                    false => writeln!(out, "{json}")?,
                }
            }
        }
        Format::Table => {
            let names = by.fields.iter().map(FieldRef::name);
            let header = [COUNT.to_owned()].into_iter().chain(day).chain(names).collect();
            let rows = groups.iter().map(|(group, count)| row(group, *count, NONE));
            write!(out, "{}", table::rows(header, rows))?;
        }
        Format::Csv => {
            let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(&mut out);
            let names = by.fields.iter().map(|field| cells::harmless(&field.name()));
            csv.write_record([COUNT.to_owned()].into_iter().chain(day).chain(names))?;
            for (group, count) in groups {
                csv.write_record(row(group, count, "").iter().map(|cell| cells::harmless(cell)))?;
            }
            csv.flush()?;
        }
    }
    out.flush()
}

fn name(field: &FieldRef, format: Format) -> String {
    match field {
        FieldRef::Known(known) if format == Format::Ecs => known.aliases.first().unwrap_or(&known.name).to_string(),
        field => field.name(),
    }
}

fn row(group: &Group, count: u64, none: &str) -> Vec<String> {
    let day = group.day.map(|day| day.to_string());
    let values = group.values.iter().map(|value| value.clone().unwrap_or_else(|| none.to_owned()));
    [count.to_string()].into_iter().chain(day).chain(values).collect()
}

/// Flat, by the names of the fields; one without a value is left out.
fn json(names: &[String], group: &Group, count: u64) -> Json {
    let mut object = Map::new();
    object.insert(COUNT.to_owned(), count.into());
    if let Some(day) = group.day {
        object.insert(DAY.to_owned(), day.to_string().into());
    }
    for (name, value) in names.iter().zip(&group.values) {
        if let Some(value) = value {
            object.insert(name.clone(), value.as_str().into());
        }
    }
    object.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::fields;

    fn printed(format: Format, limit: usize) -> String {
        let by = By { fields: vec![fields::resolve("user.name").expect("a field")], per_day: true };
        let mut tally = Tally::default();
        for (name, count) in [(Some("=alice"), 2), (Some("b\nob"), 7), (None, 2)] {
            let group = Group { day: "2026-11-20".parse().ok(), values: vec![name.map(str::to_owned)] };
            tally.groups.insert(group, count);
        }
        let mut out = Vec::new();
        print(format, &by, &tally, limit, &mut out, false).expect("printable");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_largest_come_first_and_nothing_hostile_gets_through() {
        let table =
            "count  day         who.name\n7      2026-11-20  b\\nob\n2      2026-11-20  -\n2      2026-11-20  =alice\n";
        assert_eq!(printed(Format::Table, 9), table);
        let csv = "count,day,who.name\r\n7,2026-11-20,b\\nob\r\n2,2026-11-20,\r\n2,2026-11-20,'=alice\r\n";
        assert_eq!(printed(Format::Csv, 9), csv);
        let ecs = "{\"count\":7,\"day\":\"2026-11-20\",\"user.name\":\"b\\nob\"}\n";
        assert_eq!(printed(Format::Ecs, 1), ecs);
        let own =
            "{\"count\":7,\"day\":\"2026-11-20\",\"who.name\":\"b\\nob\"}\n{\"count\":2,\"day\":\"2026-11-20\"}\n";
        assert_eq!(printed(Format::Whodid, 2), own);
    }
}
