//! What one fact says about who is there, and who it was that did it.

use std::sync::Arc;

use super::fact::{Act, Fact};
use super::state::{Actor, Became, Key, Login, Process, Seen, State, Suspicion, Value};
use crate::event::link::{Confidence, Via};

/// What is known about a fact.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Verdict {
    pub(super) tie: Option<Tie>,
    /// Of the tie, as it was known then; this fact may have ended it.
    pub(super) login: Option<Arc<Login>>,
    pub(super) suspicion: Option<Suspicion>,
}

/// Who it was, and how that is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tie {
    pub(super) actor: Arc<Actor>,
    pub(super) via: Via,
    pub(super) confidence: Confidence,
    /// Of several logins from different places: they have account and key in common.
    pub(super) is_common: bool,
}

/// What a login may be before or after the records that belong to it, in microseconds: syslog's stamps are cut to
/// whole seconds, and records of one login pass through several programs.
const TOGETHER: i64 = 10_000_000;

/// As long as this, somebody may be there whose record is not written yet, or was just written.
pub(super) const GRACE: i64 = 300_000_000;

/// What an account or login can be suspected of or have become at a time; the oldest goes.
const LIST: usize = 16;

/// Terminals, processes and connections of one login.
const KEYS_MAX: usize = 64;

pub(super) const ROOT: &str = "root";

pub(super) struct Fold<'a> {
    pub(super) state: &'a mut State,
    pub(super) fact: &'a Fact,
    pub(super) logins_max: u64,
    /// Somebody tried this account, which does not exist, in the same connection just before.
    pub(super) was_stranger: bool,
    /// The login that this fact ended.
    pub(super) closed: Option<Arc<Login>>,
}

impl Fold<'_> {
    /// Changes the state as the fact says, and says who it was.
    pub(super) fn run(mut self) -> Verdict {
        let mut verdict = self.act();
        if let Some(number) = verdict.tie.as_ref().map(|tie| tie.actor.login) {
            let closed = self.closed.take().filter(|login| login.number == number);
            verdict.login = closed.or_else(|| self.state.login(number).cloned());
        }
        verdict
    }

    fn act(&mut self) -> Verdict {
        let fact = self.fact;
        match fact.act {
            Act::Login => self.let_in(),
            Act::Child(pid) => {
                let tie = self.by_process();
                if let Some(tie) = &tie {
                    self.lead(Key::Pid(pid), &tie.actor.clone());
                }
                tied(tie)
            }
            Act::Shell => {
                let tie = self.by_process();
                if let (Some(tie), Some(tty)) = (&tie, &fact.tty) {
                    self.take_terminal(tty, &tie.actor.clone());
                }
                tied(tie)
            }
            Act::Left => self.left(),
            Act::PamOpen => self.pam_open(),
            Act::PamClose => self.pam_close(),
            Act::SessionStart => self.session_start(),
            Act::SessionEnd => {
                let tie = self.by_session(None);
                if let Some(tie) = &tie {
                    self.close(tie.actor.login);
                }
                tied(tie)
            }
            Act::TtyOpen { is_window } => self.tty_open(is_window),
            Act::TtyClose => self.tty_close(),
            Act::Become => self.become_another(),
            Act::Boot => {
                self.state.reboot();
                Verdict::default()
            }
            Act::AccountAdd | Act::AccountRemove => {
                let tie = self.resolve(self.acting());
                if let Some(account) = &fact.object {
                    let is_removed = fact.act == Act::AccountRemove;
                    self.state.set(Key::Account(Arc::clone(account)), Value::IsRemoved(is_removed));
                }
                tied(tie)
            }
            Act::Stranger => Verdict::default(),
            Act::Deed => tied(self.resolve(self.acting())),
        }
    }

    /// Who acts, if the record does not say it: tools that change accounts run as root.
    fn acting(&self) -> Option<Arc<str>> {
        let is_tool = |service: &str| service.starts_with("user") || service.starts_with("group");
        match &self.fact.user {
            Some(user) => Some(Arc::clone(user)),
            None if is_tool(self.fact.service()) => Some(Arc::from(ROOT)),
            None => None,
        }
    }
}

