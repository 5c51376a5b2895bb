//! The local socket and the spool folder, and what people might put there.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixStream;

use super::{Place, stop, until};

fn record(n: usize) -> String {
    format!(
        "{{\"whodid\":\"exec\",\"action\":\"run.start\",\"time\":\"2026-11-20T10:11:12Z\",\"run\":\"r{n}\",\"user\":\"root\",\"uid\":0,\"name\":\"flood\"}}\n"
    )
}

fn connect(place: &Place) -> UnixStream {
    until("the writer listens", || UnixStream::connect(place.path("data/intake")).is_ok());
    UnixStream::connect(place.path("data/intake")).expect("a writer listens")
}

#[test]
fn everybody_may_hand_over_and_each_record_is_answered() {
    let place = Place::new("");
    let writer = place.start(&["run"]);
    let mut stream = connect(&place);
    let mode = fs::metadata(place.path("data/intake")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    // Many at once, twice: what is sent again is known.
    for _ in 0..2 {
        let mut reading = BufReader::new(stream.try_clone().expect("a descriptor"));
        let answers = std::thread::spawn(move || {
            let mut answers = Vec::new();
            for _ in 0..2_000 {
                let mut line = String::new();
                reading.read_line(&mut line).expect("an answer");
                answers.push(line);
            }
            answers
        });
        stream.write_all((0..2_000).map(record).collect::<String>().as_bytes()).expect("taken");
        let answers = answers.join().expect("all answers");
        assert!(answers.iter().all(|answer| answer == "{\"done\":true}\n"), "{:?}", answers.first());
    }
    assert_eq!(place.search("exec.name:flood").len(), 2_000);
    assert!(stop(writer).success());
    place.verify();
}

#[test]
fn nothing_that_is_said_there_stops_the_writer() {
    let place = Place::new("");
    let writer = place.start(&["run"]);
    drop(connect(&place));
    let exchange = |bytes: &[u8]| {
        let mut stream = connect(&place);
        stream.write_all(bytes).unwrap_or_default();
        stream.shutdown(std::net::Shutdown::Write).unwrap_or_default();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap_or_default();
        String::from_utf8_lossy(&answer).into_owned()
    };
    for kept in [
        "\u{1b}[2J\u{0}\n",
        "{\"whodid\":\"whodid\",\"action\":\"trail.genesis\"}\n",
        "null\n",
        "{\"do\":\"rotate_key\"}\n",
    ] {
        assert_eq!(exchange(kept.as_bytes()), "{\"done\":true}\n", "{kept}");
    }
    assert_eq!(exchange(b"\xff\xfe\n"), "{\"done\":true}\n");
    assert_eq!(exchange(b"\n\r\n \n"), "");
    assert_eq!(exchange(b"half a line"), "", "what was not ended was not sent");
    assert!(exchange(&vec![b'x'; 200_000]).contains("at most 65536 bytes"));
    // Idle ones take all places of this user; whoever comes then goes to the spool, and arrives from there.
    let socket = place.path("data/intake");
    let idle: Vec<_> = (0..200).map(|_| UnixStream::connect(&socket).expect("a writer listens")).collect();
    let said = place.run(&["exec", "--name", "patient", "--", "true"]);
    said.code(0);
    assert_eq!(said.err, "");
    until("both records arrive", || place.search("exec.name:patient AND whodid.via:*").len() == 2);
    drop(idle);
    assert_eq!(place.search("source.kind:exec AND what.action:unparsed").len(), 5);
    assert!(place.search("what.action:trail.key_rotated").is_empty());
    assert!(stop(writer).success());
    place.verify();
}

#[test]
fn only_plain_files_are_taken_from_the_spool() {
    let place = Place::with_auth_log();
    place.write("log/auth.log", b"Nov 20 10:11:12 web-1 sshd[1]: Server listening on :: port 22.\n");
    place.write("data/spool/good", (record(1) + &record(2)).as_bytes());
    place.write("data/spool/garbage", b"no record\xff\n\n");
    place.write("data/spool/empty", b"");
    place.write("data/spool/long", &vec![b'x'; 5 << 20]);
    place.write("data/spool/many", &b"a\n".repeat(1 << 20));
    place.write("data/spool/.unfinished", record(3).as_bytes());
    place.write("data/spool/folder/file", record(4).as_bytes());
    place.write("precious", b"what nobody may see");
    fs::hard_link(place.path("precious"), place.path("data/spool/linked")).expect("linked");
    symlink(place.path("precious"), place.path("data/spool/symlink")).expect("linked");
    std::process::Command::new("mkfifo").arg(place.path("data/spool/fifo")).status().expect("a pipe");
    place.run(&["run", "--once"]).code(0);
    let mut left: Vec<_> =
        fs::read_dir(place.path("data/spool")).expect("a folder").flatten().map(|entry| entry.file_name()).collect();
    left.sort();
    assert_eq!(left, [".unfinished", "folder"]);
    assert!(place.path("precious").exists() && !String::from_utf8_lossy(&place.trail()).contains("nobody may see"));
    assert_eq!(place.search("exec.name:flood").len(), 2);
    assert_eq!(place.search("source.kind:exec AND what.action:unparsed").len(), 1);
    let refused = place.search("what.action:source.damaged AND what.object:intake");
    assert!(refused[0].reason.as_deref().is_some_and(|reason| reason.starts_with("held 5 entries")), "{refused:#?}");
    place.verify();
}

mod as_root {
    use super::*;

    #[test]
    #[ignore = "needs root and a file system with chattr's flags"]
    fn what_cannot_be_removed_from_the_spool_is_a_failure_and_not_a_loop() {
        let place = Place::with_auth_log();
        place.write("log/auth.log", b"Nov 20 10:11:12 web-1 sshd[1]: Server listening on :: port 22.\n");
        place.write("data/spool/good", record(1).as_bytes());
        place.write("data/spool/long", &vec![b'x'; 5 << 20]);
        let chattr = |flag: &str| {
            let paths = ["good", "long"].map(|name| place.path("data/spool").join(name));
            std::process::Command::new("chattr").arg(flag).args(paths).status().expect("chattr").success()
        };
        assert!(chattr("+i"), "the file system has no such flag");
        let stuck = "what.action:source.failed AND what.object:intake";
        for _ in 0..2 {
            place.run(&["run", "--once"]).code(1);
            assert_eq!(place.search("exec.name:flood").len(), 1);
            let failed = place.search(stuck);
            assert_eq!(failed.len(), 1, "{failed:#?}");
            let reason = failed[0].reason.as_deref().unwrap_or_default();
            assert!(
                reason.starts_with("holds what cannot be removed (") && reason.contains(" of user 0: "),
                "{reason}"
            );
            assert!(place.search("what.action:source.damaged").is_empty(), "it was not removed");
        }
        assert!(chattr("-i"));
        place.run(&["run", "--once"]).code(0);
        assert_eq!(fs::read_dir(place.path("data/spool")).expect("a folder").count(), 0);
        assert_eq!(place.search("exec.name:flood").len(), 1);
        assert_eq!(place.search("what.action:source.back AND what.object:intake").len(), 1);
        place.verify();
    }
}
