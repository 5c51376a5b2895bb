//! One bucket: listing and fetching, with errors in plain words.

use std::error::Error;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;

use crate::aws::{Failure, Place, chain};
use crate::config::source::From;

/// Why the bucket did not give what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::collect) enum S3Error {
    #[error(
        "access is denied ({0}): allow s3:ListBucket on the bucket, s3:GetObject on its objects, and kms:Decrypt if they are encrypted"
    )]
    Denied(String),
    #[error("does not exist: correct the bucket's name or the endpoint")]
    NoBucket,
    #[error("lies in another region: set region for this source to that of the bucket")]
    WrongRegion,
    #[error("was listed, but is gone")]
    Gone,
    #[error(transparent)]
    Aws(Failure),
}

impl S3Error {
    /// Whether it may go better in a while, without anybody doing anything.
    pub(in crate::collect) fn is_passing(&self) -> bool {
        matches!(self, Self::Aws(failure) if failure.is_passing())
    }

    pub(in crate::collect) fn unreachable(error: &(dyn Error + 'static)) -> Self {
        Self::Aws(Failure::Unreachable(chain(error)))
    }

    fn of<E>(error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        match Failure::of(error) {
            Failure::Denied(said) => Self::Denied(said),
            Failure::WrongRegion => Self::WrongRegion,
            Failure::Other { code, .. } if code == "NoSuchBucket" => Self::NoBucket,
            Failure::Other { code, .. } if matches!(code.as_str(), "NoSuchKey" | "404") => Self::Gone,
            other => Self::Aws(other),
        }
    }
}

/// A client, and which bucket it asks.
#[derive(Clone)]
pub(in crate::collect) struct Bucket {
    pub(in crate::collect) client: Client,
    pub(in crate::collect) name: String,
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
        Self::at(place, bucket).await
    }

    pub(in crate::collect) async fn at(place: Place<'_>, name: &str) -> Result<Self, S3Error> {
        let config = place.s3().await.map_err(|none| S3Error::Aws(none.into()))?;
        Ok(Self { client: Client::from_conf(config.build()), name: name.to_owned() })
    }

    /// Another bucket at the same place.
    pub(in crate::collect) fn named(&self, name: &str) -> Self {
        Self { client: self.client.clone(), name: name.to_owned() }
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

    pub(in crate::collect) async fn fetch(&self, key: &str) -> Result<Vec<u8>, S3Error> {
        let object = self.client.get_object().bucket(&self.name).key(key).send().await;
        let object = object.map_err(|error| S3Error::of(&error))?;
        let body = object.body.collect().await.map_err(|error| S3Error::unreachable(&error))?;
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
