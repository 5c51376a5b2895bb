//! Records of logins as machines of every kind write them, and what happens to such files.
//!
//! The fixtures in `tests/sources/wtmp/` and `btmp/` are written here: `UPDATE=1 cargo test --test it utmp`.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::Config;
use whodid::event::{Event, Family, LEAF_BYTES_MAX, Lineage, Stamp};
use whodid::sources::secrets::Marks;
use whodid::sources::zone::Zone;
use whodid::sources::{self, Decoder, Identity, Stream, Year};

#[derive(Debug, Clone, Copy)]
struct Machine {
    is_long: bool,
    is_big: bool,
}

const X86_64: Machine = Machine { is_long: false, is_big: false };
const AARCH64: Machine = Machine { is_long: true, is_big: false };
const PPC64: Machine = Machine { is_long: false, is_big: true };
const WIDE_BIG: Machine = Machine { is_long: true, is_big: true };

#[derive(Clone, Copy)]
struct Record<'a> {
    type_: i16,
    pid: i32,
    line: &'a [u8],
    id: &'a [u8],
    user: &'a [u8],
    host: &'a [u8],
    exit: (i16, i16),
    session: i32,
    seconds: i64,
    micros: i32,
    addr: Option<&'a str>,
}

const RECORD: Record<'_> = Record {
    type_: 7,
    pid: 0,
    line: b"",
    id: b"",
    user: b"",
    host: b"",
    exit: (0, 0),
    session: 0,
    seconds: 0,
    micros: 0,
    addr: None,
};

/// 2026-11-19T08:00:00Z.
const MORNING: i64 = 1_795_075_200;

impl Record<'_> {
    fn bytes(&self, machine: Machine) -> Vec<u8> {
        let mut out = Vec::new();
        let number = |out: &mut Vec<u8>, value: i64, size: usize| match machine.is_big {
            true => out.extend_from_slice(&value.to_be_bytes()[8 - size..]),
            false => out.extend_from_slice(&value.to_le_bytes()[..size]),
        };
        let text = |out: &mut Vec<u8>, value: &[u8], size: usize| {
            out.extend_from_slice(value);
            out.resize(out.len() + size - value.len(), 0);
        };
        number(&mut out, self.type_.into(), 2);
        number(&mut out, 0, 2);
        number(&mut out, self.pid.into(), 4);
        text(&mut out, self.line, 32);
        text(&mut out, self.id, 4);
        text(&mut out, self.user, 32);
        text(&mut out, self.host, 256);
        number(&mut out, self.exit.0.into(), 2);
        number(&mut out, self.exit.1.into(), 2);
        let word = if machine.is_long { 8 } else { 4 };
        number(&mut out, self.session.into(), word);
        number(&mut out, self.seconds, word);
        number(&mut out, self.micros.into(), word);
        let addr = match self.addr.map(|addr| addr.parse().expect("an address")) {
            Some(IpAddr::V4(ip)) => ip.octets().to_vec(),
            Some(IpAddr::V6(ip)) => ip.octets().to_vec(),
            None => Vec::new(),
        };
        text(&mut out, &addr, 16);
        out.resize(if machine.is_long { 400 } else { 384 }, 0);
        out
    }
}

/// A day on a machine, from boot to shutdown.
fn day(machine: Machine) -> Vec<u8> {
    let kernel = b"6.12.48+deb13-amd64";
    let at = |second: i64| Record { seconds: MORNING + second, micros: 123_456, ..RECORD };
    let init =
        |type_, pid, user, second| Record { type_, pid, line: b"~", id: b"~~", user, host: kernel, ..at(second) };
    let records = [
        init(2, 0, b"reboot".as_slice(), 0),
        init(1, 53, b"runlevel", 9),
        Record { type_: 5, pid: 611, line: b"tty1", id: b"tty1", session: 611, ..at(10) },
        Record { type_: 6, pid: 611, line: b"tty1", id: b"tty1", user: b"LOGIN", session: 611, ..at(10) },
        Record { pid: 611, line: b"tty1", id: b"tty1", user: b"alice", session: 611, ..at(60) },
        Record {
            pid: 1204,
            line: b"pts/0",
            id: b"ts/0",
            user: b"bob",
            host: b"203.0.113.7",
            session: 1204,
            addr: Some("203.0.113.7"),
            ..at(90)
        },
        Record { type_: 4, line: b"|", user: b"date", ..at(100) },
        Record { type_: 3, line: b"{", user: b"date", ..at(160) },
        Record { type_: 8, pid: 1204, line: b"pts/0", exit: (15, 0), ..at(4000) },
        Record { type_: 8, pid: 611, line: b"tty1", id: b"tty1", exit: (0, 1), ..at(4100) },
        init(1, 0, b"shutdown", 5000),
    ];
    records.iter().flat_map(|record| record.bytes(machine)).collect()
}

