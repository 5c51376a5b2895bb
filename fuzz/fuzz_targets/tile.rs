//! Any bytes in the place of a tile: the first byte says which.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use whodid_fuzz::Small;

static TRAIL: LazyLock<Small> = LazyLock::new(Small::new);

const TILES: [&str; 3] = ["0/000", "0/001.p/44", "1/000.p/1"];

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let tile = TILES[usize::from(*which) % TILES.len()];
    TRAIL.with(&TRAIL.data().join("trail/tile").join(tile), bytes);
});
