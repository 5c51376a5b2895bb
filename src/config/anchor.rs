//! `[[anchor]]`: the places beyond this trail where its newest checkpoint is left.
//!
//! One variant of [`To`] for each type; [`read`] is the one place that tells them apart.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::join;
use super::section::{Key, Section, Shape, Table};
use super::setting::{Misread, Setting};

/// Where checkpoints go, and how often at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    pub name: String,
    /// The longest that a checkpoint waits after the trail has changed.
    pub every: Duration,
    pub to: To,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// Appended to a file of notes.
    File {
        path: PathBuf,
    },
    S3(Bucket),
    Syslog(Syslog),
    Witness(Witness),
}

/// Another host that cosigns each checkpoint (C2SP tlog-witness).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// What `/add-checkpoint` is added to.
    pub url: String,
    /// Its verifier key.
    pub key: String,
}

/// One object for each checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    pub bucket: String,
    pub prefix: String,
    pub region: Option<String>,
    pub endpoint: Option<String>,
    pub path_style: bool,
    pub lock: Option<Lock>,
}

/// Object Lock: until then not even the owner of the keys deletes the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    pub mode: LockMode,
    pub days: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Whoever has s3:BypassGovernanceRetention can lift it.
    Governance,
    /// Nobody can.
    Compliance,
}

/// One message for each checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syslog {
    pub address: SyslogAddress,
    pub facility: Facility,
    pub framing: Framing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyslogAddress {
    /// A datagram socket, such as `/dev/log`.
    Unix(PathBuf),
    /// `host:port`.
    Udp(String),
    Tcp(String),
}

/// How messages are told apart in a TCP stream (RFC 6587).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    OctetCounting,
    Lf,
}

/// By number, as RFC 5424 has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facility(pub u8);

impl To {
    /// The word that `type` has.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File { .. } => Kind::File.name(),
            Self::S3(_) => Kind::S3.name(),
            Self::Syslog(_) => Kind::Syslog.name(),
            Self::Witness(_) => Kind::Witness.name(),
        }
    }
}

/// The address, as messages and events name it.
impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path } => write!(f, "{}", path.display()),
            Self::S3(Bucket { bucket, prefix, .. }) => write!(f, "s3://{bucket}/{prefix}"),
            Self::Syslog(syslog) => syslog.address.fmt(f),
            Self::Witness(witness) => f.write_str(&witness.url),
        }
    }
}

impl fmt::Display for SyslogAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Udp(at) => write!(f, "udp://{at}"),
            Self::Tcp(at) => write!(f, "tcp://{at}"),
        }
    }
}

/// Every `[[anchor]]`, in the order of the file.
pub(super) fn read_all(top: &mut Section<'_, '_>, folder: &Path) -> Vec<Anchor> {
    let (mut anchors, mut names) = (Vec::new(), BTreeSet::new());
    for mut section in top.sections(&ANCHOR) {
        let name = section.required(&NAME);
        if let Some(name) = &name {
            check_name(&section, name, &mut names);
        }
        let every = section.or_default(&EVERY);
        if every.is_some_and(|every| every > EVERY_MAX) {
            section.report_key("every", "`every` is longer than a day", "what is not anchored yet can be rewritten");
        }
        let to = read(&mut section, folder);
        if let (Some(name), Some(every), Some(to)) = (name, every, to) {
            anchors.push(Anchor { name, every, to });
        }
        section.finish();
    }
    anchors
}

fn check_name(section: &Section<'_, '_>, name: &str, names: &mut BTreeSet<String>) {
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        section.report_key("name", "`name` must be a word that can be read", "such as \"vault\"");
    }
    if !names.insert(name.to_owned()) {
        section.report_key("name", format!("two anchors are named \"{name}\""), "give each its own name");
    }
}

fn read(section: &mut Section<'_, '_>, folder: &Path) -> Option<To> {
    match section.required(&TYPE)? {
        Kind::File => section.required(&PATH).map(|path| To::File { path: join(folder, &path) }),
        Kind::S3 => read_s3(section).map(To::S3),
        Kind::Syslog => read_syslog(section).map(To::Syslog),
        Kind::Witness => read_witness(section).map(To::Witness),
    }
}

