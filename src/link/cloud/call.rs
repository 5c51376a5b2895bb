//! As much of a record of CloudTrail as joining needs: who called, and which key the call gave to whom.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::event::{Event, EventId, Family, Outcome, Stamp, tag};

/// Where an event is, and what a link about it needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) id: EventId,
    pub(super) seq: u64,
    pub(super) when: Stamp,
    pub(super) observed: Stamp,
    pub(super) is_suspect: bool,
}

/// What one record says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) place: Place,
    pub(super) caller: Caller,
    /// The records of one call in several accounts have this in common.
    pub(super) shared: Option<Arc<str>>,
    pub(super) given: Option<Given>,
    pub(super) center: Option<Center>,
}

/// Who called, as the record has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Caller {
    /// Only the account is known, and a principal's id: the caller's own account has the rest.
    pub(super) is_foreign: bool,
    /// A service by itself: nobody is behind it.
    pub(super) is_service: bool,
    /// The name is a user's own.
    pub(super) is_user: bool,
    pub(super) name: Option<Arc<str>>,
    /// The role of a session.
    pub(super) role: Option<Hop>,
    pub(super) ip: Option<IpAddr>,
    pub(super) key: Option<Arc<str>>,
    pub(super) arn: Option<Arc<str>>,
    pub(super) id: Option<Arc<str>>,
    pub(super) email: Option<Arc<str>>,
}

/// One step of a chain.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hop {
    pub(super) name: Arc<str>,
    pub(super) arn: Option<Arc<str>>,
}

/// A temporary key, and for what.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given {
    pub(super) key: Arc<str>,
    /// What its owner became by it; `GetSessionToken` makes nobody another one.
    pub(super) hop: Option<Hop>,
    pub(super) session: Option<Arc<str>>,
}

/// The user of Identity Center for whom the call was made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Center {
    pub(super) user: Arc<str>,
    /// What they are called, and how far that can be relied on.
    pub(super) name: Option<(u8, Arc<str>)>,
    /// The record names them by the id alone, and it was their doing.
    pub(super) is_wanting: bool,
}

/// Calls that give a key. Others are not looked into: `CreateAccessKey` makes a user's own.
const GIVING: &[&str] = &[
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "GetSessionToken",
    "GetFederationToken",
    "GetRoleCredentials",
    "CreateToken",
    "CreateTokenWithIAM",
];

/// Names have 64 characters and ARNs 2,048.
const TEXT_BYTES_MAX: usize = 2_048;

impl Call {
    /// None for what ties nothing to anything.
    pub(super) fn of(seq: u64, event: &Event) -> Option<Self> {
        if event.source.kind != Family::Cloudtrail || event.what.action.starts_with("insight.") {
            return None;
        }
        let record: Json = serde_json::from_str(event.raw.as_deref()?).ok()?;
        let place = Place {
            id: event.id,
            seq,
            when: event.when,
            observed: event.observed,
            is_suspect: event.tags.iter().any(|tag| tag == tag::WHEN_SUSPECT),
        };
        let shared = text(&record, "/sharedEventID");
        let given = given(event, &record);
        let center = center(event, &record);
        if shared.is_none() && given.is_none() && center.is_none() {
            return None;
        }
        Some(Self { place, caller: Caller::of(event, &record), shared, given, center })
    }
}

impl Caller {
    fn of(event: &Event, record: &Json) -> Self {
        let who = &event.who;
        let kind = who.kind.as_deref();
        let (is_user, is_role) = (kind == Some("user"), kind == Some("role"));
        let role = who.as_.as_ref().filter(|_| is_role).and_then(|role| role.name.as_deref());
        // Without a name of the session the role is the name.
        let role = role.filter(|role| who.name.as_deref() != Some(role)).and_then(bounded);
        let arn_of_role = || text(record, "/userIdentity/sessionContext/sessionIssuer/arn");
        let is_email = |name: &&str| name.contains('@') && kind != Some("root");
        Self {
            is_foreign: kind == Some("account"),
            is_service: kind == Some("service") || (who.name.is_none() && who.service.is_some()),
            is_user,
            name: who.name.as_deref().and_then(bounded),
            role: role.map(|name| Hop { name, arn: arn_of_role() }),
            ip: who.ip,
            key: who.key.as_deref().and_then(bounded),
            arn: text(record, "/userIdentity/arn"),
            id: who.id.as_deref().and_then(bounded),
            email: [who.session.as_deref(), who.name.as_deref()].into_iter().flatten().find(is_email).and_then(bounded),
        }
    }

