//! `whodid check-es-query-count` and its kin as they are run: by name and by link, against a server that answers
//! anything, and below `servers` against the real ones.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

use whodid::es_query::Kind;

use crate::program::Said;

mod servers;

const PROGRAM: &str = env!("CARGO_BIN_EXE_whodid");

fn run(program: &Path, args: &[&str]) -> Said {
    Command::new(program).args(args).stdin(Stdio::null()).output().expect("it runs").into()
}

/// `whodid CHECK` with these arguments.
fn check(name: &str, args: &[&str]) -> Said {
    run(Path::new(PROGRAM), &[&[name], args].concat())
}

/// Takes one request, answers with these bytes, and gives back what it got.
struct Once {
    port: String,
    served: JoinHandle<String>,
}

impl Once {
    fn new(answer: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port().to_string();
        let answer = answer.into();
        let served = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a client");
            let request = request(&stream);
            // Whoever asked may have gone: that is for the test to judge.
            (&stream).write_all(&answer).unwrap_or_default();
            request
        });
        Self { port, served }
    }

    fn json(status: &str, body: &str) -> Self {
        let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
        Self::new(format!("{head}connection: close\r\n\r\n{body}"))
    }

    fn got(self) -> String {
        self.served.join().expect("served")
    }
}

fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut text, mut length) = (String::new(), 0);
    loop {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).expect("a line");
        let line = String::from_utf8_lossy(&line).into_owned();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        text.push_str(&line);
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    text + &String::from_utf8(body).expect("text")
}

const WINDOW: [&str; 8] = ["-h", "127.0.0.1", "-q", "x", "--days-previous", "1", "-i", "a"];

#[track_caller]
fn says(answer: Once, more: &[&str], code: i32, line: &str) -> String {
    let said = check("check-es-query-count", &[&WINDOW[..], &["-p", answer.port.as_str()], more].concat());
    said.code(code);
    assert_eq!(said.out_of(), format!("{line}\n"), "{said:?}");
    answer.got()
}

const SEVENTEEN: &str = r#"{"count":17,"_shards":{"total":5,"successful":5,"skipped":0,"failed":0}}"#;
const CRITICAL: &str = "ESQueryCount CRITICAL: Query count (17) was above critical threshold. ";

#[test]
fn it_is_the_plugin_by_its_own_name_and_by_a_link() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["check-es-query-count", "check-es-query-count.rb"] {
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(PROGRAM, &link).expect("a link");
        let answer = Once::json("200 OK", SEVENTEEN);
        let said = run(&link, &[&WINDOW[..], &["-p", answer.port.as_str()]].concat());
        assert_eq!((said.code_of(), said.out_of()), (Some(2), format!("{CRITICAL}\n").as_str()), "{said:?}");
        let got = answer.got();
        assert!(got.starts_with("POST /a/_count?ignore_unavailable=true HTTP/1.1\r\n"), "{got}");
        assert!(got.contains("\r\ncontent-type: application/json\r\n"), "{got}");
        run(&link, &[]).code(2).out_holds(&format!("You must supply -q QUERY!\nUsage: {name} (options)\n"));
        run(&link, &["--help"]).code(0).out_holds(&format!("Usage: {name} (options)\n"));
    }
    says(Once::json("200 OK", SEVENTEEN), &[], 2, CRITICAL);
    says(
        Once::json("200 OK", SEVENTEEN),
        &["-w", "5", "-c", "17"],
        1,
        "ESQueryCount WARNING: Query count (17) was above warning threshold. ",
    );
    says(Once::json("200 OK", SEVENTEEN), &["-w", "17", "-c", "17"], 0, "ESQueryCount OK: Query count (17) was ok");
}

#[test]
fn who_asks_and_what_is_said_besides_is_sent() {
    let login = ["-s", "http", "-u", "monitor", "-P", "p:w", "-H", "X-Tenant: a b, X-Other:c"];
    let got = says(Once::json("200 OK", SEVENTEEN), &login, 2, CRITICAL);
    for header in ["authorization: Basic bW9uaXRvcjpwOnc=", "x-tenant: a b", "x-other: c"] {
        assert!(got.contains(&format!("\r\n{header}\r\n")), "{header}: {got}");
    }
}

