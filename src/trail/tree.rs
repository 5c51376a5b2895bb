//! The Merkle tree of RFC 6962 §2.1: hashes, roots, and proofs of inclusion and consistency.
//!
//! Pure: it never looks at a disk. Whoever has stored hashes hands in a function that gives the hash
//! of a complete subtree ([`Subtree`]).
//!
//! Invariant: a proof that verifies was made for exactly this leaf, place, size and root; whatever
//! is longer, shorter or other than the one right list of hashes is refused.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};

/// SHA-256 of a leaf or of a node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; Hash::BYTES]);

/// A complete subtree: `2^level` leaves, of which the first is `index * 2^level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subtree {
    pub level: u8,
    pub index: u64,
}

/// The right edge of a growing tree: enough to add leaves and to tell the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// The roots of the complete subtrees that `size` falls into, largest first: one for each bit.
    complete: Vec<Hash>,
}

impl Hash {
    pub const BYTES: usize = 32;

    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    pub fn from_base64(text: &[u8]) -> Option<Self> {
        Self::from_slice(&unbase64(text)?)
    }

    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    pub fn to_base64(self) -> String {
        BASE64.encode(&self.0)
    }
}

/// Bytes from base64 in its one form. The decoder takes several padded pieces in a row for one, which would
/// let a text be written in many ways. Unused bits that are set it refuses by itself.
pub(super) fn unbase64(text: &[u8]) -> Option<Vec<u8>> {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    let is_one = !text[..text.len() - padding].contains(&b'=');
    BASE64.decode(text).ok().filter(|_| is_one)
}

/// Lower-case hex.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The root of a tree without leaves.
pub fn empty() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The hash of an entry.
pub fn leaf(data: &[u8]) -> Hash {
    Hash(Sha256::new_with_prefix([0]).chain_update(data).finalize().into())
}

/// The hash of two subtrees side by side.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut both = [1; 1 + 2 * Hash::BYTES];
    both[1..=Hash::BYTES].copy_from_slice(&left.0);
    both[1 + Hash::BYTES..].copy_from_slice(&right.0);
    Hash(Sha256::digest(both).into())
}

/// The root over the hashes of equally large subtrees side by side.
pub fn fold(hashes: &[Hash]) -> Hash {
    let mut edge = Frontier::default();
    hashes.iter().for_each(|hash| edge.push(*hash));
    edge.root()
}

impl Frontier {
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds the hash of a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // One complete subtree ends here for each one bit at the low end of the size.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.complete.pop() {
                hash = node(&left, &hash);
            }
        }
        self.complete.push(hash);
        self.size += 1;
    }

    pub fn root(&self) -> Hash {
        let mut subtrees = self.complete.iter().rev();
        let Some(smallest) = subtrees.next() else { return empty() };
        subtrees.fold(*smallest, |right, left| node(left, &right))
    }
}

/// The root of the first `size` leaves.
pub fn root<E>(size: u64, subtree: &mut impl FnMut(Subtree) -> Result<Hash, E>) -> Result<Hash, E> {
    if size == 0 { Ok(empty()) } else { range(0, size, subtree) }
}

