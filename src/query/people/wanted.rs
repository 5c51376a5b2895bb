//! Tests on joined fields, as what an index can answer: tests on the event's own record, lists of places that
//! links are about, of keys and of objects.
//!
//! [`Wanted::links`] and [`Wanted::verdicts`] are asked first and find every event that can matter; [`Wanted::take`] is
//! given each; [`Wanted::resolve`] then writes the query without joined fields. Of several about the same the one at
//! the last place counts, whatever order they are taken in.

use std::collections::HashMap;

use crate::event::fields::{CHAIN, DIGEST, FieldRef, PERSON};
use crate::event::link::{Facts, Link};
use crate::event::own::action;
use crate::event::{Event, Family};
use crate::query::ast::{Ast, Places, Test};

use super::keyed::{self, ByKey};
use super::own::{either, is, splits};
use super::proof::Proven;
use super::{Identity, People, any_of, passes};

/// See the module's text.
#[derive(Debug)]
pub struct Wanted<'q> {
    people: &'q People,
    query: &'q Ast,
    /// The different tests on joined fields.
    tests: Vec<(Joint, &'q Test)>,
    /// By the place of the event that they are about.
    newest: HashMap<u64, (u64, Newest)>,
    keys: ByKey<Newest>,
    proven: Proven,
}

/// A joined field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    Person,
    Chain,
    Digest,
}

/// What the newest link about something comes to.
#[derive(Debug)]
struct Newest {
    /// It has a chain.
    knows: bool,
    /// Which of the tests its event passes by it.
    passed: Vec<u16>,
}

impl<'q> Wanted<'q> {
    /// None for a query without joined fields.
    pub fn of(query: &'q Ast, people: &'q People) -> Option<Self> {
        let mut tests = Vec::new();
        gather(query, &mut tests);
        (!tests.is_empty()).then(|| Self {
            people,
            query,
            tests,
            newest: HashMap::new(),
            keys: ByKey::default(),
            proven: Proven::default(),
        })
    }

    /// The query that finds the links to take, if any are needed. It has to be asked from [`keyed::since`] on.
    pub fn links(&self) -> Option<Ast> {
        let mut any = vec![Ast::Leaf { field: detail("replaces"), test: Test::Exists }];
        for &(joint, test) in &self.tests {
            match joint {
                Joint::Person => any.extend(self.of_person(test)),
                Joint::Chain => any.push(Ast::Leaf { field: detail("chain"), test: test.clone() }),
                Joint::Digest => {}
            }
        }
        let mut all = vec![is_link(), Ast::Or(any)];
        whens(self.query, &mut all);
        self.tests.iter().any(|(joint, _)| *joint != Joint::Digest).then_some(Ast::And(all))
    }

    /// The query that finds the verdicts to take, if any are needed. It has to be asked from [`super::proof::since`] on.
    pub fn verdicts(&self) -> Option<Ast> {
        let mut tests =
            self.tests.iter().filter(|(joint, _)| *joint == Joint::Digest).map(|(_, test)| *test).peekable();
        tests.peek()?;
        Some(Proven::wanted(tests))
    }

    /// Links whose first hop is somebody whose name passes, and those whose chain leads through their accounts.
    fn of_person(&self, test: &Test) -> Vec<Ast> {
        let passing = self.people.passing(test);
        let identities = |of: Identity| passing.iter().flat_map(move |person| person.identities(of)).cloned();
        let accounts = || {
            let unix = || identities(Identity::Unix);
            let there =
                unix().flat_map(|unix| splits(&unix).map(|(account, _)| account.to_owned()).collect::<Vec<_>>());
            unix().chain(there).chain(identities(Identity::Email))
        };
        let by = |name: &str, test: &Test| Ast::Leaf { field: detail(name), test: test.clone() };
        let certificates = identities(Identity::Certificate).chain(identities(Identity::Email));
        vec![
            any_of(detail("key"), identities(Identity::Key)),
            any_of(detail("certificate"), certificates),
            any_of(detail("account"), accounts()),
            any_of(detail("chain"), accounts()),
            any_of(detail("aws"), identities(Identity::Aws)),
            any_of(detail("email"), identities(Identity::Email)),
            any_of(detail("session"), identities(Identity::Email)),
            by("account", test),
            by("chain", test),
        ]
    }

    /// Takes a link or a verdict in. Others are left alone.
    pub fn take(&mut self, seq: u64, event: &Event) {
        let Some(Link { facts, .. }) = Link::of(event) else { return self.proven.take(seq, event) };
        let passed = (0..).zip(&self.tests).filter(|(_, test)| self.passes(**test, &facts)).map(|(at, _)| at).collect();
        let newest = Newest { knows: !facts.chain.is_empty(), passed };
        if let Some(key) = &facts.for_key {
            self.keys.take(key, event.when, seq, newest);
        } else if self.newest.get(&facts.seq).is_none_or(|(known, _)| *known < seq) {
            self.newest.insert(facts.seq, (seq, newest));
        }
    }

