//! `cloudtrail verify` over a copy of a bucket, as an auditor uses it.

use serde_json::{Value, json};
use whodid::event::delivery::{Judged, Verdict};

use super::{Place, fs};
use chain::{Chain, FINGERPRINT, public_key_info};

#[allow(dead_code, reason = "other tests use the rest of it")]
#[path = "../../src/digest/tests/chain.rs"]
mod chain;

const BEGIN: &str = "2026-11-20T09:00:00Z";
/// The digest of the last hour has no signature on a disk.
const FIVE: [&str; 6] = ["cloudtrail", "verify", "--from", BEGIN, "--to", "2026-11-20T14:00:00Z"];

/// What a chain left in the bucket, copied to a disk and read a day later.
fn place(chain: &Chain) -> Place {
    let source = "[replay]\nnow = \"2026-11-21T09:00:00Z\"\n[[source]]\nname = \"trail\"\ntype = \"cloudtrail\"\npaths = [\"copy\"]\n";
    let place = Place::new(source);
    for (key, object) in &chain.objects {
        place.write(&format!("copy/{}", key.trim_end_matches(".gz")), &object.content);
    }
    // Times as the AWS CLI prints them, and as its older versions did.
    let keys = json!({ "PublicKeyList": [{
        "Fingerprint": FINGERPRINT,
        "Value": public_key_info(),
        "ValidityStartTime": 1_793_491_200.0,
        "ValidityEndTime": "2026-12-01T00:00:00+00:00",
    }]});
    place.write("keys.json", keys.to_string().as_bytes());
    place
}

fn five_with_keys() -> Vec<&'static str> {
    [&FIVE[..], &["--keys", "keys.json"]].concat()
}

#[test]
fn all_is_proven_from_a_copy_and_a_list_of_keys() {
    let chain = Chain::hours(BEGIN, 6);
    let place = place(&chain);
    place.run(&["run", "--once"]).code(0);
    fs::remove_dir_all(place.path("copy")).expect("removed");
    let said = place.run(&five_with_keys());
    said.code(0).out_holds("PROVEN: deliveries from 2026-11-20T09:00:00Z to 2026-11-20T14:00:00Z\n");
    said.out_holds("digests of all: 5 verified\n").out_holds("objects: 5 verified\n").out_holds(FINGERPRINT);
    let json = [&five_with_keys()[..], &["--json"]].concat();
    let document: Value = serde_json::from_str(&place.run(&json).code(0).out).expect("JSON");
    assert_eq!((&document["verdict"], &document["exit"]), (&json!("proven"), &json!(0)));
    assert_eq!(document["places"][0]["objects"]["verified"], 5);
    assert_eq!(document["keys"][0]["fingerprint"], FINGERPRINT);

    // Without a key, or beyond what digests say, it is not known.
    place.run(&FIVE).code(3).out_holds("INCOMPLETE").out_holds("is not known");
    let six = ["cloudtrail", "verify", "--keys", "keys.json", "--from", BEGIN, "--to", "2026-11-20T15:00:00Z"];
    place.run(&six).code(3).out_holds("No signature was stored with it");
    let earlier =
        ["cloudtrail", "verify", "--keys", "keys.json", "--from", "2026-11-20", "--to", "2026-11-20T14:00:00Z"];
    place.run(&earlier).code(3).out_holds("validation began then");
    let elsewhere = ["cloudtrail", "verify", "--keys", "keys.json", "--from", "2026-11-01", "--to", "2026-11-02"];
    place.run(&elsewhere).code(3).out_holds("Nothing of CloudTrail's was delivered in this time");
    place.run(&["cloudtrail", "verify", "--from", "tomorrow"]).code(1).err_holds("--from");
    place.run(&["cloudtrail", "verify", "--nonsense"]).code(1);
    place.run(&["cloudtrail", "verify", "--from", "2026-11-20", "--to", "2026-11-19"]).code(1);
    place.run(&[&FIVE[..], &["--keys", "whodid.toml"]].concat()).code(3).err_holds("list-public-keys");
}

#[test]
fn what_is_wrong_is_listed_one_by_one() {
    let mut chain = Chain::hours(BEGIN, 8);
    let altered = chain.logs[0].clone();
    chain.objects.get_mut(&altered).expect("is there").content.push(b' ');
    let gone = [chain.digests[2].clone(), chain.digests[3].clone(), chain.logs[4].clone()];
    gone.iter().for_each(|key| drop(chain.objects.remove(key)));
    let forged = chain.logs[5].replace("_0000", "_f0r9");
    chain.objects.insert(forged.clone(), chain.objects[&altered].clone());
    let place = place(&chain);
    place.run(&["run", "--once"]).code(0);
    let seven = ["cloudtrail", "verify", "--keys", "keys.json", "--from", BEGIN, "--to", "2026-11-20T16:00:00Z"];
    let said = place.run(&seven);
    said.code(2).out_holds("NOT AS DELIVERED");
    said.out_holds("2 hours without digest of 111122223333 eu-west-1 all");
    said.out_holds(
        "\n  2026-11-20T11:00:00Z to 2026-11-20T12:00:00Z\n  2026-11-20T12:00:00Z to 2026-11-20T13:00:00Z\n",
    );
    let line = |verdict: &str, key: &str| {
        let name = key.rsplit('/').next().expect("a name").trim_end_matches(".gz").to_owned();
        let found = said.out.lines().any(|line| line.trim_start().starts_with(verdict) && line.contains(&name));
        assert!(found, "no {verdict} {name} in {}", said.out);
    };
    line("altered", &altered);
    line("unlisted", &forged);
    line("missing", &chain.logs[4]);
    line("missing", &chain.digests[3]);
    line("pending", &chain.logs[2]);
    // Its signature was in the digest that is gone.
    line("pending", &chain.digests[1]);
}

#[test]
fn a_digest_that_is_longer_than_a_line_of_the_trail_is_judged_while_collecting() {
    let mut chain = Chain::hours(BEGIN, 4);
    let long = chain.digests[1].clone();
    chain.objects.get_mut(&long).expect("is there").content.extend(b" ".repeat(70_000));
    let place = place(&chain);
    let settings = fs::read_to_string(place.path("whodid.toml")).expect("is there");
    let keys = "[[source]]\nname = \"keys\"\ntype = \"cloudtrail\"\ndigest_keys = \"keys.json\"\n";
    place.write("whodid.toml", format!("{settings}\n{keys}").as_bytes());
    place.run(&["run", "--once"]).code(0);
    let name = long.rsplit('/').next().expect("a name").trim_end_matches(".gz");
    let verdicts: Vec<_> = place.search("what.action:digest.verdict").iter().filter_map(Judged::of).collect();
    let of_it = verdicts.iter().find(|judged| judged.origin.ends_with(name));
    assert_eq!(of_it.map(|judged| judged.verdict), Some(Verdict::Altered), "{verdicts:?}");
}
