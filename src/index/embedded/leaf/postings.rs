//! Documents by their terms.

use std::ops::Bound;

use tantivy::postings::SegmentPostings;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::termdict::{TermDictionary, TermStreamer};
use tantivy::{DocSet as _, SegmentReader, TERMINATED};

use super::super::set::Set;
use super::super::terms::Range;

/// Leaves in `within` what has one term.
pub(crate) fn exactly(within: &mut Set, segment: &SegmentReader, field: Field, term: &[u8]) -> tantivy::Result<()> {
    let index = segment.inverted_index(field)?;
    let Some(info) = index.terms().get(term)? else {
        within.clear();
        return Ok(());
    };
    let postings = index.read_postings_from_terminfo(&info, IndexRecordOption::Basic)?;
    keep(within, postings);
    Ok(())
}

/// Leaves in `within` what has one of some terms.
pub(crate) fn any_of(
    within: &mut Set,
    segment: &SegmentReader,
    field: Field,
    terms: impl Iterator<Item = String>,
) -> tantivy::Result<()> {
    let index = segment.inverted_index(field)?;
    let mut found = within.empty_like();
    for term in terms {
        let Some(info) = index.terms().get(term.as_bytes())? else { continue };
        let mut postings = index.read_block_postings_from_terminfo(&info, IndexRecordOption::Basic)?;
        while !postings.docs().is_empty() {
            postings.docs().iter().for_each(|&document| found.insert(document));
            postings.advance();
        }
    }
    within.intersect(&found);
    Ok(())
}

/// Leaves in `within` what has any term in some ranges.
pub(crate) fn between(
    within: &mut Set,
    segment: &SegmentReader,
    field: Field,
    ranges: &[Range],
) -> tantivy::Result<()> {
    matching(within, segment, field, ranges, &|_| true)
}

/// Leaves in `within` what has a term in some ranges that passes.
pub(crate) fn matching(
    within: &mut Set,
    segment: &SegmentReader,
    field: Field,
    ranges: &[Range],
    passes: &dyn Fn(&[u8]) -> bool,
) -> tantivy::Result<()> {
    let index = segment.inverted_index(field)?;
    let mut found = within.empty_like();
    for range in ranges {
        let mut terms = stream(index.terms(), range)?;
        while terms.advance() {
            if !passes(terms.key()) {
                continue;
            }
            let mut postings = index.read_block_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
            while !postings.docs().is_empty() {
                postings.docs().iter().for_each(|&document| found.insert(document));
                postings.advance();
            }
        }
    }
    within.intersect(&found);
    Ok(())
}

/// When a term is on this many times more documents than there are candidates, each candidate is looked up.
const LOOK_UP_FACTOR: u64 = 32;

/// Leaves in `within` what is in a list of documents.
pub(super) fn keep(within: &mut Set, mut postings: SegmentPostings) {
    let mut found = within.empty_like();
    if within.len().saturating_mul(LOOK_UP_FACTOR) < u64::from(postings.doc_freq()) {
        for candidate in within.iter() {
            if postings.doc() < candidate {
                postings.seek(candidate);
            }
            if postings.doc() == candidate {
                found.insert(candidate);
            }
        }
    } else {
        while postings.doc() != TERMINATED {
            found.insert(postings.doc());
            postings.advance();
        }
        found.intersect(within);
    }
    *within = found;
}

fn stream<'d>(terms: &'d TermDictionary, (lower, upper): &Range) -> std::io::Result<TermStreamer<'d>> {
    let range = terms.range();
    let range = match lower {
        Bound::Included(term) => range.ge(term),
        Bound::Excluded(term) => range.gt(term),
        Bound::Unbounded => range,
    };
    let range = match upper {
        Bound::Included(term) => range.le(term),
        Bound::Excluded(term) => range.lt(term),
        Bound::Unbounded => range,
    };
    range.into_stream()
}
