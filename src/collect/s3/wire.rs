//! Waiting for the network from an owned thread: for an answer, or for the end.

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch::Receiver;

use super::bucket::S3Error;
use crate::aws;
use crate::collect::outlet::Closed;

/// The SDK has tried three times already when an error arrives here.
pub(super) const TRIES: u32 = 3;
const BACKOFF: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(20);

/// Why reading stopped before its end.
#[derive(Debug)]
pub(in crate::collect) enum Halt {
    Closed(Closed),
    /// It is time to stop.
    Told,
    Failed(S3Error),
}

impl From<Closed> for Halt {
    fn from(closed: Closed) -> Self {
        Self::Closed(closed)
    }
}

#[derive(Clone)]
pub(in crate::collect) struct Wire {
    pub(super) runtime: Handle,
    pub(super) shutdown: Receiver<bool>,
}

impl Wire {
    pub(in crate::collect) fn new(runtime: Handle, shutdown: Receiver<bool>) -> Self {
        Self { runtime, shutdown }
    }

    pub(super) fn wait<T>(&self, work: impl Future<Output = Result<T, S3Error>>) -> Result<T, Halt> {
        let mut shutdown = self.shutdown.clone();
        self.runtime.block_on(async {
            tokio::select! {
                done = work => done.map_err(Halt::Failed),
                _ = shutdown.wait_for(|stop| *stop) => Err(Halt::Told),
            }
        })
    }

    pub(super) fn pause(&self, time: Duration) -> Result<(), Halt> {
        self.wait(async {
            tokio::time::sleep(time).await;
            Ok(())
        })
    }
}

/// Asks, and asks again if that may help.
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
