//! The auth log of syslog: `auth.log`, `secure`.
//!
//! A line is a stamp, a host, a program and its message ([`header`]); when it was written is found in
//! [`when`]; what the message says is read by the program that wrote it ([`message`]). A line that nobody
//! knows is an `unparsed` event with as much of its header as there is.
//!
//! Invariants: one line is one event; the text of a name, a path or a command never decides what an event
//! means, because messages are taken apart from the ends that their program wrote.

mod accounts;
mod adduser;
mod ansible;
mod become_root;
mod cron;
mod desktop;
mod dropbear;
mod form;
mod ftp;
mod groups;
mod header;
mod login;
mod logind;
mod message;
mod pam;
mod pam_forms;
mod polkit;
mod reading;
mod remote;
mod run0;
mod sftp;
mod sshd;
mod sshd_forms;
mod sshd_more;
mod stamp;
mod su;
mod sudo;
mod sudo_json;
mod when;

use std::borrow::Cow;

use serde_json::Value;

use super::Stream;
use super::by_line::{ByLine, Tell};
use super::ids::Ids;
use super::lines::{Line, Part};
use super::plain::UNPARSED;
use super::secrets::Marks;
use crate::event::{Event, Stamp, tag};
use header::Header;
pub use message::Message;
use when::Whens;

/// Decodes an auth log.
pub type Syslog = ByLine<Records>;

pub struct Records {
    stream: Stream,
    ids: Ids,
    whens: Whens,
}

impl Tell for Records {
    fn new(stream: Stream) -> Self {
        Self { ids: Ids::new(&stream), whens: Whens::new(stream.zone, stream.year), stream }
    }

    fn event(&mut self, line: Line<'_>, observed: Stamp) -> Event {
        let text = readable(line.bytes);
        let header = match line.part {
            Part::Whole | Part::First => header::read(text.trim_end_matches('\r')),
            Part::Later => None,
        };
        // What strangers type is no command; looked at as one, it could hide the words around it.
        let has_command = !matches!((&header, line.part), (Some(header), Part::Whole) if !header.said().has_command());
        let redacted = if has_command { self.stream.marks.redact(line.bytes) } else { None };
        let Some(redacted) = redacted else { return self.told(line, line.bytes, header, observed) };
        let mut event = self.told(line, &redacted.plain, header, observed);
        event.keep_raw(&redacted.marked);
        without_secrets(&mut event, &self.stream.marks);
        event.tag(tag::REDACTED);
        event
    }
}

impl Records {
    /// The event of a line: its id and `raw` are those of the record without secrets, its fields are read from
    /// the line as it was written, so that no placeholder changes what they mean.
    fn told(&mut self, line: Line<'_>, record: &[u8], header: Option<Header<'_>>, observed: Stamp) -> Event {
        let id = self.ids.next(line.pos, record);
        let source = self.stream.source(line.pos, line.next);
        let mut event = Event::new(id, "", observed, observed, source);
        self.date(&mut event, header.as_ref());
        if let Some(header) = &header {
            place(&mut event, header);
        }
        if event.place.host.is_none() {
            event.place.host = Some(self.stream.host.clone());
        }
        // The rest of a message may change what its beginning means: a piece of one is not read.
        match (header, line.part) {
            (Some(header), Part::Whole) => header.said().tell(&mut event),
            (_, Part::Whole) => {}
            (_, Part::First | Part::Later) => event.tag(tag::LINE_PIECE),
        }
        if event.what.action.is_empty() {
            event.what.action = UNPARSED.to_owned();
        }
        event.keep_raw(record);
        event
    }

    /// A line without a stamp was written with or after the line before it.
    fn date(&mut self, event: &mut Event, header: Option<&Header<'_>>) {
        let found = header.and_then(|header| self.whens.find(header.written?, event.observed));
        match (found, self.whens.last()) {
            (Some(when), _) => {
                event.when = when.at;
                if when.is_guessed {
                    event.tag(tag::WHEN_GUESSED);
                }
            }
            (None, last) => {
                event.when = last.unwrap_or(event.observed);
                event.tag(tag::WHEN_GUESSED);
            }
        }
        event.judge_when();
    }
}

fn readable(record: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(record) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(record),
    }
}

/// Every field that a command, or a part of one, may have gone to.
pub(super) fn without_secrets(event: &mut Event, marks: &Marks) {
    let Event { what, place, reason, detail, .. } = event;
    let fields = [&mut what.command, &mut what.object, &mut place.cwd, reason];
    fields.into_iter().flatten().for_each(|text| marks.redact_text(text));
    let details = detail.values_mut().filter_map(Value::as_object_mut).flat_map(|auth| auth.values_mut());
    for value in details {
        if let Value::String(text) = value {
            marks.redact_text(text);
        }
    }
}

