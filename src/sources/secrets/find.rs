//! Walks a record word by word, as a shell would read it, and finds the places of secrets.
//!
//! Words end at spaces. A value in quotes ends where they do; a space that sudo escaped (`\ `) ends a value
//! within a script (`sh -c a\ b`) and is a part of it elsewhere.

use std::ops::Range;

use super::PLACEHOLDER;
use super::names::{self, is_name};
use super::programs::{self, Habit, Known};
use super::tokens;

/// The places of secrets in a record, in order, none of them empty and none over another.
pub(super) struct Secrets<'a> {
    record: &'a [u8],
    at: usize,
    /// What the word before says of the next one.
    next: Next,
    program: Program,
    /// Whether the words are those of a script that is one argument of a command.
    in_script: bool,
    /// Up to here everything is what a program that reads passwords is given.
    fed_to: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Anything,
    /// The whole word, unless it is an option or a sign of the shell.
    Secret,
    /// `Basic`, `Bearer` or the like, or the credential itself.
    Credential,
    /// A user, this sign, and the password.
    User(u8),
    /// 40 characters of base64, if it is that: what stands beside an access key's id.
    AccessKey,
    /// A script: its words are separated by escaped spaces.
    Script,
    /// A literal of SQL.
    Quoted,
}

/// The program whose arguments these are, where its options matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Other,
    Habit {
        habit: &'static Habit,
        /// The word that must come first was seen, or none is needed.
        commanded: bool,
        /// Arguments so far that are no options.
        arguments: usize,
    },
    /// `user/password@name`.
    Oracle,
    /// `-b file user password`, `-nb user password`.
    Htpasswd {
        is_batch: bool,
        arguments: usize,
        last: usize,
    },
}

impl Program {
    /// Whether both are the same program, at whatever argument.
    fn is_like(self, other: Self) -> bool {
        match (self, other) {
            (Self::Habit { habit: one, .. }, Self::Habit { habit: other, .. }) => std::ptr::eq(one, other),
            (Self::Htpasswd { .. }, Self::Htpasswd { .. }) | (Self::Oracle, Self::Oracle) => true,
            _ => false,
        }
    }
}

/// What a word must hold to be worth a closer look.
#[derive(Debug, Clone, Copy, Default)]
struct Signs {
    assigns: bool,
    at: bool,
    digit: bool,
}

impl<'a> Secrets<'a> {
    pub(super) fn of(record: &'a [u8]) -> Self {
        Self { record, at: 0, next: Next::Anything, program: Program::Other, in_script: false, fed_to: 0 }
    }

    /// The place of the next word, and what is in it.
    fn word(&mut self) -> Option<(Range<usize>, Signs)> {
        let rest = self.record.get(self.at..)?;
        let start = self.at + rest.iter().position(|byte| !is_space(*byte))?;
        let mut signs = Signs::default();
        let mut end = start;
        for byte in self.record.get(start..)? {
            match byte {
                b' ' | b'\t' | b'\r' => break,
                b'=' | b':' => signs.assigns = true,
                b'@' => signs.at = true,
                b'0'..=b'9' => signs.digit = true,
                _ => {}
            }
            end += 1;
        }
        self.at = end;
        Some((start..end, signs))
    }

    /// The secret in a word, given what came before it.
    fn judge(&mut self, place: &Range<usize>, signs: Signs) -> Option<Range<usize>> {
        let word = self.record.get(place.clone())?;
        self.in_script = self.in_script && self.is_after_escape(place.start);
        match std::mem::replace(&mut self.next, Next::Anything) {
            Next::Secret if !is_syntax(word) => return self.value(place, 0),
            Next::Credential if names::is_scheme(trim_quotes(word)) => {
                self.next = Next::Secret;
                return None;
            }
            Next::Credential if !is_syntax(word) => return self.value(place, 0),
            Next::User(between) => {
                if let Some(at) = memchr::memchr(between, word) {
                    return self.value(place, at + 1);
                }
            }
            Next::AccessKey if tokens::is_secret_access_key(trim_quotes(word)) => return self.value(place, 0),
            Next::Script => self.in_script = true,
            Next::Quoted if quotes(word) > 0 => return self.value(place, 0),
            Next::Anything | Next::Secret | Next::Credential | Next::AccessKey | Next::Quoted => {}
        }
        if place.start < self.fed_to {
            return self.fed(word, place);
        }
        if let Some(found) = word.starts_with(b"-----BEGIN").then(|| tokens::private_key(self.record, place.start)) {
            return found;
        }
        let within = |range: Range<usize>| place.start + range.start..place.start + range.end;
        let in_address = if signs.at { tokens::url_password(word) } else { None };
        // The earlier one: what follows it is looked at again.
        match (self.look_at(word, place, signs), in_address) {
            (Some(start), Some(address)) if address.start < start => return Some(within(address)),
            (Some(start), _) => return self.value(place, start),
            (None, Some(address)) => return Some(within(address)),
            (None, None) => {}
        }
        if !signs.digit || word.len() < TOKEN_BYTES_MIN {
            return None;
        }
        let found = tokens::find(word).or_else(|| tokens::after_access_key_id(word));
        if found.is_none() && tokens::is_access_key_id(trim_quotes(word)) {
            self.next = Next::AccessKey;
        }
        found.map(within)
    }

