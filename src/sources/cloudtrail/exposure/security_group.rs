//! Security groups, of EC2 and those that RDS and Redshift had of their own.
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
//! D is what AWS made of the request, and counts where it is there; what is revoked is in
//! `revokedSecurityGroupRuleSet` in the same form. C does not say whether the rule it changes is one for the way
//! out: it is taken for one that lets in, because missing an opening is worse. C replaces what the rule was.
//! `UpdateSecurityGroupRuleDescriptions…` changes texts and opens nothing.
//!
//! A rule may let in a prefix list, whose networks stand elsewhere: `pl-…` is the principal then, so that it is
//! never taken for a network. The list's own entries are read where they are changed (`prefix_list.rs`).

use super::super::tree::Tree;
use super::{Call, Change};
use crate::event::Exposure;

pub(super) fn read(call: &Call<'_, '_>, change: &mut Change) {
    match call.action {
        "AuthorizeSecurityGroupIngress" | "CreateSecurityGroup" => {
            opened(call, "securityGroupRuleSet", &mut |rule| change.open(rule));
        }
        "AuthorizeDBSecurityGroupIngress" | "AuthorizeClusterSecurityGroupIngress" => {
            of_rule(call.request, &mut |rule| change.open(rule));
        }
        "RevokeDBSecurityGroupIngress" | "RevokeClusterSecurityGroupIngress" => {
            of_rule(call.request, &mut |rule| change.close(rule));
        }
        "RevokeSecurityGroupIngress" => revoked(call, change),
        "ModifySecurityGroupRules" => modified(call, change),
        _ => {}
    }
}

/// The response where it lists rules, the request otherwise.
fn opened(call: &Call<'_, '_>, set: &str, found: &mut dyn FnMut(Exposure)) {
    match call.response.any_case(set).map(Tree::items).unwrap_or_default() {
        [] => requested(call.request, found),
        rules => rules.iter().for_each(|rule| of_rule(rule, found)),
    }
}

/// Shapes A, B and E.
fn requested(request: &Tree<'_>, found: &mut dyn FnMut(Exposure)) {
    of_rule(request, found);
    for rule in request.any_case("ipPermissions").map(Tree::items).unwrap_or_default() {
        of_rule(rule, found);
    }
}

/// By what the rules were, or by their ids. `unknownIpPermissionSet` in the response lists what was not there: an
/// answer that has only that closed nothing, whatever was asked for.
fn revoked(call: &Call<'_, '_>, change: &mut Change) {
    let count = |set: &str| call.response.any_case(set).map_or(0, |rules| rules.items().len());
    if count("unknownIpPermissionSet") > 0 && count("revokedSecurityGroupRuleSet") == 0 {
        return;
    }
    opened(call, "revokedSecurityGroupRuleSet", &mut |rule| change.close(rule));
    for id in ids(call.request) {
        if !change.closes.iter().any(|closed| closed.rule.as_deref() == Some(id.as_str())) {
            change.close_rule(&id);
        }
    }
}

/// `securityGroupRuleIds` is a list of ids, or of items that hold one.
fn ids(request: &Tree<'_>) -> Vec<String> {
    let names = ["securityGroupRuleIds", "securityGroupRuleId", "securityGroupRuleIdSet"];
    let lists = names.iter().filter_map(|name| request.any_case(name));
    let id = |item: &Tree<'_>| {
        let inner = || item.any_case("securityGroupRuleId").and_then(Tree::as_str);
        item.as_str().or_else(inner).map(str::to_owned)
    };
    lists
        .flat_map(|list| match list {
            Tree::Text(id) => vec![id.clone().into_owned()],
            list => list.items().iter().filter_map(id).collect(),
        })
        .filter(|id| !id.is_empty())
        .collect()
}

/// Shape C.
fn modified(call: &Call<'_, '_>, change: &mut Change) {
    let request = call.request.any_case("ModifySecurityGroupRulesRequest").unwrap_or(call.request);
    for item in request.any_case("SecurityGroupRule").map(Tree::items).unwrap_or_default() {
        let id = item.any_case("SecurityGroupRuleId").and_then(Tree::as_str);
        if let Some(id) = id {
            change.close_rule(id);
        }
        let rule = item.any_case("SecurityGroupRule").unwrap_or(item);
        of_rule(rule, &mut |opened| {
            let own = opened.rule.clone().or_else(|| id.map(str::to_owned));
            change.open(Exposure { rule: own, ..opened });
        });
    }
}

/// One rule, with one network or lists of them.
fn of_rule(rule: &Tree<'_>, found: &mut dyn FnMut(Exposure)) {
    if rule.any_case("isEgress").is_some_and(Tree::is_true) {
        return;
    }
    let id = rule.any_case("securityGroupRuleId").and_then(Tree::as_str).filter(|id| !id.is_empty());
    let ports = ports(rule, "ipProtocol", [rule.any_case("fromPort"), rule.any_case("toPort")]);
    let lists = ["ipRanges", "ipv6Ranges"].into_iter().filter_map(|name| rule.any_case(name)).flat_map(Tree::items);
    for network in std::iter::once(rule).chain(lists) {
        let cidrs = ["cidrIp", "cidrIpv4", "cidrIpv6"].into_iter().filter_map(|name| network.any_case(name));
        for cidr in cidrs.filter_map(Tree::as_str).map(str::trim).filter(|cidr| !cidr.is_empty()) {
            found(Exposure { cidr: Some(cidr.to_owned()), rule: id.map(str::to_owned), ..ports.clone() });
        }
    }
    let lists = rule.any_case("prefixListIds").map(Tree::items).unwrap_or_default();
    for list in std::iter::once(rule).chain(lists).filter_map(|list| list.any_case("prefixListId")) {
        if let Some(list) = list.as_str().map(str::trim).filter(|list| !list.is_empty()) {
            found(Exposure { principal: Some(list.to_owned()), rule: id.map(str::to_owned), ..ports.clone() });
        }
    }
}

/// Protocol and ports of a rule.
pub(super) fn ports(rule: &Tree<'_>, protocol_name: &str, ends: [Option<&Tree<'_>>; 2]) -> Exposure {
    let protocol = rule.any_case(protocol_name).and_then(protocol);
    let [from, to] = ends.map(|port| port.and_then(Tree::number).filter(|port| *port >= 0));
    let (from, to) = match protocol.as_deref() {
        Some("all") => (None, None),
        _ => (from, to),
    };
    Exposure { protocol, from, to, ..Exposure::default() }
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