/// The same day as every machine writes it: first as x86-64 does, which utmpdump reads on one.
pub(crate) fn days() -> [Vec<u8>; 4] {
    [X86_64, AARCH64, PPC64, WIDE_BIG].map(day)
}

/// The ways in which the host field is used.
fn hosts() -> Vec<u8> {
    let login = |second, host, addr| Record {
        pid: 2000,
        line: b"pts/3",
        id: b"ts/3",
        user: b"carol",
        host,
        addr,
        seconds: MORNING + second,
        ..RECORD
    };
    let records = [
        login(1, b"2001:db8::7".as_slice(), Some("2001:db8::7")),
        // Its last twelve bytes are zeros, like those of an IPv4 address.
        login(2, b"2001:db8::", Some("2001:db8::")),
        login(3, b"::ffff:203.0.113.9", Some("::ffff:203.0.113.9")),
        login(4, b"fe80::1%eth0", Some("fe80::1")),
        login(5, b"desk-7.example.com", Some("203.0.113.12")),
        login(6, b"desk-7.example.com", None),
        login(7, b"203.0.113.12", None),
        login(8, b"203.0.113.12:0.0", None),
        login(9, b"desk-7:0.0", None),
        login(10, b":0", None),
        login(11, b"tmux(1204).%0", None),
        login(12, b":pts/0:S.0", None),
        login(13, b"203.0.113.7 via mosh [1204]", Some("203.0.113.7")),
        login(14, b"", Some("203.0.113.7")),
        // The address that was seen goes before the one that is spelled.
        login(15, b"198.51.100.1", Some("203.0.113.7")),
        login(16, b"not a name; rm -rf", None),
        // A name that fills its field has no NUL.
        Record { user: &[b'x'; 32], line: &[b'y'; 32], host: &[b'z'; 256], ..login(17, b"", None) },
        // logwtmp(3) writes a logout as a login of nobody.
        Record { user: b"", line: b"ftpd812", ..login(18, b"", None) },
        Record { type_: 9, ..login(19, b"", None) },
        Record { type_: 0, ..login(20, b"", None) },
    ];
    records.iter().flat_map(|record| record.bytes(X86_64)).collect()
}

/// What disks, crashes and intruders do to a file.
fn damaged() -> Vec<u8> {
    let login = |user, second| Record { pid: 77, line: b"pts/0", user, seconds: MORNING + second, ..RECORD };
    let whole = |user: &'static [u8], second| login(user, second).bytes(X86_64);
    let mut junk = Vec::from(b"\xff\xfe junk \x1b[2J\x07");
    junk.resize(10_000, 0x83);
    let unclean = {
        let mut bytes = whole(b"unclean", 7);
        bytes[60..70].copy_from_slice(b"left\x01\x02over");
        bytes
    };
    [
        // Torn at its beginning, as after a careless cut.
        whole(b"torn", 0)[100..].to_vec(),
        whole(b"first", 1),
        // Two records wiped.
        vec![0; 2 * 384],
        whole(b"second", 2),
        b"text that somebody appended\n".to_vec(),
        whole(b"third", 3),
        junk,
        whole(b"fourth", 4),
        // A record of which a full disk took the rest.
        whole(b"short", 5)[..200].to_vec(),
        whole(b"sixth", 6),
        unclean,
        vec![0; 5],
        login(b"other", 8).bytes(PPC64),
        login(b"other", 9).bytes(AARCH64),
        vec![0; 3],
        login(b"other", 10).bytes(WIDE_BIG),
        whole(b"last", 11),
        whole(b"cut", 12)[..383].to_vec(),
    ]
    .concat()
}

/// Boards without a battery begin in 1970; some programs write no time at all.
fn no_clock(machine: Machine) -> Vec<u8> {
    let boot = Record { type_: 2, line: b"~", id: b"~~", user: b"reboot", host: b"6.12.48-rpi", ..RECORD };
    let login = Record { pid: 300, line: b"tty1", id: b"tty1", user: b"pi", session: 300, ..RECORD };
    let records = [
        Record { seconds: 7, micros: 250_000, ..boot },
        Record { seconds: 19, ..login },
        login,
        Record { seconds: 30, micros: 5, addr: Some("203.0.113.7"), ..login },
        Record { seconds: MORNING, ..login },
        Record { seconds: 40, ..login },
    ];
    records.iter().flat_map(|record| record.bytes(machine)).collect()
}

