//! The events of one end of time: the newest, or the oldest after a place.

/// A match: its time in microseconds, then its place in the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) when: i64,
    pub(super) seq: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    NewestFirst,
    OldestFirst,
}

impl Order {
    /// Maps the order to that of the smallest first; its own inverse.
    fn turn(self, place: Place) -> Place {
        match self {
            Self::OldestFirst => place,
            // The complement turns the order of signed and unsigned numbers alike.
            Self::NewestFirst => Place { when: !place.when, seq: !place.seq },
        }
    }
}

/// The first places of an order, at most `limit` of them, and how many there were.
#[derive(Debug)]
pub(super) struct Nearest {
    order: Order,
    limit: usize,
    /// Only places that follow this one.
    after: Option<Place>,
    /// Turned; in no order, up to twice the limit.
    kept: Vec<Place>,
    /// No place beyond this one can be among the first any more.
    worst: Option<Place>,
    pub(super) seen: u64,
}

impl Nearest {
    pub(super) fn new(order: Order, limit: usize) -> Self {
        Self { order, limit, after: None, kept: Vec::new(), worst: None, seen: 0 }
    }

    pub(super) fn after(self, after: Option<Place>) -> Self {
        Self { after: after.map(|place| self.order.turn(place)), ..self }
    }

    pub(super) fn offer(&mut self, place: Place) {
        self.seen += 1;
        let place = self.order.turn(place);
        if self.after.is_some_and(|after| place <= after) || self.worst.is_some_and(|worst| place >= worst) {
            return;
        }
        if self.limit == 0 {
            return;
        }
        self.kept.push(place);
        if self.kept.len() >= self.limit.saturating_mul(2) {
            self.cut();
        }
    }

    /// Whether every place of a time could still be among the first.
    pub(super) fn wants(&self, when: i64) -> bool {
        if self.limit == 0 {
            return false;
        }
        let turned = self.order.turn(Place { when, seq: 0 }).when;
        self.worst.is_none_or(|worst| turned <= worst.when)
    }

    pub(super) fn into_sorted(mut self) -> Vec<Place> {
        self.kept.sort_unstable();
        self.kept.truncate(self.limit);
        let order = self.order;
        self.kept.into_iter().map(|place| order.turn(place)).collect()
    }

    /// Leaves the best `limit`, and remembers the last of them.
    fn cut(&mut self) {
        if self.kept.len() >= self.limit && self.limit > 0 {
            let (_, worst, _) = self.kept.select_nth_unstable(self.limit - 1);
            // A place equal to the worst is the same event, so it cannot come again.
            self.worst = Some(*worst);
            self.kept.truncate(self.limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(order: Order, limit: usize, after: Option<(i64, u64)>, places: &[(i64, u64)]) -> Vec<(i64, u64)> {
        let after = after.map(|(when, seq)| Place { when, seq });
        let mut nearest = Nearest::new(order, limit).after(after);
        places.iter().for_each(|&(when, seq)| nearest.offer(Place { when, seq }));
        assert_eq!(nearest.seen, places.len() as u64);
        nearest.into_sorted().into_iter().map(|place| (place.when, place.seq)).collect()
    }

    #[test]
    fn keeps_the_first_of_an_order() {
        let places = [(5, 1), (i64::MAX, 2), (5, 3), (-7, 4), (i64::MIN, 5), (0, 6)];
        let newest = first(Order::NewestFirst, 3, None, &places);
        assert_eq!(newest, [(i64::MAX, 2), (5, 3), (5, 1)]);
        assert_eq!(first(Order::OldestFirst, 2, None, &places), [(i64::MIN, 5), (-7, 4)]);
        assert_eq!(first(Order::OldestFirst, 2, Some((0, 6)), &places), [(5, 1), (5, 3)]);
        assert_eq!(first(Order::NewestFirst, 0, None, &places), []);
        assert_eq!(first(Order::OldestFirst, 9, None, &places).len(), 6);
    }

    #[test]
    fn many_places_are_cut_on_the_way() {
        let places: Vec<_> = (0..1_000_u64).map(|n| ((n as i64 * 7_919) % 1_000, n)).collect();
        let expected: Vec<i64> = (0..10).collect();
        let got = first(Order::OldestFirst, 10, None, &places);
        assert_eq!(got.into_iter().map(|(when, _)| when).collect::<Vec<_>>(), expected);
    }
}
