//! What was rotated away before anybody read it: files beside a log that come before it.
//!
//! From the newest rotated file backwards, until two are known to their end: the others on the way are what
//! was missed, one rotation or several, renamed, copied or packed. If a stream that was being read is
//! nowhere any more, that is a gap, and an event says so. A file that was emptied where it stands is one
//! too, each time: what was written between its copy and that, no one has seen.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::content::{Content, FileId, Print};
use super::identify::{Growth, Identified, identify};
use super::notice::Notice;
use super::outlet::{Closed, Outlet};
use super::positions::{Position, StreamId};
use super::setting::Setting;
use super::siblings::{self, Sibling};
use crate::clock::Clock;
use crate::event::Stamp;

/// Rotations that can have been missed: a year of daily ones, and some.
const SIBLINGS_MAX: usize = 400;

/// Listings until two in a row show the same files: a rotation may be going on.
const ATTEMPTS: usize = 20;

pub(super) struct Behind {
    /// Streams that were found somewhere, in this process.
    met: HashSet<StreamId>,
}

/// A file to be read before the log. Which stream it is, is decided when its turn comes: two of them may
/// be the same.
pub(super) struct Before {
    pub(super) path: PathBuf,
    pub(super) content: Content,
    /// Nobody goes on with it: half a record at its end is all there is of it.
    pub(super) whole: bool,
    /// It is the copy of what the log was emptied of: its stream ends with it, and [`Behind::emptied`] says so.
    pub(super) emptied: bool,
}

/// A file that stood at a path and is still open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub(super) changed: Stamp,
    /// It has no name any more.
    pub(super) deleted: bool,
}

/// What was found at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Here {
    /// By now it may have been rotated away itself.
    id: FileId,
    mark: String,
    /// Whether it is, or begins with, something that is known.
    known: bool,
    /// None as long as there is too little of it.
    stream: Option<StreamId>,
    /// It ends before what is known of its stream.
    is_short: bool,
}

impl Left {
    pub(super) fn of(content: &Content) -> Option<Self> {
        let metadata = content.file.metadata().ok()?;
        Some(Self { changed: Print::of(&metadata).modified(), deleted: metadata.nlink() == 0 })
    }
}

impl Here {
    pub(super) fn new(print: &Print, identified: &Identified) -> Self {
        Self {
            id: print.id,
            mark: print.mark(),
            known: identified.is_known(),
            stream: identified.stream(),
            is_short: matches!(identified, Identified::Copy(_)),
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.stream == other.stream
    }

    /// Whether the file holds nothing that could go on with a stream.
    pub(super) fn is_other(&self, stream: StreamId) -> bool {
        self.stream != Some(stream)
    }
}

/// A stream that broke off in a file that is still there.
struct Broken {
    stream: StreamId,
    /// An event says so already.
    said: bool,
}

/// What [`Behind::find`] finds.
#[derive(Default)]
pub(super) struct Found {
    /// The oldest first.
    pub(super) files: Vec<Before>,
    /// Streams that somebody has open and nobody goes on with.
    pub(super) settled: Vec<(StreamId, FileId)>,
    /// The log was emptied of this stream, and no copy of it is there.
    pub(super) without_copy: Option<StreamId>,
}

/// Walking backwards.
#[derive(Default)]
struct Walk {
    /// How many files came before the present one.
    passed: u32,
    take: Vec<Before>,
    settled: Vec<(StreamId, FileId)>,
    /// Something on the way was known.
    met: bool,
    /// Files that were known to their end.
    complete: u32,
}

/// A writer that lags may have gone on with the file before the newest one that is known to its end.
const COMPLETE: u32 = 2;

/// A writer that lags goes on with the newest rotated file, as logrotate's `delaycompress` has it, not with
/// those before.
const LAGGING: u32 = 1;

impl Walk {
    fn take(&mut self, path: PathBuf, content: Content) {
        let whole = self.passed >= LAGGING;
        self.take.push(Before { path, content, whole, emptied: false });
    }

