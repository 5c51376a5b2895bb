//! What a change to a security group let in.
//!
//! AWS writes the same change in several shapes, by API, by its age and by the client:
//!
//! ```text
//! A  requestParameters.ipPermissions.items[].{ipProtocol,fromPort,toPort,ipRanges.items[].cidrIp,…}
//! B  requestParameters.{ipProtocol,fromPort,toPort,cidrIp} beside an empty ipPermissions
//! C  requestParameters.ModifySecurityGroupRulesRequest.SecurityGroupRule[].SecurityGroupRule.{…,CidrIpv4}
//! D  responseElements.securityGroupRuleSet.items[].{isEgress,ipProtocol,fromPort,toPort,cidrIpv4,cidrIpv6}
//! E  requestParameters.cIDRIP (RDS and Redshift before they had VPCs)
//! F  D with isEgress, which CreateSecurityGroup writes for the way out: lets nothing in
//! ```
//!
//! D is what AWS made of the request, and counts where it is there. C does not say whether the rule it
//! changes is one for the way out: it is taken for one that lets in, because missing an opening is worse.

use super::tree::Tree;
use crate::event::Exposure;

/// What the record's change opened. Whether it succeeded is for the caller to know.
pub(super) fn exposes(record: &Tree<'_>) -> Vec<Exposure> {
    let is_change = record.member("eventName").as_str().is_some_and(|name| OPENING.contains(&name));
    if !is_change {
        return Vec::new();
    }
    let response = record.member("responseElements");
    let mut found = Vec::new();
    match response.any_case("securityGroupRuleSet").map(Tree::items).unwrap_or_default() {
        [] => requested(record.member("requestParameters"), &mut found),
        rules => rules.iter().for_each(|rule| of_rule(rule, &mut found)),
    }
    found
}

/// Calls that may let something in. `RevokeSecurityGroupIngress` has the same shapes and closes.
const OPENING: &[&str] = &[
    "AuthorizeSecurityGroupIngress",
    "ModifySecurityGroupRules",
    "CreateSecurityGroup",
    "AuthorizeDBSecurityGroupIngress",
    "AuthorizeClusterSecurityGroupIngress",
];

/// Shapes A, B, C and E.
fn requested(request: &Tree<'_>, found: &mut Vec<Exposure>) {
    of_rule(request, found);
    for rule in request.any_case("ipPermissions").map(Tree::items).unwrap_or_default() {
        of_rule(rule, found);
    }
    let Some(changes) = request.any_case("ModifySecurityGroupRulesRequest") else { return };
    for change in changes.any_case("SecurityGroupRule").map(Tree::items).unwrap_or_default() {
        of_rule(change.any_case("SecurityGroupRule").unwrap_or(change), found);
    }
}

/// One rule, with one network or lists of them.
fn of_rule(rule: &Tree<'_>, found: &mut Vec<Exposure>) {
    if rule.any_case("isEgress").is_some_and(Tree::is_true) {
        return;
    }
    let lists = ["ipRanges", "ipv6Ranges"].into_iter().filter_map(|name| rule.any_case(name)).flat_map(Tree::items);
    for network in std::iter::once(rule).chain(lists) {
        let cidrs = ["cidrIp", "cidrIpv4", "cidrIpv6"].into_iter().filter_map(|name| network.any_case(name));
        for cidr in cidrs.filter_map(Tree::as_str).map(str::trim).filter(|cidr| !cidr.is_empty()) {
            found.push(Exposure { cidr: Some(cidr.to_owned()), ..ports(rule) });
        }
    }
}

fn ports(rule: &Tree<'_>) -> Exposure {
    let protocol = rule.any_case("ipProtocol").and_then(protocol);
    let port = |name| rule.any_case(name).and_then(Tree::number).filter(|port| *port >= 0);
    let (from, to) = match protocol.as_deref() {
        Some("all") => (None, None),
        _ => (port("fromPort"), port("toPort")),
    };
    Exposure { cidr: None, protocol, from, to }
}

