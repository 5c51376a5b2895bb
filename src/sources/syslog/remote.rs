//! Where a message says a connection came from: read from the right, where the program wrote it.

/// The text before, the address or name, and the port.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Remote<'a> {
    pub(super) before: &'a str,
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

/// `… from HOST port N` at the end of a text.
pub(super) fn from_host_port(text: &str) -> Option<Remote<'_>> {
    let Remote { before, host, port } = host_port(text)?;
    let before = before.strip_suffix("from")?;
    let before = if before.is_empty() { before } else { before.strip_suffix(' ')? };
    Some(Remote { before, host, port })
}

/// `… HOST port N` at the end of a text.
pub(super) fn host_port(text: &str) -> Option<Remote<'_>> {
    let (rest, port) = text.rsplit_once(" port ")?;
    let port = Some(port.parse().ok()?);
    Some(match rest.rsplit_once(' ') {
        Some((before, host)) => Remote { before, host, port },
        None => Remote { before: "", host: rest, port },
    })
}

/// `… from HOST port N` or `… from HOST`.
pub(super) fn from_host(text: &str) -> Option<Remote<'_>> {
    from_host_port(text).or_else(|| {
        let (before, host) = match text.strip_prefix("from ") {
            Some(host) if !host.contains(" from ") => ("", host),
            _ => text.rsplit_once(" from ")?,
        };
        (!host.is_empty() && !host.contains(' ')).then_some(Remote { before, host, port: None })
    })
}

/// `HOST port N` at the beginning of a text, and what follows it; `HOST` alone ends at a space or colon.
pub(super) fn at_start(text: &str) -> Option<(Remote<'_>, &str)> {
    let (host, rest) = text.split_once(' ').unwrap_or((text, ""));
    if let Some(rest) = rest.strip_prefix("port ") {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (port, rest) = rest.split_at_checked(end)?;
        return Some((Remote { before: "", host, port: Some(port.parse().ok()?) }, rest));
    }
    match host.strip_suffix(':') {
        Some(host) => Some((Remote { before: "", host, port: None }, text.get(host.len()..)?)),
        None => Some((Remote { before: "", host, port: None }, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_origin_is_the_real_one() {
        let remote = from_host_port("x from 1.2.3.4 port 22 ssh2 from 5.6.7.8 port 9").expect("an origin");
        assert_eq!((remote.before, remote.host, remote.port), ("x from 1.2.3.4 port 22 ssh2", "5.6.7.8", Some(9)));
        assert_eq!(from_host_port("from 5.6.7.8 port 9").map(|r| r.before), Some(""));
        assert_eq!(from_host_port(" from 5.6.7.8 port 9").map(|r| r.before), Some(""));
        assert_eq!(from_host("a from b").map(|r| (r.before, r.host)), Some(("a", "b")));
        assert_eq!(from_host("from b").map(|r| (r.before, r.host)), Some(("", "b")));
        for text in ["", "from", "from ", "x from a b", "x port 22", "a from b port 99999", "xfrom b port 1"] {
            assert_eq!(from_host_port(text), None, "{text}");
        }
    }

    #[test]
    fn origins_at_the_beginning_end_where_the_program_ends_them() {
        let parts = |text| at_start(text).map(|(r, rest)| (r.host, r.port, rest));
        assert_eq!(parts("1.2.3.4 port 22:11: bye"), Some(("1.2.3.4", Some(22), ":11: bye")));
        assert_eq!(parts("2001:db8::1: 11: bye"), Some(("2001:db8::1", None, ": 11: bye")));
        assert_eq!(parts("1.2.3.4"), Some(("1.2.3.4", None, "")));
        assert_eq!(parts("1.2.3.4 on x"), Some(("1.2.3.4", None, "on x")));
    }
}
