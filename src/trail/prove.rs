//! The proof that one entry is in the signed tree, made from the tiles.
//!
//! Reads only what the checkpoint covers. Invariant: what is handed out was checked against the signed
//! root first, so a proof never leaves here that would not hold.

use super::checkpoint::{self, Checkpoint};
use super::error::Damage;
use super::layout;
use super::proof::Proof;
use super::tile::Tile;
use super::tree::{self, Hash, Subtree};
use super::{Reader, TrailError};
use crate::event::{Event, EventId};

/// A proof, and the exact bytes of the entry that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    pub proof: Proof,
    /// Entries that its checkpoint covers.
    pub signed: u64,
    /// Without the LF.
    pub line: Vec<u8>,
}

/// A writer that signs meanwhile takes the tiles at the edge away from under an older checkpoint.
const TRIES: u32 = 10;

impl Reader {
    /// Proves an entry under the checkpoint that is there now.
    pub fn prove(&self, seq: u64) -> Result<Proven, TrailError> {
        let mut tries = TRIES;
        loop {
            let before = self.signed_note()?;
            match self.prove_under(seq, &before) {
                Err(TrailError::Damaged { .. }) if tries > 1 && self.signed_note()? != before => tries -= 1,
                done => return done,
            }
        }
    }

    /// What shows that the signed tree continues that of its first `old` entries, and the root of those. While a
    /// writer signs on, the tiles of an older checkpoint go: then ask again with the newest.
    pub fn continues(&self, old: u64, checkpoint: &Checkpoint) -> Result<Vec<Hash>, TrailError> {
        let (size, root) = (checkpoint.size, checkpoint.root);
        let mut stored = |subtree: Subtree| {
            let missing = || TrailError::missing(self.layout.trail.join("tile"));
            let (tile, hashes): (Tile, _) = Tile::holding(subtree, size).ok_or_else(missing)?;
            let all = self.tiles.expect(tile)?;
            Ok::<_, TrailError>(tree::fold(all.get(hashes).ok_or_else(missing)?))
        };
        let proof = tree::consistency(old, size, &mut stored)?;
        let old_root = tree::root(old, &mut stored)?;
        match tree::is_consistent((old, old_root), (size, root), &proof) {
            true => Ok(proof),
            false => Err(TrailError::damaged(self.layout.trail.join("tile"), Damage::Root)),
        }
    }

    /// The place of the event with this id, by reading all that is kept.
    pub fn place_of(&self, id: &EventId) -> Result<Option<u64>, TrailError> {
        let text = format!("\"{id}\"");
        let finder = memchr::memmem::Finder::new(&text);
        let mut lines = self.lines(self.first()?)?;
        while let Some((seq, line)) = lines.next()? {
            // Other events may name it.
            if finder.find(line).is_some() && Event::decode(line).is_ok_and(|event| event.id == *id) {
                return Ok(Some(seq));
            }
        }
        Ok(None)
    }

    fn prove_under(&self, seq: u64, note: &str) -> Result<Proven, TrailError> {
        let path = self.layout.checkpoint();
        let (Checkpoint { size, root, .. }, _) =
            Checkpoint::parse_note(note.as_bytes()).map_err(|error| TrailError::damaged(&path, Damage::Note(error)))?;
        if seq >= size {
            let acknowledged = self.acknowledged()?;
            return Err(match seq < acknowledged {
                true => TrailError::NotSigned { seq, size },
                false => TrailError::Beyond { seq, size: acknowledged },
            });
        }
        let line = self.line(seq)?;
        let path = tree::inclusion(seq, size, &mut |subtree: Subtree| {
            let missing = || TrailError::missing(self.layout.trail.join("tile"));
            let (tile, hashes): (Tile, _) = Tile::holding(subtree, size).ok_or_else(missing)?;
            let all = self.tiles.expect(tile)?;
            Ok::<_, TrailError>(tree::fold(all.get(hashes).ok_or_else(missing)?))
        })?;
        match tree::is_included(tree::leaf(&line), seq, size, &path, root) {
            true => Ok(Proven { proof: Proof { index: seq, path, checkpoint: note.to_owned() }, signed: size, line }),
            false => Err(TrailError::damaged(&self.layout.trail, Damage::Unproven { seq })),
        }
    }

