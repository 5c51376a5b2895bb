//! The journal of systemd with its own tools: files written by systemd-journal-remote, read by journalctl.

mod faults;
mod files;
mod follow;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use whodid::event::Event;

use crate::program::Place;

/// Debian 12 has it in /lib, later ones in /usr/lib, which is the same folder there.
const REMOTE: &str = "/lib/systemd/systemd-journal-remote";

const BOOT: &str = "5f0b6c1f7c1e4b0f9a3d2e8c4b7a6d10";

/// The fields of one record.
type Fields<'a> = Vec<(&'a str, Vec<u8>)>;

/// A record in the journal's export format, `n` seconds after the first.
fn export(n: u64, fields: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (real, monotonic) = (1_795_168_800_000_000 + n * 1_000_000, 1_000_000_000 + n * 1_000_000);
    let mut out =
        format!("__REALTIME_TIMESTAMP={real}\n__MONOTONIC_TIMESTAMP={monotonic}\n_BOOT_ID={BOOT}\n").into_bytes();
    for (name, value) in fields {
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
        out.extend_from_slice(value);
        out.push(b'\n');
    }
    out.push(b'\n');
    out
}

/// What a program says by syslog, and who it is.
fn said<'a>(identifier: &str, exe: &str, uid: u32, message: impl AsRef<[u8]>) -> Fields<'a> {
    let comm = exe.rsplit('/').next().expect("a name");
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        ("_TRANSPORT", text("syslog")),
        ("_HOSTNAME", text("web-1")),
        ("SYSLOG_IDENTIFIER", text(identifier)),
        ("SYSLOG_FACILITY", text("10")),
        ("_EXE", text(exe)),
        ("_COMM", text(comm)),
        ("_UID", uid.to_string().into_bytes()),
        ("_PID", text("812")),
        ("MESSAGE", message.as_ref().to_vec()),
    ]
}

/// The n-th login: each is another user's.
fn login<'a>(n: u64) -> Fields<'a> {
    said("sshd", "/usr/sbin/sshd", 0, format!("Accepted password for u{n} from 203.0.113.7 port 50122 ssh2"))
}

/// What another program says, which is no event.
fn other<'a>(n: u64) -> Fields<'a> {
    let mut fields = said("app", "/opt/app/bin/app", 999, format!("request {n}"));
    fields.retain(|(name, _)| *name != "SYSLOG_FACILITY");
    fields
}

/// Appends records to a journal file, which is made if it is not there.
fn append(file: &Path, records: &[u8]) {
    fs::create_dir_all(file.parent().expect("in a folder")).expect("a folder");
    let export = tempfile::NamedTempFile::new().expect("a file");
    std::io::Write::write_all(&mut export.as_file(), records).expect("room");
    let mut command = Command::new(REMOTE);
    command.arg("--output").arg(file).arg(export.path()).stderr(Stdio::piped());
    let output = command.output().expect("it is installed");
    assert!(output.status.success(), "{output:?}");
}

fn append_logins(file: &Path, numbers: impl IntoIterator<Item = u64>) {
    let records: Vec<u8> = numbers.into_iter().flat_map(|n| export(n, &login(n))).collect();
    append(file, &records);
}

/// An installation that reads the journal files in `journal`.
fn place() -> Place {
    let place =
        Place::new("[[source]]\nname = \"journal\"\ntype = \"journal\"\n[source.journal]\ndirectory = \"journal\"\n");
    fs::create_dir(place.path("journal")).expect("a folder");
    place
}

fn file(place: &Place, name: &str) -> PathBuf {
    place.path("journal").join(name)
}

/// All events of the trail, in its order.
fn events(place: &Place) -> Vec<Event> {
    let trail = place.trail();
    let lines = trail.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    // Half a line at its end is on its way.
    lines.filter_map(|line| Event::decode(line).ok()).collect()
}

/// The numbers of the logins in the trail, in its order.
fn logins(place: &Place) -> Vec<u64> {
    let names = events(place).into_iter().filter(|event| event.what.action == "ssh.login");
    names.filter_map(|event| event.who.name?.strip_prefix('u')?.parse().ok()).collect()
}

/// What was said of the source itself: action, reason, how many are missing.
fn notices(place: &Place) -> Vec<(String, String, Option<u64>)> {
    let own = events(place).into_iter().filter(|event| event.what.action.starts_with("source."));
    own.filter(|event| event.what.action != "source.position")
        .map(|event| {
            let missing = event.detail["whodid"]["missing"].as_u64();
            (event.what.action.clone(), event.reason.clone().unwrap_or_default(), missing)
        })
        .collect()
}

/// Makes the numbers of a file's records follow those of another file, as if one journald had written both and
/// rotated in between.
fn continue_sequence(file: &Path, before: &Path, gap: u64) {
    const SEQUENCE: std::ops::Range<usize> = 72..88;
    let first = fs::read(before).expect("readable");
    let mut bytes = fs::read(file).expect("readable");
    let number = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight"));
    let shift = number(&first, 160) + gap;
    let set = |bytes: &mut [u8], at: usize| {
        let shifted = number(bytes, at) + shift;
        bytes[at..at + 8].copy_from_slice(&shifted.to_le_bytes());
    };
    bytes[SEQUENCE].copy_from_slice(&first[SEQUENCE]);
    set(&mut bytes, 160);
    set(&mut bytes, 168);
    for at in entries(&bytes) {
        set(&mut bytes, at + 16);
    }
    replace(file, &bytes);
}

/// Where the entry objects of a journal file lie.
fn entries(bytes: &[u8]) -> Vec<usize> {
    let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight"));
    let to_usize = |n: u64| usize::try_from(n).expect("in memory");
    let (mut at, last) = (to_usize(number(88)), to_usize(number(136)));
    let mut found = Vec::new();
    loop {
        let (kind, size) = (bytes[at], to_usize(number(at + 8)));
        if kind == 3 {
            found.push(at);
        }
        if at >= last {
            return found;
        }
        at += size.next_multiple_of(8);
    }
}

fn replace(file: &Path, bytes: &[u8]) {
    fs::File::create(file).and_then(|mut file| std::io::Write::write_all(&mut file, bytes)).expect("written");
}
