//! Files read in one pass, each to its end: `run --once`, `ingest`, and whatever is packed.

use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use super::Mode;
use super::behind::{Before, Behind, Here};
use super::content::{Content, READ_BYTES, Unreadable};
use super::files::{self, Failing, Found};
use super::flow::Flow;
use super::identify::{Growth, Identified, Reading, identify};
use super::notice::Notice;
use super::outlet::{Closed, Outlet};
use super::positions::StreamId;
use super::reader::SETTLING;
use super::setting::Setting;
use super::siblings::{is_rotated_name, unpacked};
use super::stop::Stop;

/// Another source may be reading the same stream: this one goes on when that one is done.
const BUSY_LOOK: Duration = Duration::from_millis(200);

/// One pass over the files of a source.
pub(super) struct Pass<'a> {
    pub(super) setting: &'a Setting,
    pub(super) stop: &'a Stop,
    pub(super) outlet: &'a mut Outlet,
}

/// What came of one file: a problem belongs to it, a closed channel ends everything.
type Outcome = Result<Result<(), Unreadable>, Closed>;

/// Reads every file that the paths name now.
pub(super) fn read(
    setting: &Setting,
    paths: &[String],
    mode: Mode,
    stop: &Stop,
    outlet: &mut Outlet,
) -> Result<(), Closed> {
    let mut scan = files::scan(paths);
    scan.found.iter().for_each(|file| outlet.progress.expect_bytes(file.print.size));
    let mut behind = Behind::new();
    let mut failing = Failing::recall(outlet);
    let mut pass = Pass { setting, stop, outlet };
    if mode == Mode::Once {
        // Before any other file is read: what nobody knows shows where a stream broke off.
        for file in scan.found.iter().filter(|file| !is_rotated_name(&file.path)) {
            pass.precede(&file.path, &mut behind)?;
        }
    }
    for file in scan.found {
        if stop.is_set() {
            return Ok(());
        }
        if let Err(problem) = pass.file(&file, mode, &mut behind)? {
            scan.failures.push((file.path.to_string_lossy().into_owned(), problem.to_string()));
        }
    }
    if mode == Mode::Once {
        for path in paths.iter().map(Path::new).filter(|path| !path.exists()) {
            pass.behind(path, None, &mut behind)?;
        }
    }
    failing.report(scan.failures, outlet)?;
    outlet.flush()?;
    outlet.progress.drained(setting.name());
    Ok(())
}

/// Whether a file may become longer: one that rotation left there does not, but a packed one beside which the
/// unpacked one still lies is being written.
pub(super) fn growth(path: &Path, packed: bool) -> Growth {
    let whole = match unpacked(path) {
        Some(plain) => !plain.exists(),
        None => packed || is_rotated_name(path),
    };
    if whole { Growth::IsWhole } else { Growth::MayGrow }
}

