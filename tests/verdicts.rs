//! What the program answers when it could not do all that it was asked for.

use std::io::Write as _;
use std::process::Stdio;

use crate::program::{Place, stop, until};

const LINE: &[u8] = b"Nov 20 10:11:12 web-1 sshd[1]: Accepted password for alice from 203.0.113.7 port 50122 ssh2\n";

#[test]
fn one_pass_that_is_stopped_has_not_read_all() {
    let place = Place::new("");
    let ingest = ["ingest", "--type", "auth", "-"];
    let mut child = place.command(&ingest).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it runs");
    // Kept open: there may be more to come.
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(LINE).expect("it reads");
    until("the line is stored", || {
        let found = place.command(&["search", "alice"]).output().expect("it runs");
        String::from_utf8_lossy(&found.stdout).contains("ssh.login")
    });
    assert_eq!(stop(child).code(), Some(1));
    drop(stdin);
    place.verify();
}

#[test]
fn a_check_of_the_present_does_not_look_where_time_stands_still() {
    let rest = "[[source]]\nname = \"auth\"\ntype = \"auth\"\npaths = [\"auth.log\"]\n";
    let place = Place::new(&format!("{rest}[replay]\nnow = \"2026-11-20T12:00:00Z\"\n"));
    place.write("auth.log", LINE);
    place.run(&["run", "--once"]).code(0);
    place.run(&["check", "linux/ssh-login-as-root"]).code(0);
    let live = Place::new(rest);
    let data = place.path("data").to_string_lossy().into_owned();
    live.run(&["--data", &data, "check", "linux/ssh-login-as-root"]).code(3).out_holds("holds a replay trail");
}
