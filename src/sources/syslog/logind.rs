//! systemd-logind: sessions on a seat or terminal, and what was done to the machine's keys.

use super::reading::{HOST, Reading, SESSION};

pub(super) fn read(message: &str) -> Option<Reading<'_>> {
    let (first, rest) = message.split_once(' ')?;
    match first {
        "New" => new(rest),
        "Session" => {
            let (session, how) = rest.split_once(' ')?;
            let is_out = how.starts_with("logged out.");
            is_out.then(|| Reading { session: Some(bare(session)), ..Reading::success("session.logout", SESSION) })
        }
        "Removed" => {
            let session = rest.strip_prefix("session ")?.strip_suffix('.')?;
            Some(Reading { session: Some(bare(session)), ..Reading::success("session.remove", SESSION) })
        }
        "Power" | "Suspend" | "Hibernate" | "Reboot" => {
            let how = rest.strip_prefix("key pressed")?;
            let object = first;
            Some(Reading {
                object: Some(object),
                reason: Some(how.trim_matches([' ', '.'])),
                ..Reading::of("host.key", HOST)
            })
        }
        "Lid" => Some(Reading { reason: Some(rest.trim_end_matches('.')), ..Reading::of("host.lid", HOST) }),
        "System" => {
            let reading = |action| Reading { reason: Some(rest), ..Reading::of(action, HOST) };
            let is = |words: &[&str]| words.iter().any(|word| rest.starts_with(word));
            match () {
                () if is(&["is powering down", "is halting", "is powered down"]) => Some(reading("system.shutdown")),
                () if is(&["is rebooting"]) => Some(reading("system.reboot")),
                () => None,
            }
        }
        "The" => {
            let what = rest.strip_prefix("system will ")?.strip_suffix('!')?;
            Some(Reading { reason: Some(what), ..Reading::of("system.announce", HOST) })
        }
        "Watching" => {
            let device = rest.strip_prefix("system buttons on ")?;
            Some(Reading { object: Some(device), ..Reading::of("host.buttons", HOST) })
        }
        _ => None,
    }
}

/// Newer versions put quotes around names.
fn bare(text: &str) -> &str {
    text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap_or(text)
}

/// `session 5 of user alice.`, since systemd 254 with ` with class 'user' and type 'tty'.`
fn new(rest: &str) -> Option<Reading<'_>> {
    if let Some(seat) = rest.strip_prefix("seat ") {
        return Some(Reading { object: seat.strip_suffix('.'), ..Reading::of("host.seat", HOST) });
    }
    let (session, rest) = rest.strip_prefix("session ")?.split_once(' ')?;
    let rest = rest.strip_prefix("of user ")?.strip_suffix('.')?;
    let reading = Reading { session: Some(bare(session)), ..Reading::success("session.start", SESSION) };
    let classed = || {
        let (user, rest) = rest.strip_suffix('\'')?.rsplit_once(" with class '")?;
        let (class, kind) = rest.split_once("' and type '")?;
        Some((user, class, kind))
    };
    Some(match classed() {
        Some((user, class, kind)) => {
            Reading { user: Some(bare(user)), ..reading }.with("class", class).with("type", kind)
        }
        None => Reading { user: Some(bare(rest)), ..reading },
    })
}
