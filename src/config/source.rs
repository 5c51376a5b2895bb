//! One configured source: what is read, from where, and what its records do not say themselves.
//!
//! Valid by construction: `config` fills it from `[[source]]`, `ingest` from its arguments, and
//! `collect` reads it. It opens nothing.

use std::path::PathBuf;
use std::time::Duration;

use super::Intake;
use crate::event::Family;
use crate::event::world::World;
use crate::sources::zone::Zone;

#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Unique in a configuration; `source.name` of every event.
    pub name: String,
    pub family: Family,
    pub from: From,
    /// `where.host` for records that name none; without it, the name of this machine.
    /// Part of a stream's lineage: changing it makes old files new streams.
    pub host: Option<String>,
    /// For stamps without an offset.
    pub zone: Zone,
    /// For stamps without a year: the year of the first record; without it, the file's time of change.
    pub year: Option<i32>,
    /// What one compressed file or object may become. The rest of a larger one is left out, and an event says so.
    pub decompressed_bytes_max: u64,
    /// Which networks count as the whole world (`what.world`).
    pub world: World,
}

/// Where a source's bytes are.
#[derive(Debug, Clone, PartialEq)]
pub enum From {
    /// Paths, globs, and folders (read recursively for CloudTrail objects).
    Files {
        paths: Vec<String>,
    },
    S3 {
        bucket: String,
        /// What the keys begin with, before `AWSLogs/` or any deeper; empty for the whole bucket.
        prefix: String,
        /// Without it, the one of the normal AWS configuration.
        region: Option<String>,
        /// Another service that speaks S3: `http://127.0.0.1:9000`.
        endpoint: Option<String>,
        /// `endpoint/bucket/key` instead of `bucket.endpoint/key`.
        path_style: bool,
        /// How long to wait between two listings.
        poll: Duration,
    },
    /// What CloudTrail's own API tells of the last 90 days.
    Lookup(Lookup),
    /// What a trail delivers, and how the trail itself fares.
    Trail {
        trail: Trail,
        /// Where it delivers to. A bucket without a name is the one that the trail names.
        then: Box<From>,
    },
    /// Keys that sign digests: what `aws cloudtrail list-public-keys` printed.
    DigestKeys {
        path: String,
    },
    /// CloudTrail objects that the messages of a queue name.
    Sqs(Queue),
    /// What journalctl shows.
    Journal(Journal),
    Stdin,
    /// Handed over one by one, by anybody on this machine.
    Intake(Intake),
}

/// As whom and where CloudTrail's API is asked; what is not said is that of the AWS configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Api {
    pub region: Option<String>,
    /// Another service that speaks the same: `http://127.0.0.1:5000`.
    pub endpoint: Option<String>,
    /// Of `~/.aws/config`.
    pub profile: Option<String>,
}

/// What LookupEvents is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// Each is asked for itself; none is that of `api`.
    pub regions: Vec<String>,
    pub api: Api,
    /// How far back the first reading goes.
    pub since: Duration,
    /// How long to wait between two readings.
    pub poll: Duration,
    /// Whether Insight events are read too.
    pub insights: bool,
}

/// A trail of CloudTrail's, by its name or ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    pub name: String,
    pub api: Api,
}

/// LookupEvents goes back no further.
pub const LOOKUP_DAYS: u64 = 90;

/// A queue of SQS, and where the objects are that its messages may name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    pub url: String,
    /// No other bucket is read.
    pub buckets: Vec<String>,
    /// Without it, the one of the normal AWS configuration.
    pub region: Option<String>,
    /// Another service that speaks SQS.
    pub endpoint: Option<String>,
    pub s3_region: Option<String>,
    /// Another service that speaks S3.
    pub s3_endpoint: Option<String>,
    /// `endpoint/bucket/key` instead of `bucket.endpoint/key`.
    pub path_style: bool,
    /// After so many receives a message is set aside whose object cannot be read.
    pub receives_max: u64,
}

/// Which journal journalctl is asked for; nothing set is this machine's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Journal {
    /// A folder with journal files, instead of the system's.
    pub directory: Option<PathBuf>,
    /// Journal files, instead of a folder.
    pub files: Vec<PathBuf>,
    pub namespace: Option<String>,
    /// Records of other machines too, where their files are here.
    pub merge: bool,
    /// `FIELD=value` and `+`; without any, everything is read, and what an auth log would hold is kept.
    pub matches: Vec<String>,
}

/// A CloudTrail object is at most 50 MB compressed (FORMATS §2) and shrinks about twenty times; a rotated log less.
pub const DECOMPRESSED_BYTES_MAX: u64 = 4 << 30;

/// CloudTrail delivers about every five minutes; a listing costs one request per account, region and minute.
pub const S3_POLL: Duration = Duration::from_secs(60);
