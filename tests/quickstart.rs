//! The example in `examples/quickstart/`, told as a story and written by code.
//!
//! `UPDATE=1 cargo test --test it quickstart` writes the files again; without it they are compared.
//! Everything happens on 2026-11-20 (UTC), before the noon at which the example's clock stands:
//!
//! | time  | what                                                                        |
//! |-------|-----------------------------------------------------------------------------|
//! | 08:01 | alice logs in with her key and updates packages; bob and carol follow       |
//! | 09:40 | deploy runs a playbook on web-1, to its end                                 |
//! | 10:41 | deploy runs another one; it never finishes                                  |
//! | 11:31 | 198.51.100.77 guesses passwords, and at 11:36 is in as root                 |
//! | 11:33 | carol signs in to the AWS console without MFA; 11:36 root does, with it     |
//! | 11:38 | the guesser makes a user and puts it into sudo                              |
//! | 11:41 | carol tries to read /etc/shadow with sudo                                   |
//! | 11:44 | alice's access key opens port 22 of a security group to the world …         |
//! | 11:47 | … and stops CloudTrail, from the address that guessed the passwords         |

mod cloudtrail;

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use flate2::bufread::GzDecoder;
use flate2::{Compression, GzBuilder};
use serde_json::json;

const GUESSER: &str = "198.51.100.77";
const ALICE: Person = Person {
    name: "alice",
    uid: 1001,
    ip: "203.0.113.7",
    key: Some("SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"),
};
const BOB: Person = Person { name: "bob", uid: 1002, ip: "203.0.113.8", key: None };
const CAROL: Person = Person {
    name: "carol",
    uid: 1003,
    ip: "203.0.113.9",
    key: Some("SHA256:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ"),
};
const DEPLOY: Person = Person {
    name: "deploy",
    uid: 1004,
    ip: "203.0.113.20",
    key: Some("SHA256:vi7kZlOpYCbeBLQ4zbR6ClLEWKzfV7sl0v0YhmVM2xA"),
};
const ROOT: Person = Person { name: "root", uid: 0, ip: GUESSER, key: None };

#[derive(Clone, Copy)]
struct Person {
    name: &'static str,
    uid: u32,
    ip: &'static str,
    /// Fingerprint; without one they use a password.
    key: Option<&'static str>,
}

/// A login session, in both logs.
#[derive(Clone, Copy)]
struct Session {
    person: Person,
    number: u32,
    pid: u32,
    port: u16,
    tty: &'static str,
    from: u32,
    to: Option<u32>,
}

const SESSIONS: &[Session] = &[
    Session {
        person: ALICE,
        number: 2,
        pid: 1203,
        port: 50122,
        tty: "pts/0",
        from: at(8, 1, 12),
        to: Some(at(9, 31, 40)),
    },
    Session {
        person: BOB,
        number: 4,
        pid: 1388,
        port: 51890,
        tty: "pts/1",
        from: at(9, 12, 3),
        to: Some(at(10, 58, 21)),
    },
    Session {
        person: DEPLOY,
        number: 5,
        pid: 1502,
        port: 38810,
        tty: "pts/2",
        from: at(9, 40, 0),
        to: Some(at(9, 44, 30)),
    },
    Session {
        person: DEPLOY,
        number: 7,
        pid: 1840,
        port: 38996,
        tty: "pts/2",
        from: at(10, 41, 0),
        to: Some(at(10, 43, 2)),
    },
    Session { person: CAROL, number: 8, pid: 1955, port: 52044, tty: "pts/1", from: at(11, 2, 9), to: None },
    Session {
        person: ROOT,
        number: 11,
        pid: 3188,
        port: 40300,
        tty: "pts/3",
        from: at(11, 36, 2),
        to: Some(at(11, 49, 55)),
    },
];

/// Seconds since midnight.
const fn at(hour: u32, minute: u32, second: u32) -> u32 {
    hour * 3600 + minute * 60 + second
}

