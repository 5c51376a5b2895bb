//! A line that is too long to be held: its cursor is found as it goes by.

use memchr::memmem;

/// What stands before the cursor. Within a value the quotes would have a backslash each.
const BEFORE: &[u8] = b"\"__CURSOR\":\"";

/// More than the longest cursor with what stands before it.
const KEEP: usize = 512;

/// Sees the pieces of one line.
#[derive(Debug, Default)]
pub(super) struct Long {
    tail: Vec<u8>,
    pub(super) bytes: u64,
    pub(super) cursor: Option<String>,
}

impl Long {
    pub(super) fn see(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        if self.cursor.is_some() {
            return;
        }
        let mut joined = std::mem::take(&mut self.tail);
        joined.extend_from_slice(piece.get(..piece.len().min(KEEP)).unwrap_or_default());
        self.cursor = find(&joined).or_else(|| find(piece));
        self.tail = match piece.len() {
            0..KEEP => joined.get(joined.len().saturating_sub(KEEP)..).unwrap_or_default().to_vec(),
            long => piece.get(long - KEEP..).unwrap_or_default().to_vec(),
        };
    }
}

fn find(bytes: &[u8]) -> Option<String> {
    let at = memmem::find(bytes, BEFORE)? + BEFORE.len();
    let rest = bytes.get(at..)?;
    let cursor = rest.get(..memchr::memchr(b'"', rest)?)?;
    String::from_utf8(cursor.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_is_found_wherever_the_line_is_cut() {
        let line = [
            b"{\"A\":\"\\\"__CURSOR\\\":\\\"no\",\"B\":\"".as_slice(),
            &[b'x'; 2_000],
            b"\",\"__CURSOR\":\"s=1;i=2\",\"C\":\"",
            &[b'y'; 900],
            b"\"}",
        ]
        .concat();
        for cut in 1..line.len() {
            let mut long = Long::default();
            line.chunks(cut).for_each(|piece| long.see(piece));
            assert_eq!((long.cursor.as_deref(), long.bytes), (Some("s=1;i=2"), line.len() as u64), "{cut}");
        }
    }
}
