//! The one pass over all that is stored.

use std::path::PathBuf;
use std::sync::Arc;

use super::doubles::{self, Again, Doubles};
use super::{By, Exit, Finding, Known, Report};
use crate::event::Event;
use crate::trail::checkpoint::Checkpoint;
use crate::trail::error::Damage;
use crate::trail::layout::Layout;
use crate::trail::segment::{self, Cursor, Segment, Step};
use crate::trail::tile::{Edge, Tile, WIDTH};
use crate::trail::tiles::{Leaves, Tiles};
use crate::trail::tree::{self, Frontier, Hash};
use crate::trail::{TrailError, blob, pruned};

/// More of them say nothing new.
const BLOB_FINDINGS_MAX: usize = 100;

struct Walk<'w> {
    layout: &'w Layout,
    tiles: Tiles,
    report: &'w mut Report,
    /// Smallest last; those that were passed are gone.
    known: Vec<Known>,
    /// The first anchor with another root, and how many there are.
    other_anchors: Option<(Finding, u64)>,
    /// The first record of a key whose tree is another one: those that follow are others then, too.
    other_record: Option<Known>,
    /// Entries that some signature covers: beyond it nothing is claimed.
    signed: u64,
    edge: Edge,
    /// The first entry that is not what a stored tile says.
    first_other: Option<u64>,
    /// Full tiles that are missing or hold other hashes.
    bad_tiles: Vec<(Tile, bool)>,
    /// None once it failed.
    doubles: Option<Doubles>,
    not_compared: Option<String>,
    /// Entries that lie where their stream was covered already: where, and what they say again.
    again: Vec<(u64, PathBuf, u64, Again)>,
    /// About records beside the segments; those of pruned entries may be gone already.
    blob_findings: Vec<Finding>,
    /// Entries before this are known by their hashes alone.
    bridged: u64,
    /// Entries before this were pruned, as signed entries say.
    pruned: u64,
}

pub(super) fn walk(
    layout: &Layout,
    firsts: &[u64],
    mut known: Vec<Known>,
    report: &mut Report,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), TrailError> {
    known.sort_by_key(|known| std::cmp::Reverse(known.size));
    let signed = known.iter().filter(|known| known.by == By::Checkpoint).map(|known| known.size).max().unwrap_or(0);
    let mut walk = Walk {
        layout,
        tiles: Tiles::new(layout),
        report,
        known,
        other_anchors: None,
        other_record: None,
        signed,
        edge: Edge::default(),
        first_other: None,
        bad_tiles: Vec::new(),
        doubles: Some(Doubles::new()),
        not_compared: None,
        again: Vec::new(),
        blob_findings: Vec::new(),
        bridged: 0,
        pruned: 0,
    };
    walk.compare_known();
    let mut before = 0;
    for first in firsts {
        if walk.edge.size() == walk.bridged && is_gone(layout, *first) {
            continue;
        }
        walk.bridge_to(*first)?;
        if *first != walk.edge.size() && !walk.skip_to(*first) {
            break;
        }
        before += walk.segment(*first, before, progress)?;
    }
    walk.end()
}

/// Somebody prunes while we read: the oldest segments can be gone since they were listed.
fn is_gone(layout: &Layout, first: u64) -> bool {
    [layout.segment(first), layout.sealed(first)].iter().all(|path| matches!(path.try_exists(), Ok(false)))
}