fn tied(tie: Option<Tie>) -> Verdict {
    Verdict { tie, ..Verdict::default() }
}

/// Logins.
impl Fold<'_> {
    fn let_in(&mut self) -> Verdict {
        let fact = self.fact;
        let Some(user) = &fact.user else { return Verdict::default() };
        self.note_seen(user, true);
        let is_removed = matches!(self.state.get(&Key::Account(Arc::clone(user))), Some(Value::IsRemoved(true)));
        let suspicion = (is_removed || self.was_stranger).then_some(Suspicion::LoginOfUnknownAccount);
        if let Some(login) = self.same_process(user) {
            // PAM or wtmp were faster, or this is the same line from another log.
            self.enrich(login.number, |login| {
                login.is_authenticated = true;
                join(login, fact);
            });
            self.lead_of(login.number);
        } else {
            let number = self.open(user, true);
            self.lead_of(number);
        }
        Verdict { suspicion, ..Verdict::default() }
    }

    /// The login that this process stands for already.
    fn same_process(&self, user: &Arc<str>) -> Option<Arc<Login>> {
        let process = self.state.process(self.fact.pid?)?;
        let login = self.state.login(process.actor.login)?;
        let fits = process.actor.became.is_none()
            && &login.account == user
            && &*process.service == self.fact.service()
            && (login.port == self.fact.port || login.port.is_none() || self.fact.port.is_none())
            && (login.ip == self.fact.ip || login.ip.is_none() || self.fact.ip.is_none());
        fits.then(|| Arc::clone(login))
    }

    /// A new login of this account, led to by what the fact names.
    fn open(&mut self, user: &Arc<str>, is_authenticated: bool) -> u64 {
        let fact = self.fact;
        let number = self.state.number();
        let mut login = Login {
            number,
            account: Arc::clone(user),
            place: None,
            ip: None,
            port: None,
            key: None,
            certificate: None,
            session: None,
            opened: fact.at.micros,
            is_authenticated,
            has_pam: false,
            has_tty: false,
            is_trusted: fact.is_trusted,
            evidence: Vec::new(),
            keys: Vec::new(),
        };
        join(&mut login, fact);
        self.state.set(Key::Login(number), Value::Login(Arc::new(login)));
        let mut logins = self.state.logins(user);
        logins.add(number);
        self.state.set_logins(user, logins);
        self.state.marks.open += 1;
        while self.state.marks.open > self.logins_max {
            let Some(oldest) = self.state.oldest() else { break };
            self.close(oldest);
            self.state.marks.forgotten += 1;
        }
        number
    }

    /// The process and the connection that the fact names lead to this login.
    fn lead_of(&mut self, number: u64) {
        let fact = self.fact;
        let Some(actor) = self.state.login(number).map(|login| Actor::of_login(login)) else { return };
        if let Some(pid) = fact.pid {
            self.lead(Key::Pid(pid), &actor);
        }
        if let (Some(ip), Some(port)) = (fact.ip, fact.port) {
            self.lead(Key::Port(ip, port), &actor);
        }
        if let Some(session) = &fact.session {
            self.lead(Key::Session(Arc::clone(session)), &actor);
            let session = Arc::clone(session);
            self.enrich(number, |login| login.session = Some(session));
        }
    }

    /// From here on, `key` means this actor. What it meant before is over: nothing is used twice at a time.
    fn lead(&mut self, key: Key, actor: &Arc<Actor>) {
        let before = self.state.actor(&key).map(|before| (before.login, before.became.is_none()));
        if let Some((login, is_whole)) = before
            && login != actor.login
            && is_whole
            && !matches!(key, Key::Tty(_))
        {
            self.close(login);
        }
        if self.state.actor(&key).is_some_and(|before| before == actor) {
            return;
        }
        let value = match key {
            Key::Pid(_) => Value::Process(Process {
                actor: Arc::clone(actor),
                service: self.fact.service.clone().unwrap_or_else(|| Arc::from("")),
                has_pam: false,
            }),
            _ => Value::Actor(Arc::clone(actor)),
        };
        self.state.set(key.clone(), value);
        self.add_key(actor.login, key);
    }

    /// Remembers what leads to a login. Nobody has this many children and terminals: the oldest goes.
    fn add_key(&mut self, number: u64, key: Key) {
        let Some(login) = self.state.login(number) else { return };
        if login.keys.contains(&key) {
            return;
        }
        if login.keys.len() >= KEYS_MAX
            && let Some(oldest) = login.keys.first().cloned()
        {
            self.state.remove(&oldest);
            self.enrich(number, |login| drop(login.keys.remove(0)));
        }
        self.enrich(number, |login| login.keys.push(key));
    }

    fn enrich(&mut self, number: u64, change: impl FnOnce(&mut Login)) {
        let Some(before) = self.state.login(number) else { return };
        let mut login = Login::clone(before);
        change(&mut login);
        if login != **before {
            self.state.set(Key::Login(number), Value::Login(Arc::new(login)));
        }
    }

    /// A login is over, and with it whatever led to it.
    fn close(&mut self, number: u64) {
        let Some(login) = self.state.login(number).cloned() else { return };
        for key in &login.keys {
            let is_its = match self.state.get(key) {
                Some(Value::Actors(actors)) => actors.first().is_some_and(|actor| actor.login == number),
                _ => self.state.actor(key).is_some_and(|actor| actor.login == number),
            };
            if is_its {
                self.state.remove(key);
            }
        }
        for actor in self.state.actors(&Key::Become(number)).to_vec() {
            self.end(&actor);
        }
        self.state.remove(&Key::Become(number));
        self.state.remove(&Key::Login(number));
        let mut logins = self.state.logins(&login.account);
        logins.remove(number);
        self.state.set_logins(&login.account, logins);
        self.state.marks.open = self.state.marks.open.saturating_sub(1);
        self.closed = Some(login);
    }

    fn left(&mut self) -> Verdict {
        let tie = self.by_process();
        if let Some(tie) = &tie {
            let number = tie.actor.login;
            // With PAM more is to come from the same process.
            if self.state.login(number).is_some_and(|login| !login.has_pam) {
                self.close(number);
            }
        } else if let Some(user) = &self.fact.user {
            self.explain(user, i64::MIN);
        }
        tied(tie)
    }
}

