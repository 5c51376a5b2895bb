//! Records of runs: JSON lines that `whodid exec` ([`super::exec`]) and the callback plugin of Ansible
//! ([`super::ansible`]) write, to the writer's local socket, the spool folder, or a file.
//!
//! ```text
//! {"whodid":"exec","action":"run.start","time":"2026-11-20T10:11:12.123456Z","run":"k3q7zvtm",
//!  "host":"web-1","user":"ana","uid":1000,"pid":412,"tty":"pts/0","cwd":"/srv","name":"deploy","command":"make install"}
//! ```
//!
//! | member | meaning |
//! |--------|---------|
//! | `whodid` | who wrote it: `exec` or `ansible` |
//! | `action` | one of the actions of that family; any other makes the record `unparsed` |
//! | `time` | RFC 3339 |
//! | `run` | id of the run; the runs around it stand before it, each with a `/` |
//! | `host`, `user`, `uid`, `pid`, `tty`, `cwd` | where, and by whom |
//!
//! Whoever writes such a line can claim anything in it. What came by the socket or the spool has a [`Sender`]:
//! the kernel's own word on who wrote it. That decides `who`, and is told under `detail.whodid`, where no
//! record can write.

use chrono::TimeDelta;
use serde_json::{Map, Value as Json};

use super::by_line::{ByLine, Tell};
use super::ids::Ids;
use super::lines::{Line, Part};
use super::plain::UNPARSED;
use super::secrets::{Marks, Redacted};
use super::{Stream, ansible, exec};
use crate::event::{Event, EventId, Family, Named, Source, Stamp, tag};

/// The decoder of both families.
pub type Records = ByLine<Reader>;

/// Longer ones are taken in as `unparsed` pieces from files, and refused elsewhere. Ours are a tenth of it.
pub const RECORD_BYTES_MAX: usize = 64 << 10;

/// What lay in the spool for longer is filed under the day on which it was found.
const WAIT_DAYS_MAX: i64 = 31;

/// Runs within runs.
const RUNS_MAX: usize = 8;
const RUN_BYTES_MAX: usize = 64;

pub struct Reader {
    stream: Stream,
    ids: Ids,
}

/// What the kernel says of who handed a record over.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sender {
    /// `socket` or `spool`.
    pub via: &'static str,
    pub uid: u32,
    pub gid: u32,
    /// Of `uid`, where this machine knows it.
    pub name: Option<String>,
    pub pid: Option<u32>,
    /// Who logged in, whatever they became since.
    pub login: Option<Named>,
    /// The audit session.
    pub session: Option<u32>,
    pub tty: Option<String>,
    pub exe: Option<String>,
}

impl Tell for Reader {
    fn new(stream: Stream) -> Self {
        Self { ids: Ids::new(&stream), stream }
    }

    fn event(&mut self, line: Line<'_>, observed: Stamp) -> Event {
        let source = self.stream.source(line.pos, line.next);
        if line.part != Part::Whole {
            let mut event = Event::new(self.ids.next(line.pos, line.bytes), UNPARSED, observed, observed, source);
            event.place.host = Some(self.stream.host.clone());
            event.keep_raw(line.bytes);
            event.tag(tag::LINE_PIECE);
            return event;
        }
        let record = Record::read(line.bytes, &self.stream.marks);
        let id = self.ids.next(line.pos, record.plain());
        record.event(id, source, &self.stream.host, observed)
    }
}

/// The event of a record that came by the socket or the spool. The same bytes from the same user are the same
/// record, by whichever way they come: what is sent again after a crash is known. `host` is this machine.
pub fn received(bytes: &[u8], sender: &Sender, marks: &Marks, source: &str, host: &str, observed: Stamp) -> Event {
    let record = Record::read(bytes, marks);
    let family = record.family.unwrap_or(Family::Exec);
    let id = EventId::new(family, &[b"received", &sender.uid.to_be_bytes(), record.plain()], 0);
    let source = Source {
        name: source.into(),
        kind: family,
        origin: sender.via.into(),
        lineage: None,
        generation: 0,
        pos: None,
        next: None,
    };
    let mut event = record.event(id, source, host, observed);
    // Each day of `when` is a part of the index: whoever may name any day could fill the machine with them.
    if event.when < observed.plus(TimeDelta::days(-WAIT_DAYS_MAX)) {
        event.tag(tag::WHEN_SUSPECT);
    }
    sender.vouch(&mut event, host);
    event
}

