//! An event as the cells of a spreadsheet.
//!
//! Control and bidi characters are spelled out, so that a cell is one line. Excel and its like take a cell
//! that begins with `=`, `+`, `-` or `@` for a formula, and some formulas run programs: such a cell gets a
//! leading `'`.

use crate::event::{Event, Exposure, Named, escape};
use crate::query::Attribution;

/// The names of the columns.
pub(super) const HEADER: [&str; COLUMNS] = [
    "when",
    "who",
    "who_id",
    "as",
    "person",
    "chain",
    "confidence",
    "action",
    "object",
    "command",
    "target",
    "group",
    "exposes",
    "outcome",
    "reason",
    "ip",
    "from",
    "host",
    "service",
    "pid",
    "tty",
    "account",
    "region",
    "provider",
    "trust",
    "source",
    "origin",
    "digest",
    "pos",
    "tags",
    "id",
    "raw",
];

const COLUMNS: usize = 32;

/// One cell for each of [`HEADER`].
pub(super) fn of(event: &Event, by: &Attribution) -> [String; COLUMNS] {
    let Event { who, what, place, source, .. } = event;
    let name = |named: &Option<Named>| named.as_ref().and_then(|named| named.name.clone().or_else(|| named.id.clone()));
    let cells = [
        Some(event.when.to_string()),
        who.name.clone(),
        who.id.clone(),
        name(&who.as_),
        Some(by.person.join(", ")),
        Some(by.chain().join(" > ")),
        by.confidence().map(|confidence| confidence.as_str().to_owned()),
        Some(what.action.clone()),
        what.object.clone(),
        what.command.clone(),
        name(&what.target),
        name(&what.group),
        Some(what.exposes.iter().map(opening).collect::<Vec<_>>().join("; ")),
        Some(event.outcome.as_str().to_owned()),
        event.reason.clone(),
        who.ip.map(|ip| ip.to_string()),
        who.host.clone(),
        place.host.clone(),
        place.service.clone(),
        place.pid.map(|pid| pid.to_string()),
        place.tty.clone(),
        place.account.clone(),
        place.region.clone(),
        what.provider.clone(),
        Some(event.trust.as_str().to_owned()),
        Some(source.name.to_string()),
        Some(source.origin.to_string()),
        by.digest.first().cloned(),
        source.pos.map(|pos| pos.to_string()),
        Some(event.tags.join(" ")),
        Some(event.id.to_string()),
        event.raw.clone(),
    ];
    cells.map(|cell| harmless(&cell.unwrap_or_default()))
}

/// `0.0.0.0/0 tcp 22-80`.
fn opening(exposure: &Exposure) -> String {
    let ports = match (exposure.from, exposure.to) {
        (Some(from), Some(to)) if from != to => Some(format!("{from}-{to}")),
        (from, to) => from.or(to).map(|port| port.to_string()),
    };
    let words = [exposure.cidr.clone(), exposure.principal.clone(), exposure.protocol.clone(), ports];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Text that a spreadsheet shows and does not run.
pub(super) fn harmless(text: &str) -> String {
    let escaped = escape::line(text);
    match text.trim_start_matches(' ').starts_with(BEGINS_FORMULA) {
        true => format!("'{escaped}"),
        false => escaped.into_owned(),
    }
}

/// The last four are what East Asian input methods write for the first.
const BEGINS_FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_a_formula_is_text() {
        let shown = ["=1", "+1", "-1", "@a", "\tx", "\rx", " =1", "＝1", "a=1", "", "'=1", "\n=1"].map(harmless);
        assert_eq!(shown, ["'=1", "'+1", "'-1", "'@a", "'\\tx", "'\\rx", "' =1", "'＝1", "a=1", "", "'=1", "\\n=1"]);
    }

    #[test]
    fn an_opening_is_a_network_and_its_ports() {
        let open = |from, to| Exposure {
            cidr: Some("::/0".to_owned()),
            protocol: Some("tcp".to_owned()),
            from,
            to,
            ..Exposure::default()
        };
        assert_eq!(opening(&open(Some(22), Some(22))), "::/0 tcp 22");
        assert_eq!(opening(&open(Some(1), Some(22))), "::/0 tcp 1-22");
        assert_eq!(opening(&open(None, None)), "::/0 tcp");
    }
}
