//! Following files that grow, and are rotated, truncated, replaced, or not there yet.
//!
//! Every file that the paths name is held open and read to its end, again and again. A file that is no
//! longer there is read on for a while, because its writer may not have noticed; what took its place is
//! looked at by content. A file whose end was cut off, or whose bytes before the place of reading are not
//! those that were read, is a new stream from its beginning.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::behind::{Before, Behind, Here};
use super::content::{Content, FileId, Print, Unreadable};
use super::files::{self, Failing, Found, Scan};
use super::identify::{Growth, Identified, identify};
use super::notice::Notice;
use super::once::{Pass, growth};
use super::outlet::{Closed, Outlet};
use super::reader::{Met, Reader};
use super::setting::Setting;
use super::siblings::is_rotated_name;
use super::stop::{Stop, Woken};
use super::watch::{POLL, Watch};

/// A writer goes on with a file that was renamed until it is told to open the new one; logrotate tells it
/// at once, people do it by hand.
const LEAVING: Duration = Duration::from_secs(60);

/// Of one file, before the others have their turn.
const TURN_BYTES: u64 = 4 << 20;

/// Follows the files that the paths name until it is time to stop.
pub(super) fn follow(setting: Setting, paths: &[String], stop: Stop, outlet: &mut Outlet) -> Result<(), Closed> {
    let failing = Failing::recall(outlet);
    let mut watch = Watch::new(stop);
    let mut tail = Tail {
        setting,
        paths,
        outlet,
        failing,
        behind: Behind::new([]),
        readers: Vec::new(),
        done: HashMap::new(),
        settling: HashMap::new(),
        drained: false,
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
        rest = rest.and(self.turn(|reader| reader.here, stop, &mut scan.failures)?);
        self.missing(stop)?;
        self.retire()?;
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
        self.behind.listed = found.iter().map(|file| file.print.id).collect();
        self.done.retain(|id, _| self.behind.listed.contains(id));
        self.settling.retain(|id, _| self.behind.listed.contains(id));
        for reader in &mut self.readers {
            let file = found.iter().find(|file| file.print.id == reader.content.print.id);
            if reader.here && file.is_none() {
                reader.quiet_since = now;
            }
            reader.here = file.is_some();
            if let Some(file) = file {
                reader.path.clone_from(&file.path);
            }
            self.behind.listed.insert(reader.content.print.id);
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
        self.readers.push(Reader::new(found.path, content));
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
            Ok(Identified::Busy) => return Ok(Rest::Nothing),
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
        if reader.fresh && !is_rotated_name(&reader.path) {
            // Only a look: what was rotated away may be the same stream, and is read first.
            match self.identify(&reader.content, &origin) {
                Ok(Identified::Busy) => return Ok(Ok(())),
                Ok(identified) => {
                    let here = Here { id: print.id, known: identified.is_known() };
                    drop(identified);
                    self.before(&reader.path, Some(here), stop)?;
                }
                Err(error) => return Ok(Err(error)),
            }
        }
        reader.fresh = false;
        let identified = match self.identify(&reader.content, &origin) {
            Ok(identified) => identified,
            Err(error) => return Ok(Err(error)),
        };
        match identified {
            Identified::Busy => {}
            Identified::TooShort => reader.looked = Some(print),
            Identified::Copy(id) => {
                self.behind.meet(id);
                reader.looked = Some(print);
                reader.copy_since = Some(Instant::now());
            }
            Identified::Read(reading) => {
                self.behind.meet(reading.claim.id);
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

    /// Reads the files that were rotated away from a path and that nobody has read yet.
    fn before(&mut self, path: &Path, here: Option<Here>, stop: &Stop) -> Result<(), Closed> {
        // When the file that stood here before was changed last.
        let since = self.readers.iter().filter(|r| !r.here && r.path == path);
        let since = since.filter_map(|r| r.content.look().ok()).map(|print| print.modified()).max();
        for file in self.behind.find(&self.setting, path, here, since, self.outlet)? {
            self.outlet.progress.expect_bytes(file.content.print.size);
            if file.content.packed {
                self.packed_before(&file, stop)?;
                continue;
            }
            let mut reader = Reader::new(file.path, file.content);
            reader.here = false;
            reader.fresh = false;
            // What cannot be read on from here is seen again when those that leave have their turn.
            if let Ok(()) = self.begin(&mut reader, stop)?
                && let Met::Closed(closed) = reader.pump(self.outlet, u64::MAX, stop)
            {
                return Err(closed);
            }
            self.behind.listed.insert(reader.content.print.id);
            self.readers.push(reader);
        }
        Ok(())
    }

    fn packed_before(&mut self, file: &Before, stop: &Stop) -> Result<(), Closed> {
        let (growth, origin) = (Growth::IsWhole, file.path.to_string_lossy());
        let identified = identify(&file.content, &origin, growth, &self.setting, &self.outlet.registry);
        let read = match identified {
            Ok(identified) => {
                let mut pass = Pass { setting: &self.setting, stop, outlet: self.outlet };
                pass.identified(&file.path, &file.content, identified, growth, &mut self.behind)?
            }
            Err(error) => Err(error),
        };
        self.outlet.progress.read_bytes(file.content.print.size);
        match read {
            Ok(()) => Ok(()),
            Err(error) => self.outlet.failed(&origin, &Unreadable::from(error).to_string()),
        }
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

    /// A file was cut off or written anew under our hands.
    fn changed(&mut self, reader: &mut Reader, problem: &'static str, stop: &Stop) -> Result<(), Closed> {
        let Some(mut live) = reader.stream.take() else { return Ok(()) };
        live.flow.note(self.outlet);
        self.outlet.flush()?;
        let id = live.flow.id();
        // copytruncate made a copy first: it may hold what was not read here, and goes on with the stream.
        live.flow.release();
        let covered = |outlet: &Outlet| outlet.registry.positions(|p| p.stream(id).map(|at| at.next));
        let before = covered(self.outlet);
        let here = Here { id: reader.content.print.id, known: true };
        self.before(&reader.path, Some(here), stop)?;
        self.outlet.flush()?;
        // If there was no such copy, the half record that is held here is all there is of it.
        if covered(self.outlet) == before && live.flow.claim_again(&self.outlet.registry) {
            live.flow.finish(self.outlet)?;
        }
        let origin = reader.path.to_string_lossy();
        let notice = Notice::gap(self.outlet.source(), &origin, problem).stream(id);
        self.outlet.say(notice.fact("next", live.offset.into()))?;
        self.outlet.flush()?;
        reader.looked = None;
        Ok(())
    }

    /// Ends the streams that will not go on.
    fn retire(&mut self) -> Result<(), Closed> {
        let mut i = 0;
        while let Some(reader) = self.readers.get_mut(i) {
            let rests = reader.quiet_since.elapsed() >= LEAVING;
            if !rests || (reader.here && !is_rotated_name(&reader.path)) {
                i += 1;
                continue;
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
