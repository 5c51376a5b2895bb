//! Secrets that say themselves what they are, wherever they stand in a word.

use std::ops::Range;

use super::names::is_name;

/// How a token of a known issuer begins, and the least number of characters that follow.
const TOKENS: &[(&[u8], usize)] = &[
    (b"ghp_", 8),
    (b"gho_", 8),
    (b"ghu_", 8),
    (b"ghs_", 8),
    (b"ghr_", 8),
    (b"github_pat_", 8),
    (b"glpat-", 8),
    (b"gldt-", 8),
    (b"glrt-", 8),
    (b"xoxa-", 8),
    (b"xoxb-", 8),
    (b"xoxp-", 8),
    (b"xoxs-", 8),
    (b"xapp-", 8),
    (b"hvs.", 8),
    (b"hvb.", 8),
    (b"sk_live_", 8),
    (b"sk_test_", 8),
    (b"rk_live_", 8),
    (b"sk-", 20),
    (b"npm_", 30),
    (b"pypi-", 40),
    (b"dop_v1_", 20),
    (b"dckr_pat_", 8),
    (b"hf_", 30),
    (b"shpat_", 20),
    (b"tskey-", 12),
    (b"AIza", 35),
    (b"ya29.", 20),
    (b"SG.", 30),
    (b"AGE-SECRET-KEY-1", 20),
    (b"ATATT3x", 20),
];

/// What a password's hash begins with, as crypt(5) has it: who has it can guess at leisure.
const HASHES: &[&[u8]] =
    &[b"$1$", b"$2a$", b"$2b$", b"$2y$", b"$5$", b"$6$", b"$7$", b"$y$", b"$gy$", b"$apr1$", b"$argon2id$", b"$sha1$"];

const HASH_BYTES_MIN: usize = 20;

/// The place of one in a word that has nothing else to tell.
pub(super) fn find(word: &[u8]) -> Option<Range<usize>> {
    let starts = (0..word.len()).filter(|at| *at == 0 || !word.get(at - 1).copied().is_some_and(is_name));
    for start in starts {
        let rest = word.get(start..)?;
        if let Some(length) = token(rest).or_else(|| jwt(rest)).or_else(|| hash(rest)) {
            return Some(start..start + length);
        }
    }
    webhook(word)
}

fn token(rest: &[u8]) -> Option<usize> {
    let (start, least) = TOKENS.iter().find(|(start, _)| rest.starts_with(start))?;
    let body = rest.get(start.len()..)?;
    let length = body.iter().take_while(|byte| is_name(**byte)).count();
    // Words of a language have no digits.
    let is_random = body.get(..length)?.iter().any(u8::is_ascii_digit) || *least <= 8;
    (length >= *least && is_random).then_some(start.len() + length)
}

/// A JSON Web Token: three parts in base64url, the first of which begins as `{"` does (RFC 7519).
fn jwt(rest: &[u8]) -> Option<usize> {
    if !rest.starts_with(b"eyJ") {
        return None;
    }
    let length = rest.iter().take_while(|byte| is_name(**byte)).count();
    let dots = rest.get(..length)?.iter().filter(|byte| **byte == b'.').count();
    (dots >= 2 && length > 20).then_some(length)
}

fn hash(rest: &[u8]) -> Option<usize> {
    if rest.first() != Some(&b'$') || !HASHES.iter().any(|start| rest.starts_with(start)) {
        return None;
    }
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'$' | b'.' | b'/' | b'=' | b',' | b'+');
    let length = rest.iter().take_while(|byte| is_part(byte)).count();
    (length >= HASH_BYTES_MIN).then_some(length)
}

/// An address that lets whoever has it write: the path is the secret.
fn webhook(word: &[u8]) -> Option<Range<usize>> {
    const PLACES: [&[u8]; 3] = [b"hooks.slack.com/services/", b"discord.com/api/webhooks/", b"api.telegram.org/bot"];
    PLACES.iter().find_map(|place| {
        let start = memchr::memmem::find(word, place)? + place.len();
        let length = word.get(start..)?.iter().take_while(|byte| is_name(**byte) || b"/:".contains(byte)).count();
        (length > 8).then_some(start..start + length)
    })
}

