//! What stands below `detail`, as paths and texts: the form in which it is searched.
//!
//! A record that is JSON itself is kept once, in `raw`: its values are handed on while it is parsed, and no
//! tree of it is built. Of several members of one name all count, so that none hides another.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value as Json};

use super::Event;

/// Hands every scalar below `detail` to `sink` as (path, text); list positions are not part of a path,
/// and `null` is no value. Of a record that cannot be parsed to its end, what came before.
pub fn each(event: &Event, sink: &mut dyn FnMut(&str, &str)) {
    let mut walk = Walk { path: String::new(), sink };
    walk.map(&event.detail);
    if event.source.kind.record_is_json()
        && let Some(raw) = &event.raw
    {
        let key = event.source.kind.detail_key();
        let made = event.detail.get(key).and_then(Json::as_object);
        walk.path.push_str(key);
        let mut record = serde_json::Deserializer::from_str(raw);
        let ended = record.deserialize_any(Members { walk: &mut walk, made });
        // Whether it was JSON was for the decoder to say: it is `unparsed`, or its rest is.
        drop(ended);
    }
}

struct Walk<'s> {
    path: String,
    sink: &'s mut dyn FnMut(&str, &str),
}

impl Walk<'_> {
    /// Does something one step further down.
    fn below<T>(&mut self, key: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        let keep = self.path.len();
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(key);
        let done = work(self);
        self.path.truncate(keep);
        done
    }

    fn say(&mut self, text: &str) {
        (self.sink)(&self.path, text);
    }

    fn map(&mut self, map: &Map<String, Json>) {
        for (key, value) in map {
            self.below(key, |walk| walk.value(value));
        }
    }

    fn value(&mut self, value: &Json) {
        match value {
            Json::Null => {}
            Json::Bool(flag) => self.say(name(*flag)),
            Json::Number(number) => self.say(&number.to_string()),
            Json::String(text) => self.say(text),
            Json::Array(items) => items.iter().for_each(|item| self.value(item)),
            Json::Object(map) => self.map(map),
        }
    }
}

fn name(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}

/// The members of a record, but for those that the decoder has made something else of.
struct Members<'w, 's, 'm> {
    walk: &'w mut Walk<'s>,
    made: Option<&'m Map<String, Json>>,
}

impl<'de> Visitor<'de> for Members<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Self { walk, made } = self;
        while let Some(key) = members.next_key_seed(Key(walk))? {
            let name = walk.path.get(key + 1..).unwrap_or_default();
            if made.is_some_and(|made| made.contains_key(name)) {
                members.next_value::<IgnoredAny>()?;
            } else {
                members.next_value_seed(Below(walk))?;
            }
            walk.path.truncate(key);
        }
        Ok(())
    }
}

/// A value at the walk's path.
struct Below<'w, 's>(&'w mut Walk<'s>);

impl<'de> DeserializeSeed<'de> for Below<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Below<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, flag: bool) -> Result<(), E> {
        self.0.say(name(flag));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.0.say(&number.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.0.say(&number.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.0.value(&Json::from(number));
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.say(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Below(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<(), A::Error> {
        Members { walk: self.0, made: None }.visit_map(members)
    }
}

/// Puts a member's name behind the path; gives where the path ended before.
struct Key<'w, 's>(&'w mut Walk<'s>);

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<usize, D::Error> {
        from.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key<'_, '_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<usize, E> {
        let Self(walk) = self;
        let end = walk.path.len();
        walk.path.push('.');
        walk.path.push_str(name);
        Ok(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{EventId, Family, Lineage, Source, Stamp};

    fn event(family: Family, raw: &str, detail: Json) -> Event {
        let source = Source {
            name: "s".into(),
            kind: family,
            origin: "o".into(),
            lineage: Some(Lineage::new("h", family, b"x")),
            generation: 0,
            pos: None,
            next: None,
        };
        let mut event = Event::new(EventId::PENDING, "x", Stamp::from_unix(0, 0), Stamp::from_unix(0, 0), source);
        event.raw = Some(raw.to_owned());
        event.detail = detail.as_object().cloned().unwrap_or_default();
        event
    }

    fn found(event: &Event) -> Vec<String> {
        let mut found = Vec::new();
        each(event, &mut |path, text| found.push(format!("{path}={text}")));
        found
    }

    #[test]
    fn a_record_is_read_where_it_lies() {
        let raw = r#"{"a":{"b":[1,-2,2.5,{"c":"\u00e9"},null,[true]]},"d":false,"":"e","big":18446744073709551615}"#;
        let expected =
            ["a.b=1", "a.b=-2", "a.b=2.5", "a.b.c=é", "a.b=true", "d=false", "=e", "big=18446744073709551615"];
        let expected = expected.map(|text| format!("cloudtrail.{text}"));
        assert_eq!(found(&event(Family::Cloudtrail, raw, Json::Null)), expected);
        // A line of a log that looks like JSON is a line.
        assert!(found(&event(Family::Auth, raw, Json::Null)).is_empty());
    }

    #[test]
    fn what_the_decoder_made_of_a_member_stands_for_it() {
        let detail = serde_json::json!({"exec": {"seconds": 1.5, "who": {"uid": 7}}, "whodid": {"x": "y"}});
        let raw = r#"{"seconds":"?","who":"?","name":"z","deep":{"who":"kept"}}"#;
        let expected = ["exec.seconds=1.5", "exec.who.uid=7", "whodid.x=y", "exec.name=z", "exec.deep.who=kept"];
        assert_eq!(found(&event(Family::Exec, raw, detail)), expected);
    }

    #[test]
    fn every_member_of_one_name_counts_and_damage_ends_it() {
        assert_eq!(
            found(&event(Family::Cloudtrail, r#"{"a":1,"a":2}"#, Json::Null)),
            ["cloudtrail.a=1", "cloudtrail.a=2"]
        );
        assert_eq!(found(&event(Family::Cloudtrail, r#"{"a":1,"b":tru"#, Json::Null)), ["cloudtrail.a=1"]);
        for none in ["", "[1]", "7", "\"a\"", "null"] {
            assert!(found(&event(Family::Cloudtrail, none, Json::Null)).is_empty(), "{none}");
        }
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        assert!(found(&event(Family::Cloudtrail, &deep, Json::Null)).is_empty());
    }
}
