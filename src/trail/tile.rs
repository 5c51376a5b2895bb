//! C2SP tlog-tiles: the hashes of the tree in files of up to 256.
//!
//! `tile/<L>/<N>` holds 256 hashes of 32 bytes: those of the complete subtrees of `256^L` leaves from
//! `256 N` on. A tile that is not full yet is `tile/<L>/<N>.p/<W>` with W of them. `N` is written in
//! elements of three digits, all but the last with an `x` before: 1234067 is `x001/x234/067`.
//!
//! Pure. Invariants: an empty tile is never named; a partial one is never hashed upward.

use super::tree::{self, Hash, Subtree};

/// Hashes in a full tile.
pub const WIDTH: usize = 256;

/// The level of [`Subtree`] rises by this for each level of tiles: 2^8 = 256.
const HEIGHT: u8 = 8;

/// 256^8 leaves are 2^64.
const LEVELS_MAX: usize = 8;

/// The name of one tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    pub level: u8,
    pub index: u64,
    /// 1 to 256 hashes; 256 is full.
    pub width: u16,
}

/// The right edge of a tree in tiles: at each level the hashes that no full tile holds yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    levels: Vec<Vec<Hash>>,
}

impl Tile {
    /// The path below the trail's folder.
    pub fn path(self) -> String {
        let mut path = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            path = format!("x{:03}/{path}", rest % 1000);
            rest /= 1000;
        }
        let level = self.level;
        match usize::from(self.width) {
            WIDTH => format!("tile/{level}/{path}"),
            width => format!("tile/{level}/{path}.p/{width}"),
        }
    }

    /// The tile that holds the root of a subtree in a tree of `size` leaves, and which of its hashes
    /// make up that subtree. `None` if the tree has no such complete subtree.
    pub fn holding(subtree: Subtree, size: u64) -> Option<(Self, std::ops::Range<usize>)> {
        let (level, within) = (subtree.level / HEIGHT, subtree.level % HEIGHT);
        let first = subtree.index.checked_shl(u32::from(within))?;
        let (index, at) = (first / WIDTH as u64, (first % WIDTH as u64) as usize);
        let tile = Self::at(level, index, size)?;
        let hashes = at..at + (1 << within);
        (hashes.end <= usize::from(tile.width)).then_some((tile, hashes))
    }

    /// The tile at a place in a tree of `size` leaves; `None` if it would be empty.
    pub fn at(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = complete_at(level, size).checked_sub(index.checked_mul(WIDTH as u64)?)?;
        let width = hashes.min(WIDTH as u64) as u16;
        (width > 0).then_some(Self { level, index, width })
    }

    /// The tiles at the right edge that are not full, one for each level that has one.
    pub fn partial(size: u64) -> impl Iterator<Item = Self> {
        (0..LEVELS_MAX as u8).filter_map(move |level| {
            let hashes = complete_at(level, size);
            let width = (hashes % WIDTH as u64) as u16;
            (width > 0).then_some(Self { level, index: hashes / WIDTH as u64, width })
        })
    }
}

/// How many subtrees of `256^level` leaves are complete.
fn complete_at(level: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(level) * u32::from(HEIGHT)).unwrap_or(0)
}

impl Edge {
    /// The edge of a tree of `size` leaves; `read` gives the hashes of a partial tile.
    pub fn load<E>(size: u64, mut read: impl FnMut(Tile) -> Result<Vec<Hash>, E>) -> Result<Self, E> {
        let mut levels: Vec<Vec<Hash>> = Vec::new();
        for tile in Tile::partial(size) {
            levels.resize_with(usize::from(tile.level), Vec::new);
            levels.push(read(tile)?);
        }
        Ok(Self { size, levels })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf; `full` is told of every tile that it fills, lowest first.
    pub fn push<E>(&mut self, leaf: Hash, mut full: impl FnMut(Tile, &[Hash]) -> Result<(), E>) -> Result<(), E> {
        self.size += 1;
        let mut hash = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::with_capacity(WIDTH));
            }
            let hashes = &mut self.levels[level];
            hashes.push(hash);
            if hashes.len() < WIDTH {
                break;
            }
            let level = level as u8;
            let index = complete_at(level, self.size) / WIDTH as u64 - 1;
            full(Tile { level, index, width: WIDTH as u16 }, hashes)?;
            hash = tree::fold(hashes);
            hashes.clear();
        }
        Ok(())
    }

    /// The tiles that are not full, with their hashes.
    pub fn partial(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        Tile::partial(self.size).map(|tile| (tile, self.levels[usize::from(tile.level)].as_slice()))
    }

    pub fn root(&self) -> Hash {
        let mut right: Option<Hash> = None;
        for hashes in &self.levels {
            // The complete subtrees of a level, smallest (rightmost) first.
            let mut end = hashes.len();
            while end > 0 {
                let start = end - (1 << end.trailing_zeros());
                let left = tree::fold(&hashes[start..end]);
                right = Some(right.map_or(left, |right| tree::node(&left, &right)));
                end = start;
            }
        }
        right.unwrap_or_else(tree::empty)
    }
}