/// `scheme://user:password@`, and the same without a scheme: the place of the password.
pub(super) fn url_password(word: &[u8]) -> Option<Range<usize>> {
    let Some(scheme) = memchr::memmem::find(word, b"://") else { return bare_password(word) };
    let start = scheme + 3;
    let authority = word.get(start..)?;
    let end = authority.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(authority.len());
    // A password may hold a slash where somebody forgot to encode it.
    let at = memchr::memrchr(b'@', authority.get(..end)?)?;
    let colon = memchr::memchr(b':', authority.get(..at)?)?;
    Some(start + colon + 1..start + at)
}

/// `user:password@host`: a user's name, a password without a slash, and what can be a machine's name.
fn bare_password(word: &[u8]) -> Option<Range<usize>> {
    let start = word.iter().position(|byte| is_name(*byte)).filter(|start| *start <= 1)?;
    let rest = word.get(start..)?;
    let colon = rest.iter().position(|byte| !is_name(*byte)).filter(|at| rest.get(*at) == Some(&b':'))?;
    let at = memchr::memrchr(b'@', rest)?;
    let (user, password, host) = (rest.get(..colon)?, rest.get(colon + 1..at)?, rest.get(at + 1..)?);
    let is_user = user.iter().any(u8::is_ascii_alphabetic);
    let is_password = !password.is_empty() && !password.iter().any(|byte| matches!(byte, b'/' | b'@' | b':'));
    let is_host = host.first().is_some_and(u8::is_ascii_alphanumeric);
    (is_user && is_password && is_host).then_some(start + colon + 1..start + at)
}

/// `-----BEGIN … PRIVATE KEY-----`: the place of what follows, up to the end line or the record's end.
/// Newlines in it may have become spaces, `\n` or `#012`.
pub(super) fn private_key(record: &[u8], from: usize) -> Option<Range<usize>> {
    let rest = record.get(from..)?;
    let begin = memchr::memmem::find(rest, b"-----BEGIN ")?;
    let label = begin + "-----BEGIN ".len();
    let dashes = label + memchr::memmem::find(rest.get(label..)?, b"-----")?;
    if !rest.get(label..dashes)?.ends_with(b"PRIVATE KEY") && !rest.get(label..dashes)?.ends_with(b"PRIVATE KEY BLOCK")
    {
        return None;
    }
    let start = dashes + "-----".len();
    let body = rest.get(start..)?;
    let end = start + memchr::memmem::find(body, b"-----END ").unwrap_or(body.len());
    (start < end).then_some(from + start..from + end)
}

/// What follows an access key's id after a colon: `AKIA…:secret`.
pub(super) fn after_access_key_id(word: &[u8]) -> Option<Range<usize>> {
    let colon = memchr::memchr(b':', word)?;
    let (id, secret) = (word.get(..colon)?, word.get(colon + 1..)?);
    (is_access_key_id(id) && is_secret_access_key(secret)).then_some(colon + 1..colon + 1 + SECRET_ACCESS_KEY_BYTES)
}

const SECRET_ACCESS_KEY_BYTES: usize = 40;

/// `AKIA…` or `ASIA…`; an id is no secret, but what stands beside it may be one.
pub(super) fn is_access_key_id(word: &[u8]) -> bool {
    let id = word.get(word.len().saturating_sub(20)..).unwrap_or_default();
    id.len() == 20
        && (id.starts_with(b"AKIA") || id.starts_with(b"ASIA"))
        && id.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// 40 characters of base64, as AWS makes them.
pub(super) fn is_secret_access_key(word: &[u8]) -> bool {
    word.get(..SECRET_ACCESS_KEY_BYTES)
        .is_some_and(|key| key.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+' | b'=')))
        && word.get(SECRET_ACCESS_KEY_BYTES).is_none_or(|byte| !is_name(*byte))
}
