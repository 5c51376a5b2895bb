//! sshd: who was let in, and who was not.
//!
//! An attempt to log in is one `Accepted` or `Failed` line (sshd's `auth_log`), and so one `ssh.login`:
//!
//! ```text
//! Accepted password for alice from 203.0.113.7 port 50122 ssh2
//! Failed password for invalid user oracle from 198.51.100.77 port 40116 ssh2
//! Accepted publickey for alice from 203.0.113.7 port 50122 ssh2: ED25519 SHA256:47DE…
//! Accepted publickey for alice from 203.0.113.7 port 50122 ssh2: ED25519-CERT SHA256:47DE… ID alice (serial 7) CA ED25519 SHA256:vi7k…
//! Accepted hostbased for alice from 203.0.113.7 port 50122 ssh2: RSA SHA256:47DE…, client user "alice", client host "h"
//! ```
//!
//! The user's name is free text of whoever connects, spaces included, and so is the `ID` of a certificate.

use super::reading::{self, AMBIGUOUS, AUTHENTICATION, AUTHENTICATION_SESSION, NETWORK, Reading};
use super::remote::{self, Remote};
use super::{sftp, sshd_forms, sshd_more};

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    let (text, phase) = phase(message);
    let reading = tell(text, phase).or_else(|| other(text))?;
    Some(if phase == Phase::Before { reading.with("phase", "preauth") } else { reading })
}

/// sshd marks what its child without rights wrote, before anybody was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Before,
    Unsaid,
}

/// Whatever is one form of message and nothing else. internal-sftp within a chroot speaks through sshd.
fn other(text: &str) -> Option<Reading<'_>> {
    let bare = text.strip_prefix("error: ").or_else(|| text.strip_prefix("fatal: "));
    let is_trouble = bare.is_some();
    let bare = bare.unwrap_or(text);
    sshd_forms::read(bare)
        .or_else(|| sftp::read(bare))
        // It names nobody.
        .or_else(|| is_trouble.then(|| sshd_more::trouble(bare)))
}

fn phase(message: &str) -> (&str, Phase) {
    match message.strip_suffix(" [preauth]") {
        Some(text) => (text, Phase::Before),
        None => (message.strip_suffix(" [postauth]").unwrap_or(message), Phase::Unsaid),
    }
}

fn tell(text: &str, phase: Phase) -> Option<Reading<'_>> {
    let (first, rest) = text.split_once(' ')?;
    match first {
        "Accepted" => {
            attempt(Reading::success("ssh.login", AUTHENTICATION_SESSION), rest).or_else(|| sshd_more::key(rest))
        }
        "Failed" => attempt(Reading::failure("ssh.login", AUTHENTICATION), rest),
        "Partial" => attempt(Reading::of("ssh.auth.partial", AUTHENTICATION), rest),
        "Postponed" => attempt(Reading::of("ssh.auth.postponed", AUTHENTICATION), rest),
        "Invalid" | "Illegal" => invalid_user(rest.strip_prefix("user ")?),
        "Received" => received(rest),
        "Disconnected" => left(rest.strip_prefix("from ")?, phase),
        "Connection" => connection(rest, phase).or_else(|| sshd_more::tagged(text)),
        "Disconnecting" => disconnecting(rest),
        "Disconnecting:" => Some(Reading { reason: Some(rest), ..Reading::of("ssh.disconnect", NETWORK) }),
        "User" => refused(rest),
        "error:" | "fatal:" => tell(rest, phase),
        "PAM:" => pam_error(rest),
        "maximum" => too_many(rest),
        _ => sshd_more::read(text),
    }
}

/// What follows `Accepted`, `Failed`, `Partial` or `Postponed`.
fn attempt<'a>(reading: Reading<'a>, rest: &'a str) -> Option<Reading<'a>> {
    let (method, rest) = rest.split_once(" for ")?;
    if method.contains(' ') {
        return None;
    }
    let reading = reading.with("method", method);
    let Some((remote, extra)) = origin(rest)? else { return Some(reading.with(AMBIGUOUS.0, AMBIGUOUS.1)) };
    let (user, is_known) = user(remote.before);
    let reading = Reading { user: Some(user), remote: Some(remote.host), port: remote.port, ..reading };
    let reading = if is_known { reading } else { reading.with("invalid_user", "true") };
    Some(match extra {
        Some(extra) => with_extra(reading, extra),
        None => reading,
    })
}

/// `invalid user NAME`, and `illegal user NAME` of old.
fn user(text: &str) -> (&str, bool) {
    match text.strip_prefix("invalid user ").or_else(|| text.strip_prefix("illegal user ")) {
        Some(user) => (user, false),
        // Whoever gave an empty name.
        None if matches!(text, "invalid user" | "illegal user") => ("", false),
        None => (text, true),
    }
}

