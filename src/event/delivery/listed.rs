//! Public keys as `aws cloudtrail list-public-keys` prints them. Pure.
//!
//! The list does not say whose region a key is of; a fingerprint names one key wherever it is.

use std::time::Duration;

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::Value as Json;

use super::PublicKey;
use crate::event::Stamp;

/// A key has 400 bytes; a year of all regions has some thousand.
pub const BYTES_MAX: u64 = 16 << 20;

/// Why a text is no list of keys.
#[derive(Debug, thiserror::Error)]
pub enum ListedError {
    #[error("is longer than {BYTES_MAX} bytes: it is no list of keys")]
    TooLong,
    #[error("is not what `aws cloudtrail list-public-keys` prints: {0}")]
    NotKeys(#[from] serde_json::Error),
    #[error("has a key without a right {0} (number {1})")]
    BadKey(&'static str, usize),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(alias = "publicKeyList")]
    public_key_list: Vec<Key>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Key {
    fingerprint: String,
    value: String,
    validity_start_time: Json,
    validity_end_time: Json,
}

/// All of them, or none: a list with one that is wrong was not made by AWS.
pub fn read(text: &[u8]) -> Result<Vec<PublicKey>, ListedError> {
    if text.len() as u64 > BYTES_MAX {
        return Err(ListedError::TooLong);
    }
    let Listed { public_key_list } = serde_json::from_slice(text)?;
    let keys = public_key_list.into_iter().enumerate().map(|(i, key)| {
        let bad = |what| ListedError::BadKey(what, i + 1);
        BASE64.decode(key.value.as_bytes()).map_err(|_| bad("Value"))?;
        let (valid_from, valid_until) = (instant(&key.validity_start_time), instant(&key.validity_end_time));
        Ok(PublicKey {
            fingerprint: key.fingerprint,
            value: key.value,
            region: String::new(),
            valid_from: valid_from.ok_or_else(|| bad("ValidityStartTime"))?,
            valid_until: valid_until.ok_or_else(|| bad("ValidityEndTime"))?,
        })
    });
    keys.collect()
}

/// The AWS CLI writes RFC 3339; version 1 and other tools write seconds.
fn instant(value: &Json) -> Option<Stamp> {
    match value {
        Json::String(text) => Stamp::parse(text),
        Json::Number(number) => {
            let micros = Duration::try_from_secs_f64(number.as_f64()?).ok()?.as_micros();
            Some(Stamp::from_micros(i64::try_from(micros).ok()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_versions_of_the_aws_cli_print_is_read() {
        let text = r#"{"PublicKeyList":[
            {"Value":"MAA=","ValidityStartTime":"2026-11-01T02:00:00+02:00","ValidityEndTime":"2026-11-29T00:00:00.5Z","Fingerprint":"aa"},
            {"Value":"MAA=","ValidityStartTime":1793491200.25,"ValidityEndTime":1795910400,"Fingerprint":"bb","more":1}]}"#;
        for text in [text.to_owned(), text.replace("PublicKeyList", "publicKeyList")] {
            let keys = read(text.as_bytes()).expect("keys");
            assert_eq!(keys[0].valid_from.to_string(), "2026-11-01T00:00:00Z");
            assert_eq!(keys[0].valid_until.to_string(), "2026-11-29T00:00:00.500Z");
            assert_eq!((keys[1].fingerprint.as_str(), keys[1].valid_from.micros()), ("bb", 1_793_491_200_250_000));
        }
    }

    #[test]
    fn what_is_no_list_of_keys_is_refused_with_the_place() {
        let key = |from: &str, to: &str| {
            let text =
                r#"{"PublicKeyList":[{"Value":"MAA=","ValidityStartTime":0,"ValidityEndTime":1,"Fingerprint":"f"}]}"#;
            read(text.replace(from, to).as_bytes()).expect_err("refused").to_string()
        };
        assert_eq!(key("MAA=", "no base64"), "has a key without a right Value (number 1)");
        assert_eq!(key(":0,", ":\"soon\","), "has a key without a right ValidityStartTime (number 1)");
        assert_eq!(key(":1,", ":-1,"), "has a key without a right ValidityEndTime (number 1)");
        assert_eq!(key(":1,", ":1e300,"), "has a key without a right ValidityEndTime (number 1)");
        assert!(key("PublicKeyList", "Records").starts_with("is not what `aws cloudtrail list-public-keys` prints"));
        assert!(key("{", "").starts_with("is not what"));
        let long = vec![b' '; 1 + BYTES_MAX as usize];
        assert_eq!(read(&long).expect_err("refused").to_string(), ListedError::TooLong.to_string());
    }
}
