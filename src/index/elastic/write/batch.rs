//! Some entries of the trail as the cluster takes them.

use std::collections::BTreeMap;

use crate::config::index::Names;
use crate::index::Entry;
use crate::index::elastic::{Held, Position, document};

/// Documents of entries that follow one another.
pub(super) struct Batch {
    /// The places it stands for: from one, up to another.
    pub(super) from: u64,
    pub(super) upto: u64,
    pub(super) documents: Vec<Document>,
    bytes: usize,
    held: BTreeMap<String, Held>,
    /// The newest `when` of events that are not taken in, because they need not be found any more.
    skipped_to: Option<i64>,
    /// Of its last entry.
    leaf: String,
}

/// One document on its way.
pub(super) struct Document {
    pub(super) index: String,
    pub(super) id: String,
    pub(super) seq: u64,
    /// In hex.
    pub(super) leaf: String,
    /// One line of JSON.
    pub(super) body: String,
    /// What stands for it if the cluster refuses it.
    pub(super) least: Option<Least>,
    pub(super) operation: Operation,
}

/// What a reduced document is made of.
pub(super) struct Least {
    pub(super) id: String,
    pub(super) when: crate::event::Stamp,
    pub(super) origin: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    /// Refused if the id is there.
    Create,
    /// What is there under the id is not what the trail says.
    Replace,
}

impl Batch {
    pub(super) fn new(from: u64) -> Self {
        Self {
            from,
            upto: from,
            documents: Vec::new(),
            bytes: 0,
            held: BTreeMap::new(),
            skipped_to: None,
            leaf: String::new(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, origin: &str, names: &Names, entry: &Entry) {
        let (event, leaf) = (&entry.event, entry.leaf.to_string());
        let index = names.of(event);
        let held = Held::one(event.when.micros());
        self.held.entry(index.clone()).and_modify(|known| known.unite(held)).or_insert(held);
        let document = Document {
            id: document::id(origin, event),
            body: document::document(origin, entry.seq, event, &leaf).to_string(),
            least: Some(Least { id: event.id.to_string(), when: event.when, origin: origin.to_owned() }),
            index,
            seq: entry.seq,
            leaf,
            operation: Operation::Create,
        };
        self.bytes += document.bytes();
        self.documents.push(document);
        self.reach(entry);
    }

    /// Passes over one that need not be found.
    pub(super) fn skip(&mut self, entry: &Entry) {
        self.skipped_to = self.skipped_to.max(Some(entry.event.when.micros()));
        self.reach(entry);
    }

    fn reach(&mut self, entry: &Entry) {
        self.upto = entry.seq + 1;
        self.leaf = entry.leaf.to_string();
    }

    /// Moves a position over it.
    pub(super) fn count(self, position: &mut Position) {
        for (name, held) in self.held {
            position.indices.entry(name).and_modify(|known| known.unite(held)).or_insert(held);
        }
        position.dropped_to = position.dropped_to.max(self.skipped_to);
        position.complete_to = self.upto;
        position.leaf = self.leaf;
    }
}

impl Document {
    /// In a request.
    pub(super) fn bytes(&self) -> usize {
        self.body.len() + self.index.len() + self.id.len() + 40
    }

    /// Appends what a request says of it: names of indices and ids need no escapes in JSON.
    pub(super) fn write(&self, to: &mut String) {
        let operation = match self.operation {
            Operation::Create => "create",
            Operation::Replace => "index",
        };
        to.push_str("{\"");
        to.push_str(operation);
        to.push_str("\":{\"_index\":\"");
        to.push_str(&self.index);
        to.push_str("\",\"_id\":\"");
        to.push_str(&self.id);
        to.push_str("\"}}\n");
        to.push_str(&self.body);
        to.push('\n');
    }

    /// Leaves of it what no cluster refuses; false if that was refused already.
    pub(super) fn reduce(&mut self, reason: &str) -> bool {
        let Some(least) = self.least.take() else { return false };
        self.body = document::reduced(&least.origin, self.seq, &least.id, least.when, &self.leaf, reason).to_string();
        true
    }
}
