//! The fields of an event that can be searched, their kinds, and the names other people know them by.
//!
//! One table, used by the query language, both indexes, and `--format ecs`. `detail.<family>.<path>`
//! is open-ended and therefore not in the table: every scalar below `detail` is a string there.

use std::net::IpAddr;

use super::{Event, Family, Stamp};

/// What a field holds, and so which comparisons it knows (`docs/query.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The whole value, case-sensitive; its first [`SEARCHABLE_BYTES_MAX`] bytes count.
    Keyword,
    /// Words, lower-cased ([`super::text`]).
    Text,
    Number,
    Ip,
    Time,
}

/// One value of one field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    Str(&'a str),
    Number(i64),
    Ip(IpAddr),
    Time(Stamp),
}

/// Hands an event's values to a sink.
type Values = fn(&Event, Sink<'_>);

/// A searchable field.
pub struct Field {
    pub name: &'static str,
    pub kind: Kind,
    /// Other names; the first one is where `--format ecs` writes the field.
    pub aliases: &'static [&'static str],
    /// One line for `whodid query fields` and the docs.
    pub doc: &'static str,
    values: Values,
}

impl Field {
    /// Hands every value that the event has in this field to `sink`.
    pub fn each(&self, event: &Event, sink: &mut dyn FnMut(Value<'_>)) {
        (self.values)(event, sink);
    }
}

impl Field {
    /// Whether its values are in no event, but come of links, verdicts and of who is who, when an event is read.
    pub fn is_joined(&self) -> bool {
        JOINED.contains(&self.name)
    }
}

/// Of an event alone these fields have no value: no index holds them (`query::people`).
pub const JOINED: [&str; 3] = [PERSON, CHAIN, DIGEST];

pub const PERSON: &str = "who.person";
pub const CHAIN: &str = "who.chain";
pub const DIGEST: &str = "source.digest";

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Of a longer keyword, only this much is compared, in every engine: Lucene's limit is 32,766.
pub const SEARCHABLE_BYTES_MAX: usize = 8_190;

/// The part of a keyword value that engines compare.
pub fn searchable(value: &str) -> &str {
    match value.len() {
        0..=SEARCHABLE_BYTES_MAX => value,
        _ => value.get(..value.floor_char_boundary(SEARCHABLE_BYTES_MAX)).unwrap_or(value),
    }
}

/// What a name in a query means.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldRef {
    Known(&'static Field),
    /// A path below `detail`, without that word: `cloudtrail.requestParameters.groupId`.
    Detail(String),
}

impl FieldRef {
    pub fn name(&self) -> String {
        match self {
            Self::Known(field) => field.name.to_owned(),
            Self::Detail(path) => format!("detail.{path}"),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Known(field) => field.kind,
            Self::Detail(_) => Kind::Keyword,
        }
    }

    /// See [`Field::is_joined`].
    pub fn is_joined(&self) -> bool {
        matches!(self, Self::Known(field) if field.is_joined())
    }
}

/// Finds a field by its name or an alias; `detail.…` and `<family>.…` are paths.
pub fn resolve(name: &str) -> Option<FieldRef> {
    if let Some(field) = FIELDS.iter().find(|f| f.name == name || f.aliases.contains(&name)) {
        return Some(FieldRef::Known(field));
    }
    let path = name.strip_prefix("detail.").unwrap_or(name);
    let (family, rest) = path.split_once('.')?;
    let known = Family::ALL.iter().any(|f| f.detail_key() == family);
    (known && !rest.is_empty()).then(|| FieldRef::Detail(path.to_owned()))
}

/// The known name nearest to a mistyped one.
pub fn suggest(name: &str) -> Option<&'static str> {
    FIELDS
        .iter()
        .flat_map(|f| std::iter::once(f.name).chain(f.aliases.iter().copied()))
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// A field by its own name, for code that names one.
pub fn named(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|f| f.name == name)
}

