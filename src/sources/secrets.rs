//! Secrets in commands, replaced by one placeholder before anything is made of the record.
//!
//! A record's id is a hash that anybody may see; with the secret in it, it would confirm a guess of a
//! password. So what stands here in a record never reaches the id, the trail or the index:
//!
//! | written | what is replaced |
//! |---------|------------------|
//! | `PASSWORD=…`, `--api-token=…`, `"secret":"…"` | the value of a name that ends in a word for a secret |
//! | `--password …`, `X-Api-Key: …` | the word after it |
//! | `mysql -p…`, `sshpass -p …`, `curl -u user:…` | what these programs take as a password there |
//! | `https://user:…@host/` | the password in an address |
//! | `Authorization: Bearer …` | the credential, not its kind |
//! | `ghp_…`, `glpat-…`, `xoxb-…` | tokens that say themselves what they are |
//!
//! Words end at spaces: nothing quotes in what sudo and cron log. A secret that does not look like one, or
//! holds a space, cannot be found; `docs/sources.md` says so. An access key's id (`AKIA…`) is no secret.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;

/// What stands in a record where a secret was.
pub const PLACEHOLDER: &str = "[REDACTED]";

/// The record without its secrets; borrowed if it holds none.
pub fn redact(record: &[u8]) -> Cow<'_, [u8]> {
    match may_hold_secrets(record) {
        true => replace(record),
        false => Cow::Borrowed(record),
    }
}

/// The same for a field of an event whose record held a secret. A field may begin where only the rest of the
/// record would show that it is worth a look.
pub fn redact_text(text: &mut String) {
    if let Cow::Owned(clean) = replace(text.as_bytes()) {
        *text = String::from_utf8_lossy(&clean).into_owned();
    }
}

/// Most lines hold no assignment, no address, no command in brackets or of doas, no option and no header:
/// they are not looked at word by word.
fn may_hold_secrets(record: &[u8]) -> bool {
    static SIGNS: LazyLock<[Finder<'static>; 4]> =
        LazyLock::new(|| [" -", "earer ", "uthorization:", " ran command "].map(Finder::new));
    memchr::memchr3(b'=', b'@', b'(', record).is_some() || SIGNS.iter().any(|sign| sign.find(record).is_some())
}

fn replace(record: &[u8]) -> Cow<'_, [u8]> {
    let mut out = Vec::new();
    let mut kept = 0;
    for found in Secrets::of(record) {
        let Some(before) = record.get(kept..found.start).filter(|_| found.start < found.end) else { continue };
        out.extend_from_slice(before);
        out.extend_from_slice(PLACEHOLDER.as_bytes());
        kept = found.end;
    }
    if kept == 0 {
        return Cow::Borrowed(record);
    }
    out.extend_from_slice(record.get(kept..).unwrap_or_default());
    Cow::Owned(out)
}

/// Walks the words of a record and gives the places of secrets, in order.
struct Secrets<'a> {
    record: &'a [u8],
    at: usize,
    /// What the word before says of the next one.
    next: Next,
    program: Program,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Anything,
    /// The whole word, unless it is an option or a sign of the shell.
    Secret,
    /// `Basic`, `Bearer` or the like, or the credential itself.
    Credential,
    /// `user:password`.
    UserAndSecret,
}

/// What a word must hold to be worth a closer look.
#[derive(Debug, Clone, Copy, Default)]
struct Signs {
    assigns: bool,
    at: bool,
}

/// The program whose arguments these are, where its options matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Program {
    Other,
    /// `-p` with the password attached.
    Mysql,
    /// `-p`, attached or not.
    Sshpass,
    /// `-u` and `--user`.
    Curl,
    /// `-a`.
    Redis,
}

