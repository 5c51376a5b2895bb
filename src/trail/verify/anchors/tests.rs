//! Checkpoints in files of every kind, among other lines, torn, of others, forged.

use super::*;
use crate::trail::bench::Bench;
use crate::trail::note::SignerKey;
use crate::trail::verify::verify;
use crate::trail::{checkpoint, oneline};

/// A trail with the checkpoint of every hundredth entry.
fn filled() -> (Bench, Vec<String>) {
    let bench = Bench::new();
    let mut kept = Vec::new();
    for _ in 0..5 {
        bench.fill(100);
        kept.push(String::from_utf8(bench.read("trail/checkpoint")).expect("a text"));
    }
    (bench, kept)
}

/// Verified against one file with this text.
fn against(bench: &Bench, text: &str) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("kept");
    crate::durable::swap(&file, text.as_bytes(), 0o600).expect("written");
    against_path(bench, &file)
}

fn against_path(bench: &Bench, path: &Path) -> Report {
    let against = Against { key: Some(bench.key()), anchor_files: vec![path.to_owned()], ..Against::default() };
    verify(bench.data(), &against, &mut |_, _| {})
}

fn log(kept: &[String]) -> String {
    let line = |note: &String| {
        let line = oneline::write(note).expect("a checkpoint");
        format!("Nov 20 10:00:00 web-1 sshd[9]: Connection closed\nNov 20 10:00:01 web-1 whodid[7]: {line}\n")
    };
    kept.iter().map(line).collect()
}

#[test]
fn checkpoints_are_found_in_files_of_every_kind() {
    let (bench, kept) = filled();
    let all = kept.concat();
    for (text, count) in [
        (kept[4].clone(), 1),
        (all.clone(), 5),
        (kept.join("\n\n"), 5),
        (log(&kept), 5),
        (format!("# kept by hand\n{}and\na\nfew\nlines\n\nmore\n{}", kept[1], kept[2]), 2),
        (format!("{}example.org/web-1/abc\n12!\n\n{}", kept[0], kept[3]), 2),
        (format!("{}{}", log(&kept), all), 10),
    ] {
        let report = against(&bench, &text);
        assert_eq!((report.exit(), report.anchors), (Exit::Whole, count), "{report:?}\n{text}");
        assert!(report.anchored_to >= Some(300), "{report:?}");
    }
}

#[test]
fn a_folder_is_every_file_in_it() {
    let (bench, kept) = filled();
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("a/b");
    fs::create_dir_all(&below).expect("a folder");
    let none = against_path(&bench, folder.path());
    assert_eq!(none.exit(), Exit::Untrusted, "{none:?}");
    for (n, note) in kept.iter().enumerate() {
        crate::durable::swap(&below.join(format!("{n:020}")), note.as_bytes(), 0o600).expect("written");
    }
    crate::durable::swap(&folder.path().join("README"), b"no checkpoint", 0o600).expect("written");
    let report = against_path(&bench, folder.path());
    assert_eq!((report.exit(), report.anchors, report.anchored_to), (Exit::Whole, 5, Some(500)));
}

#[test]
fn what_vouches_for_nothing_is_an_error() {
    let (bench, kept) = filled();
    let other = SignerKey::from_seed("example.org/web-2/other", &[5; 32]).expect("a name");
    let theirs = checkpoint::Checkpoint { origin: other.name().to_owned(), size: 3, root: crate::trail::tree::empty() };
    let theirs = theirs.sign(&other).expect("a text");
    let forger = SignerKey::from_seed(kept[0].lines().next().expect("a name"), &[5; 32]).expect("a name");
    let forged = |note: &str| {
        let (checkpoint, _) = Checkpoint::parse_note(note.as_bytes()).expect("ours");
        checkpoint.sign(&forger).expect("a text")
    };
    let flipped = kept[1].replacen("\n200\n", "\n201\n", 1);
    for (text, part) in [
        (String::new(), "holds no checkpoint"),
        ("nothing\n".repeat(1_000), "holds no checkpoint"),
        (theirs.clone(), "holds no checkpoint of this trail, but 1 of others"),
        (forged(&kept[2]), "an anchor for 300 entries: it is not signed by"),
        (format!("{}{}", kept[0], forged(&kept[2])), "an anchor for 300 entries: it is not signed by"),
        (format!("{}{flipped}", kept[0]), "an anchor for 201 entries: the signature of"),
    ] {
        let report = against(&bench, &text);
        assert_eq!(report.exit(), Exit::Untrusted, "{report:?}");
        assert!(report.findings[0].text.contains(part), "{report:?}");
    }
    let mixed = against(&bench, &format!("{}{theirs}", log(&kept)));
    assert_eq!((mixed.exit(), mixed.anchors), (Exit::Whole, 5), "a log may be that of many: {mixed:?}");
    let many = against(&bench, &kept.iter().map(|note| forged(note)).collect::<String>().repeat(10));
    assert_eq!(many.findings.len() as u64, FINDINGS_MAX);
    let missing = against_path(&bench, Path::new("/no/such/file"));
    assert_eq!(missing.exit(), Exit::Unusable);
}