/// What a login is known by, from any record of it.
fn join(login: &mut Login, fact: &Fact) {
    login.ip = login.ip.or(fact.ip);
    login.port = login.port.or(fact.port);
    login.key = login.key.take().or_else(|| fact.key.clone());
    login.certificate = login.certificate.take().or_else(|| fact.certificate.clone());
    if login.place.is_none() {
        login.place = match (&fact.ip, &fact.from, &fact.tty) {
            (Some(ip), ..) => Some(Arc::from(ip.to_string())),
            (None, Some(host), _) => Some(Arc::clone(host)),
            // A pseudo terminal is no place.
            (None, None, Some(tty)) if !tty.starts_with("pts/") => Some(Arc::clone(tty)),
            _ => None,
        };
    }
    if login.evidence.len() < 4 && !login.evidence.contains(&fact.seq) {
        login.evidence.push(fact.seq);
    }
}

/// PAM, logind and wtmp.
impl Fold<'_> {
    fn pam_open(&mut self) -> Verdict {
        let fact = self.fact;
        if fact.became.is_some() || is_becoming(fact.service()) {
            return self.become_pam();
        }
        let Some(user) = &fact.user else { return Verdict::default() };
        self.note_seen(user, true);
        self.note_uid(user);
        if let Some(login) = self.same_process(user) {
            let number = login.number;
            let tie = self.by_process();
            self.enrich(number, |login| {
                login.has_pam = true;
                join(login, fact);
            });
            self.lead_of(number);
            return tied(tie);
        }
        // Without a process there is nothing to tell one session by.
        if fact.pid.is_some() {
            let number = self.open(user, true);
            self.enrich(number, |login| login.has_pam = true);
            self.lead_of(number);
        }
        Verdict::default()
    }

    fn pam_close(&mut self) -> Verdict {
        let fact = self.fact;
        if is_becoming(fact.service()) {
            return self.become_pam_end();
        }
        let tie = self.by_process();
        match (&tie, &fact.user) {
            (Some(tie), _) if tie.actor.became.is_none() => self.close(tie.actor.login),
            (None, Some(user)) => self.explain(user, i64::MIN),
            _ => {}
        }
        tied(tie)
    }

    /// logind names a session; whose it is, only name and time say.
    fn session_start(&mut self) -> Verdict {
        let fact = self.fact;
        let (Some(user), Some(session)) = (&fact.user, &fact.session) else { return Verdict::default() };
        self.note_seen(user, false);
        // Numbers begin again with each boot: what had this one long ago is over.
        if let Some(tie) = self.by_session(None) {
            let is_new = self.state.login(tie.actor.login).is_some_and(|login| near(login.opened, fact.at.micros));
            if is_new && &tie.actor.account == user {
                return tied(Some(tie));
            }
            self.close(tie.actor.login);
        }
        // journald's record names the process that asked for it.
        if let Some(actor) =
            fact.leader.and_then(|pid| self.state.process(pid)).map(|process| Arc::clone(&process.actor))
            && actor.became.is_none()
            && &actor.account == user
        {
            self.lead(Key::Session(Arc::clone(session)), &actor);
            self.enrich(actor.login, |login| login.session = Some(Arc::clone(session)));
            return tied(Some(Tie { actor, via: Via::Pid, confidence: Confidence::High, is_common: false }));
        }
        let unnamed = |login: &Login| login.session.is_none() && near(login.opened, fact.at.micros);
        let Some((actor, is_only)) = self.newest(user, unnamed) else { return Verdict::default() };
        self.lead(Key::Session(Arc::clone(session)), &actor);
        self.enrich(actor.login, |login| {
            login.session = Some(Arc::clone(session));
            if login.evidence.len() < 4 {
                login.evidence.push(fact.seq);
            }
        });
        let confidence = if is_only { Confidence::Medium } else { Confidence::Low };
        tied(Some(Tie { actor, via: Via::User, confidence, is_common: false }))
    }

    /// Of an account's open logins, the newest that fits, and whether it is the only one.
    fn newest(&self, user: &Arc<str>, fits: impl Fn(&Login) -> bool) -> Option<(Arc<Actor>, bool)> {
        let logins = self.state.logins(user);
        let mut fitting =
            logins.numbers().iter().rev().filter_map(|number| self.state.login(*number)).filter(|login| fits(login));
        let newest = fitting.next()?;
        Some((Actor::of_login(newest), fitting.next().is_none()))
    }

    fn tty_open(&mut self, is_window: bool) -> Verdict {
        let fact = self.fact;
        let (Some(user), Some(tty)) = (&fact.user, &fact.tty) else { return Verdict::default() };
        self.note_seen(user, false);
        let by_process = self.by_process().filter(|tie| &tie.actor.account == user);
        let same = |login: &Login| {
            let is_same_place = login.ip == fact.ip || login.ip.is_none() || fact.ip.is_none();
            !login.has_tty && is_same_place && (is_window || near(login.opened, fact.at.micros))
        };
        let tie = by_process.or_else(|| {
            let (actor, is_only) = self.newest(user, same)?;
            let confidence = if is_only { Confidence::Medium } else { Confidence::Low };
            Some(Tie { actor, via: Via::User, confidence, is_common: false })
        });
        if let Some(tie) = tie {
            self.enrich(tie.actor.login, |login| join(login, fact));
            self.take_terminal(tty, &tie.actor);
            return tied(Some(tie));
        }
        if is_window {
            return Verdict::default();
        }
        let number = self.open(user, false);
        self.lead_of(number);
        if let Some(actor) = self.state.login(number).map(|login| Actor::of_login(login)) {
            self.take_terminal(tty, &actor);
        }
        let was_let_in = self.state.seen(user).let_in.is_some_and(|at| at >= fact.at.micros - GRACE);
        if was_let_in {
            return Verdict::default();
        }
        self.suspect(user, Suspicion::SessionWithoutAuth);
        Verdict { suspicion: Some(Suspicion::SessionWithoutAuth), ..Verdict::default() }
    }

    fn tty_close(&mut self) -> Verdict {
        let fact = self.fact;
        let owner = fact.tty.as_ref().and_then(|tty| self.state.actors(&Key::Tty(Arc::clone(tty))).first().cloned());
        let Some(actor) = owner else {
            if let Some(user) = &fact.user {
                self.explain(user, i64::MIN);
            }
            return Verdict::default();
        };
        let tie = Tie { actor: Arc::clone(&actor), via: Via::Tty, confidence: Confidence::Medium, is_common: false };
        // sshd's connection may have other terminals, and tells its own end.
        match self.state.login(actor.login).is_some_and(|login| login.is_authenticated) {
            true => {
                if let Some(tty) = &fact.tty {
                    self.state.remove(&Key::Tty(Arc::clone(tty)));
                }
                self.enrich(actor.login, |login| login.has_tty = false);
            }
            false => self.close(actor.login),
        }
        tied(Some(tie))
    }

    /// Whoever had the terminal before has it no more.
    fn take_terminal(&mut self, tty: &Arc<str>, actor: &Arc<Actor>) {
        let key = Key::Tty(Arc::clone(tty));
        let before = self.state.actors(&key).first().map(|before| before.login);
        if before == Some(actor.login) {
            return;
        }
        if let Some(before) = before
            && self.state.login(before).is_some_and(|login| !login.is_authenticated)
        {
            self.close(before);
        }
        self.state.set_actors(key.clone(), vec![Arc::clone(actor)]);
        self.add_key(actor.login, key);
        self.enrich(actor.login, |login| login.has_tty = true);
    }
}

