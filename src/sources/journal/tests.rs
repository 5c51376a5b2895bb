//! Records as journalctl prints them, and what must not be believed.

use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::super::tests::stream;
use super::*;
use crate::event::Family;

fn decode(input: &str) -> Vec<Event> {
    let observed = Stamp::from_unix(1_795_176_000, 0);
    let mut decoder = Journal::new(stream(Family::Journal));
    let mut events = Vec::new();
    decoder.push(input.as_bytes(), observed, &mut events);
    decoder.finish(observed, &mut events);
    assert_eq!(decoder.next(), input.len() as u64);
    events
}

/// A record with an address and these fields besides; null takes one away.
fn record(fields: Json) -> String {
    let mut all = json!({
        "__CURSOR": "s=67c67dd6070b4f138a0e0fb75edd6cb4;i=1;b=0123456789abcdef0123456789abcdef;m=1e8480;t=6608b016e7240;x=9bd8",
        "__REALTIME_TIMESTAMP": "1795000001000000", "__MONOTONIC_TIMESTAMP": "2000000",
        "_BOOT_ID": "0123456789abcdef0123456789abcdef", "_HOSTNAME": "web-1", "_TRANSPORT": "syslog",
        "_EXE": "/usr/sbin/sshd", "_COMM": "sshd", "_UID": "0", "_PID": "812",
        "SYSLOG_IDENTIFIER": "sshd", "SYSLOG_FACILITY": "10",
        "MESSAGE": "Accepted password for alice from 203.0.113.7 port 50122 ssh2",
    });
    let (Json::Object(map), Json::Object(fields)) = (&mut all, fields) else { panic!("objects") };
    for (name, value) in fields {
        if value.is_null() { drop(map.remove(&name)) } else { drop(map.insert(name, value)) }
    }
    format!("{all}\n")
}

fn one(fields: Json) -> Event {
    let mut events = decode(&record(fields));
    assert_eq!(events.len(), 1);
    events.pop().expect("one")
}

#[test]
fn a_login_is_that_of_the_auth_log_and_trusted() {
    let event = one(json!({"_SYSTEMD_SESSION": null, "_AUDIT_LOGINUID": "4294967295"}));
    assert_eq!((event.what.action.as_str(), event.trust), ("ssh.login", Trust::Journal));
    assert_eq!((event.who.name.as_deref(), event.place.pid), (Some("alice"), Some(812)));
    assert_eq!(event.detail["auth"]["method"], "password");
    assert_eq!(event.when.micros(), 1_795_000_001_000_000);
    let tree = event.detail_tree();
    assert_eq!((&tree["journal"]["_EXE"], &tree["journal"]["loginuid"]), (&json!("/usr/sbin/sshd"), &Json::Null));
}

#[test]
fn what_the_sender_is_comes_from_the_kernel() {
    let event = one(json!({"_SYSTEMD_SESSION": "7", "_AUDIT_SESSION": "9", "_AUDIT_LOGINUID": "1000"}));
    assert_eq!((event.who.session.as_deref(), &event.detail["journal"]["loginuid"]), (Some("7"), &json!("1000")));
    assert_eq!(one(json!({"_AUDIT_SESSION": "9"})).who.session.as_deref(), Some("9"));
    assert_eq!(one(json!({"_AUDIT_SESSION": "4294967295"})).who.session, None);
}

#[test]
fn a_message_by_logger_is_claimed_and_its_sender_is_named() {
    let input = record(json!({"_EXE": "/usr/bin/logger", "_COMM": "logger", "_UID": "1000", "_SYSTEMD_SESSION": "7"}));
    let events = decode(&input);
    let [claimed, spoof] = events.as_slice() else { panic!("{events:#?}") };
    assert_eq!((claimed.what.action.as_str(), claimed.trust), ("ssh.login", Trust::Claimed));
    assert_eq!((claimed.tags.as_slice(), claimed.who.session.as_deref()), (&["spoof_suspect".to_owned()][..], None));
    assert_eq!((spoof.what.action.as_str(), spoof.trust), ("auth.spoof_suspect", Trust::Journal));
    assert_eq!((spoof.who.id.as_deref(), spoof.who.session.as_deref()), (Some("1000"), Some("7")));
    assert_eq!(spoof.detail["journal"]["event"], json!(claimed.id));
    assert_eq!(spoof.reason.as_deref(), Some("it says that it is sshd, but /usr/bin/logger sent it"));
    assert_ne!(spoof.id, claimed.id);
    assert_eq!((claimed.source.next, spoof.source.next), (Some(0), Some(input.len() as u64)));
}

#[test]
fn without_the_fields_of_journald_nothing_is_trusted_and_nobody_suspected() {
    let event = one(json!({"_EXE": null, "_COMM": null, "_UID": null, "_TRANSPORT": null}));
    assert_eq!((event.trust, event.tags.len()), (Trust::Claimed, 0));
    let event = one(json!({"_EXE": ["/usr/sbin/sshd", "/usr/bin/logger"], "_COMM": ["sshd", "x"]}));
    assert_eq!(event.trust, Trust::Claimed);
}

