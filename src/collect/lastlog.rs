//! `/var/log/lastlog`, looked at whenever it changes.
//!
//! A record is overwritten at each login, so there is no stream to follow: each look reads all records, and
//! the set of seen ids leaves out those that are as they were. The file is mostly a hole (user number
//! 4,294,967,294 makes it 1.2 TB long): only what is stored is read.
//!
//! Two logins of one user between two looks are one record. What was there and is cleared is a `source.gap`.

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use serde_json::json;

use super::Mode;
use super::content::{Content, Print, Unreadable};
use super::files::{Failing, Found, Scan};
use super::notice::Notice;
use super::outlet::{Closed, Outlet, Pushed};
use super::positions::cursor_event;
use super::setting::Setting;
use super::state::{Memory, Record, SETTLED, Standing, joined, look_at, ranges};
use super::stop::Stop;
use crate::sources::lastlog::{STRIDE, Votes};
use crate::sources::{Decoder as _, Identity, lastlog};

/// Reads the files; when following, again whenever they change.
pub(super) fn read(
    setting: &Setting,
    paths: &[String],
    mode: Mode,
    stop: Stop,
    outlet: &mut Outlet,
) -> Result<(), Closed> {
    let failing = Failing::recall(outlet);
    let mut looking = Looking { setting, mode, outlet, failing, files: HashMap::new() };
    look_at(paths, mode, stop, |scan, stop| looking.round(scan, stop))
}

struct Looking<'a> {
    setting: &'a Setting,
    mode: Mode,
    outlet: &'a mut Outlet,
    failing: Failing,
    files: HashMap<PathBuf, File>,
}

/// One file, between looks.
#[derive(Default)]
struct File {
    memory: Memory,
    is_known: bool,
    print: Option<Print>,
}

