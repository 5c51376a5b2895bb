//! Arguments, help and exit codes.

use std::io::Write as _;
use std::process::Stdio;

use super::{Place, Said, program};

fn run(args: &[&str]) -> Said {
    program().args(args).output().expect("it runs").into()
}

#[test]
fn help_teaches_every_command() {
    let help = run(&["--help"]);
    help.code(0);
    for command in [
        "run",
        "ingest",
        "decode",
        "search",
        "check",
        "query",
        "alert",
        "trail",
        "index",
        "config",
        "doctor",
        "completions",
    ] {
        help.out_holds(&format!("\n  {command} "));
        let own = run(&[command, "--help"]);
        own.code(0).out_holds("Usage: whodid");
    }
}

#[test]
fn completions_are_for_the_common_shells() {
    for shell in ["bash", "zsh", "fish"] {
        run(&["completions", shell]).code(0).out_holds("whodid");
    }
}

#[test]
fn wrong_usage_of_check_is_unknown() {
    run(&["check"]).code(3);
    run(&["check", "--wrong"]).code(3);
    run(&["search"]).code(2);
}

#[test]
fn all_mistakes_of_a_configuration_are_said_at_once() {
    let place = Place::new("colour = 1\n[[source]]\nname = \"a\"\ntype = \"auht\"\npaths = [\"x\"]\n");
    let said = place.run(&["config", "check"]);
    said.code(1).err_holds("whodid.toml:5").err_holds("colour").err_holds("auht");
}

#[test]
fn a_mistake_in_a_query_is_pointed_at() {
    let place = Place::with_auth_log();
    place.write("log/auth.log", b"Nov 20 10:00:00 web-1 sshd[1]: Server listening on 0.0.0.0 port 22.\n");
    place.run(&["run", "--once"]).code(0);
    place.run(&["search", "who.nmae:alice"]).code(1).err_holds("^").err_holds("who.name");
}

#[test]
fn standard_input_is_recognised_packed_or_not() {
    let record = br#"{"Records":[{"eventVersion":"1.08","eventTime":"2026-11-20T10:00:00Z","eventSource":"ec2.amazonaws.com","eventName":"DescribeInstances","awsRegion":"eu-west-1","eventID":"e"}]}"#;
    for input in [record.to_vec(), super::gzip(record)] {
        let mut child = program();
        child.arg("decode").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.spawn().expect("it runs");
        child.stdin.take().expect("piped").write_all(&input).expect("it reads");
        let said = Said::from(child.wait_with_output().expect("it ends"));
        said.code(0).out_holds("\"action\":\"DescribeInstances\"");
    }
}
