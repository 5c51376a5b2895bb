//! One partition as a reader sees it: which events it is for, its files, and what it holds.

use std::path::Path;

use chrono::NaiveDate;
use tantivy::{Index, IndexReader, ReloadPolicy, Searcher, SegmentReader};

use super::evaluate::Segment;
use super::files::ReadOnly;
use super::schema::{Layout, SEQ, WHEN};
use super::set::Set;
use crate::event::Event;
use crate::event::tag::WHEN_SUSPECT;
use crate::index::nearest::{Nearest, Place};
use crate::index::span::Span;
use crate::index::tail::Asked;
use crate::index::{Damage, IndexError};

/// The day whose partition holds an event: that of `when`, or of `observed` where `when` cannot be right.
///
/// So a partition may hold times of other days; readers go by the times that are really in it.
pub(super) fn day_of(event: &Event) -> NaiveDate {
    if event.tags.iter().any(|tag| tag == WHEN_SUSPECT) { event.observed.day() } else { event.when.day() }
}

/// A partition as it was at one commit.
pub(super) struct Partition {
    searcher: Searcher,
    /// The place of the trail that its last commit was complete to.
    pub(super) complete_to: u64,
    /// The times it really holds.
    pub(super) held: Span,
    /// The place after the last event it holds: it may be ahead of the index's position.
    end: u64,
}

impl Partition {
    pub(super) fn open(folder: &Path) -> Result<Self, IndexError> {
        Self::try_open(folder).map_err(|error| IndexError::engine(folder, error))?
    }

    fn try_open(folder: &Path) -> tantivy::Result<Result<Self, IndexError>> {
        let index = Index::open(ReadOnly::open(folder)?)?;
        let layout = Layout::of_this_version();
        if index.schema() != layout.schema {
            return Ok(Err(IndexError::damaged(folder, Damage::Version)));
        }
        Layout::prepare(&index);
        let complete_to = complete_to(&index)?;
        let reader: IndexReader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let searcher = reader.searcher();
        let (held, end) = extent(&searcher)?;
        Ok(Ok(Self { searcher, complete_to, held, end }))
    }

    /// Whether it holds anything at a place of the trail or later.
    pub(super) fn reaches(&self, first: u64) -> bool {
        self.end > first
    }

    /// Offers what matches to `nearest`.
    pub(super) fn collect(&self, asked: &Asked<'_>, nearest: &mut Nearest) -> tantivy::Result<()> {
        for segment in self.searcher.segment_readers() {
            let found = self.matches(segment, asked)?;
            if found.is_empty() {
                continue;
            }
            let columns = segment.fast_fields();
            let (when, seq) = (columns.i64(WHEN)?.values, columns.u64(SEQ)?.values);
            for document in found.iter() {
                nearest.offer(Place { when: when.get_val(document), seq: seq.get_val(document) });
            }
        }
        Ok(())
    }

    pub(super) fn count(&self, asked: &Asked<'_>) -> tantivy::Result<u64> {
        self.searcher
            .segment_readers()
            .iter()
            .map(|segment| self.matches(segment, asked).map(|found| found.len()))
            .sum()
    }

    fn matches(&self, reader: &SegmentReader, asked: &Asked<'_>) -> tantivy::Result<Set> {
        // Whoever asks what came in since asks often, and most of what there is came in before.
        if asked.from_seq > 0 && reader.fast_fields().u64(SEQ)?.max_value() < asked.from_seq {
            return Ok(Set::full(0));
        }
        let segment = Segment { reader, layout: Layout::of_this_version(), held: self.held };
        let mut found = segment.all();
        if asked.from_seq > 0 || self.end > asked.complete_to {
            segment.narrow_to_places(&mut found, asked.from_seq, asked.complete_to)?;
        }
        segment.narrow_to_times(&mut found, asked.span)?;
        if !found.is_empty() {
            segment.narrow(&mut found, &asked.search.query)?;
        }
        Ok(found)
    }
}

/// What a commit says of itself; nothing was committed yet where it says nothing.
pub(super) fn complete_to(index: &Index) -> tantivy::Result<u64> {
    Ok(index.load_metas()?.payload.and_then(|payload| payload.parse().ok()).unwrap_or(0))
}

fn extent(searcher: &Searcher) -> tantivy::Result<(Span, u64)> {
    let (mut held, mut end) = (Span::NEVER, 0);
    for segment in searcher.segment_readers() {
        let when = segment.fast_fields().i64(WHEN)?;
        held = held.hull(Span { first: when.min_value(), last: when.max_value() });
        end = end.max(segment.fast_fields().u64(SEQ)?.max_value().saturating_add(1));
    }
    Ok((held, end))
}
