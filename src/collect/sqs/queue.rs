//! One queue: receiving, keeping and deleting messages, with errors in plain words.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::error::BuildError;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message,
    MessageSystemAttributeName, QueueAttributeName,
};

use crate::aws::{Failure, Place};
use crate::config::source::Queue as Configured;

/// What SQS gives and takes at once.
pub(super) const TOGETHER: usize = 10;

/// SQS never waits longer than 20 seconds itself.
const ATTEMPT_MAX: Duration = Duration::from_secs(40);

/// Why the queue did not do what was asked. The words go behind its address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum QueueError {
    #[error(
        "access is denied ({0}): allow sqs:ReceiveMessage, sqs:DeleteMessage and sqs:ChangeMessageVisibility on the queue, and kms:Decrypt if it is encrypted"
    )]
    Denied(String),
    #[error("does not exist: correct the queue's address, its region or the endpoint")]
    NoQueue,
    #[error("is encrypted with a key of KMS that cannot be used ({0}): enable the key, or give the queue another one")]
    Key(String),
    #[error("has more messages in flight than SQS allows ({0}): it is tried again")]
    Full(String),
    #[error(transparent)]
    Aws(Failure),
}

impl QueueError {
    /// Whether it may go better in a while, without anybody doing anything.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Full(_) => true,
            Self::Aws(failure) => failure.is_passing(),
            _ => false,
        }
    }

    fn of_entry(entry: &BatchResultErrorEntry) -> Self {
        let message = entry.message().unwrap_or("no reason given");
        Failure::of_code(entry.code().to_owned(), message).into()
    }
}

impl From<Failure> for QueueError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Denied(said) => Self::Denied(said),
            Failure::Other { code, .. } if is_no_queue(&code) => Self::NoQueue,
            Failure::Other { code, .. } if code.trim_end_matches("Exception").ends_with("OverLimit") => {
                Self::Full(code)
            }
            Failure::Other { code, .. } if code.starts_with("Kms") || code.starts_with("KMS.") => Self::Key(code),
            other => Self::Aws(other),
        }
    }
}

/// The JSON protocol and the query protocol before it name it differently.
fn is_no_queue(code: &str) -> bool {
    let name = code.rsplit(['.', '#']).next().unwrap_or(code);
    matches!(name, "QueueDoesNotExist" | "NonExistentQueue" | "InvalidAddress" | "404")
}

/// A message as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) ticket: Ticket,
    pub(super) body: String,
    /// How often, this time among them.
    pub(super) receives: u64,
}

/// What names a message, and what deletes it or keeps it from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) id: String,
    receipt: String,
}

/// A client, and which queue it asks.
#[derive(Clone)]
pub(super) struct Queue {
    pub(super) client: Client,
    pub(super) url: String,
    /// How long a received message is nobody else's, unless that is extended.
    pub(super) visibility: Duration,
}

impl Queue {
    /// With the credentials of the normal chain.
    pub(super) async fn open(configured: &Configured, visibility: Duration) -> Result<Self, QueueError> {
        let (region, endpoint) = (configured.region.as_deref(), configured.endpoint.as_deref());
        let place = Place { region, endpoint, path_style: false };
        let config = place.sqs().await.map_err(Failure::from)?;
        let config = config.timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_MAX).build());
        Ok(Self { client: Client::from_conf(config.build()), url: configured.url.clone(), visibility })
    }

    /// What is there, or what comes within `wait`.
    pub(super) async fn receive(&self, wait: Duration) -> Result<Vec<Received>, QueueError> {
        let request = self.client.receive_message().queue_url(&self.url).max_number_of_messages(TOGETHER as i32);
        let request = request
            .wait_time_seconds(seconds(wait))
            .visibility_timeout(seconds(self.visibility))
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount);
        let answer = request.send().await.map_err(|error| Failure::of(&error))?;
        Ok(answer.messages.unwrap_or_default().into_iter().filter_map(Received::of).collect())
    }

    /// Those that could not be deleted now. A message that is gone, or somebody else's by now, counts as deleted.
    pub(super) async fn delete(&self, tickets: &[Ticket]) -> Result<HashSet<String>, QueueError> {
        let mut kept = HashSet::new();
        for some in tickets.chunks(TOGETHER) {
            let entry = |(n, ticket): (usize, &Ticket)| {
                let entry = DeleteMessageBatchRequestEntry::builder().id(n.to_string());
                entry.receipt_handle(&ticket.receipt).build()
            };
            let entries = some.iter().enumerate().map(entry).collect::<Result<_, _>>().map_err(|e| unbuilt(&e))?;
            let request = self.client.delete_message_batch().queue_url(&self.url).set_entries(Some(entries));
            let answer = request.send().await.map_err(|error| Failure::of(&error))?;
            kept.extend(left(answer.failed(), some)?);
        }
        Ok(kept)
    }

    /// From now on, the messages are nobody else's for so long.
    pub(super) async fn keep(&self, tickets: &[Ticket], time: Duration) -> Result<(), QueueError> {
        for some in tickets.chunks(TOGETHER) {
            let entry = |(n, ticket): (usize, &Ticket)| {
                let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(n.to_string());
                entry.receipt_handle(&ticket.receipt).visibility_timeout(seconds(time)).build()
            };
            let entries = some.iter().enumerate().map(entry).collect::<Result<_, _>>().map_err(|e| unbuilt(&e))?;
            let request = self.client.change_message_visibility_batch().queue_url(&self.url).set_entries(Some(entries));
            let answer = request.send().await.map_err(|error| Failure::of(&error))?;
            left(answer.failed(), some)?;
        }
        Ok(())
    }
}

