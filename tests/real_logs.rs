//! A real auth.log, followed while real programs write it.
//!
//! `real_logs/scene.sh` starts rsyslog and sshd in namespaces of their own, where people log in, fail to,
//! use sudo and su, and where users come and go; all that it changes is a private copy. whodid follows the
//! log from before its first line. What is searched for here is what one would search for afterwards.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use whodid::event::{Event, EventId};

use crate::program::{Place, stop, until};

mod acts;

/// The longest that an event may be in the trail and not be found.
const FOUND_WITHIN: Duration = Duration::from_secs(2);

/// What must be found, each at least once; `KEY` is the fingerprint of ana's key.
const EXPECTED: &[&str] = &[
    "what.action:ssh.login AND outcome:success AND who.name:ana AND who.ip:127.0.0.1 AND who.port:* AND who.key:\"KEY\"",
    "what.action:ssh.login AND outcome:failure AND who.name:ana AND who.ip:127.0.0.1 AND auth.method:publickey",
    "what.action:ssh.login AND outcome:failure AND who.name:ana AND who.ip:127.0.0.1 AND auth.method:password",
    "what.action:ssh.invalid_user AND outcome:failure AND who.name:mallory AND who.ip:127.0.0.1",
    "what.action:ssh.logout AND who.name:ben AND who.ip:127.0.0.1",
    "what.action:sudo.command AND outcome:success AND who.name:ben AND who.as.name:root AND what.command:\"/usr/bin/id\"",
    "what.action:sudo.command AND outcome:failure AND who.name:ben AND reason:\"command not allowed\"",
    "what.action:sudo.command AND outcome:failure AND who.name:ana AND reason:\"1 incorrect password attempt\"",
    "what.action:su.session AND outcome:success AND who.name:root AND who.as.name:ana",
    "what.action:su.session AND outcome:failure AND who.name:ana AND who.as.name:root",
    "what.action:user.add AND outcome:success AND what.target.name:ana",
    "what.action:group.member.add AND outcome:success AND what.target.name:ana AND what.group.name:sudo",
    "what.action:password.change AND outcome:success AND what.target.name:ana",
    "what.action:user.remove AND outcome:success AND what.target.name:ben",
];

/// What a scene that escaped would change first.
const UNTOUCHED: &[&str] = &["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/sudoers"];

/// The programs that write the log; they end with this.
struct Scene {
    unshare: Child,
}

impl Scene {
    fn begin(place: &Place, script: &[u8], format: &str, more: &[&Path]) -> Self {
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        place.write("scene/machine.sh", include_bytes!("real_logs/machine.sh"));
        place.write("scene/script.sh", script);
        let said = fs::File::create(place.path("scene/said")).expect("a file");
        let unshare = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"])
            .args(["sh", "script.sh"])
            .args([place.path("scene"), place.path("log/auth.log")])
            .args([&port.to_string(), format])
            .args(more)
            .current_dir(place.path("scene"))
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .expect("unshare");
        Self { unshare }
    }

    /// Whether it is over, which it may only be as it should.
    fn is_over(&mut self, place: &Place) -> bool {
        let Some(status) = self.unshare.try_wait().expect("it is ours") else { return false };
        assert!(status.success(), "{status}: {}", fs::read_to_string(place.path("scene/said")).unwrap_or_default());
        true
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // Nothing is left to end where the scene is over.
        self.unshare.kill().unwrap_or_default();
        self.unshare.wait().map(drop).unwrap_or_default();
    }
}

/// When each event was first seen in the trail, and how long one was there and not found.
#[derive(Default)]
struct Watch {
    since: HashMap<EventId, Instant>,
    late_max: Duration,
}

impl Watch {
    /// Compares what a search finds with what the trail had before it.
    fn look(&mut self, place: &Place) {
        for event in events(place) {
            self.since.entry(event.id).or_insert_with(Instant::now);
        }
        let began = Instant::now();
        let found: HashSet<EventId> = place.search("source.kind:auth").iter().map(|event| event.id).collect();
        let missed = self.since.iter().filter(|(id, _)| !found.contains(*id));
        let late = missed.map(|(_, since)| began - *since).max().unwrap_or_default();
        self.late_max = self.late_max.max(late);
    }
}

/// The log's events, in the trail's order.
fn events(place: &Place) -> Vec<Event> {
    let trail = place.trail();
    // A line that is just being written has no end.
    let lines = trail.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
    let events = lines.map(|line| Event::decode(line).expect("an event"));
    events.filter(|event| &*event.source.name == "auth").collect()
}

fn untouched() -> Vec<Vec<u8>> {
    UNTOUCHED.iter().map(|path| fs::read(path).unwrap_or_default()).collect()
}

#[track_caller]
fn check(format: &str) {
    let before = untouched();
    let place = Place::new("[[source]]\nname = \"auth\"\ntype = \"auth\"\npaths = [\"log/auth.log\"]\ntz = \"UTC\"\n");
    fs::create_dir(place.path("log")).expect("a folder");
    let daemon = place.start(&["run"]);
    until("the daemon is there", || place.path("data/trail/acknowledged").exists());

    let mut scene = Scene::begin(&place, include_bytes!("real_logs/scene.sh"), format, &[]);
    let mut watch = Watch::default();
    while !scene.is_over(&place) {
        watch.look(&place);
    }
    let log = fs::read_to_string(place.path("log/auth.log")).expect("the log");
    let lines: Vec<&str> = log.lines().collect();
    until("every line is in the trail", || {
        watch.look(&place);
        events(&place).len() >= lines.len()
    });
    watch.look(&place);
    assert!(watch.late_max <= FOUND_WITHIN, "an event was in the trail for {:?} and not found", watch.late_max);

    let key = fs::read_to_string(place.path("scene/fingerprint")).expect("the scene wrote it");
    for query in EXPECTED {
        let query = query.replace("KEY", key.trim());
        assert!(!place.search(&query).is_empty(), "nothing found: {query}\n{log}");
    }
    assert!(stop(daemon).success());
    place.verify();

    let events = events(&place);
    let raws: Vec<&str> = events.iter().map(|event| event.raw.as_deref().expect("a line")).collect();
    assert_eq!(raws, lines, "each line is one event, in the log's order");
    for event in &events {
        // Of a few milliseconds; a wrong year, zone or order would be more.
        let apart = (event.observed.micros() - event.when.micros()).abs();
        assert!(apart < 60_000_000, "{} read at {}: {:?}", event.when, event.observed, event.raw);
    }
    let unparsed: Vec<&str> = events
        .iter()
        .filter(|event| event.what.action == "unparsed")
        .filter_map(|event| event.raw.as_deref())
        .collect();
    eprintln!(
        "{format}: {} lines, {} unparsed, at most {:?} in the trail and not found\n{}",
        lines.len(),
        unparsed.len(),
        watch.late_max,
        unparsed.join("\n")
    );
    assert!(before == untouched(), "the scene changed this machine");
}

#[test]
#[ignore = "needs root, sshd, sudo and rsyslog"]
fn what_people_do_is_found_in_a_log_with_iso_stamps() {
    check("RSYSLOG_FileFormat");
}

#[test]
#[ignore = "needs root, sshd, sudo and rsyslog"]
fn what_people_do_is_found_in_a_log_with_traditional_stamps() {
    check("RSYSLOG_TraditionalFileFormat");
}