    /// Where in the word a secret begins that reaches to its end.
    fn look_at(&mut self, word: &[u8], place: &Range<usize>, signs: Signs) -> Option<usize> {
        if signs.assigns {
            if let Some(start) = assigned(word) {
                // Only the value's own quote ends before the word does.
                return (start < word.len()).then_some(start).or_else(|| self.expect(Next::Secret));
            }
            if let Some(start) = literal(word) {
                return (start < word.len()).then_some(start);
            }
        }
        if self.see_program(word, place) {
            return None;
        }
        let bare = trim_quotes(word);
        let start = match bare {
            [b'-', rest @ ..] => self.option(rest).map(|start| start + 1),
            [.., b':'] => {
                let name = bare.get(..bare.len() - 1)?;
                let name = name.get(name.iter().rposition(|byte| !is_name(*byte)).map_or(0, |at| at + 1)..)?;
                match name {
                    _ if names::is_authorization(name) => self.expect(Next::Credential),
                    _ if names::is_header(name) => self.expect(Next::Secret),
                    _ => None,
                }
            }
            [b'p', b'a', b's', b's', b':', _, ..] => Some("pass:".len()),
            [b'/', b'p', b':', _, ..] => Some("/p:".len()),
            b"<<<" if self.follows_a_reader(place) => self.expect(Next::User(b':')),
            b"Bearer" | b"bearer" => self.expect(Next::Secret),
            _ if NAMES.iter().any(|name| is_text(bare, name)) || bare.ends_with(b":_authToken") => {
                self.expect(Next::Secret)
            }
            _ if is_text(bare, "password") && self.is_sql(place) => self.expect(Next::Quoted),
            _ if is_text(bare, "by") && self.follows(place, b"identified") => self.expect(Next::Quoted),
            _ if word.get(..b"password(".len()).is_some_and(|start| is_text(start, "password(")) => {
                return Some(b"password(".len());
            }
            _ => self.argument(bare),
        };
        start.map(|start| quotes(word) + start)
    }

    /// `-p…`, `--password`; `rest` is the option without its first dash. Gives where a secret begins in it.
    fn option(&mut self, rest: &[u8]) -> Option<usize> {
        // The options of a shell that take a script.
        if let [letters @ .., b'c'] = rest
            && letters.iter().all(u8::is_ascii_alphabetic)
            && letters.len() < 4
            && !matches!(self.program, Program::Habit { .. })
        {
            return self.expect(Next::Script);
        }
        match &mut self.program {
            Program::Habit { habit, commanded: true, .. } => {
                let habit = *habit;
                if habit.next.iter().any(|name| name.as_bytes() == rest) {
                    if habit.runs_another {
                        self.program = Program::Other;
                    }
                    return self.expect(Next::Secret);
                }
                if habit.user.iter().any(|name| name.as_bytes() == rest) {
                    return self.expect(Next::User(habit.between));
                }
                if let Some(start) = user_attached(habit, rest) {
                    return Some(start);
                }
                // `-su`: one of several letters.
                if let [letter, .., last] = rest
                    && *letter != b'-'
                    && rest.len() <= 4
                    && rest.iter().all(u8::is_ascii_alphabetic)
                    && habit.user.iter().any(|name| name.as_bytes() == [*last])
                {
                    return self.expect(Next::User(habit.between));
                }
                if let Some(start) = attached(habit, rest) {
                    return Some(start);
                }
            }
            Program::Htpasswd { is_batch, last, .. } => {
                *is_batch |= rest.contains(&b'b');
                *last -= usize::from(rest.contains(&b'n') && *last == 3);
            }
            _ => {}
        }
        match rest {
            b"-creds" | b"-src-creds" | b"-dest-creds" => self.expect(Next::User(b':')),
            _ if names::is_secret(rest) => self.expect(Next::Secret),
            _ => None,
        }
    }