/// What asking the queue without taking anything from it showed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Probe {
    /// None where the credentials may not ask.
    pub(super) waiting: Option<u64>,
    /// After so many receives SQS itself takes a message away.
    pub(super) receives_before_dead: Option<u64>,
}

impl Queue {
    /// Tries everything that reading needs, and changes nothing but the count of receives of one message.
    pub(super) async fn probe(&self) -> Result<Probe, QueueError> {
        let receive = self.client.receive_message().queue_url(&self.url).max_number_of_messages(1);
        receive.visibility_timeout(0).send().await.map_err(|error| Failure::of(&error))?;
        // Who may delete and keep is told that this is no receipt, and who may not, that.
        let nobody = [Ticket { id: "none".to_owned(), receipt: "none".to_owned() }];
        self.delete(&nobody).await?;
        self.keep(&nobody, Duration::ZERO).await?;
        let ask = self.client.get_queue_attributes().queue_url(&self.url);
        let ask = ask.attribute_names(QueueAttributeName::ApproximateNumberOfMessages);
        // Reading does not need it.
        let Ok(answer) = ask.attribute_names(QueueAttributeName::RedrivePolicy).send().await else {
            return Ok(Probe::default());
        };
        let of = |name| answer.attributes().and_then(|all| all.get(&name)).map(String::as_str);
        let redrive = of(QueueAttributeName::RedrivePolicy).unwrap_or_default();
        let redrive = serde_json::from_str::<serde_json::Value>(redrive).unwrap_or_default();
        Ok(Probe {
            waiting: of(QueueAttributeName::ApproximateNumberOfMessages).and_then(|count| count.parse().ok()),
            // Some write it as a text.
            receives_before_dead: redrive.get("maxReceiveCount").and_then(|count| match count {
                serde_json::Value::String(text) => text.parse().ok(),
                number => number.as_u64(),
            }),
        })
    }
}

impl Received {
    /// None without an id and a receipt, which SQS always gives.
    fn of(message: Message) -> Option<Self> {
        let receives = message.attributes.as_ref();
        let receives = receives.and_then(|all| all.get(&MessageSystemAttributeName::ApproximateReceiveCount));
        Some(Self {
            receives: receives.and_then(|count| count.parse().ok()).unwrap_or(1),
            ticket: Ticket { id: message.message_id?, receipt: message.receipt_handle? },
            body: message.body.unwrap_or_default(),
        })
    }
}

/// The ids of those entries that failed for now. What will never go differently for one message is no failure of
/// the queue; what would fail for all of them is.
fn left(failed: &[BatchResultErrorEntry], tickets: &[Ticket]) -> Result<HashSet<String>, QueueError> {
    let mut ids = HashSet::new();
    for entry in failed {
        match QueueError::of_entry(entry) {
            // The receipt is no longer good: somebody else has received the message, or it is deleted.
            QueueError::Aws(Failure::Other { .. }) if entry.sender_fault() => {
                tracing::debug!(code = %entry.code(), "A message of the queue is no longer ours.");
            }
            QueueError::Aws(failure) if failure.is_passing() => {
                let ticket = entry.id().parse().ok().and_then(|n: usize| tickets.get(n));
                ids.extend(ticket.map(|ticket| ticket.id.clone()));
            }
            error => return Err(error),
        }
    }
    Ok(ids)
}

/// A request that this program put together wrongly.
fn unbuilt(error: &BuildError) -> QueueError {
    Failure::Other { code: "nothing".to_owned(), message: error.to_string() }.into()
}

fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_queue_says_is_told_apart() {
        let of = |code: &str| QueueError::from(Failure::of_code(code.to_owned(), "m"));
        for code in
            ["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "com.amazonaws.sqs#QueueDoesNotExist"]
        {
            assert_eq!(of(code), QueueError::NoQueue, "{code}");
        }
        for code in ["OverLimit", "AWS.SimpleQueueService.OverLimit"] {
            assert!(of(code).is_passing() && matches!(of(code), QueueError::Full(_)), "{code}");
        }
        assert!(of("KmsAccessDenied").to_string().contains("kms:Decrypt"));
        assert!(matches!(of("KmsDisabled"), QueueError::Key(_)) && !of("KmsDisabled").is_passing());
        let denied = of("AccessDenied").to_string();
        let actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"];
        assert!(actions.iter().all(|action| denied.contains(action)), "{denied}");
    }

    #[test]
    fn of_a_batch_only_what_may_go_better_is_left() {
        let ticket = |id: &str| Ticket { id: id.to_owned(), receipt: "r".to_owned() };
        let tickets = [ticket("a"), ticket("b"), ticket("c")];
        let entry = |id: &str, code: &str, theirs: bool| {
            let entry = BatchResultErrorEntry::builder().id(id).code(code).sender_fault(theirs);
            entry.build().expect("all is set")
        };
        let failed = [entry("0", "ReceiptHandleIsInvalid", true), entry("2", "InternalError", false)];
        assert_eq!(left(&failed, &tickets), Ok(HashSet::from(["c".to_owned()])));
        let denied = [entry("0", "AccessDenied", true)];
        assert_eq!(left(&denied, &tickets), Err(QueueError::Denied("AccessDenied".to_owned())));
        assert_eq!(left(&[entry("99", "InternalError", false)], &tickets), Ok(HashSet::new()), "no such entry");
    }
}
