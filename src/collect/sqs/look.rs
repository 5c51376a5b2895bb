//! Whether a queue and what it names can be read, for `whodid doctor`: which permission lacks?

use std::time::Duration;

use super::objects::Objects;
use super::queue::Queue;
use crate::collect::s3::look_into;
use crate::config::source::Queue as Configured;

/// What each of the queue and its buckets says: how it is, or what is wrong and what to do. At most one message is
/// received, and given back at once.
pub async fn look(configured: &Configured) -> Vec<Result<String, String>> {
    let url = &configured.url;
    let of_queue = match Queue::open(configured, Duration::ZERO).await {
        Ok(queue) => queue.probe().await,
        Err(error) => Err(error),
    };
    let waiting = |waiting: Option<u64>| waiting.map_or(String::new(), |waiting| format!(", {waiting} messages wait"));
    let mut found = vec![match of_queue {
        Ok(probe) => match probe.receives_before_dead {
            Some(most) if most <= configured.receives_max => Err(format!(
                "{url} gives a message to its dead-letter queue after {most} receives, before it is set aside here: \
                 raise maxReceiveCount far above receives_max ({})",
                configured.receives_max
            )),
            _ => Ok(format!("{url} can be read{}", waiting(probe.waiting))),
        },
        Err(error) => Err(format!("{url} {error}")),
    }];
    match Objects::open(configured).await {
        Ok(objects) => {
            for bucket in &configured.buckets {
                found.push(look_into(&objects.of(bucket), "").await);
            }
        }
        Err(error) => found.push(Err(format!("{url} {error}"))),
    }
    found
}
