//! The journal of systemd, as lines of `journalctl -o json --all`.
//!
//! A record holds what its sender said (`MESSAGE`, `SYSLOG_IDENTIFIER`) and what journald knows of the sender
//! (fields that begin with `_`). What was said is read by the decoders of the auth log ([`super::syslog`]); whether
//! it is to be believed is judged by the fields ([`trust`]); messages that say by a number what they are
//! have fields of their own ([`kind`]).
//!
//! A record is known by boot, times and content, wherever it is read ([`address`]). `raw` is the exact line, of
//! which `detail.journal` is made when reading; what the text says stands in `detail.auth`, as for a file.
//!
//! Invariant: an event is trusted as `journal` only if the fields that journald sets agree with what the text claims.

mod address;
mod kind;
mod lost;
mod record;
mod spoof;
mod trust;
mod wanted;

use std::borrow::Cow;

use self::address::Address;
pub use self::address::Cursor;
pub use self::lost::Lost;
use self::record::Record;
use self::trust::Verdict;
use super::ids::Ids;
use super::lines::{Line, Lines, Part};
use super::plain::UNPARSED;
use super::secrets::{Marks, Redacted};
use super::syslog::{self, Message};
use super::{Decoder, Stream};
use crate::event::{Event, EventId, Family, Outcome, Stamp, Trust, tag};

/// "Suppressed 12 messages from a.service": a sender was faster than its limit.
const DROPPED: &str = "a596d6fe7bfa4994828e72309e95d61e";
/// "Missed 3 kernel messages".
const MISSED: &str = "e9bf28e6e834481bb6f48f548ad13606";

/// The action of what journald says of messages that it does not hold.
pub const LOST: &str = "journal.lost";

/// Decodes lines; all of them are events, because whoever feeds them chose them.
pub struct Journal {
    lines: Lines,
    reader: Reader,
}

impl Journal {
    pub fn new(stream: Stream) -> Self {
        Self { lines: Lines::new(stream.start), reader: Reader::new(stream) }
    }
}

impl Decoder for Journal {
    fn push(&mut self, bytes: &[u8], observed: Stamp, out: &mut Vec<Event>) {
        let Self { lines, reader } = self;
        lines.push(bytes, |line| drop(reader.read(line, Select::All, observed, out)));
    }

    fn finish(&mut self, observed: Stamp, out: &mut Vec<Event>) {
        let Self { lines, reader } = self;
        lines.finish(|line| drop(reader.read(line, Select::All, observed, out)));
    }

    fn next(&self) -> u64 {
        self.lines.next()
    }
}

/// Which records become events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    All,
    /// Those of the auth family, and of the machine's own units ([`wanted`]).
    Auth,
}

/// What a line was, whether or not an event came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Where the record stands in the journal; none if the line is no record.
    pub cursor: Option<String>,
    /// journald says that it lost messages here.
    pub lost: Option<Lost>,
}

/// Makes events of the lines of one stream.
pub struct Reader {
    stream: Stream,
    ids: Ids,
}

/// Names that are no command and hold no secret, though they are not journald's own.
const PLAIN_FIELDS: &[&str] =
    &["MESSAGE_ID", "PRIORITY", "CODE_FILE", "CODE_FUNC", "CODE_LINE", "TID", "INVOCATION_ID"];

impl Reader {
    pub fn new(stream: Stream) -> Self {
        Self { ids: Ids::new(&stream), stream }
    }

    /// Appends the events of a line, if there is to be any.
    pub fn read(&mut self, line: Line<'_>, select: Select, observed: Stamp, out: &mut Vec<Event>) -> Seen {
        if line.part == Part::Whole && line.bytes.trim_ascii().is_empty() {
            return Seen::default();
        }
        let text = String::from_utf8_lossy(line.bytes);
        let record = if line.part == Part::Whole { Record::parse(text.trim_ascii()) } else { None };
        let Some(record) = record else {
            out.push(self.unknown(line, observed));
            return Seen::default();
        };
        let cursor = record.text("__CURSOR").map(Cow::into_owned);
        if select == Select::Auth && !wanted::is_wanted(&record) {
            return Seen { cursor, lost: None };
        }
        let first = out.len();
        let verdict = self.events(&record, line, observed, out);
        let is_lost = out.get(first).is_some_and(|event| event.what.action == LOST);
        let lost = if is_lost && verdict == Verdict::Agrees { Some(Lost::of(&record)) } else { None };
        Seen { cursor, lost }
    }