fn read_s3(section: &mut Section<'_, '_>) -> Option<Bucket> {
    if !cfg!(feature = "aws") {
        section.report_key("type", "this whodid was built without S3", "build it with the feature `aws`");
    }
    let bucket = section.required(&BUCKET);
    let (prefix, path_style) = (section.or_default(&PREFIX), section.or_default(&PATH_STYLE));
    let (region, endpoint) = (section.optional(&REGION), section.optional(&ENDPOINT));
    super::file::check_bucket(section, bucket.as_deref(), endpoint.as_deref());
    let lock = read_lock(section);
    Some(Bucket { bucket: bucket?, prefix: prefix?, region, endpoint, path_style: path_style?, lock })
}

fn read_lock(section: &mut Section<'_, '_>) -> Option<Lock> {
    let (mode, days) = (section.optional(&LOCK), section.optional(&LOCK_DAYS));
    match (section.has(LOCK.declaration.name), section.has(LOCK_DAYS.declaration.name)) {
        (true, false) => section.report_key("lock", "`lock` without `lock_days`", "say for how many days"),
        (false, true) => section.report_key("lock_days", "`lock_days` without `lock`", "add lock = \"compliance\""),
        _ => {}
    }
    if days.is_some_and(|days| !(1..=LOCK_DAYS_MAX).contains(&days)) {
        section.report_key("lock_days", "`lock_days` is out of range", format!("1 to {LOCK_DAYS_MAX}"));
    }
    Some(Lock { mode: mode?, days: days? })
}

fn read_syslog(section: &mut Section<'_, '_>) -> Option<Syslog> {
    let (address, facility) = (section.required(&ADDRESS), section.or_default(&FACILITY));
    let framing = match address {
        // Datagrams need none: there the key means nothing.
        Some(SyslogAddress::Unix(_) | SyslogAddress::Udp(_)) => Some(Framing::OctetCounting),
        _ => section.or_default(&FRAMING),
    };
    Some(Syslog { address: address?, facility: facility?, framing: framing? })
}

fn read_witness(section: &mut Section<'_, '_>) -> Option<Witness> {
    let (url, key) = (section.required(&URL), section.required(&WITNESS_KEY));
    if let Some(url) = url.as_deref().filter(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
        section.report_key("url", format!("`url`: \"{url}\" is no address"), "such as \"https://witness.example.org\"");
    }
    if let Some(key) = key.as_deref().filter(|key| key.splitn(3, '+').count() < 3) {
        let advice = "what `whodid witness --print-key` says there: <name>+<key id>+<base64>";
        section.report_key("key", format!("`key`: \"{key}\" is no public key"), advice);
    }
    Some(Witness { url: url?, key: key?.trim().to_owned() })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    S3,
    Syslog,
    Witness,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::S3 => "s3",
            Self::Syslog => "syslog",
            Self::Witness => "witness",
        }
    }
}

impl Setting for Kind {
    const KIND: &'static str = "a type of anchor in quotes";

    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, Misread> {
        Misread::choice(value, "type of anchor", [Self::File, Self::S3, Self::Syslog, Self::Witness], Self::name)
    }
}

impl Setting for LockMode {
    const KIND: &'static str = "\"governance\" or \"compliance\"";

    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, Misread> {
        Misread::choice(value, "mode of Object Lock", [Self::Governance, Self::Compliance], |mode| match mode {
            Self::Governance => "governance",
            Self::Compliance => "compliance",
        })
    }
}

impl Setting for Framing {
    const KIND: &'static str = "\"octet-counting\" or \"lf\"";

    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, Misread> {
        Misread::choice(value, "framing", [Self::OctetCounting, Self::Lf], |framing| match framing {
            Self::OctetCounting => "octet-counting",
            Self::Lf => "lf",
        })
    }
}

/// RFC 5424, table 1, by the names that syslog.conf has.
const FACILITIES: [(&str, u8); 18] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("cron", 9),
    ("authpriv", 10),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

impl Setting for Facility {
    const KIND: &'static str = "a syslog facility in quotes";

    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, Misread> {
        let (_, number) = Misread::choice(value, "syslog facility", FACILITIES, |(name, _)| name)?;
        Ok(Self(number))
    }
}

impl Setting for SyslogAddress {
    const KIND: &'static str = "an address in quotes";