    fn meet(&mut self, complete: u32) {
        self.met = true;
        self.complete += complete;
    }
}

const EMPTIED: &str = "the file was emptied (copytruncate?): what was written between its copy, or the last look at \
                       it, and that may be missing";

const NOWHERE: &str = "something else is there than what was read before, and the rest of that is not beside it: \
                       records may be missing";

impl Behind {
    pub(super) fn new() -> Self {
        Self { met: HashSet::new() }
    }

    pub(super) fn meet(&mut self, id: StreamId) {
        self.met.insert(id);
    }

    /// Whether the file that stands at a path was emptied since it was read last; once it is read again, it was not.
    pub(super) fn is_emptied(log: &Path, here: &Here, outlet: &Outlet) -> bool {
        broken(&log.to_string_lossy(), here, outlet).is_some()
    }

    /// What must be read before `log`, the oldest first. `here` is what was found at its path, if something
    /// was; `left` the file that stood there before, if it is open still.
    pub(super) fn find(
        &mut self,
        setting: &Setting,
        log: &Path,
        here: Option<&Here>,
        left: Option<Left>,
        outlet: &mut Outlet,
    ) -> Result<Found, Closed> {
        let name = log.to_string_lossy();
        let family = siblings::Family::of(log);
        let of_log = |origin: &str| origin == name || family.holds(origin);
        let known = outlet.registry.positions(|positions| positions.at_origin(setting.name(), of_log));
        let Some((last, at)) = known.into_iter().next() else { return Ok(Found::default()) };
        if let Some(here) = here
            && let Some(broken) = broken(&name, here, outlet)
        {
            return Ok(self.copies(setting, log, here, &broken, outlet));
        }
        let here_is_known = here.is_some_and(|here| here.known);
        let mut walk = self.walk(setting, log, here, outlet);
        if !walk.met {
            let since = left.map_or(at.observed, |left| left.changed);
            // Without a real clock, nothing can be said about which file is newer than what was read.
            let newer = |file: &Before| {
                setting.clock == Clock::System && !here_is_known && file.content.print.modified() >= since
            };
            walk.take.retain(newer);
            // One that was met in this process is open still. But between it and one that nobody knows,
            // there may have been others, and after one that was deleted as well.
            let is_next = walk.take.is_empty() && !left.is_some_and(|left| left.deleted);
            let is_whole = at.ended || (self.met.contains(&last) && is_next);
            if here.is_some() && !here_is_known && !is_whole {
                say_gap(last, &at, &name, NOWHERE, None, outlet)?;
            }
        }
        walk.take.reverse();
        Ok(Found { files: walk.take, settled: walk.settled, without_copy: None })
    }

    /// The copies that were made before the log was emptied, once or several times.
    fn copies(&self, setting: &Setting, log: &Path, here: &Here, broken: &Broken, outlet: &Outlet) -> Found {
        let mut copies = Vec::new();
        let mut found = false;
        for (path, content) in self.older(setting, log, Some(here)) {
            let identified = identify(&content, &path.to_string_lossy(), Growth::IsWhole, setting, &outlet.registry);
            let Ok(identified) = identified else { continue };
            let (stream, known) = (identified.stream(), identified.is_known());
            drop(identified);
            if stream == here.stream {
                // It was copied by now, and not emptied yet.
                continue;
            }
            found = stream == Some(broken.stream);
            if found || stream.is_some() {
                let emptied = !(found && broken.said);
                copies.push((known, Before { path, content, whole: true, emptied }));
            }
            if found {
                break;
            }
        }
        if !found {
            // Those that are known are older than what is sought.
            copies.retain(|(known, _)| !known);
        }
        copies.reverse();
        let without_copy = (!found && !broken.said).then_some(broken.stream);
        let files = copies.into_iter().map(|(_, copy)| copy).collect();
        Found { files, settled: Vec::new(), without_copy }
    }

    /// Says that a stream ended because its file was emptied; `problem` if more is known than that.
    pub(super) fn emptied(
        &mut self,
        stream: StreamId,
        log: &Path,
        here: &Here,
        problem: Option<&str>,
        outlet: &mut Outlet,
    ) -> Result<(), Closed> {
        self.meet(stream);
        outlet.flush()?;
        let Some(at) = outlet.registry.positions(|positions| positions.stream(stream).cloned()) else { return Ok(()) };
        say_gap(stream, &at, &log.to_string_lossy(), problem.unwrap_or(EMPTIED), Some(&here.mark), outlet)
    }

