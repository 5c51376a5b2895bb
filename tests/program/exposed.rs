//! A security group that is opened, left open, and closed: the alert, its end, and how long it stood.

use super::*;

const OPENED: &str = r#"{"eventVersion":"1.09","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLEALICE","arn":"arn:aws:iam::111122223333:user/alice","accountId":"111122223333","accessKeyId":"AKIAEXAMPLEALICE","userName":"alice"},"eventTime":"2026-11-20T11:44:07Z","eventSource":"ec2.amazonaws.com","eventName":"AuthorizeSecurityGroupIngress","awsRegion":"eu-central-1","sourceIPAddress":"203.0.113.7","requestParameters":{"groupId":"sg-1","ipPermissions":{"items":[{"ipProtocol":"tcp","fromPort":22,"toPort":22,"groups":{},"ipRanges":{"items":[{"cidrIp":"0.0.0.0/0"}]},"ipv6Ranges":{},"prefixListIds":{}}]}},"responseElements":{"_return":true,"securityGroupRuleSet":{"items":[{"groupId":"sg-1","securityGroupRuleId":"sgr-1","isEgress":false,"ipProtocol":"tcp","fromPort":22,"toPort":22,"cidrIpv4":"0.0.0.0/0"}]}},"eventID":"e-1","readOnly":false,"recipientAccountId":"111122223333"}"#;

const CLOSED: &str = r#"{"eventVersion":"1.09","userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLEBOB","arn":"arn:aws:iam::111122223333:user/bob","accountId":"111122223333","accessKeyId":"AKIAEXAMPLEBOB","userName":"bob"},"eventTime":"2026-11-20T17:56:07Z","eventSource":"ec2.amazonaws.com","eventName":"RevokeSecurityGroupIngress","awsRegion":"eu-central-1","sourceIPAddress":"203.0.113.8","requestParameters":{"groupId":"sg-1","securityGroupRuleIds":{"items":[{"securityGroupRuleId":"sgr-1"}]}},"responseElements":{"_return":true},"eventID":"e-2","readOnly":false,"recipientAccountId":"111122223333"}"#;

fn half(time: &str, id: &str, network: &str) -> String {
    let closed = OPENED.replace("11:44:07", time).replace("\"e-1\"", &format!("\"{id}\""));
    closed.replace("0.0.0.0/0", network).replace("sg-1", "sg-2").replace("sgr-1", &format!("sgr-{id}"))
}

const SOURCE: &str = "[[source]]\nname = \"trail\"\ntype = \"cloudtrail\"\npaths = [\"objects\"]\n";

struct Scene(Place);

impl Scene {
    fn new() -> Self {
        Self(Place::new(&format!("[replay]\nnow = \"2026-11-20T12:00:00Z\"\n{SOURCE}")))
    }

    /// CloudTrail delivers these.
    fn deliver(&self, name: &str, records: &[&str]) {
        self.0.write(&format!("objects/{name}.json"), format!("{{\"Records\":[{}]}}", records.join(",")).as_bytes());
    }

    fn run_at(&self, time: &str) {
        let config = std::fs::read_to_string(self.0.path("whodid.toml")).expect("readable");
        let (before, rest) = config.split_once("now = \"").expect("a replay");
        let (_, after) = rest.split_once('"').expect("its end");
        self.0.write("whodid.toml", format!("{before}now = \"2026-11-20T{time}Z\"{after}").as_bytes());
        self.0.run(&["run", "--once"]).code(0);
    }

    fn check(&self) -> Said {
        self.0.run(&["check", "aws/security-group-left-open"])
    }
}

#[test]
fn what_is_left_open_is_told_until_it_is_closed_and_how_long_it_stood_is_found() {
    let scene = Scene::new();
    scene.deliver("1", &[OPENED]);
    scene.run_at("12:00:00");
    scene.check().code(0);

    scene.run_at("15:43:00");
    scene.check().code(0);
    scene.run_at("15:45:00");
    let alert = scene.check();
    alert.code(2).out_holds("alice@203.0.113.7 AuthorizeSecurityGroupIngress sg-1 tcp/22 to 0.0.0.0/0");
    alert.out_holds("2026-11-20T11:44:07Z");

    scene.deliver("2", &[CLOSED]);
    scene.run_at("18:00:00");
    scene.check().code(0);
    let [closed] = scene.0.search("what.action:exposure.closed").try_into().expect("one");
    let opened = scene.0.search("what.world:true").remove(0);
    assert_eq!(closed.what.object, Some(opened.id.to_string()));
    let text = "open for 6 h 12 min: opened by alice@203.0.113.7 at 2026-11-20T11:44:07Z, closed by bob@203.0.113.8";
    assert_eq!(closed.reason.as_deref(), Some(text));
    assert_eq!(closed.detail["whodid"]["stood_s"], 22_320);
    scene.0.run(&["search", "what.action:exposure.closed"]).code(0).out_holds("open for 6 h 12 min");
    let changes = scene.0.search("what.action:alert.changed AND what.object:\"aws/security-group-left-open\"");
    let states: Vec<_> = changes.iter().map(|event| event.detail["whodid"]["to"].clone()).collect();
    assert!(states.contains(&"CRITICAL".into()) && states.contains(&"OK".into()), "{states:?}");

    let trail = scene.0.trail();
    scene.run_at("18:00:00");
    assert_eq!(scene.0.trail(), trail, "a run with nothing new writes nothing");
    scene.0.verify();
}

#[test]
fn two_halves_that_two_calls_opened_are_left_open_together() {
    let scene = Scene::new();
    let (low, high) = (half("10:00:00", "e-3", "0.0.0.0/1"), half("11:00:00", "e-4", "128.0.0.0/1"));
    // In whatever order they are delivered.
    scene.deliver("1", &[&high]);
    scene.run_at("12:00:00");
    assert!(scene.0.search("what.world:true").is_empty());
    scene.deliver("2", &[&low]);
    scene.run_at("12:10:00");
    let [world] = scene.0.search("what.world:true").try_into().expect("one");
    assert_eq!((world.what.action.as_str(), world.who.name.as_deref()), ("exposure.world", Some("alice")));
    scene.run_at("15:05:00");
    scene.check().code(2).out_holds("tcp/22 to 128.0.0.0/1");
    let closed = CLOSED.replace("sg-1", "sg-2").replace("sgr-1", "sgr-e-3");
    scene.deliver("3", &[&closed]);
    scene.run_at("18:00:00");
    scene.check().code(0);
    assert_eq!(scene.0.search("what.action:exposure.closed").len(), 2, "the half, and all of it");
    scene.0.verify();
}
