//! A client of AWS as this machine is set up, and its errors in words.
//!
//! Which service is asked for what, and what an error means there, is the business of the rooms that ask.

mod backoff;
mod bounded;
pub mod cloudtrail;
#[cfg(test)]
pub mod cloudtrail_fake;
mod failure;
#[cfg(test)]
pub mod fault;
#[cfg(test)]
pub mod moto;
mod pace;
mod sign;

use std::error::Error;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::timeout::TimeoutConfig;

pub use backoff::full_jitter;
pub use failure::Failure;
pub use sign::{Signable, Signer};

/// How long S3 may take for a listing, or for the head of an object. An object's bytes come behind that: the SDK ends
/// an attempt when a streaming answer's head is read, and its stalled stream protection watches what follows.
const S3_ATTEMPT_MAX: Duration = Duration::from_secs(60);

/// Where a service is.
#[derive(Debug, Clone, Copy)]
pub struct Place<'p> {
    /// None: that of the AWS configuration.
    pub region: Option<&'p str>,
    /// Of another service that speaks the same.
    pub endpoint: Option<&'p str>,
    /// `endpoint/bucket/key`
    pub path_style: bool,
}

/// Neither the place nor the AWS configuration names a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRegion;

impl Place<'_> {
    /// What a client of S3 is made of, with the credentials of the normal chain.
    pub async fn s3(self) -> Result<Builder, NoRegion> {
        let (shared, region) = self.shared().await?;
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(S3_ATTEMPT_MAX).build();
        let config = Builder::from(&shared).force_path_style(self.path_style).region(region).timeout_config(timeouts);
        Ok(match self.endpoint {
            Some(endpoint) => config.endpoint_url(endpoint),
            None => config,
        })
    }

    /// The same of SQS.
    pub async fn sqs(self) -> Result<aws_sdk_sqs::config::Builder, NoRegion> {
        let (shared, region) = self.shared().await?;
        let config = aws_sdk_sqs::config::Builder::from(&shared).region(region);
        Ok(match self.endpoint {
            Some(endpoint) => config.endpoint_url(endpoint),
            None => config,
        })
    }

    /// What the environment, the profile and the machine say, and the region to ask.
    async fn shared(self) -> Result<(SdkConfig, Region), NoRegion> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(region) = self.region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        let shared = loader.load().await;
        let region = match (shared.region(), self.endpoint) {
            (Some(region), _) => region.clone(),
            // Other services that speak the same have no regions, but the signature has a place for one.
            (None, Some(_)) => Region::from_static("us-east-1"),
            (None, None) => return Err(NoRegion),
        };
        Ok((shared, region))
    }
}

/// An error with all its causes, the last of which usually says it.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

/// Whether such a text speaks of credentials that were not found: before there is an answer the SDK says so in
/// words only.
pub fn is_about_credentials(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    lower.contains("credential") || lower.contains("identity")
}