    /// A line that is no record, or a piece of one that is too long.
    fn unknown(&mut self, line: Line<'_>, observed: Stamp) -> Event {
        let id = self.ids.next(line.pos, line.bytes);
        let mut event = Event::new(id, UNPARSED, observed, observed, self.stream.source(line.pos, line.next));
        event.place.host = Some(self.stream.host.clone());
        event.keep_raw(line.bytes);
        if line.part != Part::Whole {
            event.tag(tag::LINE_PIECE);
        }
        event
    }

    fn events(&mut self, record: &Record<'_>, line: Line<'_>, observed: Stamp, out: &mut Vec<Event>) -> Verdict {
        let said = Said::of(record);
        let marks = &self.stream.marks;
        let clean = without_secrets(record, said.message(), marks, |redacted| redacted.plain);
        let key = clean.as_ref().unwrap_or(record);
        let id = |ordinal| {
            let Address { boot, monotonic, realtime } = Address::of(key)?;
            let parts = [&boot[..], &monotonic.to_be_bytes(), &realtime.to_be_bytes(), &key.content()];
            Some(EventId::new(Family::Journal, &parts, ordinal))
        };
        let by_place = |ids: &mut Ids| ids.next(line.pos, &key.content());
        let first = id(0).unwrap_or_else(|| by_place(&mut self.ids));
        let source = self.stream.source(line.pos, line.next);
        let mut event = Event::new(first, UNPARSED, when(record, observed), observed, source);
        event.judge_when();
        event.place.host = Some(record.trusted("_HOSTNAME").map_or_else(|| self.stream.host.clone(), Cow::into_owned));
        event.place.service = said.program.as_deref().map(str::to_owned);
        let pid = record.trusted("_PID").or_else(|| record.text("SYSLOG_PID"));
        event.place.pid = pid.and_then(|pid| pid.parse().ok());
        let verdict = tell(record, &said, &mut event);
        attribute(record, &verdict, &mut event);
        match &clean {
            Some(plain) => {
                syslog::without_secrets(&mut event, marks);
                event.tag(tag::REDACTED);
                let marked = without_secrets(record, said.message(), marks, |redacted| redacted.marked);
                event.keep_raw(marked.as_ref().unwrap_or(plain).to_line().as_bytes());
            }
            None => event.keep_raw(line.bytes),
        }
        let spoof = match &verdict {
            Verdict::Denies { claimed, why } => {
                let second = id(1).unwrap_or_else(|| EventId::new(Family::Journal, &[b"spoof", first.as_bytes()], 1));
                event.tag(tag::SPOOF_SUSPECT);
                // The record is covered only when both of its events are kept.
                event.source.next = event.source.pos;
                let mut spoof = spoof::event(key, &event, second, claimed, why);
                spoof.source.next = Some(line.next);
                Some(spoof)
            }
            Verdict::Agrees | Verdict::Silent => None,
        };
        out.push(event);
        out.extend(spoof);
        verdict
    }
}

/// Who says what, in their own words.
struct Said<'r> {
    program: Option<Cow<'r, str>>,
    text: Cow<'r, str>,
}

impl<'r> Said<'r> {
    fn of(record: &'r Record<'_>) -> Self {
        let program = record.text("SYSLOG_IDENTIFIER").or_else(|| record.trusted("_COMM"));
        Self { program, text: record.text("MESSAGE").unwrap_or_default() }
    }

    fn message(&self) -> Message<'_> {
        Message { program: self.program.as_deref(), text: self.text.trim_end() }
    }
}

/// Puts what was said into the event, and says whether it is to be believed.
fn tell(record: &Record<'_>, said: &Said<'_>, event: &mut Event) -> Verdict {
    if record.trusted("_TRANSPORT").as_deref() == Some("audit") {
        audit(record, event);
        return Verdict::Agrees;
    }
    said.message().tell(event);
    let kind = kind::of(record);
    if let Some(kind) = kind {
        kind.fill(record, event);
    } else if lost::is_lost(record) {
        event.what.action = LOST.to_owned();
        event.what.category = vec!["host".to_owned()];
        event.outcome = Outcome::Failure;
        event.reason = Some(said.text.clone().into_owned());
    }
    let program = said.program.as_deref().unwrap_or_default();
    let by_name = trust::judge(record, program, &said.text, is_grave(&event.what.action));
    match (by_name, kind) {
        (denied @ Verdict::Denies { .. }, _) => denied,
        (_, Some(kind)) => trust::judge_kind(record, kind.sender),
        (judged, None) => judged,
    }
}

