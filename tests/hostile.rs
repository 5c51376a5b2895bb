//! 100,000 lines as people write them who want to be taken for somebody else: text for `logger -t sshd`, and names,
//! commands and paths that true programs quote. The same seed gives the same lines.
//!
//! None is trusted, none is lost, none moves the address that the program wrote, and none reaches a terminal raw.

use std::net::IpAddr;

use whodid::cli::output::{Format, Printer};
use whodid::event::{Event, Family, Lineage, Outcome, Stamp, Trust};
use whodid::query::Attribution;
use whodid::sources::secrets::Marks;
use whodid::sources::zone::Zone;
use whodid::sources::{self, Identity, Stream, Year};

use crate::generate::auth_log::AuthLog;

const LINES: usize = 100_000;
/// Where the true programs saw whoever tried.
const REAL: &str = "198.51.100.77";

/// What true programs write around a text that a stranger chose, which is `§`; none of it is a success.
const AROUND: &[&str] = &[
    "sshd[1]: Failed password for invalid user § from REAL port 40112 ssh2",
    "sshd-session[1]: Failed none for invalid user § from REAL port 40112 ssh2 [preauth]",
    "sshd[1]: Failed publickey for invalid user § from REAL port 40112 ssh2: RSA SHA256:vi7k",
    "sshd[1]: Failed publickey for invalid user § from REAL port 40112 ssh2: ED25519-CERT SHA256:x ID § (serial 0) CA RSA SHA256:y",
    "sshd[1]: Invalid user § from REAL port 40112",
    "sshd[1]: Connection closed by invalid user § REAL port 40112 [preauth]",
    "sshd[1]: Connection reset by authenticating user § REAL port 40112 [preauth]",
    "sshd[1]: Disconnected from invalid user § REAL port 40112 [preauth]",
    "sshd[1]: Disconnecting invalid user § REAL port 40112: Too many authentication failures [preauth]",
    "sshd[1]: Disconnecting invalid user § REAL port 40112: Change of username or service not allowed: (§,ssh-connection) -> (§,ssh-connection) [preauth]",
    "sshd[1]: error: maximum authentication attempts exceeded for invalid user § from REAL port 40112 ssh2 [preauth]",
    "sshd[1]: error: PAM: Authentication failure for illegal user § from REAL",
    "sshd[1]: User § from REAL not allowed because not listed in AllowUsers",
    "sshd[1]: fatal: Connection from authenticating user § REAL port 40112 timed out [preauth]",
    "sshd[1]: ssh_dispatch_run_fatal: Connection from authenticating user § REAL port 40112: invalid format [preauth]",
    "sshd[1]: administratively prohibited connection for invalid user § from REAL port 40112",
    "sshd[1]: error: public key RSA SHA256:x signature for invalid user § from REAL port 40112 rejected: user presence (authenticator touch) requirement not met",
    "sshd[1]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=REAL  user=§",
    "sshd[1]: pam_access(sshd:account): access denied for user `§' from `REAL'",
    "sshd[1]: Bad protocol version identification '§' from REAL port 40112",
    "sshd[1]: probed from REAL port 40112 with §.  Don't panic.",
    "sshd[1]: reverse mapping checking getaddrinfo for § [REAL] failed.",
    "sshd[1]: drop connection #1 from [REAL]:40112 on [192.0.2.10]:22 past MaxStartups",
    "dropbear[1]: Bad PAM password attempt for '§' from REAL:40112",
    "dropbear[1]: Exit before auth from <REAL:40112>: (user '§', 3 fails): Exited normally",
    "vsftpd[1]: [§] FAIL LOGIN: Client \"REAL\"",
    "proftpd[1]: ftp-1 (REAL[REAL]) - USER § (Login failed): Incorrect password",
    "login[1]: FAILED LOGIN 1 FROM REAL FOR §, Authentication failure",
];

