//! Rotations that logrotate does not do, and what people do to logs besides.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, PoisonError};

use super::writer::Open;
use super::{Random, Scene};
use crate::program::{Place, until};

const KEEP: usize = 200;

impl Scene {
    fn log(&self) -> PathBuf {
        self.place.path("log/auth.log")
    }

    fn beside(&self, ending: &str) -> PathBuf {
        self.place.path(&format!("log/auth.log{ending}"))
    }

    /// Every numbered file gets the next number.
    fn shift(&self) {
        for n in (1..KEEP).rev() {
            for ending in ["", ".gz"] {
                let from = self.beside(&format!(".{n}{ending}"));
                if from.exists() {
                    rename(&from, &self.beside(&format!(".{}{ending}", n + 1)));
                }
            }
        }
    }

    /// What was written to the log since it was opened has been read: it must be found in the end.
    fn require(&self, open: &Open) {
        let written = open.opened_at..memchr::memrchr(b'\n', &open.written).map_or(0, |end| end + 1);
        self.required.lock().expect("no panic before").push(written);
    }

    /// Waits until the last whole line that was written is in the trail; nothing may be written meanwhile.
    fn until_read(&self, written: &[u8]) {
        let whole = memchr::memrchr(b'\n', written).map_or(0, |end| end);
        let line = written[..whole].rsplit(|byte| *byte == b'\n').next().expect("one at least").to_vec();
        until("the last line is in the trail", || self.records().iter().any(|record| record.raw == line));
    }
}

/// The log is deleted: sometimes when all of it was read, sometimes at any moment. logrotate finds none.
pub(super) fn missing(scene: &Arc<Scene>, _: u32, random: &mut Random) {
    let alive = scene.alive.lock().unwrap_or_else(PoisonError::into_inner);
    let mut open = scene.writer.hold();
    if random.below(2) == 0 {
        scene.until_read(&open.written);
        scene.require(&open);
    }
    fs::remove_file(scene.log()).expect("it is there");
    drop(alive);
    let mut logrotate = Command::new("/usr/sbin/logrotate");
    logrotate.arg("-f").arg("-s").arg(scene.place.path("logrotate.state")).arg(scene.place.path("logrotate.conf"));
    // Its script is not run: there was nothing to rotate.
    assert!(logrotate.status().expect("logrotate is there").success(), "missingok");
    open.again(scene.writer.open_log());
}

/// The log is deleted while its writer and its reader hold it, and both go on with it.
pub(super) fn deleted_while_held(scene: &Arc<Scene>, _: u32, random: &mut Random) {
    let alive = scene.alive.lock().unwrap_or_else(PoisonError::into_inner);
    let is_watched = random.below(3) > 0;
    let open = scene.writer.hold();
    if is_watched {
        scene.until_read(&open.written);
    }
    fs::remove_file(scene.log()).expect("it is there");
    drop(open);
    scene.writer.wait_for_lines(10);
    let mut open = scene.writer.hold();
    if is_watched {
        scene.until_read(&open.written);
        scene.require(&open);
    }
    open.again(scene.writer.open_log());
    drop(alive);
}

/// The log is packed, deleted, and made anew: if nobody holds the old one, the new one has its number.
pub(super) fn inode_reused(scene: &Arc<Scene>, n: u32, _: &mut Random) {
    let mut open = scene.writer.hold();
    scene.shift();
    let before = scene.log().metadata().expect("it is there").ino();
    pack(&scene.log(), &scene.beside(".1.gz"));
    open.file = File::open("/dev/null").expect("it is there");
    fs::remove_file(scene.log()).expect("it is there");
    open.again(scene.writer.open_log());
    if scene.log().metadata().expect("it is there").ino() == before {
        eprintln!("inode_reused: rotation {n} has the same inode again");
    }
}

/// The log is a link to the newest of some files, as cronolog and svlogd leave them.
pub(super) fn symlink_switched(scene: &Arc<Scene>, n: u32, random: &mut Random) {
    link(&scene.place, n + 1);
    // A writer that lags.
    scene.writer.wait_for_lines(random.below(10) as usize);
    scene.writer.hold().again(scene.writer.open_log());
}

pub(super) fn link(place: &Place, n: u32) {
    fs::create_dir_all(place.path("store")).expect("a folder");
    let file = place.path(&format!("store/auth-{n:06}.log"));
    File::create(&file).expect("a file");
    symlink(&file, place.path("log/link")).expect("a link");
    rename(&place.path("log/link"), &place.path("log/auth.log"));
}

/// Renamed and made anew; and copies, whole and in part, packed and linked, lie beside.
pub(super) fn other_names(scene: &Arc<Scene>, n: u32, random: &mut Random) {
    // Of the log while it grows: the copy ends anywhere.
    let copy = fs::read(scene.log()).expect("it is there");
    let part = copy.len() - random.below(copy.len() as u64 / 2) as usize;
    write(&scene.beside(&format!(".part{n}")), &copy[..part]);
    if random.below(2) == 0 {
        fs::copy(scene.log(), scene.beside(&format!(".copy{n}"))).expect("copied");
    }
    scene.writer.wait_for_lines(random.below(20) as usize);
    let mut open = scene.writer.hold();
    scene.shift();
    rename(&scene.log(), &scene.beside(".1"));
    open.again(scene.writer.open_log());
    drop(open);
    fs::hard_link(scene.beside(".1"), scene.beside(&format!(".link{n}"))).expect("linked");
    match random.below(3) {
        0 => pack(&scene.beside(".1"), &scene.beside(&format!(".saved{n}.gz"))),
        1 => drop(fs::copy(scene.beside(".1"), scene.beside(&format!(".saved{n}"))).expect("copied")),
        _ => {}
    }
}

#[expect(clippy::disallowed_methods, reason = "what rotates does not fsync")]
fn rename(from: &Path, to: &Path) {
    fs::rename(from, to).expect("renamed");
}

fn write(path: &Path, bytes: &[u8]) {
    File::create(path).and_then(|mut file| file.write_all(bytes)).expect("written");
}

fn pack(from: &Path, to: &Path) {
    let mut gz = flate2::write::GzEncoder::new(File::create(to).expect("a file"), flate2::Compression::fast());
    gz.write_all(&fs::read(from).expect("it is there")).expect("written");
    gz.finish().expect("written");
}
