//! A folder that was put back from a backup, and keys that were lost: refused, adopted, and whole again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use whodid::event::Event;

use super::{Place, Said};

/// Each its own line.
fn lines(numbers: std::ops::Range<u32>) -> String {
    let line = |n: u32| {
        format!("Nov 20 10:{:02}:{:02} web-1 sshd[{n}]: Connection closed by 192.0.2.7 port {n}\n", n / 60, n % 60)
    };
    numbers.map(line).collect()
}

impl Place {
    fn copy(&self, from: &str, to: &str) {
        let done = Command::new("cp").arg("-a").arg(self.path(from)).arg(self.path(to)).status();
        assert!(done.expect("cp").success());
    }

    fn put_back(&self, backup: &str) {
        fs::remove_dir_all(self.path("data")).expect("it was there");
        self.copy(backup, "data");
    }

    /// The files of the key folder that end so.
    fn keys(&self, ending: &str) -> Vec<PathBuf> {
        let names = fs::read_dir(self.path("keys")).expect("there").map(|entry| entry.expect("readable").path());
        let mut keys: Vec<PathBuf> = names.filter(|path| path.extension().is_some_and(|has| has == ending)).collect();
        keys.sort();
        keys
    }

    fn events(&self) -> Vec<Event> {
        let trail = self.trail();
        let lines = trail.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| Event::decode(line).expect("an event")).collect()
    }

    #[track_caller]
    fn holds_each_line_once(&self, expected: &str) {
        let mut found: BTreeMap<String, i32> = BTreeMap::new();
        for event in self.events().into_iter().filter(|event| &*event.source.name == "auth") {
            *found.entry(event.raw.expect("a line")).or_default() += 1;
        }
        expected.lines().for_each(|line| *found.entry(line.to_owned()).or_default() -= 1);
        found.retain(|_, difference| *difference != 0);
        assert!(found.is_empty(), "lost (-) or doubled (+): {found:#?}");
    }

    /// A file with the key of the log alone.
    fn log_key(&self, keys: &Path) -> PathBuf {
        let keys = fs::read_to_string(keys).expect("there");
        self.write("log.vkey", keys.lines().next().expect("a key").as_bytes());
        self.path("log.vkey")
    }

    fn verify_with(&self, key: &Path, anchors: &[&str]) -> Said {
        let key = key.to_string_lossy();
        let mut args = vec!["trail", "verify", "data", "--key", &key];
        args.extend(anchors.iter().flat_map(|anchor| ["--anchor", anchor]));
        self.run(&args)
    }
}

/// A trail of 30 lines that is in `backup`, and of 60 in `data`; `early` and `late` are checkpoints of then.
fn backed_up() -> Place {
    let place = Place::with_auth_log();
    place.write("log/auth.log", lines(0..30).as_bytes());
    place.run(&["run", "--once"]).code(0);
    place.copy("data", "backup");
    place.copy("data/trail/checkpoint", "early");
    place.write("log/auth.log", lines(0..60).as_bytes());
    place.run(&["run", "--once"]).code(0);
    place.copy("data/trail/checkpoint", "late");
    place
}

#[test]
fn an_older_copy_is_refused_until_it_is_adopted_and_then_nothing_is_missing() {
    let place = backed_up();
    place.put_back("backup");
    let before = place.trail();
    place.run(&["run", "--once"]).code(1).err_holds("rolled back").err_holds("whodid trail adopt --reason");
    assert!(place.trail() == before, "a refused folder is not touched");
    place.run(&["trail", "adopt"]).code(2);
    place.run(&["trail", "adopt", "--reason", " "]).code(1).err_holds("needs a reason");
    let (old_key, old_last) = (place.keys("vkey").remove(0), place.keys("last").remove(0));

    let said = place.run(&["trail", "adopt", "--reason", "disk died; backup of Monday"]);
    said.code(0).out_holds("goes on under a new name").out_holds("are lost unless their sources still hold them");
    let new_key = place.keys("vkey").into_iter().find(|key| *key != old_key).expect("a new one");
    said.out_holds(fs::read_to_string(&new_key).expect("there").trim());
    assert_eq!((place.keys("key").len(), place.keys("epoch").len()), (1, 1), "old private keys are destroyed");
    assert!(old_last.exists());

    place.run(&["run", "--once"]).code(0);
    place.holds_each_line_once(&lines(0..60));
    assert_eq!(place.search("source.kind:auth").len(), 60);

    let told: Vec<Event> = place.events().into_iter().filter(|event| event.what.action == "trail.adopted").collect();
    let facts = &told[0].detail["whodid"];
    let size = |name: &str| -> u64 {
        let note = fs::read_to_string(place.path(name)).expect("there");
        note.lines().nth(1).expect("a size").parse().expect("a number")
    };
    assert_eq!(told.len(), 1);
    assert_eq!(facts["reason"], "disk died; backup of Monday");
    assert_eq!(facts["size"], size("early"));
    assert_eq!(facts["lost"], size("late") - size("early"));
    assert_eq!(facts["found"].as_str(), fs::read_to_string(place.path("early")).ok().as_deref());
    assert_eq!(facts["known"].as_str(), fs::read_to_string(place.path("late")).ok().as_deref());
    assert_eq!(facts["old_key"], true);
    let new_name = told[0].what.object.as_deref().expect("a name");
    assert!(facts["from"].as_str().is_some_and(|from| from != new_name));
    assert_eq!(told[0].who.id, Some(rustix::process::getuid().as_raw().to_string()));

    // Who knows the old key is led to the new one, and whoever was given the new one needs no other.
    place.verify();
    let (old_key, old_keys) = (place.log_key(&old_key), old_key);
    place.verify_with(&old_key, &[]).code(0).out_holds(new_name);
    place.verify_with(&new_key, &[]).code(0).out_holds(new_name);
    place.verify_with(&old_key, &["early"]).code(0);
    place.copy("data/trail/checkpoint", "now");
    place.verify_with(&old_key, &["early", "now"]).code(0).out_holds("WHOLE");
    // The epochs of the old name end with it: who asks for them is told to ask for the new key.
    place.verify_with(&old_keys, &[]).code(3).out_holds("begins anew").out_holds("ask for its new public key");
    let lost = format!("entries {} to {}", size("early"), size("late") - 1);
    place.verify_with(&old_key, &["late"]).code(2).out_holds(&lost).out_holds("were lost");
    place.run(&["trail", "adopt", "--reason", "again"]).code(1).err_holds("there is nothing to adopt");

    // What is gone from its source too is lost, and the trail says so all the same.
    place.copy("data", "second");
    place.write("log/auth.log", lines(0..70).as_bytes());
    place.run(&["run", "--once"]).code(0);
    place.put_back("second");
    fs::remove_file(place.path("log/auth.log")).expect("there");
    place.run(&["trail", "adopt", "--reason", "once more"]).code(0);
    place.write("log/auth.log", lines(70..80).as_bytes());
    place.run(&["run", "--once"]).code(0);
    place.holds_each_line_once(&(lines(0..60) + &lines(70..80)));
    place.verify_with(&old_key, &["early"]).code(0);
}

