//! lastlog files of every machine; the fixtures in `tests/sources/lastlog/` are written here.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use whodid::event::Family;
use whodid::sources;

use super::{said, told};
use crate::program::Place;

#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    is_long: bool,
    is_big: bool,
}

pub(super) const X86_64: Machine = Machine { is_long: false, is_big: false };
const AARCH64: Machine = Machine { is_long: true, is_big: false };
const PPC64: Machine = Machine { is_long: false, is_big: true };
const S390X: Machine = Machine { is_long: true, is_big: true };

impl Machine {
    pub(super) fn size(self) -> u64 {
        if self.is_long { 296 } else { 292 }
    }

    pub(super) fn record(self, seconds: u32, line: &str, host: &str) -> Vec<u8> {
        let mut bytes = match (self.is_long, self.is_big) {
            (false, false) => seconds.to_le_bytes().to_vec(),
            (false, true) => seconds.to_be_bytes().to_vec(),
            (true, false) => u64::from(seconds).to_le_bytes().to_vec(),
            (true, true) => u64::from(seconds).to_be_bytes().to_vec(),
        };
        let text = |text: &str, size: usize| [text.as_bytes(), &vec![0; size - text.len()]].concat();
        bytes.extend(text(line, 32));
        bytes.extend(text(host, 256));
        bytes
    }

    fn file(self, records: &[(u64, u32, &str, &str)]) -> Vec<u8> {
        let mut file = Vec::new();
        for (uid, seconds, line, host) in records {
            let at = usize::try_from(uid * self.size()).expect("small");
            file.resize(file.len().max(at), 0);
            file.splice(at.., self.record(*seconds, line, host));
        }
        file
    }
}

const NINE: u32 = 1_795_078_800;

fn day(machine: Machine) -> Vec<u8> {
    machine.file(&[
        (0, NINE, "tty1", ""),
        (1, NINE + 1, "pts/0", "203.0.113.7"),
        (2, NINE + 2, "pts/1", "2001:db8::7"),
        (73, NINE + 3, "pts/2", "desk-7.example.com"),
        (74, NINE + 4, ":0", ":0"),
        (1000, 3_000_000_000, "ssh", "198.51.100.23"),
    ])
}

fn damaged() -> Vec<u8> {
    let mut file = day(X86_64);
    file[292 + 50..292 + 60].copy_from_slice(b"\x01\xff\x00junk\x00!!");
    file.extend_from_slice(b"cut off");
    file
}

#[test]
fn the_fixtures_are_what_these_machines_write() {
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the tests")]
    let update = std::env::var("UPDATE").is_ok();
    let fixtures = [
        ("day", day(X86_64)),
        ("day-aarch64", day(AARCH64)),
        ("day-ppc64", day(PPC64)),
        ("day-s390x", day(S390X)),
        ("damaged", damaged()),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sources/lastlog");
    for (name, bytes) in fixtures {
        let path = root.join(name).with_extension("in");
        if update {
            #[expect(clippy::disallowed_methods, reason = "a fixture, not data")]
            fs::write(&path, &bytes).expect("a writable fixture");
        }
        assert!(fs::read(&path).is_ok_and(|kept| kept == bytes), "{}: UPDATE=1 writes it", path.display());
        assert_eq!(sources::detect("file", &bytes), Some(Family::Lastlog), "{name}");
    }
}

#[test]
fn every_machine_tells_the_same_day() {
    let read = |machine: Machine| {
        let place = Place::new("");
        place.write("lastlog", &day(machine));
        place.run(&["ingest", "lastlog"]).code(0);
        told(&place, "source.kind:lastlog")
    };
    let here = read(X86_64);
    assert_eq!(here.len(), 6, "{here:?}");
    assert_eq!(here[5], "login.last 1000 2065-01-24T05:20:00Z");
    for machine in [AARCH64, PPC64, S390X] {
        assert_eq!(read(machine), here, "{machine:?}");
    }
}

const SOURCE: &str = "[[source]]\nname = \"last\"\ntype = \"lastlog\"\npaths = [\"lastlog\"]\n";

#[test]
fn each_state_of_a_record_is_one_event_and_a_cleared_one_is_a_gap() {
    let place = Place::new(SOURCE);
    let machine = X86_64;
    let file = fs::File::create(place.path("lastlog")).expect("a file");
    let put = |uid: u64, record: &[u8]| file.write_all_at(record, uid * machine.size()).expect("written");
    put(0, &machine.record(NINE, "tty1", ""));
    // The number of nobody in another name space, which makes the file 1.2 TB long.
    put(4_294_967_294, &machine.record(NINE + 1, "pts/0", "203.0.113.7"));
    put(1000, &machine.record(NINE + 2, "pts/1", "203.0.113.8"));
    place.run(&["run", "--once"]).code(0);
    let first = told(&place, "what.action:login.last");
    assert_eq!(first.len(), 3, "{first:?}");
    place.run(&["run", "--once"]).code(0);
    assert_eq!(told(&place, "what.action:login.last"), first);

    put(1000, &machine.record(NINE + 60, "pts/1", "203.0.113.8"));
    place.run(&["run", "--once"]).code(0);
    let then = told(&place, "what.action:login.last");
    assert_eq!(then.last().map(String::as_str), Some("login.last 1000 2026-11-19T09:01:00Z"));
    assert_eq!(then.len(), 4);
    assert_eq!(said(&place, "source.gap"), []);

    put(1000, &[0; 292]);
    place.run(&["run", "--once"]).code(0);
    let gaps = said(&place, "source.gap");
    assert_eq!(gaps, [("has lost 1 records that had been read; the trail has them".to_owned(), Some(true))]);
    place.run(&["run", "--once"]).code(0);
    assert_eq!(said(&place, "source.gap").len(), 1);
}
