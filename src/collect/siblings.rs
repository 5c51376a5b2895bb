//! The files that a rotated log leaves beside it: which they are, and in which order they were written.
//!
//! `auth.log` → `auth.log.1`, `auth.log.2.gz` (logrotate), `auth.log-20261120`, `auth-20261120.log`
//! (dateext, with `extension`), `auth.log.0` (savelog), `auth.log.old`.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::content::Print;

/// A file that holds, or held, what was written to a log before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sibling {
    pub(super) path: PathBuf,
    pub(super) print: Print,
    mark: Mark,
}

/// What a rotated file's name says about its age.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mark {
    /// Larger is older.
    Number(u64),
    /// Smaller is older.
    Date(String),
    Word,
    /// Larger is newer: the numbers in the name of what a link leads to.
    Series(Vec<(usize, String)>),
}

/// Which names the rotated files of a log have.
pub(super) struct Family {
    log: PathBuf,
    /// What the log leads to, if it is a link: the files that it led to before have the same name but for
    /// their numbers.
    target: Option<PathBuf>,
}

impl Family {
    pub(super) fn of(log: &Path) -> Self {
        let is_link = log.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
        let target = if is_link { log.canonicalize().ok() } else { None };
        Self { log: log.to_owned(), target }
    }

    /// Whether a file of this name is, or was, one of them.
    pub(super) fn holds(&self, path: &str) -> bool {
        let path = Path::new(path);
        self.mark_beside(&self.log, path).is_some()
            || self.target.as_ref().is_some_and(|target| self.mark_beside(target, path).is_some())
    }

    /// The mark of `path` as a file beside the log, or beside what it leads to.
    fn mark_beside(&self, log: &Path, path: &Path) -> Option<Mark> {
        if path.parent() != log.parent() {
            return None;
        }
        let (base, name) = (log.file_name()?.to_str()?, path.file_name()?.to_str()?);
        mark(base, name).or_else(|| match &self.target {
            Some(target) if target == log => series(base, name),
            _ => None,
        })
    }
}

const COMPRESSIONS: [&str; 5] = [".gz", ".xz", ".zst", ".bz2", ".Z"];
const WORDS: [&str; 4] = ["old", "bak", "save", "prev"];

/// The rotated files of `log`, the newest first.
pub(super) fn siblings(log: &Path) -> io::Result<Vec<Sibling>> {
    let family = Family::of(log);
    let mut found = beside(log, &family)?;
    if let Some(target) = &family.target {
        found.extend(beside(target, &family)?);
    }
    // While a packer works, both are there, and the packed one is not whole.
    let plain: HashSet<_> = found.iter().map(|sibling| sibling.path.clone()).collect();
    found.retain(|sibling| unpacked(&sibling.path).is_none_or(|path| !plain.contains(&path)));
    let all = |kind: fn(&Mark) -> bool| found.iter().all(|sibling| kind(&sibling.mark));
    let by_name = all(|mark| matches!(mark, Mark::Number(_)))
        || all(|mark| matches!(mark, Mark::Date(_)))
        || all(|mark| matches!(mark, Mark::Series(_)));
    found.sort_by(|a, b| if by_name { newer_name(a, b) } else { newer_file(a, b) });
    Ok(found)
}

fn beside(log: &Path, family: &Family) -> io::Result<Vec<Sibling>> {
    let folder = match log.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(mark) = family.mark_beside(log, &log.with_file_name(entry.file_name())) else { continue };
        // It may be renamed or deleted between the two calls: then it is no sibling under this name.
        if let Ok(metadata) = fs::metadata(entry.path())
            && metadata.is_file()
        {
            found.push(Sibling { path: folder.join(entry.file_name()), print: Print::of(&metadata), mark });
        }
    }
    Ok(found)
}

/// Whether a name is one that rotation gives: nothing is appended to such a file for long.
pub(super) fn is_rotated_name(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let plain = without_compression(name);
    plain.len() < name.len()
        || plain.rsplit_once(['.', '-', '_']).is_some_and(|(stem, tail)| {
            !stem.is_empty() && (number(tail).is_some() || WORDS.contains(&tail) || date(tail).is_some())
        })
        || plain
            .rsplit_once('.')
            .and_then(|(stem, _)| stem.rsplit_once(['.', '-', '_']))
            .is_some_and(|(_, tail)| date(tail).is_some())
}

/// The name without the ending of a compression, if it has one.
pub(super) fn unpacked(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let plain = without_compression(name);
    (plain.len() < name.len()).then(|| path.with_file_name(plain))
}

fn newer_name(a: &Sibling, b: &Sibling) -> Ordering {
    let by_mark = match (&a.mark, &b.mark) {
        (Mark::Number(a), Mark::Number(b)) => a.cmp(b),
        (Mark::Date(a), Mark::Date(b)) => b.cmp(a),
        (Mark::Series(a), Mark::Series(b)) => b.cmp(a),
        _ => Ordering::Equal,
    };
    by_mark.then_with(|| newer_file(a, b))
}

