//! Whom an event's own record names as acting: one list of steps, for one event and for an index alike.
//!
//! The first step that knows somebody decides.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::event::fields::{self, FieldRef};
use crate::event::link::Facts;
use crate::event::{Event, Family, Stamp};
use crate::query::ast::{Ast, Test};
use crate::query::matcher::Subject;

use super::{Identity, People, Person, any_of};

/// What in a record may be somebody's.
#[derive(Debug, Clone, Copy)]
enum What {
    Field(&'static str),
    Detail(&'static str),
    /// `who.name@where.host`
    AccountThere,
}

/// One way to know somebody by a record.
#[derive(Debug, Clone, Copy)]
struct Step {
    of: Of,
    what: What,
    known: &'static [Identity],
    /// A link with a chain knows better.
    yields: bool,
}

/// Which records a step is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Any,
    Cloud,
    /// The name is the user's own: whoever takes a role chooses the name of the session.
    CloudUser,
    Machine,
    /// A task of Ansible is on another machine than whoever had it done.
    MachineThere,
}

const NAME: &str = "who.name";

const TASK: &str = "ansible.task";

const STEPS: [Step; 10] = [
    step(Of::Any, What::Field("who.key"), &[Identity::Key]),
    step(Of::Any, What::Detail("auth.certificate_id"), &[Identity::Certificate, Identity::Email]),
    step(Of::Cloud, What::Detail("cloudtrail.userIdentity.arn"), &[Identity::Aws]),
    step(Of::Cloud, What::Field("who.id"), &[Identity::Aws]),
    step(Of::CloudUser, What::Field(NAME), &[Identity::Aws]),
    // A role's trust policy says who may set it, and it stays along a chain.
    step(Of::Cloud, What::Detail("cloudtrail.userIdentity.sessionContext.sourceIdentity"), &[Identity::Email]),
    yielding(Of::Cloud, What::Field("who.session"), &[Identity::Email]),
    yielding(Of::CloudUser, What::Field(NAME), &[Identity::Email]),
    yielding(Of::MachineThere, What::AccountThere, &[Identity::Unix]),
    yielding(Of::Machine, What::Field(NAME), &[Identity::Unix, Identity::Email]),
];

const fn step(of: Of, what: What, known: &'static [Identity]) -> Step {
    Step { of, what, known, yields: false }
}

const fn yielding(of: Of, what: What, known: &'static [Identity]) -> Step {
    Step { of, what, known, yields: true }
}

/// Records of somebody who may not be who they say: attempts to log in, which anybody can make under any
/// name. Whoever sudo, su or polkit refuses is logged in, and a call to AWS is signed but for those that
/// are logins themselves. Before a login ends well or not, sshd writes what was typed.
pub(super) const TYPED: &str = "(what.action:ssh.* AND NOT outcome:success AND NOT what.action:(ssh.session.start OR \
     ssh.session.end OR ssh.subsystem)) OR (what.action:auth.* AND NOT outcome:success) OR tags:spoof_suspect OR source.kind:btmp OR \
     (outcome:failure AND what.category:authentication AND NOT what.action:(su.session OR polkit.authorize) AND NOT \
     (source.kind:cloudtrail AND NOT what.provider:signin.amazonaws.com AND NOT what.action:AssumeRoleWith*)) OR \
     (source.kind:cloudtrail AND what.action:(CredentialChallenge OR PasswordRecoveryRequested))";

static IS_TYPED: LazyLock<Ast> = LazyLock::new(|| {
    // The text is a constant and a test parses it. Who might have typed anything is nobody.
    crate::query::parse(TYPED, Stamp::from_micros(0)).unwrap_or(Ast::All)
});

/// The persons that a record names; with a link that knows better, only those by key or cloud identity.
pub(super) fn persons(people: &People, event: &Event, link: Option<&Facts>) -> Vec<String> {
    let subject = Subject::new(event);
    let is_cloud = event.source.kind == Family::Cloudtrail;
    let is_user = event.who.kind.as_deref() == Some(USER);
    let is_linked = link.is_some_and(|facts| !facts.chain.is_empty());
    let is_for = |of: Of| match of {
        Of::Any => true,
        Of::Cloud => is_cloud,
        Of::CloudUser => is_cloud && is_user,
        Of::Machine => !is_cloud,
        Of::MachineThere => !is_cloud && event.what.action != TASK,
    };
    // Most events name nobody.
    let may_be = event.who.name.is_some() || !people.persons.is_empty();
    if !may_be || subject.matches(&IS_TYPED) {
        return Vec::new();
    }
    for step in STEPS.iter().filter(|step| is_for(step.of)) {
        let found: BTreeSet<&str> = match people.has(step.known) {
            true => step.what.values(event, &subject).iter().flat_map(|value| people.all(step.known, value)).collect(),
            false => BTreeSet::new(),
        };
        if !found.is_empty() {
            let is_out = step.yields && is_linked;
            return if is_out { Vec::new() } else { found.into_iter().map(str::to_owned).collect() };
        }
    }
    let is_itself = is_user && !is_linked;
    event.who.name.iter().filter(|_| is_itself).map(|name| fields::searchable(name).to_owned()).collect()
}

/// `who.kind` of a user, be it of a machine or of the cloud.
const USER: &str = "user";

impl What {
    fn values(self, event: &Event, subject: &Subject<'_>) -> Vec<String> {
        match self {
            Self::Field(name) => {
                let mut values = Vec::new();
                if let Some(field) = fields::named(name) {
                    field.each(event, &mut |value| {
                        if let fields::Value::Str(text) = value {
                            values.push(text.to_owned());
                        }
                    });
                }
                values
            }
            Self::Detail(path) => subject.detail_at(path).map(str::to_owned).collect(),
            Self::AccountThere => match (&event.who.name, &event.place.host) {
                (Some(name), Some(host)) => vec![format!("{name}@{host}")],
                _ => Vec::new(),
            },
        }
    }

