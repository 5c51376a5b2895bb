//! Every setting of `whodid.toml`: name, type, default and meaning, declared once.
//!
//! Reading ([`super::file`]) and the documented example ([`super::example`]) both go by these.

use std::path::PathBuf;
use std::time::Duration;

use crate::event::{Family, Stamp};
use crate::sources::zone::Zone;

use super::section::{Key, Shape, Table};
use super::setting::{At, Pattern, Size};
use super::signing::SshKey;
use super::{anchor, channel, index, intake, lists, person, queue};

pub(super) static TOP: Table = Table {
    name: "",
    shape: Shape::One,
    doc: "",
    keys: &[&DATA.declaration, &KEYS.declaration, &ORG.declaration, &HOST.declaration],
    tables: &[
        &REPLAY,
        &SOURCE,
        &intake::INTAKE,
        &person::PERSON,
        &TRAIL,
        &anchor::ANCHOR,
        &index::INDEX,
        &LINK,
        &CHECK,
        &ALERTS,
        &lists::LISTS,
        &channel::NOTIFY,
    ],
};

pub(super) static DATA: Key<PathBuf> = Key::optional(
    "data",
    "\"/var/lib/whodid\"",
    "Folder of the trail and its indexes. Without it: /var/lib/whodid for root and for a\n\
     configuration in /etc/whodid, else `whodid` in the user's data folder.\n\
     Who can write there can destroy the trail, but not change it unseen.",
);

pub(super) static KEYS: Key<PathBuf> = Key::optional(
    "keys",
    "\"/etc/whodid/keys\"",
    "Folder of the key that signs the trail, outside `data`, so that a copy of the data never\n\
     holds it. Without it: `keys` beside this file. Who can read it can sign a false trail.",
);

pub(super) static ORG: Key<String> = Key::with_default(
    "org",
    "\"local\"",
    "Whose trail it is, as a domain name; first part of the name that checkpoints are signed with.",
);

pub(super) static HOST: Key<String> = Key::optional(
    "host",
    "\"web-1\"",
    "Name of this machine: in the trail's name, and in events whose records name none.\n\
     Without it: what `uname -n` says.",
);

pub(super) static REPLAY: Table = Table {
    name: "replay",
    shape: Shape::One,
    doc: "For demonstrations, tests and the investigation of old logs: time stands still.\n\
          A data folder is live or a replay for good.",
    keys: &[&NOW.declaration],
    tables: &[],
};

pub(super) static NOW: Key<Stamp> = Key::required("now", "\"2026-11-20T12:00:00Z\"", "The instant that counts as now.");

pub(super) static SOURCE: Table = Table {
    name: "source",
    shape: Shape::Many,
    doc: "What is read, one table each. Without any: what this machine has of auth.log or secure\n\
          (where it has neither, the journal), wtmp and btmp. Who can write a source can state falsehoods in it, marked as claimed.",
    keys: &[
        &source::NAME.declaration,
        &source::TYPE.declaration,
        &source::PATHS.declaration,
        &source::STDIN.declaration,
        &source::DIGEST_KEYS.declaration,
        &source::HOST.declaration,
        &source::TZ.declaration,
        &source::YEAR.declaration,
        &source::DECOMPRESSED_MAX.declaration,
        &source::WORLD_PREFIX.declaration,
        &source::WORLD_PREFIX_V6.declaration,
    ],
    tables: &[&S3, &queue::SQS, &LOOKUP, &SOURCE_TRAIL, &JOURNAL],
};

pub(super) mod source {
    use super::*;

    pub(in crate::config) static NAME: Key<String> =
        Key::required("name", "\"auth\"", "Unique; stands in every event as source.name.");

    pub(in crate::config) static TYPE: Key<Family> = Key::required(
        "type",
        "\"auth\"",
        "Source family: auth, journal, wtmp, btmp, lastlog, wtmpdb, lastlog2, cloudtrail, exec or ansible.",
    );

    pub(in crate::config) static PATHS: Key<Vec<Pattern>> = Key::optional(
        "paths",
        "[\"/var/log/auth.log*\"]",
        "Files, patterns with * ? [], and folders of CloudTrail objects; relative to this file's folder.\n\
         Rotated and compressed copies are known again by their content. Without it (and without another\n\
         place to read from): where the system keeps files of this type.",
    );

