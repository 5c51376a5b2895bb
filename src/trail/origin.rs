//! The name of a trail, made once with its folder.
//!
//! ```text
//! <org>/<host>/<trail id> LF
//! whodid trail 1 LF
//! live | replay LF
//! <when it was made> LF
//! ```
//!
//! Signed as a [`Note`] by the trail's own key. The id is random, so a fresh folder is a new log and
//! never a rollback of an old one.

use std::fmt;

use data_encoding::BASE32_NOPAD;

use super::error::Damage;
use super::layout::{FILE_MODE, Layout, read_small};
use super::note::{Note, NoteError, SignerKey, VerifierKey};
use super::succession::Chain;
use super::{Open, TrailError};
use crate::durable;
use crate::event::Stamp;

/// Whether a trail records the present or a fixed instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Live,
    /// `[replay] now` in the configuration: time stands still.
    Replay,
}

/// What the file `origin` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) origin: String,
    pub(super) mode: Mode,
    pub(super) made: Stamp,
}

/// Of the layout.
const VERSION: &str = "whodid trail 1";

/// A name of three parts of at most 255 bytes, some words and a signature.
const BYTES_MAX: u64 = 4_096;

impl Mode {
    pub fn new(is_replay: bool) -> Self {
        if is_replay { Self::Replay } else { Self::Live }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Live => Self::Replay,
            Self::Replay => Self::Live,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Live => "live",
            Self::Replay => "replay",
        })
    }
}

impl Origin {
    /// A name that no trail had before.
    pub(super) fn make(open: &Open) -> Result<Self, TrailError> {
        for name in [&open.org, &open.host] {
            if !is_part(name) {
                return Err(TrailError::Name { name: name.clone() });
            }
        }
        let mut random = [0; 10];
        getrandom::fill(&mut random).map_err(|error| TrailError::io("/dev/urandom", error.into()))?;
        let id = BASE32_NOPAD.encode(&random).to_lowercase();
        let origin = format!("{}/{}/{id}", open.org, open.host);
        Ok(Self { origin, mode: open.mode, made: open.now })
    }

    /// None where no trail was made yet. Who signed it is not checked.
    pub(super) fn read(layout: &Layout) -> Result<Option<Self>, TrailError> {
        Ok(Self::read_note(layout)?.map(|(this, _)| this))
    }

    /// The same, with the signature to check.
    pub(super) fn read_note(layout: &Layout) -> Result<Option<(Self, Note)>, TrailError> {
        let path = layout.origin();
        let Some(bytes) = read_small(&path, BYTES_MAX)? else { return Ok(None) };
        let note = Note::parse(&bytes).map_err(|error| TrailError::damaged(&path, Damage::Note(error)))?;
        match Self::parse(note.text()) {
            Some(this) => Ok(Some((this, note))),
            None => Err(TrailError::malformed(&path, "it names no trail of a form that this version knows")),
        }
    }

    /// From here on the trail is there.
    pub(super) fn write(&self, layout: &Layout, key: &SignerKey) -> Result<(), TrailError> {
        let path = layout.origin();
        let note = self.sign(key).map_err(|error| TrailError::signing(&path, error))?;
        durable::replace(&path, note.as_bytes(), FILE_MODE).map_err(|error| TrailError::io(path, error))
    }

    /// The signed form, as it is stored.
    pub(super) fn sign(&self, key: &SignerKey) -> Result<String, NoteError> {
        Note::sign(self.to_string(), key).map(|note| note.to_string())
    }

    /// One more key vouches for the name, beside those of the chain that did so before.
    pub(super) fn sign_too(layout: &Layout, chain: &Chain, key: &SignerKey) -> Result<(), TrailError> {
        let path = layout.origin();
        let Some((_, mut note)) = Self::read_note(layout)? else { return Err(TrailError::missing(path)) };
        let known: Vec<VerifierKey> = chain.links().iter().map(|link| link.record.key.clone()).collect();
        note.keep_signatures_of(&known);
        note.add_signature(key).map_err(|error| TrailError::signing(&path, error))?;
        durable::replace(&path, note.to_string().as_bytes(), FILE_MODE).map_err(|error| TrailError::io(path, error))
    }

    fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.strip_suffix('\n')?.split('\n').collect();
        let [origin, VERSION, mode, made] = lines.as_slice() else { return None };
        let mode = [Mode::Live, Mode::Replay].into_iter().find(|known| known.to_string() == *mode)?;
        let this = Self { origin: (*origin).to_owned(), mode, made: Stamp::parse(made)? };
        (origin.split('/').all(is_part) && this.to_string() == text).then_some(this)
    }

    /// The last part of the name.
    pub(super) fn id(&self) -> &str {
        id(&self.origin)
    }
}

/// The last part of a name.
pub(super) fn id(origin: &str) -> &str {
    origin.rsplit('/').next().unwrap_or_default()
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{VERSION}\n{}\n{}\n", self.origin, self.mode, self.made)
    }
}

fn is_part(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !name.is_empty() && name.len() <= 255 && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for good in ["example.org", "web-1", "a_b"] {
            assert!(is_part(good), "{good}");
        }
        for bad in ["", "a b", "a+b", "a/b", "ä", "a\n", &"x".repeat(256)] {
            assert!(!is_part(bad), "{bad:?}");
        }
    }
}
