//! Databases of logins (wtmpdb, lastlog2), looked at whenever they change.
//!
//! Each look reads the whole table in one transaction; rows that are as they were at the look before are
//! passed over, and of the others the set of seen ids leaves out what the trail holds. So nothing has to be
//! remembered for an event to be there once: neither a restart nor a kill, a copy of the database or its
//! rotation loses or doubles any. What is remembered ([`Standing`], in the trail) tells whether rows that
//! had been read are gone or were changed.
//!
//! `wtmpdb rotate` moves old rows to `wtmp_YYYYMMDD.db` beside the database, where they get other numbers. Those
//! databases are read too, and rows that went there are not missed.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use super::Mode;
use super::content::Print;
use super::files::{Failing, Found, Scan};
use super::notice::Notice;
use super::outlet::{Closed, Outlet, Pushed};
use super::positions::cursor_event;
use super::setting::Setting;
use super::sqlite::{self, DatabaseError, Line, Table, hash};
use super::state::{Memory, Record, SETTLED, Standing, joined, look_at, ranges};
use super::stop::{Stop, Woken};
use super::watch::POLL;
use crate::event::{Event, Family, escape};
use crate::sources::{Decoder, Identity};

/// Reads the databases; when following, again whenever they change.
pub(super) fn read(
    setting: &Setting,
    paths: &[String],
    mode: Mode,
    stop: Stop,
    outlet: &mut Outlet,
) -> Result<(), Closed> {
    let family = setting.source.family;
    let paths: Vec<String> = paths.iter().flat_map(|path| with_moved(path, family, mode)).collect();
    let failing = Failing::recall(outlet);
    let mut databases = Databases { setting, table: Table::of(family), mode, outlet, failing, files: HashMap::new() };
    match look_at(&paths, mode, stop, |scan, stop| databases.round(scan, stop)) {
        Ok(()) => Ok(()),
        Err(Halt::Closed(closed)) => Err(closed),
        Err(Halt::Told) => databases.outlet.flush(),
    }
}

/// A path and where `wtmpdb rotate` moves its rows: what stands before the last dot, and a date.
fn with_moved(path: &str, family: Family, mode: Mode) -> Vec<String> {
    let moved = path.strip_suffix(".db").filter(|_| family == Family::Wtmpdb && mode != Mode::Ingest);
    let is_moved = is_moved(Path::new(path));
    let beside = moved.filter(|_| !is_moved).map(|stem| format!("{}_[0-9]*.db", glob_escaped(stem)));
    std::iter::once(path.to_owned()).chain(beside).collect()
}

/// A path that is itself a pattern stays one.
fn glob_escaped(stem: &str) -> String {
    if stem.contains(['*', '?', '[']) { stem.to_owned() } else { glob::Pattern::escape(stem) }
}

/// Whether rows were moved here, by its name: `wtmp_20261120.db`.
fn is_moved(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.rsplit_once('_').is_some_and(|(_, date)| date.len() >= 8 && date.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The database whose rows were moved here has the same folder and the name without the date.
fn is_moved_from(moved: &Path, database: &Path) -> bool {
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let before = stem(moved).rsplit_once('_').map(|(before, _)| before.to_owned());
    is_moved(moved) && moved.parent() == database.parent() && before == Some(stem(database))
}

/// Why a look stopped before its end.
enum Halt {
    Closed(Closed),
    Told,
}

impl From<Closed> for Halt {
    fn from(closed: Closed) -> Self {
        Self::Closed(closed)
    }
}

/// A look at a table of a million rows takes a second: it may take one part in so many of the time.
const SHARE: u32 = 20;

/// Looks that may find it locked before that is a failure: its writers hold it for milliseconds.
const BUSY_MAX: u32 = 10;

struct Databases<'a> {
    setting: &'a Setting,
    table: Table,
    mode: Mode,
    outlet: &'a mut Outlet,
    failing: Failing,
    files: HashMap<PathBuf, File>,
}

/// One database, between looks.
#[derive(Default)]
struct File {
    memory: Memory,
    /// Whether `memory` is of this run's last look, which was whole.
    is_known: bool,
    /// All its rows at the last look.
    whole: Standing,
    /// The sum of those that nobody had read before they came here, since the database that they came from was judged.
    new: u64,
    print: Option<Signature>,
    /// Not to be looked at before.
    rest: Option<(Instant, Duration)>,
    busy: u32,
}

/// Changes when the content does: the file and its write-ahead log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Signature {
    file: Print,
    log: Option<Print>,
}