fn place(event: &mut Event, header: &Header<'_>) {
    event.place.host = header.host.map(str::to_owned);
    event.place.service = header.program.map(str::to_owned);
    event.place.pid = header.pid;
    if let Some(priority) = header.priority {
        event.set_detail("priority", priority);
    }
}

/// Whether the head of a file is that of an auth log: most lines have a header, and programs of this
/// family wrote at least half of those.
pub fn is_auth(head: &[u8]) -> bool {
    let whole = match memchr::memrchr(b'\n', head) {
        Some(end) => head.get(..end).unwrap_or(head),
        None => head,
    };
    let (mut lines, mut headers, mut known) = (0, 0, 0);
    for line in whole.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).take(SAMPLE_LINES) {
        lines += 1;
        let Some(header) = std::str::from_utf8(line).ok().and_then(header::read) else { continue };
        headers += 1;
        known += usize::from(header.said().is_of_auth());
    }
    known > 0 && headers * 2 > lines && known * 2 >= headers
}

/// How many lines of a file decide what it is.
const SAMPLE_LINES: usize = 200;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Decoder as _;
    use super::super::tests::stream;
    use super::*;
    use crate::event::Family;

    #[test]
    fn an_auth_log_is_told_by_who_writes_it() {
        let auth = "Nov 20 10:11:12 web-1 sshd[1]: Server listening on :: port 22.\n";
        let other = "Nov 20 10:11:12 web-1 kernel: usb 1-1: new device\n";
        let nothing = "a line of another file\n";
        let is = |parts: &[&str]| is_auth(parts.concat().as_bytes());
        assert!(is(&[auth]) && is(&[auth, other]) && is(&[auth, auth, nothing]) && is(&[auth.trim_end()]));
        assert!(!is(&[]) && !is(&[other]) && !is(&[auth, other, other]) && !is(&[auth, nothing, nothing]));
        // The head ends within a line.
        assert!(is(&[auth, "Nov 2"]));
        assert!(!is_auth(b"\0\xff\n{\"Records\":[]}\n"));
    }

    fn events(input: &[u8]) -> Vec<Event> {
        let observed = Stamp::from_unix(1_795_176_000, 0);
        let mut decoder = Syslog::new(stream(Family::Auth));
        let mut events = Vec::new();
        decoder.push(input, observed, &mut events);
        decoder.finish(observed, &mut events);
        events
    }

    #[test]
    fn a_secret_is_nowhere_in_the_event_of_a_command() {
        let commands = [
            "/bin/x --password=hunter2",
            "/bin/x --password hunter2 -v",
            "/usr/bin/mysql -phunter2 app",
            "/bin/env TOKEN=hunter2 x",
            "/usr/bin/curl -u bob:hunter2 https://h/",
            "/usr/bin/curl -H Authorization: Bearer hunter2",
            "/usr/bin/git clone https://bob:hunter2@h/r",
            "SECRET=hunter2",
        ];
        let carriers = [
            "sudo:    alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=§",
            "sudo:    alice : TTY=pts/0 ; PWD=/ ; USER=root ; ENV=§ ; COMMAND=/bin/x",
            "sudo:    alice : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=§",
            "sudo:    alice : (command continued) §",
            "CRON[1]: (bob) CMD (§)",
            "pkexec[1]: alice: Executing command [USER=root] [TTY=x] [CWD=/] [COMMAND=§]",
            "doas: alice ran command § as root from /",
            "polkitd[1]: Operator of unix-session:5 successfully authenticated as unix-user:root to gain ONE-SHOT \
             authorization for action a.b for unix-process:7:1 [§] (owned by unix-user:alice)",
            "backup[1]: §",
        ];
        for (carrier, command) in carriers.iter().flat_map(|carrier| commands.map(|command| (carrier, command))) {
            let line = format!("Nov 20 10:11:12 web-1 {}\n", carrier.replace('§', command));
            let events = events(line.as_bytes());
            let text = serde_json::to_string(&events).expect("events");
            assert!(!text.contains("hunter2") && text.contains(tag::REDACTED), "{line}{text}");
            assert!(carrier.starts_with("backup") || events[0].what.action != UNPARSED, "{line}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_line_of_garbage_is_an_event(input in prop::collection::vec(any::<u8>(), 0..400)) {
            let lines = input.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()).count();
            prop_assert_eq!(events(&input).len(), lines);
        }
    }
}
