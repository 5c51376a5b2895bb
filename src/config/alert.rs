//! One alert: which question, how often, over which window, and what of the answer is too much.
//!
//! Valid by construction: [`super::alert_file`] fills it from `alerts/<domain>/<id>.toml`.
//! It asks nothing and tells nobody; that is `check` and `alert`.

use std::fmt;
use std::time::Duration;

use crate::event::fields::FieldRef;
use crate::query::Query;
use crate::schedule::Schedule;

#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Path below `alerts/` without the ending.
    pub id: String,
    /// Id of a saved query that is there.
    pub query: String,
    pub schedule: Schedule,
    /// A slot S looks at `when` in (S - window, S].
    pub window: Duration,
    pub measure: Measure,
    /// One state for each combination of these fields' values; without any, one state.
    pub by: Vec<FieldRef>,
    pub compare: Compare,
    pub limits: Limits,
    /// Names of channels that are there.
    pub notify: Vec<String>,
    /// How long a state lasts until it is told again; without it, once.
    pub renotify: Option<Duration>,
    /// What arrives later than this after its slot is recorded, not sent.
    pub lateness: Duration,
    /// Of the file, in lower-case hex.
    pub sha256: String,
}

/// Which number is made of the events found.
#[derive(Debug, Clone, PartialEq)]
pub enum Measure {
    Count,
    /// How many different values the field has.
    Distinct(FieldRef),
    /// How many values the field has that no event of the query had in this span before the window.
    New {
        field: FieldRef,
        known: Duration,
    },
    /// How many starts there are whose finish, with the same key, does not follow in time.
    Unmatched(Box<Unmatched>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Unmatched {
    pub start: Query,
    pub finish: Query,
    pub key: FieldRef,
    /// Where a finish has the key of its start, if that is another field.
    pub finish_key: Option<FieldRef>,
    /// A younger start may still finish.
    pub within: Duration,
    /// What becomes of a start whose finish comes later than that.
    pub late: Late,
}

/// What a finish does that comes later than `within` after its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// Nothing: the start had no finish in time.
    Counts,
    /// It takes the start back: the number is of what is unfinished still.
    Ends,
}

/// How the number is held against a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Greater,
    AtLeast,
    Less,
    AtMost,
    Equal,
    NotEqual,
}

/// From where on the state is WARNING or CRITICAL; at least one is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    warn: Option<u64>,
    critical: Option<u64>,
}

/// Why two limits cannot stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLimits {
    #[error("neither `warn` nor `critical` is set: it could never fire")]
    Neither,
    #[error("`warn` ({warn}) must be {} `critical` ({critical})", if *.below { "below" } else { "above" })]
    Order { warn: u64, critical: u64, below: bool },
}

/// A group without any event has the number zero, and nothing to be known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a group without events would fire, but a group is only seen by its events")]
pub struct FiresUnseen;

impl Compare {
    pub const ALL: [Self; 6] = [Self::Greater, Self::AtLeast, Self::Less, Self::AtMost, Self::Equal, Self::NotEqual];

    pub fn symbol(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }

    pub fn holds(self, value: u64, limit: u64) -> bool {
        match self {
            Self::Greater => value > limit,
            Self::AtLeast => value >= limit,
            Self::Less => value < limit,
            Self::AtMost => value <= limit,
            Self::Equal => value == limit,
            Self::NotEqual => value != limit,
        }
    }
}

impl Limits {
    /// The warning must come before the critical state, in the direction that `compare` looks.
    pub fn new(warn: Option<u64>, critical: Option<u64>, compare: Compare) -> Result<Self, BadLimits> {
        let limits = Self { warn, critical };
        let (Some(warn), Some(critical)) = (warn, critical) else {
            return if limits.is_empty() { Err(BadLimits::Neither) } else { Ok(limits) };
        };
        let (is_ordered, below) = match compare {
            Compare::Greater | Compare::AtLeast => (warn < critical, true),
            Compare::Less | Compare::AtMost => (warn > critical, false),
            Compare::Equal | Compare::NotEqual => (true, true),
        };
        if is_ordered { Ok(limits) } else { Err(BadLimits::Order { warn, critical, below }) }
    }

    /// Whether they can be held against groups, of which those without events are not seen.
    pub fn check_groups(self, compare: Compare) -> Result<(), FiresUnseen> {
        let fires = [self.warn, self.critical].into_iter().flatten().any(|limit| compare.holds(0, limit));
        if fires { Err(FiresUnseen) } else { Ok(()) }
    }

    fn is_empty(self) -> bool {
        self.warn.is_none() && self.critical.is_none()
    }

    pub fn warn(self) -> Option<u64> {
        self.warn
    }

    pub fn critical(self) -> Option<u64> {
        self.critical
    }
}

/// Whom a change of state is told, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Channel {
    /// whodid's own log on stderr.
    Log,
    /// A JSON document by POST.
    Webhook(Webhook),
}

