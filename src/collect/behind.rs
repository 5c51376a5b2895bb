//! What was rotated away before anybody read it: files beside a log that come before it.
//!
//! From the newest rotated file backwards, until one is known to its end: those on the way are what
//! was missed, one rotation or several, renamed, copied or packed. If a stream that was being read is
//! nowhere any more, that is a gap, and an event says so.

use std::collections::HashSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::content::{Content, FileId};
use super::identify::{Growth, Identified, Reading, identify};
use super::notice::Notice;
use super::outlet::{Closed, Outlet};
use super::positions::{Position, StreamId};
use super::setting::Setting;
use super::siblings::{self, Sibling};
use crate::clock::Clock;
use crate::event::Stamp;

/// Rotations that can have been missed: a year of weekly ones, and some.
const SIBLINGS_MAX: usize = 64;

/// A rotation may rename files between listing and opening them: then they are listed again.
const ATTEMPTS: usize = 5;

pub(super) struct Behind {
    /// Streams that were found somewhere, in this process.
    met: HashSet<StreamId>,
    /// Files that are looked at anyway.
    pub(super) listed: HashSet<FileId>,
}

/// A file to be read before the log.
pub(super) struct Before {
    pub(super) path: PathBuf,
    pub(super) content: Content,
    pub(super) reading: Reading,
}

/// Walking backwards.
#[derive(Default)]
struct Walk {
    take: Vec<Before>,
    /// Something on the way was known.
    met: bool,
}

enum Step {
    GoOn,
    Enough,
    /// The folder changed meanwhile.
    Moved,
}

impl Behind {
    pub(super) fn new(listed: impl IntoIterator<Item = FileId>) -> Self {
        Self { met: HashSet::new(), listed: listed.into_iter().collect() }
    }

    pub(super) fn meet(&mut self, id: StreamId) {
        self.met.insert(id);
    }

    /// What must be read before `log`, the oldest first. `here` is what stands at its path now, and
    /// `since` when the file that stood there before was changed last, if that is known.
    pub(super) fn find(
        &mut self,
        setting: &Setting,
        log: &Path,
        here: Option<&Identified>,
        since: Option<Stamp>,
        outlet: &mut Outlet,
    ) -> Result<Vec<Before>, Closed> {
        let name = log.to_string_lossy();
        let of_log = |origin: &str| origin == name || siblings::is_rotated_from(log, origin);
        let known = outlet.registry.positions(|positions| positions.at_origin(setting.name(), of_log));
        let Some((last, at)) = known.into_iter().next() else { return Ok(Vec::new()) };
        let mut walk = self.walk(setting, log, outlet);
        if !walk.met {
            let here_is_known = match here {
                Some(Identified::Read(reading)) => reading.known,
                Some(Identified::Copy(_) | Identified::Busy) => true,
                Some(Identified::TooShort) | None => false,
            };
            let since = since.unwrap_or(at.observed);
            // Without a real clock, nothing can be said about which file is newer than what was read.
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

    fn walk(&mut self, setting: &Setting, log: &Path, outlet: &Outlet) -> Walk {
        for _ in 0..ATTEMPTS {
            let mut walk = Walk::default();
            let siblings = siblings::siblings(log).unwrap_or_default();
            let mut moved = false;
            for sibling in siblings.iter().take(SIBLINGS_MAX) {
                match self.step(sibling, setting, outlet, &mut walk) {
                    Step::GoOn => {}
                    Step::Enough => break,
                    Step::Moved => {
                        moved = true;
                        break;
                    }
                }
            }
            if !moved {
                return walk;
            }
        }
        Walk::default()
    }

    fn step(&mut self, sibling: &Sibling, setting: &Setting, outlet: &Outlet, walk: &mut Walk) -> Step {
        if self.listed.contains(&sibling.print.id) {
            walk.met = true;
            return Step::Enough;
        }
        let limit = setting.source.decompressed_bytes_max;
        let content = match Content::open(&sibling.path, setting.members(), limit) {
            Ok(content) if content.print.id == sibling.print.id => content,
            Ok(_) => return Step::Moved,
            Err(_) if !sibling.path.exists() => return Step::Moved,
            Err(_) => return Step::GoOn,
        };
        let growth = if content.packed { Growth::IsWhole } else { Growth::MayGrow };
        let origin = sibling.path.to_string_lossy();
        match identify(&content, &origin, growth, setting, &outlet.registry) {
            Err(_) | Ok(Identified::TooShort) => Step::GoOn,
            Ok(Identified::Busy) => {
                walk.met = true;
                Step::Enough
            }
            Ok(Identified::Copy(id)) => {
                self.meet(id);
                walk.met = true;
                Step::Enough
            }
            Ok(Identified::Read(reading)) => {
                let known = reading.known;
                if known {
                    self.meet(reading.claim.id);
                    walk.met = true;
                }
                if known && !has_more(&content, reading.start).unwrap_or(true) {
                    return Step::Enough;
                }
                walk.take.push(Before { path: sibling.path.clone(), content, reading });
                Step::GoOn
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
