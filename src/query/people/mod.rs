//! Who is who: accounts, keys and cloud identities of one person under one name, and what
//! `who.person` and `who.chain` of an event are.
//!
//! Both are found when an event is read, because stored events never change: by the newest link about the
//! event or, for a call of AWS that was made with a key, about that key ([`crate::event::link`]), and by the identity map of the
//! configuration ([`People`]). `source.digest` is found in the same way ([`proof`]). In this order:
//!
//! 1. A key, a certificate or a cloud identity in the event's own record names its person.
//! 2. A link with a chain names whoever logged in: by key, by certificate, by account; then it does not
//!    matter under which account the event's record has them.
//!    What whoever takes a role calls the session is no more than a claim then.
//! 3. Else the account in the record names its person, and an account that nobody has is a person by itself.
//!
//! A name that was only typed (a login that failed) is nobody, and so is `root` unless somebody has it.
//!
//! [`People::attribute`] is the meaning; [`Wanted`] is the same for an index: tests that it can answer.
//! Reads no clock and does no I/O.
//!
//! Invariant: both agree on every event whose link, if it has a chain, names the event's own account in it.

mod attribution;
pub mod keyed;
mod own;
pub mod proof;
mod wanted;

pub use attribution::{Attribution, Tie};
pub use wanted::{Wanted, about, is_link};

use std::collections::{BTreeSet, HashMap};

use crate::event::fields::FieldRef;
use crate::event::link::Facts;
use crate::query::ast::{Ast, Test};

use super::matcher::keyword_passes;

/// One person and all by which records know them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    /// `ana`: on every machine; `ana@web-1`: on that one.
    pub unix: Vec<String>,
    /// Fingerprints of SSH keys as sshd writes them, and ids of access keys.
    pub keys: Vec<String>,
    /// Ids of SSH certificates.
    pub certificates: Vec<String>,
    /// ARNs and principal ids, and names of IAM users.
    pub aws: Vec<String>,
    /// Names of sessions, certificates and accounts that are an address.
    pub email: Vec<String>,
}

/// The kinds of identities that a person can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identity {
    Unix,
    Key,
    Certificate,
    Aws,
    Email,
}

impl Person {
    /// All identities of a kind.
    pub fn identities(&self, of: Identity) -> &[String] {
        match of {
            Identity::Unix => &self.unix,
            Identity::Key => &self.keys,
            Identity::Certificate => &self.certificates,
            Identity::Aws => &self.aws,
            Identity::Email => &self.email,
        }
    }
}

impl Identity {
    pub const ALL: [Self; 5] = [Self::Unix, Self::Key, Self::Certificate, Self::Aws, Self::Email];
}

/// Everybody who has a name here; each identity is one person's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    persons: Vec<Person>,
    by: HashMap<(Identity, String), usize>,
}

impl People {
    /// Of identities that two have, the first one has them: the configuration refuses such.
    pub fn new(persons: Vec<Person>) -> Self {
        let mut by = HashMap::new();
        for (at, person) in persons.iter().enumerate() {
            for of in Identity::ALL {
                for identity in person.identities(of) {
                    by.entry((of, identity.clone())).or_insert(at);
                }
            }
        }
        Self { persons, by }
    }

    pub fn persons(&self) -> &[Person] {
        &self.persons
    }

    /// The name of whoever has an identity.
    pub fn named(&self, of: Identity, identity: &str) -> Option<&str> {
        // A map of nobody is asked for every event.
        let at = if self.by.is_empty() { None } else { self.by.get(&(of, identity.to_owned())) };
        at.and_then(|at| self.persons.get(*at)).map(|person| person.name.as_str())
    }

    /// The person who logged in, by what a link says of its first hop.
    pub fn of_link<'a>(&'a self, facts: &'a Facts) -> Option<&'a str> {
        facts.chain.first()?;
        let key = || self.named(Identity::Key, facts.key.as_deref()?);
        if facts.is_of_cloud() {
            let aws = || facts.aws.iter().find_map(|identity| self.named(Identity::Aws, identity));
            let email = || self.named(Identity::Email, facts.email.as_deref()?);
            return key().or_else(aws).or_else(email).or(facts.account.as_deref());
        }
        let certificate = || {
            let id = facts.certificate.as_deref()?;
            self.named(Identity::Certificate, id).or_else(|| self.named(Identity::Email, id))
        };
        key().or_else(certificate).or_else(|| {
            let account = facts.account.as_deref()?;
            let known = self.of_account(account, facts.host.as_deref());
            known.or((account != ROOT).then_some(account))
        })
    }

    /// The person who has an account of a machine; one there goes before one everywhere.
    fn of_account(&self, account: &str, host: Option<&str>) -> Option<&str> {
        let there = host.and_then(|host| self.named(Identity::Unix, &format!("{account}@{host}")));
        there.or_else(|| self.named(Identity::Unix, account)).or_else(|| self.named(Identity::Email, account))
    }

    /// Those whose names pass a test.
    fn passing(&self, test: &Test) -> Vec<&Person> {
        self.persons.iter().filter(|person| passes(test, &person.name)).collect()
    }
}

/// Everybody's account, and so nobody's.
const ROOT: &str = "root";

/// Whether a query has a test on a joined field, so that an index alone cannot answer it.
pub fn is_joined(ast: &Ast) -> bool {
    asks_for(ast, &FieldRef::is_joined)
}

/// Whether a query has a test on some field.
pub fn asks_for(ast: &Ast, is_it: &dyn Fn(&FieldRef) -> bool) -> bool {
    match ast {
        Ast::All | Ast::Nothing | Ast::Places(_) => false,
        Ast::And(all) | Ast::Or(all) => all.iter().any(|ast| asks_for(ast, is_it)),
        Ast::Not(ast) => asks_for(ast, is_it),
        Ast::Leaf { field, .. } => is_it(field),
    }
}

fn passes(test: &Test, value: &str) -> bool {
    keyword_passes(test, crate::event::fields::searchable(value))
}

fn any_of(field: FieldRef, values: impl IntoIterator<Item = String>) -> Ast {
    let values: BTreeSet<String> = values.into_iter().collect();
    match values.len() {
        0 => Ast::Nothing,
        _ => Ast::Leaf { field, test: Test::AnyOf(values.into()) },
    }
}

#[cfg(test)]
mod tests;
