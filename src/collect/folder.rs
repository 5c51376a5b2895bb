//! CloudTrail objects and digests that lie in folders: each is read whole, and once for as long as it does not change.
//!
//! Their records have ids of their own (`eventID`), so every object is sent as possibly known: what
//! the trail holds is left out, over restarts, overlaps and doubles.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::io::Errno;

use super::Mode;
use super::content::{Content, FileId, Print, Unreadable};
use super::files::{self, Failing, Found};
use super::names::Kind;
use super::object::{self, About, Ended};
use super::outlet::{Closed, Outlet};
use super::setting::Setting;
use super::stop::{Stop, Woken};
use super::watch::Watch;

/// `AWSLogs/o-1/1/CloudTrail/eu-west-1/2026/11/20` is nine deep; links may lead in circles.
const DEPTH_MAX: usize = 32;

/// Reads all objects; when following, those that come or change later too.
pub(super) fn read(
    setting: &Setting,
    paths: &[String],
    mode: Mode,
    stop: Stop,
    outlet: &mut Outlet,
) -> Result<(), Closed> {
    let failing = Failing::recall(outlet);
    let mut folder = Folder { setting, outlet, failing, read: HashMap::new(), settling: HashMap::new() };
    let mut watch = Watch::new(stop);
    loop {
        let objects = Objects::under(paths);
        if mode == Mode::Follow {
            watch.folders(objects.folders.iter().take(WATCHED_FOLDERS).cloned().collect());
        }
        folder.look(objects, mode, watch.stop())?;
        if mode != Mode::Follow {
            return Ok(());
        }
        if watch.wait() == Woken::Stop {
            return Ok(());
        }
    }
}

/// inotify's watches are a resource of the whole machine; the newest folders are where objects come.
const WATCHED_FOLDERS: usize = 256;

struct Folder<'a> {
    setting: &'a Setting,
    outlet: &'a mut Outlet,
    failing: Failing,
    read: HashMap<PathBuf, Print>,
    /// Objects that somebody may still be writing.
    settling: HashMap<PathBuf, Print>,
}

impl Folder<'_> {
    fn look(&mut self, objects: Objects, mode: Mode, stop: &Stop) -> Result<(), Closed> {
        let Objects { found, mut failures, .. } = objects;
        let present: HashSet<_> = found.iter().map(|object| &object.path).collect();
        self.read.retain(|path, _| present.contains(path));
        self.settling.retain(|path, _| present.contains(path));
        let new: Vec<_> = found.iter().filter(|object| self.read.get(&object.path) != Some(&object.print)).collect();
        for object in new {
            if stop.is_set() {
                return self.outlet.flush();
            }
            let settled = mode != Mode::Follow || self.settling.get(&object.path) == Some(&object.print);
            if !settled {
                self.settling.insert(object.path.clone(), object.print);
                continue;
            }
            self.settling.remove(&object.path);
            self.outlet.progress.expect_bytes(object.print.size);
            let read = self.object(&object.path, stop)?;
            self.outlet.progress.read_bytes(object.print.size);
            match read {
                Ok(()) => drop(self.read.insert(object.path.clone(), object.print)),
                // Gone since it was listed: the next look does not list it.
                Err(Unreadable::Missing) if mode == Mode::Follow => {}
                Err(problem) => failures.push((object.path.to_string_lossy().into_owned(), problem.to_string())),
            }
        }
        self.outlet.flush()?;
        self.failing.report(failures, self.outlet)?;
        if self.settling.is_empty() {
            self.outlet.progress.drained(self.setting.name());
        }
        Ok(())
    }

    fn object(&mut self, path: &Path, stop: &Stop) -> Result<Result<(), Unreadable>, Closed> {
        let content = match Content::open(path, self.setting.members(), self.setting.source.decompressed_bytes_max) {
            Ok(content) => content,
            Err(problem) => return Ok(Err(problem)),
        };
        let about = About { origin: &path.to_string_lossy(), signature: None };
        // An object that was begun is read to its end, unless that takes long.
        let goes_on = |bytes| bytes <= STOP_BYTES || !stop.is_set();
        match object::read(content.packed_bytes(), about, self.setting, self.outlet, goes_on)? {
            Ended::Read | Ended::Stopped => Ok(Ok(())),
            Ended::Broken(error) => Ok(Err(error.into())),
        }
    }
}

/// So much of an object is read even when it is time to stop: a second's work.
const STOP_BYTES: u64 = 64 << 20;

/// What lies under the paths of a source.
#[derive(Default)]
struct Objects {
    /// By name, which for CloudTrail is by region and time; digests come behind what they speak of.
    found: Vec<Found>,
    failures: Vec<(String, String)>,
    /// Every folder that was walked, the last one in the order of names first.
    folders: Vec<PathBuf>,
    walked: HashSet<FileId>,
}

impl Objects {
    fn under(paths: &[String]) -> Self {
        let scan = files::scan(paths);
        let mut objects = Self { failures: scan.failures, ..Self::default() };
        objects.folders.extend(files::folders(paths, &[]));
        for Found { path, print } in scan.found {
            match path.is_dir() {
                true => objects.walk(&path, print.id, 0),
                false => objects.found.push(Found { path, print }),
            }
        }
        objects.found.sort_by_cached_key(|object| (Kind::of(&object.path.to_string_lossy()), object.path.clone()));
        objects.found.dedup_by(|a, b| a.path == b.path);
        objects.folders.sort_by(|a, b| b.cmp(a));
        objects
    }

    fn walk(&mut self, folder: &Path, id: FileId, depth: usize) {
        if depth > DEPTH_MAX || !self.walked.insert(id) {
            return;
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.failures.push((folder.to_string_lossy().into_owned(), Unreadable::from(error).to_string()));
                return;
            }
        };
        self.folders.push(folder.to_owned());
        for entry in entries {
            let path = match entry {
                Ok(entry) => entry.path(),
                Err(error) => {
                    self.failures.push((folder.to_string_lossy().into_owned(), Unreadable::from(error).to_string()));
                    continue;
                }
            };
            let metadata = match fs::metadata(&path) {
                Ok(metadata) => metadata,
                Err(error) if leads_nowhere(&error) => continue,
                Err(error) => {
                    self.failures.push((path.to_string_lossy().into_owned(), Unreadable::from(error).to_string()));
                    continue;
                }
            };
            let print = Print::of(&metadata);
            if metadata.is_dir() {
                self.walk(&path, print.id, depth + 1);
            } else if metadata.is_file() && is_object(&path) {
                self.found.push(Found { path, print });
            }
        }
    }
}

/// A link to nothing or in a circle, or a file that is gone again: nothing is there that could be read.
fn leads_nowhere(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || Errno::from_io_error(error) == Some(Errno::LOOP)
}

fn is_object(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    name.ends_with(".json") || name.ends_with(".json.gz")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_what_is_not_there_is_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::File::create(at("a.json")).expect("a file");
        symlink(at("nothing"), at("b.json")).expect("a link");
        symlink(at("c.json"), at("c.json")).expect("a link");
        // It may be there, but this machine cannot tell.
        symlink("x".repeat(300), at("d.json")).expect("a link");
        let objects = Objects::under(&[folder.path().to_string_lossy().into_owned()]);
        let found: Vec<_> = objects.found.iter().map(|object| object.path.clone()).collect();
        let failed: Vec<_> = objects.failures.iter().map(|(origin, _)| PathBuf::from(origin)).collect();
        assert_eq!((found, failed), (vec![at("a.json")], vec![at("d.json")]));
    }
}