    /// An argument of a program that takes a password as one.
    fn argument(&mut self, word: &[u8]) -> Option<usize> {
        match &mut self.program {
            Program::Habit { habit, commanded, arguments } => {
                if !*commanded {
                    if let Some(other) = programs::with_command(habit, word) {
                        (*habit, *commanded) = (other, true);
                    }
                    return None;
                }
                if habit.words.iter().any(|name| name.as_bytes() == word) {
                    return self.expect(Next::Secret);
                }
                *arguments += 1;
                // `key=value` says by its name what it is; `as` follows the command in what doas writes.
                (*arguments == habit.argument && !word.contains(&b'=') && word != b"as").then_some(0)
            }
            Program::Htpasswd { is_batch, arguments, last } => {
                *arguments += 1;
                (*is_batch && arguments == last).then_some(0)
            }
            Program::Oracle => {
                let slash = memchr::memchr(b'/', word).filter(|slash| *slash > 0)?;
                (slash + 1 < word.len()).then_some(slash + 1)
            }
            Program::Other => None,
        }
    }

    fn expect(&mut self, next: Next) -> Option<usize> {
        self.next = next;
        None
    }

    /// A program's name may stand in `COMMAND=/usr/bin/mysql` and `(mysql`. True if the word can be nothing else.
    fn see_program(&mut self, word: &[u8], place: &Range<usize>) -> bool {
        let start = word.iter().rposition(|byte| matches!(byte, b'/' | b'=' | b'(')).map_or(0, |at| at + 1);
        let Some(name) = word.get(start..) else { return false };
        let name = trim_quotes(name);
        if programs::ends_a_command(name) {
            self.program = Program::Other;
            return true;
        }
        if matches!(name, b"echo" | b"printf") {
            self.fed_to = self.end_of_feed(place.end).unwrap_or(self.fed_to);
            return true;
        }
        let before = self.program;
        // A network may be called as a program is: `wpa_passphrase net …`.
        if let Program::Habit { habit, commanded: true, arguments } = before
            && arguments < habit.argument
            && !self.begins_a_command(place)
        {
            return false;
        }
        self.program = match name {
            b"htpasswd" => Program::Htpasswd { is_batch: false, arguments: 0, last: 3 },
            _ => match programs::known(name) {
                Some(Known::Habit(habit)) => Program::Habit { habit, commanded: habit.command.is_none(), arguments: 0 },
                Some(Known::Oracle) => Program::Oracle,
                None => return false,
            },
        };
        if self.program.is_like(before) && !self.begins_a_command(place) {
            // Its own file or user may be called as a program is: `htpasswd -b /etc/htpasswd …`.
            self.program = before;
            return false;
        }
        true
    }

    /// Whether nothing, or a sign of the shell, stands before a word.
    fn begins_a_command(&self, place: &Range<usize>) -> bool {
        let before = self.record.get(..place.start).unwrap_or_default().trim_ascii_end();
        matches!(before.last(), None | Some(b';' | b'|' | b'&' | b'(' | b'`' | b'\'' | b'"'))
    }

    /// Where what `echo` prints ends, if a program that reads passwords gets it.
    fn end_of_feed(&self, from: usize) -> Option<usize> {
        let rest = self.record.get(from..)?;
        let pipe = memchr::memchr(b'|', rest)?;
        let mut words = rest
            .get(pipe + 1..)?
            .split(|byte| is_space(*byte) || matches!(byte, b')' | b']'))
            .map(trim_quotes)
            .filter(|word| !word.is_empty());
        let mut reader = words.next().map(last_part)?;
        // `| sudo chpasswd` reads what `chpasswd` does; `| sudo -S` reads a password itself.
        if reader == b"sudo" {
            let word = words.next()?;
            reader = if word.starts_with(b"-") { reader } else { last_part(word) };
        }
        programs::reads_a_password(reader).then_some(from + pipe)
    }

    /// A word that a program which reads passwords is given.
    fn fed(&self, word: &[u8], place: &Range<usize>) -> Option<Range<usize>> {
        let bare = trim_quotes(word);
        if matches!(bare, b"-n" | b"-e" | b"-ne" | b"-en" | b"%s" | b"%s\\n" | b"") {
            return None;
        }
        match memchr::memchr(b':', word) {
            Some(colon) if word.get(quotes(word)..colon).is_some_and(|user| user.iter().all(|byte| is_name(*byte))) => {
                self.value(place, colon + 1)
            }
            _ => self.value(place, 0),
        }
    }