/// sudo, su and the like.
impl Fold<'_> {
    fn become_another(&mut self) -> Verdict {
        let fact = self.fact;
        let Some(user) = &fact.user else {
            return tied(self.by_process());
        };
        let Some(became) = fact.became.as_ref().filter(|_| fact.is_success) else {
            return tied(self.resolve(Some(Arc::clone(user))));
        };
        // shadow's su says it twice, and a machine may have two logs.
        if let Some(actor) = self.same_change(became) {
            return tied(Some(Tie { actor, via: Via::Pid, confidence: Confidence::High, is_common: false }));
        }
        let Some(tie) = self.resolve(Some(Arc::clone(user))) else { return self.nobody(user) };
        let actor = self.become_as(tie.clone(), became);
        tied(Some(Tie { actor, ..tie }))
    }

    /// Who was not there became another: only on a terminal, since daemons use sudo too.
    fn nobody(&mut self, user: &Arc<str>) -> Verdict {
        let fact = self.fact;
        let seen = self.state.seen(user).at_all;
        let is_there = !self.state.logins(user).is_empty() || seen.is_some_and(|at| at >= fact.at.micros - GRACE);
        let is_sudo = matches!(fact.service(), "sudo");
        if is_there || !is_sudo || fact.tty.is_none() {
            return Verdict::default();
        }
        self.suspect(user, Suspicion::SudoWithoutSession);
        Verdict { suspicion: Some(Suspicion::SudoWithoutSession), ..Verdict::default() }
    }

    fn same_change(&self, became: &Arc<str>) -> Option<Arc<Actor>> {
        let process = self.state.process(self.fact.pid?)?;
        let is_same = &*process.service == self.fact.service() && &process.actor.account == became;
        (is_same && process.actor.became.is_some()).then(|| Arc::clone(&process.actor))
    }

    /// From here on somebody acts as another account too.
    fn become_as(&mut self, tie: Tie, account: &Arc<str>) -> Arc<Actor> {
        let fact = self.fact;
        let login = tie.actor.login;
        let number = self.state.number();
        let became = Became {
            from: tie.actor,
            via: tie.via,
            confidence: tie.confidence,
            when: fact.at.micros,
            seq: fact.seq,
            service: fact.service.clone().unwrap_or_else(|| Arc::from("")),
            program: fact.object.clone(),
            pid: fact.pid,
            tty: fact.tty.clone(),
        };
        let actor = Arc::new(Actor { number, login, account: Arc::clone(account), became: Some(became) });
        // What several logins have in common is nobody that others could be tied to.
        if tie.is_common {
            return actor;
        }
        if let Some(tty) = &fact.tty {
            let key = Key::Tty(Arc::clone(tty));
            let mut actors = self.state.actors(&key).to_vec();
            if actors.first().is_none_or(|owner| owner.login != login) {
                actors = actor.hops().last().map(|owner| Arc::new(owner.clone())).into_iter().collect();
                self.add_key(login, key.clone());
            }
            // Whoever types here again has come back from what was above.
            if let Some(from) = actor.became.as_ref().map(|became| became.from.number)
                && let Some(at) = actors.iter().position(|have| have.number == from)
            {
                actors.truncate(at + 1);
            }
            actors.push(Arc::clone(&actor));
            if actors.len() > LIST {
                actors.remove(1);
            }
            self.state.set_actors(key, actors);
        }
        if let Some(pid) = fact.pid {
            let service = fact.service.clone().unwrap_or_else(|| Arc::from(""));
            let process = Process { actor: Arc::clone(&actor), service, has_pam: fact.act == Act::PamOpen };
            let stale = self
                .state
                .process(pid)
                .filter(|process| process.actor.became.is_none())
                .map(|process| process.actor.login);
            if let Some(stale) = stale.filter(|stale| *stale != login) {
                self.close(stale);
            }
            self.state.set(Key::Pid(pid), Value::Process(process));
        }
        self.push(Key::Become(login), &actor);
        if let Some(program) = &fact.object {
            self.push(Key::Running(Arc::clone(program)), &actor);
        }
        actor
    }

    fn push(&mut self, key: Key, actor: &Arc<Actor>) {
        let mut actors = self.state.actors(&key).to_vec();
        actors.push(Arc::clone(actor));
        if actors.len() > LIST {
            actors.remove(0);
        }
        self.state.set_actors(key, actors);
    }

    /// PAM's session of sudo or su: the same process, or without one, what was said just before.
    fn become_pam(&mut self) -> Verdict {
        let fact = self.fact;
        let Some(became) = &fact.became else { return tied(self.by_process()) };
        if let Some(actor) = self.same_change(became) {
            self.has_pam(&actor);
            return tied(Some(Tie { actor, via: Via::Pid, confidence: Confidence::High, is_common: false }));
        }
        let Some(user) = &fact.user else { return Verdict::default() };
        let Some(tie) = self.resolve(Some(Arc::clone(user))) else { return Verdict::default() };
        let before = self.state.actors(&Key::Become(tie.actor.login)).iter().rev().find(|actor| {
            let said = actor.became.as_ref();
            &actor.account == became
                && said.is_some_and(|said| {
                    said.service.as_ref() == fact.service()
                        && said.pid.is_none()
                        && near(said.when, fact.at.micros)
                        && &said.from.account == user
                })
        });
        // The line just before it, of the same program, says the rest.
        if let Some(actor) = before.cloned() {
            return tied(Some(Tie { actor, via: Via::Command, confidence: Confidence::Medium, is_common: false }));
        }
        let actor = self.become_as(tie.clone(), became);
        tied(Some(Tie { actor, ..tie }))
    }

    fn has_pam(&mut self, actor: &Arc<Actor>) {
        let Some(pid) = self.fact.pid else { return };
        if let Some(process) = self.state.process(pid).filter(|process| !process.has_pam && &process.actor == actor) {
            let process = Process { has_pam: true, ..process.clone() };
            self.state.set(Key::Pid(pid), Value::Process(process));
        }
    }

    fn become_pam_end(&mut self) -> Verdict {
        if let Some(tie) = self.by_process() {
            if tie.actor.became.is_some() {
                self.end(&tie.actor);
                let mut open = self.state.actors(&Key::Become(tie.actor.login)).to_vec();
                open.retain(|actor| actor.number != tie.actor.number);
                self.state.set_actors(Key::Become(tie.actor.login), open);
            }
            return tied(Some(tie));
        }
        Verdict::default()
    }

    /// Somebody does not act as another account any more.
    fn end(&mut self, actor: &Arc<Actor>) {
        let Some(became) = &actor.became else { return };
        let lists = [became.tty.clone().map(Key::Tty), became.program.clone().map(Key::Running)];
        for key in lists.into_iter().flatten() {
            let mut actors = self.state.actors(&key).to_vec();
            let before = actors.len();
            match (&key, actors.iter().position(|have| have.number == actor.number)) {
                // Whoever came after on this terminal came out of it.
                (Key::Tty(_), Some(at)) => actors.truncate(at),
                (_, Some(at)) => drop(actors.remove(at)),
                (_, None) => {}
            }
            if actors.len() != before {
                self.state.set_actors(key, actors);
            }
        }
        if let Some(pid) = became.pid
            && self.state.process(pid).is_some_and(|process| process.actor.number == actor.number)
        {
            self.state.remove(&Key::Pid(pid));
        }
    }
}

