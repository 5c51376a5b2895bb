//! Logins paired with their ends: who was on which machine, from when to when, and how it ended.
//!
//! A view of events, made when somebody asks: decoders are pure and begin anywhere, so what a logout ends
//! cannot stand in its event. It is put together by the rules of last(1): on a terminal each record ends
//! what came before it; a boot ends everything, as a crash if no shutdown came before it.
//!
//! It reads no trail: whoever asks hands over the events ([`ACTIONS`]), in any order.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::event::{Event, Family, Lineage, Stamp};

/// The actions that sessions are made of.
pub const ACTIONS: &[&str] =
    &["session.open", "session.close", "system.boot", "system.shutdown", "system.runlevel", "clock.change"];

/// One session, or the time between a boot and its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// `reboot` for a boot.
    pub user: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tty: Option<String>,
    /// The address or the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    pub host: String,
    pub login: Stamp,
    pub ending: Ending,
    /// None while it lasts, as far as the records go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<Stamp>,
    /// Without what the clock was changed by meanwhile, where that was recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_s: Option<i64>,
    /// What the clock was changed by.
    #[serde(skip_serializing_if = "is_zero")]
    pub clock_changed_s: i64,
    pub source: Family,
    /// The places of the records in the trail.
    pub seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_seq: Option<u64>,
}

fn is_zero(seconds: &i64) -> bool {
    *seconds == 0
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// No record of an end: still there, or gone without one.
    Open,
    /// Logged out, or the next login took the terminal.
    Logout,
    /// The machine was shut down.
    Down,
    /// The machine was booted, and nothing had shut it down.
    Crash,
}

impl Ending {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Logout => "logout",
            Self::Down => "down",
            Self::Crash => "crash",
        }
    }
}

/// The events so far, by machine and family.
#[derive(Default)]
pub struct Sessions {
    marks: BTreeMap<(String, Family), Vec<Mark>>,
}

/// What an event says of sessions.
#[derive(Debug, Clone)]
struct Mark {
    kind: Kind,
    when: Stamp,
    seq: u64,
    /// Its place in a file.
    stream: Option<(Lineage, u32)>,
    pos: u64,
    /// What a record's end names again, where it names anything: the row, or the process.
    key: String,
    user: String,
    tty: Option<String>,
    from: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    Close,
    Boot,
    Shutdown,
    OldTime,
    NewTime,
}

/// Services whose sessions are no logins.
const NO_LOGINS: &[&str] = &[
    "CRON",
    "cron",
    "crond",
    "atd",
    "sudo",
    "su",
    "runuser",
    "systemd",
    "systemd-user",
    "pkexec",
    "polkitd",
    "doas",
    "run0",
];

impl Sessions {
    /// Takes an event; one that says nothing of sessions changes nothing.
    pub fn take(&mut self, seq: u64, event: &Event) {
        let Some(kind) = kind(event) else { return };
        let family = event.source.kind;
        let is_text = !matches!(family, Family::Wtmp | Family::Wtmpdb);
        let service = event.place.service.as_deref().unwrap_or_default();
        if is_text && (event.who.as_.is_some() || NO_LOGINS.contains(&service)) {
            return;
        }
        let detail = |name: &str| event.detail.get(family.detail_key()).and_then(|detail| detail.get(name));
        let key = match family {
            Family::Wtmpdb => ["Login", "TTY", "User", "RemoteHost"]
                .map(|name| detail(name).map(ToString::to_string).unwrap_or_default())
                .join("/"),
            _ => format!("{service}/{}", event.place.pid.unwrap_or_default()),
        };
        let mark = Mark {
            kind,
            when: event.when,
            seq,
            stream: event.source.lineage.map(|lineage| (lineage, event.source.generation)),
            pos: event.source.pos.unwrap_or_default(),
            key,
            user: event.who.name.clone().unwrap_or_default(),
            tty: event.place.tty.clone(),
            from: event.who.ip.map(|ip| ip.to_string()).or_else(|| event.who.host.clone()),
        };
        let host = event.place.host.clone().unwrap_or_default();
        self.marks.entry((host, family)).or_default().push(mark);
    }

    /// The sessions, newest first.
    pub fn paired(self) -> Vec<Session> {
        let mut machine: BTreeMap<String, Vec<(Stamp, Kind, u64)>> = BTreeMap::new();
        for ((host, _), marks) in &self.marks {
            let ends = marks.iter().filter(|mark| matches!(mark.kind, Kind::Boot | Kind::Shutdown));
            machine.entry(host.clone()).or_default().extend(ends.map(|mark| (mark.when, mark.kind, mark.seq)));
        }
        machine.values_mut().for_each(|ends| ends.sort_unstable_by_key(|(when, kind, _)| (*when, *kind == Kind::Boot)));
        let mut sessions = Vec::new();
        for ((host, family), marks) in self.marks {
            let ends = machine.get(&host).map(Vec::as_slice).unwrap_or_default();
            match family {
                Family::Wtmp => by_terminal(&host, marks, &mut sessions),
                _ => by_key(&host, family, marks, ends, &mut sessions),
            }
        }
        sessions.sort_by_key(|session| std::cmp::Reverse((session.login, session.seq)));
        sessions
    }
}

