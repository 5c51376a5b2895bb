//! Writer, reader and recovery together, on a folder.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::bench::{Bench, event, now};
use super::*;

fn lines(reader: &Reader, from: u64) -> Vec<(u64, String)> {
    let mut lines = reader.lines(from).expect("a trail");
    let mut all = Vec::new();
    while let Some((seq, line)) = lines.next().expect("readable") {
        all.push((seq, String::from_utf8_lossy(line).into_owned()));
    }
    all
}

#[test]
fn what_is_appended_is_read_from_every_place() {
    let bench = Bench::new();
    bench.fill(700);
    let reader = bench.reader();
    let all = lines(&reader, 0);
    assert_eq!(all.len(), 700);
    assert!(bench.segments().len() > 2);
    for from in [1, 255, 256, 257, 511, 512, 699, 700, 800] {
        assert_eq!(lines(&reader, from), all[from.min(700) as usize..], "{from}");
    }
    for seq in [0, 255, 256, 400, 699] {
        let event = reader.event(seq).expect("an event");
        assert_eq!(event.id, bench.id(seq));
        assert!(event.raw.is_some_and(|raw| raw.starts_with(&format!("line {seq} "))));
    }
    assert!(matches!(reader.event(700), Err(TrailError::Beyond { seq: 700, size: 700 })));
    assert_eq!(reader.scan(690).expect("a trail").count(), 10);
    let stat = reader.stat().expect("readable");
    assert_eq!((stat.size, stat.signed, stat.segments), (700, 700, bench.segments().len() as u64));
    assert_eq!(stat.last.map(|event| event.id), Some(bench.id(699)));
}

#[test]
fn a_segment_is_there_with_its_first_entries_or_not_at_all() {
    let bench = Bench::new();
    let (mut writer, _) = bench.open();
    bench.fill_on(&mut writer, 0, 10);
    writer.end_segment().expect("room");
    writer.append(vec![event(bench.id(10), "position"), event(bench.id(11), "definition")]).expect("room");
    assert_eq!((bench.segments().len(), bench.reader().newest_segment().expect("a trail")), (1, 0));
    assert_eq!(writer.begin_segment().expect("room"), 12);
    let segments = bench.segments();
    assert_eq!(memchr::memchr_iter(b'\n', &bench.read(&segments[1])).count(), 2);
    assert_eq!(bench.reader().newest_segment().expect("a trail"), 10);
    bench.fill_on(&mut writer, 12, 3);
    drop(writer);
    let (_, opened) = bench.open();
    assert_eq!((opened.size, opened.signed, opened.recovered.len()), (15, 10, 0));
    assert_eq!(lines(&bench.reader(), 0).len(), 15);
}

#[test]
fn a_reader_never_sees_what_is_not_acknowledged() {
    let bench = Bench::new();
    let (mut writer, opened) = bench.open();
    assert!(opened.is_new);
    let reader = bench.reader();
    writer.append((0..10).map(|n| event(bench.id(n), "x")).collect()).expect("room");
    assert_eq!((reader.acknowledged().expect("a number"), lines(&reader, 0).len()), (0, 0));
    assert_eq!((writer.next_seq(), writer.acknowledged(), writer.commit().expect("room")), (10, 0, 10));
    assert_eq!(lines(&reader, 0).len(), 10);
    assert_eq!((writer.signed(), writer.sign().expect("room"), writer.signed()), (0, 10, 10));
}

#[test]
fn a_second_writer_is_told_who_the_first_is() {
    let bench = Bench::new();
    let first = Writer::open(Open { command: "whodid run".into(), ..bench.settings() }).expect("a trail");
    let second = bench.try_open().expect_err("held");
    assert!(matches!(second, TrailError::Held { .. }));
    let text = second.to_string();
    assert!(text.contains(&format!("whodid run (process {}, since {})", std::process::id(), now())), "{text}");
    bench.delete("lock");
    assert!(matches!(bench.try_open(), Err(TrailError::Held { .. })));
    drop(first);
    bench.open();
}

