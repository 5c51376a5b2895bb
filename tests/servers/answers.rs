//! What stands behind the other tests: each kind is what it says it is, and a kill is a kill.

use std::net::TcpStream;

use serde_json::json;

use super::{Kind, each_kind, own, shared};

each_kind!(says_which_it_is);
fn says_which_it_is(kind: Kind) {
    let server = shared(kind);
    let (status, nodes) = server.ask("GET", "/_nodes/_local?filter_path=nodes.*.version", None);
    let version =
        nodes["nodes"].as_object().and_then(|nodes| nodes.values().next()).map(|node| node["version"].clone());
    assert_eq!((status, version), (200, Some(json!(kind.version()))));
    // In Elasticsearch 9 the root is in a module that is not there.
    let (status, root) = server.ask("GET", "/", None);
    let distribution = &root["version"]["distribution"];
    match kind {
        Kind::Elasticsearch9 => assert_eq!(status, 405, "{root}"),
        _ => assert_eq!((status, distribution == "opensearch"), (200, kind.is_opensearch()), "{root}"),
    }
}

each_kind!(keeps_what_it_confirmed_over_a_kill);
fn keeps_what_it_confirmed_over_a_kill(kind: Kind) {
    let mut server = own(kind);
    let (status, said) = server.ask("PUT", "/kept/_doc/1", Some(&json!({"who": "alice"})));
    assert_eq!(status, 201, "{said}");
    let address = server.address().to_owned();
    server.kill();
    assert!(TcpStream::connect(&address).is_err(), "nobody listens after a kill");
    server.restart_on_same_data();
    assert_eq!(server.address(), address);
    let (status, kept) = server.ask("GET", "/kept/_doc/1", None);
    assert_eq!((status, &kept["_source"]), (200, &json!({"who": "alice"})));
}