/// A record for people, with one mark for every secret.
pub fn without_secrets(bytes: &[u8]) -> Vec<u8> {
    Record::read(bytes, &Marks::default()).plain().to_vec()
}

/// The family of a file that begins with such a record.
pub fn family(head: &[u8]) -> Option<Family> {
    let first = head.split(|byte| *byte == b'\n').find(|line| !line.trim_ascii().is_empty())?;
    Record::read(first, &Marks::default()).family
}

/// The ids in `WHODID_RUN`, outermost first; none if it is no such list.
pub fn runs(text: &str) -> Option<Vec<String>> {
    let is_id = |id: &&str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        (1..=RUN_BYTES_MAX).contains(&id.len()) && id.chars().all(fits)
    };
    let ids: Vec<&str> = text.split('/').collect();
    (ids.len() <= RUNS_MAX && ids.iter().all(is_id)).then(|| ids.into_iter().map(str::to_owned).collect())
}

/// One line.
struct Record<'a> {
    bytes: &'a [u8],
    /// Without its secrets, if it held any.
    redacted: Option<Redacted>,
    family: Option<Family>,
    members: Map<String, Json>,
}

impl<'a> Record<'a> {
    fn read(bytes: &'a [u8], marks: &Marks) -> Self {
        let redacted = marks.redact_json(bytes);
        let kept = redacted.as_ref().map_or(bytes, |redacted| &redacted.marked);
        let Ok(Json::Object(members)) = serde_json::from_slice(kept) else {
            return Self { bytes, redacted: marks.redact(bytes), family: None, members: Map::new() };
        };
        let family = match members.get("whodid").and_then(Json::as_str) {
            Some("exec") => Some(Family::Exec),
            Some("ansible") => Some(Family::Ansible),
            _ => None,
        };
        Self { bytes, redacted, family, members }
    }

    /// What is hashed.
    fn plain(&self) -> &[u8] {
        self.redacted.as_ref().map_or(self.bytes, |redacted| &redacted.plain)
    }

    fn event(&self, id: EventId, source: Source, host: &str, observed: Stamp) -> Event {
        let facts = Facts(&self.members);
        let kind = source.kind;
        let when = facts.text("time").and_then(Stamp::parse);
        let mut event = Event::new(id, UNPARSED, when.unwrap_or(observed), observed, source);
        event.place.host = Some(host.to_owned());
        match &self.redacted {
            Some(redacted) => {
                event.keep_raw(&redacted.marked);
                event.tag(tag::REDACTED);
            }
            None => event.keep_raw(self.bytes),
        }
        if self.family != Some(kind) {
            return event;
        }
        facts.fill(&mut event);
        match kind {
            Family::Ansible => ansible::fill(&facts, &mut event),
            _ => exec::fill(&facts, &mut event),
        }
        if when.is_none() {
            event.tag(tag::WHEN_GUESSED);
        }
        event.judge_when();
        event
    }
}

/// The members of a record; those of another type than expected are absent.
pub(super) struct Facts<'a>(&'a Map<String, Json>);

impl Facts<'_> {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Json::as_str).filter(|text| !text.is_empty())
    }

    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Json::as_i64)
    }

    /// What all records have.
    fn fill(&self, event: &mut Event) {
        event.who.name = self.owned("user");
        event.who.id = self.number("uid").map(|uid| uid.to_string());
        event.who.kind = event.who.name.as_deref().map(kind);
        event.place.service = Some(event.source.kind.name().to_owned());
        event.place.pid = self.number("pid").and_then(|pid| u32::try_from(pid).ok());
        event.place.tty = self.owned("tty");
        event.place.cwd = self.owned("cwd");
        if let Some(host) = self.owned("host") {
            event.place.host = Some(host);
        }
        event.what.run = self.text("run").and_then(runs).unwrap_or_default();
    }
}