/// What somebody runs with rights that they have: `§` is the command or folder.
const RUN: &[&str] = &[
    "sudo:  mallory : TTY=pts/0 ; PWD=/tmp ; USER=root ; COMMAND=/bin/ls §",
    "sudo:  mallory : TTY=pts/0 ; PWD=/tmp/§ ; USER=root ; COMMAND=/bin/ls",
    "pkexec[1]: mallory: Executing command [USER=root] [TTY=/dev/pts/0] [CWD=/tmp] [COMMAND=/bin/ls §]",
    "doas: mallory ran command /bin/ls § as root from /tmp",
    "CRON[1]: (mallory) CMD (/bin/ls §)",
];

/// Programs that anybody may call themselves.
const TAGS: &[&str] = &[
    "sshd",
    "sshd[7]",
    "sudo",
    "su",
    "login",
    "systemd-logind[600]",
    "polkitd",
    "CRON",
    "useradd",
    "gpasswd",
    "sshd(pam_unix)[1]",
    "dropbear",
    "vsftpd",
    "internal-sftp",
    "systemd[1]",
    "kernel",
    "x y",
    "",
];

/// Whole lies.
const LIES: &[&str] = &[
    "Accepted password for root from 203.0.113.1 port 22 ssh2",
    "Accepted publickey for root from 203.0.113.1 port 22 ssh2: ED25519 SHA256:x ID y (serial 1) CA RSA SHA256:z",
    "pam_unix(sshd:session): session opened for user root(uid=0) by root(uid=0)",
    "root : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/sh",
    "@cee:{\"sudo\":{\"accept\":{\"submituser\":\"root\",\"command\":\"/bin/sh\",\"runuser\":\"root\"}}}",
    "new user: name=x, UID=0, GID=0, home=/, shell=/bin/sh, from=none",
    "New session 1 of user root.",
    "message repeated 99999999999 times: [ Accepted password for root from 203.0.113.1 port 22 ssh2]",
    "(to root) mallory on pts/0",
    "Operator of unix-session:1 successfully authenticated as unix-user:root to gain ONE-SHOT authorization for action a for b [c] (owned by unix-user:d)",
];

/// What names are made of that want to be something else.
const PIECES: &[&[u8]] = &[
    b" from 1.2.3.4 port 22 ssh2",
    b" from 1.2.3.4 port 22",
    b" 1.2.3.4 port 22",
    b": ",
    b" ssh2: ",
    b"RSA SHA256:x",
    b" user=",
    b" rhost=1.2.3.4",
    b"' from `1.2.3.4'",
    b"] OK LOGIN: Client \"1.2.3.4\"",
    b" [1.2.3.4] failed.",
    b" rejected: ",
    b" not allowed because ",
    b" for ",
    b" FOR ",
    b" FROM 1.2.3.4 FOR ",
    b", ",
    b" ; ",
    b" ; COMMAND=/bin/sh",
    b"USER=ana",
    b"] [COMMAND=/bin/sh",
    b" as root from /",
    b"(serial 0)",
    b" CA RSA SHA256:y",
    b" [preauth]",
    b" timed out",
    b"root",
    b"Accepted password for root",
    b"'",
    b"\"",
    b"`",
    b")",
    b"]",
    b" ",
    b"  ",
    b"\t",
    b"\0",
    b"\x1b[2J\x1b]0;x\x07",
    b"\x1b[31m",
    b"\x07\x08\x7f",
    b"\r",
    b"#012",
    b"\\n",
    b"\xff\xfe",
    b"\xc3",
    b"\xe2\x80\xae",
    b"\xe2\x81\xa6",
    b"\xc2\x9b31m",
    b"\xe2\x80\x8b",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x98\x80",
    b"=cmd|'/c calc'!A1",
    b"%s%n",
    b"<script>",
    b"{host}",
];

struct Hostile {
    random: u64,
    true_lines: AuthLog,
}