#[test]
fn the_files_are_what_the_story_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart");
    keep(&root.join("auth.log"), auth_log().as_bytes());
    keep(&root.join("wtmp"), &wtmp());
    for (name, records) in cloudtrail::objects() {
        let body = json!({ "Records": records }).to_string();
        keep_gzip(&root.join("AWSLogs/111122223333/CloudTrail/eu-central-1/2026/11/20").join(name), body.as_bytes());
    }
}

fn keep(path: &Path, bytes: &[u8]) {
    if is_update() {
        write(path, bytes);
    }
    assert!(fs::read(path).expect("the example's file") == bytes, "{} differs: UPDATE=1 writes it", path.display());
}

/// Compressors differ by version; what they hold must not.
fn keep_gzip(path: &Path, bytes: &[u8]) {
    if is_update() {
        let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("memory");
        write(path, &encoder.finish().expect("memory"));
    }
    let mut found = Vec::new();
    let compressed = fs::read(path).expect("the example's file");
    GzDecoder::new(compressed.as_slice()).read_to_end(&mut found).expect("gzip");
    assert!(found == bytes, "{} differs: UPDATE=1 writes it", path.display());
}

fn is_update() -> bool {
    std::env::var_os("UPDATE").is_some()
}

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    fs::File::create(path).and_then(|mut file| file.write_all(bytes)).expect("written");
}

/// Lines of syslog in rsyslog's ISO form, sorted by time at the end.
#[derive(Default)]
struct Log {
    lines: Vec<(u32, u32, String)>,
}

impl Log {
    fn add(&mut self, second: u32, program: &str, text: impl AsRef<str>) {
        // Lines of one second keep their order by the microseconds.
        let order = self.lines.iter().filter(|line| line.0 == second).count() as u32;
        let micros = (second * 7919 + 1) % 100_000 + order * 1_217;
        let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
        let line = format!("2026-11-20T{h:02}:{m:02}:{s:02}.{micros:06}+00:00 web-1 {program}: {}", text.as_ref());
        self.lines.push((second, micros, line));
    }

    fn finish(mut self) -> String {
        self.lines.sort_by_key(|line| (line.0, line.1));
        self.lines.into_iter().flat_map(|line| [line.2, "\n".to_owned()]).collect()
    }

    fn cron(&mut self, second: u32, pid: u32) {
        let program = format!("CRON[{pid}]");
        self.add(second, &program, "pam_unix(cron:session): session opened for user root(uid=0) by root(uid=0)");
        self.add(second + 1, &program, "pam_unix(cron:session): session closed for user root");
    }

    fn session(&mut self, session: &Session) {
        let Session { person: Person { name, uid, ip, key }, number, pid, port, from, to, .. } = *session;
        let program = format!("sshd[{pid}]");
        match key {
            Some(key) => self.add(
                from,
                &program,
                format!("Accepted publickey for {name} from {ip} port {port} ssh2: ED25519 {key}"),
            ),
            None => self.add(from, &program, format!("Accepted password for {name} from {ip} port {port} ssh2")),
        }
        let opened = format!("session opened for user {name}(uid={uid}) by {name}(uid=0)");
        self.add(from, &program, format!("pam_unix(sshd:session): {opened}"));
        self.add(from, "systemd-logind[612]", format!("New session {number} of user {name}."));
        self.add(from, &format!("(systemd)[{}]", pid + 3), format!("pam_unix(systemd-user:session): {opened}"));
        let Some(to) = to else { return };
        let child = format!("sshd[{}]", pid + 52);
        self.add(to, &child, format!("Received disconnect from {ip} port {port}:11: disconnected by user"));
        self.add(to, &child, format!("Disconnected from user {name} {ip} port {port}"));
        self.add(to, &program, format!("pam_unix(sshd:session): session closed for user {name}"));
        self.add(to, "systemd-logind[612]", format!("Session {number} logged out. Waiting for processes to exit."));
        self.add(to, "systemd-logind[612]", format!("Removed session {number}."));
    }

