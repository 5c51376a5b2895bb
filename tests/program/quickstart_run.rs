//! The first thing anybody does with it.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Said, program};

/// The example, with its folders in a place of its own.
fn copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart");
    let copied = Command::new("cp").arg("-r").arg(&from).arg(folder.path()).status().expect("cp");
    assert!(copied.success());
    let config = folder.path().join("quickstart/whodid.toml");
    let text = fs::read_to_string(&config).expect("readable").replace("../../target/quickstart", "..");
    fs::File::create(&config)
        .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
        .expect("written");
    folder
}

fn run(folder: &Path, args: &[&str]) -> Said {
    program().arg("--config").arg(folder.join("quickstart/whodid.toml")).args(args).output().expect("it runs").into()
}

#[test]
fn the_example_fires_and_says_who_did_what_when() {
    let folder = copy();
    let said = run(folder.path(), &["run", "--once"]);
    said.code(0).err_holds("time stands still at 2026-11-20T12:00:00Z");
    for part in [
        "auth.log",
        "wtmp",
        "AWSLogs",
        "CRITICAL",
        "0.0.0.0/0",
        "linux/ssh-brute-force",
        "whodid search",
        "whodid check",
    ] {
        said.out_holds(part);
    }
    let check = run(folder.path(), &["check", "aws/security-group-open-to-world"]);
    check.code(2).out_holds("0.0.0.0/0").out_holds("AuthorizeSecurityGroupIngress").out_holds("2026-11-20T");
    assert_eq!(check.out.lines().count(), 1, "{}", check.out);
    run(folder.path(), &["trail", "verify"]).code(0);
}

#[test]
fn a_second_run_adds_nothing() {
    let folder = copy();
    let size = || run(folder.path(), &["trail", "stat"]).out;
    run(folder.path(), &["run", "--once"]).code(0);
    let before = size();
    run(folder.path(), &["run", "--once"]).code(0);
    assert_eq!(size(), before);
}

/// The first block of text is the session, the second the check, the third the verification.
#[test]
fn the_readme_shows_what_it_prints() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md");
    let mut blocks = readme.split("```text\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let mut block = |name: &str| blocks.next().unwrap_or_else(|| panic!("no {name} in README.md"));
    let (session, check, verification) = (block("session"), block("check"), block("verification"));
    let folder = copy();
    let plain = |text: &str| uncounted(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let said = plain(&run(folder.path(), &["run", "--once"]).out);
    // What depends on the folder is not compared.
    let paths = ["examples/quickstart/", "target/"];
    for line in session.lines().filter(|line| !paths.iter().any(|path| line.contains(path))) {
        assert!(said.contains(&plain(line)), "the program does not say: {line}");
    }
    let said = run(folder.path(), &["check", "aws/security-group-open-to-world"]);
    assert_eq!(check.lines().nth(1), said.out.lines().next());
    let keys = fs::read_dir(folder.path().join("keys")).expect("keys").map(|entry| entry.expect("readable").path());
    let vkey = keys.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "vkey"));
    let mut verify = program();
    verify.args(["trail", "verify"]).arg(folder.path().join("data")).arg("--key").arg(vkey.expect("a public key"));
    let said = Said::from(verify.output().expect("it runs"));
    // The name of the trail is random, and how long its entries are depends on how long reading took.
    let fixed = |text: &str| {
        text.lines()
            .filter(|l| !l.starts_with("entries ") && !l.starts_with("trail "))
            .fold(String::new(), |all, line| all + &uncounted(line) + "\n")
    };
    assert_eq!(fixed(verification.split_once('\n').expect("a command").1), fixed(&said.out));
}

/// Without the numbers that every shipped query and alert changes: of entries, and of alerts in a state.
fn uncounted(text: &str) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    for at in 0..words.len() {
        let is_counted = words
            .get(at + 1)
            .is_some_and(|next| ["CRITICAL,", "WARNING,", "OK", "sent,"].iter().any(|s| next.starts_with(s)));
        let counts =
            at.checked_sub(1).and_then(|before| words.get(before)).is_some_and(|word| matches!(*word, "to" | "entry"));
        if (is_counted || counts) && words[at].starts_with(|c: char| c.is_ascii_digit()) {
            words[at] = "N";
        }
    }
    words.join(" ")
}