/// The bytes of a tile's file.
pub fn to_bytes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.as_bytes()).copied().collect()
}

/// The hashes of a tile's file; `None` if its length is that of another tile.
pub fn from_bytes(bytes: &[u8], width: u16) -> Option<Vec<Hash>> {
    let hashes: Vec<Hash> = bytes.chunks(Hash::BYTES).map(Hash::from_slice).collect::<Option<_>>()?;
    (hashes.len() == usize::from(width)).then_some(hashes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use super::*;

    fn path(level: u8, index: u64, width: u16) -> String {
        Tile { level, index, width }.path()
    }

    #[test]
    fn paths_are_as_published() {
        assert_eq!(path(0, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(path(2, 0, 1), "tile/2/000.p/1");
        assert_eq!(path(1, 999, 256), "tile/1/999");
        assert_eq!(path(1, 1000, 255), "tile/1/x001/000.p/255");
    }

    /// Pushes leaves and checks edge, tiles and roots against the tree's own definition.
    #[test]
    fn tiles_hold_the_tree_at_every_size() {
        let count = 2 * WIDTH as u64 * WIDTH as u64 + 700;
        let (mut edge, mut frontier) = (Edge::default(), tree::Frontier::default());
        let mut stored: BTreeMap<(u8, u64), Vec<Hash>> = BTreeMap::new();
        for i in 0..count {
            let leaf = tree::leaf(&i.to_be_bytes());
            frontier.push(leaf);
            let pushed = edge.push(leaf, |tile, hashes| {
                assert_eq!(usize::from(tile.width), WIDTH);
                assert!(stored.insert((tile.level, tile.index), hashes.to_vec()).is_none());
                Ok::<_, Infallible>(())
            });
            pushed.unwrap_or_else(|never| match never {});
            if i % 251 == 0 || i + 600 > count {
                assert_eq!(edge.root(), frontier.root(), "{i}");
            }
        }
        for (tile, hashes) in edge.partial() {
            stored.insert((tile.level, tile.index), hashes.to_vec());
        }
        let find = |tile: Tile| stored[&(tile.level, tile.index)][..usize::from(tile.width)].to_vec();
        let again = Edge::load(count, |tile| Ok::<_, Infallible>(find(tile)));
        assert_eq!(again.map(|edge| edge.root()), Ok(frontier.root()));

        let mut subtree = |wanted: Subtree| {
            let (tile, hashes) = Tile::holding(wanted, count).expect("complete");
            Ok::<_, Infallible>(tree::fold(&find(tile)[hashes]))
        };
        assert_eq!(tree::root(count, &mut subtree), Ok(frontier.root()));
        let path = tree::inclusion(70_000, count, &mut subtree).unwrap_or_else(|never| match never {});
        let leaf = tree::leaf(&70_000_u64.to_be_bytes());
        assert!(tree::is_included(leaf, 70_000, count, &path, frontier.root()));
    }

    #[test]
    fn no_tile_is_empty_and_none_goes_beyond_the_tree() {
        assert_eq!(Tile::partial(0).count(), 0);
        assert_eq!(Tile::partial(256).map(Tile::path).collect::<Vec<_>>(), ["tile/1/000.p/1"]);
        assert_eq!(Tile::at(0, 1, 256), None);
        assert_eq!(Tile::at(0, 1, 257), Some(Tile { level: 0, index: 1, width: 1 }));
        assert_eq!(Tile::holding(Subtree { level: 1, index: 0 }, 1), None);
        assert_eq!(Tile::at(9, 0, u64::MAX), None);
    }

    #[test]
    fn a_file_of_another_length_is_no_tile() {
        let hashes = [tree::empty(); 3];
        let bytes = to_bytes(&hashes);
        assert_eq!(from_bytes(&bytes, 3).as_deref(), Some(hashes.as_slice()));
        assert_eq!(from_bytes(&bytes, 2), None);
        assert_eq!(from_bytes(&bytes[..95], 3), None);
    }
}