impl Walk<'_> {
    /// Before the first segment the tiles stand for the entries; whether that is as it should be is found
    /// out at the end.
    fn bridge_to(&mut self, first: u64) -> Result<(), TrailError> {
        if self.edge.size() != self.bridged || first > self.signed {
            return Ok(());
        }
        let tiles = self.tiles.clone();
        let mut leaves = Leaves::new(&tiles, self.signed);
        for seq in self.bridged..first {
            match leaves.leaf(seq) {
                Ok(leaf) => {
                    self.bridged = seq + 1;
                    self.leaf(leaf)?;
                }
                Err(TrailError::Damaged { path, damage }) => {
                    self.report.find(Exit::Incomplete, path, damage.to_string());
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Entries that are not there must be accounted for by one that is.
    fn account(&mut self) {
        self.report.lines -= self.bridged;
        self.report.pruned = self.bridged.min(self.pruned);
        if self.bridged > self.pruned {
            let text = format!("entries {} to {} are missing before it", self.pruned, self.bridged - 1);
            let path = self.layout.segment(self.bridged);
            self.report.find_at(Exit::Incomplete, &path, (self.pruned, 0), text);
            self.report.complete_to = 0;
        }
        // They may be gone and not be others.
        let is_kept =
            |finding: &Finding| finding.exit == Exit::Altered || finding.seq.is_none_or(|seq| seq >= self.pruned);
        self.report.findings.extend(std::mem::take(&mut self.blob_findings).into_iter().filter(is_kept));
    }

    /// A segment that does not begin where the one before it ended.
    fn skip_to(&mut self, first: u64) -> bool {
        let (at, path) = (self.edge.size(), self.layout.segment(first));
        let text = match first > at {
            true => format!("entries {at} to {} are missing before it", first - 1),
            false => format!("it should begin with entry {at}"),
        };
        self.report.find_at(if first > at { Exit::Incomplete } else { Exit::Altered }, &path, (at, 0), text);
        false
    }

    fn segment(&mut self, first: u64, before: u64, progress: &mut dyn FnMut(u64, u64)) -> Result<u64, TrailError> {
        let Some(segment) = self.open(first)? else { return Ok(0) };
        let mut cursor = Cursor::new(&segment, 0);
        loop {
            let (seq, at) = (self.edge.size(), cursor.position());
            let step = match cursor.next() {
                Err(TrailError::Damaged { path, damage }) => {
                    self.report.find_at(Exit::Altered, &path, (seq, at), damage.to_string());
                    return Ok(at);
                }
                step => step?,
            };
            match step {
                Step::Line(byte, line) => {
                    self.blob_of(seq, byte, line, &segment);
                    self.look_for_doubles(seq, byte, line, &segment);
                    if seq < self.signed {
                        // No entry can say that it is gone itself, nor those after it.
                        let told = pruned::told_by(line).filter(|to| *to <= seq);
                        self.pruned = self.pruned.max(told.unwrap_or(0));
                    }
                    self.leaf(tree::leaf(line))?;
                }
                Step::Torn(byte) => {
                    // Beyond what is signed it is what a writer has under its pen, or a crash left.
                    if seq < self.signed {
                        self.report.find_at(Exit::Altered, &segment.path, (seq, byte), "what begins here is no entry");
                    }
                    return Ok(byte);
                }
                Step::End(byte) => return Ok(byte),
            }
            if seq.is_multiple_of(1024) {
                progress(before + cursor.position(), self.report.bytes);
            }
        }
    }

    /// None if it is sealed and nothing can be found in it. What its lines do not show is looked at here.
    fn open(&mut self, first: u64) -> Result<Option<Arc<Segment>>, TrailError> {
        let opened = Segment::open(self.layout, first).and_then(|segment| Ok((segment.is_as_written()?, segment)));
        match opened {
            Ok((is_as_written, segment)) => {
                if !is_as_written {
                    let text = "some of its bytes are not what was written";
                    self.report.find(Exit::Altered, &segment.path, text);
                }
                Ok(Some(Arc::new(segment)))
            }
            Err(TrailError::Damaged { path, damage }) => {
                let exit = if damage == Damage::Missing { Exit::Incomplete } else { Exit::Altered };
                self.report.find_at(exit, &path, (first, 0), damage.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes the next leaf in, and compares every tile that it fills.
    fn leaf(&mut self, leaf: Hash) -> Result<(), TrailError> {
        let Self { edge, tiles, signed, bad_tiles, .. } = self;
        let mut other = None;
        edge.push(leaf, |tile, hashes| {
            let covered = Tile::at(tile.level, tile.index, *signed).is_some_and(|at| at.width == tile.width);
            if !covered {
                return Ok(());
            }
            match tiles.read(tile) {
                Ok(Some(stored)) if stored == hashes => {}
                Ok(Some(stored)) => {
                    bad_tiles.push((tile, true));
                    other = (tile.level == 0).then(|| stored.iter().zip(hashes).position(|(a, b)| a != b)).flatten();
                }
                Ok(None) => bad_tiles.push((tile, false)),
                Err(TrailError::Damaged { .. }) => bad_tiles.push((tile, true)),
                Err(error) => return Err(error),
            }
            Ok(())
        })?;
        if let Some(at) = other
            && self.first_other.is_none()
        {
            self.first_other = Some(self.edge.size() - WIDTH as u64 + at as u64);
        }
        self.compare_known();
        Ok(())
    }

    /// The root here against every signed tree of this size.
    fn compare_known(&mut self) {
        while let Some(known) = self.known.pop_if(|known| known.size == self.edge.size()) {
            match known.by {
                _ if self.edge.root() == known.root => {
                    self.report.complete_to = self.report.complete_to.max(known.size);
                    if known.by == By::Checkpoint {
                        self.compare_edge(&known);
                    }
                }
                By::Checkpoint | By::Anchor => self.other_root(&known),
                By::Key(_) | By::Epoch(_) => drop(self.other_record.get_or_insert(known)),
            }
        }
    }

    /// The tiles at the edge of the signed tree.
    fn compare_edge(&mut self, known: &Known) {
        for (tile, hashes) in self.edge.partial() {
            match self.tiles.read(tile) {
                Ok(Some(stored)) if stored == hashes => {}
                Ok(None) if self.is_outgrown(tile, known) => {}
                Ok(None) => self.bad_tiles.push((tile, false)),
                _ => self.bad_tiles.push((tile, true)),
            }
        }
    }

    /// A writer deletes the tiles at the edge of a tree after it has signed a longer one. A copy that was
    /// made meanwhile has the shorter checkpoint with the longer tile.
    fn is_outgrown(&self, tile: Tile, known: &Known) -> bool {
        let now = super::read_checkpoint(self.layout).ok().flatten();
        let now = now.and_then(|bytes| Checkpoint::parse_note(&bytes).ok());
        now.is_some_and(|(now, _)| now.size > known.size) || self.tiles.holds_wider(tile)
    }

    fn other_root(&mut self, known: &Known) {
        // What is other for one anchor is other for all that follow.
        if let Some((_, more)) = self.other_anchors.as_mut().filter(|_| known.by == By::Anchor) {
            *more += 1;
            return;
        }
        let who = known.by;
        let sound = self.report.complete_to;
        let range = format!("one of the entries {sound} to {} is not what {who} signed", known.size.saturating_sub(1));
        let finding = match self.first_bad(known) {
            Some((seq, path, byte)) => {
                let text = format!("entry {seq} is not what {who} signed");
                Finding { exit: Exit::Altered, path, byte: Some(byte), seq: Some(seq), text }
            }
            None => Finding { exit: Exit::Altered, path: known.path.to_path_buf(), byte: None, seq: None, text: range },
        };
        match known.by == By::Anchor {
            true => self.other_anchors = Some((finding, 0)),
            false => self.report.findings.push(finding),
        }
    }

    fn anchors(&mut self) {
        if let Some((mut finding, more)) = self.other_anchors.take() {
            if more > 0 {
                finding.text.push_str(&format!(", nor what {more} later ones did"));
            }
            self.report.findings.push(finding);
        }
    }

    /// A record of a key that knew another tree says something new only where no entry could be named.
    fn other_record(&mut self) {
        let is_named = self.report.findings.iter().any(|finding| finding.seq.is_some());
        let Some(known) = self.other_record.take().filter(|_| !is_named) else { return };
        let mut text = format!("one of the entries below {} is not what was signed at {}", known.size, known.by);
        if self.report.complete_to > known.size {
            text.push_str(": all was sealed anew");
        }
        self.report.find(Exit::Altered, &*known.path, text);
    }

    /// Signed trees that are larger than what is here; of anchors and of records that which knows most says it all.
    fn not_reached(&mut self) {
        let size = self.edge.size();
        let mut is_said = [false; 2];
        for known in std::mem::take(&mut self.known) {
            let by = known.by;
            let text = match by {
                By::Checkpoint => {
                    if let Some((seq, path, byte)) = self.first_bad(&known) {
                        let text = format!("entry {seq} is not what the checkpoint signed");
                        self.report.find_at(Exit::Altered, &path, (seq, byte), text);
                    }
                    format!("{} entries were signed, here are {size}", known.size)
                }
                _ if std::mem::replace(&mut is_said[usize::from(by == By::Anchor)], true) => continue,
                _ => {
                    let known = known.size;
                    format!("{by} knows {known} entries, here are {size}: the tail was cut, or this is an older copy")
                }
            };
            let (path, seq) = (known.path.to_path_buf(), Some(size));
            self.report.findings.push(Finding { exit: Exit::Incomplete, path, byte: None, seq, text });
        }
    }

    /// The first entry that is other than signed, where the stored tiles are: it, and where it begins.
    fn first_bad(&self, known: &Known) -> Option<(u64, PathBuf, u64)> {
        let seq = self.first_other.or_else(|| self.first_other_at_edge(known))?;
        if !self.tiles_are_signed(known) {
            return None;
        }
        let (path, byte) = self.place_of(seq)?;
        Some((seq, path, byte))
    }

    /// Where an entry begins.
    fn place_of(&self, seq: u64) -> Option<(PathBuf, u64)> {
        let first = segment::list(self.layout).ok()?.into_iter().rev().find(|first| *first <= seq)?;
        let segment = Arc::new(Segment::open(self.layout, first).ok()?);
        segment.forget();
        Some((segment.path.clone(), segment.find(seq).ok()??))
    }

    /// The first other entry among the last ones, which fill no tile.
    fn first_other_at_edge(&self, known: &Known) -> Option<u64> {
        let (tile, here) = self.edge.partial().find(|(tile, _)| tile.level == 0)?;
        let stored = self.tiles.read(Tile::at(0, tile.index, known.size)?).ok()??;
        let at = stored.iter().zip(here).position(|(a, b)| a != b)?;
        Some(tile.index * WIDTH as u64 + at as u64)
    }

    /// Whether the stored tiles add up to what was signed: then they tell which entry is not.
    fn tiles_are_signed(&self, known: &Known) -> bool {
        let mut frontier = Frontier::default();
        let mut index = 0;
        while let Some(tile) = Tile::at(0, index, known.size) {
            let Ok(Some(hashes)) = self.tiles.read(tile) else { return false };
            hashes.into_iter().for_each(|hash| frontier.push(hash));
            index += 1;
        }
        frontier.root() == known.root
    }

    /// The record of an entry that is kept beside the segments.
    fn blob_of(&mut self, seq: u64, byte: u64, line: &[u8], segment: &Segment) {
        if self.blob_findings.len() >= BLOB_FINDINGS_MAX || memchr::memmem::find(line, b"\"raw_blob\":").is_none() {
            return;
        }
        let Some(blob) = Event::decode(line).ok().and_then(|event| event.raw_blob) else { return };
        if let Err(error) = blob::read(self.layout, &blob) {
            let is_missing = !self.layout.blobs().join(&blob.sha256).exists();
            let exit = if is_missing { Exit::Incomplete } else { Exit::Altered };
            let (path, text) = (segment.path.clone(), format!("the record of entry {seq}: {error}"));
            self.blob_findings.push(Finding { exit, path, byte: Some(byte), seq: Some(seq), text });
        }
    }

    fn look_for_doubles(&mut self, seq: u64, byte: u64, line: &[u8], segment: &Segment) {
        let Some(doubles) = self.doubles.as_mut().filter(|_| seq < self.signed) else { return };
        match doubles.take(seq, line) {
            Ok(Some(again)) if self.again.len() < doubles::FINDINGS_MAX => {
                self.again.push((seq, segment.path.clone(), byte, again));
            }
            Ok(_) => {}
            Err(error) => self.doubles_failed(&error),
        }
    }

    /// That something could not be looked at hides nothing that was found.
    fn doubles_failed(&mut self, error: &std::io::Error) {
        self.doubles = None;
        self.not_compared = Some(format!(
            "ids could not be compared ({error}): is there room for temporary files? TMPDIR names another folder"
        ));
    }

    /// What a sound trail holds twice was signed so: the program that wrote it erred, or somebody had its key.
    fn doubles(&mut self) {
        let ids = match self.doubles.take().map(Doubles::finish) {
            Some(Ok(ids)) => ids,
            Some(Err(error)) => return self.doubles_failed(&error),
            None => return,
        };
        for (seq, first) in ids {
            let text = format!("entry {seq} has the id of entry {first}");
            match self.place_of(seq) {
                Some((path, byte)) => self.report.find_at(Exit::Altered, &path, (seq, byte), text),
                None => self.report.find(Exit::Altered, self.layout.segments(), text),
            }
        }
        for (seq, path, byte, Again { pos, covered }) in std::mem::take(&mut self.again) {
            let text =
                format!("entry {seq} is from byte {pos} of its stream, and entries before it reach to byte {covered}");
            self.report.find_at(Exit::Altered, &path, (seq, byte), text);
        }
    }

    fn end(mut self) -> Result<(), TrailError> {
        self.report.lines = self.edge.size();
        self.account();
        self.anchors();
        self.other_record();
        self.not_reached();
        let is_sound = self.report.complete_to >= self.signed;
        // Where entries are other than signed, that they resemble each other says nothing.
        if is_sound {
            self.doubles();
        }
        for (tile, is_there) in std::mem::take(&mut self.bad_tiles) {
            // Where entries are other than signed, the tiles that tell so are not the culprits.
            if !is_there {
                self.report.find(Exit::Incomplete, self.tiles.path(tile), "the tile is missing");
            } else if is_sound {
                self.report.find(
                    Exit::Altered,
                    self.tiles.path(tile),
                    "the tile does not hold the hashes of its entries",
                );
            }
        }
        if let Some(text) = self.not_compared.filter(|_| self.report.findings.is_empty()) {
            self.report.find(Exit::Unusable, std::env::temp_dir(), text);
        }
        Ok(())
    }
}
