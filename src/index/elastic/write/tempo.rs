//! How much is sent at a time: more while the cluster keeps up, half as soon as it says that it does not.

/// Below this a request's own cost is more than that of its documents.
const BATCH_BYTES_MIN: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Tempo {
    in_flight: usize,
    in_flight_max: usize,
    batch_bytes: usize,
    batch_bytes_max: usize,
}

impl Tempo {
    pub(super) fn new(in_flight_max: usize, batch_bytes_max: usize) -> Self {
        let (in_flight_max, batch_bytes_max) = (in_flight_max.max(1), batch_bytes_max.max(BATCH_BYTES_MIN));
        Self { in_flight: in_flight_max, in_flight_max, batch_bytes: batch_bytes_max, batch_bytes_max }
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn batch_bytes(&self) -> usize {
        self.batch_bytes
    }

    /// A batch has landed, after it was pushed back or at once; `bytes_max` is what the cluster took where it called
    /// a request too large.
    pub(super) fn landed(&mut self, was_pushed_back: bool, bytes_max: Option<usize>) {
        if let Some(most) = bytes_max {
            self.batch_bytes_max = most.max(BATCH_BYTES_MIN);
        }
        if was_pushed_back {
            self.in_flight = (self.in_flight / 2).max(1);
            self.batch_bytes = (self.batch_bytes / 2).max(BATCH_BYTES_MIN);
        } else {
            self.in_flight = (self.in_flight + 1).min(self.in_flight_max);
            self.batch_bytes = self.batch_bytes + self.batch_bytes / 4;
        }
        self.batch_bytes = self.batch_bytes.min(self.batch_bytes_max);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_halves_when_pushed_back_and_comes_back_slowly() {
        let mut tempo = Tempo::new(4, 8 << 20);
        tempo.landed(true, None);
        assert_eq!((tempo.in_flight(), tempo.batch_bytes()), (2, 4 << 20));
        (0..10).for_each(|_| tempo.landed(true, None));
        assert_eq!((tempo.in_flight(), tempo.batch_bytes()), (1, BATCH_BYTES_MIN));
        (0..100).for_each(|_| tempo.landed(false, None));
        assert_eq!((tempo.in_flight(), tempo.batch_bytes()), (4, 8 << 20));
        tempo.landed(false, Some(1 << 20));
        (0..100).for_each(|_| tempo.landed(false, None));
        assert_eq!(tempo.batch_bytes(), 1 << 20);
    }
}
