//! Starts that wait for their finish.
//!
//! A finish closes the newest open start of its key, as a closing bracket does: when a run dies and is
//! started again, the one that died stays open. So a verdict does not depend on how far back the
//! search for starts began, either. One that comes too late does nothing, or takes the start back that was
//! counted already ([`Late`]).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

use super::Key;
use crate::config::alert::Late;

/// A start, and the groups it counts in.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub(super) when: i64,
    pub(super) seq: u64,
    pub(super) keys: Vec<Rc<Key>>,
    /// One for each start, in their order.
    pub(super) number: u64,
    of: Option<Rc<str>>,
    is_open: bool,
}

#[derive(Debug)]
pub(super) struct Starts {
    /// Microseconds that a start has for its finish.
    within: i64,
    late: Late,
    /// By `when`; the first one's number is `first`.
    waiting: VecDeque<Start>,
    first: u64,
    /// Those whose time is over, while a late finish would still count.
    counted: BTreeMap<u64, Start>,
    /// Numbers of the open starts of each key, oldest first.
    open: HashMap<Option<Rc<str>>, VecDeque<u64>>,
}

impl Starts {
    pub(super) fn new(within: i64, late: Late) -> Self {
        let (waiting, counted, open) = (VecDeque::new(), BTreeMap::new(), HashMap::new());
        Self { within, late, waiting, first: 0, counted, open }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn open(&mut self, when: i64, seq: u64, keys: &[Rc<Key>], of: Option<Rc<str>>) {
        let number = self.first + self.waiting.len() as u64;
        self.open.entry(of.clone()).or_default().push_back(number);
        self.waiting.push_back(Start { when, seq, keys: keys.to_vec(), number, of, is_open: true });
    }

    /// Returns the start that was counted and is not any more.
    pub(super) fn close(&mut self, when: i64, of: &Option<Rc<str>>) -> Option<Start> {
        let numbers = self.open.get_mut(of)?;
        let newest = *numbers.back()?;
        let place = newest.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        let mut taken_back = None;
        match place.and_then(|place| self.waiting.get_mut(place)) {
            Some(start) => {
                // A start that is too old has lost its chance, and so have those before it.
                if self.late == Late::Ends || start.when.saturating_add(self.within) >= when {
                    start.is_open = false;
                    numbers.pop_back();
                }
            }
            None => {
                taken_back = self.counted.remove(&newest);
                numbers.pop_back();
            }
        }
        if numbers.is_empty() {
            self.open.remove(of);
        }
        taken_back
    }

    /// The next start whose time for a finish is over at an instant and that had none.
    pub(super) fn pop_unmatched(&mut self, at: i64) -> Option<Start> {
        loop {
            self.waiting.front().filter(|start| start.when.saturating_add(self.within) <= at)?;
            let start = self.waiting.pop_front()?;
            self.first += 1;
            if start.is_open {
                match self.late {
                    Late::Counts => self.forget_oldest(&start.of),
                    Late::Ends => drop(self.counted.insert(start.number, start.clone())),
                }
                return Some(start);
            }
        }
    }

    /// A start that was counted has left the window.
    pub(super) fn forget(&mut self, number: u64) {
        if let Some(start) = self.counted.remove(&number) {
            self.forget_oldest(&start.of);
        }
    }

    fn forget_oldest(&mut self, of: &Option<Rc<str>>) {
        if let Some(numbers) = self.open.get_mut(of) {
            numbers.pop_front();
            if numbers.is_empty() {
                self.open.remove(of);
            }
        }
    }
}
