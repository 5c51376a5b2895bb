//! The styles of rotation: what logrotate is told, or what is done in its place.

use std::process::Command;
use std::sync::Arc;

use super::{Random, Scene, own};
use crate::program::Place;

/// One style.
pub(super) struct Style {
    pub(super) name: &'static str,
    /// The pattern that is followed when only one is tried.
    pub(super) usual: &'static str,
    /// What logrotate is told, for the styles that are its.
    options: &'static str,
    pub(super) rotate: fn(&Arc<Scene>, u32, &mut Random),
    pub(super) down: Down,
    pub(super) gaps: Gaps,
}

/// How long nobody follows after a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Down {
    /// Whoever rotates may wait for something to be read.
    Instant,
    /// Mostly for an instant, sometimes over a rotation or two.
    Short,
    /// Over two rotations, each time.
    Two,
    /// Often over three rotations.
    Long,
}

/// Which gaps must be in the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gaps {
    /// Nothing can be lost, and nobody may say so.
    None,
    /// Each rotation loses what nobody can see.
    EachRotation,
    /// Beside what could not be read, and there only if something could be missing.
    WhereLost,
}

const fn logrotate(name: &'static str, usual: &'static str, options: &'static str) -> Style {
    Style { name, usual, options, rotate: by_logrotate, down: Down::Short, gaps: Gaps::None }
}

const fn ours(name: &'static str, usual: &'static str, rotate: fn(&Arc<Scene>, u32, &mut Random)) -> Style {
    Style { name, usual, options: "", rotate, down: Down::Short, gaps: Gaps::None }
}

const REOPEN: &str = "postrotate\n touch REOPEN; while [ -e REOPEN ]; do sleep 0.01; done\n endscript\n";

pub(super) static STYLES: [Style; 16] = [
    logrotate("create", "auth.log", "rotate 200\n create"),
    logrotate("nocreate", "auth.log*", "rotate 200\n nocreate"),
    Style { gaps: Gaps::EachRotation, ..logrotate("copytruncate", "auth.log", "rotate 200\n copytruncate") },
    Style {
        gaps: Gaps::EachRotation,
        ..logrotate("copytruncate_gzip", "auth.log*", "rotate 200\n copytruncate\n compress")
    },
    logrotate("dateext", "auth.log*", "rotate 200\n create\n dateext\n dateformat -%Y%m%d-%s"),
    logrotate("gzip", "auth.log", "rotate 200\n create\n compress"),
    logrotate(
        "xz",
        "auth.log*",
        "rotate 200\n create\n compress\n compresscmd /usr/bin/xz\n compressoptions -1\n compressext .xz",
    ),
    logrotate(
        "zstd",
        "auth.log",
        "rotate 200\n create\n compress\n compresscmd /usr/bin/zstd\n compressoptions -3\n compressext .zst",
    ),
    logrotate("delaycompress", "auth.log*", "rotate 200\n create\n compress\n delaycompress"),
    Style {
        down: Down::Two,
        ..logrotate("two_while_down", "auth.log", "rotate 200\n create\n compress\n delaycompress")
    },
    Style { down: Down::Long, gaps: Gaps::WhereLost, ..logrotate("rotated_beyond", "auth.log*", "rotate 1\n create") },
    Style { down: Down::Instant, gaps: Gaps::WhereLost, ..ours("missing", "auth.log", own::missing) },
    ours("inode_reused", "auth.log", own::inode_reused),
    Style {
        down: Down::Instant,
        gaps: Gaps::WhereLost,
        ..ours("deleted_while_held", "auth.log", own::deleted_while_held)
    },
    ours("symlink_switched", "auth.log", own::symlink_switched),
    ours("other_names", "auth.log*", own::other_names),
];

impl Style {
    /// Writes what logrotate reads.
    pub(super) fn begin(&self, place: &Place) {
        let path = |name: &str| place.path(name).to_string_lossy().into_owned();
        let options = if self.options.is_empty() { "rotate 200\n missingok\n nocreate" } else { self.options };
        let reopen = if options.contains("copytruncate") { "" } else { REOPEN };
        let reopen = reopen.replace("REOPEN", &path("reopen"));
        place.write("logrotate.conf", format!("{} {{\n {options}\n {reopen}}}\n", path("log/auth.log")).as_bytes());
        if self.name == "symlink_switched" {
            own::link(place, 0);
        }
    }
}

pub(super) fn by_logrotate(scene: &Arc<Scene>, _: u32, _: &mut Random) {
    let mut command = Command::new("/usr/sbin/logrotate");
    command.arg("-f").arg("-s").arg(scene.place.path("logrotate.state")).arg(scene.place.path("logrotate.conf"));
    if scene.style.name == "dateext" {
        scene.writer.wait_for_another_second();
    }
    let said = command.output().expect("logrotate is there");
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.status.success() && !text.contains("error"), "{text}");
}
