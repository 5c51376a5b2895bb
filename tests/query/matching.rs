//! Queries and the events they match: the table of `docs/query.md`, kind by kind.

use serde_json::json;
use whodid::event::fields::SEARCHABLE_BYTES_MAX;
use whodid::event::{Event, EventId, Exposure, Family, Named, Outcome, Source, Stamp};
use whodid::query::{matches, parse};

use crate::generate;

/// `expected` are the one-letter names of the events that match, in order.
#[track_caller]
fn check(query: &str, expected: &str) {
    let ast = parse(query, generate::now()).unwrap_or_else(|error| panic!("{error}"));
    let found: String = events().iter().filter(|(_, event)| matches(&ast, event)).map(|(name, _)| *name).collect();
    assert_eq!(found, expected, "{query}");
}

/// `l` a login, `f` a failed one, `s` a sudo command, `c` a CloudTrail record, `e` an event with nothing in it.
fn events() -> Vec<(char, Event)> {
    vec![('l', login()), ('f', failed()), ('s', sudo()), ('c', cloudtrail()), ('e', empty())]
}

fn event(family: Family, action: &str, when: &str) -> Event {
    let source = Source {
        name: family.name().into(),
        kind: family,
        origin: "".into(),
        lineage: None,
        generation: 0,
        pos: None,
        next: None,
    };
    let when = Stamp::parse(when).expect("an instant");
    Event::new(EventId::new(family, &[action.as_bytes()], 0), action, when, when, source)
}

fn login() -> Event {
    let mut event = event(Family::Auth, "ssh.login", "2026-11-20T10:11:12.123456789Z");
    event.who.name = Some("alice".into());
    event.who.ip = "::ffff:10.0.0.7".parse().ok();
    event.who.port = Some(50_122);
    event.outcome = Outcome::Success;
    event.raw = Some("Accepted publickey for alice from 10.0.0.7 port 50122 ssh2: RSA SHA256:AbC".into());
    event.tags = vec!["a".into(), "b".into()];
    event.set_detail("n", 9);
    event.set_detail("list", json!(["x", {"deep": true}, null]));
    event
}

fn failed() -> Event {
    let mut event = event(Family::Auth, "ssh.login", "2026-11-20T23:59:59.999999999Z");
    event.who.name = Some("Alice".into());
    event.who.ip = "2001:db8::7".parse().ok();
    event.who.port = Some(22);
    event.outcome = Outcome::Failure;
    event.reason = Some("Invalid user".into());
    event.raw = Some("Failed password for invalid user Alice from 2001:db8::7 port 22".into());
    event.set_detail("n", "10");
    event
}

fn sudo() -> Event {
    let mut event = event(Family::Auth, "sudo.command", "2026-11-21T00:00:00Z");
    event.who.name = Some(format!("{}end", "x".repeat(SEARCHABLE_BYTES_MAX)));
    event.who.as_ = Some(Named { name: Some("root".into()), id: Some("0".into()) });
    event.what.command = Some("/usr/bin/apt upgrade --yes".into());
    event.raw = Some("İstanbul user invalid".into());
    event
}

fn cloudtrail() -> Event {
    let mut event = event(Family::Cloudtrail, "AuthorizeSecurityGroupIngress", "2026-10-31T12:00:00Z");
    let cidr = |cidr: &str, from| Exposure { cidr: Some(cidr.into()), from, ..Exposure::default() };
    event.what.exposes = vec![cidr("10.0.0.0/8", Some(-1)), cidr("0.0.0.0/0", Some(22))];
    event.raw = Some(json!({"requestParameters": {"items": [{"p": 22}, {"p": "443"}], "odd key": ""}}).to_string());
    event
}

fn empty() -> Event {
    let mut event = event(Family::Wtmp, "", "1969-12-31T23:59:59.5Z");
    event.who.name = Some(String::new());
    event.raw = Some("--- !!!".into());
    event
}

#[test]
fn nothing_and_everything() {
    check("", "lfsce");
    check(" * ", "lfsce");
    check("NOT *", "");
    check("NOT NOT ssh2", "l");
}

