//! CloudTrail's own API as a way in: its event history, how trails fare, and the keys of digests.
//!
//! It is asked from owned threads, which wait for it and for the end of the program.

mod keys;
mod lookup;
#[cfg(test)]
mod moto;
#[cfg(test)]
mod tests;
mod trails;
mod window;

use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch::Receiver;

use super::Outside;
use super::outlet::Closed;
use crate::aws::cloudtrail::{Access, Api, ApiError};
use crate::config::source;

pub(super) use keys::{Wants, beside as with_keys};
pub(super) use lookup::read as read_lookup;
pub use trails::look as look_at_trail;
pub(super) use trails::{is_of_api, read as read_trail};

/// Why asking stopped before its end.
#[derive(Debug)]
enum Halt {
    Closed(Closed),
    /// It is time to stop.
    Told,
    Failed(ApiError),
}

impl From<Closed> for Halt {
    fn from(closed: Closed) -> Self {
        Self::Closed(closed)
    }
}

/// Waiting for the network from an owned thread, and for the end.
#[derive(Clone)]
pub(super) struct Wire {
    runtime: Handle,
    shutdown: Receiver<bool>,
}

impl Wire {
    pub(super) fn new(outside: &Outside) -> Self {
        Self { runtime: outside.runtime.clone(), shutdown: outside.shutdown.clone() }
    }

    fn wait<T>(&self, work: impl Future<Output = Result<T, ApiError>>) -> Result<T, Halt> {
        let mut shutdown = self.shutdown.clone();
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                _ = shutdown.wait_for(|stop| *stop) => Err(Halt::Told),
                done = work => done.map_err(Halt::Failed),
            }
        })
    }

    fn pause(&self, time: Duration) -> Result<(), Halt> {
        self.wait(async {
            tokio::time::sleep(time).await;
            Ok(())
        })
    }

    fn open(&self, api: &source::Api, region: Option<&str>) -> Result<Api, Halt> {
        let access = Access { region, endpoint: api.endpoint.as_deref(), profile: api.profile.as_deref() };
        self.wait(Api::open(access))
    }
}
