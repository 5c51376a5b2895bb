//! Keys of CloudTrail that sign digests, and the check of a signature: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2.2).
//!
//! A key comes as DER in PKCS #1 or as SubjectPublicKeyInfo (`ListPublicKeys` is documented to give the first, and
//! the sample in AWS's own guide is the second); aws-lc-rs reads either.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use chrono::TimeDelta;
use serde::Serialize;

use super::file::{File, Hash};
use crate::event::Stamp;
use crate::event::delivery::PublicKey;

/// Keys by their fingerprint.
#[derive(Debug, Default)]
pub(super) struct Keys(BTreeMap<String, Vec<Key>>);

#[derive(Debug, PartialEq, Eq)]
struct Key {
    der: Vec<u8>,
    region: String,
    valid_from: Stamp,
    valid_until: Stamp,
    /// Where it stands in the trail.
    seq: u64,
}

/// A key that something was proven with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Relied {
    pub fingerprint: String,
    pub region: String,
    /// Of the key as DER, so that it can be compared with what AWS gives.
    pub sha256: String,
    pub valid_from: Stamp,
    pub valid_until: Stamp,
}

/// Whether a digest is signed as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    /// By the key at this place of the trail.
    By(u64),
    Not,
    /// By a key that is not known; nor is any other of that region and time.
    NoKey,
    /// By a key that is not among those of that region and time.
    UnknownKey,
    /// By a key that was not valid then.
    Expired,
}

/// A signed digest is written up to two hours after its end (AWS's own tool asks for keys of that time).
const SIGNED_LATE: TimeDelta = TimeDelta::hours(2);

/// AWS gives a key of each region a month; more of one fingerprint are an attempt to fill the memory.
const SAME_FINGERPRINT_MAX: usize = 8;
const KEYS_MAX: usize = 20_000;
const DER_BYTES_MAX: usize = 4_096;

impl Keys {
    pub(super) fn add(&mut self, seq: u64, key: &PublicKey) {
        let Ok(der) = data_encoding::BASE64.decode(key.value.trim().as_bytes()) else { return };
        let PublicKey { fingerprint, region, valid_from, valid_until, .. } = key;
        let is_bounded = der.len() <= DER_BYTES_MAX && (self.0.len() < KEYS_MAX || self.0.contains_key(fingerprint));
        let same = match is_bounded {
            true => self.0.entry(fingerprint.clone()).or_default(),
            false => return,
        };
        let key = Key { der, region: region.clone(), valid_from: *valid_from, valid_until: *valid_until, seq };
        let is_known = same.iter().any(|known| {
            (&known.der, &known.region, known.valid_from, known.valid_until)
                == (&key.der, &key.region, key.valid_from, key.valid_until)
        });
        if !is_known && same.len() < SAME_FINGERPRINT_MAX {
            same.push(key);
        }
    }

    /// Whether a signature over a digest is by the key that the digest names. Backfill digests are signed whenever
    /// they are made, so of their keys only the end of validity is known to matter.
    pub(super) fn check(&self, file: &File, region: &str, is_backfill: bool, signature: &str) -> Signed {
        let is_then =
            |key: &&Key| key.valid_until >= file.start && (is_backfill || key.valid_from <= file.end.plus(SIGNED_LATE));
        let Some(named) = self.0.get(&file.fingerprint).filter(|named| !named.is_empty()) else {
            let mut others = self.0.values().flatten();
            let has_others = others.any(|key| is_then(&key) && (key.region == region || key.region.is_empty()));
            return if has_others { Signed::UnknownKey } else { Signed::NoKey };
        };
        let mut then = named.iter().filter(is_then).peekable();
        if then.peek().is_none() {
            return Signed::Expired;
        }
        let Ok(signature) = data_encoding::HEXLOWER_PERMISSIVE.decode(signature.as_bytes()) else {
            return Signed::Not;
        };
        let message = file.string_to_sign();
        let mut by = then.filter(|key| {
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key.der).verify(message.as_bytes(), &signature).is_ok()
        });
        by.next().map_or(Signed::Not, |key| Signed::By(key.seq))
    }

    /// The keys at these places of the trail.
    pub(super) fn at<'a>(&'a self, seqs: &'a BTreeSet<u64>) -> impl Iterator<Item = Relied> + 'a {
        let all = self.0.iter().flat_map(|(fingerprint, keys)| keys.iter().map(move |key| (fingerprint, key)));
        all.filter(|(_, key)| seqs.contains(&key.seq)).map(|(fingerprint, key)| Relied {
            fingerprint: fingerprint.clone(),
            region: key.region.clone(),
            sha256: Hash::of(&key.der).hex(),
            valid_from: key.valid_from,
            valid_until: key.valid_until,
        })
    }
}
