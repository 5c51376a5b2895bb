//! One name for a person across machines and the cloud: what root did is found under it.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::Place;

pub(crate) const KEY: &str = "SHA256:AbPHl1Yk1Ht0XbsAbRDuOdX8fSMNBsXDVPz3Jx0GqPo";

/// Ana logs in by key and adds a user by sudo; somebody else tries her name; Ben is root by a key that nobody has.
pub(crate) const WEB_1: &str = "\
2026-11-20T10:00:00.000000+00:00 web-1 sshd[1001]: Accepted publickey for ana from 203.0.113.7 port 50122 ssh2: ED25519 KEY
2026-11-20T10:00:00.100000+00:00 web-1 sshd[1001]: pam_unix(sshd:session): session opened for user ana(uid=1000) by (uid=0)
2026-11-20T10:00:00.200000+00:00 web-1 systemd-logind[500]: New session 7 of user ana.
2026-11-20T10:01:00.000000+00:00 web-1 sudo[1100]:      ana : TTY=pts/0 ; PWD=/home/ana ; USER=root ; COMMAND=/usr/sbin/useradd -m bob
2026-11-20T10:01:00.100000+00:00 web-1 sudo[1100]: pam_unix(sudo:session): session opened for user root(uid=0) by ana(uid=1000)
2026-11-20T10:01:01.000000+00:00 web-1 useradd[1102]: new user: name=bob, UID=1001, GID=1001, home=/home/bob, shell=/bin/sh, from=/dev/pts/0
2026-11-20T10:01:02.000000+00:00 web-1 sudo[1100]: pam_unix(sudo:session): session closed for user root
2026-11-20T10:02:00.000000+00:00 web-1 sshd[1200]: Failed password for ana from 198.51.100.9 port 40000 ssh2
2026-11-20T10:03:00.000000+00:00 web-1 sshd[1001]: Disconnected from user ana 203.0.113.7 port 50122
2026-11-20T10:03:00.100000+00:00 web-1 sshd[1001]: pam_unix(sshd:session): session closed for user ana
";

/// Both use the account `deploy`; their keys tell them apart.
pub(crate) const WEB_2: &str = "\
2026-11-20T11:00:00.000000+00:00 web-2 sshd[2001]: Accepted publickey for deploy from 203.0.113.7 port 50200 ssh2: ED25519 KEY
2026-11-20T11:00:00.100000+00:00 web-2 sshd[2001]: pam_unix(sshd:session): session opened for user deploy(uid=1000) by (uid=0)
2026-11-20T11:01:00.000000+00:00 web-2 sudo[2100]:   deploy : TTY=pts/0 ; PWD=/srv ; USER=root ; COMMAND=/usr/bin/systemctl restart app
2026-11-20T11:02:00.000000+00:00 web-2 sshd[2001]: Disconnected from user deploy 203.0.113.7 port 50200
2026-11-20T11:02:00.100000+00:00 web-2 sshd[2001]: pam_unix(sshd:session): session closed for user deploy
2026-11-20T11:10:00.000000+00:00 web-2 sshd[2301]: Accepted publickey for deploy from 203.0.113.9 port 50300 ssh2: ED25519 SHA256:BenPHl1Yk1Ht0XbsAbRDuOdX8fSMNBsXDVPz3Jx0GqP
2026-11-20T11:10:00.100000+00:00 web-2 sshd[2301]: pam_unix(sshd:session): session opened for user deploy(uid=1000) by (uid=0)
2026-11-20T11:11:00.000000+00:00 web-2 sudo[2400]:   deploy : TTY=pts/0 ; PWD=/srv ; USER=root ; COMMAND=/usr/bin/systemctl stop app
";

const CLOUD: &str = r#"{"Records":[
{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLEANA000000","arn":"arn:aws:iam::111122223333:user/a.example","accountId":"111122223333","accessKeyId":"AKIAIOSFODNN7EXAMPLE","userName":"a.example"},"eventTime":"2026-11-20T11:30:00Z","eventSource":"ec2.amazonaws.com","eventName":"AuthorizeSecurityGroupIngress","awsRegion":"eu-central-1","sourceIPAddress":"203.0.113.7","requestParameters":{"groupId":"sg-1"},"responseElements":null,"requestID":"r-1","eventID":"6b7b0d8c-0000-4000-8000-000000000001","readOnly":false,"eventType":"AwsApiCall","recipientAccountId":"111122223333"},
{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLECAROL0000","arn":"arn:aws:iam::111122223333:user/carol","accountId":"111122223333","userName":"carol"},"eventTime":"2026-11-20T11:31:00Z","eventSource":"ec2.amazonaws.com","eventName":"RunInstances","awsRegion":"eu-central-1","sourceIPAddress":"203.0.113.8","requestParameters":{},"responseElements":null,"requestID":"r-2","eventID":"6b7b0d8c-0000-4000-8000-000000000002","readOnly":false,"eventType":"AwsApiCall","recipientAccountId":"111122223333"}
]}"#;

