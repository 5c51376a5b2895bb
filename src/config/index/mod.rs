//! `[index]`: where events are found again: on this machine, or in a cluster of Elasticsearch or OpenSearch.

mod names;

pub use names::{BadPattern, Names};

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::join;
use super::section::{Key, Section, Shape, Table};
use super::setting::{Misread, Setting, Size};

/// Which index there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Index {
    /// Beside the trail.
    #[default]
    Embedded,
    Elastic(Box<Elastic>),
}

/// A cluster, and how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elastic {
    /// `https://host:9200`, any of them.
    pub nodes: Vec<String>,
    pub login: Login,
    /// Certificates (PEM) of an authority beside those of the system.
    pub ca: Option<PathBuf>,
    pub names: Names,
    /// Events are found for so many days; none for as long as the trail has them.
    pub keep_days: Option<u64>,
    /// Whether whodid deletes the indices of older days, or somebody else does.
    pub deletes: bool,
    /// Whether whodid puts the template there, or somebody with more rights did.
    pub puts_template: bool,
    pub shards: u64,
    /// As `auto_expand_replicas` has it: `0-1`.
    pub replicas: String,
    /// Name of a policy of Elasticsearch's index lifecycle management.
    pub lifecycle: Option<String>,
    /// How many requests may be on their way at a time.
    pub in_flight: usize,
    /// How many bytes a request may have, before it is packed.
    pub batch_bytes: usize,
    /// Whether requests are packed with gzip.
    pub packs: bool,
    /// Of one request.
    pub timeout: Duration,
}

/// Who asks. Secrets lie in files of their own, which are read when the cluster is spoken to first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    Nobody,
    Basic {
        user: String,
        password_file: PathBuf,
    },
    ApiKey {
        file: PathBuf,
    },
    /// Requests are signed (SigV4) with the credentials of the usual AWS chain.
    Aws {
        region: String,
    },
}

impl Elastic {
    /// A cluster without a login, and everything else as it is by default.
    pub fn at(nodes: Vec<String>) -> Self {
        Self {
            nodes,
            login: Login::Nobody,
            ca: None,
            names: Names::default(),
            keep_days: None,
            deletes: true,
            puts_template: true,
            shards: 1,
            replicas: "0-1".to_owned(),
            lifecycle: None,
            in_flight: 2,
            batch_bytes: 4 << 20,
            packs: true,
            timeout: Duration::from_secs(60),
        }
    }
}

/// A request: less is slow, more is not faster, and a cluster refuses 100 MB.
const BATCH_BYTES: RangeInclusive<u64> = 64 << 10..=64 << 20;
const IN_FLIGHT: RangeInclusive<u64> = 1..=64;
const TIMEOUT_MAX: Duration = Duration::from_secs(600);
const SHARDS: RangeInclusive<u64> = 1..=1_024;

pub(super) fn read(mut section: Section<'_, '_>, folder: &Path) -> Index {
    let kind = section.or_default(&TYPE);
    if kind != Some(Kind::Elastic) {
        // What belongs to a cluster means nothing without one, and is reported.
        section.finish();
        return Index::Embedded;
    }
    if !cfg!(feature = "elastic") {
        section.report_key(
            "type",
            "this whodid was built without Elasticsearch",
            "build it with the feature `elastic`",
        );
    }
    let read = read_elastic(&mut section, folder);
    section.finish();
    read.map_or(Index::Embedded, |elastic| Index::Elastic(Box::new(elastic)))
}

