//! How fast events become searchable, and how fast they are found.
//!
//! `cargo test --release --test it index::speed -- --ignored --nocapture`

use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::time::Instant;

use whodid::event::{Event, EventId, Family, Lineage, Outcome, Source, Stamp, encode};
use whodid::index::embedded::{Searcher, Writer};
use whodid::index::{Entries, Index as _, IndexError, Search};

use super::{ORIGIN, data};

/// A trail in a file, so that its size does not count as memory of the index.
struct FileTrail {
    path: PathBuf,
    offsets: Vec<u64>,
}

impl FileTrail {
    fn write(path: PathBuf, events: impl Iterator<Item = Event>) -> Self {
        let mut file = std::io::BufWriter::new(File::create(&path).expect("a file"));
        let (mut offset, mut offsets) = (0, Vec::new());
        for mut event in events {
            let (line, _) = encode(&mut event);
            offsets.push(offset);
            offset += line.len() as u64 + 1;
            file.write_all(&line).and_then(|()| file.write_all(b"\n")).expect("writable");
        }
        file.flush().expect("writable");
        Self { path, offsets }
    }

    fn lines(&self, from: u64) -> impl Iterator<Item = Vec<u8>> {
        let mut file = File::open(&self.path).expect("a file");
        let offset = self.offsets.get(from as usize).copied().unwrap_or(u64::MAX);
        file.seek(SeekFrom::Start(offset)).expect("seekable");
        BufReader::with_capacity(1 << 18, file).split(b'\n').map(|line| line.expect("readable"))
    }
}

impl Entries for &FileTrail {
    fn origin(&self) -> Result<String, IndexError> {
        Ok(ORIGIN.to_owned())
    }

    fn acknowledged(&self) -> Result<u64, IndexError> {
        Ok(self.offsets.len() as u64)
    }

    fn event(&self, seq: u64) -> Result<Event, IndexError> {
        let line = self.lines(seq).next().expect("an entry");
        Event::decode(&line).map_err(|source| IndexError::Entry { seq, source })
    }

    fn scan<'e>(
        &'e self,
        from: u64,
    ) -> Result<Box<dyn Iterator<Item = Result<(u64, Event), IndexError>> + 'e>, IndexError> {
        let decoded = |(line, seq): (Vec<u8>, u64)| {
            let event = Event::decode(&line).map_err(|source| IndexError::Entry { seq, source })?;
            Ok((seq, event))
        };
        Ok(Box::new(self.lines(from).zip(from..).map(decoded)))
    }
}

/// Lines of an auth.log as a busy host writes them: mostly failures from many addresses, some sessions.
fn auth_events(count: u64, per_day: u64) -> impl Iterator<Item = Event> {
    let start = Stamp::parse("2026-11-01T00:00:00Z").expect("an instant");
    let lineage = Lineage::new("web-1", Family::Auth, b"head");
    let mut pos = 0;
    // A fixed sequence without pattern (Knuth's multiplier).
    let mut state = 1_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    (0..count).map(move |n| {
        let micros = start.micros() + (n * 86_400_000_000 / per_day) as i64;
        let when = Stamp::from_micros(micros / 1_000_000 * 1_000_000);
        let (pid, port) = (random(60_000) + 300, random(64_000) + 1_024);
        let ip = format!("203.{}.{}.{}", random(4), random(250), random(250));
        let user = ["root", "admin", "alice", "postgres", "git", "deploy"][random(6) as usize];
        let text = match random(10) {
            0 => format!("alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/apt upgrade p{port}"),
            1 => format!("pam_unix(sshd:session): session opened for user {user}(uid=1000) by (uid=0)"),
            2 => format!("Accepted publickey for {user} from {ip} port {port} ssh2: ED25519 SHA256:u{pid}AbCdEf{port}"),
            _ => format!("Failed password for invalid user {user}{} from {ip} port {port} ssh2", random(500)),
        };
        let raw = format!("{} web-1 sshd[{pid}]: {text}", when.instant().format("%b %e %H:%M:%S"));
        let source = Source {
            name: "auth".into(),
            kind: Family::Auth,
            origin: "/var/log/auth.log".into(),
            lineage: Some(lineage),
            generation: 0,
            pos: Some(pos),
            next: Some(pos + raw.len() as u64 + 1),
        };
        let id = EventId::of_record(Family::Auth, lineage, 0, pos, raw.as_bytes(), 0);
        pos += raw.len() as u64 + 1;
        let mut event = Event::new(id, "ssh.login", when, Stamp::from_micros(micros + 900_000), source);
        event.what.category = vec!["authentication".into()];
        event.who.name = Some(user.to_owned());
        event.who.kind = Some("user".into());
        event.who.ip = ip.parse().ok();
        event.who.port = u16::try_from(port).ok();
        event.place.host = Some("web-1".into());
        event.place.service = Some("sshd".into());
        event.place.pid = u32::try_from(pid).ok();
        event.outcome = Outcome::Failure;
        event.reason = Some("invalid user".into());
        event.set_detail("method", "password");
        event.raw = Some(raw);
        event
    })
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1_024
    };
    format!("{} MB now ({} anonymous), {} MB at most", value("VmRSS"), value("RssAnon"), value("VmHWM"))
}

