//! A link: who was behind another event of this trail, concluded from more than its own record.
//!
//! Stored events never change, so what the records of a login, a session and a command say together is an
//! event of its own: action `link`, about `what.object`. It has the same `when` and `observed` as the event
//! that it is about, so that both are filed under the same day, and no `who`, `where` or `raw`: a search for
//! people, machines or words does not find it. The facts are in `detail.whodid` (`docs/events.md`).
//!
//! Of several links about one event the newest counts. One with an empty chain says that nobody is known.
//!
//! A link may also be about a temporary key of AWS (`for_key`): then it stands beside the call that gave the key, is of
//! the same time, and counts for every call that was made with the key, not for the one that it stands beside.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Map;

use super::own::{self, action};
use super::{Event, EventId, Family, Stamp, tag};

#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// The event that it is about.
    pub target: EventId,
    pub when: Stamp,
    pub observed: Stamp,
    /// The target is filed under `observed`, because its `when` cannot be right.
    pub is_suspect: bool,
    pub facts: Facts,
}

/// `detail.whodid` of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The place of the target in the trail.
    pub seq: u64,
    /// The key that it is about; without one it is about the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_key: Option<String>,
    /// `account@address` of the login (`account@tty` at a console), then each account that was become.
    #[serde(default)]
    pub chain: Vec<String>,
    /// The account of the login, and the machine whose account it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Fingerprint of the key and id of the certificate that the login was by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Of the first hop in AWS: its ARN, its principal id, and the name of a user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aws: Vec<String>,
    /// The address that it goes by there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The ARN of the last hop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// Of logind or the kernel's audit; of a key, the name of its session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What tied the hops, from the login on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub via: Vec<Via>,
    pub confidence: Confidence,
    /// Places of the events that it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<u64>,
    /// The place of the link about the same event that this one corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<u64>,
    /// What does not fit together, and in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contradiction: Option<Contradiction>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What ties one hop to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// The session of logind or the kernel's audit.
    Session,
    /// The audit login uid, when nobody else with it was there.
    Loginuid,
    /// The same process.
    Pid,
    /// The same terminal.
    Tty,
    /// The only session that this user had open.
    User,
    /// Within the time of a command that runs this program.
    Command,
    /// The temporary key that AWS gave.
    Key,
    /// The same call, as the account of the caller has it (`sharedEventID`).
    Shared,
    /// The user of Identity Center, who signed in under this name.
    Signin,
}

/// How far a link can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Only a name and the time.
    Low,
    /// A terminal, or the time between begin and end of a command.
    Medium,
    /// What the kernel or journald say.
    High,
}

/// Records that cannot all be true, or one that should be there and is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contradiction {
    /// A session in wtmp, and no record of a login.
    SessionWithoutAuth,
    /// A sudo of somebody who was not logged in.
    SudoWithoutSession,
    /// A login of an account that is not there.
    LoginOfUnknownAccount,
}

impl Link {
    /// The event that states it.
    pub fn to_event(&self) -> Event {
        let mut event = own::event(action::LINK, &self.target.to_string(), self.when);
        event.observed = self.observed;
        if self.is_suspect {
            event.tag(tag::WHEN_SUSPECT);
        }
        // Strings, numbers and lists: they always serialise.
        let facts = serde_json::to_value(&self.facts).unwrap_or_default();
        event.detail = Map::from_iter([(Family::Whodid.detail_key().to_owned(), facts)]);
        event
    }

    /// None for an event that is no link.
    pub fn of(event: &Event) -> Option<Self> {
        if event.source.kind != Family::Whodid || event.what.action != action::LINK {
            return None;
        }
        let target = event.what.object.as_deref()?.parse().ok()?;
        let facts = event.detail.get(Family::Whodid.detail_key()).map(Facts::deserialize)?.ok()?;
        let is_suspect = event.tags.iter().any(|tag| tag == tag::WHEN_SUSPECT);
        Some(Self { target, when: event.when, observed: event.observed, is_suspect, facts })
    }
}

impl Facts {
    /// Nothing known yet about the event at this place.
    pub fn new(seq: u64, confidence: Confidence) -> Self {
        Self {
            seq,
            for_key: None,
            chain: Vec::new(),
            account: None,
            host: None,
            key: None,
            certificate: None,
            aws: Vec::new(),
            email: None,
            role: None,
            ip: None,
            session: None,
            via: Vec::new(),
            confidence,
            evidence: Vec::new(),
            replaces: None,
            contradiction: None,
            text: None,
        }
    }
}

impl Facts {
    /// Whether it is of records of AWS, and not of what happened on a machine.
    pub fn is_of_cloud(&self) -> bool {
        self.for_key.is_some() || self.via.iter().any(|via| via.is_of_cloud())
    }
}

impl Via {
    /// Whether only records of AWS are tied by it.
    pub fn is_of_cloud(self) -> bool {
        matches!(self, Self::Key | Self::Shared | Self::Signin)
    }
}

impl Confidence {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl Contradiction {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SessionWithoutAuth => "session_without_auth",
            Self::SudoWithoutSession => "sudo_without_session",
            Self::LoginOfUnknownAccount => "login_of_unknown_account",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_an_event_and_reads_back() {
        let target = EventId::from_bytes([7; 16]);
        let (when, observed) = (Stamp::from_unix(1_795_176_000, 0), Stamp::from_unix(1_795_176_009, 0));
        let facts = Facts {
            chain: vec!["ana@203.0.113.7".to_owned(), "root".to_owned()],
            account: Some("ana".to_owned()),
            host: Some("web-1".to_owned()),
            ip: Some(IpAddr::from([203, 0, 113, 7])),
            via: vec![Via::Pid, Via::Tty],
            evidence: vec![3, 17],
            replaces: Some(845),
            ..Facts::new(812, Confidence::Medium)
        };
        let link = Link { target, when, observed, is_suspect: false, facts };
        let event = link.to_event();
        assert_eq!(Link::of(&event).as_ref(), Some(&link));
        assert_eq!((event.when, event.who.is_empty(), event.place.is_empty()), (when, true, true));
        let detail = r#"{"seq":812,"chain":["ana@203.0.113.7","root"],"account":"ana","host":"web-1","ip":"203.0.113.7","via":["pid","tty"],"confidence":"medium","evidence":[3,17],"replaces":845}"#;
        let detail: serde_json::Value = serde_json::from_str(detail).expect("JSON");
        assert_eq!(event.detail.get("whodid"), Some(&detail));
    }

    #[test]
    fn other_events_are_no_links() {
        assert_eq!(Link::of(&own::event(action::GAP, "auth", Stamp::from_unix(0, 0))), None);
        assert_eq!(Link::of(&own::event(action::LINK, "auth", Stamp::from_unix(0, 0))), None);
    }
}