impl Looking<'_> {
    fn round(&mut self, scan: Scan, stop: &Stop) -> Result<(), Closed> {
        let Scan { found, mut failures } = scan;
        for Found { path, print } in found {
            let file = self.files.entry(path.clone()).or_default();
            if stop.is_set() || file.print == Some(print) {
                continue;
            }
            match self.file(&path)? {
                Ok(()) => {
                    let is_settled = self.setting.rested(&print) >= SETTLED;
                    self.files.entry(path).or_default().print = is_settled.then_some(print);
                }
                Err(problem) => failures.push((path.to_string_lossy().into_owned(), problem.to_string())),
            }
        }
        self.failing.report(failures, self.outlet)?;
        self.outlet.flush()?;
        self.outlet.progress.drained(self.setting.name());
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<Result<(), Unreadable>, Closed> {
        let limit = self.setting.source.decompressed_bytes_max;
        let content = match Content::open(path, self.setting.members(), limit) {
            Ok(content) => content,
            Err(problem) => return Ok(Err(problem)),
        };
        let mut votes = Votes::default();
        let counted = parts(&content, |_, part| {
            votes.count(part);
            Ok::<_, Closed>(())
        })?;
        if let Err(error) = counted {
            return Ok(Err(error.into()));
        }
        let mut file = self.files.remove(path).unwrap_or_default();
        let read = self.records(path, &content, &votes, &mut file);
        self.files.insert(path.to_owned(), file);
        read
    }

    fn records(
        &mut self,
        path: &Path,
        content: &Content,
        votes: &Votes,
        file: &mut File,
    ) -> Result<Result<(), Unreadable>, Closed> {
        let origin = path.to_string_lossy().into_owned();
        let stream = |start| self.setting.stream(Identity::Content, &origin, start);
        let (mut now, mut sent, mut known, mut bytes) = (Standing::default(), 0, 0, 0);
        file.memory.begin();
        let mut events = Vec::new();
        let read = parts(content, |pos, part| {
            let mut decoder = match votes.layout() {
                Some(layout) => lastlog::Lastlog::of_layout(stream(pos), layout),
                None => lastlog::Lastlog::new(stream(pos)),
            };
            bytes += part.len() as u64;
            decoder.push(part, self.setting.clock.now(), &mut events);
            decoder.finish(self.setting.clock.now(), &mut events);
            for mut event in events.drain(..) {
                let uid = event.who.id.as_ref().and_then(|uid| uid.parse::<i64>().ok());
                let state = u64::from_be_bytes(event.id.as_bytes().first_chunk().copied().unwrap_or_default());
                if let Some(uid) = uid {
                    now.add(uid.cast_unsigned());
                    if file.memory.same(uid, state).is_some() {
                        continue;
                    }
                    file.memory.set(uid, Record::new(state, state, false));
                }
                // A place in a state is none in a stream.
                (event.source.pos, event.source.next) = (None, None);
                match self.outlet.push(event, true)? {
                    Pushed::Sent => sent += 1,
                    Pushed::Known => known += 1,
                }
            }
            Ok::<_, Closed>(())
        })?;
        self.outlet.note_read(&origin, bytes, sent, known, None);
        if let Err(error) = read {
            return Ok(Err(error.into()));
        }
        let gone = if file.is_known { file.memory.gone() } else { Vec::new() };
        file.is_known = true;
        if self.mode != Mode::Ingest {
            self.judge(&origin, &now, &gone)?;
        }
        Ok(Ok(()))
    }

    /// Says which records were cleared, and remembers how many there are.
    fn judge(&mut self, origin: &str, now: &Standing, gone: &[i64]) -> Result<(), Closed> {
        let source = self.outlet.source().to_owned();
        let prior = self.outlet.registry.positions(|p| p.cursor(&source, origin).map(str::to_owned));
        let prior = prior.as_deref().and_then(Standing::read);
        let missing =
            prior.as_ref().map_or(0, |prior| prior.records.saturating_sub(now.records)).max(gone.len() as u64);
        if missing > 0 {
            let which = ranges(&joined(gone));
            let users = if which.is_empty() { String::new() } else { format!(": user numbers {which}") };
            let problem = format!("has lost {missing} records that had been read{users}; the trail has them");
            let notice = Notice::gap(&source, origin, &problem).certain(true).fact("count", json!(missing));
            self.outlet.say(notice)?;
        }
        if prior.as_ref() != Some(now) {
            self.outlet.push(cursor_event(&source, origin, &now.text(), self.outlet.clock.now()), false)?;
        }
        Ok(())
    }
}

/// Read at once; a multiple of [`STRIDE`], so that no record is cut.
const PART: u64 = STRIDE * 48;

/// Hands out what is stored of a file, in parts that begin at a multiple of [`STRIDE`].
fn parts<E>(content: &Content, mut each: impl FnMut(u64, &[u8]) -> Result<(), E>) -> Result<io::Result<()>, E> {
    let mut buffer = vec![0; usize::try_from(PART).unwrap_or_default()];
    if content.packed {
        let mut from = match content.read_from(0) {
            Ok(from) => from,
            Err(error) => return Ok(Err(error)),
        };
        let mut pos = 0;
        loop {
            let mut part = Vec::with_capacity(buffer.len());
            match (&mut from).take(PART).read_to_end(&mut part) {
                Ok(0) => return Ok(Ok(())),
                Ok(_) => each(pos, &part)?,
                Err(error) => return Ok(Err(error)),
            }
            pos += PART;
        }
    }
    let mut pos = 0;
    loop {
        pos = match seek(&content.file, SeekFrom::Data(pos)) {
            Ok(data) => data.max(pos) / STRIDE * STRIDE,
            // Nothing but a hole follows.
            Err(Errno::NXIO) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error.into())),
        };
        let mut have = 0;
        while have < buffer.len() {
            match content.file.read_at(buffer.get_mut(have..).unwrap_or_default(), pos + have as u64) {
                Ok(0) => break,
                Ok(n) => have += n,
                Err(error) => return Ok(Err(error)),
            }
        }
        let part = buffer.get(..have).unwrap_or_default();
        if part.iter().any(|byte| *byte != 0) {
            each(pos, part)?;
        }
        if have < buffer.len() {
            return Ok(Ok(()));
        }
        pos += PART;
    }
}
