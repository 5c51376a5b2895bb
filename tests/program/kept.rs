//! What is known of a source outlives its events: positions and ids, whatever is deleted.

use std::fs;

use super::Place;
use crate::generate::auth_log::AuthLog;

const QUIET: u64 = 300;

/// A day's lines of a busy machine: more than a segment must hold to end with its day.
fn busy(day: u64) -> String {
    AuthLog::new(100 + day).take(500).map(|line| line + "\n").collect()
}

fn quiet() -> String {
    AuthLog::new(7).take(QUIET as usize).map(|line| line + "\n").collect()
}

/// Two sources; time stands still until [`on`] moves it.
fn place() -> Place {
    let place = Place::new("");
    on(&place, 1);
    place.write("log/quiet.log", quiet().as_bytes());
    place
}

fn on(place: &Place, day: u64) {
    let source = |name: &str| {
        format!(
            "[[source]]\nname = \"{name}\"\ntype = \"auth\"\npaths = [\"log/{name}.log*\"]\ntz = \"UTC\"\nyear = 2026\n"
        )
    };
    let top = "data = \"data\"\nkeys = \"keys\"\norg = \"example.org\"\nhost = \"web-1\"\n";
    let clock = format!("[replay]\nnow = \"2026-12-{day:02}T12:00:00Z\"\n[trail]\nkeep_days = 2\n");
    let text = [top, &clock, &source("busy"), &source("quiet")].concat();
    place.write("whodid.toml", text.as_bytes());
}

/// Runs for some days; the quiet source is quiet after the first.
fn days(place: &Place, days: std::ops::Range<u64>) {
    for day in days {
        on(place, day);
        let log: String = (0..=day).map(busy).collect();
        place.write("log/busy.log", log.as_bytes());
        place.run(&["run", "--once"]).code(0);
    }
}

fn stored(place: &Place) -> u64 {
    let stored = place.search("source.name:quiet").len();
    stored as u64
}

#[test]
fn a_quiet_source_is_not_read_again_when_its_events_were_deleted() {
    let place = place();
    days(&place, 1..2);
    assert_eq!(stored(&place), QUIET);
    days(&place, 2..9);
    place.run(&["trail", "stat"]).code(0).out_holds("entries from");
    assert_eq!(stored(&place), 0, "they are deleted");
    place.verify();

    // The file is still there; then it is rotated; then it is fed by hand under another name.
    place.run(&["run", "--once"]).code(0);
    assert_eq!(stored(&place), 0);
    place.write("log/quiet.log.1", quiet().as_bytes());
    fs::remove_file(place.path("log/quiet.log")).expect("there");
    place.run(&["run", "--once"]).code(0);
    assert_eq!(stored(&place), 0);
    place.write("elsewhere", quiet().as_bytes());
    let again = ["ingest", "--type", "auth", "--tz", "UTC", "--year", "2026", "elsewhere"];
    place.run(&again).code(0).out_holds("Stored 0 new events");

    // Ids of deleted events cannot be made anew; the position of their file is an event, and still known.
    fs::remove_dir_all(place.path("data/trail/seen")).expect("there");
    place.run(&["run", "--once"]).code(0);
    assert_eq!(stored(&place), 0);
    place.verify();
}

#[test]
fn the_set_of_seen_ids_is_made_anew_from_the_trail() {
    let place = place();
    days(&place, 1..2);
    fs::remove_dir_all(place.path("data/trail/seen")).expect("there");
    place.write("elsewhere", quiet().as_bytes());
    let again = ["ingest", "--type", "auth", "--tz", "UTC", "--year", "2026", "elsewhere"];
    place.run(&again).code(0).out_holds("Stored 0 new events");
    assert_eq!(stored(&place), QUIET);
    place.verify();
}

/// The ids of deleted events are known by files beside the trail alone, which belong to its name.
#[test]
fn ids_of_deleted_events_survive_an_adoption() {
    let place = place();
    days(&place, 1..9);
    assert_eq!(stored(&place), 0);
    let last = fs::read_dir(place.path("keys")).expect("there").map(|entry| entry.expect("readable").path());
    let last = last.filter(|path| path.extension().is_some_and(|ending| ending == "last"));
    last.for_each(|path| fs::remove_file(path).expect("there"));
    place.run(&["trail", "adopt", "--reason", "memory lost"]).code(0);
    let said = place.run(&["run", "--once"]);
    assert!(!said.code(0).err.contains("Ids of pruned entries are lost"), "{said:#?}");
    place.write("elsewhere", quiet().as_bytes());
    let again = ["ingest", "--type", "auth", "--tz", "UTC", "--year", "2026", "elsewhere"];
    place.run(&again).code(0).out_holds("Stored 0 new events");
    assert_eq!(stored(&place), 0);
    place.verify();
}
