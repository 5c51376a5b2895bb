//! What an adoption does to keys, and what may be said under the names that a trail had.

use super::*;
use crate::trail::bench::{Bench, event};
use crate::trail::origin;
use crate::trail::tree;
use crate::trail::verify::{Against, Exit, verify};

impl Bench {
    /// Adopted because nobody remembers what was signed last; and goes on.
    fn adopted(&self) -> Adopted {
        for name in names(&self.keys()).expect("readable").iter().filter(|name| name.ends_with(".last")) {
            fs::remove_file(self.keys().join(name)).expect("ours");
        }
        let why = Adopt { reason: "a test".to_owned(), without_old_key: false };
        let adopted = adopt(&self.settings(), &why).expect("adopted");
        let (mut writer, opened) = self.open();
        writer.append(vec![event(self.id(opened.size), "told")]).expect("room");
        writer.commit().and_then(|_| writer.sign()).expect("signed");
        adopted
    }

    fn key_of(&self, name: &str, ending: &str) -> Option<String> {
        fs::read_to_string(self.keys().join(format!("{}.{ending}", origin::id(name)))).ok()
    }
}

/// A backup that was made while a trail was being adopted may come back after the new name has signed more.
#[test]
fn keys_of_a_name_that_came_into_force_after_all_are_kept() {
    let bench = Bench::new();
    bench.fill(300);
    let adopted = bench.adopted();
    let layout = Layout::new(bench.data());
    let now = bench.read("trail/origin");
    let before = String::from_utf8(now.clone()).expect("a text").replace(&adopted.to, &adopted.from);
    let throw_away = |origin: &[u8], size: u64| {
        let staged = layout.adopting_staged();
        fs::create_dir(&staged).expect("a folder");
        let note = Adopted { size, ..adopted.clone() };
        durable::swap(&staged.join(ADOPTED), &note.to_bytes(), FILE_MODE).expect("writable");
        bench.write("trail/origin", origin);
        super::throw_away(&layout, &bench.keys()).expect("ours");
        assert!(!staged.exists());
        bench.key_of(&adopted.to, "key").is_some() && bench.key_of(&adopted.to, "last").is_some()
    };
    assert!(throw_away(before.as_bytes(), 300), "it has signed more");
    assert!(throw_away(&now, 301), "it is in force");
    assert!(throw_away(before.as_bytes(), u64::MAX), "nothing is announced beside the keys");
    Successors::announce(&bench.keys(), &layout, &adopted.from, &adopted.to).expect("writable");
    assert!(!throw_away(before.as_bytes(), 300), "it never began");
    assert!(names(&bench.keys()).expect("readable").iter().all(|name| !name.ends_with(".adopting")));
}

/// Who can write the data folder and not that of the keys has no key destroyed.
#[test]
fn an_adoption_that_was_begun_with_other_keys_destroys_none() {
    let bench = Bench::new();
    bench.fill(300);
    let adopted = bench.adopted();
    let layout = Layout::new(bench.data());
    let forged = Adopted { from: adopted.to.clone(), to: adopted.from.clone(), ..adopted.clone() };
    fs::create_dir(layout.adopting()).expect("a folder");
    durable::swap(&layout.adopting().join(ADOPTED), &forged.to_bytes(), FILE_MODE).expect("writable");
    fs::File::create(bench.keys().join(format!("{}.last", origin::id(&adopted.from)))).expect("writable");
    super::finish(&layout, &bench.keys()).expect("it is like one that is over");
    assert!(bench.key_of(&adopted.to, "key").is_some());
}

#[test]
fn an_anchor_from_before_its_name_is_no_anchor() {
    let bench = Bench::new();
    bench.fill(300);
    let name = bench.adopted().to;
    let (told, key) = (bench.key_of(&name, "vkey").expect("there"), bench.key_of(&name, "key").expect("there"));
    let key = SignerKey::parse(key.trim()).expect("a key");
    bench.adopted();
    for (size, exit) in [(0, Exit::Untrusted), (299, Exit::Untrusted), (400, Exit::Incomplete)] {
        let anchor = Checkpoint { origin: name.clone(), size, root: tree::empty() };
        let anchors = vec![anchor.sign(&key).expect("a good text").into_bytes()];
        let log = told.lines().next().map(str::to_owned);
        let report = verify(bench.data(), &Against { key: log, anchors, ..Against::default() }, &mut |_, _| {});
        assert_eq!(report.exit(), exit, "{size} {report:?}");
    }
}
