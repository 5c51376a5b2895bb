//! Anchors of the whole program: what is signed leaves the machine, and nobody waits for it.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
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

/// The anchors' own events, oldest first.
fn told(place: &Place) -> Vec<String> {
    let mut told: Vec<_> =
        place.search("what.action:anchor.*").into_iter().map(|event| (event.when, event.what.action)).collect();
    told.sort();
    told.into_iter().map(|(_, action)| action).collect()
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

#[test]
fn a_failure_is_told_once_however_often_it_is_tried_and_so_is_its_end() {
    let place = place(FILE);
    for n in 0..3 {
        log(&place, n);
        once(&place).out_holds("Anchor vault (").out_holds(") FAILED: No such file or directory");
        assert_eq!(told(&place), ["anchor.failed"], "run {n}");
    }
    let status = read(&place, "data/status.json");
    assert!(status.contains("\"failing\":{\"since\":"), "{status}");
    place.run(&["doctor"]).code(1).out_holds("failing since");
    fs::create_dir(place.path("vault")).expect("a folder");
    once(&place).out_holds(") has the checkpoint over ");
    assert_eq!(told(&place), ["anchor.failed", "anchor.back"]);
    assert!(read(&place, "vault/kept").ends_with(&checkpoint(&place)));
    place.run(&["doctor"]).out_holds("has the checkpoint over");
    // A loss is told, and what was there is not made again by itself.
    fs::remove_file(place.path("vault/kept")).expect("removed");
    log(&place, 9);
    once(&place).out_holds("is it mounted?");
    assert_eq!(told(&place), ["anchor.failed", "anchor.back", "anchor.failed"]);
    assert!(!place.path("vault/kept").exists());
}

#[test]
fn what_was_not_sent_before_a_kill_is_sent_by_the_next_start() {
    let place = place(FILE);
    fs::create_dir(place.path("vault")).expect("a folder");
    for n in 0..4 {
        let before = checkpoint(&place);
        let mut daemon = place.start(&["run"]);
        log(&place, n);
        until("it is signed", || checkpoint(&place) != before);
        daemon.kill().expect("it runs");
        daemon.wait().expect("it was killed");
    }
    once(&place);
    let kept = read(&place, "vault/kept");
    assert!(kept.ends_with(&checkpoint(&place)), "{kept}");
    place
        .run(&["trail", "verify", "data", "--key", &key(&place), "--anchor", "vault/kept"])
        .code(0)
        .out_holds("WHOLE to");
}

/// The public key of the trail; one that was killed while it began left another.
fn key(place: &Place) -> String {
    place.path(&format!("keys/{}.vkey", id(place))).to_string_lossy().into_owned()
}

fn id(place: &Place) -> String {
    let checkpoint = checkpoint(place);
    let origin = checkpoint.lines().next().expect("a name");
    origin.rsplit('/').next().expect("an id").to_owned()
}

/// A log host that takes connections and never reads.
fn stuck() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address =
        format!("type = \"syslog\"\nevery = \"1s\"\naddress = \"tcp://{}\"", listener.local_addr().expect("bound"));
    (listener, address)
}

#[test]
fn an_anchor_that_hangs_delays_neither_the_writer_nor_the_other_anchors_nor_the_end() {
    let (_listener, stuck) = stuck();
    let place = place(&format!("{FILE}\n[[anchor]]\nname = \"stuck\"\n{stuck}"));
    fs::create_dir(place.path("vault")).expect("a folder");
    let daemon = place.start(&["run"]);
    for n in 0..3 {
        log(&place, n);
        let before = checkpoint(&place);
        let since = Instant::now();
        until("it is signed", || checkpoint(&place) != before);
        let signed = checkpoint(&place);
        until("it is at the other anchor", || {
            read(&place, "vault/kept").contains(&signed) || checkpoint(&place) != signed
        });
        assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    }
    let since = Instant::now();
    assert!(stop(daemon).success());
    let ended = since.elapsed();
    assert!(ended < Duration::from_secs(20), "{ended:?}");
    assert!(read(&place, "vault/kept").ends_with(&checkpoint(&place)));

    log(&place, 9);
    let since = Instant::now();
    once(&place).err_holds("The last checkpoint is not there");
    let once = since.elapsed();
    assert!(once < Duration::from_secs(30), "{once:?}");
    eprintln!("the daemon ended after {ended:?}, one pass after {once:?}");
    place.verify();
}

