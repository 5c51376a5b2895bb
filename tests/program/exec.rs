//! `whodid exec`: the command as if it ran alone, and its records wherever they can go.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use whodid::event::{Event, Outcome};

use super::{Place, stop, until};

fn listening(place: &Place) -> std::process::Child {
    let writer = place.start(&["run"]);
    until("the writer listens", || place.path("data/intake").exists());
    writer
}

/// The events of runs, in the trail's order.
fn runs(place: &Place) -> Vec<Event> {
    let mut runs = place.search("source.kind:exec");
    runs.sort_by_key(|event| (event.when, event.what.action == "run.finish"));
    runs
}

#[test]
fn a_run_is_in_the_trail_before_the_command_ends() {
    let place = Place::new("");
    let writer = listening(&place);
    let said = place.run(&["exec", "--name", "deploy", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]);
    said.code(3);
    assert_eq!((said.out_of(), said.err.as_str()), ("out\n", "err\n"), "nothing is added");
    let runs = runs(&place);
    let [start, finish] = runs.as_slice() else { panic!("{runs:#?}") };
    assert_eq!((start.what.action.as_str(), start.outcome), ("run.start", Outcome::Success));
    assert_eq!((finish.what.action.as_str(), finish.outcome), ("run.finish", Outcome::Failure));
    assert_eq!(finish.reason.as_deref(), Some("exit code 3"));
    assert_eq!((start.what.run.len(), &start.what.run), (1, &finish.what.run));
    let uid = rustix::process::getuid().as_raw();
    for event in [start, finish] {
        assert_eq!(event.what.object.as_deref(), Some("deploy"));
        assert_eq!(event.what.command.as_deref(), Some("sh -c 'echo out; echo err >&2; exit 3'"));
        assert_eq!(event.place.host.as_deref(), Some("web-1"));
        assert_eq!((&event.detail["whodid"]["via"], &event.detail["whodid"]["uid"]), (&"socket".into(), &uid.into()));
        assert!(event.detail["whodid"]["exe"].as_str().is_some_and(|exe| exe.ends_with("/whodid")));
    }
    let own = place.search("whodid.via:socket AND what.action:run.finish AND exec.exit:3");
    assert_eq!(own.len(), 1);
    assert!(stop(writer).success());
    assert!(!place.path("data/intake").exists());
    place.verify();
}

#[test]
fn the_exit_code_is_the_commands() {
    let place = Place::new("[intake]\nlisten = false\n");
    place.write("no-program", b"text");
    for (command, code) in [
        (["sh", "-c", "exit 0"], 0),
        (["sh", "-c", "exit 255"], 255),
        (["sh", "-c", "kill -TERM $$"], 143),
        (["sh", "-c", "kill -KILL $$"], 137),
        (["./no-such-program", "", ""], 127),
        (["./no-program", "", ""], 126),
    ] {
        let said = place.run(&[&["exec", "--"], command.as_slice()].concat());
        said.code(code);
        assert_eq!(said.err.matches("is not recorded").count(), 1, "{said:#?}");
        assert!(said.err.contains("listen = false"), "{said:#?}");
    }
    place.run(&["exec", "--"]).code(2);
}

#[test]
fn without_a_writer_it_waits_in_the_spool_and_is_taken_in_once() {
    let place = Place::with_auth_log();
    place.write("log/auth.log", b"Nov 20 10:11:12 web-1 sshd[1]: Server listening on :: port 22.\n");
    let lost = place.run(&["exec", "--", "mysql-no", "--password=tiger"]);
    lost.code(127).err_holds("this is not recorded").err_holds("data/spool");
    assert!(!lost.err.contains("tiger") && !place.path("data").exists(), "{lost:#?}");
    place.run(&["run", "--once"]).code(0);
    let said = place.run(&["exec", "--", "true"]);
    said.code(0);
    assert_eq!(said.err, "");
    let waiting = || fs::read_dir(place.path("data/spool")).expect("a folder").count();
    assert_eq!(waiting(), 2);
    // One that was read when the writer was killed is read again.
    let twin: Vec<_> = fs::read_dir(place.path("data/spool")).expect("a folder").flatten().collect();
    fs::copy(twin[0].path(), place.path("twin")).expect("copied");
    place.run(&["run", "--once"]).code(0).out_holds("2 events");
    assert_eq!(waiting(), 0);
    fs::copy(place.path("twin"), place.path("data/spool/twin")).expect("copied");
    place.run(&["run", "--once"]).code(0);
    assert_eq!((waiting(), runs(&place).len()), (0, 2));
    place.verify();
}

