//! One event of a finding, as short as a message needs it: who, what, when, and from where.

use serde::{Deserialize, Serialize};

use crate::event::link::Confidence;
use crate::event::{Event, EventId, Exposure, Outcome, Stamp};
use crate::index::Hit;

/// Texts are as the event has them, only shorter: whoever shows one escapes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub when: Stamp,
    /// Its place in the trail.
    pub seq: u64,
    pub id: EventId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// Names of the persons behind it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub person: Vec<String>,
    /// From the login to the account that acted, by a link.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<String>,
    /// How sure that link is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// All that as one text, where it is more than the record says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Whom they became.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub as_: Option<String>,
    /// The address or machine they came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    pub what: String,
    /// What it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// `tcp/22 to 0.0.0.0/0`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub opened: Vec<String>,
    /// The machine, or account and region.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    pub outcome: Outcome,
}

/// Longer texts are cut: the event itself is in the trail.
const TEXT_BYTES_MAX: usize = 200;

/// Persons and hops of a chain; there are hardly ever more.
const LISTED_MAX: usize = 8;

/// A change can open hundreds of networks; the event has them all.
const OPENED_MAX: usize = 3;

impl Row {
    pub fn of(hit: &Hit) -> Self {
        let Hit { event, by, .. } = hit;
        let named = |named: &Option<crate::event::Named>| named.as_ref().and_then(|n| n.name.clone().or(n.id.clone()));
        let who = &event.who;
        let name = [&who.name, &who.id, &who.key, &who.service, &who.kind].into_iter().flatten().next();
        let list = |values: &[String]| values.iter().take(LISTED_MAX).map(|value| cut(value)).collect();
        let mut row = Self {
            when: event.when,
            seq: hit.seq,
            id: event.id,
            who: name.map(|name| cut(name)),
            person: list(&by.person),
            chain: list(by.chain()),
            confidence: by.confidence(),
            by: None,
            as_: named(&who.as_).map(|name| cut(&name)),
            from: who.ip.map(|ip| ip.to_string()).or_else(|| who.host.as_deref().map(cut)),
            what: cut(&event.what.action),
            object: object(event),
            opened: opened(&event.what.exposes),
            place: place(event),
            outcome: event.outcome,
        };
        row.by = by.text(event, row.own().as_deref()).map(|text| cut(&text));
        row
    }

    /// `alice@203.0.113.7 AuthorizeSecurityGroupIngress sg-0a1b tcp/22 to 0.0.0.0/0 at 2026-11-20T11:44:07Z`; what
    /// root did after a login: `Ana Example: ana@203.0.113.7 > root user.add bob on web-1 at …`
    pub fn text(&self) -> String {
        let mut text = self.by.clone().or_else(|| self.own()).unwrap_or_else(|| "somebody".to_owned());
        let mut add = |before: &str, part: &str| {
            text.push_str(before);
            text.push_str(part);
        };
        if let Some(confidence) = self.confidence.filter(|confidence| *confidence == Confidence::Low) {
            add(" ", &format!("({} confidence)", confidence.as_str()));
        }
        add(" ", &self.what);
        self.object.iter().for_each(|object| add(" ", object));
        if !self.opened.is_empty() {
            add(" ", &self.opened.join(", "));
        }
        if self.outcome == Outcome::Failure {
            add(" ", "failed");
        }
        self.place.iter().for_each(|place| add(" on ", place));
        add(" at ", &self.when.to_string());
        text
    }

    /// Who it was by the record alone.
    fn own(&self) -> Option<String> {
        let mut text = match (&self.who, &self.as_, &self.from) {
            (None, None, None) => return None,
            (who, ..) => who.clone().unwrap_or_else(|| "somebody".to_owned()),
        };
        if let Some(as_) = self.as_.as_deref().filter(|as_| Some(*as_) != self.who.as_deref()) {
            text.push_str(" as ");
            text.push_str(as_);
        }
        if let Some(from) = &self.from {
            text.push('@');
            text.push_str(from);
        }
        Some(text)
    }
}

/// The thing acted on, the user, the group; the command where nothing else is named.
fn object(event: &Event) -> Option<String> {
    let what = &event.what;
    let name = |named: &'_ Option<crate::event::Named>| named.as_ref().and_then(|named| named.name.clone());
    let mut parts: Vec<String> =
        [what.object.clone(), name(&what.target), name(&what.group)].into_iter().flatten().collect();
    parts.dedup();
    if parts.is_empty() {
        parts.extend(what.command.clone());
    }
    (!parts.is_empty()).then(|| parts.iter().map(|part| cut(part)).collect::<Vec<_>>().join(" "))
}

fn opened(exposes: &[Exposure]) -> Vec<String> {
    let mut opened: Vec<String> = exposes.iter().take(OPENED_MAX).map(exposure).collect();
    if exposes.len() > OPENED_MAX {
        opened.push(format!("{} more", exposes.len() - OPENED_MAX));
    }
    opened
}

fn exposure(exposure: &Exposure) -> String {
    if let (Some(principal), None) = (&exposure.principal, &exposure.cidr) {
        return format!("to {}", cut(principal));
    }
    let protocol = exposure.protocol.as_deref().unwrap_or("all");
    let ports = match (exposure.from, exposure.to) {
        (Some(from), Some(to)) if from == to => format!("/{from}"),
        (Some(from), Some(to)) => format!("/{from}-{to}"),
        (Some(port), None) | (None, Some(port)) => format!("/{port}"),
        (None, None) => String::new(),
    };
    let to = exposure.cidr.as_deref().map(|cidr| format!(" to {}", cut(cidr))).unwrap_or_default();
    format!("{}{ports}{to}", cut(protocol))
}

fn place(event: &Event) -> Option<String> {
    let place = &event.place;
    match (&place.host, &place.account, &place.region) {
        (Some(host), ..) => Some(cut(host)),
        (None, Some(account), Some(region)) => Some(format!("{}/{}", cut(account), cut(region))),
        (None, account, region) => account.as_deref().or(region.as_deref()).map(cut),
    }
}

fn cut(text: &str) -> String {
    match text.len() {
        0..=TEXT_BYTES_MAX => text.to_owned(),
        _ => format!("{}...", text.get(..text.floor_char_boundary(TEXT_BYTES_MAX)).unwrap_or_default()),
    }
}
