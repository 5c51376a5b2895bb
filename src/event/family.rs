//! Source families: one word each, the same in `--type`, `source.kind`, file names and docs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// syslog's auth facility: `auth.log`, `secure`.
    Auth,
    /// utmp records of logins: `wtmp`, `utmp`.
    Wtmp,
    /// utmp records of failed logins: `btmp`.
    Btmp,
    /// Records of the journal of systemd.
    Journal,
    /// lastlog records: when each user number logged in last.
    Lastlog,
    /// wtmpdb's rows of logins, boots and shutdowns.
    Wtmpdb,
    /// lastlog2's rows: when each user logged in last.
    Lastlog2,
    /// AWS CloudTrail records.
    Cloudtrail,
    /// Commands that `whodid exec` ran.
    Exec,
    /// What Ansible did, told by the callback plugin.
    Ansible,
    /// whodid's own events.
    Whodid,
}

impl Family {
    pub const ALL: [Self; 11] = [
        Self::Auth,
        Self::Journal,
        Self::Wtmp,
        Self::Btmp,
        Self::Lastlog,
        Self::Wtmpdb,
        Self::Lastlog2,
        Self::Cloudtrail,
        Self::Exec,
        Self::Ansible,
        Self::Whodid,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Journal => "journal",
            Self::Wtmp => "wtmp",
            Self::Btmp => "btmp",
            Self::Lastlog => "lastlog",
            Self::Wtmpdb => "wtmpdb",
            Self::Lastlog2 => "lastlog2",
            Self::Cloudtrail => "cloudtrail",
            Self::Exec => "exec",
            Self::Ansible => "ansible",
            Self::Whodid => "whodid",
        }
    }

    /// The key under `detail` for what records of this family alone know.
    pub fn detail_key(self) -> &'static str {
        match self {
            Self::Wtmp | Self::Btmp => "utmp",
            other => other.name(),
        }
    }

    /// Its records are rows of a SQLite database.
    pub fn is_database(self) -> bool {
        matches!(self, Self::Wtmpdb | Self::Lastlog2)
    }

    /// Records that are JSON are kept once, in `raw`; their `detail` is derived when reading.
    pub fn record_is_json(self) -> bool {
        matches!(self, Self::Cloudtrail | Self::Journal | Self::Exec | Self::Ansible)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no source family.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no source family (known: {known})", known = Family::ALL.map(Family::name).join(", "))]
pub struct UnknownFamily(pub String);

impl FromStr for Family {
    type Err = UnknownFamily;

    fn from_str(text: &str) -> Result<Self, UnknownFamily> {
        Self::ALL.into_iter().find(|family| family.name() == text).ok_or_else(|| UnknownFamily(text.to_owned()))
    }
}