const SETTINGS: &str = "\
[replay]
now = \"2026-11-20T12:00:00Z\"
[[source]]
name = \"web-1\"
type = \"auth\"
paths = [\"log/web-1.log\"]
[[source]]
name = \"web-2\"
type = \"auth\"
paths = [\"log/web-2.log\"]
[[source]]
name = \"aws\"
type = \"cloudtrail\"
paths = [\"log/cloudtrail.json\"]
";

const PEOPLE: &str = "\
[[person]]
name = \"Ana Example\"
unix = [\"ana\"]
keys = [\"KEY\"]
aws = [\"arn:aws:iam::111122223333:user/a.example\"]
";

fn told(people: &str) -> Place {
    let place = Place::new(&format!("{SETTINGS}{}", people.replace("KEY", KEY)));
    place.write("log/web-1.log", WEB_1.replace("KEY", KEY).as_bytes());
    place.write("log/web-2.log", WEB_2.replace("KEY", KEY).as_bytes());
    place.write("log/cloudtrail.json", CLOUD.as_bytes());
    let said = place.run(&["run", "--once"]);
    assert!(said.code_of() == Some(0), "{said:#?}");
    place
}

fn found(place: &Place, query: &str) -> BTreeSet<String> {
    let event = |event: whodid::event::Event| {
        let host = event.place.host.or(event.place.account).unwrap_or_default();
        format!("{host} {}", event.what.action)
    };
    place.search(query).into_iter().map(event).collect()
}

fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

#[test]
fn what_root_did_is_found_under_the_name_of_whoever_logged_in() {
    let place = told("");
    let acts = found(&place, "who.person:ana");
    let expected =
        ["web-1 ssh.login", "web-1 session.open", "web-1 sudo.command", "web-1 user.add", "web-1 ssh.logout"];
    assert!(acts.is_superset(&set(&expected)), "{acts:?}");
    assert!(acts.iter().all(|act| act.starts_with("web-1 ")), "{acts:?}");
    let tried = place.search("who.person:ana who.ip:198.51.100.9");
    assert!(tried.is_empty(), "a name that was typed is nobody: {tried:?}");
    assert_eq!(found(&place, "what.action:user.add who.chain:\"ana@203.0.113.7\""), set(&["web-1 user.add"]));
    assert_eq!(found(&place, "what.action:user.add NOT who.person:ana"), set(&[]));

    let table = place.run(&["search", "what.action:user.add"]);
    table.code(0).out_holds("ana@203.0.113.7 > root (");
    let json = place.run(&["search", "what.action:user.add", "--format", "whodid"]);
    let json: Json = serde_json::from_str(json.out_of().trim_end()).expect("one line of JSON");
    assert_eq!(json["who"]["person"], serde_json::json!(["ana"]));
    assert_eq!(json["who"]["chain"][0], "ana@203.0.113.7");
    assert!(json["link"]["confidence"].is_string() && json["link"]["evidence"].is_array(), "{json}");
    place.verify();
}

#[test]
fn one_person_has_one_name_on_two_machines_and_in_the_cloud() {
    let place = told(PEOPLE);
    let acts = found(&place, "who.person:\"Ana Example\"");
    let expected = [
        "web-1 ssh.login",
        "web-1 sudo.command",
        "web-1 user.add",
        "web-2 ssh.login",
        "web-2 sudo.command",
        "111122223333 AuthorizeSecurityGroupIngress",
    ];
    assert!(acts.is_superset(&set(&expected)), "{acts:?}");
    assert!(!acts.contains("111122223333 RunInstances"), "{acts:?}");
    assert_eq!(found(&place, "who.person:(ana OR a.example)"), set(&[]));
    // The account is shared, the key is not.
    let hers = place.search("who.person:\"Ana Example\" what.action:sudo.command where.host:web-2");
    let commands: Vec<&str> = hers.iter().filter_map(|event| event.what.command.as_deref()).collect();
    assert_eq!(commands, ["/usr/bin/systemctl restart app"]);
    let others = place.search("who.person:deploy what.action:sudo.command");
    let commands: Vec<&str> = others.iter().filter_map(|event| event.what.command.as_deref()).collect();
    assert_eq!(commands, ["/usr/bin/systemctl stop app"]);
    place.run(&["search", "what.action:user.add"]).code(0).out_holds("Ana Example: ana@203.0.113.7 > root (");
    place.run(&["search", "what.action:user.add", "--format", "ecs"]).code(0).out_holds("Ana Example");
}

/// No trail, no links: what the record itself says of people.
#[test]
fn a_log_that_is_only_read_names_people_too() {
    let place = Place::new(&format!("{SETTINGS}{}", PEOPLE.replace("KEY", KEY)));
    place.write("log/web-2.log", WEB_2.replace("KEY", KEY).as_bytes());
    let said = place.run(&["decode", "--type", "auth", "log/web-2.log", "--format", "table"]);
    said.code(0).out_holds("Ana Example: deploy");
}
