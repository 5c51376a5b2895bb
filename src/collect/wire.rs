//! Waiting from an owned thread: for the network, or for the end of the program.

#[cfg(feature = "aws")]
use std::future::Future;
#[cfg(feature = "aws")]
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch::Receiver;

#[cfg(feature = "aws")]
use super::outlet::Closed;

/// What a thread needs to wait for others.
#[derive(Clone)]
pub(super) struct Wire {
    pub(super) runtime: Handle,
    /// Becomes true when it is time to stop.
    pub(super) shutdown: Receiver<bool>,
}

/// It is time to stop.
#[cfg(feature = "aws")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Told;

/// Why reading stopped before its end.
#[cfg(feature = "aws")]
#[derive(Debug)]
pub(super) enum Halt<E> {
    Closed(Closed),
    Told,
    Failed(E),
}

#[cfg(feature = "aws")]
impl<E> From<Closed> for Halt<E> {
    fn from(closed: Closed) -> Self {
        Self::Closed(closed)
    }
}

#[cfg(feature = "aws")]
impl<E> From<Told> for Halt<E> {
    fn from(Told: Told) -> Self {
        Self::Told
    }
}

#[cfg(feature = "aws")]
impl Wire {
    pub(super) fn wait<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, Halt<E>> {
        self.until_told(work)?.map_err(Halt::Failed)
    }

    pub(super) fn until_told<T>(&self, work: impl Future<Output = T>) -> Result<T, Told> {
        let mut shutdown = self.shutdown.clone();
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                _ = shutdown.wait_for(|stop| *stop) => Err(Told),
                done = work => Ok(done),
            }
        })
    }

    /// The same where the end has to wait: it takes no longer than a request.
    pub(super) fn see_through<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(super) fn pause(&self, time: Duration) -> Result<(), Told> {
        // Made where it is awaited: a timer needs the runtime around it.
        self.until_told(async { tokio::time::sleep(time).await })
    }

    pub(super) fn is_over(&self) -> bool {
        *self.shutdown.borrow()
    }
}