/// The copy that was cut back, the older one, and the whole one, against what an anchor kept.
#[test]
fn what_was_anchored_cannot_be_taken_back() {
    let place = place(FILE);
    fs::create_dir(place.path("vault")).expect("a folder");
    log(&place, 0);
    once(&place);
    let old = place.path("old");
    assert!(
        std::process::Command::new("cp").arg("-a").arg(place.path("data")).arg(&old).status().expect("cp").success()
    );
    log(&place, 1);
    once(&place);
    let verify =
        |data: &str, anchor: &str| place.run(&["trail", "verify", data, "--key", &key(&place), "--anchor", anchor]);
    verify("data", "vault/kept").code(0).out_holds("WHOLE to");
    verify("data", "vault").code(0).out_holds("WHOLE to");
    verify("old", "vault/kept").code(2).out_holds("the tail was cut, or this is an older copy");
    verify("data", "log/auth.log").code(3).out_holds("holds no checkpoint");
    verify("data", "no/such").code(4);
}

#[test]
fn the_alert_fires_when_an_anchor_is_not_back_soon_and_ends_after_it() {
    let replay = |now: &str| format!("[replay]\nnow = \"2026-11-20T{now}:00Z\"\n");
    let place = place(FILE);
    let config = read(&place, "whodid.toml");
    let at = |now: &str| {
        place.write("whodid.toml", config.replacen("[[source]]", &format!("{}[[source]]", replay(now)), 1).as_bytes())
    };
    let check = || place.run(&["check", "whodid/anchor-failed"]);
    at("12:00");
    log(&place, 0);
    once(&place);
    check().code(0);
    at("12:06");
    check().code(1).out_holds("vault");
    at("13:01");
    once(&place);
    at("13:07");
    check().code(2);
    fs::create_dir(place.path("vault")).expect("a folder");
    once(&place);
    at("15:18");
    check().code(0);
    assert_eq!(told(&place), ["anchor.failed", "anchor.failed", "anchor.back"]);
}

#[test]
fn every_mistake_in_an_anchor_is_named_with_its_line() {
    let place = Place::new(concat!(
        "[[anchor]]\nname = \"a\"\ntype = \"fiel\"\n",
        "[[anchor]]\nname = \"a\"\ntype = \"file\"\npaht = \"x\"\nevery = \"2d\"\n",
        "[[anchor]]\nname = \"b\"\ntype = \"s3\"\nbucket = \"s3://x\"\nlock = \"complience\"\nendpoint = \"x\"\nfacility = \"user\"\n",
        "[[anchor]]\nname = \"c\"\ntype = \"s3\"\nbucket = \"x\"\nlock_days = 0\n",
        "[[anchor]]\nname = \"d\"\ntype = \"syslog\"\naddress = \"loghost\"\n",
        "[[anchor]]\nname = \"\"\ntype = \"syslog\"\naddress = \"udp://loghost:514\"\nframing = \"lf\"\n",
    ));
    let said = place.run(&["config", "check"]);
    for problem in [
        ":7: `type`: \"fiel\" is no type of anchor (did you mean `file`?)",
        ":9: two anchors are named \"a\"",
        ":8: `path` is missing in [anchor]",
        ":11: unknown key `paht` (did you mean `path`?)",
        ":12: `every` is longer than a day",
        ":16: `bucket`: \"s3://x\" is no bucket's name",
        ":17: `lock`: \"complience\" is no mode of Object Lock (did you mean `compliance`?)",
        ":18: `endpoint`: \"x\" is no address",
        ":19: `facility` means nothing here",
        ":24: `lock_days` without `lock`",
        ":24: `lock_days` is out of range",
        ":28: `address`: \"loghost\" is no address of a syslog",
        ":30: `name` must be a word that can be read",
        ":33: `framing` means nothing here",
    ] {
        said.err_holds(problem);
    }
    let inside = self::place("type = \"file\"\npath = \"data/../data/kept\"").run(&["config", "check"]);
    inside.code(1).err_holds("the anchor \"vault\" lies in the data folder");
    let example = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/anchor.toml")).expect("an example");
    let all = Place::new(&example);
    let said = all.run(&["config", "check"]);
    said.code(0)
        .out_holds("bucket (s3: s3://example-anchors/whodid/), loghost (syslog: tcp://loghost.example.org:601)");
}

