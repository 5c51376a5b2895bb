//! Documents by their numbers and times.

use std::ops::RangeInclusive;

use tantivy::SegmentReader;
use tantivy::columnar::Column;

use super::super::set::Set;
use crate::query::ast::Places;

/// Leaves in `within` what has a value in a range.
pub(crate) fn signed(
    within: &mut Set,
    segment: &SegmentReader,
    column: &str,
    range: RangeInclusive<i64>,
) -> tantivy::Result<()> {
    narrow(within, segment, segment.fast_fields().column_opt::<i64>(column)?, &range);
    Ok(())
}

/// Leaves in `within` what has a value in a range.
pub(crate) fn unsigned(
    within: &mut Set,
    segment: &SegmentReader,
    column: &str,
    range: RangeInclusive<u64>,
) -> tantivy::Result<()> {
    narrow(within, segment, segment.fast_fields().column_opt::<u64>(column)?, &range);
    Ok(())
}

/// Leaves in `within` what has its value among some places.
pub(crate) fn places(within: &mut Set, segment: &SegmentReader, column: &str, places: &Places) -> tantivy::Result<()> {
    let column = segment.fast_fields().u64(column)?;
    if places.covers(column.min_value(), column.max_value()) {
        return Ok(());
    }
    let mut found = within.empty_like();
    let values = column.values;
    within
        .iter()
        .filter(|document| places.contains(values.get_val(*document)))
        .for_each(|document| found.insert(document));
    *within = found;
    Ok(())
}

/// How many documents are looked at in one go, so that the list of them stays small.
const STRIDE: u32 = 1 << 16;

/// When fewer than one document in this many is a candidate, only the candidates are looked at.
const LOOK_UP_FACTOR: u64 = 16;

/// A segment in which no document has a value has no column.
fn narrow<T>(within: &mut Set, segment: &SegmentReader, column: Option<Column<T>>, range: &RangeInclusive<T>)
where
    T: Ord + Copy + std::fmt::Debug + Send + Sync + 'static,
{
    let Some(column) = column else { return within.clear() };
    // The column takes a bound below its least value for that value.
    let range = *range.start().max(&column.min_value())..=*range.end().min(&column.max_value());
    if range.is_empty() {
        return within.clear();
    }
    let mut found = within.empty_like();
    if within.len().saturating_mul(LOOK_UP_FACTOR) < u64::from(segment.max_doc()) {
        for document in within.iter().filter(|document| column.values_for_doc(*document).any(|v| range.contains(&v))) {
            found.insert(document);
        }
    } else {
        let mut documents = Vec::new();
        for first in (0..segment.max_doc()).step_by(STRIDE as usize) {
            let end = first.saturating_add(STRIDE).min(segment.max_doc());
            documents.clear();
            column.get_docids_for_value_range(range.clone(), first..end, &mut documents);
            documents.iter().for_each(|&document| found.insert(document));
        }
        found.intersect(within);
    }
    *within = found;
}
