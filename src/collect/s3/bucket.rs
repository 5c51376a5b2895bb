//! One bucket: listing and fetching, with errors in plain words.

use std::error::Error;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::EncodingType;

use super::keys::url_decoded;
use crate::aws::{Failure, Place, chain};
use crate::config::source;

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
    #[error("changed while it was read: it is read again")]
    Changed,
    #[error("broke off after {0} bytes, again and again: it is tried again")]
    BrokeOff(u64),
    #[error("is longer than {0} bytes, which no CloudTrail object is: it was not read")]
    TooLong(u64),
    #[error("has more than {0} folders, and no others were looked into for AWSLogs/: set prefix for this source")]
    TooManyFolders(usize),
    #[error(transparent)]
    Aws(Failure),
}

impl S3Error {
    /// Whether it may go better in a while, without anybody doing anything.
    pub(in crate::collect) fn is_passing(&self) -> bool {
        matches!(self, Self::Aws(failure) if failure.is_passing())
    }

    /// Whether everything else in the bucket fails with it, and not only one prefix or object.
    pub(super) fn is_of_all(&self) -> bool {
        match self {
            Self::NoBucket | Self::WrongRegion => true,
            Self::Aws(failure) => matches!(
                failure,
                Failure::NoCredentials
                    | Failure::BadCredentials(_)
                    | Failure::WrongClock(_)
                    | Failure::NoRegion
                    | Failure::WrongRegion
                    | Failure::Unreachable(_)
            ),
            _ => false,
        }
    }

    pub(super) fn is_throttling(&self) -> bool {
        matches!(self, Self::Aws(Failure::Throttled(_)))
    }

    pub(in crate::collect) fn unreachable(error: &(dyn Error + 'static)) -> Self {
        Self::Aws(Failure::Unreachable(chain(error)))
    }
}

impl From<Failure> for S3Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Denied(said) => Self::Denied(said),
            Failure::WrongRegion => Self::WrongRegion,
            Failure::Other { code, .. } if code == "NoSuchBucket" => Self::NoBucket,
            Failure::Other { code, .. } if matches!(code.as_str(), "NoSuchKey" | "404") => Self::Gone,
            Failure::Other { code, .. } if matches!(code.as_str(), "PreconditionFailed" | "412") => Self::Changed,
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
    pub(super) async fn open(from: &source::From) -> Result<Self, S3Error> {
        let source::From::S3 { bucket, region, endpoint, path_style, .. } = from else { return Err(S3Error::NoBucket) };
        let place = Place { region: region.as_deref(), endpoint: endpoint.as_deref(), path_style: *path_style };
        Self::at(place, bucket).await
    }

    pub(in crate::collect) async fn at(place: Place<'_>, name: &str) -> Result<Self, S3Error> {
        let config = place.s3().await.map_err(Failure::from)?;
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
        // XML has no place for control characters, and anybody who may write to the bucket may put them into a key.
        let request = request.encoding_type(EncodingType::Url);
        match request.send().await {
            Ok(page) => Page::of(page),
            // A listing that is not found is a bucket that is not there, whatever the service calls it.
            Err(error) => Err(match S3Error::from(Failure::of(&error)) {
                S3Error::Gone => S3Error::NoBucket,
                other => other,
            }),
        }
    }

    /// An object from an offset on; beyond its beginning only as long as it is the same (`tag`).
    pub(super) async fn get(&self, key: &str, offset: u64, tag: Option<&str>) -> Result<GetObjectOutput, S3Error> {
        let request = self.client.get_object().bucket(&self.name).key(key);
        let request = match offset {
            0 => request,
            offset => request.range(format!("bytes={offset}-")).set_if_match(tag.map(str::to_owned)),
        };
        Ok(request.send().await.map_err(|error| Failure::of(&error))?)
    }
}

impl Page {
    fn of(page: ListObjectsV2Output) -> Result<Self, S3Error> {
        // Some servers do not know of it, and say nothing.
        let is_encoded = page.encoding_type() == Some(&EncodingType::Url);
        // What is not written so is not encoded, whatever the server says.
        let decoded = |name: &str| url_decoded(name).filter(|_| is_encoded).unwrap_or_else(|| name.to_owned());
        let more = page.next_continuation_token().filter(|_| page.is_truncated() == Some(true)).map(str::to_owned);
        // Taken for the end, it would hide all that follows.
        if more.is_none() && page.is_truncated() == Some(true) {
            let message = "a part of a listing, and not how to ask for the next one (NextContinuationToken)".to_owned();
            return Err(S3Error::Aws(Failure::Other { code: "200".to_owned(), message }));
        }
        let folders = page.common_prefixes().iter().filter_map(|folder| folder.prefix()).map(decoded).collect();
        let objects = page.contents().iter().filter_map(|object| {
            let bytes = object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or(0);
            let tag = object.e_tag().unwrap_or_default().to_owned();
            object.key().map(|key| Listed { key: decoded(key), bytes, tag })
        });
        Ok(Self { objects: objects.collect(), folders, more })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_that_goes_on_says_how_or_is_none() {
        let page = |is_truncated: bool, token: Option<&str>| {
            let page = ListObjectsV2Output::builder().is_truncated(is_truncated);
            Page::of(page.set_next_continuation_token(token.map(str::to_owned)).build()).map(|page| page.more)
        };
        assert_eq!(page(true, Some("t")), Ok(Some("t".to_owned())));
        assert_eq!(page(false, None), Ok(None));
        assert!(page(true, None).is_err_and(|error| !error.is_passing()));
    }

    #[test]
    fn a_refusal_is_no_delay() {
        let of = |code: &str| S3Error::from(Failure::of_code(code.to_owned(), "m"));
        for code in ["AccessDenied", "AllAccessDisabled", "403"] {
            assert!(of(code).to_string().starts_with("access is denied") && !of(code).is_passing(), "{code}");
        }
        for code in ["SlowDown", "503", "InternalError", "500"] {
            assert!(of(code).is_passing() && !of(code).is_of_all(), "{code}");
        }
        for code in ["NoSuchBucket", "InvalidAccessKeyId", "ExpiredToken", "PermanentRedirect"] {
            assert!(!of(code).is_passing() && of(code).is_of_all(), "{code}");
        }
        assert_eq!(
            (of("NoSuchKey"), of("412"), of("PreconditionFailed")),
            (S3Error::Gone, S3Error::Changed, S3Error::Changed)
        );
    }
}