impl Sender {
    /// Writes into an event who it was, over what its record says.
    fn vouch(&self, event: &mut Event, host: &str) {
        let itself = Named { name: self.name.clone(), id: Some(self.uid.to_string()) };
        let mut facts = self.facts();
        let is_other =
            |claimed: &Option<String>, known: &Option<String>| claimed.is_some() && known.is_some() && claimed != known;
        if is_other(&event.who.name, &itself.name) || is_other(&event.who.id, &itself.id) {
            let claimed = event.who.name.take().or(event.who.id.take()).unwrap_or_default();
            facts.insert("claims".to_owned(), claimed.into());
        }
        event.detail.insert(Family::Whodid.detail_key().to_owned(), Json::Object(facts));
        match self.login.clone().filter(|login| login.id != itself.id) {
            // As in sudo's own records: who logged in, and whom they became.
            Some(login) => {
                (event.who.name, event.who.id) = (login.name, login.id);
                event.who.as_ = event.who.as_.take().or(Some(itself));
            }
            None => (event.who.name, event.who.id) = (itself.name, itself.id),
        }
        event.who.kind = Some(if event.who.id.as_deref() == Some("0") { "root" } else { "user" }.to_owned());
        // A task's event stands on another machine, of which the sender's session and terminal say nothing.
        if event.what.action == ansible::TASK {
            event.place.tty = None;
        } else {
            event.who.session = self.session.map(|session| session.to_string());
            event.place.host = Some(host.to_owned());
            event.place.pid = self.pid.or(event.place.pid);
            event.place.tty = self.tty.clone().or(event.place.tty.take());
        }
    }

    /// For `detail.whodid`.
    fn facts(&self) -> Map<String, Json> {
        let login = self.login.as_ref().and_then(|login| login.id.clone());
        let facts = [
            ("via", Some(self.via.into())),
            ("uid", Some(self.uid.into())),
            ("gid", Some(self.gid.into())),
            ("pid", self.pid.map(Json::from)),
            ("loginuid", login.map(Json::from)),
            ("session", self.session.map(Json::from)),
            ("tty", self.tty.clone().map(Json::from)),
            ("exe", self.exe.clone().map(Json::from)),
        ];
        facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }
}