/// The audit path of a leaf, from its sibling upward (RFC 6962 §2.1.1); empty if there is no such leaf.
pub fn inclusion<E>(
    index: u64,
    size: u64,
    subtree: &mut impl FnMut(Subtree) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let mut path = Vec::new();
    let (mut low, mut high) = (0, size);
    while index < size && high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            path.push(range(middle, high, subtree)?);
            high = middle;
        } else {
            path.push(range(low, middle, subtree)?);
            low = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// What shows that the tree of `old` leaves is the beginning of that of `new` ones (RFC 6962 §2.1.2).
pub fn consistency<E>(
    old: u64,
    new: u64,
    subtree: &mut impl FnMut(Subtree) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let mut path = Vec::new();
    if old == 0 || old >= new {
        return Ok(path);
    }
    let (mut low, mut high) = (0, new);
    while high != old {
        let middle = low + split(high - low);
        if old <= middle {
            path.push(range(middle, high, subtree)?);
            high = middle;
        } else {
            path.push(range(low, middle, subtree)?);
            low = middle;
        }
    }
    // The whole old tree is known to whoever asks; a part of it is not.
    if low > 0 {
        path.push(range(low, high, subtree)?);
    }
    path.reverse();
    Ok(path)
}

/// Whether a leaf is at a place of the tree with this size and root (RFC 9162 §2.1.3.2).
pub fn is_included(leaf: Hash, index: u64, size: u64, path: &[Hash], root: Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = leaf;
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == root
}

/// Whether one tree is the beginning of another (RFC 9162 §2.1.4.2).
pub fn is_consistent(old: (u64, Hash), new: (u64, Hash), path: &[Hash]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size == 0 {
        return path.is_empty() && old_root == empty();
    }
    if old_size >= new_size {
        return old_size == new_size && old_root == new_root && path.is_empty();
    }
    let known = old_size.is_power_of_two().then_some(old_root);
    let mut path = path.iter().copied();
    let Some(first) = known.or_else(|| path.next()) else { return false };
    let (mut at, mut last) = (old_size - 1, new_size - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut from_old, mut from_new) = (first, first);
    for hash in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            from_old = node(&hash, &from_old);
            from_new = node(&hash, &from_new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node(&from_new, &hash);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && from_old == old_root && from_new == new_root
}

/// The hash over leaves `low..high`, where `low` is a multiple of the power of two that covers them.
fn range<E>(low: u64, high: u64, subtree: &mut impl FnMut(Subtree) -> Result<Hash, E>) -> Result<Hash, E> {
    let count = high - low;
    if count.is_power_of_two() {
        let level = count.trailing_zeros();
        // A shift of a 64-bit number fits into 8 bits.
        return subtree(Subtree { level: level as u8, index: low >> level });
    }
    let middle = low + split(count);
    let left = range(low, middle, subtree)?;
    let right = range(middle, high, subtree)?;
    Ok(node(&left, &right))
}

/// The largest power of two below a count of at least 2.
fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - (count - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    /// RFC 6962 §2.1, word for word.
    fn naive(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty(),
            [one] => *one,
            more => {
                let (left, right) = more.split_at(split(more.len() as u64) as usize);
                node(&naive(left), &naive(right))
            }
        }
    }

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|i| leaf(&i.to_be_bytes())).collect()
    }

    fn stored(leaves: &[Hash]) -> impl FnMut(Subtree) -> Result<Hash, Infallible> + '_ {
        |Subtree { level, index }| {
            let (first, count) = ((index << level) as usize, 1 << level);
            Ok(naive(&leaves[first..first + count]))
        }
    }

    fn unfailing<T>(result: Result<T, Infallible>) -> T {
        result.unwrap_or_else(|never| match never {})
    }

    #[test]
    fn published_vectors() {
        let data: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let expected = [
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
            (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
            (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
        ];
        for (count, root) in expected {
            let hashes: Vec<Hash> = data[..count].iter().map(|data| leaf(data)).collect();
            assert_eq!(fold(&hashes).to_string(), root, "{count} leaves");
        }
        assert_eq!(fold(&[]).to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn frontier_and_stored_subtrees_agree_with_the_definition() {
        let all = leaves(200);
        let mut edge = Frontier::default();
        for size in 0..=all.len() {
            let expected = naive(&all[..size]);
            assert_eq!(edge.root(), expected, "{size}");
            assert_eq!(unfailing(root(size as u64, &mut stored(&all))), expected, "{size}");
            if let Some(next) = all.get(size) {
                edge.push(*next);
            }
        }
    }

    #[test]
    fn every_proof_of_small_trees_verifies_and_no_other() {
        let all = leaves(40);
        for size in 1..=all.len() as u64 {
            let whole = naive(&all[..size as usize]);
            for index in 0..size {
                let path = unfailing(inclusion(index, size, &mut stored(&all)));
                for place in 0..size + 2 {
                    let holds = is_included(all[index as usize], place, size, &path, whole);
                    assert_eq!(holds, place == index, "{index} as {place} of {size}");
                }
            }
            for old in 0..=size {
                let path = unfailing(consistency(old, size, &mut stored(&all)));
                let old_root = naive(&all[..old as usize]);
                assert!(is_consistent((old, old_root), (size, whole), &path), "{old} in {size}");
                if old > 0 {
                    assert!(!is_consistent((old, leaf(b"other")), (size, whole), &path));
                }
            }
        }
    }

    fn mutations(path: &[Hash]) -> Vec<Vec<Hash>> {
        let mut all = Vec::new();
        for i in 0..path.len() {
            let mut flipped = path.to_vec();
            flipped[i].0[i % 32] ^= 1;
            let mut shorter = path.to_vec();
            shorter.remove(i);
            let mut doubled = path.to_vec();
            doubled.insert(i, path[i]);
            let mut swapped = path.to_vec();
            swapped.swap(i, path.len() - 1);
            all.extend([flipped, shorter, doubled, swapped]);
        }
        let mut longer = path.to_vec();
        longer.push(empty());
        all.push(longer);
        all.retain(|mutated| mutated != path);
        all
    }

    proptest! {
        #[test]
        fn a_changed_proof_fails(size in 1_u64..600, at in any::<u64>(), old in any::<u64>()) {
            let all = leaves(size);
            let (index, old) = (at % size, 1 + old % size);
            let (whole, before) = (naive(&all), naive(&all[..old as usize]));
            let path = unfailing(inclusion(index, size, &mut stored(&all)));
            prop_assert!(is_included(all[index as usize], index, size, &path, whole));
            for changed in mutations(&path) {
                prop_assert!(!is_included(all[index as usize], index, size, &changed, whole));
            }
            let path = unfailing(consistency(old, size, &mut stored(&all)));
            prop_assert!(is_consistent((old, before), (size, whole), &path));
            for changed in mutations(&path) {
                prop_assert!(!is_consistent((old, before), (size, whole), &changed));
            }
        }
    }
}