/// What strangers type into a login prompt.
fn guesses() -> Vec<u8> {
    let guess = |user, second| Record {
        type_: 6,
        pid: 4000,
        line: b"ssh:notty",
        user,
        host: b"198.51.100.23",
        addr: Some("198.51.100.23"),
        seconds: MORNING + second,
        ..RECORD
    };
    let records = [
        guess(b"root".as_slice(), 1),
        guess(b"LOGIN", 2),
        guess(b"", 3),
        guess(b"\x1b]0;owned\x07", 4),
        guess("\u{202e}toor".as_bytes(), 5),
        guess(b"caf\xe9", 6),
        guess(b"a] [b] [pts/0", 7),
        guess(&[b'A'; 32], 8),
        Record { type_: 7, line: b":0", host: b":0", addr: None, ..guess(b"alice", 9) },
        Record { line: b"tty1", host: b"", addr: None, ..guess(b"bob", 10) },
    ];
    records.iter().flat_map(|record| record.bytes(X86_64)).collect()
}

#[test]
fn the_fixtures_are_what_these_machines_write() {
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    let update = std::env::var("UPDATE").is_ok();
    let fixtures = [
        ("wtmp/day", day(X86_64)),
        ("wtmp/day-aarch64", day(AARCH64)),
        ("wtmp/day-ppc64", day(PPC64)),
        ("wtmp/day-wide-big", day(WIDE_BIG)),
        ("wtmp/hosts", hosts()),
        ("wtmp/damaged", damaged()),
        ("wtmp/no-clock", no_clock(X86_64)),
        ("wtmp/no-clock-aarch64", no_clock(AARCH64)),
        ("btmp/guesses", guesses()),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sources");
    for (name, bytes) in fixtures {
        let path = root.join(name).with_extension("in");
        if update {
            fs::create_dir_all(path.parent().expect("a folder")).expect("a writable folder");
            #[expect(clippy::disallowed_methods, reason = "a fixture, not data")]
            fs::write(&path, &bytes).expect("a writable fixture");
        }
        assert!(fs::read(&path).is_ok_and(|kept| kept == bytes), "{}: UPDATE=1 writes it", path.display());
    }
}

fn decoder(start: u64) -> Box<dyn Decoder> {
    sources::decoder(Stream {
        name: "wtmp".into(),
        family: Family::Wtmp,
        origin: "wtmp".into(),
        host: "example".to_owned(),
        identity: Identity::Place { lineage: Lineage::new("example", Family::Wtmp, b"wtmp"), generation: 0 },
        start,
        zone: Zone::UTC,
        year: Year::First(2026),
        marks: Marks::default(),
        world: Default::default(),
    })
}

fn decode_parts<'a>(start: u64, parts: impl Iterator<Item = &'a [u8]>) -> Vec<Event> {
    let observed = Stamp::from_unix(MORNING + 86_400, 0);
    let mut decoder = decoder(start);
    let mut events = Vec::new();
    parts.for_each(|part| decoder.push(part, observed, &mut events));
    decoder.finish(observed, &mut events);
    events
}

fn decode(input: &[u8]) -> Vec<Event> {
    decode_parts(0, std::iter::once(input))
}

fn told(events: &[Event]) -> Vec<(&str, Option<&str>, String)> {
    events.iter().map(|e| (e.what.action.as_str(), e.who.name.as_deref(), e.when.to_string())).collect()
}

#[test]
fn every_machine_tells_the_same_day() {
    let here = decode(&day(X86_64));
    assert_eq!(here.len(), 11);
    for machine in [AARCH64, PPC64, WIDE_BIG] {
        assert_eq!(told(&decode(&day(machine))), told(&here));
    }
}

#[test]
fn a_record_comes_as_soon_as_it_is_written() {
    for machine in [X86_64, AARCH64, PPC64, WIDE_BIG] {
        let day = day(machine);
        let size = day.len() / 11;
        let mut decoder = decoder(0);
        let mut events = Vec::new();
        for (count, record) in day.chunks(size).enumerate() {
            let (most, last) = record.split_at(size - 1);
            decoder.push(most, Stamp::from_unix(MORNING, 0), &mut events);
            assert_eq!((events.len(), decoder.next()), (count, (count * size) as u64));
            decoder.push(last, Stamp::from_unix(MORNING, 0), &mut events);
            assert_eq!(events.len(), count + 1);
        }
    }
}