    /// The test that finds records with one of some identities.
    fn any_of(self, identities: Vec<String>) -> Ast {
        match self {
            Self::Field(name) => any_of(known(name), identities),
            Self::Detail(path) => any_of(FieldRef::Detail(path.to_owned()), identities),
            Self::AccountThere => {
                let there = |(name, host): (&str, &str)| {
                    Ast::And(vec![is(NAME, name.to_owned()), is("where.host", host.to_owned())])
                };
                either(identities.iter().flat_map(|identity| splits(identity)).map(there).collect())
            }
        }
    }
}

/// Every way to read an identity as an account and its machine: names of accounts can hold an `@` too.
pub(super) fn splits(identity: &str) -> impl Iterator<Item = (&str, &str)> {
    identity.match_indices('@').filter_map(|(at, _)| Some((identity.get(..at)?, identity.get(at + 1..)?)))
}

impl People {
    fn has(&self, known: &[Identity]) -> bool {
        self.persons.iter().any(|person| known.iter().any(|of| !person.identities(*of).is_empty()))
    }

    /// Whoever has an identity, by any of some kinds.
    fn all(&self, known: &[Identity], identity: &str) -> Vec<&str> {
        known.iter().filter_map(|of| self.named(*of, identity)).collect()
    }

    /// The test for events whose own record names somebody whose name passes. `linked` is the test for
    /// events about which a link knows better.
    pub(super) fn own_test(&self, test: &Test, linked: &Ast) -> Ast {
        let passing = self.passing(test);
        let everybody: Vec<&Person> = self.persons.iter().collect();
        let unlinked = || Ast::Not(Box::new(linked.clone()));
        let itself = Ast::And(vec![
            is("who.kind", USER.to_owned()),
            Ast::Leaf { field: known(NAME), test: test.clone() },
            unlinked(),
        ]);
        let steps = STEPS.iter().rev().filter(|step| self.has(step.known));
        let own = steps.fold(itself, |after, step| {
            let of = |persons: &[&Person]| {
                let all = persons.iter().flat_map(|person| step.known.iter().flat_map(|of| person.identities(*of)));
                Ast::And(vec![step.of.test(), step.what.any_of(all.cloned().collect())])
            };
            let mut here = vec![of(&passing)];
            if step.yields {
                here.push(unlinked());
            }
            either(vec![Ast::And(here), Ast::And(vec![Ast::Not(Box::new(of(&everybody))), after])])
        });
        Ast::And(vec![own, Ast::Not(Box::new(IS_TYPED.clone()))])
    }
}

impl Of {
    fn test(self) -> Ast {
        let cloud = || is("source.kind", Family::Cloudtrail.name().to_owned());
        match self {
            Self::Any => Ast::All,
            Self::Cloud => cloud(),
            Self::CloudUser => Ast::And(vec![cloud(), is("who.kind", USER.to_owned())]),
            Self::Machine => Ast::Not(Box::new(cloud())),
            Self::MachineThere => Ast::Not(Box::new(either(vec![cloud(), is("what.action", TASK.to_owned())]))),
        }
    }
}

pub(super) fn either(any: Vec<Ast>) -> Ast {
    match any.iter().all(|ast| *ast == Ast::Nothing) {
        true => Ast::Nothing,
        false => Ast::Or(any),
    }
}

pub(super) fn is(name: &str, value: String) -> Ast {
    Ast::Leaf { field: known(name), test: Test::Keyword(value) }
}

/// A field of the table: names here are constants, and a test looks each up.
pub(super) fn known(name: &str) -> FieldRef {
    fields::named(name).map_or_else(|| FieldRef::Detail(name.to_owned()), FieldRef::Known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_and_the_query_named_here_are_there() {
        assert!(crate::query::parse(TYPED, Stamp::from_micros(0)).is_ok());
        let named = STEPS.iter().filter_map(|step| match step.what {
            What::Field(name) => Some(name),
            What::Detail(_) | What::AccountThere => None,
        });
        for name in named.chain([NAME, "where.host", "who.kind", "source.kind", "what.action"]) {
            assert!(fields::named(name).is_some(), "{name}");
        }
    }
}
