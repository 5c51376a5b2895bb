//! wtmpdb: rows are updated at the logout, moved at rotation, and removed by whoever has something to hide.

use std::fs;

use super::{login, logout, rotate, said, told, wtmp};
use crate::program::{Place, until};

const SOURCE: &str = "[[source]]\nname = \"logins\"\ntype = \"wtmpdb\"\npaths = [\"wtmp.db\"]\n";

#[test]
fn a_login_and_its_logout_are_two_events_whenever_they_are_read() {
    let place = Place::new(SOURCE);
    let database = wtmp(&place.path("wtmp.db"));
    let ana = login(&database, "ana", 0);
    place.run(&["run", "--once"]).code(0);
    logout(&database, ana, 90);
    let ben = login(&database, "ben", 100);
    logout(&database, ben, 101);
    place.run(&["run", "--once"]).code(0);
    place.run(&["run", "--once"]).code(0);
    assert_eq!(
        told(&place, "source.kind:wtmpdb"),
        [
            "session.open ana 2026-11-19T08:00:00Z",
            "session.close ana 2026-11-19T09:30:00Z",
            "session.open ben 2026-11-19T09:40:00Z",
            "session.close ben 2026-11-19T09:41:00Z",
        ]
    );
    assert_eq!(place.search("what.action:session.close AND wtmpdb.duration_s:5400").len(), 1);
    assert_eq!((said(&place, "source.gap"), said(&place, "source.damaged")), (vec![], vec![]));
}

#[test]
fn rotation_neither_loses_nor_doubles_nor_alarms() {
    let place = Place::new(SOURCE);
    let database = wtmp(&place.path("wtmp.db"));
    for minute in 0..10 {
        let id = login(&database, "ana", minute);
        logout(&database, id, minute + 1);
    }
    place.run(&["run", "--once"]).code(0);
    assert_eq!(told(&place, "source.kind:wtmpdb").len(), 20);
    // Some that nobody read before they were moved.
    login(&database, "ben", 20);
    rotate(&database, &place.path("wtmp_20261119.db"), 20);
    login(&database, "ben", 30);
    place.run(&["run", "--once"]).code(0);
    assert_eq!(told(&place, "source.kind:wtmpdb").len(), 22);
    // Once more on the same day, all of it; the numbers begin again.
    rotate(&database, &place.path("wtmp_20261119.db"), 30);
    login(&database, "carl", 40);
    place.run(&["run", "--once"]).code(0);
    rotate(&database, &place.path("wtmp_20261120.db"), 40);
    login(&database, "dora", 50);
    place.run(&["run", "--once"]).code(0);
    place.run(&["run", "--once"]).code(0);
    assert_eq!(told(&place, "source.kind:wtmpdb").len(), 24);
    assert_eq!((said(&place, "source.gap"), said(&place, "source.damaged")), (vec![], vec![]));
}

#[test]
fn rows_that_are_removed_or_changed_are_missed() {
    let place = Place::new(SOURCE);
    let database = wtmp(&place.path("wtmp.db"));
    for minute in 0..5 {
        login(&database, "ana", minute);
    }
    // Before anybody read it.
    database.execute("DELETE FROM wtmp WHERE ID = 2", []).expect("deleted");
    place.run(&["run", "--once"]).code(0);
    let holes = ("has no rows 2: they were removed before they could be read".to_owned(), Some(true));
    assert_eq!(said(&place, "source.gap"), [holes]);

    database.execute("DELETE FROM wtmp WHERE ID IN (3, 5)", []).expect("deleted");
    // It gets the number of the last one that was deleted.
    assert_eq!(login(&database, "eve", 10), 5);
    place.run(&["run", "--once"]).code(0);
    let gaps = said(&place, "source.gap");
    assert_eq!(gaps[1], ("has lost 2 rows that had been read; the trail has them".to_owned(), Some(true)));

    database.execute("UPDATE wtmp SET Login = Login - 1000 WHERE ID = 4", []).expect("changed");
    place.run(&["run", "--once"]).code(0);
    let gaps = said(&place, "source.gap");
    assert_eq!((gaps.len(), gaps[2].0.as_str()), (3, "has lost 1 rows that had been read; the trail has them"));
    assert_eq!(place.search("who.name:ana").len(), 5);
    place.run(&["run", "--once"]).code(0);
    assert_eq!(said(&place, "source.gap").len(), 3);
}

#[test]
fn what_lies_in_the_log_ahead_is_read() {
    let place = Place::new(SOURCE);
    let database = wtmp(&place.path("wtmp.db"));
    database.pragma_update(None, "journal_mode", "WAL").expect("a log");
    database.pragma_update(None, "wal_autocheckpoint", 0).expect("kept");
    let ana = login(&database, "ana", 0);
    place.run(&["run", "--once"]).code(0);
    logout(&database, ana, 1);
    place.run(&["run", "--once"]).code(0);
    assert_eq!(told(&place, "source.kind:wtmpdb").len(), 2);
    assert!(fs::metadata(place.path("wtmp.db-wal")).is_ok_and(|log| log.len() > 0));
}

