//! The journal, read by `journalctl` as a child.
//!
//! Where reading goes on is the cursor of the last record of which there is an event; it is in the event's `raw`, so
//! both become durable in one write. Of records that are no events, a `source.position` remembers the last now
//! and then. Reading begins *at* that record, not after it: its coming again shows that nothing behind it
//! was deleted, and its id that it is known. Everything is read, unless the configuration names matches, and what is
//! not wanted is left out here: only so do missing numbers show missing records.
//!
//! Invariant: after a kill at any instant the records that have no event yet are read again.

mod child;
mod header;
mod long;
mod sequence;

use std::io;
use std::time::Duration;

use serde_json::json;

use super::Mode;
use super::content::READ_BYTES;
use super::notice::Notice;
use super::outlet::{Closed, Outlet, Pushed};
use super::positions::cursor_event;
use super::setting::Setting;
use super::stop::{Stop, Woken};
use crate::config::source::Journal;
use crate::event::{Event, Stamp};
use crate::sources::Identity;
use crate::sources::journal::{Cursor, Lost, Reader, Select};
use crate::sources::lines::{Line, Lines, Part};
use child::{Ask, Child};
use header::Tail;
use long::Long;
use sequence::{Sequences, Step};

/// How long a child that says nothing is given to fail before it counts as working.
const SETTLED: Duration = Duration::from_secs(2);

/// How long journalctl may take to find the newest record.
const ANSWER_TIME: Duration = Duration::from_secs(10);

/// Between children that fail.
const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// Records that are no events, after which their place is remembered: a second of reading again.
const PASSED_MAX: u64 = 20_000;
/// And how long it may take: what is deleted meanwhile must not look as if it had not been read.
const PASSED_SECONDS_MAX: i64 = 3_600;

/// How one child's life ended.
enum Ended {
    /// It is time to stop.
    Told,
    /// It said all that there is.
    Whole,
    /// The place has to be read again.
    Again,
    Failed(String),
}

/// Reads a journal once, or follows it.
pub(super) fn read(
    setting: &Setting,
    journal: &Journal,
    mode: Mode,
    stop: &Stop,
    outlet: &mut Outlet,
) -> Result<(), Closed> {
    let mut reading = Reading::new(setting, journal, mode, outlet);
    // What is written from here on may be read or not.
    let tails = if mode == Mode::Follow { Vec::new() } else { header::tails(journal) };
    let mut failures = 0;
    loop {
        match reading.live(stop, outlet)? {
            Ended::Told => break,
            Ended::Again => continue,
            Ended::Whole => {
                reading.look_behind(tails, outlet)?;
                break;
            }
            Ended::Failed(problem) => {
                failures = if reading.has_read { 0 } else { failures + 1 };
                reading.remember(outlet)?;
                outlet.failed(&reading.origin, &problem)?;
                let pause = BACKOFF.saturating_mul(1 << failures.min(10)).min(BACKOFF_MAX);
                if mode != Mode::Follow || stop.wait(None, Some(pause)) == Woken::Stop {
                    break;
                }
            }
        }
    }
    reading.remember(outlet)?;
    outlet.flush()?;
    outlet.note_read(&reading.origin, reading.bytes, reading.sent, reading.known, None);
    outlet.progress.drained(setting.name());
    Ok(())
}

struct Reading<'a> {
    journal: &'a Journal,
    mode: Mode,
    origin: String,
    reader: Reader,
    select: Select,
    sequences: Sequences,
    /// Of the last record that was read.
    cursor: Option<String>,
    /// The record that has to come first.
    expected: Option<Cursor>,
    /// Records since the last one whose place is in an event, and when the first of them was read.
    passed: u64,
    passed_since: Option<Stamp>,
    events: Vec<Event>,
    long: Option<Long>,
    has_read: bool,
    is_from_start: bool,
    bytes: u64,
    sent: u64,
    known: u64,
}