#[test]
fn modes_of_files_and_folders_keep_others_out() {
    let bench = Bench::new();
    bench.fill(300);
    let mode = |path: std::path::PathBuf| fs::metadata(path).expect("there").permissions().mode() & 0o7777;
    for folder in ["", "trail", "trail/segment", "trail/tile/0", "trail/blob", "trail/quarantine", "trail/seen"] {
        assert_eq!(mode(bench.path(folder)) & 0o027, 0, "{folder}");
    }
    for file in
        ["lock", "trail/checkpoint", "trail/origin", "trail/acknowledged", "trail/tile/0/000", &bench.segments()[0]]
    {
        assert_eq!(mode(bench.path(file)) & 0o137, 0, "{file}");
    }
    let (vkey, last) = bench.reader().key_places(&bench.keys());
    let key = vkey.with_extension("key");
    assert_eq!((mode(bench.keys()), mode(key.clone()), mode(last)), (0o700, 0o600, 0o600));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("ours");
    let error = bench.try_open().expect_err("others may read it").to_string();
    assert!(error.contains("mode 0640") && error.contains("chmod 600"), "{error}");
}

#[test]
fn keys_do_not_lie_in_the_data_folder() {
    let bench = Bench::new();
    let open = Open { keys: bench.path("keys"), ..bench.settings() };
    assert!(matches!(Writer::open(open), Err(TrailError::Key { .. })));
    let open = Open { org: "two words".into(), ..bench.settings() };
    assert!(matches!(Writer::open(open), Err(TrailError::Name { .. })));
    assert!(matches!(Reader::open(bench.data()), Err(TrailError::NoTrail(_))));
}

#[test]
fn a_replay_is_no_live_trail() {
    let bench = Bench::new();
    bench.fill(3);
    let error = Writer::open(Open { mode: Mode::Replay, ..bench.settings() }).expect_err("another mode");
    assert!(matches!(error, TrailError::Mode { recorded: Mode::Live, .. }), "{error}");
    assert!(Reader::open_as(bench.data(), Mode::Live).is_ok());
    assert!(matches!(Reader::open_as(bench.data(), Mode::Replay), Err(TrailError::Mode { .. })));
}

/// A crash may leave any part of what was not acknowledged yet.
#[test]
fn a_tail_torn_at_any_byte_is_recovered_to_its_last_whole_line() {
    let bench = Bench::new();
    bench.fill(20);
    let name = bench.segments().pop().expect("a segment");
    let signed = bench.read(&name).len();
    {
        let (mut writer, _) = bench.open();
        bench.fill_on(&mut writer, 20, 5);
    }
    let whole = bench.read(&name);
    let checkpoint = bench.read("trail/checkpoint");
    for end in signed..=whole.len() {
        bench.write(&name, &whole[..end]);
        bench.write("trail/acknowledged", b"00000000000000000020 00000000000000000020\n");
        let (mut writer, opened) = bench.open();
        let kept = memchr::memchr_iter(b'\n', &whole[..end]).count() as u64;
        let torn = end - memchr::memrchr(b'\n', &whole[..end]).map_or(0, |at| at + 1);
        assert_eq!((opened.size, opened.signed), (kept, 20), "{end}");
        assert_eq!(opened.recovered.last().map(|recovered| recovered.bytes), (torn > 0).then_some(torn as u64));
        if let Some(recovered) = opened.recovered.last() {
            assert_eq!(recovered.lost, 0);
            assert_eq!(fs::read(&recovered.files[0]).expect("quarantine"), whole[end - torn..end]);
        }
        writer.append(vec![event(bench.id(99), "after")]).expect("room");
        assert_eq!(writer.commit().expect("room"), kept + 1);
        assert_eq!(lines(&bench.reader(), 0).len() as u64, kept + 1);
        assert_eq!(bench.read("trail/checkpoint"), checkpoint);
    }
}

