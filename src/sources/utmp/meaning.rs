//! What a utmp record says: who, what, where from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde_json::json;

use super::record::{self, Record};
use crate::event::{Event, Family, Outcome, Stamp};
use crate::sources::remote_host;

/// Fills in what the record says, and its fields under `detail.utmp` as they stand there.
pub(super) fn fill(event: &mut Event, record: &Record<'_>) {
    let nanos = u32::try_from(record.micros).ok().filter(|micros| *micros < 1_000_000).unwrap_or(0) * 1_000;
    event.when = Stamp::from_unix(record.seconds, nanos);
    event.judge_when();
    let act = Act::of(event.source.kind, record);
    event.what.action = act.action.to_owned();
    event.what.category = act.category.iter().map(|word| (*word).to_owned()).collect();
    event.outcome = act.outcome;
    match record.type_ {
        record::RUN_LVL => event.what.object = runlevel(record.pid),
        record::OLD_TIME => event.what.object = Some("old time".to_owned()),
        record::NEW_TIME => event.what.object = Some("new time".to_owned()),
        record::BOOT_TIME => {}
        _ => fill_login(event, record),
    }
    fill_detail(event, record);
    event.raw = Some(line(record, event.when));
}

/// What kind of thing happened.
struct Act {
    action: &'static str,
    category: &'static [&'static str],
    outcome: Outcome,
}

impl Act {
    fn of(family: Family, record: &Record<'_>) -> Self {
        let (action, category): (_, &[_]) = match record.type_ {
            record::RUN_LVL if record.user() == "shutdown" => ("system.shutdown", &["host"]),
            record::RUN_LVL => ("system.runlevel", &["host"]),
            record::BOOT_TIME => ("system.boot", &["host"]),
            record::NEW_TIME | record::OLD_TIME => ("clock.change", &["configuration", "host"]),
            // btmp has other types too, by who writes: login 6, sshd 6, some display managers 7.
            _ if family == Family::Btmp => return Self::failed_login(),
            record::INIT_PROCESS => ("init.start", &["process"]),
            record::LOGIN_PROCESS => (LOGIN_PROMPT, &["process"]),
            // logwtmp(3) of old: a login without a name is a logout.
            record::USER_PROCESS if !record.user().is_empty() => ("session.open", &["session"]),
            record::USER_PROCESS | record::DEAD_PROCESS => ("session.close", &["session"]),
            _ => return Self { action: "utmp.other", category: &[], outcome: Outcome::Unknown },
        };
        Self { action, category, outcome: Outcome::Success }
    }

    fn failed_login() -> Self {
        Self { action: "login", category: &["authentication"], outcome: Outcome::Failure }
    }
}

const LOGIN_PROMPT: &str = "login.prompt";

/// `pid` is the new runlevel's character and 256 times that of the old.
fn runlevel(pid: i32) -> Option<String> {
    let new = char::from(pid.to_le_bytes()[0]);
    new.is_ascii_alphanumeric().then(|| new.to_string())
}

fn fill_login(event: &mut Event, record: &Record<'_>) {
    let user = record.user();
    // getty writes this word while it waits for a name; in btmp it is what somebody typed.
    let is_waiting = event.what.action == LOGIN_PROMPT && user == "LOGIN";
    if !user.is_empty() && !is_waiting {
        event.who.kind = Some("user".to_owned());
        event.who.name = Some(user);
    }
    let host = record.host();
    event.who.ip = address(record.addr, &host).or_else(|| remote_host::address(&host));
    if remote_host::address(&host).is_none() {
        event.who.host = remote_host::machine(&host).map(str::to_owned);
    }
    event.place.tty = Some(record.line()).filter(|line| !line.is_empty());
    event.place.pid = u32::try_from(record.pid).ok().filter(|pid| *pid != 0);
}

/// The address field: IPv4 in the first 4 bytes, or IPv6. The host field tells apart the few IPv6
/// addresses that end in 12 bytes of zeros.
fn address(addr: [u8; 16], host: &str) -> Option<IpAddr> {
    let [a, b, c, d, rest @ ..] = addr;
    let long = IpAddr::from(Ipv6Addr::from(addr));
    match (rest == [0; 12], [a, b, c, d]) {
        (true, _) if remote_host::address(host) == Some(long) => Some(long),
        (true, [0, 0, 0, 0]) => None,
        (true, short) => Some(IpAddr::from(Ipv4Addr::from(short))),
        (false, _) => Some(long.to_canonical()),
    }
}

fn fill_detail(event: &mut Event, record: &Record<'_>) {
    event.set_detail("type", record.type_);
    event.set_detail("type_name", type_name(record.type_));
    event.set_detail("pid", record.pid);
    let texts = [("line", record.line()), ("id", record.id()), ("user", record.user()), ("host", record.host())];
    for (key, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        event.set_detail(key, text);
    }
    if let Some(addr) = address(record.addr, &record.host()) {
        event.set_detail("addr", addr.to_string());
    }
    if record.session != 0 {
        event.set_detail("session", record.session);
    }
    if (record.signal, record.status) != (0, 0) {
        event.set_detail("exit", json!({"signal": record.signal, "status": record.status}));
    }
}

/// As utmp(5) calls them.
fn type_name(type_: i16) -> &'static str {
    match type_ {
        record::RUN_LVL => "RUN_LVL",
        record::BOOT_TIME => "BOOT_TIME",
        record::NEW_TIME => "NEW_TIME",
        record::OLD_TIME => "OLD_TIME",
        record::INIT_PROCESS => "INIT_PROCESS",
        record::LOGIN_PROCESS => "LOGIN_PROCESS",
        record::USER_PROCESS => "USER_PROCESS",
        record::DEAD_PROCESS => "DEAD_PROCESS",
        record::ACCOUNTING => "ACCOUNTING",
        _ => "EMPTY",
    }
}

/// The record as one line, in the order of utmpdump(1): bare words in a query find what stands in it.
fn line(record: &Record<'_>, when: Stamp) -> String {
    let addr = address(record.addr, &record.host()).map(|ip| ip.to_string()).unwrap_or_default();
    let Record { type_, pid, .. } = record;
    let [id, user, line, host] = [record.id(), record.user(), record.line(), record.host()];
    format!("[{type_}] [{pid}] [{id}] [{user}] [{line}] [{host}] [{addr}] [{when}]")
}