/// Whether to go on reading.
enum Go {
    On,
    Again,
}

impl<'a> Reading<'a> {
    fn new(setting: &Setting, journal: &'a Journal, mode: Mode, outlet: &Outlet) -> Self {
        let origin = child::origin(journal);
        let cursor = match mode {
            // A file that is named by hand is read from its beginning: what is known is known by its id.
            Mode::Ingest => None,
            _ => outlet.registry.positions(|p| p.cursor(outlet.source(), &origin).map(str::to_owned)),
        };
        Self {
            journal,
            mode,
            reader: Reader::new(setting.stream(Identity::Content, &origin, 0)),
            origin,
            select: if journal.matches.is_empty() { Select::Auth } else { Select::All },
            sequences: Sequences::default(),
            is_from_start: cursor.is_none(),
            cursor,
            expected: None,
            passed: 0,
            passed_since: None,
            events: Vec::new(),
            long: None,
            has_read: false,
            bytes: 0,
            sent: 0,
            known: 0,
        }
    }

    /// One child, from its start to its end.
    fn live(&mut self, stop: &Stop, outlet: &mut Outlet) -> Result<Ended, Closed> {
        self.has_read = false;
        self.long = None;
        self.expected = self.cursor.as_deref().and_then(Cursor::parse);
        if let Some(cursor) = &self.expected {
            self.sequences.resume(cursor);
        }
        let from = self.cursor.clone().filter(|_| self.expected.is_some());
        let mut child = match Child::start(self.journal, Ask::From(from.as_deref()), self.mode) {
            Ok(child) => child,
            Err(error) => return Ok(Ended::Failed(child::not_started(&error))),
        };
        match self.pump(&mut child, stop, outlet)? {
            Pumped::Told => Ok(Ended::Told),
            Pumped::Again => Ok(Ended::Again),
            Pumped::End => self.end(child, outlet),
            Pumped::Error(error) => Ok(Ended::Failed(format!("cannot be read: {error}"))),
        }
    }

    fn pump(&mut self, child: &mut Child, stop: &Stop, outlet: &mut Outlet) -> Result<Pumped, Closed> {
        let mut lines = Lines::new(0);
        let mut buffer = vec![0; READ_BYTES];
        let (mut is_quiet, mut is_working) = (false, false);
        let mut words = Vec::new();
        loop {
            // What came is handed on before it is waited for more.
            let wait = if is_quiet { None } else { Some(Duration::ZERO) };
            match stop.wait(Some(child.fd()), wait) {
                Woken::Stop => return Ok(Pumped::Told),
                Woken::Ready => is_quiet = false,
                Woken::Time => {
                    outlet.flush()?;
                    words.extend(child.words());
                    is_quiet = stop.wait(Some(child.fd()), Some(SETTLED)) == Woken::Time;
                    if is_quiet {
                        words.extend(child.words());
                        if !self.has_read && !self.answers(stop) {
                            return Ok(Pumped::Error(io::Error::other("it says nothing, and does not end")));
                        }
                        self.settled(&words, outlet)?;
                    }
                    continue;
                }
            }
            let read = match child.read(&mut buffer) {
                Ok(0) => return Ok(Pumped::End),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Ok(Pumped::Error(error)),
            };
            self.bytes += read as u64;
            outlet.progress.read_bytes(read as u64);
            let mut went = Ok(Go::On);
            lines.push(buffer.get(..read).unwrap_or_default(), |line| {
                if matches!(went, Ok(Go::On)) {
                    went = self.line(line, outlet);
                }
            });
            if matches!(went?, Go::Again) {
                return Ok(Pumped::Again);
            }
            if self.mode == Mode::Follow && self.has_read && !is_working {
                is_working = true;
                words.extend(child.words());
                if no_access(&words).is_none() {
                    outlet.works(&self.origin)?;
                }
            }
        }
    }