    fn passes(&self, (joint, test): (Joint, &Test), facts: &Facts) -> bool {
        match joint {
            Joint::Person => self.people.of_link(facts).is_some_and(|name| passes(test, name)),
            Joint::Chain => facts.chain.iter().any(|hop| passes(test, hop)),
            Joint::Digest => false,
        }
    }

    /// How many events, keys and objects there is something about.
    pub fn len(&self) -> usize {
        self.newest.len() + self.keys.len() + self.proven.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The query without joined fields.
    pub fn resolve(&self) -> Ast {
        let linked = self.test(|newest| newest.knows);
        let tests: Vec<Ast> = (0..)
            .zip(&self.tests)
            .map(|(at, (joint, test))| {
                let passed = |newest: &Newest| newest.passed.contains(&at);
                match joint {
                    Joint::Person => either(vec![self.test(passed), self.people.own_test(test, &linked)]),
                    Joint::Chain => self.test(passed),
                    Joint::Digest => self.proven.test(test),
                }
            })
            .collect();
        self.rewrite(self.query, &tests)
    }

    /// The test for events about which, or about whose key, a link says something. What a link about the event says
    /// counts for calls of AWS without a key only.
    fn test(&self, holds: impl Fn(&Newest) -> bool) -> Ast {
        let about = self.newest.iter().filter(|(_, (_, newest))| holds(newest));
        let places = Places::of(about.map(|(target, _)| *target));
        let by_place = match places.is_empty() {
            true => Ast::Nothing,
            false => Ast::And(vec![Ast::Places(places), Ast::Not(Box::new(keyed::by_key_alone()))]),
        };
        either(vec![by_place, self.keys.test(holds)])
    }

    fn rewrite(&self, ast: &Ast, tests: &[Ast]) -> Ast {
        let all = |asts: &[Ast]| asts.iter().map(|ast| self.rewrite(ast, tests)).collect();
        match ast {
            Ast::And(asts) => Ast::And(all(asts)),
            Ast::Or(asts) => Ast::Or(all(asts)),
            Ast::Not(ast) => Ast::Not(Box::new(self.rewrite(ast, tests))),
            Ast::Leaf { field, test } if field.is_joined() => {
                let own = joint(field).map(|joint| (joint, test));
                let at = own.and_then(|own| self.tests.iter().position(|known| *known == own));
                at.and_then(|at| tests.get(at)).cloned().unwrap_or(Ast::Nothing)
            }
            Ast::All | Ast::Nothing | Ast::Places(_) | Ast::Leaf { .. } => ast.clone(),
        }
    }
}

/// Links about some events, and about some keys.
pub fn about(places: impl IntoIterator<Item = u64>, keys: impl IntoIterator<Item = String>) -> Ast {
    let places = any_of(detail("seq"), places.into_iter().map(|place| place.to_string()));
    let keys = any_of(detail("for_key"), keys.into_iter().map(|key| crate::event::fields::searchable(&key).to_owned()));
    Ast::And(vec![is_link(), either(vec![places, keys])])
}

/// Every link.
pub fn is_link() -> Ast {
    Ast::And(vec![is("source.kind", Family::Whodid.name().to_owned()), is("what.action", action::LINK.to_owned())])
}

fn detail(name: &str) -> FieldRef {
    FieldRef::Detail(format!("{}.{name}", Family::Whodid.detail_key()))
}

fn joint(field: &FieldRef) -> Option<Joint> {
    let FieldRef::Known(known) = field else { return None };
    match known.name {
        PERSON => Some(Joint::Person),
        CHAIN => Some(Joint::Chain),
        DIGEST => Some(Joint::Digest),
        _ => None,
    }
}

fn gather<'q>(ast: &'q Ast, tests: &mut Vec<(Joint, &'q Test)>) {
    match ast {
        Ast::And(all) | Ast::Or(all) => all.iter().for_each(|ast| gather(ast, tests)),
        Ast::Not(ast) => gather(ast, tests),
        Ast::Leaf { field, test } => {
            if let Some(joint) = joint(field)
                && !tests.contains(&(joint, test))
            {
                tests.push((joint, test));
            }
        }
        Ast::All | Ast::Nothing | Ast::Places(_) => {}
    }
}

/// What must hold of an event's time: a link has the time of its event, or one that its key was given at.
fn whens(ast: &Ast, all: &mut Vec<Ast>) {
    match ast {
        Ast::And(asts) => asts.iter().for_each(|ast| whens(ast, all)),
        Ast::Leaf { field: field @ FieldRef::Known(known), test } if known.name == "when" => {
            all.push(keyed::widened(field, test));
        }
        _ => {}
    }
}
