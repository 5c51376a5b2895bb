//! Starts that wait for their finish.
//!
//! A finish closes the newest open start of its key, as a closing bracket does: when a run dies and is
//! started again, the one that died stays open. So a verdict does not depend on how far back the
//! search for starts began, either.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use super::Key;

/// A start, and the groups it counts in.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) when: i64,
    pub(super) seq: u64,
    pub(super) keys: Vec<Rc<Key>>,
    of: Option<Rc<str>>,
    is_open: bool,
}

#[derive(Debug)]
pub(super) struct Starts {
    /// Microseconds that a start has for its finish.
    within: i64,
    /// By `when`; the first one's number is `first`.
    waiting: VecDeque<Start>,
    first: u64,
    /// Numbers of the open starts of each key, oldest first.
    open: HashMap<Option<Rc<str>>, VecDeque<u64>>,
}

impl Starts {
    pub(super) fn new(within: i64) -> Self {
        Self { within, waiting: VecDeque::new(), first: 0, open: HashMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn open(&mut self, when: i64, seq: u64, keys: &[Rc<Key>], of: Option<Rc<str>>) {
        let number = self.first + self.waiting.len() as u64;
        self.open.entry(of.clone()).or_default().push_back(number);
        self.waiting.push_back(Start { when, seq, keys: keys.to_vec(), of, is_open: true });
    }

    pub(super) fn close(&mut self, when: i64, of: &Option<Rc<str>>) {
        let Some(numbers) = self.open.get_mut(of) else { return };
        let newest = numbers.back().and_then(|number| usize::try_from(number - self.first).ok());
        if let Some(start) = newest.and_then(|place| self.waiting.get_mut(place))
            // A start that is too old has lost its chance, and so have those before it.
            && start.when.saturating_add(self.within) >= when
        {
            start.is_open = false;
            numbers.pop_back();
        }
        if numbers.is_empty() {
            self.open.remove(of);
        }
    }

    /// The next start whose time for a finish is over at an instant and that had none.
    pub(super) fn pop_unmatched(&mut self, at: i64) -> Option<Start> {
        loop {
            self.waiting.front().filter(|start| start.when.saturating_add(self.within) <= at)?;
            let start = self.waiting.pop_front()?;
            self.first += 1;
            if start.is_open {
                self.forget_oldest(&start.of);
                return Some(start);
            }
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
