//! What one message says, borrowed from it: allocated only when it goes into an event.

use std::net::IpAddr;

use serde_json::{Map, Value};

use crate::event::{Event, Family, Named, Outcome};
use crate::sources::run_record::runs;

/// The facts of one message. What the message does not say stays empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Reading<'a> {
    pub(super) action: &'static str,
    pub(super) category: &'static [&'static str],
    pub(super) outcome: Outcome,
    pub(super) reason: Option<&'a str>,
    /// Who acted.
    pub(super) user: Option<&'a str>,
    pub(super) uid: Option<&'a str>,
    /// Whom they became.
    pub(super) became: Option<&'a str>,
    pub(super) became_uid: Option<&'a str>,
    /// Address or name of the machine they came from.
    pub(super) remote: Option<&'a str>,
    pub(super) port: Option<u16>,
    pub(super) session: Option<&'a str>,
    pub(super) key: Option<&'a str>,
    pub(super) object: Option<&'a str>,
    pub(super) command: Option<&'a str>,
    /// Ids of the runs around it, as `WHODID_RUN` has them.
    pub(super) run: Option<&'a str>,
    /// The user acted on.
    pub(super) target: Option<&'a str>,
    pub(super) target_uid: Option<&'a str>,
    pub(super) group: Option<&'a str>,
    pub(super) gid: Option<&'a str>,
    pub(super) tty: Option<&'a str>,
    pub(super) cwd: Option<&'a str>,
    /// For `detail.auth`.
    pub(super) detail: Vec<(&'static str, &'a str)>,
}

pub(super) const AUTHENTICATION: &[&str] = &["authentication"];
pub(super) const AUTHENTICATION_SESSION: &[&str] = &["authentication", "session"];
pub(super) const CONFIGURATION: &[&str] = &["configuration"];
pub(super) const FILE: &[&str] = &["file"];
pub(super) const HOST: &[&str] = &["host"];
pub(super) const IAM: &[&str] = &["iam"];
pub(super) const NETWORK: &[&str] = &["network"];
pub(super) const PROCESS: &[&str] = &["process"];
pub(super) const SESSION: &[&str] = &["session"];

/// The message can be read in several ways, because it quotes text that looks like its own form.
pub(super) const AMBIGUOUS: (&str, &str) = ("ambiguous", "true");

impl<'a> Reading<'a> {
    pub(super) fn of(action: &'static str, category: &'static [&'static str]) -> Self {
        Self { action, category, ..Self::default() }
    }

    pub(super) fn success(action: &'static str, category: &'static [&'static str]) -> Self {
        Self { outcome: Outcome::Success, ..Self::of(action, category) }
    }

    pub(super) fn failure(action: &'static str, category: &'static [&'static str]) -> Self {
        Self { outcome: Outcome::Failure, ..Self::of(action, category) }
    }

    pub(super) fn with(mut self, key: &'static str, value: &'a str) -> Self {
        if !value.is_empty() {
            self.detail.push((key, value));
        }
        self
    }

    /// Writes the facts into the event.
    pub(super) fn fill(&self, event: &mut Event) {
        event.what.action = self.action.to_owned();
        event.what.category = self.category.iter().map(|category| (*category).to_owned()).collect();
        event.outcome = self.outcome;
        event.reason = owned(self.reason);
        event.who.kind = self.kind().map(str::to_owned);
        event.who.name = owned(self.user);
        event.who.id = owned(self.uid);
        event.who.as_ = named(self.became, self.became_uid);
        event.who.port = self.port;
        event.who.session = owned(self.session);
        event.who.key = owned(self.key);
        event.what.object = owned(self.object);
        event.what.command = owned(self.command);
        event.what.run = self.run.and_then(runs).unwrap_or_default();
        event.what.target = named(self.target, self.target_uid);
        event.what.group = named(self.group, self.gid);
        event.place.tty = owned(self.tty.map(without_dev));
        event.place.cwd = owned(self.cwd);
        self.fill_remote(event);
        self.fill_detail(event);
    }

    /// All at once: `detail.auth` is looked up once a line.
    fn fill_detail(&self, event: &mut Event) {
        if self.detail.is_empty() {
            return;
        }
        let slot = event.detail.entry(Family::Auth.detail_key()).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(facts) = slot {
            facts.extend(self.detail.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))));
        }
    }

    fn kind(&self) -> Option<&'static str> {
        match (self.user.filter(|user| !user.is_empty()), self.uid) {
            (Some("root"), _) | (_, Some("0")) => Some("root"),
            (None, None) => None,
            _ => Some("user"),
        }
    }

    fn fill_remote(&self, event: &mut Event) {
        let Some(remote) = self.remote else { return };
        match address(remote) {
            Some(ip) => event.who.ip = Some(ip),
            None if is_host_name(remote) => event.who.host = Some(remote.to_owned()),
            None => {}
        }
    }
}

fn owned(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}

fn named(name: Option<&str>, id: Option<&str>) -> Option<Named> {
    let named = Named { name: owned(name), id: owned(id) };
    (named != Named::default()).then_some(named)
}

fn without_dev(tty: &str) -> &str {
    tty.strip_prefix("/dev/").unwrap_or(tty)
}

/// An address, also in brackets or with the zone of a link-local one.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let (inner, _zone) = inner.split_once('%').unwrap_or((inner, ""));
    inner.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// sshd writes UNKNOWN where there is no connection any more.
fn is_host_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') || byte >= 0x80;
    (1..=255).contains(&text.len()) && text != "UNKNOWN" && text.bytes().all(is_part)
}

/// `'bob' …`: the text between the quotes, and what follows them.
pub(super) fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix(['\'', '`', '"'])?.split_once(['\'', '"'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_names() {
        for text in ["192.0.2.1", "2001:db8::1", "[2001:db8::1]", "fe80::1%eth0", "::ffff:192.0.2.1"] {
            assert!(address(text).is_some(), "{text}");
        }
        assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
        for text in ["192.0.2.1.example.com", "192.0.2", "example", "", "1.2.3.4 "] {
            assert_eq!(address(text), None, "{text}");
        }
        assert!(is_host_name("db-1.example.com") && !is_host_name("UNKNOWN") && !is_host_name("a b"));
    }
}