#[test]
fn garbage_after_the_last_signed_entry_is_set_aside() {
    let bench = Bench::new();
    bench.fill(20);
    let name = bench.segments().pop().expect("a segment");
    let bytes = bench.read(&name);
    for garbage in [b"\0\0\0\0".as_slice(), b"\n", b"{}\n{\"v\":1}\n", &[b'x'; 100_000], b"\xff\n"] {
        bench.write(&name, &[&bytes, garbage].concat());
        let (_, opened) = bench.open();
        assert_eq!(opened.recovered.last().map(|recovered| recovered.bytes), Some(garbage.len() as u64));
        assert_eq!(bench.read(&name), bytes);
    }
}

#[test]
fn acknowledged_entries_that_are_gone_are_counted() {
    let bench = Bench::new();
    bench.fill(20);
    {
        let (mut writer, _) = bench.open();
        bench.fill_on(&mut writer, 20, 5);
    }
    let name = bench.segments().pop().expect("a segment");
    bench.cut(&name, 10);
    let opened = bench.open().1;
    let [recovered] = opened.recovered.as_slice() else { panic!("something is gone") };
    assert_eq!((recovered.at, recovered.lost, recovered.lines), (24, 1, 0));
}

/// Killed before its first event, by a full disk for example.
#[test]
fn a_recovery_is_told_by_the_next_writer_if_the_first_could_not() {
    let bench = Bench::new();
    bench.fill(20);
    let name = bench.segments().pop().expect("a segment");
    let bytes = bench.read(&name);
    bench.write(&name, &[&bytes, b"half".as_slice()].concat());
    bench.write("trail/acknowledged", b"00000000000000000025 00000000000000000025\n");
    let first = bench.open().1.recovered;
    assert_eq!((first[0].at, first[0].bytes, first[0].lost), (20, 4, 5));
    let (mut writer, opened) = bench.open();
    assert_eq!(opened.recovered, first);
    // Torn between two lines: only one is told.
    let now = crate::event::own::event(crate::event::own::action::RECOVERED, "here", now());
    let told = |n: u64| {
        let mut event = crate::event::Event { id: bench.id(n), ..now.clone() };
        Line::new(event.id, crate::event::encode(&mut event).0, None).expect("a line")
    };
    writer.append(vec![told(100)]).expect("room");
    let noted = bench.read("trail/recovered");
    writer.commit().expect("room");
    assert!(!bench.path("trail/recovered").exists());
    drop(writer);
    assert_eq!(bench.open().1.recovered, []);
    bench.write("trail/recovered", &[noted.as_slice(), b"21 0 0 1 -\n"].concat());
    let left = bench.open().1.recovered;
    assert_eq!(left.iter().map(|recovered| (recovered.at, recovered.lost)).collect::<Vec<_>>(), [(21, 1)]);
    bench.write("trail/recovered", &noted);
    assert!(bench.open().1.recovered.is_empty() && !bench.path("trail/recovered").exists());
    bench.write("trail/recovered", b"nonsense\n");
    assert!(matches!(bench.try_open(), Err(TrailError::Damaged { .. })));
}

#[test]
fn damage_below_the_signed_size_is_refused_and_named() {
    let bench = Bench::new();
    bench.fill(300);
    let refused = |name: &str, harm: &dyn Fn()| {
        let is_file = bench.path(name).is_file();
        let before = is_file.then(|| bench.read(name));
        harm();
        let error = bench.try_open().expect_err(name).to_string();
        if let Some(before) = before {
            bench.write(name, &before);
        }
        error
    };
    let newest = bench.segments().pop().expect("a segment");
    let text = refused(&newest, &|| bench.flip(&newest, 5));
    assert!(text.contains("at byte 0 is not what was signed"), "{text}");
    let text = refused(&newest, &|| bench.cut(&newest, 1));
    assert!(text.contains("it ends before entry 299"), "{text}");
    refused(&newest, &|| bench.delete(&newest));
    for tile in ["trail/tile/0/001.p/44", "trail/tile/1/000.p/1"] {
        refused(tile, &|| bench.flip(tile, 40));
        refused(tile, &|| bench.delete(tile));
    }
    refused("trail/checkpoint", &|| bench.flip("trail/checkpoint", 200));
    refused("trail/checkpoint", &|| bench.delete("trail/checkpoint"));
    refused("trail/origin", &|| bench.flip("trail/origin", 3));
    refused("trail/origin", &|| bench.delete("trail/origin"));
    bench.open();
}

