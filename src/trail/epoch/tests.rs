//! Epochs and rotations of a whole trail: what is mended, what is refused, what shows.

use std::fs;

use super::*;
use crate::durable::replace;
use crate::trail::bench::{Bench, event};
use crate::trail::checkpoint;
use crate::trail::note::SignerKey;
use crate::trail::succession::Kind;
use crate::trail::tile::{self, Edge};
use crate::trail::verify::{Against, Beginning, Exit, Report, verify};
use crate::trail::{Rotated, TrailError, tree};

impl Bench {
    fn key_path(&self, ending: &str) -> PathBuf {
        let names = crate::trail::layout::names(&self.keys()).expect("readable");
        let name = names.iter().find(|name| name.ends_with(".last")).expect("there");
        self.keys().join(name).with_extension(ending)
    }

    fn signer(&self, ending: &str) -> SignerKey {
        let text = fs::read_to_string(self.key_path(ending)).expect("a key");
        SignerKey::parse(text.trim()).expect("a key")
    }

    fn verify_with(&self, key: &str, epoch_key: Option<&str>) -> Report {
        let (key, epoch_key) = (Some(key.to_owned()), epoch_key.map(str::to_owned));
        verify(self.data(), &Against { key, epoch_key, ..Against::default() }, &mut |_, _| {})
    }

    fn log_key(&self) -> String {
        self.key().lines().next().unwrap_or_default().to_owned()
    }

    fn records(&self, name: &str) -> Vec<Vec<u8>> {
        let bytes = self.read(name);
        let notes = crate::trail::notes::read(&bytes).map(|(_, read)| read.expect("a record").0.to_vec());
        notes.collect()
    }

    /// What the holder of the keys that are there now can do: other entries, with new tiles and good signatures.
    fn seal_again(&self, edit: impl FnOnce(&mut Vec<Vec<u8>>)) {
        let segments = self.segments();
        let all: Vec<u8> = segments.iter().flat_map(|name| self.read(name)).collect();
        let mut lines: Vec<Vec<u8>> = all.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        edit(&mut lines);
        segments.iter().for_each(|name| self.delete(name));
        self.write(&segments[0], &lines.concat());
        self.delete("trail/tile");
        let mut edge = Edge::default();
        let keep = |tile: crate::trail::tile::Tile, hashes: &[tree::Hash]| {
            let path = self.path(&format!("trail/{}", tile.path()));
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            self.write(&format!("trail/{}", tile.path()), &tile::to_bytes(hashes));
        };
        for line in &lines {
            let pushed = edge.push(tree::leaf(line.strip_suffix(b"\n").expect("a line")), |tile, hashes| {
                keep(tile, hashes);
                Ok::<_, std::convert::Infallible>(())
            });
            pushed.unwrap_or_else(|never| match never {});
        }
        edge.partial().for_each(|(tile, hashes)| keep(tile, hashes));
        self.sign_again(edge.size(), edge.root());
    }

    fn sign_again(&self, size: u64, root: tree::Hash) {
        let (log, epoch) = (self.signer("key"), self.signer("epoch"));
        let checkpoint = Checkpoint { origin: log.name().to_owned(), size, root };
        self.write("trail/checkpoint", checkpoint.sign_by(&[&log, &epoch]).expect("a good text").as_bytes());
    }

    fn rotate(&self) -> Rotated {
        let (mut writer, opened) = self.open();
        let rotated = writer.rotate_key().expect("room");
        writer.append(vec![event(self.id(opened.size), "rotated")]).expect("room");
        writer.commit().and_then(|_| writer.sign()).expect("signed");
        rotated
    }
}

fn filled() -> Bench {
    let bench = Bench::new();
    bench.fill(700);
    bench
}

fn rename(line: &mut Vec<u8>) {
    let text = String::from_utf8(line.clone()).expect("JSON");
    *line = text.replacen("auth.log", "auth.lag", 1).into_bytes();
}

#[test]
fn every_segment_ends_an_epoch_and_what_is_closed_is_protected() {
    let bench = filled();
    let epochs = bench.records("trail/epochs").len();
    assert_eq!(epochs, bench.segments().len());
    let report = bench.verify();
    assert_eq!((report.findings.as_slice(), report.exit()), ([].as_slice(), Exit::Whole));
    let last = report.epochs.closed_to;
    assert_eq!(
        (report.epochs.vouched, report.epochs.protected_to, report.epochs.closed),
        (Beginning::Given, last, epochs as u64 - 1)
    );
    assert!(last > 500 && last < 700);
    let alone = bench.verify_with(&bench.log_key(), None).epochs;
    assert_eq!((alone.vouched, alone.closed_to, alone.protected_to), (Beginning::ByLog, last, 0));
    assert_eq!(bench.verify_with(&bench.log_key(), bench.key().lines().nth(1)).epochs, report.epochs);
    assert_eq!(bench.key().lines().count(), 2);
    assert!(!bench.key_path("epoch.next").exists());
}

