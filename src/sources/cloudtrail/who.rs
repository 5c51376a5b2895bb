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
    who.id = match identity.member("type").as_str() {
        Some("IdentityCenterUser") => identity.first_text(&["onBehalfOf.userId", "principalId", "arn"]),
        _ => identity.first_text(&["principalId", "arn", "onBehalfOf.userId"]),
    };
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
                ..named("user", signed_in(record).or_else(|| identity.first_text(&["onBehalfOf.userId", "userName"])))
            }
        }
        // Whoever it is in the other account: only its id, and of a role the name of the session, is told here.
        Some("AWSAccount") => {
            let principal = identity.text("principalId").unwrap_or_default();
            let session = principal.split_once(':').map(|(_, session)| session.to_owned());
            Who { session, ..named("account", identity.first_text(&["accountId", "principalId"])) }
        }
        Some("Directory") => named("directory", identity.first_text(&["principalId", "accountId"])),
        Some("AWSService") => named("service", identity.text("invokedBy")),
        // Identity Center says so of its users where it does not say `IdentityCenterUser`.
        Some("Unknown") => match signed_in(record).or_else(user_name).or_else(|| identity.text("onBehalfOf.userId")) {
            Some(name) => named("user", Some(name)),
            None => Who { name: identity.text("principalId"), ..Who::default() },
        },
        Some(_) => Who { name: user_name(), ..Who::default() },
        None => Who::default(),
    }
}

/// Whom Identity Center signs in: it tells the name once, as the event's own. Of attempts it may be hidden.
fn signed_in(record: &Tree<'_>) -> Option<String> {
    record.text("additionalEventData.UserName").filter(|name| name != HIDDEN)
}

/// What AWS writes for a name that may be a password typed in the wrong place.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

fn named(kind: &str, name: Option<String>) -> Who {
    Who { kind: Some(kind.to_owned()), name, ..Who::default() }
}

/// Whoever took the role: the identity that the source of the session vouched for, else the name that
/// the session was given (an e-mail address with Identity Center, an instance's id on EC2), else the role.
fn assumed_role(identity: &Tree<'_>, arn: Option<&str>) -> Who {
    let (arn_role, arn_session) = match arn.and_then(|arn| arn.split_once(":assumed-role/")) {
        Some((_, path)) => path.split_once('/').unwrap_or((path, "")),
        None => ("", ""),
    };
    let principal = identity.text("principalId").unwrap_or_default();
    let principal_session = principal.split_once(':').map_or("", |(_, session)| session);
    let session = [arn_session, principal_session].into_iter().find(|name| !name.is_empty()).map(str::to_owned);
    let mut role = issuer(identity).unwrap_or_default();
    if role.name.is_none() && !arn_role.is_empty() {
        role.name = Some(arn_role.to_owned());
    }
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

/// `sourceIPAddress` is an address, or the name of the service that called, or words.
fn from_where(record: &Tree<'_>, who: &mut Who) {
    let Some(from) = record.text("sourceIPAddress") else { return };
    if let Ok(ip) = from.parse::<IpAddr>() {
        who.ip = Some(ip);
    } else if SERVICES.iter().any(|ending| from.ends_with(ending)) {
        who.service.get_or_insert(from);
    } else if who.service.as_ref() != Some(&from) {
        who.host = Some(from);
    }
}

/// How the names of services end; AWS calls itself by the last one.
const SERVICES: &[&str] = &[".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".aws.internal", "AWS Internal"];

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, session, and the role that was taken.
    fn check(identity: &str, expected: [Option<&str>; 3]) {
        let record = format!("{{\"userIdentity\":{{\"type\":\"AssumedRole\",{identity}}}}}");
        let who = who(&Tree::parse(&record).expect("JSON"));
        let role = who.as_.and_then(|role| role.name);
        assert_eq!([who.name.as_deref(), who.session.as_deref(), role.as_deref()], expected, "{identity}");
    }

    #[test]
    fn whoever_took_a_role_is_named_as_well_as_the_record_can() {
        let arn = r#""arn":"arn:aws:sts::1:assumed-role/Admin/bob@example.com""#;
        let source = r#""sessionContext":{"sourceIdentity":"carol","sessionIssuer":{"userName":"Issuer"}}"#;
        check(&format!("{arn},{source}"), [Some("carol"), Some("bob@example.com"), Some("Issuer")]);
        check(arn, [Some("bob@example.com"), Some("bob@example.com"), Some("Admin")]);
        check(r#""principalId":"AROA:i-1""#, [Some("i-1"), Some("i-1"), None]);
        check(r#""arn":"arn:aws:sts::1:assumed-role/Admin""#, [Some("Admin"), None, Some("Admin")]);
        check(r#""arn":"x/","principalId":"AROA""#, [None, None, None]);
    }

    #[test]
    fn where_it_came_from_is_an_address_a_service_or_words() {
        let from = |address: &str, invoked_by: &str| {
            let record =
                format!("{{\"sourceIPAddress\":\"{address}\",\"userIdentity\":{{\"invokedBy\":\"{invoked_by}\"}}}}");
            let who = who(&Tree::parse(&record).expect("JSON"));
            (who.ip.map(|ip| ip.to_string()), who.service, who.host)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(from("2001:db8::7", ""), (some("2001:db8::7"), None, None));
        assert_eq!(from("ec2.amazonaws.com", ""), (None, some("ec2.amazonaws.com"), None));
        assert_eq!(from("ec2.amazonaws.com", "ecs.amazonaws.com"), (None, some("ecs.amazonaws.com"), None));
        assert_eq!(from("AWS Internal", "AWS Internal"), (None, some("AWS Internal"), None));
        assert_eq!(from("AWS Internal", ""), (None, some("AWS Internal"), None));
        assert_eq!(from("203.0.113.7:443", ""), (None, None, some("203.0.113.7:443")));
    }
}
