//! The files that paths and globs name now.

use std::collections::{BTreeSet, HashSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::content::{Content, Print, Unreadable};
use super::outlet::{Closed, Outlet};
use super::unpack::{Members, Unpack};
use super::watch::folder_of;

/// What was found, the file that was changed longest ago first, and what was not.
#[derive(Default)]
pub(super) struct Scan {
    pub(super) found: Vec<Found>,
    /// Origin and problem.
    pub(super) failures: Vec<(String, String)>,
}

#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) print: Print,
}

/// Folders as well as files: what they are is seen when they are opened.
///
/// A pattern beside others need not match: rotated copies come with time. All of them together must.
pub(super) fn scan(paths: &[String]) -> Scan {
    let mut scan = Scan::default();
    let mut taken = HashSet::new();
    let mut unmatched = Vec::new();
    for text in paths {
        let path = Path::new(text);
        match path.metadata() {
            Ok(metadata) => scan.take(path, &metadata, &mut taken),
            Err(_) if is_glob(text) && scan.expand(text, &mut taken) => {}
            Err(_) if is_glob(text) => unmatched.push(text.clone()),
            Err(error) => scan.failures.push((text.clone(), Unreadable::from(error).to_string())),
        }
    }
    if scan.found.is_empty() && scan.failures.is_empty() {
        let problem = "matches no file: create one or correct the glob";
        scan.failures.extend(unmatched.into_iter().map(|pattern| (pattern, problem.to_owned())));
    }
    scan.found.sort_by(|a, b| a.print.modified().cmp(&b.print.modified()).then_with(|| a.path.cmp(&b.path)));
    scan
}

impl Scan {
    fn take(&mut self, path: &Path, metadata: &std::fs::Metadata, taken: &mut HashSet<super::content::FileId>) {
        let print = Print::of(metadata);
        // The same file by a link or by two patterns is one file.
        if taken.insert(print.id) {
            self.found.push(Found { path: path.to_owned(), print });
        }
    }

    /// False where nothing matches.
    fn expand(&mut self, pattern: &str, taken: &mut HashSet<super::content::FileId>) -> bool {
        let matches = match glob::glob(pattern) {
            Ok(matches) => matches,
            Err(error) => {
                self.failures.push((pattern.to_owned(), format!("is no glob that can be read: {error}")));
                return true;
            }
        };
        let mut any = false;
        for path in matches {
            match path {
                Ok(path) => {
                    // It may be gone since, or lead nowhere; special files in a glob are passed over.
                    if let Ok(metadata) = path.metadata()
                        && (metadata.is_file() || metadata.is_dir())
                    {
                        any = true;
                        self.take(&path, &metadata, taken);
                    }
                }
                Err(error) => {
                    any = true;
                    let origin = error.path().to_string_lossy().into_owned();
                    self.failures.push((origin, Unreadable::from(std::io::Error::from(error)).to_string()));
                }
            }
        }
        any
    }
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The folders in which files of these paths appear.
pub(super) fn folders(paths: &[String], found: &[Found]) -> BTreeSet<PathBuf> {
    let patterns = paths.iter().filter(|text| !folder_of(Path::new(text)).to_string_lossy().contains(['*', '?', '[']));
    patterns.map(|text| folder_of(Path::new(text))).chain(found.iter().map(|file| folder_of(&file.path))).collect()
}

/// The failures of one look, compared with those of the look before.
#[derive(Default)]
pub(super) struct Failing {
    origins: BTreeSet<String>,
}

impl Failing {
    /// Those that the trail knows of from before.
    pub(super) fn recall(outlet: &Outlet) -> Self {
        let source = outlet.source();
        let origins = outlet.registry.positions(|p| p.failures(source).map(|(origin, _)| origin.to_owned()).collect());
        Self { origins }
    }

    /// Reports what fails now and what does no more.
    pub(super) fn report(&mut self, now: Vec<(String, String)>, outlet: &mut Outlet) -> Result<(), Closed> {
        let before = std::mem::take(&mut self.origins);
        for (origin, problem) in now {
            outlet.failed(&origin, &problem)?;
            self.origins.insert(origin);
        }
        before.difference(&self.origins).try_for_each(|origin| outlet.works(origin))
    }
}

/// The first bytes of a file's unpacked content, to tell what it is.
pub fn head(path: &Path, bytes: u64) -> Result<Vec<u8>, Unreadable> {
    let content = Content::open(path, Members::Many, bytes)?;
    let mut head = Vec::new();
    content.read_from(0)?.take(bytes).read_to_end(&mut head)?;
    Ok(head)
}

/// The same of what has arrived on standard input: damage, such as an end in the middle, is no matter here.
pub fn head_of(arrived: &[u8], bytes: u64) -> Vec<u8> {
    let mut head = Vec::new();
    // A slice is read without errors; what is not gzip goes through.
    Unpack::new(arrived, Members::Many, bytes).read_to_end(&mut head).map_or(Vec::new(), |_| head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(folder: &Path, names: &[&str]) -> Vec<String> {
        let paths: Vec<String> = names.iter().map(|name| folder.join(name).to_string_lossy().into_owned()).collect();
        let name = |origin: &str| Path::new(origin).file_name().map(|name| name.to_string_lossy().into_owned());
        scan(&paths).failures.iter().filter_map(|(origin, _)| name(origin)).collect()
    }

    #[test]
    fn a_pattern_may_match_nothing_as_long_as_something_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(failures(folder.path(), &["auth.log", "auth.log.[0-9]*"]), ["auth.log"]);
        assert_eq!(failures(folder.path(), &["*.log", "*.gz"]), ["*.log", "*.gz"]);
        std::fs::File::create(folder.path().join("auth.log")).expect("a file");
        assert_eq!(failures(folder.path(), &["auth.log", "auth.log.[0-9]*"]), [""; 0]);
        assert_eq!(failures(folder.path(), &["auth.log", "wtmp"]), ["wtmp"]);
    }
}