/// Takes `USER from HOST port N ssh2[: extra]` apart; `Some(None)` if that can be done in several ways.
#[expect(clippy::option_option, reason = "another form, and an ambiguous one, are different here")]
fn origin(text: &str) -> Option<Option<(Remote<'_>, Option<&str>)>> {
    if let Some(head) = text.strip_suffix(" ssh2") {
        return Some(Some((remote::from_host_port(head)?, None)));
    }
    if let Some((head, extra)) = before_plain_key(text) {
        return Some(Some((remote::from_host_port(head)?, Some(extra))));
    }
    // Protocol 1 had no name of its own.
    if let Some(remote) = remote::from_host_port(text) {
        return Some(Some((remote, None)));
    }
    // Certificates and hosts bring free text of their own: only a single reading counts.
    let mut cuts = text.match_indices(MARK).filter_map(|(at, _)| {
        let remote = remote::from_host_port(text.get(..at)?)?;
        Some((remote, text.get(at + MARK.len()..)))
    });
    let first = cuts.next()?;
    Some(if cuts.next().is_some() { None } else { Some(first) })
}

const MARK: &str = " ssh2: ";

/// `… ssh2: TYPE FINGERPRINT` at the end. That of a certificate has `CA` where `ssh2:` stands here, and that of
/// a host ends with a quote; so no text that others chose can stand after this `ssh2:`.
fn before_plain_key(text: &str) -> Option<(&str, &str)> {
    let (before, fingerprint) = text.rsplit_once(' ')?;
    let (head, _kind) = before.rsplit_once(' ')?;
    let head = head.strip_suffix(" ssh2:").filter(|_| !fingerprint.ends_with('"'))?;
    Some((head, text.get(head.len() + MARK.len()..)?))
}

/// The key, certificate or host that vouched for the user.
fn with_extra<'a>(reading: Reading<'a>, extra: &'a str) -> Reading<'a> {
    let mut words = extra.splitn(3, ' ');
    let (Some(kind), Some(fingerprint)) = (words.next(), words.next()) else {
        return reading.with("principal", extra);
    };
    let reading = Reading { key: Some(fingerprint.trim_end_matches(',')), ..reading }.with("key_type", kind);
    let Some(rest) = words.next() else { return reading };
    if let Some((id, serial, ca)) = certificate(rest) {
        return reading.with("certificate_id", id).with("certificate_serial", serial).with("certificate_ca", ca);
    }
    match client(rest) {
        Some((user, host)) => reading.with("client_user", user).with("client_host", host),
        None => reading.with("extra", rest),
    }
}

/// `ID alice (serial 7) CA ED25519 SHA256:vi7k…`
fn certificate(text: &str) -> Option<(&str, &str, &str)> {
    let (before, ca) = text.strip_prefix("ID ")?.rsplit_once(" CA ")?;
    let (id, serial) = before.strip_suffix(')')?.rsplit_once(" (serial ")?;
    Some((id, serial, ca))
}

/// `client user "alice", client host "h"`
fn client(text: &str) -> Option<(&str, &str)> {
    let (user, host) = text.strip_prefix("client user \"")?.rsplit_once("\", client host \"")?;
    Some((user, host.strip_suffix('"')?))
}

/// `Invalid user NAME from HOST port N`: written before the attempt itself, so not one of its own.
fn invalid_user(rest: &str) -> Option<Reading<'_>> {
    let Remote { before, host, port } = remote::from_host(rest)?;
    let reading = Reading::failure("ssh.invalid_user", AUTHENTICATION);
    Some(Reading { user: Some(before), remote: Some(host), port, ..reading })
}

/// `Received disconnect from HOST port N:11: disconnected by user`
fn received(rest: &str) -> Option<Reading<'_>> {
    let Some(rest) = rest.strip_prefix("disconnect from ") else {
        let is_signal = rest.starts_with("signal ") || rest.starts_with("SIGHUP;");
        return is_signal.then(|| Reading { reason: Some(rest), ..Reading::of("ssh.stop", NETWORK) });
    };
    let (remote, rest) = remote::at_start(rest)?;
    let reason = rest.trim_start_matches([':', ' ']);
    let (code, reason) = reason.split_once(':').unwrap_or(("", reason));
    let reading = Reading::of("ssh.disconnect", NETWORK).with("code", code);
    Some(Reading { remote: Some(remote.host), port: remote.port, reason: Some(reason.trim_start()), ..reading })
}

/// `[user|authenticating user|invalid user NAME ]HOST port N`: only `user NAME` was logged in.
fn left(rest: &str, phase: Phase) -> Option<Reading<'_>> {
    let (remote, user, is_in) = peer(rest)?;
    let is_in = is_in && phase == Phase::Unsaid;
    let reading = match is_in {
        true => Reading::success("ssh.logout", AUTHENTICATION_SESSION),
        false => Reading::of("ssh.disconnect", NETWORK),
    };
    Some(Reading { user, remote: Some(remote.host), port: remote.port, ..reading })
}