    /// Whether a silent child is one that has nothing to say: asked for one record, another one ends.
    fn answers(&self, stop: &Stop) -> bool {
        // What cannot be started is told when the child ends.
        let Ok(mut child) = Child::start(self.journal, Ask::Newest, Mode::Once) else { return true };
        match stop.wait(Some(child.fd()), Some(ANSWER_TIME)) {
            Woken::Ready => child.read(&mut [0; 1]).is_ok(),
            Woken::Stop => true,
            Woken::Time => false,
        }
    }

    /// The child works and has nothing more to say for now.
    fn settled(&mut self, words: &[String], outlet: &mut Outlet) -> Result<(), Closed> {
        self.has_read = true;
        match no_access(words) {
            Some(problem) => outlet.failed(&self.origin, &problem)?,
            None => outlet.works(&self.origin)?,
        }
        self.complain(words, outlet)?;
        outlet.flush()?;
        outlet.progress.drained(outlet.source());
        Ok(())
    }

    /// The child's output has ended.
    fn end(&mut self, child: Child, outlet: &mut Outlet) -> Result<Ended, Closed> {
        let (status, words) = match child.end() {
            Ok(ended) => ended,
            Err(error) => return Ok(Ended::Failed(format!("cannot be waited for: {error}"))),
        };
        self.complain(&words, outlet)?;
        if !status.success() || self.mode == Mode::Follow {
            return Ok(Ended::Failed(child::ended(status, &words)));
        }
        match no_access(&words) {
            Some(problem) => outlet.failed(&self.origin, &problem)?,
            None => outlet.works(&self.origin)?,
        }
        if self.expected.take().is_some() {
            self.gone("the record up to which it was read is not in the journal any more: whether others after it were deleted is not known", None, outlet)?;
        }
        Ok(Ended::Whole)
    }

    fn line(&mut self, line: Line<'_>, outlet: &mut Outlet) -> Result<Go, Closed> {
        match line.part {
            Part::Whole => self.record(line.bytes, outlet),
            Part::First | Part::Later => {
                let long = self.long.get_or_insert_default();
                long.see(line.bytes);
                let is_last = line.part == Part::Later && line.next > line.pos;
                match self.long.take_if(|_| is_last) {
                    Some(long) => self.too_long(&long, outlet),
                    None => Ok(Go::On),
                }
            }
        }
    }

    /// A record whose fields take more than a line may: it is asked for again without the long ones.
    fn too_long(&mut self, long: &Long, outlet: &mut Outlet) -> Result<Go, Closed> {
        let short = long.cursor.as_deref().and_then(|cursor| short(self.journal, cursor));
        if let Some(line) = short {
            return self.record(&line, outlet);
        }
        let problem = format!("a record of {} bytes is too long to be read: it was left out", long.bytes);
        let key = long.cursor.clone().unwrap_or_else(|| self.cursor.clone().unwrap_or_default());
        let notice = Notice::gap(outlet.source(), &self.origin, &problem);
        outlet.say_once(notice.fact("cursor", json!(key)), &[b"long", key.as_bytes()])?;
        Ok(Go::On)
    }

