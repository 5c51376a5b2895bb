//! What was rotated away before anybody read it: files beside a log that come before it.
//!
//! From the newest rotated file backwards, until two are known to their end: the others on the way are what
//! was missed, one rotation or several, renamed, copied or packed. If a stream that was being read is
//! nowhere any more, that is a gap, and an event says so.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::content::{Content, FileId};
use super::identify::{Growth, Identified, identify};
use super::notice::Notice;
use super::outlet::{Closed, Outlet};
use super::positions::{Position, StreamId};
use super::setting::Setting;
use super::siblings::{self, Sibling};
use crate::clock::Clock;
use crate::event::Stamp;

/// Rotations that can have been missed: a year of weekly ones, and some.
const SIBLINGS_MAX: usize = 64;

/// Listings until two in a row show the same files: a rotation may be going on.
const ATTEMPTS: usize = 20;

pub(super) struct Behind {
    /// Streams that were found somewhere, in this process.
    met: HashSet<StreamId>,
    /// Files that are looked at anyway.
    pub(super) listed: HashSet<FileId>,
}

/// A file to be read before the log. Which stream it is, is decided when its turn comes: two of them may
/// be the same.
pub(super) struct Before {
    pub(super) path: PathBuf,
    pub(super) content: Content,
}

/// What was found at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Here {
    /// By now it may have been rotated away itself.
    pub(super) id: FileId,
    /// Whether it is, or begins with, something that is known.
    pub(super) known: bool,
}

/// A file on the way.
enum Older {
    /// It is looked at anyway.
    Listed,
    Open(PathBuf, Box<Content>),
}

/// Walking backwards.
#[derive(Default)]
struct Walk {
    take: Vec<Before>,
    /// Something on the way was known.
    met: bool,
    /// Files that were known to their end.
    complete: u32,
}

/// A writer that lags may have gone on with the file before the newest one that is known to its end.
const COMPLETE: u32 = 2;

impl Walk {
    fn meet(&mut self, complete: u32) {
        self.met = true;
        self.complete += complete;
    }
}

impl Behind {
    pub(super) fn new(listed: impl IntoIterator<Item = FileId>) -> Self {
        Self { met: HashSet::new(), listed: listed.into_iter().collect() }
    }

    pub(super) fn meet(&mut self, id: StreamId) {
        self.met.insert(id);
    }

    /// What must be read before `log`, the oldest first. `here` is what was found at its path, if something
    /// was; `since` when the file that stood there before was changed last, if that is known.
    pub(super) fn find(
        &mut self,
        setting: &Setting,
        log: &Path,
        here: Option<Here>,
        since: Option<Stamp>,
        outlet: &mut Outlet,
    ) -> Result<Vec<Before>, Closed> {
        let name = log.to_string_lossy();
        let of_log = |origin: &str| origin == name || siblings::is_rotated_from(log, origin);
        let known = outlet.registry.positions(|positions| positions.at_origin(setting.name(), of_log));
        let Some((last, at)) = known.into_iter().next() else { return Ok(Vec::new()) };
        let mut walk = self.walk(setting, log, here, outlet);
        if !walk.met {
            let since = since.unwrap_or(at.observed);
            // Without a real clock, nothing can be said about which file is newer than what was read.
            let here_is_known = here.is_some_and(|here| here.known);
            let newer = |file: &Before| {
                setting.clock == Clock::System && !here_is_known && file.content.print.modified() >= since
            };
            walk.take.retain(newer);
            if here.is_some() && !here_is_known {
                self.gap(last, &at, &name, outlet)?;
            }
        }
        walk.take.reverse();
        Ok(walk.take)
    }

    fn walk(&mut self, setting: &Setting, log: &Path, here: Option<Here>, outlet: &Outlet) -> Walk {
        let mut walk = Walk::default();
        for file in self.older(setting, log, here) {
            match file {
                Older::Listed => walk.meet(COMPLETE),
                Older::Open(path, content) => self.step(path, *content, setting, outlet, &mut walk),
            }
            if walk.complete >= COMPLETE {
                break;
            }
        }
        walk
    }

    /// The files beside the log that are older than what was found there, the newest first, all open: from
    /// here on it does not matter how they are renamed.
    fn older(&self, setting: &Setting, log: &Path, here: Option<Here>) -> Vec<Older> {
        let mut open: HashMap<FileId, Content> = HashMap::new();
        let mut listed = Vec::new();
        for _ in 0..ATTEMPTS {
            listed = siblings::siblings(log).unwrap_or_default();
            let at = listed.iter().position(|sibling| here.is_some_and(|here| here.id == sibling.print.id));
            listed.drain(..at.map_or(0, |at| at + 1));
            listed.truncate(SIBLINGS_MAX);
            let before = open.len();
            for sibling in &listed {
                if !self.listed.contains(&sibling.print.id)
                    && !open.contains_key(&sibling.print.id)
                    // By now another file may have the name: it is as welcome.
                    && let Ok(content) =
                        Content::open(&sibling.path, setting.members(), setting.source.decompressed_bytes_max)
                {
                    open.insert(content.print.id, content);
                }
            }
            // While files are renamed, a listing may show one of them twice and another not at all.
            let shown: HashSet<_> = listed.iter().map(|sibling| sibling.print.id).collect();
            if open.len() == before && open.keys().all(|id| shown.contains(id)) {
                break;
            }
        }
        listed.into_iter().filter_map(|sibling| self.listed_or_open(sibling, &mut open)).collect()
    }

    fn listed_or_open(&self, sibling: Sibling, open: &mut HashMap<FileId, Content>) -> Option<Older> {
        if self.listed.contains(&sibling.print.id) {
            return Some(Older::Listed);
        }
        open.remove(&sibling.print.id).map(|content| Older::Open(sibling.path, Box::new(content)))
    }

    fn step(&mut self, path: PathBuf, content: Content, setting: &Setting, outlet: &Outlet, walk: &mut Walk) {
        let growth = if content.packed { Growth::IsWhole } else { Growth::MayGrow };
        match identify(&content, &path.to_string_lossy(), growth, setting, &outlet.registry) {
            Err(_) | Ok(Identified::TooShort) => {}
            Ok(Identified::Busy) => walk.meet(COMPLETE),
            Ok(Identified::Copy(id)) => {
                self.meet(id);
                walk.meet(1);
            }
            Ok(Identified::Read(reading)) => {
                let more = has_more(&content, reading.start).unwrap_or(true);
                if reading.known {
                    self.meet(reading.claim.id);
                    walk.meet(u32::from(!more));
                }
                if more {
                    walk.take.push(Before { path, content });
                }
            }
        }
    }

    fn gap(&self, last: StreamId, at: &Position, log: &str, outlet: &mut Outlet) -> Result<(), Closed> {
        if at.ended || self.met.contains(&last) {
            return Ok(());
        }
        let problem = "something else is there than what was read before, and the rest of that is not beside it: \
                       records may be missing";
        outlet.say(Notice::gap(outlet.source(), log, problem).stream(last).fact("next", at.next.into()))?;
        // It ends the stream for all who ask, at once.
        outlet.flush()
    }
}

fn has_more(content: &Content, start: u64) -> io::Result<bool> {
    if content.packed {
        return Ok(content.read_from(start)?.read(&mut [0])? > 0);
    }
    Ok(content.look()?.size > start)
}