/// Names for the numbers that have one in EC2: IANA's protocol numbers, and -1.
fn protocol(value: &Tree<'_>) -> Option<String> {
    let text = match value {
        Tree::Text(text) => text.trim().to_ascii_lowercase(),
        Tree::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(match text.as_str() {
        "-1" => "all".to_owned(),
        "1" => "icmp".to_owned(),
        "6" => "tcp".to_owned(),
        "17" => "udp".to_owned(),
        "58" => "icmpv6".to_owned(),
        "" => return None,
        _ => text,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(record: &Value, expected: &[&str]) {
        let text = record.to_string();
        let tree = Tree::parse(&text).expect("JSON");
        let show = |x: Exposure| {
            let port = |port: Option<i64>| port.map_or("-".to_owned(), |port| port.to_string());
            let (cidr, protocol) = (x.cidr.unwrap_or_default(), x.protocol.unwrap_or_default());
            format!("{cidr} {protocol} {} {}", port(x.from), port(x.to))
        };
        assert_eq!(exposes(&tree).into_iter().map(show).collect::<Vec<_>>(), expected, "{record}");
    }

    fn call(name: &str, request: Value, response: Value) -> Value {
        json!({"eventName": name, "requestParameters": request, "responseElements": response})
    }

    const INGRESS: &str = "AuthorizeSecurityGroupIngress";

    #[test]
    fn every_shape_of_a_request_is_read() {
        let a = json!({"ipPermissions": {"items": [
            {"ipProtocol": "tcp", "fromPort": "22", "toPort": 22, "groups": {},
             "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}, {"cidrIp": "10.0.0.0/8"}]}, "ipv6Ranges": {}},
            {"ipProtocol": "-1", "ipRanges": {}, "ipv6Ranges": {"items": [{"cidrIpv6": "::/0"}]}},
        ]}});
        check(&call(INGRESS, a, json!({})), &["0.0.0.0/0 tcp 22 22", "10.0.0.0/8 tcp 22 22", "::/0 all - -"]);
        let b = json!({"ipProtocol": "6", "fromPort": 0, "toPort": 65535, "cidrIp": "0.0.0.0/0", "ipPermissions": {}});
        check(&call(INGRESS, b, json!(null)), &["0.0.0.0/0 tcp 0 65535"]);
        let rule = |cidr: &str| {
            let rule = json!({"IpProtocol": -1, "FromPort": -1, "ToPort": -1, "CidrIpv4": cidr});
            json!({"SecurityGroupRuleId": "sgr-1", "tag": 1, "SecurityGroupRule": rule})
        };
        let c =
            |rules: Value| json!({"ModifySecurityGroupRulesRequest": {"GroupId": "sg-1", "SecurityGroupRule": rules}});
        let one = call("ModifySecurityGroupRules", c(rule("0.0.0.0/0")), json!({}));
        check(&one, &["0.0.0.0/0 all - -"]);
        let two = call("ModifySecurityGroupRules", c(json!([rule("0.0.0.0/1"), rule("128.0.0.0/1")])), json!({}));
        check(&two, &["0.0.0.0/1 all - -", "128.0.0.0/1 all - -"]);
        let e = json!({"cIDRIP": "0.0.0.0/0", "dBSecurityGroupName": "db"});
        check(&call("AuthorizeDBSecurityGroupIngress", e, json!({})), &["0.0.0.0/0  - -"]);
    }

    #[test]
    fn the_response_counts_where_it_tells() {
        let request = json!({"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIp": "192.0.2.1/0"});
        let rule =
            json!({"isEgress": "false", "ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIpv4": "0.0.0.0/0"});
        let response = json!({"securityGroupRuleSet": {"items": [rule]}});
        check(&call(INGRESS, request, response), &["0.0.0.0/0 tcp 22 22"]);
    }

    #[test]
    fn the_way_out_and_closing_let_nothing_in() {
        let out = json!({"isEgress": true, "ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0"});
        let response = json!({"securityGroupRuleSet": {"items": [out]}});
        check(&call("CreateSecurityGroup", json!({"groupName": "web"}), response.clone()), &[]);
        check(&call("AuthorizeSecurityGroupEgress", json!({"cidrIp": "0.0.0.0/0"}), response), &[]);
        check(&call("RevokeSecurityGroupIngress", json!({"cidrIp": "0.0.0.0/0"}), json!({})), &[]);
    }
}
