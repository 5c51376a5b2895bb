//! Logs that are written, rotated in every style and followed by a program that is killed at random.
//!
//! A writer appends lines without a pause, often in halves; `logrotate -f` (or, for what it has no option
//! for, a rotation of our own) takes the log away under it; `whodid run` follows and dies by SIGKILL again
//! and again. In the end every byte of the trail's records is laid beside the bytes that were written: none
//! is there twice, none that was readable is missing, and beside every stretch that could not be read
//! stands a `source.gap` of the stream that broke off there.
//!
//! Usually a few rotations of each style are tried. A hundred of each, which takes half an hour:
//!
//! ```text
//! WHODID_LONG=1 cargo test --test it rotations:: -- --ignored --nocapture --test-threads 2
//! ```
//!
//! The seed is printed; `WHODID_SEED` gives it again. The moments of the kills are not the same, however:
//! the machine's load has its part in them. `WHODID_KEEP=FOLDER` keeps what is judged.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{Place, stop, until};

mod own;
mod proof;
mod style;
mod writer;

use proof::Proof;
use style::{Down, Gaps, STYLES, Style};
use writer::Writer;

const ROTATIONS: u32 = 6;
const ROTATIONS_LONG: u32 = 100;

/// The folder, the writer, and what keeps killer and rotation from getting into each other's way.
struct Scene {
    place: Place,
    style: &'static Style,
    writer: Arc<Writer>,
    /// How many rotations are over.
    rotated: AtomicU32,
    /// Held while the program may not be killed.
    alive: Mutex<()>,
    /// Ends of what was read for sure: each from the last opening of the log on.
    required: Mutex<Vec<std::ops::Range<usize>>>,
}

/// xorshift64, as good as any for choosing moments.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

fn is_long() -> bool {
    std::env::var_os("WHODID_LONG").is_some()
}

fn seed() -> u64 {
    let given = std::env::var_os("WHODID_SEED").and_then(|seed| seed.to_str().and_then(|seed| seed.parse().ok()));
    given.unwrap_or_else(|| u64::from(std::process::id()))
}

fn style(name: &str) {
    let style = STYLES.iter().find(|style| style.name == name).expect("a style");
    let patterns: &[&str] = if is_long() { &["auth.log", "auth.log*"] } else { &[style.usual] };
    for pattern in patterns {
        run(style, pattern);
    }
}

fn run(style: &'static Style, pattern: &str) {
    let (seed, rotations) = (seed(), if is_long() { ROTATIONS_LONG } else { ROTATIONS });
    eprintln!("{} {pattern}: seed {seed}", style.name);
    let place = Place::new(&format!(
        "[[source]]\nname = \"auth\"\ntype = \"auth\"\npaths = [\"log/{pattern}\"]\ntz = \"UTC\"\nyear = 2026\n"
    ));
    std::fs::create_dir(place.path("log")).expect("a folder");
    style.begin(&place);
    let writer = Writer::start(place.path("log/auth.log"), place.path("reopen"), seed);
    let scene = Arc::new(Scene {
        place,
        style,
        writer,
        rotated: AtomicU32::new(0),
        alive: Mutex::new(()),
        required: Mutex::default(),
    });
    // A log of which nothing was ever read has no place in the trail from which to go on.
    let child = scene.place.start(&["run"]);
    until("something was read", || scene.trail_bytes() > 0 && !scene.records().is_empty());
    let rotating = thread::spawn({
        let scene = Arc::clone(&scene);
        move || rotate(&scene, rotations, &mut Random::new(seed ^ 1))
    });
    let kills = kill(&scene, child, rotations, &rotating, &mut Random::new(seed ^ 2));
    rotating.join().expect("every rotation went well");
    scene.writer.stop();
    let proof = drain(&scene);
    let lost = proof.lost();
    eprintln!(
        "{} {pattern}: {rotations} rotations, {kills} kills, {} lines, {} gaps, {} bytes in {} stretches not read",
        style.name,
        proof.lines(),
        proof.gaps.len(),
        lost.iter().map(|stretch| stretch.len()).sum::<usize>(),
        lost.len(),
    );
    scene.keep();
    proof.expect_whole(style.gaps, rotations);
}