fn kind(event: &Event) -> Option<Kind> {
    match (event.what.action.as_str(), event.what.object.as_deref()) {
        ("session.open", _) => Some(Kind::Open),
        ("session.close", _) => Some(Kind::Close),
        ("system.boot", _) => Some(Kind::Boot),
        // Runlevels 0 and 6 halt and reboot.
        ("system.shutdown", _) | ("system.runlevel", Some("0" | "6")) => Some(Kind::Shutdown),
        ("clock.change", Some("old time")) => Some(Kind::OldTime),
        ("clock.change", Some("new time")) => Some(Kind::NewTime),
        _ => None,
    }
}

/// An instant that ends something, and by how much the clock was changed between it and the end of the records.
#[derive(Debug, Clone, Copy)]
struct End {
    when: Stamp,
    seq: u64,
    clock: i64,
}

/// wtmp: from its end to its beginning, as last(1) goes.
fn by_terminal(host: &str, mut marks: Vec<Mark>, out: &mut Vec<Session>) {
    in_order(&mut marks);
    let mut ends: HashMap<String, End> = HashMap::new();
    // What ended everything that was there before it, and how.
    let mut stop: Option<(End, Ending)> = None;
    let (mut down, mut new_time, mut clock): (Option<End>, Option<Stamp>, i64) = (None, None, 0);
    for mark in marks.into_iter().rev() {
        let here = End { when: mark.when, seq: mark.seq, clock };
        match mark.kind {
            Kind::NewTime => new_time = Some(mark.when),
            Kind::OldTime => clock += new_time.take().map_or(0, |new| seconds(mark.when, new)),
            Kind::Shutdown => {
                down = Some(here);
                stop = Some((here, Ending::Down));
                ends.clear();
            }
            Kind::Boot => {
                let end = down.take().map(|down| (down, Ending::Down)).or(stop);
                out.push(session(host, Family::Wtmp, &mark, clock, end));
                stop = Some((here, Ending::Crash));
                ends.clear();
            }
            Kind::Open => {
                let tty = mark.tty.clone().unwrap_or_default();
                let end = ends.insert(tty, here).map(|end| (end, Ending::Logout)).or(stop);
                out.push(session(host, Family::Wtmp, &mark, clock, end));
            }
            Kind::Close => {
                if let Some(tty) = mark.tty {
                    ends.insert(tty, here);
                }
            }
        }
    }
}

/// The order in which a machine wrote its records: that of the files, and in each of them that of the places.
/// Their times may go back.
fn in_order(marks: &mut [Mark]) {
    let mut first: HashMap<Option<(Lineage, u32)>, Stamp> = HashMap::new();
    for mark in marks.iter() {
        let at = first.entry(mark.stream).or_insert(mark.when);
        *at = (*at).min(mark.when);
    }
    marks.sort_by_key(|mark| (first.get(&mark.stream).copied(), mark.stream, mark.pos, mark.seq));
}

/// Sources whose ends say what they end.
fn by_key(host: &str, family: Family, mut marks: Vec<Mark>, ends: &[(Stamp, Kind, u64)], out: &mut Vec<Session>) {
    marks.sort_by_key(|mark| (mark.when, mark.seq));
    let mut closes: HashMap<String, Vec<End>> = HashMap::new();
    for mark in marks.iter().rev().filter(|mark| matches!(mark.kind, Kind::Close | Kind::Shutdown)) {
        let end = End { when: mark.when, seq: mark.seq, clock: 0 };
        closes.entry(mark.key.clone()).or_default().push(end);
    }
    for mark in marks.iter().filter(|mark| matches!(mark.kind, Kind::Open | Kind::Boot)) {
        let is_row = family == Family::Wtmpdb;
        let closed = closes.get_mut(&mark.key).and_then(|ends| {
            // Numbers of processes are used again; a row's logout may lie before its login if the clock was set.
            let at = ends.iter().rposition(|end| is_row || end.when >= mark.when)?;
            Some(ends.remove(at))
        });
        let how = if mark.kind == Kind::Boot { Ending::Down } else { Ending::Logout };
        let end = closed.map(|end| (end, how)).or_else(|| stopped(mark.when, ends));
        out.push(session(host, family, mark, 0, end));
    }
}

/// What ended a session that has no end of its own: the next shutdown or boot of its machine.
fn stopped(login: Stamp, ends: &[(Stamp, Kind, u64)]) -> Option<(End, Ending)> {
    let (when, kind, seq) = ends.iter().find(|(when, ..)| *when > login)?;
    let how = if *kind == Kind::Boot { Ending::Crash } else { Ending::Down };
    Some((End { when: *when, seq: *seq, clock: 0 }, how))
}

fn session(host: &str, source: Family, mark: &Mark, clock: i64, end: Option<(End, Ending)>) -> Session {
    let is_boot = mark.kind == Kind::Boot;
    let clock_changed_s = end.map_or(0, |(end, _)| clock - end.clock);
    Session {
        user: if is_boot { "reboot".to_owned() } else { mark.user.clone() },
        tty: if is_boot { Some("system boot".to_owned()) } else { mark.tty.clone() },
        from: mark.from.clone(),
        host: host.to_owned(),
        login: mark.when,
        ending: end.map_or(Ending::Open, |(_, ending)| ending),
        end: end.map(|(end, _)| end.when),
        duration_s: end.map(|(end, _)| seconds(mark.when, end.when) - clock_changed_s),
        clock_changed_s,
        source,
        seq: mark.seq,
        end_seq: end.map(|(end, _)| end.seq),
    }
}

fn seconds(from: Stamp, to: Stamp) -> i64 {
    (to.instant() - from.instant()).num_seconds()
}
