//! Messages that went back to the queue because what they name cannot be read now.
//!
//! Each bucket is said to fail once, as long as any of its messages waits. A message that does not come again is
//! somebody else's: of a dead-letter queue, or of nobody, because SQS keeps none for ever. That is a gap.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::envelope::Place;
use crate::collect::notice::Notice;
use crate::collect::outlet::{Closed, Outlet};

/// Messages that are remembered; of further ones the bucket's failure is all that is told.
const MESSAGES_MAX: usize = 10_000;

/// How much longer than it should take a message may stay away: other readers of the queue may have it meanwhile.
const GRACE: Duration = Duration::from_secs(3_600);

#[derive(Debug, Default)]
pub(super) struct Unread {
    messages: HashMap<String, Waiting>,
    /// Buckets that were said to fail.
    failing: BTreeSet<String>,
    /// Buckets of which an object was read since.
    read: HashSet<String>,
    last_read: Option<Instant>,
}

#[derive(Debug)]
struct Waiting {
    object: Place,
    since: Instant,
    due: Instant,
}

impl Unread {
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// An object of this bucket was read.
    pub(super) fn was_read(&mut self, bucket: &str) {
        self.last_read = Some(Instant::now());
        if !self.read.contains(bucket) {
            self.read.insert(bucket.to_owned());
        }
    }

    /// The message was dealt with.
    pub(super) fn settled(&mut self, message: &str) {
        self.messages.remove(message);
    }

    /// Others could be read since this message could not: it is the message, and not the service.
    pub(super) fn others_were_read_since(&self, message: &str) -> bool {
        let since = self.messages.get(message).map(|waiting| waiting.since);
        since.is_some_and(|since| self.last_read.is_some_and(|read| read > since))
    }

    /// The message goes back and is due again after a while; says that its bucket fails, if that is new.
    pub(super) fn wait(
        &mut self,
        message: &str,
        object: &Place,
        problem: &str,
        after: Duration,
        outlet: &mut Outlet,
    ) -> Result<(), Closed> {
        let (since, object) = (Instant::now(), object.clone());
        let bucket = object.bucket.clone();
        if self.messages.len() < MESSAGES_MAX || self.messages.contains_key(message) {
            self.messages.insert(message.to_owned(), Waiting { object, since, due: since + after });
        }
        if self.failing.insert(bucket.clone()) {
            self.read.remove(&bucket);
            outlet.failed(&format!("s3://{bucket}"), problem)?;
        }
        Ok(())
    }

    /// Says what does not fail any more, and which messages will not come again.
    pub(super) fn tidy(&mut self, outlet: &mut Outlet) -> Result<(), Closed> {
        let now = Instant::now();
        let away: Vec<String> =
            self.messages.iter().filter(|(_, at)| at.due + GRACE < now).map(|(id, _)| id.clone()).collect();
        for id in away {
            let Some(Waiting { object, .. }) = self.messages.remove(&id) else { continue };
            let origin = format!("s3://{}/{}", object.bucket, object.key);
            let problem = "could not be read, and the message that named it did not come again: its records are missing \
                           unless somebody else has read them; look into the dead-letter queue, or feed the object to \
                           whodid ingest";
            let notice = Notice::gap(outlet.source(), &origin, problem);
            outlet.say_once(notice, &[origin.as_bytes(), id.as_bytes()])?;
        }
        for bucket in std::mem::take(&mut self.read) {
            match self.messages.values().any(|waiting| waiting.object.bucket == bucket) {
                true => drop(self.read.insert(bucket)),
                false => {
                    self.failing.remove(&bucket);
                    outlet.works(&format!("s3://{bucket}"))?;
                }
            }
        }
        Ok(())
    }
}
