//! The key of the marks that stand where secrets were.
//!
//! ```text
//! <keys>/<trail id>.marks    32 random bytes in base64 (0600)
//! ```
//!
//! It lies with the trail's other keys, so that a copy of the data folder never holds it. Without the old
//! file a new key is made: equal secrets then have other marks than before, and nothing else changes.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::durable;
use crate::sources::secrets::Marks;
use crate::trail::TrailError;

const MODE: u32 = 0o600;

/// The key and a newline are shorter.
const BYTES_MAX: u64 = 256;

/// The marks of a trail; their key is made where there is none.
pub(super) fn of(keys: &Path, origin: &str) -> Result<Marks, TrailError> {
    let id = origin.rsplit('/').next().unwrap_or_default();
    let path = keys.join(format!("{id}.marks"));
    let failed = |source| TrailError::Io { path: path.clone(), source };
    match File::open(&path) {
        Ok(file) => read(file, &path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut key = Zeroizing::new([0; 32]);
            getrandom::fill(&mut *key).map_err(|error| failed(error.into()))?;
            let text = Zeroizing::new(format!("{}\n", BASE64.encode(&*key)));
            fs::create_dir_all(keys).map_err(failed)?;
            durable::replace(&path, text.as_bytes(), MODE).map_err(failed)?;
            Ok(Marks::new(&key))
        }
        Err(error) => Err(failed(error)),
    }
}

fn read(file: File, path: &Path) -> Result<Marks, TrailError> {
    let failed = |source| TrailError::Io { path: path.to_owned(), source };
    let bad = |reason: String| TrailError::Key { path: PathBuf::from(path), reason };
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(bad(format!("others may read this key (mode {:04o}): `chmod 600` it", mode & 0o7777)));
    }
    let mut text = Zeroizing::new(String::with_capacity(BYTES_MAX as usize));
    file.take(BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    let key = BASE64.decode(text.trim_end().as_bytes()).ok().map(Zeroizing::new);
    let key: Option<[u8; 32]> = key.and_then(|key| key.as_slice().try_into().ok());
    match key {
        Some(key) => Ok(Marks::new(&key)),
        None => Err(bad("it is no key of 32 bytes in base64: put the old file back, or remove it to have a new one \
                         made; marks of secrets will differ from then on"
            .to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &[u8] = b"COMMAND=/bin/x --password=hunter2";

    fn marked(marks: &Marks) -> String {
        String::from_utf8(marks.redact(RECORD).expect("it holds a secret").marked).expect("text")
    }

    #[test]
    fn a_trail_keeps_its_key_and_others_have_their_own() {
        let keys = tempfile::tempdir().expect("a folder");
        let folder = keys.path().join("keys");
        let first = marked(&of(&folder, "example/web-1/aaaa").expect("made"));
        assert!(first.starts_with("COMMAND=/bin/x --password=[REDACTED:") && !first.contains("hunter2"), "{first}");
        assert_eq!(marked(&of(&folder, "example/web-1/aaaa").expect("read")), first);
        assert_ne!(marked(&of(&folder, "example/web-1/bbbb").expect("made")), first);
    }

    #[test]
    fn a_key_that_is_none_or_that_others_read_is_refused() {
        let keys = tempfile::tempdir().expect("a folder");
        of(keys.path(), "a/b/c").expect("made");
        let path = keys.path().join("c.marks");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
        assert!(of(keys.path(), "a/b/c").expect_err("readable").to_string().contains("chmod 600"));
        for text in ["", "x\n", "AAAA\n"] {
            fs::remove_file(&path).expect("ours");
            durable::replace(&path, text.as_bytes(), MODE).expect("room");
            assert!(of(keys.path(), "a/b/c").expect_err("no key").to_string().contains("32 bytes"), "{text}");
        }
    }
}
