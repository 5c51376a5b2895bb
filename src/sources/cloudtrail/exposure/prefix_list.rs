//! Prefix lists: networks under a name (`pl-…`) that rules of security groups let in.
//!
//! Newer calls of EC2 have their parameters in a member named after them, in capitals, and a list of one entry as
//! the entry itself. Whoever adds a network to a list opens every group that has the list in a rule, and no record
//! of the group tells. `RestoreManagedPrefixListVersion` names a version only, so nothing is read from it.

use super::super::tree::Tree;
use super::{Call, Change};
use crate::event::Exposure;

pub(super) fn read(call: &Call<'_, '_>, change: &mut Change) {
    let inner = match call.action {
        "CreateManagedPrefixList" => "CreateManagedPrefixListRequest",
        "ModifyManagedPrefixList" => "ModifyManagedPrefixListRequest",
        _ => return,
    };
    let request = call.request.any_case(inner).unwrap_or(call.request);
    // What is taken out and put in again by one call is in.
    entries(request, &["removeEntry", "removeEntries", "removeEntrySet"], &mut |entry| change.close(entry));
    let added = ["entry", "entries", "entrySet", "addEntry", "addEntries", "addEntrySet"];
    entries(request, &added, &mut |entry| change.open(entry));
}

fn entries(request: &Tree<'_>, names: &[&str], found: &mut dyn FnMut(Exposure)) {
    for entry in names.iter().filter_map(|name| request.any_case(name)).flat_map(Tree::items) {
        let cidr = entry.any_case("cidr").and_then(Tree::as_str).map(str::trim).filter(|cidr| !cidr.is_empty());
        if let Some(cidr) = cidr {
            found(Exposure { cidr: Some(cidr.to_owned()), ..Exposure::default() });
        }
    }
}