#[test]
fn keywords_are_compared_whole_and_by_case() {
    check("who.name:alice", "l");
    check("who.name:Alice", "f");
    check("who.name:ali", "");
    check("who.name:\"\"", "e");
    check("who.name:*", "lfse");
    check("NOT who.name:*", "c");
    check("who.name:?*", "lfs");
    check("who.name:a*", "l");
    check("who.name:?lice", "lf");
    check("who.name:/[aA]lic./", "lf");
    check("who.name:/lic/", "");
    check("who.name:[A TO a}", "f");
    check("who.name:>=alice", "ls");
    check("outcome:failure", "f");
    check("user.effective.name:root", "s");
    check("what.action:\"\"", "e");
}

#[test]
fn of_a_long_keyword_only_its_searchable_part_counts() {
    let head = "x".repeat(SEARCHABLE_BYTES_MAX);
    check(&format!("who.name:{head}"), "s");
    check(&format!("who.name:{head}other"), "s");
    check("who.name:x*", "s");
    check("who.name:x*end", "");
}

#[test]
fn a_list_matches_if_any_element_does() {
    check("tags:a tags:b", "l");
    check("tags:(a OR z)", "l");
    check("-tags:a", "fsce");
    check("what.exposes.cidr:0.0.0.0/0", "c");
    check("what.exposes.from:(22 AND \\-1)", "c");
    check("what.exposes.from:<0", "c");
    check("what.exposes.from:[0 TO 21]", "");
}

#[test]
fn text_is_words_in_lower_case() {
    check("FAILED", "f");
    check("fail", "");
    check("fail*", "f");
    check("\"invalid user\"", "f");
    check("\"user invalid\"", "s");
    check("invalid user", "fs");
    check("invalid-user", "f");
    check("SHA256\\:abc", "l");
    check("10.0.0.7", "l");
    check("/sha\\d+/", "l");
    check("/sha/", "");
    check("İSTANBUL", "s");
    check("İst*", "s");
    check("raw:*", "lfsce");
    check("reason:invalid", "f");
    check("what.command:\"/usr/bin/apt\"", "s");
    check("what.command:\"--yes\"", "s");
}

#[test]
fn numbers_are_numbers() {
    check("who.port:22", "f");
    check("who.port:>22", "l");
    check("who.port:>=22", "lf");
    check("who.port:{22 TO 50122}", "");
    check("who.port:{22 TO 50122]", "l");
    check("who.port:[* TO *]", "lf");
}

#[test]
fn an_address_belongs_to_one_version() {
    check("who.ip:10.0.0.7", "l");
    check("who.ip:\"::ffff:10.0.0.7\"", "l");
    check("who.ip:10.0.0.0/8", "l");
    check("who.ip:0.0.0.0/0", "l");
    check("who.ip:\"::/0\"", "f");
    check("who.ip:2001:db8::/32", "f");
    check("who.ip:[10.0.0.1 TO 10.0.0.7}", "");
    check("who.ip:>=10.0.0.0", "l");
    check("who.ip:<=ffff::", "f");
    check("who.address:\"2001:db8::7\"", "f");
}

#[test]
fn times_are_compared_to_the_microsecond() {
    check("when:2026-11-20", "lf");
    check("when:2026-11-20T10:11:12.123456Z", "l");
    check("when:>2026-11-20T10:11:12.123456Z", "fs");
    check("when:2026-11-20T10:11", "l");
    check("when:>2026-11-20", "s");
    check("when:[2026-11 TO 2026-11]", "lfs");
    check("when:<1970", "e");
    check("when:>now", "fs");
    check("when:(>=now/d AND <now+1d/d)", "lf");
}

#[test]
fn below_detail_all_is_text() {
    check("auth.n:9", "l");
    check("detail.auth.n:10", "f");
    check("auth.n:*", "lf");
    check("auth.n:1?", "f");
    check("auth.list:x", "l");
    check("auth.list.deep:true", "l");
    check("auth.list.deep:*", "l");
    check("cloudtrail.requestParameters.items.p:22", "c");
    check("cloudtrail.requestParameters.items.p:443", "c");
    check("cloudtrail.requestParameters.odd\\ key:\"\"", "c");
    check("cloudtrail.requestParameters:*", "");
    check("_exists_:cloudtrail.requestParameters.items.p", "c");
}
