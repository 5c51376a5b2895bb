//! Real wtmp, utmp and btmp files against what utmpdump(1) says of them, where such files are at hand:
//! below `WHODID_DATA`, or in `../shared/data`.

use std::fs;
use std::path::{Path, PathBuf};

use whodid::event::{Event, Family, Lineage, Stamp};
use whodid::sources::secrets::Marks;
use whodid::sources::zone::Zone;
use whodid::sources::{self, Identity, Stream, Year};

fn data() -> PathBuf {
    std::env::var_os("WHODID_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from)
}

#[test]
fn real_files_say_what_utmpdump_says() {
    let files = files(&data());
    let dumps: Vec<&PathBuf> =
        files.iter().filter(|path| path.extension().is_some_and(|ending| ending == "txt")).collect();
    let (mut read, mut compared) = (0, 0);
    for path in &files {
        let name = path.file_name().expect("a file").to_string_lossy();
        let Ok(bytes) = fs::read(path) else { continue };
        let Some(family @ (Family::Wtmp | Family::Btmp)) = sources::detect(&name, &bytes) else { continue };
        let rows: Vec<String> = decode(family, &bytes).iter().flat_map(rows).collect();
        read += 1;
        let ending = format!("_{name}.txt");
        let Some(dump) = dumps.iter().find(|dump| dump.to_string_lossy().ends_with(&ending)) else { continue };
        let dump = fs::read_to_string(dump).expect("readable");
        let dump: Vec<String> = dump.lines().map(squeezed).collect();
        assert_eq!(rows, dump, "{}", path.display());
        compared += rows.len();
    }
    println!("{read} files, {compared} records as utmpdump says");
}

/// What utmpdump says of a file; none where there is no such program.
fn utmpdump(bytes: &[u8]) -> Option<Vec<String>> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::io::Write::write_all(&mut file.as_file(), bytes).expect("room");
    let dump = std::process::Command::new("utmpdump").arg(file.path()).output().ok()?;
    Some(String::from_utf8(dump.stdout).expect("UTF-8").lines().map(squeezed).collect())
}

#[test]
fn every_machine_says_what_utmpdump_says_of_the_same_day() {
    let days = crate::utmp::days();
    let Some(dump) = utmpdump(&days[0]) else { return };
    assert_eq!(dump.len(), 11);
    for day in days {
        let rows: Vec<String> = decode(Family::Wtmp, &day).iter().flat_map(rows).collect();
        assert_eq!(rows, dump);
    }
}

#[test]
fn a_damaged_copy_loses_only_the_records_that_were_hit_and_says_so() {
    let sample = data().join("plaso/test_data/utmp/utmp");
    let files = crate::utmp::days().into_iter().chain(fs::read(sample));
    for whole in files {
        let records = decode(Family::Wtmp, &whole);
        let size = [384, 400].into_iter().find(|size| whole.len().is_multiple_of(*size)).expect("records");
        for (hit, byte) in (0..whole.len() / size).flat_map(|hit| [0xff, 0x00, b'x'].map(|byte| (hit, byte))) {
            let range = hit * size..(hit + 1) * size;
            let mut copy = whole.clone();
            copy[range.clone()].fill(byte);
            let events = decode(Family::Wtmp, &copy);
            let is_hit = |event: &Event| {
                event.source.pos.is_some_and(|pos| range.contains(&usize::try_from(pos).expect("small")))
            };
            let ids = |events: &[Event]| {
                events.iter().filter(|event| !is_hit(event)).map(|event| event.id).collect::<Vec<_>>()
            };
            assert_eq!(ids(&events), ids(&records), "{hit} of {byte}");
            let said: Vec<&Event> = events.iter().filter(|event| is_hit(event)).collect();
            assert!(said.iter().all(|event| event.what.action == "unparsed"), "{hit} of {byte}");
            let bytes: u64 = said.iter().filter_map(|event| Some(event.source.next? - event.source.pos?)).sum();
            assert_eq!(bytes, size as u64, "{hit} of {byte}: all of it is in what says so");
        }
    }
}

/// Every file with `utmp` or `tmp.` in its path.
fn files(data: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            match path.is_dir() {
                true => folders.push(path),
                false if path.to_string_lossy().contains("tmp") => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

fn decode(family: Family, bytes: &[u8]) -> Vec<Event> {
    let observed = Stamp::from_unix(1_795_176_000, 0);
    let mut decoder = sources::decoder(Stream {
        name: "data".into(),
        family,
        origin: "data".into(),
        host: "example".to_owned(),
        identity: Identity::Place { lineage: Lineage::new("example", family, b"data"), generation: 0 },
        start: 0,
        zone: Zone::UTC,
        year: Year::NotAfter(observed),
        marks: Marks::default(),
        world: Default::default(),
    });
    let mut events = Vec::new();
    decoder.push(bytes, observed, &mut events);
    decoder.finish(observed, &mut events);
    events
}

/// The event as utmpdump writes its record; zeros are as many empty records as fit.
fn rows(event: &Event) -> Vec<String> {
    let bytes = event.raw_base64.as_ref().expect("binary").len() / 4 * 3;
    if event.what.action == "unparsed" {
        let empty = "[0] [00000] [] [] [] [] [0.0.0.0] [1970-01-01T00:00:00,000000+00:00]";
        return vec![empty.to_owned(); bytes / 384];
    }
    let utmp = event.detail.get("utmp").expect("a record");
    let text = |key: &str| utmp.get(key).map_or(String::new(), |value| value.as_str().expect("text").to_owned());
    let number = |key: &str| utmp.get(key).and_then(|value| value.as_i64()).expect("a number");
    let addr = Some(text("addr")).filter(|addr| !addr.is_empty()).unwrap_or_else(|| "0.0.0.0".to_owned());
    vec![format!(
        "[{}] [{:05}] [{}] [{}] [{}] [{}] [{addr}] [{}]",
        number("type"),
        number("pid"),
        text("id"),
        text("user"),
        text("line"),
        text("host"),
        event.when.instant().format("%Y-%m-%dT%H:%M:%S,%6f+00:00"),
    )]
}

/// A line of utmpdump without the blanks that fill its columns.
fn squeezed(line: &str) -> String {
    let mut line = line.to_owned();
    while line.contains(" ]") {
        line = line.replace(" ]", "]");
    }
    line
}