    fn read(value: &toml::de::DeValue<'_>) -> Result<Self, Misread> {
        let text = value.as_str().ok_or(Misread::Kind)?;
        let place = |at: &str| {
            let (host, port) = at.rsplit_once(':')?;
            let is_place = !host.is_empty() && !host.contains(['/', ' ']) && port.parse::<u16>().is_ok_and(|n| n > 0);
            is_place.then(|| at.to_owned())
        };
        let address = if let Some(path) = text.strip_prefix("unix:") {
            path.starts_with('/').then(|| Self::Unix(path.into()))
        } else if let Some(at) = text.strip_prefix("udp://") {
            place(at).map(Self::Udp)
        } else {
            text.strip_prefix("tcp://").and_then(place).map(Self::Tcp)
        };
        address.ok_or_else(|| {
            Misread::bad(
                format!("\"{text}\" is no address of a syslog"),
                "\"unix:/dev/log\", \"udp://loghost.example.org:514\" or \"tcp://loghost.example.org:601\"",
            )
        })
    }
}

/// Within this time somebody who has the key can rewrite what was not anchored.
const EVERY_MAX: Duration = Duration::from_secs(86_400);

/// A hundred years.
const LOCK_DAYS_MAX: u64 = 36_500;

pub(super) static ANCHOR: Table = Table {
    name: "anchor",
    shape: Shape::Many,
    doc: "Where the newest signed checkpoint is left, one table each, so that what it covers cannot be rewritten\n\
          unseen by whoever has this machine: as far away as possible (docs/anchors.md). Failing is the event\n\
          anchor.failed and stops nothing.",
    keys: &[
        &NAME.declaration,
        &TYPE.declaration,
        &EVERY.declaration,
        &PATH.declaration,
        &BUCKET.declaration,
        &PREFIX.declaration,
        &REGION.declaration,
        &ENDPOINT.declaration,
        &PATH_STYLE.declaration,
        &LOCK.declaration,
        &LOCK_DAYS.declaration,
        &ADDRESS.declaration,
        &FACILITY.declaration,
        &FRAMING.declaration,
        &URL.declaration,
        &WITNESS_KEY.declaration,
    ],
    tables: &[],
};

static NAME: Key<String> = Key::required("name", "\"vault\"", "Unique; what events call it.");

static TYPE: Key<Kind> = Key::required(
    "type",
    "\"file\"",
    "file (appended to), s3 (one object each), syslog (one message each) or witness (cosigns each). The keys below belong to one of them.",
);

static EVERY: Key<Duration> = Key::with_default(
    "every",
    "\"10s\"",
    "The longest that a checkpoint waits after the trail has changed, at most a day.",
);

static PATH: Key<PathBuf> = Key::required(
    "path",
    "\"/mnt/vault/web-1.checkpoints\"",
    "file: on another mount, best one that this machine can only append to; relative to this file's folder.",
);

static BUCKET: Key<String> =
    Key::required("bucket", "\"example-anchors\"", "s3: the bucket's name. Needs s3:PutObject there.");

static PREFIX: Key<String> =
    Key::with_default("prefix", "\"\"", "s3: objects are <prefix><trail id>/<size, 20 digits>.");

static REGION: Key<String> = Key::optional(
    "region",
    "\"eu-central-1\"",
    "s3: region of the bucket. Without it: the one of the AWS configuration.",
);

static ENDPOINT: Key<String> =
    Key::optional("endpoint", "\"http://127.0.0.1:9000\"", "s3: another service that speaks S3.");

static PATH_STYLE: Key<bool> = Key::with_default("path_style", "false", "s3: endpoint/bucket/key.");

static LOCK: Key<LockMode> = Key::optional(
    "lock",
    "\"compliance\"",
    "s3: Object Lock of each object, governance or compliance; the bucket must have it enabled.\n\
     Nobody at all can delete under compliance before `lock_days` are over.",
);

static LOCK_DAYS: Key<u64> = Key::optional("lock_days", "400", "s3: for so many days.");

static ADDRESS: Key<SyslogAddress> = Key::required(
    "address",
    "\"tcp://loghost.example.org:601\"",
    "syslog: unix:PATH, udp://HOST:PORT or tcp://HOST:PORT. Only tcp notices that nobody takes it.",
);

static FACILITY: Key<Facility> = Key::with_default("facility", "\"authpriv\"", "syslog: under which it is filed.");

static URL: Key<String> =
    Key::required("url", "\"https://witness.example.org\"", "witness: its address (docs/witness.md).");

static WITNESS_KEY: Key<String> = Key::required(
    "key",
    "\"witness.example.org+8d66cf3f+BA…\"",
    "witness: its public key; what it answers is checked with that.",
);

static FRAMING: Key<Framing> = Key::with_default(
    "framing",
    "\"octet-counting\"",
    "syslog over tcp: octet-counting or lf (RFC 6587); rsyslog takes both.",
);
