//! login at a terminal, and dropbear, which logs people in over SSH.
//!
//! ```text
//! LOGIN ON tty1 BY alice
//! FAILED LOGIN (1) on '/dev/tty1' FOR 'alice', Authentication failure
//! Password auth succeeded for 'root' from 203.0.113.7:50122
//! ```

use super::reading::{AUTHENTICATION, AUTHENTICATION_SESSION, NETWORK, Reading};

/// login of util-linux and of shadow.
pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    let success = || Reading::success("login", AUTHENTICATION_SESSION);
    let failure = || Reading::failure("login", AUTHENTICATION);
    let with_remote = |text| match str::rsplit_once(text, " FROM ") {
        Some((text, host)) if !host.contains(' ') => (text, Some(host)),
        _ => (text, None),
    };
    if let Some(rest) = message.strip_prefix("ROOT LOGIN ON ") {
        let (tty, remote) = with_remote(rest);
        return Some(Reading { user: Some("root"), tty: Some(tty), remote, ..success() });
    }
    if let Some(rest) = message.strip_prefix("LOGIN ON ").or_else(|| message.strip_prefix("DIALUP AT ")) {
        let (tty, rest) = rest.split_once(" BY ")?;
        let (user, remote) = with_remote(rest);
        return Some(Reading { user: Some(user), tty: Some(tty), remote, ..success() });
    }
    if let Some(rest) = message.strip_prefix("ROOT LOGIN ") {
        // shadow's: ` on '/dev/tty1'`, with the place it came from.
        let (tty, _) = super::reading::quoted(rest.trim_start().strip_prefix("on ")?)?;
        return Some(Reading { user: Some("root"), tty: Some(tty), ..success() });
    }
    if let Some(rest) = message.strip_prefix("FAILED LOGIN ") {
        let (rest, reason) = rest.rsplit_once(", ")?;
        if let Some((rest, user)) = rest.split_once(" FOR ") {
            let tty = rest.split_once("on ").and_then(|(_, tty)| super::reading::quoted(tty)).map(|(tty, _)| tty);
            let remote = rest.split_once("FROM ").map(|(_, host)| host).filter(|host| !host.contains(' '));
            let user = user.strip_prefix('\'').and_then(|user| user.strip_suffix('\'')).unwrap_or(user);
            return Some(Reading { user: Some(user), reason: Some(reason), tty, remote, ..failure() });
        }
    }
    let rest = message.strip_prefix("invalid password for ")?;
    let (user, rest) = super::reading::quoted(rest)?;
    let tty = rest.strip_prefix(" on ").and_then(super::reading::quoted).map(|(tty, _)| tty);
    let user = Some(user).filter(|user| *user != "UNKNOWN");
    Some(Reading { user, reason: Some("invalid password"), tty, ..failure() })
}

/// An attempt is one `auth succeeded` or `attempt for` line.
pub(super) fn dropbear(message: &str) -> Option<Reading<'_>> {
    if let Some(rest) = message.strip_prefix("Exit (") {
        let (user, rest) = rest.split_once(") from <")?;
        let (origin, reason) = rest.split_once(">: ")?;
        let reading =
            Reading { user: Some(user), reason: Some(reason), ..Reading::of("ssh.logout", AUTHENTICATION_SESSION) };
        return from(origin, reading);
    }
    let (text, origin) = message.rsplit_once(" from ")?;
    if text == "Child connection" {
        return from(origin, Reading::of("ssh.connection", NETWORK));
    }
    if text == "Login attempt for nonexistent user" {
        return from(origin, Reading::failure("ssh.invalid_user", AUTHENTICATION));
    }
    let success = || Reading::success("ssh.login", AUTHENTICATION_SESSION);
    let failure = || Reading::failure("ssh.login", AUTHENTICATION);
    let (reading, rest) = [
        ("Password auth succeeded for ", "password", true),
        ("PAM password auth succeeded for ", "password", true),
        ("Pubkey auth succeeded for ", "publickey", true),
        ("Bad password attempt for ", "password", false),
        ("Bad PAM password attempt for ", "password", false),
    ]
    .into_iter()
    .find_map(|(start, method, is_in)| {
        let reading = if is_in { success() } else { failure() };
        Some((reading.with("method", method), text.strip_prefix(start)?))
    })?;
    let (user, rest) = rest.strip_prefix('\'')?.rsplit_once('\'')?;
    let key = rest.strip_prefix(" with ").and_then(|rest| rest.rsplit_once(' ')).map(|(_, key)| key);
    from(origin, Reading { user: Some(user), key, ..reading })
}

/// `203.0.113.7:50122`
fn from<'a>(origin: &'a str, reading: Reading<'a>) -> Option<Reading<'a>> {
    let (host, port) = origin.rsplit_once(':')?;
    Some(Reading { remote: Some(host), port: Some(port.parse().ok()?), ..reading })
}
