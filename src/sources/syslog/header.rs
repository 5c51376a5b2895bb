//! What stands before a message: stamp, host, program and process.
//!
//! | form | sample |
//! |------|--------|
//! | RFC 3164, as files have it | `Nov 20 10:11:12 web-1 sshd[812]: Accepted …` |
//! | rsyslog since Debian 12 | `2026-11-20T10:11:12.123456+00:00 web-1 sshd[812]: Accepted …` |
//! | either with its priority | `<86>Nov 20 10:11:12 web-1 sshd[812]: Accepted …` |
//! | busybox | `Nov 20 10:11:12 web-1 auth.info sshd[812]: Accepted …` |
//! | RFC 5424 | `<86>1 2026-11-20T10:11:12Z web-1 sshd 812 - - Accepted …` |
//! | either behind its length, as RFC 6587 counts octets | `98 <86>1 2026-11-20T10:11:12Z web-1 …` |
//!
//! Nothing here vouches for anything: whoever may write to the log socket chooses all of it but the stamp.

use super::message::Message;
use super::stamp::{self, Written};

/// The parts of one line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Header<'a> {
    /// Only RFC 5424 may leave it out.
    pub(super) written: Option<Written>,
    /// Facility times eight plus severity.
    pub(super) priority: Option<u8>,
    pub(super) host: Option<&'a str>,
    pub(super) program: Option<&'a str>,
    pub(super) pid: Option<u32>,
    pub(super) message: &'a str,
}

impl<'a> Header<'a> {
    /// What was said, without the line around it.
    pub(super) fn said(&self) -> Message<'a> {
        Message { program: self.program, text: self.message }
    }
}

/// Takes a line apart; `None` if it does not begin with a stamp.
pub(super) fn read(line: &str) -> Option<Header<'_>> {
    let line = without_length(line);
    let (priority, rest) = priority(line);
    if priority.is_some()
        && let Some(rest) = rest.strip_prefix("1 ")
    {
        return rfc5424(priority, rest);
    }
    let (written, rest) = stamp::read(rest)?;
    let rest = rest.trim_start_matches(' ');
    let (host, rest) = match rest.split_once(' ') {
        // A relay may leave out the host; then the program comes first.
        Some((word, _)) if word.ends_with(':') => (None, rest),
        Some((host, rest)) => (Some(host), rest),
        None => (None, rest),
    };
    let (named, rest) = named_priority(rest);
    let (program, pid, message) = tag(rest);
    Some(Header { written: Some(written), priority: priority.or(named), host, program, pid, message })
}

/// `auth.info ` before the tag.
fn named_priority(text: &str) -> (Option<u8>, &str) {
    let read = || {
        let (word, rest) = text.trim_start_matches(' ').split_once(' ')?;
        let (facility, severity) = word.split_once('.')?;
        let facility = FACILITIES.iter().position(|name| *name == facility)?;
        let severity = SEVERITIES.iter().position(|name| *name == severity)?;
        Some((u8::try_from(facility * 8 + severity).ok()?, rest))
    };
    read().map_or((None, text), |(priority, rest)| (Some(priority), rest))
}

/// In the order of their codes (RFC 5424 §6.2.1).
const FACILITIES: &[&str] =
    &["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"];
const SEVERITIES: &[&str] = &["emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"];

/// `98 <86>…`: a relay that counts octets wrote the length first (RFC 6587 §3.4.1).
fn without_length(line: &str) -> &str {
    match line.split_once(' ') {
        Some((length, rest)) if rest.starts_with('<') && is_length(length) => rest,
        _ => line,
    }
}

fn is_length(text: &str) -> bool {
    matches!(text.as_bytes(), [b'1'..=b'9', rest @ ..] if rest.len() < 6 && rest.iter().all(u8::is_ascii_digit))
}

/// `<86>`: at most 191 (RFC 5424 §6.2.1).
fn priority(line: &str) -> (Option<u8>, &str) {
    let read = || {
        let (number, rest) = line.strip_prefix('<')?.split_once('>')?;
        let is_number = (1..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        let value = number.parse().ok().filter(|value| is_number && *value <= 191)?;
        Some((value, rest))
    };
    match read() {
        Some((value, rest)) => (Some(value), rest),
        None => (None, line),
    }
}

/// `sshd[812]: message`. A message without a tag is all message.
fn tag(text: &str) -> (Option<&str>, Option<u32>, &str) {
    let text = text.trim_start_matches(' ');
    let untagged = (None, None, text);
    let end = text.find([' ', ':']).unwrap_or(text.len());
    let (Some(word), Some(rest)) = (text.get(..end), text.get(end..)) else { return untagged };
    let (program, pid) = process(word);
    let message = match rest.strip_prefix(':') {
        Some(message) => message,
        // Some daemons write no colon after their process id.
        None if pid.is_some() => rest,
        None => return untagged,
    };
    if program.is_empty() {
        return untagged;
    }
    (Some(program), pid, message.strip_prefix(' ').unwrap_or(message))
}

/// `sshd[812]`, and gdm's `gdm-password][812]`.
fn process(word: &str) -> (&str, Option<u32>) {
    let read = || {
        let (program, pid) = word.strip_suffix(']')?.rsplit_once('[')?;
        Some((program, pid.parse().ok()?))
    };
    match read() {
        Some((program, pid)) => (program.trim_end_matches(']'), Some(pid)),
        None => (word.trim_end_matches(']'), None),
    }
}

fn rfc5424(priority: Option<u8>, text: &str) -> Option<Header<'_>> {
    let (stamp, rest) = text.split_once(' ')?;
    let written = match stamp {
        "-" => None,
        _ => {
            let (written, after) = stamp::read(stamp)?;
            if !after.is_empty() {
                return None;
            }
            Some(written)
        }
    };
    let (host, rest) = rest.split_once(' ')?;
    let (program, rest) = rest.split_once(' ')?;
    let (pid, rest) = rest.split_once(' ')?;
    let (_message_id, rest) = rest.split_once(' ')?;
    let message = after_structured_data(rest)?;
    let known = |text| Some(text).filter(|text| *text != "-");
    let pid = pid.parse().ok();
    Some(Header { written, priority, host: known(host), program: known(program), pid, message })
}

