//! Which objects were read by this process: eight bytes for each, by the minute of its delivery.
//!
//! To forget one costs a request and no more: its records are known when it is read again. To take one for another
//! would lose its records, so the hashes are keyed anew in each process: nobody can look for two keys with one hash.
//!
//! Bound: [`KEYS_MAX`] objects, all regions of a bucket together.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};

use super::bucket::Listed;
use super::keys::Minute;

/// 12 MB. A bucket with more objects in one overlap, or in no layout at all, is read, but some of it again and again.
pub(super) const KEYS_MAX: usize = 1_500_000;

/// Hashes that are inserted one by one before they are merged with the others: 64 KiB move in a few microseconds.
const NEW_MAX: usize = 8_192;

/// Those of one region, or of keys in no layout.
#[derive(Default)]
pub(super) struct Known {
    hashing: RandomState,
    minutes: BTreeMap<Option<Minute>, Hashes>,
    len: usize,
}

/// Two sorted lists, the second one short.
#[derive(Default)]
struct Hashes {
    old: Vec<u64>,
    new: Vec<u64>,
}

impl Known {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn contains(&self, object: &Listed, minute: Option<Minute>) -> bool {
        let hash = self.hash(object);
        self.minutes.get(&minute).is_some_and(|hashes| hashes.contains(hash))
    }

    /// With its content: when that changes it is another object.
    pub(super) fn insert(&mut self, object: &Listed, minute: Option<Minute>) {
        let hash = self.hash(object);
        self.len += usize::from(self.minutes.entry(minute).or_default().insert(hash));
    }

    /// Listings begin at this minute from now on.
    pub(super) fn forget_before(&mut self, minute: Minute) {
        // Those without a minute are met wherever a listing begins, and come first.
        let mut kept = self.minutes.split_off(&Some(minute));
        if let Some(timeless) = self.minutes.remove(&None) {
            kept.insert(None, timeless);
        }
        self.minutes = kept;
        self.len = self.minutes.values().map(|hashes| hashes.old.len() + hashes.new.len()).sum();
    }

    fn hash(&self, object: &Listed) -> u64 {
        self.hashing.hash_one((&object.key, &object.tag, object.bytes))
    }
}

impl Hashes {
    fn contains(&self, hash: u64) -> bool {
        self.new.binary_search(&hash).is_ok() || self.old.binary_search(&hash).is_ok()
    }

    /// Whether it is new.
    fn insert(&mut self, hash: u64) -> bool {
        let Err(at) = self.new.binary_search(&hash) else { return false };
        if self.old.binary_search(&hash).is_ok() {
            return false;
        }
        self.new.insert(at, hash);
        if self.new.len() >= NEW_MAX {
            self.old.reserve_exact(self.new.len());
            self.old.append(&mut self.new);
            // Two sorted runs: they are merged.
            self.old.sort();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::s3::keys::Home;

    fn object(key: &str, tag: &str) -> Listed {
        Listed { key: key.to_owned(), bytes: 1, tag: tag.to_owned() }
    }

    #[test]
    fn what_was_read_is_known_until_it_changes() {
        let mut known = Known::default();
        let many = 3 * NEW_MAX + 5;
        for n in (0..many).chain(0..many) {
            known.insert(&object(&n.to_string(), "a"), None);
        }
        assert_eq!(known.len(), many);
        assert!((0..many).all(|n| known.contains(&object(&n.to_string(), "a"), None)));
        assert!(!known.contains(&object("0", "b"), None) && !known.contains(&object("-1", "a"), None));
    }

    #[test]
    fn what_no_listing_meets_again_is_forgotten() {
        let home = Home::of("AWSLogs/1/CloudTrail/r/").expect("a region");
        let key = |minute: &str| format!("AWSLogs/1/CloudTrail/r/2026/11/20/1_CloudTrail_r_20261120T{minute}Z_x.json");
        let mut known = Known::default();
        let mut have = |time: &str| {
            let (object, minute) = (object(&key(time), ""), home.minute(&key(time)));
            known.insert(&object, minute);
            (object, minute)
        };
        let (early, late) = (have("1000"), have("1001"));
        let timeless = object("odd.json", "");
        known.insert(&timeless, None);
        known.forget_before(late.1.expect("a minute"));
        assert!(!known.contains(&early.0, early.1) && known.contains(&late.0, late.1));
        assert!(known.contains(&timeless, None));
        assert_eq!(known.len(), 2);
    }
}