fn read_elastic(section: &mut Section<'_, '_>, folder: &Path) -> Option<Elastic> {
    let nodes = section.required(&NODES);
    if nodes.as_ref().is_some_and(Vec::is_empty) {
        section.report_key("nodes", "`nodes` is empty", "name one node, such as \"https://search.example.com:9200\"");
    }
    for node in nodes.iter().flatten().filter(|node| !is_address(node)) {
        let what = format!("`nodes`: \"{}\" is no address", without_login(node));
        section.report_key(
            "nodes",
            what,
            "such as \"https://search.example.com:9200\"; a login goes to `user` and `password_file`",
        );
    }
    let login = read_login(section, folder, nodes.as_deref().unwrap_or_default());
    let ca = section.optional(&CA).map(|path| join(folder, &path));
    let pattern = section.or_default(&PATTERN).unwrap_or_default();
    let names = Names::new(&pattern);
    if let Err(error) = &names {
        let what = format!("`pattern`: \"{pattern}\" cannot name indices: {error}");
        section.report_key("pattern", what, "such as \"whodid-%Y.%m.%d\"");
    }
    let keep_days = section.optional(&KEEP_DAYS);
    if keep_days == Some(0) {
        section.report_key("keep_days", "`keep_days`: 0 would keep nothing", "leave it out to keep everything");
    }
    let replicas = section.or_default(&REPLICAS);
    if let Some(replicas) = replicas.as_deref().filter(|replicas| !is_range(replicas)) {
        let what = format!("`replicas`: \"{replicas}\" is no range");
        section.report_key("replicas", what, "such as \"0-1\", \"1-1\" or \"0-all\"");
    }
    let mut within = |key: &'static Key<u64>, range: RangeInclusive<u64>| {
        let number = section.or_default(key)?;
        if !range.contains(&number) {
            let name = key.declaration.name;
            section.report_key(
                name,
                format!("`{name}`: {number} is out of range"),
                format!("{} to {}", range.start(), range.end()),
            );
        }
        Some(number)
    };
    let (shards, in_flight) = (within(&SHARDS_OF_ONE, SHARDS), within(&REQUESTS, IN_FLIGHT));
    let batch = section.or_default(&BATCH).map(|size| size.0);
    if batch.is_some_and(|bytes| !BATCH_BYTES.contains(&bytes)) {
        section.report_key("batch", "`batch` is out of range", "64KiB to 64MiB");
    }
    let timeout = section.or_default(&TIMEOUT);
    if timeout.is_some_and(|timeout| timeout > TIMEOUT_MAX) {
        section.report_key("timeout", "`timeout` is longer than ten minutes", "what takes longer is stuck");
    }
    let lifecycle = section.optional(&LIFECYCLE);
    let (deletes, puts_template) = (section.or_default(&DELETE), section.or_default(&PUT_TEMPLATE));
    let packs = section.or_default(&COMPRESS);
    Some(Elastic {
        nodes: nodes?,
        login: login?,
        ca,
        names: names.ok()?,
        keep_days,
        deletes: deletes?,
        puts_template: puts_template?,
        shards: shards?,
        replicas: replicas?,
        lifecycle,
        in_flight: usize::try_from(in_flight?).ok()?,
        batch_bytes: usize::try_from(batch?).ok()?,
        packs: packs?,
        timeout: timeout?,
    })
}

fn read_login(section: &mut Section<'_, '_>, folder: &Path, nodes: &[String]) -> Option<Login> {
    let (user, password) = (section.optional(&USER), section.optional(&PASSWORD_FILE));
    let (api_key, region) = (section.optional(&API_KEY_FILE), section.optional(&AWS_REGION));
    let ways = [section.has("user"), section.has("api_key_file"), section.has("aws_region")];
    if ways.iter().filter(|is_there| **is_there).count() > 1 {
        section.report("a cluster is logged in to in one way", "keep one of `user`, `api_key_file` and `aws_region`");
        return None;
    }
    match (section.has("user"), section.has("password_file")) {
        (true, false) => {
            section.report_key("user", "`user` without `password_file`", "name the file that holds the password")
        }
        (false, true) => section.report_key("password_file", "`password_file` without `user`", "name the user"),
        _ => {}
    }
    if ways.iter().any(|is_there| *is_there)
        && let Some(node) = nodes.iter().find(|node| node.starts_with("http://") && !is_loopback(node))
    {
        let what =
            format!("`nodes`: {} is not encrypted: the login would be anybody's who listens", without_login(node));
        section.report_key("nodes", what, "https://");
    }
    if let Some(region) = region {
        if nodes.len() > 1 {
            section.report_key("nodes", "a domain of Amazon OpenSearch Service has one address", "keep that one");
        }
        if !cfg!(feature = "aws") {
            section.report_key("aws_region", "this whodid was built without AWS", "build it with the feature `aws`");
        }
        return Some(Login::Aws { region });
    }
    match (user, password, api_key) {
        (Some(user), Some(password), _) => Some(Login::Basic { user, password_file: join(folder, &password) }),
        (_, _, Some(file)) => Some(Login::ApiKey { file: join(folder, &file) }),
        _ => Some(Login::Nobody),
    }
}

fn is_address(node: &str) -> bool {
    let rest = node.strip_prefix("https://").or_else(|| node.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty() && rest.chars().all(|c| c.is_ascii_graphic()) && !rest.contains(['@', '?', '#', ',', '"'])
    })
}

