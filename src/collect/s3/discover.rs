//! Which prefixes of a bucket hold records: one per account and region.

use super::bucket::{Bucket, Listing, S3Error};
use super::keys::{self, Level};

/// What lies below the configured prefix.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// `…/CloudTrail/REGION/`, in the order of names.
    pub(super) regions: Vec<String>,
    /// Folders that hold something else, and what.
    pub(super) skipped: Vec<(String, &'static str)>,
}

/// Without `AWSLogs/` at once, so many folders are looked into for it.
const FOLDERS_LOOKED_INTO: usize = 50;

/// Walks down by names. An empty layout means that the keys are not laid out as CloudTrail does it.
pub(super) async fn discover(bucket: &Bucket, prefix: &str) -> Result<Layout, S3Error> {
    if keys::is_in_region(prefix) {
        return Ok(Layout { regions: vec![prefix.to_owned()], skipped: Vec::new() });
    }
    let root = keys::as_folder(prefix);
    let mut layout = Layout::default();
    let mut todo = vec![root.clone()];
    if keys::level(keys::last_folder(&root)) == Level::Other {
        todo = logs_below(bucket, &root).await?;
    }
    while let Some(folder) = todo.pop() {
        let at = keys::level(keys::last_folder(&folder));
        for below in folders(bucket, &folder).await? {
            let name = keys::last_folder(&below);
            match (at, keys::level(name)) {
                (Level::Trail, _) => layout.regions.push(below),
                (Level::Logs, Level::Organisation | Level::Account)
                | (Level::Organisation, Level::Account)
                | (Level::Account, Level::Trail) => todo.push(below),
                (Level::Account, _) => layout.skipped.extend(other_kind(name).map(|note| (below.clone(), note))),
                _ => {}
            }
        }
    }
    layout.regions.sort();
    layout.skipped.sort();
    Ok(layout)
}

/// `AWSLogs/` in this folder, or else one level down.
async fn logs_below(bucket: &Bucket, root: &str) -> Result<Vec<String>, S3Error> {
    let here = folders(bucket, root).await?;
    let is_logs = |folder: &String| keys::level(keys::last_folder(folder)) == Level::Logs;
    let found: Vec<_> = here.iter().filter(|folder| is_logs(folder)).cloned().collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let mut found = Vec::new();
    for folder in here.iter().take(FOLDERS_LOOKED_INTO) {
        found.extend(folders(bucket, folder).await?.into_iter().filter(is_logs));
    }
    Ok(found)
}

async fn folders(bucket: &Bucket, prefix: &str) -> Result<Vec<String>, S3Error> {
    let mut found = Vec::new();
    let mut listing = Listing { prefix: prefix.to_owned(), one_level: true, ..Listing::default() };
    loop {
        let page = bucket.list(listing.clone()).await?;
        found.extend(page.folders);
        match page.more {
            Some(more) => listing.more = Some(more),
            None => return Ok(found),
        }
    }
}

/// What lies beside `CloudTrail/` and holds no records of it.
pub(super) fn other_kind(name: &str) -> Option<&'static str> {
    match name {
        "CloudTrail-Digest" => Some("digests, not records: passed over"),
        "CloudTrail-Insight" => Some("insights, not records: passed over"),
        _ => None,
    }
}