/// Else a kill in the middle of writing it would leave what is signed without its proof.
#[test]
fn a_tile_that_is_signed_is_not_written_again() {
    let bench = Bench::new();
    bench.fill(300);
    let tile = bench.path("trail/tile/1/000.p/1");
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    let touched = || fs::metadata(&tile).and_then(|found| found.modified()).expect("there");
    fs::File::open(&tile).and_then(|file| file.set_modified(long_ago)).expect("ours");
    bench.fill(10);
    assert_eq!(touched(), long_ago);
    assert_eq!(bench.verify().exit(), Exit::Whole);
}

#[test]
fn an_older_copy_is_refused() {
    let bench = Bench::new();
    bench.fill(30);
    let names = [bench.segments()[0].clone(), "trail/checkpoint".to_owned(), "trail/tile/0/000.p/30".to_owned()];
    let old = names.clone().map(|name| bench.read(&name));
    bench.fill(10);
    for (name, bytes) in names.iter().zip(&old) {
        bench.write(name, bytes);
    }
    let error = bench.try_open().expect_err("older");
    assert!(matches!(error, TrailError::RolledBack { have: 30, known: 40, .. }), "{error}");
    let (_, last) = bench.reader().key_places(&bench.keys());
    fs::remove_file(last).expect("deleted");
    let error = bench.try_open().expect_err("unknown").to_string();
    assert!(error.contains("whodid trail adopt"), "{error}");
}

#[test]
fn a_cache_that_is_wrong_shows_no_other_entry() {
    let mut bench = Bench::new();
    bench.segment_bytes = u64::MAX;
    bench.fill(700);
    let cache = bench.segments()[0].replace(".jsonl", ".blocks");
    let starts = bench.read(&cache);
    assert_eq!(starts.len(), 24);
    // The start of another line: one that follows a line feed, as it must.
    let one = bench.reader().line(0).expect("a line").len() as u64 + 1;
    bench.write(&cache, &[&starts[..8], &one.to_le_bytes(), &starts[16..]].concat());
    for seq in [256, 300, 511, 600] {
        let (at, line) = lines(&bench.reader(), seq).swap_remove(0);
        assert!(at == seq && line.contains(&bench.id(seq).to_string()), "{seq}: {line}");
        assert_eq!(bench.reader().event(seq).map(|event| event.id).expect("an event"), bench.id(seq));
    }
    bench.delete(&cache);
    assert_eq!(bench.reader().event(300).map(|event| event.id).expect("an event"), bench.id(300));
}

#[test]
fn a_count_that_is_none_is_made_anew() {
    let bench = Bench::new();
    bench.fill(300);
    for bytes in [&[b'x'; 100][..], b"", b"300", &[0; 42]] {
        bench.write("trail/acknowledged", bytes);
        assert_eq!(bench.reader().acknowledged().expect("the signed ones"), 300);
        assert_eq!(bench.open().1.recovered, []);
        assert_eq!(bench.read("trail/acknowledged"), b"00000000000000000300 00000000000000000300\n");
    }
}

#[test]
fn an_entry_that_was_changed_is_not_shown() {
    let bench = Bench::new();
    bench.fill(300);
    bench.flip(&bench.segments()[0], 100);
    assert!(matches!(bench.reader().event(0), Err(TrailError::Damaged { .. })));
}
