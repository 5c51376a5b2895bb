//! Whatever is fed to it: a clear message or an event, everything else goes on, nothing is lost.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;

use whodid::event::Event;

use super::{Place, Said, gzip, stop, until};

const GOOD: &str = "Nov 20 10:11:12 web-1 sshd[412]: Failed password for root from 203.0.113.7 port 50122 ssh2\n";

const RECORD: &str = r#"{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","userName":"alice","accountId":"111122223333"},"eventTime":"2026-11-20T10:00:00Z","eventSource":"ec2.amazonaws.com","eventName":"DescribeInstances","awsRegion":"eu-west-1","sourceIPAddress":"203.0.113.7","eventID":"6f1c7a2e-0000-4000-8000-000000000001","recipientAccountId":"111122223333"}"#;

/// A line that must come through whatever stands beside it.
fn with_good_neighbours(bad: &[u8]) -> Vec<u8> {
    [GOOD.as_bytes(), bad, b"\n", GOOD.replace("root", "admin").as_bytes()].concat()
}

/// Stores a log and gives back its events.
fn stored(log: &[u8]) -> (Place, Vec<Event>) {
    let place = Place::with_auth_log();
    place.write("log/auth.log", log);
    place.run(&["run", "--once"]).code(0);
    place.verify();
    let events = place.search("source.kind:auth");
    (place, events)
}

#[track_caller]
fn neighbours_are_there(events: &[Event]) {
    for user in ["root", "admin"] {
        let known = |event: &&Event| event.who.name.as_deref() == Some(user) && event.what.action == "ssh.login";
        assert_eq!(events.iter().filter(known).count(), 1, "{user}");
    }
}

#[test]
fn garbage_is_kept_as_it_is_and_its_neighbours_are_read() {
    let garbage: Vec<u8> = (0..=255u8).cycle().filter(|byte| *byte != b'\n').take(4_096).collect();
    let (place, events) = stored(&with_good_neighbours(&garbage));
    neighbours_are_there(&events);
    assert_eq!(events.len(), 3);
    let shown = place.run(&["search", "what.action:unparsed", "--format", "table"]);
    assert!(shown.code(0).out.chars().all(|c| c == '\n' || !c.is_control()), "{shown:?}");
}

#[test]
fn control_and_bidi_characters_never_reach_the_output() {
    let hostile =
        "Nov 20 10:12:00 web-1 sshd[9]: Invalid user a\u{1b}[2J\u{202e}b\u{200b}\u{7} from 203.0.113.9 port 22";
    let (place, events) = stored(&with_good_neighbours(hostile.as_bytes()));
    neighbours_are_there(&events);
    for format in ["whodid", "ecs", "table", "csv"] {
        let shown = place.run(&["search", "*", "--format", format]);
        let hostile = |c: &char| (c.is_control() && *c != '\n' && *c != '\r') || ['\u{202e}', '\u{200b}'].contains(c);
        // JSON and CSV are for programs: there only what moves a cursor matters.
        let hostile_here =
            |c: &char| if format == "table" { hostile(c) } else { c.is_control() && !"\n\r".contains(*c) };
        assert_eq!(shown.code(0).out.chars().find(hostile_here), None, "{format}");
    }
}

#[test]
fn a_line_of_ten_megabytes_is_kept_whole() {
    let long = vec![b'x'; 10 << 20];
    let (_, events) = stored(&with_good_neighbours(&long));
    neighbours_are_there(&events);
    let pieces = events.iter().filter(|event| event.what.action == "unparsed");
    let kept: usize = pieces.map(|event| event.raw.as_ref().map_or(0, String::len)).sum();
    assert!(kept >= long.len(), "{kept} bytes of {}", long.len());
}

#[test]
fn half_a_line_waits_for_its_end() {
    let place = Place::with_auth_log();
    let (half, rest) = GOOD.split_at(40);
    place.write("log/auth.log", half.as_bytes());
    place.run(&["run", "--once"]).code(0);
    place.write("log/auth.log", [half, rest].concat().as_bytes());
    place.run(&["run", "--once"]).code(0);
    let events = place.search("source.kind:auth");
    assert_eq!(events.iter().map(|event| event.raw.as_deref()).collect::<Vec<_>>(), [Some(GOOD.trim_end())]);
}

