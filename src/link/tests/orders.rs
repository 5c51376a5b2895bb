//! Whatever order events arrive in, and however many at a time, the same is known in the end.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// What can be in a log, with few names, processes and terminals, so that all of them are used again and again.
fn message() -> impl Strategy<Value = String> {
    let user = || select(vec!["ana", "ben", "root"]);
    let pid = || 100_u32..104;
    let tty = || select(vec!["pts/0", "pts/1", "tty1"]);
    let (ip, port) = (|| 7_u32..9, || 1_u32..3);
    let key = || select(vec!["AAAA", "BBBB"]);
    let session = || 1_u32..4;
    prop_oneof![
        3 => (pid(), user(), ip(), port(), key()).prop_map(|(pid, user, ip, port, key)| format!(
            "sshd[{pid}]: Accepted publickey for {user} from 203.0.113.{ip} port {port} ssh2: ED25519 SHA256:{key}"
        )),
        1 => (pid(), user(), ip(), port()).prop_map(|(pid, user, ip, port)| format!(
            "sshd[{pid}]: Accepted password for {user} from 203.0.113.{ip} port {port} ssh2"
        )),
        2 => (pid(), user()).prop_map(|(pid, user)| format!("sshd[{pid}]: pam_unix(sshd:session): session opened for user {user}(uid=1001) by (uid=0)")),
        2 => (pid(), user()).prop_map(|(pid, user)| format!("sshd[{pid}]: pam_unix(sshd:session): session closed for user {user}")),
        1 => (pid(), user(), ip(), port()).prop_map(|(pid, user, ip, port)| format!("sshd[{pid}]: Disconnected from user {user} 203.0.113.{ip} port {port}")),
        1 => (pid(), user(), ip(), port(), tty()).prop_map(|(pid, user, ip, port, tty)| format!(
            "sshd[{pid}]: Starting session: shell on {tty} for {user} from 203.0.113.{ip} port {port} id 0"
        )),
        1 => (pid(), user(), port()).prop_map(|(pid, user, port)| format!("sshd[{pid}]: Invalid user {user} from 203.0.113.7 port {port}")),
        1 => (pid(), pid()).prop_map(|(pid, child)| format!("sshd[{pid}]: User child is on pid {child}")),
        1 => (session(), user()).prop_map(|(session, user)| format!("systemd-logind[60]: New session {session} of user {user}.")),
        1 => session().prop_map(|session| format!("systemd-logind[60]: Removed session {session}.")),
        3 => (pid(), user(), tty(), user()).prop_map(|(pid, user, tty, became)| format!(
            "sudo[{pid}]: {user} : TTY={tty} ; PWD=/ ; USER={became} ; COMMAND=/usr/sbin/useradd x"
        )),
        2 => (user(), user()).prop_map(|(user, became)| format!("sudo: {user} : PWD=/ ; USER={became} ; COMMAND=/usr/bin/id")),
        2 => (pid(), user(), user()).prop_map(|(pid, user, became)| format!(
            "sudo[{pid}]: pam_unix(sudo:session): session opened for user {became}(uid=0) by {user}(uid=1001)"
        )),
        1 => (pid(), user()).prop_map(|(pid, became)| format!("sudo[{pid}]: pam_unix(sudo:session): session closed for user {became}")),
        1 => (pid(), user(), user(), tty()).prop_map(|(pid, user, became, tty)| format!("su[{pid}]: (to {became}) {user} on {tty}")),
        1 => (pid(), user()).prop_map(|(pid, became)| format!("su[{pid}]: pam_unix(su:session): session closed for user {became}")),
        2 => (pid(), tty()).prop_map(|(pid, tty)| format!("useradd[{pid}]: new user: name=x, UID=1, GID=1, home=/, shell=/bin/sh, from=/dev/{tty}")),
        1 => pid().prop_map(|pid| format!("useradd[{pid}]: new user: name=x, UID=1, GID=1, home=/, shell=/bin/sh")),
        1 => (pid(), user()).prop_map(|(pid, user)| format!("userdel[{pid}]: delete user '{user}'")),
        1 => (pid(), user()).prop_map(|(pid, user)| format!("login[{pid}]: LOGIN ON tty1 BY {user}")),
        1 => Just("CRON[9]: (root) CMD (true)".to_owned()),
    ]
}

