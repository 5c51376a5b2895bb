//! The objects that messages name: fetched ahead, several at once, and given in order.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::envelope::Place;
use crate::aws;
use crate::collect::s3::bucket::{Bucket, S3Error};
use crate::config::source::Queue as Configured;

/// Objects that are fetched ahead while one is decoded: enough to hide a round trip.
const FETCHES: usize = 8;

/// The SDK has tried three times already when an error arrives here.
const TRIES: u32 = 3;
const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(20);

/// A client for all buckets.
pub(super) struct Objects {
    any: Bucket,
}

/// Those of some messages, in their order.
pub(super) struct Ahead {
    any: Bucket,
    runtime: Handle,
    todo: VecDeque<Place>,
    coming: VecDeque<JoinHandle<Result<Vec<u8>, S3Error>>>,
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

    pub(super) fn ahead(&self, todo: VecDeque<Place>, runtime: &Handle) -> Ahead {
        Ahead { any: self.any.clone(), runtime: runtime.clone(), todo, coming: VecDeque::new() }
    }
}

impl Ahead {
    /// The next object's bytes.
    pub(super) async fn next(&mut self) -> Option<Result<Vec<u8>, S3Error>> {
        while self.coming.len() < FETCHES
            && let Some(place) = self.todo.pop_front()
        {
            let bucket = self.any.named(&place.bucket);
            self.coming.push_back(self.runtime.spawn(async move { fetch(&bucket, &place.key).await }));
        }
        let fetched = self.coming.front_mut()?.await;
        self.coming.pop_front();
        Some(fetched.unwrap_or_else(|error| Err(S3Error::unreachable(&error))))
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.coming.iter().for_each(JoinHandle::abort);
    }
}

async fn fetch(bucket: &Bucket, key: &str) -> Result<Vec<u8>, S3Error> {
    let mut tries = 1;
    loop {
        match bucket.fetch(key).await {
            Err(error) if error.is_passing() && tries < TRIES => {
                tokio::time::sleep(aws::full_jitter(BACKOFF, tries, BACKOFF_MAX)).await;
                tries += 1;
            }
            answer => return answer,
        }
    }
}
