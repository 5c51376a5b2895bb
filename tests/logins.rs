//! Records of logins that are changed in place: lastlog, wtmpdb, lastlog2.

mod lastlog;
mod lastlog2;
mod sessions;
mod wtmpdb;

use std::path::Path;

use rusqlite::Connection;
use serde_json::Value as Json;
use whodid::event::Event;

use crate::program::Place;

/// What the table looks like that wtmpdb makes.
const WTMP: &str = "CREATE TABLE IF NOT EXISTS wtmp(ID INTEGER PRIMARY KEY, Type INTEGER, User TEXT NOT NULL, \
                    Login INTEGER, Logout INTEGER, TTY TEXT, RemoteHost TEXT, Service TEXT) STRICT;";

/// 2026-11-19T08:00:00Z, in microseconds.
const MORNING: i64 = 1_795_075_200_000_000;

const MINUTE: i64 = 60_000_000;

/// A database as wtmpdb keeps it.
fn wtmp(path: &Path) -> Connection {
    let database = Connection::open(path).expect("a database");
    database.execute_batch(WTMP).expect("a table");
    database
}

/// A login of so many minutes after the morning; its number.
fn login(database: &Connection, user: &str, minute: i64) -> i64 {
    let sql = "INSERT INTO wtmp (Type,User,Login,TTY,RemoteHost,Service) VALUES(3,?1,?2,'pts/0','203.0.113.7','sshd')";
    database.execute(sql, (user, MORNING + minute * MINUTE)).expect("a row");
    database.last_insert_rowid()
}

fn logout(database: &Connection, id: i64, minute: i64) {
    let sql = "UPDATE wtmp SET Logout = ?1 WHERE ID = ?2";
    assert_eq!(database.execute(sql, (MORNING + minute * MINUTE, id)), Ok(1));
}

/// What `wtmpdb rotate` does: the rows up to a minute go to another database, where they get other numbers.
fn rotate(database: &Connection, to: &Path, minute: i64) {
    drop(wtmp(to));
    database.execute("ATTACH ?1 AS moved", [to.to_str()]).expect("attached");
    let columns = "Type,User,Login,Logout,TTY,RemoteHost,Service";
    let until = MORNING + minute * MINUTE;
    let copy = format!("INSERT INTO moved.wtmp ({columns}) SELECT {columns} FROM main.wtmp WHERE Login <= ?1");
    database.execute(&copy, [until]).expect("copied");
    database.execute("DELETE FROM main.wtmp WHERE Login <= ?1", [until]).expect("deleted");
    database.execute_batch("DETACH moved").expect("detached");
}

/// Who did what, oldest first.
fn told(place: &Place, query: &str) -> Vec<String> {
    let mut events = place.search(query);
    events.sort_by_key(|event| (event.when, event.what.action.clone()));
    events.iter().map(tell).collect()
}

fn tell(event: &Event) -> String {
    let name = event.who.name.as_deref().or(event.who.id.as_deref()).unwrap_or_default();
    format!("{} {name} {}", event.what.action, event.when).replace("  ", " ")
}

/// The facts of whodid's own events of an action: (problem, certain).
fn said(place: &Place, action: &str) -> Vec<(String, Option<bool>)> {
    let facts = |event: &Event| {
        let facts = event.detail["whodid"].clone();
        (facts["problem"].as_str().unwrap_or_default().to_owned(), facts.get("certain").and_then(Json::as_bool))
    };
    place.search(&format!("what.action:{action}")).iter().rev().map(facts).collect()
}