fn newer_file(a: &Sibling, b: &Sibling) -> Ordering {
    b.print.modified().cmp(&a.print.modified()).then_with(|| a.path.cmp(&b.path))
}

fn mark(base: &str, name: &str) -> Option<Mark> {
    let plain = without_compression(name);
    let tail = match plain.strip_prefix(base) {
        Some(tail) => tail.strip_prefix(['.', '-', '_'])?,
        None => {
            let (stem, ending) = base.rsplit_once('.')?;
            plain.strip_prefix(stem)?.strip_suffix(ending)?.strip_suffix('.')?.strip_prefix(['.', '-', '_'])?
        }
    };
    if let Some(n) = number(tail) {
        return Some(Mark::Number(n));
    }
    if WORDS.contains(&tail) {
        return Some(Mark::Word);
    }
    date(tail).map(Mark::Date)
}

/// The numbers in a name that is `base` but for its numbers.
fn series(base: &str, name: &str) -> Option<Mark> {
    let (base, name) = (parts(base), parts(without_compression(name)));
    let is_same = base.0 == name.0 && !name.1.is_empty();
    is_same.then_some(Mark::Series(name.1))
}

/// A name with a mark in the place of each number, and the numbers: by length, then by digits.
fn parts(name: &str) -> (String, Vec<(usize, String)>) {
    let (mut shape, mut numbers) = (String::new(), Vec::<(usize, String)>::new());
    let mut is_number = false;
    for c in name.chars() {
        match (c.is_ascii_digit(), is_number, numbers.last_mut()) {
            (true, true, Some((_, digits))) => digits.push(c),
            (true, _, _) => {
                shape.push('\0');
                numbers.push((0, c.to_string()));
            }
            (false, _, _) => shape.push(c),
        }
        is_number = c.is_ascii_digit();
    }
    for (length, digits) in &mut numbers {
        let significant = digits.trim_start_matches('0');
        *length = significant.len();
        *digits = significant.to_owned();
    }
    (shape, numbers)
}

fn without_compression(name: &str) -> &str {
    COMPRESSIONS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

/// At most five digits: more are a date.
fn number(tail: &str) -> Option<u64> {
    (tail.len() <= 5 && tail.bytes().all(|b| b.is_ascii_digit())).then(|| tail.parse().ok()).flatten()
}

/// `20261120`, `2026-11-20`, `20261120-1700000000`, `2026-11-20T10:11:12`.
fn date(tail: &str) -> Option<String> {
    let digits = tail.bytes().filter(u8::is_ascii_digit).count();
    let only = tail.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'_' | b':' | b'.' | b'T' | b'Z'));
    (digits >= 6 && only && tail.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| tail.chars().filter(char::is_ascii_digit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotated_files_are_known() {
        for name in [
            "a.log.1",
            "a.log.2.gz",
            "a.log-20261120",
            "a-20261120.log",
            "a-20261120.log.gz",
            "a.log.old",
            "a.log.2026-11-20",
        ] {
            assert!(mark("a.log", name).is_some(), "{name}");
            assert!(is_rotated_name(Path::new(name)), "{name}");
        }
        for name in ["a.log", "a.log.gz.tmp", "b.log.1", "a.logx", "a.log.swp", "aa.log.1"] {
            assert!(mark("a.log", name).is_none(), "{name}");
        }
        for name in ["a.log", "wtmp", "auth-server.log", "1", "web-1.log", "secure"] {
            assert!(!is_rotated_name(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn what_a_link_led_to_before_is_known_by_its_numbers() {
        assert!(series("app-9.log", "app-10.log").is_some());
        assert!(series("app-9.log", "app-10.txt").is_none() && series("app.log", "app.log").is_none());
        assert!(matches!((series("app-9.log", "app-10.log"), series("app-9.log", "app-009.log")),
            (Some(Mark::Series(a)), Some(Mark::Series(b))) if a > b));
    }

    #[test]
    fn the_newest_comes_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let order = |log: &str, names: &[&str]| {
            for name in names {
                std::fs::File::create(folder.path().join(name)).expect("a file");
            }
            let found = siblings(&folder.path().join(log)).expect("a folder");
            found.iter().map(|s| s.path.file_name().expect("a name").to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            order("n.log", &["n.log.10.gz", "n.log.2.gz", "n.log.1", "n.log"]),
            ["n.log.1", "n.log.2.gz", "n.log.10.gz"]
        );
        assert_eq!(
            order("d.log", &["d.log-20261101", "d.log-20261120", "d.log-20261031.gz"]),
            ["d.log-20261120", "d.log-20261101", "d.log-20261031.gz"]
        );
    }
}
