//! Files read in one pass, each to its end: `run --once`, `ingest`, and whatever is packed.

use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use super::Mode;
use super::behind::{Behind, Here};
use super::content::{Content, READ_BYTES, Unreadable};
use super::files::{self, Failing, Found};
use super::flow::Flow;
use super::identify::{Growth, Identified, Reading, identify};
use super::notice::Notice;
use super::outlet::{Closed, Outlet};
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
    let mut behind = Behind::new(scan.found.iter().map(|file| file.print.id));
    let mut failing = Failing::recall(outlet);
    let mut pass = Pass { setting, stop, outlet };
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

/// Whether a file may become longer: one that rotation left there does not, but a packed one beside which
/// the unpacked one still lies is being written.
pub(super) fn growth(path: &Path, packed: bool) -> Growth {
    let whole = if packed { unpacked(path).is_none_or(|plain| !plain.exists()) } else { is_rotated_name(path) };
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
        // If another file has the name by now, the one that was found is beside it.
        if content.print.id != found.print.id {
            behind.listed.remove(&found.print.id);
        }
        let growth = match mode {
            Mode::Ingest => Growth::IsWhole,
            _ => growth(path, content.packed),
        };
        if !content.packed && !is_rotated_name(path) && mode == Mode::Once {
            let here = match self.identify(&content, &path.to_string_lossy(), growth) {
                Ok(identified) => Here { id: content.print.id, known: identified.is_known() },
                Err(error) => return Ok(Err(error.into())),
            };
            self.behind(path, Some(here), behind)?;
        }
        let read = self.content(path, &content, growth, behind)?;
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
                Identified::Busy if !self.stop.is_set() => self.outlet.registry.wait_for_release(BUSY_LOOK),
                identified => return Ok(identified),
            }
        }
    }

    /// Reads what was rotated away from `path` and comes before what is there now.
    fn behind(&mut self, path: &Path, here: Option<Here>, behind: &mut Behind) -> Result<(), Closed> {
        for before in behind.find(self.setting, path, here, None, self.outlet)? {
            self.outlet.progress.expect_bytes(before.content.print.size);
            let read = self.content(&before.path, &before.content, Growth::IsWhole, behind)?;
            self.outlet.progress.read_bytes(before.content.print.size);
            if let Err(error) = read {
                let problem = Unreadable::from(error).to_string();
                self.outlet.failed(&before.path.to_string_lossy(), &problem)?;
            }
        }
        Ok(())
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
            Identified::Busy => {}
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
