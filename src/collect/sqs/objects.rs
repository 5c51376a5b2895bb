//! The objects that messages name: fetched ahead, several at once, and given in order.

use std::collections::VecDeque;

use super::envelope::Place;
use crate::aws;
use crate::collect::s3::bucket::{Bucket, S3Error};
use crate::collect::s3::stream::Body;
use crate::collect::wire::Wire;
use crate::config::source::Queue as Configured;

/// Objects that are fetched at once: enough to hide a round trip.
const FETCHES: usize = 8;
/// What of each waits in memory. How long an object is, a message only claims.
const WAITS_BYTES: u64 = 2 << 20;

/// A client for all buckets.
pub(super) struct Objects {
    any: Bucket,
}

/// Those of some messages, in their order.
pub(super) struct Ahead {
    any: Bucket,
    wire: Wire,
    todo: VecDeque<Place>,
    coming: VecDeque<Body>,
}

impl Objects {
    pub(super) async fn open(configured: &Configured) -> Result<Self, S3Error> {
        let (region, endpoint) = (configured.s3_region.as_deref(), configured.s3_endpoint.as_deref());
        let place = aws::Place { region, endpoint, path_style: configured.path_style };
        Ok(Self { any: Bucket::at(place, "").await? })
    }

    pub(super) fn of(&self, bucket: &str) -> Bucket {
        self.any.named(bucket)
    }

    #[cfg(test)]
    pub(super) fn new(any: Bucket) -> Self {
        Self { any }
    }

    pub(super) fn ahead(&self, todo: VecDeque<Place>, wire: &Wire) -> Ahead {
        Ahead { any: self.any.clone(), wire: wire.clone(), todo, coming: VecDeque::new() }
    }
}

impl Ahead {
    /// The next object, on its way.
    pub(super) fn next(&mut self) -> Option<Body> {
        while self.coming.len() < FETCHES
            && let Some(place) = self.todo.pop_front()
        {
            let bucket = self.any.named(&place.bucket);
            self.coming.push_back(Body::begin(bucket, place.key, WAITS_BYTES, &self.wire));
        }
        self.coming.pop_front()
    }
}