    fn sudo(&mut self, second: u32, person: Person, tty: &str, command: &str) {
        let Person { name, uid, .. } = person;
        self.add(second, "sudo", format!("{name:>8} : TTY={tty} ; PWD=/home/{name} ; USER=root ; COMMAND={command}"));
        let opened = format!("pam_unix(sudo:session): session opened for user root(uid=0) by {name}(uid={uid})");
        self.add(second, "sudo", opened);
        self.add(second + 1, "sudo", "pam_unix(sudo:session): session closed for user root");
    }

    fn guess(&mut self, second: u32, pid: u32, port: u16, user: &str, is_known: bool) {
        let program = format!("sshd[{pid}]");
        let failure = format!(
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={GUESSER}"
        );
        if is_known {
            self.add(second, &program, format!("{failure}  user={user}"));
            self.add(second + 2, &program, format!("Failed password for {user} from {GUESSER} port {port} ssh2"));
            let closed = format!("Connection closed by authenticating user {user} {GUESSER} port {port} [preauth]");
            self.add(second + 3, &program, closed);
            return;
        }
        self.add(second, &program, format!("Invalid user {user} from {GUESSER} port {port}"));
        self.add(second, &program, "pam_unix(sshd:auth): check pass; user unknown");
        self.add(second, &program, failure);
        let failed = format!("Failed password for invalid user {user} from {GUESSER} port {port} ssh2");
        self.add(second + 2, &program, failed);
        let closed = format!("Connection closed by invalid user {user} {GUESSER} port {port} [preauth]");
        self.add(second + 3, &program, closed);
    }

    fn playbook(&mut self, from: u32, tasks: &[(&str, &str)], end: Option<u32>) {
        self.sudo(from + 2, DEPLOY, "pts/2", "/usr/bin/echo Ansible playbook started on web-1");
        for (i, (mark, module)) in tasks.iter().enumerate() {
            let second = from + 14 + 21 * i as u32;
            let folder =
                format!("/home/deploy/.ansible/tmp/ansible-tmp-{}.{}-{}", 1_795_130_000 + second, 41 + i, 88_120 + i);
            let command =
                format!("/bin/sh -c echo BECOME-SUCCESS-{mark} ; /usr/bin/python3 {folder}/AnsiballZ_{module}.py");
            self.sudo(second, DEPLOY, "pts/2", &command);
        }
        if let Some(end) = end {
            self.sudo(end, DEPLOY, "pts/2", "/usr/bin/echo Ansible playbook finished on web-1");
        }
    }
}

fn auth_log() -> String {
    let mut log = Log::default();
    log.add(at(6, 0, 9), "systemd-logind[612]", "New seat seat0.");
    log.add(at(6, 0, 9), "systemd-logind[612]", "Watching system buttons on /dev/input/event0 (Power Button)");
    log.add(at(6, 0, 11), "sshd[701]", "Server listening on 0.0.0.0 port 22.");
    log.add(at(6, 0, 11), "sshd[701]", "Server listening on :: port 22.");
    for (i, second) in (at(6, 5, 1)..at(11, 56, 0)).step_by(900).enumerate() {
        log.cron(second, 801 + 37 * i as u32);
    }
    SESSIONS.iter().for_each(|session| log.session(session));
    the_morning(&mut log);
    the_intrusion(&mut log);
    log.finish()
}

fn the_morning(log: &mut Log) {
    log.sudo(at(8, 3, 30), ALICE, "pts/0", "/usr/bin/apt update");
    log.sudo(at(8, 4, 41), ALICE, "pts/0", "/usr/bin/apt upgrade");
    log.sudo(at(8, 20, 5), ALICE, "pts/0", "/usr/bin/systemctl restart nginx");
    log.add(at(9, 11, 57), "sshd[1388]", "Failed password for bob from 203.0.113.8 port 51890 ssh2");
    log.sudo(at(9, 20, 44), BOB, "pts/1", "/usr/bin/journalctl -u nginx");
    log.sudo(at(10, 31, 19), BOB, "pts/1", "/usr/bin/tail -n 50 /var/log/nginx/error.log");
    let marks =
        ["mcqzvkwdrjfcyhbpxlantgeouisdtqwe", "zpuwhxkdyqgmvntcaerjbofislkqwzhd", "qtnbwrsyxgopdkfvmjzclheaiuqsxwob"];
    let first = [(marks[0], "apt"), (marks[1], "copy"), (marks[2], "systemd")];
    log.playbook(at(9, 40, 4), &first, Some(at(9, 44, 12)));
    let second = [("hkzrwptqyodmgxbvsnceujfailkqzmwt", "apt"), ("wvbnyqkzgtxdpmcrhosejfauliqzbwky", "template")];
    log.playbook(at(10, 41, 4), &second, None);
}