impl Signature {
    fn of(path: &Path, file: Print) -> Self {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log = std::fs::metadata(log).ok().map(|metadata| Print::of(&metadata));
        Self { file, log: log.filter(|log| log.size > 0) }
    }
}

/// What a look found besides events.
#[derive(Default)]
struct Looked {
    /// Of the rows that had been read before.
    old: Standing,
    whole: Standing,
    /// The sum of the rows that nobody had read.
    new: u64,
    gone: Vec<i64>,
    /// Rows of which something is different that does not change by itself.
    changed: Vec<i64>,
    /// Numbers that no row has, between rows that are new.
    holes: Vec<(i64, i64)>,
    sent: u64,
    known: u64,
}

impl Databases<'_> {
    /// Looks at every database that may have changed.
    fn round(&mut self, scan: Scan, stop: &Stop) -> Result<(), Halt> {
        let Scan { mut found, mut failures } = scan;
        // A row that is moved is there before it is gone here, so this order misses none.
        found.sort_by_key(|file| (is_moved(&file.path), file.path.clone()));
        let mut pending = false;
        let mut looked = Vec::new();
        for Found { path, print } in found {
            if stop.is_set() {
                return Err(Halt::Told);
            }
            let signature = Signature::of(&path, print);
            let file = self.files.entry(path.clone()).or_default();
            if file.print == Some(signature) {
                continue;
            }
            if file.rest.is_some_and(|(since, rest)| since.elapsed() < rest) {
                pending = true;
                continue;
            }
            let began = Instant::now();
            match self.database(&path, stop)? {
                Ok(found) => {
                    let is_settled = [Some(signature.file), signature.log]
                        .iter()
                        .flatten()
                        .all(|print| self.setting.rested(print) >= SETTLED);
                    let file = self.files.entry(path.clone()).or_default();
                    file.print = is_settled.then_some(signature);
                    file.rest = Some((began, began.elapsed() * SHARE));
                    file.busy = 0;
                    looked.push((path, found));
                }
                Err(error) if error.is_passing() && self.is_patient(&path) => pending = true,
                Err(error) => failures.push((path.to_string_lossy().into_owned(), error.to_string())),
            }
        }
        if self.mode != Mode::Ingest {
            looked.into_iter().try_for_each(|(path, found)| self.judge(&path, found))?;
        }
        self.failing.report(failures, self.outlet)?;
        self.outlet.flush()?;
        if !pending {
            self.outlet.progress.drained(self.setting.name());
        }
        Ok(())
    }

    /// Whether a lock may still pass.
    fn is_patient(&mut self, path: &Path) -> bool {
        let file = self.files.entry(path.to_owned()).or_default();
        file.busy += 1;
        self.mode == Mode::Follow && file.busy < BUSY_MAX
    }

    /// Looks at one database; outside of `follow`, as often as a lock may pass.
    fn database(&mut self, path: &Path, stop: &Stop) -> Result<Result<Looked, DatabaseError>, Halt> {
        let tries = if self.mode == Mode::Follow { 1 } else { BUSY_MAX };
        let mut outcome = self.look(path, stop)?;
        for _ in 1..tries {
            if !outcome.as_ref().is_err_and(DatabaseError::is_passing) {
                break;
            }
            if stop.wait(None, Some(POLL)) == Woken::Stop {
                return Err(Halt::Told);
            }
            outcome = self.look(path, stop)?;
        }
        if let Err(DatabaseError::Damaged(problem)) = &outcome {
            let origin = path.to_string_lossy();
            let notice = Notice::damaged(self.outlet.source(), &origin, &format!("is damaged: {problem}"));
            self.outlet.say_once(notice, &[origin.as_bytes(), problem.as_bytes()])?;
        }
        Ok(outcome)
    }

    fn look(&mut self, path: &Path, stop: &Stop) -> Result<Result<Looked, DatabaseError>, Halt> {
        let origin = path.to_string_lossy().into_owned();
        let prior = self.prior(&origin);
        let mut file = self.files.remove(path).unwrap_or_default();
        file.memory.begin();
        let mut rows = Rows {
            decoder: self.setting.decoder_now(Identity::Content, &origin),
            setting: self.setting,
            outlet: self.outlet,
            memory: &mut file.memory,
            is_numbered: self.setting.source.family == Family::Wtmpdb,
            prior: prior.as_ref(),
            last: None,
            looked: Looked::default(),
            events: Vec::new(),
        };
        let read = sqlite::read(path, self.table, |line| {
            if stop.is_set() {
                return Err(Halt::Told);
            }
            Ok(rows.row(line)?)
        });
        let mut looked = rows.looked;
        let outcome = read?.map(|()| {
            let gone = file.memory.gone();
            looked.gone.extend(gone.into_iter().filter(|_| file.is_known));
            looked.gone.sort_unstable();
            file.is_known = true;
            file.whole = looked.whole.clone();
            file.new = file.new.wrapping_add(looked.new);
        });
        let bytes = path.metadata().map_or(0, |metadata| metadata.len());
        let note = outcome.as_ref().err().map(ToString::to_string);
        self.outlet.note_read(&origin, bytes, looked.sent, looked.known, note.as_deref());
        self.files.insert(path.to_owned(), file);
        Ok(outcome.map(|()| looked))
    }

    /// What the trail says of the look before.
    fn prior(&self, origin: &str) -> Option<Standing> {
        let source = self.outlet.source();
        let text = self.outlet.registry.positions(|p| p.cursor(source, origin).map(str::to_owned));
        text.as_deref().and_then(Standing::read)
    }

    /// Says what is gone or changed that had been read, and remembers what is there now.
    fn judge(&mut self, path: &Path, looked: Looked) -> Result<(), Closed> {
        let origin = path.to_string_lossy().into_owned();
        let (beside, new) = self.beside(path);
        let prior = self.prior(&origin);
        let mut now = looked.whole.clone();
        now.moved = beside.clone();
        if let Some(prior) = &prior {
            let accounted = |name: &String| {
                let new = new.get(name).copied().unwrap_or(0);
                prior.moved.get(name).copied().unwrap_or(0).wrapping_add(new)
            };
            let arrived =
                beside.iter().fold(0_u64, |sum, (name, at)| sum.wrapping_add(at.wrapping_sub(accounted(name))));
            let missing = prior.sum.wrapping_sub(looked.old.sum);
            let is_less = match self.setting.source.family {
                Family::Wtmpdb => missing != 0,
                _ => !looked.gone.is_empty() || looked.whole.records < prior.records,
            };
            match is_less {
                true if missing != arrived => self.say_missing(&origin, prior, &looked, arrived == 0)?,
                true => {}
                // They may have been copied there and not yet removed here.
                false => now.moved = beside.keys().map(|name| (name.clone(), accounted(name))).collect(),
            }
        }
        self.say_changed(&origin, &looked)?;
        if !looked.holes.is_empty() {
            let numbers = ranges(&looked.holes);
            let problem = format!("has no rows {numbers}: they were removed before they could be read");
            let notice = Notice::gap(self.outlet.source(), &origin, &problem).certain(beside.is_empty());
            self.outlet.say_once(notice.fact("rows", json!(numbers)), &[origin.as_bytes(), numbers.as_bytes()])?;
        }
        if prior.as_ref() != Some(&now) {
            let event = cursor_event(self.setting.name(), &origin, &now.text(), self.outlet.clock.now());
            self.outlet.push(event, false)?;
        }
        Ok(())
    }

    /// Of each database to which rows of this one were moved: the sum of all its rows, and of those that nobody
    /// had read before.
    fn beside(&mut self, path: &Path) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
        let moved = self.files.iter_mut().filter(|(other, _)| is_moved_from(other, path));
        let name = |other: &Path| other.file_name().unwrap_or_default().to_string_lossy().into_owned();
        moved.map(|(other, file)| ((name(other), file.whole.sum), (name(other), std::mem::take(&mut file.new)))).unzip()
    }

    /// Rows that had been read are not there any more, and were not moved.
    fn say_missing(&mut self, origin: &str, prior: &Standing, looked: &Looked, certain: bool) -> Result<(), Closed> {
        let count = prior.records.saturating_sub(looked.old.records).max(looked.gone.len() as u64);
        let which = ranges(&joined(&looked.gone));
        let is_numbered = self.setting.source.family == Family::Wtmpdb;
        let problem = match (count, is_numbered) {
            (0, _) => "is not what had been read: rows were exchanged for others, which are read now".to_owned(),
            (count, true) if !which.is_empty() => {
                format!("has lost {count} rows that had been read: {which}; the trail has them")
            }
            (count, _) => format!("has lost {count} rows that had been read; the trail has them"),
        };
        tracing::warn!(source = %self.outlet.source(), origin = %escape::line(origin), problem = %escape::line(&problem), "Rows are gone.");
        let mut notice =
            Notice::gap(self.outlet.source(), origin, &problem).certain(certain).fact("count", json!(count));
        if is_numbered && !which.is_empty() {
            notice = notice.fact("rows", json!(which));
        }
        self.outlet.say(notice)
    }

    /// Something of a row is different that its program never changes.
    fn say_changed(&mut self, origin: &str, looked: &Looked) -> Result<(), Closed> {
        if looked.changed.is_empty() {
            return Ok(());
        }
        let rows = ranges(&joined(&looked.changed));
        let problem = format!("rows {rows} were changed after they had been read; the trail has both");
        tracing::warn!(source = %self.outlet.source(), origin = %escape::line(origin), %rows, "Rows were changed.");
        self.outlet.say(Notice::damaged(self.outlet.source(), origin, &problem).fact("rows", json!(rows)))
    }
}