impl Pass<'_> {
    fn file(&mut self, found: &Found, mode: Mode, behind: &mut Behind) -> Outcome {
        let path = &found.path;
        let limit = self.setting.source.decompressed_bytes_max;
        let content = match Content::open(path, self.setting.members(), limit) {
            Ok(content) => content,
            Err(Unreadable::Compressed(name)) if mode == Mode::Once => return self.compressed(path, name).map(Ok),
            Err(problem) => return Ok(Err(problem)),
        };
        if mode == Mode::Once && !content.packed && !is_rotated_name(path) {
            // While other files were read, it may have been emptied.
            let here = self.identify(&content, &path.to_string_lossy(), Growth::MayGrow);
            let here = here.map(|identified| Here::new(&content.print, &identified));
            if here.is_ok_and(|here| Behind::is_emptied(path, &here, self.outlet)) {
                self.precede(path, behind)?;
            }
        }
        let growth = match mode {
            Mode::Ingest => Growth::IsWhole,
            _ => self.settle(path, &content),
        };
        let identified = match self.identify(&content, &path.to_string_lossy(), growth) {
            Ok(identified) => identified,
            Err(error) => return Ok(Err(error.into())),
        };
        if mode == Mode::Once
            && !is_rotated_name(path)
            && !content.packed
            && let Identified::Read(reading) = &identified
        {
            self.outlet.stand(&path.to_string_lossy(), &content.print.mark(), reading.claim.id)?;
        }
        let read = self.identified(path, &content, identified, growth, behind)?;
        self.outlet.progress.read_bytes(content.print.size);
        Ok(read.map_err(Unreadable::from))
    }

    /// Reads a file, whatever stream it is.
    fn content(
        &mut self,
        path: &Path,
        content: &Content,
        growth: Growth,
        behind: &mut Behind,
    ) -> Result<io::Result<()>, Closed> {
        match self.identify(content, &path.to_string_lossy(), growth) {
            Ok(identified) => self.identified(path, content, identified, growth, behind),
            Err(error) => Ok(Err(error)),
        }
    }

    fn identify(&self, content: &Content, origin: &str, growth: Growth) -> io::Result<Identified> {
        loop {
            match identify(content, origin, growth, self.setting, &self.outlet.registry)? {
                Identified::Busy(_) if !self.stop.is_set() => self.outlet.registry.wait_for_release(BUSY_LOOK),
                identified => return Ok(identified),
            }
        }
    }

    /// Reads what was rotated away from a log before the log itself.
    fn precede(&mut self, path: &Path, behind: &mut Behind) -> Result<(), Closed> {
        // What cannot be read is said when its turn comes.
        let limit = self.setting.source.decompressed_bytes_max;
        let Ok(content) = Content::open(path, self.setting.members(), limit) else { return Ok(()) };
        if content.packed {
            return Ok(());
        }
        let mut before: Option<Here> = None;
        // It may be emptied again while what came before it is read.
        while let Ok(identified) = self.identify(&content, &path.to_string_lossy(), Growth::MayGrow) {
            let here = Here::new(&content.print, &identified);
            drop(identified);
            if self.stop.is_set() || before.as_ref().is_some_and(|before| before.is_same(&here)) {
                break;
            }
            self.behind(path, Some(&here), behind)?;
            before = Some(here);
        }
        Ok(())
    }

    /// Reads what was rotated away from `path` and comes before what is there now.
    fn behind(&mut self, path: &Path, here: Option<&Here>, behind: &mut Behind) -> Result<(), Closed> {
        let found = behind.find(self.setting, path, here, None, self.outlet)?;
        if let (Some(here), Some(stream)) = (here, found.without_copy) {
            behind.emptied(stream, path, here, None, self.outlet)?;
        }
        for Before { path: beside, content, whole, emptied } in found.files {
            self.outlet.progress.expect_bytes(content.print.size);
            let growth = if whole { Growth::IsWhole } else { self.settle(&beside, &content) };
            let read = self.content(&beside, &content, growth, behind)?;
            self.outlet.progress.read_bytes(content.print.size);
            if let Err(error) = read {
                let problem = Unreadable::from(error).to_string();
                self.outlet.failed(&beside.to_string_lossy(), &problem)?;
            }
            if let Some(here) = here.filter(|_| emptied)
                && let Some(stream) = self.stream_of(&content, &beside)
            {
                behind.emptied(stream, path, here, None, self.outlet)?;
            }
        }
        Ok(())
    }

    /// Waits until the last record of a file that was rotated away is whole, which may take its writer an instant.
    fn settle(&self, path: &Path, content: &Content) -> Growth {
        let growth = growth(path, content.packed);
        if growth == Growth::IsWhole && !content.packed {
            let mut last = [b'\n'];
            let end = content.look().map_or(0, |print| print.size);
            let read = content.file.read_at(&mut last, end.saturating_sub(1));
            let rested = content.look().map_or(SETTLING, |print| self.setting.rested(&print));
            if read.is_ok() && last != [b'\n'] && rested < SETTLING {
                self.stop.wait(None, Some(SETTLING - rested));
            }
        }
        growth
    }

    /// Which stream a file is that was read.
    fn stream_of(&self, content: &Content, path: &Path) -> Option<StreamId> {
        let identified = self.identify(content, &path.to_string_lossy(), Growth::IsWhole);
        identified.ok().and_then(|identified| identified.stream())
    }

    /// Reads a file of which it is known which stream it is.
    pub(super) fn identified(
        &mut self,
        path: &Path,
        content: &Content,
        identified: Identified,
        growth: Growth,
        behind: &mut Behind,
    ) -> Result<io::Result<()>, Closed> {
        let (size, origin) = (content.print.size, path.to_string_lossy());
        match identified {
            Identified::Busy(_) => {}
            Identified::TooShort if content.packed => {
                let note = self.damage_of(path, content)?;
                self.outlet.note_read(&origin, 0, 0, 0, Some(note.as_deref().unwrap_or("is empty")));
            }
            Identified::TooShort => {
                let note = if size == 0 { "is empty" } else { "its first line is not complete yet" };
                self.outlet.note_read(&origin, 0, 0, 0, Some(note));
            }
            Identified::Copy(id) => {
                behind.meet(id);
                let note = if content.packed { self.damage_of(path, content)? } else { None };
                let note = note.as_deref().unwrap_or("a copy of what was read already");
                self.outlet.note_read(&origin, size, 0, 0, Some(note));
            }
            Identified::Read(reading) => {
                behind.meet(reading.claim.id);
                return self.whole(path, content, reading, growth);
            }
        }
        Ok(Ok(()))
    }

    /// Reads a stream to the end of the content.
    fn whole(
        &mut self,
        path: &Path,
        content: &Content,
        reading: Reading,
        growth: Growth,
    ) -> Result<io::Result<()>, Closed> {
        let (start, origin) = (reading.start, path.to_string_lossy());
        let mut flow = Flow::new(reading, &origin, self.setting, &content.print);
        let mut note = None;
        let read = self.pump(content, start, &mut flow, growth, &mut note)?;
        let count = flow.take_count();
        let held = flow.held(start + count.bytes);
        if growth == Growth::MayGrow && held > 0 {
            note = Some(format!("the last {held} bytes wait for the end of their record"));
        }
        self.outlet.flush()?;
        self.outlet.note_read(&origin, count.bytes, count.events, count.known, note.as_deref());
        Ok(read)
    }

    fn pump(
        &mut self,
        content: &Content,
        start: u64,
        flow: &mut Flow,
        growth: Growth,
        note: &mut Option<String>,
    ) -> Result<io::Result<()>, Closed> {
        let mut from = match content.read_from(start) {
            Ok(from) => from,
            Err(error) => return Ok(Err(error)),
        };
        let mut buffer = vec![0; READ_BYTES];
        while !self.stop.is_set() {
            match from.read(&mut buffer) {
                Ok(0) => {
                    if growth == Growth::IsWhole {
                        flow.finish(self.outlet)?;
                    }
                    if let Some(damage) = from.damage()
                        && growth == Growth::IsWhole
                    {
                        *note = Some(damage.to_string());
                        flow.damaged(damage, self.outlet)?;
                    }
                    return Ok(Ok(()));
                }
                Ok(n) => flow.push(&buffer[..n], self.outlet)?,
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(()))
    }

    /// Says what is wrong with packed content of which nothing else will be read.
    fn damage_of(&mut self, path: &Path, content: &Content) -> Result<Option<String>, Closed> {
        let origin = path.to_string_lossy();
        let found = content.read_from(0).and_then(|mut from| {
            io::copy(&mut from, &mut io::sink())?;
            Ok(from.damage().map(ToString::to_string))
        });
        let Ok(Some(problem)) = found else { return Ok(None) };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let notice = Notice::damaged(self.outlet.source(), &origin, &problem);
        self.outlet.say_once(notice, &[name.as_bytes(), problem.as_bytes()])?;
        Ok(Some(problem))
    }

    /// A rotated file that another program packed: it says so once, and is no failure of the source.
    pub(super) fn compressed(&mut self, path: &Path, name: &'static str) -> Result<(), Closed> {
        let (origin, problem) = (path.to_string_lossy(), Unreadable::Compressed(name).to_string());
        let notice = Notice::damaged(self.outlet.source(), &origin, &problem);
        self.outlet.say_once(notice, &[origin.as_bytes(), problem.as_bytes()])?;
        self.outlet.note_read(&origin, 0, 0, 0, Some(&problem));
        Ok(())
    }
}
