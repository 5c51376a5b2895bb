//! Who is who, event by event.

use super::*;
use crate::event::link::Confidence;
use crate::event::{Event, EventId, Family, Named, Outcome, Source, Stamp};

fn event(kind: Family, action: &str, who: &str) -> Event {
    let source = Source {
        name: kind.name().into(),
        kind,
        origin: "test".into(),
        lineage: None,
        generation: 0,
        pos: None,
        next: None,
    };
    let now = Stamp::from_unix(1_795_176_000, 0);
    let mut event = Event::new(EventId::from_bytes([0; 16]), action, now, now, source);
    event.who.kind = Some(if who == "root" { "root" } else { "user" }.to_owned());
    event.who.name = (!who.is_empty()).then(|| who.to_owned());
    event.place.host = Some("web-1".to_owned());
    event.outcome = Outcome::Success;
    event
}

fn auth(action: &str, who: &str) -> Event {
    event(Family::Auth, action, who)
}

fn failed(mut event: Event, category: &str) -> Event {
    event.outcome = Outcome::Failure;
    event.what.category = vec![category.to_owned()];
    event
}

fn list(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn people() -> People {
    People::new(vec![
        Person {
            name: "Ana Example".into(),
            unix: list(&["ana", "deploy@web-1"]),
            keys: list(&["SHA256:ana", "AKIAANA"]),
            certificates: list(&["ana-laptop"]),
            aws: list(&["arn:aws:iam::111122223333:user/ana"]),
            email: list(&["ana@example.com"]),
        },
        Person { name: "Ben Example".into(), unix: list(&["deploy"]), aws: list(&["ben"]), ..Person::default() },
    ])
}

fn tie(chain: &[&str], account: &str, key: Option<&str>) -> Option<Tie> {
    let mut facts = Facts::new(7, Confidence::High);
    facts.chain = list(chain);
    facts.account = (!account.is_empty()).then(|| account.to_owned());
    facts.host = Some("web-1".to_owned());
    facts.key = key.map(str::to_owned);
    Some(Tie { seq: 9, facts })
}

#[track_caller]
fn check(event: &Event, link: Option<Tie>, expected: &[&str]) {
    assert_eq!(people().attribute(event, link).person, expected);
}

#[test]
fn an_account_is_its_person_on_the_machine_and_one_that_nobody_has_is_itself() {
    check(&auth("sudo.command", "ana"), None, &["Ana Example"]);
    check(&auth("sudo.command", "deploy"), None, &["Ana Example"]);
    let mut elsewhere = auth("sudo.command", "deploy");
    elsewhere.place.host = Some("web-2".to_owned());
    check(&elsewhere, None, &["Ben Example"]);
    check(&auth("sudo.command", "carol"), None, &["carol"]);
    check(&auth("user.add", "root"), None, &[]);
    check(&auth("user.add", ""), None, &[]);
    assert_eq!(People::default().attribute(&auth("sudo.command", "ana"), None).person, ["ana"]);
}

#[test]
fn a_key_and_a_certificate_decide_before_an_account() {
    let mut login = auth("ssh.login", "deploy");
    login.who.key = Some("SHA256:ana".to_owned());
    check(&login, None, &["Ana Example"]);
    login.who.key = Some("SHA256:unknown".to_owned());
    check(&login, None, &["Ana Example"]);
    login.set_detail("certificate_id", "ana@example.com");
    login.who.name = Some("root".to_owned());
    check(&login, None, &["Ana Example"]);
    check(
        &auth("sudo.command", "deploy"),
        tie(&["deploy@203.0.113.7"], "deploy", Some("SHA256:ana")),
        &["Ana Example"],
    );
}

#[test]
fn a_link_says_who_logged_in_whatever_the_account_is_now() {
    check(&auth("user.add", "root"), tie(&["ana@203.0.113.7", "ana", "root"], "ana", None), &["Ana Example"]);
    check(&auth("sudo.command", "carol"), tie(&["ana@203.0.113.7", "carol"], "ana", None), &["Ana Example"]);
    check(&auth("user.add", "root"), tie(&["dave@tty1", "root"], "dave", None), &["dave"]);
    // Everybody's account is nobody's, unless its key is somebody's.
    check(&auth("user.add", "root"), tie(&["root@203.0.113.7"], "root", None), &[]);
    check(&auth("user.add", "root"), tie(&["root@203.0.113.7"], "root", Some("SHA256:ana")), &["Ana Example"]);
    // One without a chain takes back that anything is known.
    check(&auth("sudo.command", "carol"), tie(&[], "", None), &["carol"]);
    check(&auth("user.add", "root"), tie(&[], "ana", None), &[]);
}

#[test]
fn a_name_that_was_only_typed_is_nobody() {
    for action in ["ssh.login", "ssh.refused", "login", "auth.failure"] {
        check(&failed(auth(action, "ana"), "authentication"), None, &[]);
    }
    check(&failed(auth("ssh.refused", "carol"), "network"), None, &[]);
    let mut before_login = auth("ssh.disconnect", "ana");
    before_login.outcome = Outcome::Unknown;
    check(&before_login, None, &[]);
    check(&event(Family::Btmp, "login", "ana"), None, &[]);
    // These were logged in already.
    check(&failed(auth("sudo.command", "ana"), "process"), None, &["Ana Example"]);
    check(&failed(auth("su.session", "carol"), "authentication"), None, &["carol"]);
    let mut within = auth("ssh.subsystem", "carol");
    within.outcome = Outcome::Unknown;
    check(&within, None, &["carol"]);
}

#[test]
fn what_journald_denies_and_what_was_done_on_another_machine_names_nobody_there() {
    let mut forged = auth("sudo.command", "ana");
    forged.tag("spoof_suspect");
    check(&forged, None, &[]);
    // Whoever hands a task over chooses its machine; the account is one of theirs.
    let mut task = event(Family::Ansible, "ansible.task", "deploy");
    check(&task, None, &["Ben Example"]);
    task.what.action = "run.start".to_owned();
    check(&task, None, &["Ana Example"]);
}

#[test]
fn cloud_identities_are_told_apart_from_accounts_of_machines() {
    let mut call = event(Family::Cloudtrail, "AssumeRole", "ana");
    call.raw = Some(r#"{"userIdentity":{"arn":"arn:aws:iam::111122223333:user/ana"}}"#.to_owned());
    check(&call, None, &["Ana Example"]);
    call.raw = Some(r#"{"userIdentity":{"arn":"arn:aws:iam::999999999999:user/ana"}}"#.to_owned());
    check(&call, None, &["ana"]);
    check(&event(Family::Cloudtrail, "RunInstances", "ben"), None, &["Ben Example"]);
    check(&auth("sudo.command", "ben"), None, &["ben"]);
    // A signed call that was refused is somebody's, a login that failed is not.
    check(&failed(event(Family::Cloudtrail, "AssumeRole", "ben"), "authentication"), None, &["Ben Example"]);
    let mut login = failed(event(Family::Cloudtrail, "ConsoleLogin", "ben"), "authentication");
    login.what.provider = Some("signin.amazonaws.com".to_owned());
    check(&login, None, &[]);
    // Whoever takes a role names the session: only an address counts.
    let mut role = event(Family::Cloudtrail, "RunInstances", "ben");
    role.who.kind = Some("role".to_owned());
    check(&role, None, &[]);
    role.who.session = Some("ana@example.com".to_owned());
    check(&role, None, &["Ana Example"]);
    role.who.session = None;
    role.who.key = Some("AKIAANA".to_owned());
    check(&role, None, &["Ana Example"]);
}

#[test]
fn who_it_was_as_one_text() {
    let text = |event: &Event, link, own| people().attribute(event, link).text(event, own);
    let root = auth("user.add", "root");
    let by_ana = || tie(&["ana@203.0.113.7", "ana", "root"], "ana", None);
    assert_eq!(text(&root, by_ana(), Some("root")).as_deref(), Some("Ana Example: ana@203.0.113.7 > root"));
    let by_dave = tie(&["dave@tty1", "dave", "root"], "dave", None);
    assert_eq!(text(&root, by_dave, Some("root")).as_deref(), Some("dave@tty1 > root"));
    let mut sudo = auth("sudo.command", "ana");
    sudo.who.as_ = Some(Named::name("postgres"));
    let login = tie(&["ana@203.0.113.7"], "ana", None);
    assert_eq!(text(&sudo, login, None).as_deref(), Some("Ana Example: ana@203.0.113.7 > postgres"));
    assert_eq!(text(&sudo, None, Some("ana as postgres")).as_deref(), Some("Ana Example: ana as postgres"));
    assert_eq!(text(&auth("sudo.command", "carol"), None, Some("carol")), None);
    assert_eq!(text(&root, None, Some("root")), None);
}

#[test]
fn a_query_that_names_nobody_needs_no_links() {
    let ast = |text: &str| crate::query::parse(text, Stamp::from_micros(0)).expect(text);
    assert!(!is_joined(&ast("who.name:ana NOT (raw:x OR when:2026)")));
    assert!(is_joined(&ast("a NOT (b OR who.person:ana)")) && is_joined(&ast("who.chain:*")));
    assert!(Wanted::of(&ast("who.name:ana"), &people()).is_none());
    let query = ast("when:2026-11-20 who.person:ana*");
    let links = Wanted::of(&query, &people()).expect("it names somebody").links().expect("links").to_string();
    assert!(links.contains("what.action:link") && links.contains("when:[2026-11-18T00:00:00Z"), "{links}");
}
