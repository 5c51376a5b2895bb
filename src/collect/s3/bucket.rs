//! One bucket: listing and fetching, with errors in plain words.

use std::error::Error;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;

use crate::aws::{Failure, NoRegion, Place, chain};
use crate::config::source::From;

/// Why the bucket did not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum S3Error {
    #[error(
        "access is denied ({0}): allow s3:ListBucket on the bucket, s3:GetObject on its objects, and kms:Decrypt if they are encrypted"
    )]
    Denied(String),
    #[error("does not exist: correct the bucket's name or the endpoint")]
    NoBucket,
    #[error("no AWS credentials were found: give them as for the AWS CLI (environment, ~/.aws, or the machine's role)")]
    NoCredentials,
    #[error("the AWS credentials are not accepted ({0}): renew them")]
    BadCredentials(String),
    #[error("no AWS region is known: set region for this source")]
    NoRegion,
    #[error("lies in another region: set region for this source to that of the bucket")]
    WrongRegion,
    #[error("asks to slow down ({0}): it is tried again")]
    Throttled(String),
    #[error("cannot be reached, and is tried again: {0}")]
    Unreachable(String),
    #[error("was listed, but is gone")]
    Gone,
    #[error("answered {code}: {message}")]
    Other { code: String, message: String },
}

impl S3Error {
    /// Whether it may go better in a while, without anybody doing anything.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Throttled(_) | Self::Unreachable(_) => true,
            Self::Other { code, .. } => {
                matches!(code.as_str(), "InternalError" | "ServiceUnavailable" | "500" | "502" | "504")
            }
            _ => false,
        }
    }

    fn of<E>(error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match Failure::of(error) {
            Failure::Denied(said) => Self::Denied(said),
            Failure::NoCredentials => Self::NoCredentials,
            Failure::BadCredentials(code) => Self::BadCredentials(code),
            Failure::NoRegion => Self::NoRegion,
            Failure::WrongRegion => Self::WrongRegion,
            Failure::Throttled(code) => Self::Throttled(code),
            Failure::Unreachable(text) => Self::Unreachable(text),
            Failure::Other { code, message } => match code.as_str() {
                "NoSuchBucket" => Self::NoBucket,
                "NoSuchKey" | "404" => Self::Gone,
                _ => Self::Other { code, message },
            },
        }
    }
}

/// A client, and which bucket it asks.
#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) client: Client,
    pub(super) name: String,
}

/// An object as a listing has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) key: String,
    pub(super) bytes: u64,
    /// Changes with the content.
    pub(super) tag: String,
}

/// One answer of a listing.
pub(super) struct Page {
    pub(super) objects: Vec<Listed>,
    pub(super) folders: Vec<String>,
    /// How to ask for the next one.
    pub(super) more: Option<String>,
}

/// What to list.
#[derive(Clone, Default)]
pub(super) struct Listing {
    pub(super) prefix: String,
    pub(super) start_after: Option<String>,
    /// Only one level: what lies deeper is given as folders.
    pub(super) one_level: bool,
    pub(super) more: Option<String>,
}

impl Bucket {
    /// With the credentials of the normal chain.
    pub(super) async fn open(from: &From) -> Result<Self, S3Error> {
        let From::S3 { bucket, region, endpoint, path_style, .. } = from else { return Err(S3Error::NoBucket) };
        let place = Place { region: region.as_deref(), endpoint: endpoint.as_deref(), path_style: *path_style };
        let config = place.s3().await.map_err(|NoRegion| S3Error::NoRegion)?;
        Ok(Self { client: Client::from_conf(config.build()), name: bucket.clone() })
    }

    pub(super) async fn list(&self, listing: Listing) -> Result<Page, S3Error> {
        let Listing { prefix, start_after, one_level, more } = listing;
        let request = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let request = request.set_start_after(start_after).set_continuation_token(more);
        let request = request.set_delimiter(one_level.then(|| "/".to_owned()));
        match request.send().await {
            Ok(page) => Ok(Page::of(page)),
            // A listing that is not found is a bucket that is not there, whatever the service calls it.
            Err(error) => Err(match S3Error::of(&error) {
                S3Error::Gone => S3Error::NoBucket,
                other => other,
            }),
        }
    }

    pub(super) async fn fetch(&self, key: &str) -> Result<Vec<u8>, S3Error> {
        let object = self.client.get_object().bucket(&self.name).key(key).send().await;
        let object = object.map_err(|error| S3Error::of(&error))?;
        let body = object.body.collect().await.map_err(|error| S3Error::Unreachable(chain(&error)))?;
        Ok(body.to_vec())
    }
}

impl Page {
    fn of(page: ListObjectsV2Output) -> Self {
        let more = page.next_continuation_token().filter(|_| page.is_truncated() == Some(true)).map(str::to_owned);
        let folders = page.common_prefixes().iter().filter_map(|f| f.prefix()).map(str::to_owned).collect();
        let objects = page.contents().iter().filter_map(|object| {
            let bytes = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
            let tag = object.e_tag().unwrap_or_default().to_owned();
            object.key().map(|key| Listed { key: key.to_owned(), bytes, tag })
        });
        Self { objects: objects.collect(), folders, more }
    }
}