#[test]
fn runs_within_a_run_are_found_by_its_id() {
    let place = Place::new("");
    let writer = listening(&place);
    let own = env!("CARGO_BIN_EXE_whodid");
    let config = place.path("whodid.toml");
    let inner = [own, "--config", config.to_str().expect("text"), "exec", "--", "sh", "-c", "echo $WHODID_RUN"];
    let said = place.run(&[&["exec", "--name", "outer", "--"], inner.as_slice()].concat());
    said.code(0);
    let (outer, inner) = said.out_of().trim().split_once('/').expect("two ids");
    let names = |run: &str| {
        let found = place.search(&format!("what.run:{run}"));
        let mut names: Vec<_> = found.into_iter().filter_map(|event| event.what.object).collect();
        names.sort();
        names
    };
    assert_eq!(names(outer), ["outer", "outer", "sh", "sh"]);
    assert_eq!(names(inner), ["sh", "sh"]);
    assert!(stop(writer).success());
}

#[test]
fn signals_are_the_commands() {
    let place = Place::new("[intake]\nlisten = false\n");
    let own = env!("CARGO_BIN_EXE_whodid");
    for (signal, name) in [(Signal::TERM, "TERM"), (Signal::INT, "INT"), (Signal::USR1, "USR1"), (Signal::HUP, "HUP")] {
        let script = format!("trap 'echo got; exit 7' {name}; echo ready; while :; do sleep 0.02; done");
        // Whoever runs the tests may ignore HUP (nohup), and what was ignored stays ignored.
        let mut child = Command::new("env")
            .args(["--default-signal", own, "--config", "whodid.toml", "exec", "--", "sh", "-c", &script])
            .current_dir(place.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it runs");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map(|line| line.expect("text"));
        assert_eq!(lines.next().as_deref(), Some("ready"));
        kill_process(Pid::from_child(&child), signal).expect("it runs");
        assert_eq!(lines.next().as_deref(), Some("got"), "{name}");
        assert_eq!(child.wait().expect("it ended").code(), Some(7), "{name}");
    }
}

#[test]
fn what_was_ignored_stays_ignored() {
    let place = Place::new("[intake]\nlisten = false\n");
    let own = env!("CARGO_BIN_EXE_whodid");
    let script = format!("trap '' HUP; exec {own} --config whodid.toml exec -- sh -c 'kill -HUP $$; echo lived'");
    let output = Command::new("sh").args(["-c", &script]).current_dir(place.path("")).output().expect("a shell");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "lived\n");
}

#[test]
fn a_run_that_was_killed_is_a_start_without_a_finish() {
    let place = Place::with_auth_log();
    place.write("log/auth.log", b"Nov 20 10:11:12 web-1 sshd[1]: Server listening on :: port 22.\n");
    place.run(&["run", "--once"]).code(0);
    let mut child = place
        .command(&["exec", "--name", "site.yml", "--", "sh", "-c", "echo ready; read end"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert_eq!(lines.next().and_then(Result::ok).as_deref(), Some("ready"));
    child.kill().expect("it runs");
    child.wait().expect("it was killed");
    // As if that had been two hours ago.
    let waiting: Vec<_> = fs::read_dir(place.path("data/spool")).expect("a folder").flatten().collect();
    let [start] = waiting.as_slice() else { panic!("{waiting:?}") };
    let text = fs::read_to_string(start.path()).expect("readable");
    let mut record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let when = whodid::event::Stamp::parse(record["time"].as_str().expect("text")).expect("an instant");
    record["time"] = serde_json::json!(when.minus(chrono::TimeDelta::hours(2)));
    place.write(&format!("data/spool/{}", start.file_name().to_string_lossy()), record.to_string().as_bytes());
    place.run(&["run", "--once"]).code(0);
    place.run(&["check", "ansible/playbook-without-finish"]).code(1).out_holds("site.yml");
}