fn is_loopback(node: &str) -> bool {
    let rest = node.strip_prefix("http://").unwrap_or(node);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => v6,
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An address as it may be shown.
fn without_login(node: &str) -> &str {
    node.rsplit('@').next().unwrap_or_default()
}

/// `0-1`, `2-all`.
fn is_range(text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.len() < 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('-').is_some_and(|(from, to)| number(from) && (to == "all" || number(to)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Embedded,
    Elastic,
}

impl Setting for Kind {
    const KIND: &'static str = "a type of index in quotes";

    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, Misread> {
        Misread::choice(value, "type of index", [Self::Embedded, Self::Elastic], |kind| match kind {
            Self::Embedded => "embedded",
            Self::Elastic => "elastic",
        })
    }
}

pub(super) static INDEX: Table = Table {
    name: "index",
    shape: Shape::One,
    doc: "Where events are found again. The trail stays the truth: any index can be made anew from it\n\
          (docs/elasticsearch.md). Who can write to a cluster can hide events from searches there, until\n\
          `whodid index reconcile` compares.",
    keys: &[
        &TYPE.declaration,
        &NODES.declaration,
        &USER.declaration,
        &PASSWORD_FILE.declaration,
        &API_KEY_FILE.declaration,
        &AWS_REGION.declaration,
        &CA.declaration,
        &PATTERN.declaration,
        &KEEP_DAYS.declaration,
        &DELETE.declaration,
        &PUT_TEMPLATE.declaration,
        &LIFECYCLE.declaration,
        &SHARDS_OF_ONE.declaration,
        &REPLICAS.declaration,
        &REQUESTS.declaration,
        &BATCH.declaration,
        &COMPRESS.declaration,
        &TIMEOUT.declaration,
    ],
    tables: &[],
};

static TYPE: Key<Kind> = Key::with_default(
    "type",
    "\"embedded\"",
    "embedded (beside the trail, on this machine) or elastic (Elasticsearch 7.10 to 9, OpenSearch 1 to 3). The\n\
     keys below belong to the latter.",
);

static NODES: Key<Vec<String>> = Key::required(
    "nodes",
    "[\"https://search.example.com:9200\"]",
    "Any nodes of one cluster; while one cannot be reached the others are asked.",
);

static USER: Key<String> = Key::optional("user", "\"whodid\"", "Basic authentication: the user.");

static PASSWORD_FILE: Key<PathBuf> = Key::optional(
    "password_file",
    "\"/etc/whodid/elastic.password\"",
    "And the file with the password in its first line; keep it 0640.",
);

static API_KEY_FILE: Key<PathBuf> = Key::optional(
    "api_key_file",
    "\"/etc/whodid/elastic.key\"",
    "Instead: the file with an API key as the cluster gave it, `encoded` (Elasticsearch).",
);

static AWS_REGION: Key<String> = Key::optional(
    "aws_region",
    "\"eu-central-1\"",
    "Instead: Amazon OpenSearch Service in this region; requests are signed (SigV4) with the credentials of the\n\
     usual AWS chain.",
);

static CA: Key<PathBuf> = Key::optional(
    "ca",
    "\"/etc/whodid/search-ca.pem\"",
    "Certificates of an authority of one's own, in PEM, beside those of the system.",
);

static PATTERN: Key<String> = Key::with_default(
    "pattern",
    "\"whodid-%Y.%m.%d\"",
    "Names of the indices: strftime of when it happened, in UTC (%Y %m %d %G %V %j %y). Events of over 400 days before\n\
     they were read share one for each year.",
);

static KEEP_DAYS: Key<u64> = Key::optional(
    "keep_days",
    "400",
    "Indices of events that happened more than so many days ago are deleted; a search that reaches back further is\n\
     refused, as it would miss them. The trail keeps them as [trail] says.",
);

static DELETE: Key<bool> = Key::with_default(
    "delete",
    "true",
    "false leaves that to a policy of the cluster (ILM, ISM), which must keep them at least `keep_days`.",
);

static PUT_TEMPLATE: Key<bool> = Key::with_default(
    "put_template",
    "true",
    "Whether the index template is put there when it is not the one of this version. false: somebody with more\n\
     rights did, from `whodid index template`.",
);

static LIFECYCLE: Key<String> =
    Key::optional("lifecycle", "\"whodid\"", "A policy of Elasticsearch's index lifecycle management for new indices.");

static SHARDS_OF_ONE: Key<u64> = Key::with_default("shards", "1", "Primary shards of each new index.");

static REPLICAS: Key<String> = Key::with_default(
    "replicas",
    "\"0-1\"",
    "Replicas of each new index, by how many nodes there are (auto_expand_replicas).",
);

static REQUESTS: Key<u64> = Key::with_default(
    "requests",
    "2",
    "How many requests may be on their way at a time; fewer while the cluster has too much to do.",
);

static BATCH: Key<Size> =
    Key::with_default("batch", "\"4MiB\"", "The most that one request has, before it is compressed.");

static COMPRESS: Key<bool> = Key::with_default("compress", "true", "Send requests packed with gzip.");

static TIMEOUT: Key<Duration> = Key::with_default("timeout", "\"60s\"", "How long one request may take.");
