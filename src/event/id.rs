//! Ids of events and of content streams.
//!
//! An id is the first 16 bytes of a SHA-256 over length-prefixed parts, so that no two different
//! lists of parts give the same input. Written as lower-case base32 (RFC 4648 §6) without padding.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::Family;

/// The id of an event: the same record read twice has the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId([u8; 16]);

/// The name of a content stream, whatever path it is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lineage([u8; 16]);

impl EventId {
    /// `key` is the record's natural key; `ordinal` tells apart several events of one record.
    pub fn new(family: Family, key: &[&[u8]], ordinal: u32) -> Self {
        Self(digest(family, key, ordinal))
    }

    /// A record of a file: its stream, its place there, its bytes.
    pub fn of_record(family: Family, lineage: Lineage, generation: u32, pos: u64, record: &[u8], ordinal: u32) -> Self {
        Self::new(family, &[&lineage.0, &generation.to_be_bytes(), &pos.to_be_bytes(), record], ordinal)
    }

    /// An event of our own: its place in the trail.
    pub fn of_own(origin: &str, seq: u64) -> Self {
        Self::new(Family::Whodid, &[origin.as_bytes(), &seq.to_be_bytes()], 0)
    }

    /// Stands in an own event until the writer knows its place in the trail.
    pub const PENDING: Self = Self([0; 16]);

    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl Lineage {
    /// `host` is the configured host; `head` the first complete record, at most 1 KiB of it.
    pub fn new(host: &str, family: Family, head: &[u8]) -> Self {
        Self(digest(family, &[b"lineage", host.as_bytes(), head], 0))
    }

    /// The first half of it: enough to keep streams apart where nothing depends on never failing to.
    pub fn number(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

fn digest(family: Family, key: &[&[u8]], ordinal: u32) -> [u8; 16] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(family.name().as_bytes());
    for bytes in key {
        part(bytes);
    }
    part(&ordinal.to_be_bytes());
    let full: [u8; 32] = hash.finalize().into();
    let mut short = [0; 16];
    short.copy_from_slice(&full[..16]);
    short
}

/// The text is not 26 characters of lower-case base32.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id is 26 characters of a-z and 2-7")]
pub struct BadId;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const TEXT_BYTES: usize = 26;

/// 16 bytes are 26 characters of 5 bits; the last holds 3 of them.
fn to_text(bytes: &[u8; 16]) -> [u8; TEXT_BYTES] {
    let mut out = [0; TEXT_BYTES];
    let mut bits = u128::from_be_bytes(*bytes);
    out[TEXT_BYTES - 1] = ALPHABET[((bits & 0b111) << 2) as usize];
    bits >>= 3;
    for slot in out[..TEXT_BYTES - 1].iter_mut().rev() {
        *slot = ALPHABET[(bits & 0b1_1111) as usize];
        bits >>= 5;
    }
    out
}

fn from_text(text: &str) -> Result<[u8; 16], BadId> {
    let text: &[u8; TEXT_BYTES] = text.as_bytes().try_into().map_err(|_| BadId)?;
    let [most @ .., last] = text.map(|c| VALUES[usize::from(c)]);
    // Twelve characters at a time fit into a machine word; a trail is read at a million ids a second.
    let word = |values: &[u8]| values.iter().fold(0_u64, |word, five| (word << 5) | u64::from(*five & 31));
    let (high, rest) = most.split_at(12);
    let (middle, low) = rest.split_at(12);
    if (most.iter().fold(last, |all, five| all | five) & BAD) != 0 || last & 0b11 != 0 {
        return Err(BadId);
    }
    let bits = (u128::from(word(high)) << 68) | (u128::from(word(middle)) << 8) | u128::from(word(low) << 3);
    Ok((bits | u128::from(last >> 2)).to_be_bytes())
}

/// The five bits that a character stands for, or [`BAD`].
const VALUES: [u8; 256] = {
    let mut values = [BAD; 256];
    let mut i = 0;
    while i < ALPHABET.len() {
        values[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    values
};
const BAD: u8 = 0x80;

macro_rules! text_form {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let text = to_text(&self.0);
                f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                from_text(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let text = to_text(&self.0);
                to.serialize_str(std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

text_form!(EventId);
text_form!(Lineage);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_rfc_4648_base32_and_reads_back() {
        let id = EventId::new(Family::Auth, &[b"key"], 7);
        let expected = data_encoding::BASE32_NOPAD.encode(id.as_bytes()).to_lowercase();
        assert_eq!(id.to_string(), expected);
        assert_eq!(expected.parse(), Ok(id));
    }

    proptest::proptest! {
        #[test]
        fn every_id_reads_back_and_no_text_but_its_own(bytes: [u8; 16], at in 0..TEXT_BYTES, c: u8) {
            let id = EventId::from_bytes(bytes);
            let mut text = to_text(&bytes);
            proptest::prop_assert_eq!(id.to_string().parse(), Ok(id));
            text[at] = c;
            let parsed = std::str::from_utf8(&text).map_err(|_| BadId).and_then(str::parse::<EventId>);
            proptest::prop_assert_eq!(parsed.map(|id| id.to_string().into_bytes()).unwrap_or(text.to_vec()), text.to_vec());
        }
    }

    #[test]
    fn parts_are_told_apart_by_their_lengths() {
        let one = EventId::new(Family::Auth, &[b"ab", b"c"], 0);
        assert_ne!(one, EventId::new(Family::Auth, &[b"a", b"bc"], 0));
        assert_ne!(one, EventId::new(Family::Auth, &[b"ab", b"c"], 1));
        assert_ne!(one, EventId::new(Family::Wtmp, &[b"ab", b"c"], 0));
    }

    #[test]
    fn text_that_is_no_id_is_refused() {
        for bad in ["", "a", "AAAAAAAAAAAAAAAAAAAAAAAAAA", "aaaaaaaaaaaaaaaaaaaaaaaaab", "aaaaaaaaaaaaaaaaaaaaaaaaa1"] {
            assert_eq!(bad.parse::<EventId>(), Err(BadId), "{bad}");
        }
    }
}