#[test]
fn a_corrupt_gzip_gives_what_can_be_read_and_an_event_about_the_rest() {
    let place = Place::with_auth_log();
    let lines: String = (0..5_000).map(|i| GOOD.replace("50122", &format!("{}", 10_000 + i))).collect();
    let mut packed = gzip(lines.as_bytes());
    let middle = packed.len() / 2;
    packed[middle] ^= 0x55;
    place.write("log/auth.log.2.gz", &packed);
    place.write("log/auth.log", GOOD.as_bytes());
    let said = place.run(&["run", "--once"]);
    assert!(said.err.contains("auth.log.2.gz") || said.out.contains("auth.log.2.gz"), "{said:?}");
    assert!(!place.search("what.action:source.damaged OR what.action:source.failed").is_empty());
    assert!(place.search("source.kind:auth").iter().any(|event| event.raw.as_deref() == Some(GOOD.trim_end())));
}

fn cloudtrail(objects: &[(&str, Vec<u8>)]) -> (Place, Said) {
    let place = Place::new("[[source]]\nname = \"aws\"\ntype = \"cloudtrail\"\npaths = [\"objects\"]\n");
    for (name, bytes) in objects {
        place.write(&format!("objects/{name}"), bytes);
    }
    let said = place.run(&["run", "--once"]);
    place.verify();
    (place, said)
}

#[test]
fn a_bad_object_of_cloudtrail_does_not_hide_the_others() {
    let good = format!("{{\"Records\":[{RECORD}]}}");
    let deep = format!("{{\"Records\":[{}{}]}}", "[".repeat(10_000), "]".repeat(10_000));
    let cut = &good.as_bytes()[..good.len() - 20];
    let doubled = [gzip(good.as_bytes()), gzip(good.as_bytes())].concat();
    let (place, _) = cloudtrail(&[
        ("a-deep.json", deep.into_bytes()),
        ("b-no-records.json", b"{\"hello\":\"world\"}".to_vec()),
        ("c-cut.json", cut.to_vec()),
        ("d-garbage.json.gz", b"\x1f\x8b\x08garbage".to_vec()),
        ("e-doubled.json.gz", doubled),
        ("f-good.json.gz", gzip(good.as_bytes())),
    ]);
    assert_eq!(place.search("what.action:DescribeInstances AND who.name:alice").len(), 1, "stored once, and found");
    for name in ["a-deep.json", "b-no-records.json", "c-cut.json", "d-garbage.json.gz", "e-doubled.json.gz"] {
        let by_origin = place.search(&format!("source.origin:*{name}")).into_iter();
        let told = place.search("what.action:(source.damaged OR source.failed)");
        let told = told.iter().any(|event| serde_json::to_string(event).expect("an event").contains(name));
        assert!(told || by_origin.count() > 0, "nothing about {name}");
    }
}

#[test]
fn a_wtmp_that_was_cut_gives_its_whole_records() {
    let place = Place::new("");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart/wtmp");
    let whole = fs::read(example).expect("the example");
    place.write("wtmp", &whole[..whole.len() - 100]);
    let said = place.run(&["decode", "--type", "wtmp", "wtmp"]);
    let events: Vec<Event> = said.out.lines().map(|line| Event::decode(line.as_bytes()).expect("an event")).collect();
    assert_eq!(events.len(), whole.len() / 384);
    let (rest, records) = events.split_last().expect("events");
    assert!(records.iter().all(|event| event.what.action != "unparsed"));
    assert_eq!((rest.what.action.as_str(), rest.source.next), ("unparsed", Some(whole.len() as u64 - 100)));
}

#[test]
fn a_missing_file_is_said_and_the_others_are_read() {
    let place = Place::new(
        "[[source]]\nname = \"a\"\ntype = \"auth\"\npaths = [\"gone.log\"]\n\
         [[source]]\nname = \"b\"\ntype = \"auth\"\npaths = [\"auth.log\"]\ntz = \"UTC\"\n",
    );
    place.write("auth.log", GOOD.as_bytes());
    place.run(&["run", "--once"]).code(1).err_holds("gone.log").err_holds("missing");
    assert_eq!(place.search("what.action:ssh.login").len(), 1);
    assert_eq!(place.search("what.action:source.failed").len(), 1);
    // It is said once, and once more when it is back.
    place.run(&["run", "--once"]).code(1);
    assert_eq!(place.search("what.action:source.failed").len(), 1);
    place.write("gone.log", GOOD.replace("root", "bob").as_bytes());
    place.run(&["run", "--once"]).code(0);
    assert_eq!(place.search("what.action:source.back").len(), 1);
}

