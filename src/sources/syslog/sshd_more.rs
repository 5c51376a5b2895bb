//! sshd: everything but logins: probes, problems, sessions within a connection, start and stop.

use super::reading::{AUTHENTICATION, NETWORK, PROCESS, Reading, SESSION};
use super::remote::{self, Remote};

pub(super) fn read(text: &str) -> Option<Reading<'_>> {
    let (first, rest) = text.split_once(' ')?;
    match first {
        "Did" => {
            let remote = remote::from_host(rest.strip_prefix("not receive identification string ")?)?;
            Some(probe(remote, "no identification string"))
        }
        "Bad" => bad_version(rest),
        "Could" => match rest.strip_prefix("not write ident string to ") {
            Some(host) => Some(probe(remote::at_start(host)?.0, "gone before the identification")),
            None => None,
        },
        "banner" => starting_with(rest, "exchange: Connection from "),
        "Unable" => {
            let probe = Reading::failure("ssh.probe", NETWORK);
            super::sshd::because(probe, rest.strip_prefix("to negotiate with ")?)
        }
        "Timeout" => timeout(rest.strip_prefix("before authentication for ")?),
        "reverse" | "Address" | "Nasty" => name_mismatch(text),
        "Server" => {
            rest.starts_with("listening on ").then(|| Reading::of("ssh.start", PROCESS).with("listening", rest))
        }
        "Exiting" => Some(Reading { reason: Some(rest), ..Reading::of("ssh.stop", PROCESS) }),
        "PAM" => super::pam::more_failures(rest),
        "Protocol" => starting_with(rest, "major versions differ for "),
        "ROOT" => {
            let rest = rest.strip_prefix("LOGIN REFUSED FROM ")?;
            let (remote, _) = remote::at_start(rest)?;
            Some(refused("root", Some(remote), "root may not log in"))
        }
        "Authentication" => authentication(rest),
        "input_userauth_request:" => {
            let user = rest.strip_prefix("invalid user ").unwrap_or(rest.strip_prefix("invalid user")?);
            Some(Reading { user: Some(user), ..Reading::failure("ssh.auth.request", AUTHENTICATION) })
        }
        "Starting" => starting(rest.strip_prefix("session: ")?),
        "Close" => close(rest.strip_prefix("session: ")?),
        "subsystem" => {
            let (name, user) = rest.strip_prefix("request for ")?.rsplit_once(" by user ")?;
            if user.ends_with(" failed, subsystem not found") {
                return None;
            }
            Some(Reading { user: Some(user), object: Some(name), ..Reading::of("ssh.subsystem", SESSION) })
        }
        "refused" => {
            let host = rest.strip_prefix("connect from ")?;
            let inner = host.rsplit_once('(').and_then(|(_, inner)| inner.strip_suffix(')'));
            let host = inner.unwrap_or(host);
            Some(Reading { remote: Some(host), ..Reading::failure("ssh.refused", NETWORK) })
        }
        "drop" => dropped(rest.strip_prefix("connection #")?),
        "Timeout," => lost(rest.strip_prefix("client not responding from ")?, "client not responding"),
        "terminating" => lost(rest.strip_prefix("inactive connection from ")?, "inactive"),
        "warning:" => super::sshd_forms::read(rest),
        _ => tagged(text),
    }
}

/// `3 from [203.0.113.7]:50122 on [192.0.2.10]:22 past MaxStartups`, or `penalty: failed authentication`.
fn dropped(rest: &str) -> Option<Reading<'_>> {
    let (_, rest) = rest.split_once(" from [")?;
    let (host, rest) = rest.split_once("]:")?;
    let (port, rest) = rest.split_once(" on [")?;
    let (_, rest) = rest.split_once("]:")?;
    let (_, reason) = rest.split_once(' ')?;
    let reading = Reading::failure("ssh.refused", NETWORK);
    Some(Reading { remote: Some(host), port: port.parse().ok(), reason: Some(reason), ..reading })
}

