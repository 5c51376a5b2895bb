//! Who was behind one event.

use crate::event::Event;
use crate::event::fields::{CHAIN, Field, PERSON};
use crate::event::link::Facts;

use super::{People, own};

/// What is known of who was behind an event; nothing, until somebody asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attribution {
    /// Names, in order.
    pub person: Vec<String>,
    /// The newest link about the event.
    pub link: Option<Tie>,
}

/// A link that is in force, and its own place in the trail.
#[derive(Debug, Clone, PartialEq)]
pub struct Tie {
    pub seq: u64,
    pub facts: Facts,
}

impl People {
    /// Who was behind an event, given the newest link about it.
    pub fn attribute(&self, event: &Event, link: Option<Tie>) -> Attribution {
        let facts = link.as_ref().map(|tie| &tie.facts);
        let mut person: Vec<String> = own::persons(self, event, facts);
        person.extend(facts.and_then(|facts| self.of_link(facts)).map(str::to_owned));
        person.sort();
        person.dedup();
        Attribution { person, link }
    }
}

impl Attribution {
    /// The values of a joined field.
    pub fn values(&self, field: &Field) -> &[String] {
        match field.name {
            PERSON => &self.person,
            CHAIN => self.chain(),
            _ => &[],
        }
    }

    pub fn chain(&self) -> &[String] {
        self.link.as_ref().map_or(&[], |tie| &tie.facts.chain)
    }

    pub fn is_empty(&self) -> bool {
        self.person.is_empty() && self.link.is_none()
    }

    /// `ana@203.0.113.7 > root`: the way from the login to the account that acted. None where no link says it.
    pub fn path(&self) -> Option<String> {
        let facts = &self.link.as_ref()?.facts;
        let (first, rest) = facts.chain.split_first()?;
        let mut path = first.clone();
        let mut before = facts.account.as_deref().unwrap_or(first);
        for account in rest {
            if account != before {
                path.push_str(" > ");
                path.push_str(account);
            }
            before = account;
        }
        Some(path)
    }

    /// Names that say more than the account `name` does.
    pub fn persons_beside(&self, name: Option<&str>) -> Option<String> {
        let is_more = self.person.iter().any(|person| Some(person.as_str()) != name);
        is_more.then(|| self.person.join(", "))
    }

    /// Who it was, as one text, where that is more than the record itself says: `Ana Example: ana@203.0.113.7 > root`.
    /// `own` is how the record has them.
    pub fn text(&self, own: Option<&str>, event: &Event) -> Option<String> {
        let account = self.link.as_ref().and_then(|tie| tie.facts.account.as_deref());
        let path = self.path();
        let persons = self.persons_beside(account.filter(|_| path.is_some()).or(event.who.name.as_deref()));
        match (persons, path, own) {
            (Some(persons), Some(path), _) => Some(format!("{persons}: {path}")),
            (None, Some(path), _) => Some(path),
            (Some(persons), None, Some(own)) => Some(format!("{persons}: {own}")),
            (Some(persons), None, None) => Some(persons),
            (None, None, _) => None,
        }
    }
}
