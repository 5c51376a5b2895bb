//! What a witness remembers.
//!
//! ```text
//! <key>                        its private key (0600)
//! <state>/witness              its public key: which witness this is the memory of
//! <state>/lock                 held by the one process
//! <state>/log/<of origin>      the checkpoint of a log that was cosigned last: note, with the log's signature and ours
//! <state>/conflicts/<…>        signed checkpoints that do not fit: for each a file of notes, what was known and what came
//! ```
//!
//! `<of origin>` is the hex of the first 16 bytes of SHA-256 over the origin. Invariant: a file of a log is the
//! old or the new one, whatever happens; a memory that is gone while the key is there is not begun anew.

use std::fs::{self, DirBuilder};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::WitnessError;
use super::log::{self, Known};
use crate::durable;
use crate::trail::checkpoint::BYTES_MAX;
use crate::trail::cosignature::{Cosigner, WitnessKey};
use crate::trail::note::Note;

const FILE_MODE: u32 = 0o640;
const FOLDER_MODE: u32 = 0o750;
const SECRET_MODE: u32 = 0o600;

/// Of each kind: whoever has a log's key, or old checkpoints of it, must not fill a disk.
const CONFLICTS_MAX: usize = 128;

#[derive(Debug)]
pub(super) struct State {
    folder: PathBuf,
}

/// How a signed checkpoint does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// Two roots of one size: proof that the log's key signed two histories.
    Fork,
    /// Its proof does not hold: another history, or somebody sent a wrong proof with a checkpoint that is good.
    Unproven,
    /// Below what was cosigned: a log put back to an older state, or an old request sent again.
    Older,
}

impl Evidence {
    fn word(self) -> &'static str {
        match self {
            Self::Fork => "fork",
            Self::Unproven => "unproven",
            Self::Older => "older",
        }
    }

    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Fork => "another root at the size that was cosigned: the key signed two histories",
            Self::Unproven => "it does not continue what was cosigned, or its proof is wrong",
            Self::Older => "it is older than what was cosigned",
        }
    }
}

