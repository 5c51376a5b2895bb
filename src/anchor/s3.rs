//! One object for each checkpoint, named by its size, never overwritten.
//!
//! ```text
//! <prefix><trail id>/<size, 20 digits>      the note
//! ```
//!
//! `If-None-Match: *` makes the name the first writer's; Object Lock, where it is asked for, keeps the object from
//! everybody. It needs s3:PutObject and nothing else: only where an object of that name is there already does it
//! look whether it is the same, for which it needs s3:GetObject.

use std::error::Error;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::ObjectLockMode;

use super::{AnchorError, Probe, Signed};
use crate::aws::{self, NoRegion, Place, chain};
use crate::config::anchor::{Bucket, Lock, LockMode};
use crate::event::Stamp;
use crate::trail::checkpoint::{self, Checkpoint};

/// One request, with its connection.
const REQUEST_MAX: Duration = Duration::from_secs(20);

const SECONDS_PER_DAY: u64 = 86_400;

#[derive(Debug)]
pub(super) struct Store {
    bucket: Bucket,
    client: Option<Client>,
    /// An object that was sent, and nobody said whether it was taken.
    unanswered: Option<String>,
}

impl Store {
    pub(super) fn new(bucket: &Bucket) -> Self {
        Self { bucket: bucket.clone(), client: None, unanswered: None }
    }

    pub(super) async fn send(&mut self, signed: &Signed) -> Result<(), AnchorError> {
        let client = self.client().await?;
        let key = key(&self.bucket.prefix, &signed.checkpoint);
        let mut put = client.put_object().bucket(&self.bucket.bucket).key(&key).if_none_match("*");
        put = put.content_type("text/plain; charset=utf-8").body(ByteStream::from(signed.note.as_bytes().to_vec()));
        if let Some(lock) = self.bucket.lock {
            put = put.object_lock_mode(mode(lock)).object_lock_retain_until_date(until(lock, signed.at));
        }
        let was_unanswered = self.unanswered.replace(key.clone()).is_some_and(|before| before == key);
        let outcome = match put.send().await {
            Ok(_) => Ok(()),
            Err(error) if status(&error) == Some(412) => self.compare(&client, &key, signed, was_unanswered).await,
            Err(error) if matches!(error, SdkError::ServiceError(_)) => Err(refused(&error)),
            // It stays unanswered.
            Err(error) => return Err(refused(&error)),
        };
        self.unanswered = None;
        outcome
    }

    /// An object of this name is there: ours, sent before, or somebody else's.
    async fn compare(
        &self,
        client: &Client,
        key: &str,
        signed: &Signed,
        was_unanswered: bool,
    ) -> Result<(), AnchorError> {
        let name = || format!("s3://{}/{key}", self.bucket.bucket);
        let body = match client.get_object().bucket(&self.bucket.bucket).key(key).send().await {
            Ok(object) => object.body,
            // Nobody may look, but it was on its way.
            Err(error) if status(&error) == Some(403) && was_unanswered => return Ok(()),
            Err(error) if status(&error) == Some(403) => return Err(AnchorError::Unreadable(name())),
            Err(error) => return Err(refused(&error)),
        };
        let there = read(body).await?;
        match Checkpoint::parse_note(&there) {
            Ok((there, _)) if there == signed.checkpoint => Ok(()),
            _ => Err(AnchorError::Other(name())),
        }
    }

    /// Nothing is written for a probe, so whether that is allowed shows with the first checkpoint.
    pub(super) async fn probe(&mut self) -> Result<Probe, AnchorError> {
        let client = self.client().await?;
        match client.head_bucket().bucket(&self.bucket.bucket).send().await {
            Ok(_) => Ok(Probe::Partly(
                "it can be reached; whether it may be written shows with the first checkpoint".to_owned(),
            )),
            Err(error) if status(&error) == Some(403) => Ok(Probe::Partly(
                "it answers that it may not be listed, and need not; whether it may be written shows with the first \
                 checkpoint"
                    .to_owned(),
            )),
            Err(error) if status(&error) == Some(404) => Err(AnchorError::NoBucket),
            Err(error) => Err(refused(&error)),
        }
    }

    /// With the credentials of the normal chain.
    async fn client(&mut self) -> Result<Client, AnchorError> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        let Bucket { region, endpoint, path_style, .. } = &self.bucket;
        let place = Place { region: region.as_deref(), endpoint: endpoint.as_deref(), path_style: *path_style };
        let config = place.s3().await.map_err(|NoRegion| AnchorError::NoRegion)?;
        let config = config
            // Who tries again is the worker: what it sends then may be newer.
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(REQUEST_MAX).build());
        Ok(self.client.insert(Client::from_conf(config.build())).clone())
    }
}

fn key(prefix: &str, checkpoint: &Checkpoint) -> String {
    let id = checkpoint.origin.rsplit('/').next().unwrap_or_default();
    format!("{prefix}{id}/{:020}", checkpoint.size)
}

fn mode(lock: Lock) -> ObjectLockMode {
    match lock.mode {
        LockMode::Governance => ObjectLockMode::Governance,
        LockMode::Compliance => ObjectLockMode::Compliance,
    }
}

fn until(lock: Lock, now: Stamp) -> DateTime {
    let seconds = i64::try_from(lock.days.saturating_mul(SECONDS_PER_DAY)).unwrap_or(i64::MAX);
    DateTime::from_secs(now.instant().timestamp().saturating_add(seconds))
}

/// No more than a checkpoint has.
async fn read(mut body: ByteStream) -> Result<Vec<u8>, AnchorError> {
    let mut there = Vec::new();
    while (there.len() as u64) < checkpoint::BYTES_MAX {
        match body.next().await {
            Some(Ok(bytes)) => there.extend_from_slice(&bytes),
            Some(Err(error)) => return Err(AnchorError::Io(chain(&error))),
            None => break,
        }
    }
    Ok(there)
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

fn refused<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E>) -> AnchorError {
    let (Some(status), SdkError::ServiceError(answer)) = (status(error), error) else {
        return unanswered(&chain(error));
    };
    let code = answer.err().code().map_or_else(|| status.to_string(), str::to_owned);
    match (code.as_str(), status) {
        ("NoSuchBucket", _) => AnchorError::NoBucket,
        (_, 301 | 307) => AnchorError::WrongRegion,
        (_, 401 | 403) => AnchorError::Denied(code),
        _ => AnchorError::Answered { code, message: answer.err().message().unwrap_or("no reason given").to_owned() },
    }
}

/// What went wrong before there was an answer.
fn unanswered(text: &str) -> AnchorError {
    match aws::is_about_credentials(text) {
        true => AnchorError::NoCredentials,
        false => AnchorError::Io(text.to_owned()),
    }
}

#[cfg(test)]
mod moto;
#[cfg(test)]
mod tests;
