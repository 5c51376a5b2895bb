//! The spool folder: records that were handed over while no writer ran.
//!
//! ```text
//! /var/spool/whodid   mode 1733: everybody may put files there, and list, change or delete only their own
//! a file              records, one line of JSON each; written as `.name`, then renamed to a name without the dot
//! ```
//!
//! Who it was is the owner of the opened file. What is no plain file with one name is removed unread, and an
//! event says so. A file is deleted when its events are durable: after a crash between the two it is read
//! again, and known. What cannot be deleted makes the source fail, and is looked at again and again.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, openat, statat, unlinkat};
use rustix::io::Errno;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch as signal};
use tokio::time::Instant;

use super::RECORDS_TOGETHER;
use super::peer::Names;
use crate::collect::notice::Notice;
use crate::collect::outlet::{Closed, Outlet};
use crate::collect::setting::Setting;
use crate::event::Event;
use crate::sources::run_record::{RECORD_BYTES_MAX, Sender};

pub(super) struct Spool<'a> {
    path: PathBuf,
    setting: &'a Setting,
    names: Names,
    refused: Refused,
    /// What should be gone and is not: the first one of this round, and why.
    stuck: Option<String>,
}

/// What went unread and is not told yet.
#[derive(Default)]
struct Refused {
    count: u64,
    /// The first one, and why.
    first: String,
    told: Option<Instant>,
}

const MODE: u32 = 0o1733;

/// A file longer than this holds no run.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Ours have five hundred at most. An event takes far more than its record, so length alone bounds nothing.
const FILE_RECORDS_MAX: usize = 10_000;

/// What one round takes: of all, and of each user, so that nobody's wait for another's.
const ROUND_FILES: usize = 1_000;
const ROUND_FILES_OF_ONE: usize = 250;
const ROUND_BYTES: u64 = 8 << 20;

/// Rounds of a run that ends: who goes on putting files there keeps nobody.
const ROUNDS_MAX: usize = 1_000;

/// How often what was refused is told: who puts nonsense there does not fill the trail.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// A file that is not finished after so long never will be.
const UNFINISHED_AFTER: Duration = Duration::from_secs(3_600);

/// One file, read.
struct Found {
    name: OsString,
    inode: u64,
    uid: u32,
    gid: u32,
    bytes: Vec<u8>,
}

/// What a name stands for.
enum Entry {
    Record(Stat),
    /// To be removed, and why.
    Refused(u32, &'static str),
    /// Not yet finished, or none of ours to remove.
    Other,
}

impl<'a> Spool<'a> {
    pub(super) fn new(path: &Path, setting: &'a Setting) -> Self {
        Self { path: path.to_owned(), setting, names: Names::new(), refused: Refused::default(), stuck: None }
    }

    /// Makes the folder where it is missing.
    pub(super) fn prepare(&self, outlet: &mut Outlet) -> Result<(), Closed> {
        let origin = self.path.to_string_lossy();
        match make(&self.path) {
            Ok(()) => outlet.works(&origin),
            Err(error) => outlet.failed(
                &origin,
                &format!("cannot be the spool folder ({error}): make it with `install -d -m 1733 -o USER`, USER being who runs whodid"),
            ),
        }
    }

    /// Takes in all that waits.
    pub(super) fn drain(
        &mut self,
        runtime: &Handle,
        shutdown: &mut signal::Receiver<bool>,
        outlet: &mut Outlet,
    ) -> Result<(), Closed> {
        for _ in 0..ROUNDS_MAX {
            if self.round(runtime, shutdown, outlet)? == 0 {
                break;
            }
        }
        outlet.progress.drained(self.setting.name());
        Ok(())
    }

    /// Takes in a share of what waits; how many files are gone.
    pub(super) fn round(
        &mut self,
        runtime: &Handle,
        shutdown: &mut signal::Receiver<bool>,
        outlet: &mut Outlet,
    ) -> Result<usize, Closed> {
        let Ok(folder) = open_folder(&self.path) else { return Ok(0) };
        let (found, refused) = self.look(&folder, outlet);
        let gone = self.refuse(&folder, &refused) + self.take_in(&folder, &found, runtime, shutdown, outlet)?;
        self.tell_refused(outlet)?;
        let origin = self.path.to_string_lossy();
        match self.stuck.take() {
            Some(stuck) => outlet.failed(
                &origin,
                &format!("holds what cannot be removed ({stuck}): the folder must belong to the user who runs whodid"),
            )?,
            None => outlet.works(&origin)?,
        }
        Ok(gone)
    }