pub(super) fn peer(text: &str) -> Option<(Remote<'_>, Option<&str>, bool)> {
    let Some(remote) = remote::host_port(text) else {
        // Without a port, before OpenSSH 7.
        let is_host = !text.is_empty() && !text.contains(' ');
        return is_host.then_some((Remote { before: "", host: text, port: None }, None, false));
    };
    let before = remote.before;
    let among = |prefix| before.strip_prefix(prefix);
    if let Some(user) = among("user ") {
        return Some((remote, Some(user), true));
    }
    let user = among("authenticating user ").or_else(|| among("invalid user "));
    (user.is_some() || matches!(before, "" | "invalid user" | "authenticating user")).then_some((remote, user, false))
}

/// What follows `Connection`.
fn connection(rest: &str, phase: Phase) -> Option<Reading<'_>> {
    if let Some(rest) = rest.strip_prefix("closed by ").or_else(|| rest.strip_prefix("reset by ")) {
        return left(rest, phase);
    }
    let rest = rest.strip_prefix("from ")?;
    if let Some(rest) = rest.strip_suffix(" timed out") {
        return Some(Reading { reason: Some("timed out"), ..left(rest, Phase::Before)? });
    }
    let (remote, rest) = remote::at_start(rest).filter(|(remote, _)| remote.port.is_some())?;
    if rest.starts_with([':', ' ']) && !rest.starts_with(" on ") {
        return None;
    }
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let reading = Reading::of("ssh.connection", NETWORK).with("to", rest.strip_prefix("on ").unwrap_or(rest));
    Some(Reading { remote: Some(remote.host), port: remote.port, ..reading })
}

/// `[authenticating |invalid ]user NAME HOST port N: Too many authentication failures`
fn disconnecting(rest: &str) -> Option<Reading<'_>> {
    because(Reading::of("ssh.disconnect", NETWORK), rest)
}

/// `PEER: reason`, where the peer may be a user's name and address.
pub(super) fn because<'a>(reading: Reading<'a>, rest: &'a str) -> Option<Reading<'a>> {
    const TOO_MANY: &str = ": Too many authentication failures";
    let cut = |at: usize| {
        let (remote, user, _) = peer(rest.get(..at)?)?;
        reading::address(remote.host)?;
        Some((remote, user, rest.get(at + 2..)))
    };
    // The name before the colon is free text, and some reasons quote names too: only a single reading counts.
    let (remote, user, reason) = if rest.ends_with(TOO_MANY) {
        cut(rest.len() - TOO_MANY.len())?
    } else {
        let mut cuts = rest.match_indices(": ").filter_map(|(at, _)| cut(at));
        let first = cuts.next()?;
        if cuts.next().is_some() {
            return Some(reading.with(AMBIGUOUS.0, AMBIGUOUS.1));
        }
        first
    };
    Some(Reading { user, remote: Some(remote.host), port: remote.port, reason, ..reading })
}

/// `User NAME [from HOST ]not allowed because …`
fn refused(rest: &str) -> Option<Reading<'_>> {
    let Some((who, reason)) = rest.rsplit_once(" not allowed because ") else {
        return sshd_more::user(rest);
    };
    let (user, host) = match who.rsplit_once(" from ") {
        Some((user, host)) if !host.contains(' ') => (user, Some(host)),
        _ => (who, None),
    };
    let reading = Reading::failure("ssh.refused", AUTHENTICATION);
    Some(Reading { user: Some(user), remote: host, reason: Some(reason), ..reading })
}

/// `Authentication failure for [illegal user ]NAME from HOST`: PAM's reason for a `Failed` line.
fn pam_error(rest: &str) -> Option<Reading<'_>> {
    let (reason, rest) = rest.split_once(" for ")?;
    let remote = remote::from_host(rest)?;
    let (user, _) = user(remote.before);
    let reading = Reading::failure("auth.failure", AUTHENTICATION).with("service", "sshd");
    Some(Reading { user: Some(user), remote: Some(remote.host), reason: Some(reason), ..reading })
}

/// `authentication attempts exceeded for [invalid user ]NAME from HOST port N ssh2`
fn too_many(rest: &str) -> Option<Reading<'_>> {
    const REASON: &str = "authentication attempts exceeded";
    let rest = rest.strip_prefix(REASON)?.strip_prefix(" for ")?.strip_suffix(" ssh2")?;
    let remote = remote::from_host_port(rest)?;
    let (user, _) = user(remote.before);
    let reading = Reading::failure("ssh.attempts_exceeded", AUTHENTICATION);
    Some(Reading { user: Some(user), remote: Some(remote.host), port: remote.port, ..reading })
}
