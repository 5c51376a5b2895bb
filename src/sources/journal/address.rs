//! Where a record stands in the journal: its cursor and its times.
//!
//! `s=…;i=…;b=…;m=…;t=…;x=…`: which sequence and the place in it, boot, monotonic and real time, and a hash of
//! the content. `s` and `i` name a place of one machine's own files; `b`, `m`, `t` and the content stay the
//! same when records are copied elsewhere, so an event's id is made of these.

use super::record::Record;

/// The parts of a cursor that whodid uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Which sequence of numbers: that of one journald, until it begins anew.
    pub sequence: String,
    pub number: u64,
    pub boot: String,
    pub monotonic: u64,
    pub realtime: u64,
    pub content: String,
}

/// Longer than any cursor.
const CURSOR_BYTES_MAX: usize = 512;

impl Cursor {
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > CURSOR_BYTES_MAX {
            return None;
        }
        let part = |key: &str| text.split(';').find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
        let hex = |key: &str| u64::from_str_radix(part(key)?, 16).ok();
        Some(Self {
            sequence: part("s")?.to_owned(),
            number: hex("i")?,
            boot: part("b")?.to_owned(),
            monotonic: hex("m")?,
            realtime: hex("t")?,
            content: part("x")?.to_owned(),
        })
    }

    /// Whether both are cursors of one record, be it in different files.
    pub fn is_same_record(&self, other: &Self) -> bool {
        let all = |cursor: &Self| (cursor.monotonic, cursor.realtime);
        all(self) == all(other) && self.boot == other.boot && self.content == other.content
    }
}

/// What names a record wherever it is copied to, besides its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) boot: [u8; 32],
    pub(super) monotonic: u64,
    pub(super) realtime: u64,
}

impl Address {
    pub(super) fn of(record: &Record<'_>) -> Option<Self> {
        let boot = record.trusted("_BOOT_ID")?;
        Some(Self {
            boot: boot.as_bytes().try_into().ok()?,
            monotonic: record.number("__MONOTONIC_TIMESTAMP")?,
            realtime: record.number("__REALTIME_TIMESTAMP")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CURSOR: &str = "s=67c67dd6070b4f138a0e0fb75edd6cb4;i=1a;b=0123456789abcdef0123456789abcdef;m=1e8480;t=6608b016e7240;x=9bd830f1f249b367";

    #[test]
    fn a_cursor_is_taken_apart() {
        let cursor = Cursor::parse(CURSOR).expect("a cursor");
        assert_eq!((cursor.number, cursor.monotonic, cursor.realtime), (26, 2_000_000, 1_795_000_001_000_000));
        let copied = Cursor::parse(&CURSOR.replace("s=67", "s=00").replace("i=1a", "i=1")).expect("a cursor");
        assert!(cursor != copied && cursor.is_same_record(&copied));
        for other in ["", "s=;i=", "i=1a;b=2", &CURSOR.replace("m=1e8480", "m=x"), &CURSOR.repeat(9)] {
            assert_eq!(Cursor::parse(other), None, "{other}");
        }
    }
}
