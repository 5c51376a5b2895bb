//! Secrets in commands, replaced by a mark before anything is made of the record.
//!
//! A record's id is a hash that anybody may see; with the secret in it, it would confirm a guess of a
//! password. So what stands here in a record never reaches the id, the trail or the index:
//!
//! | written | what is replaced |
//! |---------|------------------|
//! | `PASSWORD=…`, `--api-token=…`, `"secret":"…"` | the value of a name that ends in a word for a secret ([`names`]) |
//! | `--password …`, `X-Api-Key: …` | the word after it |
//! | `mysql -p…`, `sshpass -p …`, `curl -u user:…`, `htpasswd -b … …` | what these programs take as a password there ([`programs`]) |
//! | `echo … \| chpasswd`, `chpasswd <<< …` | what a program that reads passwords is given |
//! | `https://user:…@host/`, `user:…@host` | the password in an address |
//! | `Authorization: Bearer …` | the credential, not its kind |
//! | `ghp_…`, `glpat-…`, `eyJ….….…`, `$6$…` | tokens and hashes that say themselves what they are ([`tokens`]) |
//! | `AKIA… …`, `-----BEGIN … PRIVATE KEY-----…` | AWS's secret beside its id, private keys in PEM |
//!
//! **The mark** is `[REDACTED:k3q7abcd]`: 40 bits of an HMAC-SHA256 (RFC 2104) of the secret, so that equal secrets
//! have equal marks. Its key belongs to one trail and lies beside the signing keys: whoever has the trail
//! without it cannot try guesses. Without a key the mark is `[REDACTED]`. The id is always made of the record
//! with `[REDACTED]`, so it does not depend on the key.
//!
//! A secret that looks like any other word cannot be found; `docs/sources.md` says so. An access key's id
//! (`AKIA…`) is no secret.

mod find;
#[cfg(test)]
mod forms;
mod json;
mod names;
mod programs;
mod tokens;

use std::fmt;
use std::sync::{Arc, LazyLock};

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use regex::bytes::Regex;
use sha2::Sha256;

use find::Secrets;

/// What stands in a record where a secret was, if there is no key; and always in what an id is made of.
pub const PLACEHOLDER: &str = "[REDACTED]";

/// A record without its secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redacted {
    /// With one placeholder for all of them: what the id is made of.
    pub plain: Vec<u8>,
    /// With their marks: what is kept.
    pub marked: Vec<u8>,
}

/// Makes marks of secrets.
#[derive(Clone, Default)]
pub struct Marks(Option<Arc<Hmac<Sha256>>>);

impl Marks {
    pub fn new(key: &[u8; 32]) -> Self {
        // Any length will do for HMAC.
        Self(Hmac::new_from_slice(key).ok().map(Arc::new))
    }

    /// None if a record holds no secret.
    pub fn redact(&self, record: &[u8]) -> Option<Redacted> {
        if may_hold_secrets(record) { self.replace(record) } else { None }
    }

    /// The same for what is a command, and nothing else: it has no sign around it that it is one.
    pub fn redact_command(&self, command: &[u8]) -> Option<Redacted> {
        self.replace(command)
    }

    /// The same for a field of an event whose record held a secret. A field may begin where only the rest of the
    /// record would show that it is worth a look.
    pub fn redact_text(&self, text: &mut String) {
        if let Some(clean) = self.replace(text.as_bytes()) {
            *text = String::from_utf8_lossy(&clean.marked).into_owned();
        }
    }

    fn replace(&self, record: &[u8]) -> Option<Redacted> {
        let mut out: Option<Redacted> = None;
        let mut kept = 0;
        for found in Secrets::of(record) {
            let (Some(before), Some(secret)) = (record.get(kept..found.start), record.get(found.clone())) else {
                continue;
            };
            let out = out.get_or_insert_with(Redacted::default);
            out.plain.extend_from_slice(before);
            out.plain.extend_from_slice(PLACEHOLDER.as_bytes());
            out.marked.extend_from_slice(before);
            out.marked.extend_from_slice(self.mark(secret).as_bytes());
            kept = found.end;
        }
        let mut out = out?;
        let rest = record.get(kept..).unwrap_or_default();
        out.plain.extend_from_slice(rest);
        out.marked.extend_from_slice(rest);
        Some(out)
    }

    /// A value that is a secret as a whole.
    fn whole(&self, secret: &[u8]) -> Redacted {
        Redacted { plain: PLACEHOLDER.into(), marked: self.mark(secret).into_bytes() }
    }

    fn mark(&self, secret: &[u8]) -> String {
        let Some(keyed) = &self.0 else { return PLACEHOLDER.to_owned() };
        let mut hmac = Hmac::clone(keyed);
        hmac.update(secret);
        let tag = hmac.finalize().into_bytes();
        let mark = BASE32_NOPAD.encode(tag.get(..MARK_BYTES).unwrap_or_default());
        format!("[REDACTED:{}]", mark.to_ascii_lowercase())
    }
}

/// Who sees an event must not see the key.
impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Marks(keyed)" } else { "Marks(plain)" })
    }
}

/// With the same key.
impl PartialEq for Marks {
    fn eq(&self, other: &Self) -> bool {
        self.mark(b"") == other.mark(b"")
    }
}

/// 40 bits: two different secrets of ten thousand look alike once in twenty thousand trails.
const MARK_BYTES: usize = 5;

/// Most lines hold no assignment, no address, no command in brackets or of doas, no option, no header and no
/// token: they are not looked at word by word.
fn may_hold_secrets(record: &[u8]) -> bool {
    static SIGNS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(
            r"[=@(]|\s-|earer |uthorization:| ran command |://|eyJ|gh[pousr]_|_pat_|gl(pat|dt|rt)-|xox[abps]-|xapp-|hv[sb]\.|sk[-_]|npm_|AIza|\$(6|y|5|2[aby]|1|7)\$|AKIA|ASIA|ya29\.|SG\.|dckr_|dop_v1_|shpat_|tskey-|pypi-|hf_|AGE-SECRET|ATATT3x|<<<|\|",
        )
        .expect("a correct expression")
    });
    SIGNS.is_match(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &str, expect: &str) {
        let redact = |record: &[u8]| Marks::default().redact(record).map_or(record.to_vec(), |clean| clean.plain);
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
        check("curl -d {\"user\":\"a\",\"password\":\"b\"}", "curl -d {\"user\":\"a\",\"password\":\"§\"}");
        check("CMD (aws configure set aws_secret_access_key abc)", "CMD (aws configure set aws_secret_access_key §)");
        check("(root) CMD (x --token=abc)", "(root) CMD (x --token=§)");
        check("MYSQL_PWD=a x", "MYSQL_PWD=§ x");
        check("curl https://api.telegram.org/bot123456:abcdefgh/getMe -v", "curl https://api.telegram.org/bot§ -v");
        check("grep -rn password 'etc' BY 'x' user password file", "grep -rn password 'etc' BY 'x' user password file");
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
        check("curl -H 'Authorization: Basic abc'", "curl -H 'Authorization: Basic §'");
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
