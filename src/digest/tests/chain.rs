//! Makes digest chains as CloudTrail does, with a key of its own: what lies in a bucket, hour after hour.
//!
//! Plain data, so that tests of this room and tests of the whole program can both use it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "eu-west-1";
pub(crate) const TRAIL: &str = "all";
pub(crate) const BUCKET: &str = "audit";
pub(crate) const FINGERPRINT: &str = "31e8b5433410dfb61a9dc45cc65b22ff";

/// What lies in a bucket, unpacked, by its key.
pub(crate) type Objects = BTreeMap<String, Object>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) content: Vec<u8>,
    /// `x-amz-meta-signature`; only digests have one.
    pub(crate) signature: Option<String>,
}

/// An RSA key of 2048 bits, the same for all tests of a process.
pub(crate) fn key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| KeyPair::generate(KeySize::Rsa2048).expect("a key"))
}

/// As `ListPublicKeys` gives it: PKCS #1 in base64.
pub(crate) fn public_key() -> String {
    data_encoding::BASE64.encode(key().public_key().as_ref())
}

/// The same as SubjectPublicKeyInfo.
pub(crate) fn public_key_info() -> String {
    let der: PublicKeyX509Der<'_> = key().public_key().as_der().expect("encodes");
    data_encoding::BASE64.encode(der.as_ref())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// One trail that writes into a bucket.
#[derive(Debug, Clone)]
pub(crate) struct Chain {
    pub(crate) objects: Objects,
    /// Keys of the digests, oldest first.
    pub(crate) digests: Vec<String>,
    /// Keys of the logs, oldest first.
    pub(crate) logs: Vec<String>,
    pub(crate) trail: String,
    next: DateTime<Utc>,
    previous: Option<(String, String, String)>,
    previous_backfill: Option<(String, String, String)>,
}

impl Chain {
    /// Validation begins at this time.
    pub(crate) fn new(begin: &str) -> Self {
        Self {
            objects: Objects::new(),
            digests: Vec::new(),
            logs: Vec::new(),
            trail: TRAIL.to_owned(),
            next: at(begin),
            previous: None,
            previous_backfill: None,
        }
    }

    /// So many hours with an object each, delivered a quarter of an hour after their beginning.
    pub(crate) fn hours(begin: &str, hours: usize) -> Self {
        let mut chain = Self::new(begin);
        for _ in 0..hours {
            chain.hour(1);
        }
        chain
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.next
    }

    /// An hour with so many objects, and its digest.
    pub(crate) fn hour(&mut self, logs: usize) -> &mut Self {
        let listed: Vec<String> =
            (0..logs).map(|n| self.log(TimeDelta::minutes(15 + i64::try_from(n).expect("few")))).collect();
        self.digest(&listed)
    }

    /// An object that is delivered so long after the beginning of the hour; no digest lists it yet.
    pub(crate) fn log(&mut self, after: TimeDelta) -> String {
        let number = self.logs.len();
        let delivered = self.next + after;
        let day = delivered.format("%Y/%m/%d");
        let minute = delivered.format("%Y%m%dT%H%MZ");
        let key = format!(
            "AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{day}/{ACCOUNT}_CloudTrail_{REGION}_{minute}_{number:016}.json.gz"
        );
        self.objects.insert(key.clone(), Object { content: records(number, delivered), signature: None });
        self.logs.push(key.clone());
        key
    }

    /// The digest of this hour.
    pub(crate) fn digest(&mut self, listed: &[String]) -> &mut Self {
        let start = self.next;
        self.next += TimeDelta::hours(1);
        let previous = self.previous.take();
        self.previous = Some(self.write(start, self.next, "", previous, listed));
        self
    }

    /// A digest of objects that the digest of their hour did not list.
    pub(crate) fn backfill(&mut self, listed: &[String]) -> &mut Self {
        let previous = self.previous_backfill.take();
        let written = self.write(self.next - TimeDelta::hours(1), self.next, "_backfill", previous, listed);
        self.previous_backfill = Some(written);
        self
    }

    /// Validation is switched off for a while, and on again.
    pub(crate) fn off(&mut self, hours: i64) -> &mut Self {
        self.next += TimeDelta::hours(hours);
        self.previous = None;
        self
    }

    fn write(
        &mut self,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
        suffix: &str,
        previous: Option<(String, String, String)>,
        listed: &[String],
    ) -> (String, String, String) {
        let (day, time, trail) = (end.format("%Y/%m/%d"), end.format("%Y%m%dT%H%M%SZ"), &self.trail);
        let key = format!(
            "AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/{day}/\
             {ACCOUNT}_CloudTrail-Digest_{REGION}_{trail}_{REGION}_{time}{suffix}.json.gz"
        );
        let logs = listed.iter().map(|log| {
            json!({
                "s3Bucket": BUCKET,
                "s3Object": log,
                "hashValue": hex(&Sha256::digest(&self.objects[log].content)),
                "hashAlgorithm": "SHA-256",
                "newestEventTime": text(end),
                "oldestEventTime": text(start),
            })
        });
        let named = |value: Option<&String>| value.map_or(Value::Null, |value| json!(value));
        let content = json!({
            "awsAccountId": ACCOUNT,
            "digestStartTime": text(start),
            "digestEndTime": text(end),
            "digestS3Bucket": BUCKET,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": FINGERPRINT,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": null,
            "oldestEventTime": null,
            "previousDigestS3Bucket": previous.as_ref().map_or(Value::Null, |_| json!(BUCKET)),
            "previousDigestS3Object": named(previous.as_ref().map(|(object, ..)| object)),
            "previousDigestHashValue": named(previous.as_ref().map(|(_, hash, _)| hash)),
            "previousDigestHashAlgorithm": previous.as_ref().map_or(Value::Null, |_| json!("SHA-256")),
            "previousDigestSignature": named(previous.as_ref().map(|(.., signature)| signature)),
            "logFiles": logs.collect::<Vec<_>>(),
        });
        let content = content.to_string().into_bytes();
        let hash = hex(&Sha256::digest(&content));
        let before = previous.map_or_else(|| "null".to_owned(), |(.., signature)| signature);
        let signature = sign(&format!("{}\n{BUCKET}/{key}\n{hash}\n{before}", text(end)));
        self.objects.insert(key.clone(), Object { content, signature: Some(signature.clone()) });
        self.digests.push(key.clone());
        (key, hash, signature)
    }
}

/// A signature in hexadecimal, as CloudTrail's is.
pub(crate) fn sign(message: &str) -> String {
    let mut signature = vec![0; key().public_modulus_len()];
    key().sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).expect("signs");
    hex(&signature)
}

/// One CloudTrail file with one record.
fn records(number: usize, delivered: DateTime<Utc>) -> Vec<u8> {
    let record = json!({
        "eventVersion": "1.09",
        "eventID": format!("{number:08x}-0000-4000-8000-000000000000"),
        "eventTime": text(delivered - TimeDelta::minutes(5)),
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstances",
        "awsRegion": REGION,
        "sourceIPAddress": "198.51.100.77",
        "recipientAccountId": ACCOUNT,
        "userIdentity": { "type": "IAMUser", "userName": "alice" },
    });
    json!({ "Records": [record] }).to_string().into_bytes()
}

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

fn text(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