impl<'a> Secrets<'a> {
    fn of(record: &'a [u8]) -> Self {
        Self { record, at: 0, next: Next::Anything, program: Program::Other }
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
                _ => {}
            }
            end += 1;
        }
        self.at = end;
        Some((start..end, signs))
    }

    /// The secret in a word, given what came before it.
    fn judge(&mut self, place: Range<usize>, signs: Signs) -> Option<Range<usize>> {
        let word = self.record.get(place.clone())?;
        let within = |range: Range<usize>| place.start + range.start..place.start + range.end;
        match std::mem::replace(&mut self.next, Next::Anything) {
            Next::Secret if !is_syntax(word) => return Some(within(0..self.value_end(&place))),
            Next::Credential if is_scheme(word) => {
                self.next = Next::Secret;
                return None;
            }
            Next::Credential if !is_syntax(word) => return Some(within(0..self.value_end(&place))),
            Next::UserAndSecret => {
                if let Some(colon) = memchr::memchr(b':', word) {
                    return Some(within(colon + 1..self.value_end(&place)));
                }
            }
            Next::Anything | Next::Secret | Next::Credential => {}
        }
        self.look_at(word, signs)
            .map(|start| within(start..self.value_end(&place)))
            .or_else(|| if signs.at { url_password(word).map(within) } else { None })
            .filter(|range| range.start < range.end)
    }

    /// Where in the word a secret begins that reaches to its end.
    fn look_at(&mut self, word: &[u8], signs: Signs) -> Option<usize> {
        if signs.assigns
            && let Some(start) = assigned(word)
        {
            // Only the value's own quote ends before the word does.
            return (start < word.len()).then_some(start).or_else(|| self.expect(Next::Secret));
        }
        self.see_program(word);
        let bare = trim_quotes(word);
        match bare {
            [b'-', rest @ ..] => self.option(word, rest),
            [.., b':'] => {
                let name = bare.get(..bare.len() - 1)?;
                match name {
                    _ if is_authorization(name) => self.expect(Next::Credential),
                    _ if is_secret_header(name) => self.expect(Next::Secret),
                    _ => None,
                }
            }
            [b'p', b'a', b's', b's', b':', _, ..] => Some(word.len() - word.strip_prefix(b"pass:")?.len()),
            _ if bare.eq_ignore_ascii_case(b"aws_secret_access_key")
                || bare.eq_ignore_ascii_case(b"aws_session_token") =>
            {
                self.expect(Next::Secret)
            }
            b"Bearer" | b"bearer" => self.expect(Next::Secret),
            _ => token(word),
        }
    }

    /// `-p…`, `--password`; `rest` is the option without its first dash.
    fn option(&mut self, word: &[u8], rest: &[u8]) -> Option<usize> {
        let attached = |least: usize| (word.len() > least).then_some(least);
        match (self.program, rest) {
            (Program::Mysql, [b'p', next, ..]) if *next != b'-' => attached(2),
            (Program::Sshpass | Program::Redis, [b'p' | b'a']) => {
                // What follows is another program, with options of its own.
                self.program = Program::Other;
                self.expect(Next::Secret)
            }
            (Program::Sshpass, [b'p', ..]) => attached(2),
            (Program::Curl, b"u" | b"-user" | b"U" | b"-proxy-user") => self.expect(Next::UserAndSecret),
            (Program::Curl, [b'u' | b'U', user @ ..]) => Some(memchr::memchr(b':', user)? + 3),
            // One of several letters: `-su`.
            (Program::Curl, [letter, .., b'u']) if *letter != b'-' => self.expect(Next::UserAndSecret),
            _ => is_secret_name(rest).then(|| self.expect(Next::Secret)).flatten(),
        }
    }

    fn expect(&mut self, next: Next) -> Option<usize> {
        self.next = next;
        None
    }

    /// A program's name may stand in `COMMAND=/usr/bin/mysql` and `(mysql`.
    fn see_program(&mut self, word: &[u8]) {
        let start = word.iter().rposition(|byte| matches!(byte, b'/' | b'=' | b'(')).map_or(0, |at| at + 1);
        let Some(name) = word.get(start..) else { return };
        self.program = match trim_quotes(name) {
            b"mysql" | b"mysqldump" | b"mysqladmin" | b"mysqlimport" | b"mysqlcheck" | b"mariadb" | b"mariadb-dump"
            | b"mariadb-admin" => Program::Mysql,
            b"sshpass" | b"useradd" | b"usermod" => Program::Sshpass,
            b"curl" => Program::Curl,
            b"redis-cli" => Program::Redis,
            b";" | b"|" | b"||" | b"&&" => Program::Other,
            _ => return,
        };
    }

    /// Whether it was replaced before, be it with or without its bracket.
    fn is_placeholder(&self, place: &Range<usize>) -> bool {
        let value = self.record.get(place.clone()).unwrap_or_default();
        value.strip_suffix(b"]").unwrap_or(value) == PLACEHOLDER.trim_end_matches(']').as_bytes()
    }

    /// The length of the word's value: a bracket that closes the whole message is none of it.
    fn value_end(&self, place: &Range<usize>) -> usize {
        let word = self.record.get(place.clone()).unwrap_or_default();
        let rest = self.record.get(place.end..).unwrap_or_default();
        let is_last = rest.trim_ascii().is_empty();
        match word {
            [.., b')' | b']'] if is_last => word.len() - 1,
            [.., b'\\'] => word.len() - 1,
            _ => word.len(),
        }
    }
}

impl Iterator for Secrets<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (place, signs) = self.word()?;
            let found = self.judge(place, signs).filter(|found| !self.is_placeholder(found));
            if found.is_some() {
                return found;
            }
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

/// No secret stands where the shell's signs or another option do.
fn is_syntax(word: &[u8]) -> bool {
    matches!(word, [b'-', ..] | b";" | b"|" | b"||" | b"&&" | b"&" | b">" | b"<" | b"]" | b")")
}

