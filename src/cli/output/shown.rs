//! An event as JSON, with who was behind it.
//!
//! Invariant: taken away `who.person`, `who.chain`, `source.digest` and `link`, it is the event as it was stored.

use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::event::{self, Event, Outcome, Source, Stamp, Trust, ecs as schema};
use crate::query::Attribution;

/// As the trail has it: the fields in the order of the event's own.
pub(super) fn json(event: &Event, by: &Attribution) -> serde_json::Result<String> {
    if by.is_empty() {
        return serde_json::to_string(event);
    }
    let Event { v, id, when, observed, who, what, place, outcome, reason, trust, source, tags, detail, .. } = event;
    serde_json::to_string(&Shown {
        v: *v,
        id,
        when: *when,
        observed: *observed,
        who: Who { own: who, person: &by.person, chain: by.chain() },
        what,
        place,
        outcome: *outcome,
        reason,
        trust: *trust,
        source: Origin { own: source, digest: by.digest.first() },
        tags,
        detail,
        raw: &event.raw,
        raw_base64: &event.raw_base64,
        raw_blob: &event.raw_blob,
        link: link(by),
    })
}

/// In the Elastic Common Schema: below `whodid`, and all names in `related.user`.
pub(super) fn ecs(event: &Event, by: &Attribution) -> serde_json::Result<String> {
    let mut document = schema::to_ecs(event);
    if !by.is_empty() {
        // The person and each account on the way are whom one may look for.
        let facts = by.link.as_ref().map(|tie| &tie.facts);
        let accounts = facts.into_iter().flat_map(|facts| facts.account.iter().chain(facts.chain.iter().skip(1)));
        add(&mut document, &["related", "user"], by.person.iter().chain(accounts).map(|name| json!(name)));
        add(&mut document, &["related", "ip"], by.ip().map(|ip| json!(ip)));
        add(&mut document, &["whodid", "who", "person"], by.person.iter().map(|name| json!(name)));
        add(&mut document, &["whodid", "who", "chain"], by.chain().iter().map(|hop| json!(hop)));
        add(&mut document, &["whodid", "source", "digest"], by.digest.iter().map(|word| json!(word)));
        if let (Some(link), Json::Object(own)) = (link(by), &mut document["whodid"]) {
            own.insert("link".to_owned(), link);
        }
    }
    serde_json::to_string(&document)
}

/// Adds to the list at a path what is not in it yet.
fn add(document: &mut Json, path: &[&str], values: impl IntoIterator<Item = Json>) {
    let mut values = values.into_iter().peekable();
    if values.peek().is_none() {
        return;
    }
    // Indexing an object makes what is not there; all on the way are objects.
    let slot = path.iter().fold(document, |below, name| &mut below[*name]);
    if slot.is_null() {
        *slot = json!([]);
    }
    if let Json::Array(list) = slot {
        values.for_each(|value| {
            if !list.contains(&value) {
                list.push(value);
            }
        });
    }
}

/// What the link says besides the chain, with its own place in the trail.
fn link(by: &Attribution) -> Option<Json> {
    let tie = by.link.as_ref()?;
    // Strings, numbers and lists: they always serialise.
    let mut facts = serde_json::to_value(&tie.facts).unwrap_or_default();
    if let Json::Object(facts) = &mut facts {
        facts.remove("chain");
        facts.insert("seq".to_owned(), json!(tie.seq));
    }
    Some(facts)
}

/// An event's own fields, in their order.
#[derive(Serialize)]
struct Shown<'a> {
    v: u8,
    id: &'a event::EventId,
    when: Stamp,
    observed: Stamp,
    who: Who<'a>,
    what: &'a event::What,
    #[serde(rename = "where", skip_serializing_if = "event::Where::is_empty")]
    place: &'a event::Where,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: &'a Option<String>,
    trust: Trust,
    source: Origin<'a>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "Map::is_empty")]
    detail: &'a Map<String, Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_base64: &'a Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_blob: &'a Option<event::RawBlob>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<Json>,
}

#[derive(Serialize)]
struct Who<'a> {
    #[serde(flatten)]
    own: &'a event::Who,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    person: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    chain: &'a [String],
}