    fn record(&mut self, bytes: &[u8], outlet: &mut Outlet) -> Result<Go, Closed> {
        let now = outlet.clock.now();
        let line = Line { pos: 0, next: 0, bytes, part: Part::Whole };
        self.events.clear();
        let seen = self.reader.read(line, self.select, now, &mut self.events);
        let Some(text) = seen.cursor else {
            self.events.clear();
            // Its own remarks (`-- No entries --`) stand between records.
            if !bytes.starts_with(b"--") && !bytes.trim_ascii().is_empty() {
                let problem = "journalctl wrote a line that is no record";
                outlet.say_once(Notice::damaged(outlet.source(), &self.origin, problem), &[bytes])?;
            }
            return Ok(Go::On);
        };
        if let Some(cursor) = Cursor::parse(&text)
            && matches!(self.place(&cursor, outlet)?, Go::Again)
        {
            return Ok(Go::Again);
        }
        self.has_read = true;
        let first = self.events.first().map(|event| event.id);
        for mut event in self.events.drain(..) {
            (event.source.pos, event.source.next) = (None, None);
            match outlet.push(event, true)? {
                Pushed::Sent => self.sent += 1,
                Pushed::Known => self.known += 1,
            }
        }
        if let (Some(Lost { count, words }), Some(id)) = (seen.lost, first) {
            let notice = Notice::gap(outlet.source(), &self.origin, &words);
            let facts = [("certain", json!(true)), ("missing", json!(count)), ("event", json!(id))];
            let notice = facts.into_iter().fold(notice, |notice, (key, value)| notice.fact(key, value));
            outlet.say_once(notice, &[b"lost", id.as_bytes()])?;
        }
        let is_same = self.cursor.as_ref() == Some(&text);
        self.cursor = Some(text);
        match first {
            Some(_) => (self.passed, self.passed_since) = (0, None),
            None if is_same => {}
            None => self.pass(now, outlet)?,
        }
        Ok(Go::On)
    }

    /// A record that is no event was read.
    fn pass(&mut self, now: Stamp, outlet: &mut Outlet) -> Result<(), Closed> {
        self.passed += 1;
        let since = *self.passed_since.get_or_insert(now);
        match self.passed >= PASSED_MAX || (now.instant() - since.instant()).num_seconds() >= PASSED_SECONDS_MAX {
            true => self.remember(outlet),
            false => Ok(()),
        }
    }