/// Whether only the trusted part of a program says such things: sshd and cron also speak as the user.
fn is_grave(action: &str) -> bool {
    !matches!(
        action,
        UNPARSED
            | "ssh.logout"
            | "ssh.disconnect"
            | "ssh.session.start"
            | "ssh.session.end"
            | "ssh.subsystem"
            | "ssh.error"
            | "session.close"
            | "cron.command_end"
            | "cron.output"
            | "cron.mail"
            | "cron.error"
            | "log.repeated"
    )
}

/// What the kernel and journald know of the sender.
fn attribute(record: &Record<'_>, verdict: &Verdict, event: &mut Event) {
    if *verdict == Verdict::Agrees {
        event.trust = Trust::Journal;
    }
    if matches!(verdict, Verdict::Denies { .. }) {
        return;
    }
    if event.who.session.is_none() {
        event.who.session = session(record);
    }
    if let Some(uid) = known_id(record, "_AUDIT_LOGINUID") {
        event.set_detail("loginuid", uid);
    }
}

/// The number of logind's session, or of the kernel's.
fn session(record: &Record<'_>) -> Option<String> {
    record.trusted("_SYSTEMD_SESSION").map(Cow::into_owned).or_else(|| known_id(record, "_AUDIT_SESSION"))
}

/// A number of the kernel's auditing; the greatest one means that there is none.
fn known_id(record: &Record<'_>, name: &str) -> Option<String> {
    record.trusted(name).filter(|id| id != "4294967295" && id != "-1").map(Cow::into_owned)
}

/// A record of the kernel's auditing that journald took in.
fn audit(record: &Record<'_>, event: &mut Event) {
    let kind = record.trusted("_AUDIT_TYPE_NAME").or_else(|| record.trusted("_AUDIT_TYPE"));
    event.what.action = format!("audit.{}", kind.unwrap_or_default().to_lowercase());
    event.place.service = Some("audit".to_owned());
    event.outcome = match record.text("AUDIT_FIELD_RES").as_deref() {
        Some("success" | "1" | "yes") => Outcome::Success,
        Some("failed" | "0" | "no") => Outcome::Failure,
        _ => Outcome::Unknown,
    };
    event.who.name = record.text("AUDIT_FIELD_ACCT").map(Cow::into_owned).filter(|name| name != "?");
    event.who.id = record.trusted("_UID").map(Cow::into_owned);
    event.who.ip = record.text("AUDIT_FIELD_ADDR").and_then(|ip| ip.parse().ok());
    let known = |name: &str| record.text(name).map(Cow::into_owned).filter(|value| value != "?");
    event.place.tty = known("AUDIT_FIELD_TERMINAL");
    event.what.object = known("AUDIT_FIELD_EXE").or_else(|| record.trusted("_EXE").map(Cow::into_owned));
}

/// The sender's own time, if the kernel noted it, else journald's.
fn when(record: &Record<'_>, observed: Stamp) -> Stamp {
    let micros = record.trusted("_SOURCE_REALTIME_TIMESTAMP").or_else(|| record.text("__REALTIME_TIMESTAMP"));
    micros.and_then(|micros| micros.parse().ok()).map_or(observed, Stamp::from_micros)
}

/// The record with every secret replaced, if it holds any.
fn without_secrets<'a>(
    record: &Record<'a>,
    message: Message<'_>,
    marks: &Marks,
    of: impl Fn(Redacted) -> Vec<u8>,
) -> Option<Record<'a>> {
    let may_quote = message.has_command();
    let mut clean = record.clone();
    let is_replaced = clean.replace(|name, value| {
        let redacted = match name {
            // What strangers type is no command; looked at as one, it could hide the words around it.
            "MESSAGE" | "SYSLOG_RAW" if may_quote => marks.redact(value),
            "MESSAGE" | "SYSLOG_RAW" => None,
            "_CMDLINE" | "COREDUMP_CMDLINE" => marks.redact_command(value),
            _ if name.starts_with('_') || name.starts_with("SYSLOG_") || PLAIN_FIELDS.contains(&name) => None,
            _ => marks.redact(value),
        };
        redacted.map(&of)
    });
    is_replaced.then_some(clean)
}

/// Whether the head of a file is that of `journalctl -o json`.
pub fn is_journal(head: &[u8]) -> bool {
    let line = head.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let has = |name: &str| memchr::memmem::find(line, name.as_bytes()).is_some();
    line.starts_with(b"{") && has("\"__REALTIME_TIMESTAMP\":") && (has("\"__CURSOR\":") || has("\"_BOOT_ID\":"))
}

/// Whether the head of a file is that of one of journald's own files, which only journalctl reads.
pub fn is_journal_file(head: &[u8]) -> bool {
    head.starts_with(b"LPKSHHRH")
}

#[cfg(test)]
mod tests;
