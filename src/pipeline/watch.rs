//! Alerts.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::config::Config;
use crate::trail::Reader;

use super::follow::Indexed;
use super::writer::{Order, Reached};

#[derive(Debug, Default)]
pub struct Watched {}

pub(super) struct Watcher {
    pub(super) config: Config,
    pub(super) trail: Arc<Reader>,
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) reached: watch::Receiver<Reached>,
    pub(super) indexed: watch::Receiver<Indexed>,
}

impl Watcher {
    pub(super) async fn follow(self, _stop: watch::Receiver<bool>) {}

    pub(super) async fn once(self) -> Watched {
        Watched::default()
    }
}
