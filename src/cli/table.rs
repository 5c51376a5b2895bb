//! Lists for people: columns as wide as what is in them, everything escaped.

use unicode_width::UnicodeWidthStr as _;

use crate::event::escape;

/// Two spaces between columns; the last column is as long as it is.
pub(super) fn table<const N: usize>(header: [&str; N], lines: impl IntoIterator<Item = [String; N]>) -> String {
    rows(header.map(str::to_owned).into(), lines.into_iter().map(Vec::from))
}

/// The same of columns whose number is not known before.
pub(super) fn rows(header: Vec<String>, rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let escaped = |row: Vec<String>| row.iter().map(|cell| escape::line(cell).into_owned()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(rows).map(escaped).collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = cell.width().max(*width));
    }
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.width() + 2));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_hostile_gets_through() {
        let rows = [["漢".to_owned(), "a\x1b[2J".to_owned()], ["abc".to_owned(), String::new()]];
        assert_eq!(table(["id", "what"], rows), "id   what\n漢   a\\u{1b}[2J\nabc\n");
    }
}