    /// Reads files, and deletes them when what they held is durable; how many are gone.
    fn take_in(
        &mut self,
        folder: &OwnedFd,
        found: &[Found],
        runtime: &Handle,
        shutdown: &mut signal::Receiver<bool>,
        outlet: &mut Outlet,
    ) -> Result<usize, Closed> {
        if found.is_empty() {
            return Ok(0);
        }
        let now = outlet.clock.now();
        let (mut events, mut waiting, mut count) = (Vec::new(), Vec::new(), 0);
        for file in found {
            let sender = Sender {
                via: "spool",
                uid: file.uid,
                gid: file.gid,
                name: self.names.of(file.uid),
                ..Sender::default()
            };
            // What is longer is no record; it is kept in pieces.
            for piece in records(&file.bytes).flat_map(|line| line.chunks(RECORD_BYTES_MAX)) {
                events.push(self.setting.received(piece, &sender, now));
                count += 1;
                if events.len() >= RECORDS_TOGETHER {
                    hand_over(std::mem::take(&mut events), &mut waiting, outlet)?;
                }
            }
        }
        hand_over(events, &mut waiting, outlet)?;
        let bytes = found.iter().map(|file| file.bytes.len() as u64).sum();
        outlet.progress.read_bytes(bytes);
        let is_durable = runtime.block_on(async {
            for is_done in waiting {
                let is_done = tokio::select! {
                    biased;
                    is_done = is_done => is_done.is_ok(),
                    _ = shutdown.wait_for(|stop| *stop) => false,
                };
                if !is_done {
                    return false;
                }
            }
            true
        });
        if !is_durable {
            // It is there next time.
            return Ok(0);
        }
        outlet.note_read(&self.path.to_string_lossy(), bytes, count, 0, None);
        let mut gone = 0;
        for file in found {
            match remove(folder, file) {
                Ok(()) => gone += 1,
                Err(error) => self.is_stuck(&file.name, file.uid, &error),
            }
        }
        Ok(gone)
    }