impl State {
    pub(super) fn open(folder: &Path) -> Result<Self, WitnessError> {
        let this = Self { folder: folder.to_owned() };
        for folder in [this.logs(), this.conflicts()] {
            let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&folder);
            made.map_err(|source| WitnessError::Io { path: folder, source })?;
        }
        durable::sync_folder(folder).map_err(|source| WitnessError::Io { path: folder.to_owned(), source })?;
        Ok(this)
    }

    /// The key; at the first start a new one.
    pub(super) fn cosigner(&self, name: &str, path: &Path) -> Result<Cosigner, WitnessError> {
        let bad = |reason: String| WitnessError::Key { path: path.to_owned(), reason };
        let marker = self.folder.join("witness");
        let whose = read_small(&marker)?;
        let Some(text) = read_small(path)? else {
            return match self.is_empty()? {
                true => self.make(name, path, &marker),
                false => Err(bad(format!(
                    "the key of the witness that {} is the memory of is not there: bring it back, or name another \
                     folder, where a new witness begins",
                    self.folder.display()
                ))),
            };
        };
        let mode = fs::metadata(path).map_err(|source| io_error(path, source))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(bad(format!("others may read this key (mode {:04o}): `chmod 600` it", mode & 0o7777)));
        }
        let cosigner = Cosigner::parse(text.trim_end_matches('\n')).map_err(|error| bad(error.to_string()))?;
        let verifier = cosigner.verifier();
        if verifier.name() != name {
            return Err(bad(format!("it is the key of {}, and this witness is to be {name}", verifier.name())));
        }
        match whose {
            Some(whose) if whose.trim_end() == verifier.to_string() => Ok(cosigner),
            Some(whose) => {
                let reason = format!("it is the memory of another witness, {}", whose.trim_end());
                Err(WitnessError::State { path: marker, reason })
            }
            None => Err(WitnessError::State {
                path: marker,
                reason: format!(
                    "the memory of what this key cosigned is gone: bring it back, or move {} away, so that a new \
                     witness begins, and give its key to those who verify",
                    path.display()
                ),
            }),
        }
    }

    /// The memory says first whose it is, so that a kill between the two leaves what is made again.
    fn make(&self, name: &str, path: &Path, marker: &Path) -> Result<Cosigner, WitnessError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| io_error("/dev/urandom", error.into()))?;
        let cosigner = Cosigner::from_seed(name, &seed)
            .map_err(|error| WitnessError::Key { path: path.to_owned(), reason: error.to_string() })?;
        replace(marker, format!("{}\n", cosigner.verifier()).as_bytes(), FILE_MODE)?;
        replace(path, format!("{}\n", cosigner.to_secret_text()).as_bytes(), SECRET_MODE)?;
        Ok(cosigner)
    }

    /// Whether nothing was cosigned yet.
    fn is_empty(&self) -> Result<bool, WitnessError> {
        let mut entries = fs::read_dir(self.logs()).map_err(|source| io_error(self.logs(), source))?;
        Ok(entries.next().is_none())
    }

    /// What was cosigned last; its cosignature must be ours.
    pub(super) fn load(&self, origin: &str, key: &WitnessKey) -> Result<Option<Known>, WitnessError> {
        let path = self.log(origin);
        let Some(text) = read_small(&path)? else { return Ok(None) };
        let bad = |reason: String| WitnessError::State { path: path.clone(), reason };
        let advice = "what was cosigned is not known, and nothing is cosigned before it is: bring the file back";
        let note = Note::parse(text.as_bytes()).map_err(|error| bad(format!("{error}; {advice}")))?;
        key.cosigned(&note).map_err(|error| bad(format!("{error}; {advice}")))?;
        let checkpoint = log::checkpoint(note.text()).filter(|checkpoint| checkpoint.origin == origin);
        let checkpoint = checkpoint.ok_or_else(|| bad(format!("it is no checkpoint of {origin}; {advice}")))?;
        Ok(Some(Known { checkpoint, note }))
    }

    /// Remembers what is cosigned. Durable when this returns.
    pub(super) fn keep(&self, origin: &str, note: &Note) -> Result<(), WitnessError> {
        replace(&self.log(origin), note.to_string().as_bytes(), FILE_MODE)
    }

    /// Keeps what does not fit, once, and only so many. None where it was not kept.
    pub(super) fn keep_conflict(
        &self,
        origin: &str,
        evidence: Evidence,
        known: Option<&Note>,
        (note, size): (&Note, u64),
    ) -> Result<Option<PathBuf>, WitnessError> {
        let folder = self.conflicts();
        let kind = format!("{}-{}-", of(origin), evidence.word());
        let path = folder.join(format!("{kind}{size}-{}", of(note.text())));
        let listed = fs::read_dir(&folder).map_err(|source| io_error(&folder, source))?;
        let names = listed.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        if path.exists() || names.filter(|name| name.starts_with(&kind)).count() >= CONFLICTS_MAX {
            return Ok(None);
        }
        let both: String = known.into_iter().chain([note]).map(Note::to_string).collect();
        replace(&path, both.as_bytes(), FILE_MODE)?;
        Ok(Some(path))
    }

    fn logs(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn log(&self, origin: &str) -> PathBuf {
        self.logs().join(of(origin))
    }

    fn conflicts(&self) -> PathBuf {
        self.folder.join("conflicts")
    }
}

/// A file name for what may hold anything.
fn of(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    HEXLOWER.encode(hash.get(..16).unwrap_or(&hash))
}

fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), WitnessError> {
    durable::replace(path, bytes, mode).map_err(|source| io_error(path, source))
}

fn io_error(path: impl Into<PathBuf>, source: io::Error) -> WitnessError {
    let path = path.into();
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => WitnessError::Full { path, source },
        _ => WitnessError::Io { path, source },
    }
}

/// A note or a key as text, if it is there.
fn read_small(path: &Path) -> Result<Option<String>, WitnessError> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io_error(path, source)),
    };
    let mut text = String::new();
    let read = file.take(2 * BYTES_MAX).read_to_string(&mut text);
    match read {
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(WitnessError::State { path: path.to_owned(), reason: "it is no text".to_owned() })
        }
        Err(source) => Err(io_error(path, source)),
    }
}