fn the_intrusion(log: &mut Log) {
    let users =
        ["admin", "oracle", "postgres", "root", "test", "ubuntu", "root", "git", "backup", "root", "pi", "root"];
    for i in 0..24_u32 {
        let user = users[i as usize % users.len()];
        let second = at(11, 31, 2) + i * 11;
        log.guess(second, 3101 + 2 * i, 40_112 + 4 * i as u16, user, user == "root");
    }
    log.add(at(11, 38, 4), "groupadd[3301]", "group added to /etc/group: name=svc-backup, GID=1005");
    log.add(at(11, 38, 4), "groupadd[3301]", "group added to /etc/gshadow: name=svc-backup");
    log.add(at(11, 38, 4), "groupadd[3301]", "new group: name=svc-backup, GID=1005");
    log.add(
        at(11, 38, 5),
        "useradd[3306]",
        "new user: name=svc-backup, UID=1005, GID=1005, home=/home/svc-backup, shell=/bin/bash, from=/dev/pts/3",
    );
    log.add(at(11, 38, 21), "passwd[3315]", "pam_unix(passwd:chauthtok): password changed for svc-backup");
    log.add(at(11, 38, 33), "usermod[3320]", "add 'svc-backup' to group 'sudo'");
    log.add(at(11, 38, 33), "usermod[3320]", "add 'svc-backup' to shadow group 'sudo'");
    log.add(
        at(11, 41, 12),
        "sudo",
        "   carol : user NOT in sudoers ; TTY=pts/1 ; PWD=/home/carol ; USER=root ; COMMAND=/usr/bin/cat /etc/shadow",
    );
}

/// Midnight of 2026-11-20.
const MIDNIGHT: u32 = 1_795_132_800;

/// Records of x86-64 glibc, 384 bytes each (utmp(5), FORMATS §4).
fn wtmp() -> Vec<u8> {
    const BOOT: i16 = 2;
    const USER: i16 = 7;
    const DEAD: i16 = 8;
    let mut records = vec![(at(6, 0, 2), record(BOOT, 0, "~", "~~", "reboot", "6.12.57-amd64", at(6, 0, 2)))];
    for session in SESSIONS {
        let Session { person, pid, tty, from, to, .. } = *session;
        let id = tty.strip_prefix("pts").unwrap_or(tty);
        records.push((from, record(USER, pid, tty, &format!("ts{id}"), person.name, person.ip, from)));
        if let Some(to) = to {
            records.push((to, record(DEAD, pid, tty, &format!("ts{id}"), "", "", to)));
        }
    }
    records.sort_by_key(|(second, _)| *second);
    records.into_iter().flat_map(|(_, bytes)| bytes).collect()
}

fn record(kind: i16, pid: u32, line: &str, id: &str, user: &str, host: &str, second: u32) -> Vec<u8> {
    let mut bytes = vec![0; 384];
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    put(0, &kind.to_le_bytes());
    put(4, &pid.to_le_bytes());
    put(8, line.as_bytes());
    put(40, id.as_bytes());
    put(44, user.as_bytes());
    put(76, host.as_bytes());
    put(340, &(MIDNIGHT + second).to_le_bytes());
    put(344, &(second * 13 % 1_000_000).to_le_bytes());
    if let Ok(ip) = host.parse::<std::net::Ipv4Addr>() {
        put(348, &ip.octets());
    }
    bytes
}