/// What is remembered of accounts, and suspicions.
impl Fold<'_> {
    fn note_seen(&mut self, user: &Arc<str>, is_let_in: bool) {
        let now = self.fact.at.micros;
        let before = self.state.seen(user);
        let let_in = if is_let_in { Some(now) } else { before.let_in };
        let seen = Seen { let_in, at_all: Some(now) };
        self.state.set(Key::Seen(Arc::clone(user)), Value::Seen(seen));
        let explained: &[Suspicion] = match is_let_in {
            true => &[Suspicion::SessionWithoutAuth, Suspicion::SudoWithoutSession],
            false => &[Suspicion::SudoWithoutSession],
        };
        self.explain_some(user, now - GRACE, explained);
    }

    fn note_uid(&mut self, user: &Arc<str>) {
        if let Some(uid) = self.fact.uid.filter(|_| self.fact.is_trusted) {
            let key = Key::Uid(uid);
            if !matches!(self.state.get(&key), Some(Value::Name(known)) if known == user) {
                self.state.set(key, Value::Name(Arc::clone(user)));
            }
        }
    }

    fn suspect(&mut self, user: &Arc<str>, suspicion: Suspicion) {
        let mut suspects = self.state.suspects(user).to_vec();
        suspects.push((self.fact.at, suspicion));
        if suspects.len() > LIST {
            suspects.remove(0);
        }
        self.state.set(Key::Suspects(Arc::clone(user)), Value::Suspects(Arc::new(suspects)));
    }

    /// Somebody was there after all: a session ended that began before anybody looked.
    fn explain(&mut self, user: &Arc<str>, since: i64) {
        self.explain_some(user, since, &[Suspicion::SudoWithoutSession]);
    }

    fn explain_some(&mut self, user: &Arc<str>, since: i64, which: &[Suspicion]) {
        let suspects = self.state.suspects(user);
        if suspects.is_empty() {
            return;
        }
        let is_explained = |(at, suspicion): &(_, Suspicion)| {
            let at: &super::fact::At = at;
            at.micros >= since && which.contains(suspicion)
        };
        let (explained, left): (Vec<_>, Vec<_>) = suspects.iter().copied().partition(is_explained);
        if explained.is_empty() {
            return;
        }
        for (at, _) in explained {
            self.state.set(Key::Explained(at), Value::Explained);
        }
        let key = Key::Suspects(Arc::clone(user));
        match left.is_empty() {
            true => self.state.remove(&key),
            false => self.state.set(key, Value::Suspects(Arc::new(left))),
        }
    }
}

fn is_becoming(service: &str) -> bool {
    matches!(service, "sudo" | "su" | "doas" | "pkexec" | "polkit-1" | "run0" | "systemd-run0")
}

fn near(opened: i64, now: i64) -> bool {
    (0..=TOGETHER).contains(&(now - opened))
}