mod rsyslog {
    //! A real rsyslogd takes every form, and what it writes to its file is an anchor.

    use std::process::{Child, Command, Stdio};

    use super::*;

    struct Rsyslog(Child);

    impl Drop for Rsyslog {
        fn drop(&mut self) {
            self.0.kill().unwrap_or_default();
            self.0.wait().map(drop).unwrap_or_default();
        }
    }

    fn free_port() -> u16 {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        free.expect("a port").port()
    }

    /// Writes to `loghost.log` in a format that rsyslog has by name.
    fn start(place: &Place, format: &str, tcp: u16, udp: u16) -> Rsyslog {
        let path = |name: &str| place.path(name).display().to_string();
        let config = format!(
            "module(load=\"imuxsock\" SysSock.Use=\"off\")\ninput(type=\"imuxsock\" Socket=\"{}\" CreatePath=\"on\")\n\
             module(load=\"imtcp\")\ninput(type=\"imtcp\" port=\"{tcp}\" address=\"127.0.0.1\")\n\
             module(load=\"imudp\")\ninput(type=\"imudp\" port=\"{udp}\" address=\"127.0.0.1\")\n\
             *.* action(type=\"omfile\" file=\"{}\" template=\"{format}\")\n",
            path("socket"),
            path("loghost.log")
        );
        place.write("rsyslog.conf", config.as_bytes());
        let mut command = Command::new("rsyslogd");
        command.arg("-n").arg("-f").arg(path("rsyslog.conf")).arg("-i").arg(path("rsyslog.pid"));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("rsyslogd is installed");
        let rsyslog = Rsyslog(child);
        until("rsyslog listens", || {
            place.path("socket").exists() && std::net::TcpStream::connect(("127.0.0.1", tcp)).is_ok()
        });
        rsyslog
    }

    #[track_caller]
    fn check(format: &str) {
        let (tcp, udp) = (free_port(), free_port());
        let anchor = |name: &str, address: &str, more: &str| {
            format!("[[anchor]]\nname = \"{name}\"\ntype = \"syslog\"\naddress = \"{address}\"\n{more}\n")
        };
        let anchors = [
            anchor("counted", &format!("tcp://127.0.0.1:{tcp}"), ""),
            anchor("lines", &format!("tcp://127.0.0.1:{tcp}"), "framing = \"lf\""),
            anchor("udp", &format!("udp://127.0.0.1:{udp}"), "facility = \"local3\""),
        ];
        let place = place(&format!("{FILE}\n{}", anchors.concat()));
        fs::create_dir(place.path("vault")).expect("a folder");
        // A path of its own, known only now.
        let unix = anchor("unix", &format!("unix:{}", place.path("socket").display()), "");
        let config = read(&place, "whodid.toml") + &unix;
        place.write("whodid.toml", config.as_bytes());
        let _rsyslog = start(&place, format, tcp, udp);
        log(&place, 0);
        once(&place);
        assert_eq!(told(&place), [""; 0]);
        let size: u64 = checkpoint(&place).lines().nth(1).expect("a size").parse().expect("a number");
        let all = || read(&place, "loghost.log").matches(&format!("/{} {size} ", id(&place))).count() == 4;
        until("rsyslog wrote what came by all ways", all);
        let log = read(&place, "loghost.log");
        let said = place.run(&["trail", "verify", "data", "--key", &key(&place), "--anchor", "loghost.log", "--json"]);
        said.code(0).out_holds("\"verdict\": \"whole\"").out_holds(&format!("\"newest\": {size}"));
        eprintln!("{format}:\n{log}");
    }

    #[test]
    #[ignore = "needs rsyslog"]
    fn what_rsyslog_writes_is_an_anchor() {
        for format in ["RSYSLOG_FileFormat", "RSYSLOG_TraditionalFileFormat", "RSYSLOG_SyslogProtocol23Format"] {
            check(format);
        }
    }
}