    /// Remembers the place of a record that is no event.
    fn remember(&mut self, outlet: &mut Outlet) -> Result<(), Closed> {
        let is_passed = std::mem::take(&mut self.passed) > 0;
        self.passed_since = None;
        match &self.cursor {
            Some(cursor) if is_passed && self.mode != Mode::Ingest => {
                let event = cursor_event(outlet.source(), &self.origin, cursor, outlet.clock.now());
                outlet.push(event, false).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// Looks for what is missing before this record.
    fn place(&mut self, cursor: &Cursor, outlet: &mut Outlet) -> Result<Go, Closed> {
        let is_filtered = !self.journal.matches.is_empty();
        if let Some(expected) = self.expected.take()
            && !expected.is_same_record(cursor)
            && (is_filtered || expected.sequence != cursor.sequence)
        {
            let problem = "the record up to which it was read is not in the journal any more: others after it may have \
                           been deleted before they were read";
            self.gone(problem, Some(cursor), outlet)?;
        }
        if is_filtered {
            return Ok(Go::On);
        }
        match self.sequences.step(cursor) {
            Step::Next => Ok(Go::On),
            // Without a place to go back to, the whole journal would be read again.
            Step::Suspect if self.cursor.is_some() => Ok(Go::Again),
            Step::Suspect => self.place(cursor, outlet),
            Step::Gap { first, missing } => {
                let problem = format!(
                    "{missing} records are missing: they were deleted before they were read, or cannot be read"
                );
                let last = first + missing - 1;
                self.gap(&problem, &cursor.sequence, (first, last), outlet)?;
                Ok(Go::On)
            }
        }
    }

    /// Numbers of a sequence that did not come.
    fn gap(&self, problem: &str, sequence: &str, (first, last): (u64, u64), outlet: &mut Outlet) -> Result<(), Closed> {
        let facts = [
            ("certain", json!(true)),
            ("missing", json!(last - first + 1)),
            ("sequence", json!(sequence)),
            ("first", json!(first)),
            ("last", json!(last)),
        ];
        let notice = Notice::gap(outlet.source(), &self.origin, problem);
        let notice = facts.into_iter().fold(notice, |notice, (key, value)| notice.fact(key, value));
        outlet.say_once(notice, &[b"numbers", sequence.as_bytes(), &first.to_be_bytes(), &last.to_be_bytes()])
    }

    /// The record to go on from is not there.
    fn gone(&mut self, problem: &str, now: Option<&Cursor>, outlet: &mut Outlet) -> Result<(), Closed> {
        let before = self.cursor.clone().unwrap_or_default();
        let after = now.map_or("", |cursor| cursor.sequence.as_str());
        let notice = Notice::gap(outlet.source(), &self.origin, problem).fact("cursor", json!(before));
        outlet.say_once(notice, &[b"gone", before.as_bytes(), after.as_bytes()])
    }

    /// Files of which journalctl says that they are damaged.
    fn complain(&self, words: &[String], outlet: &mut Outlet) -> Result<(), Closed> {
        let is_damage = |text: &&String| {
            ["truncated", "corrupt", "Bad message", "ignoring file"].iter().any(|sign| text.contains(sign))
        };
        for text in words.iter().filter(is_damage) {
            outlet.say_once(Notice::damaged(outlet.source(), &self.origin, text), &[text.as_bytes()])?;
        }
        Ok(())
    }

    /// Compares files that were read to their ends with what they say of themselves.
    fn look_behind(&mut self, tails: Vec<(String, Tail)>, outlet: &mut Outlet) -> Result<(), Closed> {
        if !self.journal.matches.is_empty() {
            return Ok(());
        }
        for (sequence, tail) in header::last(tails) {
            let first = match self.sequences.last(&sequence) {
                Some(last) => last + 1,
                None if self.is_from_start => tail.first,
                None => continue,
            };
            if first <= tail.last {
                let count = tail.last - first + 1;
                let problem = format!("the last {count} records cannot be read");
                self.gap(&problem, &sequence, (first, tail.last), outlet)?;
            }
        }
        Ok(())
    }
}

/// Why the child's output is read no more.
enum Pumped {
    Told,
    Again,
    End,
    Error(io::Error),
}

/// What journalctl says when it shows only part of the journal.
fn no_access(words: &[String]) -> Option<String> {
    let is_access = |text: &String| text.contains("not seeing messages") || text.contains("insufficient permissions");
    words.iter().any(is_access).then(|| {
        "shows only a part of the journal, because this user may not read the rest: add the user to the group systemd-journal"
            .to_owned()
    })
}

/// Whether a journal can be read here, in words, for whoever asks.
pub fn look(journal: &Journal) -> Result<String, String> {
    let origin = child::origin(journal);
    let mut child = Child::start(journal, Ask::Newest, Mode::Once).map_err(|error| child::not_started(&error))?;
    let (mut bytes, mut buffer) = (0, vec![0; READ_BYTES]);
    while let Ok(read @ 1..) = child.read(&mut buffer) {
        bytes += read;
    }
    let (status, words) = child.end().map_err(|error| format!("{origin} cannot be waited for: {error}"))?;
    match no_access(&words) {
        _ if !status.success() => Err(format!("{origin} {}", child::ended(status, &words))),
        Some(problem) => Err(format!("{origin} {problem}")),
        None if bytes == 0 => Ok(format!("{origin} (empty)")),
        None => Ok(origin),
    }
}

/// One record without its long fields.
fn short(journal: &Journal, cursor: &str) -> Option<Vec<u8>> {
    let mut child = Child::start(journal, Ask::Short(cursor), Mode::Once).ok()?;
    let (mut line, mut buffer) = (Vec::new(), vec![0; READ_BYTES]);
    while !line.contains(&b'\n') && line.len() < crate::sources::lines::LINE_BYTES_MAX {
        match child.read(&mut buffer) {
            Ok(read @ 1..) => line.extend_from_slice(buffer.get(..read)?),
            _ => return None,
        }
    }
    line.truncate(memchr::memchr(b'\n', &line)?);
    // It must be that very record.
    memchr::memmem::find(&line, cursor.as_bytes()).map(|_| line)
}