#[test]
fn the_end_of_a_run_closes_an_epoch_that_has_seen_enough() {
    let mut bench = Bench::new();
    bench.segment_bytes = u64::MAX;
    for (count, epochs) in [(200, 1), (100, 2), (100, 2), (200, 3)] {
        let (mut writer, opened) = bench.open();
        bench.fill_on(&mut writer, opened.size, count);
        writer.end().expect("signed");
        assert_eq!(bench.records("trail/epochs").len(), epochs);
    }
    let (mut writer, opened) = bench.open();
    for n in 0..=u64::from(CHECKPOINTS_MAX) {
        bench.fill_on(&mut writer, opened.size + n, 1);
        writer.sign().expect("signed");
    }
    assert_eq!(bench.records("trail/epochs").len(), 4);
    assert_eq!(bench.verify().findings, []);
}

/// A trail that was made before there were epochs gets its first where it is.
#[test]
fn a_trail_from_before_goes_on() {
    let bench = filled();
    let vkey = bench.log_key();
    let checkpoint = bench.reader().checkpoint_note().expect("signed").0;
    let old = checkpoint.sign(&bench.signer("key")).expect("a good text");
    bench.write("trail/checkpoint", old.as_bytes());
    replace(&bench.key_path("last"), old.as_bytes(), 0o600).expect("writable");
    replace(&bench.key_path("vkey"), format!("{vkey}\n").as_bytes(), 0o640).expect("writable");
    for path in [bench.path("trail/epochs"), bench.path("trail/keys"), bench.key_path("epoch")] {
        fs::remove_file(path).expect("there");
    }
    let report = bench.verify_with(&vkey, None);
    assert_eq!((report.exit(), report.epochs.vouched), (Exit::Whole, Beginning::None));
    drop(bench.open());
    assert_eq!(bench.verify().findings, []);
    let begin =
        Record::parse(Note::parse(&bench.records("trail/epochs")[0]).expect("a note").text()).expect("a record");
    assert_eq!((begin.number, begin.size), (0, 700));
    bench.fill(300);
    assert_eq!(bench.verify().findings, []);
    assert_eq!(bench.key().lines().count(), 2);
}

#[test]
fn closed_entries_cannot_be_sealed_again_with_the_keys_of_today() {
    for at in [0, 250, 600] {
        let bench = filled();
        bench.seal_again(|lines| rename(&mut lines[at]));
        let report = bench.verify();
        let is_closed = report.epochs.closed_to > at as u64;
        assert_eq!(report.exit() == Exit::Altered, is_closed, "{at} {report:?}");
    }
    let bench = filled();
    bench.seal_again(|lines| rename(&mut lines[699]));
    // Of the open epoch: that takes an anchor.
    assert_eq!(bench.verify().exit(), Exit::Whole);
}

#[test]
fn closings_that_are_cut_off_are_missed() {
    for cut in 1..4 {
        let bench = filled();
        let records = bench.records("trail/epochs");
        bench.write("trail/epochs", &records[..records.len() - cut].concat());
        assert_eq!(bench.verify().exit(), Exit::Untrusted);
        bench.seal_again(|lines| rename(&mut lines[690]));
        let report = bench.verify();
        assert_eq!(report.exit(), Exit::Untrusted, "{report:?}");
        assert!(report.findings[0].text.contains("which was open") || report.findings[0].text.contains("and open was"));
    }
    let bench = filled();
    bench.delete("trail/epochs");
    assert_eq!(bench.verify().exit(), Exit::Incomplete);
    assert!(matches!(bench.try_open(), Err(TrailError::Damaged { .. })));
}

