//! Who is on a machine at one moment: logins, terminals, processes and the accounts they have become.
//!
//! Every change is noted with what stood there before, so that a fact which arrives late can be put in its
//! place: what followed is taken back, and done again. So the state after a set of facts is the same whatever
//! order they arrived in.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::fact::At;
use crate::event::link::{Confidence, Via};

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    Login(u64),
    /// What a process speaks for.
    Pid(u32),
    Port(IpAddr, u16),
    Tty(Arc<str>),
    /// Of logind or the kernel's audit.
    Session(Arc<str>),
    /// The open logins of an account.
    User(Arc<str>),
    /// What a login's people have become and still are.
    Become(u64),
    /// The commands that run a program as another account.
    Running(Arc<str>),
    /// Which account has a uid.
    Uid(u32),
    /// Whether an account was removed.
    Account(Arc<str>),
    /// When an account last was let in or seen.
    Seen(Arc<str>),
    /// What is suspicious of an account.
    Suspects(Arc<str>),
    /// A suspicion that later facts explained.
    Explained(At),
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Login(Arc<Login>),
    Process(Process),
    Actor(Arc<Actor>),
    /// The owner of a terminal and whom they became there, or commands side by side.
    Actors(Arc<Vec<Arc<Actor>>>),
    Logins(Logins),
    Name(Arc<str>),
    IsRemoved(bool),
    Seen(Seen),
    Suspects(Arc<Vec<(At, Suspicion)>>),
    Explained,
}

/// One time that somebody was let in.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Login {
    pub(super) number: u64,
    pub(super) account: Arc<str>,
    /// The address or machine, or the terminal of a console.
    pub(super) place: Option<Arc<str>>,
    pub(super) ip: Option<IpAddr>,
    pub(super) port: Option<u16>,
    pub(super) key: Option<Arc<str>>,
    pub(super) certificate: Option<Arc<str>>,
    pub(super) session: Option<Arc<str>>,
    pub(super) opened: i64,
    /// sshd or login said so, not wtmp alone.
    pub(super) is_authenticated: bool,
    /// PAM opened a session and will close it.
    pub(super) has_pam: bool,
    pub(super) has_tty: bool,
    pub(super) is_trusted: bool,
    /// Places in the trail.
    pub(super) evidence: Vec<u64>,
    /// What leads here, to be cleared away with it.
    pub(super) keys: Vec<Key>,
}

/// A person as one account: that of the login, or one they became.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Actor {
    pub(super) number: u64,
    pub(super) login: u64,
    pub(super) account: Arc<str>,
    pub(super) became: Option<Became>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Became {
    pub(super) from: Arc<Actor>,
    /// How it is known who it was that became another.
    pub(super) via: Via,
    pub(super) confidence: Confidence,
    pub(super) when: i64,
    pub(super) seq: u64,
    pub(super) service: Arc<str>,
    pub(super) program: Option<Arc<str>>,
    pub(super) pid: Option<u32>,
    pub(super) tty: Option<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Process {
    pub(super) actor: Arc<Actor>,
    pub(super) service: Arc<str>,
    /// PAM opened a session for it.
    pub(super) has_pam: bool,
}

/// Open logins of one account, newest last.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Logins {
    numbers: [u64; LOGINS],
    count: u32,
    /// Those that did not fit.
    more: u32,
}

/// Of more, nobody can say which one it was anyway.
const LOGINS: usize = 8;

/// Fewer entries are not worth a sweep.
const SWEEP_MIN: usize = 65_536;

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) let_in: Option<i64>,
    pub(super) at_all: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suspicion {
    SessionWithoutAuth,
    SudoWithoutSession,
    LoginOfUnknownAccount,
}

/// Numbers that count up, and how many are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Marks {
    next: u64,
    /// No login below this number is open.
    oldest: u64,
    pub(super) open: u64,
    /// Logins that were let go because there were too many.
    pub(super) forgotten: u64,
}

#[derive(Debug, Clone, Default)]
pub(super) struct State {
    map: HashMap<Key, Value>,
    pub(super) marks: Marks,
    undo: Vec<Undo>,
    /// How many entries there are when the next sweep is due.
    sweep_at: usize,
}

/// What a change took away.
#[derive(Debug, Clone)]
enum Undo {
    Set(Key, Option<Value>),
    All(HashMap<Key, Value>),
}

/// Everything that one fact changed.
#[derive(Debug, Clone)]
pub(super) struct Changes {
    marks: Marks,
    undo: Box<[Undo]>,
}

impl State {
    pub(super) fn get(&self, key: &Key) -> Option<&Value> {
        self.map.get(key)
    }

    pub(super) fn set(&mut self, key: Key, value: Value) {
        let before = self.map.insert(key.clone(), value);
        self.undo.push(Undo::Set(key, before));
    }

    pub(super) fn remove(&mut self, key: &Key) {
        if let Some((key, before)) = self.map.remove_entry(key) {
            self.undo.push(Undo::Set(key, Some(before)));
        }
    }

