//! A record on its way: to the socket of a writer that runs, else to a spool folder.
//!
//! What was sent to a writer that did not answer in time is put into the spool too: the same bytes from the
//! same user are one record, however often they arrive.

use std::fs::{self, File, Permissions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use rustix::fs::{AtFlags, Mode, OFlags, fchmod, openat, renameat, unlinkat};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::config::Intake;

/// No place took the record.
#[derive(Debug)]
pub(super) struct Lost {
    /// Each place, and why not.
    pub(super) why: String,
}

/// How long the command may be kept waiting by a writer that is there.
const ANSWER_TIME: Duration = Duration::from_secs(3);

const ANSWER_BYTES_MAX: u64 = 4 << 10;

/// The writer may be another user than us: its folder is what keeps others from reading.
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o1733;

/// A name in the spool that nobody guesses.
const NAME_BYTES: usize = 15;

pub(super) fn hand_over(places: &[Intake], record: &[u8]) -> Result<(), Lost> {
    let mut why = Vec::new();
    let sockets = places.iter().map(|place| (&place.socket, send as fn(&Path, &[u8]) -> io::Result<()>));
    let spools = places.iter().map(|place| (&place.spool, put as fn(&Path, &[u8]) -> io::Result<()>));
    for (path, give) in sockets.chain(spools) {
        match give(path, record) {
            Ok(()) => return Ok(()),
            Err(error) => why.push(format!("{}: {error}", path.display())),
        }
    }
    if why.is_empty() {
        why.push("nobody takes records in (listen = false under [intake])".to_owned());
    }
    Err(Lost { why: why.join("; ") })
}

/// Returns when the writer says that it is durable.
fn send(path: &Path, record: &[u8]) -> io::Result<()> {
    let mut stream = reach(path)?;
    stream.set_write_timeout(Some(ANSWER_TIME))?;
    stream.set_read_timeout(Some(ANSWER_TIME))?;
    stream.write_all(record)?;
    let mut answer = String::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut answer)?;
    match serde_json::from_str::<serde_json::Value>(&answer) {
        Ok(answer) if answer.get("done").is_some() => Ok(()),
        Ok(answer) => {
            Err(io::Error::other(answer["error"].as_str().unwrap_or("it answers what is no answer").to_owned()))
        }
        Err(_) => Err(io::Error::other("the writer ended before it answered")),
    }
}

/// Does not wait where too many wait to be heard already.
fn reach(path: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// A file of its own, whole or not at all.
fn put(spool: &Path, record: &[u8]) -> io::Result<()> {
    make(spool)?;
    let folder = rustix::fs::open(spool, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mut name = [0; NAME_BYTES];
    getrandom::fill(&mut name).map_err(|_| io::Error::other("the system gives no random bytes"))?;
    let name = BASE32_NOPAD.encode(&name).to_ascii_lowercase();
    let unfinished = PathBuf::from(format!(".{name}"));
    let written =
        write(&folder, &unfinished, record).and_then(|()| Ok(renameat(&folder, &unfinished, &folder, &name)?));
    if written.is_err() {
        unlinkat(&folder, &unfinished, AtFlags::empty()).unwrap_or_default();
    }
    written
}

fn write(folder: &OwnedFd, name: &Path, record: &[u8]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(folder, name, flags, Mode::from_raw_mode(FILE_MODE))?;
    fchmod(&file, Mode::from_raw_mode(FILE_MODE))?;
    let mut file = File::from(file);
    file.write_all(record)?;
    file.sync_all()
}

/// In a data folder of our own there may not have been one yet.
fn make(spool: &Path) -> io::Result<()> {
    let ours = rustix::process::geteuid().as_raw();
    let is_ours =
        |folder: &Path| folder.join("trail").is_dir() && folder.metadata().is_ok_and(|meta| meta.uid() == ours);
    if spool.exists() || !spool.parent().is_some_and(is_ours) {
        return Ok(());
    }
    fs::DirBuilder::new().mode(0o700).create(spool)?;
    fs::set_permissions(spool, Permissions::from_mode(FOLDER_MODE))
}