#[derive(Debug, Clone)]
enum Told {
    Line { message: String, is_journal: bool, session: Option<u32> },
    Wtmp { action: &'static str, user: &'static str, tty: &'static str, ip: u32 },
}

fn told_by() -> impl Strategy<Value = Told> {
    let line = (message(), any::<bool>(), proptest::option::of(1_u32..4));
    let wtmp = (
        select(vec!["session.open", "session.open", "session.close", "system.boot"]),
        select(vec!["ana", "ben"]),
        select(vec!["pts/0", "pts/1", "tty1"]),
        7_u32..9,
    );
    prop_oneof![
        8 => line.prop_map(|(message, is_journal, session)| Told::Line { message, is_journal, session }),
        1 => wtmp.prop_map(|(action, user, tty, ip)| Told::Wtmp { action, user, tty, ip }),
    ]
}

/// Of one of two machines, some seconds or minutes after nine: many stamps are equal, some jump.
fn scene() -> impl Strategy<Value = Vec<Event>> {
    let when = prop_oneof![4 => 0_u32..90, 1 => 0_u32..3_000];
    proptest::collection::vec((told_by(), when, 1_u32..3), 1..60).prop_map(|told| {
        let event = |(n, (told, seconds, host)): (usize, (Told, u32, u32))| {
            let (minute, second) = (seconds / 60, seconds % 60);
            let mut event = match told {
                Told::Line { message, is_journal, session } => {
                    let mut event = auth(&format!("Nov 20 09:{minute:02}:{second:02} web-1 {message}\n")).remove(0);
                    if is_journal {
                        event.trust = Trust::Journal;
                        event.who.session = event.who.session.or(session.map(|session| session.to_string()));
                    }
                    event
                }
                Told::Wtmp { action, user, tty, ip } => {
                    let when = format!("2026-11-20T09:{minute:02}:{second:02}Z");
                    wtmp(&when, action, Some(user), tty, Some(&format!("203.0.113.{ip}")))
                }
            };
            event.id = EventId::new(Family::Auth, &[&n.to_be_bytes()], 0);
            event.source.pos = Some(n as u64 / 3);
            event.source.lineage = Some(Lineage::new("web", Family::Auth, &[host as u8 + n as u8 % 2]));
            event.place.host = Some(format!("web-{host}"));
            event
        };
        told.into_iter().enumerate().map(event).collect()
    })
}

#[test]
fn a_start_reads_a_long_trail_and_says_nothing_twice() {
    let bounds = Bounds { facts: 1_000, ..Bounds::default() };
    let line = |n: u32| {
        let (hour, minute, second) = (9 + n / 3_600, n / 60 % 60, n % 60);
        format!(
            "Nov 20 {hour:02}:{minute:02}:{second:02} web-1 sudo: ana : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/{n}\n"
        )
    };
    let login = "Nov 20 08:59:59 web-1 sshd[100]: Accepted password for ana from 203.0.113.7 port 50122 ssh2\n";
    let log: String = std::iter::once(login.to_owned()).chain((0..45_000).map(line)).collect();
    let (mut joiner, mut trail) = (Joiner::new(bounds), Vec::new());
    for events in auth(&log).chunks(500) {
        for event in events {
            joiner.take(trail.len() as u64, event);
            trail.push(event.clone());
        }
        for link in joiner.settle() {
            joiner.take(trail.len() as u64, &link.to_event());
            trail.push(link.to_event());
        }
    }
    assert_eq!(trail.len(), 90_001);
    let mut again = Joiner::new(bounds);
    for (seq, event) in (0..).zip(&trail) {
        again.take(seq, event);
    }
    assert!(again.concluded.0.len() < 40_000, "{}", again.concluded.0.len());
    assert_eq!(again.settle().len(), 0);
}

proptest! {
    #[test]
    fn any_order_and_any_batches_end_the_same(
        events in scene(),
        moves in proptest::collection::vec((any::<Index>(), any::<Index>()), 0..80),
        batch in 1_usize..20,
    ) {
        let mut in_order = events.clone();
        in_order.sort_by_key(|event| event.when);
        let expected = joined(&in_order, usize::MAX, Bounds::default());
        prop_assert_eq!(&joined(&in_order, 1, Bounds::default()), &expected, "one at a time");
        let mut shuffled = events;
        for (from, to) in moves {
            let (from, to) = (from.index(shuffled.len()), to.index(shuffled.len()));
            shuffled.swap(from, to);
        }
        prop_assert_eq!(&joined(&shuffled, batch, Bounds::default()), &expected, "shuffled");
    }
}
