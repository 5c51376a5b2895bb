//! Anchors of the whole program: what is signed leaves the machine, and nobody waits for it.

use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::program::{Place, Said, stop, until};

/// One installation with one anchor; `anchor` is the rest of its table.
fn place(anchor: &str) -> Place {
    let source =
        "[[source]]\nname = \"auth\"\ntype = \"auth\"\npaths = [\"log/auth.log*\"]\ntz = \"UTC\"\nyear = 2026\n";
    let place = Place::new(&format!("{source}[[anchor]]\nname = \"vault\"\n{anchor}\n"));
    place.write("log/auth.log", b"");
    place
}

const FILE: &str = "type = \"file\"\npath = \"vault/kept\"\nevery = \"1s\"";

fn log(place: &Place, n: u32) {
    let mut log = fs::OpenOptions::new().append(true).open(place.path("log/auth.log")).expect("a log");
    writeln!(log, "Nov 20 11:{:02}:00 web-1 sudo:    carol : user NOT in sudoers ; TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id", n % 60)
        .expect("written");
}

fn read(place: &Place, name: &str) -> String {
    fs::read_to_string(place.path(name)).unwrap_or_default()
}

fn checkpoint(place: &Place) -> String {
    read(place, "data/trail/checkpoint")
}

fn once(place: &Place) -> Said {
    let said = place.run(&["run", "--once"]);
    said.code(0);
    said
}

/// The anchors' own events.
fn told(place: &Place) -> Vec<String> {
    place.search("what.action:anchor.*").iter().map(|event| event.what.action.clone()).collect()
}

#[test]
fn every_run_leaves_its_last_checkpoint() {
    let place = place(FILE);
    fs::create_dir(place.path("vault")).expect("a folder");
    let mut kept = String::new();
    for n in 0..3 {
        log(&place, n);
        once(&place);
        kept = read(&place, "vault/kept");
        assert!(kept.ends_with(&checkpoint(&place)), "{kept}");
    }
    once(&place);
    assert_eq!(read(&place, "vault/kept"), kept, "nothing new is nothing to leave");
    assert!(read(&place, "data/status.json").contains("\"anchors\":[{\"name\":\"vault\""));
    assert_eq!(told(&place), [""; 0]);
    place.run(&["trail", "verify"]).code(0);
}

#[test]
fn a_daemon_leaves_what_is_newest_while_it_runs_and_when_it_stops() {
    let place = place(FILE);
    fs::create_dir(place.path("vault")).expect("a folder");
    let daemon = place.start(&["run"]);
    for n in 0..3 {
        log(&place, n);
        let before = checkpoint(&place);
        until("it is signed", || checkpoint(&place) != before);
        let signed = checkpoint(&place);
        let since = Instant::now();
        until("it is left there, or one that is newer", || {
            read(&place, "vault/kept").contains(&signed) || checkpoint(&place) != signed
        });
        assert!(since.elapsed() < Duration::from_secs(10));
    }
    log(&place, 9);
    assert!(stop(daemon).success());
    assert!(read(&place, "vault/kept").ends_with(&checkpoint(&place)));
}
