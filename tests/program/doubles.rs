//! The same content under other names is stored once.

use crate::generate::auth_log::AuthLog;

use super::{Place, gzip};

#[test]
fn a_file_as_it_is_renamed_and_gzipped_is_stored_once() {
    let place = Place::with_auth_log();
    let log: String = AuthLog::new(1).take(2_000).map(|line| line + "\n").collect();
    place.write("log/auth.log", log.as_bytes());
    place.write("log/auth.log.1", log.as_bytes());
    place.write("log/auth.log.2.gz", &gzip(log.as_bytes()));
    place.run(&["run", "--once"]).code(0);
    assert_eq!(place.search("source.kind:auth").len(), 2_000);
    place.verify();

    // Fed by hand, under one more name, it is the same again.
    place.write("copy/elsewhere.gz", &gzip(log.as_bytes()));
    place.run(&["ingest", "--type", "auth", "--tz", "UTC", "--year", "2026", "copy/elsewhere.gz"]).code(0);
    assert_eq!(place.search("source.kind:auth").len(), 2_000);

    // The live file is rotated and goes on.
    place.write("log/auth.log.1", log.as_bytes());
    let more: String = AuthLog::new(2).take(10).map(|line| line + "\n").collect();
    place.write("log/auth.log", more.as_bytes());
    place.run(&["run", "--once"]).code(0);
    assert_eq!(place.search("source.kind:auth").len(), 2_010);
    place.verify();
}

#[test]
fn a_second_run_with_nothing_new_appends_nothing() {
    let place = Place::with_auth_log();
    let log: String = AuthLog::new(3).take(500).map(|line| line + "\n").collect();
    place.write("log/auth.log", log.as_bytes());
    place.run(&["run", "--once"]).code(0);
    let before = place.trail();
    place.run(&["run", "--once"]).code(0);
    assert!(place.trail() == before, "the second run appended something");
}