    /// Removes what must go unread; how many are gone.
    fn refuse(&mut self, folder: &OwnedFd, refused: &[(OsString, u32, &'static str)]) -> usize {
        let mut gone = 0;
        for (name, uid, why) in refused {
            match unlinkat(folder, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {
                    gone += 1;
                    self.refused.note(name, *uid, why);
                }
                Err(error) => self.is_stuck(name, *uid, &error.into()),
            }
        }
        gone
    }

    fn is_stuck(&mut self, name: &OsString, uid: u32, error: &io::Error) {
        self.stuck.get_or_insert_with(|| format!("{} of user {uid}: {error}", name.to_string_lossy()));
    }

    /// What may be read now, and what must go unread.
    fn look(&self, folder: &OwnedFd, outlet: &Outlet) -> (Vec<Found>, Vec<(OsString, u32, &'static str)>) {
        let (mut found, mut refused) = (Vec::new(), Vec::new());
        let mut of_one: HashMap<u32, usize> = HashMap::new();
        let mut bytes = 0;
        let Ok(entries) = fs::read_dir(&self.path) else { return (found, refused) };
        for name in entries.flatten().map(|entry| entry.file_name()) {
            if found.len() >= ROUND_FILES || bytes >= ROUND_BYTES || refused.len() >= ROUND_FILES {
                break;
            }
            match self.judge(folder, &name, outlet) {
                Entry::Other => {}
                Entry::Refused(uid, why) => refused.push((name, uid, why)),
                Entry::Record(stat) => {
                    let count = of_one.entry(stat.st_uid).or_default();
                    *count += 1;
                    if *count > ROUND_FILES_OF_ONE {
                        continue;
                    }
                    match read(folder, &name) {
                        Ok(Some(file)) if records(&file.bytes).nth(FILE_RECORDS_MAX).is_some() => {
                            refused.push((name, file.uid, "holds too many records"));
                        }
                        Ok(Some(file)) => {
                            bytes += file.bytes.len() as u64;
                            found.push(file);
                        }
                        Ok(None) => {}
                        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                            refused.push((name, stat.st_uid, "cannot be read"));
                        }
                        // Descriptors or the disk are the trouble: it is there next time.
                        Err(_) => {}
                    }
                }
            }
        }
        (found, refused)
    }

    fn judge(&self, folder: &OwnedFd, name: &OsString, outlet: &Outlet) -> Entry {
        let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { return Entry::Other };
        let refused = |why| Entry::Refused(stat.st_uid, why);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile if name.as_encoded_bytes().starts_with(b".") => {
                let rested = outlet.clock.now().micros() / 1_000_000 - stat.st_mtime;
                let is_left = rested > UNFINISHED_AFTER.as_secs() as i64;
                if is_left { refused("was never finished") } else { Entry::Other }
            }
            FileType::RegularFile if stat.st_nlink != 1 => refused("has other names"),
            FileType::RegularFile if u64::try_from(stat.st_size).is_ok_and(|size| size > FILE_BYTES_MAX) => {
                refused("is too long")
            }
            FileType::RegularFile => Entry::Record(stat),
            // It may hold what is somebody's: only an empty one would go.
            FileType::Directory => Entry::Other,
            _ => refused("is no plain file"),
        }
    }

    /// That some were refused: one event for all of a while.
    fn tell_refused(&mut self, outlet: &mut Outlet) -> Result<(), Closed> {
        let Refused { count, first, told } = &self.refused;
        if *count == 0 || told.is_some_and(|told| told.elapsed() < TELL_EVERY) {
            return Ok(());
        }
        let problem =
            format!("held {count} entries that no record can be read from, which were removed; the first, {first}");
        outlet.say(Notice::damaged(self.setting.name(), &self.path.to_string_lossy(), &problem))?;
        self.refused = Refused { told: Some(Instant::now()), ..Refused::default() };
        outlet.flush()
    }
}

impl Refused {
    fn note(&mut self, name: &OsString, uid: u32, why: &str) {
        if self.count == 0 {
            self.first = format!("{} of user {uid}, {why}", name.to_string_lossy());
        }
        self.count += 1;
    }
}

fn records(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty())
}

fn hand_over(events: Vec<Event>, waiting: &mut Vec<oneshot::Receiver<()>>, outlet: &mut Outlet) -> Result<(), Closed> {
    let (done, is_done) = oneshot::channel();
    waiting.push(is_done);
    outlet.hand_over(events, vec![done])
}

fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// One that is there keeps its mode: whoever made it may want fewer people to use it.
fn make(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.is_dir() => return Err(io::Error::other("it is no folder")),
        Ok(found) if found.uid() != rustix::process::geteuid().as_raw() && found.uid() != 0 => {
            return Err(io::Error::other(format!("it belongs to user {}", found.uid())));
        }
        Ok(found) if found.mode() & 0o1002 == 0o0002 => {
            return Err(io::Error::other("anybody can take others' files from it: chmod +t"));
        }
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs::DirBuilder::new().mode(0o700).create(path)?;
    // Not subject to the umask.
    fs::set_permissions(path, Permissions::from_mode(MODE))
}

/// The file that was judged; none if it is another one by now.
fn read(folder: &OwnedFd, name: &OsString) -> io::Result<Option<Found>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(folder, name, flags, Mode::empty())?;
    let stat = fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_nlink != 1 {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    File::from(file).take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(Some(Found { name: name.clone(), inode: stat.st_ino, uid: stat.st_uid, gid: stat.st_gid, bytes }))
}

/// What its owner put there in its place meanwhile stays.
fn remove(folder: &OwnedFd, file: &Found) -> io::Result<()> {
    if statat(folder, &file.name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| stat.st_ino == file.inode) {
        unlinkat(folder, &file.name, AtFlags::empty())?;
    }
    Ok(())
}
