//! Messages as tables: one form a line, written as the program's source writes it.
//!
//! ```text
//! refused local port forward: originator {host} port {port}, target {object} port {to_port}
//! Account {user*} has expired
//! ```
//!
//! `{name}` is one word, `{name*}` any text, also none; `{_}` and `{_*}` are left out. The names are those of
//! [`set`]; any other one is a key of `detail.auth`. Where `{reason*}` is all but the beginning of a form, the
//! reason is the whole message.
//!
//! Invariants: a form is matched from its first byte to its last. A text that a form fits in several ways
//! gives no field at all but `ambiguous`, so whoever chose a name cannot move the others. The tries for
//! one text are bounded.

use std::ops::ControlFlow::{self, Break, Continue};

use super::reading::{AMBIGUOUS, Reading};
use crate::event::Outcome;

/// One form of message, and what it means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    action: &'static str,
    category: &'static [&'static str],
    outcome: Outcome,
    pattern: &'static str,
    /// The length of what stands before the first slot.
    prefix: usize,
    reason: Option<&'static str>,
    mark: Option<(&'static str, &'static str)>,
    user: Option<&'static str>,
}

type Category = &'static [&'static str];

pub(super) const fn success(action: &'static str, category: Category, pattern: &'static str) -> Form {
    Form::new(action, category, Outcome::Success, pattern)
}

pub(super) const fn failure(action: &'static str, category: Category, pattern: &'static str) -> Form {
    Form::new(action, category, Outcome::Failure, pattern)
}

pub(super) const fn unknown(action: &'static str, category: Category, pattern: &'static str) -> Form {
    Form::new(action, category, Outcome::Unknown, pattern)
}

impl Form {
    const fn new(action: &'static str, category: Category, outcome: Outcome, pattern: &'static str) -> Self {
        let bytes = pattern.as_bytes();
        let mut prefix = 0;
        while prefix < bytes.len() && bytes[prefix] != b'{' {
            prefix += 1;
        }
        Self { action, category, outcome, pattern, prefix, reason: None, mark: None, user: None }
    }

    /// The reason, where the message is nothing else.
    pub(super) const fn because(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// A fact that the words of the form hold.
    pub(super) const fn marked(self, key: &'static str, value: &'static str) -> Self {
        Self { mark: Some((key, value)), ..self }
    }

    /// Who acted, where the words of the form say so.
    pub(super) const fn by(self, user: &'static str) -> Self {
        Self { user: Some(user), ..self }
    }

    fn read<'a>(&self, text: &'a str) -> Option<Reading<'a>> {
        let (before, slots) = self.pattern.split_at_checked(self.prefix)?;
        let mut search = Search { values: [None; SLOTS_MAX], found: None, tries: TRIES_MAX };
        let is_several = search.go(slots, text.strip_prefix(before)?, 0).is_break();
        let mut reading = Reading {
            action: self.action,
            category: self.category,
            outcome: self.outcome,
            reason: self.reason,
            ..Reading::default()
        };
        if let Some((key, value)) = self.mark {
            reading.detail.push((key, value));
        }
        if is_several {
            return Some(reading.with(AMBIGUOUS.0, AMBIGUOUS.1));
        }
        reading.user = self.user;
        search.found?.into_iter().flatten().for_each(|(name, value)| set(&mut reading, name, value));
        if slots == "{reason*}" {
            reading.reason = Some(text);
        }
        Some(reading)
    }
}

/// The first form that fits.
pub(super) fn find<'a>(forms: &'static [Form], text: &'a str) -> Option<Reading<'a>> {
    let first = text.as_bytes().first();
    let may_fit = |form: &&Form| form.prefix == 0 || form.pattern.as_bytes().first() == first;
    forms.iter().filter(may_fit).find_map(|form| form.read(text))
}

/// No form has more.
const SLOTS_MAX: usize = 8;
/// A true message needs a handful; more is a text that was made to look like its own form.
const TRIES_MAX: u32 = 200;

type Values<'a> = [Option<(&'static str, &'a str)>; SLOTS_MAX];

struct Search<'a> {
    values: Values<'a>,
    found: Option<Values<'a>>,
    tries: u32,
}

impl<'a> Search<'a> {
    /// Tries all ways in which the rest of a pattern, which begins with a slot, fits the rest of a text;
    /// breaks at the second one, and when there are too many to try.
    fn go(&mut self, pattern: &'static str, text: &'a str, at: usize) -> ControlFlow<()> {
        let Some((slot, rest)) = pattern.strip_prefix('{').and_then(|pattern| pattern.split_once('}')) else {
            return if text == pattern { self.keep() } else { Continue(()) };
        };
        let slot = Slot::of(slot);
        let literal = rest.split('{').next().unwrap_or(rest);
        if literal.len() == rest.len() {
            let Some(value) = text.strip_suffix(literal) else { return Continue(()) };
            return self.put(slot, value, at, "", "");
        }
        let after = rest.get(literal.len()..).unwrap_or_default();
        for (found, _) in text.match_indices(literal) {
            let (Some(value), Some(text)) = (text.get(..found), text.get(found + literal.len()..)) else { continue };
            if slot.is_word && value.contains(' ') {
                break;
            }
            self.put(slot, value, at, after, text)?;
        }
        Continue(())
    }

