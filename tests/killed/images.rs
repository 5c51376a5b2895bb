//! SIGKILL at random moments under load, on file systems that are mounted for it; a power cut; a full disk.
//!
//! A file system in an image can be taken away, replayed from its journal and filled to the last byte. One
//! image lies in memory and one on the disk. The log lies outside: it is what the trail is compared with.
//!
//! A power cut is EXT4_IOC_SHUTDOWN: nothing more is written, what was never synced is lost, and the next
//! mount replays the journal. So unlike in the rest of [`super`] a sync that was left out would show.
//!
//! ```text
//! WHODID_LONG=1 cargo test --release --test it killed::images -- --ignored --nocapture --test-threads 1
//! ```
//!
//! `WHODID_SEED` says where the moments begin; each run prints its own.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::is_long;
use crate::generate::auth_log::AuthLog;
use crate::program::{self, Place};
use crate::random::Random;

const KILLS: usize = 500;
const KILLS_IN_A_SAMPLE: usize = 5;

/// A fresh trail now and then: it is as long as the kills are many.
const KILLS_OF_A_TRAIL: usize = 25;

/// Of the kills one in so many is followed by unmounting and mounting, and another is a power cut.
const ONE_MOUNT_IN: u64 = 5;
const ONE_POWER_CUT_IN: u64 = 5;

/// How long the program runs before it is killed: while it opens, while it catches up, and at full load.
const ALIVE_MS_MAX: u64 = 900;

/// Sparse: a trail of some hundred thousand events with its index.
const IMAGE_MIB: u64 = 3_072;
const SMALL_IMAGE_MIB: u64 = 64;

/// So many lines find no room in a small image beside the ballast, and find it without.
const LINES_TOO_MANY: usize = 30_000;
const BALLAST_BYTES: u64 = 42 << 20;

const LINES_PER_SECOND: usize = 25_000;
const LOAD_MIN: f64 = 20_000.0;

/// An ext4 file system in a file, mounted.
struct Image {
    folder: TempDir,
}

