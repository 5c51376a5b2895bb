//! `trail prove` and what `trail verify` says, as the auditor uses them.

use serde_json::Value;

use super::{Place, fs};

fn line(n: u32) -> String {
    format!(
        "2026-11-20T10:00:{:02}.000000+00:00 web-1 sshd[1]: Failed password for root from 192.0.2.{n} port 1 ssh2\n",
        n % 60
    )
}

/// A trail of some entries, and the public key in `audit.vkey`.
fn place() -> Place {
    let place = Place::with_auth_log();
    let log: String = (1..40).map(line).collect();
    place.write("log/auth.log", log.as_bytes());
    place.run(&["run", "--once"]).code(0);
    let keys = fs::read_dir(place.path("keys")).expect("keys").map(|entry| entry.expect("readable").path());
    let vkey = keys.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "vkey"));
    fs::copy(vkey.expect("a public key"), place.path("audit.vkey")).expect("copied");
    place
}

#[test]
fn a_proof_is_written_and_checked_without_the_trail() {
    let place = place();
    let event = place.search("who.ip:192.0.2.17").remove(0);
    let id = event.id.to_string();
    place
        .run(&["trail", "prove", &id, "--out", "a.tlog-proof", "--line", "a.json"])
        .code(0)
        .err_holds("that are signed");
    let proof = fs::read_to_string(place.path("a.tlog-proof")).expect("a proof");
    assert!(proof.starts_with("c2sp.org/tlog-proof@v1\nindex "), "{proof}");
    let stored = fs::read(place.path("a.json")).expect("a line");
    assert_eq!(whodid::event::Event::decode(&stored).expect("an event").id, event.id);

    // Neither trail nor index nor private key.
    for folder in ["data", "keys"] {
        fs::remove_dir_all(place.path(folder)).expect("removed");
    }
    let check = ["trail", "prove", "--check", "a.tlog-proof", "--line", "a.json", "--key", "audit.vkey"];
    place.run(&check).code(0).out_holds("PROVEN entry ").out_holds("example.org/web-1/");
    place.write("a.json", &[&stored, b"\n".as_slice()].concat());
    place.run(&check).code(0);
    place.write("a.json", &[&stored, b" ".as_slice()].concat());
    place.run(&check).code(1).out_holds("ALTERED");
    place.run(&check[..6]).code(3).out_holds("no key was given");
    place.write("a.json", &stored);
    place.write("a.tlog-proof", proof.replace("index ", "index 1").as_bytes());
    place.run(&check).code(1);
    place.write("a.tlog-proof", proof.replace("\nexample.org/", "\nexample.com/").as_bytes());
    place.run(&check).code(3).out_holds("UNTRUSTED");
    place.run(&["trail", "prove", "--check", "none", "--line", "a.json", "--key", "audit.vkey"]).code(4);
    place.run(&["trail", "prove", "--check", "a.tlog-proof"]).code(4);
}

#[test]
fn an_entry_is_named_by_id_or_place_with_or_without_an_index() {
    let place = place();
    let event = place.search("who.ip:192.0.2.5").remove(0);
    let by_id = place.run(&["trail", "prove", &event.id.to_string()]);
    by_id.code(0).out_holds("c2sp.org/tlog-proof@v1\nindex ");
    let index = by_id.out.lines().nth(1).and_then(|line| line.strip_prefix("index ")).expect("a place");
    assert_eq!(place.run(&["trail", "prove", "--seq", index]).code(0).out, by_id.out);
    fs::remove_dir_all(place.path("data/index")).expect("removed");
    assert_eq!(place.run(&["trail", "prove", &event.id.to_string()]).code(0).out, by_id.out);
    place.run(&["trail", "prove", "--seq", "100000"]).code(4).err_holds("there is no entry 100000");
    let nobody = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
    place.run(&["trail", "prove", nobody]).code(4).err_holds("no entry of this trail has the id");
    place.run(&["trail", "prove", "nonsense"]).code(4).err_holds("26 characters");
    place.run(&["trail", "prove"]).code(4);
}

#[test]
fn only_an_anchor_makes_it_whole() {
    let place = place();
    place.run(&["trail", "verify"]).code(0).out_holds("WHOLE to ");
    let alone = ["trail", "verify", "data", "--key", "audit.vkey"];
    let said = place.run(&alone);
    said.code(0).out_holds("COMPLETE to ").out_holds("; what came later cannot be checked without an anchor");
    assert!(!said.out.to_lowercase().contains("whole"), "{}", said.out);
    place.run(&["trail", "verify", "data"]).code(3).out_holds("UNTRUSTED");

    let json = |args: &[&str], exit| -> Value {
        let said = place.run(&[args, &["--json"]].concat());
        said.code(exit);
        serde_json::from_str(&said.out).expect("one document")
    };
    let complete = json(&alone, 0);
    assert_eq!((&complete["verdict"], &complete["signature"]), (&"complete".into(), &"good".into()));
    assert_eq!((&complete["complete_to"], &complete["anchors"]["newest"]), (&complete["lines"], &Value::Null));

    fs::copy(place.path("data/trail/checkpoint"), place.path("anchor")).expect("copied");
    let anchored = [&alone, ["--anchor", "anchor"].as_slice()].concat();
    assert_eq!(json(&anchored, 0)["verdict"], "whole");
    place.write("log/auth.log", (1..50).map(line).collect::<String>().as_bytes());
    place.run(&["run", "--once"]).code(0);
    place.run(&anchored).code(0).out_holds("cannot be checked without a newer anchor");

    let first = "data/trail/segment/00000000000000000000.jsonl";
    let mut bytes = fs::read(place.path(first)).expect("a segment");
    bytes[100] ^= 1;
    place.write(first, &bytes);
    let altered = json(&alone, 1);
    assert_eq!((&altered["verdict"], &altered["findings"][0]["entry"]), (&"altered".into(), &0.into()));
    assert_eq!(altered["findings"][0]["byte"], 0);
}
