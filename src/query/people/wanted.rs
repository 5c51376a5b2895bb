//! Tests on joined fields, as what an index can answer: tests on the event's own record, and lists of
//! places that links are about.
//!
//! [`Wanted::links`] is asked first and finds every link that can matter; [`Wanted::take`] is given each;
//! [`Wanted::resolve`] then writes the query without joined fields. Of several links about one event the
//! one at the last place counts, whatever order they are taken in.

use std::collections::HashMap;

use crate::event::fields::{FieldRef, PERSON};
use crate::event::link::{Facts, Link};
use crate::event::own::action;
use crate::event::{Event, Family};
use crate::query::ast::{Ast, Places, Test};

use super::own::{either, is, splits};
use super::{Identity, People, any_of, passes};

/// See the module's text.
#[derive(Debug)]
pub struct Wanted<'q> {
    people: &'q People,
    query: &'q Ast,
    /// The different tests on joined fields.
    tests: Vec<(bool, &'q Test)>,
    /// By the place of the event that they are about.
    newest: HashMap<u64, Newest>,
}

/// What the newest link about an event comes to.
#[derive(Debug)]
struct Newest {
    seq: u64,
    /// It has a chain.
    knows: bool,
    /// Which of the tests its event passes by it.
    passed: Vec<u16>,
}

impl<'q> Wanted<'q> {
    /// None for a query that needs no links.
    pub fn of(query: &'q Ast, people: &'q People) -> Option<Self> {
        let mut tests = Vec::new();
        gather(query, &mut tests);
        (!tests.is_empty()).then(|| Self { people, query, tests, newest: HashMap::new() })
    }

    /// The query that finds the links to take.
    pub fn links(&self) -> Ast {
        let mut any = vec![Ast::Leaf { field: detail("replaces"), test: Test::Exists }];
        for &(is_person, test) in &self.tests {
            match is_person {
                true => any.extend(self.of_person(test)),
                false => any.push(Ast::Leaf { field: detail("chain"), test: test.clone() }),
            }
        }
        let mut all = vec![is_link(), Ast::Or(any)];
        whens(self.query, &mut all);
        Ast::And(all)
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
            by("account", test),
            by("chain", test),
        ]
    }

    /// Takes a link in. Others are left alone.
    pub fn take(&mut self, seq: u64, event: &Event) {
        let Some(Link { facts, .. }) = Link::of(event).filter(|link| link.facts.for_key.is_none()) else { return };
        if self.newest.get(&facts.seq).is_some_and(|newest| newest.seq >= seq) {
            return;
        }
        let passed = (0..).zip(&self.tests).filter(|(_, test)| self.passes(**test, &facts)).map(|(at, _)| at).collect();
        self.newest.insert(facts.seq, Newest { seq, knows: !facts.chain.is_empty(), passed });
    }

    fn passes(&self, (is_person, test): (bool, &Test), facts: &Facts) -> bool {
        match is_person {
            true => self.people.of_link(facts).is_some_and(|name| passes(test, name)),
            false => facts.chain.iter().any(|hop| passes(test, hop)),
        }
    }

    /// How many events the links taken are about.
    pub fn len(&self) -> usize {
        self.newest.len()
    }

    pub fn is_empty(&self) -> bool {
        self.newest.is_empty()
    }

    /// The query without joined fields.
    pub fn resolve(&self) -> Ast {
        let linked = Places::of(self.newest.iter().filter(|(_, newest)| newest.knows).map(|(target, _)| *target));
        let passed = |at: u16| {
            Places::of(self.newest.iter().filter(|(_, newest)| newest.passed.contains(&at)).map(|(target, _)| *target))
        };
        let tests: Vec<Ast> = (0..)
            .zip(&self.tests)
            .map(|(at, (is_person, test))| match is_person {
                true => either(vec![Ast::Places(passed(at)), self.people.own_test(test, &linked)]),
                false => Ast::Places(passed(at)),
            })
            .collect();
        self.rewrite(self.query, &tests)
    }

    fn rewrite(&self, ast: &Ast, tests: &[Ast]) -> Ast {
        let all = |asts: &[Ast]| asts.iter().map(|ast| self.rewrite(ast, tests)).collect();
        match ast {
            Ast::And(asts) => Ast::And(all(asts)),
            Ast::Or(asts) => Ast::Or(all(asts)),
            Ast::Not(ast) => Ast::Not(Box::new(self.rewrite(ast, tests))),
            Ast::Leaf { field, test } if field.is_joined() => {
                let own = (is_person(field), test);
                let at = self.tests.iter().position(|known| *known == own);
                at.and_then(|at| tests.get(at)).cloned().unwrap_or(Ast::Nothing)
            }
            Ast::All | Ast::Nothing | Ast::Places(_) | Ast::Leaf { .. } => ast.clone(),
        }
    }
}

/// Links about some events.
pub fn about(places: impl IntoIterator<Item = u64>) -> Ast {
    Ast::And(vec![is_link(), any_of(detail("seq"), places.into_iter().map(|place| place.to_string()))])
}

/// Every link.
pub fn is_link() -> Ast {
    Ast::And(vec![is("source.kind", Family::Whodid.name().to_owned()), is("what.action", action::LINK.to_owned())])
}

fn detail(name: &str) -> FieldRef {
    FieldRef::Detail(format!("{}.{name}", Family::Whodid.detail_key()))
}

fn is_person(field: &FieldRef) -> bool {
    matches!(field, FieldRef::Known(known) if known.name == PERSON)
}

fn gather<'q>(ast: &'q Ast, tests: &mut Vec<(bool, &'q Test)>) {
    match ast {
        Ast::And(all) | Ast::Or(all) => all.iter().for_each(|ast| gather(ast, tests)),
        Ast::Not(ast) => gather(ast, tests),
        Ast::Leaf { field, test } if field.is_joined() => {
            let own = (is_person(field), test);
            if !tests.contains(&own) {
                tests.push(own);
            }
        }
        Ast::All | Ast::Nothing | Ast::Places(_) | Ast::Leaf { .. } => {}
    }
}

/// What must hold of an event's time: a link has the time of its event.
fn whens(ast: &Ast, all: &mut Vec<Ast>) {
    match ast {
        Ast::And(asts) => asts.iter().for_each(|ast| whens(ast, all)),
        Ast::Leaf { field: FieldRef::Known(field), .. } if field.name == "when" => all.push(ast.clone()),
        _ => {}
    }
}