    fn put(&mut self, slot: Slot, value: &'a str, at: usize, after: &'static str, text: &'a str) -> ControlFlow<()> {
        let Some(tries) = self.tries.checked_sub(1) else { return Break(()) };
        self.tries = tries;
        if !slot.takes(value) {
            return Continue(());
        }
        if let Some(place) = self.values.get_mut(at) {
            *place = Some((slot.name, value));
        }
        self.go(after, text, at + 1)
    }

    fn keep(&mut self) -> ControlFlow<()> {
        if self.found.is_some() {
            return Break(());
        }
        self.found = Some(self.values);
        Continue(())
    }
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    name: &'static str,
    is_word: bool,
}

impl Slot {
    fn of(text: &'static str) -> Self {
        match text.strip_suffix('*') {
            Some(name) => Self { name, is_word: false },
            None => Self { name: text, is_word: true },
        }
    }

    fn takes(self, value: &str) -> bool {
        match self.name {
            "port" | "pid" | "count" => !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()),
            _ => !self.is_word || !value.is_empty() && !value.contains(' '),
        }
    }
}

fn set<'a>(reading: &mut Reading<'a>, name: &'static str, value: &'a str) {
    let place = match name {
        "_" => return,
        "port" => {
            reading.port = value.parse().ok();
            return;
        }
        "user" => &mut reading.user,
        "uid" => &mut reading.uid,
        "as" => &mut reading.became,
        "as_uid" => &mut reading.became_uid,
        "host" => &mut reading.remote,
        "session" => &mut reading.session,
        "key" => &mut reading.key,
        "object" => &mut reading.object,
        "command" => &mut reading.command,
        "target" => &mut reading.target,
        "target_uid" => &mut reading.target_uid,
        "group" => &mut reading.group,
        "gid" => &mut reading.gid,
        "tty" => &mut reading.tty,
        "cwd" => &mut reading.cwd,
        "reason" => &mut reading.reason,
        _ => {
            if !value.is_empty() {
                reading.detail.push((name, value));
            }
            return;
        }
    };
    let is_nothing = match name {
        "tty" => is_no_terminal(value),
        // What login and su write for nobody.
        "user" => matches!(value, "???" | "(unknown)" | "UNKNOWN"),
        _ => false,
    };
    *place = Some(value).filter(|_| !is_nothing);
}

/// What programs write where there is no terminal.
pub(super) fn is_no_terminal(tty: &str) -> bool {
    matches!(tty, "" | "none" | "???" | "unknown" | "?" | "ssh" | "NODEVssh" | "(null)" | "UNKNOWN")
}

#[cfg(test)]
impl Form {
    /// A message of this form, with plain values in its slots.
    pub(super) fn example(&self) -> String {
        let mut out = String::new();
        let mut rest = self.pattern;
        while let Some((literal, after)) = rest.split_once('{') {
            let (slot, after) = after.split_once('}').expect("a slot ends");
            out.push_str(literal);
            out.push_str(match slot.trim_end_matches('*') {
                "host" => "203.0.113.7",
                "port" | "pid" | "count" => "4711",
                _ if slot.ends_with('*') => "some text",
                _ => "word",
            });
            rest = after;
        }
        out + rest
    }

    pub(super) fn action(&self) -> &'static str {
        self.action
    }

    pub(super) fn pattern(&self) -> &'static str {
        self.pattern
    }
}

#[cfg(test)]
mod tests {
    use super::super::reading::{IAM, NETWORK};
    use super::*;

    const FORMS: &[Form] = &[
        failure("a", NETWORK, "denied {user*} from {host} port {port}").because("because"),
        success("b", IAM, "set '{target}' to {to*}").marked("kind", "x"),
        success("c", IAM, "{user*} became {as*}"),
        success("d", IAM, "nothing else"),
    ];

    /// Action, name, address and port; nothing if no form fits.
    fn check(text: &str, expect: &str) {
        let shown = find(FORMS, text).map(|reading| {
            let port = reading.port.map(|port| port.to_string()).unwrap_or_default();
            let name = reading.user.or(reading.target).unwrap_or("-");
            format!("{}|{name}|{}|{port}", reading.action, reading.remote.unwrap_or_default())
        });
        assert_eq!(shown.unwrap_or_default(), expect, "{text}");
    }

    #[test]
    fn a_form_is_read_from_its_first_byte_to_its_last() {
        check("denied ana from ::1 port 22", "a|ana|::1|22");
        check("denied  from ::1 port 22", "a||::1|22");
        check("denied a from b port 1 from c port 2", "a|a from b port 1|c|2");
        check("set 'ana' to this or that", "b|ana||");
        check("nothing else", "d|-||");
        for text in
            ["", "nothing else.", "denied ana from ::1 port 22.", "denied ana from a b port 22", "set 'a b' to c"]
        {
            check(text, "");
        }
    }

    #[test]
    fn what_fits_in_several_ways_names_nobody() {
        check("ana became root", "c|ana||");
        let reading = find(FORMS, "ana became root became ben").expect("it fits");
        assert!(reading.user.is_none() && reading.became.is_none() && reading.detail.contains(&AMBIGUOUS));
        let many = " became ".repeat(50_000);
        let reading = find(FORMS, &many).expect("it fits");
        assert!(reading.user.is_none() && reading.detail.contains(&AMBIGUOUS));
    }

    #[test]
    fn facts_of_the_form_itself_are_there() {
        let reading = find(FORMS, "denied ana from ::1 port 22").expect("it fits");
        assert_eq!(reading.reason, Some("because"));
        let reading = find(FORMS, "set 'ana' to x").expect("it fits");
        assert_eq!(reading.detail, [("kind", "x"), ("to", "x")]);
    }
}