fn kind(name: &str) -> String {
    if name == "root" { "root" } else { "user" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = concat!(
        r#"{"whodid":"exec","action":"run.start","time":"2026-11-20T10:11:12.5Z","run":"a1/b2","host":"web-1","#,
        r#""user":"root","uid":0,"pid":7,"name":"deploy","command":"mysql --password=hunter2 db"}"#
    );

    fn now() -> Stamp {
        Stamp::from_unix(1_795_176_000, 0)
    }

    fn sender(uid: u32) -> Sender {
        Sender { via: "socket", uid, name: Some("ana".to_owned()), pid: Some(99), ..Sender::default() }
    }

    #[test]
    fn the_kernel_says_who_it_was_and_the_record_only_claims() {
        let event = received(START.as_bytes(), &sender(1000), &Marks::default(), "intake", "here", now());
        assert_eq!((event.who.name.as_deref(), event.who.id.as_deref()), (Some("ana"), Some("1000")));
        assert_eq!(event.detail["whodid"]["claims"], "root");
        assert_eq!(event.place.pid, Some(99));
        assert_eq!(event.what.run, ["a1", "b2"]);
        let forged = START.replace("\"pid\":7", "\"detail\":{\"whodid\":{\"uid\":0}},\"whodid.uid\":0");
        let event = received(forged.as_bytes(), &sender(1000), &Marks::default(), "intake", "here", now());
        assert_eq!(event.detail_tree()["whodid"]["uid"], 1000);
    }

    #[test]
    fn nobody_chooses_the_day_under_which_a_record_is_filed() {
        let tags = |time: &str| {
            let text = START.replace("2026-11-20T10:11:12.5Z", time).replace("--password=hunter2", "");
            let event = received(text.as_bytes(), &sender(1000), &Marks::default(), "intake", "here", now());
            assert_eq!(event.when, Stamp::parse(time).expect("an instant"));
            event.tags
        };
        for time in ["1990-01-01T00:00:00Z", "2026-10-01T00:00:00Z", "2026-11-23T00:00:00Z", "9999-12-31T00:00:00Z"] {
            assert_eq!(tags(time), [tag::WHEN_SUSPECT], "{time}");
        }
        assert_eq!(tags("2026-11-01T00:00:00Z"), [""; 0]);
    }

    #[test]
    fn who_logged_in_is_who_acted() {
        let login = Some(Named { name: Some("ben".to_owned()), id: Some("1001".to_owned()) });
        let sender = Sender { uid: 0, name: Some("root".to_owned()), login, ..sender(0) };
        let event = received(START.as_bytes(), &sender, &Marks::default(), "intake", "here", now());
        assert_eq!(event.who.name.as_deref(), Some("ben"));
        assert_eq!(event.who.as_.and_then(|named| named.name).as_deref(), Some("root"));
        assert!(event.detail["whodid"].get("claims").is_none());
    }

    #[test]
    fn the_same_bytes_of_the_same_user_are_one_record() {
        let id = |text: &str, sender: &Sender| {
            received(text.as_bytes(), sender, &Marks::default(), "intake", "here", now()).id
        };
        let spool = Sender { via: "spool", pid: None, ..sender(1000) };
        assert_eq!(id(START, &sender(1000)), id(START, &spool));
        assert_ne!(id(START, &sender(1000)), id(START, &sender(1001)));
        assert_eq!(id(START, &sender(1000)), id(&START.replace("hunter2", "hunter3"), &sender(1000)), "no oracle");
    }

    #[test]
    fn secrets_go_and_the_record_stays_json() {
        let event = received(START.as_bytes(), &sender(1000), &Marks::default(), "intake", "here", now());
        let text = serde_json::to_string(&event).expect("an event");
        assert!(!text.contains("hunter2") && event.tags == ["redacted"], "{text}");
        let tree = event.detail_tree();
        assert_eq!(tree["exec"]["name"], "deploy");
    }

    #[test]
    fn what_is_no_record_is_kept_and_claims_nothing() {
        for text in [
            "",
            "{}",
            "[]",
            "null",
            "\u{7f}\u{0}",
            r#"{"whodid":"whodid","action":"trail.genesis"}"#,
            r#"{"whodid":7}"#,
        ] {
            let event = received(text.as_bytes(), &sender(1000), &Marks::default(), "intake", "here", now());
            assert_eq!((event.what.action.as_str(), event.source.kind), (UNPARSED, Family::Exec), "{text}");
            assert_eq!(event.raw.as_deref(), Some(text));
            assert_eq!(event.who.name.as_deref(), Some("ana"));
        }
        let other = START.replace("run.start", "trail.pruned");
        assert_eq!(
            received(other.as_bytes(), &sender(1000), &Marks::default(), "intake", "here", now()).what.action,
            UNPARSED
        );
    }

    #[test]
    fn runs_are_words_and_not_too_many() {
        assert_eq!(runs("a1/b-2/C_3"), Some(vec!["a1".to_owned(), "b-2".to_owned(), "C_3".to_owned()]));
        for bad in ["", "/", "a/", "a b", "a;b", "é", &"x".repeat(65), &["a"; 9].join("/")] {
            assert_eq!(runs(bad), None, "{bad}");
        }
    }

    #[test]
    fn no_type_is_relied_on() {
        for other in ["null", "true", "-1.5e300", "\"\"", "[]", "[[{}]]", "{\"a\":1}", "18446744073709551615"] {
            for name in ["whodid", "action", "time", "run", "host", "user", "uid", "pid", "name", "command", "exit"] {
                let mut record: Map<String, Json> = serde_json::from_str(START).expect("JSON");
                record.insert(name.to_owned(), serde_json::from_str(other).expect("JSON"));
                let text = serde_json::to_string(&record).expect("JSON");
                received(text.as_bytes(), &sender(1), &Marks::default(), "intake", "here", now());
            }
        }
    }
}