/// A line, and what must be read out of it.
struct Made {
    bytes: Vec<u8>,
    expect: Expect,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Expect {
    /// As the generator of true logs wrote it.
    True,
    /// A failure from [`REAL`], or nobody.
    Failed,
    /// mallory ran it, or nobody did.
    Run,
    /// Anything, as long as nothing vouches for it.
    Lie,
}

impl Hostile {
    fn below(&mut self, n: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % n as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn name(&mut self) -> Vec<u8> {
        let pieces = self.below(9);
        let mut name: Vec<u8> = (0..pieces).flat_map(|_| self.pick(PIECES).iter().copied()).collect();
        if self.below(2_000) == 0 {
            name = name.repeat(1 + 9_000 / (name.len() + 1));
        }
        name
    }

    fn made(&mut self) -> Made {
        let name = self.name();
        let (expect, text) = match self.below(10) {
            0..2 => return Made { bytes: self.true_lines.next().expect("endless").into_bytes(), expect: Expect::True },
            2..7 => (Expect::Failed, self.pick(AROUND).replace("REAL", REAL).into_bytes()),
            7 => (Expect::Run, self.pick(RUN).as_bytes().to_vec()),
            _ => {
                let tag = self.pick(TAGS);
                let mut text = format!("{tag}: {}", self.pick(LIES)).into_bytes();
                text.extend_from_slice("§".as_bytes());
                (Expect::Lie, text)
            }
        };
        let mut bytes = b"Nov 20 10:11:12 web-1 ".to_vec();
        let mut parts = split(&text, "§".as_bytes());
        bytes.extend_from_slice(parts.next().expect("a first part"));
        for part in parts {
            bytes.extend_from_slice(&name);
            bytes.extend_from_slice(part);
        }
        if expect == Expect::Lie && self.below(20) == 0 {
            bytes.extend_from_slice(
                b"\nNov 20 10:11:13 web-1 sshd[1]: Accepted password for root from 1.2.3.4 port 1 ssh2",
            );
        }
        Made { bytes, expect }
    }
}

fn split<'a>(text: &'a [u8], at: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        match memchr::memmem::find(text, at) {
            Some(place) => {
                rest = Some(&text[place + at.len()..]);
                Some(&text[..place])
            }
            None => Some(text),
        }
    })
}

fn made() -> Vec<Made> {
    let mut hostile = Hostile { random: 0x9e37_79b9_7f4a_7c15, true_lines: AuthLog::new(7) };
    let mut made = Vec::new();
    let mut lines = 0;
    while lines < LINES {
        let next = hostile.made();
        lines += 1 + memchr::memchr_iter(b'\n', &next.bytes).count();
        made.push(next);
    }
    made
}

fn decode<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Vec<Event> {
    let observed = Stamp::parse("2026-11-20T12:00:00Z").expect("an instant");
    let mut decoder = sources::decoder(Stream {
        name: "auth".into(),
        family: Family::Auth,
        origin: "auth.log".into(),
        host: "web-1".to_owned(),
        identity: Identity::Place { lineage: Lineage::new("web-1", Family::Auth, b"hostile"), generation: 0 },
        start: 0,
        zone: Zone::UTC,
        year: Year::NotAfter(observed),
        marks: Marks::default(),
        world: Default::default(),
    });
    let mut events = Vec::new();
    for part in parts {
        decoder.push(part, observed, &mut events);
    }
    decoder.finish(observed, &mut events);
    events
}

fn is_ambiguous(event: &Event) -> bool {
    event.detail.get("auth").is_some_and(|auth| auth.get("ambiguous").is_some())
}

