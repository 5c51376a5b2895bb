//! wtmpdb(8): the table `wtmp` of `/var/lib/wtmpdb/wtmp.db`, which followed wtmp in Debian 13 and SUSE.
//!
//! ```text
//! {"ID":7,"Type":3,"User":"alice","Login":1795176000000000,"Logout":1795179600000000,"TTY":"pts/0",
//!  "RemoteHost":"203.0.113.7","Service":"sshd"}      (one line)
//! ```
//!
//! A row is written at the login and updated at the logout, so it is up to two events; both times are
//! microseconds since 1970. The event of a login is the same whether its row is read before or after the
//! logout. A logout whose time is changed later is one more event.

use serde_json::Value as Json;

use super::remote_host;
use super::rows::{Read, Row, Rows};
use crate::event::{Event, Outcome, Stamp};

/// Decodes wtmpdb's rows.
pub type Wtmpdb = Rows<Sessions>;

/// [`Read`]s the rows of the table `wtmp`.
pub enum Sessions {}

/// wtmpdb.h: what a row is about.
const BOOT_TIME: i64 = 1;
const RUNLEVEL: i64 = 2;
const USER_PROCESS: i64 = 3;

/// What does not change when a session ends.
const LOGIN: &[&str] = &["Type", "User", "Login", "TTY", "RemoteHost", "Service"];
const LOGOUT: &[&str] = &["Type", "User", "Login", "TTY", "RemoteHost", "Service", "Logout"];

impl Read for Sessions {
    const COLUMNS: &'static [&'static str] = &["ID", "Type", "User", "Login", "Logout", "TTY", "RemoteHost", "Service"];

    fn events(row: &Row<'_>) -> Vec<Event> {
        let mut events = vec![begin(row)];
        events.extend(end(row));
        events
    }
}

fn begin(row: &Row<'_>) -> Event {
    let (action, category, outcome) = match row.number("Type") {
        Some(BOOT_TIME) => ("system.boot", "host", Outcome::Success),
        Some(RUNLEVEL) => ("system.runlevel", "host", Outcome::Success),
        Some(USER_PROCESS) => ("session.open", "session", Outcome::Success),
        _ => ("wtmpdb.other", "session", Outcome::Unknown),
    };
    let mut event = event(row, action, category, "Login", LOGIN, 0);
    event.outcome = outcome;
    if let Some(Json::Object(detail)) = event.detail.get_mut("wtmpdb") {
        detail.remove("Logout");
    }
    if row.columns.get("Logout").is_some_and(|logout| !logout.is_null()) {
        // As the row was when it was written.
        let mut columns = row.columns.clone();
        columns.insert("Logout".to_owned(), Json::Null);
        event.raw = Some(Json::Object(columns).to_string());
    }
    event
}

fn end(row: &Row<'_>) -> Option<Event> {
    row.columns.get("Logout").filter(|logout| !logout.is_null())?;
    let (action, category) = match row.number("Type") {
        Some(BOOT_TIME) => ("system.shutdown", "host"),
        Some(USER_PROCESS) => ("session.close", "session"),
        _ => ("wtmpdb.other_end", "session"),
    };
    let mut event = event(row, action, category, "Logout", LOGOUT, 1);
    event.outcome = Outcome::Success;
    if let (Some(login), Some(logout)) = (row.number("Login"), row.number("Logout")) {
        // A clock that was set back makes it negative: that is what the row says.
        event.set_detail("duration_s", logout.saturating_sub(login).div_euclid(1_000_000));
    }
    Some(event)
}

/// `time` is the column with its time.
fn event(row: &Row<'_>, action: &str, category: &str, time: &str, key: &[&str], ordinal: u32) -> Event {
    let when = row.number(time).map(Stamp::from_micros);
    let mut event = row.event(action, when, key, ordinal);
    event.what.category = vec![category.to_owned()];
    event.set_detail("type_name", type_name(row.number("Type")));
    event.place.service = row.text("Service").map(str::to_owned);
    if category != "session" {
        return event;
    }
    if let Some(user) = row.text("User") {
        event.who.kind = Some("user".to_owned());
        event.who.name = Some(user.to_owned());
    }
    remote_host::enter(&mut event.who, row.text("RemoteHost").unwrap_or_default());
    event.place.tty = row.text("TTY").map(str::to_owned);
    event
}

fn type_name(type_: Option<i64>) -> &'static str {
    match type_ {
        Some(BOOT_TIME) => "BOOT_TIME",
        Some(RUNLEVEL) => "RUNLEVEL",
        Some(USER_PROCESS) => "USER_PROCESS",
        _ => "EMPTY",
    }
}