/// Where and how a webhook posts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    pub url: WebhookUrl,
    /// Sent with every request, such as an Authorization.
    pub headers: Vec<Header>,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// A header of HTTP, whose value may be a secret and is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    name: String,
    value: String,
}

/// The text is no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no header of the form \"Name: value\"")]
pub struct BadHeader;

/// The address of a webhook; whoever knows it can post there, so it is shown without its path.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl {
    url: String,
    /// How much of it is `scheme://host:port`.
    shown: usize,
}

/// The text is no address that a message can be posted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no address of a webhook")]
pub struct BadUrl;

impl WebhookUrl {
    pub fn parse(text: &str) -> Result<Self, BadUrl> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(BadUrl)?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let is_plain = !host.is_empty() && !host.contains(['@', '\\']);
        if !is_plain || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(BadUrl);
        }
        Ok(Self { url: text.to_owned(), shown: text.len() - rest.len() + host.len() })
    }

    /// The whole address, for the request alone.
    pub fn secret(&self) -> &str {
        &self.url
    }
}

impl Header {
    /// Reads `Name: value`: a token (RFC 9110 §5.6.2) and visible ASCII.
    pub fn parse(text: &str) -> Result<Self, BadHeader> {
        let (name, value) = text.split_once(':').ok_or(BadHeader)?;
        let value = value.trim_matches(' ');
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let is_valid = !name.is_empty()
            && name.bytes().all(is_token)
            && !value.is_empty()
            && value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if is_valid { Ok(Self { name: name.to_owned(), value: value.to_owned() }) } else { Err(BadHeader) }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// For the request alone.
    pub fn secret(&self) -> &str {
        &self.value
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: …", self.name)
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/…", self.url.get(..self.shown).unwrap_or_default())
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_ordered_in_the_direction_of_the_comparison() {
        let limits = |warn, critical, compare| Limits::new(Some(warn), Some(critical), compare).map(|_| ());
        assert_eq!(limits(10, 20, Compare::AtLeast), Ok(()));
        assert_eq!(limits(20, 10, Compare::Less), Ok(()));
        assert_eq!(
            limits(50, 20, Compare::Greater).map_err(|e| e.to_string()),
            Err("`warn` (50) must be below `critical` (20)".into())
        );
        assert_eq!(
            limits(1, 5, Compare::AtMost).map_err(|e| e.to_string()),
            Err("`warn` (1) must be above `critical` (5)".into())
        );
        assert_eq!(Limits::new(None, None, Compare::Greater), Err(BadLimits::Neither));
        assert!(Limits::new(Some(1), None, Compare::Greater).is_ok());
    }

    #[test]
    fn groups_that_are_not_there_do_not_fire() {
        let check = |warn, compare| Limits::new(Some(warn), None, compare).expect("limits").check_groups(compare);
        assert_eq!(check(1, Compare::AtLeast), Ok(()));
        assert_eq!(check(0, Compare::AtLeast), Err(FiresUnseen));
        assert_eq!(check(1, Compare::Less), Err(FiresUnseen));
        assert_eq!(check(1, Compare::NotEqual), Err(FiresUnseen));
        assert_eq!(check(1, Compare::Equal), Ok(()));
    }

    #[test]
    fn headers_are_read_and_their_values_not_shown() {
        let header = Header::parse("Authorization: Bearer s3cr3t").expect("valid");
        assert_eq!((header.name(), header.secret()), ("Authorization", "Bearer s3cr3t"));
        assert_eq!(format!("{header:?}"), "Authorization: …");
        for text in ["", "Authorization", ": x", "A:", "A b: x", "A: x\r\nB: y", "Ä: x", "A: ä"] {
            assert_eq!(Header::parse(text), Err(BadHeader), "{text}");
        }
    }

    #[test]
    fn every_comparison_does_what_its_sign_says() {
        let held: Vec<Vec<u64>> =
            Compare::ALL.map(|compare| (0..3).filter(|value| compare.holds(*value, 1)).collect()).to_vec();
        assert_eq!(held, [vec![2], vec![1, 2], vec![0], vec![0, 1], vec![1], vec![0, 2]]);
    }

    #[test]
    fn the_secret_part_of_an_address_is_not_shown() {
        let url = WebhookUrl::parse("https://hooks.example.org:8443/T0/B0/s3cr3t?x").expect("valid");
        assert_eq!(format!("{url} {url:?}"), "https://hooks.example.org:8443/… https://hooks.example.org:8443/…");
        assert_eq!(url.secret(), "https://hooks.example.org:8443/T0/B0/s3cr3t?x");
        for text in ["", "hooks.example.org", "ftp://a/", "https://", "https:///x", "https://a b/", "https://u:p@h/"] {
            assert_eq!(WebhookUrl::parse(text), Err(BadUrl), "{text}");
        }
    }
}