    /// Whether the program before a here-string reads passwords.
    fn follows_a_reader(&self, place: &Range<usize>) -> bool {
        let before = self.record.get(..place.start).unwrap_or_default();
        let words = before.rsplit(|byte| is_space(*byte)).filter(|word| !word.is_empty());
        words.take(4).any(|word| programs::reads_a_password(last_part(trim_quotes(word))))
    }

    /// Whether what stands before is a statement about a user.
    fn is_sql(&self, place: &Range<usize>) -> bool {
        let before = self.record.get(..place.start).unwrap_or_default();
        let mut words = before.rsplit(|byte| is_space(*byte)).map(trim_quotes).filter(|word| !word.is_empty()).take(6);
        let has_its_own = matches!(self.program, Program::Habit { habit, .. } if !habit.words.is_empty());
        !has_its_own && words.any(|word| is_text(word, "user") || is_text(word, "role"))
    }

    fn follows(&self, place: &Range<usize>, word: &[u8]) -> bool {
        let before = self.record.get(..place.start).unwrap_or_default();
        // `IDENTIFIED WITH caching_sha2_password BY '…'`
        let words = before.rsplit(|byte| is_space(*byte)).map(trim_quotes).filter(|word| !word.is_empty());
        words.take(3).any(|before| before.eq_ignore_ascii_case(word))
    }

    fn is_after_escape(&self, start: usize) -> bool {
        start.checked_sub(2).and_then(|at| self.record.get(at)) == Some(&b'\\')
    }

    /// The value that begins in a word: to the end of its quotes, or of the word.
    fn value(&self, place: &Range<usize>, start: usize) -> Option<Range<usize>> {
        let from = place.start + start;
        let (from, end) = match self.quoted(from) {
            Some(inside) => (inside.start, inside.end),
            None => (from, self.end_of_value(place, from)),
        };
        (from < end).then_some(from..end)
    }

    /// What stands within quotes that begin here, if they end in this record.
    fn quoted(&self, from: usize) -> Option<Range<usize>> {
        let rest = self.record.get(from..)?;
        let escapes = rest.iter().take_while(|byte| **byte == b'\\').count();
        let quote = *rest.get(escapes).filter(|byte| matches!(byte, b'"' | b'\''))?;
        let start = escapes + 1;
        let body = rest.get(start..)?;
        // A quote that was escaped itself is ended by another one that is.
        let end = (0..body.len()).find(|at| {
            let before = body.get(..*at).unwrap_or_default().iter().rev().take_while(|byte| **byte == b'\\').count();
            body.get(*at) == Some(&quote) && before <= escapes
        })?;
        let trailing = body.get(..end)?.iter().rev().take_while(|byte| **byte == b'\\').count();
        Some(from + start..from + start + end - trailing)
    }

    fn end_of_value(&self, place: &Range<usize>, from: usize) -> usize {
        let before = self.record.get(place.start..from).unwrap_or_default();
        let mut end = place.end;
        let is_script = self.in_script || self.is_after_escape(place.start);
        while !is_script && self.record.get(end - 1) == Some(&b'\\') && self.record.get(end) == Some(&b' ') {
            let rest = self.record.get(end + 1..).unwrap_or_default();
            end += 1 + rest.iter().position(|byte| is_space(*byte)).unwrap_or(rest.len());
        }
        let word = self.record.get(from..end).unwrap_or_default();
        // One of several in an address's query or a list of options.
        let cut = match before {
            _ if before.iter().any(|byte| matches!(byte, b'?' | b'&')) => memchr::memchr(b'&', word),
            _ if before.contains(&b',') => memchr::memchr(b',', word),
            // The name of the database.
            [.., b'/'] if self.program == Program::Oracle => memchr::memrchr(b'@', word),
            _ => None,
        };
        if let Some(cut) = cut {
            return from + cut;
        }
        let is_last = self.record.get(end..).unwrap_or_default().trim_ascii().is_empty();
        let mut length = word.len();
        while let Some(last) = length.checked_sub(1).and_then(|at| word.get(at)) {
            match last {
                b'\'' | b'"' | b'\\' => length -= 1,
                b')' | b']' if is_last && length == word.len() => length -= 1,
                b'}' | b','
                    if word.get(..length).is_some_and(|word| word.ends_with(b"\"}") || word.ends_with(b"'}")) =>
                {
                    length -= 1
                }
                _ => break,
            }
        }
        from + length
    }
}

