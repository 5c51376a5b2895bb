//! As much of an event as joining needs: evidence of who was there, or something that somebody did.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::event::{Event, EventId, Family, Outcome, Stamp, Trust, tag};

/// Where a fact stands among all facts of a machine. Stamps of syslog are whole seconds: within one, the
/// order of the file counts, and nothing that depends on when something was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct At {
    pub(super) micros: i64,
    stream: u64,
    generation: u32,
    pos: u64,
    pub(super) id: EventId,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fact {
    pub(super) at: At,
    pub(super) seq: u64,
    when: Stamp,
    observed: Stamp,
    is_suspect: bool,
    /// The kernel or journald vouch for it.
    pub(super) is_trusted: bool,
    /// What the journal tells is judged by what is vouched for, and by nothing else.
    pub(super) is_of_journal: bool,
    pub(super) act: Act,
    pub(super) is_success: bool,
    /// Who acted, and whom they became.
    pub(super) user: Option<Arc<str>>,
    pub(super) became: Option<Arc<str>>,
    pub(super) uid: Option<u32>,
    pub(super) loginuid: Option<u32>,
    /// The process that logind made a session for.
    pub(super) leader: Option<u32>,
    pub(super) ip: Option<IpAddr>,
    /// The machine they came from, where only its name is known.
    pub(super) from: Option<Arc<str>>,
    pub(super) port: Option<u16>,
    pub(super) key: Option<Arc<str>>,
    pub(super) certificate: Option<Arc<str>>,
    pub(super) session: Option<Arc<str>>,
    pub(super) tty: Option<Arc<str>>,
    pub(super) pid: Option<u32>,
    /// The program that speaks; with PAM, the one that PAM speaks for.
    pub(super) service: Option<Arc<str>>,
    /// The program that is run, or the account that is changed.
    pub(super) object: Option<Arc<str>>,
}

/// What a fact is for the joiner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Somebody was let in: sshd, login.
    Login,
    /// sshd says which process goes on for a user.
    Child(u32),
    /// sshd starts a shell, perhaps on a terminal.
    Shell,
    /// sshd says that a connection of a user is over.
    Left,
    PamOpen,
    PamClose,
    /// systemd-logind.
    SessionStart,
    SessionEnd,
    /// wtmp.
    TtyOpen {
        /// A window of tmux, screen or a terminal emulator: nobody logged in for it.
        is_window: bool,
    },
    TtyClose,
    /// sudo, su and the like.
    Become,
    Boot,
    AccountAdd,
    AccountRemove,
    /// Somebody tried an account that does not exist.
    Stranger,
    /// Nothing follows from it.
    Deed,
}

/// Services of PAM that no person asked for just then.
const UNATTENDED: &[&str] =
    &["cron", "crond", "CRON", "CROND", "atd", "anacron", "systemd-user", "runuser", "runuser-l"];

impl Fact {
    /// None for an event that neither shows nor needs who was there.
    pub(super) fn of(seq: u64, event: &Event) -> Option<Self> {
        // What journald denies happened to nobody.
        if event.tags.iter().any(|tag| tag == tag::SPOOF_SUSPECT) {
            return None;
        }
        let act = act(event)?;
        let detail = event.detail.get(event.source.kind.detail_key());
        let said = |key: &str| detail.and_then(|detail| detail.get(key)).and_then(Json::as_str);
        let number = |key: &str| detail.and_then(|detail| detail.get(key)).and_then(number);
        let pam = said("service").filter(|_| matches!(act, Act::PamOpen | Act::PamClose));
        let service = pam.or(event.place.service.as_deref()).map(program);
        if service.is_some_and(|service| UNATTENDED.contains(&service)) {
            return None;
        }
        if matches!(act, Act::SessionStart) && said("class").is_some_and(|class| !class.starts_with("user")) {
            return None;
        }
        let source = &event.source;
        let stream = source.lineage.map_or(0, |lineage| lineage.number());
        let at = At {
            micros: event.when.micros(),
            stream,
            generation: source.generation,
            pos: source.pos.unwrap_or(0),
            id: event.id,
        };
        let who = &event.who;
        let became = who.as_.as_ref().and_then(|became| became.name.as_deref());
        let object = match act {
            Act::AccountAdd | Act::AccountRemove => {
                event.what.target.as_ref().and_then(|target| target.name.as_deref())
            }
            Act::Become => event.what.object.as_deref().or(event.what.command.as_deref()).map(program),
            _ => None,
        };
        // Of a record that was handed over, the kernel's word counts, and where it has none, nothing does.
        let sender = event.detail.get(Family::Whodid.detail_key());
        let is_known = |fact: &str| sender.is_none_or(|sender| sender.get(fact).is_some());
        let tty = event.place.tty.as_deref().map(|tty| tty.strip_prefix("/dev/").unwrap_or(tty));
        Some(Self {
            at,
            seq,
            when: event.when,
            observed: event.observed,
            is_suspect: event.tags.iter().any(|tag| tag == tag::WHEN_SUSPECT),
            is_trusted: matches!(event.trust, Trust::Kernel | Trust::Journal | Trust::Signed),
            is_of_journal: event.trust == Trust::Journal,
            act,
            is_success: event.outcome != Outcome::Failure,
            user: who.name.as_deref().filter(|name| !name.is_empty()).map(Arc::from),
            became: became.filter(|name| !name.is_empty()).map(Arc::from),
            uid: who.id.as_deref().and_then(|id| id.parse().ok()),
            loginuid: number("loginuid").filter(|uid| *uid != u32::MAX),
            leader: number("leader"),
            ip: who.ip,
            from: who.host.as_deref().map(Arc::from),
            port: who.port,
            key: who.key.as_deref().map(Arc::from),
            certificate: said("certificate_id").map(Arc::from),
            session: who.session.as_deref().filter(|session| !session.is_empty()).map(Arc::from),
            tty: tty.filter(|tty| is_terminal(tty) && is_known("tty")).map(Arc::from),
            pid: event.place.pid.filter(|_| is_known("pid")),
            service: service.map(Arc::from),
            object: object.map(Arc::from),
        })
    }

