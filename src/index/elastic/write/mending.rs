//! Writes entries again over whatever lies in their place.

use super::batch::{Batch, Operation};
use super::deliver::Courier;
use crate::cluster::Failure;
use crate::config::index::Names;
use crate::index::Entry;

/// Entries in any order, some at a time.
pub(in crate::index::elastic) struct Mending {
    courier: Courier,
    batch: Batch,
    bytes_max: usize,
}

impl Mending {
    pub(in crate::index::elastic) fn new(courier: Courier, bytes_max: usize) -> Self {
        Self { courier, batch: Batch::new(0), bytes_max }
    }

    pub(in crate::index::elastic) fn push(
        &mut self,
        origin: &str,
        names: &Names,
        entry: &Entry,
    ) -> Result<(), Failure> {
        self.batch.push(origin, names, entry);
        match self.batch.bytes() < self.bytes_max {
            true => Ok(()),
            false => self.finish(),
        }
    }

    /// Until the cluster has confirmed all of them.
    pub(in crate::index::elastic) fn finish(&mut self) -> Result<(), Failure> {
        let mut batch = std::mem::replace(&mut self.batch, Batch::new(0));
        for document in &mut batch.documents {
            document.operation = Operation::Replace;
        }
        self.courier.cluster().block_on(self.courier.deliver(&mut batch)).map(drop)
    }
}