impl Image {
    fn new(below: &Path, mib: u64) -> Self {
        let this = Self { folder: tempfile::tempdir_in(below).expect("a folder") };
        let image = fs::File::create(this.file()).expect("a file");
        image.set_len(mib << 20).expect("a sparse file");
        fs::create_dir(this.at()).expect("a folder");
        // Nothing is kept back for root, so that full means full.
        this.shell("mkfs.ext4 -q -F -m 0 image");
        this.mount();
        this
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn at(&self) -> PathBuf {
        self.folder.path().join("at")
    }

    fn mount(&self) {
        self.shell("mount -o loop image at || { echo 'needs root and loop devices' >&2; exit 1; }");
    }

    /// The device goes with the mount: at once, or when a namespace that another test made meanwhile lets go of
    /// it. Until then a mount would bring back the very same file system, shut down or not.
    fn unmount(&self) {
        self.shell(
            "umount at; for i in $(seq 1200); do [ -n \"$(losetup -j image)\" ] || exit 0; sleep 0.1; done; exit 1",
        );
    }

    /// EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH, on any file of the file system.
    fn cut_power(&self) {
        let script =
            r#"open my $f, "<", "at/switch" or die $!; my $how = pack "L", 2; ioctl $f, 0x8004587D, $how or die $!"#;
        self.shell(&format!(": > at/switch && perl -e '{script}'"));
    }

    fn shell(&self, script: &str) {
        let path = format!("{}:/usr/sbin:/sbin", std::env::var_os("PATH").unwrap_or_default().to_string_lossy());
        let mut shell = Command::new("sh");
        let done = shell.args(["-ec", script]).current_dir(self.folder.path()).env("PATH", path).output().expect("sh");
        assert!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // A test that fails leaves it mounted, and what is mounted cannot be removed.
        let done = Command::new("umount").arg("-l").arg(self.at()).output();
        drop(done);
    }
}

/// Data and keys on the image, the log beside it.
fn installed(image: &Image) -> Place {
    let place = Place::with_auth_log();
    let config = fs::read_to_string(place.path("whodid.toml")).expect("a configuration");
    let at = image.at();
    let at = at.to_str().expect("UTF-8");
    let config = config.replace("\"data\"", &format!("\"{at}/data\"")).replace("\"keys\"", &format!("\"{at}/keys\""));
    place.write("whodid.toml", config.as_bytes());
    std::os::unix::fs::symlink(image.at().join("data"), place.path("data")).expect("a link");
    place
}

/// A log that grows at an even pace until it is told to stop, and what is in it then.
struct Load {
    written: Arc<AtomicUsize>,
    is_enough: Arc<AtomicBool>,
    begun: Instant,
    writer: JoinHandle<Vec<String>>,
}

impl Load {
    fn new(log: PathBuf, seed: u64) -> Self {
        let (written, is_enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let begun = Instant::now();
        let writer = thread::spawn({
            let (written, is_enough) = (Arc::clone(&written), Arc::clone(&is_enough));
            move || {
                let mut file = OpenOptions::new().create(true).append(true).open(log).expect("a log");
                let (mut source, mut lines) = (AuthLog::new(seed), Vec::new());
                while !is_enough.load(Relaxed) {
                    let due = (begun.elapsed().as_secs_f64() * LINES_PER_SECOND as f64) as usize;
                    let few: Vec<String> = source.by_ref().take(due - lines.len()).collect();
                    let text: String = few.iter().flat_map(|line| [line, "\n"]).collect();
                    file.write_all(text.as_bytes()).expect("written");
                    lines.extend(few);
                    written.store(lines.len(), Relaxed);
                    // A log that grows while it is read, not one that is there at once.
                    thread::sleep(Duration::from_millis(10));
                }
                lines
            }
        });
        Self { written, is_enough, begun, writer }
    }

    /// The lines, and how many were written in a second.
    fn end(self) -> (Vec<String>, f64) {
        let rate = self.written.load(Relaxed) as f64 / self.begun.elapsed().as_secs_f64();
        self.is_enough.store(true, Relaxed);
        (self.writer.join().expect("all was written"), rate)
    }
}

/// How many entries readers were told of.
fn told(place: &Place) -> usize {
    let text = fs::read_to_string(place.path("data/trail/acknowledged")).unwrap_or_default();
    text.split(' ').next().and_then(|told| told.parse().ok()).unwrap_or(0)
}

fn there(place: &Place) -> usize {
    if !place.path("data/trail/segment").is_dir() {
        return 0;
    }
    memchr::memchr_iter(b'\n', &place.trail()).count()
}

/// What was signed verifies. A trail is there once its name is, which is made last.
#[track_caller]
fn is_proven(place: &Place, what: &str) {
    if place.path("data/trail/origin").exists() {
        let said = place.run(&["trail", "verify"]);
        assert_eq!(said.code_of(), Some(0), "after {what}: {said:#?}");
    }
}

/// The program reads what is left, and ends; then every line is there once.
#[track_caller]
fn has_all(place: &Place, lines: &[String], what: &str) {
    let said = place.run(&["run", "--once"]);
    assert_eq!(said.code_of(), Some(0), "after {what}: {said:#?}");
    is_proven(place, what);
    let mut differs: BTreeMap<String, i64> = BTreeMap::new();
    for line in place.trail().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event = whodid::event::Event::decode(line).expect("an event");
        if &*event.source.name == "auth" {
            *differs.entry(event.raw.expect("a line")).or_default() += 1;
        }
    }
    for line in lines {
        *differs.entry(line.clone()).or_default() -= 1;
    }
    differs.retain(|_, difference| *difference != 0);
    let wrong: Vec<_> = differs.iter().take(3).collect();
    assert!(wrong.is_empty(), "after {what}: {} lost (-) or doubled (+): {wrong:#?}", differs.len());
}

/// What the kills of one trail came to.
#[derive(Default)]
struct Done {
    kills: usize,
    mounts: usize,
    power_cuts: usize,
    lines: usize,
    /// How fast the log grew, and how fast the trail did while the program ran; the slowest of all trails.
    load: Option<f64>,
    events: usize,
    alive: Duration,
}

impl Done {
    /// One fresh trail, killed so many times.
    fn kill(&mut self, below: &Path, kills: usize, random: &mut Random) {
        let image = Image::new(below, IMAGE_MIB);
        let place = installed(&image);
        let load = Load::new(place.path("log/auth.log"), random.next());
        for _ in 0..kills {
            let before = told(&place);
            let alive = Duration::from_millis(random.below(ALIVE_MS_MAX));
            let begun = Instant::now();
            let mut child = place.start(&["run"]);
            // Not for luck: the moments at which it dies are to be different ones.
            thread::sleep(alive);
            let is_power_cut = random.below(ONE_POWER_CUT_IN) == 0;
            if is_power_cut {
                image.cut_power();
            }
            let known = told(&place);
            child.kill().expect("it runs");
            let status = child.wait().expect("it was killed");
            self.alive += begun.elapsed();
            let what = format!("kill {} after {alive:?} (power cut: {is_power_cut})", self.kills);
            // After a power cut it may have stopped by itself.
            assert!(status.code().is_none() || is_power_cut, "after {what}: {}", said(&place));
            if is_power_cut || random.below(ONE_MOUNT_IN) == 0 {
                image.unmount();
                image.mount();
                self.mounts += 1;
            }
            self.power_cuts += usize::from(is_power_cut);
            self.kills += 1;
            let (told, there) = (told(&place), there(&place));
            assert!(told.max(known) <= there, "after {what}: {told} or {known} acknowledged, {there} there");
            self.events += there.saturating_sub(before);
            is_proven(&place, &what);
        }
        let (lines, rate) = load.end();
        self.load = Some(self.load.map_or(rate, |slowest| slowest.min(rate)));
        self.lines += lines.len();
        has_all(&place, &lines, &format!("{} kills", self.kills));
        image.unmount();
        eprintln!("{}: {self}", below.display());
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, mounts, power_cuts, lines, .. } = self;
        let (load, rate) = (self.load.unwrap_or_default(), self.events as f64 / self.alive.as_secs_f64());
        write!(
            f,
            "{kills} kills, {power_cuts} of them power cuts, {mounts} mounts, {lines} lines: none lost or doubled; "
        )?;
        write!(f, "{load:.0}/s into the log, {rate:.0}/s into the trail while the program ran")
    }
}

