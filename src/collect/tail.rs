//! Following files that grow, and are rotated, truncated, replaced, or not there yet.
//!
//! Every file that the paths name is held open and read to its end, again and again. A file that is no
//! longer there is read on for a while, because its writer may not have noticed; what took its place is
//! looked at by content. A file whose end was cut off, or whose bytes before the place of reading are not
//! those that were read, is a new stream from its beginning.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;
use std::time::Instant;

use super::behind::{Behind, Here};
use super::content::{Content, FileId, Print, Unreadable};
use super::files::{self, Failing, Found, Scan};
use super::identify::{Growth, Identified, identify};
use super::once::{Pass, growth};
use super::outlet::{Closed, Outlet};
use super::reader::{LEAVING, Met, Reader};
use super::setting::Setting;
use super::siblings::is_rotated_name;
use super::stop::{Stop, Woken};
use super::watch::{POLL, Watch};

/// Of one file, before the others have their turn.
const TURN_BYTES: u64 = 4 << 20;

mod rotated;

use rotated::Half;

/// Follows the files that the paths name until it is time to stop.
pub(super) fn follow(setting: Setting, paths: &[String], stop: Stop, outlet: &mut Outlet) -> Result<(), Closed> {
    let failing = Failing::recall(outlet);
    let mut watch = Watch::new(stop);
    let mut tail = Tail {
        setting,
        paths,
        outlet,
        failing,
        behind: Behind::new(),
        readers: Vec::new(),
        done: HashMap::new(),
        settling: HashMap::new(),
        drained: false,
        half: None,
    };
    loop {
        let scan = files::scan(paths);
        watch.folders(files::folders(paths, &scan.found));
        let rest = tail.look(scan, watch.stop())?;
        tail.outlet.flush()?;
        let woken = match rest {
            Rest::More if !watch.stop().is_set() => continue,
            Rest::More => Woken::Stop,
            Rest::Nothing => watch.wait(),
        };
        if woken == Woken::Stop {
            return tail.end();
        }
    }
}

struct Tail<'a> {
    setting: Setting,
    paths: &'a [String],
    outlet: &'a mut Outlet,
    failing: Failing,
    behind: Behind,
    readers: Vec<Reader>,
    /// Files that were read to their end and closed: packed ones, and old ones that rest.
    done: HashMap<FileId, Print>,
    /// Packed files that may still be written.
    settling: HashMap<FileId, (Print, Instant)>,
    drained: bool,
    /// While what a file was emptied of is read from its copy.
    half: Option<Half>,
}

/// Whether there is more to read right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    Nothing,
    More,
}

