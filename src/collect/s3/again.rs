//! Asking again where that may help.

use std::future::Future;
use std::time::Duration;

use super::bucket::S3Error;
use crate::aws;

/// The SDK has tried three times already when an error arrives here.
pub(super) const TRIES: u32 = 3;
const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(20);

pub(super) async fn persistently<T, F: Future<Output = Result<T, S3Error>>>(ask: impl Fn() -> F) -> Result<T, S3Error> {
    let mut tries = 1;
    loop {
        match ask().await {
            Err(error) if error.is_passing() && tries < TRIES => {
                back_off(tries).await;
                tries += 1;
            }
            answer => return answer,
        }
    }
}

pub(super) async fn back_off(tries: u32) {
    tokio::time::sleep(aws::full_jitter(BACKOFF, tries, BACKOFF_MAX)).await;
}