    pub(in crate::config) static STDIN: Key<bool> =
        Key::with_default("stdin", "false", "Read standard input instead of files; one source can.");

    pub(in crate::config) static DIGEST_KEYS: Key<PathBuf> = Key::optional(
        "digest_keys",
        "\"keys.json\"",
        "A file that `aws cloudtrail list-public-keys` wrote (cloudtrail), instead of `paths`: the keys that sign\n\
         CloudTrail's digests, for machines that cannot ask for them. Who can write it can sign forged digests.",
    );

    pub(in crate::config) static HOST: Key<String> = Key::optional(
        "host",
        "\"web-1\"",
        "The machine that these records come from, where they do not say it; another one here makes known\n\
         files new ones. Without it: `host` of the top.",
    );

    pub(in crate::config) static TZ: Key<Zone> = Key::optional(
        "tz",
        "\"Europe/Berlin\"",
        "Zone of stamps that name none (auth): an IANA name or an offset such as \"-02:00\".\n\
         Without it: the zone of this machine.",
    );

    pub(in crate::config) static YEAR: Key<i32> = Key::optional(
        "year",
        "2026",
        "Year of the first record, for stamps that name none (auth). Without it: by the file's time of change.",
    );

    pub(in crate::config) static DECOMPRESSED_MAX: Key<Size> = Key::with_default(
        "decompressed_max",
        "\"4GiB\"",
        "What one compressed file or object may become; the rest of a larger one is left out, and an event says so.",
    );

    pub(in crate::config) static WORLD_PREFIX: Key<u64> = Key::with_default(
        "world_prefix",
        "0",
        "For cloudtrail: an IPv4 network with a prefix this short or shorter is the whole world (what.world). Several\n\
         networks of one change that leave out next to nothing together are, whatever this says.",
    );

    pub(in crate::config) static WORLD_PREFIX_V6: Key<u64> =
        Key::with_default("world_prefix_v6", "0", "The same for IPv6.");
}

pub(super) static S3: Table = Table {
    name: "s3",
    shape: Shape::One,
    doc: "CloudTrail objects in a bucket, instead of `paths`. Credentials come from the usual AWS chain\n\
          (environment, profile, instance role); they need s3:ListBucket and s3:GetObject, nothing else.",
    keys: &[
        &s3::BUCKET.declaration,
        &s3::PREFIX.declaration,
        &s3::REGION.declaration,
        &s3::ENDPOINT.declaration,
        &s3::PATH_STYLE.declaration,
        &s3::POLL.declaration,
    ],
    tables: &[],
};

pub(super) mod s3 {
    use super::*;

    pub(in crate::config) static BUCKET: Key<String> =
        Key::required("bucket", "\"example-cloudtrail\"", "The bucket's name.");

    pub(in crate::config) static PREFIX: Key<String> =
        Key::with_default("prefix", "\"\"", "What the keys begin with, before AWSLogs/ or any deeper.");

    pub(in crate::config) static REGION: Key<String> = Key::optional(
        "region",
        "\"eu-central-1\"",
        "Region of the bucket. Without it: the one of the AWS configuration.",
    );

    pub(in crate::config) static ENDPOINT: Key<String> =
        Key::optional("endpoint", "\"http://127.0.0.1:9000\"", "Another service that speaks S3.");

    pub(in crate::config) static PATH_STYLE: Key<bool> = Key::with_default(
        "path_style",
        "false",
        "endpoint/bucket/key instead of bucket.endpoint/key; most other services want it.",
    );

    pub(in crate::config) static POLL: Key<Duration> =
        Key::with_default("poll", "\"1m\"", "How long to wait between two listings.");
}

