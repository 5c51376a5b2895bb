//! What joining costs beside decoding, and what a million open sessions weigh.
//!
//! `cargo bench --bench link` makes the auth.log of a machine on the internet, a million lines of it (`LINES=…`):
//! mostly strangers who try passwords, the minute's jobs of cron, and people who log in, use sudo and leave.
//! Each measurement runs in a process of its own, so that its peak memory is its own.

#![expect(clippy::print_stdout, reason = "its result is what it prints")]

use std::fmt::Write as _;
use std::process::Command;
use std::time::Instant;

use chrono::{DateTime, TimeDelta};
use whodid::event::{Event, Family, Lineage, Stamp};
use whodid::link::{Bounds, Joiner};
use whodid::sources::secrets::Marks;
use whodid::sources::zone::Zone;
use whodid::sources::{self, Identity, Stream, Year};

const SESSIONS: u64 = 1_000_000;

const USERS: &[&str] = &["alice", "bob", "carol", "dave", "deploy", "erin", "frank", "grace"];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.iter().any(|arg| arg == "--test") {
        // `cargo test --benches` only wants to know that it starts.
        return;
    }
    if let Some(at) = args.iter().position(|arg| arg == "--stage") {
        return match args[at + 1].as_str() {
            "decode" => timed(&log(lines()), |_, _| ()),
            "join" => {
                let mut joiner = Joiner::new(Bounds::default());
                timed(&log(lines()), |seq, event| joiner.take(seq, event));
            }
            _ => open(),
        };
    }
    let (decode, join) = (run("decode"), run("join"));
    let added = 100.0 * (join[0] - decode[0]) / decode[0];
    println!("decode          {:>8.2} µs an event, peak {:>4.0} MiB", decode[0], decode[1]);
    println!("decode and join {:>8.2} µs an event, peak {:>4.0} MiB: {added:.1} % more", join[0], join[1]);
    let open = run("open");
    println!("{SESSIONS} open sessions: {:.2} µs each, peak {:.0} MiB", open[0], open[1]);
}

fn lines() -> usize {
    #[expect(clippy::disallowed_methods, reason = "a measurement has no configuration")]
    let lines = std::env::var("LINES").ok().and_then(|lines| lines.parse().ok()).unwrap_or(1_000_000);
    lines
}

/// What the stage's process says: microseconds for each event, peak MiB.
fn run(stage: &str) -> [f64; 2] {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).args(["--stage", stage]).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<f64> = said.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("{stage} said {said:?} {}", String::from_utf8_lossy(&output.stderr)))
}

