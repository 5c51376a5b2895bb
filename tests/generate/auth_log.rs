//! A made-up auth.log of any length: brute force, logins, sudo, cron, sessions, accounts.
//!
//! The same seed gives the same lines; every line is different from all others.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};

/// Lines without their end, oldest first.
pub(crate) struct AuthLog {
    random: u64,
    now: DateTime<Utc>,
    count: u64,
}

const USERS: &[&str] = &["alice", "bob", "carol", "dave", "deploy", "backup", "erin", "frank"];
const GUESSES: &[&str] = &["root", "admin", "oracle", "test", "postgres", "ubuntu", "git", "pi", "ftp user", "www"];
const COMMANDS: &[&str] = &[
    "/usr/bin/apt upgrade",
    "/usr/bin/systemctl restart nginx",
    "/usr/bin/journalctl -u ssh --since -1h",
    "/bin/sh -c echo BECOME-SUCCESS-qzkpvxwjhd ; /usr/bin/python3 /home/deploy/.ansible/tmp/setup.py",
    "/usr/bin/echo Ansible playbook started on web-1",
    "/usr/bin/tail -f /var/log/nginx/access.log",
];

impl AuthLog {
    pub(crate) fn new(seed: u64) -> Self {
        let now = DateTime::from_timestamp(1_793_491_200, 0).expect("1 November 2026");
        Self { random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, now, count: 0 }
    }

    /// xorshift64: a few instructions, and the same everywhere.
    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        let at = self.random(from.len() as u64);
        from[at as usize]
    }

    fn address(&mut self) -> String {
        match self.random(8) {
            0 => format!("2001:db8::{:x}", self.random(0xffff)),
            1..4 => format!("198.51.100.{}", self.random(256)),
            _ => format!("203.0.113.{}", self.random(256)),
        }
    }
}

impl Iterator for AuthLog {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let step = self.random(3_400);
        self.now += TimeDelta::milliseconds(step as i64);
        self.count += 1;
        let mut line = String::with_capacity(160);
        write!(line, "{} web-{} ", self.now.format("%b %e %H:%M:%S"), 1 + self.random(4)).expect("a string");
        let (pid, port) = (1_000 + self.count % 31_000, 1_024 + self.random(60_000));
        let (user, guess, address) = (self.pick(USERS), self.pick(GUESSES), self.address());
        let session = self.count;
        match self.random(100) {
            0..40 => write!(line, "sshd[{pid}]: Failed password for {guess} from {address} port {port} ssh2"),
            40..52 => write!(line, "sshd[{pid}]: Invalid user {guess} from {address} port {port}"),
            52..60 => write!(
                line,
                "sshd[{pid}]: Accepted publickey for {user} from {address} port {port} ssh2: ED25519 SHA256:{session:043}"
            ),
            60..68 => write!(line, "sshd[{pid}]: Disconnected from user {user} {address} port {port}"),
            68..74 => write!(
                line,
                "sshd[{pid}]: pam_unix(sshd:session): session opened for user {user}(uid={port}) by (uid=0)"
            ),
            74..79 => write!(line, "sshd[{pid}]: pam_unix(sshd:session): session closed for user {user}"),
            79..89 => {
                let command = self.pick(COMMANDS);
                let place = self.random(9);
                write!(line, "sudo:    {user} : TTY=pts/{place} ; PWD=/home/{user} ; USER=root ; COMMAND={command}")
            }
            89..94 => write!(line, "CRON[{pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)"),
            94..97 => write!(line, "systemd-logind[611]: New session {session} of user {user}."),
            97 => write!(line, "useradd[{pid}]: new user: name={user}{session}, UID={port}, GID={port}, home=/home/{user}, shell=/bin/bash, from=/dev/pts/0"),
            98 => write!(line, "usermod[{pid}]: add '{user}' to group 'sudo'"),
            _ => write!(line, "backupd[{pid}]: run {session} took {port} ms"),
        }
        .expect("a string");
        Some(line)
    }
}