#[test]
fn a_missing_memory_is_named_and_adopted() {
    let place = backed_up();
    fs::remove_file(place.keys("last").remove(0)).expect("there");
    place.run(&["run", "--once"]).code(1).err_holds(".last").err_holds("whodid trail adopt");
    let said = place.run(&["trail", "adopt", "--reason", "the key folder was cleaned up"]);
    said.code(0).out_holds("nobody remembers how many were signed");
    place.run(&["run", "--once"]).code(0);
    place.holds_each_line_once(&lines(0..60));
    place.verify();
}

#[test]
fn without_its_key_a_trail_goes_on_but_nobody_vouches_for_it() {
    let place = backed_up();
    let old_key = place.keys("vkey").remove(0);
    place.copy("keys", "was");
    fs::remove_dir_all(place.path("keys")).expect("there");
    place.run(&["run", "--once"]).code(1).err_holds("whodid trail adopt");
    place.run(&["trail", "adopt", "--reason", "keys gone"]).code(1).err_holds("--without-old-key");
    place
        .run(&["trail", "adopt", "--reason", "keys gone", "--without-old-key"])
        .code(0)
        .out_holds("no old key vouches");
    place.write("log/auth.log", lines(0..70).as_bytes());
    place.run(&["run", "--once"]).code(0);
    place.holds_each_line_once(&lines(0..70));
    place.verify();
    let old_key = place.path("was").join(old_key.file_name().expect("a name"));
    place.verify_with(&old_key, &[]).code(3);
}

#[test]
fn a_key_of_an_epoch_that_is_lost_is_no_end_of_the_trail() {
    let place = backed_up();
    fs::remove_file(place.keys("epoch").remove(0)).expect("there");
    place.run(&["run", "--once"]).code(1).err_holds("whodid trail adopt");
    place
        .run(&["trail", "adopt", "--reason", "the key folder was restored in part"])
        .code(0)
        .out_holds("none that was signed is lost");
    place.run(&["run", "--once"]).code(0);
    place.holds_each_line_once(&lines(0..60));
    place.verify();
}

#[test]
fn damage_is_not_adopted() {
    let place = backed_up();
    place.put_back("backup");
    let segment = "data/trail/tile/0/000.p";
    let tile = fs::read_dir(place.path(segment)).expect("tiles").next().expect("one").expect("readable").path();
    let mut bytes = fs::read(&tile).expect("there");
    bytes[5] ^= 1;
    let name = tile.strip_prefix(place.path("")).expect("below").to_string_lossy().into_owned();
    place.write(&name, &bytes);
    let keys = place.keys("vkey");
    place.run(&["trail", "adopt", "--reason", "x"]).code(1).err_holds("do not add up");
    assert_eq!(place.keys("vkey"), keys);
    // Nor is a trail whose keys are elsewhere, or none.
    fs::remove_dir_all(place.path("data")).expect("there");
    place.run(&["trail", "adopt", "--reason", "x"]).code(1).err_holds("no trail");
}

/// Somebody takes folder and keys to another machine and goes on there: each copy is sound for itself, so only what
/// was kept elsewhere tells.
#[test]
fn a_clone_that_goes_on_shows_against_what_the_other_one_signed() {
    let place = backed_up();
    place.copy("keys", "keys-of-clone");
    let config = fs::read_to_string(place.path("whodid.toml")).expect("there");
    let config = config.replace("\"data\"", "\"clone\"").replace("\"keys\"", "\"keys-of-clone\"");
    place.write("clone.toml", config.as_bytes());
    place.copy("data", "clone");
    place.write("log/auth.log", lines(0..65).as_bytes());
    place.run(&["run", "--once"]).code(0);
    place.write("log/auth.log", (lines(0..60) + &lines(90..92)).as_bytes());
    let mut clone = super::program();
    clone.current_dir(place.path("")).arg("--config").arg(place.path("clone.toml")).args(["run", "--once"]);
    Said::from(clone.output().expect("it runs")).code(0);
    let key = place.keys("vkey").remove(0);
    place.verify_with(&key, &[]).code(0);
    place.verify_with(&key, &["clone/trail/checkpoint"]).code(1);
}