#[derive(Serialize)]
struct Origin<'a> {
    #[serde(flatten)]
    own: &'a Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::link::{Confidence, Facts, Via};
    use crate::event::{EventId, Family};
    use crate::query::people::Tie;

    fn event() -> Event {
        let line = r#"{"v":1,"id":"aaaaaaaaaaaaaaaaaaaaaaaaaa","when":"2026-11-20T10:11:12Z","observed":"2026-11-20T10:11:13Z",
            "who":{"kind":"root","name":"root","as":{"name":"postgres"}},"what":{"action":"user.add","category":["iam"],"object":"x"},
            "where":{"host":"web-1"},"outcome":"success","reason":"r","trust":"claimed",
            "source":{"name":"auth","kind":"auth","origin":"/var/log/auth.log","pos":7},"tags":["redacted"],
            "detail":{"auth":{"x":1}},"raw":"r","raw_base64":"cg==","raw_blob":{"sha256":"00","bytes":1}}"#;
        Event::decode(line.as_bytes()).expect("an event")
    }

    fn by() -> Attribution {
        let facts = Facts {
            chain: vec!["ana@203.0.113.7".to_owned(), "ana".to_owned(), "root".to_owned()],
            account: Some("ana".to_owned()),
            ip: "203.0.113.7".parse().ok(),
            via: vec![Via::Tty],
            evidence: vec![3],
            ..Facts::new(812, Confidence::Medium)
        };
        Attribution {
            person: vec!["Ana Example".to_owned()],
            link: Some(Tie { seq: 900, facts }),
            digest: vec!["altered".to_owned()],
        }
    }

    /// A field that the event gets one day must be shown too.
    #[test]
    fn without_what_was_joined_it_is_the_event() {
        let event = event();
        let mut shown: Json = serde_json::from_str(&json(&event, &by()).expect("JSON")).expect("JSON");
        assert_eq!(Event::decode(shown.to_string().as_bytes()).expect("an event"), event);
        let link = shown.as_object_mut().and_then(|shown| shown.remove("link"));
        let who = shown.get_mut("who").and_then(Json::as_object_mut).expect("an object");
        assert_eq!(who.remove("person"), Some(json!(["Ana Example"])));
        assert_eq!(who.remove("chain"), Some(json!(["ana@203.0.113.7", "ana", "root"])));
        let source = shown.get_mut("source").and_then(Json::as_object_mut).expect("an object");
        assert_eq!(source.remove("digest"), Some(json!("altered")));
        assert_eq!(
            link,
            Some(
                json!({"seq": 900, "account": "ana", "ip": "203.0.113.7", "via": ["tty"], "confidence": "medium", "evidence": [3]})
            )
        );
        assert_eq!(shown, serde_json::to_value(&event).expect("JSON"));
        let plain = json(&event, &Attribution::default()).expect("JSON");
        assert_eq!(plain, serde_json::to_string(&event).expect("JSON"));
        let first = |text: &str| text.split_inclusive("\"who\"").next().map(str::to_owned);
        assert_eq!(first(&json(&event, &by()).expect("JSON")), first(&plain));
    }

    #[test]
    fn the_schema_names_everybody_who_is_related() {
        let mut event = event();
        let document: Json = serde_json::from_str(&ecs(&event, &by()).expect("JSON")).expect("JSON");
        assert_eq!(document["related"]["user"], json!(["root", "postgres", "Ana Example", "ana"]));
        assert_eq!(document["related"]["ip"], json!(["203.0.113.7"]));
        assert_eq!(document["whodid"]["who"]["person"], json!(["Ana Example"]));
        assert_eq!(document["whodid"]["link"]["confidence"], json!("medium"));
        assert_eq!(document["whodid"]["source"]["digest"], json!(["altered"]));
        event.who = event::Who::default();
        event.source.kind = Family::Wtmp;
        event.id = EventId::from_bytes([1; 16]);
        let nobody = Attribution { person: vec!["ana".to_owned()], ..Attribution::default() };
        let document: Json = serde_json::from_str(&ecs(&event, &nobody).expect("JSON")).expect("JSON");
        assert_eq!(document["related"]["user"], json!(["ana"]));
        assert_eq!(document["whodid"]["who"]["chain"], Json::Null);
    }
}
