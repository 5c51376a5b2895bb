//! Documents by words that stand next to each other.

use tantivy::postings::{Postings as _, SegmentPostings};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocSet as _, SegmentReader};

use super::super::set::Set;
use super::postings;

/// Leaves in `within` what has these words, in this order, next to each other.
pub(crate) fn words(within: &mut Set, segment: &SegmentReader, field: Field, words: &[String]) -> tantivy::Result<()> {
    let Some(rarest) = narrow_to_words(within, segment, field, words)? else {
        within.clear();
        return Ok(());
    };
    if words.len() < 2 || within.is_empty() {
        return Ok(());
    }
    let mut places = Vec::with_capacity(words.len());
    for (word, offset) in words.iter().zip(0_u32..) {
        places.extend(open(segment, field, word, IndexRecordOption::WithFreqsAndPositions)?.map(|word| (offset, word)));
    }
    // The word on the fewest documents leaves the fewest places to compare with.
    places.swap(0, rarest);
    let (mut starts, mut buffer, mut found) = (Vec::new(), Vec::new(), within.empty_like());
    for document in within.iter() {
        if has_phrase(document, &mut places, &mut starts, &mut buffer) {
            found.insert(document);
        }
    }
    *within = found;
    Ok(())
}

/// Leaves in `within` what has all words, and tells which of them is on the fewest documents;
/// None where one of them is on none.
fn narrow_to_words(
    within: &mut Set,
    segment: &SegmentReader,
    field: Field,
    words: &[String],
) -> tantivy::Result<Option<usize>> {
    let mut lists = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        match open(segment, field, word, IndexRecordOption::Basic)? {
            Some(list) => lists.push((at, list)),
            None => return Ok(None),
        }
    }
    lists.sort_by_key(|(_, list)| list.doc_freq());
    let rarest = lists.first().map(|(at, _)| *at);
    lists.into_iter().for_each(|(_, list)| postings::keep(within, list));
    Ok(rarest)
}

fn open(
    segment: &SegmentReader,
    field: Field,
    word: &str,
    what: IndexRecordOption,
) -> tantivy::Result<Option<SegmentPostings>> {
    let index = segment.inverted_index(field)?;
    let Some(info) = index.terms().get(word.as_bytes())? else { return Ok(None) };
    Ok(Some(index.read_postings_from_terminfo(&info, what)?))
}

/// Whether the phrase stands in a document that has all its words. Documents come in rising order.
///
/// `starts` are the places where the phrase may begin: those of each word, less its offset, in common.
fn has_phrase(
    document: u32,
    places: &mut [(u32, SegmentPostings)],
    starts: &mut Vec<u32>,
    buffer: &mut Vec<u32>,
) -> bool {
    let mut is_first = true;
    for (offset, word) in places {
        if word.doc() < document {
            word.seek(document);
        }
        if word.doc() != document {
            return false;
        }
        word.positions(buffer);
        // In rising order, so the difference is too.
        let begins = buffer.iter().filter_map(|place| place.checked_sub(*offset));
        if is_first {
            starts.clear();
            starts.extend(begins);
            is_first = false;
        } else {
            retain_common(starts, begins);
        }
        if starts.is_empty() {
            return false;
        }
    }
    true
}

/// Both in rising order.
fn retain_common(starts: &mut Vec<u32>, other: impl Iterator<Item = u32>) {
    let mut other = other.peekable();
    starts.retain(|start| {
        while other.next_if(|place| place < start).is_some() {}
        other.peek() == Some(start)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_common_stays() {
        let mut starts = vec![1, 3, 4, 9];
        retain_common(&mut starts, [0, 3, 5, 9, 12].into_iter());
        assert_eq!(starts, [3, 9]);
    }
}