fn is_authorization(name: &[u8]) -> bool {
    [b"authorization".as_slice(), b"proxy-authorization"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn is_scheme(word: &[u8]) -> bool {
    let word = trim_quotes(word);
    ["bearer", "basic", "token", "digest", "negotiate", "aws4-hmac-sha256", "apikey"]
        .iter()
        .any(|scheme| word.eq_ignore_ascii_case(scheme.as_bytes()))
}

fn trim_quotes(word: &[u8]) -> &[u8] {
    let mut word = word;
    while let [b'\'' | b'"' | b'\\' | b'(', rest @ ..] | [rest @ .., b'\'' | b'"' | b'\\'] = word {
        word = rest;
    }
    word
}

/// Where the value begins in `NAME=value` and `"name":"value"`, if the name is that of a secret.
fn assigned(word: &[u8]) -> Option<usize> {
    memchr::memchr2_iter(b'=', b':', word).find_map(|at| {
        let name = word.get(..at)?;
        let is_json = word.get(at) == Some(&b':');
        let name = match name {
            [name @ .., b'"'] | [name @ .., b'\''] if is_json => name,
            _ if is_json && !is_secret_header(trim_quotes(name)) => return None,
            _ => name,
        };
        let start = name.iter().rposition(|byte| !is_name(*byte)).map_or(0, |at| at + 1);
        let after = at + 1;
        // The start of an address.
        let is_address = is_json && word.get(after..).is_some_and(|rest| rest.starts_with(b"//"));
        (!is_address && is_secret_name(name.get(start..)?)).then_some(after)
    })
}

/// A header that carries a credential: `X-Vault-Token`. Other names before a colon are programs and services.
fn is_secret_header(name: &[u8]) -> bool {
    ["x-", "private-token", "api-key", "apikey"].iter().any(|start| starts_with(name, start)) && is_secret_name(name)
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// Whether a name ends in a word for a secret: `DB_PASSWORD`, `api-token`, `secretAccessKey`.
fn is_secret_name(name: &[u8]) -> bool {
    let name = match name.iter().position(|byte| *byte != b'-') {
        Some(start) => name.get(start..).unwrap_or_default(),
        None => return false,
    };
    // The longest name anybody gives; what is asked for at a prompt is not in the command.
    if name.len() > 64 || ["no-", "no_", "ask-", "ask_"].iter().any(|start| starts_with(name, start)) {
        return false;
    }
    match name.last().map(u8::to_ascii_lowercase) {
        Some(b'd') => ends_with(name, "password") || ends_with(name, "passwd") || is_password_word(name),
        Some(b's') => ["pass", "credentials"].iter().any(|end| ends_with(name, end)) && !ends_with(name, "bypass"),
        Some(b'e') => ends_with(name, "passphrase"),
        Some(b't') => ends_with(name, "secret"),
        Some(b'n') => ends_with(name, "token"),
        Some(b'w') => ends_with(name, "pw"),
        Some(b'y') => [
            "api_key",
            "api-key",
            "apikey",
            "access_key",
            "access-key",
            "accesskey",
            "secret_key",
            "secret-key",
            "secretkey",
            "private_key",
            "private-key",
            "privatekey",
            "auth_key",
            "auth-key",
            "authkey",
            "encryption_key",
            "encryption-key",
        ]
        .iter()
        .any(|end| ends_with(name, end)),
        _ => false,
    }
}

/// `MYSQL_PWD`, but not the shell's own `PWD` and `OLDPWD`.
fn is_password_word(name: &[u8]) -> bool {
    ends_with(name, "_pwd") || ends_with(name, "-pwd") || name == b"pwd"
}

fn starts_with(name: &[u8], start: &str) -> bool {
    name.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
}

fn ends_with(name: &[u8], end: &str) -> bool {
    let at = name.len().checked_sub(end.len());
    at.and_then(|at| name.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end.as_bytes()))
}

/// `scheme://user:password@`: the place of the password.
fn url_password(word: &[u8]) -> Option<Range<usize>> {
    let scheme = memchr::memmem::find(word, b"://")?;
    let start = scheme + 3;
    let authority = word.get(start..)?;
    let end = authority.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(authority.len());
    let at = memchr::memrchr(b'@', authority.get(..end)?)?;
    let colon = memchr::memchr(b':', authority.get(..at)?)?;
    Some(start + colon + 1..start + at)
}

/// Where a token begins that says itself what it is.
fn token(word: &[u8]) -> Option<usize> {
    const KINDS: [&[u8]; 8] = [b"ghp_", b"gho_", b"ghs_", b"github_pat_", b"glpat-", b"xoxb-", b"xoxp-", b"hvs."];
    let start = word.iter().position(|byte| !matches!(byte, b'\'' | b'"' | b'('))?;
    let rest = word.get(start..).filter(|rest| matches!(rest, [b'g' | b'x' | b'h', ..]))?;
    KINDS.iter().any(|kind| rest.starts_with(kind) && rest.len() >= kind.len() + 8).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &str, expect: &str) {
        let got = redact(record.as_bytes());
        assert_eq!(String::from_utf8_lossy(&got), expect.replace('§', PLACEHOLDER), "{record}");
        assert_eq!(redact(&got), got, "twice is once: {record}");
    }

    #[test]
    fn values_of_secret_names_go() {
        check("COMMAND=/usr/bin/x --password=hunter2 --user=bob", "COMMAND=/usr/bin/x --password=§ --user=bob");
        check("ENV=PGPASSWORD=a LANG=C ; COMMAND=/x", "ENV=PGPASSWORD=§ LANG=C ; COMMAND=/x");
        check("DB_PASSWD=a API_TOKEN=b client-secret=c x=d", "DB_PASSWD=§ API_TOKEN=§ client-secret=§ x=d");
        check(
            "AWS_SECRET_ACCESS_KEY=abc AWS_ACCESS_KEY_ID=AKIA123",
            "AWS_SECRET_ACCESS_KEY=§ AWS_ACCESS_KEY_ID=AKIA123",
        );
        check("curl -d {\"user\":\"a\",\"password\":\"b\"}", "curl -d {\"user\":\"a\",\"password\":§");
        check("CMD (aws configure set aws_secret_access_key abc)", "CMD (aws configure set aws_secret_access_key §)");
        check("(root) CMD (x --token=abc)", "(root) CMD (x --token=§)");
        check("MYSQL_PWD=a x", "MYSQL_PWD=§ x");
        check("sh -c x\\ --password=a\\ b", "sh -c x\\ --password=§\\ b");
    }

    #[test]
    fn words_after_secret_options_go() {
        check("x --password hunter2 -v", "x --password § -v");
        check("x --password --user=bob", "x --password --user=bob");
        check("x --token\thunter2\r", "x --token\t§\r");
        check("curl -H Authorization: Bearer abc.def https://h/", "curl -H Authorization: Bearer § https://h/");
        check("curl -H Authorization:\\ Bearer\\ abc\\ x", "curl -H Authorization:\\ Bearer\\ §\\ x");
        check("openssl x -passin pass:abc -y", "openssl x -passin pass:§ -y");
        check("curl -su bob:pw https://h/", "curl -su bob:§ https://h/");
        check("curl -H 'Authorization: Basic abc'", "curl -H 'Authorization: Basic §");
        check("curl -H X-Api-Key: abc -v", "curl -H X-Api-Key: § -v");
        check("curl -H X-Vault-Token:abc -v", "curl -H X-Vault-Token:§ -v");
    }

    #[test]
    fn programs_with_options_of_their_own() {
        check("COMMAND=/usr/bin/mysql -uroot -phunter2 db", "COMMAND=/usr/bin/mysql -uroot -p§ db");
        check("mysqldump --port=1 -p db", "mysqldump --port=1 -p db");
        check("(root) CMD (mysql -ppw)", "(root) CMD (mysql -p§)");
        check("sshpass -p hunter2 ssh -p 22 h", "sshpass -p § ssh -p 22 h");
        check("curl -u bob:pw -x http://a:b@p:1/ https://h/", "curl -u bob:§ -x http://a:§@p:1/ https://h/");
        check("curl -ubob:pw https://h/", "curl -ubob:§ https://h/");
        check("ssh -p 22 h ; ls -p x", "ssh -p 22 h ; ls -p x");
        check("git clone https://bob:ghp_x@example.com/r", "git clone https://bob:§@example.com/r");
        check("alice ran command echo ghp_0123456789abcdef as root", "alice ran command echo § as root");
    }

    #[test]
    fn what_is_no_secret_stays() {
        for record in [
            "Accepted password for root from 198.51.100.77 port 40300 ssh2",
            "Accepted publickey for a from 1.2.3.4 port 5 ssh2: ED25519 SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
            "alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/passwd bob",
            "pam_unix(passwd:chauthtok): password changed for bob",
            "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=1.2.3.4  user=a",
            "ansible-playbook --ask-become-pass --vault-password-file /x --no-password y",
            "https://example.com:8080/a@b PASS_MAX_DAYS=9 SSH_AUTH_SOCK=/x OLDPWD=/y",
            "x --password= --token",
            "",
            " ",
            "gdm-password][7]: pam_unix(gdm-password:session): session opened for user alice(uid=1001) by (uid=0)",
            "web-1 refresh-token: started",
            "::=:=\"\":",
        ] {
            check(record, record);
        }
    }
}