/// Seconds of processor time that this process has used.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = after_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    // A tick is a hundredth of a second on every Linux that there is.
    ticks.sum::<f64>() / 100.0
}

/// Prints how fast something goes, in events.
fn measured<T>(what: &str, events: u64, work: impl FnOnce() -> T) -> T {
    let (begin, used) = (Instant::now(), processor());
    let done = work();
    let (took, used) = (begin.elapsed().as_secs_f64(), processor() - used);
    let (speed, cost) = (events as f64 / took, used * 1e6 / events as f64);
    eprintln!("{what:<36} {speed:>8.0} events/s  {cost:>5.1} µs of processor each   {}", memory());
    done
}

const EVENTS: u64 = 1_000_000;

#[test]
#[ignore = "needs a release build"]
fn events_become_searchable_fast() {
    for (what, per_day) in [("one day", EVENTS), ("50 days", EVENTS / 50)] {
        eprintln!("{what}");
        let data = data();
        let make = |name: &str, count| FileTrail::write(data.path().join(name), auth_events(count, per_day));
        let trail = measured("made and encoded", EVENTS, || make("trail", EVENTS));
        measured("read and decoded", EVENTS, || {
            let read = (&&trail).scan(0).expect("a trail").filter(|entry| entry.is_ok()).count();
            assert_eq!(read as u64, EVENTS);
        });
        let mut writer = measured("read, decoded and searchable", EVENTS, || {
            let mut writer = Writer::open(data.path(), ORIGIN).expect("an index");
            writer.catch_up(&&trail, EVENTS).expect("it takes in");
            writer
        });
        let more = make("more", EVENTS + 5_000);
        measured("live, 100 at a time", 5_000, || {
            for upto in (EVENTS..=EVENTS + 5_000).step_by(100).skip(1) {
                writer.catch_up(&&more, upto).expect("it takes in");
            }
        });
        let searcher = Searcher::open(data.path(), &more);
        QUERIES.iter().for_each(|query| ask(&searcher, query));
        let mut rest = 300_000;
        measured("each, in the order of time", rest, || {
            let (everything, mut last) = (Search::all(whodid::query::ast::Ast::All), None);
            let each = searcher.each(&everything, &mut |hit| {
                let place = Some((hit.event.when.micros(), hit.seq));
                assert!(last < place, "{last:?} {place:?}");
                last = place;
                rest -= 1;
                rest > 0
            });
            each.expect("searchable");
            assert_eq!(rest, 0);
        });
    }
}

const QUERIES: &[&str] = &[
    "*",
    "what.action:ssh.login",
    "outcome:failure AND who.name:alice",
    "who.ip:203.1.0.0/16",
    "\"invalid user root17\"",
    "\"failed password\" AND who.port:[1024 TO 2000]",
    "accepted AND NOT who.name:root",
    "raw:*cdef1*",
    "raw:/p[0-9]+7/",
    "source.pos:[0 TO 100000]",
    "when:2026-11-01",
    "id:a*",
    "who.key:*",
];

fn ask(searcher: &Searcher<&FileTrail>, text: &str) {
    let search = Search::all(whodid::query::parse(text, Stamp::from_micros(0)).expect(text));
    // The first query opens the files.
    let (total, _) = searcher.count(&search).expect("countable");
    let begin = Instant::now();
    searcher.count(&search).expect("countable");
    let counted = begin.elapsed();
    let begin = Instant::now();
    searcher.search(&search, 20).expect("searchable");
    eprintln!("{text:<50} {total:>8} counted in {counted:>8.1?}, newest 20 in {:>8.1?}", begin.elapsed());
}