    pub(super) fn service(&self) -> &str {
        self.service.as_deref().unwrap_or_default()
    }

    /// The stamps of a link about it.
    pub(super) fn stamps(&self) -> (Stamp, Stamp, bool) {
        (self.when, self.observed, self.is_suspect)
    }
}

fn act(event: &Event) -> Option<Act> {
    let is_utmp = match event.source.kind {
        Family::Auth => false,
        Family::Wtmp => true,
        family => match family.name() {
            "journal" | "exec" | "ansible" => false,
            "wtmpdb" => true,
            _ => return None,
        },
    };
    let is_success = event.outcome != Outcome::Failure;
    Some(match event.what.action.as_str() {
        "ssh.login" | "login" if is_success => Act::Login,
        "ssh.invalid_user" => Act::Stranger,
        "ssh.child" => {
            let detail = event.detail.get(event.source.kind.detail_key());
            Act::Child(detail.and_then(|detail| detail.get("child")).and_then(number)?)
        }
        "ssh.session.start" => Act::Shell,
        "ssh.logout" => Act::Left,
        "session.open" if is_utmp => Act::TtyOpen { is_window: is_window(event) },
        "session.close" if is_utmp => Act::TtyClose,
        "session.open" if !is_of_root_cron(event) => Act::PamOpen,
        "session.close" if !is_of_root_cron(event) => Act::PamClose,
        "session.start" => Act::SessionStart,
        "session.remove" => Act::SessionEnd,
        "system.boot" => Act::Boot,
        "user.add" if is_success => Act::AccountAdd,
        "user.remove" if is_success => Act::AccountRemove,
        action => match action.split_once('.')? {
            // A test, a refusal or a wrong password of somebody who is there.
            ("sudo", "command" | "list" | "validate" | "exit" | "continued")
            | ("su", "session" | "terminal")
            | ("pkexec" | "doas" | "run0", _) => Act::Become,
            ("run", _) if event.source.kind == Family::Auth => Act::Become,
            ("run" | "play" | "task" | "ansible" | "user" | "group" | "password" | "account", _) => Act::Deed,
            ("ssh", "session" | "session.end" | "subsystem") | ("session", "logout") => Act::Deed,
            ("auth", "spoof_suspect")
            | ("polkit", "authorize")
            | ("cron", "edit" | "edit_end" | "replace" | "list" | "delete") => Act::Deed,
            ("ssh" | "polkit" | "cron" | "log" | "host" | "session" | "auth" | "system" | "keyring", _) => return None,
            // Of the journal, whatever is done in a session.
            _ if event.who.session.is_some() => Act::Deed,
            _ => return None,
        },
    })
}

/// Most lines of a quiet machine: the minute's jobs of root.
fn is_of_root_cron(event: &Event) -> bool {
    event.place.service.as_deref().is_some_and(|service| UNATTENDED.contains(&service))
}

/// wtmp's host is no machine: `:0`, `tmux(77).%0`, `:pts/0:S.0`.
fn is_window(event: &Event) -> bool {
    let host = event.detail.get(event.source.kind.detail_key()).and_then(|detail| detail.get("host"));
    let is_said = host.and_then(Json::as_str).is_some_and(|host| !host.is_empty());
    is_said && event.who.ip.is_none() && event.who.host.is_none()
}

fn number(value: &Json) -> Option<u32> {
    match value {
        Json::String(text) => text.parse().ok(),
        other => u32::try_from(other.as_u64()?).ok(),
    }
}

/// `/usr/sbin/useradd -m ben` is `useradd`; a daemon's helpers speak for it.
fn program(text: &str) -> &str {
    let path = text.split(' ').next().unwrap_or(text);
    match path.rsplit('/').next().unwrap_or(path) {
        "sshd-session" | "sshd-auth" => "sshd",
        "su-l" => "su",
        "sudo-i" => "sudo",
        name => name,
    }
}

fn is_terminal(tty: &str) -> bool {
    !matches!(tty, "" | "ssh" | "unknown" | "?" | "none" | "???" | "cron" | "notty")
}