/// The rows of one look on their way.
struct Rows<'a> {
    decoder: Box<dyn Decoder>,
    setting: &'a Setting,
    outlet: &'a mut Outlet,
    memory: &'a mut Memory,
    /// Whether a row's key is a number that is given once, in order.
    is_numbered: bool,
    prior: Option<&'a Standing>,
    last: Option<i64>,
    looked: Looked,
    events: Vec<Event>,
}

impl Rows<'_> {
    fn row(&mut self, line: Line) -> Result<(), Closed> {
        let Line { key, json, .. } = line;
        self.hole(key);
        let state = hash(&json);
        if let Some(record) = self.memory.same(key, state) {
            self.count(key, record.identity, true);
            return Ok(());
        }
        self.decoder.push(&json, self.setting.clock.now(), &mut self.events);
        let first = self.events.first().map(|event| event.id);
        let identity = match (self.is_numbered, first) {
            (true, Some(id)) => u64::from_be_bytes(id.as_bytes().first_chunk().copied().unwrap_or_default()),
            _ => key.cast_unsigned(),
        };
        let record = Record::new(state, identity, self.is_numbered && self.events.len() > 1);
        let before = self.memory.set(key, record);
        let was_known = self.hand_on()?;
        let is_old = was_known || before.is_some_and(|before| before.identity == identity);
        self.count(key, identity, is_old);
        if !is_old {
            self.looked.new = self.looked.new.wrapping_add(identity);
        }
        match before.filter(|_| self.is_numbered) {
            Some(before) if before.identity != identity => self.looked.gone.push(key),
            Some(before) if before.is_final => self.looked.changed.push(key),
            _ => {}
        }
        Ok(())
    }

    /// Sends the events of a row; whether the trail held the first of them.
    fn hand_on(&mut self) -> Result<bool, Closed> {
        let mut is_known = None;
        for mut event in self.events.drain(..) {
            // A place in a table is none in a stream.
            (event.source.pos, event.source.next) = (None, None);
            let pushed = self.outlet.push(event, true)?;
            match pushed {
                Pushed::Sent => self.looked.sent += 1,
                Pushed::Known => self.looked.known += 1,
            }
            is_known.get_or_insert(pushed == Pushed::Known);
        }
        Ok(is_known.unwrap_or(false))
    }

    /// `is_old`: it had been read before. Numbers beyond the highest that the trail speaks of were read before a
    /// kill, and their standing was not written any more.
    fn count(&mut self, key: i64, identity: u64, is_old: bool) {
        self.looked.whole.add(identity);
        if self.is_numbered {
            self.looked.whole.high = self.looked.whole.high.max(key);
        }
        if is_old && (!self.is_numbered || self.prior.is_some_and(|prior| key <= prior.high)) {
            self.looked.old.add(identity);
        }
    }

    fn hole(&mut self, number: i64) {
        if !self.is_numbered {
            return;
        }
        let high = self.prior.map_or(i64::MIN, |prior| prior.high);
        let from = self.last.map(|last| last.max(high)).or(self.prior.map(|prior| prior.high));
        if let Some(from) = from.and_then(|from| from.checked_add(1)).filter(|from| *from < number)
            && self.looked.holes.len() < HOLES_MAX
        {
            self.looked.holes.push((from, number - 1));
        }
        self.last = Some(number);
    }
}

/// More are no rows that somebody removed, but numbers that somebody chose.
const HOLES_MAX: usize = 1_000;