impl Tail<'_> {
    /// One look at all files.
    fn look(&mut self, mut scan: Scan, stop: &Stop) -> Result<Rest, Closed> {
        let new = self.sort(scan.found);
        let mut rest = self.turn(|reader| !reader.here, stop, &mut scan.failures)?;
        for found in new {
            rest = rest.and(self.open(found, stop, &mut scan.failures)?);
        }
        // What is being read goes on; then come the logs, and what was rotated away before them, before the
        // rotated files that are new to us: what nobody knows shows where a stream broke off.
        rest = rest.and(self.turn(|reader| reader.here && reader.stream.is_some(), stop, &mut scan.failures)?);
        rest = rest.and(self.turn(|reader| reader.fresh && reader.stands(), stop, &mut scan.failures)?);
        rest = rest.and(self.turn(|reader| reader.here && reader.stream.is_none(), stop, &mut scan.failures)?);
        self.missing(stop)?;
        self.retire(stop)?;
        let readers = &self.readers;
        // While a file is on its way from one name to the next, its path is not missing.
        scan.failures.retain(|(origin, _)| !readers.iter().any(|r| !r.here && r.path.to_string_lossy() == *origin));
        self.failing.report(scan.failures, self.outlet)?;
        if rest == Rest::Nothing && !self.drained && self.settling.is_empty() {
            self.drained = true;
            self.outlet.flush()?;
            self.outlet.progress.drained(self.setting.name());
        }
        Ok(rest)
    }

    /// Finds open files under the names they have now, and returns those that are new.
    fn sort(&mut self, found: Vec<Found>) -> Vec<Found> {
        let now = Instant::now();
        let listed: HashSet<_> = found.iter().map(|file| file.print.id).collect();
        self.done.retain(|id, _| listed.contains(id));
        self.settling.retain(|id, _| listed.contains(id));
        self.readers.retain(|reader| reader.stream.is_some() || !reader.content.is_packed_by_now());
        for reader in &mut self.readers {
            let file = found.iter().find(|file| file.print.id == reader.content.print.id);
            if reader.here && file.is_none() {
                reader.quiet_since = now;
            }
            reader.here = file.is_some();
            if let Some(file) = file {
                reader.path.clone_from(&file.path);
            }
        }
        let open = |id| self.readers.iter().any(|reader| reader.content.print.id == id);
        found.into_iter().filter(|f| !open(f.print.id) && self.done.get(&f.print.id) != Some(&f.print)).collect()
    }

    fn open(&mut self, found: Found, stop: &Stop, failures: &mut Vec<(String, String)>) -> Result<Rest, Closed> {
        let limit = self.setting.source.decompressed_bytes_max;
        let content = match Content::open(&found.path, self.setting.members(), limit) {
            // Another file took the name meanwhile: that wakes the next look, which sorts it out.
            Ok(content) if content.print.id != found.print.id => return Ok(Rest::Nothing),
            Ok(content) => content,
            Err(Unreadable::Missing) => return Ok(Rest::Nothing),
            Err(Unreadable::Compressed(name)) => {
                self.done.insert(found.print.id, found.print);
                Pass { setting: &self.setting, stop, outlet: self.outlet }.compressed(&found.path, name)?;
                return Ok(Rest::Nothing);
            }
            Err(problem) => {
                failures.push((found.path.to_string_lossy().into_owned(), problem.to_string()));
                return Ok(Rest::Nothing);
            }
        };
        if content.packed {
            return self.packed(found, content, stop, failures);
        }
        self.outlet.progress.expect_bytes(content.print.size);
        let mut reader = Reader::new(found.path, content);
        if is_rotated_name(&reader.path) {
            reader.has_rested(self.setting.rested(&reader.content.print));
        }
        self.readers.push(reader);
        Ok(Rest::Nothing)
    }

    /// A packed file is read in one pass, when its writer is done with it.
    fn packed(
        &mut self,
        found: Found,
        content: Content,
        stop: &Stop,
        failures: &mut Vec<(String, String)>,
    ) -> Result<Rest, Closed> {
        let print = content.print;
        match self.settling.get(&print.id) {
            Some((before, since)) if *before == print && since.elapsed() >= POLL => {}
            Some((before, _)) if *before == print => return Ok(Rest::Nothing),
            _ => {
                self.settling.insert(print.id, (print, Instant::now()));
                return Ok(Rest::Nothing);
            }
        }
        let origin = found.path.to_string_lossy();
        let growth = growth(&found.path, true);
        let identified = match identify(&content, &origin, growth, &self.setting, &self.outlet.registry) {
            Ok(Identified::Busy(_)) => {
                // To find that out took unpacking it: not at every change.
                self.settling.insert(print.id, (print, Instant::now()));
                return Ok(Rest::Nothing);
            }
            Ok(identified) => identified,
            Err(error) => {
                failures.push((origin.into_owned(), Unreadable::from(error).to_string()));
                return Ok(Rest::Nothing);
            }
        };
        self.outlet.progress.expect_bytes(print.size);
        let mut pass = Pass { setting: &self.setting, stop, outlet: self.outlet };
        let read = pass.identified(&found.path, &content, identified, growth, &mut self.behind)?;
        self.outlet.progress.read_bytes(print.size);
        if stop.is_set() {
            return Ok(Rest::Nothing);
        }
        if let Err(error) = read {
            failures.push((origin.into_owned(), Unreadable::from(error).to_string()));
            return Ok(Rest::Nothing);
        }
        self.settling.remove(&print.id);
        self.done.insert(print.id, print);
        Ok(Rest::Nothing)
    }

    /// Gives each of these readers a turn.
    fn turn(
        &mut self,
        wanted: impl Fn(&Reader) -> bool,
        stop: &Stop,
        failures: &mut Vec<(String, String)>,
    ) -> Result<Rest, Closed> {
        let mut rest = Rest::Nothing;
        // New readers may come in between, at the end.
        let mut i = 0;
        while i < self.readers.len() && !stop.is_set() {
            if !self.readers.get(i).is_some_and(&wanted) {
                i += 1;
                continue;
            }
            let mut reader = self.readers.remove(i);
            let read = self.read(&mut reader, stop);
            let path = reader.path.to_string_lossy().into_owned();
            self.readers.insert(i, reader);
            i += 1;
            match read? {
                Ok(more) => rest = rest.and(more),
                Err(error) => failures.push((path, Unreadable::from(error).to_string())),
            }
        }
        Ok(rest)
    }

    fn read(&mut self, reader: &mut Reader, stop: &Stop) -> Result<io::Result<Rest>, Closed> {
        if reader.stream.is_none() {
            match self.begin(reader, stop)? {
                Ok(()) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        match reader.pump(self.outlet, TURN_BYTES, stop) {
            Met::End => Ok(Ok(Rest::Nothing)),
            Met::Turn => Ok(Ok(Rest::More)),
            Met::Closed(closed) => Err(closed),
            Met::Failed(error) => Ok(Err(error)),
            Met::Changed(problem) => self.changed(reader, problem, stop).map(|()| Ok(Rest::More)),
        }
    }

    /// Finds out which stream a file is, and reads what was rotated away before it.
    fn begin(&mut self, reader: &mut Reader, stop: &Stop) -> Result<io::Result<()>, Closed> {
        let print = match reader.content.look() {
            Ok(print) => print,
            Err(error) => return Ok(Err(error)),
        };
        if reader.looked == Some(print) || reader.copy_since.is_some_and(|since| since.elapsed() < POLL) {
            return Ok(Ok(()));
        }
        let origin = reader.path.to_string_lossy().into_owned();
        let mut before: Option<Here> = None;
        let identified = loop {
            let identified = match self.identify(&reader.content, &origin) {
                Ok(identified) => identified,
                Err(error) => return Ok(Err(error)),
            };
            if !reader.stands() {
                break identified;
            }
            if let Identified::Busy(stream) = identified
                && !self.take_over(stream, reader)?
            {
                return Ok(Ok(()));
            }
            // It may have been emptied again while what came before it was read.
            let here = Here::new(&print, &identified);
            let is_first = reader.fresh || Behind::is_emptied(&reader.path, &here, self.outlet);
            if before.as_ref().is_some_and(|before| before.is_same(&here)) || !is_first {
                break identified;
            }
            // Only a look: what was rotated away may be the same stream, and is read first.
            drop(identified);
            self.before(&reader.path, Some(&here), stop)?;
            reader.fresh = false;
            before = Some(here);
        };
        reader.fresh = false;
        if !is_rotated_name(&reader.path) && self.is_unsettled(&reader.path)? {
            return Ok(Ok(()));
        }
        match identified {
            Identified::Busy(stream) => {
                self.take_over(stream, reader)?;
            }
            Identified::TooShort => reader.looked = Some(print),
            Identified::Copy(id) => {
                self.behind.meet(id);
                reader.looked = Some(print);
                reader.copy_since = Some(Instant::now());
            }
            Identified::Read(reading) => {
                self.behind.meet(reading.claim.id);
                if reader.stands() {
                    self.outlet.stand(&origin, &print.mark(), reading.claim.id)?;
                }
                if let Err(error) = reader.start(reading, &origin, &self.setting) {
                    return Ok(Err(error));
                }
            }
        }
        Ok(Ok(()))
    }

    fn identify(&self, content: &Content, origin: &str) -> io::Result<Identified> {
        identify(content, origin, Growth::MayGrow, &self.setting, &self.outlet.registry)
    }

    /// Nothing stands at a path: what was rotated away from it is read all the same.
    fn missing(&mut self, stop: &Stop) -> Result<(), Closed> {
        if self.drained {
            return Ok(());
        }
        for path in self.paths.iter().map(Path::new).filter(|path| !path.exists()) {
            self.before(path, None, stop)?;
        }
        Ok(())
    }

    /// Ends the streams that will not go on.
    fn retire(&mut self, stop: &Stop) -> Result<(), Closed> {
        let mut i = 0;
        while let Some(reader) = self.readers.get_mut(i) {
            let rests = reader.quiet_since.elapsed() >= LEAVING;
            if !rests || (reader.here && !is_rotated_name(&reader.path)) {
                i += 1;
                continue;
            }
            if reader.stream.is_none() {
                // Half a line may be all there is.
                let origin = reader.path.to_string_lossy().into_owned();
                let found = identify(&reader.content, &origin, Growth::IsWhole, &self.setting, &self.outlet.registry);
                if let Ok(Identified::Read(reading)) = found
                    && reader.start(reading, &origin, &self.setting).is_ok()
                    && let Met::Closed(closed) = reader.pump(self.outlet, u64::MAX, stop)
                {
                    return Err(closed);
                }
            }
            if let Some(live) = &mut reader.stream {
                live.flow.finish(self.outlet)?;
                live.flow.note(self.outlet);
            }
            if let Ok(print) = reader.content.look() {
                self.done.insert(print.id, print);
            }
            self.readers.remove(i);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Closed> {
        for reader in &mut self.readers {
            if let Some(live) = &mut reader.stream {
                live.flow.note(self.outlet);
            }
        }
        self.outlet.flush()
    }
}

impl Rest {
    fn and(self, other: Self) -> Self {
        if self == Self::More { self } else { other }
    }
}