    fn walk(&mut self, setting: &Setting, log: &Path, here: Option<&Here>, outlet: &Outlet) -> Walk {
        let mut walk = Walk::default();
        for (path, content) in self.older(setting, log, here) {
            self.step(path, content, setting, outlet, &mut walk);
            walk.passed += 1;
            if walk.complete >= COMPLETE {
                break;
            }
        }
        walk
    }

    /// The files beside the log that are older than what was found there, the newest first, all open: from
    /// here on it does not matter how they are renamed.
    fn older(&self, setting: &Setting, log: &Path, here: Option<&Here>) -> Vec<(PathBuf, Content)> {
        let mut open: HashMap<FileId, Content> = HashMap::new();
        let mut listed: Vec<Sibling> = Vec::new();
        for _ in 0..ATTEMPTS {
            listed = siblings::siblings(log).unwrap_or_default();
            let at = listed.iter().position(|sibling| here.is_some_and(|here| here.id == sibling.print.id));
            listed.drain(..at.map_or(0, |at| at + 1));
            listed.truncate(SIBLINGS_MAX);
            let before = open.len();
            for sibling in &listed {
                if !open.contains_key(&sibling.print.id)
                    // By now another file may have the name: it is as welcome.
                    && let Ok(content) =
                        Content::open(&sibling.path, setting.members(), setting.source.decompressed_bytes_max)
                {
                    open.insert(content.print.id, content);
                }
            }
            // While files are renamed, a listing may show one of them twice and another not at all; one that
            // is gone before it was opened lies there packed by now.
            let shown: HashSet<_> = listed.iter().map(|sibling| sibling.print.id).collect();
            if open.len() == before && open.len() == shown.len() && open.keys().all(|id| shown.contains(id)) {
                break;
            }
        }
        let open_ones = |sibling: Sibling| open.remove(&sibling.print.id).map(|content| (sibling.path, content));
        listed.into_iter().filter_map(open_ones).collect()
    }

    fn step(&mut self, path: PathBuf, content: Content, setting: &Setting, outlet: &Outlet, walk: &mut Walk) {
        let growth = if content.packed { Growth::IsWhole } else { Growth::MayGrow };
        let identified = identify(&content, &path.to_string_lossy(), growth, setting, &outlet.registry);
        match identified {
            Err(_) => {}
            // Half a line may be all there is.
            Ok(Identified::TooShort) if content.print.size == 0 || content.packed => {}
            Ok(Identified::TooShort) => walk.take(path, content),
            Ok(Identified::Busy(id)) => {
                walk.settled.extend(id.filter(|_| walk.passed >= LAGGING).map(|id| (id, content.print.id)));
                walk.meet(1);
            }
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
                    walk.take(path, content);
                }
            }
        }
    }
}

/// The stream that was read from the file at a path, if that file is still there and holds another one, or
/// less of it.
fn broken(name: &str, here: &Here, outlet: &Outlet) -> Option<Broken> {
    let standing = outlet.registry.positions(|positions| positions.standing(outlet.source(), name).cloned())?;
    let is_other = here.stream != Some(standing.stream) || here.is_short;
    (standing.file == here.mark && is_other).then_some(Broken { stream: standing.stream, said: standing.ended })
}

fn say_gap(
    last: StreamId,
    at: &Position,
    log: &str,
    problem: &str,
    file: Option<&str>,
    outlet: &mut Outlet,
) -> Result<(), Closed> {
    let notice = Notice::gap(outlet.source(), log, problem).stream(last);
    let notice = notice.fact("next", at.next.into()).fact("read", serde_json::json!(at.observed));
    outlet.say(match file {
        Some(file) => notice.fact("file", file.into()),
        None => notice,
    })?;
    // It ends the stream for all who ask, at once.
    outlet.flush()
}

fn has_more(content: &Content, start: u64) -> io::Result<bool> {
    if content.packed {
        return Ok(content.read_from(start)?.read(&mut [0])? > 0);
    }
    Ok(content.look()?.size > start)
}
