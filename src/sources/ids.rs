//! The id of each record of a stream, by [`Identity`].
//!
//! Whoever calls hands over records with every secret already replaced, so that an id is no oracle for
//! a password.

use sha2::{Digest, Sha256};

use super::{Identity, Stream};
use crate::event::{EventId, Family};

/// Numbers the records of one stream in the order in which they are read.
#[derive(Debug, Clone)]
pub struct Ids {
    family: Family,
    identity: Identity,
    /// For [`Identity::Content`]: every record so far, each with its place and length.
    so_far: Sha256,
}

impl Ids {
    pub fn new(stream: &Stream) -> Self {
        Self { family: stream.family, identity: stream.identity, so_far: Sha256::new() }
    }

    /// The id of the record at `pos`. Every record of the stream has to come by here once, in order.
    pub fn next(&mut self, pos: u64, record: &[u8]) -> EventId {
        match self.identity {
            Identity::Place { lineage, generation } => {
                EventId::of_record(self.family, lineage, generation, pos, record, 0)
            }
            Identity::Content => {
                self.so_far.update(pos.to_be_bytes());
                self.so_far.update((record.len() as u64).to_be_bytes());
                self.so_far.update(record);
                EventId::new(self.family, &[b"content", &self.so_far.clone().finalize()], 0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Lineage;
    use crate::sources::tests::stream;

    fn ids(identity: Identity, records: &[(u64, &str)]) -> Vec<EventId> {
        let mut ids = Ids::new(&Stream { identity, ..stream(Family::Auth) });
        records.iter().map(|(pos, record)| ids.next(*pos, record.as_bytes())).collect()
    }

    #[test]
    fn content_knows_all_that_came_before() {
        let one = ids(Identity::Content, &[(0, "a"), (2, "b"), (4, "b")]);
        assert_eq!(one, ids(Identity::Content, &[(0, "a"), (2, "b"), (4, "b")]));
        let other = ids(Identity::Content, &[(0, "x"), (2, "b"), (4, "b")]);
        assert!(one.iter().all(|id| !other.contains(id)));
        assert_ne!(one[1], one[2]);
    }

    #[test]
    fn a_place_knows_only_itself() {
        let place = Identity::Place { lineage: Lineage::new("h", Family::Auth, b"head"), generation: 1 };
        assert_eq!(ids(place, &[(0, "a"), (2, "b")])[1], ids(place, &[(2, "b")])[0]);
    }
}