/// Who has the key of the log can make all epochs anew: only who knew one of them from elsewhere sees that.
#[test]
fn epochs_that_are_made_anew_show_only_to_who_knew_the_first() {
    let bench = filled();
    let (told, log) = (bench.key(), bench.signer("key"));
    bench.seal_again(|lines| rename(&mut lines[10]));
    let checkpoint = bench.reader().checkpoint_note().expect("signed").0;
    let (origin, key) = (
        checkpoint.origin.clone(),
        SignerKey::from_seed(&Kind::Epoch.key_name(&checkpoint.origin, 0), &[9; 32]).expect("a good name"),
    );
    let record = Record { kind: Kind::Epoch, origin, number: 0, size: 0, root: tree::empty(), key: key.verifier() };
    bench.write("trail/epochs", record.sign(&[&log, &key]).expect("a good text").as_bytes());
    bench.write("trail/checkpoint", checkpoint.sign_by(&[&log, &key]).expect("a good text").as_bytes());
    let known = bench.verify_with(&told, None);
    assert_eq!(known.exit(), Exit::Untrusted, "{known:?}");
    let alone = bench.verify_with(&bench.log_key(), None);
    assert_eq!((alone.exit(), alone.epochs.vouched), (Exit::Whole, Beginning::ByLog));
}

/// Who has the key of the log can say that the trail was adopted before all closings, even back to its own name.
#[test]
fn epochs_that_an_adoption_cast_off_show_to_who_knew_one_of_them() {
    let bench = filled();
    let (told, log) = (bench.key(), bench.signer("key"));
    let (old_name, new_name) = (log.name().to_owned(), "example.org/web-1/other");
    bench.seal_again(|lines| rename(&mut lines[10]));
    let signed = bench.reader().checkpoint_note().expect("signed").0;
    let mut signer = log;
    for (number, name) in [(1, new_name), (2, old_name.as_str())] {
        let [next, epoch] = [name.to_owned(), Kind::Epoch.key_name(name, number)]
            .map(|name| SignerKey::from_seed(&name, &[number as u8; 32]).expect("a good name"));
        let (origin, root) = (name.to_owned(), tree::empty());
        let record = Record { kind: Kind::Log, origin, number, size: 0, root, key: next.verifier() };
        let keys = record.sign(&[&signer, &next]).expect("a good text");
        bench.write("trail/keys", &[bench.read("trail/keys"), keys.into_bytes()].concat());
        let record = Record { kind: Kind::Epoch, key: epoch.verifier(), ..record };
        let epochs = record.sign(&[&next, &epoch]).expect("a good text");
        let first = bench.records("trail/epochs").into_iter().take(number as usize).flatten();
        bench.write("trail/epochs", &first.chain(epochs.into_bytes()).collect::<Vec<u8>>());
        let checkpoint = Checkpoint { origin: name.to_owned(), ..signed.clone() };
        let checkpoint = checkpoint.sign_by(&[&next, &epoch]).expect("a good text");
        bench.write("trail/checkpoint", checkpoint.as_bytes());
        let origin = crate::trail::note::Note::parse(&bench.read("trail/origin")).expect("a note");
        let text = origin.text().replace(if number == 1 { &old_name } else { new_name }, name);
        let mut signers = vec![&next];
        let own = bench.signer("key");
        signers.extend((number == 2).then_some(&own));
        let origin = crate::trail::note::Note::sign_by(text, &signers).expect("a good text");
        bench.write("trail/origin", origin.to_string().as_bytes());
        let report = bench.verify_with(&told, None);
        assert_eq!((report.exit(), report.epochs.protected_to), (Exit::Untrusted, 0), "{report:?}");
        assert!(report.findings[0].text.contains("begins anew"), "{report:?}");
        // The key of the log alone asks for no more than itself.
        let alone = bench.verify_with(told.lines().next().expect("a key"), None);
        assert_eq!((alone.findings.as_slice(), alone.epochs.vouched), ([].as_slice(), Beginning::ByLog));
        signer = next;
    }
}

#[test]
fn a_replaced_key_signs_nothing_more() {
    let bench = Bench::new();
    bench.fill(300);
    let (first, old) = (bench.key(), bench.signer("key"));
    let anchor = bench.read("trail/checkpoint");
    let rotated = bench.rotate();
    assert_eq!((rotated.number, rotated.size), (1, 300));
    assert!(first.starts_with(&rotated.before) && bench.key().starts_with(&rotated.key));
    bench.fill(100);
    for key in [first.clone(), bench.key()] {
        let report = bench.verify_with(&key, None);
        assert_eq!((report.findings.as_slice(), report.keys.count), ([].as_slice(), 2));
    }
    let anchored = Against { key: Some(first.clone()), anchors: vec![anchor], ..Against::default() };
    let report = verify(bench.data(), &anchored, &mut |_, _| {});
    assert_eq!((report.exit(), report.anchored_to), (Exit::Whole, Some(300)));
    // The old key, had somebody kept it.
    let checkpoint = bench.reader().checkpoint_note().expect("signed").0;
    let late = checkpoint.sign_by(&[&old, &bench.signer("epoch")]).expect("a good text");
    let anchored = Against { anchors: vec![late.clone().into_bytes()], ..anchored };
    assert_eq!(verify(bench.data(), &anchored, &mut |_, _| {}).exit(), Exit::Untrusted);
    bench.write("trail/checkpoint", late.as_bytes());
    let report = bench.verify_with(&first, None);
    assert_eq!(report.exit(), Exit::Untrusted);
    assert!(report.findings[0].text.contains("300 entries"), "{report:?}");
    assert!(bench.try_open().is_err());
}