/// A connection that ended without a word: `user ana 203.0.113.7 port 50122`.
fn lost<'a>(peer: &'a str, reason: &'a str) -> Option<Reading<'a>> {
    let (remote, user, _) = super::sshd::peer(peer)?;
    let reading =
        Reading { user, remote: Some(remote.host), port: remote.port, ..Reading::of("ssh.disconnect", NETWORK) };
    Some(Reading { reason: Some(reason), ..reading })
}

/// `ssh_dispatch_run_fatal: Connection from [authenticating user NAME ]HOST port N: reason`
pub(super) fn tagged(text: &str) -> Option<Reading<'_>> {
    let (tag, rest) =
        text.split_once(": Connection from ").or_else(|| Some(("", text.strip_prefix("Connection from ")?)))?;
    if tag.contains(' ') {
        return None;
    }
    let reading = match rest.ends_with(": refusing non-sftp session") {
        true => Reading::failure("ssh.refused", AUTHENTICATION),
        false => Reading::of("ssh.disconnect", NETWORK),
    };
    super::sshd::because(reading, rest)
}

pub(super) fn trouble(text: &str) -> Reading<'_> {
    Reading { reason: Some(text), ..Reading::failure("ssh.error", NETWORK) }
}

/// `key ED25519 SHA256:47DE… found at /home/alice/.ssh/authorized_keys:1`: which line lets a key in. The file's
/// owner names the user, this message does not.
pub(super) fn key(rest: &str) -> Option<Reading<'_>> {
    let reading = Reading::of("ssh.key.found", AUTHENTICATION);
    if let Some(rest) = rest.strip_prefix("key ") {
        let (key, path) = rest.split_once(" found at ")?;
        let (kind, fingerprint) = key.split_once(' ')?;
        return Some(Reading { key: Some(fingerprint), object: Some(path), ..reading }.with("key_type", kind));
    }
    let (before, path) = rest.strip_prefix("certificate ID \"")?.rsplit_once(" via ")?;
    let (before, ca) = before.rsplit_once(") signed by ")?;
    let (id, serial) = before.rsplit_once("\" (serial ")?;
    let reading = reading.with("certificate_id", id).with("certificate_serial", serial).with("certificate_ca", ca);
    Some(Reading { object: Some(path), ..reading })
}

/// What follows `User` and is no refusal.
pub(super) fn user(rest: &str) -> Option<Reading<'_>> {
    let pid = rest.strip_prefix("child is on pid ")?;
    Some(Reading::of("ssh.child", PROCESS).with("child", pid))
}

fn probe<'a>(remote: Remote<'a>, reason: &'a str) -> Reading<'a> {
    let reading = Reading::failure("ssh.probe", NETWORK);
    Reading { remote: Some(remote.host), port: remote.port, reason: Some(reason), ..reading }
}

/// `protocol version identification 'GET / HTTP/1.1' from HOST port N`: what the client sent may hold anything.
fn bad_version(rest: &str) -> Option<Reading<'_>> {
    let rest = rest.strip_prefix("protocol version identification '")?;
    let remote = remote::from_host(rest.strip_suffix(':').unwrap_or(rest))?;
    Some(probe(remote, "bad protocol version").with("sent", remote.before.strip_suffix('\'')?))
}

/// `HOST port N: reason` after a beginning.
fn starting_with<'a>(rest: &'a str, beginning: &str) -> Option<Reading<'a>> {
    let (remote, reason) = remote::at_start(rest.strip_prefix(beginning)?)?;
    Some(probe(remote, reason.trim_start_matches([':', ' '])))
}

/// `HOST port N`, and since OpenSSH 9.8 `connection from HOST to HOST, pid = N`.
fn timeout(rest: &str) -> Option<Reading<'_>> {
    const REASON: &str = "timeout before authentication";
    if let Some(rest) = rest.strip_prefix("connection from ") {
        let (ends, child) = rest.split_once(", pid = ")?;
        let (host, to) = ends.split_once(" to ").unwrap_or((ends, ""));
        let probe = probe(Remote { before: "", host, port: None }, REASON);
        return Some(probe.with("to", to).with("child", child));
    }
    let (remote, _) = remote::at_start(rest)?;
    Some(probe(remote, REASON))
}

