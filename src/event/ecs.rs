//! The event in the Elastic Common Schema, as nested JSON: what `--format ecs` prints.
//!
//! Where a field goes is its first alias in [`FIELDS`]; a field without one goes below `whodid`. What a
//! source alone knows stands at the top under its family's name: `utmp.type`, `cloudtrail.eventID`.
//!
//! Invariants: nothing under `detail` can replace or shadow a field of the schema or of `whodid`; every
//! field has the same type in every event, so that Elasticsearch's mapping of one accepts the next. For
//! that, each scalar under `detail` is a string (as the query language sees it), null is left out, and a
//! name there holds no dot.

use serde_json::{Map, Value as Json, json};

use super::fields::{FIELDS, Field, Value};
use super::{Event, Family};

/// The version of the schema whose names these are.
pub const ECS_VERSION: &str = "8.17.0";

/// The event as one object of the schema.
pub fn to_ecs(event: &Event) -> Json {
    let mut doc = Map::new();
    for field in FIELDS.iter().filter(|field| ![EXPOSES, CLOSES].iter().any(|list| field.name.starts_with(list))) {
        put_field(&mut doc, field, event);
    }
    put(&mut doc, "ecs.version", json!(ECS_VERSION));
    put(&mut doc, "event.kind", json!("event"));
    if event.source.kind == Family::Cloudtrail {
        put(&mut doc, "cloud.provider", json!("aws"));
    }
    put_own(&mut doc, event);
    put_related(&mut doc, event);
    for (family, detail) in event.detail_tree() {
        put_detail(&mut doc, &family, detail);
    }
    Json::Object(doc)
}

/// One object per opening keeps together what belongs together; the table's fields would be four lists.
const EXPOSES: &str = "what.exposes";
const CLOSES: &str = "what.closes";

/// Fields that are lists even where they hold one value.
const LISTS: &[&str] = &["what.category", "what.objects", "tags"];

fn put_field(doc: &mut Map<String, Json>, field: &Field, event: &Event) {
    let mut values = Vec::new();
    field.each(event, &mut |value| values.push(json_of(value)));
    let is_list = LISTS.contains(&field.name);
    let value = match values.pop() {
        None => return,
        Some(only) if values.is_empty() && !is_list => only,
        Some(last) => {
            values.push(last);
            Json::Array(values)
        }
    };
    put(doc, &path(field), value);
}

/// Where the schema, or `whodid`, has this field.
fn path(field: &Field) -> String {
    match field.aliases.first() {
        Some(alias) => (*alias).to_owned(),
        // The schema's own word.
        None if field.name == "tags" => field.name.to_owned(),
        None => format!("{OWN}.{}", field.name),
    }
}

const OWN: &str = "whodid";

fn json_of(value: Value<'_>) -> Json {
    match value {
        Value::Str(text) => Json::from(text),
        Value::Number(number) => Json::from(number),
        Value::Ip(ip) => Json::from(ip.to_string()),
        Value::Time(when) => Json::from(when.to_string()),
    }
}

/// What the schema has no name for and queries do not ask for.
fn put_own(doc: &mut Map<String, Json>, event: &Event) {
    let mut own = |name: &str, value: Json| put(doc, &format!("{OWN}.{name}"), value);
    own("v", json!(event.v));
    if !event.what.exposes.is_empty() {
        own(EXPOSES, json!(event.what.exposes));
    }
    if !event.what.closes.is_empty() {
        own(CLOSES, json!(event.what.closes));
    }
    if event.source.lineage.is_some() {
        own("source.generation", json!(event.source.generation));
    }
    if let Some(next) = event.source.next {
        own("source.next", json!(next));
    }
    if let Some(bytes) = &event.raw_base64 {
        own("raw_base64", json!(bytes));
    }
    if let Some(blob) = &event.raw_blob {
        own("raw_blob", json!(blob));
    }
}