#[test]
fn records_are_found_behind_any_amount_of_junk() {
    let day = day(X86_64);
    for (size, byte) in (0..400).flat_map(|size| [0, 1, 7, b'x', 0xff].map(|byte| (size, byte))) {
        let events = decode(&[vec![byte; size], day.clone()].concat());
        let records = events.iter().filter(|event| event.what.action != "unparsed").count();
        assert_eq!((records, events.len()), (11, 11 + usize::from(size > 0)), "{size} of {byte}");
    }
}

#[test]
fn files_are_told_apart_by_name_or_by_what_only_failures_have() {
    let detect = |name: &str, bytes: &[u8]| sources::detect(name, bytes);
    for machine in [X86_64, AARCH64, PPC64, WIDE_BIG] {
        assert_eq!(detect("wtmp.1", &day(machine)), Some(Family::Wtmp));
        assert_eq!(detect("btmp-20261101", &day(machine)), Some(Family::Btmp));
        assert_eq!(detect("-", &day(machine)), Some(Family::Wtmp));
    }
    assert_eq!(detect("-", &guesses()), Some(Family::Btmp));
    assert_eq!(detect("wtmp", &[vec![0; 768], day(X86_64)].concat()), Some(Family::Wtmp));
    assert_eq!(detect("wtmp", &[vec![0; 768], day(PPC64)].concat()), Some(Family::Wtmp));
    for other in [&b""[..], &[0; 4096], &[7; 4096], b"Nov 20 10:11:12 web-1 sshd[1]: text", &day(X86_64)[..383]] {
        assert!(!matches!(detect("wtmp", other), Some(Family::Wtmp | Family::Btmp)));
    }
}

/// A piece of a file: a record of some machine, or what is none.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let machine = select(&[X86_64, AARCH64, PPC64, WIDE_BIG][..]);
    let login = (machine, 1..9_i16, any::<u16>(), any::<u32>()).prop_map(|(machine, type_, pid, second)| {
        let seconds = 631_152_000 + i64::from(second / 2);
        Record { type_, pid: pid.into(), line: b"pts/1", user: b"dave", seconds, ..RECORD }.bytes(machine)
    });
    let junk = vec(any::<u8>(), 0..500);
    let zeros = (0..900_usize).prop_map(|size| vec![0; size]);
    let small = vec(0..10_u8, 0..900);
    prop_oneof![4 => login.clone(), 1 => junk, 1 => zeros, 1 => small, 1 => login.prop_map(|bytes| bytes[..200].to_vec())]
}

proptest! {
    #![proptest_config(Config { cases: 256, failure_persistence: None, ..Config::default() })]

    #[test]
    fn whatever_a_file_holds_each_byte_is_in_one_event(pieces in vec(piece(), 0..8), cuts in vec(any::<Index>(), 0..6)) {
        let input = pieces.concat();
        let whole = decode(&input);
        let mut end = 0;
        for event in &whole {
            let bytes = match (&event.raw_base64, &event.raw) {
                (Some(base64), _) => data_encoding::BASE64.decode(base64.as_bytes()).expect("base64"),
                (None, raw) => raw.clone().expect("text").into_bytes(),
            };
            prop_assert_eq!(event.source.pos, Some(end as u64));
            prop_assert_eq!(&input[end..end + bytes.len()], &bytes);
            end += bytes.len();
            prop_assert_eq!(event.source.next, Some(end as u64));
            prop_assert!(serde_json::to_string(event).expect("an event").len() < LEAF_BYTES_MAX);
        }
        prop_assert_eq!(end, input.len());

        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).chain([0, input.len()]).collect();
        at.sort_unstable();
        prop_assert_eq!(decode_parts(0, at.windows(2).map(|pair| &input[pair[0]..pair[1]])), whole.clone());
        let Some(after) = cuts.first().filter(|_| !whole.is_empty()).map(|cut| cut.index(whole.len())) else { return Ok(()) };
        let next = whole[after].source.next.expect("a place");
        let rest = input.get(usize::try_from(next).expect("in memory")..).expect("within");
        prop_assert_eq!(decode_parts(next, std::iter::once(rest)), whole[after + 1..].to_vec());
    }
}
