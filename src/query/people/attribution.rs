//! Who was behind one event.

use std::net::IpAddr;

use crate::event::Event;
use crate::event::fields::{CHAIN, DIGEST, Field, PERSON};
use crate::event::link::{Confidence, Facts};

use super::{People, own};

/// What is known of who was behind an event; nothing, until somebody asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attribution {
    /// Names, in order.
    pub person: Vec<String>,
    /// The newest link about the event, or about its key.
    pub link: Option<Tie>,
    /// What is proven of the object that it was read from: one word, or none.
    pub digest: Vec<String>,
}

/// A link that is in force, and its own place in the trail.
#[derive(Debug, Clone, PartialEq)]
pub struct Tie {
    pub seq: u64,
    pub facts: Facts,
}

impl People {
    /// Who was behind an event, given the newest link about it, or about its key.
    pub fn attribute(&self, event: &Event, link: Option<Tie>) -> Attribution {
        let facts = link.as_ref().map(|tie| &tie.facts);
        let mut person: Vec<String> = own::persons(self, event, facts);
        person.extend(facts.and_then(|facts| self.of_link(facts)).map(str::to_owned));
        person.sort();
        person.dedup();
        Attribution { person, link, digest: Vec::new() }
    }
}

impl Attribution {
    /// The values of a joined field.
    pub fn values(&self, field: &Field) -> &[String] {
        match field.name {
            PERSON => &self.person,
            CHAIN => self.chain(),
            DIGEST => &self.digest,
            _ => &[],
        }
    }

    pub fn chain(&self) -> &[String] {
        self.link.as_ref().map_or(&[], |tie| &tie.facts.chain)
    }

    pub fn is_empty(&self) -> bool {
        self.person.is_empty() && self.link.is_none() && self.digest.is_empty()
    }

    /// How sure the link is; none without one that names a login.
    pub fn confidence(&self) -> Option<Confidence> {
        self.link.as_ref().filter(|tie| !tie.facts.chain.is_empty()).map(|tie| tie.facts.confidence)
    }

    /// That the object is not as CloudTrail delivered it: `altered` or `unlisted`.
    pub fn doubt(&self) -> Option<&str> {
        self.digest.iter().map(String::as_str).find(|word| matches!(*word, "altered" | "unlisted"))
    }

    /// Where the login came from.
    pub fn ip(&self) -> Option<IpAddr> {
        self.link.as_ref().and_then(|tie| tie.facts.ip)
    }

    /// Who it was, where that is more than the record says, which is `own`:
    /// `Ana Example: ana@203.0.113.7 > root`, and without a link `Ana Example: deploy@203.0.113.7`.
    pub fn text(&self, event: &Event, own: Option<&str>) -> Option<String> {
        let path = self.path(event);
        let account = match (&path, &self.link) {
            (Some(_), Some(tie)) => tie.facts.account.as_deref(),
            _ => event.who.name.as_deref(),
        };
        let is_more = self.person.iter().any(|person| Some(person.as_str()) != account);
        let persons = is_more.then(|| self.person.join(", "));
        match (persons, path.as_deref().or(own)) {
            (Some(persons), Some(way)) => Some(format!("{persons}: {way}")),
            (Some(persons), None) => Some(persons),
            (None, _) => path,
        }
    }

    /// `ana@203.0.113.7 > root`: from the login to the account that acted, and to whom it became with that.
    fn path(&self, event: &Event) -> Option<String> {
        let facts = &self.link.as_ref()?.facts;
        if facts.is_of_cloud() {
            return (!facts.chain.is_empty()).then(|| facts.chain.join(" > "));
        }
        let (first, rest) = facts.chain.split_first()?;
        let become_ = event.who.as_.as_ref().and_then(|as_| as_.name.as_ref());
        let mut path = first.clone();
        let mut before = facts.account.as_ref().unwrap_or(first);
        for account in rest.iter().chain(become_) {
            if account != before {
                path.push_str(" > ");
                path.push_str(account);
            }
            before = account;
        }
        Some(path)
    }
}