impl Iterator for Secrets<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (place, signs) = self.word()?;
            let Some(found) = self.judge(&place, signs) else { continue };
            // What is left of the word is looked at again.
            self.at = found.end;
            if !is_placeholder(self.record.get(found.clone()).unwrap_or_default()) {
                return Some(found);
            }
        }
    }
}

/// Names after which a secret is the next word.
const NAMES: [&str; 3] = ["aws_secret_access_key", "aws_session_token", "secret_access_key"];

/// The shortest token that is known by its beginning.
const TOKEN_BYTES_MIN: usize = 12;

/// What was replaced before, be it with or without its bracket.
fn is_placeholder(value: &[u8]) -> bool {
    value.strip_suffix(b"]").unwrap_or(value) == PLACEHOLDER.trim_end_matches(']').as_bytes()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

fn is_text(word: &[u8], text: &str) -> bool {
    word.eq_ignore_ascii_case(text.as_bytes())
}

/// No secret stands where the shell's signs or another option do.
fn is_syntax(word: &[u8]) -> bool {
    matches!(word, [b'-', ..] | b";" | b"|" | b"||" | b"&&" | b"&" | b">" | b"<" | b"]" | b")")
}

fn trim_quotes(word: &[u8]) -> &[u8] {
    let mut word = word.get(quotes(word)..).unwrap_or_default();
    while let [rest @ .., b'\'' | b'"' | b'\\'] = word {
        word = rest;
    }
    word
}

/// How many signs before a word are none of it.
fn quotes(word: &[u8]) -> usize {
    word.iter().take_while(|byte| matches!(byte, b'\'' | b'"' | b'\\' | b'(')).count()
}

fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// Where the secret begins in `pSECRET`, if the program takes it so.
fn attached(habit: &Habit, option: &[u8]) -> Option<usize> {
    let name =
        habit.attached.iter().filter(|name| option.starts_with(name.as_bytes())).max_by_key(|name| name.len())?;
    let value = option.get(name.len()..).filter(|value| !value.is_empty() && !value.starts_with(b"-"))?;
    Some(option.len() - value.len())
}

/// Where the password begins in `-uUSER:PASSWORD` and `--user=USER:PASSWORD`.
fn user_attached(habit: &Habit, option: &[u8]) -> Option<usize> {
    let name = habit.user.iter().find(|name| {
        option.strip_prefix(name.as_bytes()).is_some_and(|rest| match name.starts_with('-') {
            true => rest.starts_with(b"="),
            false => !rest.is_empty(),
        })
    })?;
    let between = memchr::memchr(habit.between, option.get(name.len()..)?)?;
    Some(name.len() + between + 1)
}

/// Where the value begins in `NAME=value` and `"name":"value"`, if the name is that of a secret.
fn assigned(word: &[u8]) -> Option<usize> {
    memchr::memchr2_iter(b'=', b':', word).find_map(|at| {
        let name = word.get(..at)?;
        let is_json = word.get(at) == Some(&b':');
        let name = match name {
            [name @ .., b'"'] | [name @ .., b'\''] if is_json => name.strip_suffix(b"\\").unwrap_or(name),
            _ if is_json && !names::is_header(trim_quotes(name)) => return None,
            _ => name,
        };
        let start = name.iter().rposition(|byte| !is_name(*byte)).map_or(0, |at| at + 1);
        let after = at + 1;
        // The start of an address.
        let in_query = start > 0 && matches!(word.get(start - 1), Some(b'?' | b'&'));
        let is_address = is_json && word.get(after..).is_some_and(|rest| rest.starts_with(b"//"));
        let name = name.get(start..)?;
        // Of credentials there is often a file.
        let is_file = word.get(after) == Some(&b'/') && name.to_ascii_lowercase().ends_with(b"credentials");
        let is_signature = in_query && name == b"sig";
        (!is_address && !is_file && (is_signature || names::is_secret(name))).then_some(after)
    })
}

/// `--from-literal=key=value` of kubectl: whatever the key is called.
fn literal(word: &[u8]) -> Option<usize> {
    let start = b"--from-literal=".len();
    let rest = word.strip_prefix(b"--from-literal=")?;
    Some(start + memchr::memchr(b'=', rest)? + 1)
}