    fn signed_note(&self) -> Result<String, TrailError> {
        let path = self.layout.checkpoint();
        let bytes = layout::read_small(&path, checkpoint::BYTES_MAX)?.ok_or_else(|| TrailError::missing(&path))?;
        String::from_utf8(bytes).map_err(|_| TrailError::malformed(&path, "it is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trail::bench::Bench;
    use crate::trail::note::VerifierKey;

    fn key(bench: &Bench) -> VerifierKey {
        let text = std::fs::read_to_string(bench.reader().key_places(&bench.keys()).0).expect("a key");
        VerifierKey::parse(text.lines().next().unwrap_or_default()).expect("a key")
    }

    #[test]
    fn every_signed_entry_can_be_proven_and_no_other() {
        let bench = Bench::new();
        bench.fill(700);
        let (reader, key) = (bench.reader(), key(&bench));
        for seq in (0..700).step_by(37).chain([0, 255, 256, 511, 512, 698, 699]) {
            let Proven { proof, line, signed } = reader.prove(seq).expect("signed");
            assert_eq!((signed, &line), (700, &reader.line(seq).expect("an entry")));
            let read = Proof::parse(proof.to_string().as_bytes()).expect("a proof");
            assert_eq!(read.verify(&line, &key).map(|checkpoint| checkpoint.size), Ok(700));
            let other = reader.line((seq + 1) % 700).expect("an entry");
            assert!(read.verify(&other, &key).is_err());
        }
        assert!(matches!(reader.prove(700), Err(TrailError::Beyond { seq: 700, size: 700 })));
    }

    #[test]
    fn the_signed_tree_continues_every_tree_before_it() {
        let bench = Bench::new();
        bench.fill(700);
        let reader = bench.reader();
        let (signed, _) = reader.checkpoint_note().expect("signed");
        for old in (0..=700).step_by(41).chain([1, 255, 256, 257, 511, 512, 513, 699, 700]) {
            let proof = reader.continues(old, &signed).expect("tiles");
            assert_eq!(proof.is_empty(), old == 0 || old == 700, "{old}");
        }
        bench.flip("trail/tile/1/000.p/2", 4);
        assert!(matches!(bench.reader().continues(300, &signed), Err(TrailError::Damaged { .. })));
    }

    #[test]
    fn an_id_is_found_wherever_its_event_is() {
        let bench = Bench::new();
        bench.fill(300);
        let reader = bench.reader();
        for seq in [0, 150, 299] {
            assert_eq!(reader.place_of(&bench.id(seq)).expect("readable"), Some(seq));
        }
        assert_eq!(reader.place_of(&bench.id(300)).expect("readable"), None);
    }

    #[test]
    fn what_is_not_signed_yet_is_said_to_be_so() {
        let bench = Bench::new();
        bench.fill(3);
        let (mut writer, _) = bench.open();
        bench.fill_on(&mut writer, 3, 2);
        let reader = bench.reader();
        assert!(matches!(reader.prove(4), Err(TrailError::NotSigned { seq: 4, size: 3 })));
        writer.sign().expect("room");
        assert!(reader.prove(4).is_ok());
    }

    #[test]
    fn a_changed_line_or_tile_gives_no_proof() {
        let bench = Bench::new();
        bench.fill(700);
        for name in ["trail/tile/0/000", "trail/tile/1/000.p/2", &bench.segments()[0]] {
            let bytes = bench.read(name);
            bench.flip(name, 40);
            assert!(matches!(bench.reader().prove(0), Err(TrailError::Damaged { .. })), "{name}");
            bench.write(name, &bytes);
        }
        assert!(bench.reader().prove(0).is_ok());
    }

    /// Checkpoints are replaced and tiles outgrown between any two steps of it.
    #[test]
    fn a_writer_at_work_does_not_spoil_a_proof() {
        let bench = Bench::new();
        bench.fill(1);
        let key = key(&bench);
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                let (mut writer, opened) = bench.open();
                for round in 0..60 {
                    bench.fill_on(&mut writer, opened.size + round * 9, 9);
                    writer.sign().expect("room");
                }
            });
            while !writing.is_finished() {
                let Proven { proof, line, .. } = bench.reader().prove(0).expect("signed");
                assert!(proof.verify(&line, &key).is_ok());
            }
        });
    }
}