pub(super) static LOOKUP: Table = Table {
    name: "lookup",
    shape: Shape::One,
    doc: "CloudTrail's event history instead of `paths`: for accounts without a trail, and for the 90 days before there\n\
          was one. Management and Insight events only, two calls a second; cloudtrail:LookupEvents is all it needs.",
    keys: &[
        &lookup::REGIONS.declaration,
        &lookup::SINCE.declaration,
        &lookup::POLL.declaration,
        &lookup::INSIGHTS.declaration,
        &lookup::PROFILE.declaration,
        &lookup::ENDPOINT.declaration,
    ],
    tables: &[],
};

pub(super) mod lookup {
    use super::*;

    pub(in crate::config) static REGIONS: Key<Vec<String>> = Key::with_default(
        "regions",
        "[]",
        "Which regions: [\"eu-central-1\", \"us-east-1\"]; calls to global services (IAM, sign-in) are in us-east-1.\n\
         None is the one of the AWS configuration.",
    );

    pub(in crate::config) static SINCE: Key<Duration> =
        Key::with_default("since", "\"90d\"", "How far back the first reading goes; AWS keeps 90 days.");

    pub(in crate::config) static POLL: Key<Duration> = Key::with_default(
        "poll",
        "\"1m\"",
        "How long to wait between two readings. Each reads the last 15 minutes again, because events arrive late.",
    );

    pub(in crate::config) static INSIGHTS: Key<bool> =
        Key::with_default("insights", "true", "Read Insight events too; they are there if a trail collects them.");

    pub(in crate::config) static PROFILE: Key<String> =
        Key::optional("profile", "\"audit\"", "A profile of ~/.aws/config: another account, or another role.");

    pub(in crate::config) static ENDPOINT: Key<String> =
        Key::optional("endpoint", "\"http://127.0.0.1:5000\"", "Another service that speaks CloudTrail's API.");
}

pub(super) static SOURCE_TRAIL: Table = Table {
    name: "trail",
    shape: Shape::One,
    doc: "Which trail delivers. Alone, or beside [source.s3] without `bucket`: its bucket and prefix are found by it. While\n\
          it records nothing or cannot deliver, the source is failing. Needs cloudtrail:DescribeTrails and\n\
          cloudtrail:GetTrailStatus.",
    keys: &[
        &source_trail::NAME.declaration,
        &source_trail::REGION.declaration,
        &source_trail::PROFILE.declaration,
        &source_trail::ENDPOINT.declaration,
    ],
    tables: &[],
};

pub(super) mod source_trail {
    use super::*;

    pub(in crate::config) static NAME: Key<String> =
        Key::required("name", "\"main\"", "Its name, or its ARN, which also says its region.");

    pub(in crate::config) static REGION: Key<String> = Key::optional(
        "region",
        "\"eu-central-1\"",
        "A region where it is known. Without it: that of the ARN, or the one of the AWS configuration.",
    );

    pub(in crate::config) static PROFILE: Key<String> =
        Key::optional("profile", "\"audit\"", "A profile of ~/.aws/config, for CloudTrail's API.");

    pub(in crate::config) static ENDPOINT: Key<String> =
        Key::optional("endpoint", "\"http://127.0.0.1:5000\"", "Another service that speaks CloudTrail's API.");
}

pub(super) static JOURNAL: Table = Table {
    name: "journal",
    shape: Shape::One,
    doc: "Which journal of systemd journalctl reads, instead of `paths`. Without this table a source of type\n\
          journal reads this machine's own, for which root or the group systemd-journal is needed.",
    keys: &[
        &journal::DIRECTORY.declaration,
        &journal::FILES.declaration,
        &journal::NAMESPACE.declaration,
        &journal::MERGE.declaration,
        &journal::MATCH.declaration,
    ],
    tables: &[],
};

pub(super) mod journal {
    use super::*;

    pub(in crate::config) static DIRECTORY: Key<PathBuf> = Key::optional(
        "directory",
        "\"/var/log/journal/remote\"",
        "A folder with journal files. Without it: the system's.",
    );

    pub(in crate::config) static FILES: Key<Vec<PathBuf>> =
        Key::with_default("files", "[]", "Journal files instead of a folder: [\"/srv/web-2/system.journal\"].");

    pub(in crate::config) static NAMESPACE: Key<String> =
        Key::optional("namespace", "\"tenant\"", "A journal name space; `*` is all of them.");