    /// How much is told of them; of two records of one call the one with more counts.
    pub(super) fn told(&self) -> u8 {
        match () {
            () if self.name.is_none() || self.is_service => 0,
            () if self.is_foreign => 1,
            () if self.key.is_none() => 2,
            () => 3,
        }
    }

    /// Where a chain begins that nothing is known before: `alice@198.51.100.77`.
    pub(super) fn first(&self) -> Option<String> {
        let name = self.name.as_ref().filter(|_| !self.is_service)?;
        Some(self.ip.map_or_else(|| name.to_string(), |ip| format!("{name}@{ip}")))
    }
}

fn given(event: &Event, record: &Json) -> Option<Given> {
    let action = event.what.action.as_str();
    if event.outcome != Outcome::Success || !GIVING.contains(&action) {
        return None;
    }
    let answer = |path: &str| text(record, &format!("/responseElements/{path}/accessKeyId"));
    let key = answer("credentials").or_else(|| answer("roleCredentials"))?;
    // Keys that live on are a user's own: whoever writes otherwise puts other people's calls on somebody.
    if key.starts_with("AKIA") {
        return None;
    }
    let asked = |name: &str| text(record, &format!("/requestParameters/{name}"));
    let named = |name: Arc<str>, arn| Hop { name, arn };
    let hop = match action {
        "GetFederationToken" => asked("name").map(|name| named(name, None)),
        "AssumeRoot" => asked("targetPrincipal").map(|target| {
            let account = target.split(':').nth(4).unwrap_or(&target);
            named(format!("root@{account}").into(), Some(Arc::clone(&target)))
        }),
        "GetRoleCredentials" => {
            let name = asked("roleName").or_else(|| text(record, "/serviceEventDetails/role_name"));
            name.map(|name| named(name, None))
        }
        _ => asked("roleArn").map(|arn| named(last_part(&arn).into(), Some(Arc::clone(&arn)))),
    };
    Some(Given { key, hop, session: asked("roleSessionName") })
}

/// `Deploy` of `arn:aws:iam::444455556666:role/ci/Deploy`.
fn last_part(arn: &str) -> &str {
    arn.rsplit('/').next().filter(|last| !last.is_empty()).unwrap_or(arn)
}

fn center(event: &Event, record: &Json) -> Option<Center> {
    let id = text(record, "/userIdentity/onBehalfOf/userId")?;
    // An id is unique in its store alone.
    let store = text(record, "/userIdentity/onBehalfOf/identityStoreArn").unwrap_or_default();
    let said = text(record, "/additionalEventData/UserName").filter(|name| !name.starts_with("HIDDEN_DUE_TO"));
    let role = event.who.as_.as_ref().and_then(|role| role.name.as_deref()).unwrap_or_default();
    let session = event.who.session.as_deref().and_then(bounded).filter(|name| name.contains('@'));
    let name = match (said, session) {
        (Some(name), _) => Some((if name.contains('@') { 3 } else { 2 }, name)),
        // Identity Center names the sessions of its own roles.
        (None, Some(session)) if role.starts_with("AWSReservedSSO_") => Some((1, session)),
        _ => None,
    };
    let is_theirs = event.outcome != Outcome::Failure && event.what.action != "CredentialChallenge";
    let is_wanting = is_theirs && event.who.key.is_none() && event.who.name.as_deref() == Some(&id);
    Some(Center { user: format!("{id} {store}").into(), name, is_wanting })
}

fn text(record: &Json, path: &str) -> Option<Arc<str>> {
    record.pointer(path).and_then(Json::as_str).and_then(bounded)
}

fn bounded(text: &str) -> Option<Arc<str>> {
    (!text.is_empty() && text.len() <= TEXT_BYTES_MAX).then(|| Arc::from(text))
}
