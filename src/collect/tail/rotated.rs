//! What was rotated away from a log that is followed: read before the log goes on, or when it was emptied.

use std::path::Path;

use super::super::behind::{Before, Behind, Here, Left};
use super::super::content::{FileId, Unreadable};
use super::super::flow::Flow;
use super::super::identify::{Growth, identify};
use super::super::once::Pass;
use super::super::outlet::Closed;
use super::super::positions::StreamId;
use super::super::reader::{Met, Reader, SETTLING};
use super::super::siblings::Family;
use super::super::stop::Stop;
use super::Tail;

/// A stream whose file was emptied under our hands.
pub(super) struct Half {
    /// It may hold the beginning of a record.
    flow: Flow,
    /// How far the stream was covered then.
    covered: Option<u64>,
    problem: &'static str,
}

impl Tail<'_> {
    /// Two files hold one stream, one of them more of it: it goes on there when the other has no more to give.
    /// True if the stream is free now.
    pub(super) fn take_over(&mut self, stream: Option<StreamId>, reader: &Reader) -> Result<bool, Closed> {
        let of_stream = |r: &&mut Reader| r.stream.as_ref().is_some_and(|live| Some(live.flow.id()) == stream);
        let Some(other) = self.readers.iter_mut().find(of_stream) else { return Ok(false) };
        let size = |reader: &Reader| reader.content.look().map_or(0, |print| print.size);
        if !other.is_at_end() || size(reader) <= size(other) {
            return Ok(false);
        }
        if let Some(mut live) = other.stream.take() {
            live.flow.note(self.outlet);
            other.looked = other.content.look().ok();
        }
        self.outlet.flush()?;
        Ok(true)
    }

    /// Reads the files that were rotated away from a path and that nobody has read yet.
    pub(super) fn before(&mut self, path: &Path, here: Option<&Here>, stop: &Stop) -> Result<(), Closed> {
        let left = self.readers.iter().filter(|reader| !reader.here && reader.path == path);
        let left = left.filter_map(|reader| Left::of(&reader.content)).max_by_key(|left| left.changed);
        let found = self.behind.find(&self.setting, path, here, left, self.outlet)?;
        if let (Some(here), Some(stream)) = (here, found.without_copy) {
            self.emptied(stream, path, here)?;
        }
        for (stream, file) in found.settled {
            self.settle(stream, file, stop)?;
        }
        for file in found.files {
            let ended = self.read_before(file, stop)?;
            if let (Some(here), Some(stream)) = (here, ended) {
                self.emptied(stream, path, here)?;
            }
        }
        Ok(())
    }

    /// Whether a file that was rotated away from this path holds half a record that may be completed.
    pub(super) fn is_unsettled(&mut self, log: &Path) -> Result<bool, Closed> {
        let family = Family::of(log);
        let mut unsettled = false;
        for reader in self.readers.iter_mut().filter(|reader| reader.holds_half() && !reader.stands()) {
            if reader.path != log && !family.holds(&reader.path.to_string_lossy()) {
                continue;
            }
            if reader.quiet_since.elapsed() < SETTLING {
                unsettled = true;
            } else if let Some(live) = &mut reader.stream {
                live.flow.finish(self.outlet)?;
            }
        }
        Ok(unsettled)
    }

    /// The writer of a stream that is open here went on with another file, and another one after that.
    fn settle(&mut self, stream: StreamId, file: FileId, stop: &Stop) -> Result<(), Closed> {
        // A copy of it that ends anywhere may be what is read: it gives way when it has no more to give.
        let of_stream = |r: &&mut Reader| {
            let is_left = !r.stands() || r.content.print.id == file;
            is_left && r.stream.as_ref().is_some_and(|live| live.flow.id() == stream)
        };
        let Some(reader) = self.readers.iter_mut().find(of_stream) else { return Ok(()) };
        match reader.pump(self.outlet, u64::MAX, stop) {
            Met::Closed(closed) => Err(closed),
            Met::End => reader.stream.as_mut().map_or(Ok(()), |live| live.flow.finish(self.outlet)),
            // Its turn comes.
            Met::Turn | Met::Changed(_) | Met::Failed(_) => Ok(()),
        }
    }

    /// Reads one of them. If it is a copy of what the log was emptied of, the answer is which stream ended so.
    fn read_before(&mut self, file: Before, stop: &Stop) -> Result<Option<StreamId>, Closed> {
        self.outlet.progress.expect_bytes(file.content.print.size);
        if file.content.packed {
            self.packed_before(&file, stop)?;
            if !file.emptied {
                return Ok(None);
            }
            let identified = self.identify(&file.content, &file.path.to_string_lossy());
            return Ok(identified.ok().and_then(|identified| identified.stream()));
        }
        let id = file.content.print.id;
        let mut reader = match self.readers.iter().position(|reader| reader.content.print.id == id) {
            Some(open) => self.readers.remove(open),
            None => {
                let mut reader = Reader::rotated(file.path, file.content);
                reader.has_rested(self.setting.rested(&reader.content.print));
                reader
            }
        };
        // What cannot be read on from here is seen again when its turn comes.
        let begun = if reader.stream.is_none() { self.begin(&mut reader, stop)? } else { Ok(()) };
        if begun.is_ok()
            && let Met::Closed(closed) = reader.pump(self.outlet, u64::MAX, stop)
        {
            return Err(closed);
        }
        let mut ended = None;
        if file.emptied {
            let origin = reader.path.to_string_lossy();
            ended = self.identify(&reader.content, &origin).ok().and_then(|identified| identified.stream());
            ended = reader.stream.as_ref().map_or(ended, |live| Some(live.flow.id()));
        }
        if file.whole
            && let Some(live) = &mut reader.stream
        {
            live.flow.finish(self.outlet)?;
        }
        self.readers.push(reader);
        Ok(ended)
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

    /// A file was cut off or written anew under our hands.
    pub(super) fn changed(&mut self, reader: &mut Reader, problem: &'static str, stop: &Stop) -> Result<(), Closed> {
        let Some(mut live) = reader.stream.take() else { return Ok(()) };
        live.flow.note(self.outlet);
        self.outlet.flush()?;
        // copytruncate made a copy first: it may hold what was not read here, and goes on with the stream.
        live.flow.release();
        let covered = self.covered(live.flow.id());
        let id = live.flow.id();
        self.half = Some(Half { flow: live.flow, covered, problem });
        reader.looked = None;
        let path = reader.path.clone();
        let identified = self.identify(&reader.content, &path.to_string_lossy());
        // What cannot be read now is seen again when its turn comes.
        if let (Ok(identified), Ok(print)) = (identified, reader.content.look()) {
            let here = Here::new(&print, &identified);
            drop(identified);
            if reader.stands() && Behind::is_emptied(&path, &here, self.outlet) {
                self.before(&path, Some(&here), stop)?;
            }
            // Only the half of a record changed, or the file is none that stands at a path.
            if self.half.is_some() {
                self.emptied(id, &path, &here)?;
            }
        }
        self.half = None;
        self.outlet.flush()
    }

    fn covered(&self, id: StreamId) -> Option<u64> {
        self.outlet.registry.positions(|positions| positions.stream(id).map(|at| at.next))
    }

    /// A stream ended because its file was emptied.
    fn emptied(&mut self, stream: StreamId, path: &Path, here: &Here) -> Result<(), Closed> {
        self.outlet.flush()?;
        let half = self.half.take_if(|half| half.flow.id() == stream);
        let problem = half.as_ref().map(|half| half.problem);
        if let Some(mut half) = half
            && half.covered == self.covered(stream)
            && here.is_other(stream)
            && half.flow.claim_again(&self.outlet.registry)
        {
            // There was no copy that went on with it: the half record that is held here is all there is of it.
            half.flow.finish(self.outlet)?;
        }
        self.behind.emptied(stream, path, here, problem, self.outlet)
    }
}
