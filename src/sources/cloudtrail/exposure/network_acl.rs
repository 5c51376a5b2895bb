//! Network ACLs: numbered entries that allow or deny.
//!
//! An entry that allows something in is an opening; one that denies is none, and closes nothing either: whether it
//! comes before the entry that allows is not in its record. Entries for the way out have numbers of their own.

use super::super::tree::Tree;
use super::security_group::ports;
use super::{Call, Change};
use crate::event::Exposure;

pub(super) fn read(call: &Call<'_, '_>, change: &mut Change) {
    let request = call.request;
    let is_ours = matches!(call.action, "CreateNetworkAclEntry" | "ReplaceNetworkAclEntry" | "DeleteNetworkAclEntry");
    if !is_ours || request.any_case("egress").is_some_and(Tree::is_true) {
        return;
    }
    let number = request.text("ruleNumber");
    if call.action != "CreateNetworkAclEntry"
        && let Some(number) = &number
    {
        change.close_rule(number);
    }
    let allows =
        request.any_case("ruleAction").and_then(Tree::as_str).is_some_and(|it| it.eq_ignore_ascii_case("allow"));
    if call.action == "DeleteNetworkAclEntry" || !allows {
        return;
    }
    let range = request.any_case("portRange").unwrap_or(&Tree::Null);
    let ports = ports(request, "aclProtocol", [range.any_case("from"), range.any_case("to")]);
    for name in ["cidrBlock", "ipv6CidrBlock"] {
        if let Some(cidr) = request.any_case(name).and_then(Tree::as_str).filter(|cidr| !cidr.is_empty()) {
            change.open(Exposure { cidr: Some(cidr.to_owned()), rule: number.clone(), ..ports.clone() });
        }
    }
}
