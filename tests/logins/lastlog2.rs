//! lastlog2: a login replaces the user's row.

use rusqlite::Connection;

use super::{said, told};
use crate::program::Place;

const SOURCE: &str = "[[source]]\nname = \"last\"\ntype = \"lastlog2\"\npaths = [\"lastlog2.db\"]\n";

const TABLE: &str = "CREATE TABLE IF NOT EXISTS Lastlog2(Name TEXT PRIMARY KEY, Time INTEGER, TTY TEXT, \
                     RemoteHost TEXT, Service TEXT);";

fn put(database: &Connection, name: &str, seconds: i64) {
    let sql = "REPLACE INTO Lastlog2 VALUES(?1,?2,'pts/0','203.0.113.7','sshd')";
    database.execute(sql, (name, 1_795_078_800 + seconds)).expect("a row");
}

#[test]
fn each_login_that_was_seen_is_one_event() {
    let place = Place::new(SOURCE);
    let database = Connection::open(place.path("lastlog2.db")).expect("a database");
    database.execute_batch(TABLE).expect("a table");
    put(&database, "ana", 0);
    put(&database, "ben", 1);
    place.run(&["run", "--once"]).code(0);
    put(&database, "ana", 60);
    place.run(&["run", "--once"]).code(0);
    place.run(&["run", "--once"]).code(0);
    assert_eq!(
        told(&place, "what.action:login.last"),
        [
            "login.last ana 2026-11-19T09:00:00Z",
            "login.last ben 2026-11-19T09:00:01Z",
            "login.last ana 2026-11-19T09:01:00Z"
        ]
    );
    assert_eq!(said(&place, "source.gap"), []);
    database.execute("DELETE FROM Lastlog2 WHERE Name = 'ben'", []).expect("deleted");
    put(&database, "ana", 120);
    place.run(&["run", "--once"]).code(0);
    assert_eq!(said(&place, "source.gap").len(), 1);
}
