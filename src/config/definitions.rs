//! The saved queries and alerts: those in the binary, then those beside the configuration.
//!
//! An id is the path below `queries/` or `alerts/` without the ending; the same id beside the
//! configuration replaces the one in the binary, and never adds to it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use sha2::{Digest as _, Sha256};

use super::problem::Problem;

static QUERIES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/queries");
static ALERTS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/alerts");

/// What a file defines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Config,
    Query,
    Alert,
}

/// The text of one definition and where it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    /// The file; for one in the binary, its path in whodid's own repository.
    pub(super) file: PathBuf,
    pub(super) text: String,
    pub(super) sha256: String,
}

/// A configuration file is written by hand; one of this size is something else.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 20;

/// The definitions of a kind by id, and what was wrong with the files that hold them.
#[derive(Debug, Default)]
pub(super) struct Definitions {
    pub(super) texts: BTreeMap<String, Text>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

pub(super) fn queries(beside: Option<&Path>) -> Definitions {
    Definitions::collect(&QUERIES, "queries", beside)
}

pub(super) fn alerts(beside: Option<&Path>) -> Definitions {
    Definitions::collect(&ALERTS, "alerts", beside)
}

impl Definitions {
    fn collect(dir: &Dir<'_>, name: &str, beside: Option<&Path>) -> Self {
        let mut found = Self::default();
        found.embedded(dir, Path::new(name));
        if let Some(folder) = beside.map(|folder| folder.join(name))
            && folder.is_dir()
        {
            found.walk(&folder, &folder);
        }
        found
    }

    fn embedded(&mut self, dir: &Dir<'_>, name: &Path) {
        for file in dir.files() {
            // What is not UTF-8 or not TOML cannot be shipped: a test reads them all.
            if let (Some(id), Some(text)) = (id_of(file.path()), file.contents_utf8()) {
                self.texts.insert(id, Text::new(name.join(file.path()), text.to_owned()));
            }
        }
        for dir in dir.dirs() {
            self.embedded(dir, name);
        }
    }

    fn walk(&mut self, root: &Path, folder: &Path) {
        let entries = fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>());
        let mut paths = match entries {
            Ok(entries) => entries.into_iter().map(|entry| entry.path()).collect::<Vec<_>>(),
            Err(error) => return self.problems.push(unreadable(folder, &error)),
        };
        paths.sort();
        for path in paths {
            if is_hidden(&path) {
                continue;
            }
            match path.is_dir() {
                // A link may lead back to a folder above it.
                true if path.is_symlink() => {
                    self.warnings.push(problem(&path, "a linked folder is not read", "put the files themselves here"));
                }
                true => self.walk(root, &path),
                false => self.file(root, path),
            }
        }
    }

    fn file(&mut self, root: &Path, path: PathBuf) {
        if path.extension().is_none_or(|ending| ending != "toml") {
            return self.warnings.push(problem(&path, "not read: it does not end in .toml", "move it elsewhere"));
        }
        let Some(id) = path.strip_prefix(root).ok().and_then(id_of) else {
            let advice = "lower-case letters, digits, hyphens and underscores";
            return self.problems.push(problem(&path, "the file's name is no id", advice));
        };
        match read(&path) {
            Ok(text) => drop(self.texts.insert(id, Text::new(path, text))),
            Err(error) => self.problems.push(unreadable(&path, &error)),
        }
    }
}

/// Editors leave such files behind, and nobody means them.
fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') || name.ends_with('~')
}

/// `aws/root-activity` for `aws/root-activity.toml`.
fn id_of(path: &Path) -> Option<String> {
    let id = path.to_str()?.strip_suffix(".toml")?.to_owned();
    is_id(&id).then_some(id)
}

pub(super) fn is_id(id: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
    };
    id.split('/').all(is_part)
}

/// Reads a file of settings: bounded, and UTF-8.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 1 MiB"));
    }
    Ok(text)
}

pub(super) fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "let this user read it",
        io::ErrorKind::InvalidData => "it must be UTF-8 text",
        _ => "it must be a readable file",
    };
    problem(path, format!("cannot be read: {error}"), advice)
}

pub(super) fn problem(path: &Path, what: impl Into<String>, advice: impl Into<String>) -> Problem {
    Problem { file: path.to_owned(), line: None, what: what.into(), advice: Some(advice.into()) }
}

pub(super) fn sha256(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}

impl Text {
    fn new(file: PathBuf, text: String) -> Self {
        let sha256 = sha256(&text);
        Self { file, text, sha256 }
    }
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Query => "query",
            Self::Alert => "alert",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        crate::durable::swap(&path, text.as_bytes(), 0o600).expect("written");
    }

    #[test]
    fn the_same_id_replaces_and_others_add() {
        let root = tempfile::tempdir().expect("a folder");
        put(root.path(), "queries/aws/root-activity.toml", "mine");
        put(root.path(), "queries/own/thing.toml", "also mine");
        let found = queries(Some(root.path()));
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        assert_eq!(found.texts["aws/root-activity"].text, "mine");
        assert_eq!(found.texts["own/thing"].sha256, sha256("also mine"));
        assert_ne!(queries(None).texts["aws/root-activity"].text, "mine");
    }

    #[test]
    fn what_is_no_definition_is_reported_and_what_editors_leave_is_not() {
        let root = tempfile::tempdir().expect("a folder");
        for name in ["Root.toml", "a b.toml", "rule.yml", ".x.toml.swp", "x.toml~", "-x.toml"] {
            put(root.path(), &format!("alerts/{name}"), "");
        }
        std::os::unix::fs::symlink(root.path().join("alerts"), root.path().join("alerts/loop")).expect("linked");
        let found = alerts(Some(root.path()));
        let names = |problems: &[Problem]| -> Vec<String> {
            problems.iter().filter_map(|p| Some(p.file.file_name()?.to_str()?.to_owned())).collect()
        };
        assert_eq!(names(&found.problems), ["-x.toml", "Root.toml", "a b.toml"]);
        assert_eq!(names(&found.warnings), ["loop", "rule.yml"]);
    }

    #[test]
    fn a_file_without_end_is_not_read() {
        let error = read(Path::new("/dev/zero")).expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