    /// Nothing survives a boot but which accounts there are.
    pub(super) fn reboot(&mut self) {
        let stays = |key: &Key| {
            matches!(key, Key::Account(_) | Key::Uid(_) | Key::Seen(_) | Key::Suspects(_) | Key::Explained(_))
        };
        let kept =
            self.map.iter().filter(|(key, _)| stays(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
        self.undo.push(Undo::All(std::mem::replace(&mut self.map, kept)));
        self.marks.open = 0;
        self.marks.oldest = self.marks.next;
    }

    /// Ends the work on one fact.
    pub(super) fn changes(&mut self, marks: Marks) -> Changes {
        Changes { marks, undo: std::mem::take(&mut self.undo).into_boxed_slice() }
    }

    /// Takes the newest changes back.
    pub(super) fn take_back(&mut self, changes: Changes) {
        for undo in changes.undo.into_vec().into_iter().rev() {
            match undo {
                Undo::Set(key, Some(before)) => drop(self.map.insert(key, before)),
                Undo::Set(key, None) => drop(self.map.remove(&key)),
                Undo::All(before) => self.map = before,
            }
        }
        self.marks = changes.marks;
    }

    /// Without a note: for what is only of use while a fact can still be moved.
    pub(super) fn forget(&mut self, key: &Key) {
        self.map.remove(key);
    }

    /// Lets go of names that were last seen before, once there are many: anybody can make names up.
    pub(super) fn sweep(&mut self, before: i64) {
        if self.map.len() <= self.sweep_at.max(SWEEP_MIN) {
            return;
        }
        self.map.retain(|_, value| !matches!(value, Value::Seen(seen) if seen.at_all.is_none_or(|at| at < before)));
        self.sweep_at = 2 * self.map.len();
    }

    pub(super) fn number(&mut self) -> u64 {
        self.marks.next += 1;
        self.marks.next - 1
    }

    /// The oldest open login.
    pub(super) fn oldest(&mut self) -> Option<u64> {
        while self.marks.oldest < self.marks.next {
            if self.map.contains_key(&Key::Login(self.marks.oldest)) {
                return Some(self.marks.oldest);
            }
            self.marks.oldest += 1;
        }
        None
    }
}

/// Each kind of key has one kind of value.
impl State {
    pub(super) fn login(&self, number: u64) -> Option<&Arc<Login>> {
        match self.get(&Key::Login(number))? {
            Value::Login(login) => Some(login),
            _ => None,
        }
    }

    pub(super) fn actor(&self, key: &Key) -> Option<&Arc<Actor>> {
        match self.get(key)? {
            Value::Actor(actor) => Some(actor),
            Value::Process(process) => Some(&process.actor),
            _ => None,
        }
    }

    pub(super) fn process(&self, pid: u32) -> Option<&Process> {
        match self.get(&Key::Pid(pid))? {
            Value::Process(process) => Some(process),
            _ => None,
        }
    }

    pub(super) fn actors(&self, key: &Key) -> &[Arc<Actor>] {
        match self.get(key) {
            Some(Value::Actors(actors)) => actors,
            _ => &[],
        }
    }

    pub(super) fn logins(&self, account: &Arc<str>) -> Logins {
        match self.get(&Key::User(Arc::clone(account))) {
            Some(Value::Logins(logins)) => *logins,
            _ => Logins::default(),
        }
    }

    pub(super) fn seen(&self, account: &Arc<str>) -> Seen {
        match self.get(&Key::Seen(Arc::clone(account))) {
            Some(Value::Seen(seen)) => *seen,
            _ => Seen::default(),
        }
    }

    pub(super) fn suspects(&self, account: &Arc<str>) -> &[(At, Suspicion)] {
        match self.get(&Key::Suspects(Arc::clone(account))) {
            Some(Value::Suspects(suspects)) => suspects,
            _ => &[],
        }
    }

    /// A list that became empty goes.
    pub(super) fn set_actors(&mut self, key: Key, actors: Vec<Arc<Actor>>) {
        match actors.is_empty() {
            true => self.remove(&key),
            false => self.set(key, Value::Actors(Arc::new(actors))),
        }
    }

    pub(super) fn set_logins(&mut self, account: &Arc<str>, logins: Logins) {
        let key = Key::User(Arc::clone(account));
        match logins == Logins::default() {
            true => self.remove(&key),
            false => self.set(key, Value::Logins(logins)),
        }
    }
}

impl Logins {
    pub(super) fn numbers(&self) -> &[u64] {
        self.numbers.get(..self.count as usize).unwrap_or_default()
    }

    /// Whether these are all that are open.
    pub(super) fn is_whole(&self) -> bool {
        self.more == 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0 && self.more == 0
    }

    /// Without room the oldest is only counted.
    pub(super) fn add(&mut self, number: u64) {
        if self.count as usize == LOGINS {
            self.numbers.rotate_left(1);
            self.count -= 1;
            self.more += 1;
        }
        if let Some(slot) = self.numbers.get_mut(self.count as usize) {
            *slot = number;
            self.count += 1;
        }
    }

    pub(super) fn remove(&mut self, number: u64) {
        match self.numbers().iter().position(|have| *have == number) {
            Some(at) => {
                self.numbers.copy_within(at + 1.., at);
                self.numbers[LOGINS - 1] = 0;
                self.count -= 1;
            }
            None => self.more = self.more.saturating_sub(1),
        }
    }
}

impl Actor {
    pub(super) fn of_login(login: &Login) -> Arc<Self> {
        Arc::new(Self { number: login.number, login: login.number, account: Arc::clone(&login.account), became: None })
    }

    /// From this account back to that of the login.
    pub(super) fn hops(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |actor| actor.became.as_ref().map(|became| &*became.from))
    }
}
