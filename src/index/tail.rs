//! What the answers of all indices have in common: the rest of the trail, which an index has not taken in yet and the
//! matcher in memory goes through, and hits that are read back from the trail.
//!
//! So an answer always covers the trail up to its last acknowledged entry, however far the writer of the index is.

use std::ops::Range;

use super::nearest::{Nearest, Place};
use super::span::Span;
use super::{Damage, Entries, Hit, Hits, IndexError, Search};
use crate::query::Subject;

/// The longest rest of the trail that is searched without an index: about a second's work.
pub const TAIL_EVENTS_MAX: u64 = 200_000;

/// A search, the times it can match, and how far the index may be asked.
pub(super) struct Asked<'s> {
    pub(super) search: &'s Search,
    pub(super) span: Span,
    /// Where the search begins in the trail.
    pub(super) from_seq: u64,
    pub(super) complete_to: u64,
}

/// What the index is asked for, and the rest of the trail: its end is what the answer is complete to. What the index is
/// complete to was read before.
pub(super) fn split<'s>(
    trail: &impl Entries,
    search: &'s Search,
    complete_to: u64,
    damaged: impl FnOnce(Damage) -> IndexError,
) -> Result<(Asked<'s>, Range<u64>), IndexError> {
    let acknowledged = trail.acknowledged()?;
    if complete_to > acknowledged {
        return Err(damaged(Damage::Ahead { index: complete_to, trail: acknowledged }));
    }
    // The index may still hold what was pruned: it is no answer any more.
    let from_seq = search.from_seq.max(trail.first()?);
    let tail = complete_to.max(from_seq)..acknowledged;
    if tail.end.saturating_sub(tail.start) > TAIL_EVENTS_MAX {
        return Err(IndexError::Behind { by: acknowledged - complete_to });
    }
    Ok((Asked { search, span: Span::of(search), from_seq, complete_to }, tail))
}

/// The matches in the rest of the trail.
pub(super) fn matches(
    trail: &impl Entries,
    asked: &Asked<'_>,
    tail: &Range<u64>,
    found: &mut dyn FnMut(Place),
) -> Result<(), IndexError> {
    if tail.is_empty() || asked.span.is_empty() {
        return Ok(());
    }
    for entry in trail.scan(tail.start)? {
        let (seq, event) = entry?;
        if seq >= tail.end {
            break;
        }
        let when = event.when.micros();
        if asked.span.contains(when) && Subject::placed(&event, seq).matches(&asked.search.query) {
            found(Place { when, seq });
        }
    }
    Ok(())
}

/// None if it was pruned since the search began.
pub(super) fn hit(trail: &impl Entries, seq: u64) -> Result<Option<Hit>, IndexError> {
    match trail.event(seq) {
        Err(_) if trail.first()? > seq => Ok(None),
        event => Ok(Some(Hit::new(seq, event?))),
    }
}

/// The answer that the nearest places are.
pub(super) fn hits(trail: &impl Entries, nearest: Nearest, complete_to: u64) -> Result<Hits, IndexError> {
    let total = nearest.seen;
    let hits = nearest.into_sorted().into_iter().map(|place| hit(trail, place.seq));
    let newest = hits.filter_map(Result::transpose).collect::<Result<_, _>>()?;
    Ok(Hits { newest, total, complete_to })
}

/// Some matches of an index, oldest first.
pub(super) struct Page {
    pub(super) places: Vec<Place>,
    /// Where the next page begins: behind it; none if this is the last.
    pub(super) next: Option<Place>,
}

/// Hands over the matches of an index, page by page, and in their order those that were found beside it.
pub(super) fn in_order(
    trail: &impl Entries,
    mut beside: Vec<Place>,
    page: &mut dyn FnMut(Option<Place>) -> Result<Page, IndexError>,
    each: &mut dyn FnMut(Hit) -> bool,
) -> Result<(), IndexError> {
    beside.sort_unstable();
    let mut beside = beside.into_iter().peekable();
    // False when enough were seen.
    let mut hand = |place: Place| Ok::<_, IndexError>(hit(trail, place.seq)?.is_none_or(&mut *each));
    let mut after = None;
    loop {
        let Page { places, next } = page(after)?;
        for place in places {
            while let Some(earlier) = beside.next_if(|earlier| *earlier < place) {
                if !hand(earlier)? {
                    return Ok(());
                }
            }
            if !hand(place)? {
                return Ok(());
            }
        }
        if next.is_none() {
            break;
        }
        after = next;
    }
    for place in beside {
        if !hand(place)? {
            break;
        }
    }
    Ok(())
}
