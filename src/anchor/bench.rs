//! What tests of anchors need: signed checkpoints of a trail that is not there.

use super::Signed;
use crate::event::Stamp;
use crate::trail::checkpoint::Checkpoint;
use crate::trail::note::SignerKey;
use crate::trail::tree;

pub(super) const ORIGIN: &str = "example.org/web-1/abcdefgh";

/// The checkpoint over so many entries, of one of several trails that were forked.
pub(super) fn forked(size: u64, fork: &str) -> Signed {
    let key = SignerKey::from_seed(ORIGIN, &[7; 32]).expect("a good name");
    let checkpoint =
        Checkpoint { origin: ORIGIN.to_owned(), size, root: tree::leaf(format!("{fork}{size}").as_bytes()) };
    let note = checkpoint.sign(&key).expect("a good text").into();
    Signed { checkpoint, note, at: Stamp::parse("2026-11-20T12:00:00Z").expect("an instant") }
}

pub(super) fn signed(size: u64) -> Signed {
    forked(size, "")
}

pub(super) fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("threads").block_on(work)
}
