//! Which prefixes of a bucket hold records or digests: one per account, region and kind.

use std::collections::BTreeSet;

use super::again::persistently;
use super::bucket::{Bucket, Listing, S3Error};
use super::keys::{self, Level};

/// What lies below the configured prefix.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// `…/CloudTrail/REGION/`
    pub(super) regions: BTreeSet<String>,
    /// Folders that could not be looked into; what lies beside them is found all the same.
    pub(super) failed: Vec<(String, S3Error)>,
}

/// Folders beside `AWSLogs/`, or without it: so many are looked into for another one.
const FOLDERS_LOOKED_INTO: usize = 50;

/// Walks down by names. An empty layout means that the keys are not laid out as CloudTrail does it.
pub(super) async fn discover(bucket: &Bucket, prefix: &str) -> Result<Layout, S3Error> {
    let mut layout = Layout::default();
    if keys::is_in_region(prefix) {
        layout.regions.insert(prefix.to_owned());
        return Ok(layout);
    }
    let root = keys::as_folder(prefix);
    let mut todo = vec![root.clone()];
    if keys::level(keys::last_folder(&root)) == Level::Other {
        todo = logs_below(bucket, &root, &mut layout).await?;
    }
    while let Some(folder) = todo.pop() {
        let at = keys::level(keys::last_folder(&folder));
        let found = match folders(bucket, &folder).await {
            Ok(found) => found,
            Err(error) if error.is_of_all() || folder == root => return Err(error),
            Err(error) => {
                layout.failed.push((folder, error));
                continue;
            }
        };
        for below in found {
            match (at, keys::level(keys::last_folder(&below))) {
                (Level::Trail, _) => drop(layout.regions.insert(below)),
                (Level::Logs, Level::Organisation | Level::Account)
                | (Level::Organisation, Level::Account)
                | (Level::Account, Level::Trail) => todo.push(below),
                _ => {}
            }
        }
    }
    Ok(layout)
}

/// `AWSLogs/` in this folder and one level down: whoever makes the one must not hide the other.
async fn logs_below(bucket: &Bucket, root: &str, layout: &mut Layout) -> Result<Vec<String>, S3Error> {
    let is_logs = |folder: &String| keys::level(keys::last_folder(folder)) == Level::Logs;
    let (mut found, others): (Vec<_>, Vec<_>) = folders(bucket, root).await?.into_iter().partition(is_logs);
    for folder in others.iter().take(FOLDERS_LOOKED_INTO) {
        match folders(bucket, folder).await {
            Ok(below) => found.extend(below.into_iter().filter(is_logs)),
            Err(error) if error.is_of_all() => return Err(error),
            Err(error) => layout.failed.push((folder.clone(), error)),
        }
    }
    if others.len() > FOLDERS_LOOKED_INTO {
        layout.failed.push((root.to_owned(), S3Error::TooManyFolders(FOLDERS_LOOKED_INTO)));
    }
    Ok(found)
}

async fn folders(bucket: &Bucket, prefix: &str) -> Result<Vec<String>, S3Error> {
    let mut found = Vec::new();
    let mut listing = Listing { prefix: prefix.to_owned(), one_level: true, ..Listing::default() };
    loop {
        let page = persistently(|| bucket.list(listing.clone())).await?;
        found.extend(page.folders);
        match page.more {
            Some(more) => listing.more = Some(more),
            None => return Ok(found),
        }
    }
}
