//! su: of util-linux, of shadow, and of the BSDs.
//!
//! | written | by |
//! |---------|----|
//! | `(to root) alice on pts/0`, `FAILED SU (to root) alice on pts/0` | util-linux |
//! | `Successful su for root by alice`, `FAILED su for root by alice` | shadow |
//! | `+ /dev/pts/0 alice:root`, `- /dev/pts/0 alice:root` | shadow, besides the line above: `su.terminal` |
//! | `alice to root on /dev/pts/0`, `BAD SU alice to root on /dev/pts/0` | BSD |

use super::reading::{AUTHENTICATION_SESSION, Reading, SESSION};

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    let success = || Reading::success("su.session", AUTHENTICATION_SESSION);
    let failure = || Reading::failure("su.session", AUTHENTICATION_SESSION);
    if let Some(rest) = message.strip_prefix("FAILED SU ") {
        return to_whom(failure(), rest);
    }
    if message.starts_with("(to ") {
        return to_whom(success(), message);
    }
    if let Some(rest) = message.strip_prefix("Successful su for ") {
        return for_whom(success(), rest);
    }
    if let Some(rest) = message.strip_prefix("FAILED su for ") {
        return for_whom(failure(), rest);
    }
    if let Some(rest) = message.strip_prefix("BAD SU ") {
        return one_to_another(failure(), rest);
    }
    match message.split_once(' ')? {
        ("+", rest) => terminal(Reading::success("su.terminal", SESSION), rest),
        ("-", rest) => terminal(Reading::failure("su.terminal", SESSION), rest),
        ("pam_authenticate:", reason) => {
            Some(Reading { reason: Some(reason), ..Reading::failure("su.error", SESSION) })
        }
        _ => one_to_another(success(), message),
    }
}

/// `(to root) alice on pts/0`: the one who asks has a local account, the name asked for may be any text.
fn to_whom<'a>(reading: Reading<'a>, text: &'a str) -> Option<Reading<'a>> {
    let (rest, tty) = text.strip_prefix("(to ")?.rsplit_once(" on ")?;
    let (became, user) = rest.rsplit_once(") ")?;
    Some(Reading { user: Some(user), became: Some(became), tty: terminal_name(tty), ..reading })
}

/// `root by alice`
fn for_whom<'a>(reading: Reading<'a>, text: &'a str) -> Option<Reading<'a>> {
    let (became, user) = text.rsplit_once(" by ")?;
    Some(Reading { user: Some(user), became: Some(became), ..reading })
}

/// `alice to root on /dev/pts/0`
fn one_to_another<'a>(reading: Reading<'a>, text: &'a str) -> Option<Reading<'a>> {
    let (rest, tty) = text.rsplit_once(" on ")?;
    let (user, became) = rest.split_once(" to ")?;
    let is_name = !user.contains(' ') && !tty.contains(' ');
    is_name.then(|| Reading { user: Some(user), became: Some(became), tty: terminal_name(tty), ..reading })
}

/// `/dev/pts/0 alice:root`; `???` without a terminal.
fn terminal<'a>(reading: Reading<'a>, text: &'a str) -> Option<Reading<'a>> {
    let (tty, rest) = text.split_once(' ')?;
    let (user, became) = rest.split_once(':').or_else(|| rest.split_once('-'))?;
    Some(Reading { user: Some(user), became: Some(became), tty: terminal_name(tty), ..reading })
}

fn terminal_name(tty: &str) -> Option<&str> {
    Some(tty).filter(|tty| !matches!(*tty, "none" | "???" | "unknown"))
}
