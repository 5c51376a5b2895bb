//! What is done with some messages: their objects are read, and each message is settled.

use std::time::Duration;

use serde_json::json;
use tokio::sync::oneshot;

use super::envelope::{self, Place, Unclear};
use super::objects::Ahead;
use super::queue::Received;
use super::{Halt, Refused, Sqs};
use crate::aws::Failure;
use crate::collect::Mode;
use crate::collect::notice::Notice;
use crate::collect::object::{self, About, Ended};
use crate::collect::outlet::{Closed, Outlet};
use crate::collect::s3::bucket::S3Error;
use crate::collect::s3::keys::{self, Level};
use crate::collect::s3::stream::Body;
use crate::collect::wire;

/// So many objects in a row that cannot be read for a passing reason are a failure of the service.
const FAILURES_IN_A_ROW: u32 = 3;

/// A message, and what it led to so far.
struct Work {
    message: Received,
    objects: Vec<Place>,
    /// A bucket that is none of ours.
    foreign: Option<String>,
    unclear: Option<Unclear>,
    gone: Vec<Place>,
    failed: Vec<(Place, S3Error)>,
}

impl Sqs<'_> {
    /// Reads what the messages name. What is pushed to `durable` is to be told when the events so far are durable.
    pub(super) fn work(
        &mut self,
        messages: Vec<Received>,
        durable: &mut Vec<oneshot::Sender<()>>,
        outlet: &mut Outlet,
    ) -> Result<(), Halt> {
        let works: Vec<Work> = messages.into_iter().map(|message| self.understood(message)).collect();
        let todo = works.iter().flat_map(|work| work.objects.iter().cloned()).collect();
        let mut ahead = self.objects.ahead(todo, &self.wire);
        let mut works = works.into_iter();
        let mut row = 0;
        while let Some(mut work) = works.next() {
            let halted = match self.read(&mut work, &mut ahead, &mut row, outlet) {
                Ok(()) => {
                    let failed = work.failed.last().cloned();
                    self.settle(work, durable, outlet)?;
                    match failed {
                        Some((place, error)) if row >= FAILURES_IN_A_ROW => halt(&place, &error),
                        _ => continue,
                    }
                }
                Err(halt @ Halt::Failed(_)) => {
                    self.back(&work.message);
                    halt
                }
                Err(halt) => return Err(halt),
            };
            works.for_each(|work| self.back(&work.message));
            return Err(halted);
        }
        Ok(())
    }

    /// What a message says, with what is passed over counted.
    fn understood(&mut self, message: Received) -> Work {
        let mut work =
            Work { message, objects: Vec::new(), foreign: None, unclear: None, gone: Vec::new(), failed: Vec::new() };
        let told = match envelope::read(&work.message.body) {
            Ok(told) => told,
            Err(unclear) => {
                work.unclear = Some(unclear);
                return work;
            }
        };
        self.pass("tests of the way here", usize::from(told.is_test));
        self.pass("happenings that bring no object", told.others);
        for object in told.objects {
            if !self.configured.buckets.contains(&object.bucket) {
                self.pass("objects of other buckets", 1);
                work.foreign.get_or_insert(object.bucket);
            } else if !is_delivered(&object.key) {
                self.pass("objects that are none of CloudTrail's", 1);
            } else {
                work.objects.push(object);
            }
        }
        work
    }

    fn pass(&mut self, what: &'static str, count: usize) {
        if count > 0 {
            *self.passed.entry(what).or_default() += count as u64;
        }
    }

    /// Reads the objects of one message. `row`: how many could not be read since one could.
    fn read(&mut self, work: &mut Work, ahead: &mut Ahead, row: &mut u32, outlet: &mut Outlet) -> Result<(), Halt> {
        for place in std::mem::take(&mut work.objects) {
            let Some(mut body) = ahead.next() else { return Err(Halt::Told) };
            let failed = match self.decode(&place, &mut body, outlet)? {
                Ok(()) => {
                    self.unread.was_read(&place.bucket);
                    *row = 0;
                    continue;
                }
                Err(S3Error::Gone) => {
                    work.gone.push(place);
                    continue;
                }
                Err(error) => error,
            };
            // No other object would be given either.
            if let S3Error::Aws(
                Failure::Throttled(_)
                | Failure::NoCredentials
                | Failure::BadCredentials(_)
                | Failure::WrongClock(_)
                | Failure::NoRegion,
            ) = &failed
            {
                return Err(halt(&place, &failed));
            }
            *row += u32::from(failed.is_passing());
            work.failed.push((place, failed));
        }
        Ok(())
    }

    /// Reads one object to its end as it comes, whatever its length.
    fn decode(&self, place: &Place, body: &mut Body, outlet: &mut Outlet) -> Result<Result<(), S3Error>, Halt> {
        let origin = place.address();
        let head = match body.head() {
            Ok(head) => head,
            Err(halt) => return stopped(halt).map(Err),
        };
        let about = About { origin: &origin, signature: head.signature.as_deref() };
        let ended = object::read(&mut *body, about, self.setting, outlet, |_| !self.wire.is_over())?;
        match ended {
            Ended::Read => Ok(Ok(())),
            Ended::Stopped => Err(Halt::Told),
            Ended::Broken(_) => stopped(body.failure()).map(Err),
        }
    }

    /// The message is deleted when what it led to is durable, or goes back.
    fn settle(
        &mut self,
        work: Work,
        durable: &mut Vec<oneshot::Sender<()>>,
        outlet: &mut Outlet,
    ) -> Result<(), Closed> {
        let Work { message, foreign, unclear, gone, failed, .. } = work;
        if !failed.iter().all(|(_, error)| self.is_hopeless(&message, error))
            && let Some((place, error)) = failed.last()
        {
            return self.wait_for(&message, place, error, outlet);
        }
        let url = &self.configured.url;
        let gap = |what: &str, named: Vec<&Place>| {
            let origin = named.first().map(|place| place.address()).unwrap_or_default();
            let others = named.len().saturating_sub(1);
            let others =
                if others > 0 { format!(", and {others} more that the same message names") } else { String::new() };
            let notice = Notice::gap(outlet.source(), &origin, &format!("{what}{others}"));
            (origin, notice)
        };
        let mut said = Vec::new();
        let mut reasons: Vec<String> = unclear.map(|unclear| unclear.to_string()).into_iter().collect();
        if !gone.is_empty() {
            let (origin, notice) = gap("was named by a message of the queue, but is gone", gone.iter().collect());
            reasons.push(format!("names {origin}, which is gone"));
            said.push((origin, notice));
        }
        if let Some((_, error)) = failed.first() {
            let what =
                format!("could not be read in {} receives of the message that names it: {error}", message.receives);
            let (origin, notice) = gap(&what, failed.iter().map(|(place, _)| place).collect());
            reasons.push(format!("names {origin}, which {what}"));
            said.push((origin, notice));
        }
        let id = message.ticket.id.as_str();
        // One message may lead to two gaps: each is said.
        for (origin, notice) in said {
            outlet.say_once(notice, &[id.as_bytes(), origin.as_bytes()])?;
        }
        if !reasons.is_empty() {
            let reason = reasons.join(", and ");
            let notice = Notice::set_aside(outlet.source(), url, &reason).fact("message", json!(id));
            let key = [id.as_bytes(), url.as_bytes()];
            outlet.say_once(notice.keep(message.body.clone().into_bytes()), &key)?;
            outlet.note_read(url, 0, 0, 0, Some(&format!("a message was set aside: it {reason}")));
        }
        if let Some(bucket) = foreign {
            let reason = format!("names the bucket {bucket}, which `buckets` does not list: nothing is read from it");
            let notice = Notice::set_aside(outlet.source(), url, &reason).fact("message", json!(id));
            // Once for each bucket: it may be in use for much else.
            outlet.say_once(notice.keep(message.body.into_bytes()), &[b"bucket", bucket.as_bytes()])?;
        }
        self.unread.settled(id);
        let (tell, told) = oneshot::channel();
        self.wire.see_through(self.keeper.delete(id, told));
        durable.push(tell);
        Ok(())
    }

    /// What the object says will not change, or only this message's objects cannot be read.
    fn is_hopeless(&self, message: &Received, error: &S3Error) -> bool {
        let is_up = message.receives >= self.configured.receives_max;
        match error {
            S3Error::Aws(failure) if failure.is_passing() => {
                is_up && self.unread.others_were_read_since(&message.ticket.id)
            }
            S3Error::Aws(_) | S3Error::Changed | S3Error::BrokeOff(_) => is_up,
            S3Error::TooLong(_) => true,
            // Somebody has to allow or correct something: the message waits for that.
            _ => false,
        }
    }

    /// The message goes back, to come again after a while.
    fn wait_for(
        &mut self,
        message: &Received,
        place: &Place,
        error: &S3Error,
        outlet: &mut Outlet,
    ) -> Result<(), Closed> {
        let (id, problem) = (message.ticket.id.as_str(), error.to_string());
        outlet.note_read(&place.address(), 0, 0, 0, Some(&problem));
        let after = self.pace.away(message.receives);
        self.unread.wait(id, place, &problem, after, outlet)?;
        // A run that ends keeps it until then: it would come back to the same run.
        if self.mode == Mode::Follow {
            self.wire.see_through(self.keeper.give_back(id, after));
        }
        Ok(())
    }

    /// Nothing was found out about this message.
    fn back(&self, message: &Received) {
        let after = if self.mode == Mode::Follow { self.pace.away(1) } else { Duration::ZERO };
        self.wire.see_through(self.keeper.give_back(&message.ticket.id, after));
    }
}

