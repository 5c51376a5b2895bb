//! Names that say that their value is a secret: of variables, options, headers and members.

/// Whether a name ends in a word for a secret: `DB_PASSWORD`, `api-token`, `secretAccessKey`.
pub(super) fn is_secret(name: &[u8]) -> bool {
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
        Some(b's') => {
            ["pass", "credentials"].iter().any(|end| ends_with(name, end))
                && !["bypass", "compass"].iter().any(|word| ends_with(name, word))
        }
        Some(b'e') => ends_with(name, "passphrase") || ends_with(name, "signature") && starts_with(name, "x-amz-"),
        Some(b't') => ends_with(name, "secret"),
        Some(b'n') => ends_with(name, "token"),
        Some(b'w') => ends_with(name, "pw"),
        Some(b'r') => ends_with(name, "oauth2-bearer"),
        Some(b'y') => KEYS.iter().any(|end| ends_with(name, end)),
        _ => false,
    }
}

/// What a name for a key ends in, if the key is secret: a plain `key` may be anything.
const KEYS: &[&str] = &[
    "api_key",
    "api-key",
    "apikey",
    "access_key",
    "access-key",
    "accesskey",
    "account_key",
    "account-key",
    "accountkey",
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
    "encryptionkey",
    "master_key",
    "master-key",
];

/// A header that carries a credential: `X-Vault-Token`. Other names before a colon are programs and services.
pub(super) fn is_header(name: &[u8]) -> bool {
    let is_named = ["x-", "private-token", "job-token", "deploy-token", "api-key", "apikey"]
        .iter()
        .any(|start| starts_with(name, start));
    is_named && is_secret(name)
}

pub(super) fn is_authorization(name: &[u8]) -> bool {
    ["authorization", "proxy-authorization"].iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// The word before a credential that says of what kind it is.
pub(super) fn is_scheme(word: &[u8]) -> bool {
    ["bearer", "basic", "token", "digest", "negotiate", "aws4-hmac-sha256", "apikey", "genie-key"]
        .iter()
        .any(|scheme| word.eq_ignore_ascii_case(scheme.as_bytes()))
}

pub(super) fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// `MYSQL_PWD`, but not the shell's own `PWD` and `OLDPWD`.
fn is_password_word(name: &[u8]) -> bool {
    ends_with(name, "_pwd") || ends_with(name, "-pwd") || name == b"pwd" || name == b"Pwd"
}

fn starts_with(name: &[u8], start: &str) -> bool {
    name.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
}

fn ends_with(name: &[u8], end: &str) -> bool {
    let at = name.len().checked_sub(end.len());
    at.and_then(|at| name.get(at..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end.as_bytes()))
}