/// Minutes of a machine that anybody can reach.
fn log(lines: usize) -> String {
    let start = DateTime::from_timestamp(1_793_491_200, 0).expect("1 November 2026");
    let mut log = String::with_capacity(lines * 120);
    let mut count = 0;
    let mut minute = 0_i64;
    while count < lines {
        let mut say = |second: i64, message: std::fmt::Arguments<'_>| {
            let now = start + TimeDelta::seconds(minute * 60 + second);
            writeln!(log, "{} web-1 {message}", now.format("%b %e %H:%M:%S")).expect("a string");
            count += 1;
        };
        let pid = 1_000 + (minute * 60) % 4_000_000;
        say(1, format_args!("CRON[{pid}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)"));
        say(1, format_args!("CRON[{}]: (root) CMD (/usr/lib/sysstat/debian-sa1 1 1)", pid + 1));
        say(2, format_args!("CRON[{pid}]: pam_unix(cron:session): session closed for user root"));
        for guess in 0..6 {
            let (pid, port) = (pid + 2 + guess, 40_000 + guess);
            say(
                3 + guess,
                format_args!("sshd[{pid}]: Invalid user admin{guess} from 198.51.100.{} port {port}", minute % 250),
            );
            say(
                3 + guess,
                format_args!(
                    "sshd[{pid}]: Failed password for invalid user admin{guess} from 198.51.100.{} port {port} ssh2",
                    minute % 250
                ),
            );
            say(
                4 + guess,
                format_args!(
                    "sshd[{pid}]: Connection closed by invalid user admin{guess} 198.51.100.{} port {port} [preauth]",
                    minute % 250
                ),
            );
        }
        if minute % 3 == 0 {
            let user = USERS[(minute as usize / 3) % USERS.len()];
            let (pid, port, tty, session) = (pid + 10, 50_000 + minute % 10_000, minute % 5, minute / 3);
            say(
                20,
                format_args!(
                    "sshd[{pid}]: Accepted publickey for {user} from 203.0.113.7 port {port} ssh2: ED25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
                ),
            );
            say(
                20,
                format_args!(
                    "sshd[{pid}]: pam_unix(sshd:session): session opened for user {user}(uid=1001) by (uid=0)"
                ),
            );
            say(20, format_args!("systemd-logind[611]: New session {session} of user {user}."));
            say(
                30,
                format_args!(
                    "sudo[{}]:    {user} : TTY=pts/{tty} ; PWD=/home/{user} ; USER=root ; COMMAND=/usr/bin/systemctl restart nginx",
                    pid + 1
                ),
            );
            say(
                30,
                format_args!(
                    "sudo[{}]: pam_unix(sudo:session): session opened for user root(uid=0) by {user}(uid=1001)",
                    pid + 1
                ),
            );
            say(31, format_args!("sudo[{}]: pam_unix(sudo:session): session closed for user root", pid + 1));
            say(50, format_args!("sshd[{pid}]: Disconnected from user {user} 203.0.113.7 port {port}"));
            say(50, format_args!("sshd[{pid}]: pam_unix(sshd:session): session closed for user {user}"));
            say(50, format_args!("systemd-logind[611]: Removed session {session}."));
        }
        minute += 1;
    }
    log
}

/// Every session from its own process and connection, and none ever ends.
fn open() {
    let mut joiner = Joiner::new(Bounds::default());
    let begin = Instant::now();
    let mut first = 0;
    while first < SESSIONS {
        let mut block = String::new();
        for n in first..first + 10_000 {
            writeln!(
                block,
                "2026-11-{:02}T{:02}:{:02}:{:02}Z web-1 sshd[{n}]: Accepted password for user{n} from 2001:db8::{:x} port {} ssh2",
                1 + n / 86_400, n / 3_600 % 24, n / 60 % 60, n % 60, n % 65_536, 1 + n % 65_000,
            )
            .expect("a string");
        }
        decoded(block.as_bytes(), first, |seq, event| joiner.take(seq, event));
        first += 10_000;
    }
    joiner.settle();
    let held = joiner.held();
    assert_eq!(held.logins, SESSIONS, "{held:?}");
    println!("{} {}", begin.elapsed().as_secs_f64() * 1e6 / SESSIONS as f64, peak_mib());
}

fn timed(log: &str, each: impl FnMut(u64, &Event)) {
    let begin = Instant::now();
    let count = decoded(log.as_bytes(), 0, each);
    println!("{} {}", begin.elapsed().as_secs_f64() * 1e6 / count as f64, peak_mib());
}

fn decoded(log: &[u8], first: u64, mut each: impl FnMut(u64, &Event)) -> u64 {
    let now = Stamp::parse("2027-12-31T00:00:00Z").expect("an instant");
    let mut decoder = sources::decoder(Stream {
        name: "auth".into(),
        family: Family::Auth,
        origin: "auth.log".into(),
        host: "web-1".to_owned(),
        identity: Identity::Place { lineage: Lineage::new("web-1", Family::Auth, &first.to_be_bytes()), generation: 0 },
        start: 0,
        zone: Zone::UTC,
        year: Year::First(2026),
        marks: Marks::default(),
        world: Default::default(),
    });
    let (mut events, mut count) = (Vec::new(), first);
    let mut take = |events: &mut Vec<Event>| {
        for event in events.drain(..) {
            each(count, &event);
            count += 1;
        }
    };
    for block in log.chunks(64 << 10) {
        decoder.push(block, now, &mut events);
        take(&mut events);
    }
    decoder.finish(now, &mut events);
    take(&mut events);
    count - first
}

fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    peak.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}
