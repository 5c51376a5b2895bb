//! Events as a table: when, who, what, object, from, where, outcome.
//!
//! Rows are held until their columns have a width, [`ROWS_HELD`] and [`BYTES_HELD`] at most; later rows
//! keep to it unless they need more. On a terminal a line is never wider than it: what does not fit ends with `…`. Elsewhere
//! nothing is cut.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::event::{Event, Exposure, Named, escape};
use crate::query::Attribution;

/// Enough for a search, and little to wait for.
const ROWS_HELD: usize = 256;

/// A command may be a megabyte long.
const BYTES_HELD: usize = 1 << 20;

const COLUMNS: usize = 7;

const HEADER: [&str; COLUMNS] = ["when", "who", "what", "object", "from", "where", "outcome"];

/// A column is made this wide at most for the sake of the longest cell in it; the last one is not padded.
const WIDTH_MAX: [usize; COLUMNS] = [20, 60, 32, 60, 39, 32, 60];

/// On a narrow terminal columns shrink to this; a time without its seconds would be another time.
const WIDTH_MIN: [usize; COLUMNS] = [20, 8, 8, 8, 8, 6, 7];

const GAP: usize = 2;

pub(super) struct Table {
    /// The terminal's width.
    columns: Option<usize>,
    held: Vec<[String; COLUMNS]>,
    bytes: usize,
    /// The header stands above the first row, never above none.
    is_begun: bool,
    /// The widest cell of each column so far, up to [`WIDTH_MAX`].
    widths: [usize; COLUMNS],
}

impl Table {
    pub(super) fn new(columns: Option<usize>) -> Self {
        Self { columns, held: Vec::new(), bytes: 0, is_begun: false, widths: [0; COLUMNS] }
    }

    pub(super) fn add(&mut self, event: &Event, by: &Attribution, out: &mut impl Write) -> io::Result<()> {
        if !self.is_begun {
            self.held.push(HEADER.map(str::to_owned));
            self.is_begun = true;
        }
        let row = row(event, by);
        self.bytes += row.iter().map(String::len).sum::<usize>();
        self.held.push(row);
        if self.held.len() < ROWS_HELD && self.bytes < BYTES_HELD { Ok(()) } else { self.write(out) }
    }

    /// Writes the rows that are held.
    pub(super) fn write(&mut self, out: &mut impl Write) -> io::Result<()> {
        for row in &self.held {
            for ((width, cell), max) in self.widths.iter_mut().zip(row).zip(WIDTH_MAX) {
                *width = (*width).max(cell.width().min(max));
            }
        }
        let widths = match self.columns {
            Some(columns) => fitted(self.widths, columns),
            None => self.widths,
        };
        for row in self.held.drain(..) {
            writeln!(out, "{}", line(&row, widths, self.columns))?;
        }
        self.bytes = 0;
        Ok(())
    }
}

/// The widest columns give way until all fit.
fn fitted(mut widths: [usize; COLUMNS], columns: usize) -> [usize; COLUMNS] {
    let room = columns.saturating_sub(GAP * (COLUMNS - 1));
    while widths.iter().sum::<usize>() > room {
        match widths.iter_mut().zip(WIDTH_MIN).filter(|(width, min)| **width > *min).max() {
            Some((widest, _)) => *widest -= 1,
            None => break,
        }
    }
    widths
}

fn line(row: &[String; COLUMNS], widths: [usize; COLUMNS], columns: Option<usize>) -> String {
    let mut line = String::new();
    for (cell, width) in row.iter().zip(widths) {
        let cell = if columns.is_some() { cut(cell, width) } else { cell.clone() };
        line.push_str(&cell);
        line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.width()) + GAP));
    }
    let line = line.trim_end();
    // A terminal too narrow for seven columns.
    columns.map_or_else(|| line.to_owned(), |columns| cut(line, columns))
}

/// What fits into this many columns; combining marks have no width, but not without end.
fn cut(text: &str, width: usize) -> String {
    const CHARS_PER_COLUMN: usize = 4;
    let chars_max = CHARS_PER_COLUMN * width;
    if text.width() <= width && text.chars().count() <= chars_max {
        return text.to_owned();
    }
    let (mut out, mut used) = (String::new(), 0);
    for c in text.chars().take(chars_max) {
        used += c.width().unwrap_or(0);
        if used >= width {
            break;
        }
        out.push(c);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

fn row(event: &Event, by: &Attribution) -> [String; COLUMNS] {
    let Event { who, place, .. } = event;
    let words = |words: &[Option<&str>], between: &str| -> String {
        words.iter().flatten().copied().collect::<Vec<_>>().join(between)
    };
    let name = who.name.as_deref().or(who.id.as_deref()).or(who.service.as_deref());
    let from = who.ip.or(by.ip()).map(|ip| ip.to_string()).or_else(|| who.host.clone());
    let own = words(&[name, named(who.as_.as_ref())], " as ");
    let confidence = by.confidence().map(|confidence| format!(" ({})", confidence.as_str())).unwrap_or_default();
    let who = by.text(event, (!own.is_empty()).then_some(&own)).map(|text| text + &confidence);
    let doubt = by.doubt().map(str::to_uppercase);
    let cells = [
        event.when.instant().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        who.unwrap_or(own),
        event.what.action.clone(),
        object(event),
        from.unwrap_or_default(),
        words(&[place.host.as_deref(), place.account.as_deref(), place.region.as_deref()], " "),
        words(&[doubt.as_deref(), Some(event.outcome.as_str()), event.reason.as_deref()], ": "),
    ];
    cells.map(|cell| escape::line(&cell).into_owned())
}

/// What says most about the thing acted on; of a line that no decoder knows, the line.
fn object(event: &Event) -> String {
    let what = &event.what;
    let (target, group) = (named(what.target.as_ref()), named(what.group.as_ref()));
    let acted_on = match (what.command.as_deref().or(what.object.as_deref()), target, group) {
        (Some(text), _, _) => text.to_owned(),
        (None, Some(target), Some(group)) => format!("{target} in {group}"),
        (None, target, group) => target.or(group).unwrap_or_default().to_owned(),
    };
    let networks: Vec<&str> = what.exposes.iter().filter_map(to_whom).collect();
    match (acted_on.is_empty(), networks.is_empty()) {
        (true, true) if what.action == "unparsed" => event.raw.clone().unwrap_or_default(),
        (_, true) => acted_on,
        (_, false) => format!("{acted_on} ({})", networks.join(", ")),
    }
}

fn to_whom(exposure: &Exposure) -> Option<&str> {
    exposure.cidr.as_deref().or(exposure.principal.as_deref())
}

fn named(named: Option<&Named>) -> Option<&str> {
    named.and_then(|named| named.name.as_deref().or(named.id.as_deref()))
}