fn said(place: &Place) -> String {
    fs::read_to_string(place.path("stderr")).unwrap_or_default()
}

fn dies_at_random_moments(below: &Path) {
    let mut random = Random::seeded();
    let kills = if is_long() { KILLS } else { KILLS_IN_A_SAMPLE };
    let mut done = Done::default();
    while done.kills < kills {
        done.kill(below, KILLS_OF_A_TRAIL.min(kills - done.kills), &mut random);
    }
    let load = done.load.expect("a trail");
    assert!(load >= LOAD_MIN, "the log grew by {load:.0} lines a second only");
}

fn memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    assert!(memory.is_dir(), "needs /dev/shm");
    memory
}

/// Where the build writes, which is hardly ever memory.
fn disk() -> PathBuf {
    env!("CARGO_TARGET_TMPDIR").into()
}

#[test]
#[ignore = "needs root and loop devices"]
fn nothing_is_lost_or_doubled_on_a_file_system_in_memory() {
    dies_at_random_moments(&memory());
}

#[test]
#[ignore = "needs root and loop devices"]
fn nothing_is_lost_or_doubled_on_a_file_system_on_the_disk() {
    dies_at_random_moments(&disk());
}

/// Takes room until a file has so many bytes or, with none, the file system has not one byte left.
fn fill(ballast: &Path, bytes: Option<u64>) {
    let mut file = OpenOptions::new().create(true).append(true).open(ballast).expect("a file");
    let mut block = vec![b'x'; 1 << 20];
    while !block.is_empty() && bytes.is_none_or(|most| file.metadata().expect("there").len() < most) {
        match file.write(&block) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => block.truncate(block.len() / 2),
            Err(error) => panic!("{error}"),
        }
    }
    // Room that was only promised is taken now.
    file.sync_all().expect("written");
}

/// While there is no room it waits; killed and started then, it is where it was.
#[test]
#[ignore = "needs root and loop devices"]
fn a_full_file_system_loses_nothing_and_goes_on_when_there_is_room() {
    for is_killed in [false, true] {
        let image = Image::new(&memory(), SMALL_IMAGE_MIB);
        let place = installed(&image);
        let lines: Vec<String> = AuthLog::new(3).take(LINES_TOO_MANY).collect();
        let ballast = image.at().join("ballast");
        fill(&ballast, Some(BALLAST_BYTES));
        place.write("log/auth.log", lines.iter().flat_map(|line| [line, "\n"]).collect::<String>().as_bytes());
        let mut child = place.start(&["run"]);
        program::until("the disk is full", || said(&place).contains("The disk is full."));
        fill(&ballast, None);
        let told_then = told(&place);
        assert!(told_then <= there(&place), "{told_then} acknowledged, {} there", there(&place));
        assert!(told_then < lines.len(), "all of it had room: {told_then}");
        is_proven(&place, "the disk was full");
        if is_killed {
            child.kill().expect("it runs");
            child.wait().expect("it was killed");
            fill(&ballast, None);
            child = place.start(&["run"]);
            // There may be so little to do that it comes to its first event, or not even so far.
            let mut has_ended = false;
            program::until("it knows that the disk is full", || {
                has_ended = child.try_wait().expect("it was started").is_some();
                has_ended || said(&place).contains("The disk is full.")
            });
            assert!(!has_ended || said(&place).contains("no room"), "{}", said(&place));
            assert!(told_then <= told(&place) && told(&place) <= there(&place), "a start on a full disk lost entries");
            is_proven(&place, "a start on a full disk");
            fs::remove_file(&ballast).expect("removed");
            if has_ended {
                child = place.start(&["run"]);
            }
        } else {
            fs::remove_file(&ballast).expect("removed");
            program::until("it goes on", || said(&place).contains("There is room again."));
        }
        program::until("all lines are in the trail", || told(&place) > lines.len());
        assert!(program::stop(child).success(), "{}", said(&place));
        let then = if is_killed { "killed there" } else { "it waited" };
        eprintln!("64 MiB full to the last byte at {told_then} acknowledged of {} lines: {then}", lines.len());
        has_all(&place, &lines, "the disk was full");
        image.unmount();
    }
}
