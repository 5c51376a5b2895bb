//! Who it was: the ways in which a fact is tied to somebody who is there, the surest first.

use std::sync::Arc;

use super::fact::Act;
use super::rules::{Fold, ROOT, Tie};
use super::state::{Actor, Became, Key, Login, Value};
use crate::event::link::{Confidence, Via};

/// A command of which nobody said when it ended is over after this.
const COMMAND_OPEN: i64 = 60_000_000;

/// Programs that act for root and say nothing of who runs them, and what they call.
const FAMILIES: &[(&str, &[&str])] = &[
    ("adduser", &["useradd", "groupadd", "usermod", "chfn", "passwd", "chage", "gpasswd"]),
    ("addgroup", &["groupadd"]),
    ("deluser", &["userdel", "groupdel", "gpasswd", "usermod"]),
    ("delgroup", &["groupdel"]),
];

/// Who it was.
impl Fold<'_> {
    pub(super) fn resolve(&self, user: Option<Arc<str>>) -> Option<Tie> {
        let fact = self.fact;
        if fact.session.is_some() {
            let tie = self.by_session(user.as_ref());
            if tie.is_some() || fact.is_trusted {
                return tie;
            }
        }
        self.by_process()
            .filter(|tie| user.as_ref().is_none_or(|user| &tie.actor.account == user))
            .or_else(|| self.by_terminal(user.as_ref()))
            .or_else(|| self.by_command())
            .or_else(|| self.by_loginuid(user.as_ref()))
            .or_else(|| self.by_account(user.as_ref()?))
            .or_else(|| self.by_terminal_alone(user.as_ref()?))
    }

    pub(super) fn by_session(&self, user: Option<&Arc<str>>) -> Option<Tie> {
        let session = self.fact.session.as_ref()?;
        let owner = self.state.actor(&Key::Session(Arc::clone(session)))?;
        let tie = |actor: Arc<Actor>| Tie { actor, via: Via::Session, confidence: Confidence::High, is_common: false };
        let Some(user) = user.filter(|user| **user != owner.account) else { return Some(tie(Arc::clone(owner))) };
        Some(tie(self.within(owner, user)))
    }

    /// Whom the owner of a login became to act as this account; perhaps nobody saw how.
    fn within(&self, owner: &Arc<Actor>, user: &Arc<str>) -> Arc<Actor> {
        let known = self.state.actors(&Key::Become(owner.login));
        let on_terminal = known.iter().rev().find(|actor| {
            &actor.account == user && actor.became.as_ref().is_some_and(|became| became.tty == self.fact.tty)
        });
        match on_terminal.or_else(|| known.iter().rev().find(|actor| &actor.account == user)) {
            Some(actor) => Arc::clone(actor),
            None => self.unseen(owner, user, Via::Session, Confidence::High),
        }
    }

    /// Somebody who became another account without any record of it.
    fn unseen(&self, from: &Arc<Actor>, account: &Arc<str>, via: Via, confidence: Confidence) -> Arc<Actor> {
        let became = Became {
            from: Arc::clone(from),
            via,
            confidence,
            when: self.fact.at.micros,
            seq: self.fact.seq,
            service: Arc::from(""),
            program: None,
            pid: None,
            tty: None,
        };
        Arc::new(Actor { number: u64::MAX, login: from.login, account: Arc::clone(account), became: Some(became) })
    }

    /// The same process, or the same connection.
    pub(super) fn by_process(&self) -> Option<Tie> {
        let fact = self.fact;
        let by_pid = fact.pid.and_then(|pid| self.state.process(pid)).filter(|process| {
            // wtmp does not say which program it was.
            let is_same = &*process.service == fact.service() || fact.service.is_none();
            let is_its = [&fact.user, &fact.became]
                .into_iter()
                .flatten()
                .any(|user| process.actor.hops().any(|actor| &actor.account == user));
            is_same && (is_its || (fact.user.is_none() && fact.became.is_none()))
        });
        let by_port = || {
            let actor = self.state.actor(&Key::Port(fact.ip?, fact.port?))?;
            fact.user.as_ref().is_none_or(|user| user == &actor.account).then_some(actor)
        };
        let actor = by_pid.map(|process| &process.actor).or_else(by_port)?;
        Some(Tie { actor: Arc::clone(actor), via: Via::Pid, confidence: Confidence::High, is_common: false })
    }

    /// Who has this terminal, as this account.
    fn by_terminal(&self, user: Option<&Arc<str>>) -> Option<Tie> {
        let actors = self.state.actors(&Key::Tty(Arc::clone(self.fact.tty.as_ref()?)));
        let actor = match user {
            Some(user) => actors.iter().rev().find(|actor| &actor.account == user)?,
            None => actors.last()?,
        };
        Some(Tie { actor: Arc::clone(actor), via: Via::Tty, confidence: Confidence::Medium, is_common: false })
    }

    /// Who has this terminal, though nobody saw them become this account.
    fn by_terminal_alone(&self, user: &Arc<str>) -> Option<Tie> {
        let actors = self.state.actors(&Key::Tty(Arc::clone(self.fact.tty.as_ref()?)));
        let actor = self.unseen(actors.last()?, user, Via::Tty, Confidence::Low);
        Some(Tie { actor, via: Via::Tty, confidence: Confidence::Low, is_common: false })
    }

    /// Within the time of the only command that runs this program.
    fn by_command(&self) -> Option<Tie> {
        let fact = self.fact;
        let service = fact
            .service
            .as_ref()
            .filter(|_| fact.user.is_none() && matches!(fact.act, Act::Deed | Act::AccountAdd | Act::AccountRemove))?;
        let callers =
            FAMILIES.iter().filter(|(_, called)| called.contains(&&**service)).map(|(caller, _)| Arc::from(*caller));
        let programs = std::iter::once(Arc::clone(service)).chain(callers);
        let running = programs.flat_map(|program| self.state.actors(&Key::Running(program)).to_vec());
        let open: Vec<(Arc<Actor>, bool)> =
            running.filter_map(|actor| self.is_running(&actor).map(|is_sure| (actor, is_sure))).collect();
        let (actor, is_sure) = open.last()?;
        let is_one = open.iter().all(|(other, _)| other.login == actor.login);
        let confidence = if *is_sure { Confidence::Medium } else { Confidence::Low };
        is_one.then(|| Tie { actor: Arc::clone(actor), via: Via::Command, confidence, is_common: false })
    }

    /// Whether a command may still be running, and whether its end would have been told.
    fn is_running(&self, actor: &Actor) -> Option<bool> {
        let became = actor.became.as_ref()?;
        let process = became.pid.and_then(|pid| self.state.process(pid));
        let is_told = process.is_some_and(|process| process.has_pam && process.actor.number == actor.number);
        (is_told || self.fact.at.micros - became.when <= COMMAND_OPEN).then_some(is_told)
    }

    /// The only login of the account that the kernel still knows the process by.
    fn by_loginuid(&self, user: Option<&Arc<str>>) -> Option<Tie> {
        let uid = self.fact.loginuid?;
        let Some(Value::Name(account)) = self.state.get(&Key::Uid(uid)) else { return None };
        let logins = self.state.logins(account);
        let [only] = logins.numbers() else { return None };
        let owner = Actor::of_login(self.state.login(*only).filter(|_| logins.is_whole())?);
        let actor = match user.filter(|user| **user != owner.account) {
            Some(user) => self.within(&owner, user),
            None => owner,
        };
        Some(Tie { actor, via: Via::Loginuid, confidence: Confidence::Medium, is_common: false })
    }

    /// Only the name: root is too many things, and of several logins only what they share is known.
    fn by_account(&self, user: &Arc<str>) -> Option<Tie> {
        if &**user == ROOT {
            return None;
        }
        let logins = self.state.logins(user);
        let open: Vec<&Arc<Login>> = logins.numbers().iter().filter_map(|number| self.state.login(*number)).collect();
        let (newest, others) = open.split_last().filter(|_| logins.is_whole())?;
        let is_same_key = others.iter().all(|login| login.key == newest.key && login.certificate == newest.certificate);
        let is_same_place = others.iter().all(|login| login.place == newest.place);
        let is_shared = is_same_key && (is_same_place || newest.key.is_some());
        is_shared.then(|| Tie {
            actor: Actor::of_login(newest),
            via: Via::User,
            confidence: Confidence::Low,
            is_common: !is_same_place,
        })
    }
}