#[test]
fn hostile_lines_are_kept_and_not_believed() {
    let made = made();
    let input: Vec<u8> = made.iter().flat_map(|made| made.bytes.iter().copied().chain([b'\n'])).collect();
    let events = decode(std::iter::once(input.as_slice()));
    assert!(decode(input.chunks(997)) == events, "another split, other events");

    let lines: Vec<(&[u8], Expect)> = made
        .iter()
        .flat_map(|made| {
            let expect = if made.bytes.contains(&b'\n') { Expect::Lie } else { made.expect };
            split(&made.bytes, b"\n").map(move |line| (line, expect))
        })
        .collect();
    assert_eq!(events.len(), lines.len(), "one line is one event");
    assert!(lines.len() >= LINES);
    let real: IpAddr = REAL.parse().expect("an address");
    let (mut told, mut ambiguous) = (0, 0);
    for (event, (line, expect)) in events.iter().zip(&lines) {
        let shown = || String::from_utf8_lossy(line).into_owned();
        assert_eq!(event.trust, Trust::Claimed, "{}", shown());
        let is_redacted = event.tags.iter().any(|tag| tag == "redacted");
        assert!(is_redacted || raw(event) == *line, "not every byte is kept: {}", shown());
        match expect {
            Expect::True => assert!(event.what.action != "unparsed" || shown().contains("backupd"), "{}", shown()),
            Expect::Failed => {
                assert_ne!(event.what.action, "unparsed", "{}", shown());
                assert_ne!(event.outcome, Outcome::Success, "{}", shown());
                let from = event.who.ip;
                assert!(from == Some(real) || from.is_none() && is_ambiguous(event), "{from:?}: {}", shown());
                assert!(!is_ambiguous(event) || event.who.name.is_none(), "{}", shown());
                assert!(event.who.port.is_none_or(|port| port == 40112), "{}", shown());
                told += 1;
                ambiguous += usize::from(is_ambiguous(event));
            }
            Expect::Run => {
                let is_mallory = event.who.name.as_deref() == Some("mallory") && event.outcome == Outcome::Success;
                assert!(is_mallory || event.what.action == "unparsed", "{}", shown());
            }
            Expect::Lie => {}
        }
    }
    println!(
        "{} lines, {} bytes: {told} true failures around a hostile text, of {ambiguous} of them who it was cannot be told; {} unparsed",
        lines.len(),
        input.len(),
        events.iter().filter(|event| event.what.action == "unparsed").count(),
    );
    // A reader that gives up on everything would pass all of the above.
    assert!(ambiguous * 4 < told, "{ambiguous} of {told}");
    for said in shown_safely(&events) {
        println!("{said}");
    }
}

fn raw(event: &Event) -> Vec<u8> {
    match (&event.raw_base64, &event.raw) {
        (Some(base64), _) => data_encoding::BASE64.decode(base64.as_bytes()).expect("base64"),
        (None, raw) => raw.clone().expect("a record").into_bytes(),
    }
}

/// As `search` and `decode` show them, to a terminal and to a file.
fn shown_safely(events: &[Event]) -> Vec<String> {
    let mut said = Vec::new();
    for format in [Format::Table, Format::Whodid, Format::Ecs, Format::Csv] {
        for is_terminal in [true, false] {
            // All of them in the table; the other forms of some take as long as all that is above.
            let step = if format == Format::Table && is_terminal { 1 } else { 10 };
            let events: Vec<&Event> = events.iter().step_by(step).collect();
            let mut out = Vec::new();
            let mut printer = Printer::new(format, &mut out, is_terminal).expect("memory");
            for event in &events {
                printer.event(event, &Attribution::default()).expect("memory");
            }
            printer.finish().expect("memory");
            let text = String::from_utf8(out).expect("UTF-8");
            let hidden = |c: char| {
                c.is_control()
                    || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
            };
            for line in text.lines() {
                // A file of JSON is read by programs: only what ends its strings or lines would do harm.
                let is_bad = |c: char| if is_terminal || format == Format::Table { hidden(c) } else { c < ' ' };
                assert!(!line.contains(is_bad), "{format:?}, terminal {is_terminal}: {}", line.escape_debug());
            }
            let rows = text.lines().count() - usize::from(matches!(format, Format::Csv | Format::Table));
            assert!(rows >= events.len(), "{format:?}: {rows} rows of {} events", events.len());
            let bytes = text.len();
            said.push(format!(
                "{format:?}, terminal {is_terminal}: {rows} rows, {bytes} bytes, no raw control character"
            ));
        }
    }
    said
}
