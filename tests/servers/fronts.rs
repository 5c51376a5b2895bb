//! What stands in front of the servers does what it says: a fault that is not dealt shows nothing.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use whodid::cluster::{Access, Body, Cluster, Failure, Login, Method, Secret};

use super::proxy::{Dealt, Faults, Proxy};
use super::tls::{Door, Tls};
use super::{Kind, in_turn, shared};

fn access(url: &str) -> Access {
    Access {
        nodes: vec![url.parse().expect("an address")],
        login: Login::Nobody,
        ca: None,
        headers: Vec::new(),
        timeout: Duration::from_secs(20),
    }
}

fn cluster(url: &str) -> Cluster {
    Cluster::new(&access(url)).expect("a client")
}

fn lines(index: &str, documents: usize) -> Body {
    let each = |n| format!("{{\"create\":{{\"_index\":\"{index}\",\"_id\":\"{n}\"}}}}\n{{\"n\":{n}}}\n");
    Body::Lines((0..documents).map(each).collect::<String>().into())
}

fn ids(cluster: &Cluster, index: &str) -> BTreeSet<String> {
    cluster.ask(Method::Post, &format!("/{index}/_refresh"), Body::None).expect("it can be refreshed");
    let found = cluster.ask(Method::Get, &format!("/{index}/_search?size=1000"), Body::None).expect("an answer");
    let hits = found["hits"]["hits"].as_array().expect("hits").clone();
    hits.iter().map(|hit| hit["_id"].as_str().expect("an id").to_owned()).collect()
}

in_turn!(documents_that_fail_are_not_there_and_the_others_are, OpenSearch2);
fn documents_that_fail_are_not_there_and_the_others_are(kind: Kind) {
    let index = "fronts-documents";
    let proxy = Proxy::before(shared(kind), 1, Faults { documents: 30, ..Faults::default() });
    let client = cluster(&proxy.url);
    let answer = client.ask(Method::Post, "/_bulk", lines(index, 200)).expect("an answer");
    let items = answer["items"].as_array().expect("items");
    assert_eq!((items.len(), &answer["errors"]), (200, &json!(true)));
    let taken = items.iter().enumerate().filter(|(_, item)| item["create"]["status"] == 201);
    let taken: BTreeSet<String> = taken.map(|(n, _)| n.to_string()).collect();
    assert_eq!(proxy.dealt().documents, 200 - taken.len() as u64);
    assert!((100..180).contains(&taken.len()), "{}", taken.len());
    assert_eq!(ids(&cluster(&shared(kind).url), index), taken);
}

in_turn!(a_lost_answer_was_about_something_that_was_done, Elasticsearch7);
fn a_lost_answer_was_about_something_that_was_done(kind: Kind) {
    let direct = cluster(&shared(kind).url);
    for (index, faults) in [
        ("fronts-lost", Faults { lost: 100, ..Faults::default() }),
        ("fronts-cut", Faults { cut: 100, ..Faults::default() }),
    ] {
        let proxy = Proxy::before(shared(kind), 1, faults);
        let failure = cluster(&proxy.url).ask(Method::Post, "/_bulk", lines(index, 10)).expect_err("no whole answer");
        assert!(matches!(failure, Failure::Cut { .. }), "{failure}");
        assert_eq!(ids(&direct, index).len(), 10);
        let Dealt { requests, lost, cut, .. } = proxy.dealt();
        assert_eq!((requests, lost + cut), (1, 1));
    }
}

in_turn!(what_is_refused_was_not_done, OpenSearch3);
fn what_is_refused_was_not_done(kind: Kind) {
    let mut proxy = Proxy::before(shared(kind), 1, Faults { busy: 100, retry_after: Some(7), ..Faults::default() });
    let client = cluster(&proxy.url);
    let bulk = || client.ask(Method::Post, "/_bulk", lines("fronts-refused", 10));
    let failure = bulk().expect_err("a storm");
    assert!(matches!(failure, Failure::Busy { status: 429, after: Some(Duration { .. }), .. }), "{failure}");
    proxy.set(Faults { bytes_max: Some(100), ..Faults::default() });
    assert_eq!(bulk().expect_err("too large").status(), Some(413));
    proxy.close();
    let failure = bulk().expect_err("nobody there");
    assert!(matches!(failure, Failure::Unreachable { .. }), "{failure}");
    let gone = cluster(&shared(kind).url).ask(Method::Get, "/fronts-refused", Body::None);
    assert_eq!(gone.expect_err("never made").status(), Some(404));
    proxy.open();
    proxy.set(Faults { slow: 100, slowness: Duration::from_millis(400), ..Faults::default() });
    let asked = Instant::now();
    bulk().expect("slow, but whole");
    assert!(asked.elapsed() >= Duration::from_millis(400));
    let Dealt { busy, too_large, slow, .. } = proxy.dealt();
    assert_eq!((busy, too_large, slow), (1, 1, 1));
}

in_turn!(a_door_opens_for_its_login_only, Elasticsearch9);
fn a_door_opens_for_its_login_only(kind: Kind) {
    let basic = |password: &str| Login::Basic { user: "alice".to_owned(), password: Secret::new(password) };
    let key = |key: &str| Login::ApiKey(Secret::new(key));
    for (door, right, wrong) in [
        (Door::Open, Login::Nobody, None),
        (Door::Basic { user: "alice".to_owned(), password: "s: ö".to_owned() }, basic("s: ö"), Some(basic("s"))),
        (Door::Basic { user: "alice".to_owned(), password: "s".to_owned() }, basic("s"), Some(Login::Nobody)),
        (Door::ApiKey("aWQ6a2V5".to_owned()), key("aWQ6a2V5"), Some(key("aWQ6a2V6"))),
    ] {
        let tls = Tls::before(shared(kind), door);
        let with = |login: Login, ca: Option<Vec<u8>>| {
            let cluster = Cluster::new(&Access { login, ca, ..access(&tls.url) }).expect("a client");
            cluster.ask(Method::Get, "/_cluster/health", Body::None)
        };
        let ca = Some(tls.ca.clone().into_bytes());
        let health: Json = with(right.clone(), ca.clone()).expect("it is let in");
        assert_eq!(health["cluster_name"], "tests");
        assert_eq!(tls.refused(), Vec::<String>::new());
        let failure = with(right, None).expect_err("nobody vouches for that certificate");
        assert!(matches!(failure, Failure::Setup(_)), "{failure}");
        if let Some(wrong) = wrong {
            let failure = with(wrong, ca).expect_err("it is not let in");
            assert!(matches!(failure, Failure::Denied { .. }), "{failure}");
            assert_eq!(tls.refused().len(), 1);
        }
    }
}