#[test]
fn an_id_is_the_same_wherever_the_record_is_read() {
    let first = one(json!({}));
    let copied = one(json!({"__CURSOR": "s=0;i=9;b=0;m=0;t=0;x=0", "__SEQNUM": "9", "__SEQNUM_ID": "0"}));
    assert_eq!(first.id, copied.id);
    let bytes: Vec<u8> = b"Accepted password for alice from 203.0.113.7 port 50122 ssh2".to_vec();
    assert_eq!(first.id, one(json!({"MESSAGE": bytes})).id);
    assert_eq!(first.id, decode(&format!("\n\n{}", record(json!({}))))[0].id);
    for other in [json!({"MESSAGE": "x"}), json!({"__MONOTONIC_TIMESTAMP": "1"}), json!({"_BOOT_ID": "f".repeat(32)})] {
        assert_ne!(first.id, one(other).id);
    }
}

#[test]
fn sessions_units_and_cores_are_read_from_their_fields() {
    let logind = json!({
        "MESSAGE_ID": "3354939424b4456d9802ca8333ed424a", "SESSION_ID": "7", "USER_ID": "alice", "LEADER": "801",
        "MESSAGE": "Removed session 7.", "SYSLOG_IDENTIFIER": "systemd-logind", "_COMM": "systemd-logind",
        "_EXE": "/usr/lib/systemd/systemd-logind",
    });
    let event = one(logind);
    assert_eq!((event.what.action.as_str(), event.who.name.as_deref()), ("session.remove", Some("alice")));
    assert_eq!((event.who.session.as_deref(), event.trust), (Some("7"), Trust::Journal));
    let unit = json!({
        "MESSAGE_ID": "9d1aaa27d60140bd96365438aad20286", "UNIT": "auditd.service", "JOB_TYPE": "stop",
        "JOB_RESULT": "done", "SYSLOG_IDENTIFIER": "systemd", "_COMM": "systemd", "_EXE": "/usr/lib/systemd/systemd",
        "_PID": "1", "MESSAGE": "Stopped auditd.service - Security Auditing Service.", "SYSLOG_FACILITY": "3",
    });
    let event = one(unit.clone());
    assert_eq!((event.what.action.as_str(), event.what.object.as_deref()), ("unit.stop", Some("auditd.service")));
    assert_eq!((event.outcome, event.trust), (Outcome::Success, Trust::Journal));
    let mut forged = unit;
    forged["_EXE"] = json!("/home/m/x");
    assert_eq!(decode(&record(forged)).len(), 2);
    let core = json!({
        "MESSAGE_ID": "fc2e22bc6ee647b6b90729ab34a250b1", "COREDUMP_UID": "1000", "COREDUMP_EXE": "/usr/bin/sudo",
        "COREDUMP_PID": "4711", "COREDUMP_SIGNAL_NAME": "SIGSEGV", "COREDUMP_CMDLINE": "sudo --password=hunter2",
        "SYSLOG_IDENTIFIER": "systemd-coredump", "_COMM": "systemd-coredum", "_EXE": "/usr/lib/systemd/systemd-coredump",
        "MESSAGE": "Process 4711 (sudo) of user 1000 dumped core.",
    });
    let event = one(core);
    assert_eq!((event.what.action.as_str(), event.who.id.as_deref()), ("process.coredump", Some("1000")));
    let text = serde_json::to_string(&event).expect("an event");
    assert!(!text.contains("hunter2") && text.contains(tag::REDACTED), "{text}");
}

#[test]
fn a_command_line_holds_no_secret_though_nothing_says_that_it_is_one() {
    for command in ["vault login hunter2", "aws configure set aws_secret_access_key hunter2", "xfreerdp /p:hunter2"] {
        let event = one(json!({
            "SYSLOG_IDENTIFIER": "sudo", "_EXE": "/usr/bin/sudo", "_COMM": "sudo", "_CMDLINE": format!("sudo {command}"),
            "MESSAGE": format!("ana : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/{command}"),
        }));
        let text = serde_json::to_string(&event).expect("an event");
        assert!(!text.contains("hunter2") && text.contains(tag::REDACTED), "{text}");
    }
}

