//! The files of the tiles.
//!
//! They are written in place and made durable before a checkpoint speaks of them; what no checkpoint
//! covers is written anew after a crash. A tile that a checkpoint covers is never cut: a crash or a full
//! disk in the middle of that would leave a signature without its proof.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::TrailError;
use super::layout::{FILE_MODE, Layout, create_folder, names};
use super::tile::{self, Tile, WIDTH};
use super::tree::{self, Hash, Subtree};
use crate::durable;

#[derive(Debug, Clone)]
pub(super) struct Tiles {
    trail: PathBuf,
}

/// The hashes of signed entries in order, a tile at a time.
pub(super) struct Leaves<'t> {
    tiles: &'t Tiles,
    size: u64,
    hashes: (u64, Vec<Hash>),
}

/// One tile on its way to the disk.
pub(super) type Filled = (Tile, Vec<u8>);

/// From this many files on one `syncfs(2)` is cheaper than an `fsync(2)` for each.
const SYNC_ALL_FROM: usize = 16;

impl Tiles {
    pub(super) fn new(layout: &Layout) -> Self {
        Self { trail: layout.trail.clone() }
    }

    pub(super) fn path(&self, tile: Tile) -> PathBuf {
        self.trail.join(tile.path())
    }

    /// None if it is not there.
    pub(super) fn read(&self, tile: Tile) -> Result<Option<Vec<Hash>>, TrailError> {
        let path = self.path(tile);
        match fs::read(&path) {
            Ok(bytes) => match tile::from_bytes(&bytes, tile.width) {
                Some(hashes) => Ok(Some(hashes)),
                None => Err(TrailError::malformed(&path, "it has the length of another tile")),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(TrailError::io(path, error)),
        }
    }

    pub(super) fn expect(&self, tile: Tile) -> Result<Vec<Hash>, TrailError> {
        self.read(tile)?.ok_or_else(|| TrailError::missing(self.path(tile)))
    }

    /// Whether a longer form of a tile is there.
    pub(super) fn holds_wider(&self, tile: Tile) -> bool {
        let partial = self.path(tile);
        let widths = partial.parent().and_then(|folder| names(folder).ok()).unwrap_or_default();
        self.path(Tile { width: WIDTH as u16, ..tile }).exists()
            || widths.iter().any(|width| width.parse::<u16>().is_ok_and(|width| width > tile.width))
    }

    /// The hash of an entry in a full tile.
    pub(super) fn leaf(&self, seq: u64) -> Result<Hash, TrailError> {
        let width = WIDTH as u64;
        let tile = Tile { level: 0, index: seq / width, width: WIDTH as u16 };
        let path = self.path(tile);
        let mut bytes = [0; Hash::BYTES];
        let read = File::open(&path).and_then(|file| file.read_exact_at(&mut bytes, seq % width * Hash::BYTES as u64));
        match read {
            Ok(()) => Ok(Hash::from_bytes(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(TrailError::missing(path)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(TrailError::malformed(&path, "it has the length of another tile"))
            }
            Err(error) => Err(TrailError::io(path, error)),
        }
    }

    /// The root that the tiles of a tree of `size` leaves add up to for its first `of` leaves.
    pub(super) fn root(&self, of: u64, size: u64) -> Result<Hash, TrailError> {
        tree::root(of, &mut |subtree: Subtree| {
            let missing = || TrailError::missing(self.trail.join("tile"));
            let (tile, hashes) = Tile::holding(subtree, size).ok_or_else(missing)?;
            let all = self.expect(tile)?;
            Ok(tree::fold(all.get(hashes).ok_or_else(missing)?))
        })
    }

    /// Writes tiles and makes them durable.
    pub(super) fn write(&self, tiles: &[Filled]) -> Result<(), TrailError> {
        let mut folders = BTreeSet::new();
        let together = tiles.len() >= SYNC_ALL_FROM;
        // Opened before anything is written: `syncfs(2)` tells of errors that happen from then on.
        let trail = File::open(&self.trail).map_err(|error| TrailError::io(&self.trail, error))?;
        for (tile, bytes) in tiles {
            let path = self.path(*tile);
            let file = write(&path, bytes).map_err(|error| TrailError::io(&path, error))?;
            if !together {
                file.sync_all().map_err(|error| TrailError::sync(&path, error))?;
            }
            folders.extend(
                path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.trail)).map(Path::to_owned),
            );
        }
        if together {
            return rustix::fs::syncfs(trail).map_err(|error| TrailError::sync(&self.trail, error.into()));
        }
        for folder in folders {
            durable::sync_folder(&folder).map_err(|error| TrailError::sync(folder, error))?;
        }
        Ok(())
    }

    /// Deletes the tiles at the edge of an older tree that a newer one has in a longer form.
    pub(super) fn drop_outgrown(&self, old: u64, new: u64) {
        let kept: BTreeSet<Tile> = Tile::partial(new).collect();
        for tile in Tile::partial(old).filter(|tile| !kept.contains(tile)) {
            let path = self.path(tile);
            // Nothing refers to them any more: one that stays does no harm.
            fs::remove_file(&path).unwrap_or_default();
            if kept.iter().all(|kept| (kept.level, kept.index) != (tile.level, tile.index)) {
                path.parent().map(fs::remove_dir).unwrap_or(Ok(())).unwrap_or_default();
            }
        }
    }
}

impl<'t> Leaves<'t> {
    /// Of a tree of `size` entries.
    pub(super) fn new(tiles: &'t Tiles, size: u64) -> Self {
        Self { tiles, size, hashes: (u64::MAX, Vec::new()) }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn leaf(&mut self, seq: u64) -> Result<Hash, TrailError> {
        let (index, at) = (seq / WIDTH as u64, (seq % WIDTH as u64) as usize);
        let missing = || TrailError::missing(self.tiles.path(Tile { level: 0, index, width: WIDTH as u16 }));
        if self.hashes.0 != index {
            let tile = Tile::at(0, index, self.size).ok_or_else(missing)?;
            self.hashes = (index, self.tiles.expect(tile)?);
        }
        self.hashes.1.get(at).copied().ok_or_else(missing)
    }
}

/// A tile of this name and content is written over itself: a checkpoint may cover it, so it is not cut;
/// or an earlier sync failed, and then only what is written again is synced again.
fn write(path: &Path, bytes: &[u8]) -> io::Result<File> {
    if fs::read(path).is_ok_and(|stored| stored == bytes) {
        let file = OpenOptions::new().write(true).open(path)?;
        file.write_all_at(bytes, 0)?;
        return Ok(file);
    }
    let open = || OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(path);
    let mut file = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_folder(path.parent().unwrap_or(Path::new(".")))?;
            open()?
        }
        opened => opened?,
    };
    file.write_all(bytes)?;
    Ok(file)
}