#[test]
fn the_records_of_keys_are_part_of_the_proof() {
    let bench = filled();
    bench.rotate();
    assert_eq!(bench.verify_with(&bench.key(), None).findings, []);
    for name in ["trail/epochs", "trail/keys"] {
        let bytes = bench.read(name);
        for at in (0..bytes.len()).step_by(bytes.len() / 40) {
            bench.flip(name, at);
            let report = bench.verify();
            assert!(matches!(report.exit(), Exit::Altered | Exit::Untrusted), "{name} {at} {report:?}");
            bench.write(name, &bytes);
        }
    }
    for (name, key) in [("trail/epochs", bench.log_key()), ("trail/keys", bench.key())] {
        let bytes = bench.read(name);
        for empty in [b"".as_slice(), b"\n\n"] {
            bench.write(name, empty);
            assert_eq!(bench.verify_with(&key, None).exit(), Exit::Incomplete, "{name}");
        }
        bench.write(name, &bytes);
    }
    bench.delete("trail/keys");
    assert_eq!(bench.verify().exit(), Exit::Incomplete);
    assert!(bench.try_open().is_err());
}

/// Every state that a kill can leave while an epoch is closed.
#[test]
fn a_closing_that_was_interrupted_is_ended_or_undone() {
    let before = Bench::new();
    before.fill(300);
    let after = before.copy();
    let (mut writer, _) = after.open();
    writer.end_segment().expect("room");
    let had = before.records("trail/epochs").len();
    let has = after.records("trail/epochs").len();
    assert_eq!(had + 1, has);
    let next = fs::read(after.key_path("epoch")).expect("a key");
    let record = after.records("trail/epochs").pop().expect("a record");
    drop(writer);
    let stage = |bench: &Bench| replace(&bench.key_path("epoch.next"), &next, 0o600).expect("writable");
    let append = |bench: &Bench, bytes: usize| {
        bench.write("trail/epochs", &[bench.read("trail/epochs").as_slice(), &record[..bytes]].concat());
    };
    let wipe = |bench: &Bench| {
        let length = fs::read(bench.key_path("epoch")).expect("a key").len();
        let file = fs::OpenOptions::new().write(true).open(bench.key_path("epoch")).expect("ours");
        std::os::unix::fs::FileExt::write_all_at(&file, &vec![0; length], 0).expect("writable");
    };
    for (what, epochs) in [(0, had), (1, had), (2, had), (3, has), (4, has)] {
        let bench = before.copy();
        stage(&bench);
        match what {
            0 => {}
            1 => append(&bench, 50),
            2 => append(&bench, record.len() - 1),
            3 => append(&bench, record.len()),
            _ => {
                append(&bench, record.len());
                wipe(&bench);
            }
        }
        assert_eq!(bench.verify().findings, [], "{what}: before anything is mended");
        drop(bench.open());
        assert_eq!(bench.records("trail/epochs").len(), epochs, "{what}");
        assert!(!bench.key_path("epoch.next").exists());
        bench.fill(200);
        assert_eq!(bench.verify().findings, [], "{what}");
    }
}

#[test]
fn a_host_may_have_the_name_of_what_epochs_are_called() {
    let bench = Bench::new();
    let open = || crate::trail::Open { host: "epoch".to_owned(), ..bench.settings() };
    for _ in 0..2 {
        crate::trail::Writer::open(open()).expect("a trail");
    }
    assert_eq!(bench.verify().findings, []);
}

#[test]
fn a_trail_whose_epoch_key_is_lost_does_not_start() {
    let bench = filled();
    fs::remove_file(bench.key_path("epoch")).expect("there");
    let error = bench.try_open().expect_err("lost").to_string();
    assert!(error.contains("trail adopt"), "{error}");
    assert_eq!(bench.verify().exit(), Exit::Whole);
}