type Sink<'a> = &'a mut dyn FnMut(Value<'_>);

fn text(value: Option<&str>, sink: Sink<'_>) {
    if let Some(text) = value {
        sink(Value::Str(text));
    }
}

fn number(value: Option<impl Into<i64>>, sink: Sink<'_>) {
    if let Some(n) = value {
        sink(Value::Number(n.into()));
    }
}

macro_rules! field {
    ($name:literal, $kind:ident, [$($alias:literal),*], $doc:literal, $values:expr) => {
        Field { name: $name, kind: Kind::$kind, aliases: &[$($alias),*], doc: $doc, values: $values }
    };
}

/// The table.
pub static FIELDS: &[Field] = &[
    field!("id", Keyword, ["event.id", "_id"], "the event's id", |e, sink| sink(Value::Str(&e.id.to_string()))),
    field!("when", Time, ["@timestamp"], "when it happened", |e, sink| sink(Value::Time(e.when))),
    field!("observed", Time, ["event.created"], "when it was read", |e, sink| sink(Value::Time(e.observed))),
    field!("who.kind", Keyword, [], "user, role, service, root, account", |e, sink| text(e.who.kind.as_deref(), sink)),
    field!("who.name", Keyword, ["user.name"], "who acted", |e, sink| text(e.who.name.as_deref(), sink)),
    field!("who.id", Keyword, ["user.id"], "uid, or principal id", |e, sink| text(e.who.id.as_deref(), sink)),
    field!("who.as.name", Keyword, ["user.effective.name"], "whom they became", |e, sink| {
        text(e.who.as_.as_ref().and_then(|n| n.name.as_deref()), sink);
    }),
    field!("who.as.id", Keyword, ["user.effective.id"], "id of whom they became", |e, sink| {
        text(e.who.as_.as_ref().and_then(|n| n.id.as_deref()), sink);
    }),
    field!("who.ip", Ip, ["source.ip"], "the address they came from", |e, sink| {
        if let Some(ip) = e.who.ip {
            sink(Value::Ip(ip));
        }
    }),
    field!("who.host", Keyword, ["source.domain"], "the machine name they came from", |e, sink| text(
        e.who.host.as_deref(),
        sink
    )),
    field!("who.address", Keyword, ["source.address"], "address or machine name they came from", |e, sink| {
        match (&e.who.ip, &e.who.host) {
            (Some(ip), _) => sink(Value::Str(&ip.to_string())),
            (None, host) => text(host.as_deref(), sink),
        }
    }),
    field!("who.port", Number, ["source.port"], "the port they came from", |e, sink| number(e.who.port, sink)),
    field!("who.session", Keyword, [], "session id", |e, sink| text(e.who.session.as_deref(), sink)),
    field!("who.key", Keyword, [], "key fingerprint or access key id", |e, sink| text(e.who.key.as_deref(), sink)),
    field!(
        "who.person",
        Keyword,
        [],
        "the person who acted, by the link to their login or by the identity map",
        |_, _| {}
    ),
    field!("who.chain", Keyword, [], "account@address of the login, then each account that was become", |_, _| {}),
    field!("who.service", Keyword, [], "the service that called for somebody", |e, sink| text(
        e.who.service.as_deref(),
        sink
    )),
    field!(
        "what.action",
        Keyword,
        ["event.action"],
        "what was done: ssh.login, AuthorizeSecurityGroupIngress",
        |e, sink| {
            sink(Value::Str(&e.what.action));
        }
    ),
    field!("what.category", Keyword, ["event.category"], "authentication, session, process, iam, …", |e, sink| {
        e.what.category.iter().for_each(|c| sink(Value::Str(c)));
    }),
    field!("what.provider", Keyword, ["event.provider"], "the service called: ec2.amazonaws.com", |e, sink| {
        text(e.what.provider.as_deref(), sink);
    }),
    field!("what.object", Keyword, [], "the thing acted on", |e, sink| text(e.what.object.as_deref(), sink)),
    field!("what.objects", Keyword, [], "all that a call to AWS acted on, by name and ARN", |e, sink| {
        e.what.objects.iter().for_each(|object| sink(Value::Str(object)));
    }),
    field!("what.command", Text, ["process.command_line"], "the command line", |e, sink| text(
        e.what.command.as_deref(),
        sink
    )),
    field!("what.run", Keyword, [], "id of the run that it belongs to, and of the runs around that", |e, sink| {
        e.what.run.iter().for_each(|run| sink(Value::Str(run)));
    }),
    field!("what.target.name", Keyword, ["user.target.name"], "the user acted on", |e, sink| {
        text(e.what.target.as_ref().and_then(|n| n.name.as_deref()), sink);
    }),
    field!("what.target.id", Keyword, ["user.target.id"], "id of the user acted on", |e, sink| {
        text(e.what.target.as_ref().and_then(|n| n.id.as_deref()), sink);
    }),
    field!("what.group.name", Keyword, ["group.name"], "the group acted on", |e, sink| {
        text(e.what.group.as_ref().and_then(|n| n.name.as_deref()), sink);
    }),
    field!("what.group.id", Keyword, ["group.id"], "id of the group acted on", |e, sink| {
        text(e.what.group.as_ref().and_then(|n| n.id.as_deref()), sink);
    }),
    field!("what.exposes.cidr", Keyword, [], "network that a change let in", |e, sink| {
        e.what.exposes.iter().for_each(|x| text(x.cidr.as_deref(), sink));
    }),
    field!("what.exposes.protocol", Keyword, [], "protocol that a change let in", |e, sink| {
        e.what.exposes.iter().for_each(|x| text(x.protocol.as_deref(), sink));
    }),
    field!("what.exposes.from", Number, [], "first port that a change opened", |e, sink| {
        e.what.exposes.iter().for_each(|x| number(x.from, sink));
    }),
    field!("what.exposes.to", Number, [], "last port that a change opened", |e, sink| {
        e.what.exposes.iter().for_each(|x| number(x.to, sink));
    }),
    field!(
        "what.exposes.principal",
        Keyword,
        [],
        "account, ARN or service that a change let in; * is everybody",
        |e, sink| {
            e.what.exposes.iter().for_each(|x| text(x.principal.as_deref(), sink));
        }
    ),
    field!("what.exposes.rule", Keyword, [], "the rule, statement or policy that lets it in", |e, sink| {
        e.what.exposes.iter().for_each(|x| text(x.rule.as_deref(), sink));
    }),
    field!("what.closes.cidr", Keyword, [], "network that a change let in no longer", |e, sink| {
        e.what.closes.iter().for_each(|x| text(x.cidr.as_deref(), sink));
    }),
    field!("what.closes.principal", Keyword, [], "who was let in no longer", |e, sink| {
        e.what.closes.iter().for_each(|x| text(x.principal.as_deref(), sink));
    }),
    field!("what.closes.protocol", Keyword, [], "protocol that a change closed", |e, sink| {
        e.what.closes.iter().for_each(|x| text(x.protocol.as_deref(), sink));
    }),
    field!("what.closes.from", Number, [], "first port that a change closed", |e, sink| {
        e.what.closes.iter().for_each(|x| number(x.from, sink));
    }),
    field!("what.closes.to", Number, [], "last port that a change closed", |e, sink| {
        e.what.closes.iter().for_each(|x| number(x.to, sink));
    }),
    field!("what.closes.rule", Keyword, [], "the rule, statement or policy that a change took away", |e, sink| {
        e.what.closes.iter().for_each(|x| text(x.rule.as_deref(), sink));
    }),
    field!("what.world", Keyword, [], "true where a change let everybody in", |e, sink| {
        if e.what.world {
            sink(Value::Str("true"));
        }
    }),
    field!("where.host", Keyword, ["host.hostname", "host.name"], "the machine where it happened", |e, sink| {
        text(e.place.host.as_deref(), sink);
    }),
    field!("where.service", Keyword, ["process.name"], "the program that wrote the record", |e, sink| {
        text(e.place.service.as_deref(), sink);
    }),
    field!("where.pid", Number, ["process.pid"], "its process id", |e, sink| number(e.place.pid, sink)),
    field!("where.tty", Keyword, [], "terminal", |e, sink| text(e.place.tty.as_deref(), sink)),
    field!("where.cwd", Keyword, ["process.working_directory"], "working directory", |e, sink| text(
        e.place.cwd.as_deref(),
        sink
    )),
    field!("where.account", Keyword, ["cloud.account.id"], "cloud account", |e, sink| text(
        e.place.account.as_deref(),
        sink
    )),
    field!("where.region", Keyword, ["cloud.region"], "cloud region", |e, sink| text(e.place.region.as_deref(), sink)),
    field!("outcome", Keyword, ["event.outcome"], "success, failure, unknown", |e, sink| sink(Value::Str(
        e.outcome.as_str()
    ))),
    field!("reason", Text, ["event.reason"], "why", |e, sink| text(e.reason.as_deref(), sink)),
    field!("trust", Keyword, [], "kernel, journal, signed, claimed, own", |e, sink| sink(Value::Str(e.trust.as_str()))),
    field!("source.name", Keyword, [], "the source in the configuration", |e, sink| sink(Value::Str(&e.source.name))),
    field!("source.kind", Keyword, ["event.module"], "source family: auth, wtmp, cloudtrail, …", |e, sink| {
        sink(Value::Str(e.source.kind.name()));
    }),
    field!("source.origin", Keyword, ["log.file.path"], "path or object it was read from", |e, sink| {
        sink(Value::Str(&e.source.origin));
    }),
    field!(
        "source.digest",
        Keyword,
        [],
        "what CloudTrail's digests prove of the object: verified, unlisted, altered, missing, pending",
        |_, _| {}
    ),
    field!("source.lineage", Keyword, [], "content stream it was read from", |e, sink| {
        if let Some(lineage) = e.source.lineage {
            sink(Value::Str(&lineage.to_string()));
        }
    }),
    field!("source.pos", Number, ["log.offset"], "offset of the record in its stream", |e, sink| {
        number(e.source.pos.and_then(|pos| i64::try_from(pos).ok()), sink);
    }),
    field!("tags", Keyword, [], "marks that decoders set: when_guessed, …", |e, sink| {
        e.tags.iter().for_each(|tag| sink(Value::Str(tag)));
    }),
    field!("raw", Text, ["event.original", "message"], "the record; bare words search here", |e, sink| {
        text(e.raw.as_deref(), sink);
    }),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_fields_share_a_name() {
        let mut seen = std::collections::HashSet::new();
        for field in FIELDS {
            for name in std::iter::once(&field.name).chain(field.aliases) {
                assert!(seen.insert(*name), "{name} stands twice");
            }
        }
    }

    #[test]
    fn names_aliases_and_paths_resolve_and_others_do_not() {
        assert_eq!(resolve("user.name").map(|f| f.name()).as_deref(), Some("who.name"));
        let path = FieldRef::Detail("cloudtrail.requestParameters.groupId".into());
        assert_eq!(resolve("detail.cloudtrail.requestParameters.groupId"), Some(path.clone()));
        assert_eq!(resolve("cloudtrail.requestParameters.groupId"), Some(path));
        assert_eq!(resolve("who.nmae"), None);
        assert_eq!(resolve("detail.nothing.x"), None);
        assert_eq!(suggest("who.nmae"), Some("who.name"));
    }

    #[test]
    fn long_keywords_are_cut_at_a_character() {
        let long = "ä".repeat(SEARCHABLE_BYTES_MAX);
        assert!(searchable(&long).len() <= SEARCHABLE_BYTES_MAX);
        assert!(searchable(&long).chars().all(|c| c == 'ä'));
    }
}