/// What the bucket said, unless it is time to stop.
fn stopped(halt: wire::Halt<S3Error>) -> Result<S3Error, Halt> {
    match halt {
        wire::Halt::Failed(error) => Ok(error),
        wire::Halt::Told => Err(Halt::Told),
        wire::Halt::Closed(closed) => Err(Halt::Closed(closed)),
    }
}

fn halt(place: &Place, error: &S3Error) -> Halt {
    let origin = format!("s3://{}", place.bucket);
    Halt::Failed(Refused { origin, problem: error.to_string(), is_passing: error.is_passing() })
}

/// What CloudTrail delivers: below `AWSLogs/` only its own folders, since Config and others write there too.
fn is_delivered(key: &str) -> bool {
    let mut folders = key.split('/').skip_while(|folder| *folder != "AWSLogs").skip(1);
    let kind = folders.find(|folder| !matches!(keys::level(folder), Level::Organisation | Level::Account));
    keys::is_object(key) && kind.is_none_or(|kind| kind.starts_with("CloudTrail"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cloudtrail_delivers_is_read() {
        for key in [
            "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/20/x.json.gz",
            "audit/AWSLogs/o-1a/111122223333/CloudTrail/eu-west-1/2026/11/20/x.json.gz",
            "AWSLogs/111122223333/CloudTrail-Insight/eu-west-1/2026/11/20/x.json.gz",
            "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/11/20/x.json.gz",
            "export/part-1.json",
        ] {
            assert!(is_delivered(key), "{key}");
        }
        for key in [
            "AWSLogs/111122223333/Config/eu-west-1/2026/11/20/ConfigHistory/x.json.gz",
            "AWSLogs/111122223333/elasticloadbalancing/eu-west-1/x.log.gz",
            "AWSLogs/111122223333/CloudTrail/",
            "AWSLogs/aws-account=111122223333/x.parquet",
            "notes.txt",
            "",
        ] {
            assert!(!is_delivered(key), "{key}");
        }
    }
}