#[test]
fn a_checkpoint_without_the_open_epoch_is_refused_by_the_writer_too() {
    let bench = filled();
    let checkpoint = bench.reader().checkpoint_note().expect("signed").0;
    let log_alone = checkpoint.sign(&bench.signer("key")).expect("a good text");
    assert!((log_alone.len() as u64) < checkpoint::BYTES_MAX);
    bench.write("trail/checkpoint", log_alone.as_bytes());
    assert_eq!(bench.verify().exit(), Exit::Untrusted);
    assert!(matches!(bench.try_open(), Err(TrailError::Damaged { .. })));
}

/// Who was given the new key alone still has checkpoints that the old one signed.
#[test]
fn an_anchor_by_a_key_before_the_given_one_has_to_fit_and_makes_nothing_whole() {
    let bench = Bench::new();
    bench.fill(300);
    let (old, anchor) = (bench.signer("key"), bench.read("trail/checkpoint"));
    bench.rotate();
    let with = |anchor: Vec<u8>| {
        let against = Against { key: Some(bench.log_key()), anchors: vec![anchor], ..Against::default() };
        verify(bench.data(), &against, &mut |_, _| {})
    };
    assert_ne!(old.verifier().to_string(), bench.log_key());
    let report = with(anchor);
    assert_eq!((report.findings.as_slice(), report.anchors, report.anchored_to), ([].as_slice(), 1, None));
    let bent = Checkpoint { origin: old.name().to_owned(), size: 200, root: tree::empty() };
    assert_eq!(with(bent.sign(&old).expect("a good text").into_bytes()).exit(), Exit::Altered);
    let stranger = SignerKey::from_seed(old.name(), &[9; 32]).expect("a good name");
    assert_eq!(with(bent.sign(&stranger).expect("a good text").into_bytes()).exit(), Exit::Untrusted);
}

#[test]
fn a_rotation_that_was_interrupted_is_ended_and_told() {
    let before = Bench::new();
    before.fill(300);
    let after = before.copy();
    after.open().0.rotate_key().expect("room");
    // The record stands; the private key has not its name yet, and nothing tells of it.
    let bench = before.copy();
    for name in ["trail/keys", "trail/origin"] {
        bench.write(name, &after.read(name));
    }
    fs::copy(after.key_path("key"), bench.key_path("key.next")).expect("copied");
    assert_eq!(bench.verify().findings, []);
    let (mut writer, opened) = bench.open();
    assert_eq!(opened.rotated.as_ref().map(|rotated| (rotated.number, rotated.size)), Some((1, 300)));
    let mut told = crate::event::own::event(crate::event::own::action::KEY_ROTATED, "x", crate::trail::bench::now());
    told.id = bench.id(300);
    let line = crate::event::encode(&mut told).0;
    writer.append(vec![crate::trail::Line::new(told.id, line, None).expect("a line")]).expect("room");
    writer.commit().expect("room");
    drop(writer);
    let (mut writer, opened) = bench.open();
    assert_eq!((opened.rotated, opened.size), (None, 301));
    writer.sign().expect("room");
    assert_eq!(bench.verify().findings, []);
}

/// Prints how long it takes; `docs/testing.md` has the command.
#[test]
#[ignore = "needs a minute"]
fn many_epochs_are_verified_in_reasonable_time() {
    let bench = filled();
    let (log, last) = (bench.signer("key"), bench.reader().checkpoint_note().expect("signed").0);
    let Checkpoint { origin, size, root } = last;
    let key = |number: u64| {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&number.to_le_bytes());
        SignerKey::from_seed(&Kind::Epoch.key_name(&origin, number), &seed).expect("a good name")
    };
    let mut text = String::new();
    let mut before = log;
    for number in 0..100_000 {
        let next = key(number);
        let record = Record { kind: Kind::Epoch, origin: origin.clone(), number, size, root, key: next.verifier() };
        text.push_str(&record.sign(&[&before, &next]).expect("a good text"));
        before = next;
    }
    bench.write("trail/epochs", text.as_bytes());
    let begin = std::time::Instant::now();
    let report = bench.verify_with(&bench.log_key(), Some(&key(0).verifier().to_string()));
    eprintln!("100,000 epochs, {} MB: {:.1} s", text.len() / 1_000_000, begin.elapsed().as_secs_f64());
    assert_eq!((report.findings.as_slice(), report.epochs.closed), ([].as_slice(), 99_999));
}
