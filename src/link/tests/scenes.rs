//! One scene each, and what is known at its end.

use super::*;

const ANA: &str = "\
Nov 20 09:00:00 web-1 sshd[100]: Accepted publickey for ana from 203.0.113.7 port 50122 ssh2: ED25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU
Nov 20 09:00:00 web-1 sshd[100]: pam_unix(sshd:session): session opened for user ana(uid=1001) by (uid=0)
Nov 20 09:00:00 web-1 systemd-logind[600]: New session 7 of user ana.
Nov 20 09:00:00 web-1 sshd[101]: Starting session: shell on pts/0 for ana from 203.0.113.7 port 50122 id 0
";

#[test]
fn what_root_does_on_the_terminal_is_done_by_whoever_became_root_there() {
    let log = format!(
        "{ANA}\
Nov 20 09:01:00 web-1 sudo:      ana : TTY=pts/0 ; PWD=/home/ana ; USER=root ; COMMAND=/bin/bash
Nov 20 09:01:00 web-1 sudo: pam_unix(sudo:session): session opened for user root(uid=0) by ana(uid=1001)
Nov 20 09:02:00 web-1 useradd[130]: new user: name=mallory, UID=1009, GID=1009, home=/home/mallory, shell=/bin/bash, from=/dev/pts/0
Nov 20 09:03:00 web-1 su[131]: (to deploy) root on pts/0
Nov 20 09:03:00 web-1 su[131]: pam_unix(su:session): session opened for user deploy(uid=1005) by ana(uid=0)
Nov 20 09:03:30 web-1 sudo:   deploy : TTY=pts/0 ; PWD=/srv ; USER=www-data ; COMMAND=/usr/bin/id
Nov 20 09:04:00 web-1 su[131]: pam_unix(su:session): session closed for user deploy
Nov 20 09:05:00 web-1 sudo:      ana : TTY=pts/0 ; PWD=/home/ana ; USER=root ; COMMAND=/usr/bin/id
Nov 20 09:10:00 web-1 sshd[101]: Disconnected from user ana 203.0.113.7 port 50122
Nov 20 09:10:00 web-1 sshd[100]: pam_unix(sshd:session): session closed for user ana
"
    );
    assert_eq!(
        told(&auth(&log)),
        [
            "session.open: ana@203.0.113.7 (pid, Medium)",
            "session.start: ana@203.0.113.7 (user, Medium)",
            "ssh.session.start: ana@203.0.113.7 (pid, Medium)",
            "sudo.command: ana@203.0.113.7 > root (tty, Medium)",
            "session.open: ana@203.0.113.7 > root (tty+command, Medium)",
            "user.add: ana@203.0.113.7 > root (tty, Medium)",
            "su.session: ana@203.0.113.7 > root > deploy (tty, Medium)",
            "session.open: ana@203.0.113.7 > root > deploy (tty+pid, Medium)",
            "sudo.command: ana@203.0.113.7 > root > deploy > www-data (tty, Medium)",
            "session.close: ana@203.0.113.7 > root > deploy (tty+pid, Medium)",
            "sudo.command: ana@203.0.113.7 > root (tty, Medium)",
            "ssh.logout: ana@203.0.113.7 (pid, Medium)",
            "session.close: ana@203.0.113.7 (pid, Medium)",
        ]
    );
}

#[test]
fn what_the_journal_says_of_sessions_is_high() {
    let log = "\
Nov 20 09:00:00 web-1 sshd[100]: Accepted publickey for ana from 203.0.113.7 port 50122 ssh2: ED25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU
Nov 20 09:00:00 web-1 sshd[100]: pam_unix(sshd:session): session opened for user ana(uid=1001) by (uid=0)
Nov 20 09:01:00 web-1 sudo[110]:      ana : PWD=/home/ana ; USER=root ; COMMAND=/usr/sbin/useradd -m ben
Nov 20 09:01:00 web-1 sudo[110]: pam_unix(sudo:session): session opened for user root(uid=0) by ana(uid=1001)
Nov 20 09:01:00 web-1 useradd[111]: new user: name=ben, UID=1010, GID=1010, home=/home/ben, shell=/bin/sh, from=none
Nov 20 09:01:01 web-1 sudo[110]: pam_unix(sudo:session): session closed for user root
";
    let events = journal(log, &[(100, "7"), (110, "7"), (111, "7")]);
    assert_eq!(
        told(&events),
        [
            "session.open: ana@203.0.113.7 (pid, High)",
            "sudo.command: ana@203.0.113.7 > root (session, High)",
            "session.open: ana@203.0.113.7 > root (session+pid, High)",
            "user.add: ana@203.0.113.7 > root (session, High)",
            "session.close: ana@203.0.113.7 > root (session+pid, High)",
        ]
    );
}