#[test]
fn what_does_not_answer_is_unknown() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port().to_string();
    let fails = |args: &[&str], text: &str| {
        let said = check("check-es-query-count", args);
        said.code(3).out_holds("Check failed to run: ").out_holds(text);
        assert_eq!(said.out_of().lines().count(), 1, "{said:?}");
        // A password is in no message.
        assert!(!format!("{said:?}").contains("hunter2"), "{said:?}");
    };
    let with = |more: &[&'static str]| [&WINDOW[..], more].concat();
    fails(&[&WINDOW[..], &["-p", &closed, "-u", "a", "-P", "hunter2", "-s", "http"]].concat(), "cannot be reached");
    // Nobody ever answers here: the connection is taken by the system alone.
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = deaf.local_addr().expect("bound").port().to_string();
    fails(&[&WINDOW[..], &["-p", &port, "-t", "1"]].concat(), "not in time");
    let html = Once::new("HTTP/1.1 200 OK\r\ncontent-length: 15\r\n\r\n<html>\n</html>\n");
    fails(
        &[&WINDOW[..], &["-p", &html.port]].concat(),
        "no answer of Elasticsearch or OpenSearch: \"<html>\\n</html>\"",
    );
    html.got();
    let cut = Once::new("HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"count\":0,");
    fails(&[&WINDOW[..], &["-p", &cut.port]].concat(), "end of file before message length reached");
    cut.got();
    // Another protocol than the one that is spoken there.
    let plain = Once::json("200 OK", SEVENTEEN);
    let said = check("check-es-query-count", &[&WINDOW[..], &["-p", &plain.port, "-s", "https", "-t", "5"]].concat());
    said.code(3).out_holds("Check failed to run: ");
    drop(TcpStream::connect(format!("127.0.0.1:{}", plain.port)));
    fails(&with(&["-s", "ftp"]), "--scheme ftp");
    fails(&with(&["-p", "0"]), "--port 0");
    fails(&with(&["-t", "0"]), "--timeout");
    fails(&with(&["-H", "no colon"]), "no colon");
    fails(&with(&["-u", "somebody"]), "-u and -P belong together");
    fails(&with(&["-h", "user:hunter2@example.com"]), "--host");
    fails(&with(&["--transport", "AWS"]), "--region");
    fails(&with(&["--ca", "not-there.pem"]), "not-there.pem");
}

#[test]
fn a_mistake_in_the_options_is_not_ok() {
    check("check-es-query-count", &["--nonsense"])
        .code(3)
        .out_holds("Invalid check argument(s): invalid option: --nonsense");
    check("check-es-query-exists", &[]).code(2).out_holds("You must supply --id ID!");
    check("check-es-query-average", &["-q", "x"]).code(2).out_holds("You must supply -a FIELD!");
    check("check-es-query-ratio", &["-q", "x"]).code(2).out_holds("You must supply -Q QUERY!");
    // Not where it belongs, which monitoring must not take for CRITICAL.
    run(Path::new(PROGRAM), &["--verbose", "check-es-query-count", "-q", "x"]).code(3);
}

#[test]
fn rows_for_people_do_not_change_the_line() {
    let said = check("check-es-query-count", &["--details", "--nonsense"]);
    said.code(3);
    let failing = Once::json("200 OK", SEVENTEEN);
    // The second request finds nobody: the verdict stands.
    let said = check("check-es-query-count", &[&WINDOW[..], &["-p", &failing.port, "--details"]].concat());
    assert_eq!((said.code_of(), said.out_of()), (Some(2), format!("{CRITICAL}\n").as_str()), "{said:?}");
    said.err_holds("--details: ");
    failing.got();
}

#[test]
fn every_option_is_in_the_document() {
    let read =
        |name: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a document");
    let text = read("docs/check-es-query.md");
    for kind in Kind::ALL {
        let usage = whodid::es_query::usage(kind, kind.command());
        let long = |word: &&str| word.starts_with("--") && *word != "--help" && *word != "--version";
        let options: Vec<&str> = usage.split_whitespace().filter(long).collect();
        assert!(options.len() > 20, "{usage}");
        for option in options {
            let is_there = text.contains(&format!("`{option}")) || text.contains(&format!(" {option}"));
            assert!(is_there, "docs/check-es-query.md does not mention {option} of {}", kind.command());
        }
    }
}

/// The command of the example, as Sensu's agent runs it: by a shell.
#[test]
fn the_example_for_sensu_runs() {
    let text = include_str!("../examples/sensu/check-es-query-count.yml");
    let (_, command) = text.split_once("command: >-\n").expect("a command");
    let (command, _) = command.split_once("\n  subscriptions").expect("its end");
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink(PROGRAM, folder.path().join("check-es-query-count.rb")).expect("a link");
    let answer = Once::json("200 OK", SEVENTEEN);
    let command = command.replace('\n', " ").replace("search.example.com", "127.0.0.1").replace("9200", &answer.port);
    let said: Said =
        Command::new("/bin/sh").args(["-c", &command]).env("PATH", folder.path()).output().expect("it runs").into();
    assert_eq!((said.code_of(), said.out_of()), (Some(2), format!("{CRITICAL}\n").as_str()), "{said:?}");
    assert!(answer.got().contains("\"default_field\":\"eventName\""));
}
