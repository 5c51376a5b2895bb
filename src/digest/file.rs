//! One digest file: what it says of an hour, and the string that its signature is over.
//!
//! "CloudTrail digest file structure" in AWS's user guide names the fields. Nothing in a file is worth anything
//! before its signature is checked ([`super::key`]); reading it neither panics nor allocates more than the file is
//! long times a small factor.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256};

use crate::event::Stamp;

/// A SHA-256 hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Hash([u8; 32]);

impl Hash {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads 64 hexadecimal digits of either case.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    pub(super) fn hex(self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }
}

/// What a digest file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Of the unpacked file.
    pub(super) hash: Hash,
    pub(super) account: String,
    /// It lists what was delivered from here …
    pub(super) start: Stamp,
    /// … to here.
    pub(super) end: Stamp,
    /// As it is written there: this is signed.
    end_text: String,
    pub(super) bucket: String,
    pub(super) object: String,
    pub(super) fingerprint: String,
    /// The digest before it; none at the start of a chain.
    pub(super) previous: Option<Previous>,
    /// As it is written there: this is signed.
    pub(super) previous_signature: Option<String>,
    pub(super) logs: Vec<Log>,
}

/// The digest before another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Previous {
    pub(super) bucket: String,
    pub(super) object: String,
    pub(super) hash: Hash,
}

/// An object that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Log {
    pub(super) bucket: String,
    pub(super) object: String,
    /// Of the unpacked content.
    pub(super) hash: Hash,
}

/// Why a file is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadFile {
    #[error("it is longer than {BYTES_MAX} bytes")]
    Long,
    #[error("it is not the JSON of a digest")]
    Json,
    #[error("{0} is not what it is in a digest")]
    Field(&'static str),
    #[error("it is signed with {0:?}, which CloudTrail does not use")]
    Algorithm(String),
}

/// The log files of one hour take about 450 bytes each; this is room for 140,000.
const BYTES_MAX: usize = 64 << 20;

const HASH_ALGORITHM: &str = "SHA-256";
const SIGNATURE_ALGORITHM: &str = "SHA256withRSA";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    #[serde(default, deserialize_with = "text")]
    aws_account_id: Option<String>,
    #[serde(default, deserialize_with = "text")]
    digest_start_time: Option<String>,
    #[serde(default, deserialize_with = "text")]
    digest_end_time: Option<String>,
    #[serde(default, rename = "digestS3Bucket", deserialize_with = "text")]
    bucket: Option<String>,
    #[serde(default, rename = "digestS3Object", deserialize_with = "text")]
    object: Option<String>,
    #[serde(default, deserialize_with = "text")]
    digest_public_key_fingerprint: Option<String>,
    #[serde(default, deserialize_with = "text")]
    digest_signature_algorithm: Option<String>,
    #[serde(default, rename = "previousDigestS3Bucket", deserialize_with = "text")]
    previous_bucket: Option<String>,
    #[serde(default, rename = "previousDigestS3Object", deserialize_with = "text")]
    previous_object: Option<String>,
    #[serde(default, deserialize_with = "text")]
    previous_digest_hash_value: Option<String>,
    #[serde(default, deserialize_with = "text")]
    previous_digest_hash_algorithm: Option<String>,
    #[serde(default, deserialize_with = "text")]
    previous_digest_signature: Option<String>,
    #[serde(default)]
    log_files: Option<Vec<RawLog>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawLog {
    #[serde(default, rename = "s3Bucket", deserialize_with = "text")]
    bucket: Option<String>,
    #[serde(default, rename = "s3Object", deserialize_with = "text")]
    object: Option<String>,
    #[serde(default, deserialize_with = "text")]
    hash_value: Option<String>,
    #[serde(default, deserialize_with = "text")]
    hash_algorithm: Option<String>,
}

/// Types drift in CloudTrail's files: an account is a string or a number. What is neither is as if it were not there.
fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Text {
        String(String),
        Number(u64),
        Other(IgnoredAny),
    }
    Ok(match Option::<Text>::deserialize(from)? {
        Some(Text::String(text)) => Some(text),
        Some(Text::Number(number)) => Some(format!("{number:012}")),
        Some(Text::Other(_)) | None => None,
    })
}

impl File {
    /// Reads an unpacked digest file.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, BadFile> {
        if bytes.len() > BYTES_MAX {
            return Err(BadFile::Long);
        }
        let raw: Raw = serde_json::from_slice(bytes).map_err(|_| BadFile::Json)?;
        if let Some(other) = raw.digest_signature_algorithm.filter(|name| name != SIGNATURE_ALGORITHM) {
            return Err(BadFile::Algorithm(other.chars().take(64).collect()));
        }
        let end_text = raw.digest_end_time.ok_or(BadFile::Field("digestEndTime"))?;
        let end = Stamp::parse(&end_text).ok_or(BadFile::Field("digestEndTime"))?;
        let start = raw.digest_start_time.as_deref().and_then(Stamp::parse);
        let start = start.filter(|start| *start <= end).ok_or(BadFile::Field("digestStartTime"))?;
        let previous = match (raw.previous_bucket, raw.previous_object) {
            (Some(bucket), Some(object)) => {
                let hash = hash(raw.previous_digest_hash_value, raw.previous_digest_hash_algorithm);
                Some(Previous { bucket, object, hash: hash.ok_or(BadFile::Field("previousDigestHashValue"))? })
            }
            (None, None) => None,
            _ => return Err(BadFile::Field("previousDigestS3Object")),
        };
        Ok(Self {
            hash: Hash::of(bytes),
            account: raw.aws_account_id.ok_or(BadFile::Field("awsAccountId"))?,
            start,
            end,
            end_text,
            bucket: raw.bucket.ok_or(BadFile::Field("digestS3Bucket"))?,
            object: raw.object.ok_or(BadFile::Field("digestS3Object"))?,
            fingerprint: raw.digest_public_key_fingerprint.ok_or(BadFile::Field("digestPublicKeyFingerprint"))?,
            previous,
            previous_signature: raw.previous_digest_signature,
            logs: raw.log_files.unwrap_or_default().into_iter().map(Log::read).collect::<Result<_, _>>()?,
        })
    }

    /// What CloudTrail signs ("Custom implementations of CloudTrail log file integrity validation", step D); at the
    /// start of a chain the previous signature is the word `null`.
    pub(super) fn string_to_sign(&self) -> String {
        let Self { end_text, bucket, object, hash, .. } = self;
        let previous = self.previous_signature.as_deref().unwrap_or("null");
        format!("{end_text}\n{bucket}/{object}\n{}\n{previous}", hash.hex())
    }
}

