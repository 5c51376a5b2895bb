//! A command and a writer that runs: what is asked at the local socket is done, for those who may ask.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::{Place, stop, until};

fn ask(socket: &Path, request: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).expect("a writer listens");
    stream.write_all(request).expect("taken");
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_hold_is_switched_while_the_writer_runs() {
    let place = Place::with_auth_log();
    place.write("log/auth.log", b"Nov 20 10:11:12 web-1 sshd[1]: Server listening on :: port 22.\n");
    let socket = place.path("data/socket");
    // One that a killed writer left behind is no hindrance.
    place.write("data/socket", b"");
    let writer = place.start(&["run"]);
    until("the writer listens", || UnixStream::connect(&socket).is_ok());
    let mode = std::fs::metadata(&socket).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    place.run(&["trail", "hold", "on", "case 7"]).code(0).err_holds("the hold is on");
    place.run(&["trail", "stat"]).code(0).out_holds("nothing is deleted: case 7");
    place.run(&["trail", "hold", "on", " "]).code(1).err_holds("a hold needs a reason");
    place.run(&["trail", "hold", "off", "case 7 is closed"]).code(0).err_holds("the hold is off");
    assert!(!place.path("data/trail/hold").exists());

    let key = place.run(&["trail", "rotate-key"]);
    key.code(0).err_holds("key 1 signs from entry");
    let vkey = place.run(&["trail", "init"]);
    vkey.code(0).out_holds(key.out_of().trim());

    for bad in ["{}\n", "\u{1b}[2J\n", "{\"do\":\"prune\"}\n", "{\"do\":\"hold\",\"on\":true}\n"] {
        let answer = ask(&socket, bad.as_bytes());
        assert!(answer.starts_with(r#"{"error":"that is no request"#) && !answer.contains('\u{1b}'), "{answer}");
    }
    let endless = vec![b' '; 80_000];
    let mut stream = UnixStream::connect(&socket).expect("a writer listens");
    // It may hang up before it has all.
    stream.write_all(&endless).unwrap_or_default();
    let too_long = format!("{{\"do\":\"hold\",\"on\":true,\"reason\":\"{}\"}}\n", "x".repeat(5_000));
    assert!(ask(&socket, too_long.as_bytes()).contains("more than 4096 bytes"));

    assert!(stop(writer).success());
    assert!(!socket.exists());
    let said = place.search("what.action:trail.hold");
    let told = |event: &whodid::event::Event| {
        let facts = &event.detail["whodid"];
        (facts["hold"].to_string(), facts["reason"].to_string(), event.who.id.clone(), event.place.pid.is_some())
    };
    let uid = Some(rustix::process::getuid().as_raw().to_string());
    let mut said: Vec<_> = said.iter().map(told).collect();
    said.sort();
    let expected = [("\"off\"", "\"case 7 is closed\""), ("\"on\"", "\"case 7\"")];
    assert_eq!(said, expected.map(|(on, why)| (on.to_owned(), why.to_owned(), uid.clone(), true)));
    place.verify();
}