#[test]
fn a_forged_line_attaches_nobody_to_what_the_journal_vouches_for() {
    let forged = "\
Nov 20 09:00:30 web-1 sshd[100]: Accepted password for mallory from 198.51.100.66 port 1 ssh2
Nov 20 09:00:31 web-1 systemd-logind[600]: New session 7 of user mallory.
Nov 20 09:00:32 web-1 sshd[100]: Starting session: shell on pts/0 for mallory from 198.51.100.66 port 1 id 0
";
    let log =
        format!("{ANA}Nov 20 09:01:00 web-1 sudo[110]: ana : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id\n");
    let mut events = journal(&log, &[(100, "7"), (110, "7")]);
    let honest = told(&events);
    assert_eq!(honest.last().map(String::as_str), Some("sudo.command: ana@203.0.113.7 > root (session, High)"));
    events.extend(auth(forged));
    let with_forged = told(&events);
    let trusted: Vec<String> = with_forged.into_iter().filter(|line| !line.contains("mallory")).collect();
    assert_eq!(trusted, honest);
}

#[test]
fn a_tool_within_the_time_of_its_sudo_was_run_by_it() {
    let log = format!(
        "{ANA}\
Nov 20 09:01:00 web-1 sudo[110]:      ana : PWD=/home/ana ; USER=root ; COMMAND=/usr/sbin/adduser ben
Nov 20 09:01:00 web-1 sudo[110]: pam_unix(sudo:session): session opened for user root(uid=0) by ana(uid=1001)
Nov 20 09:09:00 web-1 useradd[111]: new user: name=ben, UID=1010, GID=1010, home=/home/ben, shell=/bin/sh
Nov 20 09:09:01 web-1 sudo[110]: pam_unix(sudo:session): session closed for user root
Nov 20 09:09:02 web-1 useradd[112]: new user: name=eve, UID=1011, GID=1011, home=/home/eve, shell=/bin/sh
"
    );
    let told = told(&auth(&log));
    let added: Vec<&String> = told.iter().filter(|line| line.starts_with("user.add")).collect();
    assert_eq!(added, ["user.add: ana@203.0.113.7 > root (user+command, Low)"]);
}

#[test]
fn two_sessions_of_one_account_share_what_they_share() {
    let two = |second: &str| {
        auth(&format!(
            "{ANA}Nov 20 09:00:30 web-1 sshd[200]: Accepted publickey for ana from {second}\n\
Nov 20 09:01:00 web-1 sudo:      ana : PWD=/home/ana ; USER=root ; COMMAND=/usr/bin/id\n"
        ))
    };
    let last = |events: &[Event]| told(events).into_iter().find(|line| line.starts_with("sudo"));
    let same_key = two("203.0.113.8 port 5 ssh2: ED25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU");
    assert_eq!(last(&same_key).as_deref(), Some("sudo.command: ana > root (user, Low)"));
    let other_key = two("203.0.113.8 port 5 ssh2: ED25519 SHA256:AAAAQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU");
    assert_eq!(last(&other_key), None);
}

#[test]
fn a_console_is_a_place_and_cron_is_nobody() {
    let log = "\
Nov 20 09:00:00 web-1 login[50]: pam_unix(login:session): session opened for user ana(uid=1001) by LOGIN(uid=0)
Nov 20 09:00:00 web-1 login[50]: LOGIN ON tty1 BY ana
Nov 20 09:01:00 web-1 sudo:      ana : TTY=tty1 ; PWD=/home/ana ; USER=root ; COMMAND=/bin/bash
Nov 20 09:01:10 web-1 useradd[55]: new user: name=eve, UID=1011, GID=1011, home=/home/eve, shell=/bin/sh, from=/dev/tty1
Nov 20 09:02:00 web-1 CRON[60]: pam_unix(cron:session): session opened for user ben(uid=1002) by (uid=0)
Nov 20 09:02:00 web-1 sudo:      ben : PWD=/ ; USER=root ; COMMAND=/usr/bin/id
Nov 20 09:02:01 web-1 CRON[60]: pam_unix(cron:session): session closed for user ben
";
    // The sudo says all of it itself.
    assert_eq!(told(&auth(log)), ["user.add: ana@tty1 > root (user+tty, Low)"]);
}

