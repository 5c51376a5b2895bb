//! Carries messages to channels: one task and one bounded queue for each, so that a receiver that is slow
//! holds up nobody else.
//!
//! It remembers nothing: a message that is not at its end when the program ends is sent again after the
//! next start. So every message arrives at least once, and its id tells doubles apart.

mod tries;
mod webhook;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::check::State;
use crate::config::Channel;
use crate::event::Stamp;

use super::change::{Kind, Told};
use super::message::Message;

pub use tries::Tries;
use webhook::Poster;
pub use webhook::Refused;

/// Messages that wait for one channel. More stay where they are remembered, and are handed over later.
const QUEUE: usize = 64;

/// The channels and what is on its way to them.
#[derive(Debug)]
pub struct Outbox {
    channels: BTreeMap<String, mpsc::Sender<Arc<Message>>>,
    ended: mpsc::Receiver<Delivered>,
    /// Messages to channels that are not there any more.
    refused: VecDeque<Delivered>,
    flying: HashSet<Flight>,
    /// They end with the outbox.
    _tasks: JoinSet<()>,
}

/// A message that came to its end on one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    pub alert: String,
    pub told: Told,
}

/// Alert, message and channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Flight(String, Stamp, String);

/// What a channel does with a message.
enum Carrier {
    Log,
    Webhook(Poster),
}

impl Outbox {
    /// Starts a task for each channel, on the runtime this is called on.
    pub fn start(channels: &BTreeMap<String, Channel>, tries: Tries) -> Self {
        let (ended_tx, ended) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        let start = |(name, channel): (&String, &Channel)| {
            let (tx, inbox) = mpsc::channel(QUEUE);
            let carrier = match channel {
                Channel::Log => Carrier::Log,
                Channel::Webhook(webhook) => Carrier::Webhook(Poster::new(webhook)),
            };
            tasks.spawn(carry(name.clone(), carrier, tries, inbox, ended_tx.clone()));
            (name.clone(), tx)
        };
        let channels = channels.iter().map(start).collect();
        Self { channels, ended, refused: VecDeque::new(), flying: HashSet::new(), _tasks: tasks }
    }

    /// Hands a message to its channels, as far as it is not on its way and there is room. It never waits.
    pub fn send(&mut self, message: &Message) {
        let shared = Arc::new(message.clone());
        for name in &message.channels {
            let flight = Flight(message.alert.clone(), message.id, name.clone());
            if self.flying.contains(&flight) {
                continue;
            }
            let Some(channel) = self.channels.get(name) else {
                let error = Some("no channel of this name is configured any more".to_owned());
                self.refused.push_back(ended(message, name, 0, error));
                self.flying.insert(flight);
                continue;
            };
            if channel.try_send(Arc::clone(&shared)).is_ok() {
                self.flying.insert(flight);
            }
        }
    }

    /// The next message that came to its end. Nothing is lost when the call is given up.
    pub async fn next(&mut self) -> Delivered {
        let delivered = match self.refused.pop_front() {
            Some(refused) => refused,
            None => match self.ended.recv().await {
                Some(delivered) => delivered,
                // Without channels nothing ever comes.
                None => std::future::pending().await,
            },
        };
        let Delivered { alert, told } = &delivered;
        self.flying.remove(&Flight(alert.clone(), told.message, told.channel.clone()));
        delivered
    }

    /// Nothing is on its way.
    pub fn is_idle(&self) -> bool {
        self.flying.is_empty()
    }
}

/// One channel's messages, in their order, each until it is taken or refused for good.
async fn carry(
    name: String,
    carrier: Carrier,
    tries: Tries,
    mut inbox: mpsc::Receiver<Arc<Message>>,
    results: mpsc::Sender<Delivered>,
) {
    while let Some(message) = inbox.recv().await {
        let (attempts, outcome) = match &carrier {
            Carrier::Log => {
                log(&message);
                (1, Ok(()))
            }
            Carrier::Webhook(poster) => post(poster, &message.json(), tries).await,
        };
        let error = outcome.err().map(|error| error.to_string());
        if let Some(error) = &error {
            warn!(channel = %name, alert = %message.alert, attempts, %error, "A message could not be delivered.");
        }
        if results.send(ended(&message, &name, attempts, error)).await.is_err() {
            return;
        }
    }
}

/// With how many attempts it took.
async fn post(poster: &Poster, body: &str, tries: Tries) -> (u32, Result<(), Refused>) {
    let mut trying = tries.start();
    loop {
        let outcome = poster.post(body).await;
        match outcome.as_ref().err().and_then(|error| trying.pause(error)) {
            Some(pause) => sleep(pause).await,
            None => return (trying.attempts, outcome),
        }
    }
}

fn ended(message: &Message, channel: &str, attempts: u32, error: Option<String>) -> Delivered {
    let told = Told { message: message.id, channel: channel.to_owned(), kind: message.kind, attempts, error };
    Delivered { alert: message.alert.clone(), told }
}

fn log(message: &Message) {
    let headline = message.headline();
    match (message.kind, message.worst) {
        (Kind::Resolved, _) | (_, State::Ok) => info!(alert = %message.alert, "{headline}"),
        _ => warn!(alert = %message.alert, next = %message.next(), "{headline}"),
    }
}

#[cfg(test)]
mod tests;
