//! The trail made ahead of its first run, by the key that is wanted.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value as Json;

use super::Place;

const LINE: &[u8] = b"Nov 20 10:11:12 web-1 sshd[1]: Server listening on :: port 22.\n";

/// A key that somebody else's tool made, for another name.
const KEY: &str = "PRIVATE+KEY+whodid+4b7fc7c2+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n";

impl Place {
    fn identity(&self) -> Json {
        let said = self.run(&["trail", "init", "--json"]);
        serde_json::from_str(&said.code(0).out).expect("one document")
    }
}

#[test]
fn it_makes_what_the_first_run_would_make_and_says_it_again() {
    let place = Place::with_auth_log();
    place.write("log/auth.log", LINE);
    let made = place.identity();
    assert_eq!(made["new"], true);
    let origin = made["trail"].as_str().expect("a name");
    assert!(origin.starts_with("example.org/web-1/"), "{made}");
    let keys = made["verifier_keys"].as_array().expect("a list");
    assert!(keys[0].as_str().expect("a key").starts_with(&format!("{origin}+")), "{made}");
    let key = made["key"].as_str().expect("a path");
    assert_eq!(fs::metadata(key).expect("there").permissions().mode() & 0o777, 0o600);
    assert!(place.trail().is_empty());

    let public = fs::read_to_string(made["public"].as_str().expect("a path")).expect("there");
    let said = place.run(&["trail", "init"]);
    said.code(0).out_holds(origin).out_holds("nothing was changed").out_holds(&public).out_holds("--key FILE");
    assert!(!said.out.contains(fs::read_to_string(key).expect("there").trim()), "the private key is nobody's business");

    place.run(&["run", "--once"]).code(0);
    let events: Vec<_> = place.search("source.kind:whodid OR source.kind:auth").into_iter().collect();
    let genesis = events.iter().find(|event| event.what.action == "trail.genesis").expect("a genesis");
    assert_eq!(genesis.what.object.as_deref(), Some(origin));
    assert_eq!(place.identity()["new"], false);
    place.run(&["trail", "verify", "data", "--key", made["public"].as_str().expect("a path")]).code(0);
}

#[test]
fn a_key_of_ones_own_signs() {
    let place = Place::with_auth_log();
    place.write("log/auth.log", LINE);
    let config = fs::read_to_string(place.path("whodid.toml")).expect("there");
    place.write("whodid.toml", format!("{config}[trail]\nkey = \"own.key\"\n").as_bytes());
    place.run(&["trail", "init"]).code(1).err_holds("own.key").err_holds("there is no key here");
    place.write("own.key", KEY.as_bytes());
    fs::set_permissions(place.path("own.key"), fs::Permissions::from_mode(0o644)).expect("ours");
    place.run(&["trail", "init"]).code(1).err_holds("others may read this key");
    fs::set_permissions(place.path("own.key"), fs::Permissions::from_mode(0o600)).expect("ours");

    let made = place.identity();
    assert_eq!(made["key"].as_str(), place.path("own.key").to_str());
    let id = made["trail"].as_str().and_then(|name| name.rsplit('/').next()).expect("a name");
    assert!(!place.path(&format!("keys/{id}.key")).exists(), "no other private key is made");
    place.run(&["run", "--once"]).code(0);
    place.verify();
    assert!(!place.trail().windows(KEY.len() - 40).any(|part| part == &KEY.as_bytes()[..KEY.len() - 40]));

    // Another key is not the trail's.
    place.write("own.key", KEY.replace("4b7fc7c2+AQAB", "4b7fc7c2+AQEB").as_bytes());
    place.run(&["run", "--once"]).code(1).err_holds("own.key").err_holds("key id does not belong to it");
}