#[test]
fn contradictions_are_said_and_taken_back() {
    let quiet = |minute: u32| format!("Nov 20 09:{minute:02}:00 web-1 CRON[{minute}]: (root) CMD (true)\n");
    let around = quiet(0) + &quiet(30);
    let session = wtmp("2026-11-20T09:15:00Z", "session.open", Some("eve"), "pts/3", Some("198.51.100.7"));
    let mut events = auth(&around);
    events.push(session.clone());
    assert_eq!(told(&events), ["session.open: session_without_auth"]);
    // Nothing can be said where nobody listened.
    assert_eq!(told(&[&auth(&quiet(0))[..], std::slice::from_ref(&session)].concat()), [] as [&str; 0]);
    let login = "Nov 20 09:14:59 web-1 sshd[9]: Accepted password for eve from 198.51.100.7 port 9 ssh2\n";
    events.extend(auth(login));
    assert_eq!(told(&events), [] as [&str; 0]);

    let sudo = "Nov 20 09:15:00 web-1 sudo:      eve : TTY=pts/3 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id\n";
    assert_eq!(told(&auth(&format!("{}{sudo}{}", quiet(0), quiet(30)))), ["sudo.command: sudo_without_session"]);
    let left = "Nov 20 09:20:00 web-1 sshd[9]: pam_unix(sshd:session): session closed for user eve\n";
    assert_eq!(told(&auth(&format!("{}{sudo}{left}{}", quiet(0), quiet(30)))), [] as [&str; 0]);
    let daemon = sudo.replace("TTY=pts/3 ; ", "");
    assert_eq!(told(&auth(&format!("{}{daemon}{}", quiet(0), quiet(30)))), [] as [&str; 0]);

    let removed = "Nov 20 09:15:00 web-1 userdel[7]: delete user 'eve'\n";
    let after = login.replace("09:14:59", "09:16:00");
    assert_eq!(told(&auth(&format!("{removed}{after}"))), ["ssh.login: login_of_unknown_account"]);
    let invalid = "Nov 20 09:14:58 web-1 sshd[9]: Invalid user eve from 198.51.100.7 port 9\n";
    assert_eq!(told(&auth(&format!("{invalid}{login}"))), ["ssh.login: login_of_unknown_account"]);
}

#[test]
fn a_flood_of_made_up_logins_pushes_out_nothing_that_is_vouched_for() {
    let log =
        format!("{ANA}Nov 20 10:00:00 web-1 sudo[110]: ana : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/id\n");
    let mut events = journal(&log, &[(100, "7"), (110, "7")]);
    let sudo = events.pop().expect("the sudo");
    let flood: String = (0..20_000)
        .map(|n| {
            format!(
                "Nov 20 09:30:00 web-1 sshd[{n}]: Accepted password for ana from 198.51.100.66 port {} ssh2\n",
                n % 60_000 + 1
            )
        })
        .collect();
    events.extend(auth(&flood));
    events.push(sudo.clone());
    let bounds = Bounds { facts: 64, logins: 100, ..Bounds::default() };
    let known = joined(&events, 1_000, bounds);
    assert_eq!(
        known.get(&sudo.id).map(|(link, _)| link.facts.chain.join(" ")).as_deref(),
        Some("ana@203.0.113.7 root")
    );
}

/// What a user handed over by the spool, where the kernel knows but the owner of the file.
fn handed_over(family: Family, line: &str, host: &str) -> Event {
    let sender = Sender { via: "spool", uid: 1009, name: Some("mallory".to_owned()), ..Sender::default() };
    let mut event = received(line.as_bytes(), &sender, &Marks::default(), "intake", "web-1", observed());
    assert_eq!(event.source.kind, family);
    event.place.host = Some(host.to_owned());
    event
}

#[test]
fn what_a_record_says_of_terminals_processes_and_machines_ties_it_to_nobody() {
    let run = r#"{"whodid":"exec","action":"run.start","time":"2026-11-20T09:05:00Z","run":"r1","user":"ana","pid":100,"tty":"pts/0","name":"x","command":"x"}"#;
    let task = r#"{"whodid":"ansible","action":"ansible.task","time":"2026-11-20T09:05:00Z","run":"r1","user":"ana","tty":"pts/0","target":"web-1","name":"x","status":"ok"}"#;
    let mut events = auth(ANA);
    let honest = told(&events);
    events.push(handed_over(Family::Exec, run, "web-1"));
    events.push(handed_over(Family::Ansible, task, "web-1"));
    assert_eq!(events.last().and_then(|task| task.place.tty.as_deref()), None);
    assert_eq!(told(&events), honest);
    // Nor do tasks of machines that nobody has take the places of others.
    let mut joiner = Joiner::new(Bounds { hosts: 2, ..Bounds::default() });
    for n in 0..9 {
        joiner.take(n, &handed_over(Family::Ansible, task, &format!("host-{n}")));
    }
    assert_eq!(joiner.held(), Held::default());
}

#[test]
fn who_forges_is_known_by_the_session_and_what_was_forged_is_no_evidence() {
    let forged = "\
Nov 20 09:01:00 web-1 sshd[200]: Accepted password for ben from 198.51.100.66 port 1 ssh2
Nov 20 09:01:01 web-1 sshd[201]: Starting session: shell on pts/0 for ben from 198.51.100.66 port 1 id 0
";
    let mut events = journal(ANA, &[(100, "7")]);
    let honest = told(&events);
    for mut event in auth(forged) {
        event.tag("spoof_suspect");
        events.push(event);
    }
    assert_eq!(told(&events), honest);
    let mut spoof = auth("Nov 20 09:02:00 web-1 logger[202]: x\n").remove(0);
    spoof.what.action = "auth.spoof_suspect".to_owned();
    spoof.trust = Trust::Journal;
    spoof.who.session = Some("7".to_owned());
    assert_eq!(
        told(&[events, vec![spoof]].concat()).last().map(String::as_str),
        Some("auth.spoof_suspect: ana@203.0.113.7 (session, High)")
    );
}
