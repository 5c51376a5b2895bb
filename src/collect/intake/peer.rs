//! Who is at the other end of a local socket: what the kernel says (unix(7) `SO_PEERCRED`, proc(5)).
//!
//! The credentials are those of the moment of the connection. What stands in `/proc` is read through a
//! handle on the process's folder, and counts only if the process still belongs to the same user: a process
//! that took over the number cannot lend its facts to another user's records.

use std::collections::HashMap;
use std::fs;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rustix::fs::{Mode, OFlags, fstat, openat, readlinkat};
use tokio::net::unix::UCred;
use tokio::time::Instant;

use crate::event::Named;
use crate::sources::run_record::Sender;

/// What `/proc/<pid>/loginuid` and `sessionid` hold before anybody logged in.
const UNSET: u32 = u32::MAX;

/// More of a file of `/proc` is never needed.
const FILE_BYTES_MAX: u64 = 4 << 10;

/// Everything the kernel tells of a peer.
pub(super) fn look(peer: &UCred, names: &mut Names) -> Sender {
    let pid = peer.pid().and_then(|pid| u32::try_from(pid).ok());
    let plain = Sender {
        via: "socket",
        uid: peer.uid(),
        gid: peer.gid(),
        name: names.of(peer.uid()),
        pid,
        ..Sender::default()
    };
    let Some(process) = pid.and_then(|pid| Process::open(pid, peer.uid())) else { return plain };
    let login = process.number("loginuid").filter(|uid| *uid != UNSET);
    Sender {
        login: login.map(|uid| Named { name: names.of(uid), id: Some(uid.to_string()) }),
        session: process.number("sessionid").filter(|session| *session != UNSET),
        tty: process.read("stat").and_then(|stat| tty(&stat)),
        exe: process.exe(),
        ..plain
    }
}

/// A process's folder in `/proc`: once it has ended, nothing can be read here, whoever gets its number.
struct Process(OwnedFd);

impl Process {
    fn open(pid: u32, uid: u32) -> Option<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(format!("/proc/{pid}"), flags, Mode::empty()).ok()?;
        (fstat(&folder).ok()?.st_uid == uid).then_some(Self(folder))
    }

    fn read(&self, name: &str) -> Option<String> {
        let file = openat(&self.0, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
        let mut text = Vec::new();
        fs::File::from(file).take(FILE_BYTES_MAX).read_to_end(&mut text).ok()?;
        // The program's name may be any bytes.
        Some(String::from_utf8_lossy(&text).into_owned())
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.read(name)?.trim().parse().ok()
    }

    fn exe(&self) -> Option<String> {
        let path = readlinkat(&self.0, "exe", Vec::new()).ok()?;
        Some(path.to_string_lossy().into_owned())
    }
}

/// The terminal in `/proc/<pid>/stat`: the fifth field after the name, which stands in brackets.
fn tty(stat: &str) -> Option<String> {
    let (_, fields) = stat.rsplit_once(')')?;
    let device: u32 = fields.split_ascii_whitespace().nth(4)?.parse().ok()?;
    let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xf_ff00));
    match (major, minor) {
        (136..=143, minor) => Some(format!("pts/{}", minor + ((major - 136) << 8))),
        (4, 0..=63) => Some(format!("tty{minor}")),
        (4, _) => Some(format!("ttyS{}", minor - 64)),
        _ => None,
    }
}

/// Names of users, by `/etc/passwd`; read again when it changes, and not more often than once a second.
pub(super) struct Names {
    path: PathBuf,
    names: HashMap<u32, String>,
    read: Option<(Instant, Option<SystemTime>)>,
}

const PASSWD_BYTES_MAX: u64 = 16 << 20;

impl Names {
    pub(super) fn new() -> Self {
        Self { path: PathBuf::from("/etc/passwd"), names: HashMap::new(), read: None }
    }

    pub(super) fn of(&mut self, uid: u32) -> Option<String> {
        let now = Instant::now();
        if self.read.is_none_or(|(at, _)| now.duration_since(at) >= Duration::from_secs(1)) {
            let changed = fs::metadata(&self.path).and_then(|meta| meta.modified()).ok();
            if self.read.is_none_or(|(_, before)| before != changed) {
                self.names = self.read();
            }
            self.read = Some((now, changed));
        }
        self.names.get(&uid).cloned()
    }

    fn read(&self) -> HashMap<u32, String> {
        let mut text = Vec::new();
        let read = fs::File::open(&self.path).and_then(|file| file.take(PASSWD_BYTES_MAX).read_to_end(&mut text));
        if read.is_err() {
            return HashMap::new();
        }
        let mut names = HashMap::new();
        for line in String::from_utf8_lossy(&text).lines() {
            let mut fields = line.split(':');
            if let (Some(name), Some(uid)) = (fields.next(), fields.nth(1).and_then(|uid| uid.parse().ok())) {
                // The first one counts, as it does for the system.
                names.entry(uid).or_insert_with(|| name.to_owned());
            }
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_have_their_names() {
        for (device, name) in
            [(34_816, Some("pts/0")), (34_823, Some("pts/7")), (1_025, Some("tty1")), (1_088, Some("ttyS0")), (0, None)]
        {
            let stat = format!("412 (a) b ( (x) R 1 412 412 {device} 412 4194304 100");
            assert_eq!(tty(&stat).as_deref(), name, "{device}");
        }
        assert_eq!(tty("412 (cut"), None);
    }

    #[test]
    fn this_process_is_known_and_another_users_is_not() {
        let uid = rustix::process::getuid().as_raw();
        let process = Process::open(std::process::id(), uid).expect("it runs");
        assert!(process.read("stat").is_some_and(|stat| stat.starts_with(&std::process::id().to_string())));
        assert!(process.exe().is_some());
        assert!(Process::open(std::process::id(), uid + 1).is_none());
        assert_eq!(Names::new().of(0).as_deref(), Some("root"));
    }
}
