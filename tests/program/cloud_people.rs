//! Who opened a security group, through two roles and two accounts: the program finds alice and says so.

use serde_json::{Value as Json, json};

use super::Place;
use super::alerts::{Receiver, webhook};

const SETTINGS: &str = "\
[replay]
now = \"2026-11-20T12:00:00Z\"
[[source]]
name = \"aws\"
type = \"cloudtrail\"
paths = [\"log/*.json\"]
";

fn session(account: &str, role: &str, name: &str, key: &str) -> Json {
    json!({
        "type": "AssumedRole", "principalId": format!("AROAEXAMPLE{role}:{name}"), "accountId": account, "accessKeyId": key,
        "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{name}"),
        "sessionContext": {"sessionIssuer": {"type": "Role", "principalId": format!("AROAEXAMPLE{role}"), "userName": role,
            "arn": format!("arn:aws:iam::{account}:role/{role}"), "accountId": account}},
    })
}

fn record(id: u32, account: &str, identity: &Json, name: &str, request: &Json, response: &Json) -> Json {
    let service = if name == "AssumeRole" { "sts" } else { "ec2" };
    let shared = (name == "AssumeRole").then(|| format!("shared-{}", id / 10));
    json!({
        "eventVersion": "1.11", "userIdentity": identity, "eventTime": format!("2026-11-20T11:{id:02}:00Z"),
        "eventSource": format!("{service}.amazonaws.com"), "eventName": name, "awsRegion": "eu-central-1",
        "sourceIPAddress": "198.51.100.77", "requestParameters": request, "responseElements": response,
        "eventID": format!("6b7b0d8c-0000-4000-8000-0000000000{id:02}"), "readOnly": false, "eventType": "AwsApiCall",
        "managementEvent": true, "recipientAccountId": account, "eventCategory": "Management", "sharedEventID": shared,
    })
}

fn assume(account: &str, role: &str, session: &str) -> Json {
    json!({"roleArn": format!("arn:aws:iam::{account}:role/{role}"), "roleSessionName": session})
}

/// The same with so much in it that the record is no line of the trail any more.
fn assume_with_much_in_it(account: &str, role: &str, session: &str) -> Json {
    let mut request = assume(account, role, session);
    request["tags"] = json!([{"key": "a", "value": "x".repeat(70_000)}]);
    request
}

fn key(key: &str) -> Json {
    json!({"credentials": {"accessKeyId": key, "expiration": "Nov 20, 2026, 12:10:00 PM"}})
}

const ONE: &str = "111122223333";
const TWO: &str = "444455556666";

/// The logs of the second account come first: what the keys mean is told later. Bob has a role of the same name.
fn told(settings: &str) -> Place {
    let place = Place::new(&format!("{SETTINGS}{settings}"));
    let user = |name: &str, key: &str| json!({"type": "IAMUser", "principalId": format!("AIDAEXAMPLE{name}"), "arn": format!("arn:aws:iam::{ONE}:user/{name}"), "accountId": ONE, "accessKeyId": key, "userName": name});
    let open = json!({
        "groupId": "sg-0a1b2c3d",
        "ipPermissions": {"items": [{"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]},
    });
    let foreign = json!({"type": "AWSAccount", "principalId": "AROAEXAMPLEAdmin:ops", "accountId": ONE});
    let second = [
        record(21, TWO, &foreign, "AssumeRole", &assume(TWO, "Deploy", "release"), &key("ASIAEXAMPLEDEPLOY")),
        record(
            30,
            TWO,
            &session(TWO, "Deploy", "release", "ASIAEXAMPLEDEPLOY"),
            "AuthorizeSecurityGroupIngress",
            &open,
            &json!({"_return": true}),
        ),
        record(
            31,
            TWO,
            &session(TWO, "Deploy", "bob@example.com", "ASIAEXAMPLEBOB"),
            "RunInstances",
            &json!({}),
            &Json::Null,
        ),
    ];
    let first = [
        record(
            10,
            ONE,
            &user("alice", "AKIAEXAMPLEALICE"),
            "AssumeRole",
            &assume_with_much_in_it(ONE, "Admin", "ops"),
            &key("ASIAEXAMPLEADMIN"),
        ),
        record(
            20,
            ONE,
            &session(ONE, "Admin", "ops", "ASIAEXAMPLEADMIN"),
            "AssumeRole",
            &assume(TWO, "Deploy", "release"),
            &key("ASIAEXAMPLEDEPLOY"),
        ),
        record(
            40,
            ONE,
            &user("bob", "AKIAEXAMPLEBOB"),
            "AssumeRole",
            &assume(TWO, "Deploy", "bob@example.com"),
            &key("ASIAEXAMPLEBOB"),
        ),
    ];
    place.write("log/a.json", json!({"Records": second}).to_string().as_bytes());
    place.write("log/b.json", json!({"Records": first}).to_string().as_bytes());
    let said = place.run(&["run", "--once"]);
    assert!(said.code_of() == Some(0), "{said:#?}");
    place
}

#[test]
fn what_a_role_of_another_account_did_is_found_under_the_name_of_the_user() {
    let place = told("");
    let table = place.run(&["search", "who.person:alice what.action:AuthorizeSecurityGroupIngress"]);
    table.code(0).out_holds("alice@198.51.100.77 > Admin > Deploy (high)");
    let actions = |query: &str| {
        let mut found: Vec<String> = place
            .search(query)
            .into_iter()
            .map(|event| format!("{} {}", event.place.account.unwrap_or_default(), event.what.action))
            .collect();
        found.sort();
        found
    };
    let hers = [
        "111122223333 AssumeRole",
        "111122223333 AssumeRole",
        "444455556666 AssumeRole",
        "444455556666 AuthorizeSecurityGroupIngress",
    ];
    assert_eq!(actions("who.person:alice"), hers);
    assert_eq!(actions("who.chain:\"alice@198.51.100.77\""), hers[1..], "the first call is her own");
    assert_eq!(
        actions("who.chain:Admin what.provider:ec2.amazonaws.com"),
        ["444455556666 AuthorizeSecurityGroupIngress"]
    );
    assert_eq!(actions("who.person:bob"), ["111122223333 AssumeRole", "444455556666 RunInstances"]);
    let json = place.run(&["search", "what.action:AuthorizeSecurityGroupIngress", "--format", "whodid"]);
    let json: Json = serde_json::from_str(json.out_of().trim_end()).expect("one line of JSON");
    assert_eq!(json["who"]["person"], json!(["alice"]));
    assert_eq!(json["who"]["chain"], json!(["alice@198.51.100.77", "Admin", "Deploy"]));
    assert_eq!(
        (&json["link"]["for_key"], &json["link"]["key"]),
        (&json!("ASIAEXAMPLEDEPLOY"), &json!("AKIAEXAMPLEALICE"))
    );
    place.verify();
    // One link for each key, one for the record of the second account; and none more at the next start.
    let links = || place.search("what.action:link").len();
    let said = links();
    assert!(said >= 4, "{said}");
    place.run(&["run", "--once"]).code(0);
    assert_eq!(links(), said);
}

#[test]
fn the_message_of_an_alert_names_the_user_behind_the_roles() {
    let receiver = Receiver::start(200);
    told(&format!("[alerts]\nnotify = [\"oncall\"]\n{}", webhook(&receiver)));
    let bodies = receiver.bodies();
    let of_group = |body: &&Json| body["alert"] == "aws/security-group-open-to-world";
    let body = bodies.iter().find(of_group).expect("it fires");
    assert!(body.to_string().contains("alice@198.51.100.77 > Admin > Deploy"), "{body:#}");
}