/// Everybody, every address and every machine that the event names: what one searches first.
fn put_related(doc: &mut Map<String, Json>, event: &Event) {
    let named = [&event.who.as_, &event.what.target].into_iter().flatten().filter_map(|named| named.name.as_ref());
    let users = distinct(event.who.name.iter().chain(named));
    let hosts = distinct(event.place.host.iter().chain(&event.who.host));
    let ips: Vec<String> = event.who.ip.iter().map(ToString::to_string).collect();
    for (name, values) in [("related.user", json!(users)), ("related.hosts", json!(hosts)), ("related.ip", json!(ips))]
    {
        if values.as_array().is_some_and(|values| !values.is_empty()) {
            put(doc, name, values);
        }
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen
}

/// Lifts a family's object to the top. Our own family's names stand beside those of [`put_own`]; what has
/// no place of its own goes below `whodid.detail`.
fn put_detail(doc: &mut Map<String, Json>, family: &str, detail: Json) {
    let is_family = Family::ALL.iter().any(|known| known.detail_key() == family);
    match plain(detail) {
        Some(Json::Object(names)) if family == OWN => {
            for (name, value) in names {
                let is_taken = TAKEN.contains(&name.as_str());
                let path: &[&str] = if is_taken { &[OWN, "detail", &name] } else { &[OWN, &name] };
                put_at(doc, path, value);
            }
        }
        Some(names @ Json::Object(_)) if is_family => put_at(doc, &[family], names),
        Some(other) => put_at(doc, &[OWN, "detail", &plain_name(family)], other),
        None => {}
    }
}

/// The names directly below `whodid` that are not our own events' details.
const TAKEN: &[&str] =
    &["detail", "raw_base64", "raw_blob", "source", "trust", "v", "what", "where", "who", "id", "when"];

/// The same tree with strings for scalars and without nulls; `None` for what holds nothing.
fn plain(value: Json) -> Option<Json> {
    match value {
        Json::Null => None,
        Json::Bool(value) => Some(Json::String(value.to_string())),
        Json::Number(number) => Some(Json::String(number.to_string())),
        Json::String(text) => Some(Json::String(text)),
        Json::Array(items) => Some(Json::Array(items.into_iter().filter_map(plain).collect())),
        Json::Object(names) => {
            let mut out = Map::new();
            for (name, value) in names {
                let Some(value) = plain(value) else { continue };
                let mut name = plain_name(&name);
                while out.contains_key(&name) {
                    name.push('_');
                }
                out.insert(name, value);
            }
            Some(Json::Object(out))
        }
    }
}

/// Elasticsearch takes a dot for a level and refuses a name that is empty or blank.
fn plain_name(name: &str) -> String {
    match name.trim().is_empty() {
        true => "_".to_owned(),
        false => name.replace('.', "_"),
    }
}

/// Sets a value at a path with dots between its levels.
fn put(doc: &mut Map<String, Json>, path: &str, value: Json) {
    let levels: Vec<&str> = path.split('.').collect();
    put_at(doc, &levels, value);
}

/// Sets a value; what stands in its way stays.
fn put_at(doc: &mut Map<String, Json>, path: &[&str], value: Json) {
    let Some((name, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        doc.entry(*name).or_insert(value);
        return;
    }
    if let Json::Object(below) = doc.entry(*name).or_insert_with(|| Json::Object(Map::new())) {
        put_at(below, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EventId, Exposure, Lineage, Named, Outcome, RawBlob, Source, Stamp};
    use super::*;

    fn event(kind: Family) -> Event {
        let source = Source {
            name: "auth".into(),
            kind,
            origin: "/var/log/auth.log".into(),
            lineage: None,
            generation: 0,
            pos: None,
            next: None,
        };
        let at = |text| Stamp::parse(text).expect("an instant");
        let id = EventId::from_bytes([0; 16]);
        Event::new(id, "sudo.command", at("2026-11-20T10:11:12.5Z"), at("2026-11-20T10:11:13Z"), source)
    }

    #[test]
    fn every_question_has_its_place_in_the_schema() {
        let mut event = event(Family::Auth);
        event.who.kind = Some("user".to_owned());
        event.who.name = Some("alice".to_owned());
        event.who.id = Some("1000".to_owned());
        event.who.as_ = Some(Named { name: Some("root".to_owned()), id: Some("0".to_owned()) });
        event.who.ip = "203.0.113.7".parse().ok();
        event.who.host = Some("desk-7".to_owned());
        event.who.port = Some(50122);
        event.who.session = Some("c7".to_owned());
        event.what.category = vec!["process".to_owned()];
        event.what.object = Some("/usr/bin/apt".to_owned());
        event.what.command = Some("/usr/bin/apt upgrade".to_owned());
        event.what.target = Some(Named::name("alice"));
        event.what.group = Some(Named { name: None, id: Some("27".to_owned()) });
        event.place.host = Some("web-1".to_owned());
        event.place.service = Some("sudo".to_owned());
        event.place.pid = Some(412);
        event.place.tty = Some("pts/0".to_owned());
        event.place.cwd = Some("/root".to_owned());
        event.outcome = Outcome::Success;
        event.reason = Some("asked".to_owned());
        event.source.lineage = Some(Lineage::new("web-1", Family::Auth, b"head"));
        event.source.pos = Some(1841);
        event.source.next = Some(1962);
        event.tag("when_guessed");
        event.set_detail("env", "PATH=/bin");
        event.raw = Some("Nov 20 10:11:12 web-1 sudo: \u{1b}".to_owned());
        let lineage = event.source.lineage.map(|lineage| lineage.to_string());
        assert_eq!(
            to_ecs(&event),
            json!({
                "@timestamp": "2026-11-20T10:11:12.500Z",
                "auth": {"env": "PATH=/bin"},
                "ecs": {"version": "8.17.0"},
                "event": {
                    "action": "sudo.command",
                    "category": ["process"],
                    "created": "2026-11-20T10:11:13Z",
                    "id": "aaaaaaaaaaaaaaaaaaaaaaaaaa",
                    "kind": "event",
                    "module": "auth",
                    "original": "Nov 20 10:11:12 web-1 sudo: \u{1b}",
                    "outcome": "success",
                    "reason": "asked",
                },
                "group": {"id": "27"},
                "host": {"hostname": "web-1"},
                "log": {"file": {"path": "/var/log/auth.log"}, "offset": 1841},
                "process": {
                    "command_line": "/usr/bin/apt upgrade",
                    "name": "sudo",
                    "pid": 412,
                    "working_directory": "/root",
                },
                "related": {"hosts": ["web-1", "desk-7"], "ip": ["203.0.113.7"], "user": ["alice", "root"]},
                "source": {"address": "203.0.113.7", "domain": "desk-7", "ip": "203.0.113.7", "port": 50122},
                "tags": ["when_guessed"],
                "user": {
                    "effective": {"id": "0", "name": "root"},
                    "id": "1000",
                    "name": "alice",
                    "target": {"name": "alice"},
                },
                "whodid": {
                    "source": {"generation": 0, "lineage": lineage, "name": "auth", "next": 1962},
                    "trust": "claimed",
                    "v": 1,
                    "what": {"object": "/usr/bin/apt"},
                    "where": {"tty": "pts/0"},
                    "who": {"kind": "user", "session": "c7"},
                },
            })
        );
    }

    #[test]
    fn a_cloudtrail_record_stands_under_its_own_name() {
        let mut event = event(Family::Cloudtrail);
        event.what.action = "AuthorizeSecurityGroupIngress".to_owned();
        event.what.provider = Some("ec2.amazonaws.com".to_owned());
        event.what.exposes = vec![
            Exposure {
                cidr: Some("0.0.0.0/0".to_owned()),
                protocol: Some("tcp".to_owned()),
                from: Some(22),
                to: Some(22),
                ..Exposure::default()
            },
            Exposure { cidr: Some("::/0".to_owned()), ..Exposure::default() },
        ];
        event.place.account = Some("111122223333".to_owned());
        event.place.region = Some("eu-central-1".to_owned());
        event.raw =
            Some(r#"{"readOnly":false,"n":1.50,"none":null,"requestParameters":{"groupId":"sg-1"}}"#.to_owned());
        let doc = to_ecs(&event);
        assert_eq!(
            doc.get("cloudtrail"),
            Some(&json!({"n": "1.5", "readOnly": "false", "requestParameters": {"groupId": "sg-1"}}))
        );
        assert_eq!(
            doc.get("cloud"),
            Some(&json!({"account": {"id": "111122223333"}, "provider": "aws", "region": "eu-central-1"}))
        );
        assert_eq!(
            doc.pointer("/whodid/what"),
            Some(&json!({"exposes": [
                {"cidr": "0.0.0.0/0", "protocol": "tcp", "from": 22, "to": 22},
                {"cidr": "::/0"},
            ]}))
        );
    }

    #[test]
    fn details_replace_nothing() {
        let mut event = event(Family::Auth);
        let before = to_ecs(&event);
        for (family, detail) in [
            ("user", json!({"name": "root"})),
            ("@timestamp", json!("1970-01-01T00:00:00Z")),
            ("event.id", json!(1)),
            ("", json!("blank")),
            ("auth", json!({"a.b": 1, "a_b": [true, null, {"": "x", " ": "y"}], "a": {"b": 2}})),
            ("whodid", json!({"trust": "own", "who": 1, "detail": 2, "slot": 3})),
        ] {
            event.detail.insert(family.to_owned(), detail);
        }
        let mut after = to_ecs(&event);
        let doc = after.as_object_mut().expect("an object");
        assert_eq!(
            doc.remove("auth"),
            Some(json!({"a": {"b": "2"}, "a_b": "1", "a_b_": ["true", {"_": "x", "__": "y"}]}))
        );
        let own = doc.get_mut("whodid").and_then(Json::as_object_mut).expect("an object");
        assert_eq!(own.remove("slot"), Some(json!("3")));
        assert_eq!(
            own.remove("detail"),
            Some(json!({
                "@timestamp": "1970-01-01T00:00:00Z",
                "_": "blank",
                "detail": "2",
                "event_id": "1",
                "trust": "own",
                "user": {"name": "root"},
                "who": "1",
            }))
        );
        assert_eq!(after, before);
    }

    #[test]
    fn bytes_that_are_no_text_and_blobs_are_named() {
        let mut event = event(Family::Wtmp);
        event.raw_base64 = Some("/w==".to_owned());
        event.raw_blob = Some(RawBlob { sha256: "00ff".to_owned(), bytes: 9 });
        event.set_detail("type", 7);
        let doc = to_ecs(&event);
        assert_eq!(doc.pointer("/utmp/type"), Some(&json!("7")));
        assert_eq!(doc.pointer("/whodid/raw_base64"), Some(&json!("/w==")));
        assert_eq!(doc.pointer("/whodid/raw_blob"), Some(&json!({"bytes": 9, "sha256": "00ff"})));
        assert_eq!(doc.pointer("/event/original"), None);
    }

    #[test]
    fn no_field_lies_within_another_and_every_own_name_is_taken() {
        let paths: Vec<String> = FIELDS.iter().map(path).collect();
        for path in &paths {
            assert_eq!(paths.iter().filter(|other| *other == path).count(), 1, "{path}");
            assert!(!paths.iter().any(|other| other.starts_with(&format!("{path}."))), "{path}");
            let own = path.strip_prefix("whodid.").and_then(|below| below.split('.').next());
            assert!(own.is_none_or(|name| TAKEN.contains(&name)), "{path}");
            let family = Family::ALL.iter().any(|known| path.starts_with(&format!("{}.", known.detail_key())));
            assert!(!family || own.is_some(), "{path}");
        }
    }
}