    pub(in crate::config) static MERGE: Key<bool> =
        Key::with_default("merge", "false", "Also records of other machines whose files are here.");

    pub(in crate::config) static MATCH: Key<Vec<String>> = Key::with_default(
        "match",
        "[]",
        "What journalctl is to show, as it takes it: [\"SYSLOG_FACILITY=10\", \"+\", \"_COMM=sshd\"]; all of it is kept.\n\
         Without any, everything is read and what an auth log would hold is kept: only so do missing numbers\n\
         show missing records.",
    );
}

pub(super) static TRAIL: Table = Table {
    name: "trail",
    shape: Shape::One,
    doc: "How long the trail is kept, and who signs it. Without keep_…: for good. Whole segments go, oldest\n\
          first; the event trail.pruned says which, and the hashes that prove the rest stay.\n\
          `whodid trail hold on` stops it. Who can write this can have the past deleted, but not unseen.",
    keys: &[
        &KEEP_DAYS.declaration,
        &KEEP_BYTES.declaration,
        &KEY.declaration,
        &AGENT.declaration,
        &AGENT_KEY.declaration,
    ],
    tables: &[],
};

pub(super) static KEEP_DAYS: Key<u64> = Key::optional(
    "keep_days",
    "400",
    "A segment goes when its newest event was observed more than so many days ago. A segment has up to\n\
     256 MiB or a day; with little to record it has several days. The newest two always stay.",
);

pub(super) static KEEP_BYTES: Key<Size> = Key::optional(
    "keep_bytes",
    "\"100GiB\"",
    "The oldest segments go while all of them take more on the disk; records beside them are not counted.",
);

pub(super) static KEY: Key<PathBuf> = Key::optional(
    "key",
    "\"/run/secrets/whodid.key\"",
    "A private key of one's own for the trail, in the form PRIVATE+KEY+name+id+base64 (C2SP signed-note; its\n\
     name does not matter), readable by nobody else. Without it and `agent`: one that whodid makes in `keys`.",
);

pub(super) static AGENT: Key<PathBuf> = Key::optional(
    "agent",
    "\"/run/whodid-agent/socket\"",
    "The socket of an ssh-agent that signs instead, so that no private key of the trail is on this disk.\n\
     While it is away everything is stored as ever; it is signed afterwards, and until then checks are UNKNOWN.",
);

pub(super) static AGENT_KEY: Key<SshKey> = Key::optional(
    "agent_key",
    "\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4\"",
    "Which of the agent's keys signs: its public half, as `ssh-add -L` prints it.",
);

pub(super) static LINK: Table = Table {
    name: "link",
    shape: Shape::One,
    doc: "Who was behind what: logins are joined with the terminals, sudos and commands that followed on them,\n\
          and `who.person` and `who.chain` can be searched for. What does not fit together is said too.",
    keys: &[&LINKED.declaration],
    tables: &[],
};

pub(super) static LINKED: Key<bool> = Key::with_default("enabled", "true", "Whether that is done.");

pub(super) static CHECK: Table = Table {
    name: "check",
    shape: Shape::One,
    doc: "How `whodid check` judges.",
    keys: &[&STALE_AFTER.declaration],
    tables: &[],
};

pub(super) static STALE_AFTER: Key<Duration> = Key::with_default(
    "stale_after",
    "\"5m\"",
    "A check is UNKNOWN when `whodid run` has not said for this long that it is alive.",
);

pub(super) static ALERTS: Table = Table {
    name: "alerts",
    shape: Shape::One,
    doc: "What holds for all alerts: those in the binary, and those in `alerts/` beside this file.",
    keys: &[&DISABLED.declaration, &NOTIFY_BY_DEFAULT.declaration],
    tables: &[],
};

pub(super) static DISABLED: Key<Vec<At<String>>> =
    Key::with_default("disabled", "[]", "Ids of alerts that are not evaluated: [\"linux/sudo-denied\"].");

pub(super) static NOTIFY_BY_DEFAULT: Key<Vec<At<String>>> = Key::with_default(
    "notify",
    "[\"log\"]",
    "Whom an alert tells that does not say whom: names of [[notify]], or `log`.",
);
