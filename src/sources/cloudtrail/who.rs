//! Who called, by `userIdentity.type`.
//!
//! Source: "CloudTrail userIdentity element" in the CloudTrail user guide, and what records really hold.
//! Only what the record itself says is read here; an assumed role's human is found by links, later.

use std::net::IpAddr;

use super::tree::Tree;
use crate::event::{Named, Who};

/// The acting identity of a record.
pub(super) fn who(record: &Tree<'_>) -> Who {
    let identity = record.member("userIdentity");
    let mut who = identify(record, identity);
    who.id = identity.first_text(&["principalId", "arn", "onBehalfOf.userId"]);
    who.key = identity.text("accessKeyId");
    who.service = identity.text("invokedBy");
    from_where(record, &mut who);
    who
}

fn identify(record: &Tree<'_>, identity: &Tree<'_>) -> Who {
    let kind = identity.text("type");
    let arn = identity.text("arn");
    let account = || identity.text("accountId").or_else(|| record.text("recipientAccountId"));
    let user_name = || identity.text("userName");
    match kind.as_deref() {
        // `userName` holds an account's alias, which anybody may choose.
        Some("Root") => named("root", account().map(|account| format!("root@{account}"))),
        Some("IAMUser") => named("user", user_name().or_else(|| last_part(arn.as_deref()))),
        Some("AssumedRole") => assumed_role(identity, arn.as_deref()),
        Some("Role") => named("role", user_name().or_else(|| last_part(arn.as_deref()))),
        Some("FederatedUser") => Who { as_: issuer(identity), ..named("user", last_part(arn.as_deref())) },
        Some("SAMLUser" | "WebIdentityUser") => {
            Who { as_: identity.text("identityProvider").map(Named::name), ..named("user", user_name()) }
        }
        Some("IdentityCenterUser") => {
            let credential = identity.text("credentialId");
            Who {
                as_: credential.map(|id| Named { name: None, id: Some(id) }),
                ..named("user", identity.text("onBehalfOf.userId"))
            }
        }
        Some("AWSAccount") => named("account", identity.first_text(&["accountId", "principalId"])),
        Some("Directory") => named("directory", identity.first_text(&["principalId", "accountId"])),
        Some("AWSService") => named("service", identity.text("invokedBy")),
        Some(_) => Who { name: user_name(), ..Who::default() },
        None => Who::default(),
    }
}

fn named(kind: &str, name: Option<String>) -> Who {
    Who { kind: Some(kind.to_owned()), name, ..Who::default() }
}

/// Whoever took the role: the identity that the source of the session vouched for, else the name that
/// the session was given (an e-mail address with Identity Center, an instance's id on EC2), else the role.
fn assumed_role(identity: &Tree<'_>, arn: Option<&str>) -> Who {
    let session = last_part(arn).or_else(|| {
        let principal = identity.text("principalId")?;
        principal.split_once(':').map(|(_, session)| session.to_owned())
    });
    let mut role = issuer(identity).unwrap_or_default();
    role.name = role.name.or_else(|| Some(arn?.split('/').rev().nth(1)?.to_owned()));
    let source = identity.text("sessionContext.sourceIdentity");
    let name = source.or_else(|| session.clone()).or_else(|| role.name.clone());
    let as_ = (role != Named::default()).then_some(role);
    Who { session, as_, ..named("role", name) }
}

fn issuer(identity: &Tree<'_>) -> Option<Named> {
    let issuer = identity.get("sessionContext")?.get("sessionIssuer")?;
    let named = Named { name: issuer.text("userName"), id: issuer.first_text(&["principalId", "arn"]) };
    (named != Named::default()).then_some(named)
}

/// `alice` of `arn:aws:iam::111122223333:user/staff/alice`.
fn last_part(arn: Option<&str>) -> Option<String> {
    let (_, last) = arn?.rsplit_once('/')?;
    (!last.is_empty()).then(|| last.to_owned())
}

/// `sourceIPAddress` is an address, or the name of the service that called, or words (`AWS Internal`).
fn from_where(record: &Tree<'_>, who: &mut Who) {
    let Some(from) = record.text("sourceIPAddress") else { return };
    if let Ok(ip) = from.parse::<IpAddr>() {
        who.ip = Some(ip);
    } else if from.ends_with(".amazonaws.com") {
        who.service.get_or_insert(from);
    } else if who.service.as_ref() != Some(&from) {
        who.host = Some(from);
    }
}
