//! Keys that sign CloudTrail's digests, from a file: what `aws cloudtrail list-public-keys` printed.
//!
//! For machines that cannot ask AWS, and for the digests of accounts that are gone. The file does not say whose region
//! a key is of; a fingerprint names one key wherever it is.

use std::fs::{self, File};
use std::io::Read as _;
use std::time::{Duration, SystemTime};

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::Value as Json;

use super::Mode;
use super::outlet::{Closed, Outlet, Pushed};
use super::setting::Setting;
use super::stop::{Stop, Woken};
use super::watch::Watch;
use crate::event::Stamp;
use crate::event::delivery::PublicKey;

/// A key has 400 bytes; a year of all regions has some thousand.
const FILE_BYTES_MAX: u64 = 16 << 20;

#[derive(Debug, thiserror::Error)]
enum KeysError {
    #[error("cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error("is longer than {FILE_BYTES_MAX} bytes: it is no list of keys")]
    TooLong,
    #[error("is not what `aws cloudtrail list-public-keys` prints: {0}")]
    NotKeys(#[from] serde_json::Error),
    #[error("has a key without a right {0} (number {1})")]
    BadKey(&'static str, usize),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
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

/// Reads the file, and when following again after each change.
pub(super) fn read(setting: &Setting, path: &str, mode: Mode, stop: Stop, outlet: &mut Outlet) -> Result<(), Closed> {
    let mut watch = Watch::new(stop);
    let mut read: Option<(SystemTime, u64)> = None;
    loop {
        let print = fs::metadata(path).and_then(|meta| Ok((meta.modified()?, meta.len()))).ok();
        if print.is_none() || print != read {
            match keys(path) {
                Ok(keys) => {
                    let (mut sent, mut known) = (0, 0);
                    for key in &keys {
                        match outlet.push(key.to_event(outlet.source(), outlet.clock.now()), true)? {
                            Pushed::Sent => sent += 1,
                            Pushed::Known => known += 1,
                        }
                    }
                    outlet.works(path)?;
                    outlet.note_read(path, print.map_or(0, |(_, bytes)| bytes), sent, known, None);
                    read = print;
                }
                Err(error) => outlet.failed(path, &error.to_string())?,
            }
            outlet.flush()?;
            outlet.progress.drained(setting.name());
        }
        if mode != Mode::Follow || watch.wait() == Woken::Stop {
            return Ok(());
        }
    }
}

fn keys(path: &str) -> Result<Vec<PublicKey>, KeysError> {
    let mut text = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(KeysError::TooLong);
    }
    parse(&text)
}

fn parse(text: &[u8]) -> Result<Vec<PublicKey>, KeysError> {
    let Listed { public_key_list } = serde_json::from_slice(text)?;
    let keys = public_key_list.into_iter().enumerate().map(|(i, key)| {
        let bad = |what| KeysError::BadKey(what, i + 1);
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
        let keys = parse(text.as_bytes()).expect("keys");
        assert_eq!(keys[0].valid_from.to_string(), "2026-11-01T00:00:00Z");
        assert_eq!(keys[0].valid_until.to_string(), "2026-11-29T00:00:00.500Z");
        assert_eq!((keys[1].fingerprint.as_str(), keys[1].valid_from.micros()), ("bb", 1_793_491_200_250_000));
    }

    #[test]
    fn what_is_no_list_of_keys_is_refused_with_the_place() {
        let key = |from: &str, to: &str| {
            let text =
                r#"{"PublicKeyList":[{"Value":"MAA=","ValidityStartTime":0,"ValidityEndTime":1,"Fingerprint":"f"}]}"#;
            parse(text.replace(from, to).as_bytes()).expect_err("refused").to_string()
        };
        assert_eq!(key("MAA=", "no base64"), "has a key without a right Value (number 1)");
        assert_eq!(key(":0,", ":\"soon\","), "has a key without a right ValidityStartTime (number 1)");
        assert_eq!(key(":1,", ":-1,"), "has a key without a right ValidityEndTime (number 1)");
        assert!(key("PublicKeyList", "Records").starts_with("is not what `aws cloudtrail list-public-keys` prints"));
        assert!(key("{", "").starts_with("is not what"));
    }
}