/// `-` or `[id name="value" …]…`, in whose values `\` escapes `"`, `\` and `]` (RFC 5424 §6.3.3).
fn after_structured_data(text: &str) -> Option<&str> {
    let message = |rest: &'_ str| -> Option<usize> { Some(text.len() - rest.len()) };
    let at = if let Some(rest) = text.strip_prefix('-') {
        message(rest)?
    } else {
        let (mut is_quoted, mut is_escaped, mut depth) = (false, false, 0_u32);
        let end = text.char_indices().find(|(_, c)| {
            match (*c, is_quoted) {
                _ if is_escaped => is_escaped = false,
                ('\\', true) => is_escaped = true,
                ('"', _) => is_quoted = !is_quoted,
                ('[', false) => depth += 1,
                (']', false) => depth = depth.saturating_sub(1),
                (_, false) if depth == 0 => return true,
                _ => {}
            }
            false
        });
        end.map_or(text.len(), |(at, _)| at)
    };
    let rest = text.get(at..)?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    Some(rest.strip_prefix('\u{feff}').unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Parts<'a> = (Option<&'a str>, Option<&'a str>, Option<u32>, &'a str);

    fn parts(line: &str) -> Option<Parts<'_>> {
        read(line).map(|h| (h.host, h.program, h.pid, h.message))
    }

    fn check(line: &str, host: &str, program: &str, pid: u32, message: &str) {
        let some = |text| Some(text).filter(|text: &&str| !text.is_empty());
        assert_eq!(parts(line), Some((some(host), some(program), Some(pid).filter(|pid| *pid > 0), message)), "{line}");
    }

    #[test]
    fn every_form_of_header_is_taken_apart() {
        check("Nov 20 10:11:12 web-1 sshd[812]: a: b", "web-1", "sshd", 812, "a: b");
        check("Nov  2 10:11:12 web-1 sudo:    alice : x", "web-1", "sudo", 0, "   alice : x");
        check("2026-11-20T10:11:12.123456+00:00 web-1 (systemd)[3]: m", "web-1", "(systemd)", 3, "m");
        check("<86>Nov 20 10:11:12 web-1 su[1]: m", "web-1", "su", 1, "m");
        check("<86>1 2026-11-20T10:11:12Z web-1 sshd 812 - - m n", "web-1", "sshd", 812, "m n");
        check("<86>1 2026-11-20T10:11:12Z - sshd - ID [a b=\"]\\\"\"][c] \u{feff}m", "", "sshd", 0, "m");
        check("<86>1 2026-11-20T10:11:12Z web-1 sshd 812 - -", "web-1", "sshd", 812, "");
        check("54 <86>1 2026-11-20T10:11:12Z web-1 sshd 812 - - m n", "web-1", "sshd", 812, "m n");
        check("31 <86>Nov 20 10:11:12 web-1 su[1]: m", "web-1", "su", 1, "m");
        check("<86>1 - - sshd - - - m", "", "sshd", 0, "m");
        check("Nov 20 10:11:12 gw-1 auth.info su[1]: m", "gw-1", "su", 1, "m");
        check("Nov 20 10:11:12 gw-1 auth.fine su[1]: m", "gw-1", "", 0, "auth.fine su[1]: m");
        check("Nov 20 10:11:12 web-1 gdm-password][77]: m", "web-1", "gdm-password", 77, "m");
        check("Nov 20 10:11:12 web-1 gdm-password]: m", "web-1", "gdm-password", 0, "m");
        check("Nov 20 10:11:12 web-1 sshd(pam_unix)[7]: m", "web-1", "sshd(pam_unix)", 7, "m");
        check("Nov 20 10:11:12 web-1 sshd[7] m", "web-1", "sshd", 7, "m");
        check("Nov 20 10:11:12 sshd[7]: m", "", "sshd", 7, "m");
        check("Nov 20 10:11:12 web-1 last message repeated 2 times", "web-1", "", 0, "last message repeated 2 times");
        check("Nov 20 10:11:12 web-1", "", "", 0, "web-1");
        check("Nov 20 10:11:12 web-1 :x", "web-1", "", 0, ":x");
    }

    #[test]
    fn what_has_no_stamp_has_no_header() {
        for line in ["", "x", "sshd[1]: m", "<86>", "<999>Nov 20 10:11:12 h p: m", "<86>1 now h p - - - m", "Nov 20"] {
            assert_eq!(parts(line), None, "{line}");
        }
    }
}