/// The name of an address leads to another address. The name is whatever the address's owner chose.
fn name_mismatch(text: &str) -> Option<Reading<'_>> {
    let (host, name) = if let Some(rest) = text.strip_prefix("reverse mapping checking getaddrinfo for ") {
        let (before, _) = rest.rsplit_once("] failed")?;
        let (name, host) = before.rsplit_once(" [")?;
        (host, name)
    } else if let Some(rest) = text.strip_prefix("Address ") {
        let (host, rest) = rest.split_once(" maps to ")?;
        (host, rest.split_once(", but this does not map back")?.0)
    } else {
        let rest = text.strip_prefix("Nasty PTR record \"")?;
        let (name, rest) = rest.rsplit_once("\" is set up for ")?;
        (rest.split_once(',')?.0, name)
    };
    let reading = Reading::failure("ssh.name_mismatch", NETWORK).with("name", name);
    Some(Reading { remote: Some(host), ..reading })
}

fn refused<'a>(user: &'a str, remote: Option<Remote<'a>>, reason: &'a str) -> Reading<'a> {
    let reading = Reading::failure("ssh.refused", AUTHENTICATION);
    Reading {
        user: Some(user),
        remote: remote.map(|remote| remote.host),
        port: remote.and_then(|remote| remote.port),
        reason: Some(reason),
        ..reading
    }
}

/// What follows `Authentication`: a key that may not be used, or a file that anybody may write.
fn authentication(rest: &str) -> Option<Reading<'_>> {
    if let Some(rest) = rest.strip_prefix("tried for ") {
        let (user, rest) = rest.split_once(" with correct key but not from a permitted host (host=")?;
        let (_, ip) = rest.strip_suffix(").").or_else(|| rest.strip_suffix(')'))?.split_once(", ip=")?;
        let remote = Remote { before: "", host: ip, port: None };
        return Some(refused(user, Some(remote), "correct key, but not from a permitted host"));
    }
    let reason = rest.strip_prefix("refused: ")?;
    Some(Reading { reason: Some(reason), ..Reading::failure("ssh.refused", AUTHENTICATION) })
}

/// `shell on pts/0 for alice from 203.0.113.7 port 50122 id 0`; only a forced command is named.
fn starting(rest: &str) -> Option<Reading<'_>> {
    let (rest, id) = rest.rsplit_once(" id ")?;
    let remote = remote::from_host_port(rest)?;
    // Forced commands and subsystems are quoted, and may hold anything; the user has an account here.
    let (what, user) = remote.before.rsplit_once(" for ")?;
    let (what, tty) = match what.rsplit_once(" on ") {
        Some((what, tty)) if !tty.contains([' ', '\'']) => (what, Some(tty)),
        _ => (what, None),
    };
    let (kind, inner) = what.split_once(" '").map_or((what, None), |(kind, rest)| (kind, rest.strip_suffix('\'')));
    let reading = Reading::success("ssh.session.start", SESSION).with("session", kind).with("channel", id);
    let reading = Reading { user: Some(user), remote: Some(remote.host), port: remote.port, tty, ..reading };
    Some(match kind {
        "subsystem" => Reading { object: inner, ..reading },
        _ => Reading { command: inner, ..reading },
    })
}

/// `user alice from 203.0.113.7 port 50122 id 0`
fn close(rest: &str) -> Option<Reading<'_>> {
    let (rest, _id) = rest.rsplit_once(" id ")?;
    let remote = remote::from_host_port(rest.strip_prefix("user ")?)?;
    let reading = Reading::success("ssh.session.end", SESSION);
    Some(Reading { user: Some(remote.before), remote: Some(remote.host), port: remote.port, ..reading })
}