#[test]
fn a_second_instance_names_the_first() {
    let place = Place::with_auth_log();
    place.write("log/auth.log", GOOD.as_bytes());
    let child = place.start(&["run"]);
    until("the first one has the folder", || super::exists(&place.path("data/trail/origin")));
    until("the lock is held", || super::exists(&place.path("data/lock")));
    let said = place.run(&["run", "--once"]);
    said.code(1).err_holds(&child.id().to_string());
    // Readers are not in its way.
    place.run(&["trail", "stat"]).code(0);
    assert!(stop(child).success());
    place.run(&["run", "--once"]).code(0);
}

#[test]
fn a_check_on_a_folder_without_a_trail_is_unknown() {
    let place = Place::with_auth_log();
    let said = place.run(&["check", "linux/ssh-brute-force"]);
    said.code(3).out_holds("UNKNOWN");
    assert_eq!(said.out.lines().count(), 1);
    assert!(!place.path("data").exists(), "a check writes nothing");
}

#[test]
fn a_link_that_leads_nowhere_is_no_reason_to_stop() {
    let place = Place::with_auth_log();
    place.write("log/auth.log", GOOD.as_bytes());
    symlink("/nowhere/at/all", place.path("log/auth.log.9")).expect("a link");
    place.run(&["run", "--once"]);
    assert_eq!(place.search("what.action:ssh.login").len(), 1);
}

/// Tests that take another user's place.
mod as_root {
    use super::*;

    const NOBODY: u32 = 65_534;

    /// Dropping to another user, std drops root's groups too.
    fn run_as_nobody(place: &Place, args: &[&str]) -> Said {
        place.command(args).uid(NOBODY).gid(NOBODY).output().expect("it runs").into()
    }

    fn open_to_all(place: &Place) {
        let folder = place.folder.path();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("ours");
    }

    #[test]
    #[ignore = "needs root"]
    fn a_check_by_a_user_who_may_not_read_is_unknown() {
        let place = Place::with_auth_log();
        open_to_all(&place);
        place.write("log/auth.log", GOOD.as_bytes());
        place.run(&["run", "--once"]).code(0);
        run_as_nobody(&place, &["check", "linux/ssh-brute-force"]).code(3).out_holds("UNKNOWN");
    }

    #[test]
    #[ignore = "needs root"]
    fn a_file_that_may_not_be_read_is_said_and_the_others_are_read() {
        let place = Place::new(
            "[[source]]\nname = \"a\"\ntype = \"auth\"\npaths = [\"log/secret.log\"]\n\
             [[source]]\nname = \"b\"\ntype = \"auth\"\npaths = [\"log/auth.log\"]\ntz = \"UTC\"\n",
        );
        place.write("log/secret.log", GOOD.as_bytes());
        place.write("log/auth.log", GOOD.replace("root", "bob").as_bytes());
        fs::set_permissions(place.path("log/secret.log"), fs::Permissions::from_mode(0o600)).expect("ours");
        std::os::unix::fs::chown(place.folder.path(), Some(NOBODY), Some(NOBODY)).expect("root");
        open_to_all(&place);
        run_as_nobody(&place, &["run", "--once"])
            .code(1)
            .err_holds("secret.log")
            .err_holds("may not be read by this user");
        assert_eq!(place.search("what.action:ssh.login").len(), 1);
    }

    #[test]
    #[ignore = "needs root"]
    fn a_read_only_data_folder_is_said() {
        let place = Place::with_auth_log();
        open_to_all(&place);
        place.write("log/auth.log", GOOD.as_bytes());
        fs::create_dir(place.path("data")).expect("a folder");
        run_as_nobody(&place, &["run", "--once"]).code(1).err_holds("data");
    }
}