#[test]
fn losses_are_counted_if_journald_says_so() {
    let lost = |fields: Json| {
        let line = record(fields);
        let bytes = line.trim_end().as_bytes();
        let line = Line { pos: 0, next: bytes.len() as u64, bytes, part: Part::Whole };
        let mut out = Vec::new();
        Reader::new(stream(Family::Journal)).read(line, Select::Auth, Stamp::from_unix(0, 0), &mut out).lost
    };
    let dropped = json!({
        "MESSAGE_ID": DROPPED, "N_DROPPED": "42", "UNIT": "a.service", "MESSAGE": "Suppressed 42 messages from a.service",
        "SYSLOG_IDENTIFIER": "systemd-journald", "_TRANSPORT": "driver", "_COMM": "systemd-journal",
        "_EXE": "/usr/lib/systemd/systemd-journald", "SYSLOG_FACILITY": "3",
    });
    assert_eq!(lost(dropped.clone()).and_then(|lost| lost.count), Some(42));
    let mut missed = dropped.clone();
    missed["MESSAGE_ID"] = json!(MISSED);
    missed["MESSAGE"] = json!("Missed 3 kernel messages");
    assert_eq!(lost(missed).and_then(|lost| lost.count), Some(3));
    let mut forged = dropped;
    forged["_TRANSPORT"] = json!("journal");
    forged["_EXE"] = json!("/usr/bin/python3.11");
    forged["_UID"] = json!("1000");
    assert_eq!(lost(forged), None, "anybody could make gaps");
    assert_eq!(lost(json!({})), None);
}

#[test]
fn only_what_an_auth_log_would_hold_is_wanted() {
    let is_wanted = |fields: Json| wanted::is_wanted(&Record::parse(record(fields).trim_end()).expect("a record"));
    let other = json!({"SYSLOG_FACILITY": "3", "SYSLOG_IDENTIFIER": "app", "_COMM": "app", "_EXE": "/usr/bin/app", "MESSAGE": "hello"});
    let with = |name: &str, value: &str| {
        let mut fields = other.clone();
        fields[name] = json!(value);
        is_wanted(fields)
    };
    assert!(!is_wanted(other.clone()));
    assert!(is_wanted(json!({})) && with("SYSLOG_FACILITY", "4") && with("SYSLOG_IDENTIFIER", "sudo"));
    assert!(with("_COMM", "sshd") && with("_TRANSPORT", "audit") && with("_SYSTEMD_UNIT", "sshd@1-a-b.service"));
    assert!(with("MESSAGE_ID", DROPPED) && with("MESSAGE", "pam_unix(app:auth): authentication failure"));
}

#[test]
fn what_is_no_record_is_kept_as_it_is() {
    let events = decode("{\"__CURSOR\":\nnot json\n[1]\n");
    assert_eq!(events.iter().map(|event| event.what.action.as_str()).collect::<Vec<_>>(), [UNPARSED; 3]);
    assert_eq!(events[1].raw.as_deref(), Some("not json"));
}

#[test]
fn a_file_is_told_by_its_first_line() {
    assert!(is_journal(record(json!({})).as_bytes()) && is_journal_file(b"LPKSHHRH\0\0"));
    assert!(!is_journal(b"{\"Records\":[]}") && !is_journal(b"") && !is_journal_file(b"LPKS"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a user may set of a record, it is never trusted as another's.
    #[test]
    fn no_user_is_believed_to_be_sshd(
        program in prop::sample::select(vec!["sshd", "sshd-session", "sudo", "systemd-logind", "su", "polkitd", "login"]),
        message in prop::sample::select(vec![
            "Accepted password for root from 203.0.113.1 port 22 ssh2",
            "pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)",
            "alice : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
            "New session 1 of user root.",
        ]),
        id in prop::sample::select(vec!["", DROPPED, "8d45620c1a4348dbb17410da57c60c66", "39f53479d3a045ac8e11786248231fbf"]),
        transport in prop::sample::select(vec!["syslog", "journal", "stdout"]),
        exe in prop::sample::select(vec!["/usr/bin/logger", "/home/m/sshd", "/tmp/sudo", "/usr/bin/python3"]),
    ) {
        let fields = json!({
            "SYSLOG_IDENTIFIER": program, "MESSAGE": message, "MESSAGE_ID": id, "_TRANSPORT": transport, "_EXE": exe,
            "_UID": "1000", "SYSLOG_PID": "1", "_COMM": program,
        });
        let events = decode(&record(fields));
        prop_assert_eq!(events.len(), 2);
        prop_assert_eq!((events[0].trust, events[1].what.action.as_str()), (Trust::Claimed, "auth.spoof_suspect"));
    }

    #[test]
    fn nothing_makes_it_panic(pairs in prop::collection::vec((any::<String>(), value()), 0..6), cut in any::<prop::sample::Index>()) {
        let map: Map<String, Json> = pairs.into_iter().collect();
        let mut line = record(Json::Object(map));
        decode(&line);
        line.truncate(line.floor_char_boundary(cut.index(line.len())));
        decode(&line);
    }
}

fn value() -> impl Strategy<Value = Json> {
    prop_oneof![
        any::<String>().prop_map(Json::from),
        any::<Vec<u8>>().prop_map(Json::from),
        prop::collection::vec(any::<String>(), 0..3).prop_map(Json::from),
        Just(json!([null, [1, 2], "x"])),
        Just(json!({"a": 1})),
        Just(json!(-7)),
        Just(json!(true)),
    ]
}
