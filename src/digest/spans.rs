//! Times that are covered: half-open, never touching one another.

use std::collections::BTreeMap;

use crate::event::Stamp;

/// From when to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start: Stamp,
    pub(super) end: Stamp,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spans(BTreeMap<Stamp, Stamp>);

impl Spans {
    pub(super) fn add(&mut self, Span { mut start, mut end }: Span) {
        if start >= end {
            return;
        }
        while let Some((before, until)) = self.0.range(..=end).next_back().map(|(start, end)| (*start, *end)) {
            if until < start {
                break;
            }
            start = start.min(before);
            end = end.max(until);
            self.0.remove(&before);
        }
        self.0.insert(start, end);
    }

    pub(super) fn extend(&mut self, other: &Self) {
        other.iter().for_each(|span| self.add(span));
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = Span> + '_ {
        self.0.iter().map(|(start, end)| Span { start: *start, end: *end })
    }

    /// The span that holds an instant; its end belongs to the next.
    pub(super) fn around(&self, at: Stamp) -> Option<Span> {
        let (start, end) = self.0.range(..=at).next_back()?;
        (at < *end).then_some(Span { start: *start, end: *end })
    }

    /// Whether an instant is within or at the end of a span.
    pub(super) fn reaches(&self, at: Stamp) -> bool {
        self.0.range(..=at).next_back().is_some_and(|(_, end)| at <= *end)
    }

    /// What lies between the spans of a time.
    pub(super) fn gaps(&self, within: Span) -> Vec<Span> {
        let mut gaps = Vec::new();
        let mut from = within.start;
        for span in self.iter().filter(|span| span.end > within.start && span.start < within.end) {
            if span.start > from {
                gaps.push(Span { start: from, end: span.start });
            }
            from = from.max(span.end);
        }
        if from < within.end {
            gaps.push(Span { start: from, end: within.end });
        }
        gaps
    }

    pub(super) fn first(&self) -> Option<Stamp> {
        self.0.keys().next().copied()
    }

    pub(super) fn last(&self) -> Option<Stamp> {
        self.0.values().next_back().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: i64, end: i64) -> Span {
        Span { start: Stamp::from_unix(start, 0), end: Stamp::from_unix(end, 0) }
    }

    fn spans(of: &[(i64, i64)]) -> Spans {
        let mut spans = Spans::default();
        of.iter().for_each(|(start, end)| spans.add(span(*start, *end)));
        spans
    }

    #[test]
    fn those_that_touch_become_one() {
        assert_eq!(spans(&[(0, 10), (20, 30), (10, 20)]), spans(&[(0, 30)]));
        assert_eq!(spans(&[(5, 6), (0, 10), (8, 12)]), spans(&[(0, 12)]));
        assert_eq!(spans(&[(0, 10), (11, 20)]).iter().count(), 2);
        assert_eq!(spans(&[(3, 3), (4, 2)]), Spans::default());
    }

    #[test]
    fn gaps_are_what_is_not_covered() {
        let covered = spans(&[(0, 10), (20, 30)]);
        assert_eq!(covered.gaps(span(0, 40)), [span(10, 20), span(30, 40)]);
        assert_eq!(covered.gaps(span(-5, 25)), [span(-5, 0), span(10, 20)]);
        assert_eq!(covered.gaps(span(22, 28)), []);
        assert_eq!(covered.gaps(span(12, 14)), [span(12, 14)]);
        assert_eq!(covered.around(Stamp::from_unix(10, 0)), None);
        assert_eq!(covered.around(Stamp::from_unix(9, 0)), Some(span(0, 10)));
        assert!(covered.reaches(Stamp::from_unix(10, 0)) && !covered.reaches(Stamp::from_unix(11, 0)));
    }
}