impl Log {
    fn read(raw: RawLog) -> Result<Self, BadFile> {
        Ok(Self {
            bucket: raw.bucket.ok_or(BadFile::Field("logFiles.s3Bucket"))?,
            object: raw.object.ok_or(BadFile::Field("logFiles.s3Object"))?,
            hash: hash(raw.hash_value, raw.hash_algorithm).ok_or(BadFile::Field("logFiles.hashValue"))?,
        })
    }
}

fn hash(value: Option<String>, algorithm: Option<String>) -> Option<Hash> {
    match algorithm {
        Some(other) if other != HASH_ALGORITHM => None,
        _ => Hash::parse(&value?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = r#"{"awsAccountId":"111122223333","digestStartTime":"2026-11-20T09:00:00Z",
        "digestEndTime":"2026-11-20T10:00:00Z","digestS3Bucket":"audit","digestS3Object":"AWSLogs/d",
        "digestPublicKeyFingerprint":"f0","digestSignatureAlgorithm":"SHA256withRSA","newestEventTime":null,
        "oldestEventTime":null,"previousDigestS3Bucket":null,"previousDigestS3Object":null,
        "previousDigestHashValue":null,"previousDigestHashAlgorithm":null,"previousDigestSignature":null,
        "logFiles":[]}"#;

    #[test]
    fn what_is_signed_is_as_aws_documents_it() {
        let file = File::parse(FIRST.as_bytes()).expect("a digest");
        let hash = file.hash.hex();
        assert_eq!(file.string_to_sign(), format!("2026-11-20T10:00:00Z\naudit/AWSLogs/d\n{hash}\nnull"));
        assert_eq!((file.previous, file.logs.len()), (None, 0));
        let zeros = "0".repeat(64);
        let second = FIRST
            .replace(r#"Bucket":null"#, r#"Bucket":"audit""#)
            .replace(r#"previousDigestS3Object":null"#, r#"previousDigestS3Object":"AWSLogs/c""#)
            .replace(r#"HashValue":null"#, &format!(r#"HashValue":"{zeros}""#))
            .replace(r#"previousDigestSignature":null"#, r#"previousDigestSignature":"abcd""#);
        let file = File::parse(second.as_bytes()).expect("a digest");
        assert!(file.string_to_sign().ends_with("\nabcd"), "{}", file.string_to_sign());
        assert_eq!(file.previous.map(|previous| previous.object).as_deref(), Some("AWSLogs/c"));
    }

    #[test]
    fn types_may_drift() {
        let drifted =
            FIRST.replace(r#""111122223333""#, "11122223333").replace(r#""logFiles":[]"#, r#""logFiles":null"#);
        assert_eq!(File::parse(drifted.as_bytes()).map(|file| file.account), Ok("011122223333".to_owned()));
    }

    #[test]
    fn what_is_no_digest_is_refused_and_told_why() {
        let check = |from: &str, to: &str, expected: BadFile| {
            let text = FIRST.replace(from, to);
            assert_ne!(text, FIRST, "{from}");
            assert_eq!(File::parse(text.as_bytes()), Err(expected), "{to}");
        };
        check(r#""SHA256withRSA""#, r#""SHA1withRSA""#, BadFile::Algorithm("SHA1withRSA".to_owned()));
        check("T10:00:00Z", "T10:00", BadFile::Field("digestEndTime"));
        check("T09:00:00Z", "T19:00:00Z", BadFile::Field("digestStartTime"));
        check(r#"S3Bucket":null"#, r#"S3Bucket":"audit""#, BadFile::Field("previousDigestS3Object"));
        check(r#""digestS3Object""#, r#""digestS3Objekt""#, BadFile::Field("digestS3Object"));
        check(r#""f0""#, "[[]]", BadFile::Field("digestPublicKeyFingerprint"));
        check(r#""logFiles":[]"#, r#""logFiles":[{"s3Bucket":"b"}]"#, BadFile::Field("logFiles.s3Object"));
        let log = r#""logFiles":[{"s3Bucket":"b","s3Object":"o","hashValue":"xy"}]"#;
        check(r#""logFiles":[]"#, log, BadFile::Field("logFiles.hashValue"));
        check("{", "{[", BadFile::Json);
        check(r#""logFiles":[]"#, r#""logFiles":[],"logFiles":[]"#, BadFile::Json);
        assert_eq!(File::parse(&[b'['; 4096]), Err(BadFile::Json));
        assert_eq!(File::parse(b"\xff\xfe"), Err(BadFile::Json));
    }
}