#[test]
fn what_cannot_be_read_says_why() {
    let other = |make: &dyn Fn(&Place), expected: &str| {
        let place = Place::new(SOURCE);
        make(&place);
        place.run(&["run", "--once"]);
        let failed = said(&place, "source.failed");
        assert!(failed.len() == 1 && failed[0].0.contains(expected), "{failed:?}: {expected}");
    };
    other(&|_| {}, "is missing");
    other(&|place| place.write("wtmp.db", &[b'x'; 8192]), "is no SQLite database");
    let made = |sql: &'static str| {
        move |place: &Place| {
            rusqlite::Connection::open(place.path("wtmp.db")).expect("a database").execute_batch(sql).expect("made");
        }
    };
    other(&made("CREATE TABLE other(a)"), "has no table wtmp");
    other(&made("CREATE VIEW wtmp AS SELECT 1 AS ID"), "has no table wtmp");
    other(
        &made("CREATE TABLE wtmp(ID INTEGER PRIMARY KEY, Type, User, Login, TTY, RemoteHost, Service)"),
        "without the column Logout",
    );
}

#[test]
fn a_column_more_is_kept() {
    let place = Place::new(SOURCE);
    let database = wtmp(&place.path("wtmp.db"));
    database.execute_batch("ALTER TABLE wtmp ADD COLUMN BootID TEXT").expect("altered");
    login(&database, "ana", 0);
    database.execute("UPDATE wtmp SET BootID = 'b-1'", []).expect("set");
    place.run(&["run", "--once"]).code(0);
    assert_eq!(place.search("wtmpdb.BootID:b-1").len(), 1);
}

#[test]
fn a_lock_is_waited_for() {
    let place = Place::new(SOURCE);
    let database = wtmp(&place.path("wtmp.db"));
    login(&database, "ana", 0);
    database.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").expect("locked");
    let mut child = place.start(&["run", "--once"]);
    // It has begun when it has its trail, and cannot end while the lock is held.
    until("a trail", || place.path("data/trail/segment").exists());
    assert!(child.try_wait().expect("a child").is_none());
    drop(database);
    assert!(child.wait().expect("it ends").success());
    assert_eq!(told(&place, "source.kind:wtmpdb"), ["session.open ana 2026-11-19T08:00:00Z"]);
}

#[test]
fn damage_takes_only_what_it_hit() {
    let place = Place::new(SOURCE);
    let path = place.path("wtmp.db");
    let database = wtmp(&path);
    for minute in 0..2_000 {
        login(&database, "ana", minute);
    }
    drop(database);
    let mut bytes = fs::read(&path).expect("readable");
    let pages = bytes.len() / 4096;
    // A page of rows in the middle.
    bytes[pages / 2 * 4096..][..4096].fill(0xff);
    place.write("wtmp.db", &bytes);
    place.run(&["run", "--once"]);
    let read = told(&place, "source.kind:wtmpdb").len();
    assert!((1_900..2_000).contains(&read), "{read} of 2,000");
    assert!(said(&place, "source.failed")[0].0.contains("is damaged"));
    assert_eq!(said(&place, "source.damaged").len(), 1);
    assert_eq!(said(&place, "source.gap"), []);
}

#[test]
fn while_it_runs_each_change_is_told_and_each_theft_is_named() {
    let place = Place::new(SOURCE);
    let database = wtmp(&place.path("wtmp.db"));
    let ana = login(&database, "ana", 0);
    let mut child = Running(place.start(&["run"]));
    until("the change is read", || told_so_far(&place, "source.kind:wtmpdb").len() == 1);
    logout(&database, ana, 10);
    let ben = login(&database, "ben", 20);
    logout(&database, ben, 21);
    until("the change is read", || told_so_far(&place, "source.kind:wtmpdb").len() == 4);
    // Killed, and gone on with.
    child.0.kill().expect("it runs");
    child.0.wait().expect("it ends");
    let carl = login(&database, "carl", 30);
    let child = Running(place.start(&["run"]));
    until("the change is read", || told_so_far(&place, "source.kind:wtmpdb").len() == 5);
    logout(&database, ben, 22);
    until("the change is read", || told_so_far(&place, "source.kind:wtmpdb").len() == 6);
    until("the change is read", || said(&place, "source.damaged").len() == 1);
    let changed = "rows 2 were changed after they had been read; the trail has both";
    assert_eq!(said(&place, "source.damaged")[0].0, changed);
    database.execute("DELETE FROM wtmp WHERE ID = ?1", [carl]).expect("deleted");
    until("the change is read", || said(&place, "source.gap").len() == 1);
    let gone = "has lost 1 rows that had been read: 3; the trail has them";
    assert_eq!(said(&place, "source.gap"), [(gone.to_owned(), Some(true))]);
    drop(child);
}

/// Ends with the test.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        drop(self.0.wait());
    }
}

/// Nothing before there is a trail.
fn told_so_far(place: &Place, query: &str) -> Vec<String> {
    if place.path("data/trail/checkpoint").exists() { told(place, query) } else { Vec::new() }
}
