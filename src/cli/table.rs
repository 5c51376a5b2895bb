//! Lists for people: columns as wide as what is in them, everything escaped.

use unicode_width::UnicodeWidthStr as _;

use crate::event::escape;

/// Two spaces between columns; the last column is as long as it is.
pub(super) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let escaped = |row: [String; N]| row.map(|cell| escape::line(&cell).into_owned());
    let rows: Vec<[String; N]> =
        std::iter::once(header.map(str::to_owned)).chain(rows.into_iter().map(escaped)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
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