#[test]
fn the_first_other_anchor_and_the_newest_unknown_one_say_it_all() {
    let (bench, kept) = filled();
    let mut later = Vec::new();
    let copy = bench.copy();
    for _ in 0..4 {
        bench.fill(50);
        later.push(String::from_utf8(bench.read("trail/checkpoint")).expect("a text"));
    }
    let report = against(&copy, &format!("{}{}", kept.concat(), later.concat()));
    assert_eq!((report.exit(), report.findings.len()), (Exit::Incomplete, 1), "{report:?}");
    assert!(report.findings[0].text.contains("knows 700 entries, here are 500"), "{report:?}");
    let bytes = copy.read(&copy.segments()[0]);
    copy.flip(&copy.segments()[0], 30);
    let report = against(&copy, &kept.concat());
    let anchors: Vec<_> = report.findings.iter().filter(|finding| finding.text.contains("an anchor")).collect();
    assert_eq!(anchors.len(), 1, "{report:?}");
    assert!(anchors[0].text.ends_with(", nor what 4 later ones did"), "{report:?}");
    assert!(bytes.len() > 30);
}

#[test]
fn lines_without_end_take_no_memory_and_hide_nothing() {
    let (bench, kept) = filled();
    let text = format!("{}\n{}{}", "x".repeat(1 << 20), "a\n".repeat(1 << 18), kept[4]);
    let report = against(&bench, &text);
    assert_eq!((report.exit(), report.anchors), (Exit::Whole, 1), "{report:?}");
}

/// Each with its own signature, in one file; a hundred thousand where time does not matter (`docs/testing.md`).
#[test]
fn every_checkpoint_of_a_long_file_is_checked() {
    let is_long = std::env::var_os("WHODID_LONG").is_some();
    let count: u64 = if is_long { 100_000 } else { 2_000 };
    let mut bench = Bench::new();
    bench.segment_bytes = 64 << 20;
    bench.fill(count);
    let secret = String::from_utf8(bench.key_file("key")).expect("a key");
    let key = SignerKey::parse(secret.trim()).expect("ours");
    let mut tree = crate::trail::tree::Frontier::default();
    let sign = |(seq, line): (u64, String)| {
        tree.push(crate::trail::tree::leaf(line.as_bytes()));
        let (origin, size, root) = (key.name().to_owned(), seq + 1, tree.root());
        Checkpoint { origin, size, root }.sign(&key).expect("a text")
    };
    let mut notes: Vec<String> = bench.lines(0).into_iter().map(sign).collect();
    let began = std::time::Instant::now();
    let report = against(&bench, &notes.concat());
    assert_eq!((report.exit(), report.anchors as u64, report.anchored_to), (Exit::Whole, count, Some(count)));
    eprintln!("{count} checkpoints, {} bytes: {:?}", notes.concat().len(), began.elapsed());
    // One of a fork, in the middle.
    let forged = Checkpoint { origin: key.name().to_owned(), size: count / 2, root: crate::trail::tree::empty() };
    notes.push(forged.sign(&key).expect("a text"));
    let report = against(&bench, &notes.concat());
    assert_eq!((report.exit(), report.findings.len()), (Exit::Altered, 1), "{report:?}");
}
