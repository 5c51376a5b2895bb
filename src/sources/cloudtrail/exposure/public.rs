//! Databases that get an address on the internet: `publiclyAccessible`.
//!
//! A security group may still keep everybody out, which this record does not say: it is taken for an opening to
//! everybody.

use super::super::tree::Tree;
use super::{Call, Change};
use crate::event::Exposure;
use crate::event::world::EVERYBODY;

pub(super) fn read(call: &Call<'_, '_>, change: &mut Change) {
    let asked = flag(call.request);
    let is_new = ["Create", "Restore"].iter().any(|verb| call.action.starts_with(verb));
    // A response tells the state after the call: for a new database that is what it was made with.
    let is_public = match asked {
        Some(asked) => Some(asked),
        None if is_new => flag(call.response),
        None => None,
    };
    let is_change = is_new || ["Modify", "Update"].iter().any(|verb| call.action.starts_with(verb));
    match is_public.filter(|_| is_change) {
        Some(true) => {
            let port = [call.response, call.request].iter().find_map(|tree| tree.first_text(PORTS));
            let port = port.and_then(|port| port.parse().ok()).filter(|port: &i64| *port > 0);
            change.open(Exposure {
                principal: Some(EVERYBODY.to_owned()),
                protocol: port.map(|_| "tcp".to_owned()),
                from: port,
                to: port,
                rule: Some(RULE.to_owned()),
                ..Exposure::default()
            });
        }
        Some(false) if !is_new => change.close_rule(RULE),
        _ => {}
    }
}

const RULE: &str = "publiclyAccessible";

const PORTS: &[&str] = &["endpoint.port", "cluster.endpoint.port", "port", "dBPortNumber"];

/// In the request or response, or one level below (`cluster`, `workgroup`).
fn flag(tree: &Tree<'_>) -> Option<bool> {
    let inner = ["cluster", "workgroup", "replicationInstance", "dBInstance"];
    let places = std::iter::once(tree).chain(inner.iter().filter_map(|name| tree.any_case(name)));
    let found = places.filter_map(|place| place.any_case(RULE)).find(|found| **found != Tree::Null)?;
    Some(found.is_true())
}