/// Rotates, each time after some lines.
fn rotate(scene: &Arc<Scene>, rotations: u32, random: &mut Random) {
    for n in 0..rotations {
        scene.writer.wait_for_lines(5 + random.below(60) as usize);
        (scene.style.rotate)(scene, n, random);
        scene.rotated.fetch_add(1, SeqCst);
    }
    scene.writer.wait_for_lines(20);
}

/// Kills the program at random moments and starts it again, until the last rotation is over.
fn kill(
    scene: &Scene,
    mut child: std::process::Child,
    rotations: u32,
    rotating: &thread::JoinHandle<()>,
    random: &mut Random,
) -> u32 {
    let mut kills = 0;
    loop {
        // On a busy machine it may die before it read anything, again and again: not each time.
        if kills % 3 == 2 {
            let before = scene.trail_bytes();
            until("something was read", || scene.trail_bytes() > before + 4_000 || rotating.is_finished());
        }
        // Not for luck: these are the random moments.
        thread::sleep(Duration::from_millis(40 + random.below(900)));
        let guard = scene.alive.lock().unwrap_or_else(PoisonError::into_inner);
        child.kill().expect("it runs");
        child.wait().expect("it was killed");
        kills += 1;
        drop(guard);
        if rotating.is_finished() {
            return kills;
        }
        let down = match scene.style.down {
            Down::Instant => 0,
            Down::Short if random.below(4) > 0 => 0,
            Down::Short => 1 + random.below(2) as u32,
            Down::Two => 2,
            Down::Long if random.below(2) > 0 => 0,
            Down::Long => 3,
        };
        let back_at = (scene.rotated.load(SeqCst) + down).min(rotations);
        until("rotations while it is down", || scene.rotated.load(SeqCst) >= back_at || rotating.is_finished());
        child = scene.place.start(&["run"]);
    }
}

/// Lets the program read what is left, in the way that programs end, and looks at the trail.
fn drain(scene: &Scene) -> Proof {
    if scene.style.gaps != Gaps::WhereLost {
        let child = scene.place.start(&["run"]);
        let needed = scene.whole_lines_in_files();
        let deadline = Instant::now() + Duration::from_secs(60);
        let missing = loop {
            let have: HashSet<Vec<u8>> = scene.records().into_iter().map(|record| record.raw).collect();
            let missing = needed.iter().filter(|line| !have.contains(*line)).collect::<Vec<_>>();
            if missing.is_empty() || Instant::now() > deadline {
                break missing;
            }
            thread::sleep(Duration::from_millis(100));
        };
        assert!(stop(child).success());
        scene.expect_read(&missing);
    }
    scene.place.run(&["run", "--once"]).code(0);
    let records = scene.records().len();
    scene.place.run(&["run", "--once"]).code(0);
    assert_eq!(scene.records().len(), records, "a second run adds nothing");
    scene.place.verify();
    Proof::of(scene)
}

macro_rules! styles {
    ($($name:ident),* $(,)?) => {
        $(
            #[test]
            #[ignore = "needs logrotate, xz and zstd: tests/run installs them"]
            fn $name() {
                style(stringify!($name));
            }
        )*

        #[test]
        fn every_style_is_tried() {
            let tried = [$(stringify!($name)),*];
            let styles: Vec<_> = STYLES.iter().map(|style| style.name).collect();
            assert_eq!(styles, tried);
        }
    };
}

styles![
    create,
    nocreate,
    copytruncate,
    copytruncate_gzip,
    dateext,
    gzip,
    xz,
    zstd,
    delaycompress,
    two_while_down,
    rotated_beyond,
    missing,
    inode_reused,
    deleted_while_held,
    symlink_switched,
    other_names,
];
