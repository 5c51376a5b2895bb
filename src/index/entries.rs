//! What an index needs of the trail.

use std::sync::Arc;

use super::IndexError;
use crate::event::Event;
use crate::trail::Reader;
use crate::trail::tree::{self, Hash};

/// An entry with its hash.
#[derive(Debug, Clone)]
pub struct Entry {
    pub seq: u64,
    pub event: Event,
    /// Of its bytes in the trail.
    pub leaf: Hash,
}

/// Reads the trail up to its last acknowledged entry, also while its writer runs.
pub trait Entries: Send + Sync {
    /// The name of the trail: another trail in the same folder has another.
    fn origin(&self) -> Result<String, IndexError>;

    /// The first entry that is kept; those before it were pruned.
    fn first(&self) -> Result<u64, IndexError> {
        Ok(0)
    }

    /// How many entries there are.
    fn acknowledged(&self) -> Result<u64, IndexError>;

    fn event(&self, seq: u64) -> Result<Event, IndexError>;

    /// The entries from one on, in order.
    #[expect(clippy::type_complexity, reason = "a trait's method cannot return `impl` and stay usable as an object")]
    fn scan<'e>(
        &'e self,
        from: u64,
    ) -> Result<Box<dyn Iterator<Item = Result<(u64, Event), IndexError>> + 'e>, IndexError>;

    /// The same with the hash of each.
    fn entries<'e>(&'e self, from: u64)
    -> Result<Box<dyn Iterator<Item = Result<Entry, IndexError>> + 'e>, IndexError>;

    /// The hash of an entry.
    fn leaf(&self, seq: u64) -> Result<Hash, IndexError>;
}

impl Entries for Reader {
    fn origin(&self) -> Result<String, IndexError> {
        Ok(Self::origin(self).to_owned())
    }

    fn first(&self) -> Result<u64, IndexError> {
        Ok(Self::first(self)?)
    }

    fn acknowledged(&self) -> Result<u64, IndexError> {
        Ok(Self::acknowledged(self)?)
    }

    fn event(&self, seq: u64) -> Result<Event, IndexError> {
        Ok(Self::event(self, seq)?)
    }

    fn scan<'e>(
        &'e self,
        from: u64,
    ) -> Result<Box<dyn Iterator<Item = Result<(u64, Event), IndexError>> + 'e>, IndexError> {
        Ok(Box::new(Self::scan(self, from)?.map(|entry| Ok(entry?))))
    }

    fn entries<'e>(
        &'e self,
        from: u64,
    ) -> Result<Box<dyn Iterator<Item = Result<Entry, IndexError>> + 'e>, IndexError> {
        let hashed = self.hashed(from)?.map(|entry| {
            let (seq, event, leaf) = entry?;
            Ok(Entry { seq, event, leaf })
        });
        Ok(Box::new(hashed))
    }

    fn leaf(&self, seq: u64) -> Result<Hash, IndexError> {
        Ok(tree::leaf(&self.line(seq)?))
    }
}

impl<E: Entries> Entries for Arc<E> {
    fn origin(&self) -> Result<String, IndexError> {
        (**self).origin()
    }

    fn first(&self) -> Result<u64, IndexError> {
        (**self).first()
    }

    fn acknowledged(&self) -> Result<u64, IndexError> {
        (**self).acknowledged()
    }

    fn event(&self, seq: u64) -> Result<Event, IndexError> {
        (**self).event(seq)
    }

    fn scan<'e>(
        &'e self,
        from: u64,
    ) -> Result<Box<dyn Iterator<Item = Result<(u64, Event), IndexError>> + 'e>, IndexError> {
        (**self).scan(from)
    }

    fn entries<'e>(
        &'e self,
        from: u64,
    ) -> Result<Box<dyn Iterator<Item = Result<Entry, IndexError>> + 'e>, IndexError> {
        (**self).entries(from)
    }

    fn leaf(&self, seq: u64) -> Result<Hash, IndexError> {
        (**self).leaf(seq)
    }
}
