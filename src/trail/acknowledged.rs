//! How many entries are durable: one number that readers of other processes may rely on.
//!
//! It is written in place after each `fdatasync` of the entries, and is no truth of its own: the
//! writer finds it anew when it opens. The number stands there twice, so that who reads while it is
//! being written notices.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use super::TrailError;
use super::layout::{Layout, open_to_write, read_small};

#[derive(Debug)]
pub(super) struct Acknowledged {
    path: PathBuf,
    file: File,
}

/// Two numbers of 20 digits, a space and a line feed.
const BYTES: u64 = 42;

/// Nobody is met in the middle of a write so often in a row.
const TRIES: usize = 100;

impl Acknowledged {
    pub(super) fn open(layout: &Layout) -> Result<Self, TrailError> {
        let path = layout.acknowledged();
        let file = open_to_write(&path).map_err(|error| TrailError::io(&path, error))?;
        if file.metadata().is_ok_and(|found| found.len() > BYTES) {
            file.set_len(0).map_err(|error| TrailError::io(&path, error))?;
        }
        Ok(Self { path, file })
    }

    pub(super) fn tell(&self, size: u64) -> Result<(), TrailError> {
        let text = format!("{size:020} {size:020}\n");
        self.file.write_all_at(text.as_bytes(), 0).map_err(|error| TrailError::io(&self.path, error))
    }
}

/// The number, if it can be read: what holds anything else is as good as missing.
pub(super) fn read(layout: &Layout) -> Result<Option<u64>, TrailError> {
    for _ in 0..TRIES {
        match read_small(&layout.acknowledged(), BYTES) {
            Ok(Some(bytes)) => {
                if let Some(size) = parse(&bytes) {
                    return Ok(Some(size));
                }
            }
            Ok(None) | Err(TrailError::Damaged { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

fn parse(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
    let (one, two) = text.split_once(' ')?;
    (one == two && one.len() == 20).then(|| one.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_is_half_written_is_none() {
        assert_eq!(parse(b"00000000000000000042 00000000000000000042\n"), Some(42));
        for bad in ["", "00000000000000000042 00000000000000000041\n", "42 42\n", "00000000000000000042\n"] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
