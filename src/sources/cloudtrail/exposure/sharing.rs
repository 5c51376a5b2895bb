//! Snapshots and images that are shared with other accounts, or with everybody (`all`).

use super::super::tree::Tree;
use super::{Call, Change};

pub(super) fn read(call: &Call<'_, '_>, change: &mut Change) {
    match call.action {
        "ModifySnapshotAttribute" => permission(call, "createVolumePermission", change),
        "ModifyImageAttribute" => permission(call, "launchPermission", change),
        // Back to what only the owner may use.
        "ResetSnapshotAttribute" | "ResetImageAttribute" => change.close_all(),
        "ModifyDBSnapshotAttribute" | "ModifyDBClusterSnapshotAttribute" => restore(call, change),
        "AuthorizeSnapshotAccess" => {
            each(call, call.request.any_case(RESTORE_BY), &mut |who| change.open_to(who, None))
        }
        "RevokeSnapshotAccess" => each(call, call.request.any_case(RESTORE_BY), &mut |who| change.close_to(who, None)),
        _ => {}
    }
}

const RESTORE_BY: &str = "accountWithRestoreAccess";

/// `{"add":{"items":[{"group":"all"},{"userId":"…"}]},"remove":{…}}`, and the lists of the older API.
fn permission(call: &Call<'_, '_>, name: &str, change: &mut Change) {
    let permission = call.request.any_case(name).unwrap_or(&Tree::Null);
    each(call, permission.any_case("add"), &mut |who| change.open_to(who, None));
    each(call, permission.any_case("remove"), &mut |who| change.close_to(who, None));
    let is_removal = call.request.text("operationType").is_some_and(|kind| kind.eq_ignore_ascii_case("remove"));
    for list in ["userIds", "groupNames", "userGroups", "userId", "group"] {
        each(call, call.request.any_case(list), &mut |who| match is_removal {
            true => change.close_to(who, None),
            false => change.open_to(who, None),
        });
    }
}

/// The attribute `restore` lists who may restore the snapshot.
fn restore(call: &Call<'_, '_>, change: &mut Change) {
    let is_restore = call.request.text("attributeName").is_none_or(|name| name.eq_ignore_ascii_case("restore"));
    if is_restore {
        each(call, call.request.any_case("valuesToAdd"), &mut |who| change.open_to(who, None));
        each(call, call.request.any_case("valuesToRemove"), &mut |who| change.close_to(who, None));
    }
}

/// Every principal of a list of texts or of items with one, without those of the account itself.
fn each(call: &Call<'_, '_>, list: Option<&Tree<'_>>, found: &mut dyn FnMut(&str)) {
    let Some(list) = list else { return };
    let named = ["group", "userId", "organizationArn", "organizationalUnitArn"];
    let items = if matches!(list, Tree::Text(_) | Tree::Number(_)) { std::slice::from_ref(list) } else { list.items() };
    for item in items {
        let in_item = named.iter().filter_map(|name| item.any_case(name));
        for principal in std::iter::once(item).chain(in_item) {
            let text = match principal {
                Tree::Text(text) => text.trim().to_owned(),
                Tree::Number(number) => number.to_string(),
                _ => continue,
            };
            if !text.is_empty() && !call.is_own(&text) {
                found(&text);
            }
        }
    }
}
