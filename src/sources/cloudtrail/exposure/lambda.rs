//! Functions and their layers: each permission is a statement with an id; a function may have an address on the
//! internet. Queues, topics and event buses have permissions of the same kind.

use super::super::tree::Tree;
use super::policy::Limits;
use super::{Call, Change};
use crate::event::world::EVERYBODY;

pub(super) fn read(call: &Call<'_, '_>, change: &mut Change) {
    match call.action {
        "AddPermission" | "AddLayerVersionPermission" => permission(call, change),
        "RemovePermission" | "RemoveLayerVersionPermission" => take_away(call, "statementId", change),
        "CreateFunctionUrlConfig" | "UpdateFunctionUrlConfig" => match call.request.text("authType") {
            Some(kind) if kind.eq_ignore_ascii_case("NONE") => change.open_to(EVERYBODY, Some(URL)),
            Some(_) => change.close_rule(URL),
            None => {}
        },
        "DeleteFunctionUrlConfig" => change.close_rule(URL),
        _ => {}
    }
}

const URL: &str = "url";

/// `AddPermission`, and `PutPermission` of EventBridge.
pub(super) fn permission(call: &Call<'_, '_>, change: &mut Change) {
    let request = call.request;
    let text =
        |name: &str| request.any_case(name).and_then(Tree::as_str).map(str::to_owned).filter(|it| !it.is_empty());
    let rule = text("statementId").unwrap_or_default();
    let of_condition = request.any_case("condition").and_then(|condition| condition.any_case("value"));
    let names = [
        text("sourceAccount"),
        text("principalOrgID"),
        text("organizationId"),
        of_condition.and_then(Tree::as_str).map(str::to_owned),
    ];
    let limits = Limits::of_names(names, text("sourceArn"));
    if let Some(principal) = text("principal") {
        limits.open(&principal, &rule, call, change);
    }
}

/// `RemovePermission`, by the id or label of what was added.
pub(super) fn take_away(call: &Call<'_, '_>, name: &str, change: &mut Change) {
    if let Some(rule) = call.request.text(name) {
        change.close_rule(&rule);
    } else if call.request.any_case("removeAllPermissions").is_some_and(Tree::is_true) {
        change.close_all();
    }
}

/// `AddPermission` of SQS and SNS: accounts, under a label.
pub(super) fn labelled(call: &Call<'_, '_>, change: &mut Change) {
    let label = call.request.text("label").unwrap_or_default();
    for name in ["aWSAccountIds", "aWSAccountId", "accountIds"] {
        let Some(list) = call.request.any_case(name) else { continue };
        let items = if let Tree::Text(_) = list { std::slice::from_ref(list) } else { list.items() };
        for account in items.iter().filter_map(Tree::as_str).filter(|account| !call.is_own(account)) {
            change.open_to(account, Some(&label));
        }
    }
}
