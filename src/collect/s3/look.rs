//! Whether a bucket can be listed and read, for `whodid doctor`.

use super::bucket::{Bucket, Listing, S3Error};
use super::keys;
use crate::aws::Failure;
use crate::config::source::From;

/// What a source's bucket says: how it is, or what is wrong and what to do.
pub async fn look(from: &From) -> Result<String, String> {
    let From::S3 { bucket, prefix, .. } = from else { return Err("is no bucket".to_owned()) };
    match Bucket::open(from).await {
        Ok(bucket) => look_into(&bucket, prefix).await,
        Err(error) => Err(format!("s3://{bucket} {error}")),
    }
}

/// Lists the first objects, and asks for the first byte of one.
pub(in crate::collect) async fn look_into(bucket: &Bucket, prefix: &str) -> Result<String, String> {
    let place = format!("s3://{}/{prefix}", bucket.name);
    let listing = Listing { prefix: prefix.to_owned(), ..Listing::default() };
    let page = bucket.list(listing).await.map_err(|error| format!("{place} {error}"))?;
    let Some(object) = page.objects.iter().find(|object| keys::is_object(&object.key) && object.bytes > 0) else {
        return Ok(format!("{place} can be listed; nothing of CloudTrail's is among the first objects"));
    };
    let first = bucket.client.get_object().bucket(&bucket.name).key(&object.key).range("bytes=0-0").send().await;
    match first.map_err(|error| Failure::of(&error)) {
        Ok(_) => Ok(format!("{place} can be listed and read")),
        Err(Failure::Denied(said)) => Err(format!("s3://{}/{} {}", bucket.name, object.key, S3Error::Denied(said))),
        Err(failure) => Err(format!("s3://{}/{} {failure}", bucket.name, object.key)),
    }
}
